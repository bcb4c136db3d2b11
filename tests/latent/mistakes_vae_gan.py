"""Wrong forms of the losses of VAE-GANs that the rows must refuse, and other right forms that they must accept."""

import math

import torch
from torch.nn import functional

from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from practice_torch.latent import vae_gan as right
from practice_torch.latent.vae import kl_to_standard_normal
from tests.support.mistakes import Mistake, after_checks

FEATURES, DISCRIMINATOR, DECODER = "feature_reconstruction_error", "vae_gan_discriminator_loss", "vae_gan_decoder_loss"
ENCODER, CODES = "vae_gan_encoder_loss", "adversarial_autoencoder_encoder_loss"


def _softplus(x):
    return -functional.logsigmoid(-x)


def _wrong(function, forms):
    """Mistakes of one function, each behind the right one's checks."""
    return (Mistake(function, name, after_checks(right, function, form)) for name, form in forms.items())


def _squares(features, features_reconstructed):
    return (features - features_reconstructed).square().flatten(1)


def _three(logits_real, logits_reconstructed, logits_sampled, signs=(-1, 1, 1), weights=(1, 1, 1)):
    logits = logits_real, logits_reconstructed, logits_sampled
    return sum(weight * _softplus(sign * logit) for weight, sign, logit in zip(weights, signs, logits, strict=True))


def _decoder(of_error=1.0, of_logits=1.0, loss=non_saturating_generator_loss, sampled=1.0):
    """The decoder's loss with other weights, as functions of feature_weight or numbers, and another loss of a fake."""

    def wrong(feature_error, logits_reconstructed, logits_sampled, *, feature_weight):
        fakes = loss(logits_reconstructed) + sampled * loss(logits_sampled)
        return (of_error or feature_weight) * feature_error + (of_logits or feature_weight) * fakes

    return wrong


