"""The best of n by a proxy: its law, its distance, and when the true reward turns.

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
from theory_jax.lectures.lemmas.largest_estimate import largest_of_normals
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.lemmas.tilting import tilting
from theory_jax.preference.overoptimization import (
    best_of_n_kl_bound,
    best_of_n_log_probs,
    expected_gold_reward,
    normal_maximum_mean,
    overoptimization_curve,
)

derivation = Derivation(
    module=__name__,
    title="The best of n by a proxy: its law, its distance, and when the true reward turns",
    lectures=(54,),
    sources=(
        "Gao, Schulman & Hilton 2023, Scaling laws for reward model overoptimization",
        "Hilton & Gao 2022, Measuring Goodhart's law",
        "Beirami et al. 2024, Theoretical guarantees on the best-of-n alignment policy",
        "Manheim & Garrabrant 2018, Categorizing variants of Goodhart's law",
    ),
    question="The simplest way to follow a reward model: draw $n$ completions and keep the one with the largest reward. Which "
    "law do the kept ones have, how far from the reference is it, and does the true reward rise with the rewards that are seen?",
    setting=(
        r"One prompt is fixed. Its completions are drawn from the reference $p$, independently, $n$ times, and the draw with the "
        r"largest reward is kept; of several such draws, one at random. The kept completion has the law $\pi_n$.",
        r"The reward that chooses is the proxy. What is meant is the gold reward $g$; the proxy is $g$ plus an error.",
    ),
    answer=r"With $F$ the probability of a reward up to some level, the level is the largest of $n$ with probability $F(r)^n - "
    r"F(r^-)^n$, shared as the reference shares it. The divergence is at most $\log n - \frac{n - 1}{n}$: it grows with the "
    r"logarithm of $n$. With Gaussian errors the gold reward rises for ever, though less than the proxy. One kind of flaw that "
    r"the proxy likes is enough to make it rise and fall back to where it began.",
    limits=(
        "That reward models of texts follow the two fitted laws of the last part: that was measured, on one family of models.",
        "Errors with heavy tails in general. The figure shows one such case, simulated.",
        "How far best-of-n falls short of the most proxy that its divergence can buy",
    ),
)

n = derivation.number("n", "how many are drawn", "samples", positive=True)
below = derivation.number("l", "the probability of a smaller reward, $F(r^-)$", positive=True)
level = derivation.number("T", "the probability of exactly this reward", positive=True)
upto = derivation.define("u", below + level, "the probability of at most this reward, $F(r)$", positive=True)
one = derivation.number("p", "the probability of one completion with this reward", "exp(log_probs)", positive=True)
derivation.chain(
    "Of four draws, this completion is kept",
    times(plus(times(4, level, below**3), times(6, level**2, below**2), times(4, level**3, below), level**4), one / level),
    equals(
        times(plus(upto**4, -(below**4)), one / level),
        "one, two, three or all four draws are at the level, the others below: the binomial theorem for $(l + T)^4$, without the "
        "term in which no draw is",
    ),
    equals(
        times(one, plus(upto**3, upto**2 * below, upto * below**2, below**3)),
        "a difference of powers, divided by $u - l = T$",
        wrong={"the whole level, not this completion's share": plus(upto**4, -(below**4))},
    ),
    role="lemma",
    so=r"However many draws are at the level, the blind choice takes one of them, and each is this completion with probability "
    r"$p / T$. For any $n$ all draws are at most $r$, but not all are smaller: $\pi_n = p\, (u^n - l^n)/(u - l)$. The tie has "
    r"canceled. That is what the code computes, with no difference of nearly equal powers.",
)


@derivation.exact(
    r"\pi_n = p\, \frac{u^n - l^n}{u - l}",
    because="Three completions with no two rewards equal, the upper two, the lower two, and all three; one, two and four draws. "
    "The left side is the code's, the right side sums over all tuples of draws and breaks ties by a fair choice.",
    outcomes=4 * (3 + 9 + 81),
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
    so=r"$\pi_n = p \, n F^{n - 1}$: a tilt by $(n - 1) \log F$, not by the reward. Only the order of the rewards counts. The "
    r"best of $m$ among winners of $n$ is the best of $m n$, since $(F^n)^m = F^{m n}$.",
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
    "The antiderivative",
    Slope(G, upper),
    equals(
        times(n, upper ** (n - 1), log(n * upper ** (n - 1))),
        "the product rule; the last term of $G$ takes away what the logarithm's derivative adds",
    ),
    role="lemma",
    so=r"$G$ goes to 0 with $v$, and is $\log n - \frac{n - 1}{n}$ at 1.",
)
density = derivation.number("s", r"the density $n v^{n - 1}$ at the upper end, $v = u$", positive=True)
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
    so=r"In the next lemma $s = n u^{n - 1}$, and $y = \frac{u^n - l^n}{u - l}$ is its mean over the level.",
)
derivation.chain(
    "... so a tie contributes less than its level would without ties",
    widened,
    equals(times(density, plus(mean / density, -1, -log(mean / density))), "collect the logarithms"),
    at_least(0, r"the tangent of the logarithm at 1", dropping=times(density, tangent.at(mean / density))),
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
derivation.chain(
    "The divergence of the best of n is at most log n minus (n - 1)/n",
    divergence,
    at_most(
        plus(G_1, plus(G_2, -G_1), plus(G_3, -G_2)),
        "add what each level falls short of its integral; equality if and only if no level is a tie",
        adding=plus(*slack),
    ),
    equals(G_3, "the ends of the levels cancel"),
    equals(bound, r"$\log 1 = 0$"),
    central=True,
    so=r"Any number of levels cancels in the same way, and for a continuous reward the bound is the divergence. It is 0 at $n = "
    r"1$ and near $\log n - 1$ for many draws: a thousand draws cost six nats.",
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
    so=r"Both are jointly Gaussian, so uncorrelated is independent: the proxy $P$ says nothing about the rest, and "
    r"$\mathbb{E}[g \mid P] = \mu + k\, (P - \mu)$. A proxy of 3 deviations is worth $3 k$ of them.",
)
m_n = derivation.number("m_n", "the mean of the largest of $n$ standard normal numbers", "normal_maximum_mean", positive=True)
derivation.chain(
    "The gold reward of the best of n",
    times(k, sqrt(v_g + v_n), m_n),
    equals(
        times(v_g / sqrt(v_g + v_n), m_n),
        r"the mean of $k\, (P - \mu)$ at the largest of $n$ proxies, with the deviation $\sqrt{v_g + v_n}$",
        wrong={"the gain of the proxy": times(sqrt(v_g + v_n), m_n)},
    ),
    uses=(largest_of_normals,),
    so=r"For two draws $m_2 = \frac{1}{\sqrt\pi}$ and for three $m_3 = \frac{3}{2 \sqrt\pi}$; for more it is integrated "
    r"numerically. The gold reward, above $\mu$, rises with $n$ for ever, since $m_n$ does. The proxy promises $\frac1k$ times "
    r"as much: the gap grows, but more optimization never hurts. This is regression to the mean, and no more.",
)


@derivation.monte_carlo(
    r"\mathbb{E}[g] = \frac{v_g}{\sqrt{v_g + v_n}}\, m_n",
    because=r"The winner by the proxy of 16 draws, 20,000 times, $\mu = 0$, $v_g = 1$, $v_n = 3$: the mean is half of $m_{16}$.",
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
    "The gold reward rises and falls back",
    flawed,
    equals(
        plus(Rational(1, 2), times((1 - q) ** n, plus(Rational(1, 2), -(2 ** (-n))))),
        r"the first term: some draw is flawed, and wins with a gold reward of mean $\frac12$. The second: none is, and some draw "
        r"has $g = 1$. Collect $(1 - q)^n$",
    ),
    so=r"Two factors: $\frac12 - 2^{-n}$ rises with $n$ from 0, and $(1 - q)^n$ falls. At $n = 1$ it is $\frac12$, then more.",
)
rate = derivation.number("c", "how fast $(1 - q)^n = e^{-c n}$ falls, $-\\log(1 - q)$", positive=True)
derivation.chain(
    "... to where it began",
    Limit(plus(Rational(1, 2), times(exp(-rate * n), plus(Rational(1, 2), -exp(-n * log(2))))), n, oo),
    equals(Rational(1, 2), "$e^{-c n} \\to 0$: almost surely some draw is flawed"),
    role="lemma",
    so="The proxy only rises. All that is needed is an error that is rare under the reference, large, and unrelated to the gold "
    "reward: what is rare among few draws is what is chosen among many.",
)


derivation.say(
    r"For language models two laws were fitted: with $d = \sqrt{\mathrm{KL}}$, the gold reward above that of the reference is "
    r"$d\, (\alpha - \beta d)$ for best-of-n and $d\, (\alpha - \beta \log d)$ for reinforcement learning. Where do they turn?"
)
d = derivation.number("d", "the root of the divergence", "sqrt(kl)", positive=True)
alpha = derivation.number(r"\alpha", "the gain at the beginning", "gain", positive=True)
beta = derivation.number(r"\beta", "the decay", "decay", positive=True)
best_of_n, reinforcement = d * (alpha - beta * d), d * (alpha - beta * log(d))
derivation.chain(
    "Best-of-n has its peak where half of the gain is used up; reinforcement learning turns later",
    Matrix([Slope(best_of_n, d), Slope(reinforcement, d)]),
    equals(
        Matrix([times(-2 * beta, d - alpha / (2 * beta)), times(-beta, plus(log(d), -(alpha / beta - 1)))]), "the product rule"
    ),
    role="lemma",
    so=r"At $d = \frac{\alpha}{2 \beta}$ the gold reward is $\frac{\alpha^2}{4 \beta}$, at twice that distance again 0. The "
    r"second is $\beta d$ at its peak, $d = e^{\alpha / \beta - 1}$. The decays of the two laws are different numbers, so their "
    r"peaks are not to be compared by the formulas alone.",
)
i = derivation.index("i", "a completion")
reference = derivation.law("p_0", i, "the reference")
any_law = derivation.law("w", i, "any law: that of the best of $n$, say")
r = derivation.numbers("r", i, "the proxies", "rewards")
price = derivation.number("b", "a price for each nat", positive=True)
derivation.chain(
    "No law has more proxy than the tilt of the same divergence",
    Expectation(any_law, r),
    at_most(
        plus(times(price, log(Total(i, reference * exp(r / price)))), times(price, Divergence(any_law, reference))),
        r"add the gap of the tilted reference; equality if and only if $w$ is proportional to $p_0\, e^{r / b}$",
        adding=tilting.at(any_law, reference, r, price),
    ),
    so=r"For the tilt itself the last line is its proxy. So the tilt whose price $b$ gives it the divergence of $\pi_n$ has at "
    r"least the proxy of $\pi_n$. There is one: tilts reach every divergence below $-\log P(\text{best level})$, and no ratio "
    r"$\frac{u^n - l^n}{u - l}$ is above $1 / P(\text{best level})$.",
)


_UPTO = [sum(reference.at(state) for state in range(last + 1)) for last in range(4)]
derivation.bridge(
    "The code computes the law of the best of five",
    [log(F**5 - (F - reference.at(state)) ** 5) for state, F in enumerate(_UPTO)],
    best_of_n_log_probs,
    rewards=jnp.arange(4.0)[None],
    log_probs=[log(reference)],
    samples=5,
    wrong={"a density's power, as if there were no ties": [log(5 * reference.at(state) * F**4) for state, F in enumerate(_UPTO)]},
)
draws = derivation.number("N", "a number of draws", "samples", between=(1, 100))
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


def _gold_with_a_flaw(samples):
    """Of the best of n: gold reward 0, 1 and, with a flaw in one of a hundred, 1/2 on average."""
    kinds = jnp.log(jnp.array([[0.495, 0.495, 0.01]]))
    return jnp.exp(best_of_n_log_probs(_R, kinds, samples=samples))[0] @ jnp.array([0.0, 1.0, 0.5])


def _divergence(law):
    return jnp.sum(jnp.exp(law) * (law - _P), axis=1)[0]


@derivation.example(
    r"Three completions with probabilities $\frac12, \frac14, \frac14$ and proxies $0, 1, 2$; the best of two. Then the upper "
    r"two are equal. Then the tilt with the divergence of the first case, $b = 1.60426$. Last, unit Gaussian gold and error, and "
    r"the flawed proxy with $q = 0.01$."
)
def best_of_two():
    law = best_of_n_log_probs(_R, _P, samples=2)
    yield r"\pi_2", jnp.exp(law)[0], "(1/4, 5/16, 7/16)"
    yield r"\mathrm{KL}_2", _divergence(law), "0.1413"
    yield r"\log 2 - \frac12", best_of_n_kl_bound(samples=2), "0.1931"
    yield r"\text{its proxy}", (jnp.exp(law) @ _R[0])[0], "1.1875"
    tied = best_of_n_log_probs(jnp.array([[0.0, 1.0, 1.0]]), _P, samples=2)
    yield r"\pi_2 \text{ with a tie}", jnp.exp(tied)[0], "(1/4, 3/8, 3/8)"
    yield r"\mathrm{KL}_2 \text{ with a tie}", _divergence(tied), "0.1308"
    tilted = jax.nn.log_softmax(_P + _R / 1.60426, axis=1)
    yield r"\text{divergence of the tilt}", _divergence(tilted), "0.1413"
    yield r"\text{its proxy}", (jnp.exp(tilted) @ _R[0])[0], "1.2014"
    largest = jnp.stack([normal_maximum_mean(samples=count) for count in (2, 16)])
    yield r"\text{Gaussian gold at } n = 2, 16", largest / jnp.sqrt(2), "(0.3989, 1.2487)"
    flawed_gold = [_gold_with_a_flaw(count) for count in (1, 2, 7, 64, 512)]
    yield r"\text{flawed at } n = 1, 2, 7, 64, 512", flawed_gold, "(0.5, 0.745, 0.9588, 0.763, 0.503)"


@derivation.figure(
    r"Reward of the best of $n$ by the proxy, $n = 1$ to $512$, against the root of the divergence. Left: unit Gaussian gold and "
    r"error. Both rise, apart. Right: gold rewards with a flaw in one of a hundred completions, and with an error that has heavy "
    r"tails (Student's $t$ with 1.5 degrees of freedom, simulated; gold is standard normal). Both turn, while the proxy only "
    r"rises.",
    panels=2,
)
def rise_and_fall(left, right):
    counts = 2 ** np.arange(10)
    distance = np.sqrt([float(best_of_n_kl_bound(samples=int(count))) for count in counts])
    largest = np.array([float(normal_maximum_mean(samples=int(count))) for count in counts])
    left.plot(distance, np.sqrt(2) * largest, "--", color="gray", label="proxy")
    left.plot(distance, largest / np.sqrt(2), "o-", markersize=3, label="gold")
    left.set(xlabel=r"$\mathrm{KL}_n^{1/2}$", ylabel="reward of the best of $n$")
    left.legend()
    right.plot(distance, [_gold_with_a_flaw(int(count)) for count in counts], "o-", markersize=3, label="a rare flaw")
    rng = np.random.default_rng(0)
    gold = rng.normal(size=(2000, counts[-1]))
    proxy = gold + rng.standard_t(1.5, size=gold.shape)
    kept = [gold[np.arange(2000), proxy[:, :count].argmax(axis=1)].mean() for count in counts]
    right.plot(distance, kept, "o-", markersize=3, label="heavy tails")
    right.set(xlabel=r"$\mathrm{KL}_n^{1/2}$", ylabel="gold reward of the best of $n$", ylim=(-0.1, 1.05))
    right.legend()


@derivation.exercise(
    r"A fair coin has rewards 0 and 1. What is the law of the best of two tosses, and what is its divergence?",
    r"$\pi_2 = (0.25, 0.75)$, which is 0.1308 nats from the coin; the bound is 0.1931.",
)
def a_coin():
    coin = jnp.log(jnp.array([[0.5, 0.5]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0]]), coin, samples=2)
    yield jnp.exp(law)[0], "(0.25, 0.75)"
    yield jnp.sum(jnp.exp(law) * (law - coin)), "0.1308"
    yield best_of_n_kl_bound(samples=2), "0.1931"


@derivation.exercise(
    r"The fitted law of best-of-n has $\alpha = 1$ and $\beta = \frac14$. At which divergence is its peak, and how many draws "
    r"are that, by the bound?",
    r"At $d = 2$, so at 4 nats, where the gold reward is 1. The bound is 4.0 nats at $n = 147$.",
)
def draws_to_the_peak():
    kl = jnp.array([3.9, 4.0, 4.1])
    height = overoptimization_curve(kl, gain=1.0, decay=0.25, method="best_of_n")
    yield height[1], "1"
    yield kl[jnp.argmax(height)], "4.0"
    yield best_of_n_kl_bound(samples=147), "4.0"


@derivation.exercise(
    r"In the flawed proxy, let the flaw add 2 to the gold reward instead of its own number. Where does the gold reward go "
    r"now, and what is it at $n = 64$ for $q = 0.01$?",
    r"To 1: among flawed draws the proxy ranks by the gold reward. By enumeration of four kinds of completions it is 0.8000 at "
    r"64.",
)
def a_harmless_flaw():
    kinds = jnp.log(jnp.array([[0.495, 0.495, 0.005, 0.005]]))
    law = best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=64)
    yield jnp.exp(law)[0] @ jnp.array([0.0, 1.0, 0.0, 1.0]), "0.8000"
    yield jnp.exp(best_of_n_log_probs(jnp.array([[0.0, 1.0, 2.0, 3.0]]), kinds, samples=10**4))[0, 3], "1"
