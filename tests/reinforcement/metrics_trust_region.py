"""As reinforcement/ppo; the change by a step of the actor, from its laws before and after."""

import torch

from tests.reinforcement.metrics_ppo import collected, evaluate, law, preview  # noqa: F401 - judged and drawn alike
from tests.support.metrics import mean

NAMES = ("cart_pole", "pendulum")
ANEW = True
ROUNDS = 1


def logs(e, batch, phase):
    if phase != "improve":
        return collected(e) if phase == "collect" else {}
    rollouts = e.rollouts
    before, old = law(e, rollouts.observations), [parameter.detach().clone() for parameter in e.actor.parameters()]
    gradient = torch.autograd.grad(surrogate(rollouts, before), list(e.actor.parameters()))
    before = law(e, rollouts.observations)
    moved = e(batch, phase)[1]  # the direction has its own contract
    after = law(e, rollouts.observations)
    steps = [new - kept for new, kept in zip(e.actor.parameters(), old, strict=True)]
    assert sum(float((g * step).sum()) for g, step in zip(gradient, steps, strict=True)) > 0, "the step goes against the gradient"
    nats = mean(torch.distributions.kl_divergence(before, after))
    assert 0 < nats <= e.recipe.maximum_kl, f"{nats} nats; at most {e.recipe.maximum_kl}"
    return {"nats": nats, "gain": surrogate(rollouts, after) - surrogate(rollouts, before), "fraction": moved["fraction"]}


def surrogate(rollouts, actions):
    """The mean advantage, each by as much likelier as its action has become."""
    return ((actions.log_prob(rollouts.actions) - rollouts.old_log_probs).exp() * rollouts.advantages).mean()
