"""Waveform GANs: what spectra keep of a sound, why upsampling hums, and what phase shuffle hides from the critic.

The lecture on the functions of theory_jax/adversarial/audio_gan.py.
"""

from itertools import product

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Integral, cos, log, pi, sin, sqrt

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

derivation = Derivation(
    module=__name__,
    title="Waveform GANs: what spectra keep of a sound, why upsampling hums, and what phase shuffle hides from the critic",
    sources=(
        "Donahue, McAuley & Puckette 2019, Adversarial Audio Synthesis (WaveGAN, phase shuffle)",
        "Arik, Jun & Diamos 2019, Fast Spectrogram Inversion using Multi-head Convolutional Neural Networks (both distances)",
        "Griffin & Lim 1984, Signal Estimation from Modified Short-Time Fourier Transform",
    ),
    question="Why are sounds compared by the magnitudes of their spectra, and what do magnitudes forget? Why does an upsampling "
    "layer hum at a fixed pitch, and what does phase shuffle hide from the critic?",
    setting=(
        r"Frames of $W$ samples, $W$ even, begin `hop` samples apart. With a window $v$ a frame has the transform $X_k = \sum_t "
        r"v_t x_t e^{-2\pi i k t / W}$ and the magnitudes $A_k = |X_k|$, $k = 0, \dots, W/2$; a bin is one $k$.",
        "A transposed convolution of stride $s$ adds, for each sample of its input, a copy of the kernel to the output, $s$ "
        "samples after the last one. The padding only cuts samples off.",
        "Phase shuffle moves the samples of every example by $n$, uniform on $-r, \\dots, r$, and mirrors them at the border "
        "without repeating the border's sample.",
    ),
    answer="Squared errors of samples call silence twice as good as the right tone with another phase. Magnitudes of frames that "
    "overlap forget little but the polarity. A layer hums on a constant input unless the frequency response of its kernel "
    r"vanishes at the multiples of $f_s/s$. Phase shuffle multiplies what a linear critic sees of a frequency by a factor, "
    r"$\pm\frac15$ at the hum of stride 4 for $r = 2$; the power of the hum stays visible.",
    limits=(
        "Inputs of a layer that are not constant: upsampling repeats their spectrum $s$ times, and the kernel is the only filter "
        "against the copies.",
        "That magnitudes determine a sound up to polarity for windows longer than two samples: true for almost all sounds with "
        "enough overlap, false for some.",
        "How audible a hum of a given level is, and what critics do that are neither linear nor see powers alone.",
    ),
)

# ---------------------------------------------------------------------------------------------------- samples or spectra

