"""Samples of a run, one artifact for each."""

import sys

import torch

from practice_torch.commands.drawing import drawer
from practice_torch.engine.artifacts import Audio, ImageGrid, Text
from practice_torch.engine.errors import RunError


def items_of(run, count, seed, cpu):
    """`count` samples of a run: images, sounds or texts. RunError if its model draws something else."""
    with drawer(run, seed, cpu, say=lambda line: print(f"warning: {line}", file=sys.stderr)) as experiment:
        first = next((each for each in experiment.sample(count).values() if isinstance(each, ImageGrid | Audio | Text)), None)
        if isinstance(first, Text):  # several texts are one artifact
            return [Text(next(iter(experiment.sample(1).values())).text) for _ in range(count)]
    if isinstance(first, ImageGrid):
        return [ImageGrid(image[None], 1) for image in first.images[:count]]
    if isinstance(first, Audio):
        return [Audio(sound, first.sample_rate) for sound in torch.atleast_2d(first.samples)[:count]]
    raise RunError(f"{run.folder}: {run.asked['topic']} draws no images, sounds or texts, which are what people compare")
