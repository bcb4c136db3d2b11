"""Mel filters compared with torch's own spectrograms, torchaudio and librosa, and effects of noise on synthesized notes."""

import numpy as np
import pytest
import torch

from practice_torch.evaluation import frechet_audio_distance as practice
from practice_torch.evaluation.frechet_distance import frechet_feature_distance

BANKS = [
    dict(num_filters=40, fourier_length=512, sample_rate=8000),
    dict(num_filters=20, fourier_length=400, sample_rate=16000, low=60.0, high=7600.0),
]


def _notes(count=8, samples=4000):
    """Decaying harmonics at 8 kHz, [count, samples]."""
    time, pitch = torch.arange(samples, dtype=torch.float64) / 8000, 220 * 2 ** (torch.arange(count) / 12)[:, None]
    return sum((-3 * k * time).exp() / k * (2 * torch.pi * k * pitch * time).sin() for k in range(1, 6))


def _columns(waves, **options):
    window, bank = (
        torch.hann_window(256, dtype=waves.dtype),
        practice.mel_filterbank(num_filters=16, fourier_length=256, sample_rate=8000).to(waves.dtype),
    )
    return practice.log_mel_spectrogram(waves, window, bank, hop=64, **options)


@pytest.mark.parametrize("bank", BANKS, ids=["to half the sample rate", "between limits"])
def test_the_filters_are_torchaudios(bank):
    functional = pytest.importorskip("torchaudio.functional", reason="torchaudio is not installed")
    limits = bank.get("low", 0.0), bank.get("high", bank["sample_rate"] / 2)
    wanted = functional.melscale_fbanks(
        bank["fourier_length"] // 2 + 1, *limits, bank["num_filters"], bank["sample_rate"], norm=None, mel_scale="htk"
    )
    torch.testing.assert_close(practice.mel_filterbank(**bank), wanted.mT, rtol=0, atol=2e-5)  # its points are in float32


@pytest.mark.parametrize("bank", BANKS, ids=["to half the sample rate", "between limits"])
@pytest.mark.peers("librosa")
def test_the_filters_are_librosas(bank):
    from librosa import filters

    wanted = filters.mel(
        sr=bank["sample_rate"],
        n_fft=bank["fourier_length"],
        n_mels=bank["num_filters"],
        fmin=bank.get("low", 0.0),
        fmax=bank.get("high"),
        htk=True,
        norm=None,
    )
    torch.testing.assert_close(practice.mel_filterbank(**bank), torch.from_numpy(wanted), rtol=0, atol=1e-5)


def test_the_spectrogram_is_torchaudios():
    transforms = pytest.importorskip("torchaudio.transforms", reason="torchaudio is not installed")
    wanted = transforms.MelSpectrogram(
        sample_rate=8000, n_fft=256, hop_length=64, n_mels=16, center=False, norm=None, mel_scale="htk"
    )(_notes().float())
    torch.testing.assert_close(_columns(_notes().float()).exp(), wanted + 1e-6, rtol=1e-3, atol=1e-5)


def test_the_power_is_that_of_torchs_short_time_transform():
    """Of frames that are not centered; the filters are the frequencies themselves."""
    waves, window = _notes(), torch.hann_window(256, dtype=torch.float64)
    wanted = torch.stft(waves, 256, 100, window=window, center=False, return_complex=True).abs().square()
    found = practice.log_mel_spectrogram(waves, window, torch.eye(129, dtype=torch.float64), hop=100)
    torch.testing.assert_close(found, (wanted + 1e-6).log())


def test_a_sine_has_its_energy_in_the_filter_at_its_pitch():
    time = torch.arange(2048, dtype=torch.float64) / 8000
    points = practice.mel_to_hertz(torch.linspace(0, practice.hertz_to_mel(torch.tensor([4000.0])).item(), 18))
    for number in (3, 8, 14):
        cells = _columns((2 * torch.pi * points[number + 1] * time).sin()[None])
        assert (cells.argmax(1) == number).all()


def test_the_distance_is_that_of_the_frames():
    """Clips of different numbers, of different lengths."""
    one, other = _columns(_notes(6)), _columns(_notes(5, 3000) * 0.7)
    frames = [torch.cat([clip.mT for clip in part]) for part in (one, other)]
    torch.testing.assert_close(practice.frechet_audio_distance(one, other), frechet_feature_distance(*frames))


def test_a_gain_is_a_shift_of_all_cells():
    """16 cells, each by 2 log 2, where the floor is far below."""
    found = practice.frechet_audio_distance(_columns(2 * _notes(), epsilon=1e-15), _columns(_notes(), epsilon=1e-15))
    assert found.item() == pytest.approx(16 * (2 * np.log(2)) ** 2, rel=1e-3)


def test_more_noise_is_farther():
    noise = torch.randn(8, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    far = [practice.frechet_audio_distance(_columns(_notes()), _columns(_notes() + level * noise)) for level in (0, 0.01, 0.1, 1)]
    assert far == sorted(far)
    assert abs(far[0]) < 1e-8 < far[1]


def test_slopes_are_finite_in_silence():
    waves = torch.zeros(2, 512, dtype=torch.float64, requires_grad=True)
    _columns(waves).sum().backward()
    assert (waves.grad == 0).all()
