"""Contracts of n-gram models (lecture 42)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, log_of, log_simplex, normal, uniform, zeros

COUNTS = np.array([[3, 1, 0], [1, 0, 2], [0, 0, 0]])
SPARSE = np.array([[3, 1, 0, 0, 0], [0, 5, 2, 0, 0], [1, 0, 0, 4, 0], [2, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
FRACTIONAL = np.array([[3.5, 1.25, 0.0, 2.0], [0.0, 1.75, 2.5, 0.0], [0.0, 0.0, 0.0, 0.0], [1.5, 0.0, 4.0, 0.0]])
SINGLE, PAIRS = log_of([0.75, 0.25]), log_of([[0.5, 0.5], [0.25, 0.75]])
WEIGHTS = log_of([0.25, 0.75])
SCORES = log_of([[0.5, 0.25], [0.125, 0.5]])
INFINITE = "a word that is impossible has log-probability -inf"

TEXT = np.array([[0, 1, 0, 1, 2, 0, 1, 1], [2, 1, 0, 1, 0, 0, 2, 1]])
TRIPLES = np.array(
    [
        [[17 / 128, 33 / 128, 39 / 64], [291 / 512, 115 / 512, 53 / 256], [7 / 32, 23 / 32, 1 / 16]],
        [[49 / 192, 43 / 64, 7 / 96], [33 / 64, 17 / 64, 7 / 32], [23 / 32, 7 / 32, 1 / 16]],
        [[17 / 128, 97 / 128, 7 / 64], [97 / 128, 17 / 128, 7 / 64], [7 / 16, 7 / 16, 1 / 8]],
    ]
)


def counted(size, pairs):
    """A table of how often each pair occurs."""
    table = np.zeros((size, size), int)
    for pair, count in pairs.items():
        table[pair] = count
    return table


def kneser_ney_of_triples(f, tokens):
    """Order 3: behind what the discount of 1/2 sets free is the pairs' law of N(. v w), the number of different words before."""
    counts = f.ngram_counts(tokens, order=3, vocabulary_size=3)
    behind = np.exp(f.kneser_ney_log_probs((counts > 0).sum(0).astype(float), discount=0.5))
    total, followers = counts.sum(-1, keepdims=True), (counts > 0).sum(-1, keepdims=True)
    return np.where(total > 0, (np.maximum(counts - 0.5, 0) + 0.5 * followers * behind) / np.maximum(total, 1), behind)


