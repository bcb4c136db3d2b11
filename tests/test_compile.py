"""Every function of the practice wing compiles as one graph: whoever trains with it compiles a whole step."""

import numpy as np
import pytest
import torch

from shared_specs.check import spec_of
from shared_specs.implementation import leaves, mapped
from shared_specs.reference import wing_function
from shared_specs.rows import Agree
from shared_specs.syllabus import load


def _functions():
    """The first traceable row of each function, and of each named choice (divergence="kl") in it."""
    for topic in load().built:
        seen = set()
        for row in spec_of(topic.path):
            if not isinstance(row, Agree) or not row.traced:
                continue
            arguments = row.given.draw(f"{topic.path}/{row.function}/{row.case}")
            choice = (row.function, *(value for value in arguments.values() if isinstance(value, str)))
            if choice in seen or any(callable(value) for value in arguments.values()):
                continue
            seen.add(choice)
            name, marks = f"{topic.path}-{'-'.join(choice)}", pytest.mark.xdist_group(topic.path)
            yield pytest.param(topic.path, row.function, arguments, id=name, marks=marks)


@pytest.mark.parametrize(("topic", "name", "arguments"), list(_functions()))
def test_is_one_graph(topic, name, arguments):
    """Without a break, and with the values of the plain call; gradients are traced through, too."""
    function = wing_function("torch", topic, name)

    def tensors():
        return mapped(arguments, lambda path, leaf: _tensor(leaf))

    torch._dynamo.reset()
    compiled = torch.compile(lambda given: function(**given), fullgraph=True, backend="eager")
    got, wanted = compiled(tensors()), function(**tensors())
    for (_, g), (_, w) in zip(leaves(got), leaves(wanted), strict=True):
        torch.testing.assert_close(g, w, rtol=1e-12, atol=1e-12, equal_nan=True)


def _tensor(leaf):
    if not isinstance(leaf, np.ndarray):
        return leaf
    return torch.tensor(leaf, requires_grad=np.issubdtype(leaf.dtype, np.floating))
