"""The inception score: how much a classifier's answers say about which image they were given to.

A row of log_probs is log p(y|x_n), the answer to image n; entries may be -inf. Entropies are in nats, and 0 log 0 = 0.
"""

import math

import torch

from practice_torch.arguments import require, require_at_least, require_log_probs, require_rank


def marginal_log_probs(log_probs):
    r"""log mean_n p(y|x_n): the mean answer.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4.
    [N, K] -> [K]
    """
    _require_answers(log_probs)
    return _marginal(log_probs)


def log_inception_score(log_probs):
    r"""mean_n KL(p(y|x_n) || mean_m p(y|x_m)) = H(mean answer) - mean H(answer): the information of y about n, in nats.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4; Barratt & Sharma 2018, section 3.
    [N, K] -> []
    """
    _require_answers(log_probs)
    return _score(log_probs)


def inception_score(log_probs):
    r"""exp mean_n KL(p(y|x_n) || mean_m p(y|x_m)): from 1, if all answers are equal, to the number of images or of classes.

    Raises ValueError if log_probs has no image or no class, or a row of it does not sum to one.
    Source: Salimans et al. 2016, section 4.
    [N, K] -> []
    """
    return log_inception_score(log_probs).exp()


def split_inception_scores(log_probs, *, splits):
    r"""The inception score of each of `splits` blocks of N / splits consecutive images, against the mean answer of its block.

    Raises ValueError if splits does not divide the number of images, log_probs has no image or no class, or a row of it does
    not sum to one.  Source: Salimans et al. 2016, section 4; Barratt & Sharma 2018, section 4.2.
    [N, K] -> [S]
    """
    _require_answers(log_probs)
    require_at_least(1, splits=splits)
    require(len(log_probs) % splits == 0, f"splits is {splits}; it must divide the number of images, {len(log_probs)}")
    return _score(log_probs.unflatten(0, (splits, -1))).exp()


def _marginal(log_probs):
    """Over the images, the last axis but one. A class that no image has is masked, since its gradient would be 0 * inf."""
    unused = (log_probs == -torch.inf).all(-2)
    total = log_probs.masked_fill(unused.unsqueeze(-2), 0.0).logsumexp(-2)
    return (total - math.log(log_probs.shape[-2])).masked_fill(unused, -torch.inf)


def _score(log_probs):
    impossible = log_probs == -torch.inf
    answer = log_probs.masked_fill(impossible, 0.0)
    mean = _marginal(log_probs).unsqueeze(-2).masked_fill(impossible, 0.0)
    return torch.linalg.vecdot(log_probs.exp(), answer - mean).mean(-1)


def _require_answers(log_probs):
    require_rank(2, log_probs=log_probs)
    shape = list(log_probs.shape)
    require(min(shape) > 0, f"log_probs has shape {shape}; it must hold at least one image and one class")
    require_log_probs(log_probs=log_probs)
