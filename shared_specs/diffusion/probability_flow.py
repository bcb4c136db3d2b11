"""Contracts of the probability flow and of its likelihood (lecture 34)."""

import numpy as np

from shared_specs.diffusion._cases import IMAGES, PIXELS, X, Y, at
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

UNEVEN, FALLING = [0.0, 0.1, 0.25, 0.6, 1.0], [1.0, 0.7, 0.4, 0.1]
LOG_2_PI = np.log(2 * np.pi)
PROBES = normal(2, 5, 3)


def growing(x, t):
    """Velocity x/2 at every time."""
    return 0.5 * x


def bent(x, t):
    """A flow that turns and is no straight line; each coordinate on its own."""
    return (0.5 - at(x, t)) * x / (1 + x * x / 4) + at(x, t)


def mixing(x, t):
    """Coordinates that pull at each other, one row of an example at a time."""
    return x * x.sum(axis=1, keepdims=True) / 8 - at(x, t) * x


def _grid(h):
    """Times from 0 to 1, h apart."""
    return np.linspace(0.0, 1.0, round(1 / h) + 1)


def _exact_probes(like):
    """sqrt(D) times the unit vectors, for every example."""
    count, size = like.shape
    return np.sqrt(size) * np.repeat(np.eye(size)[:, None], count, axis=1)


def _by_change_of_variables(f, x, times):
    """log N(solve(x); 0, I) + log |det| of the map's Jacobian."""
    ends = f.solve(x, times, mixing)
    jacobian = f.jacobian("solve", x, times, mixing, wrt=0)  # [B, D, B, D]
    each = np.stack([jacobian[n, :, n] for n in range(len(x))])
    return -np.sum(ends**2, axis=1) / 2 - x.shape[1] / 2 * LOG_2_PI + np.linalg.slogdet(each)[1]


