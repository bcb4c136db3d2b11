"""Exercises of the lecture: Maximum likelihood is minimum Kullback-Leibler divergence."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Divergence
from theory_jax.derivation.parts import value
from theory_jax.foundations.maximum_likelihood import (
    categorical_negative_log_likelihood,
    cross_entropy,
    gaussian_maximum_likelihood,
)
from theory_jax.lectures.foundations._maximum_likelihood import expected_divergence
from theory_jax.lectures.foundations.maximum_likelihood import derivation, p, q


@derivation.exercise(
    r"Compute $\mathrm{KL}(p \,\|\, q)$ for $p = (\frac34, \frac14)$ and $q = (\frac14, \frac34)$ by hand.",
    r"$\frac34 \log 3 - \frac14 \log 3 = \frac12 \log 3 = 0.5493$ nats.",
    level="easy",
    hint="Both logarithms are $\\pm \\log 3$.",
)
def two_coins():
    yield value(Divergence(p, q), {p: (0.75, 0.25), q: (0.25, 0.75)}), "0.5493"


@derivation.exercise(
    "Which Gaussian is most likely for the points 1, 2 and 6? By which factor is its variance smaller than the unbiased one?",
    "The one with the mean 3 and the variance 14/3. The unbiased estimate is 7, so the factor is 2/3, one less than the number "
    "of points over that number.",
    level="easy",
    hint="Divide the sum of the squared distances from the mean by the number of points.",
)
def three_points():
    points = np.array([[1.0], [2.0], [6.0]])
    mean, log_var = gaussian_maximum_likelihood(points)
    yield mean[0], "3"
    yield jnp.exp(log_var[0]), "14/3"
    yield np.var(points, ddof=1), "7"
    yield jnp.exp(log_var[0]) / np.var(points, ddof=1), "2/3"


@derivation.exercise(
    r"Why can a model with a bias not learn the sum of its logits?",
    r"The gradient $\sigma - p$ sums to 0, and the second derivative along $(1, \dots, 1)$ is 0: the loss does not change in "
    r"that direction at all.",
    level="medium",
    hint="What does the gradient in the logits sum to?",
)
def a_direction_without_a_gradient():
    data = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    yield (
        jax.grad(lambda logits: cross_entropy(data, jax.nn.log_softmax(logits)[None])[0])(jnp.array([0.3, -1.2, 2.0])).sum(),
        "0",
    )


@derivation.exercise(
    "Of two categories the first was seen three times, the second never. What does a new label of the second cost, in nats, "
    "under maximum likelihood, and what if one is added to every count? What does the sample itself cost then?",
    "Maximum likelihood gives it the probability 0, and its cost is infinite. With one added the probabilities are 0.8 and "
    "0.2: the new label costs 1.6094 nats, and each label of the sample 0.2231 in place of 0.",
    level="medium",
    hint="The cost of a label is minus the logarithm of its probability.",
)
def never_seen():
    counts = np.array([3.0, 0.0])
    smooth = (counts + 1) / (counts + 1).sum()
    yield (counts / counts.sum())[1], "0"
    yield smooth, "0.8 and 0.2"
    costs = categorical_negative_log_likelihood(jnp.array([1, 0]), jnp.log(jnp.array([smooth, smooth])))
    yield costs[0], "1.6094"
    yield costs[1], "0.2231"


@derivation.exercise(
    r"Bound $\mathbb{E}[\mathrm{KL}(\hat p \,\|\, p)]$ for every $N$, and evaluate the bound for $K = 3$, $N = 10$.",
    r"By Jensen $\mathrm{KL}(\hat p \,\|\, p) \le \log(1 + \chi^2)$ with $\chi^2 = \sum_k (\hat p_k - p_k)^2 / p_k$, and by "
    r"Jensen once more $\mathbb{E} \log(1 + \chi^2) \le \log(1 + \mathbb{E}\chi^2) = \log(1 + \frac{K - 1}{N})$: 0.1823 nats. "
    r"At $p = (0.2, 0.3, 0.5)$ the expected divergence is 0.1123.",
    level="hard",
    hint="Apply Jensen's inequality to the logarithm in the divergence, and once more to the mean over samples.",
)
def a_bound_at_every_size():
    yield math.log(1 + 2 / 10), "0.1823"
    yield expected_divergence(10, np.array([0.2, 0.3, 0.5])), "0.1123"
