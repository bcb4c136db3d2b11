"""The frequencies of a signed rank-one matrix solve an equation of arctangents."""

import sympy
from sympy import atan, cos, sin

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation

derivation = Derivation(
    module=__name__,
    title="The frequencies of a signed rank-one matrix solve an equation of arctangents",
    question="A matrix of rank one becomes skew when the signs below its diagonal are turned. What are its eigenvalues?",
    setting=(
        r"$S$ has the entries $\frac12 s_n s_k$ for $n < k$, their negatives for $n > k$, and 0 for $n = k$, where $0 \le n, k < "
        r"N$ and all $s_n$ are positive. A real skew matrix has imaginary eigenvalues: $S v = i\omega v$.",
    ),
    sources=("Gu, Goel & Re 2022, Efficiently modeling long sequences with structured state spaces, for $s_n^2 = 2n + 1$",),
)
for _written, _meaning in (
    ("v_n", "an entry of an eigenvector of $S$"),
    ("q_n", r"$\frac12 s_n^2$"),
    ("F_n", r"$\sum_{k<n} s_k v_k$"),
    ("G_n", r"$F_n - \frac12 F_N$"),
    ("S", "the matrix"),
    ("N", "the number of its rows"),
    ("s_n", "the vector of which it is made"),
    (r"\omega", "a frequency: an eigenvalue is $i\\omega$"),
    ("i", r"the imaginary unit, $i^2 = -1$"),
):
    derivation.symbol(_written, _meaning)


@derivation.symbolic(
    r"-q_n \left(F_n - (F_N - F_{n+1})\right) - i\omega s_n v_n = -q_n (G_n + G_{n+1}) - i\omega (G_{n+1} - G_n)",
    because=r"Row $n$ of $S v = i\omega v$ times $s_n$: entries left of the diagonal multiply $F_n$, those right of it $F_N - "
    r"F_{n+1}$ with the other sign, and $s_n v_n = F_{n+1} - F_n$. Half of $F_N$ goes to each side.",
)
def one_row():
    q, now, then, end, omega = sympy.symbols("q_n F_n F_1 F_N omega")
    row = -q * (now - (end - then)) - sympy.I * omega * (then - now)
    g, later = now - end / 2, then - end / 2
    moved = -q * (g + later) - sympy.I * omega * (later - g)
    return Sides(left=row, right=moved, wrong={"the last sum not halved": moved + q * end})


derivation.say(
    r"The row is zero, so $G_{n+1} / G_n = -\frac{q_n - i\omega}{q_n + i\omega}$. Since $F_0 = 0$, the first and the last are "
    r"opposite, $G_N = -G_0$: the product of all $N$ quotients is $-1$."
)


@derivation.symbolic(
    r"\det(i\omega - S) = \tfrac12 \prod_n (i\omega + q_n) + \tfrac12 \prod_n (i\omega - q_n)",
    because=r"So the condition is the characteristic equation, and no frequency is lost or added: for $N = 2, 3, 4$, all "
    r"$\omega$ and all $s_n$.",
)
def the_characteristic_polynomial():
    omega, found, right, single = sympy.Symbol("omega"), [], [], []
    for order in (2, 3, 4):
        s = sympy.symbols(f"s_:{order}", positive=True)
        skew = sympy.Matrix(order, order, lambda n, k, s=s: sympy.sign(k - n) * s[n] * s[k] / 2)
        found.append(sympy.expand((sympy.I * omega * sympy.eye(order) - skew).det(method="berkowitz")))
        rising, falling = (sympy.prod(sympy.I * omega + sign * one**2 / 2 for one in s) for sign in (1, -1))
        right.append(sympy.expand((rising + falling) / 2))
        single.append(sympy.expand(rising))
    return Sides(left=found, right=right, wrong={"the first product alone": single})


q = derivation.number("q", "one of the $q_n$", positive=True)
w = derivation.number("w", "a positive frequency", positive=True)
rotation = derivation.chain(
    "The frequencies of a signed rank-one matrix solve an equation of arctangents",
    sympy.Matrix([[w**2 - q**2, 2 * q * w]]) / (w**2 + q**2),
    equals(
        sympy.Matrix([[cos(2 * atan(q / w)), sin(2 * atan(q / w))]]),
        r"the real and the imaginary part of a quotient, $-\frac{q - i\omega}{q + i\omega} = -\frac{(q - i\omega)^2}{q^2 + "
        r"\omega^2}$; $\cos 2\theta = \frac{1 - \tan^2\theta}{1 + \tan^2\theta}$ and $\sin 2\theta = \frac{2\tan\theta}{1 + "
        r"\tan^2\theta}$",
        wrong={"turned the other way": sympy.Matrix([[cos(2 * atan(q / w)), -sin(2 * atan(q / w))]])},
    ),
    central=True,
    role="lemma",
    so=r"So each quotient is $e^{2i \arctan(q/\omega)}$, and their product $e^{2i \sum_n \arctan(q_n/\omega)} = -1$: the sum of "
    r"the arctangents is $\frac\pi2 + \pi j$ with a whole number $j$. It falls from $\frac{N\pi}2$ to 0 as $\omega$ rises, so "
    r"there is one positive frequency for each $j < \frac{N-1}2$.",
)
