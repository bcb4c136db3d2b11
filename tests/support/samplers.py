"""Samples have the distribution of their network: the runner of tests/<family>/sampler_<topic>.py.

Such a file puts the exact network of a known law in the place of a trained one and draws with the experiment's own code. Its
checks compare what is drawn with the law (`require_law`, `require_shares`), or with the same chain written a second time by
functions that contracts hold (`require_same`; the noise comes in the order in which the experiment draws it).

SAMPLERS = {check: {name of a mistake: (function of the experiment, right, wrong)}}: the check must refuse the function with this
piece of its source replaced.

Draws are seeded: a check that passes once passes always. For another seed, a right sampler fails a statistic with probability
`ERROR_RATE`.
"""

import contextlib
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

import scipy.stats
import torch
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure as Canvas
from torch import nn

from tests.support import tiny
from tests.support.recipes import module_of
from tests.support.topic_files import module_with, topics_with

ERROR_RATE = 1e-6
FEWEST = 200  # draws that are compared with a law
RARE = 10  # draws of a value
COMPONENTS = 4  # of the smooth test: shifts, scales, skewed and heavy or split laws


@dataclass(frozen=True)
class Mistake:
    """`right`, which is once in the source of the function, replaced by `wrong`."""

    function: FunctionType
    right: str
    wrong: str


def samplers():
    """(topic, check, {name: mistake}) of every file tests/<family>/sampler_<topic>.py."""
    found = []
    for topic in topics_with("sampler"):
        for check, mistakes in module_with("sampler", topic).SAMPLERS.items():
            found.append((topic, check, {name: Mistake(*parts) for name, parts in mistakes.items()}))
    return found


def built(topic, name=None, **changes):
    """The experiment of a recipe (the topic's first) at a small size with these changes, in evaluation, seeded."""
    recipes = module_of(topic).RECIPES
    recipe = recipes[name or next(iter(recipes))]
    return tiny.built(topic, tiny.small(recipe, **changes))[0].eval().requires_grad_(False)


def moved(experiment, by=0.1):
    """The experiment, its parameters away from where they begin: behind layers of zeros nothing is seen."""
    generator = torch.Generator().manual_seed(7)
    for parameter in experiment.parameters():
        parameter += by * torch.randn(parameter.shape, generator=generator)
    return experiment


class Network(nn.Module):
    """A function in the place of a network. Its parameter is there for code that reads the device of a network from one."""

    def __init__(self, function):
        super().__init__()
        self.function, self.unused = function, nn.Parameter(torch.zeros(()))

    def forward(self, *arguments):
        return self.function(*arguments)


# ---------------------------------------------------------------------------------------------------- comparisons


def require_law(draws, cdf, *, error_rate=ERROR_RATE):
    """AssertionError unless independent draws, of any shape, have the distribution function: Neyman's smooth test.

    With u = cdf(draw), sqrt(N) times the mean of a normalized Legendre polynomial of u is standard normal, and those of several
    degrees are independent; the sum of the squares of the first four is compared with chi-squared.  Source: Neyman 1937.
    """
    u = cdf(draws.detach().double().flatten())
    assert len(u) >= FEWEST, f"{len(u)} draws tell little of a law; there must be {FEWEST}"
    means = [polynomial(u).mean() for polynomial in _legendre()]
    statistic = len(u) * float(sum(mean.square() for mean in means))
    chance = scipy.stats.chi2.sf(statistic, COMPONENTS)
    worst = ", ".join(f"{float(mean) * len(u) ** 0.5:.1f}" for mean in means)
    assert chance > error_rate, f"{len(u)} draws have another law: components {worst} in standard errors, chance {chance:.2g}"


def require_shares(indices, probabilities):
    """AssertionError unless independent draws of 0..K-1 have these probabilities: Pearson's chi-squared test.

    Values that expect fewer than RARE draws are counted together, since the law of their counts is far from normal.
    """
    counts = torch.bincount(indices.flatten(), minlength=len(probabilities)).double()
    assert len(counts) == len(probabilities), f"{len(counts) - 1} was drawn; the law has {len(probabilities)} values"
    expected, order = probabilities.double().sort()
    counts, expected = counts[order], expected * counts.sum()
    drawn = indices.unique().tolist()
    assert not counts[expected == 0].any(), f"{drawn} were drawn; the probabilities are {probabilities.tolist()}"
    together = int((expected.cumsum(0) < RARE).sum()) + 1  # the least likely, until they expect enough
    counts, expected = (torch.cat([part[:together].sum()[None], part[together:]]) for part in (counts, expected))
    statistic = float(((counts - expected).square() / expected).sum())
    chance = scipy.stats.chi2.sf(statistic, len(counts) - 1) if len(counts) > 1 else 1.0
    shares = (torch.bincount(indices.flatten(), minlength=len(probabilities)) / indices.numel()).tolist()
    assert chance > ERROR_RATE, f"shares are {shares}, not {probabilities.tolist()}: chance {chance:.2g}"


def require_same(drawn, wanted):
    """AssertionError unless the chain agrees with the explicit one up to the rounding of float32."""
    assert drawn.shape == wanted.shape, f"drawn have shape {list(drawn.shape)}, not {list(wanted.shape)}"
    error, scale = (drawn.double() - wanted.double()).abs().max(), wanted.double().abs().max().clamp(min=1e-9)
    # a thousand roundings of float32, in which experiments draw
    assert error <= 1e-4 * scale, f"drawn is off by {float(error):.3g}, of {float(scale):.3g}"


def normal_cdf(mean, deviation):
    """The distribution function of N(mean, deviation^2)."""
    return lambda x: torch.special.ndtr((x - mean) / deviation)


@cache
def _legendre():
    """The normalized Legendre polynomials on [0, 1] of degrees 1 to COMPONENTS, as functions of tensors."""
    return [
        lambda u, k=k: (2 * k + 1) ** 0.5 * torch.special.legendre_polynomial_p(2 * u - 1, k) for k in range(1, COMPONENTS + 1)
    ]


def shown(figure):
    """(points of each scatter [N, 2], lines [L, 2] each) that a figure paints, in the order of painting."""
    axes = Canvas().subplots()
    figure.draw(axes)
    points = [torch.tensor(part.get_offsets()) for part in axes.collections if isinstance(part, PathCollection)]
    return points, [torch.as_tensor(line.get_xydata()) for line in axes.lines]


# ---------------------------------------------------------------------------------------------------- mistakes


@contextlib.contextmanager
def planted(mistake):
    """The function as it would be with the mistake in its source, for as long."""
    function = inspect.unwrap(mistake.function)
    path = inspect.getsourcefile(function)
    lines, first = inspect.getsourcelines(function)
    source = "".join(lines)
    if (times := source.count(mistake.right)) != 1:
        raise LookupError(f"{mistake.right!r} is {times} times in {function.__qualname__}; name a piece that is there once")
    whole = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    whole[first - 1 : first - 1 + len(lines)] = [source.replace(mistake.right, mistake.wrong)]
    right, function.__code__ = function.__code__, code_of(compile("".join(whole), path, "exec"), function.__qualname__)
    try:
        yield
    finally:
        function.__code__ = right


def code_of(code, name):
    """The code of the function with this qualified name, which is compiled somewhere within code."""
    inside = [const for const in code.co_consts if isinstance(const, CodeType)]
    for part in inside:
        if part.co_qualname == name:
            return part
    return next(found for part in inside if name.startswith(part.co_qualname) and (found := code_of(part, name)))
