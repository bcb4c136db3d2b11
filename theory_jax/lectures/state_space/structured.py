"""Structured state spaces: a matrix that is normal but for one vector.

The lecture on the functions of theory_jax/state_space/structured.py.
"""

import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import KroneckerDelta, Max, Min, Rational, sqrt

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import SquaredNorm, Total, plus, times
from theory_jax.lectures.lemmas.signed_rank_one import rotation
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
    question=r"The matrix of HiPPO's memory is dense, and its eigenvectors are nearly parallel. How is the kernel of such a "
    r"system computed without the powers of a dense matrix, and without those eigenvectors?",
    setting=(
        r"$A$ and $B$ are those of LegS: $A_{nk} = -s_n s_k$ for $n > k$, $A_{nn} = -(n+1)$, else 0, and $s_n = \sqrt{2n+1}$. "
        r"The numbers $r_n = s_n / \sqrt2$ are its low rank.",
        r"A normal matrix is $V \Lambda V^*$ with a unitary $V$ and a diagonal $\Lambda$. In the coordinates $V^* x$ the system "
        r"has $\Lambda - p p^*$, $b$ and $c$, complex vectors; of LegS, $p = V^* r$ and $b = V^* B$. $c^*$ is the conjugate row.",
        r"Conjugates are written as symbols of their own: what holds for all $p_n$ and all $p^*_n$ holds if they are conjugates. "
        r"$g$ is a node, at which $g \ne \lambda_n$ and $1 + k_{pp} \ne 0$: no eigenvalue of $\Lambda$ or of $\Lambda - p p^*$.",
        r"$\bar A, \bar B$ are the bilinear rule's at the step $\Delta$, and the kernel is $K_l = \mathrm{Re}\, c^* \bar A^l "
        r"\bar B$ for $l < L$. The transform of $c^* \bar A^l \bar B$ at a root of unity $w$, $w^L = 1$, is $\hat K = c_L^* (I - "
        r"\bar A w)^{-1} \bar B$ with $c_L^* = c^* (I - \bar A^L)$ (convolution).",
    ),
    answer=r"$A + r r^\top = -\frac12 I + S$ with a skew-symmetric $S$, so it is normal, with eigenvalues on the line "
    r"$\mathrm{Re}\,\lambda = -\frac12$. One vector is taken out of an inverse by Woodbury's identity, which leaves four sums "
    r"$\sum_n \bar u_n v_n / (g - \lambda_n)$. At the roots of unity they are the transform of the kernel, and an inverse "
    r"Fourier transform returns it: $O(NL)$ numbers and one dense power in place of $L$ of them.",
    limits=(
        "Speed, and the fast algorithms for Cauchy's matrix: the code forms all of its $L N$ entries.",
        r"The one power $\bar A^L$: S4 learns $c_L$ in place of $c$ and never computes it.",
        r"That a trained $\Lambda$ stays where it begins. If $\mathrm{Re}\,\lambda_n < 0$, the system is stable whatever $p$ is.",
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
derivation.chain(
    "LegS is normal but for one vector",
    plus(A, times(r, r.at(k))),
    equals(
        plus(-times(above, s, s.at(k)), -times(n + 1, KroneckerDelta(n, k)), times(Rational(1, 2), s, s.at(k))),
        r"$r_n r_k = \frac12 s_n s_k$",
    ),
    equals(
        plus(S, -KroneckerDelta(n, k) / 2),
        r"below the diagonal $-1 + \frac12 = -\frac12$ of $s_n s_k$, above it $\frac12$, and on it $-(n+1) + n + \frac12 = "
        r"-\frac12$",
        wrong={"all of the diagonal": S - KroneckerDelta(n, k)},
    ),
    states=4,
    uses=(rotation,),
    so=r"The entries depend on $n$ and $k$ alone: so it is at every order. $S_{nk} = -S_{kn}$, so $-iS$ is Hermitian: $S = V "
    r"(i\Omega) V^*$ with a unitary $V$ and real frequencies. By the lemma the positive ones satisfy $\sum_n \arctan\frac{n + "
    r"1/2}{\omega} = \frac\pi2 + \pi j$ with a whole number $j$. $-\frac12 I$ changes nothing but the eigenvalues, $\lambda = "
    r"-\frac12 + i\omega$, and $A = V (\Lambda - p p^*) V^*$ with $p = V^* r$.",
)
derivation.chain(
    "The minus sign of the low rank is what keeps the system stable",
    Total(n, times(v, Total(k, times(A, v.at(k))))),
    equals(
        plus(-times(Rational(1, 2), SquaredNorm(n, v)), -(Total(n, r * v) ** 2)),
        r"$A = -\frac12 I + S - r r^\top$, and $v^\top S v = 0$",
        wrong={"twice the identity": plus(-SquaredNorm(n, v), -(Total(n, r * v) ** 2))},
    ),
    at_most(-SquaredNorm(n, v) / 2, "leave out a square", adding=Total(n, r * v) ** 2),
    states=4,
    role="lemma",
    so=r"The first expression is $\frac12 \frac d{dt} |v|^2$ for $\dot v = A v$. The same two lines hold for every $\Lambda - p "
    r"p^*$: with $\mathrm{Re}\,\lambda_n < 0$ all states decay, and every bilinear step has an inverse.",
)

for written, meaning in (
    ("m", "a power"),
    ("x", "a place in HiPPO's memory"),
    ("g_n(x)", "HiPPO's basis"),
    ("v^{(m)}", "the coefficients of $x^m$ in that basis"),
    (r"\top", "the transpose"),
):
    derivation.symbol(written, meaning)


@derivation.numeric(
    r"\langle v^{(m)}, v^{(n)} \rangle = \frac1{m + n + 1} \quad\text{and}\quad A^\top v^{(m)} = -(m + 1)\, v^{(m)}",
    because=r"Why not diagonalize $A$ itself? Its left eigenvectors are the coefficients of monomials (HiPPO, last exercise), "
    r"with the inner products $\int x^{m+n} dx$ because the basis is orthonormal: Hilbert's matrix, the standard example of a "
    r"matrix that cannot be inverted in rounded numbers. $N = 6$, by quadrature.",
    role="remark",
    scale=1.0,
)
def eigenvectors_are_monomials():
    powers = np.arange(6)
    coefficients = _left_eigenvectors(6)
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
    r"number $\alpha = p^* x$ of the solution $x$ is known."
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
    "One vector out of an inverse",
    plus(times(g - rate, x), times(q, Total(k, times(q_star.at(k), x.at(k))))),
    equals(plus(b, -times(q, alpha), times(q, plus(k_pb, -times(k_pp, alpha)))), r"insert $x$: $p^* x = k_{pb} - k_{pp} \alpha$"),
    equals(b, r"$k_{pb} - k_{pp} \alpha = \alpha$, by the choice of $\alpha$", wrong={"the low rank is left": b - q * alpha}),
    states=2,
    role="lemma",
    so=r"So $x = (g - \Lambda + p p^*)^{-1} b$, and only a diagonal matrix was inverted.",
)
derivation.chain(
    "The resolvent is made of four sums",
    Total(n, times(c_star, x)),
    equals(plus(k_cb, -times(k_cp, alpha)), r"$c^*$ of both terms of $x$"),
    equals(plus(k_cb, -times(k_cp, k_pb) / (1 + k_pp)), r"insert $\alpha$"),
    states=2,
    central=True,
    so=r"This is $c^* (g - \Lambda + p p^*)^{-1} b$. It is linear in the number of states for each node: a product with Cauchy's "
    r"matrix $1 / (g_j - \lambda_n)$, four times.",
)
a = derivation.numbers("a", (n, k), "any matrix of a system")
h = derivation.number(r"\Delta", "the step", "step_size", positive=True)
w = derivation.number("w", "a root of unity, other than -1")
bent = derivation.define("g(w)", 2 / h * (1 - w) / (1 + w), "the node that belongs to it")
derivation.chain(
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
    so=r"The first line is $(I - \frac\Delta2 A)(I - \bar A w)$, by the bilinear rule's $\bar A = (I - \frac\Delta2 A)^{-1} (I + "
    r"\frac\Delta2 A)$; and $\bar B = (I - \frac\Delta2 A)^{-1} \Delta b$. So $(I - \bar A w)^{-1} \bar B = \frac2{1+w} (g(w) - "
    r"A)^{-1} b$, and $\hat K = \frac2{1+w} c_L^* (g(w) - \Lambda + p p^*)^{-1} b$: four sums. At $w = -1$, which is there if "
    r"$L$ is even, the second line is $2I$: $\hat K = \frac\Delta2 c_L^* b$.",
)

