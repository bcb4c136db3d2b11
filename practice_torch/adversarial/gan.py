"""Generative adversarial networks: the losses of both players, the exact game on finite spaces, and the game on points."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure, Text
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Recipe
from practice_torch.foundations.f_divergence import f_divergence
from practice_torch.networks.perceptron import perceptron


def discriminator_loss(logits_real, logits_fake, *, real_target=1.0):
    r"""-a log sigma(r) - (1 - a) log sigma(-r) - log sigma(-f), a the real_target: two cross-entropies, in nats.

    a < 1 smooths the labels of the real examples alone.

    Raises ValueError if the shapes differ or real_target is outside (0, 1].
    Source: Goodfellow et al. 2014, eq. 1; Salimans et al. 2016, section 3.4 (a < 1).
    [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_fake=logits_fake)
    require(0 < real_target <= 1, f"real_target is {real_target}; it must be in (0, 1]")
    # logsigmoid, not softplus: torch's softplus is the identity beyond its threshold of 20
    as_real, as_fake = logsigmoid(logits_real), logsigmoid(-logits_real)
    return -torch.lerp(as_fake, as_real, real_target) - logsigmoid(-logits_fake)


def minimax_generator_loss(logits_fake):
    r"""log(1 - D) = log sigma(-f): the generator's side of the discriminator's own game, which saturates as f -> -inf.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, eq. 1.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return logsigmoid(-logits_fake)


def non_saturating_generator_loss(logits_fake):
    r"""-log D = -log sigma(f): the same fixed point, and a slope where the discriminator is sure.

    Raises ValueError unless logits_fake has one axis.  Source: Goodfellow et al. 2014, section 3.
    [B] -> [B]
    """
    require_rank(1, logits_fake=logits_fake)
    return -logsigmoid(logits_fake)


def optimal_discriminator_logit(log_density_data, log_density_model):
    r"""log p - log q, the logit of D* = p / (p + q); 0 where both densities are zero and every D is as good.

    Raises ValueError if the shapes differ.  Source: Goodfellow et al. 2014, proposition 1.
    [B], [B] -> [B]
    """
    require_rank(1, log_density_data=log_density_data)
    require_same_shape(log_density_data=log_density_data, log_density_model=log_density_model)
    nowhere = log_density_data.isneginf() & log_density_model.isneginf()
    return (log_density_data - log_density_model).masked_fill(nowhere, 0.0)


def exact_value(log_probs_p, log_probs_q, logits):
    r"""V(D) = sum_k p_k log sigma(l_k) + q_k log sigma(-l_k): the value of the game over a finite space, in nats.

    An outcome of probability 0 adds nothing, whatever its logit.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Goodfellow et al. 2014, eq. 1.
    [B, K], [B, K], [B, K] -> [B]
    """
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, logits=logits)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    value = 0.0
    for log_probs, correct in ((log_probs_p, logits), (log_probs_q, -logits)):
        # a perfect discriminator's infinite logit on an outcome of the other side alone: 0 times inf must not become NaN
        value = value + log_probs.exp() * logsigmoid(correct.masked_fill(log_probs.isneginf(), 0.0))
    return value.sum(dim=-1)


def jensen_shannon_divergence(log_probs_p, log_probs_q):
    r"""1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q)/2, in nats: between 0 and log 2.

    Raises ValueError if the shapes differ or a row of log_probs_p or log_probs_q does not sum to one.
    Source: Lin 1991; Goodfellow et al. 2014, theorem 1.
    [B, K], [B, K] -> [B]
    """
    return f_divergence(log_probs_p, log_probs_q, divergence="jensen_shannon")


# ---------------------------------------------------------------------------------------------------- one turn, of any game

_GENERATOR_LOSSES = {"non_saturating": non_saturating_generator_loss, "minimax": minimax_generator_loss}
_OVERPOWERED = 0.1  # nats: a discriminator that is this close to the least loss leaves the generator next to no gradient


def _turn(phase, discriminator, real, fakes, recipe, watch):
    """(loss, logs) of one player's turn.

    Real and fake examples pass the discriminator one batch after the other, never mixed: batch normalization over a mixed batch
    would let every example see what company it is in.
    """
    if phase == "generator":
        return _GENERATOR_LOSSES[recipe.generator_loss](discriminator(fakes)).mean(), {}
    logits_real, logits_fake = discriminator(real), discriminator(fakes.detach())
    loss = discriminator_loss(logits_real, logits_fake, real_target=recipe.real_target).mean()
    watch.see(loss.detach())
    return loss, {"real": torch.sigmoid(logits_real.detach()).mean(), "fake": torch.sigmoid(logits_fake.detach()).mean()}


def _phases(recipe):
    first = Phase("discriminator", ("discriminator",), times=recipe.discriminator_turns)
    return first, Phase("generator", ("generator_network",))


# What _Watch measures, for those who train with one.
GAME = {
    "discriminator_loss": Metric("nats", "discriminator's loss above its least possible, over the last 100 updates"),
    "lowest_discriminator_loss": Metric("nats", "the lowest that this loss has been; near 0 the generator stops learning"),
}


class _Watch(nn.Module):
    """Follows the discriminator's loss, above the least that its targets allow, over the last hundred updates or so."""

    def __init__(self, real_target):
        super().__init__()
        a = real_target
        self.least = 0.0 if a == 1 else -a * math.log(a) - (1 - a) * math.log(1 - a)
        self.register_buffer("loss", torch.tensor(math.log(4)))
        self.register_buffer("lowest", torch.tensor(math.log(4)))

    def see(self, loss):
        self.loss.lerp_((loss - self.least).to(self.loss.dtype), 0.01)
        torch.minimum(self.lowest, self.loss, out=self.lowest)

    def metrics(self):
        return {"discriminator_loss": float(self.loss), "lowest_discriminator_loss": float(self.lowest)}

    def text(self):
        """What a reader of the report should know about the state of the game."""
        said = f"The discriminator's loss over its last 100 updates is {self.loss:.3f} nats above the least possible"
        said += f" (lowest so far {self.lowest:.3f}; tossing a coin costs {math.log(4) - self.least:.3f})."
        if self.loss < _OVERPOWERED:
            said += "\nThe discriminator OVERPOWERS the generator, which now learns next to nothing: give the discriminator fewer"
            said += "\nturns, a smaller network or softer targets (--real-target 0.9), or use the non-saturating loss."
        elif self.lowest < _OVERPOWERED:
            said += "\nThe discriminator overpowered the generator for a while, but no longer does."
        else:
            said += "\nNeither player overpowers the other."
        return Text(said, "The state of the game")


