"""The logit compared with torch.distributions, and a density with known cells."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import AffineTransform, ComposeTransform, SigmoidTransform

from practice_torch.evaluation import bits_per_dimension as evaluation
from practice_torch.flows import dequantization as practice

Y = torch.rand(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_logit_agrees_with_transforms_of_torch():
    """Its composition of an affine map and the inverse of the logistic function, both ways."""
    peer = ComposeTransform([AffineTransform(0.025, 0.95), SigmoidTransform().inv])
    z, log_det = practice.logit_forward(Y, alpha=0.05)
    torch.testing.assert_close(z, peer(Y))
    torch.testing.assert_close(log_det, peer.log_abs_det_jacobian(Y, z).sum(1))
    y, back = practice.logit_inverse(z, alpha=0.05)
    torch.testing.assert_close(y, Y)
    torch.testing.assert_close(back, -log_det)


@pytest.mark.parametrize("levels", [3, 17])
def test_bits_of_a_beta_density_are_above_those_of_its_cells(levels):
    """scipy.stats.beta: more by the mean divergence within the cells, which shrinks with the square of their width."""
    law = scipy.stats.beta(2, 3)
    x = torch.arange(levels)
    cells = np.diff(law.cdf(np.arange(levels + 1) / levels))
    parts = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    y = practice.uniform_dequantize(x[:, None].expand(-1, 2000), parts.expand(levels, -1), num_levels=levels)
    log_prob = torch.from_numpy(law.logpdf(y.numpy())).flatten()
    bits = practice.bits_per_dimension(log_prob, dim=1, num_levels=levels).view(levels, -1).mean(1)
    gap = bits.numpy() @ cells + cells @ np.log2(cells)
    assert 0 < gap < 1.2 / levels


def test_evaluation_counts_the_same_bits():
    """The functions of evaluation/bits_per_dimension are these, with other names for the arguments."""
    log_prob = Y[:, 0]
    torch.testing.assert_close(
        evaluation.bits_per_dimension(log_prob, dim=3, num_levels=17), practice.bits_per_dimension(log_prob, dim=3, num_levels=17)
    )
