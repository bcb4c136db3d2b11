"""Wrong forms of fading in, pixel normalization, equalized weights and the schedule that the rows must refuse, and right ones."""

import torch
from torch.nn import functional

from practice_torch.adversarial import progressive_growing as right
from tests.support.mistakes import Mistake, after_checks


def _planted(function, name, wrong):
    """A wrong form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong))


def _twice(low, mode="nearest"):
    return functional.interpolate(low, scale_factor=2, mode=mode)


def _normalized(change):
    def wrong(x, *, epsilon=1e-8):
        return change(x, epsilon)

    return wrong


def _scaled(change):
    def wrong(weight, *, gain=2.0**0.5):
        return weight * change(weight, gain)

    return wrong


def _scheduled(change, first=True):
    """change(step, stage_steps, fade_steps), with 1 in stage 0 (first)."""

    def wrong(step, *, stage_steps, fade_steps):
        step = step.long()
        stage, share = step // stage_steps, change(step, stage_steps, fade_steps)
        return stage, torch.where(stage == 0, 1.0, share) if first else share

    return wrong


def _rises(step, stage_steps, fade_steps):
    return (step % stage_steps / fade_steps).clamp(max=1)


def _in_its_own_width(step, *, stage_steps, fade_steps):
    stage = step // stage_steps
    return stage.long(), torch.where(stage == 0, 1.0, _rises(step, stage_steps, fade_steps))


FADE, PIXEL, WEIGHT, GROW = "fade_in", "pixel_normalize", "equalized_weight", "growth_schedule"
MISTAKES = (
    *(_planted(FADE, name, wrong) for name, wrong in {
        "shares exchanged": lambda low, high, *, alpha: alpha * _twice(low) + (1 - alpha) * high,
        "bilinear upsampling": lambda low, high, *, alpha: (1 - alpha) * _twice(low, "bilinear") + alpha * high,
        "the image repeated, not its pixels": lambda low, high, *, alpha: (1 - alpha) * low.repeat(1, 1, 2, 2) + alpha * high,
        "the new output a residual": lambda low, high, *, alpha: _twice(low) + alpha * high,
        "the old output detached": lambda low, high, *, alpha: (1 - alpha) * _twice(low).detach() + alpha * high,
        "the square of the share": lambda low, high, *, alpha: torch.lerp(_twice(low), high, alpha**2),
        "rows alone": lambda low, high, *, alpha: torch.lerp(
            low.repeat_interleave(2, 2).repeat(1, 1, 1, 2), high, alpha),
        "energy kept": lambda low, high, *, alpha: (1 - alpha) ** 0.5 * _twice(low) + alpha**0.5 * high,
    }.items()),
    Mistake(FADE, "any shapes, any share", lambda low, high, *, alpha: (1 - alpha) * _twice(low) + alpha * high,
            only_checks=True),
    *(_planted(PIXEL, name, _normalized(change)) for name, change in {
        "over height and width": lambda x, epsilon: x * (x.square().mean((2, 3), keepdim=True) + epsilon).rsqrt(),
        "over all but the batch": lambda x, epsilon: x * (x.square().mean((1, 2, 3), keepdim=True) + epsilon).rsqrt(),
        "over the batch": lambda x, epsilon: x * (x.square().mean(0, keepdim=True) + epsilon).rsqrt(),
        "to length 1": lambda x, epsilon: x * (x.square().sum(1, keepdim=True) + epsilon).rsqrt(),
        "the mean subtracted": lambda x, epsilon: (x - x.mean(1, keepdim=True)) * (
            x.var(1, keepdim=True, correction=0) + epsilon).rsqrt(),
        "epsilon added to the root": lambda x, epsilon: x / (x.square().mean(1, keepdim=True).sqrt() + epsilon),
        "epsilon left out": lambda x, epsilon: x * x.square().mean(1, keepdim=True).rsqrt(),
        "epsilon always the same": lambda x, epsilon: right.pixel_normalize(x),
        "no root": lambda x, epsilon: x / (x.square().mean(1, keepdim=True) + epsilon),
        "the length a constant": lambda x, epsilon: x * (x.square().mean(1, keepdim=True) + epsilon).rsqrt().detach(),
    }.items()),
    Mistake(PIXEL, "any epsilon", _normalized(lambda x, epsilon: x * (x.square().mean(1, keepdim=True) + epsilon).rsqrt()),
            only_checks=True),
    *(_planted(WEIGHT, name, _scaled(change)) for name, change in {
        "fan-in by the outputs": lambda weight, gain: gain * (weight.numel() // weight.shape[1]) ** -0.5,
        "channels alone": lambda weight, gain: gain * weight.shape[1] ** -0.5,
        "the gain ignored": lambda weight, gain: (2 / weight[0].numel()) ** 0.5,
        "the gain's root": lambda weight, gain: (gain / weight[0].numel()) ** 0.5,
        "no root": lambda weight, gain: gain / weight[0].numel(),
        "scaled once, at the start": lambda weight, gain: 1.0,
        "the factor squared": lambda weight, gain: gain**2 / weight[0].numel(),
        "by the length of each output's weights": lambda weight, gain: gain / weight.flatten(1).norm(dim=1).view(
            -1, *[1] * (weight.ndim - 1)),
    }.items()),
    Mistake(WEIGHT, "any gain, any shape", _scaled(lambda weight, gain: gain * weight[:1].numel() ** -0.5),
            only_checks=True),
    *(_planted(GROW, name, wrong) for name, wrong in {
        "stage 0 is faded in, too": _scheduled(_rises, first=False),
        "alpha is not reset": _scheduled(lambda step, stage, fade: (step / fade).clamp(max=1)),
        "one step ahead": _scheduled(lambda step, stage, fade: ((step % stage + 1) / fade).clamp(max=1)),
        "faded in over the whole stage": _scheduled(lambda step, stage, fade: step % stage / stage),
        "alpha above 1": _scheduled(lambda step, stage, fade: step % stage / fade),
        "the last steps fade": _scheduled(lambda step, stage, fade: ((step % stage - (stage - fade)) / fade).clamp(0, 1)),
        "a stage early": lambda step, *, stage_steps, fade_steps: right.growth_schedule(
            step.long() + 1, stage_steps=stage_steps, fade_steps=fade_steps),
        "stages from 1": lambda step, *, stage_steps, fade_steps: (
            step.long() // stage_steps + 1, right.growth_schedule(step, stage_steps=stage_steps, fade_steps=fade_steps)[1]),
    }.items()),
    Mistake(GROW, "any numbers", _scheduled(_rises), only_checks=True),
    Mistake(GROW, "divided in the width that is given", after_checks(right, GROW, _in_its_own_width), narrow=True),
)  # fmt: skip

EQUIVALENT = (
    _planted(FADE, "torch's upsampling", lambda low, high, *, alpha: (1 - alpha) * _twice(low) + alpha * high),
    _planted(PIXEL, "torch's normalization by the mean square", _normalized(lambda x, epsilon: functional.rms_norm(
        x.movedim(1, -1), x.shape[1:2], eps=epsilon).movedim(-1, 1))),
    _planted(WEIGHT, "division by the root", _scaled(lambda weight, gain: gain / weight[:1].numel() ** 0.5)),
    _planted(GROW, "by the place in the stage", _scheduled(_rises)),
)  # fmt: skip
