"""Waveform diffusion: why a vocoder is conditioned on the noise level, how far it sees, and what a mel spectrogram leaves open.

The lecture on the functions of theory_jax/diffusion/audio_diffusion.py.
"""

import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, cos, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Normal, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.audio_diffusion import (
    conditioned_residual_block,
    dilated_convolution,
    noise_at_level,
    sample_noise_level,
)
from theory_jax.lectures.diffusion._vocoder import (
    best_factor,
    block_of_the_code,
    draw_curve_and_field,
    draws_of_the_level,
    impulse_response,
)
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Waveform diffusion: told the noise level, and given a spectrogram that leaves the signs open",
    sources=(
        "Kong, Ping, Huang, Zhao & Catanzaro 2021, DiffWave: A Versatile Diffusion Model for Audio Synthesis",
        "Chen, Zhang, Zen, Weiss, Norouzi & Chan 2021, WaveGrad: Estimating Gradients for Waveform Generation",
    ),
    question="A spectrogram has no phases, and a network that fills them in by least squares returns a muffled sound or "
    "silence. A vocoder turns a mel spectrogram into a waveform by diffusion. It is to be trained once, and sampled with six "
    "steps or with a thousand. Why must the network be told the noise level and not the number of the step, how far does it "
    "see, and what does the spectrogram leave open?",
    setting=(
        r"The level $l$ is $\sqrt{\bar\alpha}$, above 0 and at most 1, and $x_l = l\, x_0 + \sqrt{1 - l^2}\, \epsilon$ with "
        r"standard normal $\epsilon$. A grid falls from $l_0$, which is 1, to a positive $l_T$. Training draws a piece of the "
        "grid, each with equal probability, and $l$ uniformly in it.",
        r"A dilated convolution has $K$ taps, an odd number, at the offsets $j d$ with $|j|$ up to $\frac{K - 1}2$: as many in "
        "the future as in the past, since all samples are drawn together.",
        r"A block computes $\tanh(c_1)\, s(c_2)$ with the sigmoid $s$. $c_1$ and $c_2$ are the two "
        r"halves of a sum: a dilated convolution of $x$ plus an embedding of the level, and a pointwise map of the spectrogram. "
        r"The next block gets $\frac{x + o}{\sqrt2}$, with $o$ a pointwise map of the gate's output.",
        r"The condition $c$ is computed from the waveform: the magnitudes of Fourier coefficients, their mel bands, logarithms "
        r"(lecture on the Frechet audio distance). For entropies there are finitely many waveforms.",
    ),
    limits=(
        "That few steps suffice (lecture on DPM-Solver), and how nearly recorded sounds have the same distribution as their "
        "negatives.",
        "A trained vocoder. The practice wing trains one on synthesized notes, and samples it in 50 steps and in 6.",
    ),
)

l = derivation.number("l", "the level: the weight of the data", "level", between=(0, 1))  # noqa: E741
r = derivation.number("r", "the ratio of a lower level to $l$", between=(0, 1))
x0, noise = derivation.number("x_0", "the data", "x0"), derivation.number(r"\epsilon", "the noise", "noise")
z = derivation.number("z", "fresh noise")
x_l = derivation.define("x_l", plus(l * x0, sqrt(1 - l**2) * noise), "the data at level $l$", "noise_at_level")
x_k = derivation.define("x_k", plus(r * x_l, sqrt(1 - r**2) * z), "a step of a diffusion from there")
noised = derivation.bridge(
    "The code's noise",
    x_l,
    noise_at_level,
    x0=[[x0]],
    noise=[[noise]],
    level=[l],
    wrong={"the root of $1 - l$": plus(l * x0, sqrt(1 - l) * noise), "squares for levels": sqrt(l) * x0 + sqrt(1 - l) * noise},
)
derivation.say(r"Take any lower level, $r l$. Is there a step of a diffusion that leads from $l$ to it?")


def _of_noises(body):
    return Expectation(Normal(noise, 0, 1), Expectation(Normal(z, 0, 1), body))


