"""Sound textures: noise gets the style of a short recording, by Gram matrices of features with random weights."""

import math
from itertools import product

import torch
from torch.nn import functional

from practice_torch.adversarial.style_transfer import gram_matrix, style_loss
from practice_torch.data.textures import KINDS, synthesize
from practice_torch.engine.artifacts import Audio
from practice_torch.engine.batches.order import seed_of
from practice_torch.engine.estimate import ANY, FRACTION, POSITIVE, mean_interval
from practice_torch.experiments.media.short_time import RANGE, level, magnitude_of, sounds_of, transformed, with_magnitudes
from practice_torch.projects.runner import Column, Expectation, Row

TEXTURES = "sound textures"
NOISE, OTHER, MEANS = "noise with the spectrum of the texture", "a texture of another kind", "means of the features alone"
GRAMS, AGAIN = "Gram matrices of the features", "another recording of the texture"
ROLES = {NOISE: "floor", OTHER: "floor", MEANS: "model", GRAMS: "model", AGAIN: "ceiling"}

RATE, LENGTH, WINDOW = 8000, 8192, 256
RECORDINGS = 2  # of each kind
FILTERS, TAPS = 256, 11  # features, and pieces of the spectrogram that one sees: 110 ms
STEPS, STEP_SIZE = 200, 0.15
LEAST_SPREAD = 0.1  # of levels, 6 dB: what is steadier is not enlarged
ROUNDS = 32

SOUND_COLUMNS = {
    "style": Column("dB", "style loss over that of the noise, by random features that were not optimized", "lower"),
    "spectrum": Column("dB", "root mean square difference of mean levels, over the frequencies", "lower"),
    "fluctuation": Column("dB", "the same of the levels' standard deviations over time", "lower"),
    "copied": Column("correlation", "greatest correlation with the example at any shift, in absolute value", "lower"),
}


class Features:
    """A random convolution over time of the levels of a spectrogram, whose frequencies are its channels, and a rectifier.

    Levels are taken relative to the mean and the spread of each frequency in the examples, [B, T].

    Source: Ulyanov & Lebedev 2016, Audio texture synthesis and style transfer.
    """

    def __init__(self, examples, generator):
        levels = levels_of(examples)
        self.center, self.spread = levels.mean(2, keepdim=True), levels.std(2, keepdim=True).clamp(min=LEAST_SPREAD)
        shape = FILTERS, levels.shape[1], TAPS
        self.weight = math.sqrt(2 / math.prod(shape[1:])) * torch.randn(shape, generator=generator)

    def __call__(self, sounds):
        """[B, T] -> [B, C, 1, S]."""
        levels = (levels_of(sounds) - self.center) / self.spread
        return functional.conv1d(levels, self.weight).relu()[:, :, None]


def levels_of(sounds):
    """[B, T] -> [B, F, S]."""
    return level(transformed(sounds, WINDOW).abs())


def recordings(seed, number):
    """Recordings of each kind in turn, [B, T]; another number gives others."""
    found = [
        synthesize(kind, length=LENGTH, sample_rate=RATE, seed=seed_of(seed, f"{TEXTURES}, {kind}, {number}, {k}"))
        for k, kind in product(range(RECORDINGS), KINDS)
    ]
    return torch.stack([torch.from_numpy(sound).float() for sound in found])


def noise_like(examples, generator):
    """Noise with the mean levels of each example: the transfer without features."""
    noise = transformed(torch.randn(examples.shape, generator=generator), WINDOW)
    magnitude = magnitude_of(levels_of(examples).mean(2, keepdim=True)).expand(noise.shape)
    return with_magnitudes(magnitude, noise, examples.shape[1], ROUNDS)


def gram_loss(features, target):
    """The style loss of features, relative to the target's: [B, C, 1, S] twice -> [B]."""
    gram = gram_matrix(target)
    return style_loss(features, gram) / gram.square().sum((1, 2))


def mean_loss(features, target):
    """The same of the features' means over time."""
    found, wanted = features.mean((2, 3)), target.mean((2, 3))
    return (found - wanted).square().sum(1) / wanted.square().sum(1)


