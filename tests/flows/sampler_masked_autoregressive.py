"""Points and images of a masked autoregressive flow: the network itself finds its normal noise in them."""

import torch

from practice_torch.experiments.training.flows import PixelFlow, PointFlow
from practice_torch.flows.masked_autoregressive import MAF
from tests.support.samplers import built, moved, normal_cdf, require_law, require_same, shown


def draws_points_of_the_noise():
    experiment = moved(built("flows/masked_autoregressive", "two_moons"))
    (points,), _ = shown(experiment.sample(2000)["points"])
    noise = experiment.network(points.float())[0]
    require_law(noise, normal_cdf(0.0, 1.0))
    require_same(noise, torch.special.ndtri(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))))


def draws_images_of_the_noise():
    experiment = moved(built("flows/masked_autoregressive", "digits", num_levels=5, alpha=0.0))
    noise = torch.special.ndtri(torch.rand(3, 64, generator=torch.Generator().manual_seed(0)))
    x = experiment.network.inverse(noise)[0]
    require_same(experiment.network(x)[0], noise)
    require_same(experiment.sample(3)["samples"].images.flatten(1), (5 * (x + 0.5)).floor().clamp(0, 4) / 4)


SAMPLERS = {
    draws_points_of_the_noise: {
        "the way to the noise": (PointFlow._picture, "self.network.inverse(", "self.network("),
        "layers in the order of the way to the noise": (MAF.inverse, "reversed(self.networks)", "self.networks"),
        "entries in one order": (MAF.inverse, "z.flip(1)", "z"),
        "noise twice as wide": (PointFlow._picture, "self.base.draw(count, size", "2 * self.base.draw(count, size"),
    },
    draws_images_of_the_noise: {"the way to the noise": (PixelFlow.images, "self.network.inverse(", "self.network(")},
}
