"""Multi-scale flows: half of the variables leave early.

The lecture on the functions of theory_jax/flows/multiscale.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, log, pi

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, LogDensity, Normal, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.multiscale import split_prior_log_prob, split_prior_sample, squeeze, unsqueeze
from theory_jax.lectures.flows._multiscale import draw_pair
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Multi-scale flows: half of the variables leave early",
    sources=(
        "Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP",
        "Kingma & Dhariwal 2018, Glow: Generative flow with invertible 1x1 convolutions",
    ),
    question="A flow cannot throw dimensions away, so every layer of a deep one works on the whole image, which is slow. How "
    "does it nevertheless work at several resolutions, what is the likelihood when half of the variables leave early, and "
    "what does that save?",
    setting=(
        "A squeeze turns blocks of two by two pixels into channels. Then invertible layers $f_1$ map the image to $(a, b)$, "
        "two halves of the channels: $b$ leaves, and $a$ goes on through further layers $f_2$, which make it $z$.",
        r"What leaves is standardized given what stays: $\varepsilon$ is $(b - m(a)) e^{-\nu(a)/2}$ with any networks $m$ and "
        r"$\nu$; $z$ and $\varepsilon$ are independent standard normals.",
        "In the chains $a$ and $b$ are numbers. There are $L$ levels on $C$ channels and $N$ positions, and the last has no "
        "split.",
    ),
    limits=(
        "That the latents that leave early hold fine detail: a matter of training, not of the construction.",
        "The quality of samples.",
    ),
)


@derivation.figure(
    "Left: the 3072 numbers of a colored image of 32 by 32 pixels in a flow of three levels: half leave at the first, half of "
    "the rest at the second. Right: cost of the 1x1 convolutions by the number of levels, in units of $C^2 N$, with splits and "
    "without.",
    panels=2,
)
def where_they_leave(tree, cost):
    left, stays = [1536, 768, 768], 3072
    for level, leaves in enumerate(left, start=1):
        tree.barh(level, leaves, left=stays - leaves, label=f"leave at level {level}: {leaves}")
        tree.barh(level, stays - leaves, color="0.85")
        stays -= leaves
    tree.invert_yaxis()
    tree.set(xlabel="numbers", ylabel="level", yticks=[1, 2, 3])
    tree.legend(fontsize=7, loc="lower right")
    levels = np.arange(1, 6)
    cost.semilogy(levels, 4 * levels, "o-", label="with splits")
    cost.semilogy(levels, 4 * (4.0**levels - 1) / 3, "s--", label="without")
    cost.set(xlabel="levels $L$", ylabel="cost", xticks=levels)
    cost.legend()


a = derivation.number("a", "the half that stays")
b = derivation.number("b", "the half that leaves")
m = derivation.number("m", "the mean that a network gives for $b$", "mean_fn")
nu = derivation.number(r"\nu", "the log-variance that it gives", "log_var_fn")
eps = derivation.define(r"\varepsilon", (b - m) * exp(-nu / 2), "the standardized half")
leaving = derivation.chain(
    "The half that leaves is Gaussian given the half that stays",
    plus(LogDensity(eps, 0, 1), -nu / 2),
    equals(
        LogDensity(b, m, exp(nu)),
        r"given $a$ the map from $b$ to $\varepsilon$ is affine with the slope $e^{-\nu/2}$: change of variables",
        wrong={
            "the log-determinant twice": LogDensity(b, m, exp(nu)) - nu / 2,
            "the variance as a deviation": LogDensity(b, m, exp(2 * nu)),
            "none": LogDensity(b, m, 1),
        },
    ),
    role="lemma",
    so=prose(
        r"A split is an affine coupling layer with the log-scale $-\nu/2$ and the shift $-m e^{-\nu/2}$, after which $b$ is "
        "left alone: {coupling}.",
        coupling=holds(eps, "=", plus(times(b, exp(-nu / 2)), -times(m, exp(-nu / 2)))),
    ),
)
u = derivation.number("u", "a standard normal number", "noise")
sampling = derivation.chain(
    "The log-density of a sample is that of its noise less half the log-variance",
    LogDensity(m + exp(nu / 2) * u, m, exp(nu)),
    equals(
        plus(LogDensity(u, 0, 1), -nu / 2),
        prose("the standardized sample is its noise, {noise}", noise=holds(eps, "=", u, when={b: m + exp(nu / 2) * u})),
        wrong={"scaled by the variance": plus(LogDensity(u * exp(nu / 2), 0, 1), -nu / 2)},
    ),
    role="lemma",
    so="The order is coarse to fine: $a$ must be known first.",
)
slope = derivation.number("g", "the slope of $f_2$ at $a$", positive=True)
z = derivation.number("z", "what $f_2$ makes of $a$")
chain_rule = derivation.chain(
    "The log-likelihood is a chain rule",
    plus(LogDensity(z, 0, 1), LogDensity(eps, 0, 1), log(slope * exp(-nu / 2))),
    equals(
        plus(LogDensity(z, 0, 1), log(slope), plus(LogDensity(eps, 0, 1), -nu / 2)),
        r"the Jacobian of $(a, b) \mapsto (z, \varepsilon)$ is triangular: $z$ does not depend on $b$, and how $\varepsilon$ "
        r"depends on $a$ never counts",
    ),
    equals(
        plus(LogDensity(z, 0, 1), log(slope), LogDensity(b, m, exp(nu))),
        r"the lemma. The first two terms are $\log p(a)$, the last is $\log p(b|a)$",
        wrong={"the prior of the half that stays": plus(LogDensity(z, 0, 1), log(slope), LogDensity(a, m, exp(nu)))},
    ),
    central=True,
    so=r"The layers $f_1$ before the split add their log-determinant.",
)

i = derivation.index("i", "a value of the half that stays", states=2)
j = derivation.index("j", "a value of the half that leaves", states=2)
first = derivation.law("p({})", i, "the distribution of $a$, here of finitely many values")
second = derivation.law("p({}|{})", (j, i), "the distribution of $b$ given $a$")
i2 = derivation.index("i'", "a value of the half that stays", states=2)
alone = derivation.define("p({})", Total(i2, first.at(i2) * second.at(j, i2)), "the distribution of $b$ alone", over=j, law=True)
derivation.chain(
    "Knowing the half that stays gains the mutual information",
    Expectation(first, Expectation(second, plus(log(second), -log(alone)))),
    equals(
        Expectation(first, Divergence(second, alone)),
        "the inner mean is a divergence by definition; its mean is the mutual information $I(a; b)$",
    ),
    at_least(
        0,
        prose(
            "leave out divergences (Gibbs); equality if and only if $b$ does not depend on $a$, {same}",
            same=where(second, second.at(j, 0)),
        ),
        dropping=Expectation(first, gibbs.at(second, alone)),
    ),
    so="These are the true distributions; fitted ones differ by divergences of their own.",
)
rho = derivation.number(r"\rho", "a correlation", between=(0, 1))
gain = Expectation(Normal(a, 0, 1), Divergence(Normal(b, rho * a, 1 - rho**2), Normal(b, 0, 1)))
derivation.answer = prose(
    r"The chain rule of probability: $\log p(a, b)$ is $\log p(a)$ plus $\log p(b|a)$, without approximation; the last is "
    "Gaussian, {conditional}. Knowing $a$ gains the mutual information of both halves, {gain} for a normal pair with the "
    r"correlation $\rho$. All latents together are as many as pixels, and a 1x1 convolution costs the same at every level, "
    "in place of four times as much as at the level before.",
    conditional=holds(
        plus(LogDensity(eps, 0, 1), -nu / 2), "=", LogDensity(b, m, exp(nu)), wrong={"no scale": LogDensity(b, m, 1)}
    ),
    gain=holds(gain, "=", -log(1 - rho**2) / 2, named=True),
)
derivation.chain(
    "For a normal pair the mutual information is a function of the correlation",
    gain,
    equals(
        -log(1 - rho**2) / 2,
        prose(
            r"given $a$, $b$ has the mean $\rho a$ and the variance $1 - \rho^2$; {one}",
            one=holds(Expectation(Normal(a, 0, 1), a**2), "=", 1),
        ),
        wrong={"no half": -log(1 - rho**2), "the correlation itself": -log(1 - rho) / 2},
    ),
    role="remark",
)
derivation.figure(
    prose(
        "Left: normal pairs with the correlation 0.9. Given what stays, what leaves has the narrow Gaussian along the line "
        "(blue: one deviation), whose variance is {variance}; without it, the wide one (orange). Right: what this gains for "
        "each half, {gain}. Neighboring pixels are correlated, so a prior of the leaving half that ignores the other pays this.",
        variance=1 - rho**2,
        gain=holds(gain, "=", -log(1 - rho**2) / 2, named=True, wrong={"no half": -log(1 - rho**2)}),
    ),
    panels=2,
)(draw_pair)

L = derivation.number("L", "the number of levels", positive=True, integer=True)
C = derivation.number("C", "the channels of the image", positive=True)
N = derivation.number("N", "its positions", positive=True)
level = sympy.Symbol("l", integer=True, positive=True)
derivation.symbol("l", "a level, from the finest")
derivation.symbol("c, h, w", "a channel, a row and a column after the squeeze")


@derivation.symbolic(
    r"\sum_{l=1}^{L-1} \frac{C N}{2^l} + \frac{C N}{2^{L-1}} = C N, \quad \sum_{l=1}^{L} (2^{l+1} C)^2 \frac{N}{4^l} = 4 L C^2 "
    r"N, \quad \sum_{l=1}^{L} (4^l C)^2 \frac{N}{4^l} = \frac43 (4^L - 1) C^2 N",
    because="After its squeeze level $l$ has $2^{l+1} C$ channels on $N/4^l$ positions. No latent is lost. A 1x1 convolution "
    "costs the square of the channels times the positions: the same at every level with splits, four times more at each "
    "without.",
)
def sizes_and_costs():
    latents = sympy.summation(C * N / 2**level, (level, 1, L - 1)) + C * N / 2 ** (L - 1)
    split = sympy.summation((2 ** (level + 1) * C) ** 2 * N / 4**level, (level, 1, L))
    whole = sympy.summation((4**level * C) ** 2 * N / 4**level, (level, 1, L))
    right = [C * N, 4 * L * C**2 * N, Rational(4, 3) * (4**L - 1) * C**2 * N]
    return Sides(
        left=[latents, split, whole],
        right=right,
        wrong={"a level more": [C * N, 4 * (L + 1) * C**2 * N, right[2]], "half is lost": [C * N / 2, *right[1:]]},
    )


T = derivation.number("T", "a temperature", positive=True)
derivation.chain(
    "Noise of a lower temperature draws from a power of the density, if the scale is fixed",
    times(1 / T**2, LogDensity(b, m, exp(nu))),
    equals(
        plus(LogDensity(b, m, T**2 * exp(nu)), log(T), times(Rational(1, 2), 1 - 1 / T**2, plus(log(2 * pi), nu))),
        r"both sides are $-(b - m)^2 e^{-\nu} / 2T^2$ and terms without $b$",
        wrong={
            "the power turned around": plus(
                LogDensity(b, m, exp(nu) / T**2), log(T), times(Rational(1, 2), 1 - 1 / T**2, plus(log(2 * pi), nu))
            )
        },
    ),
    role="remark",
    so=r"The last term depends on $a$ through $\nu$: with a split prior, and with affine coupling, noise scaled by $T$ does "
    "not draw from the normalized $p^{1/T^2}$, which at a temperature below 1 gives more weight to $a$ with a small variance.",
)

derivation.bridge(
    "The code knows the log-density of the half that leaves, here with the mean $2a$ and the log-variance $a$",
    (None, LogDensity(b, 2 * a, exp(a))),
    split_prior_log_prob,
    x=[[a, b]],
    mean_fn=lambda kept: 2 * kept,
    log_var_fn=lambda kept: kept,
    wrong={"of the half that stays": (None, LogDensity(a, 2 * b, exp(b)))},
)
derivation.bridge(
    "... and draws it",
    sympy.Matrix([a, 2 * a + exp(a / 2) * u]),
    split_prior_sample,
    kept=[[a]],
    noise=[[u]],
    mean_fn=lambda kept: 2 * kept,
    log_var_fn=lambda kept: kept,
)


@derivation.exact(
    r"(c, 2h + i, 2w + j) \mapsto (4c + 2i + j, h, w)",
    because="Row, column and channel are divided by 2 with remainder, which is unique: the squeeze is a permutation of "
    "entries, with log-determinant 0 and no arithmetic. All entries of an image of 3 by 4 by 6, by the code, and back.",
    outcomes=72,
)
def a_permutation():
    image = np.arange(72.0).reshape(1, 3, 4, 6)
    wanted = np.empty((1, 12, 2, 3))
    other = np.empty((1, 12, 2, 3))
    for c, row, column in np.ndindex(3, 4, 6):
        (h, i), (w, j) = divmod(row, 2), divmod(column, 2)
        wanted[0, 4 * c + 2 * i + j, h, w] = image[0, c, row, column]
        other[0, (2 * i + j) * 3 + c, h, w] = image[0, c, row, column]
    squeezed = squeeze(image)
    found = np.concatenate([np.ravel(squeezed), np.ravel(unsqueeze(squeezed))])
    return Sides(left=found, right=np.append(wanted, image), wrong={"space to depth": np.append(other, image)})


_IMAGE = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])


def _same(kept):
    return kept


def _fourfold(kept):
    """The log-variances 2 log 2 and 0 of two channels."""
    return jnp.zeros_like(kept).at[:, 0].set(2 * math.log(2))


@derivation.algorithm(
    "The density of an image, and a sample",
    do(r"density: $x \leftarrow$ the image; for each level $l$ from 1 to $L$:"),
    do(r"squeeze $x$; $x \leftarrow$ the layers of the level, with their log-determinants", squeeze, indent=1),
    do(
        r"below $L$: split $x$ into $a, b$; add $\log \mathcal{N}(b; m(a), e^{\nu(a)})$; $x \leftarrow a$",
        split_prior_log_prob,
        by=leaving,
        indent=1,
    ),
    do(r"add $\log \mathcal{N}(x; 0, I)$", by=chain_rule),
    do(r"sample: $x \leftarrow$ normal noise; for each level from $L$ to 1:"),
    do(
        r"below $L$: $b \leftarrow m(x) + e^{\nu(x)/2} u$ with fresh noise $u$; join them",
        split_prior_sample,
        by=sampling,
        indent=1,
    ),
    do(r"$x \leftarrow$ the layers undone; unsqueeze $x$", unsqueeze, indent=1),
)
def two_levels():
    image = jnp.arange(1.0, 17.0).reshape(1, 1, 4, 4) / 10
    squeezed = squeeze(image)
    kept, log_prob = split_prior_log_prob(squeezed, _same, jnp.zeros_like)
    yield r"0.1, \dots, 1.6, \text{ no layers, } m(a) = a, \nu = 0: \quad a", kept[0, 0].ravel(), "(0.1, 0.3, 0.9, 1.1)"
    yield r"\log p(b|a) = -8 (0.4^2 / 2 + \log \sqrt{2 \pi})", log_prob, "-7.9915"
    last = squeeze(kept)
    yield r"\text{second level: channels}", last.ravel(), "(0.1, 0.3, 0.9, 1.1, 0.2, 0.4, 1.0, 1.2)"
    joined = split_prior_sample(unsqueeze(last), (squeezed[:, 2:] - kept), _same, jnp.zeros_like)
    yield r"\text{back, with } u = 0.4: \text{ first row}", unsqueeze(joined)[0, 0, 0], "(0.1, 0.2, 0.3, 0.4)"


@derivation.example(
    r"The image $\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$; the mean of what leaves is what stays, its log-variances are "
    r"$2 \log 2$ and 0."
)
def two_by_two():
    squeezed = squeeze(_IMAGE)
    kept, log_prob = split_prior_log_prob(squeezed, _same, _fourfold)
    yield r"\text{channels}", squeezed.ravel(), "(1, 2, 3, 4)"
    yield "a", kept.ravel(), "(1, 2)"
    yield r"\varepsilon = ((3 - 1)/2, (4 - 2)/1)", (squeezed[0, 2:, 0, 0] - kept[0, :, 0, 0]) / np.array([2.0, 1.0]), "(1, 2)"
    yield r"\log p(b|a) = -\tfrac52 - \log 2\pi - \log 2", log_prob, "-5.0310"
    drawn = split_prior_sample(kept, np.array([1.0, 2.0]).reshape(1, 2, 1, 1), _same, _fourfold)
    yield r"\text{drawn from } \varepsilon", drawn.ravel(), "(1, 2, 3, 4)"
