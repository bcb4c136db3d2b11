"""The losses of offline alignment by the name of a method: what each needs of a batch, and what it calls a reward."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from practice_torch.preference.dpo import dpo_loss, robust_dpo_loss
from practice_torch.preference.dpo_variants import hinge_loss, ipo_loss, kto_loss, orpo_loss, simpo_loss
from practice_torch.preference.kl_optimum import implicit_reward

METHODS = ("supervised", "reward", "dpo", "robust", "ipo", "hinge", "kto", "orpo", "simpo")
OF_REFERENCE = ("dpo", "robust", "ipo", "hinge", "kto")
KEEPING = OF_REFERENCE[:-1]  # whose reference sees the examples alone; kto's sees pairs of them that depend on the batch
COLUMNS = {"supervised": "completions", "kto": "judged"}  # all others: pairs


class Scored(NamedTuple):
    """Losses of the examples of a batch, and rewards of its completions: chosen and rejected ones."""

    losses: Tensor
    chosen: Tensor
    rejected: Tensor


def of_pairs(recipe, ours, theirs, lengths):
    """The loss of each pair: log-probabilities by policy and reference ([B], [B]) of both completions, and their tokens.

    theirs is None where the method has no reference.
    """
    price = {"kl_coefficient": recipe.kl_coefficient}
    match recipe.method:
        case "dpo":
            losses = dpo_loss(*ours, *theirs, **price, label_smoothing=recipe.label_smoothing)
        case "robust":
            losses = robust_dpo_loss(*ours, *theirs, **price, flip_probability=recipe.flip_probability)
        case "hinge":
            losses = hinge_loss(*ours, *theirs, **price)
        case "ipo":
            parts = *ours, *theirs
            if recipe.per_token:  # as TRL and the authors' runs have it
                parts = [part / length for part, length in zip(parts, (*lengths, *lengths), strict=True)]
            losses = ipo_loss(*parts, regularization=recipe.kl_coefficient)
        case "simpo":
            losses = simpo_loss(*ours, *lengths, scale=recipe.scale, margin=recipe.margin)
        case "orpo":
            losses = orpo_loss(*ours, *lengths, odds_weight=recipe.odds_weight)
    if theirs is None:
        scale = recipe.scale if recipe.method == "simpo" else recipe.odds_weight
        return Scored(losses, *(scale * part.detach() / length for part, length in zip(ours, lengths, strict=True)))
    rewards = (implicit_reward(a.detach(), b, **price) for a, b in zip(ours, theirs, strict=True))
    return Scored(losses, *rewards)


def of_judgements(recipe, ours, theirs, labels, point):
    """The losses of completions [B], of which labels says whether they are desirable; point: the estimate of the divergence."""
    weights = {"desirable_weight": recipe.desirable_weight, "undesirable_weight": recipe.undesirable_weight}
    return kto_loss(ours, theirs, labels, point, kl_coefficient=recipe.kl_coefficient, **weights)


def mismatched(tokens, prompts, lengths, whole_batch, context):
    """Every prompt with the completion of the row before it, cut at the width: tokens [B, T], their new lengths [B].

    The row before the first is the last one of the batch, of which several processes have a part each.
    """
    width, other = tokens.shape[1], tokens.roll(1, 0)
    places = torch.arange(width, device=tokens.device)
    begun, ends = prompts.roll(1), lengths.roll(1)
    if whole_batch.count > 1:
        last = functional.pad(tokens[-1], (0, context - width))
        known = whole_batch.of_previous(torch.cat([last, prompts[-1:], lengths[-1:]]))
        other[0], begun[0], ends[0] = known[:width], known[-2], known[-1]
    source = (places - prompts[:, None] + begun[:, None]).clamp(0, width - 1)
    whole = torch.where(places < prompts[:, None], tokens, other.gather(1, source))
    lengths = (prompts + ends - begun).clamp(max=width)
    return whole.masked_fill(places >= lengths[:, None], 0), lengths
