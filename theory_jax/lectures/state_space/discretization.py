"""Discretization: a differential equation, seen at equal steps.

The lecture on the functions of theory_jax/state_space/discretization.py.
"""

import sympy
from sympy import Integral, Rational, cos, exp, sin, tan

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.state_space._discretization import (
    EXAMPLE,
    RULES,
    hold_by_the_inverse,
    maps_and_errors,
    near_eigenvalue_zero,
    two_inputs,
)
from theory_jax.lectures.state_space.linear_system import one_exponential, variation_of_constants
from theory_jax.state_space.discretization import (
    backward_euler,
    bilinear,
    forward_euler,
    zero_order_hold,
    zero_order_hold_diagonal,
)

derivation = Derivation(
    module=__name__,
    title="Discretization: a differential equation, seen at equal steps",
    lectures=(56,),
    sources=(
        "Tustin 1947, A method of analysing the behaviour of linear systems in terms of time series",
        "Van Loan 1978, Computing integrals involving the matrix exponential",
        "Butcher 2016, Numerical methods for ordinary differential equations, chapter 2",
        "Gu, Goel & Re 2022, Efficiently modeling long sequences with structured state spaces",
    ),
    question="A network sees samples, not a differential equation, and a stable system that is stepped carelessly explodes or "
    "settles at another rate. Which pairs of matrices replace those of the equation at a step, and what do the usual choices "
    "keep: the order of the error, stability, the steady state?",
    setting=(
        r"The state changes at the rate $Ax + Bu$. During the step that ends at time $t\Delta$ the input has the constant "
        r"value $u_t$, and $x_t$ is the state at the end of that step. A rule is a pair $(\bar A, \bar B)$, by which $x_t$ "
        r"is $\bar A x_{t-1} + \bar B u_t$: the current input acts at once.",
        r"A matrix with $N$ independent eigenvectors splits the system into $N$ equations with the rates $\lambda x + bu$, "
        "one for each eigenvalue, and every rule here is a function of $A$: it acts on each eigenvalue alone. The chains are "
        "about one such equation. They are identities of rational functions and exponentials, so they hold for complex "
        r"$\lambda$, too.",
        r"$I - \theta\Delta A$ is invertible where it is inverted: $1/(\theta\Delta)$ is no eigenvalue. That is always so if "
        "all eigenvalues have a negative real part.",
    ),
    limits=(
        "Nonlinear systems, and steps of different lengths, of which selective models make use.",
        "Matrices without enough eigenvectors: what is shown for one eigenvalue holds for them as a limit, since such matrices "
        "are limits of others; matrix forms are derived for two states.",
        "Inputs that change inside a step. Then every rule here is of first order only (last exercise).",
    ),
    trained="A discretization has no parameters but its step. `state_space/diagonal` trains steps and eigenvalues together.",
)

lam = derivation.number(r"\lambda", "an eigenvalue of the system", "eigenvalues", real=True, nonzero=True)
b = derivation.number("b", "what the input does to this mode", "b")
u = derivation.number("u_t", "the input during the step")
before = derivation.number("x_{t-1}", "the state at the beginning of the step")
step = derivation.number(r"\Delta", "the length of the step", "step_size", positive=True)
s = derivation.number("s", "a time inside the step")
z = derivation.define("z", step * lam, "the eigenvalue, measured in steps")
hold = derivation.define(r"\bar a", exp(z), "what is left of the state after a held step", "zero_order_hold")
driven = derivation.define(r"\bar b", (exp(z) - 1) / lam * b, "what a held step adds for each unit of input", "zero_order_hold")

