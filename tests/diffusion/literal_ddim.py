"""The formulas of diffusion/ddim, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import sqrt

from tests.diffusion.literal_forward_process import a


def _deviation(t, s, alpha_bar, *, eta):
    a_t, a_s = a(alpha_bar, t), a(alpha_bar, s)
    return eta * sqrt((1 - a_s) / (1 - a_t)) * sqrt(1 - a_t / a_s)


def _mean(x0, x_t, t, s, alpha_bar, *, eta):
    a_t, a_s, sigma = a(alpha_bar, t, x0), a(alpha_bar, s, x0), _broadcast_deviation(t, s, alpha_bar, eta, x0)
    return sqrt(a_s) * x0 + sqrt(1 - a_s - sigma**2) * (x_t - sqrt(a_t) * x0) / sqrt(1 - a_t)


def _stepped(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
    a_t, a_s, sigma = a(alpha_bar, t, x_t), a(alpha_bar, s, x_t), _broadcast_deviation(t, s, alpha_bar, eta, x_t)
    x0 = (x_t - sqrt(1 - a_t) * noise_pred) / sqrt(a_t)
    if clip is not None:
        x0 = np.clip(x0, -clip, clip)
        noise_pred = (x_t - sqrt(a_t) * x0) / sqrt(1 - a_t)
    return sqrt(a_s) * x0 + sqrt(1 - a_s - sigma**2) * noise_pred + sigma * noise


def _broadcast_deviation(t, s, alpha_bar, eta, x):
    return _deviation(t, s, alpha_bar, eta=eta).reshape(-1, *([1] * (x.ndim - 1)))


FORMULAS = {"ddim_sigma": _deviation, "non_markovian_mean": _mean, "ddim_step": _stepped}
