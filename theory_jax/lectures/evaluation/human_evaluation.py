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
from theory_jax.derivation.notation import Expectation, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.evaluation.human_evaluation import (
    Z_95,
    bradley_terry_negative_log_likelihood,
    fleiss_kappa,
    mean_opinion_score,
    wilson_interval,
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
    question="Twenty people judge samples of a generator. How certain is a percentage from twenty verdicts, how do comparisons "
    "become scores, how far do the raters agree beyond chance, and what can the best of them find out?",
    setting=(
        r"Verdicts are independent. Of $n$ trials with the success probability $p$, $k$ are successes, and $\hat p = k / n$.",
        r"In a comparison, $i$ beats $j$ with the probability $\sigma(s_i - s_j) = 1 / (1 + e^{s_j - s_i})$.",
        r"Each of the items has ratings from $R \ge 2$ raters, each in one of the categories, and at least two categories are "
        r"used. All probabilities and counts of the chains are positive; at the boundary the same holds by continuity.",
    ),
    answer=r"An interval for a share has to use the standard error at the probability that it tests, not at the share that was "
    r"seen: Wilson's interval stays in $[0, 1]$ and keeps its coverage on average, also where the usual one collapses to a "
    r"point. The best score difference of two items is the logit of the win rate. Kappa compares agreement with that of the "
    r"pooled shares; it is between $-1/(R-1)$ and 1. No observer tells real from generated with an accuracy above "
    r"$\frac12 (1 + \mathrm{TV})$.",
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
derivation.chain(
    "Wilson's interval is between the roots of a parabola",
    plus((seen - p) ** 2, -(z**2) * p * (1 - p) / n),
    equals(
        plus((1 + z**2 / n) * p**2, -(2 * seen + z**2 / n) * p, seen**2),
        "collect the powers of $p$",
        wrong={"the standard error at the share": plus(p**2, -2 * seen * p, seen**2 - z**2 * seen * (1 - seen) / n)},
    ),
    equals(
        times(1 + z**2 / n, p - low, p - high),
        "a parabola is its leading coefficient times the distances from its roots; quadratic formula",
        wrong={"Wald's ends": times(1 + z**2 / n, p - seen + z * wald, p - seen - z * wald)},
    ),
    central=True,
    so=r"The leading coefficient is positive, so $(\hat p - p)^2 \le z^2 p (1 - p) / n$ exactly for $p_- \le p \le p_+$.",
)
derivation.chain(
    "Its center is the share after as many successes as failures were added",
    (low + high) / 2,
    equals((k + z**2 / 2) / plus(k + z**2 / 2, m + z**2 / 2), "the square roots cancel"),
    so=r"At 95%, $z^2/2 = 1.92$: about two successes and two failures that were not observed.",
)
derivation.chain(
    "The lower end is never below 0",
    low,
    equals(
        seen * k / plus(k, z**2 / 2, z * q),
        r"multiply and divide by $k + z^2/2 + z q$; $(k + z^2/2)^2 - z^2 q^2 = k^2 (1 + z^2/n)$",
    ),
    at_least(0, "a product of positive numbers; 0 without a success", dropping=seen * k / plus(k, z**2 / 2, z * q)),
    role="lemma",
)
derivation.chain(
    "... and the upper end never above 1",
    1 - high,
    equals(
        times(m**2 / n, 1 / plus(m, z**2 / 2, z * q)),
        "the same with failures for successes: the interval of the failures is the mirror image",
    ),
    at_least(0, "a product of positive numbers", dropping=times(m**2 / n, 1 / plus(m, z**2 / 2, z * q))),
    role="lemma",
    so="Wald's ends have no such bounds: 18 of 20 gives an upper end of 1.03. The code computes both ends in these forms.",
)
derivation.say(
    r"Without a success Wald's interval is the point 0. So it covers $p$ only if there is a success, which has the probability "
    r"$1 - (1 - p)^n \to 0$ as $p \to 0$. Wilson's is then $[0, \frac{z^2}{n + z^2}]$: without a success, which has the "
    r"probability $(1 - p)^n \to 1$, it covers every $p$ up to this end."
)
derivation.symbol("C", "the coverage: the probability that the interval holds $p$")


def _interval_of_share(successes, trials, z):
    """Wald's interval."""
    share = successes / trials
    half = z * np.sqrt(share * (1 - share) / trials)
    return share - half, share + half


def _binomial(trials, chances):
    """The probability of every number of successes, [chances, trials + 1]."""
    successes = np.arange(trials + 1)
    ways = np.array([math.comb(trials, int(count)) for count in successes], dtype=float)
    return ways * chances[:, None] ** successes * (1 - chances[:, None]) ** (trials - successes)


def _coverage(ends, trials, chances):
    """How often an interval, of every number of successes, holds each of the chances."""
    low, high = (np.asarray(end) for end in ends)
    inside = (low <= chances[:, None]) & (chances[:, None] <= high)
    return np.sum(_binomial(trials, chances) * inside, axis=1)


_CHANCES = np.linspace(0.05, 0.95, 91)
_OF_20 = np.arange(21)


@derivation.exact(
    r"C = \sum_{k} \binom{n}{k} p^k (1 - p)^{n-k}, \quad (k - n p)^2 \le z^2 n p (1 - p),",
    because=r"$n = 20$, 91 values of $p$ from 0.05 to 0.95: the ends of the code for every $k$, and the inequality itself.",
    outcomes=21 * 91,
)
def coverage_of_twenty_trials():
    trials = np.full(21, 20)
    found = _coverage(wilson_interval(_OF_20, trials), 20, _CHANCES)
    near = (_OF_20 - 20 * _CHANCES[:, None]) ** 2 <= Z_95**2 * 20 * _CHANCES[:, None] * (1 - _CHANCES[:, None])
    wrong = {"Wald's": _coverage(_interval_of_share(_OF_20, trials, Z_95), 20, _CHANCES)}
    return Sides(left=found, right=np.sum(_binomial(20, _CHANCES) * near, axis=1), wrong=wrong)


derivation.say("Comparisons: one person sees two samples and decides which is better. First two items that met many times.")
w = derivation.number("n_w", "wins of the first item over the second", positive=True)
l = derivation.number("n_l", "... and its losses", positive=True)  # noqa: E741
d = derivation.number("d", "the difference of their scores, $s_1 - s_2$", "scores[winner] - scores[loser]")
nll = derivation.define(
    r"\ell",
    w * log(1 + exp(-d)) + l * log(1 + exp(d)),
    "minus the log-likelihood of all their comparisons",
    "sum(bradley_terry_negative_log_likelihood)",
)
derivation.chain(
    "Two items: the best difference is the logit of the win rate",
    Slope(nll, d),
    equals(
        plus((w + l) / (1 + exp(-d)), -w),
        r"the slope of $\log(1 + e^d)$ is $\sigma(d)$, and $\sigma(-d) = 1 - \sigma(d)$: expected wins minus wins",
        wrong={"winner and loser swapped": plus((w + l) / (1 + exp(d)), -w)},
    ),
    equals((l - w * exp(-d)) / (1 + exp(-d)), "common denominator"),
    so=r"It is zero at $e^d = n_w / n_l$, negative before and positive after: $d = \log \frac{n_w}{n_l}$ is the only minimum. "
    r"Without a loss $\ell$ falls for ever, and no finite score is the best. Of several items only differences of scores occur, "
    r"too: a constant that is added to all of them changes nothing. Their best fit is the subject of the lecture on the "
    r"Bradley-Terry model.",
)
i = derivation.index("i", "an item")

derivation.say("Agreement: the raters of an item put it into categories. How often would they agree by chance?")
c = derivation.index("c", "a category")
others = derivation.number("R'", "the raters of an item but one, $R - 1$", positive=True)
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
    equals(plus(Total(i, SquaredNorm(c, count)) / (I * R * others), -1 / others), "an item's counts sum to $R$"),
    equals(
        plus(least, scatter / (R * others)),
        r"a mean of squares is the square of the mean, $R^2 \bar u_c^2$, plus the variance",
        wrong={"chance without the correction for pairs": plus(by_chance, scatter / (R * others))},
    ),
    at_least(least, "leave out the scatter; equality if all items have the same counts", dropping=scatter / (R * others)),
)
kappa = derivation.define(r"\kappa", (agreement - by_chance) / (1 - by_chance), "agreement beyond chance", "fleiss_kappa")
derivation.chain(
    "Kappa is above -1/(R-1)",
    kappa,
    equals(
        plus(scatter / (R * others * (1 - by_chance)), -1 / others),
        r"insert the line above; $\frac{R P_e - 1}{R - 1} - P_e = -\frac{1 - P_e}{R - 1}$",
    ),
    at_least(
        -1 / others,
        r"leave out the scatter; $1 - P_e > 0$ because two categories are used",
        dropping=scatter / (R * others * (1 - by_chance)),
    ),
    so=r"It is 1 if every item has all of its ratings in one category, for then $P = 1$. Only two raters can reach $-1$.",
)
t = derivation.law("t", c, "the probability with which a rater chooses a category, whatever the item is")
c1, c2, c3 = (derivation.index(f"c_{draw}", f"the category that rater {draw} chooses") for draw in (1, 2, 3))
derivation.chain(
    "Raters who do not look agree at the rate of chance",
    Expectation(t.at(c1), Expectation(t.at(c2), KroneckerDelta(c1, c2))),
    equals(Total(c, t**2), r"both choose $c$ with the probability $t_c^2$"),
    role="lemma",
    so=r"Every pair of different raters has this expectation, so $P$ has, too: a mean over pairs. For a fair coin it is "
    r"$\frac12$. Pairs of a rater with itself would always agree, and are left out.",
)
y = derivation.numbers("y", c, "the rating of a category: 1 to 5, say", "ratings")
mean_of_three = (y.at(c1) + y.at(c2) + y.at(c3)) / 3


