"""Exercises of the lecture: A language model is a policy, and its best version is the reference, tilted token by token."""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import log

from theory_jax.derivation.notation import Divergence, Expectation, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._two_tokens import EVEN, REWARDS, policy_of
from theory_jax.lectures.reinforcement.language_policy import Z, _even, best, beta, derivation, pi_0, reward
from theory_jax.reinforcement.language_policy import backward_soft_values, kl_regularized_objective, optimal_token_log_probs


@derivation.exercise(
    r"How much reward does the example's best policy earn, and what does it pay for?",
    r"It earns $\frac47 \log 4$, or 0.7922, of which 0.5596 is left after 0.2326 nats at the price 1.",
    level="easy",
    hint="All three numbers are on the page, as expressions of the four probabilities.",
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
    level="easy",
    hint="The value is a soft maximum; what does its temperature do at both ends?",
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
    level="medium",
    hint="A difference of log-ratios loses what all texts share.",
)
def rewards_from_policies():
    ratios = policy_of(REWARDS, EVEN, 1.0) + np.log(4)
    yield ratios[1, 1] - ratios[0, 0], "1.3863"


@derivation.exercise(
    "A program averages the price over the tokens of a text in place of adding it up. Which policy is best then in the "
    "example, and how probable is the text 11? What changes for texts of a hundred tokens?",
    r"The mean is half of the sum, so it is the tilt of the price $\frac12$, with the weights 1, 1, 1 and 16: the text 11 has "
    "16/19 in place of 4/7. With a hundred tokens the price of a nat is a hundredth: the longer the texts, the weaker the pull "
    "to the reference.",
    level="medium",
    hint="Which multiple of the divergence of texts does the program subtract?",
)
def averaged_over_tokens():
    yield jnp.exp(policy_of(REWARDS, EVEN, 0.5))[1, 1], "16/19"
    yield jnp.exp(policy_of(REWARDS, EVEN, 1.0))[1, 1], "4/7"
    logits, even = jnp.zeros(4), jnp.full((1, 4), -jnp.log(4.0))

    def averaged(logits):
        policy = jax.nn.log_softmax(logits)[None]
        return kl_regularized_objective(policy, even, REWARDS.reshape(1, 4), kl_coefficient=0.5)[0]

    for _ in range(60):
        logits = logits + 8 * jax.grad(averaged)(logits)
    yield jax.nn.softmax(logits)[3], "16/19"


@derivation.exercise(
    r"The example's best policy is sampled at the temperature $\frac12$: each token's probabilities are squared and "
    "normalized. How probable is the text 11? Is that the best policy of another price?",
    r"The first token has $\frac{25}{29}$ and the second, after it, $\frac{16}{17}$: together 0.8114. The other texts should "
    "be equally probable for any price, but 10 has 0.0507 and 00 has 0.0690. So it is no tilt of the reference: the soft value "
    r"of a prefix at another price is not a multiple of the old one. Squared as a whole the text has $\frac{16}{19}$, 0.8421.",
    level="hard",
    hint="Compare the texts 00 and 10, which have the same reward.",
)
def another_temperature():
    first, second = (jnp.exp(table) for table in optimal_token_log_probs(REWARDS, EVEN, kl_coefficient=1.0))
    cold_1 = first**2 / (first**2).sum()
    cold_2 = second**2 / (second**2).sum(axis=1, keepdims=True)
    texts = cold_1[:, None] * cold_2
    yield texts[1, 1], "0.8114"
    yield texts[1, 0], "0.0507"
    yield texts[0, 0], "0.0690"
    squared = (first[:, None] * second) ** 2
    yield squared[1, 1] / squared.sum(), "0.8421"
