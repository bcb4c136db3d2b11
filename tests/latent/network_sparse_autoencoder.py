"""Mistakes planted into the network of latent/sparse_autoencoder, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.latent import sparse_autoencoder
from tests.support.planted_networks import BEGINS, OTHERS, mean_of_the_batch, put

MISTAKES = {
    "SparseAutoencoder": {
        "the batch mixes": (mean_of_the_batch(sparse_autoencoder.SparseAutoencoder), OTHERS),
        "all units stay active": (put(sparse_autoencoder, "top_k_activation", lambda x, *, k: x), "output"),
        "the bias stays": (
            put(
                sparse_autoencoder.SparseAutoencoder,
                "encode",
                lambda self, x: sparse_autoencoder.top_k_activation(self.encoder(x).relu(), k=self.k),
            ),
            "output",
        ),
        "equal directions": (put(nn.init, "normal_", nn.init.ones_), BEGINS),
    }
}
