"""Wrong forms of the inception score that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.evaluation import inception_score as right
from tests.support.mistakes import Mistake


def _turned_over(log_probs):
    mean = right.marginal_log_probs(log_probs)
    return (mean.exp() * (mean - log_probs)).sum(-1).mean()


def _blocks(log_probs, splits):
    right.split_inception_scores(log_probs, splits=splits)  # its checks
    return log_probs.chunk(splits)


def _against_all(log_probs, *, splits):
    mean = right.marginal_log_probs(log_probs)
    divergences = (log_probs.exp() * (log_probs - mean)).nan_to_num(0.0).sum(-1)
    return torch.stack([block.mean() for block in divergences.chunk(splits)]).exp()


def _safe_entropy(log_probs):
    return -(log_probs.exp() * log_probs.masked_fill(log_probs == -torch.inf, 0.0)).sum(-1)


def _block_by_block(log_probs, *, splits):
    return torch.stack([right.inception_score(block) for block in _blocks(log_probs, splits)])


MISTAKES = (
    Mistake("marginal_log_probs", "mean of the logarithms", lambda log_probs: log_probs.mean(0)),
    Mistake("marginal_log_probs", "sum, not mean", lambda log_probs: log_probs.logsumexp(0)),
    Mistake("marginal_log_probs", "mean over the classes", lambda log_probs: (
        log_probs.logsumexp(1) - math.log(log_probs.shape[1]))),
    Mistake("marginal_log_probs", "the slope of an absent class is NaN", lambda log_probs: log_probs.exp().mean(0).log()),
    Mistake("log_inception_score", "divergence turned over", _turned_over),
    Mistake("log_inception_score", "in bits", lambda log_probs: right.log_inception_score(log_probs) / math.log(2)),
    Mistake("log_inception_score", "sum over the images", lambda log_probs: (
        right.log_inception_score(log_probs) * len(log_probs))),
    Mistake("log_inception_score", "entropy of the mean answer alone", lambda log_probs: (
        torch.special.entr(right.marginal_log_probs(log_probs).exp()).sum())),
    Mistake("log_inception_score", "a mean answer from the logarithms", lambda log_probs: (
        (log_probs.exp() * (log_probs - log_probs.mean(0))).sum(-1).mean())),
    Mistake("log_inception_score", "the mean answer is held constant", lambda log_probs: (
        (log_probs.exp() * (log_probs - right.marginal_log_probs(log_probs).detach())).nan_to_num(0.0).sum(-1).mean())),
    Mistake("log_inception_score", "NaN at a probability of 0", lambda log_probs: (
        (log_probs.exp() * (log_probs - right.marginal_log_probs(log_probs))).sum(-1).mean())),
    Mistake("log_inception_score", "accepts what is no distribution", lambda log_probs: (
        right._score(log_probs)), only_checks=True),
    Mistake("inception_score", "exponential before the mean", lambda log_probs: (
        (log_probs.exp() * (log_probs - right.marginal_log_probs(log_probs))).nan_to_num(0.0).sum(-1).exp().mean())),
    Mistake("inception_score", "two to the power of nats", lambda log_probs: (
        2 ** right.log_inception_score(log_probs))),
    Mistake("inception_score", "its logarithm", right.log_inception_score),
    Mistake("split_inception_scores", "against the mean answer of all", _against_all),
    Mistake("split_inception_scores", "every splits-th image", lambda log_probs, *, splits: torch.stack(
        [right.inception_score(log_probs[i::splits]) for i in range(splits)])),
    Mistake("split_inception_scores", "splits is the size of a block", lambda log_probs, *, splits: torch.stack(
        [right.inception_score(block) for block in log_probs.split(splits)])),
    Mistake("split_inception_scores", "logarithms", lambda log_probs, *, splits: (
        right.split_inception_scores(log_probs, splits=splits).log())),
    Mistake("split_inception_scores", "leaves a rest out", lambda log_probs, *, splits: torch.stack(
        [right.inception_score(log_probs[i * (n := len(log_probs) // splits) : (i + 1) * n]) for i in range(splits)]),
        only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "log_inception_score",
        "entropy of the mean answer less the mean entropy",
        lambda log_probs: _safe_entropy(right.marginal_log_probs(log_probs)) - _safe_entropy(log_probs).mean(),
    ),
    Mistake("split_inception_scores", "one block after the other", _block_by_block),
)
