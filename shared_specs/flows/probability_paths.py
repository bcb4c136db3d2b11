"""Contracts of paths of probability from noise to data."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

X0, X1, TIMES = normal(4, 3), normal(4, 3), [0.0, 0.3, 1.0, 0.65]
IMAGES = normal(2, 1, 3, 2)
ENDS = {"x0": [[4.0, -2.0]], "x1": [[8.0, 0.0]]}
HALF_PI, ROOT_3 = np.pi / 2, np.sqrt(3.0)
# Coefficients that belong to no path in particular: each has its own value.
FREE = {
    "alpha": uniform(4, low=0.2, high=0.9),
    "sigma": uniform(4, low=0.2, high=0.9),
    "alpha_slope": uniform(4, low=0.5, high=2.0),
    "sigma_slope": uniform(4, low=-2.0, high=-0.5),
}
ONE = {"alpha": [0.5], "sigma": [0.25], "alpha_slope": [2.0], "sigma_slope": [-3.0]}
TWO = {name: value * 2 for name, value in ONE.items()}
S_0, S_HALF = np.sqrt(-np.expm1(-2.0)), np.sqrt(-np.expm1(-0.75))  # B = 2 at time 0 and 3/4 at 1/2, with beta from 1 to 3
A_0, A_HALF = np.exp(-1.0), np.exp(-0.375)


def _differences(f, function, h, time):
    """Central differences of alpha and sigma."""
    after, before = (getattr(f, function)(time + by)[:2] for by in (h, -h))
    return (np.stack(after) - np.stack(before)) / (2 * h)


def _slopes(function):
    return Law.limit(
        f"{function}: the slopes are those of the coefficients",
        given(time=[0.2, 0.5, 0.8]),
        at=(1 / 32, 1 / 64, 1 / 128),
        order=2,
        value=lambda f, h, time: _differences(f, function, h, time),
        limit=lambda f, time: np.stack(getattr(f, function)(time)[2:]),
    )


def _circle(function):
    return Law.equal(
        f"{function}: the squares sum to one",
        given(time=TIMES),
        right=1.0,
        left=lambda f, time: sum(c**2 for c in getattr(f, function)(time)[:2]),
    )


def _one_field(case, coefficients):
    """The velocity of a path is that of the field at the place where the path is."""

    def both(f, x0, x1, time, function):
        at = coefficients(f, time)
        x, velocity = f.affine_path(x0, x1, *at)
        return velocity if function == "affine_path" else f.conditional_velocity(x, x1, *at)

    return Law.equal(
        f"{case}: a path follows the field",
        given(x0=X0, x1=X1, time=[0.0, 0.3, 0.9, 0.65]),
        left=lambda f, *a: both(f, *a, "conditional_velocity"),
        right=lambda f, *a: both(f, *a, "affine_path"),
    )


SPEC = (
    # The linear path.
    Agree("linear_path", "both ends and between", given(x0=X0, x1=X1, time=TIMES)),
    Agree("linear_path", "images", given(x0=IMAGES, x1=IMAGES, time=[0.25, 0.75])),
    Anchor("linear_path", "a quarter of the way", given(**ENDS, time=[0.25]), gives=([[5.0, -1.5]], [[4.0, 2.0]]),
           source="by hand", near_misses={
               "noise and data exchanged": ([[7.0, -0.5]], [[-4.0, -2.0]]),
               "the velocity turned": ([[5.0, -1.5]], [[-4.0, -2.0]]),
               "the time turned": ([[7.0, -0.5]], [[4.0, 2.0]]), "what is left": ([[5.0, -1.5]], [[3.0, 1.5]])}),
    Law.equal("linear: as with sigma_min 0", given(x0=X0, x1=X1, time=TIMES),
              left=lambda f, *a: np.stack(f.linear_path(*a)),
              right=lambda f, *a: np.stack(f.optimal_transport_path(*a, sigma_min=0.0))),
    Rejects("linear_path", "time 1.5", given(x0=zeros(2, 3), x1=zeros(2, 3), time=[0.5, 1.5]), blames="time"),
    Rejects("linear_path", "time -0.1", given(x0=zeros(2, 3), x1=zeros(2, 3), time=[-0.1, 0.5]), blames="time"),
    Rejects("linear_path", "one time for all", given(x0=zeros(2, 3), x1=zeros(2, 3), time=[0.5]), blames="time"),
    Rejects("linear_path", "shapes differ", given(x0=zeros(2, 3), x1=zeros(2, 1), time=[0.5, 0.5]), blames="x1"),
    # The path of optimal transport to one data point.
    Agree("optimal_transport_path", "default", given(x0=X0, x1=X1, time=TIMES)),
    Agree("optimal_transport_path", "images, a tenth", given(x0=IMAGES, x1=IMAGES, time=[0.25, 1.0], sigma_min=0.1)),
    Anchor("optimal_transport_path", "a quarter of the way, to a tenth", given(**ENDS, time=[0.25], sigma_min=0.1),
           gives=([[5.1, -1.55]], [[4.4, 1.8]]), source="sigma 0.775", near_misses={
               "linear": ([[5.0, -1.5]], [[4.0, 2.0]]), "sigma_min at the other end": ([[5.6, -1.5]], [[3.2, 2.0]]),
               "sigma_min added": ([[5.4, -1.7]], [[4.0, 2.0]]),
               "the velocity of the linear path": ([[5.1, -1.55]], [[4.0, 2.0]])}),
    Law.equal("optimal transport: what is left at time 1", given(x0=X0, x1=X1), right=lambda f, x0, x1: x1 + x0 / 10,
              left=lambda f, x0, x1: f.optimal_transport_path(x0, x1, np.ones(4), sigma_min=0.1)[0]),
    Rejects("optimal_transport_path", "time 1.5", given(x0=zeros(1, 3), x1=zeros(1, 3), time=[1.5]), blames="time"),
    Rejects("optimal_transport_path", "shapes differ", given(x0=zeros(2, 3), x1=zeros(2, 1), time=[0.5, 0.5]), blames="x1"),
    Rejects("optimal_transport_path", "sigma_min below 0", given(x0=zeros(1, 3), x1=zeros(1, 3), time=[0.5], sigma_min=-0.1),
            blames="sigma_min"),
    Rejects("optimal_transport_path", "noise that grows", given(x0=zeros(1, 3), x1=zeros(1, 3), time=[0.5], sigma_min=1.5),
            blames="sigma_min"),
    # Any path.
    Agree("affine_path", "regular", given(x0=X0, x1=X1, **FREE)),
    Agree("affine_path", "images", given(x0=IMAGES, x1=IMAGES, **TWO)),
    Anchor("affine_path", "coefficients that all differ", given(**ENDS, **ONE), gives=([[5.0, -0.5]], [[4.0, 6.0]]),
           source="by hand", near_misses={
               "noise and data exchanged": ([[4.0, -1.0]], [[-16.0, -4.0]]),
               "sigma' without its sign": ([[5.0, -0.5]], [[28.0, -6.0]]),
               "no slope of sigma": ([[5.0, -0.5]], [[16.0, 0.0]]), "the point as velocity": ([[5.0, -0.5]], [[5.0, -0.5]])}),
    Rejects("affine_path", "alpha falls", given(x0=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "alpha_slope": [-0.1]}),
            blames="alpha_slope is -0.1"),
    Rejects("affine_path", "sigma rises", given(x0=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "sigma_slope": [0.1]}),
            blames="sigma_slope is 0.1"),
    Rejects("affine_path", "the end of the variance-preserving path", given(
        x0=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "sigma_slope": [-np.inf]}), blames="sigma_slope is -inf"),
    Rejects("affine_path", "shapes differ", given(x0=zeros(1, 2), x1=zeros(1, 3), **ONE), blames="x1"),
    *(
        Rejects("affine_path", f"one {name} for all", given(x0=zeros(2, 3), x1=zeros(2, 3), **{**TWO, name: ONE[name]}),
                blames=name)
        for name in ONE
    ),
    # Coefficients.
    Agree("variance_preserving_coefficients", "defaults", given(time=[0.0, 0.3, 0.999, 0.65])),
    Agree("variance_preserving_coefficients", "to the end, at constant beta", given(
        time=[1.0, 1 - 1e-6, 1 - 2e-4, 0.5], beta_min=2.0, beta_max=2.0), no_gradient="the slope of sigma is infinite at 1"),
    Anchor("variance_preserving_coefficients", "beta from 1 to 3", given(time=[0.0, 0.5], beta_min=1.0, beta_max=3.0),
           gives=([A_0, A_HALF], [S_0, S_HALF], [1.5 * A_0, A_HALF], [-1.5 * A_0**2 / S_0, -(A_HALF**2) / S_HALF]),
           source="B = 2 and 3/4, beta = 3 and 2", near_misses={
               "slopes in diffusion time": ([A_0, A_HALF], [S_0, S_HALF], [-1.5 * A_0, -A_HALF],
                                            [1.5 * A_0**2 / S_0, A_HALF**2 / S_HALF]),
               "alpha squared": ([A_0**2, A_HALF**2], [S_0, S_HALF], [3 * A_0**2, 2 * A_HALF**2],
                                 [-1.5 * A_0**2 / S_0, -(A_HALF**2) / S_HALF]),
               "the slopes without the half": ([A_0, A_HALF], [S_0, S_HALF], [3 * A_0, 2 * A_HALF],
                                               [-3 * A_0**2 / S_0, -2 * (A_HALF**2) / S_HALF]),
               "beta of the time of the flow": ([A_0, A_HALF], [S_0, S_HALF], [0.5 * A_0, A_HALF],
                                                [-0.5 * A_0**2 / S_0, -(A_HALF**2) / S_HALF])}),
    _slopes("variance_preserving_coefficients"),
    _circle("variance_preserving_coefficients"),
    Rejects("variance_preserving_coefficients", "time 1.5", given(time=[0.5, 1.5]), blames="time"),
    Rejects("variance_preserving_coefficients", "betas exchanged", given(time=[0.5], beta_min=3.0, beta_max=1.0),
            blames="beta_min"),
    Rejects("variance_preserving_coefficients", "no noise at first", given(time=[0.5], beta_min=0.0), blames="beta_min"),
    Agree("cosine_coefficients", "both ends and between", given(time=TIMES)),
    Anchor("cosine_coefficients", "30 and 90 degrees", given(time=[0.0, 1 / 3, 1.0]),
           gives=([0.0, 0.5, 1.0], [1.0, ROOT_3 / 2, 0.0], [HALF_PI, HALF_PI * ROOT_3 / 2, 0.0],
                  [0.0, -HALF_PI / 2, -HALF_PI]), source="by hand", near_misses={
               "no pi/2": ([0.0, 0.5, 1.0], [1.0, ROOT_3 / 2, 0.0], [1.0, ROOT_3 / 2, 0.0], [0.0, -0.5, -1.0]),
               "exchanged": ([1.0, ROOT_3 / 2, 0.0], [0.0, 0.5, 1.0], [0.0, -HALF_PI / 2, -HALF_PI],
                             [HALF_PI, HALF_PI * ROOT_3 / 2, 0.0]),
               "squares": ([0.0, 0.25, 1.0], [1.0, 0.75, 0.0], [0.0, HALF_PI * ROOT_3 / 2, 0.0],
                           [0.0, -HALF_PI * ROOT_3 / 2, 0.0])}),
    _slopes("cosine_coefficients"),
    _circle("cosine_coefficients"),
    Law.equal("cosine: data of variance one have a constant mean squared speed", given(time=TIMES), right=HALF_PI**2,
              left=lambda f, time: sum(c**2 for c in f.cosine_coefficients(time)[2:])),
    Rejects("cosine_coefficients", "time -0.1", given(time=[-0.1]), blames="time"),
    # The field.
    Agree("conditional_velocity", "regular", given(x=X0, x1=X1, **FREE)),
    Agree("conditional_velocity", "images", given(x=IMAGES, x1=IMAGES, **TWO)),
    Anchor("conditional_velocity", "coefficients that all differ", given(x=[[5.0, -0.5]], x1=[[8.0, 0.0]], **ONE),
           gives=[[4.0, 6.0]], source="-12 (1, -1/2) + 2 (8, 0)", near_misses={
               "the ratio turned over": [[16 - 1 / 12, 1 / 24]], "no mean": [[-44.0, 6.0]], "the mean fixed": [[-12.0, 6.0]],
               "without the sign": [[28.0, -6.0]], "by the variance": [[-32.0, 24.0]]}),
    _one_field("cosine", lambda f, time: f.cosine_coefficients(time)),
    _one_field("variance preserving", lambda f, time: f.variance_preserving_coefficients(time)),
    Rejects("conditional_velocity", "sigma 0, the end of a path", given(x=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "sigma": [0.0]}),
            blames="sigma is 0"),
    Rejects("conditional_velocity", "alpha falls", given(x=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "alpha_slope": [-0.1]}),
            blames="alpha_slope is -0.1"),
    Rejects("conditional_velocity", "sigma rises", given(x=zeros(1, 2), x1=zeros(1, 2), **{**ONE, "sigma_slope": [0.1]}),
            blames="sigma_slope is 0.1"),
    Rejects("conditional_velocity", "shapes differ", given(x=zeros(1, 2), x1=zeros(1, 3), **ONE), blames="x1"),
    *(
        Rejects("conditional_velocity", f"one {name} for all", given(x=zeros(2, 3), x1=zeros(2, 3), **{**TWO, name: ONE[name]}),
                blames=name)
        for name in ONE
    ),
)  # fmt: skip
