"""Wrong forms of classifier-free guidance that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.diffusion import classifier_free_guidance as right
from tests.support.mistakes import Mistake


def _over(coefficient, x):
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _drop(condition, null_condition, uniforms, *, probability, closed=False, kept=False, null=None, each=False):
    chosen = uniforms <= probability if closed else uniforms < probability
    chosen = ~chosen if kept else chosen
    if each and condition.ndim > 1 and condition.shape[-1] == len(uniforms):
        return torch.where(chosen, null_condition, condition)  # along the last axis
    nothing = null_condition if null is None else null(null_condition)
    return torch.where(_over(chosen, condition).bool(), nothing, condition)


def _drop_per_entry(condition, null_condition, uniforms, *, probability):
    """A fresh number for every entry, made of the example's."""
    spread = torch.linspace(0, 0.6180339887, condition[0].numel(), dtype=uniforms.dtype).reshape(condition.shape[1:])
    chosen = (_over(uniforms, uniforms) if condition.ndim == 1 else uniforms.reshape(-1, *[1] * (condition.ndim - 1))) + spread
    return torch.where(chosen % 1 < probability, null_condition, condition)


def _drop_the_batch(condition, null_condition, uniforms, *, probability):
    return torch.where(uniforms[0] < probability, null_condition.expand(condition.shape), condition)


def _unchecked_drop(condition, null_condition, uniforms, *, probability):
    uniforms = uniforms.reshape(len(uniforms), -1)[:, 0].expand(len(condition))
    return torch.where(_over(uniforms < probability, condition).bool(), null_condition.reshape(-1)[:1], condition)


def _rescale(
    guided, conditional, *, mix=0.7, inverted=False, power=1, centered=False, batch=False, whole=False, other=False, length=False,
    frozen=False,
):  # fmt: skip
    axes = 0 if batch else tuple(range(guided.ndim)) if whole else tuple(range(1, guided.ndim))

    def size(x):
        if length:
            return x.square().mean(axes, keepdim=True).sqrt()
        return x.std(axes, correction=0, keepdim=True) ** power

    ratio = size(conditional) / size(guided)
    if frozen:
        ratio = ratio.detach()
    if inverted:
        ratio = 1 / ratio
    if centered:
        mean = guided.mean(axes, keepdim=True)
        return mix * (mean + (guided - mean) * ratio) + (1 - mix) * guided
    return mix * guided * ratio + (1 - mix) * (conditional if other else guided)


def _infinite_slopes(guided, conditional, *, mix=0.7):
    spreads = [x.reshape(len(x), -1).var(1, correction=0).sqrt() for x in (conditional, guided)]
    return guided * _over(mix * spreads[0] / spreads[1] + 1 - mix, guided)


def _interval(t, *, scale, low, high, outside=1.0, inside=lambda t, low, high: (t > low) & (t <= high)):
    chosen = inside(t, low, high)
    return torch.where(chosen, float(scale), outside)


def _compose(conditionals, unconditional, scales, *, mean=False, each=False, own=False, base=True, alike=False, normed=False):
    m = len(conditionals)
    weights = torch.full_like(scales, 1.0) if alike else scales / scales.sum() if normed else scales
    away = conditionals - (0 if own else unconditional)
    total = (weights.reshape(-1, *[1] * unconditional.ndim) * away).sum(0)
    total = total / m if mean else total
    return total + (m if each else 1) * unconditional if base else total


def _one_after_another(conditionals, unconditional, scales):
    """Each condition guides away from what the one before made."""
    x = unconditional
    for conditional, scale in zip(conditionals, scales, strict=True):
        x = x + scale * (conditional - x)
    return x


def _scales_along_the_batch(conditionals, unconditional, scales):
    if len(conditionals) != len(unconditional):
        return right.compose(conditionals, unconditional, scales)
    return unconditional + (_over(scales, unconditional) * (conditionals - unconditional)).sum(0)


def _in_parts(conditional, unconditional, *, scale):
    right.guide(conditional, unconditional, scale=scale)
    return conditional + (scale - 1) * (conditional - unconditional)


def _by_index(condition, null_condition, uniforms, *, probability):
    right.drop_condition(condition, null_condition, uniforms, probability=probability)
    both = torch.stack([condition, null_condition.expand(condition.shape)])
    return both[(uniforms < probability).long(), torch.arange(len(condition))]


def _unbiased(guided, conditional, *, mix=0.7):
    """Unbiased deviations have the same ratio."""
    right.rescale(guided, conditional, mix=mix)
    axes = tuple(range(1, guided.ndim))
    spread = conditional.var(axes, keepdim=True)
    full = guided * torch.where(spread > 0, torch.where(spread > 0, spread, 1.0).sqrt(), 0.0) / guided.std(axes, keepdim=True)
    return mix * full + (1 - mix) * guided


def _by_powers(t, *, scale, low, high):
    right.interval_scale(t, scale=scale, low=low, high=high)
    inside = ((t > low).to(torch.get_default_dtype())) * (t <= high)
    return 1 + inside * (scale - 1)


def _sum_of_guides(conditionals, unconditional, scales):
    right.compose(conditionals, unconditional, scales)
    total = unconditional
    for conditional, scale in zip(conditionals, scales, strict=True):
        total = total + scale * (conditional - unconditional)
    return total


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _guide_in_place(conditional, unconditional, *, scale):
    """Right in value and gradient; .data hides the write from autograd."""
    guided = right.guide(conditional, unconditional, scale=scale)
    conditional.data.sub_(unconditional)
    return guided


