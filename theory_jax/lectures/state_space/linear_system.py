"""Linear systems: one exponential says what every input does.

The lecture on the functions of theory_jax/state_space/linear_system.py.
"""

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from sympy import Integral, KroneckerDelta, Matrix, exp, oo

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.state_space.linear_system import impulse_response, state_transition, step_response, transfer_function

derivation = Derivation(
    module=__name__,
    title="Linear systems: one exponential says what every input does",
    lectures=(56,),
    sources=(
        "Kailath 1980, Linear systems, chapters 1 and 2",
        "Van Loan 1978, Computing integrals involving the matrix exponential",
        "Gu, Goel & Re 2022, Efficiently modeling long sequences with structured state spaces, equation 1",
    ),
    question=r"A state $x$ obeys $\dot x = A x + B u$ and is seen through $y = C x + D u$. What is the output $y$ for any input "
    r"$u$, and which properties of $A, B, C, D$ does it depend on?",
    setting=(
        r"$A$ is a constant matrix, $B$ a column, $C$ a row, $D$ a number; the input $u$ is continuous. The exponential is its "
        r"series, $e^{At} = \sum_k A^k t^k / k!$, which converges for every matrix and every $t$.",
        r"The chains take two states and a matrix with two different eigenvalues $-\alpha$ and $-\beta$. With its projections, "
        r"$A = -\alpha P - \beta (I - P)$, every such matrix has this form if $A_{01} \neq 0$.",
        r"The eigenvalues are negative, so that limits exist. The identities without a limit are between analytic functions of "
        r"$\alpha$ and $\beta$: they hold for any signs and for complex eigenvalues, too, and by continuity for equal ones.",
    ),
    answer=r"$x(t) = e^{At} x_0 + \int_0^t e^{A(t-s)} B u(s) ds$: the output depends on the system through $D$ and the impulse "
    r"response $C e^{At} B$, a sum of exponentials, or, which is the same, through its Laplace transform. The coordinates of the "
    r"state do not matter: a diagonal matrix does whatever a matrix with different eigenvalues can do.",
    limits=(
        "Stability tells where the state goes, not how far it strays first: the second figure.",
        "Whether every state can be reached by an input, or seen in the output.",
        "Delays, and systems that change in time.",
    ),
    trained="The system of this page is given. `state_space/diagonal` trains one for each channel.",
)

i = derivation.index("i", "a state", states=2)
j = derivation.index("j", "a state", states=2)
k = derivation.index("k", "a state", states=2)
t = derivation.number("t", "the time", "times", positive=True)
s = derivation.number("s", "another time; later a frequency, larger than both eigenvalues", "frequencies", positive=True)
alpha = derivation.number(r"\alpha", "the rate at which one part of the state decays", positive=True)
beta = derivation.number(r"\beta", "the rate of the other part", positive=True)
p = derivation.number("p", "the first diagonal entry of the projection")
kappa = derivation.number(r"\kappa", "its entry above the diagonal", positive=True)
identity = KroneckerDelta(i, j)
P = derivation.define(
    "P({},{})",
    p * KroneckerDelta(i, 0) * KroneckerDelta(j, 0)
    + kappa * KroneckerDelta(i, 0) * KroneckerDelta(j, 1)
    + p * (1 - p) / kappa * KroneckerDelta(i, 1) * KroneckerDelta(j, 0)
    + (1 - p) * KroneckerDelta(i, 1) * KroneckerDelta(j, 1),
    r"the projection onto the part that decays as $e^{-\alpha t}$",
    over=(i, j),
)
A = derivation.define("A({},{})", -alpha * P - beta * (identity - P), "the matrix of the system", "a", over=(i, j))
B = derivation.numbers("B", j, "how the input enters", "b")
C = derivation.numbers("C", i, "how the state is seen", "c")
D = derivation.number("D", "the input's direct share in the output", "d")


def _exponential_of(time, written):
    """The lecture's e^(At), by the projections."""
    return derivation.define(
        rf"(e^{{{{{written}}}}})_{{{{{{}}{{}}}}}}",
        exp(-alpha * time) * P + exp(-beta * time) * (identity - P),
        "the exponential" if written == "At" else "the same at another time",
        "state_transition" if written == "At" else "",
        over=(i, j),
    )


