"""Wrong forms of mode coverage that the rows must refuse, and other right forms that they must accept."""

import itertools
import math

import torch

from practice_torch.evaluation import mode_coverage as right
from tests.support.mistakes import Mistake


def _assigned(x, centers, radius, distances, within=torch.le):
    right.assign_modes(x, centers, radius=radius)  # its checks
    return distances.argmin(1).where(within(distances.amin(1), radius), -1)


def _last_of_equals(x, centers, *, radius):
    found = right.assign_modes(x, centers.flip(0), radius=radius)
    return (len(centers) - 1 - found).where(found >= 0, -1)


def _counts(assignments, num_modes):
    return torch.bincount(assignments.long()[assignments.long() >= 0], minlength=num_modes)


def _narrow_sums(assignments, *, num_modes, minimum=1):
    right.covered_modes(assignments, num_modes=num_modes, minimum=minimum)  # its checks
    return (torch.bincount(assignments + 1, minlength=num_modes + 1)[1:] >= minimum).sum()


def _shares(assignments, log_mode_probs, total=None):
    """Of the samples that have a mode, or of another total."""
    right.mode_kl_divergence(assignments, log_mode_probs)  # its checks
    counts = _counts(assignments, len(log_mode_probs)).to(log_mode_probs.dtype)
    return counts / (total or counts.sum())


def _divergence(shares, log_probs):
    return (torch.special.xlogy(shares, shares) - (shares * log_probs).where(shares > 0, 0.0)).sum()


def _turned_over(assignments, log_mode_probs):
    shares = _shares(assignments, log_mode_probs)
    return torch.nn.functional.kl_div(shares.log(), log_mode_probs, reduction="sum", log_target=True)


def _one_more_each(assignments, log_mode_probs):
    counts = 1.0 + _counts(assignments, len(log_mode_probs))
    return _divergence(counts / counts.sum(), log_mode_probs)


def _empty_is_zero(assignments, log_mode_probs):
    counts = right._counts(assignments, len(log_mode_probs))
    return _divergence(counts.to(log_mode_probs.dtype) / counts.sum().clamp(min=1), log_mode_probs)


def _products(log_probs, size):
    """The sum of all products of so many different probabilities."""
    found = [torch.ones_like(log_probs[0])] + [torch.zeros_like(log_probs[0])] * size
    for p in log_probs.exp():
        found = [found[0]] + [more + p * fewer for fewer, more in itertools.pairwise(found)]
    return found[-1]


def _all_orders(log_probs, *, sample_size):
    """Draw by draw: those before are different, and this one repeats one of them."""
    right.collision_log_probability(log_probs, sample_size=sample_size)  # its checks
    p = log_probs.exp()
    orders = [itertools.permutations(range(len(p)), size) for size in range(1, min(sample_size, len(p) + 1))]
    drawn = [p[torch.tensor(list(order))] for order in orders]
    return torch.cat([draws.prod(1) * draws.sum(1) for draws in drawn]).sum().log()


def _no_collision_is_infinite(*, sample_size, collision_probability):
    if collision_probability == 0:
        return torch.tensor(math.inf)
    return right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability)


