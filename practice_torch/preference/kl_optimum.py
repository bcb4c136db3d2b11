"""The optimum of KL-regularized reward over enumerated completions: tilts, partition functions, values and the frontier.

One row is one prompt with its N completions: rewards r_i and log pi_0(i), which may be -inf.
"""

import torch

from practice_torch.arguments import (
    require,
    require_log_probs,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
)


def tilted_log_probs(rewards, reference_log_probs, *, kl_coefficient):
    r"""log pi_*(i) = log pi_0(i) + r_i / beta - log Z: the policy with the largest reward minus beta KL(pi || pi_0).

    beta = kl_coefficient, Z = sum_i pi_0(i) e^(r_i / beta). What the reference never does stays at -inf.

    Raises ValueError if the shapes differ, rewards has no completion, a row of reference_log_probs does not sum to one, or
    kl_coefficient is not positive.  Source: Peters & Schaal 2007; Korbak et al. 2022; Rafailov et al. 2023, eq. 4.
    [B, N], [B, N] -> [B, N]
    """
    require_positive(kl_coefficient=kl_coefficient)
    _require_rows(rewards=rewards, reference_log_probs=reference_log_probs)
    return torch.add(reference_log_probs, rewards, alpha=1 / kl_coefficient).log_softmax(-1)


def tilted_log_partition(rewards, reference_log_probs, *, kl_coefficient):
    r"""log Z = log sum_i pi_0(i) e^(r_i / beta), beta = kl_coefficient, in nats; beta log Z is the best regularized value.

    Raises ValueError if the shapes differ, rewards has no completion, a row of reference_log_probs does not sum to one, or
    kl_coefficient is not positive.  Source: Rafailov et al. 2023, eq. 4.
    [B, N], [B, N] -> [B]
    """
    require_positive(kl_coefficient=kl_coefficient)
    _require_rows(rewards=rewards, reference_log_probs=reference_log_probs)
    return torch.add(reference_log_probs, rewards, alpha=1 / kl_coefficient).logsumexp(-1)


def regularized_value(rewards, log_probs, reference_log_probs, *, kl_coefficient):
    r"""J(pi) = sum_i pi_i r_i - beta KL(pi || pi_0), beta = kl_coefficient, in units of the reward; 0 log 0 = 0.

    It is -inf where pi does what the reference never does.

    Raises ValueError if the shapes differ, rewards has no completion, a row of log_probs or reference_log_probs does not
    sum to one, or kl_coefficient is not positive.  Source: Korbak et al. 2022, section 2; Rafailov et al. 2023, eq. 3.
    [B, N], [B, N], [B, N] -> [B]
    """
    require_positive(kl_coefficient=kl_coefficient)
    _require_rows(rewards=rewards, log_probs=log_probs, reference_log_probs=reference_log_probs)
    probs, idle = log_probs.exp(), log_probs == -torch.inf
    ratio = log_probs.masked_fill(idle, 0.0) - reference_log_probs.masked_fill(idle, 0.0)
    return torch.linalg.vecdot(probs, rewards) - kl_coefficient * torch.linalg.vecdot(probs, ratio)


def implicit_reward(log_probs, reference_log_probs, *, kl_coefficient):
    r"""beta (log pi - log pi_0), beta = kl_coefficient: the reward of which pi is the optimum, with log Z = 0.

    Of the optimum pi_* for rewards r it is r - beta log Z: the reward up to a constant of the prompt. It is 0, without
    meaning, where both have probability 0.

    Raises ValueError if the shapes differ or kl_coefficient is not positive.  Source: Rafailov et al. 2023, eq. 5.
    [...], [...] -> [...]
    """
    require_positive(kl_coefficient=kl_coefficient)
    require_same_shape(log_probs=log_probs, reference_log_probs=reference_log_probs)
    nowhere = torch.maximum(log_probs, reference_log_probs) == -torch.inf
    return kl_coefficient * (log_probs.masked_fill(nowhere, 0.0) - reference_log_probs.masked_fill(nowhere, 0.0))


def reward_kl_frontier(rewards, reference_log_probs, kl_coefficients):
    r"""The expected reward and the divergence KL(pi_* || pi_0), in nats, of the optimum for each coefficient beta.

    No policy has more reward at the same divergence or less; the slope of reward by divergence is beta.

    Raises ValueError if the shapes differ, rewards is empty, reference_log_probs do not sum to one, or an entry of
    kl_coefficients is not positive.  Source: Korbak et al. 2022; Gao et al. 2023, section 2.
    [K], [K], [M] -> [M], [M]
    """
    require_rank(1, rewards=rewards, reference_log_probs=reference_log_probs, kl_coefficients=kl_coefficients)
    require_values("kl_coefficients", kl_coefficients, lambda a: a > 0, "positive")
    _require_rows(rewards=rewards[None], reference_log_probs=reference_log_probs[None])
    tilts = (reference_log_probs + torch.outer(kl_coefficients.reciprocal(), rewards)).log_softmax(-1)
    # What the reference never does has no share in either: its logarithms are silenced before they are subtracted.
    never = reference_log_probs == -torch.inf
    probs = tilts.exp()
    ratios = tilts.masked_fill(never, 0.0) - reference_log_probs.masked_fill(never, 0.0)
    return probs @ rewards, torch.linalg.vecdot(probs, ratios)


def _require_rows(**arrays):
    """[B, N] each, N at least 1; those that are called log-probabilities hold them."""
    require_rank(2, **arrays)
    require_same_shape(**arrays)
    (name, first), *_ = arrays.items()
    require(first.shape[1] > 0, f"{name} has shape {list(first.shape)}; its last axis must not be empty")
    require_log_probs(**{name: array for name, array in arrays.items() if name.endswith("log_probs")})
