"""Wrong forms of the losses of image translation that the rows must refuse, and other right ones that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.adversarial import image_translation as right
from tests.support.mistakes import Mistake, after_checks

ONE = (1, 2, 3)
ERROR, PATCHES, CYCLE = "mean_absolute_error", "patch_discriminator_loss", "cycle_generator_loss"
PAINTED, FIELD, NORMALIZE = "pix2pix_generator_loss", "patch_receptive_field", "instance_normalize"


def _behind(function, name, wrong):
    """A wrong form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong))


def _patches(r, f, *, real=1.0, fake=0.0, half=2):
    return ((r - real).square().mean(ONE) + (f - fake).square().mean(ONE)) / half


def _cycle(patch_scores_fake, x, x_cycled, y, y_identity, *, cycle_weight=10.0, identity_weight=5.0, deceived=None,
           error=right.mean_absolute_error, identity_of=None, cycle_of=None):  # fmt: skip
    deceived = (patch_scores_fake - 1).square().mean(ONE) if deceived is None else deceived(patch_scores_fake)
    cycle = error(x if cycle_of is None else cycle_of(x, y), x_cycled)
    identity = error(y if identity_of is None else identity_of(x, y), y_identity)
    return deceived + cycle_weight * cycle + identity_weight * identity


def _cycles(name, **how):
    return _behind(CYCLE, name, lambda **given: _cycle(**given, **how))


def _painted(name, deceived=None, error=right.mean_absolute_error, core_alone=False):
    def wrong(patch_logits_fake, output, target, *, absolute_weight=100.0):
        first = functional.softplus(-patch_logits_fake).mean(ONE) if deceived is None else deceived(patch_logits_fake)
        return first + absolute_weight * error(output, target)

    return Mistake(PAINTED, name, after_checks(right, PAINTED, wrong), core_alone=core_alone)


def _field(kernels, strides, *, start=1):
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=False):
        start = (start - 1) * stride + kernel
    return start


def _fields(name, wrong):
    return Mistake(FIELD, name, lambda *, kernels, strides: wrong(kernels, strides), only_checks=wrong is _field)


def _normalize(x, *, epsilon=1e-5, axes=(2, 3), correction=0, outside=False, two_passes=True, center=True, power=-0.5):
    mean, squares = x.mean(axes, keepdim=True), x.square().mean(axes, keepdim=True)
    variance = x.var(axes, keepdim=True, correction=correction) if two_passes else squares - mean.square()
    factor = 1 / (variance.sqrt() + epsilon) if outside else (variance + epsilon) ** power
    return (x - mean if center else x) * factor


def _normalizes(name, **how):
    return _behind(NORMALIZE, name, lambda **given: _normalize(**given, **how))


def _sums(x, y):
    return (x - y).abs().sum(ONE)


def _squares(x, y):
    return (x - y).square().mean(ONE)