SPEC = (
    # Counts.
    Agree("ngram_counts", "regular", given(tokens=integers(3, 20, high=4), order=2, vocabulary_size=5)),
    Agree("ngram_counts", "order 3", given(tokens=integers(3, 20, high=4), order=3, vocabulary_size=4)),
    Agree("ngram_counts", "order 1", given(tokens=integers(3, 20, high=4), order=1, vocabulary_size=4)),
    Agree("ngram_counts", "rows as long as a window", given(tokens=integers(5, 3, high=2), order=3, vocabulary_size=2)),
    Agree("ngram_counts", "rows shorter than a window", given(tokens=integers(5, 2, high=2), order=3, vocabulary_size=2)),
    Anchor(
        "ngram_counts", "two rows", given(tokens=[[0, 1, 0], [1, 1, 0]], order=2, vocabulary_size=3),
        gives=[[0, 1, 0], [2, 1, 0], [0, 0, 0]], source="by hand",
        near_misses={"windows across rows": [[0, 2, 0], [2, 1, 0], [0, 0, 0]], "transposed": [[0, 2, 0], [1, 1, 0], [0, 0, 0]],
                     "one window a row too few": [[0, 1, 0], [0, 1, 0], [0, 0, 0]]},
    ),
    Law.equal(
        "there are T - n + 1 windows a row", given(tokens=integers(4, 11, high=3)),
        left=lambda f, tokens: f.ngram_counts(tokens, order=3, vocabulary_size=3).sum(), right=36.0,
    ),
    Anchor("ngram_counts", "256 tokens", given(tokens=[[0, 255, 255], [255, 255, 1]], order=2, vocabulary_size=256),
           gives=counted(256, {(0, 255): 1, (255, 255): 2, (255, 1): 1}), source="by hand"),
    Rejects("ngram_counts", "a token above V-1", given(tokens=[[0, 3]], order=2, vocabulary_size=3), blames="tokens"),
    Rejects("ngram_counts", "a negative token", given(tokens=[[0, -1]], order=2, vocabulary_size=3), blames="tokens"),
    Rejects("ngram_counts", "windows of nothing", given(tokens=[[0, 1]], order=0, vocabulary_size=3), blames="order"),
    # Additive smoothing.
    Agree("additive_log_probs", "regular", given(counts=uniform(2, 3, 4, low=0.1, high=9.0), pseudo_count=0.5)),
    Agree("additive_log_probs", "whole counts, an empty row", given(counts=SPARSE, pseudo_count=0.25)),
    Agree("additive_log_probs", "an empty row, a tiny pseudo count", given(counts=zeros(2, 3), pseudo_count=1e-9),
          no_gradient="below zero there are no counts to take differences with"),
    Agree("additive_log_probs", "nothing added, a zero", given(counts=[[3.0, 0.0, 1.0], [0.0, 2.0, 5.0]], pseudo_count=0.0),
          no_gradient=INFINITE),
    Agree("additive_log_probs", "counts of 1e15", given(counts=[[1e15, 3e14, 0.0], [2e9, 1.0, 1e9]], pseudo_count=0.1)),
    Anchor(
        "additive_log_probs", "half a count", given(counts=[[3.0, 0.0, 1.0], [0.0, 0.0, 0.0]], pseudo_count=0.5),
        gives=log_of([[7 / 11, 1 / 11, 3 / 11], [1 / 3, 1 / 3, 1 / 3]]), source="by hand",
        near_misses={"the denominator without V": log_of([[7 / 9, 1 / 9, 3 / 9], [1.0, 1.0, 1.0]]),
                     "normalized over contexts": log_of([[7 / 8, 1 / 2, 3 / 4], [1 / 8, 1 / 2, 1 / 4]]),
                     "probabilities": [[7 / 11, 1 / 11, 3 / 11], [1 / 3, 1 / 3, 1 / 3]]},
    ),
    Law.normalized("smoothed rows sum to one", given(counts=uniform(2, 3, 4, high=9.0)),
                   total=lambda f, counts: np.exp(f.additive_log_probs(counts, pseudo_count=0.3)).sum(-1)),
    Anchor("additive_log_probs", "counts with a sum above eight bits",
           given(counts=np.array([[255, 100, 0]]), pseudo_count=0.5),
           gives=log_of([[255.5 / 356.5, 100.5 / 356.5, 0.5 / 356.5]]), source="by hand"),
    Rejects("additive_log_probs", "an empty row and nothing added", given(counts=[[0.0, 0.0], [1.0, 2.0]], pseudo_count=0.0),
            blames="counts"),
    Rejects("additive_log_probs", "a negative count", given(counts=[[-1.0, 3.0]], pseudo_count=0.5), blames="counts"),
    Rejects("additive_log_probs", "a negative pseudo count", given(counts=[[1.0, 3.0]], pseudo_count=-0.5),
            blames="pseudo_count"),
    # Interpolation.
    Agree("interpolated_log_probs", "regular",
          given(log_probs=(log_simplex(3), log_simplex(3, 3), log_simplex(3, 3, 3)), log_weights=log_of([0.2, 0.3, 0.5]))),
    Agree("interpolated_log_probs", "one table", given(log_probs=(log_simplex(4),), log_weights=log_simplex(1))),
    Agree("interpolated_log_probs", "zeros that another table covers",
          given(log_probs=(log_of([0.5, 0.25, 0.25]), log_of([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.2, 0.8, 0.0]])),
                log_weights=WEIGHTS)),
    Agree("interpolated_log_probs", "zeros everywhere, and a weight of zero",
          given(log_probs=(log_of([0.5, 0.5, 0.0]), log_of([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.8, 0.0]])),
                log_weights=log_of([0.0, 1.0])), no_gradient=INFINITE),
    Agree("interpolated_log_probs", "probabilities of e^-500",
          given(log_probs=(log_simplex(3, scale=300.0), log_simplex(3, 3, scale=300.0)), log_weights=WEIGHTS)),
    Anchor(
        "interpolated_log_probs", "a quarter and three quarters", given(log_probs=(SINGLE, PAIRS), log_weights=WEIGHTS),
        gives=log_of([[0.5625, 0.4375], [0.375, 0.625]]), source="by hand",
        near_misses={"geometric": 0.25 * SINGLE + 0.75 * PAIRS, "weights swapped": log_of([[0.6875, 0.3125], [0.625, 0.375]]),
                     "the table of pairs transposed": log_of([[0.5625, 0.25], [0.5625, 0.625]])},
    ),
    Law.normalized("a mixture of laws is a law", given(log_probs=(log_simplex(3), log_simplex(3, 3)), log_weights=log_simplex(2)),
                   total=lambda f, *mixture: np.exp(f.interpolated_log_probs(*mixture)).sum(-1)),
    Law.equal(
        "with all the weight the longest table remains alone", given(log_probs=(log_simplex(3), log_simplex(3, 3))),
        left=lambda f, log_probs: f.interpolated_log_probs(log_probs, log_of([0.0, 1.0])),
        right=lambda f, log_probs: log_probs[1],
    ),
    Rejects("interpolated_log_probs", "a weight too few", given(log_probs=(SINGLE, PAIRS), log_weights=[0.0]),
            blames="log_weights"),
    Rejects("interpolated_log_probs", "weights that sum to 2", given(log_probs=(SINGLE, PAIRS), log_weights=zeros(2)),
            blames="log_weights"),
    Rejects("interpolated_log_probs", "tables in the wrong order", given(log_probs=(PAIRS, SINGLE), log_weights=WEIGHTS),
            blames="log_probs[0]"),
    Rejects("interpolated_log_probs", "a table that sums to 2", given(log_probs=(SINGLE, zeros(2, 2)), log_weights=WEIGHTS),
            blames="log_probs[1]"),
    # EM.
    Agree("interpolation_em_step", "regular", given(token_log_probs=normal(7, 3, mean=-2.0), log_weights=log_simplex(3)),
          smallest_batch=1),
    Agree("interpolation_em_step", "impossible under one component",
          given(token_log_probs=log_of([[0.5, 0.0], [0.25, 0.5], [0.0, 0.125]]), log_weights=WEIGHTS)),
    Agree("interpolation_em_step", "a component that explains nothing, and a weight of zero",
          given(token_log_probs=log_of([[0.5, 0.0, 0.3], [0.25, 0.0, 0.1]]), log_weights=log_of([0.5, 0.5, 0.0])),
          no_gradient="the new weight is 0, its logarithm -inf"),
    Agree("interpolation_em_step", "probabilities of e^-800",
          given(token_log_probs=[[-800.0, -801.0], [-3.0, -850.0], [-790.0, -2.0]], log_weights=WEIGHTS)),
    Agree("interpolation_em_step", "one component", given(token_log_probs=[[-1.0], [-2.0]], log_weights=log_simplex(1))),
    Anchor(
        "interpolation_em_step", "two tokens", given(token_log_probs=SCORES, log_weights=WEIGHTS),
        gives=log_of([31 / 130, 99 / 130]), source="by hand: responsibilities (2/5, 3/5) and (1/13, 12/13)",
        near_misses={"sum for mean": log_of([31 / 65, 99 / 65]), "weights ignored": log_of([13 / 30, 17 / 30]),
                     "weights, not their logarithms": [31 / 130, 99 / 130],
                     "mean of the log responsibilities": [-1.7406200447657555, -0.29543416569175463]},
    ),
    Law.normalized("new weights sum to one", given(token_log_probs=normal(9, 4, scale=2.0), log_weights=log_simplex(4)),
                   total=lambda f, *mixture: np.exp(f.interpolation_em_step(*mixture)).sum()),
    Law.at_least(
        "a step never lowers the likelihood", given(token_log_probs=normal(9, 4, scale=2.0), log_weights=log_simplex(4)),
        left=lambda f, scores, weights: np.logaddexp.reduce(scores + f.interpolation_em_step(scores, weights), axis=1).sum(),
        right=lambda f, scores, weights: np.logaddexp.reduce(scores + weights, axis=1).sum(),
    ),
    Rejects("interpolation_em_step", "a weight too many", given(token_log_probs=SCORES, log_weights=log_of([0.2, 0.3, 0.5])),
            blames="log_weights"),
    Rejects("interpolation_em_step", "weights that sum to 2", given(token_log_probs=SCORES, log_weights=zeros(2)),
            blames="log_weights"),
    Rejects("interpolation_em_step", "an impossible token",
            given(token_log_probs=log_of([[0.5, 0.5], [0.0, 0.0]]), log_weights=WEIGHTS), blames="token_log_probs"),
    Rejects("interpolation_em_step", "no token", given(token_log_probs=np.zeros((0, 2)), log_weights=WEIGHTS),
            blames="token_log_probs"),
    # Kneser-Ney.
    Agree("kneser_ney_log_probs", "regular", given(counts=FRACTIONAL, discount=0.7)),
    Agree("kneser_ney_log_probs", "whole counts", given(counts=COUNTS, discount=0.75)),
    Agree("kneser_ney_log_probs", "a word never seen", given(counts=SPARSE, discount=0.75)),
    Agree("kneser_ney_log_probs", "nothing discounted", given(counts=COUNTS, discount=0.0)),
    Agree("kneser_ney_log_probs", "a discount of one", given(counts=COUNTS, discount=1.0)),
    Anchor(
        "kneser_ney_log_probs", "three words", given(counts=COUNTS, discount=0.5),
        gives=log_of([[3 / 4, 3 / 16, 1 / 16], [1 / 3, 1 / 12, 7 / 12], [1 / 2, 1 / 4, 1 / 4]]), source="by hand",
        near_misses={
            "unigram instead of continuation": log_of([
                [43 / 56, 9 / 56, 4 / 56], [5 / 14, 1 / 21, 25 / 42], [4 / 7, 1 / 7, 2 / 7]]),
            "an unseen context is uniform": log_of([[3 / 4, 3 / 16, 1 / 16], [1 / 3, 1 / 12, 7 / 12], [1 / 3, 1 / 3, 1 / 3]]),
            "back-off only where unseen": log_of([[5 / 8, 1 / 8, 1 / 16], [1 / 6, 1 / 12, 1 / 2], [1 / 2, 1 / 4, 1 / 4]]),
        },
    ),
    Law.normalized("Kneser-Ney rows sum to one", given(counts=SPARSE),
                   total=lambda f, counts: np.exp(f.kneser_ney_log_probs(counts, discount=0.6)).sum(-1)),
    Law.equal(
        "Kneser-Ney keeps the frequencies of words", given(counts=SPARSE),
        left=lambda f, counts: counts.sum(1) / counts.sum() @ np.exp(f.kneser_ney_log_probs(counts, discount=0.6)),
        right=lambda f, counts: counts.sum(0) / counts.sum(),
    ),
    Anchor("kneser_ney_log_probs", "counts with a sum above eight bits",
           given(counts=np.array([[255, 45], [0, 200]]), discount=0.5),
           gives=log_of([[(254.5 + 1 / 3) / 300, (44.5 + 2 / 3) / 300], [0.5 / 3 / 200, (199.5 + 1 / 3) / 200]]),
           source="by hand"),
    Law.equal("Kneser-Ney of order 3, in fractions (Chen & Goodman 1999, eq. 25)", given(tokens=TEXT),
              left=kneser_ney_of_triples, right=lambda f, tokens: TRIPLES),
    Rejects("kneser_ney_log_probs", "a discount of 1.5", given(counts=COUNTS, discount=1.5), blames="discount"),
    Rejects("kneser_ney_log_probs", "a negative discount", given(counts=COUNTS, discount=-0.1), blames="discount"),
    Rejects("kneser_ney_log_probs", "no counts", given(counts=zeros(3, 3), discount=0.5), blames="counts"),
    Rejects("kneser_ney_log_probs", "half a count", given(counts=[[0.5, 2.0], [1.0, 0.0]], discount=0.7), blames="counts"),
    Rejects("kneser_ney_log_probs", "not square", given(counts=np.ones((2, 3)), discount=0.7), blames="counts"),
    # Sequences.
    Agree("ngram_sequence_log_prob", "regular", given(tokens=integers(3, 7, high=4), log_probs=log_simplex(4, 4))),
    Agree("ngram_sequence_log_prob", "order 3", given(tokens=integers(2, 7, high=3), log_probs=log_simplex(3, 3, 3))),
    Agree("ngram_sequence_log_prob", "order 1", given(tokens=integers(2, 7, high=3), log_probs=log_simplex(3))),
    Agree("ngram_sequence_log_prob", "a single window", given(tokens=integers(5, 3, high=4), log_probs=log_simplex(4, 4, 4))),
    Agree("ngram_sequence_log_prob", "shorter than a window",
          given(tokens=integers(5, 2, high=3), log_probs=log_simplex(3, 3, 3))),
    Agree("ngram_sequence_log_prob", "an unseen pair",
          given(tokens=[[0, 1, 1], [1, 0, 0]], log_probs=log_of([[1.0, 0.0], [0.5, 0.5]])), no_gradient=INFINITE),
    Anchor(
        "ngram_sequence_log_prob", "two pairs", given(tokens=[[0, 1, 1], [1, 0, 0]], log_probs=PAIRS),
        gives=log_of([0.375, 0.125]), source="by hand",
        near_misses={"the past read backwards": log_of([0.1875, 0.25]), "mean over steps": log_of([0.375, 0.125]) / 2,
                     "sign": -log_of([0.375, 0.125]), "the last step is missing": log_of([0.5, 0.25])},
    ),
    Law.normalized("all continuations together have probability one", given(log_probs=log_simplex(2, 2)),
                   total=lambda f, log_probs: np.exp(f.ngram_sequence_log_prob(
                       np.array([[1, i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)]), log_probs)).sum()),
    Law.equal(
        "counts are all that a model sees of a text", given(tokens=integers(3, 12, high=4), log_probs=log_simplex(4, 4)),
        left=lambda f, tokens, log_probs: f.ngram_sequence_log_prob(tokens, log_probs).sum(),
        right=lambda f, tokens, log_probs: (f.ngram_counts(tokens, order=2, vocabulary_size=4) * log_probs).sum(),
    ),
    Anchor("ngram_sequence_log_prob", "256 tokens",
           given(tokens=[[255, 255, 0], [0, 255, 254]], log_probs=log_of(np.where(np.eye(256) == 1, 0.5, 0.5 / 255))),
           gives=[np.log(0.25 / 255), np.log(0.25 / 255**2)], source="by hand"),
    Rejects("ngram_sequence_log_prob", "a token above V-1", given(tokens=[[0, 3]], log_probs=log_simplex(3, 3)), blames="tokens"),
    Rejects("ngram_sequence_log_prob", "unequal axes", given(tokens=[[0, 1]], log_probs=log_simplex(2, 3)), blames="log_probs"),
)  # fmt: skip
