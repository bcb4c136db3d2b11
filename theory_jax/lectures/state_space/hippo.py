"""HiPPO: a memory by projection.

The lecture on the functions of theory_jax/state_space/hippo.py.
"""

import sympy
from sympy import Integral, KroneckerDelta, Max, Min, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.state_space._hippo import a_ramp, remembered_signal, two_values
from theory_jax.state_space.hippo import legendre_basis, legs_matrices, legs_step, legt_matrices, reconstruct

derivation = Derivation(
    module=__name__,
    title="HiPPO: a memory by projection",
    lectures=(56,),
    sources=(
        "Voelker, Kajic & Eliasmith 2019, Legendre memory units",
        "Gu et al. 2020, HiPPO: recurrent memory with optimal polynomial projections",
        "Gu et al. 2023, How to train your HiPPO: state space models with generalized orthogonal basis projections",
    ),
    question="A recurrent state has a fixed number of entries and must summarize an ever longer past; with random matrices it "
    "forgets exponentially fast or explodes. Which matrices keep it the best summary of everything so far (LegS), or of a "
    "sliding window (LegT)?",
    setting=(
        r"The signal $f$ is continuous on $[0, \infty)$. A summary consists of $N$ numbers, the coefficients of a polynomial "
        "of degree below $N$; the best one has the smallest mean squared error over the stretch that is remembered.",
        r"$g_n(x)$ are Legendre's polynomials $P_n(2x - 1)$, moved to $[0, 1]$ and normalized by $\sqrt{2n+1}$. Of what is "
        r"remembered, 0 is the beginning, and 1 is now.",
        r"LegS remembers all of $[0, t]$ and has the coefficients $c_n(t)$, the integrals $\int_0^1 f(tx)\, g_n(x)\, dx$, at "
        r"positive $t$. LegT remembers $[t - \theta, t]$ and has $d_n(t)$, which is $\int_0^1 f(t - \theta + \theta x)\, "
        r"g_n(x)\, dx$, from the time $\theta$ on.",
        "The chains are executed with two to four numbers, on polynomials $f$ with arbitrary coefficients, of a degree that "
        "$N$ numbers cannot hold. The moves are the same for every $N$; of $f$ they use Leibniz' rule and integration by "
        "parts.",
    ),
    limits=(
        "How fast the error falls with $N$ for a given kind of signal, and how large LegT's error of closure becomes.",
        "That training keeps this structure, or that a trained model uses its state as such a memory: in structured models "
        "these matrices are an initialization.",
    ),
    trained="The matrices of this page are derived. `state_space/diagonal` trains, and starts from their diagonal form with "
    "`--kind legs`.",
)

n = derivation.index("n", "the number of a basis polynomial")
k = derivation.index("k", "another")
m = derivation.index("m", "a power of the time")
x = derivation.number("x", "a position in the memory", "points", between=(0, 1))
t = derivation.number("t", "now", positive=True)
tau = derivation.number(r"\tau", "a time in the past", positive=True)
theta = derivation.number(r"\theta", "the length of the window", "window", positive=True)
a = derivation.numbers("a", m, "the coefficients of the signal as a polynomial of the time")


def _signal(written, time, meaning):
    return derivation.define(f"f({written})", Total(m, a * time**m), meaning)


def _basis(place, count):
    return sum(KroneckerDelta(n, i) * sqrt(2 * i + 1) * sympy.legendre(i, 2 * place - 1) for i in range(count))


s = derivation.define("s", sqrt(2 * n + 1), "the factor that normalizes", "legs_matrices", over=n)
g = derivation.define("g_{{{}}}(x)", _basis(x, 4), "the basis", "legendre_basis", over=n)
above = derivation.define("[{} > {}]", Max(0, Min(1, n - k)), "1 if the first number is the larger one, else 0", over=(n, k))
derivation.symbol("P_n", "Legendre's polynomial of degree $n$ on $[-1, 1]$")
derivation.symbol("y", "the variable $2x - 1$")

