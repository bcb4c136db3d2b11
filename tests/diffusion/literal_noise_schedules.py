"""The formulas of diffusion/noise_schedules, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import cos, exp, log, pi, sqrt


def _cosine(*, num_steps, offset=0.008, beta_max=0.999):
    f = cos((np.arange(num_steps + 1) / num_steps + offset) / (1 + offset) * pi / 2) ** 2
    return FORMULAS["alpha_bar_from_betas"](np.minimum(1 - f[1:] / f[:-1], beta_max))


def _without_signal(alpha_bar):
    root = sqrt(alpha_bar)
    rest = (root[1:] - root[-1]) * root[1] / (root[1] - root[-1])
    return np.concatenate([np.ones(1, alpha_bar.dtype), rest**2])


def _shifted(alpha_bar, *, base_resolution, resolution):
    k = (base_resolution / resolution) ** 2
    return alpha_bar * k / (1 - alpha_bar + alpha_bar * k)


FORMULAS = {
    "alpha_bar_from_betas": lambda betas: np.concatenate([np.ones(1, betas.dtype), np.cumprod(1 - betas)]),
    "linear_alpha_bar": lambda *, num_steps, beta_start=0.0001, beta_end=0.02: FORMULAS["alpha_bar_from_betas"](
        np.linspace(beta_start, beta_end, num_steps)
    ),
    "scaled_linear_alpha_bar": lambda *, num_steps, beta_start=0.00085, beta_end=0.012: FORMULAS["alpha_bar_from_betas"](
        np.linspace(sqrt(beta_start), sqrt(beta_end), num_steps) ** 2
    ),
    "cosine_alpha_bar": _cosine,
    "rescale_zero_terminal_snr": _without_signal,
    "log_linear_sigmas": lambda *, num_steps, sigma_min, sigma_max: np.concatenate(
        [[0.0], exp(np.linspace(log(sigma_min), log(sigma_max), num_steps))]
    ),
    "alpha_bar_from_sigmas": lambda sigmas: 1 / (1 + sigmas**2),
    "log_snr": lambda alpha_bar: log(alpha_bar) - log(1 - alpha_bar),
    "alpha_bar_from_log_snr": lambda log_snr: 1 / (1 + exp(-log_snr)),
    "shift_log_snr": _shifted,
}
