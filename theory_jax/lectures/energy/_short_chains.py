"""Machines that are small enough to enumerate, and the distributions of their chains."""

import math

import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE
from theory_jax.energy._machine import states
from theory_jax.energy.contrastive_divergence import chain, gibbs_matrix, gradient, sufficient_statistics
from theory_jax.energy.restricted_boltzmann_machine import log_likelihood

MACHINE = (np.full((2, 1), math.log(2.0)), np.zeros(2), np.zeros(1))  # two visible units, one hidden, both weights log 2


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


STEPS = (0, 1, 2, 5, 10, 40)


def approach(small, large, moment):
    """Draws how many of four visible units are on after some steps from data with all of them on, for weights 2 and 4."""
    on, steps = np.asarray(states(4)).sum(axis=1).astype(int), STEPS[moment]
    for panel, w in ((small, 2.0), (large, 4.0)):
        law, matrix, hidden = map(np.asarray, enumerated(np.full((4, 1), w), np.full(4, -w / 2), np.array([-2 * w])))
        data = (on == 4).astype(float)
        after = laws(data, matrix, steps)[-1]
        seen = (data - after) @ hidden[:, 0] / ((data - law) @ hidden[:, 0])
        panel.vlines(range(5), 0, np.bincount(on, law), color="gray", alpha=0.4, linewidth=20)
        panel.vlines(range(5), 0, np.bincount(on, after), color=BLUE, linewidth=9)
        title = f"$w = {w:g}$, $g_k / g = {seen:.2f}$"
        panel.set(xlim=(-0.6, 4.6), ylim=(0, 1.05), xlabel="visible units that are on", ylabel="probability", title=title)


def updates():
    """Two updates of a machine of two visible units and a hidden one, from the data 11."""
    machine, datum, rate = MACHINE, np.ones((1, 2)), 0.5
    uniforms = ((0.3, (0.5, 0.9)), (0.6, (0.8, 0.2)))
    printed = (("(1, 0)", "(0.7598, 1.0931, 0.5, 0.0667)"), ("(0, 1)", "(1.1959, 1.1485, 0.5, 0.1221)"))
    for (up_, down_), (state, parameters) in zip(uniforms, printed, strict=True):
        end = chain(datum, np.full((1, 1, 1), up_), np.array(down_)[None, None], *machine)
        weight, visible_bias, hidden_bias = gradient(datum, end, machine[0], machine[2])
        machine = tuple(old + rate * new for old, new in zip(machine, (weight, visible_bias, hidden_bias), strict=True))
        yield "v'", end[0], state
        yield "W_1, W_2, b_2, c", jnp.array([*machine[0][:, 0], machine[1][1], machine[2][0]]), parameters
