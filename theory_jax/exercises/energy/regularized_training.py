"""Exercises of the lecture: Regularized training of energy networks: a floor for the loss, and what energies are good for."""

import jax.numpy as jnp
import numpy as np
import scipy.stats
from sympy import Rational

from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.regularized_training import anomaly_auc, energy_loss, spectral_normalization_step
from theory_jax.lectures.energy.regularized_training import a, derivation, high, low, more


@derivation.exercise(
    prose(
        "How far apart are the best energies of data and samples at most with {weight}, and how low is the loss then?",
        weight=where(a, Rational(1, 20)),
    ),
    prose(
        "Each is at most {far} from zero, so they are 20 apart, and the loss is {loss}.",
        far=holds(1 / (2 * a), "=", 10),
        loss=holds(-1 / (2 * a), "=", -10, named=True),
    ),
)
def scale_of_energies():
    yield 2 / (2 * 0.05), "20"
    yield energy_loss(jnp.array(-10.0), jnp.array(10.0), regularization=0.05), "-10"


@derivation.exercise(
    r"By which factor does a power iteration on $\mathrm{diag}(3, 1)$ shrink the share of the wrong direction? What is $u$ after "
    "one, from $(1, 1)$?",
    prose(
        r"By {factor}: $u$ is $(9, 1)$ divided by its length, $(0.9939, 0.1104)$.",
        factor=holds(high**2 / low**2, "=", 9, when={low: 1, more: 2}),
    ),
)
def shrinking_share():
    yield spectral_normalization_step(jnp.diag(jnp.array([3.0, 1.0])), jnp.ones(2))[1], "(0.9939, 0.1104)"


@derivation.exercise(
    r"Normal energies are $\mathcal{N}(0, 1)$, anomalous ones $\mathcal{N}(2, 1)$. What is the area?",
    r"The difference is $\mathcal{N}(2, 2)$, so it is positive with probability $\Phi(\sqrt 2)$, 0.921.",
)
def two_gaussians():
    grid = scipy.stats.norm.ppf((np.arange(400) + 0.5) / 400)
    yield anomaly_auc(grid, grid + 2), "0.921"
