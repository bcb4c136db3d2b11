"""Machines that are small enough to enumerate, and the distributions of their chains."""

import jax.numpy as jnp
import numpy as np

from theory_jax.energy._machine import states
from theory_jax.energy.contrastive_divergence import gibbs_matrix, sufficient_statistics
from theory_jax.energy.restricted_boltzmann_machine import log_likelihood


def enumerated(weight, visible_bias, hidden_bias):
    """A machine's distribution [S], its matrix [S, S], and the probabilities of its hidden units [S, H], for all S states."""
    layer = states(len(weight))
    distribution = jnp.exp(log_likelihood(layer, weight, visible_bias, hidden_bias))
    return distribution, gibbs_matrix(weight, visible_bias, hidden_bias), sufficient_statistics(layer, weight, hidden_bias)[2]


def laws(data, matrix, steps):
    """The distribution of the chain after 0, 1, ... steps from the data, [steps + 1, S]."""
    return np.stack([np.asarray(data) @ np.linalg.matrix_power(np.asarray(matrix), k) for k in range(steps + 1)])


def errors_and_bounds(power=0, spread=True):
    """A function that gives |g_k - g| and its spectral bound. power: further factors; spread: the whole variance, not half."""

    def both(machines, data, steps):
        smaller, larger = [], []
        for machine, law in zip(machines, data, strict=True):
            model, matrix, on = map(np.asarray, enumerated(*machine))
            statistic = on[:, 0]
            variance = model @ statistic**2 - (model @ statistic) ** 2
            scale = np.sqrt(np.sum((law - model) ** 2 / model) * (variance if spread else variance / 2))
            for k, reached in enumerate(laws(law, matrix, steps)):
                smaller.append(abs(reached @ statistic - model @ statistic))
                larger.append(second_eigenvalue(matrix) ** (k + power) * scale)
        return np.array(smaller), np.array(larger)

    return both


def second_eigenvalue(matrix):
    """The second largest eigenvalue of a matrix with real ones."""
    return np.sort(np.linalg.eigvals(np.asarray(matrix)).real)[-2]


def draw_by_steps(errors, distances, data):
    """Errors of the expected update, and divergences from the model, by steps from the data, for weights 2, 4 and 6."""
    for w in (2.0, 4.0, 6.0):
        law, matrix, on_ = map(np.asarray, enumerated(np.full((2, 1), w), np.full(2, -w / 2), np.array([-w])))
        after = laws(data, matrix, 10)
        off = (after - law) @ on_[:, 0] / ((data - law) @ on_[:, 0])
        (line,) = errors.semilogy(off, "o", markersize=4, label=f"$w = {w:.0f}$")
        second = second_eigenvalue(matrix)
        errors.semilogy(second ** np.arange(11), "--", color=line.get_color(), linewidth=1)
        distances.semilogy([np.sum(one * np.log(np.where(one > 0, one, 1.0) / law)) for one in after], "o-", markersize=3)
    errors.set(xlabel="steps, $k$", ylabel="$(g - g_k) / g$ of the hidden bias", ylim=(1e-6, 2))
    errors.legend()
    distances.set(xlabel="steps, $k$", ylabel=r"$\mathrm{KL}(d_k \| p)$, nats", ylim=(1e-8, 5))
