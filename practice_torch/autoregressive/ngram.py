"""n-gram models: counts, their smoothing, and the likelihood of a sequence."""

import math

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_log_probs,
    require_rank,
    require_tokens,
    require_values,
)


def ngram_counts(tokens, *, order, vocabulary_size):
    r"""Counts of each window of `order` tokens: an array with `order` axes of length V. Windows do not cross rows.

    Raises ValueError if a token is outside 0..V-1 or order is below 1.  Source: Chen & Goodman 1999, section 2.
    [B, T] -> [...]
    """
    _require_tokens(tokens, vocabulary_size)
    require_at_least(1, order=order)
    shape = (vocabulary_size,) * order
    if tokens.shape[1] < order:
        return torch.zeros(shape, dtype=torch.int64, device=tokens.device)
    number = _packed(tokens.unfold(1, order, 1), vocabulary_size)
    return torch.bincount(number.flatten(), minlength=vocabulary_size**order).view(shape)


def additive_log_probs(counts, *, pseudo_count):
    r"""log (c_w + alpha) / (sum_w c_w + alpha V) over the last axis.

    Raises ValueError if pseudo_count or a count is negative, or with pseudo_count 0 a row is empty.
    Source: Chen & Goodman 1999, section 2.1.
    [..., V] -> [..., V]
    """
    require(counts.ndim >= 1, "counts has no axis; it must have at least that of the vocabulary")
    require(pseudo_count >= 0, f"pseudo_count is {pseudo_count}; it must be 0 or positive")
    require_values("counts", counts, lambda counts: counts >= 0, "0 or more")
    counts = _floating(counts)
    if pseudo_count == 0:
        allowed = "more than 0 in every row (sum), where pseudo_count is 0"
        require_values("counts", counts.sum(-1), lambda sums: sums > 0, allowed)
    probs = (counts + pseudo_count) / (counts.sum(-1, keepdim=True) + pseudo_count * counts.shape[-1])
    # a constant -inf for what never occurs: the slope of log 0 would make NaN of every slope in its row
    return probs.where(probs > 0, 1.0).log().where(probs > 0, -torch.inf)


def interpolated_log_probs(log_probs, log_weights):
    r"""log sum_k lambda_k p_k(w | the last k - 1 tokens): the k-th table of log_probs has k axes of length V, k = 1..n.

    Raises ValueError if log_weights is not one weight a table, a shape does not fit, or a table of log_probs or the weights do
    not sum to 1.  Source: Jelinek & Mercer 1980.
    ([...]), [n] -> [...]
    """
    require_rank(1, log_weights=log_weights)
    require(len(log_probs) > 0, "log_probs is empty; it must hold at least the table of single tokens")
    count, size = len(log_probs), log_probs[0].shape[0]
    require(len(log_weights) == count, f"log_weights has {len(log_weights)} entries; it must have {count}, one a table")
    require_log_probs(log_weights=log_weights)
    for k, table in enumerate(log_probs):
        name, shape = f"log_probs[{k}]", list(table.shape)
        require(shape == [size] * (k + 1), f"{name} has shape {shape}; it must have {k + 1} axes of length {size}")
        require_log_probs(**{name: table})
    # broadcasting aligns the last axes: the word, the token before it, and so on
    mixture = log_probs[0] + log_weights[0]
    for table, weight in zip(log_probs[1:], log_weights[1:], strict=True):
        mixture = _log_add(mixture, table + weight)
    return mixture


def interpolation_em_step(token_log_probs, log_weights):
    r"""The logarithms of lambda_k <- (1/N) sum_i lambda_k p_ik / sum_j lambda_j p_ij: one EM step on held-out tokens.

    The reduction over N is inherent.

    Raises ValueError if the shapes do not fit, the weights of log_weights do not sum to 1, or token_log_probs has no token or one
    of probability 0 under the mixture.  Source: Jelinek & Mercer 1980.
    [N, n], [n] -> [n]
    """
    require_rank(2, token_log_probs=token_log_probs)
    require_rank(1, log_weights=log_weights)
    count, size = token_log_probs.shape
    require(count > 0, "token_log_probs is empty; an average needs at least one token")
    require(len(log_weights) == size, f"log_weights has {len(log_weights)} entries; it must have {size}, one a column")
    require_log_probs(log_weights=log_weights)
    joint = token_log_probs + log_weights
    allowed = "possible: some weighted component has probability > 0"
    require_values("token_log_probs", joint.detach().amax(1), lambda best: best > -torch.inf, allowed)
    responsibilities = joint.log_softmax(dim=1)
    # a component without a share in any token: log 0, and no gradient through it
    used = (responsibilities > -torch.inf).any(0)
    total = torch.where(used, responsibilities, 0.0).logsumexp(0)
    return torch.where(used, total - math.log(count), -torch.inf)


