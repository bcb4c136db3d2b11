"""Contracts of anomaly scores, thresholds and rankings (lecture 21)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, log_of, normal, zeros

RANKS = "a rank has no slope"
RANKINGS = ("area_under_roc", "average_precision", "false_positive_rate_at_recall")
ALTERNATE, LABELS = np.array([0, 1, 0, 1, 1, 0]), np.array([1, 1, 0, 0, 1, 0])
FALLING = np.array([5.0, 4.0, 4.0, 3.0, 2.0, 1.0])  # one tie, of an anomaly and a normal observation
GROUPS = np.array([2.0, 1.0, 2.0, 2.0, 1.0, 1.0])
INFINITE = np.array([np.inf, -np.inf, np.inf, 0.5, -np.inf, -0.5])
BOTH = {"scores": normal(6), "labels": ALTERNATE}
ODD, EVEN = [1.0, 2.0, 3.0, 4.0, 100.0], [1.0, 4.0, 9.0, 2.0]
SPREAD = 1.4826022185056018  # 1 / Phi^-1(3/4)
SHARES = 3 * np.sin(np.arange(49.0) ** 2)  # 49 * (1/49) is less than 1 in floating point


def _all_three(f, scores, labels):
    return np.stack(
        [
            f.area_under_roc(scores, labels),
            f.average_precision(scores, labels),
            f.false_positive_rate_at_recall(scores, labels, recall=0.5),
        ]
    )


def _above_and_at(f, reference):
    """Whether the share above each threshold is at most the rate, and the share at or above it exceeds the rate."""
    thresholds = [(rate, f.threshold_at_false_positive_rate(reference, rate=rate)) for rate in (0.0, 0.2, 0.5, 0.6, 0.99)]
    return np.array([(np.mean(reference > t) <= rate, np.mean(reference >= t) > rate) for rate, t in thresholds])


SPEC = (
    # The reconstruction as a score.
    Agree("reconstruction_log_probability", "regular", given(log_likelihood=normal(4, 3, mean=-90.0, scale=9.0))),
    Agree("reconstruction_log_probability", "an impossible reconstruction",
          given(log_likelihood=log_of([[0.5, 0.0, 0.25], [0.125, 0.5, 1.0]])),
          no_gradient="a mean that is -inf has no slope"),
    Anchor(
        "reconstruction_log_probability", "two rows of three", given(log_likelihood=[[-1.0, -2.0, -6.0], [0.5, 0.25, 0.75]]),
        gives=[-3.0, 0.5], source="by hand",
        near_misses={"sum": [-9.0, 1.5], "the score itself": [3.0, -0.5], "the best draw": [-1.0, 0.75],
                     "the middle draw": [-2.0, 0.5], "log of the mean": [-1.7804368594206557, 0.5207257957375684]},
    ),
    Rejects("reconstruction_log_probability", "no draws", given(log_likelihood=zeros(4, 0)), blames="log_likelihood"),
    Rejects("reconstruction_log_probability", "no axis of draws", given(log_likelihood=zeros(4)), blames="log_likelihood"),
    # Robust scores.
    Agree("robust_z_score", "an odd reference", given(scores=normal(4), reference=normal(5, mean=2.0, scale=3.0))),
    Agree("robust_z_score", "an even reference", given(scores=normal(4), reference=normal(6, mean=2.0, scale=3.0))),
    Agree("robust_z_score", "two reference scores", given(scores=[1.0, -7.0, 3.0], reference=[0.5, -3.0])),
    Anchor(
        "robust_z_score", "an outlier in the reference", given(scores=[6.0, 3.0, 0.0], reference=ODD),
        gives=[3 / SPREAD, 0.0, -3 / SPREAD], source="by hand: median 3, deviations 2, 1, 0, 1, 97",
        near_misses={"median deviations": [3.0, 0.0, -3.0], "multiplied by the constant": [3 * SPREAD, 0.0, -3 * SPREAD],
                     "the sign": [-3 / SPREAD, 0.0, 3 / SPREAD], "around the mean": [-16 / SPREAD, -19 / SPREAD, -22 / SPREAD],
                     "mean deviation": [3 / (20.2 * SPREAD), 0.0, -3 / (20.2 * SPREAD)]},
    ),
    Anchor(
        "robust_z_score", "two in the middle", given(scores=[6.0, 0.0], reference=EVEN), gives=[2 / SPREAD, -2 / SPREAD],
        source="by hand: median 3, deviations 1, 1, 2, 6",
        near_misses={"the lower median": [4 / SPREAD, -2 / SPREAD], "the upper median": [2 / (3 * SPREAD), -4 / (3 * SPREAD)]},
    ),
    Law.equal("unit and origin of the scores do not matter", given(scores=normal(4), reference=normal(5)),
              left=lambda f, scores, reference: f.robust_z_score(3 * scores + 2, (3 * reference + 2)[::-1]),
              right=lambda f, scores, reference: f.robust_z_score(scores, reference)),
    *(
        Rejects("robust_z_score", case, given(scores=zeros(3), reference=reference), blames="reference")
        for case, reference in (
            ("no reference", zeros(0)), ("one reference score", zeros(1)), ("three of five are equal", [2.0, 2.0, 5.0, 2.0, 1.0]),
            ("four of six are equal", [2.0, 2.0, 2.0, 5.0, 7.0, 2.0]),
            ("an infinite reference score", [2.0, np.inf, 1.0]), ("not a number", [2.0, np.nan, 1.0]),
        )
    ),
    Rejects("robust_z_score", "a table of scores", given(scores=zeros(3, 2), reference=[1.0, 2.0]), blames="scores"),
    # Thresholds.
    *(
        Agree("threshold_at_false_positive_rate", f"rate {rate:g}", given(reference=normal(5), rate=rate))
        for rate in (0.0, 0.3, 0.6, 0.99)
    ),
    Agree("threshold_at_false_positive_rate", "ties, and an infinite score", given(reference=INFINITE, rate=0.5),
          no_gradient="at a tie there is no slope"),
    Anchor(
        "threshold_at_false_positive_rate", "between two shares", given(reference=[0.5, 4.0, 2.0, 3.0, 1.0], rate=0.3), gives=3.0,
        source="by hand: j = 1",
        near_misses={"the j-th largest": 4.0, "rounded up": 2.0, "quantile between two": 2.8, "of the low side": 1.0},
    ),
    Anchor(
        "threshold_at_false_positive_rate", "a whole number of scores", given(reference=[0.5, 4.0, 2.0, 3.0, 1.0], rate=0.4),
        gives=2.0, source="by hand: j = 2",
        near_misses={"the j-th largest": 3.0, "for fresh scores, j + 1 <= rate (M + 1)": 3.0, "quantile between two": 2.4},
    ),
    Anchor(
        "threshold_at_false_positive_rate", "one of 49", given(reference=SHARES, rate=1 / 49), gives=float(np.sort(SHARES)[-2]),
        source="by hand: j = 1", near_misses={"the largest": float(np.max(SHARES))},
        edge="floor(rate M) in floating point is 0",
    ),
    Law.equal("at most the rate is above, more than the rate is at it or above", given(reference=normal(5)),
              left=lambda f, reference: _above_and_at(f, reference), right=True, frozen=("reference",)),
    Law.equal("the same with ties", given(reference=GROUPS),
              left=lambda f, reference: _above_and_at(f, reference), right=True, frozen=("reference",)),
    Rejects("threshold_at_false_positive_rate", "no reference", given(reference=zeros(0), rate=0.1), blames="reference"),
    Rejects("threshold_at_false_positive_rate", "not a number", given(reference=[1.0, np.nan], rate=0.1), blames="reference"),
    Rejects("threshold_at_false_positive_rate", "everything flagged", given(reference=normal(4), rate=1.0), blames="rate"),
    Rejects("threshold_at_false_positive_rate", "a negative rate", given(reference=normal(4), rate=-0.1), blames="rate"),
    # Rankings.
    *(
        Agree(function, case, given(scores=scores, labels=labels), no_gradient=RANKS, frozen=("scores",),
              smallest_batch=2 if case == "regular" else 0)
        for function in RANKINGS
        for case, scores, labels in (
            ("regular", normal(6), LABELS), ("ties", GROUPS, ALTERNATE), ("infinite scores", INFINITE, ALTERNATE),
        )
    ),
    *(
        Agree(function, "labels as numbers", given(scores=FALLING, labels=LABELS.astype(float)), no_gradient=RANKS,
              frozen=("scores", "labels"))
        for function in RANKINGS
    ),
    Agree("false_positive_rate_at_recall", "all anomalies", given(**BOTH, recall=1.0), no_gradient=RANKS, frozen=("scores",)),
    Anchor(
        "area_under_roc", "a tie", given(scores=FALLING, labels=LABELS), gives=13 / 18, source="by hand: 6.5 of 9 pairs",
        frozen=("scores",),
        near_misses={"the sign": 5 / 18, "a tie counts nothing": 6 / 9, "a tie counts one": 7 / 9, "not divided": 6.5,
                     "of all pairs": 6.5 / 15},
    ),
    Anchor(
        "average_precision", "a tie", given(scores=FALLING, labels=LABELS), gives=34 / 45, source="by hand: (1 + 2/3 + 3/5) / 3",
        frozen=("scores",),
        near_misses={"the sign": (1 / 2 + 2 / 5 + 1 / 2) / 3, "trapezoids": (1 + 5 / 6 + 11 / 20) / 3,
                     "anomalies first in a tie": (1 + 1 + 3 / 5) / 3, "precision above the score": (1 + 1 / 2) / 3,
                     "over all observations": 34 / 90},
    ),
    Anchor(
        "average_precision", "two anomalies of one score", given(scores=[1.0, 3.0, 3.0, 3.0], labels=np.array([0, 1, 0, 1])),
        gives=2 / 3, source="by hand", frozen=("scores",),
        near_misses={"normal ones first in a tie": (1 / 2 + 2 / 3) / 2, "anomalies first": 1.0, "in this order": 5 / 6},
    ),
    Anchor(
        "average_precision", "a normal observation on top", given(scores=[4.0, 3.0, 2.0, 1.0], labels=np.array([0, 1, 1, 0])),
        gives=7 / 12, source="by hand: (1/2 + 2/3) / 2", frozen=("scores",),
        near_misses={"the best precision from here on": 2 / 3, "precision of all": 1 / 2},
    ),
    *(
        Anchor("false_positive_rate_at_recall", case, given(scores=FALLING, labels=LABELS, recall=recall), gives=gives,
               source="by hand", frozen=("scores",), near_misses=near_misses)
        for case, recall, gives, near_misses in (
            ("two of three, and a tie", 0.5, 1 / 3, {"above the threshold only": 0.0, "on a line between thresholds": 1 / 6,
                                                     "recall not reached": 0.0, "normal ones that are not flagged": 2 / 3}),
            ("recall reached exactly", 2 / 3, 1 / 3, {"recall must be exceeded": 2 / 3, "above the threshold only": 0.0}),
            ("nearly all", 0.95, 2 / 3, {"the sign": 1.0, "rounded down to two of three": 1 / 3,
                                         "normal ones that are not flagged": 1 / 3}),
        )
    ),
    *(
        Anchor(function, case, given(scores=scores, labels=np.array([1, 0, 1, 0, 1, 0])), gives=gives, source="by hand",
               frozen=("scores",), near_misses={"the sign": sign} if sign != gives else {})
        for case, scores, all_gives, signs in (
            ("apart", [6.0, 1.0, 5.0, 2.0, 4.0, 3.0], (1.0, 1.0, 0.0), (0.0, 23 / 60, 1.0)),
            ("apart, the wrong way", [1.0, 6.0, 2.0, 5.0, 3.0, 4.0], (0.0, 23 / 60, 1.0), (1.0, 1.0, 0.0)),
            ("all equal", [2.0] * 6, (0.5, 0.5, 1.0), (0.5, 0.5, 1.0)),
        )
        for function, gives, sign in zip(RANKINGS, all_gives, signs, strict=True)
    ),
    Law.equal("only the order counts", given(**BOTH), left=lambda f, scores, labels: _all_three(f, np.exp(3 * scores), labels),
              right=_all_three, frozen=("scores",)),
    Law.equal("the order of the observations does not count", given(scores=FALLING, labels=LABELS),
              left=lambda f, scores, labels: _all_three(f, scores[[3, 1, 5, 0, 2, 4]], labels[[3, 1, 5, 0, 2, 4]]),
              right=_all_three, frozen=("scores",)),
    Law.equal("the area with the sign and the labels exchanged", given(scores=FALLING, labels=LABELS),
              left=lambda f, scores, labels: f.area_under_roc(-scores, 1 - labels),
              right=lambda f, scores, labels: 1 - f.area_under_roc(-scores, labels), frozen=("scores",)),
    *(
        Rejects(function, case, given(scores=scores, labels=labels), blames=blames)
        for function in RANKINGS
        for case, scores, labels, blames in (
            ("sizes differ", zeros(3), np.array([0, 1]), "labels"), ("a third label", zeros(3), np.array([0, 1, 2]), "labels"),
            ("no anomaly", zeros(3), np.array([0, 0, 0]), "labels"), ("anomalies alone", zeros(3), np.array([1, 1, 1]), "labels"),
            ("one observation", zeros(1), np.array([1]), "scores"), ("no observation", zeros(0), np.zeros(0, int), "scores"),
            ("not a number", [1.0, np.nan, 2.0], np.array([0, 1, 1]), "scores"),
            ("a table of scores", zeros(3, 2), np.zeros((3, 2), int), "scores"),
        )
    ),
    *(
        Rejects("false_positive_rate_at_recall", f"recall {recall:g}",
                given(scores=zeros(2), labels=np.array([0, 1]), recall=recall), blames="recall")
        for recall in (0.0, 1.5)
    ),
)  # fmt: skip
