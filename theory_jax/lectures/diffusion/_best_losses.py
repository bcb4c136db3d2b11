"""The losses of the best networks, and the weights of the bound, of the lecture on the simple loss."""

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.forward_process import forward_sample
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.lectures.diffusion._two_points import best_noise


def irreducible(alpha_bar, t):
    """The best loss at level t for data -1 or 1: S_t (1 - E tanh^2), by a sum over a grid of the noise at x_0 = 1."""
    nodes = np.linspace(-8, 8, 241)
    weights = np.exp(-(nodes**2) / 2)
    a = np.asarray(alpha_bar)[np.asarray(t)][:, None]
    x = forward_sample(jnp.ones(len(t) * 241), np.repeat(t, 241), jnp.asarray(np.tile(nodes, len(t))), alpha_bar).reshape(-1, 241)
    mean = np.tanh(np.sqrt(a) * x / (1 - a))
    return (a / (1 - a))[:, 0] * ((1 - np.asarray(mean) ** 2) @ (weights / weights.sum()))


def draw_weights(axes, weight):
    """The weights of the bound for the linear schedule, from the topic's function."""
    levels, t = linear_alpha_bar(num_steps=1000), np.arange(2, 1001, 6)
    for variance in ("large", "small"):
        axes.semilogy(t, weight(t, levels, variance=variance), label=f"{variance} variance")
    axes.axhline(1.0, linestyle="--", color="gray", label="simple loss")
    axes.set(xlabel="$t$", ylabel="weight")
    axes.legend()


def draw_best_losses(axes):
    """The losses of the best networks for standard normal data and for two points."""
    levels, t = linear_alpha_bar(num_steps=1000), np.arange(2, 1001, 6)
    axes.plot(t, levels[t], label="standard normal data")
    axes.plot(t, irreducible(levels, t), label="data $-1$ or $1$")
    axes.set(xlabel="$t$", ylabel="best loss in a coordinate")
    axes.legend()


def draw_regression(pairs, costs):
    """Left: noise against the noisy value for data -1 or 1, and what predicts it. Right: the cost of the fixed variances."""
    random = np.random.default_rng(4)
    level = 0.6
    noise = random.standard_normal(300)
    x = np.sqrt(level) * random.choice([-1, 1], 300) + np.sqrt(1 - level) * noise
    grid = np.linspace(-2.4, 2.4, 121)
    pairs.plot(x, noise, ".", color="gray", markersize=3)
    pairs.plot(grid, best_noise(grid, level), color="C0", label="conditional mean")
    pairs.plot(grid, np.sqrt(1 - level) * grid, "--", color="C1", label="best line")
    pairs.set(xlabel="$x_t$", ylabel=r"$\epsilon$", xlim=(-2.4, 2.4))
    pairs.legend(loc="upper left", fontsize="small")
    levels = np.asarray(linear_alpha_bar(num_steps=1000))
    before, after = levels[1:-1], levels[2:]
    beta = 1 - after / before
    tilde = beta * (1 - before) / (1 - after)
    for name, found, used in (("large", tilde, beta), ("small", beta, tilde)):
        costs.loglog(np.arange(2, 1001), (np.log(used / found) + found / used - 1) / 2, label=f"{name} variance")
    costs.set(xlabel="$t$", ylabel="nats in a coordinate")
    costs.legend()
