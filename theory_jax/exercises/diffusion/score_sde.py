"""Exercises of the lecture: Diffusion in continuous time, and the equations that run it backward."""

import math

import jax.numpy as jnp
from sympy import Integer, exp, limit, series

from theory_jax.derivation.prose import prose
from theory_jax.diffusion.score_sde import variance_preserving_alpha_bar
from theory_jax.lectures.diffusion._equations import RATE, variance_after
from theory_jax.lectures.diffusion.score_sde import V, b, derivation, h, lam


def _walked(steps, variance, noise):
    """The variance at time 0 after so many steps back from this one, in the example, with this share of the noise."""
    rate, length = math.log(4), 1 / steps
    for step in range(steps, 0, -1):
        exact = 1 + 3 * math.exp(-rate * step * length)
        variance = variance * (1 + length * rate * (1 / 2 - (1 + noise**2) / (2 * exact))) ** 2 + noise**2 * rate * length
    return variance


@derivation.exercise(
    r"Which variance have data of variance 1 at a time at which $e^{-B}$ is $\frac14$? And data of variance 4?",
    r"1, as at every time; and $\frac44 + \frac34$, which is 1.75.",
    level="easy",
    hint="The data keep a share of their variance, and the noise brings the rest to one.",
)
def variances():
    left = variance_preserving_alpha_bar(jnp.array(1.0), beta_min=RATE, beta_max=RATE)
    yield [1 * left + 1 - left], "1"
    yield 4 * left + 1 - left, "1.75"


@derivation.exercise(
    r"A chain has the constant rate 2 up to time 1. What is left of the data's variance after 10 steps, and in the limit?",
    r"$(1 - 0.2)^{10}$, or 0.1074, and $e^{-2}$, or 0.1353: the chain keeps less.",
    level="easy",
    hint="A step of the chain keeps one minus its beta.",
)
def ten_steps():
    yield 0.8**10, "0.1074"
    yield variance_preserving_alpha_bar(jnp.array(1.0), beta_min=2.0, beta_max=2.0), "0.1353"


@derivation.exercise(
    r"A sampler takes the drift of the ordinary equation, $f - \frac12 g^2 s$, but adds the full noise. Which variance does it "
    "reach in the example, in 40 steps?",
    r"6.16 in place of 4: half of the score does not gather what the noise spreads.",
    level="medium",
    hint="Write the variance after one step as a multiple of that before it, plus that of the noise.",
)
def half_of_the_score():
    yield variance_after(40, 1.75, half=0.5), "6.16"


@derivation.exercise(
    "In the example a sampler starts from variance 1 in place of 1.75. Which variance does it reach with ever shorter steps, "
    "without noise and with all of it?",
    "2.2857 and 3.0204, in place of 4. The flow multiplies the error of the start, -0.75, by $V_0/V_1$; with noise it is the "
    "square of this, times the quarter that is left of the data: noise forgets a part of a wrong start.",
    level="medium",
    hint="The difference of two solutions of the variance's equation shrinks or grows without the noise; its rate has $b/V$.",
)
def a_wrong_start():
    for noise, printed in ((0, "2.2857"), (1, "3.0204")):
        found = [_walked(steps, 1.0, noise) for steps in (4000, 8000)]
        yield 2 * found[1] - found[0], printed
    yield 4 - 0.75 * 4 / 1.75, "2.2857"
    yield 4 - 0.75 * (4 / 1.75) ** 2 / 4, "3.0204"


@derivation.exercise(
    r"Repeat the error of one backward step for any $\lambda$, with the constant rate $b$. Which $\lambda$ errs least for data "
    "of variance 1, and near data of a small variance? By which factor do the errors of full noise and of none differ there?",
    prose(
        "To second order the error of the variance is $h^2$ times {error}. At variance 1 it is {one} of $b^2 h^2$: only the "
        r"flow has none. As $V_t$ goes to 0 it grows like $(1 + \lambda^2)^2 / (4 V_t)$, so full noise errs 4 times as much as "
        "none. Near such data few steps are better taken without noise.",
        error=b**2 * ((V - 1 - lam**2) ** 2 / (4 * V) - (V - 1) / 2),
        one=lam**4 / 4,
    ),
    level="hard",
    hint=r"The step multiplies by $1 + h (b/2 - (1 + \lambda^2) b / (2 V_t))$ and adds $\lambda^2 b h$ to the variance.",
)
def the_error_of_any_noise():
    step = V * (1 + h * (b / 2 - (1 + lam**2) * b / (2 * V))) ** 2 + lam**2 * b * h
    error = (step - 1 - (V - 1) * series(exp(b * h), h, 0, 3).removeO()).expand().coeff(h, 2)
    yield error, b**2 * ((V - 1 - lam**2) ** 2 / (4 * V) - (V - 1) / 2)
    yield error.subs(V, 1), b**2 * lam**4 / 4
    yield limit((error.subs(lam, 1) / error.subs(lam, 0)).simplify(), V, 0), Integer(4)
