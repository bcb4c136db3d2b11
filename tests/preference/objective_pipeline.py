"""The objective of the experiment preference/pipeline, by functions with contracts."""

import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.experiments.preference import pipeline as experiment
from practice_torch.preference.bradley_terry import soft_preference_loss
from practice_torch.preference.dpo import dpo_loss
from tests.autoregressive.objective_transformer import language
from tests.reinforcement.objective_language_policy import of_a_round
from tests.support.objectives import Mistake, Objective, uniform


def continued(e, drawn):
    """The prompts, and a completion of each by the reference."""
    for _ in range(e.recipe.completion):
        law = e.reference(drawn)[:, -1].float().softmax(-1).detach()
        chosen = torch.searchsorted(law.cumsum(1), uniform(e, len(drawn), 1).to(law.dtype), right=True)
        drawn = torch.cat([drawn, chosen], dim=1)
    return drawn


def pipeline(e, batch, phase):
    """A text; then pairs of completions that the reference draws, each labelled by the values of its bytes; PPO in the end."""
    tokens, prompt = batch["tokens"], e.recipe.prompt
    if phase == "update":
        return of_a_round(e, e.tuned, e.rollout.tuning)
    if e.place.stage == "supervised":
        return language(e, batch, "policy")
    drawn = continued(e, torch.cat([tokens[:, :prompt]] * 2))
    ends = drawn[:, prompt:]
    worth = e.values[ends].mean(1)
    if phase == "reward":
        rewards = e.reward(drawn, torch.ones_like(drawn)).chunk(2)
        return soft_preference_loss(torch.sign(worth.chunk(2)[0] - worth.chunk(2)[1]) / 2 + 0.5, *rewards).mean()
    (one, other), (one_0, other_0) = (
        sequence_log_prob(ends, network(drawn)[:, prompt - 1 : -1], None).chunk(2) for network in (e.policy, e.reference)
    )
    first, second = worth.chunk(2)
    wins = dpo_loss(one, other, one_0, other_0, kl_coefficient=e.recipe.kl_coefficient)
    loses = dpo_loss(other, one, other_0, one_0, kl_coefficient=e.recipe.kl_coefficient)
    return torch.where(first > second, wins, torch.where(first < second, loses, (wins + loses) / 2)).mean()


MISTAKES = {
    "the loser preferred": Mistake(
        experiment, "soft_preference_loss", lambda label, *pair: soft_preference_loss(1 - label, *pair)
    )
}
OBJECTIVE = Objective(
    pipeline,
    unread={"judged", "reward_learning_rate"},
    together=[dict(supervised=0.0, rewarded=0.5)],
    mistakes=MISTAKES,
    sizes=dict(width=16),
    repeated={"completion"},
)
