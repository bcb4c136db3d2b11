"""Exercises of the lecture: Why the players circle."""

import numpy as np
from sympy import Rational

from theory_jax.adversarial.unrolled_gan import alternating_step
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._players import factor, path
from theory_jax.lectures.adversarial.unrolled_gan import a, derivation


@derivation.exercise(
    "100 simultaneous steps from $(1, 0)$, with the learning rate 0.1. What is the radius in Wasserstein's game, of the value "
    r"$\theta\omega$, and what in the game of the lecture?",
    r"There the size of a step is 0.1, and the radius $1.01^{50}$, 1.6446. Here the factor of a step is $\sqrt{1 + h^2 "
    r"\varsigma^2}$ with $\varsigma$ near $\frac12$: 1.1125.",
)
def a_hundred_steps():
    yield 1.01**50, "1.6446"
    yield np.hypot(*path("together", 0.1, 100)[-1]), "1.1125"


@derivation.exercise(
    r"Which penalty $\gamma$ decays fastest in turn at the learning rate 0.1, and by which factor a step?",
    prose(
        "At {size} the best damping is {best}, ten times this is the penalty, 0.975, and the factor is {factor}, 0.95.",
        size=where(a, Rational(1, 20)),
        best=holds(2 * a - a**2, "=", Rational(39, 400), named=True),
        factor=1 - a,
    ),
)
def best_damping():
    weights = np.linspace(0.9, 1.05, 7)
    factors = [factor(alternating_step, learning_rate=0.1, penalty=weight) for weight in weights]
    yield weights[int(np.argmin(factors))], "0.975"
    yield factor(alternating_step, learning_rate=0.1, penalty=0.975), "0.95"


@derivation.exercise(
    "How many steps may be unrolled in turn at the learning rate 1, and how many at 0.1?",
    prose(
        r"Fewer than {most}. At the sizes $\frac12$ and $\frac1{20}$ that is {half} and {twentieth}: at most 3, and at most 399.",
        most=1 / a**2 - Rational(1, 4),
        half=holds(1 / a**2 - Rational(1, 4), "=", Rational(15, 4), when={a: Rational(1, 2)}, named=True),
        twentieth=holds(1 / a**2 - Rational(1, 4), "=", Rational(1599, 4), when={a: Rational(1, 20)}, named=True),
    ),
)
def how_many():
    counts = np.arange(1, 450)
    for size, printed in ((0.5, "3"), (0.05, "399")):
        matrices = np.array([[[1 - (1 + 2 * count) * size**2, -size], [size, 1]] for count in counts])
        yield counts[np.abs(np.linalg.eigvals(matrices)).max(axis=1) < 1].max(), printed
