"""Bridges to the code: an expression that was derived is compared with the function that computes it, at random numbers.

The function is called once for every draw, with inputs by its own names. An input is an expression, which becomes a number (an
array, if an index is free in it); a list of inputs, which becomes an array of one more axis, so that [x] is a batch of one; a
tuple of inputs, which stays one; a function of numbers (`function_of`); or anything else (an array, a word), passed as it is.

An expression with a maximum, an absolute value or cases is computed in one of several ways at each point. Where the first draws
miss one of them, more are taken until each has been seen (branches.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.derivation.branches import points_of, taken
from theory_jax.derivation.chains import Verdict
from theory_jax.derivation.ground import Ground
from theory_jax.derivation.kinds import require
from theory_jax.derivation.notation import free_indices, made
from theory_jax.derivation.points import evaluate
from theory_jax.derivation.typeset import latex

DRAWS = 5  # sets of random numbers at which the code is compared with the derivation, at least
CANDIDATES = 2000  # more of them, of which those are taken that reach branches of the expression
STATES = 4  # one more than chains are derived for: the code must not know how many there are
ROUNDING = 1e-11  # of the code, relative to the largest number that is compared


@dataclass(frozen=True, eq=False)
class Function:
    """A function of numbers as an input: its arguments, and its value in them and in what is drawn."""

    arguments: tuple[sympy.Symbol, ...]
    value: sympy.Expr


def function_of(*arguments_and_value):
    """x, -x / v: the function x -> -x / v, computed by JAX, in which v is drawn."""
    *arguments, of_them = arguments_and_value
    return Function(tuple(arguments), made(of_them))


@dataclass(frozen=True, eq=False)
class Bridge:
    """An expression, and the function that computes it from `inputs`.

    expression: also nested lists of expressions, which are an array; a tuple for a function that returns several things, with
    None for values that are not compared. Entries are compared in their order, for any number of axes.
    slope: the input by which the function's sum is differentiated before it is compared. calls: the topic's functions that are
    compared, where `function` is the lecture's own. wrong: other expressions, by the mistake, which the code must not compute.
    """

    title: str
    expression: Any
    function: Callable
    inputs: Mapping[str, Any]
    tolerance: float = ROUNDING
    states: int = STATES
    sizes: Mapping = field(default_factory=dict)
    wrong: Mapping[str, Any] = field(default_factory=dict)
    slope: str = ""
    calls: tuple[Callable, ...] = ()
    uses: tuple = ()
    role: str = "bridge"

    def expressions(self):
        """Everything that is written in the bridge; the arguments of a `function_of` are no symbols of the lecture."""
        yield from leaves((self.expression, *self.wrong.values()))
        for leaf in leaves(tuple(self.inputs.values())):
            yield leaf.value.xreplace(dict.fromkeys(leaf.arguments, sympy.Integer(1))) if isinstance(leaf, Function) else leaf

    @property
    def functions(self):
        """The topic's functions that are compared."""
        return self.calls or (self.function,)

    def execute(self, between=(), sizes=()):
        """The code against the expression, at random numbers.  Raises Refused if a wrong form agrees, too."""
        require(self.title.strip(), "a bridge needs a title")
        for function in self.functions:
            require(
                _is_of_theory(function),
                f"{getattr(function, '__name__', function)} is no public function of a topic: name the compared ones (calls=)",
            )
        draws = _Draws(Ground(self.states, dict(sizes) | dict(self.sizes), between), self)
        got = [
            self._called({name: draws.given(part, number) for name, part in self.inputs.items()}) for number in range(draws.count)
        ]
        for mistake, form in self.wrong.items():
            require(self._error(got, form, draws) > self.tolerance, f"the code would agree, too, with this mistake: {mistake}")
        error = self._error(got, self.expression, draws)
        words = f"the code agrees at {draws.count} random points, {error:.1e} {{}} {self.tolerance:.0e}"
        return [Verdict(words.format("<=" if error <= self.tolerance else ">"), error <= self.tolerance)]

    def _called(self, inputs):
        if not self.slope:
            return self.function(**inputs)
        at = jnp.asarray(inputs.pop(self.slope), dtype=jnp.float64)
        return jax.grad(lambda moved: jnp.sum(self.function(**inputs, **{self.slope: moved})))(at)

    def _error(self, got, expression, draws):
        """The largest relative error of the comparison."""
        if not isinstance(expression, tuple):
            return _error([(np.asarray(one, np.float64), draws.wanted(expression, n)) for n, one in enumerate(got)])
        for one in got:
            require(len(one) == len(expression), f"the code returned {len(one)} things; the expression has {len(expression)}")
        return max(
            _error([(np.asarray(one[k], np.float64), draws.wanted(part, n)) for n, one in enumerate(got)])
            for k, part in enumerate(expression)
            if part is not None
        )


