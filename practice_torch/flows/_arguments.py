"""Checks of arguments that flows share."""

from practice_torch.arguments import require


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(array.ndim >= 1, f"{name} has shape []; its first axis must be the batch")
