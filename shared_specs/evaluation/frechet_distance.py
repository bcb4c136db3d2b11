"""Contracts of Frechet distances (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Recipe, Rejects, given, normal, uniform, zeros


def covariance(size, *, least=0.5):
    """A covariance matrix with eigenvalues of at least `least`."""

    def draw(rng):
        x = rng.standard_normal((3 * size, size))
        return x.T @ x / (3 * size) + least * np.eye(size)

    return Recipe(draw)


GAUSSIANS = {"mean_x": normal(3), "covariance_x": covariance(3), "mean_y": normal(3), "covariance_y": covariance(3)}
SAMPLES = {"features_x": normal(9, 3), "features_y": normal(11, 3, mean=0.5, scale=1.5)}
DIAGONAL = {name: normal(4, 3) for name in ("mean_x", "log_var_x", "mean_y", "log_var_y")}
SIZES, FOUND = np.array([50, 100, 200, 255]), normal(4)
NO_SLOPE = "a root of zero has no slope"
# Eigenvalues 1 and 3, and 4 and 1, along other axes.
A, B = [[2.0, 1.0], [1.0, 2.0]], [[4.0, 0.0], [0.0, 1.0]]
TILTED = given(mean_x=[0.0, 1.0], covariance_x=A, mean_y=[0.0, 1.0], covariance_y=B)
TRACE = np.sqrt(10 + 2 * np.sqrt(12))
# Three points with the mean (2, 3): the deviations are (-1, -3), (0, 1), (1, 2).
THREE = [[1.0, 0.0], [2.0, 4.0], [3.0, 5.0]]
COIN, THREE_POINTS = np.array([[-1.0], [1.0], [-1.0], [1.0]]), np.array([[-np.sqrt(2)], [0.0], [0.0], [np.sqrt(2)]])


def _turn(size):
    """An orthogonal matrix: the permutation of the axes 0, 1, 2, ..., turned by 0.6, 0.8 in the first two."""
    q = np.roll(np.eye(size), 1, axis=0)
    q[:, :2] = q[:, :2] @ np.array([[0.6, -0.8], [0.8, 0.6]])
    return q


def _root(a):
    values, vectors = np.linalg.eigh(a)
    return (vectors * np.sqrt(values)) @ vectors.T


SPEC = (
    Agree("gaussian_statistics", "regular", given(features=normal(7, 3)), smallest_batch=2),
    Agree("gaussian_statistics", "two rows", given(features=normal(2, 3)), smallest_batch=2),
    Agree("gaussian_statistics", "far from the origin", given(features=normal(7, 3, mean=1000.0)), smallest_batch=2),
    Agree("frechet_distance", "regular", given(**GAUSSIANS)),
    Agree("frechet_distance", "one dimension", given(
        mean_x=normal(1), covariance_x=[[0.5]], mean_y=normal(1), covariance_y=[[2.0]])),
    Agree("frechet_distance", "means far apart", given(**GAUSSIANS | {"mean_x": normal(3, scale=100.0)})),
    Agree("frechet_distance", "round Gaussians, all eigenvalues equal", given(
        **GAUSSIANS | {"covariance_x": np.eye(3), "covariance_y": 4 * np.eye(3)})),
    Agree("frechet_distance", "singular covariances", given(
        **GAUSSIANS | {"covariance_x": np.diag([4.0, 0.0, 0.0]), "covariance_y": np.diag([1.0, 9.0, 0.0])}),
        no_gradient=NO_SLOPE),
    Agree("frechet_distance", "no variance", given(
        **GAUSSIANS | {"covariance_x": zeros(3, 3), "covariance_y": zeros(3, 3)}), no_gradient=NO_SLOPE),
    Agree("frechet_feature_distance", "regular", given(**SAMPLES)),
    Agree("diagonal_frechet_distance", "regular", given(**DIAGONAL)),
    Agree("diagonal_frechet_distance", "small and large deviations", given(
        **DIAGONAL | {"log_var_x": uniform(4, 3, low=-20.0, high=-10.0), "log_var_y": uniform(4, 3, low=5.0, high=10.0)})),
    Agree("extrapolate_to_infinity", "regular", given(sample_sizes=SIZES, distances=FOUND)),
    Agree("extrapolate_to_infinity", "256 and 255", given(
        sample_sizes=np.array([256, 255, 2, 50000]), distances=FOUND)),
    Agree("extrapolate_to_infinity", "a size twice", given(sample_sizes=np.array([50, 50, 100, 100]), distances=FOUND)),
    Anchor(
        "gaussian_statistics", "three points", given(features=THREE), gives=([2.0, 3.0], [[1.0, 2.5], [2.5, 7.0]]),
        source="by hand",
        near_misses={"divided by N": ([2.0, 3.0], [[2 / 3, 5 / 3], [5 / 3, 14 / 3]]),
                     "not divided": ([2.0, 3.0], [[2.0, 5.0], [5.0, 14.0]]),
                     "not centered": ([2.0, 3.0], [[7.0, 11.5], [11.5, 20.5]])},
    ),
    Anchor(
        "frechet_distance", "eigenvalues 1, 3 and 4, 1 along other axes", TILTED, gives=9 - 2 * TRACE,
        source="tr M = sqrt(tr AB + 2 sqrt(det A det B)) in two dimensions",
        near_misses={"the trace of the root once": 9 - TRACE, "the distance's root": np.sqrt(9 - 2 * TRACE),
                     "roots of the entries": 9 - 2 * (np.sqrt(8) + np.sqrt(2)),
                     "the trace of the product": 9 - 2 * 10.0,
                     "root of A times root of B": 9 - 2 * np.trace(_root(A) @ _root(B))},
    ),
    Anchor(
        "frechet_distance", "N(0, 1) and N(1, 4)",
        given(mean_x=[0.0], covariance_x=[[1.0]], mean_y=[1.0], covariance_y=[[4.0]]), gives=2.0, source="1 + (1 - 2)^2",
        near_misses={"of the variances": 10.0, "its root": np.sqrt(2.0), "the means alone": 1.0},
    ),
    Anchor(
        "frechet_feature_distance", "{-1, 1} and {-2, 2}", given(features_x=[[-1.0], [1.0]], features_y=[[-2.0], [2.0]]),
        gives=2.0, source="deviations sqrt 2 and sqrt 8", near_misses={"covariances divided by N": 1.0},
    ),
    Anchor(
        "diagonal_frechet_distance", "by hand",
        given(mean_x=[[0.0, 1.0]], log_var_x=[[0.0, np.log(4.0)]], mean_y=[[3.0, 1.0]], log_var_y=[[np.log(9.0), 0.0]]),
        gives=[14.0], source="9 + (1 - 3)^2 + (2 - 1)^2",
        near_misses={"variances for deviations": [9.0 + 64.0 + 9.0], "the mean over the dimensions": [7.0],
                     "the root": [np.sqrt(14.0)]},
    ),
    Anchor(
        "extrapolate_to_infinity", "a line", given(sample_sizes=np.array([2, 4]), distances=[2.0, 1.5]), gives=1.0,
        source="1 + 2/N", near_misses={"the slope": 2.0, "against N": 2.5, "the last": 1.5, "the mean": 1.75},
    ),
    Anchor(
        "extrapolate_to_infinity", "three sizes off a line", given(sample_sizes=np.array([2, 4, 4]), distances=[2.0, 1.0, 2.0]),
        gives=1.0, source="through (1/2, 2) and the mean of the others, (1/4, 3/2)",
        near_misses={"through the first two": 0.0, "through the first and the last": 2.0},
    ),
    Law.equal("symmetric in its arguments", given(**GAUSSIANS), left=lambda f, *g: f.frechet_distance(*g),
              right=lambda f, m, a, n, b: f.frechet_distance(n, b, m, a)),
    Law.equal("equal Gaussians have no distance", given(mean=normal(3), covariance=covariance(3)),
              left=lambda f, m, a: f.frechet_distance(m, a, m, a), right=0.0),
    Law.equal("a common rotation and shift does not count", given(**GAUSSIANS),
              left=lambda f, m, a, n, b: f.frechet_distance(
                  _turn(3) @ m + 1, _turn(3) @ a @ _turn(3).T, _turn(3) @ n + 1, _turn(3) @ b @ _turn(3).T),
              right=lambda f, *g: f.frechet_distance(*g)),
    Law.equal("scales as a square", given(**GAUSSIANS),
              left=lambda f, m, a, n, b: f.frechet_distance(3 * m, 9 * a, 3 * n, 9 * b),
              right=lambda f, *g: 9 * f.frechet_distance(*g)),
    Law.equal("of diagonal covariances", given(mean_x=normal(2, 3), log_var_x=normal(2, 3), mean_y=normal(2, 3),
                                               log_var_y=normal(2, 3)),
              left=lambda f, m, v, n, w: np.stack([f.frechet_distance(
                  m[i], np.diag(np.exp(v[i])), n[i], np.diag(np.exp(w[i]))) for i in range(2)]),
              right=lambda f, *g: f.diagonal_frechet_distance(*g)),
    Law.equal("the cost of a linear map between the Gaussians",
              given(mean=normal(3), covariance=covariance(3), map=covariance(3)),
              left=lambda f, m, a, t: f.frechet_distance(m, a, m, t @ a @ t),
              right=lambda f, m, a, t: np.trace((np.eye(3) - t) @ a @ (np.eye(3) - t))),
    Law.equal("its slope is one less the map", given(mean=normal(3), covariance=covariance(3), map=covariance(3)),
              left=lambda f, m, a, t: f.gradient("frechet_distance", m, a, m, t @ a @ t, wrt=1),
              right=lambda f, m, a, t: np.eye(3) - t),
    Law.at_least("the triangle inequality of its root", given(**GAUSSIANS, mean=normal(3), covariance=covariance(3)),
                 left=lambda f, m, a, n, b, r, c: (
                     np.sqrt(f.frechet_distance(m, a, r, c)) + np.sqrt(f.frechet_distance(r, c, n, b))),
                 right=lambda f, m, a, n, b, r, c: np.sqrt(f.frechet_distance(m, a, n, b))),
    Law.equal("blind to all but two moments", given(), left=lambda f: f.frechet_feature_distance(COIN, THREE_POINTS), right=0.0),
    Law.equal("of features it is that of their statistics", given(**SAMPLES),
              left=lambda f, x, y: f.frechet_feature_distance(x, y),
              right=lambda f, x, y: f.frechet_distance(*f.gaussian_statistics(x), *f.gaussian_statistics(y))),
    Law.equal("finds the intercept of a line", given(intercept=normal(2), slope=normal(2)),
              left=lambda f, c, s: np.stack([f.extrapolate_to_infinity(SIZES, c[i] + s[i] / SIZES) for i in range(2)]),
              right=lambda f, c, s: c),
    Law.equal("linear in the distances", given(first=normal(4), second=normal(4)),
              left=lambda f, a, b: f.extrapolate_to_infinity(SIZES, a + 2 * b),
              right=lambda f, a, b: f.extrapolate_to_infinity(SIZES, a) + 2 * f.extrapolate_to_infinity(SIZES, b)),
    *(Rejects("gaussian_statistics", case, given(features=zeros(*shape)), blames="features")
      for case, shape in (("no row", (0, 3)), ("one row", (1, 3)), ("no feature", (4, 0)), ("one axis", (4,)))),
    *(
        Rejects("frechet_distance", case, given(**{
            "mean_x": zeros(2), "covariance_x": np.eye(2), "mean_y": zeros(2), "covariance_y": np.eye(2)} | changed),
                blames=blames)
        for case, changed, blames in (
            ("x is not symmetric", {"covariance_x": [[1.0, 0.5], [0.4, 1.0]]}, "covariance_x"),
            ("y is not symmetric", {"covariance_y": [[1.0, 0.5], [-0.5, 1.0]]}, "covariance_y"),
            ("means of other lengths", {"mean_y": zeros(3)}, "mean_y"),
            ("a covariance of other size", {"covariance_y": np.eye(3)}, "covariance_y"),
            ("not square", {"covariance_x": zeros(2, 3)}, "covariance_x"),
            ("no feature", {"mean_x": zeros(0), "covariance_x": zeros(0, 0), "mean_y": zeros(0), "covariance_y": zeros(0, 0)},
             "mean_x"),
        )
    ),
    *(
        Rejects("frechet_feature_distance", case, given(features_x=zeros(*x), features_y=zeros(*y)), blames=blames)
        for case, x, y, blames in (
            ("rows of other length", (4, 2), (4, 3), "features_y"), ("one row of x", (1, 2), (4, 2), "features_x"),
            ("one row of y", (4, 2), (1, 2), "features_y"), ("no feature", (4, 0), (4, 0), "features_x"),
        )
    ),
    *(Rejects("diagonal_frechet_distance", f"another shape of {name}",
              given(**{each: zeros(2, 3) for each in DIAGONAL} | {name: zeros(2, 4)}), blames=name)
      for name in ("log_var_x", "mean_y", "log_var_y")),
    *(
        Rejects("extrapolate_to_infinity", case, given(sample_sizes=sizes, distances=found), blames=blames)
        for case, sizes, found, blames in (
            ("one size", np.array([50]), zeros(1), "sample_sizes"),
            ("one size, twice", np.array([50, 50]), zeros(2), "sample_sizes"),
            ("a size of one", np.array([1, 50]), zeros(2), "sample_sizes"),
            ("no integers", np.array([50.0, 100.0]), zeros(2), "sample_sizes"),
            ("as many distances as sizes", np.array([50, 100]), zeros(3), "distances"),
        )
    ),
)  # fmt: skip
