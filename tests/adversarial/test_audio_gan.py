"""Waveforms in an adversarial game compared with SciPy and torch: spectra, reflections, transposes, and the hum of a layer."""

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from practice_torch.adversarial import audio_gan as practice
from practice_torch.data import audio
from practice_torch.data.errors import DataError
from practice_torch.experiments.adversarial.audio_gan import WaveGanRecipe, build
from tests.support.samplers import Network

GENERATOR = torch.Generator().manual_seed(5)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("shift", [-8, -3, 0, 1, 8])
def test_phase_shuffle_is_scipys_shift_with_a_mirror(shift):
    x = draw(2, 3, 9)
    found = practice.phase_shuffle(x, torch.full((2,), shift))
    np.testing.assert_array_equal(found, ndimage.shift(x.numpy(), (0, 0, shift), order=0, mode="mirror"))


@pytest.mark.parametrize(("window", "hop"), [(8, 3), (7, 7), (16, 5)])
def test_magnitudes_are_scipys(window, hop):
    """scipy.signal.stft divides by the sum of the window, and is told not to pad."""
    x, taps = draw(3, 40), signal.get_window("hann", window) + 0.1
    found = practice.short_time_fourier_magnitude(x, torch.from_numpy(taps), hop=hop)
    _, _, wanted = signal.stft(
        x.numpy(), window=taps, nperseg=window, noverlap=window - hop, boundary=None, padded=False, scaling="spectrum"
    )
    np.testing.assert_allclose(found, np.abs(wanted) * taps.sum(), atol=1e-12)


def test_magnitudes_determine_a_sound_of_overlapping_frames_up_to_its_sign():
    """Descent of the squared errors of magnitudes, from many places, ends at the sound or at its negative."""
    sound, window = torch.tensor([1.0, 2.0, 4.0, 3.0], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    wanted = practice.short_time_fourier_magnitude(sound[None], window, hop=1)
    x = (6 * draw(64, 4)).requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        errors = (practice.short_time_fourier_magnitude(x, window, hop=1) - wanted).square().sum((1, 2))
        errors.sum().backward()
        optimizer.step()
    found = x.detach()[errors < 1e-4]
    assert len(found) > 5
    assert torch.minimum((found - sound).abs().amax(1), (found + sound).abs().amax(1)).max() < 0.05


def test_transposed_convolution_is_scipys_upsampling_filter():
    x, kernel = draw(1, 1, 12), draw(1, 1, 25)
    found = practice.transposed_convolution1d(x, kernel, torch.zeros(1, dtype=torch.float64), stride=4, padding=3)
    wanted = signal.upfirdn(kernel[0, 0].numpy(), x[0, 0].numpy(), up=4)
    np.testing.assert_allclose(found[0, 0], wanted[3:-3], atol=1e-12)


@pytest.mark.parametrize(("length", "hums"), [(24, False), (25, True), (26, True), (28, False)])
def test_a_kernel_of_ones_hums_unless_the_stride_divides_its_length(length, hums):
    """The lines of SciPy's periodogram of what a constant becomes: a quarter and a half of the rate."""
    made = practice.transposed_convolution1d(torch.ones(1, 1, 64), torch.ones(1, 1, length), torch.zeros(1), stride=4)
    frequency, power = signal.periodogram(made[0, 0, 32:224].double().numpy(), fs=16000, scaling="spectrum", detrend="constant")
    loud = frequency[power > 1e-6]
    assert loud.tolist() == ([4000.0] if length == 26 else [4000.0, 8000.0] if hums else [])


def test_shuffled_phases_fade_a_hum_but_leave_its_power():
    """Over r = 2 the mean of shifted waves of stride 4 is -1/5 of the wave; each has the same power away from the border."""
    wave = torch.cos(torch.pi / 2 * torch.arange(60, dtype=torch.float64) + 0.3)
    shifted = practice.phase_shuffle(wave.expand(5, 1, 60), torch.arange(-2, 3))[:, 0, 10:50]
    torch.testing.assert_close(shifted.mean(0), -wave[10:50] / 5)
    _, power = signal.periodogram(shifted.numpy(), detrend=False)
    np.testing.assert_allclose(power, np.tile(power[:1], (5, 1)), atol=1e-12)


def test_the_two_distances_rank_errors_differently():
    """A loud error and an error of a factor 2 in a bin that is 40 dB below."""
    sound = torch.tensor([[[10.0], [1.0], [0.1]]], dtype=torch.float64)
    loud, quiet = sound + torch.tensor([1.0, 0, 0])[:, None], sound + torch.tensor([0, 0, 0.1])[:, None]
    assert practice.spectral_convergence(sound, loud) > 5 * practice.spectral_convergence(sound, quiet)
    assert 5 * practice.log_magnitude_distance(sound, loud) < practice.log_magnitude_distance(sound, quiet)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    """A small game on notes, and its held-out sounds."""
    torch.manual_seed(0)
    recipe = WaveGanRecipe(**{"length": 256, "width": 2, "fakes": 20} | fields)
    _, data = audio.load("notes", length=recipe.length)
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def test_each_phase_moves_its_own_player():
    game, data = experiment()
    game(data.batch(), "critic")[0].backward()
    assert all(p.grad is None for p in game.generator_network.parameters())
    game(data.batch(), "generator")[0].backward()
    assert all(p.grad.abs().max() > 0 for p in game.generator_network.parameters())


@torch.no_grad()
def test_held_out_sounds_have_no_distance_to_themselves():
    """A generator that gives the held-out sounds: every distance is 0, and all notes are covered."""
    game, data = experiment(fakes=52, shuffle=0)
    game.generator_network = Network(lambda noise: data.batch()["audio"])
    found = game.evaluate(data)
    assert found.pop("notes_covered") == pytest.approx(1.0)
    assert all(abs(distance) < 1e-3 for distance in found.values())


def test_a_length_that_leaves_a_long_beginning_is_refused():
    with pytest.raises(DataError, match="length is 1000, which can be divided by 4 down to 250"):
        experiment(length=1000)