derivation.chain(
    "A step multiplies the mean by its ratio",
    _of_noises(x_k),
    equals(
        r * l * x0,
        prose("both noises have mean zero, such as {mean}", mean=holds(Expectation(Normal(z, 0, 1), z), "=", 0)),
        wrong={"the level of before": l * x0},
    ),
    role="lemma",
)
k_level = derivation.number("k", "a lower level", between=(0, 1))
every_list = derivation.chain(
    "Every falling list of levels is a diffusion",
    _of_noises((x_k - r * l * x0) ** 2),
    equals(
        plus(r**2 * (1 - l**2), 1 - r**2),
        prose(
            "the noises are independent; {apart}",
            apart=holds(plus(x_k, -r * l * x0), "=", plus(r * sqrt(1 - l**2) * noise, sqrt(1 - r**2) * z)),
        ),
        wrong={"the old noise forgotten": 1 - r**2, "the old noise unscaled": plus(1 - l**2, 1 - r**2)},
    ),
    equals(1 - (r * l) ** 2, "cancel"),
    central=True,
    so=prose(
        "With {lower} for the lower level, $x_k$ has the mean $k x_0$ and the variance $1 - k^2$: it is the data at level "
        "$k$. Between any two levels lies a step with the variance {beta}. A sampler may take any list, and its schedule is "
        "its squares.",
        lower=where(r, k_level / l),
        beta=holds(1 - r**2, "=", 1 - k_level**2 / l**2),
    ),
)
derivation.say(
    r"The loss at one level is smallest for the mean of the noise given $x_l$, $-\sqrt{1 - l^2}\, \nabla \log p_l(x_l)$ "
    "(lecture on score prediction), in which no grid occurs. For normal data with variance $v$, $x_l$ has variance $V$."
)
v = derivation.number("v", "the variance of normal data", positive=True)
w = derivation.number("w", "a factor that predicts the noise from $x_l$")
V = derivation.define("V", v * l**2 + (1 - l**2), "the variance of $x_l$", positive=False)
factor = derivation.define("w^*", sqrt(1 - l**2) / V, "the best factor")
best_prediction = derivation.chain(
    "The best prediction of the noise knows the level only",
    Expectation(Normal(x0, 0, v), Expectation(Normal(noise, 0, 1), (noise - w * x_l) ** 2)),
    equals(
        plus(1, -2 * w * sqrt(1 - l**2), w**2 * V),
        prose(
            "multiply out; {covariance}",
            covariance=holds(Expectation(Normal(noise, 0, 1), noise * x_l), "=", sqrt(1 - l**2), wrong={"the signal's": l}),
        ),
        wrong={"the signal's covariance": plus(1, -2 * w * l, w**2 * V)},
    ),
    equals(plus(V * (w - factor) ** 2, v * l**2 / V), "complete the square"),
    at_least(
        v * l**2 / V,
        prose("leave out a square; equality if and only if {best}", best=where(w, factor)),
        dropping=V * (w - factor) ** 2,
    ),
    uses=(every_list,),
    so=prose(
        "Step 1 of a grid of 6 and step 1 of a grid of 1,000 have different levels, and so different best answers: with "
        "{variance} the factor is {high} at the level 0.8 and {low} at 0.6. A network conditioned on the number of a step is "
        "right for its own grid only.",
        variance=where(v, 4),
        high=holds(factor, "=", Rational(15, 73), when={l: Rational(4, 5)}, named=True),
        low=holds(factor, "=", Rational(5, 13), when={l: Rational(3, 5)}, named=True),
    ),
)

of_a_piece = draws_of_the_level(derivation)

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
    role="lemma",
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

i = derivation.index(r"\xi", "a state of the input")
law = derivation.law("p", i, "its probability")
entering, added = derivation.numbers("x", i, "the input of a block", "x"), derivation.numbers("o", i, "what is added to it")
centered = Expectation(law, entering * added) - Expectation(law, entering) * Expectation(law, added)
derivation.chain(
    "A block keeps unit variance if and only if it adds something uncorrelated",
    Variance(law, (entering + added) / sqrt(2)),
    equals(
        times(Rational(1, 2), plus(Variance(law, entering), Variance(law, added), 2 * centered)),
        "the square of a sum; the last term is twice the covariance",
        wrong={"without the root": plus(Variance(law, entering), Variance(law, added), 2 * centered)},
    ),
    role="remark",
    so=prose(
        "With unit variances it is 1 if and only if input and addition are uncorrelated, which may hold at the start of "
        "training, not later: if the addition is the input again, {again}, it is {double}. Without the factor "
        "$\\frac1{\\sqrt2}$ uncorrelated additions of the input's variance double it: by $2^{30}$ after 30 blocks.",
        again=where(added, entering),
        double=holds(Variance(law, (entering + added) / sqrt(2)), "=", 2 * Variance(law, entering), named=True),
    ),
)
block_of_the_code(derivation)

