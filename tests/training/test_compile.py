"""Every function of the practice wing compiles as one graph, so that a whole training step can be compiled."""

import numpy as np
import pytest
import torch

from shared_specs.checking.arguments import leaves, mapped, whole
from shared_specs.checking.check import spec_of
from shared_specs.checking.reference import wing_function
from shared_specs.rows import Agree
from shared_specs.syllabus import load


def _calls(topic):
    """Name and arguments of the first traceable row of each function, and of each named choice (divergence="kl") in it.

    Functions that call others count where the topic has none next to them.
    """
    calls, of_calls = {}, {}
    for row in spec_of(topic):
        if not isinstance(row, Agree) or not row.traced:
            continue
        arguments = row.given.draw(f"{topic}/{row.function}/{row.case}")
        choice = (row.function, *(value for value in arguments.values() if isinstance(value, str)))
        found = of_calls if any(callable(value) for value in arguments.values()) else calls
        found.setdefault(choice, (row.function, arguments))
    return calls or of_calls


TOPICS = [pytest.param(t.path, id=t.path, marks=pytest.mark.xdist_group(t.path)) for t in load().built]


@pytest.mark.weekly
@pytest.mark.parametrize("topic", TOPICS)
def test_is_one_graph(topic):
    """Without a break, and with the values of the plain calls; gradients are traced through, too.

    All functions of a topic in one program, which is one graph only if each of them is: a compilation costs more than a function.
    """
    calls = _calls(topic)
    functions = [wing_function("torch", topic, name) for name, _ in calls.values()]

    def tensors():
        given = [mapped(arguments, lambda path, leaf: _tensor(leaf)) for _, arguments in calls.values()]
        return [{name: whole(value) for name, value in arguments.items()} for arguments in given]

    def program(given):
        return [function(**arguments) for function, arguments in zip(functions, given, strict=True)]

    torch._dynamo.reset()
    compiled = torch.compile(program, fullgraph=True, backend="eager")
    assert calls
    for choice, got, wanted in zip(calls, compiled(tensors()), program(tensors()), strict=True):
        for (_, g), (_, w) in zip(leaves(got), leaves(wanted), strict=True):
            why = f"{' '.join(choice)}: {{}}".format
            torch.testing.assert_close(g, w, rtol=1e-12, atol=1e-12, equal_nan=True, msg=why)


def _tensor(leaf):
    if not isinstance(leaf, np.ndarray):
        return leaf
    return torch.tensor(leaf, requires_grad=np.issubdtype(leaf.dtype, np.floating))
