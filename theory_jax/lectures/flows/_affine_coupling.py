"""Two layers that exchange roles bend the circles of the noise: the second figure of the lecture on affine coupling."""

import numpy as np

from theory_jax.flows.affine_coupling import inverse

PASSES = np.array([True, False])  # the first coordinate; in the other layer the second


def log_scale(kept):
    """0.5 sin of what passes, for both coordinates."""
    return 0.5 * np.sin(1.5 * kept.sum(1, keepdims=True)) + 0 * kept


def shift(kept):
    """Minus a quarter of the square of what passes, for both."""
    return -(kept.sum(1, keepdims=True) ** 2) / 4 + 0 * kept


def two_layers(noise, one, both):
    """Circles and axes of the noise, after one layer, and after two."""
    angle = np.linspace(0, 2 * np.pi, 121)
    circles = np.stack([radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) for radius in (0.5, 1, 1.5, 2)])
    lines = np.linspace(-2, 2, 121)[:, None] * np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    points = np.concatenate([circles, lines])
    first = np.asarray(inverse(points.reshape(-1, 2), PASSES, log_scale, shift)[0])
    second = np.asarray(inverse(first, ~PASSES, log_scale, shift)[0])
    for panel, at, title in ((noise, points, "noise"), (one, first, "one layer"), (both, second, "two layers")):
        for curve, color in zip(at.reshape(points.shape), ["C0"] * 4 + ["C1", "C2"], strict=True):
            panel.plot(*curve.T, color=color, linewidth=1.2)
        panel.set(xlabel="$x_a$", ylabel="$x_b$", title=title, xlim=(-3, 5), ylim=(-3, 4), aspect="equal")
