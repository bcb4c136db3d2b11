"""Linear systems: one exponential says what every input does.

The lecture on the functions of theory_jax/state_space/linear_system.py.
"""

import jax.numpy as jnp
from sympy import Integral, KroneckerDelta, Matrix, exp, oo

from theory_jax.derivation.chains import equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.state_space._linear_system import (
    other_coordinates,
    responses,
    the_output_is_a_convolution,
    two_decays_in_a_chain,
    two_intervals,
)
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
    question="The output of a system with memory depends on all of its past input, and following the state step by step does "
    "not say how; two systems with different numbers inside may even be the same from outside. How does a linear system "
    "answer any input, and on which of its numbers does the answer depend?",
    setting=(
        "A state $x$ changes at the rate $A x + B u$ and is seen through the output $y$, which is $C x + D u$. $A$ is a "
        "constant matrix, $B$ a column, $C$ a row, $D$ a number; the input $u$ is continuous. The exponential $e^{At}$ is "
        r"its series, $\sum_k A^k t^k / k!$, which converges for every matrix and every $t$.",
        r"The chains take two states and a matrix with two different eigenvalues $-\alpha$ and $-\beta$. It is $-\alpha P - "
        r"\beta (I - P)$ with its projections; every such matrix whose entry above the diagonal is not 0 has the form of "
        "this page.",
        r"The eigenvalues are negative, so that limits exist. The identities without a limit are between analytic functions of "
        r"$\alpha$ and $\beta$: they hold for any signs and for complex eigenvalues, too, and by continuity for equal ones.",
    ),
    limits=(
        "Stability tells where the state goes, not how far it strays first: the figure's right panel.",
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
    "The projection applied twice is the projection",
    Total(k, times(P.at(i, k), P.at(k, j))),
    equals(P, "multiply out, entry by entry"),
    role="lemma",
    so=prose(
        "The two parts of the state do not mix: {apart}.",
        apart=holds(Total(k, times(P.at(i, k), KroneckerDelta(k, j) - P.at(k, j))), "=", 0),
    ),
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
    so=r"Each further factor multiplies by one more eigenvalue: the $k$-th power is $(-\alpha)^k P + (-\beta)^k (I - P)$. "
    r"Insert that into the series: $e^{At}$ is $e^{-\alpha t} P + e^{-\beta t} (I - P)$, which defines it from here on.",
)
E = _exponential_of(t, "At")
derivation.chain(
    "The exponential solves the equation without input",
    Slope(E, t),
    equals(plus(times(-alpha, exp(-alpha * t), P), times(-beta, exp(-beta * t), identity - P)), "differentiate"),
    equals(
        Total(k, times(A.at(i, k), E.at(k, j))),
        prose("{one}, and so for $I - P$", one=holds(Total(k, times(A.at(i, k), P.at(k, j))), "=", -alpha * P)),
    ),
    equals(Total(k, times(E.at(i, k), A.at(k, j))), "both are sums of the same two projections: they commute"),
    role="lemma",
)
E_s = _exponential_of(s, "As")
derivation.chain(
    "Times add up",
    Total(k, times(E.at(i, k), E_s.at(k, j))),
    equals(
        plus(times(exp(-alpha * t), exp(-alpha * s), P), times(exp(-beta * t), exp(-beta * s), identity - P)),
        "the mixed products vanish",
    ),
    equals(_exponential_of(s + t, "A(s+t)"), "exponentials of numbers", wrong={"the first time alone": E}),
    role="lemma",
    so=r"For opposite times it shows that $e^{-At}$ is the inverse of $e^{At}$.",
)
E_back = _exponential_of(-t, "-At")
f_0 = derivation.function("f_0", "the first coordinate of the state, a function of time")
f_1 = derivation.function("f_1", "the second")
x = derivation.define("x({})", KroneckerDelta(j, 0) * f_0(t) + KroneckerDelta(j, 1) * f_1(t), "the state", over=j)
driven = derivation.define(
    r"\left(Bu\right)({})", Slope(x, t) - Total(k, times(A.at(j, k), x.at(k))), r"what the input adds: $\dot x - A x$", over=j
)
undone = Slope(Total(j, times(E_back, x)), t)
variation_of_constants = derivation.chain(
    "Variation of constants: undo the motion, and only the input is left",
    undone,
    equals(
        plus(-Total(j, times(Total(k, times(E_back.at(i, k), A.at(k, j))), x)), Total(j, times(E_back, Slope(x, t)))),
        "the product rule, and the lemma on the exponential's slope, backward in time",
    ),
    equals(Total(j, times(E_back, driven)), r"$\dot x$ is $A x + B u$; what has $A$ cancels"),
    central=True,
    so=r"Integrate from 0 to $t$ and multiply by $e^{At}$: the state is $e^{At} x_0 + \int_0^t e^{A(t-s)} B u(s) ds$, so the "
    r"output is $C e^{At} x_0 + \int_0^t h(t - s) u(s) ds + D u(t)$ with the impulse response $h(t)$, $C e^{At} B$: the "
    "initial state's fading trace, and the past input, weighted by how long ago it was.",
)


