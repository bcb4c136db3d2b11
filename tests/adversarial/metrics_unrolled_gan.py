"""Modes that the fakes of an unrolled game cover, by loops; the discriminator's scores place by place."""

from tests.adversarial.metrics_gan import plane
from tests.adversarial.metrics_gradient_penalty import fakes, scores
from tests.support.judged import covered

FLOAT32 = True
NAMES = ("eight_gaussians",)
FIELDS = {"eight_gaussians": {"radius": 2.0}}
COUNT = 40  # of few fakes each would be a quarter of a mode's share


def evaluate(e, data):
    return covered(fakes(e, len(data)), data.description["mixture"], e.recipe.radius)


def preview(e, data):
    real = data.batch()["point"]
    made = fakes(e, 2000)
    field = plane(real, lambda points: scores(e, points))
    return {"points": [("contour", *field, {"levels": 20}), ("scatter", *real.T), ("scatter", *made.T)]}
