"""Contracts of inversion by optimization (lecture 12)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, linspace, normal, uniform, zeros

X, Z, MASK = normal(4, 3), normal(4, 2), np.array([[True, False, True]] * 3 + [[False, True, True]])
ALL, NONE = np.ones((4, 3), bool), np.zeros((4, 3), bool)
HIDDEN_NAN = [[1.0, np.nan, 2.0], [np.inf, 1.0, -1.0]]
SEEN = np.array([[True, False, True], [False, True, True]])
# three pixels of two codes, with least squares solved by hand
MATRIX = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def cubic(z):
    """A generator that rises everywhere."""
    return z + 0.3 * z**3


def twofold(z):
    """z and -z give one image."""
    return z**2


def _descent(**wrong):
    return given(**{"x": zeros(2, 3), "initial_z": zeros(2, 3), "mask": np.ones((2, 3), bool), "generator_fn": cubic,
                    "learning_rate": 0.1, "num_steps": 2, "prior_weight": 0.0} | wrong)  # fmt: skip


SPEC = (
    Agree("inversion_objective", "some pixels hidden", given(x=X, reconstruction=normal(4, 3), z=Z, mask=MASK, prior_weight=0.3)),
    Agree("inversion_objective", "all seen, no prior", given(x=X, reconstruction=normal(4, 3), z=Z, mask=ALL, prior_weight=0.0)),
    Agree("inversion_objective", "all hidden", given(x=X, reconstruction=normal(4, 3), z=Z, mask=NONE, prior_weight=0.3)),
    Agree("inversion_objective", "hidden pixels hold anything", given(
        x=HIDDEN_NAN, reconstruction=normal(2, 3), z=normal(2, 2), mask=SEEN, prior_weight=0.3),
        differentiate=("reconstruction", "z")),
    Anchor("inversion_objective", "a hidden pixel", given(
               x=[[1.0, 5.0, 2.0]], reconstruction=[[0.0, 1.0, 4.0]], z=[[1.0, -2.0]],
               mask=np.array([[True, False, True]]), prior_weight=0.5),
           gives=[7.5], source="by hand: 1 + 4 + 5/2",
           near_misses={"every pixel": [23.5], "the mean": [5 / 3 + 2.5], "no prior": [5.0], "the prior's norm": [5 + 5**0.5 / 2],
                        "the mask turned over": [18.5]}),
    Law.equal("zero where the code generates the image, without a prior", given(x=X, z=Z),
              left=lambda f, x, z: 1 + f.inversion_objective(x, x, z, ALL, prior_weight=0.0), right=1.0),
    *(
        Rejects("inversion_objective", case, given(**{
            "x": zeros(2, 3), "reconstruction": zeros(2, 3), "z": zeros(2, 2), "mask": np.ones((2, 3), bool), "prior_weight": 0.0
        } | wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("another size", {"reconstruction": zeros(2, 4)}), ("a mask for all", {"mask": np.ones(3, bool)}),
            ("a mask of numbers", {"mask": np.full((2, 3), 0.5)}), ("another batch of codes", {"z": zeros(3, 2)}),
            ("codes without an axis", {"z": zeros(2)}), ("a negative price", {"prior_weight": -1.0}),
        )
    ),
    # Descent.
    Agree("invert_by_gradient_descent", "twenty steps", given(
        x=X, initial_z=normal(4, 3, scale=0.5), mask=MASK, generator_fn=cubic, learning_rate=0.02, num_steps=20,
        prior_weight=0.1)),
    Agree("invert_by_gradient_descent", "no step", given(
        x=X, initial_z=normal(4, 3), mask=ALL, generator_fn=cubic, learning_rate=0.1, num_steps=0)),
    Agree("invert_by_gradient_descent", "nothing seen, no prior", given(
        x=X, initial_z=normal(4, 3), mask=NONE, generator_fn=cubic, learning_rate=0.1, num_steps=2)),
    Agree("invert_by_gradient_descent", "hidden pixels hold anything", given(
        x=HIDDEN_NAN, initial_z=normal(2, 3), mask=SEEN, generator_fn=twofold, learning_rate=0.01, num_steps=2),
        differentiate=("initial_z",)),
    Anchor("invert_by_gradient_descent", "one step, of z^2 to 4 from 1 and to 0 from 2", given(
               x=[[4.0], [0.0]], initial_z=[[1.0], [2.0]], mask=np.ones((2, 1), bool), generator_fn=twofold,
               learning_rate=0.01, num_steps=1, prior_weight=0.5),
           gives=[[1.11], [1.66]], source="by hand: z - 0.01 (-4 z (x - z^2) + z)",
           near_misses={"divided by the batch": [[1.055], [1.83]], "no factor 2": [[1.055], [1.83]], "uphill": [[0.89], [2.34]],
                        "no prior": [[1.12], [1.68]], "a shared gradient": [[0.77], [1.77]]}),
    Law.at_least("short steps lower the objective", given(x=normal(5, 2), initial_z=normal(5, 2, scale=0.5)),
                 left=lambda f, x, z: f.inversion_objective(x, cubic(z), z, np.ones((5, 2), bool), prior_weight=0.1),
                 right=lambda f, x, z: f.inversion_objective(
                     x, cubic(after := f.invert_by_gradient_descent(
                         x, z, np.ones((5, 2), bool), cubic, learning_rate=0.01, num_steps=1, prior_weight=0.1)), after,
                     np.ones((5, 2), bool), prior_weight=0.1)),
    Law.equal("steps add up", given(x=normal(5, 2), initial_z=normal(5, 2, scale=0.5)),
              left=lambda f, x, z: f.invert_by_gradient_descent(
                  x, f.invert_by_gradient_descent(x, z, np.ones((5, 2), bool), cubic, learning_rate=0.02, num_steps=2),
                  np.ones((5, 2), bool), cubic, learning_rate=0.02, num_steps=3),
              right=lambda f, x, z: f.invert_by_gradient_descent(
                  x, z, np.ones((5, 2), bool), cubic, learning_rate=0.02, num_steps=5)),
    *(
        Rejects("invert_by_gradient_descent", case, _descent(**wrong), blames=blames or next(iter(wrong)))
        for case, wrong, blames in (
            ("a negative number of steps", {"num_steps": -1}, ""), ("no learning rate", {"learning_rate": 0.0}, ""),
            ("a negative price", {"prior_weight": -0.5}, ""), ("a mask of numbers", {"mask": np.ones((2, 3))}, ""),
            ("another batch of starts", {"initial_z": zeros(3, 3)}, ""), ("starts without an axis", {"initial_z": zeros(2)}, ""),
            ("a generator of other images", {"initial_z": zeros(2, 2)}, "generator_fn"),
            ("a mask of other images, and no step", {"mask": np.ones((2, 2), bool), "num_steps": 0}, "mask"),
        )
    ),
    # A step of Gauss and Newton's.
    Agree("gauss_newton_step", "regular", given(z=normal(4, 2), residual=normal(4, 3), jacobian=normal(4, 3, 2), damping=0.1)),
    Agree("gauss_newton_step", "more codes than pixels", given(
        z=normal(3, 4), residual=normal(3, 2), jacobian=normal(3, 2, 4), damping=1.0)),
    Agree("gauss_newton_step", "little damping", given(
        z=zeros(2, 2), residual=normal(2, 3), jacobian=[MATRIX] * 2, damping=1e-3)),
    Agree("gauss_newton_step", "much damping", given(z=zeros(2, 2), residual=normal(2, 3), jacobian=[MATRIX] * 2, damping=1e4)),
    Agree("gauss_newton_step", "a constant generator", given(
        z=normal(2, 2), residual=normal(2, 3), jacobian=zeros(2, 3, 2), damping=0.5)),
    Anchor("gauss_newton_step", "three pixels", given(
               z=[[1.0, -1.0], [0.0, 0.0]], residual=[[2.0, 3.0, 1.0], [2.0, 3.0, 1.0]], jacobian=[MATRIX] * 2, damping=1.0),
           gives=[[2.375, -0.125], [1.375, 0.875]], source="by hand: [[3, 1], [1, 3]] d = (5, 4)",
           near_misses={"against the residual": [[-0.375, -1.875], [-1.375, -0.875]], "the step alone": [[1.375, 0.875]] * 2,
                        "no damping": [[3.0, 0.0], [2.0, 1.0]], "descent": [[6.0, 3.0], [5.0, 4.0]]}),
    Law.equal("a linear generator is inverted in one step, but for the damping", given(codes=normal(4, 2), z=normal(4, 2)),
              left=lambda f, codes, z: f.gauss_newton_step(
                  z, (codes - z) @ np.transpose(MATRIX), np.array([MATRIX] * 4), damping=0.25),
              right=lambda f, codes, z: z + np.linalg.solve(
                  np.array([[2.25, 1.0], [1.0, 2.25]]), np.array([[2.0, 1.0], [1.0, 2.0]]) @ (codes - z).T).T),
    *(
        Rejects("gauss_newton_step", case, given(**{
            "z": zeros(2, 2), "residual": zeros(2, 3), "jacobian": zeros(2, 3, 2), "damping": 1.0
        } | wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("no damping", {"damping": 0.0}), ("a negative damping", {"damping": -1.0}),
            ("a Jacobian turned over", {"jacobian": zeros(2, 2, 3)}), ("one Jacobian for all", {"jacobian": zeros(3, 2)}),
            ("another batch", {"residual": zeros(3, 3)}), ("codes without an axis", {"z": zeros(2)}),
        )
    ),
    # Clipping.
    Agree("stochastic_clip", "regular", given(z=normal(4, 3, scale=2.0), uniforms=uniform(4, 3), bound=1.5)),
    Agree("stochastic_clip", "none beyond the bound", given(z=uniform(4, 3), uniforms=uniform(4, 3), bound=2.0)),
    Anchor("stochastic_clip", "four coordinates", given(
               z=[[3.0, -3.0, 1.0, -2.0]], uniforms=[[0.75, 0.0, 0.9, 0.9]], bound=2.0),
           gives=[[1.0, -2.0, 1.0, -2.0]], source="by hand: 2 (2 u - 1) beyond the bound; at the bound nothing is changed",
           near_misses={"at the border": [[2.0, -2.0, 1.0, -2.0]], "not symmetric": [[1.5, 0.0, 1.0, -2.0]],
                        "all anew": [[1.0, -2.0, 1.6, 1.6]], "large ones alone": [[1.0, -3.0, 1.0, -2.0]],
                        "at the bound, too": [[1.0, -2.0, 1.0, 1.6]]}, frozen=("z",)),
    Law.at_least("all are within the bound", given(z=linspace(-9.0, 9.0, 12)),
                 left=lambda f, z: np.full((1, 12), 1.5),
                 right=lambda f, z: np.abs(f.stochastic_clip(z[None], np.linspace(0, 1, 12)[None], bound=1.5))),
    *(
        Rejects("stochastic_clip", case, given(**{"z": zeros(2, 3), "uniforms": zeros(2, 3), "bound": 1.0} | wrong),
                blames=next(iter(wrong)))
        for case, wrong in (
            ("uniforms of other shape", {"uniforms": zeros(2, 2)}), ("uniforms beyond 1", {"uniforms": np.full((2, 3), 1.5)}),
            ("negative uniforms", {"uniforms": np.full((2, 3), -0.5)}),
            ("no bound", {"bound": 0.0}), ("one axis", {"z": zeros(3)}),
        )
    ),
)  # fmt: skip
