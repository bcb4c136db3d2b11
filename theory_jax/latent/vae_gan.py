"""VAE-GANs and adversarial autoencoders: a discriminator's features, its logits of images and its logits of codes in the losses.

Local names: r, x and s are logits of real images, of reconstructions and of samples; s(u) = log(1 + e^u) = -log sigma(-u).
"""

import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import require, require_at_least, require_batch, require_rank, require_same_shape
from theory_jax.latent.vae import kl_to_standard_normal


def feature_reconstruction_error(features, features_reconstructed):
    r"""1/2 ||f(x) - f(x~)||^2 over all features, in nats: -log N(f(x); f(x~), I) without its constant, F/2 log 2 pi.

    Raises ValueError if features has no axis or the shapes differ.  Source: Larsen et al. 2016, section 2.3.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(features=features)
    require_same_shape(features=features, features_reconstructed=features_reconstructed)
    squares = jnp.square(jnp.subtract(features, features_reconstructed))
    return jnp.sum(squares, axis=tuple(range(1, squares.ndim))) / 2


def vae_gan_discriminator_loss(logits_real, logits_reconstructed, logits_sampled):
    r"""-log sigma(r) - log sigma(-x) - log sigma(-s), in nats, of the logits in this order: both kinds of fakes are called fake.

    Raises ValueError if the shapes differ.  Source: Larsen et al. 2016, algorithm 1.
    [B], [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_reconstructed=logits_reconstructed, logits_sampled=logits_sampled)
    return softplus(-logits_real) + softplus(logits_reconstructed) + softplus(logits_sampled)


def vae_gan_decoder_loss(feature_error, logits_reconstructed, logits_sampled, *, feature_weight):
    r"""feature_weight feature_error - log sigma(x) - log sigma(s), in nats: both fakes, with logits x and s, shall pass for real.

    Raises ValueError if the shapes differ or feature_weight is negative.
    Source: Larsen et al. 2016, algorithm 1, with the non-saturating loss.
    [B], [B], [B] -> [B]
    """
    require_rank(1, feature_error=feature_error)
    require_same_shape(feature_error=feature_error, logits_reconstructed=logits_reconstructed, logits_sampled=logits_sampled)
    require_at_least(0, feature_weight=feature_weight)
    return feature_weight * feature_error + softplus(-logits_reconstructed) + softplus(-logits_sampled)


def vae_gan_encoder_loss(feature_error, mean, log_var):
    r"""feature_error + KL(N(mean, e^log_var) || N(0, I)), in nats: the encoder does not see the discriminator's logits.

    Raises ValueError if feature_error is not [B], mean has another number of rows, or log_var another shape than mean.
    Source: Larsen et al. 2016, algorithm 1.
    [B], [B, L], [B, L] -> [B]
    """
    require_rank(1, feature_error=feature_error)
    rate = kl_to_standard_normal(mean, log_var)
    require(
        len(rate) == len(feature_error), f"mean has {len(rate)} rows; it must have one for each of {len(feature_error)} errors"
    )
    return feature_error + rate


def adversarial_autoencoder_encoder_loss(reconstruction_error, logits_code, *, adversarial_weight):
    r"""reconstruction_error - adversarial_weight log sigma(l), in nats: the code, with logit l, shall pass for a prior's.

    Raises ValueError if the shapes differ or adversarial_weight is negative.
    Source: Makhzani et al. 2016, section 2, with the non-saturating loss.
    [B], [B] -> [B]
    """
    require_rank(1, reconstruction_error=reconstruction_error)
    require_same_shape(reconstruction_error=reconstruction_error, logits_code=logits_code)
    require_at_least(0, adversarial_weight=adversarial_weight)
    return reconstruction_error + adversarial_weight * softplus(-logits_code)
