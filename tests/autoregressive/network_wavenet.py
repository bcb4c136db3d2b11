"""Mistakes planted into the networks of autoregressive/wavenet, each with the quantity in which a check finds it."""

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

    def mixed(self, x, taps, condition):
        gates = self.gates(taps)
        gate, content = (gates if condition is None else gates + condition).chunk(2, dim=-1)
        residual, skip = self.out(content.tanh() * gate.sigmoid()).split([self.channels, self.skip_channels], dim=-1)
        return x + residual, skip

    patch.setattr(wavenet.ResidualBlock, "_mixed", mixed)


def drawn_from_above(patch):
    """The code drawn is the one at which the cumulative probability from above exceeds the uniform."""
    plain = wavenet.draw
    patch.setattr(wavenet, "draw", lambda logits, uniforms: plain(logits, 1 - uniforms))


MISTAKES = {
    "WaveNet": {
        "the present is seen": (sees_the_present, FUTURE),
        "gates exchanged": (gates_exchanged, "output"),
        "no residual": (without_residual(wavenet.ResidualBlock), "output"),
        "drawn from above": (drawn_from_above, "codes are drawn by the inverse of their distribution function"),
        "a drawn embedding": (put(wavenet, "waves", torch.randn), BEGINS),
    }
}
ELSEWHERE = {"WaveNet": {"parameters_by_name": "test_the_network_is_residual_blocks_end_to_end"}}
