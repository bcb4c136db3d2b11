"""The objective of the experiment adversarial/super_resolution, by functions with contracts."""

from torch.nn import functional

from practice_torch.adversarial.gan import discriminator_loss, non_saturating_generator_loss
from practice_torch.experiments.adversarial import super_resolution as experiment
from tests.support.objectives import Mistake, Objective


def super_resolution(e, batch, phase):
    image = batch["image"]
    real = 2 * image - 1
    rows, columns = (side // e.recipe.factor for side in image.shape[2:])
    made = e.generator_network(functional.adaptive_avg_pool2d(real, (rows, columns)))
    if phase == "discriminator":
        return discriminator_loss(e.discriminator(real), e.discriminator(made.detach())).mean()
    content = functional.mse_loss(made, real)
    if e.place.stage == "squared_error":
        return content
    return content + e.recipe.adversarial_weight * non_saturating_generator_loss(e.discriminator(made)).mean()


def _away(features, target, logits, *, adversarial_weight):
    return experiment_loss(features, target, -logits, adversarial_weight=adversarial_weight)


def _without_weight(features, target, logits, *, adversarial_weight):
    return experiment_loss(features, target, logits, adversarial_weight=1.0 if adversarial_weight else 0.0)


experiment_loss = experiment.perceptual_generator_loss
GAME = {"squared_error_share": 0.0}
MISTAKES = {
    "towards what the discriminator finds": Mistake(experiment, "perceptual_generator_loss", _away, GAME),
    "the weight left out": Mistake(experiment, "perceptual_generator_loss", _without_weight, GAME),
    "every second pixel for the mean of a block": Mistake(
        experiment, "avg_pool2d", lambda images, factor: images[:, :, ::factor, ::factor], GAME
    ),
}
OBJECTIVE = Objective(super_resolution, draws=False, mistakes=MISTAKES, together=[GAME])
