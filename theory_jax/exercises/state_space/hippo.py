"""Exercises of the lecture: HiPPO: a memory by projection."""

import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.state_space._hippo import a_running_mean, left_eigenvectors
from theory_jax.lectures.state_space.hippo import derivation
from theory_jax.state_space.hippo import legendre_basis, legs_matrices, legt_matrices, reconstruct


@derivation.exercise(
    "What are the eigenvalues of LegS and of LegT with a window of 1, for two numbers?",
    r"$(-2, -1)$, the diagonal; and $-2 \pm 1.4142 i$: the characteristic polynomial is $\lambda^2 + 4 \lambda + 6$.",
    level="easy",
    hint="Of a triangular matrix they are the diagonal; of the other write the characteristic polynomial.",
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
    level="medium",
    hint="Write the equation for the one coefficient, and multiply by the time.",
)(a_running_mean)


derivation.exercise(
    r"Show that the coefficients $w_n$ of $x^m$, the integrals $\int_0^1 x^m g_n(x)\,dx$, are a left eigenvector of LegS's "
    "$A$ for $m$ below $N$. What is its eigenvalue? Check the power 1 in three numbers.",
    r"$x^m$ is $\sum_n w_n g_n$. Apply $x \frac d{dx}$: $m x^m$ is $-\sum_n w_n \sum_k (A + I)_{nk}\, g_k$ by the lemma. "
    r"Compare the coefficients: $w^\top A$ is $-(m+1) w^\top$: for the power 1, $w$, or $(0.5, 0.2887, 0)$, becomes $(-1, "
    "-0.5774, 0)$. The eigenvectors are monomials, which are nearly parallel: diagonalizing $A$ is hopeless in rounded "
    "numbers.",
    level="hard",
    hint="Apply the slope times the position to the power, and to its expansion in the basis.",
)(left_eigenvectors)


@derivation.exercise(
    r"At time 1 LegS has seen the signal $\tau^2$. What are its two numbers, what do they remember of the beginning and of "
    "now, and how large is the mean squared error?",
    "The numbers are 0.3333 and 0.2887, so it remembers $x - 1/6$: -0.1667 of the beginning and 0.8333 of now. The error is "
    "0.00556, or 1/180: the mean of the fourth power less the sum of the squares.",
    level="easy",
    hint="Integrate the square times each of both basis polynomials.",
)
def a_parabola():
    places, weights = _between_0_and_1(6)
    both = (weights * places**2) @ legendre_basis(places, order=2)
    yield both, "0.3333 and 0.2887"
    ends = reconstruct(jnp.array([0.0, 1.0]), both[None])[0]
    yield ends[0], "-0.1667"
    yield ends[1], "0.8333"
    error = weights @ (places**2 - reconstruct(places, both[None])[0]) ** 2
    yield error, "0.00556"
    yield error, "1/180"


@derivation.exercise(
    r"LegT has a window of 1 and two numbers, and the signal is $\tau^2$. At time 1, by how much do the rates $A^\theta d + "
    r"B^\theta f$ miss the true slopes of both coefficients of the window?",
    "By 0.1667 and -0.2887. The closure takes -0.1667 for the value that leaves, in place of 0, since a parabola is no "
    "polynomial of degree below 2; this error enters row $n$ with the factor $-(-1)^n s_n$. It is there as long as the "
    "parabola is, so the memory of a window drifts from the best one.",
    level="medium",
    hint="What do two numbers remember of the beginning of the window?",
)
def an_error_of_closure():
    places, weights = _between_0_and_1(6)

    def window(now):
        return (weights * (now - 1 + places) ** 2) @ legendre_basis(places, order=2)

    matrix, column = legt_matrices(order=2, window=1.0)
    slope = (window(1.5) - window(0.5)) / 1.0  # exact, since the coefficients are parabolas of the time
    yield matrix @ window(1.0) + column - slope, "0.1667 and -0.2887"
    yield reconstruct(jnp.array([0.0]), window(1.0)[None])[0, 0], "-0.1667"


def _between_0_and_1(count):
    """Points and weights of Gauss and Legendre on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return jnp.array((points + 1) / 2), jnp.array(weights / 2)
