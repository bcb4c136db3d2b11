"""A JAX function run by NumPy: what JAX traced, evaluated equation by equation.

A check asks a few numbers of thousands of small functions, and XLA takes far longer to compile one than NumPy takes to run it.
What is evaluated is JAX's own trace, with its derivatives and its batching; only the arithmetic is NumPy's. It is evaluated at
one point, or at many at once: arrays that differ from point to point have one more axis in front. With a Rounding the result of
every operation moves at random, as it does where a tolerance is measured.
"""

from collections.abc import Callable
from functools import partial
from itertools import repeat

import jax
import numpy as np
from jax.extend import core

from shared_specs.backends.points import point_by_point, ranks, together
from shared_specs.backends.primitives import EXACT, SUMS, rule_of
from shared_specs.backends.rounding import Rounding

# Primitives that stand for a jaxpr of their own, and the parameter that holds it.
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def evaluator(trace: jax.stages.Traced) -> Callable:
    """The result of jax.jit(function).trace(*arguments) as a function of such arguments, at one point or at many.

    rounding, a keyword, is the Rounding of its operations; without one they are exact. A result that is the same at all points
    has no axis for them. Warnings of NumPy are left to the caller.
    """
    program, form = Program(trace.jaxpr), jax.tree.structure(trace.out_info)
    return lambda *arguments, rounding=None: jax.tree.unflatten(form, program(*jax.tree.leaves(arguments), rounding=rounding))


class Program:
    """The equations of a jaxpr in a row, each with its NumPy functions and the places of its operands and results.

    What depends on constants alone is computed once, here; with a Rounding, again in each call if it rounds.
    """

    def __init__(self, closed: core.ClosedJaxpr) -> None:
        self._values, self._known, self._still = [], set(), set()
        self._equations, self._rounded_equations = [], []
        self._inputs = [self._place() for _ in closed.jaxpr.invars]
        self._results = self._emit(closed, self._inputs)
        self._dtypes = [atom.aval.dtype for atom in closed.jaxpr.outvars]

    def __call__(self, *arrays: np.ndarray, rounding: Rounding | None = None) -> list[np.ndarray]:
        """The results, a list of arrays of the dtypes that JAX gives them."""
        values = self._values.copy()
        for place, array in zip(self._inputs, arrays, strict=True):
            values[place] = array
        for run, operands, results in self._equations if rounding is None else self._rounded_equations:
            given = [values[place] for place in operands]
            found = run(*given) if rounding is None else run(rounding, *given)
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
        """The place of a value that no input changes, and no rounding."""
        place = self._place()
        self._values[place] = np.asarray(value)
        self._known.add(place)
        self._still.add(place)
        return place

    def _emit(self, closed, operands):
        """Add the equations of a jaxpr with its operands in these places; return the places of its results."""
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
                results = self._add(equation, given)
            places |= dict(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _add(self, equation, operands):
        exactly, rounded = _functions_of(equation)
        results = [self._place() for _ in equation.outvars]
        if self._known.issuperset(operands):
            found = exactly(*[self._values[place] for place in operands])
            found = found if isinstance(found, list) else [found]
            for place, value, variable in zip(results, found, equation.outvars, strict=True):
                self._values[place] = np.asarray(value, dtype=variable.aval.dtype)
            self._known.update(results)
        else:
            self._equations.append((exactly, operands, results))
        if self._still.issuperset(operands) and equation.primitive.name in EXACT:
            self._still.update(results)
        else:
            self._rounded_equations.append((rounded, operands, results))
        return results


def _functions_of(equation):
    """The function of the equation's arrays, and that of a Rounding and these arrays."""
    control = {"scan": _scan, "while": _while, "cond": _cond, "custom_linear_solve": _linear_solve}.get(equation.primitive.name)
    if control:
        run = control(equation)
        return partial(run, None), run
    run = rule_of(equation) or point_by_point(_by_jax(equation), ranks(equation))
    return run, _rounded(equation, run)


def _rounded(equation, run):
    """run, with results that move; where it adds up products, these move, too, as its partial sums are rounded."""
    name, given, found = equation.primitive.name, ranks(equation), [variable.aval.ndim for variable in equation.outvars]
    if name in EXACT:
        return lambda rounding, *arrays: run(*arrays)

    def rounded(rounding, *arrays):
        results = run(*(map(rounding.moved, arrays, given) if name in SUMS else arrays))
        return list(map(rounding.moved, results, found)) if isinstance(results, list) else rounding.moved(results, *found)

    return rounded


def _one_by_one(run, rounding, arrays):
    """run(rounding, *arrays), which gives a list, at each of the points in turn."""
    roundings = rounding.one_by_one() if rounding else repeat(None)
    found = [run(here, *row) for here, row in zip(roundings, zip(*arrays, strict=True), strict=False)]
    return [np.stack(parts) for parts in zip(*found, strict=True)]


def _scan(equation):
    parameters, of = equation.params, ranks(equation)
    body, length = Program(parameters["jaxpr"]), parameters["length"]
    constants, carried = parameters["num_consts"], parameters["num_carry"]
    first, parts = constants + carried, [variable.aval for variable in parameters["jaxpr"].jaxpr.outvars[carried:]]
    if not length:
        return lambda _, *arrays: [*arrays[constants:first], *(np.empty((0, *p.shape), p.dtype) for p in parts)]

    def scan(rounding, *arrays):
        fixed, carry, over = arrays[:constants], arrays[constants:first], arrays[first:]
        # the axis that is run over comes to the front, before that of the points
        over = [array if array.ndim == rank else np.moveaxis(array, 1, 0) for array, rank in zip(over, of[first:], strict=True)]
        collected = [None] * length
        for i in reversed(range(length)) if parameters["reverse"] else range(length):
            results = body(*fixed, *carry, *(array[i] for array in over), rounding=rounding)
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
    of_test, of_body, of = parameters["cond_nconsts"], parameters["body_nconsts"], ranks(equation)

    def loop(rounding, *arrays):
        state = list(arrays[of_test + of_body :])
        while True:
            (goes_on,) = test(*arrays[:of_test], *state, rounding=rounding)
            if goes_on.any() and not goes_on.all():  # at some points, and not at others
                return _one_by_one(loop, rounding, together(arrays, of, len(goes_on)))
            if not goes_on.any():
                return state
            state = body(*arrays[of_test : of_test + of_body], *state, rounding=rounding)

    return loop


def _cond(equation):
    branches, of = [Program(branch) for branch in equation.params["branches"]], ranks(equation)

    def choose(rounding, which, *arrays):
        if np.ndim(which):  # another branch at some points, perhaps
            return _one_by_one(choose, rounding, together((which, *arrays), of))
        return branches[min(max(int(which), 0), len(branches) - 1)](*arrays, rounding=rounding)

    return choose


def _linear_solve(equation):
    """Solve as the primitive's caller does; its other jaxprs are for derivatives, which JAX has taken already."""
    lengths, solve = equation.params["const_lengths"], Program(equation.params["jaxprs"].solve)
    first = lengths.matvec + lengths.vecmat
    last = first + lengths.solve
    return lambda rounding, *arrays: solve(*arrays[first:last], *arrays[last + lengths.transpose_solve :], rounding=rounding)


def _by_jax(equation):
    """The primitive as JAX runs it, compiled for itself: right, and slow."""
    primitive = equation.primitive

    def run(*arrays):
        results = primitive.bind(*map(jax.numpy.asarray, arrays), **equation.params)
        return [np.asarray(result) for result in results] if primitive.multiple_results else np.asarray(results)

    return run
