"""Checks of the theory wing's arguments: a number is checked where it has a value, and only there."""

import jax
import jax.numpy as jnp
import pytest

from theory_jax.arguments import require_at_least, require_positive, require_share
from theory_jax.diffusion.training import exponential_moving_average

CHECKS = [
    (require_at_least, 2, (1, "at least 2")),
    (require_positive, None, (0.0, "positive")),
    (require_share, None, (1.5, "in")),
]


@pytest.mark.parametrize(("check", "first", "refused"), CHECKS, ids=lambda value: getattr(value, "__name__", None))
def test_a_number_that_is_traced_is_not_checked(check, first, refused):
    given = () if first is None else (first,)
    number, words = refused
    with pytest.raises(ValueError, match=words):
        check(*given, number=number)
    with pytest.raises(ValueError, match=words):
        check(*given, number=jnp.asarray(number))
    assert jax.jit(lambda number: check(*given, number=number) or number)(number) == number


def test_a_decay_that_a_schedule_computes_under_jit():
    average, value = jnp.array([1.0, -2.0]), jnp.array([3.0, 4.0])
    found = jax.jit(lambda step: exponential_moving_average(average, value, decay=step / 4))(1)
    assert found.tolist() == [2.5, 2.5]
