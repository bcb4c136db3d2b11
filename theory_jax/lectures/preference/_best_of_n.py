"""The gold reward of the best of n by a flawed proxy, and figures of gold rewards against the root of the divergence."""

import jax.numpy as jnp
import numpy as np

from theory_jax.preference.overoptimization import best_of_n_kl_bound, best_of_n_log_probs, normal_maximum_mean

COUNTS = 2 ** np.arange(10)
DISTANCE = np.sqrt([float(best_of_n_kl_bound(samples=int(count))) for count in COUNTS])


def gold_with_a_flaw(samples):
    """Of the best of n: gold reward 0, 1 and, with a flaw in one of a hundred, 1/2 on average."""
    kinds = jnp.log(jnp.array([[0.495, 0.495, 0.01]]))
    return jnp.exp(best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0]]), kinds, samples=samples))[0] @ jnp.array([0.0, 1.0, 0.5])


def draw_gaussian(left):
    """Unit Gaussian gold and error: the proxy and the gold reward of the best of n."""
    largest = np.array([float(normal_maximum_mean(samples=int(count))) for count in COUNTS])
    left.plot(DISTANCE, np.sqrt(2) * largest, "--", color="gray", label="proxy")
    left.plot(DISTANCE, largest / np.sqrt(2), "o-", markersize=3, label="gold")
    left.set(xlabel=r"$\mathrm{KL}_n^{1/2}$", ylabel="reward of the best of $n$")
    left.legend()


def draw_flaws(right):
    """The gold reward with a rare flaw, and with an error that has heavy tails."""
    right.plot(DISTANCE, [gold_with_a_flaw(int(count)) for count in COUNTS], "o-", markersize=3, label="a rare flaw")
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(2000, COUNTS[-1]))
    proxy = gold + rng.standard_t(1.5, size=gold.shape)
    kept = [gold[np.arange(2000), proxy[:, :count].argmax(axis=1)].mean() for count in COUNTS]
    right.plot(DISTANCE, kept, "o-", markersize=3, label="heavy tails")
    right.set(xlabel=r"$\mathrm{KL}_n^{1/2}$", ylabel="gold reward of the best of $n$", ylim=(-0.1, 1.05))
    right.legend()
