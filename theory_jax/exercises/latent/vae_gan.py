"""Exercises of the lecture: VAE-GANs and adversarial autoencoders: what an adversary replaces in the bound."""

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.vae_gan import feature_reconstruction_error, vae_gan_discriminator_loss
from theory_jax.lectures.latent._vae_gan import least_error
from theory_jax.lectures.latent.vae_gan import derivation


@derivation.exercise(
    "A discriminator sees data and three kinds of fakes, one of each at a time, and all are distributed as the data. What is "
    "its best logit?",
    r"$-\log 3$, -1.0986: it says $\frac14$.",
)
def three_kinds_of_fakes():
    logits = jnp.linspace(-2.0, 0.0, 20001)
    losses = vae_gan_discriminator_loss(logits, logits, logits) + jnp.logaddexp(0.0, logits)
    yield logits[jnp.argmin(losses)], "-1.0986"


@derivation.exercise(
    r"The feature of one pixel is $\frac12 x$. By how much is $-\epsilon - \frac12 \log 2\pi$ too large, as the log-density of "
    "$x$?",
    r"By $-\log \frac12$, 0.6931: as a function of $x$ its exponential has the integral 2.",
)
def half_a_pixel():
    pixels, step = np.linspace(-30, 30, 6001, retstep=True)
    errors = feature_reconstruction_error(jnp.array(pixels)[:, None] / 2, jnp.full((6001, 1), 0.15))
    yield jnp.log(jnp.sum(jnp.exp(-errors - np.log(2 * np.pi) / 2)) * step), "0.6931"


@derivation.exercise(
    r"The data are $-1$ and 1 with the probabilities $\frac34$ and $\frac14$, the prior is uniform on two codes, and the decoder "
    r"makes $-1$ of one and 1 of the other. What is the least error if the codes fill the prior?",
    r"A quarter of 2, 0.5: a quarter of the data must be coded as the other image, at the error 2. Without the condition it "
    "is 0.",
)
def a_quarter_moves():
    both = jnp.array([[-1.0], [1.0]])
    errors = np.stack([feature_reconstruction_error(jnp.tile(point, (2, 1)), both) for point in both])
    data = np.array([0.75, 0.25])
    yield least_error(data, errors, np.array([0.5, 0.5])), "0.5"
    yield data @ errors.min(1), "0"