derivation.chain(
    "The projection is one",
    Total(k, times(P.at(i, k), P.at(k, j))),
    equals(P, "multiply out, entry by entry"),
    role="lemma",
    so=r"So $P P = P$, and $P (I - P) = 0$: the two parts of the state do not mix.",
)
derivation.chain(
    "A power of the matrix takes the powers of its eigenvalues",
    Total(k, times(A.at(i, k), A.at(k, j))),
    equals(
        plus(times(alpha**2, P), times(beta**2, identity - P)),
        r"$(\alpha P + \beta (I - P))^2$: the mixed products vanish, the squares are the projections themselves",
        wrong={"entries squared": A**2},
    ),
    role="lemma",
    so=r"Each further factor multiplies by one more eigenvalue: $A^k = (-\alpha)^k P + (-\beta)^k (I - P)$. Insert that into the "
    r"series: $e^{At} = e^{-\alpha t} P + e^{-\beta t} (I - P)$, which defines $e^{At}$ from here on.",
)
E = _exponential_of(t, "At")
derivation.chain(
    "The exponential solves the equation without input",
    Slope(E, t),
    equals(plus(times(-alpha, exp(-alpha * t), P), times(-beta, exp(-beta * t), identity - P)), "differentiate"),
    equals(Total(k, times(A.at(i, k), E.at(k, j))), r"$A P = -\alpha P$ and $A (I - P) = -\beta (I - P)$"),
    equals(Total(k, times(E.at(i, k), A.at(k, j))), "both are sums of the same two projections: they commute"),
    role="lemma",
)
E_s = _exponential_of(s, "As")
E_st = _exponential_of(s + t, "A(s+t)")
derivation.chain(
    "Times add up",
    Total(k, times(E.at(i, k), E_s.at(k, j))),
    equals(
        plus(times(exp(-alpha * t), exp(-alpha * s), P), times(exp(-beta * t), exp(-beta * s), identity - P)),
        "the mixed products vanish",
    ),
    equals(E_st, "exponentials of numbers", wrong={"the first time alone": E}),
    role="lemma",
    so=r"For $s = -t$ it shows that $e^{-At}$ is the inverse of $e^{At}$.",
)
E_back = _exponential_of(-t, "-At")
f_0 = derivation.function("f_0", "the first coordinate of the state, a function of time")
f_1 = derivation.function("f_1", "the second")
x = derivation.define("x({})", KroneckerDelta(j, 0) * f_0(t) + KroneckerDelta(j, 1) * f_1(t), "the state", over=j)
driven = derivation.define(
    r"\left(Bu\right)({})", Slope(x, t) - Total(k, times(A.at(j, k), x.at(k))), r"what the input adds: $\dot x - A x$", over=j
)
variation_of_constants = derivation.chain(
    "Variation of constants: undo the motion, and only the input is left",
    Slope(Total(j, times(E_back, x)), t),
    equals(
        plus(-Total(j, times(Total(k, times(E_back.at(i, k), A.at(k, j))), x)), Total(j, times(E_back, Slope(x, t)))),
        "the product rule, and the lemma on the exponential's slope, backward in time",
    ),
    equals(Total(j, times(E_back, driven)), r"insert $\dot x = A x + B u$; what has $A$ cancels"),
    central=True,
    so=r"Integrate from 0 to $t$ and multiply by $e^{At}$: $x(t) = e^{At} x_0 + \int_0^t e^{A(t-s)} B u(s) ds$, so $y(t) = C "
    r"e^{At} x_0 + \int_0^t h(t - s) u(s) ds + D u(t)$ with $h(t) = C e^{At} B$: the output is the initial state's fading trace, "
    r"and the past input, weighted by how long ago it was.",
)


