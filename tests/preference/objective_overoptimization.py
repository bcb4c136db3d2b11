"""The objective of the experiment preference/overoptimization, by functions with contracts."""

import torch

from practice_torch.experiments.preference import overoptimization as experiment
from practice_torch.preference.bradley_terry import soft_preference_loss
from tests.support.objectives import Mistake, Objective


def votes_on_pairs(e, batch, phase):
    """Two texts of words 0 (praise), 1 (fact), 2 (error) and others: a cross-entropy with the share of votes, and centering."""
    counts = torch.stack([(batch["symbols"] == kind) for kind in (0, 1, 2)], 2).unflatten(1, (2, -1)).double().sum(2)
    praise, fact, error = counts.unbind(-1)
    gold = fact - error + torch.where(praise <= e.recipe.turn, 2 * praise, 5 * e.recipe.turn - 3 * praise)
    kinds = torch.cat([counts, e.words - counts.sum(2, keepdim=True)], 2) / e.words
    first, second = e.proxy(kinds.to(e.proxy[0].weight.dtype)).squeeze(2).unbind(1)
    votes = (gold[:, 0] - gold[:, 1]).sigmoid().to(first.dtype)
    center = e.recipe.center_coefficient * (first + second) ** 2
    return (soft_preference_loss(votes, first, second) + center).mean()


MISTAKES = {
    "one order of a pair": Mistake(
        experiment,
        "pairwise_reward_loss",
        lambda chosen, rejected, *, center_coefficient: torch.nn.functional.softplus(rejected - chosen),
    )
}
OBJECTIVE = Objective(votes_on_pairs, unread={"pairs", "samples"}, mistakes=MISTAKES, sizes=dict(length=32, pairs=100))
