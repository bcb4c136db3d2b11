"""Wrong forms of f-divergences that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import f_divergence as right
from tests.support.mistakes import Mistake


def _generator_with(**changed):
    """f_generator with some rows replaced by functions of u (and alpha)."""

    def changed_generator(log_ratio, *, divergence, alpha=None):
        if divergence in changed:
            return changed[divergence](log_ratio.exp(), *([] if alpha is None else [alpha]))
        return right.f_generator(log_ratio, divergence=divergence, alpha=alpha)

    return changed_generator


def _derivative_with(**changed):
    def changed_derivative(log_ratio, *, divergence, alpha=None):
        if divergence in changed:
            return changed[divergence](log_ratio.exp(), *([] if alpha is None else [alpha]))
        return right.f_generator_derivative(log_ratio, divergence=divergence, alpha=alpha)

    return changed_derivative


def _divergence_with(change):
    """f_divergence with its result changed by change(value, divergence)."""

    def changed_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
        return change(right.f_divergence(log_probs_p, log_probs_q, divergence=divergence, alpha=alpha), divergence)

    return changed_divergence


def _naive(log_probs_p, log_probs_q, *, divergence, alpha=None):
    """sum q f(p/q) with no thought of zeros: NaN where a probability is zero."""
    shape = log_probs_p.shape
    cells = right.f_generator((log_probs_p - log_probs_q).flatten(), divergence=divergence, alpha=alpha).reshape(shape)
    return (log_probs_q.exp() * cells).sum(-1)


def _zeros_dropped(log_probs_p, log_probs_q, *, divergence, alpha=None):
    inside = log_probs_p.isfinite() & log_probs_q.isfinite()
    ratio = (log_probs_p - log_probs_q).masked_fill(~inside, 0.0)
    cells = right.f_generator(ratio.flatten(), divergence=divergence, alpha=alpha).reshape(ratio.shape)
    return (log_probs_q.exp() * cells).masked_fill(~inside, 0.0).sum(-1)


def _zeros_clamped(log_probs_p, log_probs_q, **row):
    return right.f_divergence(log_probs_p.clamp(min=-40), log_probs_q.clamp(min=-40), **row)


def _nan_gradient(log_probs_p, log_probs_q, **row):
    """Right values, but a mask that comes after the NaN: it returns in the gradient."""
    outside = log_probs_p.isinf() | log_probs_q.isinf()
    nothing = torch.where(outside, 0.0, 0 * (log_probs_p - log_probs_q).square())
    return right.f_divergence(log_probs_p, log_probs_q, **row) + nothing.sum(-1)


def _swapped(log_probs_p, log_probs_q, *, divergence, alpha=None):
    return right.f_divergence(log_probs_q, log_probs_p, divergence=divergence, alpha=alpha)


def _unchecked(function, **names):
    """The function without its check of the divergence's name: an unknown one is read as another."""

    def call(*arrays, divergence, alpha=None, **keywords):
        return function(*arrays, divergence=names.get(divergence, divergence), alpha=alpha, **keywords)

    return call


def _alpha_ignored(function):
    def call(*arrays, divergence, alpha=None, **keywords):
        return function(*arrays, divergence=divergence, alpha=alpha if divergence == "alpha" else None, **keywords)

    return call


def _amari(u, alpha):
    """Amari's parameter a = 1 - 2 alpha in place of alpha."""
    a = (1 - alpha) / 2
    return (u**a - 1 - a * (u - 1)) / (a * (a - 1)) if a not in (0, 1) else u * 0


def _channel_by_products(log_probs, log_channel):
    return (log_probs.exp() @ log_channel.exp()).log()


def _on_simplex(log_probs):
    """Rows that are none are made into rows of probabilities, without a word."""
    return torch.where(log_probs.logsumexp(-1, keepdim=True).abs() > 1e-5, log_probs.log_softmax(-1), log_probs)


