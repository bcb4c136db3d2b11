"""Sounds: spectra by sums of cosines and sines, pitches by scalar products, Frechet distances by eigenvalues."""

import math

import numpy as np
import torch

from practice_torch.experiments.judging.extractors import log_mel_columns
from tests.adversarial.metrics_gradient_penalty import fakes
from tests.adversarial.objective_audio_gan import scores
from tests.latent.metrics_vector_quantization import pitch
from tests.support.metrics import mean

FLOAT32 = True
TOLERANCE = 1e-4  # spectra are taken in float32
NAMES = ("notes",)
FIELDS = {"notes": {"fakes": 20, "length": 512, "width": 2}}


def slopes(e, real, made):
    """The length of the critic's gradient at a random place between each real and fake sound."""
    shares = torch.rand(len(real), generator=e.generator).view(-1, 1, 1)
    places = (shares * real + (1 - shares) * made).detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(scores(e, places).sum(), places)
    return [float(each.norm()) for each in gradient]


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    real = batch["audio"]
    made = fakes(e, len(real)).detach()
    estimate = mean(scores(e, real)) - mean(scores(e, made))
    beyond = [slope - 1 if e.recipe.penalty == "two_sided" else max(slope - 1, 0.0) for slope in slopes(e, real, made)]
    return {"estimate": estimate, "penalty": mean([each**2 for each in beyond])}


def spectrum(sounds, size=256):
    """The mean magnitude of each frequency in each frame, frames half overlapping, with a raised cosine for a window."""
    time = np.arange(size)
    window = np.sin(np.pi * time / size) ** 2
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size // 2 + 1), time) / size) * window
    starts = range(0, sounds.shape[1] - size + 1, size // 2)
    return np.stack([np.abs(sounds[:, begin : begin + size] @ waves.T).mean(0) for begin in starts], 1)


def distance(x, y):
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) of the columns [N, D, S] of two sets, the root by eigenvalues."""
    (m, s), (n, t) = ((rows.mean(0), np.cov(rows.T)) for rows in (np.moveaxis(z, 1, 2).reshape(-1, z.shape[1]) for z in (x, y)))
    roots = np.sqrt(np.clip(np.linalg.eigvals(s @ t).real, 0, None))
    return float(((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * roots.sum())


def evaluate(e, data):
    real, made = data.batch()["audio"], fakes(e, e.recipe.fakes)
    sounds = [x[:, 0].float() for x in (real, made)]
    columns = log_mel_columns(e.recipe.length, e.recipe.sample_rate)
    logarithms = [np.log(spectrum(x.double().numpy()) + 1e-3) for x in sounds]
    found = {
        "estimate": mean(scores(e, real)) - mean(scores(e, made)),
        "frechet_audio_distance": distance(*(columns(x).double().numpy() for x in sounds)),
        "spectrum_distance": float(np.abs(logarithms[0] - logarithms[1]).mean()),
    }
    if frequencies := data.description.get("frequencies"):
        shares = []
        for x in sounds:
            heard = [math.log(pitch(sound, e.recipe.sample_rate)) for sound in x.double().numpy()]
            notes = [int(np.argmin([abs(h - math.log(f)) for f in frequencies])) for h in heard]
            shares.append([notes.count(k) / len(notes) for k in range(len(frequencies))])
        found["notes_covered"] = sum(map(min, *shares))
    return found


def preview(e, data):
    return {"held_out": data.batch()["audio"][:16, 0]}
