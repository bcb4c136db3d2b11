"""A replay buffer: states of chains that go on from update to update, now and then begun anew."""

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_shape,
    require_share,
    require_unit_interval,
    require_values,
)


def sample(buffer, indices, fresh, uniforms, *, reinitialize_probability=0.05):
    r"""fresh[b] where uniforms[b] < p, else buffer[indices[b]]: where chain b begins; p = reinitialize_probability.

    Raises ValueError if buffer is empty, an entry of indices is no integer in 0..N-1, indices or uniforms has not one entry for
    each example of fresh, fresh has other axes than buffer, or uniforms or reinitialize_probability leaves [0, 1].
    Source: Du & Mordatch 2019, algorithm 1.
    [N, ...], [B], [B, ...], [B] -> [B, ...]
    """
    indices = _places(buffer, indices)
    require_shape((len(indices), *buffer.shape[1:]), fresh=fresh)
    require_one_each(fresh, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    require_share(reinitialize_probability=reinitialize_probability)
    anew = (uniforms < reinitialize_probability).view(-1, *[1] * (buffer.ndim - 1))
    return torch.where(anew, fresh, buffer.index_select(0, indices))


def update(buffer, indices, samples):
    r"""A new buffer with samples[b] at indices[b]: of equal indices the last wins. The given array is not changed.

    Raises ValueError if buffer is empty, an entry of indices is no integer in 0..N-1, or samples has not one entry for each of
    indices, or other axes than buffer.  Source: Tieleman 2008; Du & Mordatch 2019, algorithm 1.
    [N, ...], [B], [B, ...] -> [N, ...]
    """
    indices = _places(buffer, indices)
    count, size = len(indices), len(buffer)
    require_shape((count, *buffer.shape[1:]), samples=samples)
    # the last position at which a place is written; scattered values alone would win in no order that is promised
    last = indices.new_full((size,), -1).scatter_reduce(0, indices, torch.arange(count, device=buffer.device), "amax")
    kept = torch.arange(count, count + size, device=buffer.device)
    return torch.cat([samples, buffer]).index_select(0, torch.where(last < 0, kept, last))


def expected_age(*, reinitialize_probability, chain_length):
    r"""K / p: the mean number of steps since a chain began, after the K = chain_length steps of a visit, p = the probability.

    Raises ValueError if reinitialize_probability is not positive or above 1, or chain_length is below 1.
    Source: Du & Mordatch 2019, algorithm 1.
    -> []
    """
    require(0 < reinitialize_probability <= 1, f"reinitialize_probability is {reinitialize_probability}; it must be in (0, 1]")
    require_at_least(1, chain_length=chain_length)
    return torch.tensor(chain_length / reinitialize_probability, dtype=torch.get_default_dtype())


def _places(buffer, indices):
    """The indices in int64, each a place of the buffer."""
    require(buffer.ndim > 0 and len(buffer) > 0, f"buffer has shape {list(buffer.shape)}; it must have at least one entry")
    require_rank(1, indices=indices)
    require_integers(indices=indices)
    size = len(buffer)
    require_values("indices", indices, lambda i: (i >= 0) & (i < size), f"a place of the buffer, 0..{size - 1}")
    return as_int64(indices)
