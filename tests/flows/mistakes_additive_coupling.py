"""Wrong additive coupling layers that the rows must refuse, and other right ones."""

import torch
from torch.nn import functional

from practice_torch.flows import additive_coupling as right
from tests.support.mistakes import Mistake


def _seen_whole(x, mask, shift_fn):
    """Not invertible: the shift is computed from what it changes."""
    right.forward(x, mask, shift_fn)
    return torch.where(mask, x, x + shift_fn(x))


def _numbers_for_masks(x, mask, shift_fn):
    mask = mask.to(x.dtype)
    return x + (1 - mask) * shift_fn(mask * x)


def _flipped(x, mask, shift_fn):
    return right.forward(x, ~mask, shift_fn)


def _scaling(x, log_scale, log_det):
    right.diagonal_scaling(x, log_scale)
    return x * log_scale.exp(), log_det


MISTAKES = (
    Mistake("alternating_mask", "halves", lambda *, dim, flip=False: (torch.arange(dim) < (dim + 1) // 2) != flip),
    Mistake("alternating_mask", "flip does nothing", lambda *, dim, flip=False: right.alternating_mask(dim=dim)),
    Mistake("alternating_mask", "a mask of one", lambda *, dim, flip=False: torch.arange(dim) % 2 == int(flip), only_checks=True),
    Mistake("forward", "the shift sees what it changes", _seen_whole),
    Mistake("forward", "the mask flipped", _flipped),
    Mistake("forward", "every entry is shifted", lambda x, mask, shift_fn: (
        right.forward(x, mask, shift_fn) + mask * shift_fn(torch.where(mask, x, 0)))),
    Mistake("forward", "subtracted", lambda x, mask, shift_fn: right.inverse(x, mask, shift_fn)),
    Mistake("forward", "the shift is detached from x", lambda x, mask, shift_fn: (
        right.forward(x, mask, lambda kept: shift_fn(kept.detach()) + 0 * kept))),
    Mistake("forward", "takes numbers for truth values", lambda x, mask, shift_fn: (
        right.forward(x, mask.bool(), shift_fn)), only_checks=True),
    Mistake("forward", "broadcasts a shift of one entry", lambda x, mask, shift_fn: (
        right.forward(x, mask, lambda kept: shift_fn(kept).expand_as(kept))), only_checks=True),
    Mistake("inverse", "the mask flipped", lambda z, mask, shift_fn: right.inverse(z, ~mask, shift_fn)),
    Mistake("inverse", "added", lambda z, mask, shift_fn: right.forward(z, mask, shift_fn)),
    Mistake("inverse", "the shift sees what changed", lambda z, mask, shift_fn: (
        right.inverse(z, mask, shift_fn) * 0 + torch.where(mask, z, z - shift_fn(z)))),
    Mistake("diagonal_scaling", "log-determinant times the batch", lambda x, log_scale: (
        _scaling(x, log_scale, log_scale.sum().expand(len(x)) * len(x)))),
    Mistake("diagonal_scaling", "the sign", lambda x, log_scale: _scaling(x, log_scale, -log_scale.sum().expand(len(x)))),
    Mistake("diagonal_scaling", "one number for the batch", lambda x, log_scale: _scaling(x, log_scale, log_scale.sum())),
    Mistake("diagonal_scaling", "overflows in silence", lambda x, log_scale: (
        right.diagonal_scaling(x, log_scale.nan_to_num().clamp(-700, 700))), only_checks=True),
    Mistake("logistic_log_prob", "torch's softplus, which is the identity beyond 20",
            lambda z: -(functional.softplus(z) + functional.softplus(-z)).reshape(len(z), z[:1].numel()).sum(1)),
    Mistake("logistic_log_prob", "overflows", lambda z: (
        z - 2 * (1 + z.exp()).log()).reshape(len(z), z[:1].numel()).sum(1)),
    Mistake("logistic_log_prob", "one softplus", lambda z: -functional.softplus(z).reshape(len(z), z[:1].numel()).sum(1)),
    Mistake("logistic_log_prob", "the mean of the entries",
            lambda z: right.logistic_log_prob(z) / max(1, z[:1].numel())),
)  # fmt: skip

EQUIVALENT = (
    Mistake("forward", "0 and 1 in place of truth values", _numbers_for_masks, core_alone=True),
    Mistake(
        "logistic_log_prob",
        "a transformed distribution's formula",
        lambda z: (-z.abs() - 2 * torch.log1p(torch.exp(-z.abs()))).reshape(len(z), z[:1].numel()).sum(1),
        core_alone=True,
    ),
)