MISTAKES = (
    *(_behind(ERROR, name, wrong) for name, wrong in {
        "summed": _sums,
        "squared": _squares,
        "rooted": lambda x, y: _squares(x, y).sqrt(),
        "summed over the channels": lambda x, y: (x - y).abs().sum(1).mean((1, 2)),
        "of gray images": lambda x, y: (x - y).mean(1).abs().mean((1, 2)),
        "signed": lambda x, y: (x - y).mean(ONE),
        "smooth near 0": lambda x, y: functional.smooth_l1_loss(x, y, reduction="none").mean(ONE),
        "target detached": lambda x, y: (x - y.detach()).abs().mean(ONE),
        "averaged over the batch": lambda x, y: (x - y).abs().mean().expand(len(x)),
    }.items()),
    Mistake(ERROR, "any shapes", lambda x, y: (x - y).abs().mean(ONE), only_checks=True),
    *(_behind(PATCHES, name, wrong) for name, wrong in {
        "without the half": lambda patch_scores_real, patch_scores_fake: _patches(patch_scores_real, patch_scores_fake, half=1),
        "labels exchanged": lambda patch_scores_real, patch_scores_fake: _patches(
            patch_scores_real, patch_scores_fake, real=0.0, fake=1.0),
        "labels 1 and -1": lambda patch_scores_real, patch_scores_fake: _patches(patch_scores_real, patch_scores_fake, fake=-1.0),
        "summed over the patches": lambda patch_scores_real, patch_scores_fake: (
            (patch_scores_real - 1).square() + patch_scores_fake.square()).sum(ONE) / 2,
        "of the mean score": lambda patch_scores_real, patch_scores_fake: (
            (patch_scores_real.mean(ONE) - 1).square() + patch_scores_fake.mean(ONE).square()) / 2,
        "sigmoid before the squares": lambda patch_scores_real, patch_scores_fake: _patches(
            patch_scores_real.sigmoid(), patch_scores_fake.sigmoid()),
        "fakes detached": lambda patch_scores_real, patch_scores_fake: _patches(patch_scores_real, patch_scores_fake.detach()),
        "one residual for both": lambda patch_scores_real, patch_scores_fake: (
            patch_scores_real - 1 + patch_scores_fake).square().mean(ONE) / 2,
        "a map of losses": lambda patch_scores_real, patch_scores_fake: (
            (patch_scores_real - 1).square() + patch_scores_fake.square()) / 2,
        "averaged over the batch": lambda patch_scores_real, patch_scores_fake: _patches(
            patch_scores_real, patch_scores_fake).mean(),
    }.items()),
    Mistake(PATCHES, "any shapes", lambda patch_scores_real, patch_scores_fake: _patches(patch_scores_real, patch_scores_fake),
            only_checks=True),
    _cycles("sums of pixels", error=_sums),
    _cycles("squared errors", error=_squares),
    _cycles("identity on x", identity_of=lambda x, y: x),
    _cycles("cycle against y", cycle_of=lambda x, y: y),
    _cycles("half the deception, as in the discriminator", deceived=lambda s: (s - 1).square().mean(ONE) / 2),
    _cycles("the label of fakes", deceived=lambda s: s.square().mean(ONE)),
    _cycles("of the mean score", deceived=lambda s: (s.mean(ONE) - 1).square()),
    _cycles("sums of patches", deceived=lambda s: (s - 1).square().sum(ONE)),
    _cycles("sigmoid before the square", deceived=lambda s: (s.sigmoid() - 1).square().mean(ONE)),
    _cycles("logistic", deceived=lambda s: -functional.logsigmoid(s).mean(ONE)),
    _cycles("images of the data detached from the discriminator alone", deceived=lambda s: (s.detach() - 1).square().mean(ONE)),
    _behind(CYCLE, "weights exchanged", lambda cycle_weight=10.0, identity_weight=5.0, **given: _cycle(
        **given, cycle_weight=identity_weight, identity_weight=cycle_weight)),
    _behind(CYCLE, "the identity's weight in units of the cycle's", lambda cycle_weight=10.0, identity_weight=0.5,
            **given: _cycle(**given, cycle_weight=cycle_weight, identity_weight=cycle_weight * identity_weight)),
    _behind(CYCLE, "weights ignored", lambda cycle_weight=10.0, identity_weight=5.0, **given: _cycle(**given)),
    _behind(CYCLE, "no identity", lambda cycle_weight=10.0, identity_weight=5.0, **given: _cycle(
        **given, cycle_weight=cycle_weight, identity_weight=0.0)),
    _behind(CYCLE, "averaged over the batch", lambda **given: _cycle(**given).mean()),
    Mistake(CYCLE, "any weights, any shapes", lambda patch_scores_fake, x, x_cycled, y, y_identity, **weights: _cycle(
        patch_scores_fake, x, x_cycled, y, y_identity, **weights, error=lambda a, b: (a - b).abs().mean(ONE)), only_checks=True),
    _painted("sums of pixels", error=_sums),
    _painted("squared errors", error=_squares),
    _painted("minimax", deceived=lambda t: -functional.softplus(t).mean(ONE)),
    _painted("the label of fakes", deceived=lambda t: functional.softplus(t).mean(ONE)),
    _painted("log of a sigmoid", deceived=lambda t: -t.sigmoid().log().mean(ONE)),
    _painted("softplus that becomes the identity"),
    _painted("least squares", deceived=lambda t: (t - 1).square().mean(ONE)),
    _painted("of the mean logit", deceived=lambda t: -functional.logsigmoid(t.mean(ONE))),
    _painted("sums of patches", deceived=lambda t: -functional.logsigmoid(t).sum(ONE)),
    _painted("bits", deceived=lambda t: -functional.logsigmoid(t).mean(ONE) / math.log(2)),
    _behind(PAINTED, "the weight on the adversary", lambda patch_logits_fake, output, target, *, absolute_weight=100.0: (
        absolute_weight * -functional.logsigmoid(patch_logits_fake).mean(ONE) + right.mean_absolute_error(output, target))),
    _behind(PAINTED, "weight ignored", lambda patch_logits_fake, output, target, *, absolute_weight=100.0: (
        right.pix2pix_generator_loss(patch_logits_fake, output, target))),
    _behind(PAINTED, "averaged over the batch", lambda **given: right.pix2pix_generator_loss(**given).mean()),
    Mistake(PAINTED, "any weight, any shapes", lambda patch_logits_fake, output, target, *, absolute_weight=100.0: (
        -functional.logsigmoid(patch_logits_fake).mean(ONE) + absolute_weight * (output - target).abs().mean(ONE)),
        only_checks=True),
    _fields("front to back", lambda kernels, strides: right.patch_receptive_field(kernels=kernels[::-1], strides=strides[::-1])),
    _fields("strides of the own layer too", lambda kernels, strides: 1 + sum(
        (kernel - 1) * math.prod(strides[: n + 1]) for n, kernel in enumerate(kernels))),
    _fields("no stride", lambda kernels, strides: right.patch_receptive_field(kernels=kernels, strides=(1,) * len(kernels))),
    _fields("from nothing", lambda kernels, strides: _field(kernels, strides, start=0)),
    _fields("k for k - 1", lambda kernels, strides: 1 + sum(
        kernel * math.prod(strides[:n]) for n, kernel in enumerate(kernels))),
    _fields("the largest kernel", lambda kernels, strides: max(kernels, default=1)),
    _fields("no checks", _field),
    _normalizes("over the batch", axes=(0, 2, 3)),
    _normalizes("over the channels too", axes=ONE),
    _normalizes("over the channels of a pixel", axes=(1,)),
    _normalizes("unbiased variance", correction=1),
    _normalizes("epsilon outside the root", outside=True),
    _normalizes("E[x^2] - E[x]^2", two_passes=False),
    _normalizes("not centered", center=False),
    _normalizes("no root", power=-1.0),
    _behind(NORMALIZE, "statistics detached", lambda x, *, epsilon=1e-5: (x - x.mean((2, 3), keepdim=True).detach()) * (
        x.var((2, 3), keepdim=True, correction=0).detach() + epsilon) ** -0.5),
    _behind(NORMALIZE, "epsilon ignored", lambda x, *, epsilon=1e-5: _normalize(x)),
    Mistake(NORMALIZE, "any shape, any epsilon", lambda x, *, epsilon=1e-5: _normalize(x, epsilon=epsilon, axes=(-2, -1)),
            only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    _behind(ERROR, "torch's", lambda x, y: functional.l1_loss(x, y, reduction="none").mean(ONE)),
    _behind(PATCHES, "torch's squared errors", lambda patch_scores_real, patch_scores_fake: sum(
        functional.mse_loss(s, torch.full_like(s, label), reduction="none").mean(ONE) / 2
        for s, label in ((patch_scores_real, 1.0), (patch_scores_fake, 0.0)))),
    _cycles("expanded squares", deceived=lambda s: 1 + (s.square() - 2 * s).mean(ONE)),
    _painted("torch's cross-entropy", deceived=lambda t: functional.binary_cross_entropy_with_logits(
        t, torch.ones_like(t), reduction="none").mean(ONE), core_alone=True),
    _painted("by logaddexp", deceived=lambda t: torch.logaddexp(-t, torch.zeros_like(t)).mean(ONE)),
    _behind(FIELD, "from the last layer to the first", _field),
    _behind(NORMALIZE, "torch's", lambda x, *, epsilon=1e-5: functional.instance_norm(x, eps=epsilon) if len(x) else x),
    _behind(NORMALIZE, "groups of one channel", lambda x, *, epsilon=1e-5: functional.group_norm(x, x.shape[1], eps=epsilon)),
)  # fmt: skip
