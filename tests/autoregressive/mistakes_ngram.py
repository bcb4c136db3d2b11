"""Wrong forms of n-gram models that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.autoregressive import ngram as right
from tests.support.mistakes import Mistake


def _across_rows(tokens, *, order, vocabulary_size):
    return right.ngram_counts(tokens.reshape(1, -1), order=order, vocabulary_size=vocabulary_size)


def _backwards(tokens, *, order, vocabulary_size):
    return right.ngram_counts(tokens.flip(1), order=order, vocabulary_size=vocabulary_size)


def _drops_the_last_window(tokens, *, order, vocabulary_size):
    return right.ngram_counts(tokens[:, :-1], order=order, vocabulary_size=vocabulary_size)


def _unchecked_counts(tokens, *, order, vocabulary_size):
    return right.ngram_counts(tokens.clamp(0, vocabulary_size - 1), order=max(order, 1), vocabulary_size=vocabulary_size)


def _additive(counts, pseudo_count, axis=-1, size=None):
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    size = counts.shape[axis] if size is None else size
    return ((counts + pseudo_count) / (counts.sum(axis, keepdim=True) + pseudo_count * size)).log()


def _geometric(log_probs, log_weights):
    return sum(w.exp() * table.clamp(min=-1e300) for table, w in zip(log_probs, log_weights, strict=True))


def _transposed_mixture(log_probs, log_weights):
    """The past's axes stand behind the word's."""
    turned = tuple(table.permute(*reversed(range(table.ndim))) for table in log_probs)
    return right._log_add(*(t + w for t, w in zip(turned, log_weights, strict=True))) if len(turned) == 2 else sum(turned)


def _unchecked_mixture(log_probs, log_weights):
    mixture = log_probs[0] + log_weights[0]
    for table, weight in zip(log_probs[1:], log_weights[1:], strict=False):
        mixture = right._log_add(mixture, table + weight)
    return mixture


def _nan_mixture(log_probs, log_weights):
    """log of a sum of exponentials: underflows."""
    return sum(table.exp() * w.exp() for table, w in zip(log_probs, log_weights, strict=True)).log()


def _responsibilities(token_log_probs, log_weights):
    return (token_log_probs + log_weights).softmax(1)


def _kneser_ney(counts, discount, behind, unseen):
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    seen = (counts > 0).to(counts.dtype)
    total = counts.sum(1, keepdim=True)
    kept, freed = (counts - discount).clamp(min=0) / total, discount * seen.sum(1, keepdim=True) / total
    lower = behind(counts, seen)
    return torch.where(total > 0, kept + freed * lower, unseen(lower)).log()


def _continuation(counts, seen):
    return seen.sum(0) / seen.sum()


def _unigram(counts, seen):
    return counts.sum(0) / counts.sum()


def _followers(counts, seen):
    """N(w .): how many words follow w, not how many precede it."""
    return seen.sum(1) / seen.sum()


def _own(lower):
    return lower


MISTAKES = (
    Mistake("ngram_counts", "windows across rows", _across_rows),
    Mistake("ngram_counts", "read backwards", _backwards),
    Mistake("ngram_counts", "the last window is missing", _drops_the_last_window),
    Mistake("ngram_counts", "accepts tokens outside the vocabulary", _unchecked_counts, only_checks=True),
    Mistake("additive_log_probs", "normalized over contexts",
            lambda counts, *, pseudo_count: _additive(counts, pseudo_count, axis=max(counts.ndim - 2, 0))),
    Mistake("additive_log_probs", "the denominator without V",
            lambda counts, *, pseudo_count: _additive(counts, pseudo_count, size=1)),
    Mistake("additive_log_probs", "probabilities, not their logarithms",
            lambda counts, *, pseudo_count: right.additive_log_probs(counts, pseudo_count=pseudo_count).exp()),
    Mistake("additive_log_probs", "NaN in every gradient of a row with a zero",
            lambda counts, *, pseudo_count: _additive(counts, pseudo_count)),
    Mistake("additive_log_probs", "accepts empty rows with nothing added",
            lambda counts, *, pseudo_count: _additive(counts, pseudo_count), only_checks=True),
    Mistake("interpolated_log_probs", "a geometric mixture", _geometric),
    Mistake("interpolated_log_probs", "the table of pairs transposed", _transposed_mixture),
    Mistake("interpolated_log_probs", "underflows", _nan_mixture),
    Mistake("interpolated_log_probs", "accepts what is no mixture", _unchecked_mixture, only_checks=True),
    Mistake("interpolation_em_step", "sum for mean",
            lambda token_log_probs, log_weights: _responsibilities(token_log_probs, log_weights).sum(0).log()),
    Mistake("interpolation_em_step", "weights, not their logarithms",
            lambda token_log_probs, log_weights: _responsibilities(token_log_probs, log_weights).mean(0)),
    Mistake("interpolation_em_step", "the old weights ignored",
            lambda token_log_probs, log_weights: token_log_probs.softmax(1).mean(0).log()),
    Mistake("interpolation_em_step", "mean of the log responsibilities", lambda token_log_probs, log_weights:
            (token_log_probs + log_weights).log_softmax(1).mean(0)),
    Mistake("interpolation_em_step", "underflows", lambda token_log_probs, log_weights: (lambda joint: (
        joint / joint.sum(1, keepdim=True)).mean(0).log())((token_log_probs + log_weights).exp())),
    Mistake("interpolation_em_step", "accepts impossible tokens and weights that are none", lambda token_log_probs, log_weights:
            (token_log_probs + log_weights[: token_log_probs.shape[1]]).log_softmax(1).logsumexp(0)
            - math.log(max(1, len(token_log_probs))), only_checks=True),
    Mistake("kneser_ney_log_probs", "unigram instead of continuation", lambda counts, *, discount: _kneser_ney(
        counts, discount, _unigram, _own)),
    Mistake("kneser_ney_log_probs", "followers instead of those before", lambda counts, *, discount: _kneser_ney(
        counts, discount, _followers, _own)),
    Mistake("kneser_ney_log_probs", "an unseen context is uniform", lambda counts, *, discount: _kneser_ney(
        counts, discount, _continuation, lambda lower: torch.full_like(lower, 1 / len(lower)))),
    Mistake("kneser_ney_log_probs", "an unseen context is NaN", lambda counts, *, discount: _kneser_ney(
        counts, discount, _continuation, lambda lower: lower * torch.nan)),
    Mistake("kneser_ney_log_probs", "accepts any discount and any counts", lambda counts, *, discount: _kneser_ney(
        counts, discount, lambda counts, seen: _continuation(counts, seen).mean(), _own), only_checks=True),
    Mistake("ngram_sequence_log_prob", "the past read backwards",
            lambda tokens, log_probs: right.ngram_sequence_log_prob(tokens.flip(1), log_probs)),
    Mistake("ngram_sequence_log_prob", "mean over steps", lambda tokens, log_probs: right.ngram_sequence_log_prob(
        tokens, log_probs) / max(1, tokens.shape[1] - log_probs.ndim + 1)),
    Mistake("ngram_sequence_log_prob", "the last step is missing",
            lambda tokens, log_probs: right.ngram_sequence_log_prob(tokens[:, :-1], log_probs)),
    Mistake("ngram_sequence_log_prob", "a single window counts as none", lambda tokens, log_probs: right.ngram_sequence_log_prob(
        tokens[:, :0] if tokens.shape[1] == log_probs.ndim else tokens, log_probs)),
    Mistake("ngram_sequence_log_prob", "accepts unequal axes", lambda tokens, log_probs: log_probs[
        tuple(tokens.unfold(1, log_probs.ndim, 1).clamp(max=min(log_probs.shape) - 1).unbind(-1))].sum(1), only_checks=True),
)  # fmt: skip


def _log_of_ratio(counts, *, pseudo_count):
    right.additive_log_probs(counts, pseudo_count=pseudo_count)  # for its checks
    counts = counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())
    share = (counts + pseudo_count) / (counts + pseudo_count).sum(-1, keepdim=True)
    return share.clamp(min=torch.finfo(share.dtype).tiny).log().masked_fill(share == 0, -torch.inf)


def _all_at_once(log_probs, log_weights):
    right.interpolated_log_probs(log_probs, log_weights)  # for its checks
    shape = log_probs[-1].shape
    terms = torch.stack([(table + w).expand(shape) for table, w in zip(log_probs, log_weights, strict=True)])
    possible = (terms > -torch.inf).any(0)
    return torch.where(possible, torch.where(possible, terms, 0.0).logsumexp(0), -torch.inf)


EQUIVALENT = (
    Mistake("additive_log_probs", "the ratio written out", _log_of_ratio),
    Mistake("interpolated_log_probs", "one logsumexp over all tables", _all_at_once),
)
