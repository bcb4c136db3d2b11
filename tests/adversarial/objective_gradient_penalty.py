"""The objective of the experiment adversarial/gradient_penalty, by functions with contracts."""

from practice_torch.adversarial.gradient_penalty import gradient_penalty, interpolate, one_sided_gradient_penalty
from tests.support.objectives import Objective, normal, uniform


def wasserstein(e, batch, phase):
    real = batch["point"] if "point" in batch else 2 * batch["image"] - 1
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))

    def scores(x):
        return e.critic(x).flatten()

    if phase == "generator":
        return -scores(fakes).mean()
    fakes = fakes.detach()
    between = interpolate(real, fakes, uniform(e, len(real)))
    penalty = gradient_penalty if e.recipe.penalty == "two_sided" else one_sided_gradient_penalty
    penalties = penalty(between.flatten(1), lambda rows: scores(rows.view(real.shape)))
    return scores(fakes).mean() - scores(real).mean() + e.recipe.penalty_weight * penalties.mean()


OBJECTIVE = Objective(wasserstein, unread={"points", "radius", "compared", "fakes", "generator_rate"})
