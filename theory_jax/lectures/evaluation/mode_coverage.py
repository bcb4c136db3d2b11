"""Mode coverage: counting what a generator never draws.

The lecture on the functions of theory_jax/evaluation/mode_coverage.py.
"""

from functools import partial
from itertools import product
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Product, Slope, Total, plus, times
from theory_jax.evaluation.mode_coverage import (
    assign_modes,
    birthday_support_estimate,
    collision_log_probability,
    covered_modes,
    high_quality_fraction,
    mode_kl_divergence,
)
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Mode coverage: counting what a generator never draws",
    lectures=(14,),
    sources=(
        "Metz et al. 2017, Unrolled generative adversarial networks, section 3.3",
        "Srivastava et al. 2017, VEEGAN, section 4",
        "Arora, Risteski & Zhang 2018, Do GANs learn the distribution? Some theory and empirics (the birthday test)",
        "Lin et al. 2018, PacGAN",
    ),
    question="How many modes does a generator have, judged from finitely many samples of it?",
    setting=(
        r"Every sample belongs to one of $K$ modes, or to none. A sample is of mode $k$ with probability $p_k$, and samples are "
        r"independent. Of $N$ samples that have a mode, the share $\hat p_k$ is of mode $k$.",
        r"All probabilities are positive. At the boundary $0 \log 0 = 0$, and a mode that cannot occur drops out.",
    ),
    answer=r"The number of modes that were seen grows with the number of samples, and the divergence of their shares from a "
    r"target is too large by about $(K-1)/2N$; both are comparable at equal $N$ only. Repetitions among few samples bound the "
    r"number of modes from below, whatever their probabilities are: the birthday test.",
    limits=(
        "Confidence intervals for the probability of a collision, which has to be estimated from repeated batches.",
        "How one recognizes that two images are of one mode: a classifier decides, or a person.",
    ),
    trained="A measure of samples, not a model. Experiments with mixtures of points report it.",
)

k = derivation.index("k", "a mode")
K = derivation.count(k, "K", "the number of modes", "num_modes")
p = derivation.law("p", k, "the probability of a mode", "exp(log_probs)")
k1 = derivation.index("k_1", "the mode of the first sample")
k2 = derivation.index("k_2", "... of the second")
k3 = derivation.index("k_3", "... of the third")


def _expected(body):
    """The expectation over three independent samples."""
    return Expectation(p.at(k1), Expectation(p.at(k2), Expectation(p.at(k3), body)))


def _misses(mode):
    return 1 - KroneckerDelta(k, mode)


derivation.say("Three samples are drawn; nothing is special about three, and the lines read alike for $N$.")
covered = derivation.define(
    "C({},{},{})",
    Total(k, 1 - times(_misses(k1), _misses(k2), _misses(k3))),
    "how many modes three samples cover",
    "covered_modes",
    over=(k1, k2, k3),
)
derivation.chain(
    "The number of modes seen depends on the number of samples",
    _expected(covered),
    equals(
        Total(k, 1 - times(*[Expectation(p.at(mode), _misses(mode)) for mode in (k1, k2, k3)])),
        "exchange the sums; the samples are independent, so the expectation of the product is the product of expectations",
    ),
    equals(Total(k, 1 - (1 - p) ** 3), r"a sample misses mode $k$ with probability $1 - p_k$"),
    so=r"With $N$ samples: $\sum_k 1 - (1 - p_k)^N$. Modes with $p_k$ far below $1/N$ are rarely seen, although the generator "
    r"has them.",
)

