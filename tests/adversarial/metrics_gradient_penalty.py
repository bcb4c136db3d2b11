"""Critics: transport by trying every matching, slopes by automatic differentiation of one example after another."""

import itertools

import torch

from tests.adversarial.metrics_gan import plane
from tests.support.judged import Judge, covered
from tests.support.metrics import mean, noise

FLOAT32 = True
NAMES = ("eight_gaussians", "digits")
FIELDS = {"digits": {"fakes": 20}}


def inside(batch):
    return batch["point"] if "point" in batch else 2 * batch["image"] - 1


def fakes(e, count):
    return e.generator_network(noise(e, count, e.recipe.noise))


def scores(e, x):
    return e.critic(x).flatten()


def slopes(e, real, made):
    """The length of the critic's gradient at a random place between each real and fake example."""
    found = []
    for x, y, share in zip(real, made, torch.rand(len(real), generator=e.generator), strict=True):
        with torch.enable_grad():
            place = (share * x + (1 - share) * y).detach()[None].requires_grad_()
            found.append(float(torch.autograd.grad(scores(e, place).sum(), place)[0].norm()))
    return found


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    real = inside(batch)
    made = fakes(e, len(real)).detach()
    beyond = [slope - 1 if e.recipe.penalty == "two_sided" else max(slope - 1, 0.0) for slope in slopes(e, real, made)]
    return {"estimate": mean(scores(e, real)) - mean(scores(e, made)), "penalty": mean([each**2 for each in beyond])}


def transport(x, y):
    """The mean cost of the cheapest matching."""
    orders = itertools.permutations(range(len(y)))
    return min(mean([(a - y[k]).norm() for a, k in zip(x, order, strict=True)]) for order in orders)


def evaluate(e, data):
    real = inside(data.batch())
    made, half = fakes(e, len(real)), len(real) // 2
    pairs = [(real[:half], made[:half]), (real[half:], made[half:])]
    found = {
        "estimate": mean([mean(scores(e, x)) - mean(scores(e, y)) for x, y in pairs]),
        "transport": mean([transport(x, y) for x, y in pairs]),
        "transport_of_data": transport(real[:half], real[half:]),
        "slope": mean(slopes(e, real, made)),
    }
    if "image" in data.batch():
        shown, held_out = (fakes(e, e.recipe.fakes) + 1) / 2, data.batch()["image"]
        return found | {"frechet_distance": Judge(held_out).frechet_distance(shown, held_out)}
    return found | covered(fakes(e, len(data)), data.description["mixture"], e.recipe.radius)


def preview(e, data):
    if "image" in data.batch():
        return {}
    real = data.batch()["point"]
    made = fakes(e, 2000)
    field = plane(real, lambda points: scores(e, points))
    return {"points": [("contour", *field, {"levels": 20}), ("scatter", *real.T), ("scatter", *made.T)]}
