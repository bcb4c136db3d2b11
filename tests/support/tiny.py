"""Every recipe in small: its networks' sizes cut down, and random data of its modality. It builds in milliseconds."""

import dataclasses
from dataclasses import dataclass

import torch

from practice_torch.engine.batches.datasets import NoData
from tests.support.objectives import objective_of
from tests.support.small_recipes import module_of, names, stand_ins_of

# The most that a field may be that several topics have; those of one topic are in its own file (`sizes` of its OBJECTIVE). Any
# other field stays as the recipe has it.
LIMITS = {
    "answers": 2, "base_channels": 4, "batch_size": 32, "blocks": 1, "chain_steps": 3, "classifier_hidden": 8, "codes": 3,
    "completion": 6, "context": 8, "copies": 8, "fakes": 8, "frequencies": 4, "halvings": 1, "heads": 2, "hidden": 8,
    "horizon": 16, "iterations": 3, "judged": 8, "judged_steps": 3, "latent": 4, "latent_dim": 3, "layers": 2, "length": 32,
    "levels": 16, "merges": 3, "num_steps": 12, "points": 64, "prompt": 5, "sampling_steps": 3, "shown_steps": 3, "steps": 2,
    "symbols": 5, "time_limit": 16, "warmup_steps": 1, "width": 16,
}  # fmt: skip
COUNT = 6
CLASSES = ["a", "b", "c"]


def recipes():
    """(topic, name, small recipe) of every recipe of the practice wing."""
    for topic, name in names():
        yield topic, name, small(module_of(topic).RECIPES[name])


def small(recipe, **changes):
    """The recipe with every size at most its limit; a U-Net keeps two levels, and attends at the lower."""
    fields = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    limits = LIMITS | objective_of(topic_of(recipe)).sizes
    cut = {name: min(value, limits[name]) for name, value in fields.items() if type(value) is int and name in limits}
    cut |= {name: size for name, size in limits.items() if type(size) is tuple and fields.get(name)}
    if "hidden_dims" in fields:
        cut["hidden_dims"] = (9, 8)[: len(fields["hidden_dims"])]
    if fields.get("channels"):
        cut["channels"] = (4, 6)
    if "multipliers" in fields:
        side = cut["length"] if recipe.modality == "audio" else 8 >> cut.get("halvings", 0)
        cut |= {"multipliers": (1, 2), "attention_at": (side // 2,) if fields["attention_at"] else ()}
    return dataclasses.replace(recipe, **cut | changes)


def topic_of(recipe):
    """The topic whose experiment defines the recipe's class."""
    return "/".join(type(recipe).__module__.split(".")[-2:])


def built(topic, recipe, seed=0):
    """The experiment for random data, in train mode, and a batch of these. seed None: torch's generator stays as it is."""
    if seed is not None:
        torch.manual_seed(seed)
    data = data_of(recipe)
    experiment = module_of(topic).build(recipe, data)
    experiment.generator = torch.Generator().manual_seed(seed or 0)
    return experiment.train(), data.batch()


def data_of(recipe):
    """Random examples of the recipe's modality; none of a recipe without data."""
    return NoData() if recipe.modality is None else Random(recipe)


@dataclass
class Random:
    """Stands for a data set of the recipe's modality: a few random examples, and their description."""

    recipe: object

    @property
    def description(self):
        return {"name": self.recipe.data, "classes": CLASSES, "count": COUNT, "sha256": "0"} | self._stand_in()[0]

    def __len__(self):
        return COUNT

    def batch(self, indices=slice(None)):
        generator = torch.Generator().manual_seed(3)
        return {name: draw(generator)[indices] for name, draw in self._stand_in()[1].items()}

    def _stand_in(self):
        return stand_ins_of(self.recipe).stand_in(self.recipe, COUNT, CLASSES)
