"""Networks of autoregressive/position without a flax counterpart: their formulas and the rest of a Model row."""

import math
from functools import partial

import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import causal_mask
from practice_torch.autoregressive.normalization import layer_norm, post_norm_residual, pre_norm_residual
from practice_torch.autoregressive.position import (
    AlibiPositions,
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
    alibi_bias,
    apply_rotary,
    rotary_angles,
    sinusoidal_positions,
)
from practice_torch.autoregressive.transformer import feed_forward
from practice_torch.networks.open_decoder import OpenDecoder
from shared_specs.rows import Model, begins_at, begins_normal, given, integers
from tests.support.networks import Held

HEADS, WIDTH, LENGTH = 2, 8, 6

_SCHEMES = {
    "learned": lambda: LearnedPositions(LENGTH + 1, WIDTH),
    "sinusoidal": SinusoidalPositions,
    "rotary": RotaryPositions,
    "alibi": lambda: AlibiPositions(HEADS),
}


def _decoder(scheme, norm_position):
    return OpenDecoder(
        vocabulary_size=11, width=WIDTH, layers=2, heads=HEADS, positions=_SCHEMES[scheme](), norm_position=norm_position
    )


def _decoder_logits(network, tokens, scheme, norm_position):
    weight, length = network.token_embedding.weight, tokens.shape[1]
    x, places = weight[tokens], torch.arange(length)
    if scheme == "learned":
        x = x + network.positions.table[:length]
    if scheme == "sinusoidal":
        x = math.sqrt(WIDTH) * x + sinusoidal_positions(places, width=WIDTH, layout="half")
    around = {"pre": pre_norm_residual, "post": post_norm_residual}[norm_position]
    for block in network.blocks:
        p = block.parameters_by_name()
        perceptron = [p[name] for name in ("up_weight", "up_bias", "down_weight", "down_bias")]
        norms = [[p[f"{name}_norm_{end}"] for end in ("weight", "bias")] for name in ("attention", "feed_forward")]
        x = around(x, *norms[0], partial(_attention, parameters=p, scheme=scheme), epsilon=1e-5)
        x = around(x, *norms[1], lambda z, perceptron=perceptron: feed_forward(z, *perceptron), epsilon=1e-5)
    if norm_position == "pre":
        x = layer_norm(x, network.final_norm.weight, network.final_norm.bias, epsilon=1e-5)
    return functional.linear(x, weight)


def _attention(z, parameters, scheme):
    length = z.shape[1]
    query, key, value = (
        functional.linear(z, parameters[f"{name}_weight"]).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    if scheme == "rotary":
        angles = rotary_angles(torch.arange(length), head_width=WIDTH // HEADS)
        query, key = (apply_rotary(part, angles, layout="half") for part in (query, key))
    scores = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
    if scheme == "alibi":
        scores = scores + alibi_bias(heads=HEADS, query_length=length, key_length=length)
    scores = scores.masked_fill(~causal_mask(query_length=length, key_length=length), -torch.inf)
    return functional.linear((scores.softmax(-1) @ value).transpose(1, 2).flatten(2), parameters["output_weight"])


def _decoders():
    # GPT-2's deviations: the ends of the 2N = 4 branches are smaller by their root
    initial = {"*norm.weight": begins_at(1), "*.bias": begins_at(0), "*.output.weight": begins_normal(0.01)}
    initial |= {"*.down.weight": begins_normal(0.01), "*.weight": begins_normal(0.02)}
    for scheme in _SCHEMES:
        for place in ("pre", "post"):
            row = Model(
                "OpenDecoder",
                f"{scheme}, {place}",
                given(tokens=integers(3, LENGTH, high=11)),
                sees={"tokens": 0},
                sizes=dict(scheme=scheme, norm_position=place),
                initial=initial | ({"positions.table": begins_normal(0.02)} if scheme == "learned" else {}),
            )
            yield Held(_decoder, row, partial(_decoder_logits, **row.sizes))


HELD = (*_decoders(),)
