"""Wasserstein GANs with a gradient penalty, on points and on images: the critic's estimate next to the exact distance."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from practice_torch.adversarial.gradient_penalty import gradient_penalty, interpolate, one_sided_gradient_penalty
from practice_torch.adversarial.wasserstein_gan import cost_matrix, critic_loss, generator_loss
from practice_torch.engine.artifacts import Figure, ImageGrid
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.published import Difference, Published
from practice_torch.engine.recipe import Direction, Fixed, Recipe
from practice_torch.experiments.judging.image_judge import JUDGED, Judge
from practice_torch.experiments.judging.points import MODES, modes, on_the_plane, require_mixture, scatter
from practice_torch.foundations.training_practice import scale_to_range
from practice_torch.networks.dcgan import Critic, Generator
from practice_torch.networks.perceptron import perceptron

PENALTIES = {"two_sided": gradient_penalty, "one_sided": one_sided_gradient_penalty}


@dataclass(frozen=True)
class PointsRecipe(Recipe):
    """A Wasserstein GAN of two perceptrons on points, with a gradient penalty."""

    modality: ClassVar[str] = "points"
    penalty: Literal[tuple(PENALTIES)] = "two_sided"
    """Penalty on the critic's slope: wherever it is not 1 (two-sided), or where it is steeper than 1 (one-sided)."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the penalty. A critic's slope exceeds 1 by about the distance to move over twice this weight."""
    critic_turns: Annotated[int, AtLeast(1)] = 5
    """Critic updates in every step."""
    generator_rate: Annotated[float, Above(0)] = 1.0
    """Learning rate of the generator, as a multiple of the critic's: a generator that moves too far leaves the critic behind."""
    points: Annotated[int, AtLeast(2)] = 16384
    """Number of points drawn from a toy distribution (a file has its own number)."""
    noise: Annotated[int, AtLeast(1)] = 2
    """Dimension of the generator's noise."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Width of the two hidden layers of both networks."""
    radius: Annotated[float, Above(0)] = 0.2
    """Distance from a mode's center within which a generated point counts as good (mixtures only)."""
    compared: Annotated[int, AtLeast(2)] = 256
    """Points in each of the two batches between which the exact distance is computed."""

    def loading(self):
        """Number of points to draw."""
        return {"count": self.points}


@dataclass(frozen=True)
class ImagesRecipe(Recipe):
    """A convolutional Wasserstein GAN on images, with a gradient penalty; the critic has no batch normalization."""

    penalty: Literal[tuple(PENALTIES)] = "two_sided"
    """Penalty on the critic's slope: wherever it is not 1 (two-sided), or where it is steeper than 1 (one-sided)."""
    penalty_weight: Annotated[float, AtLeast(0)] = 10.0
    """Weight of the penalty. A critic's slope exceeds 1 by about the distance to move over twice this weight."""
    critic_turns: Annotated[int, AtLeast(1)] = 5
    """Critic updates in every step."""
    generator_rate: Annotated[float, Above(0)] = 1.0
    """Learning rate of the generator, as a multiple of the critic's: a generator that moves too far leaves the critic behind."""
    noise: Annotated[int, AtLeast(1)] = 64
    """Dimension of the generator's noise."""
    width: Annotated[int, AtLeast(1)] = 32
    """Channels of both networks at full resolution; doubled whenever the size is halved."""
    compared: Annotated[int, AtLeast(2)] = 256
    """Images in each of the two batches between which the exact distance is computed."""
    fakes: Annotated[int, AtLeast(2)] = 1000
    """Generated images in an evaluation."""
    metric: Fixed = "frechet_distance"
    direction: Direction = "lower"


