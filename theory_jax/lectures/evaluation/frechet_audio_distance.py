"""The Frechet audio distance: what a logarithm of mel energies hears, and what pooled frames forget.

The lecture on the functions of theory_jax/evaluation/frechet_audio_distance.py.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from sympy import cos, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.evaluation.frechet_audio_distance import (
    frechet_audio_distance,
    hertz_to_mel,
    log_mel_spectrogram,
    mel_filterbank,
    mel_to_hertz,
)
from theory_jax.evaluation.frechet_distance import frechet_feature_distance
from theory_jax.lectures.evaluation._sounds import columns, draw_triangles_and_noise, interpolated_bank, notes, pitch

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
    question="Two recordings that sound alike can differ in every sample, so sounds are not compared sample by sample. A "
    "waveform becomes frames, powers, mel energies, logarithms and, with all others of its set, one mean and one covariance. "
    "Each step forgets something. Which differences of sound can the last number still see?",
    setting=(
        "A frame is $T$ samples $x_t$, times a window $w_t$. Its power at the frequency $k$ is $S_k$, the squared modulus of "
        r"its Fourier transform. Filter $j$ has the weights $h_{jk}$, none negative, and its energy $E_j$ is the sum of "
        r"$h_{jk} S_k$; its cell of the log-mel spectrogram is $\log(E_j + \epsilon)$ with a positive floor $\epsilon$.",
        "An embedding is a vector for each frame; the log-mel column itself, or what a network makes of it. All clips have the "
        "same number of frames. The embeddings of all frames of all clips are pooled, and $d^2$ is the Frechet distance of the "
        "Gaussians that are fitted to the two pools.",
    ),
    limits=(
        "That the distance agrees with listeners: it depends on the embedding.",
        "Order inside a frame, and inside the several frames that a network sees at once: this does count.",
        "Noise on the waveform for all sounds: after the logarithm it is not additive, and its effect is only measured.",
    ),
    trained="A measure of samples, not a model. Experiments with sounds report it.",
)

f = pitch(derivation)

derivation.say(
    r"Centers $c_1, c_2, \dots$ rise and are equally spaced in mel. Filter $j$ is a triangle of height 1: it rises linearly in "
    "hertz from 0 at $c_{j-1}$ to 1 at $c_j$, and falls to 0 at $c_{j+1}$. Take $f$ between $c_j$ and $c_{j+1}$."
)
j = derivation.index("j", "a filter")
c = derivation.number("c_j", "the center below $f$", positive=True)
c_next = derivation.number("c_{j+1}", "the center above", positive=True)
derivation.symbol("h", "a filter", "mel_filterbank")
partition = derivation.chain(
    "Neighboring triangles sum to one",
    plus((c_next - f) / (c_next - c), (f - c) / (c_next - c)),
    equals(1, r"the side of $h_j$ that falls and that of $h_{j+1}$ that rises have one denominator; no other filter is there"),
    role="lemma",
    so="So the energies of all filters sum to the power between the first and the last center, plus two tapered ends: nothing "
    "is counted twice, and wide filters collect more. Triangles of area 1 would report densities instead.",
)


@derivation.numeric(
    r"h_j(c_{j-1}) = 0, \quad h_j(c_j) = 1, \quad h_j(c_{j+1}) = 0",
    because="The code's filters against linear interpolation between these three: 6 filters from 0 to 4000 Hz at 33 "
    "frequencies, and 4 from 100 to 3700 Hz at 32.",
    role="remark",
)
def triangles():
    banks = (6, 64, 8000, 0.0, 4000.0), (4, 63, 8000, 100.0, 3700.0)
    found = [
        mel_filterbank(num_filters=n, fourier_length=size, sample_rate=rate, low=low, high=high)
        for n, size, rate, low, high in banks
    ]
    wanted = [interpolated_bank(*bank)[2] for bank in banks]
    flat = lambda parts: np.concatenate([np.ravel(part) for part in parts])  # noqa: E731
    wrong = {
        "equally spaced in hertz": flat(
            [
                np.stack(
                    [
                        np.interp(interpolated_bank(*bank)[1], np.linspace(*bank[3:], bank[0] + 2), row)
                        for row in np.eye(bank[0] + 2)[1:-1]
                    ]
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
    so=prose(
        "For $-g$ it is the same, {polarity}: polarity is lost here, and so is every other common phase of a frame.",
        polarity=holds(_power(-g), "=", times(g**2, power), named=True),
    ),
)
filters = derivation.numbers("h", (j, k), "the filters", "filterbank", positive=True)
energy = derivation.number("E", "the energy of a cell", positive=True)
epsilon = derivation.number(r"\epsilon", "the floor", "epsilon", positive=True)
shift = derivation.chain(
    "A gain is a shift of all cells that are far above the floor",
    log(plus(g**2 * energy, epsilon)),
    equals(
        plus(log(g**2 * (energy + epsilon)), -log(g**2 * (energy + epsilon) / plus(g**2 * energy, epsilon))),
        "add and subtract one logarithm",
    ),
    equals(
        plus(log(plus(energy, epsilon)), 2 * log(g), -log(1 + epsilon * (g**2 - 1) / plus(g**2 * energy, epsilon))),
        prose(
            "the first is a product; in the second, {floor}",
            floor=holds(g**2 * epsilon, "=", plus(epsilon, epsilon * (g**2 - 1))),
        ),
    ),
    so=prose(
        "The last logarithm is what the floor withholds. It goes to 0 with $\\epsilon / E$, and in silence, {silence}, it is "
        "{all}: no gain is heard.",
        silence=where(energy, 0),
        all=holds(log(1 + epsilon * (g**2 - 1) / plus(g**2 * energy, epsilon)), "=", 2 * log(g), named=True),
    ),
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
pooled = derivation.chain(
    "The pooled covariance is that within clips and that of their means",
    times(1 / (C * F), Total(q, Total(n, times(y - all_y, z - all_z)))),
    equals(
        times(1 / (C * F), Total(q, Total(n, times(plus(y - clip_y, clip_y - all_y), plus(z - clip_z, clip_z - all_z))))),
        "add and subtract the clips' means",
    ),
    equals(
        plus(within, between),
        prose(
            "multiply out; deviations from a clip's mean sum to 0 over the clip, {zero}, and both mixed terms vanish",
            zero=holds(Total(n, y - clip_y), "=", 0),
        ),
    ),
    central=True,
    so="All four sums are symmetric in the frames, and so is the mean: neither order nor the end of a clip is kept. The mean of "
    "the clips' own covariances lacks the second term, and so takes clips of different means for clips of one mean.",
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
    role="remark",
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
    r"agree, and each of $M$ cells has its mean moved by $2 \log g$: $d^2$ is $M$ times the square of that. If independent "
    "noise of variance $v$ and mean 0 is added to each feature of the embeddings, means agree. The covariance $A$ has "
    r"positive eigenvalues $\lambda_i$; that of the noisy set is $A + v I$, with the same eigenvectors."
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
    "Noise on the embeddings costs the squared change of their deviations",
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
        prose("{slope}", slope=holds(Slope(2 * root, v), "=", sqrt(eigenvalue / (eigenvalue + v)))),
        wrong={"the order turned over": Total(i, 1 - sqrt((eigenvalue + v) / eigenvalue))},
    ),
    equals(
        Total(i, (v / (eigenvalue + v)) / (1 + sqrt(eigenvalue / (eigenvalue + v)))),
        prose(
            "multiply and divide by one plus the root: {square}",
            square=holds(1 - eigenvalue / (eigenvalue + v), "=", v / (eigenvalue + v)),
        ),
    ),
    at_least(
        0,
        prose("all factors are positive, so the inequality is strict; equality only at {none}", none=where(v, 0)),
        dropping=Total(i, (v / (eigenvalue + v)) / (1 + sqrt(eigenvalue / (eigenvalue + v)))),
    ),
    so=prose(
        r"For small $v$ the slope is about $\sum_i \frac{v}{2\lambda_i}$ and the distance $\sum_i \frac{v^2}{4\lambda_i}$, "
        "since {curve} at {start}: of the second order in the variance, and largest where the embeddings vary least.",
        curve=holds(Slope(plus(eigenvalue, eigenvalue + v, -2 * root), v, 2), "=", 1 / (2 * eigenvalue)),
        start=where(v, 0),
    ),
)
derivation.answer = prose(
    "A gain $g$ adds {shift} to every cell that is far above the floor, and polarity adds nothing. Pooling keeps the "
    "covariance within clips and that of the clips' means, and forgets order: a set cut into frames and shuffled has the "
    "distance 0 to itself. Independent noise of variance $v$ on the embeddings costs {cost}, which increases with $v$.",
    shift=2 * log(g),
    cost=holds(
        cost, "=", Total(i, (sqrt(eigenvalue + v) - sqrt(eigenvalue)) ** 2), named=True, wrong={"variances": Total(i, v**2)}
    ),
)

derivation.say(
    "Noise on a waveform passes through powers and logarithms, and this argument no longer applies. It is measured: four notes "
    "of decaying harmonics, in log-mel columns of five filters, and white noise of four levels."
)
derivation.symbol(r"X + r\,\eta", "the notes with white noise of the deviation $r$ on the waveform")
derivation.symbol("r, r'", "two levels of noise")


@derivation.bound(
    r"d^2(X, X + r\,\eta) \le d^2(X, X + r'\,\eta), \qquad r \le r'",
    because="At the levels 0.001, 0.01, 0.1 and 1, for one sample of the noise; equality for equal levels.",
    role="remark",
)
def noise_on_the_waveform():
    waves, drawn = notes(), np.random.default_rng(0).standard_normal((4, 800))
    clean = columns(waves)
    far = {level: frechet_audio_distance(clean, columns(waves + level * drawn)) for level in (0.001, 0.01, 0.1, 1.0)}
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


@derivation.algorithm(
    "The Frechet audio distance of two sets of clips",
    do(
        r"filters: triangles between centers that are equally spaced in mel",
        hertz_to_mel,
        mel_to_hertz,
        mel_filterbank,
        by=partition,
    ),
    do(
        r"frames: $S_k$ of $w_t x_t$, $E_j \leftarrow \sum_k h_{jk} S_k$, and $\log(E_j + \epsilon)$",
        log_mel_spectrogram,
        by=shift,
    ),
    do("embed every frame, by a network or as it is"),
    do(
        r"pool the frames of all clips of each set; $d^2 \leftarrow$ the Frechet distance of the pools",
        frechet_audio_distance,
        by=pooled,
    ),
)
def a_filter_a_frame_and_two_sets():
    center = mel_to_hertz(hertz_to_mel(np.array([4000.0])) / 2)
    yield r"\text{one filter to 4000 Hz: its center}", center, "1113.8"
    weights = mel_filterbank(num_filters=1, fourier_length=8, sample_rate=8000)
    yield r"\text{its weights at } 0, 1000, \dots, 4000", weights.ravel(), "(0, 0.8978, 0.6930, 0.3465, 0)"
    cells = log_mel_spectrogram(np.array([[1.0, 0.0, -1.0, 0.0]]), np.ones(4), np.array([[0.5, 1.0, 0.0]]), hop=4)
    yield r"\text{the frame } (1, 0, -1, 0), S = (0, 4, 0), h = (\tfrac12, 1, 0): \text{ its cell}", cells.ravel(), "1.3863"
    yield r"d^2 \text{ of the example's sets}", frechet_audio_distance(_APART, _EQUAL), "22.4026"


@derivation.figure(
    "Left: six triangles from 0 to 4000 Hz, equally spaced in mel, and their sum (dashed). Right: the distance that noise of "
    r"variance $v$ on an embedding adds in one dimension, $(\sqrt{\lambda + v} - \sqrt\lambda)^2$, by the code from 2000 frames "
    "(dots) and by the formula (lines).",
    panels=2,
)
def the_triangles_and_the_noise(triangles, distances):
    draw_triangles_and_noise(triangles, distances)
