"""Contracts of the Plackett-Luce model (lecture 54)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Cancels, Law, Rejects, given, log_of, normal, uniform, zeros


def _orders(items, places):
    """All lists of this many different items, [orders, places], in lexicographic order."""
    return np.array([row for row in np.ndindex((items,) * places) if len(set(row)) == places])


# Three items with the weights 4, 2, 1.
SCORES = log_of([4.0, 2.0, 1.0])
ORDERS, FOUR = _orders(3, 3), _orders(4, 4)
PROBS = [8 / 21, 4 / 21, 8 / 35, 2 / 35, 2 / 21, 1 / 21]  # of 012, 021, 102, 120, 201, 210
FULL, TOP = [[2, 0, 1, 3], [3, 2, 1, 0], [0, 1, 2, 3], [1, 3, 0, 2], [2, 3, 1, 0]], [[2, 0], [3, 1], [0, 1], [1, 0], [3, 2]]
WIDE = [[255, 3, 128], [0, 254, 255], [17, 200, 1], [130, 131, 129]]
STIFF = Cancels(1.0, "the slope of a log-sum-exp is the exponential of a difference of numbers as large as the scores")
FLAT = "slopes as small as e^-30 are sums over pairs, in which the diagonal's terms cancel"
JUMPS = "a ranking is an integer result"


def _of_each(f, orders, scores):
    """P of every order of the items of one row of scores."""
    return np.exp(f.ranking_log_prob(orders, np.tile(scores, (len(orders), 1))))


def _places():
    """The place of every item, counted from 0, in each of the 24 orders."""
    return FOUR.argsort(axis=1)


def _before():
    """Whether item i is ranked before item j, in entry [order, i, j]."""
    return _places()[:, :, None] < _places()[:, None, :]


def _softmax(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def _frequencies(orders):
    """Which of the 24 orders each row is, as ones and zeros."""
    return (orders[:, None] == FOUR).all(axis=2).astype(np.float64)


SPEC = (
    Agree("ranking_log_prob", "regular", given(ranking=FULL, scores=normal(5, 4))),
    Agree("ranking_log_prob", "the two best of four", given(ranking=TOP, scores=normal(5, 4))),
    Agree("ranking_log_prob", "the best alone", given(ranking=[[2], [0], [1], [3], [2]], scores=normal(5, 4))),
    Agree("ranking_log_prob", "scores times 300", given(ranking=FULL, scores=normal(5, 4, scale=300.0)), cancels=STIFF),
    Agree("ranking_log_prob", "the two best, scores times 300", given(ranking=TOP, scores=normal(5, 4, scale=300.0)),
          cancels=STIFF),
    Agree("ranking_log_prob", "nearly certain",
          given(ranking=[[0, 1, 2], [0, 1, 2]], scores=[[30.0, 0.0, -30.0], [40.0, 19.0, -3.0]]),
          edge="a log-softmax gives 0 for the logarithm of 1 - e^-30"),
    Agree("ranking_log_prob", "scores near 1000", given(ranking=FULL, scores=normal(5, 4, mean=1000.0))),
    Agree("ranking_log_prob", "one item", given(ranking=[[0], [0], [0]], scores=normal(3, 1))),
    Agree("ranking_log_prob", "items up to 255 of 300", given(ranking=WIDE, scores=normal(4, 300))),
    Agree("gumbel_ranking", "regular", given(uniforms=uniform(5, 4), scores=normal(5, 4)), no_gradient=JUMPS,
          frozen=("uniforms",)),
    Agree("gumbel_ranking", "uniforms of 0 and 1", given(uniforms=[[0.0, 0.5, 1.0], [0.9, 1.0, 0.0]], scores=normal(2, 3)),
          no_gradient=JUMPS, frozen=("uniforms",)),
    Agree("gumbel_ranking", "scores times 300", given(uniforms=uniform(5, 4), scores=normal(5, 4, scale=300.0)),
          no_gradient=JUMPS, frozen=("uniforms",)),
    *(
        Agree(function, case, given(scores=scores), no_gradient=flat)
        for function in ("pairwise_marginals", "expected_ranks")
        for case, scores, flat in (("regular", normal(5, 4), ""), ("scores times 300", normal(5, 4, scale=300.0), FLAT),
                                   ("one item", normal(3, 1), ""))
    ),
    Agree("top_one_cross_entropy", "regular", given(target_scores=normal(5, 4), scores=normal(5, 4))),
    Agree("top_one_cross_entropy", "scores times 300", given(target_scores=normal(5, 4), scores=normal(5, 4, scale=300.0))),
    Agree("top_one_cross_entropy", "targets times 300", given(target_scores=normal(5, 4, scale=300.0), scores=normal(5, 4))),
    Agree("top_one_cross_entropy", "one item", given(target_scores=normal(3, 1), scores=normal(3, 1))),
    Anchor(
        "ranking_log_prob", "all orders of three items", given(ranking=ORDERS, scores=[SCORES] * 6),
        gives=log_of(PROBS), source="by hand",
        near_misses={
            "denominator over all items each time": log_of([8 / 343] * 6),
            "the worst first": log_of([1 / 21, 2 / 35, 2 / 21, 4 / 21, 8 / 35, 8 / 21]),
            "ranks for orders": log_of([8 / 21, 4 / 21, 8 / 35, 2 / 21, 2 / 35, 1 / 21]),
            "probabilities": PROBS,
        },
    ),
    Anchor(
        "ranking_log_prob", "the two best of three", given(ranking=[[1, 0], [2, 0]], scores=[SCORES] * 2),
        gives=log_of([8 / 35, 2 / 21]), source="by hand",
        near_misses={"among the chosen alone": log_of([1 / 3, 1 / 5]), "the best alone": log_of([2 / 7, 1 / 7]),
                     "with replacement": log_of([8 / 49, 4 / 49])},
    ),
    Anchor(
        "ranking_log_prob", "equal scores", given(ranking=[[3, 1], [0, 4]], scores=zeros(2, 5)), gives=log_of([1 / 20, 1 / 20]),
        source="1 of 5 * 4 ordered pairs",
        near_misses={"without an order": log_of([1 / 10, 1 / 10]), "with replacement": log_of([1 / 25, 1 / 25])},
    ),
    Anchor(
        "gumbel_ranking", "arrival times -log(u) e^(-s)",
        given(uniforms=[[0.1, 0.9, 0.5], [2**-2.0, 2**-1.6, 2**-0.9]], scores=[[0.0, 0.0, 0.0], SCORES]),
        gives=[[1, 2, 0], [0, 1, 2]], source="by hand: the times are 2.3, 0.1, 0.7, and log 2 times 0.5, 0.8, 0.9",
        near_misses={"ascending": [[0, 2, 1], [2, 1, 0]], "ranks": [[2, 0, 1], [0, 1, 2]],
                     "scores forgotten": [[1, 2, 0], [2, 1, 0]]},
    ),
    Anchor(
        "pairwise_marginals", "weights 4, 2, 1", given(scores=[SCORES]),
        gives=[[[1 / 2, 2 / 3, 4 / 5], [1 / 3, 1 / 2, 2 / 3], [1 / 5, 1 / 3, 1 / 2]]], source="by hand",
        near_misses={"turned over": [[[1 / 2, 1 / 3, 1 / 5], [2 / 3, 1 / 2, 1 / 3], [4 / 5, 2 / 3, 1 / 2]]],
                     "0 on the diagonal": [[[0, 2 / 3, 4 / 5], [1 / 3, 0, 2 / 3], [1 / 5, 1 / 3, 0]]]},
    ),
    Anchor(
        "expected_ranks", "weights 4, 2, 1", given(scores=[SCORES]), gives=[[23 / 15, 2.0, 37 / 15]], source="by hand",
        near_misses={"own term forgotten": [[31 / 30, 1.5, 59 / 30]], "the best has rank 0": [[8 / 15, 1.0, 22 / 15]],
                     "turned over": [[37 / 15, 2.0, 23 / 15]]},
    ),
    Anchor(
        "top_one_cross_entropy", "weights 2, 1, 1 against 1, 1, 2",
        given(target_scores=[[LOG_2, 0.0, 0.0]], scores=[[0.0, 0.0, LOG_2]]), gives=[1.75 * LOG_2], source="by hand",
        near_misses={"bits": [1.75], "divergence": [0.25 * LOG_2], "mean over items": [1.75 * LOG_2 / 3],
                     "of the targets with themselves": [1.5 * LOG_2]},
    ),
    Law.normalized("the 24 orders of four items", given(scores=normal(4)), total=lambda f, s: _of_each(f, FOUR, s).sum()),
    Law.normalized("the 12 ordered pairs of the two best", given(scores=normal(4)),
                   total=lambda f, s: _of_each(f, _orders(4, 2), s).sum()),
    Law.equal("a prefix has the sum of its completions", given(scores=normal(4)),
              left=lambda f, s: _of_each(f, FOUR[::2, :2], s),
              right=lambda f, s: _of_each(f, FOUR, s).reshape(12, 2).sum(axis=1)),
    Law.equal("the best is a softmax", given(scores=normal(4)),
              left=lambda f, s: _of_each(f, np.arange(4)[:, None], s), right=lambda f, s: np.exp(s) / np.exp(s).sum()),
    Law.equal("a shift of the scores changes nothing", given(scores=normal(24, 4), shift=normal(24, 1)),
              left=lambda f, s, shift: f.ranking_log_prob(FOUR, s + shift),
              right=lambda f, s, shift: f.ranking_log_prob(FOUR, s)),
    Law.equal("the gradient sums to zero over the items", given(scores=normal(24, 4)),
              left=lambda f, s: f.gradient("ranking_log_prob", FOUR, s, wrt=1).sum(axis=1), right=0.0),
    Law.equal("orders with i before j have the pairwise marginal", given(scores=normal(4)),
              left=lambda f, s: np.tensordot(_of_each(f, FOUR, s), _before(), 1) + np.eye(4) / 2,
              right=lambda f, s: f.pairwise_marginals(s[None])[0]),
    Law.equal("the mean of the ranks over all orders is the expected rank", given(scores=normal(4)),
              left=lambda f, s: _of_each(f, FOUR, s) @ (1 + _places()), right=lambda f, s: f.expected_ranks(s[None])[0]),
    Law.equal("expected ranks sum to N (N + 1) / 2", given(scores=normal(5, 4)),
              left=lambda f, s: f.expected_ranks(s).sum(axis=1), right=10.0),
    Law.equal("i before j, or j before i", given(scores=normal(5, 4)),
              left=lambda f, s: f.pairwise_marginals(s) + f.pairwise_marginals(s).transpose(0, 2, 1), right=1.0),
    Law.unbiased("draws have the law of the rankings", given(scores=normal(4)), draws=20_000, detects=0.03,
                 samples=lambda f, rng, draws, s: _frequencies(
                     f.gumbel_ranking(rng.uniform(size=(draws, 4)), np.tile(s, (draws, 1)))),
                 expected=lambda f, s: _of_each(f, FOUR, s)),
    Law.equal("the slope of ListNet's loss is q - p", given(target=normal(5, 4), scores=normal(5, 4)),
              left=lambda f, t, s: f.gradient("top_one_cross_entropy", t, s, wrt=1),
              right=lambda f, t, s: _softmax(s) - _softmax(t)),
    Law.at_least("ListNet's loss is smallest at the targets", given(target=normal(5, 4), scores=normal(5, 4)),
                 left=lambda f, t, s: f.top_one_cross_entropy(t, s), right=lambda f, t, s: f.top_one_cross_entropy(t, t + 1.0)),
    Rejects("ranking_log_prob", "an item twice", given(ranking=[[0, 1, 2], [2, 0, 2]], scores=zeros(2, 4)),
            blames="ranking is 2 at"),
    Rejects("ranking_log_prob", "an item outside", given(ranking=[[0, 3]], scores=zeros(1, 3)), blames="ranking is 3 at"),
    Rejects("ranking_log_prob", "a negative item", given(ranking=[[0, -1]], scores=zeros(1, 3)), blames="ranking is -1 at"),
    Rejects("ranking_log_prob", "more places than items", given(ranking=[[0, 1, 2]], scores=zeros(1, 2)), blames="ranking"),
    Rejects("ranking_log_prob", "no place", given(ranking=np.zeros((2, 0), int), scores=zeros(2, 3)), blames="ranking"),
    Rejects("ranking_log_prob", "scores in place of items", given(ranking=[[0.0, 1.0]], scores=zeros(1, 2)), blames="ranking"),
    Rejects("ranking_log_prob", "another number of rows", given(ranking=[[0, 1]], scores=zeros(2, 2)), blames="scores"),
    Rejects("ranking_log_prob", "one row without its axis", given(ranking=np.array([0, 1]), scores=zeros(2)), blames="ranking"),
    Rejects("gumbel_ranking", "a uniform of 1.5", given(uniforms=[[0.5, 1.5]], scores=zeros(1, 2)), blames="uniforms"),
    Rejects("gumbel_ranking", "a negative uniform", given(uniforms=[[-0.1, 0.5]], scores=zeros(1, 2)), blames="uniforms"),
    Rejects("gumbel_ranking", "shapes differ", given(uniforms=uniform(2, 3), scores=zeros(2, 2)), blames="scores"),
    Rejects("pairwise_marginals", "one row without its axis", given(scores=zeros(3)), blames="scores"),
    Rejects("expected_ranks", "one row without its axis", given(scores=zeros(3)), blames="scores"),
    Rejects("top_one_cross_entropy", "shapes differ", given(target_scores=zeros(2, 3), scores=zeros(2, 2)), blames="scores"),
    Rejects("top_one_cross_entropy", "no item", given(target_scores=zeros(2, 0), scores=zeros(2, 0)), blames="target_scores"),
)  # fmt: skip
