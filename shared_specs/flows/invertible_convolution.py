"""Contracts of the invertible 1x1 convolution and its LU form."""

import numpy as np

from shared_specs.flows._cases import layer
from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, normal, zeros

X, IMAGES = normal(5, 3), normal(2, 3, 4, 5)
WEIGHT = np.array([[0.5, -1.0, 0.25], [1.5, 0.75, -0.5], [-0.25, 1.0, 1.25]])  # det 2.625
REFLECTED = WEIGHT[[1, 0, 2]]  # a negative determinant
SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
TWO = [[0.0, 2.0], [3.0, 1.0]]  # det -6; a zero where elimination begins
LOG_6 = LOG_2 + LOG_3
CYCLE = np.array([1, 2, 0])
TURN = np.roll(np.arange(256), 1)
PARTS = {"permutation": CYCLE, "lower": normal(3, 3), "upper": normal(3, 3), "log_diagonal": normal(3), "sign": [1.0, -1.0, -1.0]}
LEARNED = ("lower", "upper", "log_diagonal")


def _both_ways():
    """The two functions: the same cases, and what both refuse."""
    for function, name in (("forward", "x"), ("inverse", "z")):
        for case, x, weight in (
            ("vectors", X, WEIGHT),
            ("images, a negative determinant", IMAGES, REFLECTED),
            ("one channel", normal(4, 1, 2), [[-2.5]]),
        ):
            yield Agree(function, case, given(**{name: x}, weight=weight))
        yield Rejects(function, "a singular matrix", given(**{name: normal(5, 2)}, weight=SINGULAR), blames="weight is")
        yield Rejects(function, "a matrix of another size", given(**{name: X}, weight=np.eye(2)), blames="weight has")
        yield Rejects(function, "a matrix for each example", given(**{name: X}, weight=np.stack([WEIGHT] * 5)), blames="weight")
        yield Rejects(function, "no channels", given(**{name: normal(3)}, weight=WEIGHT), blames=name)


