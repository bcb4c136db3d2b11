"""f-GAN: the losses of critic and generator for every f-divergence, f* and the output map evaluated as one function."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from practice_torch.arguments import require, require_rank, require_same_shape
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Recipe
from practice_torch.foundations.f_divergence import _expm1, _row_of
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate, output_activation
from practice_torch.networks.perceptron import perceptron


def f_gan_critic_loss(v_real, v_fake, *, divergence, alpha=None):
    r"""f*(g_f(v_fake)) - g_f(v_real): what the critic minimizes; minus its mean is a lower bound on D_f(data || model).

    Raises ValueError if the shapes differ, or for an unknown divergence or an alpha it does not take.
    Source: Nowozin, Cseke & Tomioka 2016, eq. 6.
    [B], [B] -> [B]
    """
    require_rank(1, v_real=v_real)
    require_same_shape(v_real=v_real, v_fake=v_fake)
    conjugate = _row_of(_FUSED, divergence, alpha).conjugate(v_fake)
    return conjugate - output_activation(v_real, divergence=divergence, alpha=alpha)


def f_gan_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-f*(g_f(v_fake)): the generator's side of the same game, which saturates where the critic is sure of a fake.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, eq. 6.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return _row_of(_FUSED, divergence, alpha).conjugate(v_fake).neg()


def f_gan_alternative_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-g_f(v_fake): make the critic's value of a fake large, as if it were data. Not the game's own loss, but it moves.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, section 3.2.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return output_activation(v_fake, divergence=divergence, alpha=alpha).neg()


def location_scale_generator(z, location, log_scale):
    r"""G(z) = location + e^log_scale z: from standard normal noise, exactly the Gaussians.

    Raises ValueError if location or log_scale is not a scalar.  Source: Nowozin et al. 2016, section 2.
    [B], [], [] -> [B]
    """
    require_rank(1, z=z)
    require_rank(0, location=location, log_scale=log_scale)
    return torch.addcmul(location, log_scale.exp(), z)


def quadratic_critic(x, coefficients):
    r"""V(x) = c_0 + c_1 x + c_2 x^2: rich enough to hold the log-ratio of any two Gaussians.

    Raises ValueError unless there are three coefficients.  Source: Nowozin et al. 2016, section 2.
    [B], [3] -> [B]
    """
    require_rank(1, x=x, coefficients=coefficients)
    require(coefficients.shape[0] == 3, f"coefficients has {coefficients.shape[0]} entries; it must have 3: c_0, c_1, c_2")
    constant, linear, square = coefficients.unbind()
    return constant + x * (linear + x * square)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Fused:
    """f*(g_f(v)) as one function of v, without the detour over g_f(v), whose rounding f* would magnify."""

    conjugate: Callable


def _alpha_fused(alpha):
    if alpha > 1:
        return _Fused(partial(fenchel_conjugate, divergence="alpha", alpha=alpha))

    def conjugate(v):
        # With g_f(v) = 1/(1-alpha) - softplus(-v), 1 + (alpha-1) g_f(v) is (1-alpha) softplus(-v), to be taken to a power.
        # Beyond 18, log softplus(-v) = -v - e^-v/2 to the last bit, and softplus(-v) itself will soon underflow.
        far = v > 18
        log_softplus = torch.where(
            far, -v - torch.exp(-v.where(far, 18.0)) / 2, torch.log(-functional.logsigmoid(v.where(~far, 18.0)))
        )
        return _expm1((log_softplus + math.log1p(-alpha)) * (alpha / (alpha - 1))) / alpha

    return _Fused(conjugate)


def _jensen_shannon(v):
    # log((1 + e^v) / 2) / 2, expanded about 0 from the side on which v lies: it keeps its digits where it vanishes
    positive = v > 0
    toward_zero = torch.log1p(_expm1(torch.where(positive, -v, v)) / 2)
    return torch.where(positive, v + toward_zero, toward_zero) / 2


_FUSED = {
    "total_variation": _Fused(partial(output_activation, divergence="total_variation")),
    "kl": _Fused(partial(fenchel_conjugate, divergence="kl")),
    "reverse_kl": _Fused(lambda v: v - 1),
    "pearson_chi_squared": _Fused(partial(fenchel_conjugate, divergence="pearson_chi_squared")),
    "neyman_chi_squared": _Fused(lambda v: -2 * _expm1(-v / 2)),
    "squared_hellinger": _Fused(_expm1),
    "jeffreys": _Fused(partial(fenchel_conjugate, divergence="jeffreys")),
    "jensen_shannon": _Fused(_jensen_shannon),
    "gan": _Fused(lambda v: -functional.logsigmoid(-v)),
    "alpha": _alpha_fused,
}


# ------------------------------------------------------------------------------------------- the experiment


@dataclass(frozen=True)
class FGanRecipe(Recipe):
    """A generator and a critic play the game of one f-divergence on points."""

    modality: ClassVar[str] = "points"
    divergence: Literal[tuple(_FUSED)] = "gan"
    """Which f-divergence the critic bounds from below and the generator brings down."""
    alpha: float | None = None
    """The parameter of the divergence alpha; the others have none."""
    generator_loss: Literal["alternative", "consistent"] = "alternative"
    """The generator's loss: -g_f(v), which moves where the critic is sure, or -f*(g_f(v)), the game's own."""
    points: int = 16384
    """Points to draw from a toy (a file has a number of its own)."""
    noise: int = 2
    """Dimensions of the generator's noise."""
    hidden: int = 64
    """Width of the two hidden layers of both networks."""
    critic_turns: int = 1
    """Turns of the critic in every step."""

    def __post_init__(self):
        super().__post_init__()
        _row_of(_FUSED, self.divergence, self.alpha)
        for name in ("noise", "hidden", "critic_turns"):
            self._require(name, getattr(self, name) >= 1, "at least 1")

    def loading(self):
        """How many points to draw."""
        return {"count": self.points}


