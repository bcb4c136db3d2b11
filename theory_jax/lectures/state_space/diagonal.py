"""Diagonal state spaces: a kernel as a sum of damped oscillations.

The lecture on the functions of theory_jax/state_space/diagonal.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Integral, Rational, atan, cos, exp, oo, sin

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Total, plus, times
from theory_jax.lectures.lemmas.signed_rank_one import rotation
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.state_space.diagonal import KINDS, diagonal_kernel, diagonal_step, initial_eigenvalues, state_space_layer

derivation = Derivation(
    module=__name__,
    title="Diagonal state spaces: a kernel as a sum of damped oscillations",
    lectures=(56,),
    sources=(
        "Gupta, Gu & Berant 2022, Diagonal state spaces are as effective as structured state spaces",
        "Gu, Gupta, Goel & Re 2022b, On the parameterization and initialization of diagonal state space models",
    ),
    question="Only the kernel of a linear system matters for its output. Which systems with a diagonal matrix suffice, what does "
    "a layer of them compute, and at which frequencies should it begin?",
    setting=(
        r"A real system of $2M$ states with a matrix of $2M$ different eigenvalues, none of them real, is diagonal in the "
        r"coordinates of its eigenvectors. Its eigenvalues are $M$ pairs $A_m = -\sigma_m + i\omega_m$ and $\overline{A_m}$. The "
        r"input enters every mode with $B_m = 1$; the output reads it with $C_m$, and its conjugate with $\overline{C_m}$.",
        r"$\sigma_m = e^{\mathrm{log\_negative\_real}}$ and $\Delta = e^{\mathrm{log\_step}}$ are positive, whatever the "
        r"parameters are. During a step of length $\Delta$ the input is held, and the current input acts at once.",
        r"The kernel is the sum of what the modes contribute. The chains about it treat one mode, with real numbers $\lambda$ "
        r"and $c$: their sides are analytic in both, so that they are equal for complex numbers, too.",
    ),
    answer=r"Modes in conjugate pairs give a real kernel, $K_l = 2\,\mathrm{Re} \sum_m C_m g_m e^{\Delta A_m l}$: the impulse "
    r"response of the continuous system, integrated over one step. No power of a matrix is taken, and no parameter makes it "
    r"unstable. The normal part of HiPPO-LegS has frequencies that solve an equation of arctangents; the large "
    r"ones are near $N^2 / (\pi (2j+1))$, which S4D-Inv takes for all.",
    limits=(
        "Matrices without enough eigenvectors: they are limits of diagonalizable ones, and their kernels limits of such kernels.",
        "That a diagonal model trains as well as one with the low-rank part of LegS; it has that kernel only in the limit of "
        "many states (Gu et al. 2022b).",
        "That the equation of arctangents has all frequencies is derived for up to four states by the determinant, and "
        "compared for 16.",
    ),
)

alpha, beta, xi, eta, sigma_, omega_, step_ = sympy.symbols(r"\alpha \beta \xi \eta \sigma \omega \Delta", real=True)
for written, meaning, code in (
    ("m", "one of the $M$ pairs of modes", ""),
    ("C_m", "what the output reads of a mode", "output_weights"),
    ("x_m", "the state of a mode", "state"),
    ("A_m", r"its eigenvalue, $-\sigma_m + i\omega_m$", ""),
    ("i", r"the imaginary unit, $i^2 = -1$", ""),
    ("u_t", "the input of a step", "inputs"),
    ("y_t", "the output", ""),
):
    derivation.symbol(written, meaning, code)

derivation.say(
    r"Pairs first. The input is real, so the state of a conjugate mode obeys the conjugate recurrence: it is the conjugate "
    r"state, and need not be computed."
)


@derivation.symbolic(
    r"C_m x_m + \overline{C_m}\,\overline{x_m} = 2\,\mathrm{Re}(C_m x_m)",
    because=r"A number plus its conjugate is twice its real part: with $C_m = \alpha + i\beta$ and $x_m = \xi + i\eta$ it is "
    r"$2(\alpha\xi - \beta\eta)$. In these real coordinates $e^{\Delta A_m}$ is a rotation by $\Delta\omega$ that shrinks by "
    r"$e^{-\Delta\sigma}$, which is compared, too. For all modes, states and weights.",
)
def half_of_the_modes():
    unit = sympy.I
    pair = (alpha + unit * beta) * (xi + unit * eta) + (alpha - unit * beta) * (xi - unit * eta)
    shrink, turn, angle = exp(-step_ * sigma_), cos(step_ * omega_), sin(step_ * omega_)
    moved = shrink * (turn + unit * angle) * (xi + unit * eta)
    real, rows = 2 * (alpha * xi - beta * eta), shrink * ((turn * xi - angle * eta) + unit * (angle * xi + turn * eta))
    other = shrink * ((turn * xi + angle * eta) + unit * (turn * eta - angle * xi))
    wrong = {
        "factor 2 forgotten": [real / 2, rows],
        "C conjugate": [2 * (alpha * xi + beta * eta), rows],
        "turned the other way": [real, other],
    }
    return Sides(left=[pair, moved], right=[real, rows], wrong=wrong)


lam = derivation.number(r"\lambda", "an eigenvalue of a mode", real=True, nonzero=True)
c = derivation.number("c", "what the output reads of it")
step = derivation.number(r"\Delta", "the length of a step", "exp(log_step)", positive=True)
l = derivation.number("l", "a lag, in steps", integer=True, nonnegative=True)  # noqa: E741 (the lecture's letter)
tau = derivation.number(r"\tau", "a time since the impulse", positive=True)
s = derivation.number("s", "a time inside a step", positive=True)
gain = derivation.define("g", (exp(step * lam) - 1) / lam, "what a held step adds for each unit of input")
response = derivation.define(r"h(\tau)", c * exp(lam * tau), "the response of the mode to an impulse")
kernel = derivation.define("K_l", c * gain * exp(step * lam * l), "its kernel", "diagonal_kernel")

derivation.say(
    r"From rest, $x_t = e^{\Delta A} x_{t-1} + g u_t$ unrolls to a convolution with $K_l = \sum C g\, e^{\Delta A l}$ "
    r"(recurrence as convolution), where $g$ is the gain of the hold (discretization). What does one mode contribute to it?"
)
cells = derivation.chain(
    "The kernel is the impulse response, summed over one step",
    kernel,
    equals(
        times(c, exp(step * lam * l), Integral(exp(lam * s), (s, 0, step))),
        r"$g$ is the integral of $e^{\lambda s}$ over a step, as $\lambda \ne 0$",
        wrong={"the step in place of the integral (Euler)": c * exp(step * lam * l) * step},
    ),
    equals(
        Integral(response, (tau, step * l, step * (l + 1))),
        r"the exponential joins the other under the integral: $\tau = \Delta l + s$",
        wrong={
            "the step before": Integral(response, (tau, step * (l - 1), step * l)),
            "the value at its beginning": step * c * exp(lam * step * l),
            "its mean": Integral(response, (tau, step * l, step * (l + 1))) / step,
        },
    ),
    central=True,
    so=r"So the parameters describe a function of continuous time, $2\,\mathrm{Re} \sum_m C_m e^{A_m\tau}$ in all, and the step "
    r"says how finely it is read. The columns $e^{\Delta A_m l}$, $l = 0, 1, \dots$, are a Vandermonde matrix: $O(LM)$ "
    r"operations a channel, and no power of a matrix.",
)
derivation.chain(
    "At half of the step the kernel has twice the resolution",
    plus(
        Integral(response, (tau, step / 2 * 2 * l, step / 2 * (2 * l + 1))),
        Integral(response, (tau, step / 2 * (2 * l + 1), step / 2 * (2 * l + 2))),
    ),
    equals(
        kernel,
        "two half cells are one cell: the entries $2l$ and $2l + 1$ sum to the entry $l$ of the whole step",
        wrong={"their mean": kernel / 2, "the next cell": kernel + c * gain * exp(step * lam * (l + 1))},
    ),
    role="lemma",
    uses=(cells,),
    so="A model that was trained on one sampling rate runs on another: its step is divided by the ratio of the rates.",
)
j = derivation.index("j", "a lag")
L = derivation.count(j, "L", "the length of the kernel", "length")
derivation.chain(
    "The entries add up to the step response",
    Total(j, c * gain * exp(step * lam * j)),
    equals(
        times(c, gain, (exp(step * lam * L) - 1) / (exp(step * lam) - 1)),
        r"a geometric sum in $e^{\Delta\lambda}$",
        wrong={"one entry less": c * gain * (exp(step * lam * (L - 1)) - 1) / (exp(step * lam) - 1)},
    ),
    equals(
        times(c / lam, exp(step * lam * L) - 1),
        r"the gain $g$ has the denominator as its numerator",
        wrong={"the sign": c / lam * (1 - exp(step * lam * L))},
    ),
    role="lemma",
)
sigma = derivation.number(r"\sigma", "the damping of a mode", "exp(log_negative_real)", positive=True)
T = derivation.number("T", "a time that goes to infinity", positive=True)
derivation.chain(
    "... and of an endless kernel to the gain at frequency zero",
    Limit((exp(-sigma * T) - 1) / (-sigma), T, oo),
    equals(1 / sigma, r"$e^{-\sigma T} \to 0$, since the real part is negative", wrong={"the sign": -1 / sigma, "no limit": 0}),
    role="lemma",
    so=r"$\sum_l K_l = -c/\lambda$ for one mode, and for all of them $2\,\mathrm{Re} \sum_m (-C_m / A_m)$: the steady state of "
    r"a constant input of 1.",
)
omega = derivation.number(r"\omega", "its frequency", "imaginary")
factor = exp(-step * sigma)
derivation.chain(
    "Every mode is stable, whatever its parameters",
    1 / plus((factor * cos(step * omega)) ** 2, (factor * sin(step * omega)) ** 2),
    equals(
        exp(2 * step * sigma),
        r"$\cos^2 + \sin^2 = 1$: the frequency turns the state, and does not change its size",
        wrong={"unstable": exp(-2 * step * sigma)},
    ),
    equals(
        plus(1, 2 * step * sigma, tangent.at(exp(2 * step * sigma))),
        r"$t = 1 + \log t + (t - 1 - \log t)$ at $t = e^{2\Delta\sigma}$",
    ),
    at_least(
        1 + 2 * step * sigma,
        "leave out the gap below the tangent",
        dropping=tangent.at(exp(2 * step * sigma)),
        wrong={"twice the slope": 1 + 4 * step * sigma},
    ),
    so=r"The first line is $|e^{\Delta A}|^{-2}$, so $|e^{\Delta A}| < 1$ for every real parameter: an optimizer cannot leave "
    r"the stable region, because the region is the whole space. A mode is forgotten after a time of $1/\sigma$, that is "
    r"$1/(\Delta\sigma)$ steps.",
)

m = derivation.index("m", "one of the $M$ pairs")
sigmas = derivation.numbers(r"\sigma_{}", m, "its damping", "exp(log_negative_real)", positive=True)
omegas = derivation.numbers(r"\omega_{}", m, "its frequency", "imaginary")
a = derivation.numbers(r"\alpha_{}", m, "the real part of its weight", "output_weights.real")
b = derivation.numbers(r"\beta_{}", m, "the imaginary part", "output_weights.imag")
shrinks = exp(-step * sigmas)
P, Q = shrinks * cos(step * omegas) - 1, shrinks * sin(step * omegas)
gamma = derivation.define(r"\gamma_{}", (omegas * Q - sigmas * P) / (sigmas**2 + omegas**2), "the real part of its gain", over=m)
delta = derivation.define(r"\delta_{}", -(sigmas * Q + omegas * P) / (sigmas**2 + omegas**2), "the imaginary part", over=m)
derivation.chain(
    "The gain in real numbers: its real part",
    plus(times(-sigmas, gamma), -times(omegas, delta)),
    equals(
        shrinks * cos(step * omegas) - 1,
        r"the real part of $A_m g_m = e^{\Delta A_m} - 1$, with $g_m = \gamma_m + i\delta_m$",
        wrong={"sine for cosine": shrinks * sin(step * omegas) - 1},
    ),
    role="lemma",
)
derivation.chain(
    "... and its imaginary part",
    plus(times(omegas, gamma), -times(sigmas, delta)),
    equals(
        shrinks * sin(step * omegas),
        "the imaginary part of the same",
        wrong={"a 1 too many": shrinks * sin(step * omegas) - 1, "the sign": -shrinks * sin(step * omegas)},
    ),
    role="lemma",
)


def _in_real_numbers(lag, gains=(gamma, delta), rate=step * omegas):
    weight, other = a * gains[0] - b * gains[1], a * gains[1] + b * gains[0]
    return 2 * Total(m, exp(-step * sigmas * lag) * (weight * cos(rate * lag) - other * sin(rate * lag)))


def _kernel_at(lag, **modes):
    return diagonal_kernel(*_modes(**modes), length=6)[0, round(float(lag))]


_MODES = {"real": [a], "imaginary": [b], "sigma": [sigmas], "omega": [omegas], "step": [step]}
derivation.bridge(
    "The code computes the kernel",
    _in_real_numbers(l),
    _kernel_at,
    lag=l,
    **_MODES,
    calls=(diagonal_kernel,),
    wrong={
        "Euler": _in_real_numbers(l, gains=(step, 0)),
        "the frequency scaled twice": _in_real_numbers(l, rate=step**2 * omegas),
        "one step late": _in_real_numbers(l + 1),
    },
)
x = derivation.numbers(r"\xi_{}", m, "the real part of its state", "state.real")
y = derivation.numbers(r"\eta_{}", m, "the imaginary part", "state.imag")
u = derivation.number("u", "the input of a step", "inputs")
after = (
    shrinks * (cos(step * omegas) * x - sin(step * omegas) * y) + gamma * u,
    shrinks * (sin(step * omegas) * x + cos(step * omegas) * y) + delta * u,
)


def _stepped(x, y, u, **modes):
    return diagonal_step(jnp.array([[u]]), jax.lax.complex(x, y)[None, None], *_modes(**modes))[0]


derivation.bridge(
    "... one step of the recurrence",
    2 * Total(m, a * after[0] - b * after[1]),
    _stepped,
    x=x,
    y=y,
    u=u,
    **_MODES,
    calls=(diagonal_step,),
    wrong={"the state before the input": 2 * Total(m, a * x - b * y)},
)
inputs = derivation.numbers("u_{}", j, "the inputs of a sequence", "inputs")
skip = derivation.number("D", "what the output reads of the input directly", "skip")


def _last_of_layer(inputs, skip, **modes):
    return state_space_layer(inputs, *_modes(**modes), skip)[0, 0, -1]


derivation.bridge(
    "... and the layer, at its last step",
    plus(Total(j, times(_in_real_numbers(L - 1 - j), inputs)), times(skip, inputs.at(3))),
    _last_of_layer,
    inputs=[[inputs]],
    skip=[skip],
    **_MODES,
    calls=(state_space_layer,),
    wrong={"the kernel reversed": Total(j, _in_real_numbers(j) * inputs) + skip * inputs.at(3)},
    sizes={m: 2},
)


@derivation.numeric(
    r"y_t = (K*u)_t + D u_t = 2\,\mathrm{Re} \sum_m C_m x_m + D u_t",
    because="Two channels of three modes, 20 inputs: all at once by FFT, and step by step. Train with the first, sample with the "
    "second.",
)
def all_at_once_and_step_by_step():
    rng = np.random.default_rng(0)
    modes = _modes(*rng.normal(size=(2, 2, 3)), rng.uniform(0.3, 2.0, (2, 3)), rng.normal(size=(2, 3)), rng.uniform(0.1, 0.5, 2))
    signal, direct = jnp.array(rng.normal(size=(1, 2, 20))), jnp.array([0.5, -1.0])
    state, outputs = jnp.zeros((1, 2, 3), complex), []
    for t in range(20):
        output, state = diagonal_step(signal[:, :, t], state, *modes)
        outputs.append(output + direct * signal[:, :, t])
    kernels = diagonal_kernel(*modes, length=20)
    circular = jnp.fft.irfft(jnp.fft.rfft(signal) * jnp.fft.rfft(kernels), 20) + direct[:, None] * signal
    return Sides(
        left=jnp.stack(outputs, axis=-1), right=state_space_layer(signal, *modes, direct), wrong={"without padding": circular}
    )


derivation.say(
    r"Where should the frequencies begin? HiPPO's LegS remembers a whole past by projection. Its matrix is a normal one, with "
    r"the real part $-\frac12$, minus one of rank one. Without the latter it has $N$ eigenvalues $-\frac12 + i\omega$, where "
    r"$i\omega$ are the eigenvalues of the skew matrix with the entries $-\frac12 s_n s_k$, $n > k$, $s_n^2 = 2n + 1$. By the "
    r"lemma on signed rank-one matrices, with $q_n = n + \frac12$, there is one positive frequency $\omega_j$ for each $j < "
    r"\frac{N-1}2$."
)
states = derivation.number("N", "the number of states", "order", positive=True, integer=True)
q = derivation.number("q", r"$n + \frac12$ of a row", positive=True)
w = derivation.number("w", "a positive frequency", positive=True)
derivation.symbol("n", "a row of the skew matrix")


@derivation.numeric(
    r"\sum_n \arctan \frac{n + \frac12}{\omega_j} = \frac\pi2 + \pi j",
    because="The eight frequencies that the code finds for $N = 16$, the largest first.",
    uses=(rotation,),
)
def phases_of_the_codes_frequencies():
    frequencies = np.asarray(initial_eigenvalues(order=16, kind="legs").imag)[::-1]
    phases = np.arctan((np.arange(16) + 0.5)[:, None] / frequencies).sum(0)
    turns = np.pi * np.arange(8)
    return Sides(left=phases, right=np.pi / 2 + turns, wrong={"a quarter of a turn more": np.pi + turns})


derivation.chain(
    "A large frequency sees only the sum of the rows",
    Limit(times(w, atan(q / w)), w, oo),
    equals(q, r"$\arctan\varepsilon = \varepsilon + O(\varepsilon^3)$", wrong={"nothing": 0}),
    role="lemma",
)
derivation.chain(
    "... which is half of the square of their number",
    plus(states**2 / 2, states + Rational(1, 2)),
    equals(
        (states + 1) ** 2 / 2,
        r"$\sum_{n<N} (n + \frac12) = \frac{N^2}2$ holds for $N = 0$, and one row more keeps it",
        wrong={"N (N + 1) / 2": (states + 1) * (states + 2) / 2},
    ),
    role="lemma",
    so=r"So $\omega_j (\frac\pi2 + \pi j) \approx \frac{N^2}2$, that is $\omega_j \approx \frac{N^2}{\pi (2j + 1)}$. S4D-Inv is "
    r"this minus $\frac N\pi$, which brings the slow frequencies close to zero. S4D-Lin, $\pi n$, is a Fourier "
    r"series instead.",
)


@derivation.numeric(
    r"\omega_n + \frac N\pi = \frac{N^2}{\pi (2n + 1)}",
    because="The 32 inverse frequencies of the code for $N = 64$, shifted back.",
    role="remark",
)
def inverse_frequencies():
    frequencies = initial_eigenvalues(order=64, kind="inverse").imag
    right = 64**2 / (np.pi * (2 * np.arange(32) + 1))
    return Sides(left=frequencies + 64 / np.pi, right=right, wrong={"the number of pairs for that of states": right / 4})


EXAMPLE = jnp.array([[complex(-np.log(2), np.pi / 2)]])  # e^A = i/2, and C = A
UNIT = np.array([1.0])


def _example(length, step=1.0):
    return diagonal_kernel(EXAMPLE, jnp.log(step * UNIT), jnp.log(-EXAMPLE.real), EXAMPLE.imag, length=length)[0]


@derivation.example(
    r"One pair with $e^{A} = \frac i2$, i.e. $A = -\ln 2 + \frac{i\pi}2$, read with $C = A$, at $\Delta = 1$. By hand: $C g = "
    r"\frac i2 - 1$, so $K_l = 2\,\mathrm{Re}[(\frac i2 - 1)(\frac i2)^l]$."
)
def a_quarter_of_a_turn():
    yield "K", _example(5), "(-2, -1/2, 1/2, 1/8, -1/8)"
    yield r"K \text{ at half of the step}", _example(4, 0.5), "(-1.0, -1.0, -0.5, 0.0)"
    yield r"\sum_l K_l = 2\,\mathrm{Re}(-C/A)", _example(200).sum(), "-2"
    yield r"2\,\mathrm{Re}(C\Delta), \text{ Euler's } K_0", 2 * EXAMPLE.real[0, 0], "-1.386"


@derivation.figure(
    r"Left: the impulse response of the example; each entry of its kernel is the area over one step. Right: the frequencies of "
    r"LegS at $N = 64$, and where S4D-Inv and S4D-Lin begin.",
    panels=2,
)
def cells_and_frequencies(left, right):
    times_, entries = np.linspace(0, 5, 201), np.asarray(_example(5))
    left.plot(times_, 2 * (EXAMPLE[0, 0] * np.exp(EXAMPLE[0, 0] * times_)).real, label=r"$h(\tau)$")
    left.bar(np.arange(5) + 0.5, entries, width=1.0, alpha=0.3, edgecolor="gray", label="$K_l$")
    left.set(xlabel=r"time $\tau$, in steps", ylabel="response")
    left.legend()
    for kind, words in (("legs", "LegS, normal part"), ("inverse", "S4D-Inv"), ("linear", "S4D-Lin")):
        frequencies = np.sort(np.asarray(initial_eigenvalues(order=64, kind=kind).imag))[::-1]
        right.semilogy(np.arange(1, 33), np.maximum(frequencies, 0.1), label=words)
    right.set(xlabel="mode, the fastest first", ylabel="frequency")
    right.legend()


@derivation.exercise(
    r"A pair with $\omega = 0$, $C = \frac12$ and $\Delta\sigma = \ln 2$ at $\Delta = 1$: what is its kernel, and what does it "
    r"sum to?",
    r"$K_l = \frac{1}{2 \ln 2} 2^{-l}$, i.e. 0.7213 and then halves of it; the sum is $1/\ln 2 = 1.4427$. It is a running mean "
    r"that forgets.",
)
def a_running_mean():
    kernel = diagonal_kernel(
        jnp.array([[0.5 + 0j]]), jnp.zeros(1), jnp.log(jnp.log(2 * UNIT))[None], jnp.zeros((1, 1)), length=60
    )
    yield kernel[0, 0], "0.7213"
    yield kernel.sum(), "1.4427"


@derivation.exercise(
    r"What are the frequencies of LegS at $N = 4$, the roots of $\omega^4 - \frac{43}2 \omega^2 + \frac{105}{16}$?",
    r"$\omega^2 = \frac{21.5 \pm \sqrt{436}}2$: 0.5565 and 4.6033.",
)
def four_states():
    slow, fast = initial_eigenvalues(order=4, kind="legs").imag
    yield slow, "0.5565"
    yield fast, "4.6033"


@derivation.exercise(
    r"The next term of the largest frequency is $\omega_0 \approx \frac{N^2}\pi - \frac\pi6$. How well do both terms do at $N = "
    r"64$, and what do S4D-Inv and S4D-Lin have there?",
    r"1303.797 and 1303.274, where LegS has 1303.274. S4D-Inv begins at 1283.4, S4D-Lin ends at 97.4.",
)
def the_largest_frequency():
    legs, inverse, linear = (initial_eigenvalues(order=64, kind=kind).imag.max() for kind in KINDS[::-1][:1] + KINDS[1::-1])
    yield 64**2 / np.pi, "1303.797"
    yield 64**2 / np.pi - np.pi / 6, "1303.274"
    yield legs, "1303.274"
    yield inverse, "1283.4"
    yield linear, "97.4"


def _modes(real, imaginary, sigma, omega, step):
    """The parameters of one channel a row."""
    weights = jax.lax.complex(jnp.asarray(real), jnp.asarray(imaginary))
    return weights, jnp.log(step), jnp.log(sigma), jnp.asarray(omega)
