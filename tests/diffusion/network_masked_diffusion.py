"""The network of diffusion/masked_diffusion by its formula: rotary positions, and attention to all places, later ones too."""

import math

import torch
from torch.nn import functional

from practice_torch.autoregressive.normalization import layer_norm, pre_norm_residual
from practice_torch.autoregressive.position import apply_rotary, rotary_angles
from practice_torch.autoregressive.transformer import feed_forward
from practice_torch.experiments.diffusion.masked_diffusion import SeesAll
from practice_torch.networks.open_decoder import OpenDecoder
from shared_specs.rows import Model, begins_at, begins_normal, given, integers
from tests.support.networks import Held

HEADS, WIDTH, LENGTH = 2, 8, 6


def _network(length):
    return OpenDecoder(vocabulary_size=11, width=WIDTH, layers=2, heads=HEADS, positions=SeesAll(length))


def _logits(network, tokens):
    weight = network.token_embedding.weight
    x = weight[tokens]
    for block in network.blocks:
        p = block.parameters_by_name()
        perceptron = [p[name] for name in ("up_weight", "up_bias", "down_weight", "down_bias")]
        norms = [[p[f"{name}_norm_{end}"] for end in ("weight", "bias")] for name in ("attention", "feed_forward")]
        x = pre_norm_residual(x, *norms[0], lambda z, p=p: _attention(z, p), epsilon=1e-5)
        x = pre_norm_residual(x, *norms[1], lambda z, perceptron=perceptron: feed_forward(z, *perceptron), epsilon=1e-5)
    return functional.linear(layer_norm(x, network.final_norm.weight, network.final_norm.bias, epsilon=1e-5), weight)


def _attention(z, parameters):
    query, key, value = (
        functional.linear(z, parameters[f"{name}_weight"]).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    angles = rotary_angles(torch.arange(z.shape[1]), head_width=WIDTH // HEADS)
    query, key = (apply_rotary(part, angles, layout="half") for part in (query, key))
    mixed = (query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)).softmax(-1) @ value
    return functional.linear(mixed.transpose(1, 2).flatten(2), parameters["output_weight"])


# GPT-2's deviations: the ends of the 2N = 4 branches are smaller by their root
INITIAL = {"*norm.weight": begins_at(1), "*.bias": begins_at(0), "*.output.weight": begins_normal(0.01)}
INITIAL |= {"*.down.weight": begins_normal(0.01), "*.weight": begins_normal(0.02)}
HELD = tuple(
    Held(
        _network,
        Model(
            "OpenDecoder",
            f"without a causal mask, room for {length} of 6",
            given(tokens=integers(3, LENGTH, high=11)),
            sizes=dict(length=length),
            initial=INITIAL,
        ),
        _logits,
    )
    for length in (LENGTH, LENGTH + 2)
)
