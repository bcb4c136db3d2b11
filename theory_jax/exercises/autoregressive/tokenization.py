"""Exercises of the lecture: Byte pairs: lossless, greedy, and only comparable in bits per byte."""

import jax.numpy as jnp
from sympy import Rational, log

from theory_jax.autoregressive.tokenization import merge_pair, pair_counts, train_byte_pairs
from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.tokenization import derivation, p, p_text


@derivation.exercise(
    "How often does the pair aa occur in a run of seven a's, and how many tokens does merging it save?",
    "6 times, with overlaps; three pairs fit, so it saves 3.",
)
def seven_in_a_run():
    run, zeros = jnp.full(7, 97), jnp.zeros(7, int)
    yield pair_counts(run, zeros, vocabulary_size=98)[97, 97], "6"
    yield 7 - len(merge_pair(run, zeros, pair=(97, 97), new_token=256)[0]), "3"


@derivation.exercise(
    "Which single merge does training choose for aaabcaaabcbc, and is it the best one?",
    "It counts aa 4 times and bc 3 times, and takes aa, which saves 2 tokens; bc would save 3. Greedy training maximizes the "
    "count, not the saving.",
)
def the_greedy_choice():
    data, zeros = jnp.array(list(b"aaabcaaabcbc")), jnp.zeros(12, int)
    counts = pair_counts(data, zeros, vocabulary_size=256)
    yield counts[97, 97], "4 times"
    yield counts[98, 99], "3 times"
    yield (
        12 - len(merge_pair(data, zeros, pair=tuple(train_byte_pairs(data, zeros, merges=1)[0].tolist()), new_token=256)[0]),
        "saves 2",
    )
    yield 12 - len(merge_pair(data, zeros, pair=(98, 99), new_token=256)[0]), "save 3"


_two_ways = {p.at(0): Rational(1, 25), p.at(1): Rational(3, 500), p.at(2): 0}


@derivation.exercise(
    "A model without memory writes a, b, ab or the end with probabilities 0.3, 0.2, 0.4 and 0.1. What is the probability of "
    "the text ab, and by how many nats does the loss of its canonical tokens exceed the loss of the text?",
    prose(
        "The canonical token ab and the end have 0.04, the tokens a, b and the end 0.006. The text has {whole}, or 0.046, and "
        "the excess is {excess}, or 0.1398.",
        whole=holds(p_text, "=", Rational(23, 500), when=_two_ways, named=True),
        excess=holds(plus(-log(p.at(0)), log(p_text)), "=", log(Rational(23, 20)), when=_two_ways, named=True),
    ),
)
def two_ways_to_write_ab():
    numbers = {p: (0.04, 0.1 * 0.3 * 0.2)}
    yield value(p_text, numbers), "0.046"
    yield value(-log(p.at(0)) + log(p_text), numbers), "0.1398"
