"""Gradient norms by block of a deep network."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import IN_TURN


def norms_by_block(first, last, steps):
    """first, last: name -> the norm of every block's gradient, from the lowest block up; before training and after `steps`."""

    def paint(axes):
        for (name, norms), color in zip(first.items(), IN_TURN, strict=False):
            blocks = range(1, len(norms) + 1)
            axes.plot(blocks, norms, "o-", color=color, markersize=4, label=f"{name}, before the first step")
            axes.plot(blocks, last[name], "s:", color=color, markersize=4, mfc="white", label=f"{name}, after {steps} steps")
        axes.set(xlabel="block, from the tokens up", ylabel="norm of the gradient", yscale="log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small", frameon=False)

    return Figure(paint, "Gradient norm of the loss in each block", (6.6, 4.6))
