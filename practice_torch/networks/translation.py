"""Networks from images to images, and a discriminator of patches: those of pix2pix and CycleGAN, at any width and size.

Convolutions have no bias where a normalization would subtract it. Images are in (-1, 1).
"""

import itertools

import torch
from torch import nn

_WIDEST = 8  # times the width: more channels than that no layer has


class PatchDiscriminator(nn.Module):
    """One score for each of overlapping patches. strides: of all layers but the last, which has the stride 1.

    The attributes `kernels` and `strides` are those of all layers. Except for the means and variances of the normalization, a
    score depends on its patch alone.

    [B, C, H, W] -> [B, 1, M, N]
    """

    def __init__(self, *, channels, width, strides):
        super().__init__()
        self.kernels, self.strides = (4,) * (len(strides) + 1), (*strides, 1)
        widths = [channels, *_widths(width, len(strides))]
        layers = []
        for place, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            normed = [_norm(outputs)] if place else []  # the first layer sees the images as they are
            convolution = nn.Conv2d(inputs, outputs, 4, stride=self.strides[place], padding=1, bias=not place)
            layers += [convolution, *normed, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.apply(_initialize)

    def forward(self, images):
        """One score a patch."""
        return self.layers(images)


class UnetTranslator(nn.Module):
    """Halved as often as `halvings`, then doubled again; each doubling is also given what the way down had at its size.

    [B, C, H, W] -> [B, C, H, W]
    """

    def __init__(self, *, channels, width, halvings, dropout=0.0):
        super().__init__()
        widths = [channels, *_widths(width, halvings)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in range(halvings):
            inner, outer = level == halvings - 1, level == 0
            wide, narrow = widths[level + 1], widths[level]
            plain = inner or outer  # innermost there may be one pixel, of which nothing would be left
            halving = nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=plain)
            self.down.append(nn.Sequential(halving, *([] if plain else [_norm(wide)]), nn.LeakyReLU(0.2)))
            doubling = nn.ConvTranspose2d(wide if inner else 2 * wide, narrow, 4, stride=2, padding=1, bias=outer)
            dropped = [nn.Dropout(dropout)] if level >= halvings - 3 else []
            self.up.append(nn.Sequential(doubling, *([nn.Tanh()] if outer else [_norm(narrow), *dropped, nn.ReLU()])))
        self.apply(_initialize)

    def forward(self, images):
        """The translated images."""
        x, skips = images, []
        for halve in self.down:
            x = halve(x)
            skips.append(x)
        x = self.up[-1](x)
        for double, skip in zip(reversed(self.up[:-1]), reversed(skips[:-1]), strict=True):
            x = double(torch.cat([x, skip], dim=1))
        return x


class ResidualTranslator(nn.Module):
    """Residual blocks on images that are halved before and doubled after them; borders are reflected.

    [B, C, H, W] -> [B, C, H, W]
    """

    def __init__(self, *, channels, width, halvings, blocks):
        super().__init__()
        widths = [width << level for level in range(halvings + 1)]
        layers = [*_reflected(channels, width, 7), _norm(width), nn.ReLU()]
        for narrow, wide in itertools.pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), _norm(wide), nn.ReLU()]
        layers += [_Block(widths[-1]) for _ in range(blocks)]
        for wide, narrow in itertools.pairwise(reversed(widths)):
            doubling = nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1, bias=False)
            layers += [doubling, _norm(narrow), nn.ReLU()]
        self.layers = nn.Sequential(*layers, *_reflected(width, channels, 7, bias=True), nn.Tanh())
        self.apply(_initialize)

    def forward(self, images):
        """The translated images."""
        return self.layers(images)


class _Block(nn.Module):
    """x plus two normalized convolutions of it."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            *_reflected(width, width, 3), _norm(width), nn.ReLU(), *_reflected(width, width, 3), _norm(width)
        )

    def forward(self, x):
        return x + self.layers(x)


def _widths(width, count):
    """Doubled from layer to layer, up to the widest."""
    return [width * min(1 << level, _WIDEST) for level in range(count)]


def _reflected(inputs, outputs, kernel, bias=False):
    return nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, bias=bias)


def _norm(channels):
    return nn.InstanceNorm2d(channels, eps=1e-5)


def _initialize(module):
    """Kernels from N(0, 0.02^2), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
