"""Both stages, one image after another: reconstructions, rates by torch.distributions, errors of predictions of latents."""

import math

import torch

from tests.support.judged import Judge
from tests.support.metrics import mean

NAMES = ("digits",)
FIELDS = {"digits": {"judged_samples": 50}}
COUNT = 12
TOLERANCE = 1e-4  # predictions are cast to float32


def latent_law(encoded):
    center, log_var = encoded.chunk(2, 1)
    return torch.distributions.Normal(center, (log_var.clamp(-30, 20) / 2).exp())


def logs(e, batch, phase):
    """The first stage in training: the squared error of an image."""
    if phase != "first_stage":
        return {}
    law = latent_law(e.first_stage["encoder"](batch["image"]))
    latent = law.mean + law.stddev * torch.randn(law.mean.shape, generator=e.generator)
    errors = (e.first_stage["decoder"](latent) - batch["image"]).square()
    return {"squared_error": mean(errors.flatten(1).sum(1))}


def evaluate(e, data):
    from practice_torch.experiments.diffusion import latent_diffusion

    batch = data.batch()
    uniforms = torch.rand(2, len(data), generator=e.generator).tolist()
    eps = torch.randn(len(data), *e.latent, generator=e.generator)
    losses, errors, rates = [], [], []
    for k in range(len(data)):
        image = batch["image"][k : k + 1]
        law = latent_law(e.frozen["encoder"](image))
        errors.append(mean((e.frozen["decoder"](law.mean).clamp(0, 1) - image).square().flatten()))
        rates.append(torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum())
        t = min(int(uniforms[0][k] * e.recipe.num_steps), e.recipe.num_steps - 1) + 1
        label = batch["label"][k : k + 1] if uniforms[1][k] >= e.recipe.drop_probability else torch.tensor([len(e.classes)])
        a, x0 = float(e.alpha_bar[t]), law.mean * e.scale
        x_t = math.sqrt(a) * x0 + math.sqrt(1 - a) * eps[k]
        target = eps[k] if e.recipe.prediction == "noise" else math.sqrt(a) * eps[k] - math.sqrt(1 - a) * x0
        losses.append(mean((e.network(x_t, torch.tensor([t]), label) - target).square().flatten()))
    label = torch.tensor(sorted(k % len(e.classes) for k in range(e.recipe.judged_samples)))
    train = latent_diffusion.load_data(e.recipe)[0].batch()
    drawn = e._drawn(label)  # noqa: SLF001 - the sampler has its own tests
    judge = Judge(train["image"], train["label"])
    found = {"loss": mean(losses), "reconstruction": mean(errors), "rate": mean(rates), "scale": e.scale}
    return found | judge.verdict(drawn, batch["image"], label, batch["label"], len(e.classes))


def preview(e, data):
    pairs = []
    for image in data.batch()["image"]:
        law = latent_law(e.frozen["encoder"](image[None]))
        pairs += [image, e.frozen["decoder"](law.mean)[0].clamp(0, 1)]
    return {"reconstructions": torch.stack(pairs)}
