"""Dynamics of the GAN game and unrolling: the smallest game, four ways to play a step of it, and a generator that looks ahead.

Local names: theta is the generator, whose samples are all at theta, with the data at 0; omega is the discriminator, with the
logit omega x of "fake" at x; h is the learning rate. V is the value, which the generator descends and the discriminator ascends.
Both slopes share the factor sigma(-theta omega), the probability of "real" at the sample: V_theta = omega sigma, V_omega = theta
sigma.
"""

import jax
from jax.nn import sigmoid, softplus

from theory_jax.arguments import require_at_least, require_positive, require_rank, require_same_shape


def dirac_gan_value(generator, discriminator):
    r"""V = log sigma(theta omega) + log sigma(0), theta the generator, omega the discriminator, in nats.

    The logit of "fake" at x is omega x; samples are at theta, data at 0. Each entry of the batch is a game.

    Raises ValueError if the shapes differ.  Source: Mescheder, Geiger & Nowozin 2018, definition 2.1.
    [B], [B] -> [B]
    """
    _require_players(generator, discriminator)
    return -softplus(-generator * discriminator) - softplus(0.0)


def simultaneous_step(generator, discriminator, *, learning_rate, penalty=0.0):
    r"""theta - h V_theta, omega + h (V_omega - penalty omega), both slopes at the old point; h the learning_rate.

    Raises ValueError if the shapes differ, learning_rate is not positive, or penalty is negative.
    Source: Mescheder, Geiger & Nowozin 2018, section 2.2; section 4.1 (penalty).
    [B], [B] -> [B], [B]
    """
    _require_players(generator, discriminator)
    require_positive(learning_rate=learning_rate)
    require_at_least(0, penalty=penalty)
    moved = _descended(generator, discriminator, learning_rate)
    return moved, _ascended(generator, discriminator, learning_rate) - learning_rate * penalty * discriminator


def alternating_step(generator, discriminator, *, learning_rate, penalty=0.0):
    r"""omega' = omega + h (V_omega - penalty omega), then theta - h V_theta(theta, omega'); h the learning_rate.

    The discriminator moves first, and the generator's slope is that against the new discriminator.

    Raises ValueError if the shapes differ, learning_rate is not positive, or penalty is negative.
    Source: Mescheder, Geiger & Nowozin 2018, section 2.2; section 4.1 (penalty).
    [B], [B] -> [B], [B]
    """
    _require_players(generator, discriminator)
    require_positive(learning_rate=learning_rate)
    require_at_least(0, penalty=penalty)
    answer = _ascended(generator, discriminator, learning_rate) - learning_rate * penalty * discriminator
    return _descended(generator, answer, learning_rate), answer


def extragradient_step(generator, discriminator, *, learning_rate):
    r"""A step from (theta, omega) with both slopes at the place where a simultaneous step ends.

    Raises ValueError if the shapes differ or learning_rate is not positive.
    Source: Korpelevich 1976; Gidel et al. 2019, eqs. 8 and 9.
    [B], [B] -> [B], [B]
    """
    ahead = simultaneous_step(generator, discriminator, learning_rate=learning_rate)
    force = learning_rate * _doubt(*ahead)
    return generator - force * ahead[1], discriminator + force * ahead[0]


def unrolled_discriminator(generator, discriminator, *, learning_rate, num_steps):
    r"""omega_K: num_steps steps omega <- omega + h V_omega(theta, omega) against a generator that does not move.

    Raises ValueError if the shapes differ, learning_rate is not positive, or num_steps is negative.
    Source: Metz et al. 2017, eqs. 4 and 5.
    [B], [B] -> [B]
    """
    _require_unrolling(generator, discriminator, learning_rate, num_steps)
    return jax.lax.fori_loop(0, num_steps, lambda _, omega: _ascended(generator, omega, learning_rate), discriminator)


def unrolled_generator_gradient(generator, discriminator, *, learning_rate, num_steps):
    r"""d/dtheta V(theta, omega_K(theta)), through the num_steps steps of the discriminator.

    = V_theta(theta, omega_K) + V_omega(theta, omega_K) d omega_K / d theta; with no step it is V_theta.

    Raises ValueError if the shapes differ, learning_rate is not positive, or num_steps is negative.
    Source: Metz et al. 2017, eqs. 7 and 8.
    [B], [B] -> [B]
    """
    _require_unrolling(generator, discriminator, learning_rate, num_steps)

    def advance(_, state):
        """One step of omega and of u = d omega / d theta."""
        omega, u = state
        doubt, sure = _doubt(generator, omega), sigmoid(generator * omega)
        u = u + learning_rate * doubt * (1 - generator * sure * (omega + generator * u))
        return _ascended(generator, omega, learning_rate), u

    omega, u = jax.lax.fori_loop(0, num_steps, advance, (discriminator, 0 * generator))
    return _doubt(generator, omega) * (omega + generator * u)


def _doubt(theta, omega):
    """The probability of "real" at the sample."""
    return sigmoid(-theta * omega)


def _ascended(theta, omega, h):
    return omega + h * theta * _doubt(theta, omega)


def _descended(theta, omega, h):
    return theta - h * omega * _doubt(theta, omega)


def _require_players(generator, discriminator):
    require_rank(1, generator=generator)
    require_same_shape(generator=generator, discriminator=discriminator)


def _require_unrolling(generator, discriminator, learning_rate, num_steps):
    _require_players(generator, discriminator)
    require_positive(learning_rate=learning_rate)
    require_at_least(0, num_steps=num_steps)
