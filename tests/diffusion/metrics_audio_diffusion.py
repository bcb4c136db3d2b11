"""Vocoded sounds by the chain written out step by step, their spectrograms frame by frame, and pitches by scalar products."""

import math

import numpy as np
import torch

from tests.diffusion.objective_audio_diffusion import spectrogram
from tests.latent.metrics_vector_quantization import pitch
from tests.support.metrics import mean, noise

TOLERANCE = 1e-4  # predictions are cast to float32


def quick_levels(e):
    """1, and sigmoids of evenly spaced log-odds from the schedule's first noisy level to its last."""
    odds = [math.log(a / (1 - a)) for a in (float(e.alpha_bar[1]), float(e.alpha_bar[-1]))]
    count = e.recipe.quick_steps
    return [1.0] + [1 / (1 + math.exp(-(odds[0] + (odds[1] - odds[0]) * k / (count - 1)))) for k in range(count)]


def vocoded(e, heard, levels):
    draws = noise(e, len(levels), len(heard), 1, e.recipe.length)
    x = draws[0]
    for step in range(len(levels) - 1, 0, -1):
        a, b = levels[step], levels[step - 1]
        answer = e.network(x, torch.full((len(heard),), math.sqrt(a)), heard)
        data = ((x - math.sqrt(1 - a) * answer) / math.sqrt(a)).clamp(-e.recipe.gain, e.recipe.gain)
        beta = 1 - a / b
        x = (math.sqrt(b) * beta * data + math.sqrt(a / b) * (1 - b) * x) / (1 - a)
        if step > 1:
            x = x + math.sqrt(beta * (1 - b) / (1 - a)) * draws[step]
    return x / e.recipe.gain


def apart(one, other):
    return mean((one - other).abs().flatten())


def evaluate(e, data):
    batch = data.batch(torch.arange(min(len(data), e.recipe.measured_sounds)))
    heard = spectrogram(e, batch["audio"])
    slow, quick = (vocoded(e, heard, levels) for levels in (e.alpha_bar.tolist(), quick_levels(e)))
    others = apart(heard, torch.stack([heard[k - 1] for k in range(len(heard))]))
    found = {
        "relative_error": apart(spectrogram(e, slow), heard) / others,
        "quick_error": apart(spectrogram(e, quick), heard) / others,
    }
    if e.frequencies:
        tones = [math.log(pitch(sound, e.recipe.sample_rate)) for sound in slow[:, 0].double().numpy()]
        notes = [int(np.argmin([abs(tone - math.log(f)) for f in e.frequencies])) for tone in tones]
        found["pitch_accuracy"] = mean([note == k for note, k in zip(notes, batch["label"].tolist(), strict=True)])
    return found


def both(e, heard):
    return {name: vocoded(e, heard, levels)[:, 0] for name, levels in (
        ("vocoded", e.alpha_bar.tolist()), ("quick", quick_levels(e)))}  # fmt: skip


def preview(e, data):
    sounds = data.batch(torch.arange(min(len(data), 8)))["audio"]
    return {"held_out": sounds[:, 0]} | both(e, spectrogram(e, sounds))


def sample(e, count):
    return both(e, torch.stack([e.kept[k % 16] for k in range(count)]))
