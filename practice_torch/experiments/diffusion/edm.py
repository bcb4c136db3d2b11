"""A network on images that denoises at every level of the noise, preconditioned; images are drawn by Heun's method."""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from torch import nn

from practice_torch.diffusion.edm import denoise, edm_loss, noise_levels
from practice_torch.diffusion.heun_sampler import denoising_euler_step, heun_sample, karras_sigmas
from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.experiments.training.geometric_augmentation import LABELS, NORMALS, UNIFORMS, GeometricAugmentation, moves_of
from practice_torch.experiments.training.unet_sizes import unet_of
from practice_torch.networks.ddpm_plus_plus import DdpmPlusPlus

_COMPARED = (3, 9, 35)  # numbers of evaluations in a study


@dataclass(frozen=True)
class EdmRecipe(Recipe):
    """A preconditioned denoiser of images, judged by its loss, which is 1 where it has learned nothing."""

    base_channels: Annotated[int, AtLeast(1)] = 24
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
    network: Literal["unet", "ddpm++"] = "unet"
    """DDPM's U-Net, or DDPM++ with residual blocks that halve and double images, as Karras et al. train it."""
    augmentation: Annotated[float, AtLeast(0, at_most=1)] = 0.0
    """Probability of each geometric augmentation of which the network is told; half of the images are mirrored, too. 0: none."""
    sigma_data: Annotated[float, Above(0)] = 0.5
    """Root mean square of the data on [-1, 1]; 0.5 for CIFAR-10, 0.847 for the digits."""
    level_mean: Annotated[float, AtLeast(-20, at_most=20)] = -1.2
    """Mean of the logarithm of the levels in training."""
    level_std: Annotated[float, Above(0)] = 1.2
    """Standard deviation of the logarithm of the levels in training."""
    sigma_min: Annotated[float, Above(0)] = 0.002
    """Least level of a drawing, before 0."""
    sigma_max: Annotated[float, Above(0)] = 80.0
    """Level at which a drawing begins."""
    sampling_steps: Annotated[int, AtLeast(1)] = 18
    """Steps of Heun's method for a sample: twice as many network evaluations, less one."""
    judged_samples: Annotated[int, AtLeast(2)] = 500
    """Drawn images in an evaluation."""
    metric: Fixed = "loss"

    def __post_init__(self):
        super().__post_init__()
        self._require("sigma_max", self.sigma_max > self.sigma_min, f"above sigma_min ({self.sigma_min})")
        plus_plus = self.network == "ddpm++"
        self._require("compact", not (plus_plus and self.compact), "False with network ddpm++ (--no-compact)")
        self._require("augmentation", plus_plus or not self.augmentation, "0 unless network is ddpm++, which is told of it")

    def backbone(self, shape):
        """The network for images of this shape."""
        if self.network == "unet":
            return unet_of(self, shape)
        return DdpmPlusPlus(
            channels=shape[0],
            size=shape[1:],
            base_channels=self.base_channels,
            multipliers=self.multipliers,
            blocks=self.blocks,
            attention_at=self.attention_at,
            dropout=self.dropout,
            augmentations=LABELS if self.augmentation else 0,
        )


def heun(x, levels, denoise_fn):
    """From noise at the first level to the data, with no fresh noise on the way."""
    return heun_sample(x, x.new_zeros(()).expand(len(levels) - 1, *x.shape), levels, denoise_fn)


def euler(x, levels, denoise_fn):
    """The same with one evaluation a step."""
    for now, after in itertools.pairwise(levels):
        x = denoising_euler_step(x, now.expand(len(x)), after.expand(len(x)), denoise_fn)
    return x


