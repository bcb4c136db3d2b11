"""Wrong forms of score prediction that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import score_prediction as right
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _score(noise, t, alpha_bar, *, sign=-1, power=-0.5, late=0):
    return sign * noise * _over((1 - alpha_bar[(t.long() - late).clamp(min=0)]) ** power, noise)


def _tweedie(x_t, score, t, alpha_bar, *, sign=1, power=1.0, root=0.5, divided=True):
    a = alpha_bar[t]
    seen = x_t + sign * _over((1 - a) ** power, x_t) * score
    return seen / _over(a**root, x_t) if divided else seen


def _loss(x0, noise, sigma, score_fn, *, sign=1, weight=0, half=2, power=1.0, clean=False, reduce=torch.sum, batch=False):
    wide = _over(sigma, x0)
    score = score_fn(x0 if clean else x0 + wide**power * noise, sigma)
    error = (wide * score + sign * noise).square().reshape(len(x0), -1)
    losses = reduce(error, 1) / half * sigma**weight
    return losses.mean().expand(len(x0)) if batch else losses


def _diffused(means, log_vars, t, alpha_bar, *, root=0.5, log_var=lambda a, lv: torch.log(a * lv.exp() + 1 - a)):
    a = alpha_bar[t.long()][:, None]
    return (a**root)[:, :, None] * means, log_var(a, log_vars)


def _logits(x, means, log_vars, log_weights, *, half=2, normalizer=1.0, one=False, weights=1.0, deviation=False):
    away = (x[:, None] - means).square().sum(2)
    variance = (log_vars / 2 if deviation else log_vars).exp()
    dimensions = 1 if one else x.shape[1]
    shares = log_weights if weights else torch.full_like(log_weights, -math.log(len(log_weights)))
    return shares - away / variance / half - normalizer * dimensions * torch.log(2 * math.pi * variance) / 2


def _log_prob(x, means, log_vars, log_weights, *, naive=False, average=False, **how):
    logits = _logits(x, means, log_vars, log_weights, **how)
    if average:
        return (log_weights.exp() * logits.nan_to_num(neginf=0.0)).sum(1)
    return logits.exp().sum(1).log() if naive else logits.logsumexp(1)


def _mixture_score(x, means, log_vars, log_weights, *, sign=1, power=1.0, naive=False, prior=False, product=False, **how):
    logits = _logits(x, means, log_vars, log_weights, **how)
    shares = logits.exp() / logits.exp().sum(1, keepdim=True) if naive else logits.softmax(1)
    if prior:
        shares = log_weights.exp().expand(shares.shape)
    if product:  # log_weights - log_weights is NaN for a component without weight
        shares = shares * (1 + (log_weights - log_weights))
    pulls = shares / log_vars.exp() ** power
    return sign * (pulls[..., None] * (means - x[:, None])).sum(1)


def _denoiser(x_t, data, t, alpha_bar, *, half=2, root=0.5, power=1.0, shrunk=False, nearest=False, hidden=False):
    a = alpha_bar[t.long()]
    points = data.reshape(1, len(data), -1)
    if len(data) == 0:
        return right.empirical_posterior_mean(x_t, data, t, alpha_bar)
    seen = x_t.reshape(len(x_t), 1, -1)
    distances = (seen - _over(a**root, seen) * points).square().sum(2)
    weights = (-distances / (half * _over((1 - a) ** power, distances))).softmax(1)
    if nearest:
        weights = torch.nn.functional.one_hot(weights.argmax(1), len(data)).to(x_t.dtype)
    if hidden:
        weights = weights.detach()
    mean = (weights @ points[0]).reshape(x_t.shape)
    return _over(a.sqrt(), x_t) * mean if shrunk else mean


def _by_expansion(x_t, data, t, alpha_bar):
    """Products around zero instead of the data's center: all digits go where the data are far from zero."""
    right.empirical_posterior_mean(x_t, data, t, alpha_bar)
    a, points, seen = alpha_bar[t.long()], data.reshape(len(data), -1), x_t.reshape(len(x_t), -1)
    squares = seen.square().sum(1)[:, None] - 2 * a.sqrt()[:, None] * seen @ points.T + a[:, None] * points.square().sum(1)
    return ((-squares / (2 * (1 - a))[:, None]).softmax(1) @ points).reshape(x_t.shape)


def _score_by_kinds(noise, t, alpha_bar):
    from practice_torch.diffusion.parameterizations import convert_prediction

    right.score_from_noise(noise, t, alpha_bar)  # for its checks
    return convert_prediction(noise, torch.zeros_like(noise), t, alpha_bar, source="noise", target="score")


