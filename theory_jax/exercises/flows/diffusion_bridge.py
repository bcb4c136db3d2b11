"""Exercises of the lecture: Diffusion and flow: one family in other coordinates."""

import jax.numpy as jnp
from sympy import Rational, cos, pi, sin

from theory_jax.derivation.notation import Slope, plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.diffusion_bridge import loss_weight_between, rescale_to_linear, stochastic_drift, velocity_from_score
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
    level="medium",
    hint="On the variance-preserving path take the slopes of both coefficients at the rate of the noise.",
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
    level="easy",
    hint="Which value of the data makes up the position together with this noise?",
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
    level="easy",
    hint="On this path both slopes are constant, and so is the growth of the signal.",
)
def noise_of_the_linear_path():
    for time, printed in ((0.5, "2"), (0.01, "198")):
        yield 2 * (1 - time) * jnp.sqrt(loss_weight_between(*_vector(time, 1 - time, 1, -1))), printed


@derivation.exercise(
    "On the linear path a network's prediction is off by 0.1 at all times. By how much is the velocity that follows from it off, "
    "at the times 0.1, 0.5 and 0.9, if the network predicts the noise, and if it predicts the data?",
    "Noise: 1, 0.2 and 0.1111. Data: 0.1111, 0.2 and 1. A prediction of the noise says little where nearly all is noise, and one "
    "of the data little where nearly all is data. The network must be more exact there, or predict the velocity.",
    level="medium",
    hint="The position is given, so an error of one prediction is an error of the other one; which factor is between them?",
)
def off_by_a_tenth():
    times_asked = jnp.array([0.1, 0.5, 0.9])
    one = jnp.ones(3)
    of_noise = 0.1 * jnp.sqrt(loss_weight_between(times_asked, 1 - times_asked, one, -one))
    yield of_noise, "1, 0.2 and 0.1111"
    noise_off = 0.1 * times_asked / (1 - times_asked)  # the data are off by 0.1
    yield noise_off * of_noise / 0.1, "0.1111, 0.2 and 1"


@derivation.exercise(
    "The data are standard normal, on the variance-preserving path, and the network is exact. By a mistake the start has the "
    "variance 2 instead of 1. Which variance do the samples have without noise on the way, and with $g$ of 1 or 2 all the time?",
    "The density is standard normal at all times and its velocity zero, so without noise the mistake stays: 2. With noise the "
    r"drift is $-\frac12 g^2 x$, and the excess decays as $e^{-g^2 t}$: the variance is 1.3679 for 1 and 1.0183 for 2. Noise "
    "with the score in the drift forgets earlier mistakes; a flow carries them to the end.",
    level="hard",
    hint="What are score and velocity here? Then write how the variance changes under the drift and the noise.",
)
def a_wrong_start():
    at = [c.astype(float) for c in variance_preserving_coefficients(jnp.array([0.3]))]
    still = velocity_from_score(jnp.ones((1, 1)), -jnp.ones((1, 1)), *at)
    for g, printed in ((0.0, "2"), (1.0, "1.3679"), (2.0, "1.0183")):
        slope = stochastic_drift(still, -jnp.ones((1, 1)), jnp.array([g]))[0, 0]
        variance = 2.0
        for _ in range(100):  # Runge-Kutta steps of length 1/100
            variance = _runge_kutta(lambda v, slope=slope, g=g: 2 * slope * v + g**2, variance, 0.01)
        yield variance, printed


def _runge_kutta(rate, value, step):
    k1 = rate(value)
    k2 = rate(value + step / 2 * k1)
    k3 = rate(value + step / 2 * k2)
    return value + step / 6 * (k1 + 2 * k2 + 2 * k3 + rate(value + step * k3))
