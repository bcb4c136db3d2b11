"""What each of several processes does in tests/test_engine_processes.py.

A toy is trained whose batches have different weights; and a recipe whose data are downloaded: who does so when is written down.
"""

import os
import time
from pathlib import Path

from practice_torch.__main__ import main
from practice_torch.data import images
from tests.engine_toys import begin
from tests.test_engine_updates import Weighted, changed


def train(folder):
    """A toy with weights, and then the recipe."""
    begin(Path(folder) / "toy", make=Weighted, recipe=changed(batch_size=12, accumulate=2)).train()
    download(Path(folder))


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

