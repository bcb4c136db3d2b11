"""The linear map from one Gram matrix to another, and the figure of feature vectors and steps."""

import numpy as np

from theory_jax.adversarial.style_transfer import gram_matrix


def roots(matrices):
    """The symmetric roots of positive definite matrices."""
    values, vectors = np.linalg.eigh(matrices)
    return (vectors * np.sqrt(values)[..., None, :]) @ vectors.swapaxes(-1, -2)


def carrying_map(gram, target):
    """T with T gram T = target, symmetric and positive definite."""
    root = roots(gram)
    inverse = np.linalg.inv(root)
    return inverse @ roots(root @ target @ root) @ inverse


def draw_clouds(cloud, steps):
    """Left: feature vectors, their second moments and the cheapest map. Right: an eigenvalue under descent."""
    rng = np.random.default_rng(3)
    image = np.array([[1.0, 0.2], [-0.3, 0.5]]) @ rng.standard_normal((2, 30))
    style = np.array([[0.4, 0.6], [0.5, 1.2]]) @ rng.standard_normal((2, 40))
    moments = [np.asarray(2 * gram_matrix(points[None, :, None]))[0] for points in (image, style)]
    moved = carrying_map(*moments) @ image
    turn = np.linspace(0, 2 * np.pi, 100)
    cloud.plot(*np.stack([image, moved], axis=1), color="lightgray", linewidth=0.7)
    for points, moment, label in zip((image, style), moments, ("image", "style"), strict=True):
        color = cloud.plot(*points, ".", label=label)[0].get_color()
        cloud.plot(*(2 * roots(moment) @ [np.cos(turn), np.sin(turn)]), color=color)
    cloud.set(xlabel="first channel", ylabel="second channel", aspect="equal")
    cloud.legend()
    for rate in (0.1, 0.5, 1.1):
        path = [0.25]
        for _ in range(20):
            path.append(path[-1] * (1 - rate * (path[-1] - 1)) ** 2)
        steps.plot(path, label=rf"$\eta = {rate}$")
    steps.set(xlabel="step", ylabel="eigenvalue, $g$")
    steps.legend()
