"""Wrong affine coupling layers that the rows must refuse, and other right ones."""

import torch

from practice_torch.flows import affine_coupling as right
from tests.support.mistakes import Mistake


def _sum(log_scale):
    return log_scale.reshape(len(log_scale), log_scale[:1].numel()).sum(1)


def _all_counted(x, mask, log_scale_fn, shift_fn):
    z, _ = right.forward(x, mask, log_scale_fn, shift_fn)
    return z, _sum(log_scale_fn(torch.where(mask, x, 0)))


def _seen_whole(x, mask, log_scale_fn, shift_fn):
    """Not invertible: both functions are computed from what they change."""
    right.forward(x, mask, log_scale_fn, shift_fn)
    log_scale, changes = log_scale_fn(x), ~mask
    return torch.where(mask, x, x * log_scale.exp() + shift_fn(x)), _sum(log_scale * changes)


def _shifted_first(x, mask, log_scale_fn, shift_fn):
    _, log_det = right.forward(x, mask, log_scale_fn, shift_fn)
    kept = torch.where(mask, x, 0)
    return torch.where(mask, x, (x + shift_fn(kept)) * log_scale_fn(kept).exp()), log_det


def _multiplied_again(z, mask, log_scale_fn, shift_fn):
    _, log_det = right.inverse(z, mask, log_scale_fn, shift_fn)
    kept = torch.where(mask, z, 0)
    return torch.where(mask, z, (z - shift_fn(kept)) * log_scale_fn(kept).exp()), log_det


def _first_channel_alone(x, mask, log_scale_fn, shift_fn):
    """The mask of one channel is not repeated for the others: these pass."""
    full = torch.ones(x.shape[1:], dtype=torch.bool)
    full[: len(mask)] = mask
    return right.forward(x, full, log_scale_fn, shift_fn)


def _product_of_masks(x, mask, log_scale_fn, shift_fn):
    """As the paper writes it."""
    m = mask.to(x.dtype)
    log_scale, shift = log_scale_fn(m * x), shift_fn(m * x)
    return m * x + (1 - m) * (x * log_scale.exp() + shift), _sum((1 - m) * log_scale)


def _with_sign(x, masks, log_scale_fns, shift_fns, sign):
    found = right.log_prob(x, masks, log_scale_fns, shift_fns)
    for layer in zip(masks, log_scale_fns, shift_fns, strict=True):
        x, log_det = right.forward(x, *layer)
        found = found + (sign - 1) * log_det
    return found


MISTAKES = (
    Mistake("checkerboard_mask", "columns", lambda *, height, width, flip=False: (
        (torch.arange(width) % 2 == int(flip)).expand(1, height, width))),
    Mistake("checkerboard_mask", "flip does nothing",
            lambda *, height, width, flip=False: right.checkerboard_mask(height=height, width=width)),
    Mistake("channel_mask", "every other channel",
            lambda *, channels, flip=False: (torch.arange(channels) % 2 == int(flip))[:, None, None]),
    Mistake("channel_mask", "the first half rounded up",
            lambda *, channels, flip=False: ((torch.arange(channels) < (channels + 1) // 2) != flip)[:, None, None]),
    Mistake("channel_mask", "one channel", lambda *, channels, flip=False: (
        (torch.arange(channels) < channels // 2) != flip)[:, None, None], only_checks=True),
    Mistake("forward", "passing entries in the log-determinant", _all_counted),
    Mistake("forward", "both functions see what they change", _seen_whole),
    Mistake("forward", "shifted before it is scaled", _shifted_first),
    Mistake("forward", "the mask of one channel", _first_channel_alone),
    Mistake("forward", "overflows in silence", lambda x, mask, log_scale_fn, shift_fn: right.forward(
        x, mask, lambda kept: log_scale_fn(kept).clamp(-700, 700), shift_fn), only_checks=True),
    Mistake("inverse", "multiplied by e^s", _multiplied_again),
    Mistake("inverse", "the log-determinant of forward", lambda z, mask, log_scale_fn, shift_fn: (
        right.inverse(z, mask, log_scale_fn, shift_fn)[0], -right.inverse(z, mask, log_scale_fn, shift_fn)[1])),
    Mistake("bounded_log_scale", "not divided by the bound",
            lambda raw, *, bound=2.0: bound * torch.tanh(raw) + 0 * right.bounded_log_scale(raw, bound=bound)),
    Mistake("bounded_log_scale", "clipped: no gradient beyond the bound",
            lambda raw, *, bound=2.0: raw.clamp(-bound, bound) + 0 * right.bounded_log_scale(raw, bound=bound)),
    Mistake("log_prob", "log-determinants subtracted", lambda x, masks, log_scale_fns, shift_fns: (
        _with_sign(x, masks, log_scale_fns, shift_fns, -1))),
    Mistake("log_prob", "no log-determinants", lambda x, masks, log_scale_fns, shift_fns: (
        _with_sign(x, masks, log_scale_fns, shift_fns, 0))),
    Mistake("log_prob", "the last layer first", lambda x, masks, log_scale_fns, shift_fns: (
        right.log_prob(x, masks[::-1], log_scale_fns[::-1], shift_fns[::-1]))),
    Mistake("log_prob", "the shortest list counts", lambda x, masks, log_scale_fns, shift_fns: right.log_prob(
        x, *(part[:min(len(log_scale_fns), len(shift_fns))] for part in (masks, log_scale_fns, shift_fns))), only_checks=True),
)  # fmt: skip

EQUIVALENT = (Mistake("forward", "0 and 1 in place of truth values", _product_of_masks, core_alone=True),)
