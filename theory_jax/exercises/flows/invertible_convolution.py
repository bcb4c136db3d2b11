"""Exercises of the lecture: Invertible 1x1 convolution: a learned shuffle of the channels."""

import numpy as np
from sympy import log

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import prose
from theory_jax.flows.invertible_convolution import assemble, forward
from theory_jax.lectures.flows.invertible_convolution import derivation, eigen, gaps, size, volume


@derivation.exercise(
    r"The matrix $\begin{pmatrix} 2 & 0 \\ 1 & \frac12 \end{pmatrix}$ at ten positions: what is the log-determinant, and is "
    "the matrix orthogonal?",
    "0, since the determinant is 1. Not orthogonal: its first column has the squared norm 5.",
)
def a_shear():
    matrix = np.array([[2.0, 0.0], [1.0, 0.5]])
    yield forward(np.zeros((1, 2, 10)), matrix)[1], "0"
    yield matrix[:, 0] @ matrix[:, 0], "5"


@derivation.exercise(
    "What is the determinant of the matrix that is assembled from the permutation $(1, 2, 0)$, with zeros "
    "for $d$ and next to the diagonals?",
    "+1: a cycle of three is two exchanges.",
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
)
def least_loss():
    ones = {eigen: (1, 1), volume: log(3)}
    yield value(plus(size / 2, volume / 2, gaps), ones), "1.5493"
    yield value(plus(size / 2, volume / 2, gaps), {eigen: (1, 3), volume: log(3)}), "2"
