"""Cascades: what it costs to generate a small image first, and why noise on it repairs its mistakes.

The lecture on the functions of theory_jax/diffusion/cascaded.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, eye, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, plus, times
from theory_jax.diffusion.cascaded import conditioning_augmentation, haar_analysis, haar_synthesis, image_pyramid
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
    question="A large image is generated as a small one and then its details. What does the change of basis cost, what does a "
    "mistake of the first stage do to the second, and why does noise on the small image repair it?",
    setting=(
        r"A block of four pixels has a low band $l$, half of their sum, and three details $d$, the horizontal, vertical and "
        r"diagonal difference (Haar).",
        r"The data have the law $p(l)\, p(d|l)$. A first stage draws $l$ from $q(l)$, a second one $d$ from $q(d|l)$. In the "
        "chains about laws everything has finitely many values with positive probabilities; for densities sums become integrals.",
        r"Conditioning augmentation: the second stage is given $\tilde l = \sqrt a\, l + \sqrt{1 - a}\, z$ with standard normal "
        r"$z$, or, in general, a draw from any kernel $K(\tilde l | l)$. The laws of $\tilde l$ are $\tilde p$ for the data and "
        r"$\tilde q$ for the first stage.",
        r"The second stage draws the whole image $x = (l, d)$ from $q(x | \tilde l)$. Or it draws the details only, and $l$ "
        "stays what the first stage drew.",
    ),
    answer=r"The basis costs nothing, and neither does training the stages apart: their divergences add up. But samples feed the "
    r"second stage with small images of $q$, on which it was perhaps never trained. Noise brings $q$ nearer to $p$, whatever "
    r"both are, and the divergence of the whole image is at most that of the noisy small images plus the second stage's own. "
    "This holds only if the second stage draws the low band again. Which level is best is measured: noise also hides what the "
    "small image knows.",
    limits=(
        "At which level the second stage's own error outweighs the gain: that is a matter of the network.",
        "Bounds for many stages. Blur in place of noise, as Ho et al. use at high resolutions.",
    ),
)

# ---------------------------------------------------------------------------------------------------- the basis

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
        r"$x^\top H^\top H x = x^\top x$: products of two pixels cancel",
        wrong={"the mean of the energies": plus(pixels[0] ** 2, pixels[1] ** 2, pixels[2] ** 2, pixels[3] ** 2) / 4},
    ),
    so=r"So $\log p(x) = \log p(l, d)$, by the change of variables: no bits are lost or gained. White noise stays white, with "
    r"variance 1 in every band, and $l$ is twice the mean of the block. A constant image has four times the signal-to-noise "
    "ratio in the low band.",
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

# ---------------------------------------------------------------------------------------------------- two stages

l, d = derivation.index("l", "a low band", states=2), derivation.index("d", "details", states=2)  # noqa: E741
p_l, q_l = derivation.law("p({})", l, "the law of low bands"), derivation.law("q({})", l, "the first stage")
p_d, q_d = (derivation.law("p({}|{})", (d, l), "the law of details"), derivation.law("q({}|{})", (d, l), "the second stage"))
apart = derivation.chain(
    "The stages' divergences add up",
    Expectation(p_l, Expectation(p_d, log(p_l * p_d / (q_l * q_d)))),
    equals(Expectation(p_l, Expectation(p_d, plus(log(p_l / q_l), log(p_d / q_d)))), "the logarithm of a product"),
    equals(
        plus(Divergence(p_l, q_l), Expectation(p_l, Divergence(p_d, q_d))),
        r"the first term does not contain $d$; in the second, sum over $d$ first",
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
    uses=(apart,),
    so=r"Now the second stage is judged on low bands of the first, where it was perhaps never trained. That is the mismatch, and "
    "the training losses do not see it.",
)

# ---------------------------------------------------------------------------------------------------- noise

t = derivation.index(r"\tilde l", "a noisy low band", states=2)
kernel = derivation.law("K({}|{})", (t, l), "noise: the law of the noisy low band", "conditioning_augmentation")
p_t = derivation.define(r"\tilde p({})", Total(l, p_l * kernel), "the law of noisy low bands", over=t, law=True)
q_t = derivation.define(r"\tilde q({})", Total(l, q_l * kernel), "... of those of the first stage", over=t, law=True)
p_lt = derivation.define("p({}|{})", p_l * kernel / p_t, "the low band, given the noisy one", over=(l, t), law=True)
q_lt = derivation.define("q({}|{})", q_l * kernel / q_t, "... of the first stage", over=(l, t), law=True)
contraction = derivation.chain(
    "Noise brings two laws nearer",
    Divergence(p_l, q_l),
    equals(
        Expectation(p_l, Expectation(kernel, plus(log(p_l * kernel), -log(q_l * kernel)))),
        r"$K$ cancels, and sums to one",
        wrong={"the first stage noised alone": Expectation(p_l, Expectation(kernel, log(p_l / (q_l * kernel))))},
    ),
    equals(
        plus(Divergence(p_t, q_t), Expectation(p_t, Divergence(p_lt, q_lt))),
        r"both products in the other order: $p(l)\, K(\tilde l | l) = \tilde p(\tilde l)\, p(l | \tilde l)$; the chain of the "
        "stages",
        wrong={"over the first stage's": plus(Divergence(p_t, q_t), Expectation(q_t, Divergence(p_lt, q_lt)))},
    ),
    at_least(Divergence(p_t, q_t), "leave out a mean of divergences (Gibbs)", dropping=Expectation(p_t, gibbs.at(p_lt, q_lt))),
    uses=(apart,),
    so=r"This holds for all laws and all kernels (data processing). More noise is a further kernel, so the divergence falls from "
    "level to level.",
)

# ---------------------------------------------------------------------------------------------------- what reaches the image

x = derivation.index("x", "an image", states=2)
p_x = derivation.law("p({})", x, "the law of images")
of_image = derivation.law("K({}|{})", (t, x), "the law of the noisy low band of an image")
q_in = derivation.law(r"\bar q({})", t, "any law of what the second stage is given")
q_x = derivation.law("q({}|{})", (x, t), "a second stage that draws the whole image")
p_in = derivation.define(r"\bar p({})", Total(x, p_x * of_image), "the true law of noisy low bands", over=t, law=True)
p_xt = derivation.define("p({}|{})", p_x * of_image / p_in, "the images of a noisy low band", over=(x, t), law=True)
sampled = derivation.define("q({})", Total(t, q_in * q_x), "the law of what is sampled", over=x, law=True)
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
        "both products in the other order",
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
derivation.chain(
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
    "unless the low band is drawn again.",
)

# ---------------------------------------------------------------------------------------------------- Gaussians

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
    r"the divergence $\mathrm{KL}(\tilde p \,\|\, \tilde q)$ of two normal laws",
)
apart_scores = (-(u - sqrt(a) * m) / V + (u - sqrt(a) * n) / W) ** 2
derivation.chain(
    "The mismatch falls at the rate of the scores' distance",
    Slope(mismatch, a),
    equals(
        Expectation(Normal(u, sqrt(a) * m, V), apart_scores) / (2 * a),
        r"differentiate and collect; the bracket is the difference of the scores",
        wrong={
            "over the first stage's": Expectation(Normal(u, sqrt(a) * n, W), apart_scores) / (2 * a),
            "the factor": Expectation(Normal(u, sqrt(a) * m, V), apart_scores),
        },
    ),
    at_least(0, "a mean of squares", dropping=Expectation(Normal(u, sqrt(a) * m, V), apart_scores) / (2 * a)),
    uses=(contraction, gaussian_divergence),
)
derivation.chain(
    "Equal variances",
    times(Rational(1, 2), plus((V + a * (m - n) ** 2) / V, -1)),
    equals(
        a * (m - n) ** 2 / (2 * (a * s + 1 - a)),
        r"the logarithm of $\frac WV$ is 0; common denominator",
        wrong={
            "the variance of the data": a * (m - n) ** 2 / (2 * s),
            "the root": sqrt(a) * (m - n) ** 2 / (2 * (a * s + 1 - a)),
        },
    ),
    role="remark",
    so=r"For $s = 1$ it is $a$ times the mismatch without noise; for $s > 1$ more: wide laws need more noise.",
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

# ---------------------------------------------------------------------------------------------------- the price

c = derivation.number("c", "the correlation of a detail with the low band", between=(0, 1))
low, rest, fresh = (derivation.number(name, meaning) for name, meaning in (
    ("l_0", "a low band, standard normal"), ("w", "what it does not tell of the detail, standard normal"),
    ("z_0", "noise, standard normal")))  # fmt: skip
detail = derivation.define("d_0", c * low + sqrt(1 - c**2) * rest, "a detail, of variance 1")
seen = derivation.define(r"\tilde l_0", sqrt(a) * low + sqrt(1 - a) * fresh, "the noisy low band")


def _mean(body):
    return Expectation(Normal(low, 0, 1), Expectation(Normal(rest, 0, 1), Expectation(Normal(fresh, 0, 1), body)))


derivation.chain(
    "The best prediction of a detail",
    _mean(seen * plus(detail, times(-1, sqrt(a), c, seen))),
    equals(0, r"$\mathbb{E}[d_0 \tilde l_0] = \sqrt a\, c$, and $\tilde l_0$ has variance 1", wrong={"without the level": c}),
    role="lemma",
)
derivation.chain(
    "... misses more, the more noise there is",
    _mean(plus(detail, times(-1, sqrt(a), c, seen)) ** 2),
    equals(1 - a * c**2, r"$1 - 2 a c^2 + a c^2$", wrong={"without the level": 1 - c**2, "the root": 1 - sqrt(a) * c**2}),
    so=r"From $1 - c^2$ without noise to 1: the second stage must invent what $\tilde l$ no longer tells. With an exact second "
    "stage this costs nothing, and full noise would be best; then the first stage is of no use. A learned one does better on an "
    "easier task, and a level between is found by measuring.",
)

# ---------------------------------------------------------------------------------------------------- numbers

_TRUE, _DRAWN = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.3, 0.2])


def _divergence(p, q):
    kept = p > 0
    return np.sum(p[kept] * np.log(p[kept] / q[kept]))


def _redraw(share):
    """A kernel that replaces the value by a uniform one with this probability, [noisy, true]."""
    return (1 - share) * np.eye(3) + share / 3


def _image_law(share):
    """The law of what an exact second stage draws, given noisy values of the first one."""
    joint = _redraw(share) * _TRUE
    return (joint / joint.sum(1, keepdims=True)).T @ (_redraw(share) @ _DRAWN)


_BLOCK = jnp.array([[[[5.0, 3.0], [1.0, 3.0]]]])


@derivation.example(
    r"The block $\begin{pmatrix} 5 & 3 \\ 1 & 3 \end{pmatrix}$ has the energy 44. Then three small images with $p = (\frac12, "
    r"\frac12, 0)$, and a first stage $q = (\frac12, \frac3{10}, \frac15)$, a fifth of which was never seen in training. The "
    r"kernel replaces a value by a uniform one with the probability $\eta$, and an exact second stage draws the small image "
    "again."
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


derivation.symbol(r"\eta", "here: the probability of a uniform value")


@derivation.figure(
    r"Two first stages for low bands of mean 0 and variance 1: one of mean 1 (solid), one of variance 4 (dashed). Left: the "
    r"mismatch falls with the noise, from right to left. Gray: what the noisy low band tells of a detail with $c = 0.8$, in "
    r"nats. Right: the densities of true low bands (gray) and of those of the first stage, before the noise and at $a = \frac14$ "
    "(black).",
    panels=2,
)
def mismatch_and_densities(mismatches, densities):
    kept = np.linspace(0.001, 1, 200)
    mismatches.plot(kept, kept / 2, color=BLUE, label="mean")
    spread = 1 + 3 * kept
    mismatches.plot(kept, (np.log(spread) + 1 / spread - 1) / 2, "--", color=BLUE, label="variance")
    mismatches.plot(kept, -np.log(1 - 0.64 * kept) / 2, color="gray", label="information")
    mismatches.set(xlabel="$a$", ylabel="nats")
    mismatches.legend()
    place = np.linspace(-4, 4, 200)
    densities.fill_between(place, np.exp(-(place**2) / 2) / np.sqrt(2 * np.pi), color="gray", alpha=0.3)
    for share, color in ((1.0, BLUE), (0.25, "black")):
        for mean, variance, line in ((np.sqrt(share), 1.0, "-"), (0.0, 1 + 3 * share, "--")):
            height = np.exp(-((place - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
            densities.plot(place, height, line, color=color)
    densities.set(xlabel="low band", ylabel="density")


@derivation.exercise(
    r"What are the bands of a constant image of value 1, and what comes back if $\frac14$ takes the place of $\frac12$ in both "
    "directions?",
    r"$l = 2$ and $d = 0$. With $\frac14$ the low band is 1, and the image that comes back has the value 0.25.",
)
def constants():
    low, detail = haar_analysis(jnp.ones((1, 1, 2, 2)))
    yield low, "2"
    yield jnp.sum(jnp.abs(detail)), "0"
    yield haar_synthesis(low / 2, detail / 2)[0, 0, 0, 0] / 2, "0.25"


@derivation.exercise(
    r"Low bands have the variance 4, and the first stage has the same, with a mean that is 2 off. What is the mismatch without "
    r"noise, and at $a = \frac12$?",
    r"0.5, and 0.4. With variances of 1 and a mean that is 1 off, 0.5 falls to 0.25: wide laws need more noise.",
)
def wide_laws():
    yield 4 / (2 * 4), "0.5"
    yield 0.5 * 4 / (2 * (0.5 * 4 + 0.5)), "0.4"
    yield 0.5 * 1 / (2 * (0.5 * 1 + 0.5)), "0.25"


@derivation.exercise(
    r"An exact second stage draws the whole image. Which $\eta$ is best in the example, and what is the first stage worth then?",
    r"$\eta = 1$: the noisy image says nothing, and what is sampled has the law $p$: both divergences are 0. The first stage is "
    "of no use.",
)
def full_noise():
    yield _divergence(_image_law(1.0), _TRUE), "0"
    yield _divergence(_redraw(1.0) @ _TRUE, _redraw(1.0) @ _DRAWN), "0"
