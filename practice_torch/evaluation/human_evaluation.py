"""Human evaluation: intervals for mean opinions and shares, scores from comparisons, and the agreement of raters beyond chance.

Successes, trials and counts are integers, of whatever width. Results of integers alone have torch's default dtype.
"""

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import (
    as_int64,
    require,
    require_integers,
    require_positive,
    require_rank,
    require_same_shape,
    require_values,
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
    require(len(ratings) >= 2, f"ratings has {len(ratings)} entries; it must hold at least two, for their variance")
    deviation, mean = torch.std_mean(_as_float(ratings), correction=1)  # its gradient at equal ratings is 0
    return mean, deviation * (z / len(ratings) ** 0.5)


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
    successes, trials = as_int64(successes), as_int64(trials)
    failures = trials - successes
    require_values("trials", trials, lambda n: n >= 1, "at least 1")
    require_values("successes", successes, lambda k: k >= 0, "at least 0")
    require_values("trials less successes", failures, lambda m: m >= 0, "at least 0: successes are among the trials")
    k, m, n = _as_float(successes), _as_float(failures), _as_float(trials)
    reach = z**2 / 2 + z * (k * m / n + z**2 / 4).sqrt()
    # The interval of the failures is the mirror image: the upper end from the odds against it, which are exact at 0.
    odds_against_upper = (1 + z**2 / n) * m.square() / ((m + reach) * (k + reach))
    return k.square() / (n * (k + reach)), 1 / (1 + odds_against_upper)


def bradley_terry_negative_log_likelihood(winners, losers, scores):
    r"""-log sigma(s_w - s_l) = log(1 + e^(s_l - s_w)) of every comparison, in nats; w = winner, l = loser, s = scores.

    Raises ValueError if winners and losers differ in shape, hold anything but indices of scores, or are equal somewhere; or if
    scores is no vector.  Source: Bradley & Terry 1952.
    [N], [N], [K] -> [N]
    """
    require_rank(1, winners=winners, scores=scores)
    require_same_shape(winners=winners, losers=losers)
    require_integers(winners=winners, losers=losers)
    winners, losers, items = as_int64(winners), as_int64(losers), len(scores)
    for name, index in (("winners", winners), ("losers", losers)):
        require_values(name, index, lambda i: (i >= 0) & (i < items), f"an index of scores, 0..{items - 1}")
    require_values("winners less losers", winners - losers, lambda i: i != 0, "different from 0: nothing is compared with itself")
    return -logsigmoid(scores[winners] - scores[losers])


def fleiss_kappa(counts):
    r"""(P - P_e) / (1 - P_e): how far raters agree beyond chance; counts[i, k] of the n ratings of item i are in category k.

    P is the share of pairs of ratings of one item that agree, and P_e = sum_k s_k^2 with s_k the share of category k among all
    ratings. It is 1 at full agreement and never below -1 / (n - 1).

    Raises ValueError if counts is no matrix of nonnegative integers with a row and two columns at least, if its rows do not sum
    to one number of raters, at least 2, or if all ratings are in one category.  Source: Fleiss 1971.
    [N, K] -> []
    """
    require_rank(2, counts=counts)
    items, categories = counts.shape
    require(
        items >= 1 and categories >= 2,
        f"counts has shape {[items, categories]}; it must have at least one item and two categories",
    )
    require_integers(counts=counts)
    counts = as_int64(counts)
    require_values("counts", counts, lambda c: c >= 0, "at least 0")
    raters, used = counts.sum(1), counts.sum(0)
    require_values("the sum of a row of counts", raters, lambda n: n == n[0], "equal for all items: as many raters each")
    require_values("the sum of a row of counts", raters, lambda n: n >= 2, "at least 2: one rater agrees with no one")
    largest = used.amax() - used.sum()
    require_values("the largest category of counts less all", largest, lambda r: r < 0, "negative: kappa needs two categories")
    # Pairs that disagree, counted in integers: agreements near 1 would lose their digits in 1 - P and 1 - P_e.
    of_one_item = (counts * (raters[:, None] - counts)).sum() / (used.sum() * (raters[0] - 1))
    shares = used / used.sum()
    by_chance = (shares * ((used.sum() - used) / used.sum())).sum()
    return 1 - of_one_item / by_chance


def _as_float(tensor):
    """Integers in torch's default dtype; anything else as it is."""
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
