"""Contracts of the simple loss (lecture 27)."""

import numpy as np

from shared_specs.diffusion._cases import (
    BY_FOUR,
    COSINE,
    ONE,
    SCHEDULE,
    TO_NOISE,
    guess,
    half,
    noisy,
    rejects_schedules,
    rejects_times,
    tripled,
)
from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, normal, uniform, zeros

# of terms of 500, the weight, and 2000, the loss
ROOTS = [1.0, 0.64, 0.36]  # noise 0.6 and 0.8
# Gradients in the schedule are compared where its first entry, which is 1 by definition, has no part.
TIMES, FROM_TWO = np.array([3, 6, 3, 4, 5]), np.array([2, 6, 3, 2, 5])
X0, XT, NOISE, GUESS, V = normal(5, 3), normal(5, 3), normal(5, 3), normal(5, 3), uniform(5, 3, low=-1.0, high=1.0)
CLEAN, DRAWN = [[1.0, -2.0], [3.0, 0.5]], [[0.5, 1.0], [-1.0, 2.0]]


def nothing(x, t):
    """The prediction of no noise."""
    return x * 0


def too_few(x, t):
    """A prediction of another shape."""
    return x[:, :2]


def rejects(function, arrays, lowest=1, **others):
    """The refusals that all functions of a level share: other shapes, times that are none, schedules that are none."""
    sound = dict.fromkeys(arrays, zeros(2, 3)) | {"t": np.array([2, 3]), "alpha_bar": SCHEDULE} | others
    order = ("x0", "x_t", "t", "noise", "noise_pred", "v", "denoise_fn", "alpha_bar")
    good = {name: sound[name] for name in order if name in sound}
    bad_times = {
        f"a level below {lowest}": [2, lowest - 1],
        "after the last step": [3, 7],
        "times that are not integers": [2.0, 3.0],
        "a time for every entry": [[2, 3, 4], [2, 3, 4]],
    } | ({"a time too few": [2]} if arrays else {})
    for name in arrays[1:]:
        yield Rejects(function, f"{name} has another shape", given(**good | {name: zeros(2, 4)}), blames=name)
    yield from rejects_times(function, good, bad_times)
    yield from rejects_schedules(function, good)


def weights(t):
    """Half the factor, less one, by which a step lowers the ratio of signal to noise."""
    ratio = SCHEDULE / (1 - np.where(SCHEDULE < 1, SCHEDULE, 0.0))
    return (ratio[t - 1] / ratio[t] - 1) / 2


