"""Codes are drawn with the mean and the covariance that the moving averages hold; images are what the decoder makes of them."""

import torch

from practice_torch.experiments.latent.autoencoder import AutoencoderExperiment
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_codes_with_the_moments_of_real_ones():
    """Of two correlated codes, which the decoder shows in the first two pixels."""
    experiment = built("latent/autoencoder", latent_dim=2)
    mean, covariance = torch.tensor([0.3, -1.0]), torch.tensor([[4.0, 1.2], [1.2, 0.5]])
    experiment.mean.copy_(mean)
    experiment.second_moments.copy_((covariance + torch.outer(mean, mean)).flatten())
    experiment.decoder = Network(lambda codes: torch.cat([codes, torch.zeros(len(codes), 62)], 1))
    codes = experiment.sample(400)["gaussian_codes"].images.flatten(1)[:, :2].double()
    for k in range(2):
        require_law(codes[:, k], normal_cdf(float(mean[k]), float(covariance[k, k]) ** 0.5))
    slope = 1.2 / 0.5  # of the first, given the second
    require_law(codes[:, 0] - slope * (codes[:, 1] + 1.0), normal_cdf(0.3, (4.0 - slope * 1.2) ** 0.5))


def shows_images_above_those_of_their_codes():
    """With networks that turn images upside down, and back without their left half; the third row has principal components."""
    experiment = built("latent/autoencoder", latent_dim=64)
    image = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    half = torch.arange(64) % 8 >= 4
    experiment.encoder, experiment.decoder = Network(lambda x: 1 - x), Network(lambda x: (1 - x) * half)
    found = experiment.preview(_Data(image))["reconstructions"]
    require_same(found.images, torch.cat([image[:10], image[:10] * half.view(8, 8), image[:10]]))
    assert found.columns == 10


class _Data:
    def __init__(self, image):
        self.image = image

    def __len__(self):
        return len(self.image)

    def batch(self, rows):
        return {"image": self.image[rows]}


SAMPLERS = {
    draws_codes_with_the_moments_of_real_ones: {
        "uniform noise": (AutoencoderExperiment.sample, "torch.randn(", "torch.rand("),
        "variances for deviations": (AutoencoderExperiment.sample, ".clamp(min=0).sqrt()", ".clamp(min=0)"),
        "the second moments for a covariance": (
            AutoencoderExperiment.sample,
            "second - torch.outer(self.mean, self.mean)",
            "second",
        ),
        "no mean": (AutoencoderExperiment.sample, "self.mean + (noise", "(noise"),
        "axes turned": (AutoencoderExperiment.sample, "axes.mT", "axes.mT.flip(0)"),
    },
    shows_images_above_those_of_their_codes: {
        "reconstructions above": (
            AutoencoderExperiment.preview,
            "(x, self.decoder(codes), best)",
            "(self.decoder(codes), x, best)",
        ),
        "by the linear one": (AutoencoderExperiment.preview, "self.decoder(codes)", "self._linear(x)"),
    },
}
