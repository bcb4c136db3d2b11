"""A Wasserstein GAN of images that grows: it learns the coarsest images first, then new layers are faded in, size by size."""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch.nn.functional import avg_pool2d, interpolate

from practice_torch.adversarial.gradient_penalty import gradient_penalty
from practice_torch.adversarial.progressive_growing import GrowingCritic, GrowingGenerator, fade_in
from practice_torch.adversarial.wasserstein_gan import critic_loss, generator_loss
from practice_torch.data.errors import DataError
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.engine.stages import Stage, place_at
from practice_torch.experiments.adversarial.gradient_penalty import Wgan
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.foundations.training_practice import scale_to_range


@dataclass(frozen=True)
class GrowingRecipe(Recipe):
    """A generator and a critic that grow from coarse images to those of the data, by WGAN-GP."""

    doublings: Annotated[int, AtLeast(0)] = 1
    """How often the coarsest images are doubled in size; each size has as many steps. 0: no growth."""
    fade: Annotated[float, Above(0, at_most=1)] = 0.5
    """Fraction of the steps of a size in which its new layers are faded in."""
    latent: Annotated[int, AtLeast(1)] = 64
    """Dimension of the generator's noise."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of both players at full resolution; doubled whenever the size is halved."""
    most_channels: Annotated[int, AtLeast(1)] = 512
    """Most channels of a layer."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the penalty on a slope of the critic other than 1."""
    drift: Annotated[float, AtLeast(0)] = 1e-3
    """Weight of the critic's mean squared score of real images, which keeps its scores near 0."""
    critic_turns: Annotated[int, AtLeast(1)] = 1
    """Critic updates in every step."""
    generator_rate: Annotated[float, Above(0)] = 1.0
    """Learning rate of the generator, as a multiple of the critic's."""
    fakes: Annotated[int, AtLeast(2)] = 1000
    """Generated images in an evaluation."""
    metric: Fixed = "frechet_distance"
    direction: Direction = "lower"

    def __post_init__(self):
        super().__post_init__()
        self._require("doublings", self.doublings < self.steps, f"less than steps ({self.steps}), since every size has a step")

    def stages(self):
        """The two largest sizes, and all smaller ones together: `list --sizes` steps once in each, and those cost the least."""
        each = self.steps // (self.doublings + 1)
        counts = {"coarse": max(0, self.doublings - 1) * each, "half": min(1, self.doublings) * each}
        counts["full"] = self.steps - sum(counts.values())
        return tuple(Stage(name, count, ("critic", "generator")) for name, count in counts.items() if count)


