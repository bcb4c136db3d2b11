"""Log-probabilities and entropies without a table of logits, held to those with it."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from practice_torch.networks import linear_cross_entropy as module
from practice_torch.networks.linear_cross_entropy import linear_log_probs

ROWS, VOCABULARY, PADDED = 16, 37, 40


@pytest.fixture(autouse=True)
def blocks_of_16_rows(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 2)
    monkeypatch.setattr(module, "MULTIPLE", ROWS // 2)
    monkeypatch.setitem(module.LOGITS, "cpu", (ROWS + 3) * PADDED)


def given(tokens, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    hidden = scale * torch.randn(2, tokens, 5, generator=generator, dtype=dtype)
    weight = torch.randn(PADDED, 5, generator=generator, dtype=dtype)
    targets = torch.randint(VOCABULARY, (2, tokens), generator=generator)
    return hidden.requires_grad_(), weight.requires_grad_(), targets


def plain(hidden, weight, targets):
    log_probs = functional.linear(hidden, weight[:VOCABULARY]).log_softmax(-1)
    return log_probs.gather(-1, targets[..., None])[..., 0], torch.special.entr(log_probs.exp()).sum(-1)


@pytest.mark.parametrize("large", [2, 4096], ids=["blocks", "table"])
@pytest.mark.parametrize("tokens", [1, 7, ROWS // 2, ROWS + 3])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_values_and_gradients_are_those_of_the_table(tokens, scale, large, monkeypatch):
    """With another upstream for every token, of both results and of each alone."""
    monkeypatch.setattr(module, "LARGE", large)
    hidden, weight, targets = given(tokens, scale=scale)
    ours, wanted = linear_log_probs(hidden, weight, targets, size=VOCABULARY), plain(hidden, weight, targets)
    assert torch.equal(ours.likeliest, functional.linear(hidden, weight[:VOCABULARY]).argmax(-1) == targets)
    ours = ours[:2]
    upstream = torch.randn(2, 2, tokens, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for got, one in zip(ours, wanted, strict=True):
        assert got.shape == targets.shape
        torch.testing.assert_close(got, one, rtol=1e-11, atol=1e-11)
    for ups in ((upstream[0], upstream[1]), (upstream[0], 0 * upstream[1]), (0 * upstream[0], upstream[1])):
        gradients = [torch.autograd.grad(results, (hidden, weight), ups, retain_graph=True) for results in (ours, wanted)]
        for got, one in zip(*gradients, strict=True):
            torch.testing.assert_close(got, one, rtol=1e-9, atol=1e-10 * scale)
    assert bool((torch.autograd.grad(ours[0].sum(), weight)[0][VOCABULARY:] == 0).all())


def test_a_frozen_head_and_frozen_states():
    hidden, weight, targets = given(9)
    both = torch.autograd.grad(linear_log_probs(hidden, weight, targets)[0].sum(), (hidden, weight))
    alone = (
        torch.autograd.grad(linear_log_probs(hidden, weight.detach(), targets)[0].sum(), hidden),
        torch.autograd.grad(linear_log_probs(hidden.detach(), weight, targets)[0].sum(), weight),
    )
    for got, (wanted,) in zip(both, alone, strict=True):
        assert torch.equal(got, wanted)
    with torch.no_grad():
        assert not linear_log_probs(hidden, weight, targets)[0].requires_grad


def test_under_autocast_results_are_float32_and_gradients_within_its_rounding():
    """Four roundings are 1.2 units in the mean square if each is up to one."""
    hidden, weight, targets = given(400, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ours = linear_log_probs(hidden, weight, targets, size=VOCABULARY)[:2]
    assert {one.dtype for one in ours} == {torch.float32}
    wanted, unit = plain(hidden, weight, targets), torch.finfo(torch.bfloat16).eps / 2
    gradients = [torch.autograd.grad((results[0].sum(), results[1].mean()), (hidden, weight)) for results in (ours, wanted)]
    for got, one in zip((*ours, *gradients[0]), (*wanted, *gradients[1]), strict=True):
        assert got.dtype == torch.float32
        assert (got - one).norm() < 2 * unit * one.norm()


def test_it_never_holds_all_logits():
    """The largest tensor made is a block of logits, in the forward and in the backward pass."""
    hidden, weight, targets = given(2 * ROWS)
    largest = 0

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    with Sizes():
        linear_log_probs(hidden, weight, targets)[0].sum().backward()
    assert largest == ROWS * PADDED
