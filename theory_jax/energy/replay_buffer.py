"""A replay buffer: long chains from short updates, their dependence on the start, and their age."""

import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_shape,
    require_share,
    require_unit_interval,
    require_values,
    widened,
)


def sample(buffer, indices, fresh, uniforms, *, reinitialize_probability=0.05):
    r"""fresh[b] where uniforms[b] < p, else buffer[indices[b]]: where chain b begins; p = reinitialize_probability.

    Raises ValueError if buffer is empty, an entry of indices is no integer in 0..N-1, indices or uniforms has not one entry for
    each example of fresh, fresh has other axes than buffer, or uniforms or reinitialize_probability leaves [0, 1].
    Source: Du & Mordatch 2019, algorithm 1.
    [N, ...], [B], [B, ...], [B] -> [B, ...]
    """
    indices = _places(buffer, indices)
    require_shape((indices.shape[0], *buffer.shape[1:]), fresh=fresh)
    require_one_each(fresh, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    require_share(reinitialize_probability=reinitialize_probability)
    anew = jnp.expand_dims(uniforms < reinitialize_probability, tuple(range(1, buffer.ndim)))
    return jnp.where(anew, fresh, jnp.take(buffer, indices, axis=0, mode="clip"))


def update(buffer, indices, samples):
    r"""A new buffer with samples[b] at indices[b]: of equal indices the last wins. The given array is not changed.

    Raises ValueError if buffer is empty, an entry of indices is no integer in 0..N-1, or samples has not one entry for each of
    indices, or other axes than buffer.  Source: Tieleman 2008; Du & Mordatch 2019, algorithm 1.
    [N, ...], [B], [B, ...] -> [N, ...]
    """
    indices = _places(buffer, indices)
    size, count = buffer.shape[0], indices.shape[0]
    require_shape((count, *buffer.shape[1:]), samples=samples)
    written = indices == jnp.arange(size)[:, None]
    last = jnp.max(jnp.where(written, 1 + jnp.arange(count), 0), axis=1, initial=0)  # 0: not written at all
    source = jnp.where(last > 0, last - 1, count + jnp.arange(size))
    return jnp.take(jnp.concatenate([samples, buffer]), source, axis=0, mode="clip")


def expected_age(*, reinitialize_probability, chain_length):
    r"""K / p: the mean number of steps since a chain began, after the K = chain_length steps of a visit, p = the probability.

    Raises ValueError if reinitialize_probability is not positive or above 1, or chain_length is below 1.
    Source: Du & Mordatch 2019, algorithm 1.
    -> []
    """
    require(0 < reinitialize_probability <= 1, f"reinitialize_probability is {reinitialize_probability}; it must be in (0, 1]")
    require_at_least(1, chain_length=chain_length)
    return jnp.asarray(chain_length / reinitialize_probability, float)


def _places(buffer, indices):
    """The indices in int64, each a place of the buffer."""
    require(
        jnp.ndim(buffer) > 0 and buffer.shape[0] > 0, f"buffer has shape {list(buffer.shape)}; it must have at least one entry"
    )
    require_rank(1, indices=indices)
    require_integers(indices=indices)
    size = buffer.shape[0]
    require_values("indices", indices, lambda i: (i >= 0) & (i < size), f"a place of the buffer, 0..{size - 1}")
    return widened(indices)
