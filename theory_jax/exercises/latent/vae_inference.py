"""Exercises of the lecture: Inference with a trained VAE: estimates, paths and holes."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Variance
from theory_jax.derivation.parts import value
from theory_jax.latent.vae_inference import spherical_path
from theory_jax.lectures.latent.vae_inference import _two, derivation, evidence, q, weight


@derivation.exercise(
    r"What is the variance of the estimate in the example with 9 samples, and its relative deviation?",
    "A ninth of 0.09, 0.01; the deviation is 0.1, or 0.2 of the likelihood 0.5.",
)
def nine_samples():
    yield value(Variance(q, weight), _two) / 9, "0.01"
    yield math.sqrt(value(Variance(q, weight), _two) / 9) / value(evidence, _two), "0.2"


@derivation.exercise(
    r"The posterior is $\mathcal{N}(0, 1)$ and the encoder $\mathcal{N}(0, t)$. What is $\chi^2$ if $t$ is 2, and if it is 0.6?",
    r"$\int \frac{\mathcal{N}(z; 0, 1)^2}{\mathcal{N}(z; 0, t)} dz - 1$ is $\frac{t}{\sqrt{2t - 1}} - 1$ for $t$ above "
    r"$\frac12$, and infinite otherwise. It is 0.1547 at 2 and 0.3416 at 0.6: too narrow costs more.",
)
def too_wide_and_too_narrow():
    line = np.linspace(-40.0, 40.0, 8001)

    def chi_squared(t):
        return 0.01 * np.sum(np.exp(-(line**2) * (1 - 1 / (2 * t)))) * math.sqrt(t / (2 * math.pi)) - 1

    yield chi_squared(2.0), "0.1547"
    yield chi_squared(0.6), "0.3416"


@derivation.exercise(
    r"Two ends have norms 1 and 2 and are orthogonal. Where is the midpoint of their arc?",
    r"At $\frac{1}{\sqrt 2}(A + B)$: its norm is 1.5811, and its angle with $A$ is 63.43 degrees, not 45. Constant speed and "
    r"norm need ends of equal norm.",
)
def unequal_ends():
    (middle,) = spherical_path(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]), jnp.array([0.5]))[0]
    yield jnp.linalg.norm(middle), "1.5811"
    yield math.degrees(math.atan2(middle[1], middle[0])), "63.43"
