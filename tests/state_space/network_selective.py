"""Mistakes planted into the networks of state_space/selective; the formula and the beginning of the published network."""

import math

import numpy as np
from torch import nn
from torch.nn import functional

from practice_torch.autoregressive.normalization import rms_norm
from practice_torch.state_space import selective
from shared_specs.rows import Model, begins_as, given, integers
from shared_specs.state_space._cases import step_by_step
from shared_specs.state_space.selective import begins
from tests.support.networks import Held
from tests.support.planted_networks import BEGINS, FUTURE, OTHERS, mean_of_the_batch, other_epsilon, put, without_residual


def convolution_sees_ahead(patch):
    """Padding is divided between both ends."""
    pad = functional.pad
    patch.setattr(functional, "pad", lambda x, amounts: pad(x, (amounts[0] - 1, 1)) if amounts[0] else pad(x, amounts))


def decays_alike(patch):
    """-1 for every state of a channel."""
    plain = selective.MambaBlock.__init__

    def begin(self, **sizes):
        plain(self, **sizes)
        nn.init.zeros_(self.log_negative_a)

    patch.setattr(selective.MambaBlock, "__init__", begin)


def taps_turned_around(patch):
    """A step's convolution reads its past from the last to the first."""
    plain = selective.MambaBlock.advance
    patch.setattr(selective.MambaBlock, "advance", lambda self, x, past, state: plain(self, x, past.flip(-1), state))


def steps_without_the_condition(patch):
    """Only forward adds the condition."""
    plain = selective.MambaDecoder.step
    patch.setattr(selective.MambaDecoder, "step", lambda self, tokens, states, condition=None: plain(self, tokens, states))


def steps_without_memory(patch):
    """The states that a step returns are those that it was given."""
    plain = selective.MambaDecoder.step
    patch.setattr(
        selective.MambaDecoder, "step", lambda self, tokens, states, **given: (plain(self, tokens, states, **given)[0], states)
    )


MISTAKES = {
    "MambaBlock": {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "the next step is seen": (convolution_sees_ahead, FUTURE),
        "another epsilon": (other_epsilon(nn.RMSNorm, 1e-6), "output"),
        "the taps of a step turned around": (taps_turned_around, "one step after the other"),
        "all states decay alike": (decays_alike, BEGINS),
        "the batch mixes": (mean_of_the_batch(selective.MambaBlock), OTHERS),
    },
    "MambaDecoder": {
        "no residual": (without_residual(selective.MambaBlock), "output"),
        "weights in place of norms": (put(nn.RMSNorm, "forward", lambda self, x: x * self.weight), "output"),
        "steps without a memory": (steps_without_memory, "one token after the other"),
        "a step without the condition": (steps_without_the_condition, "the same under a condition"),
        "all states decay alike": (decays_alike, BEGINS),
    },
}


def _published():
    return selective.MambaDecoder(vocabulary_size=10, width=6, layers=4, states=2, tied=True, vocabulary_multiple=8)


def _published_logits(network, tokens):
    x = network.embedding.weight[tokens]
    for block in network.blocks:
        p = block.parameters_by_name()
        x = x + selective.mamba_mixer(rms_norm(x, block.norm.weight, epsilon=1e-5), p)
    return (rms_norm(x, network.norm.weight, epsilon=1e-5) @ network.embedding.weight.T)[..., :10]


def _losses(network, tokens):
    logits = network(tokens).flatten(0, 1)
    return network(tokens, targets=tokens.flip(1)), functional.cross_entropy(logits, tokens.flip(1).flatten())


def _embedding(rng, shape):
    """Rows of tokens, and six of padding."""
    return np.concatenate([0.02 * rng.standard_normal((10, shape[1])), np.zeros((6, shape[1]))])


def _smaller(rng, shape):
    """Torch's own, of 12 inputs, divided by the root of the four blocks."""
    return rng.uniform(-1, 1, shape) / math.sqrt(12) / 2


# as the reference code has it: mamba_ssm/models/mixer_seq_simple.py and mamba_ssm/modules/mamba_simple.py
PUBLISHED = {"embedding.weight": begins_as(_embedding), "*.output.weight": begins_as(_smaller)} | begins(12, 2)
RELATIONS = {"one token after the other": step_by_step, "the cross-entropy of targets": _losses}
HELD = (
    Held(
        _published,
        Model("MambaDecoder", "published", given(tokens=integers(3, 6, high=10)), sizes={}, initial=PUBLISHED, sees={"tokens": 0},
              relations=RELATIONS),
        _published_logits,
    ),
)  # fmt: skip
LAST_STATE = "test_the_last_state_is_the_sum_of_its_tokens_by_the_weights_that_are_drawn"
ELSEWHERE = {"MambaBlock": {"left": LAST_STATE}, "MambaDecoder": {"left": LAST_STATE}}
