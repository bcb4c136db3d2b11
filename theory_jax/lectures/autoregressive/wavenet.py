"""WaveNet: codes in proportion to loudness, and a past that doubles with every layer.

The lecture on the functions of theory_jax/autoregressive/wavenet.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Rational, exp, log, pi, sin, tanh

from theory_jax.autoregressive.wavenet import (
    causal_convolution,
    convolution_step,
    gated_residual_block,
    mu_law_compress,
    mu_law_decode,
    mu_law_encode,
)
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Product, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive import _quantized_sines as cells

derivation = Derivation(
    module=__name__,
    title="WaveNet: codes in proportion to loudness, and a past that doubles with every layer",
    lectures=(42,),
    sources=(
        "ITU-T 1988, Recommendation G.711: Pulse code modulation of voice frequencies",
        "van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio",
        "Paine et al. 2016, Fast Wavenet Generation Algorithm",
    ),
    question="A second of sound has many thousand samples. Rounded to 256 evenly spaced levels, its quiet passages drown in "
    "noise; and a stack of ordinary convolutions that hears a second back has thousands of layers. How are few codes enough, "
    "and how does a stack see a long past cheaply, without seeing the sample that it predicts?",
    setting=(
        "A sample $x$ between $-1$ and 1 is compressed by an increasing odd function $f$ that maps 1 to 1. Its code is the "
        r"nearest to $f(x)$ of $\mu + 1$ evenly spaced points from $-1$ to 1; it is decoded by $f^{-1}$. The chains treat "
        "samples that are not negative; negative samples mirror them.",
        r"A causal convolution with $k$ taps and dilation $d$ adds to a bias $b$ the products $w_j\, x_{t - (k - 1 - j) d}$ of "
        "all taps $j$ from 0 on, with zeros before the beginning. The last tap sees the present, the others the past.",
        r"A block multiplies $\tanh(W_f * x)$ and $\sigma(W_g * x)$ of two such convolutions. It passes $x$ and $W_r$ times the "
        "product to the next block, and adds $W_s$ times the product to the output. The network's input is the waveform "
        "shifted by one sample, so that the output at $t$ is a distribution of $x_t$ that depends on earlier samples alone.",
        r"The chains write out few samples, two taps and one channel; the code is compared with more.",
    ),
    limits=(
        "That the ear needs no smaller cells is a fact about hearing; the uniform error is an approximation for fine cells.",
        "Gates with a small slope pass little; learning is not treated.",
    ),
)

x = derivation.number("x", "a sample, of the positive half", "x", between=(0, 1))
t = derivation.number(r"\xi", "a variable of integration", positive=True)
mu = derivation.number(r"\mu", "the largest code: one less than the number of levels", "num_levels - 1", positive=True)
c = derivation.define("c", mu / log(1 + mu), "the constant with which $f$ maps 1 to 1", positive=True)
f = derivation.define("f(x)", log(1 + mu * x) / log(1 + mu), "the compressed sample", "mu_law_compress")

derivation.say(
    r"The codes first. The width of a cell shall be proportional to the loudness plus a floor, $|x| + 1/\mu$. The slope of $f$ "
    r"is the density of the cells, so it shall be $\frac{c}{1 + \mu x}$."
)
curve = derivation.chain(
    "The wish has one solution, a logarithm",
    Integral(c / (1 + mu * t), (t, 0, x)),
    equals(
        times(c / mu, log(1 + mu * x)),
        prose("integrate from zero, where {zero}", zero=holds(log(1 + mu * x), "=", 0, when={x: 0})),
    ),
    equals(log(1 + mu * x) / log(1 + mu), prose("{one} fixes $c$", one=holds(times(c / mu, log(1 + mu)), "=", 1))),
)
derivation.chain(
    "A power undoes it",
    ((1 + mu) ** f - 1) / mu,
    equals(
        x,
        prose(r"$f(x)$ is a logarithm to the base $1 + \mu$, so that {power}", power=holds((1 + mu) ** f, "=", 1 + mu * x)),
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
    r"Rounding upwards moves a sample in proportion to $1 + \mu x$",
    plus(((1 + mu) ** (f + delta) - 1) / mu, -x),
    equals(
        plus((times(1 + mu * x, (1 + mu) ** delta) - 1) / mu, -x),
        prose("a power of a sum is a product, and {power}", power=holds((1 + mu) ** f, "=", 1 + mu * x)),
    ),
    equals(times((1 + mu * x) / mu, (1 + mu) ** delta - 1), "collect"),
    role="lemma",
)
root = (1 + mu) ** (delta / 2) - (1 + mu) ** (-delta / 2)
derivation.chain(
    "Rounding downwards moves a sample by less than rounding upwards",
    plus(x, -((1 + mu) ** (f - delta) - 1) / mu),
    equals(times((1 + mu * x) / mu, 1 - (1 + mu) ** (-delta)), "the same with the other sign"),
    at_most(
        times((1 + mu * x) / mu, (1 + mu) ** delta - 1),
        prose(
            "the difference of the brackets is {square}",
            square=holds(plus((1 + mu) ** delta, (1 + mu) ** (-delta), -2), "=", root**2),
        ),
        adding=times((1 + mu * x) / mu, root**2),
    ),
    so=prose(
        r"Where $f(x)$ is below $\delta$ the odd branch of $f^{-1}$ begins. But no sample of this half is decoded to a negative "
        r"number, so it moves down by at most $x$, which is below $f^{-1}(\delta)$: the bound of the chain before this one at "
        "zero, {bound}.",
        bound=holds(times((1 + mu * x) / mu, (1 + mu) ** delta - 1), "=", ((1 + mu) ** delta - 1) / mu, when={x: 0}, named=True),
    ),
    uses=(up,),
    role="lemma",
)
derivation.symbol(r"\hat x", "the sample, encoded and decoded", "mu_law_decode")


@derivation.bound(
    r"|\hat x - x| \le \frac{1 + \mu |x|}{\mu} \left( (1 + \mu)^{1 / \mu} - 1 \right)",
    because=r"The nearest point is at most $1 / \mu$ from $f(x)$, and $f^{-1}$ increases: the two chains, with $1 / \mu$ for "
    r"$\delta$. For the code at 256 levels. The bound is attained at the lower ends of the cells of positive $x$; the first of "
    r"them is 0, which no code of an even number of levels meets.",
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
    r"Take a sine of amplitude $A$, whose mean square is $A^2 / 2$."
)
A = derivation.number("A", "the amplitude of the sine", positive=True)
phi = derivation.number(r"\phi", "its phase", positive=True)
derivation.chain(
    r"Over a sine $(1 + \mu |x|)^2$ has the mean $1 + \frac{4 \mu A}{\pi} + \frac{\mu^2 A^2}{2}$",
    times(2 / pi, Integral((1 + mu * A * sin(phi)) ** 2, (phi, 0, pi / 2))),
    equals(
        1 + 4 * mu * A / pi + mu**2 * A**2 / 2,
        prose(
            "a quarter of the period is enough; {mean} and {square}",
            mean=holds(times(2 / pi, Integral(A * sin(phi), (phi, 0, pi / 2))), "=", 2 * A / pi),
            square=holds(times(2 / pi, Integral(A**2 * sin(phi) ** 2, (phi, 0, pi / 2))), "=", A**2 / 2),
        ),
    ),
    role="lemma",
)
squares = derivation.define("Q", 1 + 4 * mu * A / pi + mu**2 * A**2 / 2, r"the mean of $(1 + \mu |x|)^2$", positive=True)
noise = derivation.define("N", squares * (2 / (mu * c)) ** 2 / 12, r"the mean of $\Delta^2 / 12$", positive=True)
snr = derivation.chain(
    r"A sine's signal-to-noise ratio hardly depends on its amplitude where $\mu A$ is large",
    A**2 / 2 / noise,
    equals(
        times(3 * mu**2 * c**2, (A**2 / 2) / squares),
        prose(
            r"the first line is $\mathbb{E} x^2$ over the mean of $\Delta^2 / 12$. The cells are $2 / \mu$ apart in $f$, whose "
            r"slope is $\frac{c}{1 + \mu |x|}$, so a cell is $\frac{2 (1 + \mu |x|)}{\mu c}$ wide: {noise}",
            noise=holds(noise, "=", squares / (3 * mu**2 * c**2)),
        ),
    ),
    equals(
        times(3 * mu**4 / log(1 + mu) ** 2, (A**2 / 2) / (1 + 4 * mu * A / pi + mu**2 * A**2 / 2)),
        "insert $c$ and the lemma",
        wrong={"the floor forgotten": times(3 * mu**4 / log(1 + mu) ** 2, (A**2 / 2) / (mu**2 * A**2 / 2))},
    ),
    role="remark",
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
        "multiply above and below by $1 - z$, and use the lemma $L$ times, with 1, 2, 4 and so on for $m$",
    ),
    equals(Total(delay, z**delay), r"a geometric sum: every delay from 0 to $2^L - 1$, with the coefficient 1"),
    central=True,
    uses=(doubling,),
    so=prose(
        "There are no negative powers, so nothing of the future is seen, and the receptive field $R$ is $2^L$. In general the "
        r"largest delay is $(k - 1) \sum_l d_l$, one less than $R$. With $k$ taps the dilations $1, k, k^2, \dots$ reach $k^L$ "
        "delays once. Other dilations can leave holes: {holes} has a receptive field of 6, and never sees the delays 2 and 3.",
        holes=holds(times(1 + z, 1 + z**4), "=", plus(1, z, z**4, z**5)),
    ),
)
derivation.symbol("R", "the receptive field", "receptive_field")
derivation.symbol("d_l", "the dilation of a layer", "dilations")
derivation.symbol("k", "the number of taps", "kernel_size")
derivation.symbol(r"\rho_n", r"the response to an impulse, $n$ samples later")


@derivation.exact(
    r"\sum_{n} \rho_n z^n = \prod_{l} \sum_{j < k} z^{j d_l}, \qquad R = 1 + (k - 1) \sum_{l} d_l",
    because="The code's stack with all weights 1 counts the paths: its response to an impulse is compared with the product of "
    "the polynomials, for five stacks, two of them with holes and one with three taps.",
    outcomes=5 * 32,
    role="remark",
)
def an_impulse_counts_the_paths():
    responses, reaches, products, degrees = cells.impulse_responses()
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
    prose(
        "A queue of the last $(k - 1) d$ inputs is enough for the next output: its oldest entry is read, and the newest input is "
        "pushed. By induction steps with queues give the outputs of the convolution. A new sample costs $k$ products a layer. "
        "Without queues two taps and doubling dilations cost the whole window: {window} layer outputs in place of $L$.",
        window=holds(Total(layer, 2**layer), "=", 2**L - 1),
    )
)

derivation.say(r"A block. Everything but the two convolutions acts within one place in time.")
filters = derivation.numbers("u", tap, "the weights of the filter", "filter_weight")
gates = derivation.numbers("g", tap, "the weights of the gate", "gate_weight")
back = derivation.number("r", "the residual weight", "residual_weight")
p = derivation.index("p", "a place in time", states=3)
o = derivation.index("o", "a place in time", states=3)
short = derivation.numbers("x", o, "three samples", "x")
reached = KroneckerDelta(o, p - (1 - tap))
content = derivation.define(r"\alpha", Total(tap, Total(o, filters * short * reached)), "what the filter sees", over=p)
opening = derivation.define(r"\gamma", Total(tap, Total(o, gates * short * reached)), "what the gate sees", over=p)
sigma = derivation.define(r"\sigma({})", 1 / (1 + exp(-opening)), "how far the gate is open", over=p, positive=True)
out = derivation.define("x'", short.at(p) + back * tanh(content) * sigma, "the next input", "gated_residual_block", over=p)
causal = derivation.chain(
    "The Jacobian of a block over time is lower triangular",
    Slope(out, short.at(o)),
    equals(
        plus(
            KroneckerDelta(o, p),
            times(
                back,
                plus(
                    times(1 - tanh(content) ** 2, sigma, Total(tap, filters * reached)),
                    times(tanh(content), sigma, 1 - sigma, Total(tap, gates * reached)),
                ),
            ),
        ),
        prose(
            "the product rule; the slopes of filter and gate are those of the taps that reach $o$ from $p$, {filter} and {gate}",
            filter=holds(Slope(tanh(content), short.at(o)), "=", times(1 - tanh(content) ** 2, Total(tap, filters * reached))),
            gate=holds(Slope(sigma, short.at(o)), "=", times(sigma, 1 - sigma, Total(tap, gates * reached))),
        ),
    ),
    so="It is zero for $o$ behind $p$: no block sees the future, and neither does a stack. With the input shifted by one sample, "
    "one pass gives every conditional of the waveform. The 1 on the diagonal is the residual path.",
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


derivation.answer = prose(
    r"Cells in proportion to $1 + \mu |x|$ need a logarithm, {curve}; the signal-to-noise ratio then hardly depends on the "
    r"loudness, as long as $\mu$ times the amplitude is large. A stack of causal convolutions multiplies the polynomials of its "
    r"delays: with two taps and the dilations $1, 2, 4, \dots$ it reaches each of $2^L$ delays along exactly one path, {paths}. "
    "A queue of past inputs for every layer generates without computing anything twice.",
    curve=holds(Integral(c / (1 + mu * t), (t, 0, x)), "=", log(1 + mu * x) / log(1 + mu)),
    paths=holds(Product(layer, 1 + z ** (2**layer)), "=", Total(delay, z**delay)),
)


derivation.algorithm(
    "Generating a waveform sample by sample",
    do("for every layer take a queue of $(k - 1) d$ zeros; the first input is a zero, too"),
    do("for every new sample:"),
    do(
        "in every block, filter and gate read the queue's oldest entry and the newest input, which joins",
        convolution_step,
        by=central,
        indent=1,
    ),
    do(r"pass $x + W_r \tanh(\cdot)\, \sigma(\cdot)$ on, and add up what the blocks give to the output", by=causal, indent=1),
    do("draw the next code from the softmax of the output, and decode it: the next input", mu_law_decode, by=curve, indent=1),
)(cells.three_samples)


@derivation.example(
    r"Four levels, so that $\mu$ is 3, and the sample $\frac13$. The codes are decoded to numbers none of which is zero. Then "
    "sines at 256 levels: the ratio in decibels as measured, with the codes of this page and with cells of equal width."
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
    yield r"\text{mu-law at } A = 1, 0.1, 0.01", cells.decibels(cells.quantized), "(38.4, 37.6, 33.7)"
    yield r"\text{the formula}", [_predicted(a) for a in (1.0, 0.1, 0.01)], "(37.98, 37.60, 34.39)"
    yield r"\text{equal cells}", cells.decibels(cells.equal_cells), "(50.0, 30.3, 9.3)"


@derivation.figure(
    r"Left: $f$ for 16 levels, with the 16 points (vertical) and the samples to which they are decoded (horizontal): cells are "
    r"narrow near zero. Middle: the signal-to-noise ratio of a sine, measured (dots) and derived (lines), for mu-law and for "
    r"equal cells of 8 bits. Right: a stack with the dilations 1, 2, 4 and 8; the last output reaches 16 samples, each along "
    r"one path.",
    panels=3,
)
def cells_noise_and_a_stack(left, middle, right):
    cells.draw(left, middle, right, _predicted)


def _predicted(amplitude, largest=255):
    """The derived one."""
    return 10 * math.log10(value(snr.result, {A: amplitude, mu: largest}))
