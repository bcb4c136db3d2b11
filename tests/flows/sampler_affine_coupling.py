"""Points and images of Real NVP: the network itself finds the normal noise in its points; images and sounds are written out."""

import torch

from practice_torch.experiments.flows.affine_coupling import SpectraFlow
from practice_torch.experiments.training import flows
from practice_torch.experiments.training.flows import PixelFlow, PointFlow
from practice_torch.experiments.training.multiscale_flow import Cooling, MultiscaleFlow
from practice_torch.flows.affine_coupling import RealNVP
from tests.support.data.spectra import doubles, require_sounds
from tests.support.samplers import built, moved, normal_cdf, require_law, require_same, shown


def draws_points_whose_noise_is_normal():
    experiment = moved(built("flows/affine_coupling", "two_moons"))
    (points,), _ = shown(experiment.sample(2000)["points"])
    noise = experiment.network(points.float())[0]
    require_law(noise, normal_cdf(0.0, 1.0))
    require_same(noise, torch.special.ndtri(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))))


def draws_images_of_noise():
    """By both maps to pixels, with and without logits; values are rounded down to five levels."""
    for alpha in (0.0, 0.2):
        experiment = moved(built("flows/affine_coupling", "digits", num_levels=5, alpha=alpha))
        drawn = experiment.sample(3)["samples"].images
        uniforms = torch.rand(3, 64, generator=torch.Generator().manual_seed(0))
        y = experiment.network.inverse(torch.special.ndtri(uniforms))[0].view(3, 1, 8, 8)
        y = (y.sigmoid() - alpha / 2) / (1 - alpha) if alpha else y + 0.5
        require_same(drawn, (5 * y).floor().clamp(0, 4) / 4)


def draws_images_of_cooled_noise():
    """With two scales; temperatures multiply the noise."""
    experiment = moved(built("flows/affine_coupling", "digits_two_scales", num_levels=5, alpha=0.2))
    experiment.sampling = Cooling(temperature=0.6)
    drawn = experiment.sample(3)["samples"].images
    noise = 0.6 * torch.special.ndtri(torch.rand(3, 64, generator=torch.Generator().manual_seed(0)))
    y = (experiment.network.inverse(noise)[0].view(3, 1, 8, 8).sigmoid() - 0.1) / 0.8
    require_same(drawn, (5 * y).floor().clamp(0, 4) / 4)


def plays_the_spectra_that_it_draws():
    with doubles():
        experiment = moved(built("flows/affine_coupling", "notes"))
        found, generator = experiment.sample(3), torch.Generator().manual_seed(0)
        torch.rand(3, 64, generator=generator)
        require_sounds(found["sounds"].samples, found["samples"].images, experiment.recipe, generator)


SAMPLERS = {
    draws_points_whose_noise_is_normal: {
        "the way to the noise": (PointFlow._picture, "self.network.inverse(", "self.network("),
        "uniform noise": (flows.Base.draw, "return self._from_uniforms(", "return ("),
        "layers in the wrong order": (RealNVP.inverse, "reversed(", "("),
    },
    draws_images_of_noise: {
        "logits taken for pixels": (PixelFlow.images, "logit_inverse(y, alpha=alpha)[0] if alpha else ", ""),
        "another alpha": (PixelFlow.images, "alpha=alpha)[0]", "alpha=alpha / 2)[0]"),
        "pixels around 0": (PixelFlow.images, "y + 1 / 2", "y"),
        "levels in 0..1 left out": (PixelFlow.images, " / (levels - 1)", " / levels"),
        "images of half of the noise": (PixelFlow.sample, "self.noise(len(rows))", "self.noise(len(rows)) / 2"),
    },
    draws_images_of_cooled_noise: {
        "no temperature": (MultiscaleFlow.sample, "temperature * self.noise", "self.noise"),
        "divided by it": (MultiscaleFlow.sample, "temperature * self.noise(count)", "self.noise(count) / temperature"),
    },
    plays_the_spectra_that_it_draws: {"sounds of others": (SpectraFlow.sample, "images,", "images.flip(0),")},
}
