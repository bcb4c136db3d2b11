"""Checks of arguments that flows share."""

from practice_torch.arguments import require


def require_batch(**arrays):
    """Every named array has an axis for the batch, its first."""
    for name, array in arrays.items():
        require(array.ndim >= 1, f"{name} has shape []; its first axis must be the batch")


def velocity_at(x, time, velocity_fn):
    """velocity_fn(x, time), which must have the shape of x."""
    velocity = velocity_fn(x, time)
    found, wanted = list(velocity.shape), list(x.shape)
    require(found == wanted, f"velocity_fn returned shape {found}; it must return that of x, {wanted}")
    return velocity
