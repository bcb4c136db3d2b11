"""Maximum likelihood: categorical and Gaussian likelihoods, entropies and Kullback-Leibler divergences, in nats."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_log_probs, require_rank, require_same_shape, require_values
from practice_torch.engine.artifacts import ImageGrid, Text
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe


def empirical_distribution(labels, *, num_categories):
    r"""The empirical distribution p_hat_k = (1/B) sum_b 1[labels_b = k]: the reduction over B is inherent.

    Raises ValueError if labels is empty or holds a label outside 0..K-1.  Source: Cover & Thomas, ch. 11.
    [B] -> [K]
    """
    require_rank(1, labels=labels)
    require(labels.numel() > 0, "labels is empty; an empirical distribution needs at least one label")
    _require_labels(labels, num_categories)
    counts = torch.bincount(as_int64(labels), minlength=num_categories)
    return counts.to(torch.get_default_dtype()) / labels.numel()


def categorical_negative_log_likelihood(labels, logits):
    r"""-log softmax(logits)_label, in nats.

    Raises ValueError if the batch sizes differ or a label is outside 0..K-1.  Source: Bishop, PRML, 4.3.4.
    [B], [B, K] -> [B]
    """
    require_rank(1, labels=labels)
    require_rank(2, logits=logits)
    require(
        labels.shape[0] == logits.shape[0],
        f"labels has {labels.shape[0]} entries; it must have one for each of the {logits.shape[0]} rows of logits",
    )
    _require_labels(labels, logits.shape[1])
    return functional.cross_entropy(logits, as_int64(labels), reduction="none")


def entropy(log_probs):
    r"""H(p) = -sum_k p_k log p_k, in nats, with 0 log 0 = 0.

    Raises ValueError if a row of log_probs does not sum to one.  Source: Cover & Thomas, eq. 2.1.
    [B, K] -> [B]
    """
    require_rank(2, log_probs=log_probs)
    require_log_probs(log_probs=log_probs)
    return -_expectation(log_probs, log_probs)


def cross_entropy(log_probs_p, log_probs_q):
    r"""CE(p, q) = -sum_k p_k log q_k, in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, ch. 2.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    return -_expectation(log_probs_p, log_probs_q)


def kl_divergence(log_probs_p, log_probs_q):
    r"""KL(p || q) = sum_k p_k (log p_k - log q_k), in nats; +inf where q_k = 0 < p_k.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Cover & Thomas, eq. 2.26.
    [B, K], [B, K] -> [B]
    """
    _require_pair(log_probs_p, log_probs_q)
    # Where p = 0 the term is 0 whatever q is; -inf - -inf must not get there first.
    impossible = log_probs_p == -torch.inf
    log_ratio = torch.where(impossible, 0.0, log_probs_p) - torch.where(impossible, 0.0, log_probs_q)
    return _expectation(log_probs_p, log_ratio)