exact = derivation.chain(
    "A held input: the exact step",
    plus(times(exp(lam * step), before), Integral(exp(lam * (step - s)) * b * u, (s, 0, step))),
    equals(
        plus(times(exp(lam * step), before), times(Integral(exp(lam * s), (s, 0, step)), b, u)),
        r"the input is constant, so it leaves the integral; count the time from the end, $\Delta - s$ for $s$",
        wrong={
            "integrated over the state, too": exp(lam * step) * (before + Integral(exp(lam * s), (s, 0, step)) * b * u),
            "the step in place of the integral": exp(lam * step) * before + step * b * u,
        },
    ),
    equals(
        plus(times(hold, before), times(driven, u)),
        prose("{integral}", integral=holds(Integral(exp(lam * s), (s, 0, step)), "=", (exp(lam * step) - 1) / lam)),
        wrong={
            "divided by z": hold * before + driven * u / step,
            "the step in place of the integral": hold * before + step * b * u,
        },
    ),
    central=True,
    uses=(variation_of_constants, one_exponential),
    so=r"The first line is the variation of constants: each part of the input, after what is left of the step. Nothing was "
    r"approximated, at any length of the step. For matrices, $e^{\Delta A}$ and $\int_0^\Delta e^{As} ds\, B$ "
    r"are the blocks of one exponential, $\exp\left(\Delta \begin{pmatrix} A & B \\ 0 & 0 \end{pmatrix}\right)$, and $A$ need "
    r"not be invertible.",
)
derivation.chain(
    "An eigenvalue of zero only counts its inputs",
    Limit(driven, lam, 0),
    equals(times(step, b), r"$e^{\Delta\lambda} - 1$ is $\Delta\lambda$ but for terms in $\lambda^2$", wrong={"no effect": 0}),
    role="lemma",
)
A = sympy.Matrix(2, 2, sympy.symbols("A_{11} A_{12} A_{21} A_{22}"))
B = sympy.Matrix(2, 1, sympy.symbols("B_1 B_2"))
h = sympy.Symbol(r"\Delta")
derivation.symbol("A", "the matrix of the system", "a")
derivation.symbol("B", "what the input does to the state", "b")
derivation.symbol("I", "the identity")

derivation.say(
    r"Without an exponential, integrate the equation over the step: $x_t - x_{t-1}$ is $\int (\lambda x + b u_t)\,ds$. The "
    r"input's integral is $\Delta b u_t$ exactly. The state's is approximated: $x$ inside the step is replaced by a weighted "
    r"mean of its two ends. That is the only approximation, and the weight $\theta$ of the new end is the only choice."
)
theta = derivation.number(r"\theta", "the weight of the end of the step", between=(0, 1))
R = derivation.define(r"R_\theta", (1 + (1 - theta) * z) / (1 - theta * z), "what is left of the state after a step of the rule")
S = derivation.define(r"S_\theta", step * b / (1 - theta * z), "what such a step adds for each unit of input")
after = derivation.define("x_t", R * before + S * u, "the state after a step of the rule")
rules = derivation.chain(
    "One weight gives forward Euler, backward Euler and the bilinear rule",
    plus(before, times(z, plus(times(theta, after), times(1 - theta, before))), times(step, b, u)),
    equals(
        plus(times(plus(1, times(1 - theta, z)), before), times(theta, z, after), times(step, b, u)),
        "collect what is known, and what is not",
        wrong={"the weights exchanged": (1 + theta * z) * before + (1 - theta) * z * after + step * b * u},
    ),
    equals(
        after,
        r"solve for $x_t$: divide by $1 - \theta z$, also what the input does",
        wrong={
            "the input not divided": R * before + step * b * u,
            "half of the step for the input": R * before + S * u / 2,
            "the sign of z": (1 - (1 - theta) * z) / (1 + theta * z) * before + S * u,
        },
    ),
    so=prose(
        "The weight 0 is forward Euler, {forward}; 1 is backward Euler, {backward}; and one half the bilinear rule of Tustin, "
        r"{tustin}. Of matrices, $\bar A$ is $(I - \theta\Delta A)^{-1} (I + (1 - \theta)\Delta A)$, and $\bar B$ is $(I - "
        r"\theta\Delta A)^{-1} \Delta B$.",
        forward=holds(R, "=", 1 + z, when={theta: 0}),
        backward=holds(R, "=", 1 / (1 - z), when={theta: 1}),
        tustin=holds(R, "=", (1 + z / 2) / (1 - z / 2), when={theta: Rational(1, 2)}, wrong={"no halves": (1 + z) / (1 - z)}),
    ),
    role="lemma",
)
derivation.chain(
    "Each rule keeps the steady state",
    S / (1 - R),
    equals(
        step * b / plus(plus(1, -theta * z), times(-1, plus(1, times(1 - theta, z)))),
        r"multiply numerator and denominator by $1 - \theta z$",
    ),
    equals(
        -b / lam,
        prose(
            "the denominator is {denominator}",
            denominator=holds(plus(plus(1, -theta * z), times(-1, plus(1, times(1 - theta, z)))), "=", -z, named=True),
        ),
        wrong={"half of the step for the input": -b / (2 * lam), "per step": -b / z},
    ),
    so=prose(
        r"A constant input $u$ drives the state to $-\frac b\lambda u$, where its rate $\lambda x + bu$ is 0, for every "
        r"$\theta$ and every step at which the rule is stable. So does the hold: {hold}.",
        hold=holds(driven / (1 - hold), "=", -b / lam, wrong={"the step for the integral": step * b / (1 - exp(z))}),
    ),
)


