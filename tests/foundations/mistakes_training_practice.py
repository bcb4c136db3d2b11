"""Wrong forms of the training formulas that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.foundations import training_practice as right
from tests.support.mistakes import Mistake


def _adam(gradient, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, form="right"):
    """Adam as the paper prints it, with one part exchanged by `form`."""
    right.require(step >= 1, "step: from 1")
    first_moment = beta1 * first_moment + (1 - beta1) * gradient
    second_moment = beta2 * second_moment + (1 - beta2) * gradient**2
    at = step - 1 if form == "steps from 0" else step
    mean, square = first_moment, second_moment
    if form != "no correction":
        mean, square = first_moment / max(1 - beta1**at, 1e-12), second_moment / max(1 - beta2**at, 1e-12)
    if form == "epsilon inside":
        denominator = (square + epsilon).sqrt()
    elif form == "epsilon before the correction":
        denominator = second_moment.sqrt() / math.sqrt(1 - beta2**step) + epsilon / math.sqrt(1 - beta2**step)
    elif form == "no root":
        denominator = square + epsilon
    else:
        denominator = square.sqrt() + epsilon
    sign = 1 if form == "sign" else -1
    return sign * learning_rate * mean / denominator, first_moment, second_moment


def _adam_mistake(form):
    return Mistake("adam_update", form, lambda *arrays, **settings: _adam(*arrays, **settings, form=form))


def _clip(gradients, max_norm, *, small=0.0, factor=lambda norm, max_norm: min(1.0, max_norm / norm)):
    norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients))
    scale = torch.clamp(max_norm / (norm + small), max=1.0) if small else factor(norm, max_norm)
    return tuple(gradient * scale for gradient in gradients), norm


def _per_array(gradients, *, max_norm):
    _, norm = right.clip_by_global_norm(gradients, max_norm=max_norm)
    return tuple(right.clip_by_global_norm((gradient,), max_norm=max_norm)[0][0] for gradient in gradients), norm


def _schedule(step, *, peak, warmup_steps, total_steps, floor=0.0, late=0, capped=True, whole=False):
    """The schedule, with the mistakes of those who wrote it before us."""
    start = 0 if whole else warmup_steps
    r = (step - start) / (total_steps - start)
    cosine = floor + (peak - floor) * (1 + torch.cos(math.pi * (r.clamp(max=1.0) if capped else r))) / 2
    rising = peak * (step + 1 - late) / max(warmup_steps, 1)
    return torch.where(step < warmup_steps, rising, cosine)


MISTAKES = (
    Mistake("scale_to_range", "clips", lambda x, *, minimum, maximum, low=-1.0, high=1.0: right.scale_to_range(
        x, minimum=minimum, maximum=maximum, low=low, high=high).clamp(low, high)),
    Mistake("scale_to_range", "low and high ignored", lambda x, *, minimum, maximum, low=-1.0, high=1.0: right.scale_to_range(
        x, minimum=minimum, maximum=maximum)),
    Mistake("scale_to_range", "the batch's own extremes", lambda x, *, minimum, maximum, low=-1.0, high=1.0: right.scale_to_range(
        x, minimum=float(x.detach().min()), maximum=float(x.detach().max()), low=low, high=high)),
    Mistake("scale_to_range", "accepts bytes", lambda x, *, minimum, maximum, low=-1.0, high=1.0: (
        low + (x - minimum) * (high - low) / (maximum - minimum)), only_checks=True),
    Mistake("clip_by_global_norm", "each array alone", _per_array),
    Mistake("clip_by_global_norm", "each entry alone", lambda gradients, *, max_norm: (
        tuple(g.clamp(-max_norm, max_norm) for g in gradients), right.clip_by_global_norm(gradients, max_norm=max_norm)[1])),
    Mistake("clip_by_global_norm", "always scaled to max_norm", lambda gradients, *, max_norm: _clip(
        gradients, max_norm, factor=lambda norm, limit: limit / norm)),
    Mistake("clip_by_global_norm", "NaN derivative at a zero gradient", lambda gradients, *, max_norm: _clip(
        gradients, max_norm, factor=lambda norm, limit: torch.where(norm > limit, limit / norm, 1.0))),
    Mistake("clip_by_global_norm", "1e-6 added to the norm",
            lambda gradients, *, max_norm: _clip(gradients, max_norm, small=1e-6)),
    Mistake("clip_by_global_norm", "the norm detached", lambda gradients, *, max_norm: (
        tuple(g * min(1.0, max_norm / max(float(right.clip_by_global_norm(gradients, max_norm=max_norm)[1].detach()), 1e-300))
              for g in gradients), right.clip_by_global_norm(gradients, max_norm=max_norm)[1])),
    Mistake("clip_by_global_norm", "the norm after clipping", lambda gradients, *, max_norm: (
        right.clip_by_global_norm(gradients, max_norm=max_norm)[0],
        right.clip_by_global_norm(gradients, max_norm=max_norm)[1].clamp(max=max_norm))),
    *map(_adam_mistake, ("no correction", "steps from 0", "epsilon inside", "epsilon before the correction", "no root", "sign")),
    Mistake("adam_update", "NaN derivative before anything has moved", _adam),
    Mistake("adam_update", "accepts step 0", lambda *arrays, step, **settings: right.adam_update(
        *arrays, step=max(step, 1), **settings), only_checks=True),
    Mistake("adam_update", "moments exchanged in the result", lambda *arrays, **settings: tuple(
        right.adam_update(*arrays, **settings)[i] for i in (0, 2, 1))),
    Mistake("ema_update", "weights exchanged", lambda average, value, *, decay: right.ema_update(value, average, decay=decay)),
    Mistake("ema_update", "value added whole", lambda average, value, *, decay: decay * average + value),
    Mistake("ema_update", "gradient of the average lost", lambda average, value, *, decay: (
        right.ema_update(average.detach(), value, decay=decay))),
    Mistake("warmup_cosine_learning_rate", "warm-up starts at 0", lambda step, **settings: _schedule(step, late=1, **settings)),
    Mistake("warmup_cosine_learning_rate", "rises again after the end", lambda step, **settings: _schedule(
        step, capped=False, **settings)),
    Mistake("warmup_cosine_learning_rate", "the cosine counts from step 0", lambda step, **settings: _schedule(
        step, whole=True, **settings)),
    Mistake("warmup_cosine_learning_rate", "no floor", lambda step, *, floor=0.0, **settings: _schedule(step, **settings)),
    Mistake("warmup_cosine_learning_rate", "accepts a floor above the peak", lambda step, **settings: _schedule(
        step, **settings), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("ema_update", "a step towards the value", lambda average, value, *, decay: (
        right.require(0 <= decay <= 1, "decay: in [0, 1]")
        or right.require_same_shape(average=average, value=value)
        or torch.lerp(average, value, 1 - decay))),
    Mistake("scale_to_range", "in units of the range", lambda x, *, minimum, maximum, low=-1.0, high=1.0: (
        right.require(maximum > minimum, "maximum: above minimum")
        or right.require(high > low, "high: above low")
        or right.require(x.is_floating_point(), "x: floating point")
        or low + (high - low) * ((x - minimum) / (maximum - minimum)))),
)  # fmt: skip
