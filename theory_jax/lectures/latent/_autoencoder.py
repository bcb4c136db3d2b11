"""The example and the figure of the lecture on autoencoders."""

import numpy as np

from theory_jax.latent.autoencoder import principal_subspace_reconstruction

FOUR = np.array([[2.0, 1.0], [1.0, 2.0], [-2.0, -1.0], [-1.0, -2.0]])


def draw_line_and_landscape(left, right):
    """The four points with their projections, and the error of one code when encoder and decoder are the same vector."""
    back = np.asarray(principal_subspace_reconstruction(FOUR, rank=1))
    for point, projected in zip(FOUR, back, strict=True):
        left.plot(*zip(point, projected, strict=True), color="lightgray")
    left.plot(*FOUR.T, "o")
    left.plot(*back.T, ".", markersize=3)
    left.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    variances = np.array([4.5, 0.5])

    def error(d):
        """Of data with these variances along the axes, through d and back through d."""
        squares = (d**2).sum(-1)
        return variances.sum() - (2 - squares) * (variances * d**2).sum(-1)

    line = np.linspace(-1.6, 1.6, 81)
    grid = np.stack(np.meshgrid(line, line), -1)
    right.contour(line, line, error(grid), levels=[0.6, 1, 2, 3, 4, 4.6, 5, 6, 8, 12], colors="lightgray", linewidths=0.8)
    for start in ((0.03, 0.25), (0.005, -0.3), (-0.02, 0.2), (-0.3, -0.2), (0.5, 1.5), (-0.4, -1.5)):
        path = [np.array(start)]
        for _ in range(400):
            d = path[-1]
            slope = 2 * d * (variances * d**2).sum() - 2 * (2 - (d**2).sum()) * variances * d
            path.append(d - 0.01 * slope)
        right.plot(*np.array(path).T, linewidth=1)
    right.plot([1, -1], [0, 0], "o", color="black")
    right.plot([0, 0], [1, -1], "x", color="black")
    right.plot(0, 0, "s", color="black")
    right.set(xlabel="$d_1 = e_1$", ylabel="$d_2 = e_2$", aspect="equal")
