r"""State-space duality, Mamba-2 (lecture 56): a recurrence with one decay a head, and the same map as attention with a mask.

h_t = a_t h_(t-1) + x_t B_t^T and y_t = h_t C_t with a state h [P, N] for every head: x [B, T, H, P] has its step in it already,
log_decay [B, T, H] has log a_t, and the H heads share b and c [B, T, G, N] in G groups, the first H/G heads the first group's.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_shape


def segment_sum(log_decay):
    r"""sum_(s < k <= t) log a_k for s <= t, so 0 at s = t, and -inf for s > t: its exponential weights, at t, an input at s.

    Every entry is summed separately: a difference of two running sums would lose the digits of a short sum after a long one.

    Raises ValueError if log_decay has another number of axes.  Source: Dao & Gu 2024, section 6 and listing 1.
    [B, T, H] -> [B, H, T, T]
    """
    require_rank(3, log_decay=log_decay)
    steps = log_decay.shape[1]
    rows = jnp.swapaxes(log_decay, 1, 2)[:, :, :, None]
    after = jnp.tri(steps, k=-1, dtype=bool)  # k > s
    return jnp.where(jnp.tri(steps, dtype=bool), jnp.cumsum(jnp.where(after, rows, 0), axis=2), -jnp.inf)


def dual_quadratic(x, log_decay, b, c):
    r"""y_t = sum_(s <= t) e^(segment sum from s to t) (C_t . B_s) x_s: attention without a softmax, masked by the decay.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, or x has no step.
    Source: Dao & Gu 2024, section 3.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N] -> [B, T, H, P]
    """
    b, c = _for_heads(x, log_decay, b, c)
    scores = jnp.einsum("bthn,bshn->bhts", c, b)
    return jnp.einsum("bhts,bshp->bthp", jnp.exp(segment_sum(log_decay)) * scores, x)


def dual_recurrent(x, log_decay, b, c, initial):
    r"""h_t = a_t h_(t-1) + x_t B_t^T and y_t = h_t C_t for t = 1, 2, ...: the outputs, and the last state, with which to go on.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, or x has no step.
    Source: Dao & Gu 2024, section 3.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N], [B, H, P, N] -> [B, T, H, P], [B, H, P, N]
    """
    b, c = _for_heads(x, log_decay, b, c)
    batch, _, heads, width = x.shape
    require_shape((batch, heads, width, b.shape[3]), initial=initial)

    def step(state, now):
        x, log_decay, b, c = now
        state = jnp.exp(log_decay)[:, :, None, None] * state + x[..., None] * b[:, :, None]
        return state, jnp.einsum("bhpn,bhn->bhp", state, c)

    last, outputs = jax.lax.scan(step, initial, [jnp.swapaxes(array, 0, 1) for array in (x, log_decay, b, c)])
    return jnp.swapaxes(outputs, 0, 1), last


def dual_chunked(x, log_decay, b, c, *, chunk):
    r"""dual_quadratic in chunks of steps: attention inside each of them, a recurrence of their states between them.

    y_t = e^(sum since the chunk's beginning) h C_t + what dual_quadratic gives of the chunk alone, h the state that enters it.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, x has no step, chunk is less than 1, or
    chunk does not divide the number of steps.  Source: Dao & Gu 2024, section 6.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N] -> [B, T, H, P]
    """
    require_at_least(1, chunk=chunk)
    b, c = _for_heads(x, log_decay, b, c)
    batch, steps, heads, width = x.shape
    require(steps % chunk == 0, f"chunk is {chunk}; it must divide the {steps} steps of x: pad them, or choose another")
    count = steps // chunk
    chunks = [array.reshape(batch * count, chunk, *array.shape[2:]) for array in (x, log_decay, b, c)]
    inside, (x, log_decay, b, c) = dual_quadratic(*chunks), chunks
    since = jnp.exp(jnp.cumsum(log_decay, axis=1))
    until = jnp.exp(segment_sum(log_decay)[:, :, -1])  # the decay to the end of the chunk
    added = jnp.einsum("bhs,bshp,bshn->bhpn", until, x, b)

    def following(state, now):
        kept, added = now
        return kept[:, :, None, None] * state + added, state

    per_chunk = [jnp.swapaxes(a.reshape(batch, count, *a.shape[1:]), 0, 1) for a in (since[:, -1], added)]
    _, entering = jax.lax.scan(following, jnp.zeros_like(per_chunk[1][0]), per_chunk)
    entering = jnp.swapaxes(entering, 0, 1).reshape(added.shape)
    return (inside + since[..., None] * jnp.einsum("bhpn,bthn->bthp", entering, c)).reshape(batch, steps, heads, width)


def linear_attention(query, key, value):
    r"""y_t = sum_(s <= t) (q_t . k_s) v_s: causal attention without softmax and normalization, i.e. no decay at all.

    Raises ValueError if the shapes do not fit or query has no step.  Source: Katharopoulos et al. 2020, eq. 8.
    [B, T, H, N], [B, T, H, N], [B, T, H, P] -> [B, T, H, P]
    """
    require_rank(4, query=query, value=value)
    require(query.shape[1] > 0, f"query has shape {list(query.shape)}; it must have at least one step")
    require_shape(query.shape, key=key)
    require_shape((*query.shape[:3], value.shape[3]), value=value)
    scores = jnp.einsum("bthn,bshn->bhts", query, key)
    return jnp.einsum("bhts,bshp->bthp", jnp.tril(scores), value)


def _for_heads(x, log_decay, b, c):
    """b and c [B, T, H, N], every group's repeated for its heads, once the shapes are checked."""
    require_rank(4, x=x, b=b)
    batch, steps, heads, _ = x.shape
    require(steps > 0, f"x has shape {list(x.shape)}; it must have at least one step")
    require_shape((batch, steps, heads), log_decay=log_decay)
    groups = b.shape[2]
    require(groups > 0 and heads % groups == 0, f"b has {groups} groups; they must divide the {heads} heads of x")
    require_shape((batch, steps, groups, b.shape[3]), b=b)
    require_shape(b.shape, c=c)
    return (jnp.repeat(array, heads // groups, axis=2) for array in (b, c))
