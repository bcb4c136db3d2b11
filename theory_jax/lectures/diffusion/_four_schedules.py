"""The figure of the lecture on noise schedules."""

import numpy as np

from theory_jax.diffusion.noise_schedules import (
    alpha_bar_from_sigmas,
    cosine_alpha_bar,
    linear_alpha_bar,
    log_linear_sigmas,
    log_snr,
    rescale_zero_terminal_snr,
    scaled_linear_alpha_bar,
)


def draw_schedules(left, right):
    """The log-SNR and the level of four schedules of 1000 steps, and of the linear one rescaled."""
    time = np.arange(1, 1001) / 1000
    linear = linear_alpha_bar(num_steps=1000)
    for name, levels, style in (
        ("linear", linear, "-"),
        ("scaled linear", scaled_linear_alpha_bar(num_steps=1000), "-"),
        ("cosine", cosine_alpha_bar(num_steps=1000), "-"),
        ("log-linear", alpha_bar_from_sigmas(log_linear_sigmas(num_steps=1000, sigma_min=0.01, sigma_max=50.0)), "-"),
        ("linear, rescaled", rescale_zero_terminal_snr(linear), "--"),
    ):
        left.plot(time, np.clip(log_snr(levels[1:]), -14, 14), style, label=name)
        right.plot(time, levels[1:], style, label=name)
    left.set(xlabel="$t / T$", ylabel=r"$\lambda_t$", ylim=(-13, 11))
    right.set(xlabel="$t / T$", ylabel=r"$\bar\alpha_t$")
    left.legend(loc="lower left")