def _tweedie_by_kinds(x_t, score, t, alpha_bar):
    from practice_torch.diffusion.parameterizations import convert_prediction

    right.tweedie_mean(x_t, score, t, alpha_bar)
    return convert_prediction(score, x_t, t, alpha_bar, source="score", target="x0")


def _loss_of_the_noise(x0, noise, sigma, score_fn):
    """Half the simple loss of the noise that corresponds to the score."""
    right.denoising_score_matching_loss(x0, noise, sigma, score_fn)
    predicted = -_over(sigma, x0) * score_fn(x0 + _over(sigma, x0) * noise, sigma)
    return torch.nn.functional.mse_loss(predicted, noise, reduction="none").unsqueeze(-1).flatten(1).sum(1) / 2


def _torchs(x, means, log_vars, log_weights):
    """torch's normal; not its categorical, which would norm the weights and give them other slopes."""
    right.mixture_log_prob(x, means, log_vars, log_weights)
    normal = torch.distributions.Normal(means, (log_vars / 2).exp()[..., None].expand(means.shape), validate_args=False)
    return (log_weights + normal.log_prob(x[:, None]).sum(2)).logsumexp(1)


def _by_whitening(x, means, log_vars, log_weights):
    right.mixture_score(x, means, log_vars, log_weights)
    shares = _logits(x, means, log_vars, log_weights).softmax(1)
    return (shares[..., None] * ((means - x[:, None]) * (-log_vars).exp()[..., None])).sum(1)


