"""Contracts of masked autoregressive flows."""

import numpy as np

from shared_specs.flows._cases import layer, plane, undone
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Model, Rejects, begins_at, begins_by_inputs, given, normal, zeros

X = normal(5, 3)
MASK = np.array([[True, False, False], [True, True, False]])
LINEAR = {"x": X, "weight": normal(2, 3), "bias": normal(2), "mask": MASK}


def _places(x):
    """0, 1, 2, ... next to the entries of each example."""
    return (0 * x + 1).cumsum(1) - 1


def _bent(x):
    """Means and log-scales of three entries: constants, then of the first entry, then of the first two."""
    place, first, second = _places(x), x[:, :1], x[:, 1:2]
    third = place * (place - 1) / 2
    return 0.5 + place * first / 4 + third * second * first / 2, 0.25 - place * first / 8 + third * second / 4


def _smooth(x):
    """Parameters of two entries, small enough for a grid."""
    bend = _places(x) * x[:, :1] / (2 + x[:, :1] ** 2 / 5)
    return bend, bend / 4


def _halved(x):
    """Means 1 and x_1^2, log-scales 0 and x_1 log 2."""
    place, first = _places(x), x[:, :1]
    return 1 - place + place * first * first, LOG_2 * place * first


def _constant(x):
    """Parameters that depend on no entry."""
    return 0 * x + 0.5, 0 * x - 0.25


def _both_ways():
    """The two functions: the same cases, and what both refuse."""
    for function, name in (("forward", "x"), ("inverse", "z")):
        yield Agree(function, "three entries", given(**{name: X}, conditioner_fn=_bent))
        yield Agree(function, "parameters that depend on no entry", given(**{name: normal(4, 1)}, conditioner_fn=_constant))
        bad = {
            "a mean too few": (X, lambda x: (x[:, 1:], 0 * x)),
            "a log-scale for all": (X, lambda x: (0 * x, 0 * x[:, :1])),
            "a log-scale that overflows": (X, lambda x: (0 * x, 0 * x + 800.0)),
            "a log-scale that vanishes": (X, lambda x: (0 * x, 0 * x - 800.0)),
        }
        for case, (x, conditioner_fn) in bad.items():
            yield Rejects(function, case, given(**{name: x}, conditioner_fn=conditioner_fn), blames="conditioner_fn")
        yield Rejects(function, "images", given(**{name: zeros(2, 3, 4)}, conditioner_fn=_constant), blames=name)


SPEC = (
    Agree("degrees_to_mask", "into hidden units", given(
        input_degrees=np.array([1, 2, 3]), output_degrees=np.array([2, 1, 1, 2]), strict=False)),
    Agree("degrees_to_mask", "up to 255", given(
        input_degrees=np.array([0, 255, 128]), output_degrees=np.array([255, 0]), strict=True)),
    Anchor("degrees_to_mask", "outputs", given(input_degrees=np.array([1, 2]), output_degrees=np.array([1, 2, 3]), strict=True),
           gives=[[False, False], [True, False], [True, True]], source="by hand",
           near_misses={"not strict": [[True, False], [True, True], [True, True]],
                        "below": [[False, True], [False, False], [False, False]]}),
    Anchor("degrees_to_mask", "hidden units", given(
        input_degrees=np.array([1, 2]), output_degrees=np.array([1, 2, 1]), strict=False),
           gives=[[True, False], [True, True], [True, False]], source="by hand",
           near_misses={"strict": [[False, False], [True, False], [False, False]]}),
    Rejects("degrees_to_mask", "degrees that are not integers", given(
        input_degrees=[1.0, 2.0], output_degrees=np.array([1]), strict=True), blames="input_degrees"),
    Rejects("degrees_to_mask", "outputs that are not integers", given(
        input_degrees=np.array([1]), output_degrees=[1.0], strict=True), blames="output_degrees"),
    Agree("masked_linear", "regular", given(**LINEAR)),
    Anchor("masked_linear", "half of the weights", given(
        x=[[1.0, 2.0]], weight=[[3.0, 5.0], [7.0, 11.0]], bias=[0.5, -0.5], mask=np.array([[True, False], [False, True]])),
           gives=[[3.5, 21.5]], source="by hand",
           near_misses={"no mask": [[13.5, 28.5]], "the mask turned around": [[10.5, 6.5]],
                        "no bias": [[3.0, 22.0]]}),
    Law.equal("masked weights have no gradient", given(x=X, weight=normal(2, 3)),
              left=lambda f, x, weight: 1 + f.gradient("masked_linear", x, weight, np.zeros(2), MASK, wrt=1)[~MASK], right=1.0),
    Rejects("masked_linear", "a mask of numbers", given(**LINEAR | {"mask": MASK.astype(float)}), blames="mask"),
    Rejects("masked_linear", "a mask of another shape", given(**LINEAR | {"mask": MASK[:1]}), blames="mask"),
    Rejects("masked_linear", "a bias of another length", given(**LINEAR | {"bias": zeros(3)}), blames="bias"),
    *_both_ways(),
    Anchor("forward", "(2, 6)", given(x=[[2.0, 6.0]], conditioner_fn=_halved), gives=([[1.0, 0.5]], [-2 * LOG_2]),
           source="by hand", near_misses={"multiplied": ([[1.0, 8.0]], [-2 * LOG_2]), "the sign": ([[1.0, 0.5]], [2 * LOG_2]),
                                          "a log-variance": ([[1.0, 1.0]], [-LOG_2]),
                                          "shifted after": ([[1.0, -2.5]], [-2 * LOG_2])}),
    Anchor("inverse", "(2, 6) again", given(z=[[1.0, 0.5]], conditioner_fn=_halved), gives=([[2.0, 6.0]], [2 * LOG_2]),
           source="by hand", near_misses={"one pass": ([[2.0, 0.5]], [0.0]), "the log-determinant of forward": (
               [[2.0, 6.0]], [-2 * LOG_2]), "the scale of noise": ([[2.0, 2.0]], [LOG_2])}),
    *layer("three entries", given(x=X, conditioner_fn=_bent)),
    Law.equal("no entry depends on a later one", given(x=X),
              left=lambda f, x: 1 + np.triu(np.einsum("bibj->bij", f.jacobian("forward", x, _bent)), 1), right=1.0),
    Law.normalized("the density of two entries", given(), total=lambda f: sum(
        np.sum(np.exp(-np.sum(z**2, 1) / 2 + log_det)) for z, log_det in [f.forward(plane(14.0, 113)[0], _smooth)]
    ) * plane(14.0, 113)[1] / (2 * np.pi)),
    # The network.
    Model("MAF", "three layers", given(x=normal(5, 3)), sizes=dict(dim=3, layers=3, hidden=(6, 5), bound=2.0), steps=3,
          initial={"networks.*.4.*": begins_at(0), "*": begins_by_inputs()}, relations={"the inverse undoes it": undone}),
)  # fmt: skip
