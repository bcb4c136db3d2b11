"""Codes compared with the prior by SciPy's test, reconstructions by sums over pixels, rates by torch.distributions."""

import scipy.stats
import torch

from tests.support.judged import Judge
from tests.support.metrics import divergence, mean, noise, normal, standard_normal

FIELDS = {"digits": {"fakes": 30}, "digits_vae_gan": {"fakes": 30}}
COUNT = 12


def is_codes(e):
    return "adversarial_weight" in vars(e.recipe)


def inside(batch):
    return (batch["image"].flatten(1) - 0.5) / 0.5


def made(e, z):
    return e.decoder(z).tanh()


def posterior(e, x):
    center, raw = e.encoder(x).tensor_split(2, 1)
    return normal(center, 10 * (raw / 10).tanh())


def code(e, x):
    return e.encoder(x) if is_codes(e) else posterior(e, x).mean


def called_real(e, kinds):
    return {name: mean(e.discriminator(x)[:, 0].sigmoid()) for name, x in kinds.items()}


def logs(e, batch, phase):
    x, size = inside(batch), e.recipe.latent_dim
    if is_codes(e):
        if phase == "discriminator":
            return called_real(e, {"prior": noise(e, len(x), size), "codes": code(e, x)})
        return {"error": mean((made(e, code(e, x)) - x).square().sum(1)) / 2}
    q = posterior(e, x)
    again = made(e, q.mean + q.stddev * noise(e, len(x), size))
    if phase == "encoder":
        *layers, _ = e.discriminator
        hidden = torch.nn.Sequential(*layers)
        return {"error": mean((hidden(again) - hidden(x)).square().sum(1)) * e.recipe.feature_scale**2 / 2}
    if phase == "decoder":
        return {}
    return called_real(e, {"real": x, "reconstructed": again, "sampled": made(e, noise(e, len(x), size))})


def evaluate(e, data):
    batch = data.batch()
    x = inside(batch)
    codes, fakes = code(e, x), (made(e, noise(e, e.recipe.fakes, e.recipe.latent_dim)) + 1) / 2
    found = {
        "unexplained": (made(e, codes) - x).square().sum() / (x - x.mean(0)).square().sum(),
        "frechet_distance": Judge(batch["image"]).frechet_distance(fakes, batch["image"]),
    }
    if not is_codes(e):
        q = posterior(e, x)
        return found | {"kl": mean(divergence(q, standard_normal(q.mean)))}
    return found | {"distance_from_prior": max(scipy.stats.kstest(column, "norm").statistic for column in codes.T.numpy())}


def preview(e, data):
    batch = data.batch()
    x = inside(batch)
    codes = code(e, x)
    both = [image.view(e.shape) for image in (*x[:10], *made(e, codes[:10]))]
    fakes = made(e, noise(e, 64, e.recipe.latent_dim)).unflatten(1, e.shape)
    columns = codes.T
    return {
        "reconstructions": (torch.stack(both) + 1) / 2,
        "codes": [("scatter", columns[0], columns[-1], {"c": batch["label"]})],
        "fakes": (fakes + 1) / 2,
    }
