"""Shared parts of coupling layers: masks of the entries that pass unchanged, and the inputs of networks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_batch, require_values


def require_mask(x, mask):
    """mask: truth values for the entries of an example of x; an axis of size 1 is broadcast, but not all axes may be."""
    require_batch(x=x)
    require(mask.dtype == bool, f"mask has dtype {mask.dtype}; it must be truth values, True where an entry passes")
    example, given = list(x.shape[1:]), list(mask.shape)
    fits = len(given) == len(example) and all(m in (1, size) for m, size in zip(given, example, strict=True))
    fits = fits and (given == example or any(m != 1 for m in given))
    require(fits, f"mask has shape {given}; it must have shape {example} of an example, or 1 for some of its axes")


def conditioned(x, mask, fn, name):
    """fn of the entries that pass, with 0 for the others."""
    result = fn(jnp.where(mask, x, 0))
    require(
        jnp.shape(result) == x.shape, f"{name} gives shape {list(jnp.shape(result))}; it must keep that of x, {list(x.shape)}"
    )
    return result


def require_finite_exponential(**arrays):
    """e^|a| of every entry is finite in the array's own precision."""
    for name, array in arrays.items():
        limit = float(np.log(np.finfo(array.dtype).max))
        require_values(name, array, lambda a, limit=limit: abs(a) <= limit, f"within {limit:.1f} of 0, or e^{name} overflows")


def perceptron(*sizes, rngs, activation=jax.nn.relu):
    """Linear layers of these sizes with the activation between them, in the places where torch's Sequential has them."""
    parts = []
    for pair in itertools.pairwise(sizes):
        parts += [nnx.Linear(*pair, param_dtype=jnp.result_type(float), rngs=rngs), activation]
    return nnx.List(parts[:-1])


def applied(parts, x):
    """x after all of the parts."""
    for part in parts:
        x = part(x)
    return x


def known(mask_fn, **sizes):
    """A mask as a NumPy array, with concrete values while everything else is traced."""
    with jax.ensure_compile_time_eval():
        return np.asarray(mask_fn(**sizes))


def from_half(parts, kept, mask):
    """Outputs of a network on the entries that pass, at the other entries: an array for each output per entry."""
    passing, moving = np.flatnonzero(mask), np.flatnonzero(~mask)
    answers = applied(parts, kept[:, passing])
    return [
        jnp.zeros_like(kept).at[:, moving].set(answer) for answer in jnp.split(answers, answers.shape[1] // len(moving), axis=1)
    ]
