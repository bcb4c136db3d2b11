"""Mistakes planted into networks of autoregressive/transformer; formulas of GPT-2's other forms and of the Llama."""

import torch
from torch import nn
from torch.nn import functional

from practice_torch.autoregressive.attention import causal_mask, scaled_dot_product_attention
from practice_torch.autoregressive.normalization import layer_norm, rms_norm
from practice_torch.autoregressive.position import RotaryPositions, apply_rotary, rotary_angles
from practice_torch.autoregressive.transformer import gated_feed_forward, gelu
from practice_torch.networks import decoder_transformer
from practice_torch.networks.llama import LlamaDecoder
from shared_specs.rows import Model, begins_at, begins_normal, given, integers
from tests.support.networks import Held
from tests.support.planted_networks import (
    BEGINS,
    EVALUATED,
    FUTURE,
    NEVER,
    always_in_training,
    no_mask_in_training,
    no_scale,
    other_epsilon,
    put,
    without_residual,
)


def no_dropout(patch):
    """Neither of branches nor of attention weights, whatever the recipe asks for."""
    plain = decoder_transformer.DecoderTransformer.__init__
    patch.setattr(
        decoder_transformer.DecoderTransformer, "__init__", lambda self, **sizes: plain(self, **sizes | {"dropout": 0.0})
    )


def all_ends_alike(self, layers):
    """The ends of the branches begin with the deviation of all others."""
    for parameter in self.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=0.02)


def always_at_the_first_position(patch):
    """A step gives every token the position of the first."""
    plain = decoder_transformer.DecoderTransformer._read
    patch.setattr(
        decoder_transformer.DecoderTransformer, "_read", lambda self, tokens, cache, position: plain(self, tokens, cache, 0)
    )


def sees_the_rest_of_the_step(patch):
    """Of several tokens in one step each sees all."""
    plain = functional.scaled_dot_product_attention

    def mixed(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **others):
        return plain(query, key, value, None, dropout_p, is_causal and query.shape[-2] == 6, **others)

    patch.setattr(functional, "scaled_dot_product_attention", mixed)


def targets_summed(patch):
    """The sum over all tokens, not their mean."""
    plain = functional.cross_entropy
    patch.setattr(functional, "cross_entropy", lambda logits, targets: plain(logits, targets, reduction="sum"))


def hidden_before_the_last_norm(patch):
    """Hidden states are not normalized."""
    plain = decoder_transformer.DecoderTransformer.hidden

    def hidden(self, tokens):
        norm, self.final_norm = self.final_norm, nn.Identity()
        found, self.final_norm = plain(self, tokens), norm
        return found

    def forward(self, tokens, targets=None):
        return self.logits(self.final_norm(hidden(self, tokens)))

    patch.setattr(decoder_transformer.DecoderTransformer, "hidden", hidden)
    patch.setattr(decoder_transformer.DecoderTransformer, "forward", forward)


MISTAKES = {
    "DecoderTransformer": {
        "no mask while dropout trains": (no_mask_in_training, FUTURE),
        "no scale": (no_scale, "output"),
        "dropout in evaluation": (always_in_training(decoder_transformer.DecoderTransformer), EVALUATED),
        "no dropout": (no_dropout, "dropout in training"),
        "no residual": (without_residual(decoder_transformer.DecoderBlock), "output"),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "a step is always the first": (always_at_the_first_position, "one token after the other, from a cache"),
        "no mask in a step": (sees_the_rest_of_the_step, "several tokens after others, from a cache"),
        "what is hidden is not normalized": (hidden_before_the_last_norm, "the logits of what is hidden"),
        "a sum over the targets": (targets_summed, "the cross-entropy of targets"),
        NEVER: (put(decoder_transformer.DecoderTransformer, "_initialize", lambda self, layers: None), BEGINS),
        "all deviations alike": (put(decoder_transformer.DecoderTransformer, "_initialize", all_ends_alike), BEGINS),
    }
}
_IN_ROWS = "test_rows_of_different_lengths_are_read_as_if_each_were_alone"
ELSEWHERE = {
    "DecoderTransformer": {
        "parameters_by_name": "test_the_fused_network_computes_the_formulas",
        "step_after": _IN_ROWS,
        "step_rows": _IN_ROWS,
        "log_probs": "test_probabilities_of_targets_are_those_of_the_logits",
    }
}


def _from_a_cache(network, tokens):
    """One token, then several: the logits of each next token."""
    cache = network.empty_cache(len(tokens))
    first, rest = network.step_each(tokens[:, :1], cache, 0), network.step_each(tokens[:, 1:], cache, 1)
    return torch.cat([first, rest], 1), network(tokens)


