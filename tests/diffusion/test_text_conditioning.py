"""Attention to a caption's words compared with torch, and the gain of a regression from a caption."""

import numpy as np
import torch
from torch import nn

from practice_torch.diffusion import text_conditioning as practice

GENERATOR = torch.Generator().manual_seed(36)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_it_is_torchs_multi_head_attention_without_biases():
    attention = nn.MultiheadAttention(6, 3, bias=False, kdim=4, vdim=4, batch_first=True, dtype=torch.float64)
    tokens, context = draw(2, 5, 6), draw(2, 3, 4)
    mask = torch.tensor([[True, True, False], [False, True, True]])
    wanted, _ = attention(tokens, context, context, key_padding_mask=~mask)
    weights = attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight, attention.out_proj.weight
    torch.testing.assert_close(practice.cross_attention(tokens, context, mask, *weights, num_heads=3), wanted)


def test_pixels_keep_their_place_through_a_convolution_by_tokens():
    """A linear map of the tokens is a convolution of kernel 1."""
    images, weight = draw(2, 3, 4, 5), draw(6, 3)
    by_tokens = practice.tokens_to_image(practice.image_to_tokens(images) @ weight.T, height=4, width=5)
    torch.testing.assert_close(by_tokens, torch.nn.functional.conv2d(images, weight[:, :, None, None]))


def test_a_caption_lowers_the_loss_by_the_distance_of_the_predictions():
    """The example of the lecture, drawn: a fair coin, and a caption that names it rightly in four of five cases."""
    coin = torch.rand(200_000, generator=GENERATOR) < 0.5
    right = torch.rand(200_000, generator=GENERATOR) < 0.8
    noise, caption = coin.double(), torch.where(right, coin, ~coin)
    informed = torch.stack([noise[caption == label].mean() for label in (False, True)])[caption.long()]
    blind = noise.mean()
    losses = [(noise - prediction).square().mean() for prediction in (blind, informed)]
    gain = (informed - blind).square().mean()
    np.testing.assert_allclose(losses[0] - losses[1], gain, rtol=1e-10)
    np.testing.assert_allclose([*losses, gain], [0.25, 0.16, 0.09], atol=0.005)  # more than five standard errors
