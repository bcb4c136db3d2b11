"""Mistakes planted into the networks of adversarial/spectral_normalization, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.adversarial import spectral_normalization
from tests.support.planted_networks import BEGINS, put, twice_as_wide


def stays(matrix, u, *, iterations=1):
    """No step is taken."""
    return u, nn.functional.normalize(matrix.mT @ u, dim=0)


def by_columns(self):
    """The norm of the kernel flattened on the wrong side."""
    turned = self.weight.transpose(0, 1).flatten(1) if self.weight.ndim > 2 else self.weight
    return self.weight.flatten(1) / spectral_normalization.spectral_norm(turned).detach()


MISTAKES = {
    "NormalizedDiscriminator": {
        "no power iteration": (put(spectral_normalization, "power_iteration", stays), "statistic"),
        "the kernel transposed": (put(spectral_normalization.Normalized, "matrix", by_columns), "output"),
        "weights twice as wide": (put(nn.init, "normal_", twice_as_wide), BEGINS),
    }
}
ELSEWHERE = {"NormalizedDiscriminator": {"norms": "test_training_calls_turn_the_vectors_and_evaluation_does_not"}}
