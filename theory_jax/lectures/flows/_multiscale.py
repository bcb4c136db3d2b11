"""What the half that stays tells about the half that leaves: the second figure of the lecture on multi-scale flows."""

import math

import numpy as np

from theory_jax.flows.multiscale import split_prior_log_prob


def draw_pair(pairs, gain):
    """Left: normal pairs with the Gaussian that leaves, given what stays. Right: the gain by the correlation."""
    random = np.random.default_rng(2)
    stays, free = random.standard_normal((2, 1000))
    leaves = 0.9 * stays + math.sqrt(1 - 0.81) * free
    line = np.array([-3, 3])
    pairs.plot(stays[:250], leaves[:250], ".", color="gray", markersize=3)
    pairs.plot(line, 0.9 * line, color="C0", label=r"mean $\rho a$")
    pairs.fill_between(line, 0.9 * line - math.sqrt(0.19), 0.9 * line + math.sqrt(0.19), color="C0", alpha=0.25, linewidth=0)
    pairs.axhspan(-1, 1, color="C1", alpha=0.15, linewidth=0, label="without $a$")
    pairs.set(xlabel="$a$, stays", ylabel="$b$, leaves", xlim=(-3, 3), ylim=(-3, 3))
    pairs.legend(fontsize="small", loc="upper left")
    grid = np.linspace(0, 0.99, 100)
    gain.plot(grid, -np.log(1 - grid**2) / 2, color="C0", label="$-\\frac{1}{2} \\log(1 - \\rho^2)$")
    found = []
    for rho in (at := np.array([0.2, 0.4, 0.6, 0.8, 0.9, 0.95])):
        other = rho * stays + math.sqrt(1 - rho**2) * free
        pair = np.stack([stays, other], axis=1)
        given = split_prior_log_prob(pair, lambda a, r=rho: r * a, lambda a, r=rho: math.log(1 - r**2) + 0 * a)[1]
        alone = split_prior_log_prob(pair, lambda a: 0 * a, lambda a: 0 * a)[1]
        found.append(np.mean(given - alone))
    gain.plot(at, found, "o", color="C1", markersize=4, label="mean over 1000 pairs")
    gain.set(xlabel=r"correlation $\rho$", ylabel="gain, nats")
    gain.legend(fontsize="small")
