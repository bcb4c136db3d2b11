"""Perplexity, bits per byte and distinct n-grams compared with torch, torchmetrics and Python's sets."""

import collections
import math

import numpy as np
import pytest
import torch

from practice_torch.evaluation import perplexity as practice

generator = torch.Generator().manual_seed(0)
LOGITS = torch.randn(4, 9, 7, generator=generator, dtype=torch.float64)
TOKENS = torch.randint(7, (4, 9), generator=generator)
LENGTHS = torch.tensor([9, 4, 1, 6])
MASK = torch.arange(9) < LENGTHS[:, None]


def test_the_corpus_is_torchs_mean_cross_entropy():
    """torch.nn.functional.cross_entropy with ignore_index, as training loops have it."""
    targets = TOKENS.masked_fill(~MASK, -100)
    wanted = torch.nn.functional.cross_entropy(LOGITS.flatten(0, 1), targets.flatten(), ignore_index=-100).exp()
    torch.testing.assert_close(practice.corpus_perplexity(practice.token_log_probs(TOKENS, LOGITS), MASK), wanted)


@pytest.mark.peers("torchmetrics")
def test_torchmetrics_has_the_same_perplexity():
    from torchmetrics import text

    metric = text.Perplexity(ignore_index=-100).set_dtype(torch.float64)
    wanted = metric(LOGITS, TOKENS.masked_fill(~MASK, -100))
    found = practice.corpus_perplexity(practice.token_log_probs(TOKENS, LOGITS), MASK)
    torch.testing.assert_close(found, wanted.double(), rtol=1e-6, atol=0)


def test_a_text_has_the_same_bits_per_byte_in_letters_and_in_words():
    """A model of letters, and the model of words with products of the letters' probabilities; é has two bytes."""
    words = ["caf", "é", " au ", "lait"]
    text = "".join(words)
    counts = collections.Counter(text)
    letters = torch.tensor([[math.log(counts[letter] / len(text)) for letter in text]])
    ends = np.cumsum([len(word) for word in words])[:-1]
    merged = torch.stack([part.sum() for part in torch.tensor_split(letters[0], torch.tensor(ends))])[None]
    size = torch.tensor([len(text.encode())])
    assert size == 13 and len(text) == 12
    found = [practice.bits_per_byte(part, torch.ones_like(part), size) for part in (letters, merged)]
    torch.testing.assert_close(found[0], found[1])
    assert practice.sequence_perplexity(merged, torch.ones_like(merged)) > practice.sequence_perplexity(letters, letters != 0)


def test_a_compressors_bits_are_above_the_entropy_of_its_letters():
    """An ideal code of the letters alone spends their entropy: 2 bits for four letters, alike."""
    letters = torch.full((1, 64), -math.log(4), dtype=torch.float64)
    assert practice.bits_per_byte(letters, torch.ones_like(letters), torch.tensor([64])).item() == pytest.approx(2.0, rel=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3, 9])
def test_distinct_n_grams_are_a_set_of_tuples(order):
    tokens = torch.randint(4, (20, 9), generator=generator)
    wanted = [len({tuple(row[i : i + order]) for i in range(10 - order)}) / (10 - order) for row in tokens.tolist()]
    found = practice.distinct_fraction(tokens, order=order)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=found.dtype))


def test_tokens_may_be_as_large_as_integers_are():
    """They are renumbered before they are paired, so no product overflows."""
    large = torch.tensor([[2**62, -(2**62), 2**62, -(2**62), 5]])
    assert practice.distinct_fraction(large, order=2).item() == pytest.approx(3 / 4)


def test_the_precision_of_the_probabilities_is_kept():
    """Bytes are integers, and torch's default dtype does not matter."""
    log_probs = torch.full((1, 3), -1 / 3, dtype=torch.float64)
    found = practice.bits_per_byte(log_probs, torch.ones(1, 3), torch.tensor([7]))
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(1 / (7 * math.log(2)), rel=1e-15)
