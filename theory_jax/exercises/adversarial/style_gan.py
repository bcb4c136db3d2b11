"""Exercises of the lecture: StyleGAN."""

import jax.numpy as jnp
import numpy as np
import sympy
from scipy.optimize import minimize_scalar

from theory_jax.adversarial.style_gan import truncate_latent
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.frechet_distance import frechet_distance
from theory_jax.lectures.adversarial._styles import mean_length, mean_penalty, pixel
from theory_jax.lectures.adversarial.style_gan import derivation, price, psi


@derivation.exercise(
    "A generator of one number, and the length 1. Which singular value is best, and how large is the penalty there?",
    r"$\sqrt{2/\pi}$, 0.7979, is the mean of $|g|$, and the best value; the penalty is $1 - 2/\pi$, 0.3634.",
    level="easy",
    hint="The length of one normal number is its absolute value.",
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
    level="easy",
    hint="Truncation is a multiplication of the distance from the mean code.",
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
    level="medium",
    hint="Put the running mean in the place of the length that the penalty wants.",
)
def a_target_that_follows():
    yield [mean_length(size) ** 2 / size for size in (2, 512)], "0.7854 and 0.9990"


@derivation.exercise(
    "In the example one of the two weights changes its sign, to (3, -4), with the style (1, 1) and the correlation 1/2. What is "
    "the variance of the demodulated output, and what if the inputs are equal?",
    "0.52, and 0.04 for equal inputs: a kernel that takes differences makes less of inputs that are alike, and demodulation, "
    "which does not look at them, does not correct this.",
    level="medium",
    hint="The sum of the kernel's entries is -1 now; its squared length is the same.",
)
def a_kernel_of_differences():
    kernel = np.array([pixel(inputs, (1.0, -1.0)) for inputs in ((1.0, 0.0), (0.0, 1.0))])
    for correlation, printed in ((0.5, "0.52"), (1.0, "0.04")):
        yield kernel @ np.array([[1, correlation], [correlation, 1]]) @ kernel, printed


@derivation.exercise(
    "A generator ignores half of its code: its other singular values are equal, and as good as they can be for the length 1. How "
    "large is the penalty for codes of 2 and of 512 numbers, next to the least ones? Does the penalty notice dead directions?",
    "It is 0.3634 instead of 0.2146, and 0.00195 instead of 0.00098. Long codes may lose half of their numbers for a thousandth: "
    "the penalty makes the directions that act equal, and depends little on how many act.",
    level="hard",
    hint="A direction whose singular value is zero adds nothing to the length: the code is as good as a shorter one.",
)
def dead_directions():
    for other, printed in ((0.0, "0.3634"), (1.0, "0.2146")):  # the second value, relative to the first
        best = minimize_scalar(lambda first, other=other: float(mean_penalty(first, other * first)), bounds=(0.6, 1.0))
        yield best.fun, printed
    for size, printed in ((256, "0.00195"), (512, "0.00098")):
        yield 1 - mean_length(size) ** 2 / size, printed
