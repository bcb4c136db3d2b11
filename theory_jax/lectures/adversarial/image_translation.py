r"""Which image a squared error, an absolute error and an adversary choose, how far a patch sees, and what a cycle leaves open.

The lecture on the functions of theory_jax/adversarial/image_translation.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, exp, log, sqrt

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.image_translation import (
    cycle_generator_loss,
    instance_normalize,
    mean_absolute_error,
    patch_discriminator_loss,
    patch_receptive_field,
    pix2pix_generator_loss,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.best_guess import best_guess

derivation = Derivation(
    module=__name__,
    title="Image translation: mean, median or mode of the possible outputs, patches, and what a cycle leaves open",
    sources=(
        "Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks",
        "Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        "Ulyanov, Vedaldi & Lempitsky 2016, Instance Normalization: The Missing Ingredient for Fast Stylization",
    ),
    question="Many outputs fit one input. Which single image do a squared error, an absolute error and an adversary each "
    "choose? How far does a discriminator of patches see? And without pairs, what does a cycle loss of zero leave open?",
    setting=(
        "For a given input the target is one of finitely many images, with known probabilities. The generator is deterministic: "
        "it gives one output. For the first two questions it is enough to look at one pixel, since both errors are sums over "
        "pixels.",
        r"A patch discriminator is a stack of convolutions with the kernels $k_l$ and strides $s_l$, and gives one score for "
        "every patch. The field of a score is the length of the input, from the first pixel to the last, that it depends on.",
        r"Unpaired translation: two domains $X$ and $Y$ with the laws $p$ and $q$, and two maps $G: X \to Y$ and $F: Y \to X$. "
        r"The cycle loss is $\mathbb{E}_p |F(G(x)) - x| + \mathbb{E}_q |G(F(y)) - y|$. The discriminators are satisfied if "
        r"$G(x)$ has the law $q$ for $x \sim p$, and $F(y)$ the law $p$ for $y \sim q$.",
    ),
    answer="A squared error chooses the mean of the possible images, an absolute error the median of every pixel, and an "
    "adversary the most probable image: blur, erasure and choice. The field of a score follows from the last layer to the first, "
    r"$r \leftarrow (r - 1) s + k$; what is farther apart the discriminator cannot compare. A cycle loss of zero makes $G$ a "
    "bijection and $F$ its inverse, but not the intended one: with satisfied discriminators the solutions are the intended "
    "translation after any symmetry of the inputs' law.",
    limits=(
        "Continuous images: there every single output has the Jensen-Shannon divergence $\\log 2$ from the data, and the "
        "comparison of probabilities needs noise on the images.",
        "Continuous domains beyond lines; noise in the generator; the preference of networks for the intended solution.",
    ),
)

# ---------------------------------------------------------------------------------------------------- mean and median

k = derivation.index("k", "a possible image")
w = derivation.law("w", k, "the probabilities of the possible images, given the input")
y = derivation.numbers("y", k, "the values of one pixel in them", "target")
g = derivation.number("g", "the generator's output at this pixel", "output")
derivation.chain(
    "A squared error chooses the mean",
    Expectation(w, (y - g) ** 2),
    equals(plus(Variance(w, y), (Expectation(w, y) - g) ** 2), "the lemma on the best guess"),
    at_least(Variance(w, y), "leave out the square", dropping=(Expectation(w, y) - g) ** 2),
    uses=(best_guess,),
    so="Equality if and only if the output is the mean of the possible values: an average of sharp images, which is blurred.",
)

j = derivation.index("j", "a possible image in which the pixel is brighter than one of its values, $m$")
low = derivation.number(r"\varphi", "the probability that the pixel is at most $m$", between=(0, 1))
below = derivation.law("b", k, "the probabilities of the values up to $m$, given that it is one of them")
above = derivation.law("a", j, "... and of the values above $m$")
u = derivation.numbers("u", k, "how far these values are below $m$", positive=True)
v = derivation.numbers("v", j, "how far the others are above $m$", positive=True)
delta = derivation.number(r"\delta", "how far the output is above $m$", positive=True)
crossed = 2 * (1 - low) * Expectation(above, Max(0, delta - v))
derivation.chain(
    "An absolute error chooses the median",
    plus(low * Expectation(below, plus(Abs(u + delta), -u)), (1 - low) * Expectation(above, plus(Abs(v - delta), -v))),
    equals(
        plus(low * delta, (1 - low) * Expectation(above, plus(-delta, 2 * Max(0, delta - v)))),
        r"values up to $m$ are farther away by $\delta$; for the others $|v - \delta| = v - \delta + 2 \max(0, \delta - v)$",
        wrong={"no value is passed": plus(low * delta, -(1 - low) * delta)},
    ),
    equals(plus(times(delta, 2 * low - 1), crossed), "collect"),
    at_least(times(delta, 2 * low - 1), "leave out a mean of maxima with 0", dropping=crossed),
    so=r"The left side is the mean error of the output $m + \delta$ less that of the output $m$. It is not negative if $\varphi "
    r"\ge \frac12$; an output below $m$ is the mirror image, with the condition $P(y \ge m) \ge \frac12$. Both hold for a "
    "median $m$ of the pixel. A pixel that is 0 or 1 gets 1 if that is the more probable value.",
)
n = derivation.index("n", "a pixel of an output, or a patch")
N = derivation.count(n, "N", "how many there are")
shown = derivation.numbers(r"\hat y", n, "the pixels of an output", "output")
wanted = derivation.numbers("t", n, "the pixels of its target", "target")
error = derivation.define("E", Total(n, Abs(shown - wanted)) / N, "the mean absolute error of an output", "mean_absolute_error")
derivation.bridge(
    "The code's error is a mean over the pixels, whatever the size of the image",
    error,
    mean_absolute_error,
    x=[[[shown]]],
    y=[[[wanted]]],
    wrong={"the sum": N * error},
)

# ---------------------------------------------------------------------------------------------------- the mode

derivation.say(
    "An adversary compares whole images. Let the discriminator see the input and be the best one. The lecture on conditional "
    "GANs showed that the generator then minimizes, input by input, the Jensen-Shannon divergence of the law of its outputs from "
    "that of the possible images. A deterministic generator puts all of its probability on one image."
)
pi = derivation.number(r"\pi", "the probability of the output, among the possible images", between=(0, 1))
others = derivation.define("o", (1 - pi) * w, "the probabilities of the other images", over=k, positive=True)
middle = derivation.define(r"\bar o", others / 2, "half of them, since the generator never gives these", over=k, positive=True)
at_output = derivation.define(r"\bar\pi", (1 + pi) / 2, "half the data, half the generator, at the output", positive=True)
divergence = derivation.define(
    r"\mathrm{JSD}",
    plus(2 * log(2), pi * log(pi), times(-1, 1 + pi, log(1 + pi))) / 2,
    "the divergence of one output from the data",
)
derivation.chain(
    "What an adversary sees of a single output",
    plus(-log(at_output), pi * log(pi / at_output), Total(k, others * log(others / middle))) / 2,
    equals(
        plus(-log((1 + pi) / 2), pi * log(2 * pi / (1 + pi)), (1 - pi) * log(2)) / 2,
        r"the other images have the ratio 2, and the probability $1 - \pi$ together",
        wrong={"the other images forgotten": plus(-log((1 + pi) / 2), pi * log(2 * pi / (1 + pi))) / 2},
    ),
    equals(
        plus(2 * log(2), pi * log(pi), times(-1, 1 + pi, log(1 + pi))) / 2,
        r"collect: $\log 2$ has the weight $1 + \pi + (1 - \pi)$",
        wrong={"without the first logarithm": plus(log(2), pi * log(pi) / 2)},
    ),
)
derivation.chain(
    "The more probable the output, the smaller the divergence",
    Slope(divergence, pi),
    equals(-log(1 + 1 / pi) / 2, "the product rule twice; the constants cancel", wrong={"no half": -log(1 + 1 / pi)}),
    so=r"The slope is negative: $1 + \frac1\pi > 1$. From $\log 2$ for an image that never occurs the divergence falls to 0 for "
    "one that is certain. So the best single output is the most probable image, the mode of the whole image and not of its "
    r"pixels. The sum $\mathrm{JSD} + \lambda E$ goes from the mode to the median as $\lambda$ grows.",
)
logits = derivation.numbers("l", n, "the logits of the patches of an output", "patch_logits_fake")
lam = derivation.number(r"\lambda", "the weight of the absolute error", "absolute_weight", positive=True)
derivation.bridge(
    "The generator's loss in pix2pix, with the non-saturating form of the adversary",
    plus(Total(n, log(1 + exp(-logits))) / N, lam * error),
    pix2pix_generator_loss,
    patch_logits_fake=[[[logits]]],
    output=[[[shown]]],
    target=[[[wanted]]],
    absolute_weight=lam,
    wrong={"the sum of the pixels": plus(Total(n, log(1 + exp(-logits))) / N, lam * N * error)},
)

# ---------------------------------------------------------------------------------------------------- patches

kernel = derivation.number("k_1", "the kernel of a layer", "kernels", between=(1, 9))
stride = derivation.number("s_1", "its stride", "strides", between=(1, 5))
reach = derivation.number("R", "the field behind this layer, less one", positive=True)
behind = derivation.define("r_2", 1 + reach, "the field behind this layer", positive=True)
k2, k3 = (derivation.number(f"k_{layer}", f"the kernel of layer {layer}", between=(1, 9)) for layer in (2, 3))
s2, s3 = (derivation.number(f"s_{layer}", f"the stride of layer {layer}", between=(1, 5)) for layer in (2, 3))
derivation.say(
    "What can a score depend on? The first of $r$ neighboring outputs of a layer starts at one input. The last of them starts "
    r"$(r - 1) s$ inputs later, and is $k$ inputs long. That makes $(r - 1) s + k$; where $s > k$, some in "
    "between are missed."
)
derivation.chain(
    "A layer multiplies the reach behind it by its own stride",
    plus(times(behind - 1, stride), kernel),
    equals(
        plus(1, kernel - 1, times(stride, reach)),
        r"$r_2 = 1 + R$",
        wrong={"the layer's own kernel is multiplied, too": plus(1, times(stride, kernel - 1), times(stride, reach))},
    ),
    so=r"So the reach of a stack, its field less one, is $k_1 - 1 + s_1 R$; by induction from $R = 0$ behind the last layer, "
    r"$r = 1 + \sum_l (k_l - 1) \prod_{j < l} s_j$. The product leaves out the layer's own stride, and the last stride does not "
    "matter.",
)
derivation.bridge(
    "The code, for three layers",
    plus(1, kernel - 1, (k2 - 1) * stride, (k3 - 1) * stride * s2),
    patch_receptive_field,
    kernels=(kernel, k2, k3),
    strides=(stride, s2, s3),
    wrong={"front to back": plus(1, k3 - 1, (k2 - 1) * s3, (kernel - 1) * s3 * s2)},
)

P = derivation.number("P", "the probability of a content of a patch, in the data", positive=True)
Q = derivation.number("Q", "... and in the generator's outputs", positive=True)
s = derivation.number("s", "the score of this content", "patch_scores_real, patch_scores_fake")
best = derivation.define("s^*", P / (P + Q), "the share of the data", positive=True)
missed = (P + Q) * (s - best) ** 2 / 2
derivation.chain(
    "Every content of a patch has its own best score",
    plus(P * (s - 1) ** 2, Q * s**2) / 2,
    equals(plus(missed, P * Q / (2 * (P + Q))), "complete the square", wrong={"no half": plus(2 * missed, P * Q / (P + Q))}),
    at_least(P * Q / (2 * (P + Q)), r"leave out the square, zero if and only if $s = s^*$", dropping=missed),
    so="The loss is a mean over patches, so only the laws of patches count: laws of images with equal laws of patches are the "
    "same for the discriminator, however different they are at a distance. With pairs the absolute error sees to the rest.",
)
real, fake = derivation.numbers("r", n, "scores of real patches"), derivation.numbers("f", n, "scores of generated patches")
patches = plus(Total(n, (real - 1) ** 2), Total(n, fake**2)) / (2 * N)
derivation.bridge(
    "The code's loss of the discriminator of an image",
    patches,
    patch_discriminator_loss,
    patch_scores_real=[[[real]]],
    patch_scores_fake=[[[fake]]],
    wrong={"the half forgotten": 2 * patches},
)


derivation.symbol(r"\mathrm{TV}", "the total variation of two laws")


@derivation.exact(
    r"\mathrm{TV}(\text{patches}) = 0,\qquad \mathrm{TV}(\text{images}) = \tfrac12",
    because=r"Images of three pixels, patches of two neighbors: the images 000, 011, 101, 110 against all eight. Every patch is "
    "uniform on 00, 01, 10, 11 in both.",
    outcomes=12,
    scale=1.0,
)
def equal_patches():
    everything = np.indices((2, 2, 2)).reshape(3, 8)
    even = everything[:, everything.sum(0) % 2 == 0]

    def law(images, *pixels):
        return np.bincount(np.array([4, 2, 1][: len(pixels)]) @ images[list(pixels)], minlength=8) / images.shape[1]

    parts = (0, 1), (1, 2), (0, 1, 2)
    found = [np.abs(law(even, *part) - law(everything, *part)).sum() / 2 for part in parts]
    return Sides(left=np.array(found), right=np.array([0.0, 0.0, 0.5]), wrong={"equal patches, hence equal images": np.zeros(3)})


# ---------------------------------------------------------------------------------------------------- cycles

derivation.say(
    "Now without pairs. The cycle loss is a mean of nonnegative terms with positive weights. It is zero if and only if "
    r"$F(G(x)) = x$ for every $x$ and $G(F(y)) = y$ for every $y$: if and only if $G$ is a bijection and $F$ its inverse. Let "
    r"$G_0$ be the intended translation, and $G$ another bijection that satisfies the discriminator. Then $A = G_0^{-1} \circ G$ "
    "is a bijection of $X$ that leaves $p$ as it is: a symmetry of $p$. Conversely $G_0 \\circ A$ is a solution for every "
    r"symmetry $A$ of $p$. So there are as many solutions as symmetries, and the losses determine the translation only if all "
    "points of $X$ have different probabilities."
)
derivation.symbol(r"\mathcal{S}", "the pairs $(G, F)$ with cycle loss zero and satisfied discriminators")
derivation.symbol("p", "the law of the inputs, on $X$")
derivation.symbol(r"\mathcal{A}", "the symmetries of $p$: permutations of $X$ that leave $p$ as it is")


def _solutions(p):
    """How many pairs of maps of as many points have no cycle loss; how many also satisfy both discriminators (q is p)."""
    points = np.arange(len(p))
    maps = np.array(list(itertools.product(points, repeat=len(p))))
    G, F = maps.repeat(len(maps), axis=0), np.tile(maps, (len(maps), 1))
    cycled = np.take_along_axis(F, G, axis=1), np.take_along_axis(G, F, axis=1)
    ones, image = np.ones((len(G), 1, 1, 1)), lambda states: jnp.asarray(states[:, None, None, :], float)
    x = image(np.broadcast_to(points, G.shape))
    losses = sum(cycle_generator_loss(ones, x, image(back), x, x) for back in cycled)  # every point once, as a row of pixels
    fits = np.stack([(maps == state) @ p == p[state] for state in points]).all(0)
    none = np.asarray(losses) == 0
    return none.sum(), (none & fits.repeat(len(maps)) & np.tile(fits, len(maps))).sum()


_LAWS = np.array([[2, 2, 2], [2, 1, 1], [4, 2, 1]])  # in whole numbers, so that equal means equal


@derivation.exact(
    r"|\mathcal{S}| = |\mathcal{A}| = 6,\ 2,\ 1",
    because=r"All pairs of maps between three points and three points, for the laws $(\frac13, \frac13, \frac13)$, $(\frac12, "
    r"\frac14, \frac14)$ and $(\frac47, \frac27, \frac17)$ of both domains. Six pairs have no cycle loss, whatever the law.",
    outcomes=2187,
    central=True,
)
def solutions_and_symmetries():
    symmetries = [sum(np.array_equal(p[list(order)], p) for order in itertools.permutations(range(3))) for p in _LAWS]
    found, six = np.array([_solutions(p) for p in _LAWS], float), np.full(3, 6.0)
    wrong = {"zero cycle loss, hence the right pairing": np.stack([six, np.ones(3)], axis=1)}
    return Sides(left=found, right=np.stack([six, np.array(symmetries, float)], axis=1), wrong=wrong)


derivation.say(
    r"On a line, $X$ with the law $\mathcal{N}(\mu, \sigma^2)$ and $Y$ with $\mathcal{N}(\nu, \tau^2)$: two linear maps satisfy "
    r"the discriminator, $G(x) = \nu \pm \frac\tau\sigma (x - \mu)$. Each has an inverse, so no cycle tells them apart."
)
mu, nu = derivation.number(r"\mu", "the mean of $X$"), derivation.number(r"\nu", "the mean of $Y$")
sigma = derivation.number(r"\sigma", "the deviation of $X$", positive=True)
tau = derivation.number(r"\tau", "the deviation of $Y$", positive=True)
r = derivation.define(r"\rho", tau / sigma, "the ratio of the deviations", positive=True)
Y = derivation.number("y", "a point of $Y$")
ahead, mirrored = nu + r * (Y - mu), nu - r * (Y - mu)
_law_of_y = Normal(Y, nu, tau**2)
derivation.chain(
    "The identity loss can: it prefers the solution that moves points less",
    plus(Expectation(_law_of_y, (mirrored - Y) ** 2), -Expectation(_law_of_y, (ahead - Y) ** 2)),
    equals(
        plus((r + 1) ** 2 * tau**2, -((r - 1) ** 2) * tau**2),
        r"both differences have the mean $\pm \rho (\nu - \mu)$, and the slopes $-(\rho + 1)$ and $\rho - 1$",
        wrong={"asked of the points of $X$": plus((r + 1) ** 2 * sigma**2, -((r - 1) ** 2) * sigma**2)},
    ),
    equals(4 * r * tau**2, "expand", wrong={"half": 2 * r * tau**2}),
    so=r"Positive: the increasing line costs less. The identity loss compares $G(y)$ with $y$, for a $y$ that is in the domain "
    "of the outputs already; it needs domains in one space.",
)
scores = derivation.numbers("z", n, "the scores of the patches of $G(x)$", "patch_scores_fake")
given, cycled = derivation.numbers("x'", n, "an input", "x"), derivation.numbers("x''", n, "... after its cycle", "x_cycled")
kept = derivation.numbers("y'", n, "an example of the other domain", "y")
translated = derivation.numbers("y''", n, "... and its translation", "y_identity")
cycle_weight = derivation.number(r"\lambda_c", "the weight of the cycle", "cycle_weight", positive=True)
identity_weight = derivation.number(r"\lambda_i", "the weight of the identity", "identity_weight", positive=True)
_apart = ((given, cycled), (kept, translated), (given, translated))
cycle, identity, on_x = (Total(n, Abs(one - other)) / N for one, other in _apart)
deceived = Total(n, (scores - 1) ** 2) / N
derivation.bridge(
    "The generator's loss in CycleGAN",
    plus(deceived, cycle_weight * cycle, identity_weight * identity),
    cycle_generator_loss,
    patch_scores_fake=[[[scores]]],
    x=[[[given]]],
    x_cycled=[[[cycled]]],
    y=[[[kept]]],
    y_identity=[[[translated]]],
    cycle_weight=cycle_weight,
    identity_weight=identity_weight,
    wrong={"identity on $x$": plus(deceived, cycle_weight * cycle, identity_weight * on_x)},
)

derivation.say(
    "Instance normalization is batch normalization of one channel of one image, so the results of the lecture on DCGAN hold with "
    "the pixels in place of the batch: mean 0, mean square just below 1, and a shift is forgotten. The examples of a batch do "
    "not interact."
)
pixels = derivation.numbers("h", n, "one channel of one image", "x")
eps = derivation.number(r"\epsilon", "what keeps the root from zero", "epsilon", positive=True)
contrast = derivation.number(r"\alpha", "a contrast", positive=True)
brightness = derivation.number(r"\beta", "a brightness")
mean = derivation.define(r"\bar h", Total(n, pixels) / N, "their mean")
spread = derivation.define("V", Total(n, (pixels - mean) ** 2) / N, "their variance, with $1/N$", positive=True)
derivation.bridge(
    "The code forgets brightness, and contrast up to what is added under the root",
    (pixels - mean) / sqrt(spread + eps / contrast**2),
    instance_normalize,
    x=[[[contrast * pixels + brightness]]],
    epsilon=eps,
    wrong={"the unbiased variance": (pixels - mean) / sqrt(spread * N / (N - 1) + eps / contrast**2)},
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_PLACES = np.array([0.1, 0.35, 0.3, 0.15, 0.1])
_LINES, _EDGES = np.eye(5), np.triu(np.ones((5, 5)))  # a bright pixel at a place; bright from that place on


def _errors(images, output):
    """Mean over the images of the summed absolute and of the summed squared error of one output."""
    outputs = jnp.broadcast_to(jnp.asarray(output, float), images.shape)[:, None, None]
    absolute = 5 * mean_absolute_error(outputs, jnp.asarray(images)[:, None, None])
    return [_PLACES @ np.asarray(absolute), _PLACES @ ((images - output) ** 2).sum(1)]


def _choices(images):
    """The mean, the median of every pixel, and the most probable image."""
    average = _PLACES @ images
    return average, np.round(average), images[np.argmax(_PLACES)]


@derivation.example(
    "A bright pixel at one of five places, with the probabilities 0.1, 0.35, 0.3, 0.15 and 0.1. Then an edge, bright from that "
    "place on. Absolute errors keep edges and delete thin lines. Last, the field behind each layer of the discriminator of "
    "pix2pix, kernels 4 and strides 2, 2, 2, 1, 1."
)
def one_bright_pixel():
    average, median, mode = _choices(_LINES)
    yield r"\text{absolute and squared error of the mean}", _errors(_LINES, average), "1.49, 0.745"
    yield r"\text{... of the median, a black image}", _errors(_LINES, median), "1, 1"
    yield r"\text{... of the mode, pixel 2}", _errors(_LINES, mode), "1.3, 1.3"
    by_code = jensen_shannon_divergence(jnp.log(_PLACES)[None], jnp.log(mode)[None])[0]
    yield (
        r"\mathrm{JSD}\ \text{of the mode, by the chain and by the code}",
        [value(divergence, {pi: 0.35}), by_code],
        "0.3069, 0.3069",
    )
    least = (np.log(2) - by_code) / ((1.3 - 1.0) / 5)
    yield r"\text{the mode wins over black below}\ \lambda", least, "6.44"
    yield r"\text{edge: mean and median}", _choices(_EDGES)[:2], "0.1, 0.45, 0.75, 0.9, 1; 0, 0, 1, 1, 1"
    kernels, strides = (4,) * 5, (2, 2, 2, 1, 1)
    fields = [patch_receptive_field(kernels=kernels[layer:], strides=strides[layer:]) for layer in range(5, -1, -1)]
    yield r"\text{fields, from the last layer}", np.array(fields), "1, 4, 7, 16, 34, 70"


@derivation.figure(
    "Left: the possible images of the example, five lines and five edges, and below them the mean, the median of every pixel and "
    "the mode. Right: points on a circle, with the same law in both domains; every rotation is a solution. The generator's loss "
    "with satisfied discriminators, with the cycle alone and with the identity loss, against the angle of rotation.",
    panels=2,
)
def choices_and_rotations(left, right):
    lines, edges = (np.concatenate([images, np.stack(_choices(images))]) for images in (_LINES, _EDGES))
    left.imshow(np.concatenate([lines, np.full((8, 1), np.nan), edges], axis=1), cmap="gray", vmin=0, vmax=1)
    left.axhline(4.5, linewidth=2)
    left.set(ylabel="probability, or choice", yticks=range(8), yticklabels=[*_PLACES, "mean", "median", "mode"])
    left.set(xlabel="pixels", xticks=[2, 8], xticklabels=["line", "edge"])
    around = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = jnp.asarray(np.stack([np.cos(around), np.sin(around)], axis=1)[:, :, None, None])
    shifts, ones = np.arange(-16, 17), np.ones((32, 1, 1, 1))
    for weight, label in ((0.0, "cycle alone"), (5.0, "with the identity")):
        turned = [jnp.roll(points, shift, axis=0) for shift in shifts]
        losses = [cycle_generator_loss(ones, points, points, points, y, identity_weight=weight).mean() for y in turned]
        right.plot(shifts * np.pi / 16, losses, label=label)
    right.set(xlabel="angle of rotation", ylabel="loss of the generator")
    right.legend(fontsize="small")


@derivation.exercise(
    r"The domain $X$ has the law $(\frac12, \frac14, \frac14)$ and $Y$ the law $(\frac14, \frac12, \frac14)$. How many "
    "cycle-consistent pairs of maps satisfy both discriminators?",
    r"2: the point of probability $\frac12$ has one possible image, the other two can be swapped. It is the number of "
    "symmetries of $p$.",
)
def exchanged_points():
    p, q = np.array([2, 1, 1]), np.array([1, 2, 1])  # a bijection takes x to order[x], and determines its inverse
    yield sum(np.array_equal(q[list(order)], p) for order in itertools.permutations(range(3))), "2"


@derivation.exercise(
    "Ten layers have the kernel 3 and the stride 1. How far does a score see? And with the stride 2 in the first two?",
    "21: every layer adds 2. With the strides 2, 2, 1, ...: the first layer adds 2, the second 4, and each of the other eight 8, "
    "so 71.",
)
def ten_layers():
    yield patch_receptive_field(kernels=(3,) * 10, strides=(1,) * 10), "21"
    yield patch_receptive_field(kernels=(3,) * 10, strides=(2, 2) + (1,) * 8), "71"


@derivation.exercise(
    "$X$ has three points of equal probability, $Y$ only two. Which part of $X$ can at most return from the cycle?",
    r"$\frac23$, 0.6667: two points of $X$ share their image, and only one of them comes back. A network can hide the rest in "
    "invisible details.",
)
def too_few_points():
    pairs = itertools.product(itertools.product(range(2), repeat=3), itertools.product(range(3), repeat=2))
    returned = [np.mean([back[there[x]] == x for x in range(3)]) for there, back in pairs]
    yield max(returned), "0.6667"
