"""Wrong forms of speculative decoding that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.autoregressive import speculative as right
from practice_torch.autoregressive.decoding import categorical_from_uniform
from tests.support.mistakes import Mistake


def _residual(draft_log_probs, target_log_probs, size=lambda excess: excess.clamp(min=0), normalized=True, alike=True):
    right.residual_log_probs(draft_log_probs, target_log_probs)  # its checks
    excess = size(target_log_probs.exp() - draft_log_probs.exp())
    total = excess.sum(-1, keepdim=True)
    law = excess / torch.where(total > 0, total, 1.0) if normalized else excess
    logs = torch.where(law > 0, law, 1.0).log().masked_fill(law <= 0, -torch.inf)
    return torch.where((total <= 0) & alike, target_log_probs, logs)


def _wrong_residual(**mistake):
    return lambda draft_log_probs, target_log_probs: _residual(draft_log_probs, target_log_probs, **mistake)


def _token(draft_token, draft_log_probs, target_log_probs, accept_uniform, residual_uniform, limit=None, redraw=None):
    right.speculative_token(draft_token, draft_log_probs, target_log_probs, accept_uniform, residual_uniform)  # its checks
    q, p = (laws.gather(1, draft_token.long()[:, None])[:, 0].exp() for laws in (draft_log_probs, target_log_probs))
    accepted = accept_uniform < (limit(p, q) if limit else p / q)
    law = redraw(draft_log_probs, target_log_probs) if redraw else right.residual_log_probs(draft_log_probs, target_log_probs)
    return torch.where(accepted, draft_token.long(), categorical_from_uniform(law, residual_uniform)), accepted


def _wrong_token(**mistake):
    return lambda **given: _token(**given, **mistake)


def _block(draft_tokens, draft_log_probs, target_log_probs, accept_uniforms, final_uniform, goes_on=False, bonus="target",
           redraw=None, counted=0):  # fmt: skip
    """Row by row, from the left."""
    right.speculative_block(draft_tokens, draft_log_probs, target_log_probs, accept_uniforms, final_uniform)  # its checks
    batch, length = draft_tokens.shape
    written, counts = torch.full((batch, length + 1), -1), torch.zeros(batch, dtype=torch.long)
    for row in range(batch):
        place, accepted = 0, 0
        for k, token in enumerate(draft_tokens[row].tolist()):
            q, p = draft_log_probs[row, k], target_log_probs[row, k]
            if accept_uniforms[row, k] < (p[token] - q[token]).exp():
                written[row, place], place, accepted = token, place + 1, accepted + 1
                continue
            law = p[None] if redraw == "target" else right.residual_log_probs(q[None], p[None])
            written[row, place] = categorical_from_uniform(law, final_uniform[row : row + 1])[0]
            place += 1
            if not goes_on:
                break
        else:
            if bonus:
                law = target_log_probs[row, -1] if bonus == "target" else target_log_probs[row, -2]
                written[row, place] = categorical_from_uniform(law[None], final_uniform[row : row + 1])[0]
        counts[row] = accepted + counted
    return written, counts


def _wrong_block(**mistake):
    return lambda **given: _block(**given, **mistake)


def _in_their_width(draft_tokens, draft_log_probs, target_log_probs, accept_uniforms, final_uniform):
    """-1 is 255 in uint8."""
    tokens, count = right.speculative_block(draft_tokens, draft_log_probs, target_log_probs, accept_uniforms, final_uniform)
    return tokens.to(draft_tokens.dtype).long(), count


MISTAKES = (
    Mistake("acceptance_probability", "u < p", lambda draft_log_probs, target_log_probs: (
        draft_log_probs.exp() * target_log_probs.exp()).sum(1)),
    Mistake("acceptance_probability", "the larger", lambda draft_log_probs, target_log_probs: (
        torch.maximum(draft_log_probs, target_log_probs).exp().sum(1))),
    Mistake("acceptance_probability", "the total variation", lambda draft_log_probs, target_log_probs: (
        1 - right.acceptance_probability(draft_log_probs, target_log_probs))),
    Mistake("acceptance_probability", "its logarithm", lambda draft_log_probs, target_log_probs: (
        torch.minimum(draft_log_probs, target_log_probs).logsumexp(1))),
    Mistake("acceptance_probability", "logits are accepted", lambda draft_log_probs, target_log_probs: (
        right.acceptance_probability(draft_log_probs.log_softmax(1), target_log_probs.log_softmax(1))), only_checks=True),
    Mistake("residual_log_probs", "not clamped", _wrong_residual(size=torch.abs)),
    Mistake("residual_log_probs", "the draft's excess", _wrong_residual(size=lambda excess: (-excess).clamp(min=0))),
    Mistake("residual_log_probs", "not normalized", _wrong_residual(normalized=False)),
    Mistake("residual_log_probs", "log 0 where both are equal", _wrong_residual(alike=False)),
    Mistake("residual_log_probs", "the target", lambda draft_log_probs, target_log_probs: target_log_probs + 0 * (
        right.acceptance_probability(draft_log_probs, target_log_probs)[:, None])),
    Mistake("speculative_token", "u < p", _wrong_token(limit=lambda p, q: p)),
    Mistake("speculative_token", "u < q/p", _wrong_token(limit=lambda p, q: q / p)),
    Mistake("speculative_token", "redrawn from the target", _wrong_token(redraw=lambda q, p: p)),
    Mistake("speculative_token", "redrawn from the draft", _wrong_token(redraw=lambda q, p: q)),
    Mistake("speculative_token", "one uniform for both", lambda **given: right.speculative_token(
        **given | {"residual_uniform": given["accept_uniform"] + 0 * given["residual_uniform"]})),
    Mistake("speculative_block", "goes on after a rejection", _wrong_block(goes_on=True)),
    Mistake("speculative_block", "no token behind the last draft", _wrong_block(bonus="")),
    Mistake("speculative_block", "that token has the law before it", _wrong_block(bonus="earlier")),
    Mistake("speculative_block", "redrawn from the target", _wrong_block(redraw="target")),
    Mistake("speculative_block", "the redrawn token is counted", _wrong_block(counted=1)),
    Mistake("speculative_block", "-1 in the tokens' own width", _in_their_width, narrow=True),
    Mistake("expected_block_length", "accepted drafts alone", lambda acceptance, *, draft_length: (
        right.expected_block_length(acceptance, draft_length=draft_length) - 1)),
    Mistake("expected_block_length", "no bonus", lambda acceptance, *, draft_length: sum(
        acceptance**k for k in range(draft_length)) + 0 * acceptance),
    Mistake("expected_block_length", "0/0 at 1", lambda acceptance, *, draft_length: (
        (1 - acceptance ** (draft_length + 1)) / (1 - acceptance))),
    Mistake("expected_block_length", "acceptance is cut off", lambda acceptance, *, draft_length: right.expected_block_length(
        acceptance.clamp(0, 1), draft_length=draft_length), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("residual_log_probs", "by subtraction of probabilities", _residual, core_alone=True),
    Mistake("speculative_token", "by the ratio of probabilities", _token),
    Mistake("speculative_block", "row by row", _block),
)
