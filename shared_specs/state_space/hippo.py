"""Contracts of HiPPO's memory of a signal (lecture 56)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, scalar, uniform, zeros

ROOT_3, ROOT_5, ROOT_7, ROOT_15 = 3**0.5, 5**0.5, 7**0.5, 15**0.5
MEMORY = dict(value=normal(4), coefficients=normal(4, 3))
AFTER_ONE = dict(coefficients=[[2 / 3, 1 / ROOT_3]])  # of order 2, after the value 1 alone
BETWEEN = uniform(6, low=0.02, high=0.98)


def _halves(*rows):
    """LegT's matrices with window 2, by twice the rows of A."""
    return np.array(rows) / 2, np.array([1.0, ROOT_3, ROOT_5]) / 2


SPEC = (
    *(Agree("legs_matrices", f"order {order}", given(order=order)) for order in (5, 1, 64)),
    *(
        Agree("legt_matrices", f"order {order}, window {window}", given(order=order, window=window))
        for order, window in ((5, 2.0), (1, 0.5), (64, 100))
    ),
    Agree("legendre_basis", "regular", given(points=BETWEEN, order=5)),
    Agree("legendre_basis", "both ends and the middle", given(points=[0.0, 0.5, 1.0, 0.25, 0.75, 1e-9], order=5)),
    Agree("legendre_basis", "order 32", given(points=[0.0, 0.2, 0.3, 0.5, 0.9, 1.0], order=32)),
    Agree("legendre_basis", "order 1", given(points=BETWEEN, order=1)),
    Agree("legs_step", "regular", given(**MEMORY, index=5)),
    Agree("legs_step", "the first value", given(**MEMORY, index=1)),
    Agree("legs_step", "after many values", given(**MEMORY, index=100_000)),
    Agree("legs_step", "one coefficient", given(value=normal(4), coefficients=normal(4, 1), index=2)),
    Agree("legs_step", "order 16", given(value=normal(2), coefficients=normal(2, 16), index=7)),
    Agree("reconstruct", "regular", given(points=BETWEEN, coefficients=normal(4, 5))),
    Agree("reconstruct", "one coefficient", given(points=BETWEEN, coefficients=normal(4, 1))),
    Anchor(
        "legs_matrices",
        "order 3",
        given(order=3),
        gives=([[-1.0, 0.0, 0.0], [-ROOT_3, -2.0, 0.0], [-ROOT_5, -ROOT_15, -3.0]], [1.0, ROOT_3, ROOT_5]),
        source="by hand",
        near_misses={
            "2n + 1 on the diagonal": (
                [[-1.0, 0.0, 0.0], [-ROOT_3, -3.0, 0.0], [-ROOT_5, -ROOT_15, -5.0]],
                [1.0, ROOT_3, ROOT_5],
            ),
            "n + 1/2 on the diagonal": (
                [[-0.5, 0.0, 0.0], [-ROOT_3, -1.5, 0.0], [-ROOT_5, -ROOT_15, -2.5]],
                [1.0, ROOT_3, ROOT_5],
            ),
            "the upper triangle": ([[-1.0, -ROOT_3, -ROOT_5], [0.0, -2.0, -ROOT_15], [0.0, 0.0, -3.0]], [1.0, ROOT_3, ROOT_5]),
            "the basis without its norm": ([[-1.0, 0.0, 0.0], [-3.0, -2.0, 0.0], [-5.0, -5.0, -3.0]], [1.0, 3.0, 5.0]),
            "the sign": ([[1.0, 0.0, 0.0], [ROOT_3, 2.0, 0.0], [ROOT_5, ROOT_15, 3.0]], [1.0, ROOT_3, ROOT_5]),
            "B of ones": ([[-1.0, 0.0, 0.0], [-ROOT_3, -2.0, 0.0], [-ROOT_5, -ROOT_15, -3.0]], [1.0, 1.0, 1.0]),
        },
    ),
    Anchor(
        "legt_matrices",
        "order 3, window 2",
        given(order=3, window=2.0),
        source="by hand",
        gives=_halves([-1.0, ROOT_3, -ROOT_5], [-ROOT_3, -3.0, ROOT_15], [-ROOT_5, -ROOT_15, -5.0]),
        near_misses={
            "the signs on the other side": _halves([-1.0, -ROOT_3, -ROOT_5], [ROOT_3, -3.0, -ROOT_15], [-ROOT_5, ROOT_15, -5.0]),
            "no signs": _halves([-1.0, -ROOT_3, -ROOT_5], [-ROOT_3, -3.0, -ROOT_15], [-ROOT_5, -ROOT_15, -5.0]),
            "all signs": _halves([-1.0, ROOT_3, -ROOT_5], [ROOT_3, -3.0, ROOT_15], [-ROOT_5, ROOT_15, -5.0]),
            "the window forgotten": tuple(
                2 * part for part in _halves([-1.0, ROOT_3, -ROOT_5], [-ROOT_3, -3.0, ROOT_15], [-ROOT_5, -ROOT_15, -5.0])
            ),
            "LegS": _halves([-1.0, 0.0, 0.0], [-ROOT_3, -2.0, 0.0], [-ROOT_5, -ROOT_15, -3.0]),
        },
    ),
    Anchor(
        "legendre_basis",
        "both ends and the middle",
        given(points=[0.0, 0.5, 1.0], order=4),
        source="by hand",
        gives=[[1.0, -ROOT_3, ROOT_5, -ROOT_7], [1.0, 0.0, -ROOT_5 / 2, 0.0], [1.0, ROOT_3, ROOT_5, ROOT_7]],
        near_misses={
            "not normalized": [[1.0, -1.0, 1.0, -1.0], [1.0, 0.0, -0.5, 0.0], [1.0, 1.0, 1.0, 1.0]],
            "orthonormal on [-1, 1]": (
                0.5**0.5
                * np.array([[1.0, -ROOT_3, ROOT_5, -ROOT_7], [1.0, 0.0, -ROOT_5 / 2, 0.0], [1.0, ROOT_3, ROOT_5, ROOT_7]])
            ),
            "not shifted": [
                [1.0, 0.0, -ROOT_5 / 2, 0.0],
                [1.0, ROOT_3 / 2, -ROOT_5 / 8, -7 * ROOT_7 / 16],
                [1.0, ROOT_3, ROOT_5, ROOT_7],
            ],
            "time turned around": [[1.0, ROOT_3, ROOT_5, ROOT_7], [1.0, 0.0, -ROOT_5 / 2, 0.0], [1.0, -ROOT_3, ROOT_5, -ROOT_7]],
        },
    ),
    Anchor(
        "legs_step",
        "the first value",
        given(value=[1.0], coefficients=[[0.0, 0.0]], index=1),
        gives=[[2 / 3, 1 / ROOT_3]],
        source="(1 + 1/2) c_0 = 1, (1 + 1) c_1 = sqrt 3 (1 - c_0 / 2)",
        near_misses={
            "forward Euler": [[1.0, ROOT_3]],
            "backward Euler": [[0.5, ROOT_3 / 6]],
            "half of the input": [[1 / 3, 0.5 / ROOT_3]],
            "counted from 0": [[0.4, 4 * ROOT_3 / 15]],
        },
    ),
    Anchor(
        "legs_step",
        "the second value",
        given(value=[0.0], **AFTER_ONE, index=2),
        gives=[[0.4, -ROOT_3 / 15]],
        source="5/4 c_0 = 3/4 x 2/3, 3/2 c_1 = 1/2 x 1/sqrt 3 - sqrt 3 / 4 (2/3 + 2/5)",
        near_misses={
            "forward Euler": [[1 / 3, -1 / ROOT_3]],
            "backward Euler": [[4 / 9, ROOT_3 / 18]],
            "the index forgotten": [[2 / 9, -2 * ROOT_3 / 9]],
            "counted from 0": [[10 / 21, ROOT_3 / 42]],
            "A transposed": [[2 / 15, ROOT_3 / 9]],
        },
    ),
    Anchor(
        "reconstruct",
        "a straight line",
        given(points=[0.0, 0.25, 1.0], coefficients=[[0.5, 0.5 / ROOT_3], [2.0, 0.0]]),
        gives=[[0.0, 0.25, 1.0], [2.0, 2.0, 2.0]],
        source="1/2 + (2x - 1)/2 = x, and a constant",
        near_misses={
            "time turned around": [[1.0, 0.75, 0.0], [2.0, 2.0, 2.0]],
            "not normalized": [[0.5 - 0.5 / ROOT_3, 0.5 - 0.25 / ROOT_3, 0.5 + 0.5 / ROOT_3], [2.0, 2.0, 2.0]],
        },
    ),
    Law.equal(
        "the basis is orthonormal", given(), left=lambda f: _projected(f, lambda x: f.legendre_basis(x, order=5)), right=np.eye(5)
    ),
    Law.equal(
        "what the coefficients of a polynomial remember is the polynomial",
        given(points=BETWEEN, powers=normal(4)),
        left=lambda f, x, powers: f.reconstruct(x, _projected(f, lambda t: np.polyval(powers, t)[:, None])),
        right=lambda f, x, powers: np.polyval(powers, x)[None],
    ),
    Law.equal(
        "LegS is x times the slope",
        given(points=BETWEEN, coefficients=normal(1, 5)),
        left=lambda f, x, c: x * f.gradient("reconstruct", x, c, wrt=0),
        right=lambda f, x, c: f.reconstruct(x, -c @ (f.legs_matrices(order=5)[0] + np.eye(5)))[0],
    ),
    Law.equal(
        "LegT is the slope, and the value now",
        given(points=BETWEEN, coefficients=normal(1, 5)),
        left=lambda f, x, c: f.gradient("reconstruct", x, c, wrt=0),
        right=lambda f, x, c: f.reconstruct(x, _moved_by_a_window(*f.legt_matrices(order=5, window=2.0), c))[0],
    ),
    Law.equal(
        "LegS loses energy",
        given(),
        left=lambda f: (lambda a, b: a + a.T + np.outer(b, b))(*f.legs_matrices(order=5)),
        right=-np.eye(5),
    ),
    Law.equal(
        "LegT loses the energy of both ends",
        given(),
        left=lambda f: (lambda a, _: -2 * (a + a.T))(*f.legt_matrices(order=5, window=2.0)),
        right=lambda f: (lambda ends: ends.T @ ends)(f.legendre_basis(np.linspace(0.0, 1.0, 6), order=5)[[0, -1]]),
    ),
    Law.equal(
        "the step solves the bilinear rule",
        given(**MEMORY),
        left=lambda f, value, c: _moved(f, value, c, f.legs_step(value, c, index=3)),
        right=lambda f, value, c: 6 * (f.legs_step(value, c, index=3) - c),
    ),
    Law.equal(
        "a constant is remembered at every index",
        given(value=normal(3)),
        left=lambda f, value: np.stack([f.legs_step(value, _constant(value), index=index) for index in (1, 2, 50)]),
        right=lambda f, value: np.stack([_constant(value)] * 3),
    ),
    Law.equal(
        "a memory contains those of lower order",
        given(**MEMORY),
        left=lambda f, value, c: f.legs_step(value, c[:, :2], index=4),
        right=lambda f, value, c: f.legs_step(value, c, index=4)[:, :2],
    ),
    *(
        Rejects(function, "order 0", given(**more, order=0, **last), blames="order")
        for function, more, last in (
            ("legs_matrices", {}, {}),
            ("legt_matrices", {}, {"window": 1.0}),
            ("legendre_basis", {"points": [0.5]}, {}),
        )
    ),
    *(
        Rejects("legt_matrices", f"a window of {window}", given(order=2, window=window), blames="window")
        for window in (0.0, -1.0)
    ),
    *(
        Rejects("legendre_basis", f"a point at {point}", given(points=[0.5, point], order=2), blames="points")
        for point in (-0.01, 1.01)
    ),
    Rejects("legendre_basis", "a single point", given(points=scalar(0.5), order=2), blames="points"),
    Rejects("legs_step", "index 0", given(value=zeros(2), coefficients=zeros(2, 3), index=0), blames="index"),
    Rejects("legs_step", "no coefficient", given(value=zeros(2), coefficients=zeros(2, 0), index=1), blames="coefficients"),
    Rejects("legs_step", "one value for all", given(value=zeros(1), coefficients=zeros(2, 3), index=1), blames="value"),
    Rejects("legs_step", "no batch", given(value=zeros(3), coefficients=zeros(3), index=1), blames="coefficients"),
    Rejects("reconstruct", "no coefficient", given(points=[0.5], coefficients=zeros(2, 0)), blames="coefficients"),
    Rejects("reconstruct", "tomorrow", given(points=[0.5, 1.5], coefficients=zeros(2, 3)), blames="points"),
)


def _projected(f, signal):
    """The five coefficients of a signal of degree below 7, by Gauss-Legendre quadrature on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    points = (nodes + 1) / 2
    return (signal(points) * weights[:, None] / 2).T @ f.legendre_basis(points, order=5)


def _moved_by_a_window(a, b, c):
    """The window is 2 long: 2 A c, and B times twice what is remembered of now, 2 B being the basis there."""
    return 2 * (c @ a.T + (c @ (2 * b))[:, None] * b)


def _moved(f, value, before, after):
    """A (c' + c) + 2 B f."""
    a, b = f.legs_matrices(order=before.shape[1])
    return (before + after) @ a.T + 2 * value[:, None] * b


def _constant(value):
    return np.stack([value, 0 * value, 0 * value], axis=1)
