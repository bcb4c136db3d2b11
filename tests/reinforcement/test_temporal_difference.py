"""Temporal-difference learning compared with SciPy's linear program, its least squares and a loop over transitions."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import torch

from practice_torch.reinforcement import temporal_difference as practice
from practice_torch.reinforcement.markov_decision import policy_value
from theory_jax.reinforcement import temporal_difference as theory

rng = np.random.default_rng(0)
STATES, ACTIONS, DISCOUNT = 4, 3, 0.8
TRANSITION = rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
REWARD = rng.normal(size=(STATES, ACTIONS))
POLICY = rng.dirichlet(np.ones(ACTIONS), size=STATES)
STARTED, ACTED, ARRIVED = (torch.tensor(index.ravel()) for index in np.indices(TRANSITION.shape))  # every transition there is
PAID, NEVER = torch.tensor(REWARD)[STARTED, ACTED], torch.zeros(STATES * ACTIONS * STATES)


def _iterated(target):
    """Action values that are the mean of their own targets: 200 sweeps of all transitions, each with its probability."""
    values = torch.zeros(STATES, ACTIONS, dtype=torch.float64)
    for _ in range(200):
        targets = target(PAID, values[ARRIVED], NEVER, discount=DISCOUNT)
        values = (torch.tensor(TRANSITION) * targets.view(TRANSITION.shape)).sum(2)
    return values.numpy()


def test_the_targets_of_q_learning_lead_to_the_best_values():
    """The linear program's: the smallest v with v >= r + discount P v for every action (scipy.optimize.linprog)."""
    above = DISCOUNT * TRANSITION - np.eye(STATES)[:, None, :]
    program = scipy.optimize.linprog(np.ones(STATES), A_ub=above.reshape(-1, STATES), b_ub=-REWARD.ravel(), bounds=(None, None))
    np.testing.assert_allclose(_iterated(practice.q_learning_target).max(1), program.x, rtol=1e-7)


def test_the_targets_of_expected_sarsa_lead_to_the_policys_values():
    log_probs = torch.tensor(np.log(POLICY))
    found = _iterated(lambda *step, **numbers: practice.expected_sarsa_target(*step[:2], log_probs[ARRIVED], step[2], **numbers))
    value = policy_value(torch.tensor(TRANSITION), torch.tensor(REWARD), log_probs, discount=DISCOUNT)
    np.testing.assert_allclose((POLICY * found).sum(1), value.numpy(), rtol=1e-12)


def test_updates_of_the_same_transitions_over_and_over_lead_to_the_least_squares_value():
    """Sixty transitions of five states, some of which end an episode."""
    started, arrived = torch.tensor(rng.integers(0, 5, size=(2, 60)))
    paid, ended = torch.tensor(rng.normal(size=60)), torch.tensor(rng.uniform(size=60) < 0.2)
    table = torch.eye(5, dtype=torch.float64)
    wanted = practice.least_squares_value(table[started], table[arrived] * ~ended[:, None], paid, discount=DISCOUNT)
    moves = torch.vmap(
        lambda value, *seen: practice.td_update(value, *seen, discount=DISCOUNT, step_size=0.02) - value,
        in_dims=(None, 0, 0, 0, 0),
    )
    value = torch.zeros(5, dtype=torch.float64)
    for _ in range(400):
        value = value + moves(value, started, paid, arrived, ended).sum(0)
    torch.testing.assert_close(value, wanted, rtol=0, atol=1e-10)


def test_without_a_future_the_weights_are_those_of_a_regression():
    """scipy.linalg.lstsq, 500 transitions and 6 features."""
    features, following, paid = rng.normal(size=(500, 6)), rng.normal(size=(500, 6)), rng.normal(size=500)
    found = practice.least_squares_value(*map(torch.tensor, (features, following, paid)), discount=0.0)
    np.testing.assert_allclose(found.numpy(), scipy.linalg.lstsq(features, paid)[0], rtol=1e-10)


def test_states_may_be_plain_integers():
    """As they come from an environment, one transition at a time; in both wings."""
    value = np.arange(4.0)
    moved = practice.td_update(torch.tensor(value), 2, torch.tensor(1.0), 3, False, discount=0.5, step_size=0.5)
    assert moved.tolist() == [0.0, 1.0, 2.25, 3.0]
    assert theory.td_update(value, 2, 1.0, 3, False, discount=0.5, step_size=0.5).tolist() == moved.tolist()


@pytest.mark.parametrize("wing", [practice.least_squares_value, theory.least_squares_value], ids=["practice", "theory"])
def test_a_system_is_singular_up_to_ten_roundings_for_each_of_its_rows(wing):
    """Features 1 and s: the smallest singular value is s^2, and one rounding of a system of two rows 2 x 2^-52."""
    array = torch.tensor if wing is practice.least_squares_value else jnp.asarray

    def solved(roundings):
        features = np.diag([1.0, (roundings * 2 * 2.0**-52) ** 0.5])
        return wing(array(features), array(0 * features), array(features @ [3.0, 5.0]), discount=0.5)

    np.testing.assert_allclose(solved(10.1), [3.0, 5.0], rtol=1e-12)
    with pytest.raises(ValueError, match="singular"):
        solved(9.9)
