r"""State-space duality, Mamba-2: the recurrence, masked attention, and chunks of both, as matrix products over groups of heads.

h_t = a_t h_(t-1) + x_t B_t^T and y_t = h_t C_t with a state h [P, N] for every head: x [B, T, H, P] has its step in it already,
log_decay [B, T, H] has log a_t, and the H heads share b and c [B, T, G, N] in G groups, the first H/G heads the first group's.
"""

import torch

from practice_torch.arguments import require, require_at_least, require_rank, require_shape


def segment_sum(log_decay):
    r"""sum_(s < k <= t) log a_k for s <= t, so 0 at s = t, and -inf for s > t: its exponential weights, at t, an input at s.

    Every entry is summed separately: a difference of two running sums would lose the digits of a short sum after a long one.

    Raises ValueError if log_decay has another number of axes.  Source: Dao & Gu 2024, section 6 and listing 1.
    [B, T, H] -> [B, H, T, T]
    """
    require_rank(3, log_decay=log_decay)
    return _sums(log_decay.mT)


def dual_quadratic(x, log_decay, b, c):
    r"""y_t = sum_(s <= t) e^(segment sum from s to t) (C_t . B_s) x_s: attention without a softmax, masked by the decay.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, or x has no step.
    Source: Dao & Gu 2024, section 3.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N] -> [B, T, H, P]
    """
    _require_groups(x, log_decay, b, c)
    x, log_decay, b, c = _by_group(x, log_decay, b, c)
    return _by_head(_attention(x, _sums(log_decay), b, c))


def dual_recurrent(x, log_decay, b, c, initial):
    r"""h_t = a_t h_(t-1) + x_t B_t^T and y_t = h_t C_t for t = 1, 2, ...: the outputs, and the last state, with which to go on.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, or x has no step.
    Source: Dao & Gu 2024, section 3.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N], [B, H, P, N] -> [B, T, H, P], [B, H, P, N]
    """
    _require_groups(x, log_decay, b, c)
    require_shape((len(x), *x.shape[2:], b.shape[3]), initial=initial)
    state, outputs = initial.unflatten(1, (b.shape[2], -1)), []
    x, log_decay, b, c = _by_group(x, log_decay, b, c)
    for now, kept, written, read in zip(x.unbind(3), log_decay.exp().unbind(3), b.unbind(3), c.unbind(3), strict=True):
        state = torch.addcmul(now.unsqueeze(-1) * written.unsqueeze(-2), kept[..., None, None], state)
        outputs.append((state @ read.unsqueeze(-1)).squeeze(-1))
    return _by_head(torch.stack(outputs, 3)), state.flatten(1, 2)


def dual_chunked(x, log_decay, b, c, *, chunk):
    r"""dual_quadratic in chunks of steps: attention inside each of them, a recurrence of their states between them.

    y_t = e^(sum since the chunk's beginning) h C_t + what dual_quadratic gives of the chunk alone, h the state that enters it.

    Raises ValueError if the shapes do not fit, the groups of b do not divide the heads, x has no step, chunk is less than 1, or
    chunk does not divide the number of steps.  Source: Dao & Gu 2024, section 6.
    [B, T, H, P], [B, T, H], [B, T, G, N], [B, T, G, N] -> [B, T, H, P]
    """
    require_at_least(1, chunk=chunk)
    _require_groups(x, log_decay, b, c)
    steps = x.shape[1]
    require(steps % chunk == 0, f"chunk is {chunk}; it must divide the {steps} steps of x: pad them, or choose another")
    x, log_decay, b, c = _by_group(*(array.unflatten(1, (-1, chunk)) for array in (x, log_decay, b, c)))
    sums, since = _sums(log_decay), log_decay.cumsum(-1).exp()
    # the contribution of every chunk to the state, and from these, in order, the state that enters each chunk
    added = (x * sums[..., -1, :, None].exp()).mT @ b
    state, entering = torch.zeros_like(added[:, 0]), []
    for kept, new in zip(since[..., -1, None, None].unbind(1), added.unbind(1), strict=True):
        entering.append(state)
        state = torch.addcmul(new, kept, state)
    earlier = c @ torch.stack(entering, 1).mT
    return _by_head(torch.addcmul(_attention(x, sums, b, c), since.unsqueeze(-1), earlier)).flatten(1, 2)


def linear_attention(query, key, value):
    r"""y_t = sum_(s <= t) (q_t . k_s) v_s: causal attention without softmax and normalization, i.e. no decay at all.

    Raises ValueError if the shapes do not fit or query has no step.  Source: Katharopoulos et al. 2020, eq. 8.
    [B, T, H, N], [B, T, H, N], [B, T, H, P] -> [B, T, H, P]
    """
    require_rank(4, query=query, value=value)
    require(query.shape[1] > 0, f"query has shape {list(query.shape)}; it must have at least one step")
    require_shape(query.shape, key=key)
    require_shape((*query.shape[:3], value.shape[3]), value=value)
    query, key, value = (array.transpose(1, 2) for array in (query, key, value))
    return ((query @ key.mT).tril() @ value).transpose(1, 2)


def _sums(rows):
    """[..., T] -> [..., T, T]: of the entries after column s up to row t, -inf above the diagonal."""
    steps = rows.shape[-1]
    later = torch.ones(steps, steps, dtype=torch.bool, device=rows.device).triu(1)
    return rows.unsqueeze(-1).expand(*rows.shape, steps).tril(-1).cumsum(-2).masked_fill(later, -torch.inf)


def _attention(x, sums, b, c):
    """The scores are those of a group, the mask and the values those of a head."""
    return (sums.exp() * (c @ b.mT)) @ x


def _by_group(x, log_decay, b, c):
    """[..., T, H, P], [..., T, H], twice [..., T, G, N] -> [..., G, R, T, P], [..., G, R, T], twice [..., G, 1, T, N]; H = G R"""
    groups = b.shape[-2], -1
    x, log_decay = x.unflatten(-2, groups).movedim(-4, -2), log_decay.unflatten(-1, groups).movedim(-3, -1)
    return x, log_decay, *(array.transpose(-3, -2).unsqueeze(-3) for array in (b, c))


def _by_head(y):
    """[..., G, R, T, P] -> [..., T, H, P]"""
    return y.movedim(-2, -4).flatten(-3, -2)


def _require_groups(x, log_decay, b, c):
    require_rank(4, x=x, b=b)
    batch, steps, heads, _ = x.shape
    require(steps > 0, f"x has shape {list(x.shape)}; it must have at least one step")
    require_shape((batch, steps, heads), log_decay=log_decay)
    groups = b.shape[2]
    require(groups > 0 and heads % groups == 0, f"b has {groups} groups; they must divide the {heads} heads of x")
    require_shape((batch, steps, groups, b.shape[3]), b=b)
    require_shape(b.shape, c=c)
