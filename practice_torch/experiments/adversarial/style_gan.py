"""A style-based GAN on images: codes that are mixed between layers, R1 on the critic and path lengths on the generator."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.adversarial.gradient_penalty import zero_centered_gradient_penalty
from practice_torch.adversarial.style_gan import (
    MappingNetwork,
    ResidualCritic,
    SynthesisNetwork,
    mix_styles,
    path_length_penalty,
    truncate_latent,
)
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.foundations.training_practice import scale_to_range

_FOLLOWS = 0.01  # share of a new batch in the running mean of path lengths
_TYPICAL = 1000  # latents whose mean code is the center of truncation


@dataclass(frozen=True)
class StyleRecipe(Recipe):
    """A mapping network, a synthesis network of modulated convolutions, and a residual critic."""

    latent: Annotated[int, AtLeast(1)] = 64
    """Length of latents and codes."""
    mapping_layers: Annotated[int, AtLeast(1)] = 4
    """Layers of the mapping network."""
    mapping_rate: Annotated[float, Above(0)] = 0.01
    """Learning rate of the mapping network, as a multiple of the others'."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of both players at full resolution; doubled whenever the size is halved."""
    most_channels: Annotated[int, AtLeast(1)] = 512
    """Most channels of a layer."""
    gamma: Annotated[float, AtLeast(0)] = 10.0
    """Weight of R1, half the squared slope of the critic at real images."""
    penalty_every: Annotated[int, AtLeast(1)] = 16
    """Steps between two uses of R1, which then counts as many times."""
    path_weight: Annotated[float, AtLeast(0)] = 2.0
    """Weight of the path length penalty."""
    path_every: Annotated[int, AtLeast(1)] = 4
    """Steps between two uses of the path length penalty, which then counts as many times."""
    psi: Annotated[float, AtLeast(0)] = 0.7
    """Truncation of the typical samples; evaluations do not truncate."""
    fakes: Annotated[int, AtLeast(2)] = 1000
    """Generated images in an evaluation, all with the same noise."""
    metric: Fixed = "frechet_distance"
    direction: Direction = "lower"

    def stages(self):
        """One stage, so that the experiment knows the number of its step."""
        return (Stage("game", self.steps, ("critic", "generator")),)


