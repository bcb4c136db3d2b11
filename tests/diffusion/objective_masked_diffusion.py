"""What the experiment of diffusion/masked_diffusion minimizes, written with functions that have contracts."""

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.experiments.diffusion import masked_diffusion
from tests.support.objectives import Mistake, Objective, uniform


def any_order(e, batch, phase):
    """n evenly spaced on 1..L, n places with the largest of random numbers masked: their mean cost, nats a token."""
    tokens = batch["tokens"][:, :-1]
    count, length = tokens.shape
    masks = 1 + ((uniform(e) + torch.arange(count) / count) % 1 * length).floor().long()
    draws = uniform(e, count, length)
    hidden = draws >= draws.sort(1, descending=True).values.gather(1, masks[:, None] - 1)
    logits = e.network(tokens.where(~hidden, e.mask))[..., : e.mask]
    costs = 0.0
    for row, n in enumerate(masks.tolist()):
        costs -= sequence_log_prob(tokens[row, hidden[row]][None], logits[row, hidden[row]][None], None).sum() / n
    return costs / count


def _without(what):
    """The loss with a mistake in the weight or in the places."""

    def loss(logits, tokens, tokens_t, alpha, alpha_slope, *, mask_id):
        costs = -logits[..., :mask_id].log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
        places = tokens_t == mask_id if what == "weight" else tokens_t == tokens_t
        weight = 1.0 if what == "weight" else 1 / (1 - alpha)
        return weight * costs.where(places, 0.0).sum(1)

    return loss


OBJECTIVE = Objective(
    any_order,
    sizes=dict(heads=2),
    mistakes={
        "no L/n": Mistake(masked_diffusion, "masked_diffusion_loss", _without("weight")),
        "visible places count": Mistake(masked_diffusion, "masked_diffusion_loss", _without("places")),
    },
)
