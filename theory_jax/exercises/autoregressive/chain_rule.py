"""Exercises of the lecture: The chain rule costs nothing; the parametrization of the conditionals does."""

import itertools
import math

import jax
import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.autoregressive.chain_rule import autoregressive_bernoulli_log_prob, made_logits, made_masks, mask_connectivity
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.chain_rule import _mixed, bias, c, derivation, summed


@derivation.exercise(
    "How many numbers do full tables for the conditionals of $D$ bits need, and how many do logistic conditionals need?",
    "Tables need a number for each past of each variable, $2^D - 1$ in all, as many as the joint distribution; logistic ones "
    "need $D (D + 1) / 2$. For ten bits: 1023 and 55.",
    level="easy",
    hint="How many pasts does the last variable have, and how many weights has its logit?",
)
def tables_and_weights():
    yield sum(2 ** (d - 1) for d in range(1, 11)), "1023"
    yield sum(range(1, 11)), "55"


@derivation.exercise(
    "Four variables, two hidden layers with units of degree 1, 2 and 3: how many paths lead from the first variable to the last?",
    r"There are $\binom{3 + 2 - 1}{2}$, or 6.",
    level="easy",
    hint="A path chooses two degrees that do not fall; list them.",
)
def six_paths():
    yield mask_connectivity(made_masks(jnp.arange(1, 5), (jnp.arange(1, 4),) * 2))[3, 0], "6"


@derivation.exercise(
    "To save a pass, both bits of the example are sampled from the logits that the network gives for 00. Which "
    "probability does the string 11 get, and how far is the distribution of the samples from the model's in total variation?",
    "The second bit is sampled as if the first were 0: 11 gets 0.1 instead of 0.3. The distance is 0.2, although both logits "
    "are right for the string 00.",
    level="medium",
    hint="Write down the two probabilities with which the bits are sampled; then the bits are independent.",
)
def all_bits_at_once():
    masks = made_masks(jnp.array([1, 2]), (jnp.array([1]),))
    weights, biases = (jnp.ones((1, 2)), math.log(6) * jnp.ones((2, 1))), (jnp.zeros(1), jnp.array([0, -math.log(4)]))
    strings = jnp.array(list(itertools.product((0.0, 1.0), repeat=2)))
    logits = made_logits(strings, weights, biases, masks)
    model = jnp.exp(autoregressive_bernoulli_log_prob(strings, logits))
    sampled = jnp.exp(autoregressive_bernoulli_log_prob(strings, jnp.broadcast_to(logits[0], logits.shape)))
    yield sampled[3], "0.1"
    yield model[3], "0.3"
    yield jnp.abs(sampled - model).sum() / 2, "0.2"


@derivation.exercise(
    r"The fourth variable has the logit $\log 2\,(x_1 + x_2 + x_3)$. Which interaction of the first three does it leave?",
    prose(
        r"The third difference of $-\log(1 + 2^{x_1 + x_2 + x_3})$ is {left}, or 0.0284.",
        left=holds(-_mixed(summed), "=", log(Rational(250, 243)), when={c: log(2), bias: 0}, named=True),
    ),
    level="medium",
    hint="Write the eight values of the term that normalizes the fourth variable; four have a plus sign and four a minus sign.",
)
def the_interaction_left():
    signs = {bits: (-1) ** (3 - sum(bits)) for bits in itertools.product((0, 1), repeat=3)}
    yield -sum(sign * math.log(1 + 2.0 ** sum(bits)) for bits, sign in signs.items()), "0.0284"


@derivation.exercise(
    "Two bits are fair and independent, and the third is their parity with probability 0.9. How many nats does the best model "
    "with logistic conditionals lose, and does another order help? What repairs it?",
    "Any two of the bits are independent and fair, so the best logits are zero in every order: the gradient is 0 there, and "
    "the loss is convex in the weights. The model loses 0.3681 nats. A further input of the last logit, the product of both "
    "bits, repairs it, and so does a hidden layer.",
    level="hard",
    hint="By symmetry, which logits are best if every pair of the bits is independent?",
)
def a_parity():
    strings = jnp.array(list(itertools.product((0.0, 1.0), repeat=3)))
    p = jnp.where(strings.sum(axis=1) % 2 == 0, 0.9, 0.1) / 4

    def loss(weights, order):  # a bias for each bit, and a weight for each pair
        x = strings[:, jnp.array(order)]
        pairs = jnp.stack([jnp.zeros(8), weights[3] * x[:, 0], weights[4] * x[:, 0] + weights[5] * x[:, 1]], axis=1)
        return -p @ autoregressive_bernoulli_log_prob(x, pairs + weights[:3])

    slopes = [jax.grad(loss)(jnp.zeros(6), order) for order in itertools.permutations(range(3))]
    yield float(jnp.abs(jnp.array(slopes)).max().round(12)), "0"
    yield loss(jnp.zeros(6), (0, 1, 2)) + p @ jnp.log(p), "0.3681"
