"""The objective of the experiment preference/dpo, by functions with contracts."""

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.experiments.alignment.offline import AlignmentRecipe
from practice_torch.preference.bradley_terry import soft_preference_loss
from tests.support.alignment import offline as aligned
from tests.support.objectives import Objective


def own_pairs(e, batch, phase):
    """The chosen completion, or both of a pair, each in its own length; the label is wrong with a small probability."""

    if isinstance(e.recipe, AlignmentRecipe):
        return aligned.loss(e, batch, phase)

    def log_prob(network, column):
        each = []
        for tokens, prompt, lengths in zip(batch["tokens"], batch["prompt"].tolist(), batch["length"].tolist(), strict=True):
            text = tokens[column, None, : lengths[column]]
            each.append(sequence_log_prob(text[:, prompt:], network(text)[:, prompt - 1 : -1], None))
        return torch.cat(each)

    if e.place.stage == "supervised":
        return (-log_prob(e.policy, 0) / (batch["length"][:, 0] - batch["prompt"])).mean()
    change = [log_prob(e.policy, column) - log_prob(e.reference, column).detach() for column in (0, 1)]
    beta, right = e.recipe.kl_coefficient, torch.full_like(change[0], 1 - e.recipe.label_smoothing)
    return soft_preference_loss(right, beta * change[0], beta * change[1]).mean()


OBJECTIVE = Objective(own_pairs, unread=aligned.UNREAD, together=[dict(label_smoothing=0.1), *aligned.TOGETHER])
