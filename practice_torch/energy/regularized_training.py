"""Regularized training of energy networks: the penalized loss, one step of spectral normalization, energies as anomaly scores."""

import math

import torch
from torch import nn

from practice_torch.adversarial import spectral_normalization
from practice_torch.arguments import require, require_at_least, require_rank, require_same_shape, require_values
from practice_torch.energy.energy_models import contrastive_loss
from practice_torch.latent.anomaly_detection import area_under_roc
from practice_torch.networks.perceptron import perceptron


def energy_regularization(data_energy, sample_energy):
    r"""E(x+)^2 + E(x-)^2, for data x+ and samples x-: it keeps the energies near zero, which contrastive_loss alone does not.

    Raises ValueError if the shapes differ.  Source: Du & Mordatch 2019, algorithm 1.
    [...], [...] -> [...]
    """
    require_same_shape(data_energy=data_energy, sample_energy=sample_energy)
    return data_energy.square() + sample_energy.square()


def energy_loss(data_energy, sample_energy, *, regularization=1.0):
    r"""E(x+) - E(x-) + a (E(x+)^2 + E(x-)^2), a = regularization: at least -1/(2 a), at E(x+) = -1/(2 a) and E(x-) = 1/(2 a).

    The samples must not depend on the parameters: detach them.

    Raises ValueError if the shapes differ, or regularization is negative.  Source: Du & Mordatch 2019, algorithm 1.
    [...], [...] -> [...]
    """
    require_at_least(0, regularization=regularization)
    difference = contrastive_loss(data_energy, sample_energy)
    return difference.add(energy_regularization(data_energy, sample_energy), alpha=regularization)


def spectral_normalization_step(weight, u):
    r"""W / s, u' and s, after one power iteration: v = W^T u / |W^T u|, u' = W v / |W v|, s = u'^T W v = |W v|.

    s is at most the largest singular value, and tends to it over repeated calls. u' and v are constants: the slope of s in W is
    u' v^T.

    Raises ValueError if u does not have an entry for each row of weight, or weight^T u or the norm of weight v is zero.
    Source: Miyato et al. 2018, algorithm 1.
    [O, I], [O] -> [O, I], [O], []
    """
    u, v = spectral_normalization.power_iteration(weight.detach(), u.detach())
    normalized = spectral_normalization.spectral_normalize(weight, u, v)
    return normalized, u, spectral_normalization.spectral_norm_estimate(weight, u, v)


def classifier_energy(logits):
    r"""-log sum_k e^(f_k), f = logits: with it p(y|x) e^-E(x) = e^(f_y(x)), a joint law of x and y that is not normalized.

    Raises ValueError if logits has no classes, a row of -inf alone or an entry that is NaN or +inf.
    Source: Grathwohl et al. 2020, eq. 6.
    [B, K] -> [B]
    """
    require_rank(2, logits=logits)
    require(logits.shape[1] > 0, f"logits has shape {list(logits.shape)}; its last axis must not be empty")
    allowed = "finite or -inf, and not all -inf"
    require_values("logits", logits, lambda f: (f < torch.inf) & (f.amax(1, keepdim=True) > -torch.inf), allowed)
    return -logits.logsumexp(1)


def anomaly_auc(normal_energy, anomaly_energy):
    r"""P(E_1 > E_0) + 1/2 P(E_1 = E_0), of the energies E_0 of a normal and E_1 of an anomalous example: 1 if all are higher.

    It has no slope: its gradient is zero.

    Raises ValueError if normal_energy or anomaly_energy is empty or has a NaN.  Source: Fawcett 2006, section 7.
    [N], [M] -> []
    """
    for name, energies in (("normal_energy", normal_energy), ("anomaly_energy", anomaly_energy)):
        require_rank(1, **{name: energies})
        require(len(energies) > 0, f"{name} has 0 entries; it must have at least 1")
        require_values(name, energies, lambda e: ~e.isnan(), "a number, not NaN")
    labels = torch.zeros(len(normal_energy) + len(anomaly_energy), device=normal_energy.device)
    labels[len(normal_energy) :] = 1
    return area_under_roc(torch.cat([normal_energy, anomaly_energy]), labels)


# ---------------------------------------------------------------------------------------------------- the network


class EnergyMLP(nn.Module):
    """A perceptron of smooth activations with one output, plus confinement * |x|^2, without which e^-E need not have an integral.

    It treats every example separately: with batch normalization samples would change the energies of data.

    [B, ...] -> [B]
    """

    def __init__(self, *, shape, hidden_dims, confinement=0.0):
        super().__init__()
        self.network = perceptron(math.prod(shape), *hidden_dims, 1, activation=nn.SiLU)
        self.confinement = confinement

    def forward(self, x):
        """One energy an example."""
        flat = x.flatten(1)
        return self.network(flat)[:, 0].add(flat.square().sum(1), alpha=self.confinement)