derivation.chain(
    "The basis is orthonormal",
    Integral(times(g, g.at(k)), (x, 0, 1)),
    equals(
        KroneckerDelta(n, k),
        r"in the variable $y$ it is $\frac12 s_n s_k \int_{-1}^1 P_n P_k\, dy$, and the integral of $P_n^2$ is $2 / (2n+1)$",
        wrong={"not normalized": KroneckerDelta(n, k) / (2 * n + 1), "on an interval of length 2": 2 * KroneckerDelta(n, k)},
    ),
    role="lemma",
)


@derivation.symbolic(
    r"(2n+1) P_n = P_{n+1}' - P_{n-1}' \quad\text{and}\quad y P_n' = n P_n + P_{n-1}'",
    because="Legendre's polynomials are the coefficients of the powers of $z$ in $(1 - 2yz + z^2)^{-1/2}$, from which both "
    "follow; $n$ from 1 to 4.",
    role="lemma",
)
def slopes_of_legendre():
    y = sympy.Symbol("y")
    P = [sympy.legendre(degree, y) for degree in range(6)]
    slopes = [sympy.diff(polynomial, y) for polynomial in P]
    degrees = range(1, 5)
    left = [(2 * j + 1) * P[j] for j in degrees] + [y * slopes[j] for j in degrees]
    right = [slopes[j + 1] - slopes[j - 1] for j in degrees] + [j * P[j] + slopes[j - 1] for j in degrees]
    wrong = {"the slopes added": [slopes[j + 1] + slopes[j - 1] for j in degrees] + right[4:]}
    return Sides(left=left, right=right, wrong=wrong)


derivation.chain(
    "The slope of a basis polynomial, times the position, is a combination of the basis",
    times(x, Slope(g, x)),
    equals(
        plus(times(n, g), Total(k, times(above, s, s.at(k), g.at(k)))),
        r"$x\, dg_n/dx$ is $s_n (1 + y) P_n'$, by the lemma $s_n (n P_n + P_{n-1}' + P_n')$, and the slopes telescope: the "
        "last two add up to the sum of $(2k+1) P_k$ over the $k$ below $n$",
        wrong={"not normalized": n * g + Total(k, above * s.at(k) ** 2 * g.at(k))},
    ),
    states=4,
    role="lemma",
)
derivation.chain(
    "The slope of a basis polynomial is a combination of every second one below it",
    Slope(g, x),
    equals(
        Total(k, times(above, 1 - (-1) ** (n - k), s, s.at(k), g.at(k))),
        "$P_n'$ is $(2n-1) P_{n-1} + P_{n-2}'$, down in steps of two; $dy/dx$ is 2, so the factor is 2 where $n - k$ is odd, "
        "else 0",
    ),
    states=4,
    role="lemma",
)