def kneser_ney_log_probs(counts, *, discount):
    r"""Interpolated Kneser-Ney for pairs u, w, with the continuation law N(. w) / N(. .) behind what the discount d sets free.

    log [ max(c_uw - d, 0) / c_u + d N(u .) / c_u  N(. w) / N(. .) ],  N(u .) = #{w : c_uw > 0},  N(. w) = #{u : c_uw > 0}

    An unseen context u has the continuation law. A word that was never seen has probability 0 everywhere.

    Raises ValueError if counts is empty of counts or not square, holds a number between 0 and 1, or discount is outside [0, 1].
    Source: Kneser & Ney 1995; Chen & Goodman 1999, section 2.7.
    [V, V] -> [V, V]
    """
    require_rank(2, counts=counts)
    require(counts.shape[0] == counts.shape[1], f"counts has shape {list(counts.shape)}; it must be square")
    require(0 <= discount <= 1, f"discount is {discount}; it must lie within [0, 1]")
    require_values("counts", counts, lambda counts: (counts == 0) | (counts >= 1), "0, or at least 1")
    require_values("counts", counts.sum(), lambda total: total > 0, "more than 0 somewhere (sum of all)")
    counts = _floating(counts)
    seen = (counts > 0).to(counts.dtype)
    followers, preceders = seen.sum(1, keepdim=True), seen.sum(0)
    total = counts.sum(1, keepdim=True)
    unseen = total == 0
    mass = torch.relu(counts - discount) + discount * followers * (preceders / preceders.sum())
    probs = torch.where(unseen, preceders / preceders.sum(), mass / total.masked_fill(unseen, 1.0))
    impossible = probs == 0
    return probs.masked_fill(impossible, 1.0).log().masked_fill(impossible, -torch.inf)


def ngram_sequence_log_prob(tokens, log_probs):
    r"""sum over t >= n - 1 (counted from 0) of log p(x_t | x_{t-n+1}, ..., x_{t-1}), in nats, for a table with n axes.

    Raises ValueError if a token is outside 0..V-1 or the table log_probs has no axis or unequal ones.
    Source: Shannon 1948, section 3.
    [B, T], [...] -> [B]
    """
    order = log_probs.ndim
    require(order >= 1, "log_probs has no axis; it must have one for each token of a window")
    size = log_probs.shape[0]
    require(set(log_probs.shape) == {size}, f"log_probs has shape {list(log_probs.shape)}; its axes must be equally long")
    _require_tokens(tokens, size)
    if tokens.shape[1] < order:
        return log_probs.new_zeros(len(tokens))
    return log_probs.flatten()[_packed(tokens.unfold(1, order, 1), size)].sum(dim=1)


def _packed(windows, size):
    """Windows [..., n] as one number each, the first token the most significant digit."""
    windows = as_int64(windows)
    number = windows[..., 0]
    for k in range(1, windows.shape[-1]):
        number = number * size + windows[..., k]
    return number


def _log_add(a, b):
    """log(e^a + e^b), with no gradient instead of NaN where both are -inf."""
    a, b = torch.broadcast_tensors(a, b)
    impossible = (a == -torch.inf) & (b == -torch.inf)
    total = torch.logaddexp(a.masked_fill(impossible, 0.0), b.masked_fill(impossible, 0.0))
    return total.masked_fill(impossible, -torch.inf)


def _floating(counts):
    return counts if counts.is_floating_point() else counts.to(torch.get_default_dtype())


def _require_tokens(tokens, size):
    require_rank(2, tokens=tokens)
    require_tokens(size, tokens=tokens)
