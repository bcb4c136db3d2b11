"""What a checkpoint's tensors mean: weights, torch's own generators; and the verdict on a trained model."""

import torch

from practice_torch.engine import checkpoint
from practice_torch.engine.errors import RunError


def load_weights(experiment, weights, where, place=lambda tensor, like: tensor):
    """Fill the experiment's parameters and buffers, all of them and no others; place(tensor, like) is what goes into `like`."""
    state = experiment.state_dict()
    own = {name: list(tensor.shape) for name, tensor in state.items()}
    given = {name: list(tensor.shape) for name, tensor in weights.items()}
    if own != given:
        raise RunError(f"the checkpoint in {where} is of another model: {difference(given, own)}")
    experiment.load_state_dict({name: place(tensor, state[name]) for name, tensor in weights.items()})


def weights_of(run, say):
    """(weights, step) of a run's newest sound checkpoint, for those who only look at the model: the average, if there is one."""
    tensors, facts = checkpoint.newest(run.checkpoints, say)
    weights = {}
    for group in ("experiment/", "average/"):
        weights |= {name.removeprefix(group): tensor for name, tensor in tensors.items() if name.startswith(group)}
    return weights, facts["step"]


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


def difference(theirs, ours):
    """The first key in which two dicts differ, in words."""
    for key in (*ours, *theirs):
        a, b = theirs.get(key), ours.get(key)
        if a != b:
            return difference(a, b) if isinstance(a, dict) and isinstance(b, dict) else f"{key} is {a}, here {b}"
    return "nothing"


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
