"""Exercises of the lecture: Latent variables: a likelihood that needs the posterior."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.latent_variable_models import (
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
)
def no_weight():
    x, weight = jnp.array([[3.0, 4.0]]), jnp.zeros((2, 1))
    center, spread = linear_gaussian_posterior(x, weight, jnp.zeros(2), jnp.log(5.0))
    yield (center[0, 0], spread[0, 0]), "0 and variance 1"
    yield linear_gaussian_log_marginal(x, weight, jnp.zeros(2), jnp.log(5.0))[0], "-5.9473"


@derivation.exercise(
    "How large is the gap of three samples in the example, and how large is it to second order?",
    "The gap is 0.0425 nats. The likelihoods have the variance 0.0675 under the prior, which gives 0.0372.",
)
def three_draws():
    variance = PRIOR @ LIKELIHOOD**2 - (PRIOR @ LIKELIHOOD) ** 2
    yield math.log(0.55) - over_samples(monte_carlo_log_marginal, 3), "0.0425"
    yield variance, "0.0675"
    yield variance / (2 * 3 * 0.55**2), "0.0372"


@derivation.exercise(
    "The data have the eigenvalues 5, 2 and 1 and the model one latent variable. May it keep 2 and discard 5 and 1?",
    "No: the noise would be 3, and the squared weight 2 less 3, which is -1. It keeps 5, and the noise is 1.5.",
)
def which_to_keep():
    # three axes with these variances, divided by N = 6
    x = np.sqrt(3 * np.array([5.0, 2.0, 1.0])) * np.concatenate([np.eye(3), -np.eye(3)])
    yield np.mean([5.0, 1.0]), "3"
    yield 2 - np.mean([5.0, 1.0]), "-1"
    yield jnp.linalg.eigvalsh(linear_gaussian_maximum_likelihood_covariance(x, latent_dim=1))[0], "1.5"
