"""Points of two Gaussians, half of them of each: the critic's log-ratios against the true ones."""

import torch

from practice_torch.experiments.foundations.variational_divergence import CriticOfGaussians
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, shown


def shows_the_log_ratios_of_points_of_both():
    """A critic that shows the first entry: of the first bound 1 is taken from it, of the other the logarithm of a mean."""
    for name, shift in (("gaussians", 1.0), ("gaussians_donsker_varadhan", 0.7)):
        experiment, seen = built("foundations/variational_divergence", name), []
        experiment.log_normalizer.fill_(0.7)
        experiment.critic = Network(lambda points, seen=seen: seen.append(points) or points)
        (ratios,), _ = shown(experiment.sample(1000)["log_ratio"])
        points = torch.cat(seen)
        of_p, of_q = points.split(1000)
        deviation = torch.exp(experiment.log_var / 2)
        require_law((of_p - experiment.mean) / deviation, normal_cdf(0.0, 1.0))
        require_law(of_q, normal_cdf(0.0, 1.0))
        laws = torch.distributions.Normal(experiment.mean, deviation), torch.distributions.Normal(0.0, 1.0)
        log_p, log_q = (law.log_prob(points).sum(1) for law in laws)
        require_same(ratios, torch.stack([log_p - log_q, points[:, 0] - shift], 1))


SAMPLERS = {
    shows_the_log_ratios_of_points_of_both: {
        "the variance for the deviation": (CriticOfGaussians._draws, "torch.exp(self.log_var / 2)", "torch.exp(self.log_var)"),
        "one law for both": (CriticOfGaussians._draws, "noise[0], noise[1]", "noise[0], self.mean + noise[1]"),
        "the normalizer left out": (CriticOfGaussians.sample, "critic - self.log_normalizer", "critic"),
        "the ratio turned over": (CriticOfGaussians.sample, "self._log_ratio(x)", "-self._log_ratio(x)"),
        "the other bound": (CriticOfGaussians.sample, '== "nwj"', '!= "nwj"'),
    }
}
