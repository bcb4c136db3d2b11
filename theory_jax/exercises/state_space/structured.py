"""Exercises of the lecture: Structured state spaces: a matrix that is normal but for one vector."""

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.state_space._structured import EXAMPLE, in_eigenvectors
from theory_jax.lectures.state_space.structured import derivation, s
from theory_jax.state_space.hippo import legs_matrices
from theory_jax.state_space.structured import cauchy_product, normal_part, structured_kernel


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
)
def determinants():
    eigenvalues, low_rank, *_ = in_eigenvectors(EXAMPLE)
    yield cauchy_product(jnp.zeros(1) + 0j, eigenvalues, jnp.abs(low_rank) ** 2).real, "1"
    yield np.linalg.det(-legs_matrices(order=2)[0]), "2"


@derivation.exercise(
    "In the example, what does the inverse transform return for $K_0$ if $c$ takes the place of $c_L$?",
    r"The sum of all lags that are multiples of 4: $\frac23 (1 + 3^{-4} + 3^{-8} + \dots)$, which is $\frac23 \cdot "
    r"\frac{81}{80}$, or 0.675.",
)
def a_kernel_without_end():
    kernel = structured_kernel(*in_eigenvectors(EXAMPLE), step_size=1.0, length=40)
    yield kernel[::4].sum(), "0.675"
