"""Mistakes planted into the networks of flows/continuous_flow, each with the quantity in which a check finds it."""

import torch
from torch import nn

from practice_torch.flows import continuous_flow
from tests.support.planted_networks import BEGINS, put


def from_noise_to_data(patch):
    """The velocity is followed forward in time."""
    plain = continuous_flow.ContinuousFlow._times
    patch.setattr(continuous_flow.ContinuousFlow, "_times", lambda self, x, num_steps: plain(self, x, num_steps).flip(0))


def without_the_time(patch):
    """The velocity of time 0 at all times."""
    plain = continuous_flow.ContinuousFlow._with_divergence
    patch.setattr(continuous_flow.ContinuousFlow, "_with_divergence", lambda self, x, time: plain(self, x, 0 * time))


def bent_as_a_rectifier(patch):
    """The slope of the activation without what the gate's own slope adds."""
    plain = torch.addcmul  # the solver's own has a number, the size of the step, in the middle
    patch.setattr(torch, "addcmul", lambda first, second, third: plain(first, second, third) if second.ndim == 0 else first)


def energy_of_the_way_back(patch):
    """The way with its energy goes from the noise to the data."""
    plain = continuous_flow.ContinuousFlow.with_energy

    def turned(self, x, *, num_steps):
        with_energy = plain(self, x, num_steps=num_steps)
        return *self.inverse(x), with_energy[2]

    patch.setattr(continuous_flow.ContinuousFlow, "with_energy", turned)


MISTAKES = {
    "ContinuousFlow": {
        "from noise to data": (from_noise_to_data, "output"),
        "the time is not seen": (without_the_time, "output"),
        "a slope is forgotten": (bent_as_a_rectifier, "output"),
        "the energy of the way back": (energy_of_the_way_back, "with the energy of the way, it is the same way"),
        "the last layer as torch has it": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    }
}
ELSEWHERE = {"ContinuousFlow": {"inverse": "test_the_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian"}}
