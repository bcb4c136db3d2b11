"""Evaluations, previews and studies of a model in training; they have their own random numbers and do not change the training."""

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from practice_torch.engine import gpu
from practice_torch.engine.draws import seed_of
from practice_torch.engine.errors import RunError
from practice_torch.engine.state import set_torch_states, torch_states

if TYPE_CHECKING:
    from practice_torch.engine.loop import Training

T = TypeVar("T")


def evaluate(training: "Training") -> Mapping[str, float]:
    """The experiment's metrics on the held-out data, with random numbers of their own that are always the same.

    Every process evaluates for itself: with equal weights and equal draws they find the same, and none waits for another
    (of a sharded model each gathers all the weights first). RunError where the weights have grown too large to compute with.
    """
    try:
        return apart(training, "evaluate", lambda: training.experiment.evaluate(training.held_out_data))
    except (torch.linalg.LinAlgError, np.linalg.LinAlgError) as error:  # what a matrix with an infinite entry comes to
        sizes = {name: p.detach().abs().max().item() for name, p in training.experiment.named_parameters() if p.numel()}
        name = max(sizes, key=sizes.get)
        raise RunError(
            f"the evaluation at step {training.step} computes with a matrix that is not finite; the largest weight is "
            f"{sizes[name]:.3g}, in {name}; {training.mend()}"
        ) from error


def preview(training: "Training", say: Callable[[str], None]) -> None:
    """Compute the previews; rank 0 writes them. A failure is reported and does not stop the training."""
    try:
        artifacts = apart(training, "preview", lambda: training.experiment.preview(training.held_out_data))
    except Exception as error:
        return say(f"warning: no previews at step {training.step}: {_in_a_line(error)}")
    for name, artifact in artifacts.items() if training.processes.first else ():
        try:
            training.run.save_artifacts({name: artifact}, training.step)
        except Exception as error:  # a figure draws itself only when it is written
            say(f"warning: no preview {name!r} at step {training.step}: {_in_a_line(error)}")


def apart(training: "Training", purpose: str, look: Callable[[], T]) -> T:
    """look() without gradients, with averaged weights if there are any, and with its own random numbers: it changes nothing."""
    experiment, seed = training.experiment, training.recipe.seed
    states = torch_states(training.device)
    experiment.generator = torch.Generator(training.device).manual_seed(seed_of(seed, purpose))
    torch.manual_seed(seed_of(seed, purpose, "torch"))
    experiment.eval()
    _swap_average(training)
    try:
        whole = training.sharded.gathered() if training.sharded else contextlib.nullcontext()
        plain, fast = gpu.uncompiled(training.compiled), gpu.settings(training.device)
        with whole, plain, fast, torch.no_grad(), training.accelerator.autocast():
            return look()
    finally:
        _swap_average(training)
        experiment.train()
        experiment.generator = training.generator
        set_torch_states(states)


@torch.no_grad()
def _swap_average(training):
    for name, parameter in training.moved.items():  # in place: a sharded model knows its parameters by their memory
        kept = parameter.clone()
        parameter.copy_(training.average[name])
        training.average[name].copy_(kept)


def _in_a_line(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
