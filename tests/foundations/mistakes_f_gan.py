"""Wrong forms of f-GAN's losses that the rows must refuse, and other right forms that they must accept."""

import torch
from torch.nn import functional

from practice_torch.foundations import f_gan as right
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate, output_activation
from tests.support.mistakes import Mistake


def _unfused(v, **row):
    """f* after g_f: right on paper. Where g_f saturates, its rounding is all that f* gets to see."""
    return fenchel_conjugate(output_activation(v, **row), **row)


def _unfused_by_name(name):
    """The unfused form for one divergence only, the right one for the others: that row alone must notice."""

    def generator_loss(v_fake, **row):
        if row["divergence"] == name:
            return -_unfused(v_fake, **row)
        return right.f_gan_generator_loss(v_fake, **row)

    return generator_loss


def _unfused_gan(v_fake, **row):
    """log(1 - e^t) at t = log sigma(v): -inf from v = 17 on in float32, few digits left in float64."""
    if row["divergence"] == "gan":
        return torch.log(1 - torch.exp(functional.logsigmoid(v_fake)))
    return right.f_gan_generator_loss(v_fake, **row)


def _activated_twice(v_real, v_fake, **row):
    twice = output_activation(output_activation(v_real, **row), **row)
    return -right.f_gan_generator_loss(v_fake, **row) - twice


def _not_activated(v_real, v_fake, **row):
    return fenchel_conjugate(v_fake, **row) - v_real


def _real_and_fake_swapped(v_real, v_fake, **row):
    return right.f_gan_critic_loss(v_fake, v_real, **row)


def _naive_gan(v_real, v_fake, **row):
    """Sigmoid and logarithm one after the other: log(1 - sigma(v)) loses its digits, then everything."""
    if row["divergence"] == "gan":
        return -torch.log(torch.sigmoid(v_real)) - torch.log(1 - torch.sigmoid(v_fake))
    return right.f_gan_critic_loss(v_real, v_fake, **row)


def _kl_without_the_one(v_real, v_fake, **row):
    """f*(t) = e^t, which is the conjugate of u log u - u."""
    if row["divergence"] == "kl":
        return v_fake.exp() - v_real
    return right.f_gan_critic_loss(v_real, v_fake, **row)


def _jensen_shannon_unhalved(v_real, v_fake, **row):
    """g_f and f* of Nowozin et al., with a generator without the factor 1/2."""
    loss = right.f_gan_critic_loss(v_real, v_fake, **row)
    return 2 * loss if row["divergence"] == "jensen_shannon" else loss


def _inconsistent_jensen_shannon(v_fake, **row):
    """-log(2 - e^t), the conjugate without the half, at the g_f with it."""
    if row["divergence"] == "jensen_shannon":
        return torch.log(2 - torch.exp(output_activation(v_fake, **row)))
    return right.f_gan_generator_loss(v_fake, **row)


def _softplus_with_threshold(v_fake, **row):
    """torch.nn.functional.softplus is the identity above 20: exact in float32, not in float64."""
    if row["divergence"] == "gan":
        return -functional.softplus(v_fake, threshold=5)
    return right.f_gan_generator_loss(v_fake, **row)


def _dead_tail(v_fake, **row):
    """The derivative of expm1 is computed as expm1 + 1, which rounds to 0 where e^v is small."""
    if row["divergence"] == "squared_hellinger":
        return -torch.expm1(v_fake)
    return right.f_gan_generator_loss(v_fake, **row)


def _overflow_behind_where(name):
    """A term that is not selected far out, but overflows there: 0 times inf comes back through the gradient."""

    def generator_loss(v_fake, **row):
        loss = right.f_gan_generator_loss(v_fake, **row)
        if row["divergence"] == name:
            return torch.where(v_fake > 50, loss, loss + 0 * v_fake.exp().pow(12))
        return loss

    return generator_loss


def _accepts_any_alpha(v_fake, *, divergence, alpha=None):
    return right.f_gan_generator_loss(v_fake, divergence=divergence, alpha=alpha if divergence == "alpha" else None)


def _float32_inside(v_real, v_fake, **row):
    return right.f_gan_critic_loss(v_real.float(), v_fake.float(), **row).to(v_real.dtype)


