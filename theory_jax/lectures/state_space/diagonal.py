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
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.lemmas.signed_rank_one import rotation
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.state_space._diagonal import (
    a_quarter_of_a_turn,
    all_at_once_and_step_by_step,
    cells_and_frequencies,
    circle_and_half_steps,
    modes_of,
    two_inputs,
)
from theory_jax.state_space.diagonal import diagonal_kernel, diagonal_step, initial_eigenvalues, state_space_layer

derivation = Derivation(
    module=__name__,
    title="Diagonal state spaces: a kernel as a sum of damped oscillations",
    lectures=(56,),
    sources=(
        "Gupta, Gu & Berant 2022, Diagonal state spaces are as effective as structured state spaces",
        "Gu, Gupta, Goel & Re 2022b, On the parameterization and initialization of diagonal state space models",
    ),
    question="A layer with a dense matrix takes powers of it, and an optimizer can push its eigenvalues out of the stable "
    "region, where long sequences overflow. Yet only the kernel of a linear system matters for its output. Which systems "
    "with a diagonal matrix suffice, what does a layer of them compute, and at which frequencies should it begin?",
    setting=(
        "A real system of $2M$ states with a matrix of $2M$ different eigenvalues, none of them real, is diagonal in the "
        r"coordinates of its eigenvectors. They are $M$ pairs of an $A_m$, $-\sigma_m + i\omega_m$, and its "
        r"conjugate. The input enters every mode with the weight 1; the output reads it with $C_m$, and its conjugate "
        r"with $\overline{C_m}$.",
        r"The damping $\sigma_m$ and the step $\Delta$ are the exponentials of parameters, and so positive, whatever the "
        r"parameters are. During a step of length $\Delta$ the input is held, and the current input acts at once.",
        r"The kernel is the sum of what the modes contribute. The chains about it treat one mode, with real numbers $\lambda$ "
        r"and $c$: their sides are analytic in both, so that they are equal for complex numbers, too.",
    ),
    limits=(
        "Matrices without enough eigenvectors: they are limits of diagonalizable ones, and their kernels limits of such kernels.",
        "That a diagonal model trains as well as one with the low-rank part of LegS; it has that kernel only in the limit of "
        "many states (Gu et al. 2022b).",
        "That the equation of arctangents has all frequencies is derived for up to four states by the determinant, and "
        "compared for 16.",
    ),
)

derivation.figure(
    r"Left: the impulse response of the example; each entry of its kernel is the area over one step. Right: the frequencies of "
    r"LegS with 64 states, and where S4D-Inv and S4D-Lin begin.",
    panels=2,
)(cells_and_frequencies)


