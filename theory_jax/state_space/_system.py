"""Checks of a system's matrices, shared by the family."""

from theory_jax.arguments import require, require_rank, require_shape


def require_system(a, **vectors):
    """a is [S, S] with at least one state, and every named vector is [S]."""
    require_rank(2, a=a)
    square = a.shape[0] == a.shape[1] and a.shape[0] > 0
    require(square, f"a has shape {list(a.shape)}; it must be [S, S] with at least one state")
    require_shape(a.shape[:1], **vectors)
