"""Information of codes about factors, by experiments/judging/disentanglement.py."""

import math

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.experiments.judging import disentanglement

SIZES = [4, 3]


def _factors(count):
    generator = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(size, (count,), generator=generator) for size in SIZES], 1), generator


def test_a_latent_for_each_factor_has_a_gap_of_one_and_copies_have_none():
    factors, generator = _factors(12_000)
    noise = torch.rand(12_000, 3, generator=generator)
    own = torch.stack([factors[:, 1] + 0.01 * noise[:, 0], noise[:, 1], -factors[:, 0] + 0.01 * noise[:, 2]], 1)
    shared, entropy = disentanglement.informations(own, factors, SIZES)
    torch.testing.assert_close(entropy, torch.tensor([math.log(4), math.log(3)]), rtol=1e-3, atol=0)
    assert shared.argmax(0).tolist() == [2, 0]
    assert disentanglement.gap(own, factors, SIZES) > 0.9
    assert disentanglement.gap(own[:, [0, 0, 2, 2]], factors, SIZES) < 1e-6
    assert disentanglement.gap(noise, factors, SIZES) < 0.01


def test_a_factor_that_is_the_same_everywhere_does_not_count():
    factors, generator = _factors(2000)
    codes = factors + 0.01 * torch.rand(2000, 2, generator=generator)
    same = torch.cat([factors, torch.full((2000, 1), 5)], 1)
    assert disentanglement.gap(codes, same, [*SIZES, 6]) == pytest.approx(disentanglement.gap(codes, factors, SIZES), abs=1e-6)


def test_a_traversal_moves_one_latent_a_row():
    grid = disentanglement.traversals(lambda z: z[:, None, None, :], torch.tensor([0.5, -1.0, 3.0]), columns=5)
    rows = grid.images.view(3, 5, 3)
    for latent in range(3):
        torch.testing.assert_close(rows[latent, :, latent], torch.linspace(-2, 2, 5))
        others = [other for other in range(3) if other != latent]
        assert (rows[latent][:, others] == torch.tensor([0.5, -1.0, 3.0])[others]).all()


def test_images_without_factors_are_refused():
    with pytest.raises(DataError, match="photographs does not say what its images are made of, .*: use squares$"):
        disentanglement.require_factors({"name": "photographs", "shape": [3, 8, 8]})
