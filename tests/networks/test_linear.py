"""The affine map of a few rows, held to torch's own."""

import pytest
import torch
from torch.nn import functional

from practice_torch.networks import linear as module
from practice_torch.networks.linear import Linear


@pytest.mark.parametrize("shape", [(5,), (1, 5), (1, 1, 5), (2, 1, 5), (1, 2, 5), (4, 5), (5, 5), (0, 5)])
@pytest.mark.parametrize("outputs", [module.BLOCK, 3 * module.BLOCK, 70])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_torchs(shape, outputs, bias):
    torch.manual_seed(0)
    layer = Linear(5, outputs, bias=bias).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    inputs = [x, *layer.parameters()]
    ours, theirs = layer(x), functional.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-14)
    upstream = torch.randn_like(theirs)
    for got, wanted in zip(
        torch.autograd.grad(ours, inputs, upstream), torch.autograd.grad(theirs, inputs, upstream), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-14)


def test_few_rows_are_a_batch_of_blocks_and_many_are_one_product():
    layer = Linear(5, 2 * module.BLOCK)

    def called(rows):
        with torch.profiler.profile() as profile:
            layer(torch.ones(rows, 5))
        return {event.key for event in profile.key_averages()} & {"aten::bmm", "aten::linear"}

    assert called(module.FEW) == {"aten::bmm"}
    assert called(module.FEW + 1) == {"aten::linear"}
