"""Exercises of the lecture: Ancestral sampling: the reverse process, walked."""

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Symbol, integrate

from theory_jax.derivation.parts import value
from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.ancestral_sampling import dynamic_threshold, gaussian_sampling_variance
from theory_jax.lectures.diffusion.ancestral_sampling import _LEVELS, V, V_prev, alpha, before, beta, c, derivation, tilde


@derivation.exercise(
    r"All data are at one point. What is $v_0$?",
    "The best prediction is exact, so the last step returns the point itself: the samples have variance 0, whatever the earlier "
    "steps did.",
    level="easy",
    hint="What is the best prediction of the data where all data are equal?",
)
def one_point():
    yield gaussian_sampling_variance(jnp.zeros(1), _LEVELS)[0], "0"


@derivation.exercise(
    "Data of variance 4, in the example: is the true variance of the second step between the two choices, and which of them "
    "is nearer?",
    "No: the true variance is 0.4832, and the large one is 0.36. For data of variance above 1 both choices add too little, "
    "and the large one is the nearer, since the small one is less still (0.1420).",
    level="easy",
    hint="The true step back has the variance of the noise, times the variance of the values before it over that after it.",
)
def spread_data():
    given = {before: 0.81, alpha: 0.64, c: 4}
    yield value(beta * V_prev / V, given), "0.4832"
    yield value(beta, given), "0.36"
    yield value(tilde, given), "0.1420"


@derivation.exercise(
    "In the example, which variance of the second step leaves only the start and the last noise in the error, for data of "
    "variance one quarter?",
    r"The true one, $\beta_2 V_1 / V_2$, which is 0.2312. It is between 0.1420 and 0.36.",
    level="medium",
    hint=r"Which value of $\sigma_t^2$ makes the second term of the last line of the result zero?",
)
def the_right_variance():
    yield 0.36 * noised_variance(0.25, 0.81) / noised_variance(0.25, 0.5184), "0.2312"


@derivation.exercise(
    r"The data are $(1, \dots, 1)$ in 12 dimensions, and the prediction is $(3, 1, \dots, 1)$. What is its squared error, as it "
    "is, clipped to $[-1, 1]$, and after the dynamic threshold with 3 for $S$?",
    r"As it is 4, clipped 0. The threshold turns the prediction into $(1, \frac13, \dots, \frac13)$, with the error $11 \cdot "
    r"\frac49$, which is 4.8889.",
    level="medium",
    hint="The threshold divides all entries by the same number; which of them were right before?",
)
def the_threshold_moves_correct_entries():
    x = jnp.ones((1, 12)).at[0, 0].set(3.0)
    yield jnp.sum((x - 1) ** 2), "4"
    yield jnp.sum((jnp.clip(x, -1, 1) - 1) ** 2), "0"
    yield jnp.sum((dynamic_threshold(x, quantile=1.0) - 1) ** 2), "4.8889"


@derivation.exercise(
    r"A sampler at temperature $\tau$ multiplies the noise of each step by $\tau$, below 1, with the large variance. Data are "
    "Gaussian of variance $c$, the prediction is the best one, and no signal is left at the end. Which variance "
    "do the samples have as the number of steps grows?",
    r"The variance $\tau^2 c$: the samples are paler by the factor $\tau$, and more steps do not help. Each step adds "
    r"$-(1 - \tau^2) \lambda_{t-1} \beta_t / V_t$ to first order in $\beta_t$, which no longer falls with its square. With "
    r"$\beta_t$ for the step of $-\log a$ the sum is the integral of $-(1 - \tau^2)\, c / V^2$ over all levels $a$, and that "
    r"of $c / V^2$ is 1. With 4000 steps, a temperature of $\frac12$ and $c$ of $\frac14$ the recursion gives 0.06.",
    level="hard",
    hint=r"Put $\tau^2 \beta_t$ into the result and keep the first power of $\beta_t$; the sum over steps is an integral.",
)
def a_low_temperature():
    level, spread = Symbol("a", positive=True), Symbol("c", positive=True)
    sums = integrate(spread / (1 - level + level * spread) ** 2, level)
    yield sums.subs(level, 1) - sums.subs(level, 0), Integer(1)
    levels, v = np.exp(-20 * np.linspace(0, 1, 4001)), 1.0
    for after, previous in zip(levels[:0:-1], levels[-2::-1], strict=True):
        ratio = noised_variance(0.25, previous) / noised_variance(0.25, after)
        v = after / previous * ratio**2 * v + 0.25 * (1 - after / previous)
    yield v, "0.06"
