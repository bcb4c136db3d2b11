"""What share of the training is spent on getting batches: for one recipe of every modality, in the engine's own loop.

    python -m benchmarks.training.data_loading [--steps 100] [--also TOPIC RECIPE DATA ...]

Nothing is compared here: the engine's seconds from step to step are measured, and those of them in which a batch was being made.
Data is decoded once, before the first step, and batches are cut from memory; so the seconds of that first reading are shown too.
Result: benchmarks/results/data_loading.json.
"""

import argparse
import dataclasses
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measuring.turns import RESULTS
from practice_torch.engine.batches.datasets import load_data
from practice_torch.engine.costs.environment import environment
from practice_torch.engine.loop import Training
from practice_torch.engine.progress import Bar
from practice_torch.engine.storage.run import Run

EMBEDDED = (
    ("latent/vae", "digits"),
    ("adversarial/gan", "eight_gaussians"),
    ("autoregressive/transformer", "pydoc"),
    ("autoregressive/wavenet", "notes"),
    ("diffusion/training", "digits"),
)
GOAL = 0.05  # of the seconds of training


class Timed:
    """Batches, and the seconds that getting them took."""

    def __init__(self, batches):
        self.batches, self.seconds = batches, 0.0

    def __getitem__(self, number):
        began = time.perf_counter()
        batch = self.batches[number]
        self.seconds += time.perf_counter() - began
        return batch

    def close(self):
        self.batches.close()


def measure(topic, name, steps, source=None):
    """Seconds of reading, of all steps, and of getting batches within them."""
    module = importlib.import_module(f"practice_torch.experiments.{topic.replace('/', '.')}")
    recipe = module.RECIPES[name]
    more = {"data": source} if source else {}
    changes = {"steps": steps, "warmup_steps": 0, "evaluate_every": steps, "checkpoint_every": steps, "precision": "float32"}
    recipe = dataclasses.replace(recipe, **changes, **more)
    began = time.perf_counter()
    data = load_data(recipe)
    reading = time.perf_counter() - began
    torch.manual_seed(recipe.seed)
    experiment = module.build(recipe, data[0])
    experiment.evaluate, experiment.preview = lambda data: {recipe.metric: 0.0}, lambda data: {}
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", topic, name, recipe, data[0].description)
        training = Training(run, recipe, experiment, *data, cpu=True)
        training.batches = Timed(training.batches)
        training.train(bar=Bar("data", steps, 0, quiet=True))
    return {"reading": reading, "steps": training.seconds, "batches": training.batches.seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--also", nargs=3, action="append", default=[], metavar=("TOPIC", "RECIPE", "DATA"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, measured = time.perf_counter(), {}
    print(f"{arguments.steps} steps of training on one thread: the share that getting batches takes, goal below {GOAL:.0%}")
    for topic, name, *source in (*EMBEDDED, *arguments.also):
        seconds = measure(topic, name, arguments.steps, *source)
        share = seconds["batches"] / seconds["steps"]
        measured[f"{topic} {name}"] = seconds | {"share": share}
        print(
            f"  {topic + ' ' + name:40s}{1e3 * seconds['steps'] / arguments.steps:8.2f} ms a step, {share:7.3%} for its batch "
            f"{'' if share < GOAL else 'MISSED'}; data read in {seconds['reading']:.2f} s"
        )
    result = {"steps": arguments.steps, "goal": GOAL, "measured": measured}
    result["environment"] = environment(torch.device("cpu"), time.perf_counter() - began)
    (RESULTS / "data_loading.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(each["share"] < GOAL for each in measured.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
