"""Exercises of the lecture: The forward process: a Gaussian chain that can be entered anywhere."""

import numpy as np
from sympy import sqrt

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.parts import value
from theory_jax.lectures.diffusion._schedules import noised
from theory_jax.lectures.diffusion.forward_process import a_s, c, cross, derivation, epsilon, kept, x_0


@derivation.exercise(
    r"All $\beta_t$ are 0.02. After how many steps is $\bar\alpha_t$ at most $10^{-4}$?",
    r"$t \ge \log 10^{-4} / \log 0.98$, so after 456 steps.",
)
def constant_noise():
    yield np.flatnonzero(0.98 ** np.arange(1000) <= 1e-4)[0], "456"


_EARLY = noised(a_s, x_0, epsilon)


@derivation.exercise(
    r"What is $\mathrm{Cov}(x_s, x_t)$ for $s < t$ and data of variance $c$?",
    r"$x_t = \sqrt{r}\, x_s$ plus independent noise, $r = \bar\alpha_t / \bar\alpha_s$, so it is $\sqrt{r}\, (\bar\alpha_s c + "
    r"1 - \bar\alpha_s)$. For $\bar\alpha_s = \frac12$, $r = \frac14$ and Gaussian data with $c = 3$ it is 1.",
)
def two_times():
    late = sqrt(kept) * _EARLY + sqrt(1 - kept) * cross
    over = (Normal(cross, 0, 1), Normal(epsilon, 0, 1), Normal(x_0, 0, c))
    product = _EARLY * late
    for law in over:
        product = Expectation(law, product)
    yield value(product, {a_s: 0.5, kept: 0.25, c: 3}), "1"


@derivation.exercise(
    r"Which steps $x_t = a x_{t-1} + b \epsilon$ leave $\mathcal{N}(0, 1)$ as it is? What does $a = 1$ do?",
    r"Those with $a^2 + b^2 = 1$. With $a = 1$ the variance grows by $b^2$ at every step and never settles: after 100 steps "
    r"with $b = 0.1$, data of variance 1 have variance 2. This is the variance-exploding chain.",
)
def which_steps():
    yield 1 + 100 * 0.1**2, "2"
