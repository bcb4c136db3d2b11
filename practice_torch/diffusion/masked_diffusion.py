"""Masked diffusion of tokens: the schedule, the masks, the way back, and the loss of the bound.

alpha is the probability that a token is kept, 1 at the data; the V tokens of the alphabet include mask_id.
"""

import torch
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_log_probs,
    require_one_each,
    require_rank,
    require_same_shape,
    require_shape,
    require_tokens,
    require_unit_interval,
    require_values,
    values_are_free,
)


def log_linear_alpha(time, *, epsilon=0.0):
    r"""alpha(t) = 1 - (1 - epsilon) t: uniform in t, and so linear in the probability of a mask.

    With epsilon = 0 the weight -alpha'/(1 - alpha) of the loss is 1/t, and nothing is kept at t = 1.

    Raises ValueError for a time outside [0, 1] or an epsilon outside [0, 1).  Source: Sahoo et al. 2024 (MDLM), section 3.
    [...] -> [...]
    """
    require_unit_interval(time=time)
    require(0 <= epsilon < 1, f"epsilon is {epsilon}; it must be at least 0 and less than 1")
    return (1 - time) + epsilon * time


def mask_tokens(tokens, uniforms, alpha, *, mask_id):
    r"""x_t^l = x^l where u^l < alpha, else the mask: every token by itself.

    Raises ValueError if the shapes do not fit, tokens has no integers, a negative one or mask_id, uniforms or alpha is outside
    [0, 1], or mask_id is negative.  Source: Austin et al. 2021 (D3PM), section 3.1 (absorbing state).
    [B, L], [B, L], [B] -> [B, L]
    """
    require_rank(2, tokens=tokens)
    require_integers(tokens=tokens)
    require_same_shape(tokens=tokens, uniforms=uniforms)
    require_one_each(tokens, alpha=alpha)
    require_at_least(0, mask_id=mask_id)
    require_values("tokens", tokens, lambda t: (t >= 0) & (t != mask_id), f"a token of the data, not negative, not {mask_id}")
    require_unit_interval(uniforms=uniforms, alpha=alpha)
    return as_int64(tokens).masked_fill(uniforms >= alpha.unsqueeze(1), mask_id)


def posterior_log_probs(x0_log_probs, tokens_t, alpha_s, alpha_t, *, mask_id):
    r"""log p(x_s | x_t) from the level alpha_t back to alpha_s, for every place, with p(x_0 | x_t) averaged out.

    Masked: (alpha_s - alpha_t)/(1 - alpha_t) p(x_0 = v) for a token v, and (1 - alpha_s)/(1 - alpha_t) for the mask. Visible:
    the token itself.

    Raises ValueError if the shapes do not fit, a row of x0_log_probs does not sum to one or leaves a probability to mask_id,
    an entry of tokens_t or mask_id is no token, alpha_t is outside [0, 1), or alpha_s is outside [alpha_t, 1].
    Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L, V], [B, L], [B], [B] -> [B, L, V]
    """
    _require_rows(mask_id, tokens_t, x0_log_probs=x0_log_probs)
    require_log_probs(x0_log_probs=x0_log_probs)
    require_values("x0_log_probs", x0_log_probs[..., mask_id], torch.isneginf, f"-inf for the mask, {mask_id}")
    _require_step(tokens_t, alpha_s, alpha_t)
    share = _filled_share(alpha_s, alpha_t)
    # log 0 gets the constant -inf: the logarithm's own slope there is infinite
    fills, stays = (
        torch.where(chance > 0, chance.where(chance > 0, 1.0).log(), -torch.inf)[:, None, None]
        for chance in (share, (1 - alpha_s) / (1 - alpha_t))
    )
    places = torch.arange(x0_log_probs.shape[-1], device=x0_log_probs.device)
    law = torch.where(places == mask_id, stays, fills + x0_log_probs)
    tokens_t = as_int64(tokens_t).unsqueeze(-1)
    point_mass = torch.full_like(law, -torch.inf).scatter(-1, tokens_t, 0.0)
    return torch.where(tokens_t == mask_id, law, point_mass)


