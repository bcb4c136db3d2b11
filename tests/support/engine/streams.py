"""Rollouts on streamed data that tests/engine/test_engine_streaming.py starts in their own processes."""

import os
import signal
from dataclasses import replace
from pathlib import Path

from tests.support.engine.toys import RECIPE, Noisy, StreamedPoints, begin, resume

STREAMED = replace(RECIPE, placement="stream", workers=2)


def kill(_experiment, loss):
    os.kill(os.getpid(), signal.SIGKILL)
    return loss


def train(folder, step=None, again=False):
    """Train, or go on, in this process, which a step may kill."""
    folder = Path(folder)
    readers = folder.parent / "readers"
    readers.mkdir(exist_ok=True)
    data = StreamedPoints(StreamedPoints.drawn().points, readers)
    at = {step: kill} if step else None
    (resume if again else begin)(folder / "run", at, recipe=STREAMED, data=data).train()


class IndexRecorder(Noisy):
    """Keeps the indices of the examples that it is trained on."""

    def __init__(self):
        super().__init__()
        self.indices = []

    def forward(self, batch, phase):
        if self.training:
            self.indices.append(batch["index"].tolist())
        return super().forward({"point": batch["point"]}, phase)


def examples(folder):
    """The indices of the examples of each step, in this process."""
    recipe = replace(STREAMED, steps=6, batch_size=8, evaluate_every=6)
    training = begin(Path(folder) / "run", make=IndexRecorder, recipe=recipe, data=StreamedPoints.drawn())
    training.train()
    return training.experiment.indices
