"""Steps with a learned variance: with the exact noise of independent pixels they draw its law; a few steps are written out."""

import torch

from practice_torch.diffusion.parameterizations import x0_from_noise
from practice_torch.diffusion.reverse_process import interpolated_log_variance, posterior_mean
from practice_torch.experiments.diffusion.simple_loss import HybridExperiment
from tests.support.known_laws import LOPSIDED, prediction
from tests.support.samplers import Network, built, require_law, require_same
from tests.support.written_chains import rough


def draws_the_law_of_the_data():
    """Halfway between the two variances, which hardly differ where there are many steps."""
    experiment = built("diffusion/simple_loss", num_steps=100, num_levels=1001)

    def answers(seen, t):
        noise = prediction(LOPSIDED, seen[:, :1], experiment.alpha_bar[t], "noise")
        return torch.cat([noise, torch.zeros_like(noise)], 1)

    experiment.network = Network(answers)
    require_law(2 * experiment.sample(64)["samples"].images - 1, LOPSIDED.cdf)


def draws_values_by_the_chain():
    """Data beyond the range of the pixels are clipped; every pixel has its own variance; the last step adds no noise."""
    experiment = built("diffusion/simple_loss", num_steps=4, num_levels=5)
    experiment.network = Network(lambda seen, t: torch.cat([rough(seen[:, :1], t), torch.sin(seen[:, :1])], 1))
    drawn, generator = experiment.sample(3)["samples"].images, torch.Generator().manual_seed(0)
    x, alpha_bar = torch.randn(3, *experiment.shape, generator=generator), experiment.alpha_bar
    for level in (4, 3, 2, 1):
        t = torch.full((3,), level)
        mean = posterior_mean(x0_from_noise(x, rough(x, t), t, alpha_bar).clamp(-1, 1), x, t, alpha_bar)
        deviation = interpolated_log_variance(torch.sin(x), t, alpha_bar).exp().sqrt() * (level > 1)
        x = mean + deviation * torch.randn(x.shape, generator=generator)
    require_same(drawn, (2 * (x.clamp(-1, 1) + 1)).round() / 4)


SAMPLERS = {
    draws_the_law_of_the_data: {
        "the variance for the deviation": (HybridExperiment.sample, "self.alpha_bar) / 2)", "self.alpha_bar))"),
        "pixels in -1..1": (HybridExperiment.sample, "(x + 1) / 2", "x"),
        "an unfinished chain": (HybridExperiment.sample, "num_steps, 0, -1", "num_steps, 20, -1"),
    },
    draws_values_by_the_chain: {
        "noise in the last step": (HybridExperiment.sample, "if level > 1", "if level > 0"),
        "one variance for all pixels": (HybridExperiment.sample, "(v, t", "(0 * v, t"),
        "data beyond their range": (HybridExperiment._seen, "self._clipped_noise(x, noise_pred.float(), t)", "noise_pred"),
        "the answers exchanged": (HybridExperiment._seen, "noise_pred, v =", "v, noise_pred ="),
    },
}
