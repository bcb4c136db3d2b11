"""What a JAX function does to given arrays, as data: two programs that are equal give equal results, and neither is compiled."""

import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal


def program(function: Callable, arguments: dict[str, Any]) -> tuple[list, tuple]:
    """The steps of function(**arguments), traced with the arrays as constants, so that its checks of values run.

    An integer constant that is converted to another type counts as the converted one: nothing is computed in between.
    """
    traced = jax.make_jaxpr(lambda: function(**arguments))()
    named = {var: _constant(value) for var, value in zip(traced.jaxpr.constvars, traced.consts, strict=True)}

    def name(atom):
        return _constant(atom.val) if isinstance(atom, Literal) else named[atom]

    steps = []
    for step in traced.jaxpr.eqns:
        inputs = tuple(map(name, step.invars))
        converted = _converted(step, inputs)
        if converted:
            named[step.outvars[0]] = converted
            continue
        for place, var in enumerate(step.outvars):
            named[var] = (len(steps), place)
        steps.append((step.primitive.name, _described(step.params), inputs, tuple(str(var.aval) for var in step.outvars)))
    return steps, tuple(map(name, traced.jaxpr.outvars))


def _constant(value):
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


def _converted(step, inputs):
    """The constant that an integer constant becomes in the step, if it is only converted."""
    if step.primitive.name != "convert_element_type" or len(inputs[0]) != 3:
        return None
    dtype, shape, raw = inputs[0]
    before, after = np.dtype(dtype), np.dtype(step.params["new_dtype"])
    if before.kind not in "iu" or after.kind not in "iuf":
        return None
    return _constant(np.frombuffer(raw, before).reshape(shape).astype(after))


def _described(value):
    """Parameters as something that can be compared: nested programs with their constants, functions without their address."""
    if isinstance(value, ClosedJaxpr):
        return str(value.jaxpr), tuple(map(_constant, value.consts))
    if isinstance(value, dict):
        return tuple((key, _described(part)) for key, part in sorted(value.items()))
    if isinstance(value, tuple | list):
        return tuple(map(_described, value))
    return re.sub(r"0x[0-9a-f]+", "", str(value))
