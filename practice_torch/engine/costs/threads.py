"""The number of CPU threads of a training run: at most as many as its steps can use."""

import copy
import os

import torch

from practice_torch.engine.batches.data import Data
from practice_torch.engine.experiment import Experiment
from practice_torch.engine.recipe import Recipe

# The work of a forward pass that keeps one thread busy. Measured on 2 cores, 14 recipes: below 300 million operations (8 of them)
# a second thread made a step at most 1.34 times as fast, and four no faster; above, 1.2 to 1.8 times. Where other processes use
# the cores, two threads make every step 4 to 50 times as slow as one, since each operation waits for a thread that does not run.
WORK_OF_A_THREAD = 150e6


def take_threads(experiment: Experiment, data: Data, recipe: Recipe) -> None:
    """Set torch's number of threads for this experiment, unless OMP_NUM_THREADS is set.

    The number determines the order of summation, and so the last bits of a result. It therefore depends on recipe and machine
    alone, never on a clock. It is only ever lowered: torch starts with one thread per core, or with the user's setting.
    """
    counting = not any(phase.moves for phase in experiment.phases)  # is no product of matrices: nothing is known of it here
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > 1 and not counting:
        busy = int(work(experiment, data, recipe) / WORK_OF_A_THREAD)
        torch.set_num_threads(max(1, min(torch.get_num_threads(), busy)))


def work(experiment: Experiment, data: Data, recipe: Recipe) -> int:
    """Number of multiplications and additions in a forward pass of every phase that is trained by gradients."""
    from torch.utils.flop_counter import FlopCounterMode

    experiment = copy.deepcopy(experiment)
    experiment.generator = torch.Generator().manual_seed(0)
    batch = data.batch(torch.arange(min(recipe.batch_size, len(data))))
    with torch.random.fork_rng(devices=()), torch.no_grad(), FlopCounterMode(display=False) as counter:
        for phase in experiment.phases:
            if phase.moves:
                experiment(batch, phase.name)
    return counter.get_total_flops()
