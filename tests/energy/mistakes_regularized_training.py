"""Wrong forms of the regularized training of energy networks that the rows must refuse, and other right forms."""

import torch

from practice_torch.energy import regularized_training as right
from tests.support.mistakes import Mistake


def _loss(form):
    """form(E+, E-, a), behind the checks of the right function."""

    def wrong(data_energy, sample_energy, *, regularization=1.0):
        right.energy_loss(data_energy, sample_energy, regularization=regularization)
        return form(data_energy, sample_energy, regularization)

    return wrong


def _penalty(form):
    def wrong(data_energy, sample_energy):
        right.energy_regularization(data_energy, sample_energy)
        return form(data_energy, sample_energy)

    return wrong


def _normalize(form):
    """form(weight, u, v, u'), behind the checks of the right function; v and u' are not constants."""

    def wrong(weight, u):
        right.spectral_normalization_step(weight, u)
        v = weight.mT @ u / (weight.mT @ u).norm()
        return form(weight, u, v, weight @ v / (weight @ v).norm())

    return wrong


def _of(weight, u, sigma):
    return weight / sigma, u, sigma


def _by_its_transpose(weight, u):
    normalized = right.spectral_normalization_step(weight, u)
    if len(set(weight.shape)) > 1:
        return normalized
    v = (weight @ u).detach() / (weight @ u).detach().norm()
    new = (weight @ v).detach() / (weight @ v).detach().norm()
    return _of(weight, new, new @ weight @ v)


def _energy(form):
    def wrong(logits):
        right.classifier_energy(logits)
        return form(logits)

    return wrong


def _auc(form):
    def wrong(normal_energy, anomaly_energy):
        right.anomaly_auc(normal_energy, anomaly_energy)
        return form(normal_energy, anomaly_energy[:, None])

    return wrong


MISTAKES = (
    Mistake("energy_regularization", "of the difference", _penalty(lambda e, s: (e - s) ** 2)),
    Mistake("energy_regularization", "the samples' alone", _penalty(lambda e, s: s**2 + 0 * e)),
    Mistake("energy_regularization", "the samples' detached", _penalty(lambda e, s: e**2 + s.detach() ** 2 + 0 * s)),
    Mistake("energy_loss", "turned over", _loss(lambda e, s, a: s - e + a * (e**2 + s**2))),
    Mistake("energy_loss", "the penalty of the difference", _loss(lambda e, s, a: e - s + a * (e - s) ** 2)),
    Mistake("energy_loss", "a within the square", _loss(lambda e, s, a: e - s + (a * e) ** 2 + (a * s) ** 2)),
    Mistake("energy_loss", "the batch's mean", _loss(lambda e, s, a: (
        (e - s + a * (e**2 + s**2)).mean().expand(e.shape) if len(e) else e - s))),
    Mistake("energy_loss", "half of the penalty", _loss(lambda e, s, a: e - s + a / 2 * (e**2 + s**2))),
    Mistake("energy_loss", "accepts a negative penalty", lambda data_energy, sample_energy, *, regularization=1.0: (
        right.energy_loss(data_energy, sample_energy, regularization=abs(regularization))), only_checks=True),
    Mistake("spectral_normalization_step", "v by W for its transpose", _by_its_transpose),
    Mistake("spectral_normalization_step", "gradients through u and v", _normalize(
        lambda w, u, v, new: _of(w, new, new @ w @ v))),
    Mistake("spectral_normalization_step", "the norm a constant", _normalize(
        lambda w, u, v, new: _of(w, new.detach(), (new @ w @ v).detach()))),
    Mistake("spectral_normalization_step", "the estimate with the old u", _normalize(
        lambda w, u, v, new: _of(w, new.detach(), u / u.norm() @ w @ v.detach()))),
    Mistake("spectral_normalization_step", "u is not moved", _normalize(
        lambda w, u, v, new: _of(w, u, new.detach() @ w @ v.detach()))),
    Mistake("spectral_normalization_step", "exact", lambda weight, u: _of(
        weight, right.spectral_normalization_step(weight, u)[1], torch.linalg.matrix_norm(weight, 2))),
    Mistake("classifier_energy", "the sign", _energy(lambda f: f.logsumexp(1))),
    Mistake("classifier_energy", "the largest logit", _energy(lambda f: -f.amax(1))),
    Mistake("classifier_energy", "overflows", _energy(lambda f: -f.exp().sum(1).log())),
    Mistake("classifier_energy", "the mean over classes", _energy(lambda f: -f.exp().mean(1).log())),
    Mistake("anomaly_auc", "exchanged", lambda normal_energy, anomaly_energy: right.anomaly_auc(anomaly_energy, normal_energy)),
    Mistake("anomaly_auc", "ties won", _auc(lambda e, other: (other >= e).to(e.dtype).mean())),
    Mistake("anomaly_auc", "ties lost", _auc(lambda e, other: (other > e).to(e.dtype).mean())),
    Mistake("anomaly_auc", "the better of both directions", lambda normal_energy, anomaly_energy: torch.maximum(
        right.anomaly_auc(normal_energy, anomaly_energy), right.anomaly_auc(anomaly_energy, normal_energy))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "energy_loss",
        "two squares completed",
        _loss(lambda e, s, a: a * ((e + 1 / (2 * a)) ** 2 + (s - 1 / (2 * a)) ** 2) - 1 / (2 * a) if a else e - s),
    ),
    Mistake(
        "spectral_normalization_step",
        "the norm of W v",
        _normalize(lambda w, u, v, new: _of(w, new.detach(), (w @ v.detach()).norm())),
    ),
    Mistake("anomaly_auc", "all pairs", _auc(lambda e, other: ((other > e).to(e.dtype) + (other >= e).to(e.dtype)).mean() / 2)),
)
