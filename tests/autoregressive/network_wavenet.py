"""Mistakes planted into the networks of autoregressive/wavenet, each with the quantity in which a check finds it."""

from unittest import mock

import torch
from torch.nn import functional

from practice_torch.networks import wavenet
from tests.support.planted_networks import BEGINS, FUTURE, put, without_residual


def sees_the_present(patch):
    """The predicted code is among the inputs."""
    pad = functional.pad

    def unshifted(x, amounts, value=0.0):
        return torch.cat([x, x[:, :1]], dim=1) if x.dtype == torch.int64 else pad(x, amounts, value=value)

    patch.setattr(functional, "pad", unshifted)


def gates_exchanged(patch):
    """tanh of the gate, sigmoid of the content."""

    def gated(self, taps, condition):
        gates = self.gates(taps)
        gate, content = (gates if condition is None else gates + condition).chunk(2, dim=-1)
        return content.tanh() * gate.sigmoid()

    patch.setattr(wavenet.ResidualBlock, "_gated", gated)


def skips_in_another_order(patch):
    """The gates of a block meet the weights of another."""
    plain = wavenet.WaveNet.forward

    def forward(self, codes, label=None):
        joined = torch.cat
        reverse = lambda parts, dim=0: joined(parts[::-1] if isinstance(parts, tuple) and dim == 1 else parts, dim)  # noqa: E731
        with mock.patch.object(torch, "cat", reverse):
            return plain(self, codes, label)

    patch.setattr(wavenet.WaveNet, "forward", forward)


def drawn_from_above(patch):
    """The code drawn is the one at which the cumulative probability from above exceeds the uniform."""
    plain = wavenet.draw
    patch.setattr(wavenet, "draw", lambda logits, uniforms: plain(logits, 1 - uniforms))


MISTAKES = {
    "WaveNet": {
        "the present is seen": (sees_the_present, FUTURE),
        "gates exchanged": (gates_exchanged, "output"),
        "skips in another order": (skips_in_another_order, "output"),
        "no residual": (without_residual(wavenet.ResidualBlock), "output"),
        "drawn from above": (drawn_from_above, "codes are drawn by the inverse of their distribution function"),
        "a drawn embedding": (put(wavenet, "waves", torch.randn), BEGINS),
    }
}
ELSEWHERE = {"WaveNet": {"parameters_by_name": "test_the_network_is_residual_blocks_end_to_end"}}
