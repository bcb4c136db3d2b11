"""Energy-based models: how an energy becomes a probability, and what its unknown normalizer costs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from theory_jax.arguments import require, require_positive, require_rank, require_same_shape, require_shape, require_values
from theory_jax.mathematics.mixture import log_joint


def boltzmann_log_probs(energies, *, temperature=1.0):
    r"""log p_k = -E_k / T - log Z, with Z = sum_j e^(-E_j / T), T = temperature. A state of energy +inf is forbidden: -inf.

    Raises ValueError if energies has no states, a row with no finite energy or an entry that is NaN or -inf, or temperature is
    not positive.  Source: LeCun et al. 2006, section 1.3.
    [B, K] -> [B, K]
    """
    _require_energies(temperature, energies=energies)
    return jax.nn.log_softmax((_lowest(energies)[:, None] - energies) / temperature, axis=1)


def log_partition(energies, *, temperature=1.0):
    r"""log Z = log sum_k e^(-E_k / T), T = temperature, in nats.

    Raises ValueError if energies has no states, a row with no finite energy or an entry that is NaN or -inf, or temperature is
    not positive.  Source: LeCun et al. 2006, section 1.3.
    [B, K] -> [B]
    """
    return -helmholtz_free_energy(energies, temperature=temperature) / temperature


def helmholtz_free_energy(energies, *, temperature=1.0):
    r"""F = -T log Z = -T log sum_k e^(-E_k / T), T = temperature, in units of the energy: the least of E_q[E] - T H(q) over q.

    Raises ValueError if energies has no states, a row with no finite energy or an entry that is NaN or -inf, or temperature is
    not positive.  Source: LeCun et al. 2006, section 1.3; MacKay 2003, section 33.1.
    [B, K] -> [B]
    """
    _require_energies(temperature, energies=energies)
    return _free_energy(energies, temperature)


def quadrature_log_partition(grid, cell_volume, energy_fn):
    r"""log sum_n cell_volume e^-E(grid_n), in nats: the integral of e^-E by the rule of rectangles.

    energy_fn([N, D]) -> [N] treats every point by itself.

    Raises ValueError if grid has no points, cell_volume is not positive, or energy_fn does not return one energy for each point,
    returns only infinite energies, or a NaN or -inf.  Source: Davis & Rabinowitz 1984, section 2.1.
    [N, D] -> []
    """
    require_rank(2, grid=grid)
    require(jnp.shape(grid)[0] > 0, f"grid has shape {list(jnp.shape(grid))}; it must have at least one point")
    require_positive(cell_volume=cell_volume)
    energies = energy_fn(grid)
    require_shape(jnp.shape(grid)[:1], **{"the result of energy_fn": energies})
    _require_energies(1.0, **{"the result of energy_fn": energies[None]})
    return math.log(cell_volume) - _free_energy(energies[None], 1.0)[0]


def contrastive_loss(data_energy, sample_energy):
    r"""E(x+) - E(x-), for data x+ and samples x- of the model: its mean gradient is T times that of -log p(x+).

    The samples must not depend on the parameters: detach them. The value is no estimate of the likelihood.

    Raises ValueError if the shapes differ.  Source: Hinton 2002, section 2; Song & Kingma 2021, section 2.
    [...], [...] -> [...]
    """
    require_same_shape(data_energy=data_energy, sample_energy=sample_energy)
    return jnp.subtract(data_energy, sample_energy)


def gaussian_mixture_energy(x, means, log_vars, log_weights):
    r"""-log sum_k w_k N(x; m_k, e^l_k I), in nats: an energy with log Z = 0, w = e^log_weights, l = log_vars.

    Raises ValueError if the shapes of means, log_vars and log_weights do not fit x, or log_weights does not sum to one.
    Source: Bishop 2006, section 2.3.9.
    [B, D], [K, D], [K], [K] -> [B]
    """
    require_rank(2, means=means)
    return -logsumexp(log_joint(x, means, log_vars, log_weights)[0], axis=1)


def _lowest(energies):
    """The offset subtracted before the division by a small temperature: it cancels, so it needs no gradient."""
    return jax.lax.stop_gradient(jnp.min(energies, axis=1))


def _free_energy(energies, temperature):
    lowest = _lowest(energies)
    return lowest - temperature * jax.nn.logsumexp((lowest[:, None] - energies) / temperature, axis=1)


def _require_energies(temperature, **arrays):
    require_positive(temperature=temperature)
    require_rank(2, **arrays)
    for name, energies in arrays.items():
        require(jnp.shape(energies)[1] > 0, f"{name} has shape {list(jnp.shape(energies))}; its last axis must not be empty")
        require_values(
            name, energies, lambda a: (a > -np.inf) & (a.min(1, keepdims=True) < np.inf), "finite or +inf, and not all +inf"
        )