s = derivation.index("s", "a mode that the generator kept", states=2)
c = derivation.numbers("r", s, "the target's probability of a mode that is kept", "exp(log_mode_probs)", positive=True)
lost = derivation.number("d", "... of all the modes that are lost, together", positive=True)
j = derivation.index("j", "another mode that was kept", states=2)
kept = derivation.define(
    "r(S)", Total(j, c.at(j)) / (Total(j, c.at(j)) + lost), "the target's probability of what is kept", positive=True
)
derivation.say(
    r"Shares can be compared with a target. Let the generator be right but for modes it lost: it draws a kept mode as often as "
    r"the target, given that the mode is kept. ($r_s$ and $d$ are weights here; the chain divides by their sum.)"
)
restricted = derivation.define("g", c / Total(j, c.at(j)), "the generator's probability of a mode", over=s, law=True)
derivation.chain(
    "Lost modes cost minus the logarithm of what is left",
    Expectation(restricted, log(restricted / (c / (Total(j, c.at(j)) + lost)))),
    equals(
        Expectation(restricted, log(1 / kept)),
        "the ratio is the same for every mode",
        wrong={"the ratio turned over": Expectation(restricted, log(kept))},
    ),
    equals(-log(kept), "the expectation of a constant", wrong={"what is lost": -log(1 - kept)}),
    so=r"If half of a uniform target is lost, this is $\log 2$, however many modes that are. The divergence in the other "
    r"direction is infinite as soon as one mode is missing, so it cannot tell one from half.",
)

derivation.say(
    r"Now the bias: shares of a finite sample differ from $p$ even if $p$ is the target. $a$ is one of all possible samples."
)
a = derivation.index("a", "a sample of several draws", states=2)
w = derivation.law("w", a, "its probability")
share = derivation.law(r"\hat p({}|{})", (k, a), "its shares of the modes")
chi = derivation.define(r"\chi^2({})", Total(k, (share - p) ** 2 / p), "their squared distance from the probabilities", over=a)
mean_ratio = derivation.define("M", Expectation(w, Expectation(share, share / p)), "the mean ratio", positive=True)
gaps = Expectation(w, Expectation(share, tangent.at(share / p / mean_ratio)))
derivation.chain(
    "The divergence of a sample's shares is bounded in expectation",
    Expectation(w, Divergence(share, p)),
    equals(
        plus(log(mean_ratio), -gaps),
        r"$\log x = \log M + (x/M - 1) - (x/M - 1 - \log(x/M))$ at $x = \hat p / p$, whose mean is $M$",
    ),
    at_most(log(mean_ratio), "leave out the gaps; equality if all ratios are equal", adding=gaps),
    equals(
        log(1 + Expectation(w, chi)),
        r"expand the square: $\sum_k \hat p_k^2 / p_k = 1 + \chi^2$, since both distributions sum to one",
    ),
)
drawn = derivation.define(
    r"\hat p_3({},{},{},{})",
    (KroneckerDelta(k, k1) + KroneckerDelta(k, k2) + KroneckerDelta(k, k3)) / 3,
    "the shares of three draws",
    over=(k, k1, k2, k3),
)
derivation.chain(
    "... by the number of modes over the number of samples",
    _expected(Total(k, (drawn - p) ** 2 / p)),
    equals(
        Total(k, times(p * (1 - p) / 3, 1 / p)), r"$\hat p_k$ is a mean of three independent draws of variance $p_k(1 - p_k)$"
    ),
    equals((K - 1) / 3, "the probabilities sum to one", wrong={"not divided by the number of samples": K - 1}),
    so=r"With $N$ draws it is $(K-1)/N$, so $0 \le \mathbb{E}\,\mathrm{KL}(\hat p \,\|\, p) \le "
    r"\log\left(1 + \frac{K-1}{N}\right)$.",
)
step = derivation.number(r"\varepsilon", "how far shares are from the probabilities", between=(0, 1))
other = derivation.law("u", k, "any distribution of the modes")
near = derivation.define("p'", p + step * (other - p), r"a step from $p$ towards it", over=k, positive=False)
derivation.chain(
    "Near the probabilities a divergence is half a squared distance",
    Slope(Total(k, near * log(near / p)), step, 2),
    equals(
        Slope(Total(k, times(other - p, log(near / p))), step),
        r"the product rule; what the logarithm's own slope adds, $\sum_k (u_k - p_k)$, is zero",
    ),
    equals(Total(k, (other - p) ** 2 / near), "the slope of a logarithm"),
    so=r"At $\varepsilon = 0$ value and slope are zero, and this is the squared distance $\chi^2$ of $u$ from $p$. So the "
    r"divergence begins with $\varepsilon^2 \chi^2 / 2$, and its expectation is about $\frac{K-1}{2N}$ for large $N$.",
)

