"""Fakes of two codes by a loop over layers, and of one; Frechet distances by eigenvalues."""

import torch

from tests.support.judged import Judge
from tests.support.metrics import mean, noise

FLOAT32 = True
NAMES = ("digits",)
FIELDS = {"digits": {"fakes": 20}}


def fakes(e, count, crossover=None, psi=1.0):
    """Of a crossover: in -1..1, of two codes. Without: as images of one noise, of a code that is moved to the mean of 1,000."""
    layers, shown = e.synthesis.num_codes, crossover is None
    center = e.mapping(noise(e, 1000, e.recipe.latent)).mean(0) if shown else 0.0
    one = noise(e, 1, e.synthesis.noise_size) if shown else None
    codes = e.mapping(noise(e, count if shown else 2 * count, e.recipe.latent))
    codes = psi * codes + (1 - psi) * center
    first, second = (codes, codes) if shown else (codes[:count], codes[count:])
    chosen = [first if shown or layer < crossover else second for layer in range(layers)]
    noises = torch.cat(count * [one]) if shown else noise(e, count, e.synthesis.noise_size)
    images = e.synthesis(torch.stack(chosen, 1), noises)
    return ((images + 1) / 2).clamp(0, 1) if shown else images


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    made = fakes(e, len(batch["image"]), e.place.taken % (e.synthesis.num_codes + 1))
    return {"real": mean(e.critic(2 * batch["image"] - 1)), "fake": mean(e.critic(made))}


def evaluate(e, data):
    held_out = data.batch()["image"]
    shown = fakes(e, e.recipe.fakes)
    return {"frechet_distance": Judge(held_out).frechet_distance(shown, held_out), "path_length": float(e.path_length)}


def preview(e, data):
    return {"fakes": fakes(e, 64), "typical": fakes(e, 64, psi=e.recipe.psi)}
