"""Learned velocities: paths and densities by Runge-Kutta steps written out, with the trace of the Jacobian matrix; distances by
loops over pairs.
"""

import math

import torch

from tests.flows.metrics_affine_coupling import known
from tests.support import judged
from tests.support.metrics import mean, noise, standard_normal

NAMES = ("two_moons", "digits", "notes")
FIELDS = {"two_moons": {"likelihood_steps": 3}} | {name: {"judged_samples": 50} for name in NAMES[1:]}
COUNT = 12


def velocity(e, x, time, network=None, *label):
    return (network or e.network)(x, torch.full((len(x),), 1000.0 * time), *label)


def midpoint(e, x, steps, network=None):
    """From noise at 0 to data at 1."""
    for k in range(steps):
        half = x + velocity(e, x, k / steps, network) / steps / 2
        x = x + velocity(e, half, (k + 0.5) / steps, network) / steps
    return x


def log_density(e, points, steps):
    """log N(x_0) less the integral of the divergence along the path, by the classical method from 1 to 0."""

    def slopes(x, time):
        jacobian = torch.func.vmap(torch.func.jacrev(lambda one: velocity(e, one[None], time)[0]))(x)
        return velocity(e, x, time), jacobian.diagonal(dim1=1, dim2=2).sum(1)

    x, total, h = points, torch.zeros(len(points)), 1 / steps
    for k in range(steps):
        at = 1 - k * h
        a = slopes(x, at)
        b = slopes(x - h / 2 * a[0], at - h / 2)
        c = slopes(x - h / 2 * b[0], at - h / 2)
        d = slopes(x - h * c[0], at - h)
        x, total = (
            old + sign * h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]) for i, (old, sign) in enumerate(((x, -1), (total, 1)))
        )
    return standard_normal(x).log_prob(x) - total


def losses(e, points, generator, pairs=None):
    """Squared errors of the velocity at random times on the straight lines between pairs, [B]."""
    x0, x1 = (torch.randn(points.shape, generator=generator), points) if pairs is None else pairs(points, generator)
    time = torch.rand(len(x0), generator=generator)
    between = [(1 - t) * a + t * b for a, b, t in zip(x0, x1, time, strict=True)]
    found = [velocity(e, x[None], float(t))[0] for x, t in zip(between, time, strict=True)]
    return [(v - (b - a)).square().sum() for v, a, b in zip(found, x0, x1, strict=True)]


def evaluate(e, data, pairs=None):
    if "point" not in data.batch():
        return of_media(e, data)
    points = data.batch()["point"]
    start = noise(e, *points.shape)
    found = log_density(e, points, e.recipe.likelihood_steps)
    return {
        "energy_distance": judged.energy_distance(points, midpoint(e, start, e.recipe.judged_steps)),
        "energy_distance_few": judged.energy_distance(points, midpoint(e, start, 2)),
        "negative_log_likelihood": -mean(found),
        "divergence": mean(known(points, data.description) - found),
        "loss": mean(losses(e, points, torch.Generator().manual_seed(0), pairs)),
    }


def preview(e, data):
    if "point" not in data.batch():
        return {}
    real, start = data.batch()["point"], noise(e, 2000, e.size)
    drawn, ways = midpoint(e, start, e.recipe.judged_steps), [start[:60]]
    for k in range(32):
        ways.append(ways[-1] + velocity(e, ways[-1], k / 32) / 32)
    lines = [("plot", *torch.stack([place[k] for place in ways], 1)) for k in range(60)]
    return {"points": [("scatter", *real.T), ("scatter", *drawn.T), *lines]}


# ---------------------------------------------------------------------------------------------------- images and sounds


def units(e, batch):
    """Images in -1..1; sounds multiplied by the gain."""
    return 2 * batch["image"] - 1 if "image" in batch else e.recipe.gain * batch["audio"]


def judged_as(e, x):
    """Images in 0..1; of sounds the logarithm of the spectrogram."""
    if e.recipe.modality == "images":
        return ((x + 1) / 2).clamp(0, 1)
    size, found = min(512, x.shape[-1]), []
    for sound in x[:, 0] / e.recipe.gain:
        padded = torch.nn.functional.pad(sound[None], (size // 2, size // 2), mode="reflect")[0]
        frames = padded.unfold(0, size, size // 2) * torch.sin(math.pi * torch.arange(size) / size) ** 2
        found.append((torch.fft.rfft(frames).abs() + 0.1).log().T)
    return torch.stack(found)


def verdict(e, data, samples, label):
    """Next to held-out data, by someone who knows the training data of the recipe."""
    from practice_torch.experiments.media import media_model

    train = media_model.load_data(e.recipe)[0].batch()
    judge = judged.Judge(judged_as(e, units(e, train)), train["label"])
    batch = data.batch()
    parts = judged_as(e, samples), judged_as(e, units(e, batch))
    return judge.verdict(*parts, label, batch["label"], len(e.classes))


def of_media(e, data):
    batch, steps, fixed = data.batch(), e.recipe.judged_steps, torch.Generator().manual_seed(0)
    x1 = units(e, batch)
    starts, total = torch.randn(x1.shape, generator=fixed), []
    for k, (a, b) in enumerate(zip(starts, x1, strict=True)):
        time = k * 0.618034 % 1
        found = velocity(e, ((1 - time) * a + time * b)[None], time, None, batch["label"][k : k + 1])[0]
        total.append(mean((found - (b - a)).square().flatten()))
    label = torch.tensor(sorted(k % len(e.classes) for k in range(e.recipe.judged_samples)))
    found = {"loss": mean(total)} | verdict(e, data, euler(e, label, steps), label)
    few = verdict(e, data, euler(e, label, math.ceil(steps / 4)), label)
    return found | {"frechet_distance_few": few["frechet_distance"]}


def euler(e, label, steps):
    x = noise(e, len(label), *e.shape)
    for k in range(steps):
        x = x + velocity(e, x, k / steps, None, label) / steps
    return x


SLIPS = {
    "paths that overshoot": (
        "flows/flow_matching",
        "PointMatching._ways",
        "places[-1] + self.velocity(places[-1], time.to(noise.dtype).expand(len(noise))) / 32  ->  -",
    )
}