derivation.say(
    "Why these coefficients? Because no other polynomial of the same degree is closer. Then their equation of motion: first "
    "for all of the past."
)
f_now = _signal("t", t, "the signal now")
f_past = _signal(r"\tau", tau, "... in the past")
f_tx = _signal("tx", t * x, "... at a share of the past")
g_past = derivation.define(r"g_{{{}}}(\tau/t)", _basis(tau / t, 3), "the basis over all of the past", over=n)
c = derivation.define("c", Integral(f_tx * g, (x, 0, 1)), "LegS: the coefficients of all of the past", over=n)
v = derivation.numbers("v", n, "any coefficients", "coefficients")
best = derivation.chain(
    "The coefficients are the best summary",
    Integral((f_tx - Total(n, v * g)) ** 2, (x, 0, 1)),
    equals(
        plus(Integral(f_tx**2, (x, 0, 1)), -SquaredNorm(n, c), SquaredNorm(n, v - c)),
        r"the basis is orthonormal, so it is $\int f^2 - 2 \sum_n v_n c_n + |v|^2$; complete the square of every coefficient",
        wrong={"one cross term": plus(Integral(f_tx**2, (x, 0, 1)), -Total(n, v * c), SquaredNorm(n, v))},
    ),
    at_least(
        plus(Integral(f_tx**2, (x, 0, 1)), -SquaredNorm(n, c)),
        prose("leave out the squares; they are zero only where {same} for every $n$", same=where(v, c)),
        dropping=SquaredNorm(n, v - c),
    ),
    sizes={n: 2, k: 2, m: 3},
    so=r"The same holds of $d$ over the window. If $f$ is a polynomial of degree below $N$, the minimum is zero: it is "
    r"remembered exactly.",
)
A = derivation.define(
    "A_{{{}{}}}", -above * s * s.at(k) - KroneckerDelta(n, k) * (n + 1), "LegS: the matrix", "legs_matrices", over=(n, k)
)
carried = Integral(times(f_tx, x, Slope(g, x)), (x, 0, 1))
below = Total(k, times(above, s, s.at(k), c.at(k)))
moves = Slope(times(1 / t, Integral(times(f_past, g_past), (tau, 0, t))), t)
derivation.chain(
    "LegS: the coefficients of all of the past obey a linear equation",
    moves,
    equals(
        times(1 / t, plus(-c, times(s, f_now), -carried)),
        prose(
            r"the product rule for $1/t$; Leibniz' rule: the upper end adds $f(t)\, g_n(1)$, where $g_n$ is {end}, and the "
            r"slope of $g_n(\tau/t)$ in $t$ is $-\frac{\tau}{t^2} g_n'$; then substitute $tx$ for $\tau$",
            end=holds(g, "=", s, when={x: 1}, named=True),
        ),
    ),
    equals(
        times(1 / t, plus(times(s, f_now), -times(n + 1, c), -below)),
        "the slope times the position is a combination of the basis; its integrals are coefficients",
        wrong={
            "2n + 1 on the diagonal": (s * f_now - (2 * n + 1) * c - below) / t,
            "n + 1/2 on the diagonal": (s * f_now - (n + sympy.Rational(1, 2)) * c - below) / t,
            "the upper triangle": (s * f_now - (n + 1) * c - Total(k, above.at(k, n) * s * s.at(k) * c.at(k))) / t,
        },
    ),
    equals(
        times(1 / t, plus(Total(k, times(A, c.at(k))), times(s, f_now))),
        "collect the coefficients into a matrix",
        wrong={"A transposed": (Total(k, A.at(k, n) * c.at(k)) + s * f_now) / t},
    ),
    sizes={m: 4},
    central=True,
    so=prose(
        r"The first expression is $\dot c_n$. So $c$ changes at the rate $\frac1t (Ac + Bf)$ with $s_n$ for $B_n$, without "
        "any approximation. $A$ is lower triangular: its eigenvalues are its diagonal, {eigenvalue}, from $-1$ to $-N$, and "
        "a memory of $N$ numbers contains those of fewer.",
        eigenvalue=holds(A.at(n, n), "=", -(n + 1)),
    ),
)
speed = derivation.number(r"\alpha", "how many times faster the signal is played", positive=True)
f_fast = _signal(r"\alpha tx", speed * t * x, "the signal, played faster")
g_fast = derivation.define(r"g_{{{}}}(\tau/\alpha t)", _basis(tau / (speed * t), 2), "the basis over a longer past", over=n)
derivation.chain(
    "LegS has no time scale",
    Integral(times(f_fast, g), (x, 0, 1)),
    equals(
        times(1 / (speed * t), Integral(times(f_past, g_fast), (tau, 0, speed * t))),
        r"substitute $\alpha t x$ for $\tau$",
        wrong={"at the same time": Integral(f_past * g_past, (tau, 0, t)) / t},
    ),
    sizes={n: 2, m: 2},
    so=r"The coefficients of $f(\alpha\,\cdot)$ at $t$ are those of $f$ at $\alpha t$: a signal that is played faster is "
    r"remembered equally well, only sooner. A window has a scale that must be chosen.",
    role="remark",
)

