"""The objective of every experiment, stated a second time in tests/<family>/objective_<topic>.py.

Such a file computes the loss by functions with contracts, and defines OBJECTIVE. tests/training/test_objectives.py finds
it by its path and compares it with the experiment. A topic without the file has no phase that moves a parameter.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tests.support.topic_files import module_with, topics_with


@dataclass(frozen=True)
class Mistake:
    """owner.place replaced by `wrong`, which the topic's first recipe with these options must not survive."""

    owner: Any
    place: str
    wrong: Any
    options: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """The objective of an experiment, and further facts that a test cannot infer.

    loss(experiment, batch, phase) draws from the experiment's generator in the order of the experiment's own forward. It is None
    where no phase moves a parameter. A surrogate has the gradient of the experiment's loss, not its value. The dtype is float32
    where a network computes in float32 whatever torch's default is.

    No training step reads the options in `unread`: they configure the data, evaluations, previews and samples. `together` lists
    changes that are tried besides every other value of every option: options that a recipe accepts only together, or a value
    at which an option has an effect. An experiment without `draws` gives the same samples for every seed.
    `sizes` are the most that fields may be in tests where that is not tests/support/tiny.py's LIMIT, or the tuple in their place.
    Fields in `repeated` say how often the same is done, so that full size shows in the first time.
    A step of the recipes in `waits` reads from the device: a program on the host decides what is learned.
    """

    loss: Callable | None
    unread: Collection[str] = ()
    together: Sequence[Mapping] = ()
    surrogate: bool = False
    dtype: torch.dtype = torch.float64
    draws: bool = True
    sizes: Mapping[str, int | tuple] = field(default_factory=dict)
    repeated: Collection[str] = ()
    waits: Collection[str] = ()
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)


def objective_of(topic):
    """The topic's OBJECTIVE; one without a loss if it has no file."""
    return module_with("objective", topic).OBJECTIVE if topic in topics_with("objective") else Objective(None)


# ---------------------------------------------------------------------------------------------------- draws and data


def normal(e, *shape):
    return torch.randn(shape, generator=e.generator)


def uniform(e, *shape):
    return torch.rand(shape, generator=e.generator)


def pixels(e, batch):
    """Flat images, with the pixels that the recipe trains on: real, compared with a threshold, or drawn."""
    x = batch["image"].flatten(1)
    match getattr(e.recipe, "pixels", "threshold"):
        case "threshold":
            return (x > e.recipe.threshold).to(x.dtype)
        case "stochastic":
            return torch.bernoulli(x, generator=e.generator)
        case "real" | "gaussian":
            return x
