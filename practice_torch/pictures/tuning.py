"""Pictures of a tuned policy's gain against its divergence from the reference."""

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLACK, BLUE, VERMILION


def score_by_nats(path, label, frontier=None):
    """path [K, 2]: nats and score of every round; label: of the score; frontier: nats and scores of the best policies."""

    def paint(axes):
        nats, scores = path.unbind(1)
        if frontier is not None:
            axes.plot(*frontier, color=BLACK, linewidth=1, label="the best policies, one for each price")
        axes.plot(nats, scores, color=BLUE, linewidth=0.7, alpha=0.7, label="rounds")
        axes.plot(nats[-1:], scores[-1:], "o", color=VERMILION, label="last round")
        axes.set(xlabel="nats of divergence from the reference, a completion", ylabel=label)
        axes.legend(loc="lower right")

    return Figure(paint, "Score of the completions of every round, by the policy's divergence from its reference")
