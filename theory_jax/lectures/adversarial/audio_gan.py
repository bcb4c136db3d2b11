"""Waveform GANs: what spectra keep of a sound, why upsampling hums, and what phase shuffle hides from the critic.

The lecture on the functions of theory_jax/adversarial/audio_gan.py.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Integral, Rational, cos, log, pi, sin, sqrt

from theory_jax.adversarial.audio_gan import (
    log_magnitude_distance,
    phase_shuffle,
    short_time_fourier_magnitude,
    spectral_convergence,
    transposed_convolution1d,
)
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._sounds import averaged, change_with_phase, coefficient, coefficients, draw_hum, sharing

derivation = Derivation(
    module=__name__,
    title="Waveform GANs: what spectra keep of a sound, why upsampling hums, and what phase shuffle hides from the critic",
    sources=(
        "Donahue, McAuley & Puckette 2019, Adversarial Audio Synthesis (WaveGAN, phase shuffle)",
        "Arik, Jun & Diamos 2019, Fast Spectrogram Inversion using Multi-head Convolutional Neural Networks (both distances)",
        "Griffin & Lim 1984, Signal Estimation from Modified Short-Time Fourier Transform",
    ),
    question="A network that is trained to make sounds by squared errors of samples is silent, and the first waveform GANs hum "
    "at a fixed pitch, by which their critic knows them at once. Why are sounds compared by the magnitudes of their spectra, and "
    "what do magnitudes forget? Why does an upsampling layer hum, and what does phase shuffle hide from the critic?",
    setting=(
        r"Frames of $W$ samples, $W$ even, begin `hop` samples apart. With a window $v$ a frame has the transform $\sum_t v_t "
        r"x_t e^{-2\pi i k t / W}$, of which $A_k$ is the magnitude, for $k$ from 0 to $W/2$; a bin is one $k$.",
        "A transposed convolution of stride $s$ adds, for each sample of its input, a copy of the kernel to the output, $s$ "
        "samples after the last one. The padding only cuts samples off.",
        r"Phase shuffle moves the samples of every example by $n$, uniform on $-r, \dots, r$, and mirrors them at the border "
        "without repeating the border's sample.",
    ),
    limits=(
        "Inputs of a layer that are not constant: upsampling repeats their spectrum $s$ times, and the kernel is the only filter "
        "against the copies.",
        "That magnitudes determine a sound up to polarity for windows longer than two samples: true for almost all sounds with "
        "enough overlap, false for some.",
        "How audible a hum of a given level is, and what critics do that are neither linear nor see powers alone.",
    ),
)

derivation.say(
    r"First, why not compare samples? A tone $a \cos(\theta + \varphi)$ at one time, with the angle $\theta$ there. Its phase "
    r"cannot be predicted: $\varphi$ is uniform. Which number $c$ is the best guess of the sample in squared error?"
)
a = derivation.number("a", "the amplitude of a tone", positive=True)
theta = derivation.number(r"\theta", "an angle")
phi, psi = derivation.number(r"\varphi", "a phase"), derivation.number(r"\psi", "another phase")
c = derivation.number("c", "a guess")
derivation.chain(
    "Silence is the best guess of a tone whose phase is unknown",
    Integral((a * cos(theta + phi) - c) ** 2, (phi, 0, 2 * pi)) / (2 * pi),
    equals(plus(a**2 / 2, c**2), r"expand the square: $\cos^2$ has the mean $\frac12$ over a period, and $\cos$ the mean 0"),
    at_least(a**2 / 2, prose("leave out a square, 0 for {silence} only", silence=where(c, 0)), dropping=c**2),
)
derivation.chain(
    "The right tone with a phase of its own costs twice as much as silence",
    Integral((a * cos(theta + phi) - a * cos(theta + psi)) ** 2, (phi, 0, 2 * pi), (psi, 0, 2 * pi)) / (2 * pi) ** 2,
    equals(
        a**2,
        r"two squares, each with the mean $a^2/2$; the product of the two has the mean 0, since the phases are independent",
        wrong={"one of the two squares": a**2 / 2},
    ),
    so="Trained with squared errors of samples, a generator is silent where it cannot predict the phase. The ear hardly hears "
    "the phase of a tone: compare what it hears.",
    role="remark",
)

t = derivation.index("t", "a sample of a frame", states=4)
k = derivation.index("k", "a bin", states=3)
W = derivation.count(t, "W", "the samples of a frame, in the chains four", "len(window)")
x = derivation.numbers("x", t, "the waveform", "x")
v = derivation.numbers("v", t, "the window", "window")


def _power(wave, angle):
    """The squared modulus of a sum of waves, as the squares of its real and its imaginary part."""
    return plus(Total(t, times(wave, cos(angle))) ** 2, Total(t, times(wave, sin(angle))) ** 2)


power = derivation.define("A^2_{{{}}}", _power(v * x, 2 * pi * k * t / W), "the squared magnitude of a bin", over=k)
derivation.bridge(
    "The code's magnitudes of one frame",
    [[[sqrt(power.at(bin_))] for bin_ in range(3)]],
    short_time_fourier_magnitude,
    x=[x],
    window=v,
    hop=1,
    wrong={"powers": [[[power.at(bin_)] for bin_ in range(3)]]},
)
energy = derivation.chain(
    "The magnitudes of a frame keep its energy",
    plus(power.at(0), 2 * power.at(1), power.at(2)) / 4,
    equals(
        SquaredNorm(t, v * x),
        "the waves of four samples are $1, 0, -1, 0$ and the like; expand the squares",
        wrong={"inner bins counted once": SquaredNorm(t, v * x) - power.at(1) / 4},
    ),
    role="lemma",
    so=r"For every $W$ this is Parseval's identity: inner bins count twice, since $-k$ has the magnitude of $k$.",
)
derivation.chain(
    "The magnitudes of a frame forget the phase of a tone at a bin",
    _power(a * cos(2 * pi * t / W + phi), 2 * pi * t / W),
    equals(
        (a * W / 2) ** 2,
        "products of waves are waves of the sum and of the difference of their angles; the sum turns full circles and adds up to "
        r"0, the difference is $\varphi$ at every sample",
        wrong={"the amplitude of both frequencies": (a * W) ** 2},
    ),
    role="lemma",
    so=r"A rectangular window, bin 1. Between bins, and at low ones, the frequencies $\pm\omega$ interfere, and magnitudes do "
    "depend on the phase: see the example.",
)

derivation.say(
    "What do the magnitudes of all frames together forget? Take frames of two samples, with a rectangular window: a frame $(y, "
    "z)$ has the magnitudes $|y + z|$ and $|y - z|$."
)
y, z = derivation.number("y", "the first sample of a frame"), derivation.number("z", "the second")
derivation.chain(
    "Two magnitudes give the product of two samples",
    plus(Abs(y + z) ** 2, times(-1, Abs(y - z) ** 2)) / 4,
    equals(y * z, "expand; the squares cancel", wrong={"the other sign": -y * z}),
    role="lemma",
    so=r"Energy and product leave exchange and a common sign: $\pm(y, z)$, $\pm(z, y)$. Frames that do not overlap multiply the "
    "choices: four to the number of frames. With hop 1 neighboring frames share a sample: its size is the one that both frames "
    "have, and the products then give all signs relative to one.",
)


_SIGNALS = np.array([row for row in product(range(-4, 5), repeat=4) if all(row)])


@derivation.exact(
    r"\left|\{x' : A(x') = A(x)\}\right| = 2 \text{ with overlap},\qquad 4^2 \text{ without}",
    because=r"All signals of four samples from $-4, \dots, 4$ without zeros, in frames of two samples, hop 1 and hop 2. With "
    "overlap four signals share the code's magnitudes where absolute values alternate, as in $(1, 2, 1, 2)$; without, a frame of "
    "two equal absolute values has two forms, not four.",
    outcomes=4096,
)
def overlap_gives_the_phase_back():
    sizes = np.abs(_SIGNALS)
    alternate = (sizes[:, 0] == sizes[:, 2]) & (sizes[:, 1] == sizes[:, 3]) & (sizes[:, 0] != sizes[:, 1])
    equal = (sizes[:, 0] == sizes[:, 1]) * 1 + (sizes[:, 2] == sizes[:, 3])
    return Sides(
        left=np.stack([sharing(_SIGNALS, 1), sharing(_SIGNALS, 2)]),
        right=np.stack([np.where(alternate, 4, 2), 16 >> equal]),
        wrong={"polarity is known": np.stack([np.where(alternate, 2, 1), 16 >> equal])},
    )


derivation.say("Two distances of magnitudes $A$ and $A'$ are in use. What does each of them hear?")
f = derivation.index("f", "a bin in a frame")
F = derivation.count(f, "N", "the number of bins in all frames")
A = derivation.numbers("A", f, "the magnitudes of a sound", "magnitude", positive=True)
made = derivation.numbers("A'", f, "... and of a generated one", "magnitude_generated", positive=True)
epsilon = derivation.number(r"\epsilon", "a floor", "epsilon", positive=True)
gain = derivation.number("g", "a gain", positive=True)


def _length(body):
    return sqrt(SquaredNorm(f, body))


convergence = _length(A - made) / _length(A)
derivation.bridge(
    "The code's spectral convergence",
    convergence,
    spectral_convergence,
    magnitude=[[A]],
    magnitude_generated=[[made]],
    wrong={"over the generated sound": _length(A - made) / _length(made), "squared": convergence**2},
)
derivation.bridge(
    "... and its log distance",
    Total(f, Abs(log(A + epsilon) - log(made + epsilon))) / F,
    log_magnitude_distance,
    magnitude=[[A]],
    magnitude_generated=[[made]],
    epsilon=epsilon,
    wrong={"a sum": Total(f, Abs(log(A + epsilon) - log(made + epsilon)))},
)
of_gain = derivation.chain(
    "A gain $g$ costs $|g - 1|$ in spectral convergence",
    _length(A - gain * A) / _length(A),
    equals(Abs(1 - gain), "the factor leaves the norm as its absolute value", wrong={"the gain itself": gain}),
    so=prose(
        "Ten times too quiet costs {tenth}, and twice too quiet {half}; silence costs 1. A wrong note of the same energy in "
        r"other bins costs $\sqrt2$, more than silence.",
        tenth=holds(_length(A - gain * A) / _length(A), "=", Rational(9, 10), when={gain: Rational(1, 10)}, named=True),
        half=holds(_length(A - gain * A) / _length(A), "=", Rational(1, 2), when={gain: Rational(1, 2)}, named=True),
    ),
    role="remark",
)
derivation.chain(
    r"A gain $g$ costs $|\log g|$ in the log distance without a floor",
    Total(f, log(gain * A) - log(A)) / F,
    equals(
        log(gain),
        prose("{log} in each of the $N$ bins", log=holds(log(gain * A), "=", plus(log(gain), log(A)))),
        wrong={"a sum over the bins": F * log(gain)},
    ),
    so=r"The distance is $|\log g|$: 2.30 for ten times too quiet, 0.69 for twice.",
    role="remark",
)
b = derivation.index("b", "the bin that is changed")
derivation.chain(
    "Spectral convergence pulls at a bin in proportion to the bin's error",
    Slope(convergence, made.at(b)),
    equals((made.at(b) - A.at(b)) / (_length(A) * _length(A - made)), "the chain rule"),
    role="remark",
)
derivation.chain(
    "The log distance pulls at a bin in inverse proportion to what was generated there",
    Slope(Total(f, log(made + epsilon) - log(A + epsilon)) / F, made.at(b)),
    equals(1 / (F * (made.at(b) + epsilon)), "one bin of the mean", wrong={"the sound's own bin": 1 / (F * (A.at(b) + epsilon))}),
    so="Where the generated sound is the louder one; elsewhere with the other sign. The two are used together.",
    role="remark",
)

derivation.say(
    r"Now the layers. A transposed convolution of stride $s$ answers a constant input, 1, away from the borders with $\sum_m "
    "w_{l + sm}$ at the sample $n$, $l$ the remainder of $n$ by $s$: it repeats itself after $s$ samples. Number the kernel's "
    "entries by $l$ and $m$, with zeros at the end where its length is no multiple of $s$."
)
rest = derivation.index("l", "the phase of a sample, $n$ modulo $s$")
m = derivation.index("m", "how many strides into the kernel")
s = derivation.count(rest, "s", "the stride", "stride")
w = derivation.numbers("w", (rest, m), "the kernel's entry $l + sm$", "weight")
sums = derivation.define("S", Total(m, w), "the sum of a phase of the kernel: what a constant 1 becomes there", over=rest)
j = derivation.number("j", "a multiple of $f_s/s$", integer=True, positive=True)
derivation.symbol("f_s", "the sampling rate")
derivation.symbol("n", "a sample of the output, later a shift")
line = Total(rest, Total(m, times(w, cos(2 * pi * j * (rest + s * m) / s + theta)))) / s
hum = derivation.chain(
    "A layer hums where the frequency response of its kernel does not vanish",
    Total(rest, times(sums, cos(2 * pi * j * rest / s + theta))) / s,
    equals(line, r"insert $S_l$; a wave at a multiple of $f_s/s$ is the same after $s$ samples", wrong={"not divided": s * line}),
    central=True,
    so="The first line is the Fourier coefficient $j$ of a period of the output (its real part at the angle 0, its imaginary "
    r"part at the angle $\frac\pi2$), the second is $\frac1s \hat w(2\pi j/s)$, the frequency response of the whole kernel. No "
    r"other frequency is in a signal of period $s$. So trained kernels hum, whatever their length, unless $\hat w$ vanishes at "
    "the multiples of $f_s/s$ between 0 and $f_s$. Here $f_s$ is the rate of the layer's output, and a multiple of $f_s/s$ is a "
    "pitch.",
)
derivation.symbol(r"\hat w", "the Fourier transform of the kernel")
derivation.bridge("The code's hum", line, coefficient, weight=w, number=j, angle=theta, calls=(transposed_convolution1d,))
omega = derivation.number(r"\omega", "a frequency, in radians a sample")
i = derivation.index("i", "one of $M$ samples or shifts in a row")
M = derivation.count(i, "M", "how many there are")
around = plus(i, times(-1, M - 1) / 2)
derivation.chain(
    "A sum of equally spaced waves",
    times(2 * sin(omega / 2), Total(i, cos(omega * around))),
    equals(
        Total(i, sin(omega * (2 * i + 2 - M) / 2) - sin(omega * (2 * i - M) / 2)),
        "twice the sine of an angle times the cosine of another is a difference of two sines",
    ),
    equals(2 * sin(M * omega / 2), "every term but the first and the last occurs with both signs"),
    role="lemma",
    so=r"The frequency response of $K$ ones has the modulus $\left|\frac{\sin(K\omega/2)}{\sin(\omega/2)}\right|$. At the "
    r"frequencies $2 \pi j/s$ it is 0 for all $j$ from 1 to $s - 1$ if and only if $s$ divides $K$: 25 ones with stride 4 hum, "
    "24 do not. For other kernels the length decides nothing.",
)
derivation.symbol("K", "the length of a kernel")

derivation.say(
    "A critic learns the hum at once: a wave of fixed pitch and fixed phase. Phase shuffle moves its features by a random $n$. "
    r"Take a critic that is linear in the wave $\cos(\omega t + \theta)$, and average over all $M$ shifts, $2r + 1$ of them."
)
time = derivation.number("t_0", "a sample away from the borders", integer=True)
seen = Total(i, cos(omega * around)) / M
r = derivation.index("r", "a shift, counted from $-2$", states=5)
five_shifts = Total(r, cos(omega * (r - 2))) / 5
fading = derivation.chain(
    "Phase shuffle fades a frequency in what a linear critic sees",
    Total(i, cos(omega * plus(time, -around) + theta)) / M,
    equals(
        times(seen, cos(omega * time + theta)),
        r"the cosine of a difference; the sines of $n$ and $-n$ cancel",
        wrong={"a sum": times(M * seen, cos(omega * time + theta))},
    ),
    so=prose(
        r"By the lemma the factor is $\frac{\sin(M\omega/2)}{M \sin(\omega/2)}$. At the hum of stride 4 and for shifts by up to "
        "two samples it is {first} and {second}: the phase of the hum is seen five times more weakly. All of the hum's "
        "frequencies are removed if and only if $s$ divides $2r + 1$, which no even $s$ does.",
        first=holds(five_shifts, "=", -Rational(1, 5), when={omega: pi / 2}, named=True),
        second=holds(five_shifts, "=", Rational(1, 5), when={omega: pi}, named=True),
    ),
)
derivation.answer = prose(
    "In squared errors of samples a tone of unknown phase costs {silence} if silence is the guess, and {tone} if it is the right "
    "tone with another phase. Magnitudes of frames that overlap forget little but the polarity. A layer hums on a constant input "
    "unless the frequency response of its kernel vanishes at the multiples of $f_s/s$ between 0 and $f_s$. Phase shuffle "
    "multiplies what a linear critic sees of a frequency by a factor, at the hum of stride 4 {first} and {second} for shifts by "
    "up to two samples; the power of the hum stays visible.",
    silence=holds(Integral((a * cos(theta + phi)) ** 2, (phi, 0, 2 * pi)) / (2 * pi), "=", a**2 / 2, named=True),
    tone=a**2,
    first=holds(five_shifts, "=", -Rational(1, 5), when={omega: pi / 2}, named=True),
    second=holds(five_shifts, "=", Rational(1, 5), when={omega: pi}, named=True),
)
derivation.bridge(
    "The code's shifts, by up to two samples",
    Total(r, cos(omega * (time + 2 - r) + theta)) / 5,
    averaged,
    frequency=omega,
    angle=theta,
    center=time,
    calls=(phase_shuffle,),
    wrong={"one shift too few": Total(r, cos(omega * (time + 2 - r) + theta)) / 5 - cos(omega * (time + 2) + theta) / 5},
)
shift = derivation.number("n_0", "a shift", integer=True)
turn = cos(omega * shift), sin(omega * shift)
parts = Total(t, x * cos(omega * t)), Total(t, x * sin(omega * t))
turned = turn[0] * parts[0] - turn[1] * parts[1], turn[0] * parts[1] + turn[1] * parts[0]
derivation.chain(
    "A shift does not change the power of a frequency",
    plus(turned[0] ** 2, turned[1] ** 2),
    equals(
        times(plus(turn[0] ** 2, turn[1] ** 2), plus(parts[0] ** 2, parts[1] ** 2)),
        prose(
            r"the first line is the power after a shift, since {real} and likewise for the sine; expand",
            real=holds(Total(t, x * cos(omega * (t + shift))), "=", turned[0]),
        ),
    ),
    equals(plus(parts[0] ** 2, parts[1] ** 2), "a rotation keeps the sum of squares"),
    sizes={t: 2},
    so="Of circular shifts, or away from the borders; here for two samples, and the same lines hold for any number. So a critic "
    "can still punish that there is a hum; it can neither punish nor reward where it begins. Phase shuffle never tells two "
    "distributions apart better: the game compares their averages over shifts, and a generator with one fixed phase is as good "
    "as one that has all of them.",
    role="remark",
)


@derivation.algorithm(
    "A waveform GAN, and two distances of sounds",
    do("generator: upsample by transposed convolutions of stride $s$", transposed_convolution1d, by=hum),
    do(
        r"critic: after every layer draw $n$ from $-r, \dots, r$ for each example, and move its samples by $n$",
        phase_shuffle,
        by=fading,
    ),
    do(
        "train both as in WGAN-GP; compare sounds by the magnitudes of overlapping frames",
        short_time_fourier_magnitude,
        by=energy,
    ),
    do(
        r"... by $|A - A'| / |A|$, and by the mean of $|\log A - \log A'|$",
        spectral_convergence,
        log_magnitude_distance,
        by=of_gain,
    ),
)
def one_sound():
    sound = transposed_convolution1d(jnp.array([[[1.0, 2.0]]]), jnp.array([[[1.0, 2.0, 1.0]]]), jnp.zeros(1), stride=2)
    yield r"(1, 2), \text{ stride 2, kernel } (1, 2, 1)", sound.ravel(), "1, 2, 3, 4, 2"
    for n, moved in ((1, "2, 1, 2, 3, 4"), (-2, "3, 4, 2, 4, 3")):
        yield rf"n = {n}", phase_shuffle(sound, np.array([n])).ravel(), moved
    magnitude = short_time_fourier_magnitude(sound[0], jnp.ones(2), hop=1)
    yield r"A, \text{ frames of two}", magnitude.ravel(), "3, 5, 7, 6, 1, 1, 1, 2"
    yield (
        r"\text{half as loud}",
        [spectral_convergence(magnitude, magnitude / 2), log_magnitude_distance(magnitude, magnitude / 2)],
        "0.5, 0.6931",
    )


@derivation.example(
    "The sound $(1, 2, 4, 3)$ in frames of two samples, and how many signals share its magnitudes. Kernels of ones at stride 4: "
    "what they make of a constant at $0$, $f_s/4$ and $f_s/2$. The magnitudes $(10, 1, 0.1)$: both distances for a loud and a "
    "quiet error. Data $(1, -1)$ or $(-1, 1)$ equally often, generator always $(1, -1)$: the divergence without and with shifts "
    "by 0 or 1. Last, how much the magnitudes of a Hann frame of 64 change with a tone's phase, relative to the largest."
)
def small_numbers():
    sound = jnp.array([[1.0, 2.0, 4.0, 3.0]])
    for hop, magnitudes, others in ((1, "3, 6, 7; 1, 2, 1", "2"), (2, "3, 7; 1, 1", "16")):
        yield rf"A,\ \text{{hop }} {hop}", short_time_fourier_magnitude(sound, jnp.ones(2), hop=hop)[0], magnitudes
        found = sharing(_SIGNALS, hop)[(_SIGNALS == (1, 2, 4, 3)).all(1)][0]
        yield r"\text{signals that share them}", found, others
    for length, numbers in ((24, "6, 0, 0"), (25, "25/4, 1/4, 1/4"), (26, "13/2, 0.3536, 0")):
        yield rf"|c|,\ K = {length}", coefficients(length), numbers
    sound = jnp.array([[[10.0], [1.0], [0.1]]])
    for words, other, wanted in (("loud", (11.0, 1.0, 0.1), "0.0995, 0.0318"), ("quiet", (10.0, 1.0, 0.2), "0.00995, 0.2310")):
        both = sound, jnp.array(other)[None, :, None]
        yield rf"\text{{{words} error}}", [spectral_convergence(*both), log_magnitude_distance(*both, epsilon=1e-9)], wanted
    data, fakes = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])  # of (1, -1) and (-1, 1)
    moved = phase_shuffle(jnp.tile(jnp.array([1.0, -1.0]), (2, 1, 1)), np.array([0, 1]))[:, 0, 0]
    shifted = jnp.mean(moved[:, None] == jnp.array([1.0, -1.0]), axis=0)  # the data's distribution stays what it is
    for words, law in ((r"\mathrm{JSD}", fakes), (r"\text{... after shifts}", shifted)):
        yield words, jensen_shannon_divergence(jnp.log(data)[None], jnp.log(law)[None]), "0.2158" if law is fakes else "0"
    yield r"\text{change with the phase, bins 1.3 and 5.3}", [change_with_phase(1.3), change_with_phase(5.3)], "0.592, 0.0038"


derivation.symbol(r"\mathrm{JSD}", "the Jensen-Shannon divergence", "jensen_shannon_divergence")


@derivation.figure(
    "Left: what kernels of ones with 24, 25 and 26 entries make of a constant at stride 4, by frequency: lines at multiples of "
    "$f_s/4$ alone. Right: the factor of phase shuffle in what a linear critic sees, for shifts by up to one, two and three "
    "samples; dotted: the frequencies of the hum of stride 4.",
    panels=2,
)
def hum_and_shuffle(left, right):
    draw_hum(left, right)
