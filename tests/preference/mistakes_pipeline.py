"""Wrong masks, log-probabilities, win rates and scores that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn.functional import cross_entropy

from practice_torch.preference import pipeline as right
from tests.support.mistakes import Mistake


def _mask(of):
    """of(steps, prompt lengths, lengths)."""

    def mask(prompt_lengths, lengths, *, width):
        return of(torch.arange(width), prompt_lengths.long()[:, None], lengths.long()[:, None])

    return mask


def _narrow(prompt_lengths, lengths, *, width):
    steps = torch.arange(width).to(prompt_lengths.dtype)
    return (steps >= prompt_lengths[:, None]) & (steps < lengths[:, None])


def _chosen(tokens, logits):
    return logits.log_softmax(-1).gather(-1, tokens.long().clamp(0, logits.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)


def _log_probs(tokens, logits, counted):
    """0 where nothing counts, without a gradient there."""
    shown = logits.masked_fill(~counted.unsqueeze(-1), 0.0)
    return _chosen(tokens, shown).masked_fill(~counted, 0.0)


def _log_prob(change=lambda completion: completion, total=lambda log_probs, counted: log_probs.sum(1)):
    def log_prob(tokens, logits, completion):
        counted = change(completion)[:, 1:]
        return total(_log_probs(tokens[:, 1:], logits[:, :-1], counted), counted)

    return log_prob


def _with_prompt(completion):
    return completion.flip(1).cummax(1).values.flip(1)


def _mean(log_probs, counted):
    return log_probs.sum(1) / counted.sum(1)


def _same_step(tokens, logits, completion):
    return _log_probs(tokens, logits, completion).sum(1)


def _unmasked_product(tokens, logits, completion):
    return (_chosen(tokens[:, 1:], logits[:, :-1]) * completion[:, 1:]).sum(1)


def _supervised(tokens, logits, completion, over):
    return -_log_prob()(tokens, logits, completion) / over(completion)


def _score(tokens, completion, token_values, counted=None, over=None):
    counted = completion if counted is None else counted
    values = token_values[tokens.long().masked_fill(~counted, 0).clamp(0, len(token_values) - 1)].masked_fill(~counted, 0.0)
    return values.sum(1) / (counted.sum(1) if over is None else over)


def _rate(win=1.0, tie=0.5, of=torch.mean):
    def rate(scores_first, scores_second):
        return of(win * (scores_first > scores_second).to(scores_first) + tie * (scores_first == scores_second).to(scores_first))

    return rate


def _of_decided(scores_first, scores_second):
    decided = scores_first != scores_second
    return (scores_first > scores_second)[decided].to(scores_first).mean()


MISTAKES = (
    Mistake("completion_mask", "one late", _mask(lambda t, p, n: (t > p) & (t <= n))),
    Mistake("completion_mask", "one early", _mask(lambda t, p, n: (t >= p - 1) & (t < n - 1))),
    Mistake("completion_mask", "a token too many", _mask(lambda t, p, n: (t >= p) & (t <= n))),
    Mistake("completion_mask", "with the prompt", _mask(lambda t, p, n: t < n)),
    Mistake("completion_mask", "with the padding", _mask(lambda t, p, n: (t >= p) & (n > 0))),
    Mistake("completion_mask", "lengths of completions", _mask(lambda t, p, n: (t >= p) & (t < p + n))),
    Mistake("completion_mask", "steps in the width of the integers", _narrow, narrow=True),
    Mistake("completion_mask", "accepts an empty completion", _mask(lambda t, p, n: (t >= p) & (t < n)), only_checks=True),
    Mistake("completion_log_prob", "the logits of the same step", _same_step),
    Mistake("completion_log_prob", "the prompt counted", _log_prob(_with_prompt)),
    Mistake("completion_log_prob", "the padding counted", _log_prob(lambda completion: completion.cummax(1).values)),
    Mistake("completion_log_prob", "all counted", _log_prob(torch.ones_like)),
    Mistake("completion_log_prob", "the mask not shifted", lambda tokens, logits, completion: (
        _log_probs(tokens[:, 1:], logits[:, :-1], completion[:, :-1]).sum(1))),
    Mistake("completion_log_prob", "a mean", _log_prob(total=_mean)),
    Mistake("completion_log_prob", "NaN flows back from padding", _unmasked_product),
    Mistake("completion_log_prob", "not normalized", lambda tokens, logits, completion: (
        logits[:, :-1].gather(-1, tokens[:, 1:, None].long().clamp(0, logits.shape[-1] - 1)).squeeze(-1).masked_fill(
            ~completion[:, 1:], 0.0).sum(1))),
    Mistake("completion_log_prob", "accepts an empty completion", _log_prob(), only_checks=True),
    Mistake("supervised_loss", "a sum", lambda tokens, logits, completion: -_log_prob()(tokens, logits, completion)),
    Mistake("supervised_loss", "a mean over the width", lambda **given: _supervised(**given, over=lambda m: m.shape[1])),
    Mistake("supervised_loss", "divided by the whole mask", lambda **given: _supervised(**given, over=lambda m: m.sum(1))),
    Mistake("supervised_loss", "a mean over the batch", lambda tokens, logits, completion: (
        -(_log_prob()(tokens, logits, completion)) * len(tokens) / completion[:, 1:].sum())),
    Mistake("supervised_loss", "the prompt counted", lambda tokens, logits, completion: (
        -_log_prob(_with_prompt, _mean)(tokens, logits, completion))),
    Mistake("supervised_loss", "the logits of the same step", lambda tokens, logits, completion: (
        -_same_step(tokens, logits, completion) / completion.sum(1))),
    Mistake("supervised_loss", "accepts an empty completion", lambda tokens, logits, completion: (
        -_log_prob(total=_mean)(tokens, logits, completion)), only_checks=True),
    Mistake("win_rate", "ties are lost", _rate(tie=0.0)),
    Mistake("win_rate", "ties are won", _rate(tie=1.0)),
    Mistake("win_rate", "ties left out", _of_decided),
    Mistake("win_rate", "of the second", lambda scores_first, scores_second: _rate()(scores_second, scores_first)),
    Mistake("win_rate", "a count", _rate(of=torch.sum)),
    Mistake("win_rate", "NaN loses", _rate(), only_checks=True),
    Mistake("token_class_score", "the prompt counted", lambda tokens, completion, token_values: (
        _score(tokens, completion, token_values, counted=_with_prompt(completion)))),
    Mistake("token_class_score", "the padding counted", lambda tokens, completion, token_values: (
        _score(tokens, completion, token_values, counted=completion.cummax(1).values))),
    Mistake("token_class_score", "a sum", lambda **given: _score(**given, over=1)),
    Mistake("token_class_score", "a mean over the width", lambda **given: _score(**given, over=given["tokens"].shape[1])),
    Mistake("token_class_score", "a token late", lambda tokens, completion, token_values: (
        _score(tokens, completion.roll(1, dims=1), token_values))),
    Mistake("token_class_score", "NaN is a value", _score, only_checks=True),
)  # fmt: skip


def _ignored(tokens, logits, completion):
    """torch's own way to leave tokens out."""
    right.completion_log_prob(tokens, logits, completion)
    targets = tokens.long().masked_fill(~completion, -100)[:, 1:]
    return -cross_entropy(logits[:, :-1].transpose(1, 2), targets, ignore_index=-100, reduction="none").sum(1)


EQUIVALENT = (
    Mistake("completion_log_prob", "by cross_entropy with an ignored index", _ignored, core_alone=True),
    Mistake("win_rate", "by signs", lambda scores_first, scores_second: (
        right.win_rate(scores_first, scores_second) * 0 + (
            torch.where(scores_first == scores_second, 0.0, scores_first - scores_second).sign() / 2 + 0.5).mean())),
    Mistake("token_class_score", "by one-hot vectors", lambda tokens, completion, token_values: (
        right.token_class_score(tokens, completion, token_values) * 0 + (
            (tokens.long().masked_fill(~completion, 0)[..., None] == torch.arange(len(token_values))) * completion[..., None]
        ).to(token_values).sum(1) @ token_values / completion.sum(1)), core_alone=True),
)  # fmt: skip
