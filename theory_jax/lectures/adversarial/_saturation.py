"""A generator that chases the data by each of its two losses, against the optimal discriminator of every step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from shared_specs.palette import BLUE, VERMILION
from theory_jax.adversarial.gan import minimax_generator_loss, non_saturating_generator_loss, optimal_discriminator_logit

MOMENTS = (0, 2, 5, 10, 25, 80)
DATA = 2.0, 1.0  # mean and deviation of the data


def best_logit(x, mean, deviation):
    """The logit of the optimal discriminator at x, for a generator with this normal distribution."""
    return optimal_discriminator_logit(norm.logpdf(x, *DATA), norm.logpdf(x, mean, deviation))


@functools.cache
def chase(generator_loss, size=0.1):
    """Mean and log-deviation of the generator at all steps, [steps, 2]: gradient steps against a discriminator that is best."""
    noise = norm.ppf((jnp.arange(40) + 0.5) / 40)

    def advance(generator, _):
        def loss(moved):
            fakes = moved[0] + jnp.exp(moved[1]) * noise
            return generator_loss(best_logit(fakes, generator[0], jnp.exp(generator[1]))).mean()

        return generator - size * jax.grad(loss)(generator), generator

    return np.asarray(jax.lax.scan(advance, jnp.array([-3.0, np.log(0.8)]), length=MOMENTS[-1] + 1)[1])


def chase_by_both_losses(minimax, non_saturating, moment):
    """Draws the densities of the data and of both generators, and what the optimal discriminator says."""
    x = np.linspace(-6, 6, 121)
    for panel, loss, title in (
        (minimax, minimax_generator_loss, "minimax"),
        (non_saturating, non_saturating_generator_loss, "non-saturating"),
    ):
        mean, log_deviation = chase(loss)[MOMENTS[moment]]
        deviation = np.exp(log_deviation)
        panel.fill_between(x, norm.pdf(x, *DATA), color=VERMILION, alpha=0.3)
        panel.plot(x, norm.pdf(x, mean, deviation), color=BLUE)
        panel.plot(x, jax.nn.sigmoid(best_logit(jnp.asarray(x), mean, deviation)), "--", color="gray")
        panel.set(xlim=(-6, 6), ylim=(0, 1.05), xlabel="$x$", ylabel="$p, \\ q, \\ d$", title=title)
