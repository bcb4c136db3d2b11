"""Mutual information and total correlation compared with scikit-learn, torch.distributions and trained classifiers."""

import math

import numpy as np
import pytest
import torch

from practice_torch.latent import factor_vae as practice
from practice_torch.latent.beta_vae import gaussian_total_correlation


def _generator():
    return torch.Generator().manual_seed(0)


def _orders(latents, count, generator):
    return torch.rand(latents, count, generator=generator).argsort(1)


def _correlated(count, correlation, generator):
    """Two standard normal coordinates."""
    z = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    return torch.stack([z[:, 0], correlation * z[:, 0] + math.sqrt(1 - correlation**2) * z[:, 1]], 1)


def test_the_information_of_tables_is_that_of_scikit_learn():
    """sklearn.metrics.mutual_info_score, of tables with empty cells and rows."""
    metrics = pytest.importorskip("sklearn.metrics")
    counts = torch.randint(0, 4, (20, 5, 4), generator=_generator())
    counts[0, 2], counts[1] = 0, torch.eye(5, 4, dtype=torch.int64)
    wanted = [metrics.mutual_info_score(None, None, contingency=table.numpy()) for table in counts]
    np.testing.assert_allclose(practice.mutual_information_from_counts(counts.double()), wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(practice.mutual_information_from_counts(counts), wanted, rtol=1e-5, atol=1e-6)


def test_shuffling_leaves_each_latent_and_unties_them():
    """The correlation of 0.9 of 20,000 codes is gone, within five standard errors; the values of each latent stay."""
    generator = _generator()
    z = _correlated(20_000, 0.9, generator)
    shuffled = practice.permute_latents(z, _orders(2, len(z), generator))
    assert abs(float(torch.corrcoef(shuffled.mT)[0, 1])) < 5 / math.sqrt(len(z)) < 0.1 < float(torch.corrcoef(z.mT)[0, 1])
    torch.testing.assert_close(shuffled.sort(0).values, z.sort(0).values, rtol=0, atol=0)


def test_the_logit_of_gaussian_codes_averages_to_their_total_correlation():
    """log q / (q_1 q_2) of torch.distributions, over 50,000 codes: within five standard errors of gaussian_total_correlation."""
    z = _correlated(50_000, 0.8, _generator())
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
    together = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), covariance)
    logits = together.log_prob(z) - torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    error = 5 * float(logits.std()) / math.sqrt(len(z))
    nothing = torch.zeros_like(logits)
    found = practice.factor_vae_loss(nothing, nothing, logits, gamma=2.0).mean() / 2
    assert abs(float(found - gaussian_total_correlation(covariance[None])[0])) < error < 0.03


def test_a_discriminator_that_is_trained_finds_the_best_logits():
    """Logits of a 2 x 3 table, by descent on the loss over draws weighted by their probabilities: log q / (q_1 q_2)."""
    q = torch.tensor([[0.30, 0.15, 0.05], [0.05, 0.15, 0.30]], dtype=torch.float64)
    product = q.sum(1, keepdim=True) * q.sum(0)
    logits = torch.zeros_like(q, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=50, tolerance_grad=1e-12, tolerance_change=1e-14)
    sure = torch.full((6,), 800.0, dtype=torch.float64)  # a coordinate with loss 0, to weight the two sides separately

    def closure():
        optimizer.zero_grad()
        of_codes = practice.factor_discriminator_loss(logits.flatten(), -sure)
        of_shuffled = practice.factor_discriminator_loss(sure, logits.flatten())
        loss = (q.flatten() * of_codes + product.flatten() * of_shuffled).sum()
        loss.backward()
        return loss

    least = float(optimizer.step(closure).detach())
    torch.testing.assert_close(logits.detach(), (q / product).log(), rtol=1e-5, atol=1e-5)
    assert float(closure().detach()) < min(least, math.log(2))


def test_the_gap_of_gaussian_factors_falls_as_the_code_is_turned():
    """20 bins of equal counts, 20,000 codes: the gap is near 1 along the axes, and vanishes at 45 degrees."""
    factors = torch.randn(20_000, 2, generator=_generator())
    gaps = []
    for angle in (0.0, math.pi / 8, math.pi / 4):
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        bins = [(part.argsort(0).argsort(0) * 20) // len(part) for part in (factors @ turn, factors)]
        tables = torch.stack(
            [
                torch.bincount(20 * bins[0][:, latent] + bins[1][:, factor], minlength=400).view(20, 20)
                for latent in range(2)
                for factor in range(2)
            ]
        )
        shared = practice.mutual_information_from_counts(tables).view(2, 2)
        gaps.append(float(practice.mutual_information_gap(shared, torch.full((2,), math.log(20))).mean()))
    assert gaps[0] > 0.99 > 0.4 > gaps[1] > 0.15 > 0.05 > gaps[2]
