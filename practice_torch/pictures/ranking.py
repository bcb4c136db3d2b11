"""One number of several models, between baselines and real data."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, BLUE, ORANGE

_COLORS = {"floor": ORANGE, "model": BLUE, "ceiling": BLACK}
_WORDS = {"floor": "baseline", "model": "model", "ceiling": "real data"}


def ranking(names, roles, estimates, label):
    """A line for each name, the first on top. roles: floor, model or ceiling. estimates: numbers, or (value, low, high)."""

    def paint(axes):
        said = set()
        for place, (role, estimate) in enumerate(zip(roles, estimates, strict=True)):
            value, low, high = estimate if isinstance(estimate, tuple) else (estimate,) * 3
            axes.plot((low, high), (place, place), color=_COLORS[role], linewidth=3, alpha=0.4)
            axes.plot(value, place, "o", color=_COLORS[role], label=None if role in said else _WORDS[role])
            said.add(role)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel(label)
        axes.legend()

    return Figure(paint, f"{label[0].upper()}{label[1:]}; lines: intervals of 95%", (7.0, 1.2 + 0.4 * len(names)))
