"""Contracts of flow matching: its loss on pairs, and velocities that are exact."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, full, given, log_of, log_simplex, normal, zeros

X0, X1, TIMES = normal(4, 3), normal(4, 3), [0.0, 0.3, 1.0, 0.65]
X, DATA, BEFORE = normal(4, 3), normal(5, 3), [0.0, 0.3, 0.9, 0.65]
IMAGES = normal(2, 1, 3, 2)
MIXTURE = {"means": normal(5, 3), "log_vars": normal(5), "log_weights": log_simplex(5)}
UNUSED = log_of([0.3, 0.0, 0.1, 0.4, 0.2])
PAIR = {"x0": [[4.0, -2.0]], "x1": [[8.0, 0.0]], "time": [0.25]}
SIGNS = {"x": [[0.5, 0.5]], "data": [[1.0, 1.0], [-1.0, 1.0]], "time": [0.5]}
TWO = {
    "x": [[0.5, 1.0]],
    "time": [0.5],
    "means": [[2.0, 0.0], [-2.0, 0.0]],
    "log_vars": log_of([4.0, 4.0]),
    "log_weights": log_of([0.25, 0.75]),
}
TO_ONE = 0.7


def at(x, time):
    """The time of every example with the number of axes of x."""
    return x * 0 + time.reshape((-1,) + (1,) * (x.ndim - 1))


def field(x, time):
    """A velocity that mixes place and time, with operators only."""
    return at(x, time) - x / (1 + x * x)


def scaled(x, time):
    return at(x, time) * x


def to_one_point(x, time):
    """The velocity if all data are TO_ONE."""
    return (TO_ONE - x) / (1 - at(x, time))


def flat(x, time):
    """Another shape than that of x."""
    return time


def _losses(f, x, data, time, model):
    """The loss of every datum as the partner of the place x, [B, N], and its weight."""
    left = 1 - time[:, None, None]
    noise = (x[:, None] - time[:, None, None] * data) / left  # [B, N, D]
    logits = -(noise**2).sum(2) / 2
    weights = np.exp(logits - logits.max(1, keepdims=True))
    losses = [f.conditional_flow_matching_loss(noise[:, n], 0 * x + data[n], time, model) for n in range(len(data))]
    return np.stack(losses, 1), weights / weights.sum(1, keepdims=True)


def _gap(f, x, data, time, model):
    """The excess of the loss on pairs over the squared distance from the marginal velocity, given the position."""
    losses, weights = _losses(f, x, data, time, model)
    distance = model(x, time) - f.marginal_velocity(x, data, time)
    return (weights * losses).sum(1) - (distance**2).sum(1)


def _of_two(weight, slope=1.2, spread=1.0):
    """The velocity of TWO where its first component has this share: slope c, and the places of the means at spread/2."""
    first, second = 2 + slope * (0.5 - spread), -2 + slope * (0.5 + spread)
    return [[weight * first + (1 - weight) * second, slope]]


SHARE = 1 / (1 + 3 * np.exp(-0.8))  # V = 1.25, squared distances 1.25 and 3.25
TANH = np.tanh(1.0)

SPEC = (
    # The loss.
    Agree("conditional_flow_matching_loss", "regular", given(x0=X0, x1=X1, time=TIMES, velocity_fn=field)),
    Agree("conditional_flow_matching_loss", "images", given(x0=IMAGES, x1=IMAGES, time=[0.25, 0.75], velocity_fn=field)),
    Anchor("conditional_flow_matching_loss", "the velocity t x", given(**PAIR, velocity_fn=scaled), gives=[13.203125],
           source="by hand: at (5, -3/2) it is (5/4, -3/8), the target (4, 2)", near_misses={
               "from data to noise": [30.203125], "the mean over dimensions": [6.6015625], "half": [6.6015625],
               "the time of diffusion": [9.578125], "at the noise": [15.25], "at the data": [8.0],
               "the target is the data": [45.703125], "what is left": [7.0 * 7 / 16 + 19.0 * 19 / 64 - 1.0]}),
    Law.equal("one point of data: its velocity loses nothing", given(x0=X0, time=BEFORE),
              left=lambda f, x0, time: np.sqrt(f.conditional_flow_matching_loss(x0, 0 * x0 + TO_ONE, time, to_one_point)),
              right=0.0),
    Law.equal("the loss on pairs and on the marginal velocity differ by the same for two models",
              given(x=X, data=DATA, time=[0.0, 0.3, 0.5, 0.65]),
              left=lambda f, x, data, time: _gap(f, x, data, time, field),
              right=lambda f, x, data, time: _gap(f, x, data, time, scaled)),
    Rejects("conditional_flow_matching_loss", "time 1.5", given(**{**PAIR, "time": [1.5]}, velocity_fn=field), blames="time"),
    Rejects("conditional_flow_matching_loss", "one time for all", given(
        x0=zeros(2, 3), x1=zeros(2, 3), time=[0.5], velocity_fn=field), blames="time"),
    Rejects("conditional_flow_matching_loss", "shapes differ", given(
        x0=zeros(1, 2), x1=zeros(1, 3), time=[0.5], velocity_fn=field), blames="x1"),
    Rejects("conditional_flow_matching_loss", "a number for each example", given(**PAIR, velocity_fn=flat), blames="velocity_fn"),
    # The velocity of finitely many data.
    Agree("marginal_velocity", "regular", given(x=X, data=DATA, time=BEFORE)),
    Agree("marginal_velocity", "images", given(x=IMAGES, data=normal(5, 1, 3, 2), time=[0.2, 0.3])),
    Agree("marginal_velocity", "one datum", given(x=X, data=normal(1, 3), time=BEFORE)),
    Agree("marginal_velocity", "far from everything", given(x=normal(4, 3, mean=30.0), data=DATA, time=BEFORE)),
    Agree("marginal_velocity", "nearly there", given(x=X, data=DATA, time=[0.99, 0.999, 0.97, 0.98]),
          no_gradient="one datum has all the weight: the slope is the rounding of a difference"),
    Anchor("marginal_velocity", "two points, half of the way", given(**SIGNS), gives=[[2 * TANH - 1, 1.0]],
           source="the weights are the softmax of 0 and -2", near_misses={
               "from data to noise": [[1 - 2 * TANH, -1.0]], "weights before anything is seen": [[-1.0, 1.0]],
               "the deviation for the variance": [[2 * np.tanh(0.5) - 1, 1.0]],
               "without the half": [[2 * np.tanh(2.0) - 1, 1.0]], "data not shrunk": [[2 * np.tanh(2.0) - 1, 1.0]],
               "the nearest": [[1.0, 1.0]], "not divided": [[TANH - 0.5, 0.5]], "the mean of the data": [[TANH, 1.0]]}),
    Law.equal("at time 0: the mean of the data less the place", given(x=X, data=DATA),
              left=lambda f, x, data: f.marginal_velocity(x, data, np.zeros(4)), right=lambda f, x, data: data.mean(0) - x),
    Law.equal("the marginal velocity predicts the mean of the data", given(x=X, data=DATA, time=BEFORE),
              left=lambda f, x, data, time: f.data_prediction(x, f.marginal_velocity(x, data, time), time),
              right=lambda f, x, data, time: _losses(f, x, data, time, field)[1] @ data),
    Rejects("marginal_velocity", "time 1", given(x=zeros(2, 3), data=zeros(5, 3), time=[0.5, 1.0]), blames="time is 1"),
    Rejects("marginal_velocity", "time -0.1", given(x=zeros(1, 3), data=zeros(5, 3), time=[-0.1]), blames="time"),
    Rejects("marginal_velocity", "one time for all", given(x=zeros(2, 3), data=zeros(5, 3), time=[0.5]), blames="time"),
    Rejects("marginal_velocity", "no data", given(x=zeros(2, 3), data=zeros(0, 3), time=[0.5, 0.5]), blames="data"),
    Rejects("marginal_velocity", "other dimensions", given(x=zeros(2, 3), data=zeros(5, 2), time=[0.5, 0.5]), blames="data"),
    # The velocity of a mixture.
    Agree("mixture_velocity", "both ends and between", given(x=X, time=TIMES, **MIXTURE)),
    Agree("mixture_velocity", "a component without weight", given(x=X, time=TIMES, **{**MIXTURE, "log_weights": UNUSED})),
    Agree("mixture_velocity", "far from everything", given(x=normal(4, 3, mean=30.0), time=[0.2, 0.3, 1.0, 0.65], **MIXTURE)),
    Agree("mixture_velocity", "narrow and wide", given(
        x=X, time=BEFORE, **{**MIXTURE, "log_vars": [-20.0, 0.0, 1e-3, 8.0, -3.0]})),
    Anchor("mixture_velocity", "two components", given(**TWO), gives=_of_two(SHARE), source="c = 1.2, distances 1.25 and 3.25",
           near_misses={
               "weights before anything is seen": _of_two(0.25), "components alike": _of_two(1 / (1 + np.exp(-0.8))),
               "from data to noise": (-np.array(_of_two(SHARE))).tolist(),
               "covariances added": _of_two(SHARE, slope=2.0), "means not shrunk": _of_two(SHARE, spread=2.0),
               "the deviation for the variance": _of_two(1 / (1 + 3 * np.exp(-1 / np.sqrt(1.25)))),
               "without the half": _of_two(1 / (1 + 3 * np.exp(-1.6)))}),
    Law.equal("narrow components are data", given(x=X, data=DATA, time=BEFORE),
              left=lambda f, x, data, time: f.mixture_velocity(x, time, data, np.full(5, -80.0), np.full(5, -np.log(5))),
              right=lambda f, x, data, time: f.marginal_velocity(x, data, time)),
    Law.equal("at time 1 it is the place: nothing is known of the noise", given(x=X, **MIXTURE),
              left=lambda f, x, *mixture: f.mixture_velocity(x, np.ones(4), *mixture), right=lambda f, x, *mixture: x),
    *(
        Rejects("mixture_velocity", case, given(**{**TWO, name: wrong}), blames=name)
        for name, case, wrong in (
            ("x", "a number for each", zeros(1)), ("time", "time 1.5", [1.5]), ("time", "two times", [0.5, 0.5]),
            ("means", "other dimensions", zeros(2, 3)), ("means", "one mean", zeros(2)), ("log_vars", "too few", zeros(1)),
            ("log_vars", "a point of data", [0.0, -np.inf]), ("log_weights", "too many", log_of([0.2, 0.2, 0.6])),
            ("log_weights", "not logarithms", full(2, value=0.5)),
        )
    ),
    # Times.
    Agree("logit_normal_times", "regular", given(normals=normal(4, 3))),
    Agree("logit_normal_times", "early and narrow, to both tails", given(
        normals=[-30.0, -2.0, 0.0, 4.0], mean=-1.0, std=0.5)),
    Anchor("logit_normal_times", "logits 1, 0 and log 3", given(normals=[0.0, -2.0, 2 * np.log(3.0) - 2.0], mean=1.0, std=0.5),
           gives=[1 / (1 + np.exp(-1)), 0.5, 0.75], source="by hand", near_misses={
               "the time of diffusion": [1 / (1 + np.e), 0.5, 0.25],
               "the variance for the deviation": [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-0.5)),
                                                  1 / (1 + np.exp(-(1 + 0.25 * (2 * np.log(3.0) - 2))))],
               "scaled after the shift": [1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(0.5)),
                                          1 / (1 + np.exp(-(2 * np.log(3.0) - 1) / 2))]}),
    Rejects("logit_normal_times", "no deviation", given(normals=zeros(3), std=0.0), blames="std"),
    # Data from a velocity.
    Agree("data_prediction", "regular", given(x=X0, velocity=X1, time=TIMES)),
    Agree("data_prediction", "images", given(x=IMAGES, velocity=IMAGES, time=[0.25, 1.0])),
    Anchor("data_prediction", "a quarter of the way", given(x=[[5.0, -1.5]], velocity=[[4.0, 2.0]], time=[0.25]),
           gives=[[8.0, 0.0]], source="the path from (4, -2)", near_misses={
               "the noise": [[4.0, -2.0]], "the time for the rest": [[6.0, -1.0]], "the whole way": [[9.0, 0.5]],
               "backward": [[2.0, -3.0]]}),
    Rejects("data_prediction", "time 1.5", given(x=zeros(1, 3), velocity=zeros(1, 3), time=[1.5]), blames="time"),
    Rejects("data_prediction", "one time for all", given(x=zeros(2, 3), velocity=zeros(2, 3), time=[0.5]), blames="time"),
    Rejects("data_prediction", "shapes differ", given(x=zeros(1, 3), velocity=zeros(1, 2), time=[0.5]), blames="velocity"),
)  # fmt: skip
