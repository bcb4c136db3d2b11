"""Exercises of the lecture: Byte pairs: lossless, greedy, and only comparable in bits per byte."""

from itertools import product

import jax.numpy as jnp
from sympy import Rational, fibonacci, log

from theory_jax.autoregressive.tokenization import encode_byte_pairs, merge_pair, pair_counts, train_byte_pairs
from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.autoregressive.tokenization import derivation, p, p_text, q, token_bits


@derivation.exercise(
    "How often does the pair aa occur in a run of seven a's, and how many tokens does merging it save?",
    "6 times, with overlaps; three pairs fit, so it saves 3.",
    level="easy",
    hint="Write the run down, and mark pairs that do not overlap.",
)
def seven_in_a_run():
    run, zeros = jnp.full(7, 97), jnp.zeros(7, int)
    yield pair_counts(run, zeros, vocabulary_size=98)[97, 97], "6"
    yield 7 - len(merge_pair(run, zeros, pair=(97, 97), new_token=256)[0]), "3"


@derivation.exercise(
    "Two models are tested on one text of 5000 bytes. The first has 1000 tokens and the perplexity 20 a token, the second 1300 "
    "tokens and the perplexity 12. How many bits per byte have they, and which is better?",
    "The first has 0.8644 bits per byte and the second 0.9321: the first is better, although its perplexity is higher.",
    level="easy",
    hint="The logarithm of a perplexity is the bits of one token.",
)
def perplexities_of_two_tokenizers():
    for tokens, perplexity, said in ((1000, 20, "0.8644"), (1300, 12, "0.9321")):
        per_token = value(token_bits, {q: (Rational(1, perplexity),) * 4})
        yield per_token * tokens / 5000, said


@derivation.exercise(
    "Which single merge does training choose for aaabcaaabcbc, and is it the best one?",
    "It counts aa 4 times and bc 3 times, and takes aa, which saves 2 tokens; bc would save 3. Greedy training maximizes the "
    "count, not the saving.",
    level="medium",
    hint="Count both pairs with overlaps, then without.",
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
    level="medium",
    hint="Which token strings decode to the text? The end is a token, too.",
)
def two_ways_to_write_ab():
    numbers = {p: (0.04, 0.1 * 0.3 * 0.2)}
    yield value(p_text, numbers), "0.046"
    yield value(-log(p.at(0)) + log(p_text), numbers), "0.1398"


@derivation.exercise(
    "A model without memory writes a, aa or the end with the probabilities 1/2, 1/4 and 1/4. How many token strings decode to "
    "six a's, and how much larger than the text's is the loss of the canonical tokens, in nats? How does the excess grow with "
    "the length of the run?",
    r"Each of the 13 token strings has the probability 1/256, so the text has 13/256, and the excess is $\log 13$, or 2.5649. "
    "A run of $n$ has a Fibonacci number of token strings, so the excess grows by the logarithm of the golden ratio, 0.4812 "
    "nats a byte, and does not vanish for long texts.",
    level="hard",
    hint="A token string of six a's ends in a or in aa: find a recursion.",
)
def runs_of_six():
    strings = [parts for length in range(3, 7) for parts in product((1, 2), repeat=length) if sum(parts) == 6]
    yield len(strings), "13"
    probabilities = [Rational(1, 2) ** sum(parts) / 4 for parts in strings]
    yield probabilities[0], "1/256"
    yield sum(probabilities), "13/256"
    canonical = encode_byte_pairs(jnp.full(6, 97), jnp.zeros(6, int), jnp.array([[97, 97]]))
    yield log(sum(probabilities)) - log(Rational(1, 4) ** len(canonical) / 4), log(13)
    yield float(log(13)), "2.5649"
    yield float(log(fibonacci(61)) - log(fibonacci(60))), "0.4812"
