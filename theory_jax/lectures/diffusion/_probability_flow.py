"""The density of a flow at every time, and what its divergence adds up to: a figure of the lecture on the probability flow."""

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.probability_flow import log_prob


def draw_mass(shades, densities, mixture, flow, quantile):
    """Left: the density, and the paths, its quantiles. Right: the log-density of the data by the code.

    mixture: the means and the deviation at a time. flow: the velocity. quantile: the distribution function at points and a time.
    """
    line = np.linspace(-2.6, 2.6, 81)

    def density(time):
        means, deviation = mixture(time)
        bells = [np.exp(-(((line - mean) / deviation) ** 2) / 2) for mean in means]
        return np.mean(bells, axis=0) / (deviation * np.sqrt(2 * np.pi))

    fine = np.linspace(0, 1, 41)
    mass = np.stack([density(time) for time in fine], axis=1)
    shades.pcolormesh(fine, line, mass, cmap="Blues", shading="gouraud", rasterized=True)
    tenths = [np.interp(np.arange(0.1, 0.95, 0.1), quantile(line, time), line) for time in fine]
    shades.plot(fine, np.array(tenths), linewidth=0.8, color="C1")
    shades.set(xlabel="time", ylabel="$x$", ylim=(-2.6, 2.6))
    some = line[::4]
    found = log_prob(jnp.asarray(some)[:, None], jnp.ones((1, len(some), 1)), jnp.linspace(0.0, 1.0, 9), flow)
    densities.plot(some, found, "o", markersize=4, label="8 steps of the code")
    densities.plot(line, np.log(density(0.0)), "--", color="gray", label="exact")
    densities.set(xlabel="$x_0$", ylabel="log-density", ylim=(-14, 2))
    densities.legend(fontsize="small")