def _by_weighing(x_t, data, t, alpha_bar):
    """Around the data's center, the weights as a quotient of exponentials less their largest."""
    right.empirical_posterior_mean(x_t, data, t, alpha_bar)
    a, points = alpha_bar[t.long()][:, None], data.unsqueeze(-1).flatten(1)
    center = points.mean(0)
    seen, around = x_t.unsqueeze(-1).flatten(1) - a.sqrt() * center, points - center
    logits = (seen @ around.T - a.sqrt() * around.square().sum(1) / 2) * a.sqrt() / (1 - a)
    weights = (logits - logits.amax(1, keepdim=True).detach()).exp()
    return (weights @ points / weights.sum(1, keepdim=True)).reshape(x_t.shape)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("score_from_noise", "the other sign", _wrong(_score, sign=1)),
    Mistake("score_from_noise", "not divided by the deviation", _wrong(_score, power=0.0)),
    Mistake("score_from_noise", "divided by the variance", _wrong(_score, power=-1.0)),
    Mistake("score_from_noise", "times the deviation", _wrong(_score, power=0.5)),
    Mistake("score_from_noise", "one step late", _wrong(_score, late=1)),
    Mistake(
        "score_from_noise",
        "t along the last axis",
        lambda noise, t, alpha_bar: (
            -noise / (1 - alpha_bar[t.long()]).sqrt()
            if noise.shape[-1] == len(t)
            else right.score_from_noise(noise, t, alpha_bar)
        ),
    ),
    Mistake("score_from_noise", "no check of t", _score, only_checks=True),
    Mistake("tweedie_mean", "the other sign", _wrong(_tweedie, sign=-1)),
    Mistake("tweedie_mean", "the deviation for the variance", _wrong(_tweedie, power=0.5)),
    Mistake("tweedie_mean", "not divided by the signal", _wrong(_tweedie, divided=False)),
    Mistake("tweedie_mean", "divided by the level", _wrong(_tweedie, root=1.0)),
    Mistake(
        "tweedie_mean", "clipped", lambda x_t, score, t, alpha_bar: right.tweedie_mean(x_t, score, t, alpha_bar).clamp(-1, 1)
    ),
    Mistake(
        "tweedie_mean",
        "noise alone is divided by a small number",
        lambda x_t, score, t, alpha_bar: right.tweedie_mean(x_t, score, t, torch.where(alpha_bar == 0, 1e-8, alpha_bar)),
        only_checks=True,
    ),
    Mistake("denoising_score_matching_loss", "the target's other sign", _wrong(_loss, sign=-1)),
    Mistake("denoising_score_matching_loss", "not weighted by sigma^2", _wrong(_loss, weight=-2)),
    Mistake("denoising_score_matching_loss", "without the half", _wrong(_loss, half=1)),
    Mistake("denoising_score_matching_loss", "the mean over dimensions", _wrong(_loss, reduce=torch.mean)),
    Mistake("denoising_score_matching_loss", "the mean over the batch", _wrong(_loss, batch=True)),
    Mistake("denoising_score_matching_loss", "the score of the clean data", _wrong(_loss, clean=True)),
    Mistake("denoising_score_matching_loss", "sigma^2 times the noise", _wrong(_loss, power=2.0)),
    Mistake(
        "denoising_score_matching_loss",
        "no gradient through the noised data",
        lambda x0, noise, sigma, score_fn: _loss(x0, noise, sigma, lambda x, level: score_fn(x.detach(), level)),
    ),
    Mistake("denoising_score_matching_loss", "no check of sigma", _loss, only_checks=True),
    Mistake("diffused_mixture", "no noise added", _wrong(_diffused, log_var=lambda a, lv: a.log() + lv)),
    Mistake("diffused_mixture", "levels for their roots", _wrong(_diffused, root=1.0)),
    Mistake("diffused_mixture", "variances", _wrong(_diffused, log_var=lambda a, lv: a * lv.exp() + 1 - a)),
    Mistake("diffused_mixture", "log-variances mixed", _wrong(_diffused, log_var=lambda a, lv: a * lv)),
    Mistake(
        "diffused_mixture",
        "deviations mixed",
        _wrong(_diffused, log_var=lambda a, lv: 2 * torch.log(a.sqrt() * (lv / 2).exp() + (1 - a).sqrt())),
    ),
    Mistake("diffused_mixture", "a logarithm that loses what is near one", _diffused),
    Mistake(
        "diffused_mixture",
        "an infinite slope at the data themselves",
        _wrong(_diffused, log_var=lambda a, lv: torch.logaddexp(a.log() + lv, (1 - a).sqrt().log() * 2)),
    ),
    Mistake("diffused_mixture", "log1p of expm1 alone", _wrong(_diffused, log_var=lambda a, lv: torch.log1p(a * lv.expm1()))),
    Mistake("mixture_log_prob", "exponentials that vanish", _wrong(_log_prob, naive=True)),
    Mistake("mixture_log_prob", "without the normalizer", _wrong(_log_prob, normalizer=0.0)),
    Mistake("mixture_log_prob", "the normalizer of one dimension", _wrong(_log_prob, one=True)),
    Mistake("mixture_log_prob", "without the half", _wrong(_log_prob, half=1)),
    Mistake("mixture_log_prob", "the deviation for the variance", _wrong(_log_prob, deviation=True)),
    Mistake("mixture_log_prob", "components alike", _wrong(_log_prob, weights=0.0)),
    Mistake("mixture_log_prob", "the average of the logarithms", _wrong(_log_prob, average=True)),
    Mistake("mixture_log_prob", "no check of the weights", _log_prob, only_checks=True),
    Mistake("mixture_score", "the other sign", _wrong(_mixture_score, sign=-1)),
    Mistake("mixture_score", "divided by the deviation", _wrong(_mixture_score, power=0.5)),
    Mistake("mixture_score", "not divided", _wrong(_mixture_score, power=0.0)),
    Mistake("mixture_score", "components alike", _wrong(_mixture_score, weights=0.0)),
    Mistake("mixture_score", "shares before anything was seen", _wrong(_mixture_score, prior=True)),
    Mistake("mixture_score", "shares without the normalizers", _wrong(_mixture_score, normalizer=0.0)),
    Mistake("mixture_score", "exponentials that vanish", _wrong(_mixture_score, naive=True)),
    Mistake("mixture_score", "NaN from a component without weight", _wrong(_mixture_score, product=True)),
    Mistake("empirical_posterior_mean", "without the half", _wrong(_denoiser, half=1)),
    Mistake("empirical_posterior_mean", "levels for their roots", _wrong(_denoiser, root=1.0)),
    Mistake("empirical_posterior_mean", "data not shrunk", _wrong(_denoiser, root=0.0)),
    Mistake("empirical_posterior_mean", "the deviation for the variance", _wrong(_denoiser, power=0.5)),
    Mistake("empirical_posterior_mean", "the mean of the noised", _wrong(_denoiser, shrunk=True)),
    Mistake("empirical_posterior_mean", "the nearest", _wrong(_denoiser, nearest=True)),
    Mistake("empirical_posterior_mean", "weights without a slope", _wrong(_denoiser, hidden=True)),
    Mistake("empirical_posterior_mean", "squares that cancel far from zero", _by_expansion),
)

EQUIVALENT = (
    Mistake("score_from_noise", "through convert_prediction", _score_by_kinds),
    Mistake("tweedie_mean", "through convert_prediction", _tweedie_by_kinds),
    Mistake("denoising_score_matching_loss", "half the loss of the corresponding noise", _loss_of_the_noise),
    Mistake("mixture_log_prob", "torch.distributions", _torchs),
    Mistake("mixture_score", "each component's score, shared out", _by_whitening),
    Mistake("empirical_posterior_mean", "weights over their sum", _by_weighing),
)
