"""Training a VAE: schedules for the weight of the KL, free bits, the activity of latents, and the linear VAE's loss."""

import torch
from torch.nn import functional

from practice_torch.arguments import as_int64, require, require_at_least, require_rank, require_same_shape, require_values
from practice_torch.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from practice_torch.latent.vae import kl_to_standard_normal


def linear_kl_weight(step, *, warmup_steps):
    r"""The weight of the KL at each step, rising linearly from 0 to 1 and staying there.

    min(step / warmup_steps, 1)

    Raises ValueError if warmup_steps < 1 or a step is negative.  Source: Bowman et al. 2016, section 3.1.
    [N] -> [N]
    """
    _require_steps(step)
    require_at_least(1, warmup_steps=warmup_steps)
    return (step / warmup_steps).clamp(max=1)


def cyclical_kl_weight(step, *, cycle_length, ramp_fraction=0.5):
    r"""The weight of the KL at each step, rising from 0 to 1 within the first ramp_fraction of every cycle.

    min(((step mod cycle_length) / cycle_length) / ramp_fraction, 1)

    Raises ValueError if cycle_length < 1, ramp_fraction leaves (0, 1] or a step is negative.  Source: Fu et al. 2019, eqs. 6-7.
    [N] -> [N]
    """
    _require_steps(step)
    require_at_least(1, cycle_length=cycle_length)
    require(0 < ramp_fraction <= 1, f"ramp_fraction is {ramp_fraction}; it must be within (0, 1]")
    # The remainder is taken of the count itself, where it is exact; of step / cycle_length it would drift with the step.
    position = torch.remainder(as_int64(step), cycle_length)
    return (position / (cycle_length * ramp_fraction)).clamp(max=1)


def kl_per_dimension(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, 1)) of every latent by itself, in nats.

    1/2 (mean^2 + e^log_var - 1 - log_var)

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B, L]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    # Every entry is a Gaussian of one dimension.
    return kl_to_standard_normal(mean.reshape(-1, 1), log_var.reshape(-1, 1)).reshape(mean.shape)


def free_bits_kl(kl_per_dimension, *, minimum):
    r"""The KL with a floor under every latent, in nats: up to the floor a latent is free, and gets no gradient.

    sum_l max(KL_l, minimum)

    The floor is per example; the paper's floor under the minibatch mean of a group is this function of that mean, with B = 1.

    Raises ValueError if minimum < 0.  Source: Kingma et al. 2016, appendix C.8.
    [B, L] -> [B]
    """
    require_rank(2, kl_per_dimension=kl_per_dimension)
    require_at_least(0, minimum=minimum)
    # threshold, because a latent at the floor must be free: maximum splits the gradient there, and clamp promises nothing.
    return functional.threshold(kl_per_dimension, minimum, minimum).sum(dim=-1)


def latent_activity(mean):
    r"""Var_x(E_q[z_l]) over the data, biased (1/N): the variance of a latent's mean. Above 0.01 it counts as active.

    Raises ValueError if mean has no rows.  Source: Burda, Grosse & Salakhutdinov 2016, section 5.
    [N, L] -> [L]
    """
    require_rank(2, mean=mean)
    require(mean.shape[0] > 0, f"mean has shape {list(mean.shape)}; a variance over the data needs at least 1 row")
    return mean.var(dim=0, correction=0)


def linear_vae_negative_elbo(x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var):
    r"""The exact -ELBO, in nats, of the VAE with linear decoder and encoder.

    p(x|z) = N(W z + mu, s I),  s = e^decoder_log_var;  q(z|x) = N(V (x - mu), diag(e^posterior_log_var))

    KL(q || N(0, I)) - log N(x; W V (x - mu) + mu, s I) + 1/(2s) sum_l e^posterior_log_var_l ||w_l||^2

    Raises ValueError if the shapes do not fit.  Source: Lucas et al. 2019, section 4.
    [B, D], [D, L], [D], [], [L, D], [L] -> [B]
    """
    require_rank(2, x=x, weight=weight)
    pixels, latents = weight.shape
    shapes = (
        ("x", x, (x.shape[0], pixels)),
        ("decoder_mean", decoder_mean, (pixels,)),
        ("decoder_log_var", decoder_log_var, ()),
        ("encoder_weight", encoder_weight, (latents, pixels)),
        ("posterior_log_var", posterior_log_var, (latents,)),
    )
    for name, array, shape in shapes:
        fits = tuple(array.shape) == shape
        require(fits, f"{name} has shape {list(array.shape)}; next to a weight of {list(weight.shape)} it must be {list(shape)}")
    mean = functional.linear(x - decoder_mean, encoder_weight)
    reconstruction = functional.linear(mean, weight, decoder_mean)
    kl = kl_to_standard_normal(mean, posterior_log_var.expand_as(mean))
    at_the_mean = gaussian_negative_log_likelihood(x, reconstruction, decoder_log_var.expand_as(x))
    spread = torch.exp(posterior_log_var - decoder_log_var) @ weight.square().sum(dim=0)
    return kl + at_the_mean + 0.5 * spread


def _require_steps(step):
    require_rank(1, step=step)
    require_values("step", step, lambda step: step >= 0, "at least 0")
