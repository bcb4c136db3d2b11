"""Exercises of the lecture: Energy-based models: probabilities from an energy, and learning without their normalizer."""

import jax
import jax.numpy as jnp

from theory_jax.energy.energy_models import boltzmann_log_probs
from theory_jax.lectures.energy.energy_models import _ENERGIES, derivation


@derivation.exercise(
    r"Two states have the energies 0 and 1. What is the probability of the first at the temperatures 1 and $\frac12$?",
    r"$\frac{1}{1 + e^{-\Delta/T}}$, the logistic function of $\Delta/T$: 0.7311 and 0.8808.",
)
def two_states():
    for t, said in ((1.0, "0.7311"), (0.5, "0.8808")):
        yield jnp.exp(boltzmann_log_probs(jnp.array([[0.0, 1.0]]), temperature=t))[0, 0], said


@derivation.exercise(
    "How fast does the mean energy of the example rise with the temperature, at the temperature 1?",
    r"By the variance of the energy: half of the probability is at 0 and half at $\log 2$, so it is $\frac14 \log^2 2$, 0.1201.",
)
def heat_capacity():
    def mean_energy(t):
        scaled = jax.nn.softmax(-_ENERGIES[0] / t)
        return jnp.dot(scaled, _ENERGIES[0])

    yield jax.grad(mean_energy)(1.0), "0.1201"


@derivation.exercise(
    r"For which data is $\partial \mathcal{L}$ zero in the example?",
    r"For all that have the probability 0.5 in the last two states together, $(\frac12, \frac12, 0)$ for one: the model matches "
    "the mean of the slope, and nothing else of the data.",
)
def matched_means():
    model = jnp.exp(boltzmann_log_probs(_ENERGIES))[0]
    yield model[1] + model[2], "0.5"
