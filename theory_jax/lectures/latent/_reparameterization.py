"""What the lecture on reparameterization enumerates or integrates on grids, and its figure."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.reparameterization import (
    concrete_log_density,
    gaussian_parameter_score,
    gumbel_softmax,
    leave_one_out_advantage,
)


def variances_of_cosine(frequency):
    """The variances of the two one-sample estimators of d E cos(frequency z) / d mean at mean and variance 1."""
    noise = np.linspace(-12.0, 12.0, 3001)
    weight = np.exp(-(noise**2) / 2)
    weight /= weight.sum()
    z, mean, log_var = (jnp.array(a)[:, None] for a in (1.0 + noise, np.ones_like(noise), np.zeros_like(noise)))
    estimates = -frequency * jnp.sin(frequency * z), jnp.cos(frequency * z) * gaussian_parameter_score(z, mean, log_var)[0]
    return [weight @ (a[:, 0] - weight @ a[:, 0]) ** 2 for a in estimates]


def mean_square(odds, temperature):
    """E y_1^2 of a relaxed sample of two, over 4000 evenly spaced quantiles of the noise."""
    quantiles = (np.arange(4000) + 0.5) / 4000
    # The sample sees only the difference of the two Gumbel variables, which is logistic: half of it goes to either side.
    half = np.log(quantiles / (1 - quantiles)) / 2
    uniforms = jnp.array(np.exp(-np.exp(np.stack([-half, half], axis=1))))
    logits = jnp.tile(jnp.array([math.log(odds), 0.0]), (4000, 1))
    return jnp.mean(gumbel_softmax(uniforms, logits, temperature=temperature)[:, 0] ** 2)


def variances_with_and_without_the_others():
    """Three samples of a coin with logit 0.4, f(0) = 11.3, f(1) = 8: both variances enumerated; by formulas; with a mistake."""
    coin = 1 / (1 + math.exp(-0.4))
    samples = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    chances = np.prod(np.where(samples == 1, coin, 1 - coin), axis=1)
    values, score = np.where(samples == 1, 8.0, 11.3), samples - coin
    estimates = np.mean(values * score, axis=1), np.mean(leave_one_out_advantage(values) * score, axis=1)
    enumerated = np.array([chances @ (e - chances @ e) ** 2 for e in estimates])
    variance = coin * (1 - coin)
    plain, fourth = variance / 3 * (8.0 * (1 - coin) + 11.3 * coin) ** 2, variance * (1 - 3 * variance)
    return enumerated, plain, 3.3**2 * fourth / 3, 3.3**2 * variance**2 / 3


def draw_estimators_and_densities(left, right):
    """The variance of both estimators over the frequency of a cosine, and densities of relaxed samples."""
    frequencies = np.geomspace(0.2, 20, 15)
    pathwise, score = zip(*map(variances_of_cosine, frequencies), strict=True)
    left.loglog(frequencies, pathwise, label="pathwise")
    left.loglog(frequencies, score, label="score function")
    left.set(xlabel=r"$\omega$", ylabel="variance")
    left.legend()
    first = np.linspace(0.005, 0.995, 200)
    log_y, logits = jnp.log(jnp.stack([first, 1 - first], axis=1)), jnp.tile(jnp.array([math.log(3.0), 0.0]), (200, 1))
    for temperature in (2.0, 1.0, 0.5, 0.2):
        curve = jnp.exp(concrete_log_density(log_y, logits, temperature=temperature))
        right.plot(first, curve, label=rf"$\tau = {temperature:g}$")
    right.set(xlabel="$y_1$", ylabel="density", ylim=(0, 3.2))
    right.legend(loc="upper center")