@derivation.symbolic(
    r"(I - \theta\Delta A) - (I + (1 - \theta)\Delta A) = -\Delta A",
    because=r"Of matrices, too: with $M$ for $I - \theta\Delta A$, which has an inverse, the left side is $M (I - \bar A)$, "
    r"and $M \bar B$ is $\Delta B$. So $(I - \bar A)^{-1} \bar B$ is $(-\Delta A)^{-1} \Delta B$, or $-A^{-1} B$, if $A$ has "
    r"an inverse. All systems of two states, all $\theta$.",
    role="remark",
)
def steady_state_of_matrices():
    eye = sympy.eye(2)
    left = eye - theta * h * A - (eye + (1 - theta) * h * A)
    return Sides(
        left=list(left),
        right=list(-h * A),
        wrong={"the weights exchanged": list((1 - 2 * theta) * h * A), "the sign": list(h * A)},
    )


derivation.say(
    r"Stability. Let $z$ be $-\rho + i\eta$, damped for a positive $\rho$, and compare squared moduli. That of $e^z$ is "
    r"$e^{-2\rho}$: the hold is stable exactly if the system is."
)
rho = derivation.number(r"\rho", "the damping of the mode in one step", positive=True)
eta = derivation.number(r"\eta", "its angle in one step")
D = derivation.define("D", (1 + rho / 2) ** 2 + (eta / 2) ** 2, r"$|1 - z/2|^2$", positive=True)
D_1 = derivation.define("D_1", (1 + rho) ** 2 + eta**2, "$|1 - z|^2$", positive=True)
tustin_size = plus((1 - rho / 2) ** 2, (eta / 2) ** 2) / D
derivation.answer = prose(
    r"If the input is constant during each step, $e^{\Delta A}$ and $\int_0^\Delta e^{As} ds\,B$ are exact, for an "
    "eigenvalue {hold} and {driven}. The rules without an exponential replace the state inside the step by a mean of its "
    "values at the ends. All of them keep the steady state, {steady}. The bilinear rule is of second order, and it is stable "
    "exactly if the system is: the squared size of its factor is {tustin}. Backward Euler is of first order and stable if "
    "the system is; forward Euler is stable only for damped modes, and only if the step is short enough.",
    hold=holds(hold, "=", exp(step * lam)),
    driven=holds(driven, "=", times(Integral(exp(lam * s), (s, 0, step)), b), wrong={"the step": step * b}),
    steady=holds(S / (1 - R), "=", -b / lam),
    tustin=holds(tustin_size, "=", plus(1, -2 * rho / D), named=True, wrong={"half of it": 1 - rho / D}),
)
derivation.chain(
    "The bilinear rule is stable if the system is",
    tustin_size,
    equals(plus(1, -2 * rho / D), r"numerator and denominator differ by $2\rho$", wrong={"half of the difference": 1 - rho / D}),
    at_most(1, prose("leave out a positive number; it is zero only at {free}", free=where(rho, 0)), adding=2 * rho / D),
    so="The first line is $|R_{1/2}|^2$. The half plane of damped modes goes into the unit disc, the imaginary axis onto its "
    r"edge: an undamped oscillation stays undamped. Only the weight $\frac12$ does both.",
)
derivation.chain(
    "Backward Euler is stable if the system is, and damps what oscillates freely",
    1 / D_1,
    equals(
        plus(1, -(2 * rho + rho**2 + eta**2) / D_1), prose("{square}", square=holds(D_1, "=", plus(1, 2 * rho, rho**2, eta**2)))
    ),
    at_most(1, "leave out a positive number", adding=(2 * rho + rho**2 + eta**2) / D_1),
    so=prose(
        "The first line is $|R_1|^2$. Without damping it is {free}, below 1: backward Euler damps what oscillates freely.",
        free=holds(1 / D_1, "=", 1 / (1 + eta**2), when={rho: 0}, named=True),
    ),
    role="remark",
)
derivation.chain(
    "Forward Euler is stable only in a disc",
    plus((1 - rho) ** 2, eta**2),
    equals(plus(1, rho**2 + eta**2, -2 * rho), "multiply out"),
    so=prose(
        r"A mode decays if and only if $|z|^2$ is below $2\rho$. For a negative real eigenvalue the step must be below "
        r"$2/|\lambda|$; a free oscillation, without damping, has {free} and grows at every step, however short.",
        free=holds(plus((1 - rho) ** 2, eta**2), "=", 1 + eta**2, when={rho: 0}, named=True),
    ),
)

