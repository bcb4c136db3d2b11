"""Exercises of the lecture: The policy gradient theorem: differentiating what was decided by chance."""

import jax
import jax.numpy as jnp
from sympy import Rational, Symbol, integrate, log

from theory_jax.derivation.notation import plus
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement._stay_or_move import spread
from theory_jax.lectures.reinforcement.policy_gradient import baseline, derivation, p, q_0, q_1, same
from theory_jax.reinforcement.policy_gradient import bandit_gradient_samples, optimal_constant_baseline, policy_entropy


@derivation.exercise(
    "One decision between two actions, worth 1 and 0 and taken with probabilities 0.9 and 0.1. What is the variance of the "
    "estimate without a baseline, with the mean reward, and with the best one?",
    prose(
        "The terms of both logits have the same squares. Twice their mean square, less the square of their mean, is {variance}: "
        "0.0018, 0.1152, 0.",
        variance=holds(
            2 * plus(p * (1 - p) ** 2 * (q_0 - baseline) ** 2, (1 - p) * p**2 * (q_1 - baseline) ** 2, -(same**2)),
            "=",
            Rational(9, 50) * (baseline - Rational(1, 10)) ** 2,
            when={p: Rational(9, 10), q_0: 1, q_1: 0},
            named=True,
        ),
    ),
    level="medium",
    hint="Write the two terms of one logit as functions of the baseline.",
)
def a_baseline_that_harms():
    yield spread([1.0, 0.0], [0.9, 0.1], (0.0, 0.9, 0.1)), "0.0018, 0.1152, 0"


@derivation.exercise(
    "What is the best constant baseline for three equally likely actions that are worth 3, 0 and 0?",
    r"The squared norms of the scores are equal, so it is the mean reward: 1.",
    level="easy",
    hint="How do the squared norms of the three scores compare?",
)
def equal_norms():
    yield optimal_constant_baseline(jnp.array([3.0, 0.0, 0.0]), jnp.zeros(3)), "1"


@derivation.exercise(
    "Is the return to come always less noisy than the total return? Let a run of two steps pay -1 and then 1, whatever is done, "
    r"without a discount, and let both actions be as likely.",
    r"The total return is 0, and so is its estimate: variance 0. The return to come is 0 from the first step on and 1 from the "
    r"second, with the score $\pm (\frac12, -\frac12)$: variance 0.5. Here the past makes up for what is to come, and leaving it "
    "out adds noise.",
    level="hard",
    hint="Write the estimate of each step as its score times a return, and square the scores.",
)
def a_past_that_makes_up():
    terms = bandit_gradient_samples(jnp.ones(2), jnp.zeros(2), jnp.array(0.0))
    yield jnp.sum(0.0 * terms**2), "0"
    yield jnp.mean(jnp.sum(terms**2, axis=1)), "0.5"


@derivation.exercise(
    "One decision between two actions, worth 1 and 0. Half of the entropy is added to the expected reward. At which policy does "
    "the gradient vanish, and how often does it take the better action?",
    "For every action the worth less half the logarithm of its probability must be the same number, so the policy is the softmax "
    r"of twice the worths. It takes the better action with probability $1/(1 + e^{-2})$, 0.8808; there the slope is 0.",
    level="medium",
    hint="Add the gradient of one decision and half the slope of the entropy; both have the probability as a factor.",
)
def a_bonus_for_entropy():
    logits, worth = jnp.array([2.0, 0.0]), jnp.array([1.0, 0.0])
    policy = jax.nn.softmax(logits)
    yield policy[0], "0.8808"
    of_reward = policy @ bandit_gradient_samples(worth, logits, jnp.array(0.0))
    yield (of_reward + jax.grad(lambda logits: policy_entropy(logits) / 2)(logits))[0], "0"


@derivation.exercise(
    "The better of two actions is worth 1, the other 0, and the policy takes the better one with probability 0.01. The logits "
    "follow the exact gradient in continuous time. How long does it take until both actions are equally likely? And how long if "
    "the difference of the logits grows at the rate 1 instead?",
    "The difference of the logits grows at twice the gradient, so the probability grows at twice the square of its product "
    "with the rest. That takes 54.09, and from 0.001 on 506.4: a policy that is nearly certain of the wrong action has almost "
    r"no gradient. At the rate 1 it takes $\log 99$, 4.595.",
    level="hard",
    hint="Write the speed of the probability as a function of the probability alone; the time is an integral of its inverse.",
)
def out_of_a_wrong_certainty():
    x = Symbol("x", positive=True)
    gradient = same.subs({q_0: 1, q_1: 0})
    time = integrate((1 / (2 * gradient * p * (1 - p))).subs(p, x).apart(x), x)
    for probability, said in ((Rational(1, 100), "54.09"), (Rational(1, 1000), "506.4")):
        yield abs(complex((time.subs(x, Rational(1, 2)) - time.subs(x, probability)).evalf()).real), said
    yield float(log(99)), "4.595"
