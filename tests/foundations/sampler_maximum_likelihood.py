"""Text and images of counts: each character given the one before it, and each pixel, has the smoothed share of its count."""

import torch

from practice_torch.experiments.foundations.maximum_likelihood import CharacterTable, PixelTable
from tests.support.samplers import built, require_same, require_shares


def draws_characters_given_the_one_before():
    """Lines of 72 characters, which begin after a line's end where there is one, else after the first character."""
    for name in ("bigram", "unigram"):
        experiment = built("foundations/maximum_likelihood", name, smoothing=0.5)
        counts = torch.randint(0, 6, experiment.counts.shape, generator=torch.Generator().manual_seed(1))
        experiment.counts.copy_(counts)
        lines = experiment.sample(40)["text"].text.split("\n")
        rows = torch.tensor([[experiment.characters.index(letter) for letter in line] for line in lines])
        assert rows.shape == (40, 72)
        law = (counts + 0.5) / (counts + 0.5).sum(1, keepdim=True)
        before = torch.nn.functional.pad(rows[:, :-1], (1, 0)) if name == "bigram" else torch.zeros_like(rows)
        for character in before.unique().tolist():
            require_shares(rows[before == character], law[character])


def shows_ends_of_lines():
    experiment = built("foundations/maximum_likelihood", "bigram", smoothing=0.0)
    experiment.characters = ["a", "\n", *experiment.characters[2:]]
    experiment.counts.zero_()
    experiment.counts[0, 1], experiment.counts[1, 0] = 1, 1
    assert experiment.sample(2)["text"].text.split("\n") == 2 * [36 * "a\u21b5"]


def draws_pixels_one_by_one():
    """The last image is of the probabilities."""
    experiment = built("foundations/maximum_likelihood", "pixels", smoothing=0.5)
    counts = torch.randint(0, 6, experiment.counts.shape, generator=torch.Generator().manual_seed(1))
    experiment.counts.copy_(counts)
    images = experiment.sample(400)["pixels"].images.flatten(1)
    ones = (counts[1] + 0.5) / (counts + 0.5).sum(0)
    require_same(images[-1], ones)
    assert len(images) == 401
    for pixel in range(64):
        require_shares(images[:-1, pixel].long(), torch.stack([1 - ones[pixel], ones[pixel]]))


SAMPLERS = {
    draws_characters_given_the_one_before: {
        "the first character in every step": (CharacterTable.sample, "probs[row % len(probs)]", "probs[0 * row]"),
        "no smoothing": (CharacterTable._log_probs, "+ self.recipe.smoothing", "+ 0.01"),
        "shorter lines": (CharacterTable.sample, "range(72)", "range(71)"),
        "the likeliest character": (CharacterTable.sample, "torch.multinomial(probs[", "torch.multinomial(100 ** probs["),
    },
    shows_ends_of_lines: {"another beginning": (CharacterTable.sample, "else 0)", "else 0) * 0")},
    draws_pixels_one_by_one: {
        "zeros for ones": (PixelTable.sample, "self._log_probs()[1]", "self._log_probs()[0]"),
        "no smoothing": (PixelTable._log_probs, "+ self.recipe.smoothing", "+ 0.01"),
        "all pixels alike": (PixelTable.sample, "ones.expand(count, -1)", "ones.mean().expand(count, len(ones))"),
    },
}