class EdmExperiment(nn.Module):
    """Learns the data behind a noisy image, at levels from far below to far above the data's size."""

    explains = {
        "loss": Metric("squared error", "weighted error of the data per pixel over the levels of the training; 1 at the start"),
        "loss_small": Metric("squared error", "the same over the third of the levels with the least noise"),
        "loss_middle": Metric("squared error", "the same over the middle third of the levels"),
        "loss_large": Metric("squared error", "the same over the third of the levels with the most noise"),
        "root_mean_square": Metric("size", "that of the held-out data on [-1, 1], which sigma_data should be"),
        "frechet_distance": JUDGED["frechet_distance"],
        "frechet_distance_euler": Metric("squared distance", "the same by Euler's method with as many network evaluations"),
    }
    phases = (Phase("train", moves=("network",)),)

    def __init__(self, recipe, shape):
        super().__init__()
        self.recipe, self.shape, self.generator, self.shares = recipe, tuple(shape), None, ALONE
        self.network = recipe.backbone(self.shape)
        self.augmentation = GeometricAugmentation(self.shape) if recipe.augmentation else None
        self.register_buffer("levels", self._levels(recipe.sampling_steps))

    def forward(self, batch, phase):
        """The mean loss for each pixel."""
        x0 = 2 * batch["image"] - 1
        normals = torch.randn(len(x0), generator=self.generator, device=x0.device)
        x0, told = self._augmented(x0) if self.augmentation else (x0, None)
        return self._losses(x0, self._level(normals), self._noise(len(x0)), told).mean(), {}

    def evaluate(self, data):
        """The loss over evenly spread levels, in three thirds, and how far drawn images are from held-out ones."""
        quantiles = (torch.arange(48, dtype=torch.float64) + 0.5) / 48
        thirds = self._level(torch.special.ndtri(quantiles)).float().view(3, -1)
        sums, squares = torch.zeros(3, dtype=torch.float64), 0.0
        for number, indices in enumerate(torch.arange(len(data)).split(256)):
            noises = [self._noise(len(indices)) for _ in thirds]
            if not self.shares.takes(number):
                continue
            x0 = 2 * data.batch(indices)["image"] - 1
            squares += x0.double().square().flatten(1).mean(1).sum().item() / len(data)
            for third, (levels, noise) in enumerate(zip(thirds, noises, strict=True)):
                sigma = levels[indices % len(levels)].to(x0.device)  # every level, independent of the generator
                sums[third] += self._losses(x0, sigma, noise).sum().double().cpu() / len(data)
        sums, squares = (sum(self.shares.together([part])) for part in (sums, squares))
        heun, euler = self._distances(data, self.levels, self._levels(2 * len(self.levels) - 3).to(self.levels.device))
        losses = dict(zip(("loss_small", "loss_middle", "loss_large"), sums.tolist(), strict=True))
        distances = {"frechet_distance": heun, "frechet_distance_euler": euler}
        return {"loss": sums.mean().item(), **losses, "root_mean_square": squares**0.5} | distances

    def preview(self, data):
        """Held-out images, noised, and what the network takes them for; and new images."""
        x0 = 2 * data.batch(torch.arange(min(len(data), 4)))["image"] - 1
        sigma = torch.tensor([0.1, 0.3, 1.0, 3.0, 10.0], device=x0.device)
        x0, sigma = x0.repeat_interleave(5, 0), sigma.repeat(len(x0))
        noisy = x0 + sigma.view(-1, 1, 1, 1) * self._noise(len(x0))
        rows = torch.stack([x0, noisy, self._data(noisy, sigma)], 1).flatten(0, 1)
        caption = "Held-out images, each with its noised version and the estimate of the data, at levels 0.1, 0.3, 1, 3 and 10"
        return {"denoised": ImageGrid(((rows + 1) / 2).clamp(0, 1), 15, caption), **self.sample(64)}

    def study(self, data):
        """Distances of drawn images from held-out ones, for both methods, by the number of network evaluations."""
        pairs = [self._distances(data, *(self._levels(n).to(self.levels.device) for n in ((k + 1) // 2, k))) for k in _COMPARED]

        def draw(axes):
            for name, distances in zip(("Heun", "Euler"), zip(*pairs, strict=True), strict=True):
                axes.loglog(_COMPARED, distances, "o-", label=name)
            axes.set(xlabel="network evaluations", ylabel="Frechet distance")
            axes.legend()

        return {"methods": Figure(draw, "Frechet distance of drawn images to held-out ones, by the number of evaluations")}

    def sample(self, count):
        """Images from pure noise."""
        steps = len(self.levels) - 1
        caption = f"Drawn from noise in {steps} steps of Heun's method, {2 * steps - 1} network evaluations"
        return {"samples": ImageGrid(self._drawn(count), 8, caption)}

    def _distances(self, data, levels, many):
        """The Frechet distances of images drawn by Heun's method on the levels, and by Euler's on `many`."""
        real = data.batch(torch.arange(min(len(data), 1000)))["image"]
        judge, count = Judge(real), self.recipe.judged_samples
        return [judge.frechet_distance(self._drawn(count, *how), real) for how in ((levels,), (many, euler))]

    def _drawn(self, count, levels=None, method=heun):
        """Images in [0, 1]."""
        levels = self.levels if levels is None else levels
        draw = lambda rows: method(self.levels[0] * self._noise(len(rows)), levels, self._data)  # noqa: E731
        return ((self.shares.rows(draw, torch.arange(count)) + 1) / 2).clamp(0, 1)

    def _levels(self, steps):
        recipe = self.recipe
        return karras_sigmas(num_steps=steps, sigma_min=recipe.sigma_min, sigma_max=recipe.sigma_max)

    def _augmented(self, x0):
        """Images after random moves, and the labels of these."""
        u = torch.rand(UNIFORMS, len(x0), generator=self.generator, device=x0.device)
        normals = torch.randn(NORMALS, len(x0), generator=self.generator, device=x0.device)
        moves = moves_of(u, normals, probability=self.recipe.augmentation)
        return self.augmentation(x0, moves), moves.labels()

    def _losses(self, x0, sigma, noise, told=None):
        """The loss per pixel, [B]. told: labels of the images' augmentations; none: they are as in the data."""
        answer = partial(self._answer, told=told)
        return edm_loss(x0, noise, sigma, answer, sigma_data=self.recipe.sigma_data) / x0[0].numel()

    def _level(self, normals):
        return noise_levels(normals, mean=self.recipe.level_mean, std=self.recipe.level_std)

    def _data(self, x, sigma):
        return denoise(x, sigma, self._answer, sigma_data=self.recipe.sigma_data)

    def _answer(self, x, level, told=None):
        if self.recipe.network == "ddpm++":
            return self.network(x, level, told).float()
        return self.network(x, 1000 * level).float()

    def _noise(self, count):
        return torch.randn(count, *self.shape, generator=self.generator, device=self.levels.device)


RECIPES = {
    # Measured with seed 0, in a minute and a half of one core: 0.358 (0.47 after 100 steps), and Frechet distances of 0.125 in 18
    # steps of Heun's method and 0.159 in 35 of Euler's, which ask the network as often.
    "digits": EdmRecipe(
        data="digits",
        sigma_data=0.847,
        steps=600,
        batch_size=128,
        learning_rate=2e-3,
        schedule="cosine",
        average_decay=0.99,
        held_out=0.2,
        evaluate_every=600,
        checkpoint_every=300,
        target=0.4,
    ),
    # As published, for the unconditional model of the DDPM++ form (VP, configuration F): 200 million images, an average with a
    # half-life of half a million. FID is measured on 50,000 samples: sample RUN --count 50000.
    "cifar10": EdmRecipe(
        data="cifar10",
        network="ddpm++",
        base_channels=128,
        multipliers=(2, 2, 2),
        blocks=4,
        attention_at=(16,),
        dropout=0.13,
        compact=False,
        augmentation=0.12,
        steps=390_625,
        batch_size=512,
        learning_rate=1e-3,
        warmup_steps=19_531,
        average_decay=0.99929,
        judged_samples=5000,
        evaluate_every=20_000,
        checkpoint_every=5000,
    ),
}

PUBLISHED = {
    "cifar10": Published(
        "CIFAR-10, downloaded by torchvision",
        "",
        "FID of 50,000 samples in 18 steps (35 evaluations) against the training set",
        1.97,
        "Karras et al. 2022, table 2, configuration F, unconditional, VP",
        quoted="F + Non-leaky augmentation: CIFAR-10 conditional 1.79 (VP), 1.79 (VE); unconditional 1.97 (VP), 1.98 (VE)",
        parameters=55_733_891,
        differences=(
            Difference(
                "arithmetic",
                "float32 in all products; samples drawn in float64 around a float32 network",
                "float32, on a GPU with TensorFloat32 products; samples drawn in float32",
                "not known",
            ),
            Difference(
                "average",
                "half-life of at most 5% of the images so far, and of 500,000",
                "half-life of at most 7.7% of the steps so far (decay t/(t + 9)), and of 500,000 images",
                "none: both are at 500,000 after 10 of the 200 million images",
            ),
            Difference(
                "evaluation",
                "the least of three FIDs, of 50,000 samples each",
                "one FID",
                "not known; the authors write that FID varies with the seeds",
            ),
        ),
    )
}


def build(recipe, data):
    """The experiment of a recipe for images of the data's shape."""
    return EdmExperiment(recipe, data.description["shape"])
