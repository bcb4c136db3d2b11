"""Texts of the policy and completions of both models, each of a known law of letters."""

import torch

from practice_torch.engine.stages import Place
from practice_torch.experiments.alignment import rollouts
from practice_torch.experiments.alignment.online import Rewarded
from practice_torch.experiments.language import completions
from practice_torch.experiments.reinforcement.group_policy import TunedBytes
from tests.support.known_texts import Letters, LettersInRows, require_texts
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


def _rewarded():
    experiment = built("reinforcement/group_policy", "rewards", context=32, prompt=4, completion=20)
    experiment.policy, experiment.reference = LettersInRows(0, context=32), LettersInRows(1, context=32)
    return experiment


def draws_the_law_of_a_rewarded_policy():
    """After the prompt, as long as a completion of the training may be."""
    experiment = _rewarded()
    experiment.sampling = type(experiment.sampling)(prompt="\n")
    texts = [text.removeprefix("\n") for text in experiment.sample(40)["text"].text.split("\n\n")]
    assert len(texts) == 40 and {len(text) for text in texts} == {20}
    require_texts(texts, experiment.policy.table)


def completes_prompts_of_different_lengths_by_both_models():
    """Held-out prompts, each completed by the policy and by the reference as if it were alone."""
    experiment = _rewarded()
    prompts = torch.full((60, 4), ord("\n"))
    rows = torch.tensor(list(b'{"prompt": "?"}'), dtype=torch.uint8).expand(60, -1)
    _, *both = experiment._both({"tokens": prompts, "length": torch.arange(60) % 4 + 1, "columns": rows})
    for drawn, law in zip(both, (experiment.policy, experiment.reference), strict=True):
        texts = experiment._texts(drawn)
        assert {len(text) for text in texts} == {20}
        require_texts(texts, law.table)


SAMPLERS = {
    draws_the_law_of_a_rewarded_policy: {
        "the reference's texts": (Rewarded.sample, "self.policy", "self.reference"),
        "without the prompt": (Rewarded.sample, "self.sampling.prompt + text", "text[1:]"),
        "the last letter left out": (Rewarded._texts, "len(own) and own[-1] == self.end", "True"),
    },
    completes_prompts_of_different_lengths_by_both_models: {
        "one model for both": (Rewarded._both, "network, prompts", "self.policy, prompts"),
        "the first positions of all rows": (
            rollouts.Drawn._places,
            "self.prompts[:, None]",
            "self.prompts.min().expand(len(self.prompts), 1)",
        ),
    },
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
