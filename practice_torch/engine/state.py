"""The meaning of a checkpoint's tensors: weights and torch's generators; and the evaluation of a trained model."""

import torch

from practice_torch.engine import checkpoint
from practice_torch.engine.errors import RunError
from practice_torch.engine.run import difference


def require_weights(wanted, given, kind=""):
    """RunError, worded to follow a checkpoint's path, unless the tensors have the wanted names, shapes and types, all finite."""
    for aspect in (lambda tensor: list(tensor.shape), lambda tensor: tensor.dtype):
        ours, theirs = ({name: aspect(tensor) for name, tensor in tensors.items()} for tensors in (wanted, given))
        if ours != theirs:
            raise RunError(f"is of another model: {kind}{difference(theirs, ours)}")
    if wrong := not_finite(given):
        raise RunError(f"holds numbers that are not finite, in {kind}{wrong}")


def not_finite(tensors):
    """The name of the first tensor with an entry that is not finite; None where all are finite."""
    floating = ((name, tensor) for name, tensor in tensors.items() if tensor.is_floating_point())
    return next((name for name, tensor in floating if not bool(tensor.isfinite().all())), None)


def weights_of(run, experiment, say):
    """(weights, step) of the newest sound checkpoint of this experiment, for those who only look at the model: parameters and
    buffers, the parameters averaged where there is an average.
    """

    def weights(tensors):
        found = {}
        for group in ("experiment/", "average/"):
            found |= {name.removeprefix(group): tensor for name, tensor in tensors.items() if name.startswith(group)}
        return found

    wanted = experiment.state_dict()
    tensors, facts = checkpoint.newest(run.checkpoints, say, lambda tensors, _: require_weights(wanted, weights(tensors)))
    return weights(tensors), facts["step"]


def verdict(recipe, metrics, step, explains):
    """The content of evaluation.json; explains: name -> Metric of the experiment, of which what was measured is kept."""
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


def torch_states(device):
    """The states of torch's own generators, from which dropout draws."""
    states = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_torch_states(states):
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
