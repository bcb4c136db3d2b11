"""Wrong transformers that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.autoregressive import transformer as right
from practice_torch.autoregressive.attention import causal_mask, multi_head_attention
from practice_torch.autoregressive.normalization import layer_norm
from tests.support.mistakes import Mistake


def _feed_forward(x, up_weight, up_bias, down_weight, down_bias, *, approximate=True, relu=False, bias_last=False):
    hidden = x @ up_weight.T + (0 if bias_last else up_bias)
    hidden = hidden.relu() if relu else right.gelu(hidden, approximate=approximate)
    return (hidden + up_bias if bias_last else hidden) @ down_weight.T + down_bias


def _norm(x, p, name, epsilon):
    return layer_norm(x, p[f"{name}_norm_weight"], p[f"{name}_norm_bias"], epsilon=epsilon)


def _attend(x, p, mask, heads):
    weights = [p[f"{name}_weight"] for name in ("query", "key", "value", "output")]
    return multi_head_attention(x, x, *weights, mask, heads=heads, key_value_heads=heads)


def _think(x, p):
    return right.feed_forward(x, p["up_weight"], p["up_bias"], p["down_weight"], p["down_bias"])


def _block(x, parameters, mask, *, heads, epsilon, norm_position, second="feed_forward", inside=True, skip=True):
    """second: the norm that the feed-forward layer uses; inside: 'pre' norms the branch's input; skip: 'post' adds x itself."""
    p = parameters
    for branch, name in ((lambda z: _attend(z, p, mask, heads), "attention"), (lambda z: _think(z, p), second)):
        normed = _norm(x, p, name, epsilon)
        if norm_position == "post":
            x = _norm((x if skip else normed) + branch(x if skip else normed), p, name, epsilon)
        else:
            x = x + branch(normed) if inside else _norm(x + branch(x), p, name, epsilon)
    return x


def _parallel(x, parameters, mask, *, heads, epsilon, norm_position):
    p = parameters
    if norm_position == "post":
        return right.decoder_block(x, p, mask, heads=heads, epsilon=epsilon, norm_position=norm_position)
    return x + _attend(_norm(x, p, "attention", epsilon), p, mask, heads) + _think(_norm(x, p, "feed_forward", epsilon), p)


def _logits(tokens, parameters, *, heads, epsilon=1e-5, norm=True, own_head=True, places=True, shift=0, causal=True, scale=1.0,
            place="pre"):  # fmt: skip
    p = parameters
    steps = tokens.shape[1]
    x = scale * p["token_embedding"][tokens]
    if places:
        x = x + p["position_embedding"].roll(-shift, 0)[:steps]
    mask = causal_mask(query_length=steps, key_length=steps) if causal else None
    for block in p["blocks"]:
        x = right.decoder_block(x, block, mask, heads=heads, epsilon=epsilon, norm_position=place)
    if norm:
        x = layer_norm(x, p["final_norm_weight"], p["final_norm_bias"], epsilon=epsilon)
    return x @ (p.get("output_weight", p["token_embedding"]) if own_head else p["token_embedding"]).T


def _count(*, vocabulary_size, context_length, width, layers, feed_forward_width, tied, attention_bias=0, positions=1, norms=1):
    attention, perceptron = 4 * width**2 + attention_bias * width, (2 * width + 1) * feed_forward_width + width
    block = attention + perceptron + 4 * norms * width
    embeddings = vocabulary_size * (1 if tied else 2) + positions * context_length + 2 * norms
    return embeddings * width + layers * block


def _operations(*, vocabulary_size, length, width, layers, feed_forward_width, each=2, products=2, head=1):
    block = 4 * width**2 + 2 * width * feed_forward_width + products * length * width
    return each * length * (layers * block + head * vocabulary_size * width)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _torchs_gelu(x, *, approximate):
    return functional.gelu(x, approximate="tanh" if approximate else "none")


def _fused(tokens, parameters, *, heads, epsilon=1e-5):
    """All three projections in one product, torch's own attention."""
    p = parameters
    right.decoder_logits(tokens, p, heads=heads, epsilon=epsilon)  # for its checks
    x = p["token_embedding"][tokens] + p["position_embedding"][: tokens.shape[1]]
    for b in p["blocks"]:
        together = torch.cat([b["query_weight"], b["key_weight"], b["value_weight"]])
        qkv = (_norm(x, b, "attention", epsilon) @ together.T).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*qkv, is_causal=True).transpose(1, 2).flatten(2)
        x = x + mixed @ b["output_weight"].T
        x = x + _think(_norm(x, b, "feed_forward", epsilon), b)
    x = layer_norm(x, p["final_norm_weight"], p["final_norm_bias"], epsilon=epsilon)
    return x @ p.get("output_weight", p["token_embedding"]).T


