"""Sounds of a low sample rate get the band that they lack: by interpolation, by mirror images, by means, and by a perceptron."""

import torch

from practice_torch.engine.artifacts import Audio
from practice_torch.engine.estimate import ANY, POSITIVE, mean_interval
from practice_torch.experiments.media.bandwidth import folded, missing_from, narrowed, widened, with_band
from practice_torch.experiments.media.short_time import log_spectral_distance, transformed
from practice_torch.projects._enhancing.reading import EXTENDED, title
from practice_torch.projects.runner import Column, Row, call_isolated

NETWORK, REAL_LEVELS, SHUFFLED = "perceptron of levels", "real levels, drawn phases", "perceptron, of another sound"
INTERPOLATED, FOLDED, MEAN_LEVELS = "sinc interpolation", "mirror images of the low band", "mean levels, drawn phases"
MOST, SHOWN = 1000, 6
SOUND_COLUMNS = {
    "band_distance": Column(
        "dB", "log-spectral distance in the band that is missing; 60 dB below full scale is silence", "lower"
    ),
    "whole_distance": Column("dB", "log-spectral distance in the whole band", "lower"),
    "low_band": Column("dB", "the known samples, over what is wrong in them after extending: 100 at most", "higher"),
    "waveform": Column("dB", "the real sound, over what is wrong in the extended one, as powers", "higher"),
}
ROLES = {
    INTERPOLATED: "floor",
    FOLDED: "floor",
    MEAN_LEVELS: "floor",
    SHUFFLED: "floor",
    NETWORK: "model",
    REAL_LEVELS: "ceiling",
}


def extensions(experiment, x):
    """name -> sounds [N, T] for what a low sample rate keeps of x."""
    factor, size = experiment.recipe.factor, experiment.recipe.window
    low, noise = narrowed(x, factor), torch.randn(x.shape, generator=experiment.generator, device=x.device)
    real, base = transformed(x, size).abs()[:, missing_from(size, factor) :], widened(low, factor)
    by_network = experiment.extended(low)
    return {
        INTERPOLATED: base,
        FOLDED: base + folded(low, factor),
        MEAN_LEVELS: experiment.with_mean_levels(low),
        SHUFFLED: base + (by_network - base).roll(1, 0),  # what is added to the sound before
        NETWORK: by_network,
        REAL_LEVELS: with_band(low, real, noise, factor),
    }


def judge_sounds(training, say):
    """(rows, artifacts) of held-out sounds."""
    say(f"sounds, {EXTENDED}")
    data, recipe = training.held_out_data, training.recipe
    x = data.batch(torch.arange(min(len(data), MOST)))["audio"][:, 0]
    found = call_isolated(training, EXTENDED, lambda experiment: extensions(experiment, x))
    rows = {title(EXTENDED, name): Row(ROLES[name], cells(y, x, recipe), EXTENDED) for name, y in found.items()}
    heard = {"real": ("real sounds", x)} | {
        key: (name, found[name])
        for key, name in (("narrow", INTERPOLATED), ("mirrored", FOLDED), ("mean", MEAN_LEVELS), ("perceptron", NETWORK))
    }
    shown = {
        f"{EXTENDED}_{key}": Audio(sounds[:SHOWN].cpu(), recipe.sample_rate, f"{EXTENDED}: {name}, one after another")
        for key, (name, sounds) in heard.items()
    }
    return rows, shown


def cells(y, x, recipe):
    """Distances of extended sounds y to the real ones x, by spectra of half the length of those that are learned."""
    factor, size = recipe.factor, recipe.window // 2
    low = narrowed(x, factor)
    return {
        "band_distance": mean_interval(log_spectral_distance(y, x, size, missing_from(size, factor)), POSITIVE),
        "whole_distance": mean_interval(log_spectral_distance(y, x, size), POSITIVE),
        "low_band": mean_interval(ratio(low, narrowed(y, factor)), ANY),
        "waveform": mean_interval(ratio(x, y), ANY),
    }


def ratio(real, made):
    """10 log10 of the power of a sound over that of the error, at most 100: [N, T], [N, T] -> [N]."""
    power, error = real.double().square().sum(1), (made - real).double().square().sum(1)
    return 10 * ((power + 1e-12) / (error + 1e-10 * power + 1e-12)).log10()
