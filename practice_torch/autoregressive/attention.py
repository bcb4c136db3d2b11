"""Attention by its formula, and the module that runs it on torch's fused kernels: one proves the other."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_shape, require_values


def attention_weights(query, key, mask, *, scale=None):
    r"""softmax_j(s q_i . k_j) over the keys that the mask leaves, s = D^(-1/2) unless it is given.

    mask: True where query i may attend to key j, broadcast to [B, H, Tq, Tk]; None for everywhere.

    Raises ValueError if the shapes do not fit, also that of mask, or if it leaves a query without keys.
    Source: Vaswani et al. 2017, eq. 1.
    [B, H, Q, D], [B, H, K, D], [...] -> [B, H, Q, K]
    """
    require_rank(4, query=query, key=key)
    batch, heads, _, width = query.shape
    wanted = (batch, heads, key.shape[2], width)
    require(key.shape == wanted, f"key has shape {list(key.shape)}; with this query it must have shape {list(wanted)}")
    # Scaled before the product: in half precision the product of unscaled rows may overflow.
    scores = (query * (width**-0.5 if scale is None else scale)) @ key.transpose(-2, -1)
    if mask is not None:
        _require_mask(mask, scores.shape)
        scores = scores.masked_fill(~mask.bool(), -torch.inf)
    return scores.softmax(-1)


def scaled_dot_product_attention(query, key, value, mask, *, scale=None):
    r"""sum_j w_ij v_j with w of attention_weights: each query's average of the values.

    Raises ValueError as attention_weights does, and if there is not one value a key.  Source: Vaswani et al. 2017, eq. 1.
    [B, H, Q, D], [B, H, K, D], [B, H, K, V], [...] -> [B, H, Q, V]
    """
    require_rank(4, value=value)
    weights = attention_weights(query, key, mask, scale=scale)
    fits = value.shape[:3] == key.shape[:3]
    require(fits, f"value has shape {list(value.shape)}; it must begin with {list(key.shape[:3])}, a value for each key")
    return weights @ value


def causal_mask(*, query_length, key_length):
    r"""True where j <= i + (Tk - Tq): a query sees the keys up to its own time; both sequences end at the same time.

    torch's own `is_causal` lets both begin at the same time instead.

    Raises ValueError unless 1 <= query_length <= key_length.  Source: Vaswani et al. 2017, section 3.2.3.
    -> [Q, K]
    """
    require(1 <= query_length <= key_length, f"query_length is {query_length}; it must be in 1..{key_length}, the key_length")
    return torch.ones(query_length, key_length, dtype=torch.bool).tril(key_length - query_length)


def causal_padding_mask(token_mask):
    r"""True where j <= i and token j is valid, or j = i: padding sees itself, so that no row is empty.

    [B, T] -> [B, 1, T, T]
    """
    require_rank(2, token_mask=token_mask)
    time = torch.arange(token_mask.shape[1], device=token_mask.device)
    visible = (time <= time[:, None]) & token_mask.bool()[:, None, None, :]
    return visible | (time == time[:, None])


def repeat_key_value(x, *, groups):
    r"""Every head `groups` times in a row: head h of the result is head floor(h / groups) of x.

    Raises ValueError if groups is less than 1.  Source: Ainslie et al. 2023.
    [B, H, T, D] -> [B, G, T, D]
    """
    require_rank(4, x=x)
    require_at_least(1, groups=groups)
    return x[:, :, None].expand(-1, -1, groups, -1, -1).flatten(1, 2)


def multi_head_attention(x, context, query_weight, key_weight, value_weight, output_weight, mask, *, heads, key_value_heads):
    r"""concat_h(attention(x W_Q^h, c W_K^g, c W_V^g)) W_O^T with g = floor(h / (heads / key_value_heads)); no biases.

    context = x is self-attention; one key_value_head is multi-query, fewer than heads is grouped-query attention.

    Raises ValueError if the batches differ, the widths do not fit the heads, or heads is no multiple of key_value_heads.
    Source: Vaswani et al. 2017, section 3.2.2; Shazeer 2019; Ainslie et al. 2023.
    [B, T, E], [B, S, C], [N, E], [M, C], [M, C], [E, N], [...] -> [B, T, E]
    """
    require_rank(3, x=x, context=context)
    batch = x.shape[0]
    require(context.shape[0] == batch, f"context has {context.shape[0]} examples; it must have one for each of the {batch} of x")
    require(heads % key_value_heads == 0, f"heads is {heads}; it must be a multiple of key_value_heads, {key_value_heads}")
    query = _project("query_weight", x, query_weight, heads)
    key = repeat_key_value(_project("key_weight", context, key_weight, key_value_heads), groups=heads // key_value_heads)
    value = repeat_key_value(_project("value_weight", context, value_weight, key_value_heads), groups=heads // key_value_heads)
    require_shape((x.shape[-1], heads * value.shape[-1]), output_weight=output_weight)
    mixed = scaled_dot_product_attention(query, key, value, mask)
    return functional.linear(mixed.transpose(1, 2).flatten(2), output_weight)


class MultiHeadAttention(nn.Module):
    """multi_head_attention with its own parameters, on torch's fused kernels.

    is_causal: the causal mask, without one being made; Tq = Tk then. x and context: [B, T, E] and [B, S, C] -> [B, T, E].
    """

    def __init__(self, *, width, heads, key_value_heads=None, context_width=None, dropout=0.0):
        super().__init__()
        key_value_heads, context_width = key_value_heads or heads, context_width or width
        require(width % heads == 0, f"width is {width}; it must be a multiple of heads, {heads}")
        require(heads % key_value_heads == 0, f"heads is {heads}; it must be a multiple of key_value_heads, {key_value_heads}")
        self.heads, self.key_value_heads, self.dropout = heads, key_value_heads, dropout
        shared = width // heads * key_value_heads
        self.query = nn.Linear(width, width, bias=False)
        self.key, self.value = nn.Linear(context_width, shared, bias=False), nn.Linear(context_width, shared, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x, context=None, mask=None, *, is_causal=False):
        """[B, T, E]; without a context, x is its own."""
        context = x if context is None else context
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = (
            layer(context).unflatten(-1, (self.key_value_heads, -1)).transpose(1, 2) for layer in (self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=is_causal,
            enable_gqa=self.key_value_heads < self.heads,
        )
        return self.output(mixed.transpose(1, 2).flatten(2))


def _project(name, source, weight, heads):
    """source W^T by heads: [B, T, C] -> [B, H, T, D]."""
    require_rank(2, **{name: weight})
    rows, columns = weight.shape
    require(rows % heads == 0, f"{name} has {rows} rows; it must have a multiple of its {heads} heads")
    width = source.shape[-1]
    require(columns == width, f"{name} has {columns} columns; it must have the width of its input, {width}")
    return functional.linear(source, weight).unflatten(-1, (heads, -1)).transpose(1, 2)


def _require_mask(mask, shape):
    axes = list(mask.shape)
    fits = len(axes) <= len(shape) and all(a in (1, b) for a, b in zip(reversed(axes), reversed(shape), strict=False))
    require(fits, f"mask has shape {axes}; it must broadcast to {list(shape)}")
    require_values("mask", mask, lambda a: a.bool().any(-1, keepdim=True), "True for at least one key of every query")


class Transducer(nn.Module):
    """Source [B, T] and the answer so far [B, S] -> logits [B, S+1, V] of every next symbol of the answer.

    One block. The source is embedded and no more, so that all that the answer knows of it came through the cross-attention.
    """

    def __init__(self, *, symbols, length, width, heads):
        super().__init__()
        self.symbols = symbols
        self.source, self.answer = nn.Embedding(symbols, width), nn.Embedding(symbols + 1, width)  # one more: the beginning
        self.source_position, self.answer_position = nn.Embedding(length, width), nn.Embedding(length, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.self_attention = MultiHeadAttention(width=width, heads=heads)
        self.cross_attention = MultiHeadAttention(width=width, heads=heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.head = nn.Linear(width, symbols)
        for name, parameter in self.named_parameters():
            if "source" in name or "answer" in name:
                nn.init.normal_(parameter, std=0.5)  # unit deviations would make the first attention weights nearly 0 or 1

    def forward(self, source, answer):
        x, context = self._before_cross(source, answer)
        x = x + self.cross_attention(self.norms[1](x), context)
        x = x + self.perceptron(self.norms[2](x))
        return self.head(self.norms[3](x))

    def cross_attention_weights(self, source, answer):
        """The weights of the cross-attention at every step, by their formula, [B, H, S+1, T]."""
        x, context = self._before_cross(source, answer)
        module = self.cross_attention
        query, key = (
            layer(given).unflatten(-1, (module.heads, -1)).transpose(1, 2)
            for layer, given in ((module.query, self.norms[1](x)), (module.key, context))
        )
        return attention_weights(query, key, None)

    def _before_cross(self, source, answer):
        """The answer's stream, shifted by an initial start symbol, and the embedded source."""
        context = self.source(as_int64(source)) + self.source_position.weight[: source.shape[1]]
        begun = functional.pad(as_int64(answer), (1, 0), value=self.symbols)
        x = self.answer(begun) + self.answer_position.weight[: begun.shape[1]]
        return x + self.self_attention(self.norms[0](x), is_causal=True), context
