"""The figure of the lecture on the factor-VAE."""

import numpy as np


def draw_logits_and_angles(left, right):
    """The best logit of a correlated Gaussian code, and what two latents tell about a factor over the angle of the code."""
    line = np.linspace(-2, 2, 41)
    first, other = np.meshgrid(line, line)
    correlation = 0.8
    exponent = (first**2 - 2 * correlation * first * other + other**2) / (1 - correlation**2) - first**2 - other**2
    logits = -exponent / 2 - np.log(1 - correlation**2) / 2
    shown = left.imshow(logits, origin="lower", extent=(-2, 2, -2, 2), cmap="RdBu", vmin=-4, vmax=4)
    left.set(xlabel="first coordinate", ylabel="second coordinate")
    left.figure.colorbar(shown, ax=left, label="best logit")
    angle = np.linspace(3, 87, 85)
    for name, weight in (("first latent", np.cos), ("second latent", np.sin)):
        right.plot(angle, -np.log(1 - weight(np.deg2rad(angle)) ** 2) / 2, label=name)
    right.axhline(0, color="gray", linestyle="--", label="total correlation")
    right.set(xlabel="angle, degrees", ylabel="nats")
    right.legend()
