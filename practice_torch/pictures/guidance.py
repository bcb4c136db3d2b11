"""Figures of classifier guidance: accuracy, gradients and diversity by noise level and guidance scale."""

import torch

from practice_torch.engine.artifacts import Figure, ImageGrid, Text
from shared_specs.palette import BLUE, VERMILION

_STYLES = ((BLUE, "-", "o"), (VERMILION, "--", "s"))
_GAP = 96 / 255  # the gray between the images of a grid


def accuracy_by_level(levels, accuracies, chance):
    """accuracies: for each classifier, the share of images that it knows when they are noised to each of the levels."""

    def paint(axes):
        for (name, values), (color, line, _) in zip(accuracies.items(), _STYLES, strict=True):
            axes.plot(levels, 100 * values, line, color=color, label=f"trained on {name} images")
        axes.axhline(100 * chance, color="0.6", linewidth=1, linestyle=":", label="guessing")
        axes.set(xlabel="level of noise t", ylabel="held-out images recognized, %", xlim=(1, levels[-1]), ylim=(0, 102))
        axes.legend(frameon=False)

    return Figure(paint, "Accuracy of two classifiers on held-out images by noise level")


def slopes(levels, lengths, errors):
    """lengths: of the exact slopes at each of the levels; errors: for each classifier, how far its slopes are from them."""

    def paint(axes):
        axes.plot(levels, lengths, color="black", linewidth=1, linestyle=":", label="length of the slope itself")
        for (name, values), (color, line, _) in zip(errors.items(), _STYLES, strict=True):
            axes.plot(levels, values, line, color=color, label=f"error, trained on {name} images")
        low = max(min(lengths), max(lengths) / 100)  # at pure noise there is no slope left
        axes.set(xlabel="level of noise t", xlim=(levels[0], levels[-1]))
        axes.set(ylabel="nats per unit of x", yscale="log", ylim=(low, None))
        axes.legend(frameon=False, loc="lower left")

    caption = (
        "Gradients of log p(y | x), compared with those that the training images imply; above the dotted line, a gradient of "
        "zero would have a smaller error"
    )
    return Figure(paint, caption)


def trade_off(scales, measured):
    """measured: for each classifier, at each of the scales, the accuracy and the spread within a class (1: as real data)."""

    def paint(axes):
        for (name, points), (color, line, mark) in zip(measured.items(), _STYLES, strict=True):
            for key, face, what in (("class_accuracy", color, "recognized as asked"), ("spread", "white", "variety")):
                values = [100 * point[key] for point in points]
                label = f"{what}, {name} classifier"
                axes.plot(scales, values, line, color=color, marker=mark, markerfacecolor=face, label=label)
        axes.axhline(100, color="0.85", linewidth=1, zorder=0)
        axes.set_xscale("symlog", base=2, linthresh=scales[1], linscale=0.5)
        axes.set_xticks(scales, [f"{scale:g}" for scale in scales])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="guidance scale", xlim=(-0.05, 1.1 * scales[-1]))
        axes.set(ylabel="images recognized, %; distance, % of real", ylim=(0, None))
        axes.legend(frameon=False, fontsize="small")

    caption = (
        "Filled: images recognized as the requested class; hollow: the mean distance between two of them, relative to real "
        "images of one class. Guidance raises the filled marks and lowers the hollow ones"
    )
    return Figure(paint, caption, (6.6, 4.8))


def table(scales, measured, caption):
    """A line for each classifier and scale, with the distance from held-out data and from the training data, too."""
    lines = ["classifier   scale   class as asked   Frechet distance   spread, of real   nearest training image"]
    for name, points in measured.items():
        lines += [
            f"{name:<10}{scale:>8g}{point['class_accuracy']:>17.1%}{point['frechet_distance']:>19.3f}"
            f"{point['spread']:>18.1%}{point['nearest']:>25.3f}"
            for scale, point in zip(scales, points, strict=True)
        ]
    return Text("\n".join(lines), caption)


def side_by_side(scales, blocks):
    """blocks: for each scale images [K, N, C, H, W], N of each of K classes."""
    gap = torch.full_like(blocks[0][:, :1], _GAP)
    rows = torch.cat([part for block in blocks for part in (block, gap)][:-1], 1)
    listed = ", ".join(f"{scale:g}" for scale in scales)
    caption = f"A row for each class; guidance scales {listed} from left to right, in each block of the same noise"
    return ImageGrid(rows.flatten(0, 1), rows.shape[1], caption)
