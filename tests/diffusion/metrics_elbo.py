"""The bound of a diffusion model in bits: divergences of Gaussians by torch.distributions, cells by differences of their CDF."""

import math

import torch

from tests.autoregressive.metrics_pixelcnn import independent
from tests.support.metrics import mean, noise

NORMAL = torch.distributions.Normal
TOLERANCE = 1e-4  # of the noise that the network predicts the experiment casts to float32


def values(e, image):
    last = e.recipe.num_levels - 1
    return 2 * (image.clamp(0, 1) * last).round() / last - 1


def predicted(e, x, t):
    """The network's prediction for images at a level, in float32 as in the experiment."""
    from practice_torch.networks.fourier_features import fourier_features

    return e.network(fourier_features(x, e.recipe.frequencies), torch.full((len(x),), t)).float()


def clipped(e, x, answer, t):
    """The data that predicted noise leaves, within their range."""
    a = float(e.alpha_bar[t])
    return ((x - math.sqrt(1 - a) * answer) / math.sqrt(a)).clamp(-1, 1)


def step(e, t):
    """(weight of the data, weight of x_t, the small and the large variance) of the step from t to t - 1; of the first step the
    small variance is the next one.
    """
    a, before = float(e.alpha_bar[t]), float(e.alpha_bar[t - 1])
    beta = 1 - a / before
    small = (1 - before) / (1 - a) * beta
    if t == 1:
        small = step(e, 2)[2]
    return math.sqrt(before) * beta / (1 - a), math.sqrt(a / before) * (1 - before) / (1 - a), small, beta


def decoder(e, x0, center, deviation):
    """-log p of the cell of each value; the outer cells are open-ended."""
    half, total = 1 / (e.recipe.num_levels - 1), 0.0
    law = NORMAL(center.double(), deviation)
    upper = torch.where(x0 > 1 - half, 1.0, law.cdf(x0 + half))
    lower = torch.where(x0 < -1 + half, 0.0, law.cdf(x0 - half))
    total = -(upper - lower).log()
    return total.flatten(1).sum(1)


def kl(x0, x_t, data, weights, deviation, of_true):
    """Between two Gaussians of the step; their means differ by the estimate of the data."""
    means = [weights[0] * part.double() + weights[1] * x_t for part in (x0, data)]
    return torch.distributions.kl_divergence(NORMAL(means[0], of_true), NORMAL(means[1], deviation)).flatten(1).sum(1)


def prior(e, x0):
    a = float(e.alpha_bar[-1])
    zero = torch.zeros_like(x0)
    return torch.distributions.kl_divergence(NORMAL(math.sqrt(a) * x0, math.sqrt(1 - a)), NORMAL(zero, 1.0)).flatten(1).sum(1)


def bits(e, data, count):
    """Terms [N, T + 1] in bits for each dimension, of two opposite noises."""
    x0 = values(e, data.batch(torch.arange(min(len(data), count)))["image"])
    noises, columns = noise(e, e.recipe.num_steps, *x0.shape), []
    for t in range(1, e.recipe.num_steps + 1):
        *weights, small, large = step(e, t)
        deviation = math.sqrt(small if e.recipe.variance == "small" else large)
        a, pair = float(e.alpha_bar[t]), []
        for sign in (1, -1):
            x_t = math.sqrt(a) * x0 + sign * math.sqrt(1 - a) * noises[t - 1]
            found = clipped(e, x_t, predicted(e, x_t, t), t)
            pair.append(decoder(e, x0, found, deviation) if t == 1 else kl(x0, x_t, found, weights, deviation, math.sqrt(small)))
        columns.append(sum(pair) / 2)
    return torch.stack([*columns, prior(e, x0)], 1) / math.log(2) / x0[0].numel()


def deviation_of_mean(totals):
    spread = sum((value - mean(totals)) ** 2 for value in totals.tolist()) / (len(totals) - 1)
    return math.sqrt(spread / len(totals))


def independent_pixels(e, data):
    from practice_torch.experiments.diffusion import elbo

    return independent(e, elbo.load_data(e.recipe)[0].batch()["image"], data.batch()["image"])


def evaluate(e, data):
    terms = bits(e, data, e.recipe.measured_images)
    totals = terms.sum(1)
    return {
        "bits_per_dimension": mean(totals),
        "standard_error": deviation_of_mean(totals),
        "decoder": mean(terms[:, 0]),
        "steps": mean(terms[:, 1:-1].sum(1)),
        "prior": mean(terms[:, -1]),
        "independent_pixels": independent_pixels(e, data),
    }


def preview(e, data):
    return {"bits": panels(bits(e, data, 64))}


def panels(terms):
    """The picture of the terms: those of the steps, of the decoder and of the prior; and their sums up to each level."""
    each = [mean(column) for column in terms.T]
    last = len(each) - 1
    reached = [sum(each[: k + 1]) for k in range(last)]
    return [
        ("plot", range(2, last + 1), each[1:-1]),
        ("plot", 1, each[0]),
        ("plot", last, each[-1]),
        ("fill_between", range(1, last + 1), reached),
        ("axhline", sum(each)),
    ]
