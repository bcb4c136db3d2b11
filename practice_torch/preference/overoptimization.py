"""Over-optimization of a reward model: the law of the best of n samples, its divergence, and gold rewards against proxies.

The proxy is the optimized reward, the gold reward is the true one. One row is one prompt with its N completions.
"""

import math

import torch

from practice_torch.arguments import (
    require,
    require_at_least,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
)

METHODS = ("best_of_n", "reinforcement")
# The trapezoidal rule converges exponentially here: the integrand is smooth and vanishes at both ends.
STEP = 1 / 32
_NODES = torch.arange(-10, 14 + STEP, STEP, dtype=torch.float64)
_LOG_BELOW = torch.log1p(-torch.special.erfc(_NODES / math.sqrt(2)) / 2)
_LOG_BELOW = torch.where(_NODES > 0, _LOG_BELOW, torch.log(torch.special.erfc(-_NODES / math.sqrt(2)) / 2))


def best_of_n_log_probs(rewards, log_probs, *, samples):
    r"""log pi_n(i) = log[F(r_i)^n - F(r_i^-)^n] + log[p_i / P(r = r_i)], n = samples: the law of the best of n draws from p.

    F(r) = P(reward <= r), F(r^-) = P(reward < r); of several best draws one is chosen at random. The rewards have no gradient.

    Raises ValueError if the shapes differ, rewards has no completion or is not finite, a row of log_probs does not sum to one, or
    samples is below 1.  Source: Beirami et al. 2024, lemma 1 (without ties).
    [B, N], [B, N] -> [B, N]
    """
    require_at_least(1, samples=samples)
    require_rank(2, rewards=rewards)
    require_same_shape(rewards=rewards, log_probs=log_probs)
    require(rewards.shape[1] > 0, f"rewards has shape {list(rewards.shape)}; its last axis must not be empty")
    require_values("rewards", rewards, torch.isfinite, "finite")
    require_log_probs(log_probs=log_probs)
    rewards = rewards.detach().contiguous()
    ordered, order = rewards.sort(dim=-1)
    never = torch.finfo(log_probs.dtype).min  # a finite log 0: the gradient of logcumsumexp is NaN at -inf
    finite = log_probs.clamp(min=never)
    totals = finite.gather(-1, order).logcumsumexp(dim=-1)
    totals = torch.cat([torch.full_like(totals[:, :1], never), totals], dim=-1)
    up_to = totals.gather(-1, torch.searchsorted(ordered, rewards, right=True))
    below = totals.gather(-1, torch.searchsorted(ordered, rewards))
    # With u = F(r_i) and l = F(r_i^-) the tie cancels: pi_n(i) = p_i (u^n - l^n)/(u - l), a geometric sum in l/u.
    alone, impossible = below == never, log_probs == -torch.inf
    step = (up_to - below).masked_fill(alone, 1.0)
    more = _log_geometric_sum(step, samples).masked_fill(alone, 0.0)
    return (finite + (samples - 1) * up_to.masked_fill(impossible, 0.0) + more).masked_fill(impossible, -torch.inf)


def best_of_n_kl_bound(*, samples):
    r"""log n - (n - 1)/n, n = samples, in nats: the divergence KL(pi_n || p) of the best of n draws is at most this.

    It is reached where the reward is continuous, so that no two draws are equal.

    Raises ValueError if samples is below 1.  Source: Hilton & Gao 2022, Measuring Goodhart's law; Beirami et al. 2024, theorem 1.
    -> []
    """
    require_at_least(1, samples=samples)
    return torch.tensor(math.log(samples) - 1 + 1 / samples, dtype=torch.float64)


def expected_gold_reward(proxy, *, gold_mean, gold_variance, noise_variance):
    r"""E[g | P] = mu + k (P - mu), k = v_g / (v_g + v_n): the true reward to be expected at a proxy P = g + noise, all Gaussian.

    mu = gold_mean, v_g = gold_variance, v_n = noise_variance; the noise has mean 0 and is independent of g.

    Raises ValueError if proxy is not finite, gold_variance is not positive, or noise_variance is negative.
    Source: Manheim & Garrabrant 2018, regressional Goodhart; Gao et al. 2023, section 4.
    [B] -> [B]
    """
    require_positive(gold_variance=gold_variance)
    require_at_least(0, noise_variance=noise_variance)
    require_rank(1, proxy=proxy)
    require_values("proxy", proxy, torch.isfinite, "finite")
    shrinkage = gold_variance / (gold_variance + noise_variance)
    return shrinkage * proxy + (1 - shrinkage) * gold_mean


def normal_maximum_mean(*, samples):
    r"""E[max(X_1, .., X_n)] of n = samples independent standard normals: the integral over x > 0 of 1 - Phi(x)^n - Phi(-x)^n.

    Raises ValueError if samples is below 1.  Source: David & Nagaraja 2003, Order statistics, section 3.1.
    -> []
    """
    require_at_least(1, samples=samples)
    log_density = math.log(samples) - (_NODES.square() + math.log(2 * math.pi)) / 2 + (samples - 1) * _LOG_BELOW
    return STEP * torch.dot(_NODES, log_density.exp())


def overoptimization_curve(kl, *, gain, decay, method):
    r"""The gold reward, above that of the reference, at a divergence: d (alpha - beta d) or d (alpha - beta log d), d = kl^(1/2).

    alpha = gain, beta = decay; the first for method 'best_of_n', the second for 'reinforcement'. It is 0 at 0, where the slope is
    infinite, and given as 0.

    Raises ValueError if kl is negative or not finite, gain or decay is negative, or method is another.
    Source: Gao et al. 2023, section 3.1.
    [B] -> [B]
    """
    require(method in METHODS, f"method is {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    require_at_least(0, gain=gain, decay=decay)
    require_rank(1, kl=kl)
    require_values("kl", kl, lambda a: (a >= 0) & a.isfinite(), "at least 0 and finite")
    start = kl == 0
    d = kl.masked_fill(start, 1.0).sqrt()
    price = d if method == "best_of_n" else d.log()
    return (d * (gain - decay * price)).masked_fill(start, 0.0)


def _log_geometric_sum(step, n):
    """log sum_{k<n} e^(-k s), s >= 0, by its closed form; by its series where n s is small."""
    near = n * step < 1e-3
    series = math.log(n) - (n - 1) / 2 * step + (n * n - 1) / 24 * step.square()
    away = step.masked_fill(near, 1.0)
    return torch.where(near, series, _log_complement(n * away) - _log_complement(away))


def _log_complement(x):
    """log(1 - e^-x), x > 0."""
    small = x < 0.5
    near = torch.expm1(-x.masked_fill(~small, 0.5)).neg().log()
    return torch.where(small, near, torch.log1p(-torch.exp(-x.masked_fill(small, 0.5))))
