"""A diffusion model that is given a small image draws sharp ones, in the manner of SR3."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.diffusion.forward_process import forward_sample
from practice_torch.diffusion.noise_schedules import cosine_alpha_bar
from practice_torch.diffusion.parameterizations import velocity
from practice_torch.diffusion.super_resolution import (
    average_pool,
    concatenate_low_resolution,
    consistency_error,
    nearest_upsample,
)
from practice_torch.engine.artifacts import ImageGrid
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.media.published_data import CELEBA, PREPARE_WHOLE_CELEBA
from practice_torch.experiments.sampling.diffusion_sampling import chain, draw
from practice_torch.experiments.training.unet_sizes import unet_of

_SHOWN = 16  # small images that a run keeps, to sample with


@dataclass(frozen=True)
class SuperResolutionRecipe(Recipe):
    """A diffusion model of images, given their small versions; judged on held-out images."""

    base_channels: Annotated[int, AtLeast(1)] = 16
    """Channels of the first level of the U-Net."""
    multipliers: Annotated[tuple[int, ...], AtLeast(1)] = (1, 2)
    """Channels of each level, in units of base_channels; every level after the first halves the resolution."""
    blocks: Annotated[int, AtLeast(1)] = 2
    """Residual blocks of each level, on the way down and up."""
    attention_at: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Resolutions (heights of images) at which every block has self-attention."""
    dropout: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Dropout rate in the residual blocks."""
    compact: bool = True
    """Use the lowest level as the middle of the U-Net; sufficient for small images."""
    factor: Annotated[int, AtLeast(1)] = 2
    """How many times larger the sides of a sharp image are than those of its small version."""
    num_steps: Annotated[int, AtLeast(2)] = 200
    """Number of noise levels, on the cosine schedule."""
    judged_steps: Annotated[int, AtLeast(1)] = 25
    """Ancestral steps of a sample."""
    draws: Annotated[int, AtLeast(2)] = 4
    """Number of samples for each held-out image in an evaluation, of which the mean is judged, too."""
    measured_images: Annotated[int, AtLeast(1)] = 256
    """Number of held-out images in an evaluation."""
    metric: Fixed = "relative_score"

    def __post_init__(self):
        super().__post_init__()
        self._require("judged_steps", self.judged_steps <= self.num_steps, f"at most num_steps ({self.num_steps})")


class SuperResolutionExperiment(nn.Module):
    """Learns the velocity of noised images. The network sees the small image as further channels, enlarged."""

    explains = {
        "relative_score": Metric("ratio", "energy score of two samples, over the distance of the enlarged small image"),
        "consistency": Metric(
            "squared error", "mean over the pixels, in -1..1, of a sample's small version; nothing is projected"
        ),
        "sample_psnr": Metric("decibel", "peak signal to noise of the mean squared error of a sample"),
        "mean_psnr": Metric("decibel", "the same of the mean of several samples"),
        "enlarged_psnr": Metric("decibel", "the same of the enlarged small image"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.shape, self.generator = recipe, tuple(description["shape"]), None
        channels, *sides = self.shape
        if any(side % recipe.factor for side in sides):
            raise DataError(f"{description['name']} is {sides[0]} x {sides[1]}; its sides must be multiples of {recipe.factor}")
        self.network = unet_of(recipe, self.shape, channels=2 * channels, out_channels=channels)
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_steps=recipe.num_steps))
        self.register_buffer("small", torch.zeros(_SHOWN, channels, *(side // recipe.factor for side in sides)))

    def start(self, batch):
        """Keep some small images, to sample with."""
        x0 = 2 * batch["image"] - 1
        self.small.copy_(self._made_small(x0[torch.arange(_SHOWN) % len(x0)]))

    def forward(self, batch, phase):
        """The mean squared error of the velocity, per pixel."""
        x0 = 2 * batch["image"] - 1
        t = torch.randint(1, self.recipe.num_steps + 1, x0.shape[:1], generator=self.generator, device=x0.device)
        noise = self._noise(len(x0))
        x_t = forward_sample(x0, t, noise, self.alpha_bar)
        answer = self.network(concatenate_low_resolution(x_t, self._made_small(x0)), t)
        return (answer - velocity(x0, noise, t, self.alpha_bar)).square().mean(), {}

    def evaluate(self, data):
        """Errors of samples, of their mean, and of the enlarged small image, on held-out images."""
        x0 = self._images(data, self.recipe.measured_images)
        small = self._made_small(x0)
        enlarged = nearest_upsample(small, factor=self.recipe.factor)
        drawn = torch.stack([self.drawn(small) for _ in range(self.recipe.draws)])
        return {
            "relative_score": (_score(drawn[0], drawn[1], x0) / _distance(enlarged, x0)).item(),
            "consistency": consistency_error(drawn[0], small, factor=self.recipe.factor).mean().item(),
            "sample_psnr": _psnr(drawn, x0),
            "mean_psnr": _psnr(drawn.mean(0), x0),
            "enlarged_psnr": _psnr(enlarged, x0),
        }

    def preview(self, data):
        """Held-out images: the small version, two samples, the mean of several, and the image itself."""
        x0 = self._images(data, 16)
        small = self._made_small(x0)
        drawn = torch.stack([self.drawn(small) for _ in range(self.recipe.draws)])
        parts = [nearest_upsample(small, factor=self.recipe.factor), drawn[0], drawn[1], drawn.mean(0), x0]
        caption = f"Enlarged small image, two samples, the mean of {self.recipe.draws}, and the held-out image itself"
        return {"enlarged": ImageGrid((torch.stack(parts, 1).flatten(0, 1) + 1) / 2, 10, caption)}

    def sample(self, count):
        """Sharp images of small ones of the training data, which the run keeps, in turn."""
        x = self.drawn(self.small[torch.arange(count) % len(self.small)])
        caption = f"Drawn in {self.recipe.judged_steps} steps from noise, for {min(count, len(self.small))} small images in turn"
        return {"samples": ImageGrid((x + 1) / 2, 8, caption)}

    def drawn(self, small):
        """A sharp image for every small one."""
        steps = chain(self.alpha_bar, steps=self.recipe.judged_steps, prediction="velocity")
        drawn = []
        for part in small.split(250):

            def predict(x, t, part=part):
                return self.network(concatenate_low_resolution(x, part), t)

            drawn.append(draw(predict, self._noise(len(part)), steps, limit=1.0, generator=self.generator))
        return torch.cat(drawn).clone()

    def _made_small(self, x0):
        return average_pool(x0, window=self.recipe.factor)

    def _images(self, data, most):
        return 2 * data.batch(torch.arange(min(len(data), most)))["image"] - 1

    def _noise(self, count):
        return torch.randn(count, *self.shape, generator=self.generator, device=self.alpha_bar.device)


def _distance(first, second):
    return (first - second).flatten(1).norm(dim=1).mean()


def _score(first, second, x0):
    """|x - x0|/2 + |x' - x0|/2 - |x - x'|/2, the mean: its expectation is least for draws of the true law."""
    return (_distance(first, x0) + _distance(second, x0) - _distance(first, second)) / 2


def _psnr(x, x0):
    """Of the mean squared error over all images, for data in -1..1."""
    return 10 * math.log10(4 / max((x - x0).square().mean().item(), 1e-12))


RECIPES = {
    # Measured with seeds 0 and 1, in 32 CPU seconds: scores of 0.305 and 0.308, samples of 17.1 decibels and the mean of four of
    # 19.0 (the enlarged small image: 13.0), and a consistency of 0.006, nothing projected. The mean of four has (1 + 1/4)/2 of a
    # sample's squared error if samples are right: 2.0 decibels, and 1.9 were measured. A network that sees the small version of
    # another image: a score of 0.885.
    "digits": SuperResolutionRecipe(
        data="digits",
        steps=800,
        batch_size=128,
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.995,
        held_out=0.2,
        evaluate_every=800,
        checkpoint_every=400,
        target=0.4,
    ),
    # The sizes, steps and batches of SR3 for faces of 16 pixels enlarged to 128, on CelebA in place of FFHQ and CelebA-HQ. SR3
    # enlarges by bicubic interpolation, conditions on the continuous level, and predicts the noise.
    "celeba": SuperResolutionRecipe(
        data="celeba",
        image_size=128,
        factor=8,
        num_steps=2000,
        base_channels=128,
        multipliers=(1, 2, 4, 8, 8),
        blocks=3,
        attention_at=(16,),
        dropout=0.2,
        compact=False,
        steps=1_000_000,
        batch_size=256,
        learning_rate=1e-4,
        warmup_steps=10_000,
        average_decay=0.9999,
        judged_steps=100,
        measured_images=64,
        held_out=0.01,
        precision="bfloat16",
        evaluate_every=50_000,
        checkpoint_every=10_000,
    ),
}

PUBLISHED = {
    "celeba": Published(
        CELEBA,
        PREPARE_WHOLE_CELEBA,
        "PSNR of a sample, in decibels, from 16 to 128 pixels (sample_psnr)",
        23.26,
        "CelebA-HQ after training on FFHQ, README of github.com/Janspiry/Image-Super-Resolution-via-Iterative-Refinement, "
        "which implements Saharia et al. 2021",
        quoted="16x16 -> 128x128: SSIM 0.675, PSNR 23.26",
        differences=(
            Difference(
                "data",
                "FFHQ for training, 50 images of CelebA-HQ for the number",
                "CelebA for both, squares of 178 reduced to 128; 64 held-out images for the number",
                "not known",
            ),
            Difference(
                "architecture",
                "97,807,491 parameters: base_channels 64, blocks 2",
                "523,875,843 parameters: the paper's own base_channels 128 and blocks 3",
                "not known",
            ),
            Difference("small image", "bicubic, and enlarged so", "means of squares, and enlarged as squares", "not known"),
            Difference(
                "objective",
                "absolute error of the noise, given a continuous level; linear betas from 1e-6 to 1e-2",
                "squared error of the velocity, given one of 2000 levels; cosine schedule",
                "not known",
            ),
            Difference(
                "schedule",
                "640,000 steps of 4 images, no averaged weights",
                "1,000,000 steps of 256 images, averaged",
                "not known",
            ),
            Difference("evaluation", "2000 steps, the smaller variance", "100 steps, the larger variance", "not known"),
        ),
    )
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return SuperResolutionExperiment(recipe, data.description)
