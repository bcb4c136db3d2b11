"""The game of a quadratic critic and a Gaussian generator: its simultaneous steps, by quadrature."""

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
