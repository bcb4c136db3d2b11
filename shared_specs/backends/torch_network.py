"""A torch network under given parameters: outputs, statistics, gradients, trajectories of Adam."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch


def build(constructor: Callable, sizes: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    """The network in float64, its initial parameters drawn from the seed; the caller's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would queue a call, with its stack, for every accelerator
        return constructor(**sizes).double()


def parameters(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """{name: array} of every parameter."""
    return {name: value.detach().numpy().copy() for name, value in network.named_parameters()}


def load(network: torch.nn.Module, parameters: dict[str, np.ndarray]) -> None:
    """Gives the network these parameters, by name."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(torch.from_numpy(parameters[name]))


def seen(
    network: torch.nn.Module,
    inputs: Sequence[np.ndarray],
    constants: dict[str, Any],
    targets: Sequence[np.ndarray],
    precision: str,
    statistics: Sequence[str],
) -> dict[str, tuple[np.ndarray, ...]]:
    """{kind: arrays}: outputs in train mode, the named statistics (buffers) after it, the outputs in evaluation if there are
    any, and the gradient of half the squared error to the targets for every parameter."""
    network, inputs = copy.deepcopy(network).to(getattr(torch, precision)), _tensors(inputs, precision)
    outputs = _outputs(network, inputs, constants)
    gradients = torch.autograd.grad(_loss(outputs, _tensors(targets, precision)), list(network.parameters()))
    buffers = dict(network.named_buffers())
    found = {"output": outputs, "statistic": [buffers[name] for name in statistics], "gradient": gradients}
    found["evaluated output"] = _outputs(network.eval(), inputs, constants) if statistics else ()
    return {kind: tuple(array.detach().numpy() for array in arrays) for kind, arrays in found.items()}


def outputs(
    network: torch.nn.Module, inputs: Sequence[np.ndarray], constants: dict[str, Any], seed: int, training: bool
) -> tuple[np.ndarray, ...]:
    """The outputs in float64 in either mode; what the network draws (dropout) comes from the seed."""
    network = copy.deepcopy(network).train(training)  # a copy: statistics move in train mode
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would queue a call, with its stack, for every accelerator
        return tuple(o.numpy() for o in _outputs(network, _tensors(inputs, "float64"), constants))


def adam(
    network: torch.nn.Module, inputs: Sequence[np.ndarray], constants: dict[str, Any], targets: Sequence[np.ndarray], steps: int
) -> dict[str, np.ndarray]:
    """The parameters after the steps: learning rate 1e-3, beta 0.9 and 0.999, epsilon 1e-8 outside the root."""
    network = copy.deepcopy(network)
    inputs, targets = _tensors(inputs, "float64"), _tensors(targets, "float64")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(_outputs(network, inputs, constants), targets).backward()
        optimizer.step()
    return parameters(network)


def _outputs(network, inputs, constants):
    outputs = network(*inputs, **constants)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _loss(outputs, targets):
    return sum((o - t).square().sum() / 2 for o, t in zip(outputs, targets, strict=True))


def _tensors(arrays, precision):
    return [torch.tensor(a.astype(precision) if np.issubdtype(a.dtype, np.floating) else a) for a in arrays]
