"""f-divergences of batches of distributions, one cell q f(p/q) at a time; and what each of them makes of two modes.

A divergence is a row of `_CELLS`. Its cell takes log p and log q rather than their ratio: most cells are closed forms of
differences of exponentials (p - q, sqrt(p) - sqrt(q), ...), in which nothing overflows that is not itself too large. The
generator is the cell at q = 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_log_probs, require_rank, require_same_shape
from practice_torch.data.errors import DataError
from practice_torch.engine.artifacts import Figure
from practice_torch.engine.experiment import Metric, Phase
from practice_torch.engine.recipe import Fixed, Recipe


def f_generator(log_ratio, *, divergence, alpha=None):
    r"""f(u) at u = e^log_ratio, the generator of the named f-divergence (nats where a logarithm is involved).

    total_variation |u-1|/2, kl u log u, reverse_kl -log u, pearson_chi_squared (u-1)^2, neyman_chi_squared (1-u)^2/u,
    squared_hellinger (sqrt(u)-1)^2, jeffreys (u-1) log u, jensen_shannon [u log u - (u+1) log((u+1)/2)]/2,
    gan u log u - (u+1) log(u+1), alpha [u^alpha - 1 - alpha (u-1)] / [alpha (alpha-1)].

    Raises ValueError for an unknown divergence, and for an alpha that is missing, 0, 1, not finite, or not wanted.
    Source: Liese & Vajda 2006; Nowozin, Cseke & Tomioka 2016, table 1 (there without the 1/2 of jensen_shannon).
    [B] -> [B]
    """
    return _row_of(_CELLS, divergence, alpha).cell(log_ratio, torch.zeros_like(log_ratio))


def f_generator_derivative(log_ratio, *, divergence, alpha=None):
    r"""f'(u) at u = e^log_ratio: the critic that attains the divergence in its variational form.

    For total_variation it is sign(u-1)/2, with sign(0) = 0.

    Raises ValueError as f_generator does.  Source: Nguyen, Wainwright & Jordan 2010; Nowozin, Cseke & Tomioka 2016, table 5.
    [B] -> [B]
    """
    return _row_of(_CELLS, divergence, alpha).derivative(log_ratio)


def f_divergence(log_probs_p, log_probs_q, *, divergence, alpha=None):
    r"""D_f(p || q) = sum_k q_k f(p_k / q_k), in nats where a logarithm is involved.

    0 f(0/0) = 0;  p_k = 0 < q_k gives q_k f(0);  q_k = 0 < p_k gives p_k f'(infinity). Where that is infinite, the result is
    the constant +inf, and its gradient is 0.

    Raises ValueError as f_generator does, if the shapes differ, or if a row of log_probs_p or log_probs_q does not sum to one.
    Source: Csiszar 1967; Ali & Silvey 1966.
    [B, K], [B, K] -> [B]
    """
    row = _row_of(_CELLS, divergence, alpha)
    require_rank(2, log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_same_shape(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    require_log_probs(log_probs_p=log_probs_p, log_probs_q=log_probs_q)
    no_p, no_q = log_probs_p.isneginf(), log_probs_q.isneginf()
    outside = no_p | no_q
    # Cells outside both supports are filled before they are computed, so that no NaN waits behind the mask for the gradient.
    cells = row.cell(log_probs_p.masked_fill(outside, 0.0), log_probs_q.masked_fill(outside, 0.0)).masked_fill(outside, 0.0)
    for mask, log_weight, value in ((no_p, log_probs_q, row.at_zero), (no_q, log_probs_p, row.slope_at_infinity)):
        if math.isinf(value):
            cells = cells.masked_fill(mask & (log_weight > -math.inf), math.inf)
        else:
            cells = cells + value * log_weight.masked_fill(~mask, -math.inf).exp()
    return cells.sum(-1)


def push_through_channel(log_probs, log_channel):
    r"""log (p C)_m = log sum_k p_k C_km: the distribution of the output when p is sent through the channel C.

    Raises ValueError if the number of rows of log_channel is not the number of probabilities, or if a row of log_probs or
    log_channel does not sum to one.  Source: Csiszar 1967.
    [B, K], [K, M] -> [B, M]
    """
    require_rank(2, log_probs=log_probs, log_channel=log_channel)
    inputs, rows = log_probs.shape[1], log_channel.shape[0]
    require(rows == inputs, f"log_channel has {rows} rows; it must have one for each of the {inputs} columns of log_probs")
    require_log_probs(log_probs=log_probs, log_channel=log_channel)
    joint = log_probs[:, None, :] + log_channel.T
    unreachable = joint.isneginf().all(-1)
    return torch.logsumexp(joint.masked_fill(unreachable[..., None], 0.0), -1).masked_fill(unreachable, -math.inf)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Cell:
    """A divergence on the side of its generator."""

    cell: Callable  # q f(p/q) of log p and log q, both finite
    derivative: Callable  # f'(u) of log u
    at_zero: float  # f(0)
    slope_at_infinity: float  # f'(infinity)


def _expm1(x):
    """e^x - 1. The derivative of torch.expm1 is (e^x - 1) + 1, which rounds a small e^x away: below -1, e^x itself is taken."""
    low = x < -1
    return torch.where(low, torch.exp(x.where(low, -1.0)) - 1, torch.expm1(x.masked_fill(low, 0.0)))


def _difference(a, b):
    """e^a - e^b without cancellation."""
    return _rise(b, a - b, a)


def _rise(bottom, step, top):
    """e^top - e^bottom for top = bottom + step, neither cancelling nor overflowing before its result does."""
    # top is not recomputed: where e^bottom is negligible, its small gradient would drown in the rounding of e^top.
    up = step > 0
    return torch.where(up, -torch.exp(top) * _expm1(-step.clamp(min=0)), torch.exp(bottom) * _expm1(step.clamp(max=0)))


def _log_twice_sigmoid(x):
    """log(2 / (1 + e^-x)): as log(1 + tanh(x/2)) where it is small, with logsigmoid where its gradient may be."""
    near = x.abs() < 1
    return torch.where(near, torch.log1p(torch.tanh(x.where(near, 0.0) / 2)), math.log(2) + logsigmoid(x))


def _jensen_shannon(log_p, log_q):
    log_ratio = log_p - log_q
    near = log_ratio.abs() < 1
    # Near p = q the halves p log(p/m) and q log(q/m) cancel to second order; there 2 JSD = (p-q) l/2 - (p+q) log cosh(l/2).
    small = log_ratio.where(near, 0.0)
    minus_log_cosh = torch.log1p(-torch.tanh(small / 2).square()) / 2
    p, q = log_p.exp(), log_q.exp()
    close = _difference(log_p, log_q) * small / 2 + (p + q) * minus_log_cosh
    apart = p * _log_twice_sigmoid(log_ratio) + q * _log_twice_sigmoid(-log_ratio)
    return torch.where(near, close, apart) / 2


def _gan(log_p, log_q):
    log_ratio = log_p - log_q
    # p log(p/(p+q)) + q log(q/(p+q)); logsigmoid, since torch's softplus is the identity beyond its threshold of 20.
    return log_p.exp() * logsigmoid(log_ratio) + log_q.exp() * logsigmoid(-log_ratio)


# Gauss and Legendre's rule on [0, 1]: at import, since NumPy's solver inside a function would break a compiled graph in two.
_NODES, _WEIGHTS = ((np.polynomial.legendre.leggauss(12) + np.array([[1.0], [0.0]])) / 2).tolist()


def _alpha_cell(alpha):
    near_one = 1 / max(1.0, abs(alpha))
    log_scale, sign = math.log(abs(alpha * (alpha - 1))), math.copysign(1.0, alpha * (alpha - 1))

    def cell(log_p, log_q):
        log_ratio = log_p - log_q
        near = log_ratio.abs() <= near_one
        small = log_ratio.where(near, 0.0)
        # Near u = 1, Taylor's remainder f(u) = int_1^u (u - s) s^(alpha-2) ds: along s = e^(x l) it is
        # l int_0^1 e^(alpha x l) (e^((1-x) l) - 1) dx, an integrand of one sign, by Gauss-Legendre.
        integrand = (w * torch.exp(alpha * x * small) * _expm1((1 - x) * small) for x, w in zip(_NODES, _WEIGHTS, strict=True))
        # p^alpha q^(1-alpha) less q stays exact as alpha -> 0, less p as alpha -> 1; its scale goes into the exponent, where it
        # keeps the power from overflowing.
        base, exponent, other = (log_q, alpha, alpha - 1) if alpha < 0.5 else (log_p, alpha - 1, alpha)
        mixture = alpha * log_p + (1 - alpha) * log_q
        power = sign * _rise(base - log_scale, exponent * log_ratio, mixture - log_scale)
        return torch.where(near, log_q.exp() * small * sum(integrand), power - _difference(log_p, log_q) / other)

    return _Cell(
        cell,
        lambda log_u: _expm1((alpha - 1) * log_u) / (alpha - 1),
        at_zero=1 / alpha if alpha > 0 else math.inf,
        slope_at_infinity=1 / (1 - alpha) if alpha < 1 else math.inf,
    )


_CELLS = {
    "total_variation": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q).abs() / 2,
        lambda log_u: torch.sign(log_u) / 2,
        at_zero=0.5,
        slope_at_infinity=0.5,
    ),
    "kl": _Cell(
        lambda log_p, log_q: log_p.exp() * (log_p - log_q), lambda log_u: 1 + log_u, at_zero=0.0, slope_at_infinity=math.inf
    ),
    "reverse_kl": _Cell(
        lambda log_p, log_q: log_q.exp() * (log_q - log_p),
        lambda log_u: -torch.exp(-log_u),
        at_zero=math.inf,
        slope_at_infinity=0.0,
    ),
    "pearson_chi_squared": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q) * _expm1(log_p - log_q),
        lambda log_u: 2 * _expm1(log_u),
        at_zero=1.0,
        slope_at_infinity=math.inf,
    ),
    "neyman_chi_squared": _Cell(
        lambda log_p, log_q: _difference(log_q, log_p) * _expm1(log_q - log_p),
        lambda log_u: -_expm1(-2 * log_u),
        at_zero=math.inf,
        slope_at_infinity=1.0,
    ),
    "squared_hellinger": _Cell(
        lambda log_p, log_q: _difference(log_p / 2, log_q / 2).square(),
        lambda log_u: -_expm1(-log_u / 2),
        at_zero=1.0,
        slope_at_infinity=1.0,
    ),
    "jeffreys": _Cell(
        lambda log_p, log_q: _difference(log_p, log_q) * (log_p - log_q),
        lambda log_u: log_u - _expm1(-log_u),
        at_zero=math.inf,
        slope_at_infinity=math.inf,
    ),
    "jensen_shannon": _Cell(
        _jensen_shannon, lambda log_u: _log_twice_sigmoid(log_u) / 2, at_zero=math.log(2) / 2, slope_at_infinity=math.log(2) / 2
    ),
    "gan": _Cell(_gan, logsigmoid, at_zero=0.0, slope_at_infinity=0.0),
    "alpha": _alpha_cell,
}


def _row_of(table, divergence, alpha):
    """The row of the named divergence; a table's entry that is a function is made into a row by its alpha."""
    if not isinstance(divergence, str) or divergence not in table:
        nearest = get_close_matches(str(divergence), table, n=1, cutoff=0.0)
        raise ValueError(f"divergence is {divergence!r}; it must be one of {', '.join(table)} (nearest: {nearest[0]!r})")
    entry = table[divergence]
    if callable(entry):
        usable = isinstance(alpha, Real) and math.isfinite(alpha) and alpha not in (0, 1)
        require(usable, f"alpha is {alpha!r}; with divergence 'alpha' it must be a finite number, neither 0 nor 1")
        return entry(float(alpha))
    require(alpha is None, f"alpha is {alpha!r}; with divergence {divergence!r} it must be None")
    return entry


