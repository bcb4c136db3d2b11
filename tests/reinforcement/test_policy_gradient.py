"""Policy gradients compared with finite differences, SciPy and sampled runs."""

import numpy as np
import scipy.stats
import torch

from practice_torch.reinforcement import policy_gradient as practice
from practice_torch.reinforcement.returns import discounted_returns

rng = np.random.default_rng(0)
STATES, ACTIONS, DISCOUNT = 4, 3, 0.9
INITIAL = torch.tensor(rng.dirichlet(np.ones(STATES)))
TRANSITION = torch.tensor(rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS)))
REWARD, LOGITS = (torch.tensor(rng.normal(size=(STATES, ACTIONS))) for _ in range(2))


def test_the_gradient_is_that_of_finite_differences():
    """Central differences of the return, logit by logit."""
    found = practice.policy_gradient(INITIAL, TRANSITION, REWARD, LOGITS, discount=DISCOUNT)
    h = 1e-5
    for place in np.ndindex(STATES, ACTIONS):
        ends = []
        for sign in (1, -1):
            moved = LOGITS.clone()
            moved[place] += sign * h
            ends.append(practice.policy_objective(INITIAL, TRANSITION, REWARD, moved, discount=DISCOUNT))
        assert abs((ends[0] - ends[1]) / (2 * h) - found[place]) < 1e-8


def test_ascending_it_reaches_the_best_policy():
    """Two states, stay or move, staying in state 1 pays 1: move, then stay, is worth 1 at a discount of one half."""
    stay_or_move = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    process = torch.tensor([1.0, 0.0]), stay_or_move, torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    logits, before = torch.zeros(2, 2), 0.25
    for _ in range(200):
        logits = logits + 5.0 * practice.policy_gradient(*process, logits, discount=0.5)
        after = practice.policy_objective(*process, logits, discount=0.5).item()
        assert after >= before - 1e-6
        before = after
    assert before > 0.99


def test_the_loss_of_sampled_runs_has_the_gradient_of_the_return():
    """4000 runs of 60 steps, weighed with the discounted return to come: within 5 standard errors of the theorem."""
    runs, steps = 4000, 60
    process = torch.Generator().manual_seed(0)
    policy = LOGITS.softmax(1)
    state = torch.multinomial(INITIAL, runs, replacement=True, generator=process)
    states, actions = [], []
    for _ in range(steps):
        states.append(state)
        actions.append(torch.multinomial(policy[state], 1, generator=process).squeeze(1))
        state = torch.multinomial(TRANSITION[state, actions[-1]], 1, generator=process).squeeze(1)
    states, actions = torch.stack(states, 1), torch.stack(actions, 1)
    paid = REWARD[states, actions]
    to_come = discounted_returns(paid, torch.zeros(runs, steps), torch.zeros(runs, dtype=paid.dtype), discount=DISCOUNT)
    weights = to_come * DISCOUNT ** torch.arange(steps)
    # One gradient a group of 100 runs, so that its standard error is known.
    estimates = []
    for group in torch.arange(runs).split(100):
        logits = LOGITS.clone().requires_grad_()
        log_probs = logits.log_softmax(1)[states[group], actions[group]]
        loss = practice.score_function_loss(log_probs, weights[group], torch.ones(log_probs.shape)).mean()
        estimates.append(-torch.autograd.grad(loss, logits)[0])
    estimates = torch.stack(estimates)
    wanted = practice.policy_gradient(INITIAL, TRANSITION, REWARD, LOGITS, discount=DISCOUNT)
    error = estimates.std(0) / len(estimates) ** 0.5
    assert ((estimates.mean(0) - wanted).abs() <= 5 * error).all()
    assert (error < 0.15 * wanted.abs().max()).all()  # an estimate that is off by a factor would not pass


def test_the_entropy_is_that_of_scipy():
    """scipy.stats.entropy, in nats; also where an action is never taken."""
    logits = torch.cat((LOGITS, torch.tensor([[0.0, -torch.inf, 1.0]], dtype=torch.float64)))
    wanted = scipy.stats.entropy(logits.softmax(1).numpy(), axis=1)
    np.testing.assert_allclose(practice.policy_entropy(logits).numpy(), wanted, rtol=1e-12)


def test_the_best_baseline_is_where_the_variance_is_least():
    """Over 2001 baselines, by the variance of what the actions add to the logits."""
    rewards, logits = REWARD[0], LOGITS[0]
    probabilities = logits.softmax(0)
    baselines = torch.linspace(-3.0, 3.0, 2001, dtype=torch.float64)
    terms = torch.stack([practice.bandit_gradient_samples(rewards, logits, c) for c in baselines])
    means = torch.einsum("a,cab->cb", probabilities, terms)
    variances = torch.einsum("a,cab->c", probabilities, (terms - means[:, None]) ** 2)
    best = practice.optimal_constant_baseline(rewards, logits)
    assert abs(baselines[variances.argmin()] - best) <= 0.0015 + 1e-9
