r"""Which image a squared error, an absolute error and an adversary choose, how far a patch sees, and what a cycle leaves open.

The lecture on the functions of theory_jax/adversarial/image_translation.py.
"""

import itertools

import jax
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
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._translation import EDGES, LINES, PLACES, choices, draw_choices, errors, solutions
from theory_jax.lectures.lemmas.best_guess import best_guess

derivation = Derivation(
    module=__name__,
    title="Image translation: mean, median or mode of the possible outputs, patches, and what a cycle leaves open",
    sources=(
        "Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks",
        "Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        "Ulyanov, Vedaldi & Lempitsky 2016, Instance Normalization: The Missing Ingredient for Fast Stylization",
    ),
    question="A network that is trained to color photographs by a squared error makes everything gray-brown, and one that is "
    "trained without pairs may turn horses into the wrong zebras with a perfect cycle. Many outputs fit one input: which single "
    "image do a squared error, an absolute error and an adversary each choose? How far does a discriminator of patches see? And "
    "without pairs, what does a cycle loss of zero leave open?",
    setting=(
        "For a given input the target is one of finitely many images, with known probabilities. The generator is deterministic: "
        "it gives one output. For the first two questions it is enough to look at one pixel, since both errors are sums over "
        "pixels.",
        "A patch discriminator is a stack of convolutions with the kernels $k_l$ and strides $s_l$, and gives one score for "
        "every patch. The field of a score is the length of the input, from the first pixel to the last, that it depends on.",
        "Unpaired translation: two domains $X$ and $Y$, of finitely many points with the positive probabilities $p$ and $q$, and "
        r"two maps, $G$ from $X$ to $Y$ and $F$ back. The cycle loss is $\mathbb{E}_p |F(G(x)) - x| + \mathbb{E}_q |G(F(y)) - "
        "y|$. The discriminators are satisfied if $G(x)$ has the distribution $q$ for an $x$ from $p$, and $F(y)$ the "
        "distribution $p$ for a $y$ from $q$.",
    ),
    limits=(
        r"Continuous images: there every single output has the Jensen-Shannon divergence $\log 2$ from the data, and the "
        "comparison of probabilities needs noise on the images.",
        "Continuous domains beyond lines; noise in the generator; the preference of networks for the intended solution.",
    ),
)

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
        prose(
            r"values up to $m$ are farther away by $\delta$; for the others {error}",
            error=holds(Abs(v - delta), "=", plus(v, -delta, 2 * Max(0, delta - v))),
        ),
        wrong={"no value is passed": plus(low * delta, -(1 - low) * delta)},
    ),
    equals(plus(times(delta, 2 * low - 1), crossed), "collect"),
    at_least(times(delta, 2 * low - 1), "leave out a mean of maxima with 0", dropping=crossed),
    so=r"The first line is the mean error of the output $m + \delta$ less that of the output $m$. It is not negative if "
    r"$\varphi$ is at least $\frac12$; an output below $m$ is the mirror image, with the condition that the pixel is at least "
    r"$m$ with a probability of at least $\frac12$. Both hold for a median $m$ of the pixel. A pixel that is 0 or 1 gets 1 if "
    "that is the more probable value.",
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

