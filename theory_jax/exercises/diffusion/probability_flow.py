"""Exercises of the lecture.

The probability flow: a motion without noise that has the diffusion's densities, and its likelihood.
"""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.probability_flow import log_prob, probability_flow_drift
from theory_jax.lectures.diffusion.probability_flow import _TWO, derivation


@derivation.exercise(
    r"What is the flow of data of variance 1? What does it say of their log-density?",
    "$V = 1$ at every time, so the velocity is 0 and points stay. The last density is exactly standard normal: the log-density "
    "is exact, at $x_0 = 2$ it is $-2.9189$.",
)
def at_rest():
    found = log_prob(
        _TWO, jnp.ones((1, 1, 1)), jnp.array([0.0, 1.0]), lambda x, t: probability_flow_drift(-x, -x, jnp.full(1, 2**0.5))
    )
    yield found, "-2.9189"


@derivation.exercise(
    r"At which distance from 0 is the log-density of the example exact, although the last density is not standard normal?",
    r"Where $\log V_T = (V_T - 1)\, x_0^2/c$: at $x_0^2 = \frac{16}3 \log \frac74 = 2.985$, so at 1.728.",
)
def exact_by_chance():
    place = jnp.full((1, 1), math.sqrt(16 / 3 * math.log(1.75)))
    yield place**2, "2.985"
    yield place, "1.728"


@derivation.exercise(
    r"In two dimensions $J = \begin{pmatrix} 1 & 2 \\ 0 & 3 \end{pmatrix}$. Which values does $e^\top J e$ take for one probe "
    r"with entries $\pm 1$, and what is their mean?",
    r"$1 + 3 \pm 2$: 6 or 2, each with probability one half. Their mean is 4, the divergence.",
)
def one_probe():
    jacobian = np.array([[1.0, 2.0], [0.0, 3.0]])
    found = [probe @ jacobian @ probe for probe in (np.array([1.0, 1.0]), np.array([1.0, -1.0]))]
    yield found[0], "6"
    yield found[1], "2"
    yield sum(found) / 2, "4"
