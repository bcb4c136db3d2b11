"""Texts of a known law, drafted by another: they have the law of the target, with drafts and without."""

from practice_torch.experiments.autoregressive import speculative
from practice_torch.experiments.autoregressive.speculative import SpeculativeDecoding
from practice_torch.experiments.language import generation
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import built


def draws_the_law_of_the_target():
    experiment = built("autoregressive/speculative", drafts=3, context=30)
    experiment.target, experiment.draft = Letters(0, context=31), Letters(1, context=31)
    texts = experiment.sample(40)["text"].text.split("\n\n")
    plain = ["".join(character for character in text if character not in "«»‹›") for text in texts]
    assert {len(text) for text in plain} == {30}
    require_texts(plain, experiment.target.table)


def draws_the_law_of_the_target_one_by_one():
    """As a study does for comparison: without drafts."""
    experiment = built("autoregressive/speculative")
    experiment.target, experiment.draft = Letters(0, context=12), Letters(1, context=12)
    start = experiment.target.start(60)[:, None]
    texts = [bytes(row[1:]).decode() for row in experiment._written(start[:1].expand(1, -1), 600, 0)[0].tolist()]
    require_texts(texts, experiment.target.table)


SAMPLERS = {
    draws_the_law_of_the_target: {
        "the draft's law": (SpeculativeDecoding._written, "(self.target, self.draft,", "(self.draft, self.draft,"),
        "every draft accepted": (generation.generate_speculatively, "uniforms[:, :-1],", "0 * uniforms[:, :-1],"),
        "drafts in another order": (generation.generate_speculatively, "sequence[:, end:],", "sequence[:, end:].flip(1),"),
        "a letter too few": (speculative._marked, "place = last + 1", "place = last + 2"),
    },
    draws_the_law_of_the_target_one_by_one: {
        "drawn from the draft": (SpeculativeDecoding._written, "generate(self.target,", "generate(self.draft,")
    },
}
