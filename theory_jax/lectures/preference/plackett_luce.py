"""A law of whole rankings, whose pairs are Bradley-Terry.

The lecture on the functions of theory_jax/preference/plackett_luce.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.preference.plackett_luce import (
    expected_ranks,
    gumbel_ranking,
    pairwise_marginals,
    ranking_log_prob,
    top_one_cross_entropy,
)

derivation = Derivation(
    module=__name__,
    title="A law of whole rankings, whose pairs are Bradley-Terry",
    lectures=(54,),
    sources=(
        "Luce 1959, Individual choice behavior",
        "Plackett 1975, The analysis of permutations",
        "Yellott 1977, The relationship between Luce's choice axiom, Thurstone's theory of comparative judgment, and the double "
        "exponential distribution",
        "Cao et al. 2007, Learning to rank: from pairwise approach to listwise approach",
    ),
    question="Four answers to one prompt are ranked from best to worst. Which law of whole rankings has the Bradley-Terry model "
    "as its pairs, and how is it drawn and fitted without a term for every one of the $N!$ orders?",
    setting=(
        r"Item $i$ of $N$ has a score $s_i$ and the weight $w_i = e^{s_i}$. Its utility is $U_i = s_i + G_i$, where the noises "
        r"$G_i$ are independent and standard Gumbel, $P(G_i \le g) = e^{-e^{-g}}$.",
        r"The ranking sorts the utilities downward: $\pi_k$ is the item in place $k$. The rank of an item is its place, one more "
        r"than the number of items with a larger utility. Ties have probability zero.",
        "Formulas are derived for three items, which are numbered from 0; the same steps, repeated, hold for any number.",
    ),
    answer=r"The best item is chosen with probability proportional to its weight, then the best of the rest in the same way, and "
    r"so on. The law is that of independent exponential clocks in the order in which they ring, so a sort draws it; a pair of "
    r"items is a Bradley-Terry comparison; and the log-likelihood of a ranking is concave in the scores, with one term per "
    r"place.",
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
    ("s_i", "its score"),
    ("u_i", "a uniform draw, of which the noise is made"),
):
    derivation.symbol(letter, meaning)


@derivation.symbolic(
    r"P(T_i > t_0) = P(G_i < -s_i - \log t_0) = e^{-w_i t_0}",
    because=r"$T_i > t_0$ means $s_i + G_i < -\log t_0$. Put $g = -s_i - \log t_0$ into $e^{-e^{-g}}$, where $e^{-g} = e^{s_i} "
    r"t_0$.",
    role="lemma",
)
def a_utility_is_an_exponential_clock():
    g, score, time = sympy.Symbol("g", real=True), sympy.Symbol("s", real=True), sympy.Symbol("t", positive=True)
    survival = exp(-exp(-g)).subs(g, -score - log(time))
    return Sides(
        left=survival, right=exp(-exp(score) * time), wrong={"the density in place of the probability": exp(score) * survival}
    )


w0, w1, w2 = w.at(0), w.at(1), w.at(2)
derivation.chain(
    "A race of exponential clocks is a choice, and then a choice among the rest",
    Integral(times(w0 * exp(-w0 * t0), Integral(w1 * exp(-plus(w1, w2) * t1), (t1, t0, oo))), (t0, 0, oo)),
    equals(
        Integral(times(w0, w1 / plus(w1, w2), exp(-plus(w0, w1, w2) * t0)), (t0, 0, oo)),
        r"the inner integral is $\frac{w_1}{w_1 + w_2} e^{-(w_1 + w_2) t_0}$",
    ),
    equals(
        P.at(0, 1, 2),
        "the outer integral",
        wrong={"the best item not removed": w0 * w1 / plus(w0, w1, w2) ** 2, "the worst first": P.at(2, 1, 0)},
    ),
    central=True,
    so=r"In the first line clock 0 rings at $t_0$, clock 1 at $t_1 > t_0$, and clock 2 has not rung by then, which "
    r"has the probability $e^{-w_2 t_1}$. Each integral takes one clock out, so for $N$ items $P(\pi) = \prod_k w_{\pi_k} / "
    r"\sum_{j \text{ left}} w_j$: choose the best, remove it, go on. Common factors of the weights, that is shifts of the "
    r"scores, cancel.",
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
        "places read as items": [log(P.at(*map(order.index, range(3)))) for order in _orders],
    },
)
derivation.chain(
    "Later choices sum to one: a prefix has the product of its own choices",
    plus(P.at(0, 1, 2), P.at(0, 2, 1)),
    equals(times(w0 / plus(w0, w1, w2), plus(w1 / plus(w1, w2), w2 / plus(w1, w2))), "both orders begin with the same choice"),
    equals(w0 / plus(w0, w1, w2), "somebody is second"),
    so="So the best item alone is a draw from a softmax of the scores, and the best $K$ of $N$ have the product of the first $K$ "
    "choices: nothing is summed over the places that no one filled in. Summed once more, all orders have probability one.",
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


derivation.say("The law of two items, and of one.")
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
    "... for any number of items, since the other clocks do not matter",
    Integral(times(w0 * exp(-w0 * t0), exp(-w1 * t0)), (t0, 0, oo)),
    equals(w0 / plus(w0, w1), "clock 0 rings at $t_0$, clock 1 later; the integral of an exponential"),
    so=r"With $w = e^s$ it is $\sigma(s_0 - s_1)$, $\sigma(d) = 1/(1 + e^{-d})$. A ranking of two items is a Bradley-Terry "
    r"comparison, but a ranking of $N$ items is more than its $\binom{N}{2}$ pairs taken as independent: those agree with an "
    r"order.",
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
        r"the term $j = 0$ of the sum is $\frac12$",
        wrong={"the item compared with itself counted as a whole": plus(1, Total(j, w.at(j) / plus(w.at(j), w0)))},
    ),
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
s = derivation.numbers("s", i, "the scores", "scores")
v = derivation.numbers("v", i, "a direction in which the scores move")
t = derivation.number("t", "how far they move")
m = derivation.index("m", "one of the two items behind the first", states=2)
n = derivation.index("n", "one of them", states=2)
moved = s + t * v
q = derivation.define("q", exp(moved) / Total(j, exp(moved.subs(i, j))), "the softmax of all items", over=i, law=True)
later = exp(s.at(m + 1) + t * v.at(m + 1))
rest = derivation.define("q'", later / Total(n, later.subs(m, n)), "the softmax of items 1 and 2", over=m, law=True)
likelihood = plus(log(q.at(0)), log(rest.at(0)))
derivation.chain(
    "The gradient is what was chosen minus what was expected, at every choice",
    Slope(likelihood, t),
    equals(
        plus(v.at(0), -Expectation(q, v), v.at(1), -Expectation(rest, v.at(m + 1))),
        r"$\log q_0 = s_0 + t v_0 - \log \sum_j e^{s_j + t v_j}$, whose slope is $v_0$ minus a mean under the softmax; "
        "and the same for the second choice",
        wrong={"all items in both denominators": plus(v.at(0), v.at(1), -2 * Expectation(q, v))},
    ),
    so=r"The slope in $s_i$ is that of the direction with $v_i = 1$ alone: $\sum_k (1[\pi_k = i] - q^{(k)}_i)$. In the direction "
    r"$v = (1, 1, 1)$ it is zero: the scores are known up to a shift.",
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
    "same law. For three it is not."
)
derivation.chain(
    "From the bottom up is another law",
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
    so=r"It is zero where $w_1^2 = w_0 w_2$. The other orders have $w_0^2 - w_1 w_2$ and $w_2^2 - w_0 w_1$ in its place. All are "
    r"zero only for equal weights, since $w_1^2 = w_0 w_2$ and $w_0^2 = w_1 w_2$ give $w_1^3 = w_0^3$. So it matters which end "
    r"of a ranking is 'best', and a single order that agrees proves nothing.",
)
a = derivation.law("p", i, "the target law of the best item", "softmax(target_scores)")
b = derivation.define("b", exp(s) / Total(j, exp(s.at(j))), "the softmax of the scores", over=i, law=True)
cross = derivation.define("L", -Expectation(a, log(b)), "the cross-entropy of the best item", "top_one_cross_entropy")
derivation.chain(
    "ListNet compares the laws of the best item alone",
    cross,
    equals(plus(Entropy(a), Divergence(a, b)), r"add and subtract $\log p_i$"),
    at_least(
        Entropy(a),
        "leave out a divergence (Gibbs); it is zero if and only if the scores are those of the target, up to a shift",
        dropping=gibbs.at(a, b),
    ),
)
derivation.chain(
    "... and pulls every score by the difference of two probabilities",
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
    r"draws of three items with the weights 4, 2, 1, counted by their order.",
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
            "places read as items": law[[_orders.index(tuple(map(order.index, range(3)))) for order in _orders]],
        },
    )


derivation.chain(
    "Every place is a duel of its item with all that stand behind it",
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


@derivation.example("Three items with the weights 4, 2 and 1.")
def three_items():
    for order, said in zip(_orders, ("8/21", "4/21", "8/35", "2/35", "2/21", "1/21"), strict=True):
        yield P.at(*order), value(P.at(*order), _given), said
    yield "P(0 \\text{ before } 1)", value(plus(P.at(0, 1, 2), P.at(0, 2, 1), P.at(2, 0, 1)), _given), "2/3"
    scores = jnp.log(jnp.array([[4.0, 2.0, 1.0]]))
    yield "\\text{expected ranks}", expected_ranks(scores)[0], "(23/15, 2, 37/15)"
    yield "\\text{their sum}", expected_ranks(scores).sum(), "6"


@derivation.figure(
    "Left: the densities of the arrival times of three items with the weights 4, 2 and 1, and one draw of all three on the axis: "
    "read from left to right it is the ranking 0, 2, 1. Right: the probability of each order (bars), and its share of 2,000 "
    "sorts (dots).",
    panels=2,
)
def the_race(left, right):
    times_, rates = np.linspace(0, 1.6, 200), np.array([4.0, 2.0, 1.0])
    uniforms = np.array([[0.45, 0.14, 0.72]])
    for item, (rate, arrival) in enumerate(zip(rates, -np.log(uniforms[0]) / rates, strict=True)):
        (line,) = left.plot(times_, rate * np.exp(-rate * times_), label=f"item {item}")
        left.plot([arrival], [0.0], "o", color=line.get_color(), clip_on=False, zorder=3)
    left.set(xlabel="arrival time", ylabel="density", xlim=(0, 1.6), ylim=(0, 4.2))
    left.legend()
    drawn = gumbel_ranking(
        jnp.array(np.random.default_rng(1).uniform(size=(2000, 3))), jnp.tile(jnp.log(jnp.array(rates)), (2000, 1))
    )
    shares = (np.asarray(drawn)[:, None] == np.array(_orders)).all(axis=2).mean(axis=0)
    names = ["".join(map(str, order)) for order in _orders]
    law = np.exp(ranking_log_prob(jnp.array(_orders), jnp.tile(jnp.log(jnp.array(rates)), (6, 1))))
    right.bar(names, law, alpha=0.5)
    right.plot(names, shares, "o", color="black", markersize=4)
    right.set(xlabel="order, best first", ylabel="probability")


@derivation.exercise(
    "In the example, what is the probability that item 1 is best and item 0 second, if a fourth item of weight 1 is added?",
    r"$\frac{2}{8} \cdot \frac{4}{6} = \frac16 = 0.1667$; without the fourth item it is $\frac{8}{35} = 0.2286$.",
)
def a_prefix_of_four():
    prefix = jnp.array([[1, 0]])
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0, 1.0]]))))[0], "0.1667"
    yield jnp.exp(ranking_log_prob(prefix, jnp.log(jnp.array([[4.0, 2.0, 1.0]]))))[0], "0.2286"


@derivation.exercise(
    "All $N$ scores are equal. What is the log-probability of a list of the best $K$, for $N = 6$ and $K = 2$?",
    r"$-\log \frac{N!}{(N - K)!} = -\log 30 = -3.4012$.",
)
def equal_scores():
    yield ranking_log_prob(jnp.array([[5, 2]]), jnp.zeros((1, 6)))[0], "-3.4012"


@derivation.exercise(
    "In the example, which orders are as likely from the top down as from the bottom up with inverse weights?",
    r"0, 1, 2 and 2, 1, 0, of probability $\frac{8}{21} = 0.3810$ and $\frac{1}{21} = 0.0476$ both ways, as $w_1^2 = w_0 w_2$. "
    r"The order 0, 2, 1 has $\frac{4}{21} = 0.1905$ downward and $\frac{8}{35} = 0.2286$ upward.",
)
def both_directions():
    scores, orders = jnp.tile(jnp.log(jnp.array([4.0, 2.0, 1.0])), (3, 1)), jnp.array([[0, 1, 2], [2, 1, 0], [0, 2, 1]])
    downward, upward = (np.exp(p) for p in (ranking_log_prob(orders, scores), ranking_log_prob(orders[:, ::-1], -scores)))
    yield downward[0], "0.3810"
    yield upward[1], "0.0476"
    yield downward[2], "0.1905"
    yield upward[2], "0.2286"