alpha, beta, xi, eta, sigma_, omega_, step_ = sympy.symbols(r"\alpha \beta \xi \eta \sigma \omega \Delta", real=True)
for written, meaning, code in (
    ("m", "one of the $M$ pairs of modes", ""),
    ("C_m", "what the output reads of a mode", "output_weights"),
    ("x_m", "the state of a mode", "state"),
    ("A_m", r"its eigenvalue, $-\sigma_m + i\omega_m$", ""),
    ("i", "the imaginary unit", ""),
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
    because=r"A number plus its conjugate is twice its real part: with $\alpha + i\beta$ for $C_m$ and $\xi + i\eta$ for "
    r"$x_m$ it is $2(\alpha\xi - \beta\eta)$. In these real coordinates $e^{\Delta A_m}$ is a rotation by $\Delta\omega$ "
    r"that shrinks by $e^{-\Delta\sigma}$, which is compared, too. For all modes, states and weights.",
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
    r"From rest, the recurrence of $x_t$ with $e^{\Delta A} x_{t-1} + g u_t$ unrolls to a convolution with the sums of $C "
    r"g\, e^{\Delta A l}$ (recurrence as convolution), where $g$ is the gain of the hold (discretization). What does one "
    "mode contribute to it?"
)
cells = derivation.chain(
    "The kernel is the impulse response, integrated over one step",
    kernel,
    equals(
        times(c, exp(step * lam * l), Integral(exp(lam * s), (s, 0, step))),
        prose("{gain}", gain=holds(Integral(exp(lam * s), (s, 0, step)), "=", gain)),
        wrong={"the step in place of the integral (Euler)": c * exp(step * lam * l) * step},
    ),
    equals(
        Integral(response, (tau, step * l, step * (l + 1))),
        r"the exponential joins the other under the integral, where $\tau$ is $\Delta l + s$",
        wrong={
            "the step before": Integral(response, (tau, step * (l - 1), step * l)),
            "the value at its beginning": step * c * exp(lam * step * l),
            "its mean": Integral(response, (tau, step * l, step * (l + 1))) / step,
        },
    ),
    central=True,
    so=r"So the parameters describe a function of continuous time, $2\,\mathrm{Re} \sum_m C_m e^{A_m\tau}$ in all, and the "
    r"step says how finely it is read. The columns $e^{\Delta A_m l}$, for $l$ from 0 on, are a Vandermonde matrix: $O(LM)$ "
    "operations a channel, and no power of a matrix.",
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
    "The entries of an endless kernel add up to the gain at frequency zero",
    Limit((exp(-sigma * T) - 1) / (-sigma), T, oo),
    equals(
        1 / sigma,
        prose("{forgotten}, since the real part is negative", forgotten=holds(Limit(exp(-sigma * T), T, oo), "=", 0)),
        wrong={"the sign": -1 / sigma, "no limit": 0},
    ),
    role="lemma",
    so=r"The sum of all $K_l$ is $-c/\lambda$ for one mode, and for all of them $2\,\mathrm{Re} \sum_m (-C_m / A_m)$: the "
    "steady state of a constant input of 1.",
)
omega = derivation.number(r"\omega", "its frequency", "imaginary")
factor = exp(-step * sigma)
squared_size = plus((factor * cos(step * omega)) ** 2, (factor * sin(step * omega)) ** 2)
derivation.answer = prose(
    r"Modes in conjugate pairs give a real kernel, the sum of $2\,\mathrm{Re}\, C_m g_m e^{\Delta A_m l}$: the impulse "
    "response of the continuous system, integrated over one step, {cell} for one mode. No power of a matrix is taken, and no "
    "parameter makes it unstable, since a step multiplies the squared size of a mode by {size}. The normal part of "
    r"HiPPO-LegS has frequencies that solve an equation of arctangents; the large ones are near $N^2 / (\pi (2j+1))$, which "
    r"S4D-Inv takes for all, less $N / \pi$.",
    cell=holds(
        kernel, "=", Integral(response, (tau, step * l, step * (l + 1))), wrong={"its beginning": step * c * exp(lam * step * l)}
    ),
    size=holds(squared_size, "=", exp(-2 * step * sigma), named=True, wrong={"not squared": exp(-step * sigma)}),
)
stable = derivation.chain(
    "Every mode is stable, whatever its parameters",
    1 / squared_size,
    equals(
        exp(2 * step * sigma),
        prose(
            "{one}: the frequency turns the state, and does not change its size",
            one=holds(plus(cos(step * omega) ** 2, sin(step * omega) ** 2), "=", 1),
        ),
        wrong={"unstable": exp(-2 * step * sigma)},
    ),
    equals(
        plus(1, 2 * step * sigma, tangent.at(exp(2 * step * sigma))),
        "a number is 1 plus its logarithm, plus the gap of its logarithm below the tangent",
    ),
    at_least(
        1 + 2 * step * sigma,
        "leave out the gap below the tangent",
        dropping=tangent.at(exp(2 * step * sigma)),
        wrong={"twice the slope": 1 + 4 * step * sigma},
    ),
    so=prose(
        r"The first line is $|e^{\Delta A}|^{-2}$, so the size is {size} and {below} for every real parameter: an optimizer "
        "cannot leave the stable region, because the region is the whole space. A mode falls to $1/e$ in the time "
        r"$1/\sigma$, that is in $1/(\Delta\sigma)$ steps.",
        size=factor,
        below=holds(factor, "<", 1),
    ),
)
derivation.figure(
    prose(
        "Left: the numbers that a step multiplies the modes of S4D-Lin by. Their squared size is {size}, below 1 at every "
        "frequency; a long step turns modes far and forgets soon, a short one keeps all of them near 1. Right: the kernel of "
        "the example at the step 1 and at half of it: two entries of the second sum to one of the first.",
        size=holds(squared_size, "=", exp(-2 * step * sigma), named=True, wrong={"the size": exp(-step * sigma)}),
    ),
    panels=2,
)(circle_and_half_steps)

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
    "The gain in real numbers: the real part of its equation holds",
    plus(times(-sigmas, gamma), -times(omegas, delta)),
    equals(
        shrinks * cos(step * omegas) - 1,
        r"the real part of $A_m g_m$, which is $e^{\Delta A_m} - 1$, with $\gamma_m + i\delta_m$ for $g_m$",
        wrong={"sine for cosine": shrinks * sin(step * omegas) - 1},
    ),
    role="lemma",
)
derivation.chain(
    "The gain in real numbers: the imaginary part holds, too",
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
    return diagonal_kernel(*modes_of(**modes), length=6)[0, round(float(lag))]


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
    return diagonal_step(jnp.array([[u]]), jax.lax.complex(x, y)[None, None], *modes_of(**modes))[0]


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
    return state_space_layer(inputs, *modes_of(**modes), skip)[0, 0, -1]


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


derivation.numeric(
    r"y_t = (K*u)_t + D u_t = 2\,\mathrm{Re} \sum_m C_m x_m + D u_t",
    because="Two channels of three modes, 20 inputs: all at once by FFT, and step by step. Train with the first, sample with "
    "the second.",
    role="lemma",
)(all_at_once_and_step_by_step)


derivation.say(
    "Where should the frequencies begin? HiPPO's LegS remembers a whole past by projection. Its matrix is a normal one, with "
    r"the real part $-\frac12$, minus one of rank one. Without the latter it has $N$ eigenvalues $-\frac12 + i\omega$, where "
    r"$i\omega$ are the eigenvalues of the skew matrix with the entries $-\sqrt{(n + \frac12)(k + \frac12)}$ below the "
    r"diagonal. By the lemma on signed rank-one matrices, with $n + \frac12$ for $q_n$, there is one positive frequency "
    r"$\omega_j$ for each $j$ below $\frac{N-1}2$."
)
states = derivation.number("N", "the number of states", "order", positive=True, integer=True)
q = derivation.number("q", r"$n + \frac12$ of a row", positive=True)
w = derivation.number("w", "a positive frequency", positive=True)
derivation.symbol("n", "a row of the skew matrix")


@derivation.numeric(
    r"\sum_n \arctan \frac{n + \frac12}{\omega_j} = \frac\pi2 + \pi j",
    because="The eight frequencies that the code finds for 16 states, the largest first.",
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
    equals(q, "the arc tangent of a small number is that number, but for its third power", wrong={"nothing": 0}),
    role="lemma",
)
rows = derivation.chain(
    "The sum of the rows is nearly half of the square of their number",
    plus(states**2 / 2, states + Rational(1, 2)),
    equals(
        (states + 1) ** 2 / 2,
        r"the sum of $n + \frac12$ over $N$ rows is $\frac{N^2}2$ without any, and one row more keeps it",
        wrong={"N (N + 1) / 2": (states + 1) * (states + 2) / 2},
    ),
    role="lemma",
    so=r"So for large frequencies $\omega_j (\frac\pi2 + \pi j)$ is about $\frac{N^2}2$, and $\omega_j$ about $\frac{N^2}{\pi "
    r"(2j + 1)}$. S4D-Inv is this minus $\frac N\pi$, which brings the slow frequencies close to zero. S4D-Lin, $\pi n$, is a "
    "Fourier series instead.",
)


@derivation.numeric(
    r"\omega_n + \frac N\pi = \frac{N^2}{\pi (2n + 1)}",
    because="The 32 inverse frequencies of the code for 64 states, shifted back.",
    role="remark",
)
def inverse_frequencies():
    frequencies = initial_eigenvalues(order=64, kind="inverse").imag
    right = 64**2 / (np.pi * (2 * np.arange(32) + 1))
    return Sides(left=frequencies + 64 / np.pi, right=right, wrong={"the number of pairs for that of states": right / 4})


derivation.algorithm(
    "A diagonal layer: all at once in training, step by step in generation",
    do(r"begin with the damping $\frac12$ and frequencies of LegS, S4D-Inv or S4D-Lin", initial_eigenvalues, by=rows),
    do(r"$A_m \leftarrow -\sigma_m + i \omega_m$, $g_m \leftarrow (e^{\Delta A_m} - 1) / A_m$", by=stable),
    do(r"train: $K_l \leftarrow 2\,\mathrm{Re} \sum_m C_m g_m e^{\Delta A_m l}$ for all lags $l$", diagonal_kernel, by=cells),
    do(r"$y \leftarrow K * u + D u$, by Fourier transforms", state_space_layer, by=cells),
    do(r"generate: $x \leftarrow 0$; for each input: $x_m \leftarrow e^{\Delta A_m} x_m + g_m u$ for all $m$"),
    do(r"$y \leftarrow 2\,\mathrm{Re} \sum_m C_m x_m + D u$", diagonal_step, by=cells, indent=1),
)(two_inputs)


derivation.example(
    r"One pair with $\frac i2$ for $e^{A}$, that is $-\ln 2 + \frac{i\pi}2$ for $A$, read with $A$ for $C$, at the step 1. "
    r"By hand: $C g$ is $\frac i2 - 1$, so $K_l$ is $2\,\mathrm{Re}[(\frac i2 - 1)(\frac i2)^l]$."
)(a_quarter_of_a_turn)
