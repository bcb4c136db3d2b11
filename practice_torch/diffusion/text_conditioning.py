"""Conditioning on text: pixels as tokens that attend to the words of a caption, and a U-Net with this attention."""

import torch
from torch import nn

from practice_torch.arguments import require, require_at_least, require_integers, require_rank, require_shape, require_values
from practice_torch.autoregressive.attention import MultiHeadAttention, attention_weights, multi_head_attention
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.networks.unet import UNet2d


def image_to_tokens(x):
    r"""A token for each pixel, row after row: token h W + w has the channels of pixel (h, w).

    Raises ValueError if x does not have four axes.  Source: Rombach et al. 2022, appendix E.2.1.
    [B, C, H, W] -> [B, N, C]
    """
    require_rank(4, x=x)
    return x.flatten(2).transpose(1, 2)


def tokens_to_image(tokens, *, height, width):
    r"""The inverse of image_to_tokens.

    Raises ValueError if tokens does not have three axes, or not height width tokens.
    Source: Rombach et al. 2022, appendix E.2.1.
    [B, N, C] -> [B, C, H, W]
    """
    require_rank(3, tokens=tokens)
    require_at_least(1, height=height, width=width)
    count = tokens.shape[1]
    require(count == height * width, f"tokens has {count} of them; an image of {height} x {width} has {height * width}")
    return tokens.transpose(1, 2).unflatten(2, (height, width))


def cross_attention(tokens, context, mask, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    r"""concat_h(sum_m a_nm W_V^h c_m) W_O^T with a = softmax_m(W_Q^h x_n . W_K^h c_m / sqrt(K)) over the words that mask shows.

    mask: True where a word is to be seen. K is the size of a head. No biases, and no residual.

    Raises ValueError if tokens, context or mask differ in the batch, mask does not have an entry for each word or shows none of
    an example, num_heads does not divide the rows of query_weight, or query_weight, key_weight, value_weight or output_weight
    does not fit.
    Source: Rombach et al. 2022, section 3.3; Vaswani et al. 2017, eq. 1.
    [B, N, D], [B, M, E], [B, M], [P, D], [P, E], [P, E], [D, P] -> [B, N, D]
    """
    require_rank(3, tokens=tokens, context=context)
    require_rank(2, query_weight=query_weight)
    (batch, _, width), (words, of_word), inner = tokens.shape, context.shape[1:], len(query_weight)
    require_shape((batch, words, of_word), context=context)
    _require_mask(mask, batch, words)
    require_at_least(1, num_heads=num_heads)
    require(inner % num_heads == 0, f"num_heads is {num_heads}; it must divide the {inner} rows of query_weight")
    require_shape((inner, width), query_weight=query_weight)
    require_shape((inner, of_word), key_weight=key_weight, value_weight=value_weight)
    require_shape((width, inner), output_weight=output_weight)
    return multi_head_attention(
        tokens,
        context,
        query_weight,
        key_weight,
        value_weight,
        output_weight,
        mask[:, None, None],
        heads=num_heads,
        key_value_heads=num_heads,
    )


def masked_mean(context, mask):
    r"""The mean of the words that mask shows: one vector for the whole caption.

    Raises ValueError if mask does not have an entry for each word, or shows none of an example.
    Source: Saharia et al. 2022, section 2.2.
    [B, M, E], [B, M] -> [B, E]
    """
    require_rank(3, context=context)
    _require_mask(mask, *context.shape[:2])
    shown = mask.bool()
    return torch.where(shown[:, :, None], context, 0.0).sum(1) / shown.sum(1, keepdim=True)


class CaptionedUNet(UNet2d):
    """Images [B, C, H, W], times [B], and captions of tokens [B, M] -> [B, out_channels, H, W].

    A transformer reads the caption; wherever the U-Net attends to its own pixels, these then attend to the words. Token 0 is
    padding after the last word, which is masked; a missing caption is a separate token. Words are read from left to right,
    so that each attends to those before it. The answer begins as zero, as every branch of the network does.

    vocabulary_size, words, text_width, text_layers: of the transformer, in heads of at most head_width. The rest is UNet2d's.
    """

    def __init__(self, *, vocabulary_size, words, text_width, text_layers, head_width=64, groups=32, **sizes):
        super().__init__(head_width=head_width, groups=groups, **sizes)
        heads = max(1, text_width // head_width)
        self.text = DecoderTransformer(
            vocabulary_size=vocabulary_size, context_length=words, width=text_width, layers=text_layers, heads=heads
        )
        for block in self.blocks:
            if block.attention is not None:
                block.cross = CrossAttention(block.attention, text_width)

    def _conditions(self, x, t, label):
        """The embedding of the time; the words and which of them there are."""
        shown = label > 0
        return *super()._conditions(x, t, None), self.text.hidden(label), shown

    def _require_inputs(self, x, t, label):
        super()._require_inputs(x, t, None)
        require_rank(2, label=label)
        require_integers(label=label)
        require(len(label) == len(x), f"label has {len(label)} captions; it must have one for each of the {len(x)} images of x")
        require_values("label", label, lambda a: (a > 0).any(-1, keepdim=True), "above 0 at least once in every caption")


class CrossAttention(nn.Module):
    """x + cross_attention's branch at norm(x), with the groups and the heads of the preceding self-attention."""

    def __init__(self, before, text_width):
        super().__init__()
        self.norm = nn.GroupNorm(before.norm.num_groups, before.norm.num_channels, eps=before.norm.eps)
        self.mix = MultiHeadAttention(width=before.norm.num_channels, heads=before.heads, context_width=text_width)
        nn.init.zeros_(self.mix.output.weight)

    def forward(self, x, context, shown):
        """[B, C, H, W], [B, M, E], [B, M] -> [B, C, H, W]"""
        mixed = self.mix(image_to_tokens(self.norm(x)), context, shown[:, None, None])
        return x + tokens_to_image(mixed, height=x.shape[2], width=x.shape[3])

    def weights(self, x, context, shown):
        """Attention weights of every pixel on every word, averaged over the heads: [B, M, H, W]."""
        tokens = image_to_tokens(self.norm(x))
        query, key = (
            layer(source).unflatten(-1, (self.mix.heads, -1)).transpose(1, 2)
            for layer, source in ((self.mix.query, tokens), (self.mix.key, context))
        )
        each = attention_weights(query, key, shown[:, None, None]).mean(1)
        return tokens_to_image(each, height=x.shape[2], width=x.shape[3])


def _require_mask(mask, batch, words):
    require_shape((batch, words), mask=mask)
    require_values("mask", mask, lambda a: a.bool().any(-1, keepdim=True), "True for at least one word of every example")
