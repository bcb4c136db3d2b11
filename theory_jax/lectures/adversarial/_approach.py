"""A generator that follows the slope of the optimal critic, and one that follows the optimal discriminator."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from scipy.special import ndtri

from theory_jax.adversarial.gan import minimax_generator_loss, optimal_discriminator_logit
from theory_jax.adversarial.wasserstein_gan import generator_loss, wasserstein_distance_1d

MOMENTS = (0, 15, 30, 45, 50, 60)
DATA = 2.0, 1.0  # mean and deviation of the data
QUANTILES = ndtri((np.arange(40) + 0.5) / 40)  # the noise of the generator
GRID = np.linspace(-7, 7, 281)


def best_critic(mean, deviation):
    """The optimal critic of slope 1 at the grid, [281], from its slope: the sign of the difference of distribution functions."""
    slope = jnp.sign(norm.cdf(GRID, mean, deviation) - norm.cdf(GRID, *DATA))
    heights = jnp.cumsum(slope) * (GRID[1] - GRID[0])
    return heights - heights.mean()


def scores(fakes, mean, deviation):
    """What the optimal critic says of the samples."""
    return -generator_loss(jnp.interp(fakes, GRID, best_critic(mean, deviation)))


def doubts(fakes, mean, deviation):
    """Minus the loss of the game itself against the optimal discriminator."""
    return -minimax_generator_loss(optimal_discriminator_logit(norm.logpdf(fakes, *DATA), norm.logpdf(fakes, mean, deviation)))


@functools.cache
def approach(judgement, size=0.1):
    """Mean and log-deviation at all steps, [steps, 2], of a generator that ascends a judgement of its samples."""

    def advance(generator, _):
        def mean_judgement(moved):
            fakes = moved[0] + jnp.exp(moved[1]) * QUANTILES
            return judgement(fakes, generator[0], jnp.exp(generator[1])).mean()

        return generator + size * jax.grad(mean_judgement)(generator), generator

    return np.asarray(jax.lax.scan(advance, jnp.array([-3.0, np.log(0.6)]), length=MOMENTS[-1] + 1)[1])


@functools.cache
def distances(judgement):
    """W_1 of the samples to the data at all steps, [steps]."""
    data = DATA[0] + DATA[1] * QUANTILES
    return [wasserstein_distance_1d(data, mean + jnp.exp(spread) * QUANTILES) for mean, spread in approach(judgement)]


def up_the_slope(densities, curve, moment):
    """Left: data, samples and critic at a step. Right: the distance that is left, for both judgements."""
    step = MOMENTS[moment]
    mean, log_deviation = approach(scores)[step]
    densities.fill_between(GRID, norm.pdf(GRID, *DATA), color="C1", alpha=0.3, label="data")
    densities.plot(GRID, norm.pdf(GRID, mean, np.exp(log_deviation)), color="C0", label="samples")
    densities.plot(GRID, best_critic(mean, np.exp(log_deviation)) / 10, "--", color="gray", label="critic, divided by 10")
    densities.set(xlim=(-6, 6), ylim=(-0.6, 1.3), xlabel="$x$", ylabel="density")
    densities.legend(fontsize="small", loc="upper left")
    for judgement, label in ((scores, "critic"), (doubts, "discriminator, minimax")):
        left = distances(judgement)
        (line,) = curve.plot(left, label=label, linewidth=1)
        curve.plot(step, left[step], "o", color=line.get_color())
    curve.set(ylim=(0, 6), xlabel="step of the generator", ylabel="$W_1$ to the data")
    curve.legend(fontsize="small")
