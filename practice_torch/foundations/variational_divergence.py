"""Variational divergence: bounds on f-divergences from a critic's values on samples, and the density ratio the critic holds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from torch import nn

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.foundations.f_divergence import _CELLS, _row_of, f_divergence
from practice_torch.foundations.fenchel_conjugate import _log_ratio, fenchel_conjugate
from practice_torch.foundations.jensen import log_mean_exp
from practice_torch.foundations.maximum_likelihood import gaussian_kl_divergence
from practice_torch.networks.perceptron import perceptron


def variational_lower_bound(critic_p, critic_q, *, divergence, alpha=None):
    r"""mean T(x_p) - mean f*(T(x_q)), from samples x_p of p and x_q of q; -inf where a T(x_q) lies outside the domain of f*.

    An unbiased estimate of E_p T - E_q f*(T) <= D_f(p || q): the reduction is inherent, and the sample sizes may differ.
    Raises ValueError for an empty sample critic_p or critic_q, an unknown divergence or an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, eq. 4.
    [N], [M] -> []
    """
    _require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - fenchel_conjugate(critic_q, divergence=divergence, alpha=alpha).mean()


def exact_variational_bound(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k p_k T_k - q_k f*(T_k): E_p T - E_q f*(T) <= D_f(p || q) over a finite space; -inf where T leaves the domain of f*.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.  Source: Nowozin et al. 2016, eq. 4.
    [B, K], [B, K], [B, K] -> [B]
    """
    _require_game(log_probs_p, log_probs_q, critic)
    conjugate = fenchel_conjugate(critic, divergence=divergence, alpha=alpha)
    # No critic may leave the domain, not even where q has no mass: the +inf is put in after the weights, which could be 0.
    outside = conjugate == math.inf
    terms = log_probs_p.exp() * critic - log_probs_q.exp() * conjugate.masked_fill(outside, 0.0)
    return terms.masked_fill(outside, -math.inf).sum(dim=-1)


def variational_gap(log_probs_p, log_probs_q, critic, *, divergence, alpha=None):
    r"""sum_k q_k [f*(T_k) - f*(T_opt_k) - u_k (T_k - T_opt_k)] = D_f(p || q) - bound >= 0, with u = p/q, T_opt = f'(u).

    What the critic leaves on the table, computed as that difference: it needs no T_opt where u is 0 or infinite.

    Raises ValueError if the shapes differ, a row of log_probs_p or log_probs_q does not sum to one, for an unknown divergence or
    an alpha it does not take.
    Source: Nguyen, Wainwright & Jordan 2010, section II; Banerjee et al. 2005 for Bregman divergences.
    [B, K], [B, K], [B, K] -> [B]
    """
    bound = exact_variational_bound(log_probs_p, log_probs_q, critic, divergence=divergence, alpha=alpha)
    return f_divergence(log_probs_p, log_probs_q, divergence=divergence, alpha=alpha) - bound


def donsker_varadhan_bound(critic_p, critic_q):
    r"""mean T(x_p) - log mean e^T(x_q), from samples x_p of p and x_q of q: a lower bound on KL(p || q) in the limit, nats.

    The logarithm of a mean: biased upwards at every finite sample of q.  Raises ValueError for an empty sample critic_p or
    critic_q.  Source: Donsker & Varadhan 1983; Belghazi et al. 2018, eq. 10.
    [N], [M] -> []
    """
    _require_samples(critic_p=critic_p, critic_q=critic_q)
    return critic_p.mean() - log_mean_exp(critic_q.unsqueeze(0)).squeeze(0)


def log_ratio_from_critic(critic, *, divergence, alpha=None):
    r"""log (f*)'(T), the log-ratio log p/q for which the critic T would be the best one.

    -inf where T is below every slope of f (on the flat part of f*), +inf where it is above (outside the domain of f*).

    Raises ValueError for total_variation (whose best critic holds only the sign of p - q), for an unknown divergence or an
    alpha it does not take.  Source: Nguyen, Wainwright & Jordan 2010, section II (T_opt = f'(p/q), inverted).
    [B] -> [B]
    """
    require_rank(1, critic=critic)
    require(divergence != "total_variation", "divergence is total_variation; its critic tells the sign of p - q, not their ratio")
    row, highest = _row_of(_RATIOS, divergence, alpha), _row_of(_CELLS, divergence, alpha).slope_at_infinity
    below, above = critic <= row.lowest, critic >= highest
    log_ratio = row.log_ratio(critic.masked_fill(below | above, row.inside))
    return log_ratio.masked_fill(below, -math.inf).masked_fill(above, math.inf)


