"""The training engine, and loops written by hand that take a step whenever the engine is about to compute a loss."""

import dataclasses
import io
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.measuring.turns import CLOCKS
from practice_torch.engine.loop import Training
from practice_torch.engine.progress import Bar
from practice_torch.engine.run import Run

WARM_UP = 4  # blocks of steps that are not counted


def alternate(topic, name, recipe, experiment, data, others, *, block):
    """{side: {clock: [seconds per block of steps]}} of "engine" and of the others, loops that yield after each step.

    Each side is charged for its own time only, so a busy neighbor disturbs all alike. The engine has all that it does from step
    to step: batches by number, the guard, rows of metrics, progress, signals; not evaluation, previews and checkpoints, which
    the loops by hand do not have at all.
    """
    recipe = dataclasses.replace(
        recipe, log_every=block, evaluate_every=recipe.steps, checkpoint_every=recipe.steps, target=None
    )  # fmt: skip
    steps = {side: {kind: [] for kind in CLOCKS} for side in ("engine", *others)}
    since = {}

    def read():
        return {kind: clock() for kind, clock in CLOCKS.items()}

    def take_turns(*_):
        now = read()
        if since:
            _charge(steps["engine"], since, now)
        for side, loop in others.items():
            before = read()
            next(loop)
            if since:
                _charge(steps[side], before, read())
        since.update(read())

    experiment.register_forward_pre_hook(take_turns)
    experiment.evaluate, experiment.preview = lambda data: {recipe.metric: 0.0}, lambda data: {}
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", topic, name, recipe, data[0].description)
        bar = Bar("engine", recipe.steps, 0, Console(file=io.StringIO(), force_terminal=True))  # drawn, but not seen
        Training(run, recipe, experiment, *data, cpu=True).train(bar=bar)
    return {side: {kind: _blocks(times, block) for kind, times in kinds.items()} for side, kinds in steps.items()}


def _charge(kinds, before, after):
    for kind, times in kinds.items():
        times.append(after[kind] - before[kind])


def _blocks(times, block):
    return [sum(times[i : i + block]) for i in range(WARM_UP * block, len(times) - block + 1, block)]
