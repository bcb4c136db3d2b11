"""Pictures with their captions, and where a picture attends to each word of its caption."""

import torch


def captioned(pictures, texts, columns):
    """draw(axes) of pictures [N, C, H, W] in [0, 1], each above its caption."""
    height, width = pictures.shape[2:]
    tall, wide = 1.5 * height, 1.4 * max(width, 1.6 * height)

    def draw(axes):
        for number, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
            left, top = number % columns * wide, number // columns * tall
            _show(axes, picture, left + (wide - width) / 2, top)
            axes.text(left + wide / 2, top + 1.08 * height, text, ha="center", va="top", fontsize=7)
        _frame(axes, columns * wide, -(-len(texts) // columns) * tall)

    return draw


def attended(pictures, maps, words):
    """draw(axes) of a row for each picture: itself, and for each word [N][M] where it is attended to, [N, M, H, W] in [0, 1]."""
    height, width = pictures.shape[2:]
    tall, wide = 1.5 * height, 1.3 * width

    def draw(axes):
        for row, (picture, weights, texts) in enumerate(zip(pictures, maps, words, strict=True)):
            _show(axes, picture, 0, row * tall)
            for number, (weight, text) in enumerate(zip(weights, texts, strict=False), start=1):
                _show(axes, weight[None], number * wide, row * tall)
                axes.text(number * wide + width / 2, row * tall + 1.05 * height, text, ha="center", va="top", fontsize=8)
        _frame(axes, (1 + max(map(len, words))) * wide, len(words) * tall)

    return draw


def _show(axes, picture, left, top):
    _, height, width = picture.shape
    image = picture.permute(1, 2, 0).expand(-1, -1, 3) if len(picture) == 1 else picture.permute(1, 2, 0)
    axes.imshow(torch.as_tensor(image).numpy(), extent=(left, left + width, top + height, top), interpolation="nearest")


def _frame(axes, width, height):
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.axis("off")
