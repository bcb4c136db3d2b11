"""Wrong forms of conditioning on text that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.diffusion import text_conditioning as right
from tests.support.mistakes import Mistake


def _heads(source, weight, count):
    return (source @ weight.mT).unflatten(-1, (count, -1)).transpose(1, 2)


def _attention(
    tokens,
    context,
    mask,
    query_weight,
    key_weight,
    value_weight,
    output_weight,
    *,
    num_heads,
    over=-1,
    fill=-torch.inf,
    after=False,
    inverted=False,
    width=None,
    residual=False,
    one_head=False,
):
    right.cross_attention(
        tokens, context, mask, query_weight, key_weight, value_weight, output_weight, num_heads=num_heads
    )  # checks
    num_heads = 1 if one_head else num_heads
    query, key = _heads(tokens, query_weight, num_heads), _heads(context, key_weight, num_heads)
    value = _heads(context, value_weight, num_heads)
    shown = (~mask if inverted else mask)[:, None, None]
    scores = query @ key.mT / (width(query, tokens) if width else query.shape[-1]) ** 0.5
    weights = scores.softmax(over) * shown if after else scores.masked_fill(~shown, fill).softmax(over)
    mixed = (weights.nan_to_num() @ value).transpose(1, 2).flatten(2) @ output_weight.mT
    return mixed + tokens if residual else mixed


def _planted(**how):
    return lambda *given, **named: _attention(*given, **named, **how)


def _mean(context, mask, *, shown=None, count=None):
    right.masked_mean(context, mask)  # for its checks
    shown = mask if shown is None else shown(mask)
    total = torch.where(shown[:, :, None], context, 0.0).sum(1)
    return total / (shown.sum(1, keepdim=True) if count is None else count(mask))


MISTAKES = (
    Mistake("image_to_tokens", "columns first", lambda x: right.image_to_tokens(x.mT if x.ndim == 4 else x)),
    Mistake("image_to_tokens", "reshaped", lambda x: right.image_to_tokens(x).mT.reshape(len(x), -1, x.shape[1])),
    Mistake("tokens_to_image", "columns first", lambda tokens, *, height, width: right.tokens_to_image(
        tokens, height=width, width=height).mT),
    Mistake("tokens_to_image", "reshaped", lambda tokens, *, height, width: right.tokens_to_image(
        tokens, height=height, width=width) * 0 + tokens.reshape(len(tokens), -1, height, width)),
    Mistake("cross_attention", "softmax over pixels", _planted(over=-2)),
    Mistake("cross_attention", "masked after the softmax", _planted(after=True)),
    Mistake("cross_attention", "the mask inverted", _planted(inverted=True)),
    Mistake("cross_attention", "a fill value of -10", _planted(fill=-10.0)),
    Mistake("cross_attention", "scaled by the width of the tokens", _planted(width=lambda query, tokens: tokens.shape[-1])),
    Mistake("cross_attention", "scaled by all rows", _planted(width=lambda query, tokens: query.shape[-1] * query.shape[1])),
    Mistake("cross_attention", "with the residual", _planted(residual=True)),
    Mistake("cross_attention", "one head, however many are requested", _planted(one_head=True)),
    Mistake("cross_attention", "a caption of no word passes", lambda tokens, context, mask, *weights, num_heads, **named: (
        right.cross_attention(tokens, context, mask | ~mask.any(1, keepdim=True) if mask.shape == context.shape[:2] else mask,
                              *weights, num_heads=num_heads, **named)), only_checks=True),
    Mistake("masked_mean", "by all words", lambda context, mask: _mean(context, mask, count=lambda mask: mask.shape[1])),
    Mistake("masked_mean", "of all", lambda context, mask: _mean(context, mask, shown=lambda mask: mask | ~mask)),
    Mistake("masked_mean", "the sum", lambda context, mask: _mean(context, mask, count=lambda mask: 1)),
    Mistake("masked_mean", "inverted", lambda context, mask: _mean(context, mask, shown=lambda mask: ~mask).nan_to_num()),
)  # fmt: skip


def _fused(tokens, context, mask, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    given = tokens, context, mask, query_weight, key_weight, value_weight, output_weight
    right.cross_attention(*given, num_heads=num_heads)  # for its checks
    query = _heads(tokens, query_weight, num_heads)
    key, value = (_heads(context, weight, num_heads) for weight in (key_weight, value_weight))
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
    return mixed.transpose(1, 2).flatten(2) @ output_weight.mT


EQUIVALENT = (
    Mistake(
        "image_to_tokens",
        "channels last, then rows",
        lambda x: right.image_to_tokens(x) * 0 + x.permute(0, 2, 3, 1).flatten(1, 2),
    ),
    Mistake("cross_attention", "torch's fused attention", _fused),
    Mistake(
        "masked_mean",
        "weights that sum to one",
        lambda context, mask: (
            right.masked_mean(context, mask) * 0 + ((mask / mask.sum(1, keepdim=True)).to(context.dtype)[:, None] @ context)[:, 0]
        ),
    ),
)