derivation.say("A window that slides: what leaves it must be known, too.")
f_first = _signal(r"t-\theta", t - theta, "the signal at the beginning of the window")
f_window = _signal(r"t-\theta+\theta x", t - theta + theta * x, "the signal in the window")
d = derivation.define("d", Integral(f_window * g, (x, 0, 1)), "LegT: the coefficients of the window", over=n)
slid = Integral(times(f_window, Slope(g, x)), (x, 0, 1))
odd = Total(k, times(above, 1 - (-1) ** (n - k), s, s.at(k), d.at(k)))
derivation.chain(
    "LegT: the value that leaves the window enters the equation",
    Slope(d, t),
    equals(
        times(1 / theta, plus(times(s, f_now), -times((-1) ** n, s, f_first), -slid)),
        prose(
            "{slide}; integrate by parts: $g_n$ is {now} at 1, and {first} at 0",
            slide=holds(Slope(f_window, t), "=", Slope(f_window, x) / theta),
            now=holds(g, "=", s, when={x: 1}, named=True),
            first=holds(g, "=", (-1) ** n * s, when={x: 0}, named=True),
        ),
    ),
    equals(
        times(1 / theta, plus(times(s, f_now), -times((-1) ** n, s, f_first), -odd)), "the slope is a combination of the basis"
    ),
    sizes={n: 2, k: 2, m: 3},
    so=r"This is exact, but no equation in $d$ alone: $f(t - \theta)$ has to be stored somewhere else.",
    role="lemma",
)
A_window = derivation.define(
    r"A^\theta_{{{}{}}}",
    -s * s.at(k) / theta * (1 - above.at(k, n) + above.at(k, n) * (-1) ** (n - k)),
    "LegT: the matrix",
    "legt_matrices",
    over=(n, k),
)
remembered = Total(k, times((-1) ** k, s.at(k), d.at(k)))
closure = derivation.chain(
    "LegT: the memory supplies the value that leaves, exactly if the signal is a polynomial of low degree",
    times(1 / theta, plus(times(s, f_now), -times((-1) ** n, s, f_first), -odd)),
    equals(
        times(1 / theta, plus(times(s, f_now), -times((-1) ** n, s, remembered), -odd)),
        prose(
            r"replace $f(t-\theta)$ by what is remembered of the beginning; $f$ is a polynomial of degree below $N$ here, so "
            "this is exact, {exact}",
            exact=holds(f_first, "=", remembered),
        ),
    ),
    equals(
        plus(Total(k, times(A_window, d.at(k))), times(s, f_now) / theta),
        "the factor of $s_n s_k d_k$ is $(-1)^{n+k} + 1 - (-1)^{n-k}$, that is 1, for the $k$ below $n$, and $(-1)^{n+k}$ "
        "from $n$ on",
        wrong={"the signs on the other side": Total(k, A_window.at(k, n) * d.at(k)) + s * f_now / theta},
    ),
    sizes={m: 3},
    so=r"So $d$ changes at the rate $A^\theta d + B^\theta f$ with $s_n / \theta$ for $B^\theta_n$. The closure is the only "
    "approximation of LegT.",
)
derivation.say(
    r"Stability. Let the signal be zero from now on: what becomes of coefficients $v$? Their energy is the mean square of what "
    r"is remembered, because the basis is orthonormal."
)
r = derivation.define("r(x)", Total(n, v * g), "what the coefficients remember", "reconstruct")
r_now = derivation.define("r(1)", Total(n, s * v), "... of now")
r_first = derivation.define("r(0)", Total(n, (-1) ** n * s * v), "... of the beginning")
derivation.chain(
    "LegS loses energy at a rate of at least one",
    times(2, Total(n, times(v, Total(k, times(A, v.at(k)))))),
    equals(
        plus(-(r_now**2), -SquaredNorm(n, v)),
        prose("{symmetric}", symmetric=holds(plus(A, A.at(k, n)), "=", -plus(times(s, s.at(k)), KroneckerDelta(n, k)))),
        wrong={"the beginning for now": plus(-(r_first**2), -SquaredNorm(n, v))},
    ),
    at_most(-SquaredNorm(n, v), "leave out a square", adding=r_now**2),
    so=r"The first expression is $t\, \frac d{dt} |v|^2$ without a signal. So $|v|^2$ falls at least as fast as $1/t$: a "
    "signal fades as its share of the past does.",
)
derivation.chain(
    "LegT loses energy at both ends, and only there",
    times(2, Total(n, times(v, Total(k, times(A_window, v.at(k)))))),
    equals(
        -plus(r_now**2, r_first**2) / theta,
        prose(
            "{symmetric}",
            symmetric=holds(times(theta, plus(A_window, A_window.at(k, n))), "=", -times(s, s.at(k), plus(1, (-1) ** (n + k)))),
        ),
    ),
    at_most(0, "leave out the squares", adding=plus(r_now**2, r_first**2) / theta),
    role="lemma",
)
derivation.chain(
    "LegT moves what is between both ends",
    times(theta, Total(k, times(A_window, v.at(k)))),
    equals(
        plus(Integral(times(Slope(r, x), g), (x, 0, 1)), -times(s, r_now)),
        "integrate by parts, backwards: the end at 0 is the closure",
        wrong={"the beginning": Integral(Slope(r, x) * g, (x, 0, 1)) - s * r_first},
    ),
    states=2,
    role="lemma",
    so=r"Hence no eigenvalue $\lambda$ of LegT has real part 0: its energy would stay, so $r$ would be 0 at both ends, and "
    r"this line would say that $\theta \lambda r$ is $r'$. A slope has a lower degree, so $\lambda$ or $r$ is 0; and if "
    r"$\lambda$ is, $r$ is constant and 0 at its ends. No real part is positive, because no energy grows: all are negative.",
)

