"""Decoding (lecture 48): what each way of reshaping the next token's law keeps, and how uniform numbers become tokens."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import (
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
    widened,
)


def apply_temperature(logits, *, temperature):
    r"""l / T: softmax(l / T) is p^(1/T), normalized anew. T < 1 sharpens, T > 1 flattens; T -> 0 leaves the maxima,
    equally likely.

    Raises ValueError unless temperature is positive and finite, or if a row of logits has no finite maximum.
    Source: Ackley, Hinton & Sejnowski 1985.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 < temperature < math.inf, f"temperature is {temperature}; it must be positive and finite")
    return logits / temperature


def top_k_filter(logits, *, k):
    r"""l_i where l_i is at least the k-th largest logit, -inf elsewhere. Ties with the k-th are kept; k >= V keeps all.

    Raises ValueError if k is below 1 or a row of logits has no finite maximum.  Source: Fan et al. 2018, section 5.4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require_at_least(1, k=k)
    smallest_kept = jax.lax.top_k(logits, min(k, logits.shape[1]))[0][:, -1:]
    return jnp.where(logits >= smallest_kept, logits, -jnp.inf)


def nucleus_filter(logits, *, mass):
    r"""The nucleus (top-p): from the most likely token downward, l_i as long as the tokens before i have less than the mass.

    keep i  <=>  sum of p_j over j before i < mass;  among equals the lower index comes first

    The token that crosses the mass is kept: the nucleus has at least the mass, and at least one token.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Holtzman et al. 2020, section 3.1.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    return _keep_first(logits, -logits, mass)


def typical_filter(logits, *, mass):
    r"""Locally typical sampling: as nucleus_filter, in the order of |-log p_i - H(p)|, the nearest to the entropy first.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Meister et al. 2023, section 4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    possible = log_probs > -jnp.inf
    mean_surprise = -jnp.sum(jnp.exp(log_probs) * jnp.where(possible, log_probs, 0.0), axis=-1, keepdims=True)
    return _keep_first(logits, jnp.abs(-log_probs - mean_surprise), mass)


def minimum_probability_filter(logits, *, fraction):
    r"""Min-p: l_i where p_i >= fraction max_j p_j, that is l_i >= max_j l_j + log fraction; -inf elsewhere.

    Raises ValueError unless 0 <= fraction <= 1, or if a row of logits has no finite maximum.
    Source: Nguyen et al. 2024, section 3.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 <= fraction <= 1, f"fraction is {fraction}; it must be within [0, 1]")
    gap = math.log(fraction) if fraction > 0 else -math.inf
    return jnp.where(logits >= jnp.max(logits, axis=-1, keepdims=True) + gap, logits, -jnp.inf)


def repetition_penalty(logits, tokens, *, penalty):
    r"""l_i / theta if l_i > 0, theta l_i otherwise, for the tokens i that occur in `tokens`; the others stay as they are.

    A token counts once, however often it occurs. theta > 1 makes repetition less likely, theta < 1 more.

    Raises ValueError if penalty is not positive and finite, the batches differ, a token is outside 0..V-1, or a row of logits
    has no finite maximum.  Source: Keskar et al. 2019, section 4.1.
    [B, V], [B, T] -> [B, V]
    """
    _require_logits(logits)
    require_rank(2, tokens=tokens)
    rows, size = logits.shape
    require(tokens.shape[0] == rows, f"tokens has {tokens.shape[0]} rows; it must have one for each of the {rows} of logits")
    require(0 < penalty < math.inf, f"penalty is {penalty}; it must be positive and finite")
    require_tokens(size, tokens=tokens)
    seen = jnp.any(widened(tokens)[:, :, None] == jnp.arange(size), axis=1)
    return jnp.where(seen, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)


def categorical_from_uniform(logits, uniform):
    r"""The smallest i with u < p_0 + ... + p_i: a draw of softmax(l) where u is uniform. Never a token of probability 0.

    Raises ValueError if there is not one uniform a row, one is outside [0, 1], or a row of logits has no finite maximum.
    Source: Devroye 1986, section III.2.1.
    [B, V], [B] -> [B]
    """
    _require_logits(logits)
    require_rank(1, uniform=uniform)
    rows = logits.shape[0]
    require(uniform.shape[0] == rows, f"uniform has {uniform.shape[0]} entries; it must have one for each of the {rows} rows")
    require_unit_interval(uniform=uniform)
    sums = jnp.cumsum(jax.nn.softmax(logits, axis=-1), axis=-1)
    # Rounding may leave the whole sum at or below u: then it is the first token that completes it, not an index V.
    return jnp.minimum(jnp.sum(sums <= uniform[:, None], axis=-1), jnp.argmax(sums, axis=-1))


def gumbel_argmax(logits, uniforms):
    r"""argmax_i [ l_i - log(-log u_i) ]: a draw of softmax(l) where the u are independent and uniform. Never a token at -inf.

    Uniforms of exactly 0 and 1, which generators do produce, count as the nearest numbers between them.

    Raises ValueError if the shapes differ, a uniform is outside [0, 1], or a row of logits has no finite maximum.
    Source: Maddison et al. 2014, section 2.
    [B, V], [B, V] -> [B]
    """
    _require_logits(logits)
    require_same_shape(logits=logits, uniforms=uniforms)
    require_unit_interval(uniforms=uniforms)
    limits = jnp.finfo(uniforms.dtype)
    inside = jnp.clip(uniforms, limits.tiny, 1 - limits.epsneg)
    return jnp.argmax(logits - jnp.log(-jnp.log(inside)), axis=-1)


def _keep_first(logits, key, mass):
    """The logits of the tokens that have less than the mass before them, in ascending order of the key; -inf for the others."""
    require(0 < mass <= 1, f"mass is {mass}; it must be above 0, and at most 1")
    order = jnp.argsort(key, axis=-1, stable=True)
    sorted_probs = jnp.take_along_axis(jax.nn.softmax(logits, axis=-1), order, axis=-1)
    # the mass before the first is exactly 0, so that one token is kept for the smallest mass
    before = jnp.cumsum(jnp.pad(sorted_probs[:, :-1], ((0, 0), (1, 0))), axis=-1)
    # a mass of 1 means everything: rounding must not take the tail away
    kept = (before < mass) | (mass == 1)
    return jnp.where(jnp.take_along_axis(kept, jnp.argsort(order, axis=-1), axis=-1), logits, -jnp.inf)


def _require_logits(logits):
    require_rank(2, logits=logits)
    require(logits.shape[1] > 0, "logits has no column; it must have one for each token of the vocabulary")
    allowed = "a number, or -inf for a token that is removed, with at least one token left in its row"
    require_values("logits", logits, lambda a: (a < np.inf) & np.any(np.isfinite(a), axis=-1, keepdims=True), allowed)
