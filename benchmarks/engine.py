"""What the training engine costs: the digits' VAE in the engine against the same network in a minimal hand-written loop.

    python -m benchmarks.engine [--epochs 5] [--repeats 61]

Both sides train the same network with the same loss, optimizer and batch size on the same thread, in turns. The engine's side
includes all that it does between the first step and the last: batches by number, the guard, rows of metrics, progress, signals.
It leaves out what the hand-written loop does not have at all: evaluation, previews, checkpoints. The two take many short turns,
each beside the other, and the figure is the median of the turns' ratios, in process CPU time (a busy neighbor inflates wall time,
which is given too). Result: benchmarks/results/engine.json.
"""

import argparse
import dataclasses
import io
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console

from practice_torch.engine.datasets import load_data
from practice_torch.engine.environment import environment
from practice_torch.engine.loop import Training
from practice_torch.engine.progress import Bar
from practice_torch.engine.run import Run
from practice_torch.latent.vae import RECIPES, VaeExperiment, VariationalAutoencoder, negative_elbo

LIMIT = 1.05
RESULT = Path(__file__).parent / "results" / "engine.json"


class Clock:
    """Wall and process CPU seconds between start and stop."""

    def start(self):
        self._begun = time.perf_counter(), time.process_time()

    def stop(self):
        self.wall, self.cpu = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]


class Timed(VaeExperiment):
    """The experiment, with a clock that the engine starts by switching to training and stops by asking for an evaluation."""

    def train(self, mode=True):
        if mode and hasattr(self, "clock"):
            self.clock.start()
        return super().train(mode)

    def evaluate(self, data):
        self.clock.stop()
        return {"negative_elbo": 0.0}

    def preview(self, data):
        return {}


def engine(recipe, data, clock):
    """The engine's seconds."""
    torch.manual_seed(recipe.seed)
    experiment = Timed(recipe, data[0].description["shape"])
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", "latent/vae", "digits", recipe, data[0].description)
        training = Training(run, recipe, experiment, *data, cpu=True)
        experiment.clock = clock
        bar = Bar("engine", recipe.steps, 0, Console(file=io.StringIO(), force_terminal=True))  # drawn, but not seen
        training.train(bar=bar)


def by_hand(recipe, data, clock):
    """The loop that one would write without an engine."""
    torch.manual_seed(recipe.seed)
    images = (data[0].batch()["image"].flatten(1) > recipe.threshold).float()
    network = VariationalAutoencoder(num_pixels=64, hidden_dims=recipe.hidden_dims, latent_dim=recipe.latent_dim)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    clock.start()
    step = 0
    while step < recipe.steps:
        for indices in torch.randperm(len(images)).split(recipe.batch_size)[:-1]:  # all but the shorter last one
            x = images[indices]
            logits, mean, log_var = network(x, torch.randn(len(x), recipe.latent_dim))
            loss = negative_elbo(x, logits, mean, log_var).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    clock.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=61)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES["digits"]
    data = load_data(recipe)
    per_epoch = len(data[0]) // recipe.batch_size
    steps = arguments.epochs * per_epoch
    recipe = dataclasses.replace(recipe, steps=steps, evaluate_every=steps, checkpoint_every=steps)
    sides = {"engine": engine, "by_hand": by_hand}
    times = {name: {"wall": [], "cpu": []} for name in sides}
    for repeat in range(arguments.repeats + 1):
        # whoever comes first alternates, so that neither always finds the warmer cache
        for name in list(sides)[:: 1 if repeat % 2 else -1]:
            clock = Clock()
            sides[name](recipe, data, clock)
            if repeat:  # the first one warms up
                times[name]["wall"].append(clock.wall / arguments.epochs)
                times[name]["cpu"].append(clock.cpu / arguments.epochs)
    medians = {name: {kind: statistics.median(values) for kind, values in kinds.items()} for name, kinds in times.items()}
    turns = {kind: [a / b for a, b in zip(*(times[name][kind] for name in sides), strict=True)] for kind in ("cpu", "wall")}
    ratios = {kind: statistics.median(values) for kind, values in turns.items()}
    quartiles = {kind: statistics.quantiles(values, n=4)[::2] for kind, values in turns.items()}
    result = {
        "what": "seconds per epoch of the digits' VAE (64-128-8), engine against a hand-written loop",
        "batch_size": recipe.batch_size,
        "steps_per_epoch": per_epoch,
        "epochs": arguments.epochs,
        "repeats": arguments.repeats,
        "seconds_per_epoch": times,
        "medians": medians,
        "ratio": ratios,
        "ratio_quartiles": quartiles,
        "limit": LIMIT,
        "passed": ratios["cpu"] < LIMIT,
        "environment": environment(torch.device("cpu"), sum(sum(kinds["wall"]) for kinds in times.values()) * arguments.epochs),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print("seconds per epoch      CPU time          wall time")
    for name, kinds in times.items():
        ms = {kind: [1e3 * value for value in values] for kind, values in kinds.items()}
        cells = [f"{statistics.median(ms[k]):6.2f} ms ({min(ms[k]):.2f}-{max(ms[k]):.2f})" for k in ("cpu", "wall")]
        print(f"{name:12s} {'  '.join(cells)}")
    words = [f"{ratios[kind]:.3f} ({low:.3f}-{high:.3f}) in {kind} time" for kind, (low, high) in quartiles.items()]
    print(f"engine / by hand, median and quartiles of {arguments.repeats} turns: {', '.join(words)}; limit {LIMIT}")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
