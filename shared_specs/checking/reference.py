"""The two wings as implementations; the theory wing in float64, traced by JAX and run by NumPy, is the reference."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from shared_specs.backends import backend
from shared_specs.checking.arguments import Arguments, Arrays, Key, by_parts, leaves, mapped, with_arrays
from shared_specs.checking.implementation import Implementation, flatten

if TYPE_CHECKING:
    from shared_specs.backends.rounding import Rounding
    from shared_specs.checking.tolerance import Points

WINGS = {"jax": "theory_jax", "torch": "practice_torch"}


def wing_function(backend_name: str, topic: str, name: str) -> Callable:
    """The function of this name in the backend's wing.  Raises AttributeError if the wing lacks it."""
    return getattr(import_module(f"{WINGS[backend_name]}.{topic.replace('/', '.')}"), name)


@cache
def wing(backend_name: str, topic: str, precision: str) -> Implementation:
    """A wing of the house as an implementation under test; its traces are cached."""
    if backend_name == "jax":
        return Traced(partial(wing_function, "jax", topic), precision)
    return Implementation(partial(wing_function, backend_name, topic), backend_name, precision)


class Traced(Implementation):
    """JAX functions, traced once for each form of their arguments and run by NumPy; in float64 the wing is the reference."""

    def __init__(self, find: Callable[[str], Callable], precision: str = "float64") -> None:
        super().__init__(find, "jax", precision)
        self._traces, self._programs, self._plain = {}, {}, {}

    @property
    def eager(self) -> Implementation:
        """The same functions as a user calls them: only there do their checks of values run."""
        return Eager(self._find, self.precision)

    @cached_property
    def compiled(self) -> "Compiled":
        """The same functions compiled by XLA."""
        return Compiled(self._find, self)

    def rounded(self, rounding: "Rounding") -> "Rounded":
        """The same functions, with randomly rounded operations."""
        return Rounded(self._find, self, rounding)

    def docstring(self, name: str) -> str:
        """The function's docstring, with the shapes in its last line."""
        return self._find(name).__doc__

    def _taken(self, array):
        return backend("numpy").to_native(np.asarray(array), self.precision)

    def plain_call(self, name: str, arguments: Arguments, computed: Arrays | None = None) -> Arrays:
        """The results as a user's call gives them, traced with the arguments as constants, so that checks of values see them.

        Only a check in this wing may ask whether it is traced (tests/support/house/rules.py): computed results are the same.
        """
        if not _has_arrays(arguments):
            return self.call(name, arguments)
        trace = self._with_constants(name, arguments)
        return self._run_by_numpy(trace)() if computed is None else computed

    def result_shapes(self, name: str, arguments: Arguments) -> list[tuple[tuple[int, ...], bool]]:
        """Like any implementation's, without computing anything; checks of values see the values."""
        results = leaves(self._with_constants(name, arguments).out_info)
        return [(leaf.shape, np.issubdtype(leaf.dtype, np.floating)) for _, leaf in results]

    def _with_constants(self, name, arguments):
        """The trace of the function that closes over its arguments."""
        import jax

        given = name, _identities(arguments)
        if given not in self._plain:
            function, closed_over = by_parts(self._find(name)), self.eager.native(arguments)

            def results():
                value = function(**closed_over)
                return value if isinstance(value, int) else flatten(value, self.backend, name)

            self._plain[given] = jax.jit(results).trace()
        return self._plain[given]

    def call(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> Arrays:
        """Like any implementation's."""
        named = self._by_name(name, positional) | arguments
        if not _has_arrays(named):
            return self.eager.call(name, arguments, positional)  # nothing to trace: a number made of numbers
        return self._result("call", self._values(name), name, named)

    def call_at(self, name: str, points: "Points") -> Arrays:
        """Like any implementation's, in one go."""
        if not points.rounding and not points.arrays:
            return super().call_at(name, points)
        return self._result("call", self._values(name), name, *points.at(0)[:1], points=points)

    def value_and_vjp(
        self, name: str, arguments: Arguments, paths: Sequence[Key], cotangents: Sequence[np.ndarray]
    ) -> tuple[Arrays, Arrays]:
        """Like any implementation's, in one program a case."""
        return self._result(("pull back", tuple(paths)), self._pull_back(name, paths), name, arguments, tuple(cotangents))

    def value_and_vjp_at(self, name: str, paths: Sequence[Key], points: "Points") -> tuple[Arrays, Arrays]:
        """Like any implementation's, in one go."""
        arguments, cotangents = points.at(0)
        kind = "pull back", tuple(paths)
        return self._result(kind, self._pull_back(name, paths), name, arguments, tuple(cotangents), points=points)

    def jacobian(self, name: str, positional: Sequence[Any], keywords: Arguments, wrt: int) -> np.ndarray:
        """Like any implementation's, in one program a shape."""
        import jax

        names = list(self._by_name(name, positional))

        def of_all(traced, static):
            def of_one(array):
                changed = traced | {names[wrt]: array}
                return flatten(by_parts(self._find(name))(**changed, **static), self.backend, name)[0]

            return jax.jacrev(of_one)(traced[names[wrt]])

        return self._result(("jacobian", wrt), of_all, name, self._by_name(name, positional) | keywords)

    def _values(self, name):
        function = by_parts(self._find(name))  # imported before a trace begins: what a module computes is no part of one

        def values(traced, static):
            value = function(**traced, **static)
            if isinstance(value, int) and not traced:
                return (self._taken(value),)  # a count computed from numbers alone is a number
            return flatten(value, self.backend, name)

        return values

    def _pull_back(self, name, paths):
        import jax

        function = by_parts(self._find(name))

        def pull_back(traced, static, cotangents):
            def of_arrays(*arrays):
                changed = with_arrays(traced, dict(zip(paths, arrays, strict=True)))
                return flatten(function(**changed, **static), self.backend, name)

            originals = dict(leaves(traced))
            results, gradients = jax.vjp(of_arrays, *(originals[path] for path in paths))
            return results, gradients(cotangents)

        return pull_back

    def _by_name(self, name, positional):
        return dict(zip(_parameters(self._find(name)), positional, strict=False))  # imports the wing, too, before a trace begins

    def _result(self, kind, function, name, arguments, *more, points=None):
        """function(traced arguments, static ones, *more), traced once for each form of them; at all of the points, if given."""
        import jax

        traced, static = _split(self.native(arguments))
        given = traced, *self.native(more)
        form = tuple((path, np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for path, leaf in leaves(given))
        key = kind, name, _identities(static), form
        if key not in self._traces:
            self._traces[key] = jax.jit(lambda traced, *more: function(traced, static, *more)).trace(*given)
        program = self._program(key)
        if points is None:
            return mapped(program(*given), lambda _, array: np.asarray(array))
        stacked = points.stacked
        stacked = self.native({name: stacked[name] for name in traced})
        found = program(stacked, *([points.cotangents] if more else []), rounding=points.rounding)
        shapes = dict(leaves(self._traces[key].out_info))

        def repeated(path, array):
            """With an axis for the points, also where it is the same at all of them."""
            return array if array.ndim > len(shapes[path].shape) else np.broadcast_to(array, (points.count, *array.shape))

        return mapped(found, repeated)

    def _program(self, key):
        if key not in self._programs:
            self._programs[key] = self._run(self._traces[key])
        return self._programs[key]

    def _run(self, trace):
        return self._run_by_numpy(trace)

    @staticmethod
    def _run_by_numpy(trace):
        from shared_specs.backends.jaxpr import evaluator

        return evaluator(trace)


class Eager(Implementation):
    """JAX functions called as a user calls them; NumPy computes their operations, where XLA would compile each."""

    def __init__(self, find: Callable[[str], Callable], precision: str) -> None:
        super().__init__(find, "jax", precision)

    def call(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> Arrays:
        """Like any implementation's."""
        with _by_numpy():
            return super().call(name, arguments, positional)

    def value_and_vjp(
        self, name: str, arguments: Arguments, paths: Sequence[Key], cotangents: Sequence[np.ndarray]
    ) -> tuple[Arrays, Arrays]:
        """Like any implementation's."""
        with _by_numpy():
            return super().value_and_vjp(name, arguments, paths, cotangents)

    def jacobian(self, name: str, positional: Sequence[Any], keywords: Arguments, wrt: int) -> np.ndarray:
        """Like any implementation's."""
        with _by_numpy():
            return super().jacobian(name, positional, keywords, wrt)


class Compiled(Traced):
    """The functions of a Traced, of the same traces, compiled by XLA: as they are run in earnest."""

    def __init__(self, find: Callable[[str], Callable], traced: Traced) -> None:
        super().__init__(find, traced.precision)
        self._traces, self._plain = traced._traces, traced._plain

    @property
    def eager(self) -> Implementation:
        """The same functions as a user calls them, their operations compiled one by one."""
        return Implementation(self._find, "jax", self.precision)

    def plain_call(self, name: str, arguments: Arguments, computed: Arrays | None = None) -> Arrays:
        """Like any implementation's: the results of the compiled function, where checks of values accept the arguments."""
        return super().plain_call(name, arguments, self.call(name, arguments) if computed is None else computed)

    def _run(self, trace):
        return trace.lower().compile()


class Rounded(Traced):
    """The functions of a Traced, with the same traces and randomly rounded operations."""

    def __init__(self, find: Callable[[str], Callable], traced: Traced, rounding: "Rounding") -> None:
        super().__init__(find, traced.precision)
        self._exact, self._traces, self._rounding = traced, traced._traces, rounding

    def call(self, name: str, arguments: Arguments, positional: Sequence[Any] = ()) -> Arrays:
        """Like any implementation's; of numbers alone, too, by a trace."""
        return self._result("call", self._values(name), name, self._by_name(name, positional) | arguments)

    def _program(self, key):
        return partial(self._exact._program(key), rounding=self._rounding)


@cache  # a law calls one function hundreds of times, and inspecting it takes as long as running its program
def _parameters(function):
    return tuple(inspect.signature(function).parameters)


def _by_numpy():
    from shared_specs.backends.jax_eager import by_numpy

    return by_numpy()


def _has_arrays(arguments):
    return any(isinstance(leaf, np.ndarray) for _, leaf in leaves(arguments))


def _identities(arguments):
    return tuple((path, _identity(leaf)) for path, leaf in leaves(arguments))


def _identity(leaf):
    """The identity of a leaf, including its type, since 1, 1.0 and True are equal."""
    return (leaf.shape, leaf.dtype.str, leaf.tobytes()) if isinstance(leaf, np.ndarray) else (type(leaf), leaf)


def _split(arguments):
    """The arguments that are arrays or hold them, and the others, which a program has as constants."""
    traced = {name: value for name, value in arguments.items() if _has_arrays(value)}
    return traced, {name: value for name, value in arguments.items() if name not in traced}