class _Draws:
    """The numbers of a bridge's expressions at every draw."""

    def __init__(self, ground, bridge):
        self._ground = ground
        # a wrong form may lack an index of the expression: it is the same for all of that index's states
        whole = bridge.expression if isinstance(bridge.expression, sympy.Basic) else sympy.Integer(0)
        indices = {leaf: free_indices(leaf) | free_indices(whole) for leaf in leaves(tuple(bridge.wrong.values()))}
        plain = leaves((bridge.expression, *bridge.inputs.values()))
        indices |= {leaf: free_indices(leaf) for leaf in plain if not isinstance(leaf, Function)}
        columns = {leaf: list(ground.each(leaf, free)) for leaf, free in indices.items()}
        functions = {leaf: next(ground.each(leaf.value)) for leaf in plain if isinstance(leaf, Function)}
        symbols = set().union(*(expanded.free_symbols for column in columns.values() for expanded in column))
        symbols |= set().union(*(expanded.free_symbols - set(leaf.arguments) for leaf, expanded in functions.items()))
        compared = [expanded for leaf in plain if not isinstance(leaf, Function) for expanded in columns[leaf]]
        self._values = self._drawn(ground, symbols, compared)
        self.count = max([DRAWS, *map(len, self._values.values())])
        self._numbers = {leaf: self._rows(leaf, column, indices[leaf]) for leaf, column in columns.items()}
        self._numbers |= {leaf: self._function(leaf, expanded) for leaf, expanded in functions.items()}

    def _drawn(self, ground, symbols, compared):
        """DRAWS points, and those at which a branch of an expression is taken that is taken at none of them."""
        values = ground.points(symbols, DRAWS)
        missed = [branch for branch, at in taken(compared, values).items() if not at.any()]
        if not missed:
            return values
        candidates = ground.points(symbols, CANDIDATES, seed=1)
        chosen = points_of(missed, taken(compared, candidates))
        return {symbol: numbers + [candidates[symbol][k] for k in chosen] for symbol, numbers in values.items()}

    def _rows(self, leaf, column, indices):
        """[draws, *shape]: of a matrix its own, otherwise one axis for every free index, in alphabetical order."""
        rows = np.array([evaluate(expanded, self._values, self.count) for expanded in column])
        shape = leaf.shape if isinstance(leaf, sympy.MatrixBase) else map(self._ground.size, sorted(indices, key=str))
        return np.moveaxis(rows, 0, -1).reshape(self.count, *shape)

    def _function(self, function, expanded):
        others = sorted(expanded.free_symbols - set(function.arguments), key=str)
        computed = sympy.lambdify([*function.arguments, *others], expanded, "jax", dummify=True)  # names are LaTeX
        return [lambda *given, n=n: computed(*given, *(self._values[symbol][n] for symbol in others)) for n in range(self.count)]

    def wanted(self, part, number):
        """The numbers of an expression or of nested lists of them."""
        if isinstance(part, list):
            return np.array([self.wanted(one, number) for one in part])
        return self._numbers[_leaf(part)][number]

    def given(self, part, number):
        """An input of the function."""
        if isinstance(part, Function):
            return self._numbers[part][number]
        if isinstance(part, list):
            return jnp.array([self.given(one, number) for one in part])
        if isinstance(part, tuple):
            return tuple(self.given(one, number) for one in part)
        if not isinstance(part, sympy.Basic | sympy.MatrixBase):
            return part
        numbers = self._numbers[_leaf(part)][number]
        if getattr(part, "is_integer", False):
            numbers = np.rint(numbers).astype(int)
        return jnp.asarray(numbers) if numbers.ndim else numbers.item() if numbers.dtype.kind == "i" else np.float64(numbers)


def _is_of_theory(function):
    module = getattr(function, "__module__", None) or ""
    public = module.startswith("theory_jax.") and not module.startswith("theory_jax.lectures.")
    return public and not getattr(function, "__name__", "_").startswith(("_", "<"))


def _leaf(part):
    """An expression as a key: numbers as SymPy's own, matrices immutable."""
    return sympy.ImmutableMatrix(part) if isinstance(part, sympy.MatrixBase) else made(part)


def leaves(structure):
    """The expressions and functions in nested tuples and lists."""
    found = []
    for part in structure if isinstance(structure, tuple | list) else (structure,):
        if isinstance(part, tuple | list):
            found += leaves(part)
        elif isinstance(part, Function):
            found.append(part)
        elif isinstance(part, sympy.Basic | sympy.MatrixBase | int | float) and not isinstance(part, bool):
            found.append(_leaf(part))
    return found


def with_leaf(structure, number, new):
    """The structure, in which one of its `leaves` is another expression."""
    if not isinstance(structure, tuple | list):
        return new
    parts = list(structure)
    for k, part in enumerate(parts):
        count = len(leaves((part,)))
        if number < count:
            parts[k] = with_leaf(part, number, new)
            return type(structure)(parts)
        number -= count
    raise IndexError(number)


def written(structure):
    """The structure in LaTeX."""
    if isinstance(structure, tuple | list):
        return rf"\left({', '.join(written(part) for part in structure if part is not None)}\right)"
    return latex(structure)


def _error(pairs):
    """The largest difference, relative to the largest number of its draw; infinite where one side is not a number."""
    worst = 0.0
    for got, wanted in pairs:
        require(
            got.size == np.size(wanted),
            f"the code returned the shape {list(got.shape)}; the expression has {list(np.shape(wanted))}",
        )
        got, wanted = got.ravel(), np.ravel(wanted)
        if np.isnan(got).any() or np.isnan(wanted).any() or not np.array_equal(np.isinf(got), np.isinf(wanted)):
            return np.inf
        with np.errstate(invalid="ignore"):
            far = np.where(got == wanted, 0.0, np.abs(got - wanted)).max()
        sizes = np.maximum(np.abs(got), np.abs(wanted))
        scale = np.where(np.isfinite(sizes), sizes, 0.0).max()
        worst = max(worst, float(far / scale) if scale > 0 else float(far))
    return worst