MISTAKES = (
    Mistake("guide", "Ho and Salimans' w", lambda conditional, unconditional, *, scale:
            (1 + scale) * conditional - scale * unconditional),
    Mistake("guide", "writes into the conditional prediction", _guide_in_place),
    Mistake("guide", "exchanged", lambda conditional, unconditional, *, scale:
            conditional + scale * (unconditional - conditional)),
    Mistake("guide", "the difference alone", lambda conditional, unconditional, *, scale: scale * (conditional - unconditional)),
    Mistake("guide", "the other sign", lambda conditional, unconditional, *, scale:
            unconditional - scale * (conditional - unconditional)),
    Mistake("guide", "no slope through the unconditional", lambda conditional, unconditional, *, scale:
            right.guide(conditional, unconditional.detach(), scale=scale)),
    Mistake("guide", "a scale between 0 and 1", lambda conditional, unconditional, *, scale:
            right.guide(conditional, unconditional, scale=min(max(scale, 0.0), 1.0))),
    Mistake("guide", "whatever can be broadcast", lambda conditional, unconditional, *, scale:
            unconditional[..., :1] + scale * (conditional[..., :1] - unconditional[..., :1])
            if unconditional.shape != conditional.shape else right.guide(conditional, unconditional, scale=scale),
            only_checks=True),
    Mistake("drop_condition", "dropped at the boundary", _wrong(_drop, closed=True)),
    Mistake("drop_condition", "kept with the probability", _wrong(_drop, kept=True)),
    Mistake("drop_condition", "zeros for the null condition", _wrong(_drop, null=torch.zeros_like)),
    Mistake("drop_condition", "uniforms along the last axis", _wrong(_drop, each=True)),
    Mistake("drop_condition", "entry by entry", _drop_per_entry),
    Mistake("drop_condition", "the whole batch or nothing", _drop_the_batch),
    Mistake("drop_condition", "a null condition that does not learn", _wrong(_drop, null=torch.Tensor.detach)),
    Mistake("drop_condition", "no check", _unchecked_drop, only_checks=True),
    Mistake("rescale", "the ratio inverted", _wrong(_rescale, inverted=True)),
    Mistake("rescale", "variances", _wrong(_rescale, power=2)),
    Mistake("rescale", "around the mean", _wrong(_rescale, centered=True)),
    Mistake("rescale", "over the batch", _wrong(_rescale, batch=True)),
    Mistake("rescale", "one deviation for all", _wrong(_rescale, whole=True)),
    Mistake("rescale", "mixed with the conditional", _wrong(_rescale, other=True)),
    Mistake("rescale", "lengths for deviations", _wrong(_rescale, length=True)),
    Mistake("rescale", "the mix exchanged", lambda guided, conditional, *, mix=0.7:
            right.rescale(guided, conditional, mix=1 - mix)),
    Mistake("rescale", "another usual mix", lambda guided, conditional, *, mix=0.5:
            right.rescale(guided, conditional, mix=mix)),
    Mistake("rescale", "a ratio without a slope", _wrong(_rescale, frozen=True)),
    Mistake("rescale", "NaN slopes of a constant conditional", _infinite_slopes),
    Mistake("rescale", "a small number against dividing by zero", lambda guided, conditional, *, mix=0.7:
            guided * (mix * conditional.reshape(len(guided), -1).std(1, correction=0) / (
                guided.reshape(len(guided), -1).std(1, correction=0) + 1e-8) + 1 - mix).reshape(-1, *[1] * (guided.ndim - 1))),
    Mistake("interval_scale", "both ends in", _wrong(_interval, inside=lambda t, low, high: (t >= low) & (t <= high))),
    Mistake("interval_scale", "both ends out", _wrong(_interval, inside=lambda t, low, high: (t > low) & (t < high))),
    Mistake("interval_scale", "the other end in", _wrong(_interval, inside=lambda t, low, high: (t >= low) & (t < high))),
    Mistake("interval_scale", "unconditional outside", _wrong(_interval, outside=0.0)),
    Mistake("interval_scale", "outside for inside", _wrong(_interval, inside=lambda t, low, high: (t <= low) | (t > high))),
    Mistake("interval_scale", "a scale of whole numbers", lambda t, *, scale, low, high:
            right.interval_scale(t, scale=int(scale), low=low, high=high)),
    Mistake("interval_scale", "no check", _interval, only_checks=True),
    Mistake("compose", "the mean over conditions", _wrong(_compose, mean=True)),
    Mistake("compose", "u added for each", _wrong(_compose, each=True)),
    Mistake("compose", "predictions added to u", _wrong(_compose, own=True)),
    Mistake("compose", "predictions added", _wrong(_compose, own=True, base=False)),
    Mistake("compose", "the differences alone", _wrong(_compose, base=False)),
    Mistake("compose", "scales alike", _wrong(_compose, alike=True)),
    Mistake("compose", "scales normalized", _wrong(_compose, normed=True)),
    Mistake("compose", "one after another", _one_after_another),
    Mistake("compose", "scales along the batch", _scales_along_the_batch),
)  # fmt: skip

EQUIVALENT = (
    Mistake("guide", "from the conditional, with Ho and Salimans' w", _in_parts),
    Mistake("drop_condition", "by index", _by_index),
    Mistake("rescale", "unbiased deviations", _unbiased),
    Mistake("interval_scale", "by arithmetic", _by_powers),
    Mistake("compose", "one difference at a time", _sum_of_guides),
)