def _losses(network, tokens):
    return network(tokens, tokens.flip(1)), functional.cross_entropy(network(tokens).flatten(0, 1), tokens.flip(1).flatten())


RELATIONS = {"parts, from a cache": _from_a_cache, "the cross-entropy of targets": _losses}
SIZES = dict(vocabulary_size=11, context_length=7, width=12, layers=2)
TOKENS = given(tokens=integers(3, 6, high=11))


def _heads(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _gpt2_logits(network, tokens):
    """Of any biases and GELU: those that a layer does not have are 0."""
    weight, length = network.token_embedding.weight, tokens.shape[1]
    linear = lambda layer, x: x @ layer.weight.T + (0 if layer.bias is None else layer.bias)  # noqa: E731

    def normed(norm, x):
        return layer_norm(x, norm.weight, torch.zeros_like(norm.weight) if norm.bias is None else norm.bias, epsilon=1e-5)

    x = weight[tokens] + network.position_embedding.weight[:length]
    mask, exact = causal_mask(query_length=length, key_length=length), network.blocks[0].gelu == "none"
    for block in network.blocks:
        of_heads = linear(block.query_key_value, normed(block.attention_norm, x)).chunk(3, -1)
        mixed = scaled_dot_product_attention(*(_heads(part, 3) for part in of_heads), mask)
        x = x + linear(block.output, mixed.transpose(1, 2).flatten(2))
        x = x + linear(block.down, gelu(linear(block.up, normed(block.feed_forward_norm, x)), approximate=not exact))
    return normed(network.final_norm, x) @ weight.T


def _llama(**sizes):
    return LlamaDecoder(**SIZES, feed_forward_width=20, positions=RotaryPositions(100.0), **sizes)


def _llama_logits(network, tokens):
    """Heads of keys and values are shared by neighboring heads of queries."""
    weight, length = network.token_embedding.weight, tokens.shape[1]
    x, mask = weight[tokens], causal_mask(query_length=length, key_length=length)
    angles = rotary_angles(torch.arange(length), head_width=2, base=100.0)
    for block in network.blocks:
        z, groups = rms_norm(x, block.attention_norm.weight, epsilon=1e-5), (len(block.query_key_value.weight) - 12) // 4
        of_heads, biases = z @ block.query_key_value.weight.T, block.query_key_value.bias
        query, key, value = (of_heads if biases is None else of_heads + biases).split([12, 2 * groups, 2 * groups], -1)
        query, key = (apply_rotary(_heads(part, part.shape[-1] // 2), angles, layout="half") for part in (query, key))
        key, value = (part.repeat_interleave(6 // groups, 1) for part in (key, _heads(value, groups)))
        x = x + scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).flatten(2) @ block.output.weight.T
        z = rms_norm(x, block.feed_forward_norm.weight, epsilon=1e-5)
        x = x + gated_feed_forward(z, block.gate.weight, block.up.weight, block.down.weight)
    return rms_norm(x, network.final_norm.weight, epsilon=1e-5) @ weight.T


def _held(constructor, formula, case, sizes, ends):
    """Two blocks, of which these layers are smaller by the root of 4."""
    initial = {"*norm.weight": begins_at(1)} | {f"*.{end}.weight": begins_normal(0.01) for end in ends}
    has_biases = sizes.get("biases") == "all" or "query_key_value_biases" in sizes
    initial |= {"*.weight": begins_normal(0.02)} | ({"*.bias": begins_at(0)} if has_biases else {})
    row = Model(constructor.__name__, case, TOKENS, sees={"tokens": 0}, sizes=sizes, training=dict(dropout=0.5), initial=initial,
                relations=RELATIONS)  # fmt: skip
    return Held(constructor, row, formula)


def _gpt2(**sizes):
    return decoder_transformer.DecoderTransformer(**SIZES, heads=3, **sizes)


HELD = (
    _held(_gpt2, _gpt2_logits, "nanoGPT's", dict(biases="none", exact_gelu=True), ("output", "down")),
    _held(_gpt2, _gpt2_logits, "the published weights'", dict(biases="all"), ("output", "down")),
    _held(_llama, _llama_logits, "a head of keys for three of queries", dict(heads=6, key_value_heads=2), ("output", "up")),
    _held(_llama, _llama_logits, "Qwen2's", dict(heads=6, key_value_heads=3, query_key_value_biases=True), ("output", "up")),
)
