"""The objective of the experiment adversarial/progressive_growing, by functions with contracts."""

import torch

from practice_torch.adversarial.gradient_penalty import gradient_penalty, interpolate
from practice_torch.adversarial.progressive_growing import fade_in, growth_schedule
from practice_torch.engine.stages import place_at
from practice_torch.experiments.adversarial import progressive_growing as experiment
from tests.support.objectives import Mistake, Objective, normal, uniform


def growth(e):
    """The level and its alpha in the middle of a step, by the topic's schedule of half-steps."""
    each, stages = e.recipe.steps // (e.recipe.doublings + 1), e.recipe.stages()
    step = next(step for step in range(e.recipe.steps + 1) if place_at(stages, step) == e.place)
    half_steps = torch.tensor([2 * min(step, e.recipe.steps - 1) + 1])
    level, alpha = growth_schedule(half_steps, stage_steps=2 * each, fade_steps=max(1, round(2 * each * e.recipe.fade)))
    return int(level), float(alpha)


def halved(images):
    return images.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5))


def at_the_size_of_the_stage(e, images, level, alpha):
    for _ in range(e.recipe.doublings - level):
        images = halved(images)
    return fade_in(halved(images), images, alpha=alpha) if level else images


def growing(e, batch, phase):
    level, alpha = growth(e)
    real = at_the_size_of_the_stage(e, 2 * batch["image"] - 1, level, alpha)
    fakes = e.generator_network(normal(e, len(real), e.recipe.latent), level, alpha)

    def scores(x):
        return e.critic(x.view(-1, *real.shape[1:]), level, alpha)

    if phase == "generator":
        return -scores(fakes).mean()
    fakes = fakes.detach()
    drift = scores(real).square().mean()
    between = interpolate(real, fakes, uniform(e, len(real)))
    penalties = gradient_penalty(between.flatten(1), scores)
    loss = scores(fakes).mean() - scores(real).mean() + e.recipe.penalty_weight * penalties.mean()
    return loss + e.recipe.drift * drift


MISTAKES = {
    "real images are not faded": Mistake(experiment, "fade_in", lambda low, high, *, alpha: high, {"fade": 1.0}),
    "no stage is faded in": Mistake(
        experiment.GrowingGan, "_growth", lambda e: (int(e.place.stage == "full"), 1.0), {"fade": 1.0}
    ),
}
OBJECTIVE = Objective(growing, unread={"fakes", "generator_rate"}, sizes=dict(doublings=1, most_channels=12), mistakes=MISTAKES)
