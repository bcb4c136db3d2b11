"""Exercises of the lecture: Latent variables: a likelihood that needs the posterior."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.latent_variable_models import (
    discrete_log_posterior,
    linear_gaussian_log_marginal,
    linear_gaussian_maximum_likelihood_covariance,
    linear_gaussian_posterior,
    monte_carlo_log_marginal,
)
from theory_jax.lectures.latent._latent_variable_models import LIKELIHOOD, PRIOR, over_samples
from theory_jax.lectures.latent.latent_variable_models import derivation


@derivation.exercise(
    "What are the posterior and the marginal if all weights are zero?",
    r"The observation says nothing of $z$: the posterior is the prior, with mean 0 and variance 1, and $x$ is $\mathcal{N}(\mu, "
    "sI)$; with the noise 5 its log-density at (3, 4), less the mean, is -5.9473.",
    level="easy",
    hint="What do the formulas of the posterior and of the covariance become without weights?",
)
def no_weight():
    x, weight = jnp.array([[3.0, 4.0]]), jnp.zeros((2, 1))
    center, spread = linear_gaussian_posterior(x, weight, jnp.zeros(2), jnp.log(5.0))
    yield (center[0, 0], spread[0, 0]), "0 and variance 1"
    yield linear_gaussian_log_marginal(x, weight, jnp.zeros(2), jnp.log(5.0))[0], "-5.9473"


@derivation.exercise(
    "In the example with three states, the same value is observed a second time, independently, from the same unseen state. What "
    "is the posterior now, and what would it be after a second observation with a state of its own?",
    "The likelihoods are squared, and the posterior is (0.8649, 0.1081, 0.0270): surer than (0.7273, 0.1818, 0.0909) after one. "
    "An observation with its own state says nothing of the first one's; the posterior stays.",
    level="easy",
    hint="The posterior after the first observation is the prior of the second.",
)
def observed_twice():
    once = discrete_log_posterior(jnp.log(LIKELIHOOD)[None], jnp.log(PRIOR))[0]
    yield jnp.exp(discrete_log_posterior(jnp.log(LIKELIHOOD)[None], once))[0], "(0.8649, 0.1081, 0.0270)"
    yield jnp.exp(once), "(0.7273, 0.1818, 0.0909)"


@derivation.exercise(
    "How large is the gap of three samples in the example, and how large is it to second order?",
    "The gap is 0.0425 nats. The likelihoods have the variance 0.0675 under the prior, which gives 0.0372.",
    level="medium",
    hint="To second order the gap is a variance divided by twice the squared mean and the number of samples.",
)
def three_draws():
    variance = PRIOR @ LIKELIHOOD**2 - (PRIOR @ LIKELIHOOD) ** 2
    yield math.log(0.55) - over_samples(monte_carlo_log_marginal, 3), "0.0425"
    yield variance, "0.0675"
    yield variance / (2 * 3 * 0.55**2), "0.0372"


@derivation.exercise(
    "Each of $D$ coordinates has the weight 1, and the noise has the variance 5. For which $D$ is the posterior's variance "
    "half of the prior's? How does it fall for many coordinates, and what is it for 45?",
    "For 5 coordinates it is 0.5. It is the noise divided by the number of coordinates and the noise together, and falls as one "
    "over that number: for 45 it is 0.1. Every coordinate measures the same latent once more.",
    level="medium",
    hint=r"With weights of 1 the squared norm of $w$ is the number of coordinates.",
)
def many_coordinates():
    for dims, variance in ((5, "0.5"), (45, "0.1")):
        at = jnp.zeros((1, dims)), jnp.ones((dims, 1)), jnp.zeros(dims), jnp.log(5.0)
        yield linear_gaussian_posterior(*at)[1][0, 0], variance


@derivation.exercise(
    "The data have the eigenvalues 5, 2 and 1 and the model one latent variable. May it keep 2 and discard 5 and 1?",
    "No: the noise would be 3, and the squared weight 2 less 3, which is -1. It keeps 5, and the noise is 1.5.",
    level="hard",
    hint="Compute the noise and the squared weight that each choice would need.",
)
def which_to_keep():
    # three axes with these variances, divided by N = 6
    x = np.sqrt(3 * np.array([5.0, 2.0, 1.0])) * np.concatenate([np.eye(3), -np.eye(3)])
    yield np.mean([5.0, 1.0]), "3"
    yield 2 - np.mean([5.0, 1.0]), "-1"
    yield jnp.linalg.eigvalsh(linear_gaussian_maximum_likelihood_covariance(x, latent_dim=1))[0], "1.5"
