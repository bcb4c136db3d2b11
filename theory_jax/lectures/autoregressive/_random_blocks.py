"""Gradients that go back through random blocks, and the figure of the lecture on normalization."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.normalization import layer_norm, layer_norm_backward, post_norm_residual, pre_norm_residual


def pulled_back(width, blocks, form, seed):
    """The root mean square of the gradient before each block, for random branches of gain 1, from the last block to the first."""
    drawn = np.random.default_rng(seed)
    matrices = drawn.standard_normal((blocks, width, width)) / np.sqrt(width)
    x, gradient = drawn.standard_normal((2, width))
    ones, zeros, inputs = np.ones(width), np.zeros(width), []
    for matrix in matrices:
        inputs.append(x)
        step = pre_norm_residual if form == "pre" else post_norm_residual
        x = np.asarray(step(x, ones, zeros, lambda a, matrix=matrix: matrix @ a, epsilon=0.0))
    sizes = [np.sqrt(np.mean(gradient**2))]
    for matrix, x in zip(matrices[::-1], inputs[::-1], strict=True):
        if form == "pre":
            gradient = gradient + np.asarray(layer_norm_backward(x, ones, matrix.T @ gradient, epsilon=0.0)[0])
        else:
            inner = np.asarray(layer_norm_backward(x + matrix @ x, ones, gradient, epsilon=0.0)[0])
            gradient = inner if form == "skips" else inner + matrix.T @ inner
        sizes.append(np.sqrt(np.mean(gradient**2)))
    return np.array(sizes) / sizes[0]


def circle_and_depth(left, right):
    """Where a layer norm puts points of three entries, and gradients by depth."""
    points = np.random.default_rng(1).standard_normal((12, 3)) * 2
    plane = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    before, after = points @ plane.T, np.asarray(layer_norm(jnp.array(points), jnp.ones(3), jnp.zeros(3), epsilon=0.0)) @ plane.T
    for start, end in zip(before, after, strict=True):
        left.plot(*zip(start, end, strict=True), color="gray", linewidth=0.6)
    left.plot(*before.T, "o", label="$x$, projected")
    left.plot(*after.T, "s", label=r"$\hat x$")
    angle = np.linspace(0, 2 * np.pi, 100)
    left.plot(np.sqrt(3) * np.cos(angle), np.sqrt(3) * np.sin(angle), color="gray", linestyle="--")
    left.set(xlabel="first axis of the plane", ylabel="second axis", aspect="equal", xlim=(-4.5, 4.5), ylim=(-3.7, 3.7))
    left.legend()
    for form, label in (("pre", "pre-norm"), ("post", "post-norm"), ("skips", "post-norm, skips alone")):
        sizes = np.sqrt(np.mean([pulled_back(64, 16, form, seed) ** 2 for seed in range(3)], axis=0))
        right.semilogy(range(17), sizes, label=label)
    right.set(xlabel="blocks passed on the way back", ylabel="size of the gradient")
    right.legend()


def two_blocks():
    """The box: two pre-norm blocks whose branches square, and the gradient back through the second."""
    x, ones, zeros = jnp.array([0.0, 0, 2, 2]), jnp.ones(4), jnp.zeros(4)
    yield r"x = (0, 0, 2, 2),\ f \text{ squares: } \hat x", layer_norm(x, ones, zeros, epsilon=0.0), "(-1, -1, 1, 1)"
    for name, stated in (("one block", "(1, 1, 3, 3)"), ("two blocks", "(2, 2, 4, 4)")):
        x = pre_norm_residual(x, ones, zeros, jnp.square, epsilon=0.0)
        yield rf"\text{{behind {name}}}", x, stated
    upstream, branch = jnp.array([1.0, 0, 0, 0]), jnp.array([-2.0, 0, 0, 0])
    back = layer_norm_backward(jnp.array([1.0, 1, 3, 3]), ones, branch, epsilon=0.0)[0]
    yield r"\text{gradient } (1, 0, 0, 0) \text{, times } 2 \hat x \text{, through the second norm}", back, "(-1, 1, 0, 0)"
    yield r"\text{... and with the skip's}", upstream + back, "(0, 1, 0, 0)"
