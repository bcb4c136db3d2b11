"""Notes: decaying harmonic tones, synthesized from a seed. They are the embedded sounds; no recording comes with the code."""

import math

import torch

from practice_torch.data.errors import DataError

LOWEST = 220.0  # Hz, the A below middle C
PITCHES = ("A3", "A#3", "B3", "C4", "C#4", "D4", "D#4", "E4", "F4", "F#4", "G4", "G#4", "A4")
FREQUENCIES = tuple(LOWEST * 2 ** (semitone / 12) for semitone in range(len(PITCHES)))  # Hz, equal temperament
HARMONICS = 8
ATTACK = 0.003  # seconds: a tone that began or ended at once would click


def synthesize(count, *, length, sample_rate, generator):
    """(sounds [count, length] in -1..1, labels [count]): notes of all pitches in turn, each with its own timbre.

    x(t) = level g(t) g(end - t) sum_h h^(-slope) e^(-t sqrt(h) / decay) sin(2 pi h f t + phase_h),  g(t) = 1 - e^(-t / attack),

    over the harmonics h = 1, 2, ... below half the sample rate; level, slope, decay and phases are drawn for every note, and
    level is the note's peak. Higher harmonics are weaker and die sooner, as on a plucked string: the strongest frequency of a
    note is its pitch.
    """
    if sample_rate <= 2 * FREQUENCIES[-1]:
        needed = math.ceil(2 * FREQUENCIES[-1])
        raise DataError(f"sample_rate is {sample_rate}; notes reach {FREQUENCIES[-1]:g} Hz, so it must be above {needed}")

    def between(low, high, *shape):
        return low + (high - low) * torch.rand(count, *shape, dtype=torch.float64, generator=generator)

    labels = torch.arange(count) % len(FREQUENCIES)
    level, slope, decay, phase = between(0.3, 0.9), between(1, 2), between(0.08, 0.3), between(0, 2 * math.pi, HARMONICS)
    frequency = torch.tensor(FREQUENCIES, dtype=torch.float64)[labels]
    seconds = torch.arange(length, dtype=torch.float64) / sample_rate
    sounds = torch.zeros(count, length, dtype=torch.float64)
    for h in range(1, HARMONICS + 1):
        audible = h * frequency < sample_rate / 2
        weight = h**-slope * audible
        angle = (2 * math.pi * h) * frequency[:, None] * seconds + phase[:, h - 1, None]
        sounds += weight[:, None] * torch.exp(-math.sqrt(h) * seconds / decay[:, None]) * angle.sin()
    sounds *= torch.expm1(-seconds / ATTACK) * torch.expm1(-seconds.flip(0) / ATTACK)
    # a note of one or two samples is silent: it begins and ends at zero
    peak = sounds.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    return (level[:, None] * sounds / peak).float(), labels
