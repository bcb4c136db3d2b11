"""Signal-to-noise ratios of inversions by the mean square of each image's errors; what descends is held by its contract."""

import math

import torch

from practice_torch.adversarial.gan_inversion import invert_by_gradient_descent
from tests.support.metrics import mean, noise

FLOAT32 = True
FIELDS = {"digits": {"descent_steps": 5}}


def made(e, code):
    return e.generator_network(code).flatten(1)


def psnr(images, others):
    """With pixels in -1..1 the peak is 2: 20 log10 (2 / root mean square)."""
    errors = [math.sqrt(mean((a - b).double().square())) for a, b in zip(images, others, strict=True)]
    return mean([20 * math.log10(2 / error) for error in errors])


def descended(e, images, start, mask=None):
    mask = torch.ones_like(images, dtype=torch.bool) if mask is None else mask
    how = {"learning_rate": e.recipe.descent_rate, "num_steps": e.recipe.descent_steps, "prior_weight": e.recipe.prior_weight}
    return invert_by_gradient_descent(images, start, mask, lambda code: made(e, code), **how)


def codes(e, images):
    """The metric for each inversion method."""
    guess = e.encoder(images)
    zero = torch.zeros(len(images), e.recipe.latent)
    return {"regression": guess, "descent": descended(e, images, zero), "both": descended(e, images, guess)}


def logs(e, batch, phase):
    code = noise(e, len(batch["image"]), e.recipe.latent)
    if phase != "discriminator":
        return {}
    images = {"real": 2 * batch["image"] - 1, "fake": e.generator_network(code)}
    return {name: mean(e.discriminator(x).sigmoid()) for name, x in images.items()}


def evaluate(e, data):
    real = 2 * data.batch()["image"].flatten(1) - 1
    of_fakes = noise(e, len(real), e.recipe.latent)
    fakes, some = made(e, of_fakes), made(e, noise(e, 1000, e.recipe.latent))
    guessed, found = e.encoder(fakes), codes(e, real)
    metrics = {name: psnr(real, made(e, code)) for name, code in found.items()}
    closest = [some[(some - image).square().sum(1).argmin()] for image in real]
    return metrics | {
        "gain": metrics["both"] - metrics["regression"],
        "nearest": psnr(real, closest),
        "regression_of_fakes": psnr(fakes, made(e, guessed)),
        "both_of_fakes": psnr(fakes, made(e, descended(e, fakes, guessed))),
        "explained": 1 - float((guessed - of_fakes).square().sum() / of_fakes.square().sum()),
        "length": mean([code.norm() for code in found["both"]]),
        "discriminator_loss": e.statistics.loss,
        "lowest_discriminator_loss": e.statistics.lowest,
    }


def preview(e, data):
    real = 2 * data.batch()["image"].flatten(1) - 1
    rows = torch.cat([real, *(made(e, code) for code in codes(e, real).values())])
    upper = torch.zeros(e.shape, dtype=torch.bool)
    upper[:, : e.shape[1] // 2] = True
    mask = upper.flatten().expand_as(real)
    filled = made(e, descended(e, real, torch.zeros(len(real), e.recipe.latent), mask))
    holes = torch.cat([real * mask, real * mask + filled * ~mask, real])
    return {name: (images.unflatten(1, e.shape) + 1) / 2 for name, images in (("inversions", rows), ("holes", holes))}
