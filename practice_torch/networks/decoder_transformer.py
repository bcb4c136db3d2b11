"""A decoder-only transformer on torch's fused kernels."""

import math

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64
from practice_torch.networks.linear import Linear, product_dtype
from practice_torch.networks.linear_cross_entropy import linear_cross_entropy

EPSILON = 1e-5
LARGE = 4096  # tokens in a vocabulary: from here on a table of all logits is slower than blocks of them


class DecoderTransformer(nn.Module):
    """Tokens [B, T] -> logits [B, T, V] of each next token; pre-norm, GELU (tanh form), learned positions, tied head.

    `parameters_by_name()` are those of autoregressive/transformer's decoder_logits, which computes the same, slowly.
    vocabulary_multiple: the table of embeddings gets rows of zeros up to a multiple of it. They stand for no token: no logit is
    given of them, and none of the probability (a product of matrices is fastest where its sides are multiples of 64).
    """

    def __init__(
        self,
        *,
        vocabulary_size,
        context_length,
        width,
        layers,
        heads,
        feed_forward_width=None,
        dropout=0.0,
        vocabulary_multiple=1,
    ):
        super().__init__()
        for name, size in {"width": width, "layers": layers, "heads": heads, "context_length": context_length}.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        if width % heads:
            raise ValueError(f"heads is {heads}; it must divide the width, {width}")
        self.context_length, self.vocabulary_size = context_length, vocabulary_size
        rows = -(-vocabulary_size // vocabulary_multiple) * vocabulary_multiple
        self.token_embedding = nn.Embedding(rows, width)
        self.position_embedding = nn.Embedding(context_length, width)
        inner = feed_forward_width or 4 * width
        self.blocks = nn.ModuleList(DecoderBlock(width, heads, inner, dropout) for _ in range(layers))
        self.final_norm = nn.LayerNorm(width, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self._initialize(layers)

    def _initialize(self, layers):
        """GPT-2's: deviation 0.02, and the ends of the 2N branches smaller, so that the stream does not grow with depth."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                ends_a_branch = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if ends_a_branch else 0.02)
        nn.init.zeros_(self.token_embedding.weight[self.vocabulary_size :])

    def forward(self, tokens, targets=None):
        """Logits, [B, T] -> [B, T, V]; given targets [B, T], the mean of -log p(target) in nats instead.

        A large vocabulary's loss goes without a table of all logits.  Raises ValueError if T is more than the context length.
        """
        hidden = self.hidden(tokens)
        if targets is None:
            return self.logits(hidden)
        targets = as_int64(targets).flatten()
        if self.vocabulary_size >= LARGE:
            head = self.token_embedding.weight
            return linear_cross_entropy(hidden.flatten(0, 1), head, targets, size=self.vocabulary_size)
        return functional.cross_entropy(self.logits(hidden).flatten(0, 1), targets)

    def logits(self, hidden):
        """Logits of each next token from the output of `hidden`: [..., E] -> [..., V]."""
        return functional.linear(hidden, self.token_embedding.weight)[..., : self.vocabulary_size]

    def hidden(self, tokens):
        """The input of the head: [B, T] -> [B, T, E]."""
        length = tokens.shape[1]
        if length > self.context_length:
            raise ValueError(f"tokens has {length} steps; the context length is {self.context_length}")
        x = self.dropout(self.token_embedding(as_int64(tokens)) + self.position_embedding.weight[:length])
        for block in self.blocks:
            x = block(x)
        return self.final_norm(x)

    def empty_cache(self, batch):
        """Room for the keys and values of a whole context: [N, 2, B, H, L, D]."""
        heads, weight = self.blocks[0].heads, self.token_embedding.weight
        shape = (len(self.blocks), 2, batch, heads, self.context_length, weight.shape[1] // heads)
        return torch.empty(shape, dtype=product_dtype(weight), device=weight.device)  # as keys and values are

    def step(self, tokens, cache, position):
        """The logits [B, V] of the token after tokens [B, S], which are at position .. position+S-1; the cache has their past.

        Their keys and values are written into the cache, in place. Rows from `position` on are not read: tokens are taken back by
        the next call's smaller position.  Raises ValueError if they reach beyond the context.
        """
        return self.logits(self.final_norm(self._read(tokens, cache, position)[:, -1]))

    def step_each(self, tokens, cache, position):
        """The logits [B, S, V] of the token after each of tokens [B, S], which `step` gives of the last."""
        return self.logits(self.final_norm(self._read(tokens, cache, position)))

    def _read(self, tokens, cache, position):
        end = position + tokens.shape[1]
        if end > self.context_length:
            raise ValueError(f"position is {position} and {tokens.shape[1]} tokens follow; the context is {self.context_length}")
        x = self.token_embedding(as_int64(tokens)) + self.position_embedding.weight[position:end]
        for block, kept in zip(self.blocks, cache, strict=True):
            x = block(x, kept, position)
        return x

    def parameters_by_name(self):
        """The parameters as nested dictionaries, by the names of decoder_logits."""
        return {
            "token_embedding": self.token_embedding.weight[: self.vocabulary_size],
            "position_embedding": self.position_embedding.weight,
            "blocks": tuple(block.parameters_by_name() for block in self.blocks),
            "final_norm_weight": self.final_norm.weight,
            "final_norm_bias": self.final_norm.bias,
        }


class DecoderBlock(nn.Module):
    """x + attention(LN(x)), then x + feed-forward(LN(x))."""

    def __init__(self, width, heads, inner, dropout):
        super().__init__()
        self.heads, self.attention_dropout = heads, dropout
        self.attention_norm = nn.LayerNorm(width, eps=EPSILON)
        self.query_key_value = Linear(width, 3 * width, bias=False)  # one product instead of three
        self.output = Linear(width, width, bias=False)
        self.feed_forward_norm = nn.LayerNorm(width, eps=EPSILON)
        self.up, self.down = Linear(width, inner), Linear(inner, width)
        nn.init.zeros_(self.up.bias)
        nn.init.zeros_(self.down.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, cache=None, position=0):
        """[B, T, E] -> [B, T, E]; with a cache [2, B, H, L, D], rows before `position` are the past, and T more are written."""
        query, key, value = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask, steps = None, x.shape[1]
        if cache is not None:
            end = position + steps
            cache[0, :, :, position:end], cache[1, :, :, position:end] = key, value
            key, value = cache[:, :, :, :end]
            if position and steps > 1:  # torch's is_causal lets queries and keys begin together
                mask = torch.ones(steps, end, dtype=torch.bool, device=x.device).tril(position)
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.attention_dropout if self.training else 0.0,
            is_causal=steps > 1 and mask is None,
        )
        x = x + self.dropout(self.output(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.down(functional.gelu(self.up(self.feed_forward_norm(x)), approximate="tanh")))

    def parameters_by_name(self):
        """The parameters by the names of decoder_block."""
        query, key, value = self.query_key_value.weight.chunk(3)
        return {
            "attention_norm_weight": self.attention_norm.weight,
            "attention_norm_bias": self.attention_norm.bias,
            "query_weight": query,
            "key_weight": key,
            "value_weight": value,
            "output_weight": self.output.weight,
            "feed_forward_norm_weight": self.feed_forward_norm.weight,
            "feed_forward_norm_bias": self.feed_forward_norm.bias,
            "up_weight": self.up.weight,
            "up_bias": self.up.bias,
            "down_weight": self.down.weight,
            "down_bias": self.down.bias,
        }
