"""Exercises of the lecture: Additive coupling: an invertible layer around any network."""

import math

import numpy as np

from theory_jax.flows.additive_coupling import diagonal_scaling, forward, inverse, logistic_log_prob
from theory_jax.lectures.flows.additive_coupling import _PAIR, _squared, _zeros, derivation


@derivation.exercise(
    "Invert the noise $(3, 10)$ in the layer of the example.",
    "It came from $(3, 10 - 9)$, that is (3, 1).",
    level="easy",
    hint="The first coordinate passed: which shift did it give?",
)
def one_square_less():
    yield inverse(np.array([[3.0, 10.0]]), _PAIR, _squared)[0], "(3, 1)"


@derivation.exercise(
    "Six coordinates in two halves: how many derivatives vanish after two layers, and after three?",
    "6, those next to the diagonal of the block $I$; after three layers 0.",
    level="medium",
    hint="Which blocks of the product of the Jacobians are fixed for all networks?",
)
def six_coordinates():
    yield _zeros(6, 2), "6"
    yield _zeros(6, 3), "0"


@derivation.exercise(
    r"The data are uniform on $[0, \frac{1}{10}]^D$ and the flow has no scaling. What can be said of the divergence of the "
    "model from the data?",
    r"The model's density is at most $4^{-D}$ everywhere, the data's is $10^D$: the divergence is at least $D \log 40$ nats, "
    "or 3.6889 for each coordinate.",
    level="hard",
    hint="Where is the density of the noise largest, and can a shear change that value?",
)
def narrow_data():
    highest = logistic_log_prob(np.zeros((1, 1)))
    yield math.log(10) - highest, "3.6889"


@derivation.exercise(
    "What is the log-density of the model of the example at the data (0, 0), with the log-scales $\\log 2$ and $\\log 3$?",
    "The noise is (0, 0), where each logistic density is a quarter: $2 \\log \\frac14 + \\log 6$, or -0.9808.",
    level="easy",
    hint="Follow the point to the noise, and add both log-scales.",
)
def at_the_origin():
    z, log_det = diagonal_scaling(forward(np.zeros((1, 2)), _PAIR, _squared), np.log(np.array([2.0, 3.0])))
    yield logistic_log_prob(z)[0] + np.ravel(log_det)[0], "-0.9808"


@derivation.exercise(
    "A program lets the same half pass in all three layers. Where does (2, 1) go with the shift of the example, and how many "
    "derivatives of six coordinates vanish?",
    "To (2, 13): the shifts add up, so the three layers are one layer with the sum of the shifts. As many vanish as after one "
    "layer, 21. Depth is worth nothing here without the turns.",
    level="medium",
    hint="What does each of the three networks see?",
)
def no_turns():
    z = np.array([[2.0, 1.0]])
    for _ in range(3):
        z = forward(z, _PAIR, _squared)
    yield z[0], "(2, 13)"
    yield _zeros(6, 1), "21"
