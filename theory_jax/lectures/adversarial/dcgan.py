"""What made convolutional GANs trainable: batch normalization and even kernels.

The lecture on the functions of theory_jax/adversarial/dcgan.py.
"""

import jax.numpy as jnp
from sympy import KroneckerDelta, Rational, sqrt

from theory_jax.adversarial.dcgan import (
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
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._layers import draw_overlaps_and_signals, halving_and_doubling, overlaps, pulled_back

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
    question="The first convolutional GANs hardly trained: signals died out between the layers, and samples showed a "
    "checkerboard. DCGAN gave a list of rules against it: batch normalization in both networks, strided convolutions in place of "
    "pooling, transposed ones in the generator, leaky rectifiers in the discriminator, narrow normal weights. Which of them can "
    "be derived, and what exactly do they guarantee?",
    setting=(
        "Batch normalization is looked at in one channel: $BHW$ values $x_i$, not all equal, share one mean and one variance, "
        "and $g_i$ is the derivative of the loss by the normalized value $h_i$.",
        "Convolutions are looked at in one dimension and one channel: a kernel of length $k$, moved by the stride $s$. In two "
        "dimensions both are applied in each.",
        r"DCGAN drew its weights from $\mathcal{N}(0, 0.02^2)$. The variance that keeps signals in size through leaky rectifiers "
        "is of He et al.; it is derived here to see what the choice of DCGAN would do without normalization.",
    ),
    limits=(
        "That any of this makes a GAN converge.",
        "Why batch normalization helps beyond what it makes invariant, and what the dependence on the batch does.",
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
derivation.answer = prose(
    "Batch normalization does not see a shift of its input, and (but for {small}) no stretch. Two means are taken out of its "
    "gradient, {back}, and the size of the weights before it sets the length of a step and not the signal. A transposed "
    "convolution is the adjoint of a convolution, and reaches all its inner outputs (if there are at least as many as the "
    "stride) equally often if and only if the stride divides the kernel.",
    small=eps,
    back=holds(Total(i, g * Slope(h, x.at(j))), "=", backward, named=True, wrong={"one mean": times(r, plus(g.at(j), -g_bar))}),
)
derivation.chain(
    "The mean square of what comes out falls short of 1 in proportion to what is added under the root",
    Total(i, h**2) / N,
    equals(r**2 * var, r"$r$ in front, and the definition of $v$"),
    equals(
        1 - eps * r**2,
        prose("{root}", root=holds(times(r**2, var + eps), "=", 1)),
        wrong={"the unbiased variance": (1 - eps * r**2) * (N - 1) / N},
    ),
    role="lemma",
    so=prose("Its mean is zero, {zero}, by the definition of the mean.", zero=holds(Total(i, h) / N, "=", 0)),
)
rescale = derivation.number("a", "a stretch of the input", positive=True)
shift = derivation.number("b", "a shift of the input")
stretched = rescale * x + shift
mean_of_stretched = Total(i, stretched) / N
of_stretched = plus(stretched, -mean_of_stretched) / sqrt(Total(i, (stretched - mean_of_stretched) ** 2) / N + eps)
normal = derivation.chain(
    "A shift of the input is forgotten, and a stretch only changes the small number under the root",
    of_stretched,
    equals(
        rescale * (x - x_bar) / sqrt(rescale**2 * var + eps),
        prose(
            "the mean is {mean}, and the variance {variance}",
            mean=holds(mean_of_stretched, "=", rescale * x_bar + shift, named=True),
            variance=holds(Total(i, (stretched - mean_of_stretched) ** 2) / N, "=", rescale**2 * var, named=True),
        ),
        wrong={"the variance stretched once": rescale * (x - x_bar) / sqrt(rescale * var + eps)},
    ),
    equals((x - x_bar) / sqrt(var + eps / rescale**2), "divide by the positive $a$ above and below"),
    so=prose(
        "With {zero} the output is that of $x$, {same}. So a bias before a batch normalization is dead weight, and the size of "
        "the weights before it changes no output: a loss that is the same at $w$ and $aw$ has $1/a$ of its gradient at $aw$, and "
        "larger weights take shorter relative steps.",
        zero=where(eps, 0),
        same=holds(of_stretched, "=", h, named=True),
    ),
)

slope_of_root = derivation.chain(
    "One over the root falls with a value in proportion to its deviation",
    Slope(r, x.at(j)),
    equals(times(-(r**3) / 2, Slope(var, x.at(j))), r"the derivative of $(v + \epsilon)^{-1/2}$"),
    equals(
        -(r**3) * (x.at(j) - x_bar) / N,
        prose(
            "{variance}; the mean moves, too, but deviations sum to zero",
            variance=holds(Slope(var, x.at(j)), "=", times(2 / N, x.at(j) - x_bar)),
        ),
        wrong={"with one value less": -(r**3) * (x.at(j) - x_bar) / (N - 1)},
    ),
    role="lemma",
)
central = derivation.chain(
    "Backward through batch normalization",
    Total(i, g * Slope(h, x.at(j))),
    equals(
        Total(i, times(g, plus(times(r, KroneckerDelta(i, j) - 1 / N), -(r**3) * (x - x_bar) * (x.at(j) - x_bar) / N))),
        "the product rule, with the lemma",
    ),
    equals(
        Total(i, times(g, r, plus(KroneckerDelta(i, j), -1 / N, -h * h.at(j) / N))),
        prose("{h}", h=holds(times(r, x - x_bar), "=", h)),
    ),
    equals(backward, "the three sums over $i$", wrong={"the batch's statistics treated as constants": r * g.at(j)}),
    uses=(slope_of_root,),
    central=True,
    so="Two means are taken out of the slope. They are means over the batch: every example's gradient depends on the rest of its "
    "batch.",
)
derivation.chain(
    "The gradient has no part along a shift",
    Total(j, backward),
    equals(
        plus(times(r, Total(j, g.at(j))), times(-1, r, N, g_bar), times(-1, r, gh_bar, Total(j, h.at(j)))),
        r"$\bar g$ and $\overline{gh}$ do not depend on $j$",
    ),
    equals(
        0,
        prose("{slopes}, and {none}", slopes=holds(Total(j, g.at(j)), "=", N * g_bar), none=holds(Total(j, h.at(j)), "=", 0)),
        wrong={"the mean not removed": r * N * g_bar},
    ),
    role="lemma",
    so=r"For every $\epsilon$: a shift is forgotten exactly.",
)
derivation.chain(
    "The gradient's part along a stretch is proportional to the small number",
    Total(j, h.at(j) * backward),
    equals(times(r, N, plus(gh_bar, -gh_bar * Total(j, h.at(j) ** 2) / N)), r"the $h_j$ sum to zero, so $\bar g$ drops out"),
    equals(
        times(N, eps, r**3, gh_bar),
        prose("the mean square of $h$ is {short}", short=holds(Total(j, h.at(j) ** 2) / N, "=", 1 - eps * r**2, named=True)),
        wrong={"orthogonal for every small number": 0},
    ),
    role="lemma",
    so=prose(
        "With {zero} the gradient is orthogonal to the output, {none}; otherwise only if the slope that arrives is.",
        zero=where(eps, 0),
        none=holds(Total(j, h.at(j) * backward), "=", 0),
    ),
)
scale = derivation.number(r"\gamma", "the learned scale", "scale")
offset = derivation.number(r"\beta", "the learned shift", "shift")
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
    pulled_back,
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
running = derivation.chain(
    "A running statistic forgets its start at a constant rate",
    plus((1 - momentum) * after, momentum * batch),
    equals(
        plus((1 - momentum) ** (n + 1) * start, (1 - (1 - momentum) ** (n + 1)) * batch),
        prose(
            "the same form with $n + 1$ in place of $n$; before the first update it is {start}, so by induction it holds after "
            "every number of updates",
            start=holds(after, "=", start, when={n: 0}, named=True),
        ),
        wrong={"the shares exchanged": plus(momentum ** (n + 1) * start, (1 - momentum ** (n + 1)) * batch)},
    ),
    role="lemma",
    so=prose(
        "With a share of 0.1 the start has {left} left: less than a billionth after 200 updates.",
        left=holds(Slope(after, start), "=", Rational(9, 10) ** n, when={momentum: Rational(1, 10)}, named=True),
    ),
)
center = derivation.number("c", "the mean that values are drawn with")
power = derivation.number(r"\sigma^2", "the variance that they are drawn with", positive=True)
y1, y2, y3 = (derivation.number(f"Y_{k}", f"value {k} of three that are drawn") for k in (1, 2, 3))
middle = (y1 + y2 + y3) / 3
squares = (y1 - middle) ** 2 + (y2 - middle) ** 2 + (y3 - middle) ** 2
drawn = squares / 2
for y in (y1, y2, y3):
    drawn = Expectation(Normal(y, center, power), drawn)
derivation.chain(
    "Squared deviations from a batch's own mean are too small on average, by one value of N",
    drawn,
    equals(
        power,
        prose(
            "{squares}; {one}, and {two} for independent values",
            squares=holds(squares, "=", plus(y1**2, y2**2, y3**2, -((y1 + y2 + y3) ** 2) / 3)),
            one=holds(Expectation(Normal(y1, center, power), y1**2), "=", center**2 + power),
            two=holds(Expectation(Normal(y1, center, power), Expectation(Normal(y2, center, power), y1 * y2)), "=", center**2),
        ),
        wrong={"divided by all three": power * Rational(2, 3)},
    ),
    role="lemma",
    so=prose(
        "Two moments are used, so this holds for every distribution that has them. For three values the divisor is 2; for $N$ it "
        "is $N - 1$. The running variance is this one, while the batch is normalized by the variance with $1/N$: with {zero}, on "
        "the same statistics, the output in training is {factor} times the one at inference.",
        zero=where(eps, 0),
        factor=holds(h / ((x - x_bar) / sqrt(var * N / (N - 1))), "=", sqrt(N / (N - 1)), named=True),
    ),
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
o = derivation.index("o", "a position in the short signal", states=3)
place = derivation.index("p", "a position in the long signal", states=8)
w = derivation.numbers("w", tap, "a kernel, of four taps")
short = derivation.numbers("y", o, "a short signal, of three values")
long = derivation.numbers("X", place, "a long signal, of eight values, for the stride 2")
at, back_at = (KroneckerDelta(place, position) for position in (2 * o + tap, 2 * o + 3 - tap))
reached, turned = (Total(o, Total(tap, times(delta, w, short))) for delta in (at, back_at))
adjoint = derivation.chain(
    "A transposed convolution is the adjoint of a convolution",
    Total(o, times(short, Total(tap, times(w, long.at(2 * o + tap))))),
    equals(
        Total(o, Total(tap, times(short, w, Total(place, times(KroneckerDelta(place, 2 * o + tap), long))))),
        r"$X_{2o + t}$ is picked out of all $X_p$",
    ),
    equals(
        Total(place, times(long, reached)),
        "exchange the sums: the factor of $X_p$ is the transposed convolution of $y$, in which every value is multiplied by the "
        r"whole kernel and added at $2o, \dots, 2o + 3$",
        wrong={"the kernel reversed": Total(place, times(long, turned))},
    ),
    so="So the transposed convolution is the gradient of the convolution by its input, the discriminator's backward pass run as "
    "a generator's forward one. It is not its inverse.",
)
derivation.symbol("C, z", "the discriminator's halving convolution, and a signal of its output's shape")


@derivation.autodiff(
    r"\nabla_X \langle z, C X \rangle = C^\top z",
    because="The same in the networks: JAX's gradient of the discriminator's halving convolution, two-dimensional with several "
    "channels, is the generator's doubling layer with the same kernel.",
    uses=(adjoint,),
    role="remark",
)
def doubling_is_the_gradient_of_halving():
    gradient, doubled, turned = halving_and_doubling()
    return Sides(left=gradient, right=doubled, wrong={"the kernel turned over": turned})


derivation.symbol("k, s, L", "the length of the kernel, the stride, and the length of the short signal", "kernel, stride, length")


@derivation.exact(
    r"\mathrm{overlap}(p) = \left\lfloor \frac{p}{s} \right\rfloor - \left\lfloor \frac{p - k}{s} \right\rfloor, \qquad \max_p "
    r"\mathrm{overlap}(p) - \min_p \mathrm{overlap}(p) = \mathbf{1}[k \bmod s > 0], \qquad k - 1 \le p \le (L - 1)s",
    because="The inputs $o$ that reach the output $p$ are those for which $os$ is one of the $k$ integers up to $p$: the "
    "multiples of $s$ among them. Over $s$ neighboring inner outputs, if there are so many, the counts add up to $k$, since each "
    "of the $k$ taps reaches exactly one of them. If all are equal, $s$ times the count is $k$, so $s$ divides $k$. If $s$ "
    "divides $k$, every count is $k/s$; otherwise two values take turns, a checkerboard that the network must unlearn. Hence "
    "kernel 4 with stride 2, and not 5 or 3. Every kernel up to 8 and every stride up to 5, with 16 inputs.",
    outcomes=40,
    uses=(adjoint,),
)
def overlap_is_even_if_and_only_if_the_stride_divides_the_kernel():
    found, formula, shifted, covering = overlaps()
    return Sides(left=found, right=formula, wrong={"one tap less": shifted, "even if the kernel covers the stride": covering})


slope = derivation.number("a_-", "the slope of the leaky rectifier on the left", "slope", between=(0, 1))
size = derivation.number("u", "the size of an input, which has either sign equally often", positive=True)
fan_in = derivation.number("d", "the number of inputs of a unit", "fan_in", positive=True)
keeping = 2 / (fan_in * (1 + slope**2))
derivation.chain(
    "The mean square survives a layer at one variance of the weights",
    times(fan_in, keeping, (size**2 + (-slope * size) ** 2) / 2),
    equals(
        times(fan_in, keeping, (1 + slope**2) / 2, size**2),
        r"independent weights of mean 0: squares add up; the rectifier keeps $u$ and multiplies $-u$ by $a_-$, half of either",
        wrong={"the slope not squared": 2 / (1 + slope**2) * (1 + slope) / 2 * size**2},
    ),
    equals(
        size**2,
        prose("the first three factors are {one}", one=holds(times(fan_in, keeping, (1 + slope**2) / 2), "=", 1, named=True)),
        wrong={"the factor of a linear layer": (1 + slope**2) / 2 * size**2},
    ),
    role="lemma",
    so=prose(
        r"So {variance} is the variance to draw weights with. A symmetric distribution is a mixture of pairs $\pm u$, so this "
        "holds for all of them. If the weights are symmetric, so are their sums, and the same holds for the next layer. DCGAN's "
        "$0.02^2$ gives the factor {factor} in place of 1, 0.213 at 1024 inputs: five such layers leave 0.0004. Batch "
        "normalization removes it after every layer, and DCGAN relied on that.",
        variance=keeping,
        factor=holds(
            times(fan_in, Rational(1, 50) ** 2, (1 + slope**2) / 2),
            "=",
            fan_in * Rational(13, 62500),
            when={slope: Rational(1, 5)},
            named=True,
        ),
    ),
)
derivation.bridge(
    "The code's rectifier, at slope 0.2",
    [size, -size / 5],
    leaky_rectifier,
    x=[size, -size],
    wrong={"the slope of a positive number": [size / 5, -size]},
)

_values, _arrives = {x: (1, 2, 3), eps: 0}, {x: (1, 2, 3), g: (1, 0, 0), eps: 0}


@derivation.algorithm(
    "Batch normalization, in training and at inference",
    do(r"$\bar x, v \leftarrow$ mean and variance of the batch, for each channel", by=normal),
    do(r"return $\gamma\, r (x_i - \bar x) + \beta$", batch_normalize, by=normal),
    do(
        r"running mean and variance: $1 - m$ of themselves, and $m$ of $\bar x$ and of $v N / (N - 1)$",
        update_running_statistics,
        by=running,
    ),
    do("back: take two means out of the slope", by=central),
    do("at inference: the running statistics in place of the batch's", batch_normalize_inference),
)
def two_batches():
    mean, variance, one, zero = jnp.zeros(1), jnp.ones(1), jnp.ones(1), jnp.zeros(1)
    for batch, means, variances in (((1.0, 2.0, 3.0), "0.2", "1"), ((2.0, 4.0, 6.0), "0.58", "1.3")):
        images = jnp.reshape(jnp.array(batch), (3, 1, 1, 1))
        mean, variance = update_running_statistics(images, mean, variance, momentum=0.1)
        yield rf"({', '.join(f'{x:g}' for x in batch)}): \quad \text{{running mean}}", mean, means
        yield r"\text{running variance}", variance, variances
    yield r"\text{in training}", batch_normalize(images, one, zero, epsilon=0.0)[:, 0, 0, 0], "-1.2247, 0, 1.2247"
    inference = batch_normalize_inference(images, mean, variance, one, zero, epsilon=0.0)
    yield r"\text{at inference}", inference[:, 0, 0, 0], "1.2454, 2.9995, 4.7537"


@derivation.example(
    "Three values 1, 2, 3, without the small number, and a slope that arrives at the first one only: all three receive a "
    "gradient. Then overlaps: three inputs with kernel 4 and stride 2; and the inner outputs of six inputs with kernel 5."
)
def three_values():
    yield h, value(h, _values), "(-1.2247, 0.0000, 1.2247)"
    yield backward, value(backward, _arrives), "(0.2041, -0.4082, 0.2041)"
    yield r"\mathrm{overlap},\ k = 4,\ s = 2", kernel_overlap(length=3, kernel=4, stride=2), "1, 1, 2, 2, 2, 2, 1, 1"
    yield r"\mathrm{overlap},\ k = 5,\ s = 2", kernel_overlap(length=6, kernel=5, stride=2)[4:11], "3, 2, 3, 2, 3, 2, 3"


@derivation.figure(
    "Left: how many inputs reach each output of a transposed convolution with stride 2; only kernel 4 is even inside. Right: the "
    r"mean square of a signal through layers of 256 units with leaky rectifiers: weights of variance $\frac{2}{d (1 + a_-^2)}$, "
    "DCGAN's $0.02^2$, and the same with batch normalization.",
    panels=2,
)
def checkerboards_and_signals(left, right):
    draw_overlaps_and_signals(left, right)
