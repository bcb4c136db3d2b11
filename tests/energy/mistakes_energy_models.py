"""Wrong forms of energy-based models that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.energy import energy_models as right
from tests.support.mistakes import Mistake


def _components(x, means, log_vars, log_weights, scale=lambda log_vars: log_vars.exp(), constants=lambda size: size):
    """log w_k N(x; m_k, e^l_k I), [B, K]."""
    right.gaussian_mixture_energy(x, means, log_vars, log_weights)  # for its checks
    squares = (x[:, None] - means).square().sum(2) / scale(log_vars)
    return log_weights - (squares + constants(x.shape[1]) * (log_vars + math.log(2 * math.pi))) / 2


def _mixture(of_components=lambda joint: -joint.logsumexp(1), **form):
    return lambda x, means, log_vars, log_weights: of_components(_components(x, means, log_vars, log_weights, **form))


def _with(function, of_energies):
    """of_energies(energies, temperature), behind the checks of the right function."""

    def wrong(energies, *, temperature=1.0):
        getattr(right, function)(energies, temperature=temperature)
        return of_energies(energies, temperature)

    return Mistake(function, of_energies.__doc__, wrong)


def _turned_over(energies, temperature):
    """the sign of the energy"""
    return (energies / temperature).log_softmax(1)


def _multiplied(energies, temperature):
    """temperature multiplied"""
    return (-energies * temperature).log_softmax(1)


def _over_the_batch(energies, temperature):
    """normalized over the batch"""
    return (-energies / temperature).log_softmax(0)


def _probabilities(energies, temperature):
    """the logarithm of a softmax"""
    return (-energies / temperature).softmax(1).log()


def _sum_of_exponentials(energies, temperature):
    """the sum overflows"""
    return (-energies / temperature).exp().sum(1).log()


def _mean_of_exponentials(energies, temperature):
    """the mean for the sum"""
    return right.log_partition(energies, temperature=temperature) - math.log(energies.shape[1])


def _divided_first(energies, temperature):
    """a small temperature divides large energies"""
    return -temperature * (-energies / temperature).logsumexp(1)


def _without_temperature(energies, temperature):
    """no temperature before the logarithm"""
    return -right.log_partition(energies, temperature=temperature)


def _mean_energy(energies, temperature):
    """the entropy forgotten"""
    probs = right.boltzmann_log_probs(energies, temperature=temperature).exp()
    return (probs * energies.where(probs > 0, 0.0)).sum(1)


def _unchecked(energies, *, temperature=1.0):
    return (-energies / temperature).log_softmax(-1)


def _quadrature(of_energies):
    def wrong(grid, cell_volume, energy_fn):
        right.quadrature_log_partition(grid, cell_volume, energy_fn)  # for its checks
        return of_energies(energy_fn(grid), cell_volume)

    return wrong


MISTAKES = (
    *(_with("boltzmann_log_probs", form) for form in (_turned_over, _multiplied, _over_the_batch, _probabilities)),
    Mistake("boltzmann_log_probs", "accepts any energies and temperature", _unchecked, only_checks=True),
    *(_with("log_partition", form) for form in (_sum_of_exponentials, _mean_of_exponentials)),
    *(_with("helmholtz_free_energy", form) for form in (_without_temperature, _mean_energy)),
    Mistake("quadrature_log_partition", "the mean", _quadrature(lambda e, v: (-e).logsumexp(0) - math.log(len(e)) + math.log(v))),
    Mistake("quadrature_log_partition", "no volume", _quadrature(lambda e, v: (-e).logsumexp(0))),
    Mistake("quadrature_log_partition", "the volume next to the logarithm", _quadrature(lambda e, v: (-e).logsumexp(0) + v)),
    Mistake(
        "contrastive_loss", "turned over", lambda data_energy, sample_energy: -right.contrastive_loss(data_energy, sample_energy)
    ),
    Mistake(
        "contrastive_loss",
        "the samples' energy is detached",
        lambda data_energy, sample_energy: right.contrastive_loss(data_energy, sample_energy.detach()) + 0 * sample_energy,
    ),
    Mistake(
        "contrastive_loss",
        "the batch's mean",
        lambda data_energy, sample_energy: right.contrastive_loss(data_energy, sample_energy).mean().expand(data_energy.shape),
    ),
    Mistake(
        "contrastive_loss",
        "broadcasts one sample",
        lambda data_energy, sample_energy: (
            data_energy - sample_energy if len(sample_energy) == 1 else right.contrastive_loss(data_energy, sample_energy)
        ),
        only_checks=True,
    ),
    Mistake("gaussian_mixture_energy", "the sign", _mixture(lambda joint: joint.logsumexp(1))),
    Mistake("gaussian_mixture_energy", "the nearest component alone", _mixture(lambda joint: -joint.amax(1))),
    Mistake("gaussian_mixture_energy", "deviations for variances", _mixture(scale=lambda log_vars: (log_vars / 2).exp())),
    Mistake("gaussian_mixture_energy", "one constant for all dimensions", _mixture(constants=lambda size: 1)),
    Mistake("gaussian_mixture_energy", "densities underflow", _mixture(lambda joint: -joint.exp().sum(1).log())),
)

EQUIVALENT = (
    Mistake(
        "boltzmann_log_probs",
        "softmin",
        lambda energies, *, temperature=1.0: (
            right.log_partition(energies, temperature=temperature),
            torch.nn.functional.log_softmax((energies.amin(1, keepdim=True) - energies) / temperature, dim=1),
        )[1],
    ),
    Mistake("gaussian_mixture_energy", "the log-sum-exp of torch", _mixture()),
)