def _three(body):
    """Its expectation over three independent raters."""
    return Expectation(t.at(c1), Expectation(t.at(c2), Expectation(t.at(c3), body)))


squares = derivation.define(
    "S({},{},{})",
    plus(*((y.at(of) - mean_of_three) ** 2 for of in (c1, c2, c3))),
    "squared distances of three ratings from their mean",
    over=(c1, c2, c3),
)
derivation.chain(
    "Mean opinions: the variance is estimated with N - 1",
    _three(squares / 2),
    equals(
        _three(plus((y.at(c1) - y.at(c2)) ** 2, (y.at(c1) - y.at(c3)) ** 2, (y.at(c2) - y.at(c3)) ** 2) / 6),
        "squared distances from the mean are those of all pairs, divided by the number",
    ),
    equals(
        Expectation(t.at(c1), Expectation(t.at(c2), (y.at(c1) - y.at(c2)) ** 2)) / 2, "the three pairs have the same distribution"
    ),
    equals(Variance(t, y), "expand the square; the two are independent", wrong={"divided by N": 2 * Variance(t, y) / 3}),
    states=2,
    so=r"So $s^2$, the squares over $N - 1$, estimates the variance of one rating without bias, and $s^2 / N$ that of the mean: "
    r"the interval is $\bar y \pm z s / \sqrt N$. Divided by $N$ instead, it would be too short, by 13% for four raters.",
)

