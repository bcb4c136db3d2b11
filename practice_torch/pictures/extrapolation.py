"""Bits per byte by position, within and beyond the training length."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILION

STYLES = ((BLUE, "-"), (ORANGE, "--"), (VERMILION, "-"), (GREEN, "-."), (PURPLE, ":"), (BLACK, "-"))


def bits_by_place(curves, trained):
    """curves: name -> (places, bits per byte there); trained: the length of the training windows."""

    def paint(axes):
        axes.axvspan(0, trained, color="0.93", zorder=0)
        for (name, (places, bits)), (color, line) in zip(curves.items(), STYLES, strict=False):
            axes.plot(places, bits, line, color=color, marker="o", markersize=3, label=name)
        longest = max(float(places[-1]) for places, _ in curves.values())
        axes.set(xlabel="bytes of past", ylabel="bits per byte", xlim=(0, 1.03 * longest))
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize="small", frameon=False)

    caption = f"Bits of held-out text by length of the preceding context; gray: the training length of {trained} bytes"
    return Figure(paint, caption, (6.6, 4.6))
