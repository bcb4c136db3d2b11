"""Both maps between images and codes: errors by sums over pixels, probes of codes by scikit-learn."""

import torch

from tests.latent.metrics_conditional_vae import probed
from tests.support.metrics import mean, noise

FIELDS = {name: {"fakes": 30} for name in ("digits", "digits_cycle")}
COUNT = 12


def inside(batch):
    return (batch["image"].flatten(1) - 0.5) / 0.5


def made(e, z):
    return e.generator_network(z).tanh()


def logs(e, batch, phase):
    if phase == "opponents":
        return {}
    x = inside(batch)
    z = noise(e, len(x), e.recipe.latent)
    pairs = {"encoder": torch.cat([x, e.encoder(x)], 1), "generator": torch.cat([made(e, z), z], 1)}
    return {name: mean(e.discriminator(pair)[:, 0].sigmoid()) for name, pair in pairs.items()}


def evaluate(e, data):
    batch = data.batch()
    x = inside(batch)
    code, z = e.encoder(x), noise(e, e.recipe.fakes, e.recipe.latent)
    unexplained = (made(e, code) - x).square().sum() / (x - x.mean(0)).square().sum()
    return {
        "probe_accuracy": probed(code.numpy(), batch["label"].numpy()),
        "unexplained": unexplained,
        "latent_error": mean((e.encoder(made(e, z)) - z).square().flatten()),
        "latent_deviation": mean(code.square().flatten()) ** 0.5,
        "discriminator_loss": e.statistics.loss,
        "lowest_discriminator_loss": e.statistics.lowest,
    }


def preview(e, data):
    x = inside(data.batch(torch.arange(10)))
    both = [image.view(e.shape) for image in (*x, *made(e, e.encoder(x)))]
    fakes = made(e, noise(e, 64, e.recipe.latent)).unflatten(1, e.shape)
    return {"reconstructions": (torch.stack(both) + 1) / 2, "fakes": (fakes + 1) / 2}
