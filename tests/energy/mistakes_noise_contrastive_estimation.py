"""Wrong forms of noise-contrastive estimation that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.energy import noise_contrastive_estimation as right
from tests.support.mistakes import Mistake


def _odds(of_both):
    """of_both(log m, log n, log nu)."""

    def wrong(model_log_prob, noise_log_prob, *, noise_ratio=1.0):
        right.log_odds(model_log_prob, noise_log_prob, noise_ratio=noise_ratio)  # for its checks
        return of_both(model_log_prob, noise_log_prob, math.log(noise_ratio))

    return wrong


def _summed(of_noise, data=right.data_loss, noise=right.noise_loss):
    """of_noise(costs of the noise, [B, K]) -> [B], next to the datum's."""

    def wrong(data_log_odds, noise_log_odds):
        right.loss(data_log_odds, noise_log_odds)  # for its checks
        return data(data_log_odds) + of_noise(noise(noise_log_odds))

    return wrong


def _information(of_scores):
    def wrong(scores):
        right.information_loss(scores)  # for its checks
        return of_scores(scores)

    return wrong


def _all_candidates(scores):
    labels = (torch.arange(scores.shape[1]) == 0).to(scores.dtype).expand_as(scores)
    return functional.binary_cross_entropy_with_logits(scores, labels, reduction="none").sum(1)


MISTAKES = (
    Mistake("log_odds", "the sign of log nu", _odds(lambda m, n, nu: m - n + nu)),
    Mistake("log_odds", "without nu", _odds(lambda m, n, nu: m - n)),
    Mistake("log_odds", "nu itself", _odds(lambda m, n, nu: m - n - math.exp(nu))),
    Mistake("log_odds", "turned over", _odds(lambda m, n, nu: n - m + nu)),
    Mistake("log_odds", "the noise detached", _odds(lambda m, n, nu: m - n.detach() - nu + 0 * n)),
    Mistake(
        "log_odds",
        "broadcasts one density",
        lambda model_log_prob, noise_log_prob, *, noise_ratio=1.0: right.log_odds(
            model_log_prob, noise_log_prob.expand_as(model_log_prob), noise_ratio=noise_ratio
        ),
        only_checks=True,
    ),
    Mistake("data_loss", "that of noise", right.noise_loss),
    Mistake("data_loss", "sigmoid then logarithm", lambda log_odds: -log_odds.sigmoid().log()),
    Mistake("data_loss", "torch's softplus, the identity beyond 20", lambda log_odds: functional.softplus(-log_odds)),
    Mistake("data_loss", "in bits", lambda log_odds: right.data_loss(log_odds) / math.log(2)),
    Mistake("noise_loss", "that of data", right.data_loss),
    Mistake("noise_loss", "the logarithm of 1 - sigmoid", lambda log_odds: -(1 - log_odds.sigmoid()).log()),
    Mistake(
        "noise_loss",
        "torch's binary cross-entropy, which loses small costs of large odds",
        lambda log_odds: functional.binary_cross_entropy_with_logits(log_odds, torch.zeros_like(log_odds), reduction="none"),
    ),
    Mistake("noise_loss", "overflows", lambda log_odds: log_odds.exp().log1p()),
    Mistake("loss", "averaged over the noise", _summed(lambda costs: costs.mean(1))),
    Mistake("loss", "labels exchanged", _summed(lambda costs: costs.sum(1), right.noise_loss, right.data_loss)),
    Mistake("loss", "the noise subtracted", _summed(lambda costs: -costs.sum(1))),
    Mistake("loss", "one draw of noise alone", _summed(lambda costs: costs[:, 0])),
    Mistake("information_loss", "the partner in the last column", _information(lambda s: -s.log_softmax(1)[:, -1])),
    Mistake("information_loss", "normalized over the batch", _information(lambda s: -s.log_softmax(0)[:, 0])),
    Mistake("information_loss", "averaged over the candidates", _information(lambda s: -s.log_softmax(1).mean(1))),
    Mistake("information_loss", "a cost for each candidate", _information(_all_candidates)),
    Mistake(
        "information_loss", "the bound on the information", _information(lambda s: math.log(s.shape[1]) + s.log_softmax(1)[:, 0])
    ),
    Mistake("information_loss", "a softmax and its logarithm", _information(lambda s: -s.softmax(1)[:, 0].log())),
)

EQUIVALENT = (
    Mistake("data_loss", "a sum of two exponentials", lambda log_odds: torch.logaddexp(torch.zeros_like(log_odds), -log_odds)),
    Mistake("loss", "all costs in one table", _summed(lambda costs: costs @ costs.new_ones(costs.shape[1]))),
    Mistake("information_loss", "differences of scores", _information(lambda s: (s - s[:, :1]).logsumexp(1))),
)
