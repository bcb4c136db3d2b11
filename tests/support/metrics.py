"""A second computation of the logs, evaluations and pictures of experiments.

tests/<family>/metrics_<topic>.py gives the expected results of a small experiment's methods, from its networks, buffers and
data alone: by another formula, by a distribution of torch or SciPy, by a sum over everything, or by a loop over examples.

    logs(e, batch, phase)        what `forward` logs; where it is missing, nothing is logged
    evaluate(e, data)            every metric; the name, too, decides which number is which
    preview(e, data)             what is drawn, by name; `study(e, data)` and `sample(e, count)` likewise. What `sample` draws at
                                 random is held by the tests of samplers: a preview may leave it out

SLIPS, where a file has it, is {name: (file of the practice wing, function, change)}: mistakes that every other test let pass and
that this computation must find.

An image, a sound or a text is the tensor or the string; a figure is the list of what it draws, `("plot", x, y)`, in order, with
options such as the label in a dictionary at the end. Draws come from the experiment's generator, in the order in which the
experiment takes them.

    NAMES      the recipes that are built; default: all with different fields
    FIELDS     {recipe: fields with other values}, where the smallest sizes show nothing
    COUNT      examples of the data, where six are too few
    ROUNDS     the number of steps; default 2
    ANEW       the parameters, too, are as before the step when `logs` is called
    STEP       the deviation of the parameters' moves; default 0.1
    FLOAT32    the experiment computes in float32 whatever its parameters are
    TOLERANCE  relative, where it casts some of what it computes
"""

import dataclasses
from functools import partial
from typing import NamedTuple
from unittest.mock import MagicMock

import numpy as np
import torch

from practice_torch.engine.artifacts import Audio, Figure, ImageGrid, Text
from practice_torch.engine.modality import options_of
from tests.support import tiny
from tests.support.recipes import OF_THE_ENGINE, module_of, names

ENGINE = OF_THE_ENGINE | options_of("audio")
DRAWS = {
    "axhline",
    "axline",
    "axvline",
    "bar",
    "barh",
    "boxplot",
    "contour",
    "contourf",
    "errorbar",
    "fill_between",
    "hist",
    "hlines",
    "imshow",
    "loglog",
    "pcolormesh",
    "plot",
    "quiver",
    "scatter",
    "semilogx",
    "semilogy",
    "stairs",
    "stackplot",
    "step",
    "stem",
    "violinplot",
    "vlines",
}
OPTIONS = ("label", "slope", "bottom", "left", "yerr", "xerr", "c", "extent", "levels")  # of a drawing, that are data


def recipes(topic, module):
    """The topic's recipes in small: those that its module names, or all that differ in a field of their own."""
    found, fields = {}, getattr(module, "FIELDS", {})
    for name in getattr(module, "NAMES", [name for path, name in names() if path == topic]):
        recipe = tiny.small(module_of(topic).RECIPES[name])
        recipe = dataclasses.replace(recipe, **fields.get(name, {}))
        own = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe) if field.name not in ENGINE}
        found.setdefault((type(recipe), repr(own)), recipe)
    return list(found.values())


def built(topic, recipe, step):
    """An experiment with parameters moved from their initial values (a zero would hide errors behind it), and its data."""
    experiment, batch = tiny.built(topic, recipe)
    move(experiment, torch.Generator().manual_seed(2), step)
    return experiment, batch, tiny.data_of(recipe)


@torch.no_grad()
def move(experiment, draws, step):
    """A random step in place of an optimizer's."""
    for parameter in experiment.parameters():
        parameter += step * torch.randn(parameter.shape, generator=draws)


def seeded(experiment, call):
    """call(), with the draws of a seed."""
    torch.manual_seed(5)
    experiment.generator = torch.Generator().manual_seed(5)
    return call()


def logged(experiment, batch, phase, second, anew=False):
    """Logs of a step of the phase, and the expected logs; the experiment keeps its state after the step."""
    before = _state(experiment, anew)
    found = seeded(experiment, lambda: experiment(batch, phase)[1])
    after = _state(experiment, anew)
    _put(experiment, before)
    wanted = seeded(experiment, lambda: second(experiment, batch, phase))
    _put(experiment, after)
    return found, wanted


def _state(experiment, anew):
    kept = [*experiment.named_buffers(), *(experiment.named_parameters() if anew else ())]
    return [(tensor, tensor.detach().clone()) for _, tensor in kept]


@torch.no_grad()
def _put(experiment, state):
    for tensor, kept in state:
        tensor.copy_(kept)


