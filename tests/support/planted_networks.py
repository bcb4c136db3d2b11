"""Mistakes that are planted into the networks of several topics, and the quantities in which a check finds them."""

import math

import torch
from torch import nn
from torch.nn import functional

BEGINS, FUTURE, EVALUATED, OTHERS = "initial", "the future", "dropout in evaluation", "the rest of the batch"
COMPARED = ("output", "statistic")
NEVER = "the initialization is never called"

FUSED = functional.scaled_dot_product_attention  # as it is before a mistake is planted
NORMAL = nn.init.normal_


def no_mask_in_training(patch):
    """The causal mask is left out whenever dropout trains."""

    def mixed(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **others):
        return FUSED(query, key, value, attn_mask, dropout_p, is_causal and dropout_p == 0, **others)

    patch.setattr(functional, "scaled_dot_product_attention", mixed)


def no_scale(patch):
    patch.setattr(functional, "scaled_dot_product_attention", lambda *given, **others: FUSED(*given, **others | {"scale": 1.0}))


def always_in_training(network):
    """Dropout acts in evaluation, too."""
    return lambda patch: patch.setattr(network, "train", lambda self, mode=True: nn.Module.train(self, True))


def mean_of_the_batch(network):
    """The output of an example depends on the others."""
    plain = network.forward
    return lambda patch: patch.setattr(network, "forward", lambda self, *given, **others: _mixed(plain(self, *given, **others)))


def _mixed(output):
    parts = output if isinstance(output, tuple) else (output,)
    parts = tuple(part + part.mean(0, keepdim=True) for part in parts)
    return parts if isinstance(output, tuple) else parts[0]


def without_residual(block):
    """A block gives its branches alone."""
    plain = block.forward

    def forward(self, x, *given):
        found = plain(self, x, *given)
        return (found[0] - x, *found[1:]) if isinstance(found, tuple) else found - x

    return lambda patch: patch.setattr(block, "forward", forward)


def other_epsilon(kind, epsilon):
    """A norm of torch with another epsilon than the network asks for."""
    plain = kind.__init__

    def begin(self, *given, **others):
        plain(self, *given, **others)
        self.eps = epsilon

    return lambda patch: patch.setattr(kind, "__init__", begin)


def put(owner, name, value):
    return lambda patch: patch.setattr(owner, name, value)


def twice_as_wide(tensor, mean=0.0, std=1.0):
    return NORMAL(tensor, mean, 2 * std)


def cosines_first(t, *, dim):
    angles = t[:, None] * torch.exp(-math.log(1e4) / (dim // 2 - 1) * torch.arange(dim // 2, dtype=t.dtype))
    return torch.cat([angles.cos(), angles.sin()], -1)


def biases_at_zero(patch):
    plain = nn.Linear.reset_parameters

    def reset(self):
        plain(self)
        nn.init.zeros_(self.bias)

    patch.setattr(nn.Linear, "reset_parameters", reset)


def halves_exchanged(module):
    """The odd places pass through the first layer."""
    plain = module.checkerboard_halves

    def exchanged(shape):
        even, odd, _ = plain(shape)
        return odd, even, torch.cat([odd, even]).argsort()

    return put(module, "checkerboard_halves", exchanged)


def not_bounded(raw, *, bound):
    """The log-scale as the network gives it."""
    return raw


def sign_of_the_way_back(network):
    """The inverse gives the log-determinant of the way there."""
    plain = network.inverse

    def inverse(self, z):
        x, log_det = plain(self, z)
        return x, -log_det

    return lambda patch: patch.setattr(network, "inverse", inverse)
