"""n-gram models of the bytes of a text: the baseline that every neural text model has to beat.

A table of 256^5 entries would be empty nearly everywhere. What is kept is the windows that occur, as sorted numbers, and how
often they do; shorter windows are their ends.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.autoregressive.ngram import interpolation_em_step
from practice_torch.engine.artifacts import Text
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe

_BYTES, _COUNT_CLASSES, _EM_STEPS = 256, 16, 30


@dataclass(frozen=True)
class NgramRecipe(Recipe):
    """A byte n-gram model that interpolates all orders from 0 (uniform) to `order`."""

    modality: ClassVar[str] = "text"
    order: Annotated[int, AtLeast(1, at_most=7)] = 5
    """Length of a window in bytes: the predicted byte and those before it."""
    smoothing: Literal["em", "witten_bell"] = "em"
    """Interpolation weights. em: fitted by leave-one-out likelihood; witten_bell: from the number of distinct successors."""
    steps: Annotated[int, AtLeast(1, at_most=1)] = 1
    """1, because counting reads the data once."""
    batch_size: Annotated[int, AtLeast(1)] = 2**40
    """Number of windows that are counted; without it, all."""
    passage: Annotated[int, AtLeast(1)] = 300
    """Length of a sampled passage, in bytes."""
    metric: Fixed = "bits_per_byte"

    def loading(self):
        """Windows of `order` bytes, one at every position."""
        return {"context": max(1, self.order - 1), "level": "byte"}


class NgramExperiment(nn.Module):
    """Counts windows, fits the interpolation, and predicts."""

    explains = {
        "bits_per_byte": Metric("bits per byte", "-log2 p of held-out text, per byte"),
        "perplexity": Metric("bytes", "2 to the bits per byte: the number of equally likely next bytes"),
    }
    phases = (Phase("count"),)

    def __init__(self, recipe, tokens):
        super().__init__()
        self.recipe, self.generator, self._tables = recipe, None, None
        self.register_buffer("windows", torch.full((tokens,), torch.iinfo(torch.int64).max))  # sorted; the rest is padding
        self.register_buffer("counts", torch.zeros(tokens, dtype=torch.int64))
        # one row of weights a class of contexts: how long a context was seen, and how often
        classes = (recipe.order + 1) * _COUNT_CLASSES
        components = recipe.order + 1
        # no logarithms: a weight may be exactly 0, where no long window is seen twice, and what is saved is finite
        self.register_buffer("weights", torch.full((classes, components), 1 / components, dtype=torch.float64))

    def forward(self, batch, phase):
        """Count a batch of windows and fit the weights; return mean bits per byte, with each window left out of the counts."""
        numbers = window_numbers(batch["tokens"][:, -self.recipe.order :])
        windows, counts = numbers.unique(return_counts=True)
        self.windows.fill_(torch.iinfo(torch.int64).max)[: len(windows)] = windows
        self.counts.zero_()[: len(windows)] = counts
        self._tables = None
        if self.recipe.smoothing == "em":
            self._fit(windows, counts)
        bits = -self._log_probs(windows, leave_out=True) / math.log(2)
        return (bits * counts).sum().float() / counts.sum(), {"distinct_windows": counts.new_tensor(len(windows)).float()}

    def evaluate(self, data):
        """Bits per held-out byte."""
        windows = data.batch()["tokens"]
        stream = torch.cat([windows[:1, :1], windows[:, 1:].reshape(1, -1)], dim=1)  # windows lie end to end
        bits = float(self.bits(stream).mean())
        return {"bits_per_byte": bits, "perplexity": 2**bits}

    def bits(self, tokens):
        """-log2 p of each byte that has `order` - 1 bytes before it: tokens [B, T] -> [B, T - order + 1]."""
        numbers = window_numbers(tokens.unfold(1, self.recipe.order, 1))
        return -self._log_probs(numbers.flatten()).view(numbers.shape) / math.log(2)

    def preview(self, data):
        """What the counts write."""
        return self.sample(4)

    def sample(self, count):
        """`count` passages, each byte drawn given those before it."""
        device, past = self.windows.device, self.recipe.order - 1
        written = torch.full((count, past + 1), ord("\n"), device=device)
        every = torch.arange(_BYTES, device=device)
        for _ in range(self.recipe.passage):
            context = written[:, written.shape[1] - past :]
            windows = torch.cat([context.unsqueeze(1).expand(-1, _BYTES, -1), every.expand(count, -1).unsqueeze(2)], dim=2)
            probs = self._log_probs(window_numbers(windows).flatten()).exp().view(count, _BYTES)
            written = torch.cat([written, torch.multinomial(probs, 1, generator=self.generator)], dim=1)
        passages = [bytes(row).decode(errors="replace") for row in written[:, past + 1 :].tolist()]
        return {"text": Text("\n----\n".join(passages), f"Drawn byte by byte, each given the {past} before it")}

    def _fit(self, windows, counts):
        """EM in each class of contexts, on the counted windows, each left out of the counts."""
        components, classes = self._components(windows, leave_out=True)
        components, classes = components.repeat_interleave(counts, 0), classes.repeat_interleave(counts)
        everywhere = self._em(components)
        self.weights[:] = everywhere  # for classes that the text does not have
        for number in classes.unique().tolist():
            mine = components[classes == number]
            if len(mine) >= 20:
                self.weights[number] = self._em(mine)

    def _em(self, components):
        log_weights = torch.full_like(components[0], -math.log(components.shape[1]))
        for _ in range(_EM_STEPS):
            log_weights = interpolation_em_step(components, log_weights)
            log_weights -= log_weights.logsumexp(0)  # thirty roundings do not add up
        return log_weights.exp()

    def _log_probs(self, numbers, leave_out=False):
        """log p of the last byte of each window, nats."""
        if self.recipe.smoothing == "witten_bell":
            return self._witten_bell(numbers, leave_out)
        components, classes = self._components(numbers, leave_out)
        return torch.logsumexp(components + self.weights[classes].log(), dim=1)

    def _components(self, numbers, leave_out):
        """log p of each order, uniform first, [M, order + 1]; an unseen context repeats the order below. And the class, [M]."""
        probs = [torch.full(numbers.shape, 1 / _BYTES, dtype=torch.float64, device=numbers.device)]
        length, often = torch.zeros_like(numbers), torch.zeros_like(numbers)
        for k in range(1, self.recipe.order + 1):
            count, total, _ = self._looked_up(numbers, k, leave_out)
            seen = total > 0
            probs.append(torch.where(seen, count.double() / total.clamp(min=1), probs[-1]))
            length, often = torch.where(seen, k, length), torch.where(seen, total, often)
        size = often.clamp(min=1).double().log2().long().clamp(max=_COUNT_CLASSES - 1)
        return torch.stack(probs, dim=1).log(), length * _COUNT_CLASSES + size

    def _witten_bell(self, numbers, leave_out):
        """p_k = (c + N(h .) p_{k-1}) / (c_h + N(h .)): a context is trusted the less, the more different bytes follow it."""
        probs = torch.full(numbers.shape, 1 / _BYTES, dtype=torch.float64, device=numbers.device)
        for k in range(1, self.recipe.order + 1):
            count, total, kinds = self._looked_up(numbers, k, leave_out)
            probs = torch.where(total > 0, (count + kinds * probs) / (total + kinds).clamp(min=1), probs)
        return probs.log()

    def _looked_up(self, numbers, k, leave_out):
        """Of the last k bytes of each window: how often they occur, how often their first k - 1, how many bytes follow those."""
        windows, counts, contexts, totals, kinds = self._table(k)
        numbers = numbers % _BYTES**k
        count, total, kind = (
            torch.where(keys[at] == wanted, values[at], 0)
            for keys, values, wanted, at in (
                (keys, values, wanted, torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1))
                for keys, values, wanted in (
                    (windows, counts, numbers),
                    (contexts, totals, numbers // _BYTES),
                    (contexts, kinds, numbers // _BYTES),
                )
            )
        )
        # without itself: a byte that followed only once is one kind less
        return (count - 1, total - 1, kind - (count == 1).long()) if leave_out else (count, total, kind)

    def _table(self, k):
        if self._tables is None:
            used = int((self.counts > 0).sum())
            self._tables = {}
            for length in range(1, self.recipe.order + 1):
                windows, which = (self.windows[:used] % _BYTES**length).unique(return_inverse=True)
                counts = torch.zeros_like(windows).index_add(0, which, self.counts[:used])
                contexts, which = (windows // _BYTES).unique(return_inverse=True)
                totals = torch.zeros_like(contexts).index_add(0, which, counts)
                kinds = torch.zeros_like(contexts).index_add(0, which, torch.ones_like(counts))
                self._tables[length] = windows, counts, contexts, totals, kinds
        return self._tables[k]


def window_numbers(windows):
    """Windows of bytes [..., n] as one number each, the first byte the most significant digit."""
    return reduce(lambda number, byte: number * _BYTES + byte, windows.long().unbind(-1))


_PYDOC = {"data": "pydoc", "held_out": 0.1}
RECIPES = {
    # targets: what the counts reach, rounded up
    "unigram": NgramRecipe(order=1, target=4.70, **_PYDOC),
    "bigram": NgramRecipe(order=2, target=3.36, **_PYDOC),
    "trigram": NgramRecipe(order=3, target=2.49, **_PYDOC),
    "4-gram": NgramRecipe(order=4, target=2.04, **_PYDOC),
    "5-gram": NgramRecipe(order=5, target=1.85, **_PYDOC),
    "witten-bell": NgramRecipe(order=5, smoothing="witten_bell", target=1.92, **_PYDOC),
}


def build(recipe, data):
    """The model of a recipe, with room for every window of the text."""
    return NgramExperiment(recipe, data.description["tokens"])
