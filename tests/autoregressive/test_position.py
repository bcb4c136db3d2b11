"""Positions against transformers' own, and in the attention that they are for."""

import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import causal_mask, scaled_dot_product_attention
from practice_torch.autoregressive.position import (
    add_learned_positions,
    alibi_bias,
    alibi_slopes,
    apply_rotary,
    relative_position_bucket,
    rotary_angles,
    sinusoidal_positions,
)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_halves_are_llamas_rotation():
    llama = pytest.importorskip("transformers.models.llama.modeling_llama")
    query, key, angles = draw(2, 3, 5, 8), draw(2, 3, 5, 8, seed=1), draw(5, 4, seed=2)
    both = torch.cat((angles, angles), -1)[None]
    wanted = llama.apply_rotary_pos_emb(query, key, both.cos(), both.sin())
    ours = [apply_rotary(x, angles, layout="half") for x in (query, key)]
    torch.testing.assert_close(torch.stack(ours), torch.stack(wanted), rtol=1e-12, atol=1e-13)


def test_buckets_are_t5s():
    peer = pytest.importorskip("transformers.models.t5.modeling_t5").T5Attention
    distance = torch.arange(-200, 3000)
    for sizes in ((32, 128), (32, 256), (8, 40)):
        buckets, maximum = sizes
        wanted = peer._relative_position_bucket(-distance, bidirectional=False, num_buckets=buckets, max_distance=maximum)
        assert torch.equal(relative_position_bucket(distance, buckets=buckets, maximum_distance=maximum), wanted), sizes


@pytest.mark.parametrize("heads", [1, 6, 8, 12, 20])
def test_slopes_are_blooms(heads):
    peer = pytest.importorskip("transformers.models.bloom.modeling_bloom")
    wanted = peer.build_alibi_tensor(torch.ones(1, 3), heads, torch.float32)[:, 0]  # m j, for the keys j
    torch.testing.assert_close(alibi_slopes(heads=heads)[:, None] * torch.arange(3), wanted, rtol=1e-5, atol=0.0)


def test_alibi_is_a_bias_for_torchs_fused_attention():
    """Keys that are scored by their place alone: the fused kernel with the bias, and the ramp in the keys themselves."""
    query, key, value = (draw(2, 3, 5, 6, seed=seed) for seed in range(3))
    bias = alibi_bias(heads=3, query_length=5, key_length=5).double()
    fused = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(2, -1, -1, -1))
    # m j as one more feature of the keys, which every query reads with weight one
    ramp = alibi_slopes(heads=3).double()[:, None, None] * torch.arange(5.0)[:, None]
    wide_key = torch.cat((key, ramp.expand(2, -1, -1, -1)), -1)
    wide_query = torch.cat((query * 6**-0.5, torch.ones(2, 3, 5, 1)), -1)
    mask = causal_mask(query_length=5, key_length=5)
    ours = scaled_dot_product_attention(wide_query, wide_key, value, mask, scale=1.0)
    torch.testing.assert_close(fused, ours, rtol=1e-6, atol=1e-7)  # slopes are float32


@pytest.mark.parametrize("layout", ["interleaved", "half"])
def test_keys_are_rotated_once_and_cached(layout):
    """Token by token with cached keys is all at once; keys rotated again with every token are not."""
    query, key, value = (draw(1, 2, 5, 6, seed=seed) for seed in range(3))
    angles = rotary_angles(torch.arange(5), head_width=6).double()
    turned = [apply_rotary(x, angles, layout=layout) for x in (query, key)]
    whole = scaled_dot_product_attention(*turned, value, causal_mask(query_length=5, key_length=5))

    def step_by_step(again):
        cache, outputs = query[:, :, :0], []
        for t in range(5):
            here = angles[t : t + 1]
            if again:
                cache = apply_rotary(cache, here.expand(t, -1), layout=layout)
            cache = torch.cat((cache, apply_rotary(key[:, :, t : t + 1], here, layout=layout)), 2)
            asked = apply_rotary(query[:, :, t : t + 1], here, layout=layout)
            outputs.append(scaled_dot_product_attention(asked, cache, value[:, :, : t + 1], None))
        return torch.cat(outputs, 2)

    torch.testing.assert_close(step_by_step(again=False), whole, rtol=1e-12, atol=1e-12)
    assert (step_by_step(again=True) - whole).abs().max() > 0.01


def test_float32_angles_lose_nothing_but_their_own_rounding():
    """At position 100,000: the sinusoids are right to float32's last digits, since their angles are not float32."""
    far = torch.tensor([100_000, 1_000_003])
    single = sinusoidal_positions(far, width=16)
    angles = far.double()[:, None] * 10000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single[:, 0::2].double(), angles.sin(), rtol=0.0, atol=6e-8)
    torch.testing.assert_close(rotary_angles(far, head_width=16).double(), angles, rtol=6e-8, atol=0.0)
    assert (angles.float().sin() - angles.sin()).abs().max() > 1e-3  # what rounded angles would have given


def test_half_precision_stays_half_precision():
    x, angles = draw(2, 3, 5, 8), rotary_angles(torch.arange(5) + 1000, head_width=8)
    turned = apply_rotary(x.bfloat16(), angles, layout="half")
    assert turned.dtype == torch.bfloat16
    wanted = apply_rotary(x.bfloat16().double(), angles.double(), layout="half")
    torch.testing.assert_close(turned.double(), wanted, rtol=0.02, atol=0.03)  # angles in bfloat16 would be off by 2 radians


def test_learned_positions_are_torchs_embedding():
    x, embedding = draw(2, 3, 8), torch.nn.Embedding(6, 8, dtype=torch.float64)
    ours = add_learned_positions(x, embedding.weight, offset=2)
    assert torch.equal(ours, x + embedding(torch.tensor([2, 3, 4])))
