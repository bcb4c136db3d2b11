"""Minibatch couplings: pairing noise with data so that paths keep apart.

The lecture on the functions of theory_jax/flows/minibatch_coupling.py.
"""

from sympy import Integral, Rational, exp, log, oo, pi, sqrt, tanh

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Limit, Normal, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.minibatch_coupling import optimal_assignment, sample_pairs, sinkhorn_log_plan, squared_distance_matrix
from theory_jax.lectures.flows._minibatch_coupling import (
    a_hexagon,
    both_laws_stay,
    pairs_have_the_shares_of_their_row,
    the_assignment_is_optimal,
    three_couplings,
    two_pairs,
    two_plans,
)
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
    question="Flow matching pairs noise and data at random. Lines of different pairs pass the same positions in different "
    "directions, so the target of the regression is noisy. How can a batch be paired anew without changing the distribution "
    "of the noise or of the data, and what is gained?",
    setting=(
        r"A batch has noise points $a_1, \dots, a_N$ and data points $b_1, \dots, b_M$. A pair costs its squared distance "
        "$C_{i,j}$.",
        r"An assignment, with as many data as noise points, pairs $a_i$ with $b_{\pi(i)}$ for a permutation $\pi$; an "
        "optimal one has the least mean cost of a pair.",
        r"A plan is a table $P$ of positive numbers with row sums $\frac1N$ and column sums $\frac1M$: its entries are the "
        r"probabilities of pairs. The entropic plan minimizes $\sum_{i,j} P_{i,j} (C_{i,j} + \varepsilon \log P_{i,j})$, "
        r"with a positive $\varepsilon$.",
        r"A pair $(a, b)$ moves along the line $(1 - t)\, a + t\, b$, and the target of the regression at every point of it is "
        "$b - a$.",
    ),
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
no_gain = derivation.assume(
    "An exchange of the partners of an optimal assignment gains nothing",
    paid_more,
    example={a: (0, 0), a_other: (1, 1), b: (0, 1), b_other: (2, 1)},
    wrong={"the sign": -paid_more},
)
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
        "expand the square of the difference of the positions at time $t$",
    ),
    at_least(
        plus((1 - t) ** 2 * SquaredNorm(d, a - a_other), t**2 * SquaredNorm(d, b - b_other)),
        "leave out the product, which is never negative (the lemma)",
        dropping=2 * t * (1 - t) * monotone.at(),
    ),
    central=True,
    so="Different noise or different data: then the lines never meet between their ends, and where two of them come near "
    "each other halfway, both ends are near as well, so the targets are. Random pairs have no such bound: on a line half of "
    "all pairs of lines cross.",
)


derivation.exact(
    r"\frac1N \sum_i C_{i, \pi(i)} \text{ of the code is the least of all}",
    because="Six pairs in the plane, then six on the line, against all permutations; on the line also against sorting.",
    outcomes=2 * 720,
    role="remark",
)(the_assignment_is_optimal)


derivation.exact(
    r"\left\langle a_i - a_j,\, b_{\pi(i)} - b_{\pi(j)} \right\rangle \ge \tfrac12, \quad \text{and still the cost is } 1, "
    r"\text{ not } 0",
    because="In the plane the order of pairs is necessary, not sufficient: the corners of a regular hexagon of radius 1, "
    "paired with themselves turned by $60°$. No exchange of two partners gains, but turning all of them does.",
    outcomes=15,
    role="remark",
)(a_hexagon)


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


