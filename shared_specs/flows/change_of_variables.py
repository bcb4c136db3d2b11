"""Contracts of densities under a change of variables, and of the map of Box and Muller."""

import numpy as np

from shared_specs.flows._cases import bent, layer, plane, turned_over
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, concatenate, given, normal, uniform, zeros

LOG_2_PI = np.log(2 * np.pi)
X = normal(4, 3)
INSIDE = uniform(5, 2, low=0.05, high=0.95)
# The axes, a deep tail, and the origin, where u_1 = 1.
EDGES = np.array([[0.5, 0.0], [0.5, 0.25], [0.5, 0.5], [0.5, 0.75], [1e-30, 0.125], [1.0, 0.0], [1.0, 0.3]])
AT_THE_EDGE = "a step to one side leaves the domain"
ROOT_3 = np.sqrt(3.0)


def _rows_of_box_muller():
    """Both functions of the uniforms: the same cases, and what both refuse."""
    for function in ("box_muller", "box_muller_log_det"):
        yield Agree(function, "regular", given(u=INSIDE))
        yield Agree(function, "on the axes, in the tail, at the origin", given(u=EDGES), no_gradient=AT_THE_EDGE)
        for case, u in (("0", [[0.5, 0.5], [0.0, 0.5]]), ("above 1", [[1.5, 0.5]]), ("below 0", [[-0.5, 0.5]])):
            yield Rejects(function, f"a first uniform of {case}", given(u=np.array(u)), blames="u is")
        yield Rejects(function, "a second uniform above 1", given(u=np.array([[0.5, 1.5]])), blames="u is")
        yield Rejects(function, "three uniforms", given(u=uniform(4, 3)), blames="u has")


