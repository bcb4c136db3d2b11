"""WaveNet's parts against torchaudio, torch's own convolution and SciPy's filters."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from torch.nn import functional

from practice_torch.autoregressive import wavenet as practice
from theory_jax.autoregressive import wavenet as theory

WINGS = pytest.mark.parametrize(("wing", "array"), [(practice, torch.tensor), (theory, np.asarray)], ids=["practice", "theory"])


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("levels", [2, 16, 255, 256])
def test_codes_are_torchaudios(levels):
    peer = pytest.importorskip("torchaudio.functional")
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)
    codes = practice.mu_law_encode(x, levels=levels)
    assert torch.equal(codes, peer.mu_law_encoding(x, levels))
    decoded = practice.mu_law_decode(codes, levels=levels)
    torch.testing.assert_close(decoded, peer.mu_law_decoding(codes, levels), rtol=1e-5, atol=1e-6, check_dtype=False)


@WINGS
@pytest.mark.parametrize("levels", [2, 10, 37, 256, 65536])
def test_what_is_decoded_can_be_encoded_again(wing, array, levels):
    """Also the two loudest codes: of 10 or 37 levels, rounding alone would decode them to a little more than 1."""
    codes = array(np.arange(levels))
    assert np.array_equal(wing.mu_law_encode(wing.mu_law_decode(codes, levels=levels), levels=levels), np.arange(levels))


@WINGS
@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (2, 1), (3, 4), (2, 30)])
def test_the_convolution_is_torchs_own_padded_on_the_left(wing, array, taps, dilation):
    x, weight, bias = draw(2, 3, 11), draw(4, 3, taps, seed=1), draw(4, seed=2)
    wanted = functional.conv1d(functional.pad(x, ((taps - 1) * dilation, 0)), weight, bias, dilation=dilation)
    ours = wing.causal_convolution(*(array(part.numpy()) for part in (x, weight, bias)), dilation=dilation)
    np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-13)


@WINGS
def test_one_channel_is_a_filter_of_signal_processing(wing, array):
    """scipy counts taps from the present into the past, and knows dilation as zeros between them."""
    x, taps = draw(12).numpy(), draw(3, seed=1).numpy()
    spread = np.zeros(5)
    spread[::2] = taps[::-1]
    ours = wing.causal_convolution(array(x[None, None]), array(taps[None, None]), array(np.zeros(1)), dilation=2)
    np.testing.assert_allclose(ours[0, 0], lfilter(spread, [1.0], x), rtol=1e-12, atol=1e-13)


def test_a_speech_like_signal_survives_eight_bits():
    """Over 30 dB at full and at a hundredth of the loudness, in float32."""
    x = torch.sin(torch.arange(4000) * 0.05) * torch.exp(-torch.arange(4000) / 900)
    for loudness in (1.0, 0.01):
        heard = practice.mu_law_decode(practice.mu_law_encode(loudness * x, levels=256), levels=256)
        noise = (heard - loudness * x).square().mean()
        assert 10 * torch.log10((loudness * x).square().mean() / noise) > 30
        assert heard.dtype == torch.float32