MISTAKES = (
    Mistake("f_generator", "Jensen-Shannon without the half", _generator_with(
        jensen_shannon=lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log())),
    Mistake("f_generator", "Jensen-Shannon in bits", lambda log_ratio, *, divergence, alpha=None: right.f_generator(
        log_ratio, divergence=divergence, alpha=alpha) / (math.log(2) if divergence == "jensen_shannon" else 1)),
    Mistake("f_generator", "Hellinger with a half", _generator_with(squared_hellinger=lambda u: (u.sqrt() - 1) ** 2 / 2)),
    Mistake("f_generator", "total variation without the half", _generator_with(total_variation=lambda u: (u - 1).abs())),
    Mistake("f_generator", "ratio inverted", lambda log_ratio, *, divergence, alpha=None: right.f_generator(
        -log_ratio, divergence=divergence, alpha=alpha)),
    Mistake("f_generator", "Pearson and Neyman exchanged", _generator_with(pearson_chi_squared=lambda u: (1 - u) ** 2 / u)),
    Mistake("f_generator", "Amari's sign of alpha", _generator_with(alpha=_amari)),
    Mistake("f_generator", "alpha without its linear term", _generator_with(alpha=lambda u, a: (u**a - 1) / (a * (a - 1)))),
    Mistake("f_generator", "Renyi's factor", _generator_with(alpha=lambda u, a: (u**a - 1 - a * (u - 1)) / (a - 1))),
    Mistake("f_generator", "GAN shifted to f(1) = 0", _generator_with(
        gan=lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log())),
    Mistake("f_generator", "kl shifted by u - 1", _generator_with(kl=lambda u: u * u.log() - (u - 1))),
    Mistake("f_generator", "terms that cancel near u = 1", _generator_with(
        jensen_shannon=lambda u: 0.5 * (u * u.log() - (u + 1) * ((u + 1) / 2).log()))),
    Mistake("f_generator", "alpha's powers cancel near u = 1", _generator_with(
        alpha=lambda u, a: (u**a - 1 - a * (u - 1)) / (a * (a - 1)))),
    Mistake("f_generator", "softplus with torch's threshold", _generator_with(gan=lambda u: -u * torch.nn.functional.softplus(
        -u.log()) - torch.nn.functional.softplus(u.log()))),
    Mistake("f_generator", "sign", lambda log_ratio, *, divergence, alpha=None: -right.f_generator(
        log_ratio, divergence=divergence, alpha=alpha)),
    Mistake("f_generator", "an unknown name is guessed", _unchecked(right.f_generator, kullback="kl"), only_checks=True),
    Mistake("f_generator", "an unwanted alpha is ignored", _alpha_ignored(right.f_generator), only_checks=True),
    Mistake("f_generator_derivative", "with respect to log u", lambda log_ratio, *, divergence, alpha=None: log_ratio.exp(
        ) * right.f_generator_derivative(log_ratio, divergence=divergence, alpha=alpha)),
    Mistake("f_generator_derivative", "Neyman: 1 - 1/u", _derivative_with(neyman_chi_squared=lambda u: 1 - 1 / u)),
    Mistake("f_generator_derivative", "kl: log u", _derivative_with(kl=torch.log)),
    Mistake("f_generator_derivative", "Jensen-Shannon without the half", _derivative_with(
        jensen_shannon=lambda u: (2 * u / (1 + u)).log())),
    Mistake("f_generator_derivative", "one-sided at the kink", _derivative_with(
        total_variation=lambda u: torch.where(u >= 1, 0.5, -0.5).to(u.dtype))),
    Mistake("f_generator_derivative", "alpha: u^(alpha-1)/(alpha-1)", _derivative_with(
        alpha=lambda u, a: u ** (a - 1) / (a - 1))),
    Mistake("f_generator_derivative", "an unwanted alpha is ignored", _alpha_ignored(right.f_generator_derivative),
            only_checks=True),
    Mistake("f_divergence", "arguments swapped", _swapped),
    Mistake("f_divergence", "no thought of zeros", _naive),
    Mistake("f_divergence", "cells with a zero dropped", _zeros_dropped),
    Mistake("f_divergence", "zeros clamped to e^-40", _zeros_clamped),
    Mistake("f_divergence", "NaN gradient at probability zero", _nan_gradient),
    Mistake("f_divergence", "mean over the categories", lambda log_probs_p, log_probs_q, **row: right.f_divergence(
        log_probs_p, log_probs_q, **row) / log_probs_p.shape[-1]),
    Mistake("f_divergence", "GAN without - log 4", _divergence_with(
        lambda value, name: value + 2 * math.log(2) if name == "gan" else value)),
    Mistake("f_divergence", "Jensen-Shannon distance, the square root", _divergence_with(
        lambda value, name: value.clamp(min=1e-30).sqrt() if name == "jensen_shannon" else value)),
    Mistake("f_divergence", "KL clipped at 0.5 (breaks the limits of the alpha family)", _divergence_with(
        lambda value, name: value.clamp(max=0.5) if name == "kl" else value)),
    Mistake("f_divergence", "not monotone under a channel", _divergence_with(lambda value, name: value.sin())),
    Mistake("f_divergence", "rows off the simplex accepted", lambda log_probs_p, log_probs_q, **row: (
        right.f_divergence(_on_simplex(log_probs_p), _on_simplex(log_probs_q), **row)), only_checks=True),
    Mistake("f_divergence", "alpha at its poles read as a neighbor", lambda log_probs_p, log_probs_q, *, divergence, alpha=None: (
        right.f_divergence(log_probs_p, log_probs_q, divergence=divergence,
                           alpha=alpha if alpha not in (0, 1) else alpha + 1e-6)), only_checks=True),
    Mistake("push_through_channel", "products of probabilities underflow", _channel_by_products),
    Mistake("push_through_channel", "channel transposed", lambda log_probs, log_channel: right.push_through_channel(
        log_probs, log_channel.exp().T.reshape(log_channel.shape).log().log_softmax(-1))),
    Mistake("push_through_channel", "the likeliest path instead of the sum", lambda log_probs, log_channel: (
        log_probs[:, :, None] + log_channel).amax(1)),
    Mistake("push_through_channel", "NaN gradient at an unreachable output", lambda log_probs, log_channel: (
        lambda joint: joint.amax(1) + (joint - joint.amax(1, keepdim=True)).exp().sum(1).log().nan_to_num(0.0))(
        log_probs[:, :, None] + log_channel)),
    Mistake("push_through_channel", "renormalizes a channel that is none", lambda log_probs, log_channel: (
        right.push_through_channel(log_probs, _on_simplex(log_channel))), only_checks=True),
)  # fmt: skip


