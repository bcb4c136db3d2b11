"""Points of every fitted Gaussian have its law, in the order of the divergences."""

import torch
from matplotlib.figure import Figure as Canvas

from practice_torch.experiments.foundations.f_divergence import ROWS, GaussianFits
from tests.support.samplers import built, normal_cdf, require_law


def draws_points_of_every_fit():
    experiment, drawn = built("foundations/f_divergence"), []
    experiment.mean.copy_(torch.arange(len(ROWS)))
    experiment.log_std.copy_(torch.linspace(-1, 0.5, len(ROWS)))
    axes = Canvas().subplots()
    axes.violinplot = lambda points, **how: drawn.extend(points)
    experiment.sample(1000)["points"].draw(axes)
    assert len(drawn) == len(ROWS) == len(axes.get_yticks())
    for points, mean, log_std in zip(drawn, experiment.mean, experiment.log_std, strict=True):
        require_law(torch.tensor(points), normal_cdf(mean, log_std.exp()))


SAMPLERS = {
    draws_points_of_every_fit: {
        "the logarithm of the deviation": (GaussianFits.sample, "self.log_std.exp()", "self.log_std"),
        "the mean of the first": (GaussianFits.sample, "self.mean[:, None]", "self.mean[:1, None]"),
        "the variance": (GaussianFits.sample, "self.log_std.exp()", "(2 * self.log_std).exp()"),
    }
}
