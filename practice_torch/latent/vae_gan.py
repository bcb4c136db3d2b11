"""VAE-GANs and adversarial autoencoders: the losses of encoder, decoder and discriminator, of images or of codes."""

from torch.nn.functional import logsigmoid

from practice_torch.arguments import require_at_least, require_batch, require_rank, require_same_shape, require_shape
from practice_torch.latent.vae import kl_to_standard_normal


def feature_reconstruction_error(features, features_reconstructed):
    r"""1/2 ||f(x) - f(x~)||^2 over all features, in nats: -log N(f(x); f(x~), I) without its constant, F/2 log 2 pi.

    Raises ValueError if features has no axis or the shapes differ.  Source: Larsen et al. 2016, section 2.3.
    [B, ...], [B, ...] -> [B]
    """
    require_batch(features=features)
    require_same_shape(features=features, features_reconstructed=features_reconstructed)
    # One last axis of size 1: features may be a single number for each example.
    difference = (features - features_reconstructed).unsqueeze(-1).flatten(1)
    return 0.5 * difference.square().sum(1)


def vae_gan_discriminator_loss(logits_real, logits_reconstructed, logits_sampled):
    r"""-log sigma(r) - log sigma(-x) - log sigma(-s), in nats, of the logits in this order: both kinds of fakes are called fake.

    Raises ValueError if the shapes differ.  Source: Larsen et al. 2016, algorithm 1.
    [B], [B], [B] -> [B]
    """
    require_rank(1, logits_real=logits_real)
    require_same_shape(logits_real=logits_real, logits_reconstructed=logits_reconstructed, logits_sampled=logits_sampled)
    # logsigmoid, not softplus: torch's softplus is the identity beyond its threshold of 20
    return -(logsigmoid(logits_real) + logsigmoid(-logits_reconstructed) + logsigmoid(-logits_sampled))


def vae_gan_decoder_loss(feature_error, logits_reconstructed, logits_sampled, *, feature_weight):
    r"""feature_weight feature_error - log sigma(x) - log sigma(s), in nats: both fakes, with logits x and s, shall pass for real.

    Raises ValueError if the shapes differ or feature_weight is negative.
    Source: Larsen et al. 2016, algorithm 1, with the non-saturating loss.
    [B], [B], [B] -> [B]
    """
    require_rank(1, feature_error=feature_error)
    require_same_shape(feature_error=feature_error, logits_reconstructed=logits_reconstructed, logits_sampled=logits_sampled)
    require_at_least(0, feature_weight=feature_weight)
    return feature_weight * feature_error - logsigmoid(logits_reconstructed) - logsigmoid(logits_sampled)


def vae_gan_encoder_loss(feature_error, mean, log_var):
    r"""feature_error + KL(N(mean, e^log_var) || N(0, I)), in nats: the encoder does not see the discriminator's logits.

    Raises ValueError if feature_error is not [B], mean has another number of rows, or log_var another shape than mean.
    Source: Larsen et al. 2016, algorithm 1.
    [B], [B, L], [B, L] -> [B]
    """
    require_rank(1, feature_error=feature_error)
    require_rank(2, mean=mean)
    require_shape((len(feature_error), mean.shape[1]), mean=mean, log_var=log_var)
    return kl_to_standard_normal(mean, log_var).add(feature_error)


def adversarial_autoencoder_encoder_loss(reconstruction_error, logits_code, *, adversarial_weight):
    r"""reconstruction_error - adversarial_weight log sigma(l), in nats: the code, with logit l, shall pass for a prior's.

    Raises ValueError if the shapes differ or adversarial_weight is negative.
    Source: Makhzani et al. 2016, section 2, with the non-saturating loss.
    [B], [B] -> [B]
    """
    require_rank(1, reconstruction_error=reconstruction_error)
    require_same_shape(reconstruction_error=reconstruction_error, logits_code=logits_code)
    require_at_least(0, adversarial_weight=adversarial_weight)
    return reconstruction_error - adversarial_weight * logsigmoid(logits_code)
