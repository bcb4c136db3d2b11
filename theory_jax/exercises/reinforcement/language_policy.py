"""Exercises of the lecture: A language model is a policy, and its best version is the reference, tilted token by token."""

import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.notation import Divergence, Expectation, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._two_tokens import EVEN, REWARDS, policy_of
from theory_jax.lectures.reinforcement.language_policy import Z, _even, best, beta, derivation, pi_0, reward
from theory_jax.reinforcement.language_policy import backward_soft_values


@derivation.exercise(
    r"How much reward does the example's best policy earn, and what does it pay for?",
    r"It earns $\frac47 \log 4$, or 0.7922, of which 0.5596 is left after 0.2326 nats at the price 1.",
)
def what_the_best_earns():
    for expression, said in (
        (Expectation(best, reward), "0.7922"),
        (beta * log(Z), "0.5596"),
        (Divergence(best, pi_0), "0.2326"),
    ):
        yield value(expression, _even), said


@derivation.exercise(
    r"Where does $v_0$ go in the example, as a nat costs almost nothing, and as it costs very much?",
    r"To the largest reward, $\log 4$ or 1.3863, and to the mean under the reference, a quarter of it or 0.3466; at the price "
    r"0.01 it is 1.3724, and at 1000 it is 0.3468.",
)
def free_and_dear():
    yield jnp.max(REWARDS), "1.3863"
    yield jnp.mean(REWARDS), "0.3466"
    for price, said in ((0.01, "1.3724"), (1000.0, "0.3468")):
        yield backward_soft_values(REWARDS, EVEN, kl_coefficient=price)[0], said


@derivation.exercise(
    r"Given the best policy and the reference of the example only: by how much is the text 11 rewarded more than 00?",
    prose(
        r"By the difference of their log-ratios, $\log \frac{16}{7} - \log \frac47$ or 1.3863: {more}, and the constant cancels.",
        more=holds(beta * plus(log(best / pi_0), -log(best.at(0) / pi_0.at(0))), "=", plus(reward, -reward.at(0))),
    ),
)
def rewards_from_policies():
    ratios = policy_of(REWARDS, EVEN, 1.0) + np.log(4)
    yield ratios[1, 1] - ratios[0, 0], "1.3863"
