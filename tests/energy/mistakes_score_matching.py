"""Wrong forms of score matching that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.energy import score_matching as right
from practice_torch.flows.hutchinson_trace import exact_divergence, hutchinson_divergence
from tests.support.mistakes import Mistake


def _sums(rows):
    return rows.unsqueeze(-1).flatten(1).sum(1)


def _explicit(square=0.5, divergence=1.0, form=lambda s: s.square()):
    def wrong(x, score_fn):
        right.explicit_loss(x, score_fn)  # for its checks
        return square * _sums(form(score_fn(x))) + divergence * exact_divergence(x, score_fn)

    return wrong


def _constant_divergence(x, score_fn):
    right.explicit_loss(x, score_fn)  # for its checks
    return _sums(score_fn(x).square()) / 2 + exact_divergence(x, score_fn).detach()


def _sliced(of_products, divergence=1.0):
    """of_products(v . s of every probe, [P, B]) -> [B], next to the divergence."""

    def wrong(x, probes, score_fn):
        right.sliced_loss(x, probes, score_fn)  # for its checks
        along = (probes * score_fn(x)).unsqueeze(-1).flatten(2).sum(2)
        return divergence * hutchinson_divergence(x, probes, score_fn) + of_products(along)

    return wrong


def _pushed(x, probes, score_fn):
    """1/P sum of v^T J v + 1/2 ||J v||^2."""
    right.sliced_loss(x, probes, score_fn)  # for its checks
    products = torch.stack([torch.func.jvp(score_fn, (x,), (probe,))[1] for probe in probes])
    return hutchinson_divergence(x, probes, score_fn) + products.square().unsqueeze(-1).flatten(2).sum(2).mean(0) / 2


def _first_probe(function):
    def wrong(x, probes, score_fn):
        getattr(right, function)(x, probes, score_fn)  # for its checks
        return getattr(right, function)(x, probes[:1], score_fn)

    return wrong


def _reduced(square):
    def wrong(x, probes, score_fn):
        right.variance_reduced_sliced_loss(x, probes, score_fn)  # for its checks
        return square * _sums(score_fn(x).square()) + hutchinson_divergence(x, probes, score_fn)

    return wrong


def _denoising(target=lambda noise, sigma: -noise / sigma, place=lambda x, noise, sigma: x + sigma * noise, weight=0.5):
    def wrong(x, noise, score_fn, *, sigma):
        right.denoising_loss(x, noise, score_fn, sigma=sigma)  # for its checks
        return weight * _sums((score_fn(place(x, noise, sigma)) - target(noise, sigma)).square())

    return wrong


def _gaussian(of_difference):
    def wrong(x, mean, precision):
        right.gaussian_score(x, mean, precision)  # for its checks
        return of_difference(x - mean, precision)

    return wrong


def _any_matrix(x, mean, precision):
    right.gaussian_score(x, mean, torch.zeros_like(precision))  # for its other checks
    return (mean - x) @ precision.mT


def _by_axes(x, score_fn):
    right.explicit_loss(x, score_fn)  # for its checks
    size = x.shape[1:].numel()
    axes = size**0.5 * torch.eye(size, dtype=x.dtype).view(size, 1, *x.shape[1:])
    return right.variance_reduced_sliced_loss(x, axes.expand(size, *x.shape), score_fn)


def _in_deviations(x, noise, score_fn, *, sigma):
    right.denoising_loss(x, noise, score_fn, sigma=sigma)  # for its checks
    return _sums((sigma * score_fn(x + sigma * noise) + noise).square()) / (2 * sigma**2)


def _fisher(of_difference):
    def wrong(score_p, score_q):
        right.fisher_divergence(score_p, score_q)  # for its checks
        return of_difference(score_p - score_q)

    return wrong


MISTAKES = (
    Mistake("explicit_loss", "no half", _explicit(square=1.0)),
    Mistake("explicit_loss", "the divergence subtracted", _explicit(divergence=-1.0)),
    Mistake("explicit_loss", "half of both", _explicit(divergence=0.5)),
    Mistake("explicit_loss", "absolute values", _explicit(form=torch.abs)),
    Mistake("explicit_loss", "no gradient through the divergence", _constant_divergence),
    Mistake("sliced_loss", "the probes averaged before the square", _sliced(lambda along: along.mean(0).square() / 2)),
    Mistake("sliced_loss", "no half", _sliced(lambda along: along.square().mean(0))),
    Mistake("sliced_loss", "the sum over probes", _sliced(lambda along: along.square().sum(0) / 2)),
    Mistake("sliced_loss", "the divergence subtracted", _sliced(lambda along: along.square().mean(0) / 2, divergence=-1.0)),
    Mistake("sliced_loss", "the squared length of J v", _pushed),
    Mistake("sliced_loss", "the first probe alone", _first_probe("sliced_loss")),
    Mistake("sliced_loss", "the variance-reduced form", right.variance_reduced_sliced_loss),
    Mistake("variance_reduced_sliced_loss", "no half", _reduced(1.0)),
    Mistake("variance_reduced_sliced_loss", "the sliced form", right.sliced_loss),
    Mistake("variance_reduced_sliced_loss", "the first probe alone", _first_probe("variance_reduced_sliced_loss")),
    Mistake("denoising_loss", "the sign of the target", _denoising(target=lambda noise, sigma: noise / sigma)),
    Mistake("denoising_loss", "over the variance", _denoising(target=lambda noise, sigma: -noise / sigma**2)),
    Mistake("denoising_loss", "the score of the data", _denoising(place=lambda x, noise, sigma: x)),
    Mistake("denoising_loss", "noise of variance sigma", _denoising(place=lambda x, noise, sigma: x + sigma**0.5 * noise)),
    Mistake("denoising_loss", "no half", _denoising(weight=1.0)),
    Mistake("gaussian_score", "the sign", _gaussian(lambda away, precision: away @ precision)),
    Mistake("gaussian_score", "a covariance", _gaussian(lambda away, precision: -away @ precision.inverse())),
    Mistake("gaussian_score", "the diagonal alone", _gaussian(lambda away, precision: -away * precision.diagonal())),
    Mistake("gaussian_score", "accepts any matrix", _any_matrix, only_checks=True),
    Mistake("fisher_divergence", "no half", _fisher(lambda away: _sums(away.square()))),
    Mistake("fisher_divergence", "a length", _fisher(lambda away: _sums(away.square()).sqrt() / 2)),
    Mistake(
        "fisher_divergence",
        "the first score detached",
        lambda score_p, score_q: right.fisher_divergence(score_p.detach(), score_q) + 0 * _sums(score_p),
    ),
)

EQUIVALENT = (
    Mistake("explicit_loss", "with probes along the axes", _by_axes),
    Mistake("denoising_loss", "in deviations of the noise", _in_deviations),
    Mistake("gaussian_score", "matrix by vector", _gaussian(lambda away, precision: -(precision @ away.mT).mT)),
)
