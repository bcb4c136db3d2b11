"""Log-probabilities of the tokens of completions, without the table of all logits; and those of a reference, kept."""

import torch

from practice_torch.arguments import values_are_free


def scored(network, tokens, mask, segments=None):
    """(log p of each token but the first, 0 where the mask is False; whether it counts and is the likeliest one), [B, T-1] each.

    tokens [B, T], mask [B, T-1]; segments [B, T] of rows that hold several texts, as in CachedDecoder.hidden. Where reading the
    mask is free, the head is applied to what counts alone.
    """
    hidden, targets = network.hidden(tokens[:, :-1], *(() if segments is None else (segments[:, :-1],))), tokens[:, 1:]
    if not values_are_free(mask):
        law = network.log_probs(hidden, targets)
        return law.log_probs.masked_fill(~mask, 0.0), law.likeliest & mask
    law = network.log_probs(hidden[mask], targets[mask])
    log_probs = law.log_probs.new_zeros(mask.shape).masked_scatter(mask, law.log_probs)
    return log_probs, torch.zeros_like(mask).masked_scatter(mask, law.likeliest)


@torch.no_grad()
def kept_log_probs(log_probs_of, parts, kept, whole_batch, size):
    """log_probs_of(batch of `size`), [B] of each of K completions, for all examples of several data sets: like kept, [N, K], by
    the `row` of an example.  Of several processes each computes a share, and all have all of it.
    """
    found = torch.zeros_like(kept)
    with whole_batch.gathered():
        for data in parts:
            for some in torch.arange(len(data)).split(size)[whole_batch.rank :: whole_batch.count]:
                batch = {name: column.to(kept.device) for name, column in data.batch(some).items()}
                found[batch["row"]] = torch.stack(log_probs_of(batch), dim=1).to(kept.dtype)
    return whole_batch.total(found)
