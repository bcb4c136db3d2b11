"""Wrong forms of domain-adversarial training that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.adversarial import domain_adversarial as right
from tests.support.mistakes import Mistake


def _by_hook(x, *, scale):
    right.gradient_reversal(x, scale=scale)  # its checks
    copy = x.clone()
    if copy.requires_grad:
        copy.register_hook(lambda gradient: -scale * gradient)
    return copy


def _by_difference(x, *, scale):
    """Right on the way back, but x + scale x - scale x is not x."""
    right.gradient_reversal(x, scale=scale)
    return ((1 + scale) * x).detach() - scale * x


def _by_detached_copy(x, *, scale):
    right.gradient_reversal(x, scale=scale)
    moved = -scale * x
    return moved + (x - moved).detach()


def _entropy(logits, domain, **more):
    return functional.binary_cross_entropy_with_logits(logits, domain.to(logits.dtype), reduction="none", **more)


def _torchs_entropy(logits, domain):
    right.domain_loss(logits, domain)  # its checks
    return _entropy(logits, domain)


def _signed(logits, domain):
    """In uint8 1 - 2 is 255."""
    return functional.softplus((1 - 2 * domain) * logits, threshold=1e6)


def _objective(label_logits, labels, labeled, domain_logits, domain, *, weight, count=False, sign=-1.0, every=False, zero=True):
    plain = right.domain_adversarial_objective(label_logits, labels, labeled, domain_logits, domain, weight=weight)  # its checks
    label = functional.cross_entropy(label_logits, labels.long(), reduction="none")
    heard = label if every else torch.where(labeled, label, 0.0) if zero else label * labeled
    if count:
        heard = heard * len(labels) / labeled.sum().clamp(min=1)
    return heard + sign * weight * right.domain_loss(domain_logits, domain) + 0 * plain.detach()


def _wrong_objective(**mistake):
    return lambda **given: _objective(**given, **mistake)


def _without_checks_of_labels(label_logits, labels, labeled, domain_logits, domain, *, weight):
    seen = torch.where(labeled, labels, 0)
    return right.domain_adversarial_objective(label_logits, seen, labeled, domain_logits, domain, weight=weight)


MISTAKES = (
    Mistake("gradient_reversal", "reversed on the way forward, too", lambda x, *, scale: -scale * x),
    Mistake("gradient_reversal", "not reversed", lambda x, *, scale: right.gradient_reversal(
        right.gradient_reversal(x, scale=scale), scale=1.0)),
    Mistake("gradient_reversal", "no scale", lambda x, *, scale: right.gradient_reversal(x + 0 * scale, scale=1.0)),
    Mistake("gradient_reversal", "the gradient is cut off", lambda x, *, scale: x.detach() + 0 * scale),
    Mistake("gradient_reversal", "a negative scale is accepted", lambda x, *, scale: (
        right.gradient_reversal(x, scale=abs(scale))), only_checks=True),
    Mistake("domain_loss", "the target is 1", lambda logits, domain: right.domain_loss(-logits, domain)),
    Mistake("domain_loss", "the source alone", lambda logits, domain: right.domain_loss(logits, domain) * domain),
    Mistake("domain_loss", "the target alone", lambda logits, domain: right.domain_loss(logits, domain) * (1 - domain)),
    Mistake("domain_loss", "averaged", lambda logits, domain: right.domain_loss(logits, domain).mean().expand(logits.shape)),
    Mistake("domain_loss", "a probability for a logit", lambda logits, domain: right.domain_loss(logits.sigmoid(), domain)),
    Mistake("domain_loss", "log of a rounded sigmoid", lambda logits, domain: -torch.log(
        torch.where(domain == 1, logits.sigmoid(), 1 - logits.sigmoid()))),
    Mistake("domain_loss", "any number is a domain", lambda logits, domain: right.domain_loss(
        logits, (domain == 1).long()), only_checks=True),
    Mistake("domain_loss", "the sign computed in the domain's width", _signed, narrow=True),
    Mistake("domain_adversarial_objective", "the domain loss added", _wrong_objective(sign=1.0)),
    Mistake("domain_adversarial_objective", "every label counts", _wrong_objective(every=True)),
    Mistake("domain_adversarial_objective", "divided by the share of labels", _wrong_objective(count=True)),
    Mistake("domain_adversarial_objective", "the label loss alone", _wrong_objective(sign=0.0)),
    Mistake("domain_adversarial_objective", "masked after the product", _wrong_objective(zero=False)),
    Mistake("domain_adversarial_objective", "NaN behind the mask", _wrong_objective()),
    Mistake("domain_adversarial_objective", "the weight on both", lambda **given: (
        given["weight"] * right.domain_adversarial_objective(**given | {"weight": 1.0}))),
    Mistake("domain_adversarial_objective", "labels without a meaning may be anything", _without_checks_of_labels,
            only_checks=True),
    Mistake("adaptation_schedule", "the sigmoid", lambda progress, *, gamma=10.0: torch.sigmoid(gamma * progress)),
    Mistake("adaptation_schedule", "twice as fast", lambda progress, *, gamma=10.0: torch.tanh(gamma * progress)),
    Mistake("adaptation_schedule", "always 10", lambda progress, *, gamma=10.0: right.adaptation_schedule(progress) + 0 * gamma),
    Mistake("adaptation_schedule", "falls", lambda progress, *, gamma=10.0: 1 - right.adaptation_schedule(progress, gamma=gamma)),
    Mistake("adaptation_schedule", "a sigmoid less a half, doubled: no digits at the start", lambda progress, *, gamma=10.0: (
        2 * torch.sigmoid(gamma * (progress + 1e-9)) - 1)),
    Mistake("adaptation_schedule", "progress is cut off", lambda progress, *, gamma=10.0: right.adaptation_schedule(
        progress.clamp(0, 1), gamma=gamma), only_checks=True),
    Mistake("proxy_a_distance", "no factor 2", lambda error: 1 - 2 * error),
    Mistake("proxy_a_distance", "the error once", lambda error: 2 * (1 - error)),
    Mistake("proxy_a_distance", "never negative", lambda error: right.proxy_a_distance(error).clamp(min=0)),
    Mistake("proxy_a_distance", "errors in percent", lambda error: 2 - 4 * error, only_checks=True),
)  # fmt: skip

EQUIVALENT = (Mistake("gradient_reversal", "a hook", _by_hook), Mistake("domain_loss", "torch's cross-entropy", _torchs_entropy))
