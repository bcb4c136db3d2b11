"""Flows of layers: log-densities by the determinant of the network's Jacobian matrix, bits from pixels with noise."""

import math

import torch

from tests.adversarial.metrics_gan import plane
from tests.support.metrics import mean, standard_normal

NAMES = ("two_moons", "digits", "digits_two_scales")
FIELDS = {name: {"noises": 2} for name in NAMES[1:]}
STEP = 0.02  # further away the inverse of two scales loses all digits


def log_density(e, points, base=lambda z: standard_normal(z).log_prob(z)):
    """log base(f(x)) + log |det df/dx|, one example after another."""
    found = []
    for point in points:
        jacobian = torch.func.jacrev(lambda x: e.network(x[None])[0][0].flatten())(point).view(point.numel(), -1)
        found.append(base(e.network(point[None])[0].flatten(1))[0] + torch.linalg.slogdet(jacobian).logabsdet)
    return torch.stack(found)


def known(points, description):
    """The data's own log-density: of the moons by an integral along both half circles."""
    if "mixture" in description:
        mixture = description["mixture"]
        parts = zip(mixture["weights"], mixture["means"], mixture["stds"], strict=True)
        each = [math.log(w) + torch.distributions.Normal(torch.tensor(m), s).log_prob(points).sum(1) for w, m, s in parts]
        return torch.stack(each).logsumexp(0)
    from practice_torch.data.points import MOONS_MEAN, MOONS_NOISE, MOONS_VARIANCE

    scale, angle = torch.tensor(MOONS_VARIANCE).sqrt(), torch.linspace(0, math.pi, 20001)
    circles = torch.cat([torch.stack([angle.cos(), angle.sin()], 1), torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)])
    places = points.double() * scale + torch.tensor(MOONS_MEAN)
    ends = torch.ones(20001)
    ends[0] = ends[-1] = 0.5  # the rule of trapezoids
    density = torch.distributions.Normal(circles[:, None], MOONS_NOISE).log_prob(places).sum(2).exp()
    return ((torch.cat([ends, ends])[:, None] * density).sum(0) / 40000).log() + scale.log().sum()


def seen(e, image):
    """Inputs of a flow of pixels with fresh noise, and the log-determinant, [B, C, H, W] and [B]."""
    levels, alpha = e.recipe.num_levels, e.recipe.alpha
    whole = (image * (levels - 1)).round()
    y = (whole + torch.rand(whole.shape, generator=e.generator)) / levels
    if not alpha:
        return y - 0.5, torch.zeros(len(y))
    inner = alpha / 2 + (1 - alpha) * y
    return (inner / (1 - inner)).log(), ((1 - alpha) / (inner * (1 - inner))).log().flatten(1).sum(1)


def bits(e, data, base=lambda z: standard_normal(z).log_prob(z)):
    image, found, nats = data.batch()["image"], [], []
    for _ in range(e.recipe.noises):
        x, slope = seen(e, image)
        log_p = log_density(e, x.flatten(1), base)
        nats.append(-mean(log_p))
        found.append(-mean((log_p + slope) / math.log(2) / image[0].numel() - math.log2(e.recipe.num_levels)))
    return {"bits_per_dimension": mean(found), "negative_log_likelihood": mean(nats)}


def points_of(e, data, base=lambda z: standard_normal(z).log_prob(z)):
    points = data.batch()["point"]
    found = log_density(e, points, base)
    return {"negative_log_likelihood": -mean(found), "divergence": mean(known(points, data.description) - found)}


def evaluate(e, data):
    if "point" in data.batch():
        return points_of(e, data)
    if not hasattr(e, "sampling"):
        return bits(e, data)
    x, _ = seen(e, data.batch()["image"])
    z = e.network(x.flatten(1))[0]
    error = max(float((a - b).abs().max()) for a, b in zip(e.network.inverse(z)[0], x.flatten(1), strict=True))
    return {"inverse_error": error} | bits(e, data)


def images(e, z):
    """Noise carried back, as pixels: whole levels in 0..1."""
    y, alpha, levels = e.network.inverse(z)[0].unflatten(1, e.shape), e.recipe.alpha, e.recipe.num_levels
    y = (y.sigmoid() - alpha / 2) / (1 - alpha) if alpha else y + 0.5
    return (levels * y).floor().clamp(0, levels - 1) / (levels - 1)


def drawn(e, count, size):
    """Standard normal noise by the quantiles of uniforms."""
    return torch.distributions.Normal(0.0, 1.0).icdf(torch.rand(count, size, generator=e.generator))


def preview(e, data):
    if "point" in data.batch():
        # the points are the sampler's; the density is drawn over the plane around the data
        made = e.network.inverse(drawn(e, 2000, 2))[0]
        field = plane(data.batch()["point"], lambda points: dense(e, points))
        return {"points": [("pcolormesh", *field), ("scatter", *made.T)]}
    if not hasattr(e, "sampling"):
        return {}
    size = math.prod(e.shape)
    noise = drawn(e, 10, size)
    x, _ = seen(e, data.batch()["image"])
    ends, half = e.network(x.flatten(1))[0], len(x) // 2
    paths = [(1 - k / 9) * ends[i] + k / 9 * ends[half + i] for i in range(half) for k in range(10)]
    cooled = torch.cat([images(e, temperature * noise) for temperature in (0.5, 0.7, 0.85, 1.0)])
    return {"temperatures": cooled, "interpolations": images(e, torch.stack(paths))}


def dense(e, points):
    z, log_det = e.network(points)
    return (standard_normal(z).log_prob(z) + log_det).exp()
