"""Wrong forms of VAE training that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.latent import vae_training as right
from practice_torch.latent.vae import kl_to_standard_normal
from tests.support.mistakes import Mistake


def _linear(x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var, spread=1.0, center=True, square=True,
            weight_of_kl=1.0):  # fmt: skip
    """The linear VAE's loss, with ways to get it wrong."""
    mean = (x - decoder_mean if center else x) @ encoder_weight.T
    kl = kl_to_standard_normal(mean, posterior_log_var.expand_as(mean))
    reconstruction = mean @ weight.T + decoder_mean
    likelihood = right.gaussian_negative_log_likelihood(x, reconstruction, decoder_log_var.expand_as(x))
    norms = (weight**2).sum(0) if square else weight.sum(0)
    return weight_of_kl * kl + likelihood + 0.5 * spread * (posterior_log_var - decoder_log_var).exp() @ norms


def _quotient_drifts(step, *, cycle_length, ramp_fraction=0.5):
    return (step.to(torch.get_default_dtype()) / cycle_length % 1 / ramp_fraction).clamp(max=1)


def _accumulated(step, *, cycle_length, ramp_fraction=0.5):
    """The position is kept by adding 1/cycle_length at every step."""
    positions = torch.full((int(step.max()) % 4096 + 1,), 1 / cycle_length).cumsum(0) - 1 / cycle_length
    return (positions[step.long() % 4096] % 1 / ramp_fraction).clamp(max=1)


