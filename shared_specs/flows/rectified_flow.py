"""Contracts of rectified flow: its pairs, and how straight its paths are."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

X0, X1 = normal(4, 3), normal(4, 3)
IMAGES = normal(2, 1, 3, 2)
TIMES = [0.0, 0.25, 0.4, 1.0]
HALVES = [0.0, 0.5, 1.0]


def at(x, time):
    """The time of every example with the number of axes of x."""
    return x * 0 + time.reshape((-1,) + (1,) * (x.ndim - 1))


def field(x, time):
    """A velocity that mixes place and time, with operators only."""
    return at(x, time) - x / (1 + x * x)


def steady(x, time):
    return at(x, 0 * time) + 0.7


def to_variance_four(x, time):
    """From noise to N(0, 4), independent: V'/(2V) x."""
    t = at(x, time)
    return (5 * t - 1) / ((1 - t) * (1 - t) + 4 * t * t) * x


def second(x, time):
    """The same in the second round."""
    return x / (1 + at(x, time))


def rising(x, time):
    """A velocity that is the time itself."""
    return at(x, time)


def flat(x, time):
    """Another shape than that of x."""
    return time


PATHS = ("reflow_pairs", "straightness")

SPEC = (
    *(
        row
        for function in PATHS
        for row in (
            Agree(function, "steps of unequal length", given(x0=X0, times=TIMES, velocity_fn=field)),
            Agree(function, "images, from a later time", given(x0=IMAGES, times=[0.5, 0.75, 1.0], velocity_fn=field)),
            Rejects(function, "times that fall", given(x0=zeros(2, 3), times=[1.0, 0.5, 0.0], velocity_fn=field), blames="times"),
            Rejects(function, "a time twice", given(x0=zeros(2, 3), times=[0.0, 0.5, 0.5], velocity_fn=field), blames="times"),
            Rejects(function, "one time", given(x0=zeros(2, 3), times=[0.0], velocity_fn=field), blames="times"),
            Rejects(function, "no batch", given(x0=np.array(1.0), times=HALVES, velocity_fn=steady), blames="x0"),
            Rejects(function, "a number for each", given(x0=zeros(2, 3), times=HALVES, velocity_fn=flat), blames="velocity_fn"),
        )
    ),
    Anchor("reflow_pairs", "to variance 4 in two steps", given(x0=[[1.0, -2.0]], times=HALVES, velocity_fn=to_variance_four),
           gives=([[1.0, -2.0]], [[0.8, -1.6]]), source="1 - 1/2, then times 1 + 1.2/2", near_misses={
               "the ends exchanged": ([[0.8, -1.6]], [[1.0, -2.0]]), "one step": ([[1.0, -2.0]], [[0.0, 0.0]]),
               "the second velocity alone": ([[1.0, -2.0]], [[1.6, -3.2]]), "backward": ([[1.0, -2.0]], [[0.6, -1.2]])}),
    Law.equal("the second round of a Gaussian is exact in one step", given(x0=X0), right=lambda f, x0: 2 * x0,
              left=lambda f, x0: f.reflow_pairs(x0, np.array([0.0, 1.0]), second)[1]),
    Anchor("straightness", "the time as velocity, steps 1/4 and 3/4", given(
        x0=[[1.0, -2.0]], times=[0.0, 0.25, 1.0], velocity_fn=rising), gives=[3 / 128],
        source="velocities 0 and 1/4, mean 3/16", near_misses={
            "divided by the steps": [3 / 256], "not weighted": [5 / 64], "the mean over dimensions": [3 / 256],
            "from the mean of the velocities": [1 / 32], "the squared speed": [3 / 32], "a root": [(3 / 128) ** 0.5]}),
    Anchor("straightness", "over a time of 2", given(x0=[[1.0]], times=[0.0, 1.0, 2.0], velocity_fn=rising), gives=[0.5],
           source="velocities 0 and 1, mean 1/2", near_misses={
               "the way for the velocity": [1.0], "divided by the time": [0.25], "half of it": [0.125]}),
    Law.equal("a steady velocity is straight", given(x0=X0), right=1.0,
              left=lambda f, x0: 1 + f.straightness(x0, np.array(TIMES), steady)),
    Law.equal("the second round of a Gaussian is straight", given(x0=X0), right=1.0,
              left=lambda f, x0: 1 + f.straightness(x0, np.array([0.0, 0.25, 0.5, 1.0]), second)),
    Law.equal("one step shows nothing", given(x0=X0), right=1.0,
              left=lambda f, x0: 1 + f.straightness(x0, np.array([0.0, 1.0]), field)),
    Law.limit("the curvature of the first flow to variance 4", given(x0=[[1.0]]), at=(1 / 16, 1 / 32, 1 / 64), order=1,
              value=lambda f, h, x0: f.straightness(x0, np.linspace(0, 1, round(1 / h) + 1), to_variance_four),
              limit=4 - np.pi),
    # The cost.
    Agree("transport_cost", "regular", given(x0=X0, x1=X1)),
    Agree("transport_cost", "images", given(x0=IMAGES, x1=IMAGES)),
    Anchor("transport_cost", "by hand", given(x0=[[1.0, -2.0], [0.0, 0.5]], x1=[[4.0, 2.0], [-1.0, 0.5]]), gives=[25.0, 1.0],
           source="3, 4 and 1, 0", near_misses={"the distance": [5.0, 1.0], "the mean over dimensions": [12.5, 0.5],
                                               "half": [12.5, 0.5], "the sum": [25.0, 2.0], "of the batch": [13.0, 13.0]}),
    Law.at_least("the flow to variance 4 costs less than independent pairs on average", given(x0=X0),
                 left=lambda f, x0: f.transport_cost(x0, 2 * x0) * 0 + 5 * (x0**2).sum(1), right=lambda f, x0:
                 f.transport_cost(*f.reflow_pairs(x0, np.linspace(0, 1, 5), to_variance_four))),
    Rejects("transport_cost", "shapes differ", given(x0=zeros(2, 3), x1=zeros(2, 1)), blames="x1"),
    Rejects("transport_cost", "no batch", given(x0=np.array(1.0), x1=np.array(1.0)), blames="x0"),
)  # fmt: skip
