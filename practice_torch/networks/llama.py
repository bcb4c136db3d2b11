"""A Llama: a decoder-only transformer with root mean square norms, rotated queries and keys, and gated feed-forward blocks."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.networks.cached_decoder import CachedDecoder, Places, attended, require_sizes
from practice_torch.networks.linear import Linear


class LlamaDecoder(CachedDecoder):
    """Tokens [B, T] -> logits [B, T, V] of each next token; pre-norm, no biases but those of queries, keys and values, if any.

    positions.turn(x [B, H, T, D], start) turns queries or keys by their positions start, start + 1, ..., and
    positions.turning(positions, D) is a function that turns those of tokens at positions [B] or [B, T] (RotaryPositions of
    autoregressive/position). key_value_heads: heads of keys and values, fewer where several heads of queries share them.
    feed_forward_width: by default 8/3 of the width, rounded up to a multiple of 32, as in llama2.c. tied: the embedding is the
    head, too. query_key_value_biases: those of Qwen2, which begin at zero.
    """

    def __init__(
        self,
        *,
        vocabulary_size,
        context_length,
        width,
        layers,
        heads,
        positions,
        key_value_heads=None,
        feed_forward_width=None,
        dropout=0.0,
        vocabulary_multiple=1,
        tied=True,
        epsilon=1e-5,
        query_key_value_biases=False,
    ):
        groups = heads if key_value_heads is None else key_value_heads
        require_sizes(width=width, layers=layers, heads=heads, key_value_heads=groups, context_length=context_length)
        super().__init__(
            vocabulary_size=vocabulary_size,
            context_length=context_length,
            width=width,
            dropout=dropout,
            vocabulary_multiple=vocabulary_multiple,
            tied=tied,
        )
        inner = feed_forward_width or -(-(8 * width // 3) // 32) * 32
        form = dropout, positions, epsilon, query_key_value_biases
        self.blocks = nn.ModuleList(LlamaBlock(width, heads, groups, inner, *form) for _ in range(layers))
        self.final_norm = nn.RMSNorm(width, eps=epsilon)
        # of the feed-forward block, llama2.c begins the branch that is gated smaller, not the layer that ends it
        self.begin_matrices(layers, ("output.weight", "up.weight"))

    def _turning(self, positions):
        block = self.blocks[0]
        return block.positions.turning(positions, block.keys[1])


class LlamaBlock(nn.Module):
    """x + attention(norm(x)), then x + W_d (silu(W_g z) * W_u z) of z = norm(x)."""

    def __init__(self, width, heads, groups, inner, dropout, positions, epsilon, biases):
        super().__init__()
        self.heads, self.attention_dropout, self.positions = heads, dropout, positions
        self.keys = groups, width // heads  # number and width of the heads of keys
        self.attention_norm = nn.RMSNorm(width, eps=epsilon)
        self.query_key_value = Linear(width, width + 2 * groups * (width // heads), bias=biases)
        if biases:
            nn.init.zeros_(self.query_key_value.bias)
        self.output = Linear(width, width, bias=False)
        self.feed_forward_norm = nn.RMSNorm(width, eps=epsilon)
        self.gate, self.up = Linear(width, inner, bias=False), Linear(width, inner, bias=False)
        self.down = Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None, position=0):
        """[B, T, E] -> [B, T, E]; with a cache [2, B, G, L, D], rows before `position` are the past, and T more are written."""
        heads = self.query_key_value(self.attention_norm(x)).unflatten(-1, (-1, self.keys[1])).transpose(1, 2)
        turned, value = heads.split([self.heads + self.keys[0], self.keys[0]], dim=1)
        query, key = self._turned(turned, position).split([self.heads, self.keys[0]], dim=1)
        mixed = attended(query, key, value, cache, position, dropout=self.attention_dropout if self.training else 0.0)
        x = x + self.dropout(self.output(mixed))
        z = self.feed_forward_norm(x)
        return x + self.dropout(self.down(functional.silu(self.gate(z)) * self.up(z)))

    def _turned(self, x, position):
        """In float32 at the least: half precision has no angle of position 200 to a hundredth."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        return (position.turn(exact) if isinstance(position, Places) else self.positions.turn(exact, position)).to(x.dtype)
