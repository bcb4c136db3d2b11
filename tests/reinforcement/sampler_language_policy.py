"""Texts of the policy are as frequent as the law that it gives to each of them."""

import torch

from practice_torch.experiments.reinforcement.language_policy import FewTexts
from tests.support.samplers import built, moved, require_same, require_shares


def draws_the_law_of_all_texts():
    experiment = moved(built("reinforcement/language_policy", symbols=3, length=3), by=0.3)
    lines = experiment.sample(2000)["texts"].text.split("\n")
    drawn = torch.tensor([[int(symbol) for symbol in line.split()] for line in lines])
    assert drawn.shape == (2000, 3)
    require_shares((drawn * torch.tensor([9, 3, 1])).sum(1), experiment._laws()[0].exp())


def gives_every_text_its_probability():
    """The product of those of its symbols, in the order of the texts; and of the policy that is best at the price."""
    experiment = moved(built("reinforcement/language_policy", symbols=3, length=3), by=0.3)
    policy, best, reference = (law.exp() for law in experiment._laws())
    texts = experiment.texts
    for law, network in ((policy, experiment.policy), (reference, experiment.reference)):
        chances = network(texts[:, :-1]).double().softmax(-1).gather(2, texts[:, 1:, None])
        require_same(law, chances[..., 0].prod(1))
    changes = (texts[:, 2:] != texts[:, 1:-1]).sum(1)
    tilted = reference * (changes / experiment.rollout.price).exp()
    require_same(best, tilted / tilted.sum())


SAMPLERS = {
    draws_the_law_of_all_texts: {
        "the reference's texts": (FewTexts.sample, "self.policy", "self.reference"),
        "the start as a symbol": (FewTexts.sample, "tokens[:, 1:]", "tokens[:, :-1]"),
        "of another start": (FewTexts.sample, "self.texts[:1, :1]", "1 + self.texts[:1, :1]"),
    },
    gives_every_text_its_probability: {
        "the laws in another order": (FewTexts._laws, "self._tables(policy)), self", "self._tables(reference)), self"),
        "the first symbols alone": (FewTexts._law, "for table in tables)", "for table in tables[:2])"),
    },
}
