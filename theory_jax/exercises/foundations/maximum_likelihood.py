"""Exercises of the lecture: Maximum likelihood is minimum Kullback-Leibler divergence."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Divergence
from theory_jax.derivation.parts import value
from theory_jax.foundations.maximum_likelihood import cross_entropy
from theory_jax.lectures.foundations.maximum_likelihood import _expected_divergence, derivation, p, q


@derivation.exercise(
    r"Compute $\mathrm{KL}(p \,\|\, q)$ for $p = (\frac34, \frac14)$ and $q = (\frac14, \frac34)$ by hand.",
    r"$\frac34 \log 3 - \frac14 \log 3 = \frac12 \log 3 = 0.5493$ nats.",
)
def two_coins():
    yield value(Divergence(p, q), {p: (0.75, 0.25), q: (0.25, 0.75)}), "0.5493"


@derivation.exercise(
    r"Why can a model with a bias not learn the sum of its logits?",
    r"The gradient $\sigma - p$ sums to 0, and the second derivative along $(1, \dots, 1)$ is 0: the loss does not change in "
    r"that direction at all.",
)
def a_direction_without_a_gradient():
    data = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    yield (
        jax.grad(lambda logits: cross_entropy(data, jax.nn.log_softmax(logits)[None])[0])(jnp.array([0.3, -1.2, 2.0])).sum(),
        "0",
    )


@derivation.exercise(
    r"Bound $\mathbb{E}[\mathrm{KL}(\hat p \,\|\, p)]$ for every $N$, and evaluate the bound for $K = 3$, $N = 10$.",
    r"By Jensen $\mathrm{KL}(\hat p \,\|\, p) \le \log(1 + \chi^2)$ with $\chi^2 = \sum_k (\hat p_k - p_k)^2 / p_k$, and by "
    r"Jensen once more $\mathbb{E} \log(1 + \chi^2) \le \log(1 + \mathbb{E}\chi^2) = \log(1 + \frac{K - 1}{N})$: 0.1823 nats. "
    r"At $p = (0.2, 0.3, 0.5)$ the expected divergence is 0.1123.",
)
def a_bound_at_every_size():
    yield math.log(1 + 2 / 10), "0.1823"
    yield _expected_divergence(10, np.array([0.2, 0.3, 0.5])), "0.1123"
