"""Dynamics of the GAN game and unrolling: steps of the smallest game, and a slope through several of them."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require_at_least, require_positive, require_rank, require_same_shape


def dirac_gan_value(generator, discriminator):
    r"""V = log sigma(theta omega) + log sigma(0), theta the generator, omega the discriminator, in nats.

    The logit of "fake" at x is omega x; samples are at theta, data at 0. Each entry of the batch is a game.

    Raises ValueError if the shapes differ.  Source: Mescheder, Geiger & Nowozin 2018, definition 2.1.
    [B], [B] -> [B]
    """
    _require_players(generator, discriminator)
    return logsigmoid(generator * discriminator) - math.log(2)


def simultaneous_step(generator, discriminator, *, learning_rate, penalty=0.0):
    r"""theta - h V_theta, omega + h (V_omega - penalty omega), both slopes at the old point; h the learning_rate.

    Raises ValueError if the shapes differ, learning_rate is not positive, or penalty is negative.
    Source: Mescheder, Geiger & Nowozin 2018, section 2.2; section 4.1 (penalty).
    [B], [B] -> [B], [B]
    """
    _require_players(generator, discriminator)
    require_positive(learning_rate=learning_rate)
    require_at_least(0, penalty=penalty)
    down, up = _slopes(generator, discriminator)
    return generator - learning_rate * down, discriminator + learning_rate * (up - penalty * discriminator)


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
    _, up = _slopes(generator, discriminator)
    discriminator = discriminator + learning_rate * (up - penalty * discriminator)
    down, _ = _slopes(generator, discriminator)
    return generator - learning_rate * down, discriminator


def extragradient_step(generator, discriminator, *, learning_rate):
    r"""A step from (theta, omega) with both slopes at the place where a simultaneous step ends.

    Raises ValueError if the shapes differ or learning_rate is not positive.
    Source: Korpelevich 1976; Gidel et al. 2019, eqs. 8 and 9.
    [B], [B] -> [B], [B]
    """
    down, up = _slopes(*simultaneous_step(generator, discriminator, learning_rate=learning_rate))
    return generator - learning_rate * down, discriminator + learning_rate * up


def unrolled_discriminator(generator, discriminator, *, learning_rate, num_steps):
    r"""omega_K: num_steps steps omega <- omega + h V_omega(theta, omega) against a generator that does not move.

    Raises ValueError if the shapes differ, learning_rate is not positive, or num_steps is negative.
    Source: Metz et al. 2017, eqs. 4 and 5.
    [B], [B] -> [B]
    """
    _require_players(generator, discriminator)
    require_positive(learning_rate=learning_rate)
    require_at_least(0, num_steps=num_steps)
    for _ in range(num_steps):
        discriminator = discriminator + learning_rate * _slopes(generator, discriminator)[1]
    return discriminator


def unrolled_generator_gradient(generator, discriminator, *, learning_rate, num_steps):
    r"""d/dtheta V(theta, omega_K(theta)), through the num_steps steps of the discriminator.

    = V_theta(theta, omega_K) + V_omega(theta, omega_K) d omega_K / d theta; with no step it is V_theta.

    Raises ValueError if the shapes differ, learning_rate is not positive, or num_steps is negative.
    Source: Metz et al. 2017, eqs. 7 and 8.
    [B], [B] -> [B]
    """

    def answer(generator):
        return unrolled_discriminator(generator, discriminator, learning_rate=learning_rate, num_steps=num_steps)

    last, pull = torch.func.vjp(answer, generator)
    down, up = _slopes(generator, last)
    return down + pull(up)[0]


def _slopes(generator, discriminator):
    """V_theta and V_omega. By autograd their own slopes would be 0 from a product of 40 on: torch computes 1 - sigma there."""
    real = torch.sigmoid(-generator * discriminator)
    return discriminator * real, generator * real


def _require_players(generator, discriminator):
    require_rank(1, generator=generator)
    require_same_shape(generator=generator, discriminator=discriminator)
