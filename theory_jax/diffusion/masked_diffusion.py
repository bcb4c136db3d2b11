"""Masked diffusion of tokens: noise replaces a token by a mask symbol, and the way back fills in masked places.

alpha is the probability that a token is kept: 1 at the data and 0 at pure noise. The V tokens of the alphabet include mask_id,
which never occurs in data.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
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
    widened,
)


def log_linear_alpha(time, *, epsilon=0.0):
    r"""alpha(t) = 1 - (1 - epsilon) t: uniform in t, and so linear in the probability of a mask.

    With epsilon = 0 the weight -alpha'/(1 - alpha) of the loss is 1/t, and nothing is kept at t = 1.

    Raises ValueError for a time outside [0, 1] or an epsilon outside [0, 1).  Source: Sahoo et al. 2024 (MDLM), section 3.
    [...] -> [...]
    """
    require_unit_interval(time=time)
    require(0 <= epsilon < 1, f"epsilon is {epsilon}; it must be at least 0 and less than 1")
    return 1.0 - (1.0 - epsilon) * time


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
    return jnp.where(uniforms < alpha[:, None], widened(tokens), mask_id)


def posterior_log_probs(x0_log_probs, tokens_t, alpha_s, alpha_t, *, mask_id):
    r"""log p(x_s | x_t) from the level alpha_t back to alpha_s, for every place, with p(x_0 | x_t) averaged out.

    Masked: (alpha_s - alpha_t)/(1 - alpha_t) p(x_0 = v) for a token v, and (1 - alpha_s)/(1 - alpha_t) for the mask. Visible:
    the token itself.

    Raises ValueError if the shapes do not fit, a row of x0_log_probs does not sum to one or leaves a probability to mask_id,
    an entry of tokens_t or mask_id is no token, alpha_t is outside [0, 1), or alpha_s is outside [alpha_t, 1].
    Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L, V], [B, L], [B], [B] -> [B, L, V]
    """
    size = _require_places(x0_log_probs=x0_log_probs, tokens_t=tokens_t, mask_id=mask_id)
    require_log_probs(x0_log_probs=x0_log_probs)
    at_mask = jnp.arange(size) == mask_id
    require_values("x0_log_probs", x0_log_probs, lambda p: (p == -jnp.inf) | ~at_mask, f"-inf for the mask, {mask_id}")
    _require_levels(tokens_t, alpha_s, alpha_t)
    left = jnp.log(1.0 - alpha_t)
    unmasks, stays = (_log(alpha_s - alpha_t) - left)[:, None, None], (_log(1.0 - alpha_s) - left)[:, None, None]
    # the probability 0 of the mask does not enter a sum: it would have a gradient
    masked_law = jnp.where(at_mask, stays, unmasks + jnp.where(at_mask, 0.0, x0_log_probs))
    tokens_t = widened(tokens_t)[..., None]
    return jnp.where(tokens_t == mask_id, masked_law, jnp.where(jnp.arange(size) == tokens_t, 0.0, -jnp.inf))


def masked_diffusion_loss(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
    r"""-alpha'/(1 - alpha) sum over masked places l of -log p(x^l | x_t), in nats: its mean over t and masks bounds -log p(x).

    p is the softmax of the logits of all tokens but the mask. alpha_slope is alpha'(t): -1 for alpha = 1 - t, with weight 1/t.

    Raises ValueError if the shapes do not fit, logits has fewer than two tokens, tokens contains mask_id, tokens_t is neither
    tokens nor mask_id, an entry or mask_id is no token, alpha is outside [0, 1), or alpha_slope is positive.
    Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L, V], [B, L], [B, L], [B], [B] -> [B]
    """
    size = _require_places(logits=logits, tokens_t=tokens_t, mask_id=mask_id)
    require_same_shape(tokens_t=tokens_t, tokens=tokens)
    require_integers(tokens=tokens)
    require_tokens(size, tokens=tokens)
    require_one_each(tokens, alpha=alpha, alpha_slope=alpha_slope)
    require_values("tokens", tokens, lambda t: t != mask_id, f"a token of the data, not the mask, {mask_id}")
    tokens, tokens_t = widened(tokens), widened(tokens_t)
    require_values("tokens_t", tokens_t, lambda t: (t == mask_id) | (t == tokens), f"that of tokens, or the mask, {mask_id}")
    _require_some_masked("alpha", alpha)
    require_values("alpha_slope", alpha_slope, lambda slope: slope <= 0, "at most 0: alpha falls with time")
    log_probs = jax.nn.log_softmax(_without_mask(logits, mask_id), axis=-1)
    costs = -jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    return -alpha_slope / (1.0 - alpha) * jnp.sum(jnp.where(tokens_t == mask_id, costs, 0.0), axis=1)


def unmask_step(tokens_t, logits, uniforms, gumbels, alpha_s, alpha_t, *, mask_id):
    r"""A draw from posterior_log_probs: a masked place is filled if u < (alpha_s - alpha_t)/(1 - alpha_t), by argmax logits + g.

    The g are independent Gumbel noise, -log(-log u). The mask is never drawn, and visible places stay as they are.

    Raises ValueError if the shapes do not fit, an entry of tokens_t or mask_id is no token, uniforms is outside [0, 1], alpha_t
    is outside [0, 1), or alpha_s is outside [alpha_t, 1].  Source: Sahoo et al. 2024 (MDLM), section 3.
    [B, L], [B, L, V], [B, L], [B, L, V], [B], [B] -> [B, L]
    """
    _require_places(logits=logits, tokens_t=tokens_t, mask_id=mask_id)
    require_same_shape(tokens_t=tokens_t, uniforms=uniforms)
    require_same_shape(logits=logits, gumbels=gumbels)
    require_unit_interval(uniforms=uniforms)
    _require_levels(tokens_t, alpha_s, alpha_t)
    tokens_t = widened(tokens_t)
    drawn = jnp.argmax(_without_mask(logits + gumbels, mask_id), axis=-1)
    filled = (tokens_t == mask_id) & (uniforms < ((alpha_s - alpha_t) / (1.0 - alpha_t))[:, None])
    return jnp.where(filled, drawn, tokens_t)


def _log(chance):
    """log, -inf at 0 with no slope there: nothing falls below 0."""
    some = chance > 0
    return jnp.where(some, jnp.log(jnp.where(some, chance, 1.0)), -jnp.inf)


def _without_mask(logits, mask_id):
    return jnp.where(jnp.arange(logits.shape[-1]) == mask_id, -jnp.inf, logits)


def _require_places(*, tokens_t, mask_id, **table):
    """One row of numbers for every place; the size of the alphabet."""
    ((name, rows),) = table.items()
    require_rank(3, **table)
    size = rows.shape[-1]
    require_shape(rows.shape[:2], tokens_t=tokens_t)
    require_integers(tokens_t=tokens_t)
    require(size >= 2, f"{name} has {size} tokens; there must be two: the mask, and one of the data")
    require(0 <= mask_id < size, f"mask_id is {mask_id}; it must be a token of the vocabulary, 0..{size - 1}")
    require_tokens(size, tokens_t=tokens_t)
    return size


def _require_levels(tokens_t, alpha_s, alpha_t):
    require_one_each(tokens_t, alpha_s=alpha_s, alpha_t=alpha_t)
    _require_some_masked("alpha_t", alpha_t)
    require_values("alpha_s", alpha_s, lambda a: (a >= alpha_t) & (a <= 1), "in [alpha_t, 1]: a step back keeps more")


def _require_some_masked(name, alpha):
    require_values(name, alpha, lambda a: (a >= 0) & (a < 1), "in [0, 1): at 1 no place is masked")
