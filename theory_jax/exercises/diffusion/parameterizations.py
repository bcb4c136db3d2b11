"""Exercises of the lecture: What to predict: noise, data, velocity, score or mean."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Symbol, limit, oo

from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.parameterizations import loss_ratio, x0_from_noise, x0_from_velocity
from theory_jax.lectures.diffusion.parameterizations import _RATIOS, a_t, alpha, before, derivation, signal_to_noise, snr_before


def _of_the_data(ratio, target):
    """The loss of a target in units of the squared error of the data, at this signal-to-noise ratio."""
    one, level = np.array([1]), jnp.array([1.0, ratio / (1 + ratio)])
    of_target = 1.0 if target == "noise" else loss_ratio(one, level, target=target)[0]
    return of_target / loss_ratio(one, level, target="x0")[0]


@derivation.exercise(
    r"At which level do the losses of noise and data agree?",
    prose(
        "Where half of it is signal: there {same}, and the factor of the data is 1.",
        same=holds(signal_to_noise, "=", 1, when={alpha: 1 / (2 * before)}),
    ),
    level="easy",
    hint="The factor between the two losses is the signal-to-noise ratio.",
)
def equal_losses():
    yield loss_ratio(np.array([1]), jnp.array([1.0, 0.5]), target="x0")[0], "1"


@derivation.exercise(
    r"What is the loss of the velocity in units of that of the score, if the signal's share is 0.8?",
    prose("It is {it}, which is 0.25.", it=holds(_RATIOS[1] / _RATIOS[2], "=", (1 - a_t) / a_t, named=True)),
    level="easy",
    hint="Divide the two factors of the error of the noise.",
)
def velocity_and_score():
    level = jnp.array([1.0, 0.8])
    one = np.array([1])
    yield loss_ratio(one, level, target="velocity")[0] / loss_ratio(one, level, target="score")[0], "0.25"


@derivation.exercise(
    "A network predicts the velocity with a squared error of 0.01 at every level. How large is the squared error of its data "
    "where the signal's share is 0.01? And if it is the noise that it predicts with that error?",
    prose(
        "From the velocity {velocity} of it, 0.0099; from the noise {noise} times it, 0.99.",
        velocity=holds(_RATIOS[0] / _RATIOS[1], "=", 1 - a_t, named=True),
        noise=_RATIOS[0],
    ),
    level="medium",
    hint="Both conversions are linear; which slope has each in what the network predicts?",
)
def errors_near_pure_noise():
    level, one, off = jnp.array([1.0, 0.01]), np.array([1]), jnp.array([0.1])
    yield (x0_from_velocity(off, off, one, level)[0] - x0_from_velocity(off, 0 * off, one, level)[0]) ** 2, "0.0099"
    yield (x0_from_noise(off, off, one, level)[0] - x0_from_noise(off, 0 * off, one, level)[0]) ** 2, "0.99"


@derivation.exercise(
    "A paper weighs the squared error of the data by the signal-to-noise ratio, but by 5 at most. Which weight does this give "
    "the loss of the noise, and that of the velocity, where the ratio is 20? What happens if the weight of the noise is kept "
    "for a network that predicts the velocity?",
    "0.25 and 0.2381: the weight of the data's error, divided by the factor of the loss. Kept at a ratio of $S$, the weight of "
    "the noise is too large for the velocity by $1 + 1/S$: at 0.1 it counts the data's error 11 times as much as the paper.",
    level="medium",
    hint="Each loss is a known multiple of the squared error of the data.",
)
def clamped_weights():
    for ratio, target, printed in ((20, "noise", "0.25"), (20, "velocity", "0.2381")):
        yield min(ratio, 5) / _of_the_data(ratio, target), printed
    kept = min(0.1, 5) / _of_the_data(0.1, "noise")
    yield kept * _of_the_data(0.1, "velocity") / 0.1, "11"


@derivation.exercise(
    "With which levels do all terms of the bound weigh the loss of the noise alike? The signal-to-noise ratio is to fall from "
    "100 to 0.01: what is the weight of a step with ten steps, and to what do all weights together tend with ever more?",
    r"With levels at equal distances in $\log S$: a weight is $(S_{t-1}/S_t - 1)/2$, here 0.7559. All together tend to half "
    r"of the way in $\log S$, $\frac12 \log 10^4$, or 4.6052. So the simple loss of the noise, with levels that are uniform in "
    "the log-SNR, is the bound, up to a factor; with other levels it is a bound that is weighed by their density.",
    level="hard",
    hint="Ask for one quotient of neighboring ratios; then let the quotient go to 1 and sum.",
)
def equal_weights_of_the_noise():
    ratios = np.geomspace(100, 0.01, 11)
    weights = [
        value((snr_before / signal_to_noise - 1) / 2, {before: s / (1 + s), alpha: t * (1 + s) / (s * (1 + t))})
        for s, t in zip(ratios[:-1], ratios[1:], strict=True)
    ]
    yield max(weights), "0.7559"
    yield min(weights), "0.7559"
    steps = Symbol("T", positive=True)
    yield float(limit(steps * (Integer(10) ** (4 / steps) - 1) / 2, steps, oo)), "4.6052"
