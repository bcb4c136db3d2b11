"""Wrong masked autoregressive flows that the rows must refuse, and other right ones."""

import torch

from practice_torch.flows import masked_autoregressive as right
from tests.support.mistakes import Mistake


def _so_many_passes(z, conditioner_fn, passes):
    right.inverse(z, conditioner_fn)
    x, log_det = torch.zeros_like(z), z.new_zeros(len(z))
    for _ in range(passes):
        mean, log_scale = conditioner_fn(x)
        x, log_det = z * log_scale.exp() + mean, log_scale.sum(1)
    return x, log_det


def _times_the_scale(x, conditioner_fn):
    _, log_det = right.forward(x, conditioner_fn)
    mean, log_scale = conditioner_fn(x)
    return (x - mean) * log_scale.exp(), log_det


def _mask_of_activations(x, weight, bias, mask):
    """An input is cut for all outputs or for none."""
    right.masked_linear(x, weight, bias, mask)
    return (x * mask.any(0)) @ weight.T + bias


MISTAKES = (
    Mistake("degrees_to_mask", "strict and not strict exchanged", lambda input_degrees, output_degrees, *, strict: (
        right.degrees_to_mask(input_degrees, output_degrees, strict=not strict))),
    Mistake("degrees_to_mask", "transposed", lambda input_degrees, output_degrees, *, strict: (
        right.degrees_to_mask(output_degrees, input_degrees, strict=strict).T)),
    Mistake("degrees_to_mask", "subtracts in narrow integers", lambda input_degrees, output_degrees, *, strict: (
        right.degrees_to_mask(input_degrees, output_degrees, strict=strict)
        | (output_degrees[:, None] - input_degrees >= int(strict))), narrow=True),
    Mistake("masked_linear", "the mask on activations", _mask_of_activations),
    Mistake("masked_linear", "no mask", lambda x, weight, bias, mask: (
        right.masked_linear(x, weight, bias, mask) * 0 + x @ weight.T + bias)),
    Mistake("masked_linear", "the mask on weight and bias", lambda x, weight, bias, mask: (
        right.masked_linear(x, weight, torch.where(mask.all(1), bias, 0), mask))),
    Mistake("masked_linear", "takes numbers for truth values", lambda x, weight, bias, mask: (
        right.masked_linear(x, weight, bias, mask.bool())), only_checks=True),
    Mistake("forward", "multiplied by the scale", _times_the_scale),
    Mistake("forward", "log-determinant added", lambda x, conditioner_fn: (
        right.forward(x, conditioner_fn)[0], -right.forward(x, conditioner_fn)[1])),
    Mistake("forward", "a log-variance", lambda x, conditioner_fn: right.forward(
        x, lambda y: (conditioner_fn(y)[0], conditioner_fn(y)[1] / 2))),
    Mistake("inverse", "one pass", lambda z, conditioner_fn: _so_many_passes(z, conditioner_fn, 1)),
    Mistake("inverse", "a pass too few", lambda z, conditioner_fn: _so_many_passes(z, conditioner_fn, z.shape[1] - 1)),
    Mistake("inverse", "the log-determinant of forward", lambda z, conditioner_fn: (
        right.inverse(z, conditioner_fn)[0], -right.inverse(z, conditioner_fn)[1])),
    Mistake("inverse", "conditioned on noise (an inverse autoregressive flow)", lambda z, conditioner_fn: (
        z * conditioner_fn(z)[1].exp() + conditioner_fn(z)[0] + 0 * right.inverse(z, conditioner_fn)[0],
        conditioner_fn(z)[1].sum(1))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "inverse",
        "passes beyond the last",
        lambda z, conditioner_fn: _so_many_passes(z, conditioner_fn, z.shape[1] + 2),
        core_alone=True,
    ),
)