derivation.say(
    r"First, why not compare samples? A tone $a \cos(\theta + \varphi)$ at one place, with the angle $\theta$ there. Its "
    r"phase cannot be predicted: $\varphi$ is uniform. Which number $c$ is the best guess of the sample in squared error?"
)
a = derivation.number("a", "the amplitude of a tone", positive=True)
theta = derivation.number(r"\theta", "an angle")
phi, psi = derivation.number(r"\varphi", "a phase"), derivation.number(r"\psi", "another phase")
c = derivation.number("c", "a guess")
derivation.chain(
    "Silence is the best guess of a tone whose phase is unknown",
    Integral((a * cos(theta + phi) - c) ** 2, (phi, 0, 2 * pi)) / (2 * pi),
    equals(plus(a**2 / 2, c**2), r"expand the square: $\cos^2$ has the mean $\frac12$ over a period, and $\cos$ the mean 0"),
    at_least(a**2 / 2, r"leave out a square, 0 for $c = 0$ only", dropping=c**2),
)
derivation.chain(
    "... and costs half as much as the right tone with a phase of its own",
    Integral((a * cos(theta + phi) - a * cos(theta + psi)) ** 2, (phi, 0, 2 * pi), (psi, 0, 2 * pi)) / (2 * pi) ** 2,
    equals(
        a**2,
        r"two squares, each with the mean $a^2/2$; the product of the two has the mean 0, since the phases are independent",
        wrong={"one of the two squares": a**2 / 2},
    ),
    so="Trained with squared errors of samples, a generator is silent. The ear hears no phase: compare what it hears.",
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
derivation.chain(
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
    "... and forget the phase of a tone at a bin",
    _power(a * cos(2 * pi * t / W + phi), 2 * pi * t / W),
    equals(
        (a * W / 2) ** 2,
        "products of waves are waves of the sum and of the difference of their angles; the sum turns full circles and adds up "
        r"to 0, the difference is $\varphi$ at every sample",
        wrong={"the amplitude of both frequencies": (a * W) ** 2},
    ),
    role="lemma",
    so=r"A rectangular window, bin 1. Between bins, and at low ones, the frequencies $\pm\omega$ interfere, and magnitudes do "
    "depend on the phase: see the example.",
)

# ---------------------------------------------------------------------------------------------------- overlap

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


def _sharing(signals, hop):
    """For each signal [N, T], how many of them have its magnitudes, in frames of two samples."""
    magnitudes = short_time_fourier_magnitude(jnp.asarray(signals, float), jnp.ones(2), hop=hop)
    rows = np.asarray(magnitudes).round(9).reshape(len(signals), -1)
    _, place, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return counts[place.ravel()]


_SIGNALS = np.array([row for row in product(range(-4, 5), repeat=4) if all(row)])


@derivation.exact(
    r"\left|\{x' : A(x') = A(x)\}\right| = 2 \text{ with overlap},\qquad 4^2 \text{ without}",
    because="All signals of four samples from $-4, \\dots, 4$ without zeros, in frames of two samples, hop 1 and hop 2. With "
    "overlap four signals share the code's magnitudes where absolute values alternate, as in $(1, 2, 1, 2)$; without, a frame of "
    "two equal absolute values has two forms, not four.",
    outcomes=4096,
)
def overlap_gives_the_phase_back():
    sizes = np.abs(_SIGNALS)
    alternate = (sizes[:, 0] == sizes[:, 2]) & (sizes[:, 1] == sizes[:, 3]) & (sizes[:, 0] != sizes[:, 1])
    equal = (sizes[:, 0] == sizes[:, 1]) * 1 + (sizes[:, 2] == sizes[:, 3])
    return Sides(
        left=np.stack([_sharing(_SIGNALS, 1), _sharing(_SIGNALS, 2)]),
        right=np.stack([np.where(alternate, 4, 2), 16 >> equal]),
        wrong={"polarity is known": np.stack([np.where(alternate, 2, 1), 16 >> equal])},
    )


# ---------------------------------------------------------------------------------------------------- distances

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
derivation.chain(
    "A gain in spectral convergence",
    _length(A - gain * A) / _length(A),
    equals(Abs(1 - gain), "the factor leaves the norm as its absolute value", wrong={"the gain itself": gain}),
    so="Silence costs 1, ten times too quiet 0.9, and twice too quiet 0.5. A wrong note of the same energy in other bins costs "
    r"$\sqrt2$, more than silence.",
)
derivation.chain(
    "... and in the log distance, without a floor",
    Total(f, log(gain * A) - log(A)) / F,
    equals(log(gain), r"$\log gA = \log g + \log A$ in each of the $N$ bins", wrong={"a sum over the bins": F * log(gain)}),
    so=r"The distance is $|\log g|$: 2.30 for ten times too quiet, 0.69 for twice.",
)
b = derivation.index("b", "the bin that is changed")
derivation.chain(
    "Spectral convergence pulls at loud errors",
    Slope(convergence, made.at(b)),
    equals((made.at(b) - A.at(b)) / (_length(A) * _length(A - made)), "the chain rule"),
)
derivation.chain(
    "The log distance pulls at quiet bins",
    Slope(Total(f, log(made + epsilon) - log(A + epsilon)) / F, made.at(b)),
    equals(1 / (F * (made.at(b) + epsilon)), "one bin of the mean", wrong={"the sound's own bin": 1 / (F * (A.at(b) + epsilon))}),
    so="Where the generated sound is the louder one; elsewhere with the other sign. The two are used together.",
)

# ---------------------------------------------------------------------------------------------------- the hum

derivation.say(
    r"Now the layers. A transposed convolution of stride $s$ answers a constant input, 1, away from the borders with $y_n = "
    r"\sum_m w_{l + sm}$, $l$ the remainder of $n$ by $s$: it repeats itself after $s$ samples. Number the kernel's entries by "
    "$l$ and $m$, with zeros at the end where its length is no multiple of $s$."
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
derivation.chain(
    "A layer hums where the frequency response of its kernel does not vanish",
    Total(rest, times(sums, cos(2 * pi * j * rest / s + theta))) / s,
    equals(line, r"insert $S_l$; a wave at a multiple of $f_s/s$ is the same after $s$ samples", wrong={"not divided": s * line}),
    central=True,
    so=r"The first line is the Fourier coefficient $j$ of a period of the output (its real part at $\theta = 0$, its imaginary "
    r"part at $\theta = \frac\pi2$), the second is $\frac1s \hat w(2\pi j/s)$, the frequency response of the whole kernel. No "
    r"other frequency is in a signal of period $s$. So trained kernels hum, whatever their length, unless $\hat w$ vanishes at "
    r"all multiples of $f_s/s$. Here $f_s$ is the rate of the layer's output, and a multiple of $f_s/s$ is a pitch.",
)
derivation.symbol(r"\hat w", "the Fourier transform of the kernel")


def _coefficient(weight, number, angle):
    """A Fourier coefficient of one period of the code's answer to a constant; weight: [s, M]."""
    stride, steps = weight.shape
    kernel = weight.T.reshape(1, 1, stride * steps)
    answer = transposed_convolution1d(jnp.ones((1, 1, 2 * steps)), kernel, jnp.zeros(1), stride=stride)[0, 0]
    period = answer[stride * steps : stride * (steps + 1)]
    return jnp.mean(period * jnp.cos(2 * jnp.pi * number * jnp.arange(stride) / stride + angle))


derivation.bridge("The code's hum", line, _coefficient, weight=w, number=j, angle=theta, calls=(transposed_convolution1d,))
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
    so=r"A kernel of $K$ ones has $|\hat w(\omega)| = \left|\frac{\sin(K\omega/2)}{\sin(\omega/2)}\right|$. At $\omega = 2 "
    r"\pi j/s$ it is 0 for all $j = 1, \dots, s - 1$ if and only if $s$ divides $K$: 25 ones with stride 4 hum, 24 do not. "
    "For other kernels the length decides nothing.",
)
derivation.symbol("K", "the length of a kernel")

# ---------------------------------------------------------------------------------------------------- phase shuffle

derivation.say(
    "A critic learns the hum at once: a wave of fixed pitch and fixed phase. Phase shuffle moves its features by a random "
    r"$n$. Take a critic that is linear in the wave $\cos(\omega t + \theta)$, and average over all $M = 2r + 1$ shifts."
)
time = derivation.number("t_0", "a sample away from the borders", integer=True)
seen = Total(i, cos(omega * around)) / M
derivation.chain(
    "Phase shuffle fades a frequency in what a linear critic sees",
    Total(i, cos(omega * plus(time, -around) + theta)) / M,
    equals(
        times(seen, cos(omega * time + theta)),
        r"the cosine of a difference; the sines of $n$ and $-n$ cancel",
        wrong={"a sum": times(M * seen, cos(omega * time + theta))},
    ),
    so=r"By the lemma the factor is $\frac{\sin(M\omega/2)}{M \sin(\omega/2)}$. At the hum of stride 4 and $r = 2$ it is "
    r"$-\frac15, \frac15$: the phase of the hum is seen five times more weakly. It is removed if $s$ divides $2r + 1$, "
    "never for an even $s$.",
)


def _averaged(frequency, angle, center, shifts=2):
    """The mean over all shifts of a wave's sample, by the code; center: the sample's time."""
    moves = np.arange(-shifts, shifts + 1)
    wave = jnp.cos(frequency * (center + jnp.arange(-4, 5)) + angle)
    return jnp.mean(phase_shuffle(jnp.tile(wave, (len(moves), 1, 1)), moves)[:, 0, 4])


r = derivation.index("r", "a shift, counted from $-2$", states=5)
derivation.bridge(
    "The code's shifts, $r = 2$",
    Total(r, cos(omega * (time + 2 - r) + theta)) / 5,
    _averaged,
    frequency=omega,
    angle=theta,
    center=time,
    calls=(phase_shuffle,),
    wrong={"one shift too few": Total(r, cos(omega * (time + 2 - r) + theta)) / 5 - cos(omega * (time + 2) + theta) / 5},
)
shift = derivation.number("n_0", "a shift", integer=True)
derivation.chain(
    "The power of a frequency does not change",
    _power(x, omega * (t + shift)),
    equals(_power(x, omega * t), r"a rotation of the real and the imaginary part by $\omega n_0$ keeps the sum of squares"),
    so="Of circular shifts, or away from the borders. So a critic can still punish that there is a hum; it can neither punish "
    "nor reward where it begins. Phase shuffle never tells two laws apart better: the game compares their averages over "
    "shifts, and a generator with one fixed phase is as good as one that has all of them.",
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _coefficients(length, stride=4):
    """The moduli of the Fourier coefficients 0, 1, 2 of the answer of a kernel of ones to a constant."""
    weight = jnp.zeros(-(-length // stride) * stride).at[:length].set(1.0).reshape(-1, stride).T
    return jnp.stack([jnp.hypot(*(_coefficient(weight, number, angle) for angle in (0, jnp.pi / 2))) for number in range(3)])


def _tone(bin_, phases=360):
    """How much the magnitudes of a Hann frame of 64 samples change with the phase, relative to the largest."""
    times_, angles = np.arange(64), np.linspace(0, 2 * np.pi, phases, endpoint=False)
    waves = np.cos(2 * np.pi * bin_ * times_ / 64 + angles[:, None])
    found = short_time_fourier_magnitude(jnp.asarray(waves), jnp.asarray(np.hanning(65)[:64]), hop=1)[:, :, 0]
    return jnp.max(jnp.ptp(found, axis=0)) / jnp.max(found)


@derivation.example(
    r"The sound $(1, 2, 4, 3)$ in frames of two samples, and how many signals share its magnitudes. Kernels of ones at stride "
    r"4: what they make of a constant at $0$, $f_s/4$ and $f_s/2$. Magnitudes $A = (10, 1, 0.1)$: both distances for a loud and "
    "a quiet error. Data $(1, -1)$ or $(-1, 1)$ equally often, generator always $(1, -1)$: the divergence without and with "
    "shifts by 0 or 1. Last, how much the magnitudes of a Hann frame of 64 change with a tone's phase, relative to the largest."
)
def small_numbers():
    sound = jnp.array([[1.0, 2.0, 4.0, 3.0]])
    for hop, magnitudes, others in ((1, "3, 6, 7; 1, 2, 1", "2"), (2, "3, 7; 1, 1", "16")):
        yield rf"A,\ \text{{hop }} {hop}", short_time_fourier_magnitude(sound, jnp.ones(2), hop=hop)[0], magnitudes
        found = _sharing(_SIGNALS, hop)[(_SIGNALS == (1, 2, 4, 3)).all(1)][0]
        yield r"\text{signals that share them}", found, others
    for length, numbers in ((24, "6, 0, 0"), (25, "25/4, 1/4, 1/4"), (26, "13/2, 0.3536, 0")):
        yield rf"|c|,\ K = {length}", _coefficients(length), numbers
    sound = jnp.array([[[10.0], [1.0], [0.1]]])
    for words, other, wanted in (("loud", (11.0, 1.0, 0.1), "0.0995, 0.0318"), ("quiet", (10.0, 1.0, 0.2), "0.00995, 0.2310")):
        both = sound, jnp.array(other)[None, :, None]
        yield rf"\text{{{words} error}}", [spectral_convergence(*both), log_magnitude_distance(*both, epsilon=1e-9)], wanted
    data, fakes = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])  # of (1, -1) and (-1, 1)
    moved = phase_shuffle(jnp.tile(jnp.array([1.0, -1.0]), (2, 1, 1)), np.array([0, 1]))[:, 0, 0]
    shifted = jnp.mean(moved[:, None] == jnp.array([1.0, -1.0]), axis=0)  # the data's law stays what it is
    for words, law in ((r"\mathrm{JSD}", fakes), (r"\text{... after shifts}", shifted)):
        yield words, jensen_shannon_divergence(jnp.log(data)[None], jnp.log(law)[None]), "0.2158" if law is fakes else "0"
    yield r"\text{change with the phase, bins 1.3 and 5.3}", [_tone(1.3), _tone(5.3)], "0.592, 0.0038"


derivation.symbol(r"\mathrm{JSD}", "the Jensen-Shannon divergence", "jensen_shannon_divergence")


@derivation.figure(
    "Left: what kernels of ones with 24, 25 and 26 entries make of a constant at stride 4, by frequency: lines at multiples "
    r"of $f_s/4$ alone. Right: the factor of phase shuffle in what a linear critic sees, for $r = 1, 2, 3$; dotted: the "
    "frequencies of the hum of stride 4.",
    panels=2,
)
def hum_and_shuffle(left, right):
    for offset, length in enumerate((24, 25, 26)):
        answer = transposed_convolution1d(jnp.ones((1, 1, 40)), jnp.ones((1, 1, length)), jnp.zeros(1), stride=4)[0, 0, 32:96]
        levels = 20 * jnp.log10(jnp.maximum(jnp.abs(jnp.fft.rfft(answer)) / jnp.sum(answer), 1e-3))
        left.plot(np.arange(33) / 64 + 0.004 * (offset - 1), levels, label=f"$K = {length}$", linewidth=1)
    left.set(xlabel="frequency, as a share of $f_s$", ylabel="level, dB")
    left.legend()
    frequencies = np.linspace(0, np.pi, 121)
    for shifts in (1, 2, 3):
        right.plot(frequencies, [_averaged(each, 0.0, 0, shifts) for each in frequencies], label=f"$r = {shifts}$")
    right.vlines([np.pi / 2, np.pi], -0.3, 1, linestyle=":", color="gray")
    right.set(xlabel=r"frequency $\omega$", ylabel="factor")
    right.legend()


@derivation.exercise(
    "Three layers of stride 4 make sound at 16 kHz. At multiples of which frequencies does each of them hum?",
    "4000 Hz the last one, 1000 Hz the one before, and 250 Hz the first: the rate at which each layer's input arrives.",
)
def pitches_of_three_layers():
    humming, silent, none = jnp.array([[[3.0, 1.0, 0.0, 2.0]]]), jnp.ones((1, 1, 4)), jnp.zeros(1)
    answer = transposed_convolution1d(jnp.ones((1, 1, 8)), humming, none, stride=4)
    for pitch in ("4000", "1000", "250"):
        levels = np.abs(np.fft.rfft(answer[0, 0]))
        yield np.flatnonzero(levels > 1e-9 * levels[0])[1] * 16000 / answer.shape[2], pitch
        answer = transposed_convolution1d(answer, silent, none, stride=4)


@derivation.exercise(
    "Which $r$ removes the first harmonic of the hum of stride 5 from what a linear critic sees?",
    r"$r = 2$: five shifts in a row are a whole period, and the factor is $\sin \pi / (5 \sin \frac\pi5) = 0$. For $r = 1$ it is "
    "0.5393.",
)
def a_stride_of_five():
    yield 1 + _averaged(2 * jnp.pi / 5, 0.0, 0, 2), "1"
    yield _averaged(2 * jnp.pi / 5, 0.0, 0, 1), "0.5393"


@derivation.exercise(
    "How many signals share the magnitudes of $(1, 2, 0, 0, 3, 1)$ in frames of two samples, with hop 1?",
    "4: across a gap of two zeros the signs of both sides are independent.",
)
def across_a_gap():
    signals = np.array(list(product(range(-3, 4), repeat=6)))
    place = (signals == (1, 2, 0, 0, 3, 1)).all(1)
    yield _sharing(signals, 1)[place][0], "4"
