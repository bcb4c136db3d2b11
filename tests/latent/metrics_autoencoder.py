"""Errors image by image, the least error of a linear autoencoder by eigenvalues, and moving averages in a loop."""

import numpy as np
import torch

from tests.support.metrics import UpToSign, mean

NAMES = ("digits", "digits_plane")
COUNT = 12
TOLERANCE = 1e-4  # points of maps are cast to float32


def pictures(data):
    return data.batch()["image"].flatten(1)


def of_linear(e, x):
    down, up = e.linear
    return (x - up.bias) @ down.weight.T @ up.weight.T + up.bias


def spent(x, again):
    return mean([float(torch.dist(a, b)) ** 2 for a, b in zip(x, again, strict=True)])


def evaluate(e, data):
    x = pictures(data)
    variances = np.linalg.eigvalsh(np.cov(x.numpy(), rowvar=False, bias=True))[::-1]
    least = variances[e.recipe.latent_dim :].sum()
    deep, linear = spent(x, e.decoder(e.encoder(x))), spent(x, of_linear(e, x))
    return {"ratio": deep / least, "linear_ratio": linear / least, "squared_error": deep, "principal_error": least}


def preview(e, data):
    """The plane in which points vary most is that of the largest eigenvalues of their covariance."""
    x, labels = pictures(data), data.batch()["label"]
    codes = e.encoder(x)
    center = x.mean(0)
    axes = torch.linalg.eigh(torch.cov(x.T, correction=0)).eigenvectors[:, -e.recipe.latent_dim :]
    rows = [part[:10] for part in (x, e.decoder(codes), center + (x - center) @ axes @ axes.T)]
    return {
        "reconstructions": torch.cat(rows).unflatten(1, e.shape),
        "codes": [("scatter", *on_plane(codes), {"c": labels})],
        "principal_components": [("scatter", *on_plane(x), {"c": labels})],
    }


def on_plane(x):
    axes = torch.linalg.eigh(torch.cov(x.T)).eigenvectors.flip(1)[:, :2]
    return [UpToSign(column) for column in ((x - x.mean(0)) @ axes).T]
