"""Wrong forms of PixelCNN's parts that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive import pixelcnn as right
from tests.support.mistakes import Mistake


def _mask(*, out_channels, in_channels, kernel_size, mask_type, colors, wrong):
    mask = right.pixel_mask(
        out_channels=out_channels, in_channels=in_channels, kernel_size=kernel_size, mask_type=mask_type, colors=colors
    )
    return wrong(mask.clone(), kernel_size // 2)


def _changed(wrong):
    return lambda **sizes: _mask(**sizes, wrong=wrong)


def _row_cut(mask, half):
    mask[:, :, half, :half] = False
    return mask


def _right_half(mask, half):
    mask[:, :, half] = mask[:, :, half].flip(-1)
    return mask


def _grouped(color):
    """Colors of channels by another rule."""

    def mask(*, out_channels, in_channels, kernel_size, mask_type, colors):
        found = right.pixel_mask(
            out_channels=out_channels, in_channels=in_channels, kernel_size=kernel_size, mask_type=mask_type, colors=colors
        )
        outs, ins = (color(torch.arange(count), count, colors) for count in (out_channels, in_channels))
        middle = outs[:, None] > ins if mask_type == "A" else outs[:, None] >= ins
        found[:, :, kernel_size // 2, kernel_size // 2] = middle
        return found

    return mask


def _other_type(**sizes):
    right.pixel_mask(**sizes)  # for its checks
    return right.pixel_mask(**sizes | {"mask_type": "AB"[sizes["mask_type"] == "A"]})


def _colors_everywhere(mask, half):
    return mask & mask[:, :, half, half, None, None]


def _convolved(x, weight, bias, mask, *, kernel=lambda kernel: kernel, shift=(0, 0)):
    right.masked_convolution(x, weight, bias, mask)  # for its checks
    half = weight.shape[3] // 2
    down, across = shift
    padded = functional.pad(x, (half + across, half - across, half + down, half - down))
    return functional.conv2d(padded, kernel(weight * mask), bias)


def _window_by_window(x, weight, bias, mask):
    right.masked_convolution(x, weight, bias, mask)  # for its checks
    side, half = weight.shape[3], weight.shape[3] // 2
    windows = functional.pad(x, [half] * 4).unfold(2, side, 1).unfold(3, side, 1)
    return torch.einsum("bihwrc,oirc->bohw", windows, weight * mask) + bias[:, None, None]


def _unmasked(x, weight, bias, mask):
    return _convolved(x, weight, bias, torch.ones_like(mask))


def _gates(content, gate):
    def activation(x):
        right.gated_activation(x)  # for its checks
        return content(x) * gate(x)

    return activation


def _first(x):
    return x.chunk(2, 1)[0]


def _second(x):
    return x.chunk(2, 1)[1]


def _vertical(x, weight, bias, *, mask_type, own=None, turned=False, across=0):
    right.vertical_convolution(x, weight, bias, mask_type=mask_type)  # for its checks
    own = int(mask_type == "B") if own is None else own
    rows, half = weight.shape[2], weight.shape[3] // 2
    padded = functional.pad(x, (half + across, half - across, rows, rows))[:, :, own : own + len(x[0, 0]) + rows - 1]
    return functional.conv2d(padded, weight.flip(2) if turned else weight, bias)


def _horizontal(x, weight, bias, *, mask_type, own=None, turned=False):
    right.horizontal_convolution(x, weight, bias, mask_type=mask_type)  # for its checks
    own = int(mask_type == "B") if own is None else own
    columns = weight.shape[3]
    padded = functional.pad(x, (columns, columns))[..., own : own + x.shape[3] + columns - 1]
    return functional.conv2d(padded, weight.flip(3) if turned else weight, bias)


def _as_a_vertical_one(x, weight, bias, *, mask_type):
    right.horizontal_convolution(x, weight, bias, mask_type=mask_type)  # for its checks
    return right.vertical_convolution(x.transpose(2, 3), weight.transpose(2, 3), bias, mask_type=mask_type).transpose(2, 3)


def _as_a_masked_square(x, weight, bias, *, mask_type):
    """A vertical convolution as a square one with zeros for what it does not see."""
    right.vertical_convolution(x, weight, bias, mask_type=mask_type)  # for its checks
    rows, columns = weight.shape[2:]
    side = 2 * max(rows, columns // 2) + 1
    bottom = side // 2 + int(mask_type == "B")
    margin = (side - columns) // 2
    kernel = functional.pad(weight, (margin, margin, bottom - rows, side - bottom))
    return functional.conv2d(x, kernel, bias, padding=side // 2)


def _paths(masks, *, height, width, row, column, count=lambda paths: paths, order=reversed, turn=True):
    right.dependency_map(masks, height=height, width=width, row=row, column=column)  # for its checks
    paths = torch.zeros(height, width, dtype=torch.long)
    paths[row, column] = 1
    for mask in order(masks):
        half = len(mask) // 2
        windows = functional.pad(paths, [half] * 4).unfold(0, len(mask), 1).unfold(1, len(mask), 1)
        paths = count((windows * (mask.flip(0, 1) if turn else mask).ne(0)).sum((2, 3)))
    return paths


def _by_matrices(masks, *, height, width, row, column):
    """The row of the pixel in the product of the layers' matrices, with 1 where an output reads an input."""
    right.dependency_map(masks, height=height, width=width, row=row, column=column)  # for its checks
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    paths = (places == torch.tensor([row, column])).all(1).long()
    for mask in reversed(masks):
        half = len(mask) // 2
        offset = places[None] - places[:, None] + half  # [outputs, inputs, 2]
        near = ((offset >= 0) & (offset < len(mask))).all(2)
        kept = mask.ne(0)[offset[..., 0].clamp(0, len(mask) - 1), offset[..., 1].clamp(0, len(mask) - 1)] & near
        paths = (paths[:, None] * kept).sum(0)
    return paths.view(height, width)


