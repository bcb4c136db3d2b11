"""Waveform diffusion against torch's own convolution, torchaudio's filters and what levels and schedules must share."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from practice_torch.diffusion import audio_diffusion as practice
from practice_torch.diffusion.forward_process import forward_from, forward_sample
from practice_torch.diffusion.noise_schedules import linear_alpha_bar
from practice_torch.evaluation.frechet_audio_distance import log_mel_spectrogram, mel_filterbank


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("taps", "dilation"), [(1, 4), (3, 1), (3, 8), (5, 30)])
def test_the_convolution_is_torchs_own_with_same_padding(taps, dilation):
    x, weight, bias = normal(2, 3, 21), normal(4, 3, taps, seed=1), normal(4, seed=2)
    wanted = functional.conv1d(x, weight, bias, padding="same", dilation=dilation)
    torch.testing.assert_close(practice.dilated_convolution(x, weight, bias, dilation=dilation), wanted)


def test_levels_of_a_schedule_are_those_of_its_forward_process():
    """At u = 0 the noised data are those of step t; between two steps they are on the way from one to the other."""
    alpha_bar, t = linear_alpha_bar(num_steps=50, beta_end=0.05).double(), torch.tensor([1, 20, 50])
    x0, noise = normal(3, 1, 8), normal(3, 1, 8, seed=1)
    level = practice.sample_noise_level(torch.zeros(3, dtype=torch.float64), t, alpha_bar)
    torch.testing.assert_close(practice.noise_at_level(x0, noise, level), forward_sample(x0, t, noise, alpha_bar))
    between = practice.sample_noise_level(torch.full((3,), 0.3, dtype=torch.float64), t, alpha_bar)
    finer = torch.stack([torch.ones(3), between, level], 1).square()
    for row in range(3):
        if t[row] > 1:
            middle = practice.noise_at_level(x0[[row]], noise[[row]], between[[row]])
            one, two = torch.tensor([1]), torch.tensor([2])
            torch.testing.assert_close(middle, forward_sample(x0[[row]], one, noise[[row]], finer[row].double()))
            still = forward_from(middle, one, two, torch.zeros_like(middle), finer[row].double())
            torch.testing.assert_close(still, (level / between)[row] * middle)


def test_drawn_levels_are_uniform_on_every_piece():
    alpha_bar = torch.tensor([1.0, 0.64, 0.04], dtype=torch.float64)
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    for t, (low, high) in {1: (0.8, 1.0), 2: (0.2, 0.8)}.items():
        drawn = practice.sample_noise_level(u, torch.full((1000,), t), alpha_bar)
        share = (drawn - low) / (high - low)
        torch.testing.assert_close(share, u)


def test_the_field_of_diffwave():
    """Ten doublings, three times: 6,139 samples."""
    x = torch.zeros(1, 1, 6201, dtype=torch.float64)
    x[0, 0, 3100] = 1
    for layer in range(30):
        x = practice.dilated_convolution(
            x, torch.full((1, 1, 3), 1 / 3).double(), torch.zeros(1).double(), dilation=2 ** (layer % 10)
        )
    reached = x[0, 0].nonzero()[:, 0]
    assert (reached.min().item(), reached.max().item(), len(reached)) == (3100 - 3069, 3100 + 3069, 6139)


def test_the_spectrogram_of_a_tone_is_loudest_in_its_band():
    """Also torchaudio's filters agree; and four bands of 128 at 16 kHz contain no frequency of 400 points."""
    peer = pytest.importorskip("torchaudio.functional")
    filters = mel_filterbank(num_filters=128, fourier_length=400, sample_rate=16_000)
    with pytest.warns(UserWarning, match="all zero"):
        wanted = peer.melscale_fbanks(201, 0.0, 8000.0, 128, 16_000, norm=None, mel_scale="htk").T
    np.testing.assert_allclose(filters, wanted, atol=1e-4)
    assert int((filters.sum(1) == 0).sum()) == 4
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(1600) / 16_000)[None]
    heard = log_mel_spectrogram(tone, torch.hann_window(400), filters, hop=100)
    assert filters[heard[0, :, 5].argmax(), 25] > 0.5  # 1000 Hz is frequency 25 of 400 points
