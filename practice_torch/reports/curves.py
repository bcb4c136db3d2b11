"""Learning curves as inline SVG, in the colors of the page.

The colors are classes of the page's style sheet, light or dark; matplotlib's SVG has them in every element. A panel of three
lines with 300 points each takes 1.4 ms and 12 kB here, and 23 ms and 21 kB with matplotlib.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 320, 176
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24
LONGEST_LINE = 300  # points: more than a panel has pixels across
LOGARITHMIC_FROM = 50  # ratio of the largest to the smallest value, all positive


@dataclass(frozen=True)
class Series:
    """One line: its name, its CSS class, and its (step, value) points in order; values that are not finite are gaps."""

    name: str
    style: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Mark:
    """A horizontal line to compare with, such as a target."""

    name: str
    value: float


@dataclass(frozen=True)
class Beginning:
    """A vertical line where a stage of the training begins: the number of steps before it."""

    name: str
    step: int


def panel(
    title: str, series: Sequence[Series], last_step: int, marks: Sequence[Mark] = (), beginnings: Sequence[Beginning] = ()
) -> Markup:
    """One panel: every series over the steps 0..last_step, marks and beginnings of stages as lines; logarithmic if the values
    span a wide range.
    """
    heights = [y for line in series for _, y in line.points if math.isfinite(y)]
    if not heights:
        return Markup("")
    heights += [mark.value for mark in marks]
    low, high = min(heights), max(heights)
    logarithmic = low > 0 and high / low >= LOGARITHMIC_FROM
    y_of = _axis(low, high, (HEIGHT - BOTTOM, TOP), logarithmic)
    x_of = _axis(0, last_step, (LEFT, WIDTH - RIGHT))
    parts = [f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_spoken(title, series, marks)}">']
    for tick in _ticks(low, high, logarithmic):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y_of(tick) + 3:.1f}" text-anchor="end">{short(tick)}</text>')
    for tick in [tick for tick in _ticks(0, last_step, wanted=3) if tick == round(tick)]:
        anchor = "end" if x_of(tick) > WIDTH - RIGHT - 14 else "middle"
        parts.append(f'<text x="{x_of(tick):.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{short(tick)}</text>')
    for stage in beginnings:
        x = x_of(stage.step)
        beside, anchor = (x - 3, "end") if x > (LEFT + WIDTH - RIGHT) / 2 else (x + 3, "start")
        parts.append(f'<line class="beginning" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text class="beginning" x="{beside:.1f}" y="{TOP - 2}" text-anchor="{anchor}">{escape(stage.name)}</text>')
    for mark in marks:
        y = y_of(mark.value)
        above = y - 4 if y > TOP + 12 else y + 11
        parts.append(f'<line class="mark" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        x, anchor = (LEFT, "start") if _begins_away_from(mark.value, series) else (WIDTH - RIGHT, "end")
        parts.append(f'<text class="mark" x="{x}" y="{above:.1f}" text-anchor="{anchor}">{escape(mark.name)}</text>')
    for line in series:
        parts.extend(_line(line, x_of, y_of))
    parts.append("</svg>")
    return Markup("".join(parts))


def gauge(value: float, marks: Sequence[Mark], direction: str, unit: str = "") -> Markup:
    """A number line from zero with the value, the marks it is compared with, its ends and its unit.

    It begins at zero, so that two close numbers look as close as they are; numbers of both signs have zero between them.
    """
    every = [0.0, value, *(mark.value for mark in marks)]
    low, high = _round_ends(min(every), max(every))
    place = _axis(low, high, (8, 632))
    better = "lower is better" if direction == "lower" else "higher is better"
    parts = [f'<svg class="gauge" viewBox="0 0 640 76" role="img" aria-label="{_spoken_gauge(value, marks, unit, better)}">']
    parts.append('<line class="track" x1="8" x2="632" y1="30" y2="30"/>')
    parts.append(f'<line class="filled" x1="{place(0):.1f}" x2="{place(value):.1f}" y1="30" y2="30"/>')
    for mark in marks:
        x = place(mark.value)
        parts.append(f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="40"/>')
        parts.append(f'<text x="{x:.1f}" y="53" text-anchor="{_anchor(x)}">{escape(mark.name)} {short(mark.value)}</text>')
    x = place(value)
    parts.append(f'<circle cx="{x:.1f}" cy="30" r="7"/><text class="value" x="{x:.1f}" y="14" text-anchor="{_anchor(x)}">')
    parts.append(f"this run {short(value)}</text>")
    for x, end, anchor in ((8, low, "start"), (632, high, "end")):
        parts.append(f'<text class="end" x="{x}" y="72" text-anchor="{anchor}">{short(end)}</text>')
    middle = " · ".join(filter(None, [unit, better]))
    parts.append(f'<text class="end" x="320" y="72" text-anchor="middle">{escape(middle)}</text></svg>')
    return Markup("".join(parts))


def _round_ends(low, high):
    """The ends of a number line that holds low..high: zero, or the next round number outside."""
    unit = 10.0 ** math.floor(math.log10(max(-low, high, 1e-300))) / 2
    return math.floor(low / unit) * unit, math.ceil(high / unit) * unit


def _spoken_gauge(value, marks, unit, better):
    said = [f"this run {short(value)} {unit}".strip(), *(f"{mark.name} {short(mark.value)}" for mark in marks), better]
    return escape("; ".join(said))


def short(value: float) -> str:
    """A short form of a number: 18.1, 0.0126, 12k, 3e-05."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 10_000 and value == round(value, -2):
        return f"{value / 1000:g}k" if abs(value) < 1e6 else f"{value / 1e6:g}M"
    return f"{value:.4g}"


