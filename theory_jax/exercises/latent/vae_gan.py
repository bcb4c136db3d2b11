"""Exercises of the lecture: VAE-GANs and adversarial autoencoders: what an adversary replaces in the bound."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational

from theory_jax.derivation.parts import value
from theory_jax.latent.vae_gan import feature_reconstruction_error, vae_gan_discriminator_loss
from theory_jax.lectures.latent._vae_gan import least_error, twice_jsd_of
from theory_jax.lectures.latent.vae_gan import best, derivation, p, rec, sam


@derivation.exercise(
    "A discriminator sees data and three kinds of fakes, one of each at a time, and all are distributed as the data. What is "
    "its best logit?",
    r"$-\log 3$, -1.0986: it says $\frac14$.",
    level="easy",
    hint="At its best a discriminator says the share of the data among all images that it sees.",
)
def three_kinds_of_fakes():
    logits = jnp.linspace(-2.0, 0.0, 20001)
    losses = vae_gan_discriminator_loss(logits, logits, logits) + jnp.logaddexp(0.0, logits)
    yield logits[jnp.argmin(losses)], "-1.0986"


@derivation.exercise(
    r"The feature of one pixel is $\frac12 x$. By how much is $-\epsilon - \frac12 \log 2\pi$ too large, as the log-density of "
    "$x$?",
    r"By $-\log \frac12$, 0.6931: as a function of $x$ its exponential has the integral 2.",
    level="medium",
    hint="Change variables from the feature to the pixel: which factor is missing?",
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
    level="medium",
    hint="The data have to be carried to codes of equal probability: how much mass cannot stay with its own image?",
)
def a_quarter_moves():
    both = jnp.array([[-1.0], [1.0]])
    errors = np.stack([feature_reconstruction_error(jnp.tile(point, (2, 1)), both) for point in both])
    data = np.array([0.75, 0.25])
    yield least_error(data, errors, np.array([0.5, 0.5])), "0.5"
    yield data @ errors.min(1), "0"


@derivation.exercise(
    "Two equally likely images. The decoder's reconstructions are perfect, and all its samples are the first image. What does "
    "the best discriminator say of both images, and which one does a sample want to become?",
    r"It says $\frac12 / 2$, 0.25, of the first and $\frac12 / 1$, 0.5, of the second: the second is rarer among the fakes, "
    "and a sample that becomes it lowers its loss from 1.3863 to 0.6931.",
    level="easy",
    hint="Divide the probability of an image in the data by the sum of all three.",
)
def the_missing_image():
    half = Rational(1, 2)
    laws = {p: (half, half), rec: (half, half), sam: (1, 0)}
    says = value(best, laws)
    yield says[0], "0.25"
    yield says[1], "0.5"
    yield -np.log(says[0]), "1.3863"
    yield -np.log(says[1]), "0.6931"


@derivation.exercise(
    "The prior is uniform on two codes, and the encoder's codes are 0.6 and 0.4 of them. Somebody trains the discriminator of "
    "codes to its best, then keeps it, and trains the encoder alone, without a reconstruction. Where do the codes go, and what "
    "is the loss there, next to that of codes that fill the prior?",
    "All codes become the second one: its loss is 0.5878 and that of the first 0.7885, so codes that fill the prior lose 0.6881. "
    "The slope of the page is one at the present codes only; the discriminator has to follow.",
    level="medium",
    hint="With a fixed discriminator the loss is linear in the probabilities of the codes.",
)
def a_discriminator_that_stays():
    logits = jnp.linspace(-2.0, 2.0, 400001)
    best_of = [logits[jnp.argmin(0.5 * jnp.logaddexp(0, -logits) + q * jnp.logaddexp(0, logits))] for q in (0.6, 0.4)]
    losses = jnp.logaddexp(0.0, -jnp.array(best_of))
    yield losses[1], "0.5878"
    yield losses[0], "0.7885"
    yield losses.mean(), "0.6881"


@derivation.exercise(
    r"Show that what the adversary of codes charges is itself a divergence, $2\, \mathrm{KL}(\nu \,\|\, p_0)$. What follows? "
    "How much does it charge for two codes, of which one is never used, and how much for $N$ codes if $N$ is large?",
    r"The logarithms of $\bar q$ cancel. What is left is $\sum (\bar q + p_0) \log(\nu / p_0)$, and $\bar q + p_0$ is twice "
    r"$\nu$. So the charge is never negative, and zero only if the codes fill the prior. For one code of two it is 0.2616, and "
    r"the divergence 0.6931. For one of 1000 it is 5.5294: nearly the divergence less $2 \log 2$, 5.5215. An adversary "
    "forgives at most 1.3863 nats.",
    level="hard",
    hint="Write all three divergences as sums over the codes, and collect what multiplies each logarithm.",
)
def the_charge_is_a_divergence():
    def charge(codes):
        used = codes[codes > 0]
        mixed = (codes + 1 / len(codes)) / 2
        return 2 * np.sum(mixed * np.log(mixed * len(codes))), np.sum(used * np.log(used * len(codes)))

    most = np.array([1 - 1e-9, 1e-9])
    yield charge(np.array([1.0, 0.0]))[0], "0.2616"
    yield charge(np.array([1.0, 0.0]))[1], "0.6931"
    yield np.sum(most * np.log(2 * most)) - twice_jsd_of(most), "0.2616"
    of_many, divergence = charge(np.eye(1000)[0])
    yield of_many, "5.5294"
    yield divergence - 2 * np.log(2), "5.5215"
    yield 2 * np.log(2), "1.3863"
