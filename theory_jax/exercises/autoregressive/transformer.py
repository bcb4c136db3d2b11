"""Exercises of the lecture: The transformer decoder: all conditionals in one pass, and what a pass costs."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize_scalar
from sympy import Rational

from theory_jax.autoregressive.transformer import decoder_logits, forward_operations, gelu, parameter_count
from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive._decoders import random_decoder
from theory_jax.lectures.autoregressive.transformer import (
    _GPT2,
    E,
    F,
    L,
    N,
    Phi,
    V,
    crossing,
    derivation,
    gelu_of,
    parameters,
    phi,
    z,
)


@derivation.exercise(
    "How many parameters has a decoder with 256 words, 128 positions, width 128, 4 blocks and feed-forward layers of width 512?",
    prose(
        "It is {count}, or 840448.",
        count=holds(
            parameters.result,
            "=",
            plus(times(386, 128), times(4, plus(65536, 131072, 512, 640))),
            when={V: 256, L: 128, E: 128, N: 4, F: 512},
            named=True,
        ),
    ),
    level="easy",
    hint="Sum the embeddings, four square matrices and two wide ones a block, and the vectors: biases and norms.",
)
def nano():
    yield (
        parameter_count(vocabulary_size=256, context_length=128, width=128, layers=4, feed_forward_width=512, tied=True),
        "840448",
    )


@derivation.exercise(
    "A feed-forward layer with a gate has three matrices instead of two. Which inner width gives it as many weights as a plain "
    "layer of inner width 3072 has, for a stream of width 768?",
    "Two thirds of it, 2048: both have 4718592 weights, without biases.",
    level="easy",
    hint="Write both numbers of weights as multiples of the same width of the stream.",
)
def as_many_weights_with_a_gate():
    plain = value(times(2, E, F), {E: 768, F: 3072})
    yield plain / (3 * 768), "2048"
    yield plain, "4718592"


@derivation.exercise(
    "At which $z$ is gelu least, and how small is it there?",
    prose(
        "Where its slope, {slope}, is zero: at $-0.7518$, where it is $-0.1700$.",
        slope=holds(Slope(gelu_of, z), "=", plus(Phi, times(z, phi)), named=True),
    ),
    level="medium",
    hint="Differentiate with the product rule, and find the negative root by bisection.",
)
def the_dip():
    grid = np.linspace(-0.76, -0.74, 20001)
    found = np.asarray(gelu(jnp.array(grid), approximate=False))
    yield grid[found.argmin()], "-0.7518"
    yield found.min(), "-0.1700"


@derivation.exercise(
    "From which length on does attention cost more than everything else together in GPT-2 small with 24 blocks instead of 12?",
    prose(
        "They cost the same at 5655.02 tokens, {length}: from 5656 tokens on. The head, which is shared, counts for less.",
        length=holds(plus(times(6, 768), Rational(50257, 48)), "<", 5656),
    ),
    level="medium",
    hint="Divide what attention costs by what everything else costs; the number of blocks is left in one term only.",
)
def the_crossing():
    deeper = {E: 768, F: 3072, V: 50257, N: 24}
    yield value(crossing, deeper), "5655.02"
    shares = [4 * 24 * length**2 * 768 / forward_operations(**_GPT2 | {"layers": 24}, length=length) for length in (5655, 5656)]
    yield 5655 + int(np.searchsorted(shares, 0.5)), "5656"


@derivation.exercise(
    "A rule of thumb says that a pass takes two operations for each parameter and token. Which share of the operations of GPT-2 "
    "small does it count at 1024 tokens, and at 64?",
    "It counts 0.8736 of them at 1024 tokens, and 0.9975 at 64. It forgets the scores and averages of attention, which need no "
    "parameters and grow with the length, and counts positions, norms and biases, which multiply no matrix.",
    level="medium",
    hint="Which parameters multiply nothing, and which operations need no parameter?",
)
def two_operations_a_parameter():
    rule = 2 * parameter_count(**_GPT2, context_length=1024, tied=True)
    for length, stated in ((1024, "0.8736"), (64, "0.9975")):
        yield rule * length / forward_operations(**_GPT2, length=length), stated


@derivation.exercise(
    "A text is the letter a, one to four times with equal probability, and an end. A decoder without positions and without a "
    "start token predicts, after each letter, whether the text ends. Can more blocks help it to count? Which loss of a text is "
    "the best that it can reach, and which one can a decoder with positions reach?",
    "No. The streams of equal tokens are equal, an average of equal values is that value, and by induction every block leaves "
    "all positions equal: the logits of six equal tokens differ by 0. So the end has the same probability after every letter, "
    "at best 0.4, one end for 2.5 letters. The loss is 1.6825 nats a text; with positions it is the entropy, 1.3863. (A start "
    "token helps: its weight in an average tells how many letters followed.)",
    level="hard",
    hint="What is an average of equal values, and which distribution over lengths has one number for every step?",
)
def a_counter():
    decoder = random_decoder() | {"position_embedding": jnp.zeros((6, 8))}
    logits = decoder_logits(jnp.zeros((1, 6), int), decoder, heads=2)[0]
    yield float(np.ptp(logits, axis=0).max().round(12)), "0"

    def loss(end):
        return np.mean([-(letters - 1) * np.log(1 - end) - np.log(end) for letters in (1, 2, 3, 4)])

    best = minimize_scalar(loss, bounds=(0.01, 0.99), method="bounded", options={"xatol": 1e-9})
    yield best.x, "0.4"
    yield best.fun, "1.6825"
    yield np.log(4), "1.3863"
