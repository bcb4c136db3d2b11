"""Wrong forms of masked diffusion that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.diffusion import masked_diffusion as right
from tests.support.mistakes import Mistake, after_checks


def _mistake(function, name, wrong, **kinds):
    return Mistake(function, name, after_checks(right, function, wrong), **kinds)


def _alpha(form):
    return lambda time, *, epsilon: form(time, epsilon)


def _masks(kept, width=torch.int64):
    def wrong(tokens, uniforms, alpha, *, mask_id):
        keeps = kept(uniforms, alpha[:, None])
        return torch.where(keeps, tokens.to(width) if width else tokens, mask_id).long()

    return wrong


def _posterior(fill=lambda s, t: (s - t) / (1 - t), stay=lambda s, t: (1 - s) / (1 - t), visible="kept", averaged=True):
    """By probabilities."""

    def law(x0_log_probs, tokens_t, alpha_s, alpha_t, *, mask_id):
        x0, size = x0_log_probs.exp(), x0_log_probs.shape[-1]
        if not averaged:
            x0 = functional.one_hot(x0.argmax(-1), size).to(x0.dtype)
        at_mask = functional.one_hot(torch.tensor(mask_id), size).to(x0.dtype)
        moved = fill(alpha_s, alpha_t)[:, None, None] * x0 + stay(alpha_s, alpha_t)[:, None, None] * at_mask
        tokens_t = tokens_t.long()[..., None]
        known = functional.one_hot(tokens_t[..., 0], size).to(x0.dtype)
        probs = moved if visible == "drawn again" else torch.where(tokens_t == mask_id, moved, known)
        return torch.where(probs > 0, probs.where(probs > 0, 1.0).log(), -torch.inf)

    return law


def _loss(weight=lambda alpha, slope: -slope / (1 - alpha), places="masked", over_mask=False, reduce=torch.sum):
    def loss(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
        if not over_mask:
            logits = torch.cat([logits[..., :mask_id], torch.full_like(logits[..., :1], -1e9), logits[..., mask_id + 1 :]], -1)
        costs = -logits.log_softmax(-1).gather(-1, tokens.long()[..., None])[..., 0]
        counted = {"masked": tokens_t == mask_id, "visible": tokens_t != mask_id, "all": tokens_t == tokens_t}[places]
        return weight(alpha, alpha_slope) * reduce(torch.where(counted, costs, 0.0), 1)

    return loss


def _step(share=lambda s, t: (s - t) / (1 - t), below=True, remask=False, redraw=False, excluded=True, noisy=True):
    def step(tokens_t, logits, uniforms, gumbels, alpha_s, alpha_t, *, mask_id):
        scores = logits + gumbels if noisy else logits + 0 * gumbels
        if excluded:
            scores = scores.index_fill(-1, torch.tensor([mask_id]), -torch.inf)
        limit = share(alpha_s, alpha_t)[:, None]
        filled = uniforms < limit if below else uniforms > limit
        if not redraw:
            filled = filled & (tokens_t == mask_id)
        drawn = torch.where(filled, scores.argmax(-1), tokens_t.long())
        return torch.where(uniforms > 0.9, mask_id, drawn) if remask else drawn

    return step


def _unchecked(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
    noisy = torch.where(tokens_t == mask_id, mask_id, tokens.long())
    return right.masked_diffusion_loss(logits, tokens, noisy, alpha, alpha_slope, mask_id=mask_id)


def _narrow_comparison(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
    """In uint8 the token 0 is the mask 256."""
    noisy = torch.where(tokens_t == torch.tensor(mask_id).to(tokens_t.dtype), mask_id, tokens.long())
    return right.masked_diffusion_loss(logits, tokens, noisy, alpha, alpha_slope, mask_id=mask_id)


def _in_their_width(tokens_t, logits, uniforms, gumbels, alpha_s, alpha_t, *, mask_id):
    """A token that is drawn, or the mask, in the width of what is visible: 255 is -1 in int8."""
    drawn = right.unmask_step(tokens_t, logits, uniforms, gumbels, alpha_s, alpha_t, mask_id=mask_id)
    return drawn.to(tokens_t.dtype).long()


MISTAKES = (
    _mistake("log_linear_alpha", "the probability of a mask", _alpha(lambda t, e: (1 - e) * t)),
    _mistake("log_linear_alpha", "epsilon forgotten", _alpha(lambda t, e: 1 - t)),
    _mistake("log_linear_alpha", "exponential", _alpha(lambda t, e: max(e, 1e-9) ** t)),
    _mistake("log_linear_alpha", "1 - t + epsilon", _alpha(lambda t, e: 1 - t + e)),
    Mistake("log_linear_alpha", "any time", _alpha(lambda t, e: 1 - (1 - e) * t), only_checks=True),
    _mistake("mask_tokens", "kept where u > alpha", _masks(lambda u, a: u > a)),
    _mistake("mask_tokens", "kept at the level, too", _masks(lambda u, a: u <= a)),
    _mistake("mask_tokens", "one uniform for a text", _masks(lambda u, a: u[:, :1].expand_as(u) < a)),
    _mistake("mask_tokens", "the root of the level", _masks(lambda u, a: u < a.sqrt())),
    _mistake("mask_tokens", "256 in the tokens' own width", lambda tokens, uniforms, alpha, *, mask_id: torch.where(
        uniforms < alpha[:, None], tokens, torch.full((), mask_id).to(tokens.dtype)).long(), narrow=True),
    _mistake("posterior_log_probs", "alpha_t for alpha_s in what stays", _posterior(stay=lambda s, t: torch.ones_like(s))),
    _mistake("posterior_log_probs", "not divided", _posterior(fill=lambda s, t: s - t)),
    _mistake("posterior_log_probs", "the forward step", _posterior(lambda s, t: t / s, lambda s, t: 1 - t / s)),
    _mistake("posterior_log_probs", "visible tokens are drawn again", _posterior(visible="drawn again")),
    _mistake("posterior_log_probs", "the likeliest token", _posterior(averaged=False)),
    Mistake("posterior_log_probs", "no check of levels", lambda x0_log_probs, tokens_t, alpha_s, alpha_t, *, mask_id: (
        right.posterior_log_probs(x0_log_probs, tokens_t, torch.maximum(alpha_s, alpha_t).clamp(max=1), alpha_t,
                                  mask_id=mask_id)), only_checks=True),
    _mistake("masked_diffusion_loss", "weight without 1/(1 - alpha)", _loss(weight=lambda a, slope: -slope)),
    _mistake("masked_diffusion_loss", "weight without the slope", _loss(weight=lambda a, slope: 1 / (1 - a) + 0 * slope)),
    _mistake("masked_diffusion_loss", "weight 1/alpha", _loss(weight=lambda a, slope: -slope / a.clamp(min=1e-3))),
    _mistake("masked_diffusion_loss", "all places", _loss(places="all")),
    _mistake("masked_diffusion_loss", "visible places", _loss(places="visible")),
    _mistake("masked_diffusion_loss", "the mask left in the softmax", _loss(over_mask=True)),
    _mistake("masked_diffusion_loss", "a mean over places", _loss(reduce=torch.mean)),
    _mistake("masked_diffusion_loss", "the sign", _loss(weight=lambda a, slope: slope / (1 - a))),
    _mistake("masked_diffusion_loss", "compared in the tokens' own width", _narrow_comparison, narrow=True),
    Mistake("masked_diffusion_loss", "no check of what is visible", _unchecked, only_checks=True),
    _mistake("unmask_step", "filled where u is above", _step(below=False)),
    _mistake("unmask_step", "not divided", _step(share=lambda s, t: s - t)),
    _mistake("unmask_step", "with alpha_s", _step(share=lambda s, t: s)),
    _mistake("unmask_step", "visible tokens are drawn again", _step(redraw=True)),
    _mistake("unmask_step", "some are masked again", _step(remask=True)),
    _mistake("unmask_step", "the mask may be drawn", _step(excluded=False)),
    _mistake("unmask_step", "the likeliest token", _step(noisy=False)),
    _mistake("unmask_step", "draws in the tokens' own width", _in_their_width, narrow=True),
)  # fmt: skip

EQUIVALENT = (
    _mistake("log_linear_alpha", "from the masked part", _alpha(lambda t, e: 1 - (1 - e) * t)),
    _mistake("mask_tokens", "by where", _masks(lambda u, a: u < a)),
    _mistake("posterior_log_probs", "by probabilities", _posterior()),
    _mistake("masked_diffusion_loss", "a large negative logit for the mask", _loss()),
    _mistake("unmask_step", "the mask's score filled", _step()),
)
