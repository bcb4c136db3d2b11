"""Exercises of the lecture: StyleGAN."""

import jax.numpy as jnp
import sympy

from theory_jax.adversarial.style_gan import truncate_latent
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.frechet_distance import frechet_distance
from theory_jax.lectures.adversarial._styles import mean_length, mean_penalty
from theory_jax.lectures.adversarial.style_gan import derivation, price, psi


@derivation.exercise(
    "A generator of one number, and the length 1. Which singular value is best, and how large is the penalty there?",
    r"$\sqrt{2/\pi}$, 0.7979, is the mean of $|g|$, and the best value; the penalty is $1 - 2/\pi$, 0.3634.",
)
def one_number():
    yield mean_length(1), "0.7979"
    yield mean_penalty(mean_length(1), 0.0), "0.3634"


@derivation.exercise(
    prose(
        r"Truncation with {one}: what is $\psi$, and what are the variance and $W_2^2$ of a Gaussian code of variance 1?",
        one=where(price, 1),
    ),
    prose("{half}, that is 1/2; they are 1/4 and 1/4.", half=holds(psi, "=", sympy.Rational(1, 2))),
)
def half_way():
    ends = truncate_latent(jnp.array([[1.0]]), jnp.zeros(1), psi=1 / (1 + 1.0))[0, 0]
    yield ends, "1/2"
    yield [ends**2, frechet_distance(jnp.zeros(1), jnp.eye(1), jnp.zeros(1), ends**2 * jnp.eye(1))], "1/4 and 1/4"


@derivation.exercise(
    r"The target $a$ is a running mean of the lengths. All singular values are equal, $\sigma$, and $a$ has reached their mean "
    r"length. Which $\sigma$ does the penalty want now, for codes of 2 and of 512 numbers?",
    r"$a$ is $\kappa \sigma$, so it wants $\frac{\kappa^2}{L} \sigma$, which is 0.7854 and 0.9990 times $\sigma$. The penalty "
    "also shortens all lengths, slowly where codes are long.",
)
def a_target_that_follows():
    yield [mean_length(size) ** 2 / size for size in (2, 512)], "0.7854 and 0.9990"
