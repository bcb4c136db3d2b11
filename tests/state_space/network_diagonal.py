"""Mistakes planted into the networks of state_space/diagonal; formulas of S4's network of several resolutions."""

import math

import torch
from torch import nn

from practice_torch.autoregressive.normalization import layer_norm
from practice_torch.autoregressive.transformer import feed_forward, gelu
from practice_torch.state_space import diagonal
from practice_torch.state_space.structured import PyramidDecoder
from shared_specs.rows import Model, begins_as, begins_at, begins_by_inputs, begins_normal, given, integers
from shared_specs.state_space._cases import step_by_step
from tests.support.networks import Held
from tests.support.planted_networks import BEGINS, biases_at_zero, other_epsilon, without_residual


def without_skip(patch):
    """D u is left out of the output of every channel."""
    plain = diagonal._layer
    patch.setattr(diagonal, "_layer", lambda u, *system: plain(u, *system[:-1], 0 * system[-1]))


def not_gated(patch):
    """W_o y, without silu(v)."""
    patch.setattr(diagonal.S4DBlock, "_joined", lambda self, x, heard, gate: x + self.project(heard))


def frequencies_alike(patch):
    """Those of S4D-Lin, whatever is requested."""
    plain = diagonal.initial_eigenvalues
    patch.setattr(diagonal, "initial_eigenvalues", lambda *, order, kind: plain(order=order, kind="linear"))


def steps_without_skip(patch):
    """A step leaves out D u."""

    def step(self, x, state):
        driven, gate = self._expanded(x)
        heard, state = diagonal.diagonal_step(driven, state, *self.system())
        return self._joined(x, heard, gate), state

    patch.setattr(diagonal.S4DBlock, "step", step)


def steps_without_the_condition(patch):
    """Only forward adds the condition."""
    plain = diagonal.S4DDecoder.step
    patch.setattr(diagonal.S4DDecoder, "step", lambda self, tokens, states, condition=None: plain(self, tokens, states))


MISTAKES = {
    "S4DBlock": {
        "no gate": (not_gated, "output"),
        "no skip path in the channels": (without_skip, "output"),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "a step without the skip path": (steps_without_skip, "one step after the other"),
        "the other frequencies": (frequencies_alike, BEGINS),
    },
    "S4DDecoder": {
        "no residual": (without_residual(diagonal.S4DBlock), "output"),
        "a step without the skip path": (steps_without_skip, "one token after the other"),
        "a step without the condition": (steps_without_the_condition, "the same under a condition"),
        "biases at zero": (biases_at_zero, BEGINS),
    },
}


def _pyramid(**sizes):
    return PyramidDecoder(vocabulary_size=9, width=4, layers=1, modes=2, **sizes)


def _residual(block, x):
    """Of one of both kinds of layers."""
    z, layer = layer_norm(x, block.norm.weight, block.norm.bias, epsilon=1e-5), block.layer
    if hasattr(layer, "up"):
        return x + feed_forward(z, layer.up.weight, layer.up.bias, layer.down.weight, layer.down.bias, approximate=False)
    heard = diagonal.state_space_layer(z.mT, *layer.system(), layer.skip).mT
    content, gate = (gelu(heard, approximate=False) @ layer.mix.weight.T + layer.mix.bias).chunk(2, -1)
    return x + content * gate.sigmoid()


def _level(level, x):
    """A group of steps is seen by the steps of the next group, in a loop over them."""
    if level.factor is None:
        return x + _residual(level.up[1], _residual(level.up[0], x))
    first = _residual(level.down[0], x)
    second, steps = _residual(level.down[1], first), level.factor
    groups = [second[:, k : k + steps] for k in range(0, second.shape[1], steps)]
    whole = [group.flatten(1) for group in groups if group.shape[1] == steps]
    found = second.clone()
    if whole:
        low = _level(level.inner, torch.stack(whole, 1) @ level.pool.weight.T + level.pool.bias)
        for k, past in enumerate((low @ level.spread.weight.T + level.spread.bias).unbind(1)):
            later = slice((k + 1) * steps, (k + 2) * steps)
            found[:, later] += past.unflatten(-1, (steps, -1))[:, : found[:, later].shape[1]]
    found = _residual(level.up[0], found) + first
    return _residual(level.up[1], found) + x


def _pyramid_logits(network, tokens):
    x = layer_norm(_level(network.level, network.embedding.weight[tokens]), network.norm.weight, network.norm.bias, epsilon=1e-5)
    return x @ network.head.weight.T + network.head.bias


def _steps(rng, shape):
    return rng.uniform(math.log(1e-3), math.log(1e-1), shape)


BEGINNING = {
    "embedding.weight": begins_normal(1.0), "*norm.weight": begins_at(1), "*norm.bias": begins_at(0),
    "*skip": begins_normal(1.0), "*log_step": begins_as(_steps), "*log_negative_real": begins_at(math.log(0.5)),
    "*output_real": begins_normal(0.5**0.5), "*output_imaginary": begins_normal(0.5**0.5),
}  # fmt: skip
TOKENS = given(tokens=integers(2, 11, high=9))


def _frequencies(rng, shape):
    """Of S4D-Lin, in every channel."""
    return torch.tensor([0.0, math.pi]).expand(shape).double().numpy()


HELD = tuple(
    Held(_pyramid, Model("PyramidDecoder", case, TOKENS, sizes=sizes, training=dict(dropout=0.5),
                         initial=BEGINNING | {"*imaginary": begins_as(_frequencies), "*": begins_by_inputs()},
                         relations={"one token after the other": step_by_step}), _pyramid_logits)
    for case, sizes in {"two resolutions below": dict(factors=(3, 2), kind="linear"),
                        "its own alone": dict(factors=(), kind="linear")}.items()
)  # fmt: skip