for written, meaning in (
    ("l", "a lag"),
    ("K_l", "the kernel"),
    (r"\hat K_j", r"its transform at $w_j = e^{-2\pi i j / L}$"),
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
ORDER, LENGTH, STEP = 16, 32, 0.1
OUTPUT = np.cos(np.arange(ORDER))


@derivation.numeric(
    r"K_l = \mathrm{Re}\, \frac1L \sum_{j<L} \hat K_j\, e^{2\pi i j l / L}",
    because=r"LegS with $N = 16$, $L = 32$: the sums at the nodes, the limit at $w = -1$, and an inverse Fourier transform, "
    r"against the powers of $\bar A$ that the function of this topic computes. Without cutting off what comes after $L$, all "
    r"lags that are equal modulo $L$ fall together.",
    tolerance=1e-11,
    scale=1.0,
)
def kernel_by_its_transform():
    unrolled = structured_kernel(*_in_eigenvectors(OUTPUT), step_size=STEP, length=LENGTH)
    wrong = {"the end not cut off": _by_transform(cut=False), "nothing at w = -1": _by_transform(limit=0.0)}
    return Sides(left=unrolled, right=_by_transform(), wrong=wrong)


@derivation.numeric(
    r"K_l = C \bar A^l \bar B",
    because=r"It is the kernel of the real system with which it began: a unitary change of coordinates cancels, and so do the "
    r"arbitrary phases of the eigenvectors. LegS with $N = 16$.",
    tolerance=1e-11,
    scale=1.0,
)
def kernel_of_the_real_system():
    a, b = legs_matrices(order=ORDER)
    moving, driving = bilinear(a, b[:, None], step_size=STEP)
    real = convolution_kernel(moving, driving[:, 0], jnp.array(OUTPUT), length=LENGTH)
    eigenvalues, low_rank, *ends = _in_eigenvectors(OUTPUT)
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


EXAMPLE = np.array([1.0, 0.0])


@derivation.example(
    r"$N = 2$: $A + r r^\top = \begin{pmatrix} -1 + \frac12 & \frac{\sqrt3}2 \\ -\sqrt3 + \frac{\sqrt3}2 & -2 + \frac32 "
    r"\end{pmatrix}$, whose eigenvalues are $-\frac12 \pm \frac{\sqrt3}2 i$. With $\Delta = 1$ and $C = (1, 0)$ only the first "
    r"state counts, $\dot x_0 = -x_0 + u$: $\bar A = \frac13$, $\bar B = \frac23$."
)
def two_states():
    yield "r", low_rank_vector(order=2), "(0.7071, 1.2247)"
    yield r"A + r r^\top", normal_part(order=2), "(-0.5, 0.8660; -0.8660, -0.5)"
    yield r"\mathrm{Im}\,\lambda", _in_eigenvectors(EXAMPLE)[0].imag, "(-0.8660, 0.8660)"
    yield "K", structured_kernel(*_in_eigenvectors(EXAMPLE), step_size=1.0, length=4), "(2/3, 2/9, 2/27, 2/81)"


@derivation.figure(
    r"Left: the eigenvalues of LegS at $N = 8$ lie on the real axis, those of its normal part on the line of real part "
    r"$-\frac12$. Right: the condition number of their eigenvectors, of unit length. Monomials lose three digits with every four "
    r"states; a unitary matrix loses none.",
    panels=2,
)
def spectra_and_conditions(left, right):
    left.plot(-np.arange(1.0, 9), np.zeros(8), "o", label="LegS")
    left.plot(np.full(8, -0.5), np.linalg.eigvals(normal_part(order=8)).imag, "s", label="normal part")
    left.set(xlabel=r"$\mathrm{Re}\,\lambda$", ylabel=r"$\mathrm{Im}\,\lambda$")
    left.legend()
    orders = np.arange(1, 17)
    right.semilogy(orders, [_condition(order) for order in orders], "o-", label="LegS")
    right.semilogy(orders, np.ones(16), "s-", label="normal part")
    right.set(xlabel="states $N$", ylabel="condition number", xticks=orders[::3])
    right.legend()


@derivation.exercise(
    r"What are the eigenvalues of the normal part at $N = 3$?",
    r"$S$ has $-\frac12 s_n s_k$ below the diagonal, so $\omega^2 = \frac14 (s_1^2 s_0^2 + s_2^2 s_0^2 + s_2^2 s_1^2) = \frac14 "
    r"(3 + 5 + 15) = \frac{23}4$: $-\frac12$ and $-\frac12 \pm 2.3979 i$. The arctangents of the lemma sum to $\frac\pi2 = "
    r"1.5708$ there.",
)
def three_frequencies():
    rates = np.linalg.eigvals(normal_part(order=3))
    yield rates.imag.max(), "2.3979"
    yield (3 + 5 + 15) / 4, sympy.Rational(23, 4)
    yield np.arctan((np.arange(3) + 0.5) / rates.imag.max()).sum(), "1.5708"


@derivation.exercise(
    r"Show that $\det(g - \Lambda + p p^*) = \det(g - \Lambda)\,(1 + k_{pp}(g))$. What is $k_{pp}(0)$ for LegS with $N = 2$?",
    r"Take $\det(g - \Lambda)$ out: $\det(I + u p^*)$ is left, $u = (g - \Lambda)^{-1} p$. It multiplies $u$ by $1 + p^* u$ and "
    r"leaves alone what is orthogonal to $p$, so it is $1 + p^* u = 1 + k_{pp}$. At $g = 0$, $\det(-A) = 2$ and $\det(-\Lambda) "
    r"= 1$: $k_{pp}(0) = 1$.",
)
def determinants():
    eigenvalues, low_rank, *_ = _in_eigenvectors(EXAMPLE)
    yield cauchy_product(jnp.zeros(1) + 0j, eigenvalues, jnp.abs(low_rank) ** 2).real, "1"
    yield np.linalg.det(-legs_matrices(order=2)[0]), "2"


@derivation.exercise(
    r"In the example, what does the inverse transform return for $K_0$ if $c$ takes the place of $c_L$?",
    r"The sum of all lags that are multiples of 4: $\frac23 (1 + 3^{-4} + 3^{-8} + \dots) = \frac23 \cdot \frac{81}{80} = "
    r"0.675$.",
)
def a_kernel_without_end():
    kernel = structured_kernel(*_in_eigenvectors(EXAMPLE), step_size=1.0, length=40)
    yield kernel[::4].sum(), "0.675"


def _in_eigenvectors(output):
    """Lambda, p, b and c of LegS with this output, in the coordinates of its normal part's eigenvectors."""
    order = len(output)
    frequencies, vectors = np.linalg.eigh(-1j * (np.asarray(normal_part(order=order)) + np.eye(order) / 2))
    turned = (
        vectors.conj().T @ np.asarray(real) for real in (low_rank_vector(order=order), legs_matrices(order=order)[1], output)
    )
    return jnp.array(-0.5 + 1j * frequencies), *map(jnp.array, turned)


def _by_transform(cut=True, limit=1.0):
    """The kernel by its transform at the roots of unity; limit: how much of its value at w = -1 is taken."""
    eigenvalues, low_rank, b, c = _in_eigenvectors(OUTPUT)
    dense = jnp.diag(eigenvalues) - jnp.outer(low_rank, jnp.conj(low_rank))
    moving, _ = bilinear(dense, b[:, None], step_size=STEP)
    end = c - jnp.conj(jnp.conj(c) @ jnp.linalg.matrix_power(moving, LENGTH)) if cut else c
    roots = np.exp(-2j * np.pi * np.delete(np.arange(LENGTH), LENGTH // 2) / LENGTH)
    sums = low_rank_resolvent(jnp.array(2 / STEP * (1 - roots) / (1 + roots)), eigenvalues, low_rank, b, end)
    transform = np.insert(2 / (1 + roots) * sums, LENGTH // 2, limit * STEP / 2 * (jnp.conj(end) @ b))
    return np.fft.ifft(transform).real


def _left_eigenvectors(order):
    """int_0^1 x^m g_n dx for m, n < order: Gauss-Legendre quadrature of Legendre's polynomials."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    basis = np.polynomial.legendre.legvander(nodes, order - 1) * np.sqrt(2 * np.arange(order) + 1)
    return (((nodes + 1) / 2) ** np.arange(order)[:, None] * weights / 2) @ basis


def _condition(order):
    """Of LegS's left eigenvectors of unit length, by the closed form s_n (m!)^2 / ((m-n)! (m+n+1)!) of their entries."""
    rows = [
        [
            math.sqrt(2 * n + 1) * math.factorial(m) ** 2 / math.factorial(m - n) / math.factorial(m + n + 1) if n <= m else 0.0
            for n in range(order)
        ]
        for m in range(order)
    ]
    return np.linalg.cond(np.array(rows) * np.sqrt(2 * np.arange(order) + 1)[:, None])
