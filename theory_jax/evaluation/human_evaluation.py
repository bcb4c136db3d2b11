"""Human evaluation (lecture 14): intervals for shares and mean opinions, scores from comparisons, and agreement beyond chance.

Successes, trials and counts are integers, of whatever width.
"""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
    widened,
)

Z_95 = 1.959963984540054  # a standard normal variable is within +-z with probability 0.95


def mean_opinion_score(ratings, *, z=Z_95):
    r"""The mean of N ratings, and the half-width z s / sqrt(N) of its normal interval, in the unit of the ratings.

    s^2 = sum_n (r_n - mean)^2 / (N - 1). Ratings may be integers.

    Raises ValueError if ratings is no vector or holds fewer than two, or z is not positive.
    Source: ITU-T Recommendation P.800.
    [N] -> [], []
    """
    require_positive(z=z)
    require_rank(1, ratings=ratings)
    size = jnp.shape(ratings)[0]
    require(size >= 2, f"ratings has {size} entries; it must hold at least two, for their variance")
    ratings = _as_float(ratings)
    mean = jnp.mean(ratings)
    variance = jnp.sum((ratings - mean) ** 2) / (size - 1)
    differ = variance > 0  # a root has no slope at 0, where it is given the slope 0
    deviation = jnp.where(differ, jnp.sqrt(jnp.where(differ, variance, 1.0)), 0.0)
    return mean, z * deviation / math.sqrt(size)


def wilson_interval(successes, trials, *, z=Z_95):
    r"""Both roots p of (k/n - p)^2 = z^2 p (1 - p) / n: Wilson's interval of a probability, k = successes of n = trials.

    (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2), written without a difference of near numbers: the lower end is
    exactly 0 without a success, and the upper exactly 1 without a failure.

    Raises ValueError if successes and trials differ in shape or are no integers, an entry of trials is below 1, one of successes
    is negative or above its trials, or z is not positive.  Source: Wilson 1927.
    [B], [B] -> [B], [B]
    """
    require_positive(z=z)
    require_rank(1, successes=successes)
    require_same_shape(successes=successes, trials=trials)
    require_integers(successes=successes, trials=trials)
    successes, trials = widened(successes), widened(trials)
    require_values("trials", trials, lambda n: n >= 1, "at least 1")
    require_values("successes", successes, lambda k: k >= 0, "at least 0")
    require_values("trials less successes", trials - successes, lambda m: m >= 0, "at least 0: successes are among the trials")
    k, m, n = _as_float(successes), _as_float(trials - successes), _as_float(trials)
    reach = z**2 / 2 + z * jnp.sqrt(k * m / n + z**2 / 4)
    # (n + z^2) times the upper end is k + reach, and times one minus it (1 + z^2/n) m^2 / (m + reach)
    return k**2 / (n * (k + reach)), (k + reach) / (k + reach + (1 + z**2 / n) * m**2 / (m + reach))


def bradley_terry_negative_log_likelihood(winners, losers, scores):
    r"""-log sigma(s_w - s_l) = log(1 + e^(s_l - s_w)) of every comparison, in nats; w = winner, l = loser, s = scores.

    Raises ValueError if winners and losers differ in shape, hold anything but indices of scores, or are equal somewhere; or if
    scores is no vector.  Source: Bradley & Terry 1952.
    [N], [N], [K] -> [N]
    """
    require_rank(1, winners=winners, scores=scores)
    require_same_shape(winners=winners, losers=losers)
    require_integers(winners=winners, losers=losers)
    winners, losers, items = widened(winners), widened(losers), jnp.shape(scores)[0]
    for name, index in (("winners", winners), ("losers", losers)):
        require_values(name, index, lambda i: (i >= 0) & (i < items), f"an index of scores, 0..{items - 1}")
    require_values("winners less losers", winners - losers, lambda i: i != 0, "different from 0: nothing is compared with itself")
    return -jax.nn.log_sigmoid(scores[winners] - scores[losers])


def fleiss_kappa(counts):
    r"""(P - P_e) / (1 - P_e): how far raters agree beyond chance; counts[i, k] of the n ratings of item i are in category k.

    P is the share of pairs of ratings of one item that agree, and P_e = sum_k s_k^2 with s_k the share of category k among all
    ratings. It is 1 at full agreement and never below -1 / (n - 1).

    Raises ValueError if counts is no matrix of nonnegative integers with a row and two columns at least, if its rows do not sum
    to one number of raters, at least 2, or if all ratings are in one category.  Source: Fleiss 1971.
    [N, K] -> []
    """
    require_rank(2, counts=counts)
    items, categories = jnp.shape(counts)
    require(
        items >= 1 and categories >= 2,
        f"counts has shape {[items, categories]}; it must have at least one item and two categories",
    )
    require_integers(counts=counts)
    counts = widened(counts)
    require_values("counts", counts, lambda c: c >= 0, "at least 0")
    raters = jnp.sum(counts, axis=1)
    require_values("the sum of a row of counts", raters, lambda n: n == n[0], "equal for all items: as many raters each")
    require_values("the sum of a row of counts", raters, lambda n: n >= 2, "at least 2: one rater agrees with no one")
    used = jnp.sum(counts, axis=0)
    largest = jnp.max(used) - jnp.sum(counts)
    require_values("the largest category of counts less all", largest, lambda r: r < 0, "negative: kappa needs two categories")
    # Both as disagreements, from differences of integers: 1 - P and 1 - P_e would lose digits where almost all agree.
    total = jnp.sum(used)
    found = jnp.sum(_as_float(counts) * _as_float(raters[:, None] - counts)) / (total * (_as_float(raters[0]) - 1))
    return 1 - found / jnp.sum(used / total * ((total - used) / total))


def _as_float(array):
    """Integers in JAX's default floating-point type; anything else as it is."""
    return jnp.asarray(array, jnp.result_type(array, float))