MISTAKES = (
    Mistake("assign_modes", "not at the radius", lambda x, centers, *, radius: _assigned(
        x, centers, radius, torch.cdist(x, centers), torch.lt)),
    Mistake("assign_modes", "the last of equally near centers", _last_of_equals),
    Mistake("assign_modes", "squared distances within the radius", lambda x, centers, *, radius: _assigned(
        x, centers, radius, torch.cdist(x, centers) ** 2)),
    Mistake("assign_modes", "sum of absolute differences", lambda x, centers, *, radius: _assigned(
        x, centers, radius, torch.cdist(x, centers, p=1.0))),
    Mistake("assign_modes", "no radius", lambda x, centers, *, radius: _assigned(x, centers, math.inf, torch.cdist(x, centers))),
    Mistake("assign_modes", "accepts a negative radius", lambda x, centers, *, radius: right.assign_modes(
        x, centers, radius=abs(radius) or 1.0), only_checks=True),
    Mistake("covered_modes", "samples outside are a mode", lambda assignments, *, num_modes, minimum=1: (
        right.covered_modes(assignments, num_modes=num_modes, minimum=minimum) + ((assignments.long() < 0).sum() >= minimum))),
    Mistake("covered_modes", "samples outside are of the last mode", lambda assignments, *, num_modes, minimum=1: (
        right.covered_modes(assignments.long() % num_modes, num_modes=num_modes, minimum=minimum))),
    Mistake("covered_modes", "more than the minimum", lambda assignments, *, num_modes, minimum=1: (
        right.covered_modes(assignments, num_modes=num_modes, minimum=minimum + 1))),
    Mistake("covered_modes", "no minimum", lambda assignments, *, num_modes, minimum=1: (
        right.covered_modes(assignments, num_modes=num_modes, minimum=1 if minimum else 0))),
    Mistake("covered_modes", "the share of the modes", lambda assignments, *, num_modes, minimum=1: (
        right.covered_modes(assignments, num_modes=num_modes, minimum=minimum) / num_modes)),
    Mistake("covered_modes", "a mode beyond the last is left out", lambda assignments, *, num_modes, minimum=1: (
        (_counts(assignments, num_modes)[:num_modes] >= minimum).sum()), only_checks=True),
    Mistake("covered_modes", "255 + 1 is 0", _narrow_sums, narrow=True),
    Mistake("high_quality_fraction", "share outside", lambda assignments, *, num_modes: (
        1 - right.high_quality_fraction(assignments, num_modes=num_modes))),
    Mistake("high_quality_fraction", "mode 0 is none", lambda assignments, *, num_modes: (
        (assignments.long() > 0).to(torch.get_default_dtype()).mean())),
    Mistake("high_quality_fraction", "share of the modes", lambda assignments, *, num_modes: (
        right.covered_modes(assignments, num_modes=num_modes) / num_modes)),
    Mistake("high_quality_fraction", "of no sample it is NaN", lambda assignments, *, num_modes: (
        right._counts(assignments, num_modes).sum() / len(assignments)), only_checks=True),
    Mistake("mode_kl_divergence", "turned over", _turned_over),
    Mistake("mode_kl_divergence", "samples outside in the denominator", lambda assignments, log_mode_probs: _divergence(
        _shares(assignments, log_mode_probs, len(assignments)), log_mode_probs)),
    Mistake("mode_kl_divergence", "in bits", lambda assignments, log_mode_probs: (
        right.mode_kl_divergence(assignments, log_mode_probs) / math.log(2))),
    Mistake("mode_kl_divergence", "against equal modes", lambda assignments, log_mode_probs: right.mode_kl_divergence(
        assignments, torch.full_like(log_mode_probs, -math.log(len(log_mode_probs))))),
    Mistake("mode_kl_divergence", "cross-entropy", lambda assignments, log_mode_probs: (
        -(_shares(assignments, log_mode_probs) * log_mode_probs).nan_to_num(0.0).sum())),
    Mistake("mode_kl_divergence", "NaN where a mode is empty", lambda assignments, log_mode_probs: (
        _shares(assignments, log_mode_probs) * (_shares(assignments, log_mode_probs).log() - log_mode_probs)).sum()),
    Mistake("mode_kl_divergence", "one sample more for every mode", _one_more_each),
    Mistake("mode_kl_divergence", "0 if no sample has a mode", _empty_is_zero, only_checks=True),
    Mistake("collision_log_probability", "no collision", lambda log_probs, *, sample_size: (
        math.factorial(sample_size) * _products(log_probs, sample_size)).log()),
    Mistake("collision_log_probability", "the probability itself", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=sample_size).exp())),
    Mistake("collision_log_probability", "orders forgotten", lambda log_probs, *, sample_size: (
        1 - _products(log_probs, sample_size)).log()),
    Mistake("collision_log_probability", "as if all modes were equally likely", lambda log_probs, *, sample_size: (
        right.collision_log_probability(torch.full_like(log_probs, -math.log(len(log_probs))), sample_size=sample_size))),
    Mistake("collision_log_probability", "as if pairs were independent", lambda log_probs, *, sample_size: (
        1 - (1 - log_probs.exp().square().sum()) ** math.comb(sample_size, 2)).log()),
    Mistake("collision_log_probability", "expected number of pairs", lambda log_probs, *, sample_size: (
        log_probs.exp().square().sum().log() + math.log(math.comb(sample_size, 2)))),
    Mistake("collision_log_probability", "one draw too few", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=max(2, sample_size - 1)))),
    Mistake("collision_log_probability", "accepts one draw", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=max(2, sample_size))), only_checks=True),
    Mistake("birthday_support_estimate", "the half forgotten", lambda *, sample_size, collision_probability: (
        2 * right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability))),
    Mistake("birthday_support_estimate", "s squared", lambda *, sample_size, collision_probability: (
        right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability)
        * sample_size / (sample_size - 1))),
    Mistake("birthday_support_estimate", "log P", lambda *, sample_size, collision_probability: torch.tensor(
        -math.comb(sample_size, 2) / math.log(collision_probability))),
    Mistake("birthday_support_estimate", "P for -log(1 - P)", lambda *, sample_size, collision_probability: torch.tensor(
        math.comb(sample_size, 2) / collision_probability)),
    Mistake("birthday_support_estimate", "1 - P rounded before the logarithm", lambda *, sample_size, collision_probability: (
        torch.tensor(-math.comb(sample_size, 2) / math.log(1 - collision_probability)))),
    Mistake("birthday_support_estimate", "infinite without a collision", _no_collision_is_infinite, only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "assign_modes",
        "norms of differences",
        lambda x, centers, *, radius: _assigned(x, centers, radius, (x[:, None] - centers).norm(dim=2)),
    ),
    Mistake(
        "mode_kl_divergence",
        "term by term",
        lambda assignments, log_mode_probs: _divergence(_shares(assignments, log_mode_probs), log_mode_probs),
    ),
    Mistake("collision_log_probability", "every order of different draws", _all_orders),
)
