"""Contracts of distances to the training set, and of the tests for copies of it (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

JUMPS = "a comparison of distances has no slope"
LINE = np.array([[0.0], [4.0], [10.0]])  # a training set
FRESH = np.array([[1.0], [6.5], [12.0]])  # at distances 1, 2.5, 2 from it
COPIED = np.array([[0.1], [9.8], [3.7]])  # ... 0.1, 0.2, 0.3
Z_COPIED = -4.5 / 5.25**0.5
POINTS = 3 * np.sin(np.arange(18.0).reshape(6, 3) ** 1.5)
AWAY = POINTS + 1000.0  # copies stay at distance 0 where squares of a million are rounded
# all at distance 5 from the origin
CIRCLE = np.array([[3.0, 4.0], [5.0, 0.0], [0.0, -5.0], [-4.0, 3.0]])
SETS = given(generated=normal(5, 2), training=normal(4, 2), test=normal(3, 2))
ALL_THREE = ("generated", "training", "test")
QUERIES, REFERENCES = normal(5, 3), normal(4, 3)
REAL, GENERATED = normal(6, 2), normal(6, 2, scale=0.7)

SPEC = (
    *(
        Agree(function, case, given(queries=queries, references=references), no_gradient=no_gradient)
        for function in ("nearest_distance", "nearest_distance_ratio")
        for case, queries, references, no_gradient in (
            ("regular", QUERIES, REFERENCES, ""),
            ("far from the origin", normal(5, 3, mean=100.0), normal(4, 3, mean=100.0), ""),
            ("copies", AWAY[::-1], AWAY, "at distance 0 there is no slope"),
            ("equally near", CIRCLE * 0, CIRCLE, "at equal distances there is no slope"),
        )
    ),
    Agree("nearest_distance", "one reference", given(queries=QUERIES, references=normal(1, 3))),
    Agree("data_copying_z_score", "regular", SETS, no_gradient=JUMPS, frozen=ALL_THREE),
    Agree("data_copying_z_score", "copies", given(generated=AWAY[1:4], training=AWAY, test=POINTS[:2]), no_gradient=JUMPS,
          frozen=ALL_THREE),
    Agree("one_nearest_neighbor_accuracy", "regular", given(real=REAL, generated=GENERATED), no_gradient=JUMPS,
          frozen=("real", "generated"), smallest_batch=2),
    Agree("one_nearest_neighbor_accuracy", "copies", given(real=AWAY, generated=AWAY[::-1]), no_gradient=JUMPS,
          frozen=("real", "generated"), smallest_batch=2),
    Agree("authenticity", "regular", given(generated=normal(5, 2, scale=2.0), training=normal(4, 2)), no_gradient=JUMPS,
          frozen=("generated", "training")),
    Agree("authenticity", "copies, and a training point twice",
          given(generated=AWAY[:4], training=np.concatenate([AWAY, AWAY[:1]])),
          no_gradient=JUMPS, frozen=("generated", "training")),
    Anchor(
        "nearest_distance", "on a line", given(queries=[[0.1], [9.8], [-5.0], [6.0]], references=LINE),
        gives=[0.1, 0.2, 5.0, 2.0], source="by hand",
        near_misses={"squared": [0.01, 0.04, 25.0, 4.0], "the second nearest": [3.9, 5.8, 9.0, 4.0],
                     "the farthest": [9.9, 9.8, 15.0, 6.0], "of the references": [0.1, 2.0, 0.2, np.nan]},
    ),
    Anchor(
        "nearest_distance", "in the plane", given(queries=[[3.0, 4.0], [6.0, 0.0]], references=[[0.0, 0.0], [6.0, 8.0]]),
        gives=[5.0, 6.0], source="by hand",
        near_misses={"sum of absolute values": [7.0, 6.0], "largest of them": [4.0, 6.0], "mean over the coordinates": [
            12.5**0.5, 18**0.5]},
    ),
    Anchor(
        "nearest_distance_ratio", "on a line", given(queries=[[6.0], [3.0], [4.0]], references=LINE), gives=[0.5, 1 / 3, 0.0],
        source="by hand",
        near_misses={"squared distances": [0.25, 1 / 9, 0.0], "turned over": [2.0, 3.0, np.inf],
                     "by the sum of both": [1 / 3, 0.25, 0.0], "by the farthest": [1 / 3, 1 / 7, 0.0]},
    ),
    Anchor(
        "data_copying_z_score", "noisy copies", given(generated=COPIED, training=LINE, test=FRESH), gives=Z_COPIED,
        source="by hand: U = 0",
        near_misses={"sign": -Z_COPIED, "variance with Q + P": -4.5 / 4.5**0.5, "not standardized": -4.5,
                     "continuity correction": -4 / 5.25**0.5, "pairs, not their excess over half": 0.0},
    ),
    Anchor(
        "data_copying_z_score", "a tie", given(generated=[[0.1], [9.8], [6.0]], training=LINE, test=FRESH),
        gives=-3 / 5.25**0.5, source="by hand: U = 1.5", frozen=ALL_THREE,
        near_misses={"a tie counts nothing": -3.5 / 5.25**0.5, "a tie counts one": -2.5 / 5.25**0.5,
                     "variance corrected for ties": -3 / 5.1**0.5, "signed distances": -1 / 5.25**0.5},
    ),
    Anchor("data_copying_z_score", "all tied", given(generated=CIRCLE[:3], training=[[0.0, 0.0]], test=CIRCLE[2:]), gives=0.0,
           source="by hand", frozen=ALL_THREE, near_misses={"a tie counts nothing": -(3**0.5), "a tie counts one": 3**0.5}),
    Anchor(
        "one_nearest_neighbor_accuracy", "six points on a line",
        given(real=[[0.0], [1.0], [5.0]], generated=[[2.5], [6.0], [8.0]]), gives=(2 / 3, 1 / 3), source="by hand",
        near_misses={"a point is its own neighbor": (1.0, 1.0), "the kinds exchanged": (1 / 3, 2 / 3),
                     "both together": (0.5, 0.5)},
    ),
    Anchor(
        "one_nearest_neighbor_accuracy", "a tie", given(real=[[0.0], [2.0]], generated=[[4.0], [9.0]]), gives=(0.75, 0.5),
        source="by hand", frozen=("real", "generated"),
        near_misses={"a tie is of the own kind": (1.0, 0.5), "a tie is of the other": (0.5, 0.5)},
    ),
    Anchor(
        "authenticity", "on a line", given(generated=[[-5.0], [0.1], [6.0], [14.5], [17.0], [-4.0]], training=LINE),
        gives=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], source="by hand: the gaps are 4, 4, 6", frozen=("generated", "training"),
        near_misses={"an equal distance is farther": [1.0, 0.0, 0.0, 0.0, 1.0, 1.0],
                     "turned over": [0.0, 1.0, 1.0, 1.0, 0.0, 1.0], "the smallest gap of all": [1.0, 0.0, 0.0, 1.0, 1.0, 0.0],
                     "a point is its own neighbor": [1.0] * 6,
                     "the second nearest of y": [0.0] * 6},
    ),
    Anchor(
        "authenticity", "in the middle of two training points", given(generated=[[1.5], [1.5]], training=[[0.0], [3.0], [3.5]]),
        gives=[0.0, 0.0], source="by hand: the first counts, 1.5 < 3", frozen=("generated", "training"),
        near_misses={"the second": [1.0, 1.0]},
    ),
    Law.equal("a copy is at distance 0, exactly", given(), left=lambda f: f.nearest_distance(AWAY[::-1], AWAY) == 0, right=True),
    Law.equal("shifts change nothing, and lengths scale", given(queries=QUERIES, references=REFERENCES, shift=normal(3)),
              left=lambda f, q, r, s: f.nearest_distance(3 * (q[:, ::-1] + s), 3 * (r[:, ::-1] + s)),
              right=lambda f, q, r, s: 3 * f.nearest_distance(q, r)),
    Law.at_least("distances of two points differ by no more than they are apart", given(queries=QUERIES, references=REFERENCES),
                 left=lambda f, q, r: f.nearest_distance(q[:1], r) + f.nearest_distance(q[1:], q[:1]),
                 right=lambda f, q, r: f.nearest_distance(q[1:], r)),
    Law.equal("the nearest of all is the nearest of two parts", given(queries=QUERIES, references=REFERENCES),
              left=lambda f, q, r: f.nearest_distance(q, r),
              right=lambda f, q, r: np.minimum(f.nearest_distance(q, r[:3]), f.nearest_distance(q, r[3:]))),
    Law.equal("with two references, the smaller distance by the larger", given(queries=QUERIES, references=REFERENCES),
              left=lambda f, q, r: f.nearest_distance_ratio(q, r[:2]),
              right=lambda f, q, r: np.divide(*np.sort([f.nearest_distance(q, r[:1]), f.nearest_distance(q, r[1:2])], axis=0))),
    Law.equal("a ratio is never above 1", given(queries=QUERIES, references=REFERENCES),
              left=lambda f, q, r: f.nearest_distance_ratio(q, r) <= 1, right=True),
    Law.equal("generated and test points exchanged: the other sign", SETS,
              left=lambda f, g, r, t: f.data_copying_z_score(g, r, t), right=lambda f, g, r, t: -f.data_copying_z_score(t, r, g),
              frozen=ALL_THREE),
    Law.equal("the training set replayed has the smallest score that there is", SETS,
              left=lambda f, g, r, t: f.data_copying_z_score(r, r, t), right=-((3 * 4 * 3 / 8) ** 0.5), frozen=ALL_THREE),
    Law.equal("both kinds exchanged", given(real=REAL, generated=GENERATED),
              left=lambda f, a, b: f.one_nearest_neighbor_accuracy(a, b),
              right=lambda f, a, b: f.one_nearest_neighbor_accuracy(b, a)[::-1], frozen=("real", "generated")),
    Law.equal("sets that are apart", given(real=REAL, generated=GENERATED),
              left=lambda f, a, b: np.array(f.one_nearest_neighbor_accuracy(a, b + 50)), right=1.0, frozen=("real", "generated")),
    Law.equal("a copy of the real points", given(real=REAL),
              left=lambda f, a: 1 - np.array(f.one_nearest_neighbor_accuracy(a, a[::-1])), right=1.0, frozen=("real",)),
    Law.equal("copies are not authentic, and points far away are", given(training=normal(4, 2)),
              left=lambda f, r: f.authenticity(np.concatenate([r, r + 50]), r), right=lambda f, r: np.repeat([0.0, 1.0], 4),
              frozen=("training",)),
    *(
        Rejects(function, case, given(queries=zeros(5, 3), references=references), blames="references")
        for function in ("nearest_distance", "nearest_distance_ratio")
        for case, references in (("points of another dimension", normal(4, 2)), ("no reference", zeros(0, 3)))
    ),
    Rejects("nearest_distance", "one point without its axis", given(queries=zeros(3), references=zeros(4, 3)), blames="queries"),
    Rejects("nearest_distance_ratio", "one reference", given(queries=zeros(5, 3), references=zeros(1, 3)), blames="references"),
    Rejects("nearest_distance_ratio", "a reference twice",
            given(queries=zeros(5, 3), references=np.concatenate([POINTS, POINTS[2:3]])), blames="references"),
    *(
        Rejects("data_copying_z_score", f"no {name} points", given(**{
            other: zeros(0 if other == name else 3, 2) for other in ALL_THREE}), blames=name)
        for name in ALL_THREE
    ),
    *(
        Rejects("data_copying_z_score", f"{name} points of another dimension", given(**{
            other: zeros(3, 3 if other == name else 2) for other in ALL_THREE}), blames=name)
        for name in ("training", "test")
    ),
    Rejects("one_nearest_neighbor_accuracy", "more real points", given(real=zeros(4, 2), generated=zeros(3, 2)),
            blames="generated"),
    Rejects("one_nearest_neighbor_accuracy", "one of each", given(real=zeros(1, 2), generated=zeros(1, 2)), blames="generated"),
    Rejects("authenticity", "one training point", given(generated=zeros(3, 2), training=zeros(1, 2)), blames="training"),
    Rejects("authenticity", "points of another dimension", given(generated=zeros(3, 2), training=zeros(4, 3)), blames="training"),
)  # fmt: skip
