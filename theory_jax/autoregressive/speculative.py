"""Speculative decoding (lecture 48): a small model drafts tokens, a large one checks them, and the law is the large one's.

q is the law of the draft and p that of the target, after the same tokens.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
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
from theory_jax.autoregressive.decoding import categorical_from_uniform
from theory_jax.mathematics.elementary import expm1


def acceptance_probability(draft_log_probs, target_log_probs):
    r"""sum_x min(p(x), q(x)), with the draft q and the target p: how often a drafted token is accepted, 1 - TV(p, q).

    Raises ValueError if the shapes differ or a row of draft_log_probs or target_log_probs does not sum to one.
    Source: Leviathan et al. 2023, theorem 3.5.
    [B, V], [B, V] -> [B]
    """
    _require_laws(draft_log_probs, target_log_probs)
    return jnp.sum(jnp.exp(jnp.minimum(draft_log_probs, target_log_probs)), axis=1)


def residual_log_probs(draft_log_probs, target_log_probs):
    r"""log of max(p - q, 0) / sum max(p - q, 0), with the draft q and the target p; the target's own law where both are equal.

    Raises ValueError if the shapes differ or a row of draft_log_probs or target_log_probs does not sum to one.
    Source: Leviathan et al. 2023, section 2.3.
    [B, V], [B, V] -> [B, V]
    """
    _require_laws(draft_log_probs, target_log_probs)
    return _residual(draft_log_probs, target_log_probs)


def speculative_token(draft_token, draft_log_probs, target_log_probs, accept_uniform, residual_uniform):
    r"""The drafted token if accept_uniform < p/q at it, else a draw of the residual law; and whether it was accepted.

    Raises ValueError if the shapes do not fit, a row of draft_log_probs or target_log_probs does not sum to one, an entry of
    draft_token is no token or one of probability 0 in the draft, or accept_uniform or residual_uniform is outside [0, 1].
    Source: Leviathan et al. 2023, algorithm 1; Chen et al. 2023, algorithm 2.
    [B], [B, V], [B, V], [B], [B] -> [B], [B]
    """
    _require_laws(draft_log_probs, target_log_probs)
    require_one_each(draft_log_probs, draft_token=draft_token, accept_uniform=accept_uniform, residual_uniform=residual_uniform)
    require_unit_interval(accept_uniform=accept_uniform, residual_uniform=residual_uniform)
    ratio = _ratio(draft_log_probs, target_log_probs, draft_token=draft_token)
    accepted = accept_uniform < ratio
    redrawn = categorical_from_uniform(_residual(draft_log_probs, target_log_probs), residual_uniform)
    return jnp.where(accepted, widened(draft_token), redrawn), accepted


def speculative_block(draft_tokens, draft_log_probs, target_log_probs, accept_uniforms, final_uniform):
    r"""The drafted tokens up to the first that is rejected, then one more token, and -1; and how many drafts were accepted.

    The further token is drawn from the residual law where a draft was rejected, and from the target's last law where none was.
    The laws at a position are those after the drafts before it.

    Raises ValueError if the shapes do not fit, a row of draft_log_probs or target_log_probs does not sum to one, an entry of
    draft_tokens is no token or one of probability 0 in the draft, or accept_uniforms or final_uniform is outside [0, 1].
    Source: Leviathan et al. 2023, algorithm 1.
    [B, G], [B, G, V], [B, G+1, V], [B, G], [B] -> [B, G+1], [B]
    """
    require_rank(3, draft_log_probs=draft_log_probs)
    batch, length, size = draft_log_probs.shape
    require_shape((batch, length + 1, size), target_log_probs=target_log_probs)
    require_shape((batch, length), draft_tokens=draft_tokens, accept_uniforms=accept_uniforms)
    require_shape((batch,), final_uniform=final_uniform)
    require_log_probs(draft_log_probs=draft_log_probs, target_log_probs=target_log_probs)
    require_unit_interval(accept_uniforms=accept_uniforms, final_uniform=final_uniform)
    ratio = _ratio(draft_log_probs, target_log_probs[:, :length], draft_tokens=draft_tokens)
    place = jnp.arange(length + 1)
    # the first rejection; a dummy draft after the last one is always rejected
    rejected = jnp.pad(accept_uniforms >= ratio, ((0, 0), (0, 1)), constant_values=True)
    count = jnp.min(jnp.where(rejected, place, length), axis=1)
    dummy = jnp.full((batch, 1, size), -jnp.inf, draft_log_probs.dtype)
    residuals = _residual(jnp.concatenate([draft_log_probs, dummy], axis=1), target_log_probs)
    chosen = jnp.take_along_axis(residuals, count[:, None, None], axis=1)[:, 0]
    last = categorical_from_uniform(chosen, final_uniform)
    drafts = jnp.pad(widened(draft_tokens), ((0, 0), (0, 1)), constant_values=-1)
    tokens = jnp.where(place < count[:, None], drafts, -1)
    return jnp.where(place == count[:, None], last[:, None], tokens), count


def expected_block_length(acceptance, *, draft_length):
    r"""sum_{i=0}^G a^i: the mean number of tokens of a block of G drafts, each accepted with probability a by itself.

    Raises ValueError if an entry of acceptance is outside [0, 1] or draft_length < 1.  Source: Leviathan et al. 2023, eq. 1.
    [...] -> [...]
    """
    require_unit_interval(acceptance=acceptance)
    require_at_least(1, draft_length=draft_length)
    return sum(acceptance**i for i in range(1, draft_length + 1)) + 1.0


def _ratio(draft_log_probs, target_log_probs, **tokens):
    """p/q at each token."""
    ((name, drawn),) = tokens.items()
    require_integers(**tokens)
    require_tokens(draft_log_probs.shape[-1], **tokens)
    q, p = (jnp.take_along_axis(laws, widened(drawn)[..., None], axis=-1)[..., 0] for laws in (draft_log_probs, target_log_probs))
    require_values(name, drawn, lambda _: q > -jnp.inf, "a token that the draft can draw, of a positive probability")
    return jnp.exp(p - q)


def _residual(draft, target):
    more = target > draft
    # log (p - q) = log p + log (1 - q/p), and nothing that is not finite in a branch that is not taken
    shrunk = jnp.log(-expm1(jnp.where(more, draft - target, -1.0)))
    excess = jnp.where(more, target + shrunk, -jnp.inf)
    alike = ~jnp.any(more, axis=-1, keepdims=True)
    return jax.nn.log_softmax(jnp.where(alike, target, excess), axis=-1)


def _require_laws(draft_log_probs, target_log_probs):
    require_rank(2, draft_log_probs=draft_log_probs)
    require_same_shape(draft_log_probs=draft_log_probs, target_log_probs=target_log_probs)
    require_log_probs(draft_log_probs=draft_log_probs, target_log_probs=target_log_probs)
