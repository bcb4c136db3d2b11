"""The formulas of diffusion/reverse_process, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import log, sqrt

from tests.diffusion.literal_forward_process import a, beta, small


def _weighted(x0, x_t, t, alpha_bar):
    now, before, b = a(alpha_bar, t, x0), a(alpha_bar, t - 1, x0), beta(alpha_bar, t, x0)
    return sqrt(before) * b / (1 - now) * x0 + sqrt(1 - b) * (1 - before) / (1 - now) * x_t


def _without_the_noise(x_t, noise_pred, t, alpha_bar):
    b = beta(alpha_bar, t, x_t)
    return (x_t - b / sqrt(1 - a(alpha_bar, t, x_t)) * noise_pred) / sqrt(1 - b)


def _between(v, t, alpha_bar):
    w = (v + 1) / 2
    return w * log(beta(alpha_bar, t, v)) + (1 - w) * log(small(alpha_bar, np.maximum(t, 2), v))


FORMULAS = {
    "posterior_mean": _weighted,
    "posterior_log_variance": lambda t, alpha_bar: log(small(alpha_bar, t)),
    "reverse_log_variance": lambda t, alpha_bar, *, variance="large": (
        log(beta(alpha_bar, t)) if variance == "large" else log(small(alpha_bar, np.maximum(t, 2)))
    ),
    "reverse_mean_from_noise": _without_the_noise,
    "interpolated_log_variance": _between,
}
