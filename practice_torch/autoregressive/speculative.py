"""Speculative decoding: acceptance of drafted tokens, the residual law, blocks, and the expected length of a block."""

import torch
from torch.nn import functional

from practice_torch.arguments import (
    as_int64,
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
)
from practice_torch.autoregressive.decoding import categorical_from_uniform


def acceptance_probability(draft_log_probs, target_log_probs):
    r"""sum_x min(p(x), q(x)), with the draft q and the target p: how often a drafted token is accepted, 1 - TV(p, q).

    Raises ValueError if the shapes differ or a row of draft_log_probs or target_log_probs does not sum to one.
    Source: Leviathan et al. 2023, theorem 3.5.
    [B, V], [B, V] -> [B]
    """
    _require_laws(draft_log_probs, target_log_probs)
    return torch.minimum(draft_log_probs, target_log_probs).exp().sum(1)


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
    require_unit_interval(residual_uniform=residual_uniform)
    accepted = _accepted(draft_token, draft_log_probs, target_log_probs, accept_uniform)
    redrawn = categorical_from_uniform(_residual(draft_log_probs, target_log_probs), residual_uniform)
    return torch.where(accepted, as_int64(draft_token), redrawn), accepted


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
    require_unit_interval(final_uniform=final_uniform)
    accepted = _accepted(draft_tokens, draft_log_probs, target_log_probs[:, :length], accept_uniforms)
    count = accepted.long().cumprod(1).sum(1)
    # beyond the drafts: a draft of probability 0 everywhere, so that the residual is the target
    drafts = functional.pad(draft_log_probs, (0, 0, 0, 1), value=-torch.inf)
    row = torch.arange(batch, device=count.device)
    last = categorical_from_uniform(_residual(drafts[row, count], target_log_probs[row, count]), final_uniform)
    place, kept = torch.arange(length + 1, device=count.device), functional.pad(as_int64(draft_tokens), (0, 1), value=-1)
    tokens = torch.where(place < count[:, None], kept, -1)
    return torch.where(place == count[:, None], last[:, None], tokens), count


def expected_block_length(acceptance, *, draft_length):
    r"""sum_{i=0}^G a^i: the mean number of tokens of a block of G drafts, each accepted with probability a by itself.

    Raises ValueError if an entry of acceptance is outside [0, 1] or draft_length < 1.  Source: Leviathan et al. 2023, eq. 1.
    [...] -> [...]
    """
    require_unit_interval(acceptance=acceptance)
    require_at_least(1, draft_length=draft_length)
    total = torch.ones_like(acceptance)
    for _ in range(draft_length):
        total = 1 + acceptance * total
    return total


def _accepted(tokens, draft_log_probs, target_log_probs, uniforms):
    """Whether u < p/q at each token."""
    size = draft_log_probs.shape[-1]
    name = "draft_token" if tokens.ndim == 1 else "draft_tokens"
    require_integers(**{name: tokens})
    require_tokens(size, **{name: tokens})
    require_unit_interval(**{"accept_uniform" if tokens.ndim == 1 else "accept_uniforms": uniforms})
    drawn, wanted = (laws.gather(-1, as_int64(tokens)[..., None])[..., 0] for laws in (draft_log_probs, target_log_probs))
    require_values(name, tokens, lambda _: drawn > -torch.inf, "a token that the draft can draw, of a positive probability")
    return uniforms < torch.exp(wanted - drawn)


def _residual(draft, target):
    more = target > draft
    # log (p - q) = log p + log(1 - q/p); both branches are kept finite for the gradient
    excess = torch.where(more, target, 0.0) + torch.log(-torch.expm1(torch.where(more, draft - target, -1.0)))
    alike = ~more.any(-1, keepdim=True)
    return torch.where(alike, target, excess.masked_fill(~more, -torch.inf)).log_softmax(-1)


def _require_laws(draft_log_probs, target_log_probs):
    require_rank(2, draft_log_probs=draft_log_probs)
    require_same_shape(draft_log_probs=draft_log_probs, target_log_probs=target_log_probs)
    require_log_probs(draft_log_probs=draft_log_probs, target_log_probs=target_log_probs)
