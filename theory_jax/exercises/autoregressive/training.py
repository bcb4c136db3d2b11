"""Exercises of the lecture: Next-token prediction: what its loss is the likelihood of, and which bookkeeping changes it."""

import math

import jax
import jax.numpy as jnp
from scipy.optimize import brentq
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
    level="easy",
    hint="Equal logits give equal probabilities, whatever the target is.",
)
def a_fresh_model():
    targets = jnp.arange(256)[None]
    loss = corpus_cross_entropy(token_cross_entropy(targets, jnp.zeros((1, 256, 256)), None), jnp.ones((1, 256), bool))
    yield loss, "5.545"
    yield loss / math.log(2), "8 bits"


@derivation.exercise(
    "The gradients of two small batches are accumulated. One has 10 valid tokens with a mean loss of 4, the other has 90 with "
    "a mean loss of 2. Which loss is reported if both means are averaged, and which is the loss of the 100 tokens? How much "
    "more does a token of the first batch count in the average of the means than one of the second?",
    "The average of the means is 3, the mean over tokens 2.2. In the former a token of the first batch counts 9 times as much, "
    "in its gradient, too. Sum the losses of both batches, and divide by 100 at the end.",
    level="easy",
    hint="Divide each loss by what it is divided by in both ways, and compare the factors of a single token.",
)
def two_small_batches():
    losses = jnp.stack([jnp.full(90, 4.0), jnp.full(90, 2.0)])
    mask = jnp.stack([jnp.arange(90) < 10, jnp.ones(90, bool)])

    def mean_of_means(losses):
        return sum(corpus_cross_entropy(losses[b : b + 1], mask[b : b + 1]) for b in range(2)) / 2

    yield mean_of_means(losses), "3"
    yield corpus_cross_entropy(losses, mask), "2.2"
    weights = jax.grad(mean_of_means)(losses)
    yield weights[0, 0] / weights[1, 0], "9"


@derivation.exercise(
    "Two tokens, and half of the target is smoothed: which prediction is best for the target, and how far apart are the logits?",
    r"The smoothed target gives it 0.5, and 0.25 of what is shared: 0.75. The gap is $\ln 3$, or 1.0986. There the gradient is "
    "zero.",
    level="medium",
    hint="By the result the best prediction is the target distribution itself: write it down.",
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
    level="medium",
    hint="The slope is the probability of the copied token minus the share that repeats; set it to zero.",
)
def the_best_copying():
    yield math.log(3.0), "1.0986"
    yield value(shifted, {s: math.log(3.0), m: 3, r: 0.5}), "1.2425"
    yield cases.copying_loss(math.log(3.0), (0, 1), (0, 2)), "1.2425"
    yield math.log(4.0), "1.3863"


@derivation.exercise(
    "Of two tokens the likely one has the probability 0.8 after one text and 0.6 after another. A model is trained with the "
    "share 0.1 smoothed, and reaches the minimum. What does it predict? Is there a temperature for sampling that gives the "
    "data's distribution back?",
    "It predicts 0.77 and 0.59. The first needs the temperature 0.8716 and the second 0.8976, so no single temperature undoes "
    "the smoothing: it is a mixture with the uniform distribution, and not a power. What undoes it exactly is to subtract 0.05 "
    "from the probability of each token and to divide by 0.9.",
    level="hard",
    hint="Write the smoothed prediction as a function of the true one; a temperature multiplies its logit by one number.",
)
def undoing_the_smoothing():
    def expected(logits, likely):
        losses = token_cross_entropy(jnp.array([[0, 1]]), jnp.stack([logits, logits])[None], None, label_smoothing=0.1)[0]
        return likely * losses[0] + (1 - likely) * losses[1]

    found = []
    for likely in (0.8, 0.6):
        logit = brentq(lambda z, likely=likely: float(jax.grad(expected)(jnp.array([z, 0.0]), likely)[0]), -5, 5)
        found.append((1 / (1 + math.exp(-logit)), logit / math.log(likely / (1 - likely))))
    (first, temperature), (second, other) = found
    yield first, "0.77"
    yield second, "0.59"
    yield temperature, "0.8716"
    yield other, "0.8976"
    yield (first - 0.05) / 0.8, "0.9"
