"""Checks of a finite decision process and of its observations.

transition [S, A, S], reward [S, A], policy [S, A], initial [S], discount in [0, 1); masks and ends of rows of steps.
"""

from practice_torch.arguments import (
    require,
    require_binary,
    require_log_probs,
    require_rank,
    require_same_shape,
    require_shape,
    require_values,
)


def require_transition(transition):
    """transition is [S, A, S], and transition[s, a] holds the probabilities of the next state."""
    require_rank(3, transition=transition)
    states, actions, following = transition.shape
    require(
        states == following and states > 0 and actions > 0,
        f"transition has shape {list(transition.shape)}; it must be [S, A, S] with at least one state and one action",
    )
    require_probabilities(transition=transition)


def require_probabilities(**arrays):
    """The last axis of every named tensor holds probabilities."""
    for name, array in arrays.items():
        require_values(name, array, lambda a: a >= 0, "a probability, at least 0")
        require_values(f"the sum over the last axis of {name}", array.sum(-1), lambda a: (a - 1).abs() <= 1e-5, "1")


def require_policy(transition, **policies):
    """Every named tensor is [S, A]; its rows are log-probabilities of the actions."""
    for name, policy in policies.items():
        require_shape(transition.shape[:2], **{name: policy})
        require_log_probs(**{name: policy})


def require_discount(discount):
    """The discount is in [0, 1): with 1, the sum of all rewards need not exist."""
    require(0 <= discount < 1, f"discount is {discount}; it must be at least 0 and less than 1")


def counted_mask(mask, **steps):
    """The mask as booleans: of the shape of the named tensor, with 0 and 1 only, and a 1 in every row."""
    require_same_shape(**steps, mask=mask)
    require(mask.shape[1] > 0, f"mask has shape {list(mask.shape)}; it must have at least one step")
    require_binary(mask=mask)
    mask = mask.bool()
    require_values("mask", mask, lambda a: a.any(dim=1, keepdim=True), "True at one token of every row at least")
    return mask
