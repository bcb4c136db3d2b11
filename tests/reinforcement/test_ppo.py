"""Proximal policy optimization compared with trl, a loop of ascent and an enumerated policy."""

import math

import pytest
import torch

from practice_torch.reinforcement import ppo as practice
from practice_torch.reinforcement.kl_estimators import token_kl

F64 = {"dtype": torch.float64}


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **F64)


def _ascend(objective, logits, steps, rate):
    """The policy after so many steps of plain gradient ascent on its logits."""
    logits = logits.clone().requires_grad_()
    for _ in range(steps):
        (slope,) = torch.autograd.grad(objective(logits.log_softmax(0)), logits)
        logits = (logits + rate * slope).detach().requires_grad_()
    return logits.softmax(0).detach()


def test_the_clip_does_not_bound_the_ratios():
    """Two actions, (0.9, 0.1), advantages 1 and -9: the maximum of the clipped objective gives the second action up."""
    old, advantages = torch.tensor([0.9, 0.1], **F64), torch.tensor([[1.0, -9.0]], **F64)

    def objective(log_probs):
        return -(old * practice.clipped_policy_loss(log_probs[None], old.log()[None], advantages, clip=0.2)[0]).sum()

    ratios = _ascend(objective, old.log(), 200, 1.0) / old
    assert ratios[0] < 1.2 and ratios[1] < 0.1


def test_a_price_on_the_divergence_does():
    """(1/2, 1/2), advantages 1 and -1, price 1: the first action's best probability is 1/2 / (golden ratio - 1)."""
    old, advantages = torch.tensor([0.5, 0.5], **F64), torch.tensor([[1.0, -1.0]], **F64)

    def objective(log_probs):
        return -(old * practice.kl_penalty_loss(log_probs[None], old.log()[None], advantages, kl_coefficient=1.0)[0]).sum()

    policy = _ascend(objective, old.log(), 200, 1.0)
    assert abs(policy[0].item() - 0.5 / ((1 + math.sqrt(5)) / 2 - 1)) < 1e-9


def test_the_penalty_is_the_divergence_of_the_softmaxes():
    """Value and gradient of its mean under the old policy, against token_kl(old, new)."""
    old, new = _normal(3, 7), _normal(3, 7, seed=1).requires_grad_()
    losses = practice.kl_penalty_loss(new.log_softmax(-1), old.log_softmax(-1), torch.zeros(3, 7, **F64), kl_coefficient=1.0)
    for total, upstream in ((old.softmax(-1) * losses).sum(-1), "mean"), (token_kl(old, new), "exact"):
        slope = torch.autograd.grad(total.sum(), new, retain_graph=True)[0]
        wanted = new.softmax(-1) - old.softmax(-1)
        torch.testing.assert_close(slope, wanted, rtol=0, atol=1e-14, msg=upstream)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_ratio_that_overflows_has_no_gradient_where_it_is_cut(dtype):
    """e^1000 times a positive advantage: the ceiling, and the gradient 0, where the paper's form gives NaN."""
    log_probs = torch.zeros(1, 2, dtype=dtype, requires_grad=True)
    old, advantages = torch.full((1, 2), -1000.0, dtype=dtype), torch.tensor([[1.0, 0.0]], dtype=dtype)
    losses = practice.clipped_policy_loss(log_probs, old, advantages, clip=0.2)
    assert losses[0].tolist() == pytest.approx([-1.2, 0.0], rel=1e-6)
    assert torch.autograd.grad(losses.sum(), log_probs)[0].tolist() == [[0.0, 0.0]]