@derivation.numeric(
    r"y(t) = C e^{At} x_0 + \int_0^t h(t - s)\, u(s)\, ds + D\, u(t)",
    because="The example's system with $x_0 = (1, -2)$, $D = 3$ and the input $\\sin 2t$ at $t = 1$: Gauss's quadrature of the "
    "convolution against the differential equation, solved step by step.",
    tolerance=1e-8,
    since="the solver keeps ten digits",
)
def the_output_is_a_convolution():
    start, last, direct = np.array([1.0, -2.0]), 1.0, 3.0
    nodes, weights = np.polynomial.legendre.leggauss(20)
    nodes, weights = (nodes + 1) / 2, weights / 2
    solved = solve_ivp(
        lambda time, x: np.asarray(TRIANGLE) @ x + np.asarray(INTO) * np.sin(2 * time),
        (0.0, last),
        start,
        method="DOP853",
        rtol=1e-11,
        atol=1e-12,
    )
    free = impulse_response(jnp.array([last]), TRIANGLE, jnp.array(start), OUT)[0]
    past, input_then = impulse_response(jnp.array(last - nodes), TRIANGLE, INTO, OUT), np.sin(2 * nodes)
    unturned = impulse_response(jnp.array(nodes), TRIANGLE, INTO, OUT)
    wrong = {
        "the response not turned over": free + jnp.sum(weights * unturned * input_then) + direct * np.sin(2 * last),
        "the initial state forgotten": jnp.sum(weights * past * input_then) + direct * np.sin(2 * last),
        "D forgotten": free + jnp.sum(weights * past * input_then),
    }
    by_formula = free + jnp.sum(weights * past * input_then) + direct * np.sin(2 * last)
    return Sides(left=solved.y[0, -1] + direct * np.sin(2 * last), right=by_formula, wrong=wrong)


derivation.symbol("x_0", "the state at time 0", "initial")
derivation.symbol("y", "the output")
derivation.symbol("u", "the input")
h = derivation.define("h", Total(i, times(C, Total(j, times(E, B)))), "the impulse response", "impulse_response")
derivation.chain(
    "The impulse response is a sum of exponentials",
    h,
    equals(
        plus(
            times(exp(-alpha * t), Total(i, times(C, Total(j, times(P, B))))),
            times(exp(-beta * t), Total(i, times(C, Total(j, times(identity - P, B))))),
        ),
        "insert the projections",
        wrong={
            "the parts exchanged": plus(
                times(exp(-beta * t), Total(i, times(C, Total(j, times(P, B))))),
                times(exp(-alpha * t), Total(i, times(C, Total(j, times(identity - P, B))))),
            )
        },
    ),
    so=r"In general, if $A = V \Lambda V^{-1}$ with eigenvalues $\lambda_i$, then $h(t) = \sum_i (CV)_i (V^{-1}B)_i e^{\lambda_i "
    r"t}$: one rate and one weight for each state are all that can be observed from outside, whatever the number of entries of "
    r"$A$. A model with a diagonal, complex $A$ has as many: it loses nothing but the matrices without a basis of eigenvectors.",
)
derivation.chain(
    "What it loses is the limit of what it has",
    Limit((exp(-alpha * t) - exp(-beta * t)) / (beta - alpha), beta, alpha),
    equals(times(t, exp(-alpha * t)), "the slope of $e^{-ct}$ in its rate $c$, without the sign"),
    role="remark",
    so=r"The weights $\pm 1 / (\beta - \alpha)$ grow without bound.",
)
T = derivation.numbers("T", (i, j), "a change of coordinates, an invertible matrix")
det = derivation.define(r"\det T", T.at(0, 0) * T.at(1, 1) - T.at(0, 1) * T.at(1, 0), "its determinant")
T_inverse = derivation.define(
    r"(T^{{-1}})_{{{}{}}}", ((T.at(0, 0) + T.at(1, 1)) * identity - T) / det, "its inverse", over=(i, j)
)
derivation.chain(
    "The state is a gauge: powers in other coordinates",
    Total(k, times(T_inverse.at(i, k), T.at(k, j))),
    equals(identity, "Cramer's rule for two states"),
    role="lemma",
    so=r"So $(T A T^{-1})^k = T A^k T^{-1}$: every inner pair $T^{-1} T$ is the identity. In the response of $(T A T^{-1}, T B, "
    r"C T^{-1})$ the outer pairs cancel as well, in each term of the series: $h(t)$ is the same for every $T$.",
)


