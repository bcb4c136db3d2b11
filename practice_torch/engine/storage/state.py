"""The meaning of a checkpoint's tensors: weights and torch's generators; and the evaluation of a trained model."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import nn

from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment, Metric
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.stages import enter, stages_of
from practice_torch.engine.storage import checkpoint
from practice_torch.engine.storage.run import Run, difference


def require_weights(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], kind: str = "") -> None:
    """RunError, worded to follow a checkpoint's path, unless names, shapes and types are as expected and values finite."""
    for aspect in (lambda tensor: list(tensor.shape), lambda tensor: tensor.dtype):
        ours, theirs = ({name: aspect(tensor) for name, tensor in tensors.items()} for tensors in (wanted, given))
        if ours != theirs:
            raise RunError(f"is of another model: {kind}{difference(theirs, ours)}")
    if wrong := not_finite(given):
        raise RunError(f"holds numbers that are not finite, in {kind}{wrong}")


def not_finite(tensors: Mapping[str, torch.Tensor]) -> str | None:
    """The name of the first tensor with an entry that is not finite; None if all are finite."""
    floating = ((name, tensor) for name, tensor in tensors.items() if tensor.is_floating_point())
    return next((name for name, tensor in floating if not bool(tensor.isfinite().all())), None)


WEIGHTS = ("experiment/", "average/")  # groups of a checkpoint's tensors


# Of which checkpoint the weights are: of this step, of the best evaluation, or None: the newest, of a run with patience the best.
Which = int | Literal["best"] | None


def weights_of(
    run: Run, experiment: nn.Module, say: Callable[[str], None], which: Which = None
) -> tuple[dict[str, torch.Tensor], int]:
    """(weights, step) of a checkpoint of this experiment, for evaluation: parameters (averaged, if there is an average) and
    buffers. RunError if there is none. Of the newest and the best, a damaged one is skipped, which is reported to `say`.
    """

    def weights(tensors):
        found = {}
        for group in WEIGHTS:
            found |= {name.removeprefix(group): tensor for name, tensor in tensors.items() if name.startswith(group)}
        return {name: _widened(tensor, wanted.get(name)) for name, tensor in found.items()}

    wanted = experiment.state_dict()
    sound = lambda tensors, _: require_weights(wanted, weights(tensors))  # noqa: E731
    has_best = any(run.best.glob("step-*"))
    if which == "best" and not has_best:
        raise RunError(f"{run.folder} has no best weights: {_why_no_best(run.asked['fields'])}")
    if isinstance(which, int):
        tensors, facts = checkpoint.of_step(run.checkpoints, which, sound)
    else:
        best = which == "best" or has_best and run.asked["fields"].get("patience")
        tensors, facts = checkpoint.newest(run.best if best else run.checkpoints, say, sound)
    return weights(tensors), facts["step"]


def _widened(tensor, like):
    """A tensor in half precision, as the examples of the package have them, in the model's float32; any other as it is."""
    half = tensor.dtype in (torch.float16, torch.bfloat16) and like is not None and like.dtype == torch.float32
    return tensor.float() if half else tensor


def _why_no_best(fields):
    if fields.get("keep_best") or fields.get("patience"):
        return "there has been no evaluation yet with a finite metric"
    return "it was trained without --keep-best; leave --best out for the newest"


def load_weights(run: Run, recipe: Recipe, experiment: Experiment, say: Callable[[str], None], which: Which = None) -> int:
    """Load a checkpoint's weights into the experiment, as weights_of finds them, and set its place; returns the step."""
    weights, step = weights_of(run, experiment, say, which)
    experiment.load_state_dict(weights)
    enter(experiment, stages_of(recipe), step)
    return step


def verdict(recipe: Recipe, metrics: Mapping[str, float], step: int, explains: Mapping[str, Metric]) -> dict[str, Any]:
    """The content of evaluation.json; explains: name -> Metric of the experiment; those of the given metrics are kept."""
    if recipe.metric not in metrics:
        raise RunError(f"the experiment does not report its recipe's metric {recipe.metric!r}; it reports {', '.join(metrics)}")
    value = float(metrics[recipe.metric])
    return {
        "metric": recipe.metric,
        "value": value,
        "target": recipe.target,
        "direction": recipe.direction,
        "passed": recipe.reached(value),
        "step": step,
        "metrics": {name: float(value) for name, value in metrics.items()},
        "explains": {name: explains[name]._asdict() for name in metrics if name in explains},
    }


def torch_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of torch's global generators, which dropout uses."""
    states = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_torch_states(states: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
