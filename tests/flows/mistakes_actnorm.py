"""Wrong forms of activation normalization that the rows must refuse, and other right ones."""

import torch

from practice_torch.flows import actnorm as right
from tests.support.mistakes import Mistake


def _by_each_example(x):
    """Statistics of the first example alone."""
    right.initialize(x)
    return right.initialize(x[:1]) if x[:1].numel() > x.shape[1] else (-x[0], 0 * x[0])


def _unbiased(x):
    shift, log_scale = right.initialize(x)
    n = x.numel() // x.shape[1]
    return shift, log_scale + 0.5 * torch.tensor((n - 1) / n, dtype=x.dtype).log() if n > 1 else log_scale


def _in_one_pass(x):
    """E x^2 - (E x)^2 loses the digits of a large mean."""
    right.initialize(x)
    axes = (0, *range(2, x.ndim))
    mean = x.mean(axes)
    return -mean, -(x.square().mean(axes) - mean.square()).log() / 2


def _with(x, shift, log_scale, change):
    z, log_det = right.forward(x, shift, log_scale)
    return change(z, log_det)


def _scaled_first(x, shift, log_scale):
    _, log_det = right.forward(x, shift, log_scale)
    scaled, _ = right.forward(x, 0 * shift, log_scale)
    return scaled + shift.reshape(-1, *[1] * (x.ndim - 2)), log_det


def _of_the_batch(x, shift, log_scale):
    """Batch normalization: the example's output depends on the others."""
    z, log_det = right.forward(x, shift, log_scale)
    return z - 0.01 * x.mean(0, keepdim=True), log_det


MISTAKES = (
    Mistake("initialize", "the variance divided by n - 1", _unbiased),
    Mistake("initialize", "in one pass", _in_one_pass),
    Mistake("initialize", "of the first example", _by_each_example),
    Mistake("initialize", "minus the variance's logarithm", lambda x: (right.initialize(x)[0], 2 * right.initialize(x)[1])),
    Mistake("initialize", "a floor under the variance", lambda x: (
        right.initialize(x + torch.linspace(0, 1e-3, len(x)).reshape(-1, *[1] * (x.ndim - 1)))
        if len(x) and x.ndim > 1 and bool((x == x[:1]).all(0).any()) else right.initialize(x)), only_checks=True),
    Mistake("forward", "log-determinant of one position", lambda x, shift, log_scale: _with(
        x, shift, log_scale, lambda z, log_det: (z, log_scale.sum().expand(len(x))))),
    Mistake("forward", "scaled first", _scaled_first),
    Mistake("forward", "the batch mixes", _of_the_batch),
    Mistake("forward", "log-determinant of the batch", lambda x, shift, log_scale: _with(
        x, shift, log_scale, lambda z, log_det: (z, log_det * len(x)))),
    Mistake("inverse", "the log-determinant of forward", lambda z, shift, log_scale: (
        right.inverse(z, shift, log_scale)[0], -right.inverse(z, shift, log_scale)[1])),
    Mistake("inverse", "the shift undone first", lambda z, shift, log_scale: (
        right.forward(z, -shift, -log_scale)[0], right.inverse(z, shift, log_scale)[1])),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "initialize",
        "torch.std_mean",
        lambda x: (lambda std, mean: (-mean, -std.log()))(*torch.std_mean(x, (0, *range(2, x.ndim)), correction=0)),
        core_alone=True,
    ),
)
