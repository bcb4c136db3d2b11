"""The objective of the experiment adversarial/gan, by functions with contracts."""

from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from practice_torch.experiments.training import adversarial_game
from tests.support.objectives import Mistake, Objective, normal


def game(e, real, fakes, logits, phase):
    if phase == "discriminator":
        return discriminator_loss(logits(real), logits(fakes.detach()), real_target=e.recipe.real_target).mean()
    minimax = e.recipe.generator_loss == "minimax"
    return (minimax_generator_loss if minimax else non_saturating_generator_loss)(logits(fakes)).mean()


def gan(e, batch, phase):
    fakes = e.generator_network(normal(e, len(batch["point"]), e.recipe.noise))
    return game(e, batch["point"], fakes, lambda x: e.discriminator(x)[:, 0], phase)


MISTAKES = {
    "minimax for non-saturating": Mistake(
        adversarial_game, "GENERATOR_LOSSES", dict.fromkeys(("non_saturating", "minimax"), minimax_generator_loss)
    )
}
OBJECTIVE = Objective(gan, unread={"points", "radius"}, mistakes=MISTAKES)
