"""The terms of the bound of the lecture on a diffusion model's ELBO: averaged over the noises, drawn, and for one sample."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.elbo import discretized_gaussian_log_prob, elbo_terms
from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.lectures.diffusion import _two_points
from theory_jax.lectures.diffusion._best_losses import irreducible


def nodes(count):
    """Gauss-Hermite nodes and weights of a standard normal."""
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    return jnp.asarray(points), jnp.asarray(weights / weights.sum())


def expected_terms(x0, denoise, alpha_bar, *, num_levels, variance="large", count=24):
    """elbo_terms, averaged over the noises: each column depends on one noise only."""
    points, weights = nodes(count)
    noises = jnp.broadcast_to(points, (len(alpha_bar) - 1, count))
    return weights @ elbo_terms(jnp.full(count, x0), noises, denoise, alpha_bar, variance=variance, num_levels=num_levels)


def draw_bounds(left, right):
    """The terms of 16 steps, and the bound of 4, 16 and 64, for data that are -1 or 1."""
    for variance in ("small", "large"):
        rows = {}
        for steps in (4, 16, 64):
            levels = cosine_alpha_bar(num_steps=steps)
            best = lambda x, t, levels=levels: _two_points.best_noise(x, levels[t])  # noqa: E731 (a network)
            rows[steps] = expected_terms(1.0, best, levels, num_levels=2, variance=variance, count=40)
        right.plot(list(rows), [row.sum() for row in rows.values()], "o-", label=f"{variance} variance")
        if variance == "small":
            left.bar(range(17), np.asarray(rows[16]))
    left.set(xlabel="the term's place, from $L_0$ to $L_T$", ylabel="nats")
    right.axhline(math.log(2), linestyle="--", color="gray", label=r"$\log 2$")
    right.set(xlabel="$T$ steps", ylabel="nats", xticks=[4, 16, 64])
    right.legend()


def draw_cells_and_code(cells, code):
    """Left: the probabilities of eight gray levels under a Gaussian. Right: what is known after so many bits of the bound."""
    values, mean, deviation = np.arange(8) / 3.5 - 1, 0.45, 0.35
    log_probs = discretized_gaussian_log_prob(values, np.full(8, mean), np.full(8, 2 * math.log(deviation)), num_levels=8)
    cells.bar(values, 3.5 * np.exp(np.asarray(log_probs)), width=1 / 3.5, alpha=0.35, edgecolor="white", label="cells")
    line = np.linspace(-1.3, 1.8, 121)
    bell = np.exp(-((line - mean) ** 2) / (2 * deviation**2)) / (math.sqrt(2 * math.pi) * deviation)
    cells.plot(line, bell, color="C1", label="Gaussian")
    cells.set(xlabel="$x_0$", ylabel="probability over width", ylim=(0, 1.5))
    cells.legend(loc="upper left")
    levels = cosine_alpha_bar(num_steps=16)
    best = lambda x, t: _two_points.best_noise(x, levels[t])  # noqa: E731 (a network)
    terms = expected_terms(1.0, best, levels, num_levels=2, variance="small")
    bits = np.cumsum(np.asarray(terms)[::-1])[:-1] / math.log(2)  # after the terms from L_T down to L_t
    t, shares = np.arange(1, 17)[::-1], np.asarray(levels)[1:][::-1]
    code.plot(bits, irreducible(levels, t) * (1 - shares) / shares, "o-", markersize=3)
    code.set(xlabel="bits so far", ylabel="mean squared error of the data")


def estimate(alpha_bar, prior_kl, denoising_kl, log_prob, elbo_terms):
    """Rows of one estimate at x_0 = 1 with noise 1 at level 2 and 0 at level 1, two gray levels, from these functions."""
    x0, predict = jnp.ones(1), lambda x, t: jnp.sqrt(1 - alpha_bar[t]) * x
    x_2, x_1 = 0.72 * x0 + math.sqrt(0.4816), 0.9 * x0
    yield r"L_2", prior_kl(x0, alpha_bar)[0], "0.3653"
    two = np.array([2])
    yield (
        r"\epsilon = 1: \quad (x_2, L_1)",
        (x_2[0], denoising_kl(x0, x_2, two, predict(x_2, 2), alpha_bar, variance="large")[0]),
        "(1.4140, 0.1625)",
    )
    decoder = log_prob(x0, 0.9 * x_1, jnp.log(jnp.array([0.19])), num_levels=2)
    yield r"\epsilon = 0: \quad (x_1, L_0)", (x_1[0], -decoder[0]), "(0.9, 0.0321)"
    rows = elbo_terms(x0, jnp.array([[0.0], [1.0]]), predict, alpha_bar, variance="large", num_levels=2)
    yield r"L_2 + L_1 + L_0", rows.sum(), "0.5599"
