"""Mamba's mixer compared with transformers, and tests beyond rows: segments of the scan, memory, precisions, generation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from practice_torch.state_space import _selective_scan as segmented
from practice_torch.state_space import selective as practice


def scan_arguments(batch, steps, channels, states, seed=0):
    """Arguments of selective_scan in float64, steps between 0.01 and 1."""
    rng = np.random.default_rng(seed)
    shapes = [(batch, steps, channels)] * 2 + [(batch, steps, states)] * 2
    u, _, b, c = (torch.tensor(rng.normal(size=shape)) for shape in shapes)
    step = torch.tensor(np.exp(rng.uniform(np.log(0.01), 0.0, shapes[0])))
    initial, a = torch.tensor(rng.normal(size=(batch, channels, states))), -torch.tensor(rng.uniform(0.1, 4, (channels, states)))
    return u, step, b, c, initial, a, torch.tensor(rng.normal(size=channels))


def stepped(inputs, step, b, c, state, a, skip):
    """selective_step, token after token: what autograd differentiates by itself."""
    outputs = []
    for now in zip(inputs.unbind(1), step.unbind(1), b.unbind(1), c.unbind(1), strict=True):
        y, state = practice.selective_step(*now, state, a, skip)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def results_and_gradients(scan, arguments):
    """Outputs, the last state, and all gradients of a fixed combination of both."""
    arguments = [argument.clone().requires_grad_() for argument in arguments]
    outputs, last = scan(*arguments)
    weights = torch.linspace(-1, 2, outputs.numel()).view_as(outputs), torch.linspace(2, -1, last.numel()).view_as(last)
    loss = (outputs * weights[0]).sum() + (last * weights[1]).sum()
    return outputs, last, *torch.autograd.grad(loss, arguments)


def test_the_mixer_is_that_of_transformers():
    mamba = pytest.importorskip("transformers.models.mamba.modeling_mamba")
    configuration = pytest.importorskip("transformers").MambaConfig(
        hidden_size=6, state_size=3, expand=2, conv_kernel=4, time_step_rank=2, num_hidden_layers=1, vocab_size=8
    )
    torch.manual_seed(0)
    theirs = mamba.MambaMixer(configuration, layer_idx=0).double().eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    parameters = {
        "input_weight": theirs.in_proj.weight,
        "convolution_weight": theirs.conv1d.weight[:, 0],
        "convolution_bias": theirs.conv1d.bias,
        "projection_weight": theirs.x_proj.weight,
        "step_weight": theirs.dt_proj.weight,
        "step_bias": theirs.dt_proj.bias,
        "log_negative_a": theirs.A_log,
        "skip": theirs.D,
        "output_weight": theirs.out_proj.weight,
    }
    x = torch.randn(2, 11, 6, dtype=torch.float64)
    # they compute the decays and the steps in float32
    torch.testing.assert_close(practice.mamba_mixer(x, parameters), theirs(x), rtol=0, atol=2e-6)


@pytest.mark.peers("mambapy")
def test_the_scan_is_that_of_mambapy():
    from mambapy.mamba import MambaBlock

    u, step, b, c, _, a, skip = scan_arguments(2, 9, 3, 4)
    ours, _ = practice.selective_scan(u, step, b, c, torch.zeros(2, 3, 4).double(), a, skip)
    sizes = SimpleNamespace(config=SimpleNamespace(d_inner=3, d_state=4))
    theirs = MambaBlock.selective_scan_seq(sizes, u, step, a, b, c, skip)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 5, 16, 37])
@pytest.mark.parametrize("width, segment", [(1, 1), (1, 64), (2**14, 64), (2**14, 2**17)])
def test_segments_and_blocks_of_every_size_change_nothing(monkeypatch, steps, width, segment):
    """From one step a segment to one segment for all, from one block to several, with steps of size zero at the end."""
    monkeypatch.setattr(segmented, "CPU", (width, segment))
    arguments = scan_arguments(2, steps, 3, 2, seed=steps)
    ours, wanted = (results_and_gradients(scan, arguments) for scan in (practice.selective_scan, stepped))
    for got, want in zip(ours, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-11)


def test_sizes_fill_an_operation_and_fit_a_cache():
    assert segmented.sizes(2048, torch.empty(1, 64, 16)) == (16, 8)
    assert segmented.sizes(96, torch.empty(16, 192, 8)) == (1, 4)
    assert segmented.sizes(1, torch.empty(1, 1, 1)) == (1, 1)
    assert segmented.sizes(2048, torch.empty(1, 64, 16, device="meta")) == (32, 64)


def test_nothing_of_the_size_of_all_states_is_kept_for_the_backward_pass():
    arguments = [argument.float().requires_grad_() for argument in scan_arguments(2, 512, 16, 16)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda tensor: tensor):
        practice.selective_scan(*arguments)
    states = 2 * 512 * 16 * 16
    assert sum(kept) < states / 2
    loop = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: loop.append(tensor.numel()) or tensor, lambda tensor: tensor):
        stepped(*arguments)
    assert sum(loop) > 2 * states


def test_the_last_states_gradient_does_not_need_outputs():
    arguments = scan_arguments(2, 9, 3, 2)
    found = []
    for scan in (practice.selective_scan, stepped):
        initial = arguments[4].clone().requires_grad_()
        _, last = scan(*arguments[:4], initial, *arguments[5:])
        found.append(torch.autograd.grad(last.sum(), initial)[0])
    torch.testing.assert_close(*found, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_half_precision_the_states_are_float32(dtype):
    arguments = [argument.to(dtype) for argument in scan_arguments(2, 200, 3, 4)]
    exact, exact_last = practice.selective_scan(*(argument.double() for argument in arguments))
    outputs, last = practice.selective_scan(*arguments)
    assert outputs.dtype == dtype and last.dtype == torch.float32
    torch.testing.assert_close(last.double(), exact_last, rtol=0, atol=1e-5 * float(exact_last.abs().max()))
    torch.testing.assert_close(outputs.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-5)


def test_a_network_trains_under_autocast_as_without_it():
    """The scan's states stay float32, and so do the gradients that pass through them."""
    torch.manual_seed(0)
    network = practice.MambaDecoder(vocabulary_size=11, width=8, layers=2, states=3, tied=True)
    tokens, found = torch.randint(11, (2, 10)), []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = network(tokens[:, :-1], targets=tokens[:, 1:])
        found.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(network.parameters()))]))
    assert float((found[1] - found[0]).norm()) < 0.02 * float(found[0].norm())


