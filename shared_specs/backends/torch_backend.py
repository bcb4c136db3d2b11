"""PyTorch on the CPU."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

name = "torch"
has_gradients = True


def owns(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def to_native(array: np.ndarray, precision: str) -> torch.Tensor:
    array = np.asarray(array)
    # copied, since a callee could change a tensor that shares the spec's memory in place; strides are kept
    return torch.from_numpy(np.array(array, dtype=precision if np.issubdtype(array.dtype, np.floating) else None, order="K"))


def to_numpy(value: torch.Tensor) -> np.ndarray:
    return value.detach().resolve_conj().resolve_neg().numpy()  # torch keeps a sign or a conjugate as a mark next to the data


def contents(value: torch.Tensor) -> bytes:
    return value.detach().numpy().tobytes()


def value_and_vjp(
    function: Callable, arguments: Sequence[torch.Tensor], cotangents: Sequence[torch.Tensor]
) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """function(*arguments) -> tuple of tensors. Its results, and the gradients of sum <cotangent, result>."""
    leaves = [argument.clone().requires_grad_() for argument in arguments]
    results = function(*leaves)
    pairs = [(r, c.to(r.dtype)) for r, c in zip(results, cotangents, strict=True) if r.requires_grad]
    if not pairs:
        return results, tuple(torch.zeros_like(leaf) for leaf in leaves)
    outputs, grad_outputs = zip(*pairs, strict=True)
    gradients = torch.autograd.grad(outputs, leaves, grad_outputs, allow_unused=True)
    return results, tuple(torch.zeros_like(a) if g is None else g for a, g in zip(leaves, gradients, strict=True))


def jacobian(function: Callable, argument: torch.Tensor) -> torch.Tensor:
    """The Jacobian of one array-valued function of one array, [outputs..., inputs...]."""
    return torch.autograd.functional.jacobian(function, argument)


@contextlib.contextmanager
def working_precision(precision: str) -> Iterator[None]:
    """The default dtype, which a result made from integers alone takes, for the length of the block."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, precision))
    try:
        yield
    finally:
        torch.set_default_dtype(before)
