"""The formulas of diffusion/simple_loss, word for word as in its docstrings, in NumPy."""

from numpy import exp, log

from tests.diffusion.literal_forward_process import FORMULAS as FORWARD
from tests.diffusion.literal_forward_process import a, beta, small, summed
from tests.diffusion.literal_reverse_process import FORMULAS as REVERSE


def _weight(t, alpha_bar, *, variance="large"):
    b, variances = beta(alpha_bar, t), {"large": beta, "small": small}
    return b**2 / (2 * variances[variance](alpha_bar, t) * (1 - b) * (1 - a(alpha_bar, t)))


def _weighted_loss(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
    return _weight(t, alpha_bar, variance=variance) * FORMULAS["simple_loss"](x0, t, noise, denoise_fn, alpha_bar)


def _divergence(x0, x_t, t, noise_pred, v, alpha_bar):
    mean = REVERSE["posterior_mean"](x0, x_t, t, alpha_bar)
    guess = REVERSE["reverse_mean_from_noise"](x_t, noise_pred, t, alpha_bar)
    true, learned = log(small(alpha_bar, t, x0)), REVERSE["interpolated_log_variance"](v, t, alpha_bar)
    return summed(0.5 * (learned - true + (exp(true) + (mean - guess) ** 2) * exp(-learned) - 1))


FORMULAS = {
    "squared_error": lambda prediction, target: summed((prediction - target) ** 2),
    "simple_loss": lambda x0, t, noise, denoise_fn, alpha_bar: summed(
        (noise - denoise_fn(FORWARD["forward_sample"](x0, t, noise, alpha_bar), t)) ** 2
    ),
    "variational_weight": _weight,
    "variational_loss": _weighted_loss,
    "learned_variance_loss": _divergence,
}
