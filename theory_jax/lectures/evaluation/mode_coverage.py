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
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.mode_coverage import (
    assign_modes,
    birthday_support_estimate,
    collision_log_probability,
    covered_modes,
    high_quality_fraction,
    mode_kl_divergence,
)
from theory_jax.lectures.evaluation._modes import (
    comparisons_with_the_code,
    draw_seen_and_estimated,
    equal_modes,
    expected_divergence,
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
    question="A generator that draws eight excellent images over and over looks perfect, image by image. How many modes does "
    "a generator have, judged from finitely many samples of it?",
    setting=(
        r"Every sample belongs to one of $K$ modes, or to none. A sample is of mode $k$ with probability $p_k$, and samples are "
        r"independent. Of $N$ samples that have a mode, the share $\hat p_k$ is of mode $k$.",
        r"All probabilities are positive. At the boundary $0 \log 0$ is 0, and a mode that cannot occur drops out.",
    ),
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
seen_modes = derivation.chain(
    "The number of modes seen depends on the number of samples",
    _expected(covered),
    equals(
        Total(k, 1 - times(*[Expectation(p.at(mode), _misses(mode)) for mode in (k1, k2, k3)])),
        "exchange the sums; the samples are independent, so the expectation of the product is the product of expectations",
    ),
    equals(
        Total(k, 1 - (1 - p) ** 3),
        prose(
            "a sample misses mode $k$ with the probability {misses}",
            misses=holds(Expectation(p.at(k1), _misses(k1)), "=", 1 - p, named=True),
        ),
    ),
    so=r"With $N$ samples the exponent is $N$. Modes with $p_k$ far below $1/N$ are rarely seen, although the generator "
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
        prose(
            "the ratio is the same for every mode: {ratio}",
            ratio=holds(restricted / (c / (Total(j, c.at(j)) + lost)), "=", 1 / kept),
        ),
        wrong={"the ratio turned over": Expectation(restricted, log(kept))},
    ),
    equals(-log(kept), "the expectation of a constant", wrong={"what is lost": -log(1 - kept)}),
    so=prose(
        "If half of a target is lost, {half}, this is {two}, however many modes that are. The divergence in the "
        "other direction is infinite as soon as one mode is missing, so it cannot tell one from half.",
        half=where(lost, Total(j, c.at(j))),
        two=holds(-log(kept), "=", log(2), named=True),
    ),
)

derivation.say(
    "Now the bias: shares of a finite sample differ from $p$ even if $p$ is the target. $a$ is one of all possible sets of "
    "samples."
)
a = derivation.index("a", "a set of samples", states=2)
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
        prose(
            "the logarithm of a ratio is {split}, with the gap of the logarithm last; the mean of the ratio is $M$",
            split=holds(
                log(share / p),
                "=",
                plus(log(mean_ratio), share / p / mean_ratio - 1, -tangent.at(share / p / mean_ratio)),
                named=True,
            ),
        ),
    ),
    at_most(
        log(mean_ratio),
        prose("add the gaps; equality if all ratios are equal, as where {same}", same=where(share, p)),
        adding=gaps,
    ),
    equals(
        log(1 + Expectation(w, chi)),
        prose(
            "expand the square: {sum}, since both distributions sum to one", sum=holds(Total(k, share**2 / p), "=", plus(1, chi))
        ),
    ),
)
drawn = derivation.define(
    r"\hat p_3({},{},{},{})",
    (KroneckerDelta(k, k1) + KroneckerDelta(k, k2) + KroneckerDelta(k, k3)) / 3,
    "the shares of three samples",
    over=(k, k1, k2, k3),
)
bias = derivation.chain(
    "The expected squared distance of the shares is K - 1 over the number of samples",
    _expected(Total(k, (drawn - p) ** 2 / p)),
    equals(
        Total(k, times(p * (1 - p) / 3, 1 / p)),
        prose("the share is a mean of three independent samples of the variance {variance}", variance=p * (1 - p)),
    ),
    equals(
        (K - 1) / 3, prose("{one}", one=holds(Total(k, 1 - p), "=", K - 1)), wrong={"not divided by the number of samples": K - 1}
    ),
    so=r"With $N$ samples it is $(K-1)/N$, so the expected divergence is between 0 and $\log\left(1 + \frac{K-1}{N}\right)$.",
    role="lemma",
)
step = derivation.number(r"\varepsilon", "how far shares are from the probabilities", between=(0, 1))
other = derivation.law("u", k, "any distribution of the modes")
near = derivation.define("p'", p + step * (other - p), r"a step from $p$ towards it", over=k, positive=False)
derivation.chain(
    "Near the probabilities a divergence is half a squared distance",
    Slope(Total(k, near * log(near / p)), step, 2),
    equals(
        Slope(Total(k, times(other - p, log(near / p))), step),
        prose("the product rule; what the logarithm's own slope adds is {none}", none=holds(Total(k, other - p), "=", 0)),
    ),
    equals(
        Total(k, (other - p) ** 2 / near),
        prose("the slope of a logarithm, {slope}", slope=holds(Slope(log(near / p), step), "=", (other - p) / near)),
    ),
    so=prose(
        "At {start} value and slope of the divergence are zero, and this is {chi}, the squared distance of $u$ from $p$. So "
        r"the divergence begins with half of $\varepsilon^2$ times that distance, and its expectation is about "
        r"$\frac{K-1}{2N}$ for large $N$.",
        start=where(step, 0),
        chi=holds(Total(k, (other - p) ** 2 / near), "=", Total(k, (other - p) ** 2 / p), named=True),
    ),
    role="lemma",
)

