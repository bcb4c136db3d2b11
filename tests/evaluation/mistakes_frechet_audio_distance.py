"""Wrong forms of mel frequencies, log-mel spectrograms and the Frechet audio distance that the rows must refuse; right ones."""

import math

import torch

from practice_torch.evaluation import frechet_audio_distance as right
from practice_torch.evaluation.frechet_distance import frechet_distance, gaussian_statistics
from tests.support.mistakes import Mistake


def _bank(points, *, num_filters, fourier_length, sample_rate, low=0.0, high=None, height=lambda widths: 1.0, scale=None):
    """Triangles at the points that `points` puts between two limits, of a height that depends on their widths."""
    limits = {"low": low, "high": high}
    right.mel_filterbank(num_filters=num_filters, fourier_length=fourier_length, sample_rate=sample_rate, **limits)
    places = points(low, sample_rate / 2 if high is None else high, num_filters + 2)
    frequency = torch.arange(fourier_length // 2 + 1, dtype=torch.float64) * (sample_rate / fourier_length)
    places, frequency = (places, frequency) if scale is None else (scale(places), scale(frequency))
    widths = places.diff()[:, None]
    triangles = torch.minimum((frequency - places[:-2, None]) / widths[:-1], (places[2:, None] - frequency) / widths[1:])
    return (triangles.clamp(min=0) * height(widths)).to(torch.get_default_dtype())


def _in_mel(low, high, count):
    ends = right.hertz_to_mel(torch.tensor([low, high], dtype=torch.float64))
    return right.mel_to_hertz(torch.linspace(*ends.tolist(), count, dtype=torch.float64))


def _in_hertz(low, high, count):
    return torch.linspace(low, high, count, dtype=torch.float64)


def _cells(x, window, filterbank, hop, epsilon=1e-6, power=lambda spectrum: spectrum.abs().square()):
    """By torch.stft, with the same frames if they are not centered."""
    right.log_mel_spectrogram(x, window, filterbank, hop=hop, epsilon=epsilon)  # its checks
    if not len(x):
        return x.new_empty(0, len(filterbank), (x.shape[1] - len(window)) // hop + 1)
    spectrum = torch.stft(x, len(window), hop, window=window, center=False, return_complex=True)
    return filterbank @ power(spectrum)


def _per_clip(embeddings_x, embeddings_y):
    """Of the mean of the clips' means and of the clips' covariances."""
    right.frechet_audio_distance(embeddings_x, embeddings_y)
    moments = []
    for clips in (embeddings_x, embeddings_y):
        each = [gaussian_statistics(clip.mT) for clip in clips if clip.shape[1] > 1]
        moments += (
            [torch.stack(part).mean(0) for part in zip(*each, strict=True)]
            if each
            else gaussian_statistics(clips.mT.flatten(0, 1))
        )
    return frechet_distance(*moments)


def _of_means(embeddings_x, embeddings_y):
    return right.frechet_audio_distance(*(torch.cat([part.mean(2, keepdim=True)] * 2) for part in (embeddings_x, embeddings_y)))


def _floored(x, window, filterbank, *, hop, epsilon=1e-6):
    return _cells(x, window, filterbank, hop, epsilon).clamp(min=epsilon).log()


MISTAKES = (
    Mistake("hertz_to_mel", "natural logarithm with 2595", lambda frequency: right.hertz_to_mel(frequency) * math.log(10)),
    Mistake("hertz_to_mel", "logarithm of 1 + f/700, rounded", lambda frequency: 2595 * (1 + frequency / 700).log10()),
    Mistake("hertz_to_mel", "a frequency below 0 is reflected", lambda frequency: right.hertz_to_mel(frequency.abs()),
            only_checks=True),
    Mistake("mel_to_hertz", "natural logarithm with 2595", lambda mel: right.mel_to_hertz(mel / math.log(10))),
    Mistake("mel_to_hertz", "one is not subtracted", lambda mel: right.mel_to_hertz(mel) + 700),
    Mistake("mel_filterbank", "area-normalized", lambda **given: _bank(
        _in_mel, **given, height=lambda widths: 2 / (widths[:-1] + widths[1:]))),
    Mistake("mel_filterbank", "equally spaced in hertz", lambda **given: _bank(_in_hertz, **given)),
    Mistake("mel_filterbank", "linear in mel", lambda **given: _bank(_in_mel, **given, scale=right.hertz_to_mel)),
    Mistake("mel_filterbank", "limits are ignored", lambda num_filters, fourier_length, sample_rate, low=0.0, high=None: (
        right.mel_filterbank(num_filters=num_filters, fourier_length=fourier_length, sample_rate=sample_rate)
        + 0 * right.mel_filterbank(
            num_filters=num_filters, fourier_length=fourier_length, sample_rate=sample_rate, low=low, high=high))),
    Mistake("mel_filterbank", "frequencies up to half the sample rate, also of odd lengths", lambda **given: _bank(
        _in_mel, **given | {"fourier_length": given["fourier_length"] // 2 * 2 or 1})),
    Mistake("mel_filterbank", "transposed", lambda **given: right.mel_filterbank(**given).mT),
    Mistake("log_mel_spectrogram", "magnitude for power", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        _cells(x, window, filterbank, hop, epsilon, power=torch.abs) + epsilon).log()),
    Mistake("log_mel_spectrogram", "a floor, not a sum", _floored),
    Mistake("log_mel_spectrogram", "without the window", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        right.log_mel_spectrogram(x, torch.ones_like(window), filterbank, hop=hop, epsilon=epsilon))),
    Mistake("log_mel_spectrogram", "decibels", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        10 / math.log(10) * right.log_mel_spectrogram(x, window, filterbank, hop=hop, epsilon=epsilon))),
    Mistake("log_mel_spectrogram", "the last frame is padded", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        right.log_mel_spectrogram(torch.nn.functional.pad(x, (0, -(x.shape[1] - len(window)) % hop)), window, filterbank,
                                  hop=hop, epsilon=epsilon))),
    Mistake("log_mel_spectrogram", "logarithm before the filters", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        filterbank @ (_cells(x, window, torch.eye(len(window) // 2 + 1, dtype=x.dtype), hop) + epsilon).log()
        + 0 * right.log_mel_spectrogram(x, window, filterbank, hop=hop, epsilon=epsilon))),
    Mistake("log_mel_spectrogram", "the logarithm of 0 is allowed", lambda x, window, filterbank, *, hop, epsilon=1e-6: (
        _cells(x, window, filterbank, hop, abs(epsilon) or 1e-9) + epsilon).log(), only_checks=True),
    Mistake("frechet_audio_distance", "covariances of the clips averaged", _per_clip),
    Mistake("frechet_audio_distance", "of the clips' means", _of_means),
    Mistake("frechet_audio_distance", "its root", lambda embeddings_x, embeddings_y: (
        right.frechet_audio_distance(embeddings_x, embeddings_y).clamp(min=0).sqrt())),
    Mistake("frechet_audio_distance", "features and frames mixed", lambda embeddings_x, embeddings_y: (
        right.frechet_audio_distance(*(
            part.reshape(len(part), part.shape[2], part.shape[1]).mT for part in (embeddings_x, embeddings_y))))),
    Mistake("frechet_audio_distance", "a set without a feature has distance 0", lambda embeddings_x, embeddings_y: (
        right.frechet_audio_distance(*(torch.cat([part, part[:, :1] * 0 + torch.zeros(len(part), 1, part.shape[2]).to(part)], 1)
                                       for part in (embeddings_x, embeddings_y)))), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "log_mel_spectrogram",
        "by torch.stft",
        lambda x, window, filterbank, *, hop, epsilon=1e-6: (_cells(x, window, filterbank, hop, epsilon) + epsilon).log(),
    ),
)
