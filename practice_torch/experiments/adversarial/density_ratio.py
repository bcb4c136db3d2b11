"""Classifiers estimate density ratios of Gaussians in the plane, which are known; and how they fail where these are far apart."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import nn

from practice_torch.adversarial.density_ratio import log_ratio_from_classifier, logistic_ratio_loss
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.latent.vae import gaussian_log_likelihood
from practice_torch.networks.perceptron import perceptron

_SHOWN = 4000  # draws of which a preview measures the divergences


@dataclass(frozen=True)
class RatioRecipe(Recipe):
    """Classifiers of two Gaussians in the plane, one for each distance between their means.

    Both are drawn anew in every turn: there are no data.
    """

    modality: ClassVar[None] = None
    distances: Annotated[tuple[float, ...], Above(0)] = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """Distances of the mean of p from that of q, the nearest first; q is the standard normal."""
    deviation: Annotated[float, Above(0)] = 0.6
    """Standard deviation of p along both axes."""
    share: Annotated[float, Above(0, below=1)] = 0.5
    """Share of p in a batch, by which the classifiers' logits are corrected."""
    hidden: Annotated[int, AtLeast(1)] = 64
    """Width of the two hidden layers of a classifier."""
    evaluation_draws: Annotated[int, AtLeast(1)] = 20_000
    """Draws of each Gaussian in an evaluation."""
    metric: Fixed = "ratio_error"

    def __post_init__(self):
        super().__post_init__()
        of_p = round(self.share * self.batch_size)
        self._require("share", 0 < of_p < self.batch_size, f"such that both Gaussians get some of the {self.batch_size} draws")
        self._require("distances", len(self.distances) > 0, "at least one distance")