derivation.say(
    r"Both measures need the modes to be known. The birthday test does not: it draws $s$ samples and looks for two that agree. "
    r"How often that happens is first computed for $s = 3$; the code does the same for every $s$."
)
pairs = times(1 - KroneckerDelta(k1, k2), 1 - KroneckerDelta(k1, k3), 1 - KroneckerDelta(k2, k3))
derivation.chain(
    "Some two of three samples agree",
    _expected(1 - pairs),
    equals(
        plus(Total(k, p**2), 2 * Total(k, p**2 * (1 - p))),
        "the second sample repeats the first; or they differ, and the third repeats one of the two",
    ),
    equals(
        plus(3 * Total(k, p**2), -2 * Total(k, p**3)),
        "collect: three pairs, and three that agree were counted three times",
        wrong={"triples counted twice": plus(3 * Total(k, p**2), -Total(k, p**3))},
    ),
    states=4,
)
x = derivation.number("x", "the probability of one mode", positive=True)
y = derivation.number("y", "... and of another", positive=True)
rest0 = derivation.number("e_{s-2}", "the sum of all products of $s-2$ of the other probabilities; $e_0 = 1$", positive=True)
rest1 = derivation.number("e_{s-1}", "... of $s-1$ of them", positive=True)
rest2 = derivation.number("e_s", "... of $s$ of them", positive=True)
derivation.chain(
    "Two modes that are made equally likely collide less",
    plus(((x + y) / 2) ** 2 * rest0, 2 * ((x + y) / 2) * rest1, rest2, -(x * y * rest0 + (x + y) * rest1 + rest2)),
    equals(
        times((x - y) ** 2 / 4, rest0),
        r"sets of $s$ modes contain both, one or none of the two; $\left(\frac{x+y}{2}\right)^2 - xy = \frac{(x-y)^2}{4}$",
    ),
    at_least(0, r"a square times a sum of products of probabilities", dropping=times((x - y) ** 2 / 4, rest0)),
    so=r"$s$ samples from $s$ different modes, in any order, have the probability $s!$ times the sum of all products of $s$ "
    r"probabilities. It is continuous, so it has a maximum over all distributions on $K \ge s$ modes. There at least $s$ "
    r"probabilities are positive, so $e_{s-2}$ is for every two modes, and no two probabilities differ: samples of the uniform "
    r"distribution collide least.",
)