@derivation.numeric(
    r"C\, T^{-1} e^{T A T^{-1} t}\, T B = C e^{At} B",
    because="A random system of four states with complex eigenvalues, and a random change of coordinates, at three times.",
)
def other_coordinates():
    rng = np.random.default_rng(2)
    a, change = rng.normal(size=(4, 4)) - np.eye(4), rng.normal(size=(4, 4))
    b, c = jnp.array(rng.normal(size=4)), jnp.array(rng.normal(size=4))
    back, given = np.linalg.inv(change), jnp.array([0.25, 0.5, 1.0])
    moved = jnp.array(change @ a @ back)
    wrong = {
        "C not moved": impulse_response(given, moved, change @ b, c),
        "moved the other way": impulse_response(given, jnp.array(back @ a @ change), change @ b, c @ back),
    }
    return Sides(
        left=impulse_response(given, jnp.array(a), b, c), right=impulse_response(given, moved, change @ b, c @ back), wrong=wrong
    )


derivation.say("The input that is switched on at 0 and stays 1 needs the integral of the exponential.")
A_inverse = derivation.define(
    r"(A^{{-1}})_{{{}{}}}", -P / alpha - (identity - P) / beta, "the inverse of the matrix", over=(i, j)
)
r = derivation.number("r", "a time between 0 and $t$", positive=True)
S = derivation.define(
    "S({},{})",
    (1 - exp(-alpha * t)) / alpha * P + (1 - exp(-beta * t)) / beta * (identity - P),
    "the integral of the exponential from 0 to $t$",
    over=(i, j),
)
derivation.chain(
    "The integral of one exponential",
    Integral(exp(-alpha * r), (r, 0, t)),
    equals((1 - exp(-alpha * t)) / alpha, r"the antiderivative $-e^{-\alpha r} / \alpha$ at both ends"),
    role="lemma",
)
derivation.chain(
    "The integral of all of them",
    S,
    equals(
        Total(k, times(A_inverse.at(i, k), E.at(k, j) - KroneckerDelta(k, j))),
        r"$A^{-1} = -P / \alpha - (I - P) / \beta$, since it multiplies to the identity with $A$",
    ),
    role="lemma",
    so=r"So the step response from rest is $C A^{-1} (e^{At} - I) B + D$, if $A$ has an inverse.",
)
F = derivation.define("F({})", Total(j, times(S, B)), "the state after a time $t$ of the input 1, from rest", over=i)
one_exponential = derivation.chain(
    "One exponential does both, also where the matrix has no inverse",
    Slope(F, t),
    equals(Total(j, times(E, B)), "the slope of an integral"),
    equals(plus(Total(j, times(A, F.at(j))), B.at(i)), r"$e^{At} = A S + I$, which is the integral of $\dot E = A E$"),
    so=r"So the matrix with the blocks $e^{At}$ and $F(t)$ over the row $(0, 1)$ has the slope $G$ times itself, where $G$ has "
    r"the blocks $A$ and $B$ over zeros, and begins as the identity: it is $e^{Gt}$. The code computes that: no $A^{-1}$.",
)
derivation.symbol("G", "the matrix of state and input together")
initial = derivation.numbers("x_0", j, "the state at time 0", "initial")
y = derivation.define(
    "y", Total(i, times(C, plus(Total(j, times(E, initial)), F))) + D, "the output if the input is 1", "step_response"
)
H = derivation.define(
    "H",
    Total(i, times(C, Total(j, times(P / (s + alpha) + (identity - P) / (s + beta), B)))) + D,
    "the transfer function",
    "transfer_function",
)
resolvent = derivation.define(
    r"(sI - A)^{{-1}}_{{{}{}}}", P / (s + alpha) + (identity - P) / (s + beta), "the resolvent", over=(i, j)
)
derivation.chain(
    "The resolvent",
    Total(k, times(s * KroneckerDelta(i, k) - A.at(i, k), resolvent.at(k, j))),
    equals(identity, r"$sI - A = (s + \alpha) P + (s + \beta) (I - P)$", wrong={"the resolvent itself": resolvent}),
    role="lemma",
    so=r"So $H(s) = C (sI - A)^{-1} B + D$.",
)
horizon = derivation.number("R", "how long is listened", positive=True)
derivation.chain(
    "The Laplace transform of one exponential",
    Limit(Integral(exp(-(s + alpha) * r), (r, 0, horizon)), horizon, oo),
    equals(1 / (s + alpha), r"$(1 - e^{-(s + \alpha) R}) / (s + \alpha)$, of which what is left at $R$ vanishes"),
    role="lemma",
    so=r"It exists for every complex $s$ with a real part above that of the eigenvalue $-\alpha$.",
)
derivation.chain(
    "The transfer function is the impulse response's Laplace transform",
    plus(
        times(1 / (s + alpha), Total(i, times(C, Total(j, times(P, B))))),
        times(1 / (s + beta), Total(i, times(C, Total(j, times(identity - P, B))))),
    ),
    equals(
        Total(i, times(C, Total(j, times(resolvent, B)))),
        r"the first line is $\int_0^\infty e^{-sr} h(r) dr$, by the lemma for each exponential of $h$; collect them",
    ),
    equals(plus(H, -D), r"the definition of $H$"),
    so=r"The integral needs a real part of $s$ above that of every eigenvalue; the formula, only an $s$ that is none. A "
    r"convolution becomes a product: systems in series multiply.",
)
derivation.chain(
    "In the end a constant input makes a constant state",
    Limit(F, t, oo),
    equals(-Total(j, times(A_inverse, B)), r"$S \to P / \alpha + (I - P) / \beta = -A^{-1}$"),
    so=r"And $e^{At} \to 0$: the initial state is forgotten, and the output goes to $-C A^{-1} B + D$. This is $H(0)$, the gain "
    r"at frequency 0.",
)


