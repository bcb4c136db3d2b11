"""Exercises of the lecture: Energy-based models: probabilities from an energy, and learning without their normalizer."""

import math

import jax
import jax.numpy as jnp
from scipy.optimize import brentq

from theory_jax.energy.energy_models import boltzmann_log_probs, helmholtz_free_energy, log_partition
from theory_jax.lectures.energy.energy_models import _ENERGIES, derivation


@derivation.exercise(
    r"Two states have the energies 0 and 1. What is the probability of the first at the temperatures 1 and $\frac12$?",
    r"$\frac{1}{1 + e^{-\Delta/T}}$, the logistic function of $\Delta/T$: 0.7311 and 0.8808.",
    level="easy",
    hint="Only the difference of the two energies counts.",
)
def two_states():
    for t, said in ((1.0, "0.7311"), (0.5, "0.8808")):
        yield jnp.exp(boltzmann_log_probs(jnp.array([[0.0, 1.0]]), temperature=t))[0, 0], said


@derivation.exercise(
    r"Add 10 to all energies of the example. What are the probabilities, $\log Z$ and the free energy at the temperature "
    r"$\frac12$?",
    r"The probabilities are the same, (0.6667, 0.1667, 0.1667). $\log Z$ falls by $10/T$, to -19.5945, and the free energy rises "
    "by 10, to 9.7973.",
    level="easy",
    hint="The same factor comes out of every term of the normalizer.",
)
def a_constant_added():
    lifted = _ENERGIES + 10
    yield jnp.exp(boltzmann_log_probs(lifted, temperature=0.5))[0], "(0.6667, 0.1667, 0.1667)"
    yield log_partition(lifted, temperature=0.5)[0], "-19.5945"
    yield helmholtz_free_energy(lifted, temperature=0.5)[0], "9.7973"


@derivation.exercise(
    "How fast does the mean energy of the example rise with the temperature, at the temperature 1?",
    r"By the variance of the energy: half of the probability is at 0 and half at $\log 2$, so it is $\frac14 \log^2 2$, 0.1201.",
    level="medium",
    hint="The page has the slope of the mean energy as a variance; the energy takes two values.",
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
    level="medium",
    hint="Where is the slope of the energy the same, and what is left of its mean?",
)
def matched_means():
    model = jnp.exp(boltzmann_log_probs(_ENERGIES))[0]
    yield model[1] + model[2], "0.5"


@derivation.exercise(
    r"In the example with $\theta$, code forgets to detach the model's probabilities. What is its gradient at $\log 2$, and at "
    r"which $\theta$ does descent stop?",
    "-0.0767 in place of -0.25: the covariance of energy and slope, 0.1733, is added. It stops at 0.8493, where 0.4610 of the "
    r"model are in the last two states, but a quarter of the data; the likelihood has its maximum at $\log 6$, 1.7918.",
    level="hard",
    hint=r"Write $\pi$ for the model's probability of the last two states: the covariance is $\theta \pi (1 - \pi)$.",
)
def not_detached():
    slopes, data = jnp.array([0.0, 1.0, 1.0]), jnp.array([0.75, 0.125, 0.125])

    def of_last_two(theta):
        return jnp.exp(boltzmann_log_probs(theta * slopes[None]))[0] @ slopes

    def difference(theta):
        return theta * (data @ slopes - of_last_two(theta))

    wrong = jax.grad(difference)
    start, right = math.log(2), 0.25 - of_last_two(math.log(2))
    yield wrong(start), "-0.0767"
    yield right, "-0.25"
    yield wrong(start) - right, "0.1733"
    stop = brentq(wrong, start, 1.0)
    yield stop, "0.8493"
    yield of_last_two(stop), "0.4610"
    yield brentq(lambda theta: of_last_two(theta) - 0.25, 1.0, 3.0), "1.7918"