def masked_diffusion_loss(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
    r"""-alpha'/(1 - alpha) sum over masked places l of -log p(x^l | x_t), in nats: its mean over t and masks bounds -log p(x).

    p is the softmax of the logits of all tokens but the mask. alpha_slope is alpha'(t): -1 for alpha = 1 - t, with weight 1/t.

    Raises ValueError if the shapes do not fit, logits has fewer than two tokens, tokens contains mask_id, tokens_t is neither
    tokens nor mask_id, an entry or mask_id is no token, alpha is outside [0, 1), or alpha_slope is positive.
    Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L, V], [B, L], [B, L], [B], [B] -> [B]
    """
    size = _require_rows(mask_id, tokens_t, logits=logits)
    require_same_shape(tokens_t=tokens_t, tokens=tokens)
    require_integers(tokens=tokens)
    require_tokens(size, tokens=tokens)
    require_one_each(tokens, alpha=alpha, alpha_slope=alpha_slope)
    clean, noisy = as_int64(tokens), as_int64(tokens_t)
    require_values("tokens", clean, lambda t: t != mask_id, f"a token of the data, not the mask, {mask_id}")
    if values_are_free(clean):
        require_values("tokens_t", noisy, lambda t: (t == mask_id) | (t == clean), f"that of tokens, or the mask, {mask_id}")
    require_values("alpha", alpha, lambda a: (a >= 0) & (a < 1), "in [0, 1): at 1 no place is masked")
    require_values("alpha_slope", alpha_slope, lambda slope: slope <= 0, "at most 0: alpha falls with time")
    costs = functional.cross_entropy(_no_mask(logits, mask_id).movedim(-1, 1), clean, reduction="none")
    return costs.where(noisy == mask_id, 0.0).sum(1) * alpha_slope / (alpha - 1)


def unmask_step(tokens_t, logits, uniforms, gumbels, alpha_s, alpha_t, *, mask_id):
    r"""A draw from posterior_log_probs: a masked place is filled if u < (alpha_s - alpha_t)/(1 - alpha_t), by argmax logits + g.

    The g are independent Gumbel noise, -log(-log u). The mask is never drawn, and visible places stay as they are.

    Raises ValueError if the shapes do not fit, an entry of tokens_t or mask_id is no token, uniforms is outside [0, 1], alpha_t
    is outside [0, 1), or alpha_s is outside [alpha_t, 1].  Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L], [B, L, V], [B, L], [B, L, V], [B], [B] -> [B, L]
    """
    _require_rows(mask_id, tokens_t, logits=logits)
    require_same_shape(tokens_t=tokens_t, uniforms=uniforms)
    require_same_shape(logits=logits, gumbels=gumbels)
    require_unit_interval(uniforms=uniforms)
    _require_step(tokens_t, alpha_s, alpha_t)
    noisy = as_int64(tokens_t)
    candidates = _no_mask(logits + gumbels, mask_id).argmax(-1)
    stays = (noisy != mask_id) | (uniforms >= _filled_share(alpha_s, alpha_t).unsqueeze(1))
    return noisy.where(stays, candidates)


def _filled_share(alpha_s, alpha_t):
    """How many of the masked places are filled by a step."""
    return (alpha_s - alpha_t) / (1 - alpha_t)


def _no_mask(logits, mask_id):
    ids = torch.arange(logits.shape[-1], device=logits.device)
    return logits.masked_fill(ids == mask_id, -torch.inf)


def _require_rows(mask_id, tokens_t, **table):
    """Every place of tokens_t has a row of a table over the alphabet, to which mask_id belongs; the alphabet's size."""
    require_rank(3, **table)
    ((name, rows),) = table.items()
    require_shape(rows.shape[:2], tokens_t=tokens_t)
    require_integers(tokens_t=tokens_t)
    size = rows.shape[2]
    require(size >= 2, f"{name} has {size} tokens; there must be two: the mask, and one of the data")
    require(0 <= mask_id < size, f"mask_id is {mask_id}; it must be a token of the vocabulary, 0..{size - 1}")
    require_tokens(size, tokens_t=tokens_t)
    return size


def _require_step(tokens_t, alpha_s, alpha_t):
    """Levels of a step back, with less noise at alpha_s."""
    require_one_each(tokens_t, alpha_s=alpha_s, alpha_t=alpha_t)
    require_values("alpha_t", alpha_t, lambda a: (a >= 0) & (a < 1), "in [0, 1): at 1 no place is masked")
    if values_are_free(alpha_t):
        require_values("alpha_s", alpha_s, lambda a: (a >= alpha_t) & (a <= 1), "in [alpha_t, 1]: a step back keeps more")