MISTAKES = (
    Mistake("f_gan_critic_loss", "sign", lambda v_real, v_fake, **row: -right.f_gan_critic_loss(v_real, v_fake, **row)),
    Mistake("f_gan_critic_loss", "f* of the real", _real_and_fake_swapped),
    Mistake("f_gan_critic_loss", "activation twice", _activated_twice),
    Mistake("f_gan_critic_loss", "activation left out", _not_activated),
    Mistake("f_gan_critic_loss", "mean over the batch", lambda v_real, v_fake, **row: right.f_gan_critic_loss(
        v_real, v_fake, **row).mean()),
    Mistake("f_gan_critic_loss", "log(1 - sigma(v))", _naive_gan),
    Mistake("f_gan_critic_loss", "f*(t) = e^t for kl", _kl_without_the_one),
    Mistake("f_gan_critic_loss", "Jensen-Shannon without the half", _jensen_shannon_unhalved),
    Mistake("f_gan_critic_loss", "float32 inside", _float32_inside),
    Mistake("f_gan_critic_loss", "cuts sizes in silence", lambda v_real, v_fake, **row: (
        -right.f_gan_generator_loss(v_fake, **row)[: len(v_real)]
        - output_activation(v_real, **row)[: len(v_fake)]), only_checks=True),
    Mistake("f_gan_generator_loss", "plus sign", lambda v_fake, **row: -right.f_gan_generator_loss(v_fake, **row)),
    Mistake("f_gan_generator_loss", "the alternative loss", lambda v_fake, **row: right.f_gan_alternative_generator_loss(
        v_fake, **row)),
    Mistake("f_gan_generator_loss", "the output map left out", lambda v_fake, **row: -fenchel_conjugate(v_fake, **row)),
    Mistake("f_gan_generator_loss", "gan unfused, with log(1 - e^t)", _unfused_gan),
    Mistake("f_gan_generator_loss", "Jensen-Shannon unfused", _unfused_by_name("jensen_shannon")),
    Mistake("f_gan_generator_loss", "squared Hellinger unfused", _unfused_by_name("squared_hellinger")),
    Mistake("f_gan_generator_loss", "Neyman unfused", _unfused_by_name("neyman_chi_squared")),
    Mistake("f_gan_generator_loss", "alpha unfused", _unfused_by_name("alpha")),
    Mistake("f_gan_generator_loss", "an inconsistent pair for Jensen-Shannon", _inconsistent_jensen_shannon),
    Mistake("f_gan_generator_loss", "softplus that becomes the identity", _softplus_with_threshold),
    Mistake("f_gan_generator_loss", "a gradient that dies in the tail", _dead_tail),
    Mistake("f_gan_generator_loss", "Jensen-Shannon overflows behind a where", _overflow_behind_where("jensen_shannon")),
    Mistake("f_gan_generator_loss", "alpha overflows behind a where", _overflow_behind_where("alpha")),
    Mistake("f_gan_generator_loss", "accepts an alpha it does not take", _accepts_any_alpha, only_checks=True),
    Mistake("f_gan_alternative_generator_loss", "the consistent loss", lambda v_fake, **row: right.f_gan_generator_loss(
        v_fake, **row)),
    Mistake("f_gan_alternative_generator_loss", "plus sign", lambda v_fake, **row: -right.f_gan_alternative_generator_loss(
        v_fake, **row)),
    Mistake("f_gan_alternative_generator_loss", "activation left out", lambda v_fake, **row: -v_fake),
    Mistake("location_scale_generator", "log_scale read as log-variance", lambda z, location, log_scale:
            right.location_scale_generator(z, location, log_scale / 2)),
    Mistake("location_scale_generator", "log_scale read as the scale", lambda z, location, log_scale: location + log_scale * z),
    Mistake("location_scale_generator", "scales the location too", lambda z, location, log_scale: (
        (location + z) * log_scale.exp())),
    Mistake("location_scale_generator", "accepts vectors", lambda z, location, log_scale: location + log_scale.exp() * z,
            only_checks=True),
    Mistake("quadratic_critic", "highest power first", lambda x, coefficients: right.quadratic_critic(x, coefficients.flip(0))),
    Mistake("quadratic_critic", "the square of c_2 x", lambda x, coefficients: (
        coefficients[0] + coefficients[1] * x + (coefficients[2] * x) ** 2)),
    Mistake("quadratic_critic", "accepts two coefficients", lambda x, coefficients: sum(
        c * x**k for k, c in enumerate(coefficients.unbind())), only_checks=True),
)  # fmt: skip


def _gan_by_logaddexp(v_real, v_fake, **row):
    right.require_same_shape(v_real=v_real, v_fake=v_fake)
    if row["divergence"] == "gan" and row.get("alpha") is None:
        zero = torch.zeros(())
        return torch.logaddexp(v_fake, zero) + torch.logaddexp(-v_real, zero)
    return right.f_gan_critic_loss(v_real, v_fake, **row)


def _gan_with_a_careful_conjugate(v_fake, **row):
    """f* after g_f loses nothing here as long as f* takes expm1: next to 0, the edge of the domain, t has all its digits."""
    right.require_rank(1, v_fake=v_fake)
    if row["divergence"] == "gan":
        return -_unfused(v_fake, **row)
    return right.f_gan_generator_loss(v_fake, **row)


EQUIVALENT = (
    Mistake("f_gan_critic_loss", "gan by logaddexp", _gan_by_logaddexp),
    Mistake("f_gan_generator_loss", "gan unfused, with a careful f*", _gan_with_a_careful_conjugate),
    Mistake(
        "quadratic_critic",
        "powers summed",
        lambda x, coefficients: (
            right.quadratic_critic(x, coefficients)
            if x.ndim != 1 or len(coefficients) != 3
            else coefficients[0] + coefficients[1] * x + coefficients[2] * x.square()
        ),
    ),
)
