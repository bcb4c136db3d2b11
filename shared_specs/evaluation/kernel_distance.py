"""Contracts of kernel distances (lecture 14)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, integers, normal, uniform, zeros

X, Y = normal(4, 3), normal(5, 3, mean=0.5)
XX, YY, XY = normal(4, 4), normal(5, 5), normal(4, 5)
SUBSETS = {"subsets_x": integers(2, 3, high=4), "subsets_y": integers(2, 3, high=5)}
# x = {0, 2} and y = {1, 1} in one dimension, with (x y + 1)^3.
K_XX, K_YY, K_XY = [[1.0, 1.0], [1.0, 125.0]], [[8.0, 8.0], [8.0, 8.0]], [[1.0, 1.0], [27.0, 27.0]]
MATRICES = given(kernel_xx=K_XX, kernel_yy=K_YY, kernel_xy=K_XY)
POINTS = given(features_x=[[0.0], [2.0]], features_y=[[1.0], [1.0]], subsets_x=np.array([[0, 1]]), subsets_y=np.array([[1, 0]]))


def _cubic(f, x, y):
    return f.polynomial_kernel(x, x), f.polynomial_kernel(y, y), f.polynomial_kernel(x, y)


def _gaussian(f, x, y, bandwidth):
    return tuple(f.gaussian_kernel(a, b, bandwidth=bandwidth) for a, b in ((x, x), (y, y), (x, y)))


SPEC = (
    Agree("polynomial_kernel", "cubic", given(x=X, y=Y)),
    Agree("polynomial_kernel", "linear", given(x=X, y=Y, degree=1, coefficient=0.0)),
    Agree("polynomial_kernel", "degree 6, large features", given(x=normal(4, 3, scale=30.0), y=Y, degree=6, coefficient=2.0)),
    Agree("gaussian_kernel", "regular", given(x=X, y=Y, bandwidth=1.5)),
    Agree("gaussian_kernel", "narrow", given(x=uniform(4, 3, high=0.2), y=uniform(5, 3, high=0.2), bandwidth=0.1)),
    Agree("gaussian_kernel", "wide", given(x=X, y=Y, bandwidth=100.0)),
    Agree("gaussian_kernel", "far from the origin",
          given(x=normal(4, 3, mean=1000.0), y=normal(5, 3, mean=1000.0), bandwidth=1.0)),
    Agree("gaussian_kernel", "equal points", given(x=np.ones((4, 3)), y=np.ones((5, 3)), bandwidth=1.0)),
    *(Agree(function, "regular", given(kernel_xx=XX, kernel_yy=YY, kernel_xy=XY))
      for function in ("biased_discrepancy", "unbiased_discrepancy")),
    Agree("biased_discrepancy", "one point each", given(kernel_xx=normal(1, 1), kernel_yy=normal(1, 1), kernel_xy=normal(1, 1))),
    Agree("unbiased_discrepancy", "two points each",
          given(kernel_xx=normal(2, 2), kernel_yy=normal(2, 2), kernel_xy=normal(2, 2))),
    Agree("kernel_inception_distance", "regular", given(features_x=X, features_y=Y, **SUBSETS)),
    Agree("kernel_inception_distance", "256 points", given(
        features_x=normal(256, 1), features_y=normal(256, 1),
        subsets_x=np.array([[255, 0, 254]]), subsets_y=np.array([[1, 255, 0]]))),
    Agree("kernel_inception_distance", "no subset",
          given(features_x=X, features_y=Y, subsets_x=integers(0, 3, high=4), subsets_y=integers(0, 3, high=5))),
    Anchor(
        "polynomial_kernel", "two dimensions", given(x=[[1.0, 2.0]], y=[[3.0, 1.0], [0.0, 0.0]]), gives=[[3.5**3, 1.0]],
        source="by hand",
        near_misses={"not divided by the dimension": [[6.0**3, 1.0]], "nothing added": [[2.5**3, 0.0]],
                     "squared": [[3.5**2, 1.0]]},
    ),
    Anchor(
        "gaussian_kernel", "distances 5 and 0, bandwidth 5", given(x=[[0.0, 0.0]], y=[[3.0, 4.0], [0.0, 0.0]], bandwidth=5.0),
        gives=[[np.exp(-0.5), 1.0]], source="by hand",
        near_misses={"no half": [[np.exp(-1.0), 1.0]], "bandwidth not squared": [[np.exp(-2.5), 1.0]],
                     "distance not squared": [[np.exp(-0.1), 1.0]]},
    ),
    Anchor("biased_discrepancy", "{0, 2} and {1, 1}, cubic", MATRICES, gives=12.0, source="3 + 3^2",
           near_misses={"without the diagonals": -19.0, "the cross term once": 26.0}),
    Anchor("unbiased_discrepancy", "{0, 2} and {1, 1}, cubic", MATRICES, gives=-19.0, source="1 + 8 - 28",
           near_misses={"with the diagonals": 12.0, "the cross term once": -5.0, "divided by N^2": -23.5}),
    Anchor("kernel_inception_distance", "{0, 2} and {1, 1}", POINTS, gives=[-19.0], source="1 + 8 - 28",
           near_misses={"with the diagonals": [12.0], "linear": [0.0]}),
    Law.equal("three moments, and no other, in one dimension", given(x=normal(4, 1), y=normal(5, 1)),
              left=lambda f, x, y: f.biased_discrepancy(*_cubic(f, x, y)),
              right=lambda f, x, y: sum(c * ((x**j).mean() - (y**j).mean()) ** 2 for j, c in ((1, 3), (2, 3), (3, 1)))),
    Law.equal("blind to a fourth moment", given(),
              left=lambda f: f.biased_discrepancy(*_cubic(
                  f, np.array([[-1.0], [1.0]] * 3), np.array([[-np.sqrt(3)], [0.0], [0.0], [0.0], [0.0], [np.sqrt(3)]]))),
              right=0.0),
    Law.equal("a wide Gaussian sees the means alone", given(x=X, y=Y),
              left=lambda f, x, y: 1e4 * f.biased_discrepancy(*_gaussian(f, x, y, 100.0)),
              right=lambda f, x, y: np.sum((x.mean(0) - y.mean(0)) ** 2), cancels=Cancels(3e12, "of the order of 1/h^2")),
    Law.equal("the order of the points does not count", given(x=X, y=Y),
              left=lambda f, x, y: f.unbiased_discrepancy(*_cubic(f, x[::-1], y[[3, 1, 4, 0, 2]])),
              right=lambda f, x, y: f.unbiased_discrepancy(*_cubic(f, x, y))),
    Law.equal("the two samples may be exchanged", given(x=X, y=Y),
              left=lambda f, x, y: f.unbiased_discrepancy(*_cubic(f, x, y)),
              right=lambda f, x, y: f.unbiased_discrepancy(*_cubic(f, y, x))),
    Law.equal("what the diagonals add", given(kernel_xx=XX, kernel_yy=YY, kernel_xy=XY),
              left=lambda f, a, b, c: f.biased_discrepancy(a, b, c) - f.unbiased_discrepancy(a, b, c),
              right=lambda f, a, b, c: sum(
                  (k.trace() - (k.sum() - k.trace()) / (len(k) - 1)) / len(k) ** 2 for k in (a, b))),
    Law.equal("equal samples have no distance", given(x=X),
              left=lambda f, x: f.biased_discrepancy(*_cubic(f, x, x)), right=0.0),
    Law.at_least("never negative", given(x=X, y=Y),
                 left=lambda f, x, y: f.biased_discrepancy(*_gaussian(f, x, y, 1.0)), right=0.0),
    Law.equal("subsets are taken from the features", given(x=X, y=Y),
              left=lambda f, x, y: f.kernel_inception_distance(x, y, np.array([[0, 3, 1]]), np.array([[4, 2, 0]]))[0],
              right=lambda f, x, y: f.unbiased_discrepancy(*_cubic(f, x[[0, 3, 1]], y[[4, 2, 0]]))),
    Rejects("polynomial_kernel", "rows of other length", given(x=zeros(2, 3), y=zeros(2, 4)), blames="y"),
    Rejects("polynomial_kernel", "no feature", given(x=zeros(2, 0), y=zeros(2, 0)), blames="x"),
    Rejects("polynomial_kernel", "degree 0", given(x=zeros(2, 3), y=zeros(2, 3), degree=0), blames="degree"),
    Rejects("polynomial_kernel", "a negative coefficient", given(x=zeros(2, 3), y=zeros(2, 3), coefficient=-1.0),
            blames="coefficient"),
    Rejects("gaussian_kernel", "rows of other length", given(x=zeros(2, 3), y=zeros(2, 4), bandwidth=1.0), blames="y"),
    *(Rejects("gaussian_kernel", f"bandwidth {h:g}", given(x=zeros(2, 3), y=zeros(2, 3), bandwidth=h), blames="bandwidth")
      for h in (0.0, -1.0)),
    *(
        Rejects(function, case, given(kernel_xx=zeros(*a), kernel_yy=zeros(*b), kernel_xy=zeros(*c)), blames=blames)
        for function, least in (("biased_discrepancy", 0), ("unbiased_discrepancy", 1))
        for case, a, b, c, blames in (
            ("not square", (3, 2), (3, 3), (3, 3), "kernel_xx"), ("of other samples", (3, 3), (2, 2), (3, 3), "kernel_yy"),
            ("too few points", (least, least), (3, 3), (least, 3), "kernel_xy"),
        )
    ),
    *(
        Rejects("kernel_inception_distance", case,
                given(features_x=zeros(4, 3), features_y=zeros(5, 3), subsets_x=a, subsets_y=b), blames=blames)
        for case, a, b, blames in (
            ("an index outside", np.array([[0, 4]]), np.array([[0, 1]]), "subsets_x"),
            ("a negative index", np.array([[0, 1]]), np.array([[0, -1]]), "subsets_y"),
            ("subsets of one", np.array([[0]]), np.array([[0]]), "subsets_x"),
            ("subsets of other size", np.array([[0, 1]]), np.array([[0, 1, 2]]), "subsets_y"),
            ("no integers", zeros(1, 2), np.array([[0, 1]]), "subsets_x"),
        )
    ),
)  # fmt: skip