derivation.say("The order of the error: how fast a rule approaches the hold as the step gets short.")
y = derivation.number("y", r"$z$ as a variable")
derivation.chain(
    "One step of forward Euler misses the second power of z",
    Limit((exp(y) - (1 + y)) / y**2, y, 0),
    equals(Rational(1, 2), r"the series of $e^z$ begins with $1 + z + \frac12 z^2$", wrong={"the half forgotten": 1}),
    role="lemma",
)
derivation.chain(
    "One step of backward Euler misses as much, in the other direction",
    Limit((1 / (1 - y) - exp(y)) / y**2, y, 0),
    equals(Rational(1, 2), r"that of $1 / (1 - z)$ with $1 + z + z^2$", wrong={"the sign": Rational(-1, 2)}),
    role="lemma",
)
derivation.chain(
    "One step of the bilinear rule misses a twelfth of the third power",
    Limit(((1 + y / 2) / (1 - y / 2) - exp(y)) / y**3, y, 0),
    equals(
        Rational(1, 12),
        r"$1 + z + \frac12 z^2 + \frac14 z^3 + \dots$ against $\frac16 z^3$",
        wrong={"the exponential's term forgotten": Rational(1, 4)},
    ),
    role="lemma",
)
k = derivation.index("j", "a step")
n = derivation.count(k, "n", "how many steps")
r = derivation.number("r", "what a rule leaves of the state in a step")
e = derivation.number("q", "what the hold leaves")
derivation.chain(
    "The errors of single steps add up",
    r**n - e**n,
    equals(
        times(r - e, Total(k, times(r**k, e ** (n - 1 - k)))),
        r"the sum telescopes: $r^{j+1} q^{n-1-j} - r^j q^{n-j}$",
        wrong={"the sign": (e - r) * Total(k, r**k * e ** (n - 1 - k))},
    ),
    states=4,
    so="If neither $r$ nor $q$ is larger than 1 in size, each of the $n$ terms is at most $|r - q|$, and all together at "
    r"most $n |r - q|$. The number of steps until a fixed time grows like $1/\Delta$: one order is lost. Forward and "
    "backward Euler have order 1, the bilinear rule order 2.",
    role="lemma",
)

w = derivation.number("w", r"the variable of the transform $\sum_t x_t w^t$")
derivation.chain(
    "The bilinear rule is the system at another frequency",
    times(step * b / (1 - z / 2), 1 / (1 - times((1 + z / 2) / (1 - z / 2), w))),
    equals(
        step * b / plus(plus(1, -z / 2), -times(plus(1, z / 2), w)),
        r"the first line is the transform of what the rule makes of an impulse; multiply by $1 - z/2$",
    ),
    equals(
        step * b / plus(plus(1, -w), -times(z / 2, plus(1, w))),
        "collect the powers of z",
        wrong={"the transform's signs exchanged": step * b / ((1 + w) - z / 2 * (1 - w))},
    ),
    equals(
        times(2 / (1 + w), b / plus(times(2 / step, (1 - w) / (1 + w)), -lam)),
        r"divide by $\frac\Delta2 (1 + w)$, which is not zero unless $w$ is $-1$",
    ),
    so=r"The transfer function of the system is $b / (f - \lambda)$ at the frequency $f$. So the rule evaluates it at "
    r"$\frac2\Delta \frac{1-w}{1+w}$, and multiplies by $\frac2{1+w}$; if the mean $\frac12 (u_{t-1} + u_t)$ took the "
    "place of $u_t$, that factor would be 1. Structured models find their kernel in this form.",
    role="remark",
)
psi = derivation.number(r"\psi", r"half of the angle per step, $\omega\Delta / 2$")
derivation.chain(
    "The bilinear rule bends the axis of frequencies",
    sin(2 * psi) / plus(1, cos(2 * psi)),
    equals(times(2, sin(psi), cos(psi)) / times(2, cos(psi) ** 2), "the double angle, twice"),
    equals(tan(psi), "cancel", wrong={"the whole angle": tan(2 * psi), "no bending": psi}),
    role="lemma",
    so=r"For $e^{-2i\psi}$ as $w$ the quotient $\frac{1-w}{1+w}$ is $i$ times the first line (multiply by $1 + \bar w$ above "
    r"and below). So the oscillation of the angle $\omega\Delta$ a step sees the system at $\frac2\Delta "
    r"\tan\frac{\omega\Delta}2$, which is $\omega$ for slow ones and infinite for the fastest that samples can show.",
)


