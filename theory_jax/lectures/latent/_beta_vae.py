"""The figure of the lecture on the beta-VAE."""

import numpy as np

from theory_jax.latent.beta_vae import beta_negative_elbo


def draw_curve_and_latents(left, right):
    """Distortion and rate of the best encoders of the example with tangents, and the weights of three linear latents."""

    def best(weights):
        encoder = np.array([0.9, 0.1]) ** (1 / weights[:, None])
        encoder /= encoder.sum(1, keepdims=True)
        return -encoder @ np.log([0.9, 0.1]), (encoder * np.log(2 * encoder)).sum(1)

    distortion, rate = best(np.geomspace(1 / 16, 16, 80))
    left.plot(rate, distortion, color="gray", linewidth=3)
    for weight in (0.5, 1.0, 2.0, 4.0):
        at, of = best(np.array([weight]))
        near = of + np.array([-0.12, 0.12])
        left.plot(near, beta_negative_elbo(at, of, beta=weight) - weight * near, label=rf"$\beta = {weight:g}$")
        left.plot(of, at, "o", color="gray")
    left.set(xlabel="rate, nats", ylabel="distortion, nats")
    left.legend()
    weights = np.linspace(0, 5, 101)
    for variance in (4, 2, 1):
        right.plot(weights, np.maximum(0, variance - weights), label=rf"$\lambda = {variance}$")
    right.set(xlabel=r"$\beta$", ylabel="$w^2$")
    right.legend()
