"""Triton's kernels of the selective scan against the torch scan: in Triton's interpreter, and on a GPU where there is one."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from practice_torch import networks
from practice_torch.state_space import _scan
from practice_torch.state_space._selective_scan import SelectiveScan
from practice_torch.state_space.selective import selective_scan

pytest.importorskip("triton", reason="Triton, of which the kernels are written, is not installed")
# batch, steps, channels, states: tiles of four steps and two channels, whole and broken off
SHAPES = (2, 7, 3, 2), (1, 8, 2, 3), (1, 1, 1, 1)


FILE = Path(networks.__file__).with_name("selective_scan_triton.py")


@pytest.fixture(scope="module")
def interpreted():
    """interpreted(file): a module of kernels that the interpreter runs, with small tiles.

    Triton decides when it is imported whether functions of its language, too, are interpreted: this is another import of it.
    """
    known = _triton()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        for name in known:
            del sys.modules[name]

        def load(path):
            spec = importlib.util.spec_from_file_location(f"interpreted_{path.stem}", path)
            made = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(made)
            made.LANES, made.STEPS = 4, 4
            return made

        try:
            yield load
        finally:
            for name in _triton():
                del sys.modules[name]
            sys.modules.update(known)


def _triton():
    """What is imported of it; its library in C is the same for both."""
    ours = [name for name in sys.modules if name.partition(".")[0] == "triton" and not name.startswith("triton._C")]
    return {name: sys.modules[name] for name in ours}


@pytest.fixture(scope="module")
def kernels(interpreted):
    return interpreted(FILE)


def arguments(batch, steps, channels, states, dtype, device="cpu"):
    """inputs, step, b, c, initial, a, and the gradients of outputs and the last state; one channel forgets all at once."""
    draw = torch.Generator().manual_seed(steps)
    shapes = [(batch, steps, channels)] * 2 + [(batch, steps, states)] * 2 + [(batch, channels, states), (channels, states)]
    inputs, step, b, c, initial, a = (torch.randn(shape, generator=draw, dtype=dtype) for shape in shapes)
    a[0] *= 20
    slopes = torch.randn(batch, steps, channels, generator=draw, dtype=dtype), torch.randn_like(initial)
    given = inputs, torch.nn.functional.softplus(step), b, c, initial, -a.abs(), *slopes
    return [part.to(device) for part in given]


def by_torch(*given):
    """Outputs, the last state, and the gradients."""
    *given, upstream, reached = given
    given = [part.requires_grad_() for part in given]
    found = SelectiveScan.apply(*given)
    return *(part.detach() for part in found), *torch.autograd.grad(found, given, (upstream, reached))


def by_kernels(kernels, inputs, step, b, c, initial, a, upstream, reached):
    outputs, last, starts = kernels.forward(inputs, step, b, c, initial, a)
    return outputs, last, *kernels.backward(inputs, step, b, c, a, starts, upstream, reached)


def require_same(found, wanted, tolerance):
    names = "outputs", "the last state", "inputs", "step", "b", "c", "the initial state", "a"
    for name, ours, right in zip(names, found, wanted, strict=True):
        off = float((ours - right).abs().max() / right.abs().max())
        assert off < tolerance, f"{name}: off by {off:.1e} of the largest entry"


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_compute_the_torch_scan_and_its_gradients(kernels, shape):
    given = arguments(*shape, torch.float64)
    require_same(by_kernels(kernels, *given), by_torch(*given), 1e-13)


def test_kernels_keep_the_digits_of_float32(kernels):
    given = arguments(*SHAPES[0], torch.float32)
    require_same(by_kernels(kernels, *given), by_torch(*given), 2e-6)


@pytest.mark.parametrize(("right", "wrong"), [("kept * state", "state"), ("kept * slope", "slope"), (" - value)", ")")])
def test_a_mistake_in_a_kernel_is_found(interpreted, tmp_path, right, wrong):
    """The state that a tile begins with, the slope that comes from the next, and what has decayed of a state."""
    assert right in FILE.read_text()
    (tmp_path / "mistaken.py").write_text(FILE.read_text().replace(right, wrong))
    given = arguments(1, 5, 2, 2, torch.float64)
    with pytest.raises(AssertionError, match="off by"):
        require_same(by_kernels(interpreted(tmp_path / "mistaken.py"), *given), by_torch(*given), 1e-13)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU; the interpreter runs the same kernels above")
def test_kernels_on_a_gpu():
    """Of the size of a layer of a published model, in tiles of their own size."""
    from practice_torch.networks import selective_scan_triton

    given = arguments(2, 1000, 200, 16, torch.float32, "cuda")
    require_same(by_kernels(selective_scan_triton, *given), by_torch(*given), 1e-4)


def test_a_compiled_graph_holds_the_operator_whole(monkeypatch):
    """As on a GPU, but with the operator's CPU side, which is the torch scan: the same results and gradients, in one graph."""
    *given, upstream, reached = arguments(*SHAPES[0], torch.float64)
    wanted, graphs = by_torch(*given, upstream, reached), []
    monkeypatch.setattr(_scan, "has_kernel", lambda inputs: True)

    def backend(graph, inputs):
        graphs.append([str(node.target) for node in graph.graph.nodes])
        return graph

    compiled = torch.compile(selective_scan, backend=backend, fullgraph=True)
    outputs, last = compiled(*given, given[-1].new_zeros(SHAPES[0][2]))
    found = outputs, last, *torch.autograd.grad((outputs, last), given, (upstream, reached))
    require_same([part.detach() for part in found], wanted, 1e-12)
    (targets,) = graphs
    assert sum("diptych.selective_scan" in target for target in targets) == 1