derivation.say(
    r"Both measures need the modes to be known. The birthday test does not: it draws $s$ samples and looks for two that agree. "
    r"How often that happens is first computed for three; the code does the same for every $s$."
)
pairs = times(1 - KroneckerDelta(k1, k2), 1 - KroneckerDelta(k1, k3), 1 - KroneckerDelta(k2, k3))
derivation.chain(
    "The chance that some two of three samples agree follows from sums of squares and cubes",
    _expected(1 - pairs),
    equals(
        plus(Total(k, p**2), 2 * Total(k, p**2 * (1 - p))),
        "the second sample repeats the first; or they differ, and the third repeats one of the two",
    ),
    equals(
        plus(3 * Total(k, p**2), -2 * Total(k, p**3)),
        prose(
            "collect: three pairs, and three that agree were counted three times; {sum}",
            sum=holds(Total(k, p**2 * (1 - p)), "=", plus(Total(k, p**2), -Total(k, p**3))),
        ),
        wrong={"triples counted twice": plus(3 * Total(k, p**2), -Total(k, p**3))},
    ),
    states=4,
    role="lemma",
)
equal_modes(derivation)

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
birthday = derivation.chain(
    "The birthday bound",
    -log(none),
    equals(plus(-Total(i, log(free)), log(1 + gain)), "the logarithm of a product and of a quotient"),
    at_least(
        -Total(i, log(free)),
        prose("leave out the gain; equality if all modes are equally likely, {none}", none=where(gain, 0)),
        dropping=log(1 + gain),
    ),
    equals(
        plus(Total(i, 1 - free), Total(i, tangent.at(free))),
        prose("{split}, with the gap of the logarithm last", split=holds(-log(free), "=", plus(1 - free, tangent.at(free)))),
    ),
    at_least(Total(i, 1 - free), "leave out the gaps, which are small with few samples", dropping=Total(i, tangent.at(free))),
    equals(
        times(m * (m + 1) / 2, 1 / modes),
        prose("{rest}, and {sum}", rest=holds(1 - free, "=", (m - i) / modes), sum=holds(Total(i, m - i), "=", m * (m + 1) / 2)),
    ),
    central=True,
    so=prose(
        "Divide: the estimate, {estimate} with $s - 1$ for $m$, is at most the number of modes, for every distribution on $K$ "
        "modes and from 2 to $K$ samples. If half of all batches of $s$ samples have a repetition, the generator has at least "
        r"$\frac{s(s-1)}{1.39}$ modes. It may have many more: rare modes hardly collide, and the estimate is near $K$ only if "
        "the modes are about equally likely.",
        estimate=m * (m + 1) / (-2 * log(none)),
    ),
)

derivation.answer = prose(
    "The number of modes that were seen grows with the number of samples. The divergence of their shares from the true "
    "probabilities is not 0 but about $(K-1)/2N$ for large $N$; both are comparable at equal $N$ only. Repetitions among $m + "
    "1$ samples bound the number of modes from below, whatever their probabilities are, by the chance $Q_s$ that none "
    "repeats, the birthday test: {bound}.",
    bound=holds(m * (m + 1) / (-2 * log(none)), "<=", modes),
)
comparisons_with_the_code(derivation, p, k)


@derivation.exact(
    r"\mathbb{E}\, C = \sum_k 1 - (1 - p_k)^4",
    because="All sequences of four samples from three modes, weighted by their probabilities.",
    outcomes=3**4,
    role="remark",
)
def four_samples():
    chances = np.array([0.6, 0.3, 0.1])
    sequences = np.array(list(product(range(3), repeat=4)))
    counted = jax.vmap(partial(covered_modes, num_modes=3))(sequences)
    expected = chances[sequences].prod(axis=1) @ counted
    return Sides(left=expected, right=(1 - (1 - chances) ** 4).sum())


