"""A known distribution of texts: each letter is drawn given the two characters before it. Replaces a network of bytes."""

import torch
from torch import nn

from tests.support.samplers import require_shares

LETTERS = "abc"
START = "\n"
_UNLIKELY = -60.0  # the logit of every other byte: no draw finds it, and it has a logarithm


class Letters(nn.Module):
    """P(letter | the one before, the last), of letters a, b and c; texts begin with START, before which START is read.

    It has the interfaces of all networks that write texts: of DecoderTransformer with its cache, here of tokens, and of those
    that go on from a state, here the last two tokens. Another seed is another law.
    """

    def __init__(self, seed=0, context=8):
        super().__init__()
        self.context_length = context
        self.head, self.token_embedding = nn.Linear(1, 1), nn.Embedding(1, 1)  # which tell the device
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.rand(4, 4, 3, generator=generator, dtype=torch.float64).square() + 0.05  # [before, last, letter]
        self.table /= self.table.sum(2, keepdim=True)

    def logits(self, before, last):
        """[...], [...] -> [..., 256], of bytes."""
        found = torch.full((*last.shape, 256), _UNLIKELY)
        found[..., [ord(letter) for letter in LETTERS]] = self.table[_places(before), _places(last)].log().float()
        return found

    def forward(self, tokens):
        """[B, T] -> [B, T, 256]"""
        assert tokens.shape[1] <= self.context_length, f"{tokens.shape[1]} tokens were read; the context is {self.context_length}"
        before = torch.cat([torch.full_like(tokens[:, :1], ord(START)), tokens[:, :-1]], 1)
        return self.logits(before, tokens)

    def empty_cache(self, batch):
        return torch.zeros(batch, self.context_length, dtype=torch.int64)

    def step_each(self, tokens, cache, position):
        """[B, S] at position .. position+S-1 -> [B, S, 256]; the cache has their past."""
        end = position + tokens.shape[1]
        assert end <= self.context_length, f"{end} tokens were read; the context is {self.context_length}"
        cache[:, position:end] = tokens
        return self(cache[:, :end])[:, position:]

    def start(self, batch):
        return torch.full((batch,), ord(START))

    def step(self, tokens, memory, position=None):
        """With a position, the last of step_each; else tokens [B] and a state -> logits [B, 256] and the next state."""
        if position is None:
            return self.logits(memory, tokens), tokens
        return self.step_each(tokens, memory, position)[:, -1]


class LettersInRows(Letters):
    """The same law with the interface of a CachedDecoder, by which prompts of different lengths are completed together."""

    vocabulary_size = 256

    def empty_cache(self, batch, length):
        return torch.zeros(1, 1, batch, 1, length, 1, dtype=torch.int64)

    def step_after(self, tokens, cache, lengths):
        cache[0, 0, :, 0, : tokens.shape[1], 0] = tokens
        return self._after(cache, lengths - 1)

    def step_rows(self, tokens, cache, positions):
        cache[0, 0, torch.arange(len(tokens)), 0, positions, 0] = tokens
        return self._after(cache, positions)

    def _after(self, cache, positions):
        """The logits after the token at each row's position."""
        known, rows = cache[0, 0, :, 0, :, 0], torch.arange(cache.shape[2])
        positions = torch.as_tensor(positions).expand(len(rows))  # a number where all rows are as long
        before = torch.where(positions > 0, known[rows, (positions - 1).clamp(min=0)], ord(START))
        return self.logits(before, known[rows, positions])


def _places(tokens):
    """1, 2, 3 for the letters, 0 for START and for every other byte."""
    place = tokens - ord(LETTERS[0]) + 1
    return torch.where((place >= 1) & (place <= 3), place, 0)


def require_texts(texts, probabilities):
    """AssertionError unless each letter of texts, which follow START, has the law [4, 4, 3] that is given to it."""
    assert set("".join(texts)) <= set(LETTERS), f"characters are {set(''.join(texts))}"
    tokens = torch.tensor([list((START * 2 + text).encode()) for text in texts])
    places = _places(tokens)
    contexts, letters = 4 * places[:, :-2] + places[:, 1:-1], places[:, 2:] - 1
    for context in contexts.unique().tolist():
        require_shares(letters[contexts == context], probabilities.flatten(0, 1)[context])
