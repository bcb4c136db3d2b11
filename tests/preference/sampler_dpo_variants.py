"""Completions of a line's end by every policy, each of a known law of letters."""

from practice_torch.experiments.preference.dpo_variants import Variants
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_every_policy():
    experiment = built("preference/dpo_variants", completion=20)
    laws = {name: Letters(seed, context=12) for seed, name in enumerate(experiment.policies)}
    for name, law in laws.items():
        experiment.policies[name] = law
    lines = experiment.sample(60)["text"].text.split("\n")
    assert len(lines) == 60 * len(laws)
    for name, law in laws.items():
        texts = [line[10:] for line in lines if line[:10].strip() == name]
        assert len(texts) == 60 and {len(text) for text in texts} == {20}
        require_texts(texts, law.table)


SAMPLERS = {
    draws_the_law_of_every_policy: {
        "one policy for all": (Variants._written, "completed(network,", "completed(next(iter(self.policies.values())),"),
        "the line's end shown": (Variants.sample, "readable(text[1:])", "readable(text)"),
        "longer texts": (Variants._written, "self.recipe.completion", "2 * self.recipe.completion"),
    }
}
