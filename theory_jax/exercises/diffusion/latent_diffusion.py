"""Exercises of the lecture.

Latent diffusion: what an autoencoder decides, and what is left for a diffusion model of its latents.
"""

import jax.numpy as jnp
from sympy import Rational, Symbol, exp, log, solve, sqrt

from theory_jax.derivation.notation import plus
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.latent_diffusion import scaling_factor
from theory_jax.lectures.diffusion.latent_diffusion import (
    V1,
    V2,
    V,
    _parts_of_rate,
    c,
    derivation,
    information,
    m1,
    m2,
    mu,
    q,
    rate,
    real,
    v,
)


@derivation.exercise(
    "What is the rate in the example with the prior (0.5, 0.5)?",
    "The aggregate is (0.5, 0.5), so only the information is left: 0.3681.",
    level="easy",
    hint="What is the aggregate of the two encodings?",
)
def the_best_prior():
    yield _parts_of_rate([[0.9, 0.1], [0.1, 0.9]], [0.5, 0.5])[2], "0.3681"


@derivation.exercise(
    "Two channels have mean 0 and variances 1 and 4. Which variances do they have after one common factor?",
    prose(
        "The variance of all entries is {whole}, so the factor is 0.6325: 0.4 and 1.6.",
        whole=holds(plus((V1 + V2) / 2, (m1 - m2) ** 2 / 4), "=", Rational(5, 2), when={V1: 1, V2: 4, m1: 0, m2: 0}, named=True),
    ),
    level="easy",
    hint="One factor makes the variance of all entries together one.",
)
def two_channels():
    factor = scaling_factor(jnp.array([[1.0, 2.0], [-1.0, -2.0]]))
    yield factor, "0.6325"
    yield factor**2, "0.4"
    yield 4 * factor**2, "1.6"


@derivation.exercise(
    "An encoder ignores its datum. What is the least rate?",
    prose(
        "0: then the aggregate is $q(z)$ itself, so the information is {none}, and the prior can be $q(z)$. The decoder gets "
        "nothing of the datum.",
        none=holds(information, "=", 0, when={q: real}, named=True),
    ),
    level="medium",
    hint="Then the aggregate is the same for every datum; insert it into the information.",
)
def an_encoder_that_ignores():
    yield _parts_of_rate([[0.7, 0.3], [0.7, 0.3]], [0.7, 0.3])[2], "0"


@derivation.exercise(
    r"A factor is computed from the encoder's means, which are $\pm 1$, although latents are drawn with the variance 1 around "
    "them. Which factor comes out, which one is right, and by how much is the log-SNR of every level shifted?",
    r"The factor 1 in place of 0.7071: the latents have the variance 2. The log-SNR is too high by 0.6931, which is $\log 2$.",
    level="medium",
    hint="What the diffusion model sees is drawn; its variance is that of the means plus that around them.",
)
def the_means_alone():
    wrong, right = (scaling_factor(jnp.array([[1.0 + spread, 1 - spread, spread - 1, -1.0 - spread]])) for spread in (0.0, 1.0))
    yield wrong, "1"
    yield right, "0.7071"
    yield value(log(V * c**2), {V: 2, c: 1}), "0.6931"


@derivation.exercise(
    "Let all latents of a first stage be multiplied by $g$, and the decoder divide by it again. Which $g$ has the least rate to "
    "a standard normal prior? A published factor is 0.18215: how many nats for each entry would that $g$ have saved, if the "
    "mean is 0?",
    r"The one that makes the mean square of the latents one: with $s$ for it, the rate changes by $(g^2 s - s - \log g^2)/2$, "
    r"least where $g^2 s$ is 1. At the factor 0.18215 the deviation is 5.490 and the saving $(s - 1 - \log s)/2$, or 12.87 nats. "
    "With a weight of $10^{-6}$ on the rate, training hardly feels it, so the scale of the latents is left to chance, and has "
    "to be divided out.",
    level="hard",
    hint=r"Multiplying adds $2 \log g$ to every log-variance and scales the mean; differentiate the mean rate by $g^2$.",
)
def the_scale_of_the_latents():
    square = Symbol("s", positive=True)
    factor = Symbol("g", positive=True)
    change = (factor**2 * square - square - log(factor**2)) / 2
    yield solve(change.diff(factor), factor)[0], 1 / sqrt(square)
    of_one = derivation.ground().expand(rate)
    scaled = of_one.subs({mu: factor * mu, v: v + log(factor**2)}, simultaneous=True)
    yield scaled - of_one, change.subs(square, mu**2 + exp(v))
    yield 1 / 0.18215, "5.490"
    yield float(-change.subs({factor: 0.18215, square: 0.18215**-2})), "12.87"
