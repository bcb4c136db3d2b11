"""An implementation under test: its inputs and outputs are NumPy arrays for every backend."""

import contextlib
import inspect
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from shared_specs.backends import backend, installed
from shared_specs.checking.arguments import (
    Arguments,
    Arrays,
    Key,
    arrays_in,
    by_parts,
    dotted,
    is_floating,
    leaves,
    mapped,
    with_arrays,
)

if TYPE_CHECKING:
    from shared_specs.backends.rounding import Rounding
    from shared_specs.checking.tolerance import Points


class Fault(Exception):
    """The fault of an implementation's answer, in one line."""


class MissingFunction(Fault):
    """The implementation does not define a function that a row needs."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no function {name}")


class NoGradients(Exception):
    """A gradient was asked of a backend that has none: what needs it is left out, and counted as left out."""


def flatten(value: Any, native: ModuleType, what: str) -> tuple[Any, ...]:
    """The arrays of a result that is an array, or a (nested) tuple or dictionary of arrays, in order."""
    arrays = [leaf for _, leaf in leaves(value)]
    for leaf in arrays:
        if not native.owns(leaf):
            raise Fault(f"{what} returned {_described(leaf)}; expected an array of {native.name}, or a tuple of them")
    return tuple(arrays)


def require_form(got: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> None:
    """Raises Fault unless the results have the expected number and shapes."""
    if len(got) != len(wanted):
        raise Fault(f"returned {len(got)} arrays; expected {len(wanted)}")
    for g, w in zip(got, wanted, strict=True):
        if g != w:
            raise Fault(f"returned shape {list(g)}; expected {list(w)}")


def _stacked(found):
    """Tuples of arrays as a tuple of arrays, which have one more axis in front."""
    return tuple(np.stack(arrays) for arrays in zip(*found, strict=True))


def _described(value):
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__name__}".replace("builtins.", "")


class Implementation:
    """Functions by the contracts' names, in one backend and one precision."""

    names_only_argument = False  # whether an error need not say more than the argument's name, where a Rejects row blames more

    def __init__(self, find: Callable[[str], Callable], backend_name: str, precision: str) -> None:
        self._find = find
        self.backend = backend(backend_name)
        self.precision = precision

    @property
    def has_gradients(self) -> bool:
        return self.backend.has_gradients

    @property
    def eager(self) -> "Implementation":
        """The implementation as a user's plain call runs it: here, itself."""
        return self

    @property
    def compiled(self) -> "Implementation":
        """The implementation as its framework compiles it: here, where nothing is compiled, itself."""
        return self

    def rounded(self, rounding: "Rounding") -> "Implementation":
        """The implementation with operations that round at random: here, where nothing is traced, itself."""
        return self

    def network(self, name: str) -> Callable | None:
        """The constructor of a network, to be compared with the theory wing's; None where there is nothing to compare."""
        return self._find(name) if self.backend.name == "torch" else None

    def call(self, name: str, arguments: dict[str, Any], positional: Sequence[Any] = ()) -> Arrays:
        """The results as a tuple of NumPy arrays."""
        places, named = [self.native(value) for value in positional], self.native(arguments)
        with self.backend.working_precision(self.precision):
            value = self._function(name)(*places, **named)
            if isinstance(value, int) and not any(isinstance(leaf, np.ndarray) for _, leaf in leaves((arguments, positional))):
                return (np.array(value),)  # a count computed from numbers alone is a number
            return tuple(np.array(self.backend.to_numpy(array)) for array in flatten(value, self.backend, name))

    def plain_call(self, name: str, arguments: Arguments, computed: Arrays | None = None) -> Arrays:
        """The results as a user's call gives them, who compiles nothing: only there do a function's checks of values run."""
        return self.call(name, arguments)

    def call_at(self, name: str, points: "Points") -> Arrays:
        """The results at many points (shared_specs.checking.tolerance.Points), each with an axis for them in front."""
        if not points.arrays:  # whole numbers are the same at all
            return tuple(np.broadcast_to(result, (points.count, *result.shape)) for result in self.call(name, points.arguments))
        return _stacked([self.call(name, points.at(i)[0]) for i in range(points.count)])

    def value_and_vjp_at(self, name: str, paths: Sequence[Key], points: "Points") -> tuple[Arrays, Arrays]:
        """The results and the gradients at many points."""
        each = map(points.at, range(points.count))
        found = [self.value_and_vjp(name, arguments, paths, cotangents) for arguments, cotangents in each]
        return tuple(_stacked(arrays) for arrays in zip(*found, strict=True))

    def result_shapes(self, name: str, arguments: Arguments) -> list[tuple[tuple[int, ...], bool]]:
        """(shape, whether it is floating) of every result."""
        return [(result.shape, is_floating(result)) for result in self.call(name, arguments)]

    def value_and_vjp(
        self, name: str, arguments: Arguments, paths: Sequence[Key], cotangents: Sequence[np.ndarray]
    ) -> tuple[Arrays, Arrays]:
        """The results, and for each path the gradient of sum <cotangent, result>; integer results have no part in it."""
        function = self._function(name)

        def of_arrays(*arrays):
            changed = with_arrays(self.native(arguments), dict(zip(paths, arrays, strict=True)))
            results = flatten(function(**changed), self.backend, name)
            require_form([tuple(r.shape) for r in results], [np.shape(c) for c in cotangents])
            return results

        originals = dict(arrays_in(arguments))
        natives = [self.native(originals[path]) for path in paths]
        with self.backend.working_precision(self.precision):
            results, gradients = self.backend.value_and_vjp(of_arrays, natives, [self.native(c) for c in cotangents])
        return tuple(tuple(np.array(self.backend.to_numpy(a)) for a in arrays) for arrays in (results, gradients))

    def jacobian(self, name: str, positional: Sequence[Any], keywords: Arguments, wrt: int) -> np.ndarray:
        """The Jacobian of the function's first result with respect to the positional argument wrt."""
        if not self.has_gradients:
            raise NoGradients(name)
        function = self._function(name)
        natives = [self.native(value) for value in positional]

        def of_one(array):
            changed = [*natives[:wrt], array, *natives[wrt + 1 :]]
            return flatten(function(*changed, **self.native(keywords)), self.backend, name)[0]

        with self.backend.working_precision(self.precision):
            return np.array(self.backend.to_numpy(self.backend.jacobian(of_one, natives[wrt])))

    def _function(self, name):
        """The function of this name, with a Fault where it writes into an array that it was given."""
        function = self._find(name)

        def call(*positional, **keywords):
            arrays = [(path, leaf) for path, leaf in leaves(dict(enumerate(positional)) | keywords) if self.backend.owns(leaf)]
            before = [self.backend.contents(array) for _, array in arrays]
            value = by_parts(function)(*positional, **keywords)
            for (path, array), content in zip(arrays, before, strict=True):
                if self.backend.contents(array) != content:
                    raise Fault(f"{name} writes into its argument {dotted(path)}; arguments must stay unchanged")
            return value

        return call

    def native(self, value: Any) -> Any:
        """A value with its arrays as the backend's own, in this precision."""
        return mapped(value, lambda _, leaf: self._taken(leaf) if isinstance(leaf, np.ndarray | np.floating) else leaf)

    def _taken(self, array):
        return self.backend.to_native(array, self.precision)


