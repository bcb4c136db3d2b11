"""A distribution of whole rankings, whose pairs are Bradley-Terry.

The lecture on the functions of theory_jax/preference/plackett_luce.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, exp, log, oo, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.preference._races import draw_orders, draw_race
from theory_jax.preference.plackett_luce import (
    expected_ranks,
    gumbel_ranking,
    pairwise_marginals,
    ranking_log_prob,
    top_one_cross_entropy,
)

derivation = Derivation(
    module=__name__,
    title="A distribution of whole rankings, whose pairs are Bradley-Terry",
    lectures=(54,),
    sources=(
        "Luce 1959, Individual choice behavior",
        "Plackett 1975, The analysis of permutations",
        "Yellott 1977, The relationship between Luce's choice axiom, Thurstone's theory of comparative judgment, and the double "
        "exponential distribution",
        "Cao et al. 2007, Learning to rank: from pairwise approach to listwise approach",
    ),
    question="Four answers to one prompt are ranked from best to worst. Taken as six independent comparisons they are counted "
    "too often: some verdicts follow from others. And there are too many orders for a probability of each. Which distribution of "
    "whole rankings has the Bradley-Terry model as its pairs, and how is it sampled and fitted?",
    setting=(
        r"Item $i$ of $N$ has a score $s_i$ and the weight $w_i$, which is $e^{s_i}$. Its utility $U_i$ is $s_i + G_i$, where "
        r"the noises $G_i$ are independent and standard Gumbel, with the distribution function $e^{-e^{-g}}$.",
        r"The ranking sorts the utilities downward: $\pi_k$ is the item at position $k$. The rank of an item is its position, "
        "one more than the number of items with a larger utility. Ties have probability zero.",
        "Formulas are derived for three items, which are numbered from 0; the same steps, repeated, hold for any number.",
    ),
    limits=(
        "Gumbel noise is not shown to be the only noise whose choices are softmaxes (Yellott's theorem, with conditions).",
        "Preferences that go in a circle have no scores, in this model as in every model of utilities.",
    ),
    trained="Rankings of more than two are not trained: the project's texts are compared in pairs, by `preference/reward_model`.",
)

i = derivation.index("i", "an item")
j = derivation.index("j", "an item")
k = derivation.index("k", "an item")
w = derivation.numbers("w", i, "the weights", "exp(scores)", positive=True)
s = derivation.numbers("s", i, "the scores", "scores")
P = derivation.define(
    "P({},{},{})",
    times(w / plus(w, w.at(j), w.at(k)), w.at(j) / plus(w.at(j), w.at(k))),
    "the product of two choices: the first of three, then the second of the two that are left",
    "exp(ranking_log_prob)",
    over=(i, j, k),
    positive=True,
)
t0 = derivation.number("t_0", "when the clock of item 0 rings", positive=True)
t1 = derivation.number("t_1", "when that of item 1 rings", positive=True)
for letter, meaning in (
    ("T_i", "the arrival time $e^{-U_i}$ of an item: the best item arrives first"),
    ("G_i", "its Gumbel noise"),
    ("u_i", "a uniform number, of which the noise is made"),
):
    derivation.symbol(letter, meaning)


@derivation.symbolic(
    r"P(T_i > t_0) = P(G_i < -s_i - \log t_0) = e^{-w_i t_0}",
    because=r"The clock has not rung at $t_0$ if the utility is below $-\log t_0$, so the noise below $-s_i - \log t_0$; put "
    r"this into the distribution function $e^{-e^{-g}}$.",
    role="lemma",
)
def a_utility_is_an_exponential_clock():
    g, score, time = sympy.Symbol("g", real=True), sympy.Symbol("s", real=True), sympy.Symbol("t", positive=True)
    survival = exp(-exp(-g)).subs(g, -score - log(time))
    return Sides(
        left=survival, right=exp(-exp(score) * time), wrong={"the density in place of the probability": exp(score) * survival}
    )


w0, w1, w2 = w.at(0), w.at(1), w.at(2)
race = derivation.chain(
    "A race of exponential clocks is a choice, and then a choice among the rest",
    Integral(times(w0 * exp(-w0 * t0), Integral(w1 * exp(-plus(w1, w2) * t1), (t1, t0, oo))), (t0, 0, oo)),
    equals(
        Integral(times(w0, w1 / plus(w1, w2), exp(-plus(w0, w1, w2) * t0)), (t0, 0, oo)),
        prose("the inner integral is {inner}", inner=times(w1 / plus(w1, w2), exp(-plus(w1, w2) * t0))),
    ),
    equals(
        P.at(0, 1, 2),
        "the outer integral",
        wrong={"the best item not removed": w0 * w1 / plus(w0, w1, w2) ** 2, "the worst first": P.at(2, 1, 0)},
    ),
    central=True,
    so="In the first line clock 0 rings at $t_0$, clock 1 later at $t_1$, and clock 2 has not rung by then, which has the "
    "probability $e^{-w_2 t_1}$. Each integral takes one clock out, so for $N$ items the probability of an order is the "
    "product over its positions of the item's weight over the sum of the weights that are left: choose the best, remove it, go "
    "on. Common factors of the weights, that is shifts of the scores, cancel.",
)
_orders = list(itertools.permutations(range(3)))
derivation.bridge(
    "The code computes all six",
    [log(P.at(*order)) for order in _orders],
    ranking_log_prob,
    ranking=jnp.array(_orders),
    scores=[log(w)] * 6,
    states=3,
    wrong={
        "denominators over all items": [log(w.at(a) * w.at(b) * w.at(c) / Total(i, w) ** 3) for a, b, c in _orders],
        "positions read as items": [log(P.at(*map(order.index, range(3)))) for order in _orders],
    },
)
derivation.chain(
    "Later choices sum to one: a prefix has the product of its own choices",
    plus(P.at(0, 1, 2), P.at(0, 2, 1)),
    equals(times(w0 / plus(w0, w1, w2), plus(w1 / plus(w1, w2), w2 / plus(w1, w2))), "both orders begin with the same choice"),
    equals(w0 / plus(w0, w1, w2), "somebody is second"),
    so="So the best item alone is a sample from a softmax of the scores, and the best $K$ of $N$ have the product of the first "
    "$K$ choices: nothing is summed over the positions that no one filled in. Summed once more, all orders have probability one.",
    role="lemma",
)


@derivation.exact(
    r"\sum_i \sum_j \sum_k P(i,j,k) = 1",
    because="Four items are ranked in 24 orders, and the best two in 12; each sum is one, and each of the 12 is the sum of its "
    "two completions.",
    outcomes=24 + 12,
    role="remark",
)
def all_orders_sum_to_one():
    every, pairs = (np.array(list(itertools.permutations(range(4), places))) for places in (4, 2))
    scores = jnp.array([0.3, -1.1, 0.8, 0.1])
    whole, prefix = (np.exp(ranking_log_prob(orders, jnp.tile(scores, (len(orders), 1)))) for orders in (every, pairs))
    wrong = np.exp(np.asarray(jax.nn.log_softmax(scores))[every].sum(axis=1)).sum()
    right = np.append(whole.reshape(12, 2).sum(axis=1), [1.0, 1.0])
    return Sides(
        left=np.append(prefix, [whole.sum(), prefix.sum()]),
        right=right,
        wrong={"denominators over all items": np.append(prefix, [wrong, wrong])},
    )


derivation.say("The distribution of two items, and of one.")
derivation.chain(
    "A pair is a Bradley-Terry comparison",
    plus(P.at(0, 1, 2), P.at(0, 2, 1), P.at(2, 0, 1)),
    equals(
        plus(w0 / plus(w0, w1, w2), times(w2 / plus(w0, w1, w2), w0 / plus(w0, w1))),
        "item 0 is the best, or item 2 is, and then item 0",
    ),
    equals(
        times(w0 / plus(w0, w1), plus(plus(w0, w1) / plus(w0, w1, w2), w2 / plus(w0, w1, w2))),
        r"take $\frac{w_0}{w_0 + w_1}$ out of both terms",
    ),
    equals(
        w0 / plus(w0, w1),
        "the bracket is one: the third item does not matter",
        wrong={"the probability of the best of all items": w0 / plus(w0, w1, w2)},
    ),
)
derivation.chain(
    "A pair is a Bradley-Terry comparison among any number of items: the other clocks do not matter",
    Integral(times(w0 * exp(-w0 * t0), exp(-w1 * t0)), (t0, 0, oo)),
    equals(w0 / plus(w0, w1), "clock 0 rings at $t_0$, clock 1 later; the integral of an exponential"),
    so=prose(
        r"In scores it is {logistic}. A ranking of two items is a Bradley-Terry "
        r"comparison, but a ranking of three or more is not a set of independent comparisons: those could go in a circle.",
        logistic=holds(w0 / plus(w0, w1), "=", 1 / plus(1, exp(-(s.at(0) - s.at(1)))), when={w: exp(s)}),
    ),
    role="lemma",
)
derivation.bridge(
    "The code computes the pairs",
    w / plus(w, w.at(j)),
    pairwise_marginals,
    scores=[log(w)],
    wrong={"the probability that the other is ahead": w.at(j) / plus(w, w.at(j))},
)
derivation.chain(
    "The expected rank is one half more than a sum over pairs",
    plus(
        times(1, plus(P.at(0, 1, 2), P.at(0, 2, 1))),
        times(2, plus(P.at(1, 0, 2), P.at(2, 0, 1))),
        times(3, plus(P.at(1, 2, 0), P.at(2, 1, 0))),
    ),
    equals(
        plus(1, w1 / plus(w0, w1), w2 / plus(w0, w2)),
        "the rank is one more than the number of items before 0, and an expectation of a sum is a sum",
    ),
    equals(
        plus(Rational(1, 2), Total(j, w.at(j) / plus(w.at(j), w0))),
        r"the term of item 0 itself is $\frac12$",
        wrong={"the item compared with itself counted as a whole": plus(1, Total(j, w.at(j) / plus(w.at(j), w0)))},
    ),
    role="remark",
)
derivation.bridge(
    "The code computes it",
    plus(Rational(1, 2), Total(j, w.at(j) / plus(w.at(j), w))),
    expected_ranks,
    scores=[log(w)],
    wrong={"the items behind counted in place of those ahead": Total(j, w / plus(w.at(j), w))},
)

derivation.say(
    "Fitting. Let the scores move: by $t$ in the direction $v$. A formula for every direction has the gradient and the curvature."
)
v = derivation.numbers("v", i, "a direction in which the scores move")
t = derivation.number("t", "how far they move")
m = derivation.index("m", "one of the two items behind the first", states=2)
n = derivation.index("n", "one of them", states=2)
moved = s + t * v
q = derivation.define("q", exp(moved) / Total(j, exp(moved.subs(i, j))), "the softmax of all items", over=i, law=True)
later = exp(s.at(m + 1) + t * v.at(m + 1))
rest = derivation.define("q'", later / Total(n, later.subs(m, n)), "the softmax of items 1 and 2", over=m, law=True)
likelihood = plus(log(q.at(0)), log(rest.at(0)))
derivation.answer = prose(
    "The best item is chosen with probability proportional to its weight, then the best of the rest in the same way, and so "
    "on. The distribution is that of independent exponential clocks in the order in which they ring, so a sort samples it. A "
    "pair of items is a Bradley-Terry comparison whatever the others are, {pair}. The log-likelihood of a ranking has one term "
    "per position and is concave in the scores: its curvature along a direction is {curvature}.",
    pair=holds(plus(P.at(0, 1, 2), P.at(0, 2, 1), P.at(2, 0, 1)), "=", w0 / plus(w0, w1)),
    curvature=holds(Slope(likelihood, t, 2), "=", plus(-Variance(q, v), -Variance(rest, v.at(m + 1))), named=True),
)
gradient = derivation.chain(
    "The gradient is what was chosen minus what was expected, at every choice",
    Slope(likelihood, t),
    equals(
        plus(v.at(0), -Expectation(q, v), v.at(1), -Expectation(rest, v.at(m + 1))),
        prose(
            "{first}, whose slope is $v_0$ minus a mean under the softmax; and the same for the second choice",
            first=holds(log(q.at(0)), "=", plus(moved.subs(i, 0), -log(Total(j, exp(moved.subs(i, j)))))),
        ),
        wrong={"all items in both denominators": plus(v.at(0), v.at(1), -2 * Expectation(q, v))},
    ),
    so=prose(
        "The slope in one score is that of the direction with 1 at this item alone: at every choice, 1 if it was chosen, less "
        "its probability. In the direction of a shift, {shift} for all items, it is {zero}: the scores are known up to a shift.",
        shift=where(v, 1),
        zero=holds(Slope(likelihood, t), "=", 0, named=True),
    ),
)
derivation.chain(
    "The log-likelihood is concave",
    Slope(likelihood, t, 2),
    equals(plus(-Variance(q, v), -Variance(rest, v.at(m + 1))), "the slope of a mean under a softmax is a variance"),
    at_most(
        0,
        "add the variances; the first is zero only if $v$ is the same for all items",
        adding=plus(Variance(q, v), Variance(rest, v.at(m + 1))),
    ),
    so="So a maximum is the only one, up to the shift, and an optimizer climbs to it wherever it starts. That there is one is "
    "again a question of who was ever ranked before whom.",
)
log_p = derivation.define(
    r"\log P",
    plus(s.at(0), -log(Total(j, exp(s.at(j)))), s.at(1), -log(plus(exp(s.at(1)), exp(s.at(2))))),
    "the log-likelihood of the order 0, 1, 2",
    "ranking_log_prob",
)
derivation.bridge(
    "The code's gradient",
    Slope(log_p, s),
    ranking_log_prob,
    ranking=jnp.array([[0, 1, 2]]),
    scores=[s],
    slope="scores",
    states=3,
    wrong={"the first choice alone": Slope(s.at(0) - log(Total(j, exp(s.at(j)))), s)},
)

derivation.say(
    "Two warnings. One could also choose the worst item first, with inverse weights, and rank upward: for two items that is the "
    "same distribution. For three it is not."
)
derivation.chain(
    "To choose the worst item first, from the bottom up, gives another distribution",
    plus(P.at(0, 1, 2), -times((1 / w2) / plus(1 / w0, 1 / w1, 1 / w2), (1 / w1) / plus(1 / w0, 1 / w1))),
    equals(
        plus(P.at(0, 1, 2), -times(w0 * w1 / plus(w0 * w1, w0 * w2, w1 * w2), w0 / plus(w0, w1))),
        r"multiply both fractions by the weights",
    ),
    equals(
        times(
            plus(w1**2, -w0 * w2),
            w0 * w1 * w2 / (plus(w0, w1, w2) * plus(w1, w2) * plus(w0, w1) * plus(w0 * w1, w0 * w2, w1 * w2)),
        ),
        "the common denominator; in the numerator two terms do not cancel",
    ),
    so=prose(
        "It is {zero} at {middle}. The other orders have $w_0^2 - w_1 w_2$ and $w_2^2 - w_0 w_1$ in place of the first factor. "
        "All are zero only for equal weights, since two of these conditions make the cubes of two weights equal. So it matters "
        "which end of a ranking is 'best', and a single order that agrees proves nothing.",
        zero=holds(plus(w1**2, -w0 * w2), "=", 0, named=True),
        middle=where(w1, sqrt(w0 * w2)),
    ),
    role="remark",
)
a = derivation.law("p", i, "the target distribution of the best item", "softmax(target_scores)")
b = derivation.define("b", exp(s) / Total(j, exp(s.at(j))), "the softmax of the scores", over=i, law=True)
cross = derivation.define("L", -Expectation(a, log(b)), "the cross-entropy of the best item", "top_one_cross_entropy")
derivation.chain(
    "ListNet compares the distributions of the best item alone",
    cross,
    equals(plus(Entropy(a), Divergence(a, b)), r"add and subtract $\log p_i$"),
    at_least(
        Entropy(a),
        "leave out a divergence (Gibbs); it is zero if and only if the scores are those of the target, up to a shift",
        dropping=gibbs.at(a, b),
    ),
    role="lemma",
)
derivation.chain(
    "ListNet's loss pulls every score by the difference of two probabilities",
    Slope(cross, s.at(j)),
    equals(
        plus(b.at(j), -a.at(j)),
        r"the gradient of one choice, averaged over $p$, with the opposite sign",
        wrong={"target minus model": plus(a.at(j), -b.at(j))},
    ),
    role="lemma",
)
derivation.bridge(
    "The code computes the loss",
    cross,
    top_one_cross_entropy,
    target_scores=[log(a)],
    scores=[s],
    wrong={
        "the divergence, without the target's entropy": Divergence(a, b),
        "target and model exchanged": -Expectation(b, log(a)),
    },
)


@derivation.monte_carlo(
    r"P(i,j,k) = \frac{w_i}{w_i + w_j + w_k} \cdot \frac{w_j}{w_j + w_k}",
    because=r"Sorting $s_i - \log(-\log u_i)$ draws the ranking, as $-\log u_i$ is an exponential clock of rate one. 20,000 "
    r"samples of three items with the weights 4, 2, 1, counted by their order.",
    role="remark",
)
def a_sort_draws_the_law():
    uniforms = np.random.default_rng(0).uniform(size=(20_000, 3))
    scores = jnp.log(jnp.array([4.0, 2.0, 1.0]))
    drawn = np.asarray(gumbel_ranking(jnp.array(uniforms), jnp.tile(scores, (20_000, 1))))
    law = np.exp(ranking_log_prob(jnp.array(_orders), jnp.tile(scores, (6, 1))))
    return SampleSides(
        samples=(drawn[:, None] == np.array(_orders)).all(axis=2).astype(float),
        expected=law,
        wrong={
            "the worst first": law[::-1],
            "positions read as items": law[[_orders.index(tuple(map(order.index, range(3)))) for order in _orders]],
        },
    )


derivation.chain(
    "At every position an item competes with all that come after it",
    plus(s.at(0), -log(Total(j, exp(s.at(j))))),
    equals(
        -log(plus(1, exp(plus(log(plus(exp(s.at(1)), exp(s.at(2)))), -s.at(0))))),
        r"divide by $e^{s_0}$ inside the logarithm",
        wrong={"the item itself among its rivals": -log(plus(1, exp(plus(log(Total(j, exp(s.at(j)))), -s.at(0)))))},
    ),
    so=r"The code computes $\log \sigma(s_0 - r)$ with the log-sum-exp $r$ of the items behind. Where the choice is nearly "
    r"certain this keeps its digits; the difference of two large numbers loses them.",
    role="appendix",
)

_given = {w: (4, 2, 1)}


@derivation.algorithm(
    "Sampling a ranking, and a step of fitting",
    do(r"draw $u_i$ uniform on $(0, 1)$; $G_i \leftarrow -\log(-\log u_i)$"),
    do(r"the ranking: sort $s_i + G_i$ downward", gumbel_ranking, by=race),
    do("to fit observed rankings: the log-likelihood, one choice after the other", ranking_log_prob, by=race),
    do(r"$s \leftarrow s + \eta\, \partial \log P / \partial s$: chosen minus expected, at every choice", by=gradient),
)
def one_sample_and_two_steps():
    uniforms = jnp.array([[0.45, 0.14, 0.72]])
    found = gumbel_ranking(uniforms, jnp.log(jnp.array([[4.0, 2.0, 1.0]])))
    yield r"\text{weights 4, 2, 1 and } u = (0.45, 0.14, 0.72): \quad \text{the ranking}", found[0], "(0, 2, 1)"
    scores, text = jnp.zeros(3), r"\text{fitting it from equal scores, } \eta = 1: \quad "
    for chance, moved in (("-1.7918", "(0.6667, -0.8333, 0.1667)"), ("-0.9174", "(1.1201, -1.2242, 0.1041)")):
        yield rf"{text}\log P", ranking_log_prob(found, scores[None])[0], chance
        text, scores = "", scores + jax.grad(lambda scores: ranking_log_prob(found, scores[None])[0])(scores)
        yield "s", scores, moved


@derivation.example("Three items with the weights 4, 2 and 1.")
def three_items():
    for order, said in zip(_orders, ("8/21", "4/21", "8/35", "2/35", "2/21", "1/21"), strict=True):
        yield P.at(*order), value(P.at(*order), _given), said
    yield "P(0 \\text{ before } 1)", value(plus(P.at(0, 1, 2), P.at(0, 2, 1), P.at(2, 0, 1)), _given), "2/3"
    scores = jnp.log(jnp.array([[4.0, 2.0, 1.0]]))
    yield "\\text{expected ranks}", expected_ranks(scores)[0], "(23/15, 2, 37/15)"
    yield "\\text{their sum}", expected_ranks(scores).sum(), "6"


@derivation.figure(
    "Left: the densities of the arrival times of three items with the weights 4, 2 and 1, and one sample of all three on the "
    "axis: read from left to right it is the ranking 0, 2, 1. Right: the probability of each order (bars), and its share of "
    "2,000 sorts (dots).",
    panels=2,
)
def the_race(left, right):
    draw_race(left)
    draw_orders(right)