class FGan(nn.Module):
    """Two perceptrons, generator and critic; the engine lets them take turns."""

    explains = {
        "distance": Metric("units of the data", "mean distance to the nearest neighbor, samples to data and back, halved"),
        "modes": Metric("modes", "modes of the mixture with at least a quarter of their share of good samples"),
        "high_quality": Metric("fraction", "samples within 3 standard deviations of a mode"),
    }

    def __init__(self, recipe, description):
        super().__init__()
        self.recipe, self.generator = recipe, None
        self.mixture = description.get("mixture")
        dimension, hidden = description["shape"][0], (recipe.hidden, recipe.hidden)
        self.generator_network = perceptron(recipe.noise, *hidden, dimension)
        self.critic = perceptron(dimension, *hidden, 1)
        self.phases = (Phase("critic", ("critic",), times=recipe.critic_turns), Phase("generator", ("generator_network",)))
        self.row = {"divergence": recipe.divergence, "alpha": recipe.alpha}

    def forward(self, batch, phase):
        """The mean loss of one player over a batch of real points and as many fakes."""
        real = batch["point"]
        if phase == "generator":
            losses = {"alternative": f_gan_alternative_generator_loss, "consistent": f_gan_generator_loss}
            return losses[self.recipe.generator_loss](self._value(self._fakes(len(real))), **self.row).mean(), {}
        with torch.no_grad():
            fakes = self._fakes(len(real))
        loss = f_gan_critic_loss(self._value(real), self._value(fakes), **self.row).mean()
        return loss, {"bound": -loss.detach()}

    def evaluate(self, data):
        """The distances from real points to the nearest fake and back, averaged; of mixtures, modes and quality too."""
        real = data.batch()["point"]
        fakes = self._fakes(len(real))
        distances = torch.cdist(real, fakes)
        metrics = {"distance": float(distances.amin(dim=0).mean() + distances.amin(dim=1).mean()) / 2}
        return metrics | (self._modes(fakes) if self.mixture else {})

    def preview(self, data):
        """Fakes over held-out points."""
        real = data.batch()["point"][:2000]
        return {
            "points": Figure(partial(_scatter, self._fakes(2000).cpu(), real.cpu()), "Fakes (blue) over held-out points (gray)")
        }

    def sample(self, count):
        """Fakes alone."""
        return {"points": Figure(partial(_scatter, self._fakes(count).cpu(), None), f"{count} fakes")}

    def _modes(self, fakes):
        """Good samples lie within 3 standard deviations of a mode; a quarter of its share of good samples covers a mode."""
        means, stds, weights = (torch.tensor(self.mixture[key], device=fakes.device) for key in ("means", "stds", "weights"))
        distance, nearest = torch.cdist(fakes, means).min(dim=1)
        good = distance <= 3 * stds[nearest]
        shares = torch.bincount(nearest[good], minlength=len(means)) / len(fakes)
        return {"modes": float((shares >= weights / 4).sum()), "high_quality": float(good.double().mean())}

    def _value(self, points):
        return self.critic(points)[:, 0]

    def _fakes(self, count):
        device = self.critic[0].weight.device
        return self.generator_network(torch.randn((count, self.recipe.noise), generator=self.generator, device=device))


def _scatter(fakes, real, axes):
    """The first two dimensions; points on a line are spread by their rank."""
    for points, color in ((real, "0.7"), (fakes, "tab:blue")):
        if points is not None:
            second = points[:, 1] if points.shape[1] > 1 else torch.linspace(0, 1, len(points))
            axes.scatter(points[:, 0], second, s=3, color=color, linewidths=0)
    axes.set_aspect("equal", "datalim")


_GAME = {"beta1": 0.5, "clip_norm": 1.0, "batch_size": 256, "held_out": 0.2, "steps": 6000, "evaluate_every": 2000}
_MODES = {"data": "eight_gaussians", "metric": "modes", "direction": "higher", "target": 6.0} | _GAME
RECIPES = {
    "eight_gaussians": FGanRecipe(**_MODES),
    "eight_gaussians_kl": FGanRecipe(divergence="kl", **_MODES),
    # Here the roles are reversed: -g_f(v) = e^-v explodes on samples that the critic refuses, -f*(g_f(v)) = 1 - v is a line.
    "eight_gaussians_reverse_kl": FGanRecipe(divergence="reverse_kl", generator_loss="consistent", **_MODES),
    "eight_gaussians_squared_hellinger": FGanRecipe(divergence="squared_hellinger", **_MODES),
    "eight_gaussians_jensen_shannon": FGanRecipe(divergence="jensen_shannon", **_MODES),
    "two_moons": FGanRecipe(data="two_moons", metric="distance", target=0.08, **_GAME),
    "two_moons_full": FGanRecipe(
        data="two_moons", metric="distance", hidden=256, points=262_144, **_GAME | {"batch_size": 8192, "steps": 50_000}
    ),
}


def build(recipe, data):
    """The two players that a recipe describes.

    Raises DataError where the recipe is judged by modes and the data are no mixture.
    """
    if recipe.metric != "distance" and "mixture" not in data.description:
        name = data.description["name"]
        raise DataError(f"{name} is no mixture whose modes are known, and this recipe counts modes: use the recipe two_moons")
    return FGan(recipe, data.description)
