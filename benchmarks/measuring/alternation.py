"""The training engine, and loops written by hand that take their turn whenever the engine has finished a block of steps."""

import dataclasses
import io
import tempfile
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.measuring.turns import CLOCKS
from practice_torch.engine.loop import Training
from practice_torch.engine.progress import Bar
from practice_torch.engine.storage.run import Run

WARM_UP = 4  # blocks of steps that are not counted


def alternate(topic, name, recipe, experiment, data, others, *, block, cpu=True, warm_up=WARM_UP):
    """{side: {clock: [seconds per block of steps]}} of "engine" and of the others, generators that yield after each step.

    Each side is charged for its own time only, so a busy neighbor disturbs all alike. The engine has all that it does from step
    to step: batches by number, the guard, rows of metrics, progress, signals; not evaluation, previews and checkpoints, which
    the loops by hand do not have at all.
    """
    recipe = dataclasses.replace(recipe, log_every=block, evaluate_every=recipe.steps, checkpoint_every=recipe.steps, target=None)
    seconds = {side: {kind: [] for kind in CLOCKS} for side in ("engine", *others)}
    begun, turns = {}, 0
    per_block = block * sum(phase.times for phase in experiment.phases) * recipe.accumulate

    def read():
        if not cpu:
            torch.cuda.synchronize()
        return {kind: clock() for kind, clock in CLOCKS.items()}

    def take_turns(*_):
        """Before each loss that the engine computes."""
        nonlocal turns
        if turns % per_block == 0:
            if begun:
                _charge(seconds["engine"], begun, read())
            for side, loop in others.items():
                before = read()
                for _ in range(block):
                    next(loop)
                _charge(seconds[side], before, read())
            begun.update(read())
        turns += 1

    experiment.register_forward_pre_hook(take_turns)
    experiment.evaluate, experiment.preview = lambda data: {recipe.metric: 0.0}, lambda data: {}
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", topic, name, recipe, data[0].description)
        bar = Bar("engine", recipe.steps, 0, Console(file=io.StringIO(), force_terminal=True))  # drawn, but not seen
        Training(run, recipe, experiment, *data, cpu=cpu).train(bar=bar)
    counted = len(seconds["engine"]["cpu"])
    return {side: {kind: times[warm_up:counted] for kind, times in kinds.items()} for side, kinds in seconds.items()}


def _charge(kinds, before, after):
    for kind, times in kinds.items():
        times.append(after[kind] - before[kind])
