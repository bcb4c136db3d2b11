"""As diffusion/elbo, for three variances: two fixed ones, and the learned interpolation between them."""

import math

import torch

from tests.diffusion.metrics_elbo import (
    TOLERANCE,  # noqa: F401
    clipped,
    decoder,
    deviation_of_mean,
    independent_pixels,
    kl,
    panels,
    predicted,
    prior,
    step,
    values,
)
from tests.support.metrics import mean, noise


def between(e, v, t):
    """The deviation on the logarithmic scale between the small variance (v = -1) and the large one (v = 1)."""
    *_, small, large = step(e, t)
    share = (v.double() + 1) / 2
    return (share * math.log(large) / 2 + (1 - share) * math.log(small) / 2).exp()


def logs(e, batch, phase):
    x0 = values(e, batch["image"])
    t = torch.randint(1, e.recipe.num_steps + 1, x0.shape[:1], generator=e.generator).tolist()
    eps, errors, steps = noise(e, *x0.shape), [], []
    for k, level in enumerate(t):
        a = float(e.alpha_bar[level])
        x_t = math.sqrt(a) * x0[k : k + 1] + math.sqrt(1 - a) * eps[k : k + 1]
        answer, v = predicted(e, x_t, level).chunk(2, 1)
        errors.append(mean((answer - eps[k : k + 1]).square().flatten()))
        data = (x_t - math.sqrt(1 - a) * answer) / math.sqrt(a)
        *weights, small, _ = step(e, level)
        nats = kl(x0[k : k + 1], x_t, data, weights, between(e, v, level), math.sqrt(small)) if level > 1 else torch.zeros(1)
        steps.append(float(nats) / x0[0].numel())
    return {"simple": mean(errors), "bound": e.recipe.num_steps * mean(steps)}


def bounds(e, data, count):
    x0 = values(e, data.batch(torch.arange(min(len(data), count)))["image"])
    columns = {name: [] for name in ("learned", "small", "large")}
    for t in range(1, e.recipe.num_steps + 1):
        a, eps = float(e.alpha_bar[t]), noise(e, *x0.shape)
        *weights, small, large = step(e, t)
        pairs = {name: [] for name in columns}
        for sign in (1, -1):
            x_t = math.sqrt(a) * x0 + sign * math.sqrt(1 - a) * eps
            answer, v = predicted(e, x_t, t).chunk(2, 1)
            found = clipped(e, x_t, answer, t)
            deviations = {"learned": between(e, v, t), "small": math.sqrt(small), "large": math.sqrt(large)}
            for name, deviation in deviations.items():
                if t == 1:
                    pairs[name].append(decoder(e, x0, found, math.sqrt(small)))
                else:
                    pairs[name].append(kl(x0, x_t, found, weights, deviation, math.sqrt(small)))
        for name, pair in pairs.items():
            columns[name].append(sum(pair) / 2)
    return {name: torch.stack([*each, prior(e, x0)], 1) / math.log(2) / x0[0].numel() for name, each in columns.items()}


def evaluate(e, data):
    totals = {name: terms.sum(1) for name, terms in bounds(e, data, e.recipe.measured_images).items()}
    return {
        "bits_per_dimension": mean(totals["learned"]),
        "standard_error": deviation_of_mean(totals["learned"]),
        "bits_small": mean(totals["small"]),
        "bits_large": mean(totals["large"]),
        "independent_pixels": independent_pixels(e, data),
    }


def preview(e, data):
    found = bounds(e, data, 64)
    lines = []
    for name in ("learned", "small", "large"):
        each = [mean(column) for column in found[name].T]
        lines.append(("plot", range(2, len(each)), each[1:-1], {"label": name}))
    return {"bits": panels(found["learned"]), "variances": lines}
