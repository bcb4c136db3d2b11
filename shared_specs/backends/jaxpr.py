"""A JAX function run by NumPy: what JAX traced, evaluated equation by equation.

A check asks a few numbers of thousands of small functions, and XLA takes far longer to compile one than NumPy takes to run it.
What is evaluated is JAX's own trace, with its derivatives and its batching; only the arithmetic is NumPy's. It is evaluated at
one point, or at many at once: arrays that differ from point to point have one more axis in front.
"""

from collections.abc import Callable

import jax
import numpy as np
from jax.extend import core

from shared_specs.backends.points import point_by_point, ranks, together
from shared_specs.backends.primitives import rule_of

# Primitives that stand for a jaxpr of their own, and the parameter that holds it.
CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr", "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
}  # fmt: skip


def evaluator(trace: jax.stages.Traced) -> Callable:
    """What jax.jit(function).trace(*arguments) found, as a function of such arguments, at one point or at many.

    A result that is the same at all points has no axis for them. Warnings of NumPy are left to the caller.
    """
    program, form = Program(trace.jaxpr), jax.tree.structure(trace.out_info)
    return lambda *arguments: jax.tree.unflatten(form, program(*jax.tree.leaves(arguments)))


class Program:
    """The equations of a jaxpr in a row, each with its NumPy function and the places of its operands and results.

    What depends on constants alone is computed once, here.
    """

    def __init__(self, closed: core.ClosedJaxpr) -> None:
        self._values, self._known, self._equations = [], set(), []
        self._inputs = [self._place() for _ in closed.jaxpr.invars]
        self._results = self._emit(closed, self._inputs)
        self._dtypes = [atom.aval.dtype for atom in closed.jaxpr.outvars]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """The results, a list of arrays of the dtypes that JAX gives them."""
        values = self._values.copy()
        for place, array in zip(self._inputs, arrays, strict=True):
            values[place] = array
        for run, operands, results in self._equations:
            found = run(*[values[place] for place in operands])
            if len(results) == 1 and not isinstance(found, list):
                values[results[0]] = found
            else:
                for place, value in zip(results, found, strict=True):
                    values[place] = value
        return [np.asarray(values[place], dtype=dtype) for place, dtype in zip(self._results, self._dtypes, strict=True)]

    def _place(self):
        self._values.append(None)
        return len(self._values) - 1

    def _constant(self, value):
        place = self._place()
        self._values[place] = np.asarray(value)
        self._known.add(place)
        return place

    def _emit(self, closed, operands):
        """Adds the equations of a jaxpr whose operands are in these places; the places of its results."""
        jaxpr = closed.jaxpr
        places = dict(zip(jaxpr.invars, operands, strict=True))
        places |= {variable: self._constant(value) for variable, value in zip(jaxpr.constvars, closed.consts, strict=True)}

        def read(atom):
            return self._constant(np.asarray(atom.val, dtype=atom.aval.dtype)) if isinstance(atom, core.Literal) else places[atom]

        for equation in jaxpr.eqns:
            given = [read(atom) for atom in equation.invars]
            if equation.primitive.name in CALLS:
                inner = equation.params[CALLS[equation.primitive.name]]
                results = self._emit(inner if hasattr(inner, "consts") else core.ClosedJaxpr(inner, ()), given)
            else:
                results = self._add(_function_of(equation), given, [variable.aval.dtype for variable in equation.outvars])
            places |= dict(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _add(self, run, operands, dtypes):
        if self._known.issuperset(operands):
            found = run(*[self._values[place] for place in operands])
            found = found if isinstance(found, list) else [found]
            return [self._constant(np.asarray(value, dtype=dtype)) for value, dtype in zip(found, dtypes, strict=True)]
        results = [self._place() for _ in dtypes]
        self._equations.append((run, operands, results))
        return results


def _function_of(equation):
    """The function of the equation's arrays: of control flow, of a primitive with a rule, or JAX's own."""
    control = {"scan": _scan, "while": _while, "cond": _cond, "custom_linear_solve": _linear_solve}.get(equation.primitive.name)
    return control(equation) if control else rule_of(equation) or point_by_point(_by_jax(equation), ranks(equation))


def _scan(equation):
    parameters, of = equation.params, ranks(equation)
    body, length = Program(parameters["jaxpr"]), parameters["length"]
    constants, carried = parameters["num_consts"], parameters["num_carry"]
    first, parts = constants + carried, [variable.aval for variable in parameters["jaxpr"].jaxpr.outvars[carried:]]
    if not length:
        return lambda *arrays: [*arrays[constants:first], *(np.empty((0, *p.shape), p.dtype) for p in parts)]

    def scan(*arrays):
        fixed, carry, over = arrays[:constants], arrays[constants:first], arrays[first:]
        # the axis that is run over comes to the front, before that of the points
        over = [array if array.ndim == rank else np.moveaxis(array, 1, 0) for array, rank in zip(over, of[first:], strict=True)]
        collected = [None] * length
        for i in reversed(range(length)) if parameters["reverse"] else range(length):
            results = body(*fixed, *carry, *(array[i] for array in over))
            carry, collected[i] = results[:carried], results[carried:]
        columns = zip(*collected, strict=True) if parts else ()
        return [*carry, *(_stacked(column, part.ndim) for column, part in zip(columns, parts, strict=True))]

    return scan


def _stacked(arrays, rank):
    """The arrays one behind the other, along an axis behind that of the points."""
    return np.stack(together(arrays, [rank] * len(arrays)), axis=-1 - rank)


def _while(equation):
    parameters = equation.params
    test, body = Program(parameters["cond_jaxpr"]), Program(parameters["body_jaxpr"])
    of_test, of_body = parameters["cond_nconsts"], parameters["body_nconsts"]

    def loop(*arrays):
        state = list(arrays[of_test + of_body :])
        while True:
            (goes_on,) = test(*arrays[:of_test], *state)
            if goes_on.ndim:  # at some points, and not at others
                return one_at_a_time(*arrays)
            if not goes_on:
                return state
            state = body(*arrays[of_test : of_test + of_body], *state)

    one_at_a_time = point_by_point(loop, ranks(equation))
    return loop


def _cond(equation):
    branches = [Program(branch) for branch in equation.params["branches"]]

    def choose(which, *arrays):
        return branches[min(max(int(which), 0), len(branches) - 1)](*arrays)

    return point_by_point(choose, ranks(equation), slice(1))


def _linear_solve(equation):
    """As the primitive's caller solves it; its other jaxprs are for derivatives, which JAX has taken already."""
    lengths, solve = equation.params["const_lengths"], Program(equation.params["jaxprs"].solve)
    first = lengths.matvec + lengths.vecmat
    last = first + lengths.solve
    return lambda *arrays: solve(*arrays[first:last], *arrays[last + lengths.transpose_solve :])


def _by_jax(equation):
    """The primitive as JAX runs it, compiled for itself: right, and slow."""
    primitive = equation.primitive

    def run(*arrays):
        results = primitive.bind(*map(jax.numpy.asarray, arrays), **equation.params)
        return [np.asarray(result) for result in results] if primitive.multiple_results else np.asarray(results)

    return run
