"""Exercises of the lecture: HiPPO: a memory by projection."""

import numpy as np

from theory_jax.lectures.state_space._hippo import a_running_mean, left_eigenvectors
from theory_jax.lectures.state_space.hippo import derivation
from theory_jax.state_space.hippo import legs_matrices, legt_matrices


@derivation.exercise(
    "What are the eigenvalues of LegS and of LegT with a window of 1, for two numbers?",
    r"$(-2, -1)$, the diagonal; and $-2 \pm 1.4142 i$: the characteristic polynomial is $\lambda^2 + 4 \lambda + 6$.",
)
def eigenvalues_of_two():
    yield np.sort(np.linalg.eigvals(legs_matrices(order=2)[0])), "(-2, -1)"
    rates = np.linalg.eigvals(legt_matrices(order=2, window=1.0)[0])
    yield rates.real.max(), "-2"
    yield rates.imag.max(), "1.4142"


derivation.exercise(
    "What does LegS with one number remember? And online, after the values 1, 2, 3?",
    r"$c_0$ moves at the rate $(f - c_0)/t$, so $t c_0$ grows at the rate $f$: it is the running mean $\frac1t \int_0^t f$. "
    r"Online it is $2 \sum_i f_i / (2j + 1)$, so 12/7: half a value of zero, from the start, is averaged with them.",
)(a_running_mean)


derivation.exercise(
    r"Show that the coefficients $w_n$ of $x^m$, the integrals $\int_0^1 x^m g_n(x)\,dx$, are a left eigenvector of LegS's "
    "$A$ for $m$ below $N$. What is its eigenvalue? Check the power 1 in three numbers.",
    r"$x^m$ is $\sum_n w_n g_n$. Apply $x \frac d{dx}$: $m x^m$ is $-\sum_n w_n \sum_k (A + I)_{nk}\, g_k$ by the lemma. "
    r"Compare the coefficients: $w^\top A$ is $-(m+1) w^\top$: for the power 1, $w$, or $(0.5, 0.2887, 0)$, becomes $(-1, "
    "-0.5774, 0)$. The eigenvectors are monomials, which are nearly parallel: diagonalizing $A$ is hopeless in rounded "
    "numbers.",
)(left_eigenvectors)
