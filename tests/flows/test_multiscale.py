"""What SciPy says of a split, and how torch shuffles pixels."""

import numpy as np
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.flows import multiscale as practice

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_squeeze_shuffles_pixels_as_torch_does():
    """torch's pixel_unshuffle and pixel_shuffle."""
    image = torch.arange(2 * 3 * 4 * 6, dtype=torch.float64).view(2, 3, 4, 6)
    squeezed = practice.squeeze(image)
    assert torch.equal(squeezed, functional.pixel_unshuffle(image, 2))
    assert torch.equal(practice.unsqueeze(squeezed), functional.pixel_shuffle(squeezed, 2))


def test_a_split_of_two_normal_halves_has_their_joint_density():
    """scipy.stats.multivariate_normal: b = a/2 + e, a and e standard normal, in two channels."""
    kept, log_prob = practice.split_prior_log_prob(X, lambda a: a / 2, torch.zeros_like)
    block = np.eye(2)
    covariance = np.block([[block, block / 2], [block / 2, 1.25 * block]])
    wanted = scipy.stats.multivariate_normal.logpdf(X, np.zeros(4), covariance)
    margin = scipy.stats.multivariate_normal.logpdf(kept, np.zeros(2), block)
    np.testing.assert_allclose(log_prob, wanted - margin, rtol=1e-12)