place = derivation.define("x_t", (1 - t) * z_0 + t * z_1, r"the position of a pair, with data $r z_0 + \sqrt{1 - r^2}\, n$")
target = derivation.define("u", z_1 - z_0, "its target")
left_over = plus(_mean(target**2), -(_mean(target * place) ** 2) / _mean(place**2))
explained_less = derivation.chain(
    "The variance of the target that is left at a position",
    left_over,
    equals(
        plus(2 * (1 - r), -((1 - 2 * t) ** 2) * (1 - r) ** 2 / (1 - 2 * t * (1 - t) * (1 - r))),
        prose(
            "the three moments: {second}, {mixed}, {of_position}",
            second=holds(_mean(target**2), "=", times(2, 1 - r)),
            mixed=holds(_mean(target * place), "=", times(2 * t - 1, 1 - r)),
            of_position=holds(_mean(place**2), "=", plus(1, -2 * t * (1 - t) * (1 - r))),
        ),
    ),
    equals(
        (1 - r**2) / (1 - 2 * t * (1 - t) * (1 - r)),
        prose("one fraction: {square}", square=holds((1 - 2 * t) ** 2, "=", plus(1, -times(4, t, 1 - t)))),
        wrong={"the correlation not squared": (1 - r) / (1 - 2 * t * (1 - t) * (1 - r))},
    ),
    so=prose(
        "For Gaussian variables this is the variance given $x_t$. At {half} it is {left}: 2 for random pairs, and nothing "
        "where noise and data determine each other, at the correlation 1.",
        half=where(t, Rational(1, 2)),
        left=holds(left_over, "=", times(2, 1 - r), named=True),
    ),
)


derivation.exact(
    r"\text{after } \pi \text{ every } a_i \text{ and every } b_j \text{ occurs once}",
    because="An assignment is a permutation: the batch has the same noise and the same data in another order. Here of 64 pairs.",
    role="lemma",
)(both_laws_stay)


derivation.say(
    "An assignment of $N$ pairs takes of the order of $N^3$ steps in sequence. The entropic plan takes sums over rows and "
    "columns, which an accelerator computes at once, and has a derivative. It has the form $e^{(f_i + g_j - "
    r"C_{i,j})/\varepsilon}$ with a potential for each row and each column, and is the best plan as soon as both sums are "
    "right (lemmas/entropic_plan)."
)
i, j = derivation.index("i", "a noise point, a row"), derivation.index("j", "a data point, a column")
k, m = derivation.index("k", "another row"), derivation.index("l", "another column")
N, M = derivation.count(i, "N", "the number of rows"), derivation.count(j, "M", "the number of columns")
cost = derivation.numbers("C", (i, j), "the cost of a pair", "cost")
derivation.symbol("P", "the probability of a pair in a plan", "exp(log_plan)")
epsilon = derivation.number(r"\varepsilon", "the weight of the entropy", "regularization", positive=True)
derivation.say(
    r"Sinkhorn's iteration looks for the potentials. In products, the plan is $\alpha_i G_{i,j} \beta_j$ with a factor "
    r"$e^{f_i/\varepsilon}$ of the row, $e^{g_j/\varepsilon}$ of the column, and $e^{-C_{i,j}/\varepsilon}$; the code adds "
    r"their logarithms, since for small $\varepsilon$ every $G_{i,j}$ underflows."
)
kernel = derivation.numbers("G", (i, j), r"$e^{-C_{i,j}/\varepsilon}$", positive=True)
beta = derivation.numbers(r"\beta", j, r"$e^{g_j/\varepsilon}$, the factor of a column", positive=True)
alpha = derivation.define(
    r"\alpha", 1 / (N * Total(m, kernel.at(i, m) * beta.at(m))), "the factor that the iteration chooses for a row", over=i
)
half_iteration = derivation.chain(
    "One half of Sinkhorn's iteration makes the row sums right",
    Total(j, alpha * kernel * beta),
    equals(times(alpha, Total(j, kernel * beta)), "the factor is the same for the whole row"),
    equals(1 / N, r"insert $\alpha_i$: the sum cancels", wrong={"rows of probabilities": 1, "the count twice": 1 / N**2}),
    uses=(entropic_plan,),
    so=r"The other half does the same for the columns, with $\frac1M$, and spoils the rows a little. The two halves in turn "
    r"are the iteration, from $\beta_j$ that are all 1; the code ends with the columns.",
)
derivation.chain(
    "A row answers the columns with minus its probabilities",
    times(beta.at(m), Slope(log(alpha.at(k)), beta.at(m))),
    equals(-kernel.at(k, m) * beta.at(m) / Total(j, kernel.at(k, j) * beta), "the slope of a logarithm"),
    equals(times(-N, alpha.at(k), kernel.at(k, m), beta.at(m)), r"one over the sum is $N \alpha_k$"),
    role="lemma",
    so=r"The first line is the slope of $\log \alpha_k$ in $\log \beta_l$. It is $-N P_{k,l}$: minus a row of probabilities. "
    r"In the same way $\log \beta_l$ answers $\log \alpha_k$ with $-M P_{k,l}$.",
)

