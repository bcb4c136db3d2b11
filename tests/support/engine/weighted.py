"""The programs of the processes in tests/engine/test_engine_processes.py.

Train toys, one with batches of different weights, one with code vectors, one of two players and one with a shared evaluation,
and a recipe with downloaded data; record which process downloads when.
"""

import os
import time
from pathlib import Path

import torch

from practice_torch.__main__ import main
from practice_torch.data import images
from practice_torch.engine import evaluation
from practice_torch.engine.errors import RunError
from practice_torch.experiments.codes.image_codes import follow
from tests.engine.test_engine_updates import Weighted, changed
from tests.support.engine.toys import Coded, Players, Sharing, Weighing, begin


def train(folder):
    """A toy with weights, a toy that shares its evaluation, then the recipe. Records the second's draws and error messages."""
    folder = Path(folder)
    begin(folder / "toy", make=Weighted, recipe=changed(batch_size=12, accumulate=2)).train()
    coded = begin(folder / "coded", make=Coded, recipe=changed(batch_size=24))
    coded.train()
    begin(folder / "players", make=Players, recipe=changed(batch_size=24)).train()
    shared = share(folder / "shared") | {"restarted": restarted(coded.experiment)}
    download(folder)
    print("judged:")
    assert main(["evaluate", str(folder / "vae"), "--samples", "21", "--cpu"]) == 0
    return shared


def restarted(toy):
    """The codes after a step in which all are rare: vectors of the ranks, which hold their own number."""
    toy.recipe.restart_below = 100.0
    z = torch.full((6, 3), float(toy.whole_batch.rank), dtype=torch.float64)
    follow(toy, z, torch.zeros(6, dtype=torch.int64))
    return toy.codebook.tolist()


def share(folder):
    """Metrics, samples of this process, and its message if a process fails in a preview and in an evaluation."""
    folder = Path(folder)
    weighed = begin(folder.with_name("weighing"), make=Weighing).train()
    training, said = begin(folder, make=Sharing), []
    metrics, toy = training.train(), training.experiment
    drawn = list(toy.drawn)
    toy.fails = {1: ValueError("no paper")}
    evaluation.preview(training, said.append)  # and all go on
    for fails in ({training.processes.count - 1: RunError("no ink")}, {0: MemoryError("no room")}):
        toy.fails = fails
        try:
            training.evaluate()
        except (RunError, MemoryError) as error:
            said.append(f"{type(error).__name__}: {error}")
    return {"weighed": weighed, "metrics": metrics, "drawn": drawn, "said": said}


def download(folder):
    """Train on data that stand for torchvision's: each process notes when it begins and ends to download them."""

    def slowly(name, _cache):
        for word in ("begins", "ends"):
            with open(folder / "downloads.txt", "a") as file:
                file.write(f"{os.environ['RANK']} {word}\n")
            time.sleep(0.2)
        digits = images._digits()
        return digits, digits

    images._from_torchvision = slowly
    assert main(["train", "latent/vae", "mnist", "--run", str(folder / "vae"), "--steps", "1", "--samples", "2", "--cpu"]) == 0
