"""Discretized logistic mixtures: probabilities of integers from a continuous distribution.

The lecture on the functions of theory_jax/autoregressive/discretized_mixture.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log

from theory_jax.autoregressive.discretized_mixture import (
    discretized_logistic_log_prob,
    discretized_logistic_mixture_log_prob,
    discretized_logistic_mixture_sample,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._cells_of_levels import (
    SCALE,
    a_level_and_three_samples,
    cells_and_tails,
    corrections_of_the_density,
    far_cells,
    levels_at_the_edges,
    sums_over_levels,
)
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Discretized logistic mixtures: probabilities of integers from a continuous distribution",
    lectures=(42,),
    sources=(
        "Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood",
        "Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling 2016, Improved variational inference with inverse "
        "autoregressive flow",
        "Devroye 1986, Non-uniform random variate generation",
    ),
    question="A softmax over 256 values learns every value of a pixel by itself, and does not know that 100 and 101 are nearly "
    "alike. A density does, but it is no probability: on integers it can be made as large as one likes. How does a continuous "
    "distribution give them probabilities that sum to one, that can be computed far from its mean, and that can be sampled?",
    setting=(
        r"The $n$ levels, two or more, are evenly spaced: level $x_k$, for $k$ from 0 on, is $-1 + \frac{2k}{n-1}$. The edge "
        r"between two neighbors is halfway, $\delta$, which is $\frac{1}{n-1}$, from both.",
        r"A logistic distribution with mean $m$ and a positive scale $s$ has the distribution function $\sigma\left(\frac{x-m}{s}"
        r"\right)$, called $F(x)$. A level has the probability that $F$ gives to its cell. The lowest cell has no lower edge and "
        r"the highest no upper one.",
        r"A mixture has weights $\pi_j$, which are positive and sum to one, and one logistic distribution for each component "
        "$j$.",
    ),
    limits=(
        "How many components a data set needs.",
        "The linear dependence between the color channels of a pixel, which is part of the network.",
        "A bound on the scale, which keeps training away from means that fit one level with probability one.",
    ),
)

derivation.symbol("n", "the number of levels", "num_levels")
derivation.symbol("k", "a level's number")
derivation.symbol("x_k", "a level", "x")
derivation.symbol(r"\delta", "half the distance of two levels")
derivation.symbol(r"\sigma", "the logistic function")
t = derivation.number("t", "a standardized position")
rise = derivation.define(r"\sigma(t)", 1 / (1 + exp(-t)), "the logistic function", positive=True)
bell = derivation.define("f(t)", exp(-t) / (1 + exp(-t)) ** 2, "the density of the standard logistic distribution", positive=True)
density = derivation.chain(
    "The density of the logistic distribution",
    Slope(rise, t),
    equals(bell, "the chain rule"),
    equals(times(rise, 1 - rise), prose("{other}", other=holds(exp(-t) / (1 + exp(-t)), "=", 1 - rise))),
    role="lemma",
    so=r"With a mean and a scale it is $\frac{1}{s} f\left(\frac{x-m}{s}\right)$.",
)

j = derivation.index("j", "a component")
i = derivation.index("i", "a component, next to $j$")
pi = derivation.law(r"\pi", j, "the weights of the components", "softmax(mixture_logits)")
edges = [derivation.numbers(f"F_{k}", j, f"a component's distribution function at the edge below level {k}") for k in (1, 2, 3)]
cells = (edges[0], edges[1] - edges[0], edges[2] - edges[1], 1 - edges[2])
central = derivation.chain(
    "The probabilities of four levels sum to one",
    plus(*(Total(j, times(pi, cell)) for cell in cells)),
    equals(Total(j, times(pi, plus(*cells))), "exchange the sums over levels and components"),
    equals(
        Total(j, pi),
        "every inner edge occurs twice, with opposite signs; the outer cells reach to infinity, where the distribution function "
        "is 0 and 1",
        wrong={"the highest cell closed": Total(j, pi * edges[2])},
    ),
    equals(1, prose("{one}", one=holds(Total(j, pi), "=", 1))),
    central=True,
    so="Nothing was used of the distribution function. For $n$ levels there are $n - 1$ edges, and the argument is the same.",
)


@derivation.exact(
    r"\sum_k e^{\log P(x_k)} = 1",
    because="The code's probabilities of all levels, at 2, 3, 16 and 256 levels, scales from $e^{-7}$ to $e$, and means inside "
    "and outside of $[-1, 1]$.",
    outcomes=(2 + 3 + 16 + 256) * 12,
    role="remark",
)
def all_levels_sum_to_one():
    return Sides(left=sums_over_levels(), right=np.ones((4, 12)))


derivation.say(
    r"How the probability is computed. Far from the mean both values of $\sigma$ are near 0 or near 1, and their difference has "
    r"no digits left. Let $a$ be the upper edge of a cell, standardized, and $w$ its width, $\frac{2\delta}{s}$."
)
a = derivation.number("a", "the upper edge of a cell, less the mean, by the scale")
derivation.symbol("b", "the lower edge of the cell, $a - w$")
w = derivation.number("w", r"the width of a cell by the scale, $\frac{2\delta}{s}$", positive=True)
mass = derivation.define(
    "P", 1 / (1 + exp(-a)) - 1 / (1 + exp(w - a)), "the probability of an inner cell", "exp(discretized_logistic_log_prob)"
)
product = derivation.chain(
    "A product that has its digits everywhere",
    mass,
    equals((exp(w - a) - exp(-a)) / ((1 + exp(-a)) * (1 + exp(w - a))), "one denominator"),
    equals(
        times(1 / (1 + exp(-a)), 1 / (1 + exp(a - w)), 1 - exp(-w)),
        prose("factor out $e^{w-a}$, and {ratio}", ratio=holds(exp(w - a) / (1 + exp(w - a)), "=", 1 / (1 + exp(a - w)))),
        wrong={"the lower edge on the wrong side": times(1 / (1 + exp(-a)), 1 / (1 + exp(w - a)), 1 - exp(-w))},
    ),
    so=r"So $\log P$ is $\log \sigma(a) + \log \sigma(-b) + \log(1 - e^{-w})$ with the lower edge $b$, which is $a - w$. In an "
    "outer cell one of the first two terms is all that is left.",
)
m = derivation.number("m", "the mean of a logistic distribution", "mean")
kappa = derivation.number(r"\kappa", r"the logarithm of its scale, $\log s$", "log_scale")


def _logistic(edge, mean=m, log_scale=kappa):
    return 1 / (1 + exp(-(edge - mean) / exp(log_scale)))


QUARTER = Rational(1, 4)
inner = log(_logistic(QUARTER) - _logistic(-QUARTER))
low, high = log(_logistic(-3 * QUARTER)), log(1 - _logistic(3 * QUARTER))
derivation.bridge(
    "The code computes the lowest, the middle and the highest of five cells",
    [low, inner, high],
    discretized_logistic_log_prob,
    x=jnp.array([-1.0, 0.0, 1.0]),
    mean=[m, m, m],
    log_scale=[kappa, kappa, kappa],
    num_levels=5,
    wrong={
        "half a width by the number of levels": [low, log(_logistic(Rational(1, 5)) - _logistic(-Rational(1, 5))), high],
        "the lowest closed": [log(_logistic(-3 * QUARTER) - _logistic(-5 * QUARTER)), inner, high],
    },
)

derivation.say(
    "A network learns the mean by its gradient. A probability that is cut off below, so that its logarithm stays finite, has the "
    "gradient zero where the mean is farthest off. The exact one has not."
)
s = derivation.number("s", "the scale of a logistic distribution", "exp(log_scale)", positive=True)
above = derivation.number("e_+", "the upper edge of a cell")
below = derivation.number("e_-", "the lower edge of a cell")
F_above = derivation.define("F_+", 1 / (1 + exp((m - above) / s)), "the distribution function at the upper edge", positive=True)
F_below = derivation.define("F_-", 1 / (1 + exp((m - below) / s)), "the distribution function at the lower edge", positive=True)
factored = plus(F_above, -(F_above**2), -F_below, F_below**2)
derivation.chain(
    "The gradient of an inner cell does not vanish far from it",
    Slope(log(F_above - F_below), m),
    equals(
        -(F_above * (1 - F_above) - F_below * (1 - F_below)) / (s * (F_above - F_below)),
        r"the derivative of $\sigma$, and $-\frac{1}{s}$ from the standardized edge",
    ),
    equals(
        times(1 / s, plus(F_above, F_below, -1)),
        prose("{factors}", factors=holds(factored, "=", times(F_above - F_below, 1 - F_above - F_below))),
    ),
    uses=(density,),
    so=r"Where the mean is far below the cell both distribution functions are near 1, and this near $\frac1s$; far above both "
    r"are near 0, and this near $-\frac1s$: the mean is drawn to the cell with the same force from everywhere beyond.",
    role="lemma",
)
derivation.chain(
    "The gradient of an outer cell vanishes on the outer side alone",
    plus(Slope(log(F_above), m), Slope(log(1 - F_below), m)),
    equals(
        plus(times(1 / s, F_above - 1), times(1 / s, F_below)),
        prose(
            "the same without the edge that is missing: {lowest}",
            lowest=holds(Slope(log(F_above), m), "=", times(1 / s, F_above - 1)),
        ),
    ),
    so="Each vanishes on the outer side alone, where the probability is already near one.",
    role="remark",
)
derivation.bridge(
    "The code has this gradient",
    (_logistic(QUARTER) + _logistic(-QUARTER) - 1) / exp(kappa),
    discretized_logistic_log_prob,
    x=jnp.zeros(1),
    mean=[m],
    log_scale=[kappa],
    num_levels=5,
    slope="mean",
)

derivation.say(
    r"Many levels. By Taylor's formula the even terms of a difference cancel: $\frac{\sigma(t + h) - \sigma(t - h)}{2h}$ is "
    r"$\sigma'(t) + \frac{h^2}{6} \sigma'''(t)$ and terms of higher order in $h$, which is $\frac{\delta}{s}$."
)
derivation.chain(
    r"The first correction of the density is $\frac16 f (1 - 6 f)$",
    times(Rational(1, 6), Slope(rise, t, 3)),
    equals(times(Rational(1, 6), Slope(bell, t, 2)), prose("{slope}", slope=holds(Slope(rise, t), "=", bell))),
    equals(
        times(Rational(1, 6), bell, 1 - 6 * bell),
        prose(
            "{slope} once more, and {square}",
            slope=holds(Slope(bell, t), "=", times(bell, 1 - 2 * rise)),
            square=holds((1 - 2 * rise) ** 2, "=", 1 - 4 * bell),
        ),
    ),
    role="lemma",
)


@derivation.numeric(
    r"\frac{1}{\delta^2} \left(\log \frac{P(x_k)}{2 \delta} - \log \frac{f(t)}{s}\right) = \frac{1 - 6 f(t)}{6 s^2}",
    because=r"At 4001 levels, with $\frac{x_k - m}{s}$ for $t$: the probability is the density times the distance of two "
    "levels, and what is left is the correction.",
    tolerance=1e-4,
    since="rounding is divided by $\\delta^2$, and where $f$ is near $\\frac16$ little is left",
    role="remark",
)
def fine_levels_have_a_density():
    found, wanted = corrections_of_the_density()
    return Sides(left=found, right=wanted, wrong={"the scale not squared": wanted * np.exp(-0.5)})


derivation.say("Components. What follows holds for every level; its probability under component $j$ is $e^{\\ell_j}$.")
l = derivation.numbers(  # noqa: E741 (the lecture's letter)
    r"\ell", j, "the log-probability of a level under component $j$", "discretized_logistic_log_prob"
)
mixed = derivation.define(
    r"\bar P",
    Total(j, times(pi, exp(l))),
    "the mixture's probability",
    "exp(discretized_logistic_mixture_log_prob)",
    positive=True,
)
gamma = derivation.define(r"\gamma", pi * exp(l) / mixed, "the posterior probability of a component", over=j, law=True)
of_mixture = derivation.chain(
    "The mean of the components' log-probabilities is at most the mixture's",
    plus(log(mixed), -Expectation(pi, l)),
    equals(
        Expectation(pi, log(pi / gamma)),
        prose("{ratio}", ratio=holds(plus(log(mixed), -l), "=", log(pi / gamma))),
        wrong={"averaged under the posterior": Expectation(gamma, log(pi / gamma))},
    ),
    equals(Divergence(pi, gamma), "the definition of the divergence"),
    at_least(
        0,
        prose("Gibbs; equality if and only if all components agree on the level, {same} for every $j$", same=where(l, l.at(0))),
        dropping=gibbs.at(pi, gamma),
    ),
    so="The average of the components' losses is an upper bound of the mixture's loss, and not this loss.",
    role="remark",
)
logit = derivation.numbers("c", j, "the logits of the weights", "mixture_logits")
soft = derivation.define(r"\tilde\pi", exp(logit) / Total(i, exp(logit.at(i))), "the weights as a softmax", over=j, law=True)
of_logits = derivation.define(
    r"\tilde P", Total(j, times(soft, exp(l))), "the mixture's probability with these weights", positive=True
)
r = derivation.index("r", "a component, next to $i$ and $j$")
learns = derivation.chain(
    "A component learns from a level as much as it explains it",
    Slope(log(of_logits), l.at(r)),
    equals(
        soft.at(r) * exp(l.at(r)) / of_logits,
        prose(
            "one term contains it: {slope}",
            slope=holds(Slope(Total(j, times(soft, exp(l))), l.at(r)), "=", soft.at(r) * exp(l.at(r))),
        ),
    ),
    so=r"So the gradient of its mean is the component's own gradient times $\gamma_r$.",
    states=2,
)
derivation.chain(
    "A component's logit learns from how much its posterior exceeds its weight",
    Slope(log(of_logits), logit.at(r)),
    equals(
        plus(soft.at(r) * exp(l.at(r)) / of_logits, -soft.at(r)),
        prose("{slope}", slope=holds(Slope(soft, logit.at(r)), "=", times(soft, KroneckerDelta(j, r) - soft.at(r)))),
    ),
    states=2,
    role="remark",
)
means = derivation.numbers("m", j, "the mean of component $j$", "mean")
log_scales = derivation.numbers(r"\kappa", j, "the logarithm of its scale", "log_scale")
middle = _logistic(QUARTER, means, log_scales) - _logistic(-QUARTER, means, log_scales)
derivation.bridge(
    "The code computes the mixture's probability of the middle of five levels",
    log(Total(j, soft * middle)),
    discretized_logistic_mixture_log_prob,
    x=jnp.zeros((1, 1)),
    mixture_logits=[[logit]],
    mean=[[means]],
    log_scale=[[log_scales]],
    num_levels=5,
    wrong={
        "a mean of logarithms": Total(j, soft * log(middle)),
        "the weights not normalized": log(Total(j, exp(logit) * middle)),
    },
)

u = derivation.number("u", "a uniform number", "value_uniform", between=(0, 1))
draw = derivation.define("X", plus(m, times(s, log(u / (1 - u)))), "a logistic sample")
derivation.say(
    "Sampling. Draw the component by its weight, put a uniform number through the inverse of its distribution function, and take "
    "the nearest level. Beyond the outer levels the nearest is the outermost, which is why the outer cells are open."
)
sampling = derivation.chain(
    "The logarithm of the odds inverts the distribution function",
    1 / (1 + exp(-(draw - m) / s)),
    equals(
        1 / (1 + (1 - u) / u),
        prose("the mean and the scale cancel, and {odds}", odds=holds(exp(-log(u / (1 - u))), "=", (1 - u) / u)),
    ),
    equals(u, prose("{sum}", sum=holds(plus(1, (1 - u) / u), "=", 1 / u))),
    so=r"$F$ rises, so $X$ is in a cell if and only if $u$ is between the values of $F$ at its edges: with the "
    r"probability of the cell.",
)


@derivation.exact(
    r"F(x_k - \delta) < u < F(x_k + \delta)",
    because="The code draws level $k$ at the first and at the last uniform number of its interval, $10^{-9}$ inside: all cells "
    "of 9 levels, for two components.",
    outcomes=2 * 2 * 9,
    role="remark",
)
def every_edge_of_every_cell():
    found, wanted = levels_at_the_edges()
    return Sides(left=np.asarray(found), right=np.array(wanted))


@derivation.numeric(
    r"\log P = \log\left(\sigma(a) - \sigma(b)\right)",
    because="The code against 40 digits, at cells 52 to 700 scales above the mean and as many below it. In float64 the "
    "difference itself is 0 for the edges 52.1 and 52.",
    role="appendix",
)
def far_cells_have_all_digits():
    found, wanted, cut = far_cells()
    return Sides(left=found, right=wanted, wrong={"the difference cut off at 1e-12": cut})


def _three(mean):
    x = np.array([-1.0, 0.0, 1.0])
    return discretized_logistic_log_prob(x, np.full(3, mean), np.full(3, SCALE), num_levels=3)


derivation.answer = prose(
    "The probabilities of all levels sum to one for every mean and scale, {one} for four of them, because neighbors share an "
    "edge and the outer edges are at infinity. Written as a product, {product}, an inner cell's probability needs no "
    "difference of nearly equal numbers, and its gradient in the mean does not vanish far from the cell. Rounding a logistic "
    "sample to the nearest level samples exactly these probabilities.",
    one=holds(Total(j, times(pi, plus(*cells))), "=", 1),
    product=holds(mass, "=", times(1 / (1 + exp(-a)), 1 / (1 + exp(a - w)), 1 - exp(-w))),
)


derivation.algorithm(
    "The loss of a level, and a sample",
    do("for every component: the edges of the level's cell, less the mean, by the scale"),
    do(
        r"$\ell_j \leftarrow \log \sigma(a) + \log \sigma(-b) + \log(1 - e^{-w})$, an outer cell's without what it lacks",
        discretized_logistic_log_prob,
        by=product,
    ),
    do(r"the loss is $-\log \sum_j \pi_j e^{\ell_j}$", discretized_logistic_mixture_log_prob, by=of_mixture),
    do(r"backward: each component receives its own gradient, times $\gamma_j$", by=learns),
    do(
        r"sampling: draw $j$ by its weight; take the level nearest to $m_j + s_j \log \frac{u}{1 - u}$",
        discretized_logistic_mixture_sample,
        by=sampling,
    ),
)(a_level_and_three_samples)


@derivation.example(
    r"Three levels, with the edges $-\frac12$ and $\frac12$, and the scale $\frac{1}{2 \log 3}$: one unit of $x$ multiplies "
    r"the odds by nine. The means 0 and $-\frac12$, and both components with equal weights."
)
def three_levels():
    yield "P(m = 0)", jnp.exp(_three(0.0)), "(0.25, 0.5, 0.25)"
    yield r"P\left(m = -\tfrac12\right)", jnp.exp(_three(-0.5)), "(0.5, 0.4, 0.1)"
    tables = np.zeros((3, 1, 2)), np.broadcast_to([0.0, -0.5], (3, 1, 2)), np.full((3, 1, 2), SCALE)
    mixture = discretized_logistic_mixture_log_prob(np.array([[-1.0], [0.0], [1.0]]), *tables, num_levels=3)
    yield r"\bar P", jnp.exp(mixture), "(0.375, 0.45, 0.175)"


derivation.figure(
    "Left: nine levels under a logistic distribution with mean 0.5 and scale 0.2 (bars), and its density times the distance of "
    "two levels (curve). The highest level has the whole tail. Right: the log-probability of the middle level, scale $e^{-4}$, "
    "against the mean. The product falls with the slope $1/s$; the difference of two logistic functions is 0 for means below "
    "$-0.65$.",
    panels=2,
)(cells_and_tails)
