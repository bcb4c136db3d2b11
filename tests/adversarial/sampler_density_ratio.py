"""Points of the nearest pair of laws: the log-ratios that a figure shows have the law of those of two Gaussians."""

import torch

from practice_torch.experiments.adversarial.density_ratio import RatioExperiment
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def draws_points_of_both_laws():
    """Each axis of p is N(mean, s^2), of q N(0, 1); half of the points are of each."""
    experiment = built("adversarial/density_ratio")
    points_p, points_q = experiment._draws(1500)
    deviation = float(torch.exp(experiment.log_var / 2).flatten()[0])
    assert len(points_p) == len(experiment.means)
    for mean, points in zip(experiment.means, points_p, strict=True):
        require_law(points - mean, normal_cdf(0.0, deviation))
    require_law(points_q, normal_cdf(0.0, 1.0))


def shows_the_log_ratios_of_the_points():
    """The true ones against a classifier's, with logits corrected for its share of p."""
    experiment = built("adversarial/density_ratio", share=0.25, batch_size=32)
    seen = []
    experiment.classifiers[0] = Network(lambda points: seen.append(points) or points)
    (ratios,), _ = shown(experiment.sample(300)["log_ratio"])
    (points,), mean = seen, experiment.means[0]
    law_p = torch.distributions.Normal(mean, torch.exp(experiment.log_var / 2))
    law_q = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    true = (law_p.log_prob(points) - law_q.log_prob(points)).sum(1)
    assert len(points) == 600
    require_law(points[:300] - mean, normal_cdf(0.0, float(torch.exp(experiment.log_var / 2).flatten()[0])))
    require_law(points[300:], normal_cdf(0.0, 1.0))
    require_same(ratios, torch.stack([true, points[:, 0] + torch.tensor(3.0).log()], 1))


SAMPLERS = {
    draws_points_of_both_laws: {
        "the variance for the deviation": (RatioExperiment._draws, "torch.exp(self.log_var / 2)", "torch.exp(self.log_var)"),
        "one law for both": (RatioExperiment._draws, "noise[0], noise[1]", "noise[0], 2 * noise[1]"),
        "means left out": (RatioExperiment._draws, "self.means[:, None] +", "0 * self.means[:, None] +"),
    },
    shows_the_log_ratios_of_the_points: {
        "points of p alone": (RatioExperiment.sample, "[points_p[0], points_q]", "[points_p[0], points_p[0]]"),
        "the farthest pair": (RatioExperiment.sample, "self._true_log_ratio(0,", "self._true_log_ratio(-1,"),
        "the ratio turned over": (RatioExperiment._true_log_ratio, "return log_p - ", "return -log_p + "),
        "odds left out": (RatioExperiment._log_ratio, "log_prior_odds=odds", "log_prior_odds=0.0"),
        "axes exchanged": (RatioExperiment.sample, "_draw_ratios, true, learned", "_draw_ratios, learned, true"),
    },
}
