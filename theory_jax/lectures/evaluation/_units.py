"""Parts of the lecture on bits per dimension: comparisons with the code, and the figure."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, log

from theory_jax.derivation.notation import Total
from theory_jax.evaluation.bits_per_dimension import (
    annealed_log_weights,
    discretized_logistic_log_probs,
    parzen_log_likelihood,
    uniform_dequantize,
)


def comparisons_with_the_code(derivation, g):
    """Adds to the lecture the comparisons of noise, logistic probabilities, weights and windows."""
    noise = derivation.number("u_0", "the noise of one value", "u", between=(0, 1))
    derivation.bridge(
        "... scaled data with noise: the value 3 of 7 levels",
        (3 + noise) / 7,
        uniform_dequantize,
        x=jnp.array([[3]]),
        u=[[noise]],
        num_levels=7,
        wrong={"divided by L - 1": (3 + noise) / 6},
    )
    m = derivation.number("m", "the mean of a logistic distribution", "mean")
    kappa = derivation.number(r"\kappa", "the logarithm of its scale", "log_scale")

    def logistic(edge):
        return 1 / (1 + exp(-(edge - m) / exp(kappa)))

    quarter = Rational(1, 4)
    ends = log(logistic(-3 * quarter)), log(1 - logistic(3 * quarter))
    derivation.bridge(
        "... the log-probabilities of the lowest, the middle and the highest of five levels",
        [ends[0], log(logistic(quarter) - logistic(-quarter)), ends[1]],
        discretized_logistic_log_probs,
        values=jnp.array([[0, 2, 4]]),
        mean=[[m, m, m]],
        log_scale=[[kappa, kappa, kappa]],
        num_levels=5,
        wrong={
            "half a width by the number of levels": [ends[0], log(logistic(Rational(1, 5)) - logistic(-Rational(1, 5))), ends[1]]
        },
    )
    t = derivation.index("t", "a step of the annealing")
    step = derivation.law(r"\Delta", t, "by how much the temperature rises", "diff(temperatures)")
    log_prior = derivation.numbers(r"\phi", t, "the prior's logarithm at the state before", "log_prior_path")
    log_target = derivation.numbers(r"\psi", t, "... and the target's", "log_target_path")
    derivation.bridge(
        "... the logarithm of a weight",
        Total(t, step * (log_target - log_prior)),
        annealed_log_weights,
        log_prior_path=[log_prior],
        log_target_path=[log_target],
        temperatures=[*(sum(step.at(s) for s in range(reached)) for reached in range(4)), 1],
        wrong={"prior and target exchanged": Total(t, step * (log_prior - log_target))},
    )
    n = derivation.index("n", "a sample")
    N = derivation.count(n, "N", "the number of samples")
    sample = derivation.numbers("s", n, "where it is", "samples")
    derivation.bridge(
        "... and a Parzen window, with bandwidth 2 in one dimension",
        log(Total(n, exp(-((g - sample) ** 2) / 8)) / N) - log(2) - log(2 * sympy.pi) / 2,
        parzen_log_likelihood,
        x=[[g]],
        samples=[[sample.at(s)] for s in range(4)],
        bandwidth=2.0,
    )


def draw_noise(cells):
    """A density over four cells, the probabilities that it gives, and what uniform noise reports."""
    u = (np.arange(25) + 0.5) / 25
    for value_ in range(4):
        x = uniform_dequantize(np.full((1, 25), value_), u[None], num_levels=4)[0]
        density = np.asarray(30 * x**2 * (1 - x) ** 2 / 4)
        cells.plot(value_ + u, density, color="gray")
        cells.hlines([density.mean(), np.exp(np.log(density).mean())], value_, value_ + 1, color=["C0", "C1"], linewidth=2)
    cells.set(xlabel="$v + u$", ylabel="density")


def draw_windows(windows):
    """What a Parzen window misses, by its bandwidth."""
    draws = np.random.default_rng(0).standard_normal((532, 32))
    points, samples = draws[:32], draws[32:]
    truth = (-(points**2).sum(1) / 2 - 16 * np.log(2 * np.pi)).mean()
    nearest = ((points[:, None] - samples) ** 2).sum(2).min(1).mean()
    widths = np.linspace(0.55, 1.3, 9)
    windows.plot(
        widths,
        [truth - np.mean(parzen_log_likelihood(points, samples, bandwidth=float(h))) for h in widths],
        marker=".",
        label="measured",
    )
    windows.plot(widths, 16 * (np.log(1 + widths**2) - widths**2 / (1 + widths**2)), label="blur")
    windows.plot(widths, 16 * (np.log(widths**2) - 1) + nearest / (2 * widths**2), label="miss")
    windows.set(xlabel="bandwidth, $h$", ylabel="nats", ylim=(0, 12))
    windows.legend()
