"""Mistakes planted into the networks of flows/affine_coupling, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.flows import affine_coupling
from tests.support.planted_networks import BEGINS, halves_exchanged, not_bounded, put, sign_of_the_way_back

MISTAKES = {
    "RealNVP": {
        "the halves are exchanged": (halves_exchanged(affine_coupling), "output"),
        "log-scales without a bound": (put(affine_coupling, "bounded_log_scale", not_bounded), "output"),
        "the log-determinant of the way there": (sign_of_the_way_back(affine_coupling.RealNVP), "the inverse undoes it"),
        "the last layers as torch has them": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    }
}