# ---------------------------------------------------------------------------------------------------- the game on points


@dataclass(frozen=True)
class GanRecipe(Recipe):
    """Two perceptrons play the adversarial game on points."""

    modality: ClassVar[str] = "points"
    generator_loss: Literal[tuple(_GENERATOR_LOSSES)] = "non_saturating"
    """What the generator minimizes: -log D, which moves where the discriminator is sure, or log(1 - D), the game's own."""
    real_target: float = 1.0
    """The discriminator's label of real examples; less than 1 bounds its confidence."""
    discriminator_turns: int = 1
    """Turns of the discriminator in every step."""
    points: int = 16384
    """Points to draw from a toy (a file has a number of its own)."""
    noise: int = 2
    """Dimensions of the generator's noise."""
    hidden: int = 128
    """Width of the two hidden layers of both networks."""
    radius: float = 0.2
    """A fake no further than this from a mode's center is good (where the data are a mixture)."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("discriminator_turns", "noise", "hidden"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        self._require("real_target", 0 < self.real_target <= 1, "more than 0 and at most 1")
        self._require("radius", self.radius > 0, "positive")

    def loading(self):
        """How many points to draw."""
        return {"count": self.points}


class PointGan(nn.Module):
    """Generator and discriminator; the engine lets them take turns."""

    explains = {
        "distance": Metric("units of the data", "mean distance to the nearest neighbor, samples to data and back, halved"),
        "real": Metric("probability", "the discriminator's mean output on real points; 0.5 at equilibrium"),
        "fake": Metric("probability", "the discriminator's mean output on samples; 0.5 at equilibrium"),
        "modes": Metric("modes", "modes of the mixture with at least a quarter of their share of good samples"),
        "high_quality": Metric("fraction", "samples within the recipe's radius of a mode"),
        "quality_times_coverage": Metric("fraction", "good samples times covered modes; 1 is best"),
        "spread": Metric("ratio", "standard deviation of samples within a mode over that of the mode; 1 is right"),
        **GAME,
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.mixture = description.get("mixture")
        dimension, hidden = description["shape"][0], (recipe.hidden, recipe.hidden)
        self.generator_network = perceptron(recipe.noise, *hidden, dimension, activation=nn.ReLU)
        self.discriminator = perceptron(dimension, *hidden, 1, activation=partial(nn.LeakyReLU, 0.2))
        self.watch = _Watch(recipe.real_target)
        self.phases = _phases(recipe)

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real points and as many fakes."""
        real = batch["point"]
        return _turn(phase, self._logits, real, self._fakes(len(real)), self.recipe, self.watch)

    def evaluate(self, data):
        """How far real points are from the nearest fake and back, on average; of mixtures, which modes the fakes cover."""
        real = data.batch()["point"]
        fakes = self._fakes(len(real))
        distances = torch.cdist(real, fakes)
        metrics = {"distance": float(distances.amin(dim=0).mean() + distances.amin(dim=1).mean()) / 2}
        for name, points in (("real", real), ("fake", fakes)):
            metrics[name] = float(torch.sigmoid(self._logits(points)).mean())
        return metrics | (self._modes(fakes) if self.mixture else {}) | self.watch.metrics()

    def preview(self, data):
        """Fakes over held-out points and over the discriminator's opinion of the plane; the state of the game."""
        real = data.batch()["point"][:2000]
        caption = "Fakes (blue) over held-out points (gray); behind them D, from 0 (red) to 1 (green)"
        return {"points": self._picture(real, self._fakes(2000), caption), "game": self.watch.text()}

    def sample(self, count):
        """Fakes alone."""
        return {"points": self._picture(None, self._fakes(count), f"{count} fakes")}

    def _modes(self, fakes):
        """A mode is covered by a quarter of its share of good fakes; spread is their deviation in units of the mode's own."""
        means, stds, weights = (torch.tensor(self.mixture[key], device=fakes.device) for key in ("means", "stds", "weights"))
        distance, nearest = torch.cdist(fakes, means).min(dim=1)
        good = distance <= self.recipe.radius
        shares = torch.bincount(nearest[good], minlength=len(means)) / len(fakes)
        covered, quality = float((shares >= weights / 4).double().mean()), float(good.double().mean())
        spread = (distance[good] / stds[nearest[good]]).square().mean().div(means.shape[1]).sqrt()
        return {
            "modes": covered * len(means),
            "high_quality": quality,
            "quality_times_coverage": quality * covered,  # with 8 modes, 0.9 is reached only if no mode is missed
            "spread": float(spread) if good.any() else 0.0,
        }

    def _logits(self, points):
        return self.discriminator(points)[:, 0]

    def _fakes(self, count):
        device = self.watch.loss.device
        return self.generator_network(torch.randn((count, self.recipe.noise), generator=self.generator, device=device))

    def _picture(self, real, fakes, caption):
        field = None
        if real is not None and real.shape[1] == 2:
            low, high = real.amin(0) - 1, real.amax(0) + 1
            x, y = (torch.linspace(float(a), float(b), 120, device=real.device) for a, b in zip(low, high, strict=True))
            plane = torch.cartesian_prod(x, y)
            opinion = torch.sigmoid(self._logits(plane)).view(120, 120).T
            field = tuple(tensor.float().cpu().numpy() for tensor in (x, y, opinion))
        real = None if real is None else real.cpu()
        return Figure(partial(_draw, real, fakes.float().cpu(), field), caption)