class RatioExperiment(nn.Module):
    """Perceptrons that tell draws of p from draws of q, and what their logits say of log p/q."""

    explains = {
        "ratio_error": Metric("nats", "root mean squared error of log p/q at draws of p, nearest pair of Gaussians"),
        "estimate": Metric("nats", "KL(p || q) as the mean of the estimated log-ratio at draws of p, nearest pair"),
        "divergence": Metric("nats", "KL(p || q) of the nearest pair in closed form"),
        "mass": Metric("ratio", "mean of the estimated p/q at draws of q, nearest pair; 1 for the true ratio"),
        "estimate_far": Metric("nats", "the estimate for the farthest pair, which no draw of q comes near"),
        "divergence_far": Metric("nats", "KL(p || q) of the farthest pair in closed form"),
        "accuracy_far": Metric("fraction", "draws of p and q that the classifier of the farthest pair tells apart"),
    }
    phases = (Phase("classifiers", ("classifiers",)),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        width = recipe.hidden
        self.classifiers = nn.ModuleList(perceptron(2, width, width, 1, activation=nn.SiLU) for _ in recipe.distances)
        self.register_buffer("means", torch.tensor([(distance, 0.0) for distance in recipe.distances]))
        self.register_buffer("log_var", torch.full((2,), 2 * math.log(recipe.deviation)))

    def forward(self, batch, phase):
        """The sum of the logistic losses at fresh draws; the batch is empty."""
        size = self.recipe.batch_size
        of_p = round(self.recipe.share * size)
        points_p, points_q = self._draws(of_p), self._draws(size - of_p)[1]
        labels = (torch.arange(size, device=points_q.device) < of_p).to(points_q.dtype)
        losses = [
            logistic_ratio_loss(self._logits(pair, torch.cat([points_p[0][pair], points_q])), labels).mean()
            for pair in range(len(self.means))
        ]
        return torch.stack(losses).sum(), {"nearest": losses[0].detach(), "farthest": losses[-1].detach()}

    def evaluate(self, data):
        """The true ratio and the classifier's, for the nearest and for the farthest pair."""
        points_p, points_q = self._draws(self.recipe.evaluation_draws)
        near, far = (self._log_ratio(pair, points_p[pair]) for pair in (0, -1))
        divergences = self._divergences()
        apart = (self._logits(-1, points_p[-1]) > 0).sum() + (self._logits(-1, points_q) < 0).sum()
        return {
            "ratio_error": float((near - self._true_log_ratio(0, points_p[0])).square().mean().sqrt()),
            "estimate": float(near.mean()),
            "divergence": float(divergences[0]),
            "mass": float(self._log_ratio(0, points_q).double().exp().mean()),
            "estimate_far": float(far.mean()),
            "divergence_far": float(divergences[-1]),
            "accuracy_far": float(apart / (2 * len(points_q))),
        }

    def preview(self, data):
        """The nearest pair's log-ratios, and how the estimated divergence falls behind with the distance."""
        points_p, _ = self._draws(_SHOWN)
        estimates = [float(self._log_ratio(pair, points_p[pair]).mean()) for pair in range(len(self.means))]
        draw = partial(_draw_chasm, self.recipe.distances, self._divergences().tolist(), estimates)
        caption = "KL(p || q) in closed form, and as the classifiers estimate it; far apart they need not learn how high to rise"
        return {"chasm": Figure(draw, caption), **self.sample(1000)}

    def sample(self, count):
        """Draws of the nearest pair: the classifier's log-ratio against the true one."""
        points_p, points_q = self._draws(count)
        points = torch.cat([points_p[0], points_q])
        true, learned = self._true_log_ratio(0, points).cpu(), self._log_ratio(0, points).cpu()
        return {"log_ratio": Figure(partial(_draw_ratios, true, learned), "The classifier's log p/q of the nearest pair")}

    def _draws(self, count):
        """`count` points of every p, [pairs, count, 2], and as many of q."""
        noise = torch.randn(2, count, 2, generator=self.generator, device=self.means.device)
        return self.means[:, None] + torch.exp(self.log_var / 2) * noise[0], noise[1]

    def _logits(self, pair, points):
        return self.classifiers[pair](points)[:, 0]

    def _log_ratio(self, pair, points):
        of_p = round(self.recipe.share * self.recipe.batch_size)
        odds = math.log(of_p / (self.recipe.batch_size - of_p))
        return log_ratio_from_classifier(self._logits(pair, points).float(), log_prior_odds=odds)

    def _true_log_ratio(self, pair, points):
        log_p = gaussian_log_likelihood(points, self.means[pair].expand_as(points), self.log_var.expand_as(points))
        return log_p - gaussian_log_likelihood(points, torch.zeros_like(points), torch.zeros_like(points))

    def _divergences(self):
        """KL(p || q) of every pair in closed form, nats."""
        zero = torch.zeros_like(self.means)
        return gaussian_kl_divergence(self.means, self.log_var.expand_as(zero), zero, zero)


def _draw_chasm(distances, divergences, estimates, axes):
    axes.plot(distances, divergences, "o-", color="0.5", label="closed form")
    axes.plot(distances, estimates, "o-", label="estimated")
    axes.set(xlabel="distance of the means", ylabel="KL(p || q), nats")
    axes.legend()


def _draw_ratios(true, learned, axes):
    axes.scatter(true, learned, s=3, linewidths=0)
    axes.axline((0, 0), slope=1, color="0.5", linewidth=1)
    axes.set(xlabel="true log p/q", ylabel="the classifier's")


RECIPES = {
    # measured: 0.043 nats at the distance 1, where the divergence 0.88 is estimated as 0.90. At the distance 10 the classifier is
    # right everywhere, and the estimate is 12 nats instead of 50.
    "gaussians": RatioRecipe(
        steps=1500, batch_size=256, learning_rate=2e-3, schedule="cosine", target=0.15, evaluate_every=1500, checkpoint_every=1500
    )
}


def build(recipe, data):
    """The classifiers that a recipe describes; there are no data."""
    return RatioExperiment(recipe)
