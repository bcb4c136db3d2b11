"""The trained model of a run as a Python object: practice_torch.load(RUN)."""

import contextlib
import dataclasses
import json
import warnings
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from torch import nn

from practice_torch.commands.drawing import built, seed_sampling
from practice_torch.commands.loading.examples import examples, folder_of
from practice_torch.commands.loading.samples import Samples
from practice_torch.engine.bounds import Bounded
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.experiment import Experiment, HasSampling
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.run import Run
from practice_torch.engine.storage.state import Which, load_weights
from shared_specs.commands.errors import nearest

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class TrainedModel:
    """A trained model, in eval mode and without gradients: its experiment, its networks, and samples.

    experiment: the module of practice_torch/experiments that was trained; its functions and buffers are within reach
    recipe: the recipe with which it was trained; run: its folder; step: that of its weights
    device, dtype: where it is, and the precision of its matrix products; the weights are in float32

    Models share nothing: `sample` restores torch's generators, default dtype and device, and sets no switch of a backend.
    """

    def __init__(
        self, run: Run, experiment: Experiment, recipe: Recipe, step: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.run, self.experiment, self.recipe, self.step = run, experiment, recipe, step
        self.device, self.dtype = device, dtype

    @classmethod
    def load(
        cls,
        run: str | Path,
        *,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        checkpoint: Which = None,
    ) -> "TrainedModel":
        """The model of a run folder, or of an example by its name: see practice_torch.load."""
        where = folder_of(run)
        if not where.exists():
            raise RunError(f"{run} is no run folder, and no model that comes with the package ({', '.join(examples())})")
        opened, device = Run.open(where), _device(device)
        if dtype not in (None, *DTYPES):
            raise OptionError(f"dtype is {dtype!r}; it must be one of {', '.join(map(str, DTYPES))}, or None for the run's")
        if not (checkpoint in (None, "best") or type(checkpoint) is int and checkpoint >= 0):
            raise OptionError(f"checkpoint is {checkpoint!r}; it must be the number of a step, 'best', or None")
        with _isolated(device):
            experiment, recipe = built(opened)
            step = load_weights(opened, recipe, experiment, lambda line: warnings.warn(line, stacklevel=4), checkpoint)
            experiment.to(device).eval().requires_grad_(False)
        trained = torch.bfloat16 if recipe.precision == "bfloat16" and device.type != "cpu" else torch.float32
        return cls(opened, experiment, recipe, step, device, dtype or trained)

    @property
    def options(self) -> Bounded | None:
        """The options of `sample` with their defaults, a frozen dataclass; None where a model has none."""
        return self.experiment.sampling if isinstance(self.experiment, HasSampling) else None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks that the training moved, by name."""
        names = dict.fromkeys(name for phase in self.experiment.phases for name in phase.moves)
        found = {name: getattr(self.experiment, name) for name in names}
        return {name: module for name, module in found.items() if isinstance(module, nn.Module)}

    @property
    def network(self) -> nn.Module:
        """The network, of a model that has one; AttributeError if there are several, or none."""
        if len(self.networks) != 1:
            names = ", ".join(self.networks) or "none"
            raise AttributeError(f"the model has {len(self.networks)} networks ({names}): take one of model.networks")
        return next(iter(self.networks.values()))

    def sample(self, count: int = 16, *, seed: int | None = None, **options: Any) -> Samples:
        """`count` samples, drawn as `sample RUN --count count --seed seed` draws them.

        seed: the same seed draws the same samples; without one, the run's. options: those of `model.options`, by name.
        OptionError if the model has no such option, or cannot meet it.
        """
        for name, number, least in (("count", count, 1), ("seed", self.recipe.seed if seed is None else seed, 0)):
            if not isinstance(number, int) or isinstance(number, bool) or not least <= number < 2**63:
                raise OptionError(f"{name} is {number!r}; it must be an integer, at least {least} and less than 2^63")
        experiment, before = self.experiment, (getattr(self.experiment, "sampling", None), self.experiment.training)
        chosen = self._chosen(options)
        with _isolated(self.device), torch.no_grad(), self._autocast():
            try:
                experiment.eval()
                if chosen is not None:
                    experiment.sampling = chosen
                seed_sampling(experiment, self.device, self.recipe.seed if seed is None else seed)
                return Samples(experiment.sample(count))
            finally:
                experiment.train(before[1])
                if chosen is not None:
                    experiment.sampling = before[0]

    def _chosen(self, options):
        """The options with those that are given by name; None where a model has none."""
        if self.options is None:
            if options:
                raise OptionError(f"{next(iter(options))} is no option: {self.run.asked['topic']} samples without any")
            return None
        names = [field.name for field in dataclasses.fields(self.options)]
        hints = get_type_hints(type(self.options))
        for name, given in options.items():
            if name not in names:
                raise OptionError(f"{name} is no option of {self.run.asked['topic']}; {nearest(name, names)}")
            if not _is_of(given, hints[name]):
                raise OptionError(f"{name} is {given!r}; it must be {_words(hints[name])}")
        try:
            return dataclasses.replace(self.options, **options)
        except ValueError as error:
            raise OptionError(str(error)) from None

    def _autocast(self):
        half = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if half else None, enabled=half)

    def __repr__(self) -> str:
        topic, name = self.run.asked["topic"], self.run.asked["recipe"]
        return f"TrainedModel({topic} {name}, step {self.step}, on {self.device}, {str(self.dtype).removeprefix('torch.')})"

    def _repr_html_(self) -> str:
        counts = {name: sum(p.numel() for p in module.parameters()) for name, module in self.networks.items()}
        rows = {
            "recipe": f"{self.run.asked['topic']} {self.run.asked['recipe']}, step {self.step:,} of {self.recipe.steps:,}",
            "networks": ", ".join(f"{name} ({count:,} parameters)" for name, count in counts.items()) or "none",
            "computes": f"on {self.device}, in {str(self.dtype).removeprefix('torch.')}",
        }
        evaluation = self.run.folder / "evaluation.json"
        if evaluation.is_file():
            judged = json.loads(evaluation.read_text(encoding="utf-8"))
            rows[judged["metric"].replace("_", " ")] = f"{judged['value']:.4g} on held-out data"
        if self.options is not None:
            given = ", ".join(f"{field.name}={getattr(self.options, field.name)!r}" for field in dataclasses.fields(self.options))
            rows["sample(count, seed, ...)"] = given
        return table(rows)


def table(rows: dict[str, str]) -> str:
    """An HTML table of two columns."""
    cell = 'style="text-align: left; vertical-align: top; padding: 2px 12px 2px 0"'
    lines = (f"<tr><th {cell}>{escape(name)}</th><td {cell}>{escape(words)}</td></tr>" for name, words in rows.items())
    return f"<table>{''.join(lines)}</table>"


def _device(given):
    """The device that is given; without one, the accelerator if there is one."""
    if given is None:
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, TypeError, AssertionError) as error:
        raise OptionError(f"device is {given!r}, which cannot be used here: {str(error).splitlines()[0]}") from None
    return device


@contextlib.contextmanager
def _isolated(device: torch.device) -> Iterator[None]:
    """Inside, torch's defaults are those of a fresh process, and afterwards generators and defaults are what they were before."""
    dtype, devices = torch.get_default_dtype(), [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.device("cpu"):
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def _is_of(given, hint):
    """Whether a value has the type of an option: options are numbers, words, and tuples of them."""
    origin, within = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _is_of(given, within[0])
    if origin is Literal:
        return given in within
    if origin in (Union, UnionType):
        return any(_is_of(given, one) for one in within)
    if origin is tuple:
        kinds = [within[0]] * len(given) if isinstance(given, tuple) and within[1:] == (...,) else within
        return isinstance(given, tuple) and len(given) == len(kinds) and all(map(_is_of, given, kinds))
    number = isinstance(given, int | float) and not isinstance(given, bool)
    return number and (hint is float or isinstance(given, int)) if hint in (int, float) else isinstance(given, hint)


def _words(hint):
    """A type as a message names it."""
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_words, get_args(hint)))
    return {int: "an integer", float: "a number", str: "a text", bool: "True or False", type(None): "None"}.get(hint, str(hint))