derivation.say(
    r"Online. Values $f_1, f_2, \dots$ arrive at the times $j\Delta$, and the bilinear rule takes LegS over a step with its "
    r"$1/t$ at the end of the step: $c - c^-$ is $\frac\Delta2 \frac1{j\Delta} (A(c + c^-) + 2 B f_j)$. The step $\Delta$ "
    "cancels."
)
j = derivation.number("j", "how many values have come, with this one", "index", between=(1, 40))
f_j = derivation.number("f_j", "the value that comes", "value")
before = derivation.numbers("c^-", n, "the memory before it comes", "coefficients")
first = ((1 - 1 / (2 * j)) * before.at(0) + f_j / j) / (1 + 1 / (2 * j))
second = ((1 - 1 / j) * before.at(1) + sqrt(3) / j * (f_j - (before.at(0) + first) / 2)) / (1 + 1 / j)
after = derivation.define(
    "c_{{{},j}}", KroneckerDelta(n, 0) * first + KroneckerDelta(n, 1) * second, "the memory after it came", "legs_step", over=n
)
online = derivation.chain(
    "The bilinear step is solved row by row, since the matrix is triangular",
    plus(before, times(1 / (2 * j), Total(k, times(A, plus(before.at(k), after.at(k))))), times(1 / j, s, f_j)),
    equals(
        after,
        prose(
            "$A$ is triangular: the first row has one unknown, {first}, and each row below it one more: $(1 + "
            r"\frac{n+1}{2j}) c_n$ is $(1 - \frac{n+1}{2j}) c^-_n + \frac{s_n}j \left(f_j - \frac12 \sum_k s_k (c_k + "
            r"c^-_k)\right)$, with the $k$ below $n$",
            first=holds(times(1 + 1 / (2 * j), after.at(0)), "=", plus(times(1 - 1 / (2 * j), before.at(0)), f_j / j)),
        ),
        wrong={
            "forward Euler": before + (Total(k, A * before.at(k)) + s * f_j) / j,
            "1/j forgotten": before + Total(k, A * (before.at(k) + after.at(k))) / 2 + s * f_j,
        },
    ),
    sizes={n: 2, k: 2},
    so="What drives a coefficient is the error of the coefficients before it: the sum of their $s_k c_k$ is what they "
    "remember of now.",
    role="lemma",
)
derivation.chain(
    "A constant stays remembered",
    plus(Total(k, times(A, KroneckerDelta(k, 0))), s),
    equals(0, prose("{column}, also on the diagonal", column=holds(A.at(n, 0), "=", -s)), wrong={"B of ones": s - 1}),
    states=4,
    role="lemma",
    so=r"So $(f, 0, \dots, 0)$ is a fixed point for a signal that stays $f$, at every $j$.",
)
derivation.chain(
    "The error of starting from zero dies out",
    times(1 / (2 * j - 1), (1 - 1 / (2 * j)) / (1 + 1 / (2 * j))),
    equals(1 / (2 * j + 1), r"multiply by $2j$ above and below", wrong={"two at a time": 1 / (2 * j + 3)}),
    role="lemma",
    so=r"In the mode of eigenvalue $-1$ an error is multiplied by $\frac{2j-1}{2j+1}$ in step $j$, so by $\frac1{2j+1}$ in the "
    r"first $j$ of them. In the mode $-2$ it is gone after the first step, where the factor $\frac{2j-2}{2j+2}$ is 0.",
)

