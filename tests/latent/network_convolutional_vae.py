"""Networks of latent/convolutional_vae without a flax counterpart: their formulas and the rest of a Model row."""

from functools import partial

import torch
from torch.nn import functional

from practice_torch.experiments.codes.convolutional_autoencoder import ConvolutionalAutoencoder
from practice_torch.latent.convolutional_vae import convolution2d, nearest_upsample, transposed_convolution2d
from shared_specs.rows import Model, begins_at, begins_by_inputs, given, normal, uniform
from tests.support.networks import Held

LIMIT = 10.0  # of log-variances in latent/vae


def _convolved(network, x, noise, repeated=False):
    """The autoencoder of two levels, with a decoder that upsamples by transposed convolutions or by repeating pixels."""
    p, statistics = dict(network.named_parameters()), dict(network.named_buffers())

    def activated(place, h):
        mean, variance, gain, shift = (
            part[f"{place}.{name}"][:, None, None]
            for part, name in ((statistics, "running_mean"), (statistics, "running_var"), (p, "weight"), (p, "bias"))
        )
        return functional.silu((h - mean) / (variance + 1e-5).sqrt() * gain + shift)

    def doubled(place, h):
        weight = p[f"{place}.{int(repeated)}.weight"]
        bias = p.get(f"{place}.{int(repeated)}.bias", weight.new_zeros(weight.shape[0 if repeated else 1]))
        if repeated:
            return convolution2d(nearest_upsample(h, factor=2), weight, bias, padding=1)
        return transposed_convolution2d(h, weight, bias, stride=2, padding=1)

    h = x.unflatten(1, (2, 8, 8))
    for conv, norm in (("encoder.0.1", "encoder.0.2"), ("encoder.1.0", "encoder.1.1")):
        weight = p[f"{conv}.weight"]
        h = activated(norm, convolution2d(h, weight, weight.new_zeros(len(weight)), stride=2, padding=1))
    mean, log_var = (functional.linear(h.flatten(1), p[f"{name}.1.weight"], p[f"{name}.1.bias"]) for name in ("mean", "log_var"))
    log_var = LIMIT * torch.tanh(log_var / LIMIT)
    z = mean + (log_var / 2).exp() * noise
    h = activated("decoder.0.2", functional.linear(z, p["decoder.0.0.weight"]).unflatten(1, (4, 2, 2)))
    h = activated(f"decoder.1.{1 + repeated}", doubled("decoder.1", h))
    return doubled("logits", h).flatten(1), mean, log_var


_BATCH_NORMS = ("encoder.0.2", "encoder.1.1", "decoder.0.2")
HELD = (
    *(
        Held(
            ConvolutionalAutoencoder,
            Model(
                "ConvolutionalAutoencoder",
                case,
                given(x=uniform(3, 128), noise=normal(3, 5)),
                apart=False,
                sizes=dict(shape=(2, 8, 8), channels=(3, 4), latent_dim=5, repeated=repeated),
                initial={f"{norm}.weight": begins_at(1) for norm in (*_BATCH_NORMS, last)}
                | {f"{norm}.bias": begins_at(0) for norm in (*_BATCH_NORMS, last)}
                | {"*": begins_by_inputs()},
            ),
            partial(_convolved, repeated=repeated),
        )
        for case, repeated, last in (("transposed", False, "decoder.1.1"), ("repeated pixels", True, "decoder.1.2"))
    ),
)
