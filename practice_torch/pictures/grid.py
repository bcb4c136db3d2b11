"""Values, policies and walks on the cells of a grid; a cell is (row, column), and rows count downwards."""

import numpy as np

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, VERMILION

INCHES = 0.65  # of a cell


def value_maps(shape, maps, names, caption, label):
    """One map next to or below the other. maps: title -> (cell, value, move, marked) of every cell that has a value.

    move: (rows, columns), the direction of the cell's arrow. marked: drawn in red. names: cell -> word, of cells without a value.
    label: of the colors.
    """
    height, width = shape
    in_a_row = width < 2 * height  # then the maps are side by side
    tall, wide = (height + 1, len(maps) * (width + 1) - 1) if in_a_row else (len(maps) * (height + 1), width)

    def paint(axes):
        values, without = np.full((2, tall, wide), np.nan)
        for number, (title, records) in enumerate(maps.items()):
            top, left = (1, number * (width + 1)) if in_a_row else (number * (height + 1) + 1, 0)
            axes.text(left - 0.5, top - 0.6, title, va="bottom")
            for (row, column), value, (down, right), marked in records:
                y, x, color = top + row, left + column, VERMILION if marked else BLACK
                values[y, x] = value
                axes.text(x, y + 0.42, f"{value:.1f}", ha="center", va="bottom", fontsize="small", color=color)
                tail, head = ((x + way * right, y - 0.15 + way * down) for way in (-0.22, 0.22))
                axes.annotate("", xy=head, xytext=tail, arrowprops={"arrowstyle": "->", "color": color})
            for (row, column), name in names.items():
                without[top + row, left + column] = 0.3
                axes.text(left + column, top + row, name, ha="center", va="center", fontsize="small")
        axes.imshow(without, cmap="Greys", vmin=0, vmax=1)
        shown = axes.imshow(values, cmap="Blues", alpha=0.6, aspect="equal")
        axes.set(xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.1))
        axes.axis("off")
        axes.figure.colorbar(shown, ax=axes, label=label, shrink=0.8)

    return Figure(paint, caption, (INCHES * wide + 1.8, INCHES * tall + 0.3))


def walks(shape, names, paths, caption):
    """Paths: [T, 2] each, of places near the cells. Where a path leaps over a cell it breaks off, with a cross there."""
    height, width = shape

    def paint(axes):
        without = np.full(shape, np.nan)
        for (row, column), name in names.items():
            without[row, column] = 0.3
            axes.text(column, row, name, ha="center", va="center", fontsize="small")
        axes.imshow(without, cmap="Greys", vmin=0, vmax=1, aspect="equal")
        for path in paths:
            leaps = np.abs(np.diff(path, axis=0)).sum(axis=1) > 1.5
            broken = np.insert(path, np.flatnonzero(leaps) + 1, np.nan, axis=0)
            axes.plot(broken[:, 1], broken[:, 0], alpha=0.6)
            axes.plot(path[:-1][leaps, 1], path[:-1][leaps, 0], "x", color=BLACK)
        axes.set(xticks=[], yticks=[], xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))

    return Figure(paint, caption, (INCHES * width + 0.3, INCHES * height + 0.3))
