"""Exercises of the lecture: HiPPO: a memory by projection."""

import numpy as np

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