i = derivation.index("i", "a sample after the first, counted from the last: $0, 1, \\dots, s-2$")
m = derivation.count(i, "m", "the number of samples after the first, $s - 1$")
unseen = derivation.number("v", "modes that all samples but the last leave over if none repeats, $K - s + 1$", positive=True)
modes = derivation.define("K_s", unseen + m, "the number of modes, $K$", positive=True)
free = derivation.define(
    "f",
    (unseen + i) / modes,
    "the chance that a sample repeats none before it, if all modes are equally likely",
    over=i,
    positive=True,
)
gain = derivation.number("h", "what equal probabilities add to the chance of no collision, as a ratio", nonnegative=True)
none = derivation.define("Q_s", Product(i, free) / (1 + gain), "the chance that no two samples agree", positive=True)
derivation.chain(
    "The birthday bound",
    -log(none),
    equals(plus(-Total(i, log(free)), log(1 + gain)), "the logarithm of a product and of a quotient"),
    at_least(-Total(i, log(free)), "leave out the gain; equality if all modes are equally likely", dropping=log(1 + gain)),
    equals(plus(Total(i, 1 - free), Total(i, tangent.at(free))), r"$-\log f = 1 - f + (f - 1 - \log f)$"),
    at_least(Total(i, 1 - free), "leave out the gaps", dropping=Total(i, tangent.at(free))),
    equals(times(m * (m + 1) / 2, 1 / modes), r"$1 - f_i = (m - i) / K$, and $1 + 2 + \dots + m = \frac{m(m+1)}{2}$"),
    central=True,
    so=r"Divide: $\hat K = \frac{s(s-1)}{-2 \log Q_s} \le K$ for every distribution on $K$ modes and $2 \le s \le K$. If half of "
    r"all batches of $s$ samples have a repetition, the generator has at least $\frac{s(s-1)}{1.39}$ modes. It may have many "
    r"more: rare modes hardly collide, and the estimate is near $K$ only if the modes are about equally likely.",
)

P = derivation.number("P_s", "the chance that some two samples agree", "exp(collision_log_probability)", between=(0, 1))
derivation.bridge(
    "The code computes the chance of a collision",
    log(3 * Total(k, p**2) - 2 * Total(k, p**3)),
    collision_log_probability,
    log_probs=log(p),
    sample_size=3,
    wrong={"no collision": log(1 - 3 * Total(k, p**2) + 2 * Total(k, p**3))},
)
derivation.bridge(
    "... the estimate, for seven samples",
    -42 / (2 * log(1 - P)),
    birthday_support_estimate,
    sample_size=7,
    collision_probability=[P],
    wrong={"the half forgotten": -42 / log(1 - P), "the chance of a collision in the logarithm": -42 / (2 * log(P))},
)
_STAIRS = np.repeat(np.arange(4), np.arange(1, 5))  # one sample of the first of four modes, two of the second, ...
derivation.bridge(
    "... and the divergence, with $k + 1$ of ten samples in mode $k$",
    Total(k, (k + 1) / 10 * log((k + 1) / (10 * p))),
    mode_kl_divergence,
    assignments=np.append(_STAIRS, [-1, -1]),
    log_mode_probs=log(p),
    wrong={"the two outside in the denominator": Total(k, (k + 1) / 12 * log((k + 1) / (12 * p)))},
)


@derivation.exact(
    r"\mathbb{E}\, C = \sum_k 1 - (1 - p_k)^4",
    because="All sequences of four samples from three modes, weighted by their probabilities.",
    outcomes=3**4,
)
def four_samples():
    chances = np.array([0.6, 0.3, 0.1])
    sequences = np.array(list(product(range(3), repeat=4)))
    counted = jax.vmap(partial(covered_modes, num_modes=3))(sequences)
    expected = chances[sequences].prod(axis=1) @ counted
    by_formula = lambda size: (1 - (1 - chances) ** size).sum()  # noqa: E731
    return Sides(left=expected, right=by_formula(4))


@derivation.exact(
    r"P_s = 1 - \prod_{i} \left(1 - \frac{i}{K}\right), \quad i = 1, \dots, s - 1,",
    because="Equally likely modes: all sequences of two, three and four samples from five modes.",
    outcomes=5**2 + 5**3 + 5**4,
)
def equally_likely_modes():
    sizes = (2, 3, 4)
    ours = jnp.array([jnp.exp(collision_log_probability(jnp.full(5, -np.log(5)), sample_size=size)) for size in sizes])
    counted = [np.mean([len(set(draw)) < size for draw in product(range(5), repeat=size)]) for size in sizes]
    falling = np.array([1 - np.prod(1 - np.arange(1, size) / 5) for size in sizes])
    return Sides(
        left=jnp.stack([ours, np.array(counted)]),
        right=np.stack([falling, falling]),
        wrong={"no collision": np.stack([1 - falling] * 2)},
    )