def _relatives(log_ratio, *, divergence, alpha=None):
    """kl in the plainest form; the alphas of the table as multiples of Neyman's and Hellinger's generators."""
    result = right.f_generator(log_ratio, divergence=divergence, alpha=alpha)
    if divergence == "kl":
        return log_ratio * log_ratio.exp()
    if alpha == -1.0:
        return right.f_generator(log_ratio, divergence="neyman_chi_squared") / 2
    return 2 * right.f_generator(log_ratio, divergence="squared_hellinger") if alpha == 0.5 else result


def _reversed_categories(log_probs_p, log_probs_q, *, divergence, alpha=None):
    right.f_divergence(log_probs_p, log_probs_q, divergence=divergence, alpha=alpha)
    return right.f_divergence(log_probs_p.flip(-1), log_probs_q.flip(-1), divergence=divergence, alpha=alpha)


def _channel_column_by_column(log_probs, log_channel):
    right.push_through_channel(log_probs, log_channel)
    columns = []
    for column in log_channel.unbind(1):
        terms = log_probs + column
        never = terms.isneginf().all(-1)
        largest = terms.masked_fill(never[:, None], 0.0).amax(-1, keepdim=True)
        total = (terms.masked_fill(never[:, None], 0.0) - largest).exp().sum(-1).log() + largest[:, 0]
        columns.append(total.masked_fill(never, -math.inf))
    return torch.stack(columns, -1)


EQUIVALENT = (
    Mistake("f_generator", "kl as l e^l, alphas by their relatives", _relatives),
    Mistake("f_divergence", "summed in the other order", _reversed_categories),
    Mistake("push_through_channel", "column by column", _channel_column_by_column),
)
