"""Wrong forms of mode coverage that the rows must refuse, and other right forms that they must accept."""

import itertools
import math

import torch

from practice_torch.evaluation import mode_coverage as right
from tests.mistakes import Mistake


def _assigned(x, centers, radius, distances, within=torch.le):
    right.assign_modes(x, centers, radius=radius)  # its checks
    return distances.argmin(1).where(within(distances.amin(1), radius), -1)


def _last_of_equals(x, centers, *, radius):
    found = right.assign_modes(x, centers.flip(0), radius=radius)
    return (len(centers) - 1 - found).where(found >= 0, -1)


def _counts(assignments, num_modes):
    return torch.bincount(assignments.long()[assignments.long() >= 0], minlength=num_modes)


def _shares(assignments, log_mode_probs, total):
    right.mode_kl_divergence(assignments, log_mode_probs)
    return _counts(assignments, len(log_mode_probs)).to(log_mode_probs.dtype) / total


def _divergence(shares, log_probs):
    return (torch.special.xlogy(shares, shares) - (shares * log_probs).where(shares > 0, 0.0)).sum()


def _turned_over(assignments, log_mode_probs):
    shares = _shares(assignments, log_mode_probs, (assignments.long() >= 0).sum())
    return torch.nn.functional.kl_div(shares.log(), log_mode_probs, reduction="sum", log_target=True)


def _symmetric(log_probs, sample_size):
    """e_0 .. e_s of the probabilities."""
    right.collision_log_probability(log_probs, sample_size=sample_size)
    found = [torch.ones_like(log_probs[0])] + [torch.zeros_like(log_probs[0])] * sample_size
    for p in log_probs.exp():
        found = [found[0]] + [found[j] + p * found[j - 1] for j in range(1, sample_size + 1)]
    return found


def _subtracted(log_probs, *, sample_size):
    return (1 - math.factorial(sample_size) * _symmetric(log_probs, sample_size)[-1]).log()


def _all_orders(log_probs, *, sample_size):
    """Draw by draw: the first m - 1 are different, and draw m repeats one."""
    right.collision_log_probability(log_probs, sample_size=sample_size)
    p = log_probs.exp()
    orders = [itertools.permutations(range(len(p)), size) for size in range(1, min(sample_size, len(p) + 1))]
    drawn = [p[torch.tensor(list(order))] for order in orders]
    return torch.cat([draws.prod(1) * draws.sum(1) for draws in drawn]).sum().log()


