"""Pictures of the information about past tokens in a recurrent state."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import IN_TURN


def kept_by_place(weights, places):
    """weights [N, T]: of every token in the last state of N blocks; places [K]: of the tokens that are requested."""

    def paint(axes):
        for place in places.tolist():
            axes.axvline(place, color="0.85", zorder=0)
        for number, (block, color) in enumerate(zip(weights, IN_TURN, strict=False), 1):
            axes.plot(block.numpy(), color=color, linewidth=1, marker="o", markersize=2, label=f"block {number}")
        axes.set(xlabel="place in the sequence", ylabel="weight in the last state, mean", yscale="log")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize="small", frameon=False)

    caption = "Weight of every token in the state before the questions, mean over channels and states; gray: what was requested, "
    caption += "which the convolutions show to the tokens behind it as well"
    return Figure(paint, caption, (7, 4))
