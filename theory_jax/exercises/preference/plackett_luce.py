"""Exercises of the lecture: A distribution of whole rankings, whose pairs are Bradley-Terry."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, integrate, oo

from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.preference.plackett_luce import P, derivation, w0, w1, w2
from theory_jax.preference.plackett_luce import pairwise_marginals, ranking_log_prob


@derivation.exercise(
    "In the example, what is the probability that item 1 is best and item 0 second, if a fourth item of weight 1 is added?",
    prose(
        r"$\frac28$ times $\frac46$, that is 0.1667; without the fourth item it is {three}, or 0.2286.",
        three=holds(P.at(1, 0, 2), "=", Rational(8, 35), when={w0: 4, w1: 2, w2: 1}, named=True),
    ),
    level="easy",
    hint="Two choices, the first of four items and the second of three.",
)
def a_prefix_of_four():
    prefix = jnp.array([[1, 0]])
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0, 1.0]]))))[0], "0.1667"
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0]]))))[0], "0.2286"


@derivation.exercise(
    "All six scores are equal. What is the log-probability of a list of the best two?",
    r"There are six times five lists, so it is $-\log 30$, or -3.4012.",
    level="easy",
    hint="All ordered pairs of items are equally probable.",
)
def equal_scores():
    yield ranking_log_prob(jnp.array([[5, 2]]), jnp.zeros((1, 6)))[0], "-3.4012"


@derivation.exercise(
    "In the example, which orders are as likely from the top down as from the bottom up with inverse weights?",
    prose(
        r"0, 1, 2 and 2, 1, 0, of probability $\frac{8}{21}$ (0.3810) and $\frac{1}{21}$ (0.0476) both ways, as {middle}. The "
        r"order 0, 2, 1 has $\frac{4}{21}$ (0.1905) downward and $\frac{8}{35}$ (0.2286) upward.",
        middle=holds(w1**2, "=", w0 * w2, when={w0: 4, w1: 2, w2: 1}),
    ),
    level="medium",
    hint="The page factors the difference for one order; exchange the items' names for the others.",
)
def both_directions():
    scores, orders = jnp.tile(jnp.log(jnp.array([4.0, 2.0, 1.0])), (3, 1)), jnp.array([[0, 1, 2], [2, 1, 0], [0, 2, 1]])
    downward, upward = (np.exp(p) for p in (ranking_log_prob(orders, scores), ranking_log_prob(orders[:, ::-1], -scores)))
    yield downward[0], "0.3810"
    yield upward[1], "0.0476"
    yield downward[2], "0.1905"
    yield upward[2], "0.2286"


@derivation.exercise(
    "A ranking of three items is taken for three independent comparisons. What is its probability, 0 before 1 before 2, in the "
    "example? At equal scores, how much larger is the curvature of the logarithm along the direction (1, 0, -1)?",
    "The product of the pairs is 0.3556, and the ranking has 0.3810: given two of the verdicts the third is no news. The "
    "curvature is -1.5 in place of -0.9167, 1.64 times as much: fits to pairs are too sure of the scores.",
    level="medium",
    hint="A comparison's curvature is the variance of the direction under the softmax of its two items.",
)
def counted_too_often():
    scores, order = jnp.log(jnp.array([[4.0, 2.0, 1.0]])), jnp.array([[0, 1, 2]])
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    yield pairwise_marginals(scores)[0][first, second].prod(), "0.3556"
    yield jnp.exp(ranking_log_prob(order, scores))[0], "0.3810"
    direction = jnp.array([[1.0, 0.0, -1.0]])
    of_pairs = jax.hessian(lambda t: jnp.log(pairwise_marginals(t * direction)[0][first, second]).sum())(0.0)
    of_ranking = jax.hessian(lambda t: ranking_log_prob(order, t * direction)[0])(0.0)
    yield of_pairs, "-1.5"
    yield of_ranking, "-0.9167"
    yield of_pairs / of_ranking, "1.64"


@derivation.exercise(
    "A copy of item 0 joins the example, with the same weight. How often is item 1 the best, before and after? What should it "
    "be, if the copy is the same answer in other words, and which assumption is to blame?",
    r"It falls from $\frac27$, 0.2857, to $\frac{2}{11}$, 0.1818, although item 1 is ahead of each copy as often as before, "
    r"with $\frac13$. A copy in other words has the same utility, noise and all, so nothing should change: 400,000 races with "
    "a shared clock give 0.29. The noises of similar answers are not independent: candidates that resemble each other crowd "
    "out the rest.",
    level="hard",
    hint="Which of the model's random numbers would two wordings of one answer share?",
)
def a_copy():
    three, four = (jnp.log(jnp.array([weights])) for weights in ([4.0, 2.0, 1.0], [4.0, 2.0, 1.0, 4.0]))
    best = jnp.array([[1]])
    yield jnp.exp(ranking_log_prob(best, three))[0], "0.2857"
    yield jnp.exp(ranking_log_prob(best, four))[0], "0.1818"
    t = Symbol("t", positive=True)
    yield integrate(2 * exp(-2 * t) * exp(-4 * t) * exp(-t), (t, 0, oo)), Rational(2, 7)
