"""Wrong forms of the ELBO that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from practice_torch.diffusion import elbo as right
from practice_torch.diffusion import reverse_process as reverse
from tests.support.mistakes import Mistake


def _rows(x):
    return x.unsqueeze(-1).flatten(1)


def _kl(mean_q, log_var_q, mean_p, log_var_p, *, swap=False, mean=False, half=True, deviation=False):
    if swap:
        mean_q, log_var_q, mean_p, log_var_p = mean_p, log_var_p, mean_q, log_var_q
    power = 0.5 if deviation else 1.0
    ratio = log_var_q - log_var_p
    terms = _rows((power * ratio).exp() - ratio - 1 + (mean_q - mean_p).square() * (-power * log_var_p).exp())
    return (terms.mean(1) if mean else terms.sum(1)) / (2 if half else 1)


def _prior(x0, alpha_bar, *, at=-1, mean=False, half=True, power=1.0, means_alone=False, log=None):
    a = alpha_bar[at] ** power
    rest = 0.0 if means_alone else -a - (torch.log1p(-a) if log is None else log(a))
    terms = _rows(a * x0.square() + rest)
    return (terms.mean(1) if mean else terms.sum(1)) / (2 if half else 1)


def _denoising(x0, x_t, t, noise_pred, alpha_bar, *, variance="large", variances=None, late=0, no_chain=False, **how):
    right.denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=variance)
    small, large = reverse.posterior_log_variance(t, alpha_bar), reverse.reverse_log_variance(t, alpha_bar, variance=variance)
    if variances:
        small = large = {"small": small, "large": large}[variances]
    log_vars = (v.reshape(-1, *[1] * (x_t.ndim - 1)).expand_as(x_t) for v in (small, large))
    mean_q = x0 if no_chain else reverse.posterior_mean(x0, x_t, (t - late).clamp(min=1), alpha_bar)
    log_var_q, log_var_p = log_vars
    return _kl(mean_q, log_var_q, reverse.reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar), log_var_p, **how)


def _cells(x0, mean, log_var, *, num_levels=256, half=None, open_ended=True, scale=0.5, clamp=None, average=False, density=False):
    edge = 1 / (num_levels - 1)
    half = edge if half is None else half(num_levels)
    s = (scale * log_var).exp()
    if density:
        cells = math.log(2 * edge) + torch.distributions.Normal(mean, s).log_prob(x0)
        return _rows(cells).sum(1)
    upper, lower = torch.special.ndtr((x0 + half - mean) / s), torch.special.ndtr((x0 - half - mean) / s)
    if open_ended:
        upper, lower = torch.where(x0 > 1 - edge, 1.0, upper), torch.where(x0 < edge - 1, 0.0, lower)
    cells = upper - lower
    cells = (cells if clamp is None else cells.clamp(min=clamp)).log()
    return _rows(cells).mean(1) if average else _rows(cells).sum(1)


def _terms(x0, noises, denoise_fn, alpha_bar, *, variance="large", num_levels=256, shift=0, time=0, one_draw=False, edit=None):
    """edit changes the right terms; shift takes another step's noise; time tells the network another time."""
    if one_draw:
        noises = noises[:1].expand_as(noises)
    noises = noises.roll(shift, 0)
    terms = right.elbo_terms(
        x0, noises, lambda x, t: denoise_fn(x, t + time), alpha_bar, variance=variance, num_levels=num_levels
    )
    return terms if edit is None else edit(terms, x0)


def _by_noise(x0, x_t, t, noise_pred, alpha_bar, *, variance="large"):
    """The variances' part, and a weight times the squared error of the noise."""
    right.denoising_kl(x0, x_t, t, noise_pred, alpha_bar, variance=variance)
    before, after = alpha_bar[t - 1], alpha_bar[t]
    beta, over = 1 - after / before, (-1, *[1] * (x_t.ndim - 1))
    noise = (x_t - after.sqrt().reshape(over) * x0) / (1 - after).sqrt().reshape(over)
    log_var = reverse.reverse_log_variance(t, alpha_bar, variance=variance)
    ratio = reverse.posterior_log_variance(t, alpha_bar) - log_var
    weight = beta.square() / (2 * log_var.exp() * (1 - beta) * (1 - after))
    dimensions = math.prod(x_t.shape[1:])
    return dimensions * (torch.expm1(ratio) - ratio) / 2 + weight * _rows(noise - noise_pred).square().sum(1)


