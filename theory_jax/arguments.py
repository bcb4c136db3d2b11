"""Checks of arguments, theory wing: shapes always, values only where they are concrete (not under jit, grad or vmap)."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp


def require(condition, message):
    """Raise ValueError(message) unless the Python condition holds."""
    if not condition:
        raise ValueError(message)


def require_rank(rank, **arrays):
    """Every named array has the given number of axes."""
    for name, array in arrays.items():
        require(jnp.ndim(array) == rank, f"{name} has shape {list(jnp.shape(array))}; it must have {rank} axes")


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(jnp.ndim(array) >= 1, f"{name} has shape []; its first axis must be the batch")


def require_same_shape(**arrays):
    """All named arrays have the shape of the first."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        require(
            jnp.shape(array) == jnp.shape(reference),
            f"{name} has shape {list(jnp.shape(array))}; it must equal that of {first}, {list(jnp.shape(reference))}",
        )


def require_shape(wanted, **arrays):
    """Every named array has the wanted shape."""
    for name, array in arrays.items():
        given = jnp.shape(array)
        require(given == tuple(wanted), f"{name} has shape {list(given)}; it must have shape {list(wanted)}")


def require_one_each(x, **arrays):
    """Every named array has the shape [B] of the batch x."""
    batch = list(jnp.shape(x)[:1])
    for name, array in arrays.items():
        given = list(jnp.shape(array))
        require(batch and given == batch, f"{name} has shape {given}; it must have one entry for each of {batch}")


def require_at_least(lowest, **numbers):
    """Every named Python number is at least the lowest."""
    for name, number in _concrete(numbers):
        require(number >= lowest, f"{name} is {number}; it must be at least {lowest}")


def require_positive(**numbers):
    """Every named Python number is positive."""
    for name, number in _concrete(numbers):
        require(number > 0, f"{name} is {number}; it must be positive")


def require_share(**numbers):
    """Every named Python number is in [0, 1]."""
    for name, number in _concrete(numbers):
        require(0 <= number <= 1, f"{name} is {number}; it must be in [0, 1]")


def _concrete(numbers):
    """The named numbers that have values; a schedule under jit gives traced ones, which do not."""
    return [(name, number) for name, number in numbers.items() if not isinstance(number, jax.core.Tracer)]


def widened(array):
    """Integers in JAX's default integer type, where sums and comparisons with a count do not wrap; anything else as it is."""
    return jnp.asarray(array, int) if jnp.issubdtype(jnp.result_type(array), jnp.integer) else array


def require_integers(**arrays):
    """Every named array holds integers, of any width."""
    for name, array in arrays.items():
        dtype = jnp.result_type(array)
        require(jnp.issubdtype(dtype, jnp.integer), f"{name} has dtype {dtype}; it must be integers")


def require_values(name, array, holds, allowed):
    """holds(array) is true everywhere, of integers in int64; skipped for traced arrays, whose values do not exist yet."""
    if isinstance(array, jax.core.Tracer):
        return
    with jax.ensure_compile_time_eval():  # a constant that a jitted function closes over is read now, not traced
        values = np.asarray(array)  # by NumPy, which has nothing to compile for each new shape
        ok = holds(values.astype(np.int64) if values.dtype.kind in "iu" else values)
    if isinstance(ok, jax.core.Tracer):  # it is compared with something traced
        return
    ok = np.broadcast_to(np.asarray(ok), np.shape(array))
    if not ok.all():
        index = tuple(int(i) for i in np.argwhere(~ok)[0])
        where = f" at {list(index)}" if index else ""
        raise ValueError(f"{name} is {np.asarray(array)[index]}{where}; it must be {allowed}")


def require_unit_interval(**arrays):
    """Every entry of every named array is within [0, 1]."""
    for name, array in arrays.items():
        require_values(name, array, lambda a: (a >= 0) & (a <= 1), "within [0, 1]")


def require_binary(**arrays):
    """Every named array holds 0 and 1 only, as numbers or as truth values."""
    for name, array in arrays.items():
        require_values(name, array, lambda a: (a == 0) | (a == 1), "0 or 1")


def require_tokens(size, **arrays):
    """Every entry of every named array is a token of a vocabulary of this size."""
    for name, array in arrays.items():
        require_values(name, array, lambda a: (a >= 0) & (a < size), f"a token of the vocabulary, 0..{size - 1}")


def require_log_probs(**arrays):
    """The last axis of every named array holds log-probabilities: |logsumexp| <= 1e-5."""
    for name, array in arrays.items():
        if isinstance(array, jax.core.Tracer):
            continue
        with np.errstate(all="ignore"):  # a row of -inf alone is reported below
            total = np.ravel(logsumexp(np.asarray(array), axis=-1))
        if not np.all(np.abs(total) <= 1e-5):
            worst = np.exp(total[np.argmax(np.nan_to_num(np.abs(total), nan=np.inf))])
            raise ValueError(f"{name} has a row of probabilities that sums to {worst:.6g}; every row must sum to 1")


def require_schedule(alpha_bar):
    """alpha_bar: [T+1] of a diffusion: alpha_bar[0] = 1 is the data itself, and what is left of it falls at every step."""
    require_rank(1, alpha_bar=alpha_bar)
    entries = jnp.shape(alpha_bar)[0]
    require(entries >= 2, f"alpha_bar has {entries} entries; it must have T+1 of them, T >= 1, the first for the data itself")
    require_values("alpha_bar", alpha_bar, lambda a: (a >= 0) & (a <= 1), "in [0, 1]")
    require_values("alpha_bar", alpha_bar, lambda a: (np.arange(len(a)) > 0) | (a == 1), "1 at [0]: the data before any noise")
    require_values("alpha_bar", alpha_bar, lambda a: np.append(True, a[1:] < a[:-1]), "below the entry before it")


def require_timesteps(alpha_bar, x=None, *, lowest=1, **timesteps):
    """Every named array is [B], one integer in lowest..T for each example (of x, if given); alpha_bar is a schedule [T+1]."""
    require_schedule(alpha_bar)
    last = jnp.shape(alpha_bar)[0] - 1
    for name, t in timesteps.items():
        require_integers(**{name: t})
        require_rank(1, **{name: t})
        if x is not None:
            require_one_each(x, **{name: t})
        allowed = f"in {lowest}..{last} (alpha_bar has {last + 1} entries; index 0 is the data itself)"
        require_values(name, t, lambda values: (values >= lowest) & (values <= last), allowed)
