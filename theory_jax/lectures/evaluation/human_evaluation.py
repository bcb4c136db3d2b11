"""Human evaluation: how certain are twenty verdicts, and when is agreement more than chance?

The lecture on the functions of theory_jax/evaluation/human_evaluation.py.
"""

import math
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, KroneckerDelta, Max, Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.human_evaluation import (
    Z_95,
    bradley_terry_negative_log_likelihood,
    fleiss_kappa,
    mean_opinion_score,
    wilson_interval,
)
from theory_jax.lectures.evaluation._verdicts import (
    CHANCES,
    OF_20,
    binomial,
    coverage,
    draw_coverage_and_parabola,
    mean_of_the_code,
    mean_opinions,
    total_variation,
    walds_interval,
)

derivation = Derivation(
    module=__name__,
    title="Human evaluation: how certain are twenty verdicts, and when is agreement more than chance?",
    lectures=(14,),
    sources=(
        "Wilson 1927, Probable inference, the law of succession, and statistical inference",
        "Bradley & Terry 1952, Rank analysis of incomplete block designs",
        "Fleiss 1971, Measuring nominal scale agreement among many raters",
        "ITU-T 1996, Recommendation P.800: Methods for subjective determination of transmission quality",
        "Zhou et al. 2019, HYPE: a benchmark for human eye perceptual evaluation of generative models",
    ),
    question="Eighteen of twenty people prefer a model, and its page says 90%; the next twenty may say 70%. Twenty people "
    "judge samples of a generator. How certain is a percentage from twenty verdicts, how do comparisons become scores, how "
    "far do the raters agree beyond chance, and what can the best of them find out?",
    setting=(
        r"Verdicts are independent. Of $n$ trials with the success probability $p$, $k$ are successes, in the share $\hat p$.",
        r"In a comparison, $i$ beats $j$ with the probability $\sigma(s_i - s_j)$, with the logistic function $\sigma$.",
        "Each of the items has ratings from $R$ raters, two or more, each in one of the categories, and at least two "
        "categories are used. All probabilities and counts of the chains are positive; at the boundary the same holds by "
        "continuity.",
    ),
    limits=(
        "Coverage of the normal interval for the mean of ordinal ratings.",
        "Raters of different skill, and verdicts of one person that depend on each other.",
        "The mean of squares is derived for three raters, agreement for three items and three categories; the same sums hold for "
        "any number.",
    ),
    trained="People judge, and nothing is learned from images: `python -m practice_torch judge RUN RUN` collects verdicts "
    "and fits the scores of this page.",
)

k = derivation.number("k", "successes", "successes", positive=True, integer=True)
m = derivation.number("m", "failures", "trials - successes", positive=True, integer=True)
z = derivation.number("z", "how many standard errors the interval allows", "z", positive=True)
p = derivation.number("p", "a probability of success that is tested", between=(0, 1))
n = derivation.define("n", k + m, "trials", "trials", positive=True)
seen = derivation.define(r"\hat p", k / n, "the share of successes", positive=True)
q = derivation.define("q", sqrt(k * m / n + z**2 / 4), "a root that both ends share", positive=True)
low = derivation.define("p_-", (k + z**2 / 2 - z * q) / (n + z**2), "the lower end", "wilson_interval[0]")
high = derivation.define("p_+", (k + z**2 / 2 + z * q) / (n + z**2), "the upper end", "wilson_interval[1]")
wald = sqrt(seen * (1 - seen) / n)

