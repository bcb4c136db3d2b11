"""As latent/beta_vae; the discriminator's logits and loss by cross-entropies with two classes."""

import torch

from tests.latent import metrics_beta_vae
from tests.latent.metrics_beta_vae import codes, preview  # noqa: F401 - drawn alike
from tests.latent.metrics_vae import bound, rate
from tests.support.metrics import mean


def logs(e, batch, phase):
    if phase == "discriminator":
        return {}
    _, q, z = bound(e, batch)
    return {"kl": mean(rate(q)), "estimated_correlation": mean(e.discriminator(z)[:, 0])}


def evaluate(e, data):
    z, _ = codes(e, data)
    found = metrics_beta_vae.evaluate(e, data) | {"estimated_correlation": mean(e.discriminator(z)[:, 0])}
    orders = torch.rand(z.shape[1], len(z), generator=e.generator).argsort(1)
    shuffled = torch.stack([z[order, k] for k, order in enumerate(orders)], 1)
    told_apart = [mean(-(sign * e.discriminator(some)[:, 0]).sigmoid().log()) for sign, some in ((1, z), (-1, shuffled))]
    return found | {"discriminator_loss": sum(told_apart) / 2}
