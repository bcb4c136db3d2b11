"""The objective of the experiment adversarial/dcgan, by functions with contracts."""

from practice_torch.adversarial.gan import discriminator_loss
from practice_torch.experiments.training import adversarial_game
from practice_torch.foundations.maximum_likelihood import categorical_negative_log_likelihood
from tests.adversarial.objective_gan import game
from tests.support.objectives import Mistake, Objective, normal


def dcgan(e, batch, phase):
    if phase == "classifier":
        return categorical_negative_log_likelihood(batch["label"], e.classifier(batch["image"].flatten(1))).mean()
    fakes = e.generator_network(normal(e, len(batch["image"]), e.recipe.latent))
    return game(e, 2 * batch["image"] - 1, fakes, e.discriminator, phase)


MISTAKES = {
    "labels not smoothed": Mistake(
        adversarial_game,
        "discriminator_loss",
        lambda real, fake, *, real_target: discriminator_loss(real, fake, real_target=1.0),
        dict(real_target=0.9),
    )
}
OBJECTIVE = Objective(dcgan, unread={"fakes"}, mistakes=MISTAKES)
