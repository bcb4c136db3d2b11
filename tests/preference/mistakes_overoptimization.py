"""Wrong forms of over-optimization that the rows must refuse, and other right forms that they must accept."""

import math
from functools import partial

import torch

from practice_torch.preference import overoptimization as right
from tests.support.mistakes import Mistake


def _totals(rewards, log_probs):
    """log F(r_i), log F(r_i^-) and log P(tie), by comparing all pairs."""
    one, other = rewards[:, :, None], rewards[:, None, :]
    parts = (other <= one, other < one, other == one)
    return [log_probs[:, None, :].masked_fill(~part, -torch.inf).logsumexp(-1) for part in parts]


def _cancelling(rewards, log_probs, *, samples):
    """By its definition: a small tie is lost in the difference of two powers."""
    right.best_of_n_log_probs(rewards, log_probs, samples=samples)
    up_to, below, tie = _totals(rewards, log_probs)
    return ((samples * up_to).exp() - (samples * below).exp()).log() + log_probs - tie


def _law(rewards, log_probs, *, samples, change=lambda law, tie, rewards: law):
    right.best_of_n_log_probs(rewards, log_probs, samples=samples)
    law = right.best_of_n_log_probs(rewards, log_probs, samples=samples)
    return change(law, _totals(rewards, log_probs)[2] - log_probs, rewards)


def _first_of_a_tie(rewards, log_probs, *, samples):
    """Ties are broken by the order of the completions."""
    order = rewards.argsort(dim=-1, stable=True)
    ranks = torch.empty_like(rewards).scatter_(-1, order, torch.arange(rewards.shape[1]).to(rewards.dtype).expand_as(rewards))
    return right.best_of_n_log_probs(ranks, log_probs, samples=samples)


def _in_place_of_a_difference(rewards, log_probs, *, samples):
    """n p F^(n-1), the density of a continuous reward."""
    return (
        right.best_of_n_log_probs(rewards, log_probs, samples=1)
        + math.log(samples)
        + (samples - 1) * _totals(rewards, log_probs)[0]
    )


def _unchecked(rewards, log_probs, *, samples):
    return right.best_of_n_log_probs(rewards.nan_to_num(0.0), log_probs.log_softmax(-1), samples=max(samples, 1))


def _gold(proxy, *, gold_mean, gold_variance, noise_variance, share=lambda g, n: g / (g + n), around=True):
    k = share(gold_variance, noise_variance)
    return gold_mean + k * (proxy - gold_mean) if around else k * proxy


def _normal_maximum(value):
    return lambda *, samples: torch.tensor(float(value(samples)), dtype=torch.float64)


def _curve(kl, *, gain, decay, method, distance=torch.sqrt, log=torch.log):
    d = distance(kl)
    lost = d if method == "best_of_n" else log(d)
    return torch.where(kl > 0, d * (gain - decay * lost), 0.0)


def _power(kl, *, gain, decay, method):
    """The value at 0 is set after the logarithm, which has a NaN gradient there."""
    d = kl.sqrt()
    return d * gain - decay * (kl if method == "best_of_n" else torch.where(kl > 0, d * d.log(), 0.0))


