"""Wrong forms of the bounds that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.latent import elbo as right
from tests.support.mistakes import Mistake


def _log_w(log_joint, log_q):
    return log_joint - log_q


def _exact_with_nan_gradient(log_joint, log_q):
    """Masked after the product: the value is right at q = 0, the gradient is NaN."""
    terms = log_q.exp() * (log_joint - log_q)
    return torch.where(log_q == -torch.inf, 0.0, terms).sum(-1)


def _renyi_without_care(log_joint, log_q, *, order):
    """The textbook formula: loses its digits by division as the order nears 1."""
    if order == 1:
        return right.elbo(log_joint, log_q)
    scaled = (1 - order) * (log_joint - log_q)
    return (scaled.logsumexp(-1) - math.log(scaled.shape[-1])) / (1 - order)


def _weights_through_their_squares(log_joint, log_q):
    right._require_pair(log_joint, log_q)
    log_w = _log_w(log_joint, log_q).log_softmax(-1)
    return (-(2 * log_w).logsumexp(-1)).exp()


MISTAKES = (
    Mistake("elbo", "sum over the samples", lambda log_joint, log_q: _log_w(log_joint, log_q).sum(-1)),
    Mistake("elbo", "mean over the batch too", lambda log_joint, log_q: _log_w(log_joint, log_q).mean()),
    Mistake("elbo", "log q added", lambda log_joint, log_q: (log_joint + log_q).mean(-1)),
    Mistake("elbo", "log q detached (the gradient of the entropy is lost)",
            lambda log_joint, log_q: right.elbo(log_joint, log_q.detach() + 0 * log_q)),
    Mistake("elbo", "log of the mean weight", right.importance_weighted_bound),
    Mistake("importance_weighted_bound", "mean of the logs", right.elbo),
    Mistake("importance_weighted_bound", "forgets to divide by S",
            lambda log_joint, log_q: _log_w(log_joint, log_q).logsumexp(-1)),
    Mistake("importance_weighted_bound", "overflows", lambda log_joint, log_q: _log_w(log_joint, log_q).exp().mean(-1).log()),
    Mistake("importance_weighted_bound", "mean over the batch",
            lambda log_joint, log_q: right.importance_weighted_bound(log_joint.T, log_q.T)),
    Mistake("importance_weighted_bound", "weights detached from the gradient", lambda log_joint, log_q: (
        right.importance_weighted_bound(log_joint, log_q).detach() + 0 * right.elbo(log_joint, log_q))),
    Mistake("renyi_bound", "order used as 1 - order",
            lambda log_joint, log_q, *, order: right.renyi_bound(log_joint, log_q, order=abs(1 - order))),
    Mistake("renyi_bound", "forgets 1 / (1 - order)",
            lambda log_joint, log_q, *, order: right.renyi_bound(log_joint, log_q, order=order) * (1 - order)),
    Mistake("renyi_bound", "loses its digits near order 1", _renyi_without_care),
    Mistake("renyi_bound", "accepts negative orders", lambda log_joint, log_q, *, order: (
        right.renyi_bound(log_joint, log_q, order=order) if order >= 0 else _renyi_without_care(log_joint, log_q, order=order)
    ), only_checks=True),
    Mistake("normalized_importance_weights", "normalized over the batch",
            lambda log_joint, log_q: _log_w(log_joint, log_q).softmax(0)),
    Mistake("normalized_importance_weights", "log q forgotten", lambda log_joint, log_q: log_joint.softmax(-1)),
    Mistake("normalized_importance_weights", "underflows at log weights of -700", lambda log_joint, log_q: (
        _log_w(log_joint, log_q).exp() / (_log_w(log_joint, log_q).exp().sum(-1, keepdim=True) + 1e-300))),
    Mistake("effective_sample_size", "its inverse", lambda log_joint, log_q: 1 / right.effective_sample_size(log_joint, log_q)),
    Mistake("effective_sample_size", "one over the largest weight",
            lambda log_joint, log_q: 1 / right.normalized_importance_weights(log_joint, log_q).amax(-1)),
    Mistake("effective_sample_size", "as a fraction of S",
            lambda log_joint, log_q: right.effective_sample_size(log_joint, log_q) / log_q.shape[-1]),
    Mistake("exact_elbo", "NaN where q = 0", lambda log_joint, log_q: (log_q.exp() * (log_joint - log_q)).sum(-1)),
    Mistake("exact_elbo", "NaN gradient where q = 0", _exact_with_nan_gradient),
    Mistake("exact_elbo", "not weighted by q", lambda log_joint, log_q: (log_joint - log_q).clamp(-1e3, 1e3).mean(-1)),
    Mistake("exact_elbo", "log p(x) itself (the bound is above itself)", lambda log_joint, log_q: log_joint.logsumexp(-1)),
    Mistake("exact_elbo", "accepts q off the simplex", lambda log_joint, log_q: (
        log_q.exp() * (log_joint - log_q).masked_fill(log_q == -torch.inf, 0.0)).sum(-1), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("effective_sample_size", "through the squared weights' log-sum-exp", _weights_through_their_squares),
    Mistake(
        "elbo",
        "difference of the means",
        lambda log_joint, log_q: right._require_pair(log_joint, log_q) or log_joint.mean(-1) - log_q.mean(-1),
    ),
)
