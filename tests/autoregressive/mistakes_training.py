"""Wrong forms of the language model's loss that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.autoregressive import training as right
from tests.support.mistakes import Mistake


def _pairs(tokens, mask, *, shift=1, valid=lambda inputs, targets: inputs & targets):
    mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
    steps = tokens.shape[1]
    targets = tokens.roll(-shift, 1)
    return tokens[:, : steps - 1], targets[:, : steps - 1], valid(mask[:, :-1], mask[:, 1:])


def _loss(targets, logits, mask, *, label_smoothing=0.0, share=None, others=None, log_probs=None, fill=0.0):
    """Smoothed cross-entropy with the target law `share` for the target and `others` for the rest."""
    size = logits.shape[-1]
    mask = torch.ones(targets.shape, dtype=torch.bool) if mask is None else mask
    targets, logits = targets.masked_fill(~mask, 0), logits.masked_fill(~mask[..., None], 0.0)
    log_probs = functional.log_softmax(logits, -1) if log_probs is None else log_probs(logits)
    others = label_smoothing / size if others is None else others(label_smoothing, size)
    share = 1 - label_smoothing + label_smoothing / size if share is None else share(label_smoothing, size)
    law = others + (share - others) * functional.one_hot(targets, size).to(logits.dtype)
    return -torch.where(law > 0, law * log_probs, 0.0).sum(-1).masked_fill(~mask, fill)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


def _of_right(change):
    """The right losses, changed."""
    return lambda targets, logits, mask, **named: change(right.token_cross_entropy(targets, logits, mask, **named), targets)


def _mask_as_a_factor(targets, logits, mask, **named):
    """0 times NaN is NaN: padding leaks through a product."""
    losses = right.token_cross_entropy(targets.clamp(0, logits.shape[-1] - 1), logits, None, **named)
    return losses if mask is None else losses * mask


def _zero_times_infinity(targets, logits, mask, *, label_smoothing=0.0):
    losses = right.token_cross_entropy(targets, logits, mask) * (1 - label_smoothing)
    return losses + label_smoothing * right.token_cross_entropy(targets, logits, mask, label_smoothing=1.0)


def _detached_normalizer(logits):
    return logits - logits.logsumexp(-1, keepdim=True).detach()


def _mean_of_means(losses, mask):
    rows = (losses.masked_fill(~mask, 0.0).sum(1) / mask.sum(1).clamp(min=1))[mask.any(1)]
    return rows.mean()


def _torchs(targets, logits, mask, *, label_smoothing=0.0):
    right.token_cross_entropy(targets, logits, mask, label_smoothing=label_smoothing)  # for its checks
    if mask is not None:
        targets, logits = targets.masked_fill(~mask, -100), logits.masked_fill(~mask[..., None], 0.0)
    losses = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="none", label_smoothing=label_smoothing, ignore_index=-100
    )
    return losses.view(targets.shape)


def _selected(losses, mask):
    right.corpus_cross_entropy(losses, mask)  # for its checks
    return losses[mask].mean()


MISTAKES = (
    Mistake("next_token_pairs", "not shifted", _wrong(_pairs, shift=0)),
    Mistake("next_token_pairs", "shifted twice", _wrong(_pairs, shift=2)),
    Mistake("next_token_pairs", "shifted the other way", _wrong(_pairs, shift=-1)),
    Mistake("next_token_pairs", "the mask of the inputs", _wrong(_pairs, valid=lambda inputs, targets: inputs)),
    Mistake("next_token_pairs", "the mask of the targets", _wrong(_pairs, valid=lambda inputs, targets: targets)),
    Mistake("next_token_pairs", "either is valid", _wrong(_pairs, valid=torch.bitwise_or)),
    Mistake("next_token_pairs", "accepts one step", _pairs, only_checks=True),
    Mistake("token_cross_entropy", "smoothed over the V - 1 others",
            _wrong(_loss, share=lambda s, size: 1 - s, others=lambda s, size: s / max(size - 1, 1))),
    Mistake("token_cross_entropy", "the target keeps its whole", _wrong(_loss, share=lambda s, size: 1 + s / size)),
    Mistake("token_cross_entropy", "smoothing ignored",
            lambda targets, logits, mask, label_smoothing=0.0: right.token_cross_entropy(targets, logits, mask)),
    Mistake("token_cross_entropy", "logarithm of a softmax", _wrong(_loss, log_probs=lambda z: z.softmax(-1).log())),
    Mistake("token_cross_entropy", "probabilities where logits are due", _wrong(_loss, log_probs=lambda z: z)),
    Mistake("token_cross_entropy", "the normalizer detached", _wrong(_loss, log_probs=_detached_normalizer)),
    Mistake("token_cross_entropy", "masked with -1", _wrong(_loss, fill=-1.0)),
    Mistake("token_cross_entropy", "padding counted", lambda targets, logits, mask, **named: right.token_cross_entropy(
        targets.clamp(0, logits.shape[-1] - 1), logits, None, **named)),
    Mistake("token_cross_entropy", "the mask inverted", lambda targets, logits, mask, **named: right.token_cross_entropy(
        targets, logits, None if mask is None else ~mask, **named)),
    Mistake("token_cross_entropy", "the mask as a factor", _mask_as_a_factor),
    Mistake("token_cross_entropy", "0 times infinity", _zero_times_infinity),
    Mistake("token_cross_entropy", "shifted once more", lambda targets, logits, mask, **named: right.token_cross_entropy(
        targets.roll(-1, 1), logits, mask, **named)),
    Mistake("token_cross_entropy", "bits", _of_right(lambda losses, targets: losses / math.log(2))),
    Mistake("token_cross_entropy", "sign", _of_right(lambda losses, targets: -losses)),
    Mistake("token_cross_entropy", "mean over the row", _of_right(lambda losses, targets: losses / targets.shape[1])),
    Mistake("token_cross_entropy", "wraps a target that is not in the vocabulary",
            lambda targets, logits, mask, **named: right.token_cross_entropy(
                targets % logits.shape[-1], logits, mask, **named), only_checks=True),
    Mistake("token_cross_entropy", "accepts any smoothing", _loss, only_checks=True),
    Mistake("corpus_cross_entropy", "mean of means", _mean_of_means),
    Mistake("corpus_cross_entropy", "mean over the padded length",
            lambda losses, mask: losses.masked_fill(~mask, 0.0).mean()),
    Mistake("corpus_cross_entropy", "padding counted", lambda losses, mask: losses.mean()),
    Mistake("corpus_cross_entropy", "the mask as a factor", lambda losses, mask: (losses * mask).sum() / mask.sum()),
    Mistake("corpus_cross_entropy", "sum over the batch size",
            lambda losses, mask: losses.masked_fill(~mask, 0.0).sum() / len(losses)),
    Mistake("corpus_cross_entropy", "one more token, for safety",
            lambda losses, mask: losses.masked_fill(~mask, 0.0).sum() / (mask.sum() + 1)),
    Mistake("corpus_cross_entropy", "an empty mask gives 0",
            lambda losses, mask: losses.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1), only_checks=True),
    Mistake("tied_logits", "scaled by the root of the width",
            lambda hidden, embedding: right.tied_logits(hidden, embedding) / math.sqrt(hidden.shape[-1])),
    Mistake("tied_logits", "the embedding detached", lambda hidden, embedding: right.tied_logits(hidden, embedding.detach())),
    Mistake("tied_logits", "cosines", lambda hidden, embedding: right.tied_logits(
        functional.normalize(hidden, dim=-1), functional.normalize(embedding, dim=-1))),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "next_token_pairs",
        "counted from the end",
        lambda tokens, mask: right.next_token_pairs(tokens, mask) and _pairs(tokens, mask),
    ),
    Mistake("token_cross_entropy", "torch's own", _torchs),
    Mistake("corpus_cross_entropy", "the valid ones selected", _selected),
    Mistake(
        "tied_logits",
        "a matrix product",
        lambda hidden, embedding: right.tied_logits(hidden, embedding).detach() * 0 + hidden @ embedding.T,
    ),
)
