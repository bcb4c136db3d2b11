"""Spectra of sounds as images of one channel: of the embedded notes, or of the user's own folder of wav and flac files."""

import math

import torch
from torch.nn.functional import pad

from practice_torch.data import audio
from practice_torch.data.blank import blank_labels, blank_set
from practice_torch.data.errors import DataError
from practice_torch.data.image_set import Images

NAMES = audio.NAMES
FORMS = f"{audio.FORMS[:-1]}; images are made of their spectra."
RANGE = 80.0  # dB, from the power of a tone of full scale, white, down to black
_ROWS = 4096  # sounds that are transformed together


def load(
    source, *, held_out=0.2, seed=0, sample_rate=8000, length=1024, skip_unusable=False, notes=audio.NOTES, window=256, hop=64
):
    """(train, held-out) spectra [1, window / 2, length / hop] of the sounds that audio.py loads, in memory.

    Raises DataError, one line, where the sounds cannot be used, or the sizes do not fit each other.
    """
    shape = _shape(length, window, hop)
    options = dict(sample_rate=sample_rate, length=length, skip_unusable=skip_unusable, notes=notes)
    train, rest = audio.load(source, held_out=held_out, seed=seed, **options)
    train = train.resident() if hasattr(train, "resident") else train  # of a prepared folder, whose sounds are on the disk
    return tuple(_of_sounds(part, shape, window, hop) for part in (train, rest))


def _of_sounds(data, shape, window, hop):
    pixels = torch.cat([spectra(some, window=window, hop=hop) for some in data.sounds.split(_ROWS)])
    return Images(pixels[:, None], data.labels, 1, data.description | {"shape": shape})


def _shape(length, window, hop):
    """The shape of an image. Raises DataError where the frames do not cover the sounds evenly."""
    if window < 2 or window % 2:
        raise DataError(f"window is {window}; it must be an even number")
    if not 0 < hop <= window or (window - hop) % 2:
        raise DataError(
            f"hop is {hop}; it must be even, and at most window ({window})" if hop else "hop is 0; it must be positive"
        )
    if length % hop:
        raise DataError(f"length is {length}; it must be a multiple of hop ({hop})")
    return [1, window // 2, length // hop]


def spectra(sounds, *, window, hop):
    r"""Images of sounds: 1 + dB / 80 in 0..1 of the frequencies above 0, the highest first: [B, T] -> [B, window / 2, T / hop].

    dB = 10 log10 |X|^2 / (sum_t w_t / 2)^2, with X the Fourier transform of a frame in a Hann window w: 0 for a tone of full
    scale. Frames begin `hop` samples apart, the first one (window - hop) / 2 samples before the sound.
    """
    magnitude = transform(sounds, window=window, hop=hop).abs()[:, 1:].flip(1)
    tiny = torch.finfo(magnitude.dtype).tiny
    full = _hann(window, sounds).sum() / 2
    return (1 + 20 / RANGE * (magnitude / full).clamp(min=tiny).log10()).clamp(0, 1)


def magnitudes(images, *, window):
    """|X| of images [B, window / 2, S], and 0 at the frequency 0: [B, window / 2 + 1, S]. What is black is silent."""
    full = _hann(window, images).sum() / 2
    found = full * 10 ** ((images - 1) * (RANGE / 20)) * (images > 0)
    return pad(found.flip(1), (0, 0, 1, 0))


def transform(sounds, *, window, hop):
    """The Fourier transforms of the frames of sounds: [B, T] -> [B, window / 2 + 1, T / hop]."""
    frames = pad(sounds, [(window - hop) // 2] * 2).unfold(1, window, hop)
    return torch.fft.rfft(frames * _hann(window, sounds)).mT


def inverse(spectrum, *, hop):
    """The sounds whose frames have the spectra that are nearest to these, in squares: [B, window / 2 + 1, S] -> [B, S hop].

    sum_s w(t - s hop) x_s(t - s hop) / sum_s w(t - s hop)^2, with x_s the frames of the spectra.  Source: Griffin & Lim 1984.
    """
    frames = torch.fft.irfft(spectrum.mT)  # [B, S, window]
    _, count, window = frames.shape
    hann = _hann(window, frames)
    sounds = frames.new_zeros(len(frames), window + (count - 1) * hop)
    weights = torch.zeros_like(sounds[0])
    for number in range(count):
        here = slice(number * hop, number * hop + window)
        sounds[:, here] += hann * frames[:, number]
        weights[here] += hann.square()
    inside = slice((window - hop) // 2, sounds.shape[1] - (window - hop) // 2)
    return sounds[:, inside] / weights[inside].clamp(min=math.sqrt(torch.finfo(sounds.dtype).eps))


def _hann(window, like):
    return torch.hann_window(window, dtype=like.dtype, device=like.device)


def blank(name, facts, *, sample_rate=8000, length=1024, skip_unusable=False, notes=audio.NOTES, window=256, hop=64):
    """The training spectra without data: see blank.py."""
    known = audio.blank(name, facts, sample_rate=sample_rate, length=length, notes=notes).description
    shape = _shape(length, window, hop)
    form = lambda count: {"image": torch.zeros(count, *shape)} | blank_labels(known, count)  # noqa: E731
    return blank_set(name, known | {"shape": shape}, facts, form)
