"""A critic estimates the KL divergence of two Gaussians from samples; the true divergence is known in closed form."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import AtLeast, Finite
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.foundations.jensen import log_mean_exp
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.foundations.variational_divergence import (
    donsker_varadhan_bound,
    log_ratio_from_critic,
    variational_lower_bound,
)
from practice_torch.networks.perceptron import perceptron


@dataclass(frozen=True)
class GaussianPairRecipe(Recipe):
    """A critic estimates the divergence KL(p || q) of two Gaussians, which is known, from samples alone.

    Both samples are drawn anew in every turn: there are no data.
    """

    modality: ClassVar[None] = None
    bound: Literal["nwj", "donsker_varadhan"] = "nwj"
    """Objective of the critic: E_p T - E_q e^(T-1) (unbiased) or E_p T - log E_q e^T (tighter)."""
    dimension: Annotated[int, AtLeast(1)] = 10
    """Dimension of both Gaussians; q is the standard normal."""
    shift: Annotated[float, Finite()] = 0.4
    """Mean of p along every axis."""
    spread: Annotated[float, Finite()] = 0.7
    """Log-variance of p along even axes; its negative along odd axes."""
    hidden: Annotated[int, AtLeast(1)] = 128
    """Width of the two hidden layers of the critic."""
    normalizer_decay: Annotated[float, AtLeast(0, below=1)] = 0.99
    """Decay of the running mean of e^T that divides the gradient of donsker_varadhan in place of the batch mean."""
    evaluation_draws: Annotated[int, AtLeast(1)] = 100_000
    """Number of samples of each Gaussian in an evaluation."""
    metric: Fixed = "relative_error"


class CriticOfGaussians(nn.Module):
    """A perceptron that learns how much likelier p finds a point than q."""

    explains = {
        "relative_error": Metric("ratio", "error of the estimated divergence over the true one"),
        "divergence": Metric("nats", "the true divergence, in closed form"),
        "nwj": Metric("nats", "the lower bound of Nguyen, Wainwright and Jordan at the trained critic"),
        "donsker_varadhan": Metric("nats", "the lower bound of Donsker and Varadhan at the trained critic"),
    }
    phases = (Phase("critic", ("critic",)),)

    def __init__(self, recipe):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.critic = perceptron(recipe.dimension, recipe.hidden, recipe.hidden, 1, activation=nn.SiLU)
        log_var = recipe.spread * (1 - 2 * (torch.arange(recipe.dimension) % 2))
        self.register_buffer("mean", torch.full((recipe.dimension,), recipe.shift))
        self.register_buffer("log_var", log_var)
        self.register_buffer("log_normalizer", torch.zeros(()))

    def forward(self, batch, phase):
        """Minus the bound, from fresh draws; the batch is empty."""
        critic_p, critic_q = self._critics(self.recipe.batch_size)
        if self.recipe.bound == "nwj":
            bound = variational_lower_bound(critic_p, critic_q, divergence="kl")
            return -bound, {"bound": bound.detach()}
        bound = donsker_varadhan_bound(critic_p, critic_q)
        self._follow(critic_q.detach())
        # The gradient of the log of a batch's mean is biased; with the mean followed over many batches it is hardly so.
        surrogate = critic_p.mean() - torch.exp(critic_q - self.log_normalizer).mean()
        return -surrogate, {"bound": bound.detach()}

    def evaluate(self, data):
        """Both bounds on many fresh draws, next to the divergence in closed form."""
        critic_p, critic_q = (critic.double() for critic in self._critics(self.recipe.evaluation_draws))
        true = float(self.divergence())
        estimates = {
            "nwj": float(variational_lower_bound(critic_p, critic_q, divergence="kl")),
            "donsker_varadhan": float(donsker_varadhan_bound(critic_p, critic_q)),
        }
        error = abs(estimates[self.recipe.bound] - true) / true
        return {"relative_error": error, "divergence": true, **estimates}

    def divergence(self):
        """KL(p || q) in closed form, nats."""
        zero = torch.zeros((1, self.recipe.dimension), dtype=torch.float64, device=self.mean.device)
        return gaussian_kl_divergence(self.mean[None].double(), self.log_var[None].double(), zero, zero)[0]

    def preview(self, data):
        """The log-ratio that the critic holds, against the true one."""
        return self.sample(1000)

    def sample(self, count):
        """Draws of both Gaussians: the critic's log-ratio against the true one."""
        points = self._draws(count)
        true = torch.cat([self._log_ratio(x) for x in points]).cpu()
        critic = torch.cat([self._value(x) for x in points])
        if self.recipe.bound == "nwj":
            learned = log_ratio_from_critic(critic, divergence="kl").cpu()
        else:  # right up to a shift, which the bound does not see
            learned = (critic - self.log_normalizer).cpu()
        return {"log_ratio": Figure(partial(_draw_ratios, true, learned), "The critic's log p/q and the true one")}

    def _follow(self, critic_q):
        decay = self.recipe.normalizer_decay
        new = log_mean_exp(critic_q[None])[0]
        followed = torch.logaddexp(self.log_normalizer + math.log(decay), new + math.log1p(-decay)) if decay else new
        self.log_normalizer.copy_(followed)

    def _critics(self, count):
        return tuple(self._value(x) for x in self._draws(count))

    def _draws(self, count):
        """`count` points of p and as many of q."""
        shape = (2, count, self.recipe.dimension)
        noise = torch.randn(shape, generator=self.generator, device=self.mean.device)
        return self.mean + torch.exp(self.log_var / 2) * noise[0], noise[1]

    def _value(self, points):
        return self.critic(points)[:, 0]

    def _log_ratio(self, points):
        standardized = (points - self.mean) * torch.exp(-self.log_var / 2)
        return (points.square() - standardized.square() - self.log_var).sum(dim=1) / 2


def _draw_ratios(true, learned, axes):
    axes.scatter(true, learned, s=3, linewidths=0)
    axes.axline((0, 0), slope=1, color="0.5", linewidth=1)
    axes.set_xlabel("true log p/q")
    axes.set_ylabel("the critic's")


# The best of four settings tried: larger steps keep shaking the exponential, smaller batches see too little of its tail.
_SMALL = {"steps": 1000, "batch_size": 1024, "learning_rate": 3e-4, "clip_norm": 10.0, "evaluate_every": 250, "target": 0.1}
_FULL = {"steps": 20_000, "batch_size": 16_384, "learning_rate": 3e-4, "clip_norm": 10.0, "hidden": 512, "dimension": 20}
RECIPES = {
    "gaussians": GaussianPairRecipe(**_SMALL),
    "gaussians_donsker_varadhan": GaussianPairRecipe(bound="donsker_varadhan", **_SMALL),
    "gaussians_full": GaussianPairRecipe(shift=0.3, spread=0.6, evaluation_draws=1_000_000, **_FULL),
}


def build(recipe, data):
    """The critic that a recipe describes; there are no data."""
    return CriticOfGaussians(recipe)
