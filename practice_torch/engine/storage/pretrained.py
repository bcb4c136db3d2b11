"""Published architectures whose weights a topic's networks take, and in whose layout they leave.

A topic declares them next to its RECIPES: PRETRAINED = {model_type of config.json, or diffusers' _class_name: an instance of
Pretrained}. The commands `import` and `export` find them there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from practice_torch.engine.batches.data import Data
from practice_torch.engine.recipe import Recipe


class Opened(NamedTuple):
    """What a published folder says of its model, before its weights are read."""

    fields: Mapping[str, Any]  # of the recipe: sizes and forms of the network
    data: Data  # the description from which the experiment is built, and a tokenizer as its `vocabulary`
    facts: Mapping[str, str]  # printed: the tokenizer, for example


class Published(NamedTuple):
    """What `export` writes of an experiment whose network is that of another topic, such as a tuned language model.

    A topic with such experiments has a function as_language_model(recipe, experiment, description) -> Published or None.
    """

    entry: "Pretrained"  # its `network` is the attribute of this experiment
    recipe: Recipe  # of the topic that declares the architecture
    description: Mapping[str, Any]  # of the data, as that topic has it
    state: Mapping[str, Tensor]  # the parameters of the network


class Pretrained(Protocol):
    """One architecture."""

    recipe: str  # of RECIPES, whose class has the sizes of the network
    network: str  # the attribute of the experiment that has the weights
    stem: str  # what the files of the weights are called
    tuning: Mapping[str, Any]  # fields of the engine, for a training that begins from the weights

    def open(self, folder: Path) -> Opened:
        """The model of a folder. DataError for what is not there, or is not computed here."""

    def ours(self, opened: Opened, tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        """Its tensors as the parameters of the network, {name: tensor}, which have these shapes; DataError unless all fit."""

    def theirs(self, recipe: Recipe, description: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters of the network by their names; DataError or RunError where the layout has no place for them."""

    def files(self, recipe: Recipe, description: Mapping[str, Any], dtype: str) -> dict[str, Any]:
        """{name: content as JSON} of the files next to the weights: config.json, generation_config.json."""
