"""Cross-entropy without a table of logits, held to the one with it."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from practice_torch.networks import linear_cross_entropy as module
from practice_torch.networks.linear_cross_entropy import linear_cross_entropy

ROWS = 16


@pytest.fixture(autouse=True)
def blocks_of_16_rows(monkeypatch):
    monkeypatch.setattr(module, "MULTIPLE", ROWS // 2)
    monkeypatch.setitem(module.LOGITS, "cpu", (ROWS + 3) * 37)


def given(tokens, dtype=torch.float64, vocabulary=37, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    hidden = scale * torch.randn(tokens, 5, generator=generator, dtype=dtype)
    weight = torch.randn(vocabulary, 5, generator=generator, dtype=dtype)
    targets = torch.randint(vocabulary, (tokens,), generator=generator)
    return hidden.requires_grad_(), weight.requires_grad_(), targets


@pytest.mark.parametrize("tokens", [1, 7, ROWS, 2 * ROWS + 3])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_value_and_gradients_are_those_of_the_full_table(tokens, scale):
    hidden, weight, targets = given(tokens, scale=scale)
    full = functional.cross_entropy(hidden @ weight.T, targets)
    ours = linear_cross_entropy(hidden, weight, targets)
    torch.testing.assert_close(ours, full, rtol=1e-12, atol=1e-13)
    for got, wanted in zip(
        torch.autograd.grad(3 * ours, (hidden, weight)), torch.autograd.grad(3 * full, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-11 * scale)


def test_without_gradients_none_are_computed():
    hidden, weight, targets = given(9)
    with torch.no_grad():
        torch.testing.assert_close(
            linear_cross_entropy(hidden, weight, targets), functional.cross_entropy(hidden @ weight.T, targets)
        )


def test_a_second_backward_pass_is_refused():
    hidden, weight, targets = given(9)
    loss = linear_cross_entropy(hidden, weight, targets)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="differentiated only once"):
        loss.backward()


def test_under_autocast_the_loss_is_float32_and_close():
    hidden, weight, targets = given(300, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ours = linear_cross_entropy(hidden, weight, targets)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, functional.cross_entropy(hidden @ weight.T, targets), rtol=1e-2, atol=0)
    ours.backward()
    assert hidden.grad.dtype == weight.grad.dtype == torch.float32


class Products(TorchDispatchMode):
    """Records the dtypes that enter each matrix product."""

    def __init__(self):
        super().__init__()
        self.dtypes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "mm" in function.overloadpacket.__name__:
            self.dtypes.append({factor.dtype for factor in args[-2:]})
        return function(*args, **(kwargs or {}))


def test_under_autocast_every_product_has_its_precision():
    hidden, weight, targets = given(2 * ROWS, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16), Products() as products:
        linear_cross_entropy(hidden, weight, targets).backward()
    assert products.dtypes == 2 * 3 * [{torch.bfloat16}], "logits and two gradients, for each of two blocks"


def test_under_autocast_the_gradients_are_within_its_rounding():
    """Four roundings (of both factors, the residual and the product) are 1.2 units in the mean square if each is up to one.

    The float32 sum over 63 blocks adds nothing; a bfloat16 sum of them was 3 units off.
    """
    hidden, weight, targets = given(1000, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ours = linear_cross_entropy(hidden, weight, targets)
    full = functional.cross_entropy(hidden @ weight.T, targets)
    unit = torch.finfo(torch.bfloat16).eps / 2
    gradients = (torch.autograd.grad(loss, (hidden, weight)) for loss in (ours, full))
    for name, got, wanted in zip(("hidden", "weight"), *gradients, strict=True):
        error = (got - wanted).norm() / wanted.norm()
        assert error < 2 * unit, f"{name}: {error:.2g}"


def test_it_never_holds_all_logits():
    """The largest tensor made is a block of logits."""
    hidden, weight, targets = given(4 * ROWS)
    largest = 0

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    with Sizes():
        linear_cross_entropy(hidden, weight, targets).backward()
    assert largest == ROWS * 37