def transferred(begin, examples, features, loss):
    """Sounds whose features are those of the examples by this loss, from sounds to begin with, [B, T].

    What descends are a gain and a turn of each entry of the spectra: what is silent at the beginning is not filled by the steps.
    The spectra of the sound that they give are what is compared, since not every array is the spectra of a sound.
    """
    spectra, length = transformed(begin, WINDOW), begin.shape[1]
    moved = torch.zeros(2, *spectra.shape)
    moved.requires_grad_()

    def sounds():
        return sounds_of(spectra * torch.polar(moved[0].exp(), moved[1]), length)

    with torch.enable_grad():
        target, optimizer = features(examples), torch.optim.Adam([moved], lr=STEP_SIZE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss(features(sounds()), target).sum().backward()
            optimizer.step()
            schedule.step()
    return sounds().detach()


def cells(sounds, examples, noise, judge):
    """Columns of sounds [B, T]; noise: what the style loss is relative to; judge: features that no sound was made by."""
    (mean, spread), (wanted, wanted_spread) = (
        (levels.mean(2), levels.std(2)) for levels in (levels_of(sounds), levels_of(examples))
    )
    losses = [gram_loss(judge(some), judge(examples)).double() for some in (sounds, noise)]
    off = lambda one, other: 20 * RANGE * (one - other).square().mean(1).sqrt()  # noqa: E731
    return {
        "style": mean_interval(10 * (losses[0] / losses[1]).log10(), ANY),
        "spectrum": mean_interval(off(mean, wanted), POSITIVE),
        "fluctuation": mean_interval(off(spread, wanted_spread), POSITIVE),
        "copied": mean_interval(copied(sounds, examples), FRACTION),
    }


def copied(sounds, examples):
    """The greatest absolute correlation of two sounds over all shifts: [B, T], [B, T] -> [B]."""
    size = 2 * sounds.shape[1]  # no end meets the beginning
    spectra = torch.fft.rfft(sounds, size) * torch.fft.rfft(examples, size).conj()
    return torch.fft.irfft(spectra, size).abs().amax(1) / (sounds.norm(dim=1) * examples.norm(dim=1))


def judge_sounds(seed, say):
    """(rows, artifacts) of textures: what is made, what it is made from, and what is not."""
    generator = torch.Generator().manual_seed(seed_of(seed, TEXTURES))
    examples = recordings(seed, 0)
    features, judge = Features(examples, generator), Features(examples, generator)
    noise = noise_like(examples, generator)
    found = {NOISE: noise, OTHER: examples.roll(1, 0)}
    for name, loss in ((MEANS, mean_loss), (GRAMS, gram_loss)):
        say(f"{len(examples)} {TEXTURES}: {name}")
        found[name] = transferred(noise, examples, features, loss)
    found[AGAIN] = recordings(seed, 1)
    rows = {name: Row(ROLES[name], cells(sounds, examples, noise, judge), TEXTURES) for name, sounds in found.items()}
    kinds = ", ".join(KINDS)
    heard = {"example": ("Examples", examples), "noise": (NOISE, noise), "means": (MEANS, found[MEANS])}
    heard["grams"] = GRAMS, found[GRAMS]
    shown = {
        f"texture_{key}": Audio(sounds[: len(KINDS)], RATE, f"{words[0].upper()}{words[1:]}: {kinds}")
        for key, (words, sounds) in heard.items()
    }
    return rows, shown


def read_sounds(rows):
    """Sentences and expectations from the rows of textures."""
    style, spectrum, fluctuation, copy = ({name: rows[name].cells[column].value for name in ROLES} for column in SOUND_COLUMNS)
    sentences = (
        f"Sounds: the Gram matrices of random features bring the style loss of a noise down by {-style[GRAMS]:.1f} dB, as other "
        f"random features have it, their means alone by {-style[MEANS]:.1f}; another recording of the texture is at "
        f"{-style[AGAIN]:.1f} below the noise, and one of another kind {style[OTHER]:.1f} above.",
        f"The noise has the texture's spectrum to {spectrum[NOISE]:.1f} dB, but its levels fluctuate by {fluctuation[NOISE]:.1f} "
        f"dB more or less; with Gram matrices {spectrum[GRAMS]:.1f} and {fluctuation[GRAMS]:.1f} are left, in another recording "
        f"{spectrum[AGAIN]:.1f} and {fluctuation[AGAIN]:.1f}. The greatest correlation with the example is {copy[GRAMS]:.2f}, "
        f"that of another recording {copy[AGAIN]:.2f}: the sound is no copy.",
    )
    expectations = (
        Expectation("Sounds: Gram matrices bring the style loss of a noise down by 10 dB or more", style[GRAMS] <= -10),
        Expectation("... and by 4 dB more than means of features do", style[GRAMS] <= style[MEANS] - 4),
        Expectation("A texture of another kind has more of the style loss than the noise", style[OTHER] > 0),
        Expectation("A fifth of the difference in fluctuations is left, or less", fluctuation[GRAMS] <= fluctuation[NOISE] / 5),
        Expectation("No sound is a copy: correlations are below 0.3", copy[GRAMS] < 0.3),
    )
    return sentences, expectations