SPEC = (
    Agree("probability_flow_drift", "regular", given(score=X, drift=Y, diffusion=uniform(5, high=3.0))),
    Agree("probability_flow_drift", "images", given(score=IMAGES, drift=PIXELS, diffusion=[0.0, 2.0])),
    Anchor("probability_flow_drift", "g = 2", given(score=[[3.0, -1.0]], drift=[[1.0, 0.0]], diffusion=[2.0]),
           gives=[[-5.0, 2.0]], source="1 - 2 * 3", near_misses={
               "without the half": [[-11.0, 4.0]], "g for its square": [[-2.0, 1.0]], "plus": [[7.0, -2.0]]}),
    Rejects("probability_flow_drift", "shapes differ", given(score=zeros(3, 2), drift=zeros(3, 4), diffusion=zeros(3)),
            blames="drift"),
    Rejects("probability_flow_drift", "one diffusion for all", given(score=zeros(3, 2), drift=zeros(3, 2), diffusion=zeros(1)),
            blames="diffusion"),
    Agree("solve", "uneven times", given(x=X, times=UNEVEN, drift_fn=bent), differentiate=("x",)),
    Agree("solve", "images, falling times", given(x=IMAGES, times=FALLING, drift_fn=bent), differentiate=("x",)),
    Anchor("solve", "one step", given(x=[[8.0], [0.0]], times=[0.0, 2.0], drift_fn=growing), gives=[[8 * 65 / 24], [0.0]],
           source="1 + 1 + 1/2 + 1/6 + 1/24",
           near_misses={"Euler": [[16.0], [0.0]], "midpoint": [[20.0], [0.0]], "order three": [[8 * 16 / 6], [0.0]],
                        "exact": [[8 * np.e], [0.0]]}),
    Law.limit("order four", given(x=X), value=lambda f, h, x: f.solve(x, np.linspace(0.0, 2.0, round(2 / h) + 1), growing),
              at=(1 / 2, 1 / 4, 1 / 8), limit=lambda f, x: np.e * x, order=4.0),
    Law.equal("two parts of the way are the whole way", given(x=X),
              left=lambda f, x: f.solve(f.solve(x, np.array(UNEVEN[:3]), bent), np.array(UNEVEN[2:]), bent),
              right=lambda f, x: f.solve(x, np.array(UNEVEN), bent)),
    Law.limit("there and back again: the errors of order four cancel", given(x=X),
              value=lambda f, h, x: f.solve(f.solve(x, _grid(h), bent), _grid(h)[::-1], bent), at=(1 / 4, 1 / 8, 1 / 16),
              limit=lambda f, x: x, order=5.0),
    Rejects("solve", "one time", given(x=zeros(3, 2), times=[0.5], drift_fn=growing), blames="times"),
    Rejects("solve", "times there and back", given(x=zeros(3, 2), times=[0.0, 1.0, 0.5], drift_fn=growing), blames="times"),
    Rejects("solve", "a time twice", given(x=zeros(3, 2), times=[0.0, 0.5, 0.5], drift_fn=growing), blames="times"),
    Rejects("solve", "a velocity of another shape", given(x=zeros(3, 2), times=[0.0, 1.0], drift_fn=lambda x, t: x[:, 0]),
            blames="drift_fn"),
    Agree("log_prob", "regular", given(x=X, probes=PROBES, times=UNEVEN, drift_fn=mixing), differentiate=("x", "probes")),
    Agree("log_prob", "images", given(x=IMAGES, probes=normal(1, 2, 3, 4, 5), times=[0.5, 0.0], drift_fn=bent),
          differentiate=("x", "probes")),
    Anchor("log_prob", "velocity x/2 in two dimensions", given(
        x=[[8.0, 0.0]], probes=[[[1.0, -1.0]]], times=[0.0, 2.0], drift_fn=growing),
           gives=[2 - (8 * 65 / 24) ** 2 / 2 - LOG_2_PI], source="divergence 1 for 2 units of time",
           near_misses={"sign of the integral": [-2 - (8 * 65 / 24) ** 2 / 2 - LOG_2_PI],
                        "without log 2 pi": [2 - (8 * 65 / 24) ** 2 / 2], "no integral": [-((8 * 65 / 24) ** 2) / 2 - LOG_2_PI],
                        "one dimension's log 2 pi": [2 - (8 * 65 / 24) ** 2 / 2 - LOG_2_PI / 2]}),
    Law.equal("the mean over probes, not their sum", given(x=X, probes=PROBES),
              left=lambda f, x, probes: f.log_prob(x, np.concatenate([probes, probes]), np.array(UNEVEN), mixing),
              right=lambda f, x, probes: f.log_prob(x, probes, np.array(UNEVEN), mixing)),
    Law.limit("exact probes: the change of variables, up to the solver's error", given(x=normal(1, 2)),
              value=lambda f, h, x: f.log_prob(x, _exact_probes(x), _grid(h), mixing) - _by_change_of_variables(f, x, _grid(h)),
              at=(1 / 2, 1 / 4, 1 / 8), limit=0.0, order=4.0),
    Rejects("log_prob", "no probe", given(x=zeros(3, 2), probes=zeros(0, 3, 2), times=[0.0, 1.0], drift_fn=growing),
            blames="probes"),
    Rejects("log_prob", "probes of another shape", given(
        x=zeros(3, 2), probes=zeros(1, 3, 4), times=[0.0, 1.0], drift_fn=growing), blames="probes"),
    Rejects("log_prob", "times that stand still", given(
        x=zeros(3, 2), probes=zeros(1, 3, 2), times=[1.0, 1.0], drift_fn=growing), blames="times"),
    Rejects("log_prob", "a velocity of another shape", given(
        x=zeros(3, 2), probes=zeros(1, 3, 2), times=[0.0, 1.0], drift_fn=lambda x, t: x[:, :1]), blames="drift_fn"),
)  # fmt: skip