_PROJECTION = Matrix([[p, kappa], [p * (1 - p) / kappa, 1 - p]])
_SYSTEM = -alpha * _PROJECTION - beta * (Matrix([[1, 0], [0, 1]]) - _PROJECTION)
derivation.bridge(
    "The code computes the exponential", E, state_transition, times=[t], a=_SYSTEM, wrong={"elementwise": exp(t * A)}, states=2
)
derivation.bridge(
    "... the impulse response",
    h,
    impulse_response,
    times=[t],
    a=_SYSTEM,
    b=B,
    c=C,
    wrong={"b and c exchanged": Total(i, times(C, Total(j, times(E.at(j, i), B))))},
    states=2,
)
derivation.bridge(
    "... the step response",
    y,
    step_response,
    times=[t],
    a=_SYSTEM,
    b=B,
    c=C,
    d=D,
    initial=initial,
    wrong={"the sign of the integral": y - 2 * Total(i, times(C, F)), "without D": y - D},
    states=2,
)


def _on_the_real_axis(frequency, a, b, c, d):
    return transfer_function(jnp.array([frequency + 0j]), a, b, c, d).real


derivation.bridge(
    "... and the transfer function",
    H,
    _on_the_real_axis,
    frequency=s,
    a=_SYSTEM,
    b=B,
    c=C,
    d=D,
    calls=(transfer_function,),
    states=2,
)

TRIANGLE = jnp.array([[-1.0, 1.0], [0.0, -2.0]])
INTO, OUT = jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0])
LOG_2 = jnp.log(jnp.array([2.0]))


@derivation.example(
    r"$A = \begin{pmatrix} -1 & 1 \\ 0 & -2 \end{pmatrix}$, so $\alpha = p = \kappa = 1$ and $\beta = 2$; $B = (0, 1)^\top$, $C "
    r"= (1, 0)$, $D = 0$, from rest. $e^{At}$ is $\begin{pmatrix} e^{-t} & e^{-t} - e^{-2t} \\ 0 & e^{-2t} \end{pmatrix}$, so "
    r"$h(t) = e^{-t} - e^{-2t}$, the step response is $\frac12 - e^{-t} + \frac12 e^{-2t}$, and $H(s) = 1 / ((s + 1) (s + 2))$."
)
def two_decays_in_a_chain():
    rest, direct = jnp.zeros(2), jnp.array(0.0)
    yield r"e^{At} \text{ at } t = \log 2", state_transition(LOG_2, TRIANGLE)[0], "(1/2, 1/4; 0, 1/4)"
    yield r"h(\log 2), \text{ its largest value}", impulse_response(LOG_2, TRIANGLE, INTO, OUT)[0], "1/4"
    yield r"y(\log 2)", step_response(LOG_2, TRIANGLE, INTO, OUT, direct, rest)[0], "1/8"
    gains = transfer_function(jnp.array([3.0 + 0j, 0j]), TRIANGLE, INTO, OUT, direct).real
    yield r"H(3), H(0)", gains, "(1/20, 1/2)"
    yield "y(20)", step_response(jnp.array([20.0]), TRIANGLE, INTO, OUT, direct, rest)[0], "0.50000000"


