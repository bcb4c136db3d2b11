"""Pairs: log-probabilities of completions token by token."""

import torch

from practice_torch.experiments.alignment.offline import AlignmentRecipe
from tests.support.alignment import offline as aligned
from tests.support.metrics import mean
from tests.support.written_texts import wins

NAMES = ("pydoc", "aligned")
TOLERANCE = 1e-4  # logits are cast to float32


def four(e, batch):
    """log p of chosen and rejected completions, by the policy and by the reference: lists of numbers."""
    found = []
    for network in (e.policy, e.reference):
        for which in (0, 1):
            values = []
            for pair, prompt, lengths in zip(batch["tokens"], batch["prompt"].tolist(), batch["length"].tolist(), strict=True):
                tokens = pair[which, : lengths[which]]
                law = torch.distributions.Categorical(logits=network(tokens[None])[0, prompt - 1 : -1])
                values.append(float(law.log_prob(tokens[prompt:]).sum()))
            found.append(values)
    return found


def changes(e, batch):
    """How much likelier chosen and rejected completions have become."""
    chosen, rejected, of_chosen, of_rejected = four(e, batch)
    pairs = (chosen, of_chosen), (rejected, of_rejected)
    return [[a - b for a, b in zip(*pair, strict=True)] for pair in pairs]


def logs(e, batch, phase):
    if isinstance(e.recipe, AlignmentRecipe):
        return aligned.metrics(e, batch)
    if e.place.stage == "supervised":
        return {}
    gained, lost = changes(e, batch)
    return {
        "accuracy": wins(gained, lost),
        "margin": e.recipe.kl_coefficient * (mean(gained) - mean(lost)),
        "chosen_change": mean(gained),
    }


def evaluate(e, data):
    if isinstance(e.recipe, AlignmentRecipe):
        return aligned.evaluated(e, data)
    batch = data.batch()
    gained, lost = changes(e, batch)
    chosen, _, of_chosen, of_rejected = four(e, batch)
    lengths = (batch["length"][:, 0] - batch["prompt"]).tolist()
    return {
        "accuracy": wins(gained, lost),
        "reference_accuracy": wins(of_chosen, of_rejected),
        "margin": e.recipe.kl_coefficient * (mean(gained) - mean(lost)),
        "chosen_change": mean(gained),
        "rejected_change": mean(lost),
        "supervised_loss": -mean([a / n for a, n in zip(chosen, lengths, strict=True)]),
    }


def preview(e, data):
    if isinstance(e.recipe, AlignmentRecipe):
        return {}
    gained, lost = changes(e, data.batch())
    lines = [("axhline", 0), ("axvline", 0), ("axline", (0, 0), {"slope": 1})]
    return {"changes": [*lines, ("plot", gained, lost), ("plot", mean(gained), mean(lost), {"label": "mean"})]}
