"""The formulas of diffusion/forward_process, word for word as in its docstrings, in NumPy."""

import numpy as np
from numpy import log, pi, sqrt


def a(alpha_bar, t, x=None):
    """a_t of each example, with axes that broadcast over those of x."""
    return np.asarray(alpha_bar)[t].reshape(-1, *([1] * (np.ndim(x) - 1 if x is not None else 0)))


def beta(alpha_bar, t, x=None):
    return 1 - a(alpha_bar, t, x) / a(alpha_bar, t - 1, x)


def small(alpha_bar, t, x=None):
    """beta~_t."""
    return (1 - a(alpha_bar, t - 1, x)) / (1 - a(alpha_bar, t, x)) * beta(alpha_bar, t, x)


def summed(x):
    return x.reshape(len(x), int(np.prod(x.shape[1:]))).sum(1)


def _jump(x_s, s, t, noise, alpha_bar):
    r = a(alpha_bar, t, x_s) / a(alpha_bar, s, x_s)
    return np.where((s == t).reshape(-1, *([1] * (x_s.ndim - 1))), x_s, sqrt(r) * x_s + sqrt(1 - r) * noise)


def _gaussian(x_t, x_s, s, t, alpha_bar):
    r = a(alpha_bar, t, x_s) / a(alpha_bar, s, x_s)
    return summed(-0.5 * (log(2 * pi * (1 - r)) + (x_t - sqrt(r) * x_s) ** 2 / (1 - r)))


FORMULAS = {
    "forward_step": lambda x_prev, t, noise, alpha_bar: (
        sqrt(1 - beta(alpha_bar, t, x_prev)) * x_prev + sqrt(beta(alpha_bar, t, x_prev)) * noise
    ),
    "forward_sample": lambda x0, t, noise, alpha_bar: sqrt(a(alpha_bar, t, x0)) * x0 + sqrt(1 - a(alpha_bar, t, x0)) * noise,
    "forward_from": _jump,
    "forward_marginal": lambda x0, t, alpha_bar: (sqrt(a(alpha_bar, t, x0)) * x0, log(1 - a(alpha_bar, t))),
    "forward_log_prob": _gaussian,
}
