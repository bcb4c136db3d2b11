"""The game of a quadratic critic and a Gaussian generator: its simultaneous steps, by quadrature."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.foundations.f_gan import f_gan_critic_loss, f_gan_generator_loss, location_scale_generator, quadratic_critic

RESTING = {"kl": 1.0, "gan": 0.0}  # the critic's output at the solution
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
NOISE, CHANCES = jnp.array(NODES), jnp.array(WEIGHTS / WEIGHTS.sum())


def steps(state, data, name):
    """The direction in which the critic, state[:3], and the generator, state[3:], step together; data: location, log-scale."""

    def critic_loss(coefficients):
        real = quadratic_critic(location_scale_generator(NOISE, *map(jnp.asarray, data)), coefficients)
        fake = quadratic_critic(location_scale_generator(NOISE, state[3], state[4]), coefficients)
        return CHANCES @ f_gan_critic_loss(real, fake, divergence=name)

    def generator_loss(theta):
        fake = quadratic_critic(location_scale_generator(NOISE, theta[0], theta[1]), state[:3])
        return CHANCES @ f_gan_generator_loss(fake, divergence=name)

    return -jnp.concatenate([jax.grad(critic_loss)(state[:3]), jax.grad(generator_loss)(state[3:])])


def resting_jacobian(data, name):
    """The Jacobian of the steps at the solution, by automatic differentiation."""
    return jax.jacfwd(lambda state: steps(state, data, name))(jnp.array([RESTING[name], 0.0, 0.0, *data]))


def largest_step(data, name):
    """The size below which steps converge near the solution, from the eigenvalues of the Jacobian."""
    eigenvalues = np.linalg.eigvals(np.asarray(resting_jacobian(data, name)))
    return np.min(-2 * eigenvalues.real / np.abs(eigenvalues) ** 2)


def step_together(generator, critic, critic_loss, generator_loss):
    """Rows of three rounds for Kullback-Leibler: steps of 1/10, standard normal data, a model at 1, and these functions."""
    coefficients, theta = jnp.array([RESTING["kl"], 0.0, 0.0]), jnp.array([1.0, 0.0])
    first = r"\text{standard normal data, } \eta = \tfrac1{10}, \text{ from } (1, 0, 0, 1, 0): \quad "
    for stated in (
        "(1, -0.1, -0.1, 1, 0)",
        "(1.0224, -0.1582, -0.1083, 0.9806, -0.0081)",
        "(1.0467, -0.2097, -0.1048, 0.9575, -0.0144)",
    ):

        def of_critic(coefficients, theta=theta):
            real, fake = critic(NOISE, coefficients), critic(generator(NOISE, *theta), coefficients)
            return CHANCES @ critic_loss(real, fake, divergence="kl")

        def of_generator(theta, coefficients=coefficients):
            return CHANCES @ generator_loss(critic(generator(NOISE, *theta), coefficients), divergence="kl")

        of_both = jax.grad(of_critic)(coefficients), jax.grad(of_generator)(theta)
        coefficients, theta = coefficients - 0.1 * of_both[0], theta - 0.1 * of_both[1]
        yield rf"{first}(c_0, c_1, c_2, m, l)", [*map(float, coefficients), *map(float, theta)], stated
        first = ""


def draw_orbits(left, right, jacobian):
    """Simultaneous steps of two sizes, and their eigenvalues."""
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 100)) - 1
    right.plot(circle.real, circle.imag, color="gray")
    for size, mark in ((0.3, "o-"), (1.1, "s-")):
        states = [jnp.array([1.0, 0.0, 0.0, 0.3, 0.0])]
        for _ in range(20 if size < 1 else 12):
            states.append(states[-1] + size * steps(states[-1], (0.0, 0.0), "kl"))
        states = np.asarray(states)
        left.plot(states[:, 3], states[:, 1], mark, markersize=3, label=rf"$\eta = {size}$")
        points = size * np.linalg.eigvals(jacobian)
        right.plot(points.real, points.imag, mark[0], label=rf"$\eta = {size}$")
    left.set(xlabel="$m$", ylabel="$c_1$")
    left.legend()
    right.set(xlabel=r"$\mathrm{Re}\, \eta\lambda$", ylabel=r"$\mathrm{Im}\, \eta\lambda$")
    right.legend(loc="upper left")  # outside of the circle, where its marks are not taken for eigenvalues
