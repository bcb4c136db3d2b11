"""Checks of arguments, practice wing: shapes always, values only where reading them is free (CPU, outside compile and vmap)."""

import torch
from torch._subclasses import FakeTensor  # torch exports it nowhere else

from practice_torch.mathematics.elementary import underflowing_exp


def require(condition, message):
    """Raise ValueError(message) unless the Python condition holds."""
    if not condition:
        raise ValueError(message)


def require_rank(rank, **arrays):
    """Every named tensor has the given number of axes."""
    for name, array in arrays.items():
        require(array.ndim == rank, f"{name} has shape {list(array.shape)}; it must have {rank} axes")


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(array.ndim >= 1, f"{name} has shape []; its first axis must be the batch")


def require_same_shape(**arrays):
    """All named tensors have the shape of the first."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        require(
            array.shape == reference.shape,
            f"{name} has shape {list(array.shape)}; it must equal that of {first}, {list(reference.shape)}",
        )


def require_shape(wanted, **arrays):
    """Every named tensor has the wanted shape."""
    for name, array in arrays.items():
        require(array.shape == tuple(wanted), f"{name} has shape {list(array.shape)}; it must have shape {list(wanted)}")


def require_one_each(x, **arrays):
    """Every named tensor has the shape [B] of the batch x."""
    batch = x.shape[:1]
    for name, array in arrays.items():
        fits = len(batch) == 1 and array.shape == batch
        require(fits, f"{name} has shape {list(array.shape)}; it must have one entry for each of {list(batch)}")


def require_at_least(lowest, **numbers):
    """Every named Python number is at least the lowest."""
    for name, number in numbers.items():
        require(number >= lowest, f"{name} is {number}; it must be at least {lowest}")


def require_positive(**numbers):
    """Every named Python number is positive."""
    for name, number in numbers.items():
        require(number > 0, f"{name} is {number}; it must be positive")


def require_share(**numbers):
    """Every named Python number is in [0, 1]."""
    for name, number in numbers.items():
        require(0 <= number <= 1, f"{name} is {number}; it must be in [0, 1]")


def is_integer(tensor):
    """Whether the tensor holds integers, of whatever width; a mask holds none."""
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)


def as_int64(tensor):
    """Integers in int64, in which they are counted, compared and used as indices; anything else as it is.

    In uint8 255 + 1 is 0, a comparison with 256 is one with 0, and torch takes an index for a mask.
    """
    return tensor.long() if is_integer(tensor) else tensor


def require_integers(**arrays):
    """Every named tensor holds integers."""
    for name, array in arrays.items():
        dtype = str(array.dtype).removeprefix("torch.")
        require(is_integer(array), f"{name} has dtype {dtype}; it must be integers")


def values_are_free(array):
    """Whether there are values, and reading them stops no accelerator, compiler or vmap (also one around a grad)."""
    if array.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch  # torch.func does not tell of a tensor whether vmap or grad wraps it
    while functorch.is_gradtrackingtensor(array):
        array = functorch.get_unwrapped(array)
    return not (functorch.is_batchedtensor(array) or isinstance(array, FakeTensor))


def require_values(name, array, holds, allowed):
    """holds(array) is true everywhere, of integers in int64; skipped where reading values is not free."""
    if not values_are_free(array):
        return
    array = as_int64(array)
    ok = torch.as_tensor(holds(array)).expand(array.shape)
    if not bool(ok.all()):
        index = tuple(torch.nonzero(~ok)[0].tolist())
        where = f" at {list(index)}" if index else ""
        raise ValueError(f"{name} is {array[index].item()}{where}; it must be {allowed}")


def _is_between(array, lowest, highest):
    """Whether reading values is free, and shows all of them in lowest..highest: by the two extremes, in one pass."""
    if array.numel() == 0 or not values_are_free(array):
        return False
    least, most = array.detach().aminmax()
    return lowest <= least.item() and most.item() <= highest


def require_between(name, array, lowest, highest, allowed):
    """Every entry is in lowest..highest; skipped where reading values is not free."""
    if not _is_between(array, lowest, highest):
        require_values(name, array, lambda a: (a >= lowest) & (a <= highest), allowed)


def require_unit_interval(**arrays):
    """Every entry of every named tensor is within [0, 1]."""
    for name, array in arrays.items():
        require_between(name, array, 0, 1, "within [0, 1]")


def require_binary(**arrays):
    """Every named tensor holds 0 and 1 only, as numbers or as truth values."""
    for name, array in arrays.items():
        if array.dtype == torch.bool:
            continue
        # of the numbers between 0 and 1 these two are their own squares
        if not (_is_between(array, 0, 1) and torch.equal(array * array, array)):
            require_values(name, array, lambda a: (a == 0) | (a == 1), "0 or 1")


def require_tokens(size, **arrays):
    """Every entry of every named tensor is a token of a vocabulary of this size."""
    for name, array in arrays.items():
        require_between(name, array, 0, size - 1, f"a token of the vocabulary, 0..{size - 1}")


def require_log_probs(**arrays):
    """The last axis of every named tensor holds log-probabilities: |logsumexp| <= 1e-5."""
    for name, array in arrays.items():
        if not values_are_free(array):
            continue
        total = underflowing_exp(array.detach()).sum(-1)  # where it is near 1, nothing overflows
        off = total.log().abs()
        if not bool((off <= 1e-5).all()):
            worst = total.flatten()[off.flatten().nan_to_num(nan=torch.inf).argmax()].item()
            raise ValueError(f"{name} has a row of probabilities that sums to {worst:.6g}; every row must sum to 1")


def require_schedule(alpha_bar):
    """alpha_bar: [T+1] of a diffusion: alpha_bar[0] = 1 is the data itself, and what is left of it falls at every step."""
    require_rank(1, alpha_bar=alpha_bar)
    entries = len(alpha_bar)
    require(entries >= 2, f"alpha_bar has {entries} entries; it must have T+1 of them, T >= 1, the first for the data itself")
    require_between("alpha_bar", alpha_bar, 0, 1, "in [0, 1]")
    require_values("alpha_bar", alpha_bar[:1], lambda a: a == 1, "1 at [0]: the data before any noise")
    require_values("alpha_bar", alpha_bar, lambda a: torch.diff(a, prepend=a[:1] + 1) < 0, "below the entry before it")


def require_timesteps(alpha_bar, x=None, *, lowest=1, **timesteps):
    """Every named tensor is [B], one integer in lowest..T for each example (of x, if given); alpha_bar is a schedule [T+1]."""
    require_schedule(alpha_bar)
    last = len(alpha_bar) - 1
    for name, t in timesteps.items():
        require_integers(**{name: t})
        require_rank(1, **{name: t})
        if x is not None:
            require_one_each(x, **{name: t})
        allowed = f"in {lowest}..{last} (alpha_bar has {last + 1} entries; index 0 is the data itself)"
        require_between(name, t, lowest, last, allowed)
