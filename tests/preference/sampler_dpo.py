"""Completions of a prompt by a policy of a known law of letters, up to where it ends them."""

import torch

from practice_torch.experiments.alignment.offline import Aligned
from practice_torch.experiments.language.completions import answers
from practice_torch.experiments.preference.dpo import PreferredCompletions
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_the_policy():
    experiment = built("preference/dpo")
    experiment.policy, experiment.reference = Letters(0, context=12), Letters(1, context=12)
    experiment.sampling = type(experiment.sampling)(prompt="\n", length=25)
    texts = experiment.sample(60)["text"].text.split("\n\n")
    texts = [text.strip("\n") for text in texts]
    assert len(texts) == 60 and {len(text) for text in texts} == {25}
    require_texts(texts, experiment.policy.table)


def ends_texts_where_the_policy_does():
    """A byte of 0 ends a text, and what follows it is not shown."""
    experiment = built("preference/dpo")
    law = Letters(0, context=12)
    plain = law.logits

    def ending(before, last):
        logits = plain(before, last)
        logits[..., 0] = torch.where(last == ord("c"), 20.0, logits[..., 0])
        return logits

    law.logits, experiment.policy = ending, law
    texts = experiment._answers(torch.full((60, 1), ord("\n")), 12)
    assert len(texts) == 60 and all("c" not in text[:-1] and (len(text) == 12 or text.endswith("c")) for text in texts)
    assert len({len(text) for text in texts}) > 3


def draws_the_law_of_an_aligned_policy():
    experiment = built("preference/dpo", "aligned")
    experiment.policy, experiment.reference = Letters(0, context=12), Letters(1, context=12)
    experiment.sampling = type(experiment.sampling)(prompt="\n", length=25)
    texts = [text.strip("\n") for text in experiment.sample(60)["text"].text.split("\n\n")]
    assert len(texts) == 60 and {len(text) for text in texts} == {25}
    require_texts(texts, experiment.policy.table)


SAMPLERS = {
    draws_the_law_of_an_aligned_policy: {
        "the reference's texts": (Aligned._answers, "self.policy", "self.reference"),
        "another length": (Aligned.sample, "self.sampling.length)", "self.sampling.length - 1)"),
        "text after the end": (answers, "row[own]", "row[:-1]"),
    },
    draws_the_law_of_the_policy: {
        "the reference's texts": (PreferredCompletions._answers, "self.policy", "self.reference"),
        "another length": (PreferredCompletions.sample, "self.sampling.length)", "self.sampling.length - 1)"),
        "without the prompt": (PreferredCompletions.sample, "self.sampling.prompt + answer", "answer[:24]"),
    },
    ends_texts_where_the_policy_does: {
        "ends that are passed": (answers, ".cumsum(1) == 0", ".cumsum(1) <= 1"),
        "text after the end": (answers, "ends.cumsum(1) == 0", "~ends"),
    },
}
