"""Minibatch couplings: pairing noise with data so that paths keep apart.

The lecture on the functions of theory_jax/flows/minibatch_coupling.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, exp, log, oo, pi, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Normal, Slope, SquaredNorm, Total, plus, times
from theory_jax.flows.minibatch_coupling import optimal_assignment, sample_pairs, sinkhorn_log_plan, squared_distance_matrix
from theory_jax.lectures.lemmas.entropic_plan import entropic_plan

derivation = Derivation(
    module=__name__,
    title="Minibatch couplings: pairing noise with data so that paths keep apart",
    sources=(
        "Tong et al. 2024, Improving and generalizing flow-based generative models with minibatch optimal transport",
        "Pooladian et al. 2023, Multisample flow matching: straightening flows with minibatch couplings",
        "Cuturi 2013, Sinkhorn distances: lightspeed computation of optimal transport",
        "Fatras et al. 2020, Learning with minibatch Wasserstein: asymptotic and gradient properties",
        "Peyre & Cuturi 2019, Computational optimal transport, section 4",
    ),
    question="Flow matching pairs noise and data at random. Lines of different pairs pass the same places in different "
    "directions, so the target of the regression is noisy. How can a batch be paired anew without changing the law of the noise "
    "or of the data, and what is gained?",
    setting=(
        r"A batch has noise points $a_1, \dots, a_N$ and data points $b_1, \dots, b_M$. A pair costs $C_{i,j} = \|a_i - "
        r"b_j\|^2$.",
        r"An assignment, for $N = M$, pairs $a_i$ with $b_{\pi(i)}$ for a permutation $\pi$; an optimal one has the least mean "
        r"cost of a pair.",
        r"A plan is a table $P \ge 0$ with row sums $\frac1N$ and column sums $\frac1M$: its entries are the probabilities of "
        r"pairs. The entropic plan minimizes $\sum_{i,j} P_{i,j} (C_{i,j} + \varepsilon \log P_{i,j})$ for $\varepsilon > 0$.",
        r"A pair $(a, b)$ moves along $x_t = (1 - t)\, a + t\, b$, and the target of the regression at $x_t$ is $b - a$.",
    ),
    answer="An assignment only changes the order of a batch, so both laws stay. The optimal one pairs in the same order: lines "
    "of different pairs keep apart, and the target varies less where they pass. The entropic plan is between the optimal "
    "assignment and random pairs; Sinkhorn's iteration finds it, and for each further digit it can need a number of steps that "
    "grows exponentially with the ratio of cost and regularization, as on two pairs. A batch goes only a part of the way from "
    "random pairs to optimal transport.",
    limits=(
        "That an optimal plan may be taken to be an assignment for every N (Birkhoff's theorem).",
        "That Sinkhorn's iteration converges from everywhere. Near the solution, on two pairs, its rate is derived.",
        "How the cost of a batch falls with its size in many dimensions: slowly.",
    ),
)

d = derivation.index("d", "a coordinate", states=2)
a, a_other = derivation.numbers("a", d, "a noise point", "x0"), derivation.numbers(r"\tilde a", d, "another noise point")
b, b_other = derivation.numbers("b", d, "its data point", "x1"), derivation.numbers(r"\tilde b", d, "that of the other")
t = derivation.number("t", "the time", "time", between=(0, 1))
paid_more = plus(
    SquaredNorm(d, a - b_other), SquaredNorm(d, a_other - b), -SquaredNorm(d, a - b), -SquaredNorm(d, a_other - b_other)
)
no_gain = derivation.assume("An exchange of the partners of an optimal assignment gains nothing", paid_more)
monotone = derivation.chain(
    "Pairs of an optimal assignment have the same order",
    Inner(d, a - a_other, b - b_other),
    equals(
        times(Rational(1, 2), paid_more),
        "expand the squared distances: every square cancels, and the products remain twice",
        wrong={"the opposite order": -paid_more / 2},
    ),
    at_least(0, "the exchange of two partners gains nothing", dropping=no_gain.at() / 2),
    role="lemma",
    so=r"On a line this means that larger noise goes to larger data. Up to equal points only sorting does that, so sorting is "
    r"optimal: one of the $N!$ assignments is.",
)
apart = derivation.chain(
    "Their lines keep apart",
    SquaredNorm(d, (1 - t) * (a - a_other) + t * (b - b_other)),
    equals(
        plus(
            (1 - t) ** 2 * SquaredNorm(d, a - a_other),
            t**2 * SquaredNorm(d, b - b_other),
            2 * t * (1 - t) * Inner(d, a - a_other, b - b_other),
        ),
        "expand the square of the difference of the places at time $t$",
    ),
    at_least(
        plus((1 - t) ** 2 * SquaredNorm(d, a - a_other), t**2 * SquaredNorm(d, b - b_other)),
        "leave out the product, which is never negative (the lemma)",
        dropping=2 * t * (1 - t) * monotone.at(),
    ),
    central=True,
    so="Different noise or different data: then the lines never meet, and where two of them come near each other, both ends are "
    "near as well, so the targets are. Random pairs have no such bound: on a line half of all pairs of lines cross.",
)


def _batch(count, size, seed):
    """Noise and data of a seeded batch, the data in two clusters."""
    drawn = np.random.default_rng(seed)
    data = drawn.normal(size=(count, size)) / 2 + 2 * drawn.choice((-1.0, 1.0), (count, 1))
    return jnp.array(drawn.normal(size=(count, size))), jnp.array(data)


@derivation.exact(
    r"\frac1N \sum_i C_{i, \pi(i)} \text{ of the code is the least of all}",
    because="Six pairs in the plane, then six on the line, against all permutations; on the line also against sorting.",
    outcomes=2 * 720,
)
def the_assignment_is_optimal():
    every = np.array(list(itertools.permutations(range(6))))
    found, least, inverted = [], [], []
    for size in (2, 1):
        noise, data = _batch(6, size, seed=size)
        cost = np.asarray(squared_distance_matrix(noise, data))
        order = optimal_assignment(cost)
        found.append(cost[np.arange(6), order].mean())
        least.append(cost[np.arange(6), every].mean(axis=1).min())
        inverted.append(cost[order, np.arange(6)].mean())
    by_sorting = jnp.mean((jnp.sort(noise[:, 0]) - jnp.sort(data[:, 0])) ** 2)
    wrong = {"the permutation inverted": np.array([*inverted, by_sorting])}
    return Sides(left=np.array([*found, by_sorting]), right=np.array([*least, least[-1]]), wrong=wrong)


@derivation.exact(
    r"\left\langle a_i - a_j,\, b_{\pi(i)} - b_{\pi(j)} \right\rangle \ge \tfrac12, \quad \text{and still the cost is } 1, "
    r"\text{ not } 0",
    because=r"In the plane the order of pairs is necessary, not sufficient: the corners of a regular hexagon of radius 1, paired "
    r"with themselves turned by $60°$. No exchange of two partners gains, but turning all of them does.",
    outcomes=15,
    role="remark",
)
def a_hexagon():
    corners = np.array([(math.cos(turn * math.pi / 3), math.sin(turn * math.pi / 3)) for turn in range(6)])
    turned = np.roll(corners, -1, axis=0)
    cost = np.asarray(squared_distance_matrix(corners, turned))
    products = [(corners[i] - corners[j]) @ (turned[i] - turned[j]) for i, j in itertools.combinations(range(6), 2)]
    found = np.array([min(products), np.trace(cost) / 6, cost[np.arange(6), optimal_assignment(cost)].mean()])
    return Sides(left=found, right=np.array([0.5, 1.0, 0.0]), wrong={"the order is enough": np.array([0.5, 1.0, 1.0])})


derivation.say(
    "What does a pairing do for the regression? Let noise and data be standard normal numbers with the correlation $r$: 0 for "
    "random pairs, near 1 for sorted ones. The part of the target's variance that $x_t$ does not explain is gradient noise."
)
r = derivation.number("r", "the correlation of the two numbers of a pair", between=(0, 1))
z_0 = derivation.number("z_0", "the noise, a standard normal number")
own = derivation.number("n", "the part of the data that is independent of the noise, another one")
z_1 = r * z_0 + sqrt(1 - r**2) * own


def _mean(body):
    return Expectation(Normal(z_0, 0, 1), Expectation(Normal(own, 0, 1), body))


place = derivation.define("x_t", (1 - t) * z_0 + t * z_1, "the place of a pair, with data $r z_0 + \\sqrt{1 - r^2}\\, n$")
target = derivation.define("u", z_1 - z_0, "its target")
derivation.chain(
    "The variance of the target that is left at a place",
    plus(_mean(target**2), -(_mean(target * place) ** 2) / _mean(place**2)),
    equals(plus(2 * (1 - r), -((1 - 2 * t) ** 2) * (1 - r) ** 2 / (1 - 2 * t * (1 - t) * (1 - r))), "the three moments"),
    equals(
        (1 - r**2) / (1 - 2 * t * (1 - t) * (1 - r)),
        "one fraction: $(1 - 2t)^2 = 1 - 4t(1 - t)$",
        wrong={"the correlation not squared": (1 - r) / (1 - 2 * t * (1 - t) * (1 - r))},
    ),
    so=r"For Gaussian variables this is the variance given $x_t$. At $t = \frac12$ it is $2 (1 - r)$: 2 for random pairs, and "
    r"nothing at $r = 1$.",
)


@derivation.exact(
    r"\text{after } \pi \text{ every } a_i \text{ and every } b_j \text{ occurs once}",
    because="An assignment is a permutation: the batch has the same noise and the same data in another order. Here of 64 pairs.",
)
def both_laws_stay():
    cost = squared_distance_matrix(*_batch(64, 2, seed=3))
    wrong = {"the nearest data point of each": jnp.sort(jnp.argmin(cost, axis=1))}
    return Sides(left=jnp.sort(optimal_assignment(cost)), right=np.arange(64), wrong=wrong)


derivation.say(
    r"An assignment of $N$ pairs takes of the order of $N^3$ steps in sequence. The entropic plan takes sums over rows "
    r"and columns, which an accelerator computes at once, and has a derivative. It has the form $P_{i,j} = e^{(f_i + g_j - "
    r"C_{i,j})/\varepsilon}$ with a potential for each row and each column, and is the best plan as soon as both sums are right "
    r"(lemmas/entropic_plan)."
)
i, j = derivation.index("i", "a noise point, a row"), derivation.index("j", "a data point, a column")
k, m = derivation.index("k", "another row"), derivation.index("l", "another column")
N, M = derivation.count(i, "N", "the number of rows"), derivation.count(j, "M", "the number of columns")
cost = derivation.numbers("C", (i, j), "the cost of a pair", "cost")
derivation.symbol("P", "the probability of a pair in a plan", "exp(log_plan)")
epsilon = derivation.number(r"\varepsilon", "the weight of the entropy", "regularization", positive=True)
derivation.say(
    r"Sinkhorn's iteration looks for the potentials. In products, $P_{i,j} = \alpha_i G_{i,j} \beta_j$ with $\alpha_i = "
    r"e^{f_i/\varepsilon}$, $\beta_j = e^{g_j/\varepsilon}$ and $G_{i,j} = e^{-C_{i,j}/\varepsilon}$; the code adds their "
    r"logarithms, since for small $\varepsilon$ every $G_{i,j}$ underflows."
)
kernel = derivation.numbers("G", (i, j), r"$e^{-C_{i,j}/\varepsilon}$", positive=True)
beta = derivation.numbers(r"\beta", j, r"$e^{g_j/\varepsilon}$, the factor of a column", positive=True)
alpha = derivation.define(
    r"\alpha", 1 / (N * Total(m, kernel.at(i, m) * beta.at(m))), "the factor that the iteration chooses for a row", over=i
)
derivation.chain(
    "One half of Sinkhorn's iteration makes the row sums right",
    Total(j, alpha * kernel * beta),
    equals(times(alpha, Total(j, kernel * beta)), "the factor is the same for the whole row"),
    equals(1 / N, r"insert $\alpha_i$: the sum cancels", wrong={"rows of probabilities": 1, "the count twice": 1 / N**2}),
    uses=(entropic_plan,),
    so=r"The other half does the same for the columns, with $\frac1M$, and spoils the rows a little. The two halves in turn are "
    r"the iteration, from $\beta = 1$; the code ends with the columns.",
)
derivation.chain(
    "How a row answers the columns",
    times(beta.at(m), Slope(log(alpha.at(k)), beta.at(m))),
    equals(-kernel.at(k, m) * beta.at(m) / Total(j, kernel.at(k, j) * beta), "the slope of a logarithm"),
    equals(times(-N, alpha.at(k), kernel.at(k, m), beta.at(m)), r"one over the sum is $N \alpha_k$"),
    role="lemma",
    so=r"The first line is the slope of $\log \alpha_k$ in $\log \beta_l$. It is $-N P_{k,l}$: minus a row of probabilities. In "
    r"the same way $\log \beta_l$ answers $\log \alpha_k$ with $-M P_{k,l}$.",
)

derivation.say(r"With two points on either side everything can be solved. The sums leave one number, $p = P_{1,1} = P_{2,2}$.")
p = derivation.number("p", r"the probability of the pair $(1, 1)$, and of $(2, 2)$", between=(0, Rational(1, 2)))
gap = derivation.number(r"\Delta", "$C_{11} + C_{22} - C_{12} - C_{21}$: what the pairs $(1, 1)$, $(2, 2)$ cost more")
rest = Rational(1, 2) - p
objective = derivation.define(
    "J", p * gap + 2 * epsilon * (p * log(p) + rest * log(rest)), "the objective of two pairs, up to a constant"
)
quarter = gap / (4 * epsilon)
solution = derivation.define(
    r"p^\star", Rational(1, 2) / (1 + exp(gap / (2 * epsilon))), "the solution", "exp(log_plan)[0, 0]", positive=True
)
derivation.chain(
    "Two pairs: the slope of the objective",
    Slope(objective, p),
    equals(plus(gap, 2 * epsilon * (log(p) - log(rest))), r"$(p \log p)' = \log p + 1$, and the ones cancel"),
)
derivation.chain(
    "... vanishes at a sigmoid",
    solution / (Rational(1, 2) - solution),
    equals(
        exp(-gap / (2 * epsilon)),
        r"$\frac12 - p^\star = p^\star e^{\Delta/2\varepsilon}$",
        wrong={"without the half": exp(-gap / epsilon)},
    ),
    so=r"The difference of the two logarithms is $-\Delta/2\varepsilon$, so the slope is $\Delta - \Delta$.",
)
derivation.chain(
    "It is between the assignment and random pairs",
    solution,
    equals(
        plus(Rational(1, 4), -(exp(quarter) - exp(-quarter)) / (4 * (exp(quarter) + exp(-quarter)))),
        r"multiply above and below by $e^{-y}$, for $y = \Delta/4\varepsilon$",
    ),
    so=r"This is $\frac14 (1 - \tanh y)$. For large $\varepsilon$ it is $\frac14$, as if the pairs were drawn at random. For "
    r"small $\varepsilon$ the hyperbolic tangent is the sign of $\Delta$: $p^\star$ is $0$ where these pairs cost more and "
    r"$\frac12$ where they cost less, as in the assignment.",
)
less = derivation.number("c", r"the cost $\langle P, C \rangle$ of the plan for $\varepsilon$")
more = derivation.number("c'", r"the cost of the plan for $\varepsilon + \delta$")
of_less = derivation.number("h", r"$\sum P \log P$ of the plan for $\varepsilon$")
of_more = derivation.number("h'", r"... for $\varepsilon + \delta$")
delta = derivation.number(r"\delta", "more regularization", positive=True)
best_less = derivation.assume(
    r"The plan for $\varepsilon$ has the least objective with $\varepsilon$",
    plus(more, epsilon * of_more, -less, -epsilon * of_less),
)
best_more = derivation.assume(
    r"... and the plan for $\varepsilon + \delta$ with that",
    plus(less, (epsilon + delta) * of_less, -more, -(epsilon + delta) * of_more),
)
derivation.chain(
    "The cost grows with the regularization, for plans of any size",
    plus(more, -less),
    equals(
        plus((epsilon + delta) * best_less.at(), epsilon * best_more.at()) / delta,
        "weigh the two advantages so that the entropies cancel",
        wrong={"the weights exchanged": plus(epsilon * best_less.at(), (epsilon + delta) * best_more.at()) / delta},
    ),
    at_least(
        0,
        "both plans are optimal, each for its own objective",
        dropping=plus((epsilon + delta) * best_less.at(), epsilon * best_more.at()) / delta,
    ),
    role="lemma",
)
derivation.chain(
    "How fast the iteration converges",
    plus(2 * p * (2 * p - 2 * rest), 2 * rest * (2 * rest - 2 * p)),
    equals(
        (4 * p - 1) ** 2,
        "the first line: two answers of the lemma, one after the other, to the change $(1, -1)$ of $g$. Its signs cancel",
        wrong={"one answer": 4 * p - 1},
    ),
    so=r"With $p = p^\star$ and $4 p^\star - 1 = -\tanh y$ it is $\tanh^2 \frac{\Delta}{4\varepsilon}$: the error left by one "
    r"iteration. For small $\varepsilon$ this is about $1 - 4 e^{-|\Delta|/2\varepsilon}$, so the number of iterations for each "
    r"further digit grows exponentially with $1/\varepsilon$ if $\Delta \ne 0$.",
)


derivation.say(
    r"A plan pairs $a_i$ with several $b_j$. A pair is drawn by Gumbel variables $-\log E_j$, with $E_j$ independent standard "
    r"exponential: the largest $\log P_{i,j} - \log E_j$ is the smallest $E_j/P_{i,j}$, a clock that rings at the rate $P_{i,j}$."
)
s = derivation.number("s", "a time of the clocks", positive=True)
rate = derivation.numbers("w", j, "the row of the plan, as rates of clocks", "exp(log_plan)", positive=True)
derivation.symbol("E", "a standard exponential variable for each column; $-\\log E$ is a Gumbel variable", "gumbels")
derivation.chain(
    "The first clock to ring has the shares of the row",
    Integral(times(rate.at(m), exp(-s * Total(j, rate))), (s, 0, oo)),
    equals(
        rate.at(m) / Total(j, rate), r"clock $l$ rings at $s$ with the density $w_l e^{-w_l s}$, and no other has rung; integrate"
    ),
    so=r"The row need not sum to one. Where rows sum to $\frac1N$, this is $N P_{i,l}$, and $b_l$ is drawn $\sum_i N P_{i,l} = "
    r"\frac NM$ times in the mean: the law of the data stays in the mean, not in each batch, as it does with an assignment.",
)


@derivation.monte_carlo(
    r"\Pr(j) = w_j \Big/ \sum_l w_l",
    because=r"The code's draws of forty thousand rows $w = (0.1, 0.3, 0.1)$ of a plan.",
    role="remark",
)
def pairs_have_the_shares_of_their_row():
    row = np.array([0.1, 0.3, 0.1])
    gumbels = jnp.array(np.random.default_rng(4).gumbel(size=(40_000, 3)))
    drawn = np.asarray(sample_pairs(jnp.log(jnp.tile(row, (40_000, 1))), gumbels))
    return SampleSides(samples=np.eye(3)[drawn], expected=row / row.sum(), wrong={"the row taken for probabilities": row})


derivation.say(
    r"How far does a batch go? Noise and data both $\mathcal{N}(0, 1)$, two pairs, sorted. Of two numbers with the middle $m$, "
    r"$m - h$ is the smaller and $m + h$ the larger."
)
m_a, m_b = derivation.number("m_a", "the middle of the two noise points"), derivation.number("m_b", "... of the data")
h_a, h_b = derivation.number("h_a", "half of their distance"), derivation.number("h_b", "... of the data")
derivation.chain(
    "The cost of two sorted pairs",
    ((m_a + h_a - m_b - h_b) ** 2 + (m_a - h_a - m_b + h_b) ** 2) / 2,
    equals(plus((m_a - m_b) ** 2, (h_a - h_b) ** 2), "the mixed terms cancel"),
)
h = derivation.number("h", r"half of the distance of two draws, with the density $2 e^{-h^2}/\sqrt\pi$", positive=True)
derivation.chain(
    "The mean of half a distance",
    Integral(2 * h * exp(-(h**2)) / sqrt(pi), (h, 0, oo)),
    equals(1 / sqrt(pi), r"the integrand is the slope of $-e^{-h^2}/\sqrt\pi$"),
    so=r"The middles have variance $\frac12$, so $\mathbb{E}[(m_a - m_b)^2] = 1$. The half distances have the mean square "
    r"$\frac12$, so $\mathbb{E}[(h_a - h_b)^2] = 2 (\frac12 - \frac1\pi)$. Sorted pairs of a batch of two cost $2 - \frac2\pi = "
    r"1.3634$ in the mean; random pairs cost 2, and optimal transport between two equal laws costs 0.",
)

U, V = derivation.numbers("u", (d, i), "noise points"), derivation.numbers("v", (d, j), "data points")
derivation.bridge(
    "The code's squared distances",
    SquaredNorm(d, U - V),
    squared_distance_matrix,
    x0=[[U.at(d, number) for d in range(2)] for number in range(4)],
    x1=[[V.at(d, number) for d in range(2)] for number in range(4)],
    wrong={"the mean over coordinates": SquaredNorm(d, U - V) / 2},
)
row_first = exp(-cost / epsilon) / Total(m, exp(-cost.at(i, m) / epsilon))
share = derivation.define("K", row_first, "a row after its half of the first iteration", over=(i, j))
derivation.bridge(
    "... and its plan after one iteration",
    log(share / (M * Total(k, share.at(k, j)))),
    sinkhorn_log_plan,
    cost=cost,
    regularization=epsilon,
    iterations=1,
)

_TABLE = jnp.array([[9.0, 1.0], [1.0, 1.0]])


def _of_table(regularization, iterations):
    return jnp.exp(sinkhorn_log_plan(_TABLE, regularization=regularization, iterations=iterations))


@derivation.example(
    r"On a line, $a = (0, 2)$ and $b = (3, 1)$. These pairs cost $\frac{9 + 1}{2} = 5$, the others $\frac{1 + 1}{2} "
    r"= 1$, and $\Delta = 8$. Then the entropic plan for $\varepsilon = 4$: the error of the first row's sum falls by the factor "
    r"$\tanh^2 \frac12 = 0.2136$ in the end."
)
def two_pairs():
    table = squared_distance_matrix(jnp.array([0.0, 2.0]), jnp.array([3.0, 1.0]))
    yield "C", table, "9, 1, 1, 1"
    yield r"\pi", optimal_assignment(table), "(1, 0)"
    for regularization, plan_text, cost_text in ((1.0, "0.0090", "1.0719"), (4.0, "0.1345", "2.0758"), (8.0, "0.1888", "2.5102")):
        found = _of_table(regularization, 300)
        yield rf"p^\star, \ \varepsilon = {regularization:g}", found[0, 0], plan_text
        yield r"\langle P, C \rangle", (found * _TABLE).sum(), cost_text
    yield r"\text{sums of its rows and columns}", [_of_table(4.0, 300).sum(axis=axis) for axis in (1, 0)], "(0.5, 0.5, 0.5, 0.5)"
    errors = [_of_table(4.0, count)[0].sum() - 0.5 for count in (1, 2, 9, 10)]
    yield r"\text{errors of a row after one iteration and after two}", errors[:2], "(-0.0848, -0.0179)"
    yield r"\text{... the tenth by the ninth}", errors[3] / errors[2], "0.2136"


@derivation.figure(
    r"Twelve noise points (open) and twelve data points (filled), joined at random, by the optimal assignment, and by the "
    r"entropic plan with $\varepsilon = 1$: a darker line is a more probable pair.",
    panels=3,
)
def three_couplings(random, assigned, entropic):
    noise, data = map(np.asarray, _batch(12, 2, seed=5))
    table = squared_distance_matrix(noise, data)
    plan_of_pairs = np.exp(np.asarray(sinkhorn_log_plan(table, regularization=1.0, iterations=50)))
    couplings = np.eye(12), np.eye(12)[np.asarray(optimal_assignment(table))], 12 * plan_of_pairs
    for axes, weights, name in zip((random, assigned, entropic), couplings, ("random", "assignment", "entropic"), strict=True):
        for row, column in np.argwhere(weights > 0.05):
            ends = np.stack([noise[row], data[column]], axis=1)
            axes.plot(*ends, color="gray", linewidth=1, alpha=float(min(1.0, weights[row, column])))
        axes.plot(*noise.T, "o", fillstyle="none", markersize=4)
        axes.plot(*data.T, "o", markersize=4)
        axes.set(title=name, xlabel="first coordinate", aspect="equal")
    random.set(ylabel="second coordinate")


@derivation.exercise(
    r"At which $\varepsilon$ does the example's entropic plan cost 2?",
    r"It costs $10 p + 2 (\frac12 - p) = 1 + 8p$, so $p = \frac18$ and $e^{4/\varepsilon} = 3$: $4/\log 3 = 3.641$.",
)
def a_cost_of_two():
    yield 4 / math.log(3), "3.641"
    yield (_of_table(4 / math.log(3), 20) * _TABLE).sum(), "2"


@derivation.exercise(
    r"How many iterations shrink the example's error tenfold near the solution, for $\varepsilon = \frac12$?",
    r"Each leaves $\tanh^2 4 = 0.99866$ of it: $\log 10/{-\log 0.99866}$, which is 1716. At $\varepsilon = 4$ two are enough.",
)
def a_tenfold_smaller_error():
    yield math.tanh(4) ** 2, "0.99866"
    yield round(math.log(10) / -math.log(math.tanh(4) ** 2)), "1716"
    yield math.ceil(math.log(10) / -math.log(math.tanh(0.5) ** 2)), "2"


@derivation.exercise(
    r"Data $\pm 1$ come with their sign as a label, one of each in a batch of two, and noise is paired by sorting, whatever the "
    "label. What is the mean of the noise given the label $+$, and what goes wrong when the label is requested?",
    r"The larger of two standard normal numbers has the mean $1/\sqrt\pi = 0.5642$. The model learns a flow from that law, but "
    r"sampling starts from $\mathcal{N}(0, 1)$ with the mean 0. Pair within a label.",
)
def a_label_that_is_forgotten():
    yield 1 / math.sqrt(math.pi), "0.5642"
    larger = np.linspace(-8, 8, 4001)
    density = 2 * jax.scipy.stats.norm.pdf(larger) * jax.scipy.stats.norm.cdf(larger)
    yield (larger * density).sum() * (larger[1] - larger[0]), "0.5642"
