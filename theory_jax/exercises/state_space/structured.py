"""Exercises of the lecture: Structured state spaces: a matrix that is normal but for one vector."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._structured import EXAMPLE, in_eigenvectors
from theory_jax.lectures.state_space.structured import bent, derivation, h, s, w
from theory_jax.state_space.hippo import legs_matrices
from theory_jax.state_space.structured import cauchy_product, low_rank_vector, normal_part, structured_kernel


@derivation.exercise(
    "What are the eigenvalues of the normal part with three states?",
    prose(
        r"$S$ has $-\frac12 s_n s_k$ below the diagonal, so the squared frequency is {square}: the eigenvalues are "
        r"$-\frac12$ and $-\frac12 \pm 2.3979 i$. The arctangents of the lemma sum to $\frac\pi2$ there, or 1.5708.",
        square=holds(
            times(Rational(1, 4), plus(*(s.at(one) ** 2 * s.at(two) ** 2 for one, two in ((1, 0), (2, 0), (2, 1))))),
            "=",
            Rational(23, 4),
        ),
    ),
    level="easy",
    hint="The characteristic polynomial of a skew matrix of three rows has one squared frequency, the sum of three squares.",
)
def three_frequencies():
    rates = np.linalg.eigvals(normal_part(order=3))
    yield rates.imag.max(), "2.3979"
    yield (3 + 5 + 15) / 4, sympy.Rational(23, 4)
    yield np.arctan((np.arange(3) + 0.5) / rates.imag.max()).sum(), "1.5708"


@derivation.exercise(
    r"Show that $\det(g - \Lambda + p p^*)$ is $\det(g - \Lambda)\,(1 + k_{pp}(g))$. What is $k_{pp}(0)$ for LegS with two "
    "states?",
    r"Take $\det(g - \Lambda)$ out: $\det(I + u p^*)$ is left, with $(g - \Lambda)^{-1} p$ for $u$. The matrix multiplies "
    "$u$ by $1 + p^* u$ and leaves alone what is orthogonal to $p$, so its determinant is $1 + p^* u$, or $1 + k_{pp}$. At 0 "
    r"the determinants of $-A$ and $-\Lambda$ are 2 and 1: $k_{pp}(0)$ is 1.",
    level="medium",
    hint="Which vectors does a matrix of rank one, added to the identity, leave as they are?",
)
def determinants():
    eigenvalues, low_rank, *_ = in_eigenvectors(EXAMPLE)
    yield cauchy_product(jnp.zeros(1) + 0j, eigenvalues, jnp.abs(low_rank) ** 2).real, "1"
    yield np.linalg.det(-legs_matrices(order=2)[0]), "2"


@derivation.exercise(
    "In the example, what does the inverse transform return for $K_0$ if $c$ takes the place of $c_L$?",
    r"The sum of all lags that are multiples of 4: $\frac23 (1 + 3^{-4} + 3^{-8} + \dots)$, which is $\frac23 \cdot "
    r"\frac{81}{80}$, or 0.675.",
    level="medium",
    hint="Which lags have the same value at all four roots of unity?",
)
def a_kernel_without_end():
    kernel = structured_kernel(*in_eigenvectors(EXAMPLE), step_size=1.0, length=40)
    yield kernel[::4].sum(), "0.675"


@derivation.exercise(
    "Where are the nodes of the four roots of unity 1, $-i$, $-1$ and $i$, at the step 1? Why can no node be an eigenvalue of "
    "a stable system?",
    "The node of $-i$ is $2i$ and that of $i$ is $-2i$, that of 1 is 0, and that of $-1$ would be infinite. On the unit circle "
    r"$g(w)$ is $\frac{2i}\Delta \tan(\pi j / L)$ for the root $e^{-2\pi i j / L}$: all nodes are on the imaginary axis, and "
    "stable eigenvalues are to the left of it.",
    level="easy",
    hint="Put the roots into the formula for the node.",
)
def nodes_of_four_roots():
    for root, node in ((-sympy.I, 2 * sympy.I), (sympy.I, -2 * sympy.I), (sympy.Integer(1), sympy.Integer(0))):
        yield bent.family.definition.subs({w: root, h: 1}), node


@derivation.exercise(
    r"Somebody has the wrong sign, $\Lambda + \kappa\, p p^*$. LegS has two states. From which $\kappa$ on is the system "
    r"unstable, which eigenvalues does it have there, and which at a $\kappa$ of 1? By which factor does a bilinear step of "
    "length 1 then multiply a state?",
    r"The trace is $2\kappa - 1$ and the determinant, by exercise 2, $1 - \kappa$. The trace changes its sign first: from 0.5 "
    r"on, where the eigenvalues are $\pm 0.7071 i$. At 1 they are 0 and 1, and a step multiplies by $\frac{1 + 1/2}{1 - 1/2}$, "
    r"or 3. With the minus sign no $\kappa$ is too large: the part then only takes energy away.",
    level="hard",
    hint="Two eigenvalues are to the left of the axis if their sum is negative and their product positive.",
)
def the_wrong_sign():
    vector = low_rank_vector(order=2)

    def eigenvalues(kappa):
        return np.linalg.eigvals(np.asarray(normal_part(order=2) + kappa * jnp.outer(vector, vector)))

    grid = np.linspace(0.3, 0.7, 401)
    yield grid[np.argmin([abs(eigenvalues(kappa).real.max()) for kappa in grid])], "0.5"
    yield eigenvalues(0.5).imag.max(), "0.7071"
    found = np.sort(eigenvalues(1.0).real)
    yield np.round(found, 12), "0 and 1"
    yield (1 + found[1] / 2) / (1 - found[1] / 2), "3"
