"""Contracts of diffusion models and flows as one family."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

X, OTHER, THIRD = normal(4, 3), normal(4, 3), normal(4, 3)
IMAGES = normal(2, 1, 3, 2)
# Coefficients that belong to no path in particular: each has its own value.
FREE = {
    "alpha": uniform(4, low=0.2, high=0.9),
    "sigma": uniform(4, low=0.2, high=0.9),
    "alpha_slope": uniform(4, low=0.5, high=2.0),
    "sigma_slope": uniform(4, low=-2.0, high=-0.5),
}
ONE = {"alpha": [0.5], "sigma": [0.25], "alpha_slope": [3.0], "sigma_slope": [-1.0]}  # w = 5/4
TWO = {name: value * 2 for name, value in ONE.items()}
# Linear, at both ends and between.
LINEAR = {"alpha": [0.0, 0.3, 0.8, 1.0], "sigma": [1.0, 0.7, 0.2, 0.0], "alpha_slope": [1.0] * 4, "sigma_slope": [-1.0] * 4}
FROM_NOISE = {"alpha": [0.0, 0.3, 0.8, 0.9], "sigma": [1.0, 0.7, 0.2, 0.1], "alpha_slope": [1.0] * 4, "sigma_slope": [-1.0] * 4}
CONVERSIONS = (("velocity_from_score", "score"), ("score_from_velocity", "velocity"), ("predictions_from_velocity", "velocity"))


def _with(**changed):
    return {**ONE, **changed}


def _each(coefficient):
    return np.asarray(coefficient)[:, None]


def _errors(f, x, velocity, other, alpha, sigma, *slopes, part):
    """The squared difference of the two velocities' noise (part 1) or data (part 0), of every example."""
    both = (f.predictions_from_velocity(x, v, alpha, sigma, *slopes)[part] for v in (velocity, other))
    return np.sum(np.subtract(*both) ** 2, axis=1)


