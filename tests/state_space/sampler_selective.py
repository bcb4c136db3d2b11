"""Random sequences with their symbols and questions, and what each network recalls of them; texts of a known law."""

import torch

from practice_torch.experiments.language import generation
from practice_torch.experiments.language.byte_language import ByteLanguageModel
from practice_torch.experiments.language.state_language import StateLanguageModel
from practice_torch.experiments.state_space import selective
from tests.support.known_texts import Letters, require_texts
from tests.support.samplers import Network, built


def tells_what_each_network_recalls():
    """One network recalls all symbols, where they are among noise, and the others the symbols after them."""
    experiment = built("state_space/selective", "copying")
    size, places, items = experiment.symbols, experiment.recipe.places, experiment.items
    models = experiment.recipe.models

    def recalling(shift):
        def logits(tokens):
            found = [row[row < size][:items] for row in tokens[:, :places]]
            recalled = (torch.stack(found) + shift) % size
            return torch.nn.functional.one_hot(torch.nn.functional.pad(recalled, (places, 0)), size + 2).float()

        return Network(logits)

    for shift, model in enumerate(models):
        setattr(experiment, model, recalling(shift))
    title, *lines = experiment.sample(20)["answers"].text.splitlines()
    assert title.split() == ["sequence", *models] and len(lines) == 20
    wanted = torch.randint(size, (20, items), generator=torch.Generator().manual_seed(0)).tolist()
    for line, symbols in zip(lines, wanted, strict=True):
        sequence, *answers = line.split()
        letters = ["".join(chr(97 + (symbol + shift) % size) for symbol in symbols) for shift in range(len(models))]
        assert sequence.replace(".", "").replace("?", "") == letters[0] and sequence.endswith(items * "?")
        assert len(sequence) == places + items and answers == letters


def draws_the_law_of_the_letters():
    experiment = built("state_space/selective", "pydoc", context=12)
    experiment.network = Letters()
    texts = experiment.sample(50)["text"].text.split("\n\n")
    assert {len(text) for text in texts} == {48}
    require_texts(texts, experiment.network.table)


def draws_the_law_of_letters_that_are_tokens():
    experiment = built("state_space/selective", "mamba_130m", context=12)
    experiment.network = Letters(seed=1)
    texts = experiment.sample(50)["text"].text.split("\n\n")
    assert {len(text) for text in texts} == {48}
    require_texts(texts, experiment.network.table)


SAMPLERS = {
    tells_what_each_network_recalls: {
        "answers of the first network": (selective.RecallExperiment._logits, "getattr(self, model)", "getattr(self, 'mamba')"),
        "the least likely symbols": (selective.RecallExperiment._answers, "argmax", "argmin"),
        "answers before the questions": (selective.RecallExperiment._logits, "self.recipe.places :,", ": self.items,"),
        "of half of the symbols": (selective.RecallExperiment.sample, "torch.randint(self.symbols,", "torch.randint(1,"),
    },
    draws_the_law_of_the_letters: {
        "as long as a window": (ByteLanguageModel.sample, "_LONGER * self", "1 * self"),
        "the first state in every step": (generation.generate_from_state, "logits, states = network", "logits, _ = network"),
    },
    draws_the_law_of_letters_that_are_tokens: {
        "as long as a window": (StateLanguageModel.sample, "LONGER * self", "1 * self"),
        "of the first 99 tokens": (StateLanguageModel.sample, "kinds=self.kinds", "kinds=99"),
    },
}
