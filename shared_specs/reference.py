"""The two wings as implementations; the theory wing in float64, traced by JAX and run by NumPy, is the reference."""

import inspect
from functools import cache, cached_property, partial
from importlib import import_module

import numpy as np

from shared_specs.backends import backend
from shared_specs.implementation import Implementation, flatten, leaves, mapped, with_arrays

WINGS = {"jax": "theory_jax", "torch": "practice_torch"}


def wing_function(backend_name, topic, name):
    """The function of this name in the backend's wing.  Raises AttributeError if the wing lacks it."""
    return getattr(import_module(f"{WINGS[backend_name]}.{topic.replace('/', '.')}"), name)


@cache
def wing(backend_name, topic, precision):
    """A wing of the house as an implementation under test; what it traces is kept for the next who asks."""
    if backend_name == "jax":
        return Traced(partial(wing_function, "jax", topic), precision)
    return Implementation(partial(wing_function, backend_name, topic), backend_name, precision)


class Traced(Implementation):
    """JAX functions, traced once for each form of their arguments and run by NumPy; in float64 the wing is the reference."""

    def __init__(self, find, precision="float64"):
        super().__init__(find, "jax", precision)
        self._programs, self._shapes = {}, {}

    @property
    def eager(self):
        """The same functions as a user calls them: only there do their checks of values run."""
        return Implementation(self._find, "jax", self.precision)

    @cached_property
    def compiled(self):
        """The same functions compiled by XLA."""
        return Compiled(self._find, self.precision)

    def docstring(self, name):
        """What the function says of itself, its shapes last."""
        return self._find(name).__doc__

    def _taken(self, array):
        return backend("numpy").to_native(np.asarray(array), self.precision)

    def plain_call(self, name, arguments, computed=None):
        """The results as computed; what a plain call does besides, which is to check values, is seen to accept these.

        Run plainly, operation by operation, each of which JAX compiles, it would give the same: nothing in this wing but a check
        may ask whether it is traced (tests/house.py), and with NumPy it could not be traced.
        """
        self.result_shapes(name, arguments)
        return self.call(name, arguments) if computed is None else computed

    def call(self, name, arguments, positional=()):
        """As any implementation's."""
        named = self._by_name(name, positional) | arguments
        if not any(isinstance(leaf, np.ndarray) for _, leaf in leaves(named)):
            return self.eager.call(name, arguments, positional)  # nothing to trace: a number made of numbers

        def values(traced, static):
            return flatten(self._find(name)(**traced, **static), self.backend, name)

        return self._program("call", values, name, named)

    def value_and_vjp(self, name, arguments, paths, cotangents):
        """As any implementation's, in one program a case."""
        import jax

        def pull_back(traced, static, cotangents):
            def of_arrays(*arrays):
                changed = with_arrays(traced, dict(zip(paths, arrays, strict=True)))
                return flatten(self._find(name)(**changed, **static), self.backend, name)

            originals = dict(leaves(traced))
            results, gradients = jax.vjp(of_arrays, *(originals[path] for path in paths))
            return results, gradients(cotangents)

        cotangents = tuple(map(self.native, cotangents))
        return self._program(("pull back", tuple(paths)), pull_back, name, arguments, cotangents)

    def jacobian(self, name, positional, keywords, wrt):
        """As any implementation's, in one program a shape."""
        import jax

        names = list(self._by_name(name, positional))

        def of_all(traced, static):
            def of_one(array):
                changed = traced | {names[wrt]: array}
                return flatten(self._find(name)(**changed, **static), self.backend, name)[0]

            return jax.jacrev(of_one)(traced[names[wrt]])

        return self._program(("jacobian", wrt), of_all, name, self._by_name(name, positional) | keywords)

    def result_shapes(self, name, arguments):
        """As any implementation's, without computing anything.

        The function closes over its arguments and is traced: what checks values sees them.
        """
        import jax

        given = _identities(arguments)
        if (name, given) not in self._shapes:
            function, closed_over = self._find(name), self.eager.native(arguments)
            value = jax.eval_shape(lambda: function(**closed_over))
            self._shapes[name, given] = [(leaf.shape, np.issubdtype(leaf.dtype, np.floating)) for _, leaf in leaves(value)]
        return self._shapes[name, given]

    @staticmethod
    def run(function):
        """The function of arrays as a program of NumPy's."""
        from shared_specs.backends.jaxpr import by_numpy

        return by_numpy(function)

    def _by_name(self, name, positional):
        return dict(zip(inspect.signature(self._find(name)).parameters, positional, strict=False))

    def _program(self, kind, function, name, arguments, *more):
        """function(traced arguments, static ones, *more) as a program, made once for every set of static arguments."""
        traced, static = _split(self.native(arguments))
        identity = kind, name, tuple(sorted(static.items(), key=lambda item: item[0]))
        if identity not in self._programs:
            self._programs[identity] = self.run(lambda traced, *more: function(traced, static, *more))
        return mapped(self._programs[identity](traced, *more), lambda _, array: np.asarray(array))


class Compiled(Traced):
    """The same under jit, as they are run in earnest."""

    @staticmethod
    def run(function):
        """The function compiled by XLA."""
        import jax

        return jax.jit(function)


def _identities(arguments):
    return tuple((path, _identity(leaf)) for path, leaf in leaves(arguments))


def _identity(leaf):
    """What tells a leaf from others: by its type, too, as 1, 1.0 and True are equal."""
    return (leaf.shape, leaf.dtype.str, leaf.tobytes()) if isinstance(leaf, np.ndarray) else (type(leaf), leaf)


def _split(arguments):
    """The arguments that are arrays or hold them, and the others, which a program has as constants."""
    traced = {name: value for name, value in arguments.items() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(value))}
    return traced, {name: value for name, value in arguments.items() if name not in traced}
