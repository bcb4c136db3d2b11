"""Wrong forms of transformed densities and of Box and Muller's map that the rows must refuse, and other right forms."""

import math

import torch

from practice_torch.flows import change_of_variables as right
from tests.support.mistakes import Mistake

TAU = 2 * math.pi


def _jacobians(x, fn):
    """[B, D, D] by one example at a time."""
    one = lambda row: fn(row[None]).flatten()  # noqa: E731
    size = math.prod(x.shape[1:])
    return torch.stack([torch.autograd.functional.jacobian(one, row, create_graph=True).reshape(size, size) for row in x])


def _without_care_at_one(u):
    """The slope of sqrt at 0 is infinite."""
    radius = (-2 * u[:, 0].log()).sqrt()
    return torch.stack((radius * (TAU * u[:, 1]).cos(), radius * (TAU * u[:, 1]).sin()), 1)


def _inverse_by_remainder(z):
    """-1e-20 modulo 1 is 1."""
    return torch.stack(((-z.square().sum(1) / 2).exp(), torch.atan2(z[:, 1], z[:, 0]).div(TAU).remainder(1)), 1)


def _inverse_by_arctangent(z):
    return torch.stack(((-z.square().sum(1) / 2).exp(), torch.atan(z[:, 1] / z[:, 0]).div(TAU).remainder(1)), 1)


def _exponential_with_no_slope_at_zero(u, *, rate=1.0):
    right.inverse_transform_sample(u, rate=rate)
    return -torch.log(1 - u) / rate


def _on_the_disk(u):
    right.box_muller(u)
    radius = u[:, 0].sqrt()
    return torch.stack((radius * (TAU * u[:, 1]).cos(), radius * (TAU * u[:, 1]).sin()), 1)


def _normal_by_torch(z):
    return torch.distributions.Normal(z.new_zeros(()), z.new_ones(())).log_prob(z).reshape(len(z), math.prod(z.shape[1:])).sum(1)


MISTAKES = (
    Mistake("standard_normal_log_prob", "one constant for all entries",
            lambda z: -z.reshape(len(z), -1).square().sum(1) / 2 - math.log(TAU) / 2),
    Mistake("standard_normal_log_prob", "mean over the entries",
            lambda z: right.standard_normal_log_prob(z) / max(1, math.prod(z.shape[1:]))),
    Mistake("standard_normal_log_prob", "no half", lambda z: 2 * right.standard_normal_log_prob(z)),
    Mistake("pushforward_log_prob", "multiplied by the determinant",
            lambda base_log_prob, forward_log_det: base_log_prob + forward_log_det),
    Mistake("pushforward_log_prob", "broadcast over shapes that differ", lambda base_log_prob, forward_log_det: (
        base_log_prob[:1] - forward_log_det[:1] if len(forward_log_det) < len(base_log_prob)
        else base_log_prob - forward_log_det), only_checks=True),
    Mistake("log_abs_det_jacobian", "the log of a signed determinant", lambda x, fn: torch.linalg.det(_jacobians(x, fn)).log()),
    Mistake("log_abs_det_jacobian", "the diagonal alone",
            lambda x, fn: _jacobians(x, fn).diagonal(dim1=1, dim2=2).abs().log().sum(1)),
    Mistake("log_abs_det_jacobian", "of the whole batch", lambda x, fn: right.log_abs_det_jacobian(x, fn).sum().expand(len(x))),
    Mistake("inverse_transform_sample", "the logarithm of u", lambda u, *, rate=1.0: -u.log() / rate),
    Mistake("inverse_transform_sample", "1 - u rounds to 1", _exponential_with_no_slope_at_zero),
    Mistake("inverse_transform_sample", "the rate as a scale",
            lambda u, *, rate=1.0: rate * right.inverse_transform_sample(u)),
    Mistake("inverse_transform_sample", "clips u at 1", lambda u, *, rate=1.0: (
        -torch.log1p(-u.clamp(0, 1 - 1e-7)) / rate if bool((u >= 1).any() | (u < 0).any())
        else right.inverse_transform_sample(u, rate=rate)), only_checks=True),
    Mistake("box_muller", "no 2 in the radius", lambda u: right.box_muller(u) / math.sqrt(2)),
    Mistake("box_muller", "sine first", lambda u: right.box_muller(u).flip(1)),
    Mistake("box_muller", "an infinite gradient at u = 1", _without_care_at_one),
    Mistake("box_muller", "clips u at 0", lambda u: right.box_muller(
        torch.stack((u[:, 0].clamp(1e-7, 1), u[:, 1].clamp(0, 1)), 1))),
    Mistake("box_muller", "uniform on the disk", _on_the_disk),
    Mistake("box_muller", "a wrong determinant at the right place: the second root of u",
            lambda u: right.box_muller(torch.stack((u[:, 0].sqrt(), u[:, 1]), 1))),
    Mistake("box_muller_inverse", "the arctangent of a quotient", _inverse_by_arctangent),
    Mistake("box_muller_inverse", "1 for an angle just below 0", _inverse_by_remainder),
    Mistake("box_muller_inverse", "angles below 0", lambda z: torch.stack(
        (right.box_muller_inverse(z)[:, 0], torch.atan2(z[:, 1], z[:, 0]) / TAU), 1)),
    Mistake("box_muller_log_det", "of the way back", lambda u: -right.box_muller_log_det(u)),
    Mistake("box_muller_log_det", "no angle", lambda u: right.box_muller_log_det(u) - math.log(TAU)),
    Mistake("box_muller_log_det", "of both uniforms", lambda u: right.box_muller_log_det(u) - u[:, 1].log().nan_to_num(neginf=0)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("standard_normal_log_prob", "torch.distributions", _normal_by_torch, core_alone=True),
    Mistake(
        "log_abs_det_jacobian",
        "the determinant's absolute value, one example at a time",
        lambda x, fn: torch.linalg.det(_jacobians(x, fn)).abs().log(),
        core_alone=True,
    ),
)
