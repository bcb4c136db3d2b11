"""Exercises of the lecture: The key-value cache: what never changes need not be computed again."""

import numpy as np
from scipy.optimize import brentq
from sympy import Rational

from theory_jax.autoregressive.kv_cache import cache_bytes
from theory_jax.autoregressive.transformer import parameter_count
from theory_jax.derivation.notation import times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._decoders import GPT2
from theory_jax.lectures.autoregressive.kv_cache import B, D, E, H, L, N, T, b, derivation, saving, size, with_cache, without


@derivation.exercise(
    "How many bytes do the caches of 8 texts of 4096 tokens take, with 32 layers, 8 key heads of width 128 and 16 bits?",
    prose(
        "They take {bytes} bytes: 4 GiB.",
        bytes=holds(size, "=", 4294967296, when={B: 8, N: 32, H: 8, D: 128, L: 4096, b: 2}, named=True),
    ),
    level="easy",
    hint="Multiply what the formula names, keys and values apart.",
)
def a_larger_model():
    yield cache_bytes(batch=8, layers=32, key_value_heads=8, head_width=128, length=4096, element_bytes=2), "4294967296"


@derivation.exercise(
    prose("How large is the saving at {T} and {E}?", T=where(T, 3), E=where(E, 1)),
    prose(
        "It is {saving}, or 2.0833: the sums are {without} without a cache and {kept} with it.",
        saving=holds(without.result / with_cache.result, "=", Rational(25, 12), named=True),
        without=holds(without.result, "=", 200, named=True),
        kept=holds(with_cache.result, "=", 96, named=True),
    ),
    level="easy",
    hint="Write out the three steps of both sums.",
)
def a_small_saving():
    given = {T: 3, E: 1}
    yield value(saving.lines[0].expression, given), "2.0833"
    yield value(without.result, given), "200"
    yield value(with_cache.result, given), "96"


@derivation.exercise(
    "From which length on does a cached step spend more on attention than on its matrices?",
    prose(
        "Beyond {length}, where both cost the same, {both}: for a width of 768 from 4609 tokens on.",
        length=where(T, 6 * E),
        both=holds(times(4, T, E), "=", times(24, E**2)),
    ),
    level="medium",
    hint="A step has one new token: what do its matrices cost, and what its keys?",
)
def when_attention_dominates():
    yield next(length for length in range(4600, 4700) if 4 * length * 768 > 24 * 768**2), "4609"


@derivation.exercise(
    "The 8 texts of the larger model begin with the same 3072 tokens, and their other 1024 differ. How many bytes do the "
    "caches take if the common rows are kept once? What is left of that if every text begins with the name of its user?",
    "Keys and values of a token depend on the tokens up to it alone, so the common rows are equal: 11264 rows instead of 32768 "
    "take 1476395008 bytes, a share of 0.34375. With different names in front no row is common, although the words behind them "
    "are: what differs belongs at the end.",
    level="medium",
    hint="Of which tokens is a key a function? Count the rows that differ.",
)
def a_common_beginning():
    of_one = dict(layers=32, key_value_heads=8, head_width=128, element_bytes=2)
    all_rows = cache_bytes(batch=8, length=4096, **of_one)
    shared = cache_bytes(batch=1, length=3072, **of_one) + cache_bytes(batch=8, length=1024, **of_one)
    row = cache_bytes(batch=1, length=1, **of_one)
    yield shared / row, "11264"
    yield all_rows / row, "32768"
    yield shared, "1476395008"
    yield shared / all_rows, "0.34375"


@derivation.exercise(
    "How many texts side by side bring GPT-2 small with full caches of 1024 tokens to half of its bound of operations for each "
    "byte? And with 3 key heads instead of 12?",
    "Half is reached where all caches together have as many bytes as the weights: 6.59 texts, with 3.30 operations a byte. "
    "With 3 key heads it is 26.36 texts, with 13.18: each text costs a quarter of the bytes, so four times as many share the "
    "reading of the weights. (The weights that the smaller matrices of keys and values save are left out.)",
    level="medium",
    hint="Set the operations for each byte to half of their limit; which two numbers of bytes are then equal?",
)
def half_of_the_bound():
    weights = 2 * parameter_count(**GPT2, context_length=1024, tied=True)
    for heads, texts, operations in ((12, "6.59", "3.30"), (3, "26.36", "13.18")):
        cache = cache_bytes(batch=1, layers=12, key_value_heads=heads, head_width=64, length=1024, element_bytes=2)
        found = brentq(lambda n, cache=cache: weights * n / (weights + n * cache) - weights / cache / 2, 0.1, 1000)
        yield found, texts
        yield weights * found / (weights + found * cache), operations


@derivation.exercise(
    "Each of two layers keeps the last 3 rows of its cache, the newest token's own among them. On how many of the last tokens "
    "can the newest logits depend? Are they those of a full pass over the last 3 tokens? How many tokens is that for 32 layers "
    "and 4096 rows?",
    "They can depend on 5 tokens: a row of the second layer was made from the stream of its token, which had read the two "
    "tokens before it. Each layer reaches one token less than the window further back, so a pass over the last 3 tokens gives "
    "other logits. For 32 layers and 4096 rows it is 131041 tokens, nearly 32 times the window, although the memory does not "
    "grow.",
    level="hard",
    hint="In one layer a token sees two tokens before it; how far back does what these tokens hold reach?",
)
def a_window():
    sees = np.tri(8) - np.tri(8, k=-3)  # one layer: a token and the two before it
    yield np.count_nonzero((sees @ sees)[-1]), "5"
    yield np.count_nonzero(sees[-1]), "3"
    yield 1 + 32 * (4096 - 1), "131041"
