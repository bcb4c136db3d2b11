"""Exercises of the lecture: The forward process: a Gaussian chain that can be entered anywhere."""

import numpy as np
from sympy import Symbol, exp, numer, simplify, solve, sqrt, together

from theory_jax.derivation.notation import Expectation, Normal
from theory_jax.derivation.parts import value
from theory_jax.lectures.diffusion._schedules import noised
from theory_jax.lectures.diffusion.forward_process import a_s, a_t, c, cross, derivation, epsilon, kept, x_0, x_t


@derivation.exercise(
    r"All $\beta_t$ are 0.02. After how many steps is $\bar\alpha_t$ at most $10^{-4}$?",
    r"$t \ge \log 10^{-4} / \log 0.98$, so after 456 steps.",
    level="easy",
    hint="What all steps keep is a power of 0.98; take logarithms.",
)
def constant_noise():
    yield np.flatnonzero(0.98 ** np.arange(1000) <= 1e-4)[0], "456"


_EARLY = noised(a_s, x_0, epsilon)


@derivation.exercise(
    r"What is $\mathrm{Cov}(x_s, x_t)$ for $s < t$ and data of variance $c$?",
    r"$x_t = \sqrt{r}\, x_s$ plus independent noise, $r = \bar\alpha_t / \bar\alpha_s$, so it is $\sqrt{r}\, (\bar\alpha_s c + "
    r"1 - \bar\alpha_s)$. For $\bar\alpha_s = \frac12$, $r = \frac14$ and Gaussian data with $c = 3$ it is 1.",
    level="medium",
    hint="Write $x_t$ as a jump from $x_s$; the new noise has no covariance with $x_s$.",
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
    level="medium",
    hint="Add the variances of the two independent terms.",
)
def which_steps():
    yield 1 + 100 * 0.1**2, "2"


@derivation.exercise(
    r"A program mixes with the shares instead of their roots: $\bar\alpha_t x_0 + (1 - \bar\alpha_t)\, \epsilon$. Which variance "
    r"does its noisy value have at a share of one half, for data of variance 1, and which signal-to-noise ratio?",
    "The variance is 0.5, not 1: the inputs of the network would shrink in the middle of the schedule and grow again. The ratio "
    "of the variances of signal and noise is 1, as in the right mixture at this level, but at a share of 0.9 it is 81 instead "
    "of 9.",
    level="easy",
    hint="Square both factors.",
)
def shares_without_roots():
    mixture = a_t * x_0 + (1 - a_t) * epsilon
    second_moment = Expectation(Normal(epsilon, 0, 1), Expectation(Normal(x_0, 0, 1), mixture**2))
    ratio = Expectation(Normal(x_0, 0, 1), (a_t * x_0) ** 2) / Expectation(Normal(epsilon, 0, 1), ((1 - a_t) * epsilon) ** 2)
    yield value(second_moment, {a_t: 0.5}), "0.5"
    yield value(ratio, {a_t: 0.5}), "1"
    yield value(ratio, {a_t: 0.9}), "81"
    yield value(a_t / (1 - a_t), {a_t: 0.9}), "9"


@derivation.exercise(
    r"Data are $-2$ or $2$, each with probability one half. At which share $\bar\alpha_t$ do the two peaks of the density of "
    r"$x_t$ merge into one, and what would the share be for data that are $-1$ or $1$?",
    r"The second derivative of the density at 0 changes its sign where $\bar\alpha_t y^2$, the squared mean of the peak of a "
    r"point $y$, equals $1 - \bar\alpha_t$, its variance: at $1/(1 + y^2)$, which is 1/5 for points at distance 2 from 0, and "
    "1/2 at distance 1. At smaller shares the density has a single peak, as for a single Gaussian.",
    level="hard",
    hint="By symmetry the density has slope 0 at the point 0; ask whether that is a peak or a valley.",
)
def peaks_merge():
    for point, merged in ((2, "1/5"), (1, "1/2")):
        peaks = sum(exp(Normal(x_t, sqrt(a_t) * y, 1 - a_t).log_density(x_t)) for y in (-point, point)) / 2
        share = Symbol("share", positive=True)
        curvature = simplify(peaks.subs(a_t, share).diff(x_t, 2).subs(x_t, 0) * exp(share * point**2 / (1 - share) / 2))
        (found,) = solve(numer(together(curvature)), share)
        yield float(found), merged