def _require_samples(**critics):
    require_rank(1, **critics)
    for name, critic in critics.items():
        require(critic.numel() > 0, f"{name} is empty; a mean needs at least one sample")


def _require_game(log_probs_p, log_probs_q, critic):
    require_rank(2, log_probs_p=log_probs_p)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q, critic=critic)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Ratio:
    """The logarithm of the maximizer u*(t), asked strictly between f'(0) and f'(infinity)."""

    log_ratio: Callable
    lowest: float = -math.inf  # f'(0)
    inside: float = -0.5  # a slope that f does take, to stand in for those it does not


def _alpha_ratio(alpha):
    lowest = 1 / (1 - alpha) if alpha > 1 else -math.inf
    return _Ratio(lambda t: torch.log1p(t * (alpha - 1)) / (alpha - 1), lowest=lowest, inside=0.0)


_RATIOS = {
    "kl": _Ratio(lambda t: t - 1),
    "reverse_kl": _Ratio(lambda t: -torch.log(-t)),
    "pearson_chi_squared": _Ratio(lambda t: torch.log1p(t / 2), lowest=-2.0),
    "neyman_chi_squared": _Ratio(lambda t: torch.log1p(-t) / -2),
    "squared_hellinger": _Ratio(lambda t: torch.log1p(-t) * -2),
    "jeffreys": _Ratio(_log_ratio),
    # The gan row at 2t - log 2, written so that it vanishes with t: 2 - e^2t = 1 - (e^2t - 1).
    "jensen_shannon": _Ratio(lambda t: 2 * t - torch.log1p(-torch.expm1(2 * t))),
    "gan": _Ratio(lambda t: t - torch.log(-torch.expm1(t))),
    "alpha": _alpha_ratio,
}


# ------------------------------------------------------------------------------------------- the experiment


@dataclass(frozen=True)
class GaussianPairRecipe(Recipe):
    """A critic estimates the divergence KL(p || q) of two Gaussians, which is known, from samples alone.

    Both samples are drawn afresh in every turn, so nothing is read from a data set; the engine, which always loads one, is
    handed two points of the smallest toy, and the fields about data are no flags here.
    """

    modality: ClassVar[str] = "points"
    data: Fixed = "bimodal"
    held_out: Annotated[(float, *Fixed.__metadata__)] = 0.5
    bound: Literal["nwj", "donsker_varadhan"] = "nwj"
    """What the critic climbs: E_p T - E_q e^(T-1), unbiased, or E_p T - log E_q e^T, tighter for the same critic."""
    dimension: int = 10
    """Dimensions of both Gaussians: q is the standard normal."""
    shift: float = 0.4
    """The mean of p on every axis."""
    spread: float = 0.7
    """The log-variance of p: plus this on the even axes, minus this on the odd ones."""
    hidden: int = 128
    """Width of the critic's two hidden layers."""
    normalizer_decay: float = 0.99
    """Of donsker_varadhan: decay of the running mean of e^T, by which its gradient is divided instead of the batch's own mean."""
    evaluation_draws: int = 100_000
    """Draws of each Gaussian for an evaluation."""
    metric: Fixed = "relative_error"

    def __post_init__(self):
        super().__post_init__()
        for name in ("dimension", "hidden", "evaluation_draws"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        self._require("normalizer_decay", 0 <= self.normalizer_decay < 1, "at least 0 and less than 1")

    def loading(self):
        """As few points as can be split."""
        return {"count": 2}


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
        """Minus the bound, from fresh draws: of the batch, only its place in the order of play is used."""
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
        """Both bounds on many fresh draws, beside the divergence in closed form."""
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
        return {"log_ratio": Figure(partial(_draw_ratios, true, learned), "The critic's log p/q against the true one")}

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
    """The critic that a recipe describes; the data say nothing about it."""
    return CriticOfGaussians(recipe)
