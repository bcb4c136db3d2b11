"""Diagonal state spaces compared with SciPy, and properties of their block."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from practice_torch.experiments.state_space.diagonal import RECIPES, build
from practice_torch.state_space import diagonal as practice

rng = np.random.default_rng(0)
CHANNELS, PAIRS = 3, 4
MODES = (
    torch.complex(*torch.tensor(rng.normal(size=(2, CHANNELS, PAIRS)))),
    torch.tensor(rng.uniform(-4, -1, size=CHANNELS)),
    torch.tensor(0.5 * rng.normal(size=(CHANNELS, PAIRS))),
    torch.tensor(5 * rng.normal(size=(CHANNELS, PAIRS))),
)


def real_system(weights, log_negative_real, imaginary):
    """The modes of one channel and their conjugates in real coordinates: a block [[re, -im], [im, re]] each."""
    a = np.zeros((2 * PAIRS, 2 * PAIRS))
    for m, (real, turn) in enumerate(zip(-np.exp(log_negative_real), imaginary, strict=True)):
        a[2 * m : 2 * m + 2, 2 * m : 2 * m + 2] = [[real, -turn], [turn, real]]
    read = 2 * np.stack([weights.real, -weights.imag], axis=1).ravel()
    return a, np.tile([1.0, 0.0], PAIRS)[:, None], read[None], np.zeros((1, 1))


def test_the_kernel_is_that_of_a_real_system_that_scipy_discretizes():
    kernel = practice.diagonal_kernel(*MODES, length=50)
    for ours, weights, log_step, *modes in zip(kernel, *(parameter.numpy() for parameter in MODES), strict=True):
        a, b, c, *_ = scipy.signal.cont2discrete(real_system(weights, *modes), np.exp(log_step), method="zoh")
        wanted = [(c @ np.linalg.matrix_power(a, lag) @ b).item() for lag in range(50)]
        np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-12)


def test_the_layer_is_the_simulation_of_that_system():
    """SciPy simulates the held input exactly; its outputs are those before the current input, so ours come a step later."""
    inputs, skip = torch.tensor(rng.normal(size=(2, CHANNELS, 30))), torch.tensor([0.5, 0.0, -1.0]).double()
    outputs = practice.state_space_layer(inputs, *MODES, skip)
    for h, (weights, log_step, *modes) in enumerate(zip(*(parameter.numpy() for parameter in MODES), strict=True)):
        system = (*scipy.signal.cont2discrete(real_system(weights, *modes), np.exp(log_step), method="zoh")[:4], np.exp(log_step))
        for ours, signal in zip(outputs[:, h], inputs[:, h], strict=True):
            _, theirs, _ = scipy.signal.dlsim(system, np.append(signal, 0.0)[:, None])
            np.testing.assert_allclose(ours - skip[h] * signal, theirs[1:, 0], rtol=1e-9, atol=1e-10)


def test_the_initializations_at_order_64():
    """Frequencies of LegS with its low rank added, which S4D-Inv follows and S4D-Lin does not."""
    roots = np.sqrt(2 * np.arange(64) + 1)
    normal = -np.tril(np.outer(roots, roots), -1) - np.diag(np.arange(64) + 1.0) + np.outer(roots, roots) / 2
    wanted = np.sort(np.linalg.eigvals(normal).imag)[32:]
    legs, inverse, linear = (practice.initial_eigenvalues(order=64, kind=kind).numpy() for kind in ("legs", "inverse", "linear"))
    np.testing.assert_allclose(legs.imag, wanted, rtol=1e-5)
    assert (legs.real == -0.5).all() and legs.dtype == np.complex64
    assert [frequencies.imag.max() for frequencies in (legs, inverse, linear)] == pytest.approx([1303.3, 1283.4, 97.4], abs=0.1)
    assert np.median(np.abs(inverse.imag[::-1] / legs.imag - 1)) < 0.2
    assert linear.imag.max() < 0.1 * legs.imag.max()


def test_float32_at_4096_entries():
    """Phases reach 3,900: the error is that of the frequency times the step, 4096 times over."""
    parameters = (MODES[0], torch.full((CHANNELS,), math.log(0.1)).double(), *(p.repeat(CHANNELS, 1) for p in _linear(PAIRS)))
    exact = practice.diagonal_kernel(*parameters, length=4096)
    rounded = practice.diagonal_kernel(MODES[0].to(torch.complex64), *(p.float() for p in parameters[1:]), length=4096)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() < 1e-3 * exact.abs().max()


def test_autocast_leaves_the_kernel_alone():
    """All of a sequence meets it; its products stay float32 where those of the network do not."""
    modes = (MODES[0].to(torch.complex64), *(parameter.float() for parameter in MODES[1:]))
    with torch.autocast("cpu", torch.bfloat16):
        inside = practice.diagonal_kernel(*modes, length=50)
    assert torch.equal(inside, practice.diagonal_kernel(*modes, length=50))


class Complex(TorchDispatchMode):
    """Names of the operations inside that take or give complex numbers."""

    def __init__(self):
        super().__init__()
        self.names = set()

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # asking costs two seconds

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        if any(isinstance(leaf, torch.Tensor) and leaf.is_complex() for leaf in tree_leaves((args, out))):
            self.names.add(operation.overloadpacket.__name__)
        return out


def test_only_transforms_are_complex():
    """Of a block's forward and backward pass: compilers generate no code for complex numbers."""
    block, x = practice.S4DBlock(4, modes=2), torch.randn(2, 6, 4)
    with Complex() as found:
        block(x).sum().backward()
    assert found.names == {"_fft_r2c", "mul", "sum", "view", "_fft_c2r"}  # the products of transforms, summed over the batch


