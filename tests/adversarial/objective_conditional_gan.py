"""The objective of the experiment adversarial/conditional_gan, by functions with contracts."""

import torch

from practice_torch.adversarial.conditional_gan import projection_logit
from tests.adversarial.objective_dcgan import dcgan
from tests.adversarial.objective_gan import game
from tests.support.objectives import Objective, normal


def conditional_gan(e, batch, phase):
    """Real and fake pairs have the same classes."""
    if phase == "classifier":
        return dcgan(e, batch, phase)
    labels = batch["label"]
    condition = torch.nn.functional.one_hot(labels, e.classes).to(batch["image"].dtype)
    fakes = e.generator_network(torch.cat([normal(e, len(labels), e.recipe.latent), condition], dim=1))

    def logits(images):
        last = e.discriminator.layers[-1]
        embedding = e.discriminator.class_embedding
        return projection_logit(e.discriminator.features(images), labels, embedding, last.weight[0], last.bias[0])

    return game(e, 2 * batch["image"] - 1, fakes, logits, phase)


OBJECTIVE = Objective(conditional_gan, unread={"fakes"}, sizes=dict(fakes=10))