MISTAKES = (
    Mistake("gelu", "the forms exchanged", lambda x, *, approximate: right.gelu(x, approximate=not approximate)),
    Mistake("gelu", "the exact form always", lambda x, *, approximate: right.gelu(x, approximate=False)),
    Mistake("gelu", "the sigmoid form", lambda x, *, approximate: x * torch.sigmoid(1.702 * x)),
    Mistake("silu", "the gate without its input", lambda x: torch.sigmoid(x)),
    Mistake("silu", "gelu's sigmoid form", lambda x: x * torch.sigmoid(1.702 * x)),
    Mistake("silu", "through e^x, which overflows", lambda x: x * x.exp() / (1 + x.exp())),
    Mistake("feed_forward", "always the tanh form", lambda *, approximate=True, **given: right.feed_forward(**given)),
    Mistake("feed_forward", "exact by default",
            lambda *, approximate=False, **given: right.feed_forward(**given, approximate=approximate)),
    Mistake("feed_forward", "relu", _wrong(_feed_forward, relu=True)),
    Mistake("feed_forward", "bias after the nonlinearity", _wrong(_feed_forward, bias_last=True)),
    Mistake("gated_feed_forward", "gate on the wrong branch", lambda x, gate_weight, up_weight, down_weight:
            right.gated_feed_forward(x, up_weight, gate_weight, down_weight)),
    Mistake("gated_feed_forward", "a sigmoid gate", lambda x, gate_weight, up_weight, down_weight:
            ((x @ gate_weight.T).sigmoid() * (x @ up_weight.T)) @ down_weight.T),
    Mistake("gated_feed_forward", "a gelu gate", lambda x, gate_weight, up_weight, down_weight:
            (functional.gelu(x @ gate_weight.T) * (x @ up_weight.T)) @ down_weight.T),
    Mistake("decoder_block", "norm after the residual add in 'pre'", _wrong(_block, inside=False)),
    Mistake("decoder_block", "one norm for both branches", _wrong(_block, second="attention")),
    Mistake("decoder_block", "post-norm residual from the normed input", _wrong(_block, skip=False)),
    Mistake("decoder_block", "branches side by side", _parallel),
    Mistake("decoder_block", "mask forgotten",
            lambda x, parameters, mask, **named: right.decoder_block(x, parameters, None, **named)),
    Mistake("decoder_block", "the places of the norm exchanged", lambda x, parameters, mask, *, norm_position, **named:
            right.decoder_block(x, parameters, mask, norm_position={"pre": "post", "post": "pre"}[norm_position], **named)),
    Mistake("decoder_logits", "no last norm", _wrong(_logits, norm=False)),
    Mistake("decoder_logits", "its own head silently ignored", _wrong(_logits, own_head=False)),
    Mistake("decoder_logits", "no positions", _wrong(_logits, places=False)),
    Mistake("decoder_logits", "positions from 1", _wrong(_logits, shift=1)),
    Mistake("decoder_logits", "no causal mask", _wrong(_logits, causal=False)),
    Mistake("decoder_logits", "post-norm blocks", _wrong(_logits, place="post")),
    Mistake("decoder_logits", "embeddings times the root of the width", lambda tokens, parameters, **named:
            _logits(tokens, parameters, scale=parameters["token_embedding"].shape[1] ** 0.5, **named)),
    Mistake("decoder_logits", "epsilon forgotten",
            lambda tokens, parameters, *, heads, epsilon=1e-5: _logits(tokens, parameters, heads=heads)),
    Mistake("decoder_logits", "tokens beyond the vocabulary wrap", lambda tokens, parameters, **named:
            right.decoder_logits(tokens % len(parameters["token_embedding"]), parameters, **named), only_checks=True),
    Mistake("parameter_count", "the tied head counted twice",
            lambda *, tied, **sizes: right.parameter_count(tied=False, **sizes)),
    Mistake("parameter_count", "with attention biases", _wrong(_count, attention_bias=4)),
    Mistake("parameter_count", "without positions", _wrong(_count, positions=0)),
    Mistake("parameter_count", "without norms", _wrong(_count, norms=0)),
    Mistake("forward_operations", "a multiply-add as one", _wrong(_operations, each=1)),
    Mistake("forward_operations", "attention as if it skipped the future", _wrong(_operations, products=1)),
    Mistake("forward_operations", "without the head", _wrong(_operations, head=0)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("gelu", "torch's own", _torchs_gelu),
    Mistake("silu", "torch's own", lambda x: functional.silu(x)),
    Mistake(
        "decoder_block",
        "written out",
        lambda x, parameters, mask, **named: (
            right.decoder_block(x, parameters, mask, **named),
            _block(x, parameters, mask, **named),
        )[1],
    ),
    Mistake("decoder_logits", "fused projections and attention", _fused),
    Mistake("parameter_count", "part by part", lambda **sizes: (right.parameter_count(**sizes), _count(**sizes))[1]),
    Mistake("forward_operations", "part by part", lambda **sizes: (right.forward_operations(**sizes), _operations(**sizes))[1]),
)
