"""Waveform diffusion: why a vocoder is conditioned on the noise level, how far it sees, and what a mel spectrogram leaves open.

The lecture on the functions of theory_jax/diffusion/audio_diffusion.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Rational, cos, exp, log, pi, sin, sqrt, tanh

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Total, Variance, plus, times
from theory_jax.diffusion.audio_diffusion import (
    conditioned_residual_block,
    dilated_convolution,
    noise_at_level,
    sample_noise_level,
)
from theory_jax.diffusion.noise_schedules import linear_alpha_bar
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Waveform diffusion: told the noise level, and given a spectrogram that leaves the signs open",
    sources=(
        "Kong, Ping, Huang, Zhao & Catanzaro 2021, DiffWave: A Versatile Diffusion Model for Audio Synthesis",
        "Chen, Zhang, Zen, Weiss, Norouzi & Chan 2021, WaveGrad: Estimating Gradients for Waveform Generation",
    ),
    question="A vocoder turns a mel spectrogram into a waveform. It is to be trained once, and sampled with six steps or with a "
    "thousand. Why must the network be told the noise level and not the number of the step, how far does it see, and what does "
    "the spectrogram leave open?",
    setting=(
        r"The level is $l = \sqrt{\bar\alpha} \in (0, 1]$, and $x_l = l\, x_0 + \sqrt{1 - l^2}\, \epsilon$ with standard normal "
        r"$\epsilon$. A grid is $1 = l_0 > l_1 > \dots > l_T > 0$. Training draws a piece of the grid, each with equal "
        r"probability, and $l$ uniformly in it.",
        r"A dilated convolution has $K$ taps, an odd number, at the offsets $j d$ with $|j| \le \frac{K - 1}2$: as many in the "
        r"future as in the past, since all samples are drawn together.",
        r"A block computes $\tanh(c_1)\, s(c_2)$ with the sigmoid $s(c) = \frac1{1 + e^{-c}}$. $c_1$ and $c_2$ are the two "
        r"halves of a sum: a dilated convolution of $x$ plus an embedding of the level, and a pointwise map of the spectrogram. "
        r"The next block gets $\frac{x + o}{\sqrt2}$, with $o$ a pointwise map of the gate's output.",
        r"The condition $c$ is computed from the waveform: the magnitudes of Fourier coefficients, their mel bands, logarithms "
        r"(lecture on the Frechet audio distance). For entropies there are finitely many waveforms.",
    ),
    answer=r"Every falling list of levels is a forward process, and the best prediction at a level depends on the level only. "
    r"So one network, conditioned on $l$, fits every schedule within the range of its training. Dilations "
    r"$1, 2, 4, \dots$ with three taps reach $1 + 2 \sum_i d_i$ samples without a hole. The condition leaves $H(x) - H(c)$ nats "
    r"open, the sign of the waveform among them: the best guess in squared error can be silence, and a sampler is needed.",
    limits=(
        "That few steps suffice (lecture on DPM-Solver), and how nearly recorded sounds have the same law as their negatives.",
        "A trained vocoder. The practice wing trains one on synthesized notes, and samples it in 50 steps and in 6.",
    ),
)

# ---------------------------------------------------------------------------------------------------- levels

l = derivation.number("l", "the level: the weight of the data", "level", between=(0, 1))  # noqa: E741
r = derivation.number("r", "the ratio of a lower level to $l$", between=(0, 1))
x0, noise = derivation.number("x_0", "the data", "x0"), derivation.number(r"\epsilon", "the noise", "noise")
z = derivation.number("z", "fresh noise")
x_l = derivation.define("x_l", plus(l * x0, sqrt(1 - l**2) * noise), "the data at level $l$", "noise_at_level")
x_k = derivation.define("x_k", plus(r * x_l, sqrt(1 - r**2) * z), "a step of a diffusion from there")
derivation.bridge(
    "The code's noise",
    x_l,
    noise_at_level,
    x0=[[x0]],
    noise=[[noise]],
    level=[l],
    wrong={"the root of $1 - l$": plus(l * x0, sqrt(1 - l) * noise), "squares for levels": sqrt(l) * x0 + sqrt(1 - l) * noise},
)
derivation.say(r"Take any lower level $k = r l$. Is there a step of a diffusion that leads from $l$ to $k$?")


def _of_noises(body):
    return Expectation(Normal(noise, 0, 1), Expectation(Normal(z, 0, 1), body))


derivation.chain(
    "The mean after the step",
    _of_noises(x_k),
    equals(r * l * x0, "both noises have mean zero", wrong={"the level of before": l * x0}),
    role="lemma",
)
every_list = derivation.chain(
    "Every falling list of levels is a diffusion",
    _of_noises((x_k - r * l * x0) ** 2),
    equals(
        plus(r**2 * (1 - l**2), 1 - r**2),
        r"the noises are independent; insert $x_l$",
        wrong={"the old noise forgotten": 1 - r**2, "the old noise unscaled": plus(1 - l**2, 1 - r**2)},
    ),
    equals(1 - (r * l) ** 2, "cancel"),
    central=True,
    so=r"So $x_k$ has mean $k x_0$ and variance $1 - k^2$: it is the data at level $k$. Between any two levels lies a step with "
    r"$\beta = 1 - \frac{k^2}{l^2}$. A sampler may take any list, and its schedule is $\bar\alpha = l^2$.",
)
derivation.say(
    r"The loss at one level is smallest for $\mathbb{E}[\epsilon | x_l] = -\sqrt{1 - l^2}\, \nabla \log p_l(x_l)$ (lecture on "
    r"score prediction), in which no grid occurs. For normal data with variance $v$, $x_l$ has variance $V$."
)
v = derivation.number("v", "the variance of normal data", positive=True)
w = derivation.number("w", "a factor that predicts the noise from $x_l$")
V = derivation.define("V", v * l**2 + (1 - l**2), "the variance of $x_l$", positive=False)
factor = derivation.define("w^*", sqrt(1 - l**2) / V, "the best factor")
derivation.chain(
    "The best prediction of the noise knows the level only",
    Expectation(Normal(x0, 0, v), Expectation(Normal(noise, 0, 1), (noise - w * x_l) ** 2)),
    equals(
        plus(1, -2 * w * sqrt(1 - l**2), w**2 * V),
        r"multiply out; $\mathbb{E}\, \epsilon x_l = \sqrt{1 - l^2}$",
        wrong={"the signal's covariance": plus(1, -2 * w * l, w**2 * V)},
    ),
    equals(plus(V * (w - factor) ** 2, v * l**2 / V), "complete the square"),
    at_least(v * l**2 / V, "leave out a square; equality if and only if $w = w^*$", dropping=V * (w - factor) ** 2),
    uses=(every_list,),
    so=r"Step 1 of a grid of 6 and step 1 of a grid of 1,000 have different levels, and so different best answers: with $v = 4$ "
    r"the factor is $0.2055$ at $l = 0.8$ and $0.3846$ at $l = 0.6$. A network conditioned on the number of a step is right for "
    r"its own grid only.",
)

# ---------------------------------------------------------------------------------------------------- training

derivation.say(r"Training has to visit all levels, not those of a grid. It draws $l$ uniformly from a piece of the grid.")
u = derivation.number("u", "a uniform number", "u", between=(0, 1))
low = derivation.number("l_t", "the lower end of the piece", "sqrt(alpha_bar[t])", positive=True)
width = derivation.number(r"\Delta", "the length of the piece", positive=True)
derivation.bridge(
    "The code's draw, in the second piece",
    low / (low + 2 * width) + u * width / (low + 2 * width),
    sample_noise_level,
    u=[u],
    t=np.array([2]),
    alpha_bar=[1, ((low + width) / (low + 2 * width)) ** 2, (low / (low + 2 * width)) ** 2],
    wrong={"from the other end": (low + width) / (low + 2 * width) - u * width / (low + 2 * width)},
)
g = derivation.number("g", "how far the level is from the middle of the piece")
p_0, p_1, p_2, p_3 = (
    derivation.number(f"h_{n}", meaning)
    for n, meaning in enumerate(("the loss at the middle of the piece", "its slope", "its curvature", "its third derivative"))
)
derivation.chain(
    "The loss of a piece is that of its middle, up to second order",
    times(1 / width, Integral(p_0 + p_1 * g + p_2 * g**2 / 2 + p_3 * g**3 / 6, (g, -width / 2, width / 2))),
    equals(plus(p_0, width**2 * p_2 / 24), "odd powers vanish", wrong={"a twelfth": plus(p_0, width**2 * p_2 / 12)}),
    so=r"On a fine grid this is DDPM's loss at the middles of the pieces. Pieces count alike, long or short.",
)
a = derivation.number("a", "the squared level")
derivation.chain(
    "Uniform in the square is a larger level",
    plus(times(1 / ((low + width) ** 2 - low**2), Integral(sqrt(a), (a, low**2, (low + width) ** 2))), -low - width / 2),
    equals(
        width**2 / (6 * plus(2 * low, width)),
        r"the integral of $\sqrt a$ is $\frac23 a^{3/2}$, a difference of cubes over a difference of squares",
    ),
    so=r"In the piece $[\frac12, 1]$ the mean level is $0.778$ in place of $0.75$.",
)

# ---------------------------------------------------------------------------------------------------- the field

derivation.say(
    r"How much of the waveform does an output see? Write a shift by $n$ samples as $y^n$. Layers in a row add offsets, so "
    r"their polynomials multiply, and the coefficient of $y^n$ counts the paths to the offset $n$. Pointwise maps and gates "
    r"change no offset."
)
for letter, words, code in (
    ("y", "a shift by one sample", ""),
    ("K", "the number of taps", "weight.shape[2]"),
    ("d_i", "the dilation of a layer", "dilation"),
    (r"\rho_n", r"the response to an impulse, $n$ samples away", ""),
):
    derivation.symbol(letter, words, code)


@derivation.exact(
    r"\sum_n \rho_n y^n = \prod_i \sum_j y^{j d_i}",
    because=r"The response of the code's layers with all taps 1 to an impulse, against the product of the polynomials: "
    r"dilations $1, 3, 9$ (field 27, each offset once), $1, 1, 1$ (field 7), $1, 2, \dots, 32$ (field 127, no coefficient is "
    r"zero) and $1, 5$ with holes (9 offsets of 13). In general the largest offset is $\frac{K - 1}2 \sum_i d_i$.",
    outcomes=4 * 161,
)
def an_impulse_counts_the_paths():
    stacks = (1, 3, 9), (1, 1, 1), (1, 2, 4, 8, 16, 32), (1, 5)
    responses, products, causal = [], [], []
    for dilations in stacks:
        response, product = jnp.zeros((1, 1, 161)).at[0, 0, 80].set(1.0), np.ones(1)
        for dilation in dilations:
            response = dilated_convolution(response, jnp.ones((1, 1, 3)), jnp.zeros(1), dilation=dilation)
            taps = np.zeros(2 * dilation + 1)
            taps[::dilation] = 1
            product = np.convolve(product, taps)
        side = 80 - len(product) // 2
        responses.append(response[0, 0])
        products.append(np.pad(product, side))
        causal.append(np.roll(products[-1], len(product) // 2))
    reached = jnp.array([jnp.count_nonzero(response) for response in responses])
    counts = np.array([27, 7, 127, 9])
    return Sides(
        left=jnp.concatenate([*responses, reached]),
        right=np.concatenate([*products, counts]),
        wrong={"the past alone": np.concatenate([*causal, counts])},
    )


place = derivation.index("n", "a sample", states=5)
other = derivation.index("m", "a sample", states=5)
tap = derivation.index("j", "a tap", states=3)
wave = derivation.numbers("x", other, "the samples of the input", "x")
weight = derivation.numbers("w", tap, "the weights of the taps", "weight")
bias = derivation.number("b", "the bias", "bias")


def _convolved(offset):
    return bias + Total(tap, Total(other, weight * wave * KroneckerDelta(other, place + offset)))


derivation.bridge(
    "The code convolves like this, here with dilation 2",
    _convolved(2 * (tap - 1)),
    dilated_convolution,
    x=[[wave]],
    weight=[[weight]],
    bias=[bias],
    dilation=2,
    wrong={"causal": _convolved(2 * (tap - 2)), "the kernel flipped": _convolved(2 * (1 - tap))},
)

# ---------------------------------------------------------------------------------------------------- the block

i = derivation.index(r"\xi", "a state of the input")
law = derivation.law("p", i, "its probability")
entering, added = derivation.numbers("x", i, "the input of a block", "x"), derivation.numbers("o", i, "what is added to it")
centered = Expectation(law, entering * added) - Expectation(law, entering) * Expectation(law, added)
derivation.chain(
    "The variance after a block",
    Variance(law, (entering + added) / sqrt(2)),
    equals(
        times(Rational(1, 2), plus(Variance(law, entering), Variance(law, added), 2 * centered)),
        "the square of a sum",
        wrong={"without the root": plus(Variance(law, entering), Variance(law, added), 2 * centered)},
    ),
    so=r"With unit variances it is 1 if and only if input and addition are uncorrelated, which may hold at the start of "
    r"training, not later. Without the factor $\frac1{\sqrt2}$ it doubles: by $2^{30}$ after 30 blocks.",
)
embedding = derivation.number(r"\nu", "the embedding of the level", "embedding")
heard = derivation.number(r"\gamma", "a band of the spectrogram", "condition")
x_1 = derivation.number("x_1", "a sample", "x")
names = {"w_1": "the weight of the first half", "w_2": "... of the second", "b_1": "its bias", "b_2": "the other's"}
names |= {
    "v_1": "the condition's weight",
    "v_2": "... in the second half",
    "q_1": "the weight of the addition",
    "q_2": "the skip's",
}
w_1, w_2, b_1, b_2, v_1, v_2, q_1, q_2 = (derivation.number(name, meaning) for name, meaning in names.items())
first, second = plus(w_1 * (x_1 + embedding), b_1, v_1 * heard), plus(w_2 * (x_1 + embedding), b_2, v_2 * heard)
inside = derivation.define("z_1", tanh(first) / (1 + exp(-second)), "the gate's output")
swapped = tanh(second) / (1 + exp(-first))
derivation.bridge(
    "The code's block, of one sample, one channel and one band",
    ([[(x_1 + q_1 * inside) / sqrt(2)]], [[q_2 * inside]]),
    conditioned_residual_block,
    x=[[[x_1]]],
    embedding=[[embedding]],
    condition=[[[heard]]],
    weight=[[[w_1]], [[w_2]]],
    bias=[b_1, b_2],
    condition_weight=[[v_1], [v_2]],
    output_weight=[[q_1], [q_2]],
    output_bias=[0, 0],
    dilation=1,
    wrong={
        "halves exchanged": ([[(x_1 + q_1 * swapped) / sqrt(2)]], [[q_2 * swapped]]),
        "without the root": ([[x_1 + q_1 * inside]], [[q_2 * inside]]),
    },
)

# ---------------------------------------------------------------------------------------------------- what is left open

derivation.say(
    r"The condition is computed from the waveform, so a waveform is a pair of its condition $c$ and a choice $\omega$ among "
    r"those that have this condition. A model $q$ draws the choice."
)
c = derivation.index("c", "a condition", states=2)
n = derivation.index(r"\omega", "a waveform among those with the condition", states=3)
chance = derivation.law("p({})", c, "the probability of a condition")
true = derivation.law("p({}|{})", (n, c), "the law of waveforms with the condition")
model = derivation.law("q({}|{})", (n, c), "the vocoder's law")
joint = chance * true
derivation.chain(
    "What the best vocoder still has to draw",
    Expectation(chance, Expectation(true, -log(model))),
    equals(
        Expectation(chance, plus(Entropy(true), Divergence(true, model))),
        r"add and subtract $\log p(\omega|c)$",
        wrong={"the divergence turned over": Expectation(chance, plus(Entropy(true), Divergence(model, true)))},
    ),
    at_least(
        Expectation(chance, Entropy(true)),
        "leave out the divergence (Gibbs); equality if and only if $q = p$",
        dropping=Expectation(chance, gibbs.at(true, model)),
    ),
    equals(
        plus(-Total(c, Total(n, joint * log(joint))), -Entropy(chance)),
        r"the logarithm of $p(c)\, p(\omega|c)$ is a sum, and $p(\omega|c)$ sums to one",
        wrong={"the entropy of all waveforms": -Total(c, Total(n, joint * log(joint)))},
    ),
    so=r"This is $H(x) - H(c)$: a vocoder must invent all of the entropy that its condition does not have.",
)
t = derivation.index("t", "a sample of a frame", states=4)
f = derivation.number("f", "a frequency")
sample = derivation.numbers("x", t, "the samples of a frame")
derivation.chain(
    "A magnitude does not know the sign",
    plus(Total(t, -sample * cos(2 * pi * f * t)) ** 2, Total(t, -sample * sin(2 * pi * f * t)) ** 2),
    equals(
        plus(Total(t, sample * cos(2 * pi * f * t)) ** 2, Total(t, sample * sin(2 * pi * f * t)) ** 2),
        r"$(-1)^2 = 1$",
        wrong={"the real part": plus(Total(t, sample * cos(2 * pi * f * t)), 0 * f)},
    ),
    role="lemma",
    so=r"So $x$ and $-x$ have one spectrogram.",
)
k, k_2 = derivation.index(r"\eta", r"a pair $\pm x$ of waveforms"), derivation.index(r"\eta'", "another pair")
pair = derivation.law("w", k, "the probability of a pair, given the condition")
size = derivation.numbers("x", k, "a sample of the waveform with the sign +")
guess = derivation.number("r", "a guess of this sample from the condition")
plain = derivation.chain(
    "The best guess is silence",
    Expectation(pair, times(Rational(1, 2), plus((size - guess) ** 2, (-size - guess) ** 2))),
    equals(plus(Expectation(pair, size**2), guess**2), "multiply out: the products with $r$ cancel"),
    at_least(Expectation(pair, size**2), "leave out a square; equality if and only if $r = 0$", dropping=guess**2),
    so=r"This holds where $x$ and $-x$ are equally likely, for every condition: a vocoder trained by squared error on waveforms "
    r"would answer silence to every spectrogram.",
)
derivation.chain(
    "A sampler has twice the error, and sounds right",
    Expectation(
        pair, Expectation(pair.at(k_2), times(Rational(1, 2), plus((size - size.at(k_2)) ** 2, (size + size.at(k_2)) ** 2)))
    ),
    equals(
        2 * Expectation(pair, size**2),
        r"the products cancel; both draws have the same law",
        wrong={"that of silence": Expectation(pair, size**2)},
    ),
    uses=(plain,),
    so=r"Its samples have the law of the data, loudness and all. So a vocoder is judged by spectrograms of its samples, not by "
    r"their distance from the waveform.",
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _entropies():
    """Of the eight signals of three samples +-1, and of their magnitudes."""
    signals = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    magnitudes = np.round(np.abs(np.fft.rfft(signals)), 9)
    classes = np.unique(magnitudes, axis=0, return_inverse=True)[1].reshape(-1)
    share = np.bincount(classes) / 8
    return math.log(8), -float(share @ np.log(share))


def _best(level, variance=4.0):
    return np.sqrt(1 - level**2) / (variance * level**2 + 1 - level**2)


def _response(dilations, length=65):
    found = jnp.zeros((1, 1, length)).at[0, 0, length // 2].set(1.0)
    for dilation in dilations:
        found = dilated_convolution(found, jnp.ones((1, 1, 3)), jnp.zeros(1), dilation=dilation)
    return found[0, 0]


@derivation.example(
    r"$x_0 = 1.5$ and $\epsilon = -1$ at $l = 0.8$; a gate at $(1, 0)$, and a block with $x = 1$ and $o$ the gate; an impulse "
    r"through two layers of ones with $d = 1, 2$; and the eight signals of three samples $\pm1$, equally likely, with the "
    r"magnitudes of their Fourier coefficients as condition."
)
def small_numbers():
    ones = jnp.ones((1, 1))
    yield r"x_l = 1.2 - 0.6", noise_at_level(1.5 * ones, -ones, jnp.array([0.8])), "0.6"
    weight = jnp.array([[[1.0]], [[0.0]]])
    following, skip = conditioned_residual_block(
        ones[None], 0 * ones, 0 * ones[None], weight, jnp.zeros(2), jnp.zeros((2, 1)), jnp.ones((2, 1)), jnp.zeros(2), dilation=1
    )
    yield r"w^* \text{ for } v = 4,\ l = 0.8 \text{ and } 0.6", [_best(0.8), _best(0.6)], "(0.2055, 0.3846)"
    yield r"\text{mean level of } [\tfrac12, 1], \text{ uniform in } l^2", 2 / 3 * (1 - 0.5**3) / (1 - 0.5**2), "0.778"
    yield r"\tanh(1)\, s(0)", skip, "0.3808"
    yield r"(1 + 0.3808)/\sqrt2", following, "0.9764"
    yield r"\text{impulse}", _response((1, 2), 7), "(1, 1, 2, 1, 2, 1, 1)"
    whole, known = _entropies()
    yield r"H(x) = \log 8", whole, "2.0794"
    yield r"H(c),\ \text{classes of 2 and 6}", known, "0.5623"
    yield r"H(x) - H(c)", whole - known, "1.5171"


@derivation.figure(
    r"Left: the best factor of the noise prediction against the level, for normal data of variance 4; the levels of a schedule "
    r"with 6 steps (dots) and of one with 50 (ticks) lie on one curve. Right: paths from an output to the samples "
    r"around it, for three taps and two ways to dilate.",
    panels=2,
)
def one_curve_and_a_field(curve, field):
    levels = np.linspace(0.02, 0.999, 200)
    curve.plot(levels, _best(levels), color="gray")
    many = np.sqrt(linear_alpha_bar(num_steps=50, beta_start=1e-4, beta_end=0.2))[1:]
    few = np.linspace(0.95, 0.1, 6)
    curve.plot(many, _best(many), "|", color=BLUE, label="50 steps")
    curve.plot(few, _best(few), "o", label="6 steps")
    curve.set(xlabel="level $l$", ylabel="best factor $w^*$")
    curve.legend()
    offsets = np.arange(-32, 33)
    for dilations in ((1, 2, 4, 8, 16), (1, 3, 9, 1, 3)):
        field.step(offsets, _response(dilations), where="mid", label=", ".join(map(str, dilations)))
    field.set(xlabel="offset in samples", ylabel="paths")
    field.legend(title="dilations")


@derivation.exercise(
    r"How many layers with three taps and dilations $1, 2, 4, \dots$ see 1,023 samples, and how many samples do 30 layers see "
    r"whose dilations begin again after 512?",
    r"Nine: $1 + 2 \cdot 511 = 1023$. And $1 + 2 \cdot 3 \cdot 1023 = 6139$: 0.278 seconds at 22,050 samples a second.",
)
def fields():
    yield 1 + 2 * sum(2**n for n in range(9)), "1023"
    yield 1 + 2 * 3 * sum(2**n for n in range(10)), "6139"
    yield 6139 / 22_050, "0.278"


@derivation.exercise(
    r"A grid of one step, $\bar\alpha_1 = 0.36$: what is the law of the level in training, and which levels do $u = \frac14$ and "
    r"$u = 1$ give?",
    r"Uniform on $[0.6, 1]$: the levels $(0.7, 1)$.",
)
def one_piece():
    yield sample_noise_level(jnp.array([0.25, 1.0]), jnp.array([1, 1]), jnp.array([1.0, 0.36])), "(0.7, 1)"


@derivation.exercise(
    r"A condition leaves two waveforms, $x$ with probability $\frac34$ and $-x$ with $\frac14$. What is the best guess in "
    r"squared error, and how many nats are left open?",
    r"$\frac34 x - \frac14 x = \frac x2$, which is no waveform of the data, and $0.5623$ nats.",
)
def unequal_signs():
    yield 0.75 - 0.25, "0.5"
    yield -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), "0.5623"
