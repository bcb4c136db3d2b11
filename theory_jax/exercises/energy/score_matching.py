"""Exercises of the lecture: Score matching: a model is fitted through the slope of its log-density."""

import jax
import jax.numpy as jnp
from sympy import Rational

from theory_jax.derivation.notation import Slope, plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.energy_models import gaussian_mixture_energy
from theory_jax.energy.score_matching import explicit_loss, fisher_divergence
from theory_jax.lectures.energy._linear_scores import of_linear_models
from theory_jax.lectures.energy.score_matching import V, derivation, half, lam, sigma, tau


@derivation.exercise(
    "The model's score is $-x$, that of the data, which are standard normal. What is the explicit loss at the points 0 and 2? Is "
    "the model worse at the second?",
    "It is -1 and 1. The model is exact at both: a single value of this loss says nothing about the fit there, only the mean "
    "over the data does, -0.5.",
    level="easy",
    hint="Half the square of the score, plus its slope.",
)
def two_points():
    yield explicit_loss(jnp.array([[0.0], [2.0]]), lambda x: -x), "-1 and 1"
    yield of_linear_models([1.0], 0.5)[0], "-0.5"


@derivation.exercise(
    r"Data with mean 0 and variance 1, and the model $-\lambda x$. Where is the mean explicit loss least, and what is it there?",
    prose(
        r"It is $\frac12 \lambda^2 - \lambda$: its slope is {flat} at {best}, the inverse variance. So -0.5 is what a training "
        "curve tends to, and a negative loss is no mistake.",
        flat=holds(Slope(plus(lam**2 / 2, -lam), lam), "=", 0, named=True),
        best=where(lam, 1),
    ),
    level="medium",
    hint="The mean square of the data is 1, and the divergence is a constant.",
)
def least_explicit_loss():
    yield of_linear_models([1.0], 0.5)[0], "-0.5"


@derivation.exercise(
    "The same data and model with the denoising loss, and noise of deviation one half. What cannot be trained away?",
    prose(
        r"The best factor is $1/(1 + \sigma^2)$, 0.8, and the loss there is {rest}, or 1.6. It says nothing about the fit.",
        rest=holds(tau / 2, "=", Rational(8, 5), when={V: 1, sigma: half}),
    ),
    level="medium",
    hint="The best score is that of the noisy data; what is their variance?",
)
def least_denoising_loss():
    yield of_linear_models([0.8], 0.5)[2], "1.6"


@derivation.exercise(
    r"An energy is a network of linear layers and ReLUs, so its score is constant on pieces. Which constant does the explicit "
    r"loss prefer on a piece?",
    r"0. The divergence is 0 wherever it is computed, and what is left is $\frac12 \|s\|^2$, for the score (3, 4) say 12.5. The "
    r"jumps between the pieces, which hold the divergence, are never seen: the setting requires continuous slopes.",
    level="hard",
    hint="What is the derivative of a function that is constant on pieces, where there is one?",
)
def piecewise_linear_energy():
    yield explicit_loss(jnp.zeros((1, 2)), lambda x: 0 * x + jnp.array([3.0, 4.0])), "12.5"


@derivation.exercise(
    "Data come from two Gaussians of variance 1 around -4 and 4, with the weights 0.9 and 0.1. One model has both weights 0.5, "
    "another has the right weights but both means too large by 0.1. What are their Fisher divergences, and their "
    "Kullback-Leibler divergences?",
    "The first has the Fisher divergence 0.0003 and the Kullback-Leibler divergence 0.3680, the second 0.0050 and 0.0050. Score "
    "matching prefers the first by far, the likelihood the second: near each mode the score does not depend on its weight, and "
    "between the modes there are almost no data.",
    level="hard",
    hint="Integrate numerically; where do the scores of the data and of the first model differ, and how many data are there?",
)
def unseen_weights():
    line = jnp.linspace(-14.0, 14.0, 5601)[:, None]

    def energy(x, weights, shift=0.0):
        return gaussian_mixture_energy(x, jnp.array([[-4.0], [4.0]]) + shift, jnp.zeros(2), jnp.log(jnp.array(weights)))

    def seen(*model):
        return energy(line, *model), -jax.grad(lambda x: jnp.sum(energy(x, *model)))(line)

    own, score = seen((0.9, 0.1))
    chance = jnp.exp(-own) * (line[1, 0] - line[0, 0])
    for model, fisher, likelihood in ((((0.5, 0.5),), "0.0003", "0.3680"), (((0.9, 0.1), 0.1), "0.0050", "0.0050")):
        other, its_score = seen(*model)
        yield chance @ fisher_divergence(score, its_score), fisher
        yield chance @ (other - own), likelihood
