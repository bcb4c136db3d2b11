"""Masked networks of pixels, their paths, and the figure of the lecture on PixelCNN."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.pixelcnn import horizontal_convolution, masked_convolution, pixel_mask, vertical_convolution


def mask_of(kind, side, outputs=1, inputs=1):
    """A mask of the code."""
    colors = 3 if inputs > 1 else 1
    return pixel_mask(out_channels=outputs, in_channels=inputs, kernel_size=side, mask_type=kind, colors=colors)


def square_kernels(side, layers=10):
    """A stack of masked square kernels of ones."""
    ones, none = jnp.ones((1, 1, side, side)), jnp.zeros(1)

    def run(x):
        for number in range(layers):
            x = masked_convolution(x, ones, none, mask_of("B" if number else "A", side))
        return x

    return run


def two_stacks(rows, layers=10):
    """Two stacks of kernels of ones, with so many rows and columns behind the pixel."""
    tall, wide, none = jnp.ones((1, 1, rows, 3)), jnp.ones((1, 1, 1, rows)), jnp.zeros(1)

    def run(x):
        above, before = (vertical_convolution(x, tall, none, mask_type="A"), horizontal_convolution(x, wide, none, mask_type="A"))
        for _ in range(layers - 1):
            above = vertical_convolution(above, tall, none, mask_type="B")
            before = horizontal_convolution(before, wide, none, mask_type="B") + above
        return before

    return run


def paths_through(run, side):
    """The number of paths from every pixel of the input to every pixel of the output, [outputs, inputs], by impulses."""
    impulses = jnp.eye(side**2).reshape(-1, 1, side, side)
    return np.asarray(run(impulses)).reshape(side**2, side**2).T


def moves(side):
    """Number of rows of an input above the output, and of columns to its right: [outputs, inputs] both."""
    row, column = np.divmod(np.arange(side**2), side)
    return row[:, None] - row, column - column[:, None]


def random_logits(images, kind):
    """Two masked layers with random weights: logits of bits, the first layer of this type."""
    rng = np.random.default_rng(11)
    weights = rng.standard_normal((4, 1, 3, 3)), rng.standard_normal((1, 4, 3, 3))
    masks = (
        pixel_mask(out_channels=outputs, in_channels=inputs, kernel_size=3, mask_type=each, colors=1)
        for outputs, inputs, each in ((4, 1, kind), (1, 4, "B"))
    )
    first_mask, second_mask = masks
    h = jnp.tanh(masked_convolution(images, weights[0], jnp.full(4, 0.3), first_mask))
    return masked_convolution(h, weights[1], jnp.full(1, 0.1), second_mask)


def log_prob_of(images, logits):
    """The log-probability of images of bits."""
    return -np.logaddexp(0.0, np.where(images > 0, -logits, logits)).sum((1, 2, 3))


def colored_jacobian(kind, interleaved=False):
    """The Jacobian of two layers on three colors; interleaved: with the wrong order of the channels between."""
    rng = np.random.default_rng(7)
    weights = [rng.standard_normal((6, 3, 3, 3)), rng.standard_normal((3, 6, 3, 3))]
    masks = [mask_of(kind, 3, 6, 3), mask_of("B", 3, 3, 6)]
    if interleaved:  # the hidden channels are 0, 1, 2, 0, 1, 2 for the first layer, and 0, 0, 1, 1, 2, 2 for the second
        masks[0] = masks[0][jnp.array([0, 2, 4, 1, 3, 5])]

    def network(image):  # [pixels and colors]
        x = image.reshape(1, 3, 3, 3).transpose(0, 3, 1, 2)
        h = jnp.tanh(masked_convolution(x, weights[0], jnp.zeros(6), masks[0]))
        return masked_convolution(h, weights[1], jnp.zeros(3), masks[1]).transpose(0, 2, 3, 1).ravel()

    return np.asarray(jax.jacobian(network)(jnp.asarray(rng.standard_normal(27))))


def what_a_pixel_sees(few, many, stacks):
    """What one pixel sees through few layers, many layers, and two stacks."""
    shown = (paths_through(square_kernels(3, layers=2), 9), paths_through(square_kernels(3), 9), paths_through(two_stacks(2), 9))
    for axes, paths in zip((few, many, stacks), shown, strict=True):
        axes.imshow(np.log1p(paths[9 * 8 + 3].reshape(9, 9)), cmap="viridis")
        axes.plot(3, 8, "x", color="white")
        axes.set(xlabel="column", ylabel="row", xticks=range(0, 9, 2), yticks=range(0, 9, 2))
