"""Log-weights of annealed walks: of a machine of five visible and three hidden units, and with perfect transitions."""

import math

import numpy as np

from theory_jax.energy.annealed_importance_sampling import log_weights
from theory_jax.energy.restricted_boltzmann_machine import exact_log_partition


def gap_and_variance(gains, factors):
    """The gap and the variance of log w for f_0 = 1 and these gains, with perfect transitions and equal steps."""
    betas = np.arange(factors)[:, None] / factors
    laws = np.exp(betas * gains) / np.sum(np.exp(betas * gains), axis=1, keepdims=True)
    means = laws @ gains
    variances = laws @ gains**2 - means**2
    return np.log(np.mean(np.exp(gains))) - np.mean(means), np.sum(variances) / factors**2


def walk_weights(rng, runs, factors, machine):
    """Log-weights of so many runs with so many equal steps, from fair coins."""
    visible, hidden = machine[0].shape
    shapes = (runs, visible), (factors - 1, runs, hidden), (factors - 1, runs, visible)
    return np.asarray(log_weights(*map(rng.uniform, (0,) * 3, (1,) * 3, shapes), np.linspace(0, 1, factors + 1), *machine))


def random_machine(rng):
    """Five visible and three hidden units."""
    return *(rng.normal(size=shape) for shape in ((5, 3), (5,), (3,))), np.zeros(5)


def draw_weights_by_factors(walks, perfect):
    """Log-weights of 300 walks by the number of factors, and the gap and the variance with perfect transitions."""
    rng = np.random.default_rng(5)
    machine = random_machine(np.random.default_rng(3))
    log_ratio = float(exact_log_partition(*machine[:3])) - 8 * math.log(2)
    for place, factors in enumerate((1, 4, 16)):
        off = walk_weights(rng, 300, factors, machine) - log_ratio
        walks.plot(place + rng.uniform(-0.25, 0.25, size=300), off, ".", markersize=2)
        walks.hlines(np.log(np.mean(np.exp(off))), place - 0.35, place + 0.35, color="black", linewidth=1.5)
    walks.axhline(0, color="gray", linewidth=0.5)
    walks.set(xlabel="factors, $K$", ylabel=r"$\log w - \log(Z_1/Z_0)$", xticks=range(3), xticklabels=["1", "4", "16"])
    counts = np.array([1, 2, 4, 8, 16, 32, 64])
    found = counts[:, None] * np.array([gap_and_variance(np.array([0.0, np.log(4)]), k) for k in counts])
    for column, name in enumerate(("gap", "variance")):
        (line,) = perfect.semilogx(counts, found[:, column], "o-", markersize=3, base=2, label=name)
        perfect.axhline(0.3 * np.log(4) * (column + 1) / 2, linestyle="--", color=line.get_color(), linewidth=1)
    perfect.set(xlabel="factors, $K$", ylabel="times $K$", ylim=(0, 0.55))
    perfect.legend()
