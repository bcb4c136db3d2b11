"""Figures of scores in 2 dimensions, samples drawn with them, and errors of samplers by number of steps."""

import math

import numpy as np

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLUE, GREEN, PURPLE, SKY, VERMILION

_EXACT, _LEARNED = "0.6", VERMILION
_STYLES = ((BLUE, "o"), (PURPLE, "D"), (SKY, "s"), (VERMILION, "^"), (GREEN, "v"))
_LONGEST = 2.0  # of the arrows, in deviations of the noise


def side_by_side(panels, modes, caption):
    """panels: name -> points [N, 2], each in its own square; modes: the same relative to the nearest center, in deviations."""
    reach = 1.1 * max(np.quantile(np.abs(points), 0.999) for points in panels.values())

    def paint(axes):
        for square, (name, points) in zip(_row(axes, len(panels)), panels.items(), strict=True):
            square.scatter(points[:, 0], points[:, 1], s=2, color=BLUE, linewidths=0)
            square.set(title=name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
            glass = square.inset_axes([0.33, 0.33, 0.34, 0.34])
            glass.scatter(modes[name][:, 0], modes[name][:, 1], s=1, color=BLUE, linewidths=0)
            glass.set(aspect="equal", xlim=(-5, 5), ylim=(-5, 5), xticks=(-4, 0, 4), yticks=(-4, 0, 4))
            glass.tick_params(labelsize="x-small")

    inside = "inset: all modes superimposed and enlarged, in standard deviations of a mode"
    return Figure(paint, f"{caption}; {inside}", (4.0 * len(panels), 4.0))


def score_fields(panels):
    """panels: name -> places, exact and learned scores [N, N, 2] in deviations of the noise, and log_density [N, N]."""

    def paint(axes):
        for square, (name, found) in zip(_row(axes, len(panels)), panels.items(), strict=True):
            places, log_density = found["places"], found["log_density"]
            shade = np.exp((log_density - log_density.max()) / 2).T  # the root: the density itself would show the peaks alone
            x, y = places[:, 0, 0], places[0, :, 1]
            square.pcolormesh(x, y, shade, cmap="Blues", vmin=0, vmax=2, shading="gouraud", rasterized=True)
            for field, color, width in ((found["exact"], _EXACT, 0.012), (found["learned"], _LEARNED, 0.004)):
                some = (slice(None, None, 2), slice(None, None, 2))
                across, up = np.moveaxis(_shortened(field[some]), -1, 0)
                square.quiver(
                    places[some][..., 0],
                    places[some][..., 1],
                    across,
                    up,
                    color=color,
                    width=width,
                    angles="xy",
                    scale_units="xy",
                    scale=_LONGEST / (0.95 * (x[2] - x[0])),
                    headwidth=3,
                    headlength=4,
                    headaxislength=3.5,
                )
            square.set(title=name, aspect="equal")

    caption = (
        "Scores in deviations of the noise, over the density (blue): exact (gray) and learned (orange). They differ "
        "where noised data are unlikely; arrows are cut at length 2"
    )
    return Figure(paint, caption, (4.0 * len(panels), 4.0))


def variance_errors(counts, laws, measured, variance, draws):
    """laws: sampler -> (numbers of steps, relative errors of the variance); measured: the same at `counts`, from draws."""

    def paint(axes):
        for (name, (steps, errors)), (color, mark) in zip(laws.items(), _STYLES, strict=True):
            axes.plot(steps, np.abs(errors), color=color, linewidth=1.2)
            axes.plot([], [], color=color, marker=mark, label=name)
            found, places = np.asarray(measured[name]), np.asarray(counts)
            for some, face in ((found < 0, "white"), (found >= 0, color)):
                axes.plot(places[some], np.abs(found[some]), mark, color=color, markerfacecolor=face)
        _over_steps(axes, counts, math.sqrt(2 / draws), "error of the variance, relative")

    caption = (
        f"Data N(0, {variance:g}) and the exact score. Lines: the law of each sampler; marks: the variance of {draws} draws, "
        "hollow where it is too small; gray: less than a standard error of theirs"
    )
    return Figure(paint, caption, (6.6, 4.6))


def distances(counts, curves, floor):
    """curves: "sampler, exact score" or "sampler, learned score" -> distances at `counts`; floor: between two sets of data."""
    samplers = list(dict.fromkeys(name.rpartition(", ")[0] for name in curves))
    styles = dict(zip(samplers, _STYLES, strict=True))

    def paint(axes):
        for name, values in curves.items():
            sampler, _, kind = name.rpartition(", ")
            color, mark = styles[sampler]
            line, face = ("-", color) if kind == "exact score" else ("--", "white")
            axes.plot(counts, values, line, color=color, marker=mark, markerfacecolor=face, label=name)
        _over_steps(axes, counts, floor, "distance from data, standard deviations of a mode")

    caption = (
        "How far samples are from the nearest mode, compared with data (Wasserstein distance); gray: what two sets of data "
        "are apart. With the exact score (solid) only the steps err, and make modes too narrow; the learned one (dashed) widens "
        "them and strays between them, which can make up for few steps, and stays when there are many"
    )
    return Figure(paint, caption, (6.6, 4.6))


def _row(axes, count):
    """Squares side by side in place of one pair of axes; the left one alone tells the numbers."""
    axes.set_axis_off()
    squares = [axes.inset_axes([number / count, 0, 0.95 / count, 0.95]) for number in range(count)]
    for square in squares[1:]:
        square.tick_params(labelleft=False)
    return squares


def _shortened(field):
    lengths = np.linalg.norm(field, axis=-1, keepdims=True)
    return field * np.minimum(1, _LONGEST / np.maximum(lengths, 1e-12))


def _over_steps(axes, counts, floor, label):
    axes.axhspan(0, floor, color="0.9", zorder=0)
    axes.set(xlabel="steps, each a call of the score", ylabel=label, xscale="log", yscale="log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, fontsize="small")
