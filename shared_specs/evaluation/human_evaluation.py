"""Contracts of human evaluation (lecture 14)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, full, given, integers, normal, uniform, zeros

Z_95 = 1.959963984540054
INTEGERS = "counts are integers"
SUCCESSES, TRIALS = np.array([3, 0, 20, 1, 7]), np.array([9, 20, 20, 1, 200])
MANY = {"successes": np.array([255, 0, 256, 1000, 1]), "trials": np.array([256, 300, 256, 100_000, 100_000])}
BYTES = {"successes": np.array([255, 200, 0]), "trials": np.array([255, 255, 255])}
WINNERS, LOSERS = np.array([0, 3, 1, 2, 0]), np.array([1, 0, 2, 3, 2])
TEN = {"winners": np.array([0] * 7 + [1] * 3), "losers": np.array([1] * 7 + [0] * 3)}  # seven wins of ten
TABLE = np.array([[2, 1, 0], [3, 0, 0], [0, 1, 2], [1, 1, 1]])  # four items, three raters
SPLIT = np.array([[3, 0], [2, 1], [0, 3], [1, 2]])
HUNDREDS = np.array([[200, 100], [255, 45], [150, 150]])  # bytes with sums above a byte


def _ends_at(successes, trials, z):
    """The ends by the usual quadratic formula."""
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    half = z * np.sqrt(k * (n - k) / n + z**2 / 4)
    return (k + z**2 / 2 - half) / (n + z**2), (k + z**2 / 2 + half) / (n + z**2)


def _wald(successes, trials, z):
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    half = z * np.sqrt(k * (n - k) / n) / n
    return k / n - half, k / n + half


def _halved(successes, trials, z):
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    half = z * np.sqrt(k * (n - k) / n + z**2 / 8)
    return (k + z**2 / 4 - half) / (n + z**2 / 2), (k + z**2 / 4 + half) / (n + z**2 / 2)


SPEC = (
    Agree("mean_opinion_score", "regular", given(ratings=uniform(7, low=1.0, high=5.0)), smallest_batch=2),
    Agree("mean_opinion_score", "three standard errors", given(ratings=normal(6, mean=3.0), z=3.0)),
    Agree("mean_opinion_score", "equal ratings", given(ratings=full(5, value=4.0)),
          no_gradient="a deviation has a kink at 0"),
    Agree("mean_opinion_score", "near 1000", given(ratings=normal(6, mean=1000.0))),
    Agree("mean_opinion_score", "whole numbers", given(ratings=np.array([5, 1, 4, 4, 2])), no_gradient="ratings are integers"),
    Agree("mean_opinion_score", "a scale to 255", given(ratings=np.array([255, 0, 200, 255])),
          no_gradient="ratings are integers"),
    Agree("wilson_interval", "regular", given(successes=SUCCESSES, trials=TRIALS), no_gradient=INTEGERS),
    Agree("wilson_interval", "one standard error", given(successes=SUCCESSES, trials=TRIALS, z=1.0), no_gradient=INTEGERS),
    Agree("wilson_interval", "many trials", given(**MANY), no_gradient=INTEGERS),
    Agree("wilson_interval", "bytes", given(**BYTES), no_gradient=INTEGERS),
    Agree("bradley_terry_negative_log_likelihood", "regular", given(winners=WINNERS, losers=LOSERS, scores=normal(4))),
    Agree("bradley_terry_negative_log_likelihood", "far apart", given(winners=WINNERS, losers=LOSERS,
                                                                      scores=[30.0, -30.0, 500.0, -500.0])),
    Agree("bradley_terry_negative_log_likelihood", "scores near 1000", given(winners=WINNERS, losers=LOSERS,
                                                                             scores=normal(4, mean=1000.0))),
    Agree("bradley_terry_negative_log_likelihood", "256 items",
          given(winners=np.array([255, 0, 7, 254, 255]), losers=np.array([0, 255, 255, 3, 7]), scores=normal(256))),
    Agree("fleiss_kappa", "regular", given(counts=TABLE), no_gradient=INTEGERS, smallest_batch=1),
    Agree("fleiss_kappa", "two raters who always disagree", given(counts=np.array([[1, 1], [1, 1], [1, 1]])),
          no_gradient=INTEGERS),
    Agree("fleiss_kappa", "an unused category", given(counts=np.array([[2, 0, 1], [1, 0, 2]])), no_gradient=INTEGERS),
    Agree("fleiss_kappa", "255 raters", given(counts=np.array([[255, 0, 0], [200, 50, 5], [85, 85, 85]])), no_gradient=INTEGERS),
    Agree("fleiss_kappa", "256 raters", given(counts=np.array([[255, 1], [128, 128], [0, 256]])), no_gradient=INTEGERS),
    Agree("fleiss_kappa", "300 raters, counted in bytes", given(counts=HUNDREDS), no_gradient=INTEGERS),
    Agree("fleiss_kappa", "almost all in one category", given(counts=np.array([[10_000, 0], [9_999, 1], [10_000, 0]])),
          no_gradient=INTEGERS),
    Anchor(
        "mean_opinion_score", "5, 4, 4, 3", given(ratings=[5.0, 4.0, 4.0, 3.0]), gives=(4.0, Z_95 / 6**0.5),
        source="by hand: s^2 = 2/3",
        near_misses={"divided by N": (4.0, Z_95 / 8**0.5), "of one rating": (4.0, Z_95 * (2 / 3) ** 0.5),
                     "variance for its root": (4.0, Z_95 / 6), "both sides": (4.0, 2 * Z_95 / 6**0.5),
                     "z forgotten": (4.0, 6**-0.5)},
    ),
    Anchor("mean_opinion_score", "equal ratings", given(ratings=[3.0, 3.0, 3.0]), gives=(3.0, 0.0), source="by hand",
           near_misses={"a prior of one": (3.0, Z_95 / 3**0.5)}),
    Anchor(
        "wilson_interval", "one standard error", given(successes=np.array([3, 6, 0, 1]), trials=np.array([9, 9, 9, 1]), z=1.0),
        gives=([0.2, 0.5, 0.0, 0.5], [0.5, 0.8, 0.1, 1.0]), source="by hand: roots 3/2, 3/2, 1/2 and 1/2",
        near_misses={"Wald's": _wald([3, 6, 0, 1], [9, 9, 9, 1], 1.0),
                     "the terms in z halved": _halved([3, 6, 0, 1], [9, 9, 9, 1], 1.0),
                     "of the failures": ([0.5, 0.2, 0.9, 0.0], [0.8, 0.5, 1.0, 0.5]),
                     "ends exchanged": ([0.5, 0.8, 0.1, 1.0], [0.2, 0.5, 0.0, 0.5])},
    ),
    Anchor(
        "wilson_interval", "95%, of 18 and of 10 in 20",
        given(successes=np.array([18, 10]), trials=np.array([20, 20])), gives=_ends_at([18, 10], [20, 20], Z_95),
        source="the quadratic formula",
        near_misses={"Wald's": _wald([18, 10], [20, 20], Z_95), "the terms in z halved": _halved([18, 10], [20, 20], Z_95),
                     "90%": _ends_at([18, 10], [20, 20], 1.6448536269514722)},
    ),
    Anchor(
        "bradley_terry_negative_log_likelihood", "odds of 2, of 1/2, and of 1/6",
        given(winners=np.array([0, 1, 2]), losers=np.array([1, 0, 0]), scores=[LOG_2, 0.0, -LOG_3]),
        gives=np.log([3 / 2, 3.0, 7.0]), source="by hand",
        near_misses={"winner and loser swapped": np.log([3.0, 3 / 2, 7 / 6]), "the log-likelihood": -np.log([3 / 2, 3.0, 7.0]),
                     "the probability": [2 / 3, 1 / 3, 1 / 7], "in bits": np.log2([3 / 2, 3.0, 7.0])},
    ),
    Anchor(
        "fleiss_kappa", "three raters, two categories", given(counts=SPLIT), gives=1 / 3, source="by hand: (2/3 - 1/2) / (1/2)",
        near_misses={"chance from the shares of each item": -0.5, "pairs with themselves": 5 / 9, "the agreement": 2 / 3,
                     "not divided": 1 / 6},
    ),
    Anchor(
        "fleiss_kappa", "one category is rare", given(counts=np.array([[3, 0], [2, 1], [3, 0]])), gives=-1 / 8,
        source="by hand: (7/9 - 65/81) / (16/81)",
        near_misses={"uniform chance": 5 / 9, "the agreement": 7 / 9, "divided by chance": -2 / 65},
    ),
    Anchor("fleiss_kappa", "full agreement", given(counts=np.array([[0, 4, 0], [4, 0, 0]])), gives=1.0, source="by hand",
           near_misses={"chance": 0.5}),
    Anchor("fleiss_kappa", "two raters, three categories, no agreement",
           given(counts=np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])),
           gives=-0.5, source="by hand: (0 - 1/3) / (2/3)", near_misses={"as with two categories": -1.0, "by chance": 0.0}),
    Law.equal("another unit changes both by its factor", given(ratings=uniform(7, low=1.0, high=5.0)),
              left=lambda f, r: np.stack(f.mean_opinion_score(4 * r - 3)),
              right=lambda f, r: 4 * np.stack(f.mean_opinion_score(r)) - np.array([3.0, 0.0])),
    Law.equal("the order of the ratings does not count", given(ratings=normal(7)),
              left=lambda f, r: np.stack(f.mean_opinion_score(r[[3, 6, 0, 2, 5, 1, 4]])),
              right=lambda f, r: np.stack(f.mean_opinion_score(r))),
    Law.equal("a share is z standard errors of each end away",
              given(successes=np.array([3, 18, 1]), trials=np.array([9, 20, 200])),
              left=lambda f, k, n: np.stack([(k / n - p) ** 2 for p in f.wilson_interval(k, n)]),
              right=lambda f, k, n: np.stack([Z_95**2 * p * (1 - p) / n for p in f.wilson_interval(k, n)])),
    Law.equal("the interval of the failures is the mirror image", given(successes=SUCCESSES, trials=TRIALS),
              left=lambda f, k, n: np.stack(f.wilson_interval(n - k, n)),
              right=lambda f, k, n: 1 - np.stack(f.wilson_interval(k, n))[::-1]),
    Law.equal("ends are exactly 0 without a success, and 1 without a failure", given(),
              left=lambda f: np.stack([f.wilson_interval(np.array([0, 0]), np.array([7, 1000]))[0] == 0,
                                       f.wilson_interval(np.array([7, 1000]), np.array([7, 1000]))[1] == 1]), right=True),
    Law.equal("the share is inside, and the interval within 0 and 1",
              given(successes=integers(40, high=31), trials=full(40, value=30)),
              left=lambda f, k, n: np.diff(np.stack([0 * n, f.wilson_interval(k, n.astype(int))[0], k / n,
                                                     f.wilson_interval(k, n.astype(int))[1], 0 * n + 1]), axis=0) >= -1e-6,
              right=True),
    Law.normalized("one of two wins", given(scores=normal(4, scale=3.0)), total=lambda f, s: (
        np.exp(-f.bradley_terry_negative_log_likelihood(WINNERS, LOSERS, s))
        + np.exp(-f.bradley_terry_negative_log_likelihood(LOSERS, WINNERS, s)))),
    Law.equal("a constant added to all scores changes nothing", given(scores=normal(4)),
              left=lambda f, s: f.bradley_terry_negative_log_likelihood(WINNERS, LOSERS, s + 2.0),
              right=lambda f, s: f.bradley_terry_negative_log_likelihood(WINNERS, LOSERS, s)),
    Law.equal("seven wins of ten: the slope is zero at the logit", given(scores=[np.log(7 / 3) + 1.0, 1.0]),
              left=lambda f, s: f.gradient("bradley_terry_negative_log_likelihood", TEN["winners"], TEN["losers"], s, wrt=2),
              right=0.0),
    Law.equal("neither the order of items nor that of categories counts", given(counts=TABLE),
              left=lambda f, c: f.fleiss_kappa(c[[2, 0, 3, 1]][:, [1, 2, 0]]), right=lambda f, c: f.fleiss_kappa(c)),
    Law.equal("items with equal counts have the least kappa", given(),
              left=lambda f: np.stack([f.fleiss_kappa(np.full((3, 2), half)) for half in (1, 2, 5)]),
              right=lambda f: -1 / (2 * np.array([1.0, 2.0, 5.0]) - 1)),
    Law.equal("an item twice is two items", given(counts=TABLE), left=lambda f, c: f.fleiss_kappa(np.repeat(c, 2, axis=0)),
              right=lambda f, c: f.fleiss_kappa(c)),
    *(Rejects("mean_opinion_score", case, given(ratings=ratings), blames="ratings")
      for case, ratings in (("one rating", zeros(1)), ("no rating", zeros(0)), ("a matrix", zeros(3, 2)))),
    *(Rejects("mean_opinion_score", f"z = {z:g}", given(ratings=normal(3), z=z), blames="z") for z in (0.0, -1.0)),
    Rejects("wilson_interval", "z = 0", given(successes=SUCCESSES, trials=TRIALS, z=0.0), blames="z"),
    *(
        Rejects("wilson_interval", case, given(successes=successes, trials=trials), blames=blames)
        for case, successes, trials, blames in (
            ("more successes than trials", np.array([3, 8]), np.array([3, 7]), "successes"),
            ("a negative number of successes", np.array([-1]), np.array([7]), "successes"),
            ("no trial", np.array([0, 0]), np.array([5, 0]), "trials"),
            ("a share", [0.9], np.array([20]), "successes"),
            ("trials that are no integers", np.array([9]), [20.0], "trials"),
            ("shapes differ", np.array([1, 2]), np.array([3]), "trials"),
        )
    ),
    *(
        Rejects("bradley_terry_negative_log_likelihood", case, given(winners=winners, losers=losers, scores=zeros(3)),
                blames=blames)
        for case, winners, losers, blames in (
            ("itself", np.array([0, 1]), np.array([2, 1]), "winners"),
            ("a winner too many", np.array([3]), np.array([0]), "winners"),
            ("a negative loser", np.array([0]), np.array([-1]), "losers"),
            ("shapes differ", np.array([0, 1]), np.array([2]), "losers"),
            ("no integers", [0.0], np.array([1]), "winners"),
        )
    ),
    *(
        Rejects("fleiss_kappa", case, given(counts=counts), blames="counts")
        for case, counts in (
            ("unequal numbers of raters", np.array([[2, 1], [2, 2]])), ("one category", np.array([[3], [3]])),
            ("all ratings in one category", np.array([[3, 0], [3, 0]])), ("one rater", np.array([[1, 0], [0, 1]])),
            ("a negative count", np.array([[4, -1], [2, 1]])), ("no item", np.zeros((0, 2), dtype=int)),
            ("no integers", full(2, 2, value=2.0)),
        )
    ),
)  # fmt: skip
