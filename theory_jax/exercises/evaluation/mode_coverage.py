"""Exercises of the lecture: Mode coverage: counting what a generator never draws."""

import jax.numpy as jnp
import numpy as np

from theory_jax.evaluation.mode_coverage import birthday_support_estimate, collision_log_probability, mode_kl_divergence
from theory_jax.lectures.evaluation._modes import expected_divergence
from theory_jax.lectures.evaluation.mode_coverage import derivation


@derivation.exercise(
    r"Of eight equally likely modes a generator has lost four, and draws the others equally often. What is the divergence?",
    r"$\log 2$, 0.6931, as for any half of a target.",
)
def half_of_the_modes():
    yield mode_kl_divergence(np.array([0, 2, 5, 7]), np.full(8, -np.log(8))), "0.6931"


@derivation.exercise(
    r"How often do two of 23 people share a birthday, and how long is the year by that? And if every second person is born "
    r"on one of 30 days, the others on the other 335?",
    r"In the share 0.5073 of all classes, and $\hat K$ is 357.4, below 365. With the frequent days $P$ is 0.8929 and $\hat K$ "
    "is 113.2.",
)
def a_class_of_pupils():
    for law in (np.full(365, 1 / 365), np.append(np.full(30, 0.5 / 30), np.full(335, 0.5 / 335))):
        chance = float(jnp.exp(collision_log_probability(np.log(law), sample_size=23)))
        even = law[0] == law[-1]
        yield chance, "0.5073" if even else "0.8929"
        yield birthday_support_estimate(sample_size=23, collision_probability=chance), "357.4" if even else "113.2"


@derivation.exercise(
    r"A generator has three equally likely modes, as the target has. What divergence should one expect of 20 samples?",
    r"All 231 counts give 0.0519. The approximation $\frac{K-1}{2N}$ is 0.05, the bound $\log 1.1$ is 0.0953.",
)
def the_divergence_of_nothing():
    yield expected_divergence(20), "0.0519"
    yield 2 / 40, "0.05"
    yield np.log(1 + 2 / 20), "0.0953"