def _expected_divergence(samples):
    """Of three equally likely modes: every count of every mode, weighted by how often it is drawn."""
    counts = np.array([(a, b, samples - a - b) for a in range(samples + 1) for b in range(samples + 1 - a)])
    ways = np.array([comb(samples, a) * comb(samples - a, b) for a, b, _ in counts], dtype=float)
    assignments = np.array([np.repeat(np.arange(3), count) for count in counts])
    divergences = jax.vmap(lambda rows: mode_kl_divergence(rows, np.full(3, -np.log(3))))(assignments)
    return float(ways @ divergences) / 3**samples


@derivation.exact(
    r"\mathbb{E}\,\mathrm{KL}(\hat p \,\|\, p) = \sum_{k} \mathbb{E}\left[\hat p_k \log \frac{\hat p_k}{p_k}\right]",
    because=r"Three equally likely modes, 20 and 40 samples: all count vectors through the code, and one binomial count at a "
    r"time. The values 0.05193 and 0.02544 are a little above $\frac{K-1}{2N}$.",
    outcomes=231 + 861,
)
def all_counts():
    found, wanted = [], []
    for size in (20, 40):
        n = np.arange(1, size + 1)
        chances = np.array([comb(size, int(count)) * 2.0 ** (size - count) for count in n]) / 3.0**size
        found.append(_expected_divergence(size))
        wanted.append(3 * np.sum(chances * n / size * np.log(3 * n / size)))
    return Sides(left=np.array(found), right=np.array(wanted))


@derivation.bound(
    r"P_s(u) \le P_s(p), \quad u_k = \frac{1}{K}",
    because="Twenty random distributions on six modes, four samples; equality for the uniform one.",
)
def equal_modes_collide_least():
    def collide(log_probs):
        return jnp.exp(jax.vmap(partial(collision_log_probability, sample_size=4))(log_probs))

    level = jnp.full((20, 6), -np.log(6))
    laws = jnp.log(np.random.default_rng(0).dirichlet(np.full(6, 2.0), size=20))
    return BoundSides(
        sides=lambda log_probs: (collide(level), collide(log_probs)),
        points=(laws,),
        tight=(level,),
        wrong={"the order turned over": lambda log_probs: (collide(log_probs), collide(level))},
    )


_HALF = np.log([0.5, 0.25, 0.25])
_CENTERS = np.array([[0.0], [10.0], [20.0], [30.0]])


@derivation.example(
    r"Three modes, $p = (\frac12, \frac14, \frac14)$; then three that are equally likely. Then quality against coverage, with "
    r"centers at $0, 10, 20, 30$ and the radius 1: twenty samples at $0.5$; and one at each center with 36 at $15$."
)
def a_frequent_mode_and_two_others():
    chances = np.exp(_HALF)
    pairs = np.array(list(product(range(3), repeat=2)))
    counted = jax.vmap(partial(covered_modes, num_modes=3))(pairs)
    yield r"\mathbb{E}[\text{covered}] \text{ by two samples}", chances[pairs].prod(axis=1) @ counted, "1.625"
    for size, chance, estimate in ((2, "0.375", "2.1276"), (3, "0.8125", "1.7921")):
        collision = float(jnp.exp(collision_log_probability(_HALF, sample_size=size)))
        yield rf"P_{size}", collision, chance
        yield r"\hat K", birthday_support_estimate(sample_size=size, collision_probability=collision), estimate
    third = float(jnp.exp(collision_log_probability(np.full(3, -np.log(3)), sample_size=2)))
    of_equals = birthday_support_estimate(sample_size=2, collision_probability=third)
    yield r"\hat K \text{ of equal modes, } s = 2", of_equals, "2.4663"
    collapsed = assign_modes(np.full((20, 1), 0.5), _CENTERS, radius=1.0)
    spread = assign_modes(np.append(_CENTERS, np.full((36, 1), 15.0), axis=0), _CENTERS, radius=1.0)
    for words, found in (("collapsed", collapsed), ("spread", spread)):
        quality, modes = high_quality_fraction(found, num_modes=4), covered_modes(found, num_modes=4)
        yield rf"\text{{quality, modes: {words}}}", (quality, modes), "(1, 1)" if words == "collapsed" else "(0.1, 4)"


