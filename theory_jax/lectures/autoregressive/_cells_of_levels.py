"""The figure of the lecture on discretized mixtures."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, log

from theory_jax.autoregressive.discretized_mixture import (
    discretized_logistic_log_prob,
    discretized_logistic_mixture_log_prob,
    discretized_logistic_mixture_sample,
)

SCALE = -np.log(2 * np.log(3))  # of the example


def cells_and_tails(cells, tails):
    """The probabilities of nine levels, and of one level far from the mean."""
    x = np.linspace(-1, 1, 9)
    cells.bar(
        x, np.exp(discretized_logistic_log_prob(x, np.full(9, 0.5), np.full(9, np.log(0.2)), num_levels=9)), 0.23, alpha=0.6
    )
    place = np.linspace(-1.1, 1.6, 120)
    odds = np.exp(-(place - 0.5) / 0.2)
    cells.plot(place, 0.25 * odds / (1 + odds) ** 2 / 0.2, color="gray")
    cells.set(xlabel="level, $x_k$", ylabel="probability")
    mean = np.linspace(-1.5, 0, 60)
    log_probs = discretized_logistic_log_prob(np.zeros(60), mean, np.full(60, -4.0), num_levels=257)
    tails.plot(mean, log_probs, label="product")
    high, low = (1 / (1 + np.exp(-(side / 256 - mean) * np.exp(4))) for side in (1, -1))
    seen = high > low
    tails.plot(mean[seen], np.log(high[seen] - low[seen]), "--", color="gray", linewidth=3, label="difference")
    tails.set(xlabel="mean, $m$", ylabel=r"$\log P$")
    tails.legend()


def a_level_and_three_samples():
    """The box: the middle of the three levels under two components, and three samples."""
    parts = [
        discretized_logistic_log_prob(np.zeros(1), np.full(1, mean), np.full(1, SCALE), num_levels=3)[0] for mean in (0.0, -0.5)
    ]
    yield r"\text{the example's level 0: } e^{\ell_1}, e^{\ell_2}", jnp.exp(jnp.array(parts)), "(0.5, 0.4)"
    tables = np.zeros((1, 3, 2)), np.broadcast_to([0.0, -0.5], (1, 3, 2)), np.full((1, 3, 2), SCALE)
    loss = -discretized_logistic_mixture_log_prob(np.zeros((1, 3)), *tables, num_levels=3)[0, 0]
    yield r"\text{loss, } -\log 0.45", loss, "0.7985"
    yield r"\gamma_1, \gamma_2", jnp.exp(jnp.array(parts) + loss) / 2, "(5/9, 4/9)"
    drawn = discretized_logistic_mixture_sample(np.array([[0.4, 0.4, 0.6]]), np.array([[0.2, 0.7, 0.95]]), *tables, num_levels=3)
    yield r"\text{sampled at } u = 0.2, 0.7 \text{ from the first, } 0.95 \text{ from the second}", drawn, "(-1, 0, 1)"


def far_cells():
    """Log-probabilities of five cells by the code, with 40 digits, and cut off at 1e-12."""
    places = [(Rational(521, 10), 52), (701, 700), (-52, -Rational(521, 10)), (-700, -701), (1, Rational(-1, 1000))]
    found, wanted, cut = [], [], []
    for high, low in places:  # the middle of three levels has the edges -1/2 and 1/2
        scale = 1 / (sympy.sympify(high) - low)
        mean = Rational(1, 2) - high * scale
        row = (np.zeros(1), np.array([float(mean)]), np.array([float(log(scale))]))
        found.append(float(discretized_logistic_log_prob(*row, num_levels=3)[0]))
        product = 1 / (1 + exp(-sympy.sympify(high))) - 1 / (1 + exp(-sympy.sympify(low)))
        wanted.append(float(log(product).evalf(40, maxn=2000)))
        cut.append(max(wanted[-1], np.log(1e-12)))
    return np.array(found), np.array(wanted), np.array(cut)


def levels_at_the_edges():
    """The levels that the code samples at the ends of every cell's interval, and those that are meant."""
    x, mean, scale = np.linspace(-1, 1, 9), np.array([0.1, -0.4]), np.array([0.3, 0.5])
    law = lambda edge: 1 / (1 + np.exp(-(edge[:, None] - mean) / scale))  # noqa: E731
    low, high = law(x - 1 / 8), law(x + 1 / 8)
    low[0], high[-1] = 0, 1
    uniforms = np.stack([low + 1e-9, high - 1e-9])
    component = np.broadcast_to(np.array([0.25, 0.75]), uniforms.shape).reshape(1, -1)
    tables = (np.broadcast_to(part, (1, component.size, 2)) for part in (np.zeros(2), mean, np.log(scale)))
    found = discretized_logistic_mixture_sample(component, uniforms.reshape(1, -1), *tables, num_levels=9)
    wanted = np.broadcast_to(x[:, None], uniforms.shape).reshape(1, -1)
    return found, wanted


def sums_over_levels():
    """The sums of the probabilities of 2, 3, 16 and 256 levels, for twelve means and scales."""
    places = np.array([(m, s) for m in (-1.5, 0.0, 0.37) for s in (-7.0, -3.0, -1.0, 1.0)])
    sums = []
    for levels in (2, 3, 16, 256):
        x = np.broadcast_to(np.linspace(-1, 1, levels)[:, None], (levels, len(places)))
        m, s = (np.broadcast_to(part, x.shape) for part in places.T)
        probabilities = np.exp(np.asarray(discretized_logistic_log_prob(x, m, s, num_levels=levels)))
        sums.append(probabilities.sum(0))
    return np.array(sums)


def corrections_of_the_density():
    """By the code with 4001 levels, and by the formula, at the scale e^(-1/2)."""
    place = np.arange(200, 3900, 411)
    x, mean, log_scale = place / 2000 - 1, np.full(len(place), 0.1), np.full(len(place), -0.5)
    z = (x - mean) * np.exp(0.5)
    f = np.exp(-z) / (1 + np.exp(-z)) ** 2
    log_probs = np.asarray(discretized_logistic_log_prob(x, mean, log_scale, num_levels=4001))
    found = (log_probs - np.log(2 / 4000) - np.log(f) - 0.5) * 4000**2
    wanted = (1 - 6 * f) * np.exp(1.0) / 6
    return found, wanted
