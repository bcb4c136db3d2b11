"""Data sets that hold no data: the description and the batches that a loader would give, with nothing read and nothing drawn.

On fake tensors a step of a recipe is measured with them (engine/sizes.py). `facts` are what only the data can tell: the shape of
images, the names of classes, the size of a vocabulary.
"""

import string
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from practice_torch.data.galaxies import PROPERTIES, SIMULATED
from practice_torch.data.notes import FREQUENCIES, PITCHES
from practice_torch.data.pairs import PASSAGE
from practice_torch.data.points import MIXTURES
from practice_torch.data.squares import FACTORS, SIDE

# of the sets that are known by name: shape, number of classes, examples to train on
IMAGES = {
    "digits": ([1, 8, 8], 10, 1438),
    "squares": ([1, SIDE, SIDE], 0, 676),
    "mnist": ([1, 28, 28], 10, 60_000),
    "fashion_mnist": ([1, 28, 28], 10, 60_000),
    "kmnist": ([1, 28, 28], 10, 60_000),
    "cifar10": ([3, 32, 32], 10, 50_000),
    "cifar100": ([3, 32, 32], 100, 50_000),
}
OF_GPT2 = 50_257  # tokens of the encoding that stands for all but bytes
PYDOC = 500_000  # characters of Python's help pages, about: they differ between versions
MANY = 2**20  # examples of any other data: more than a batch


@dataclass(frozen=True)
class Blank:
    """What is known of a data set, and the form of its batches."""

    description: Mapping[str, Any]
    form: Callable[[int], dict[str, torch.Tensor]]

    def __len__(self):
        return self.description["count"]

    def batch(self, indices):
        """As many examples as there are indices; their values are arbitrary."""
        return self.form(len(indices))


def blank(modality, name, facts, **loading):
    """The training part of the data set of this modality and name, loaded with these arguments."""
    known, form = _MODALITIES[modality](name, facts, loading)
    return Blank({"name": name, "split": "train", "count": MANY, "classes": None, "sha256": "", **known, **facts}, form)


def _images(name, facts, loading):
    side = loading.get("image_size")
    shape, classes, count = IMAGES.get(name, ([3, side, side], 0, MANY))
    shape = facts.get("shape", shape)
    known = {"shape": shape, "classes": [str(label) for label in range(classes)] or None, "count": count}
    if name == "squares":
        known["factors"] = FACTORS
    return known, lambda count: {"image": torch.zeros(count, *shape)} | _labels(known | facts, count)


def _audio(name, facts, loading):
    shape = [1, loading["length"]]
    known = {"shape": shape, "sample_rate": loading["sample_rate"]}
    if name == "notes":
        known |= {"classes": list(PITCHES), "frequencies": list(FREQUENCIES)}
    return known, lambda count: {"audio": torch.zeros(count, *shape)} | _labels(known | facts, count)


def _labels(description, count):
    return {"label": torch.zeros(count, dtype=torch.int64)} if description.get("classes") else {}


def _text(name, facts, loading):
    context, level, learn = loading["context"], loading["level"], loading.get("learn")
    characters = string.printable if level == "character" else None
    size = len(characters) + 1 if characters else 256 + (learn.keywords["merges"] if learn else 0)
    known = {"shape": [context + 1], "level": level, "vocabulary": size, "characters": characters, "tokens": PYDOC}
    if name == "pydoc":
        known["count"] = PYDOC - context
    return known, lambda count: {"tokens": torch.zeros(count, context + 1, dtype=torch.int64)}


def _points(name, facts, loading):
    mixture = {"mixture": asdict(MIXTURES[name])} if name in MIXTURES else {}
    size = len(MIXTURES[name].means[0]) if mixture else 2
    return {"shape": [size], "count": loading.get("count", MANY), **mixture}, lambda count: {"point": torch.zeros(count, size)}


def _symbols(name, facts, loading):
    length = loading["length"]
    known = {"shape": [length], "symbols": loading["symbols"]}
    return known, lambda count: {"symbols": torch.zeros(count, length, dtype=torch.int64)}


def _pairs(name, facts, loading):
    length = min(2 * PASSAGE + 1, loading["context"]) if name == "pydoc" else loading["context"]
    library, size = ("bytes", 256) if loading["tokens"] == "bytes" else ("tiktoken", OF_GPT2)
    known = {"shape": [2, length], "vocabulary": size, "tokenizer": {"library": library}}

    def form(count):
        places = torch.ones(count, dtype=torch.int64)
        return {
            "tokens": torch.zeros(count, 2, length, dtype=torch.int64),
            "prompt": places,
            "length": length * places[:, None].expand(-1, 2),
        }

    return known, form


def _galaxies(name, facts, loading):
    simulated, side = name == SIMULATED, loading["image_size"] or loading["side"]
    shape = [1 if simulated else 3, side, side]
    known = {"shape": shape, "simulated": simulated, "properties": dict.fromkeys(PROPERTIES, [0.0, 1.0])}
    if simulated:
        known["count"] = loading["count"]

    def form(count):
        image = {} if simulated else {"image": torch.zeros(count, *shape)}
        return {"properties": torch.zeros(count, len(PROPERTIES))} | image

    return known, form


_MODALITIES = {
    "images": _images,
    "audio": _audio,
    "text": _text,
    "points": _points,
    "symbols": _symbols,
    "pairs": _pairs,
    "galaxies": _galaxies,
}
