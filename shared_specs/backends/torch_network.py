"""A torch network under given parameters: outputs, gradients, trajectories of Adam."""

import copy

import numpy as np
import torch


def build(constructor, sizes):
    """The network in float64, its initial parameters drawn from seed 0; the caller's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return constructor(**sizes).double()


def parameters(network):
    """{name: array} of every parameter."""
    return {name: value.detach().numpy().copy() for name, value in network.named_parameters()}


def outputs_and_gradients(network, inputs, targets, precision):
    """The outputs, and the gradient of half the squared error to the targets for every parameter, by name."""
    network = copy.deepcopy(network).to(getattr(torch, precision))
    outputs = _outputs(network, _tensors(inputs, precision))
    loss = _loss(outputs, _tensors(targets, precision))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    names = [name for name, _ in network.named_parameters()]
    return tuple(o.detach().numpy() for o in outputs), {n: g.numpy() for n, g in zip(names, gradients, strict=True)}


def adam(network, inputs, targets, steps):
    """The parameters after the steps: learning rate 1e-3, beta 0.9 and 0.999, epsilon 1e-8 outside the root."""
    network = copy.deepcopy(network)
    inputs, targets = _tensors(inputs, "float64"), _tensors(targets, "float64")
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(_outputs(network, inputs), targets).backward()
        optimizer.step()
    return parameters(network)


def _outputs(network, inputs):
    outputs = network(*inputs)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _loss(outputs, targets):
    return sum((o - t).square().sum() / 2 for o, t in zip(outputs, targets, strict=True))


def _tensors(arrays, precision):
    return [torch.tensor(a.astype(precision) if np.issubdtype(a.dtype, np.floating) else a) for a in arrays]
