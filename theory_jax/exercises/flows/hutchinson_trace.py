"""Exercises of the lecture: Hutchinson's estimator: a trace from products with random vectors."""

import math

import jax.numpy as jnp

from theory_jax.flows.hutchinson_trace import hutchinson_divergence, hutchinson_variance
from theory_jax.lectures.flows.hutchinson_trace import _MATRIX, _linear, derivation


@derivation.exercise(
    "How many probes of signs give a standard error of 0.1 in the example?",
    r"The variance is 4, so $\frac{4}{0.01} = 400$.",
    level="easy",
    hint="A standard error is the root of the variance of one probe, divided by the number of probes.",
)
def probes_for_a_tenth():
    yield hutchinson_variance(_MATRIX[None], kind="rademacher")[0] / 0.1**2, "400"


@derivation.exercise(
    "What does a single probe give for an antisymmetric Jacobian, that of a rotation?",
    "0, whatever the probe is: the symmetric part is 0, and so are the trace and the variance.",
    level="easy",
    hint="What does the estimator see of a Jacobian?",
)
def a_rotation():
    turn = jnp.array([[[0.0, -2.0], [2.0, 0.0]]])
    yield hutchinson_divergence(jnp.zeros((1, 2)), jnp.array([[[0.3, -1.7]]]), _linear(turn)), "0"
    yield hutchinson_variance(turn, kind="gaussian"), "0"


@derivation.exercise(
    r"What is the variance of a probe along a random axis, $\sqrt{2}\, e_1$ or $\sqrt{2}\, e_2$ with equal chances, in the "
    r"example?",
    r"It gives 2 or 6, so the mean is 4 and the variance 4. Its entries are dependent, and the formula above does not hold for "
    r"it.",
    level="medium",
    hint="There are two values only; compute both, then their mean and variance.",
)
def a_random_axis():
    fields = _linear(jnp.broadcast_to(_MATRIX, (2, 2, 2)))
    each = hutchinson_divergence(jnp.zeros((2, 2)), math.sqrt(2) * jnp.eye(2)[None], fields)
    yield each[0], "2"
    yield jnp.var(each), "4"


@derivation.exercise(
    "The estimate of the trace enters a log-density with a minus sign. Someone needs the density itself, and averages the "
    "exponential of minus one estimate with signs over many probes. What does it give in the example, and what would be right?",
    r"The estimates are 2 and 6, each with probability one half: the mean of $e^{-2}$ and $e^{-6}$ is 0.0689, while $e^{-4}$ is "
    "0.0183. The exponential is convex, so noise makes the density too large on average. The log-density alone is unbiased.",
    level="medium",
    hint="An expectation may be exchanged with a linear function, and this one is convex.",
)
def the_density_itself():
    signs = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    each = hutchinson_divergence(jnp.zeros((4, 2)), signs[None], _linear(jnp.broadcast_to(_MATRIX, (4, 2, 2))))
    yield jnp.mean(jnp.exp(-each)), "0.0689"
    yield jnp.exp(-jnp.trace(_MATRIX)), "0.0183"


@derivation.exercise(
    r"Probes that are uniform on the circle of radius $\sqrt2$ have the identity as second moments, and dependent entries. How "
    "large is their variance in the example? Turn the axes to the eigenvectors of $S$, and then by 45 degrees from there: which "
    "probes are better, these or signs?",
    "The circle gives 4 for every choice of the axes. Signs give 4 on the axes of the example, 0 on the eigenvectors, where $S$ "
    "is diagonal, and 8 in between. The circle has the mean of these over all rotations: signs are better only if the axes are "
    "near the eigenvectors.",
    level="hard",
    hint="Write the probe with an angle; the estimate is the trace plus a sine wave of twice the angle.",
)
def probes_on_a_circle():
    angles = 2 * jnp.pi * jnp.arange(8) / 8  # exact for polynomials of degree four in cosine and sine
    circle = math.sqrt(2) * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    eigenvectors = jnp.linalg.eigh((_MATRIX + _MATRIX.T) / 2)[1]
    quarter = jnp.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
    for axes, of_signs in ((jnp.eye(2), "4"), (eigenvectors, "0"), (eigenvectors @ quarter, "8")):
        turned = axes.T @ _MATRIX @ axes
        fields = _linear(jnp.broadcast_to(turned, (8, 2, 2)))
        yield jnp.var(hutchinson_divergence(jnp.zeros((8, 2)), circle[None], fields)), "4"
        yield hutchinson_variance(turned[None], kind="rademacher"), of_signs
