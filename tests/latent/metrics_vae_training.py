"""As latent/vae; the logged weight of the KL, and the latents by use. Text: one character of one window after the other."""

import torch

from tests.latent.metrics_vae import bound, pixels, rate
from tests.latent.metrics_vae import evaluate as of_images
from tests.latent.metrics_vae import preview as of_autoencoders
from tests.support.metrics import mean, noise, normal


def logs(e, batch, phase):
    if "tokens" in batch:
        kl = mean(rate(normal(*(e.plain if phase == "plain" else e.network).encode(batch["tokens"]))))
        return {"plain_kl": kl} if phase == "plain" else {"kl": kl, "kl_weight": weight(e)}
    return {"kl": mean(rate(bound(e, batch)[1])), "kl_weight": weight(e)}


def weight(e):
    recipe, step, weight = e.recipe, int(e.step), 1.0
    if recipe.kl_schedule == "linear":
        weight = min(1.0, step / recipe.kl_warmup_steps)
    if recipe.kl_schedule == "cyclical":
        weight = min(1.0, step % recipe.cycle_length / recipe.cycle_length / recipe.ramp_fraction)
    return weight


def evaluate(e, data):
    batch = data.batch()
    if "image" in batch:
        return of_images(e, data)
    tokens, found = batch["tokens"], {}
    eps = noise(e, len(tokens), e.recipe.latent_dim)
    for prefix, network in (("", e.network), ("plain_", e.plain)):
        q = normal(*network.encode(tokens))
        z, half = q.mean + q.stddev * eps, len(tokens) // 2
        own = mean([surprise(network, z[k], row) for k, row in enumerate(tokens)])
        others = mean([surprise(network, z[k - half], row) for k, row in enumerate(tokens)])
        kl = mean(rate(q))
        found |= {f"{prefix}negative_elbo": own + kl, f"{prefix}kl": kl, f"{prefix}code_gain": others - own}
    return found


def surprise(network, z, row):
    """-log p of a window, with the last symbol before its first character."""
    state, before, total = network.start(z[None]), network.embedding.num_embeddings - 1, 0.0
    for token in row.tolist():
        logits, state = network.step(z[None], torch.tensor([before]), state)
        total -= logits[0].log_softmax(0)[token]
        before = token
    return total


def preview(e, data):
    if "tokens" in data.batch():
        return {}
    center, log_var = e.network.encode(pixels(e, data.batch()["image"]))
    kl = [mean(row) for row in ((center.square() + log_var.exp() - 1 - log_var) / 2).T]
    activity = [mean([(value - mean(row)) ** 2 for value in row]) for row in center.T.tolist()]
    order = sorted(range(len(kl)), key=lambda k: -kl[k])
    drawn = [("plot", torch.tensor([values[k] for k in order])) for values in (kl, activity)]
    return {"latents": drawn, **of_autoencoders(e, data)}
