"""Wrong forms of batch normalization and its neighbors that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import dcgan as right
from tests.support.mistakes import Mistake

SHARED = (0, 2, 3)


def _normalize(x, scale, shift, *, epsilon=1e-5, axes=SHARED, correction=0, outside=False, center=True, two_passes=True):
    mean = x.mean(axes, keepdim=True)
    variance = x.var(axes, keepdim=True, correction=correction) if two_passes else x.square().mean(axes, keepdim=True) - mean**2
    deviation = variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt()
    return (x - mean if center else x) / deviation * scale[:, None, None] + shift[:, None, None]


def _with_given(x, mean, variance, scale, shift, *, epsilon=1e-5, power=-0.5, center=True, outside=False):
    column = (slice(None), None, None)
    factor = 1 / (variance.sqrt() + epsilon) if outside else (variance + epsilon) ** power
    return (x - mean[column] if center else x) * (factor * scale)[column] + shift[column]


def _update(x, mean, variance, *, momentum=0.1, correction=1, kept=None, taken=None, deviations=False, axes=SHARED):
    kept, taken = 1 - momentum if kept is None else kept(momentum), momentum if taken is None else taken(momentum)
    new = x.var(axes, correction=correction)
    new_variance = (kept * variance.sqrt() + taken * new.sqrt()) ** 2 if deviations else kept * variance + taken * new
    return kept * mean + taken * x.mean(axes), new_variance


def _batch(**how):
    return lambda x, scale, shift, **named: _normalize(x, scale, shift, **named, **how)


def _inference(**how):
    return lambda x, running_mean, running_variance, scale, shift, **named: _with_given(
        x, running_mean, running_variance, scale, shift, **named, **how
    )


def _running(**how):
    return lambda x, running_mean, running_variance, **named: _update(x, running_mean, running_variance, **named, **how)


def _overlap(length, kernel, stride):
    """By convolution, with any kernel and stride."""
    ones = functional.conv_transpose1d(torch.ones(1, 1, length), torch.ones(1, 1, kernel), stride=stride)
    return ones.flatten().long()


MISTAKES = (
    Mistake("batch_normalize", "unbiased variance", _batch(correction=1)),
    Mistake("batch_normalize", "statistics per sample", _batch(axes=(2, 3))),
    Mistake("batch_normalize", "statistics per pixel", _batch(axes=(0,))),
    Mistake("batch_normalize", "statistics over the channels too", _batch(axes=(0, 1, 2, 3))),
    Mistake("batch_normalize", "layer normalization", _batch(axes=(1, 2, 3))),
    Mistake("batch_normalize", "epsilon outside the root", _batch(outside=True)),
    Mistake("batch_normalize", "not centered", _batch(center=False)),
    Mistake("batch_normalize", "E[x^2] - E[x]^2", _batch(two_passes=False)),
    Mistake("batch_normalize", "epsilon fixed at 1e-5",
            lambda x, scale, shift, *, epsilon=1e-5: right.batch_normalize(x, scale, shift)),
    Mistake("batch_normalize", "default epsilon of 1e-3",
            lambda x, scale, shift, *, epsilon=1e-3: right.batch_normalize(x, scale, shift, epsilon=epsilon)),
    Mistake("batch_normalize", "shift before scale",
            lambda x, scale, shift, **named: right.batch_normalize(x, scale, scale * shift, **named)),
    Mistake("batch_normalize", "statistics detached from the gradient", lambda x, scale, shift, *, epsilon=1e-5: _with_given(
        x, x.mean(SHARED).detach(), x.var(SHARED, correction=0).detach(), scale, shift, epsilon=epsilon)),
    Mistake("batch_normalize", "one value per channel passes", lambda x, scale, shift, **named: right.batch_normalize(
        torch.cat([x, x]), scale, shift, **named)[: len(x)], only_checks=True),
    Mistake("batch_normalize_inference", "statistics of the batch",
            lambda x, running_mean, running_variance, scale, shift, **named: right.batch_normalize(x, scale, shift, **named)),
    Mistake("batch_normalize_inference", "variance for deviation", _inference(power=-1.0)),
    Mistake("batch_normalize_inference", "epsilon outside the root", _inference(outside=True)),
    Mistake("batch_normalize_inference", "not centered", _inference(center=False)),
    Mistake("batch_normalize_inference", "epsilon left out",
            lambda x, running_mean, running_variance, scale, shift, **named: _with_given(
                x, running_mean, running_variance, scale, shift, epsilon=0.0)),
    Mistake("batch_normalize_inference", "unbiased a second time",
            lambda x, running_mean, running_variance, scale, shift, **named: right.batch_normalize_inference(
                x, running_mean, running_variance * 40 / 39, scale, shift, **named)),
    Mistake("batch_normalize_inference", "a negative variance passes",
            lambda x, running_mean, running_variance, scale, shift, **named: right.batch_normalize_inference(
                x, running_mean, running_variance.abs(), scale, shift, **named), only_checks=True),
    Mistake("update_running_statistics", "momentum reversed", _running(kept=lambda m: m, taken=lambda m: 1 - m)),
    Mistake("update_running_statistics", "biased variance", _running(correction=0)),
    Mistake("update_running_statistics", "nothing kept", _running(kept=lambda m: 0.0)),
    Mistake("update_running_statistics", "everything kept", _running(kept=lambda m: 1.0)),
    Mistake("update_running_statistics", "deviations averaged", _running(deviations=True)),
    Mistake("update_running_statistics", "variance before mean",
            lambda x, running_mean, running_variance, **named: _update(x, running_mean, running_variance, **named)[::-1]),
    Mistake("update_running_statistics", "momentum fixed at 0.1",
            lambda x, running_mean, running_variance, **named: _update(x, running_mean, running_variance)),
    Mistake("update_running_statistics", "default momentum of 0.99",
            lambda x, running_mean, running_variance, *, momentum=0.99: _update(x, running_mean, running_variance,
                                                                                momentum=momentum)),
    Mistake("update_running_statistics", "any momentum passes", lambda x, running_mean, running_variance, *, momentum=0.1:
            right.update_running_statistics(x, running_mean, running_variance, momentum=min(momentum, 1.0)), only_checks=True),
    Mistake("leaky_rectifier", "a plain rectifier", lambda x, *, slope=0.2: torch.relu(x)),
    Mistake("leaky_rectifier", "torch's default slope", lambda x, *, slope=0.01: functional.leaky_relu(x, slope)),
    Mistake("leaky_rectifier", "the other side", lambda x, *, slope=0.2: torch.where(x > 0, slope * x, x)),
    Mistake("leaky_rectifier", "the sum of both", lambda x, *, slope=0.2: torch.relu(x) + slope * x),
    Mistake("leaky_rectifier", "no axis passes", lambda x, *, slope=0.2: functional.leaky_relu(x, slope), only_checks=True),
    Mistake("kernel_overlap", "kernel and stride swapped",
            lambda *, length, kernel, stride: right.kernel_overlap(length=length, kernel=stride, stride=kernel)),
    Mistake("kernel_overlap", "kernel over stride everywhere", lambda *, length, kernel, stride: torch.full(
        ((length - 1) * stride + kernel,), -(-kernel // stride))),
    Mistake("kernel_overlap", "the right end is not counted down", lambda *, length, kernel, stride: (
        lambda o: o // stride - torch.clamp(-((kernel - 1 - o) // stride), min=0) + 1)(
            torch.arange((length - 1) * stride + kernel))),
    Mistake("kernel_overlap", "length times stride", lambda *, length, kernel, stride: functional.pad(
        right.kernel_overlap(length=length, kernel=kernel, stride=stride), (0, max(0, stride - kernel)))[: length * stride]),
    Mistake("kernel_overlap", "a stride of 0 passes", lambda *, length, kernel, stride: right.kernel_overlap(
        length=length, kernel=kernel, stride=max(stride, 1)), only_checks=True),
)  # fmt: skip


def _torchs(x, scale, shift, *, epsilon=1e-5):
    right.batch_normalize(x, scale, shift, epsilon=epsilon)  # for its checks
    return functional.batch_norm(x, None, None, scale, shift, training=True, eps=epsilon)


def _torchs_inference(x, running_mean, running_variance, scale, shift, *, epsilon=1e-5):
    right.batch_normalize_inference(x, running_mean, running_variance, scale, shift, epsilon=epsilon)  # for its checks
    return functional.batch_norm(x, running_mean, running_variance, scale, shift, training=False, eps=epsilon)


def _by_lerp(x, running_mean, running_variance, *, momentum=0.1):
    right.update_running_statistics(x, running_mean, running_variance, momentum=momentum)  # for its checks
    return running_mean + momentum * (x.mean(SHARED) - running_mean), running_variance + momentum * (
        x.var(SHARED) - running_variance
    )


def _torchs_rectifier(x, *, slope=0.2):
    right.leaky_rectifier(x, slope=slope)  # for its checks
    return functional.leaky_relu(x, slope)


def _by_convolution(*, length, kernel, stride):
    right.kernel_overlap(length=length, kernel=kernel, stride=stride)  # for its checks
    return _overlap(length, kernel, stride)


EQUIVALENT = (
    Mistake("batch_normalize", "torch's own", _torchs),
    Mistake("batch_normalize_inference", "torch's own", _torchs_inference),
    Mistake("update_running_statistics", "old plus momentum times the difference", _by_lerp),
    Mistake("leaky_rectifier", "torch's own", _torchs_rectifier),
    Mistake("kernel_overlap", "ones through a transposed convolution", _by_convolution),
)
