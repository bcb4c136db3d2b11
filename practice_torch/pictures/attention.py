"""Attention weights as a map."""

from practice_torch.engine.artifacts import Figure


def attention_map(weights, caption, *, query="place in the answer", key="place in the source"):
    """weights [Tq, Tk], a tensor in 0..1: a row for every query, dark where it looks."""

    def paint(axes):
        shown = axes.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        axes.set(xlabel=key, ylabel=query)
        axes.figure.colorbar(shown, ax=axes, label="attention weight")

    return Figure(paint, caption, (5.4, 4.4))
