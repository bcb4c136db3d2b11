"""Wrong forms of AdamW, accumulation and schedule that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.autoregressive import optimization as right
from practice_torch.foundations.training_practice import adam_update
from tests.support.mistakes import Mistake


def _adamw(
    gradient, parameter, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8,
    weight_decay=0.0, form,
):  # fmt: skip
    """AdamW as a training loop writes it, with one part exchanged by `form`."""
    if form == "decay in the gradient":
        gradient = gradient + weight_decay * parameter
    if form == "moments start with the first gradient" and step == 1:
        first_moment, second_moment = gradient, gradient**2
    first_moment = beta1 * first_moment + (1 - beta1) * gradient
    second_moment = beta2 * second_moment + (1 - beta2) * gradient**2
    at = max(step - 1, 1) if form == "steps counted from 0" else step
    mean, square = first_moment / (1 - beta1**at), second_moment / (1 - beta2**at)
    if form == "no bias correction":
        mean, square = first_moment, second_moment
    if form == "first moment alone corrected":
        square = second_moment
    moved = square > 0
    root = torch.where(moved, torch.where(moved, square, 1.0).sqrt(), 0.0)
    denominator = (square + epsilon).sqrt() if form == "epsilon inside the root" else root + epsilon
    if form == "epsilon before the correction":
        denominator = root + epsilon / math.sqrt(1 - beta2**step)
    decay = learning_rate * weight_decay * parameter
    if form == "decay without the learning rate":
        decay = weight_decay * parameter
    if form == "decay divided by the root":
        decay = decay / denominator
    if form == "decay of the gradient's sign":
        decay = decay.abs() * gradient.sign()
    if form in ("decay in the gradient", "no decay"):
        decay = 0.0
    moved_to = parameter - learning_rate * mean / denominator
    if form == "decay after the step":
        return moved_to * (1 - learning_rate * weight_decay), first_moment, second_moment
    if form == "corrected moments kept":
        return moved_to - decay, mean, square
    return moved_to - decay, first_moment, second_moment


def _adamw_mistake(form):
    return Mistake("adamw_step", form, lambda *arrays, **settings: _adamw(*arrays, **settings, form=form))


def _filled(gradients, counts):
    """The gradients without those of empty micro-batches, and the counts, both with as many axes as the gradients."""
    counts = counts.to(gradients.dtype).reshape(-1, *[1] * (gradients.ndim - 1))
    return torch.where(counts > 0, gradients, 0.0), counts


def _sum(gradients, counts):
    gradients, counts = _filled(gradients, counts)
    return (gradients * counts).sum(0)


def _torchs(gradient, parameter, first_moment, second_moment, *, step, learning_rate, weight_decay=0.0, **settings):
    right.adamw_step(
        gradient,
        parameter,
        first_moment,
        second_moment,
        step=step,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        **settings,
    )
    update, *moments = adam_update(gradient, first_moment, second_moment, step=step, learning_rate=learning_rate, **settings)
    return parameter + (update - learning_rate * weight_decay * parameter), *moments


def _one_by_one(gradients, counts):
    """A running mean, as a loop over micro-batches keeps it."""
    right.accumulate_gradients(gradients, counts)  # for its checks
    gradients, counts = _filled(gradients, counts)
    mean, seen = torch.zeros_like(gradients[0]), torch.zeros_like(counts[0])
    for gradient, count in zip(gradients, counts, strict=True):
        seen = seen + count
        mean = mean + (gradient - mean) * (count / torch.where(seen > 0, seen, 1.0))
    return mean


def _schedule(step, *, width, warmup_steps, power=0.5, late=0, of_width=None, join=torch.minimum):
    rising, falling = (step - late) * float(warmup_steps) ** (-1 - power), step**-power
    return join(rising, falling) * (width**-0.5 if of_width is None else of_width(width))


def _wrong(**how):
    return lambda step, **named: _schedule(step, **named, **how)


MISTAKES = (
    *map(_adamw_mistake, (
        "decay in the gradient", "decay divided by the root", "decay without the learning rate", "decay after the step",
        "decay of the gradient's sign", "no decay", "no bias correction", "first moment alone corrected",
        "epsilon inside the root", "epsilon before the correction", "steps counted from 0", "corrected moments kept",
        "moments start with the first gradient",
    )),
    Mistake("adamw_step", "the update for the parameter", lambda gradient, parameter, *moments, **settings: (
        lambda moved, *new: (moved - parameter, *new))(*right.adamw_step(gradient, parameter, *moments, **settings))),
    Mistake("adamw_step", "ascent", lambda gradient, *arrays, **settings: (
        lambda moved, first, second: (moved, -first, second))(*right.adamw_step(-gradient, *arrays, **settings))),
    Mistake("adamw_step", "the parameter detached", lambda gradient, parameter, *moments, **settings: right.adamw_step(
        gradient, parameter.detach(), *moments, **settings)),
    Mistake("adamw_step", "accepts step 0", lambda *arrays, step, **settings: right.adamw_step(
        *arrays, step=max(step, 1), **settings), only_checks=True),
    Mistake("adamw_step", "accepts a negative decay", lambda *arrays, weight_decay=0.0, **settings: right.adamw_step(
        *arrays, weight_decay=max(weight_decay, 0.0), **settings), only_checks=True),
    Mistake("accumulate_gradients", "mean of unequal micro-batches", lambda gradients, counts: gradients.mean(0)),
    Mistake("accumulate_gradients", "mean of those that hold something",
            lambda gradients, counts: _filled(gradients, counts)[0].sum(0) / (counts > 0).sum()),
    Mistake("accumulate_gradients", "sum", _sum),
    Mistake("accumulate_gradients", "divided by the number of micro-batches",
            lambda gradients, counts: _sum(gradients, counts) / len(counts)),
    Mistake("accumulate_gradients", "divided once more", lambda gradients, counts: (
        right.accumulate_gradients(gradients, counts) / len(counts))),
    Mistake("accumulate_gradients", "one of each is not counted", lambda gradients, counts: right.accumulate_gradients(
        gradients, (counts - 1).clamp(min=1e-6))),
    Mistake("accumulate_gradients", "counts turned into truth values", lambda gradients, counts: right.accumulate_gradients(
        gradients, (counts > 0).to(gradients.dtype))),
    Mistake("accumulate_gradients", "a softmax of the counts",
            lambda gradients, counts: right.accumulate_gradients(gradients, counts.to(gradients.dtype).softmax(0))),
    Mistake("accumulate_gradients", "0 times NaN", lambda gradients, counts: torch.tensordot(
        counts.to(gradients.dtype) / counts.sum(), gradients, 1)),
    Mistake("accumulate_gradients", "nothing gives 0", lambda gradients, counts: _sum(gradients, counts) / torch.clamp(
        counts.to(gradients.dtype).sum(), min=1e-9), only_checks=True),
    Mistake("warmup_inverse_square_root", "the width as a factor", _wrong(of_width=lambda width: width**0.5)),
    Mistake("warmup_inverse_square_root", "the width left out", _wrong(of_width=lambda width: 1.0)),
    Mistake("warmup_inverse_square_root", "maximum for minimum", _wrong(join=torch.maximum)),
    Mistake("warmup_inverse_square_root", "sum for minimum", _wrong(join=torch.add)),
    Mistake("warmup_inverse_square_root", "falls like 1/s", _wrong(power=1.0)),
    Mistake("warmup_inverse_square_root", "steps from 0", _wrong(late=1)),
    Mistake("warmup_inverse_square_root", "the peak at twice the warm-up", lambda step, *, width, warmup_steps: (
        right.warmup_inverse_square_root(step, width=width, warmup_steps=2 * warmup_steps))),
    Mistake("warmup_inverse_square_root", "step 0 has rate 0", _schedule, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("adamw_step", "the decay added to the update", _torchs),
    Mistake("accumulate_gradients", "a running mean", _one_by_one),
    Mistake(
        "warmup_inverse_square_root",
        "by cases",
        lambda step, *, width, warmup_steps: (
            0 * right.warmup_inverse_square_root(step, width=width, warmup_steps=warmup_steps).detach()
            + torch.where(step < warmup_steps, step / warmup_steps, (step / warmup_steps).rsqrt())
            / math.sqrt(width * warmup_steps)
        ),
    ),
)
