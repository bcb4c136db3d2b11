"""Linear recurrences compared with SciPy and autograd, and tests beyond rows: rounds, lengths, and products that vanish."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from practice_torch.state_space import parallel_scan as practice

FORMS = (practice.recurrence_sequential, practice.recurrence_parallel)


def sequences(*shape, seed=0):
    """Inputs and decays [B, T, N], initial states [B, N]."""
    rng = np.random.default_rng(seed)
    arrays = rng.normal(size=shape), rng.uniform(-1, 1, shape), rng.normal(size=(shape[0], shape[2]))
    return tuple(map(torch.tensor, arrays))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("decay", [0.9, -0.5, 1.0, 0.0])
def test_constant_decay_is_a_recursive_filter_of_scipy(form, decay):
    inputs, _, initial = sequences(2, 50, 3)
    states = form(inputs, torch.full_like(inputs, decay), initial)
    wanted, _ = scipy.signal.lfilter([1.0], [1.0, -decay], inputs, axis=1, zi=decay * initial[:, None].numpy())
    np.testing.assert_allclose(states, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 8, 9, 16, 17, 31])
def test_the_scan_is_the_loop_at_every_length(steps):
    arrays = sequences(2, steps, 3, seed=steps)
    loop, scan = (form(*arrays) for form in FORMS)
    torch.testing.assert_close(scan, loop, rtol=0, atol=1e-12)


class Combinations(TorchDispatchMode):
    """Numbers of entries and of fused products and sums."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.addcmul.default:
            self.sizes.append(args[0].shape[1])
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("steps, rounds", [(1, 0), (2, 1), (13, 4), (16, 4), (17, 5)])
def test_doubling_takes_the_logarithm_of_the_length_in_rounds(steps, rounds):
    with Combinations() as seen:
        practice.recurrence_parallel(*sequences(1, steps, 2))
    assert seen.sizes == [1, *(steps - 2**past for past in range(rounds))]  # the first is x_1, from x_0
    assert rounds == math.ceil(math.log2(steps))


@pytest.mark.parametrize("form", FORMS)
def test_backward_is_what_autograd_finds(form):
    arrays = [array.requires_grad_() for array in sequences(2, 13, 3)]
    states = form(*arrays)
    upstream = torch.randn(2, 13, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = torch.autograd.grad(states, arrays, upstream)
    ours = practice.recurrence_backward(upstream, states.detach(), arrays[1].detach(), arrays[2].detach())
    for slope, wanted in zip(ours, found, strict=True):
        torch.testing.assert_close(slope, wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_decays_with_a_vanishing_product_leave_the_states_exact(form):
    """0.5^2000 is zero in float64: a quotient of cumulative products would be 0/0 where the state is nearly 2."""
    ones = torch.ones(1, 2000, 1, dtype=torch.float64)
    states = form(ones, ones / 2, torch.zeros(1, 1).double())
    assert (ones / 2).cumprod(1)[0, -1] == 0
    torch.testing.assert_close(states[0, :, 0], 2 - 0.5 ** torch.arange(2000).double(), rtol=1e-15, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_float32_loses_no_more_than_a_roundoff_a_step(form):
    inputs, decay, initial = sequences(2, 1000, 3)
    exact = practice.recurrence_sequential(inputs, decay.sign(), initial)  # |a| = 1: no rounding is ever forgotten
    error = form(inputs.float(), decay.sign().float(), initial.float()) - exact
    assert error.abs().max() < 1000 * 2**-24 * exact.abs().max()
