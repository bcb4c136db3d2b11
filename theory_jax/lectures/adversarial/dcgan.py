"""What made convolutional GANs trainable: batch normalization and even kernels.

The lecture on the functions of theory_jax/adversarial/dcgan.py.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from sympy import KroneckerDelta, Rational, sqrt

from theory_jax.adversarial.dcgan import (
    Discriminator,
    Generator,
    batch_normalize,
    batch_normalize_inference,
    kernel_overlap,
    leaky_rectifier,
    update_running_statistics,
)
from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import value

derivation = Derivation(
    module=__name__,
    title="What made convolutional GANs trainable: batch normalization and even kernels",
    lectures=(8,),
    sources=(
        "Radford, Metz & Chintala 2016, Unsupervised Representation Learning with Deep Convolutional GANs",
        "Ioffe & Szegedy 2015, Batch Normalization",
        "Dumoulin & Visin 2016, A guide to convolution arithmetic for deep learning",
        "Odena, Dumoulin & Olah 2016, Deconvolution and Checkerboard Artifacts",
        "He et al. 2015, Delving Deep into Rectifiers, section 2.2",
    ),
    question="DCGAN gave a list of rules: batch normalization in both networks, strided convolutions in place of pooling, "
    "transposed ones in the generator, leaky rectifiers in the discriminator, weights from $\\mathcal{N}(0, 0.02^2)$. Which of "
    "them can be derived, and what exactly do they guarantee?",
    setting=(
        r"Batch normalization is looked at in one channel: $N = BHW \ge 2$ values $x_i$, not all equal, share one mean and one "
        r"variance, and $g_i$ is the derivative of the loss by the normalized value $h_i$.",
        r"Convolutions are looked at in one dimension and one channel: a kernel of length $k$, moved by the stride $s$. In two "
        r"dimensions both are applied in each.",
        r"DCGAN drew its weights from $\mathcal{N}(0, 0.02^2)$ and relied on batch normalization for the size of its signals. "
        r"The variance that keeps signals in size through leaky rectifiers is of He et al.; it is derived here to see what the "
        r"choice of DCGAN would do without normalization.",
    ),
    answer=r"Batch normalization does not see a shift of its input, and (but for $\epsilon$) no stretch: two means are taken "
    r"out of its gradient, and the size of the weights before it sets the length of a step and not the signal. A transposed "
    r"convolution is the adjoint of a convolution, and reaches all its inner outputs equally often if and only if the stride "
    r"divides the kernel.",
    limits=(
        "That any of this makes a GAN converge.",
        "Why batch normalization helps beyond what it makes invariant; the dependence of one example's gradient on its batch "
        "as a regularizer.",
        "The tanh at the generator's end, the size of the latent and the Adam settings are choices that worked.",
    ),
)

i = derivation.index("i", "a value of the channel")
j = derivation.index("j", "a value of the channel, next to $i$")
N = derivation.count(i, "N", "how many there are")
x = derivation.numbers("x", i, "the values of one channel", "x")
g = derivation.numbers("g", i, "the slope that arrives at each normalized value")
eps = derivation.number(r"\epsilon", "what keeps the root from zero", "epsilon", nonnegative=True)
x_bar = derivation.define(r"\bar x", Total(i, x) / N, "their mean")
var = derivation.define("v", Total(i, (x - x_bar) ** 2) / N, "their variance, with $1/N$", positive=True)
r = derivation.define("r", 1 / sqrt(var + eps), "one over the root of it")
h = derivation.define("h", r * (x - x_bar), "the normalized values", "batch_normalize", over=i)
g_bar = derivation.define(r"\bar g", Total(i, g) / N, "the mean slope")
gh_bar = derivation.define(r"\overline{gh}", Total(i, g * h) / N, "its mean product with the normalized values")
backward = times(r, plus(g.at(j), -g_bar, -h.at(j) * gh_bar))

derivation.chain(
    "What comes out has mean 0",
    Total(i, h) / N,
    equals(r * (Total(i, x) / N - x_bar), r"$r$ does not depend on $i$"),
    equals(0, r"the definition of $\bar x$"),
    role="lemma",
)
derivation.chain(
    "... and a mean square that falls short of 1 by what is added under the root",
    Total(i, h**2) / N,
    equals(r**2 * var, r"$r$ in front, and the definition of $v$"),
    equals(1 - eps * r**2, r"$r^2 (v + \epsilon) = 1$", wrong={"the unbiased variance": (1 - eps * r**2) * (N - 1) / N}),
    role="lemma",
)
rescale = derivation.number("a", "a stretch of the input", positive=True)
shift = derivation.number("b", "a shift of the input")
stretched = rescale * x + shift
mean_of_stretched = Total(i, stretched) / N
derivation.chain(
    "A shift of the input is forgotten, and a stretch only changes the small number under the root",
    plus(stretched, -mean_of_stretched) / sqrt(Total(i, (stretched - mean_of_stretched) ** 2) / N + eps),
    equals(
        rescale * (x - x_bar) / sqrt(rescale**2 * var + eps),
        r"the mean is $a \bar x + b$, and the variance $a^2 v$",
        wrong={"the variance stretched once": rescale * (x - x_bar) / sqrt(rescale * var + eps)},
    ),
    equals((x - x_bar) / sqrt(var + eps / rescale**2), r"divide by $a > 0$ above and below"),
    so=r"With $\epsilon = 0$ the output is that of $x$. So a bias before a batch normalization is dead weight, and the size of "
    r"the weights before it changes no output: if $L(aw) = L(w)$, then $\nabla L(aw) = \frac1a \nabla L(w)$, and larger "
    r"weights take shorter relative steps.",
)

slope_of_root = derivation.chain(
    "The slope of the root in one value",
    Slope(r, x.at(j)),
    equals(times(-(r**3) / 2, Slope(var, x.at(j))), r"the derivative of $(v + \epsilon)^{-1/2}$"),
    equals(
        -(r**3) * (x.at(j) - x_bar) / N,
        r"$\partial v / \partial x_j = \frac{2}{N} (x_j - \bar x)$; the mean moves, too, but deviations sum to zero",
        wrong={"with one value less": -(r**3) * (x.at(j) - x_bar) / (N - 1)},
    ),
    role="lemma",
)
central = derivation.chain(
    "Backward through batch normalization",
    Total(i, g * Slope(h, x.at(j))),
    equals(
        Total(i, times(g, plus(times(r, KroneckerDelta(i, j) - 1 / N), -(r**3) * (x - x_bar) * (x.at(j) - x_bar) / N))),
        r"the product rule for $h_i = r (x_i - \bar x)$, with the lemma",
    ),
    equals(Total(i, times(g, r, plus(KroneckerDelta(i, j), -1 / N, -h * h.at(j) / N))), r"$r (x_i - \bar x) = h_i$"),
    equals(backward, "the three sums over $i$", wrong={"the batch's statistics treated as constants": r * g.at(j)}),
    uses=(slope_of_root,),
    central=True,
    so=r"Two means are taken out of the slope. They are means over the batch: every example's gradient depends on the rest of "
    r"its batch.",
)
derivation.chain(
    "The gradient has no part along a shift",
    Total(j, backward),
    equals(
        plus(times(r, Total(j, g.at(j))), times(-1, r, N, g_bar), times(-1, r, gh_bar, Total(j, h.at(j)))),
        r"$\bar g$ and $\overline{gh}$ do not depend on $j$",
    ),
    equals(0, r"$\sum_j g_j = N \bar g$, and the $h_j$ sum to zero", wrong={"the mean not removed": r * N * g_bar}),
    role="lemma",
    so=r"For every $\epsilon$: a shift is forgotten exactly.",
)
derivation.chain(
    "... and along a stretch only what the small number leaves",
    Total(j, h.at(j) * backward),
    equals(times(r, N, plus(gh_bar, -gh_bar * Total(j, h.at(j) ** 2) / N)), r"the $h_j$ sum to zero, so $\bar g$ drops out"),
    equals(
        times(N, eps, r**3, gh_bar),
        r"the mean square of $h$ is $1 - \epsilon r^2$",
        wrong={"orthogonal for every small number": 0},
    ),
    role="lemma",
    so=r"Orthogonal to the output at $\epsilon = 0$ only.",
)
scale = derivation.number(r"\gamma", "the learned scale", "scale")
offset = derivation.number(r"\beta", "the learned shift", "shift")


def _pulled_back(x, g, epsilon):
    """The gradient of one channel [N], to which g arrives."""
    return jax.vjp(lambda x: batch_normalize(x, jnp.ones(1), jnp.zeros(1), epsilon=epsilon), x)[1](g)[0]


channel = [[[[x.at(number)]]] for number in range(4)]
arriving = [[[[g.at(number)]]] for number in range(4)]
derivation.bridge(
    "The code's normalization",
    plus(scale * h, offset),
    batch_normalize,
    x=channel,
    scale=[scale],
    shift=[offset],
    epsilon=eps,
    wrong={
        "the unbiased variance": scale * (x - x_bar) / sqrt(var * N / (N - 1) + eps) + offset,
        "the small number outside the root": scale * (x - x_bar) / (sqrt(var) + eps) + offset,
    },
)
derivation.bridge(
    "... and its gradient by automatic differentiation",
    backward,
    _pulled_back,
    x=channel,
    g=arriving,
    epsilon=eps,
    calls=(batch_normalize,),
)

momentum = derivation.number("m", "the share of the new batch", "momentum", between=(0, 1))
start = derivation.number(r"\rho_0", "a running statistic before the first update")
batch = derivation.number(r"\hat\rho", "the statistic of a batch that is repeated")
n = derivation.number("n", "how many updates were made", integer=True, positive=True)
after = plus((1 - momentum) ** n * start, (1 - (1 - momentum) ** n) * batch)
derivation.chain(
    "One more update of a running statistic",
    plus((1 - momentum) * after, momentum * batch),
    equals(
        plus((1 - momentum) ** (n + 1) * start, (1 - (1 - momentum) ** (n + 1)) * batch),
        r"the same form with $n + 1$ in place of $n$; at $n = 0$ it is $\rho_0$, so by induction it holds after every number "
        r"of updates",
        wrong={"the shares exchanged": plus(momentum ** (n + 1) * start, (1 - momentum ** (n + 1)) * batch)},
    ),
    role="lemma",
    so=r"With $m = 0.1$ the start has a share of $0.9^n$ left: less than a billionth after 200 updates.",
)
center = derivation.number("c", "the mean that values are drawn with")
power = derivation.number(r"\sigma^2", "the variance that they are drawn with", positive=True)
y1, y2, y3 = (derivation.number(f"Y_{k}", f"value {k} of three that are drawn") for k in (1, 2, 3))
middle = (y1 + y2 + y3) / 3
squares = (y1 - middle) ** 2 + (y2 - middle) ** 2 + (y3 - middle) ** 2


def _drawn(body):
    for y in (y1, y2, y3):
        body = Expectation(Normal(y, center, power), body)
    return body


derivation.chain(
    "Deviations from a batch's own mean are too small, by one value of N",
    _drawn(squares / 2),
    equals(
        power,
        r"$\sum (Y - \bar Y)^2 = \sum Y^2 - \frac{1}{3} \left(\sum Y\right)^2$; $\mathbb{E} Y^2 = c^2 + \sigma^2$, and "
        r"$\mathbb{E} Y_1 Y_2 = c^2$ for independent values",
        wrong={"divided by all three": power * Rational(2, 3)},
    ),
    role="lemma",
    so=r"Two moments are used, so this holds for every law. For three values the divisor is 2; for $N$ it is $N - 1$. The "
    r"running variance is this one, while the batch is normalized by the variance with $1/N$: on the same statistics the "
    r"training output is $\sqrt{N/(N-1)}$ times the one at inference, at $\epsilon = 0$.",
)
derivation.bridge(
    "The code's update of a mean and of a variance",
    (plus((1 - momentum) * start, momentum * x_bar), plus((1 - momentum) * start**2, momentum * var * N / (N - 1))),
    update_running_statistics,
    x=channel,
    running_mean=[start],
    running_variance=[start**2],
    momentum=momentum,
)
derivation.bridge(
    "The code at inference",
    scale * (x - center) / sqrt(power + eps) + offset,
    batch_normalize_inference,
    x=channel,
    running_mean=[center],
    running_variance=[power],
    scale=[scale],
    shift=[offset],
    epsilon=eps,
    wrong={"the batch's own mean": scale * (x - x_bar) / sqrt(power + eps) + offset},
)

tap = derivation.index("t", "a tap of the kernel", states=4)
o = derivation.index("o", "a place in the short signal", states=3)
place = derivation.index("p", "a place in the long signal", states=8)
w = derivation.numbers("w", tap, "the kernel, of length $k = 4$")
short = derivation.numbers("y", o, "a short signal, of length $L = 3$")
long = derivation.numbers("X", place, "a long signal, of length $(L - 1) s + k = 8$ with the stride $s = 2$")
reached = Total(o, Total(tap, times(KroneckerDelta(place, 2 * o + tap), w, short)))
adjoint = derivation.chain(
    "A transposed convolution is the adjoint of a convolution",
    Total(o, times(short, Total(tap, times(w, long.at(2 * o + tap))))),
    equals(
        Total(o, Total(tap, times(short, w, Total(place, times(KroneckerDelta(place, 2 * o + tap), long))))),
        r"$X_{2o + t}$ is picked out of all $X_p$",
    ),
    equals(
        Total(place, times(long, reached)),
        r"exchange the sums: the factor of $X_p$ is the transposed convolution of $y$, in which every value is multiplied by "
        r"the whole kernel and added at $2o, \dots, 2o + 3$",
        wrong={
            "the kernel reversed": Total(
                place, times(long, Total(o, Total(tap, times(KroneckerDelta(place, 2 * o + 3 - tap), w, short))))
            )
        },
    ),
    so=r"So $\langle y, CX \rangle = \langle C^\top y, X \rangle$: the transposed convolution is the gradient of the "
    r"convolution by its input, the discriminator's backward pass run as a generator's forward one. It inverts nothing.",
)
derivation.symbol("C, z", "the discriminator's halving convolution, and a signal of its output's shape")


@derivation.autodiff(
    r"\nabla_X \langle z, C X \rangle = C^\top z",
    because="The same in the networks: JAX's gradient of the discriminator's halving convolution, two-dimensional with several "
    "channels, is the generator's doubling layer with the same kernel.",
    uses=(adjoint,),
)
def doubling_is_the_gradient_of_halving():
    draw = np.random.default_rng(5)
    shape = (1, 8, 8)  # one halving, from 2 channels to 4
    halving = Discriminator(shape=shape, width=2, rngs=nnx.Rngs(0)).layers[2]
    doubling = Generator(latent=1, shape=shape, width=2, rngs=nnx.Rngs(1)).layers[2]
    kernel, images = draw.normal(size=(4, 4, 2, 4)), jnp.array(draw.normal(size=(2, 2, 6, 4)))
    halving.kernel[...] = doubling.kernel[...] = jnp.array(kernel)
    z = jnp.array(draw.normal(size=(2, 4, 3, 2)))
    gradient = jax.vjp(halving, images)[1](z)[0]
    wanted = doubling(z)
    doubling.kernel[...] = jnp.array(kernel[::-1, ::-1])
    return Sides(left=gradient, right=wanted, wrong={"the kernel turned over": doubling(z)})


derivation.symbol("k, s, L", "the length of the kernel, the stride, and the length of the short signal", "kernel, stride, length")


@derivation.exact(
    r"\mathrm{overlap}(p) = \left\lfloor \frac{p}{s} \right\rfloor - \left\lfloor \frac{p - k}{s} \right\rfloor, \qquad "
    r"\max_p \mathrm{overlap}(p) - \min_p \mathrm{overlap}(p) = \mathbf{1}[k \bmod s > 0], \qquad k - 1 \le p \le (L - 1)s",
    because="The inputs $o$ that reach the output $p$ are those with $p - k < o s \\le p$: the multiples of $s$ among $k$ "
    "neighboring integers. Over $s$ neighboring inner outputs, if there are so many, the counts add up to $k$, since each of the "
    "$k$ taps reaches exactly one of them. If all are equal to $c$, then $s c = k$, so $s$ divides $k$. If $s$ divides $k$, "
    "every count is $k/s$; otherwise two values alternate, a checkerboard that the network must unlearn. Hence kernel 4 with "
    "stride 2, and not 5 or 3. Every kernel up to 8 and every stride up to 5, with $L = 16$.",
    outcomes=40,
    uses=(adjoint,),
)
def overlap_is_even_if_and_only_if_the_stride_divides_the_kernel():
    found, formula, shifted, covering = [], [], [], []
    for k, s in itertools.product(range(1, 9), range(1, 6)):
        p = np.arange(k - 1, 15 * s + 1)  # the inner outputs
        counts, multiples = np.asarray(kernel_overlap(length=16, kernel=k, stride=s))[p], p // s - (p - k) // s
        found += [*counts, counts.max() - counts.min()]
        formula += [*multiples, float(k % s > 0)]
        shifted += [*(p // s - (p - k + 1) // s), float(k % s > 0)]
        covering += [*multiples, float(k < s)]
    left, right, shifted, covering = (np.array(side, float) for side in (found, formula, shifted, covering))
    return Sides(left=left, right=right, wrong={"one tap less": shifted, "even if the kernel covers the stride": covering})


slope = derivation.number("a_-", "the slope of the leaky rectifier on the left", "slope", between=(0, 1))
size = derivation.number("u", "the size of an input, which has either sign equally often", positive=True)
W1, W2 = (derivation.number(f"W_{k}", f"weight {k} of a unit with two inputs") for k in (1, 2))
f1, f2 = (derivation.number(f"f_{k}", f"input {k} of this unit, after the rectifier") for k in (1, 2))
q = derivation.number("q", "the variance of a weight", positive=True)
fan_in = derivation.number("d", "the number of inputs of a unit", "fan_in", positive=True)
derivation.chain(
    "A unit adds up the squares of its inputs",
    Expectation(Normal(W1, 0, q), Expectation(Normal(W2, 0, q), (W1 * f1 + W2 * f2) ** 2)),
    equals(
        times(q, plus(f1**2, f2**2)),
        "weights are independent and have mean 0, so the cross term vanishes",
        wrong={"the cross term kept": q * (f1 + f2) ** 2, "the deviation": sqrt(q) * (f1**2 + f2**2)},
    ),
    role="lemma",
)
derivation.chain(
    "So the mean square survives a layer at one variance of the weights",
    times(fan_in, 2 / (fan_in * (1 + slope**2)), (size**2 + (-slope * size) ** 2) / 2),
    equals(
        times(fan_in, 2 / (fan_in * (1 + slope**2)), (1 + slope**2) / 2, size**2),
        r"the rectifier keeps $u$ and multiplies $-u$ by $a_-$; half of either",
        wrong={"the slope not squared": 2 / (1 + slope**2) * (1 + slope) / 2 * size**2},
    ),
    equals(
        size**2,
        r"$d$ inputs at the variance $q = \frac{2}{d (1 + a_-^2)}$",
        wrong={"the factor of a linear layer": (1 + slope**2) / 2 * size**2},
    ),
    role="lemma",
    so=r"A symmetric law is a mixture of pairs $\pm u$, so this holds for all of them. If the weights are symmetric, so are "
    r"their sums, and the same holds for the next layer. DCGAN's $0.02^2$ has $d \cdot 0.02^2 \cdot \frac{1 + 0.2^2}{2}$ in its "
    r"place, 0.213 at $d = 1024$: five such layers leave 0.0004. Batch normalization removes this factor after every layer, and "
    r"DCGAN relied on that.",
)
derivation.bridge(
    "The code's rectifier, at slope 0.2",
    [size, -size / 5],
    leaky_rectifier,
    x=[size, -size],
    wrong={"the slope of a positive number": [size / 5, -size]},
)

_values, _arrives = {x: (1, 2, 3), eps: 0}, {x: (1, 2, 3), g: (1, 0, 0), eps: 0}


@derivation.example(
    r"Three values 1, 2, 3 with $\epsilon = 0$, and a slope that arrives at the first one only: all three receive a gradient. "
    r"Then overlaps: three inputs with kernel 4 and stride 2; and the inner outputs of six inputs with kernel 5."
)
def three_values():
    yield h, value(h, _values), "(-1.2247, 0.0000, 1.2247)"
    yield backward, value(backward, _arrives), "(0.2041, -0.4082, 0.2041)"
    yield r"\mathrm{overlap},\ k = 4,\ s = 2", kernel_overlap(length=3, kernel=4, stride=2), "1, 1, 2, 2, 2, 2, 1, 1"
    yield r"\mathrm{overlap},\ k = 5,\ s = 2", kernel_overlap(length=6, kernel=5, stride=2)[4:11], "3, 2, 3, 2, 3, 2, 3"


@derivation.figure(
    r"Left: how many inputs reach each output of a transposed convolution with stride 2; only kernel 4 is even inside. Right: "
    r"the mean square of a signal through layers of 256 units with leaky rectifiers: weights of variance $\frac{2}{d (1 + "
    r"a_-^2)}$, DCGAN's $0.02^2$, and the same with batch normalization.",
    panels=2,
)
def checkerboards_and_signals(left, right):
    for kernel in (3, 4, 5):
        overlap = kernel_overlap(length=8, kernel=kernel, stride=2)
        left.step(np.arange(len(overlap)), np.asarray(overlap) + 0.06 * (kernel - 4), where="mid", label=f"kernel {kernel}")
    left.set(xlabel="output", ylabel="overlap", ylim=(0, 4.2), yticks=[0, 1, 2, 3])
    left.legend(ncols=3, loc="upper center")
    draw, width = np.random.default_rng(8), 256
    one, zero = jnp.ones(width), jnp.zeros(width)
    for deviation, normalize, label in (
        (math.sqrt(2 / (width * 1.04)), False, "He et al."),
        (0.02, False, "$0.02^2$"),
        (0.02, True, "$0.02^2$, normalized"),
    ):
        signal, sizes = jnp.array(draw.normal(size=(32, width))), []
        for _ in range(8):
            sizes.append(float(jnp.mean(signal**2)))
            signal = leaky_rectifier(signal) @ jnp.array(deviation * draw.normal(size=(width, width)))
            signal = batch_normalize(signal[..., None, None], one, zero)[..., 0, 0] if normalize else signal
        right.semilogy(range(8), sizes, "o-", label=label)
    right.set(xlabel="layer", ylabel="mean square")
    right.legend()


@derivation.exercise(
    r"A batch has two values, and $\epsilon = 0$. What comes out, and what goes back?",
    r"$-1$ and $1$ (or the reverse), whatever the values are; so the gradient is 0, 0.",
)
def two_values():
    given = {x: (0.3, 5.3), g: (2, -7), eps: 0}
    yield value(h, {x: (0.3, 5.3), eps: 0}), "$-1$ and $1$"
    yield value(backward, given), "0, 0"


@derivation.exercise(
    r"In the example the values are doubled, to 2, 4, 6. What is the gradient?",
    r"$h$ stays the same and $r$ is halved, so the gradient is half of the example's: 0.1021, -0.2041, 0.1021. $\nabla L(ax) = "
    r"\frac1a \nabla L(x)$.",
)
def doubled_values():
    yield value(backward, {x: (2, 4, 6), g: (1, 0, 0), eps: 0}), "0.1021, -0.2041, 0.1021"


@derivation.exercise(
    r"By which factor does a layer with 1024 inputs, leaky slope 0.2 and weights from $\mathcal{N}(0, 0.02^2)$ change the mean "
    r"square, and which deviation of the weights would keep it?",
    r"By $1024 \cdot 0.0004 \cdot 0.52 = 0.2130$. The deviation $\sqrt{2 / (1024 \cdot 1.04)} = 0.0433$ would keep it.",
)
def the_factor_of_a_layer():
    yield 1024 * 0.02**2 * (1 + 0.2**2) / 2, "0.2130"
    yield math.sqrt(2 / (1024 * 1.04)), "0.0433"
