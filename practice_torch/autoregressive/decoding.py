"""Decoding at work: logits reshaped before a token is drawn from them, and the two ways of drawing it from uniform numbers.

Every filter takes and returns logits, with -inf for what is removed, so that they compose in any order:

    logits = nucleus_filter(apply_temperature(logits, temperature=0.8), mass=0.9)
    token = categorical_from_uniform(logits, torch.rand(len(logits), generator=generator))
"""

import math

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_rank,
    require_same_shape,
    require_tokens,
    require_unit_interval,
    require_values,
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
    largest = logits.topk(min(k, logits.shape[1]), dim=-1).values
    return logits.masked_fill(logits < largest[:, -1:], -torch.inf)


def nucleus_filter(logits, *, mass):
    r"""The nucleus (top-p): from the most likely token downward, l_i as long as the tokens before i have less than the mass.

    keep i  <=>  sum of p_j over j before i < mass;  among equals the lower index comes first

    The token that crosses the mass is kept: the nucleus has at least the mass, and at least one token.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Holtzman et al. 2020, section 3.1.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.masked_fill(_beyond(logits, order, mass), -torch.inf)


def typical_filter(logits, *, mass):
    r"""Locally typical sampling: as nucleus_filter, in the order of |-log p_i - H(p)|, the nearest to the entropy first.

    Raises ValueError unless 0 < mass <= 1, or if a row of logits has no finite maximum.
    Source: Meister et al. 2023, section 4.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    log_probs = logits.log_softmax(dim=-1)
    entropy = torch.special.entr(log_probs.exp()).sum(dim=-1, keepdim=True)
    distance = (log_probs + entropy).abs()  # infinite, thus last, for tokens that are already removed
    return logits.masked_fill(_beyond(logits, distance.argsort(dim=-1, stable=True), mass), -torch.inf)


def minimum_probability_filter(logits, *, fraction):
    r"""Min-p: l_i where p_i >= fraction max_j p_j, that is l_i >= max_j l_j + log fraction; -inf elsewhere.

    Raises ValueError unless 0 <= fraction <= 1, or if a row of logits has no finite maximum.
    Source: Nguyen et al. 2024, section 3.
    [B, V] -> [B, V]
    """
    _require_logits(logits)
    require(0 <= fraction <= 1, f"fraction is {fraction}; it must be within [0, 1]")
    gap = math.log(fraction) if fraction > 0 else -math.inf
    return logits.masked_fill(logits - logits.amax(dim=-1, keepdim=True) < gap, -torch.inf)


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
    # scattered, not gathered and written back: a token that occurs twice is not penalized twice
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, as_int64(tokens), True)
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


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
    sums = logits.softmax(dim=-1).cumsum(dim=-1)
    # Rounding may leave the whole sum at or below u: held below the sum, u finds the first token that completes it.
    total = sums[:, -1]
    below = torch.minimum(uniform.to(sums.dtype), torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(sums, below.unsqueeze(-1), right=True).squeeze(-1)


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
    numbers = torch.finfo(uniforms.dtype)
    exponential = -uniforms.clamp(numbers.tiny, 1 - numbers.eps / 2).log()
    return (logits - exponential.log()).argmax(dim=-1)


def _beyond(logits, order, mass):
    """True for the tokens that have the mass before them in the order.

    Equivalently, they and all after them have at most 1 - mass. Summed from that end, a tail of 1e-30 is still distinguished
    from zero.
    """
    require(0 < mass <= 1, f"mass is {mass}; it must be above 0, and at most 1")
    if mass == 1:  # then no token is excluded, not even one with a probability that underflows
        return torch.zeros_like(order, dtype=torch.bool)
    rest = logits.softmax(dim=-1).gather(-1, order).flip(-1).cumsum(dim=-1).flip(-1)
    first = torch.arange(order.shape[-1], device=order.device) == 0
    return torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, (rest <= 1 - mass) & ~first)


def _require_logits(logits):
    require_rank(2, logits=logits)
    require(logits.shape[1] > 0, "logits has no column; it must have one for each token of the vocabulary")
    allowed = "a number, or -inf for a token that is removed, with at least one token left in its row"
    require_values("logits", logits, lambda logits: (logits < torch.inf) & logits.isfinite().any(-1, keepdim=True), allowed)