def gaussian_negative_log_likelihood(x, mean, log_var):
    r"""-log N(x; mean, e^log_var), diagonal, in nats.

    1/2 sum_d [ log 2 pi + log_var + (x - mean)^2 e^-log_var ]

    Raises ValueError if the shapes differ.  Source: Bishop, PRML, eq. 2.43.
    [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, x=x)
    require_same_shape(x=x, mean=mean, log_var=log_var)
    return 0.5 * (math.log(2 * math.pi) + log_var + (x - mean).square() * torch.exp(-log_var)).sum(dim=-1)


def gaussian_maximum_likelihood(x):
    r"""The diagonal Gaussian of maximum likelihood: the sample mean, and the log of the biased (1/B) variance.

    Raises ValueError if B < 2 or a column is constant (its variance is 0 and the likelihood unbounded).
    Source: Bishop, PRML, eqs. 1.55 and 1.56.
    [B, D] -> [D], [D]
    """
    require_rank(2, x=x)
    require(x.shape[0] >= 2, f"x has {x.shape[0]} rows; a variance needs at least 2")
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    require_values("x", x, lambda a: (a != a[:1]).any(dim=0), "free of constant columns: the likelihood is unbounded there")
    return mean, variance.log()


def gaussian_kl_divergence(mean_p, log_var_p, mean_q, log_var_q):
    r"""KL(N(mean_p, e^log_var_p) || N(mean_q, e^log_var_q)), diagonal, in nats.

    1/2 sum_d [ log_var_q - log_var_p + (e^log_var_p + (mean_p - mean_q)^2) e^-log_var_q - 1 ]

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, D], [B, D], [B, D], [B, D] -> [B]
    """
    require_rank(2, mean_p=mean_p)
    require_same_shape(mean_p=mean_p, log_var_p=log_var_p, mean_q=mean_q, log_var_q=log_var_q)
    # e^r - 1 - r with r = log_var_p - log_var_q: expm1 keeps the digits when the variances nearly agree.
    log_var_ratio = log_var_p - log_var_q
    shift = (mean_p - mean_q).square() * torch.exp(-log_var_q)
    return 0.5 * (torch.expm1(log_var_ratio) - log_var_ratio + shift).sum(dim=-1)


def _expectation(log_probs, values):
    """sum_k p_k values_k over the last axis, where p_k = 0 silences any value, in the gradient too."""
    impossible = log_probs == -torch.inf
    return (torch.exp(log_probs) * torch.where(impossible, 0.0, values)).sum(dim=-1)


def _require_labels(labels, num_categories):
    allowed = f"one of the {num_categories} categories 0..{num_categories - 1}"
    require_values("labels", labels, lambda a: (a >= 0) & (a < num_categories), allowed)


def _require_pair(log_probs_p, log_probs_q):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


# The experiments: where the maximum of the likelihood is known, training is counting, once over all of the data.


@dataclass(frozen=True)
class _CountingRecipe(Recipe):
    steps: int = 1
    """1: counting looks at everything once."""
    batch_size: int = 2**40
    """Examples that are counted: by default all of them."""
    smoothing: float = 0.5
    """Added to every count; at 0 a symbol that was never seen costs infinitely many nats."""

    def __post_init__(self):
        super().__post_init__()
        self._require("steps", self.steps == 1, "1 (counting looks at everything once)")
        self._require("smoothing", 0 <= self.smoothing < math.inf, "0 or positive, and finite")


@dataclass(frozen=True)
class CharacterRecipe(_CountingRecipe):
    """A table of how often characters follow a context of 0 characters (unigram) or 1 (bigram)."""

    modality: ClassVar[str] = "text"
    order: int = 1
    """Characters of context: 0 or 1."""
    metric: Fixed = "nats_per_character"

    def __post_init__(self):
        super().__post_init__()
        self._require("order", self.order in (0, 1), "0 or 1")

    def loading(self):
        """Windows of two characters, one at every position: each pair of neighbors exactly once."""
        return {"context": 1, "level": "character"}


@dataclass(frozen=True)
class PixelRecipe(_CountingRecipe):
    """Pixels that know nothing of each other: the floor that every model of images has to beat."""

    threshold: float = 0.5
    """Pixels above it are 1."""
    metric: Fixed = "nats_per_image"


class CharacterTable(nn.Module):
    """Counts of (context, character); with order 0 all contexts share a row."""

    explains = {
        "nats_per_character": Metric("nats per character", "-log p of held-out text, per character"),
        "perplexity": Metric("characters", "e to the nats per character: the number of equally likely characters"),
    }
    phases = (Phase("count"),)

    def __init__(self, recipe, characters):
        super().__init__()
        self.recipe, self.characters, self.generator = recipe, characters + "\ufffd", None
        rows = len(self.characters) ** recipe.order
        self.register_buffer("counts", torch.zeros(rows, len(self.characters), dtype=torch.int64))

    def forward(self, batch, phase):
        """Counts a batch; its mean negative log-likelihood afterwards."""
        rows, labels = self._rows_and_labels(batch)
        pairs = torch.bincount(rows * self.counts.shape[1] + labels, minlength=self.counts.numel())
        self.counts += pairs.view_as(self.counts)
        return self._nats(batch).mean(), {}

    def evaluate(self, data):
        """Nats per held-out character."""
        nats = self._nats(data.batch()).double().mean()
        return {"nats_per_character": float(nats), "perplexity": float(nats.exp())}

    def preview(self, data):
        """What the table writes."""
        return self.sample(8)

    def sample(self, count):
        """`count` lines of 72 characters, each drawn from the one before it."""
        probs = self._log_probs().exp()
        row, written = torch.full((count,), self.characters.index("\n") if "\n" in self.characters else 0), []
        for _ in range(72):
            row = torch.multinomial(probs[row % len(probs)], 1, generator=self.generator)[:, 0]
            written.append(row)
        lines = ["".join(self.characters[i] for i in line).replace("\n", "\u21b5") for line in torch.stack(written, 1).tolist()]
        return {"text": Text("\n".join(lines), "Drawn character by character; \u21b5 is a line's end")}

    def _rows_and_labels(self, batch):
        context, labels = batch["tokens"].T
        return (context if self.recipe.order else torch.zeros_like(context)), labels

    def _log_probs(self):
        smoothed = self.counts.double() + self.recipe.smoothing
        # a context that was never seen is followed by anything
        empty = smoothed.sum(1, keepdim=True) == 0
        return torch.where(empty, 1.0, smoothed).log().log_softmax(1)

    def _nats(self, batch):
        rows, labels = self._rows_and_labels(batch)
        return -self._log_probs()[rows, labels]


class PixelTable(nn.Module):
    """Counts of ones and zeros of every pixel."""

    explains = {"nats_per_image": Metric("nats per image", "-log p(x) of held-out images")}
    phases = (Phase("count"),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        self.register_buffer("counts", torch.zeros(2, math.prod(shape), dtype=torch.int64))  # zeros, ones

    def forward(self, batch, phase):
        """Counts a batch; its mean negative log-likelihood afterwards."""
        x = self._binary(batch)
        self.counts += torch.stack([(1 - x).sum(0), x.sum(0)])
        return self._nats(x).mean(), {}

    def evaluate(self, data):
        """Nats per held-out image."""
        return {"nats_per_image": float(self._nats(self._binary(data.batch())).mean())}

    def preview(self, data):
        """What independent pixels look like."""
        return self.sample(16)

    def sample(self, count):
        """Images whose pixels are drawn one by one, and last the probabilities that they are drawn from."""
        ones = self._log_probs()[1].exp().float()
        drawn = torch.bernoulli(ones.expand(count, -1), generator=self.generator)
        images = torch.cat([drawn, ones[None]]).unflatten(1, self.shape)
        return {"pixels": ImageGrid(images, 8, "Independent pixels; the last image is their probabilities")}

    def _binary(self, batch):
        return (batch["image"].flatten(1) > self.recipe.threshold).long()

    def _log_probs(self):
        return (self.counts.double() + self.recipe.smoothing).log().log_softmax(0)

    def _nats(self, x):
        return -self._log_probs().gather(0, x).sum(1)


_PYDOC = {"data": "pydoc", "held_out": 0.1}
RECIPES = {
    # the targets are what the tables reach, rounded up: 3.24 and 2.32 nats a character, 25.2 an image
    "unigram": CharacterRecipe(order=0, target=3.26, **_PYDOC),
    "bigram": CharacterRecipe(order=1, target=2.34, **_PYDOC),
    "pixels": PixelRecipe(data="digits", held_out=0.2, threshold=7 / 16, target=25.5),
}


def build(recipe, data):
    """The table that a recipe fills."""
    if isinstance(recipe, CharacterRecipe):
        return CharacterTable(recipe, data.description["characters"])
    return PixelTable(recipe, data.description["shape"])
