"""JAX's operations computed by NumPy, wherever JAX would compile them: what runs a derivation.

JAX compiles a program for every operation on arrays of a new shape, which takes far longer than the operation, and a derivation
is hundreds of those. Inside `by_numpy()` JAX traces, differentiates and batches as ever, jit and scan included; what it would
hand to XLA then is evaluated by jaxpr.py. Six lectures take 10 CPU seconds that way; XLA takes 38 with an empty cache and 27 with
a full one, and 39 under `jax.disable_jit()`, which still compiles every operation.

What JAX does not document is used in this file alone, in JAX 0.10 (constraints.txt); tests/specs/test_jax_eager.py shows what
breaks when a new version changes it.
"""

import contextlib
from collections.abc import Iterator
from functools import cache, partial
from types import SimpleNamespace

import jax
import numpy as np
from jax._src.interpreters.pxla import batched_device_put  # jax.device_put takes four times as long
from jax._src.lax import lax  # has primitives that jax.extend.core.primitives does not name
from jax.extend import core

from shared_specs.backends.jaxpr import Program
from shared_specs.backends.primitives import ELEMENTWISE, RULES, rule_of

MOST = 100_000  # operations, about half a second of NumPy: longer loops are compiled
KEPT = 10_000  # programs: many calls are of forms that were seen before, and each program holds its constants

WITHOUT_RULE = {"jit", "scan", "while", "cond", "custom_linear_solve", "stage"}  # Program takes them apart; stage is the identity
PRIMITIVES = {
    primitive
    for module in (core.primitives, lax)  # the first, which is documented, does not name all of them
    for primitive in vars(module).values()
    if isinstance(primitive, core.Primitive) and primitive.name in WITHOUT_RULE | ELEMENTWISE.keys() | RULES.keys()
}

with core.take_current_trace() as _outermost:
    pass


class _Trace(type(_outermost)):
    """A copy of the outermost trace: under the original, jit calls XLA itself and not its primitive."""

    def process_custom_jvp_call(self, *arguments, **parameters):
        with core.set_current_trace(self):
            return super().process_custom_jvp_call(*arguments, **parameters)

    def process_custom_vjp_call(self, *arguments, **parameters):
        with core.set_current_trace(self):
            return super().process_custom_vjp_call(*arguments, **parameters)


_TRACE = _Trace()


@contextlib.contextmanager
def by_numpy() -> Iterator[None]:
    """Within the context, JAX computes by NumPy, on the CPU. XLA still compiles random numbers, primitives without a rule, and
    programs with side effects or of more than MOST operations.
    """
    before = {primitive: primitive.impl for primitive in PRIMITIVES}
    for primitive, implementation in _IMPLEMENTATIONS.items():
        primitive.def_impl(implementation)
    try:
        with core.set_current_trace(_TRACE), jax.default_device(_cpu()[0]):
            yield
    finally:
        for primitive, implementation in before.items():
            primitive.def_impl(implementation)
        if len(_programs) > KEPT:
            _programs.clear()


class _ByNumpy:
    """A primitive's implementation, with a program for each form of its arguments; compiled: the implementation it replaces."""

    def __init__(self, primitive, compiled):
        self.primitive, self.compiled = primitive, compiled

    def __call__(self, *arguments, **parameters):
        forms = tuple(map(jax.typeof, arguments))
        key = self.primitive, forms, tuple(parameters.items())
        if key not in _programs:
            _programs[key] = self._program(forms, parameters)
        program, results = _programs[key]
        if program is None:
            return self.compiled(*arguments, **parameters)
        with np.errstate(all="ignore"):
            arrays = program(*map(np.asarray, arguments))
        arrays = [_to_jax(array, aval) for array, aval in zip(arrays, results, strict=True)]
        return arrays if self.primitive.multiple_results else arrays[0]

    def _program(self, forms, parameters):
        """The program and the forms of its results; None for programs left to XLA."""
        if any(map(_is_key, forms)):
            return None, ()
        if self.primitive.name not in WITHOUT_RULE:
            return self._by_rule(forms, parameters)
        run = partial(self.primitive.bind, **parameters)
        closed = parameters["jaxpr"] if self.primitive.name == "jit" else jax.make_jaxpr(run)(*forms)
        equations = list(_equations(closed.jaxpr))
        operations = sum(times for _, times in equations)
        if closed.effects or operations > MOST or any(_has_keys(equation) for equation, _ in equations):
            return None, ()
        with np.errstate(all="ignore"):
            return Program(closed), closed.out_avals

    def _by_rule(self, forms, parameters):
        """The same of one equation, which is put together by hand: JAX takes ten times as long to trace it."""
        results, _ = self.primitive.abstract_eval(*forms, **parameters)
        results = results if self.primitive.multiple_results else [results]
        variables = [[SimpleNamespace(aval=aval) for aval in avals] for avals in (forms, results)]
        run = rule_of(SimpleNamespace(primitive=self.primitive, params=parameters, invars=variables[0], outvars=variables[1]))
        if any(map(_is_key, results)) or run is None:
            return None, ()
        return (lambda *arrays: found if isinstance(found := run(*arrays), list) else [found]), results


_IMPLEMENTATIONS = {primitive: _ByNumpy(primitive, primitive.impl) for primitive in PRIMITIVES}
_programs = {}


def _has_keys(equation):
    return any(_is_key(atom.aval) for atom in (*equation.invars, *equation.outvars))


def _is_key(aval):
    return jax.dtypes.issubdtype(aval.dtype, jax.dtypes.extended)


def _equations(jaxpr, times=1):
    """Every equation of a jaxpr and of those inside it, and how often it is evaluated; a while loop counts as one turn."""
    for equation in jaxpr.eqns:
        yield equation, times
        for inner in core.jaxprs_in_params(equation.params):
            yield from _equations(getattr(inner, "jaxpr", inner), times * equation.params.get("length", 1))


def _to_jax(array, aval):
    """Like jax.device_put, in a quarter of its time, and with a weak type for arrays made of Python numbers."""
    device, place = _cpu()
    return batched_device_put(aval, place, [np.asarray(array, aval.dtype, order="C")], [device], committed=False)


@cache
def _cpu():
    device = jax.local_devices(backend="cpu")[0]
    return device, jax.sharding.SingleDeviceSharding(device)