def _anchor(x):
    return "start" if x < 70 else "end" if x > 570 else "middle"


def _axis(low, high, ends, logarithmic=False):
    """The map from low..high onto the two ends; a single value lands in the middle."""
    warp = math.log if logarithmic else float
    start, span = warp(low), warp(high) - warp(low)
    if span == 0:
        return lambda value: (ends[0] + ends[1]) / 2
    return lambda value: ends[0] + (warp(value) - start) / span * (ends[1] - ends[0])


def _line(line, x_of, y_of):
    """SVG of one series: its pieces between gaps, the band between smallest and largest where points were merged, its end."""
    for piece in _pieces(line.points):
        merged = _merge(piece)
        if len(merged) < len(piece):
            edge = [(x, top) for x, _, _, top in merged] + [(x, bottom) for x, _, bottom, _ in reversed(merged)]
            yield f'<polygon class="band {line.style}" points="{_coordinates(edge, x_of, y_of)}"/>'
        middle = [(x, y) for x, y, _, _ in merged]
        if len(middle) > 1:
            yield f'<polyline class="line {line.style}" points="{_coordinates(middle, x_of, y_of)}"/>'
    dots = [(x, y) for x, y in line.points if math.isfinite(y)]
    for x, y in dots if len(dots) <= 12 else dots[-1:]:
        yield f'<circle class="dot {line.style}" cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="2.4"/>'


def _begins_away_from(value, series):
    """Whether the lines are nearer to the value at their ends than at their starts: its name is then better on the left."""
    lines = [[y for _, y in line.points if math.isfinite(y)] for line in series]
    begin, end = (min(abs(heights[place] - value) for heights in lines if heights) for place in (0, -1))
    return begin >= end


def _pieces(points):
    pieces = [[]]
    for x, y in points:
        if math.isfinite(y):
            pieces[-1].append((x, y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _merge(points):
    """(step, mean, smallest, largest) of neighbours, so that a long line has no more points than the eye can tell apart."""
    size = -(-len(points) // LONGEST_LINE)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    merged = []
    for group in groups:
        steps, values = zip(*group, strict=True)
        merged.append((sum(steps) / len(group), sum(values) / len(group), min(values), max(values)))
    return merged


def _coordinates(points, x_of, y_of):
    return " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)


def _ticks(low, high, logarithmic=False, wanted=4):
    """Round values between low and high: 1, 2 or 5 times a power of ten apart, or powers of ten."""
    if low == high:
        return [low]
    if logarithmic:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        return [10.0**power for power in powers[:: max(1, len(powers) // 4)]]
    rough = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, last + 1)]


def _spoken(title, series, marks):
    ends = [f"{line.name} ends at {short(line.points[-1][1])}" for line in series if line.points]
    return escape("; ".join([title, *ends, *(f"{mark.name} {short(mark.value)}" for mark in marks)]))
