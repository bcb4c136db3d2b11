"""The steps of both players of the smallest GAN: their matrices at the equilibrium, their paths, and the figure of both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from shared_specs.palette import BLUE, VERMILION
from theory_jax.adversarial.unrolled_gan import (
    alternating_step,
    dirac_gan_value,
    extragradient_step,
    simultaneous_step,
    unrolled_discriminator,
    unrolled_generator_gradient,
)


def unrolled_slopes(counts):
    """The slopes of V(theta, omega_K(theta)) at seven points: by reverse mode, by the code, and detached, for each of these K."""
    generator, discriminator = jnp.linspace(-1.5, 2.0, 7), jnp.linspace(1.0, -0.5, 7)

    def unrolled(generator, num_steps, answer=lambda omega: omega):
        last = unrolled_discriminator(generator, discriminator, learning_rate=0.7, num_steps=num_steps)
        return dirac_gan_value(generator, answer(last)).sum()

    code = functools.partial(unrolled_generator_gradient, generator, discriminator, learning_rate=0.7)
    return (
        jnp.stack([jax.grad(unrolled)(generator, count) for count in counts]),
        jnp.stack([code(num_steps=count) for count in counts]),
        jnp.stack([jax.grad(unrolled)(generator, count, jax.lax.stop_gradient) for count in counts]),
    )


def unrolled_step(generator, discriminator, *, learning_rate, num_steps):
    """In turn: a step of the discriminator, then one of the unrolled generator."""
    _, answer = alternating_step(generator, discriminator, learning_rate=learning_rate)
    slope = unrolled_generator_gradient(generator, answer, learning_rate=learning_rate, num_steps=num_steps)
    return generator - learning_rate * slope, answer


def jacobian(step, **how):
    """A step's matrix at the equilibrium."""
    return jax.jacobian(lambda players: jnp.stack(step(players[:1], players[1:], **how))[:, 0])(jnp.zeros(2))


def factor(step, **how):
    """The largest modulus of its eigenvalues."""
    return np.abs(np.linalg.eigvals(np.asarray(jacobian(step, **how)))).max()


GAMES = {
    "together": simultaneous_step,
    "in turn": alternating_step,
    "looking ahead": extragradient_step,
    "damped in turn": functools.partial(alternating_step, penalty=1.0),
    "unrolled in turn, K = 5": functools.partial(unrolled_step, num_steps=5),
}


@functools.cache
def path(name, learning_rate, steps):
    """(theta, omega) from (1, 0) on: [steps + 1, 2]."""
    players = [(jnp.ones(1), jnp.zeros(1))]
    for _ in range(steps):
        players.append(GAMES[name](*players[-1], learning_rate=learning_rate))
    return np.array([np.concatenate(pair) for pair in players])


def linear_steps(a):
    """The matrices of the games' steps near the equilibrium, [[theta by theta, theta by omega], [omega by both]]."""
    return {
        "together": [[1, -a], [a, 1]],
        "in turn": [[1 - a**2, -a], [a, 1]],
        "looking ahead": [[1 - a**2, -a], [a, 1 - a**2]],
        "damped in turn": [[1 - a**2, -a * (1 - 2 * a)], [a, 1 - 2 * a]],
        "unrolled in turn, K = 5": [[1 - 11 * a**2, -a], [a, 1]],
    }


def draw_players(left, right):
    """Left: the paths. Right: the factors."""
    sizes = np.linspace(0.02, 1.2, 60)
    for name in GAMES:
        left.plot(*path(name, 0.5, 60).T, label=name, linewidth=1)
        matrices = np.array([linear_steps(size)[name] for size in sizes])
        right.plot(sizes, np.abs(np.linalg.eigvals(matrices)).max(axis=1), label=name, linewidth=1)
    left.plot([0], [0], marker="+", color="gray")
    left.set(xlabel=r"$\theta$", ylabel=r"$\omega$", ylim=(-2, 4.6))  # the legend is above the spirals
    left.legend(fontsize="x-small", loc="upper left")
    right.axhline(1, linestyle="--", color="gray")
    right.set(xlabel="$a$", ylabel=r"$\varrho$", ylim=(0, 2))


MOMENTS = (0, 5, 12, 25, 40, 60)


def spirals(plane, samples, moment):
    """Draws both players, and the samples alone, up to a step: together, and with two remedies."""
    samples.axhline(0, color="gray", linewidth=0.7, linestyle="--")
    for name, color in (("together", VERMILION), ("damped in turn", "gray"), ("unrolled in turn, K = 5", BLUE)):
        players = path(name, 0.5, MOMENTS[-1])[: MOMENTS[moment] + 1]
        plane.plot(*players.T, color=color, linewidth=1)
        plane.plot(*players[-1], "o", color=color, markersize=6)
        samples.plot(players[:, 0], color=color, linewidth=1)
        samples.plot(MOMENTS[moment], players[-1, 0], "o", color=color, markersize=6)
    plane.plot([0], [0], "+", color="gray", markersize=10)
    plane.set(xlim=(-3.5, 3), ylim=(-2.6, 2.9), xlabel=r"$\theta$", ylabel=r"$\omega$")
    samples.set(xlim=(-2, 62), ylim=(-3.5, 3), xlabel="steps", ylabel=r"$\theta$")


def two_rounds():
    """Two rounds of both players, unrolled by two steps of the discriminator."""
    players, how = (jnp.ones(1), jnp.zeros(1)), {"learning_rate": 0.5}
    start = r"(\theta, \omega) = (1, 0),\ h = \tfrac12,\ K = 2: \quad "
    for answer, moved in (("0.4689", "0.8314, 0.25"), ("0.6", "0.6634, 0.4363")):
        yield start + r"\omega_K", unrolled_discriminator(*players, num_steps=2, **how), answer
        slope = unrolled_generator_gradient(*players, num_steps=2, **how)
        players = players[0] - 0.5 * slope, simultaneous_step(*players, **how)[1]
        yield r"\theta, \omega", jnp.concatenate(players), moved
        start = ""


def half():
    """The matrices at the learning rate 1, and the factors of a step."""
    start, how = np.array([1.0, 0.0]), {"learning_rate": 1.0}
    twice, turns, ahead = (np.asarray(jacobian(step, **how)) for step in tuple(GAMES.values())[:3])
    yield r"\text{together, two steps}", [*(twice @ start), *(twice @ twice @ start)], "1, 1/2, 3/4, 1"
    yield r"\text{in turn, two steps}", [*(turns @ start), *(turns @ turns @ start)], "3/4, 1/2, 5/16, 7/8"
    yield r"\text{looking ahead}", ahead @ start, "3/4, 1/2"
    outward, inward = factor(simultaneous_step, **how), factor(extragradient_step, **how)
    yield r"\varrho \text{ together, ahead}", [outward, inward], "1.1180, 0.9014"
    slowed = jacobian(alternating_step, penalty=0.75, **how)
    yield r"\Delta, T \text{ damped}", [np.linalg.det(slowed), np.trace(slowed)], "1/4, 1"
    unrolled = [factor(unrolled_step, num_steps=count, **how) for count in (1, 3, 5)]
    yield r"\varrho \text{ unrolled, } K = 1, 3, 5", unrolled, "0.7071, 0.8431, 1.6559"
