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
)
def the_least_cost():
    image, style = jnp.array([[[[2.0, 2.0, -2.0, -2.0]]]]), jnp.array([[[[1.0, -1.0, 1.0, -1.0]]]])
    yield content_loss(image, image / 2), "1"
    yield content_loss(image, style), "5"
