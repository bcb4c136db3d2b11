"""Exercises of the lecture: Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.adversarial.gradient_penalty import gradient_penalty, zero_centered_gradient_penalty
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.gradient_penalty import best, d, derivation, h, lam


@derivation.exercise(
    "Samples must move by 2. From which weight of the penalty on is the slope of a linear critic within 1% of 1?",
    prose(
        "From {weight} on: it exceeds 1 by {excess}, 0.01.",
        weight=where(lam, 100),
        excess=holds(best - 1, "=", d / 200, named=True),
    ),
    level="easy",
    hint="The excess of the best slope is inversely proportional to the weight.",
)
def one_percent():
    weight = 100.0
    slopes = np.linspace(1.0, 1.02, 2001)
    gains = [2 * slope - weight * float((slope - 1) ** 2) for slope in slopes]
    yield 2 / (2 * 0.01), "100"
    yield slopes[int(np.argmax(gains))] - 1, "0.01"


@derivation.exercise(
    prose("For which weights do steps of size {size} contract near the equilibrium?", size=where(h, Rational(1, 10))),
    prose(
        "Between {low} and {high}, 20.0125.",
        low=holds(h / 4, "=", Rational(1, 40), named=True),
        high=holds(plus(2 / h, h / 8), "=", 20 + Rational(1, 80)),
    ),
    level="easy",
    hint="Both ends are functions of the step size alone.",
)
def weights_that_contract():
    yield 2 / 0.1 + 0.1 / 8, "20.0125"


@derivation.exercise(
    r"The critic is $w_2 \tanh(w_1 x)$ with both weights 1. What are the two-sided penalty at the point $\frac12$, and its "
    "slopes in $w_1$ and $w_2$?",
    r"The critic's slope there is $1 - \tanh^2 \frac12$, less than 1, and the penalty 0.0456. It falls if the slope grows: the "
    "derivatives are $-0.1807$ and $-0.3359$.",
    level="medium",
    hint="Differentiate the critic in x first, and only then in the weights.",
)
def bent_critic():
    def penalty(w1, w2):
        return gradient_penalty(jnp.full((1, 1), 0.5), lambda x: w2 * jnp.tanh(w1 * x[:, 0]))[0]

    yield penalty(1.0, 1.0), "0.0456"
    inner, outer = jax.grad(penalty, argnums=(0, 1))(1.0, 1.0)
    yield inner, "-0.1807"
    yield outer, "-0.3359"


@derivation.exercise(
    "A linear critic of slope s on a pair at distance 2 pays a zero-centered penalty of weight 4 instead of the two-sided one. "
    "Which slope is best, and what is the objective there? What does it measure at other distances?",
    "The best slope is the distance over the weight, 0.5, and the objective 0.5: the square of the distance over twice the "
    "weight. It measures the squared distance, and the critic flattens as the samples arrive.",
    level="medium",
    hint="The gain is linear in the slope and the penalty a square; complete it.",
)
def zero_centered_on_a_pair():
    slopes = np.linspace(0.0, 1.0, 101)
    penalty = [zero_centered_gradient_penalty(jnp.zeros((1, 1)), lambda x, s=s: s * x[:, 0], gamma=4.0)[0] for s in slopes]
    objective = 2 * slopes - np.array(penalty)
    yield slopes[int(np.argmax(objective))], "0.5"
    yield objective.max(), "0.5"


@derivation.exercise(
    "Steps of both players at once, of size 0.1, with the zero-centered penalty in the logistic game. Which weight of the "
    "penalty contracts fastest near the equilibrium, and by which factor a step?",
    "The weight 1, by 0.95 a step. Below 1 the eigenvalues are complex, and their size falls as the weight grows; above 1 "
    "they are real, and the larger one grows. A stronger penalty keeps the critic too flat: at weight 5 the factor "
    "is 0.9949.",
    level="hard",
    hint="For which weight do the two eigenvalues of a step coincide?",
)
def fastest_weight():
    def size(weight):
        return np.abs(np.linalg.eigvals([[1, -0.05], [0.05, 1 - 0.1 * weight]])).max()

    weights = np.linspace(0.5, 1.5, 11)
    yield weights[int(np.argmin([size(weight) for weight in weights]))], "1"
    yield size(1.0), "0.95"
    yield size(5.0), "0.9949"