derivation.say(
    "With two points on either side everything can be solved. The sums leave one number, the probability $p$ of "
    "the pair $(1, 1)$, which is that of $(2, 2)$."
)
p = derivation.number("p", r"the probability of the pair $(1, 1)$, and of $(2, 2)$", between=(0, Rational(1, 2)))
gap = derivation.number(r"\Delta", "$C_{11} + C_{22} - C_{12} - C_{21}$: what the pairs $(1, 1)$, $(2, 2)$ cost more")
rest = Rational(1, 2) - p
objective = derivation.define(
    "J", p * gap + 2 * epsilon * (p * log(p) + rest * log(rest)), "the objective of two pairs, up to a constant"
)
quarter = derivation.define("y", gap / (4 * epsilon), "the difference of the costs on the scale of the regularization")
solution = derivation.define(
    r"p^\star", Rational(1, 2) / (1 + exp(gap / (2 * epsilon))), "the solution", "exp(log_plan)[0, 0]", positive=True
)
derivation.chain(
    r"With two pairs the slope of the objective vanishes at $p^\star$",
    Slope(objective, p),
    equals(
        plus(gap, 2 * epsilon * (log(p) - log(rest))),
        prose("{slope}, and the ones cancel", slope=holds(Slope(p * log(p), p), "=", log(p) + 1)),
    ),
    role="lemma",
    so=prose(
        "It vanishes at $p^\\star$, {zero}, since there {odds}.",
        zero=holds(Slope(objective, p), "=", 0, when={p: solution}),
        odds=holds(
            solution / (Rational(1, 2) - solution), "=", exp(-gap / (2 * epsilon)), wrong={"no half": exp(-gap / epsilon)}
        ),
    ),
)
derivation.chain(
    "With two pairs the entropic plan is between the assignment and random pairs",
    solution,
    equals(
        plus(Rational(1, 4), -(exp(quarter) - exp(-quarter)) / (4 * (exp(quarter) + exp(-quarter)))),
        "multiply above and below by $e^{-y}$",
    ),
    role="remark",
    so=prose(
        r"With the hyperbolic tangent it is {tangent}. For large $\varepsilon$ it is nearly $\frac14$, as if the pairs were "
        r"drawn at random: {limit}. For small $\varepsilon$ the tangent is nearly the sign of $\Delta$: $p^\star$ is nearly "
        r"0 where these pairs cost more and $\frac12$ where they cost less, as in the assignment.",
        tangent=times(Rational(1, 4), plus(1, -tanh(quarter))),
        limit=holds(Limit(solution, epsilon, oo), "=", Rational(1, 4)),
    ),
)
less = derivation.number("c", r"the cost $\langle P, C \rangle$ of the plan for $\varepsilon$")
more = derivation.number("c'", r"the cost of the plan for $\varepsilon + \delta$")
of_less = derivation.number(r"\eta", r"$\sum P \log P$ of the plan for $\varepsilon$")
of_more = derivation.number(r"\eta'", r"... for $\varepsilon + \delta$")
delta = derivation.number(r"\delta", "more regularization", positive=True)
_TWO_PLANS = {epsilon: 1, delta: 1, less: 1, of_less: -1, more: Rational(3, 2), of_more: -Rational(7, 5)}
best_less = derivation.assume(
    r"The plan for $\varepsilon$ has the least objective with $\varepsilon$",
    plus(more, epsilon * of_more, -less, -epsilon * of_less),
    example=_TWO_PLANS,
    wrong={"the other plan": plus(less, epsilon * of_less, -more, -epsilon * of_more)},
)
best_more = derivation.assume(
    r"... and the plan for $\varepsilon + \delta$ with that",
    plus(less, (epsilon + delta) * of_less, -more, -(epsilon + delta) * of_more),
    example=_TWO_PLANS,
    wrong={"the other plan": plus(more, (epsilon + delta) * of_more, -less, -(epsilon + delta) * of_less)},
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
share_left = plus(2 * p * (2 * p - 2 * rest), 2 * rest * (2 * rest - 2 * p))
derivation.chain(
    "An iteration on two pairs leaves a fixed share of a small error",
    share_left,
    equals(
        (4 * p - 1) ** 2,
        "the first line: two answers of the lemma, one after the other, to the change $(1, -1)$ of $g$. Its signs cancel",
        wrong={"one answer": 4 * p - 1},
    ),
    so=prose(
        r"At the solution it is {left}: the share of a small error that one iteration leaves. For small $\varepsilon$ this "
        r"is about $1 - 4 e^{-|\Delta|/2\varepsilon}$, so the number of iterations for each further digit grows "
        r"exponentially with $1/\varepsilon$, unless $\Delta$ is 0.",
        left=tanh(quarter) ** 2,
    ),
)
derivation.answer = prose(
    "An assignment only changes the order of a batch, so both distributions stay. The optimal one pairs in the same order: "
    "lines of different pairs keep apart, and the target varies less where they pass: for normal noise and data with "
    "the correlation $r$ its variance halfway is {left}. The entropic plan is between the optimal assignment and random pairs; "
    r"Sinkhorn's iteration finds it, but on two pairs whose costs differ by $\Delta$ it leaves the share {share} of a small "
    r"error, near 1 where $\varepsilon$ is small. A batch goes only a part of the way from random pairs to optimal transport.",
    left=holds(left_over, "=", times(2, 1 - r), when={t: Rational(1, 2)}, named=True),
    share=holds(share_left, "=", tanh(gap / (4 * epsilon)) ** 2, when={p: solution}, named=True),
)


derivation.say(
    r"A plan pairs $a_i$ with several $b_j$. A pair is drawn by Gumbel variables $-\log E_j$, with $E_j$ independent "
    r"standard exponential: the largest $\log P_{i,j} - \log E_j$ is the smallest $E_j/P_{i,j}$, a clock that rings at the "
    "rate $P_{i,j}$."
)
s = derivation.number("s", "a time of the clocks", positive=True)
rate = derivation.numbers("w", j, "the row of the plan, as rates of clocks", "exp(log_plan)", positive=True)
derivation.symbol("E", "a standard exponential variable for each column; $-\\log E$ is a Gumbel variable", "gumbels")
clocks = derivation.chain(
    "The first clock to ring has the shares of the row",
    Integral(times(rate.at(m), exp(-s * Total(j, rate))), (s, 0, oo)),
    equals(
        rate.at(m) / Total(j, rate), "clock $l$ rings at $s$ with the density $w_l e^{-w_l s}$, and no other has rung; integrate"
    ),
    role="remark",
    so=r"The row need not sum to one. Where rows sum to $\frac1N$, this is $N P_{i,l}$, and $b_l$ is drawn "
    r"$\sum_i N P_{i,l}$ times in the mean, or $\frac NM$: the distribution of the data stays in the mean, not in each batch, "
    "as it does with an assignment.",
)


derivation.monte_carlo(
    r"\Pr(j) = w_j \Big/ \sum_l w_l",
    because="The code's samples from forty thousand rows $(0.1, 0.3, 0.1)$ of a plan.",
    role="remark",
)(pairs_have_the_shares_of_their_row)


derivation.say(
    r"How far does a batch go? Noise and data both $\mathcal{N}(0, 1)$, two pairs, sorted. Of two numbers with the middle $m$, "
    r"$m - h$ is the smaller and $m + h$ the larger."
)
m_a, m_b = derivation.number("m_a", "the middle of the two noise points"), derivation.number("m_b", "... of the data")
h_a, h_b = derivation.number("h_a", "half of their distance"), derivation.number("h_b", "... of the data")
derivation.chain(
    "Two sorted pairs cost what their middles and half distances differ by, squared",
    ((m_a + h_a - m_b - h_b) ** 2 + (m_a - h_a - m_b + h_b) ** 2) / 2,
    equals(plus((m_a - m_b) ** 2, (h_a - h_b) ** 2), "the mixed terms cancel"),
    role="lemma",
)
h = derivation.number("h", r"half of the distance of two samples, with the density $2 e^{-h^2}/\sqrt\pi$", positive=True)
derivation.chain(
    "A batch of two goes a part of the way to optimal transport",
    Integral(2 * h * exp(-(h**2)) / sqrt(pi), (h, 0, oo)),
    equals(1 / sqrt(pi), r"the integrand is the slope of $-e^{-h^2}/\sqrt\pi$"),
    role="remark",
    so=prose(
        r"The middles have variance $\frac12$: {middles}. The half distances have the same mean square, so the mean of "
        "$(h_a - h_b)^2$ is {halves}. Sorted pairs of a batch of two cost {sum} in the mean, or 1.3634; random pairs cost 2, "
        "and optimal transport between two equal distributions costs 0.",
        middles=holds(
            Expectation(Normal(m_a, 0, Rational(1, 2)), Expectation(Normal(m_b, 0, Rational(1, 2)), (m_a - m_b) ** 2)), "=", 1
        ),
        halves=times(2, plus(Rational(1, 2), -1 / pi)),
        sum=holds(plus(1, times(2, plus(Rational(1, 2), -1 / pi))), "=", 2 - 2 / pi, named=True),
    ),
)

U, V = derivation.numbers(r"\hat a", (d, i), "noise points"), derivation.numbers(r"\hat b", (d, j), "data points")
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


derivation.algorithm(
    "A training step with paired batches",
    do("take noise points $a_1, \\dots, a_N$ and data points $b_1, \\dots, b_N$"),
    do(r"$C_{i,j} \leftarrow$ the squared distance of $a_i$ and $b_j$", squared_distance_matrix),
    do(r"pair $a_i$ with $b_{\pi(i)}$, for the $\pi$ of least cost", optimal_assignment, by=apart),
    do(r"or, for large $N$: from all $\beta_j$ that are 1, repeat:"),
    do(r"all $\alpha_i \leftarrow 1 / (N \sum_j G_{i,j} \beta_j)$, and all $\beta_j$ likewise", by=half_iteration, indent=1),
    do(r"with $P_{i,j} \leftarrow \alpha_i G_{i,j} \beta_j$", sinkhorn_log_plan, by=half_iteration),
    do(r"pair $a_i$ with the $b_j$ of the largest $\log P_{i,j} - \log E_j$", sample_pairs, by=clocks),
    do(r"a gradient step of flow matching on these pairs", by=explained_less),
)(two_plans)


derivation.example(
    r"On a line, the noise 0 and 2 and the data 3 and 1. These pairs cost $\frac{9 + 1}{2}$, which is 5, the others $\frac{1 "
    r"+ 1}{2}$, which is 1, and $\Delta$ is 8. Then the entropic plan with the regularization 4: the error of the first "
    r"row's sum falls by the factor $\tanh^2 \frac12$ in the end, which is 0.2136."
)(two_pairs)


derivation.figure(
    r"Twelve noise points (open) and twelve data points (filled), joined at random, by the optimal assignment, and by the "
    r"entropic plan with the regularization 1: a darker line is a more probable pair.",
    panels=3,
)(three_couplings)
