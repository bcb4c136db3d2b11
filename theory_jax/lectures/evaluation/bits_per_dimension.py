"""Bits per dimension: one unit for the likelihoods of discrete and continuous models.

The lecture on the functions of theory_jax/evaluation/bits_per_dimension.py.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, KroneckerDelta, Rational, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.bits_per_dimension import annealed_log_weights, bits_per_dimension, uniform_dequantize
from theory_jax.lectures.evaluation._units import comparisons_with_the_code, draw_noise, draw_windows
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.jensen import jensen
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Bits per dimension: one unit for the likelihoods of discrete and continuous models",
    lectures=(14,),
    sources=(
        "Theis, van den Oord & Bethge 2016, A note on the evaluation of generative models",
        "Salimans, Karpathy, Chen & Kingma 2017, PixelCNN++",
        "Neal 2001, Annealed importance sampling",
        "Wu, Burda, Salakhutdinov & Grosse 2017, On the quantitative analysis of decoder-based generative models",
        "Parzen 1962, On estimation of a probability density function and mode",
    ),
    question="A density can be any number, and a change of units changes it: a paper that reports 3 and one that reports "
    "$-2000$ may mean the same. One model gives probabilities to images of integers, another has a density of scaled "
    "pixels. How are their likelihoods compared, and what can be done for a model that has none?",
    setting=(
        r"Data are $D$ integers, each from 0 to $L - 1$. A discrete model gives them probabilities $P(v)$; a continuous one "
        r"has a density, on $[0, L)^D$ or of the scaled data, on $[0, 1)^D$.",
        r"A density $p_v$ on $[0, L)^D$ gives $v$ the mean of $p_v(v + u)$ for its probability, $u$ uniform on $[0, 1)^D$.",
    ),
    limits=(
        "That bits say how good samples are: in general they do not.",
        "Annealing with kernels on continuous spaces; the lines are the same with integrals.",
        "Noise that is learned instead of uniform, which makes the gap smaller.",
    ),
    trained="A unit of likelihood, not a model. Experiments whose models have a likelihood report it.",
)

D = derivation.number("D", "the number of dimensions", "dim", positive=True)
L = derivation.number("L", "the number of levels", "num_levels", positive=True)
p_x = derivation.number("p_x", r"the density of the scaled data, at $(v + u) / L$", "exp(log_prob)", positive=True)
p_v = derivation.define("p_v", p_x / L**D, r"the density of $v + u$: a cube of side $1/L$ becomes one of side 1", positive=True)
scaled = derivation.chain(
    "The density of scaled data, in bits",
    -log(p_v) / (D * log(2)),
    equals(
        times(1 / (D * log(2)), plus(-log(p_x), D * log(L))),
        prose("{quotient}", quotient=holds(log(p_v), "=", plus(log(p_x), -D * log(L)))),
    ),
    equals(
        times(1 / log(2), plus(-log(p_x) / D, log(L))),
        r"divide by $D$",
        wrong={"L - 1 in place of L": times(1 / log(2), plus(-log(p_x) / D, log(L - 1)))},
    ),
    role="theorem",
    so=prose(
        "The uniform density, {uniform}, has {bits} bits for 256 levels. Without $\\log L$ it would have none.",
        uniform=where(p_x, 1),
        bits=holds(-log(p_v) / (D * log(2)), "=", 8, when={L: 256}, named=True),
    ),
)

derivation.say(
    "Densities of integers. Divide a cell, the unit cube at $v$, into parts on each of which the density is constant; "
    "there may be any number of them."
)
v = derivation.index("v", "a value of the data: a cell")
u = derivation.index("u", "a part of the cell")
size = derivation.law("w({})", u, "its volume: the probability that uniform noise ends there")
P = derivation.law("P({})", v, "what the model gives to a value")
inside = derivation.law("r({}|{})", (u, v), "... and, inside the cell, to a part of it")
density = derivation.define("p({},{})", P * inside / size, "the density on this part", over=(v, u), positive=True)
central = derivation.chain(
    "Uniform noise does not overstate the probability",
    log(P),
    equals(Expectation(size, log(P)), "a constant is its own expectation"),
    equals(
        plus(Expectation(size, log(density)), Divergence(size, inside)),
        prose("{ratio} by definition", ratio=holds(P / density, "=", size / inside)),
    ),
    at_least(
        Expectation(size, log(density)),
        prose(
            "leave out the divergence (Gibbs); equality if and only if the density is constant on the cell, {constant}",
            constant=where(inside, size),
        ),
        dropping=gibbs.at(size, inside),
    ),
    central=True,
    so="Without noise there is no such bound: a density with a spike at every integer has any number of bits below zero.",
)
data = derivation.law("q({})", v, "the distribution of the data")
derivation.chain(
    "With uniform noise no model has fewer bits than the data have entropy",
    -Expectation(data, Expectation(size, log(density))),
    equals(plus(-Expectation(data, log(P)), Expectation(data, Divergence(size, inside))), "the central result, for every value"),
    equals(
        plus(Entropy(data), Divergence(data, P), Expectation(data, Divergence(size, inside))),
        prose("{split}", split=holds(-log(P), "=", plus(-log(data), log(data / P)))),
    ),
    at_least(
        Entropy(data),
        prose(
            "leave out both divergences (Gibbs); equality if and only if {exact} and {constant}",
            exact=where(P, data),
            constant=where(inside, size),
        ),
        dropping=gibbs.at(data, P) + Expectation(data, gibbs.at(size, inside)),
    ),
)
a = derivation.number(r"\lambda", "the rate of an exponential distribution", positive=True)
y = derivation.number("y", "a point in the cell, from its middle", real=True)
gap = derivation.define(
    "g",
    log(Integral(exp(-a * y), (y, -Rational(1, 2), Rational(1, 2)))),
    r"the gap $\log P(v) - \mathbb{E}_u \log p_v(v + u)$ of the density $\lambda e^{-\lambda x}$, whose logarithm at the middle "
    "cancels; that of $e^{-\\lambda y}$ has the mean 0",
)
derivation.chain(
    "The gap of an exponential distribution is the same in every cell",
    gap,
    equals(log(2 * sympy.sinh(a / 2) / a), "integrate"),
    role="remark",
)
derivation.chain(
    "The gap of an exponential distribution is of second order in its slope",
    Limit(log(2 * sympy.sinh(a / 2) / a) / a**2, a, 0),
    equals(
        Rational(1, 24),
        prose(
            "the argument of the logarithm goes to 1, and {second}",
            second=holds(Limit((2 * sympy.sinh(a / 2) / a - 1) / a**2, a, 0), "=", Rational(1, 24)),
        ),
        wrong={"the variance of the noise": Rational(1, 12)},
    ),
    role="remark",
    so="A density that changes little within a cell loses little by the noise.",
)

derivation.say(
    "A discrete model may also take its probabilities from a continuous distribution. The logistic one with mean $m$ and "
    r"scale $s$ has the distribution function $\sigma((x - m)/s)$. Pixels are at $2v/(L-1) - 1$, and the edges of their cells "
    "halfway between."
)
edges = [
    derivation.number(f"e_{k}", f"the edge between cell {k - 1} and cell {k}, less the mean, by the scale") for k in (1, 2, 3, 4)
]
sigma = [
    derivation.define(rf"\sigma_{k}", 1 / (1 + exp(-edge)), f"the logistic function at $e_{k}$", positive=True)
    for k, edge in enumerate(edges, 1)
]
derivation.chain(
    "The probabilities of five levels sum to one",
    plus(sigma[0], sigma[1] - sigma[0], sigma[2] - sigma[1], sigma[3] - sigma[2], 1 - sigma[3]),
    equals(1, "every edge but the two at infinity occurs twice, with opposite signs"),
    role="lemma",
)
b = derivation.number("b", "the upper edge of a cell, standardized")
delta = derivation.number(r"\delta", "the width of a cell by the scale", positive=True)
mass = derivation.define(
    "G", 1 / (1 + exp(-b)) - 1 / (1 + exp(delta - b)), "the probability of an inner cell", "exp(discretized_logistic_log_probs)"
)
derivation.chain(
    "A narrow cell has the density times its width",
    Limit(mass / delta, delta, 0),
    equals(
        exp(-b) / (1 + exp(-b)) ** 2,
        prose(
            "the derivative of the logistic function: {slope}",
            slope=holds(Slope(1 / (1 + exp(-b)), b), "=", exp(-b) / (1 + exp(-b)) ** 2),
        ),
    ),
    role="remark",
    so="Discrete and continuous logistic models agree where the levels are many.",
)

derivation.say(
    "A likelihood with an intractable sum $Z_2$ of $f_2$: go there in steps from $f_0$, whose sum "
    "is known. Draw $x$ from $f_0 / Z_0$; weigh it by $f_1(x) / f_0(x)$; move it by a kernel that leaves $f_1$ invariant; weigh "
    "the new state by $f_2 / f_1$. With the temperatures of the code, the step $t$ has $f_0^{1 - \\beta_t} f_T^{\\beta_t}$."
)
x = derivation.index("x", "a state")
z = derivation.index("z", "the state after the move")
f_0 = derivation.numbers("f_0({})", x, "what the states are drawn by", "exp(log_prior_path)", positive=True)
f_1 = derivation.numbers("f_1({})", x, "a step on the way", positive=True)
f_2 = derivation.numbers("f_2({})", x, "the target", "exp(log_target_path)", positive=True)
Z_0 = derivation.define("Z_0", Total(x, f_0), "the known sum", positive=True)
Z_1 = derivation.define("Z_1", Total(x, f_1), "the sum on the way", positive=True)
Z_2 = derivation.define("Z_2", Total(x, f_2), "the wanted sum", positive=True)
c = derivation.number("c", "the probability of a move", between=(0, 1))
kernel = derivation.define(
    "K({}|{})",
    (1 - c) * KroneckerDelta(x, z) + c * f_1.at(z) / Z_1,
    "the kernel: stay, or draw anew in proportion to $f_1$",
    over=(z, x),
)
invariant = derivation.chain(
    "The kernel leaves its distribution invariant",
    Total(x, f_1 * kernel),
    equals(plus((1 - c) * f_1.at(z), c * f_1.at(z)), prose("{sum} cancels", sum=holds(Total(x, f_1), "=", Z_1))),
    equals(f_1.at(z), "collect"),
    role="lemma",
)
mean_weight = derivation.chain(
    "The mean weight is the ratio of the sums",
    Total(x, Total(z, times(f_0 / Z_0, f_1 / f_0, kernel, f_2.at(z) / f_1.at(z)))),
    equals(times(1 / Z_0, Total(z, times(f_2.at(z) / f_1.at(z), Total(x, f_1 * kernel)))), "$f_0(x)$ cancels; exchange the sums"),
    equals(
        times(1 / Z_0, Total(z, times(f_2.at(z) / f_1.at(z), f_1.at(z)))),
        prose("the kernel leaves $f_1$ invariant: {invariant}", invariant=holds(Total(x, f_1 * kernel), "=", f_1.at(z))),
        wrong={"the target is drawn": times(1 / Z_0, Total(z, times(f_2.at(z) / f_1.at(z), f_2.at(z))))},
    ),
    equals(Z_2 / Z_0, "$f_1$ cancels, too", wrong={"the sum on the way": Z_1 / Z_0}),
    so="More steps repeat the second and the third line. The kernels need not come near their distribution: that matters for "
    "the scatter of the weights, not for their mean.",
)
forward = derivation.define("F({},{})", times(f_0 / Z_0, kernel), "the probability of the path", over=(x, z))
backward = derivation.define(
    "R({},{})",
    times(f_2.at(z) / Z_2, f_1 * kernel / f_1.at(z)),
    "... if it is walked back: from a sample of the target, by the reversed kernel",
    over=(x, z),
)
derivation.chain(
    "The weight of a path compares it with the path walked back",
    times(f_1 / f_0, f_2.at(z) / f_1.at(z)),
    equals(times(Z_2 / Z_0, backward / forward), "the kernel cancels, and so does $f_1$"),
    so="So all weights are equal if and only if both distributions of paths are one, and their scatter tells how far the "
    "steps are from that.",
    role="remark",
)
path = derivation.index("k", "a path of states")
of_path = derivation.law(r"\omega", path, "the distribution of the paths")
weight = derivation.numbers("w", path, "the weight of a path", "exp(annealed_log_weights)", positive=True)
M = derivation.define("M", Expectation(of_path, weight), "the mean weight, $Z_T / Z_0$", positive=True)
too_small = derivation.chain(
    "The mean logarithm of the weights is at most the logarithm of their mean",
    Expectation(of_path, log(weight)),
    at_most(
        log(M),
        prose("Jensen's inequality; equality if and only if all weights are equal, {equal}", equal=where(weight, weight.at(0))),
        adding=jensen.at(of_path, weight),
        wrong={"the mean doubled": log(2 * M)},
    ),
    so="So is the logarithm of a mean of a few weights, in expectation: the estimated likelihood errs downwards.",
    role="lemma",
)

derivation.say(
    r"A model that only gives samples $s_1, \dots, s_N$: put a Gaussian of width $h$ on each. Let the truth be standard "
    r"Gaussian, in $D$ dimensions, and the samples perfect. Averaged over the samples the estimate is a Gaussian of variance $1 "
    r"+ h^2$, so by Jensen's inequality it is in expectation below the truth by at least a divergence, $D$ times that of one "
    r"coordinate."
)
h = derivation.number("h", "the bandwidth", "bandwidth", positive=True)
g = derivation.number(r"\xi", "a coordinate of a point", real=True)
derivation.chain(
    "A wide window blurs: its estimate is low by a divergence in every dimension",
    Divergence(Normal(g, 0, 1), Normal(g, 0, 1 + h**2)),
    equals(
        plus(log(1 + h**2), -(h**2) / (1 + h**2)) / 2,
        prose(
            "half of: the log ratio of the variances, plus a ratio less 1, {ratio}",
            ratio=holds(plus(1 / (1 + h**2), -1), "=", -(h**2) / (1 + h**2)),
        ),
    ),
    equals(tangent.at(1 / (1 + h**2)) / 2, prose("the gap of the logarithm at {ratio}", ratio=1 / (1 + h**2))),
    at_least(0, "the logarithm is below its tangent", dropping=tangent.at(1 / (1 + h**2)) / 2),
    role="remark",
)
rho = derivation.number(r"\rho", "the mean squared distance of a point to the nearest sample", positive=True)
narrow = derivation.define(
    "B",
    D * log(2 * sympy.pi * h**2) / 2 + rho / (2 * h**2) - D * (log(2 * sympy.pi) + 1) / 2,
    r"$\mathbb{E} \log p$ less the mean logarithm of the largest window's density, which is at least that of a mean of windows",
)
derivation.chain(
    "A narrow window misses: its estimate is low without bound as the bandwidth falls",
    narrow,
    equals(plus(D * (log(h**2) - 1) / 2, rho / (2 * h**2)), "$\\log 2\\pi$ cancels"),
    so=r"It grows without bound as $h$ goes to 0. In many dimensions the nearest of $N$ samples is far, so a window that does "
    "not miss blurs.",
    role="remark",
)

derivation.answer = prose(
    "In bits per dimension, minus the logarithm to the base 2 of $P(v)$, divided by $D$. A density of scaled data must first "
    "be divided by $L^D$: its bits are {bits}. With uniform noise a continuous model never looks better than the discrete "
    "model that it implies, and that, in the mean over the data, never better than their entropy. Annealing estimates a "
    "likelihood that a model defines but cannot compute. A Parzen window does not: in many dimensions, with any number of "
    "samples that can be stored, every bandwidth is bad, as Gaussian data show.",
    bits=holds(-log(p_v) / (D * log(2)), "=", times(1 / log(2), plus(-log(p_x) / D, log(L))), named=True),
)
ell = derivation.number(r"\ell", "a log-likelihood, in nats", "log_prob")
derivation.bridge(
    "The code computes the bits of three dimensions with five levels",
    (-ell / 3 + log(5)) / log(2),
    bits_per_dimension,
    log_prob=[ell],
    dim=3,
    num_levels=5,
)
comparisons_with_the_code(derivation, g)


@derivation.exact(
    r"\mathbb{E}\left[\frac{w_k}{M}\right] = 1",
    because="All 27 paths of three steps on three states, with states drawn anew at every temperature.",
    outcomes=27,
    role="remark",
)
def every_path_of_three_states():
    prior, target = np.log([1.0, 2.0, 0.5]), np.log([4.0, 1.0, 0.25])
    beta = np.array([0.0, 0.2, 0.7, 1.0])
    states = np.array(list(product(range(3), repeat=3)))
    laws = np.exp((1 - beta[:3, None]) * prior + beta[:3, None] * target)
    chance = np.prod((laws / laws.sum(1, keepdims=True))[np.arange(3), states], axis=1)
    ratio = np.exp(prior).sum() / np.exp(target).sum()
    found = jnp.exp(annealed_log_weights(prior[states], target[states], beta)) * ratio
    late = jnp.exp(annealed_log_weights(prior[states[:, [1, 2, 2]]], target[states[:, [1, 2, 2]]], beta)) * ratio
    return Sides(left=chance @ np.asarray(found), right=1.0, wrong={"the state after the move": float(chance @ np.asarray(late))})


@derivation.example(
    r"One pixel of two levels, with the density $2x$ of the scaled data, so that $p_v(v + u)$ is $\frac{v + u}{2}$. Then "
    "annealing in one step, from $(1, 1, 1)$ to $(4, 1, 1)$."
)
def two_levels_and_three_states():
    place = sympy.Symbol("u", positive=True)
    for value_, said in ((0, "-1.6931"), (1, "-0.3069")):
        yield rf"\mathbb{{E}}_u \log p_v({value_} + u)", float(sympy.integrate(log((value_ + place) / 2), (place, 0, 1))), said
    yield r"\log P", jnp.log(jnp.array([1 / 4, 3 / 4])), "(-1.3863, -0.2877)"
    yield r"\text{bits}", bits_per_dimension(jnp.log(jnp.array([1 / 4, 3 / 4])), dim=1), "(2, 0.415)"
    log_weights = annealed_log_weights(jnp.zeros((3, 1)), jnp.log(jnp.array([[4.0], [1.0], [1.0]])), jnp.array([0.0, 1.0]))
    yield "w", jnp.exp(log_weights), "(4, 1, 1)"
    yield r"\mathbb{E} w = Z_T / Z_0", jnp.mean(jnp.exp(log_weights)), "2"
    yield r"\mathbb{E} \log w < \log 2", jnp.mean(log_weights), "0.4621"


@derivation.algorithm(
    "Bits per dimension, directly or by annealing",
    do(
        r"a density: $x \leftarrow (v + u) / L$ with uniform noise, and $\ell \leftarrow \log p_x$",
        uniform_dequantize,
        by=central,
    ),
    do(r"a model with an unknown sum: draw $x$ from $f_0 / Z_0$; for the temperatures $\beta_t$ from 0 to 1:"),
    do(
        r"$\log w \leftarrow \log w + (\beta_{t+1} - \beta_t) (\log f_T(x) - \log f_0(x))$",
        annealed_log_weights,
        by=mean_weight,
        indent=1,
    ),
    do(r"move $x$ by a kernel that leaves the step $t + 1$ invariant", by=invariant, indent=1),
    do(
        r"$\log Z_T \leftarrow$ the logarithm of the mean of $w$ over many runs, plus $\log Z_0$; it errs downwards", by=too_small
    ),
    do(r"$-\ell / (D \log 2)$, for scaled data plus $\log_2 L$", bits_per_dimension, by=scaled),
)
def two_runs_and_a_pixel():
    target, steps = np.log([4.0, 1.0, 1.0]), np.array([0.0, 0.5, 1.0])
    log_weights = annealed_log_weights(np.zeros((2, 2)), target[np.array([[0, 1], [0, 0]])], steps)
    yield (
        r"\text{the example, } \beta = (0, \tfrac12, 1), \text{ states } (1, 2) \text{ and } (1, 1): \quad \log w",
        log_weights,
        "(0.6931, 1.3863)",
    )
    yield r"\text{mean weight of both}", jnp.mean(jnp.exp(log_weights)), "3"
    x_ = uniform_dequantize(jnp.array([[1]]), jnp.array([[0.5]]), num_levels=2)
    yield r"\text{the pixel } v = 1, u = \tfrac12: \quad x", x_, "0.75"
    yield r"\text{bits of } p_x = 2x", bits_per_dimension(jnp.log(2 * x_[0]), dim=1, num_levels=2), "0.4150"


@derivation.figure(
    r"Left: a density over four cells (curve), the probabilities that it gives to the integers (upper lines) and what uniform "
    r"noise reports, $e^{\mathbb{E}_u \log p_v}$ (lower lines). Right: nats by which a Parzen window of 500 perfect samples in "
    r"32 dimensions is below the truth, against its bandwidth, and the two bounds. No bandwidth is good.",
    panels=2,
)
def noise_and_windows(cells, windows):
    draw_noise(cells)
    draw_windows(windows)
