"""The KL-regularized optimum compared with SciPy's optimizer and softmax."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from practice_torch.preference import kl_optimum as practice

rng = np.random.default_rng(0)
REWARDS, REFERENCE = rng.normal(size=(3, 4)), scipy.special.log_softmax(rng.normal(size=(3, 4)), axis=1)
PAIR = torch.tensor(REWARDS), torch.tensor(REFERENCE)


@pytest.mark.parametrize("coefficient", [0.3, 1.0, 5.0])
def test_the_tilt_is_what_an_optimizer_finds_on_the_simplex(coefficient):
    """scipy.optimize.minimize (SLSQP) of minus the regularized value, over probabilities that sum to one."""
    tilt = practice.tilted_log_probs(*PAIR, kl_coefficient=coefficient).exp().numpy()
    for rewards, reference, wanted in zip(REWARDS, REFERENCE, tilt, strict=True):

        def loss(p, rewards=rewards, reference=reference):
            return -(p @ rewards) + coefficient * (p @ (np.log(p) - reference))

        found = scipy.optimize.minimize(
            loss,
            np.full(4, 0.25),
            method="SLSQP",
            bounds=[(1e-9, 1)] * 4,
            tol=1e-14,
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        )
        np.testing.assert_allclose(wanted, found.x, atol=2e-6)


def test_the_tilt_agrees_with_scipys_softmax():
    """pi_0 e^(r / beta), normalized."""
    wanted = scipy.special.softmax(REFERENCE + REWARDS / 0.4, axis=1)
    np.testing.assert_allclose(practice.tilted_log_probs(*PAIR, kl_coefficient=0.4).exp(), wanted, rtol=1e-13)


def test_no_other_policy_reaches_the_frontier():
    """2000 random policies: each has less reward than the tilt of the same divergence."""
    rewards, reference = PAIR[0][0], PAIR[1][0]
    reward, divergence = practice.reward_kl_frontier(rewards, reference, torch.logspace(-1.5, 2, 400, dtype=torch.float64))
    policies = torch.tensor(rng.normal(scale=2.0, size=(2000, 4))).log_softmax(1)
    paid, spent = policies.exp() @ rewards, (policies.exp() * (policies - reference)).sum(1)
    inside = spent < divergence.max()
    reached = np.interp(spent[inside], divergence.flip(0), reward.flip(0))
    assert inside.sum() > 500
    assert (paid[inside].numpy() < reached + 1e-3 * (spent[inside] < 1e-3).numpy()).all()


def test_a_large_coefficient_leaves_the_reference_and_a_small_one_takes_the_best():
    """The two ends of the frontier."""
    far = practice.tilted_log_probs(*PAIR, kl_coefficient=1e6)
    torch.testing.assert_close(far, PAIR[1], rtol=1e-5, atol=0)
    near = practice.tilted_log_probs(*PAIR, kl_coefficient=1e-3).exp()
    torch.testing.assert_close(near, torch.nn.functional.one_hot(PAIR[0].argmax(1), 4).double())
