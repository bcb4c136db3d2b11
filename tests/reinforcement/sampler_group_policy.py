"""Texts of the policy and completions of both models, each of a known law of letters."""

import torch

from practice_torch.engine.stages import Place
from practice_torch.experiments.language import completions
from practice_torch.experiments.reinforcement.group_policy import TunedBytes
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def _experiment():
    experiment = built("reinforcement/group_policy", prompt=3, completion=20)
    experiment.policy, experiment.reference = Letters(0, context=12), Letters(1, context=12)
    return experiment


def draws_the_law_of_the_policy():
    """Twice as long as the completions of the training."""
    experiment = _experiment()
    texts = experiment.sample(40)["text"].text.split("\n\n")
    assert len(texts) == 40 and {len(text) for text in texts} == {40}
    require_texts(texts, experiment.policy.table)


def completes_prompts_by_both_models():
    """Once rounds have begun, the reference is another model; before that it is the policy."""
    experiment = _experiment()
    prompts = torch.full((60, 3), ord("\n"))
    for other in (experiment.policy, experiment.reference):
        for tokens, law in zip(experiment._completed(prompts), (experiment.policy, other), strict=True):
            texts = [bytes(row[3:].tolist()).decode() for row in tokens]
            assert {len(text) for text in texts} == {20}
            require_texts(texts, law.table)
        experiment.place = Place("rounds", 1)


SAMPLERS = {
    draws_the_law_of_the_policy: {
        "the reference's texts": (TunedBytes.sample, "self.policy", "self.reference"),
        "as long as completions": (TunedBytes.sample, "2 * self.recipe.completion", "self.recipe.completion"),
        "the first letter left out": (TunedBytes.sample, "text[1:]", "text[2:]"),
        "a sharper law": (completions.completed, "logits.float()", "2 * logits.float()"),
    },
    completes_prompts_by_both_models: {
        "one model for both": (TunedBytes._completed, "self.policy, self._the_reference()", "self.policy, self.policy"),
        "the reference too early": (TunedBytes._rounds, 'if self.place.stage == "rounds" else 0', "+ 1"),
    },
}
