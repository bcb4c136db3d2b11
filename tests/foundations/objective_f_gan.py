"""The objective of the experiment foundations/f_gan, by functions with contracts."""

from practice_torch.experiments.foundations import f_gan as experiment
from practice_torch.foundations.f_gan import f_gan_alternative_generator_loss, f_gan_critic_loss, f_gan_generator_loss
from tests.support.objectives import Mistake, Objective, normal


def f_gan(e, batch, phase):
    def value(x):
        return e.critic(x)[:, 0]

    real, how = batch["point"], dict(divergence=e.recipe.divergence, alpha=e.recipe.alpha)
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))
    if phase == "critic":
        return f_gan_critic_loss(value(real), value(fakes.detach()), **how).mean()
    if e.recipe.generator_loss == "consistent":
        return f_gan_generator_loss(value(fakes), **how).mean()
    return f_gan_alternative_generator_loss(value(fakes), **how).mean()


MISTAKES = {
    "the consistent loss for the alternative": Mistake(experiment, "f_gan_alternative_generator_loss", f_gan_generator_loss)
}
OBJECTIVE = Objective(
    f_gan,
    unread={"points"},
    together=[dict(divergence="alpha", alpha=0.5), dict(divergence="alpha", alpha=2.0)],
    mistakes=MISTAKES,
)
