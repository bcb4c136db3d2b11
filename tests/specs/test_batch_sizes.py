"""Batches of one and of none, arguments that are written into, gradients that are NaN: seen to pass and seen to fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from shared_specs.checking.batch_sizes import NAMES, batch_axes
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Fault, Implementation
from shared_specs.checking.reference import Traced, wing_function
from shared_specs.rows import Agree, Rejects, given, integers, normal, uniform
from shared_specs.syllabus import load

pytestmark = pytest.mark.xdist_group("check")

# ---------------------------------------------------------------------------------------------------- the batch axis


@pytest.mark.parametrize(
    ("shapes", "given_shapes", "arguments", "results"),
    [
        ("[B, D], [D] -> [B]", [(5, 3), (3,)], {"a": 0}, (0,)),
        ("[T, B, ...], [B] -> [B, T+1], []", [(4, 5, 2, 2), (5,)], {"a": 1, "b": 0}, (0, None)),
        ("[B, D], [..., K, D] -> [..., B]", [(5, 3), (4, 3)], {"a": 0}, (-1,)),
        ("[B, D], [..., K, D] -> [B]", [(5, 3), (5, 4, 3)], {"a": 0, "b": 0}, (0,)),
        ("[..., E], [E] -> [..., E], [E]", [(2, 4, 3), (3,)], {"a": 0}, (0, None)),
        ("[B, H, Q], [...] -> [B, H, Q]", [(2, 3, 4), (4,)], {"a": 0}, (0,)),
        ("[N, D], [N] -> [D]", [(7, 3), (7,)], {"a": 0, "b": 0}, (None,)),
        ("([...]), [B] -> ([...])", [None, (5,)], {"b": 0}, (None,)),
    ],
)
def test_the_batch_is_found_in_the_docstring(shapes, given_shapes, arguments, results):
    """B first, then what dots stand for, then N; also behind other axes and behind dots."""
    values = [(np.zeros(2),) if shape is None else np.zeros(shape) for shape in given_shapes]
    axes = batch_axes(f"Formula.\n\n{shapes}", dict(zip("ab", values, strict=True)))
    assert (axes.arguments, axes.results) == (arguments, results)


@pytest.mark.parametrize(("shapes", "shape"), [("[D] -> [D]", (3,)), ("[...] -> [...]", ()), ("[K, V] -> [K]", (3, 4))])
def test_where_nothing_is_a_batch_nothing_is_derived(shapes, shape):
    """Parameters, a scalar, a table."""
    assert batch_axes(shapes, {"a": np.zeros(shape)}) is None


# ---------------------------------------------------------------------------------------------------- toys


class Right:
    """Row by row, centered over the batch, and with labels."""

    def norm(x, weight):
        """[B, D], [D] -> [B]"""
        return jnp.sum(weight * x**2, axis=1)

    def centered(x):
        """[B, D] -> [B, D]"""
        return x - jnp.mean(x, axis=0)

    def one_hot(labels):
        """[B] -> [B, 4]"""
        return jax.nn.one_hot(labels, 4, dtype=jnp.int64)

    def mean(x):
        """[B, D] -> [D]"""
        return jnp.mean(x, axis=0)

    def root(x):
        """[B] -> [B]"""
        return jnp.sqrt(jnp.where(x > 0, x, 1.0)) * (x > 0)


class Torch:
    """The same in PyTorch."""

    def norm(x, weight):
        return (weight * x.square()).sum(1)

    def centered(x):
        return x - x.mean(0)

    def one_hot(labels):
        return torch.nn.functional.one_hot(labels, 4)

    def mean(x):
        return x.mean(0)

    def root(x):
        return x.where(x > 0, 1.0).sqrt() * (x > 0)


REFERENCE = Traced(lambda name: getattr(Right, name))
NORM = Agree("norm", "regular", given(x=normal(5, 3), weight=normal(3)))
CENTERED = Agree("centered", "regular", given(x=normal(5, 3)), smallest_batch=1)
ONE_HOT = Agree("one_hot", "regular", given(labels=integers(5, high=4)))
MEAN = Agree("mean", "regular", given(x=normal(5, 3)))
ROOT = Agree("root", "regular", given(x=uniform(5)))
AT_ZERO = Agree("root", "at zero", given(x=[0.0, 1.0, 4.0]), no_gradient="a kink")


def failures(row, spec=None, precision="float64", **wrong):
    """(word, quantity, message) of everything that fails."""
    implementation = Implementation(lambda name: wrong.get(name) or getattr(Torch, name), "torch", precision)
    results = Checker("toy/batches", implementation, REFERENCE, spec=(row,) if spec is None else spec).run([row])
    return [(result.word, result.quantity, result.message) for result in results if not result.passed]


@pytest.mark.parametrize("row", [NORM, CENTERED, ONE_HOT, ROOT, AT_ZERO], ids=lambda row: f"{row.function}, {row.case}")
def test_a_right_function_passes(row):
    """Also a function with interacting examples: the reference computes its batch of one."""
    assert failures(row) == []


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (NORM, lambda x, weight: Torch.norm(x, weight).squeeze()),
        (NORM, lambda x, weight: (weight * x.square()).reshape(len(x), -1).sum(1)),
        (NORM, lambda x, weight: Torch.norm(x, weight) if len(x) else x.new_zeros(1)),
        (NORM, lambda x, weight: Torch.norm(x, weight) if len(x) != 1 else Torch.norm(x, weight.detach())),
        (NORM, lambda x, weight: Torch.norm(x, weight) if len(x) else x.sum(1) + weight.sum() * torch.nan),
        (CENTERED, lambda x: x - x.mean(0) if len(x) > 1 else x),
        (ONE_HOT, lambda labels: torch.eye(4, dtype=torch.int64)[labels].squeeze(0)),
    ],
    ids=["squeezed", "reshaped", "one for none", "no gradient", "a gradient of NaN", "not centered", "integers"],
)
def test_a_mistake_that_only_a_small_batch_shows_is_refused(row, wrong):
    """By the derived rows alone: the row itself holds."""
    assert {word for word, _, _ in failures(row, **{row.function: wrong})} == {"Batch"}
    assert failures(row, spec=(), **{row.function: wrong}) == []


def test_only_the_first_row_of_a_function_is_tried_and_only_in_float64():
    """A value of one precision is enough: shapes do not depend on it."""
    second = Agree("norm", "another", given(x=normal(4, 3), weight=normal(3)))
    squeezed = dict(norm=lambda x, weight: Torch.norm(x, weight).squeeze())
    assert failures(NORM, spec=(NORM, second), **squeezed) != []
    assert failures(second, spec=(NORM, second), **squeezed) == []
    assert failures(NORM, precision="float32", **squeezed) == []


def test_a_mean_over_no_example_is_refused_unless_the_row_declares_it_undefined():
    """NaN never equals NaN."""
    ((word, quantity, message),) = failures(MEAN)
    assert (word, quantity) == ("Batch", "value")
    assert "nan" in message


def test_every_function_with_a_smallest_batch_refuses_a_smaller_one():
    """A Rejects row of the topic is about one example too few."""
    lacking = []
    for topic in load().built:
        rows = spec_of(topic.path)
        for row in rows:
            if isinstance(row, Agree) and row.smallest_batch:
                refused = [r for r in rows if isinstance(r, Rejects) and r.function == row.function]
                sizes = [size for r in refused for size in _batch_sizes(topic.path, r)]
                if row.smallest_batch - 1 not in sizes:
                    lacking.append((topic.path, row.function, NAMES[row.smallest_batch - 1]))
    assert lacking == []


def _batch_sizes(topic, row):
    arguments = row.given.draw("any")
    try:
        axes = batch_axes(wing_function("jax", topic, row.function).__doc__, arguments)
    except IndexError:  # refused for its number of axes
        return []
    return [arguments[name].shape[at] for name, at in axes.arguments.items()]


# ---------------------------------------------------------------------------------------------------- left alone, and no NaN


def _writes(x, weight):
    found = Torch.norm(x, weight)
    x.data.mul_(2)
    return found


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_writing_into_an_argument_is_refused(precision):
    """Though values and gradients are right: .data hides the write from autograd."""
    (failed, *_) = failures(NORM, spec=(), precision=precision, norm=_writes)
    assert "writes into its argument x" in failed[2]


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_writing_into_a_numpy_array_is_refused(dtype):
    """Integers are handed over as they are; what a callee does to them must be seen, too."""

    def sort(x):
        x.sort()
        return x.copy()

    implementation = Implementation(lambda _: sort, "numpy", "float64")
    x = np.array([3, 1, 2], dtype=dtype)
    with pytest.raises(Fault, match="writes into its argument"):
        implementation.call("sort", {"x": x})
    with pytest.raises(Fault, match="writes into its argument"):
        implementation.call("sort", {}, (x[::-1].copy(),))
    assert implementation.call("sort", {"x": np.array([1, 2, 3], dtype=dtype)})[0].tolist() == [1, 2, 3]


def test_nan_in_a_gradient_that_no_row_compares_is_refused():
    """Unless the row declares that there is no gradient."""
    wrong = dict(root=lambda x: x.sqrt().where(x > 0, 0.0))
    assert [quantity for _, quantity, _ in failures(AT_ZERO, spec=(), **wrong)] == ["gradients without NaN"]
    excused = Agree("root", "at zero", AT_ZERO.given, no_gradient="a kink", differentiate=())
    assert failures(excused, spec=(), **wrong) == []
