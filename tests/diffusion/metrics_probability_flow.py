"""The price of images by the flow: Runge-Kutta steps and the probed Jacobian written out; its bound from the network's errors."""

import math

import torch

from tests.diffusion.metrics_elbo import deviation_of_mean
from tests.support.metrics import mean

FIELDS = {"digits": {"solver_steps": 3}}


def beta(e, time):
    return e.recipe.beta_min + time * (e.recipe.beta_max - e.recipe.beta_min)


def kept(e, time):
    """a = e^-B, B the integral of beta."""
    return math.exp(-(e.recipe.beta_min * time + time**2 * (e.recipe.beta_max - e.recipe.beta_min) / 2))


def noise_in(e, x, time):
    a = kept(e, time)
    return math.sqrt(1 - a) * x + math.sqrt(a) * e.network(x, torch.full((len(x),), 1000 * time))


def velocity(e, x, time):
    """-beta/2 (x + score)."""
    return -beta(e, time) / 2 * (x - noise_in(e, x, time) / math.sqrt(1 - kept(e, time)))


def along(e, x, times, slopes):
    """By the classical method, of states that are lists of tensors."""
    for now, after in zip(times[:-1], times[1:], strict=True):
        h = after - now
        a = slopes(x, now)
        b = slopes([p + h / 2 * s for p, s in zip(x, a, strict=True)], now + h / 2)
        c = slopes([p + h / 2 * s for p, s in zip(x, b, strict=True)], now + h / 2)
        d = slopes([p + h * s for p, s in zip(x, c, strict=True)], after)
        x = [p + h / 6 * (i + 2 * j + 2 * k + m) for p, i, j, k, m in zip(x, a, b, c, d, strict=True)]
    return x


def data_of(e, image):
    levels = e.recipe.num_levels
    codes = (image.flatten(1) * (levels - 1)).round()
    draws = torch.rand(codes.shape, generator=e.generator)
    return (2 * (codes + draws) / levels - 1).view(image.shape)


def bits(e, nats, x0):
    """Of -log density on [-1, 1], for each pixel of so many levels."""
    return nats / x0[0].numel() / math.log(2) + math.log2(e.recipe.num_levels / 2)


def spread(e, count):
    first = float(torch.rand((), generator=e.generator))
    return [(first + k / count) % 1 for k in range(count)]


def errors(e, x0, times):
    eps, found = torch.randn(x0.shape, generator=e.generator), []
    for k, time in enumerate(times):
        a = kept(e, time)
        x = (math.sqrt(a) * x0[k] + math.sqrt(1 - a) * eps[k])[None]
        found.append((noise_in(e, x, time)[0] - eps[k]).square().sum())
    return torch.stack(found)


def time_of(e, log_snr):
    """When a/(1 - a) is that, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(e, middle) > 1 / (1 + math.exp(-log_snr)) else (low, middle)
    return low


def evaluate(e, data):
    x0 = data_of(e, data.batch()["image"])
    probe = torch.randint(2, (1, *x0.shape), generator=e.generator)[0] * 2.0 - 1
    times = e.times.tolist()

    def slopes(state, time):
        with torch.enable_grad():
            x = state[0].detach().requires_grad_()
            speed = velocity(e, x, time)
            (turned,) = torch.autograd.grad((speed * probe).sum(), x)
        return [speed.detach(), (probe * turned).flatten(1).sum(1)]

    there, divergence = along(e, [x0, torch.zeros(len(x0))], times, slopes)
    normal = torch.distributions.Normal(0.0, 1.0).log_prob(there).flatten(1).sum(1)
    price = bits(e, -(normal + divergence), x0)
    ends = [math.log(kept(e, t) / (1 - kept(e, t))) for t in (times[0], times[-1])]
    bounds = []
    for _ in range(60):
        levels = [ends[1] + (ends[0] - ends[1]) * share for share in spread(e, len(x0))]
        steps = (ends[0] - ends[1]) / 2 * errors(e, x0, [time_of(e, level) for level in levels])
        last, first = kept(e, times[-1]), kept(e, times[0])
        standard = torch.distributions.Normal(torch.zeros_like(x0), 1.0)
        prior = torch.distributions.kl_divergence(torch.distributions.Normal(math.sqrt(last) * x0, math.sqrt(1 - last)), standard)
        deviation = math.sqrt((1 - first) / first)
        eps = torch.randn(len(x0), x0[0].numel(), generator=e.generator).view(x0.shape)
        decoded = torch.distributions.Normal(x0 + deviation * eps, deviation).log_prob(x0)
        bounds.append(prior.flatten(1).sum(1) + steps - decoded.flatten(1).sum(1))
    only = lambda state, time: [velocity(e, state[0], time)]  # noqa: E731
    back = along(e, along(e, [x0], times, only), times[::-1], only)[0]
    first = e.recipe.first_time
    losses = errors(e, x0, [first + (1 - first) * share for share in spread(e, len(x0))])
    return {
        "bits_per_dimension": mean(price),
        "standard_error": deviation_of_mean(price),
        "bound": mean(bits(e, torch.stack(bounds).mean(0), x0)),
        "loss": mean(losses) / x0[0].numel(),
        "round_trip": math.sqrt(mean((back - x0).square().flatten())),
    }
