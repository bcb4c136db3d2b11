"""Bridges whose code takes columns of draws; being replaced by theory_jax/derivation/bridges.py."""

import inspect
import types

import numpy as np
import sympy

from theory_jax.derivation.bridges import DRAWS, Bridge
from theory_jax.derivation.chains import Verdict
from theory_jax.derivation.ground import Ground, evaluate
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import free_indices


class Columns(Bridge):
    """An expression and code of positional columns, [draws, ...] each."""

    @property
    def functions(self):
        return functions_of(self)

    def expressions(self):
        """Everything that is written in the bridge."""
        return (self.expression, *self.inputs, *self.wrong.values())

    def execute(self, between=(), sizes=()):
        """The code against the expression, at random numbers.  Raises Refused if the bridge could not fail."""
        require(self.title.strip(), "a bridge needs a title")
        ground = Ground(self.states, dict(sizes) | dict(self.sizes), between)
        columns = [list(ground.each(part)) for part in (self.expression, *self.inputs, *self.wrong.values())]
        values = ground.points({s for column in columns for e in column for s in e.free_symbols}, DRAWS)
        shapes = [_shape(ground, part) for part in (self.expression, *self.inputs, *self.wrong.values())]
        wanted, *rest = (_numbers(column, values, shape) for column, shape in zip(columns, shapes, strict=True))
        inputs, wrong = rest[: len(self.inputs)], rest[len(self.inputs) :]
        got = np.asarray(self.function(*inputs), dtype=np.float64)
        require(
            got.shape == wanted.shape, f"the code returned the shape {list(got.shape)}; the expression has {list(wanted.shape)}"
        )
        for mistake, numbers in zip(self.wrong, wrong, strict=True):
            require(_error(got, numbers) > self.tolerance, f"the code would agree, too, with this mistake: {mistake}")
        error = _error(got, wanted)
        words = f"the code agrees at {DRAWS} random points, {error:.1e} {{}} {self.tolerance:.0e}"
        return [Verdict(words.format("<=" if error <= self.tolerance else ">"), error <= self.tolerance)]


def _shape(ground, expression):
    if isinstance(expression, sympy.MatrixBase):
        return (DRAWS, *expression.shape)
    return (DRAWS, *(ground.size(index) for index in sorted(free_indices(expression), key=str)))


def _numbers(column, values, shape):
    """[draws] of a number, [draws, K] of an expression with a free index, [draws, J, K] with two (in alphabetical order)."""
    rows = np.array([np.broadcast_to(np.asarray(evaluate(e, values), dtype=np.float64), (DRAWS,)) for e in column])
    return np.moveaxis(rows, 0, -1).reshape(shape)


def _error(got, wanted):
    """The largest difference, relative to the largest number of its draw; infinite where one side is not a number."""
    if np.isnan(got).any() or np.isnan(wanted).any() or not np.array_equal(np.isinf(got), np.isinf(wanted)):
        return np.inf
    with np.errstate(invalid="ignore"):
        far = np.where(got == wanted, 0.0, np.abs(got - wanted)).reshape(DRAWS, -1).max(axis=1)
    sizes = np.maximum(np.abs(got), np.abs(wanted)).reshape(DRAWS, -1)
    scale = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=1)
    return float(np.max(far / np.where(scale > 0, scale, 1.0)))


def functions_of(bridge):
    """The names of the theory's functions that a bridge calls, itself or through helpers of its lecture."""
    waiting, named, seen = [bridge.function], {}, set()
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        home = getattr(thing, "__module__", None) or ""
        of_lecture = home.startswith("theory_jax.lectures.")
        if home.startswith("theory_jax.") and not of_lecture and getattr(thing, "__name__", "_")[0] not in "_<":
            named[thing.__name__] = thing
        elif inspect.isfunction(thing) and (thing is bridge.function or home.startswith("theory_jax.")):
            called = [name for code in _codes(thing.__code__) for name in code.co_names]
            waiting += [thing.__globals__.get(name) for name in reversed(called)]
            waiting += [cell.cell_contents for cell in thing.__closure__ or ()] + list(thing.__defaults__ or ())
    return list(named.values())


def _codes(code):
    """The code of a function and of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
