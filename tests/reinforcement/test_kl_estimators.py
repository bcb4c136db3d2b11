"""The estimators of a divergence compared with other libraries, densities, mpmath and a control loop."""

import mpmath
import pytest
import torch

from practice_torch.reinforcement import kl_estimators as practice

ESTIMATORS = {"k1": practice.kl_k1, "k2": practice.kl_k2, "k3": practice.kl_k3}


def _logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_divergence_is_that_of_torch_distributions():
    logits, reference = _logits(3, 4, 11), _logits(3, 4, 11, seed=1)
    categorical = torch.distributions.Categorical
    wanted = torch.distributions.kl_divergence(categorical(logits=logits), categorical(logits=reference))
    torch.testing.assert_close(practice.token_kl(logits, reference), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("difference", [1e-6, -1e-6, 1e-9, 0.4, -3.0, 20.0])
def test_k3_has_all_its_digits(difference):
    """Against 50 digits of mpmath: relative 1e-14, also at a difference of 1e-9, where expm1(d) - d has seven left."""
    with mpmath.workdps(50):
        wanted = float(mpmath.expm1(difference) - mpmath.mpf(difference))
    got = practice.kl_k3(torch.zeros((), dtype=torch.float64), torch.tensor(difference, dtype=torch.float64))
    assert abs(got.item() / wanted - 1) < 1e-14


@pytest.mark.parametrize("name", ["k1", "k3"])
def test_samples_of_a_density_estimate_its_divergence(name):
    """Log-densities, which may be positive, of 200000 samples from N(0, 1/4); KL to N(0.1, 1/4) is 0.02."""
    generator = torch.Generator().manual_seed(0)
    policy, reference = (torch.distributions.Normal(torch.tensor(m, dtype=torch.float64), 0.5) for m in (0.0, 0.1))
    x = 0.5 * torch.randn(200_000, generator=generator, dtype=torch.float64)
    values = ESTIMATORS[name](policy.log_prob(x), reference.log_prob(x))
    assert (values.mean() - 0.02).abs() < 5 * values.std() / len(values) ** 0.5
    assert values.std() < {"k1": 0.21, "k3": 0.035}[name]  # k1: exactly 0.2


def _variances(policy, reference):
    """The variances of k1 and k3 under the policy, enumerated."""
    p, log_p, log_q = policy.softmax(0), policy.log_softmax(0), reference.log_softmax(0)
    values = [estimator(log_p, log_q) for estimator in (practice.kl_k1, practice.kl_k3)]
    return [(p * (v - (p * v).sum()).square()).sum().item() for v in values]


def test_neither_k1_nor_k3_varies_less_everywhere():
    """At a distance of 0.01 the variance of k3 is below a ten-thousandth of that of k1; far apart it is above a thousandfold."""
    reference, direction = _logits(6), _logits(6, seed=1)
    of_k1, of_k3 = _variances(reference + 0.01 * direction, reference)
    assert 0 < of_k3 < 1e-4 * of_k1
    of_k1, of_k3 = _variances(reference + 10.0 * direction, reference)
    assert of_k3 > 1e3 * of_k1


def _expected_gradient(loss, logits, reference):
    """sum_x pi(x) grad loss(x), the sample held fixed."""
    logits = logits.clone().requires_grad_()
    weights = logits.softmax(0).detach()
    return torch.autograd.grad((weights * loss(logits.log_softmax(0), reference.log_softmax(0))).sum(), logits)[0]


def test_which_divergence_a_loss_lowers():
    """k1 none, k2 KL(pi || pi_0), k3 KL(pi_0 || pi); k3 times the ratio of the policy to itself, KL(pi || pi_0)."""
    logits, reference = _logits(5), _logits(5, seed=1)
    leaf = logits.clone().requires_grad_()
    forward = torch.autograd.grad(practice.token_kl(leaf, reference), leaf)[0]
    turned = torch.autograd.grad(practice.token_kl(reference, leaf), leaf)[0]
    assert (forward - turned).abs().max() > 0.1

    def k3_times_the_ratio(log_p, log_q):
        return (log_p - log_p.detach()).exp() * practice.kl_k3(log_p, log_q)

    for loss, wanted in (
        (practice.kl_k1, torch.zeros_like(forward)),
        (practice.kl_k2, forward),
        (practice.kl_k3, turned),
        (k3_times_the_ratio, forward),
    ):
        torch.testing.assert_close(_expected_gradient(loss, logits, reference), wanted, rtol=1e-12, atol=1e-15)


def test_the_controller_finds_the_coefficient_of_its_target():
    """A policy with divergence 3 / coefficient^2, from a distant start: after 200 steps it reaches the target of 6."""
    coefficient = torch.tensor(8.0, dtype=torch.float64)
    for _ in range(200):
        before = coefficient
        coefficient = practice.adaptive_coefficient(coefficient, 3 / coefficient**2, target=6.0, gain=0.5)
        assert abs(coefficient / before - 1) <= 0.1 + 1e-12
    torch.testing.assert_close(3 / coefficient**2, torch.tensor(6.0, dtype=torch.float64), rtol=1e-9, atol=0)
