"""Mistakes planted into the networks of state_space/diagonal, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.state_space import diagonal
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
