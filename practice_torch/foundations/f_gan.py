"""f-GAN: the losses of critic and generator for every f-divergence, f* and the output map evaluated as one function."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from practice_torch.arguments import require, require_rank, require_same_shape
from practice_torch.foundations._cells import row_of
from practice_torch.foundations._elementary import expm1
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate, output_activation


def f_gan_critic_loss(v_real, v_fake, *, divergence, alpha=None):
    r"""f*(g_f(v_fake)) - g_f(v_real): what the critic minimizes; minus its mean is a lower bound on D_f(data || model).

    Raises ValueError if the shapes differ, or for an unknown divergence or an alpha it does not take.
    Source: Nowozin, Cseke & Tomioka 2016, eq. 6.
    [B], [B] -> [B]
    """
    require_rank(1, v_real=v_real)
    require_same_shape(v_real=v_real, v_fake=v_fake)
    conjugate = row_of(_FUSED, divergence, alpha).conjugate(v_fake)
    return conjugate - output_activation(v_real, divergence=divergence, alpha=alpha)


def f_gan_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-f*(g_f(v_fake)): the generator's side of the same game, which saturates where the critic is sure of a fake.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, eq. 6.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return row_of(_FUSED, divergence, alpha).conjugate(v_fake).neg()


def f_gan_alternative_generator_loss(v_fake, *, divergence, alpha=None):
    r"""-g_f(v_fake): make the critic's value of a fake large, as if it were data. Not the game's own loss, but it moves.

    Raises ValueError for an unknown divergence or an alpha it does not take.  Source: Nowozin et al. 2016, section 3.2.
    [B] -> [B]
    """
    require_rank(1, v_fake=v_fake)
    return output_activation(v_fake, divergence=divergence, alpha=alpha).neg()


def location_scale_generator(z, location, log_scale):
    r"""G(z) = location + e^log_scale z: from standard normal noise, exactly the Gaussians.

    Raises ValueError if location or log_scale is not a scalar.  Source: Nowozin et al. 2016, section 2.
    [B], [], [] -> [B]
    """
    require_rank(1, z=z)
    require_rank(0, location=location, log_scale=log_scale)
    return torch.addcmul(location, log_scale.exp(), z)


def quadratic_critic(x, coefficients):
    r"""V(x) = c_0 + c_1 x + c_2 x^2: rich enough to hold the log-ratio of any two Gaussians.

    Raises ValueError unless there are three coefficients.  Source: Nowozin et al. 2016, section 2.
    [B], [3] -> [B]
    """
    require_rank(1, x=x, coefficients=coefficients)
    require(coefficients.shape[0] == 3, f"coefficients has {coefficients.shape[0]} entries; it must have 3: c_0, c_1, c_2")
    constant, linear, square = coefficients.unbind()
    return constant + x * (linear + x * square)


# ------------------------------------------------------------------------------------------- one divergence, one row


@dataclass(frozen=True)
class _Fused:
    """f*(g_f(v)) as one function of v, without computing g_f(v), since f* would magnify its rounding."""

    conjugate: Callable


def _alpha_fused(alpha):
    if alpha > 1:
        return _Fused(partial(fenchel_conjugate, divergence="alpha", alpha=alpha))

    def conjugate(v):
        # With g_f(v) = 1/(1-alpha) - softplus(-v), 1 + (alpha-1) g_f(v) is (1-alpha) softplus(-v), to be taken to a power.
        # Beyond 18, log softplus(-v) = -v - e^-v/2 to the last bit, and softplus(-v) itself will soon underflow.
        far = v > 18
        log_softplus = torch.where(
            far, -v - torch.exp(-v.where(far, 18.0)) / 2, torch.log(-functional.logsigmoid(v.where(~far, 18.0)))
        )
        return expm1((log_softplus + math.log1p(-alpha)) * (alpha / (alpha - 1))) / alpha

    return _Fused(conjugate)


def _jensen_shannon(v):
    # log((1 + e^v) / 2) / 2, expanded about 0 on the side of v: it keeps its digits where it vanishes
    positive = v > 0
    toward_zero = torch.log1p(expm1(torch.where(positive, -v, v)) / 2)
    return torch.where(positive, v + toward_zero, toward_zero) / 2


_FUSED = {
    "total_variation": _Fused(partial(output_activation, divergence="total_variation")),
    "kl": _Fused(partial(fenchel_conjugate, divergence="kl")),
    "reverse_kl": _Fused(lambda v: v - 1),
    "pearson_chi_squared": _Fused(partial(fenchel_conjugate, divergence="pearson_chi_squared")),
    "neyman_chi_squared": _Fused(lambda v: -2 * expm1(-v / 2)),
    "squared_hellinger": _Fused(expm1),
    "jeffreys": _Fused(partial(fenchel_conjugate, divergence="jeffreys")),
    "jensen_shannon": _Fused(_jensen_shannon),
    "gan": _Fused(lambda v: -functional.logsigmoid(-v)),
    "alpha": _alpha_fused,
}
