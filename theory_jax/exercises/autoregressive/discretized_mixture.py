"""Exercises of the lecture: Discretized logistic mixtures: probabilities of integers from a continuous distribution."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.autoregressive.discretized_mixture import discretized_logistic_log_prob, discretized_logistic_mixture_log_prob
from theory_jax.derivation.notation import Slope
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._cells_of_levels import SCALE
from theory_jax.lectures.autoregressive.discretized_mixture import F_above, above, derivation, m, s


@derivation.exercise(
    prose("Two levels. Which distribution is it? Take {m} and {s}.", m=where(m, Rational(3, 10)), s=where(s, Rational(1, 2))),
    prose(
        "A Bernoulli distribution: the highest level has the probability {high}, so its logit is {logit}, or 0.6.",
        high=holds(1 - 1 / (1 + exp(m / s)), "=", 1 / (1 + exp(-m / s)), named=True),
        logit=holds(m / s, "=", Rational(3, 5), named=True),
    ),
    level="easy",
    hint="There is one edge, at 0.",
)
def two_levels():
    log_probs = discretized_logistic_log_prob(np.array([-1.0, 1.0]), np.full(2, 0.3), np.full(2, np.log(0.5)), num_levels=2)
    yield log_probs[1] - log_probs[0], "0.6"


@derivation.exercise(
    "What is the gradient of the lowest level's log-probability by the mean in the example, at the mean 0?",
    prose(
        "It is {slope}, or $-1.648$: a larger mean makes it less likely.",
        slope=holds(
            Slope(log(F_above), m),
            "=",
            -Rational(3, 2) * log(3),
            when={m: 0, above: -Rational(1, 2), s: 1 / (2 * log(3))},
            named=True,
        ),
    ),
    level="medium",
    hint="The lowest cell has one edge; what is the distribution function there?",
)
def gradient_of_the_lowest():
    yield (
        jax.grad(lambda mean: discretized_logistic_log_prob(np.array([-1.0]), mean[None], np.array([SCALE]), num_levels=3)[0])(
            jnp.array(0.0)
        ),
        "-1.648",
    )


@derivation.exercise(
    r"The mean is at an inner level, and the scale falls to $e^{-7}$. What are the level's probability and its density, "
    r"$\frac{1}{4s}$?",
    "The probability tends to 1, which it cannot exceed; the density is 274.16 already and has no bound. So the "
    "likelihood of integers cannot be inflated by a narrow component, and that of continuous data can.",
    level="easy",
    hint="How many scales away are the edges of the level's cell?",
)
def a_narrow_component():
    yield jnp.exp(discretized_logistic_log_prob(np.zeros(1), np.zeros(1), np.full(1, -7.0), num_levels=3)), "1"
    yield np.exp(7.0) / 4, "274.16"


@derivation.exercise(
    "A program closes the outer cells: it gives the lowest and the highest of the example's three levels cells as wide as the "
    "middle one's. What do the probabilities sum to at the mean 0, and what at the mean 1? What would training do with such a "
    "loss?",
    "They sum to 13/14 at the mean 0 and to 0.7459 at the mean 1. The loss of an outer level is then too high where its mean "
    "is at the end of the range, and it is lowered by a smaller scale, which the data did not ask for.",
    level="medium",
    hint="The sum telescopes to the difference of the distribution function at two edges.",
)
def closed_outer_cells():
    F = lambda edge, mean: 1 / (1 + exp(-(edge - mean) * 2 * log(3)))  # noqa: E731
    for mean, said in ((0, "13/14"), (1, "0.7459")):
        cells = [F(level + Rational(1, 2), mean) - F(level - Rational(1, 2), mean) for level in (-1, 0, 1)]
        yield float(sum(cells)), said


@derivation.exercise(
    "Two components start with the mean 0 and the scale of the example, and with the weights 0.8 and 0.2. The lowest level is "
    "observed. What are the gradients of both means and of both logits? Do the components stay equal under gradient descent, "
    r"and under Adam, if $\epsilon$ is neglected?",
    "The means have the gradients -1.3183 and -0.3296, the shares 0.8 and 0.2 of -1.6479; the logits have the gradients 0, "
    "since both explain the level equally well. Gradient descent separates them, because the steps differ; Adam does not, "
    "because it divides each gradient by its own size. With equal weights neither does: components must start with different "
    "means.",
    level="hard",
    hint="What is the posterior of a component if all components are equal?",
)
def equal_components():
    def log_prob(mean, logits):
        tables = logits[None, None], mean[None, None], jnp.full((1, 1, 2), SCALE)
        return discretized_logistic_mixture_log_prob(np.array([[-1.0]]), *tables, num_levels=3)[0, 0]

    weights = jnp.log(jnp.array([0.8, 0.2]))
    of_means, of_logits = jax.grad(log_prob, argnums=(0, 1))(jnp.zeros(2), weights)
    yield of_means, "-1.3183 and -0.3296"
    yield of_means.sum(), "-1.6479"
    yield jnp.abs(of_logits).max(), "0"