def _tilted(count, tilt):
    """Probabilities of `count` modes that fall by a constant factor e^-tilt from each to the next."""
    weights = np.exp(-tilt * np.arange(count))
    return weights / weights.sum()


@derivation.figure(
    r"Left: the expected number of modes covered by $N$ samples, of eight that are equally likely and of eight whose "
    r"probabilities halve from each to the next. Right: the birthday estimate as a share of the number of modes, 30, against "
    r"the factor by which probabilities fall from each mode to the next. It never exceeds 1 (line), and "
    r"is hardly affected by rare modes.",
    panels=2,
)
def seen_and_estimated(seen, estimated):
    sizes = np.arange(1, 65)
    for tilt, label in ((0.0, "equally likely"), (np.log(2), "halving")):
        misses = 1 - _tilted(8, tilt)
        seen.plot(sizes, (1 - misses ** sizes[:, None]).sum(axis=1), label=label)
    seen.axhline(8, color="black", linewidth=1)
    seen.set(xlabel="samples, $N$", ylabel=r"$\mathbb{E}[\mathrm{covered}]$", ylim=(0, 8.5))
    seen.legend(loc="lower right")
    tilts = np.linspace(0, 0.4, 9)
    for size in (3, 8):
        laws = np.log([_tilted(30, tilt) for tilt in tilts])
        chances = np.exp(jax.vmap(partial(collision_log_probability, sample_size=size))(laws))
        estimates = birthday_support_estimate(sample_size=size, collision_probability=chances)
        estimated.plot(np.exp(-tilts), estimates / 30, "o-", label=f"$s = {size}$")
    estimated.axhline(1, color="black", linewidth=1)
    estimated.set(xlabel="factor from each mode to the next", ylabel=r"$\hat K / K$", ylim=(0, 1.08))
    estimated.legend(loc="center left")


@derivation.exercise(
    r"Of eight equally likely modes a generator has lost four, and draws the others equally often. What is the divergence?",
    r"$\log 2 = 0.6931$, as for any half of a uniform target.",
)
def half_of_the_modes():
    yield mode_kl_divergence(np.array([0, 2, 5, 7]), np.full(8, -np.log(8))), "0.6931"


@derivation.exercise(
    r"How often do two of 23 people share a birthday, and how long is the year by that? And if every second person is born "
    r"on one of 30 days, the others on the other 335?",
    r"$P = 0.5073$, and $\hat K = 357.4$, below 365. With the frequent days $P$ is 0.8929 and $\hat K$ is 113.2.",
)
def a_class_of_pupils():
    for law in (np.full(365, 1 / 365), np.append(np.full(30, 0.5 / 30), np.full(335, 0.5 / 335))):
        chance = float(jnp.exp(collision_log_probability(np.log(law), sample_size=23)))
        even = law[0] == law[-1]
        yield chance, "0.5073" if even else "0.8929"
        yield birthday_support_estimate(sample_size=23, collision_probability=chance), "357.4" if even else "113.2"


@derivation.exercise(
    r"A generator has three equally likely modes, as the target has. What divergence should one expect of 20 samples?",
    r"All 231 counts give 0.0519. The approximation $\frac{K-1}{2N}$ is 0.05, the bound $\log 1.1 = 0.0953$.",
)
def the_divergence_of_nothing():
    yield _expected_divergence(20), "0.0519"
    yield 2 / 40, "0.05"
    yield np.log(1 + 2 / 20), "0.0953"
