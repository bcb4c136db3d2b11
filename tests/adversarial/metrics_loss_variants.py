"""Fakes under other losses: pairs counted one after another, modes by loops, Frechet distances by eigenvalues."""

from tests.adversarial.metrics_gradient_penalty import fakes, inside, scores
from tests.support.judged import Judge, covered
from tests.support.metrics import mean

FLOAT32 = True
NAMES = ("eight_gaussians", "digits")
FIELDS = {"eight_gaussians": {"radius": 2.0}, "digits": {"fakes": 20}}
COUNT = 40  # of few fakes each would be a quarter of a mode's share


def logs(e, batch, phase):
    if phase == "generator":
        return {}
    real = inside(batch)
    return {"real": mean(scores(e, real)), "fake": mean(scores(e, fakes(e, len(real))))}


def evaluate(e, data):
    real = inside(data.batch())
    high, low = scores(e, real).tolist(), scores(e, fakes(e, len(real))).tolist()
    found = {"told_apart": mean([r > f for r in high for f in low])}
    if "image" in data.batch():
        held_out = data.batch()["image"]
        return found | {"frechet_distance": Judge(held_out).frechet_distance((fakes(e, e.recipe.fakes) + 1) / 2, held_out)}
    return found | covered(fakes(e, len(data)), data.description["mixture"], e.recipe.radius)