SPEC = (
    Agree("standard_normal_log_prob", "regular", given(z=X)),
    Agree("standard_normal_log_prob", "images", given(z=normal(2, 3, 4, 5))),
    Agree("standard_normal_log_prob", "one number each, far out", given(z=[0.0, -1.5, 38.0, 1e4])),
    Anchor(
        "standard_normal_log_prob", "the origin, and (1, 2)", given(z=[[0.0, 0.0], [1.0, 2.0]]),
        gives=[-LOG_2_PI, -2.5 - LOG_2_PI], source="by hand",
        near_misses={"no half": [-LOG_2_PI, -5 - LOG_2_PI], "one constant": [-LOG_2_PI / 2, -2.5 - LOG_2_PI / 2],
                     "no constant": [0.0, -2.5], "the sign": [LOG_2_PI, 2.5 + LOG_2_PI],
                     "the mean of the entries": [-LOG_2_PI / 2, -1.25 - LOG_2_PI / 2]},
    ),
    Law.normalized("the standard normal density of the plane", given(), total=lambda f: np.sum(
        np.exp(f.standard_normal_log_prob(plane(9.0, 37)[0]))) * plane(9.0, 37)[1]),
    Agree("pushforward_log_prob", "regular", given(base_log_prob=normal(5), forward_log_det=normal(5))),
    Anchor("pushforward_log_prob", "half the density where volume doubles",
           given(base_log_prob=[-1.0, 2.0], forward_log_det=[LOG_2, -LOG_2]), gives=[-1 - LOG_2, 2 + LOG_2], source="by hand",
           near_misses={"multiplied by the determinant": [-1 + LOG_2, 2 - LOG_2], "no determinant": [-1.0, 2.0]}),
    Rejects("pushforward_log_prob", "shapes differ", given(base_log_prob=zeros(4), forward_log_det=zeros(3)),
            blames="forward_log_det"),
    # The log-determinant of any map.
    Agree("log_abs_det_jacobian", "regular", given(x=X, fn=bent)),
    Agree("log_abs_det_jacobian", "a negative determinant, on images", given(x=normal(2, 3, 2), fn=turned_over)),
    Anchor(
        "log_abs_det_jacobian", "entries times their first", given(x=[[2.0, 1.0, -1.0]], fn=lambda x: x[:, :1] * x),
        gives=[4 * LOG_2], source="by hand: the diagonal 2 x_1, x_1, x_1",
        near_misses={"the determinant": [16.0], "the trace": [np.log(8.0)], "mean over the entries": [4 * LOG_2 / 3]},
    ),
    Law.equal("maps in a row add their log-determinants", given(x=X),
              left=lambda f, x: f.log_abs_det_jacobian(x, lambda y: bent(turned_over(y))),
              right=lambda f, x: f.log_abs_det_jacobian(x, turned_over) + f.log_abs_det_jacobian(turned_over(x), bent)),
    Rejects("log_abs_det_jacobian", "an entry is lost", given(x=X, fn=lambda x: x[:, 1:]), blames="fn"),
    # The inverse of a distribution function.
    Agree("inverse_transform_sample", "regular", given(u=uniform(4, 3), rate=2.5)),
    Agree("inverse_transform_sample", "both ends", given(u=[0.0, 1e-20, 0.35, 0.5, 1 - 2.0**-24], rate=1.0),
          no_gradient=AT_THE_EDGE),
    Anchor("inverse_transform_sample", "half and three quarters, rate 1/2", given(u=[0.0, 0.5, 0.75], rate=0.5),
           gives=[0.0, 2 * LOG_2, 4 * LOG_2], source="by hand",
           near_misses={"the rate as a scale": [0.0, LOG_2 / 2, LOG_2], "no rate": [0.0, LOG_2, 2 * LOG_2],
                        "the sign": [0.0, -2 * LOG_2, -4 * LOG_2]}),
    Law.equal("the distribution function of the sample is the uniform", given(u=uniform(6)),
              left=lambda f, u: -np.expm1(-3.0 * f.inverse_transform_sample(u, rate=3.0)), right=lambda f, u: u),
    Rejects("inverse_transform_sample", "u = 1", given(u=[0.5, 1.0], rate=1.0), blames="u "),
    Rejects("inverse_transform_sample", "a negative u", given(u=[-0.1], rate=1.0), blames="u "),
    Rejects("inverse_transform_sample", "no rate", given(u=[0.5], rate=0.0), blames="rate"),
    # The map of Box and Muller.
    *_rows_of_box_muller(),
    Anchor(
        "box_muller", "60 degrees at radius 2", given(u=[[np.exp(-2.0), 1 / 6]]), gives=[[1.0, ROOT_3]], source="by hand",
        near_misses={"no 2 in the radius": [[np.sqrt(0.5), np.sqrt(1.5)]], "sine first": [[ROOT_3, 1.0]],
                     "half the angle": [[ROOT_3, 1.0]], "the radius squared": [[2.0, 2 * ROOT_3]],
                     "the uniforms exchanged": [[np.sqrt(2 * np.log(6)) * np.cos(2 * np.pi * np.exp(-2.0)),
                                                 np.sqrt(2 * np.log(6)) * np.sin(2 * np.pi * np.exp(-2.0))]]},
    ),
    Anchor("box_muller_log_det", "one, and e^-2", given(u=[[1.0, 0.5], [np.exp(-2.0), 0.5]]), gives=[LOG_2_PI, LOG_2_PI + 2],
           source="by hand", near_misses={"the sign": [-LOG_2_PI, -LOG_2_PI - 2], "of the inverse": [LOG_2_PI, LOG_2_PI - 2],
                                          "no angle": [0.0, 2.0]}),
    *layer("Box and Muller", given(u=INSIDE), "box_muller", "box_muller_inverse",
           log_det=lambda f, u: f.box_muller_log_det(u)),
    Law.equal("at the origin the gradient is 0", given(u=EDGES[5:]),
              left=lambda f, u: 1 + f.gradient("box_muller", u, wrt=0), right=1.0),
    Law.equal("the density of the results is the standard normal", given(u=INSIDE),
              left=lambda f, u: f.pushforward_log_prob(np.zeros(5), f.box_muller_log_det(u)),
              right=lambda f, u: f.standard_normal_log_prob(f.box_muller(u))),
    Agree("box_muller_inverse", "regular", given(z=normal(5, 2))),
    Agree("box_muller_inverse", "on the axes, far out, just below a full turn, at the origin", given(z=concatenate(
        [[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, -0.5], [6.0, -7.0], [1.5, -1e-20], [0.0, 0.0]], normal(1, 2)))),
    Anchor(
        "box_muller_inverse", "60 and 240 degrees at radius 2", given(z=[[1.0, ROOT_3], [-1.0, -ROOT_3]]),
        gives=[[np.exp(-2.0), 1 / 6], [np.exp(-2.0), 2 / 3]], source="by hand",
        near_misses={"the arctangent of a quotient": [[np.exp(-2.0), 1 / 6], [np.exp(-2.0), 1 / 6]],
                     "angles below 0": [[np.exp(-2.0), 1 / 6], [np.exp(-2.0), -1 / 3]],
                     "no half": [[np.exp(-4.0), 1 / 6], [np.exp(-4.0), 2 / 3]],
                     "the angle": [[np.exp(-2.0), np.pi / 3], [np.exp(-2.0), 4 * np.pi / 3]]},
    ),
    Rejects("box_muller_inverse", "three numbers", given(z=normal(4, 3)), blames="z"),
)  # fmt: skip