class Seen:
    """`f` in a law: the implementation's functions as methods, from NumPy to NumPy; f.precision is its precision.

    disturb: what happens to every result on its way back; the tolerance rule moves each by one unit roundoff.
    """

    def __init__(
        self, implementation: Implementation, disturb: Callable[[np.ndarray], np.ndarray] = lambda result: result
    ) -> None:
        self.precision = implementation.precision
        self._implementation = implementation
        self._disturb = disturb

    def __getattr__(self, name):
        def function(*positional, **keywords):
            results = tuple(map(self._disturb, self._implementation.call(name, keywords, positional)))
            return results[0] if len(results) == 1 else results

        return function

    def gradient(self, name: str, *positional: Any, wrt: int = 0, **keywords: Any) -> np.ndarray:
        """The gradient of the sum of the first result with respect to the positional argument wrt."""
        jacobian = self._implementation.jacobian(name, positional, keywords, wrt)
        return self._disturb(jacobian.sum(axis=tuple(range(jacobian.ndim - np.ndim(positional[wrt])))))

    def jacobian(self, name: str, *positional: Any, wrt: int = 0, **keywords: Any) -> np.ndarray:
        """The Jacobian of the first result with respect to the positional argument wrt, [outputs..., inputs...]."""
        return self._disturb(self._implementation.jacobian(name, positional, keywords, wrt))


def detect_backend(
    function: Callable, arguments: Arguments, positional: Sequence[Any] = (), origin: Callable | None = None
) -> str:
    """The backend of a function, by the type of its result.

    NumPy arrays are offered first (NumPy and JAX functions take them), then tensors. A function of operators alone works on
    all of them: it counts as the framework that its file imports, so that its gradients are judged, and as NumPy if it imports
    none. origin: the function itself, where `function` wraps it.
    """
    reasons = []
    for offered in [name for name in ("numpy", "torch") if name in installed()]:
        try:
            value = _first_result(function, arguments, positional, offered)
        except NotImplementedError:
            raise
        except Exception as error:
            reasons.append(f"raised {type(error).__name__}: {error}".splitlines()[0])
            continue
        if isinstance(value, int) and not any(isinstance(leaf, np.ndarray) for _, leaf in leaves((arguments, positional))):
            return "numpy"  # a count computed from numbers alone is a number
        for name in installed():
            if backend(name).owns(value):
                return _of_operators_alone(function, origin or function, arguments, positional) if name == "numpy" else name
        reasons.append(f"returned {_described(value)}")
    raise Fault("; ".join(dict.fromkeys(reasons)))


def _first_result(function, arguments, positional, offered, prepared=lambda array: array):
    implementation = Implementation(lambda _: function, offered, "float64")
    given = mapped((arguments, tuple(positional)), lambda _, leaf: prepared(implementation.native(leaf)))
    value = by_parts(function)(*given[1], **given[0])
    while isinstance(value, tuple) and value:
        value = value[0]
    return value


def _of_operators_alone(function, origin, arguments, positional):
    """The framework that the function's file imports, if the function takes its arrays and gives back what has a gradient."""
    imported = getattr(inspect.unwrap(origin), "__globals__", {}).values()
    names = {value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or "" for value in imported}
    roots = {str(name).split(".")[0] for name in names}

    def with_gradient(leaf):  # NumPy's own functions take a tensor that has none, and give one back
        return leaf.requires_grad_() if backend("torch").owns(leaf) and leaf.is_floating_point() else leaf

    for name in [name for name in ("torch", "jax") if name in roots and name in installed()]:
        with contextlib.suppress(Exception):
            value = _first_result(function, arguments, positional, name, with_gradient if name == "torch" else lambda leaf: leaf)
            if backend(name).owns(value) and getattr(value, "requires_grad", True):
                return name
    return "numpy"
