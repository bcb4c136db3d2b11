"""The Frechet audio distance: what a logarithm of mel energies hears, and what pooled frames forget.

The lecture on the functions of theory_jax/evaluation/frechet_audio_distance.py.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Integral, cos, exp, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.evaluation.frechet_audio_distance import (
    frechet_audio_distance,
    hertz_to_mel,
    log_mel_spectrogram,
    mel_filterbank,
    mel_to_hertz,
)
from theory_jax.evaluation.frechet_distance import frechet_feature_distance

derivation = Derivation(
    module=__name__,
    title="The Frechet audio distance: what a logarithm of mel energies hears, and what pooled frames forget",
    lectures=(14,),
    sources=(
        "Kilgour, Zuluaga, Roblek & Sharifi 2019, Frechet audio distance: a metric for evaluating music enhancement algorithms",
        "Stevens, Volkmann & Newman 1937, A scale for the measurement of the psychological magnitude pitch",
        "O'Shaughnessy 1987, Speech communication: human and machine, section 4.5",
        "Davis & Mermelstein 1980, Comparison of parametric representations for monosyllabic word recognition",
    ),
    question="A waveform becomes frames, powers, mel energies, logarithms and, with all others of its set, one mean and one "
    "covariance. Each step forgets something. Which differences of sound can the last number still see?",
    setting=(
        "A frame is $T$ samples $x_t$, times a window $w_t$. Its power at the frequency $k$ is $S_k$, the squared modulus of "
        r"its Fourier transform. Filter $j$ has the weights $h_{jk} \ge 0$ and the energy $E_j = \sum_k h_{jk} S_k$; its cell "
        r"of the log-mel spectrogram is $\log(E_j + \epsilon)$ with a floor $\epsilon > 0$.",
        "An embedding is a vector for each frame; the log-mel column itself, or what a network makes of it. All clips have the "
        "same number of frames. The embeddings of all frames of all clips are pooled, and $d^2$ is the Frechet distance of the "
        "Gaussians that are fitted to the two pools.",
    ),
    answer=r"A gain $g$ adds $2 \log g$ to every cell above the floor, and polarity adds nothing. Pooling keeps the covariance "
    "within clips and that of the clips' means, and forgets order: a set cut into frames and shuffled has distance 0. Noise of "
    r"variance $v$ on the embeddings costs $\sum_i (\sqrt{\lambda_i + v} - \sqrt{\lambda_i})^2$, which increases with $v$.",
    limits=(
        "That the distance agrees with listeners: it depends on the embedding.",
        "Order inside a frame, and inside the several frames that a network sees at once: this does count.",
        "Noise on the waveform for all sounds: after the logarithm it is not additive, and its effect is only measured.",
    ),
    trained="A measure of samples, not a model. Experiments with sounds report it.",
)

derivation.say(
    "Pitch first. A step that is just heard is about as wide everywhere below some hundred hertz, and above in proportion to "
    "the frequency. The model: pitch rises by $a / (1 + u/f_0)$ a hertz at the frequency $u$, from 0 at 0."
)
u = derivation.number("u", "a frequency below $f$", positive=True)
f = derivation.number("f", "a frequency", "frequency", positive=True)
f_0 = derivation.number("f_0", "where the step has doubled, 700 Hz in the standard", positive=True)
a = derivation.number("a", "the rise of pitch per hertz at 0", positive=True)
derivation.chain(
    "Pitch is a logarithm",
    Integral(a / (1 + u / f_0), (u, 0, f)),
    equals(times(a, f_0, log(1 + f / f_0)), r"the derivative of $\log(1 + u/f_0)$ is $\frac{1}{f_0} \frac{1}{1 + u/f_0}$"),
    role="lemma",
    so=r"With $f_0 = 700$ and 1000 mel at 1000 Hz, $a f_0 = \frac{1000}{\log(1 + 10/7)} = 1127.01$. The standard rounds: $2595 "
    r"\log_{10}(1 + f/700)$ has $2595 / \log 10 = 1126.99$, and 999.99 mel at 1000 Hz.",
)
kappa = derivation.define(r"\kappa", 2595 / log(10), "mel per factor of $e$", positive=True)
pitch = derivation.define("m(f)", times(kappa, log(1 + f / 700)), "pitch in mel", "hertz_to_mel", positive=False)
derivation.chain(
    "The inverse",
    times(700, exp(pitch / kappa) - 1),
    equals(
        times(700, plus(1 + f / 700, -1)),
        "the exponential of a logarithm",
        wrong={"natural logarithms in the standard": times(700, exp(log(1 + f / 700) / log(10)) - 1)},
    ),
    equals(f, "cancel"),
    role="lemma",
)
f_2 = derivation.number("f'", "another frequency", positive=True)
derivation.chain(
    "Equal steps of pitch are equal ratios, of 700 Hz and what is above",
    plus(times(kappa, log(1 + f_2 / 700)), -pitch),
    equals(
        times(kappa, log((700 + f_2) / (700 + f))),
        "a difference of logarithms is the logarithm of the ratio; multiply both by 700",
    ),
    so="So far above 700 Hz an octave is a fixed number of mel, near 781; far below, mel are hertz times 1.61.",
)
mel = derivation.number("m", "a pitch in mel", "mel", positive=True)
derivation.bridge("The code computes the pitch", 2595 * log(1 + f / 700) / log(10), hertz_to_mel, frequency=[f])
derivation.bridge("... and its inverse", 700 * (exp(mel * log(10) / 2595) - 1), mel_to_hertz, mel=[mel])

derivation.say(
    r"Centers $c_1 < c_2 < \dots$ are equally spaced in mel. Filter $j$ is a triangle of height 1: it rises linearly in hertz "
    "from 0 at $c_{j-1}$ to 1 at $c_j$, and falls to 0 at $c_{j+1}$. Take $f$ between $c_j$ and $c_{j+1}$."
)
j = derivation.index("j", "a filter")
c = derivation.number("c_j", "the center below $f$", positive=True)
c_next = derivation.number("c_{j+1}", "the center above", positive=True)
derivation.symbol("h", "a filter", "mel_filterbank")
derivation.chain(
    "Neighboring triangles sum to one",
    plus((c_next - f) / (c_next - c), (f - c) / (c_next - c)),
    equals(1, r"the side of $h_j$ that falls and that of $h_{j+1}$ that rises have one denominator; no other filter is there"),
    role="lemma",
    so="So the energies of all filters sum to the power between the first and the last center, plus two tapered ends: nothing "
    "is counted twice, and wide filters collect more. Triangles of area 1 would report densities instead.",
)


def _bank(filters, length, rate, low, high):
    """The filterbank by linear interpolation, its points by the standard's decimal logarithm."""
    mels = np.linspace(*(2595 * np.log10(1 + np.array([low, high]) / 700)), filters + 2)
    points, frequencies = 700 * (10 ** (mels / 2595) - 1), np.arange(length // 2 + 1) * rate / length
    return points, frequencies, np.stack([np.interp(frequencies, points, row) for row in np.eye(filters + 2)[1:-1]])


@derivation.numeric(
    r"h_j(c_{j-1}) = 0, \quad h_j(c_j) = 1, \quad h_j(c_{j+1}) = 0",
    because="The code's filters against linear interpolation between these three: 6 filters from 0 to 4000 Hz at 33 "
    "frequencies, and 4 from 100 to 3700 Hz at 32.",
)
def triangles():
    banks = (6, 64, 8000, 0.0, 4000.0), (4, 63, 8000, 100.0, 3700.0)
    found = [
        mel_filterbank(num_filters=n, fourier_length=size, sample_rate=rate, low=low, high=high)
        for n, size, rate, low, high in banks
    ]
    wanted = [_bank(*bank)[2] for bank in banks]
    flat = lambda parts: np.concatenate([np.ravel(part) for part in parts])  # noqa: E731
    wrong = {
        "equally spaced in hertz": flat(
            [
                np.stack(
                    [np.interp(_bank(*bank)[1], np.linspace(*bank[3:], bank[0] + 2), row) for row in np.eye(bank[0] + 2)[1:-1]]
                )
                for bank in banks
            ]
        ),
        "of area one": flat([part / part.sum(1, keepdims=True) for part in wanted]),
    }
    return Sides(left=flat(found), right=flat(wanted), wrong=wrong)


derivation.say("Now a frame. All frames are alike, so one is enough.")
t = derivation.index("t", "a sample of the frame")
T = derivation.count(t, "T", "how many there are", "len(window)")
k = derivation.index("k", "a frequency")
x = derivation.numbers("x", t, "the waveform", "x")
w = derivation.numbers("w", t, "the window", "window")


def _power(scale):
    real, imaginary = (Total(t, times(w, scale * x, wave(2 * pi * k * t / T))) for wave in (cos, sin))
    return plus(real**2, imaginary**2)


g = derivation.number("g", "a gain", positive=True)
power = derivation.define("S", _power(1), "the power of a frequency", over=k)
derivation.chain(
    "Power is quadratic",
    _power(g),
    equals(times(g**2, power), "a Fourier transform is linear; its real and its imaginary part are squared"),
    role="lemma",
    so=r"For $-g$ it is the same: polarity is lost here, and so is every other common phase of a frame.",
)
filters = derivation.numbers("h", (j, k), "the filters", "filterbank", positive=True)
energy = derivation.number("E", "the energy of a cell", positive=True)
epsilon = derivation.number(r"\epsilon", "the floor", "epsilon", positive=True)
derivation.chain(
    "A gain is a shift of all cells that are above the floor",
    log(plus(g**2 * energy, epsilon)),
    equals(
        plus(log(g**2 * (energy + epsilon)), -log(g**2 * (energy + epsilon) / plus(g**2 * energy, epsilon))),
        "add and subtract one logarithm",
    ),
    equals(
        plus(log(plus(energy, epsilon)), 2 * log(g), -log(1 + epsilon * (g**2 - 1) / plus(g**2 * energy, epsilon))),
        r"the first is a product; in the second, $g^2 \epsilon = \epsilon + \epsilon (g^2 - 1)$",
    ),
    so=r"The last logarithm is what the floor withholds. It goes to 0 with $\epsilon / E$, and in silence, $E = 0$, it is all of "
    r"$2 \log g$.",
)
derivation.bridge(
    "The code computes the cells of a frame",
    log(plus(Total(k, times(filters, power)), epsilon)),
    log_mel_spectrogram,
    x=[x],
    window=w,
    filterbank=filters,
    hop=1,
    epsilon=epsilon,
    wrong={
        "magnitudes": log(Total(k, filters * sqrt(power)) + epsilon),
        "logarithm before the filters": Total(k, filters * log(power + epsilon)),
    },
    sizes={k: 3, j: 2},
)

derivation.say(
    "What follows is the same for all embeddings. First, what does pooling keep? Let $y$ and $z$ be two features; a clip's mean "
    "has the clip's letter."
)
q = derivation.index("q", "a clip", states=2)
n = derivation.index("n", "a frame of a clip", states=2)
C = derivation.count(q, "C", "the number of clips of a set", "len(embeddings)")
F = derivation.count(n, "F", "the number of frames of a clip")
y, z = (derivation.numbers(letter, (q, n), f"{which} feature", "embeddings") for letter, which in (("y", "a"), ("z", "another")))
clip_y, clip_z = (
    derivation.define(rf"\bar {letter}", Total(n, part) / F, f"the clips' means of ${letter}$", over=q)
    for letter, part in (("y", y), ("z", z))
)
all_y, all_z = (
    derivation.define(rf"\mu^{{({letter})}}", Total(q, part) / C, f"the mean of ${letter}$ over all frames")
    for letter, part in (("y", clip_y), ("z", clip_z))
)
within = times(1 / C, Total(q, times(1 / F, Total(n, times(y - clip_y, z - clip_z)))))
between = times(1 / C, Total(q, times(clip_y - all_y, clip_z - all_z)))
derivation.chain(
    "The pooled covariance is that within clips and that of their means",
    times(1 / (C * F), Total(q, Total(n, times(y - all_y, z - all_z)))),
    equals(
        times(1 / (C * F), Total(q, Total(n, times(plus(y - clip_y, clip_y - all_y), plus(z - clip_z, clip_z - all_z))))),
        "add and subtract the clips' means",
    ),
    equals(
        plus(within, between), "multiply out; deviations from a clip's mean sum to 0 over the clip, and both mixed terms vanish"
    ),
    central=True,
    so="All four sums are symmetric in the frames, and so is the mean: neither order nor the end of a clip is kept. The mean of "
    "the clips' own covariances lacks the second term, which is all that tells a set of different sounds from one sound "
    "repeated.",
)
other = derivation.numbers("y'", (q, n), "the feature of the other set", "embeddings_y")
all_others = derivation.define("\\mu^{(y')}", Total(q, Total(n, other)) / (C * F), "the mean of $y'$ over all frames")
squares, other_squares = Total(q, Total(n, (y - all_y) ** 2)), Total(q, Total(n, (other - all_others) ** 2))
deviation = derivation.define("s^{(y)}", sqrt(squares / (C * F - 1)), "the standard deviation of all frames")
other_deviation = derivation.define("s^{(y')}", sqrt(other_squares / (C * F - 1)), "... of the other set")
derivation.bridge(
    "The code pools all frames, here of one feature; it divides by their number less one",
    plus((all_y - all_others) ** 2, (deviation - other_deviation) ** 2),
    frechet_audio_distance,
    embeddings_x=[[y.at(0, n)], [y.at(1, n)]],
    embeddings_y=[[other.at(0, n)], [other.at(1, n)]],
    wrong={
        "variances in place of standard deviations": plus((all_y - all_others) ** 2, (deviation**2 - other_deviation**2) ** 2)
    },
    sizes={q: 2, n: 3},
)
_FRAMES = np.array([[0.0, 1.0], [2.0, -1.0], [5.0, 0.5], [4.0, 3.0]])  # four frames of two features
_OTHERS = np.array([[[1.0, 2.0, 0.0], [0.5, -1.0, 1.5]]])
derivation.symbol("X, Y", "two sets of clips, as embeddings", "embeddings_x")
derivation.symbol(r"\sigma", "an order of all frames")
derivation.symbol("d", "the root of the distance", "sqrt(frechet_audio_distance)")


@derivation.exact(
    r"d^2(\sigma X, Y) = d^2(X, Y)",
    because="Two clips of two frames with two features: the code for every order of the four frames, against the Frechet "
    "distance of the frames as they are.",
    outcomes=24,
)
def every_order():
    orders = np.array(list(permutations(range(4))))
    clips = np.moveaxis(_FRAMES[orders].reshape(24, 2, 2, 2), 2, 3)
    found = jax.vmap(lambda one: frechet_audio_distance(one, _OTHERS))(clips)
    pooled = frechet_feature_distance(_FRAMES, _OTHERS[0].T)
    alone = jnp.mean(jax.vmap(lambda clip: frechet_audio_distance(clip[None], _OTHERS))(clips[0]))
    return Sides(left=found, right=jnp.full(24, pooled), wrong={"the mean over clips": jnp.full(24, alone)})


derivation.say(
    "Now two sets that differ in one respect. If all clips of one are louder by $g$, and far above the floor, covariances "
    r"agree, and each of $M$ cells has its mean moved by $2 \log g$: $d^2 = M (2 \log g)^2$. If independent noise of variance "
    r"$v$ and mean 0 is added to each feature of the embeddings, means agree. The covariance $A$ has the eigenvalues $\lambda_i "
    "> 0$; that of the noisy set is $A + v I$, with the same eigenvectors."
)
i = derivation.index("i", "an eigenvector")
eigenvalue = derivation.numbers(r"\lambda", i, "the eigenvalues of the embeddings' covariance", positive=True)
v = derivation.number("v", "the variance of the noise", positive=True)
for letter, meaning in (("A", "the covariance of the embeddings"), ("I", "the identity"), ("M", "the number of filters")):
    derivation.symbol(letter, meaning)
root = sqrt(eigenvalue * (eigenvalue + v))
cost = derivation.define(
    "d^2(v)",
    Total(i, plus(eigenvalue, eigenvalue + v, -2 * root)),
    r"$\mathrm{tr}\,A + \mathrm{tr}(A + vI) - 2\,\mathrm{tr} "
    r"(A (A + vI))^{1/2}$, the traces as sums of eigenvalues",
)
derivation.chain(
    "Noise on the embeddings moves the deviations",
    cost,
    equals(
        Total(i, (sqrt(eigenvalue + v) - sqrt(eigenvalue)) ** 2),
        "complete the square for each eigenvector",
        wrong={"variances in place of standard deviations": Total(i, v**2)},
    ),
)
derivation.chain(
    "More noise is farther",
    Slope(cost, v),
    equals(
        Total(i, 1 - sqrt(eigenvalue / (eigenvalue + v))),
        r"the derivative of $2\sqrt{\lambda(\lambda + v)}$ in $v$ is $\sqrt{\lambda/(\lambda + v)}$",
        wrong={"the order turned over": Total(i, 1 - sqrt((eigenvalue + v) / eigenvalue))},
    ),
    equals(
        Total(i, (v / (eigenvalue + v)) / (1 + sqrt(eigenvalue / (eigenvalue + v)))),
        r"$1 - r = \frac{1 - r^2}{1 + r}$ with $r^2 = \lambda/(\lambda + v)$",
    ),
    at_least(
        0,
        r"all factors are positive, so the inequality is strict",
        dropping=Total(i, (v / (eigenvalue + v)) / (1 + sqrt(eigenvalue / (eigenvalue + v)))),
    ),
    so=r"For small $v$ the slope is about $\sum_i \frac{v}{2\lambda_i}$ and the distance $\sum_i \frac{v^2}{4\lambda_i}$: of the "
    "second order in the variance, and largest where the embeddings vary least.",
)


def _notes():
    """Clips [4, 800] of decaying harmonics, at 8 kHz."""
    time = np.arange(800) / 8000
    pitches = np.array([220.0, 277.2, 329.6, 440.0])[:, None]
    return sum(np.exp(-3 * k * time) / k * np.sin(2 * np.pi * k * pitches * time) for k in range(1, 5))


def _columns(waves):
    bank = _bank(5, 200, 8000, 0.0, 4000.0)[2]
    return log_mel_spectrogram(waves, np.hanning(201)[:-1], bank, hop=100)


derivation.say(
    "Noise on a waveform passes through powers and logarithms, and this argument no longer applies. It is measured: four notes "
    "of decaying harmonics, in log-mel columns of five filters, and white noise of four levels."
)
derivation.symbol(r"X + r\,\eta", "the notes with white noise of the deviation $r$ on the waveform")
derivation.symbol("r, r'", "two levels of noise")


@derivation.bound(
    r"d^2(X, X + r\,\eta) \le d^2(X, X + r'\,\eta), \qquad r \le r'",
    because="At the levels 0.001, 0.01, 0.1 and 1, for one draw of the noise; equality for equal levels.",
)
def noise_on_the_waveform():
    waves, drawn = _notes(), np.random.default_rng(0).standard_normal((4, 800))
    clean = _columns(waves)
    far = {level: frechet_audio_distance(clean, _columns(waves + level * drawn)) for level in (0.001, 0.01, 0.1, 1.0)}
    each = lambda levels: jnp.stack([far[level] for level in levels])  # noqa: E731

    def sides(lower, higher):
        return each(lower), each(higher)

    return BoundSides(
        sides=sides,
        points=((0.001, 0.01, 0.1), (0.01, 0.1, 1.0)),
        tight=((0.1,), (0.1,)),
        wrong={"the order turned over": lambda *levels: sides(*levels)[::-1]},
    )


_APART, _EQUAL = np.array([[[0.0, 2.0]], [[10.0, 12.0]]]), np.array([[[5.0, 7.0]], [[5.0, 7.0]]])


@derivation.example(
    "Clips $(0, 2)$ and $(10, 12)$ of one feature against two clips $(5, 7)$. All means are 6. Divided by the number of frames, "
    "the pooled variances are $1 + 25$ and $1$; the code divides by 3."
)
def two_clips():
    yield r"26 \cdot \frac43", np.var(_APART, ddof=1), "34.6667"
    yield r"d^2 = \left(\sqrt{104/3} - \sqrt{4/3}\right)^2", frechet_audio_distance(_APART, _EQUAL), "22.4026"
    yield r"(\sqrt{26} - 1)^2", (np.sqrt(26) - 1) ** 2, "16.8020"
    yield r"\text{the clips' own covariances, averaged}", (np.sqrt(2.0) - np.sqrt(2.0)) ** 2, "0"


@derivation.figure(
    "Left: six triangles from 0 to 4000 Hz, equally spaced in mel, and their sum (dashed). Right: the distance that noise of "
    r"variance $v$ on an embedding adds in one dimension, $(\sqrt{\lambda + v} - \sqrt\lambda)^2$, by the code from 2000 frames "
    "(dots) and by the formula (lines).",
    panels=2,
)
def the_triangles_and_the_noise(triangles, distances):
    frequency = np.arange(257) * 8000 / 512
    bank = np.asarray(mel_filterbank(num_filters=6, fourier_length=512, sample_rate=8000))
    triangles.plot(frequency, bank.T)
    triangles.plot(frequency, bank.sum(0), "--", color="gray")
    triangles.set(xlabel="frequency (Hz)", ylabel="weight")
    variances, fine = np.array([0.5, 1.0, 2.0, 3.0, 4.0]), np.linspace(0, 4, 100)
    drawn = np.random.default_rng(0).standard_normal((3, 1, 1, 2000))
    for size in (0.25, 1.0):
        clean, fresh, added = drawn * np.sqrt([size, size, 1.0])[:, None, None, None]
        found = [frechet_audio_distance(clean, fresh + np.sqrt(extra) * added) for extra in variances]
        (line,) = distances.plot(fine, (np.sqrt(size + fine) - np.sqrt(size)) ** 2, label=rf"$\lambda = {size:g}$")
        distances.plot(variances, found, "o", color=line.get_color())
    distances.set(xlabel="variance of the noise, $v$", ylabel="$d^2$")
    distances.legend()


@derivation.exercise(
    "How many mel are 8000 Hz, and how many would they be with a natural logarithm by mistake?",
    r"$2595 \log_{10}(1 + 80/7) = 2840.02$. By mistake they would be 6539.39.",
)
def eight_thousand_hertz():
    (found,) = hertz_to_mel(np.array([8000.0]))
    yield found, "2840.02"
    yield 2595 * np.log(1 + 8000 / 700), "6539.39"


@derivation.exercise(
    "Where are the centers of three filters from 0 to 4000 Hz?",
    "A quarter, a half and three quarters of 2146.06 mel: 426.8, 1113.8 and 2219.8 Hz.",
)
def three_filters():
    (top,) = hertz_to_mel(np.array([4000.0]))
    yield top, "2146.06"
    yield from zip(mel_to_hertz(top * np.array([0.25, 0.5, 0.75])), ("426.8", "1113.8", "2219.8"), strict=True)


@derivation.exercise(
    r"One feature of variance $\lambda = 1$ gets noise of variance 3; then of 0.1. What are the distances, and what does the "
    "formula for small noise say of the second?",
    r"$(\sqrt4 - 1)^2 = 1$. For 0.1 it is 0.00238, and $\frac{v^2}{4\lambda}$ is 0.0025.",
)
def noise_of_two_sizes():
    added = lambda extra: (np.sqrt(1 + extra) - 1) ** 2  # noqa: E731
    yield added(3.0), "1"
    yield added(0.1), "0.00238"
    yield 0.1**2 / 4, "0.0025"