derivation.say(
    r"The condition is computed from the waveform, so a waveform is a pair of its condition $c$ and a choice $\omega$ among "
    r"those that have this condition. A model $q$ draws the choice."
)
c = derivation.index("c", "a condition", states=2)
n = derivation.index(r"\omega", "a waveform among those with the condition", states=3)
chance = derivation.law("p({})", c, "the probability of a condition")
true = derivation.law("p({}|{})", (n, c), "the distribution of waveforms with the condition")
model = derivation.law("q({}|{})", (n, c), "the vocoder's")
joint = chance * true
derivation.chain(
    "What the best vocoder still has to draw",
    Expectation(chance, Expectation(true, -log(model))),
    equals(
        Expectation(chance, plus(Entropy(true), Divergence(true, model))),
        prose("add and subtract: {log}", log=holds(-log(model), "=", plus(-log(true), log(true / model)))),
        wrong={"the divergence turned over": Expectation(chance, plus(Entropy(true), Divergence(model, true)))},
    ),
    at_least(
        Expectation(chance, Entropy(true)),
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(model, true)),
        dropping=Expectation(chance, gibbs.at(true, model)),
    ),
    equals(
        plus(-Total(c, Total(n, joint * log(joint))), -Entropy(chance)),
        prose("the logarithm of {joint} is a sum, and {one}", joint=joint, one=holds(Total(n, true), "=", 1)),
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
        "the sign is taken out of both sums, and squared",
        wrong={"the real part": plus(Total(t, sample * cos(2 * pi * f * t)), 0 * f)},
    ),
    role="lemma",
    so=r"So $x$ and $-x$ have one spectrogram.",
)
k, k_2 = derivation.index(r"\eta", r"a pair $\pm x$ of waveforms"), derivation.index(r"\eta'", "another pair")
pair = derivation.law("w", k, "the probability of a pair, given the condition")
size = derivation.numbers("x", k, "a sample of the waveform with the sign +")
guess = derivation.number(r"\hat x", "a guess of this sample from the condition")
plain = derivation.chain(
    "The best guess is silence",
    Expectation(pair, times(Rational(1, 2), plus((size - guess) ** 2, (-size - guess) ** 2))),
    equals(
        plus(Expectation(pair, size**2), guess**2),
        prose(
            "multiply out: the products with $\\hat x$ cancel, {sum}",
            sum=holds(plus((size - guess) ** 2, (-size - guess) ** 2), "=", plus(2 * size**2, 2 * guess**2)),
        ),
    ),
    at_least(
        Expectation(pair, size**2),
        prose("leave out a square; equality if and only if {silence}", silence=where(guess, 0)),
        dropping=guess**2,
    ),
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
        "the products cancel; both samples have the same distribution",
        wrong={"that of silence": Expectation(pair, size**2)},
    ),
    role="remark",
    uses=(plain,),
    so="Its samples have the distribution of the data, loudness and all. So a vocoder is judged by spectrograms of its "
    "samples, not by their distance from the waveform.",
)


derivation.answer = prose(
    "Every falling list of levels is a forward process, with steps of variance {step} between levels of the ratio $r$, and "
    "the best prediction at a level depends on the level only. So one network, conditioned on $l$, fits every schedule within "
    r"the range of its training. Dilations $1, 2, 4, \dots$ with three taps reach $1 + 2 \sum_i d_i$ samples without a hole. "
    "The condition leaves $H(x) - H(c)$ nats open. Where $x$ and $-x$ are equally likely, the sign is among them, the best "
    "guess in squared error is silence, {silence}, and a sampler is needed.",
    step=1 - r**2,
    silence=holds(
        Expectation(pair, times(Rational(1, 2), plus((size - guess) ** 2, (-size - guess) ** 2))),
        ">=",
        Expectation(pair, size**2),
    ),
)


def _entropies():
    """Of the eight signals of three samples +-1, and of their magnitudes."""
    signals = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    magnitudes = np.round(np.abs(np.fft.rfft(signals)), 9)
    classes = np.unique(magnitudes, axis=0, return_inverse=True)[1].reshape(-1)
    share = np.bincount(classes) / 8
    return math.log(8), -float(share @ np.log(share))


