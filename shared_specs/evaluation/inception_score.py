"""Contracts of the inception score (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, log_of, log_simplex, zeros

ANSWERS = log_simplex(6, 4, scale=2.0)
# Two images, two classes: one answer is certain, the other is not. The mean answer is (3/4, 1/4).
TWO = log_of([[1.0, 0.0], [0.5, 0.5]])
LOG_SCORE = 0.75 * np.log(4 / 3)
CERTAIN = log_of([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # and no one is of the third class
ALMOST = log_of([[1 - 2e-9, 1e-9, 1e-9], [1e-9, 1 - 2e-9, 1e-9], [1e-9, 1e-9, 1 - 2e-9], [1e-9, 1e-9, 1 - 2e-9]])


def _cases():
    """(case, answers)."""
    yield "regular", ANSWERS
    yield "no answer is certain, all are alike", log_simplex(6, 4, scale=1e-3)
    yield "answers almost certain", ALMOST
    yield "a probability of 0", CERTAIN
    yield "one class", zeros(6, 1)


SPEC = (
    *(
        Agree(function, case, given(log_probs=answers), smallest_batch=1,
              no_gradient="a logarithm of 0 has no slope" if answers is CERTAIN and function == "marginal_log_probs" else "")
        for function in ("marginal_log_probs", "log_inception_score", "inception_score")
        for case, answers in _cases()
    ),
    Agree("log_inception_score", "one image", given(log_probs=log_simplex(1, 4))),
    Agree("split_inception_scores", "two blocks", given(log_probs=ANSWERS, splits=2), smallest_batch=2),
    Agree("split_inception_scores", "one image a block", given(log_probs=ANSWERS, splits=6)),
    Agree("split_inception_scores", "a probability of 0", given(log_probs=CERTAIN, splits=2)),
    Anchor(
        "marginal_log_probs", "two images", given(log_probs=TWO), gives=log_of([0.75, 0.25]), source="by hand",
        near_misses={"sum": log_of([1.5, 0.5]), "mean over the classes": log_of([0.5, 0.5]),
                     "mean of the logarithms": [-np.log(2) / 2, -np.inf]},
    ),
    Anchor(
        "log_inception_score", "two images", given(log_probs=TWO), gives=LOG_SCORE, source="by hand: 3/4 log 4/3",
        near_misses={"divergence turned over": np.inf, "in bits": LOG_SCORE / np.log(2), "sum over images": 2 * LOG_SCORE,
                     "entropy of the mean alone": LOG_SCORE + np.log(2) / 2},
    ),
    Anchor(
        "inception_score", "two images", given(log_probs=TWO), gives=(4 / 3) ** 0.75, source="by hand",
        near_misses={"exponent before the mean": (4 / 3 + np.sqrt(4 / 3)) / 2, "not exponentiated": LOG_SCORE,
                     "bits in the exponent": np.exp(LOG_SCORE / np.log(2))},
    ),
    Anchor(
        "inception_score", "every class once, with certainty", given(log_probs=log_of(np.eye(3))), gives=3.0, source="by hand",
        near_misses={"logarithm": np.log(3), "uniform answers": 1.0},
    ),
    Anchor(
        "split_inception_scores", "a block of one class, and a block of both", given(log_probs=log_of(
            [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), splits=2),
        gives=[1.0, 2.0], source="by hand",
        near_misses={"every second image": [1.0, 1.754765350603323],
                     "against the mean answer of all": [4 / 3, 2.3094010767585034], "logarithms": [0.0, np.log(2)]},
    ),
    Law.equal(
        "the information of images and classes: both entropies, and their joint one", given(log_probs=ANSWERS),
        left=lambda f, a: f.log_inception_score(a),
        right=lambda f, a: _entropy(np.exp(f.marginal_log_probs(a))) + np.log(6) - _entropy(np.exp(a) / 6),
    ),
    Law.equal("the exponential of its logarithm", given(log_probs=ANSWERS),
              left=lambda f, a: f.inception_score(a), right=lambda f, a: np.exp(f.log_inception_score(a))),
    Law.equal("the order of images and of classes does not count", given(log_probs=ANSWERS),
              left=lambda f, a: f.inception_score(a[::-1, [2, 0, 3, 1]]), right=lambda f, a: f.inception_score(a)),
    Law.equal("images that are repeated change nothing", given(log_probs=ANSWERS),
              left=lambda f, a: f.inception_score(np.repeat(a, 3, axis=0)), right=lambda f, a: f.inception_score(a)),
    Law.equal("one block is all", given(log_probs=ANSWERS),
              left=lambda f, a: f.split_inception_scores(a, splits=1), right=lambda f, a: f.inception_score(a)[None]),
    Law.equal("the blocks are consecutive", given(log_probs=ANSWERS),
              left=lambda f, a: f.split_inception_scores(a, splits=3)[1], right=lambda f, a: f.inception_score(a[2:4])),
    Law.equal(
        "another reference answer costs its divergence from the mean answer", given(log_probs=ANSWERS, other=log_simplex(4)),
        left=lambda f, a, q: np.mean(np.sum(np.exp(a) * (a - q), axis=1)),
        right=lambda f, a, q: f.log_inception_score(a) + np.sum(np.exp(f.marginal_log_probs(a)) * (f.marginal_log_probs(a) - q)),
    ),
    Law.at_least("never below 1", given(log_probs=ANSWERS), left=lambda f, a: f.inception_score(a), right=1.0),
    Law.at_least("never above the number of classes", given(log_probs=ANSWERS),
                 left=4.0, right=lambda f, a: f.inception_score(a)),
    Law.at_least("never above the number of images", given(log_probs=log_simplex(2, 4, scale=9.0)),
                 left=2.0, right=lambda f, a: f.inception_score(a)),
    Law.at_least("the logarithms of the blocks' scores are below that of all, in the mean", given(log_probs=ANSWERS),
                 left=lambda f, a: f.log_inception_score(a),
                 right=lambda f, a: np.log(f.split_inception_scores(a, splits=3)).mean()),
    Law.normalized("the mean answer is a distribution", given(log_probs=ANSWERS),
                   total=lambda f, a: np.exp(f.marginal_log_probs(a)).sum()),
    *(
        Rejects(function, case, given(log_probs=answers, **more), blames="log_probs")
        for function, more in (("marginal_log_probs", {}), ("log_inception_score", {}), ("inception_score", {}),
                               ("split_inception_scores", {"splits": 1}))
        for case, answers in (("probabilities for logarithms", zeros(4, 3)), ("no image", zeros(0, 3)), ("no class", zeros(3, 0)))
    ),
    Rejects("split_inception_scores", "blocks of unequal size", given(log_probs=ANSWERS, splits=4), blames="splits"),
    Rejects("split_inception_scores", "one image in two blocks", given(log_probs=log_simplex(1, 4), splits=2), blames="splits"),
    Rejects("split_inception_scores", "no block", given(log_probs=ANSWERS, splits=0), blames="splits"),
)  # fmt: skip


def _entropy(probabilities):
    return -np.sum(probabilities * np.log(probabilities))