_not_integrated = {"the step in place of the integral": (hold, step * b), "divided by z": (hold, driven / step)}
for _name, _pair, _rule, _wrong in (
    ("forward Euler", (1 + z, step * b), forward_euler, {"the hold": (hold, driven)}),
    ("backward Euler", (1 / (1 - z), step * b / (1 - z)), backward_euler, {"forward Euler": (1 + z, step * b)}),
    (
        "the bilinear rule",
        ((1 + z / 2) / (1 - z / 2), step * b / (1 - z / 2)),
        bilinear,
        {
            "half of the step in B": ((1 + z / 2) / (1 - z / 2), step * b / 2 / (1 - z / 2)),
            "without the halves": ((1 + z) / (1 - z), step * b / (1 - z)),
        },
    ),
    ("the exact step", (hold, driven), zero_order_hold, _not_integrated),
):
    derivation.bridge(f"The code computes {_name}", _pair, _rule, a=[[lam]], b=[[b]], step_size=step, wrong=_wrong)


def _diagonal_hold(a, b, *, step_size):
    return tuple(part.real for part in zero_order_hold_diagonal(a + 0j, b, step_size=step_size))


derivation.bridge(
    "... and for diagonal systems",
    (hold, driven),
    _diagonal_hold,
    a=[lam],
    b=[b],
    step_size=step,
    calls=(zero_order_hold_diagonal,),
    wrong=_not_integrated,
)


derivation.numeric(
    r"\bar B = A^{-1} (\bar A - I) B",
    because="The exact step of a random system of three states with an invertible matrix.",
    role="remark",
)(hold_by_the_inverse)


derivation.numeric(
    r"\bar b \approx \Delta b",
    because="At the eigenvalue $-10^{-9}$ the difference $e^z - 1$ keeps half of its digits; the code sums the series of "
    "$(e^z - 1) / z$ where $z$ is smaller than 1 in size. The other side is NumPy's expm1, which has all digits of a real "
    "difference.",
    role="appendix",
)(near_eigenvalue_zero)


derivation.algorithm(
    "A recurrent layer from a continuous system",
    do(
        r"exactly: $\bar A, \bar B \leftarrow$ the blocks of $\exp\left(\Delta \begin{pmatrix} A & B \\ 0 & 0 "
        r"\end{pmatrix}\right)$",
        zero_order_hold,
        by=exact,
    ),
    do(
        r"or: $\bar A \leftarrow (I - \frac12\Delta A)^{-1} (I + \frac12\Delta A)$, $\bar B \leftarrow (I - \frac12\Delta "
        r"A)^{-1} \Delta B$",
        bilinear,
        by=rules,
    ),
    do(
        r"of a diagonal $A$: $e^{\Delta\lambda}$ and $(e^{\Delta\lambda} - 1) b / \lambda$ for each eigenvalue",
        zero_order_hold_diagonal,
        by=exact,
    ),
    do(r"$x \leftarrow 0$; for each input $u_t$: $x \leftarrow \bar A x + \bar B u_t$"),
)(two_inputs)


@derivation.example(
    prose(
        r"The rate $-2x + u$ at a step of one half: {z}. Every pair has the same quotient $\bar b / (1 - \bar a)$: the "
        "steady state of the input 1, {steady}.",
        z=holds(z, "=", -1, when={lam: -2, step: Rational(1, 2)}),
        steady=holds(driven / (1 - hold), "=", Rational(1, 2), when={lam: -2, b: 1, step: Rational(1, 2)}, named=True),
    )
)
def one_decay():
    for name, printed in (
        ("forward Euler", "(0, 1/2)"),
        ("backward Euler", "(1/2, 1/4)"),
        ("bilinear", "(1/3, 1/3)"),
        ("hold", "(0.36788, 0.31606)"),
    ):
        yield rf"\text{{{name}}}", [part[0, 0] for part in RULES[name](*EXAMPLE, step_size=0.5)], printed
    moving, driving = zero_order_hold(*EXAMPLE, step_size=0.5)
    yield r"\text{hold: } \bar b / (1 - \bar a)", driving[0, 0] / (1 - moving[0, 0]), "1/2"
    yield R, value(R, {lam: -2, step: 0.5, theta: 0.25}), "1/5"
    yield S, value(S, {lam: -2, step: 0.5, b: 1, theta: 0.25}), "2/5"


derivation.figure(
    r"Left: what becomes of the damped modes $-\frac12 + i\eta$ under each rule; inside the gray circle a mode decays. "
    r"Forward Euler leaves them on a line, most of it outside. Right: the error at time 1 of the decay $-2x$ from 1; lines "
    r"of slope $-1$, $-1$ and $-2$.",
    panels=2,
)(maps_and_errors)
