"""Samples of a run, one artifact for each."""

import sys

import torch

from practice_torch.commands.drawing import drawer
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError


def items_of(run, count, seed, cpu):
    """`count` samples of a run: images, sounds or texts. RunError if its model draws something else."""
    with drawer(run, seed, cpu, say=lambda line: print(f"warning: {line}", file=sys.stderr)) as (experiment, _):
        first = next((each for each in experiment.sample(count).values() if isinstance(each, ImageGrid | Audio | Text)), None)
        if isinstance(first, Text):
            return texts_of(experiment, count)
    if first is not None:
        return one_each(first)[:count]
    raise RunError(f"{run.folder}: {run.asked['topic']} draws no images, sounds or texts, which are what people compare")


def one_each(artifact):
    """An artifact for each image of a grid, or for each of several sounds; of other artifacts none."""
    if isinstance(artifact, ImageGrid):
        return [ImageGrid(image[None], 1) for image in artifact.images]
    if isinstance(artifact, Audio):
        return [Audio(sound, artifact.sample_rate) for sound in torch.atleast_2d(artifact.samples)]
    return []


def texts_of(experiment, count):
    """Texts one by one: several are one artifact."""
    return [Text(next(iter(experiment.sample(1).values())).text) for _ in range(count)]
