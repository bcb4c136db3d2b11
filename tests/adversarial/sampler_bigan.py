"""Images of a generator that shows its noise, and held-out images above the generator's images of their codes."""

import torch

from practice_torch.experiments.adversarial.bigan import Bigan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_what_the_generator_makes_of_normal_noise():
    experiment = built("adversarial/bigan", "digits", latent=64)
    experiment.generator_network = Network(lambda z: z / 2)
    images = experiment.sample(60)["fakes"].images
    require_law(torch.atanh(2 * images.double() - 1), normal_cdf(0.0, 0.5))


def shows_images_above_those_of_their_codes():
    """An encoder that turns images upside down."""
    experiment, image = built("adversarial/bigan", "digits", latent=64), torch.rand(4, 1, 8, 8)
    experiment.generator_network, experiment.encoder = Network(lambda z: z), Network(lambda x: -x)
    found = experiment.preview(_Data(image))
    require_same(found["reconstructions"].images, torch.cat([image, (1 - torch.tanh(2 * image - 1)) / 2]))
    assert found["reconstructions"].columns == 4
    require_law(torch.atanh(2 * found["fakes"].images.double() - 1), normal_cdf(0.0, 1.0))


class _Data:
    def __init__(self, image):
        self.image = image

    def __len__(self):
        return len(self.image)

    def batch(self, rows):
        return {"image": self.image[rows]}


SAMPLERS = {
    draws_what_the_generator_makes_of_normal_noise: {
        "uniform noise": (Bigan._noise, "torch.randn(", "torch.rand("),
        "noise half as wide": (Bigan.sample, "self._noise(count)", "self._noise(count) / 2"),
        "no hyperbolic tangent": (Bigan._made, "torch.tanh(", "("),
    },
    shows_images_above_those_of_their_codes: {
        "images below": (Bigan.preview, "[x, self._made(self.encoder(x))]", "[self._made(self.encoder(x)), x]"),
        "of fresh noise": (Bigan.preview, "self.encoder(x)", "self._noise(len(x))"),
        "pixels in -1..1": (Bigan._shown, "low=0.0,", "low=-1.0,"),
    },
}
