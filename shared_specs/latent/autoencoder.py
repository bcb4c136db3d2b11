"""Contracts of autoencoders."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, scalar, zeros

LINEAR = {"x": normal(4, 3), "encoder": normal(2, 3), "decoder": normal(3, 2), "mean": normal(3)}
# By hand: the mean is (3, 0), the variances along (1, 1) and (1, -1) are 4.5 and 0.5.
POINTS = np.array([[5.0, 1.0], [4.0, 2.0], [1.0, -1.0], [2.0, -2.0]])
# Mean 0, and the variances 6, 2 and 1, divided by N = 4.
AXES = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) * np.sqrt([6.0, 2.0, 1.0])
DATA = normal(7, 4)
BETWEEN = np.array([[2.0, 1.0], [-0.5, 1.5]])


def _turn(angle=0.7):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _errors(f, x, rank):
    return f.squared_reconstruction_error(x, f.principal_subspace_reconstruction(x, rank=rank)).mean()


SPEC = (
    Agree("squared_reconstruction_error", "regular", given(x=normal(4, 3), reconstruction=normal(4, 3))),
    Agree("squared_reconstruction_error", "images", given(x=normal(3, 2, 4, 5), reconstruction=normal(3, 2, 4, 5))),
    Agree("squared_reconstruction_error", "one number each", given(x=normal(4), reconstruction=normal(4))),
    Agree("squared_reconstruction_error", "far away", given(x=normal(4, 3, mean=1e3), reconstruction=normal(4, 3, mean=1e3))),
    Anchor(
        "squared_reconstruction_error",
        "two examples",
        given(x=[[1.0, 2.0], [0.0, 0.0]], reconstruction=[[3.0, 1.0], [1.0, -1.0]]),
        gives=[5.0, 2.0],
        source="by hand",
        near_misses={
            "the mean over the coordinates, or half of it": [2.5, 1.0],
            "a root": [5.0**0.5, 2.0**0.5],
            "absolute differences": [3.0, 2.0],
            "the mean over the batch": [3.5, 3.5],
        },
    ),
    Rejects(
        "squared_reconstruction_error",
        "one row for the batch",
        given(x=zeros(4, 3), reconstruction=zeros(1, 3)),
        blames="reconstruction",
    ),
    Rejects("squared_reconstruction_error", "no batch", given(x=scalar(0.0), reconstruction=scalar(0.0)), blames="x"),
    # The linear autoencoder.
    Agree("linear_autoencoder", "regular", given(**LINEAR)),
    Agree(
        "linear_autoencoder",
        "more codes than coordinates",
        given(x=normal(4, 2), encoder=normal(3, 2), decoder=normal(2, 3), mean=normal(2)),
    ),
    Agree("linear_autoencoder", "no code", given(x=normal(4, 3), encoder=zeros(0, 3), decoder=zeros(3, 0), mean=normal(3))),
    Agree("linear_autoencoder", "an encoder of zeros", given(**LINEAR | {"encoder": zeros(2, 3)})),
    Agree(
        "linear_autoencoder", "far from the origin", given(**LINEAR | {"x": normal(4, 3, mean=50.0), "mean": [50.0, 49.0, 51.0]})
    ),
    Anchor(
        "linear_autoencoder",
        "the mean of both coordinates",
        given(x=POINTS, encoder=[[0.5, 0.5]], decoder=[[1.0], [3.0]], mean=[3.0, 0.0]),
        gives=[[4.5, 4.5], [4.5, 4.5], [1.5, -4.5], [1.5, -4.5]],
        source="by hand: the codes are 1.5, 1.5, -1.5 and -1.5",
        near_misses={
            "not centered": [[6.0, 9.0], [6.0, 9.0], [3.0, 0.0], [3.0, 0.0]],
            "the mean not added again": [[1.5, 4.5], [1.5, 4.5], [-1.5, -4.5], [-1.5, -4.5]],
            "encoder and decoder exchanged": [[5.5, 2.5], [6.5, 3.5], [0.5, -2.5], [-0.5, -3.5]],
        },
    ),
    Law.equal(
        "any invertible matrix between encoder and decoder",
        given(**LINEAR),
        left=lambda f, x, e, d, m: f.linear_autoencoder(x, np.linalg.solve(BETWEEN, e), d @ BETWEEN, m),
        right=lambda f, *g: f.linear_autoencoder(*g),
    ),
    Law.equal(
        "the encoder's gradient times the encoder is the decoder times its gradient",
        given(**LINEAR),
        left=lambda f, x, e, d, m: f.gradient("linear_autoencoder", x, e, d, m, wrt=1) @ e.T,
        right=lambda f, x, e, d, m: d.T @ f.gradient("linear_autoencoder", x, e, d, m, wrt=2),
    ),
    *(
        Rejects("linear_autoencoder", case, given(**LINEAR | changed), blames=blames)
        for case, changed, blames in (
            ("encoder transposed", {"encoder": normal(3, 2)}, "encoder"),
            ("decoder transposed", {"decoder": normal(2, 3)}, "decoder"),
            ("another number of codes", {"decoder": normal(3, 1)}, "decoder"),
            ("one number for the mean", {"mean": zeros(1)}, "mean"),
            ("images", {"x": zeros(4, 1, 3)}, "x"),
        )
    ),
    # The principal subspace.
    Agree("principal_subspace_reconstruction", "regular", given(x=DATA, rank=2), smallest_batch=1),
    Agree("principal_subspace_reconstruction", "no direction: the mean", given(x=DATA, rank=0)),
    Agree("principal_subspace_reconstruction", "every direction", given(x=DATA, rank=4)),
    Agree("principal_subspace_reconstruction", "fewer rows than columns", given(x=normal(3, 5), rank=1)),
    Agree("principal_subspace_reconstruction", "far from the origin", given(x=normal(7, 4, mean=50.0), rank=3)),
    Anchor(
        "principal_subspace_reconstruction",
        "along the diagonal",
        given(x=POINTS, rank=1),
        gives=[[4.5, 1.5], [4.5, 1.5], [1.5, -1.5], [1.5, -1.5]],
        source="by hand",
        near_misses={
            "not centered": [[4.96, 0.99], [4.26, 0.85], [1.0, 0.2], [2.0, 0.4]],
            "the other direction": [[3.5, -0.5], [2.5, 0.5], [2.5, 0.5], [3.5, -0.5]],
            "the mean not added again": [[1.5, 1.5], [1.5, 1.5], [-1.5, -1.5], [-1.5, -1.5]],
            "whitened": [[3.7071, 0.7071], [3.7071, 0.7071], [2.2929, -0.7071], [2.2929, -0.7071]],
        },
    ),
    Law.equal(
        "what is projected stays where it is",
        given(x=DATA),
        left=lambda f, x: f.principal_subspace_reconstruction(f.principal_subspace_reconstruction(x, rank=2), rank=2),
        right=lambda f, x: f.principal_subspace_reconstruction(x, rank=2),
    ),
    Law.equal(
        "it turns with the data",
        given(x=normal(9, 2)),
        left=lambda f, x: f.principal_subspace_reconstruction(x @ _turn(), rank=1),
        right=lambda f, x: f.principal_subspace_reconstruction(x, rank=1) @ _turn(),
    ),
    Agree("principal_subspace_error", "regular", given(x=DATA, rank=2), smallest_batch=1),
    Agree("principal_subspace_error", "no direction: the total variance", given(x=DATA, rank=0)),
    Agree("principal_subspace_error", "fewer rows than columns", given(x=normal(3, 5), rank=1)),
    Agree("principal_subspace_error", "far from the origin", given(x=normal(7, 4, mean=50.0), rank=1)),
    Anchor(
        "principal_subspace_error",
        "along the axes",
        given(x=AXES + 1.0, rank=1),
        gives=3.0,
        source="by hand: the variances are 6, 2 and 1",
        near_misses={
            "divided by N - 1": 4.0,
            "the variance that is kept": 6.0,
            "summed over the data": 12.0,
            "the mean over the coordinates": 1.0,
            "standard deviations": 2.0**0.5 + 1.0,
            "not centered": 5.0,
        },
    ),
    Law.equal(
        "it is the mean error of the projection",
        given(x=DATA),
        left=lambda f, x: _errors(f, x, 2),
        right=lambda f, x: f.principal_subspace_error(x, rank=2),
    ),
    Law.at_least(
        "no linear autoencoder is better",
        given(x=DATA, encoder=normal(2, 4), decoder=normal(4, 2)),
        left=lambda f, x, e, d: f.squared_reconstruction_error(
            x, f.linear_autoencoder(x, np.linalg.pinv(d), d, x.mean(0))
        ).mean(),
        right=lambda f, x, e, d: f.principal_subspace_error(x, rank=2),
    ),
    *(
        Rejects(function, case, given(x=x, rank=rank), blames=blames)
        for function in ("principal_subspace_reconstruction", "principal_subspace_error")
        for case, x, rank, blames in (
            ("more directions than coordinates", normal(7, 4), 5, "rank"),
            ("a negative rank", normal(7, 4), -1, "rank"),
            ("no rows", zeros(0, 4), 1, "x"),
            ("images", zeros(7, 1, 4), 1, "x"),
        )
    ),
)
