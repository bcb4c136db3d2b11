"""Images of a decoder that shows its noise have the law of the noise, and held-out images are above those of their codes."""

import torch

from practice_torch.experiments.latent.vae_gan import AdversarialAutoencoder, VaeGan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_what_the_decoder_makes_of_the_prior():
    for recipe in ("digits", "digits_vae_gan"):
        experiment = built("latent/vae_gan", recipe, latent_dim=64)
        experiment.decoder = _shows(0.5)
        images = experiment.sample(60)["fakes"].images
        require_law(torch.atanh(2 * images.double() - 1), normal_cdf(0.0, 0.5))


def shows_images_above_those_of_their_codes():
    """An encoder that turns images upside down; of a VAE-GAN the mean is shown."""
    image = 0.1 + 0.8 * torch.rand(4, 1, 8, 8)
    for recipe, encode in (("digits", lambda x: -x), ("digits_vae_gan", lambda x: torch.cat([-x, 0 * x], 1))):
        experiment = built("latent/vae_gan", recipe, latent_dim=64)
        experiment.decoder, experiment.encoder = _shows(1.0), Network(encode)
        found = experiment.preview(_Data(image))
        require_same(found["reconstructions"].images, torch.cat([image, (1 - torch.tanh(2 * image - 1)) / 2]))
        assert found["reconstructions"].columns == 4


def _shows(scale):
    """A decoder of one layer, as the experiment reads the device from its first."""
    layer = torch.nn.Linear(64, 64, bias=False)
    layer.weight.data = scale * torch.eye(64)
    return torch.nn.Sequential(layer)


class _Data:
    def __init__(self, image):
        self.image = image

    def __len__(self):
        return len(self.image)

    def batch(self, rows):
        return {"image": self.image[rows]}


SAMPLERS = {
    draws_what_the_decoder_makes_of_the_prior: {
        "uniform noise": (AdversarialAutoencoder._noise, "torch.randn(", "torch.rand("),
        "noise half as wide": (AdversarialAutoencoder.sample, "self._noise(count)", "self._noise(count) / 2"),
        "no hyperbolic tangent": (AdversarialAutoencoder._made, "torch.tanh(", "("),
    },
    shows_images_above_those_of_their_codes: {
        "images below": (VaeGan.preview, "[x[:some], self._made(code[:some])]", "[self._made(code[:some]), x[:some]]"),
        "the log-variance for the mean": (VaeGan._code, "[0]", "[1]"),
        "pixels in -1..1": (AdversarialAutoencoder._shown, "low=0.0,", "low=-1.0,"),
    },
}