@derivation.exact(
    r"P_s = 1 - \prod_{i} \left(1 - \frac{i}{K}\right), \quad i = 1, \dots, s - 1,",
    because="Equally likely modes: all sequences of two, three and four samples from five modes.",
    outcomes=5**2 + 5**3 + 5**4,
    role="remark",
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


@derivation.exact(
    r"\mathbb{E}\,\mathrm{KL}(\hat p \,\|\, p) = \sum_{k} \mathbb{E}\left[\hat p_k \log \frac{\hat p_k}{p_k}\right]",
    because=r"Three equally likely modes, 20 and 40 samples: all count vectors through the code, and one binomial count at a "
    r"time. The values 0.05193 and 0.02544 are a little above $\frac{K-1}{2N}$.",
    outcomes=231 + 861,
    role="remark",
)
def all_counts():
    found, wanted = [], []
    for size in (20, 40):
        n = np.arange(1, size + 1)
        chances = np.array([comb(size, int(count)) * 2.0 ** (size - count) for count in n]) / 3.0**size
        found.append(expected_divergence(size))
        wanted.append(3 * np.sum(chances * n / size * np.log(3 * n / size)))
    return Sides(left=np.array(found), right=np.array(wanted))


@derivation.bound(
    r"P_s(u) \le P_s(p), \quad u_k = \frac{1}{K}",
    because="Twenty random distributions on six modes, four samples; equality for the uniform one.",
    role="remark",
)
def equal_modes_collide_least():
    def collide(log_probs):
        return jnp.exp(jax.vmap(partial(collision_log_probability, sample_size=4))(log_probs))

    level, laws = jnp.full((20, 6), -np.log(6)), jnp.log(np.random.default_rng(0).dirichlet(np.full(6, 2.0), size=20))
    return BoundSides(
        sides=lambda log_probs: (collide(level), collide(log_probs)),
        points=(laws,),
        tight=(level,),
        wrong={"the order turned over": lambda log_probs: (collide(log_probs), collide(level))},
    )


_HALF = np.log([0.5, 0.25, 0.25])
_CENTERS = np.array([[0.0], [10.0], [20.0], [30.0]])


@derivation.example(
    r"Three modes of the probabilities $(\frac12, \frac14, \frac14)$; then three that are equally likely. Then quality against "
    "coverage, with centers at $0, 10, 20, 30$ and the radius 1: twenty samples at $0.5$; and one at each center with 36 at "
    "$15$."
)
def a_frequent_mode_and_two_others():
    chances, pairs = np.exp(_HALF), np.array(list(product(range(3), repeat=2)))
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


@derivation.algorithm(
    "Counting modes, known or not",
    do(r"known modes: give every sample the nearest center within the radius, or none", assign_modes),
    do(
        "count the modes that are covered, and the share of samples that have one",
        covered_modes,
        high_quality_fraction,
        by=seen_modes,
    ),
    do(
        r"compare the shares with a target by $\mathrm{KL}(\hat p \,\|\, p)$, at equal $N$ for all models",
        mode_kl_divergence,
        by=bias,
    ),
    do(r"unknown modes: the share $\hat P_s$ of many batches of $s$ samples that have a repetition"),
    do(r"$\hat K \leftarrow \frac{s (s - 1)}{-2 \log(1 - \hat P_s)}$", birthday_support_estimate, by=birthday),
)
def six_samples():
    points = np.array([[0.5], [9.5], [0.2], [15.0], [30.0], [30.5]])
    found = assign_modes(points, _CENTERS, radius=1.0)
    yield r"\text{samples } 0.5, 9.5, 0.2, 15, 30, 30.5: \text{ centers from 0 on, or } {-1}", found, "(0, 1, 0, -1, 3, 3)"
    yield r"\text{covered}", covered_modes(found, num_modes=4), "3"
    yield r"\text{share that have one}", high_quality_fraction(found, num_modes=4), "5/6"
    yield (
        r"\text{divergence of } (\tfrac25, \tfrac15, 0, \tfrac25) \text{ from equal}",
        mode_kl_divergence(found, np.full(4, -np.log(4))),
        "0.3314",
    )
    estimate = birthday_support_estimate(sample_size=3, collision_probability=0.5)
    yield r"\hat K \text{ of } s = 3, \hat P_s = \tfrac12", estimate, "4.3281"


@derivation.figure(
    r"Left: the expected number of modes covered by $N$ samples, of eight that are equally likely and of eight whose "
    r"probabilities halve from each to the next. Right: the birthday estimate as a share of the number of modes, 30, against "
    r"the factor by which probabilities fall from each mode to the next. It never exceeds 1 (line), and "
    r"is hardly affected by rare modes.",
    panels=2,
)
def seen_and_estimated(seen, estimated):
    draw_seen_and_estimated(seen, estimated)
