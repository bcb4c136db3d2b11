"""Exercises of the lecture: Additive coupling: an invertible layer around any network."""

import math

import numpy as np

from theory_jax.flows.additive_coupling import inverse, logistic_log_prob
from theory_jax.lectures.flows.additive_coupling import _PAIR, _squared, _zeros, derivation


@derivation.exercise("Invert the noise $(3, 10)$ in the layer of the example.", "It came from $(3, 10 - 9)$, that is (3, 1).")
def one_square_less():
    yield inverse(np.array([[3.0, 10.0]]), _PAIR, _squared)[0], "(3, 1)"


@derivation.exercise(
    "Six coordinates in two halves: how many derivatives vanish after two layers, and after three?",
    "6, those next to the diagonal of the block $I$; after three layers 0.",
)
def six_coordinates():
    yield _zeros(6, 2), "6"
    yield _zeros(6, 3), "0"


@derivation.exercise(
    r"The data are uniform on $[0, \frac{1}{10}]^D$ and the flow has no scaling. What can be said of the divergence of the "
    "model from the data?",
    r"The model's density is at most $4^{-D}$ everywhere, the data's is $10^D$: the divergence is at least $D \log 40$ nats, "
    "or 3.6889 for each coordinate.",
)
def narrow_data():
    highest = logistic_log_prob(np.zeros((1, 1)))
    yield math.log(10) - highest, "3.6889"