@derivation.example(
    "The data 1.5 and the noise $-1$ at the level 0.8; a gate at $(1, 0)$, and a block with the input 1 and the gate for $o$; "
    r"an impulse through two layers of ones with dilations 1 and 2; and the eight signals of three samples $\pm1$, equally "
    "likely, with the magnitudes of their Fourier coefficients as condition."
)
def small_numbers():
    ones = jnp.ones((1, 1))
    yield r"x_l = 1.2 - 0.6", noise_at_level(1.5 * ones, -ones, jnp.array([0.8])), "0.6"
    weight = jnp.array([[[1.0]], [[0.0]]])
    following, skip = conditioned_residual_block(
        ones[None], 0 * ones, 0 * ones[None], weight, jnp.zeros(2), jnp.zeros((2, 1)), jnp.ones((2, 1)), jnp.zeros(2), dilation=1
    )
    yield r"w^* \text{ for } v = 4,\ l = 0.8 \text{ and } 0.6", [best_factor(0.8), best_factor(0.6)], "(0.2055, 0.3846)"
    yield r"\text{mean level of } [\tfrac12, 1], \text{ uniform in } l^2", 2 / 3 * (1 - 0.5**3) / (1 - 0.5**2), "0.778"
    yield r"\tanh(1)\, s(0)", skip, "0.3808"
    yield r"(1 + 0.3808)/\sqrt2", following, "0.9764"
    yield r"\text{impulse}", impulse_response((1, 2), 7), "(1, 1, 2, 1, 2, 1, 1)"
    whole, known = _entropies()
    yield r"H(x) = \log 8", whole, "2.0794"
    yield r"H(c),\ \text{classes of 2 and 6}", known, "0.5623"
    yield r"H(x) - H(c)", whole - known, "1.5171"


@derivation.algorithm(
    "Training a vocoder, and sampling with any list of levels",
    do(r"training: take a waveform $x_0$ and its spectrogram $c$, a piece of the grid, and noise $\epsilon$"),
    do(r"$l \leftarrow$ uniform in the piece", sample_noise_level, by=of_a_piece),
    do(r"$x_l \leftarrow l\, x_0 + \sqrt{1 - l^2}\, \epsilon$", noise_at_level, by=noised),
    do(
        r"$\hat\epsilon \leftarrow$ blocks of dilated convolutions of $x_l$, with $l$ and $c$",
        conditioned_residual_block,
        by=an_impulse_counts_the_paths,
    ),
    do(
        r"a gradient step on $(\epsilon - \hat\epsilon)^2$, which is least at the best prediction of the level",
        by=best_prediction,
    ),
    do(r"sampling: choose any falling list of levels, and step through it as DDPM or DDIM does", by=every_list),
)
def two_levels():
    x0_, noise_, weight_ = jnp.full((1, 1), 1.5), -jnp.ones((1, 1)), jnp.array([[[1.0]], [[0.0]]])
    parts = jnp.zeros(2), jnp.zeros((2, 1)), jnp.ones((2, 1)), jnp.zeros(2)
    for u_, level_, noised_, after, loss in (
        (0.5, "0.8", "0.6", "0.6141", "1.2618"),
        (0.25, "0.7", "0.3359", "0.3520", "1.2036"),
    ):
        level = sample_noise_level(jnp.array([u_]), jnp.array([1]), jnp.array([1.0, 0.36]))
        x = noise_at_level(x0_, noise_, level)
        yield rf"u = {u_:g} \text{{ in the piece }} [0.6, 1]: \quad l", level, level_
        yield r"x_l \text{ for } x_0 = 1.5, \epsilon = -1", x, noised_
        following, _ = conditioned_residual_block(x[None], 0 * x, 0 * x[None], weight_, *parts, dilation=1)
        yield r"\text{a block of } x_l", following, after
        yield r"(\epsilon - w^* x_l)^2 \text{ with } v = 4", (noise_ - best_factor(level) * x) ** 2, loss


@derivation.figure(
    r"Left: the best factor of the noise prediction against the level, for normal data of variance 4; the levels of a schedule "
    r"with 6 steps (dots) and of one with 50 (ticks) lie on one curve. Right: paths from an output to the samples "
    r"around it, for three taps and two ways to dilate.",
    panels=2,
)
def one_curve_and_a_field(curve, field):
    draw_curve_and_field(curve, field)