def _all_levels_at_once(x0, noises, denoise_fn, alpha_bar, *, variance="large", num_levels=256):
    """The divergences of all steps as one batch of T B examples."""
    terms = right.elbo_terms(x0, noises, denoise_fn, alpha_bar, variance=variance, num_levels=num_levels)
    steps, batch = noises.shape[:2]
    if steps == 1:
        return terms
    t = torch.arange(2, steps + 1).repeat_interleave(batch)
    copies = x0.repeat(steps - 1, *[1] * (x0.ndim - 1))
    x_t = right.forward_sample(copies, t, noises[1:].reshape(copies.shape), alpha_bar)
    between = right.denoising_kl(copies, x_t, t, denoise_fn(x_t, t), alpha_bar, variance=variance)
    return torch.cat([terms[:, :1], between.reshape(steps - 1, batch).T, terms[:, -1:]], dim=1)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("gaussian_kl", "reversed", _wrong(_kl, swap=True)),
    Mistake("gaussian_kl", "the mean over dimensions", _wrong(_kl, mean=True)),
    Mistake("gaussian_kl", "the half forgotten", _wrong(_kl, half=False)),
    Mistake("gaussian_kl", "log-variance for log-deviation", _wrong(_kl, deviation=True)),
    Mistake("prior_kl", "the mean over dimensions", _wrong(_prior, mean=True)),
    Mistake("prior_kl", "the half forgotten", _wrong(_prior, half=False)),
    Mistake("prior_kl", "one step early", _wrong(_prior, at=-2)),
    Mistake("prior_kl", "the root of the level", _wrong(_prior, power=0.5)),
    Mistake("prior_kl", "the means alone", _wrong(_prior, means_alone=True)),
    Mistake("prior_kl", "log(1 - a), which loses a small a", _wrong(_prior, log=lambda a: torch.log(1 - a))),
    Mistake("denoising_kl", "reversed", _wrong(_denoising, swap=True)),
    Mistake("denoising_kl", "the mean over dimensions", _wrong(_denoising, mean=True)),
    Mistake("denoising_kl", "both variances large", _wrong(_denoising, variances="large")),
    Mistake("denoising_kl", "both variances small", _wrong(_denoising, variances="small")),
    Mistake("denoising_kl", "the posterior of a step before", _wrong(_denoising, late=1)),
    Mistake("denoising_kl", "the data for the posterior's mean", _wrong(_denoising, no_chain=True)),
    Mistake(
        "denoising_kl",
        "t = 1 passes",
        lambda x0, x_t, t, noise_pred, alpha_bar, *, variance="large": right.denoising_kl(
            x0, x_t, t.clamp(min=2), noise_pred, alpha_bar, variance=variance
        ),
        only_checks=True,
    ),
    Mistake("discretized_gaussian_log_prob", "half a cell is 1/num_levels", _wrong(_cells, half=lambda n: 1 / n)),
    Mistake("discretized_gaussian_log_prob", "the whole cell to both sides", _wrong(_cells, half=lambda n: 2 / (n - 1))),
    Mistake("discretized_gaussian_log_prob", "outer cells closed", _wrong(_cells, open_ended=False)),
    Mistake("discretized_gaussian_log_prob", "clamped at 1e-12", _wrong(_cells, clamp=1e-12)),
    Mistake("discretized_gaussian_log_prob", "a difference of probabilities", _cells),
    Mistake("discretized_gaussian_log_prob", "log_var for the log-deviation", _wrong(_cells, scale=1.0)),
    Mistake("discretized_gaussian_log_prob", "the density times the width", _wrong(_cells, density=True)),
    Mistake("discretized_gaussian_log_prob", "the mean over dimensions", _wrong(_cells, average=True)),
    Mistake(
        "elbo_terms",
        "the sign of the decoder",
        _wrong(_terms, edit=lambda terms, x0: terms * torch.where(torch.arange(terms.shape[1]) == 0, -1.0, 1.0)),
    ),
    Mistake("elbo_terms", "the mean over dimensions", _wrong(_terms, edit=lambda terms, x0: terms / math.prod(x0.shape[1:]))),
    Mistake("elbo_terms", "the mean over steps", _wrong(_terms, edit=lambda terms, x0: terms / (terms.shape[1] - 1))),
    Mistake("elbo_terms", "the prior first", _wrong(_terms, edit=lambda terms, x0: terms.roll(1, 1))),
    Mistake(
        "elbo_terms",
        "without the prior",
        _wrong(_terms, edit=lambda terms, x0: torch.cat([terms[:, :-1], torch.zeros_like(terms[:, :1])], 1)),
    ),
    Mistake(
        "elbo_terms",
        "the decoder as a divergence from a posterior without variance",
        _wrong(_terms, edit=lambda terms, x0: torch.cat([torch.full_like(terms[:, :1], math.inf), terms[:, 1:]], 1)),
    ),
    Mistake("elbo_terms", "the noise of another step", _wrong(_terms, shift=1)),
    Mistake("elbo_terms", "one draw for all steps", _wrong(_terms, one_draw=True)),
    Mistake("elbo_terms", "the network counts from 0", _wrong(_terms, time=-1)),
    Mistake("elbo_terms", "variance ignored", lambda *given, variance="large", **named: right.elbo_terms(*given, **named)),
)


def _of_distributions(mean_q, log_var_q, mean_p, log_var_p):
    q, p = (Normal(m, v.exp().sqrt(), validate_args=False) for m, v in ((mean_q, log_var_q), (mean_p, log_var_p)))
    return _rows(kl_divergence(q, p)).sum(1)


EQUIVALENT = (
    Mistake("gaussian_kl", "torch.distributions", _of_distributions, core_alone=True),
    Mistake("denoising_kl", "a weight times the squared error of the noise", _by_noise),
    Mistake("elbo_terms", "all levels as one batch", _all_levels_at_once),
)
