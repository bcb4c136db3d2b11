"""Mistakes planted into the networks of autoregressive/attention, each with the quantity in which a check finds it."""

from torch import nn
from torch.nn import functional

from practice_torch.autoregressive import attention
from tests.support.planted_networks import (
    BEGINS,
    EVALUATED,
    FUSED,
    FUTURE,
    OTHERS,
    always_in_training,
    mean_of_the_batch,
    no_mask_in_training,
    no_scale,
    other_epsilon,
    put,
    twice_as_wide,
)


def no_mask_at_all(patch):
    unmasked = dict(is_causal=False)
    patch.setattr(functional, "scaled_dot_product_attention", lambda *given, **others: FUSED(*given, **others | unmasked))


def masks_ignored(patch):
    """Every key is seen, whatever the mask; the causal mask is not affected."""

    def mixed(query, key, value, attn_mask=None, **others):
        return FUSED(query, key, value, **others)

    patch.setattr(functional, "scaled_dot_product_attention", mixed)


MISTAKES = {
    "MultiHeadAttention": {
        "no mask while dropout trains": (no_mask_in_training, FUTURE),
        "no scale": (no_scale, "output"),
        "the mask is ignored": (masks_ignored, "output"),
        "dropout in evaluation": (always_in_training(attention.MultiHeadAttention), EVALUATED),
        "the batch mixes": (mean_of_the_batch(attention.MultiHeadAttention), OTHERS),
    },
    "Transducer": {
        "embeddings twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
        "another epsilon": (other_epsilon(nn.LayerNorm, 1e-6), "output"),
        "no mask": (no_mask_at_all, FUTURE),
    },
}
ELSEWHERE = {"Transducer": {"cross_attention_weights": "test_what_is_drawn_is_what_the_fused_kernel_mixes"}}
