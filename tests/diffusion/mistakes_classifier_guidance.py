"""Wrong forms of classifier guidance that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.diffusion import classifier_guidance as right
from practice_torch.diffusion.score_prediction import diffused_mixture
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _classes(
    x_t,
    t,
    means,
    log_vars,
    log_weights,
    alpha_bar,
    *,
    late=0,
    clean=False,
    root=0.5,
    prior=True,
    normalizer=True,
    noise=True,
    normed=True,
    naive=False,
):
    a = alpha_bar[(t.long() - late).clamp(min=0)][:, None]
    if clean:
        a = torch.ones_like(a)
    variances = a * log_vars.exp() + (1 - a if noise else 0)
    squares = (x_t[:, None] - (a**root)[..., None] * means).square().sum(2)
    logits = -squares / variances / 2 + (log_weights if prior else 0)
    if normalizer:
        logits = logits - x_t.shape[1] * torch.log(2 * math.pi * variances) / 2
    if naive:
        return (logits.exp() / logits.exp().sum(1, keepdim=True)).log()
    return logits.log_softmax(1) if normed else logits


def _gradient(x_t, labels, log_probs_fn, *, sign=1, reduce=torch.sum, all_classes=False, shift=0):
    def chosen(x):
        log_probs = log_probs_fn(x)
        if all_classes:
            return log_probs.sum()
        index = (labels.long() + shift) % log_probs.shape[1]
        return reduce(log_probs.gather(1, index[:, None]))

    return sign * torch.func.grad(chosen)(x_t)


def _again_normed(x_t, labels, log_probs_fn):
    """The slope after another log-softmax, as if a network's logits came in."""
    return _gradient(x_t, labels, lambda x: log_probs_fn(x).log_softmax(1))


def _one_example(x_t, labels, log_probs_fn):
    """The label of the first for all."""
    return _gradient(x_t, labels[:1].expand(len(labels)), log_probs_fn)


def _unchecked(x_t, labels, log_probs_fn):
    labels = labels.reshape(len(labels), -1)[:, 0].long().expand(len(x_t)) if labels.ndim else labels
    return _gradient(x_t, labels, lambda x: log_probs_fn(x).reshape(len(x), -1))


def _detached(x_t, labels, log_probs_fn):
    """Detached: a guided sampler cannot be differentiated through."""
    return _gradient(x_t, labels, log_probs_fn).detach()


def _mean(mean, log_var, gradient, *, scale, sign=1, variance=torch.exp, more=0):
    spread = variance(log_var)
    spread = _over(spread, mean) if log_var.ndim == 1 else spread
    return mean + sign * (scale + more) * spread * gradient


def _mean_along_the_last_axis(mean, log_var, gradient, *, scale):
    if mean.shape != (len(log_var),) * 2:
        return right.guided_mean(mean, log_var, gradient, scale=scale)
    return mean + scale * log_var.exp() * gradient


def _noise(noise_pred, gradient, t, alpha_bar, *, scale, sign=-1, power=0.5, signal=False, late=0):
    a = alpha_bar[(t.long() - late).clamp(min=0)]
    return noise_pred + sign * scale * _over((a if signal else 1 - a) ** power, noise_pred) * gradient


def _from_the_likeliest(x_t, t, means, log_vars, log_weights, alpha_bar):
    """Every class against the likeliest, without the normalizer that they share."""
    right.class_log_probs(x_t, t, means, log_vars, log_weights, alpha_bar)
    m, v = diffused_mixture(means, log_vars, t, alpha_bar)
    squares = (x_t[:, None] - m).square().sum(2)
    logits = log_weights - squares / v.exp() / 2 - x_t.shape[1] * v / 2
    odds = logits - logits.amax(1, keepdim=True).detach()
    return odds - odds.exp().sum(1, keepdim=True).log()


def _example_by_example(x_t, labels, log_probs_fn):
    found = right.classifier_gradient(x_t, labels, log_probs_fn)
    if not len(x_t):
        return found

    def of_one(x, label):
        return log_probs_fn(x[None])[0].gather(0, label[None].long())[0]

    return torch.stack([torch.func.grad(of_one)(x, label) for x, label in zip(x_t, labels, strict=True)])


