"""Mode coverage: which modes the samples of a generator reach, how evenly, and how many modes their repetitions suggest.

assignments [N] hold the mode of every sample, 0..K-1, or -1 for none. Divergences are in nats, and 0 log 0 = 0.
Results of integers alone have torch's default dtype where they are no integers.
"""

import math

import torch

from practice_torch.arguments import (
    as_int64,
    require,
    require_at_least,
    require_integers,
    require_log_probs,
    require_positive,
    require_rank,
    require_values,
)
from practice_torch.mathematics.pairs import distances


def assign_modes(x, centers, *, radius):
    r"""argmin_k ||x_n - c_k|| if that distance is at most the radius, otherwise -1; of equally near centers, the first.

    Raises ValueError if x and centers are no matrices of equal width, centers has no row, or radius is not positive.
    Source: Srivastava et al. 2017, section 4.1.
    [N, D], [K, D] -> [N]
    """
    require_rank(2, x=x, centers=centers)
    require(len(centers) > 0, "centers has no row; it must hold at least one center")
    require(
        x.shape[1] == centers.shape[1],
        f"centers has shape {list(centers.shape)}; it must have as many columns as x, {x.shape[1]}",
    )
    require_positive(radius=radius)
    apart = distances(x, centers)
    return apart.argmin(1).where(apart.amin(1) <= radius, -1)


def covered_modes(assignments, *, num_modes, minimum=1):
    r"""The number of modes that have at least `minimum` of the samples.

    Raises ValueError if assignments is no vector of integers in -1..num_modes-1, or num_modes or minimum is below 1.
    Source: Metz et al. 2017, section 3.3.
    [N] -> []
    """
    require_at_least(1, minimum=minimum)
    return (_counts(assignments, num_modes) >= minimum).sum()


def high_quality_fraction(assignments, *, num_modes):
    r"""The share of the samples that have a mode.

    Raises ValueError if assignments is no vector of integers in -1..num_modes-1 or is empty, or num_modes is below 1.
    Source: Srivastava et al. 2017, section 4.1.
    [N] -> []
    """
    _require_assignments(assignments, num_modes)
    require(len(assignments) > 0, "assignments is empty; it must hold at least one sample")
    return (as_int64(assignments) >= 0).to(torch.get_default_dtype()).mean()


def mode_kl_divergence(assignments, log_mode_probs):
    r"""KL(shares of the modes among the samples that have one || exp(log_mode_probs)), in nats.

    Raises ValueError if assignments is no vector of integers in -1..K-1 or has no sample with a mode, or log_mode_probs is no
    vector of log-probabilities that sum to one.  Source: Metz et al. 2017, section 3.3.1.
    [N], [K] -> []
    """
    _require_law(log_mode_probs=log_mode_probs)
    counts = _counts(assignments, len(log_mode_probs))
    total = counts.sum()
    require_values("the number of assignments to a mode", total, lambda n: n > 0, "at least 1")
    shares = counts.to(log_mode_probs.dtype) / total
    # An empty mode may have the probability 0: its logarithm is replaced, since 0 * inf is NaN.
    return torch.special.xlogy(shares, shares).sum() - torch.linalg.vecdot(shares, log_mode_probs.masked_fill(counts == 0, 0.0))


def collision_log_probability(log_probs, *, sample_size):
    r"""log P(some two of s = sample_size independent draws agree) = log sum_(m=2)^s P(draw m is the first to repeat another).

    P(draw m is the first) = (m-1)! sum_k p_k^2 e_(m-2)(p without p_k), e_j: the elementary symmetric polynomials. The sum is
    1 - s! e_s(p), without the subtraction that rounds a small probability away.

    Raises ValueError if log_probs is no vector of log-probabilities that sum to one, or sample_size is below 2.
    Source: Arora, Risteski & Zhang 2018, section 2.
    [K] -> []
    """
    _require_law(log_probs=log_probs)
    require_at_least(2, sample_size=sample_size)
    p = log_probs.exp()
    # For each mode k, of draws from the modes before it: the chance that all are different (distinct), and that they were
    # before the last, which repeats one (repeated). One draw is added at a time, so there is no loop over the modes.
    distinct, repeated, collision = torch.ones_like(p), torch.zeros_like(p), 0.0
    for count in range(1, min(sample_size, len(p) + 1)):  # after more draws than modes, none is the first to repeat another
        first = count * p * (repeated + p * distinct)
        collision = collision + first.sum()
        repeated, distinct = _sum_before(first), _sum_before(count * p * distinct)
    return collision.log()


def birthday_support_estimate(*, sample_size, collision_probability):
    r"""-s(s-1) / (2 log(1-P)): about the number of equally likely modes of which s = sample_size draws collide so often.

    With the exact P of a distribution it is never above the number of its modes.

    Raises ValueError if sample_size is below 2, or collision_probability is not between 0 and 1, both excluded.
    Source: Arora, Risteski & Zhang 2018, section 2.
    -> []
    """
    require_at_least(2, sample_size=sample_size)
    require(
        0 < collision_probability < 1,
        f"collision_probability is {collision_probability}; it must be between 0 and 1: without a collision there is no upper "
        "limit, and if all samples collide no lower one",
    )
    return torch.tensor(-sample_size * (sample_size - 1) / (2 * math.log1p(-collision_probability)))


def _counts(assignments, num_modes):
    """Number of samples of each mode; samples without a mode are counted first, and left out."""
    _require_assignments(assignments, num_modes)
    places = as_int64(assignments) + 1
    return places.new_zeros(num_modes + 1).scatter_add(0, places, torch.ones_like(places))[1:]


def _sum_before(x):
    """The sum of all entries before each: 0, x_1, x_1 + x_2, ..."""
    return torch.nn.functional.pad(x[:-1].cumsum(0), (1, 0))


def _require_assignments(assignments, num_modes):
    require_at_least(1, num_modes=num_modes)
    require_rank(1, assignments=assignments)
    require_integers(assignments=assignments)
    require_values("assignments", assignments, lambda a: (a >= -1) & (a < num_modes), f"a mode, 0..{num_modes - 1}, or -1")


def _require_law(**arrays):
    ((name, array),) = arrays.items()
    require_rank(1, **arrays)
    require(len(array) > 0, f"{name} is empty; it must hold at least one mode")
    require_log_probs(**arrays)
