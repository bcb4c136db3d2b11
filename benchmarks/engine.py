"""What the training engine costs: the digits' VAE in the engine against the same network in a minimal hand-written loop.

    python -m benchmarks.engine [--epochs 240]

Both sides train the same network with the same loss, optimizer and batch size on one thread, step by step in turns: the loop by
hand takes a step whenever the engine is about to compute a loss, and each side is charged for its own time only. So a busy
neighbor disturbs both alike. The engine's side has all that it does from step to step: batches by number, the guard, rows of
metrics, progress, signals. It leaves out what the hand-written loop does not have at all: evaluation, previews, checkpoints.

The figure is the median, over blocks of 50 steps (a row of metrics each), of the ratio of process CPU time; wall time is beside
it. Result: benchmarks/results/engine.json.
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
BLOCK, WARM_UP = 50, 4  # steps; blocks that are not counted
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
RESULT = Path(__file__).parent / "results" / "engine.json"


def loop_by_hand(recipe, data):
    """The loop that one would write without an engine; yields after every step."""
    torch.manual_seed(recipe.seed)
    images = (data.batch()["image"].flatten(1) > recipe.threshold).float()
    network = VariationalAutoencoder(num_pixels=images.shape[1], hidden_dims=recipe.hidden_dims, latent_dim=recipe.latent_dim)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    while True:
        for indices in torch.randperm(len(images)).split(recipe.batch_size)[:-1]:  # all but the shorter last one
            x = images[indices]
            logits, mean, log_var = network(x, torch.randn(len(x), recipe.latent_dim))
            loss = negative_elbo(x, logits, mean, log_var).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield


class Alternating(VaeExperiment):
    """The experiment, which lets the other loop take a step before each of its own, and keeps the time of both."""

    def __init__(self, recipe, shape, other):
        super().__init__(recipe, shape)
        self.other, self.since = other, None
        self.seconds = {side: {kind: [] for kind in CLOCKS} for side in ("engine", "by_hand")}

    def forward(self, batch, phase):
        begun = self.read()
        next(self.other)
        ended = self.read()
        for kind in CLOCKS if self.since else ():
            self.seconds["engine"][kind].append(begun[kind] - self.since[kind])
            self.seconds["by_hand"][kind].append(ended[kind] - begun[kind])
        self.since = self.read()
        return super().forward(batch, phase)

    def read(self):
        return {kind: clock() for kind, clock in CLOCKS.items()}

    def evaluate(self, data):
        return {"negative_elbo": 0.0}

    def preview(self, data):
        return {}


def measure(recipe, data):
    """Seconds per block of steps, by side and clock."""
    torch.manual_seed(recipe.seed)
    experiment = Alternating(recipe, data[0].description["shape"], loop_by_hand(recipe, data[0]))
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", "latent/vae", "digits", recipe, data[0].description)
        bar = Bar("engine", recipe.steps, 0, Console(file=io.StringIO(), force_terminal=True))  # drawn, but not seen
        Training(run, recipe, experiment, *data, cpu=True).train(bar=bar)
    return {
        side: {
            kind: [sum(steps[i : i + BLOCK]) for i in range(WARM_UP * BLOCK, len(steps) - BLOCK + 1, BLOCK)]
            for kind, steps in kinds.items()
        }
        for side, kinds in experiment.seconds.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=240)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES["digits"]
    data = load_data(recipe)
    per_epoch = len(data[0]) // recipe.batch_size
    steps = arguments.epochs * per_epoch
    recipe = dataclasses.replace(recipe, steps=steps, log_every=BLOCK, evaluate_every=steps, checkpoint_every=steps)
    began = time.perf_counter()
    blocks = measure(recipe, data)
    ratios = {kind: [a / b for a, b in zip(blocks["engine"][kind], blocks["by_hand"][kind], strict=True)] for kind in CLOCKS}
    ratio = {kind: statistics.median(values) for kind, values in ratios.items()}
    quartiles = {kind: statistics.quantiles(values, n=4)[::2] for kind, values in ratios.items()}
    epoch = {
        side: {kind: statistics.median(values) / BLOCK * per_epoch for kind, values in kinds.items()}
        for side, kinds in blocks.items()
    }
    result = {
        "what": "seconds per epoch of the digits' VAE (64-128-8), engine against a hand-written loop, step by step in turns",
        "batch_size": recipe.batch_size,
        "steps_per_epoch": per_epoch,
        "epochs": arguments.epochs,
        "seconds_per_epoch": epoch,
        "ratio": ratio,
        "ratio_quartiles": quartiles,
        "blocks": len(ratios["cpu"]),
        "limit": LIMIT,
        "passed": ratio["cpu"] < LIMIT,
        "environment": environment(torch.device("cpu"), time.perf_counter() - began),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"{'seconds per epoch':20s}{'CPU':>10s}{'wall':>10s}")
    for side, kinds in epoch.items():
        print(f"{side.replace('_', ' '):20s}{kinds['cpu']:10.4f}{kinds['wall']:10.4f}")
    for kind, (low, high) in quartiles.items():
        print(f"engine / by hand in {kind} time: median {ratio[kind]:.3f}, quartiles {low:.3f} and {high:.3f}; limit {LIMIT}")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
