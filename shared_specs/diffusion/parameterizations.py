"""Contracts of the five things that a diffusion model may predict (lectures 28 and 33)."""

import numpy as np

from shared_specs.diffusion._cases import (
    BAD_TIMES,
    EARLY,
    FOUR,
    IMAGES,
    LEVELS,
    NO_STEP,
    ONE,
    OTHER,
    PIXELS,
    SCHEDULE,
    TIMES,
    TO_NOISE,
    TOO_FEW,
    X,
    Y,
    column,
    rejects_schedules,
    rejects_times,
)
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

KINDS = ("noise", "x0", "velocity", "score", "mean")
FROM_ONE, ENDS = np.array([1, 4, 3, 2, 6]), np.array([1, 4, 2, 4, 3])


def agrees(function, first, second):
    """The cases that the five named conversions share."""
    yield Agree(function, "regular", given(**{first: X, second: Y}, t=TIMES, alpha_bar=SCHEDULE))
    yield Agree(function, "images", given(**{first: IMAGES, second: PIXELS}, t=[3, 2], alpha_bar=SCHEDULE))
    yield Agree(
        function, "one step, one example, one number", given(**{first: normal(1), second: normal(1)}, t=[1], alpha_bar=ONE)
    )


def rejects(function, first=None, second=None, times=BAD_TIMES | NO_STEP | TOO_FEW, **words):
    """The refusals that all functions share: other shapes, times that are none, schedules that are none."""
    arrays = {name: zeros(2, 3) for name in (first, second) if name}
    good = arrays | {"t": np.array([1, 2]), "alpha_bar": SCHEDULE} | words
    if second:
        yield Rejects(function, f"{second} has another shape", given(**good | {second: zeros(2, 4)}), blames=second)
    yield from rejects_times(function, good, times)
    yield from rejects_schedules(function, good)


def pair(source, target, **arrays):
    """The arguments of convert_prediction: the regular ones, and what differs from them."""
    return given(**{"prediction": X, "x_t": Y, "t": TIMES, "alpha_bar": SCHEDULE} | arrays, source=source, target=target)


def by_definition(x0, noise, t):
    """x_t and, stacked, the five kinds: formulas in data and noise alone, so that no conversion is involved."""
    a, before = column(SCHEDULE[t]), column(SCHEDULE[t - 1])
    x_t = np.sqrt(a) * x0 + np.sqrt(1 - a) * noise
    beta = 1 - a / before
    kinds = [
        noise,
        x0,
        np.sqrt(a) * noise - np.sqrt(1 - a) * x0,
        -noise / np.sqrt(1 - a),
        (x_t - beta / np.sqrt(1 - a) * noise) / np.sqrt(1 - beta),
    ]
    return x_t, np.stack(kinds)


def converted(f, source, prediction, x_t, t, targets=KINDS):
    return np.stack([f.convert_prediction(prediction, x_t, t, SCHEDULE, source=source, target=target) for target in targets])


def error_ratio(f, target, x, y, z, t):
    """Squared errors of the target over those of the noise, for noise predictions x and y at z."""
    first, second = (f.convert_prediction(noise, z, t, SCHEDULE, source="noise", target=target) for noise in (x, y))
    return ((first - second) ** 2).sum(1) / ((x - y) ** 2).sum(1)


