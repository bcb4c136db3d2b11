"""A recipe from its first step to its last, as a user trains it: DCGAN on 64 x 64 images, with evaluations and checkpoints.

The recipe `celeba` of adversarial/dcgan, 39,000 steps in bfloat16, compiled, on made-up JPEGs in a prepared folder, or on
`--data FOLDER`, prepared from CelebA: only there its metrics mean something. Kept are seconds, images a second, utilization and
the metrics, of the run's own environment.json and evaluation.json, and what `list --sizes` estimates for it.
"""

import contextlib
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.comparison import keep
from benchmarks.gpu.streaming import workers_of
from benchmarks.training import prepared_images
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.costs.sizes import sizes
from practice_torch.engine.loop import Training
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.adversarial import dcgan

TOPIC, NAME = "adversarial/dcgan", "celeba"
PICTURES = 200_000
TOY = dict.fromkeys(("steps", "evaluate_every", "checkpoint_every", "log_every"), 3)
TOY |= dict(batch_size=8, width=4, image_size=32, held_out=0.4, workers=1)


def made_up(folder, toy):
    """A prepared folder of pictures of CelebA's sides."""
    generator = np.random.default_rng(0)
    count, different = (80, 4) if toy else (PICTURES, prepared_images.PICTURES)
    encoded = list(prepared_images.pictures([(178, 218)] * different, generator))
    return prepared_images.prepared(folder, count, encoded, "pictures")[0]


def measure(card, data=None):
    """Returns the exit code."""
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        changes = TOY if card.toy else {"workers": workers_of(card)}
        path = data or made_up(folder, card.toy)
        recipe = dataclasses.replace(dcgan.RECIPES[NAME], data=str(path), placement="stream", target=None, **changes)
        sets = load_data(recipe)
        torch.manual_seed(recipe.seed)
        run = Run.create(folder / "run", TOPIC, NAME, recipe, sets[0].description)
        Training(run, recipe, dcgan.build(recipe, sets[0]), *sets, cpu=not card.on_gpu).train()
        known, verdict = (json.loads((run.folder / name).read_text()) for name in ("environment.json", "evaluation.json"))
    estimated = None if card.toy else sizes(dcgan, NAME).hours
    facts = {name: known[name] for name in ("throughput", "seconds", "peak_memory_bytes") if name in known}
    what = f"{TOPIC} {NAME}, {recipe.steps:,} steps of {recipe.batch_size} images, to its end"
    metrics = verdict["metrics"]
    keep(card, "whole_run", what, began, made_up=data is None, run=facts, metrics=metrics, estimated_hours=estimated)
    rate = known["throughput"]
    print(f"whole run: {what}: {known['seconds'] / 3600:.2g} hours, {rate['rate']:,.0f} {rate['unit']}")
    return 0