derivation.say(
    r"The standard error of $\hat p$ is $\sqrt{p (1 - p) / n}$. Wald's interval puts $\hat p$ in the place of the unknown $p$. "
    r"Wilson's interval holds every $p$ from which $\hat p$ is at most $z$ standard errors away, each at the $p$ that is tested."
)
central = derivation.chain(
    "Wilson's interval is between the roots of a parabola",
    plus((seen - p) ** 2, -(z**2) * p * (1 - p) / n),
    equals(
        plus((1 + z**2 / n) * p**2, -(2 * seen + z**2 / n) * p, seen**2),
        prose(
            "collect the powers of $p$: {odd}", odd=holds(plus(-2 * seen * p, -(z**2) * p / n), "=", -(2 * seen + z**2 / n) * p)
        ),
        wrong={"the standard error at the share": plus(p**2, -2 * seen * p, seen**2 - z**2 * seen * (1 - seen) / n)},
    ),
    equals(
        times(1 + z**2 / n, p - low, p - high),
        prose(
            "a parabola is its leading coefficient times the distances from its roots, {lower} and the same for the other",
            lower=holds((seen - low) ** 2, "=", z**2 * low * (1 - low) / n),
        ),
        wrong={"Wald's ends": times(1 + z**2 / n, p - seen + z * wald, p - seen - z * wald)},
    ),
    central=True,
    so="The leading coefficient is positive, so the squared distance of $p$ from the share is at most $z^2$ squared standard "
    "errors exactly for $p$ from $p_-$ to $p_+$.",
)
derivation.chain(
    "The center of the interval is the share after as many successes as failures were added",
    (low + high) / 2,
    equals(
        (k + z**2 / 2) / plus(k + z**2 / 2, m + z**2 / 2),
        prose("the square roots cancel: {sum}", sum=holds(plus(low, high), "=", (2 * k + z**2) / (n + z**2))),
    ),
    so=r"At 95%, $z^2/2$ is 1.92: about two successes and two failures that were not observed.",
    role="remark",
)
derivation.chain(
    "The lower end is never below 0",
    low,
    equals(
        seen * k / plus(k, z**2 / 2, z * q),
        prose(
            "multiply and divide by {sum}; {difference}",
            sum=plus(k, z**2 / 2, z * q),
            difference=holds(plus((k + z**2 / 2) ** 2, -(z**2) * q**2), "=", k**2 * (1 + z**2 / n)),
        ),
    ),
    at_least(
        0,
        prose("a product of positive numbers; 0 without a success, {none}", none=where(k, 0)),
        dropping=seen * k / plus(k, z**2 / 2, z * q),
    ),
    role="lemma",
)
derivation.chain(
    "The upper end is never above 1",
    1 - high,
    equals(
        times(m**2 / n, 1 / plus(m, z**2 / 2, z * q)),
        "the same with failures for successes: the interval of the failures is the mirror image",
    ),
    at_least(
        0,
        prose("a product of positive numbers; 0 without a failure, {none}", none=where(m, 0)),
        dropping=times(m**2 / n, 1 / plus(m, z**2 / 2, z * q)),
    ),
    role="lemma",
    so="Wald's ends have no such bounds: 18 of 20 gives an upper end of 1.03. The code computes both ends in these forms.",
)
derivation.say(
    prose(
        "Without a success Wald's interval is the point 0. So it covers a positive $p$ only if there is a success, which has "
        "the probability $1 - (1 - p)^n$ and so hardly any for small $p$. The upper end of Wilson's is then {end}: without a "
        "success it covers every $p$ up to this end.",
        end=holds(high, "=", z**2 / (m + z**2), when={k: 0}, named=True),
    )
)
derivation.symbol("C", "the coverage: the probability that the interval holds $p$")


@derivation.exact(
    r"C = \sum_{k} \binom{n}{k} p^k (1 - p)^{n-k}, \quad (k - n p)^2 \le z^2 n p (1 - p),",
    because=r"Twenty trials, 91 values of $p$ from 0.05 to 0.95: the ends of the code for every $k$, and the inequality itself.",
    outcomes=21 * 91,
    role="remark",
)
def coverage_of_twenty_trials():
    trials = np.full(21, 20)
    found = coverage(wilson_interval(OF_20, trials), 20, CHANCES)
    near = (OF_20 - 20 * CHANCES[:, None]) ** 2 <= Z_95**2 * 20 * CHANCES[:, None] * (1 - CHANCES[:, None])
    wrong = {"Wald's": coverage(walds_interval(OF_20, trials, Z_95), 20, CHANCES)}
    return Sides(left=found, right=np.sum(binomial(20, CHANCES) * near, axis=1), wrong=wrong)


