"""Exercises of the lecture: Inference with a trained VAE: estimates, paths and holes."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.notation import Variance
from theory_jax.derivation.parts import value
from theory_jax.latent.vae_inference import spherical_path
from theory_jax.lectures.latent.vae_inference import _two, derivation, evidence, q, weight


@derivation.exercise(
    r"What is the variance of the estimate in the example with 9 samples, and its relative deviation?",
    "A ninth of 0.09, 0.01; the deviation is 0.1, or 0.2 of the likelihood 0.5.",
    level="easy",
    hint="Independent samples divide the variance of one weight by their number.",
)
def nine_samples():
    yield value(Variance(q, weight), _two) / 9, "0.01"
    yield math.sqrt(value(Variance(q, weight), _two) / 9) / value(evidence, _two), "0.2"


@derivation.exercise(
    r"The posterior is $\mathcal{N}(0, 1)$ and the encoder $\mathcal{N}(0, t)$. What is $\chi^2$ if $t$ is 2, and if it is 0.6?",
    r"$\int \frac{\mathcal{N}(z; 0, 1)^2}{\mathcal{N}(z; 0, t)} dz - 1$ is $\frac{t}{\sqrt{2t - 1}} - 1$ for $t$ above "
    r"$\frac12$, and infinite otherwise. It is 0.1547 at 2 and 0.3416 at 0.6: too narrow costs more.",
    level="medium",
    hint="The square of the posterior's density, divided by the encoder's, is again a Gaussian's shape: of which width?",
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
    level="medium",
    hint="At the midpoint both ends have the same factor; the vectors need not have the same length.",
)
def unequal_ends():
    (middle,) = spherical_path(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]), jnp.array([0.5]))[0]
    yield jnp.linalg.norm(middle), "1.5811"
    yield math.degrees(math.atan2(middle[1], middle[0])), "63.43"


@derivation.exercise(
    "The posterior has $L$ independent standard normal coordinates; the encoder's have the variance 2 each. How many weights "
    "must be averaged for a relative deviation of 0.1, with one coordinate, with 20 and with 100?",
    r"Over independent coordinates $1 + \chi^2$ multiplies, so it is $(2/\sqrt 3)^L$, and $S$ is 100 times that less one: "
    "15.5, 1675.8 and 1.8 times a hundred million. An encoder that is a little off in each coordinate is hopeless in many: the "
    "estimate then is a lower bound in the mean, and no more.",
    level="hard",
    hint=r"Write $1 + \chi^2$ as an expectation of a squared ratio of densities; what becomes of it for a product?",
)
def many_coordinates():
    line = jnp.linspace(-40.0, 40.0, 8001)
    ratio = jnp.exp(2 * jax.scipy.stats.norm.logpdf(line) - jax.scipy.stats.norm.logpdf(line, scale=math.sqrt(2)))
    of_one = 0.01 * float(jnp.sum(ratio))
    yield 100 * (of_one - 1), "15.5"
    yield 100 * (of_one**20 - 1), "1675.8"
    yield 100 * (of_one**100 - 1) / 1e8, "1.8"


@derivation.exercise(
    "Latents with an attribute and without it have the means (1, 1) and (0, 0) and the common variances (4, 1). Which direction "
    "raises the log odds most for its length, and at which angle is it to the attribute vector?",
    "The difference of each mean is divided by the variance: (0.25, 1), at 30.96 degrees to (1, 1). The attribute vector is the "
    "steepest direction only where the variances are equal.",
    level="medium",
    hint="The page's line has variances in it.",
)
def unequal_variances():
    def log_odds(at):
        log_densities = [jax.scipy.stats.norm.logpdf(at, mean, jnp.array([2.0, 1.0])).sum() for mean in (1.0, 0.0)]
        return log_densities[0] - log_densities[1]

    steepest = jax.grad(log_odds)(jnp.array([0.3, -2.0]))
    yield steepest, "(0.25, 1)"
    yield math.degrees(math.atan2(steepest[1], steepest[0]) - math.atan2(1, 1)), "30.96"


@derivation.exercise(
    "Three examples have encoders on disjoint states, uniform on two of six each, and the prior is uniform on all six. What "
    "are the rate, the information and the mismatch?",
    "The rate is 1.0986, and all of it is information: the aggregate is the prior, so the mismatch is 0. A rate of zero is not "
    "the aim; this model may have perfect samples.",
    level="easy",
    hint="What is the average of the three encoders?",
)
def no_mismatch():
    encoders = np.kron(np.eye(3), np.full(2, 0.5))
    aggregate, prior = encoders.mean(0), np.full(6, 1 / 6)

    def divergence(one, other):
        return np.sum(one[one > 0] * np.log(one[one > 0] / other[one > 0]))

    yield np.mean([divergence(each, prior) for each in encoders]), "1.0986"
    yield np.mean([divergence(each, aggregate) for each in encoders]), "1.0986"
    yield round(divergence(aggregate, prior), 12), "0"