# ------------------------------------------------------------------------------------------- the experiment

_ROWS = (*((name, None) for name in _CELLS if name != "alpha"), ("alpha", -1.0), ("alpha", 0.5), ("alpha", 3.0))


@dataclass(frozen=True)
class FitRecipe(Recipe):
    """One Gaussian for each divergence, fitted to a density with two modes: who covers both, and who picks one?"""

    modality: ClassVar[str] = "points"
    data: str = "bimodal"
    """A mixture on the line whose density is known; the divergences need the density, not only points."""
    steps: int = 400
    """Updates of the Gaussians."""
    batch_size: int = 1
    """The fit integrates the density and looks at no example; held-out points are for evaluation."""
    learning_rate: float = 0.02
    """Step size of Adam, in units of the line."""
    cells: int = 200
    """Cells of the line between -8 and 8."""
    metric: Fixed = "excess"

    def __post_init__(self):
        super().__post_init__()
        self._require("cells", self.cells >= 16, "at least 16")


class GaussianFits(nn.Module):
    """The Gaussians' means and log standard deviations, one for each row of the table; nothing else is learned."""

    phases = (Phase("fit", ("mean", "log_std")),)

    def __init__(self, recipe, description):
        super().__init__()
        mixture = description.get("mixture")
        if mixture is None or description["shape"] != [1]:
            raise DataError(
                f"data is {description['name']!r}; it must be a mixture on the line, whose density is known: 'bimodal'"
            )
        self.generator = None
        cells = torch.linspace(-8.0, 8.0, recipe.cells)
        means, stds = torch.tensor(mixture["means"])[:, 0], torch.tensor(mixture["stds"])
        log_density = torch.logsumexp(
            torch.tensor(mixture["weights"]).log() - stds.log() - ((cells[:, None] - means) / stds).square() / 2, dim=-1
        )
        self.register_buffer("cells", cells)
        self.register_buffer("log_probs", log_density.log_softmax(0))
        at_one = [f_generator(torch.zeros(1), divergence=name, alpha=alpha) for name, alpha in _ROWS]
        self.register_buffer("least_possible", torch.cat(at_one))  # f(1), which only q = p attains
        # All start as one wide Gaussian in the middle, which misses nothing: what happens next is the divergence's own doing.
        self.mean = nn.Parameter(torch.zeros(len(_ROWS)))
        self.log_std = nn.Parameter(torch.full((len(_ROWS),), math.log(3.0)))

    def forward(self, batch, phase):
        """The sum of the logarithms of all divergences: no two share a parameter, so each is minimized on its own."""
        # Logarithms, because Neyman's chi-squared starts at 1e30 and squares of its gradient would overflow in Adam.
        values = self._divergences(self.mean, self.log_std) - self.least_possible
        return values.log().sum(), {_title(*row).replace(" ", "_"): v for row, v in zip(_ROWS, values.detach(), strict=True)}

    @property
    def explains(self):
        """Metrics by name: the excess, and every fit's mean, deviation and cost."""
        of_fits = {
            f"{name}_{_title(*row).replace(' ', '_')}": Metric(unit, f"{meaning} fitted under {_title(*row)}")
            for row in _ROWS
            for name, unit, meaning in (
                ("mean", "units of the data", "mean of the Gaussian"),
                ("std", "units of the data", "standard deviation of the Gaussian"),
                ("nats", "nats per point", "-log density of held-out points under the Gaussian"),
            )
        }
        return of_fits | {"excess": Metric("ratio", "largest excess of a fit over the least divergence of any Gaussian")}

    @torch.no_grad()
    def evaluate(self, data):
        """How far each fit stays above the least divergence that any Gaussian has, relative to that; and nats per point."""
        least = self._least()
        excess = (self._divergences(self.mean, self.log_std) - least) / (least - self.least_possible)
        x = data.batch()["point"]
        nats = ((x - self.mean) / self.log_std.exp()).square() / 2 + self.log_std + math.log(2 * math.pi) / 2
        metrics = {"excess": float(excess.max())}
        for index, row in enumerate(_ROWS):
            name = _title(*row).replace(" ", "_")
            metrics |= {f"mean_{name}": float(self.mean[index]), f"std_{name}": float(self.log_std[index].exp())}
            metrics[f"nats_{name}"] = float(nats[:, index].mean())
        return metrics

    def preview(self, data):
        """The fits, and the generators and conjugates that made them."""
        return {"fits": self._fits(), "generators": _draw_generators(), "conjugates": _draw_conjugates()}

    def sample(self, count):
        """`count` points from each Gaussian."""
        noise = torch.randn((len(_ROWS), count), generator=self.generator, device=self.mean.device)
        points = (self.mean[:, None] + self.log_std.exp()[:, None] * noise).detach().cpu()
        names = [_title(*row) for row in _ROWS]

        def draw(axes):
            axes.violinplot(points.tolist(), orientation="horizontal", showextrema=False)
            axes.set_yticks(range(1, len(names) + 1), names)
            axes.set(xlabel="x", xlim=(-8, 8), title="Points drawn from each fit")

        return {"points": Figure(draw, f"{count} points from the Gaussian of each divergence.")}

    def _divergences(self, mean, log_std):
        """D_f(p || q) of each row, [R] or [R, C], for Gaussians with these means and log standard deviations."""
        log_q = (-((self.cells - mean[..., None]) / log_std[..., None].exp()).square() / 2).log_softmax(-1)
        log_q = log_q.reshape(len(_ROWS), -1, len(self.cells))
        log_p = self.log_probs.expand(log_q.shape[1:])
        values = [f_divergence(log_p, q, divergence=d, alpha=a) for q, (d, a) in zip(log_q, _ROWS, strict=True)]
        return torch.stack(values).reshape(mean.shape)

    def _least(self):
        """The least divergence of each row, by a search over means and standard deviations that zooms in six times."""
        rows, steps = len(_ROWS), torch.linspace(-1.0, 1.0, 33, dtype=torch.float64, device=self.mean.device)
        centers, widths = steps.new_tensor([[0.0, 0.0]] * rows), steps.new_tensor([4.0, math.log(6.0)])
        twin = GaussianFits.__new__(GaussianFits)  # the same line in float64, without parameters
        nn.Module.__init__(twin)
        twin.cells, twin.log_probs = self.cells.double(), self.log_probs.double().log_softmax(0)
        for _ in range(6):
            mean = (centers[:, 0, None, None] + widths[0] * steps[:, None]).expand(rows, 33, 33).flatten(1)
            log_std = (centers[:, 1, None, None] + widths[1] * steps).expand(rows, 33, 33).flatten(1)
            values = twin._divergences(mean, log_std).nan_to_num(nan=math.inf)
            best = values.argmin(1, keepdim=True)
            centers = torch.cat((mean.gather(1, best), log_std.gather(1, best)), 1)
            widths = widths / 6
        return values.gather(1, best)[:, 0]

    def _fits(self):
        x, p = self.cells.cpu(), self.log_probs.exp().cpu()
        width = float(x[1] - x[0])
        order = self.log_std.argsort(descending=True).tolist()
        curves = [
            (_title(*_ROWS[i]), torch.exp(-((x - float(self.mean[i])) / float(self.log_std[i].exp())).square() / 2), i)
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
    return tuple(np.interp(place / (len(_ROWS) - 1), [0.0, 0.5, 1.0], channel) for channel in stops.T)


def _draw_generators():
    log_u = torch.linspace(-6.0, math.log(4.0), 600)

    def draw(axes):
        for place, (name, alpha) in enumerate(_ROWS):
            values = f_generator(log_u, divergence=name, alpha=alpha)
            axes.plot(log_u.exp(), values, color=_color(place), linestyle=_dash(place), label=_title(name, alpha))
        axes.set(xlabel="u = p/q", ylabel="f(u)", ylim=(-2.5, 4), title="Generators")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return Figure(draw, "Each divergence is the mean under q of one of these functions of the density ratio.", size=(8.0, 5.0))


def _draw_conjugates():
    log_u = torch.linspace(-12.0, 12.0, 4001, dtype=torch.float64)
    t = torch.linspace(-3.0, 3.0, 241, dtype=torch.float64)

    def draw(axes):
        for place, (name, alpha) in enumerate(_ROWS):
            row = _row_of(_CELLS, name, alpha)
            inside = t[t < row.slope_at_infinity]
            products = inside[:, None] * log_u.exp() - f_generator(log_u, divergence=name, alpha=alpha)
            values = products.amax(1).clamp(min=-row.at_zero)  # u = 0 is allowed too
            axes.plot(inside, values, color=_color(place), linestyle=_dash(place), label=_title(name, alpha))
        axes.set(xlabel="t", ylabel="f*(t)", ylim=(-2.5, 4), title="Conjugates: the largest u t - f(u)")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return Figure(draw, "Each conjugate up to the end of its domain, by its definition.", size=(8.0, 5.0))


def _dash(place):
    return ("-", "--", ":", "-.")[place % 4]


RECIPES = {
    "bimodal": FitRecipe(target=0.01),
}
