"""Contracts of precision and recall, density and coverage (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, bits, given, normal, uniform, zeros

JUMPS = "a count of points in balls has no slope"
PAIR = ("real", "generated")
REAL, GENERATED = normal(6, 2), normal(5, 2, mean=0.5, scale=0.7)
SETS = given(real=REAL, generated=GENERATED)
LINE = [[0.0], [1.0], [3.0], [7.0], [8.0]]  # with two neighbors the radii are 3, 2, 3, 4, 5; with one 1, 1, 2, 1, 1
SAMPLES = [[0.5], [1.2], [2.5], [20.0]]
OUTLIER, BAD = [[0.0], [1.0], [2.0], [3.0], [4.0], [100.0]], [[50.0], [52.0], [54.0]]
# Small integers, with exact squares: some points are copies, some are on the edge of a ball.
GRID = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0], [6.0, 8.0], [5.0, 0.0], [5.0, 0.0]])
ON_GRID = np.array([[0.0, 0.0], [3.0, -4.0], [9.0, 12.0], [5.0, 0.0], [-3.0, -4.0]])
TWO_CLUSTERS = [[0.0], [1.0], [100.0], [101.0]]


# Corners of a cube of 64 dimensions, with integer squared distances. Many are on the edge of one of the larger balls.
CORNERS, OTHER_CORNERS, RADII = bits(272, 64), bits(260, 64), np.where(np.arange(260) < 16, 5.0, 4.0)


def _squared_distances(x, y):
    """Squared distances of corners: the number of coordinates that differ."""
    return x @ (1 - y).T + (1 - x) @ y.T


def _has_squares(radii, squares):
    return (np.rint(radii**2) == squares) & ((radii == 0) == (squares == 0))


def _ball_by_ball(f, real, generated, neighbors):
    radii = f.nearest_neighbor_radii(real, neighbors=neighbors)
    balls = [f.inside_manifold(generated, real[i : i + 1], radii[i : i + 1]) for i in range(len(real))]
    return np.sum(balls) / (neighbors * len(generated)), np.mean(np.max(balls, axis=1))


def _moved(points):
    rotation = np.array([[0.6, 0.8], [-0.8, 0.6]], points.dtype)
    return 4 * (points[::-1] @ rotation - 1)


def _all_four(f, real, generated):
    return *f.precision_and_recall(real, generated, neighbors=2), *f.density_and_coverage(real, generated, neighbors=2)


SPEC = (
    Agree("nearest_neighbor_radii", "regular", given(x=REAL, neighbors=2), smallest_batch=3),
    Agree("nearest_neighbor_radii", "the farthest of all", given(x=REAL, neighbors=5)),
    Agree("nearest_neighbor_radii", "far from the origin", given(x=normal(6, 2, mean=100.0), neighbors=1)),
    Agree("nearest_neighbor_radii", "copies, and equal distances", given(x=GRID, neighbors=2),
          no_gradient="at distance 0 and at equal distances there is no slope"),
    Agree("inside_manifold", "regular", given(queries=normal(5, 2), references=normal(6, 2), radii=uniform(6, low=0.3, high=0.8)),
          no_gradient=JUMPS, frozen=("queries", "references", "radii")),
    Agree("inside_manifold", "no ball", given(queries=normal(5, 2), references=zeros(0, 2), radii=zeros(0)), no_gradient=JUMPS),
    *(
        Agree(function, case, given(real=real, generated=generated, neighbors=neighbors), no_gradient=JUMPS, frozen=PAIR,
              smallest_batch=3 if case == "regular" else 0)
        for function in ("precision_and_recall", "density_and_coverage")
        for case, real, generated, neighbors in (
            ("regular", REAL, GENERATED, 2),
            ("the farthest but one", REAL, GENERATED, 4),
            ("copies, and points on an edge", GRID, ON_GRID, 1),
        )
    ),
    Anchor(
        "nearest_neighbor_radii", "on a line", given(x=LINE, neighbors=2), gives=[3.0, 2.0, 3.0, 4.0, 5.0], source="by hand",
        near_misses={"self counted as a neighbor": [1.0, 1.0, 2.0, 1.0, 1.0], "squared": [9.0, 4.0, 9.0, 16.0, 25.0],
                     "mean of the k nearest": [2.0, 1.5, 2.5, 2.5, 3.0], "the next": [7.0, 6.0, 4.0, 6.0, 7.0]},
    ),
    Anchor("nearest_neighbor_radii", "a point twice", given(x=[[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]], neighbors=1),
           gives=[0.0, 0.0, 5.0], source="by hand",
           near_misses={"copies are no neighbors": [5.0, 5.0, 5.0], "sum of absolute values": [0.0, 0.0, 7.0]}),
    Anchor(
        "inside_manifold", "edges and small balls",
        given(queries=[[3.0, 4.0], [3.0, 4.1], [8.0, 0.0], [11.0, 0.0], [10.0, 0.5]], references=[[0.0, 0.0], [10.0, 0.0]],
              radii=[5.0, 1.0]),
        gives=[1.0, 0.0, 0.0, 1.0, 1.0], source="by hand", frozen=("queries", "references", "radii"),
        near_misses={"the edge excluded": [0.0, 0.0, 0.0, 0.0, 1.0], "sum of absolute values": [0.0, 0.0, 0.0, 1.0, 1.0],
                     "every ball": [0.0] * 5, "the largest radius for all": [1.0, 0.0, 1.0, 1.0, 1.0]},
    ),
    Anchor("inside_manifold", "the nearest center has a small ball", given(queries=[[6.0]], references=[[0.0], [8.0]],
           radii=[7.0, 1.0]), gives=[1.0], source="by hand", near_misses={"the ball of the nearest center alone": [0.0]}),
    Anchor(
        "precision_and_recall", "on a line", given(real=LINE, generated=SAMPLES, neighbors=1), gives=(0.75, 1.0),
        source="by hand: the radii are 1, 1, 2, 1, 1 and 0.7, 0.7, 1.3, 17.5",
        near_misses={"self counted as a neighbor": (0.0, 0.0), "roles exchanged": (1.0, 0.75), "shares outside": (0.25, 0.0)},
    ),
    Anchor(
        "density_and_coverage", "on a line, two neighbors", given(real=LINE, generated=SAMPLES, neighbors=2),
        gives=(9 / 8, 3 / 5), source="by hand: 3, 3, 3 and 0 balls hold the samples",
        near_misses={"not divided by k": (9 / 4, 3 / 5), "self counted as a neighbor": (5 / 8, 3 / 5),
                     "generated balls": (9 / 8, 1.0), "at most one ball": (3 / 8, 3 / 5), "by N for M": (9 / 10, 3 / 5)},
    ),
    Anchor(
        "density_and_coverage", "on a line, one neighbor", given(real=LINE, generated=SAMPLES, neighbors=1),
        gives=(5 / 4, 3 / 5), source="by hand: 2, 2, 1 and 0 balls",
        near_misses={"at most 1": (1.0, 3 / 5), "self counted as a neighbor": (0.0, 0.0)},
    ),
    Anchor("precision_and_recall", "an outlier among the data", given(real=OUTLIER, generated=BAD, neighbors=2),
           gives=(1.0, 0.0), source="by hand: the outlier's ball has radius 97",
           near_misses={"roles exchanged": (0.0, 1.0)}),
    Anchor("density_and_coverage", "an outlier among the data", given(real=OUTLIER, generated=BAD, neighbors=2),
           gives=(1 / 2, 1 / 6), source="by hand: one ball of six holds all three",
           near_misses={"not divided by k": (1.0, 1 / 6), "generated balls": (1 / 2, 0.0)}),
    Anchor("density_and_coverage", "a copy of the data", given(real=LINE, generated=LINE, neighbors=2), gives=(3 / 2, 1.0),
           source="by hand: a ball holds its center and two others, one of them on its edge", frozen=PAIR,
           near_misses={"the edge excluded": (1.0, 1.0)}),
    *(
        Anchor("precision_and_recall", case, given(real=real, generated=generated, neighbors=1), gives=gives, source="by hand",
               frozen=PAIR, near_misses={"roles exchanged": gives[::-1]})
        for case, real, generated, gives in (
            ("a mode without samples, and a narrow one", TWO_CLUSTERS, [[0.25], [0.375]], (1.0, 0.0)),
            ("a mode without samples", TWO_CLUSTERS, [[-0.25], [1.25]], (1.0, 0.5)),
            ("samples without a mode", [[0.0], [1.0]], [[-0.25], [1.25], [100.0], [101.0]], (0.5, 1.0)),
        )
    ),
    Law.equal("sets exchanged: the two numbers exchanged", SETS,
              left=lambda f, x, y: f.precision_and_recall(x, y, neighbors=2),
              right=lambda f, x, y: f.precision_and_recall(y, x, neighbors=2)[::-1], frozen=PAIR),
    Law.equal("a copy of the data is precise and complete", given(),
              left=lambda f: np.array(f.precision_and_recall(GRID, GRID[::-1], neighbors=1)), right=1.0),
    Law.equal("far away sets give 0 for all four", SETS,
              left=lambda f, x, y: np.array([*f.precision_and_recall(x, y + 50, neighbors=2),
                                             *f.density_and_coverage(x, y + 50, neighbors=2)]) == 0,
              right=True, frozen=PAIR),
    Law.equal("of many points, each is inside that is no farther than a radius", given(x=CORNERS, y=OTHER_CORNERS),
              left=lambda f, x, y: f.inside_manifold(x, y, RADII.astype(f.precision)) == (
                  _squared_distances(x, y) <= RADII**2).any(axis=1), right=True),
    Law.equal("of many points, the squared radii are whole numbers, and copies have the radius 0", given(x=OTHER_CORNERS),
              left=lambda f, x: _has_squares(f.nearest_neighbor_radii(np.concatenate([x[40:], x[40:80]]), neighbors=1), np.sort(
                  _squared_distances(*[np.concatenate([x[40:], x[40:80]])] * 2))[:, 1]), right=True),
    Law.equal("precision is the mean of points inside", SETS,
              left=lambda f, x, y: f.precision_and_recall(x, y, neighbors=2)[0],
              right=lambda f, x, y: f.inside_manifold(y, x, f.nearest_neighbor_radii(x, neighbors=2)).mean(), frozen=PAIR),
    Law.equal("density and coverage, ball by ball", SETS, frozen=PAIR,
              left=lambda f, x, y: f.density_and_coverage(x, y, neighbors=2), right=lambda f, x, y: _ball_by_ball(f, x, y, 2)),
    Law.at_least("density is at least precision / k", SETS, left=lambda f, x, y: 2 * f.density_and_coverage(x, y, neighbors=2)[0],
                 right=lambda f, x, y: f.precision_and_recall(x, y, neighbors=2)[0], frozen=PAIR),
    Law.at_least("radii grow with the number of neighbors", given(x=REAL),
                 left=lambda f, x: f.nearest_neighbor_radii(x, neighbors=3),
                 right=lambda f, x: f.nearest_neighbor_radii(x, neighbors=2)),
    Law.equal("radii scale, and do not shift", given(x=REAL, shift=normal(2)),
              left=lambda f, x, s: f.nearest_neighbor_radii(3 * (x[:, ::-1] + s), neighbors=2),
              right=lambda f, x, s: 3 * f.nearest_neighbor_radii(x, neighbors=2)),
    Law.equal("shift, scale, rotation and order change no count", SETS, frozen=PAIR,
              left=lambda f, x, y: _all_four(f, _moved(x), _moved(y)),
              right=lambda f, x, y: _all_four(f, x, y)),
    *(
        Rejects("nearest_neighbor_radii", case, given(x=x, neighbors=neighbors), blames=blames)
        for case, x, neighbors, blames in (
            ("zero neighbors", zeros(4, 2), 0, "neighbors"), ("as many neighbors as points", zeros(4, 2), 4, "x"),
            ("two points", zeros(2, 2), 2, "x"),
            ("one point", zeros(1, 2), 1, "x"), ("no point", zeros(0, 2), 1, "x"), ("numbers for points", zeros(4), 1, "x"),
        )
    ),
    *(
        Rejects("inside_manifold", case, given(queries=zeros(3, 2), references=references, radii=radii), blames=blames)
        for case, references, radii, blames in (
            ("points of another dimension", zeros(4, 3), zeros(4), "references"),
            ("a radius too few", zeros(4, 2), zeros(3), "radii"),
            ("one radius for all", zeros(4, 2), zeros(1), "radii"),
            ("a negative radius", zeros(4, 2), np.array([0.0, 1.0, -0.5, 2.0]), "radii"),
            ("a radius that is not a number", zeros(4, 2), np.array([0.0, 1.0, np.nan, 2.0]), "radii"),
        )
    ),
    *(
        Rejects(function, case, given(real=real, generated=generated, neighbors=neighbors), blames=blames)
        for function, fewest in (("precision_and_recall", 2), ("density_and_coverage", 0))
        for case, real, generated, neighbors, blames in (
            ("points of another dimension", zeros(4, 2), zeros(4, 3), 1, "generated"),
            ("zero neighbors", zeros(4, 2), zeros(4, 2), 0, "neighbors"),
            ("as many neighbors as real points", zeros(2, 2), zeros(4, 2), 2, "real"),
            ("too few generated points", zeros(4, 2), zeros(fewest, 2), 2, "generated"),
        )
    ),
)  # fmt: skip
