"""A decoder with caches, steps with three keys, and the figure of the lecture on the key-value cache."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.kv_cache import append_cache, cache_bytes, cached_attention, cached_decoder_step
from theory_jax.lectures.autoregressive._decoders import random_decoder

TOKENS = jnp.array([[3, 1, 4, 1, 5], [2, 6, 0, 4, 3]])
PARAMETERS = random_decoder()


def in_chunks(tokens, chunks, fill=0.0):
    """Logits and caches of one pass in chunks of the given sizes, from caches that are full of a number."""
    logits, caches, position = [], (jnp.full((2, 2, 2, 6, 4), fill),) * 2, 0
    for size in chunks:
        chunk = tokens[:, position : position + size]
        part, caches = cached_decoder_step(chunk, *caches, PARAMETERS, heads=2, position=position)
        logits.append(part)
        position += size
    return jnp.concatenate(logits, axis=1), caches


def outputs_of_three_steps(rows=4, fill=9.9):
    """The outputs of three steps with scores 0, log 2, log 4 for every query, and values 7, 0, 3.5."""
    keys, values = (jnp.full((1, 1, rows, 1), fill) for _ in "kv")
    outputs = []
    for step, (key, value_of) in enumerate(zip(np.log([1.0, 2, 4]), (7.0, 0.0, 3.5), strict=True)):
        new = (jnp.full((1, 1, 1, 1), number) for number in (key, value_of))
        keys, values = append_cache(keys, values, *new, position=step)
        outputs.append(float(cached_attention(jnp.ones((1, 1, 1, 1)), keys, values, position=step)[0, 0, 0, 0]))
    return outputs


def costs(left, right):
    """Operations with and without a cache, and operations for each byte read."""
    lengths = np.unique(np.geomspace(1, 8192, 40).astype(int))
    recomputed = 12 * 768**2 * lengths * (lengths + 1.0) + 2 / 3 * 768 * lengths * (lengths + 1.0) * (2 * lengths + 1)
    left.loglog(lengths, recomputed, label="without a cache")
    left.loglog(lengths, 24 * 768**2 * lengths + 2 * 768 * lengths * (lengths + 1.0), label="with a cache")
    left.set(xlabel="tokens $T$", ylabel="operations")
    left.legend()
    many, weights = np.geomspace(1, 512, 60), 124_439_808
    for heads in (12, 3):
        cache = cache_bytes(batch=1, layers=12, key_value_heads=heads, head_width=64, length=1024, element_bytes=2)
        right.semilogx(many, 2 * weights * many / (2 * weights + many * cache), label=f"{heads} key heads")
        right.axhline(2 * weights / cache, color="gray", linestyle="--")
    right.set(xlabel="texts side by side", ylabel="operations a byte")
    right.legend()