SPEC = (
    # The data from the noise.
    *agrees("x0_from_noise", "x_t", "noise"),
    Agree("x0_from_noise", "nearly nothing is left", given(x_t=X, noise=Y, t=TIMES, alpha_bar=[1, .9, .42, .36, .31, 1e-6, 1e-9]),
          differentiate=("x_t", "noise")),
    Anchor(
        "x0_from_noise", "roots of 0.8 and 0.6", given(x_t=FOUR, noise=OTHER, t=[1, 2, 2, 1], alpha_bar=LEVELS),
        gives=[[0.875, -3.25], [19 / 3, -11 / 6], [4 / 3, 7 / 3], [6.5, -3.5]], source="by hand",
        near_misses={
            "the coefficients exchanged": [[1.0, -14 / 3], [4.5, -0.875], [1.375, 1.625], [28 / 3, -17 / 3]],
            "levels for their roots": [[1.28125, -3.6875], [91 / 9, -13 / 6], [26 / 9, 11 / 3], [7.375, -3.25]],
            "the noise added": [[1.625, -1.75], [11 / 3, 3.5], [16 / 3, 1.0], [3.5, 1.0]],
            "one step late": [[1.0, -2.0], [4.5, -0.875], [1.375, 1.625], [4.0, -1.0]],
        },
    ),
    Law.inverse("data, noise, data", given(x_t=X, x0=Y, t=FROM_ONE),
                round_trip=lambda f, x_t, x0, t: f.x0_from_noise(x_t, f.noise_from_x0(x_t, x0, t, SCHEDULE), t, SCHEDULE),
                start=lambda f, x_t, x0, t: x0),
    *rejects("x0_from_noise", "x_t", "noise"),
    Rejects("x0_from_noise", "noise alone does not tell the data",
            given(x_t=zeros(2, 3), noise=zeros(2, 3), t=[1, 4], alpha_bar=TO_NOISE), blames="t is 4 at [1]"),
    # The noise from the data.
    *agrees("noise_from_x0", "x_t", "x0"),
    Agree("noise_from_x0", "hardly any noise yet", given(x_t=X, x0=Y, t=TIMES, alpha_bar=EARLY)),
    Agree("noise_from_x0", "from noise alone", given(x_t=X, x0=Y, t=ENDS, alpha_bar=TO_NOISE), differentiate=("x_t", "x0")),
    Anchor(
        "noise_from_x0", "roots of 0.8, 0.6 and 0", given(x_t=FOUR, x0=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[1.0, -14 / 3], [4.5, -0.875], [2.0, 1.0], [6.5, -3.5]], source="by hand",
        near_misses={
            "levels for their roots": [[17 / 9, -22 / 3], [5.25, -0.34375], [2.0, 1.0], [7.375, -3.25]],
            "the data added": [[7 / 3, -2.0], [3.0, 2.125], [2.0, 1.0], [3.5, 1.0]],
            "not divided": [[0.6, -2.8], [3.6, -0.7], [2.0, 1.0], [5.2, -2.8]],
        },
    ),
    Law.equal("noise re-derived from clipped data still explains x_t", given(x_t=X, x0=Y, t=FROM_ONE),
              left=lambda f, x_t, x0, t: column(SCHEDULE[t]) ** 0.5 * np.clip(x0, -0.5, 0.5)
              + column(1 - SCHEDULE[t]) ** 0.5 * f.noise_from_x0(x_t, np.clip(x0, -0.5, 0.5), t, SCHEDULE),
              right=lambda f, x_t, x0, t: x_t),
    *rejects("noise_from_x0", "x_t", "x0"),
    # The velocity.
    *agrees("velocity", "x0", "noise"),
    Agree("velocity", "audio, eight-bit times",
          given(x0=normal(3, 2, 7), noise=normal(3, 2, 7), t=np.array([6, 1, 2], np.uint8), alpha_bar=SCHEDULE)),
    Agree("velocity", "as many numbers as examples", given(x0=normal(5, 5), noise=normal(5, 5), t=TIMES, alpha_bar=SCHEDULE)),
    Agree("velocity", "at noise alone", given(x0=X, noise=Y, t=ENDS, alpha_bar=TO_NOISE), differentiate=("x0", "noise")),
    Anchor(
        "velocity", "roots of 0.8, 0.6 and 0", given(x0=FOUR, noise=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[-0.2, 2.0], [-3.0, 0.8], [-2.0, -1.0], [-4.4, 2.6]], source="by hand",
        near_misses={
            "the other sign": [[0.2, -2.0], [3.0, -0.8], [2.0, 1.0], [4.4, -2.6]],
            "data and noise exchanged": [[0.5, -2.2], [2.6, -1.3], [-1.5, 0.5], [4.0, -3.0]],
            "the sum": [[1.0, -0.4], [1.8, 1.6], [2.0, 1.0], [2.0, 1.0]],
            "levels for their roots": [[-0.04, 1.36], [-2.28, 0.4], [-2.0, -1.0], [-3.28, 1.72]],
        },
    ),
    Law.limit("the slope of the path in its angle", given(x0=X, noise=Y, t=FROM_ONE),
              value=lambda f, h, x0, noise, t: [
                  (np.cos(angle + h) - np.cos(angle - h)) / (2 * h) * x0
                  + (np.sin(angle + h) - np.sin(angle - h)) / (2 * h) * noise
                  for angle in [np.arccos(np.sqrt(column(SCHEDULE[t])))]][0],
              at=(0.2, 0.1, 0.05), limit=lambda f, x0, noise, t: f.velocity(x0, noise, t, SCHEDULE), order=2),
    Law.equal("a rotation keeps lengths", given(x0=X, noise=Y, t=FROM_ONE),
              left=lambda f, x0, noise, t: f.velocity(x0, noise, t, SCHEDULE) ** 2
              + (column(SCHEDULE[t]) ** 0.5 * x0 + column(1 - SCHEDULE[t]) ** 0.5 * noise) ** 2,
              right=lambda f, x0, noise, t: x0**2 + noise**2),
    *rejects("velocity", "x0", "noise"),
    # Data and noise from the velocity.
    *agrees("x0_from_velocity", "x_t", "velocity"),
    Agree("x0_from_velocity", "from noise alone", given(x_t=X, velocity=Y, t=ENDS, alpha_bar=TO_NOISE),
          differentiate=("x_t", "velocity")),
    Anchor(
        "x0_from_velocity", "roots of 0.8, 0.6 and 0", given(x_t=FOUR, velocity=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[0.5, -2.2], [2.6, -1.3], [-1.5, 0.5], [4.0, -3.0]], source="by hand",
        near_misses={
            "the other sign of the velocity": [[1.1, -1.0], [1.0, 1.9], [1.5, -0.5], [0.8, 1.8]],
            "the roots exchanged": [[0.2, -2.0], [3.0, -0.8], [2.0, 1.0], [4.4, -2.6]],
            "the noise": [[1.0, -0.4], [1.8, 1.6], [2.0, 1.0], [2.0, 1.0]],
            "levels for their roots": [[0.46, -1.64], [1.72, -1.1], [-1.5, 0.5], [2.72, -2.28]],
        },
    ),
    Law.equal("at noise alone the velocity is minus the data, to the last bit", given(x_t=X, v=Y),
              left=lambda f, x_t, v: f.x0_from_velocity(x_t, v, np.full(5, 4), TO_NOISE) == -v, right=True),
    Law.inverse("turned forth and back", given(x0=X, noise=Y, t=FROM_ONE),
                round_trip=lambda f, x0, noise, t: [
                    np.stack([f.x0_from_velocity(x_t, v, t, SCHEDULE), f.noise_from_velocity(x_t, v, t, SCHEDULE)])
                    for x_t, v in [(by_definition(x0, noise, t)[0], f.velocity(x0, noise, t, SCHEDULE))]][0],
                start=lambda f, x0, noise, t: np.stack([x0, noise])),
    *rejects("x0_from_velocity", "x_t", "velocity"),
    *agrees("noise_from_velocity", "x_t", "velocity"),
    Agree("noise_from_velocity", "from noise alone", given(x_t=X, velocity=Y, t=ENDS, alpha_bar=TO_NOISE),
          differentiate=("x_t", "velocity")),
    Anchor(
        "noise_from_velocity", "roots of 0.8, 0.6 and 0", given(x_t=FOUR, velocity=OTHER, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[1.0, -0.4], [1.8, 1.6], [2.0, 1.0], [2.0, 1.0]], source="by hand",
        near_misses={
            "the other sign of the velocity": [[0.2, -2.0], [3.0, -0.8], [2.0, 1.0], [4.4, -2.6]],
            "the roots exchanged": [[1.1, -1.0], [1.0, 1.9], [1.5, -0.5], [0.8, 1.8]],
            "the data": [[0.5, -2.2], [2.6, -1.3], [-1.5, 0.5], [4.0, -3.0]],
            "levels for their roots": [[0.68, -0.08], [1.56, 1.04], [2.0, 1.0], [1.84, 0.44]],
        },
    ),
    Law.equal("at noise alone it is x_t, to the last bit", given(x_t=X, v=Y),
              left=lambda f, x_t, v: f.noise_from_velocity(x_t, v, np.full(5, 4), TO_NOISE) == x_t, right=True),
    *rejects("noise_from_velocity", "x_t", "velocity"),
    # From each of the five to each.
    Agree("convert_prediction", "noise to mean", pair("noise", "mean")),
    Agree("convert_prediction", "mean to x0", pair("mean", "x0")),
    Agree("convert_prediction", "x0 to score", pair("x0", "score")),
    Agree("convert_prediction", "score to velocity", pair("score", "velocity")),
    Agree("convert_prediction", "velocity to mean", pair("velocity", "mean")),
    Agree("convert_prediction", "mean to noise", pair("mean", "noise")),
    Agree("convert_prediction", "images", pair("noise", "mean", prediction=IMAGES, x_t=PIXELS, t=[3, 2])),
    Agree("convert_prediction", "the first step's mean is the data", pair("mean", "noise", t=FROM_ONE),
          differentiate=("prediction", "x_t")),
    Agree("convert_prediction", "one step, one example, one number",
          pair("x0", "mean", prediction=normal(1), x_t=normal(1), t=[1], alpha_bar=ONE), differentiate=("prediction", "x_t")),
    Agree("convert_prediction", "velocity to score at noise alone", pair("velocity", "score", t=ENDS, alpha_bar=TO_NOISE),
          differentiate=("prediction", "x_t")),
    Agree("convert_prediction", "x0 to velocity at noise alone", pair("x0", "velocity", t=ENDS, alpha_bar=TO_NOISE),
          differentiate=("prediction", "x_t")),
    Agree("convert_prediction", "score to noise at noise alone", pair("score", "noise", t=ENDS, alpha_bar=TO_NOISE),
          differentiate=("prediction", "x_t")),
    Agree("convert_prediction", "hardly any noise yet", pair("velocity", "noise", alpha_bar=EARLY)),
    Anchor(
        "convert_prediction", "noise to score",
        pair("noise", "score", prediction=OTHER, x_t=FOUR, t=[1, 2, 3, 2], alpha_bar=LEVELS),
        gives=[[-5 / 6, -5 / 3], [1.25, -2.5], [-1.5, 0.5], [2.5, -3.75]], source="by hand",
        near_misses={
            "the other sign": [[5 / 6, 5 / 3], [-1.25, 2.5], [1.5, -0.5], [-2.5, 3.75]],
            "not divided by the deviation": [[-0.5, -1.0], [1.0, -2.0], [-1.5, 0.5], [2.0, -3.0]],
            "divided by the variance": [[-25 / 18, -25 / 9], [1.5625, -3.125], [-1.5, 0.5], [3.125, -4.6875]],
        },
    ),
    Anchor(
        "convert_prediction", "score to x0 (Tweedie)",
        pair("score", "x0", prediction=OTHER, x_t=FOUR, t=[1, 2, 2, 1], alpha_bar=LEVELS),
        gives=[[1.475, -2.05], [59 / 15, 89 / 30], [74 / 15, 17 / 15], [4.1, 0.1]], source="by hand",
        near_misses={
            "the other sign": [[1.025, -2.95], [91 / 15, -1.3], [26 / 15, 2.2], [5.9, -2.6]],
            "the deviation for the variance": [[1.625, -1.75], [11 / 3, 3.5], [16 / 3, 1.0], [3.5, 1.0]],
            "not divided by the signal": [[1.18, -1.64], [2.36, 1.78], [2.96, 0.68], [3.28, 0.08]],
        },
    ),
    Anchor(
        "convert_prediction", "x0 to mean", pair("x0", "mean", prediction=OTHER, x_t=FOUR, t=[1, 2, 2, 1], alpha_bar=LEVELS),
        gives=[[0.5, 1.0], [0.71875, 1.3046875], [1.6640625, 0.1484375], [-2.0, 3.0]], source="by hand",
        near_misses={
            "the coefficients exchanged": [[1.0, -2.0], [1.21875, 1.1171875], [1.7265625, 0.3359375], [4.0, -1.0]],
            "1 - beta for its root": [[0.5, 1.0], [0.40234375, 1.251953125], [1.453125, 0.04296875], [-2.0, 3.0]],
            "the level's root for that of the level before": [[0.4, 0.8], [0.85546875, 1.03125], [1.458984375, 0.216796875],
                                                              [-1.6, 2.4]],
        },
    ),
    Anchor(
        "convert_prediction", "noise to the mean of the first step",
        pair("noise", "mean", prediction=OTHER, x_t=FOUR, t=[1, 1, 1, 1], alpha_bar=LEVELS),
        gives=[[0.875, -3.25], [4.5, -0.875], [1.375, 1.625], [6.5, -3.5]],
        source="by hand: it is (x_t - 0.6 noise)/0.8, the data",
        near_misses={"beta/(1 - a) without the root": [[0.625, -3.75], [5.0, -1.875], [0.625, 1.875], [7.5, -5.0]],
                     "not divided by sqrt(1 - beta)": [[0.7, -2.6], [3.6, -0.7], [1.1, 1.3], [5.2, -2.8]]},
    ),
    Law.equal("every kind by its definition", given(x0=X, noise=Y, t=FROM_ONE),
              left=lambda f, x0, noise, t: converted(f, "noise", noise, by_definition(x0, noise, t)[0], t),
              right=lambda f, x0, noise, t: by_definition(x0, noise, t)[1]),
    Law.equal("all roads meet: 25 conversions", given(noise=X, x_t=Y, t=FROM_ONE),
              left=lambda f, noise, x_t, t: np.stack([
                  converted(f, source, prediction, x_t, t)
                  for source, prediction in zip(KINDS, converted(f, "noise", noise, x_t, t), strict=True)]),
              right=lambda f, noise, x_t, t: np.stack([converted(f, "noise", noise, x_t, t)] * 5)),
    Law.equal("what is the target already comes back, to the last bit", given(p=X, x_t=Y, t=ENDS),
              left=lambda f, p, x_t, t: np.stack(
                  [f.convert_prediction(p, x_t, t, TO_NOISE, source=kind, target=kind) == p for kind in KINDS]), right=True),
    Law.equal("the named conversions are among them", given(p=X, x_t=Y, t=FROM_ONE),
              left=lambda f, p, x_t, t: np.stack([
                  f.convert_prediction(p, x_t, t, SCHEDULE, source=source, target=target)
                  for source, target in (("noise", "x0"), ("x0", "noise"), ("velocity", "x0"), ("velocity", "noise"))]),
              right=lambda f, p, x_t, t: np.stack([
                  f.x0_from_noise(x_t, p, t, SCHEDULE), f.noise_from_x0(x_t, p, t, SCHEDULE),
                  f.x0_from_velocity(x_t, p, t, SCHEDULE), f.noise_from_velocity(x_t, p, t, SCHEDULE)])),
    Law.equal("a straight line in the prediction: its slope is that of the losses", given(p=X, x_t=Y, t=FROM_ONE),
              left=lambda f, p, x_t, t: np.stack([
                  f.gradient("convert_prediction", p, x_t, t, SCHEDULE, source="noise", target=target) ** 2 for target in KINDS]),
              right=lambda f, p, x_t, t: np.stack([f.loss_ratio(t, SCHEDULE, target=target) for target in KINDS])[..., None]
              * np.ones((5, 3))),
    Law.equal("the bound pays for the fall of the signal-to-noise ratio", given(x=X, y=Y, z=normal(5, 3), t=TIMES),
              left=lambda f, x, y, z, t: ((converted(f, "x0", x, z, t, ["mean"]) - converted(f, "x0", y, z, t, ["mean"])) ** 2)[0]
              / (2 * column(((1 - SCHEDULE[:-1]) / (1 - SCHEDULE[1:]) * (1 - SCHEDULE[1:] / SCHEDULE[:-1]))[t - 1])),
              right=lambda f, x, y, z, t: column((
                  SCHEDULE[1:-1] / (1 - SCHEDULE[1:-1]) - SCHEDULE[2:] / (1 - SCHEDULE[2:]))[t - 2])
              * (x - y) ** 2 / 2),
    *rejects("convert_prediction", "x_t", "prediction", source="noise", target="x0"),
    Rejects("convert_prediction", "no such source", pair("epsilon", "x0"), blames="source"),
    Rejects("convert_prediction", "no such target", pair("noise", "v"), blames="target"),
    Rejects("convert_prediction", "no such word at all", pair("data", "data"), blames="source"),
    *(Rejects("convert_prediction", f"{source} does not tell {target} where nothing else is left",
              pair(source, target, t=ENDS, alpha_bar=TO_NOISE), blames="t is 4 at [1]")
      for source, target in (("noise", "x0"), ("score", "velocity"), ("noise", "mean"), ("mean", "velocity"), ("x0", "mean"))),
    # What the losses weigh.
    *(Agree("loss_ratio", f"of {target}", given(t=TIMES, alpha_bar=SCHEDULE, target=target)) for target in KINDS),
    Agree("loss_ratio", "one step", given(t=[1], alpha_bar=ONE, target="mean"), no_gradient="alpha_bar[0] is 1 by definition"),
    Agree("loss_ratio", "eight-bit times", given(t=np.array([6, 1, 2], np.uint8), alpha_bar=SCHEDULE, target="x0")),
    Agree("loss_ratio", "x0 at noise alone", given(t=ENDS, alpha_bar=TO_NOISE, target="x0"), no_gradient="infinite",
          differentiate=()),
    Agree("loss_ratio", "velocity at noise alone", given(t=ENDS, alpha_bar=TO_NOISE, target="velocity"), no_gradient="infinite",
          differentiate=()),
    Agree("loss_ratio", "score at noise alone", given(t=ENDS, alpha_bar=TO_NOISE, target="score")),
    Agree("loss_ratio", "noise at noise alone", given(t=ENDS, alpha_bar=TO_NOISE, target="noise")),
    Agree("loss_ratio", "mean, hardly any noise yet",
          given(t=TIMES, alpha_bar=EARLY, target="mean")),
    Anchor("loss_ratio", "x0", given(t=[1, 2, 3], alpha_bar=LEVELS, target="x0"), gives=[0.5625, 16 / 9, np.inf],
           source="by hand", near_misses={"SNR": [16 / 9, 0.5625, 0.0], "errors for their squares": [0.75, 4 / 3, np.inf],
                                          "one step late": [0.0, 0.5625, 16 / 9]}),
    Anchor("loss_ratio", "velocity", given(t=[1, 2, 3], alpha_bar=LEVELS, target="velocity"), gives=[1.5625, 25 / 9, np.inf],
           source="by hand", near_misses={"1/(1 - a)": [25 / 9, 1.5625, 1.0], "SNR + 1": [25 / 9, 1.5625, 1.0],
                                          "the level": [0.64, 0.36, 0.0]}),
    Anchor("loss_ratio", "score", given(t=[1, 2, 3], alpha_bar=LEVELS, target="score"), gives=[25 / 9, 1.5625, 1.0],
           source="by hand",
           near_misses={"1/a": [1.5625, 25 / 9, np.inf], "the root": [5 / 3, 1.25, 1.0], "none": [1.0, 1.0, 1.0]}),
    Anchor("loss_ratio", "noise", given(t=[1, 2, 3], alpha_bar=LEVELS, target="noise"), gives=[1.0, 1.0, 1.0],
           source="by hand", near_misses={"SNR": [16 / 9, 0.5625, 0.0]}),
    Anchor("loss_ratio", "mean", given(t=[1, 2], alpha_bar=LEVELS, target="mean"), gives=[0.5625, 0.1914062500 / 0.36],
           source="by hand: betas of 0.36 and 0.4375", near_misses={
               "without 1 - beta": [0.36, 0.1914062500 / 0.64], "beta for its square": [1.5625, 0.4375 / 0.36],
               "the bound's weight, over 2 beta too": [0.78125, 0.21875 / 0.36]}),
    Law.equal("as the errors of two networks", given(x=X, y=Y, z=normal(5, 3), t=FROM_ONE),
              left=lambda f, x, y, z, t: np.stack([error_ratio(f, target, x, y, z, t) for target in KINDS]),
              right=lambda f, x, y, z, t: np.stack([f.loss_ratio(t, SCHEDULE, target=target) for target in KINDS])),
    Law.equal("the velocity's loss is that of noise and data together", given(t=FROM_ONE),
              left=lambda f, t: f.loss_ratio(t, SCHEDULE, target="velocity"),
              right=lambda f, t: f.loss_ratio(t, SCHEDULE, target="x0") + f.loss_ratio(t, SCHEDULE, target="noise")),
    Law.at_least("the velocity never counts for less than the data", given(levels=uniform(6), t=np.arange(1, 8)),
                 left=lambda f, levels, t: f.loss_ratio(t, np.concatenate([[1.0], -np.sort(-levels), [0.0]]), target="velocity"),
                 right=lambda f, levels, t: f.loss_ratio(t, np.concatenate([[1.0], -np.sort(-levels), [0.0]]), target="x0")),
    *rejects("loss_ratio", target="x0", times=BAD_TIMES | NO_STEP),
    Rejects("loss_ratio", "no such target", given(t=[1, 2], alpha_bar=SCHEDULE, target="v"), blames="target"),
    Rejects("loss_ratio", "the mean of a step that leaves nothing", given(t=[1, 4], alpha_bar=TO_NOISE, target="mean"),
            blames="t is 4 at [1]"),
)  # fmt: skip