SPEC = (
    *_both_ways(),
    Anchor("forward", "two channels at two positions", given(x=[[[1.0, 10.0], [1.0, 0.0]]], weight=TWO),
           gives=([[[2.0, 0.0], [4.0, 30.0]]], [2 * LOG_6]), source="by hand",
           near_misses={"one position": ([[[2.0, 0.0], [4.0, 30.0]]], [LOG_6]),
                        "transposed": ([[[3.0, 0.0], [3.0, 20.0]]], [2 * LOG_6]),
                        "the sign": ([[[2.0, 0.0], [4.0, 30.0]]], [-2 * LOG_6]),
                        "the signed determinant": ([[[2.0, 0.0], [4.0, 30.0]]], [np.nan])}),
    Anchor("inverse", "the same undone", given(z=[[[2.0, 0.0], [4.0, 30.0]]], weight=TWO),
           gives=([[[1.0, 10.0], [1.0, 0.0]]], [-2 * LOG_6]), source="by hand",
           near_misses={"the transpose": ([[[12.0, 90.0], [8.0, 30.0]]], [-2 * LOG_6]),
                        "the transposed inverse": ([[[5 / 3, 15.0], [2 / 3, 0.0]]], [-2 * LOG_6]),
                        "the log-determinant of forward": ([[[1.0, 10.0], [1.0, 0.0]]], [2 * LOG_6])}),
    *layer("vectors", given(x=X, weight=WEIGHT)),
    *layer("images", given(x=normal(2, 3, 2, 2), weight=REFLECTED)),
    Law.equal("a permutation has log-determinant 0", given(x=IMAGES),
              left=lambda f, x: 1 + f.forward(x, np.eye(3)[CYCLE])[1], right=1.0),
    # The LU form.
    Agree("decompose", "regular", given(weight=WEIGHT)),
    Agree("decompose", "a zero where elimination begins", given(weight=TWO)),
    Agree("decompose", "one channel", given(weight=[[-2.5]])),
    Anchor("decompose", "rows exchanged", given(weight=TWO), source="by hand",
           gives=(np.array([1, 0]), np.eye(2), [[0.0, 1.0], [0.0, 0.0]], [LOG_3, LOG_2], [1.0, 1.0]),
           near_misses={"the diagonal in upper":
                            (np.array([1, 0]), np.eye(2), [[3.0, 1.0], [0.0, 2.0]], [LOG_3, LOG_2], [1.0, 1.0]),
                        "the identity": (np.array([0, 1]), np.eye(2), [[0.0, 1.0], [0.0, 0.0]], [LOG_3, LOG_2], [1.0, 1.0])}),
    Law.equal("the factors multiply to the weight", given(weight=normal(4, 4)),
              left=lambda f, weight: f.assemble(*f.decompose(weight)), right=lambda f, weight: weight),
    Law.equal("the logarithms of the diagonal sum to the log-determinant", given(weight=normal(4, 4)),
              left=lambda f, weight: f.decompose(weight)[3].sum(), right=lambda f, weight: np.linalg.slogdet(weight)[1]),
    Rejects("decompose", "a singular matrix", given(weight=SINGULAR), blames="weight is"),
    Rejects("decompose", "no square", given(weight=zeros(2, 3)), blames="weight has"),
    Agree("assemble", "regular", given(**PARTS), differentiate=LEARNED),
    Anchor("assemble", "256 channels in turn", given(
        permutation=TURN, lower=np.zeros((256, 256)), upper=np.zeros((256, 256)), log_diagonal=zeros(256), sign=np.ones(256)),
           gives=np.eye(256)[TURN], source="by hand", frozen=("lower", "upper", "log_diagonal", "sign")),
    Anchor(
        "assemble", "a cycle of three, with a negative pivot",
        given(permutation=CYCLE, lower=[[9.0, 9.0, 9.0], [2.0, 9.0, 9.0], [0.0, 3.0, 9.0]],
              upper=[[9.0, 1.0, 0.0], [9.0, 9.0, 1.0], [9.0, 9.0, 9.0]], log_diagonal=[0.0, LOG_2, LOG_3], sign=[1.0, -1.0, 1.0]),
        gives=[[2.0, 0.0, 1.0], [0.0, -6.0, 6.0], [1.0, 1.0, 0.0]], source="by hand: L U = [[1, 1, 0], [2, 0, 1], [0, -6, 6]]",
        near_misses={"the permutation turned around": [[0.0, -6.0, 6.0], [1.0, 1.0, 0.0], [2.0, 0.0, 1.0]],
                     "no exchange": [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, -6.0, 6.0]],
                     "columns exchanged": [[0.0, 1.0, 1.0], [1.0, 2.0, 0.0], [6.0, 0.0, -6.0]],
                     "no sign": [[2.0, 4.0, 1.0], [0.0, 6.0, 6.0], [1.0, 1.0, 0.0]]},
    ),
    Law.equal("entries above the diagonal of lower are not read", given(lower=normal(3, 3), upper=normal(3, 3), d=normal(3)),
              left=lambda f, lower, upper, d: f.assemble(CYCLE, lower, upper, d, np.ones(3)),
              right=lambda f, lower, upper, d: f.assemble(CYCLE, np.tril(lower, -1), np.triu(upper, 1), d, np.ones(3))),
    *(Rejects("assemble", case, given(**PARTS | change), blames=blames) for case, change, blames in (
        ("a place twice", {"permutation": np.array([1, 1, 0])}, "permutation is"),
        ("a place that is none", {"permutation": np.array([1, 3, 0])}, "permutation is"),
        ("places that are not integers", {"permutation": [1.0, 2.0, 0.0]}, "permutation has"),
        ("a sign of 0", {"sign": [1.0, 0.0, 1.0]}, "sign is 0"), ("a diagonal that overflows", {"log_diagonal": [
            0.0, 800.0, 0.0]}, "log_diagonal is 800"), ("upper of another size", {"upper": zeros(2, 2)}, "upper"))),
)  # fmt: skip
