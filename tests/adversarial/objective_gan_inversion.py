"""The objective of the experiment adversarial/gan_inversion, by functions with contracts."""

from tests.adversarial.objective_gan import game
from tests.support.objectives import Objective, normal


def inversion(e, batch, phase):
    code = normal(e, len(batch["image"]), e.recipe.latent)
    images = e.generator_network(code)
    if phase == "encoder":
        return (e.encoder(images.flatten(1)) - code).square().sum(1).mean()
    return game(e, 2 * batch["image"] - 1, images, e.discriminator, phase)


OBJECTIVE = Objective(inversion, unread={"descent_steps", "descent_rate", "prior_weight", "inverted"})
