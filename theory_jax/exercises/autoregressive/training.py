"""Exercises of the lecture: Next-token prediction: what its loss is the likelihood of, and which bookkeeping changes it."""

import math

import jax
import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.autoregressive.training import corpus_cross_entropy, token_cross_entropy
from theory_jax.derivation.notation import Slope, plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive import _next_token as cases
from theory_jax.lectures.autoregressive.training import V, derivation, eps, m, q, r, s, shifted


@derivation.exercise(
    "What is the first loss of a model of bytes whose logits are all zero, in nats and in bits?",
    r"$\ln 256$, or 5.545, nats: 8 bits. Another first loss shows a mistake in the loss or in the initialization.",
)
def a_fresh_model():
    targets = jnp.arange(256)[None]
    loss = corpus_cross_entropy(token_cross_entropy(targets, jnp.zeros((1, 256, 256)), None), jnp.ones((1, 256), bool))
    yield loss, "5.545"
    yield loss / math.log(2), "8 bits"


@derivation.exercise(
    "Two tokens, and half of the target is smoothed: which prediction is best for the target, and how far apart are the logits?",
    r"The smoothed target gives it 0.5, and 0.25 of what is shared: 0.75. The gap is $\ln 3$, or 1.0986. There the gradient is "
    "zero.",
)
def half_of_the_target():
    def loss(logits):
        return token_cross_entropy(jnp.array([[0]]), logits[None, None], None, label_smoothing=0.5)[0, 0]

    yield value(log(1 + V * (1 - eps) / eps), {q: (0.5, 0.5), eps: 0.5}), "1.0986"
    yield jax.nn.softmax(jnp.array([math.log(3.0), 0.0]))[0] + jax.grad(loss)(jnp.array([math.log(3.0), 0.0]))[0], "0.75"


@derivation.exercise(
    prose(
        "Half of the tokens repeat, {half}, and there are four tokens, {others}. How sure is the best copying network, and "
        "what is its loss?",
        half=where(r, Rational(1, 2)),
        others=where(m, 3),
    ),
    prose(
        r"At {best}, or 1.0986, the slope is zero, {slope}; the loss is {loss}, or 1.2425, below $\ln 4$, or 1.3863.",
        best=where(s, log(3)),
        slope=holds(Slope(shifted, s), "=", 0),
        loss=holds(shifted, "=", plus(log(6), -log(3) / 2), named=True),
    ),
)
def the_best_copying():
    yield math.log(3.0), "1.0986"
    yield value(shifted, {s: math.log(3.0), m: 3, r: 0.5}), "1.2425"
    yield cases.copying_loss(math.log(3.0), (0, 1), (0, 2)), "1.2425"
    yield math.log(4.0), "1.3863"
