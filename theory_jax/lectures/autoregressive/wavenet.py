"""WaveNet: codes in proportion to loudness, and a past that doubles with every layer.

The lecture on the functions of theory_jax/autoregressive/wavenet.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, KroneckerDelta, Rational, exp, log, pi, sin, tanh

from theory_jax.autoregressive.wavenet import (
    causal_convolution,
    convolution_step,
    gated_residual_block,
    mu_law_compress,
    mu_law_decode,
    mu_law_encode,
    receptive_field,
)
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Product, Slope, Total, plus, times
from theory_jax.derivation.parts import value

derivation = Derivation(
    module=__name__,
    title="WaveNet: codes in proportion to loudness, and a past that doubles with every layer",
    lectures=(42,),
    sources=(
        "ITU-T 1988, Recommendation G.711: Pulse code modulation of voice frequencies",
        "van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio",
        "Paine et al. 2016, Fast Wavenet Generation Algorithm",
    ),
    question="How is a waveform of many thousand samples a second made a sequence of few symbols, and how does a stack of "
    "convolutions see a long past cheaply, without seeing the present?",
    setting=(
        r"A sample $x \in [-1, 1]$ is compressed by an increasing odd function $f$ with $f(0) = 0$ and $f(1) = 1$. Its code is "
        r"the nearest of the $\mu + 1$ points $\frac{2i}{\mu} - 1$, $i = 0, \dots, \mu$, to $f(x)$; it is decoded by $f^{-1}$. "
        r"The chains treat $x \ge 0$; negative samples mirror them.",
        r"A causal convolution with $k$ taps and dilation $d$ is $y_t = b + \sum_{j < k} w_j\, x_{t - (k - 1 - j) d}$, with "
        r"$x_t = 0$ before the beginning. The last tap sees the present, the others the past.",
        r"A block computes $v = \tanh(W_f * x)\, \sigma(W_g * x)$ with two such convolutions, passes $x + W_r v$ to the next "
        r"block and adds $W_s v$ to the output. The network's input is the waveform shifted by one sample, so that the output "
        r"at $t$ is a law of $x_t$ that depends on $x_{<t}$.",
        r"The chains write out few samples, two taps and one channel; the code is compared with more.",
    ),
    answer=r"Cells in proportion to $1 + \mu |x|$ need the logarithm $f(x) = \ln(1 + \mu x) / \ln(1 + \mu)$; the "
    r"signal-to-noise ratio then hardly depends on the loudness. A stack of causal convolutions multiplies the polynomials of "
    r"its delays: dilations $1, 2, 4, \dots$ reach each of $2^L$ delays along exactly one path. A queue of past inputs for "
    r"every layer generates without computing anything twice.",
    limits=(
        "That the ear needs no smaller cells is a fact about hearing; the uniform error is an approximation for fine cells.",
        "Gates with a small slope pass little; learning is not treated.",
    ),
)

x = derivation.number("x", "a sample, of the positive half", "x", between=(0, 1))
t = derivation.number(r"\xi", "a variable of integration", positive=True)
mu = derivation.number(r"\mu", "the largest code: one less than the number of levels", "num_levels - 1", positive=True)
c = derivation.define("c", mu / log(1 + mu), r"the constant that makes $f(1) = 1$", positive=True)
f = derivation.define("f(x)", log(1 + mu * x) / log(1 + mu), "the compressed sample", "mu_law_compress")

derivation.say(
    r"The codes first. The width of a cell shall be proportional to the loudness plus a floor, $|x| + 1/\mu$. The slope of $f$ "
    r"is the density of the cells, so it shall be $\frac{c}{1 + \mu x}$."
)
curve = derivation.chain(
    "The wish has one solution, a logarithm",
    Integral(c / (1 + mu * t), (t, 0, x)),
    equals(times(c / mu, log(1 + mu * x)), "integrate from $f(0) = 0$"),
    equals(log(1 + mu * x) / log(1 + mu), "$f(1) = 1$ fixes $c$"),
)
derivation.chain(
    "A power undoes it",
    ((1 + mu) ** f - 1) / mu,
    equals(
        x,
        r"$f(x)$ is the logarithm of $1 + \mu x$ to the base $1 + \mu$, so that the power is $1 + \mu x$",
        wrong={"the floor forgotten": x + 1 / mu},
    ),
    role="lemma",
    uses=(curve,),
)
compressed = log(1 + 255 * x) / log(256)
derivation.bridge(
    "The code compresses like this, on both sides of zero",
    [compressed, -compressed],
    mu_law_compress,
    x=[x, -x],
    num_levels=256,
    wrong={"the number of levels for the largest code": [log(1 + 256 * x) / log(257), -log(1 + 256 * x) / log(257)]},
)
derivation.bridge("... and has this slope", 255 / log(256) / (1 + 255 * x), mu_law_compress, x=[-x], num_levels=256, slope="x")

delta = derivation.number(
    r"\delta", r"how far $f$ may move by rounding: at most $1 / \mu$, half the spacing of the points", positive=True
)
up = derivation.chain(
    "How far a sample moves upwards",
    plus(((1 + mu) ** (f + delta) - 1) / mu, -x),
    equals(
        plus((times(1 + mu * x, (1 + mu) ** delta) - 1) / mu, -x),
        r"a power of a sum is a product, and $(1 + \mu)^{f(x)} = 1 + \mu x$",
    ),
    equals(times((1 + mu * x) / mu, (1 + mu) ** delta - 1), "collect"),
    role="lemma",
)
derivation.chain(
    "Downwards it moves less",
    plus(x, -((1 + mu) ** (f - delta) - 1) / mu),
    equals(times((1 + mu * x) / mu, 1 - (1 + mu) ** (-delta)), "the same with the other sign"),
    at_most(
        times((1 + mu * x) / mu, (1 + mu) ** delta - 1),
        r"the difference of the brackets is the square of $(1 + \mu)^{\delta / 2} - (1 + \mu)^{-\delta / 2}$",
        adding=times((1 + mu * x) / mu, ((1 + mu) ** (delta / 2) - (1 + mu) ** (-delta / 2)) ** 2),
    ),
    so=r"If $f(x) < \delta$ the odd branch of $f^{-1}$ begins. But no $x \ge 0$ is decoded to a negative number, so the sample "
    r"moves down by at most $x < f^{-1}(\delta)$, which is the bound of the chain before this one at $x = 0$.",
    uses=(up,),
)
derivation.symbol(r"\hat x", "the sample, encoded and decoded", "mu_law_decode")


@derivation.bound(
    r"|\hat x - x| \le \frac{1 + \mu |x|}{\mu} \left( (1 + \mu)^{1 / \mu} - 1 \right)",
    because=r"The nearest point is at most $1 / \mu$ from $f(x)$, and $f^{-1}$ increases: the two chains at $\delta = 1 / "
    r"\mu$. For the code at 256 levels. The bound is attained at the lower ends of the cells of positive $x$; the first of "
    r"them is $x = 0$, which no code of an even number of levels meets.",
)
def quantization_error_is_relative():
    def within(floor=1.0, power=1.0):
        def sides(x):
            decoded = mu_law_decode(mu_law_encode(x, num_levels=256), num_levels=256)
            return jnp.abs(x - decoded), (floor + 255 * jnp.abs(x)) / 255 * (256 ** (power / 255) - 1)

        return sides

    # just inside the cells, which end halfway between two codes
    ends = (256 ** (2 * jnp.arange(1, 128) / 255) - 1) / 255 * (1 + 1e-13)
    return BoundSides(
        sides=within(),
        points=(jnp.linspace(-1.0, 1.0, 20001),),
        tight=(ends,),
        wrong={"without the floor": within(floor=0.0), "a tenth less": within(power=0.9)},
    )


derivation.bridge(
    "The code decodes the codes 0, 100 and 200 of 256",
    [-1, -(256 ** Rational(55, 255) - 1) / 255, (256 ** Rational(145, 255) - 1) / 255],
    mu_law_decode,
    codes=jnp.array([0, 100, 200]),
    num_levels=256,
)


derivation.say(
    r"What is gained. Inside a fine cell of width $\Delta$ the error is nearly uniform, with the mean square $\Delta^2 / 12$. "
    r"Take a sine of amplitude $A$; then $\mathbb{E} x^2 = A^2 / 2$."
)
A = derivation.number("A", "the amplitude of the sine", positive=True)
phi = derivation.number(r"\phi", "its phase", positive=True)
derivation.chain(
    "The mean square of the floor and the loudness",
    times(2 / pi, Integral((1 + mu * A * sin(phi)) ** 2, (phi, 0, pi / 2))),
    equals(
        1 + 4 * mu * A / pi + mu**2 * A**2 / 2,
        r"$\mathbb{E} |x| = \frac{2 A}{\pi}$ and $\mathbb{E} x^2 = \frac{A^2}{2}$; a quarter of the period is enough",
    ),
    role="lemma",
)
squares = derivation.define("Q", 1 + 4 * mu * A / pi + mu**2 * A**2 / 2, r"the mean of $(1 + \mu |x|)^2$", positive=True)
noise = derivation.define("N", squares * (2 / (mu * c)) ** 2 / 12, r"the mean of $\Delta^2 / 12$", positive=True)
snr = derivation.chain(
    "The signal-to-noise ratio of a sine",
    A**2 / 2 / noise,
    equals(
        times(3 * mu**2 * c**2, (A**2 / 2) / squares),
        r"the first line is $\mathbb{E} x^2$ over the mean of $\Delta^2 / 12$. The cells are $2 / \mu$ apart in $f$, whose "
        r"slope is $\frac{c}{1 + \mu |x|}$, so $\Delta = \frac{2 (1 + \mu |x|)}{\mu c}$",
    ),
    equals(
        times(3 * mu**4 / log(1 + mu) ** 2, (A**2 / 2) / (1 + 4 * mu * A / pi + mu**2 * A**2 / 2)),
        "insert $c$ and the lemma",
        wrong={"the floor forgotten": times(3 * mu**4 / log(1 + mu) ** 2, (A**2 / 2) / (mu**2 * A**2 / 2))},
    ),
)

derivation.say(
    r"The stack. A layer passes an input on with the delays $0, d, \dots, (k - 1) d$. Along a path through several layers "
    r"delays add, so write a delay of $n$ samples as $z^n$: layers multiply. The coefficient of $z^n$ counts the paths with "
    r"this delay."
)
z = derivation.number("z", "a delay of one sample", between=(0, 1))
m = derivation.number("m", "a delay", positive=True, integer=True)
layer = derivation.index("l", "a layer", states=4)
delay = derivation.index("n", "a delay", states=16)
L = derivation.count(layer, "L", "the number of layers")
doubling = derivation.chain(
    "One layer doubles the delays",
    times((1 - z**m) / (1 - z), 1 + z**m),
    equals((1 - z ** (2 * m)) / (1 - z), "the difference of two squares"),
    role="lemma",
)
central = derivation.chain(
    "Doubling dilations reach every delay exactly once",
    Product(layer, 1 + z ** (2**layer)),
    equals(
        (1 - z ** (2**L)) / (1 - z),
        r"multiply by $\frac{1 - z}{1 - z} = 1$ and use the lemma $L$ times, with $m = 1, 2, 4, \dots$",
    ),
    equals(Total(delay, z**delay), r"a geometric sum: every delay from 0 to $2^L - 1$, with the coefficient 1"),
    central=True,
    uses=(doubling,),
    so=r"There are no negative powers, so nothing of the future is seen, and the receptive field is $R = 2^L$. In general the "
    r"largest delay is $(k - 1) \sum_l d_l$, one less than $R$. With $k$ taps the dilations $1, k, k^2, \dots$ reach $k^L$ "
    r"delays once. Other dilations can leave holes: $(1 + z)(1 + z^4) = 1 + z + z^4 + z^5$ has $R = 6$, and never sees the "
    r"delays 2 and 3.",
)
derivation.symbol("R", "the receptive field", "receptive_field")
derivation.symbol("d_l", "the dilation of a layer", "dilations")
derivation.symbol("k", "the number of taps", "kernel_size")
derivation.symbol("j", "a tap")
derivation.symbol(r"\rho_n", r"the response to an impulse, $n$ samples later")


@derivation.exact(
    r"\sum_{n} \rho_n z^n = \prod_{l} \sum_{j < k} z^{j d_l}, \qquad R = 1 + (k - 1) \sum_{l} d_l",
    because="The code's stack with all weights 1 counts the paths: its response to an impulse is compared with the product of "
    "the polynomials, for five stacks, two of them with holes and one with three taps.",
    outcomes=5 * 32,
)
def an_impulse_counts_the_paths():
    responses, products, reaches, degrees = [], [], [], []
    for taps, dilations in ((2, (1, 2, 4, 8)), (2, (1, 4)), (2, (1, 1, 2)), (3, (1, 3, 9)), (2, (3, 5))):
        y, product = jnp.zeros((1, 1, 32)).at[0, 0, 0].set(1.0), np.ones(1)
        for dilation in dilations:
            y = causal_convolution(y, jnp.ones((1, 1, taps)), jnp.zeros(1), dilation=dilation)
            factor = np.zeros((taps - 1) * dilation + 1)
            factor[::dilation] = 1
            product = np.convolve(product, factor)
        responses.append(y[0, 0])
        products.append(np.pad(product, (0, 32 - len(product))))
        reaches.append(receptive_field(kernel_size=taps, dilations=dilations))
        degrees.append(len(product))
    return Sides(left=jnp.concatenate([*responses, jnp.array(reaches)]), right=np.append(np.concatenate(products), degrees))


derivation.say("One layer, and generation. Five samples, two taps, dilation 2.")
i = derivation.index("i", "a place in time", states=5)
s = derivation.index("s", "a place in time", states=5)
tap = derivation.index("j", "a tap", states=2)
wave = derivation.numbers("x", s, "the samples", "x")
weight = derivation.numbers("w", tap, "the weights of the taps", "weight")
bias = derivation.number("b", "the bias", "bias")
convolved = derivation.define(
    "y",
    bias + Total(tap, Total(s, weight * wave * KroneckerDelta(s, i - 2 * (1 - tap)))),
    r"the causal convolution: $x_{i - 2 (1 - j)}$ is 0 before the beginning",
    "causal_convolution",
    over=i,
)
derivation.bridge(
    "The code convolves like this",
    convolved,
    causal_convolution,
    x=[[wave]],
    weight=[[weight]],
    bias=[bias],
    dilation=2,
    wrong={"the kernel flipped": bias + Total(tap, Total(s, weight * wave * KroneckerDelta(s, i - 2 * tap)))},
)
derivation.bridge(
    "... and sample by sample, here the last one",
    (convolved.at(4), [wave.at(3), wave.at(4)]),
    convolution_step,
    x=[[wave.at(4)]],
    queue=[[[wave.at(2), wave.at(3)]]],
    weight=[[weight]],
    bias=[bias],
    dilation=2,
    wrong={"the queue not moved": (convolved.at(4), [wave.at(2), wave.at(3)])},
)

derivation.say(
    r"A queue of the last $(k - 1) d$ inputs is enough for the next output: its oldest entry is read, and the newest input is "
    r"pushed. By induction steps with queues give the outputs of the convolution. A new sample costs $k$ products a layer. "
    r"Without queues it costs the whole window: $1 + 2 + \dots + 2^{L-1} = 2^L - 1$ layer outputs in place of $L$."
)

derivation.say(r"A block. Everything but the two convolutions acts within one place in time.")
filters = derivation.numbers("u", tap, "the weights of the filter", "filter_weight")
gates = derivation.numbers("g", tap, "the weights of the gate", "gate_weight")
back = derivation.number("r", "the residual weight", "residual_weight")
p = derivation.index("p", "a place in time", states=3)
o = derivation.index("o", "a place in time", states=3)
short = derivation.numbers("x", o, "three samples", "x")
content = derivation.define(
    r"\alpha", Total(tap, Total(o, filters * short * KroneckerDelta(o, p - (1 - tap)))), "what the filter sees", over=p
)
opening = derivation.define(
    r"\gamma", Total(tap, Total(o, gates * short * KroneckerDelta(o, p - (1 - tap)))), "what the gate sees", over=p
)
sigma = derivation.define(r"\sigma({})", 1 / (1 + exp(-opening)), "how far the gate is open", over=p, positive=True)
out = derivation.define("x'", short.at(p) + back * tanh(content) * sigma, "the next input", "gated_residual_block", over=p)
derivation.chain(
    "The Jacobian of a block over time is lower triangular",
    Slope(out, short.at(o)),
    equals(
        plus(
            KroneckerDelta(o, p),
            times(
                back,
                plus(
                    times(1 - tanh(content) ** 2, sigma, Total(tap, filters * KroneckerDelta(o, p - (1 - tap)))),
                    times(tanh(content), sigma, 1 - sigma, Total(tap, gates * KroneckerDelta(o, p - (1 - tap)))),
                ),
            ),
        ),
        r"the product rule, with $\tanh' = 1 - \tanh^2$ and $\sigma' = \sigma (1 - \sigma)$; $\partial \alpha_p / \partial "
        r"x_o$ is the weight of the tap that reaches $o$ from $p$",
    ),
    so=r"It is zero for $o > p$: no block sees the future, and neither does a stack. With the input shifted by one sample, one "
    r"pass gives every conditional $p(x_t | x_{<t})$. The 1 on the diagonal is the residual path.",
)
derivation.bridge(
    "The code's block: what the next one gets, and what the output gets at a weight of one",
    (out, tanh(content) * sigma),
    gated_residual_block,
    x=[[short]],
    filter_weight=[[filters]],
    filter_bias=[0.0],
    gate_weight=[[gates]],
    gate_bias=[0.0],
    residual_weight=[[back]],
    residual_bias=[0.0],
    skip_weight=[[1.0]],
    skip_bias=[0.0],
    dilation=1,
    wrong={
        "filter and gate exchanged": (
            short.at(p) + back * tanh(opening) / (1 + exp(-content)),
            tanh(opening) / (1 + exp(-content)),
        )
    },
)


@derivation.example(
    r"Four levels, $\mu = 3$, and the sample $x = \frac13$. The codes are decoded to numbers none of which is zero. Then sines "
    r"at 256 levels: the ratio in decibels as measured, with the codes of this page and with cells of equal width."
)
def four_levels():
    third = jnp.array([1 / 3])
    code = mu_law_encode(third, num_levels=4)
    decoded = mu_law_decode(code, num_levels=4)
    yield r"f(x) = \frac{\ln 2}{\ln 4}", mu_law_compress(third, num_levels=4), "0.5"
    yield r"\lfloor \tfrac{3}{4} \cdot 3 + \tfrac12 \rfloor", code, "2"
    yield r"\hat x = \frac{4^{1/3} - 1}{3}", decoded, "0.1958"
    yield r"|\hat x - x| \text{ and its bound}", (*jnp.abs(decoded - third), 2 / 3 * (4 ** (1 / 3) - 1)), "(0.1375, 0.3916)"
    yield r"\text{all codes}", mu_law_decode(jnp.arange(4), num_levels=4), "(-1, -0.1958, 0.1958, 1)"
    yield r"\text{mu-law at } A = 1, 0.1, 0.01", _decibels(_quantized), "(38.4, 37.6, 33.7)"
    yield r"\text{the formula}", [_predicted(a) for a in (1.0, 0.1, 0.01)], "(37.98, 37.60, 34.39)"
    yield r"\text{equal cells}", _decibels(_equal_cells), "(50.0, 30.3, 9.3)"


@derivation.figure(
    r"Left: $f$ for 16 levels, with the 16 points (vertical) and the samples to which they are decoded (horizontal): cells are "
    r"narrow near zero. Middle: the signal-to-noise ratio of a sine, measured (dots) and derived (lines), for mu-law and for "
    r"equal cells of 8 bits. Right: a stack with the dilations 1, 2, 4 and 8; the last output reaches 16 samples, each along "
    r"one path.",
    panels=3,
)
def cells_noise_and_a_stack(left, middle, right):
    grid = np.linspace(-1, 1, 201)
    left.plot(grid, mu_law_compress(jnp.array(grid), num_levels=16))
    points = 2 * np.arange(16) / 15 - 1
    decoded = np.asarray(mu_law_decode(jnp.arange(16), num_levels=16))
    left.plot(decoded, points, "o", markersize=3)
    left.plot(decoded, np.full(16, -1.08), "|", color="gray")
    left.plot(np.full(16, -1.08), points, "_", color="gray")
    left.set(xlabel="$x$", ylabel="$f(x)$")
    amplitudes = np.geomspace(0.003, 1, 12)
    middle.semilogx(amplitudes, [_predicted(a) for a in amplitudes], label="mu-law")
    middle.semilogx(amplitudes, 10 * np.log10(1.5 * 255**2 * amplitudes**2), label="equal cells")
    for quantize in (_quantized, _equal_cells):
        middle.plot(amplitudes, _decibels(quantize, amplitudes, 2000), "o", markersize=3, color="gray")
    middle.set(xlabel="amplitude $A$", ylabel="signal to noise (dB)", ylim=(0, 52))
    middle.legend()
    reached = {15}
    for level, dilation in zip((4, 3, 2, 1), (8, 4, 2, 1), strict=True):
        for place in reached:
            for before in (place, place - dilation):
                right.plot([place, before], [level, level - 1], color="gray", linewidth=1)
        reached |= {place - dilation for place in reached}
    for level in range(5):
        right.plot(range(16), [level] * 16, "o", markersize=3, color="gray")
    right.set(xlabel="time", ylabel="layer", xticks=range(0, 16, 5), yticks=range(5))


@derivation.exercise(
    "How many layers with two taps and doubling dilations hear 64 ms at 8000 samples a second?",
    r"512 samples, and $512 = 2^9$: 9 layers.",
)
def layers_for_64_milliseconds():
    yield 0.064 * 8000, "512"
    yield receptive_field(kernel_size=2, dilations=[2**n for n in range(9)]), "512"


@derivation.exercise(
    r"Three taps and the dilations 1, 3 and 9: what is the receptive field, and is any delay missed?",
    r"$R = 1 + 2 \cdot 13 = 27$. None: $\prod_l (1 + z^{3^l} + z^{2 \cdot 3^l}) = \frac{1 - z^{27}}{1 - z}$ has 27 "
    r"coefficients that are 1, as a number has one form in base 3.",
)
def base_three():
    yield receptive_field(kernel_size=3, dilations=(1, 3, 9)), "27"
    product = (1 + z + z**2) * (1 + z**3 + z**6) * (1 + z**9 + z**18)
    yield sympy.expand(product * (1 - z)), 1 - z**27


@derivation.exercise(
    "Where does the signal-to-noise ratio of 16 levels end for loud sines, in decibels?",
    r"At $10 \log_{10} \frac{3 \cdot 225}{\ln^2 16} = 19.44$ dB, if $\mu A$ were large; at $A = 1$ the formula gives 18.72 dB.",
)
def sixteen_levels():
    yield 10 * math.log10(3 * 225 / math.log(16) ** 2), "19.44"
    yield _predicted(1.0, 15), "18.72"


def _quantized(x):
    return mu_law_decode(mu_law_encode(x, num_levels=256), num_levels=256)


def _equal_cells(x):
    return jnp.round((x + 1) / 2 * 255) / 255 * 2 - 1


def _decibels(quantize, amplitudes=(1.0, 0.1, 0.01), samples=20_000):
    """The measured signal-to-noise ratio of sines."""
    sine = jnp.sin(2 * np.pi * (jnp.arange(samples) + 0.5) / samples)
    x = jnp.asarray(amplitudes)[:, None] * sine
    return 10 * jnp.log10(jnp.mean(x * x, axis=1) / jnp.mean((x - quantize(x)) ** 2, axis=1))


def _predicted(amplitude, largest=255):
    """The derived one."""
    return 10 * math.log10(value(snr.result, {A: amplitude, mu: largest}))