def _draw(real, fakes, field, axes):
    """The first two dimensions; points on a line are spread by their rank."""
    if field is not None:
        axes.pcolormesh(*field, cmap="RdYlGn", vmin=0, vmax=1, alpha=0.35, shading="nearest", linewidth=0, rasterized=True)
    for points, color in ((real, "0.4"), (fakes, "tab:blue")):
        if points is not None:
            second = points[:, 1] if points.shape[1] > 1 else torch.linspace(0, 1, len(points))
            axes.scatter(points[:, 0], second, s=3, color=color, linewidths=0)
    axes.set_aspect("equal", "datalim" if field is None else "box")


_GAME = {"beta1": 0.5, "batch_size": 256, "held_out": 0.2, "evaluate_every": 2000, "checkpoint_every": 2000}
_MODES = {"data": "eight_gaussians", "metric": "quality_times_coverage", "direction": "higher"} | _GAME
RECIPES = {
    # measured with seeds 0, 1 and 2: 8 modes, and 96 to 97% of the fakes within 0.2 of one
    "eight_gaussians": GanRecipe(steps=6000, target=0.9, **_MODES),
    # How to lose: twenty turns of the discriminator to one of a generator that saturates. Measured: 1 mode, 8% of the fakes good.
    "eight_gaussians_overpowered": GanRecipe(
        steps=500, generator_loss="minimax", discriminator_turns=20, **_MODES | {"evaluate_every": 250}
    ),
    "two_moons": GanRecipe(data="two_moons", steps=6000, metric="distance", target=0.08, **_GAME),
}


def build(recipe, data):
    """The two players that a recipe describes.

    Raises DataError where the recipe is judged by modes and the data are no mixture.
    """
    if recipe.metric != "distance" and "mixture" not in data.description:
        name = data.description["name"]
        raise DataError(f"{name} is no mixture whose modes are known, and this recipe counts modes: use the recipe two_moons")
    return PointGan(recipe, data.description)
