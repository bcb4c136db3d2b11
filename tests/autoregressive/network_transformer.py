"""Mistakes planted into the networks of autoregressive/transformer, each with the quantity in which a check finds it."""

from torch import nn
from torch.nn import functional

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
ELSEWHERE = {"DecoderTransformer": {"parameters_by_name": "test_the_fused_network_computes_the_formulas"}}
