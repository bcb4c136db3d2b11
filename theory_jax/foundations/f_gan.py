"""f-GAN (lecture 4): a generative model trained by minimizing a variational bound on an f-divergence.

Local names: v is the critic network's raw output on the real line, T = g_f(v) the critic's value in the domain of f*,
u = p/q the density ratio of data to model, theta the generator's parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require, require_rank, require_same_shape
from theory_jax.foundations._generators import row_of
from theory_jax.foundations.fenchel_conjugate import fenchel_conjugate, output_activation
from theory_jax.mathematics.elementary import expm1


def f_gan_critic_loss(v_real, v_fake, *, divergence, alpha=None):
    r"""f*(g_f(v_fake)) - g_f(v_real): what the critic minimizes; minus its mean is a lower bound on D_f(data || model).

    Raises ValueError if the shapes differ, or for an unknown divergence or an alpha it does not take.
    Source: Nowozin, Cseke & Tomioka 2016, eq. 6.
    [B], [B] -> [B]
    """
    require_rank(1, v_real=v_real)
    require_same_shape(v_real=v_real, v_fake=v_fake)
    value_real = output_activation(v_real, divergence=divergence, alpha=alpha)
    return row_of(_COMPOSED, divergence, alpha).conjugate(v_fake) - value_real


def f_gan_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-f*(g_f(v_fake)): the generator's side of the same game, which saturates where the critic is sure of a fake.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, eq. 6.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return -row_of(_COMPOSED, divergence, alpha).conjugate(v_fake)


def f_gan_alternative_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-g_f(v_fake): make the critic's value of a fake large, as if it were data. Not the game's own loss, but it moves.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, section 3.2.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return -output_activation(v_fake, divergence=divergence, alpha=alpha)


def location_scale_generator(z, location, log_scale):
    r"""G(z) = location + e^log_scale z: from standard normal noise, exactly the Gaussians.

    Raises ValueError if location or log_scale is not a scalar.  Source: Nowozin et al. 2016, section 2.
    [B], [], [] -> [B]
    """
    require_rank(1, z=z)
    require_rank(0, location=location, log_scale=log_scale)
    return location + jnp.exp(log_scale) * z


def quadratic_critic(x, coefficients):
    r"""V(x) = c_0 + c_1 x + c_2 x^2: rich enough to hold the log-ratio of any two Gaussians.

    Raises ValueError unless there are three coefficients.  Source: Nowozin et al. 2016, section 2.
    [B], [3] -> [B]
    """
    require_rank(1, x=x, coefficients=coefficients)
    require(coefficients.shape[0] == 3, f"coefficients has {coefficients.shape[0]} entries; it must have 3: c_0, c_1, c_2")
    return jnp.vander(x, 3, increasing=True) @ coefficients


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Composed:
    """f* after g_f, composed on paper: in floating point, f* would be asked to restore the digits that g_f has rounded off."""

    conjugate: Callable  # f*(g_f(v))


def _log_softplus(x):
    """log log(1 + e^x), also where e^x underflows: below -18, log(1 + e^x) = e^x (1 - e^x/2 + ...) to the last bit."""
    tail = x < -18
    far, near = jnp.where(tail, x, -18.0), jnp.where(tail, 0.0, x)
    return jnp.where(tail, far - jnp.exp(far) / 2, jnp.log(softplus(near)))


def _log_half_one_plus_exp(v):
    """log((1 + e^v) / 2), to full relative accuracy at v = 0, where it vanishes, and on the left, where its slope does."""
    left = v < 0
    return jnp.where(left, 0.0, v) + jnp.log1p(expm1(jnp.where(left, v, -v)) / 2)


def _alpha_composed(alpha):
    if alpha > 1:
        return _Composed(partial(fenchel_conjugate, divergence="alpha", alpha=alpha))
    # (s^(alpha/(alpha-1)) - 1)/alpha, where s = 1 + (alpha-1) g_f(v) comes down to (1-alpha) softplus(-v)
    power = alpha / (alpha - 1)
    return _Composed(lambda v: expm1(power * (math.log(1 - alpha) + _log_softplus(-v))) / alpha)


_COMPOSED = {
    "total_variation": _Composed(partial(output_activation, divergence="total_variation")),  # f*(t) = t where t >= -1/2
    "kl": _Composed(partial(fenchel_conjugate, divergence="kl")),  # here and below, g_f is the identity
    "reverse_kl": _Composed(lambda v: v - 1),
    "pearson_chi_squared": _Composed(partial(fenchel_conjugate, divergence="pearson_chi_squared")),
    "neyman_chi_squared": _Composed(lambda v: -2 * expm1(-v / 2)),
    "squared_hellinger": _Composed(expm1),
    "jeffreys": _Composed(partial(fenchel_conjugate, divergence="jeffreys")),
    "jensen_shannon": _Composed(lambda v: _log_half_one_plus_exp(v) / 2),
    "gan": _Composed(softplus),
    "alpha": _alpha_composed,
}
