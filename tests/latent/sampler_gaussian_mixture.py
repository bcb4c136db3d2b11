"""Draws of a known mixture of Gaussians: along every axis they have its law, in the plane and as images of components."""

import torch

from practice_torch.experiments.latent.gaussian_mixture import ImageMixtureExperiment, MixtureExperiment
from tests.support.known_laws import Mixture
from tests.support.samplers import built, require_law, require_same, shown

WEIGHTS, MEANS = (0.2, 0.8), ((-1.0, 0.5), (1.0, 0.0))
FACTORS = ([[0.5, 0.0], [0.3, 0.4]], [[0.2, 0.0], [-0.6, 0.8]])  # of the covariances: rows have deviations .5, .5 and .2, 1


def _mixture(experiment):
    parts = torch.tensor(WEIGHTS).log(), torch.tensor(MEANS), torch.tensor(FACTORS)
    for name, part in zip(("log_weights", "means", "factors"), parts, strict=True):
        experiment.register_buffer(name, part.double())
    return experiment


def _require_mixture(points):
    """Also along the diagonals, where the covariances show."""
    for axis in ((1.0, 0.0), (0.0, 1.0), (0.6, 0.8), (0.6, -0.8)):
        along = torch.tensor(axis).double()
        means = tuple((torch.tensor(MEANS).double() @ along).tolist())
        stds = tuple((torch.tensor(FACTORS).double().mT @ along).norm(dim=1).tolist())
        require_law(points.double() @ along, Mixture(WEIGHTS, means, stds).cdf)


def draws_points_of_the_mixture():
    experiment = _mixture(built("latent/gaussian_mixture", "eight_gaussians"))
    (points,), _ = shown(experiment.sample(3000)["draws"])
    _require_mixture(points)


def draws_images_of_the_mixture():
    """Of two axes and a center: the points are found again in the images."""
    experiment = _mixture(built("latent/gaussian_mixture", "digits", dimensions=2))
    axes = torch.linalg.qr(torch.randn(64, 2, generator=torch.Generator().manual_seed(1)))[0] / 20
    experiment.register_buffer("axes", axes)
    experiment.register_buffer("center", torch.full((64,), 0.5))
    images = experiment.sample(2000)["draws"].images.flatten(1)
    points = (images - 0.5) @ axes * 400
    _require_mixture(points)
    require_same(0.5 + points @ axes.mT, images)


SAMPLERS = {
    draws_points_of_the_mixture: {
        "one component": (MixtureExperiment.drawn, "(uniforms, noise,", "(0 * uniforms, noise,"),
        "noise half as wide": (MixtureExperiment.drawn, "(uniforms, noise,", "(uniforms, noise / 2,"),
        "uniforms squared": (MixtureExperiment.drawn, "(uniforms, noise,", "(uniforms.square(), noise,"),
        "the first axis for both": (MixtureExperiment.drawn, ".float()", ".float()[:, [0, 0]]"),
    },
    draws_images_of_the_mixture: {
        "without the center": (ImageMixtureExperiment._images, "(self.center + points", "(0 * self.center + points"),
        "axes exchanged": (ImageMixtureExperiment._images, "self.axes.mT", "self.axes.flip(1).mT"),
    },
}
