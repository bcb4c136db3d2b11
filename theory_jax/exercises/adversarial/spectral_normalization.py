"""Exercises of the lecture: Spectral normalization: a Lipschitz critic for one product of a matrix and a vector a step."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import circulant

from theory_jax.adversarial.spectral_normalization import (
    power_iteration,
    spectral_norm,
    spectral_norm_estimate,
    spectral_normalize,
)
from theory_jax.lectures.adversarial._spectra import START, WEIGHT
from theory_jax.lectures.adversarial.spectral_normalization import derivation


@derivation.exercise(
    r"How many iterations does the example need until $\hat\sigma^2$ is within $10^{-6}$ of $\sigma_0^2$, relative to "
    r"$\sigma_0^2 - \sigma_1^2$?",
    r"5. The ratio of the errors is $81^{1-n}$ after $n$ iterations: $1.9 \cdot 10^{-6}$ after four and $2.3 \cdot 10^{-8}$ "
    "after five.",
    level="medium",
    hint="The ratio of the two errors falls by a constant factor; where does it start?",
)
def enough_iterations():
    errors = [
        45 - spectral_norm_estimate(WEIGHT, *power_iteration(WEIGHT, START, iterations=count)) ** 2 for count in range(1, 9)
    ]
    yield 1 + np.argmax(np.array(errors) < 40e-6), "5"


@derivation.exercise(
    "The loss is the trace of the normalized weight of the example. How large is the inner product of its gradient with $W$, and "
    "that of the identity, divided by the norm, with $W$?",
    r"0 by the theorem: the second term takes away the $8/\sigma_0$, 1.1926, that the first one has.",
    level="medium",
    hint="Scale the weight by a number, and differentiate the normalized weight in it.",
)
def no_change_of_scale():
    pair = power_iteration(WEIGHT, START, iterations=30)
    slope = jax.grad(lambda weight: jnp.trace(spectral_normalize(weight, *pair)))(WEIGHT)
    yield jnp.sum(slope * WEIGHT) + 1, "1"
    yield 8 / spectral_norm(WEIGHT), "1.1926"


@derivation.exercise(
    "What are the norms of the circular convolution with the kernel $(1, -1)$ on eight positions and of the flattened kernel? "
    "And of $(1, 1, 1)$?",
    r"2 and $\sqrt 2$, 1.4142; 3 and $\sqrt 3$, 1.7321: both attain the factor $\sqrt K$.",
    level="easy",
    hint="Which wave of eight positions has all terms of the sum in phase?",
)
def two_kernels():
    for kernel, printed in (([1.0, -1.0], ("2", "1.4142")), ([1.0, 1.0, 1.0], ("3", "1.7321"))):
        yield spectral_norm(jnp.asarray(circulant(np.pad(kernel, (0, 8 - len(kernel)))))), printed[0]
        yield spectral_norm(jnp.array([kernel])), printed[1]


@derivation.exercise(
    "A network has five layers, each with the weight of the example, and each is divided by the estimate after one iteration. "
    "How large is the product of the layers' norms?",
    "Each layer has the norm 1.3416, and the product is 4.3469 instead of 1: the estimate is never too large, so the bound is "
    "exceeded until the iteration has converged.",
    level="easy",
    hint="Divide the norm of the weight by the estimate first.",
)
def too_early():
    norm = spectral_norm(spectral_normalize(WEIGHT, *power_iteration(WEIGHT, START, iterations=1)))
    yield norm, "1.3416"
    yield norm**5, "4.3469"


@derivation.exercise(
    "From which start does the iteration on the example never find the norm, and what is the norm of the normalized weight then? "
    "Add a thousandth of the first singular vector to this start, both of length 1: after how many iterations is the estimate "
    "within 1% of the norm?",
    "From (3, -1), which is orthogonal to (1, 3): the estimate stays 2.2361, and the normalized weight has the norm 3. With the "
    "small part 5 iterations are enough. Rounding, or a step of the weight, adds such a part in practice.",
    level="hard",
    hint="The squared components start at a ratio of a million; count the factors of 81.",
)
def orthogonal_start():
    first, second = jnp.array([1.0, 3.0]) / jnp.sqrt(10.0), jnp.array([3.0, -1.0]) / jnp.sqrt(10.0)
    pair = power_iteration(WEIGHT, second, iterations=2)
    yield spectral_norm_estimate(WEIGHT, *pair), "2.2361"
    yield spectral_norm(spectral_normalize(WEIGHT, *pair)), "3"
    start, norm = second + 1e-3 * first, spectral_norm(WEIGHT)
    found = [spectral_norm_estimate(WEIGHT, *power_iteration(WEIGHT, start, iterations=count)) for count in range(1, 9)]
    yield 1 + np.argmax(np.array(found) > 0.99 * norm), "5"