derivation.say(
    "Last, the test that has no scale: a person sees one sample, real or generated with equal odds, and decides which. "
    "What is the best possible accuracy?"
)
x = derivation.index("x", "what the person sees")
a = derivation.index("a", "the answer: 1 for real, 0 for generated", states=2)
f = derivation.law("f", x, "the law of real samples")
g = derivation.law("g", x, "the law of generated samples")
rule = derivation.law("r({}|{})", (a, x), "the observer's rule: the probability of an answer")
says_real, says_fake = rule.at(1, x), rule.at(0, x)
distance = derivation.define(r"\mathrm{TV}", Total(x, Abs(f - g)) / 2, "the total variation distance of both laws")
derivation.chain(
    "The best observer's accuracy measures a distance of laws",
    times(Rational(1, 2), Total(x, plus(f * says_real, g * says_fake))),
    equals(
        plus(Rational(1, 2), times(Rational(1, 2), Total(x, says_real * (f - g)))), r"$r(0|x) = 1 - r(1|x)$, and $g$ sums to one"
    ),
    at_most(
        plus(Rational(1, 2), times(Rational(1, 2), Total(x, Max(f - g, 0)))),
        r"a rule gains most if it decides for real exactly where $f > g$",
        adding=times(Rational(1, 2), Total(x, plus(says_fake * Max(f - g, 0), says_real * Max(g - f, 0)))),
    ),
    equals(plus(Rational(1, 2), distance / 2), r"$f - g$ sums to zero, so the positive parts are half of $\sum_x |f - g|$"),
    so=r"Accuracy $\frac12$ of the best rule means $f = g$. Accuracy $\frac12$ of a person means only that this person saw no "
    r"difference.",
)


def _total_variation(real, fake):
    return 0.5 * np.abs(real - fake).sum()


@derivation.exact(
    r"\max_{r} \frac{1}{2} \sum_x \left(f_x r(1|x) + g_x r(0|x)\right) = \frac{1}{2} (1 + \mathrm{TV})",
    because="All rules that answer without chance, on five samples.",
    outcomes=2**5,
)
def all_rules():
    real, fake = np.array([0.4, 0.25, 0.2, 0.1, 0.05]), np.array([0.1, 0.3, 0.2, 0.05, 0.35])
    rules = np.array(list(product((0.0, 1.0), repeat=5)))
    accuracies = (rules @ real + (1 - rules) @ fake) / 2
    return Sides(left=accuracies.max(), right=(1 + _total_variation(real, fake)) / 2)


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
N = derivation.count(c, "N", "the number of ratings")
average = Total(c, y) / N
c4 = derivation.index("c'", "another rating")
spread = Total(c4, (y.at(c4) - average) ** 2)
derivation.bridge(
    "... and a mean opinion with the half-width of its interval",
    (average, z * sqrt(spread / (N * (N - 1)))),
    mean_opinion_score,
    ratings=y,
    z=z,
    wrong={"the deviation of one rating": (average, z * sqrt(spread / (N - 1)))},
)


