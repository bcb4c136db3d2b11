"""Classifier-free guidance: what to make of two predictions of one network, and how to train the second of them."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_share,
    require_values,
)
from practice_torch.mathematics.levels import as_rows, per_example


def guide(conditional, unconditional, *, scale):
    r"""u + scale (c - u): at scale 1 the conditional prediction c, at 0 the unconditional u, beyond 1 further from u than c is.

    Ho and Salimans' w is scale - 1. A prediction for unwanted content may replace u (a negative prompt).
    Raises ValueError if the shapes differ.  Source: Ho & Salimans 2022, eq. 6.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(conditional=conditional, unconditional=unconditional)
    return torch.lerp(unconditional, conditional, scale)


def drop_condition(condition, null_condition, uniforms, *, probability):
    r"""The null condition where u < probability, the condition elsewhere: one decision for each example.

    A condition may be a label, a vector, or a sequence of them.
    Raises ValueError if null_condition has not the shape of one condition, the other shapes do not fit, a uniform is outside
    [0, 1), or probability outside [0, 1].  Source: Ho & Salimans 2022, algorithm 1.
    [B, ...], [...], [B] -> [B, ...]
    """
    given, wanted = list(null_condition.shape), list(condition.shape[1:])
    require(given == wanted, f"null_condition has shape {given}; it must be that of one condition, {wanted}")
    require_one_each(condition, uniforms=uniforms)
    require_values("uniforms", uniforms, lambda u: (u >= 0) & (u < 1), "in [0, 1)")
    require_share(probability=probability)
    dropped = (uniforms < probability).reshape(-1, *[1] * (condition.ndim - 1))
    return torch.where(dropped, as_int64(null_condition), as_int64(condition))


def rescale(guided, conditional, *, mix=0.7):
    r"""guided (mix std(conditional)/std(guided) + 1 - mix), std of each example over all its entries, biased.

    Guidance makes predictions larger; this gives the conditional one's spread back to it, and mixes both.
    Raises ValueError if the shapes differ, a guided prediction is constant, or mix is outside [0, 1].
    Source: Lin et al. 2023, section 3.4.
    [B, ...], [B, ...] -> [B, ...]
    """
    require_same_shape(guided=guided, conditional=conditional)
    rows, wanted = as_rows(guided), as_rows(conditional)
    lowest, highest = rows.detach().aminmax(dim=1)
    width = highest - lowest
    require_values("max(guided) - min(guided)", width, lambda w: w > 0, "positive: a constant prediction has no spread to scale")
    require_share(mix=mix)
    variance = _variance(wanted)
    ratio = (variance.where(variance > 0, 1.0) / _variance(rows)).sqrt().where(variance > 0, 0.0)
    return guided * per_example(torch.lerp(torch.ones_like(ratio), ratio, mix), guided)


def interval_scale(t, *, scale, low, high):
    r"""The scale where low < t <= high, and 1, no guidance, elsewhere.

    Raises ValueError if t is not [B] of integers from 1 on, or low > high.  Source: Kynkäänniemi et al. 2024.
    [B] -> [B]
    """
    require_integers(t=t)
    require_rank(1, t=t)
    require_values("t", t, lambda t: t >= 1, "at least 1")
    require(low <= high, f"low is {low}; it must not be above high, {high}")
    t = as_int64(t)
    ones = torch.ones(t.shape, device=t.device)
    return ones.masked_fill((t > low) & (t <= high), scale)


def compose(conditionals, unconditional, scales):
    r"""u + sum_m scale_m (c_m - u): several conditions at once, each with its own weight, which may be negative.

    Raises ValueError if the shapes of unconditional and conditionals do not fit.  Source: Liu et al. 2022.
    [M, B, ...], [B, ...], [M] -> [B, ...]
    """
    given, wanted = list(conditionals.shape), list(unconditional.shape)
    require(given[1:] == wanted and given, f"conditionals has shape {given}; it must be {['M', *wanted]}")
    found = list(scales.shape)
    require(found == given[:1], f"scales has shape {found}; it must have one entry for each of the {given[0]} conditionals")
    return unconditional + torch.einsum("m,m...->...", scales, conditionals - unconditional)


def _variance(rows):
    """Biased, of every row; torch.var warns where there is none."""
    return (rows - rows.mean(1, keepdim=True)).square().mean(1)
