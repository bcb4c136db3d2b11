"""As latent/vae; the logged weight of the KL, and the latents by use."""

import torch

from tests.latent.metrics_vae import bound, evaluate, pixels, rate  # noqa: F401 - judged alike
from tests.latent.metrics_vae import preview as of_autoencoders
from tests.support.metrics import mean


def logs(e, batch, phase):
    recipe, step, weight = e.recipe, int(e.step), 1.0
    if recipe.kl_schedule == "linear":
        weight = min(1.0, step / recipe.kl_warmup_steps)
    if recipe.kl_schedule == "cyclical":
        weight = min(1.0, step % recipe.cycle_length / recipe.cycle_length / recipe.ramp_fraction)
    return {"kl": mean(rate(bound(e, batch)[1])), "kl_weight": weight}


def preview(e, data):
    center, log_var = e.network.encode(pixels(e, data.batch()["image"]))
    kl = [mean(row) for row in ((center.square() + log_var.exp() - 1 - log_var) / 2).T]
    activity = [mean([(value - mean(row)) ** 2 for value in row]) for row in center.T.tolist()]
    order = sorted(range(len(kl)), key=lambda k: -kl[k])
    drawn = [("plot", torch.tensor([values[k] for k in order])) for values in (kl, activity)]
    return {"latents": drawn, **of_autoencoders(e, data)}
