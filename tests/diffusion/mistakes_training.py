"""Wrong forms of the training of a DDPM that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import training as right
from tests.support.mistakes import Mistake


def _levels(u, *, num_steps, first=1, whole=torch.floor):
    right.timesteps_from_uniforms(u, num_steps=num_steps)
    return first + whole(u * num_steps).long()


def _snr_weight(t, alpha_bar, *, gamma=5.0, prediction="noise", over=None, level=None, choose=torch.minimum):
    right.min_snr_weight(t, alpha_bar, gamma=gamma, prediction=prediction)
    a = alpha_bar[t.long() if level is None else t.long() + level]
    snr = a / (1 - a)
    divisor = {"noise": snr, "x0": torch.ones_like(snr), "velocity": snr + 1}[over or prediction]
    return choose(snr, torch.full_like(snr, gamma)) / divisor


def _chances(loss_history, *, uniform_probability=0.001, weigh=None, mix=True):
    right.loss_aware_probabilities(loss_history, uniform_probability=uniform_probability)
    u = uniform_probability
    weights = (weigh or (lambda history: history.square().mean(1).sqrt()))(loss_history)
    shares = weights / weights.sum()
    return (1 - u) * shares + u / len(shares) if mix else shares


def _weighted(losses, t, probabilities, *, late=1, count=True, inverse=True):
    right.importance_weighted_loss(losses, t, probabilities)
    ratio = probabilities[t.long() - late] * (len(probabilities) if count else 1)
    return losses / ratio if inverse else losses * ratio


def _by_buckets(u, *, num_steps):
    """By the number of the levels' upper ends at or below u."""
    right.timesteps_from_uniforms(u, num_steps=num_steps)
    return torch.searchsorted(torch.arange(1, num_steps, dtype=u.dtype), u * num_steps, right=True) + 1


def _any_word(t, alpha_bar, *, gamma=5.0, prediction="noise"):
    known = prediction if prediction in ("x0", "velocity") else "noise"
    return right.min_snr_weight(t, alpha_bar, gamma=gamma, prediction=known)


def _by_level(t, alpha_bar, *, gamma=5.0, prediction="noise"):
    right.min_snr_weight(t, alpha_bar, gamma=gamma, prediction=prediction)
    a = alpha_bar[t.long()]
    limit = torch.minimum(a, gamma * (1 - a))
    if prediction == "noise":
        return torch.where(a > gamma * (1 - a), gamma * (1 - a) / a.clamp(min=1e-300 if a.dtype == torch.float64 else 1e-38), 1.0)
    return limit if prediction == "velocity" else limit / (1 - a)


def _decay(step, *, decay, limit):
    right.warmup_decay(step, decay=decay)
    return limit((1 + step) / (10 + step), decay)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("timesteps_from_uniforms", "from 0 to T - 1", _wrong(_levels, first=0)),
    Mistake("timesteps_from_uniforms", "rounded, up to T + 1", _wrong(_levels, whole=torch.round)),
    Mistake("timesteps_from_uniforms", "up, not down", _wrong(_levels, first=0, whole=torch.ceil)),
    Mistake("timesteps_from_uniforms", "one level too many", lambda u, *, num_steps: _levels(u, num_steps=num_steps + 1)),
    Mistake("timesteps_from_uniforms", "never the last", lambda u, *, num_steps:
            _levels(u, num_steps=num_steps).clamp(max=max(1, num_steps - 1))),
    Mistake("timesteps_from_uniforms", "no check of u", lambda u, *, num_steps:
            right.timesteps_from_uniforms(u.clamp(0, 0.9999999), num_steps=num_steps), only_checks=True),
    Mistake("exponential_moving_average", "decay and 1 - decay exchanged", lambda average, value, *, decay:
            right.exponential_moving_average(average, value, decay=1 - decay)),
    Mistake("exponential_moving_average", "a sum", lambda average, value, *, decay:
            right.exponential_moving_average(average, value, decay=decay) + decay * value),
    Mistake("exponential_moving_average", "no gradient into the average", lambda average, value, *, decay:
            right.exponential_moving_average(average.detach(), value, decay=decay)),
    Mistake("exponential_moving_average", "the mean of all entries", lambda average, value, *, decay:
            right.exponential_moving_average(average, value, decay=decay).mean().expand(average.shape)),
    Mistake("warmup_decay", "counted from 1", lambda step, *, decay: right.warmup_decay(step + 1, decay=decay)),
    Mistake("warmup_decay", "not limited", _wrong(_decay, limit=lambda grown, decay: grown)),
    Mistake("warmup_decay", "the larger of the two", _wrong(_decay, limit=lambda grown, decay: grown.clamp(min=decay))),
    Mistake("warmup_decay", "at once", lambda step, *, decay: right.warmup_decay(step, decay=decay) * 0 + decay),
    Mistake("min_snr_weight", "of the noise, not divided by SNR", _wrong(_snr_weight, over="x0")),
    Mistake("min_snr_weight", "of the velocity, divided by SNR", _wrong(_snr_weight, over="noise")),
    Mistake("min_snr_weight", "0/0 where nothing is left", _snr_weight),
    Mistake("min_snr_weight", "the larger of the two", _wrong(_snr_weight, choose=torch.maximum)),
    Mistake("min_snr_weight", "the level before", _wrong(_snr_weight, level=-1)),
    Mistake("min_snr_weight", "any word is the noise", _any_word, only_checks=True),
    Mistake("loss_aware_probabilities", "means", _wrong(_chances, weigh=lambda history: history.mean(1))),
    Mistake("loss_aware_probabilities", "mean squares", _wrong(_chances, weigh=lambda history: history.square().mean(1))),
    Mistake("loss_aware_probabilities", "over the levels, not the memory",
            _wrong(_chances, weigh=lambda history: history.square().mean(0).sqrt())),
    Mistake("loss_aware_probabilities", "not mixed", _wrong(_chances, mix=False)),
    Mistake("loss_aware_probabilities", "squares overflow, and no slope of a root of 0", _chances),
    Mistake("importance_weighted_loss", "1/p", _wrong(_weighted, count=False)),
    Mistake("importance_weighted_loss", "times p", _wrong(_weighted, inverse=False)),
    Mistake("importance_weighted_loss", "no gradient of the losses", lambda losses, t, probabilities:
            right.importance_weighted_loss(losses.detach(), t, probabilities)),
    Mistake("importance_weighted_loss", "of the level after", lambda losses, t, probabilities:
            right.importance_weighted_loss(losses, t, probabilities) * probabilities[t.long() - 1]
            / probabilities[t.long().clamp(max=len(probabilities) - 1)]),
    Mistake("importance_weighted_loss", "weights are made probabilities", lambda losses, t, probabilities:
            right.importance_weighted_loss(losses, t, probabilities / probabilities.sum()), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("timesteps_from_uniforms", "by the bucket that u is in", _by_buckets),
    Mistake("min_snr_weight", "by the level", _by_level),
)
