"""Images of a generator that shows its noise, and a column for each class of the first that are recognized as it."""

import torch

from practice_torch.experiments.adversarial.dcgan import Dcgan
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same


def draws_what_the_generator_makes_of_normal_noise():
    """tanh of the noise, in -1..1, as pixels in 0..1."""
    experiment = built("adversarial/dcgan", "digits", latent=64)
    experiment.generator_network = Network(lambda noise: torch.tanh(noise).view(-1, 1, 8, 8))
    images = experiment.sample(60)["fakes"].images
    require_law(torch.atanh(2 * images.double() - 1), normal_cdf(0.0, 1.0))


def shows_the_first_of_each_class():
    """A classifier that calls an image by its first pixel, and is sure of it if the second is above a half."""
    experiment = built("adversarial/dcgan", "digits", latent=64, fakes=30)
    experiment.generator_network = Network(lambda noise: torch.tanh(noise).view(-1, 1, 8, 8))
    classes = experiment.classifier[-1].out_features

    def logits(pixels):
        called = (pixels[:, 0] * classes).long().clamp(max=classes - 1)
        return torch.nn.functional.one_hot(called, classes) * torch.where(pixels[:, 1] > 0.5, 50.0, 0.1)[:, None]

    classifier = experiment.classifier
    classifier.forward = logits
    noise = torch.randn(30, 64, generator=torch.Generator().manual_seed(0))
    images = (torch.tanh(noise).view(-1, 1, 8, 8) + 1) / 2
    columns = []
    for k in range(classes):
        mine = [image for image in images if int(image[0, 0, 0] * classes) == k and image[0, 0, 1] > 0.5][:6]
        columns.append(torch.stack(mine + (6 - len(mine)) * [torch.full((1, 8, 8), 0.4)]))
    require_same(experiment._by_class().images, torch.stack(columns, 1).flatten(0, 1))


SAMPLERS = {
    draws_what_the_generator_makes_of_normal_noise: {
        "uniform noise": (Dcgan._made, "torch.randn(", "torch.rand("),
        "noise half as wide": (Dcgan._made, "torch.randn(", "0.5 * torch.randn("),
        "pixels in -1..1": (Dcgan._shown, "low=0.0,", "low=-1.0,"),
    },
    shows_the_first_of_each_class: {
        "whatever is called so": (Dcgan._by_class, "recognized & (called == k)", "called == k"),
        "the next class": (Dcgan._by_class, "(called == k)", "(called == (k + 1) % count)"),
        "the last ones": (Dcgan._by_class, "[:rows]", "[-rows:]"),
    },
}
