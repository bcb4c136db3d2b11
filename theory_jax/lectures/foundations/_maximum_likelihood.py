"""What frequencies cost, counted over all tables, and the second figure of the lecture on maximum likelihood."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood, kl_divergence


def expected_divergence(n, p):
    """E[KL(p_hat || p)] over every count table of n draws from three categories."""
    counts = np.array([(a, b, n - a - b) for a, b in itertools.product(range(n + 1), repeat=2) if a + b <= n])
    log_factorial = np.array([math.lgamma(c + 1) for c in range(n + 1)])
    weight = np.exp(log_factorial[n] - log_factorial[counts].sum(1) + counts @ np.log(p))
    with np.errstate(divide="ignore"):
        log_p_hat = jnp.array(np.log(counts / n))
    return weight @ np.asarray(kl_divergence(log_p_hat, jnp.broadcast_to(jnp.log(p), log_p_hat.shape)))


POINTS = np.array([-1.2, -0.4, 0.1, 0.9, 1.1, 2.3])


def draw_fit_and_price(surface, price):
    """Left: the loss of six points over mean and variance. Right: how far frequencies are from the distribution."""
    means, variances = np.meshgrid(np.linspace(-1.2, 2.2, 41), np.linspace(0.3, 4, 41))
    models = np.stack([means.ravel(), np.log(variances.ravel())])
    losses = gaussian_negative_log_likelihood(
        np.tile(POINTS, 41 * 41)[:, None], *(np.repeat(entry, len(POINTS))[:, None] for entry in models)
    )
    mean = np.asarray(losses).reshape(41, 41, len(POINTS)).mean(axis=-1)
    lines = surface.contour(means, variances, mean, levels=[1.6, 1.65, 1.75, 1.9, 2.2, 2.8], colors="C0", linewidths=1)
    surface.clabel(lines, fmt="%.2f", fontsize=7)
    surface.plot(POINTS.mean(), POINTS.var(), "o", color="C1")
    surface.set(xlabel="mean $m$", ylabel="variance $s$")
    numbers = np.array([2, 4, 8, 16, 32])
    price.loglog(numbers, [expected_divergence(n, np.array([0.2, 0.3, 0.5])) for n in numbers], "o", label="expected divergence")
    price.loglog(numbers, 1 / numbers, "--", color="gray", label="$(K - 1) / (2 N)$")
    price.set(xlabel="labels $N$", ylabel="nats", xticks=numbers, xticklabels=numbers)
    price.set(yticks=(levels := [0.03, 0.1, 0.3]), yticklabels=levels)
    price.minorticks_off()
    price.legend()
