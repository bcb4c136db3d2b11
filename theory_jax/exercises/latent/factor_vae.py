"""Exercises of the lecture: The factor-VAE: a price for dependence alone."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import multivariate_normal

from theory_jax.latent.factor_vae import factor_discriminator_loss, mutual_information_from_counts
from theory_jax.lectures.latent.factor_vae import _gaps, _signs, derivation


@derivation.exercise(
    "What is the discriminator's loss when the coordinates are independent, and what when they are two equal fair coins? It is "
    "as good as it can be.",
    r"0.6931, a coin. Equal coins never differ, shuffled ones half of the time: where they differ it is certain, elsewhere the "
    r"best logit is $\log 2$. The loss is $\frac12 \log \frac32 + \frac14 \log 3$, 0.4774.",
    level="medium",
    hint="Write down the ratio of codes and shuffled codes for equal and for different coins.",
)
def losses():
    yield factor_discriminator_loss(jnp.zeros(1), jnp.zeros(1))[0], "0.6931"
    sure, equal = jnp.array([-800.0]), jnp.array([math.log(2)])
    both = factor_discriminator_loss(equal, equal)[0], factor_discriminator_loss(equal, sure)[0]
    yield sum(both) / 2, "0.4774"


@derivation.exercise(
    "One latent is equal to a fair sign. What is the gap of that factor if the other latent is an independent coin, and if it is "
    "a copy?",
    "1, and 0: two latents tell the factor.",
    level="easy",
    hint="Which latent has the second largest information about the factor?",
)
def copies():
    own, both = _signs, _signs[:, [0, 0]]
    yield _gaps(own)[0], "1"
    yield _gaps(both)[0], "0"


@derivation.exercise(
    "A latent determines a factor that has two values, in 3 of 4 cases the first. How much does it tell?",
    "The entropy of the factor, 0.5623 nats, and not $\\log 2$.",
    level="easy",
    hint="What is left of the factor's entropy if the latent is known?",
)
def uneven():
    yield mutual_information_from_counts(jnp.array([[[3, 0], [0, 1]]]))[0], "0.5623"


@derivation.exercise(
    "A code has three coordinates: two fair, independent signs and their product. What does one coordinate tell about another "
    "one, and how large is the total correlation?",
    r"Any two are independent, so they tell 0; all three have $\log 2$, or 0.6931. A penalty on pairs, such as one on "
    "correlations, sees nothing here. A discriminator sees it only if it looks at all coordinates together.",
    level="medium",
    hint="The total correlation is the sum of the entropies of the coordinates, less the entropy of the code.",
)
def a_product_of_signs():
    codes = np.array([(a, b, a * b) for a in (-1, 1) for b in (-1, 1)])
    for first, second in ((0, 1), (0, 2), (1, 2)):
        counts = np.zeros((1, 2, 2))
        for code in codes:
            counts[0, (code[first] + 1) // 2, (code[second] + 1) // 2] += 1
        yield mutual_information_from_counts(counts)[0], "0"
    logits = np.log((1 / 4) / (1 / 8)) * np.ones(len(codes))  # the best ones, at the codes
    yield logits.mean(), "0.6931"


@derivation.exercise(
    "Codes are normal with mean 0, variances 1 and the correlation 0.8. What is the best logit at $(1, 1)$ and at $(1, -1)$, "
    "and what is its mean over codes? What does a discriminator find whose logit is linear in the code?",
    "The best logit is quadratic: 0.9553 and -3.4892, with the mean 0.5108. A linear one finds nothing. Codes and shuffled codes "
    "have the same mean, so at the logit 0 the slope of the loss is zero, and as the loss is convex in the weights, 0.6931 "
    "is its minimum. The estimate of the dependence is then 0, and the penalty does not act.",
    level="hard",
    hint="Take the logarithm of the ratio of both densities; then ask which moments a linear logit can compare.",
)
def a_linear_discriminator():
    codes = multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]])
    shuffled = multivariate_normal([0, 0], np.eye(2))
    for code, printed in (((1, 1), "0.9553"), ((1, -1), "-3.4892")):
        yield codes.logpdf(code) - shuffled.logpdf(code), printed
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    a, b = (grid.ravel() for grid in np.meshgrid(nodes, nodes))
    weight = np.outer(weights, weights).ravel() / weights.sum() ** 2
    of_code, of_shuffled = np.stack([a, 0.8 * a + 0.6 * b], axis=1), np.stack([a, b], axis=1)
    yield weight @ (codes.logpdf(of_code) - shuffled.logpdf(of_code)), "0.5108"

    def loss(slopes):
        return weight @ factor_discriminator_loss(of_code @ slopes, of_shuffled @ slopes)

    yield loss(jnp.zeros(2)), "0.6931"
    yield np.abs(jax.grad(loss)(jnp.zeros(2))).max(), "0"
