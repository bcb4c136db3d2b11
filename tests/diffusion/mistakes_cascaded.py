"""Wrong forms of pyramids, augmentation and bands that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.diffusion import cascaded as right
from practice_torch.diffusion.forward_process import forward_sample
from tests.support.mistakes import Mistake, after_checks

PYRAMID, AUGMENTATION, ANALYSIS, SYNTHESIS = "image_pyramid", "conditioning_augmentation", "haar_analysis", "haar_synthesis"
ROWS = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=torch.float64)
BANDS = (0, 1, 2, 3)


def _pyramid(x, *, num_levels, reduce=lambda x: functional.avg_pool2d(x, 2), largest_last=True):
    images = [x]
    for _ in range(num_levels - 1):
        images.append(reduce(images[-1]))
    return tuple(images[::-1] if largest_last else images)


def _augmentation(low_resolution, noise, level, alpha_bar, *, shift=0, root=torch.sqrt, kept=1.0, drawn=1.0):
    a = alpha_bar[level.long() + shift].view(-1, *[1] * (low_resolution.ndim - 1)).to(low_resolution.dtype)
    return kept * root(a) * low_resolution + drawn * root(1 - a) * noise


def _analysis(x, *, order=BANDS, factor=0.5, signs=(1, 1, 1, 1)):
    blocks = torch.stack([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], dim=-1)
    bands = blocks @ (factor * ROWS.to(x.dtype)).T * torch.tensor(signs, dtype=x.dtype)
    bands = bands[..., order].movedim(-1, 2)
    return bands[:, :, 0], bands[:, :, 1:]


def _synthesis(low, detail, *, order=BANDS, factor=0.5, signs=(1, 1, 1, 1)):
    bands = torch.cat([low.unsqueeze(2), detail], dim=2).movedim(2, -1)[..., order] * torch.tensor(signs, dtype=low.dtype)
    blocks = (bands @ (factor * ROWS.to(low.dtype))).unflatten(-1, (2, 2))
    return blocks.movedim(-2, 3).flatten(-2).flatten(2, 3)


def _by_shuffle(low, detail):
    """pixel_shuffle puts four channels into blocks, row by row."""
    bands = torch.cat([low.unsqueeze(2), detail], dim=2)
    pixels = torch.einsum("kp,bckij->bcpij", ROWS.to(low.dtype) / 2, bands)
    return functional.pixel_shuffle(pixels.flatten(1, 2), 2)


def _wrong(function, name, form, **how):
    return Mistake(function, name, after_checks(right, function, lambda **named: form(**named, **how)))


def _unchecked(function, name, form):
    return Mistake(function, name, form, only_checks=True)


MISTAKES = (
    _wrong(PYRAMID, "the largest first", _pyramid, largest_last=False),
    _wrong(PYRAMID, "a strided pick", _pyramid, reduce=lambda x: x[..., ::2, ::2]),
    _wrong(PYRAMID, "the low band", _pyramid, reduce=lambda x: 2 * functional.avg_pool2d(x, 2)),
    _wrong(PYRAMID, "the largest pixel of a block", _pyramid, reduce=lambda x: functional.max_pool2d(x, 2)),
    _wrong(PYRAMID, "a level too many", lambda x, *, num_levels: _pyramid(x, num_levels=num_levels + 1)),
    _unchecked(PYRAMID, "the rest cut off", _pyramid),
    _wrong(AUGMENTATION, "level 0 mapped to 1", lambda low_resolution, noise, level, alpha_bar: _augmentation(
        low_resolution, noise, level.clamp(min=1), alpha_bar)),
    _wrong(AUGMENTATION, "without roots", _augmentation, root=lambda a: a),
    _wrong(AUGMENTATION, "noise added to the image", lambda low_resolution, noise, level, alpha_bar: (
        low_resolution + _augmentation(low_resolution, noise, level, alpha_bar, kept=0.0))),
    _wrong(AUGMENTATION, "no noise", _augmentation, drawn=0.0),
    _wrong(AUGMENTATION, "a level for the batch", lambda low_resolution, noise, level, alpha_bar: _augmentation(
        low_resolution, noise, level[:1].expand_as(level), alpha_bar)),
    _wrong(AUGMENTATION, "the image without a gradient", lambda low_resolution, noise, level, alpha_bar: _augmentation(
        low_resolution.detach(), noise, level, alpha_bar)),
    _unchecked(AUGMENTATION, "any schedule", lambda low_resolution, noise, level, alpha_bar: _augmentation(
        low_resolution, noise, level, alpha_bar.abs())),
    _wrong(ANALYSIS, "means for bands", _analysis, factor=0.25),
    _wrong(ANALYSIS, "sums for bands", _analysis, factor=1.0),
    _wrong(ANALYSIS, "differences exchanged", _analysis, order=(0, 2, 1, 3)),
    _wrong(ANALYSIS, "differences from the second pixel", _analysis, signs=(1, -1, -1, 1)),
    _wrong(ANALYSIS, "the diagonal's sign", _analysis, signs=(1, 1, 1, -1)),
    _unchecked(ANALYSIS, "the rest cut off", lambda x: _analysis(
        x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2])),
    _wrong(SYNTHESIS, "a quarter for the half", _synthesis, factor=0.25),
    _wrong(SYNTHESIS, "no half", _synthesis, factor=1.0),
    _wrong(SYNTHESIS, "differences exchanged", _synthesis, order=(0, 2, 1, 3)),
    _wrong(SYNTHESIS, "the diagonal's sign", _synthesis, signs=(1, 1, 1, -1)),
    _wrong(SYNTHESIS, "details without a gradient", lambda low, detail: _synthesis(low, detail.detach())),
    _unchecked(SYNTHESIS, "the first bands of many", lambda low, detail: _synthesis(
        low, detail[..., :3, : low.shape[-2], : low.shape[-1]])),
)  # fmt: skip

EQUIVALENT = (
    Mistake(PYRAMID, "by avg_pool2d", after_checks(right, PYRAMID, _pyramid)),
    Mistake(AUGMENTATION, "the forward process", after_checks(right, AUGMENTATION, lambda low_resolution, noise, level, alpha_bar:
            forward_sample(low_resolution, level, noise, alpha_bar))),
    Mistake(ANALYSIS, "by a matrix", after_checks(right, ANALYSIS, _analysis)),
    Mistake(SYNTHESIS, "by a matrix", after_checks(right, SYNTHESIS, _synthesis)),
    Mistake(SYNTHESIS, "by pixel_shuffle", _by_shuffle, core_alone=True),
)  # fmt: skip
