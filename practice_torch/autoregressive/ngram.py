"""n-gram models: counts, their smoothing, and byte models of any text: the baseline that every neural text model has to beat."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from practice_torch.arguments import as_int64, require, require_log_probs, require_rank, require_values
from practice_torch.engine.artifacts import Text
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe


def ngram_counts(tokens, *, order, vocabulary_size):
    r"""How often each window of `order` tokens occurs: an array with `order` axes of length V. No window leaves its row.

    Raises ValueError if a token is outside 0..V-1 or order is below 1.  Source: Chen & Goodman 1999, section 2.
    [B, T] -> [...]
    """
    _require_tokens(tokens, vocabulary_size)
    require(order >= 1, f"order is {order}; it must be at least 1")
    shape = (vocabulary_size,) * order
    if tokens.shape[1] < order:
        return torch.zeros(shape, dtype=torch.int64, device=tokens.device)
    number = _packed(tokens.unfold(1, order, 1), vocabulary_size)
    return torch.bincount(number.flatten(), minlength=vocabulary_size**order).view(shape)


def additive_log_probs(counts, *, pseudo_count):
    r"""log (c_w + alpha) / (sum_w c_w + alpha V) over the last axis.

    Raises ValueError if pseudo_count or a count is negative, or with pseudo_count 0 a row is empty.
    Source: Chen & Goodman 1999, section 2.1.
    [..., V] -> [..., V]
    """
    require(counts.ndim >= 1, "counts has no axis; it must have at least that of the vocabulary")
    require(pseudo_count >= 0, f"pseudo_count is {pseudo_count}; it must be 0 or positive")
    require_values("counts", counts, lambda counts: counts >= 0, "0 or more")
    counts = _floating(counts)
    if pseudo_count == 0:
        allowed = "more than 0 in every row (sum), where pseudo_count is 0"
        require_values("counts", counts.sum(-1), lambda sums: sums > 0, allowed)
    probs = (counts + pseudo_count) / (counts.sum(-1, keepdim=True) + pseudo_count * counts.shape[-1])
    # a constant -inf for what never occurs: the slope of log 0 would make NaN of every slope in its row
    return probs.where(probs > 0, 1.0).log().where(probs > 0, -torch.inf)


def interpolated_log_probs(log_probs, log_weights):
    r"""log sum_k lambda_k p_k(w | the last k - 1 tokens): the k-th table of log_probs has k axes of length V, k = 1..n.

    Raises ValueError if log_weights is not one weight a table, a shape does not fit, or a table of log_probs or the weights do
    not sum to 1.  Source: Jelinek & Mercer 1980.
    ([...]), [n] -> [...]
    """
    require_rank(1, log_weights=log_weights)
    require(len(log_probs) > 0, "log_probs is empty; it must hold at least the table of single tokens")
    count, size = len(log_probs), log_probs[0].shape[0]
    require(len(log_weights) == count, f"log_weights has {len(log_weights)} entries; it must have {count}, one a table")
    require_log_probs(log_weights=log_weights)
    for k, table in enumerate(log_probs):
        name, shape = f"log_probs[{k}]", list(table.shape)
        require(shape == [size] * (k + 1), f"{name} has shape {shape}; it must have {k + 1} axes of length {size}")
        require_log_probs(**{name: table})
    # broadcasting aligns the last axes: the word, the token before it, and so on
    mixture = log_probs[0] + log_weights[0]
    for table, weight in zip(log_probs[1:], log_weights[1:], strict=True):
        mixture = _log_add(mixture, table + weight)
    return mixture


def interpolation_em_step(token_log_probs, log_weights):
    r"""The logarithms of lambda_k <- (1/N) sum_i lambda_k p_ik / sum_j lambda_j p_ij: one EM step on held-out tokens.

    The reduction over N is inherent.

    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to 1, or token_log_probs has no token or one
    of probability 0 under the mixture.  Source: Jelinek & Mercer 1980.
    [N, n], [n] -> [n]
    """
    require_rank(2, token_log_probs=token_log_probs)
    require_rank(1, log_weights=log_weights)
    count, size = token_log_probs.shape
    require(count > 0, "token_log_probs is empty; an average needs at least one token")
    require(len(log_weights) == size, f"log_weights has {len(log_weights)} entries; it must have {size}, one a column")
    require_log_probs(log_weights=log_weights)
    joint = token_log_probs + log_weights
    allowed = "possible: some weighted component has probability > 0"
    require_values("token_log_probs", joint.detach().amax(1), lambda best: best > -torch.inf, allowed)
    responsibilities = joint.log_softmax(dim=1)
    # a component without a share in any token: log 0, and no gradient through it
    used = (responsibilities > -torch.inf).any(0)
    total = torch.where(used, responsibilities, 0.0).logsumexp(0)
    return torch.where(used, total - math.log(count), -torch.inf)


def kneser_ney_log_probs(counts, *, discount):
    r"""Interpolated Kneser-Ney for pairs u, w, with the continuation law N(. w) / N(. .) behind what the discount d sets free.

    log [ max(c_uw - d, 0) / c_u + d N(u .) / c_u  N(. w) / N(. .) ],  N(u .) = #{w : c_uw > 0},  N(. w) = #{u : c_uw > 0}

    An unseen context u has the continuation law. A word that was never seen has probability 0 everywhere.

    Raises ValueError if counts is empty of counts or not square, holds a number between 0 and 1, or discount is outside [0, 1].
    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7.
    [V, V] -> [V, V]
    """
    require_rank(2, counts=counts)
    require(counts.shape[0] == counts.shape[1], f"counts has shape {list(counts.shape)}; it must be square")
    require(0 <= discount <= 1, f"discount is {discount}; it must lie within [0, 1]")
    require_values("counts", counts, lambda counts: (counts == 0) | (counts >= 1), "0, or at least 1")
    require_values("counts", counts.sum(), lambda total: total > 0, "more than 0 somewhere (sum of all)")
    counts = _floating(counts)
    seen = (counts > 0).to(counts.dtype)
    followers, preceders = seen.sum(1, keepdim=True), seen.sum(0)
    total = counts.sum(1, keepdim=True)
    unseen = total == 0
    mass = torch.relu(counts - discount) + discount * followers * (preceders / preceders.sum())
    probs = torch.where(unseen, preceders / preceders.sum(), mass / total.masked_fill(unseen, 1.0))
    impossible = probs == 0
    return probs.masked_fill(impossible, 1.0).log().masked_fill(impossible, -torch.inf)


def ngram_sequence_log_prob(tokens, log_probs):
    r"""sum over t >= n - 1 (counted from 0) of log p(x_t | x_{t-n+1}, ..., x_{t-1}), in nats, for a table with n axes.

    Raises ValueError if a token is outside 0..V-1 or the table log_probs has no axis or unequal ones.
    Source: Shannon 1948, section 3.
    [B, T], [...] -> [B]
    """
    order = log_probs.ndim
    require(order >= 1, "log_probs has no axis; it must have one for each token of a window")
    size = log_probs.shape[0]
    require(set(log_probs.shape) == {size}, f"log_probs has shape {list(log_probs.shape)}; its axes must be equally long")
    _require_tokens(tokens, size)
    if tokens.shape[1] < order:
        return log_probs.new_zeros(len(tokens))
    return log_probs.flatten()[_packed(tokens.unfold(1, order, 1), size)].sum(dim=1)


def _packed(windows, size):
    """Windows [..., n] as one number each, the first token the most significant digit."""
    windows = as_int64(windows)
    number = windows[..., 0]
    for k in range(1, windows.shape[-1]):
        number = number * size + windows[..., k]
    return number


def _log_add(a, b):
    """log(e^a + e^b), with no gradient instead of NaN where both are -inf."""
    a, b = torch.broadcast_tensors(a, b)
    impossible = (a == -torch.inf) & (b == -torch.inf)
    total = torch.logaddexp(a.masked_fill(impossible, 0.0), b.masked_fill(impossible, 0.0))
    return total.masked_fill(impossible, -torch.inf)


def _floating(counts):
    return counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())


def _require_tokens(tokens, size):
    require_rank(2, tokens=tokens)
    require_values("tokens", tokens, lambda tokens: (tokens >= 0) & (tokens < size), f"a token of the vocabulary, 0..{size - 1}")


# The experiment: one look at all windows of the text. A table of 256^5 entries would be empty nearly everywhere; what is kept is
# the windows that occur, as sorted numbers, and how often they do. Shorter windows are their ends.

_BYTES, _COUNT_CLASSES, _EM_STEPS = 256, 16, 30


@dataclass(frozen=True)
class NgramRecipe(Recipe):
    """A byte n-gram model: every order from none (uniform) to `order`, interpolated."""

    modality: ClassVar[str] = "text"
    order: int = 5
    """Bytes in a window: the one to predict and those before it."""
    smoothing: Literal["em", "witten_bell"] = "em"
    """em: weights fitted to the counted text with each window left out in turn; witten_bell: weights from diversity."""
    steps: int = 1
    """1: counting looks at everything once."""
    batch_size: int = 2**40
    """Windows that are counted: by default all of them."""
    metric: Fixed = "bits_per_byte"

    def __post_init__(self):
        super().__post_init__()
        self._require("order", 1 <= self.order <= 7, "between 1 and 7 (a window is a number of 64 bits)")
        self._require("steps", self.steps == 1, "1 (counting looks at everything once)")

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
        """Counts a batch of windows and fits the weights; its mean bits per byte, each window left out of its own counts."""
        numbers = _packed(batch["tokens"][:, -self.recipe.order :], _BYTES)
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
        numbers = _packed(stream.unfold(1, self.recipe.order, 1)[0], _BYTES)
        bits = float(-self._log_probs(numbers).mean() / math.log(2))
        return {"bits_per_byte": bits, "perplexity": 2**bits}

    def preview(self, data):
        """What the counts write."""
        return self.sample(4)

    def sample(self, count):
        """`count` passages of 300 bytes, each byte drawn given those before it."""
        device, past = self.windows.device, self.recipe.order - 1
        written = torch.full((count, past + 1), ord("\n"), device=device)
        every = torch.arange(_BYTES, device=device)
        for _ in range(300):
            context = written[:, written.shape[1] - past :]
            windows = torch.cat([context.unsqueeze(1).expand(-1, _BYTES, -1), every.expand(count, -1).unsqueeze(2)], dim=2)
            probs = self._log_probs(_packed(windows, _BYTES).flatten()).exp().view(count, _BYTES)
            written = torch.cat([written, torch.multinomial(probs, 1, generator=self.generator)], dim=1)
        passages = [bytes(row).decode(errors="replace") for row in written[:, past + 1 :].tolist()]
        return {"text": Text("\n----\n".join(passages), f"Drawn byte by byte, each given the {past} before it")}

    def _fit(self, windows, counts):
        """EM in each class of contexts, on the counted windows themselves, each left out of its own counts."""
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
                    (windows, counts, numbers), (contexts, totals, numbers // _BYTES), (contexts, kinds, numbers // _BYTES),
                )
            )
        )  # fmt: skip
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
