"""The objective of the experiment latent/factor_vae, by functions with contracts."""

from practice_torch.latent.factor_vae import factor_discriminator_loss, factor_vae_loss, permute_latents
from practice_torch.latent.vae import kl_to_standard_normal
from tests.latent.objective_vae import parts_of_the_bound
from tests.support.objectives import Objective, uniform


def factors(e, batch, phase):
    """The autoencoder is penalized by the discriminator's logit; the discriminator separates codes from shuffled codes."""
    log_likelihood, mean, log_var, z = parts_of_the_bound(e, batch)
    if phase == "train":
        rate = kl_to_standard_normal(mean, log_var)
        return factor_vae_loss(-log_likelihood, rate, e.discriminator(z).flatten(), gamma=e.recipe.gamma).mean()
    shuffled = permute_latents(z, uniform(e, *z.shape[::-1]).argsort(1))
    return factor_discriminator_loss(*(e.discriminator(codes.detach()).flatten() for codes in (z, shuffled))).mean()


OBJECTIVE = Objective(factors, unread={"samples", "discriminator_learning_rate"}, sizes=dict(discriminator_dims=(9, 8)))
