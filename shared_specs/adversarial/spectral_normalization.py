"""Contracts of spectral normalization (lecture 9)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Model, Rejects, begins_at, begins_normal, given, normal, uniform, zeros

TRIANGLE, FIRST = [[3.0, 0.0], [4.0, 5.0]], [1.0, 0.0]
# A matrix with its singular values: 3, 2, 1. Vectors near the first ones, at which the estimate is positive.
_DRAWS = np.random.default_rng(0)
LEFT, RIGHT = (np.linalg.qr(_DRAWS.standard_normal((size, size)))[0] for size in (4, 3))
GAPS = LEFT[:, :3] * [3.0, 2.0, 1.0] @ RIGHT.T
NEAR_U, NEAR_V = LEFT[:, 0] + 0.1 * LEFT[:, 1], RIGHT[:, 0] - 0.2 * RIGHT[:, 2]
FLAT = np.outer([1.0, -2.0, 0.5, 1.0], [2.0, 1.0, -2.0])  # of rank one: its norm is 2.5 * 3
ROOT_41, ROOT_73 = 41**0.5, 73**0.5


def estimate(f, weight, u, **how):
    return f.spectral_norm_estimate(weight, *f.power_iteration(weight, u, **how))


def errors(f, weight, u, iterations):
    """sigma_0^2 less the squared estimate, over that less sigma_1^2, of singular values 3 and 2."""
    square = estimate(f, weight, u, iterations=iterations) ** 2
    return (9 - square) / (square - 4)


SPEC = (
    # Power iteration.
    Agree("power_iteration", "regular", given(weight=normal(4, 3), u=normal(4)), smallest_batch=1),
    Agree("power_iteration", "three iterations", given(weight=normal(4, 3), u=normal(4), iterations=3)),
    Agree("power_iteration", "one row", given(weight=normal(1, 3), u=normal(1)), no_gradient="u is a sign"),
    Agree("power_iteration", "rank one", given(weight=FLAT, u=normal(4)), no_gradient="u and v do not depend on the start"),
    Anchor("power_iteration", "the triangle", given(weight=TRIANGLE, u=FIRST), gives=([0.6, 0.8], [1.0, 0.0]), source="by hand",
           near_misses={"not normalized": ([9.0, 12.0], [3.0, 0.0]), "v of the new u": ([0.6, 0.8], [5 / ROOT_41, 4 / ROOT_41]),
                        "W for its transpose": ([5 / ROOT_41, 4 / ROOT_41], [0.6, 0.8]), "v before u": ([1.0, 0.0], [0.6, 0.8])}),
    Anchor("power_iteration", "the triangle, twice", given(weight=TRIANGLE, u=FIRST, iterations=2),
           gives=([3 / ROOT_73, 8 / ROOT_73], [5 / ROOT_41, 4 / ROOT_41]), source="by hand",
           near_misses={"once": ([0.6, 0.8], [1.0, 0.0]), "v a half step ahead": (
               [3 / ROOT_73, 8 / ROOT_73], [41 / 3281**0.5, 40 / 3281**0.5])}),
    Law.equal("unit vectors", given(weight=normal(4, 3), u=normal(4)),
              left=lambda f, weight, u: [(part**2).sum() for part in f.power_iteration(weight, u)], right=1.0),
    Law.equal("the scales of weight and start do not matter", given(weight=normal(4, 3), u=normal(4)),
              left=lambda f, weight, u: np.concatenate(f.power_iteration(4.0 * weight, 0.5 * u, iterations=2)),
              right=lambda f, weight, u: np.concatenate(f.power_iteration(weight, u, iterations=2))),
    Law.equal("n iterations are n calls", given(weight=normal(4, 3), u=normal(4)),
              left=lambda f, weight, u: f.power_iteration(weight, f.power_iteration(weight, u, iterations=2)[0])[1],
              right=lambda f, weight, u: f.power_iteration(weight, u, iterations=3)[1]),
    Law.equal("singular vectors stay", given(weight=GAPS, u=LEFT[:, 1]),
              left=lambda f, weight, u: np.concatenate(f.power_iteration(weight, u)),
              right=lambda f, weight, u: np.concatenate([u, RIGHT[:, 1]])),
    Law.equal("the ratio of the errors falls by (2/3)^4 an iteration",
              given(weight=LEFT[:, :2] * [3.0, 2.0] @ RIGHT[:, :2].T, u=LEFT[:, 0] - 2 * LEFT[:, 1]),
              left=lambda f, weight, u: errors(f, weight, u, 2), right=lambda f, weight, u: 16 / 81 * errors(f, weight, u, 1)),
    Rejects("power_iteration", "a start for the columns", given(weight=zeros(4, 3), u=zeros(3)), blames="u"),
    Rejects("power_iteration", "a zero start", given(weight=GAPS, u=zeros(4)), blames="u"),
    Rejects("power_iteration", "a start that the weight does not see", given(weight=[[1.0, 2.0], [0.0, 0.0]], u=[0.0, 1.0]),
            blames="u"),
    Rejects("power_iteration", "no iteration", given(weight=GAPS, u=NEAR_U, iterations=0), blames="iterations"),
    Rejects("power_iteration", "no column", given(weight=zeros(4, 0), u=zeros(4)), blames="weight"),
    Rejects("power_iteration", "a kernel", given(weight=zeros(4, 3, 2), u=zeros(4)), blames="weight"),
    # The estimate and the norm.
    Agree("spectral_norm_estimate", "regular", given(weight=normal(4, 3), u=normal(4), v=normal(3)),
          smallest_batch=1),
    Anchor("spectral_norm_estimate", "the triangle", given(weight=TRIANGLE, u=[0.6, 0.8], v=[1.0, 0.0]), gives=5.0,
           source="by hand", near_misses={"transposed": 1.8, "squared": 25.0}),
    Law.at_least("never above the norm", given(weight=normal(4, 3), u=normal(4)),
                 left=lambda f, weight, u: f.spectral_norm(weight), right=lambda f, weight, u: estimate(f, weight, u)),
    Law.at_least("and never falling", given(weight=normal(4, 3), u=normal(4)),
                 left=lambda f, weight, u: [estimate(f, weight, u, iterations=n) for n in (2, 3)],
                 right=lambda f, weight, u: [estimate(f, weight, u, iterations=n) for n in (1, 2)]),
    Law.equal("exact after one iteration if the rank is one", given(weight=FLAT, u=normal(4)),
              left=lambda f, weight, u: estimate(f, weight, u), right=7.5),
    Rejects("spectral_norm_estimate", "vectors exchanged", given(weight=zeros(4, 3), u=zeros(3), v=zeros(4)), blames="u"),
    Rejects("spectral_norm_estimate", "no column", given(weight=zeros(4, 0), u=zeros(4), v=zeros(0)), blames="weight"),
    Rejects("spectral_norm_estimate", "a longer v", given(weight=zeros(4, 3), u=zeros(4), v=zeros(4)), blames="v"),
    Agree("spectral_norm", "regular", given(weight=GAPS), smallest_batch=1),
    Agree("spectral_norm", "one row", given(weight=normal(1, 4))),
    Agree("spectral_norm", "rank one", given(weight=FLAT)),
    Anchor("spectral_norm", "the triangle", given(weight=TRIANGLE), gives=6.708203932499369, source="3 root 5",
           near_misses={"Frobenius": 7.0710678118654755, "the smallest": 2.23606797749979, "not rooted": 45.0, "eigenvalue": 5.0,
                        "largest column": 5.0, "largest row sum": 9.0}),
    Law.equal("of the transpose, and of a turned weight", given(weight=normal(4, 3)),
              left=lambda f, weight: [f.spectral_norm(weight.T), f.spectral_norm(LEFT @ weight @ RIGHT)],
              right=lambda f, weight: f.spectral_norm(weight)),
    Law.equal("its slope is the product of the first singular vectors", given(weight=GAPS),
              left=lambda f, weight: f.gradient("spectral_norm", weight), right=np.outer(LEFT[:, 0], RIGHT[:, 0])),
    Law.at_least("no vector is stretched more", given(weight=normal(4, 3), h=normal(3, 5)),
                 left=lambda f, weight, h: f.spectral_norm(weight) * np.sqrt((h**2).sum(0)),
                 right=lambda f, weight, h: np.sqrt(((weight @ h) ** 2).sum(0))),
    Rejects("spectral_norm", "no column", given(weight=zeros(4, 0)), blames="weight"),
    Rejects("spectral_norm", "no row", given(weight=zeros(0, 3)), blames="weight"),
    Rejects("spectral_norm", "a vector", given(weight=zeros(3)), blames="weight"),
    # The normalized weight.
    Agree("spectral_normalize", "near the first vectors", given(weight=GAPS, u=NEAR_U, v=NEAR_V), differentiate=("weight",),
          smallest_batch=1),
    Agree("spectral_normalize", "one row", given(weight=[[1.0, -2.0, 0.5, 3.0]], u=[1.0], v=[0.5, -0.5, 0.5, 0.5]),
          differentiate=("weight",)),
    Anchor("spectral_normalize", "the triangle", given(weight=TRIANGLE, u=[0.6, 0.8], v=[1.0, 0.0]),
           gives=[[0.6, 0.0], [0.8, 1.0]], source="by hand",
           near_misses={"by the Frobenius norm": [[0.4242640687119285, 0.0], [0.565685424949238, 0.7071067811865475]],
                        "by the norm": [[0.447213595499958, 0.0], [0.596284793999944, 0.7453559924999299]],
                        "multiplied": [[15.0, 0.0], [20.0, 25.0]]}),
    Law.equal("of norm 1 at the first vectors", given(weight=GAPS, u=LEFT[:, 0], v=RIGHT[:, 0]),
              left=lambda f, weight, u, v: f.spectral_norm(f.spectral_normalize(weight, u, v)), right=1.0),
    Law.equal("the scale of the weight does not matter", given(weight=GAPS, u=NEAR_U, v=NEAR_V),
              left=lambda f, weight, u, v: f.spectral_normalize(8.0 * weight, u, v),
              right=lambda f, weight, u, v: f.spectral_normalize(weight, u, v)),
    Law.equal("no slope along the weight", given(weight=GAPS, u=NEAR_U, v=NEAR_V),
              left=lambda f, weight, u, v: 1 + (f.jacobian("spectral_normalize", weight, u, v) * weight).sum((-1, -2)),
              right=1.0),
    Law.equal("the slope has the estimate's part", given(weight=GAPS, u=NEAR_U, v=NEAR_V),
              left=lambda f, weight, u, v: f.gradient("spectral_normalize", weight, u, v),
              right=lambda f, weight, u, v: 1 / (u @ weight @ v) - weight.sum() * np.outer(u, v) / (u @ weight @ v) ** 2),
    Law.equal("the vectors are constants", given(weight=GAPS, u=NEAR_U, v=NEAR_V),
              left=lambda f, weight, u, v: [1 + np.abs(f.gradient("spectral_normalize", weight, u, v, wrt=wrt)).sum()
                                            for wrt in (1, 2)], right=1.0),
    Rejects("spectral_normalize", "a negative estimate", given(weight=TRIANGLE, u=[-0.6, -0.8], v=[1.0, 0.0]), blames="weight"),
    Rejects("spectral_normalize", "no column", given(weight=zeros(4, 0), u=zeros(4), v=zeros(0)), blames="weight"),
    Rejects("spectral_normalize", "vectors exchanged", given(weight=zeros(4, 3), u=zeros(3), v=zeros(4)), blames="u"),
    # Networks.
    Agree("lipschitz_bound", "three layers", given(weights=(normal(4, 3), normal(5, 4), normal(1, 5)))),
    Agree("lipschitz_bound", "one layer", given(weights=(normal(4, 3),))),
    Anchor("lipschitz_bound", "twice the triangle", given(weights=(TRIANGLE, TRIANGLE)), gives=45.0, source="(3 root 5)^2",
           near_misses={"the sum": 13.416407864998739, "Frobenius": 50.0, "the largest": 6.708203932499369}),
    Law.at_least("the product of two layers has no larger norm", given(first=normal(4, 3), second=normal(2, 4)),
                 left=lambda f, first, second: f.lipschitz_bound((first, second)),
                 right=lambda f, first, second: f.spectral_norm(second @ first)),
    Rejects("lipschitz_bound", "no layer", given(weights=()), blames="weights"),
    Rejects("lipschitz_bound", "a layer in the wrong order", given(weights=(zeros(2, 4), zeros(4, 3))), blames="weights"),
    # The network. What power iteration keeps moves in training, and is read in evaluation.
    Model("NormalizedDiscriminator", "one halving", given(images=uniform(5, 3, 8, 8, low=-1.0)),
          sizes=dict(shape=(3, 8, 8), width=3), steps=1, initial={"*.bias": begins_at(0), "*.weight": begins_normal(0.02)}),
)  # fmt: skip
