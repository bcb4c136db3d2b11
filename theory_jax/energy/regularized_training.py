"""Regularized training of energy networks: what a penalty on the energies buys, and what an energy is good for afterwards."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.adversarial import spectral_normalization
from theory_jax.arguments import require, require_at_least, require_rank, require_same_shape, require_values
from theory_jax.energy.energy_models import contrastive_loss
from theory_jax.latent.anomaly_detection import area_under_roc


def energy_regularization(data_energy, sample_energy):
    r"""E(x+)^2 + E(x-)^2, for data x+ and samples x-: it keeps the energies near zero, which contrastive_loss alone does not.

    Raises ValueError if the shapes differ.  Source: Du & Mordatch 2019, algorithm 1.
    [...], [...] -> [...]
    """
    require_same_shape(data_energy=data_energy, sample_energy=sample_energy)
    return data_energy**2 + sample_energy**2


def energy_loss(data_energy, sample_energy, *, regularization=1.0):
    r"""E(x+) - E(x-) + a (E(x+)^2 + E(x-)^2), a = regularization: at least -1/(2 a), at E(x+) = -1/(2 a) and E(x-) = 1/(2 a).

    The samples must not depend on the parameters: detach them.

    Raises ValueError if the shapes differ, or regularization is negative.  Source: Du & Mordatch 2019, algorithm 1.
    [...], [...] -> [...]
    """
    require_at_least(0, regularization=regularization)
    difference = contrastive_loss(data_energy, sample_energy)
    return difference + regularization * energy_regularization(data_energy, sample_energy)


def spectral_normalization_step(weight, u):
    r"""W / s, u' and s, after one power iteration: v = W^T u / |W^T u|, u' = W v / |W v|, s = u'^T W v = |W v|.

    s is at most the largest singular value, and tends to it over repeated calls. u' and v are constants: the slope of s in W is
    u' v^T.

    Raises ValueError if u does not have an entry for each row of weight, or weight^T u or the norm of weight v is zero.
    Source: Miyato et al. 2018, algorithm 1.
    [O, I], [O] -> [O, I], [O], []
    """
    u, v = spectral_normalization.power_iteration(jax.lax.stop_gradient(weight), jax.lax.stop_gradient(u))
    sigma = spectral_normalization.spectral_norm_estimate(weight, u, v)
    return spectral_normalization.spectral_normalize(weight, u, v), u, sigma


def classifier_energy(logits):
    r"""-log sum_k e^(f_k), f = logits: with it p(y|x) e^-E(x) = e^(f_y(x)), a joint law of x and y that is not normalized.

    Raises ValueError if logits has no classes, a row of -inf alone or an entry that is NaN or +inf.
    Source: Grathwohl et al. 2020, eq. 6.
    [B, K] -> [B]
    """
    require_rank(2, logits=logits)
    require(jnp.shape(logits)[1] > 0, f"logits has shape {list(jnp.shape(logits))}; its last axis must not be empty")
    allowed = "finite or -inf, and not all -inf"
    require_values("logits", logits, lambda f: (f < np.inf) & (f.max(1, keepdims=True) > -np.inf), allowed)
    return -jax.nn.logsumexp(logits, axis=1)


def anomaly_auc(normal_energy, anomaly_energy):
    r"""P(E_1 > E_0) + 1/2 P(E_1 = E_0), of the energies E_0 of a normal and E_1 of an anomalous example: 1 if all are higher.

    It has no slope: its gradient is zero.

    Raises ValueError if normal_energy or anomaly_energy is empty or has a NaN.  Source: Fawcett 2006, section 7.
    [N], [M] -> []
    """
    for name, energies in (("normal_energy", normal_energy), ("anomaly_energy", anomaly_energy)):
        require_rank(1, **{name: energies})
        require(energies.shape[0] > 0, f"{name} has 0 entries; it must have at least 1")
        require_values(name, energies, lambda e: ~np.isnan(e), "a number, not NaN")
    labels = np.repeat([0, 1], [normal_energy.shape[0], anomaly_energy.shape[0]])
    return area_under_roc(jnp.concatenate([normal_energy, anomaly_energy]), labels)


# ---------------------------------------------------------------------------------------------------- the network


class EnergyMLP(nnx.Module):
    """Examples [B, ...] -> energies [B]: a perceptron of smooth activations, plus confinement * |x|^2."""

    def __init__(self, *, shape, hidden_dims, confinement=0.0, rngs: nnx.Rngs):
        sizes = (math.prod(shape), *hidden_dims, 1)
        layers = [nnx.Linear(*pair, param_dtype=jnp.result_type(float), rngs=rngs) for pair in itertools.pairwise(sizes)]
        self.network = nnx.List([part for layer in layers for part in (layer, jax.nn.silu)][:-1])
        self.confinement = confinement

    def __call__(self, x):
        flat = h = x.reshape(x.shape[0], math.prod(x.shape[1:]))
        for part in self.network:
            h = part(h)
        return h[:, 0] + self.confinement * jnp.sum(flat**2, axis=1)
