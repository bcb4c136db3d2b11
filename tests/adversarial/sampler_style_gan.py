"""A synthesis that shows its code, or its noise, shows normal draws; of truncated codes, a narrower law."""

import torch

from practice_torch.experiments.adversarial.style_gan import StyleGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def _showing(function, seed=0):
    """Images of 8 x 8, the values of (codes, noise) -> [B, 64] as pixels in -1..1."""
    experiment = built("adversarial/style_gan", "digits", latent=64, psi=0.5)
    experiment.generator.manual_seed(seed)
    experiment.mapping = Network(lambda z: 1 + 2 * z)
    experiment.synthesis = Network(lambda codes, noise: torch.tanh(function(codes, noise) / 3).view(-1, 1, 8, 8))
    experiment.synthesis.num_codes, experiment.synthesis.noise_size = 4, 64
    found = experiment.sample(60)
    return [3 * torch.atanh(2 * found[name].images.double() - 1) for name in ("fakes", "typical")]


def shows_codes_as_they_are_and_truncated():
    """The codes are 1 + 2 z: the mean code is 1, and psi = 1/2 halves the deviation."""
    fakes, typical = _showing(lambda codes, noise: codes[:, 3])
    require_law(fakes, normal_cdf(1.0, 2.0))
    require_law(typical, normal_cdf(1.0, 1.0))


def draws_normal_noise_one_for_all():
    found = [image for seed in range(5) for image in _showing(lambda codes, noise: noise, seed)]
    for images in found:
        require_same(images, images[:1].expand_as(images))
    require_law(torch.cat([images[0] for images in found]), normal_cdf(0.0, 1.0))


SAMPLERS = {
    shows_codes_as_they_are_and_truncated: {
        "uniform latents": (StyleGan._normal, "torch.randn(", "torch.rand("),
        "pixels in -1..1": (StyleGan._shown, "low=0.0,", "low=-1.0,"),
        "not truncated": (StyleGan.sample, "self._shown(count, self.recipe.psi)", "self._shown(count, 1.0)"),
        "towards zero": (StyleGan._shown, ".mean(dim=0)", ".mean(dim=0) * 0"),
    },
    draws_normal_noise_one_for_all: {
        "noise of another width": (StyleGan._shown, "noise = self._normal(", "noise = 2 * self._normal("),
        "noise for each": (StyleGan._shown, "noise.expand(len(rows), -1)", "self._normal(len(rows), noise.shape[1])"),
    },
}
