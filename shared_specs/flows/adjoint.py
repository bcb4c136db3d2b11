"""Contracts of adjoint gradients."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, zeros

X, COTANGENT, PARAMETERS = normal(4, 3, scale=0.5), normal(4, 3), [0.6, -0.8]
BOTH = ("x", "cotangent", "parameters")  # slopes in the times are differences of velocities, which cancel
RISING, FALLING = [0.0, 0.3, 1.0], [1.0, 0.5]
Z = 0.5  # the rate of the anchors, and the step
THERE = 1 + Z + Z**2 / 2 + Z**3 / 6 + Z**4 / 24
RETURN = 1 + Z**6 / 72 + Z**8 / 576  # a step there and back
MEAN = 1 - Z**4 / 48 - Z**6 / 96  # of the stages of adjoint times state on the way back, in units of both


def mixing(x, time, parameters):
    """A velocity with asymmetric interactions of its entries, nonlinear in position and parameters."""
    return x * (parameters[0] * time - parameters[1] * parameters[0] * x.sum(axis=1, keepdims=True) / 4)


def scaled(x, time, parameters):
    """The parameter times x."""
    return parameters[0] * x


def led(x, time, parameters):
    """Every entry moves as the first: x_1 e^(theta t), and x_i + x_1 (e^(theta t) - 1)."""
    return 0 * x + parameters[0] * x[:, :1]


def falling(x, time, parameters):
    """Toward the origin, at 40 times the distance."""
    return -40 * parameters[0] * x


def flat(x, time, parameters):
    """Another shape than that of x."""
    return x[:, 0]


def _grid(h, end=1.0):
    """Times from 0, h apart."""
    return np.linspace(0.0, end, round(end / h) + 1)


def _led_by(x, cotangent):
    """Gradients of led from 0 to 1 at the parameter 1/2, in x and in the parameter."""
    grown = np.exp(0.5)
    by_x = cotangent.copy()
    by_x[:, 0] = grown * cotangent[:, 0] + (grown - 1) * cotangent[:, 1:].sum(1)
    return by_x, (x[:, 0] * grown * cotangent.sum(1)).sum(keepdims=True)


REGULAR = {"x": X, "cotangent": COTANGENT, "parameters": PARAMETERS, "times": RISING, "velocity_fn": mixing}
ONE = {"x": [[2.0]], "cotangent": [[1.0]], "parameters": [0.5], "times": [0.0, 1.0], "velocity_fn": scaled}

SPEC = (
    Agree("adjoint_gradients", "regular", given(**REGULAR), differentiate=BOTH),
    Agree("adjoint_gradients", "falling times", given(**REGULAR | {"times": FALLING}), differentiate=BOTH),
    Anchor("adjoint_gradients", "x / 2 from 2, one step", given(**ONE), gives=([[2 * THERE]], [[THERE]], [2 * THERE * MEAN]),
           source="the polynomials of the classical method",
           near_misses={
               "the sign of the adjoint": ([[2 * THERE]], [[1 - Z + Z**2 / 2 - Z**3 / 6 + Z**4 / 24]], [2 * THERE * MEAN]),
               "the sign of the parameters'": ([[2 * THERE]], [[THERE]], [-2 * THERE * MEAN]),
               "through the steps": ([[2 * THERE]], [[THERE]], [2 * (1 + Z + Z**2 / 2 + Z**3 / 6)]),
               "the end alone": ([[2 * THERE]], [[THERE]], [2 * THERE]),
               "exact": ([[2 * np.exp(Z)]], [[np.exp(Z)]], [2 * np.exp(Z)]),
           }),
    Anchor("adjoint_gradients", "two examples over a time of 2: gradients of the parameters add", given(
        **ONE | {"x": [[2.0], [4.0]], "cotangent": [[1.0], [1.0]], "times": [0.0, 1.0, 2.0]}),
           gives=([[2 * THERE**2], [4 * THERE**2]], [[THERE**2], [THERE**2]],
                  [6 * THERE**2 * MEAN * (1 + RETURN)]),
           source="the sum over both steps and examples",
           near_misses={"the mean": ([[2 * THERE**2], [4 * THERE**2]], [[THERE**2], [THERE**2]],
                                     [3 * THERE**2 * MEAN * (1 + RETURN)]),
                        "the last step alone": ([[2 * THERE**2], [4 * THERE**2]], [[THERE**2], [THERE**2]],
                                                [6 * THERE**2 * MEAN])}),
    Law.limit("the gradient in x of a field without symmetry", given(x=X, cotangent=COTANGENT), at=(1 / 2, 1 / 4, 1 / 8), order=4,
              value=lambda f, h, x, cotangent: f.adjoint_gradients(x, cotangent, np.array([0.5]), _grid(h), led)[1],
              limit=lambda f, x, cotangent: _led_by(x, cotangent)[0]),
    Law.limit("... and in its parameter", given(x=X, cotangent=COTANGENT), at=(1 / 2, 1 / 4, 1 / 8), order=4,
              value=lambda f, h, x, cotangent: f.adjoint_gradients(x, cotangent, np.array([0.5]), _grid(h), led)[2],
              limit=lambda f, x, cotangent: _led_by(x, cotangent)[1]),
    Law.equal("nothing is owed to nothing", given(x=X), right=1.0, left=lambda f, x: 1 + sum(
        np.abs(part).sum() for part in f.adjoint_gradients(x, 0 * x, np.array(PARAMETERS), np.array(RISING), mixing)[1:])),
    *(
        Rejects("adjoint_gradients", case, given(**REGULAR | changed), blames=blames)
        for case, blames, changed in (
            ("images", "x has", {"x": zeros(4, 3, 2), "cotangent": zeros(4, 3, 2)}),
            ("a cotangent for another batch", "cotangent", {"cotangent": zeros(3, 3)}),
            ("a table of parameters", "parameters", {"parameters": zeros(2, 2)}),
            ("one time", "times", {"times": [0.0]}),
            ("there and back", "times", {"times": [0.0, 1.0, 0.5]}),
            ("a velocity of another shape", "velocity_fn", {"velocity_fn": flat}),
            ("a flow that forgets its start", "times miss x", {"times": np.linspace(0.0, 1.0, 6), "velocity_fn": falling,
                                                               "parameters": [0.25, 0.0]}),
        )
    ),
)  # fmt: skip
