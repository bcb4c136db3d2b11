"""One number of several models, between baselines and real data."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, BLUE, ORANGE

_COLORS = {"floor": ORANGE, "model": BLUE, "ceiling": BLACK}
_WORDS = {"floor": "baseline", "model": "model", "ceiling": "real data"}


def ranking(rows, column, label):
    """A line for each row of a project's table that has the column, the first on top: by name, with `role` and `cells`."""
    having = {name: row for name, row in rows.items() if column in row.cells}

    def paint(axes):
        said = set()
        for place, row in enumerate(having.values()):
            role, cell = row.role, row.cells[column]
            value, low, high = cell if isinstance(cell, tuple) else (cell,) * 3  # an estimate, or a number
            axes.plot((low, high), (place, place), color=_COLORS[role], linewidth=3, alpha=0.4)
            axes.plot(value, place, "o", color=_COLORS[role], label=None if role in said else _WORDS[role])
            said.add(role)
        axes.set_yticks(range(len(having)), list(having))
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel(label)
        axes.legend()

    return Figure(paint, f"{label[0].upper()}{label[1:]}; lines: intervals of 95%", (7.0, 1.2 + 0.4 * len(having)))
