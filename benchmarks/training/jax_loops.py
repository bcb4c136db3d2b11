"""The trainings in JAX (lecture 20) against the engine: the same networks, losses, optimizers and batch sizes, on one core.

    python -m benchmarks.training.jax_loops [--blocks 40]

A block of steps of the engine and one of JAX take turns (measuring/alternation.py describes the accounting). A block is an
epoch in one compiled scan; of the diffusion model, whose convolutions a CPU computes slowly in a scan, one call for each step.
Compilation is in the turns that are not counted. Results: benchmarks/results/jax_loops_{vae,gan,diffusion}.json.
"""

import argparse
import dataclasses
import os
import sys
import time
from importlib import import_module

import torch

from benchmarks.measuring.alternation import WARM_UP, alternate
from benchmarks.measuring.turns import conclude
from practice_torch.engine.batches.datasets import load_data

LOOPS = {  # name -> topic, recipe, steps of a block
    "vae": ("latent/vae", "digits", 22),
    "gan": ("adversarial/gan", "eight_gaussians", 51),
    "diffusion": ("diffusion/training", "digits", 4),
}


def in_jax(topic, name, block):
    """A generator that yields after each step; all steps of a block are taken at the first of them."""
    import jax
    from flax import nnx

    from theory_jax.experiments.loop import batches, epoch, epoch_in_steps

    module = import_module(f"theory_jax.experiments.{topic.replace('/', '.')}")
    recipe = module.RECIPES[name]
    examples, _ = module.data(recipe)
    training = module.begin(recipe, 10**6, examples, nnx.Rngs(0))
    run = epoch_in_steps if training.convolves else epoch
    state, number, count = training.start(training.weights), 0, len(jax.tree.leaves(examples)[0])
    while True:
        of_order, of_noise = jax.random.split(jax.random.fold_in(jax.random.key(0), number))
        indices = batches(of_order, count, recipe.batch_size)[:block]
        state, losses = run(training.update, state, examples, indices, training.noise(of_noise, block))
        jax.block_until_ready((state, losses))
        number += 1
        for _ in range(block):
            yield


def measure(name, blocks):
    """The exit code of one comparison."""
    topic, recipe_name, block = LOOPS[name]
    began = time.perf_counter()
    module = import_module(f"practice_torch.experiments.{topic.replace('/', '.')}")
    recipe = dataclasses.replace(module.RECIPES[recipe_name], steps=block * (blocks + WARM_UP + 1))
    data = load_data(recipe)
    torch.manual_seed(recipe.seed)
    experiment = module.build(recipe, data[0])
    seconds = alternate(topic, recipe_name, recipe, experiment, data, {"JAX": in_jax(topic, recipe_name, block)}, block=block)
    what = f"{block} steps of {topic} {recipe_name} (batches of {recipe.batch_size}) on one core"
    return conclude(f"jax_loops_{name}", what, seconds, ours="engine", began=began, unit=(block, "steps"), blocks=blocks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=40)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # both sides; before JAX starts its threads
    torch.set_num_threads(1)
    return max(measure(name, arguments.blocks) for name in LOOPS)


if __name__ == "__main__":
    sys.exit(main())
