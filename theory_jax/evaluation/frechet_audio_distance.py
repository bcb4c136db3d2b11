"""The Frechet audio distance (lecture 14): from waveforms to one number, and the information lost at each step.

x is a batch of waveforms, [B, T]; a frame is as many samples as the window.
"""

import math

import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_positive, require_rank, require_shape, require_values
from theory_jax.evaluation.frechet_distance import frechet_feature_distance

_MEL_PER_E_FOLD = 2595 / math.log(10)  # the standard writes 2595 log10


def hertz_to_mel(frequency):
    r"""2595 log10(1 + f / 700): pitch in mel, near 1.6 f for low frequencies f and logarithmic for high ones.

    Raises ValueError if an entry of frequency is negative.  Source: O'Shaughnessy 1987; after Stevens et al. 1937.
    [N] -> [N]
    """
    require_rank(1, frequency=frequency)
    require_values("frequency", frequency, lambda f: f >= 0, "0 or more")
    return _MEL_PER_E_FOLD * jnp.log1p(frequency / 700)


def mel_to_hertz(mel):
    r"""700 (10^(m / 2595) - 1), the inverse of hertz_to_mel.

    Raises ValueError if an entry of mel is negative.  Source: O'Shaughnessy 1987; after Stevens et al. 1937.
    [N] -> [N]
    """
    require_rank(1, mel=mel)
    require_values("mel", mel, lambda m: m >= 0, "0 or more")
    return 700 * jnp.expm1(mel / _MEL_PER_E_FOLD)


def mel_filterbank(*, num_filters, fourier_length, sample_rate, low=0.0, high=None):
    r"""h_i(f) = max(0, min((f - c_(i-1)) / (c_i - c_(i-1)), (c_(i+1) - f) / (c_(i+1) - c_i))): triangles of height 1.

    The num_filters + 2 points c are equally spaced in mel from low to high, in hertz; high is sample_rate / 2 if it is not given.
    The frequencies f are those of a real Fourier transform, k sample_rate / fourier_length for k = 0..fourier_length // 2. A
    filter that is between two of them is zero everywhere.

    Raises ValueError if num_filters < 1, fourier_length < 1, sample_rate is not positive, low is negative, or high is not above
    low or above sample_rate / 2.  Source: Davis & Mermelstein 1980; Young et al. 2006 (HTK).
    -> [M, F]
    """
    require_at_least(1, num_filters=num_filters, fourier_length=fourier_length)
    require_positive(sample_rate=sample_rate)
    require_at_least(0, low=low)
    high = sample_rate / 2 if high is None else high
    require(low < high <= sample_rate / 2, f"high is {high}; it must be above low, {low}, and at most {sample_rate / 2}")
    ends = hertz_to_mel(jnp.array([low, high], float))
    points = mel_to_hertz(jnp.linspace(*ends, num_filters + 2))
    below, center, above = points[:-2, None], points[1:-1, None], points[2:, None]
    frequency = jnp.arange(fourier_length // 2 + 1) * (sample_rate / fourier_length)
    return jnp.maximum(0.0, jnp.minimum((frequency - below) / (center - below), (above - frequency) / (above - center)))


def log_mel_spectrogram(x, window, filterbank, *, hop, epsilon=1e-6):
    r"""log(filterbank |rfft(window frame)|^2 + epsilon) of frames that begin hop samples apart; the last samples may be in none.

    Raises ValueError if hop < 1, epsilon is not positive, window is empty, x is shorter than window, or filterbank has not one
    column for each of the W // 2 + 1 frequencies of a window of W samples.  Source: Kilgour et al. 2019, section 3.
    [B, T], [W], [M, F] -> [B, M, S]
    """
    require_rank(2, x=x)
    require_rank(1, window=window)
    require_at_least(1, hop=hop)
    require_positive(epsilon=epsilon)
    steps, length = x.shape[1], len(window)
    require(length > 0, "window has 0 samples; it must have at least 1")
    require(steps >= length, f"x has {steps} samples; it must have at least those of window, {length}")
    require_shape((len(filterbank), length // 2 + 1), filterbank=filterbank)
    begins = jnp.arange(0, steps - length + 1, hop)
    frames = x[:, begins[:, None] + jnp.arange(length)]
    spectrum = jnp.fft.rfft(window * frames)
    power = spectrum.real**2 + spectrum.imag**2
    return jnp.log(jnp.einsum("mf,bsf->bms", filterbank, power) + epsilon)


def frechet_audio_distance(embeddings_x, embeddings_y):
    r"""The Frechet distance of the Gaussians that are fitted to all frames of all clips of x, and to those of y.

    Raises ValueError if embeddings_x and embeddings_y differ in their number of features or have none, or one of them has fewer
    than two frames in all.  Source: Kilgour et al. 2019, section 3.
    [P, D, S], [Q, D, T] -> []
    """
    return frechet_feature_distance(*_frames(embeddings_x=embeddings_x, embeddings_y=embeddings_y))


def _frames(**embeddings):
    """The frames of each, [number, D]."""
    require_rank(3, **embeddings)
    (first, x), _ = embeddings.items()
    for name, array in embeddings.items():
        clips, size, frames = array.shape
        require(size == x.shape[1] > 0, f"{name} has {size} features; it must have those of {first}, {x.shape[1]}, at least 1")
        require(clips * frames > 1, f"{name} has {clips} clips of {frames} frames; a covariance needs at least two frames")
    return [jnp.moveaxis(array, 1, 2).reshape(-1, array.shape[1]) for array in embeddings.values()]
