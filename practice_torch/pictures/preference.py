"""Figures of preference optimization: changes of likelihood, and the cost of a gain."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, IN_TURN

_MARKS = "osD^vPX"


def changes_of_log_probs(changes):
    """changes: name -> (change of log p of the chosen completions, of the rejected ones), in nats."""

    def paint(axes):
        axes.axhline(0, color="0.8", linewidth=1, zorder=0)
        axes.axvline(0, color="0.8", linewidth=1, zorder=0)
        axes.axline((0, 0), slope=1, color="0.6", linewidth=1, linestyle=":", zorder=0, label="no difference learned")
        for (name, (chosen, rejected)), color, mark in zip(changes.items(), IN_TURN, _MARKS, strict=False):
            axes.plot(chosen, rejected, mark, color=color, label=name)
        axes.set(xlabel="change of log p(chosen), nats", ylabel="change of log p(rejected), nats")
        axes.legend(fontsize="small")

    caption = (
        "Mean change of the log-probability of held-out pairs. The learned margin is the distance below the dotted line; left of "
        "the middle the chosen completions, too, have become less likely"
    )
    return Figure(paint, caption)


def wins_by_nats(found):
    """found: name -> (nats of divergence from the reference, win rate against it)."""

    def paint(axes):
        axes.axhline(50, color="0.8", linewidth=1, zorder=0)
        for (name, (nats, wins)), color, mark in zip(found.items(), IN_TURN, _MARKS, strict=False):
            axes.plot(nats, 100 * wins, mark, color=color, label=name)
        axes.set(xlabel="nats of divergence from the reference, a completion", ylabel="completions that win, %")
        axes.set(xlim=(0, None), ylim=(None, 100))
        axes.legend(fontsize="small")

    return Figure(paint, "Win rate against the reference on held-out prompts, by the divergence from it")


def changes_of_pairs(chosen, rejected):
    """chosen, rejected: the change of log p of both completions of every pair, [N] each, in nats."""

    def paint(axes):
        axes.axhline(0, color="0.8", linewidth=1, zorder=0)
        axes.axvline(0, color="0.8", linewidth=1, zorder=0)
        axes.axline((0, 0), slope=1, color="0.6", linewidth=1, linestyle=":", zorder=0)
        axes.plot(chosen, rejected, "o", markersize=3, alpha=0.4)
        axes.plot(chosen.mean(), rejected.mean(), "X", color=BLACK, label="mean")
        axes.set(xlabel="change of log p(chosen), nats", ylabel="change of log p(rejected), nats")
        axes.legend(fontsize="small")

    return Figure(paint, "Held-out pairs: below the dotted line the chosen completion gained more")