def _estimate(sample_size, collision_probability, value):
    right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability)
    return torch.tensor(value)


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
    Mistake("covered_modes", "255 + 1 is 0", lambda assignments, *, num_modes, minimum=1: (
        (torch.bincount(assignments + 1, minlength=num_modes + 1)[1:] >= right.covered_modes(
            assignments, num_modes=num_modes, minimum=minimum).clamp(max=0) + minimum).sum()), narrow=True),
    Mistake("high_quality_fraction", "share outside", lambda assignments, *, num_modes: (
        1 - right.high_quality_fraction(assignments, num_modes=num_modes))),
    Mistake("high_quality_fraction", "mode 0 is none", lambda assignments, *, num_modes: (
        right.high_quality_fraction(assignments, num_modes=num_modes) * 0 + (assignments.long() > 0).double().mean())),
    Mistake("high_quality_fraction", "share of the modes", lambda assignments, *, num_modes: (
        right.high_quality_fraction(assignments, num_modes=num_modes) * 0
        + right.covered_modes(assignments, num_modes=num_modes) / num_modes)),
    Mistake("high_quality_fraction", "of no sample it is NaN", lambda assignments, *, num_modes: (
        right._counts(assignments, num_modes).sum() / len(assignments)), only_checks=True),
    Mistake("mode_kl_divergence", "turned over", _turned_over),
    Mistake("mode_kl_divergence", "samples outside in the denominator", lambda assignments, log_mode_probs: _divergence(
        _shares(assignments, log_mode_probs, len(assignments)), log_mode_probs)),
    Mistake("mode_kl_divergence", "in bits", lambda assignments, log_mode_probs: (
        right.mode_kl_divergence(assignments, log_mode_probs) / math.log(2))),
    Mistake("mode_kl_divergence", "against equal modes", lambda assignments, log_mode_probs: right.mode_kl_divergence(
        assignments, 0 * right.mode_kl_divergence(assignments, log_mode_probs).nan_to_num(posinf=0.0)
        + torch.full_like(log_mode_probs, -math.log(len(log_mode_probs))))),
    Mistake("mode_kl_divergence", "cross-entropy", lambda assignments, log_mode_probs: (
        right.mode_kl_divergence(assignments, log_mode_probs) - torch.special.xlogy(
            *[_shares(assignments, log_mode_probs, (assignments.long() >= 0).sum())] * 2).sum())),
    Mistake("mode_kl_divergence", "NaN where a mode is empty", lambda assignments, log_mode_probs: (
        lambda shares: (shares * (shares.log() - log_mode_probs)).sum())(
            _shares(assignments, log_mode_probs, (assignments.long() >= 0).sum()))),
    Mistake("mode_kl_divergence", "one sample more for every mode", lambda assignments, log_mode_probs: _divergence(
        (_counts(assignments, len(log_mode_probs)) + 1.0) / (right.mode_kl_divergence(assignments, log_mode_probs).detach() * 0
        + _counts(assignments, len(log_mode_probs)).sum() + len(log_mode_probs)), log_mode_probs)),
    Mistake("mode_kl_divergence", "0 if no sample has a mode", lambda assignments, log_mode_probs: _divergence(
        (lambda counts: counts.to(log_mode_probs.dtype) / counts.sum().clamp(min=1))(
            right._counts(assignments, len(log_mode_probs))), log_mode_probs), only_checks=True),
    Mistake("collision_log_probability", "no collision", lambda log_probs, *, sample_size: (
        math.factorial(sample_size) * _symmetric(log_probs, sample_size)[-1]).log()),
    Mistake("collision_log_probability", "the probability itself", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=sample_size).exp())),
    Mistake("collision_log_probability", "orders forgotten", lambda log_probs, *, sample_size: (
        1 - _symmetric(log_probs, sample_size)[-1]).log()),
    Mistake("collision_log_probability", "as if all modes were equally likely", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=sample_size) * 0 + right.collision_log_probability(
            torch.full_like(log_probs, -math.log(len(log_probs))), sample_size=sample_size))),
    Mistake("collision_log_probability", "as if pairs were independent", lambda log_probs, *, sample_size: (
        1 - (1 - right.collision_log_probability(log_probs, sample_size=2).exp()) ** (
            max(sample_size, 0 * right.collision_log_probability(log_probs, sample_size=sample_size).numel())
            * (sample_size - 1) // 2)).log()),
    Mistake("collision_log_probability", "expected number of pairs", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=sample_size) * 0
        + right.collision_log_probability(log_probs, sample_size=2) + math.log(sample_size * (sample_size - 1) / 2))),
    Mistake("collision_log_probability", "one draw too few", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=sample_size) * 0
        + right.collision_log_probability(log_probs, sample_size=max(2, sample_size - 1)))),
    Mistake("collision_log_probability", "accepts one draw", lambda log_probs, *, sample_size: (
        right.collision_log_probability(log_probs, sample_size=max(2, sample_size))), only_checks=True),
    Mistake("birthday_support_estimate", "the half forgotten", lambda *, sample_size, collision_probability: (
        2 * right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability))),
    Mistake("birthday_support_estimate", "s squared", lambda *, sample_size, collision_probability: (
        right.birthday_support_estimate(sample_size=sample_size, collision_probability=collision_probability)
        * sample_size / (sample_size - 1))),
    Mistake("birthday_support_estimate", "log P", lambda *, sample_size, collision_probability: _estimate(
        sample_size, collision_probability, -sample_size * (sample_size - 1) / 2 / math.log(collision_probability))),
    Mistake("birthday_support_estimate", "P for -log(1 - P)", lambda *, sample_size, collision_probability: _estimate(
        sample_size, collision_probability, sample_size * (sample_size - 1) / 2 / collision_probability)),
    Mistake("birthday_support_estimate", "1 - P rounded before the logarithm", lambda *, sample_size, collision_probability: (
        _estimate(sample_size, collision_probability,
                  -sample_size * (sample_size - 1) / 2 / math.log(1 - collision_probability)))),
    Mistake("birthday_support_estimate", "infinite without a collision", lambda *, sample_size, collision_probability: (
        torch.tensor(-sample_size * (sample_size - 1) / 2 / (math.log1p(-min(collision_probability, 1 - 1e-16)) or -1e-300))),
        only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake("assign_modes", "norms of differences", lambda x, centers, *, radius: _assigned(
        x, centers, radius, (x[:, None] - centers).norm(dim=2))),
    Mistake("mode_kl_divergence", "term by term", lambda assignments, log_mode_probs: _divergence(
        _shares(assignments, log_mode_probs, (assignments.long() >= 0).sum()), log_mode_probs)),
    Mistake("collision_log_probability", "every order of different draws", _all_orders),
)  # fmt: skip