SPEC = (
    # Conversions.
    *(Agree(function, "regular", given(x=X, **{name: OTHER}, **FREE)) for function, name in CONVERSIONS),
    *(Agree(function, "images", given(x=IMAGES, **{name: IMAGES}, **TWO)) for function, name in CONVERSIONS),
    Agree("score_from_velocity", "linear, from pure noise on", given(x=X, velocity=OTHER, **FROM_NOISE)),
    Agree("predictions_from_velocity", "linear, with both ends", given(x=X, velocity=OTHER, **LINEAR)),
    Anchor("velocity_from_score", "coefficients that all differ", given(x=[[4.0]], score=[[-8.0]], **ONE), gives=[[19.0]],
           source="6 4 - 8 (6 + 4)/16", near_misses={
               "sigma for its square": [[4.0]], "the time of diffusion": [[-19.0]], "the score with the other sign": [[29.0]],
               "the slope of sigma with the other sign": [[23.0]], "half the score, as in the flow of an equation": [[21.5]]}),
    Anchor("score_from_velocity", "coefficients that all differ", given(x=[[4.0]], velocity=[[19.0]], **ONE), gives=[[-8.0]],
           source="(19/2 - 12)/(5/16)", near_misses={
               "the noise with its sign turned": [[-2.0]], "the other sign": [[8.0]], "by the variance": [[-32.0]],
               "w as a sum": [[-40.0]]}),
    Anchor("predictions_from_velocity", "coefficients that all differ", given(x=[[4.0]], velocity=[[19.0]], **ONE),
           gives=([[7.0]], [[2.0]]), source="7/2 + 2/4 = 4, 3 7 - 2 = 19", near_misses={
               "noise first": ([[2.0]], [[7.0]]), "w with the other sign": ([[-7.0]], [[-2.0]]),
               "w as a sum": ([[35.0]], [[10.0]]), "not divided": ([[8.75]], [[2.5]])}),
    Law.equal("there and back: the score", given(x=X, score=OTHER, **FREE), right=lambda f, x, score, *at: score,
              left=lambda f, x, score, *at: f.score_from_velocity(x, f.velocity_from_score(x, score, *at), *at)),
    Law.equal("there and back: the velocity", given(x=X, velocity=OTHER, **FREE), right=lambda f, x, velocity, *at: velocity,
              left=lambda f, x, velocity, *at: f.velocity_from_score(x, f.score_from_velocity(x, velocity, *at), *at)),
    Law.equal("the score is minus the noise over sigma", given(x=X, velocity=OTHER, **FREE),
              left=lambda f, x, v, alpha, sigma, *slopes: f.score_from_velocity(x, v, alpha, sigma, *slopes),
              right=lambda f, x, v, alpha, sigma, *slopes: (
                  -f.predictions_from_velocity(x, v, alpha, sigma, *slopes)[1] / _each(sigma))),
    Law.equal("the predictions make up the place", given(x=X, velocity=OTHER, **LINEAR), right=lambda f, x, *rest: x,
              left=lambda f, x, v, alpha, sigma, *slopes: sum(_each(c) * part for c, part in zip(
                  (alpha, sigma), f.predictions_from_velocity(x, v, alpha, sigma, *slopes), strict=True))),
    Law.equal("... and the velocity", given(x=X, velocity=OTHER, **LINEAR), right=lambda f, x, v, *rest: v,
              left=lambda f, x, v, alpha, sigma, *slopes: sum(_each(c) * part for c, part in zip(
                  slopes, f.predictions_from_velocity(x, v, alpha, sigma, *slopes), strict=True))),
    *(Rejects(function, "shapes differ", given(x=zeros(1, 2), **{name: zeros(1, 3)}, **ONE), blames=name)
      for function, name in CONVERSIONS),
    *(Rejects(function, case, given(x=zeros(1, 2), **{name: zeros(1, 2)}, **_with(**{changed: [value]})), blames=f"{changed} is")
      for function, name in CONVERSIONS
      for case, changed, value in (("alpha falls", "alpha_slope", -0.1), ("sigma rises", "sigma_slope", 0.1),
                                   ("the end of the variance-preserving path", "sigma_slope", -np.inf))),
    *(Rejects(function, "the coefficients stand still", given(
        x=zeros(1, 2), velocity=zeros(1, 2), **_with(alpha_slope=[0.0], sigma_slope=[0.0])), blames="alpha_slope is 0")
      for function in ("score_from_velocity", "predictions_from_velocity")),
    Rejects("velocity_from_score", "pure noise", given(x=zeros(1, 2), score=zeros(1, 2), **_with(alpha=[0.0])),
            blames="alpha is 0"),
    *(Rejects(function, "no noise", given(x=zeros(1, 2), **{name: zeros(1, 2)}, **_with(sigma=[0.0])), blames="sigma is 0")
      for function, name in CONVERSIONS[:2]),
    *(Rejects(function, f"one {coefficient} for all", given(
        x=zeros(2, 3), **{name: zeros(2, 3)}, **{**TWO, coefficient: ONE[coefficient]}), blames=coefficient)
      for function, name in CONVERSIONS for coefficient in ONE),
    # One path for all.
    Agree("rescale_to_linear", "regular", given(x=X, alpha=FREE["alpha"], sigma=FREE["sigma"])),
    Agree("rescale_to_linear", "images, at both ends", given(x=IMAGES, alpha=[0.0, 0.75], sigma=[2.0, 0.0])),
    Anchor("rescale_to_linear", "a half and a quarter", given(x=[[4.5, -1.5]], alpha=[0.5], sigma=[0.25]),
           gives=([[6.0, -2.0]], [2 / 3]), source="by hand", near_misses={
               "the share of the noise": ([[6.0, -2.0]], [1 / 3]), "by the data alone": ([[9.0, -3.0]], [2 / 3]),
               "by the root of the squares": ([[4.5 / 0.3125**0.5, -1.5 / 0.3125**0.5]], [0.5 / 0.3125**0.5]),
               "the ratio": ([[6.0, -2.0]], [2.0])}),
    Law.equal("what is rescaled is on the line between noise and data", given(
        x0=X, x1=OTHER, alpha=FREE["alpha"], sigma=FREE["sigma"]),
              left=lambda f, x0, x1, alpha, sigma: (
                  f.rescale_to_linear(_each(alpha) * x1 + _each(sigma) * x0, alpha, sigma)[0] - x0),
              right=lambda f, x0, x1, alpha, sigma: _each(f.rescale_to_linear(x0, alpha, sigma)[1]) * (x1 - x0)),
    Rejects("rescale_to_linear", "nothing left", given(x=zeros(1, 2), alpha=[0.0], sigma=[0.0]), blames="sigma is 0"),
    Rejects("rescale_to_linear", "negative data", given(x=zeros(1, 2), alpha=[-0.1], sigma=[1.0]), blames="alpha is -0.1"),
    Rejects("rescale_to_linear", "negative noise", given(x=zeros(1, 2), alpha=[1.0], sigma=[-0.1]), blames="sigma is -0.1"),
    Rejects("rescale_to_linear", "one alpha for all", given(x=zeros(2, 2), alpha=[1.0], sigma=[0.5, 0.5]), blames="alpha"),
    Rejects("rescale_to_linear", "one sigma for all", given(x=zeros(2, 2), alpha=[1.0, 1.0], sigma=[0.5]), blames="sigma"),
    # Noise on the way.
    Agree("stochastic_drift", "regular", given(velocity=X, score=OTHER, diffusion=[0.0, 0.7, 2.0, 1.0])),
    Agree("stochastic_drift", "images", given(velocity=IMAGES, score=IMAGES, diffusion=[0.5, 1.5])),
    Anchor("stochastic_drift", "a diffusion of 3", given(velocity=[[19.0]], score=[[-8.0]], diffusion=[3.0]), gives=[[-17.0]],
           source="19 - 8 9/2", near_misses={
               "without the half, as where time runs back": [[-53.0]], "not squared": [[7.0]], "away from the data": [[55.0]],
               "no correction": [[19.0]]}),
    Law.equal("without noise, the flow", given(velocity=X, score=OTHER), right=lambda f, velocity, score: velocity,
              left=lambda f, velocity, score: f.stochastic_drift(velocity, score, np.zeros(4))),
    Rejects("stochastic_drift", "shapes differ", given(velocity=zeros(1, 2), score=zeros(1, 3), diffusion=[1.0]), blames="score"),
    Rejects("stochastic_drift", "one diffusion for all", given(velocity=zeros(2, 2), score=zeros(2, 2), diffusion=[1.0]),
            blames="diffusion"),
    Rejects("stochastic_drift", "a negative diffusion", given(velocity=zeros(1, 2), score=zeros(1, 2), diffusion=[-1.0]),
            blames="diffusion is -1"),
    # Losses.
    Agree("loss_weight_between", "regular", given(**FREE)),
    Agree("loss_weight_between", "linear, to the end", given(
        alpha=[0.1, 0.5, 1.0], sigma=[0.9, 0.5, 0.0], alpha_slope=[1.0] * 3, sigma_slope=[-1.0] * 3)),
    Anchor("loss_weight_between", "coefficients that all differ", given(**ONE), gives=[6.25], source="(5/4 2)^2", near_misses={
        "turned over": [0.16], "not squared": [2.5], "for the data": [25.0], "w as a sum": [0.25]}),
    Law.equal("errors of velocity and noise", given(x=X, velocity=OTHER, other=THIRD, **FREE),
              left=lambda f, x, velocity, other, *at: f.loss_weight_between(*at) * _errors(f, x, velocity, other, *at, part=1),
              right=lambda f, x, velocity, other, *at: np.sum((velocity - other) ** 2, axis=1)),
    Law.equal("errors of data and noise", given(x=X, velocity=OTHER, other=THIRD, **FREE),
              left=lambda f, x, velocity, other, alpha, sigma, *slopes: (
                  (alpha / sigma) ** 2 * _errors(f, x, velocity, other, alpha, sigma, *slopes, part=0)),
              right=lambda f, x, velocity, other, *at: _errors(f, x, velocity, other, *at, part=1)),
    Rejects("loss_weight_between", "a table", given(**{name: zeros(2, 2) for name in ONE}), blames="alpha"),
    Rejects("loss_weight_between", "pure noise", given(**_with(alpha=[0.0])), blames="alpha is 0"),
    Rejects("loss_weight_between", "alpha falls", given(**_with(alpha_slope=[-0.1])), blames="alpha_slope is -0.1"),
    Rejects("loss_weight_between", "sigma rises", given(**_with(sigma_slope=[0.1])), blames="sigma_slope is 0.1"),
    Rejects("loss_weight_between", "the coefficients stand still", given(**_with(alpha_slope=[0.0], sigma_slope=[0.0])),
            blames="alpha_slope is 0"),
    *(Rejects("loss_weight_between", f"one {name} for two alphas", given(**{**TWO, name: ONE[name]}), blames=name)
      for name in ("sigma", "alpha_slope", "sigma_slope")),
)  # fmt: skip
