"""Shared parts of coupling layers: masks of the entries that pass unchanged, and the inputs of networks."""

import math

import torch

from practice_torch.arguments import require, require_batch, require_values


def require_mask(x, mask):
    """mask: truth values for the entries of an example of x; an axis of size 1 is broadcast, but not all axes may be."""
    require_batch(x=x)
    require(mask.dtype == torch.bool, f"mask has dtype {mask.dtype}; it must be truth values, True where an entry passes")
    example, given = list(x.shape[1:]), list(mask.shape)
    fits = given == example or (
        len(given) == len(example)
        and any(size != 1 for size in given)
        and all(m in (1, size) for m, size in zip(given, example, strict=True))
    )
    require(fits, f"mask has shape {given}; it must have shape {example} of an example, or 1 for some of its axes")


def conditioned(x, mask, fn, name):
    """fn of the entries that pass, with 0 for the others."""
    result = fn(torch.where(mask, x, 0))
    require(result.shape == x.shape, f"{name} gives shape {list(result.shape)}; it must keep that of x, {list(x.shape)}")
    return result


def stretched(x, log_scale, shift):
    """x e^log_scale + shift of a half that moves, and the log-determinant."""
    return torch.addcmul(shift, x, log_scale.exp()), total(log_scale)


def restored(z, log_scale, shift):
    """(z - shift) e^-log_scale, and the log-determinant."""
    return (z - shift) * log_scale.neg().exp(), -total(log_scale)


def total(log_scale):
    """[B, ...] -> [B]"""
    return log_scale.flatten(1).sum(1) if log_scale.ndim > 1 else log_scale


def checkerboard_halves(shape):
    """Indices of a flattened example with row + column even, with row + column odd, and the inverse of their concatenation.

    A vector is one row.

    Raises ValueError if one half would be empty.
    """
    height, width = (1, *shape)[-2:]
    require(height * width > 1, f"shape is {list(shape)}; both halves need at least 1 place")
    places = range(math.prod(shape))
    even, odd = ([place for place in places if (place // width % height + place % width) % 2 == parity] for parity in (0, 1))
    return torch.tensor(even), torch.tensor(odd), torch.tensor(even + odd).argsort()


def require_finite_exponential(**arrays):
    """e^|a| of every entry is finite in the tensor's own precision."""
    for name, array in arrays.items():
        limit = math.log(torch.finfo(array.dtype).max)
        require_values(name, array, lambda a, limit=limit: a.abs() <= limit, f"within {limit:.1f} of 0, or e^{name} overflows")
