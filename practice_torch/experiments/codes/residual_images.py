"""A residual ladder of convolutions on images whose pixels have levels: mixtures of logistic laws, and bits per dimension."""

import math

import torch
from torch import nn

from practice_torch.autoregressive.discretized_mixture import (
    discretized_logistic_mixture_log_prob,
    discretized_logistic_mixture_sample,
)
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.latent.hierarchical_vae import ResidualLadder, hierarchical_negative_elbo
from practice_torch.latent.vae_training import linear_kl_weight

_NARROWEST = -7.0  # log-scale: below it a component is one level
_AT_ONCE = 250  # images of an evaluation


class ResidualImages(nn.Module):
    """The negative ELBO of images, nats per dimension, with a warm-up of all levels' rates."""

    explains = {
        "bits_per_dimension": Metric(
            "bits per dimension", "upper bound of -log2 p of held-out images: reconstruction plus rates"
        ),
        "rate": Metric("bits per dimension", "the part of the latents: divergence of the posterior from the prior, all levels"),
        "rate_above": Metric("bits per dimension", "the part of the levels above the first: 0 if they are unused"),
    }
    phases = (Phase("train", ("network",)),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(shape), None
        colors, *sides = shape
        if any(side % 2 for side in sides):
            raise DataError(f"images of {sides[0]} x {sides[1]} pixels cannot be halved: crop or resize them")
        self.network = ResidualLadder(
            colors=colors,
            outputs=3 * recipe.components * colors,
            width=recipe.width,
            latent_dim=recipe.latent_dim,
            groups=recipe.groups,
            cells=recipe.cells,
        )
        self.register_buffer("step", torch.zeros(1, dtype=torch.int64))

    def forward(self, batch, phase):
        """The mean over a batch."""
        distortion, rates = self._parts(self._seen(batch["image"]))
        weight = linear_kl_weight(self.step, warmup_steps=self.recipe.kl_warmup_steps)
        self.step += 1
        loss = hierarchical_negative_elbo(distortion, rates, weight.to(rates.dtype).expand(rates.shape[1])).mean()
        return loss / math.prod(self.shape), {"rate": rates.detach().sum(1).mean() / self._nats()}

    def evaluate(self, data):
        """Bits per dimension of held-out images, at one draw of their latents each."""
        sums = torch.zeros(3, dtype=torch.float64)
        for some in torch.arange(len(data)).split(_AT_ONCE):
            distortion, rates = self._parts(self._seen(data.batch(some)["image"]))
            sums += torch.stack([part.double().sum().cpu() for part in (distortion + rates.sum(1), rates, rates[:, 1:])])
        names = ("bits_per_dimension", "rate", "rate_above")
        return dict(zip(names, (sums / (len(data) * self._nats())).tolist(), strict=True))

    def preview(self, data):
        """Held-out images, each with a draw from its latents; and samples."""
        x = self._seen(data.batch(torch.arange(min(len(data), 16)))["image"])
        law, _ = self.network(x, self._noise(len(x)))
        pairs = torch.stack([(x + 1) / 2, self._drawn(law)], 1).flatten(0, 1)
        return {
            "reconstructions": ImageGrid(pairs, 8, "Held-out images, each next to a draw from its latents"),
            **self.sample(64),
        }

    def sample(self, count):
        """Images of latents of the model."""
        law = torch.cat([self.network.draw(self._noise(len(some))) for some in torch.arange(count).split(_AT_ONCE)])
        return {"samples": ImageGrid(self._drawn(law), 8, "Drawn from the last level down to the pixels")}

    def _seen(self, images):
        """Images in [0, 1] at the nearest levels, in [-1, 1]."""
        last = self.recipe.num_levels - 1
        return 2 * (images * last).round() / last - 1

    def _parts(self, x):
        """-log p(x | z), [B], and the rates of all levels, [B, M], in nats."""
        law, rates = self.network(x, self._noise(len(x)))
        log_probs = discretized_logistic_mixture_log_prob(x.flatten(1), *self._mixture(law), num_levels=self.recipe.num_levels)
        return -log_probs.sum(1), _wide(rates)

    def _drawn(self, law):
        """Images in [0, 1] of their pixels' laws."""
        uniforms = torch.rand(2, len(law), math.prod(self.shape), generator=self.generator, device=law.device)
        x = discretized_logistic_mixture_sample(*uniforms, *self._mixture(law), num_levels=self.recipe.num_levels)
        return (x.view(-1, *self.shape) + 1) / 2

    def _mixture(self, law):
        """Logits, means and log-scales of the components, [B, D, K] each."""
        logits, mean, log_scale = _wide(law).unflatten(1, (3, self.recipe.components, -1)).flatten(3).transpose(2, 3).unbind(1)
        return logits, mean, log_scale.clamp(min=_NARROWEST)

    def _noise(self, count):
        sides = (side // 2 for side in self.shape[1:])
        size = (count, self.recipe.groups, self.recipe.latent_dim, *sides)
        return torch.randn(size, generator=self.generator, device=self.step.device)

    def _nats(self):
        """Nats in a bit per dimension of an image."""
        return math.prod(self.shape) * math.log(2)


def _wide(numbers):
    """In float32 or wider: bfloat16 has too few digits for a mean."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))
