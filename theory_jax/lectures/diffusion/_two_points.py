"""Data that are -1 or 1, each with probability one half: noisy values, best predictions, and the true step back."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.forward_process import forward_log_prob
from theory_jax.diffusion.reverse_process import posterior_log_variance, posterior_mean


def log_density(x, level):
    """The log-density of the noisy values at a level: two humps of variance 1 - level."""
    humps = [-((x - sign * math.sqrt(level)) ** 2) / (2 * (1 - level)) for sign in (-1, 1)]
    return jnp.logaddexp(*humps) - math.log(2) - math.log(2 * math.pi * (1 - level)) / 2


def data_mean(x, level):
    """The mean of the data, given a noisy value."""
    return jnp.tanh(jnp.sqrt(level) * x / (1 - level))


def best_noise(x, level):
    """The mean of the noise, given a noisy value."""
    return (x - jnp.sqrt(level) * data_mean(x, level)) / jnp.sqrt(1 - level)


def step_back_variance(x, levels):
    """Var(x_1 | x_2 = x) with the levels alpha_bar at 0, 1 and 2."""
    twos, zeros = np.full(len(x), 2), jnp.zeros(len(x))
    weight = posterior_mean(zeros + 1, zeros, twos, levels)
    return jnp.exp(posterior_log_variance(twos, levels)) + weight**2 * (1 - data_mean(x, levels[2]) ** 2)


def step_back_distance(beta, x_t, level):
    """KL(true step back from x_t to the level || Gaussian of its mean and variance), by Bayes' rule on a grid; nats."""
    x = x_t / math.sqrt(1 - beta) + jnp.linspace(-14, 14, 4001) * math.sqrt(beta)
    twos = np.full(x.size, 2)
    schedule = jnp.array([1.0, level, level * (1 - beta)])
    log_joint = log_density(x, level) + forward_log_prob(jnp.full(x.size, x_t), x, twos - 1, twos, schedule)
    log_back = log_joint - jax.nn.logsumexp(log_joint)
    back = jnp.exp(log_back)
    mean = back @ x
    log_gaussian = -((x - mean) ** 2) / (2 * (back @ (x - mean) ** 2))
    return back @ (log_back - log_gaussian) + jax.nn.logsumexp(log_gaussian)


def draw_step_back(axes, levels, reverse_log_variance):
    """The variance of the step back from level 2, its average, and the two of a model (from the topic's function)."""
    line = jnp.linspace(-3, 3, 241)
    variances = step_back_variance(line, levels)
    weights = jnp.exp(log_density(line, float(levels[2])))
    axes.plot(line, variances, label="$\\mathrm{Var}(x_1|x_2)$")
    axes.axhline((weights @ variances) / weights.sum(), linestyle=":", label="its average")
    for variance, style, name in (("large", "--", "$\\beta_2$"), ("small", "-.", "$\\tilde\\beta_2$")):
        height = float(jnp.exp(reverse_log_variance(np.array([2]), levels, variance=variance))[0])
        axes.axhline(height, linestyle=style, color="gray", label=name)
    axes.set(xlabel="$x_2$", ylabel="variance")
    axes.legend()


def draw_step_back_density(*panels):
    """The density of a large and of a small step back, and the Gaussians with their means and variances."""
    level, x_t = 0.75, 0.3
    for panel, beta, reach in zip(panels, (0.7, 0.05), (3.0, 1.0), strict=True):
        x = np.linspace(x_t - reach, x_t + reach, 241)
        log_back = np.asarray(log_density(x, level)) - (x_t - math.sqrt(1 - beta) * x) ** 2 / (2 * beta)
        step = x[1] - x[0]
        back = np.exp(log_back) / (np.exp(log_back).sum() * step)
        mean = back @ x * step
        variance = back @ (x - mean) ** 2 * step
        panel.fill_between(x, back, alpha=0.3, label="step back")
        bell = np.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        panel.plot(x, bell, "--", color="C1", label="Gaussian")
        panel.set(xlabel="$x_{t-1}$", ylabel="density", title=rf"$\beta_t = {beta:g}$", ylim=(0, 1.35 * back.max()))
        panel.legend(ncols=2, loc="upper center")
