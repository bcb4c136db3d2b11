"""Wrong forms of perplexity, of bits per byte and of distinct n-grams that the rows must refuse, and other right forms."""

import math

import torch

from practice_torch.evaluation import perplexity as right
from tests.support.mistakes import Mistake


def _kept(log_probs, mask):
    """Checked, and 0 where nothing counts."""
    right.corpus_perplexity(log_probs, mask)
    return log_probs.masked_fill(mask == 0, 0.0)


def _unchecked_corpus(log_probs, mask):
    return (-log_probs.masked_fill(mask == 0, 0.0).sum() / (mask != 0).sum()).exp()


def _distinct(tokens, order, windows=None):
    right.distinct_fraction(tokens, order=order)  # its checks
    grams = [[tuple(row[i : i + order]) for i in range(len(row) - order + 1)] for row in tokens.tolist()]
    return torch.tensor([len(set(row)) / (windows or len(row)) for row in grams])


def _narrow_pairs(tokens, *, order):
    right.distinct_fraction(tokens, order=order)
    windows = tokens.unfold(1, order, 1)
    keys = sum(windows[..., i] * 211 ** (order - 1 - i) for i in range(order))
    return torch.stack([torch.tensor(row.unique().numel() / row.numel()) for row in keys]) if len(keys) else torch.empty(0)


def _by_cross_entropy(tokens, logits):
    right.token_log_probs(tokens, logits)
    return -torch.nn.functional.cross_entropy(logits.mT, tokens.long(), reduction="none")


MISTAKES = (
    Mistake("token_log_probs", "of the token before", lambda tokens, logits: right.token_log_probs(tokens.roll(1, 1), logits)),
    Mistake("token_log_probs", "not normalized", lambda tokens, logits: logits.gather(2, tokens.long()[..., None])[..., 0]),
    Mistake("token_log_probs", "normalized over the places", lambda tokens, logits: (
        logits.log_softmax(1).gather(2, tokens.long()[..., None])[..., 0])),
    Mistake("token_log_probs", "overflows", lambda tokens, logits: (
        logits.exp() / logits.exp().sum(2, keepdim=True)).log().gather(2, tokens.long()[..., None])[..., 0]),
    Mistake("token_log_probs", "a token outside counts as the last", lambda tokens, logits: right.token_log_probs(
        tokens.long().clamp(max=logits.shape[2] - 1), logits), only_checks=True),
    Mistake("sequence_perplexity", "padding counted", lambda log_probs, mask: (
        (-_kept(log_probs, mask).mean(1)).exp())),
    Mistake("sequence_perplexity", "not divided by the length", lambda log_probs, mask: (
        (-_kept(log_probs, mask).sum(1)).exp())),
    Mistake("sequence_perplexity", "two to the power of nats", lambda log_probs, mask: (
        2 ** right.sequence_perplexity(log_probs, mask).log())),
    Mistake("sequence_perplexity", "mean of the inverse probabilities", lambda log_probs, mask: (
        ((-_kept(log_probs, mask)).exp() * (mask != 0)).sum(1) / mask.sum(1))),
    Mistake("sequence_perplexity", "multiplied by the mask", lambda log_probs, mask: (
        (-(log_probs * mask).sum(1) / mask.sum(1)).exp())),
    Mistake("sequence_perplexity", "a row without a token is perfect", lambda log_probs, mask: (
        (-_kept(log_probs, mask).sum(1) / mask.sum(1).clamp(min=1)).exp()), only_checks=True),
    Mistake("corpus_perplexity", "mean of the perplexities", lambda log_probs, mask: (
        (-_kept(log_probs, mask).sum(1) / mask.sum(1).clamp(min=1)).exp().mean())),
    Mistake("corpus_perplexity", "mean of their logarithms", lambda log_probs, mask: (
        (-_kept(log_probs, mask).sum(1) / mask.sum(1).clamp(min=1)).mean().exp())),
    Mistake("corpus_perplexity", "padding counted", lambda log_probs, mask: (-_kept(log_probs, mask).mean()).exp()),
    Mistake("corpus_perplexity", "a corpus without a token is NaN", _unchecked_corpus, only_checks=True),
    Mistake("bits_per_byte", "nats", lambda log_probs, mask, byte_counts: (
        math.log(2) * right.bits_per_byte(log_probs, mask, byte_counts))),
    Mistake("bits_per_byte", "log 2 twice", lambda log_probs, mask, byte_counts: (
        right.bits_per_byte(log_probs, mask, byte_counts) / math.log(2))),
    Mistake("bits_per_byte", "bits per token", lambda log_probs, mask, byte_counts: (
        right.sequence_perplexity(log_probs, mask).log2() + 0 * byte_counts)),
    Mistake("bits_per_byte", "bits of the corpus", lambda log_probs, mask, byte_counts: (
        (right.bits_per_byte(log_probs, mask, byte_counts) * byte_counts).sum() / byte_counts.sum()).expand(len(log_probs))),
    Mistake("bits_per_byte", "accepts half a byte", lambda log_probs, mask, byte_counts: (
        -_kept(log_probs, mask).sum(1) / math.log(2) / byte_counts), only_checks=True),
    Mistake("distinct_fraction", "divided by the length", lambda tokens, *, order: _distinct(tokens, order, tokens.shape[1])),
    Mistake("distinct_fraction", "of single tokens", lambda tokens, *, order: _distinct(tokens, 1)),
    Mistake("distinct_fraction", "n-grams that do not overlap", lambda tokens, *, order: torch.tensor(
        [len(set(zip(*[iter(row)] * order, strict=False))) / max(1, len(row) // order) for row in tokens.tolist()])),
    Mistake("distinct_fraction", "over all sequences", lambda tokens, *, order: (
        _distinct(tokens, order).mean().expand(len(tokens)))),
    Mistake("distinct_fraction", "pairs that overflow", _narrow_pairs, narrow=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("token_log_probs", "minus the cross-entropy of torch", _by_cross_entropy),
    Mistake("distinct_fraction", "a set of tuples", lambda tokens, *, order: _distinct(tokens, order)),
)
