"""What is left for the network if the data are two points: the second figure of the lecture on preconditioning."""

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.edm import preconditioning


def draw_what_is_left(denoisers, networks):
    """Left: the best denoiser of data -1/2 or 1/2 at three levels. Right: what its network has to say, over its input."""
    levels = np.array([0.1, 0.4, 2.0])
    c_skip, c_out, c_in, _ = (np.asarray(part) for part in preconditioning(jnp.asarray(levels)))
    for level, skip, out, factor in zip(levels, c_skip, c_out, c_in, strict=True):
        x = np.linspace(-2.5, 2.5, 161) / factor
        best = 0.5 * np.tanh(0.5 * x / level**2)
        (line,) = denoisers.plot(x, best, label=rf"$\sigma = {level:g}$")
        denoisers.plot(x, skip * x, "--", linewidth=0.9, color=line.get_color())
        target = (best - skip * x) / out
        humps = np.exp(-((x[:, None] - [-0.5, 0.5]) ** 2) / (2 * level**2)).sum(axis=1)
        networks.plot(factor * x, target, linewidth=0.9, color=line.get_color())
        networks.plot(factor * x, np.where(humps > 0.03 * humps.max(), target, np.nan), linewidth=3, color=line.get_color())
    denoisers.set(xlabel="noisy value $x$", ylabel="best denoiser", xlim=(-2, 2), ylim=(-0.85, 0.85))
    denoisers.legend(fontsize="small", loc="upper left")
    networks.set(xlabel=r"input $c_\mathrm{in}\, x$", ylabel="best network $F$", ylim=(-3, 3))
