"""The convolutional game of adversarial/dcgan against a discriminator of spectrally normalized layers."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.adversarial.spectral_normalization import NormalizedDiscriminator
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.experiment import Metric
from practice_torch.engine.published import Published
from practice_torch.experiments.adversarial.dcgan import Dcgan, DcganRecipe, require_labels


@dataclass(frozen=True)
class SpectralRecipe(DcganRecipe):
    """A convolutional GAN whose discriminator has spectrally normalized weights and no batch normalization."""

    iterations: Annotated[int, AtLeast(1)] = 1
    """Steps of power iteration for every training call of the discriminator."""


class SpectralGan(Dcgan):
    """adversarial/dcgan against another discriminator; it also measures how far its layers' norms are from 1."""

    explains = Dcgan.explains | {
        "norm_error": Metric("fraction", "largest difference from 1 of the exact norm of a layer's normalized matrix")
    }

    def opponent(self, shape):
        """The discriminator."""
        return NormalizedDiscriminator(shape=shape, width=self.recipe.width, iterations=self.recipe.iterations)

    def evaluate(self, data):
        """As of adversarial/dcgan, and the error of power iteration."""
        return super().evaluate(data) | {"norm_error": float((self.discriminator.norms() - 1).abs().max())}


RECIPES = {
    # Measured with seed 0: 10 digits (9 after 2000 steps), 77% of the fakes recognized; norms within 2.1% of 1.
    "digits": SpectralRecipe(
        data="digits", steps=3000, batch_size=64, learning_rate=5e-4, beta1=0.5, held_out=0.2, target=8.0,
        evaluate_every=1000, checkpoint_every=1000,
    ),
    # The settings C of Miyato et al. 2018 with the networks of this file, which are smaller than theirs. Not run here.
    "cifar10": SpectralRecipe(
        data="cifar10", steps=100_000, batch_size=64, learning_rate=2e-4, beta1=0.5, latent=128, width=128, precision="bfloat16",
        metric="frechet_distance", direction="lower", evaluate_every=5000, checkpoint_every=5000,
    ),
}  # fmt: skip

PUBLISHED = {
    "cifar10": Published(
        "CIFAR-10, downloaded by torchvision",
        "",
        "FID of 5,000 samples",
        29.3,
        "Miyato et al. 2018, table 2, the standard network",
    )
}


def build(recipe, data):
    """The players that a recipe describes, for images of the data's shape and classes.

    Raises DataError where the data have no labels, or sides that cannot be halved often enough.
    """
    require_labels(recipe, data.description)
    return SpectralGan(recipe, data.description)
