"""Exercises of the lecture: Image translation."""

import itertools

import numpy as np
from sympy import Rational

from theory_jax.adversarial.image_translation import patch_receptive_field
from theory_jax.derivation.parts import value
from theory_jax.lectures.adversarial.image_translation import derivation, divergence, pi


@derivation.exercise(
    r"The domain $X$ has the probabilities $(\frac12, \frac14, \frac14)$ and $Y$ has $(\frac14, \frac12, \frac14)$. How many "
    "cycle-consistent pairs of maps satisfy both discriminators?",
    r"2: the point of probability $\frac12$ has one possible image, the other two can be swapped. It is the number of symmetries "
    "of $p$.",
    level="easy",
    hint="Where can the most probable point go?",
)
def exchanged_points():
    p, q = np.array([2, 1, 1]), np.array([1, 2, 1])  # a bijection takes x to order[x], and determines its inverse
    yield sum(np.array_equal(q[list(order)], p) for order in itertools.permutations(range(3))), "2"


@derivation.exercise(
    "Ten layers have the kernel 3 and the stride 1. How far does a score see? And with the stride 2 in the first two?",
    "21: every layer adds 2. With the strides 2, 2, 1, ...: the first layer adds 2, the second 4, and each of the other eight 8, "
    "so 71.",
    level="easy",
    hint="Go from the last layer to the first, or add each layer's kernel less one, times the strides before it.",
)
def ten_layers():
    yield patch_receptive_field(kernels=(3,) * 10, strides=(1,) * 10), "21"
    yield patch_receptive_field(kernels=(3,) * 10, strides=(2, 2) + (1,) * 8), "71"


@derivation.exercise(
    "$X$ has three points of equal probability, $Y$ only two. Which part of $X$ can at most return from the cycle?",
    r"$\frac23$, 0.6667: two points of $X$ share their image, and only one of them comes back. A network can hide the rest in "
    "invisible details.",
    level="medium",
    hint="Two points of $X$ must have one image.",
)
def too_few_points():
    pairs = itertools.product(itertools.product(range(2), repeat=3), itertools.product(range(3), repeat=2))
    returned = [np.mean([back[there[x]] == x for x in range(3)]) for there, back in pairs]
    yield max(returned), "0.6667"


@derivation.exercise(
    "Three images of three pixels are equally probable: 110, 101 and 011. What do a squared error, an absolute error and an "
    r"adversary choose, and below which weight $\lambda$ of the absolute error is one of the images better than the median?",
    "The mean is 2/3 in every pixel, and the median 111, an image that never occurs. An adversary chooses any of the three: "
    "its divergence is 0.3183, and that of the median 0.6931. Its mean absolute error is 4/9, and the median's 1/3, so it is "
    "better for weights below 3.3740.",
    level="medium",
    hint="Every pixel is 1 in two of three images; compare the sums of the divergence and the weighted error.",
)
def three_images():
    images = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    yield np.unique(images.mean(axis=0)), "2/3"
    median = np.median(images, axis=0)
    far, near = (value(divergence, {pi: share}) for share in (Rational(1, 10**12), Rational(1, 3)))
    yield near, "0.3183"
    yield far, "0.6931"
    of_one, of_median = (np.abs(images - choice).mean() for choice in (images[0], median))
    yield of_one, "4/9"
    yield of_median, "1/3"
    yield (far - near) / (of_one - of_median), "3.3740"


@derivation.exercise(
    "Both domains have five equally probable points on a circle. How many solutions have cycle loss zero and satisfied "
    "discriminators? How many of them take neighbors to neighbors, as a continuous network would? And how many of these are "
    "left by one known pair, and by two?",
    "120, all bijections. Of these 10 keep neighbors: five rotations, each with or without a reflection. One known pair leaves "
    "2, and two leave 1. So continuity removes most solutions, but none of the symmetries of the circle; a few pairs do.",
    level="hard",
    hint="A map that keeps neighbors is determined by the images of two neighbors.",
)
def neighbors_on_a_circle():
    orders = [np.array(order) for order in itertools.permutations(range(5))]
    kept = [order for order in orders if set((np.roll(order, 1) - order) % 5) <= {1, 4}]
    yield len(orders), "120"
    yield len(kept), "10"
    yield sum(order[0] == 0 for order in kept), "2"
    yield sum(order[0] == 0 and order[1] == 1 for order in kept), "1"