derivation.numeric(
    r"y(t) = C e^{At} x_0 + \int_0^t h(t - s)\, u(s)\, ds + D\, u(t)",
    because=r"The example's system from the state $(1, -2)$, with the direct share 3 and the input $\sin 2t$, at time 1: "
    "Gauss's quadrature of the convolution against the differential equation, solved step by step.",
    tolerance=1e-8,
    since="the solver keeps ten digits",
    role="lemma",
)(the_output_is_a_convolution)


derivation.symbol("x_0", "the state at time 0", "initial")
derivation.symbol("y, u", "the output and the input")
h = derivation.define("h", Total(i, times(C, Total(j, times(E, B)))), "the impulse response", "impulse_response")
two_exponentials = plus(
    times(exp(-alpha * t), Total(i, times(C, Total(j, times(P, B))))),
    times(exp(-beta * t), Total(i, times(C, Total(j, times(identity - P, B))))),
)
derivation.answer = prose(
    "Once the state's own motion is undone, only the input moves it, {undone}: the state is $e^{At} x_0$ plus what every past "
    "input has left. So the output from rest depends on the system through $D$ and the impulse response {response}, a sum of "
    "exponentials, or, which is the same, through its Laplace transform. The coordinates of the state do not matter: a "
    "diagonal matrix does whatever a matrix with different eigenvalues can do.",
    undone=holds(undone, "=", Total(j, times(E_back, driven)), wrong={"the input in place": driven}),
    response=holds(h, "=", two_exponentials),
)
derivation.chain(
    "The impulse response is a sum of exponentials",
    h,
    equals(
        two_exponentials,
        "insert the projections",
        wrong={
            "the parts exchanged": plus(
                times(exp(-beta * t), Total(i, times(C, Total(j, times(P, B))))),
                times(exp(-alpha * t), Total(i, times(C, Total(j, times(identity - P, B))))),
            )
        },
    ),
    so=r"In general, if $A$ is $V \Lambda V^{-1}$ with eigenvalues $\lambda_i$, then $h(t)$ is $\sum_i (CV)_i (V^{-1}B)_i "
    r"e^{\lambda_i t}$: one rate and one weight for each state are all that can be observed from outside, whatever the "
    "number of entries of $A$. A model with a diagonal, complex $A$ has as many: it loses nothing but the matrices without a "
    "basis of eigenvectors.",
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
    "Other coordinates of the state leave the impulse response as it is",
    Total(k, times(T_inverse.at(i, k), T.at(k, j))),
    equals(identity, "Cramer's rule for two states"),
    role="lemma",
    so="So the $k$-th power of $T A T^{-1}$ is $T A^k T^{-1}$: every inner pair $T^{-1} T$ is the identity. In the response "
    "of $(T A T^{-1}, T B, C T^{-1})$ the outer pairs cancel as well, in each term of the series: $h(t)$ is the same for "
    "every $T$.",
)