@derivation.exact(
    r"\kappa = \frac{P - P_e}{1 - P_e}",
    because="All tables of three items, three raters and three categories that use two categories at least: the code, and pairs "
    "of raters counted by their binomial coefficients.",
    outcomes=997,
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
    r"18 successes of 20, with Wilson's interval and Wald's; their coverage at the 91 probabilities above. Seven wins of ten. "
    r"Four items with three raters each, counts $(3,0), (2,1), (0,3), (1,2)$. The ratings $5, 4, 4, 3$. Two laws $(0.5, 0.3, "
    r"0.2)$ and $(0.2, 0.3, 0.5)$."
)
def twenty_verdicts():
    yield r"[p_-, p_+]", jnp.concatenate(wilson_interval(np.array([18]), np.array([20]))), "(0.6990, 0.9721)"
    yield r"\text{Wald's}", _interval_of_share(18, 20, Z_95), "(0.7685, 1.0315)"
    trials = np.full(21, 20)
    for words, ends, said in (
        ("Wilson's", wilson_interval(_OF_20, trials), "(0.9528, 0.9245)"),
        ("Wald's", _interval_of_share(_OF_20, trials, Z_95), "(0.8949, 0.6389)"),
    ):
        covered = _coverage(ends, 20, _CHANCES)
        yield rf"C \text{{ of {words}: mean, least}}", (covered.mean(), covered.min()), said
    yield r"d = \log \frac{7}{3}", math.log(7 / 3), "0.8473"
    yield r"\kappa = \frac{2/3 - 1/2}{1 - 1/2}", fleiss_kappa(_TABLE), "1/3"
    yield r"\bar y \text{ and half-width}", mean_opinion_score(np.array([5.0, 4.0, 4.0, 3.0])), "(4, 0.8002)"
    far = _total_variation(np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5]))
    yield r"\frac{1 + \mathrm{TV}}{2}", (1 + far) / 2, "0.65"


@derivation.figure(
    r"Left: coverage of both intervals for 20 trials; the line is 0.95. Wald's interval loses it at both ends. Right: the "
    r"parabola for 18 successes of 20, negative exactly inside of Wilson's interval (dots); Wald's interval (bar) leaves $[0, "
    r"1]$.",
    panels=2,
)
def coverage_and_parabola(covered, parabola):
    chances, trials = np.linspace(0.005, 0.995, 400), np.full(21, 20)
    covered.plot(chances, _coverage(wilson_interval(_OF_20, trials), 20, chances), label="Wilson")
    covered.plot(chances, _coverage(_interval_of_share(_OF_20, trials, Z_95), 20, chances), label="Wald")
    covered.axhline(0.95, color="black", linewidth=1)
    covered.set(xlabel="$p$", ylabel="coverage", ylim=(0, 1.03))
    covered.legend(loc="lower center")
    tested = np.linspace(0.6, 1.05, 100)
    parabola.plot(tested, (0.9 - tested) ** 2 - Z_95**2 * tested * (1 - tested) / 20)
    ends = np.concatenate(wilson_interval(np.array([18]), np.array([20])))
    parabola.plot(ends, 0 * ends, "o")
    parabola.plot(_interval_of_share(18, 20, Z_95), (-0.004, -0.004), color="gray", linewidth=4)
    parabola.axhline(0, color="black", linewidth=1)
    parabola.set(xlabel="$p$", ylabel=r"$(\hat p - p)^2 - z^2 p (1 - p) / n$")


@derivation.exercise(
    "No one of twenty people finds a fault. How large can the share of people who would still be, by Wilson's interval at 95%?",
    r"$\frac{z^2}{n + z^2} = \frac{3.8415}{23.8415} = 0.1611$; Wald's interval gives 0.",
)
def no_success():
    yield wilson_interval(np.array([0]), np.array([20]))[1], "0.1611"
    yield _interval_of_share(0, 20, Z_95)[1], "0"


@derivation.exercise(
    "Two raters always disagree. What is kappa with two categories, and with three that are used equally often?",
    r"With two, $P = 0$ and $P_e = \frac12$ give $-1$. With three, $P_e = \frac13$ gives -0.5. So the bound $-\frac{1}{R - 1}$ "
    "is reached only if all items have the same counts.",
)
def always_disagree():
    yield fleiss_kappa(np.array([[1, 1], [1, 1]])), "-1"
    yield fleiss_kappa(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])), "-0.5"


@derivation.exercise(
    r"Four raters are split two to two on every item. What is kappa, and is it the smallest for four raters?",
    r"$P = \frac13$ and $P_e = \frac12$ give -1/3, which is $-\frac{1}{R-1}$: no table of four raters has less.",
)
def two_to_two():
    yield fleiss_kappa(np.full((5, 2), 2)), "-1/3"
