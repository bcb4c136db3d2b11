"""Exercises of the lecture: The code of an image by descent: why it is a posterior mode, and where descent ends."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, sqrt

from theory_jax.adversarial.gan_inversion import inversion_objective, invert_by_gradient_descent, stochastic_clip
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.adversarial.gan_inversion import _MATRIX, bound, derivation, lam, top


@derivation.exercise(
    r"The largest singular value of the example's matrix is $\sqrt 3$. Up to which step length is a decrease certain, with the "
    "price 1?",
    prose(
        "Below {longest}, that is 0.25.",
        longest=holds(1 / (top**2 + lam), "=", Rational(1, 4), when={top: sqrt(3), lam: 1}, named=True),
    ),
    level="easy",
    hint="Insert the singular value and the price into the bound.",
)
def the_longest_step():
    yield 1 / (np.linalg.norm(np.asarray(_MATRIX), 2) ** 2 + 1), "0.25"


@derivation.exercise(
    r"Coordinates beyond 2 begin anew within $\pm 2$. What is their variance?",
    prose(
        "{third}, about 1.3333: a third more than the prior's.",
        third=holds(bound**2 / 3, "=", Rational(4, 3), when={bound: 2}, named=True),
    ),
    level="easy",
    hint="The page has the variance as a function of the bound.",
)
def variance_of_clipped_codes():
    places = (jnp.arange(2000.0)[None] + 0.5) / 2000
    yield (stochastic_clip(jnp.full((1, 2000), 3.0), places, bound=2.0) ** 2).mean(), "1.3333"


@derivation.exercise(
    r"At how many codes is the slope of the objective zero on a helix of pitch $\frac12$, towards the image of 0?",
    r"1, the code itself: elsewhere $-\frac{\sin u}{u}$ is about 0.2172 at most, less than the square of the pitch, 0.25.",
    level="medium",
    hint="Divide the slope by the code: where can a sine over its argument be that low?",
)
def a_steephelix():
    grid = np.linspace(1e-3, 40, 200_001)
    slopes = np.sin(grid) + 0.25 * grid
    yield 1 + 2 * np.count_nonzero(np.diff(np.sign(slopes))), "1"
    yield (-np.sin(grid) / grid).max(), "0.2172"


@derivation.exercise(
    r"The generator $0.05 u + 5 + 5 \tanh(5 (u - 5))$ rises everywhere. How many minima has the objective of the image 10 "
    "without a price, and how many with the price 0.2?",
    "1 and 2. With the price, one is near 2.47, where the objective is 98.77, and one near 5.30, where it is 5.66.",
    level="hard",
    hint="Sketch the missed distance: where is it flat, and what does the price do there?",
)
def a_price_adds_a_minimum():
    grid = np.linspace(-5, 15, 20_001)
    missed = (0.05 * grid + 5 + 5 * np.tanh(5 * (grid - 5)) - 10) ** 2
    for price, count in ((0.0, "1"), (0.2, "2")):
        found = missed + price * grid**2
        lowest = np.flatnonzero((found[1:-1] < found[:-2]) & (found[1:-1] < found[2:])) + 1
        yield len(lowest), count
    yield from zip((*grid[lowest], *found[lowest]), ("2.47", "5.30", "98.77", "5.66"), strict=True)


@derivation.exercise(
    "The example's generator has three pixels and two coordinates. Which image has an objective without a price whose slope is "
    "zero at the code 0, although the image is not made there? What if only its first two pixels are seen?",
    "The image $(1, -1, 1)$, and its multiples: it is orthogonal to both columns, and the objective stays at 3. With two "
    "pixels seen the part (1, -1) is made by the code (1, -2), and the slope at 0 is not zero: as many pixels as coordinates, "
    "and no residual is lost.",
    level="medium",
    hint="Find a vector that is orthogonal to both columns of the matrix.",
)
def an_orthogonal_residual():
    image, start = jnp.array([[1.0, -1.0, 1.0]]), jnp.zeros((1, 2))
    generator = lambda z: z @ _MATRIX.T  # noqa: E731
    every = jnp.ones((1, 3), bool)
    stopped = invert_by_gradient_descent(image, start, every, generator, learning_rate=0.1, num_steps=200)
    yield jnp.abs(stopped).max(), "0"
    yield inversion_objective(image, generator(stopped), stopped, every, prior_weight=0.0), "3"
    two = jnp.array([[True, True, False]])
    yield invert_by_gradient_descent(image, start, two, generator, learning_rate=0.3, num_steps=400)[0], "(1, -2)"
