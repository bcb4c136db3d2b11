"""Wrong forms of online softmax that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive import online_softmax as right
from tests.support.mistakes import Mistake


def _update(
    maximum, normalizer, accumulator, scores, values, *, fade_sum=True, fade_output=True, guard=True, own=False, divide=False,
    swap=False, keep=False,
):  # fmt: skip
    block = scores.amax(-1)
    higher = block if own else torch.maximum(maximum, block)
    reference = maximum if keep else higher
    reference = reference.masked_fill(reference == -torch.inf, 0) if guard else reference
    fade = (reference - maximum).exp() if swap else (maximum - reference).exp()
    terms = (scores - reference[..., None]).exp()
    total = (fade * normalizer if fade_sum else normalizer) + terms.sum(-1)
    mixed = (fade[..., None] * accumulator if fade_output else accumulator) + terms @ values
    return higher, total, mixed / total[..., None] if divide else mixed


def _blockwise(query, key, value, *, block_size, causal, scale=None, start=False, strict=False, divide=True, maximum=True,
               fade=True, last=True, detach=False):  # fmt: skip
    heads, dim = query.shape[:2], query.shape[-1]
    q, k, v = (x.flatten(0, 1) for x in (query, key, value))
    scores = q @ k.mT * (dim**-0.5 if scale is None else scale)
    past = 0 if start else k.shape[1] - q.shape[1]
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(past + (0 if strict else 1)), -torch.inf)
    state = torch.full_like(q[..., 0], -torch.inf), torch.zeros_like(q[..., 0]), torch.zeros_like(q @ k.mT @ v)
    size = k.shape[1]
    end = size if last else max(block_size, size // block_size * block_size)
    for first in range(0, min(end, size), block_size):
        block = slice(first, min(first + block_size, end))
        state = _update(*state, scores[..., block], v[:, block], fade_output=fade)
    m, total, out = state
    total = total.detach() if detach else total
    out = out / total[..., None] if divide else out
    return out.unflatten(0, heads), ((m if maximum else 0) + total.log()).unflatten(0, heads)


def _merge(output_a, log_normalizer_a, output_b, log_normalizer_b, *, how="right", guard=True, cut=False, base=True):
    a, b = log_normalizer_a, log_normalizer_b
    highest = torch.maximum(a, b)
    reference = highest.masked_fill(highest == -torch.inf, 0) if guard else highest
    if not base:
        reference = torch.zeros_like(reference)
    weight_a, weight_b = (a - reference).exp(), (b - reference).exp()
    total = weight_a + weight_b
    divisor = total.masked_fill(total == 0, 1) if guard else total
    share_a, share_b = weight_a / divisor, weight_b / divisor
    share_a, share_b = {
        "right": (share_a, share_b),
        "mean": (torch.full_like(a, 0.5), torch.full_like(a, 0.5)),
        "swapped": (share_b, share_a),
        "sum": (weight_a, weight_b),
    }[how]
    if cut:
        share_a, share_b = share_a.detach(), share_b.detach()
    return share_a[..., None] * output_a + share_b[..., None] * output_b, reference + total.log()


def _backward(query, key, value, output, log_normalizer, upstream, *, causal, scale=True, row="right", masked=True, twice=False,
              block=None, start=False):  # fmt: skip
    s = query.shape[-1] ** -0.5
    logs = query @ key.mT * s - log_normalizer[..., None]
    if causal and masked:
        past = 0 if start else key.shape[2] - query.shape[2]
        logs = logs.masked_fill(torch.ones_like(logs, dtype=torch.bool).triu(past + 1), -torch.inf)
    p = logs.exp()
    dp = upstream @ value.mT
    d = {
        "right": (upstream * output).sum(-1, keepdim=True),
        "none": 0.0,
        "values": dp.sum(-1, keepdim=True),
        "mean": (upstream * output).mean(-1, keepdim=True),
        "plus": -(upstream * output).sum(-1, keepdim=True),
        "exact": (p * dp).sum(-1, keepdim=True),
    }[row]
    ds = p * (dp - d) * (s if scale else 1.0) * (s if twice else 1.0)
    return ds @ key, ds.mT @ query, p.mT @ upstream


def _stream(x, *, block_size, fade=True, maximum=True, guard=True, own=False):
    m, total = torch.full_like(x[:, 0], -torch.inf), torch.zeros_like(x[:, 0])
    for block in x.split(block_size, 1):
        higher = block.amax(-1) if own else torch.maximum(m, block.amax(-1))
        reference = higher.masked_fill(higher == -torch.inf, 0) if guard else higher
        old = (m - reference).exp() if fade else (m > -torch.inf).to(x.dtype)
        m, total = higher, old * total + (block - reference[:, None]).exp().sum(-1)
    total = total.masked_fill(total == 0, 1) if guard else total
    return (m if maximum else 0) + total.log()


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _fused(query, key, value, *, block_size, causal):
    right.blockwise_attention(query, key, value, block_size=block_size, causal=causal)  # for its checks
    scores = query @ key.mT * query.shape[-1] ** -0.5
    mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(key.shape[2] - query.shape[2]) if causal else None
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask), scores.logsumexp(-1)


def _reversed(query, key, value, *, block_size, causal):
    """The last block of keys first: maxima fall where they rose."""
    right.blockwise_attention(query, key, value, block_size=block_size, causal=causal)  # for its checks
    if causal:
        return _blockwise(query, key, value, block_size=block_size, causal=causal)
    return right.blockwise_attention(query, key.flip(2), value.flip(2), block_size=block_size, causal=False)


def _weighted(output_a, log_normalizer_a, output_b, log_normalizer_b):
    right.merge_partial_attention(output_a, log_normalizer_a, output_b, log_normalizer_b)  # for its checks
    nothing = (log_normalizer_a == -torch.inf) & (log_normalizer_b == -torch.inf)
    a, b = log_normalizer_a.masked_fill(nothing, 0), log_normalizer_b.masked_fill(nothing, 0)
    total = torch.maximum(a, b).detach()
    weight_a, weight_b = (a - total).exp()[..., None], (b - total).exp()[..., None]
    mixed = (weight_a * output_a + weight_b * output_b) / (weight_a + weight_b)
    return mixed.masked_fill(nothing[..., None], 0), torch.logaddexp(a, b).masked_fill(nothing, -torch.inf)


def _at_once(*given, **named):
    right.attention_backward(*given, **named)  # for its checks
    return _backward(*given, **named)


def _sorted(x, *, block_size):
    right.streaming_logsumexp(x, block_size=block_size)  # for its checks
    return right.streaming_logsumexp(x.sort(-1).values, block_size=block_size)


MISTAKES = (
    Mistake("online_softmax_update", "accumulator not rescaled", _wrong(_update, fade_output=False)),
    Mistake("online_softmax_update", "normalizer not rescaled", _wrong(_update, fade_sum=False)),
    Mistake("online_softmax_update", "e^(-inf - (-inf))", _wrong(_update, guard=False)),
    Mistake("online_softmax_update", "the block's own maximum", _wrong(_update, own=True)),
    Mistake("online_softmax_update", "divided in every block", _wrong(_update, divide=True)),
    Mistake("online_softmax_update", "e^(m' - m) for e^(m - m')", _wrong(_update, swap=True)),
    Mistake("online_softmax_update", "terms under the old maximum", _wrong(_update, keep=True)),
    Mistake("online_softmax_update", "no checks", _update, only_checks=True),
    Mistake("blockwise_attention", "not scaled", _wrong(_blockwise, scale=1.0)),
    Mistake("blockwise_attention", "aligned at the start", _wrong(_blockwise, start=True)),
    Mistake("blockwise_attention", "strictly before", _wrong(_blockwise, strict=True)),
    Mistake("blockwise_attention", "not divided at the end", _wrong(_blockwise, divide=False)),
    Mistake("blockwise_attention", "accumulator not rescaled", _wrong(_blockwise, fade=False)),
    Mistake("blockwise_attention", "L without the maximum", _wrong(_blockwise, maximum=False)),
    Mistake("blockwise_attention", "the last, shorter block left out", _wrong(_blockwise, last=False)),
    Mistake("blockwise_attention", "the normalizer has no gradient", _wrong(_blockwise, detach=True)),
    Mistake(
        "blockwise_attention",
        "block_size ignored",
        lambda query, key, value, *, block_size, causal: right.blockwise_attention(
            query, key, value, block_size=2, causal=causal
        ),
        only_checks=True,
    ),
    Mistake("merge_partial_attention", "plain mean", _wrong(_merge, how="mean")),
    Mistake("merge_partial_attention", "weights swapped", _wrong(_merge, how="swapped")),
    Mistake("merge_partial_attention", "not divided", _wrong(_merge, how="sum")),
    Mistake("merge_partial_attention", "e^(-inf - (-inf))", _wrong(_merge, guard=False)),
    Mistake("merge_partial_attention", "e^L without a reference", _wrong(_merge, base=False)),
    Mistake("merge_partial_attention", "weights without gradient", _wrong(_merge, cut=True)),
    Mistake("attention_backward", "without the scale", _wrong(_backward, scale=False)),
    Mistake("attention_backward", "scaled twice", _wrong(_backward, twice=True)),
    Mistake("attention_backward", "D is rowsum(dO V)", _wrong(_backward, row="values")),
    Mistake("attention_backward", "without D", _wrong(_backward, row="none")),
    Mistake("attention_backward", "D is a mean", _wrong(_backward, row="mean")),
    Mistake("attention_backward", "D added", _wrong(_backward, row="plus")),
    Mistake("attention_backward", "no mask", _wrong(_backward, masked=False)),
    Mistake("attention_backward", "aligned at the start", _wrong(_backward, start=True)),
    Mistake("attention_backward", "D computed anew from P: the output has no gradient", _wrong(_backward, row="exact")),
    Mistake("streaming_logsumexp", "old sums not rescaled", _wrong(_stream, fade=False)),
    Mistake("streaming_logsumexp", "the maximum not added", _wrong(_stream, maximum=False)),
    Mistake("streaming_logsumexp", "e^(-inf - (-inf))", _wrong(_stream, guard=False)),
    Mistake("streaming_logsumexp", "the block's own maximum", _wrong(_stream, own=True)),
    Mistake("streaming_logsumexp", "no maximum at all", lambda x, *, block_size: x.exp().sum(-1).log()),
)

EQUIVALENT = (
    Mistake("blockwise_attention", "torch's fused kernel and torch's logsumexp", _fused),
    Mistake("blockwise_attention", "blocks in reverse", _reversed),
    Mistake("merge_partial_attention", "weights under a common reference", _weighted),
    Mistake("attention_backward", "all keys at once", _at_once),
    Mistake("streaming_logsumexp", "in ascending order", _sorted),
)