@derivation.figure(
    r"Left: the impulse response of the example, and its two exponentials (gray); the shaded area, up to $t = \log 2$, is the "
    r"step response there, $\frac18$, on its way to $H(0)$. Right: the length $\|e^{At}\|$ for the matrix with $-1$ twice on its "
    r"diagonal and $k$ above: it grows before it decays, although both eigenvalues are $-1$.",
    panels=2,
)
def responses(left, right):
    given = jnp.linspace(0.0, 5.0, 50)
    response = impulse_response(given, TRIANGLE, INTO, OUT)
    left.plot(given, response, label="$h(t)$")
    left.plot(given, step_response(given, TRIANGLE, INTO, OUT, jnp.array(0.0), jnp.zeros(2)), label="step response")
    for sign, rate in ((1, 1), (-1, 2)):
        left.plot(given, sign * np.exp(-rate * given), color="gray", linewidth=0.8)
    left.axhline(0.5, color="gray", linestyle="--", linewidth=0.8)
    early = given <= LOG_2[0]
    left.fill_between(given[early], response[early], alpha=0.3)
    left.set(xlabel="$t$", ylabel="response", ylim=(-0.6, 1.0))
    left.legend()
    for coupling in (0.0, 5.0, 20.0):
        lengths = np.linalg.norm(state_transition(given, jnp.array([[-1.0, coupling], [0.0, -1.0]])), 2, axis=(1, 2))
        right.plot(given, lengths, label=f"$k = {coupling:g}$")
    right.set(xlabel="$t$", ylabel=r"$\|e^{At}\|$")
    right.legend()


@derivation.exercise(
    r"What are the impulse response and the step response of $\dot x = u$, $y = x$, where $A = 0$?",
    "The integrator: 1 and $t$. At $t = 3$ they are 1 and 3, which no formula with the inverse of $A$ can say.",
)
def integrator():
    none, one, when = jnp.zeros((1, 1)), jnp.ones(1), jnp.array([3.0])
    yield impulse_response(when, none, one, one)[0], "1"
    yield step_response(when, none, one, one, jnp.array(0.0), jnp.zeros(1))[0], "3"


@derivation.exercise(
    r"What is the norm of $e^{At}$ for $A = \begin{pmatrix} -\sigma & -\omega \\ \omega & -\sigma \end{pmatrix}$?",
    r"It is a rotation by $\omega t$ times $e^{-\sigma t}$, which is the norm. For $\sigma = 1$, $\omega = 5$ at $t = \log 2$: "
    r"0.5.",
)
def a_spiral():
    yield np.linalg.norm(state_transition(LOG_2, jnp.array([[-1.0, -5.0], [5.0, -1.0]]))[0], 2), "0.5"


@derivation.exercise(
    r"The output of a system with $H_1 = 1 / (s + 1)$ is the input of one with $H_2 = 1 / (s + 2)$. What is the impulse response "
    r"of both together?",
    r"$H = H_1 H_2$ is that of the example, so $h(t) = e^{-t} - e^{-2t}$. At $t = 1$ it is 0.2325, and $H(3) = \frac14 \cdot "
    r"\frac15$ is 0.05.",
)
def in_series():
    yield impulse_response(jnp.ones(1), TRIANGLE, INTO, OUT)[0], "0.2325"
    yield transfer_function(jnp.array([3.0 + 0j]), TRIANGLE, INTO, OUT, jnp.array(0.0))[0].real, "0.05"
