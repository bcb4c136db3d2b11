"""States after blocks of keys, and the figure of the lecture on the online softmax."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.attention import causal_mask, scaled_dot_product_attention
from theory_jax.autoregressive.online_softmax import attention_backward, blockwise_attention, online_softmax_update
from theory_jax.derivation.draws import draw


def query_key_value(queries=5, keys=7):
    """Random queries, keys and values of two heads."""
    return draw(1, 2, queries, 4, scale=2.0), draw(1, 2, keys, 4, seed=1, scale=2.0), draw(1, 2, keys, 3, seed=2)


def flat(parts):
    """All entries of some arrays."""
    return jnp.concatenate([jnp.ravel(part) for part in parts])


def states_of(scores, values, block_size):
    """The state after each block of one row: [K], [K] -> (maximum, normalizer, accumulator)s."""
    state = jnp.full((1, 1), -jnp.inf), jnp.zeros((1, 1)), jnp.zeros((1, 1, 1))
    for first in range(0, len(scores), block_size):
        block = slice(first, first + block_size)
        state = online_softmax_update(*state, jnp.asarray(scores[block])[None, None], jnp.asarray(values[block])[None, :, None])
        yield tuple(float(part.ravel()[0]) for part in state)


def along_a_row(left, right):
    """The state along a row of 60 scores."""
    drawn = np.random.default_rng(0)
    scores, values = drawn.standard_normal(60), np.linspace(-1, 1, 60) + 0.3 * drawn.standard_normal(60)
    scores[42] = 5.0
    m, l, o = np.array(list(states_of(scores, values, 1))).T  # noqa: E741 (the lecture's letters)
    steps = np.arange(1, 61)
    left.plot(steps, m, label="$m$")
    left.plot(steps, m + np.log(l), label=r"$m + \log l$")
    left.set(xlabel="keys seen", ylabel="nats")
    left.legend()
    right.plot(steps, l / 10, label="$l / 10$")
    right.plot(steps, o / l, label="$o / l$")
    right.axhline(o[-1] / l[-1], linestyle="--", color="gray")
    right.set(xlabel="keys seen", ylabel="state")
    right.legend()


def one_query():
    """The box: one query and three keys of width one, in blocks of two, forward and backward."""
    keys, values = np.log([1.0, 2, 4]), np.array([7.0, 0, 3.5])
    state = jnp.full((1, 1), -jnp.inf), jnp.zeros((1, 1)), jnp.zeros((1, 1, 1))
    for name, first, last, stated in ((r"0, \log 2", 0, 2, "(0.6931, 1.5, 3.5)"), (r"\log 4", 2, 3, "(1.3863, 1.75, 5.25)")):
        scores, block = jnp.array(keys[first:last])[None, None], jnp.array(values[first:last])[None, :, None]
        state = online_softmax_update(*state, scores, block)
        yield rf"m, l, o \text{{ after the scores }} {name}", [part.item() for part in state], stated
    query, key, value = jnp.ones((1, 1, 1, 1)), jnp.array(keys)[None, None, :, None], jnp.array(values)[None, None, :, None]
    output, logs = blockwise_attention(query, key, value, block_size=2, causal=False)
    yield r"O, L", (output.item(), logs.item()), "(3, 1.9459)"
    back = attention_backward(query, key, value, output, logs, jnp.ones((1, 1, 1, 1)), causal=False)
    yield r"\text{gradient in the values, } P", back[2].ravel(), "(1/7, 2/7, 4/7)"
    yield r"\text{gradient in the scores, here in the keys}", back[1].ravel(), "(4/7, -6/7, 2/7)"


def in_blocks_and_at_once():
    """Four outputs of the code in blocks, and of attention with its matrix of weights."""
    query, key, value = query_key_value()

    def both(causal, size):
        mask = causal_mask(query_length=5, key_length=7) if causal else None
        wanted = scaled_dot_product_attention(query, key, value, mask)
        return blockwise_attention(query, key, value, block_size=size, causal=causal)[0], wanted

    pairs = [both(False, 1), both(False, 9), both(True, 3)]
    reverse = blockwise_attention(query, key[:, :, ::-1], value[:, :, ::-1], block_size=3, causal=False)[0]
    return jnp.stack([*(pair[0] for pair in pairs), reverse]), jnp.stack([*(pair[1] for pair in pairs), pairs[0][1]])


def computed_blocks(n, causal):
    """How many pairs of matrix products the program for n blocks a side contains."""
    like = jax.ShapeDtypeStruct((1, 1, 2 * n, 4), float)
    program = jax.make_jaxpr(functools.partial(blockwise_attention, block_size=2, causal=causal))(like, like, like)
    return str(program).count("dot_general[") / 2