derivation.numeric(
    r"C\, T^{-1} e^{T A T^{-1} t}\, T B = C e^{At} B",
    because="A random system of four states with complex eigenvalues, and a random change of coordinates, at three times.",
    role="remark",
)(other_coordinates)


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
    "The integral of one exponential is what it has lost, over its rate",
    Integral(exp(-alpha * r), (r, 0, t)),
    equals((1 - exp(-alpha * t)) / alpha, r"the antiderivative $-e^{-\alpha r} / \alpha$ at both ends"),
    role="lemma",
)
derivation.chain(
    "The integral of the exponential is the inverse matrix times what it has gained",
    S,
    equals(
        Total(k, times(A_inverse.at(i, k), E.at(k, j) - KroneckerDelta(k, j))),
        prose("{inverse}, the identity", inverse=holds(Total(k, times(A_inverse.at(i, k), A.at(k, j))), "=", identity)),
    ),
    role="lemma",
    so=r"So the step response from rest is $C A^{-1} (e^{At} - I) B + D$, if $A$ has an inverse.",
)
F = derivation.define("F({})", Total(j, times(S, B)), "the state after a time $t$ of the input 1, from rest", over=i)
one_exponential = derivation.chain(
    "One exponential does both, also where the matrix has no inverse",
    Slope(F, t),
    equals(Total(j, times(E, B)), "the slope of an integral"),
    equals(
        plus(Total(j, times(A, F.at(j))), B.at(i)),
        prose(
            "{whole}, which is the integral of the exponential's slope",
            whole=holds(E, "=", plus(Total(k, times(A.at(i, k), S.at(k, j))), identity)),
        ),
    ),
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
    "The resolvent is the inverse of $sI - A$",
    Total(k, times(s * KroneckerDelta(i, k) - A.at(i, k), resolvent.at(k, j))),
    equals(
        identity,
        prose("{matrix}", matrix=holds(s * identity - A, "=", plus(times(s + alpha, P), times(s + beta, identity - P)))),
        wrong={"the resolvent itself": resolvent},
    ),
    role="lemma",
    so=r"So $H(s)$ is $C (sI - A)^{-1} B + D$.",
)
horizon = derivation.number("R", "how long is listened", positive=True)
derivation.chain(
    "The Laplace transform of an exponential is one over the frequency and its rate, added up",
    Limit(Integral(exp(-(s + alpha) * r), (r, 0, horizon)), horizon, oo),
    equals(1 / (s + alpha), r"$(1 - e^{-(s + \alpha) R}) / (s + \alpha)$, of which what is left at $R$ vanishes"),
    role="lemma",
    so=r"It exists for every complex $s$ with a real part above $-\alpha$.",
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
in_the_end = derivation.chain(
    "In the end a constant input of this stable system makes a constant state",
    Limit(F, t, oo),
    equals(
        -Total(j, times(A_inverse, B)),
        prose("{one}, and so for the other", one=holds(Limit((1 - exp(-alpha * t)) / alpha, t, oo), "=", 1 / alpha)),
    ),
    so=prose(
        r"The initial state is forgotten, {forgotten}, and the output goes to $-C A^{-1} B + D$. This is $H(0)$, the gain at "
        "frequency 0.",
        forgotten=holds(Limit(exp(-alpha * t), t, oo), "=", 0),
    ),
    role="remark",
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
steps = derivation.bridge(
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


derivation.algorithm(
    "A system with an input that changes in steps, exactly",
    do(r"$G \leftarrow$ the blocks $A$, $B$ over zeros; $e^{Gt}$ has $e^{At}$ and $F(t)$", state_transition, by=one_exponential),
    do(r"for each interval of length $t$ with the input $u$: $x \leftarrow e^{At} x + F(t) u$", step_response, by=steps),
    do(r"$y \leftarrow C x + D u$; or from the past: $h(t)$ at every lag", impulse_response, by=variation_of_constants, indent=1),
    do(r"if the input never changes again: $y \to$ the gain $H(0)$ times $u$", transfer_function, by=in_the_end),
)(two_intervals)


_of_example = {B.at(0): 0, B.at(1): 1, C.at(0): 1, C.at(1): 0, D: 0}


derivation.example(
    prose(
        r"The matrix $\begin{pmatrix} -1 & 1 \\ 0 & -2 \end{pmatrix}$, so {alpha}, {p}, {kappa} and {beta}; $B$ is $(0, "
        r"1)^\top$, $C$ is $(1, 0)$ and $D$ is 0, from rest. $e^{At}$ is $\begin{pmatrix} e^{-t} & e^{-t} - e^{-2t} \\ 0 & "
        r"e^{-2t} \end{pmatrix}$, so {response}, the step response is $\frac12 - e^{-t} + \frac12 e^{-2t}$, and {transfer}.",
        alpha=where(alpha, 1),
        p=where(p, 1),
        kappa=where(kappa, 1),
        beta=where(beta, 2),
        response=holds(h, "=", exp(-t) - exp(-2 * t), when=_of_example),
        transfer=holds(H, "=", 1 / ((s + 1) * (s + 2)), when=_of_example),
    )
)(two_decays_in_a_chain)


derivation.figure(
    r"Left: the impulse response of the example, and its two exponentials (gray); the shaded area, up to the time $\log 2$, "
    r"is the step response there, $\frac18$, on its way to $H(0)$. Right: the length $\|e^{At}\|$ for the matrix with $-1$ "
    "twice on its diagonal and $k$ above: for a large $k$ it grows before it decays, although both eigenvalues are $-1$.",
    panels=2,
)(responses)
