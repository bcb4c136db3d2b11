"""Exercises of the lecture: Invertible 1x1 convolution: a learned shuffle of the channels."""

import numpy as np
from sympy import Integer, Matrix, Rational, Symbol, log, solve, sqrt

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose
from theory_jax.flows.invertible_convolution import assemble, forward
from theory_jax.lectures.flows.invertible_convolution import derivation, eigen, gaps, size, volume


@derivation.exercise(
    r"The matrix $\begin{pmatrix} 2 & 0 \\ 1 & \frac12 \end{pmatrix}$ at ten positions: what is the log-determinant, and is "
    "the matrix orthogonal?",
    "0, since the determinant is 1. Not orthogonal: its first column has the squared norm 5.",
    level="easy",
    hint="For which inverse would it be orthogonal, and what would its columns be?",
)
def a_shear():
    matrix = np.array([[2.0, 0.0], [1.0, 0.5]])
    yield forward(np.zeros((1, 2, 10)), matrix)[1], "0"
    yield matrix[:, 0] @ matrix[:, 0], "5"


@derivation.exercise(
    "What is the determinant of the matrix that is assembled from the permutation $(1, 2, 0)$, with zeros "
    "for $d$ and next to the diagonals?",
    "+1: a cycle of three is two exchanges.",
    level="easy",
    hint="Two of the three factors are the identity; how many exchanges make the permutation?",
)
def a_cycle():
    zero = np.zeros((3, 3))
    yield np.linalg.det(assemble(np.array([1, 2, 0]), zero, zero, np.zeros(3), np.ones(3))), "+1"


@derivation.exercise(
    r"Data of covariance $\begin{pmatrix} 2 & 1 \\ 1 & 2 \end{pmatrix}$: what is the least loss, and that of the identity?",
    prose(
        r"The determinant is 3: {least}, or 1.5493. The identity has $\frac12 \mathrm{tr}\,\Sigma$, which is 2.",
        least=1 + log(3) / 2,
    ),
    level="medium",
    hint="The least loss needs the determinant alone, that of the identity the trace.",
)
def least_loss():
    ones = {eigen: (1, 1), volume: log(3)}
    yield value(plus(size / 2, volume / 2, gaps), ones), "1.5493"
    yield value(plus(size / 2, volume / 2, gaps), {eigen: (1, 3), volume: log(3)}), "2"


@derivation.exercise(
    "An implementation adds the log-determinant of the matrix once for an image of 16 positions, while the squares are summed "
    "over all of them. What do all eigenvalues of $W \\Sigma W^\\top$ become in training, and how do samples look?",
    "With the factor 16 at the squares the best eigenvalue is 0.0625 instead of 1. The layer shrinks too much, and its inverse, "
    "which makes samples of standard normal noise, stretches them: their deviation is 4 times that of the data.",
    level="medium",
    hint="The loss is a sum over the eigenvalues; set the slope in one of them to zero.",
)
def once_for_all_positions():
    one = Symbol("lambda", positive=True)
    (best,) = solve((16 * one / 2 - log(one) / 2).diff(one), one)
    yield best, "0.0625"
    yield 1 / sqrt(best), "4"


@derivation.exercise(
    "A kernel with two taps instead: one channel at four positions on a circle, where every position becomes itself plus $a$ "
    "times its left neighbor. For which $a$ is there an inverse, and what is the log-determinant at one half? What changes if "
    "the first position has no left neighbor?",
    "The determinant is $1 - a^4$: there is an inverse unless $a$ is 1 or $-1$, and the log-determinant is -0.0645. It is not a "
    "sum over positions, as the blocks are no longer apart. Without the neighbor of the first the matrix is triangular with ones "
    "on its diagonal, and the log-determinant is 0 for every $a$. Causal kernels use this.",
    level="hard",
    hint="Write the Jacobian as a matrix of four rows; which entry closes the circle?",
)
def two_taps():
    a = Symbol("a")
    circle = Matrix(4, 4, lambda row, column: 1 if row == column else a if (row - column) % 4 == 1 else 0)
    line = circle.copy()
    line[0, 3] = 0
    yield circle.det(), 1 - a**4
    yield log(circle.det().subs(a, Rational(1, 2))), "-0.0645"
    yield line.det(), Integer(1)