class Wgan(nn.Module):
    """Generator and critic; `inside` scales real examples to the range of the networks: images to [-1, 1]."""

    explains = {
        "estimate": Metric("units of the data", "critic's estimate of the Wasserstein distance, on the batches of `transport`"),
        "transport": Metric("units of the data", "exact Wasserstein distance of batches of samples to batches of held-out data"),
        "transport_of_data": Metric("units of the data", "the same between two batches of held-out data; what sampling costs"),
        "slope": Metric("1", "mean norm of the critic's gradient between samples and held-out data; 1 is wanted"),
        **MODES,
        "frechet_distance": JUDGED["frechet_distance"],
    }

    def __init__(self, recipe, description, generator_network, critic):
        super().__init__()
        self.recipe, self.generator, self.shares, self.mixture = recipe, None, ALONE, description.get("mixture")
        self.generator_network, self.critic = generator_network, critic
        first = Phase("critic", ("critic",), times=recipe.critic_turns)
        rate = recipe.learning_rate * recipe.generator_rate
        self.phases = first, Phase("generator", ("generator_network",), learning_rate=rate)
        self.register_buffer("somewhere", torch.zeros(()))  # noise is drawn on its device

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real examples and as many fakes."""
        real = self._inside(batch)
        fakes = self._fakes(len(real))
        if phase == "generator":
            return generator_loss(self._scores(fakes)).mean(), {}
        fakes = fakes.detach()
        estimate = -critic_loss(self._scores(real), self._scores(fakes)).mean()
        penalty = self._between(real, fakes, PENALTIES[self.recipe.penalty]).mean()
        logs = {"estimate": estimate.detach(), "penalty": penalty.detach()}
        return self.recipe.penalty_weight * penalty - estimate, logs

    def evaluate(self, data):
        """The critic's estimate next to the exact distance of batches, and how good the fakes are."""
        real = self._inside(data.batch(torch.arange(min(len(data), 8 * self.recipe.compared))))
        fakes, size = self._drawn(len(real)), min(self.recipe.compared, len(real) // 2)
        pairs = list(zip(real.split(size), fakes.split(size), strict=True))[: len(real) // size]
        found = {
            "estimate": _mean([-critic_loss(self._scores(x), self._scores(y)).mean() for x, y in pairs]),
            "transport": _mean([transport(x, y) for x, y in pairs]),
            "transport_of_data": transport(*real.split(size)[:2]),
            "slope": float(self._between(real, fakes, partial(gradient_penalty, target=0.0)).sqrt().mean()),
        }
        if self.recipe.modality == "images":
            shown, held_out = self._shown(self.recipe.fakes), data.batch(torch.arange(min(len(data), 1000)))["image"]
            return found | {"frechet_distance": Judge(held_out).frechet_distance(shown, held_out)}
        return found | (modes(self._drawn(len(data)), self.mixture, self.recipe.radius) if self.mixture else {})

    def preview(self, data):
        """Fakes; of points, over held-out ones and over contour lines of the critic."""
        if self.recipe.modality == "images":
            return self.sample(64)
        real = data.batch()["point"][:2000]
        caption = "Generated points (blue) over held-out points (gray); lines: where the critic's scores are equal"
        return {"points": self._picture(real, self._drawn(2000), caption)}

    def sample(self, count):
        """Fakes of fresh noise."""
        if self.recipe.modality == "images":
            return {"fakes": ImageGrid(self._shown(count), 8, "Generated images from standard normal noise")}
        return {"points": self._picture(None, self._drawn(count), f"{count} fakes")}

    def _between(self, real, fakes, penalty):
        """A penalty on the critic's slope at points between real and fake examples, [B]."""
        uniforms = torch.rand(len(real), generator=self.generator, device=real.device)
        x = interpolate(real, fakes, uniforms)
        # forward: torch.func cannot differentiate a compiled call, and would leave the critic uncompiled for good
        return penalty(x.flatten(1), lambda rows: self._scores(rows.view(x.shape), self.critic.forward))

    def _inside(self, batch):
        if self.recipe.modality == "points":
            return batch["point"]
        return scale_to_range(batch["image"], minimum=0.0, maximum=1.0)

    def _scores(self, x, critic=None):
        """[B]; critic: what is called in place of the network."""
        scores = (critic or self.critic)(x).float()
        return scores[:, 0] if scores.ndim == 2 else scores

    def _fakes(self, count):
        noise = torch.randn((count, self.recipe.noise), generator=self.generator, device=self.somewhere.device)
        return self.generator_network(noise)

    def _drawn(self, count):
        """Fakes for an evaluation or a picture."""
        return self.shares.rows(lambda rows: self._fakes(len(rows)).float(), torch.arange(count))

    def _shown(self, count):
        return scale_to_range(self._drawn(count), minimum=-1.0, maximum=1.0, low=0.0, high=1.0)

    def _picture(self, real, fakes, caption):
        field = None if real is None or real.shape[1] != 2 else on_the_plane(self._scores, real)
        real = None if real is None else real.cpu()
        return Figure(partial(_draw, real, fakes.cpu(), field), caption, points=fakes)


def transport(x, y):
    """The exact distance W_1 of two batches of equal size, by the cheapest matching of their examples."""
    cost = cost_matrix(x.flatten(1).double(), y.flatten(1).double()).cpu().numpy()
    return float(cost[linear_sum_assignment(cost)].mean())


def _mean(values):
    return float(sum(values)) / len(values)


def _draw(real, fakes, field, axes):
    """Fakes over real points, over contour lines of the critic."""
    if field is not None:
        axes.contour(*field, levels=20, colors="0.8", linewidths=0.5, linestyles="solid")
    scatter(axes, real, fakes)
    axes.set_aspect("equal", "datalim" if field is None else "box")


_PLAY = {"beta1": 0.5, "beta2": 0.9, "critic_turns": 3, "held_out": 0.2}
RECIPES = {
    # The weight of the penalty is that of Gulrajani et al. 2017 for points, in their code. Measured with seeds 0 and 1, in 58
    # seconds of a core: 0.24 and 0.21 (two batches of data: 0.18), all 8 modes, 90 and 89% of the fakes within 0.1 of one. The
    # estimate ends at 0.06 and 0.07, near what both distances differ by, and the slope at 1.02 and 1.06. With the weight 1 and
    # rates of 1e-3 and 2e-4 that do not decay: 0.33 and 0.31, and 45% of the fakes within 0.1.
    "eight_gaussians": PointsRecipe(
        data="eight_gaussians",
        steps=4000,
        batch_size=128,
        penalty_weight=0.1,
        generator_rate=0.5,
        schedule="cosine",
        average_decay=0.99,
        radius=0.1,
        metric="transport",
        target=0.29,
        evaluate_every=500,
        checkpoint_every=1000,
        learning_rate=3e-3,
        **_PLAY,
    ),
    # Measured with seeds 0 and 1, in 60 seconds of one core: 0.18 and 0.17. The estimate, 0.4 and 0.3, is about what the exact
    # distance of batches, 3.7, has above that of two batches of data, 3.4: most of it is due to sampling in 64 dimensions.
    "digits": ImagesRecipe(
        data="digits",
        steps=1000,
        generator_rate=0.5,
        noise=32,
        width=16,
        target=0.25,
        evaluate_every=250,
        checkpoint_every=500,
        learning_rate=5e-4,
        **_PLAY,
    ),
    # Images of 32 x 32 with the paper's optimizer, turns and batches; its own networks are residual ones.
    "cifar10": ImagesRecipe(
        data="cifar10",
        steps=100_000,
        batch_size=64,
        learning_rate=2e-4,
        beta1=0.0,
        beta2=0.9,
        noise=128,
        width=64,
        schedule="cosine",
        held_out=0.1,
        evaluate_every=5000,
        checkpoint_every=5000,
    ),
}

PUBLISHED = {
    "cifar10": Published(
        "CIFAR-10, 60,000 photographs of 32 x 32 (https://www.cs.toronto.edu/~kriz/cifar.html)",
        "",
        "Inception score of 50,000 samples",
        None,
        "nearest: 7.86 with residual networks, Gulrajani et al. 2017, table 3",
        differences=(Difference("architecture", "residual networks", "those of adversarial/dcgan", "not known"),),
    )
}


def build(recipe, data):
    """Both players that a recipe describes.

    Raises DataError where the recipe is judged by modes and the data are no mixture, or images have sides that cannot be halved.
    """
    description = data.description
    if recipe.modality == "images":
        shape = description["shape"]
        generator = Generator(latent=recipe.noise, shape=shape, width=recipe.width)
        return Wgan(recipe, description, generator, Critic(shape=shape, width=recipe.width))
    require_mixture(recipe, description)
    dimension, hidden = description["shape"][0], (recipe.hidden, recipe.hidden)
    generator = perceptron(recipe.noise, *hidden, dimension, activation=nn.ReLU)
    return Wgan(recipe, description, generator, perceptron(dimension, *hidden, 1, activation=partial(nn.LeakyReLU, 0.2)))
