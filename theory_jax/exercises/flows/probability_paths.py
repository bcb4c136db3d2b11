"""Exercises of the lecture: Probability paths: the velocity that moves noise onto a data point."""

import math

import jax.numpy as jnp
from sympy import Function, Rational, Symbol, cos, integrate, log, pi, simplify, sin, tan

from theory_jax.derivation.notation import Divergence, Normal, plus
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.probability_paths import (
    conditional_velocity,
    cosine_coefficients,
    optimal_transport_path,
    variance_preserving_coefficients,
)
from theory_jax.lectures.flows.probability_paths import data, derivation, least, noise, of_data, of_noise, straight, t, x


@derivation.exercise(
    prose(
        "What is the distribution of the optimal-transport path at time 1, given {end}, for {left}?",
        end=where(data, 3),
        left=where(least, Rational(1, 10)),
    ),
    prose(
        r"$\mathcal{N}(3, 0.01)$: the position is {position}, so noise of 1 ends at 3.1.",
        position=holds(straight, "=", 3 + noise / 10, when={t: 1}, named=True),
    ),
    level="easy",
    hint="Where does the path end, as a function of the noise?",
)
def what_is_left():
    end = optimal_transport_path(jnp.array([[0.0], [1.0]]), jnp.full((2, 1), 3.0), jnp.ones(2), sigma_min=0.1)[0]
    yield end[0, 0], "3"
    yield end[1, 0], "3.1"
    yield (end[1, 0] - end[0, 0]) ** 2, "0.01"


@derivation.exercise(
    r"At which time does the cosine path have the ratio of signal to noise that the linear path has at time $\frac14$?",
    prose(
        "On the cosine path it is {ratio}, which is $1 : 3$ at the time 0.2048.",
        ratio=holds(sin(pi * t / 2) / cos(pi * t / 2), "=", tan(pi * t / 2)),
    ),
    level="easy",
    hint="Divide the two coefficients by each other on both paths.",
)
def the_same_ratio():
    when = 2 / math.pi * math.atan(1 / 3)
    yield when, "0.2048"
    alpha, sigma, *_ = cosine_coefficients(jnp.array(when))
    yield sigma / alpha, "3"


@derivation.exercise(
    r"How far from pure noise does the variance-preserving path to the data point 1 start, with the usual rates from 0.1 to 20?",
    prose(
        "The data's coefficient starts at 0.00657. The divergence from noise is {divergence}, which is 0.0000216 nats.",
        divergence=holds(
            Divergence(Normal(x, of_data, of_noise**2), Normal(x, 0, 1)),
            "=",
            -log(1 - of_data**2) / 2,
            wrong={"twice": -log(1 - of_data**2)},
        ),
    ),
    level="medium",
    hint="The squares of the two coefficients sum to one; insert that into the divergence of two normal distributions.",
)
def not_quite_noise():
    alpha, sigma, *_ = variance_preserving_coefficients(jnp.array(0.0))
    yield alpha, "0.00657"
    yield (alpha**2 + sigma**2 - 1 - 2 * jnp.log(sigma)) / 2, "0.0000216"


@derivation.exercise(
    "A sampler to the data point 2 takes its last step, of length 0.1, from time 0.9. It has gone astray and is at 5. Where "
    "does the step end on the linear path, and where on the cosine path? Why is the linear path so forgiving?",
    prose(
        "The linear field is {field}: it aims at the data point from wherever it is, so a last step to time 1 ends at 2 from "
        "everywhere. On the cosine path the last step ends at 2.05, since there the velocity changes within the step.",
        field=holds(plus(-(x - t * data) / (1 - t), data), "=", (data - x) / (1 - t)),
    ),
    level="medium",
    hint="Insert the linear coefficients into the field, and simplify it before you insert numbers.",
)
def the_last_step():
    x, x1, time = jnp.full((1, 1), 5.0), jnp.full((1, 1), 2.0), jnp.array([0.9])
    linear = time, 1 - time, jnp.ones(1), -jnp.ones(1)
    yield x + 0.1 * conditional_velocity(x, x1, *linear), "2"
    yield x + 0.1 * conditional_velocity(x, x1, *cosine_coefficients(time)), "2.05"


@derivation.exercise(
    prose(
        "The squares of the two coefficients sum to 1 on the cosine path and on the variance-preserving one: they run through "
        r"the same circle, $\alpha = \sin \varphi$ and $\sigma = \cos \varphi$, at other angles $\varphi$. Which of all paths "
        "on this circle from noise to data has the least work, for data of second moment 1? How much more has the path whose "
        "angle grows as the square of the time?",
        said=(r"\alpha = \sin \varphi", r"\sigma = \cos \varphi"),
    ),
    r"The mean squared speed is the square of $\varphi'$. Its integral is least if $\varphi'$ is constant: on the cosine path, "
    r"whose work is $\pi^2/4$, or 2.467. With the square of the time it is larger by the factor 4/3. Off the circle the linear "
    "path has the work 2.",
    level="hard",
    hint="Write the mean squared speed by the angle, and then treat the angle as the page treats the coefficients.",
)
def on_the_circle():
    time, angle = Symbol("t"), Function("phi")(Symbol("t"))
    speed = sin(angle).diff(time) ** 2 + cos(angle).diff(time) ** 2
    yield simplify(speed), angle.diff(time) ** 2
    steady, later = (integrate(simplify(speed.subs(angle, pi / 2 * time**power).doit()), (time, 0, 1)) for power in (1, 2))
    yield float(steady), "2.467"
    yield later / steady, "4/3"
