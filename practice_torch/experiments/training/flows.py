"""Flows trained by maximum likelihood: on points, in nats against the known density, and on pixels, in bits per dimension."""

import math
from functools import partial

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.data.points import MOONS_MEAN, MOONS_NOISE, MOONS_VARIANCE
from practice_torch.diffusion.score_prediction import mixture_log_prob
from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.experiments.judging.points import on_the_plane, scatter
from practice_torch.flows.additive_coupling import logistic_log_prob
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.dequantization import bits_per_dimension, logit_forward, logit_inverse, quantize, uniform_dequantize

ROWS = 4096  # examples of an evaluation that pass the network together
_NEAR = 256  # points with differences from all components in memory together


class Base:
    """The law of the noise: `log_prob` [B, ...] -> [B], and draws."""

    def __init__(self, log_prob, from_uniforms):
        self.log_prob, self._from_uniforms = log_prob, from_uniforms

    def draw(self, *shape, generator, device):
        """Independent entries."""
        tiny = torch.finfo(torch.float32).tiny
        return self._from_uniforms(torch.rand(shape, generator=generator, device=device).clamp(min=tiny))


NORMAL = Base(standard_normal_log_prob, torch.special.ndtri)
LOGISTIC = Base(logistic_log_prob, torch.logit)


class PointFlow(nn.Module):
    """A network from points to noise, trained on the exact log-density."""

    explains = {
        "negative_log_likelihood": Metric("nats per point", "-log p(x), exact"),
        "divergence": Metric("nats per point", "mean of log q(x) - log p(x), q the density that the points were drawn from"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, network, description, base=NORMAL):
        super().__init__()
        self.network, self.description, self.base, self.generator = network, description, base, None

    def forward(self, batch, phase):
        """The mean of -log p(x) over a batch."""
        return -self._log_prob(batch["point"]).mean(), {}

    def evaluate(self, data):
        """Nats per held-out point, and how far that is from the density of the data, where it is known."""
        points = data.batch()["point"]
        found = torch.cat([self._log_prob(rows) for rows in points.split(ROWS)]).double()
        metrics = {"negative_log_likelihood": -float(found.mean())}
        known = known_log_density(points.double(), self.description)
        return metrics if known is None else metrics | {"divergence": float((known - found).mean())}

    def evaluation_weight(self, data):
        """Points."""
        return len(data)

    def preview(self, data):
        """Points of the flow, over its density in the plane, else over held-out points."""
        return {"points": self._picture(data.batch()["point"][:2000], "Points of the flow (blue), over its density in the plane")}

    def sample(self, count):
        """Points alone."""
        return {"points": self._picture(None, f"{count} points", count)}

    def _log_prob(self, points):
        z, log_det = self.network(points)
        return self.base.log_prob(z) + log_det

    def _picture(self, real, caption, count=2000):
        size, device = self.description["shape"][0], next(self.network.parameters()).device
        drawn, _ = self.network.inverse(self.base.draw(count, size, generator=self.generator, device=device))
        field = None
        if real is not None and size == 2:
            field = on_the_plane(lambda points: self._log_prob(points).exp(), real)
        return Figure(partial(_draw, None if real is None else real.cpu(), drawn.float().cpu(), field), caption, points=drawn)


def _draw(real, drawn, field, axes):
    if field is not None:
        axes.pcolormesh(*field, cmap="Greys", shading="nearest", linewidth=0, rasterized=True)
    scatter(axes, real if field is None else None, drawn)
    axes.set_aspect("equal", "datalim" if field is None else "box")


class PixelFlow(nn.Module):
    """A network from rows of noisy pixels, or of their logits, to noise, trained on a bound of the integers' log-probability."""

    explains = {
        "bits_per_dimension": Metric("bits", "upper bound of -log2 P of a pixel's integer, with uniform noise"),
        "negative_log_likelihood": Metric("nats per image", "-log p of noisy pixels, or of their logits, which depends on alpha"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, network, shape, base=NORMAL):
        super().__init__()
        self.recipe, self.network, self.shape, self.base = recipe, network, tuple(shape), base
        self.generator, self.shares = None, ALONE

    def forward(self, batch, phase):
        """The mean of the bits per dimension over a batch."""
        return self._bits(*self._log_probs(*self.dequantized(batch["image"], self.generator))).mean(), {}

    def evaluate(self, data):
        """Bits per dimension of held-out images, and nats of their logits, averaged over several draws of the noise."""
        bits = nats = 0.0
        for number, indices in enumerate(torch.arange(len(data)).split(ROWS)):
            image = data.batch(indices)["image"]
            draws = [self.dequantized(image, self.generator) for _ in range(self.recipe.noises)]
            for seen, log_det in draws if self.shares.takes(number) else ():
                log_probs = self._log_probs(seen, log_det)
                bits += float(self._bits(*log_probs).double().sum())
                nats -= float(log_probs[0].double().sum())
        bits, nats = (sum(self.shares.together([part])) / (len(data) * self.recipe.noises) for part in (bits, nats))
        return {"bits_per_dimension": bits, "negative_log_likelihood": nats}

    def preview(self, data):
        """Samples."""
        return self.sample(64)

    def sample(self, count):
        """Noise carried back to images."""
        images = self.shares.rows(lambda rows: self.images(self.noise(len(rows))), torch.arange(count))
        return {"samples": ImageGrid(images, 8, "Samples of the flow")}

    def noise(self, count):
        """[N, D]"""
        device = next(self.network.parameters()).device
        return self.base.draw(count, math.prod(self.shape), generator=self.generator, device=device)

    def images(self, z):
        """Images in 0..1 from noise, with pixels rounded down to levels: [N, D] -> [N, C, H, W]."""
        y, alpha = self.network.inverse(z)[0].unflatten(1, self.shape), self.recipe.alpha
        y = logit_inverse(y, alpha=alpha)[0] if alpha else y + 1 / 2
        levels = self.recipe.num_levels
        return quantize(y, num_levels=levels) / (levels - 1)

    def dequantized(self, image, generator):
        """Network inputs of images, with noise on their pixels, and the log-determinant: -> [B, D], [B]."""
        levels, alpha = self.recipe.num_levels, self.recipe.alpha
        x = (image * (levels - 1)).round().long()
        u = torch.rand(x.shape, generator=generator, device=x.device)
        y = uniform_dequantize(x, u, num_levels=levels)
        seen, log_det = logit_forward(y, alpha=alpha) if alpha else (y - 1 / 2, y.new_zeros(len(y)))
        return seen.flatten(1), log_det

    def _log_probs(self, seen, log_det):
        """log p of what the network sees of images with noise, and the log-determinant of the way to it, both [B]."""
        z, more = self.network(seen)
        return self.base.log_prob(z) + more, log_det

    def _bits(self, log_prob, log_det):
        return bits_per_dimension(log_prob + log_det, dim=math.prod(self.shape), num_levels=self.recipe.num_levels)


class PenalizedFlow(PixelFlow):
    """A flow of pixels trained on nats, with the squares of some of its parameters, `network.penalized()`, times `l2` added."""

    def forward(self, batch, phase):
        """The mean of -log p over a batch of noisy images in nats, and the penalty."""
        log_prob, log_det = self._log_probs(*self.dequantized(batch["image"], self.generator))
        squares = sum(parameter.square().sum() for parameter in self.network.penalized())
        return self.recipe.l2 * squares - (log_prob + log_det).mean(), {}


def require_plane(description):
    """Raises DataError where points have a single entry: no half of it could pass and another change."""
    size = description["shape"][0]
    if size < 2:
        raise DataError(f"{description['name']} has points with {size} entry; a flow of coupling layers needs at least 2")


def known_log_density(points, description):
    """log q(x) of the law that the points were drawn from, in float64; None where no one knows it."""
    if "mixture" in description:
        means, stds, weights = (
            torch.tensor(description["mixture"][name], dtype=points.dtype, device=points.device)
            for name in ("means", "stds", "weights")
        )
    elif description["name"] == "two_moons":
        # half circles are mixtures of this many Gaussians, closer than a twentieth of their width
        angle = (torch.arange(2000, dtype=points.dtype, device=points.device) + 0.5) * (math.pi / 2000)
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        means = torch.cat([upper, torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)])
        stds, weights = points.new_full((4000,), MOONS_NOISE), points.new_full((4000,), 1 / 4000)
        scale = points.new_tensor(MOONS_VARIANCE).sqrt()
        inside = _mixture_log_density(points * scale + points.new_tensor(MOONS_MEAN), means, stds, weights)
        return inside + scale.log().sum()
    else:
        return None
    return _mixture_log_density(points, means, stds, weights)


def _mixture_log_density(points, means, stds, weights):
    found = [mixture_log_prob(rows, means, 2 * stds.log(), weights.log()) for rows in points.split(_NEAR)]
    return torch.cat(found)
