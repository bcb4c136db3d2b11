r"""Parallel scan (lecture 56): x_t = a_t x_(t-1) + b_t, entry by entry, one step after the other or in log2 T rounds.

inputs are the b_t and decay the a_t, [B, T, N]; initial is x_0, [B, N].
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_rank, require_shape


def combine(decay_first, input_first, decay_second, input_second):
    r"""(a_2 a_1, a_2 b_1 + b_2): the map x -> a_1 x + b_1, and after it x -> a_2 x + b_2, as one map of the same form.

    Raises ValueError if the shapes differ.  Source: Blelloch 1990, section 1.4.1; Martin & Cundy 2018, section 2.2.
    [...], [...], [...], [...] -> [...], [...]
    """
    arrays = dict(input_first=input_first, decay_second=decay_second, input_second=input_second)
    require_shape(jnp.shape(decay_first), **arrays)
    return decay_second * decay_first, decay_second * input_first + input_second


def recurrence_sequential(inputs, decay, initial):
    r"""x_t = a_t x_(t-1) + b_t for t = 1, 2, ..., T: all states, one after the other.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Martin & Cundy 2018, eq. 1.
    [B, T, N], [B, T, N], [B, N] -> [B, T, N]
    """
    _require_recurrence(initial, inputs=inputs, decay=decay)

    def step(state, now):
        state = now[0] * state + now[1]
        return state, state

    _, states = jax.lax.scan(step, initial, (jnp.swapaxes(decay, 0, 1), jnp.swapaxes(inputs, 0, 1)))
    return jnp.swapaxes(states, 0, 1)


def recurrence_parallel(inputs, decay, initial):
    r"""x_t = a_t x_(t-1) + b_t: the maps (a_1, b_1), ..., (a_t, b_t) combined, applied to x_0. No step waits for all before it.

    Raises ValueError if the shapes do not fit or inputs has no step.  Source: Blelloch 1990, section 1.4; Smith et al. 2023.
    [B, T, N], [B, T, N], [B, N] -> [B, T, N]
    """
    _require_recurrence(initial, inputs=inputs, decay=decay)
    kept, added = jax.lax.associative_scan(lambda first, second: combine(*first, *second), (decay, inputs), axis=1)
    return kept * initial[:, None] + added


def recurrence_backward(upstream, states, decay, initial):
    r"""Gradients of sum_t <upstream_t, x_t> for inputs, decay and initial: g_t, g_t x_(t-1) and a_1 g_1.

    g_t = upstream_t + a_(t+1) g_(t+1) from g_(T+1) = 0: the recurrence from the end, with the decay of the step after.

    Raises ValueError if the shapes do not fit or upstream has no step.  Source: Martin & Cundy 2018, section 2.3.
    [B, T, N], [B, T, N], [B, T, N], [B, N] -> [B, T, N], [B, T, N], [B, N]
    """
    _require_recurrence(initial, upstream=upstream, states=states, decay=decay)
    after = jnp.concatenate([decay[:, 1:], jnp.zeros_like(decay[:, :1])], axis=1)
    reached = recurrence_sequential(upstream[:, ::-1], after[:, ::-1], jnp.zeros_like(initial))[:, ::-1]
    before = jnp.concatenate([initial[:, None], states[:, :-1]], axis=1)
    return reached, reached * before, decay[:, 0] * reached[:, 0]


def _require_recurrence(initial, **sequences):
    """Sequences [B, T, N] with T >= 1, all of the shape of the first, and initial [B, N]."""
    (name, first), *_ = sequences.items()
    require_rank(3, **{name: first})
    batch, steps, lanes = first.shape
    require(steps > 0, f"{name} has shape {list(first.shape)}; it must be [B, T, N] with at least one step")
    require_shape((batch, steps, lanes), **sequences)
    require_shape((batch, lanes), initial=initial)
