"""Policy tuning against exact gradients over all texts, and the experiment with a known optimal policy."""

from dataclasses import replace

import pytest
import torch

from practice_torch.engine.errors import RunError
from practice_torch.experiments.language.policy_tuning import Rollout
from practice_torch.experiments.reinforcement import language_policy
from practice_torch.reinforcement.language_policy import kl_regularized_objective

RECIPE = replace(language_policy.RECIPES["few_texts"], width=8, length=3, symbols=2, updates=1)


def moved(seed=0, critic=0.1, **changes):
    """An experiment with a policy moved away from its reference, in float64."""
    torch.manual_seed(seed)
    experiment = language_policy.build(replace(RECIPE, **changes), None).double()
    experiment.generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in experiment.policy.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        if experiment.critic:
            experiment.critic.weight.mul_(critic)
            experiment.critic.bias.mul_(critic)
    return experiment


def gradient(value, experiment):
    parts = torch.autograd.grad(value, list(experiment.policy.parameters()), materialize_grads=True, allow_unused=True)
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("estimator", ["ppo", "leave_one_out", "group"])
def test_the_mean_update_goes_along_the_exact_gradient(estimator):
    """Of mean score - price KL(policy || reference); of a group: mean score / its deviation - price KL(reference || policy)."""
    # of ppo with a critic that knows nothing; values would be averaged out, but take more draws
    experiment = moved(estimator=estimator, batch_size=1, answers=6000, trace_decay=1.0, critic=0.0, value_coefficient=0.0)
    experiment({}, "collect")
    found = -gradient(experiment({}, "update")[0], experiment) * experiment.recipe.length  # a mean over tokens
    log_probs, reference = (
        network(experiment.texts[:, :-1]).log_softmax(-1).gather(-1, experiment.texts[:, 1:, None])[..., 0].sum(1)
        for network in (experiment.policy, experiment.reference)
    )
    scores = (experiment.texts[:, 2:] != experiment.texts[:, 1:-1]).sum(1).double()
    law = log_probs.detach().exp()
    price = experiment.recipe.kl_coefficient
    if estimator == "group":
        mean = law @ scores
        deviation = (law @ (scores - mean).square()).sqrt()
        aim = log_probs.exp() @ scores / deviation + price * (reference.exp() @ log_probs)
    else:
        aim = kl_regularized_objective(log_probs[None], reference[None], scores[None], kl_coefficient=price)[0]
    wanted = gradient(aim, experiment)
    if estimator == "ppo":  # advantages are whitened: a positive factor
        found = found * (wanted.norm() / found.norm())
    assert (found - wanted).norm() < 0.05 * wanted.norm()


def test_targets_of_the_critic_are_the_next_value_and_the_price_of_the_token():
    """Without a trace: r_t + v_(t+1), and the score at the last token, behind which there is nothing."""
    experiment = moved(estimator="ppo", batch_size=3, trace_decay=0.0)
    experiment({}, "collect")
    held, tokens = experiment.rollout, experiment.rollout.tokens
    values = experiment.critic(experiment.policy.hidden(tokens))[..., 0]
    paid = -0.5 * (held.old_log_probs - held.reference_log_probs)
    torch.testing.assert_close(held.returns[:, :-1], paid[:, :-1] + values[:, 1:-1], rtol=1e-5, atol=1e-6)
    scores = (tokens[:, 2:] != tokens[:, 1:-1]).sum(1)
    torch.testing.assert_close(held.returns[:, -1], paid[:, -1] + scores, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(held.old_values, values[:, :-1], rtol=1e-5, atol=1e-6)


def test_answers_to_a_prompt_are_adjacent_and_few_prompts_are_reused():
    experiment = moved(batch_size=3, answers=2)
    rollout = Rollout(experiment.recipe, rounds=1, prompts=3, prompt=2, completion=2).double()
    prompts = torch.tensor([[0, 1], [1, 0]])
    networks = experiment.policy, experiment.reference, None
    rollout.collect(*networks, prompts, lambda tokens: tokens.sum(1).double(), experiment.generator)
    assert rollout.tokens[:, :2].tolist() == [[0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 1]]


def test_the_price_follows_its_target_and_is_saved_with_the_path():
    experiment = moved(batch_size=50, kl_target=1e-6)
    rollout, before = experiment.rollout, experiment.rollout.price.item()
    _, logs = experiment({}, "collect")
    assert logs["price"] == before and rollout.price.item() == pytest.approx(1.1 * before)
    assert rollout.path[-1].tolist() == pytest.approx([logs["nats"].item(), logs["score"].item()])
    assert not rollout.path[:-1].any()
    assert set(rollout.state_dict()) == {"price", "path"}
    assert experiment({}, "collect")[1]["price"].item() == pytest.approx(rollout.price.item() / 1.1)


@pytest.mark.parametrize("estimator", ["ppo", "leave_one_out", "group"])
def test_a_score_that_is_no_number_ends_the_run_in_a_line(estimator, monkeypatch):
    experiment = moved(batch_size=2, estimator=estimator)
    scores = torch.full((8,), 0.5).index_fill(0, torch.tensor([7]), torch.nan)
    monkeypatch.setattr(language_policy, "_changes", lambda tokens: scores)
    with pytest.raises(RunError, match="the score of a completion is nan; a reward must be a finite number"):
        experiment({}, "collect")


def test_a_completion_has_a_token():
    with pytest.raises(ValueError, match="length is 0; it must be at least 2"):
        replace(RECIPE, length=0)


def test_the_exact_metrics_are_those_of_all_texts():
    """The optimal policy is reference e^(score / price) / Z, by the topic's other derivation; its regret is zero."""
    experiment = moved()
    policy, best, reference = experiment._laws()
    scores = language_policy._changes(experiment.texts).double()
    torch.testing.assert_close(best, (reference + scores / 0.5).log_softmax(0), rtol=1e-10, atol=1e-10)
    found = experiment.evaluate(None)
    # J* - J(policy) = price KL(policy || best)
    assert found["regret"] == pytest.approx(0.5 * found["divergence_from_best"], rel=1e-6) and found["regret"] > 0.01
    laws = (torch.distributions.Categorical(logits=law) for law in (policy, reference))
    assert found["nats"] == pytest.approx(torch.distributions.kl_divergence(*laws).item())
