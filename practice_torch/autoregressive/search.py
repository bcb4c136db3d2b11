"""Search at work: greedy, beams, Viterbi's dynamic programming, and scores that do not favor short sequences."""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_shape, require_values


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
    given, wanted = list(log_probs.shape), list(scores.shape)
    require(given[:2] == wanted, f"log_probs has shape {given}; it must begin with that of scores, {wanted}")
    require(given[1] * given[2] > 0, f"log_probs has shape {given}; there must be a beam and a token")
    require_at_least(1, width=width)
    require_values("scores", scores, lambda scores: scores < torch.inf, "a number, or -inf")
    _require_log_probs("log_probs", log_probs)
    candidates = (scores.unsqueeze(-1) + log_probs).flatten(1)
    index = _largest(candidates.detach(), min(width, candidates.shape[1]))
    return candidates.gather(1, index), index // given[2], index % given[2]


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
    size = initial_log_probs.shape[1]
    require(end_token is None or 0 <= end_token < size, f"end_token is {end_token}; it must be a token of 0..{size - 1}")
    # one empty beam: K copies of it would find the same sequence K times
    log_probs = initial_log_probs.unsqueeze(1)
    scores, _, tokens = beam_expansion(torch.zeros_like(log_probs[..., 0]), log_probs, width=width)
    prefixes = tokens.unsqueeze(-1)
    for _ in range(length - 1):
        log_probs = _step(step_fn, prefixes.flatten(0, 1), initial_log_probs).unflatten(0, scores.shape)
        if end_token is not None:
            finished = prefixes[..., -1:] == end_token
            log_probs = log_probs.masked_fill(finished, -torch.inf)
            ending = torch.arange(size, device=log_probs.device) == end_token
            log_probs = log_probs.masked_fill(finished & ending, 0.0)
        scores, parents, tokens = beam_expansion(scores, log_probs, width=width)
        # the best continuations are no longer in the order of the beams that they continue
        prefixes = torch.take_along_dim(prefixes, parents.unsqueeze(-1), dim=1)
        prefixes = torch.cat([prefixes, tokens.unsqueeze(-1)], dim=-1)
    return prefixes, scores


def greedy_search(initial_log_probs, step_fn, *, length):
    r"""x_t = argmax_v log p(v | x_<t), the lowest v among equals, and the log p of the sequence.

    step_fn: prefixes [B, t] -> log-probabilities of their next tokens, [B, V].

    Raises ValueError if a shape does not fit, length is below 1, or a log-probability of initial_log_probs or step_fn is
    positive.
    [B, V] -> [B, L], [B]
    """
    _require_start(initial_log_probs, length)
    score, token = initial_log_probs.max(dim=-1)
    prefix = token.unsqueeze(-1)
    for _ in range(length - 1):
        best, token = _step(step_fn, prefix, initial_log_probs).max(dim=-1)
        score = score + best
        prefix = torch.cat([prefix, token.unsqueeze(-1)], dim=-1)
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
    require_shape(initial_log_probs.shape[1:] * 2, transition_log_probs=transition_log_probs)
    _require_log_probs("transition_log_probs", transition_log_probs)
    best, pointers = initial_log_probs, []
    for _ in range(length - 1):
        # [b, v, u]: the arrivals in v side by side, so that the maximum runs over neighbors in memory
        best, before = (best.unsqueeze(1) + transition_log_probs.T).max(dim=-1)
        pointers.append(before)
    score, state = best.max(dim=-1, keepdim=True)
    path = [state]
    for before in reversed(pointers):
        path.append(before.gather(1, path[-1]))
    return torch.cat(path[::-1], dim=1), score.squeeze(-1)


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
    require_values("lengths", lengths, lambda lengths: lengths >= 0, "0 or more")
    return log_prob * ((5 + lengths.to(log_prob.dtype)) / 6).pow(-exponent)


def _largest(x, count):
    """The indices of the `count` largest entries of each row, in descending order, the lower index first among equals.

    topk leaves open which of two equals it takes, and to settle that by sorting all candidates takes several times as long. So
    topk tells the smallest value that is in, and the first entries of that value fill the places that the larger ones leave.
    """
    smallest = x.topk(count, dim=-1).values[:, -1:]
    above, equal = x > smallest, x == smallest
    chosen = above | (equal & (equal.cumsum(-1) <= count - above.sum(-1, keepdim=True)))
    places = torch.arange(x.shape[-1], device=x.device).expand_as(x).masked_fill(~chosen, x.shape[-1])
    index = places.topk(count, dim=-1, largest=False).values
    order = x.gather(-1, index).argsort(dim=-1, descending=True, stable=True)
    return index.gather(-1, order)


def _step(step_fn, prefixes, like):
    """The log-probabilities after each prefix, in the dtype of the first ones."""
    log_probs = step_fn(prefixes)
    given, wanted = list(log_probs.shape), [prefixes.shape[0], like.shape[1]]
    require(given == wanted, f"step_fn returned shape {given} for prefixes of shape {list(prefixes.shape)}; it must be {wanted}")
    _require_log_probs("a result of step_fn", log_probs)
    return log_probs.to(like.dtype)


def _require_start(initial_log_probs, length):
    require_rank(2, initial_log_probs=initial_log_probs)
    require(initial_log_probs.shape[1] > 0, "initial_log_probs has no column; it must have one for each token")
    require_at_least(1, length=length)
    _require_log_probs("initial_log_probs", initial_log_probs)


def _require_log_probs(name, array):
    """Not above 0: sums of logits mean nothing. Rows need not sum to 1, so that tokens may be ruled out on the way."""
    require_values(name, array, lambda array: array <= 1e-5, "a log-probability, 0 or less")