def results_of(experiment, what, argument, second):
    """The result of a method, and the expected result."""
    experiment.eval()
    with torch.no_grad():
        found = seeded(experiment, lambda: getattr(experiment, what)(argument))
        return found, seeded(experiment, lambda: second(experiment, argument))


# ---------------------------------------------------------------------------------------------------- comparisons


def same(found, wanted, where, tolerance=1e-6):
    """Assert that both are equal to this tolerance, in every part; `where` begins the complaint."""
    if isinstance(wanted, UpToSign):
        wanted = torch.where((torch.as_tensor(found) * wanted.values).sum() < 0, -1, 1) * wanted.values
    match found:
        case dict():
            assert found.keys() == wanted.keys(), f"{where}: {sorted(found)} and {sorted(wanted)}"
            for name in found:
                same(found[name], wanted[name], f"{where}, {name}", tolerance)
        case Figure():
            drawn = drawings(found)
            names = [name for name, *_ in drawn], [name for name, *_ in wanted]
            assert names[0] == names[1], f"{where} draws {names[0]}, not {names[1]}"
            for number, ((name, *data, options), (_, *right)) in enumerate(zip(drawn, wanted, strict=True)):
                said = right.pop() if right and isinstance(right[-1], dict) else {}
                same(data, right, f"{where}, {name} {number}", tolerance)
                same({name: options.get(name) for name in said}, said, f"{where}, {name} {number}", tolerance)
        case ImageGrid():
            same(found.images, wanted, where, tolerance)
        case Audio():
            same(found.samples, wanted, where, tolerance)
        case Text():
            assert found.text == wanted, f"{where}:\n{found.text}\nin place of\n{wanted}"
        case str() | None:
            assert found == wanted, f"{where} is {found!r}, not {wanted!r}"
        case list() | tuple() if not _is_numbers(found):
            assert len(found) == len(wanted), f"{where} has {len(found)} parts, not {len(wanted)}"
            for number, pair in enumerate(zip(found, wanted, strict=True)):
                same(*pair, f"{where} {number}", tolerance)
        case _:
            a, b = _numbers(found), _numbers(wanted)
            assert a.shape == b.shape, f"{where} has shape {a.shape}, not {b.shape}"
            scale = max(float(np.abs(b[np.isfinite(b)]).max(initial=0.0)), 1e-3)
            wrong = ~np.isclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True)
            assert not wrong.any(), f"{where} is {a[wrong][:4]}, not {b[wrong][:4]}"


class UpToSign(NamedTuple):
    """A vector of arbitrary sign, such as coordinates on a principal axis."""

    values: torch.Tensor


def drawings(figure):
    """[(method, data, ..., options)] of what a figure draws, in order."""
    axes = MagicMock()
    axes.plot.return_value = [MagicMock()]  # a line, which others take their color from
    axes.get_subplotspec().subgridspec.side_effect = lambda rows, columns: range(rows * columns)  # panels in place of the axes
    figure.draw(axes)
    found = []
    for call, arguments, options in axes.mock_calls:
        name = call.rpartition(".")[2]  # also on axes next to or inside
        if name in DRAWS:
            data = [argument for argument in arguments if not isinstance(argument, str)]
            found.append((name, *data, {option: options[option] for option in OPTIONS if option in options}))
    return found


def _is_numbers(values):
    return all(isinstance(value, int | float | np.number) for value in values)


def _numbers(values):
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    elif isinstance(values, list | tuple) and any(isinstance(value, torch.Tensor) for value in values):
        values = [value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value for value in values]
    return np.asarray(values, dtype=np.float64) if not isinstance(values, str) else np.asarray(values)


# ---------------------------------------------------------------------------------------------------- distributions


def normal(mean, log_var):
    """Independent Gaussians of the last axis."""
    return torch.distributions.Independent(torch.distributions.Normal(mean, (log_var / 2).exp()), 1)


def standard_normal(like):
    """N(0, I) of the shape of a tensor."""
    return normal(torch.zeros_like(like), torch.zeros_like(like))


def bernoulli(logits):
    """Independent pixels of the last axis."""
    return torch.distributions.Independent(torch.distributions.Bernoulli(logits=logits, validate_args=False), 1)


divergence = partial(torch.distributions.kl_divergence)


def noise(e, *shape):
    """Standard normal draws of the experiment's generator."""
    return torch.randn(shape, generator=e.generator)


def mean(values):
    """The mean of numbers or of a tensor, one after another in float64."""
    values = values.tolist() if isinstance(values, torch.Tensor) else [float(value) for value in values]
    return sum(values) / len(values)
