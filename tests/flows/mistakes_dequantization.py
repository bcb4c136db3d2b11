"""Wrong forms of dequantization that the rows must refuse, and other right ones."""

import math

import torch

from practice_torch.flows import dequantization as right
from tests.support.mistakes import Mistake


def _plain(x, u, *, num_levels):
    """Rounds up to the next cell."""
    right.uniform_dequantize(x, u, num_levels=num_levels)
    return (x.long() + u) / num_levels


def _with_determinant(y, alpha, log_det):
    return right.logit_forward(y, alpha=alpha)[0], log_det.reshape(len(y), y[:1].numel()).sum(1)


def _pressed(y, alpha):
    return alpha / 2 + (1 - alpha) * y


MISTAKES = (
    Mistake("uniform_dequantize", "divided by the largest level",
            lambda x, u, *, num_levels: right.uniform_dequantize(x, u, num_levels=num_levels) * num_levels / (num_levels - 1)),
    Mistake("uniform_dequantize", "rounds up to the next cell", _plain),
    Mistake("uniform_dequantize", "around the level", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u, num_levels=num_levels) - 0.5 / num_levels)),
    Mistake("uniform_dequantize", "the noise of one pixel for all", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u.flatten(1)[:, :1].reshape(-1, *[1] * (u.ndim - 1)).expand_as(u), num_levels=num_levels))),
    Mistake("uniform_dequantize", "computes in narrow integers", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x, u, num_levels=num_levels) + ((x + 1 - 1) - (x + 1).long() + 1) * 1.0), narrow=True),
    Mistake("uniform_dequantize", "takes numbers for levels", lambda x, u, *, num_levels: (
        right.uniform_dequantize(x.long(), u, num_levels=num_levels)), only_checks=True),
    Mistake("quantize", "rounded", lambda y, *, num_levels: (y * num_levels).round().clamp(0, num_levels - 1).long()),
    Mistake("quantize", "1 as a further level", lambda y, *, num_levels: (y.clamp(0, 1) * num_levels).floor().long()),
    Mistake("quantize", "the product rounds down", lambda y, *, num_levels: (
        (y.clamp(0, 1) * num_levels).floor().clamp(0, num_levels - 1).long())),
    Mistake("logit_forward", "the press not counted", lambda y, *, alpha=0.05: _with_determinant(
        y, alpha, -_pressed(y, alpha).log() - (1 - _pressed(y, alpha)).log())),
    Mistake("logit_forward", "not pressed", lambda y, *, alpha=0.05: (
        y.logit(), _with_determinant(y, alpha, -y.log() - (1 - y).log())[1])),
    Mistake("logit_forward", "mean over the entries", lambda y, *, alpha=0.05: (
        right.logit_forward(y, alpha=alpha)[0], right.logit_forward(y, alpha=alpha)[1] / max(1, y[:1].numel()))),
    Mistake("logit_forward", "clips pixels outside", lambda y, *, alpha=0.05: right.logit_forward(y.clamp(0, 1), alpha=alpha),
            only_checks=True),
    Mistake("logit_inverse", "the log-determinant of forward", lambda z, *, alpha=0.05: (
        right.logit_inverse(z, alpha=alpha)[0], -right.logit_inverse(z, alpha=alpha)[1])),
    Mistake("logit_inverse", "the press stays", lambda z, *, alpha=0.05: (
        z.sigmoid(), right.logit_inverse(z, alpha=alpha)[1])),
    Mistake("logit_inverse", "underflows", lambda z, *, alpha=0.05: (
        right.logit_inverse(z, alpha=alpha)[0],
        (z.sigmoid() * (1 - z.sigmoid()) / (1 - alpha)).log().reshape(len(z), z[:1].numel()).sum(1))),
    Mistake("bits_per_dimension", "no levels",
            lambda log_prob, *, dim, num_levels: right.bits_per_dimension(log_prob, dim=dim, num_levels=1)),
    Mistake("bits_per_dimension", "multiplied by log 2", lambda log_prob, *, dim, num_levels: (
        right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels) * math.log(2) ** 2)),
    Mistake("bits_per_dimension", "not divided by the dimensions", lambda log_prob, *, dim, num_levels: (
        dim * right.bits_per_dimension(log_prob, dim=dim, num_levels=num_levels))),
)  # fmt: skip

EQUIVALENT = (
    Mistake("logit_forward", "torch's logit of the pressed pixel", lambda y, *, alpha=0.05: _with_determinant(
        y, alpha, math.log(1 - alpha) - _pressed(y, alpha).log() - (1 - _pressed(y, alpha)).log()), core_alone=True),
    Mistake("quantize", "by the edges of the cells", lambda y, *, num_levels: torch.bucketize(
        y.detach(), torch.arange(1, num_levels, dtype=y.dtype) / num_levels, right=True), core_alone=True),
)  # fmt: skip
