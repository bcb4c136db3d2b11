"""Mistakes planted into the networks of autoregressive/transformer, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.networks import decoder_transformer
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


MISTAKES = {
    "DecoderTransformer": {
        "no mask while dropout trains": (no_mask_in_training, FUTURE),
        "no scale": (no_scale, "output"),
        "dropout in evaluation": (always_in_training(decoder_transformer.DecoderTransformer), EVALUATED),
        "no dropout": (no_dropout, "dropout in training"),
        "no residual": (without_residual(decoder_transformer.DecoderBlock), "output"),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        NEVER: (put(decoder_transformer.DecoderTransformer, "_initialize", lambda self, layers: None), BEGINS),
        "all deviations alike": (put(decoder_transformer.DecoderTransformer, "_initialize", all_ends_alike), BEGINS),
    },
}