class GrowingGan(Wgan):
    """Both players at the size of the present step. Real images are halved to this size, and faded in as fakes are."""

    explains = {"frechet_distance": JUDGED["frechet_distance"]}
    eager = dict.fromkeys(("generator_network", "critic"), "a number that it is called with differs in every step of its growth")

    def __init__(self, recipe, description):
        sizes = dict(
            shape=description["shape"], doublings=recipe.doublings, width=recipe.width, most_channels=recipe.most_channels
        )
        super().__init__(recipe, description, GrowingGenerator(latent=recipe.latent, **sizes), GrowingCritic(**sizes))
        self.phases = tuple(replace(phase, partial=True) for phase in self.phases)  # what grows later
        self.place = place_at(recipe.stages(), 0)

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real images and as many fakes."""
        real = self._inside(batch)
        fakes = self._fakes(len(real))
        if phase == "generator":
            return generator_loss(self._scores(fakes)).mean(), {}
        fakes = fakes.detach()
        scores = self._scores(real)
        estimate = -critic_loss(scores, self._scores(fakes)).mean()
        # a score depends on the others of its group, too; as Karras et al. do, the slope of the sum is taken for its own
        penalty = self._between(real, fakes, gradient_penalty).mean()
        logs = {"estimate": estimate.detach(), "penalty": penalty.detach()}
        return self.recipe.penalty_weight * penalty + self.recipe.drift * scores.square().mean() - estimate, logs

    def evaluate(self, data):
        """How far the features of fakes, enlarged to full size, are from those of held-out images."""
        held_out = data.batch(torch.arange(min(len(data), 1000)))["image"]
        return {"frechet_distance": Judge(held_out).frechet_distance(self._shown(self.recipe.fakes), held_out)}

    def _growth(self):
        """The level and alpha in the middle of the next step: an alpha of 0 would teach the new layers nothing."""
        recipe, stages = self.recipe, self.recipe.stages()
        before = [stage.name for stage in stages].index(self.place.stage)
        step = min(sum(stage.steps for stage in stages[:before]) + self.place.taken, recipe.steps - 1)
        each = recipe.steps // (recipe.doublings + 1)
        level = min(step // each, recipe.doublings)
        if level == 0:
            return level, 1.0
        # the topic's growth_schedule of half-steps, by numbers alone: tensors that `list --sizes` steps on have no values
        half_steps, fade_steps = 2 * (step - level * each) + 1, max(1, round(2 * each * recipe.fade))
        return level, min(half_steps / fade_steps, 1.0)

    def _inside(self, batch):
        level, alpha = self._growth()
        images = scale_to_range(batch["image"], minimum=0.0, maximum=1.0)
        images = avg_pool2d(images, 2 ** (self.recipe.doublings - level))
        return fade_in(avg_pool2d(images, 2), images, alpha=alpha) if level else images

    def _scores(self, x, critic=None):
        return (critic or self.critic)(x, *self._growth()).float()

    def _fakes(self, count):
        noise = torch.randn((count, self.recipe.latent), generator=self.generator, device=self.somewhere.device)
        return self.generator_network(noise, *self._growth())

    def _shown(self, count):
        """Fakes as images of full size."""
        enlarged = interpolate(self._drawn(count), scale_factor=2 ** (self.recipe.doublings - self._growth()[0]))
        return scale_to_range(enlarged, minimum=-1.0, maximum=1.0, low=0.0, high=1.0).clamp(0, 1)


RECIPES = {
    # Measured with seeds 0 and 1, in 72 seconds of one core: 0.31 and 0.35, and still falling. After the stage of 4 x 4 pixels
    # alone: 2.4.
    "digits": GrowingRecipe(
        data="digits",
        steps=2000,
        batch_size=64,
        learning_rate=2e-3,
        beta1=0.0,
        beta2=0.99,
        width=16,
        held_out=0.2,
        average_decay=0.99,
        target=0.5,
        evaluate_every=500,
        checkpoint_every=500,
    ),
    # The sizes, the optimizer and the fading of Karras et al. 2018, appendix A, for 14.4 million images. Their batches shrink
    # from 16 at sizes up to 128 to 3 at 1024.
    "celeba_hq": GrowingRecipe(
        data="celeba_hq",
        image_size=1024,
        steps=900_000,
        batch_size=16,
        learning_rate=1e-3,
        beta1=0.0,
        beta2=0.99,
        doublings=8,
        latent=512,
        width=16,
        held_out=0.01,
        augment_flip=True,
        average_decay=0.999,
        evaluate_every=10_000,
        checkpoint_every=10_000,
    ),
}

PUBLISHED = {
    "celeba_hq": Published(
        "CelebA-HQ, 30,000 faces of 1024 x 1024 (Karras et al. 2018, appendix C)",
        "python -m practice_torch prepare images celeba_hq --out celeba_hq",
        "FID of 50,000 samples",
        7.30,
        "Karras et al. 2018, figure 11; Karras et al. 2019, table 1, find 7.79 for the same networks",
        quoted="Frechet Inception Distance (FID) computed from 50K images was 7.30",
        differences=(
            Difference("data", "all 30,000 images", "1% of them are held out", "not known"),
            Difference("batches", "16 images, fewer from 256 pixels on, 3 at 1024", "16 at all sizes", "not known"),
        ),
    )
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where images have sides that cannot be halved as often as the recipe doubles them.
    """
    sides = data.description["shape"][1:]
    if any(side % 2**recipe.doublings for side in sides):
        given = " x ".join(map(str, sides))
        raise DataError(f"images of {given} pixels cannot be halved {recipe.doublings} times: resize them, or lower --doublings")
    return GrowingGan(recipe, data.description)
