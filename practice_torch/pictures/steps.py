"""The step sizes that a selective state space chooses along a sequence."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import IN_TURN


def steps_by_place(steps, places, length):
    """steps [N, T]: of every block, means over its channels; places [K] of what is to be kept; questions from `length` on."""

    def paint(axes):
        axes.axvspan(length - 0.5, steps.shape[1] - 0.5, color="0.93", zorder=0)
        for number, (block, color) in enumerate(zip(steps, IN_TURN, strict=False), 1):
            axes.plot(block.numpy(), color=color, linewidth=1, label=f"block {number}")
            axes.plot(places.numpy(), block[places].numpy(), "o", color=color, markersize=5)
        axes.set(xlabel="place in the sequence", ylabel="step, mean over channels", yscale="log")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize="small", frameon=False)

    kept = steps[:, places].mean(1)
    others = (steps[:, :length].sum(1) - kept * len(places)) / max(1, length - len(places))
    means = "; ".join(f"block {n}: {a:.3g} and {b:.3g}" for n, (a, b) in enumerate(zip(kept, others, strict=True), 1))
    return Figure(paint, f"Steps that Mamba chooses; dots: items, gray: questions. Means of items and of others: {means}", (7, 4))
