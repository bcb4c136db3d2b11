"""What the second stage learns, and what the first one saves: the second figure of the lecture on latent diffusion."""

import numpy as np


def draw_stages(latents, pairs):
    """Left: the latents of five data, their aggregate, and a standard normal prior. Right: positions and pairs of them."""
    grid = np.linspace(-3.5, 3.5, 201)
    centers = np.array([-1.7, -1.3, 0.1, 1.3, 1.6])
    bells = np.exp(-((grid[:, None] - centers) ** 2) / (2 * 0.2**2)) / (0.2 * np.sqrt(2 * np.pi)) / 5
    latents.plot(grid, bells, color="C0", linewidth=0.8)
    latents.fill_between(grid, bells.sum(axis=1), color="C0", alpha=0.3, linewidth=0, label="aggregate $q(z)$")
    latents.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), "--", color="C1", label="fixed prior")
    latents.set(xlabel="$z$", ylabel="density", ylim=(0, 0.8))
    latents.legend(loc="upper left", ncols=2)
    factors = np.array([1, 2, 4, 8, 16])
    pairs.loglog(factors, (512 / factors) ** 4, "o-", label="pairs of positions")
    pairs.loglog(factors, (512 / factors) ** 2, "s--", label="positions")
    pairs.set(xlabel="factor $F$", ylabel="number at 512 by 512 pixels", xticks=factors, xticklabels=factors)
    pairs.minorticks_off()
    pairs.legend()
