"""Exercises of the lecture: Noise schedules: one decreasing function of time."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.parts import value
from theory_jax.diffusion.noise_schedules import (
    alpha_bar_from_betas,
    alpha_bar_from_sigmas,
    linear_alpha_bar,
    log_linear_sigmas,
    log_snr,
    shift_log_snr,
)
from theory_jax.diffusion.simple_loss import variational_weight
from theory_jax.lectures.diffusion.noise_schedules import T, derivation, first, last


@derivation.exercise(
    r"The linear schedule has 1000 steps from $10^{-4}$ to 0.02. What is the sum of its betas, and how much is left at the end?",
    r"The sum is $\frac{1000}{2} \cdot 0.0201$, or 10.05, and 4.036e-05 is left.",
    level="easy",
    hint="The sum is the number of steps times a mean; the product needs a line of code.",
)
def hos_schedule():
    yield value(T * (first + last) / 2, {T: 1000, first: 1e-4, last: 0.02}), "10.05"
    yield linear_alpha_bar(num_steps=1000)[-1], "4.036e-05"


@derivation.exercise(
    r"What is left at the end with the same two betas but 100 steps?",
    "The sum of the betas is 1.005, and 0.3636 is left: more than a third of the variance is still signal, and a sampler that "
    "starts from pure noise starts from the wrong distribution.",
    level="easy",
    hint="The same two numbers, for another number of steps.",
)
def too_few_steps():
    yield value(T * (first + last) / 2, {T: 100, first: 1e-4, last: 0.02}), "1.005"
    yield linear_alpha_bar(num_steps=100)[-1], "0.3636"


@derivation.exercise(
    r"A schedule was made for images of 32 pixels. By how much must $\lambda$ be shifted for 128 pixels, and where does the "
    r"level $\frac12$ go?",
    r"By $-2 \log 4$, which is -2.7726; the level $\frac12$ has the log-SNR 0, so it goes to $\frac{1}{1 + 16}$, or 0.0588.",
    level="medium",
    hint="How many times as large is the resolution, and which log-SNR has the level one half?",
)
def larger_images():
    level = shift_log_snr(jnp.array(0.5), base_resolution=32.0, resolution=128.0)
    yield log_snr(level), "-2.7726"
    yield level, "0.0588"


@derivation.exercise(
    "A sampler visits every tenth level of the linear schedule of 1000 steps. What are its first and last betas, and what "
    "would the last be if one took the betas themselves from the list, every tenth of them?",
    "They are 0.0019 and 0.1822, nearly ten times as large as the betas, because ten steps are one. The last of the list is "
    "0.02: a sampler with these betas would end with a share of 0.3603 of signal, where the network expects noise.",
    level="medium",
    hint="A beta is what a step loses: one minus the ratio of the levels after and before it.",
)
def every_tenth_level():
    levels = linear_alpha_bar(num_steps=1000)
    betas = 1 - levels[1:] / levels[:-1]
    visited = levels[::10]
    respaced = 1 - visited[1:] / visited[:-1]
    yield respaced[0], "0.0019"
    yield respaced[-1], "0.1822"
    yield betas[9::10][-1], "0.02"
    yield alpha_bar_from_betas(betas[9::10])[-1], "0.3603"


@derivation.exercise(
    r"For which schedule is the weight $\frac12 (S_{t-1}/S_t - 1)$ of the bound, with $S$ the ratio $\bar\alpha / (1 - "
    r"\bar\alpha)$, the same at every step? How many steps after the first does it need between the first and the last level "
    "of the linear schedule of 1000 steps, if the weight is not to exceed 0.01?",
    r"The weight depends on the fall of $\lambda$ alone, so $\lambda$ must be linear in time: the log-linear schedule. A fall "
    r"of at most $\log 1.02$ in each step, from 9.2102 to -10.1177, takes 977 steps, each with the weight 0.0100. The linear "
    "schedule has nearly as many, and a weight of 0.5997 in its second step.",
    level="hard",
    hint="Write the ratio with the log-SNR; then the weight is a function of a difference.",
)
def equal_weights():
    linear = linear_alpha_bar(num_steps=1000)
    ends = log_snr(linear[1]), log_snr(linear[-1])
    steps = math.ceil((ends[0] - ends[1]) / math.log(1.02))
    yield ends[0], "9.2102"
    yield ends[1], "-10.1177"
    yield steps, "977"
    sigmas = log_linear_sigmas(num_steps=steps + 1, sigma_min=math.exp(-ends[0] / 2), sigma_max=math.exp(-ends[1] / 2))
    ratios = np.exp(-np.diff(log_snr(alpha_bar_from_sigmas(sigmas[1:]))))
    yield (ratios - 1).max() / 2, "0.0100"
    yield (ratios - 1).min() / 2, "0.0100"
    yield variational_weight(np.array([2]), linear, variance="small")[0], "0.5997"
