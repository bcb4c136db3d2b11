"""The two wings as implementations; the theory wing, compiled and in float64, is the reference."""

import inspect
from functools import cache, partial
from importlib import import_module

import numpy as np

from shared_specs.implementation import Implementation, flatten, with_arrays

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

    @property
    def eager(self):
        """The same functions without jit: only there do their checks of values run."""
        return Implementation(self._plain, "jax", self.precision)

    def value_and_vjp(self, name, arguments, keys, cotangents):
        import jax

        traced = {key: value for key, value in arguments.items() if _is_array(value)}
        static = {key: value for key, value in arguments.items() if key not in traced}
        identity = (name, tuple(keys), tuple(sorted(static.items(), key=lambda item: item[0])))
        if identity not in self._pull_backs:
            function = self._find(name)

            @jax.jit
            def pull_back(traced, cotangents):
                def of_arrays(*arrays):
                    changed = with_arrays(traced, dict(zip(keys, arrays, strict=True)))
                    return flatten(function(**changed, **static), self.backend, name)

                originals = {key: array for key, array in _keyed(traced)}
                results, gradients = jax.vjp(of_arrays, *(originals[key] for key in keys))
                return results, gradients(tuple(cotangents))

            self._pull_backs[identity] = pull_back
        results, gradients = self._pull_backs[identity](
            {key: self._native(value) for key, value in traced.items()}, tuple(map(self._native, cotangents))
        )
        return tuple(tuple(np.asarray(array) for array in arrays) for arrays in (results, gradients))

    def result_shapes(self, name, arguments):
        """(shape, whether it is floating) of every result, without computing any."""
        import jax

        traced = {key: self._native(value) for key, value in arguments.items() if _is_array(value)}
        static = {key: value for key, value in arguments.items() if key not in traced}
        value = jax.eval_shape(lambda traced: self._find(name)(**traced, **static), traced)
        return [(leaf.shape, np.issubdtype(leaf.dtype, np.floating)) for leaf in jax.tree.leaves(value)]


def _keyed(arguments):
    """Every array with its key, also under trace, where arrays_in cannot look at dtypes of NumPy."""
    for name, value in arguments.items():
        if isinstance(value, tuple):
            yield from (((name, i), part) for i, part in enumerate(value))
        else:
            yield name, value


def _is_array(value):
    return isinstance(value, np.ndarray) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], np.ndarray))


def _compiled(function):
    """jit with every argument that is no array static, whichever way it is passed."""
    import jax

    signature = inspect.signature(function)
    compiled = cache(lambda static_names: jax.jit(function, static_argnames=static_names))

    def call(*positional, **keywords):
        arguments = signature.bind(*positional, **keywords).arguments
        return compiled(tuple(name for name, value in arguments.items() if not _is_traceable(value)))(**arguments)

    def _is_traceable(value):
        return isinstance(value, jax.Array) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], jax.Array))

    return call
