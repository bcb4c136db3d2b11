"""The three parts of the continuous bound: a divergence by torch.distributions, half an integral, and a choice among values."""

import math

import torch

from tests.support.metrics import mean, noise

NAMES = ("digits",)


def noised(x0, eps, log_snr):
    share = 1 / (1 + math.exp(-log_snr))
    return math.sqrt(share) * x0 + math.sqrt(1 - share) * eps


def error(e, x0, log_snr, eps):
    """The squared error of the noise, of one image."""
    level = torch.tensor([log_snr])
    return (e.predictor(noised(x0, eps, log_snr)[None], level)[0] - eps).square().sum()


def bound(e, index):
    """Bits for each dimension of every image: prior, diffusion and reconstruction."""
    x0, (top, bottom) = e.values[index], (float(end) for end in e.ends())
    first = float(torch.rand((), generator=e.generator))
    times = [(first + k / len(x0)) % 1 for k in range(len(x0))]
    at_first, along = noise(e, *x0.shape), noise(e, *x0.shape)
    found = {"prior": [], "diffusion": [], "reconstruction": []}
    for k, image in enumerate(x0):
        share = 1 / (1 + math.exp(-bottom))
        last = torch.distributions.Normal(math.sqrt(share) * image, math.sqrt(1 - share))
        standard = torch.distributions.Normal(torch.zeros_like(image), 1.0)
        found["prior"].append(torch.distributions.kl_divergence(last, standard).sum())
        level = top + (bottom - top) * times[k]
        found["diffusion"].append((top - bottom) / 2 * error(e, image, level, along[k]))
        z0, share = noised(image, at_first[k], top), 1 / (1 + math.exp(-top))
        laws = torch.distributions.Normal(math.sqrt(share) * e.values, math.sqrt(1 - share)).log_prob(z0[..., None])
        chosen = torch.distributions.Categorical(logits=laws).log_prob(index[k])
        found["reconstruction"].append(-chosen.sum())
    return {name: [float(part) / math.log(2) / x0[0].numel() for part in parts] for name, parts in found.items()}


def index_of(e, image):
    return (image * (e.recipe.num_levels - 1)).round().long()


def logs(e, batch, phase):
    return {name: mean(parts) for name, parts in bound(e, index_of(e, batch["image"])).items()}


def evaluate(e, data):
    index = index_of(e, data.batch()["image"])
    found = {name: mean(parts) for name, parts in bound(e, torch.cat(8 * [index])).items()}
    top, bottom = e.ends()
    return found | {"bits_per_dimension": sum(found.values()), "log_snr_max": top, "log_snr_min": bottom}


def preview(e, data):
    x0, (top, bottom) = e.values[index_of(e, data.batch()["image"])], (float(end) for end in e.ends())
    levels, errors = [bottom + k / 39 * (top - bottom) for k in range(40)], []
    for level in levels:
        eps = noise(e, *x0.shape)
        errors.append(mean([error(e, image, level, one) for image, one in zip(x0, eps, strict=True)]) / x0[0].numel())
    return {"errors": [("fill_between", levels, errors), ("plot", levels, errors)]}
