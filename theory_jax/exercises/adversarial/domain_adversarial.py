"""Exercises of the lecture: Domain adaptation."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.adversarial.domain_adversarial import adaptation_schedule, proxy_a_distance
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.domain_adversarial import derivation, gamma, p


@derivation.exercise(
    "A domain classifier is right on half of the examples. What is the proxy distance? And if it is always right?",
    "At the errors 0.5 and 0 it is (0, 2); 2 is the largest possible.",
)
def chance_and_certainty():
    yield proxy_a_distance(jnp.array([0.5, 0.0])), "(0, 2)"


@derivation.exercise(
    "30% of the source's labels are 1, and 70% of the target's. The features are matched perfectly. What is the least sum of "
    "both errors, and who attains it?",
    "0.4, the difference of the shares: a hypothesis that says 1 in half of all cases, misses 20% in the target, and says 1 in "
    "20% of cases too many in the source. Equally well one that is right in the source alone.",
)
def shares_of_labels():
    says, source, target = 0.5, 0.3, 0.7
    yield (says - source) + (target - says), "0.4"


@derivation.exercise(
    prose(r"At which progress does the weight reach $\frac12$, with {ten}?", ten=where(gamma, 10)),
    prose(
        "At {progress}, about 0.1099, where it is {half}, 0.5: after 11% of the training.",
        progress=where(p, log(3) / 10),
        half=holds(plus(2 / (1 + exp(-gamma * p)), -1), "=", Rational(1, 2), named=True),
    ),
)
def half_of_the_weight():
    reached = np.log(3) / 10
    yield reached, "0.1099"
    yield adaptation_schedule(jnp.array([reached]))[0], "0.5"
