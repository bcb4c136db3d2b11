"""Cascades: what it costs to generate a small image first, and why noise on it repairs its mistakes.

The lecture on the functions of theory_jax/diffusion/cascaded.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, eye, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.cascaded import conditioning_augmentation, haar_analysis, haar_synthesis, image_pyramid
from theory_jax.lectures.diffusion._cascade import draw_mismatch_and_densities, price_of_noise
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Cascades: a small image first, then its details",
    sources=(
        "Ho, Saharia, Chan, Fleet, Norouzi & Salimans 2022, Cascaded Diffusion Models for High Fidelity Image Generation",
        "Guth, Coste, De Bortoli & Mallat 2022, Wavelet Score-Based Generative Modeling",
        "Cover & Thomas 2006, Elements of Information Theory, ch. 2 (data processing)",
    ),
    question="A diffusion model of large images is slow and gets their composition wrong; a cascade that enlarges generated "
    "small images copies and magnifies their mistakes. Let a large image be generated as a small one and then its details. "
    "What does the change of basis cost, what does a mistake of the first stage do to the second, and why does noise on the "
    "small image repair it?",
    setting=(
        r"A block of four pixels has a low band $l$, half of their sum, and three details $d$, the horizontal, vertical and "
        r"diagonal difference (Haar).",
        r"The data have the distribution $p(l)\, p(d|l)$. A first stage draws $l$ from $q(l)$, a second one $d$ from $q(d|l)$. "
        "In the chains about distributions everything has finitely many values with positive probabilities; for densities "
        "sums become integrals.",
        r"Conditioning augmentation: the second stage is given $\tilde l = \sqrt a\, l + \sqrt{1 - a}\, z$ with standard "
        r"normal $z$, or, in general, a sample of any kernel $K(\tilde l | l)$. The distributions of $\tilde l$ are $\tilde p$ "
        r"for the data and $\tilde q$ for the first stage.",
        r"The second stage draws the whole image $x$, both $l$ and $d$, from $q(x | \tilde l)$. Or it draws the details only, "
        "and $l$ stays what the first stage drew.",
    ),
    limits=(
        "At which level the second stage's own error outweighs the gain: that is a matter of the network.",
        "Bounds for many stages. Blur in place of noise, as Ho et al. use at high resolutions.",
    ),
)

H = Matrix([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
pixels = [
    derivation.number(f"x_{{{place}}}", f"a pixel, row {place[0]} and column {place[1]}", f"x[{place[0]}, {place[1]}]")
    for place in ("00", "01", "10", "11")
]
block = Matrix(pixels)
bands = H * block


@derivation.symbolic(
    r"H H^\top = I, \quad \det H = 1",
    because=r"The rows of $H$ are the low band and the three differences. They have length 1 and are orthogonal.",
    role="lemma",
)
def orthonormal():
    return Sides(
        left=[*(H * H.T), H.det()],
        right=[*eye(4), 1],
        wrong={"a quarter for the half": [*(eye(4) / 4), Rational(1, 16)], "a reflection": [*eye(4), -1]},
    )


derivation.symbol("H", "the matrix of a block's bands")
derivation.symbol("I", "the identity")
derivation.symbol(r"\top", "the transpose")
derivation.chain(
    "The bands have the energy of the pixels",
    plus(bands[0] ** 2, bands[1] ** 2, bands[2] ** 2, bands[3] ** 2),
    equals(
        plus(pixels[0] ** 2, pixels[1] ** 2, pixels[2] ** 2, pixels[3] ** 2),
        "the square of each pixel comes four times, with a quarter; products of two pixels cancel",
        wrong={"the mean of the energies": plus(pixels[0] ** 2, pixels[1] ** 2, pixels[2] ** 2, pixels[3] ** 2) / 4},
    ),
    role="lemma",
    so=prose(
        "So $\\log p(x)$ is $\\log p(l, d)$, by the change of variables: no bits are lost or gained. White noise stays white, "
        "with variance 1 in every band, and the low band is twice the mean of the block, {low}. A constant image has four "
        "times the signal-to-noise ratio in the low band.",
        low=holds(bands[0], "=", times(2, plus(*pixels) / 4)),
    ),
)
derivation.bridge(
    "The code's low band",
    [[[[bands[0]]]]],
    lambda x: haar_analysis(x)[0],
    x=[[[pixels[:2], pixels[2:]]]],
    calls=(haar_analysis,),
    wrong={"the mean": [[[[bands[0] / 2]]]]},
)
derivation.bridge(
    "The code's details",
    [[[[[bands[1]]], [[bands[2]]], [[bands[3]]]]]],
    lambda x: haar_analysis(x)[1],
    x=[[[pixels[:2], pixels[2:]]]],
    calls=(haar_analysis,),
    wrong={"exchanged": [[[[[bands[2]]], [[bands[1]]], [[bands[3]]]]]]},
)
back = H.T * block
derivation.bridge(
    "The code's way back, of a low band and three details",
    [[[[back[0], back[1]], [back[2], back[3]]]]],
    haar_synthesis,
    low=[[[pixels[:1]]]],
    detail=[[[[[pixels[1]]], [[pixels[2]]], [[pixels[3]]]]]],
    wrong={"the block turned over": [[[[back[0], back[2]], [back[1], back[3]]]]]},
)
derivation.bridge(
    "The code's pyramid",
    [[[[bands[0] / 2]]]],
    lambda x: image_pyramid(x, num_levels=2)[0],
    x=[[[pixels[:2], pixels[2:]]]],
    calls=(image_pyramid,),
    wrong={"the low band": [[[[bands[0]]]]]},
)

l, d = derivation.index("l", "a low band", states=2), derivation.index("d", "details", states=2)  # noqa: E741
p_l, q_l = derivation.law("p({})", l, "the distribution of low bands"), derivation.law("q({})", l, "the first stage")
p_d, q_d = (derivation.law("p({}|{})", (d, l), "that of details"), derivation.law("q({}|{})", (d, l), "the second stage"))
apart = derivation.chain(
    "The stages' divergences add up",
    Expectation(p_l, Expectation(p_d, log(p_l * p_d / (q_l * q_d)))),
    equals(Expectation(p_l, Expectation(p_d, plus(log(p_l / q_l), log(p_d / q_d)))), "the logarithm of a product"),
    equals(
        plus(Divergence(p_l, q_l), Expectation(p_l, Divergence(p_d, q_d))),
        prose(
            "the first term does not contain $d$, and {one}; in the second, sum over $d$ first", one=holds(Total(d, p_d), "=", 1)
        ),
        wrong={
            "low bands of the first stage": plus(Divergence(p_l, q_l), Expectation(q_l, Divergence(p_d, q_d))),
            "the mean of both": (Divergence(p_l, q_l) + Expectation(p_l, Divergence(p_d, q_d))) / 2,
        },
    ),
    so=r"The first line is $\mathrm{KL}(p \,\|\, q)$ of whole images. Each term is the loss of one stage, the second one on true "
    "low bands. So the stages can be trained apart, and in this divergence nothing is lost.",
)
derivation.chain(
    "What samples show is an average over other low bands",
    Expectation(q_l, Expectation(q_d, log(q_l * q_d / (p_l * p_d)))),
    equals(
        plus(Divergence(q_l, p_l), Expectation(q_l, Divergence(q_d, p_d))),
        r"the same chain with $p$ and $q$ exchanged",
        wrong={"over true low bands": plus(Divergence(q_l, p_l), Expectation(p_l, Divergence(q_d, p_d)))},
    ),
    role="remark",
    uses=(apart,),
    so=r"Now the second stage is judged on low bands of the first, where it was perhaps never trained. That is the mismatch, and "
    "the training losses do not see it.",
)

t = derivation.index(r"\tilde l", "a noisy low band", states=2)
kernel = derivation.law("K({}|{})", (t, l), "noise: the distribution of the noisy low band", "conditioning_augmentation")
p_t = derivation.define(r"\tilde p({})", Total(l, p_l * kernel), "the distribution of noisy low bands", over=t, law=True)
q_t = derivation.define(r"\tilde q({})", Total(l, q_l * kernel), "... of those of the first stage", over=t, law=True)
p_lt = derivation.define("p({}|{})", p_l * kernel / p_t, "the low band, given the noisy one", over=(l, t), law=True)
q_lt = derivation.define("q({}|{})", q_l * kernel / q_t, "... of the first stage", over=(l, t), law=True)
contraction = derivation.chain(
    "Noise brings two distributions nearer",
    Divergence(p_l, q_l),
    equals(
        Expectation(p_l, Expectation(kernel, plus(log(p_l * kernel), -log(q_l * kernel)))),
        prose("$K$ cancels, and {one}", one=holds(Total(t, kernel), "=", 1)),
        wrong={"the first stage noised alone": Expectation(p_l, Expectation(kernel, log(p_l / (q_l * kernel))))},
    ),
    equals(
        plus(Divergence(p_t, q_t), Expectation(p_t, Divergence(p_lt, q_lt))),
        prose("both products in the other order: {other}; the chain of the stages", other=holds(p_l * kernel, "=", p_t * p_lt)),
        wrong={"over the first stage's": plus(Divergence(p_t, q_t), Expectation(q_t, Divergence(p_lt, q_lt)))},
    ),
    at_least(
        Divergence(p_t, q_t),
        prose("leave out a mean of divergences (Gibbs), zero for example where {exact}", exact=where(q_l, p_l)),
        dropping=Expectation(p_t, gibbs.at(p_lt, q_lt)),
    ),
    uses=(apart,),
    so="This holds for all distributions and all kernels (data processing). More noise is a further kernel, so the divergence "
    "never rises from level to level.",
)

x = derivation.index("x", "an image", states=2)
p_x = derivation.law("p({})", x, "the distribution of images")
of_image = derivation.law("K({}|{})", (t, x), "that of the noisy low band of an image")
q_in = derivation.law(r"\bar q({})", t, "any distribution of what the second stage is given")
q_x = derivation.law("q({}|{})", (x, t), "a second stage that draws the whole image")
p_in = derivation.define(r"\bar p({})", Total(x, p_x * of_image), "the true one of noisy low bands", over=t, law=True)
p_xt = derivation.define("p({}|{})", p_x * of_image / p_in, "the images of a noisy low band", over=(x, t), law=True)
sampled = derivation.define("q({})", Total(t, q_in * q_x), "the distribution of what is sampled", over=x, law=True)
q_tx = derivation.define("q({}|{})", q_in * q_x / sampled, "its noisy low band, given the image", over=(t, x), law=True)
whole = derivation.chain(
    "The error of a cascade that draws the whole image",
    plus(Divergence(p_in, q_in), Expectation(p_in, Divergence(p_xt, q_x))),
    equals(
        Expectation(p_x, Expectation(of_image, log(p_x * of_image / (q_in * q_x)))),
        r"the chain of the stages, read backward, with $\tilde l$ for $l$ and $x$ for $d$",
    ),
    equals(
        plus(Divergence(p_x, sampled), Expectation(p_x, Divergence(of_image, q_tx))),
        prose("both products in the other order, {other}", other=holds(q_in * q_x, "=", sampled * q_tx)),
        wrong={"the second term forgotten": Divergence(p_x, sampled)},
    ),
    at_least(
        Divergence(p_x, sampled),
        r"forget $\tilde l$: leave out a mean of divergences (Gibbs)",
        dropping=Expectation(p_x, gibbs.at(of_image, q_tx)),
    ),
    uses=(apart, contraction),
    central=True,
    so=r"The first term is the error of the first stage after the noise, at most its error without, and 0 for full noise. The "
    r"second is the error of the second stage on inputs of the kind that it was trained on. Augmentation in sampling alone "
    r"breaks this: a stage that never saw noise has a large second term.",
)
noisy = derivation.law(r"q({}|{})", (d, t), "a second stage that draws details only")
mixed = derivation.define("r({}|{})", Total(t, kernel * noisy), "the details that it gives a low band", over=(d, l), law=True)
details_only = derivation.chain(
    "Details only: the error of the first stage stays",
    Expectation(p_l, Expectation(p_d, log(p_l * p_d / (q_l * mixed)))),
    equals(
        plus(Divergence(p_l, q_l), Expectation(p_l, Divergence(p_d, mixed))),
        r"the chain of the stages, with $r(d|l)$ for $q(d|l)$",
        wrong={"after the noise": plus(Divergence(p_t, q_t), Expectation(p_l, Divergence(p_d, mixed)))},
    ),
    at_least(Divergence(p_l, q_l), "leave out a mean of divergences (Gibbs)", dropping=Expectation(p_l, gibbs.at(p_d, mixed))),
    uses=(apart,),
    so=r"The first stage's error is there at every level, and noise can only blur the details. So augmentation repairs nothing "
    "of it unless the low band is drawn again.",
)

derivation.say(
    r"How fast does the mismatch fall? Let $p$ and $q$ be normal, with means $m$ and $n$ and variances $s$ and $r$. Then the "
    r"noisy low bands have means $\sqrt a\, m$ and $\sqrt a\, n$ and the variances $V$ and $W$."
)
a = derivation.number("a", "what the noise leaves of the variance", "alpha_bar[level]", between=(0, 1))
m, n = derivation.number("m", "the mean of low bands"), derivation.number("n", "... of the first stage's")
s = derivation.number("s", "the variance of low bands", positive=True)
r = derivation.number("r", "... of the first stage's", positive=True)
u = derivation.number("u", "a noisy low band")
V = derivation.define("V", a * s + 1 - a, "the variance of noisy low bands", positive=True)
W = derivation.define("W", a * r + 1 - a, "... of the first stage's", positive=True)
mismatch = derivation.define(
    "D",
    times(Rational(1, 2), plus(log(W / V), (V + a * (m - n) ** 2) / W, -1)),
    r"the divergence $\mathrm{KL}(\tilde p \,\|\, \tilde q)$ of two normal distributions",
)
apart_scores = (-(u - sqrt(a) * m) / V + (u - sqrt(a) * n) / W) ** 2
derivation.chain(
    "The mismatch falls at the rate of the scores' distance",
    Slope(mismatch, a),
    equals(
        Expectation(Normal(u, sqrt(a) * m, V), apart_scores) / (2 * a),
        prose(
            "differentiate and collect, with {slope}; the bracket is the difference of the scores",
            slope=holds(Slope(V, a), "=", s - 1),
        ),
        wrong={
            "over the first stage's": Expectation(Normal(u, sqrt(a) * n, W), apart_scores) / (2 * a),
            "the factor": Expectation(Normal(u, sqrt(a) * m, V), apart_scores),
        },
    ),
    at_least(
        0,
        "a mean of squares, zero only where both scores agree everywhere",
        dropping=Expectation(Normal(u, sqrt(a) * m, V), apart_scores) / (2 * a),
    ),
    role="remark",
    uses=(contraction, gaussian_divergence),
)
derivation.chain(
    "With equal variances the mismatch is the distance of the means over the noisy variance",
    times(Rational(1, 2), plus((V + a * (m - n) ** 2) / V, -1)),
    equals(
        a * (m - n) ** 2 / (2 * (a * s + 1 - a)),
        prose("{none}; insert $V$", none=holds(log(W / V), "=", 0, when={r: s})),
        wrong={
            "the variance of the data": a * (m - n) ** 2 / (2 * s),
            "the root": sqrt(a) * (m - n) ** 2 / (2 * (a * s + 1 - a)),
        },
    ),
    role="remark",
    so=prose(
        "At {one} it is {share}, $a$ times the mismatch without noise; for a larger variance more than this share: wide "
        "distributions need more noise.",
        one=where(s, 1),
        share=holds(a * (m - n) ** 2 / (2 * (a * s + 1 - a)), "=", a * (m - n) ** 2 / 2, named=True),
    ),
)
first, second = derivation.number("y", "a pixel", "low_resolution"), derivation.number("z", "its noise", "noise")
derivation.bridge(
    "The code's noise, at the levels 1 and 0",
    [[sqrt(a) * first + sqrt(1 - a) * second], [first]],
    conditioning_augmentation,
    low_resolution=[[first], [first]],
    noise=[[second], [second]],
    level=np.array([1, 0]),
    alpha_bar=[1, a],
    wrong={"level 0 taken for 1": [[sqrt(a) * first + sqrt(1 - a) * second]] * 2},
)

price_of_noise(derivation, a)

derivation.answer = prose(
    "The basis costs nothing, and neither does training the stages apart: their divergences add up, {sum} for whole images. "
    "But samples feed the second stage with small images of $q$, on which it was perhaps never trained. Noise makes the "
    "divergence of $q$ smaller by {nearer}, whatever both are, and the divergence of the whole image is at most that of the "
    "noisy small images plus the second stage's own. This holds only if the second stage draws the low band again. Which "
    "level is best is measured: noise also hides what the small image knows.",
    sum=holds(
        Expectation(p_l, Expectation(p_d, log(p_l * p_d / (q_l * q_d)))),
        "=",
        plus(Divergence(p_l, q_l), Expectation(p_l, Divergence(p_d, q_d))),
        named=True,
    ),
    nearer=holds(plus(Divergence(p_l, q_l), -Divergence(p_t, q_t)), "=", Expectation(p_t, Divergence(p_lt, q_lt)), named=True),
)
_TRUE, _DRAWN = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.3, 0.2])


def _divergence(p, q):
    kept = p > 0
    return np.sum(p[kept] * np.log(p[kept] / q[kept]))


def _redraw(share):
    """A kernel that replaces the value by a uniform one with this probability, [noisy, true]."""
    return (1 - share) * np.eye(3) + share / 3


def _image_law(share):
    """The distribution of what an exact second stage draws, given noisy values of the first one."""
    joint = _redraw(share) * _TRUE
    return (joint / joint.sum(1, keepdims=True)).T @ (_redraw(share) @ _DRAWN)


_BLOCK = jnp.array([[[[5.0, 3.0], [1.0, 3.0]]]])


derivation.symbol(r"\eta", "here: the probability of a uniform value")


@derivation.example(
    r"The block $\begin{pmatrix} 5 & 3 \\ 1 & 3 \end{pmatrix}$ has the energy 44. Then three small images with the "
    r"probabilities $(\frac12, \frac12, 0)$, and a first stage with $(\frac12, \frac3{10}, \frac15)$, a fifth of which was "
    r"never seen in training. The kernel replaces a value by a uniform one with the probability $\eta$, and an exact second "
    "stage draws the small image again."
)
def a_block_and_three_images():
    low, detail = haar_analysis(_BLOCK)
    yield r"l", low, "6"
    for name, value, shown in zip(("horizontal", "vertical", "diagonal"), detail[0, 0, :, 0, 0], ("0", "2", "2"), strict=True):
        yield rf"\text{{{name} difference}}", value, shown
    yield r"l^2 + d^2", low[0, 0, 0, 0] ** 2 + jnp.sum(detail**2), "44"
    yield r"\mathrm{KL}(p \,\|\, q)", _divergence(_TRUE, _DRAWN), "0.2554"
    for share, noisy_, of_images in ((0.1, "0.1633", "0.0141"), (0.3, "0.0802", "0.0059"), (0.6, "0.0220", "0.0008")):
        kernel_ = _redraw(share)
        yield rf"\mathrm{{KL}}(\tilde p \,\|\, \tilde q),\ \eta = {share}", _divergence(kernel_ @ _TRUE, kernel_ @ _DRAWN), noisy_
        yield r"\text{of what is sampled, } \mathrm{KL}(q \,\|\, p)", _divergence(_image_law(share), _TRUE), of_images


@derivation.algorithm(
    "A cascade of two stages, with noise on the small image",
    do(r"training: take an image $x$, its small version $l$ and a level", haar_analysis, image_pyramid, by=orthonormal),
    do(r"$\tilde l \leftarrow \sqrt a\, l + \sqrt{1 - a}\, z$", conditioning_augmentation, by=contraction),
    do(r"train the first stage on $l$, and the second on $x$, given $\tilde l$ and the level", by=apart),
    do(r"sampling: $l$ from the first stage; add noise as above, at a level that is chosen by measuring", by=whole),
    do(
        r"$x$ from the second stage, given $\tilde l$; or its details alone, put together with $l$, which repairs nothing",
        haar_synthesis,
        by=details_only,
    ),
)
def a_block_and_back():
    low, detail_ = haar_analysis(_BLOCK)
    yield r"\text{the example's block: } (l, d)", jnp.append(low.ravel(), detail_.ravel()), "(6, 0, 2, 2)"
    small = image_pyramid(_BLOCK, num_levels=2)[0]
    yield r"\text{its mean}", small, "3"
    levels = jnp.array([1.0, 0.25])
    noisy_ = conditioning_augmentation(small, jnp.ones((1, 1, 1, 1)), np.array([1]), levels)
    yield r"\tilde l \text{ of the mean, } a = \tfrac14, z = 1", noisy_, "2.3660"
    yield r"\text{put together}", haar_synthesis(low, detail_).ravel(), "(5, 3, 1, 3)"
    yield r"\text{with the low band 8 of a first stage that errs}", haar_synthesis(low + 2, detail_).ravel(), "(6, 4, 2, 4)"


@derivation.figure(
    "Two first stages for low bands of mean 0 and variance 1: one of mean 1 (solid), one of variance 4 (dashed). Left: the "
    "mismatch falls with the noise, from right to left. Gray: what the noisy low band tells of a detail with the correlation "
    "0.8, in nats. Right: the densities of true low bands (gray) and of those of the first stage, before the noise and at the "
    r"level $\frac14$ (black).",
    panels=2,
)
def mismatch_and_densities(mismatches, densities):
    draw_mismatch_and_densities(mismatches, densities)
