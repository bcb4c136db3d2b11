"""Growing fakes: real images halved one time after another, slopes by autograd, Frechet distances by eigenvalues."""

import torch

from tests.adversarial.objective_progressive_growing import at_the_size_of_the_stage, growth
from tests.support.judged import Judge
from tests.support.metrics import mean, noise

FLOAT32 = True
NAMES = ("digits",)
FIELDS = {"digits": {"fakes": 20, "fade": 1.0}}


def fakes(e, count):
    return e.generator_network(noise(e, count, e.recipe.latent), *growth(e))


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    level, alpha = growth(e)
    real = at_the_size_of_the_stage(e, 2 * batch["image"] - 1, level, alpha)
    made = fakes(e, len(real)).detach()

    def scores(x):
        return e.critic(x, level, alpha)

    estimate = mean(scores(real)) - mean(scores(made))
    shares = torch.rand(len(real), generator=e.generator).view(-1, 1, 1, 1)
    with torch.enable_grad():
        between = (shares * real + (1 - shares) * made).requires_grad_()
        (slopes,) = torch.autograd.grad(scores(between).sum(), between)
    return {"estimate": estimate, "penalty": mean([(float(slope.norm()) - 1) ** 2 for slope in slopes])}


def evaluate(e, data):
    held_out = data.batch()["image"]
    return {"frechet_distance": Judge(held_out).frechet_distance(shown(e, e.recipe.fakes), held_out)}


def shown(e, count):
    images = ((fakes(e, count) + 1) / 2).clamp(0, 1)
    times = 2 ** (e.recipe.doublings - growth(e)[0])
    return images.repeat_interleave(times, 2).repeat_interleave(times, 3)


def preview(e, data):
    return {"fakes": shown(e, 64)}
