"""The projection against a pseudoinverse, and what regression, samples and conditional denoisers do on laws that are known."""

import itertools

import numpy as np
import pytest
import torch

from practice_torch.diffusion import super_resolution as practice
from practice_torch.diffusion.ancestral_sampling import ddpm_step

COUNT, MEAN = 4000, 0.9


def matrix(function, inputs):
    """The matrix of a linear function of images of one channel."""
    images = torch.eye(inputs[0] * inputs[1], dtype=torch.float64).view(-1, 1, *inputs)
    return function(images).flatten(1).T


def test_repeating_pixels_is_the_pseudoinverse_of_averaging():
    small = matrix(lambda x: practice.average_pool(x, window=2), (4, 6))
    large = matrix(lambda y: practice.nearest_upsample(y, factor=2), (2, 3))
    np.testing.assert_allclose(large, np.linalg.pinv(small), atol=1e-14)


def test_the_projection_is_the_nearest_consistent_image():
    """lstsq gives the shortest correction that makes the image consistent."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(1, 1, *sides, generator=generator, dtype=torch.float64) for sides in ((4, 6), (2, 3)))
    small = matrix(lambda x: practice.average_pool(x, window=2), (4, 6)).numpy()
    correction = np.linalg.lstsq(small, y.numpy().ravel() - small @ x.numpy().ravel(), rcond=None)[0]
    found = practice.null_space_projection(x, y, factor=2)
    np.testing.assert_allclose(found.numpy().ravel(), x.numpy().ravel() + correction, atol=1e-13)


def test_samples_have_twice_the_error_of_the_mean():
    """Blocks of four signs: given their mean all orders are equally likely. Samples are a random one, the mean is grey."""
    blocks = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)), dtype=torch.float64)
    rng, found = np.random.default_rng(1), []
    true = blocks[torch.from_numpy(rng.integers(16, size=COUNT))]
    for block in true.numpy():
        found.append(rng.permutation(block))
    true, sampled = true.view(-1, 1, 2, 2), torch.from_numpy(np.stack(found)).view(-1, 1, 2, 2)
    y = practice.average_pool(true, window=2)
    assert practice.consistency_error(sampled, y, factor=2).max() == 0
    grey = practice.null_space_projection(torch.zeros_like(true), y, factor=2)
    errors = [(image - true).square().mean().item() for image in (grey, sampled)]
    assert errors[0] == pytest.approx(0.75, abs=0.03)  # 1 minus the variance of the mean, 1/4
    assert errors[1] / errors[0] == pytest.approx(2.0, abs=0.06)


def drawn(projected):
    """Blocks of 2 x 2 pixels drawn from the reverse process of N(0, S) with exact predictions, given their mean.

    S has variances of 1, and a correlation of the mean with the difference of the columns, which is to be guessed. projected: an
    unconditional prediction with the mean written into it; otherwise the prediction given the mean.
    """
    to_bands = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], dtype=torch.float64) / 2
    bands = torch.eye(4, dtype=torch.float64)
    bands[0, 1] = bands[1, 0] = 0.8
    law = to_bands.T @ bands @ to_bands
    y = torch.full((COUNT, 1, 1, 1), MEAN, dtype=torch.float64)
    read = torch.full((1, 4), 0.25, dtype=torch.float64)
    gain = law @ read.T / (read @ law @ read.T)
    shift, inner = MEAN * gain[:, 0], law - gain @ (read @ law)
    levels = (-10 * torch.linspace(0, 1, 101, dtype=torch.float64) ** 2).exp()
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(COUNT, 1, 2, 2, generator=generator, dtype=torch.float64)
    for step in range(100, 0, -1):
        kept, t = levels[step], torch.full((COUNT,), step)
        center, spread = (torch.zeros(4, dtype=torch.float64), law) if projected else (shift, inner)
        total = kept * spread + (1 - kept) * torch.eye(4, dtype=torch.float64)
        x0 = center + kept.sqrt() * (x.flatten(1) - kept.sqrt() * center) @ torch.linalg.solve(total, spread)
        x0 = practice.null_space_projection(x0.view_as(x), y, factor=2)
        noise_pred = (x - kept.sqrt() * x0) / (1 - kept).sqrt()
        x = ddpm_step(x, noise_pred, torch.randn(x.shape, generator=generator, dtype=torch.float64), t, levels)
    assert practice.consistency_error(x, y, factor=2).max() < 1e-20
    difference = x.flatten(1) @ to_bands[1]
    return difference.mean().item(), difference.var().item()


def test_a_projected_unconditional_denoiser_is_consistent_and_biased():
    """Given the mean of 0.9 the low band is 1.8, and the difference has the law N(1.44, 0.36)."""
    mean, variance = drawn(projected=False)
    assert mean == pytest.approx(1.44, abs=0.04) and variance == pytest.approx(0.36, abs=0.03)
    mean, variance = drawn(projected=True)
    assert mean < 1.3 and variance > 0.4
