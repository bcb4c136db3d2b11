"""The objectives of the experiments latent/vae_gan, by functions with contracts."""

import torch

from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.experiments.latent import vae_gan as experiment
from practice_torch.latent.reparameterization import reparameterize
from practice_torch.latent.vae import kl_to_standard_normal
from tests.support.objectives import Mistake, Objective, normal


def both(e, batch, phase):
    x = 2 * batch["image"].flatten(1) - 1
    return codes(e, x, phase) if isinstance(e, experiment.AdversarialAutoencoder) else images(e, x, phase)


def codes(e, x, phase):
    """Real codes are draws of the prior; the error of an image is half the sum of the squares of its pixels'."""
    code = e.encoder(x)
    if phase == "discriminator":
        drawn = normal(e, len(x), e.recipe.latent_dim)
        return discriminator_loss(*(e.discriminator(of).flatten() for of in (drawn, code))).mean()
    error = (torch.tanh(e.decoder(code)) - x).square().sum(1) / 2
    return (error + e.recipe.adversarial_weight * non_saturating_generator_loss(e.discriminator(code).flatten())).mean()


def images(e, x, phase):
    """The features are what the discriminator's last layer sees."""
    size = e.recipe.latent_dim
    mean, raw = e.encoder(x).split(size, 1)
    log_var = 10 * torch.tanh(raw / 10)
    made = torch.tanh(e.decoder(reparameterize(normal(e, len(x), size), mean, log_var)))
    *layers, last = e.discriminator
    hidden = torch.nn.Sequential(*layers)
    error = e.recipe.feature_scale**2 * (hidden(x) - hidden(made)).square().sum(1) / 2
    if phase == "encoder":
        return (error + kl_to_standard_normal(mean, log_var)).mean()
    sampled = torch.tanh(e.decoder(normal(e, len(x), size)))
    logits = [last(hidden(of)).flatten() for of in (x, made, sampled)]
    if phase == "discriminator":
        return sum(non_saturating_generator_loss(sign * of) for sign, of in zip((1, -1, -1), logits, strict=True)).mean()
    adversary = non_saturating_generator_loss(logits[1]) + non_saturating_generator_loss(logits[2])
    return (e.recipe.feature_weight * error + adversary).mean()


OBJECTIVE = Objective(
    both,
    unread={"fakes"},
    mistakes={
        "codes called real": Mistake(experiment, "discriminator_loss", lambda real, fake: discriminator_loss(fake, real)),
        "pixels averaged": Mistake(
            experiment, "feature_reconstruction_error", lambda x, made: torch.nn.functional.mse_loss(made, x).expand(len(x))
        ),
    },
)