def test_targets_of_a_head_of_its_own_are_refused():
    tokens = torch.zeros(1, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="targets are given; the head must be tied"):
        practice.MambaDecoder(vocabulary_size=3, width=2, layers=1)(tokens, targets=tokens)


def block(**sizes):
    torch.manual_seed(0)
    return practice.MambaBlock(width=6, states=3, **sizes).double()


@pytest.mark.parametrize("taps", [1, 4])
def test_a_block_generates_what_it_was_trained_on(taps):
    """One token after the other, from the last inputs of the convolution and the state, gives the outputs of the whole pass."""
    network, x = block(taps=taps), torch.randn(2, 9, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    memory, outputs = network.start(2), []
    for now in x.unbind(1):
        y, *memory = network.advance(now, *memory)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), network(x), rtol=0, atol=1e-13)


def test_bytes_one_by_one_have_the_logits_of_the_whole_text():
    """Of three blocks, at the same cost for every byte."""
    torch.manual_seed(0)
    made = practice.MambaDecoder(vocabulary_size=11, width=5, layers=3, states=4, taps=3).double()
    tokens = torch.randint(11, (2, 40))
    whole, states = made(tokens), made.start(2)
    for t in range(40):
        logits, states = made.step(tokens[:, t], states)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=1e-12)


def test_steps_begin_between_a_thousandth_and_a_tenth():
    bias = practice.MambaBlock(width=32).step.bias
    steps = torch.nn.functional.softplus(bias.double())
    torch.testing.assert_close(steps[[0, -1]], torch.tensor([1e-3, 1e-1]).double(), rtol=1e-6, atol=0)
    assert (steps.diff() > 0).all()


@pytest.mark.parametrize("size", ["width", "expand", "states", "taps", "rank"])
def test_sizes_of_a_block_are_positive(size):
    with pytest.raises(ValueError, match=rf"^{size} is 0; it must be at least 1$"):
        practice.MambaBlock(**({"width": 4} | {size: 0}))


def test_a_selective_state_stores_the_marked_token_and_ignores_the_others():
    """A step of zero for every token but the marked one: no linear time-invariant system can do this."""
    inputs = torch.randn(3, 40, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    marked = torch.tensor([4, 17, 39])
    step = torch.nn.functional.one_hot(marked, 40).double().unsqueeze(2)
    ones = torch.ones(3, 40, 1).double()
    _, last = practice.selective_scan(inputs, step, ones, ones, ones[:, :1] * 7, -50 * torch.ones(1, 1).double(), torch.zeros(1))
    torch.testing.assert_close(last[:, 0, 0], inputs[torch.arange(3), marked, 0], rtol=0, atol=1e-13)
