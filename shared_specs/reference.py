"""The two wings as implementations; the theory wing, compiled and in float64, is the reference."""

import inspect
from functools import cache, partial
from importlib import import_module

import numpy as np

from shared_specs.backends import backend
from shared_specs.implementation import Implementation, flatten, leaves, with_arrays

WINGS = {"jax": "theory_jax", "torch": "practice_torch"}


def wing_function(backend_name, topic, name):
    """The function of this name in the backend's wing.  Raises AttributeError if the wing lacks it."""
    return getattr(import_module(f"{WINGS[backend_name]}.{topic.replace('/', '.')}"), name)


@cache
def wing(backend_name, topic, precision):
    """A wing of the house as an implementation under test; what it compiles is kept for the next who asks."""
    if backend_name == "jax":
        return Compiled(partial(wing_function, "jax", topic), precision)
    return Implementation(partial(wing_function, backend_name, topic), backend_name, precision)


class Compiled(Implementation):
    """JAX functions under jit, as they are run in earnest; the theory wing so in float64 is the reference."""

    def __init__(self, find, precision="float64"):
        super().__init__(cache(lambda name: _compiled(find(name))), "jax", precision)
        self._plain = find
        self._pull_backs = {}
        self._jacobians = {}
        self._shapes = {}
        self._programs = {}

    @property
    def eager(self):
        """The same functions without jit: only there do their checks of values run."""
        return Implementation(self._plain, "jax", self.precision)

    def docstring(self, name):
        """What the function says of itself, its shapes last."""
        return self._plain(name).__doc__

    def _taken(self, array):
        """A NumPy array: a compiled function takes it in faster than device_put does."""
        return backend("numpy").to_native(np.asarray(array), self.precision)

    def plain_call(self, name, arguments, compiled=None):
        """The results as compiled; what a plain call does besides, which is to check values, is seen to accept these.

        Run plainly, operation by operation, each of which JAX compiles, it would give the same: nothing in this wing but a check
        may ask whether it is traced (tests/house.py), and with NumPy it could not be compiled.
        """
        self.result_shapes(name, arguments)
        return self.call(name, arguments) if compiled is None else compiled

    def narrow_call(self, name, narrow, arguments, got):
        """As any implementation's; where the two programs differ in nothing but the first conversion, without compiling."""
        from shared_specs.backends.jax_program import program

        function, natives = self._plain(name), self.eager._native
        wide = (name, _identities(arguments))
        if wide not in self._programs:
            self._programs[wide] = program(function, natives(arguments))
        return got if program(function, natives(narrow)) == self._programs[wide] else self.call(name, narrow)

    def value_and_vjp(self, name, arguments, paths, cotangents):
        """As any implementation's, in one compiled function a case."""
        import jax

        traced, static = _split(arguments)
        identity = (name, tuple(paths), tuple(sorted(static.items(), key=lambda item: item[0])))
        if identity not in self._pull_backs:
            function = self._plain(name)

            @jax.jit
            def pull_back(traced, cotangents):
                def of_arrays(*arrays):
                    changed = with_arrays(traced, dict(zip(paths, arrays, strict=True)))
                    return flatten(function(**changed, **static), self.backend, name)

                originals = dict(leaves(traced))
                results, gradients = jax.vjp(of_arrays, *(originals[path] for path in paths))
                return results, gradients(tuple(cotangents))

            self._pull_backs[identity] = pull_back
        found = self._pull_backs[identity](self._native(traced), tuple(map(self._native, cotangents)))
        return tuple(tuple(np.asarray(array) for array in arrays) for arrays in found)

    def jacobian(self, name, positional, keywords, wrt):
        """As any implementation's, in one compiled function a shape."""
        import jax

        traced, static = _split(keywords)
        arrays, fixed = _split(dict(enumerate(positional)))
        identity = (name, wrt, tuple(fixed.items()), tuple(sorted(static.items(), key=lambda item: item[0])))
        if identity not in self._jacobians:
            function = self._plain(name)

            @jax.jit
            def of_all(arrays, traced):
                def of_one(array):
                    places = fixed | arrays | {wrt: array}
                    return flatten(function(*(places[i] for i in range(len(places))), **traced, **static), self.backend, name)[0]

                return jax.jacrev(of_one)(arrays[wrt])

            self._jacobians[identity] = of_all
        return np.array(self._jacobians[identity](self._native(arrays), self._native(traced)))

    def result_shapes(self, name, arguments):
        """As any implementation's, without computing anything.

        The function closes over its arguments and is traced: what checks values sees them.
        """
        import jax

        given = _identities(arguments)
        if (name, given) not in self._shapes:
            function, closed_over = self._plain(name), self.eager._native(arguments)
            value = jax.eval_shape(lambda: function(**closed_over))
            self._shapes[name, given] = [(leaf.shape, np.issubdtype(leaf.dtype, np.floating)) for _, leaf in leaves(value)]
        return self._shapes[name, given]


def _identities(arguments):
    return tuple((path, _identity(leaf)) for path, leaf in leaves(arguments))


def _identity(leaf):
    """What tells a leaf from others: by its type, too, as 1, 1.0 and True are equal."""
    return (leaf.shape, leaf.dtype.str, leaf.tobytes()) if isinstance(leaf, np.ndarray) else (type(leaf), leaf)


def _split(arguments):
    """The arguments that are arrays or hold them, and the others, which a compiled function takes as constants."""
    traced = {name: value for name, value in arguments.items() if any(isinstance(leaf, np.ndarray) for _, leaf in leaves(value))}
    return traced, {name: value for name, value in arguments.items() if name not in traced}


def _compiled(function):
    """jit with every argument that is no array static, whichever way it is passed."""
    import jax

    signature = inspect.signature(function)
    compiled = cache(lambda static_names: jax.jit(function, static_argnames=static_names))

    def call(*positional, **keywords):
        arguments = signature.bind(*positional, **keywords).arguments
        static = (name for name, value in arguments.items() if not any(isinstance(leaf, np.ndarray) for _, leaf in leaves(value)))
        return compiled(tuple(static))(**arguments)

    return call
