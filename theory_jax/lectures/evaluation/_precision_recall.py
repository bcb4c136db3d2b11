"""The ball of an outlier, and samples of every spread: the second figure of the lecture on precision and recall."""

import jax.numpy as jnp
import numpy as np

from theory_jax.evaluation.precision_recall import density_and_coverage, nearest_neighbor_radii, precision_and_recall


def draw_outlier_and_spread(plane, curves):
    """Left: real points, one of them far off, with samples in its ball. Right: the four numbers over the spread of samples."""
    random = np.random.default_rng(6)
    real = np.concatenate([0.6 * random.standard_normal((14, 2)), [[6.0, 0.0]]])
    samples = np.array([5.0, 2.5]) + 0.8 * random.standard_normal((12, 2))
    radii = np.asarray(nearest_neighbor_radii(real, neighbors=2))
    angles = np.linspace(0, 2 * np.pi, 80)
    for center, radius in zip(real, radii, strict=True):
        plane.fill(center[0] + radius * np.cos(angles), center[1] + radius * np.sin(angles), color="gray", alpha=0.12)
    plane.plot(*real.T, ".", color="gray", label="real")
    plane.plot(*samples.T, "x", color="C1", label="generated")
    found = float(precision_and_recall(real, samples, neighbors=2)[0]), float(density_and_coverage(real, samples, neighbors=2)[0])
    plane.set(xlabel="first feature", ylabel="second feature", title=f"precision {found[0]:.2f}, density {found[1]:.2f}")
    plane.set(aspect="equal", xlim=(-3, 12), ylim=(-6, 8.5))
    plane.legend(ncols=2, loc="upper left", fontsize="small")
    spreads = np.geomspace(0.25, 3, 6)
    real, noise = jnp.asarray(random.standard_normal((2, 80, 2)))
    numbers = []
    for samples in (spread * noise for spread in spreads):
        numbers.append([*precision_and_recall(real, samples, neighbors=3), *density_and_coverage(real, samples, neighbors=3)])
    for label, curve in zip(("precision", "recall", "density", "coverage"), np.array(numbers).T, strict=True):
        curves.semilogx(spreads, curve, "o-", markersize=3, label=label)
    curves.vlines(1, 0.15, 1.15, color="gray", linestyle=":")
    curves.set(
        xlabel="spread of the samples", ylabel="share", ylim=(-0.2, 1.2), xticks=(ticks := [0.25, 0.5, 1, 2]), xticklabels=ticks
    )
    curves.minorticks_off()
    curves.legend(fontsize="small", ncols=2, loc="lower center")
