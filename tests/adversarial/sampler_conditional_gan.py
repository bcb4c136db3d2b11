"""Images of the classes in turn, from a generator that displays its noise and its class."""

import torch

from practice_torch.experiments.adversarial.conditional_gan import ConditionalGan
from tests.support.samplers import Network, built, normal_cdf, require_law


def draws_images_of_the_classes_in_turn():
    """The class k moves the noise by k - 1; the preview has a column for each."""
    experiment = built("adversarial/conditional_gan", "digits", latent=64)

    def generate(inputs):
        noise, one_hot = inputs[:, :64], inputs[:, 64:]
        assert (one_hot.sum(1) == 1).all() and one_hot.shape[1] == 3
        return torch.tanh((noise + one_hot.argmax(1, keepdim=True) - 1) / 2).view(-1, 1, 8, 8)

    experiment.generator_network = Network(generate)
    for images in (experiment.sample(90)["fakes"].images, experiment._by_class(rows=30).images):
        noise = 2 * torch.atanh(2 * images.double() - 1)
        for label in range(3):
            require_law(noise[label::3], normal_cdf(label - 1.0, 1.0))


SAMPLERS = {
    draws_images_of_the_classes_in_turn: {
        "one class": (ConditionalGan._asked, "% self.classes", "* 0"),
        "class after class": (ConditionalGan._asked, "% self.classes", "* self.classes // count"),
        "uniform noise": (ConditionalGan._made, "torch.randn(", "torch.rand("),
        "the next class": (ConditionalGan._made, "one_hot(labels.long(),", "one_hot((labels.long() + 1) % 3,"),
    }
}
