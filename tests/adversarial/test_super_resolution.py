"""The functions compared with torch's layers, SciPy's filters and ordinary loops."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from practice_torch.adversarial import super_resolution as practice

GENERATOR = torch.Generator().manual_seed(29)


def draw(*shape):
    return torch.rand(shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_shuffle_is_torchs(factor):
    x = draw(2, 3 * factor**2, 4, 5)
    wide = functional.pixel_shuffle(x, factor)
    torch.testing.assert_close(practice.pixel_shuffle(x, factor=factor), wide, rtol=0, atol=0)
    torch.testing.assert_close(practice.pixel_unshuffle(wide, factor=factor), functional.pixel_unshuffle(wide, factor))


def test_a_transposed_convolution_is_a_convolution_and_a_shuffle():
    """Kernel 4, stride 2, padding 1, in two dimensions with several channels: four kernels of 3 x 3, a quarter each."""
    kernel, x = draw(3, 2, 4, 4), draw(2, 3, 5, 6)
    wanted = functional.conv_transpose2d(x, kernel, stride=2, padding=1)
    taps = {0: {0: 3, 1: 1}, 1: {1: 2, 2: 0}}  # phase of the output -> place in the kernel of 3 -> place in the kernel of 4
    small = torch.zeros(8, 3, 3, 3, dtype=torch.float64)
    for output in range(2):
        for i, rows in taps.items():
            for j, columns in taps.items():
                for row, of_row in rows.items():
                    for column, of_column in columns.items():
                        small[4 * output + 2 * i + j, :, row, column] = kernel[:, output, of_row, of_column]
    torch.testing.assert_close(practice.pixel_shuffle(functional.conv2d(x, small, padding=1), factor=2), wanted)


def test_similarity_is_that_of_scipys_gaussian_filter():
    """ndimage's filter, cut off after five pixels and away from the borders, where it reflects."""
    x, y = draw(2, 3, 15, 14), draw(2, 3, 15, 14)
    found = practice.structural_similarity(x, y, data_range=1.0)

    def mean(image):
        return ndimage.gaussian_filter(image, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    for n in range(2):
        channels = []
        for a, b in zip(x[n].numpy(), y[n].numpy(), strict=True):
            mean_a, mean_b = mean(a), mean(b)
            variances, covariance = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
            light = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
            channels.append(np.mean(light * (2 * covariance + 0.03**2) / (variances + 0.03**2)))
        assert found[n].item() == pytest.approx(np.mean(channels), rel=1e-9)


def test_a_window_has_its_similarity_from_the_errors_of_mean_and_deviation():
    """(1 - l) and (1 - s) of a uniform window, by NumPy: the error is what they have left after their denominators."""
    x, y = draw(1, 1, 3, 3), draw(1, 1, 3, 3)
    found = practice.structural_similarity(x, y, data_range=1.0, window_size=3, sigma=1e9).item()
    a, b = x.numpy().ravel(), y.numpy().ravel()
    powers = a.mean() ** 2 + b.mean() ** 2 + 1e-4, a.var() + b.var() + 9e-4
    light, structure = 1 - (a.mean() - b.mean()) ** 2 / powers[0], 1 - (a - b).var() / powers[1]
    assert found == pytest.approx(light * structure, rel=1e-9)
    assert ((a - b) ** 2).mean() == pytest.approx((1 - light) * powers[0] + (1 - structure) * powers[1])


def test_one_of_two_sharp_images_has_a_better_mean_ratio_than_their_average():
    """The average of two targets has the least pooled error; the mean of the ratios prefers a target, where it is infinite."""
    targets = torch.stack([draw(1, 4, 4), draw(1, 4, 4)])
    average = targets.mean(0, keepdim=True).expand_as(targets)
    one = targets[:1].expand_as(targets)
    assert (average - targets).square().mean() < (one - targets).square().mean()
    found = [practice.peak_signal_to_noise_ratio(made, targets, data_range=1.0).mean().item() for made in (average, one)]
    assert np.isfinite(found[0]) and found[1] == np.inf
    loss = (one - targets).square().mean() / (average - targets).square().mean()
    assert 10 * loss.log10().item() == pytest.approx(10 * np.log10(2))


def test_flat_windows_in_single_precision_have_the_similarity_of_double_precision():
    """Variances of a millionth next to means of 0.9: no digits are lost."""
    x, y = (0.9 + 2e-3 * draw(1, 1, 16, 16)).float(), (0.9 + 2e-3 * draw(1, 1, 16, 16)).float()
    wanted = practice.structural_similarity(x.double(), y.double(), data_range=1.0)
    found = practice.structural_similarity(x, y, data_range=1.0)
    assert abs(found.item() - wanted.item()) < 1e-6
