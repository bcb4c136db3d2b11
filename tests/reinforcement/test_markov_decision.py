"""Finite decision processes compared with SciPy's linear program and an enumeration of all policies."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import torch

from practice_torch.reinforcement import markov_decision as practice

rng = np.random.default_rng(0)
STATES, ACTIONS, DISCOUNT = 4, 3, 0.9
TRANSITION = torch.tensor(rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS)))
REWARD = torch.tensor(rng.normal(size=(STATES, ACTIONS)))


def _best_value():
    """Bellman's optimality operator, iterated until nothing changes any more."""
    value = torch.zeros(STATES, dtype=torch.float64)
    for _ in range(600):
        value = practice.bellman_optimality_operator(value, TRANSITION, REWARD, discount=DISCOUNT)
    return value


def test_iteration_finds_what_the_linear_program_finds():
    """The best value is the smallest v with v >= r + discount P v for every action (scipy.optimize.linprog)."""
    above = DISCOUNT * TRANSITION.numpy() - np.eye(STATES)[:, None, :]
    program = scipy.optimize.linprog(
        np.ones(STATES), A_ub=above.reshape(-1, STATES), b_ub=-REWARD.numpy().ravel(), bounds=(None, None)
    )
    np.testing.assert_allclose(_best_value(), program.x, rtol=1e-7)


def test_the_best_of_all_deterministic_policies_is_best_at_every_state():
    """All 81 deterministic policies: one of them has the best value at all states at once."""
    values = []
    for actions in itertools.product(range(ACTIONS), repeat=STATES):
        chosen = torch.nn.functional.one_hot(torch.tensor(actions), ACTIONS).double().log()
        values.append(practice.policy_value(TRANSITION, REWARD, chosen, discount=DISCOUNT))
    values = torch.stack(values)
    best = _best_value()
    torch.testing.assert_close(values.amax(0), best, rtol=1e-12, atol=0)
    assert (values - best).abs().amax(1).min() < 1e-12


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_the_error_of_iteration_is_at_most_its_bound(steps):
    """|v_k - v_*| <= discount^k / (1 - discount) |v_1 - v_0|, in the largest entry."""
    values = [torch.zeros(STATES, dtype=torch.float64)]
    for _ in range(steps):
        values.append(practice.bellman_optimality_operator(values[-1], TRANSITION, REWARD, discount=DISCOUNT))
    bound = DISCOUNT**steps / (1 - DISCOUNT) * (values[1] - values[0]).abs().max()
    assert (values[-1] - _best_value()).abs().max() <= bound * (1 + 1e-12)


def test_policy_iteration_ends_at_the_best_value():
    """Solve, act greedily, solve again: few rounds, each at least as good at every state."""
    policy = torch.zeros(STATES, ACTIONS, dtype=torch.float64).log_softmax(1)
    before = practice.policy_value(TRANSITION, REWARD, policy, discount=DISCOUNT)
    for _ in range(10):
        greedy = practice.action_value(before, TRANSITION, REWARD, discount=DISCOUNT).argmax(1)
        policy = torch.nn.functional.one_hot(greedy, ACTIONS).double().log()
        after = practice.policy_value(TRANSITION, REWARD, policy, discount=DISCOUNT)
        assert (after >= before - 1e-12).all()
        before = after
    torch.testing.assert_close(before, _best_value(), rtol=1e-12, atol=0)


def test_the_soft_fixed_point_is_the_regularized_value_of_the_tilted_policy():
    """Reward minus tau KL(pi || pi_0), for pi proportional to pi_0 e^(Q/tau); no other policy has more."""
    tau, reference = 0.5, torch.tensor(rng.normal(size=(STATES, ACTIONS))).log_softmax(1)
    soft = torch.zeros(STATES, dtype=torch.float64)
    for _ in range(600):
        soft = practice.soft_bellman_operator(soft, TRANSITION, REWARD, reference, discount=DISCOUNT, temperature=tau)
    tilted = (reference + practice.action_value(soft, TRANSITION, REWARD, discount=DISCOUNT) / tau).log_softmax(1)

    def regularized(policy):
        return practice.policy_value(TRANSITION, REWARD - tau * (policy - reference), policy, discount=DISCOUNT)

    torch.testing.assert_close(regularized(tilted), soft, rtol=1e-10, atol=0)
    for _ in range(30):
        other = torch.tensor(rng.normal(size=(STATES, ACTIONS))).log_softmax(1)
        assert (regularized(other) < soft).all()
