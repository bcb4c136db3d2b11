"""Exercises of the lecture: Domain adaptation."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, Symbol, exp, log

from theory_jax.adversarial.domain_adversarial import adaptation_schedule, domain_loss, proxy_a_distance
from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._domains import SOURCE, TARGET
from theory_jax.lectures.adversarial.domain_adversarial import derivation, gamma, p


@derivation.exercise(
    "A domain classifier is right on half of the examples. What is the proxy distance? And if it is always right?",
    "At the errors 0.5 and 0 it is (0, 2); 2 is the largest possible.",
    level="easy",
    hint="The distance is linear in the error.",
)
def chance_and_certainty():
    yield proxy_a_distance(jnp.array([0.5, 0.0])), "(0, 2)"


@derivation.exercise(
    "30% of the source's labels are 1, and 70% of the target's. The features are matched perfectly. What is the least sum of "
    "both errors, and who attains it?",
    "0.4, the difference of the shares: a hypothesis that says 1 in half of all cases, misses 20% in the target, and says 1 in "
    "20% of cases too many in the source. Equally well one that is right in the source alone.",
    level="medium",
    hint="The last inequality of the page gives a bound; find a hypothesis that attains it.",
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
    level="easy",
    hint="Solve for the exponential.",
)
def half_of_the_weight():
    reached = np.log(3) / 10
    yield reached, "0.1099"
    yield adaptation_schedule(jnp.array([reached]))[0], "0.5"


@derivation.exercise(
    "In training the domain classifier has the logit -1 at every source example and 1 at every target example. Its loss is far "
    "above that of guessing. Are the features of both domains alike?",
    "No. The loss is 1.3133, and saying one half everywhere costs 0.6931, so this classifier is worse than a guess. With its "
    "sign turned it costs 0.3133 and makes no error: the proxy distance is 2. Only the least loss of a classifier says "
    "something about the features.",
    level="medium",
    hint="Compare with the loss of the opposite classifier.",
)
def a_loss_above_that_of_guessing():
    for size, loss in ((-1.0, "1.3133"), (0.0, "0.6931"), (1.0, "0.3133")):
        yield domain_loss(jnp.array([size, -size]), np.array([1, 0])).mean(), loss
    yield proxy_a_distance(jnp.array([0.0]))[0], "2"


@derivation.exercise(
    "In the example only the last feature has label 1, in both domains. New features merge the first value with the last. What "
    r"are the total variation and the joint error $\lambda^*$ before and after, and how large is the sum of both errors of any "
    "hypothesis of the new features?",
    "Before, TV is 0.3 and the joint error 0. After, TV is 0, and the joint error 0.7: at the merged value a share of 0.2 has "
    "label 1 and 0.5 has label 0 in the source, and the reverse in the target, so whatever a hypothesis says there costs 0.7 "
    "in sum. The bound by the shares of the labels, which promises an error of 0.3 at least, is not attained here.",
    level="hard",
    hint="After merging there are two values; write the errors at the merged one with the probability that the hypothesis says "
    "1.",
)
def merged_features():
    label = np.array([0, 0, 1])
    yield np.abs(SOURCE - TARGET).sum() / 2, "0.3"
    merge = np.array([[1, 0], [0, 1], [1, 0]])
    yield np.abs(SOURCE @ merge - TARGET @ merge).sum() / 2, "0"
    says = Symbol("t")  # the probability of the answer 1 at the merged value
    errors = sum(law[v] * (says if label[v] == 0 else 1 - says) for law in (SOURCE, TARGET) for v in (0, 2))
    yield float(errors.diff(says)), "0"
    yield float(errors.subs(says, 0)), "0.7"
    yield abs(SOURCE @ label - TARGET @ label), "0.3"
