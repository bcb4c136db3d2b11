"""Super-resolution: what a small image fixes, what regression makes of the rest, and what a sampler pays for sharp images.

The lecture on the functions of theory_jax/diffusion/super_resolution.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, SquaredNorm, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.super_resolution import (
    average_pool,
    concatenate_low_resolution,
    consistency_error,
    nearest_upsample,
    null_space_projection,
)
from theory_jax.lectures.diffusion._sharp_images import (
    decibels,
    draw_plane_and_price,
    errors_of_two_pixels,
    projected_predictions,
)

derivation = Derivation(
    module=__name__,
    title="Super-resolution: what a small image fixes, and what a sampler pays for sharp images",
    sources=(
        "Saharia, Ho, Chan, Salimans, Fleet & Norouzi 2021, Image Super-Resolution via Iterative Refinement (SR3)",
        "Wang, Yu & Zhang 2023, Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model (DDNM)",
        "Blau & Michaeli 2018, The Perception-Distortion Tradeoff",
    ),
    question="A network that is trained to enlarge images by squared error returns blurred ones, and scores better than one "
    "that returns sharp ones. Many sharp images have the same small version. Which of their features does the small image "
    "fix, what does the best regression return for the rest, and why does a sampler without any error lose 3 decibels to it?",
    setting=(
        r"$A$ averages blocks of $f \times f$ pixels, and $U$ repeats every pixel as such a block. Blocks share no pixels, so "
        r"one block of $n$ pixels shows everything: there $A$ is the mean of its pixels.",
        r"The sharp image $x$ and the small one $y$ are random. The mean of $x$ given $y$ is $m$. In the chains about errors $x$ "
        r"is one pixel; squared errors and variances of several pixels add up.",
        r"Given $y$, a posterior sample $\tilde x$ has the distribution of $x$ and is independent of it.",
        r"The noisy image is $x_t = \sqrt a\, x + \sqrt{1 - a}\, \epsilon$ with standard normal $\epsilon$, independent of $x$ "
        r"and $y$.",
        r"An error in decibels is $10 \log_{10} \frac{R^2}{\mathrm{MSE}}$ with the mean squared error of a pixel and the range "
        r"$R$ of the data, 2 for data in $[-1, 1]$ (PSNR).",
    ),
    limits=(
        "That people prefer samples to the mean; other measures of quality than the distribution of the image.",
        r"Other ways to make an image small: $U$ is then another matrix, and the chains hold with its own projection.",
        "PSNR of a single image: the doubling is one of the mean squared error over all images.",
    ),
)

i = derivation.index("i", "a pixel of the block")
x = derivation.numbers("x", i, "the block of an image", "x0_pred")
z = derivation.numbers("z", i, r"a block with the mean $y$: the true one, or any other")
n = derivation.count(i, "n", "the number of its pixels", "factor**2")
mean = derivation.define("Ax", Total(i, x) / n, "the mean of the block", "average_pool(x)")
wanted = derivation.define("y", Total(i, z) / n, "the small image: one pixel", "low_resolution")
nearest = derivation.define("x^*", plus(x, wanted, -mean), "the block, moved to the mean $y$", "null_space_projection", over=i)
nearest_block = derivation.chain(
    "The nearest consistent image",
    SquaredNorm(i, z - x),
    equals(
        plus(SquaredNorm(i, z - nearest), times(n, (wanted - mean) ** 2)),
        prose(
            "{parts}; the first has mean zero in the block, {zero}, and the second is constant",
            parts=holds(z - x, "=", plus(z - nearest, wanted - mean)),
            zero=holds(Total(i, z - nearest), "=", 0),
        ),
        wrong={
            "one pixel's share": plus(SquaredNorm(i, z - nearest), (wanted - mean) ** 2),
            "the sign": plus(SquaredNorm(i, z - nearest), times(-1, n, (wanted - mean) ** 2)),
        },
    ),
    at_least(
        times(n, (wanted - mean) ** 2),
        prose("leave out the square; equality if and only if {same}", same=where(z, nearest)),
        dropping=SquaredNorm(i, z - nearest),
    ),
    so=r"So of all images with the small version $y$ the projection $x^*$ is the nearest to $x$. If $z$ is the true image, the "
    r"second line says more: the projection lowers the squared error by exactly $n (y - Ax)^2$. No prediction gets worse.",
)
eta = derivation.number(r"\eta", "an error of the small image")
derivation.chain(
    "A noisy small image is copied, noise and all",
    SquaredNorm(i, plus(x, wanted, eta, -mean) - z),
    equals(
        plus(SquaredNorm(i, plus(x, -mean) - plus(z, -wanted)), times(n, eta**2)),
        prose(
            "the part with mean zero in the block, and a constant: {zero}",
            zero=holds(Total(i, plus(x, -mean) - plus(z, -wanted)), "=", 0),
        ),
        wrong={"the noise averaged": plus(SquaredNorm(i, plus(x, -mean) - plus(z, -wanted)), eta**2 / n)},
    ),
    role="remark",
    uses=(nearest_block,),
    so=r"With an error $\eta$ of $y$ the projection pays $n \eta^2$, whatever the prediction was. So it lowers the squared "
    r"error only where the mean of the prediction is farther than $|\eta|$ from the true one.",
)
derivation.chain(
    "The projection has the small version $y$; details with mean zero are free",
    Total(i, nearest) / n,
    equals(
        wanted,
        prose("the mean of a constant is the constant, {mean}", mean=holds(Total(i, mean) / n, "=", mean)),
        wrong={"moved twice": 2 * wanted - mean},
    ),
    role="lemma",
    so="So the projection has the small version $y$, and projecting again changes nothing. The image $x$ is $UAx$ plus $x - "
    "UAx$: the first part is known, the second is any block with mean zero.",
)
pixels = [derivation.number(name, "a pixel", "x0_pred") for name in ("x_1", "x_2", "x_3", "x_4")]
small = derivation.number("v", "a pixel of the small image", "low_resolution")
block = [[[pixels[:2], pixels[2:]]]]
average = (pixels[0] + pixels[1] + pixels[2] + pixels[3]) / 4
derivation.bridge(
    "The code's projection",
    [[[[pixels[0] + small - average, pixels[1] + small - average], [pixels[2] + small - average, pixels[3] + small - average]]]],
    lambda x0_pred, low_resolution: null_space_projection(x0_pred, low_resolution, factor=2),
    x0_pred=block,
    low_resolution=[[[[small]]]],
    calls=(null_space_projection,),
    wrong={"the first pixel for the mean": [[[[small, plus(pixels[1], small, -pixels[0])],
                                              [plus(pixels[2], small, -pixels[0]), plus(pixels[3], small, -pixels[0])]]]]},
)  # fmt: skip
derivation.bridge(
    "The code's error: what the projection moves, in the mean of a pixel",
    [(small - average) ** 2],
    lambda x, low_resolution: consistency_error(x, low_resolution, factor=2),
    x=block,
    low_resolution=[[[[small]]]],
    calls=(consistency_error,),
    wrong={"without the square": [small - average]},
)


@derivation.numeric(
    r"U = A^\top (A A^\top)^{-1}",
    because=r"The matrices of the code, $4 \times 16$ and $16 \times 4$: repeating pixels is the pseudoinverse of averaging. "
    r"The transpose alone is $\frac1n U$.",
    role="remark",
)
def pseudoinverse():
    matrix = np.asarray(jax.jacobian(lambda x: average_pool(x, window=2))(jnp.zeros((1, 1, 4, 4)))).reshape(4, 16)
    repeated = np.asarray(jax.jacobian(lambda y: nearest_upsample(y, factor=2))(jnp.zeros((1, 1, 2, 2)))).reshape(16, 4)
    picked = np.kron(np.kron(np.eye(2), [[1, 0]]), np.kron(np.eye(2), [[1, 0]]))
    return Sides(
        left=repeated,
        right=matrix.T @ np.linalg.inv(matrix @ matrix.T),
        wrong={"the transpose": matrix.T, "of a strided pick": np.linalg.pinv(picked)},
    )


for letter, words in (("A", "averages blocks"), ("U", "repeats pixels"), (r"\top", "the transpose")):
    derivation.symbol(letter, words)

j = derivation.index("j", "a small image", states=2)
k = derivation.index("k", "a sharp image")
p_y = derivation.law("p", j, "the distribution of small images")
p = derivation.law("p({}|{})", (k, j), "that of sharp images, given the small one")
s = derivation.numbers("s", k, "a pixel of the sharp image, $x$")
g = derivation.numbers("g", j, "what a network answers", "x0_pred")
m = derivation.define("m", Expectation(p, s), "the mean of $x$ given $y$", over=j)
least = derivation.define("M", Expectation(p_y, Variance(p, s)), "the mean variance given $y$: the least squared error")
regression = derivation.chain(
    "The least squared error has the mean",
    Expectation(p_y, Expectation(p, (s - g) ** 2)),
    equals(
        plus(least, Expectation(p_y, (m - g) ** 2)),
        prose(
            "{parts}; given $y$ the second part is constant, and the first has mean zero, {zero}",
            parts=holds(s - g, "=", plus(s - m, m - g)),
            zero=holds(Expectation(p, s - m), "=", 0),
        ),
        wrong={"half of the distance": plus(least, Expectation(p_y, (m - g) ** 2) / 2)},
    ),
    at_least(
        least,
        prose("leave out the square; equality if and only if {mean}", mean=where(g, m)),
        dropping=Expectation(p_y, (m - g) ** 2),
    ),
    states=3,
    so=r"So a network trained with squared errors returns $m$, the mean of all sharp images that fit. Where these differ, their "
    r"mean is in general none of them: edges blur, and texture is gray.",
)
l = derivation.index("l", "the posterior sample")  # noqa: E741
drawn, other = p.at(l, j), s.at(l)
kappa = derivation.number(r"\kappa", "how far to go from the mean to the sample")
sampling = derivation.chain(
    "A sample costs twice the least error",
    Expectation(p_y, Expectation(drawn, Expectation(p, (s - other) ** 2))),
    equals(
        plus(least, Expectation(p_y, Expectation(drawn, (m - other) ** 2))),
        r"the chain above: given $y$ the sample is as good as a constant, since it is independent of $x$",
        wrong={"dependent on $x$": least},
    ),
    equals(
        2 * least,
        prose(
            "the sample has the distribution of $x$, so its mean is $m$ and its variance that of $x$ given $y$: {variance}",
            variance=holds(Expectation(p_y, Expectation(drawn, (m - other) ** 2)), "=", least),
        ),
        wrong={"as good as the mean": least, "the deviations added": 4 * least},
    ),
    uses=(regression,),
    states=3,
    central=True,
    so=r"This holds for every distribution. In decibels it is $10 \log_{10} 2$, 3.01: PSNR prefers the gray mean to a true "
    "sample.",
)
derivation.chain(
    "On the way from the mean to the sample the error grows with the square of the way",
    Expectation(p_y, Expectation(drawn, Expectation(p, (s - (m + kappa * (other - m))) ** 2))),
    equals(
        (1 + kappa**2) * least,
        prose(
            "in the second line above the distance to $m$ is $\\kappa$ times as long: its square is {far}",
            far=holds((m - (m + kappa * (other - m))) ** 2, "=", kappa**2 * (m - other) ** 2, named=True),
        ),
        wrong={"in proportion": (1 + kappa) * least, "halfway is free": least},
    ),
    uses=(regression, sampling),
    states=2,
    role="remark",
    so=prose(
        "At {mean} it is {least}, the error of the mean, and at 1 it is {twice}, that of a sample.",
        mean=where(kappa, 0),
        least=holds((1 + kappa**2) * least, "=", least, named=True),
        twice=2 * least,
    ),
)
derivation.chain(
    "What the mean has lost is its own error",
    Expectation(p_y, Expectation(p, (s - Expectation(p_y, m)) ** 2)),
    equals(
        plus(Variance(p_y, m), least),
        "the first chain with the mean of all images for $g$",
        wrong={"nothing": Variance(p_y, m), "twice": plus(Variance(p_y, m), 2 * least)},
    ),
    role="remark",
    uses=(regression,),
    states=3,
    so=r"The first line is the variance of $x$. So the answers $m$ have less variance than sharp images, by exactly $M$, while "
    r"samples have the same.",
)

derivation.say(
    "Is it enough to have the right distribution of images? Take normal numbers $x$ and $y$ of mean 0, variance 1 and "
    r"correlation $\rho$: the mean $m$ is $\rho y$ and the least error $M$ is $1 - \rho^2$. The mean, stretched to the "
    "variance of $x$, is $y$."
)
rho = derivation.number(r"\rho", "the correlation", between=(0, 1))
c = derivation.number("c", "a small image, standard normal")
w = derivation.number("w", "what it does not tell, standard normal")
derivation.chain(
    "A stretched mean is cheaper than a sample",
    Expectation(Normal(c, 0, 1), Expectation(Normal(w, 0, 1), (plus(rho * c, sqrt(1 - rho**2) * w) - c) ** 2)),
    equals(
        2 - 2 * rho,
        prose(
            "means of squares are 1, and $c$ and $w$ are independent: {apart}",
            apart=holds(plus((rho - 1) ** 2, 1 - rho**2), "=", 2 - 2 * rho),
        ),
        wrong={"of the mean": 1 - rho**2},
    ),
    at_most(
        2 * (1 - rho**2),
        prose("add {more}, which vanishes at {zero}, where $y$ says nothing", more=times(2 * rho, 1 - rho), zero=where(rho, 0)),
        adding=2 * rho * (1 - rho),
        wrong={"no more than the least": 1 - rho**2},
    ),
    role="remark",
    so="So images with the right distribution can be had for less than 3 decibels. But it is one image for each "
    "$y$: given $y$ it is no sample, and shows none of the alternatives.",
)

derivation.say(
    r"How does one sample from $p(x|y)$? By the first chain with $\epsilon$ in place of $x$, and $(x_t, y)$ in place of $y$, the "
    r"least error of the predicted noise is at its mean given $x_t$ and $y$. Given $y$, the noisy image $x_t$ is drawn from a "
    "mixture of normal distributions, one around each sharp image."
)
a = derivation.number("a", "the level", "alpha_bar[t]", between=(0, 1))
v = derivation.number("x_t", "a noisy image", "x_t")
likely = derivation.define(
    r"\ell",
    p * exp(-((v - sqrt(a) * s) ** 2) / (2 * (1 - a))),
    "the probability of a sharp image given both, up to a factor",
    over=(k, j),
)
conditional = derivation.chain(
    "What a network learns that sees the small image",
    -sqrt(1 - a) * Slope(log(Total(k, likely)), v),
    equals(
        Total(k, likely * (v - sqrt(a) * s) / sqrt(1 - a)) / Total(k, likely),
        prose("the slope of a logarithm; {slope}", slope=holds(Slope(log(likely), v), "=", -(v - sqrt(a) * s) / (1 - a))),
        wrong={
            "the variance for the deviation": Total(k, likely * (v - sqrt(a) * s) / (1 - a)) / Total(k, likely),
            "the sign": -Total(k, likely * (v - sqrt(a) * s) / sqrt(1 - a)) / Total(k, likely),
        },
    ),
    states=2,
    so=r"The last line is the mean of the noise given $x_t$ and $y$, the first $-\sqrt{1 - a}\, \nabla \log p(x_t | y)$: the "
    "reverse process with this network samples $p(x|y)$. Concatenating $y$ is enough; no term of guidance is missing. And the "
    "image that the best network predicts, a mean of images that fit, has the small version $y$ itself, so a projection "
    "changes nothing.",
)
first, second = (derivation.number(name, "a pixel", "x_t") for name in ("u_1", "u_2"))
derivation.bridge(
    "The code's input: the small image as a further channel",
    [[[[first, second], [second, first]], [[small, small], [small, small]]]],
    concatenate_low_resolution,
    x_t=[[[[first, second], [second, first]]]],
    low_resolution=[[[[small]]]],
    wrong={"spread over the block": [[[[first, second], [second, first]], [[small / 4, small / 4], [small / 4, small / 4]]]]},
)

projected_predictions(derivation, a, rho)
derivation.answer = prose(
    "The small image fixes the means of blocks and nothing else. The least squared error has $m$, the mean of all images that "
    "fit. A posterior sample has exactly twice that error, {twice}, 3.01 decibels less, for every distribution. A "
    "network that sees $y$ next to $x_t$ learns to sample $p(x|y)$; an unconditional one whose predictions are made "
    "consistent with $y$ does not.",
    twice=holds(Expectation(p_y, Expectation(drawn, Expectation(p, (s - other) ** 2))), "=", 2 * least, wrong={"as good": least}),
)
for letter, words in (
    ("q", "the free part of the image"),
    ("r", "its known part, of the value $y$"),
    (r"\epsilon", "the noise"),
    (r"\nabla", "the slope in the noisy image"),
    ("t", "the level of noise"),
    ("R", "the range of the data"),
    ("f", "the side of a block"),
):
    derivation.symbol(letter, words)


@derivation.example(
    r"Two pixels, each $\pm1$ with equal chances, and $y$ their mean. Where it is $\pm1$ both are known. Where it is 0 the "
    r"image is $(1, -1)$ or $(-1, 1)$, and their mean $(0, 0)$ is none of them. Below, the block $x$ of $\begin{pmatrix} 1 & 2 "
    r"\\ 3 & 2 \end{pmatrix}$ with mean 2 is projected onto the mean 1; the true one, $z$, is $\begin{pmatrix} 0 & 0 \\ 2 & 2 "
    r"\end{pmatrix}$."
)
def signs_and_a_block():
    of_mean, of_sample = errors_of_two_pixels()
    yield r"M", of_mean, "0.5"
    yield r"\text{PSNR, decibels}", decibels(of_mean), "9.03"
    yield r"\text{error of a sample}", of_sample, "1"
    yield r"\text{PSNR}", decibels(of_sample), "6.02"
    x0, true = jnp.array([[[[1.0, 2.0], [3.0, 2.0]]]]), jnp.array([[[[0.0, 0.0], [2.0, 2.0]]]])
    moved = null_space_projection(x0, jnp.ones((1, 1, 1, 1)), factor=2)
    yield r"\text{a pixel of the projection, } 1 + 1 - 2", moved[0, 0, 0, 0], "0"
    yield r"\|z - x\|^2", jnp.sum((true - x0) ** 2), "6"
    yield r"\|z - x^*\|^2", jnp.sum((true - moved) ** 2), "2"
    yield r"n (y - Ax)^2", 4 * consistency_error(x0, jnp.ones((1, 1, 1, 1)), factor=2)[0], "4"


@derivation.algorithm(
    "Training on pairs, sampling, and what may be projected",
    do(r"training: take a sharp image $x$ and its small version $y = A x$", average_pool, by=pseudoinverse),
    do(r"a gradient step on the error of the predicted noise from $(x_t, U y)$", concatenate_low_resolution, by=conditional),
    do(r"sampling: the reverse process from noise, with $U y$ beside $x_t$ in every step", by=sampling),
    do(
        r"without training on pairs: $\hat x \leftarrow \hat x + U (y - A \hat x)$ in every step, no sample of $p(x|y)$",
        null_space_projection,
        by=nearest_block,
    ),
    do(r"check: the mean square of $y - A \hat x$", consistency_error, by=nearest_block),
)
def a_pair_and_a_projection():
    true = jnp.array([[[[0.0, 0.0], [2.0, 2.0]]]])
    y = average_pool(true, window=2)
    yield r"\text{the example's true block: } y", y, "1"
    seen = concatenate_low_resolution(0.6 * true + 0.8, y)
    yield r"x_t \text{ and } U y \text{ for } a = 0.36, \epsilon = 1", seen.ravel(), "(0.8, 0.8, 2, 2, 1, 1, 1, 1)"
    predicted = jnp.array([[[[1.0, 2.0], [3.0, 2.0]]]])
    yield r"\text{a prediction } (1, 2, 3, 2): \text{ its error in } y", consistency_error(predicted, y, factor=2), "1"
    moved = null_space_projection(predicted, y, factor=2)
    yield r"\text{projected}", moved.ravel(), "(0, 1, 2, 1)"
    yield r"\text{its error in } y", consistency_error(moved, y, factor=2), "0"


@derivation.figure(
    r"Left: two pixels with the mean 0.2 are on the line. The prediction $x$ is moved to the nearest point of it; sharp "
    r"images (squares) are at its ends, and their mean $m$ is between them. Right: on the way from the mean to the sample the "
    r"error grows from $M$ to $2M$, and the variance of the images from that of $m$ to that of $x$ (the example).",
    panels=2,
)
def plane_and_price(plane, price):
    draw_plane_and_price(plane, price)
