"""StyleGAN: which effects of a style survive normalization, and which generators the path length penalty prefers.

The lecture on the functions of theory_jax/adversarial/style_gan.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, oo, sqrt

from theory_jax.adversarial.style_gan import (
    adaptive_instance_normalization,
    mix_styles,
    modulated_convolution,
    normalize_latent_code,
    path_length_penalty,
    truncate_latent,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._styles import draw_styles, mean_length, mean_penalty, normalized, one_pixel, others, pixel

derivation = Derivation(
    module=__name__,
    title="StyleGAN: which effects of a style survive normalization, and which generators the path length penalty prefers",
    sources=(
        "Karras, Laine & Aila 2019, A Style-Based Generator Architecture for Generative Adversarial Networks",
        "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, sections 2 and 3",
        "Huang & Belongie 2017, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
    ),
    question="The images of the first StyleGAN have droplets, small blobs that no loss removes, and equal steps in its code "
    "change an image now hardly and now completely. A style multiplies each channel by one number. Which of its effects survive "
    "normalization, why can the lengths of kernels take the place of statistics of features, what does truncation cost, and "
    "which generators does the path length penalty prefer?",
    setting=(
        r"An output $z$ of a convolution at an inner pixel is $\sum_{c,k} w_{c,k} s_c x_{c,k}$: weights $w$, a style $s$ with a "
        r"gain for each channel $c$, inputs $x$ under the positions $k$ of the kernel. Demodulation makes it $z / \sqrt{S + "
        r"\epsilon}$, $S$ the squared length of the kernel $w s$. Inputs have mean 0, variance 1 and correlations $R$.",
        "Adaptive instance normalization subtracts the mean of a channel's pixels, divides by their standard deviation, and "
        "applies the scale and shift of the style.",
        r"A code $u$ is the output of the mapping network; truncation moves it to $\bar u + \psi (u - \bar u)$, $\bar u$ the "
        "mean code. $J$ is the Jacobian of the $D$ pixels with respect to the $L$ numbers of a code, no more than the pixels, "
        r"with singular values $\sigma_j$, and $y$ an image of independent standard normal numbers. The penalty is $\mathbb{E} "
        r"(|J^\top y| - a)^2$.",
    ),
    limits=(
        "That features of a trained network are white. Borders, where fewer taps act and the variance is below 1.",
        "That equal singular values look better, and that layers control scales of an image: empirical claims.",
    ),
)

c, d = derivation.index("c", "a channel of the input"), derivation.index("d", "a channel, next to $c$")
k, l = derivation.index("k", "a position in the kernel"), derivation.index("l", "a position, next to $k$")  # noqa: E741
m = derivation.index("m", "an outcome of what is random")
p = derivation.law("p", m, "the probabilities of the outcomes")
w = derivation.numbers("w", (c, k), "the weights of one output channel", "weight")
s = derivation.numbers("s", c, "the style", "style")
x = derivation.numbers("x", (c, k, m), "the inputs", "x")
eps = derivation.number(r"\epsilon", "a small number", "epsilon", positive=True)
kernel = derivation.define("v", w * s, "the modulated kernel", over=(c, k))


def _taps(body):
    return Total(c, Total(k, body))


def _pairs(body):
    return _taps(Total(d, Total(l, body)))


S = derivation.define("S", _taps(kernel**2), "its squared length")
T = derivation.define("T", _taps(kernel), "the sum of its entries")
z = derivation.define("z", _taps(kernel * x), "the output of the convolution", "modulated_convolution(demodulate=False)", over=m)
y = derivation.define(r"\hat z", z / sqrt(S + eps), "the demodulated output", "modulated_convolution", over=m)
R = derivation.define("R", Expectation(p, x * x.at(d, l, m)), "the correlations of the inputs", over=(c, k, d, l))
rho = derivation.number(r"\rho", "a correlation that all pairs of inputs have", between=(-1, 1))

derivation.say(
    "The gains of a style may be moved from the input into the weights: every example then has a kernel $v$ of its own, and this "
    "kernel alone says what the style does to the size of the output."
)
_x = derivation.numbers(r"\xi", (c, k), "the inputs of one outcome", "x")
derivation.bridge(
    "The code modulates and demodulates",
    _taps(kernel * _x) / sqrt(S + eps),
    one_pixel,
    x=_x,
    weight=w,
    style=s,
    epsilon=eps,
    calls=(modulated_convolution,),
    wrong={"the style after demodulation": _taps(kernel * _x) / sqrt(_taps(w**2) + eps)},
)
square = derivation.chain(
    "The mean square of a demodulated output depends on the kernel and the correlations alone",
    Expectation(p, y**2),
    equals(Expectation(p, z**2) / (S + eps), "the divisor does not depend on the input"),
    equals(
        _pairs(kernel * kernel.at(d, l) * R) / (S + eps),
        "multiply out the square; the expectation is linear",
        wrong={"the squares alone": _taps(kernel**2 * R.at(c, k, c, k)) / (S + eps)},
    ),
    states=2,
    role="lemma",
)
white = derivation.chain(
    "Demodulation normalizes white inputs, and lets correlations pass",
    _pairs(kernel * kernel.at(d, l) * plus(rho, times(1 - rho, KroneckerDelta(c, d), KroneckerDelta(k, l)))) / (S + eps),
    equals(
        plus(times(1 - rho, S), rho * T**2) / (S + eps),
        "only the pairs of equal inputs have the second part of the correlation",
        wrong={"the sum of the kernel not squared": plus(times(1 - rho, S), rho * T) / (S + eps)},
    ),
    equals(
        plus(1, -eps / (S + eps), times(rho, T**2 - S) / (S + eps)),
        prose("{part}", part=holds(S / (S + eps), "=", 1 - eps / (S + eps))),
    ),
    uses=(square,),
    states=2,
    so=prose(
        "For white inputs, with {none}, it is {one}: the variance is 1 up to the small number, whatever the style and the "
        "weights. With positive correlations a kernel whose weights have one sign gives more, as $T^2$ exceeds $S$: this part "
        "depends on the style, and is not removed.",
        none=where(rho, 0),
        one=holds(plus(times(1 - rho, S), rho * T**2) / (S + eps), "=", 1 - eps / (S + eps), named=True),
    ),
)
derivation.chain(
    "Only the ratios of the gains act, but for the small number",
    _taps(w * Slope(y, w)),
    equals(Total(c, s * Slope(y, s)), "both are the slope by a common factor of the kernel $v$"),
    equals(
        eps / (S + eps) * y,
        r"Euler's identity: $z$ is of degree 1 in the style, $S$ of degree 2: this is $\hat z - \frac{S}{S + \epsilon} \hat z$",
        wrong={"no demodulation": y, "$S$ of degree 1": plus(y, -S / (2 * (S + eps)) * y)},
    ),
    states=2,
    so=prose(
        "Without the small number the slopes along the style and along the weights are {zero}: a common positive factor of all "
        "gains has no effect, and small steps of gradient descent do not change it. A style of $C$ gains has $C - 1$ effective "
        "numbers.",
        zero=holds(Total(c, s * Slope(y, s)), "=", 0, when={eps: 0}, named=True),
    ),
)

derivation.say(
    "The first StyleGAN divided by what is there: the standard deviation of a channel's pixels. Let one pixel carry a spike."
)
i = derivation.index("i", "another pixel")
n = derivation.count(i, "n", "the number of the other pixels")
h, b = derivation.number("h", "the spike"), derivation.numbers("b", i, "the other pixels")
mean_b = derivation.define(r"\bar b", Total(i, b) / n, "their mean")
tau = derivation.define(r"\tau", Total(i, (b - mean_b) ** 2) / n, "their variance")
mean_x = derivation.define(r"\bar x", (h + Total(i, b)) / (n + 1), "the mean of all pixels")
V = derivation.define("V", ((h - mean_x) ** 2 + Total(i, (b - mean_x) ** 2)) / (n + 1), "the variance of all pixels")
scale, shift = derivation.number(r"\gamma", "the scale", "scale"), derivation.number(r"\beta", "the shift", "shift")
derivation.bridge(
    "The code normalizes the pixels of a channel",
    scale * (b - mean_x) / sqrt(V + eps) + shift,
    others,
    spike=h,
    others=b,
    scale=scale,
    shift=shift,
    epsilon=eps,
    calls=(adaptive_instance_normalization,),
    wrong={"the variance divided by $n$": scale * (b - mean_x) / sqrt(V * (n + 1) / n + eps) + shift},
)
derivation.chain(
    "A high spike dims all other pixels",
    Limit(h**2 * tau / V, h, oo),
    equals(
        Limit(h**2 * tau / plus(n * (h - mean_b) ** 2 / (n + 1) ** 2, n * tau / (n + 1)), h, oo),
        "the variance between the two groups of pixels, and the mean of those within them",
    ),
    equals(
        (n + 1) ** 2 / n * tau,
        r"the first variance grows, the second does not",
        wrong={"no influence": tau, "$n$ pixels": n * tau},
    ),
    states=2,
    so="Without the small number the other pixels' standard deviation falls as $1/h$ for high spikes: a generator can set the "
    "strength of a channel by a spike, in spite of the normalization. Such spikes are the droplets in images of the first "
    "StyleGAN. $S$ does not depend on the input, so a demodulated layer changes only where the spike reaches.",
)

derivation.say("Next, the codes. The latent is normalized first, then mapped to a code; a code may be truncated or mixed.")
j = derivation.index("j", "a number of a code, or a direction in which the image changes")
L = derivation.count(j, "L", "the length of a code")
latent = derivation.numbers(r"\zeta", j, "a latent", "z")
derivation.bridge(
    "The code normalizes a latent",
    latent / sqrt(Total(j, latent**2) / L + eps),
    normalize_latent_code,
    z=[latent],
    epsilon=eps,
    wrong={"to length 1": latent / sqrt(Total(j, latent**2) + eps)},
)
u = derivation.number("u", "one number of a code", "w")
center = derivation.number(r"\bar u", "its mean over all codes", "mean_w")
other = derivation.number("t", "what takes its place")
price = derivation.number(r"\lambda", "the weight of typical codes", positive=True)
deviation = derivation.number(r"\sigma_u", "its standard deviation", positive=True)
psi = derivation.define(r"\psi", 1 / (1 + price), "the truncation", "psi", positive=True)
truncated = derivation.define(r"u^\psi", center + psi * (u - center), "the truncated number", "truncate_latent")
far, near = (1 + price) * (other - truncated) ** 2, price * psi * (u - center) ** 2
compromise = derivation.chain(
    "Truncation is a compromise between a code and the mean code",
    plus((other - u) ** 2, price * (other - center) ** 2),
    equals(plus(far, near), "complete the square", wrong={"towards zero": plus((1 + price) * (other - psi * u) ** 2, near)}),
    at_least(near, prose("leave out a square, zero at {best}", best=where(other, truncated)), dropping=far),
    role="lemma",
)
derivation.symbol("W_2", "the Wasserstein distance with squared costs", "frechet_distance")
law = Normal(u, center, deviation**2)
derivation.chain(
    "The price of truncation, for a Gaussian code, is a share of its variance",
    Expectation(law, (u - truncated) ** 2),
    equals(
        (1 - psi) ** 2 * Variance(law, u),
        prose("{move}", move=holds(plus(u, -truncated), "=", times(1 - psi, u - center))),
        wrong={"the variance that is lost": (1 - psi**2) * Variance(law, u)},
    ),
    so=prose(
        "The variance becomes {variance}. No coupling of the two Gaussian distributions is cheaper: the price is $W_2^2$.",
        variance=holds(Variance(law, truncated), "=", psi**2 * Variance(law, u), named=True),
    ),
    role="remark",
)
derivation.bridge(
    "The code truncates", [[truncated]], truncate_latent, w=[[u]], mean_w=[center], psi=psi, wrong={"towards zero": [[psi * u]]}
)


@derivation.exact(
    r"\text{share of crossovers that leave two layers one code} = 1 - \frac{\text{distance}}{\text{number of layers} + 1}",
    because="Of 0, 1, ..., 4, for four layers: the crossover falls between them in as many cases as their distance. The two "
    "codes are independent, so that the generator cannot rely on distant layers agreeing.",
    outcomes=5,
    role="remark",
)
def mixed_layers():
    first, second = jnp.zeros((1, 4, 1)), jnp.ones((1, 4, 1))
    mixed = jnp.concatenate([mix_styles(first, second, crossover=cut) for cut in range(5)])[..., 0]
    apart = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    return Sides(
        left=jnp.mean((mixed[:, :, None] == mixed[:, None, :]).astype(float), axis=0),
        right=1 - apart / 5,
        wrong={"as many cases as layers": 1 - apart / 4},
    )


derivation.say(
    r"Last, the penalty. One backward pass gives $J^\top y$, the gradient of $\langle G(u), y \rangle$. In singular directions "
    r"its squared length is $\sum_j \sigma_j^2 g_j^2$, with independent standard normal $g_j$. Two facts about them are used: "
    "their mean square is 1, and all have the same part in the length $r$ of $g$."
)
derivation.symbol("J", "the Jacobian of the pixels with respect to the code")
derivation.symbol("M", "the inner products of the rows of $J$, one row for each pixel $d$")
derivation.symbol(r"\mathrm{tr}", "the trace")
derivation.symbol("y", "an image of noise, with the pixels $y_d$")
g = derivation.numbers(r"g^2", (j, m), "the squares of the normal numbers in the singular directions", positive=True)
sigma = derivation.numbers(r"\sigma", j, "the singular values of the Jacobian", positive=True)
r = derivation.define("r", sqrt(Total(j, g)), r"the length of $g$", over=m, positive=True)
q = derivation.define("q", sqrt(Total(j, sigma**2 * g)), r"the length $|J^\top y|$", over=m, positive=True)
mean_square = derivation.define(r"\bar\tau", Total(j, sigma**2) / L, "the mean of the squared singular values", positive=True)
a = derivation.number("a", "the length that the penalty wants", "running_length", positive=True)
kappa = derivation.number(r"\kappa", r"the mean of $r$, $\sqrt 2\,\Gamma(\frac{L + 1}{2})/\Gamma(\frac L2)$", positive=True)
expanded = derivation.chain(
    "In singular directions the penalty needs the mean squares and the mean length",
    Expectation(p, (q - a) ** 2),
    equals(plus(Total(j, sigma**2 * Expectation(p, g)), -2 * a * Expectation(p, q), a**2), "multiply out"),
    states=2,
    role="lemma",
    so=prose(
        "The mean square of a normal number is 1, so the first term is {norm}, the squared Frobenius norm of $J$.",
        norm=holds(Total(j, sigma**2), "=", L * mean_square, named=True),
    ),
)
derivation.bridge(
    "The code's penalty of one length",
    (sqrt(Total(j, sigma**2)) - a) ** 2,
    path_length_penalty,
    jacobian_vector=[sigma],
    running_length=a,
    wrong={"of the squared length": (Total(j, sigma**2) - a) ** 2},
)
longest = derivation.chain(
    "The mean length is bounded by two means of the length of g, for any distribution",
    Expectation(p, q),
    at_most(
        plus(Total(j, sigma**2 * Expectation(p, g / r)) / (2 * sqrt(mean_square)), sqrt(mean_square) / 2 * Expectation(p, r)),
        prose(
            r"{square}, at the root of $\bar\tau$ times $r$ in place of $a$",
            square=holds(q, "=", plus(q**2 / (2 * a), a / 2, -((q - a) ** 2) / (2 * a))),
        ),
        adding=Expectation(p, (q - sqrt(mean_square) * r) ** 2 / (2 * sqrt(mean_square) * r)),
    ),
    states=2,
    role="lemma",
)
longest_of_all = derivation.chain(
    "Where all directions are alike, the mean length is at most that of equal singular values",
    plus(Total(j, sigma**2 * kappa / L) / (2 * sqrt(mean_square)), sqrt(mean_square) / 2 * kappa),
    equals(
        sqrt(mean_square) * kappa,
        prose("{sum}", sum=holds(Total(j, sigma**2), "=", L * mean_square)),
        wrong={"half of it": sqrt(mean_square) * kappa / 2},
    ),
    uses=(longest,),
    so=prose(
        r"The parts $g_j^2 / r$ add up to $r$, {parts}, and have one mean, so each has $\kappa / L$. Hence the mean of $|J^\top "
        "y|$ is at most {most}, with equality if and only if all singular values are equal, where {equal}.",
        parts=holds(Total(j, g / r), "=", r),
        most=kappa * sqrt(mean_square),
        equal=holds(q, "=", sqrt(mean_square) * r, when={sigma: sigma.at(0)}),
    ),
    role="lemma",
)
_lost = r"what unequal singular values lose, $\kappa \sqrt{\bar\tau} - \mathbb{E} |J^\top y|$"
gap = derivation.number(r"\delta", _lost, nonnegative=True)
least = a**2 * (1 - kappa**2 / L)
missed = times(L, (sqrt(mean_square) - a * kappa / L) ** 2)
mean_penalty_of = plus(L * mean_square, times(-2 * a, plus(kappa * sqrt(mean_square), -gap)), a**2)
derivation.answer = prose(
    r"But for $\varepsilon$, only the ratios of the gains survive. Demodulation gives white inputs the variance {white}, "
    "whatever the style, as normalization does, but without looking at the features: a spike cannot dim the rest of an image. "
    "Truncation makes the variance of a Gaussian code {variance}. The penalty is least, {least}, where all singular values of "
    "$J$ are {best}: steps of one length in a code change the image by one length in all directions. It is never zero.",
    white=holds(S / (S + eps), "=", 1 - eps / (S + eps), named=True),
    variance=holds(Variance(law, truncated), "=", psi**2 * Variance(law, u), named=True),
    least=holds(mean_penalty_of, "=", least, when={sigma: a * kappa / L, gap: 0}, named=True),
    best=a * kappa / L,
)
central = derivation.chain(
    "The path length penalty prefers equal singular values, and is never zero",
    mean_penalty_of,
    equals(
        plus(missed, least, 2 * a * gap),
        r"complete the square in $\sqrt{\bar\tau}$",
        wrong={"the minimum is zero": plus(missed, 2 * a * gap)},
    ),
    at_least(
        least,
        prose(
            "leave out a square and what unequal singular values lose, both zero for {equal} and {none}",
            equal=where(sigma, a * kappa / L),
            none=where(gap, 0),
        ),
        dropping=plus(missed, 2 * a * gap),
    ),
    uses=(expanded, longest_of_all),
    central=True,
    so=r"The first line is $\mathbb{E} (|J^\top y| - a)^2$. At the minimum all singular values are equal: steps of one length in "
    "the code change the image by one length, in every direction. The rest, for long codes close to $a^2/(2L)$, is the spread of "
    "the length of a normal vector.",
)


@derivation.symbolic(
    r"\mathrm{Var}\,|J^\top y|^2 = 2 \Big(\mathrm{tr}\,M^2 - \sum_d M_{d,d}^2\Big),\quad M = J J^\top,\quad y_d = \pm 1",
    because="Signs for normal numbers: all $J$ of three pixels and two numbers, all 8 images. There is no spread only if the "
    "rows of $J$ are orthogonal: at most $L$ of all pixels could depend on the code. An isometry has orthogonal columns.",
    role="remark",
)
def images_of_signs():
    jacobian = sympy.Matrix(3, 2, sympy.symbols("j:6", real=True))
    images = [sympy.Matrix(signs) for signs in itertools.product((1, -1), repeat=3)]
    squares = [sympy.expand((jacobian.T * image).dot(jacobian.T * image)) for image in images]
    inner = jacobian * jacobian.T
    off = (inner**2).trace() - sum(inner[row, row] ** 2 for row in range(3))
    return Sides(left=sum(s**2 for s in squares) / 8 - (sum(squares) / 8) ** 2, right=2 * off, wrong={"each pair once": off})


@derivation.algorithm(
    "An image of StyleGAN 2, and the penalty",
    do(r"$\zeta \leftarrow$ a normal latent, normalized; map it to a code $u$", normalize_latent_code),
    do(r"at test time $u \leftarrow \bar u + \psi (u - \bar u)$", truncate_latent, by=compromise),
    do("in training, the layers from a random one on get the code of another latent", mix_styles),
    do(r"in every layer, convolve with $w s / \sqrt{S + \epsilon}$", modulated_convolution, by=white),
    do(r"now and then, step down the gradient of $(|J^\top y| - a)^2$, with $a$ a running mean", path_length_penalty, by=central),
)
def one_image():
    code = normalize_latent_code(jnp.array([[3.0, 4.0]]))
    yield r"\zeta = (3, 4): \quad \text{normalized}", code[0], "0.8485, 1.1314"
    code = truncate_latent(code, jnp.zeros(2), psi=0.7)
    yield r"\bar u = 0, \psi = 0.7: \quad u^\psi", code[0], "0.5940, 0.7920"
    yield (
        r"\text{two layers, mixed with } 0",
        mix_styles(code[:, None].repeat(2, 1), jnp.zeros((1, 2, 2)), crossover=1)[0],
        "0.5940, 0.7920, 0, 0",
    )
    given = jnp.array([[[[1.0]], [[0.0]]]]), jnp.array([[[[3.0]], [[4.0]]]])
    yield (
        r"w = (3, 4), s = (4, 3), x = (1, 0): \quad \hat z",
        modulated_convolution(*given, jnp.array([[4.0, 3.0]]), padding=0)[0, 0],
        "0.7071",
    )
    yield r"J^\top y = (3, 4), a = 4: \quad \text{penalty}", path_length_penalty(jnp.array([[3.0, 4.0]]), jnp.asarray(4.0)), "1"


@derivation.example(
    "A kernel of one pixel with the weights $(3, 4)$, under two styles. The pixels $(-1, 0, 1, h)$, normalized. Codes truncated "
    r"with 0.7. Last, penalties with the length 1, of codes of two numbers, for three pairs of $\sigma^2$ with the mean 1, and "
    "the least ones."
)
def one_kernel():
    yield r"\text{style } (1, 1)\text{: gains}", [pixel([1.0, 0], [1.0, 1]), pixel([0, 1.0], [1.0, 1])], "3/5, 4/5"
    yield r"\text{style } (4, 3)\text{: gains}", [pixel([1.0, 0], [4.0, 3]), pixel([0, 1.0], [4.0, 3])], "0.7071, 0.7071"
    yield r"\text{style } (1, 1),\ \rho = \frac12\text{: variance}", 1 + (pixel([1.0, 1], [1.0, 1]) ** 2 - 1) / 2, "1.48"
    yield "h = 0", normalized(0.0), "-1.4142, 0, 1.4142, 0"
    yield "h = 10", normalized(10.0), "-0.7977, -0.5698, -0.3419, 1.7094"
    deviations = truncate_latent(jnp.ones((1, 1)), jnp.zeros(1), psi=0.7)[0, 0]
    yield r"\text{variance and } W_2^2 \text{ at } \psi = 0.7", [deviations**2, (1 - deviations) ** 2], "0.49, 0.09"
    pairs = ((1.0, 1.0), (1.5, 0.5), (2.0, 0.0))
    found = [mean_penalty(first**0.5, second**0.5) for first, second in pairs]
    yield r"\text{penalties}", found, "0.4934, 0.5351, 0.7432"
    rests = [1 - mean_length(size) ** 2 / size for size in (1, 2, 16, 512)]
    yield r"\text{least, } L = 1, 2, 16, 512", rests, "0.3634, 0.2146, 0.0307, 0.00098"


@derivation.figure(
    "Left: the images of a circle of steps in a code, for three Jacobians of equal Frobenius norm, with their penalties for the "
    "length 1. Right: the pixels $-1$, 0 and 1 of a map as a fourth one grows, after instance normalization (solid) and after "
    "demodulation (dashed), which does not look at the pixels.",
    panels=2,
)
def ellipses_and_a_spike(left, right):
    draw_styles(left, right)