derivation.say(
    "An adversary compares whole images. Let the discriminator see the input and be the best one. The lecture on conditional "
    "GANs showed that the generator then minimizes, input by input, the Jensen-Shannon divergence of the distribution of its "
    "outputs from that of the possible images. A deterministic generator puts all of its probability on one image."
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
    "The divergence of a single output depends on its probability alone",
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
    role="lemma",
)
derivation.answer = prose(
    "A squared error chooses the mean of the possible images, an absolute error the median of every pixel, and an adversary the "
    "most probable image, since the divergence of one output has the slope {slope} in its probability: blur, erasure and choice. "
    r"The field of a score follows from the last layer to the first, $r \leftarrow (r - 1) s + k$; what is farther apart the "
    "discriminator cannot compare. On finitely many points, all of positive probability, a cycle loss of zero makes $G$ a "
    "bijection and $F$ its inverse, but not the intended one: with satisfied discriminators the solutions are the intended "
    "translation after any symmetry of the inputs' distribution.",
    slope=holds(Slope(divergence, pi), "=", -log(1 + 1 / pi) / 2, named=True),
)
mode = derivation.chain(
    "The more probable the output, the smaller the divergence",
    Slope(divergence, pi),
    equals(-log(1 + 1 / pi) / 2, "the product rule twice; the constants cancel", wrong={"no half": -log(1 + 1 / pi)}),
    so=prose(
        "The slope is negative. From {never} for an image that never occurs the divergence falls to {sure} for one that is "
        "certain. So the best single output is the most probable image, the mode of the whole image and not of its pixels. The "
        r"best output for the sum $\mathrm{JSD} + \lambda E$ goes from the mode to the median as $\lambda$ grows.",
        never=holds(Limit(divergence, pi, 0), "=", log(2), named=True),
        sure=holds(divergence, "=", 0, when={pi: 1}, named=True),
    ),
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

kernel = derivation.number("k_1", "the kernel of a layer", "kernels", between=(1, 9))
stride = derivation.number("s_1", "its stride", "strides", between=(1, 5))
reach = derivation.number("R", "the field behind this layer, less one", positive=True)
behind = derivation.define("r_2", 1 + reach, "the field behind this layer", positive=True)
k2, k3 = (derivation.number(f"k_{layer}", f"the kernel of layer {layer}", between=(1, 9)) for layer in (2, 3))
s2, s3 = (derivation.number(f"s_{layer}", f"the stride of layer {layer}", between=(1, 5)) for layer in (2, 3))
derivation.say(
    "What can a score depend on? The first of $r$ neighboring outputs of a layer starts at one input. The last of them starts "
    "$(r - 1) s$ inputs later, and is $k$ inputs long. That makes $(r - 1) s + k$; where the stride is larger than the kernel, "
    "some in between are missed."
)
derivation.chain(
    "A layer multiplies the reach behind it by its own stride",
    plus(times(behind - 1, stride), kernel),
    equals(
        plus(1, kernel - 1, times(stride, reach)),
        prose("the field behind the layer is {field}", field=holds(behind, "=", 1 + reach, named=True)),
        wrong={"the layer's own kernel is multiplied, too": plus(1, times(stride, kernel - 1), times(stride, reach))},
    ),
    so=prose(
        "So the reach of a stack, its field less one, is {reach}; by induction from a reach of 0 behind the last layer, every "
        "layer adds its kernel less one, times the strides of all layers before it. Its own stride does not count, and the last "
        "stride does not matter.",
        reach=holds(times(behind - 1, stride) + kernel - 1, "=", plus(kernel - 1, stride * reach), named=True),
    ),
    role="lemma",
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
of_patches = derivation.chain(
    "The best score of a patch's content is the share of the data",
    plus(P * (s - 1) ** 2, Q * s**2) / 2,
    equals(plus(missed, P * Q / (2 * (P + Q))), "complete the square", wrong={"no half": plus(2 * missed, P * Q / (P + Q))}),
    at_least(
        P * Q / (2 * (P + Q)), prose("leave out the square, zero if and only if {best}", best=where(s, best)), dropping=missed
    ),
    so="The loss is a mean over patches, so only the distributions of patches count: images whose patches have equal "
    "distributions are the same for the discriminator, however different they are at a distance. With pairs the absolute error "
    "sees to the rest.",
    role="lemma",
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


derivation.symbol(r"\mathrm{TV}", "the total variation of two distributions")


@derivation.exact(
    r"\mathrm{TV}(\text{patches}) = 0,\qquad \mathrm{TV}(\text{images}) = \tfrac12",
    because="Images of three pixels, patches of two neighbors: the images 000, 011, 101, 110 against all eight. Every patch is "
    "uniform on 00, 01, 10, 11 in both.",
    outcomes=12,
    scale=1.0,
    role="remark",
)
def equal_patches():
    everything = np.indices((2, 2, 2)).reshape(3, 8)
    even = everything[:, everything.sum(0) % 2 == 0]

    def law(images, *pixels):
        return np.bincount(np.array([4, 2, 1][: len(pixels)]) @ images[list(pixels)], minlength=8) / images.shape[1]

    parts = (0, 1), (1, 2), (0, 1, 2)
    found = [np.abs(law(even, *part) - law(everything, *part)).sum() / 2 for part in parts]
    return Sides(left=np.array(found), right=np.array([0.0, 0.0, 0.5]), wrong={"equal patches, hence equal images": np.zeros(3)})


derivation.say(
    "Now without pairs. The cycle loss is a mean of nonnegative terms with positive weights. It is zero if and only if $F$ takes "
    "every $G(x)$ back to $x$ and $G$ every $F(y)$ back to $y$: if and only if $G$ is a bijection and $F$ its inverse. Let $G_0$ "
    "be the intended translation, and $G$ another bijection that satisfies the discriminator. Then $G$ followed by the inverse "
    r"of $G_0$ is a bijection of $X$ that leaves $p$ as it is: a symmetry of $p$. Conversely $G_0 \circ A$ is a solution for "
    "every symmetry $A$ of $p$. So there are as many solutions as symmetries, and the losses determine the translation only if "
    "all points of $X$ have different probabilities."
)
derivation.symbol(r"\mathcal{S}", "the pairs $(G, F)$ with cycle loss zero and satisfied discriminators")
derivation.symbol("p", "the distribution of the inputs, on $X$")
derivation.symbol(r"\mathcal{A}", "the symmetries of $p$: permutations of $X$ that leave $p$ as it is")


_LAWS = np.array([[2, 2, 2], [2, 1, 1], [4, 2, 1]])  # in whole numbers, so that equal means equal


@derivation.exact(
    r"|\mathcal{S}| = |\mathcal{A}| = 6,\ 2,\ 1",
    because=r"All pairs of maps between three points and three points, for the distributions $(\frac13, \frac13, \frac13)$, "
    r"$(\frac12, \frac14, \frac14)$ and $(\frac47, \frac27, \frac17)$ of both domains. Six pairs have no cycle loss, whatever "
    "the distribution.",
    outcomes=2187,
    central=True,
)
def solutions_and_symmetries():
    symmetries = [sum(np.array_equal(p[list(order)], p) for order in itertools.permutations(range(3))) for p in _LAWS]
    found, six = np.array([solutions(p) for p in _LAWS], float), np.full(3, 6.0)
    wrong = {"zero cycle loss, hence the right pairing": np.stack([six, np.ones(3)], axis=1)}
    return Sides(left=found, right=np.stack([six, np.array(symmetries, float)], axis=1), wrong=wrong)


derivation.say(
    r"On a line, $X$ with the distribution $\mathcal{N}(\mu, \sigma^2)$ and $Y$ with $\mathcal{N}(\nu, \tau^2)$: two linear maps "
    r"satisfy the discriminator, those to $\nu \pm \frac\tau\sigma (x - \mu)$. Each has an inverse, so no cycle tells them apart."
)
mu, nu = derivation.number(r"\mu", "the mean of $X$"), derivation.number(r"\nu", "the mean of $Y$")
sigma = derivation.number(r"\sigma", "the deviation of $X$", positive=True)
tau = derivation.number(r"\tau", "the deviation of $Y$", positive=True)
r = derivation.define(r"\rho", tau / sigma, "the ratio of the deviations", positive=True)
Y = derivation.number("y", "a point of $Y$")
ahead, mirrored = nu + r * (Y - mu), nu - r * (Y - mu)
_law_of_y = Normal(Y, nu, tau**2)
derivation.chain(
    "The identity loss prefers the solution that moves points less",
    plus(Expectation(_law_of_y, (mirrored - Y) ** 2), -Expectation(_law_of_y, (ahead - Y) ** 2)),
    equals(
        plus((r + 1) ** 2 * tau**2, -((r - 1) ** 2) * tau**2),
        prose(
            r"the differences have the means {down} and {up}, and the slopes $-(\rho + 1)$ and $\rho - 1$",
            down=holds(Expectation(_law_of_y, mirrored - Y), "=", -r * (nu - mu), named=True),
            up=holds(Expectation(_law_of_y, ahead - Y), "=", r * (nu - mu), named=True),
        ),
        wrong={"asked of the points of $X$": plus((r + 1) ** 2 * sigma**2, -((r - 1) ** 2) * sigma**2)},
    ),
    equals(4 * r * tau**2, "expand", wrong={"half": 2 * r * tau**2}),
    so="Positive: the increasing line costs less, also in absolute errors, since both differences are Gaussian with means of "
    "one size. The identity loss compares $G(y)$ with $y$, for a $y$ that is in the domain of the outputs already; it needs "
    "domains in one space.",
    role="remark",
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


@derivation.algorithm(
    "A training step of translation, with pairs and without",
    do("with pairs: step the discriminator of patches, which sees the input, on pairs and on outputs", by=of_patches),
    do(r"... and $G$ down $-\log \sigma$ of the patches' logits, plus $\lambda E$", pix2pix_generator_loss, by=mode),
    do("without: translate $x$ by $G$ and $y$ by $F$, and both back"),
    do(
        r"step each discriminator down $\frac12$ the mean of $(r - 1)^2 + f^2$ over patches",
        patch_discriminator_loss,
        by=of_patches,
    ),
    do(r"... and $G$ down $(z - 1)^2 + \lambda_c |x - F(G(x))| + \lambda_i |y - G(y)|$; $F$ likewise", cycle_generator_loss),
)
def two_steps_of_a_shift():
    def pixel(value):
        return jnp.reshape(value, (1, 1, 1, 1))

    def loss(shift, x=0.0, y=2.0):
        moved, back = x + shift, x + shift - 0.5
        scores = pixel(moved / 2)
        return cycle_generator_loss(scores, pixel(x), pixel(back), pixel(y), pixel(y + shift))[0]

    shift = jnp.asarray(1.0)
    start = r"x = 0, y = 2, G(x) = x + b \text{ from } b = 1, F(y) = y - \tfrac12, \text{ scores } y/2: \quad "
    for stated, moved in (("10.25", "0.855"), ("8.1528", "0.7107")):
        yield start + r"\text{loss of } G", loss(shift), stated
        shift = shift - jax.grad(loss)(shift) / 100
        yield "b", shift, moved
        start = ""
    yield r"\text{discriminator, at the scores 1 and } \tfrac12", patch_discriminator_loss(pixel(1.0), pixel(0.5)), "0.125"
    yield (
        r"\text{pix2pix, logit 0, output 1, target 2, } \lambda = 100",
        pix2pix_generator_loss(pixel(0.0), pixel(1.0), pixel(2.0)),
        "100.6931",
    )


@derivation.example(
    "A bright pixel at one of five positions, with the probabilities 0.1, 0.35, 0.3, 0.15 and 0.1. Then an edge, bright from "
    "that place on. Absolute errors keep edges and delete thin lines. Last, the field behind each layer of the discriminator of "
    "pix2pix, kernels 4 and strides 2, 2, 2, 1, 1."
)
def one_bright_pixel():
    average, median, mode = choices(LINES)
    yield r"\text{absolute and squared error of the mean}", errors(LINES, average), "1.49, 0.745"
    yield r"\text{... of the median, a black image}", errors(LINES, median), "1, 1"
    yield r"\text{... of the mode, pixel 2}", errors(LINES, mode), "1.3, 1.3"
    by_code = jensen_shannon_divergence(jnp.log(PLACES)[None], jnp.log(mode)[None])[0]
    yield (
        r"\mathrm{JSD}\ \text{of the mode, by the chain and by the code}",
        [value(divergence, {pi: 0.35}), by_code],
        "0.3069, 0.3069",
    )
    least = (np.log(2) - by_code) / ((1.3 - 1.0) / 5)
    yield r"\text{the mode wins over black below}\ \lambda", least, "6.44"
    yield r"\text{edge: mean and median}", choices(EDGES)[:2], "0.1, 0.45, 0.75, 0.9, 1; 0, 0, 1, 1, 1"
    kernels, strides = (4,) * 5, (2, 2, 2, 1, 1)
    fields = [patch_receptive_field(kernels=kernels[layer:], strides=strides[layer:]) for layer in range(5, -1, -1)]
    yield r"\text{fields, from the last layer}", np.array(fields), "1, 4, 7, 16, 34, 70"


@derivation.figure(
    "Left: the possible images of the example, five lines and five edges, and below them the mean, the median of every pixel and "
    "the mode. Right: points on a circle, with the same distribution in both domains; every rotation is a solution. The "
    "generator's loss with satisfied discriminators, with the cycle alone and with the identity loss, against the angle of "
    "rotation.",
    panels=2,
)
def choices_and_rotations(left, right):
    draw_choices(left, right)