def _linear(pairs):
    eigenvalues = practice.initial_eigenvalues(order=2 * pairs, kind="linear").to(torch.complex128)
    return (-eigenvalues.real).log(), eigenvalues.imag


# ---------------------------------------------------------------------------------------------------- the block


def block(width=6, **options):
    torch.manual_seed(0)
    return practice.S4DBlock(width, **options).double()


@pytest.mark.parametrize("kind", ["linear", "inverse", "legs"])
def test_a_sequence_at_once_is_its_steps(kind):
    """Trained as a convolution, sampled as a recurrence; on from the state that a first part leaves."""
    made, x = block(kind=kind), torch.randn(2, 40, 6).double()
    whole, state = made(x), made.start(2)
    for t in range(40):
        y, state = made.step(x[:, t], state)
        torch.testing.assert_close(y, whole[:, t], rtol=0, atol=1e-12)


def test_an_output_depends_on_its_past_alone():
    """Up to what an FFT rounds; on the whole of it."""
    made, x = block(), torch.randn(1, 20, 6).double()
    slopes = torch.autograd.functional.jacobian(lambda x: made(x)[0].sum(1), x)[:, 0].abs().amax(2)  # [output, input]
    assert slopes.triu(1).max() < 1e-14
    assert slopes[torch.ones(20, 20).tril().bool()].min() > 1e-6


def test_the_block_is_the_layer_between_projections():
    made, x = block(), torch.randn(2, 9, 6).double()
    normal = (x - x.mean(2, keepdim=True)) / (x.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    driven, gate = (normal @ made.expand.weight.T + made.expand.bias).split(12, dim=2)
    eigenvalues = torch.complex(-made.log_negative_real.exp(), made.imaginary)
    weights = torch.complex(made.output_real, made.output_imaginary)
    z = eigenvalues * made.log_step.exp()[:, None]
    kernel = 2 * (weights * torch.expm1(z) / eigenvalues * (z * torch.arange(9)[:, None, None]).exp()).real.sum(2)
    heard = torch.stack([(kernel[: t + 1].flip(0) * driven[:, : t + 1]).sum(1) for t in range(9)], 1) + driven
    wanted = x + (heard * gate * gate.sigmoid()) @ made.project.weight.T + made.project.bias
    torch.testing.assert_close(made(x), wanted, rtol=0, atol=1e-12)


def test_the_block_compiles_as_one_graph():
    made, x = block(), torch.randn(2, 9, 6).double()
    compiled = torch.compile(made, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), made(x))


def test_under_bfloat16_the_kernel_stays_in_float32():
    made, x = block().float(), torch.randn(2, 64, 6)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made(x)
        mixed.float().square().sum().backward()
    assert (mixed - made(x)).abs().max() < 0.05
    assert made.imaginary.grad.isfinite().all() and made.imaginary.grad.dtype == torch.float32


# ---------------------------------------------------------------------------------------------------- the language model


def test_bytes_one_by_one_have_the_logits_of_the_whole_text():
    """Of three blocks, beyond any length that was trained."""
    torch.manual_seed(0)
    made = practice.S4DDecoder(vocabulary_size=11, width=5, layers=3, modes=4).double()
    tokens = torch.randint(11, (2, 60))
    whole, states = made(tokens), made.start(2)
    for t in range(60):
        logits, states = made.step(tokens[:, t], states)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=1e-11)


def test_bits_are_those_of_the_conditionals():
    """Evaluated byte by byte from the state; an untrained model knows nothing of 256 bytes, which is 8 bits and a little."""
    recipe = dataclasses.replace(RECIPES["pydoc"], context=20, width=6, modes=2, layers=1)
    torch.manual_seed(0)
    experiment = build(recipe, None)
    windows = torch.randint(256, (5, 21), generator=torch.Generator().manual_seed(1))
    nats, states = 0.0, experiment.network.start(5)
    with torch.no_grad():
        for now, following in zip(windows.T[:-1], windows.T[1:], strict=True):
            logits, states = experiment.network.step(now, states)
            nats -= logits.log_softmax(-1).gather(1, following[:, None]).double().mean().item()
        bits = experiment.evaluate(Windows(windows))["bits_per_byte"]
    assert bits == pytest.approx(nats / 20 / math.log(2), rel=1e-5)
    assert 7.9 < bits < 8.6


class Windows:
    """Held-out data: all its windows in one tensor."""

    def __init__(self, windows):
        self.windows = windows

    def __len__(self):
        return len(self.windows)

    def batch(self, some):
        return {"tokens": self.windows[some]}


def test_a_sample_goes_on_beyond_a_window():
    """With logits that allow one byte alone after each, every text is the alphabet, four times as long as a window."""
    experiment = build(dataclasses.replace(RECIPES["pydoc"], context=4, width=4, modes=1, layers=1), None)
    experiment.generator = torch.Generator().manual_seed(0)
    following = torch.full((256,), ord("a"))
    following[ord("a") : ord("z")] = torch.arange(ord("b"), ord("z") + 1)
    experiment.network.step = lambda tokens, states: (1e4 * functional.one_hot(following[tokens], 256), states)
    assert experiment.sample(2)["text"].text == "\n\n".join(["abcdefghijklmnop"] * 2)