derivation.say("Comparisons: one person sees two samples and decides which is better. First two items that met many times.")
w = derivation.number("n_w", "wins of the first item over the second", positive=True)
l = derivation.number("n_l", "... and its losses", positive=True)  # noqa: E741
d = derivation.number("d", "the difference of their scores", "scores[winner] - scores[loser]")
nll = derivation.define(
    r"\ell",
    w * log(1 + exp(-d)) + l * log(1 + exp(d)),
    "minus the log-likelihood of all their comparisons",
    "sum(bradley_terry_negative_log_likelihood)",
)
two_items = derivation.chain(
    "Two items: the best difference is the logit of the win rate",
    Slope(nll, d),
    equals(
        plus((w + l) / (1 + exp(-d)), -w),
        prose(
            "{slope}, the probability of a win: expected wins minus wins",
            slope=holds(Slope(log(1 + exp(d)), d), "=", 1 / (1 + exp(-d))),
        ),
        wrong={"winner and loser swapped": plus((w + l) / (1 + exp(d)), -w)},
    ),
    equals((l - w * exp(-d)) / (1 + exp(-d)), "common denominator"),
    so=prose(
        "At {best} it is {zero}; it is negative before and positive after, so this is the only minimum. Without a loss "
        "$\\ell$ falls for ever, and no finite score is the best. Of several items only differences of scores occur, too: a "
        "constant that is added to all of them changes nothing. Their best fit is the subject of the lecture on the "
        "Bradley-Terry model.",
        best=where(d, log(w / l)),
        zero=holds(Slope(nll, d), "=", 0, named=True),
    ),
)
i = derivation.index("i", "an item")
derivation.say("Agreement: the raters of an item put it into categories. How often would they agree by chance?")
c = derivation.index("c", "a category")
others = derivation.number("R'", "the raters of an item but one", positive=True)
R = derivation.define("R", others + 1, "the raters of an item", "counts.sum(axis=1)", positive=True)
u = derivation.law("u({}|{})", (c, i), "the share of item $i$'s ratings that are in category $c$", "counts / R")
I = derivation.count(i, "I", "the number of items")  # noqa: E741
count = derivation.define(r"\nu", R * u, "how many raters put item $i$ into category $c$", "counts", over=(i, c))
pooled = derivation.define(r"\bar u", Total(i, u) / I, "the share of all ratings that are in category $c$", over=c, law=True)
agreement = derivation.define(
    "P", Total(i, Total(c, count * (count - 1) / (R * others))) / I, "the share of pairs of raters that agree on an item"
)
by_chance = derivation.define("P_e", Total(c, pooled**2), "... if each drew from the pooled shares")
scatter = derivation.define(
    "v", Total(i, SquaredNorm(c, count - R * pooled)) / I, "how far the items' counts are from their mean", positive=True
)
least = (R * by_chance - 1) / others
derivation.chain(
    "Agreement is what chance gives, and the scatter of the counts",
    agreement,
    equals(
        plus(Total(i, SquaredNorm(c, count)) / (I * R * others), -1 / others),
        prose("an item's counts sum to $R$: {sum}", sum=holds(Total(c, count), "=", R)),
    ),
    equals(
        plus(least, scatter / (R * others)),
        prose(
            "a mean of squares is the square of the mean plus the variance: {squares}",
            squares=holds(Total(i, SquaredNorm(c, count)) / I, "=", plus(SquaredNorm(c, R * pooled), scatter)),
        ),
        wrong={"chance without the correction for pairs": plus(by_chance, scatter / (R * others))},
    ),
    at_least(
        least,
        prose(
            "leave out the scatter; equality if all items have the same shares, {same} for every item", same=where(u, u.at(c, 0))
        ),
        dropping=scatter / (R * others),
    ),
    role="lemma",
)
kappa = derivation.define(r"\kappa", (agreement - by_chance) / (1 - by_chance), "agreement beyond chance", "fleiss_kappa")
kappa_bound = derivation.chain(
    "Kappa is at least -1/(R-1)",
    kappa,
    equals(
        plus(scatter / (R * others * (1 - by_chance)), -1 / others),
        prose("insert the line above; {rest}", rest=holds(plus(least, -by_chance), "=", -(1 - by_chance) / others)),
    ),
    at_least(
        -1 / others,
        prose("leave out the scatter; {positive} because two categories are used", positive=holds(1 - by_chance, ">", 0)),
        dropping=scatter / (R * others * (1 - by_chance)),
    ),
    so="It is 1 if every item has all of its ratings in one category, for then all pairs agree. Only two raters can reach $-1$.",
)
t = derivation.law("t", c, "the probability with which a rater chooses a category, whatever the item is")
c1, c2, c3 = (derivation.index(f"c_{draw}", f"the category that rater {draw} chooses") for draw in (1, 2, 3))
derivation.chain(
    "Raters who do not look agree at the rate of chance",
    Expectation(t.at(c1), Expectation(t.at(c2), KroneckerDelta(c1, c2))),
    equals(Total(c, t**2), prose("both choose $c$ with the probability {both}", both=t**2)),
    role="lemma",
    so=r"Every pair of different raters has this expectation, so $P$ has, too: a mean over pairs. For a fair coin it is "
    r"$\frac12$. Pairs of a rater with itself would always agree, and are left out.",
)
opinions, y = mean_opinions(derivation, t, c, (c1, c2, c3))

