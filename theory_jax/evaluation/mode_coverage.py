"""Mode coverage (lecture 14): how many modes a generator has, judged from finitely many of its samples.

assignments [N] hold the mode of every sample, 0..K-1, or -1 for none. Divergences are in nats, and 0 log 0 = 0.
"""

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_log_probs,
    require_positive,
    require_rank,
    require_values,
    widened,
)


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
    # The root, since the square of a radius is rounded: a sample at exactly this distance would be lost.
    distances = jnp.sqrt(jnp.sum((x[:, None] - centers) ** 2, axis=2))
    return jnp.where(jnp.min(distances, axis=1) <= radius, jnp.argmin(distances, axis=1), -1)


def covered_modes(assignments, *, num_modes, minimum=1):
    r"""The number of modes that have at least `minimum` of the samples.

    Raises ValueError if assignments is no vector of integers in -1..num_modes-1, or num_modes or minimum is below 1.
    Source: Metz et al. 2017, section 3.3.
    [N] -> []
    """
    require_at_least(1, minimum=minimum)
    return jnp.sum(_counts(assignments, num_modes) >= minimum, dtype=int)


def high_quality_fraction(assignments, *, num_modes):
    r"""The share of the samples that have a mode.

    Raises ValueError if assignments is no vector of integers in -1..num_modes-1 or is empty, or num_modes is below 1.
    Source: Srivastava et al. 2017, section 4.1.
    [N] -> []
    """
    counts = _counts(assignments, num_modes)
    require(len(assignments) > 0, "assignments is empty; it must hold at least one sample")
    return jnp.sum(counts) / len(assignments)


def mode_kl_divergence(assignments, log_mode_probs):
    r"""KL(shares of the modes among the samples that have one || exp(log_mode_probs)), in nats.

    Raises ValueError if assignments is no vector of integers in -1..K-1 or has no sample with a mode, or log_mode_probs is no
    vector of log-probabilities that sum to one.  Source: Metz et al. 2017, section 3.3.1.
    [N], [K] -> []
    """
    _require_law(log_mode_probs=log_mode_probs)
    counts = _counts(assignments, len(log_mode_probs))
    require_values("the number of assignments to a mode", jnp.sum(counts), lambda n: n > 0, "at least 1")
    seen = counts > 0
    shares = (counts / jnp.sum(counts)).astype(log_mode_probs.dtype)
    # Both logarithms are replaced where no sample is, before they are subtracted: 0 * inf would be NaN.
    return jnp.sum(shares * (jnp.log(jnp.where(seen, shares, 1.0)) - jnp.where(seen, log_mode_probs, 0.0)))


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
    draws = jnp.arange(min(sample_size - 1, len(log_probs)))  # after more draws than modes, none is the first to repeat

    def add_mode(chances, p):
        """distinct[j]: j draws are of the modes so far, no two alike; first[j]: so are j + 1, and one more is the first to
        repeat. A further mode is among these draws or not, and is the repeated one or not."""
        distinct, first = chances
        one_less = lambda chance: jnp.concatenate([jnp.zeros_like(chance[:1]), chance[:-1]])  # noqa: E731
        return (distinct + draws * p * one_less(distinct), first + (draws + 1) * p * (one_less(first) + p * distinct)), None

    nothing_yet = (draws == 0).astype(log_probs.dtype)
    (_, first), _ = jax.lax.scan(add_mode, (nothing_yet, 0 * nothing_yet), jnp.exp(log_probs))
    return jnp.log(jnp.sum(first))


def birthday_support_estimate(*, sample_size, collision_probability):
    r"""-s(s-1) / (2 log(1-P)): about the number of equally likely modes of which s = sample_size draws collide so often.

    With the exact P of a distribution it is never above the number of its modes.

    Raises ValueError if sample_size is below 2, or collision_probability is not between 0 and 1, both excluded.
    Source: Arora, Risteski & Zhang 2018, section 2.
    -> []
    """
    require_at_least(2, sample_size=sample_size)
    require_values(
        "collision_probability",
        collision_probability,
        lambda p: (p > 0) & (p < 1),
        "between 0 and 1: without a collision there is no upper limit, and if all samples collide no lower one",
    )
    return -sample_size * (sample_size - 1) / (2 * jnp.log1p(-jnp.asarray(collision_probability, float)))


def _counts(assignments, num_modes):
    """Number of samples of each mode."""
    require_at_least(1, num_modes=num_modes)
    require_rank(1, assignments=assignments)
    require_integers(assignments=assignments)
    require_values("assignments", assignments, lambda a: (a >= -1) & (a < num_modes), f"a mode, 0..{num_modes - 1}, or -1")
    return jnp.sum(widened(assignments)[:, None] == jnp.arange(num_modes), axis=0)


def _require_law(**arrays):
    ((name, array),) = arrays.items()
    require_rank(1, **arrays)
    require(len(array) > 0, f"{name} is empty; it must hold at least one mode")
    require_log_probs(**arrays)