class StyleGan(nn.Module):
    """Both players. Images are in [0, 1] outside and about [-1, 1] inside; the first `crossover` layers of a fake have one code
    and the rest another, with a crossover that goes round with the steps.
    """

    explains = {
        "frechet_distance": JUDGED["frechet_distance"],
        "path_length": Metric("1", "running mean of the length by which an image changes with a code, in a random direction"),
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator, self.shares, self.place = recipe, None, ALONE, place_at(recipe.stages(), 0)
        sizes = dict(shape=description["shape"], width=recipe.width, most_channels=recipe.most_channels)
        self.mapping = MappingNetwork(latent=recipe.latent, layers=recipe.mapping_layers)
        self.synthesis, self.critic = SynthesisNetwork(latent=recipe.latent, **sizes), ResidualCritic(**sizes)
        names = [f"mapping.{name}" for name, _ in self.mapping.named_parameters()]
        rates = dict.fromkeys(names, recipe.mapping_rate)
        self.phases = Phase("critic", ("critic",)), Phase("generator", ("mapping", "synthesis"), rates=rates)
        self.shape = description["shape"]
        self.register_buffer("path_length", torch.zeros(()))

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real images and as many fakes."""
        real = scale_to_range(batch["image"], minimum=0.0, maximum=1.0)
        codes, noise = self._mixed(len(real)), self._normal(len(real), self.synthesis.noise_size)
        scores = self._scores(self.synthesis(codes, noise))
        if phase == "generator":
            loss = non_saturating_generator_loss(scores).mean()
            return loss + (self._path_penalty(codes, noise) if self._is_due(self.recipe.path_every) else 0.0), {}
        scores_real = self._scores(real)
        loss = discriminator_loss(scores_real, scores).mean()
        if self._is_due(self.recipe.penalty_every):
            loss = loss + self.recipe.penalty_every * self._slope_penalty(real)
        return loss, {"real": scores_real.detach().mean(), "fake": scores.detach().mean()}

    def evaluate(self, data):
        """How far the features of fakes are from those of held-out images."""
        held_out = data.batch(torch.arange(min(len(data), 1000)))["image"]
        found = {"frechet_distance": Judge(held_out).frechet_distance(self._shown(self.recipe.fakes, 1.0), held_out)}
        return found | {"path_length": float(self.path_length)}

    def preview(self, data):
        """Fakes of 64 latents."""
        return self.sample(64)

    def sample(self, count):
        """Fakes of fresh latents, and as many with truncated codes."""
        return {
            "fakes": ImageGrid(self._shown(count, 1.0), 8, "Generated images"),
            "typical": ImageGrid(self._shown(count, self.recipe.psi), 8, f"Generated images, truncated by {self.recipe.psi:g}"),
        }

    def _is_due(self, every):
        return self.place.taken % every == 0

    def _normal(self, *shape):
        return torch.randn(shape, generator=self.generator, device=self.path_length.device)

    def _scores(self, images):
        return self.critic(images).float()

    def _mixed(self, count):
        """Codes for every layer, [count, num_codes, latent]."""
        layers = self.synthesis.num_codes
        pairs = self.mapping(self._normal(2 * count, self.recipe.latent))[:, None].expand(-1, layers, -1)
        return mix_styles(*pairs.split(count), crossover=self.place.taken % (layers + 1))

    def _slope_penalty(self, real):
        gamma = self.recipe.gamma

        def score(rows):
            return self.critic.forward(rows.view_as(real)).float()  # torch.func cannot differentiate a compiled call

        return zero_centered_gradient_penalty(real.flatten(1), score, gamma=gamma).mean()

    def _path_penalty(self, codes, noise):
        """On half of the batch: the mean square of a code's parts for the layers counts as that of one code."""
        half = (len(codes) + 1) // 2
        codes, noise = codes[:half], noise[:half]
        directions = self._normal(half, *self.shape) / math.prod(self.shape[1:]) ** 0.5
        draw = self.synthesis.forward  # torch.func cannot differentiate a compiled call
        slopes = torch.func.grad(lambda rows: (draw(rows.view_as(codes), noise).float() * directions).sum())
        pulled = slopes(codes.flatten(1)) / codes.shape[1] ** 0.5
        length = torch.linalg.vector_norm(pulled.detach(), dim=1).mean()
        self.path_length.lerp_(length.to(self.path_length.dtype), _FOLLOWS)
        return self.recipe.path_every * self.recipe.path_weight * path_length_penalty(pulled, self.path_length).mean()

    def _shown(self, count, psi):
        """Fakes of one code each, as images; all with the same noise, so that a code alone makes the difference."""
        center = self.mapping(self._normal(_TYPICAL, self.recipe.latent)).mean(dim=0)
        noise = self._normal(1, self.synthesis.noise_size)

        def draw(rows):
            codes = truncate_latent(self.mapping(self._normal(len(rows), self.recipe.latent)), center, psi=psi)
            codes = codes[:, None].expand(-1, self.synthesis.num_codes, -1)
            images = self.synthesis(codes, noise.expand(len(rows), -1)).float()
            return scale_to_range(images, minimum=-1.0, maximum=1.0, low=0.0, high=1.0).clamp(0, 1)

        return self.shares.rows(draw, torch.arange(count))


RECIPES = {
    # Measured with seeds 0 and 1: 0.49 and 0.70, and still falling; 200 steps take 11 seconds of one core, the start among them.
    # With one kernel for the whole batch: 6.4, since nothing but the noise makes a difference; with fresh noise for every image
    # the same model has 0.76. Without the statistic of the minibatch and with gamma = 0.02 all images become one: 3.5.
    "digits": StyleRecipe(
        data="digits",
        steps=1500,
        batch_size=64,
        learning_rate=2e-3,
        beta1=0.0,
        beta2=0.99,
        mapping_rate=0.1,
        width=16,
        most_channels=32,
        gamma=2.0,
        penalty_every=4,
        path_weight=0.5,
        held_out=0.2,
        average_decay=0.99,
        target=0.9,
        evaluate_every=250,
        checkpoint_every=500,
    ),
    # The sizes and the optimizer of Karras et al. 2020, configuration F: 25 million images, 32 in an update.
    "ffhq": StyleRecipe(
        data="ffhq",
        image_size=1024,
        steps=781_250,
        batch_size=8,
        accumulate=4,
        learning_rate=2e-3,
        beta1=0.0,
        beta2=0.99,
        latent=512,
        mapping_layers=8,
        held_out=0.01,
        augment_flip=True,
        average_decay=0.9978,
        evaluate_every=10_000,
        checkpoint_every=10_000,
    ),
}

PUBLISHED = {
    "ffhq": Published(
        "FFHQ, 70,000 faces of 1024 x 1024 (Karras et al. 2019, https://github.com/NVlabs/ffhq-dataset)",
        "python -m practice_torch prepare images ffhq --out ffhq",
        "FID of 50,000 samples",
        2.84,
        "Karras et al. 2020, table 1, configuration F; README of github.com/NVlabs/stylegan2",
        quoted="| `fid50k` | 2.84 &pm; 0.03 | 22 min | 14 min | 10 min | (metric, FFHQ config F, time on 1, 2 and 4 GPUs)",
        differences=(
            Difference("data", "all 70,000 images", "1% of them are held out", "not known"),
            Difference("architecture", "filters of four taps where images are halved", "means of 2 x 2 pixels", "not known"),
            Difference("optimizer", "rates corrected for the steps without penalties", "Adam as it is", "not known"),
        ),
    )
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where images have sides that cannot be halved.
    """
    return StyleGan(recipe, data.description)
