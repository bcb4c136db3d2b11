"""The objective of the experiment reinforcement/language_policy, by functions with contracts."""

import torch

from practice_torch.experiments.language import policy_tuning
from practice_torch.reinforcement.group_policy import group_token_loss
from practice_torch.reinforcement.kl_estimators import kl_k3
from practice_torch.reinforcement.ppo import clipped_policy_loss
from tests.support.objectives import Mistake, Objective


def tuned_policy(e, batch, phase):
    return of_a_round(e, e.policy, e.recipe)


def of_a_round(e, network, recipe):
    """Some of the completions of a round, token by token; what is compared with what is in the advantages."""
    held = e.rollout
    drawn = torch.randperm(len(held.tokens), generator=e.generator)[: max(len(held.tokens) // recipe.updates, 1)]
    tokens, old_log_probs, advantages = held.tokens[drawn], held.old_log_probs[drawn], held.advantages[drawn]
    policy = torch.distributions.Categorical(logits=network(tokens[:, :-1])[:, held.prompt - 1 :].float())
    log_probs = policy.log_prob(tokens[:, held.prompt :])
    losses = clipped_policy_loss(log_probs, old_log_probs, advantages, clip=recipe.clip)
    if recipe.estimator == "ppo":
        values = e.critic(network.hidden(tokens)[:, held.prompt - 1 : -1])[..., 0]
        losses = losses + recipe.value_coefficient * (values - held.returns[drawn]) ** 2 / 2
    if recipe.estimator == "group":
        losses = losses + held.price * kl_k3(log_probs, held.reference_log_probs[drawn])
    return losses.mean()


MISTAKES = {
    "the divergence of a group left out": Mistake(
        policy_tuning,
        "group_token_loss",
        lambda *tokens, kl_coefficient, **clips: group_token_loss(*tokens, kl_coefficient=0.0, **clips),
        dict(estimator="group"),
    )
}
OBJECTIVE = Objective(tuned_policy, mistakes=MISTAKES)
