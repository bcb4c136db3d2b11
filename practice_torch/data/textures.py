"""Sound textures: rain, wind and crackle, synthesized from a seed; no recording comes with the code.

A texture has no notes and no beginning: two recordings of one are different sounds with the same statistics.
"""

import numpy as np

from practice_torch.data.errors import DataError

LEAST_RATE = 8000  # Hz: drops of rain ring up to 3.5 kHz
PEAK = 0.9


def synthesize(kind, *, length, sample_rate, seed):
    """A recording of the kind, one of KINDS: [length], with the peak 0.9. Another seed gives another recording of it."""
    if kind not in KINDS:
        raise DataError(f"texture {kind!r} is not known; there are {', '.join(KINDS)}")
    if sample_rate < LEAST_RATE:
        raise DataError(f"sample_rate is {sample_rate}; textures reach 3.5 kHz, so it must be {LEAST_RATE} or more")
    sound = KINDS[kind](np.random.default_rng(seed), length, sample_rate)
    return PEAK * sound / np.abs(sound).max()


def rain(generator, length, sample_rate):
    """120 drops in a second, each a sine between 0.9 and 3.5 kHz that dies in 1 to 4 ms."""
    time = np.arange(round(0.025 * sample_rate)) / sample_rate

    def drop():
        wave = np.sin(2 * np.pi * generator.uniform(900, 3500) * time)
        return generator.lognormal(-1, 0.6) * np.exp(-time / generator.uniform(0.001, 0.004)) * wave

    return _events(generator, drop, 120, length, sample_rate)


def wind(generator, length, sample_rate):
    """Noise in three bands around 250, 450 and 800 Hz, each with gusts: changes of its level slower than 3 Hz."""
    frequency = np.fft.rfftfreq(length, 1 / sample_rate)

    def filtered(gain):
        sound = np.fft.irfft(np.fft.rfft(generator.standard_normal(length)) * gain, length)
        return sound / max(sound.std(), 1e-9)

    bands = [np.exp(-0.5 * ((frequency - center) / (center / 6)) ** 2) for center in (250, 450, 800)]
    return sum(filtered(band) * np.exp(0.8 * filtered((frequency > 0) & (frequency < 3))) for band in bands)


def crackle(generator, length, sample_rate):
    """14 bursts of noise in a second, which die in 3 to 12 ms, over a faint hiss."""
    time = np.arange(round(0.05 * sample_rate)) / sample_rate

    def burst():
        noise = generator.standard_normal(len(time))
        return generator.lognormal(0, 0.5) * np.exp(-time / generator.uniform(0.003, 0.012)) * noise

    hiss = 0.003 * generator.standard_normal(length)
    return hiss + _events(generator, burst, 14, length, sample_rate)


KINDS = {"rain": rain, "wind": wind, "crackle": crackle}


def _events(generator, event, rate, length, sample_rate):
    """At least one, at uniform times, and a Poisson number of others; `rate` in a second are expected."""
    sound = np.zeros(length)
    for _ in range(1 + generator.poisson(rate * length / sample_rate)):
        begin, one = generator.integers(length), event()
        sound[begin : begin + len(one)] += one[: length - begin]
    return sound
