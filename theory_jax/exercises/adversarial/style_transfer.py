"""Exercises of the lecture: Style as the second moments of features."""

import jax
import jax.numpy as jnp
from sympy import Rational

from theory_jax.adversarial.style_transfer import content_loss, gram_matrix, style_loss
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial.style_transfer import a, derivation, eta


@derivation.exercise(
    "One channel and three positions. Which features have no style loss to $(1, 2, 2)$? Is $(3, 0, 0)$ among them?",
    r"All with the squared length 9, a sphere. $(3, 0, 0)$ is: its loss is 0, as is that of $(-1, 2, -2)$.",
    level="easy",
    hint="The Gram matrix of one channel is a single number.",
)
def a_sphere():
    target = gram_matrix(jnp.array([[[[1.0, 2.0, 2.0]]]]))
    for features in ([3.0, 0.0, 0.0], [-1.0, 2.0, -2.0]):
        yield 9 + style_loss(jnp.array([[[features]]]), target), "9"


@derivation.exercise(
    r"The eigenvalues of the style are 1 and 4, on eigenvectors of $G$. Up to which $\eta$ do both attract?",
    prose(
        "Below 1/4, which the larger one allows: at {end} it has the multiplier {large}, -1, and the smaller one {small}, 1/2.",
        end=where(eta, Rational(1, 4)),
        large=holds(1 - 2 * eta * a, "=", -1, when={a: 4}, named=True),
        small=holds(1 - 2 * eta * a, "=", Rational(1, 2), when={a: 1}, named=True),
    ),
    level="medium",
    hint="The multiplier of an eigenvalue's error must be above -1.",
)
def the_longest_step():
    iterate = lambda g, a, eta: g * (1 - eta * (g - a)) ** 2  # noqa: E731
    yield jax.grad(iterate)(4.0, 4.0, 0.25), "-1"
    yield jax.grad(iterate)(1.0, 1.0, 0.25), "1/2"


@derivation.exercise(
    "One channel, with the Gram matrix 4, and a style with 1. What is the least content loss, and what does it cost to replace "
    "the features by those of the style, independent of them and with mean zero?",
    "The map halves the features, at the cost $(2 - 1)^2$, which is 1. Independent features of mean zero cost $4 + 1$, which is "
    "5.",
    level="easy",
    hint="One channel is multiplied by the root of the ratio of both Gram matrices.",
)
def the_least_cost():
    image, style = jnp.array([[[[2.0, 2.0, -2.0, -2.0]]]]), jnp.array([[[[1.0, -1.0, 1.0, -1.0]]]])
    yield content_loss(image, image / 2), "1"
    yield content_loss(image, style), "5"


@derivation.exercise(
    "Two channels are equal, $(1, 1, -1, -1)$ both. In the style they are $(1, 1, -1, -1)$ and $(1, -1, 1, -1)$. What does "
    "adaptive instance normalization change, and what is the style loss? Can a linear map of the channels make it zero?",
    "Nothing: all means are 0 and all variances 1 already. The style loss is 1/2, from the product of the two channels. No "
    "linear map makes it zero: the features have the rank 1, the style's Gram matrix the rank 2.",
    level="medium",
    hint="Compute the three different entries of both Gram matrices.",
)
def equal_channels():
    features = jnp.array([[1.0, 1.0, -1.0, -1.0]] * 2)[None, :, None]
    style = jnp.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])[None, :, None]
    for maps, rank in ((features, "1"), (style, "2")):
        yield jnp.abs(maps.mean(axis=3)).max(), "0"
        yield maps.var(axis=3).min(), "1"
        yield jnp.linalg.matrix_rank(gram_matrix(maps)[0]), rank
    yield style_loss(features, gram_matrix(style)), "1/2"


@derivation.exercise(
    "The second channel of an image is 0 at every position, and the style is that of the example, with the Gram matrix of the "
    r"diagonal $(1, \frac14)$. How small does descent on the features make the style loss, and why?",
    "0.0625. A step is a linear map of the channels, so the features keep the rank 1, and the Gram matrix nearest to the "
    "style's among those of rank 1 has the diagonal (1, 0): what is missing is the square of the smaller eigenvalue, 1/16.",
    level="hard",
    hint="What can the rank of the features be after a step?",
)
def a_silent_channel():
    target = gram_matrix(jnp.array([[[[2.0, 0.0]], [[0.0, 1.0]]]]))
    features = jnp.array([[[[0.5, -0.3]], [[0.0, 0.0]]]])
    slope = jax.grad(lambda maps: style_loss(maps, target)[0])
    for _ in range(60):
        features = features - slope(features) / 2
    yield style_loss(features, target), "0.0625"
    yield jnp.diag(gram_matrix(features)[0]), "(1, 0)"
