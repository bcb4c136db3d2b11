"""The best of n by a proxy: its distribution, its distance, and when the true reward turns.

The lecture on the functions of theory_jax/preference/overoptimization.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Matrix, Rational, exp, log, oo, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.largest_estimate import largest_of_normals
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.lemmas.tilting import tilting
from theory_jax.lectures.preference._best_of_n import draw_flaws, draw_gaussian, gold_with_a_flaw
from theory_jax.preference.overoptimization import (
    best_of_n_kl_bound,
    best_of_n_log_probs,
    expected_gold_reward,
    normal_maximum_mean,
    overoptimization_curve,
)

derivation = Derivation(
    module=__name__,
    title="The best of n by a proxy: its distribution, its distance, and when the true reward turns",
    lectures=(54,),
    sources=(
        "Gao, Schulman & Hilton 2023, Scaling laws for reward model overoptimization",
        "Hilton & Gao 2022, Measuring Goodhart's law",
        "Beirami et al. 2024, Theoretical guarantees on the best-of-n alignment policy",
        "Manheim & Garrabrant 2018, Categorizing variants of Goodhart's law",
    ),
    question="The more a reward model is optimized, the better its own numbers become, and at some point the answers become "
    "worse. The simplest way to follow it is to draw several completions and keep the one with the largest reward. Which "
    "distribution do the kept ones have, how far from the reference is it, and when does the true reward turn?",
    setting=(
        "One prompt is fixed. Its completions are drawn from the reference $p$, independently, $n$ times, and the sample with "
        r"the largest reward is kept; of several such samples, one at random. The kept one has the distribution $\pi_n$.",
        r"The reward that chooses is the proxy. What is meant is the gold reward $g$; the proxy is $g$ plus an error.",
    ),
    limits=(
        "That reward models of texts follow the two fitted laws of the last part: that was measured, on one family of models.",
        "Errors with heavy tails in general. The figure shows one such case, simulated.",
        "How far best-of-n falls short of the most proxy that its divergence can buy.",
    ),
)

n = derivation.number("n", "how many are drawn", "samples", positive=True)
below = derivation.number("l", "the probability of a smaller reward, $F(r^-)$", positive=True)
level = derivation.number("T", "the probability of exactly this reward", positive=True)
upto = derivation.define("u", below + level, "the probability of at most this reward, $F(r)$", positive=True)
one = derivation.number("p", "the probability of one completion with this reward", "exp(log_probs)", positive=True)
kept = derivation.chain(
    "A level wins if it is the largest of n, and its completions share that by the reference",
    times(plus(times(4, level, below**3), times(6, level**2, below**2), times(4, level**3, below), level**4), one / level),
    equals(
        times(plus(upto**4, -(below**4)), one / level),
        "one, two, three or all four samples are at the level, the others below: the binomial theorem for $(l + T)^4$, without "
        "the term in which no sample is",
    ),
    equals(
        times(one, plus(upto**3, upto**2 * below, upto * below**2, below**3)),
        "a difference of powers, divided by $u - l$, which is $T$",
        wrong={"the whole level, not this completion's share": plus(upto**4, -(below**4))},
    ),
    role="lemma",
    so=prose(
        "However many samples are at the level, the blind choice takes one of them, and each is this completion with "
        r"probability $p / T$. For any $n$ all samples are at most $r$, but not all are smaller: $\pi_n$ is {general}, for "
        "four samples {four}. The tie has canceled. That is what the code computes, with no difference of nearly equal powers.",
        general=times(one, (upto**n - below**n) / level),
        four=holds(
            times(one, (upto**n - below**n) / level),
            "=",
            times(one, plus(upto**3, upto**2 * below, upto * below**2, below**3)),
            when={n: 4},
            named=True,
        ),
    ),
)


@derivation.exact(
    r"\pi_n = p\, \frac{u^n - l^n}{u - l}",
    because="Three completions with no two rewards equal, the upper two, the lower two, and all three; one, two and four "
    "samples. The left side is the code's, the right side sums over all tuples of samples and breaks ties by a fair choice.",
    outcomes=4 * (3 + 9 + 81),
    role="lemma",
)
def law_of_the_winner():
    patterns, p = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.0, 0.0, 0.0]]), np.array([0.5, 0.2, 0.3])
    counts, wanted = (1, 2, 4), np.zeros((3, 4, 3))
    for c, row in itertools.product(range(3), range(4)):
        for drawn in map(np.array, itertools.product(range(3), repeat=counts[c])):
            best = drawn[patterns[row, drawn] == patterns[row, drawn].max()]
            np.add.at(wanted[c, row], best, np.prod(p[drawn]) / len(best))
    rows = jnp.log(jnp.tile(p, (4, 1)))
    got = jnp.stack([jnp.exp(best_of_n_log_probs(jnp.array(patterns), rows, samples=n)) for n in counts])
    ties = patterns[:, :, None] == patterns[:, None, :]
    return Sides(left=got, right=wanted, wrong={"all of a tie to each": wanted * (ties * p).sum(-1) / p})


derivation.chain(
    "Rewards that are never equal: the reference, tilted by the place in the order",
    Limit((upto**n - below**n) / level, level, 0),
    equals(n * below ** (n - 1), "the derivative of $u^n$"),
    role="lemma",
    so=r"So $\pi_n$ is $p \, n F^{n - 1}$: a tilt by $(n - 1) \log F$, not by the reward. Only the order of the rewards counts. "
    r"The best of $m$ among winners of $n$ is the best of $m n$: a power of a power.",
)

derivation.say(
    r"How far is $\pi_n$ from the reference? A level contributes its probability under $\pi_n$ times the logarithm of the ratio: "
    r"$(u^n - l^n) \log \frac{u^n - l^n}{u - l}$. For a continuous reward that is an integral of $n u^{n - 1} \log(n u^{n - "
    r"1})$, with the antiderivative"
)
upper = derivation.number("v", "a probability, the upper end of an integral", positive=True)


def _antiderivative(at):
    return times(at**n, plus(log(n), times(n - 1, log(at)), -(n - 1) / n))


G = derivation.define("G", _antiderivative(upper), "the antiderivative, at $v$")
derivation.chain(
    "The function G is an antiderivative of the divergence's integrand",
    Slope(G, upper),
    equals(
        times(n, upper ** (n - 1), log(n * upper ** (n - 1))),
        "the product rule; the last term of $G$ takes away what the logarithm's derivative adds",
    ),
    role="lemma",
    so=prose(
        "$G$ goes to 0 with $v$, and is {end} at 1.", end=holds(G, "=", plus(log(n), -(n - 1) / n), when={upper: 1}, named=True)
    ),
)
density = derivation.number("s", r"the density $n v^{n - 1}$ at the upper end of the level", positive=True)
mean = derivation.number("y", r"its mean over the level, $(u^n - l^n)/(u - l)$", positive=True)
excess = plus(_antiderivative(upto), -_antiderivative(below), -times(upto**n - below**n, log((upto**n - below**n) / level)))
widened = plus(times(density, log(density)), -times(density, log(mean)), -density, mean)
derivation.chain(
    "A level that becomes wider: its integral grows by more than its contribution",
    Slope(excess, level),
    equals(
        widened.subs({density: n * upto**n / upto, mean: (upto**n - below**n) / level}),
        r"differentiate by the upper end: the integrand, less the product rule",
    ),
    role="lemma",
    so=r"In the next lemma $s$ stands for $n u^{n - 1}$, and $y$ for its mean over the level, $\frac{u^n - l^n}{u - l}$.",
)
derivation.chain(
    "A tie contributes less than its level would without ties",
    widened,
    equals(times(density, plus(mean / density, -1, -log(mean / density))), "collect the logarithms"),
    at_least(
        0,
        prose("the tangent of the logarithm at 1; equality where {same}", same=where(mean, density)),
        dropping=times(density, tangent.at(mean / density)),
    ),
    role="lemma",
    so=r"The excess $G(u) - G(l) - (u^n - l^n) \log \frac{u^n - l^n}{u - l}$ is 0 where the level is empty, and grows with it: "
    r"it is never negative.",
)
first = derivation.number("f_1", "the probability of the lowest of three levels", between=(0, 1))
second = derivation.number("f_2", "of the lower two", between=(0, 1))
slack = [
    derivation.number(name, f"the excess of the {which} level, never negative by the last lemma", positive=True)
    for name, which in (("D_1", "lowest"), ("D_2", "middle"), ("D_3", "highest"))
]
G_1 = derivation.define("G_1", _antiderivative(first), "the antiderivative at $f_1$")
G_2 = derivation.define("G_2", _antiderivative(second), "... at $f_2$")
G_3 = derivation.define("G(1)", _antiderivative(sympy.Integer(1)), "... at 1; at 0 it is 0")
divergence = derivation.define(
    r"\mathrm{KL}_n",
    plus(plus(G_1, -slack[0]), plus(G_2, -G_1, -slack[1]), plus(G_3, -G_2, -slack[2])),
    r"the divergence of $\pi_n$ from the reference: three levels, each its integral without the excess",
)
bound = plus(log(n), -(n - 1) / n)
distance = derivation.chain(
    "The divergence of the best of n is at most log n minus (n - 1)/n",
    divergence,
    at_most(
        plus(G_1, plus(G_2, -G_1), plus(G_3, -G_2)),
        "add what each level falls short of its integral; equality if and only if no level is a tie",
        adding=plus(*slack),
    ),
    equals(G_3, "the ends of the levels cancel"),
    equals(bound, "the logarithm of 1 is 0"),
    central=True,
    so=prose(
        r"Any number of levels cancels in the same way, and for a continuous reward the bound is the divergence. It is {none} "
        r"for one sample and near $\log n - 1$ for many: a thousand samples cost nearly six nats.",
        none=holds(bound, "=", 0, when={n: 1}, named=True),
    ),
)

derivation.say("Does the true reward rise with the proxy's? First, errors that are as Gaussian as the reward.")
mu = derivation.number(r"\mu", "the mean of the gold reward", "gold_mean")
v_g = derivation.number("v_g", "its variance", "gold_variance", positive=True)
v_n = derivation.number("v_n", "the variance of the error", "noise_variance", positive=True)
g = derivation.number("g", "the gold reward of a completion")
e = derivation.number(r"\varepsilon", "the error of its proxy, independent of $g$, with mean 0")
k = derivation.define("k", v_g / (v_g + v_n), "the gold's share of the proxy's variance")
derivation.chain(
    "What a linear guess misses is uncorrelated with the proxy",
    Expectation(Normal(g, mu, v_g), Expectation(Normal(e, 0, v_n), (g - mu - k * (g + e - mu)) * (g + e - mu))),
    equals(
        plus(v_g, -times(k, v_g + v_n)),
        "multiply out; the mixed terms have mean 0",
        wrong={"the error's share in place of the gold reward's": plus(v_n, -times(k, v_g + v_n))},
    ),
    equals(0, "the definition of $k$"),
    role="lemma",
    so=r"Both are jointly Gaussian, so uncorrelated is independent: the proxy $P$ says nothing about the rest, and the mean of "
    r"$g$ given $P$ is $\mu + k\, (P - \mu)$. A proxy of 3 deviations is worth $3 k$ of them.",
)
m_n = derivation.number("m_n", "the mean of the largest of $n$ standard normal numbers", "normal_maximum_mean", positive=True)
regression = derivation.chain(
    "With Gaussian errors the gold reward of the best of n rises for ever",
    times(k, sqrt(v_g + v_n), m_n),
    equals(
        times(v_g / sqrt(v_g + v_n), m_n),
        r"the mean of $k\, (P - \mu)$ at the largest of $n$ proxies, with the deviation $\sqrt{v_g + v_n}$",
        wrong={"the gain of the proxy": times(sqrt(v_g + v_n), m_n)},
    ),
    uses=(largest_of_normals,),
    so=prose(
        r"For two samples $m_n$ is $\frac{1}{\sqrt\pi}$ and for three $\frac{3}{2 \sqrt\pi}$; for more it is integrated "
        r"numerically. The gold reward, above $\mu$, rises with $n$ for ever, since $m_n$ does. The proxy promises more, {times} "
        "as much: the gap grows, but more optimization never hurts. This is regression to the mean, and no more.",
        times=holds(1 / k, ">", 1),
    ),
)


@derivation.monte_carlo(
    r"\mathbb{E}[g] = \frac{v_g}{\sqrt{v_g + v_n}}\, m_n",
    because=r"The winner by the proxy of 16 samples, 20,000 times, with the variances 1 and 3: the mean is half of $m_{16}$.",
    role="remark",
)
def gold_of_sixteen():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(20_000, 16))
    won = gold[np.arange(20_000), (gold + np.sqrt(3) * rng.normal(size=gold.shape)).argmax(axis=1)]
    m_16 = float(normal_maximum_mean(samples=16))
    return SampleSides(samples=won, expected=m_16 / 2, wrong={"the proxy's own mean": 2 * m_16})


derivation.say(
    r"Now an error that optimization can find. The gold reward is 0 or 1, with equal probability. A share $q$ of the completions "
    r"has a flaw that the proxy takes for excellence: it gives them more than 2, by a number that has nothing to do with the "
    r"gold reward. For the others it is exact."
)
q = derivation.number("q", "the probability of the flaw", between=(0, 1))
flawed = plus(times(Rational(1, 2), 1 - (1 - q) ** n), (1 - q) ** n - ((1 - q) / 2) ** n)
derivation.chain(
    "With a flaw that the proxy likes the gold reward rises and falls back",
    flawed,
    equals(
        plus(Rational(1, 2), times((1 - q) ** n, plus(Rational(1, 2), -(2 ** (-n))))),
        r"the first term: some sample is flawed, and wins with a gold reward of mean $\frac12$. The second: none is, and some "
        "sample has a gold reward of 1. Collect $(1 - q)^n$",
    ),
    so=prose(
        r"Two factors: $\frac12 - 2^{-n}$ rises with $n$ from 0, and $(1 - q)^n$ falls. For one sample it is {start}, then more.",
        start=holds(flawed, "=", Rational(1, 2), when={n: 1}, named=True),
    ),
)
rate = derivation.number("c", "the rate at which $(1 - q)^n$ falls, $-\\log(1 - q)$", positive=True)
fallen = plus(Rational(1, 2), times(exp(-rate * n), plus(Rational(1, 2), -exp(-n * log(2)))))
derivation.answer = prose(
    "With $F$ the probability of a reward up to some level, the level is the largest of $n$ with the probability $F(r)^n - "
    "F(r^-)^n$, shared as the reference shares it. The divergence is at most {bound}: it grows with the logarithm of $n$. With "
    "Gaussian errors the gold reward rises for ever, though less than the proxy, by the share {share}. One kind of flaw that the "
    "proxy likes is enough to make it rise and fall back to where it began, {end}.",
    bound=bound,
    share=holds(k, "<", 1),
    end=holds(Limit(fallen, n, oo), "=", Rational(1, 2), wrong={"to nothing": 0}),
)
derivation.chain(
    "With ever more samples the flawed gold reward falls to where it began",
    Limit(fallen, n, oo),
    equals(Rational(1, 2), prose("{none}: almost surely one is flawed", none=holds(Limit(exp(-rate * n), n, oo), "=", 0))),
    role="lemma",
    so="The proxy only rises. All that is needed is an error that is rare under the reference, large, and unrelated to the gold "
    "reward: what is rare among few samples is what is chosen among many.",
)


derivation.say(
    r"For language models two laws were fitted: with $d$ for the root of the divergence, the gold reward above that of the "
    r"reference is $d\, (\alpha - \beta d)$ for best-of-n and $d\, (\alpha - \beta \log d)$ for reinforcement. Where is the turn?"
)
d = derivation.number("d", "the root of the divergence", "sqrt(kl)", positive=True)
alpha = derivation.number(r"\alpha", "the gain at the beginning", "gain", positive=True)
beta = derivation.number(r"\beta", "the decay", "decay", positive=True)
best_of_n, reinforcement = d * (alpha - beta * d), d * (alpha - beta * log(d))
derivation.chain(
    "The fitted law of best-of-n peaks where half of its gain is used up; the other, with equal numbers, later",
    Matrix([Slope(best_of_n, d), Slope(reinforcement, d)]),
    equals(
        Matrix([times(-2 * beta, d - alpha / (2 * beta)), times(-beta, plus(log(d), -(alpha / beta - 1)))]), "the product rule"
    ),
    role="lemma",
    so=prose(
        "At its peak the first is {peak}, and at twice that distance again {zero}. The second is {later} at its peak, {place}. "
        "The decays of the two laws are different numbers, so their peaks are not to be compared by the formulas alone.",
        peak=holds(best_of_n, "=", alpha**2 / (4 * beta), when={d: alpha / (2 * beta)}, named=True),
        zero=holds(best_of_n, "=", 0, when={d: alpha / beta}, named=True),
        later=holds(reinforcement, "=", beta * exp(alpha / beta - 1), when={d: exp(alpha / beta - 1)}, named=True),
        place=exp(alpha / beta - 1),
    ),
)
i, j = derivation.index("i", "a completion"), derivation.index("j", "any completion")
reference = derivation.law("p_0", i, "the reference")
any_law = derivation.law("w", i, "any distribution: that of the best of $n$, say")
r = derivation.numbers("r", i, "the proxies", "rewards")
price = derivation.number("b", "a price for each nat", positive=True)
derivation.chain(
    "No distribution has more proxy than the tilt of the same divergence",
    Expectation(any_law, r),
    at_most(
        plus(times(price, log(Total(i, reference * exp(r / price)))), times(price, Divergence(any_law, reference))),
        prose(
            "add the gap of the tilted reference; equality if and only if {tilt}",
            tilt=where(any_law, reference * exp(r / price) / Total(j, reference.at(j) * exp(r.at(j) / price))),
        ),
        adding=tilting.at(any_law, reference, r, price),
    ),
    so=r"For the tilt itself the last line is its proxy. So the tilt whose price $b$ gives it the divergence of $\pi_n$ has at "
    r"least the proxy of $\pi_n$. There is one: tilts reach every divergence below $-\log P(\text{best level})$, and no ratio "
    r"$\frac{u^n - l^n}{u - l}$ is above $1 / P(\text{best level})$.",
)


_UPTO = [sum(reference.at(state) for state in range(last + 1)) for last in range(4)]
derivation.bridge(
    "The code computes the distribution of the best of five",
    [log(F**5 - (F - reference.at(state)) ** 5) for state, F in enumerate(_UPTO)],
    best_of_n_log_probs,
    rewards=jnp.arange(4.0)[None],
    log_probs=[log(reference)],
    samples=5,
    wrong={"a density's power, as if there were no ties": [log(5 * reference.at(state) * F**4) for state, F in enumerate(_UPTO)]},
)
draws = derivation.number("N", "a number of samples", "samples", between=(1, 100))
derivation.bridge("... the bound", bound.subs(n, draws), best_of_n_kl_bound, samples=draws)
P = derivation.number("P", "the proxy of a completion", "proxy")
derivation.bridge(
    "... the gold reward to be expected",
    plus(mu, times(k, P - mu)),
    expected_gold_reward,
    proxy=[P],
    gold_mean=mu,
    gold_variance=v_g,
    noise_variance=v_n,
    wrong={"shrunk towards 0 in place of the mean": times(k, P)},
)
for title, law, method in (
    ("... the fitted law of best-of-n", best_of_n, "best_of_n"),
    ("... and that of reinforcement learning", reinforcement, "reinforcement"),
):
    derivation.bridge(
        title,
        law,
        overoptimization_curve,
        kl=[d**2],
        gain=alpha,
        decay=beta,
        method=method,
        wrong={"a function of the divergence, not of its root": law.subs(d, d**2)},
    )


for samples, largest_mean in ((2, 1 / sqrt(pi)), (3, 3 / (2 * sqrt(pi)))):
    derivation.bridge(
        f"... the mean of the largest of {samples} normal numbers", largest_mean, normal_maximum_mean, samples=samples
    )

_P = jnp.log(jnp.array([[0.5, 0.25, 0.25]]))
_R = jnp.array([[0.0, 1.0, 2.0]])


def _divergence(law):
    return jnp.sum(jnp.exp(law) * (law - _P), axis=1)[0]


@derivation.algorithm(
    "Best of $n$",
    do("draw $n$ completions from the reference, and score each by the proxy"),
    do("keep the one with the largest score; of several, one at random", best_of_n_log_probs, by=kept),
    do(r"the price: at most $\log n - \frac{n - 1}{n}$ nats", best_of_n_kl_bound, by=distance),
    do(r"what to expect, with Gaussian errors: $\mu + k (P - \mu)$", expected_gold_reward, by=regression),
    do("double $n$ while the gold reward of a few that were judged still rises", by=distance),
)
def two_doublings():
    text = r"\text{probabilities } \tfrac12, \tfrac14, \tfrac14 \text{ and proxies 0, 1, 2, at } n = 2: \quad "
    for count, law, price, gold in (
        (2, "(1/4, 5/16, 7/16)", "0.1931", "0.9688"),
        (4, "(0.0625, 0.2539, 0.6836)", "0.6363", "1.1855"),
    ):
        found = jnp.exp(best_of_n_log_probs(_R, _P, samples=count))
        yield rf"{text}\pi_n", found[0], law
        yield r"\text{nats, at most}", best_of_n_kl_bound(samples=count), price
        proxy = found @ _R[0]
        means = {"gold_mean": 0.75, "gold_variance": 1.0, "noise_variance": 1.0}
        yield r"\text{gold, if it is half of the variance}", expected_gold_reward(proxy, **means)[0], gold
        text = r"n = 4: \quad "


@derivation.example(
    r"Three completions with probabilities $\frac12, \frac14, \frac14$ and proxies $0, 1, 2$; the best of two. Then the upper "
    r"two are equal. Then the tilt with the divergence of the first case, with the price 1.60426. Last, unit Gaussian gold and "
    r"error, and the flawed proxy with one flaw in a hundred."
)
def best_of_two():
    law = best_of_n_log_probs(_R, _P, samples=2)
    yield r"\mathrm{KL}_2", _divergence(law), "0.1413"
    yield r"\text{its proxy}", (jnp.exp(law) @ _R[0])[0], "1.1875"
    tied = best_of_n_log_probs(jnp.array([[0.0, 1.0, 1.0]]), _P, samples=2)
    yield r"\pi_2 \text{ with a tie}", jnp.exp(tied)[0], "(1/4, 3/8, 3/8)"
    yield r"\mathrm{KL}_2 \text{ with a tie}", _divergence(tied), "0.1308"
    tilted = jax.nn.log_softmax(_P + _R / 1.60426, axis=1)
    yield r"\text{divergence of the tilt}", _divergence(tilted), "0.1413"
    yield r"\text{its proxy}", (jnp.exp(tilted) @ _R[0])[0], "1.2014"
    largest = jnp.stack([normal_maximum_mean(samples=count) for count in (2, 16)])
    yield r"\text{Gaussian gold at } n = 2, 16", largest / jnp.sqrt(2), "(0.3989, 1.2487)"
    flawed_gold = [gold_with_a_flaw(count) for count in (1, 2, 7, 64, 512)]
    yield r"\text{flawed at } n = 1, 2, 7, 64, 512", flawed_gold, "(0.5, 0.745, 0.9588, 0.763, 0.503)"


@derivation.figure(
    r"Reward of the best of $n$ by the proxy, $n$ from 1 to 512, against the root of the divergence. Left: unit Gaussian gold "
    r"and error. Both rise, apart. Right: gold rewards with a flaw in one of a hundred completions, and with an error that has "
    r"heavy tails (Student's $t$ with 1.5 degrees of freedom, simulated; gold is standard normal). Both turn, while the proxy "
    r"only rises.",
    panels=2,
)
def rise_and_fall(left, right):
    draw_gaussian(left)
    draw_flaws(right)
