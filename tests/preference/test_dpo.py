"""Direct preference optimization compared with SciPy's optimizer and torch's autograd."""

import itertools

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from practice_torch.preference import dpo as practice
from practice_torch.preference.bradley_terry import soft_preference_loss
from practice_torch.preference.kl_optimum import tilted_log_probs

rng = np.random.default_rng(0)
REWARDS, REFERENCE = torch.tensor(rng.normal(size=4)), torch.tensor(scipy.special.log_softmax(rng.normal(size=4)))
PAIRS = torch.tensor(list(itertools.permutations(range(4), 2)))
BETA = 0.4


def _population_loss(log_probs, pairs=PAIRS):
    """The mean loss over ordered pairs, each as often as its first completion is preferred."""
    c, r = pairs.T
    often = torch.sigmoid(REWARDS[c] - REWARDS[r])
    return (often * practice.dpo_loss(log_probs[c], log_probs[r], REFERENCE[c], REFERENCE[r], kl_coefficient=BETA)).sum()


def _minimum(pairs):
    """The policy that scipy.optimize.minimize (BFGS) finds in logits, by torch's gradients."""

    def loss(logits):
        logits = torch.tensor(logits, requires_grad=True)
        value = _population_loss(logits.log_softmax(0), pairs)
        return value.item(), torch.autograd.grad(value, logits)[0].numpy()

    found = scipy.optimize.minimize(loss, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-9})
    return torch.tensor(found.x).log_softmax(0)


def test_the_loss_of_all_policies_is_least_at_the_kl_optimum():
    """No reward, no partition function and no sample was used."""
    optimum = tilted_log_probs(REWARDS[None], REFERENCE[None], kl_coefficient=BETA)[0]
    torch.testing.assert_close(_minimum(PAIRS), optimum, atol=1e-6, rtol=0)
    logits = optimum.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(_population_loss(logits.log_softmax(0)), logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_a_connected_chain_of_pairs_is_enough_and_a_missing_one_is_not():
    """Neighbors in a chain determine the policy; without one pair its two sides are not compared."""
    optimum = tilted_log_probs(REWARDS[None], REFERENCE[None], kl_coefficient=BETA)[0]
    neighbors = PAIRS[(PAIRS[:, 0] - PAIRS[:, 1]).abs() == 1]
    torch.testing.assert_close(_minimum(neighbors), optimum, atol=1e-5, rtol=0)
    broken = neighbors[neighbors.sum(1) != 3]
    assert (_minimum(broken) - optimum).abs().max() > 0.05


def test_the_loss_is_the_bradley_terry_loss_of_implicit_rewards():
    """With a soft label of 1 - epsilon, in another topic's function."""
    given = [torch.tensor(rng.normal(size=6, loc=-20)) for _ in range(4)]
    chosen, rejected, _ = practice.implicit_reward_margin(*given, kl_coefficient=0.3)
    wanted = soft_preference_loss(torch.full_like(chosen, 0.9), chosen, rejected)
    torch.testing.assert_close(practice.dpo_loss(*given, kl_coefficient=0.3, label_smoothing=0.1), wanted)


@pytest.mark.parametrize("epsilon", [0.05, 0.3])
def test_smoothing_has_its_minimum_where_scipy_finds_it(epsilon):
    """beta h = log((1 - epsilon) / epsilon), for any coefficient: a larger one stays nearer to the reference."""
    zero = torch.zeros(1, dtype=torch.float64)
    for beta in (0.5, 2.0):

        def loss(h, beta=beta):
            return practice.dpo_loss(zero + h, zero, zero, zero, kl_coefficient=beta, label_smoothing=epsilon).item()

        found = scipy.optimize.minimize_scalar(loss, bounds=(-20, 20), method="bounded", options={"xatol": 1e-9})
        assert found.x * beta == pytest.approx(scipy.special.logit(1 - epsilon), abs=1e-5)


def test_consistent_labels_pull_without_end_whatever_the_coefficient():
    """The loss falls at every margin, by its weight; smoothing turns it around."""
    h, zero = torch.linspace(0, 200, 50, dtype=torch.float64), torch.zeros(50, dtype=torch.float64)
    for beta in (0.1, 1.0):
        assert (practice.dpo_loss(h, zero, zero, zero, kl_coefficient=beta).diff() < 0).all()
        assert practice.dpo_loss(h, zero, zero, zero, kl_coefficient=beta, label_smoothing=0.1)[-1] > np.log(2)
        assert practice.robust_dpo_loss(h, zero, zero, zero, kl_coefficient=beta, flip_probability=0.1)[-1] < 0


def test_one_step_lowers_both_log_probabilities_where_they_share_a_parameter():
    """Features (1, 1/2, 3): the third completion gains what both lose."""
    features, weight = torch.tensor([1.0, 0.5, 3.0]), torch.zeros((), requires_grad=True)
    before = (weight * features).log_softmax(0)
    pair = before[[0]], before[[1]], before[[0]].detach(), before[[1]].detach()
    loss = practice.dpo_loss(*pair, kl_coefficient=1.0)
    (gradient,) = torch.autograd.grad(loss.sum(), weight)
    after = ((weight - 0.5 * gradient) * features).log_softmax(0)
    assert practice.dpo_loss(after[[0]], after[[1]], *pair[2:], kl_coefficient=1.0) < loss
    assert (after[:2] < before[:2]).all() and after[2] > before[2]
