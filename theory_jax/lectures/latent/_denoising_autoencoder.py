"""Points that are denoised again and again: the second figure of the lecture on the denoising autoencoder."""

import jax.numpy as jnp
import numpy as np

from theory_jax.latent.denoising_autoencoder import empirical_denoiser, smoothed_log_density


def draw_climbs(plane, heights):
    """Left: data on an arc, and the paths of points that are denoised ten times. Right: the log-density along the paths."""
    angle = np.linspace(0.2, 2.9, 24)
    data = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    side = np.linspace(-1.6, 1.6, 31)
    grid = np.stack(np.meshgrid(side, side + 0.4), axis=-1).reshape(-1, 2)
    shades = np.asarray(smoothed_log_density(jnp.asarray(grid), data, sigma=0.25)).reshape(31, 31)
    plane.contourf(side, side + 0.4, np.exp(shades), levels=8, cmap="Blues")
    paths = [jnp.asarray(np.random.default_rng(3).uniform([-1.5, -1.0], [1.5, 1.8], (14, 2)))]
    for _ in range(10):
        paths.append(empirical_denoiser(paths[-1], data, sigma=0.25))
    steps = np.stack(paths)
    plane.plot(*steps.transpose(2, 0, 1), color="C1", linewidth=0.9)
    plane.plot(*steps[0].T, "o", color="C1", markersize=3)
    plane.plot(*data.T, ".", color="gray", markersize=3)
    plane.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    found = smoothed_log_density(jnp.asarray(steps.reshape(-1, 2)), data, sigma=0.25)
    heights.plot(np.asarray(found).reshape(11, 14), ".-", color="C1", linewidth=0.8)
    heights.set(xlabel="times denoised", ylabel=r"$\log q$, nats", xticks=range(0, 11, 2))
