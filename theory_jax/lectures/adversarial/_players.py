"""The steps of both players of the smallest GAN: their matrices at the equilibrium, their paths, and the figure of both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

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