derivation.say(
    "Last, the test that has no scale: a person sees one sample, real or generated with equal odds, and decides which. "
    "What is the best possible accuracy?"
)
x = derivation.index("x", "what the person sees")
a = derivation.index("a", "the answer: 1 for real, 0 for generated", states=2)
f = derivation.law("f", x, "the distribution of real samples")
g = derivation.law("g", x, "that of generated samples")
rule = derivation.law("r({}|{})", (a, x), "the observer's rule: the probability of an answer")
says_real, says_fake = rule.at(1, x), rule.at(0, x)
distance = derivation.define(r"\mathrm{TV}", Total(x, Abs(f - g)) / 2, "the total variation distance of both")
derivation.chain(
    "The best observer's accuracy measures a distance of distributions",
    times(Rational(1, 2), Total(x, plus(f * says_real, g * says_fake))),
    equals(
        plus(Rational(1, 2), times(Rational(1, 2), Total(x, says_real * (f - g)))),
        prose("{other}, and $g$ sums to one", other=holds(says_fake, "=", 1 - says_real)),
    ),
    at_most(
        plus(Rational(1, 2), times(Rational(1, 2), Total(x, Max(f - g, 0)))),
        prose(
            "a rule gains most if it decides for real where $f$ is larger; add what it misses, {missed} at each $x$",
            missed=holds(
                plus(Max(f - g, 0), -says_real * (f - g)),
                "=",
                plus(says_fake * Max(f - g, 0), says_real * Max(g - f, 0)),
                named=True,
            ),
        ),
        adding=times(Rational(1, 2), Total(x, plus(says_fake * Max(f - g, 0), says_real * Max(g - f, 0)))),
    ),
    equals(
        plus(Rational(1, 2), distance / 2),
        prose("{zero}, so the positive parts are half of the sum of all sizes", zero=holds(Total(x, f - g), "=", 0)),
    ),
    so=r"Accuracy $\frac12$ of the best rule means that both distributions are one. Accuracy $\frac12$ of a person means only "
    "that this person saw no difference.",
)


derivation.answer = prose(
    "An interval for a share has to use the standard error at the probability that it tests, not at the share that was seen: "
    "Wilson's interval stays in $[0, 1]$, and its coverage, averaged over the probabilities, is near what it claims, also "
    "where the usual one collapses to a point. The best score difference of two items is {logit}, the logit of the win rate. "
    "Kappa compares agreement with that of the pooled shares; it is at least {least} with $R' + 1$ raters, and at most 1. At "
    "equal odds no observer tells real from generated with an accuracy above {best}.",
    logit=log(w / l),
    least=-1 / others,
    best=holds(
        plus(Rational(1, 2), times(Rational(1, 2), Total(x, Max(f - g, 0)))), "=", plus(Rational(1, 2), distance / 2), named=True
    ),
)


@derivation.exact(
    r"\max_{r} \frac{1}{2} \sum_x \left(f_x r(1|x) + g_x r(0|x)\right) = \frac{1}{2} (1 + \mathrm{TV})",
    because="All rules that answer without chance, on five samples.",
    outcomes=2**5,
    role="remark",
)
def all_rules():
    real, fake = np.array([0.4, 0.25, 0.2, 0.1, 0.05]), np.array([0.1, 0.3, 0.2, 0.05, 0.35])
    rules = np.array(list(product((0.0, 1.0), repeat=5)))
    return Sides(left=((rules @ real + (1 - rules) @ fake) / 2).max(), right=(1 + total_variation(real, fake)) / 2)


derivation.bridge(
    "The code computes both ends of Wilson's interval",
    (low, high),
    wilson_interval,
    successes=[k],
    trials=[k + m],
    z=z,
    wrong={"Wald's": (seen - z * wald, seen + z * wald)},
)
derivation.bridge(
    "... a comparison's loss",
    log(1 + exp(-d)),
    bradley_terry_negative_log_likelihood,
    winners=np.array([1]),
    losers=np.array([0]),
    scores=[0 * d, d],
    wrong={"winner and loser swapped": log(1 + exp(d))},
)
mean_of_the_code(derivation, c, y, z)


