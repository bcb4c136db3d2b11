"""Checks of arguments, practice wing: shapes always, values only where reading them is free (CPU, outside compile and vmap)."""

import torch


def require(condition, message):
    """Raise ValueError(message) unless the Python condition holds."""
    if not condition:
        raise ValueError(message)


def require_rank(rank, **arrays):
    """Every named tensor has the given number of axes."""
    for name, array in arrays.items():
        require(array.ndim == rank, f"{name} has shape {list(array.shape)}; it must have {rank} axes")


def require_same_shape(**arrays):
    """All named tensors have the shape of the first."""
    (first, reference), *others = arrays.items()
    for name, array in others:
        require(
            array.shape == reference.shape,
            f"{name} has shape {list(array.shape)}; it must equal that of {first}, {list(reference.shape)}",
        )


def values_are_free(array):
    """Whether the values can be read without stopping an accelerator, a compiler or a vmap (also one around a grad)."""
    if array.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch
    while functorch.is_gradtrackingtensor(array):
        array = functorch.get_unwrapped(array)
    return not functorch.is_batchedtensor(array)


def require_values(name, array, holds, allowed):
    """holds(array) is true everywhere; skipped where reading values is not free."""
    if not values_are_free(array):
        return
    ok = torch.as_tensor(holds(array)).expand(array.shape)
    if not bool(ok.all()):
        index = tuple(torch.nonzero(~ok)[0].tolist())
        where = f" at {list(index)}" if index else ""
        raise ValueError(f"{name} is {array[index].item()}{where}; it must be {allowed}")


def require_log_probs(**arrays):
    """The last axis of every named tensor holds log-probabilities: |logsumexp| <= 1e-5."""
    for name, array in arrays.items():
        if not values_are_free(array):
            continue
        total = torch.logsumexp(array.detach(), dim=-1)
        if not bool((total.abs() <= 1e-5).all()):
            worst = total.flatten()[total.abs().nan_to_num(nan=torch.inf).argmax()].exp().item()
            raise ValueError(f"{name} has a row of probabilities that sums to {worst:.6g}; every row must sum to 1")
