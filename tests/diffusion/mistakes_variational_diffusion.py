"""Wrong forms of variational diffusion that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.diffusion import variational_diffusion as right
from tests.support.mistakes import Mistake


def _beside(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _sum(x):
    return x.unsqueeze(-1).flatten(1).sum(1)


def _line(time, *, log_snr_max, log_snr_min, wrong):
    return wrong(time, log_snr_max, log_snr_min)


def _sample(x0, noise, log_snr, *, factor=1.0, power=0.5, noise_power=0.5, exchanged=False, root=False, axis=0):
    kept, lost = torch.sigmoid(factor * log_snr), torch.sigmoid(-factor * log_snr)
    if root:
        alpha = kept.sqrt()
        sigma = (1 - alpha.square()).sqrt()
    else:
        alpha, sigma = kept**power, lost**noise_power
    alpha, sigma = (sigma, alpha) if exchanged else (alpha, sigma)
    if axis == 1 and x0.shape[-1] == len(log_snr) and x0.ndim == 2:
        return alpha * x0 + sigma * noise
    return _beside(alpha, x0) * x0 + _beside(sigma, x0) * noise


def _posterior(
    z_t, x0, log_snr_t, log_snr_s, *, exchanged=False, divided=True, scaled=True, half=1.0, variance=None, naive=False
):
    step = half * (log_snr_t - log_snr_s)
    c = 1 - log_snr_t.exp() / log_snr_s.exp() if naive else -torch.expm1(step)
    alpha_s, alpha_t = torch.sigmoid(log_snr_s).sqrt(), torch.sigmoid(log_snr_t).sqrt()
    of_z, of_x = (c, 1 - c) if exchanged else (1 - c, c)
    of_z = of_z / alpha_t if divided else of_z
    alpha_s = alpha_s if scaled else 1.0
    mean = _beside(alpha_s * of_z, z_t) * z_t + _beside(alpha_s * of_x, x0) * x0
    log_var = variance(log_snr_s, log_snr_t, c) if variance else logsigmoid(-log_snr_s) + c.log()
    return mean, log_var


def _posterior_by_one_logarithm(z_t, x0, log_snr_t, log_snr_s):
    """Where nothing moves, the branch that is not taken has slope inf, and 0 x inf is NaN."""
    fall = log_snr_s - log_snr_t
    far = fall > 1
    log_share = torch.where(far, torch.log1p(-torch.exp(-fall)), (-torch.expm1(-fall.masked_fill(far, 1.0))).log())
    return right.posterior(z_t, x0, log_snr_t, log_snr_s)[0], (logsigmoid(-log_snr_s) + log_share).to(z_t.dtype)


def _discrete(x0_pred, x0, log_snr_s, log_snr_t, *, weight, mean=False, root=False):
    distance = (x0 - x0_pred).square()
    distance = distance.reshape(len(x0), -1).mean(1) if mean else _sum(distance)
    return weight(log_snr_s, log_snr_t) * (distance.sqrt() if root else distance)


def _continuous(noise_pred, noise, log_snr_slope, *, factor=-0.5, mean=False, weighted=True):
    distance = (noise - noise_pred).square().reshape(len(noise), -1)
    distance = distance.mean(1) if mean else distance.sum(1)
    return factor * log_snr_slope * distance if weighted else distance


def _reconstruction(
    z0, x0_index, values, log_snr_0, *, alpha=None, variance=None, choice=True, mean=False, clamp=None, factor=0.5
):
    alpha = torch.sigmoid(log_snr_0).sqrt() if alpha is None else alpha(log_snr_0)
    variance = torch.sigmoid(-log_snr_0) if variance is None else variance(log_snr_0)
    squares = (z0.unsqueeze(-1) - _beside(alpha, z0).unsqueeze(-1) * values).square()
    logits = -factor * squares / _beside(variance, z0).unsqueeze(-1)
    log_probs = logits.log_softmax(-1) if choice else logits - (2 * torch.pi * _beside(variance, z0).unsqueeze(-1)).log() / 2
    chosen = log_probs.gather(-1, x0_index.long().unsqueeze(-1)).flatten(1)
    chosen = chosen if clamp is None else chosen.exp().clamp(min=clamp).log()
    return chosen.mean(1) if mean else chosen.sum(1)


def _times(u, *, batch_size, wrong):
    return wrong(u, torch.arange(batch_size, dtype=u.dtype), batch_size)


def _stretched(u, *, batch_size):
    """(i + u)/n: one in every n-th, too, but each stays in its own."""
    right.low_discrepancy_times(u, batch_size=batch_size)
    return (torch.arange(batch_size, dtype=u.dtype) + u) / batch_size


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _weight(weight, **how):
    return _wrong(_discrete, weight=weight, **how)


def _of_precisions(z_t, x0, log_snr_t, log_snr_s):
    """The product of q(z_s | x_0) and q(z_t | z_s) as functions of z_s: precisions add."""
    mean, log_var = right.posterior(z_t, x0, log_snr_t, log_snr_s)  # for its checks, and where a precision is infinite
    if bool((log_snr_t - log_snr_s > -1e-2).any()) or bool((log_snr_s > 30).any()):
        return mean, log_var
    alpha_t, alpha_s = torch.exp(logsigmoid(log_snr_t) / 2), torch.exp(logsigmoid(log_snr_s) / 2)
    ratio = alpha_t / alpha_s
    spread = torch.sigmoid(-log_snr_t) - ratio.square() * torch.sigmoid(-log_snr_s)
    of_data, of_step = 1 / torch.sigmoid(-log_snr_s), ratio.square() / spread
    precision = of_data + of_step
    mean = _beside(of_step / ratio / precision, z_t) * z_t + _beside(alpha_s * of_data / precision, x0) * x0
    return mean, -precision.log()


def _by_log_softmax(z0, x0_index, values, log_snr_0):
    found = right.reconstruction_log_prob(z0, x0_index, values, log_snr_0)  # for its checks, and where softmax loses digits
    if bool((log_snr_0.abs() > 2.5).any()):
        return found
    return _reconstruction(z0, x0_index, values, log_snr_0)


def _factored(x0_pred, x0, log_snr_s, log_snr_t):
    """Half the product of sum and difference of the roots of the SNRs, by a hyperbolic sine."""
    found = right.discrete_diffusion_loss(x0_pred, x0, log_snr_s, log_snr_t)  # for its checks, and where the slopes cancel
    if bool((log_snr_s - log_snr_t > 5).any()):
        return found
    middle, half = (log_snr_s + log_snr_t) / 2, (log_snr_s - log_snr_t) / 2
    return _sum((x0 - x0_pred).square()) * middle.exp() * half.sinh()


def _inside(noise_pred, noise, log_snr_slope):
    loss = right.continuous_diffusion_loss(noise_pred, noise, log_snr_slope)
    if bool((log_snr_slope == 0).any()):
        return loss  # a root has no slope there
    root = _beside((-log_snr_slope / 2).sqrt(), noise)
    return _sum((root * noise - root * noise_pred).square())


MISTAKES = (
    Mistake("linear_log_snr", "upside down", _wrong(_line, wrong=lambda time, top, bottom: bottom + time * (top - bottom))),
    Mistake("linear_log_snr", "down by the top", _wrong(_line, wrong=lambda time, top, bottom: top * (1 - time))),
    Mistake("linear_log_snr", "from zero", _wrong(_line, wrong=lambda time, top, bottom: time * (bottom - top))),
    Mistake(
        "linear_log_snr",
        "a line of alpha bar, not of its log-SNR",
        _wrong(
            _line, wrong=lambda time, top, bottom: torch.logit((1 - time) / (1 + math.exp(-top)) + time / (1 + math.exp(-bottom)))
        ),
    ),
    Mistake(
        "linear_log_snr",
        "no check of time",
        _wrong(_line, wrong=lambda time, top, bottom: top + time * (bottom - top)),
        only_checks=True,
    ),
    Mistake("variance_preserving_sample", "half the log-SNR meant", _wrong(_sample, factor=2.0)),
    Mistake("variance_preserving_sample", "sigmoid for its root", _wrong(_sample, power=1.0, noise_power=1.0)),
    Mistake("variance_preserving_sample", "the variance for the deviation", _wrong(_sample, noise_power=1.0)),
    Mistake("variance_preserving_sample", "data and noise exchanged", _wrong(_sample, exchanged=True)),
    Mistake("variance_preserving_sample", "sigma from a rounded alpha", _wrong(_sample, root=True)),
    Mistake("variance_preserving_sample", "a slope that has rounded to zero", _sample),
    Mistake("variance_preserving_sample", "levels along the last axis", _wrong(_sample, axis=1)),
    Mistake("posterior", "c and 1 - c exchanged", _wrong(_posterior, exchanged=True)),
    Mistake("posterior", "z not divided by alpha_t", _wrong(_posterior, divided=False)),
    Mistake("posterior", "without alpha_s", _wrong(_posterior, scaled=False)),
    Mistake("posterior", "half the step", _wrong(_posterior, half=0.5)),
    Mistake("posterior", "c for sigma_s^2 c", _wrong(_posterior, variance=lambda s, t, c: c.log())),
    Mistake("posterior", "sigma_t^2 c", _wrong(_posterior, variance=lambda s, t, c: logsigmoid(-t) + c.log())),
    Mistake("posterior", "the log-deviation", _wrong(_posterior, variance=lambda s, t, c: (logsigmoid(-s) + c.log()) / 2)),
    Mistake("posterior", "clamped", _wrong(_posterior, variance=lambda s, t, c: (logsigmoid(-s) + c.log()).clamp(min=-46.0))),
    Mistake("posterior", "NaN in the gradient where nothing moves", _posterior_by_one_logarithm),
    Mistake("posterior", "a ratio of exponentials", _wrong(_posterior, naive=True)),
    Mistake("posterior", "digits of c are lost", _posterior),
    Mistake("posterior", "s and t exchanged", lambda z_t, x0, log_snr_t, log_snr_s: _posterior(z_t, x0, log_snr_s, log_snr_t)),
    Mistake(
        "posterior",
        "forth instead of back",
        lambda z_t, x0, log_snr_t, log_snr_s: right.posterior(z_t, x0, torch.minimum(log_snr_t, log_snr_s), log_snr_s),
        only_checks=True,
    ),
    Mistake("discrete_diffusion_loss", "the difference's sign", _weight(lambda s, t: (t.exp() - s.exp()) / 2)),
    Mistake("discrete_diffusion_loss", "without the half", _weight(lambda s, t: s.exp() - t.exp())),
    Mistake("discrete_diffusion_loss", "a difference of log-SNRs", _weight(lambda s, t: (s - t) / 2)),
    Mistake("discrete_diffusion_loss", "a difference of levels", _weight(lambda s, t: (torch.sigmoid(s) - torch.sigmoid(t)) / 2)),
    Mistake("discrete_diffusion_loss", "the weight of a noise prediction", _weight(lambda s, t: torch.expm1(s - t) / 2)),
    Mistake("discrete_diffusion_loss", "infinitely many steps", _weight(lambda s, t: (s - t) * t.exp() / 2)),
    Mistake("discrete_diffusion_loss", "the mean over dimensions", _weight(lambda s, t: (s.exp() - t.exp()) / 2, mean=True)),
    Mistake("discrete_diffusion_loss", "the distance, not its square", _weight(lambda s, t: (s.exp() - t.exp()) / 2, root=True)),
    Mistake(
        "discrete_diffusion_loss",
        "absolute, so that the order does not matter",
        lambda x0_pred, x0, log_snr_s, log_snr_t: right.discrete_diffusion_loss(
            x0_pred, x0, torch.maximum(log_snr_s, log_snr_t), torch.minimum(log_snr_s, log_snr_t)
        ),
        only_checks=True,
    ),
    Mistake("continuous_diffusion_loss", "the slope's own sign", _wrong(_continuous, factor=0.5)),
    Mistake("continuous_diffusion_loss", "without the half", _wrong(_continuous, factor=-1.0)),
    Mistake("continuous_diffusion_loss", "the simple loss", _wrong(_continuous, weighted=False)),
    Mistake("continuous_diffusion_loss", "the mean over dimensions", _wrong(_continuous, mean=True)),
    Mistake(
        "continuous_diffusion_loss",
        "no gradient to the schedule",
        lambda noise_pred, noise, log_snr_slope: right.continuous_diffusion_loss(noise_pred, noise, log_snr_slope.detach()),
    ),
    Mistake("continuous_diffusion_loss", "no check of the sign", _continuous, only_checks=True),
    Mistake("reconstruction_log_prob", "alpha forgotten", _wrong(_reconstruction, alpha=torch.ones_like)),
    Mistake("reconstruction_log_prob", "without the 2 of 2 sigma^2", _wrong(_reconstruction, factor=1.0)),
    Mistake(
        "reconstruction_log_prob",
        "the deviation for the variance",
        _wrong(_reconstruction, variance=lambda level: torch.sigmoid(-level).sqrt()),
    ),
    Mistake("reconstruction_log_prob", "alpha^2 for alpha", _wrong(_reconstruction, alpha=torch.sigmoid)),
    Mistake("reconstruction_log_prob", "a density, not a choice", _wrong(_reconstruction, choice=False)),
    Mistake("reconstruction_log_prob", "the mean over dimensions", _wrong(_reconstruction, mean=True)),
    Mistake("reconstruction_log_prob", "clamped", _wrong(_reconstruction, clamp=1e-12)),
    Mistake("reconstruction_log_prob", "squares that cancel", _reconstruction),
    Mistake(
        "reconstruction_log_prob",
        "an index from the end",
        lambda z0, x0_index, values, log_snr_0: right.reconstruction_log_prob(
            z0, x0_index.long() % len(values), values, log_snr_0
        ),
        only_checks=True,
    ),
    Mistake("low_discrepancy_times", "not wrapped", _wrong(_times, wrong=lambda u, i, n: u + i / n)),
    Mistake("low_discrepancy_times", "ends included", _wrong(_times, wrong=lambda u, i, n: (u + i / max(n - 1, 1)).remainder(1))),
    Mistake("low_discrepancy_times", "the grid not moved", _wrong(_times, wrong=lambda u, i, n: 0 * u + i / n)),
    Mistake("low_discrepancy_times", "one time for all", _wrong(_times, wrong=lambda u, i, n: u + 0 * i)),
    Mistake("low_discrepancy_times", "moved within its part only", _stretched),
)

EQUIVALENT = (
    Mistake("posterior", "precisions add", _of_precisions),
    Mistake("discrete_diffusion_loss", "a hyperbolic sine", _factored),
    Mistake("reconstruction_log_prob", "log-softmax of squares", _by_log_softmax),
    Mistake("continuous_diffusion_loss", "the slope inside the square", _inside),
)
