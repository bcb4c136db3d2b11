"""The objective of the experiment preference/dpo_variants, by functions with contracts."""

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.experiments.preference import dpo_variants as experiment
from practice_torch.preference.dpo_variants import ipo_loss, kto_loss
from tests.autoregressive.objective_transformer import language
from tests.preference.objective_pipeline import continued
from tests.support.objectives import Mistake, Objective


def variants(e, batch, phase):
    """A text; then each objective of its policy, on pairs drawn by the reference: the sum, by their formulas."""
    recipe, tokens = e.recipe, batch["tokens"]
    if e.place.stage == "supervised":
        return language(e, batch, "text")
    drawn = continued(e, torch.cat([tokens[:, : recipe.prompt]] * 2))

    def log_prob(network, texts):
        return sequence_log_prob(texts[:, recipe.prompt :], network(texts)[:, recipe.prompt - 1 : -1], None)

    first, second = drawn.chunk(2)
    swapped = (e.values[first[:, recipe.prompt :]].mean(1) < e.values[second[:, recipe.prompt :]].mean(1))[:, None]
    chosen, rejected = torch.where(swapped, second, first), torch.where(swapped, first, second)
    others = torch.cat([chosen, rejected]).clone()
    others[:, recipe.prompt :] = torch.cat([others[-1:], others[:-1]])[:, recipe.prompt :]
    beta, size, flipped, total = recipe.kl_coefficient, recipe.completion, recipe.flip_probability, 0.0
    for name, policy in e.policies.items():
        c, r = log_prob(policy, chosen), log_prob(policy, rejected)
        c_0, r_0 = log_prob(e.reference, chosen).detach(), log_prob(e.reference, rejected).detach()
        h = (c - c_0) - (r - r_0)
        right, wrong = -(beta * h).sigmoid().log(), -(-beta * h).sigmoid().log()
        point = (log_prob(policy, others) - log_prob(e.reference, others)).mean().clamp(min=0).detach()
        odds = [part.div(size).exp() / (1 - part.div(size).exp()) for part in (c, r)]
        total = (
            total
            + {
                "dpo": right,
                "robust": ((1 - flipped) * right - flipped * wrong) / (1 - 2 * flipped),
                "ipo": (h - 1 / (2 * recipe.regularization)) ** 2,
                "hinge": (1 - beta * h).clamp(min=0),
                "kto": 1 - ((beta * (c - c_0 - point)).sigmoid() + (beta * (point - r + r_0)).sigmoid()) / 2,
                "simpo": -(recipe.scale * (c - r) / size - recipe.margin).sigmoid().log(),
                "orpo": -c / size - recipe.odds_weight * (odds[0] / odds[1]).log().sigmoid().log(),
            }[name].mean()
        )
    return total


MISTAKES = {
    "twice the margin": Mistake(
        experiment, "ipo_loss", lambda *four, regularization: ipo_loss(*four, regularization=regularization / 2)
    ),
    "the desirable taken for undesirable": Mistake(
        experiment,
        "kto_loss",
        lambda one, other, desirable, point, **how: kto_loss(one, other, ~desirable, point, **how),
        dict(objective="kto"),
    ),
}
OBJECTIVE = Objective(variants, unread={"judged"}, mistakes=MISTAKES, repeated={"completion"})