derivation.bridge("The code has LegS's matrices", (A.at(k, n), s), legs_matrices, order=4, wrong={"A transposed": (A, s)})
derivation.bridge(
    "... and LegT's",
    (A_window.at(k, n), s / theta),
    legt_matrices,
    order=4,
    window=theta,
    wrong={"A transposed": (A_window, s / theta), "LegS": (A.at(k, n) / theta, s / theta)},
)
derivation.bridge("... the basis", g, legendre_basis, points=[x], order=4, wrong={"not normalized": g / s})
derivation.bridge(
    "... what is remembered", r, reconstruct, points=[x], coefficients=[v], wrong={"not normalized": Total(n, v * g / s)}
)
derivation.bridge("... and the online step", after, legs_step, value=[f_j], coefficients=[before], index=j, states=2)

derivation.answer = prose(
    "Differentiating the coefficients gives a linear equation in the coefficients themselves, because the slopes of the "
    r"basis are combinations of the basis. For LegS, $c$ changes at the rate $\frac1t (Ac + Bf)$, here with {column} and "
    "{eigenvalue}: this is exact and has no parameter, not even a time scale. For LegT one term is the value that leaves the "
    r"window, which the memory itself must supply: the rate $A^\theta d + B^\theta f$ is exact if $f$ is a polynomial of "
    "degree below $N$ on the window. Both are stable: without a signal their energy falls, LegT's at the rate {lost}.",
    column=holds(A.at(n, 0), "=", -s),
    eigenvalue=holds(A.at(n, n), "=", -(n + 1), wrong={"twice": -(2 * n + 1)}),
    lost=holds(
        -times(2, Total(n, times(v, Total(k, times(A_window, v.at(k)))))), "=", plus(r_now**2, r_first**2) / theta, named=True
    ),
)


derivation.algorithm(
    "An online memory",
    do(r"$c \leftarrow 0$; for each value $f_j$, with $j$ from 1 on:"),
    do(
        r"for $n$ from 0 to $N - 1$: solve row $n$ of the bilinear rule for $c_n$, with LegS's $A$ and $B$",
        legs_step,
        by=online,
        indent=1,
    ),
    do("for a sliding window in its place: take LegT's matrices, and any rule for a step", legt_matrices, by=closure),
    do(r"read the past: $r(x) \leftarrow \sum_n c_n g_n(x)$, from the beginning, 0, to now, 1", reconstruct, by=best),
)(two_values)


derivation.example(
    prose(
        r"A ramp, of which $f(\tau)$ is $\tau$, in two numbers at time 1: {first} and {second}. Both grow like $t$, so $\dot "
        "c$ is $c$, and $Ac + Bf$ must give the same. Then online: first one value, 1; then 60 values $j/60$ of this ramp: "
        "their memory differs from $c$ by less than $1/60$.",
        first=holds(c.at(0), "=", sympy.Rational(1, 2), when={a: KroneckerDelta(m, 1), t: 1}),
        second=holds(c.at(1), "=", 1 / (2 * sqrt(3)), when={a: KroneckerDelta(m, 1), t: 1}),
    )
)(a_ramp)


derivation.figure(
    r"A signal of 60 values (gray), and what is remembered of it at the end. Left: LegS with 4, 8 and 16 numbers, online; the "
    r"first 4 and 8 of the 16 are the smaller memories. Right: LegT with a window of a quarter and 8 numbers, by the bilinear "
    r"rule.",
    panels=2,
)(remembered_signal)
