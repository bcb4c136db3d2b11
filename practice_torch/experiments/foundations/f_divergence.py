"""One Gaussian for each f-divergence, fitted to a density with two modes on the line."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import nn

from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.bounds import Above, AtLeast
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe
from practice_torch.foundations.f_divergence import DIVERGENCES, f_divergence, f_generator
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate

ROWS = (*((name, None) for name in DIVERGENCES if name != "alpha"), ("alpha", -1.0), ("alpha", 0.5), ("alpha", 3.0))


@dataclass(frozen=True)
class FitRecipe(Recipe):
    """One Gaussian for each divergence, fitted to a density with two modes: some cover both, some pick one."""

    modality: ClassVar[str] = "points"
    data: str = "bimodal"
    """A one-dimensional mixture of known density; the divergences need the density, not only points."""
    steps: Annotated[int, AtLeast(1)] = 400
    """Number of updates of the Gaussians."""
    batch_size: Annotated[int, AtLeast(1)] = 1
    """Not used by the fit, which integrates the density; held-out points are used for evaluation."""
    learning_rate: Annotated[float, Above(0)] = 0.02
    """Step size of Adam."""
    cells: Annotated[int, AtLeast(16)] = 200
    """Number of cells of the integration grid between -8 and 8."""
    metric: Fixed = "excess"


class GaussianFits(nn.Module):
    """The Gaussians' means and log standard deviations, one for each row of the table; nothing else is learned."""

    phases = (Phase("fit", ("mean", "log_std")),)

    def __init__(self, recipe, description):
        super().__init__()
        mixture = description.get("mixture")
        if mixture is None or description["shape"] != [1]:
            raise DataError(f"data is {description['name']!r}; it must be a one-dimensional mixture of known density: 'bimodal'")
        self.generator = None
        cells = torch.linspace(-8.0, 8.0, recipe.cells)
        means, stds = torch.tensor(mixture["means"])[:, 0], torch.tensor(mixture["stds"])
        log_density = torch.logsumexp(
            torch.tensor(mixture["weights"]).log() - stds.log() - ((cells[:, None] - means) / stds).square() / 2, dim=-1
        )
        self.register_buffer("cells", cells)
        self.register_buffer("log_probs", log_density.log_softmax(0))
        at_one = [f_generator(torch.zeros(1), divergence=name, alpha=alpha) for name, alpha in ROWS]
        self.register_buffer("least_possible", torch.cat(at_one))  # f(1), which only q = p attains
        # All start as one wide Gaussian in the middle, which misses nothing: what happens next is the divergence's own doing.
        self.mean = nn.Parameter(torch.zeros(len(ROWS)))
        self.log_std = nn.Parameter(torch.full((len(ROWS),), math.log(3.0)))

    def forward(self, batch, phase):
        """The sum of the logarithms of all divergences: no two share a parameter, so each is minimized on its own."""
        # Logarithms, because Neyman's chi-squared starts at 1e30 and squares of its gradient would overflow in Adam.
        values = self._divergences(self.mean, self.log_std) - self.least_possible
        return values.log().sum(), {_title(*row).replace(" ", "_"): v for row, v in zip(ROWS, values.detach(), strict=True)}

    @property
    def explains(self):
        """Metrics by name: the excess, and every fit's mean, deviation and cost."""
        of_fits = {
            f"{name}_{_title(*row).replace(' ', '_')}": Metric(unit, f"{meaning} fitted under {_title(*row)}")
            for row in ROWS
            for name, unit, meaning in (
                ("mean", "units of the data", "mean of the Gaussian"),
                ("std", "units of the data", "standard deviation of the Gaussian"),
                ("nats", "nats per point", "-log density of held-out points under the Gaussian"),
            )
        }
        return of_fits | {"excess": Metric("ratio", "largest excess of a fit over the minimal divergence of a Gaussian")}

    @torch.no_grad()
    def evaluate(self, data):
        """Relative excess of each fit over the least divergence of any Gaussian; and nats per point."""
        least = self._least.to(self.mean.device)
        excess = (self._divergences(self.mean, self.log_std) - least) / (least - self.least_possible)
        x = data.batch()["point"]
        nats = ((x - self.mean) / self.log_std.exp()).square() / 2 + self.log_std + math.log(2 * math.pi) / 2
        metrics = {"excess": float(excess.max())}
        for index, row in enumerate(ROWS):
            name = _title(*row).replace(" ", "_")
            metrics |= {f"mean_{name}": float(self.mean[index]), f"std_{name}": float(self.log_std[index].exp())}
            metrics[f"nats_{name}"] = float(nats[:, index].mean())
        return metrics

    def preview(self, data):
        """The fits, and the generators and conjugates that made them."""
        return {"fits": self._fits(), "generators": _draw_generators(), "conjugates": _draw_conjugates()}

    def sample(self, count):
        """`count` points from each Gaussian."""
        noise = torch.randn((len(ROWS), count), generator=self.generator, device=self.mean.device)
        points = (self.mean[:, None] + self.log_std.exp()[:, None] * noise).detach().cpu()
        names = [_title(*row) for row in ROWS]

        def draw(axes):
            axes.violinplot(points.tolist(), orientation="horizontal", showextrema=False)
            axes.set_yticks(range(1, len(names) + 1), names)
            axes.set(xlabel="x", xlim=(-8, 8), title="Points drawn from each fit")

        return {"points": Figure(draw, f"{count} points from the Gaussian of each divergence.")}

    def _divergences(self, mean, log_std):
        """D_f(p || q) of each row, [R] or [R, C], for Gaussians with these means and log standard deviations."""
        log_q = (-((self.cells - mean[..., None]) / log_std[..., None].exp()).square() / 2).log_softmax(-1)
        log_q = log_q.reshape(len(ROWS), -1, len(self.cells))
        log_p = self.log_probs.expand(log_q.shape[1:])
        values = [f_divergence(log_p, q, divergence=d, alpha=a) for q, (d, a) in zip(log_q, ROWS, strict=True)]
        return torch.stack(values).reshape(mean.shape)

    @cached_property
    def _least(self):
        """The least divergence of each row, by a search over means and standard deviations that zooms in seven times."""
        rows, steps = len(ROWS), torch.linspace(-1.0, 1.0, 17, dtype=torch.float64, device=self.mean.device)
        centers, widths = steps.new_tensor([[0.0, 0.0]] * rows), steps.new_tensor([4.0, math.log(6.0)])
        twin = GaussianFits.__new__(GaussianFits)  # the same line in float64, without parameters
        nn.Module.__init__(twin)
        twin.cells, twin.log_probs = self.cells.double(), self.log_probs.double().log_softmax(0)
        for _ in range(7):
            mean = (centers[:, 0, None, None] + widths[0] * steps[:, None]).expand(rows, 17, 17).flatten(1)
            log_std = (centers[:, 1, None, None] + widths[1] * steps).expand(rows, 17, 17).flatten(1)
            values = twin._divergences(mean, log_std).nan_to_num(nan=math.inf)
            best = values.argmin(1, keepdim=True)
            centers = torch.cat((mean.gather(1, best), log_std.gather(1, best)), 1)
            widths = widths / 4
        return values.gather(1, best)[:, 0]

    def _fits(self):
        x, p = self.cells.cpu(), self.log_probs.exp().cpu()
        width = float(x[1] - x[0])
        order = self.log_std.argsort(descending=True).tolist()
        curves = [
            (_title(*ROWS[i]), torch.exp(-((x - float(self.mean[i])) / float(self.log_std[i].exp())).square() / 2), i)
            for i in order
        ]

        def draw(axes):
            axes.fill_between(x, p / width, color="0.85", label="p")
            for place, (name, curve, _) in enumerate(curves):
                axes.plot(x, curve / curve.sum() / width, color=_color(place), linestyle=_dash(place), label=name)
            axes.set(xlabel="x", ylabel="density", xlim=(-6, 6), title="The best Gaussian of each divergence")
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

        return Figure(draw, "From the widest fit, which covers both modes, to the narrowest, which picks one.", size=(8.0, 5.0))