MISTAKES = (
    Mistake("best_of_n_log_probs", "F^n", lambda rewards, log_probs, *, samples: samples * _totals(rewards, log_probs)[0]),
    Mistake("best_of_n_log_probs", "all of a tie to each", partial(
        _law, change=lambda law, tie, rewards: law + tie.nan_to_num())),
    Mistake("best_of_n_log_probs", "a tie in equal shares", partial(
        _law, change=lambda law, tie, rewards: (
            law.exp() * tie.nan_to_num().exp() / (rewards[:, :, None] == rewards[:, None, :]).sum(-1)).log())),
    Mistake("best_of_n_log_probs", "the last of a tie", _first_of_a_tie),
    Mistake("best_of_n_log_probs", "the least", lambda rewards, log_probs, *, samples: (
        right.best_of_n_log_probs(-rewards, log_probs, samples=samples))),
    Mistake("best_of_n_log_probs", "one sample more", lambda rewards, log_probs, *, samples: (
        right.best_of_n_log_probs(rewards, log_probs, samples=samples + 1))),
    Mistake("best_of_n_log_probs", "a density for a probability", _in_place_of_a_difference),
    Mistake("best_of_n_log_probs", "two powers that cancel", _cancelling),
    Mistake("best_of_n_log_probs", "no gradient through the distribution function", lambda rewards, log_probs, *, samples: (
        log_probs + (right.best_of_n_log_probs(rewards, log_probs, samples=samples) - log_probs).detach())),
    Mistake("best_of_n_log_probs", "accepts anything", _unchecked, only_checks=True),
    Mistake("best_of_n_kl_bound", "log n", _normal_maximum(math.log)),
    Mistake("best_of_n_kl_bound", "(n - 1)/n added", _normal_maximum(lambda n: math.log(n) + (n - 1) / n)),
    Mistake("best_of_n_kl_bound", "in bits", _normal_maximum(lambda n: (math.log(n) - (n - 1) / n) / math.log(2))),
    Mistake("best_of_n_kl_bound", "without samples", _normal_maximum(lambda n: right.best_of_n_kl_bound(samples=max(n, 1))),
            only_checks=True),
    Mistake("expected_gold_reward", "the noise's share", partial(_gold, share=lambda g, n: n / (g + n))),
    Mistake("expected_gold_reward", "towards 0", partial(_gold, around=False)),
    Mistake("expected_gold_reward", "by deviations", partial(_gold, share=lambda g, n: g**0.5 / (g**0.5 + n**0.5))),
    Mistake("expected_gold_reward", "the correlation", partial(_gold, share=lambda g, n: (g / (g + n)) ** 0.5)),
    Mistake("expected_gold_reward", "accepts any variance", lambda proxy, *, gold_mean, gold_variance, noise_variance: _gold(
        proxy, gold_mean=gold_mean, gold_variance=abs(gold_variance) + 1e-9, noise_variance=abs(noise_variance)),
        only_checks=True),
    Mistake("normal_maximum_mean", "sqrt(2 log n)", _normal_maximum(lambda n: (2 * math.log(n)) ** 0.5)),
    Mistake("normal_maximum_mean", "the quantile of n/(n+1)", _normal_maximum(
        lambda n: torch.special.ndtri(torch.tensor(n / (n + 1), dtype=torch.float64)))),
    Mistake("normal_maximum_mean", "one more", _normal_maximum(lambda n: right.normal_maximum_mean(samples=n + 1))),
    Mistake("normal_maximum_mean", "without samples", _normal_maximum(lambda n: right.normal_maximum_mean(samples=max(n, 1))),
            only_checks=True),
    Mistake("overoptimization_curve", "in the divergence itself", partial(_curve, distance=lambda kl: kl)),
    Mistake("overoptimization_curve", "the logarithm of the divergence", partial(_curve, log=lambda d: 2 * d.log())),
    Mistake("overoptimization_curve", "base 10", partial(_curve, log=torch.log10)),
    Mistake("overoptimization_curve", "the methods exchanged", lambda kl, *, gain, decay, method: right.overoptimization_curve(
        kl, gain=gain, decay=decay, method=next(m for m in right.METHODS if m != method))),
    Mistake("overoptimization_curve", "NaN at the start", _power),
    Mistake("overoptimization_curve", "accepts anything", lambda kl, *, gain, decay, method: right.overoptimization_curve(
        kl.abs().nan_to_num(0.0, 1.0), gain=abs(gain), decay=abs(decay), method=method), only_checks=True),
)  # fmt: skip


def _geometric(rewards, log_probs, *, samples):
    """The sum of n terms in place of its closed form."""
    right.best_of_n_log_probs(rewards, log_probs, samples=samples)
    up_to, below, _ = _totals(rewards, log_probs)
    k = torch.arange(samples)
    powers = k * up_to[..., None] + torch.where(k == samples - 1, 0.0, (samples - 1 - k) * below[..., None])
    return log_probs + powers.logsumexp(-1)


EQUIVALENT = (
    Mistake("best_of_n_log_probs", "a sum of n powers", _geometric, core_alone=True),
    Mistake(
        "expected_gold_reward",
        "precisions as weights",
        lambda proxy, *, gold_mean, gold_variance, noise_variance: (
            (gold_variance * proxy + noise_variance * gold_mean) / (gold_variance + noise_variance)
        ),
        core_alone=True,
    ),
)