SPEC = (
    # A squared error.
    Agree("squared_error", "regular", given(prediction=GUESS, target=NOISE)),
    Agree("squared_error", "images", given(prediction=normal(2, 3, 4, 5), target=normal(2, 3, 4, 5))),
    Agree("squared_error", "numbers", given(prediction=normal(4), target=normal(4))),
    Agree("squared_error", "of a size of 1e15", given(prediction=normal(5, 3, scale=1e15), target=normal(5, 3, scale=1e15))),
    Anchor("squared_error", "3-4-5, and 0.25 + 2.25",
           given(prediction=[[3.0, 4.0], [0.5, -1.0]], target=[[0.0, 0.0], [1.0, 0.5]]), gives=[25.0, 2.5], source="by hand",
           near_misses={"the norm": [5.0, 1.5811388300841898], "the mean over dimensions": [12.5, 1.25],
                        "the mean over the batch, too": [13.75, 13.75], "absolute errors": [7.0, 2.0], "halved": [12.5, 1.25]}),
    Law.equal("the slope is twice the error", given(prediction=GUESS, target=NOISE),
              left=lambda f, prediction, target: f.gradient("squared_error", prediction, target),
              right=lambda f, prediction, target: 2 * (prediction - target)),
    Law.equal("a perfect prediction costs nothing, to the last bit", given(target=NOISE),
              left=lambda f, target: f.squared_error(target, target) == 0, right=True),
    Rejects("squared_error", "shapes differ", given(prediction=zeros(2, 3), target=zeros(2, 4)), blames="prediction"),
    Rejects("squared_error", "a target that would be spread", given(prediction=zeros(2, 3), target=zeros(3)),
            blames="prediction"),
    # The simple loss.
    Agree("simple_loss", "regular", given(x0=X0, t=TIMES, noise=NOISE, denoise_fn=guess, alpha_bar=SCHEDULE)),
    Agree("simple_loss", "images, the first step",
          given(x0=normal(2, 3, 4, 5), t=[1, 3], noise=normal(2, 3, 4, 5), denoise_fn=guess, alpha_bar=SCHEDULE)),
    Agree("simple_loss", "audio, eight-bit times",
          given(x0=normal(3, 2, 7), t=np.array([6, 1, 2], np.uint8), noise=normal(3, 2, 7), denoise_fn=guess,
                alpha_bar=SCHEDULE)),
    Agree("simple_loss", "noise alone among others",
          given(x0=X0, t=[4, 1, 4, 2, 3], noise=NOISE, denoise_fn=guess, alpha_bar=TO_NOISE), differentiate=("x0", "noise")),
    Agree("simple_loss", "one step, one example, one number",
          given(x0=normal(1), t=[1], noise=normal(1), denoise_fn=guess, alpha_bar=ONE)),
    Anchor(
        "simple_loss", "roots of 0.8 and 0.6", given(x0=CLEAN, t=[1, 2], noise=DRAWN, denoise_fn=guess, alpha_bar=ROOTS),
        gives=[1.338125, 3.858125], source="by hand: x_t = (1.1, -1), (1, 1.9), predictions (0.375, -0.15), (0.45, 0.675)",
        near_misses={
            "scored against the data": [3.813125, 6.533125], "the norm": [1.1567735304, 1.9642110375],
            "the mean over dimensions": [0.6690625, 1.9290625], "the batch's mean": [2.598125, 2.598125],
            "the level before": [1.9825, 4.6825], "a for its root": [1.314925, 3.775325], "the time before": [1.613125, 3.853125],
        },
    ),
    Law.equal("no noise predicted, all noise to pay", given(x0=X0, noise=NOISE),
              left=lambda f, x0, noise: f.simple_loss(x0, TIMES, noise, nothing, SCHEDULE),
              right=lambda f, x0, noise: (noise**2).sum(axis=1)),
    Law.equal("the noise predicted, nothing to pay", given(x0=X0),
              left=lambda f, x0: f.simple_loss(x0, TIMES, 0 * x0 + 0.5, half, SCHEDULE) == 0, right=True),
    Law.equal("it is the squared error of the prediction at x_t", given(x0=X0, noise=NOISE),
              left=lambda f, x0, noise: f.simple_loss(x0, TIMES, noise, guess, SCHEDULE),
              right=lambda f, x0, noise: f.squared_error(guess(noisy(x0, noise, TIMES), TIMES), noise)),
    *rejects("simple_loss", ("x0", "noise"), denoise_fn=guess),
    Anchor("simple_loss", "a network that multiplies level 255",
           given(x0=[[0.0]], t=[255], noise=[[0.0]], denoise_fn=tripled, alpha_bar=1 - np.arange(257) / 257),
           gives=[765.0**2], source="by hand"),
    Rejects("simple_loss", "a prediction of another shape",
            given(x0=zeros(2, 3), t=[1, 2], noise=zeros(2, 3), denoise_fn=too_few, alpha_bar=SCHEDULE), blames="prediction"),
    # What the ELBO weighs.
    Agree("variational_weight", "regular", given(t=FROM_TWO, alpha_bar=SCHEDULE)),
    Agree("variational_weight", "small", given(t=FROM_TWO, alpha_bar=SCHEDULE, variance="small")),
    Agree("variational_weight", "cosine, with its clipped step", given(t=[4, 4, 3, 2, 3], alpha_bar=COSINE)),
    Agree("variational_weight", "small, cosine, with its clipped step",
          given(t=[4, 4, 3, 2, 3], alpha_bar=COSINE, variance="small")),
    Agree("variational_weight", "all but the end of a schedule to noise", given(t=[3, 2, 3, 2, 2], alpha_bar=TO_NOISE)),
    Anchor("variational_weight", "25/14 and 25/16", given(t=[2, 3], alpha_bar=BY_FOUR, variance="large"),
           gives=[25 / 14, 25 / 16], source="by hand: beta/(2 (1 - beta)(1 - a)), beta = 0.75",
           near_misses={"small": [25 / 6, 25 / 14], "a for 1 - beta": [2.7901785714285714, 9.765625],
                        "the half forgotten": [25 / 7, 25 / 8], "the deviation for the variance": [1.5464739353293547,
                                                                                                  1.3531646934131854],
                        "1 - a forgotten": [1.5, 1.5], "one step early": [0.78125, 25 / 14], "inverted": [14 / 25, 16 / 25]}),
    Anchor("variational_weight", "25/6 and 25/14", given(t=[2, 3], alpha_bar=BY_FOUR, variance="small"), gives=[25 / 6, 25 / 14],
           source="by hand: beta/(2 (1 - beta)(1 - a_(t-1)))",
           near_misses={"large": [25 / 14, 25 / 16], "the levels exchanged": [0.7653061224489796, 1.3671875]}),
    Law.equal("small: half the fall of the ratio of signal to noise, less one", given(t=FROM_TWO),
              left=lambda f, t: f.variational_weight(t, SCHEDULE, variance="small"), right=lambda f, t: weights(t)),
    Law.at_least("the small variance weighs more", given(t=FROM_TWO),
                 left=lambda f, t: f.variational_weight(t, SCHEDULE, variance="small"),
                 right=lambda f, t: f.variational_weight(t, SCHEDULE)),
    *rejects("variational_weight", (), lowest=2),
    Rejects("variational_weight", "no signal left", given(t=[2, 4], alpha_bar=TO_NOISE), blames="alpha_bar"),
    Rejects("variational_weight", "a third variance", given(t=[2, 3], alpha_bar=SCHEDULE, variance="medium"), blames="variance"),
    # The loss as the ELBO weighs it.
    Agree("variational_loss", "regular", given(x0=X0, t=TIMES, noise=NOISE, denoise_fn=guess, alpha_bar=SCHEDULE)),
    Agree("variational_loss", "images, small, the second step",
          given(x0=normal(2, 3, 4, 5), t=[2, 3], noise=normal(2, 3, 4, 5), denoise_fn=guess, alpha_bar=SCHEDULE,
                variance="small")),
    Agree("variational_loss", "cosine, with its clipped step",
          given(x0=X0, t=[4, 4, 3, 2, 3], noise=NOISE, denoise_fn=guess, alpha_bar=COSINE)),
    Anchor("variational_loss", "25/14 times the squared error",
           given(x0=CLEAN, t=[2, 2], noise=DRAWN, denoise_fn=nothing, alpha_bar=BY_FOUR, variance="large"),
           gives=[125 / 56, 125 / 14], source="by hand: noises of squares 1.25 and 5",
           near_misses={"unweighted": [1.25, 5.0], "small": [5.208333333333333, 20.833333333333332],
                        "divided by the weight": [0.7, 2.8], "the batch's mean": [5.580357142857143, 5.580357142857143]}),
    Law.equal("the weight times the simple loss", given(x0=X0, noise=NOISE),
              left=lambda f, x0, noise: f.variational_loss(x0, FROM_TWO, noise, guess, SCHEDULE, variance="small"),
              right=lambda f, x0, noise: weights(FROM_TWO) * f.simple_loss(x0, FROM_TWO, noise, guess, SCHEDULE)),
    *rejects("variational_loss", ("x0", "noise"), lowest=2, denoise_fn=guess),
    Rejects("variational_loss", "no signal left",
            given(x0=zeros(2, 3), t=[2, 4], noise=zeros(2, 3), denoise_fn=guess, alpha_bar=TO_NOISE), blames="alpha_bar"),
    Rejects("variational_loss", "a third variance",
            given(x0=zeros(2, 3), t=[2, 3], noise=zeros(2, 3), denoise_fn=guess, alpha_bar=SCHEDULE, variance="medium"),
            blames="variance"),
    # A learned variance: no gradient in noise_pred, which central differences would find (a law below).
    Agree("learned_variance_loss", "regular", given(x0=X0, x_t=XT, t=TIMES, noise_pred=GUESS, v=V, alpha_bar=SCHEDULE),
          differentiate=("x0", "x_t", "v", "alpha_bar")),
    Agree("learned_variance_loss", "images, the second step, beyond the ends",
          given(x0=normal(2, 3, 4, 5), x_t=normal(2, 3, 4, 5), t=[2, 3], noise_pred=normal(2, 3, 4, 5),
                v=normal(2, 3, 4, 5, scale=3.0), alpha_bar=SCHEDULE), differentiate=("x0", "x_t", "v")),
    Agree("learned_variance_loss", "cosine, with its clipped step",
          given(x0=X0, x_t=XT, t=[4, 4, 3, 2, 3], noise_pred=GUESS, v=V, alpha_bar=COSINE), differentiate=("x0", "x_t", "v")),
    Anchor(
        "learned_variance_loss", "between 9/28 and 3/4, and beyond",
        given(x0=CLEAN, x_t=DRAWN, t=[2, 3], noise_pred=[[-1.0, 1.0], [0.5, 0.0]], v=[[-1.0, 1.0], [0.0, 3.0]],
              alpha_bar=BY_FOUR),
        gives=[6.922768610949711, 12.758301925897538], source="mpmath, 40 digits",
        near_misses={
            "reversed": [9.24028225745535, 14.860091780371109],
            "the mean over dimensions": [3.4613843054748554, 6.379150962948769],
            "variances interpolated": [6.922768610949711, 12.821276512235608],
            "v for (v + 1)/2": [13.999801081538077, 12.658195906145181],
            "v clipped at the ends": [6.922768610949711, 13.480680109793608],
            "ends exchanged": [6.206335707983615, 15.279745974822147],
            "the large variance for the posterior's": [7.027851702943459, 12.74627334375112],
            "the means alone": [6.784833966470394, 12.740868011770141],
        },
    ),
    Law.equal("no gradient reaches the prediction of the noise, to the last bit", given(x0=X0, x_t=XT, guess=GUESS, v=V),
              left=lambda f, x0, x_t, guess, v: f.gradient(
                  "learned_variance_loss", x0, x_t, TIMES, guess, v, SCHEDULE, wrt=3) == 0, right=True),
    Law.equal("with the posterior's own mean and variance nothing is left", given(x0=X0, noise=NOISE),
              left=lambda f, x0, noise: f.learned_variance_loss(
                  x0, noisy(x0, noise, FROM_TWO), FROM_TWO, noise, 0 * x0 - 1, SCHEDULE), right=0.0,
              cancels=Cancels(1.0, "the terms of a KL are of order 1, and add up to nothing")),
    Law.equal("its means part is the variational loss", given(x0=X0, noise=NOISE, guess=GUESS),
              left=lambda f, x0, noise, guess: f.learned_variance_loss(
                  x0, noisy(x0, noise, FROM_TWO), FROM_TWO, guess, 0 * x0 - 1, SCHEDULE),
              right=lambda f, x0, noise, guess: weights(FROM_TWO) * f.squared_error(guess, noise)),
    *rejects("learned_variance_loss", ("x0", "x_t", "noise_pred", "v"), lowest=2),
    Rejects("learned_variance_loss", "no signal left",
            given(x0=zeros(2, 3), x_t=zeros(2, 3), t=[2, 4], noise_pred=zeros(2, 3), v=zeros(2, 3), alpha_bar=TO_NOISE),
            blames="alpha_bar"),
)  # fmt: skip
