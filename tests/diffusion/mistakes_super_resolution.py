"""Wrong forms of conditioning on a small image that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.diffusion import super_resolution as right
from tests.support.mistakes import Mistake, after_checks

CONDITION, ERROR, PROJECTION = "concatenate_low_resolution", "consistency_error", "null_space_projection"


def _small(x, factor):
    return functional.avg_pool2d(x, factor)


def _picked(x, factor):
    """The first pixel of every block."""
    return x[:, :, ::factor, ::factor]


def _large(y, factor):
    return y.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def _condition(x_t, low_resolution, *, enlarge=_large, small_first=False):
    parts = [x_t, enlarge(low_resolution, x_t.shape[2] // low_resolution.shape[2])]
    return torch.cat(parts[::-1] if small_first else parts, dim=1)


def _smooth(y, factor):
    return functional.interpolate(y, scale_factor=factor, mode="bilinear", align_corners=False)


def _error(x, low_resolution, *, factor, reduce=_small, mean=lambda errors: errors.mean(dim=(1, 2, 3))):
    return mean((reduce(x, factor) - low_resolution).square())


def _projection(x0_pred, low_resolution, *, factor, reduce=_small, times=1.0, subtracted=1.0, kept=1.0):
    return kept * x0_pred + times * _large(low_resolution - subtracted * reduce(x0_pred, factor), factor)


def _by_transpose(x0_pred, low_resolution, *, factor):
    return _projection(x0_pred, low_resolution, factor=factor, times=1 / factor**2)


def _wrong(function, name, form, **how):
    return Mistake(function, name, after_checks(right, function, lambda **named: form(**named, **how)))


def _unchecked(function, name, form):
    return Mistake(function, name, form, only_checks=True)


MISTAKES = (
    _wrong(CONDITION, "the small image first", _condition, small_first=True),
    _wrong(CONDITION, "the image repeated, not its pixels", _condition, enlarge=lambda y, factor: y.repeat(1, 1, factor, factor)),
    _wrong(CONDITION, "spread by the transpose of the mean", _condition, enlarge=lambda y, factor: _large(y, factor) / factor**2),
    _wrong(CONDITION, "bilinear", _condition, enlarge=_smooth),
    _wrong(CONDITION, "detached", lambda x_t, low_resolution: _condition(x_t, low_resolution.detach())),
    _unchecked(CONDITION, "resized to whatever fits", lambda x_t, low_resolution: torch.cat(
        [x_t, functional.interpolate(low_resolution, size=x_t.shape[2:])], dim=1)),
    _wrong(ERROR, "a strided pick", _error, reduce=_picked),
    _wrong(ERROR, "the largest pixel of a block", _error, reduce=functional.max_pool2d),
    _wrong(ERROR, "the sum", _error, mean=lambda errors: errors.sum(dim=(1, 2, 3))),
    _wrong(ERROR, "over the pixels of x", lambda x, low_resolution, *, factor: _error(
        x, low_resolution, factor=factor) / factor**2),
    _wrong(ERROR, "before the mean of blocks", lambda x, low_resolution, *, factor: _error(
        x, _large(low_resolution, factor), factor=factor, reduce=lambda x, factor: x)),
    _wrong(ERROR, "one number for the batch", lambda x, low_resolution, *, factor: _error(
        x, low_resolution, factor=factor).mean().expand(len(x))),
    _unchecked(ERROR, "the rest cut off", lambda x, low_resolution, *, factor: _error(
        x, low_resolution, factor=max(factor, 1), mean=lambda errors: errors.mean(dim=(-3, -2, -1)))),
    _wrong(PROJECTION, "a strided pick", _projection, reduce=_picked),
    _wrong(PROJECTION, "twice the correction", _projection, times=2.0),
    _wrong(PROJECTION, "the mean subtracted twice", _projection, subtracted=2.0),
    _wrong(PROJECTION, "by the transpose of the mean", _by_transpose),
    _wrong(PROJECTION, "away from it", _projection, times=-1.0),
    _wrong(PROJECTION, "the small image alone", _projection, kept=0.0, subtracted=0.0),
    _wrong(PROJECTION, "the correction without a gradient", lambda x0_pred, low_resolution, *, factor: (
        x0_pred + _large(low_resolution - _small(x0_pred, factor).detach(), factor))),
    _unchecked(PROJECTION, "any small image", lambda x0_pred, low_resolution, *, factor: _projection(
        x0_pred, functional.interpolate(low_resolution, size=_small(x0_pred, max(factor, 1)).shape[2:]), factor=max(factor, 1))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(CONDITION, "by interpolate", after_checks(right, CONDITION, lambda x_t, low_resolution: torch.cat(
        [x_t, functional.interpolate(low_resolution, size=x_t.shape[2:], mode="nearest")], dim=1))),
    Mistake(ERROR, "by avg_pool2d", after_checks(right, ERROR, _error)),
    Mistake(PROJECTION, "by avg_pool2d and repetition", after_checks(right, PROJECTION, _projection)),
    Mistake(PROJECTION, "its two parts", after_checks(right, PROJECTION, lambda x0_pred, low_resolution, *, factor: (
        _large(low_resolution, factor) + (x0_pred - _large(_small(x0_pred, factor), factor))))),
)  # fmt: skip
