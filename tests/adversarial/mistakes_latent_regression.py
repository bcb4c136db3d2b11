"""Wrong forms of latent regression that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.adversarial import latent_regression as right
from practice_torch.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from tests.support.mistakes import Mistake

HALF_LOG_2_PI_E = (math.log(2 * math.pi) + 1) / 2


def _by_likelihood(z, mean, log_var, dimensions=None, entropy=HALF_LOG_2_PI_E):
    right.gaussian_information_bound(z, mean, log_var)  # its checks
    return (dimensions or z.shape[1]) * entropy - gaussian_negative_log_likelihood(z, mean, log_var)


def _labels(labels, logits, sign=1.0):
    right.categorical_information_bound(labels, logits)
    return logits.log_softmax(1).gather(1, labels.long()[:, None])[:, 0] + sign * math.log(logits.shape[1])


def _inverse(x, weight, bias, *, ridge=0.0, turned=False, center=True, scale=1.0):
    right.linear_generator_inverse(x, weight, bias, ridge=ridge)
    y = x - bias if center else x
    system = weight.mT @ weight + scale * ridge * torch.eye(weight.shape[1]).to(weight)
    return torch.linalg.solve(system, weight.mT @ y.mT).mT if not turned else y @ weight


def _minimum_norm(x, weight, bias, *, ridge=0.0):
    """Where the code is not unique, the shortest of them."""
    if ridge:
        return right.linear_generator_inverse(x, weight, bias, ridge=ridge)
    rank = torch.linalg.matrix_rank(weight)
    if rank == weight.shape[1]:
        return right.linear_generator_inverse(x, weight, bias)
    if x.shape[1] != len(weight) or bias.shape != x.shape[1:]:
        raise ValueError("x and bias must fit weight")
    return (x - bias) @ torch.linalg.pinv(weight).mT


MISTAKES = (
    Mistake("latent_regression_loss", "the mean", lambda z, z_predicted: (z - z_predicted).square().mean(1)),
    Mistake("latent_regression_loss", "the norm", lambda z, z_predicted: (z - z_predicted).norm(dim=1)),
    Mistake("latent_regression_loss", "half", lambda z, z_predicted: right.latent_regression_loss(z, z_predicted) / 2),
    Mistake("latent_regression_loss", "absolute", lambda z, z_predicted: (z - z_predicted).abs().sum(1)),
    Mistake("latent_regression_loss", "expanded, which cancels", lambda z, z_predicted: (
        z.square().sum(1) - 2 * (z * z_predicted).sum(1) + z_predicted.square().sum(1))),
    Mistake("latent_regression_loss", "averaged over the batch", lambda z, z_predicted: (
        right.latent_regression_loss(z, z_predicted).mean().expand(len(z)))),
    Mistake("gaussian_information_bound", "the log-likelihood alone", lambda z, mean, log_var: (
        _by_likelihood(z, mean, log_var, entropy=0.0))),
    Mistake("gaussian_information_bound", "the entropy of one coordinate", lambda z, mean, log_var: (
        _by_likelihood(z, mean, log_var, dimensions=1))),
    Mistake("gaussian_information_bound", "the entropy without its half", lambda z, mean, log_var: (
        _by_likelihood(z, mean, log_var, entropy=math.log(2 * math.pi) / 2))),
    Mistake("gaussian_information_bound", "log_var is a log standard deviation", lambda z, mean, log_var: (
        right.gaussian_information_bound(z, mean, 2 * log_var))),
    Mistake("gaussian_information_bound", "the sign of log_var", lambda z, mean, log_var: (
        right.gaussian_information_bound(z, mean, -log_var))),
    Mistake("gaussian_information_bound", "no half", lambda z, mean, log_var: (
        2 * right.gaussian_information_bound(z, mean, log_var))),
    Mistake("gaussian_information_bound", "a variance kept away from 0", lambda z, mean, log_var: (
        right.gaussian_information_bound(z, mean, log_var.clamp(min=-6.0)))),
    Mistake("categorical_information_bound", "log K forgotten", lambda labels, logits: _labels(labels, logits, sign=0.0)),
    Mistake("categorical_information_bound", "log K subtracted", lambda labels, logits: _labels(labels, logits, sign=-1.0)),
    Mistake("categorical_information_bound", "the sign", lambda labels, logits: (
        -right.categorical_information_bound(labels, logits))),
    Mistake("categorical_information_bound", "the logarithm of a rounded softmax", lambda labels, logits: (
        logits.softmax(1).gather(1, labels.long()[:, None])[:, 0].log() + math.log(logits.shape[1]))),
    Mistake("categorical_information_bound", "bits", lambda labels, logits: (
        right.categorical_information_bound(labels, logits) / math.log(2))),
    Mistake("categorical_information_bound", "negative labels count from the end", lambda labels, logits: (
        right.categorical_information_bound(labels.long() % max(1, logits.shape[1]), logits)), only_checks=True),
    Mistake("linear_generator_inverse", "W^T x", lambda x, weight, bias, *, ridge=0.0: (
        _inverse(x, weight, bias, ridge=ridge, turned=True))),
    Mistake("linear_generator_inverse", "the bias forgotten", lambda x, weight, bias, *, ridge=0.0: (
        _inverse(x, weight, bias, ridge=ridge, center=False))),
    Mistake("linear_generator_inverse", "ridge ignored", lambda x, weight, bias, *, ridge=0.0: (
        (x - bias) @ torch.linalg.pinv(weight).mT + 0 * right.linear_generator_inverse(x, weight, bias, ridge=ridge))),
    Mistake("linear_generator_inverse", "ridge scaled by the number of pixels", lambda x, weight, bias, *, ridge=0.0: (
        _inverse(x, weight, bias, ridge=ridge, scale=float(len(weight))))),
    Mistake("linear_generator_inverse", "one of many codes", _minimum_norm, only_checks=True),
)  # fmt: skip


def _torchs_entropy(labels, logits):
    right.categorical_information_bound(labels, logits)
    return math.log(logits.shape[1]) - functional.cross_entropy(logits, labels.long(), reduction="none")


EQUIVALENT = (
    Mistake("gaussian_information_bound", "the log-likelihood and the entropy", _by_likelihood, core_alone=True),
    Mistake("categorical_information_bound", "torch's cross-entropy", _torchs_entropy),
    Mistake("linear_generator_inverse", "the normal equations", _inverse),
)
