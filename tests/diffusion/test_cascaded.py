"""The bands against SciPy's Hadamard matrix, and what augmentation does to the errors of a cascade of normal laws."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from practice_torch.diffusion import cascaded as practice


def test_the_bands_are_those_of_hadamard():
    """The matrix of a block is Hadamard's of four rows, over two; the block's pixels row by row."""
    blocks = torch.eye(4, dtype=torch.float64).view(4, 1, 2, 2)
    low, detail = practice.haar_analysis(blocks)
    found = torch.cat([low.flatten(1), detail.flatten(1)], dim=1).T
    np.testing.assert_allclose(found, hadamard(4) / 2, atol=0)


def test_white_noise_is_white_in_the_bands():
    """All bands have variance 1 and no correlation; so have the pixels of a synthesis of white bands."""
    noise = torch.randn(500, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    low, detail = practice.haar_analysis(noise)
    bands = torch.cat([low[:, :, None], detail], dim=2).movedim(2, -1).reshape(-1, 4)
    np.testing.assert_allclose(np.cov(bands.numpy().T), np.eye(4), atol=0.06)


def fitted(level, count=60_000):
    """KL of pixel pairs drawn by a cascade from the data's, with an exact second stage at this level, and the first one shifted.

    The data are (l, d) of variance 1 with correlation 0.8; the first stage draws l around 1 in place of 0. The second stage draws
    (l, d) anew, given the noised l, by the exact law.
    """
    generator = torch.Generator().manual_seed(3)
    alpha_bar = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.05], dtype=torch.float64)
    low, noise, fresh, other = torch.randn(4, count, 1, 1, 1, generator=generator, dtype=torch.float64)
    kept = alpha_bar[level].item()
    noised = practice.conditioning_augmentation(low + 1, noise, torch.full((count,), level), alpha_bar).flatten()
    drawn = math.sqrt(kept) * noised + math.sqrt(1 - kept) * fresh.flatten()
    detail = 0.8 * drawn + 0.6 * other.flatten()
    pairs = torch.stack([drawn, detail], dim=1)
    law = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)
    center, spread = pairs.mean(0), pairs.T.cov()
    inverse = torch.linalg.inv(spread)
    return (((inverse @ law).trace() + center @ inverse @ center - 2 + (spread.det() / law.det()).log()) / 2).item()


@pytest.mark.parametrize(("level", "wanted"), [(0, 0.5), (2, 0.125), (4, 0.00125)])
def test_noise_on_the_condition_removes_the_first_stage_s_error(level, wanted):
    """The mean of l that is drawn anew is kept: a for a first stage that is 1 off, so the divergence is a^2/2."""
    assert fitted(level) == pytest.approx(wanted, rel=0.05, abs=2e-3)