def _in_deviations(mean, log_var, gradient, *, scale):
    right.guided_mean(mean, log_var, gradient, scale=scale)
    deviation = (log_var / 2).exp()
    deviation = _over(deviation, mean) if log_var.ndim == 1 else deviation
    return mean + scale * deviation * (deviation * gradient)


def _through_the_score(noise_pred, gradient, t, alpha_bar, *, scale):
    right.guided_noise(noise_pred, gradient, t, alpha_bar, scale=scale)
    deviation = _over((1 - alpha_bar[t.long()]).sqrt(), noise_pred)
    return -deviation * (-noise_pred / deviation + scale * gradient)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("class_log_probs", "logits", _wrong(_classes, normed=False)),
    Mistake("class_log_probs", "a classifier of clean data", _wrong(_classes, clean=True)),
    Mistake("class_log_probs", "without the weights", _wrong(_classes, prior=False)),
    Mistake("class_log_probs", "without the normalizers", _wrong(_classes, normalizer=False)),
    Mistake("class_log_probs", "levels for their roots", _wrong(_classes, root=1.0)),
    Mistake("class_log_probs", "one step late", _wrong(_classes, late=1)),
    Mistake("class_log_probs", "widths without the noise", _wrong(_classes, noise=False)),
    Mistake("class_log_probs", "exponentials that vanish", _wrong(_classes, naive=True)),
    Mistake("class_log_probs", "no check of t", _classes, only_checks=True),
    Mistake("classifier_gradient", "the other sign", _wrong(_gradient, sign=-1)),
    Mistake("classifier_gradient", "the batch's mean", _wrong(_gradient, reduce=torch.mean)),
    Mistake("classifier_gradient", "all classes", _wrong(_gradient, all_classes=True)),
    Mistake("classifier_gradient", "labels from one", _wrong(_gradient, shift=1)),
    Mistake("classifier_gradient", "normalized once more", _again_normed),
    Mistake("classifier_gradient", "the label of the first for all", _one_example),
    Mistake("classifier_gradient", "detached", _detached),
    Mistake("classifier_gradient", "no check of the labels", _unchecked, only_checks=True),
    Mistake("guided_mean", "without the variance", _wrong(_mean, variance=torch.ones_like)),
    Mistake("guided_mean", "the deviation for the variance", _wrong(_mean, variance=lambda v: (v / 2).exp())),
    Mistake("guided_mean", "the logarithm for the variance", _wrong(_mean, variance=lambda v: v)),
    Mistake("guided_mean", "the other sign", _wrong(_mean, sign=-1)),
    Mistake("guided_mean", "1 + scale", _wrong(_mean, more=1)),
    Mistake(
        "guided_mean",
        "the scale forgotten",
        lambda mean, log_var, gradient, *, scale: right.guided_mean(mean, log_var, gradient, scale=1.0),
    ),
    Mistake("guided_mean", "variances along the last axis", _mean_along_the_last_axis),
    Mistake("guided_mean", "whatever can be broadcast", _mean, only_checks=True),
    Mistake("guided_noise", "the other sign", _wrong(_noise, sign=1)),
    Mistake("guided_noise", "without the deviation", _wrong(_noise, power=0.0)),
    Mistake("guided_noise", "the variance for the deviation", _wrong(_noise, power=1.0)),
    Mistake("guided_noise", "the signal's root", _wrong(_noise, signal=True)),
    Mistake("guided_noise", "divided by the deviation", _wrong(_noise, power=-0.5)),
    Mistake("guided_noise", "one step late", _wrong(_noise, late=1)),
    Mistake("guided_noise", "no check of t", _noise, only_checks=True),
)

EQUIVALENT = (
    Mistake("class_log_probs", "against the likeliest", _from_the_likeliest),
    Mistake("classifier_gradient", "example by example", _example_by_example),
    Mistake("guided_mean", "in deviations", _in_deviations),
    Mistake("guided_noise", "through the score", _through_the_score),
)
