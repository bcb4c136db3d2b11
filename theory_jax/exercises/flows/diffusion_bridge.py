"""Exercises of the lecture: Diffusion and flow: one family in other coordinates."""

import jax.numpy as jnp
from sympy import Rational, cos, pi, sin

from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.diffusion_bridge import loss_weight_between, rescale_to_linear
from theory_jax.flows.probability_paths import cosine_coefficients, variance_preserving_coefficients
from theory_jax.lectures.flows.diffusion_bridge import A, _vector, derivation, rate, root, t


@derivation.exercise(
    r"What is $w$ for the cosine and for the variance-preserving path?",
    prose(
        "For the cosine path {cosine}, or 1.5708. For the other {other}; with the usual rates, 1.4723 halfway.",
        cosine=holds(
            plus(times(Slope(sin(pi * t / 2), t), cos(pi * t / 2)), -times(sin(pi * t / 2), Slope(cos(pi * t / 2), t))),
            "=",
            pi / 2,
        ),
        other=holds(plus(rate * A / 2 * root, A * rate * A**2 / (2 * root)), "=", rate * A / (2 * root)),
    ),
)
def how_fast_the_signal_grows():
    for coefficients, printed in ((cosine_coefficients, "1.5708"), (variance_preserving_coefficients, "1.4723")):
        at = coefficients(jnp.array([0.5]))
        yield jnp.sqrt(loss_weight_between(*at)) * at[0], printed


@derivation.exercise(
    r"A trained model predicts the noise 0.3 at the position 1 on the variance-preserving path, where $\alpha$ is 0.6. Where "
    r"does a step lead to the $\alpha$ of 0.8, by DDIM and by Euler's method in $y$?",
    r"$\hat x_1$ is $(1 - 0.8 \cdot 0.3)/0.6$, or 1.2667, and DDIM gives $0.8\, \hat x_1 + 0.6 \cdot 0.3$, or 1.1933. In $y$ "
    r"it is $\frac{1}{1.4} + (\frac{0.8}{1.4} - \frac{0.6}{1.4}) \cdot \frac{29}{30}$, or 0.85238, and times 1.4 the same "
    "1.1933.",
)
def one_step():
    data_there = (1 - 0.8 * 0.3) / 0.6
    yield data_there, "1.2667"
    yield 0.8 * data_there + 0.6 * 0.3, "1.1933"
    y, r = rescale_to_linear(jnp.ones((1, 1)), *_vector(0.6, 0.8))
    after = y[0, 0] + (0.8 / 1.4 - r[0]) * (data_there - 0.3)
    yield after, "0.85238"
    yield 1.4 * after, "1.1933"


@derivation.exercise(
    r"How much noise reverses diffusion on the linear path, halfway and near the start?",
    prose(
        r"$g^2$ is $2\sigma w/\alpha$, here {here}: {half} halfway, {near} at time 0.01, and without bound near 0. An "
        "equation with noise starts later, or with less noise.",
        here=times(2, 1 - t) / t,
        half=holds(times(2, 1 - t) / t, "=", 2, when={t: Rational(1, 2)}, named=True),
        near=holds(times(2, 1 - t) / t, "=", 198, when={t: Rational(1, 100)}, named=True),
    ),
)
def noise_of_the_linear_path():
    for time, printed in ((0.5, "2"), (0.01, "198")):
        yield 2 * (1 - time) * jnp.sqrt(loss_weight_between(*_vector(time, 1 - time, 1, -1))), printed
