"""Training a VAE (lecture 20): the linear VAE, where the ELBO's optima are known, and what keeps latents from collapsing."""

import jax
import jax.numpy as jnp

from theory_jax.arguments import require, require_at_least, require_rank, require_same_shape, require_values, widened
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.latent.vae import kl_to_standard_normal


def linear_kl_weight(step, *, warmup_steps):
    r"""The weight of the KL at each step, rising linearly from 0 to 1 and staying there.

    min(step / warmup_steps, 1)

    Raises ValueError if warmup_steps < 1 or a step is negative.  Source: Bowman et al. 2016, section 3.1.
    [N] -> [N]
    """
    require_rank(1, step=step)
    require_values("step", step, lambda step: step >= 0, "at least 0")
    require_at_least(1, warmup_steps=warmup_steps)
    step = widened(step)
    return jnp.where(step < warmup_steps, step / warmup_steps, 1)


def cyclical_kl_weight(step, *, cycle_length, ramp_fraction=0.5):
    r"""The weight of the KL at each step, rising from 0 to 1 within the first ramp_fraction of every cycle.

    min(((step mod cycle_length) / cycle_length) / ramp_fraction, 1)

    Raises ValueError if cycle_length < 1, ramp_fraction leaves (0, 1] or a step is negative.  Source: Fu et al. 2019, eqs. 6-7.
    [N] -> [N]
    """
    require_rank(1, step=step)
    require_values("step", step, lambda step: step >= 0, "at least 0")
    require_at_least(1, cycle_length=cycle_length)
    require(0 < ramp_fraction <= 1, f"ramp_fraction is {ramp_fraction}; it must be within (0, 1]")
    # The step is reduced before it is divided: the remainder of a count is exact, that of a quotient of a large count is not.
    return jnp.minimum(widened(step) % cycle_length / cycle_length / ramp_fraction, 1)


def kl_per_dimension(mean, log_var):
    r"""KL(N(mean, e^log_var) || N(0, 1)) of every latent by itself, in nats.

    1/2 (mean^2 + e^log_var - 1 - log_var)

    Raises ValueError if the shapes differ.  Source: Kingma & Welling 2014, appendix B.
    [B, L], [B, L] -> [B, L]
    """
    require_rank(2, mean=mean)
    require_same_shape(mean=mean, log_var=log_var)
    # A latent by itself is a Gaussian of one dimension: the batch of examples, mapped over the latents.
    one_latent = jax.vmap(lambda m, v: kl_to_standard_normal(m[:, None], v[:, None]), in_axes=1, out_axes=1)
    return one_latent(mean, log_var)


def free_bits_kl(kl_per_dimension, *, minimum):
    r"""The KL with a floor under every latent, in nats: up to the floor a latent is free, and gets no gradient.

    sum_l max(KL_l, minimum)

    The floor is per example; the paper's floor under the minibatch mean of a group is this function of that mean, with B = 1.

    Raises ValueError if minimum < 0.  Source: Kingma et al. 2016, appendix C.8.
    [B, L] -> [B]
    """
    require_rank(2, kl_per_dimension=kl_per_dimension)
    require_at_least(0, minimum=minimum)
    # Not jnp.maximum: where the two are equal it would pass half of the gradient, and a latent at the floor is free.
    return jnp.sum(jnp.where(kl_per_dimension <= minimum, minimum, kl_per_dimension), axis=1)


def latent_activity(mean):
    r"""Var_x(E_q[z_l]) over the data, biased (1/N): the variance of a latent's mean. Above 0.01 it counts as active.

    Raises ValueError if mean has no rows.  Source: Burda, Grosse & Salakhutdinov 2016, section 5.
    [N, L] -> [L]
    """
    require_rank(2, mean=mean)
    require(mean.shape[0] > 0, f"mean has shape {list(mean.shape)}; a variance over the data needs at least 1 row")
    centered = mean - mean.mean(axis=0)
    return jnp.mean(centered**2, axis=0)


def linear_vae_negative_elbo(x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var):
    r"""The exact -ELBO, in nats, of the VAE with linear decoder and encoder.

    p(x|z) = N(W z + mu, s I),  s = e^decoder_log_var;  q(z|x) = N(V (x - mu), diag(e^posterior_log_var))

    KL(q || N(0, I)) - log N(x; W V (x - mu) + mu, s I) + 1/(2s) sum_l e^posterior_log_var_l ||w_l||^2

    Raises ValueError if the shapes do not fit.  Source: Lucas et al. 2019, section 4.
    [B, D], [D, L], [D], [], [L, D], [L] -> [B]
    """
    require_rank(2, x=x, weight=weight, encoder_weight=encoder_weight)
    require_rank(1, decoder_mean=decoder_mean, posterior_log_var=posterior_log_var)
    require_rank(0, decoder_log_var=decoder_log_var)
    pixels, latents = weight.shape
    for name, got, allowed in (
        ("x", x.shape[1], pixels),
        ("decoder_mean", decoder_mean.shape[0], pixels),
        ("encoder_weight", encoder_weight.shape, weight.shape[::-1]),
        ("posterior_log_var", posterior_log_var.shape[0], latents),
    ):
        require(got == allowed, f"{name} is for {got}; next to a weight of {list(weight.shape)} it must be for {allowed}")

    def of_one(x):
        z = encoder_weight @ (x - decoder_mean)
        rate = kl_to_standard_normal(z[None], posterior_log_var[None])[0]
        noise = jnp.full_like(x, decoder_log_var)
        return rate + gaussian_negative_log_likelihood(x[None], (weight @ z + decoder_mean)[None], noise[None])[0]

    # What z's own noise adds to the squared error: tr(W diag(e^v) W^T), the same for every x.
    spread = jnp.sum((weight * jnp.exp((posterior_log_var - decoder_log_var) / 2)) ** 2)
    return jax.vmap(of_one)(x) + spread / 2
