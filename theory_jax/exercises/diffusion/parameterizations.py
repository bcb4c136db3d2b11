"""Exercises of the lecture: What to predict: noise, data, velocity, score or mean."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.parameterizations import loss_ratio, x0_from_noise, x0_from_velocity
from theory_jax.lectures.diffusion.parameterizations import _RATIOS, a_t, alpha, before, derivation, signal_to_noise


@derivation.exercise(
    r"At which level do the losses of noise and data agree?",
    prose(
        "Where half of it is signal: there {same}, and the factor of the data is 1.",
        same=holds(signal_to_noise, "=", 1, when={alpha: 1 / (2 * before)}),
    ),
)
def equal_losses():
    yield loss_ratio(np.array([1]), jnp.array([1.0, 0.5]), target="x0")[0], "1"


@derivation.exercise(
    r"What is the loss of the velocity in units of that of the score, if the signal's share is 0.8?",
    prose("It is {it}, which is 0.25.", it=holds(_RATIOS[1] / _RATIOS[2], "=", (1 - a_t) / a_t, named=True)),
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
)
def errors_near_pure_noise():
    level, one, off = jnp.array([1.0, 0.01]), np.array([1]), jnp.array([0.1])
    yield (x0_from_velocity(off, off, one, level)[0] - x0_from_velocity(off, 0 * off, one, level)[0]) ** 2, "0.0099"
    yield (x0_from_noise(off, off, one, level)[0] - x0_from_noise(off, 0 * off, one, level)[0]) ** 2, "0.99"