MISTAKES = (
    Mistake("linear_kl_weight", "divides by one less", lambda step, *, warmup_steps: (
        (step / max(warmup_steps - 1, 1)).clamp(max=1))),
    Mistake("linear_kl_weight", "counts from 1", lambda step, *, warmup_steps: ((step + 1) / warmup_steps).clamp(max=1)),
    Mistake("linear_kl_weight", "not capped", lambda step, *, warmup_steps: step / warmup_steps),
    Mistake("linear_kl_weight", "falls", lambda step, *, warmup_steps: 1 - (step / warmup_steps).clamp(max=1)),
    Mistake("linear_kl_weight", "integer division", lambda step, *, warmup_steps: (
        (step // warmup_steps).clamp(max=1).to(torch.get_default_dtype()))),
    Mistake("linear_kl_weight", "float32 inside", lambda step, *, warmup_steps: (
        (step.float() / warmup_steps).clamp(max=1).to(torch.get_default_dtype()))),
    Mistake("linear_kl_weight", "no warm-up accepted", lambda step, *, warmup_steps: (step / max(warmup_steps, 1)).clamp(max=1),
            only_checks=True),
    Mistake("cyclical_kl_weight", "position from the quotient drifts", _quotient_drifts),
    Mistake("cyclical_kl_weight", "steps counted in their own width", lambda step, *, cycle_length, ramp_fraction=0.5: (
        right.cyclical_kl_weight(step % cycle_length, cycle_length=cycle_length, ramp_fraction=ramp_fraction)), narrow=True),
    Mistake("cyclical_kl_weight", "position accumulated", _accumulated),
    Mistake("cyclical_kl_weight", "ramp over all of the cycle", lambda step, *, cycle_length, ramp_fraction=0.5: (
        right.cyclical_kl_weight(step, cycle_length=cycle_length, ramp_fraction=1.0))),
    Mistake("cyclical_kl_weight", "multiplies by the ramp", lambda step, *, cycle_length, ramp_fraction=0.5: (
        step % cycle_length / cycle_length * ramp_fraction)),
    Mistake("cyclical_kl_weight", "one cycle only", lambda step, *, cycle_length, ramp_fraction=0.5: (
        (step / cycle_length / ramp_fraction).clamp(max=1))),
    Mistake("cyclical_kl_weight", "not capped", lambda step, *, cycle_length, ramp_fraction=0.5: (
        step % cycle_length / cycle_length / ramp_fraction)),
    Mistake("cyclical_kl_weight", "position reaches 1 at the end", lambda step, *, cycle_length, ramp_fraction=0.5: (
        (step % cycle_length / max(cycle_length - 1, 1) / ramp_fraction).clamp(max=1))),
    Mistake("cyclical_kl_weight", "a ramp of 0 accepted", lambda step, *, cycle_length, ramp_fraction=0.5: (
        right.cyclical_kl_weight(step, cycle_length=max(cycle_length, 1), ramp_fraction=min(max(ramp_fraction, 1e-3), 1.0))),
            only_checks=True),
    Mistake("kl_per_dimension", "summed", lambda mean, log_var: (
        right.kl_per_dimension(mean, log_var).sum(-1, keepdim=True).expand_as(mean))),
    Mistake("kl_per_dimension", "forgets the half", lambda mean, log_var: 2 * right.kl_per_dimension(mean, log_var)),
    Mistake("kl_per_dimension", "exp for expm1", lambda mean, log_var: 0.5 * (mean**2 + log_var.exp() - 1 - log_var)),
    Mistake("kl_per_dimension", "log_var read as log standard deviation",
            lambda mean, log_var: right.kl_per_dimension(mean, 2 * log_var)),
    Mistake("free_bits_kl", "floor under the sum", lambda kl_per_dimension, *, minimum: (
        kl_per_dimension.sum(-1).clamp(min=minimum))),
    Mistake("free_bits_kl", "floor under the mean over the batch", lambda kl_per_dimension, *, minimum: (
        kl_per_dimension.mean(0).clamp(min=minimum).sum().expand(len(kl_per_dimension)))),
    Mistake("free_bits_kl", "what exceeds the floor", lambda kl_per_dimension, *, minimum: (
        (kl_per_dimension - minimum).clamp(min=0).sum(-1))),
    Mistake("free_bits_kl", "a ceiling", lambda kl_per_dimension, *, minimum: kl_per_dimension.clamp(max=minimum).sum(-1)),
    Mistake("free_bits_kl", "floor times the number of latents, under the sum", lambda kl_per_dimension, *, minimum: (
        kl_per_dimension.sum(-1).clamp(min=minimum * kl_per_dimension.shape[-1]))),
    Mistake("free_bits_kl", "a free latent keeps its gradient", lambda kl_per_dimension, *, minimum: (
        kl_per_dimension + (minimum - kl_per_dimension).clamp(min=0).detach()).sum(-1)),
    Mistake("free_bits_kl", "a softened floor", lambda kl_per_dimension, *, minimum: (
        minimum + torch.nn.functional.softplus(kl_per_dimension - minimum, beta=20)).sum(-1)),
    Mistake("free_bits_kl", "a latent at the floor keeps its gradient", lambda kl_per_dimension, *, minimum: (
        kl_per_dimension.where(kl_per_dimension >= minimum, minimum).sum(-1))),
    Mistake("free_bits_kl", "maximum, which splits the gradient at the floor", lambda kl_per_dimension, *, minimum: (
        torch.maximum(kl_per_dimension, torch.full_like(kl_per_dimension, minimum)).sum(-1))),
    Mistake("latent_activity", "unbiased variance", lambda mean: (mean - mean.mean(0)).square().sum(0) / (len(mean) - 1)),
    Mistake("latent_activity", "standard deviation", lambda mean: mean.var(0, correction=0).sqrt()),
    Mistake("latent_activity", "second moment", lambda mean: (mean**2).mean(0)),
    Mistake("latent_activity", "mean of squares minus square of mean", lambda mean: (mean**2).mean(0) - mean.mean(0) ** 2),
    Mistake("latent_activity", "over the latents", lambda mean: mean.var(1, correction=0)),
    Mistake("linear_vae_negative_elbo", "forgets the spread of z", lambda *model, **named: _linear(*model, **named, spread=0.0)),
    Mistake("linear_vae_negative_elbo", "spread without its half", lambda *model, **named: _linear(*model, **named, spread=2.0)),
    Mistake("linear_vae_negative_elbo", "encoder sees x, not x - mu",
            lambda *model, **named: _linear(*model, **named, center=False)),
    Mistake("linear_vae_negative_elbo", "forgets the divergence",
            lambda *model, **named: _linear(*model, **named, weight_of_kl=0.0)),
    Mistake("linear_vae_negative_elbo", "variances of the latents in another order",
            lambda x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var: _linear(
                x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var.sort().values)),
    Mistake("linear_vae_negative_elbo", "columns not squared", lambda *model, **named: _linear(*model, **named, square=False)),
    Mistake("linear_vae_negative_elbo", "half of the spread, half of its gradient",
            lambda *model, **named: _linear(*model, **named, spread=0.5)),
)  # fmt: skip


def _above_and_floor(kl_per_dimension, *, minimum):
    right.require_rank(2, kl_per_dimension=kl_per_dimension)
    right.require(minimum >= 0, "minimum is negative")
    return kl_per_dimension.where(kl_per_dimension > minimum, minimum).sum(-1)


EQUIVALENT = (Mistake("free_bits_kl", "where above the floor", _above_and_floor),)
