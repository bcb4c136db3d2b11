"""Exercises of the lecture: Why the players circle."""

import numpy as np
from sympy import Rational

from theory_jax.adversarial.unrolled_gan import alternating_step
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._players import factor, linear_steps, path
from theory_jax.lectures.adversarial.unrolled_gan import a, derivation


@derivation.exercise(
    "100 simultaneous steps from $(1, 0)$, with the learning rate 0.1. What is the radius in Wasserstein's game, of the value "
    r"$\theta\omega$, and what in the game of the lecture?",
    r"There the size of a step is 0.1, and the radius $1.01^{50}$, 1.6446. Here the factor of a step is $\sqrt{1 + h^2 "
    r"\varsigma^2}$ with $\varsigma$ near $\frac12$: 1.1125.",
    level="easy",
    hint="The radius grows by a constant factor in one of the games, and nearly so in the other.",
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
    level="medium",
    hint="Where do the two eigenvalues of a damped step coincide?",
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
    level="medium",
    hint="The third of the conditions on trace and determinant fails first.",
)
def how_many():
    counts = np.arange(1, 450)
    for size, printed in ((0.5, "3"), (0.05, "399")):
        matrices = np.array([[[1 - (1 + 2 * count) * size**2, -size], [size, 1]] for count in counts])
        yield counts[np.abs(np.linalg.eigvals(matrices)).max(axis=1) < 1].max(), printed


@derivation.exercise(
    "Players in turn, in linear steps of the size 1/2 from (1, 0): how far from the equilibrium do they get?",
    "Up to 1.1547, on the long axis of their ellipse: the form has the eigenvalues 3/4 and 5/4, and its value stays 1.",
    level="medium",
    hint="The invariant form is a symmetric matrix; its smaller eigenvalue belongs to the long axis.",
)
def the_long_axis():
    form = np.array([[1, 1 / 4], [1 / 4, 1]])
    yield np.linalg.eigvalsh(form), "3/4 and 5/4"
    step, players, farthest = np.array(linear_steps(0.5)["in turn"]), np.array([1.0, 0.0]), 0.0
    for _ in range(5000):
        players = step @ players
        farthest = max(farthest, np.hypot(*players))
    yield farthest, "1.1547"


@derivation.exercise(
    "The same players go around for ever. Samples are taken from a moving average of the generator's parameter, with the decay "
    "0.99. By which factor is the average's swing smaller than the generator's?",
    "By 0.0201: an average over many rounds is close to the equilibrium, though the players never approach it. The average is no "
    "part of the game, so it cannot make them converge, but its samples are close to the data.",
    level="hard",
    hint="In turn a step is a rotation in suitable coordinates; what does the average make of a wave of that frequency?",
)
def averaged_players():
    angle = np.arccos(np.trace(linear_steps(0.5)["in turn"]) / 2)
    yield 0.01 / abs(1 - 0.99 * np.exp(-1j * angle)), "0.0201"
    step, players, average, swings = np.array(linear_steps(0.5)["in turn"]), np.array([1.0, 0.0]), 0.0, []
    for _ in range(10000):
        players = step @ players
        average = 0.99 * average + 0.01 * players[0]
        swings.append((abs(players[0]), abs(average)))
    own, averaged = np.max(swings[5000:], axis=0)
    yield averaged / own, "0.0201"
