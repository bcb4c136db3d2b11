"""Super-resolution: what blur gains, what realism costs, and what the usual scores reward.

The lecture on the functions of theory_jax/adversarial/super_resolution.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Mod, Rational, exp, floor, log, sqrt

from theory_jax.adversarial.super_resolution import (
    peak_signal_to_noise_ratio,
    perceptual_generator_loss,
    pixel_shuffle,
    pixel_unshuffle,
    structural_similarity,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._restorations import (
    draw_price_and_contrast,
    in_decibels,
    shuffled_entries,
    similarity_factors,
)

derivation = Derivation(
    module=__name__,
    title="Super-resolution: what blur gains, what realism costs, and what the usual scores reward",
    sources=(
        "Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
        "Blau & Michaeli 2018, The Perception-Distortion Tradeoff; Freirich, Michaeli & Meir 2021",
        "Wang, Bovik, Sheikh & Simoncelli 2004, Image Quality Assessment: From Error Visibility to Structural Similarity",
        "Shi et al. 2016, Real-Time Single Image and Video Super-Resolution Using a Sub-Pixel Convolutional Network",
    ),
    question="The network with the best PSNR makes blurred images, and the one whose images look real has a clearly worse one. "
    "Many sharp images have the same small version. Why does the best score give blur, exactly how much does it cost in squared "
    "error to look real, and what do PSNR and SSIM reward?",
    setting=(
        r"A sharp image $x$ has the small version $y$. A restoration $\hat x$ is computed from $y$, possibly with noise that is "
        r"independent of $x$ given $y$. Its distortion is $\mathbb{E} \|x - \hat x\|^2$.",
        r"$W_2(p, q)^2$ is the least $\mathbb{E} \|u - v\|^2$ of all couplings of a $u$ from $p$ and a $v$ from $q$. The "
        r"perception index $\Pi$ of restorations is $W_2(p_{\hat x}, p_x)$: 0 if they have the distribution of sharp images, "
        "whichever image each of them belongs to.",
        r"SSIM compares two images in a window with positive weights of sum 1, by the means, variances and the covariance in it.",
    ),
    limits=(
        "That the least price of realism is attained, except for Gaussians and in the example (Freirich et al. 2021).",
        r"That an adversarial loss makes $\Pi$ small, and other perception indices: for every divergence that is convex in its "
        "second argument the least distortion is a convex function of it (Blau & Michaeli 2018).",
        "Features of a trained network: the squared error in them splits as that of pixels does, around their own mean.",
    ),
)

derivation.say("One pixel, and one small image $y$; an average over pixels and small images changes nothing in the argument.")
k, j = derivation.index("k", "a sharp image that fits $y$"), derivation.index("j", "a restoration of $y$")
p = derivation.law("p({}|y)", k, "the sharp images that fit $y$")
q = derivation.law("q({}|y)", j, "the restorations of $y$")
x, z = derivation.numbers("x", k, "its pixel"), derivation.numbers(r"\hat x", j, "the restored pixel")
m = derivation.define("m", Expectation(p, x), r"the conditional mean, $\mathbb{E}[x|y]$")
least = derivation.define(r"\mathrm{MMSE}", Expectation(p, (x - m) ** 2), "its squared error, $y$ given: the least possible")
away = Expectation(q, (z - m) ** 2)
split = derivation.chain(
    "Distortion splits into what no restoration can know and the distance from the mean",
    Expectation(p, Expectation(q, (x - z) ** 2)),
    equals(
        plus(least, times(2, Expectation(p, x - m), Expectation(q, m - z)), away),
        prose(
            r"{parts}, squared; $y$ given, $x$ and $\hat x$ are independent", parts=holds(plus(x, -z), "=", plus(x - m, m - z))
        ),
        wrong={"the cross term once": plus(least, Expectation(p, (x - m) * x), away)},
    ),
    equals(
        plus(least, away),
        prose("{zero}", zero=holds(Expectation(p, x - m), "=", 0)),
        wrong={"half the distance": plus(least, away / 2)},
    ),
    at_least(least, prose("leave out the square; equality if and only if {mean}", mean=where(z, m)), dropping=away),
    so="The best score belongs to the average of all sharp images that fit. Where they differ it is in general none of them: "
    "it is blur.",
)
derivation.chain(
    "A sample of the sharp images that fit costs twice the least distortion",
    Expectation(p, Expectation(p.at(j), (x - x.at(j)) ** 2)),
    equals(
        plus(least, Expectation(p.at(j), (x.at(j) - m) ** 2)), r"the split, for $\hat x$ with the distribution of $x$ given $y$"
    ),
    equals(2 * least, "both terms are the same", wrong={"the root of 2": sqrt(2) * least}),
    uses=(split,),
    so=r"Restorations then have the distribution of sharp images, the perception index 0, and $10 \log_{10} 2$ dB less, 3.01.",
)
derivation.say(
    r"Is that the least price of realism? Now over all $y$: the distortion is $M + S$, where $S$ is the mean of $\|\hat x - "
    r"m\|^2$, and the distributions of $m$, $\hat x$ and $x$ have distances from one another."
)
total = derivation.number("M", r"the least distortion, $\mathrm{MMSE}$ averaged over $y$", positive=True)
S = derivation.number("S", r"$\mathbb{E} \|\hat x - m\|^2$", positive=True)
index = derivation.number(r"\Pi", r"$W_2(p_{\hat x}, p_x)$: what restorations lack to be real", positive=True)
gap = derivation.number(r"\delta", r"by how much they are more real than the means, $W - \Pi$", positive=True)
W = derivation.define("W", index + gap, r"$W_2(p_m, p_x)$: what the means lack to be real", positive=True)
moved = derivation.number("V", r"$W_2(p_{\hat x}, p_m)$: how far restorations are from the means", positive=True)
coupling = derivation.assume(
    "The best coupling costs no more than this pair", S - moved**2, example={S: 4, moved: 2}, wrong={"half": S / 2 - moved**2}
)
triangle = derivation.assume(
    "Distances obey the triangle inequality", moved + index - W, example={moved: 1, gap: 1}, wrong={"one side": moved - W}
)
central = derivation.chain(
    "The least price of realism",
    plus(total, S),
    at_least(plus(total, moved**2), r"$(\hat x, m)$ is one coupling of their distributions", dropping=coupling.at()),
    at_least(
        plus(total, (W - index) ** 2),
        prose(
            r"$V$ is at least $W - \Pi$, which is positive; {difference}",
            difference=holds(plus(moved**2, -((W - index) ** 2)), "=", times(moved + W - index, moved - W + index)),
        ),
        dropping=times(triangle.at(), plus(moved, W, -index)),
        wrong={"not squared": plus(total, W - index), "no price": total},
    ),
    uses=(split,),
    central=True,
    so=r"If $\Pi$ is at least $W$ there is nothing to pay. Perfect realism costs at least $W^2$ on top of the least distortion "
    "$M$. That is $M$ at most, since $(x, m)$ is a coupling as well: no more than a sample costs.",
)
rho = derivation.number(r"\rho", "the correlation of the sharp and the small image", between=(0, 1))
tau = derivation.number(r"\tau", "the gain of a restoration", between=(0, 1))
c = derivation.number("c", "the correlation in a coupling", between=(-1, 1))
y, xi = derivation.number("y", "the small image"), derivation.number(r"\xi", "what it does not tell")
f = derivation.number(r"\xi'", "as much noise, drawn anew")
derivation.chain(
    "Two Gaussians about 0 are as far apart as their deviations",
    plus(tau**2, 1, -2 * tau * c),
    at_least((1 - tau) ** 2, "no correlation exceeds 1", dropping=2 * tau * (1 - c), wrong={"the variances": (1 - tau**2) ** 2}),
    role="lemma",
    so=prose(
        r"The first line is the cost of a coupling of $\mathcal{N}(0, \tau^2)$ and $\mathcal{N}(0, 1)$ with the correlation $c$; "
        r"with {full} it is {attained}. So the distance $W_2$ is $1 - \tau$.",
        full=where(c, 1),
        attained=holds(plus(tau**2, 1, -2 * tau * c), "=", (1 - tau) ** 2, named=True),
    ),
)
of_mean = derivation.define("W_0", 1 - rho, r"$W$ of the Gaussian pair, whose mean is $\rho y$ (the lemma)")
of_gain = derivation.define(r"\Pi_\tau", 1 - tau, r"$\Pi$ of the restoration $\tau y$ (the lemma)")
sharp = rho * y + sqrt(1 - rho**2) * xi
_Y, _E, _F = (Normal(number, 0, 1) for number in (y, xi, f))
of_sample = Expectation(_Y, Expectation(_E, Expectation(_F, (sharp - rho * y - sqrt(1 - rho**2) * f) ** 2)))
derivation.chain(
    "For Gaussians the bound is attained, at every degree of realism above the mean's",
    Expectation(_Y, Expectation(_E, (sharp - tau * y) ** 2)),
    equals(plus(1 - rho**2, (tau - rho) ** 2), r"the moments of $y$ and $\xi$", wrong={"no cross term": plus(1, tau**2)}),
    equals(
        plus(1 - rho**2, (of_mean - of_gain) ** 2),
        "the least distortion, and the distances of the lemma",
        wrong={"not squared": plus(1 - rho**2, of_mean - of_gain)},
    ),
    role="remark",
    so=prose(
        r"Gains run from $\rho$, the mean, at the cost {mean}, to 1, with the distribution of sharp images, at the cost "
        r"{real}. A sample of the sharp images that fit is as realistic, and costs {sample}: $1 + \rho$ times as much. Only "
        "where $y$ tells nothing or everything is sampling as cheap.",
        mean=holds(plus(1 - rho**2, (tau - rho) ** 2), "=", 1 - rho**2, when={tau: rho}, named=True),
        real=holds(plus(1 - rho**2, (tau - rho) ** 2), "=", 2 * (1 - rho), when={tau: 1}, named=True),
        sample=holds(of_sample, "=", times(1 + rho, 2 * (1 - rho)), named=True),
    ),
)
logit = derivation.number("l", "the discriminator's logit of the restoration", "logits_fake")
weight = derivation.number(r"\lambda", "the price of being told from sharp images", "adversarial_weight", positive=True)
i = derivation.index("i", "a pixel, of an image or of a window")
a, b = derivation.numbers("a", i, "the pixels of the true image", "x"), derivation.numbers("b", i, "those of a restoration", "y")
P = derivation.count(i, "P", "the number of pixels")
error = Total(i, (a - b) ** 2) / P
derivation.bridge(
    "The generator's loss weighs a distortion against realism, which the discriminator judges",
    plus(error, weight * log(1 + exp(-logit))),
    perceptual_generator_loss,
    features=[b],
    features_target=[a],
    logits_fake=[logit],
    adversarial_weight=weight,
    wrong={"the weight on the distortion": weight * error + log(1 + exp(-logit))},
)

mse, other = (derivation.number(name, "a mean squared error", positive=True) for name in (r"\varepsilon", r"\eta"))
R = derivation.number("R", "the range of pixels", "data_range", positive=True)
decibels = derivation.chain(
    "Twice the squared error costs three decibels of PSNR",
    plus(in_decibels(R, mse), -in_decibels(R, 2 * mse)),
    equals(10 * log(2) / log(10), "the logarithm of a quotient", wrong={"six decibels": 20 * log(2) / log(10)}),
    so="That is 3.01; twice the error itself costs 6.02.",
    role="remark",
)
spread = log(1 + (mse - other) ** 2 / (4 * mse * other))
derivation.chain(
    "The mean PSNR of two images is at least the PSNR of their mean error",
    plus(in_decibels(R, mse), in_decibels(R, other)) / 2,
    equals(
        plus(in_decibels(R, (mse + other) / 2), 5 * spread / log(10)),
        prose("{ratio}", ratio=holds((mse + other) ** 2 / (4 * mse * other), "=", 1 + (mse - other) ** 2 / (4 * mse * other))),
        wrong={"twice": plus(in_decibels(R, (mse + other) / 2), 10 * spread / log(10))},
    ),
    at_least(in_decibels(R, (mse + other) / 2), "leave out the logarithm of a number from 1 on", dropping=5 * spread / log(10)),
    so="So the two have different best answers. For two equally likely sharp images, one of them has an infinite mean PSNR, and "
    "their average a finite one. That the mean is the best for PSNR is true of the pooled squared error.",
    role="remark",
)
derivation.bridge(
    "The code's PSNR, of an image of 2 x 2 pixels",
    in_decibels(R, error),
    peak_signal_to_noise_ratio,
    x=[[[[a.at(0), a.at(1)], [a.at(2), a.at(3)]]]],
    y=[[[[b.at(0), b.at(1)], [b.at(2), b.at(3)]]]],
    data_range=R,
    wrong={"20 log10 of the squares": 2 * in_decibels(R, error), "natural logarithm": log(10) * in_decibels(R, error)},
)

w = derivation.law("w", i, "the weights of a window")
c1 = derivation.number("c_1", r"what keeps the luminance from 0/0, $(0.01 R)^2$ in the code", positive=True)
c2 = derivation.number("c_2", r"what keeps the contrast from 0/0, $(0.03 R)^2$ in the code", positive=True)
light_form, structure_form = similarity_factors(w, a, b, c1, c2)
light = derivation.define(r"\ell", light_form, "the luminance factor of SSIM")
structure = derivation.define(r"\kappa", structure_form, "its factor of contrast and structure")
powers = plus(Expectation(w, a) ** 2, Expectation(w, b) ** 2, c1)
spreads = plus(Variance(w, a), Variance(w, b), c2)
off_light = (Expectation(w, a) - Expectation(w, b)) ** 2 / powers
off_structure = Variance(w, a - b) / spreads
derivation.chain(
    "The luminance lacks the squared difference of the means",
    1 - light,
    equals(off_light, "subtract", wrong={"without the denominator": off_light * powers}),
    role="lemma",
)
derivation.chain(
    "Contrast and structure lack the variance of the difference",
    1 - structure,
    equals(
        off_structure,
        prose(
            "{difference}",
            difference=holds(
                Variance(w, a - b),
                "=",
                plus(Variance(w, a), Variance(w, b), -2 * (Expectation(w, a * b) - Expectation(w, a) * Expectation(w, b))),
            ),
        ),
        wrong={"the variance of the sum": Variance(w, a + b) / spreads},
    ),
    role="lemma",
)
over_light = ((Expectation(w, a) + Expectation(w, b)) ** 2 + 2 * c1) / powers
over_structure = (Variance(w, a + b) + 2 * c2) / spreads
lost = plus(off_light * over_structure, over_light * off_structure) / 2
derivation.chain(
    "The similarity of two windows is 1 at most",
    times(light, structure),
    equals(
        plus(1, times(-Rational(1, 2), plus(times(1 - light, 1 + structure), times(1 + light, 1 - structure)))),
        "multiply out",
        wrong={"no half": plus(1, times(light - 1, 1 + structure), times(-1 - light, 1 - structure))},
    ),
    at_most(1, r"no factor is negative, by the lemmas for $1 - \ell$ and $1 - \kappa$; the others have sums", adding=lost),
    so=r"$1 + \ell$ and $1 + \kappa$ are even positive, so equality needs equal means and a difference without variance: equal "
    r"windows. In the same way $1 + \ell\kappa$ is positive: SSIM is above $-1$.",
    role="remark",
)
derivation.answer = prose(
    "The least distortion has the conditional mean, the average of all sharp images that fit: blur. A sample of them looks real, "
    "at exactly {twice}, twice this distortion. Every restoration pays at least {price} on top of the least distortion if its "
    r"perception index $\Pi$ is below $W$, the distance of the blurred images from the sharp ones; so realism costs at least "
    "$W^2$, and need not cost more than the blur's own error. PSNR is a logarithm of the squared error. SSIM judges the same "
    "error, relative to the brightness and the contrast of a window, and for Gaussians prefers the answer that has the contrast "
    "of sharp images.",
    twice=holds(Expectation(p, Expectation(p.at(j), (x - x.at(j)) ** 2)), "=", 2 * least, named=True),
    price=(W - index) ** 2,
)
similar = derivation.chain(
    "SSIM judges the squared error, in two parts, each relative to what there is",
    Expectation(w, (a - b) ** 2),
    equals(
        plus((Expectation(w, a) - Expectation(w, b)) ** 2, Variance(w, a - b)), "a mean square is a squared mean and a variance"
    ),
    equals(
        plus(times(1 - light, powers), times(1 - structure, spreads)),
        "the two lemmas",
        wrong={"exchanged": plus(times(1 - light, spreads), times(1 - structure, powers))},
    ),
    so="An error of one size counts for less in a bright window, and for less in one with much texture.",
)
derivation.chain(
    r"SSIM's $\kappa$ of a Gaussian pair is largest where the contrast is that of sharp images",
    plus(2 * rho / (1 + 1), -2 * rho * tau / (1 + tau**2)),
    equals(rho * (1 - tau) ** 2 / (1 + tau**2), "subtract", wrong={"not squared": rho * (1 - tau) / (1 + tau**2)}),
    at_least(0, "leave out a square; equality for the gain 1 only", dropping=rho * (1 - tau) ** 2 / (1 + tau**2)),
    so=prose(
        r"For the Gaussian pair and the restoration $\tau y$ the covariance is $\rho\tau$ and $\kappa$, without its constant, "
        "{kappa}. It is largest, {top}, for the gain 1: not at the mean, but at the cheapest realistic answer.",
        kappa=2 * rho * tau / (1 + tau**2),
        top=holds(2 * rho * tau / (1 + tau**2), "=", rho, when={tau: 1}, named=True),
    ),
    role="remark",
)
sigma = derivation.number(r"\sigma", "the deviation of the window", "sigma", positive=True)
bell = exp(-((floor(i / 3) - 1) ** 2 + (Mod(i, 3) - 1) ** 2) / (2 * sigma**2))
gauss = derivation.define("g", bell / Total(i, bell), "the code's weights of a window of 3 x 3, row by row", over=i, law=True)
_code = similarity_factors(gauss, a, b, R**2 / 10000, 9 * R**2 / 10000)
derivation.bridge(
    "The code's similarity of two images of one window",
    times(*_code),
    structural_similarity,
    x=[[[[a.at(3 * row + n) for n in range(3)] for row in range(3)]]],
    y=[[[[b.at(3 * row + n) for n in range(3)] for row in range(3)]]],
    data_range=R,
    window_size=3,
    sigma=sigma,
    sizes={i: 9},
    wrong={"contrast and structure alone": _code[1], "the luminance alone": _code[0]},
)

derivation.say(r"How a network makes the pixels: $r^2$ channels of the small image become blocks of $r \times r$.")
n = derivation.index("n", "a channel of four")
u = derivation.numbers("u", n, "four channels at one pixel", "x")
_channels, _block = [[[[u.at(number)]] for number in range(4)]], [[[[u.at(0), u.at(1)], [u.at(2), u.at(3)]]]]
derivation.bridge(
    "The code makes a block of four channels",
    _block,
    pixel_shuffle,
    x=_channels,
    factor=2,
    wrong={"rows and columns exchanged": [[[[u.at(0), u.at(2)], [u.at(1), u.at(3)]]]]},
)
derivation.bridge("... and channels of a block", _channels, pixel_unshuffle, x=_block, factor=2)
derivation.symbol(r"r, \gamma, h, v, \alpha, \beta", "factor, channel, pixel of the small image, and row and column in its block")


@derivation.exact(
    r"(\gamma, r h + \alpha, r v + \beta) \leftrightarrow (\gamma r^2 + \alpha r + \beta, h, v)",
    because="Division with remainder: every entry comes from one other, and none is used twice. So the shuffle is a permutation: "
    r"it keeps inner products, and its inverse is its transpose. All entries of an image of $2 \times 3$ with twelve channels.",
    outcomes=72,
    role="remark",
)
def every_entry_is_used_once():
    found, numbers, turned = shuffled_entries()
    return Sides(left=found, right=numbers, wrong={"rows and columns exchanged": turned})


o, t = derivation.index("o", "a pixel of a row of the small image", states=4), derivation.index("t", "a tap", states=4)
d = derivation.index("d", "a position in the row", states=2)
kernel = derivation.numbers("K", t, "the taps of a kernel of length 4")
K0, K1, K2, K3 = map(kernel.at, range(4))
row = derivation.numbers("X", o, "a row of the small image")


def _doubled(place):
    """What a transposed convolution of stride 2, with a padding of 1, puts there."""
    return Total(o, Total(t, times(KroneckerDelta(place, 2 * o + t - 1), kernel, row)))


derivation.say(
    "The older way to enlarge is a transposed convolution: every pixel of a row is multiplied by the whole kernel and added, two "
    "positions further for the next pixel. A padding of 1 cuts one position off either end."
)
derivation.chain(
    "A transposed convolution applies one kernel of two taps at odd positions, another at even ones",
    _doubled(2 * d + 3),
    equals(
        plus(K2 * row.at(d + 1), K0 * row.at(d + 2)),
        "two taps reach it",
        wrong={"moved": plus(K2 * row.at(d), K0 * row.at(d + 1))},
    ),
    so=prose(
        "At even positions it applies the other: {even}. So it is a shuffle of two convolutions, with the kernels $(K_3, K_1, "
        r"0)$ and $(0, K_2, K_0)$ around a pixel. In two dimensions there are four kernels of $3 \times 3$ with four taps each: "
        "every such transposed convolution is a sub-pixel convolution, with 16 of its 36 numbers free, and not conversely. Of a "
        "constant row the even positions have $K_1 + K_3$ and the odd ones $K_0 + K_2$: there is no checkerboard if and only if "
        "the two agree, in either layer. That the stride divides the kernel is not enough.",
        even=holds(_doubled(2 * d + 2), "=", plus(K3 * row.at(d), K1 * row.at(d + 1)), named=True),
    ),
    role="remark",
)
_COIN = {p: (0.5, 0.5), x: (-1, 1)}
WINDOW = {w: (Rational(1, 3),) * 3, a: (0, 1, 2), c2: 0}


@derivation.algorithm(
    "A training step of SRGAN, and the usual scores",
    do(r"make a small image $y$ of a sharp one $x$; restore it: $\hat x$ from the network's channels", pixel_shuffle),
    do(r"step the discriminator to tell $x$ from $\hat x$; it gives $\hat x$ the logit $l$"),
    do(
        r"step the network down the squared difference (of features of $x$ and $\hat x$) $- \lambda \log \sigma(l)$",
        perceptual_generator_loss,
        by=central,
    ),
    do("report PSNR and SSIM on held-out images", peak_signal_to_noise_ratio, structural_similarity, by=decibels),
)
def two_steps():
    def loss(pixel):
        return perceptual_generator_loss(pixel[None], jnp.ones((1, 1)), pixel, adversarial_weight=1.0)[0]

    pixel = jnp.zeros(1)
    start = r"x = 1, l = \hat x \text{ from } 0, \lambda = 1, \text{ steps of } \tfrac14: \quad "
    for moved in ("0.625", "0.8997"):
        pixel = pixel - jax.grad(loss)(pixel) / 4
        yield start + r"\hat x", pixel, moved
        start = ""
    channels = jnp.reshape(jnp.concatenate([pixel, pixel, pixel, jnp.ones(1)]), (1, 4, 1, 1))
    image = pixel_shuffle(channels, factor=2)
    yield r"\text{a block of it}", image.ravel(), "0.8997, 0.8997, 0.8997, 1"
    yield r"\text{PSNR}", peak_signal_to_noise_ratio(jnp.ones((1, 1, 2, 2)), image, data_range=1.0), "21.22"
    yield r"\text{SSIM}", structural_similarity(jnp.ones((1, 1, 2, 2)), image, data_range=1.0, window_size=1), "0.9958"


@derivation.example(
    r"A pixel of $\pm 1$ with equal chances, of which $y$ tells nothing: the blur 0, and a guess of either; here the distance is "
    "1, so no realistic answer is better than the guess. Their PSNR at the range 2. Then Gaussians with the correlation 0.8: the "
    r"mean, the cheapest realistic answer, a sample; and SSIM's $\kappa$ of the first two. Last, two answers to the window $(0, "
    r"1, 2)$ of equal error: too little contrast, $(\frac12, 1, \frac32)$, and too much, $(-\frac12, 1, \frac52)$, without the "
    "constant; and the kernel $(1, 2, 3, 4)$ on a row of ones."
)
def numbers_by_hand():
    yield least, value(least, _COIN), "1"
    guess = Expectation(p, Expectation(p.at(j), (x - x.at(j)) ** 2))
    yield guess, value(guess, _COIN), "2"
    images = jnp.array([[[[1.0, -1.0]]], [[[1.0, -1.0]]]])
    answers = jnp.array([[[[0.0, 0.0]]], [[[1.0, 1.0]]]])
    yield r"\text{PSNR}", peak_signal_to_noise_ratio(images, answers, data_range=2.0), "(6.02, 3.01)"
    forms = plus(1 - rho**2, (tau - rho) ** 2), 2 * (1 - rho), 2 * (1 - rho**2), 2 * rho * tau / (1 + tau**2)
    for expression, said in zip(forms, ("0.36", "0.40", "0.72", "0.7805"), strict=True):
        yield expression, value(expression, {rho: 0.8, tau: 0.8}), said
    yield structure, value(structure, WINDOW | {b: (0.5, 1, 1.5)}), "0.8"
    yield structure, value(structure, WINDOW | {b: (-0.5, 1, 2.5)}), "0.9231"
    inner = [float(np.dot([1.0, 2.0, 3.0, 4.0], np.arange(4) % 2 == side)) for side in (1, 0)]
    yield r"K_1 + K_3,\ K_0 + K_2", inner, "6, 4"


@derivation.figure(
    "Left: distortion against the perception index for Gaussians with the correlations 0.5 and 0.8. On the line are the "
    r"restorations $\tau y$, from the realistic one (left end) to the mean (right end); the cross is a sample. Right: SSIM of "
    "the true window and of the same window with its deviations from the mean multiplied by a gain; the PSNR is symmetric about "
    "1.",
    panels=2,
)
def price_and_contrast(left, right):
    draw_price_and_contrast(left, right)
