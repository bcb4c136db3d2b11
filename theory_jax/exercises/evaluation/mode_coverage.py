"""Exercises of the lecture: Mode coverage: counting what a generator never draws."""

import jax.numpy as jnp
import numpy as np

from theory_jax.evaluation.mode_coverage import birthday_support_estimate, collision_log_probability, mode_kl_divergence
from theory_jax.lectures.evaluation._modes import expected_divergence
from theory_jax.lectures.evaluation.mode_coverage import derivation


@derivation.exercise(
    r"Of eight equally likely modes a generator has lost four, and draws the others equally often. What is the divergence?",
    r"$\log 2$, 0.6931, as for any half of a target.",
    level="easy",
    hint="Which share of the target's probability is left?",
)
def half_of_the_modes():
    yield mode_kl_divergence(np.array([0, 2, 5, 7]), np.full(8, -np.log(8))), "0.6931"


@derivation.exercise(
    r"How often do two of 23 people share a birthday, and how long is the year by that? And if every second person is born "
    r"on one of 30 days, the others on the other 335?",
    r"In the share 0.5073 of all classes, and $\hat K$ is 357.4, below 365. With the frequent days $P$ is 0.8929 and $\hat K$ "
    "is 113.2.",
    level="medium",
    hint="Compute the chance that all birthdays differ, and insert the chance of a repetition into the estimate.",
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
    level="medium",
    hint="Start with the approximation for large $N$; then sum over all counts.",
)
def the_divergence_of_nothing():
    yield expected_divergence(20), "0.0519"
    yield 2 / 40, "0.05"
    yield np.log(1 + 2 / 20), "0.0953"


@derivation.exercise(
    "A target has 1000 equally likely modes, as stacked digits have. How many of them does a perfect generator show in 1000 "
    "samples, on average, and how many samples does it need to show 990?",
    "632.3 of them: a third looks lost, and is not. It needs 4603 samples, the first integer above 4602.9.",
    level="easy",
    hint="With which probability is one mode missed by all samples?",
)
def a_thousand_modes():
    yield 1000 * (1 - 0.999**1000), "632.3"
    needed = np.log(0.01) / np.log(0.999)
    yield needed, "4602.9"
    yield np.ceil(needed), "4603"


@derivation.exercise(
    r"A generator has modes without end, and each is half as likely as the one before: $\frac12, \frac14, \frac18$ and so on. "
    "What does the birthday test say of it with two samples, and with five? Which property of a distribution does it estimate "
    "for pairs?",
    r"2.466 with two samples and 2.273 with five. For pairs it is $-1/\log(1 - \sum_k p_k^2)$, nearly the inverse of the sum of "
    "squares, which is 3 here and $K$ for $K$ equal modes: the effective number of modes, not the number. The bound from below "
    "holds and says little.",
    level="hard",
    hint="The chance that two samples agree is a geometric series.",
)
def modes_without_end():
    law = 0.5 ** np.arange(1, 61)
    for size, printed in ((2, "2.466"), (5, "2.273")):
        chance = float(jnp.exp(collision_log_probability(jnp.log(law / law.sum()), sample_size=size)))
        yield birthday_support_estimate(sample_size=size, collision_probability=chance), printed
    yield 1 / np.sum(law**2), "3"
