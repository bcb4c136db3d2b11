"""Answers to random sequences, each symbol the likeliest after those that were written, and the number of right ones."""

import torch

from practice_torch.experiments.autoregressive.attention import TransductionExperiment
from tests.support.samplers import Network, built

LETTERS = "abcdefgh"


def writes_each_symbol_given_those_before():
    """The network's likeliest symbol is that of the source at the same place, plus one for each that is written and is an a."""
    for name in ("copy", "reverse"):
        experiment = built("autoregressive/attention", name, length=5, symbols=4)

        def logits(source, answer):
            seen = torch.nn.functional.pad(answer == 0, (1, 0)).cumsum(1)
            likeliest = (source[:, : seen.shape[1]] + seen) % 4
            return torch.nn.functional.one_hot(likeliest, 4).float()

        experiment.network, shown = Network(logits), []
        experiment.network.head = torch.nn.Linear(1, 1)
        answers = experiment.sample(60)["answers"]
        sources = torch.randint(4, (60, 5), generator=torch.Generator().manual_seed(0)).tolist()
        for source in sources:
            written = []
            for symbol in source:
                written.append((symbol + written.count(0)) % 4)
            right = written == (source if name == "copy" else source[::-1])
            spelled = ("".join(LETTERS[symbol] for symbol in symbols) for symbols in (source, written))
            shown.append(" -> ".join(spelled) + ("" if right else "   wrong"))
        assert answers.text.splitlines() == shown
        assert answers.caption == f"{name}: {sum('wrong' not in line for line in shown)} of 60 right"


SAMPLERS = {
    writes_each_symbol_given_those_before: {
        "the first symbol in every step": (TransductionExperiment._written, "[:, -1:]", "[:, :1]"),
        "the least likely symbol": (TransductionExperiment._written, "argmax", "argmin"),
        "without those that were written": (TransductionExperiment._written, "(source, answer)", "(source, 0 * answer + 1)"),
        "right where it is wrong": (TransductionExperiment._answers, "'' if good", "'' if not good"),
        "of half of the symbols": (TransductionExperiment.sample, "randint(self.symbols,", "randint(self.symbols // 2,"),
    }
}