def build(recipe, data):
    """The experiment of a recipe."""
    return GaussianFits(recipe, data.description)


def _title(divergence, alpha):
    return divergence.replace("_", " ") if alpha is None else f"alpha {alpha:g}"


def _color(place):
    """From purple over teal to yellow, a place for each row."""
    stops = np.array([[0.27, 0.0, 0.33], [0.13, 0.57, 0.55], [0.87, 0.85, 0.1]])
    return tuple(np.interp(place / (len(ROWS) - 1), [0.0, 0.5, 1.0], channel) for channel in stops.T)


def _draw_generators():
    log_u = torch.linspace(-6.0, math.log(4.0), 600)

    def draw(axes):
        for place, (name, alpha) in enumerate(ROWS):
            values = f_generator(log_u, divergence=name, alpha=alpha)
            axes.plot(log_u.exp(), values, color=_color(place), linestyle=_dash(place), label=_title(name, alpha))
        axes.set(xlabel="u = p/q", ylabel="f(u)", ylim=(-2.5, 4), title="Generators")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return Figure(draw, "Each divergence is the mean under q of one of these functions of the density ratio.", size=(8.0, 5.0))


def _draw_conjugates():
    t = torch.linspace(-3.0, 3.0, 241, dtype=torch.float64)

    def draw(axes):
        for place, (name, alpha) in enumerate(ROWS):
            values = fenchel_conjugate(t, divergence=name, alpha=alpha)  # infinite beyond the domain, where nothing is drawn
            axes.plot(t, values, color=_color(place), linestyle=_dash(place), label=_title(name, alpha))
        axes.set(xlabel="t", ylabel="f*(t)", ylim=(-2.5, 4), title="Conjugates: the largest u t - f(u)")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return Figure(draw, "Each conjugate up to the end of its domain.", size=(8.0, 5.0))


def _dash(place):
    return ("-", "--", ":", "-.")[place % 4]


RECIPES = {"bimodal": FitRecipe(target=0.01)}
