"""Online softmax against SciPy's and torch's own, beyond one block, in half precision, and in the memory that it takes."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from practice_torch.autoregressive.online_softmax import (
    BACKWARD_BLOCK,
    BlockwiseAttention,
    attention_backward,
    blockwise_attention,
    streaming_logsumexp,
)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def query_key_value(queries, keys, width=8):
    sizes = (queries, width), (keys, width), (keys, 5)
    return [draw(2, 3, *size, seed=seed).requires_grad_() for seed, size in enumerate(sizes)]


def fused(query, key, value, causal):
    """torch's kernel, with a mask in which both sequences end at once."""
    mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril(key.shape[2] - query.shape[2]) if causal else None
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@pytest.mark.parametrize("block_size", [1, 4, 100])
def test_streaming_logsumexp_is_scipys(block_size):
    x = 300 * draw(6, 37)
    x[2, 5:9], x[3] = -torch.inf, -torch.inf
    with np.errstate(divide="ignore"):
        wanted = logsumexp(x.numpy(), axis=1)
    np.testing.assert_allclose(streaming_logsumexp(x, block_size=block_size).numpy(), wanted, rtol=1e-13)


@pytest.mark.parametrize(("queries", "keys", "causal"), [(300, 300, True), (150, 300, True), (20, 300, False), (300, 20, False)])
def test_many_blocks_are_torchs_attention_forward_and_backward(queries, keys, causal):
    """More than one block of keys, forward and backward, of which some are in the future of the first queries."""
    given = query_key_value(queries, keys)
    wanted = fused(*given, causal)
    upstream = draw(*wanted.shape, seed=9)
    gradients = torch.autograd.grad(wanted, given, upstream)
    assert causal is False or keys > BACKWARD_BLOCK
    for block_size in (7, 64, 400):
        output, log_normalizer = blockwise_attention(*given, block_size=block_size, causal=causal)
        torch.testing.assert_close(output, wanted, rtol=1e-12, atol=1e-13)
    ours = attention_backward(*given, output, log_normalizer, upstream, causal=causal)
    for name, mine, theirs in zip(("query", "key", "value"), ours, gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-13, msg=lambda text, name=name: f"{name}: {text}")


def test_the_function_with_its_own_backward_pass_has_the_gradient():
    given = query_key_value(3, 5, width=4)
    assert torch.autograd.gradcheck(lambda *given: BlockwiseAttention.apply(*given, 2, True), given)
    compiled = torch.compile(lambda *given: BlockwiseAttention.apply(*given, 2, True), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given), BlockwiseAttention.apply(*given, 2, True))


def peak_bytes(function):
    """The most memory that torch held at one time for what the function made."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        function()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return held.max()


def test_memory_grows_with_the_length_and_not_with_its_square():
    """Four times the tokens: four times the memory. Through autograd's own tape, which keeps every block, it is 14 times."""

    def trained(length, attend):
        given = [draw(1, 1, length, 32, seed=seed).float().requires_grad_() for seed in range(3)]
        return peak_bytes(lambda: attend(*given).sum().backward())

    def ours(*given):
        return BlockwiseAttention.apply(*given, 64, True)

    def taped(*given):
        return blockwise_attention(*given, block_size=64, causal=True)[0]

    growth = {attend.__name__: trained(4096, attend) / trained(1024, attend) for attend in (ours, taped)}
    assert 3.9 < growth["ours"] < 4.2
    assert growth["taped"] > 12


def test_half_precision_keeps_its_sums_in_single():
    """As near to the float32 result as torch's fused kernel comes, within a factor of two; L is float32."""
    exact = [draw(1, 2, 1024, 64, seed=seed).float() for seed in range(3)]
    half = [tensor.bfloat16() for tensor in exact]
    wanted = functional.scaled_dot_product_attention(*exact, is_causal=True)
    output, log_normalizer = blockwise_attention(*half, block_size=128, causal=True)
    assert (output.dtype, log_normalizer.dtype) == (torch.bfloat16, torch.float32)
    kernel = functional.scaled_dot_product_attention(*half, is_causal=True)
    ours, theirs = ((result.float() - wanted).norm() / wanted.norm() for result in (output, kernel))
    assert ours < 2 * theirs < 0.01
    assert (output.float() - wanted).abs().mean() < 1e-3
