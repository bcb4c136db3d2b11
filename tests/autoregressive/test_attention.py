"""Attention against torch's and JAX's own, and the module against the function that it runs fast."""

import jax
import numpy as np
import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import (
    MultiHeadAttention,
    causal_mask,
    causal_padding_mask,
    multi_head_attention,
    scaled_dot_product_attention,
)
from theory_jax.autoregressive import attention as theory


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def query_key_value(queries=4, keys=4):
    return draw(2, 3, queries, 6), draw(2, 3, keys, 6, seed=1), draw(2, 3, keys, 5, seed=2)


def test_it_is_torchs_fused_attention():
    given = query_key_value(3, 5)
    mask = torch.rand(2, 1, 3, 5, generator=torch.Generator().manual_seed(3)) < 0.6
    mask[..., 0] = True
    wanted = functional.scaled_dot_product_attention(*given, attn_mask=mask, scale=0.2)
    torch.testing.assert_close(scaled_dot_product_attention(*given, mask, scale=0.2), wanted, rtol=1e-12, atol=1e-13)


def test_torchs_is_causal_is_our_mask_where_both_lengths_are_equal():
    given = query_key_value()
    wanted = functional.scaled_dot_product_attention(*given, is_causal=True)
    ours = scaled_dot_product_attention(*given, causal_mask(query_length=4, key_length=4))
    torch.testing.assert_close(ours, wanted, rtol=1e-12, atol=1e-13)


def test_it_is_torchs_multi_head_module():
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(6, 2, bias=False, batch_first=True, dtype=torch.float64)
    x, context = draw(2, 3, 6), draw(2, 5, 6, seed=1)
    weights = (*module.in_proj_weight.chunk(3), module.out_proj.weight)
    ours = multi_head_attention(x, context, *weights, None, heads=2, key_value_heads=2)
    torch.testing.assert_close(ours, module(x, context, context, need_weights=False)[0], rtol=1e-12, atol=1e-13)


def test_the_theory_is_jaxs_own():
    query, key, value = (part.numpy() for part in query_key_value(3, 5))
    swapped = (np.swapaxes(part, 1, 2) for part in (query, key, np.concatenate([value, value[..., :1]], -1)))
    wanted = np.swapaxes(jax.nn.dot_product_attention(*swapped), 1, 2)[..., :5]
    ours = theory.scaled_dot_product_attention(query, key, value, None)
    np.testing.assert_allclose(ours, wanted, rtol=1e-5)  # JAX's own computes its softmax in float32


@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
def test_the_module_is_the_function(key_value_heads):
    torch.manual_seed(0)
    module = MultiHeadAttention(width=8, heads=4, key_value_heads=key_value_heads, context_width=5).double()
    x, context = draw(2, 3, 8), draw(2, 6, 5, seed=1)
    mask = torch.ones(3, 6, dtype=torch.bool).tril(2)
    weights = [layer.weight for layer in (module.query, module.key, module.value, module.output)]
    wanted = multi_head_attention(x, context, *weights, mask, heads=4, key_value_heads=key_value_heads)
    torch.testing.assert_close(module(x, context, mask), wanted, rtol=1e-12, atol=1e-13)


def test_the_modules_causal_flag_is_the_causal_mask():
    torch.manual_seed(0)
    module, x = MultiHeadAttention(width=8, heads=2).double(), draw(2, 5, 8)
    masked = module(x, mask=causal_mask(query_length=5, key_length=5))
    torch.testing.assert_close(module(x, is_causal=True), masked, rtol=1e-12, atol=1e-13)


def test_the_module_compiles_as_one_graph():
    module, x = MultiHeadAttention(width=8, heads=2).double(), draw(2, 5, 8)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, is_causal=True), module(x, is_causal=True))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    module, x = MultiHeadAttention(width=8, heads=2, dropout=0.5).double(), draw(2, 5, 8)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


@pytest.mark.parametrize(("sizes", "blamed"), [({"heads": 3}, "width"), ({"heads": 4, "key_value_heads": 3}, "heads")])
def test_the_module_refuses_heads_that_do_not_divide(sizes, blamed):
    with pytest.raises(ValueError, match=f"^{blamed} is"):
        MultiHeadAttention(width=8, **sizes)


def test_padding_changes_nothing_for_the_tokens_before_it():
    """A batch padded at its end gives every valid token what it gets alone."""
    x, weights = draw(1, 5, 6), [draw(6, 6, seed=seed) for seed in range(4)]
    mask = causal_padding_mask(torch.tensor([[True, True, True, False, False]]))
    heads = {"heads": 2, "key_value_heads": 2}
    padded = multi_head_attention(x, x, *weights, mask, **heads)[:, :3]
    alone = multi_head_attention(x[:, :3], x[:, :3], *weights, causal_mask(query_length=3, key_length=3), **heads)
    torch.testing.assert_close(padded, alone, rtol=1e-12, atol=1e-13)
    assert bool(causal_padding_mask(torch.zeros(2, 3, dtype=torch.bool)).any(-1).all())
