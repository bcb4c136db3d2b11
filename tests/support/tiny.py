"""Every recipe in small: its networks' sizes cut down, and random data of its modality. It builds in milliseconds."""

import dataclasses
from dataclasses import dataclass

import torch

from practice_torch.data.galaxies import PROPERTIES
from practice_torch.data.points import MIXTURES
from tests.support.objectives import objective_of
from tests.support.small_recipes import module_of, names

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
    data = Random(recipe)
    experiment = module_of(topic).build(recipe, data)
    experiment.generator = torch.Generator().manual_seed(seed or 0)
    return experiment.train(), data.batch()


@dataclass
class Random:
    """Stands for a data set of the recipe's modality: a few random examples, and what is said of them."""

    recipe: object

    @property
    def description(self):
        return {"name": self.recipe.data, "classes": CLASSES, "count": COUNT, "sha256": "0"} | self._of(self.recipe.modality)[0]

    def __len__(self):
        return COUNT

    def batch(self, indices=slice(None)):
        draws = torch.Generator().manual_seed(3)
        return {name: draw(draws)[indices] for name, draw in self._of(self.recipe.modality)[1].items()}

    def _of(self, modality):
        recipe = self.recipe
        labels = {"label": lambda draws: torch.arange(COUNT) % len(CLASSES)}
        match modality:
            case "images":
                image = {"image": lambda draws: torch.rand(COUNT, 1, 8, 8, generator=draws)}
                if recipe.data == "squares":
                    factors = {"factors": lambda draws: torch.arange(COUNT)[:, None] % torch.tensor([2, 3])}
                    return {"shape": [1, 8, 8], "classes": None, "factors": {"column": 2, "row": 3}}, image | factors
                return {"shape": [1, 8, 8]}, image | labels
            case "audio":
                shape = [1, recipe.length]
                description = {"shape": shape, "sample_rate": recipe.sample_rate, "frequencies": [220.0, 330.0, 440.0]}
                return description, {"audio": lambda draws: 2 * torch.rand(COUNT, *shape, generator=draws) - 1, **labels}
            case "points":
                mixture = dataclasses.asdict(MIXTURES[recipe.data]) if recipe.data in MIXTURES else None
                shape = [len(mixture["means"][0]) if mixture else 2]
                description = {"shape": shape, "classes": None} | ({"mixture": mixture} if mixture else {})
                return description, {"point": lambda draws: torch.randn(COUNT, *shape, generator=draws)}
            case "galaxies":
                simulated = recipe.data == "galaxies"
                shape, images = [1, 8, 8], {"image": lambda draws: torch.rand(COUNT, 1, 8, 8, generator=draws)}
                known = {"simulated": simulated, "properties": dict.fromkeys(PROPERTIES, [0.5, 0.2]), "classes": None}
                return {"shape": shape} | known, {
                    "properties": lambda draws: 0.7 * torch.rand(COUNT, len(PROPERTIES), generator=draws) + 0.5 * torch.eye(5)[2],
                } | ({} if simulated else images)
            case "symbols":
                shape = [recipe.length]
                return {"shape": shape, "symbols": recipe.symbols, "classes": None}, {
                    "symbols": lambda draws: torch.randint(recipe.symbols, (COUNT, *shape), generator=draws)
                }
            case "pairs":
                shape, lengths = [2, recipe.context], torch.tensor([[recipe.context, recipe.context - 1]]).expand(COUNT, -1)
                description = {"shape": shape, "vocabulary": 256, "tokenizer": {"library": "bytes"}, "classes": None}
                return description, {
                    "tokens": lambda draws: torch.randint(256, (COUNT, *shape), generator=draws),
                    "prompt": lambda draws: torch.arange(COUNT) % 3 + 1, "length": lambda draws: lengths,
                }  # fmt: skip
            case "text":
                how = recipe.loading()
                characters = "abcdefg" if how["level"] == "character" else None
                vocabulary = len(characters) + 1 if characters else 256 + getattr(recipe, "merges", 0)
                shape, tokens = [how["context"] + 1], COUNT * (how["context"] + 1)
                description = {"shape": shape, "characters": characters, "vocabulary": vocabulary, "tokens": tokens}
                return description | {"level": how["level"], "classes": None}, {
                    "tokens": lambda draws: torch.randint(vocabulary, (COUNT, *shape), generator=draws)
                }
