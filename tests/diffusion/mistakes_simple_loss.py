"""Wrong forms of the simple loss that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.diffusion import simple_loss as right
from practice_torch.diffusion.elbo import denoising_kl
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.mathematics.levels import per_example
from tests.support.mistakes import Mistake


def _error(prediction, target, *, root=False, mean=False, batch=False, absolute=False, spread=False):
    if not spread:
        right.squared_error(prediction, target)
    error = (prediction - target).reshape(len(prediction), -1)
    loss = error.abs().sum(1) if absolute else error.square().mean(1) if mean else error.square().sum(1)
    loss = loss.sqrt() if root else loss
    return loss.mean().expand(len(loss)) if batch else loss


def _simple(x0, t, noise, denoise_fn, alpha_bar, *, data=False, detach=False, level=0, time=0, powers=(0.5, 0.5), **how):
    right.simple_loss(x0, t, noise, denoise_fn, alpha_bar)
    kept = per_example(alpha_bar[(t.long() - level).clamp(min=0)], x0)
    x_t = kept ** powers[0] * x0 + (1 - kept) ** powers[1] * noise
    prediction = denoise_fn(x_t.detach() if detach else x_t, t - time)
    return _error(prediction, x0 if data else noise, **how)


def _weight(t, alpha_bar, *, variance="large", kept="step", half=True, root=False, late=0, exchanged=False, floor=2):
    if floor == 2:
        right.variational_weight(t, alpha_bar, variance=variance)
    at = (t - late).clamp(min=1)
    before, after = alpha_bar[at - 1], alpha_bar[at]
    beta = 1 - after / before
    ratio = (1 - after) / (1 - before) if exchanged else (1 - before) / (1 - after)
    sigma = beta if variance == "large" else ratio * beta
    sigma = sigma.sqrt() if root else sigma
    noise = torch.ones_like(after) if kept == "no noise" else 1 - after
    return beta**2 / ((2 if half else 1) * sigma * (after if kept == "all" else after / before) * noise)


def _weighted(x0, t, noise, denoise_fn, alpha_bar, *, variance="large", operation=torch.mul, weigh=None):
    loss = right.simple_loss(x0, t, noise, denoise_fn, alpha_bar)
    weight = right.variational_weight(t, alpha_bar, variance=variance)
    return operation(loss, weight if weigh is None else weigh(weight))


def _learned(x0, x_t, t, noise_pred, v, alpha_bar, *, stop="noise_pred", v_of=lambda v: v, reverse=False, mean=False, logs=True):
    right.learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar)
    log_var_q = per_example(right.posterior_log_variance(t, alpha_bar), x_t).expand_as(x_t)
    noise_pred = noise_pred.detach() if stop == "noise_pred" else noise_pred
    mean_p = right.reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
    mean_p = mean_p.detach() if stop == "mean" else mean_p
    log_var_p = right.interpolated_log_variance(v_of(v), t, alpha_bar)
    if not logs:
        ends = [right.interpolated_log_variance(torch.full_like(v, end), t, alpha_bar).exp() for end in (-1.0, 1.0)]
        log_var_p = torch.lerp(*ends, (v + 1) / 2).log()
    log_var_p = log_var_p.detach() if stop == "variance" else log_var_p
    q, p = (right.posterior_mean(x0, x_t, t, alpha_bar), log_var_q), (mean_p, log_var_p)
    loss = right.gaussian_kl(*p, *q) if reverse else right.gaussian_kl(*q, *p)
    return loss / x0[0].numel() if mean else loss


def _through_the_elbo(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
    """The term of the ELBO less what it has with a perfect prediction."""
    right.variational_loss(x0, t, noise, denoise_fn, alpha_bar, variance=variance)
    x_t = forward_sample(x0, t, noise, alpha_bar)
    terms = [denoising_kl(x0, x_t, t, given, alpha_bar, variance=variance) for given in (denoise_fn(x_t, t), noise)]
    return terms[0] - terms[1]


def _by_snr(t, alpha_bar, *, variance="large"):
    right.variational_weight(t, alpha_bar, variance=variance)
    before, after = alpha_bar[t - 1], alpha_bar[t]
    if variance == "large":
        return (before - after) / (2 * after * (1 - after))
    return (before - after) / (2 * after * (1 - before))


def _reshaped(prediction, target):
    right.squared_error(prediction, target)
    return (prediction - target).square().reshape(len(target), -1).sum(1)


def _by_the_library(prediction, target):
    right.squared_error(prediction, target)
    return functional.mse_loss(prediction, target, reduction="none").unsqueeze(-1).flatten(1).sum(1)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("squared_error", "reshaped to [B, -1], which is ambiguous for a batch of none", _reshaped, only_small_batches=True),
    Mistake("squared_error", "the norm", _wrong(_error, root=True)),
    Mistake("squared_error", "the mean over dimensions", _wrong(_error, mean=True)),
    Mistake("squared_error", "the mean over the batch", _wrong(_error, batch=True)),
    Mistake("squared_error", "absolute errors", _wrong(_error, absolute=True)),
    Mistake("squared_error", "halved", lambda prediction, target: right.squared_error(prediction, target) / 2),
    Mistake("squared_error", "a target is spread", _wrong(_error, spread=True), only_checks=True),
    Mistake("simple_loss", "scored against the data", _wrong(_simple, data=True)),
    Mistake("simple_loss", "the norm", _wrong(_simple, root=True)),
    Mistake("simple_loss", "the mean over the batch", _wrong(_simple, batch=True)),
    Mistake("simple_loss", "the mean over dimensions", _wrong(_simple, mean=True)),
    Mistake("simple_loss", "the level before", _wrong(_simple, level=1)),
    Mistake("simple_loss", "the network gets the previous time", _wrong(_simple, time=1)),
    Mistake("simple_loss", "a for its root", _wrong(_simple, powers=(1.0, 0.5))),
    Mistake("simple_loss", "the variance for the deviation", _wrong(_simple, powers=(0.5, 1.0))),
    Mistake("simple_loss", "no gradient through x_t", _wrong(_simple, detach=True)),
    Mistake(
        "simple_loss",
        "the data themselves are a level",
        lambda x0, t, noise, denoise_fn, alpha_bar: right.squared_error(
            denoise_fn(forward_sample(x0, t, noise, alpha_bar), t), noise
        ),
        only_checks=True,
    ),
    Mistake("variational_weight", "a_t for 1 - beta_t", _wrong(_weight, kept="all")),
    Mistake("variational_weight", "1 - a_t forgotten", _wrong(_weight, kept="no noise")),
    Mistake("variational_weight", "the half forgotten", _wrong(_weight, half=False)),
    Mistake("variational_weight", "the deviation for the variance", _wrong(_weight, root=True)),
    Mistake("variational_weight", "one step early", _wrong(_weight, late=1)),
    Mistake("variational_weight", "the levels of the small variance exchanged", _wrong(_weight, exchanged=True)),
    Mistake("variational_weight", "always the large variance", lambda t, alpha_bar, *, variance="large": _weight(t, alpha_bar)),
    Mistake(
        "variational_weight",
        "inverted",
        lambda t, alpha_bar, *, variance="large": 1 / right.variational_weight(t, alpha_bar, variance=variance),
    ),
    Mistake("variational_weight", "infinite at t = 1 and at the end", _wrong(_weight, floor=1), only_checks=True),
    Mistake("variational_loss", "unweighted", _wrong(_weighted, weigh=torch.ones_like)),
    Mistake("variational_loss", "divided by the weight", _wrong(_weighted, operation=torch.div)),
    Mistake("variational_loss", "the batch's mean weight", _wrong(_weighted, weigh=lambda weight: weight.mean())),
    Mistake(
        "variational_loss",
        "always the large variance",
        lambda x0, t, noise, denoise_fn, alpha_bar, *, variance="large": _weighted(x0, t, noise, denoise_fn, alpha_bar),
    ),
    Mistake("variational_loss", "no gradient of the weight", _wrong(_weighted, weigh=torch.detach)),
    Mistake("learned_variance_loss", "the gradient reaches the prediction", _wrong(_learned, stop="")),
    Mistake("learned_variance_loss", "the whole mean is cut off", _wrong(_learned, stop="mean")),
    Mistake("learned_variance_loss", "the variance is cut off, not the mean", _wrong(_learned, stop="variance")),
    Mistake("learned_variance_loss", "reversed", _wrong(_learned, reverse=True)),
    Mistake("learned_variance_loss", "the mean over dimensions", _wrong(_learned, mean=True)),
    Mistake("learned_variance_loss", "v for (v + 1)/2", _wrong(_learned, v_of=lambda v: 2 * v - 1)),
    Mistake("learned_variance_loss", "v clipped", _wrong(_learned, v_of=lambda v: v.clamp(-1, 1))),
    Mistake("learned_variance_loss", "ends exchanged", _wrong(_learned, v_of=lambda v: -v)),
    Mistake("learned_variance_loss", "variances interpolated", _wrong(_learned, logs=False)),
)

EQUIVALENT = (
    Mistake("squared_error", "the library's, summed", _by_the_library),
    Mistake("variational_weight", "by the fall of the level", _by_snr),
)
