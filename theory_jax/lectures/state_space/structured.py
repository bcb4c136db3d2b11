"""Structured state spaces: a matrix that is normal but for one vector.

The lecture on the functions of theory_jax/state_space/structured.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Max, Min, Rational, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.lemmas.signed_rank_one import rotation
from theory_jax.lectures.state_space._structured import (
    EXAMPLE,
    LENGTH,
    ORDER,
    OUTPUT,
    STEP,
    by_transform,
    in_eigenvectors,
    left_eigenvectors,
    spectra_and_conditions,
)
from theory_jax.state_space.convolution import convolution_kernel
from theory_jax.state_space.discretization import bilinear
from theory_jax.state_space.hippo import legs_matrices
from theory_jax.state_space.structured import cauchy_product, low_rank_resolvent, low_rank_vector, normal_part, structured_kernel

derivation = Derivation(
    module=__name__,
    title="Structured state spaces: a matrix that is normal but for one vector",
    lectures=(56,),
    sources=(
        "Woodbury 1950, Inverting modified matrices",
        "Gu et al. 2020, HiPPO: recurrent memory with optimal polynomial projections",
        "Gu, Goel & Re 2022, Efficiently modeling long sequences with structured state spaces",
    ),
    question="The matrix of HiPPO's memory is dense, so that every entry of its kernel takes one more power of it, and its "
    "eigenvectors are nearly parallel: with a few dozen states, numbers that are rounded lose all digits in a change to "
    "them. How is the kernel of such a system computed nevertheless?",
    setting=(
        "$A$ and $B$ are those of LegS: $-s_n s_k$ below the diagonal, $-(n+1)$ on it, 0 above it, and $B$ is $s$, with "
        r"$\sqrt{2n+1}$ for $s_n$. The numbers $r_n$, which are $s_n / \sqrt2$, are its low rank.",
        r"A normal matrix is $V \Lambda V^*$ with a unitary $V$ and a diagonal $\Lambda$. In the coordinates $V^* x$ the "
        r"system has $\Lambda - p p^*$, $b$ and $c$, complex vectors; of LegS, $p$ is $V^* r$ and $b$ is $V^* B$. $c^*$ is "
        "the conjugate row.",
        "Conjugates are written as symbols of their own: what holds for all $p_n$ and all $p^*_n$ holds if they are "
        r"conjugates. $g$ is a node, which is no eigenvalue of $\Lambda$ or of $\Lambda - p p^*$: neither $g - \lambda_n$ "
        "nor $1 + k_{pp}$ is 0.",
        r"$\bar A, \bar B$ are the bilinear rule's at the step $\Delta$, and the kernel $K_l$ is the real part of $c^* \bar "
        r"A^l \bar B$ for the $L$ lags $l$ from 0 on. The transform of $c^* \bar A^l \bar B$ at an $L$-th root of unity $w$ "
        r"is $\hat K$, or $c_L^* (I - \bar A w)^{-1} \bar B$ with $c^* (I - \bar A^L)$ for $c_L^*$ (convolution).",
    ),
    limits=(
        "Speed, and the fast algorithms for Cauchy's matrix: the code forms all of its $L N$ entries.",
        r"The one power $\bar A^L$: S4 learns $c_L$ in place of $c$ and never computes it.",
        r"That a trained $\Lambda$ stays where it begins. If all its real parts are negative, the system is stable whatever "
        "$p$ is.",
    ),
    trained="The kernel of a system with a low-rank part. `state_space/diagonal` trains its successor, which has none.",
)

n = derivation.index("n", "a coordinate")
k = derivation.index("k", "another")
s = derivation.define("s", sqrt(2 * n + 1), "the factors of LegS, its $B$", "legs_matrices", over=n)
r = derivation.define("r", sqrt(n + Rational(1, 2)), "the low rank of LegS", "low_rank_vector", over=n)
above = derivation.define("[{} > {}]", Max(0, Min(1, n - k)), "1 if the first number is the larger one, else 0", over=(n, k))
A = derivation.define(
    "A_{{{}{}}}", -above * s * s.at(k) - KroneckerDelta(n, k) * (n + 1), "the matrix of LegS", "legs_matrices", over=(n, k)
)
S = derivation.define(
    "S_{{{}{}}}", (above.at(k, n) - above) * s * s.at(k) / 2, "its skew-symmetric part, but for the low rank", over=(n, k)
)
v = derivation.numbers("v", n, "any real state")
with_low_rank = plus(A, times(r, r.at(k)))
normal = derivation.chain(
    "LegS is normal but for one vector",
    with_low_rank,
    equals(
        plus(-times(above, s, s.at(k)), -times(n + 1, KroneckerDelta(n, k)), times(Rational(1, 2), s, s.at(k))),
        prose("{product}", product=holds(times(r, r.at(k)), "=", times(Rational(1, 2), s, s.at(k)))),
    ),
    equals(
        plus(S, -KroneckerDelta(n, k) / 2),
        r"below the diagonal $-1 + \frac12$ of $s_n s_k$, above it $\frac12$, and on it $-(n+1) + n + \frac12$",
        wrong={"all of the diagonal": S - KroneckerDelta(n, k)},
    ),
    states=4,
    uses=(rotation,),
    so=prose(
        "The entries depend on $n$ and $k$ alone: so it is at every order. {skew}, so $-iS$ is Hermitian: $S$ is $V "
        r"(i\Omega) V^*$ with a unitary $V$ and real frequencies. By the lemma $\sum_n \arctan\frac{n + 1/2}{\omega}$ is "
        r"$\frac\pi2$ plus a multiple of $\pi$ at the positive ones. $-\frac12 I$ changes nothing but the eigenvalues, which "
        r"are $-\frac12 + i\omega$, and $A$ is $V (\Lambda - p p^*) V^*$ with $V^* r$ for $p$.",
        skew=holds(S, "=", -S.at(k, n)),
    ),
)
derivation.chain(
    "The minus sign of the low rank is what keeps the system stable",
    Total(n, times(v, Total(k, times(A, v.at(k))))),
    equals(
        plus(-times(Rational(1, 2), SquaredNorm(n, v)), -(Total(n, r * v) ** 2)),
        prose(
            r"$A$ is $-\frac12 I + S - r r^\top$, and {turned}",
            turned=holds(Total(n, times(v, Total(k, times(S, v.at(k))))), "=", 0),
        ),
        wrong={"twice the identity": plus(-SquaredNorm(n, v), -(Total(n, r * v) ** 2))},
    ),
    at_most(-SquaredNorm(n, v) / 2, "leave out a square", adding=Total(n, r * v) ** 2),
    states=4,
    role="lemma",
    so=r"The first expression is $\frac12 \frac d{dt} |v|^2$ if $v$ changes at the rate $A v$. The same two lines hold for "
    r"every $\Lambda - p p^*$: if all eigenvalues in $\Lambda$ have negative real parts, all states decay, and every "
    "bilinear step has an inverse.",
)

for written, meaning in (
    ("m", "a power"),
    ("v^{(m)}", "the coefficients of the power $m$ in HiPPO's basis"),
    (r"\top", "the transpose"),
):
    derivation.symbol(written, meaning)


@derivation.numeric(
    r"\langle v^{(m)}, v^{(n)} \rangle = \frac1{m + n + 1} \quad\text{and}\quad A^\top v^{(m)} = -(m + 1)\, v^{(m)}",
    because=r"Why not diagonalize $A$ itself? Its left eigenvectors are the coefficients of monomials (HiPPO, exercise 3), "
    r"with the inner products $\int x^{m+n} dx$ because the basis is orthonormal: Hilbert's matrix, the standard example of a "
    r"matrix that cannot be inverted in rounded numbers. Six states, by quadrature.",
    role="remark",
    scale=1.0,
)
def eigenvectors_are_monomials():
    powers = np.arange(6)
    coefficients = left_eigenvectors(6)
    hilbert = 1 / (powers[:, None] + powers + 1)
    scaled = -(powers[:, None] + 1) * coefficients
    return Sides(
        left=np.stack([coefficients @ coefficients.T, coefficients @ legs_matrices(order=6)[0]]),
        right=np.stack([hilbert, scaled]),
        wrong={
            "orthogonal": np.stack([np.diag(np.diag(hilbert)), scaled]),
            "off by one": np.stack([hilbert, scaled + coefficients]),
        },
    )


derivation.say(
    r"In the coordinates of $V$ everything is diagonal but $p p^*$. To apply $(g - \Lambda + p p^*)^{-1}$, guess that the one "
    r"number $\alpha$ is known, which is $p^* x$ of the solution $x$."
)
derivation.symbol(r"\Lambda", "the diagonal matrix of the eigenvalues", "eigenvalues")
rate = derivation.numbers(r"\lambda", n, "an eigenvalue of the normal part", "eigenvalues")
g = derivation.number("g", "a node", "nodes")
q = derivation.numbers("p", n, "the low rank in these coordinates", "low_rank")
q_star = derivation.numbers("p^*", n, "... and its conjugate")
b = derivation.numbers("b", n, "the input in these coordinates", "b")
c_star = derivation.numbers("c^*", n, "the conjugate of the output's vector", "c")


def _product(u, v):
    return Total(n, u * v / (g - rate))


k_cb = derivation.define("k_{cb}", _product(c_star, b), "a Cauchy product of $c^*$ and $b$", "cauchy_product")
k_cp = derivation.define("k_{cp}", _product(c_star, q), "... of $c^*$ and $p$")
k_pb = derivation.define("k_{pb}", _product(q_star, b), "... of $p^*$ and $b$")
k_pp = derivation.define("k_{pp}", _product(q_star, q), "... of $p^*$ and $p$")
alpha = derivation.define(r"\alpha", k_pb / (1 + k_pp), "what $p^*$ sees of the solution")
x = derivation.define("x", (b - q * alpha) / (g - rate), "the solution, as claimed", over=n)
derivation.chain(
    "One vector is taken out of the inverse: only a diagonal matrix is inverted",
    plus(times(g - rate, x), times(q, Total(k, times(q_star.at(k), x.at(k))))),
    equals(
        plus(b, -times(q, alpha), times(q, plus(k_pb, -times(k_pp, alpha)))),
        prose("insert $x$: {seen}", seen=holds(Total(k, times(q_star.at(k), x.at(k))), "=", plus(k_pb, -times(k_pp, alpha)))),
    ),
    equals(
        b,
        prose(r"{chosen}, by the choice of $\alpha$", chosen=holds(plus(k_pb, -times(k_pp, alpha)), "=", alpha)),
        wrong={"the low rank is left": b - q * alpha},
    ),
    states=2,
    role="lemma",
    so=r"So $x$ is $(g - \Lambda + p p^*)^{-1} b$, and only a diagonal matrix was inverted.",
)
derivation.answer = prose(
    "With one vector $r$ the matrix is normal: {normal}, where $S$ is skew-symmetric, so that the eigenvalues are on the "
    r"line of real part $-\frac12$. One vector is taken out of an inverse by Woodbury's identity, which leaves four sums "
    "over the eigenvalues: {resolvent}. At the roots of unity they are the transform of the kernel, and an inverse Fourier "
    "transform returns it: $O(NL)$ numbers and one dense power in place of $L$ of them.",
    normal=holds(with_low_rank, "=", plus(S, -KroneckerDelta(n, k) / 2), wrong={"all of it": S - KroneckerDelta(n, k)}),
    resolvent=holds(Total(n, times(c_star, x)), "=", plus(k_cb, -times(k_cp, k_pb) / (1 + k_pp))),
)
resolvent = derivation.chain(
    "The resolvent is made of four sums",
    Total(n, times(c_star, x)),
    equals(plus(k_cb, -times(k_cp, alpha)), r"$c^*$ of both terms of $x$"),
    equals(plus(k_cb, -times(k_cp, k_pb) / (1 + k_pp)), r"insert $\alpha$"),
    states=2,
    central=True,
    so=r"This is $c^* (g - \Lambda + p p^*)^{-1} b$. It is linear in the number of states for each node: a product with "
    r"Cauchy's matrix $1 / (g_j - \lambda_n)$, four times.",
)
a = derivation.numbers("a", (n, k), "any matrix of a system")
h = derivation.number(r"\Delta", "the step", "step_size", positive=True)
w = derivation.number("w", "a root of unity, other than -1")
bent = derivation.define("g(w)", 2 / h * (1 - w) / (1 + w), "the node that belongs to it")
node = derivation.chain(
    "A root of unity is a node",
    plus(KroneckerDelta(n, k), -h / 2 * a, -times(w, plus(KroneckerDelta(n, k), h / 2 * a))),
    equals(
        plus(times(1 - w, KroneckerDelta(n, k)), -times(h / 2, 1 + w, a)),
        "collect",
        wrong={"the signs exchanged": (1 + w) * KroneckerDelta(n, k) - h / 2 * (1 - w) * a},
    ),
    equals(
        times(h / 2, 1 + w, plus(times(bent, KroneckerDelta(n, k)), -a)),
        r"take $\frac\Delta2 (1 + w)$ out",
        wrong={
            "half of the node": h / 2 * (1 + w) * (bent / 2 * KroneckerDelta(n, k) - a),
            "without the factor": bent * KroneckerDelta(n, k) - a,
        },
    ),
    so=prose(
        r"The first line is $(I - \frac\Delta2 A)(I - \bar A w)$, by the bilinear rule's $\bar A$, $(I - \frac\Delta2 "
        r"A)^{-1} (I + \frac\Delta2 A)$; and $\bar B$ is $(I - \frac\Delta2 A)^{-1} \Delta b$. So $(I - \bar A w)^{-1} \bar "
        r"B$ is $\frac2{1+w} (g(w) - A)^{-1} b$, and $\hat K$ is $\frac2{1+w} c_L^* (g(w) - \Lambda + p p^*)^{-1} b$: four "
        r"sums. At $-1$, which is a root if $L$ is even, the second line is twice the identity, {twice}, and $\hat K$ is "
        r"$\frac\Delta2 c_L^* b$.",
        twice=holds(
            plus(times(1 - w, KroneckerDelta(n, k)), -times(h / 2, 1 + w, a)),
            "=",
            2 * KroneckerDelta(n, k),
            when={w: -1},
            named=True,
        ),
    ),
)

for written, meaning in (
    ("l", "a lag"),
    ("K_l", "the kernel"),
    (r"\hat K_j", r"its transform at the root $e^{-2\pi i j / L}$"),
    ("j", "the number of a root"),
    ("L", "the length of the kernel"),
    ("C", "what the output sees of LegS's state"),
    (r"\bar A", "the bilinear rule's matrix"),
    (r"\bar B", "the bilinear rule's input"),
    ("i", "the imaginary unit"),
    ("p", "the low rank"),
    ("c", "the output's vector"),
    ("b", "the input's vector"),
):
    derivation.symbol(written, meaning)


@derivation.numeric(
    r"K_l = \mathrm{Re}\, \frac1L \sum_{j<L} \hat K_j\, e^{2\pi i j l / L}",
    because="LegS with 16 states, 32 lags: the sums at the nodes, the limit at the root $-1$, and an inverse Fourier "
    r"transform, against the powers of $\bar A$ that the function of this topic computes. Without cutting off what comes "
    "after $L$, all lags that are equal modulo $L$ fall together.",
    tolerance=1e-11,
    scale=1.0,
)
def kernel_by_its_transform():
    unrolled = structured_kernel(*in_eigenvectors(OUTPUT), step_size=STEP, length=LENGTH)
    wrong = {"the end not cut off": by_transform(cut=False), "nothing at w = -1": by_transform(limit=0.0)}
    return Sides(left=unrolled, right=by_transform(), wrong=wrong)


@derivation.numeric(
    r"K_l = C \bar A^l \bar B",
    because=r"It is the kernel of the real system with which it began: a unitary change of coordinates cancels, and so do the "
    r"arbitrary phases of the eigenvectors. LegS with 16 states.",
    tolerance=1e-11,
    scale=1.0,
    role="remark",
)
def kernel_of_the_real_system():
    a, b = legs_matrices(order=ORDER)
    moving, driving = bilinear(a, b[:, None], step_size=STEP)
    real = convolution_kernel(moving, driving[:, 0], jnp.array(OUTPUT), length=LENGTH)
    eigenvalues, low_rank, *ends = in_eigenvectors(OUTPUT)
    found = structured_kernel(eigenvalues, low_rank, *ends, step_size=STEP, length=LENGTH)
    return Sides(
        left=found,
        right=real,
        wrong={"without the low rank": structured_kernel(eigenvalues, 0 * low_rank, *ends, step_size=STEP, length=LENGTH)},
    )


derivation.bridge("The code has the low rank", r, low_rank_vector, order=4, wrong={"LegS's B": s})


def _applied(v):
    return normal_part(order=4) @ v


derivation.bridge(
    "... the normal part",
    Total(k, plus(S, -KroneckerDelta(n, k) / 2) * v.at(k)),
    _applied,
    v=v,
    calls=(normal_part,),
    wrong={"LegS": Total(k, A * v.at(k))},
)
derivation.bridge(
    "... Cauchy products",
    k_cb,
    cauchy_product,
    nodes=[g],
    poles=rate,
    weights=c_star * b,
    wrong={"the sign of the poles": Total(n, c_star * b / (g + rate))},
)
real_pp, real_pb = _product(q, q), _product(q, b)
derivation.bridge(
    "... and resolvents, here with real vectors",
    k_cb - k_cp * real_pb / (1 + real_pp),
    low_rank_resolvent,
    nodes=[g],
    eigenvalues=rate,
    low_rank=q,
    b=b,
    c=c_star,
)


@derivation.numeric(
    r"c^* (g - \Lambda + p p^*)^{-1} b = k_{cb} - \frac{k_{cp} k_{pb}}{1 + k_{pp}}",
    because="The code's formula with complex vectors, against a dense solve: $c$ and $p$ on the left sides are conjugate.",
    role="appendix",
)
def complex_resolvent():
    drawn = np.random.default_rng(0).normal(size=(5, 2, 3))
    nodes, rates, low_rank, b, c = (jnp.array(part[0] + 1j * part[1]) for part in drawn)
    dense = [
        jnp.conj(c) @ jnp.linalg.solve(node * jnp.eye(3) - jnp.diag(rates) + jnp.outer(low_rank, jnp.conj(low_rank)), b)
        for node in nodes
    ]
    found = low_rank_resolvent(nodes, rates, low_rank, b, c)
    return Sides(
        left=found, right=jnp.stack(dense), wrong={"c not conjugate": low_rank_resolvent(nodes, rates, low_rank, b, jnp.conj(c))}
    )


@derivation.algorithm(
    "The kernel of LegS by its transform",
    do(r"$\Lambda, V \leftarrow$ eigenvalues and eigenvectors of $A + r r^\top$", normal_part, low_rank_vector, by=normal),
    do(r"$p \leftarrow V^* r$, $b \leftarrow V^* B$, $c \leftarrow V^* C$; $c_L^* \leftarrow c^* (I - \bar A^L)$"),
    do(r"for each $L$-th root of unity $w$ but $-1$: $g \leftarrow \frac2\Delta \frac{1-w}{1+w}$", by=node),
    do(r"$k_{cb}, k_{cp}, k_{pb}, k_{pp} \leftarrow$ sums over $1 / (g - \lambda_n)$", cauchy_product, indent=1),
    do(r"$\hat K \leftarrow \frac2{1+w} (k_{cb} - k_{cp} k_{pb} / (1 + k_{pp}))$", low_rank_resolvent, by=resolvent, indent=1),
    do(r"at $-1$: $\hat K \leftarrow \frac\Delta2 c_L^* b$", by=node),
    do(r"$K \leftarrow$ the real part of the inverse Fourier transform; by powers it is the same", structured_kernel),
)
def two_roots():
    yield r"A + r r^\top", normal_part(order=2), "(-0.5, 0.8660; -0.8660, -0.5)"
    eigenvalues, p, b, c = in_eigenvectors(EXAMPLE)
    yield "|p|^2 = |r|^2", jnp.sum(jnp.abs(p) ** 2) - jnp.sum(low_rank_vector(order=2) ** 2), "0"
    end = (1 - 3.0**-4) * c  # the first state alone counts, and a step leaves a third of it
    yield r"w = 1, g = 0: \quad k_{pp}", cauchy_product(jnp.zeros(1) + 0j, eigenvalues, jnp.abs(p) ** 2).real, "1"
    at_zero = low_rank_resolvent(jnp.zeros(1) + 0j, eigenvalues, p, b, end)[0].real
    yield r"L = 4, \Delta = 1: \quad \hat K(1)", at_zero, "80/81"
    yield r"\hat K(-1)", (jnp.conj(end) @ b).real / 2, "40/81"
    yield "K", structured_kernel(eigenvalues, p, b, c, step_size=1.0, length=4), "(2/3, 2/9, 2/27, 2/81)"


@derivation.example(
    prose(
        r"Two states: the normal part is $\begin{pmatrix} -1 + \frac12 & \frac{\sqrt3}2 \\ -\sqrt3 + \frac{\sqrt3}2 & -2 + "
        r"\frac32 \end{pmatrix}$, {corner}, with the eigenvalues $-\frac12 \pm \frac{\sqrt3}2 i$. With the step 1 and the "
        r"output $(1, 0)$ only the first state counts, which changes at the rate $-x_0 + u$: $\bar A$ is $\frac13$, and "
        r"$\bar B$ is $\frac23$.",
        corner=holds(plus(A.at(1, 0), times(r.at(1), r.at(0))), "=", -sqrt(3) / 2),
    )
)
def two_states():
    yield "r", low_rank_vector(order=2), "(0.7071, 1.2247)"
    yield r"A + r r^\top", normal_part(order=2), "(-0.5, 0.8660; -0.8660, -0.5)"
    yield r"\mathrm{Im}\,\lambda", in_eigenvectors(EXAMPLE)[0].imag, "(-0.8660, 0.8660)"
    yield "K", structured_kernel(*in_eigenvectors(EXAMPLE), step_size=1.0, length=4), "(2/3, 2/9, 2/27, 2/81)"


derivation.figure(
    "Left: the eigenvalues of LegS with 8 states lie on the real axis, those of its normal part on the line of real part "
    r"$-\frac12$. Right: the condition number of their eigenvectors, of unit length. Monomials lose three digits with every "
    "four states; a unitary matrix loses none.",
    panels=2,
)(spectra_and_conditions)
