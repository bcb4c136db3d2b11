"""Dequantization: what a density says of integers.

The lecture on the functions of theory_jax/flows/dequantization.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.flows.dequantization import bits_per_dimension, logit_forward, logit_inverse, quantize, uniform_dequantize
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Dequantization: what a density says of integers",
    sources=(
        "Theis, van den Oord & Bethge 2016, A note on the evaluation of generative models",
        "Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP",
        "Ho, Chen, Srinivas, Duan & Abbeel 2019, Flow++ (variational dequantization)",
    ),
    question="Images are integers, and flows give densities. A density trained on integers can grow without bound on them and "
    "learn nothing else, and its value is not the probability of an image. How does a density yield the probability of an "
    "integer image, why is noise added to it, and what are bits per dimension?",
    setting=(
        r"$x$ holds $D$ integers $0, \dots, K-1$; $u$ is uniform on $[0,1)^D$, and $y = (x + u)/K$. The model is a density $p$ "
        r"on $[0,1)^D$. It gives $x$ the probability $P(x) = \int p$ over the cell of $x$, a cube of side $1/K$.",
        "In the derivation $D = 1$, and the density is constant on each third of a cell: any three positive numbers. Nothing "
        "depends on how many parts a cell has. Expectations are finite.",
    ),
    limits=("How much a learned noise helps a real flow.", "That fewer bits make better pictures: they need not."),
    trained="A step between whole numbers and densities. The flows that are trained on images take it.",
)

derivation.say(
    "Without noise a density can pile up on the integers. Put a Gaussian of width $s$ around each, weighted by its share of the "
    r"data. The height of such a Gaussian is its weight over $s \sqrt{2\pi}$."
)
own = derivation.number("G", "the height of the integer's own Gaussian", positive=True)
others = derivation.number("R", "what the Gaussians around the other integers add", positive=True)
derivation.chain(
    "Without noise the likelihood has no maximum",
    log(own + others),
    equals(
        plus(log(own), log(1 + others / own)),
        "take the own component out",
        wrong={"the components multiplied": plus(log(own), log(others))},
    ),
    at_least(
        log(own),
        prose("leave out the logarithm of {above}", above=holds(1 + others / own, ">", 1)),
        dropping=log(1 + others / own),
    ),
    role="lemma",
    so="The height $G$ grows without bound as the width goes to 0, and with it the likelihood, which means nothing then.",
)

K = derivation.number("K", "the number of levels", "num_levels", positive=True)
i = derivation.index("i", "a third of the cell of $x$", states=3)
j = derivation.index("j", "another third", states=3)
p = derivation.numbers("p", i, "the density on it", "exp(log_prob)", positive=True)
uniform = derivation.define(
    r"\upsilon", Rational(1, 3), "the distribution of the noise, uniform over the thirds", over=i, law=True
)
cell = derivation.define("P(x)", Total(i, p) / (3 * K), "the probability of $x$", positive=True)
within = derivation.define("r", p / Total(j, p.at(j)), "the model's distribution within the cell", over=i, law=True)
bound = plus(Expectation(uniform, log(p)), -log(K))
derivation.answer = prose(
    r"The mean of $\log p(y)$ over the noise, less $\log K$, is at most $\log P(x)$, and falls short of it by the divergence "
    r"of uniform noise from the model's own distribution within the cell: {gap}. For $D$ integers $D \log K$ is taken off. "
    r"Divided by $-D \log 2$ it is an upper bound of the bits per dimension, comparable with the cost of any model of the "
    "integers. Without noise the likelihood of a density on integers has no maximum.",
    gap=holds(
        log(cell), "=", plus(bound, Divergence(uniform, within)), wrong={"turned over": bound + Divergence(within, uniform)}
    ),
)
central = derivation.chain(
    "The mean log-density of a noisy integer is a bound",
    log(cell),
    equals(
        Expectation(uniform, plus(log(p), -log(K), -log(within / uniform))),
        prose(
            "in every third {third}; then average, since the left side is a constant",
            third=holds(p / K, "=", times(cell, within / uniform)),
        ),
    ),
    equals(
        plus(Expectation(uniform, log(p)), -log(K), Divergence(uniform, within)),
        "the expectation of a sum; the last term is a divergence by definition",
    ),
    at_least(
        bound,
        prose(
            "leave out the divergence (Gibbs); equality if and only if the density is constant on the cell, {same}",
            same=where(p, p.at(0)),
        ),
        dropping=gibbs.at(uniform, within),
    ),
    central=True,
    so=r"In $D$ dimensions the cell has the volume $K^{-D}$, and $\log K$ becomes $D \log K$. No probability $P(x)$ is above 1, "
    "so the mean of the bound over the data cannot exceed 0.",
)
x = derivation.index("x", "an integer", states=2)
data = derivation.law("P_d({})", x, "its probability under the data")
model = derivation.law("P({})", x, "... under the model")
inside = derivation.law("r({}|{})", (i, x), "the model's distribution within the cell of $x$")
derivation.chain(
    "Training minimizes two divergences",
    Expectation(data, Expectation(uniform, log((data * uniform) / (model * inside)))),
    equals(
        plus(Divergence(data, model), Expectation(data, Divergence(uniform, inside))),
        "the left side is the divergence of noisy data from the model; the logarithm of a product",
        wrong={"averaged under the model": plus(Divergence(data, model), Expectation(model, Divergence(uniform, inside)))},
    ),
    so="The first is what is wanted. The second is zero only if the density is constant on every cell, with its steps at the "
    "edges, which a smooth flow cannot have unless it is uniform.",
)
rho = derivation.law(r"\rho", i, "any distribution of the noise within the cell")
derivation.chain(
    "Other noise gives other bounds",
    log(cell),
    equals(
        plus(Expectation(rho, plus(log(p), -log(rho / uniform))), -log(K), Divergence(rho, within)),
        prose(
            r"average {every} under $\rho$; add and subtract $\log \rho_i$",
            every=holds(log(cell), "=", plus(log(p), -log(K), -log(within / uniform))),
        ),
    ),
    at_least(
        plus(Expectation(rho, plus(log(p), -log(rho / uniform))), -log(K)),
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(rho, within)),
        dropping=gibbs.at(rho, within),
    ),
    so="Noise that a network draws given $x$ can make the bound tight. The density of that noise must then be paid for.",
)
w1 = derivation.number("w_1", "the density of a noisy integer over that of its noise, at one sample of the noise", positive=True)
w2 = derivation.number("w_2", "the same at a second sample", positive=True)
derivation.chain(
    "Two samples of the noise are better than one",
    plus(((w1 + w2) / 2) ** 2, -w1 * w2),
    equals((w1 - w2) ** 2 / 4, "expand the square"),
    at_least(0, prose("leave out the square; equality if and only if {same}", same=where(w1, w2)), dropping=(w1 - w2) ** 2 / 4),
    role="remark",
    so=prose(
        "So {halves}, while the mean of the $w$ is still $K P(x)$: by Jensen's inequality the new bound, on average, is "
        "between the old one and the truth.",
        halves=holds(
            log(times(Rational(1, 2), plus(w1, w2))),
            ">=",
            plus(log(w1) / 2, log(w2) / 2),
            wrong={"of the sum": plus(log(w1) / 2, log(w2) / 2, log(2))},
        ),
    ),
)

D = derivation.number("D", "the number of integers", "dim", positive=True)
log_p = derivation.number(r"\log p(y)", "the log-density of noisy integers", "log_prob")
bits = times(plus(log(K), -log_p / D), 1 / log(2))
derivation.say(
    prose(
        "Units. A density of $Ky$, with cells of volume 1, is smaller than that of $y$ by the factor $K^D$: its logarithm, "
        "{shifted}, can be compared with a log-probability. Per dimension and in bits it costs {bits}, which is {same}.",
        shifted=plus(log_p, -D * log(K)),
        bits=means("b", bits),
        same=holds(bits, "=", -plus(log_p, -D * log(K)) / (D * log(2)), named=True, wrong={"no levels": -log_p / (D * log(2))}),
    )
)
y = derivation.number("y", "a noisy pixel", "y", between=(0, 1))
alpha = derivation.number(r"\alpha", "how far the logits keep from 0 and 1", "alpha", between=(0, 1))
pressed = alpha / 2 + (1 - alpha) * y
w = derivation.define("w", pressed, "the pixel, pressed away from both ends", positive=True)
derivation.say(
    prose(
        r"A flow of the whole line needs pixels on the whole line: {logit}, where $\alpha$ keeps 0 and 1 at finite positions.",
        logit=means("z", plus(log(w), -log(1 - w))),
    )
)
stretched = derivation.chain(
    "The logit stretches most near the ends",
    Slope(log(pressed) - log(1 - pressed), y),
    equals(
        (1 - alpha) / (w * (1 - w)),
        prose(
            "the chain rule, {logit} and {press}",
            logit=holds(Slope(log(w) - log(1 - w), y), "=", times(1 / (w * (1 - w)), Slope(w, y))),
            press=holds(Slope(w, y), "=", 1 - alpha, wrong={"stretched": 1 + alpha}),
        ),
    ),
    role="lemma",
)
z = derivation.number("z", "a logit", "z")
sigma = derivation.define(r"\sigma(z)", 1 / (1 + exp(-z)), "the logistic function", positive=True)
minus = derivation.define(r"\sigma(-z)", 1 / (1 + exp(z)), "one minus it", positive=True)
found = (1 / (1 + exp(-z)) - alpha / 2) / (1 - alpha)
back = derivation.chain(
    "The way back stretches least where the logit stretches most",
    Slope(found, z),
    equals(
        times(sigma, minus) / (1 - alpha),
        prose(
            r"{pressed} solved for $y$; the logistic function has the slope {slope}",
            pressed=holds(w, "=", sigma, when={y: found}),
            slope=holds(Slope(sigma, z), "=", times(sigma, minus), named=True, wrong={"one factor": sigma}),
        ),
    ),
    role="lemma",
    so=prose(
        "At this $y$ the two slopes are reciprocal, {one}, and the log-determinants opposite.",
        one=holds(times((1 - alpha) / (w * (1 - w)), times(sigma, minus) / (1 - alpha)), "=", 1, when={y: found}),
    ),
)
last = derivation.define("z_1", log((1 - alpha / 2) / (alpha / 2)), "the logit of $y = 1$")
derivation.chain(
    "A base on the whole line spends mass outside the cube",
    1 / (1 + exp(-last)) - 1 / (1 + exp(last)),
    equals(
        1 - alpha,
        prose(
            "under a logistic base, between the logits of 0 and of 1: {upper} is below the second, {lower} below the first",
            upper=holds(1 / (1 + exp(-last)), "=", 1 - alpha / 2),
            lower=holds(1 / (1 + exp(last)), "=", alpha / 2),
        ),
        wrong={"one end": 1 - alpha / 2},
    ),
    role="remark",
    so="So the density on the cube has mass below 1, and the bits are a little too many. The bound still holds.",
)

derivation.bridge(
    "The code stretches a pixel",
    (log(w) - log(1 - w), log((1 - alpha) / (w * (1 - w)))),
    logit_forward,
    y=[[y]],
    alpha=alpha,
    wrong={"no press": (log(y) - log(1 - y), -log(y) - log(1 - y))},
)
derivation.bridge(
    "... presses a logit back",
    ((sigma - alpha / 2) / (1 - alpha), log(sigma * minus / (1 - alpha))),
    logit_inverse,
    z=[[z]],
    alpha=alpha,
    wrong={"not pressed": (sigma, log(sigma * minus))},
)
noise = derivation.number("u", "a uniform number", "u", between=(0, 1))
derivation.bridge(
    "... spreads the integer 3 of 5 levels over its cell",
    (3 + noise) / 5,
    uniform_dequantize,
    x=[3],
    u=[noise],
    num_levels=5,
    wrong={"divided by the largest level": (3 + noise) / 4, "around the integer": (Rational(5, 2) + noise) / 5},
)
derivation.bridge(
    "... and counts bits per dimension, of 3 integers of 5 levels",
    -(log_p - 3 * log(5)) / (3 * log(2)),
    bits_per_dimension,
    log_prob=[log_p],
    dim=3,
    num_levels=5,
    wrong={"multiplied by log 2": -(log_p - 3 * log(5)) / 3 * log(2)},
)


def _in_cell(levels, parts=400):
    """The density 12 y (1 - y)^2 at the middles of `parts` pieces of each cell: [levels, parts]."""
    at = (np.arange(levels)[:, None] + (np.arange(parts) + 0.5) / parts) / levels
    return at, 12 * at * (1 - at) ** 2


derivation.symbol("b", "bits per dimension", "bits_per_dimension")


@derivation.exact(
    r"b = \log_2 K \text{ where } p = 1",
    because="The uniform model spends the same on every integer. For 2, 17 and 256 levels, by the code.",
    outcomes=3,
    role="remark",
)
def the_uniform_model():
    found = [float(bits_per_dimension(jnp.zeros(1), dim=64, num_levels=levels)[0]) for levels in (2, 17, 256)]
    return Sides(left=found, right=np.log2([2, 17, 256]), wrong={"nats": np.log([2, 17, 256]), "no levels": np.zeros(3)})


@derivation.exact(
    r"\lfloor K y \rfloor = x",
    because="In real numbers always. In floating point the plain sum $x + u$ rounds up to $x + 1$ for the largest $u$ below 1, "
    "and 22 times the rounded quotient of a level and 22 falls below the level once. The code compares with the edges of the "
    "cells as they are rounded. Every level of 2 to 64 levels, with the smallest and the largest $u$.",
    outcomes=2 * sum(range(2, 65)),
    role="appendix",
)
def there_and_back():
    ends, wrong, found, wanted = np.array([0.0, 1 - 2.0**-53]), [], [], []
    for levels in range(2, 65):
        x, u = (a.ravel() for a in np.meshgrid(np.arange(levels), ends))
        found.append(quantize(uniform_dequantize(x, u, num_levels=levels), num_levels=levels))
        wanted.append(x)
        wrong.append(np.floor(levels * ((x + u) / levels)))
    return Sides(left=np.concatenate(wanted), right=np.concatenate(found), wrong={"the plain formula": np.concatenate(wrong)})


@derivation.algorithm(
    "Bits per dimension of a flow, and an integer from it",
    do("draw $u$ uniform on $[0, 1)^D$", by=central),
    do(r"$y \leftarrow (x + u) / K$", uniform_dequantize, by=central),
    do(r"$z \leftarrow \log w - \log(1 - w)$, with the sum $\ell$ of the logarithms of its slopes", logit_forward, by=stretched),
    do(r"$\log p(y) \leftarrow \log p_Z(z) + \ell$, where the flow gives the density $p_Z$"),
    do(r"$b \leftarrow (\log K - \log p(y) / D) / \log 2$; in training descend it", bits_per_dimension, by=central),
    do("to generate, draw $z$ from the flow"),
    do(r"$y \leftarrow (\sigma(z) - \alpha / 2) / (1 - \alpha)$", logit_inverse, by=back),
    do(r"$x \leftarrow \lfloor K y \rfloor$", quantize),
)
def one_pixel():
    y = uniform_dequantize(np.array([[3]]), np.array([[0.5]]), num_levels=5)
    z, stretch = logit_forward(y, alpha=0.1)
    density = -z[:, 0] - 2 * jnp.log1p(jnp.exp(-z[:, 0])) + stretch
    yield r"x = 3, K = 5, u = \tfrac12: \quad y", y, "0.7"
    yield r"z \text{ at } \alpha = 0.1, \quad \ell", (z[0, 0], stretch[0]), "(0.7538, 1.4197)"
    yield r"\log p(y) \text{ of a logistic base}", density, "-0.1054"
    yield r"b", bits_per_dimension(density, dim=1, num_levels=5), "2.474"
    returned = logit_inverse(z, alpha=0.1)[0]
    yield r"\text{back: } y", returned, "0.7"
    yield r"\lfloor K y \rfloor", quantize(returned, num_levels=5), "3"


@derivation.example(
    prose(
        "Two levels, and the density {density}: the probability of 0 is {zero}, that of 1 is {one}.",
        density=means("p(y)", 2 * y),
        zero=holds(Integral(2 * y, (y, 0, Rational(1, 2))), "=", Rational(1, 4)),
        one=holds(Integral(2 * y, (y, Rational(1, 2), 1)), "=", Rational(3, 4)),
    )
)
def two_levels():
    middle = (np.arange(20000) + 0.5) / 20000
    bounds = [
        float(np.mean(np.log(2 * uniform_dequantize(np.full(20000, level), middle, num_levels=2)))) - math.log(2)
        for level in (0, 1)
    ]
    yield r"x = 0: \quad \mathbb{E}[\log u] - \log 2", bounds[0], "-1.6931"
    yield r"\log \tfrac14", value(log(Rational(1, 4)), {}), "-1.3863"
    yield r"x = 1: \quad \mathbb{E}[\log(1 + u)] - \log 2", bounds[1], "-0.3069"
    yield r"\log \tfrac34", value(log(Rational(3, 4)), {}), "-0.2877"
    yield r"\text{bits}", -(bounds[0] / 4 + bounds[1] * 3 / 4) / math.log(2), "0.9427"
    yield r"\text{entropy, in bits}", -(math.log(0.25) / 4 + math.log(0.75) * 3 / 4) / math.log(2), "0.8113"


@derivation.figure(
    "Left: a density (line) and $K$ times the probabilities of its cells, for 4 and for 16 levels. Right: by how many nats the "
    "bound falls short of $\\log P(x)$ in each of the 16 cells: most where the density changes by the largest factor.",
    panels=2,
)
def stairs_and_gaps(stairs, gaps):
    fine, density = _in_cell(1)
    stairs.plot(fine[0], density[0], color="gray", label="$p(y)$")
    for levels in (4, 16):
        _, values = _in_cell(levels)
        stairs.stairs(values.mean(1), np.linspace(0, 1, levels + 1), label=f"$K P(x)$, $K = {levels}$")
    gaps.bar(np.arange(16), np.log(values.mean(1)) - np.log(values).mean(1))
    stairs.set(xlabel="$y$", ylabel="density")
    stairs.legend()
    gaps.set(xlabel="$x$", ylabel="gap in nats", yscale="log")
