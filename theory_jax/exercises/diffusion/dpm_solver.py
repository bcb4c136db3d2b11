"""Exercises of the lecture: DPM-Solver: the linear part of the probability flow solved exactly, the rest in few steps."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, integrate, limit

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.dpm_solver import first_order_step, half_log_snr, multistep_second_order_step
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.lectures.diffusion._gaussian_flow import data_of, exact, order_one, order_two
from theory_jax.lectures.diffusion.dpm_solver import _BEFORE, _FROM, _LOG_2, _ONE, _TO, b, by_data, c, derivation, guess, h, p, r


@derivation.exercise(
    r"What is the step of 2M if the prediction has not changed since the step before?",
    prose(
        "The step of order one, since for a constant prediction the guess is {guess}. In the example it is $1.1384$.",
        guess=holds(guess, "=", p, when={b: 0, c: 0}, named=True),
    ),
    level="easy",
    hint="Insert one number for both predictions into the guess.",
)
def unchanged():
    predicted = data_of(4.0)(_ONE, _FROM)
    yield multistep_second_order_step(_ONE, predicted, predicted, _BEFORE, _FROM, _TO), "1.1384"


@derivation.exercise(
    "With which weights do the last two predictions enter the guess of 2M if the step before was as long as this one, and if it "
    "was twice as long?",
    r"With $\frac32$ and $-\frac12$, in numbers (1.5, -0.5), and with (1.25, -0.25): the slope is taken over a longer way, so "
    "its weight is smaller.",
    level="easy",
    hint="The guess extrapolates by half of this step; in units of the step before, how far is that?",
)
def weights_of_the_guess():
    to, one, none = jnp.array([0.5]), jnp.ones((1, 1)), jnp.zeros((1, 1))
    unit = first_order_step(none, one, jnp.zeros(1), to)
    for before, printed in ((-0.5, "(1.5, -0.5)"), (-1.0, "(1.25, -0.25)")):
        levels = jnp.array([before]), jnp.zeros(1), to
        pairs = ((one, none), (none, one))
        yield [(multistep_second_order_step(none, *pair, *levels) / unit)[0, 0] for pair in pairs], printed


@derivation.exercise(
    r"The slope $b$ of $\hat x_0$ along the path is known, in the example a fifth of $\hat x_0$. What is the step of order two "
    "in the data form, and what does it give there?",
    prose(
        r"$\frac{\sigma_t}{\sigma_s} x$ plus $\alpha_t$ times the integral of the Taylor series without curvature, {integral}. "
        "It gives $1.1775$.",
        integral=holds(by_data, "=", plus(times(1 - exp(-h), p), times(h - 1 + exp(-h), b)), when={c: 0}, named=True),
    ),
    level="medium",
    hint="Integrate the line in place of the constant, with the weight of the data form.",
)
def with_the_slope():
    predicted = data_of(4.0)(_ONE, _FROM)[0, 0]
    yield math.sqrt(0.4) + math.sqrt(0.8) * (predicted / 2 + (_LOG_2 - 0.5) * predicted / 5), "1.1775"


@derivation.exercise(
    "A sampler uses the guess of 2M for the predicted noise, in the noise form. What is its local error to leading order, and "
    "is it the same method?",
    prose(
        r"It is $h^3$ times {error}, where $b$ and $c$ now belong to $\hat\epsilon$: of order three, too. But the sign of $b$ "
        "has changed, since the weight is now larger at the beginning of the step. Freezing either prediction gave the same "
        "step; extrapolating them gives two methods.",
        error=plus(-b / 12, (Rational(1, 6) + r / 4) * c),
    ),
    level="medium",
    hint="Repeat the expansion for the noise form's integral and weight; the guess stays as it is.",
)
def the_guess_in_the_noise_form():
    step, ratio, first, slope, bend, way = (Symbol(name, positive=True) for name in ("h", "r", "P", "b", "c", "u"))
    whole = integrate((first + slope * way + bend * way**2 / 2) * exp(step - way), (way, 0, step))
    before = first - slope * ratio * step + bend * (ratio * step) ** 2 / 2
    middle = first * (1 + 1 / (2 * ratio)) - before / (2 * ratio)
    error = limit((whole - (exp(step) - 1) * middle).expand().series(step, 0, 4).removeO() / step**3, step, 0)
    yield error, -slope / 12 + (Rational(1, 6) + ratio / 4) * bend


@derivation.exercise(
    r"The linear schedule of DDPM with 1000 steps: between which $\lambda$ does it run? Ten steps uniform in $t$ or in "
    r"$\lambda$: how long is the longest, and which relative error has the deviation of samples, of $\mathcal{N}(0, \frac14)$ by "
    r"2M, and of $\mathcal{N}(0, 4)$ by order one?",
    r"From $-5.06$ to $4.61$. The longest step is the last one of the uniform times, $3.53$, against $0.966$. By 2M the errors "
    r"are $0.382$ and $0.033$: uniform in $\lambda$ is better. By order one they are $-0.140$ and $-0.215$: here it is not.",
    level="hard",
    hint="Compute the levels of the schedule first; then walk both grids with the Gaussian prediction.",
)
def two_grids():
    levels = half_log_snr(linear_alpha_bar(num_steps=1000))[1:]
    yield levels[-1], "-5.06"
    yield levels[0], "4.61"
    grids = levels[np.round(np.linspace(999, 0, 11)).astype(int)], jnp.linspace(levels[-1], levels[0], 11)
    for grid, (longest, many, one) in zip(grids, (("3.53", "0.382", "-0.140"), ("0.966", "0.033", "-0.215")), strict=True):
        yield jnp.max(jnp.diff(grid)), longest
        yield order_two(grid, 0.25) / exact(grid[0], grid[-1], 0.25) - 1, many
        yield order_one(grid) / exact(grid[0], grid[-1]) - 1, one