@derivation.exact(
    r"\kappa = \frac{P - P_e}{1 - P_e}",
    because="All tables of three items, three raters and three categories that use two categories at least: the code, and pairs "
    "of raters counted by their binomial coefficients.",
    outcomes=997,
    role="remark",
)
def all_tables():
    rows = np.array([row for row in product(range(4), repeat=3) if sum(row) == 3])
    tables = rows[np.array(list(product(range(len(rows)), repeat=3)))]
    tables = tables[(tables.sum(axis=1) < 9).all(axis=1)]
    agree = (tables * (tables - 1) / 2).sum(axis=(1, 2)) / 9
    chance = ((tables.sum(axis=1) / 9) ** 2).sum(axis=1)
    with_self = ((tables / 3) ** 2).sum(axis=(1, 2)) / 3
    wrong = {"pairs with themselves": (with_self - chance) / (1 - chance)}
    return Sides(left=jax.vmap(fleiss_kappa)(tables), right=(agree - chance) / (1 - chance), wrong=wrong)


_TABLE = np.array([[3, 0], [2, 1], [0, 3], [1, 2]])


@derivation.example(
    "18 successes of 20, with Wilson's interval and Wald's; their coverage at the 91 probabilities above. Seven wins of ten. "
    "Four items with three raters each, counts $(3,0), (2,1), (0,3), (1,2)$. The ratings $5, 4, 4, 3$. Two distributions "
    "$(0.5, 0.3, 0.2)$ and $(0.2, 0.3, 0.5)$."
)
def twenty_verdicts():
    yield r"[p_-, p_+]", jnp.concatenate(wilson_interval(np.array([18]), np.array([20]))), "(0.6990, 0.9721)"
    yield r"\text{Wald's}", walds_interval(18, 20, Z_95), "(0.7685, 1.0315)"
    of_wilson, of_wald = (ends(OF_20, np.full(21, 20), z=Z_95) for ends in (wilson_interval, walds_interval))
    for words, ends, said in (("Wilson's", of_wilson, "(0.9528, 0.9245)"), ("Wald's", of_wald, "(0.8949, 0.6389)")):
        covered = coverage(ends, 20, CHANCES)
        yield rf"C \text{{ of {words}: mean, least}}", (covered.mean(), covered.min()), said
    yield r"d = \log \frac{7}{3}", math.log(7 / 3), "0.8473"
    yield r"\kappa = \frac{2/3 - 1/2}{1 - 1/2}", fleiss_kappa(_TABLE), "1/3"
    yield r"\bar y \text{ and half-width}", mean_opinion_score(np.array([5.0, 4.0, 4.0, 3.0])), "(4, 0.8002)"
    yield r"\frac{1 + \mathrm{TV}}{2}", (1 + total_variation(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]))) / 2, "0.65"


@derivation.algorithm(
    "From verdicts to numbers",
    do(r"shares: report $[p_-, p_+]$ with $\hat p$", wilson_interval, by=central),
    do(
        r"comparisons: minimize the sum of $\log(1 + e^{-d})$ over the scores",
        bradley_terry_negative_log_likelihood,
        by=two_items,
    ),
    do(r"ratings: report $\bar y \pm z s / \sqrt N$", mean_opinion_score, by=opinions),
    do(r"with several raters an item: $\kappa$, which is near 0 for raters who do not look", fleiss_kappa, by=kappa_bound),
)
def four_kinds_of_verdicts():
    yield r"\text{18 of 20: } [p_-, p_+]", jnp.concatenate(wilson_interval(np.array([18]), np.array([20]))), "(0.6990, 0.9721)"
    scores, first = np.array([math.log(7 / 3), 0.0]), np.array([0] * 7 + [1] * 3)
    losses = bradley_terry_negative_log_likelihood(first, 1 - first, scores)
    yield r"\text{7 wins of 10, } d = \log \tfrac73: \text{ the sum of the losses}", jnp.sum(losses), "6.1086"
    yield r"\text{ratings } (5, 4, 4, 3)", mean_opinion_score(np.array([5.0, 4.0, 4.0, 3.0])), "(4, 0.8002)"
    yield r"\kappa \text{ of the four items}", fleiss_kappa(_TABLE), "1/3"


@derivation.figure(
    r"Left: coverage of both intervals for 20 trials; the line is 0.95. Wald's interval loses it at both ends. Right: the "
    r"parabola for 18 successes of 20, negative exactly inside of Wilson's interval (dots); Wald's interval (bar) leaves $[0, "
    r"1]$.",
    panels=2,
)
def coverage_and_parabola(covered, parabola):
    draw_coverage_and_parabola(covered, parabola)
