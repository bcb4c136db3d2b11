"""What the training engine costs: the digits' VAE in the engine against the same network in a minimal hand-written loop.

    python -m benchmarks.training.engine [--epochs 240]

Both sides train the same network with the same loss, optimizer and batch size on one thread, step by step in turns
(measuring/alternation.py describes the accounting). A turn is a block of 50 steps, a row of metrics each.
Result: benchmarks/results/engine.json.
"""

import argparse
import dataclasses
import sys
import time

import torch

from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import conclude
from practice_torch.engine.batches.datasets import load_data
from practice_torch.experiments.latent.vae import RECIPES, build
from practice_torch.latent.vae import VariationalAutoencoder, negative_elbo

BLOCK = 50


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=240)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, recipe = time.perf_counter(), RECIPES["digits"]
    data = load_data(recipe)
    recipe = dataclasses.replace(recipe, steps=arguments.epochs * (len(data[0]) // recipe.batch_size))
    torch.manual_seed(recipe.seed)
    experiment = build(recipe, data[0])
    loops = {"by hand": loop_by_hand(recipe, data[0])}
    seconds = alternate("latent/vae", "digits", recipe, experiment, data, loops, block=BLOCK)
    return conclude(
        "engine",
        f"{BLOCK} steps of the digits' VAE (64-128-8, batches of {recipe.batch_size})",
        seconds,
        ours="engine",
        began=began,
        unit=(BLOCK, "steps"),
        epochs=arguments.epochs,
    )


if __name__ == "__main__":
    sys.exit(main())
