"""Search (lecture 48): the most likely sequence, how greedy and beam search miss it, and why one may not want it."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_shape, require_values, widened


def beam_expansion(scores, log_probs, *, width):
    r"""The best `width` of all s_k + log p_kv: their scores (descending), their parents k and their tokens v.

    Among equals the lowest k V + v comes first. Where there are fewer candidates than the width, all of them are returned:
    W = min(width, K V). A candidate of score -inf stays at -inf.

    Raises ValueError if the shapes do not fit, width is below 1, one of the scores is NaN or +inf, or one of log_probs is
    positive.  Source: Graves 2012, section 2.5 and algorithm 1.
    [B, K], [B, K, V] -> [B, W], [B, W], [B, W]
    """
    require_rank(2, scores=scores)
    require_rank(3, log_probs=log_probs)
    fits = log_probs.shape[:2] == scores.shape
    require(fits, f"log_probs has shape {list(log_probs.shape)}; it must begin with that of scores, {list(scores.shape)}")
    batch, beams, size = log_probs.shape
    require(beams * size > 0, f"log_probs has shape {list(log_probs.shape)}; there must be a beam and a token")
    require_at_least(1, width=width)
    require_values("scores", scores, lambda a: a < np.inf, "a number, or -inf")
    _require_log_probs("log_probs", log_probs)
    candidates = (scores[:, :, None] + log_probs).reshape(batch, beams * size)
    best, index = jax.lax.top_k(candidates, min(width, beams * size))  # the lower index first among equals
    index = widened(index)
    return best, index // size, index % size


def beam_search(initial_log_probs, step_fn, *, width, length, end_token=None):
    r"""Level by level, the best `width` continuations of the best `width` prefixes: sequences and their log p, best first.

    step_fn: prefixes [N, t] -> log-probabilities of their next tokens, [N, V]; N = B K, the beams of one example in a row.
    end_token: a beam that holds it is finished: it continues with that token alone, at no cost.

    K = min(width, V^length). A beam of score -inf is empty; its tokens have no meaning. Scores have the dtype of
    initial_log_probs.

    Raises ValueError if a shape does not fit, width or length is below 1, end_token is outside 0..V-1, or a log-probability of
    initial_log_probs or step_fn is positive.  Source: Graves 2012, section 2.5 and algorithm 1.
    [B, V] -> [B, K, L], [B, K]
    """
    _require_start(initial_log_probs, length)
    batch, size = initial_log_probs.shape
    require(end_token is None or 0 <= end_token < size, f"end_token is {end_token}; it must be a token of 0..{size - 1}")
    nothing_said = jnp.zeros((batch, 1), initial_log_probs.dtype)
    scores, _, token = beam_expansion(nothing_said, initial_log_probs[:, None], width=width)
    prefixes = token[:, :, None]
    for _ in range(1, length):
        beams, time = prefixes.shape[1:]
        log_probs = _step(step_fn, prefixes.reshape(batch * beams, time), initial_log_probs).reshape(batch, beams, size)
        if end_token is not None:
            at_no_cost = jnp.where(jnp.arange(size) == end_token, 0.0, -jnp.inf)
            log_probs = jnp.where(prefixes[:, :, -1:] == end_token, at_no_cost, log_probs)
        scores, parent, token = beam_expansion(scores, log_probs, width=width)
        kept = jnp.take_along_axis(prefixes, parent[:, :, None], axis=1)
        prefixes = jnp.concatenate([kept, token[:, :, None]], axis=2)
    return prefixes, scores


def greedy_search(initial_log_probs, step_fn, *, length):
    r"""x_t = argmax_v log p(v | x_<t), the lowest v among equals, and the log p of the sequence.

    step_fn: prefixes [B, t] -> log-probabilities of their next tokens, [B, V].

    Raises ValueError if a shape does not fit, length is below 1, or a log-probability of initial_log_probs or step_fn is
    positive.
    [B, V] -> [B, L], [B]
    """
    _require_start(initial_log_probs, length)
    log_probs, prefix = initial_log_probs, jnp.zeros((initial_log_probs.shape[0], 0), int)
    score = jnp.zeros(initial_log_probs.shape[0], initial_log_probs.dtype)
    for t in range(length):
        if t > 0:
            log_probs = _step(step_fn, prefix, initial_log_probs)
        token = jnp.argmax(log_probs, axis=-1, keepdims=True)
        score += jnp.take_along_axis(log_probs, token, axis=-1)[:, 0]
        prefix = jnp.concatenate([prefix, token], axis=1)
    return prefix, score


def viterbi(initial_log_probs, transition_log_probs, *, length):
    r"""The most likely path of a first-order chain and its log p, by dynamic programming; transition[a, b] = log p(b | a).

    d_1(v) = log p(v),  d_t(v) = max_u d_(t-1)(u) + log p(v | u); then back from the best end along the maximizing u.

    Among equals the lowest state, at the end and at every step back.

    Raises ValueError if a shape does not fit, length is below 1, or one of initial_log_probs or transition_log_probs is positive.
    Source: Viterbi 1967; Rabiner 1989, section III.B.
    [B, V], [V, V] -> [B, L], [B]
    """
    _require_start(initial_log_probs, length)
    size = initial_log_probs.shape[1]
    require_shape((size, size), transition_log_probs=transition_log_probs)
    _require_log_probs("transition_log_probs", transition_log_probs)

    (best, _), before = jax.lax.scan(_arrive, (initial_log_probs, transition_log_probs), None, length=length - 1)
    last = jnp.argmax(best, axis=-1)
    _, earlier = jax.lax.scan(_return, last, before, reverse=True)
    score = jnp.take_along_axis(best, last[:, None], axis=-1)[:, 0]
    return jnp.concatenate([earlier.T, last[:, None]], axis=1), score


def length_normalized_score(log_prob, lengths, *, exponent):
    r"""log p / ((5 + n) / 6)^alpha: log p itself with alpha = 0; with alpha = 1 and many tokens six times their mean.

    Raises ValueError if the shapes differ, an entry of log_prob is positive or a length negative.
    Source: Wu et al. 2016, eq. 14.
    [B], [B] -> [B]
    """
    require_rank(1, log_prob=log_prob, lengths=lengths)
    count = log_prob.shape[0]
    require(lengths.shape[0] == count, f"lengths has {lengths.shape[0]} entries; it must have {count}, as many as log_prob")
    _require_log_probs("log_prob", log_prob)
    require_values("lengths", lengths, lambda a: a >= 0, "0 or more")
    return log_prob / ((5 + lengths.astype(log_prob.dtype)) / 6) ** exponent


def _arrive(carry, _):
    """The best score of each state one step on, and the state that it came from. (Not a closure: so it is traced once.)"""
    best, steps = carry
    through = best[:, :, None] + steps
    before = jnp.argmax(through, axis=1)
    return (jnp.take_along_axis(through, before[:, None], axis=1)[:, 0], steps), before


def _return(state, before):
    """The state one step back on the best path."""
    state = jnp.take_along_axis(before, state[:, None], axis=1)[:, 0]
    return state, state


def _step(step_fn, prefixes, like):
    """The log-probabilities after each prefix, in the dtype of the first ones."""
    log_probs = step_fn(prefixes)
    given, wanted = list(jnp.shape(log_probs)), [prefixes.shape[0], like.shape[1]]
    require(given == wanted, f"step_fn returned shape {given} for prefixes of shape {list(prefixes.shape)}; it must be {wanted}")
    _require_log_probs("a result of step_fn", log_probs)
    return log_probs.astype(like.dtype)


def _require_start(initial_log_probs, length):
    require_rank(2, initial_log_probs=initial_log_probs)
    require(initial_log_probs.shape[1] > 0, "initial_log_probs has no column; it must have one for each token")
    require_at_least(1, length=length)
    _require_log_probs("initial_log_probs", initial_log_probs)


def _require_log_probs(name, array):
    """Not above 0: sums of logits mean nothing. Rows need not sum to 1, so that tokens may be ruled out on the way."""
    require_values(name, array, lambda a: a <= 1e-5, "a log-probability, 0 or less")
