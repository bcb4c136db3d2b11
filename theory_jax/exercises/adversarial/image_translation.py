"""Exercises of the lecture: Image translation."""

import itertools

import numpy as np

from theory_jax.adversarial.image_translation import patch_receptive_field
from theory_jax.lectures.adversarial.image_translation import derivation


@derivation.exercise(
    r"The domain $X$ has the probabilities $(\frac12, \frac14, \frac14)$ and $Y$ has $(\frac14, \frac12, \frac14)$. How many "
    "cycle-consistent pairs of maps satisfy both discriminators?",
    r"2: the point of probability $\frac12$ has one possible image, the other two can be swapped. It is the number of symmetries "
    "of $p$.",
)
def exchanged_points():
    p, q = np.array([2, 1, 1]), np.array([1, 2, 1])  # a bijection takes x to order[x], and determines its inverse
    yield sum(np.array_equal(q[list(order)], p) for order in itertools.permutations(range(3))), "2"


@derivation.exercise(
    "Ten layers have the kernel 3 and the stride 1. How far does a score see? And with the stride 2 in the first two?",
    "21: every layer adds 2. With the strides 2, 2, 1, ...: the first layer adds 2, the second 4, and each of the other eight 8, "
    "so 71.",
)
def ten_layers():
    yield patch_receptive_field(kernels=(3,) * 10, strides=(1,) * 10), "21"
    yield patch_receptive_field(kernels=(3,) * 10, strides=(2, 2) + (1,) * 8), "71"


@derivation.exercise(
    "$X$ has three points of equal probability, $Y$ only two. Which part of $X$ can at most return from the cycle?",
    r"$\frac23$, 0.6667: two points of $X$ share their image, and only one of them comes back. A network can hide the rest in "
    "invisible details.",
)
def too_few_points():
    pairs = itertools.product(itertools.product(range(2), repeat=3), itertools.product(range(3), repeat=2))
    returned = [np.mean([back[there[x]] == x for x in range(3)]) for there, back in pairs]
    yield max(returned), "0.6667"
