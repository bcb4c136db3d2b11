"""Trust regions compared with NumPy's solver, torch.distributions and sampled runs."""

import numpy as np
import torch

from practice_torch.reinforcement import trust_region as practice

rng = np.random.default_rng(0)
STATES, ACTIONS, DISCOUNT = 4, 3, 0.9
INITIAL = torch.tensor(rng.dirichlet(np.ones(STATES)))
TRANSITION = torch.tensor(rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS)))
REWARD = torch.tensor(rng.normal(size=(STATES, ACTIONS)))
PROCESS = INITIAL, TRANSITION, REWARD


def _policy(scale=1.0):
    return torch.tensor(scale * rng.normal(size=(STATES, ACTIONS))).log_softmax(1)


def _returned(policy):
    """The expected discounted return, by numpy.linalg.solve."""
    moves = np.einsum("sa,sat->st", policy.exp().numpy(), TRANSITION.numpy())
    paid = (policy.exp().numpy() * REWARD.numpy()).sum(1)
    return INITIAL.numpy() @ np.linalg.solve(np.eye(STATES) - DISCOUNT * moves, paid)


def test_the_performance_difference_is_that_of_the_solves():
    """Forty pairs of policies, some of them nearly certain."""
    for scale in np.linspace(0.1, 8, 40):
        new, old = _policy(scale), _policy(scale)
        found = practice.performance_difference(*PROCESS, new, old, discount=DISCOUNT).item()
        np.testing.assert_allclose(found, _returned(new) - _returned(old), rtol=1e-10)


def test_distances_are_those_of_torch_distributions_and_of_every_event():
    """kl_divergence of Categorical; and the largest difference in the probability of any of the eight events."""
    new, old = _policy(), _policy()
    before, after = (torch.distributions.Categorical(logits=policy) for policy in (old, new))
    wanted = torch.distributions.kl_divergence(before, after)
    torch.testing.assert_close(practice.policy_kl(new, old), wanted, rtol=1e-12, atol=0)
    events = torch.tensor(list(np.ndindex(2, 2, 2)), dtype=torch.float64)
    differences = ((new.exp() - old.exp()) @ events.mT).abs().amax(1)
    torch.testing.assert_close(practice.policy_total_variation(new, old), differences, rtol=1e-12, atol=1e-15)


def test_the_surrogate_is_what_reweighted_runs_of_the_old_policy_return():
    """20000 states of the old policy's occupancy, an action in each, its advantage weighed with new over old."""
    old = _policy()
    runs, draws = 20000, torch.Generator().manual_seed(0)
    moves = torch.einsum("sa,sat->st", old.exp(), TRANSITION)
    value = torch.linalg.solve(torch.eye(STATES, dtype=torch.float64) - DISCOUNT * moves, (old.exp() * REWARD).sum(1))
    advantages = REWARD + DISCOUNT * TRANSITION @ value - value[:, None]
    new = (old + 0.5 * advantages).log_softmax(1)
    state = torch.multinomial(INITIAL, runs, replacement=True, generator=draws)
    going = torch.ones(runs, dtype=torch.bool)
    while going.any():  # a run stops at every step with probability 1 - discount: where it stops has the law of the occupancy
        going &= torch.rand(runs, generator=draws) < DISCOUNT
        state = torch.where(going, torch.multinomial(moves[state], 1, generator=draws).squeeze(1), state)
    action = torch.multinomial(old.exp()[state], 1, generator=draws).squeeze(1)
    samples = (new - old).exp()[state, action] * advantages[state, action] / (1 - DISCOUNT)
    found = practice.surrogate_objective(*PROCESS, new, old, discount=DISCOUNT) - INITIAL @ value
    error = samples.std() / runs**0.5
    assert (samples.mean() - found).abs() <= 5 * error
    assert error < 0.1 * found.abs()  # a factor would not pass


def test_climbing_the_bound_never_lowers_the_return():
    """Minorize, maximize: the best for the bound along the surrogate's slope, five times; the return rises every time."""
    logits, returns = _policy(), []
    for _ in range(5):
        old = logits.log_softmax(1)
        returns.append(_returned(old))

        def bound(logits, old=old):
            return practice.improvement_bound(*PROCESS, logits.log_softmax(1), old, discount=DISCOUNT)

        slope = torch.func.grad(
            lambda x, old=old: practice.surrogate_objective(*PROCESS, x.log_softmax(1), old, discount=DISCOUNT)
        )(logits)
        steps = [logits + size * slope for size in np.geomspace(1e-6, 1.0, 60)]
        logits = max(steps, key=bound)
        assert returns[-1] < bound(logits) <= _returned(logits.log_softmax(1))
    assert np.all(np.diff(returns) > 0)