MISTAKES = (
    *_wrong(FEATURES, {
        "not halved": lambda features, features_reconstructed: _squares(features, features_reconstructed).sum(1),
        "the mean of the features": lambda features, features_reconstructed: (
            _squares(features, features_reconstructed).mean(1) / 2),
        "a norm": lambda features, features_reconstructed: _squares(features, features_reconstructed).sum(1).sqrt(),
        "the reconstruction's features as a constant": lambda features, features_reconstructed: (
            right.feature_reconstruction_error(features, features_reconstructed.detach()) + 0 * features_reconstructed.sum()),
        "the last axis alone": lambda features, features_reconstructed: (
            (features - features_reconstructed).square().sum(-1).flatten(1).mean(1) / 2),
        "with its constant": lambda features, features_reconstructed: (
            (_squares(features, features_reconstructed) + math.log(2 * math.pi)).sum(1) / 2),
    }),
    Mistake(FEATURES, "one example's features for all", lambda features, features_reconstructed: (
        right.feature_reconstruction_error(features, features_reconstructed.expand_as(features))), only_checks=True),
    *_wrong(DISCRIMINATOR, {
        "reconstructions called real": lambda **logits: _three(**logits, signs=(-1, -1, 1)),
        "labels exchanged": lambda **logits: _three(**logits, signs=(1, -1, -1)),
        "fakes averaged": lambda **logits: _three(**logits, weights=(1, 0.5, 0.5)),
        "samples alone": lambda **logits: _three(**logits, weights=(1, 0, 1)),
        "reconstructions alone": lambda **logits: _three(**logits, weights=(1, 1, 0)),
        "no gradient to the fakes": lambda logits_real, logits_reconstructed, logits_sampled: (
            _three(logits_real, logits_reconstructed.detach(), logits_sampled.detach())
            + 0 * (logits_reconstructed + logits_sampled)),
    }),
    Mistake(DISCRIMINATOR, "another number of samples accepted", lambda logits_real, logits_reconstructed, logits_sampled: (
        right.vae_gan_discriminator_loss(logits_real, logits_reconstructed, logits_sampled.expand_as(logits_real))),
        only_checks=True),
    *_wrong(DECODER, {
        "saturating": _decoder(of_error=0, loss=minimax_generator_loss),
        "the discriminator's side": _decoder(of_error=0, loss=lambda logits: non_saturating_generator_loss(-logits)),
        "the weight on the logits": _decoder(of_logits=0),
        "the weight on both": _decoder(of_error=0, of_logits=0),
        "no weight": _decoder(),
        "reconstructions alone": _decoder(of_error=0, sampled=0.0),
    }),
    Mistake(DECODER, "any weight accepted", lambda feature_error, logits_reconstructed, logits_sampled, *, feature_weight: (
        right.vae_gan_decoder_loss(feature_error, logits_reconstructed, logits_sampled, feature_weight=abs(feature_weight))),
        only_checks=True),
    *_wrong(ENCODER, {
        "no rate": lambda feature_error, mean, log_var: feature_error + 0 * kl_to_standard_normal(mean, log_var),
        "the rate doubled": lambda feature_error, mean, log_var: feature_error + 2 * kl_to_standard_normal(mean, log_var),
        "a mean over the latents": lambda feature_error, mean, log_var: (
            feature_error + kl_to_standard_normal(mean, log_var) / mean.shape[1]),
        "the batch's mean rate": lambda feature_error, mean, log_var: feature_error + kl_to_standard_normal(mean, log_var).mean(),
        "a log-deviation": lambda feature_error, mean, log_var: feature_error + kl_to_standard_normal(mean, 2 * log_var),
        "the encoder does not see the error": lambda feature_error, mean, log_var: (
            feature_error.detach() + kl_to_standard_normal(mean, log_var) + 0 * feature_error),
    }),
    *_wrong(CODES, {
        "codes called fake": lambda reconstruction_error, logits_code, *, adversarial_weight: (
            reconstruction_error + adversarial_weight * _softplus(logits_code)),
        "saturating": lambda reconstruction_error, logits_code, *, adversarial_weight: (
            reconstruction_error - adversarial_weight * _softplus(logits_code)),
        "the weight on the reconstruction": lambda reconstruction_error, logits_code, *, adversarial_weight: (
            adversarial_weight * reconstruction_error + _softplus(-logits_code)),
        "no weight": lambda reconstruction_error, logits_code, *, adversarial_weight: (
            reconstruction_error + _softplus(-logits_code)),
        "the logit as it is": lambda reconstruction_error, logits_code, *, adversarial_weight: (
            reconstruction_error - adversarial_weight * logits_code),
    }),
    Mistake(CODES, "any weight accepted", lambda reconstruction_error, logits_code, *, adversarial_weight: (
        right.adversarial_autoencoder_encoder_loss(
            reconstruction_error, logits_code, adversarial_weight=abs(adversarial_weight))), only_checks=True),
)  # fmt: skip


def _by_torch(feature_error, mean, log_var):
    law = torch.distributions.Normal(mean, (log_var / 2).exp(), validate_args=False)
    return feature_error + torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).sum(1)


EQUIVALENT = (
    Mistake(FEATURES, "by torch's squared error", after_checks(right, FEATURES, lambda features, features_reconstructed: (
        functional.mse_loss(features, features_reconstructed, reduction="none")[..., None].flatten(1).sum(1) / 2))),
    Mistake(DISCRIMINATOR, "a GAN's loss and one more kind of fake", lambda logits_real, logits_reconstructed, logits_sampled: (
        right.vae_gan_discriminator_loss(logits_real, logits_reconstructed, logits_sampled) * 0
        + discriminator_loss(logits_real, logits_reconstructed) - minimax_generator_loss(logits_sampled))),
    Mistake(DECODER, "two losses of a generator", after_checks(right, DECODER, _decoder(of_error=0))),
    Mistake(ENCODER, "by torch.distributions", after_checks(right, ENCODER, _by_torch), core_alone=True),
)  # fmt: skip
