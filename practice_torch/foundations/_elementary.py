"""Elementary functions that keep their digits, in the value and in the derivative."""

import math

import torch
from torch.nn.functional import logsigmoid


def expm1(x):
    """e^x - 1. The derivative of torch.expm1 is (e^x - 1) + 1, which rounds a small e^x away: below -1, e^x itself is taken."""
    low = x < -1
    return torch.where(low, torch.exp(x.where(low, -1.0)) - 1, torch.expm1(x.masked_fill(low, 0.0)))


def difference(a, b):
    """e^a - e^b without cancellation."""
    return rise(b, a - b, a)


def rise(bottom, step, top):
    """e^top - e^bottom for top = bottom + step, neither cancelling nor overflowing before its result does."""
    # top is not recomputed: where e^bottom is negligible, its small gradient would drown in the rounding of e^top.
    up = step > 0
    return torch.where(up, -torch.exp(top) * expm1(-step.clamp(min=0)), torch.exp(bottom) * expm1(step.clamp(max=0)))


def log_twice_sigmoid(x):
    """log(2 / (1 + e^-x)): as log(1 + tanh(x/2)) where it is small, with logsigmoid where its gradient may be."""
    near = x.abs() < 1
    return torch.where(near, torch.log1p(torch.tanh(x.where(near, 0.0) / 2)), math.log(2) + logsigmoid(x))