MISTAKES = (
    Mistake("pixel_mask", "the other type", _other_type),
    Mistake("pixel_mask", "the row of the pixel left out", _changed(_row_cut)),
    Mistake("pixel_mask", "to the right", _changed(_right_half)),
    Mistake("pixel_mask", "columns for rows", _changed(lambda mask, half: mask.transpose(2, 3))),
    Mistake("pixel_mask", "groups interleaved", _grouped(lambda channel, count, colors: channel % colors)),
    Mistake("pixel_mask", "colors counted from the last", _grouped(lambda channel, count, colors: -(channel * colors // count))),
    Mistake("pixel_mask", "colors compared everywhere", _changed(_colors_everywhere)),
    Mistake("pixel_mask", "no checks", lambda **sizes: right.pixel_mask(**sizes | {
        "mask_type": "B" if sizes["mask_type"] == "B" else "A", "colors": max(1, sizes["colors"]),
        "kernel_size": sizes["kernel_size"] // 2 * 2 + 1}), only_checks=True),
    Mistake("masked_convolution", "no mask", _unmasked),
    Mistake("masked_convolution", "the kernel turned",
            lambda *given, **named: _convolved(*given, **named, kernel=lambda kernel: kernel.flip(2, 3))),
    Mistake("masked_convolution", "a row below", lambda *given, **named: _convolved(*given, **named, shift=(-1, 0))),
    Mistake("masked_convolution", "the output masked", lambda x, weight, bias, mask: right.masked_convolution(
        x, weight, bias, mask) * mask[:, 0, 0, 0, None, None]),
    Mistake("gated_activation", "content and gate exchanged", _gates(lambda x: _second(x).tanh(), lambda x: _first(x).sigmoid())),
    Mistake("gated_activation", "every second channel a gate",
            _gates(lambda x: x[:, ::2].tanh(), lambda x: x[:, 1::2].sigmoid())),
    Mistake("vertical_convolution", "the other type",
            lambda *given, **named: _vertical(*given, **named, own=int(named["mask_type"] == "A"))),
    Mistake("vertical_convolution", "the row itself in type A", lambda *given, **named: _vertical(*given, **named, own=1)),
    Mistake("vertical_convolution", "upside down", lambda *given, **named: _vertical(*given, **named, turned=True)),
    Mistake("vertical_convolution", "a column aside", lambda *given, **named: _vertical(*given, **named, across=1)),
    Mistake("horizontal_convolution", "the pixel itself in type A", lambda *given, **named: _horizontal(*given, **named, own=1)),
    Mistake("horizontal_convolution", "the other type",
            lambda *given, **named: _horizontal(*given, **named, own=int(named["mask_type"] == "A"))),
    Mistake("horizontal_convolution", "turned", lambda *given, **named: _horizontal(*given, **named, turned=True)),
    Mistake("horizontal_convolution", "down a column", lambda x, weight, bias, *, mask_type: right.horizontal_convolution(
        x.transpose(2, 3), weight, bias, mask_type=mask_type).transpose(2, 3)),
    Mistake("dependency_map", "reached or not",
            lambda masks, **place: _paths(masks, **place, count=lambda paths: paths.clamp(max=1))),
    Mistake("dependency_map", "what the pixel feeds", lambda masks, **place: _paths(masks, **place, turn=False)),
    Mistake("dependency_map", "the last layer left out", lambda masks, **place: _paths(masks[:-1] if masks else masks, **place)),
    Mistake("dependency_map", "in 24 bits",
            lambda masks, **place: _paths(masks, **place, count=lambda paths: paths.int().bitwise_and(2**24 - 1).long())),
)  # fmt: skip

EQUIVALENT = (
    Mistake("masked_convolution", "window by window", _window_by_window),
    Mistake(
        "gated_activation",
        "through logarithms",
        _gates(lambda x: _first(x).tanh(), lambda x: functional.logsigmoid(_second(x)).exp()),
    ),
    Mistake("vertical_convolution", "as a square with zeros", _as_a_masked_square),
    Mistake("horizontal_convolution", "a vertical one of the turned image", _as_a_vertical_one),
    Mistake("dependency_map", "by a product of matrices", _by_matrices),
)
