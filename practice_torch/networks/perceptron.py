"""The plain multi-layer perceptron of the experiments on points."""

import itertools

from torch import nn


def perceptron(*sizes, activation=nn.Tanh):
    """Linear layers of these sizes, input first and output last, with the activation between them."""
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])
