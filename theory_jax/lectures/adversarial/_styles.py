"""Pixels under a style and under normalization, mean penalties of path lengths, and the figure of both."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.style_gan import adaptive_instance_normalization, modulated_convolution, path_length_penalty


def one_pixel(x, weight, style, epsilon):
    """[C, K], [C, K], [C] -> []: one output channel of one pixel, from a row of K inputs."""
    given = x[None, :, None], weight[None, :, None], style[None]
    return modulated_convolution(*given, padding=0, epsilon=epsilon)[0, 0, 0, 0]


def pixel(inputs, style):
    """The output of a kernel with the weights 3 and 4."""
    return one_pixel(jnp.array(inputs)[:, None], jnp.array([[3.0], [4.0]]), jnp.array(style), 1e-12)


def normalized(spike):
    """The pixels -1, 0, 1 and a spike."""
    ones = jnp.ones((1, 1))
    pixels = jnp.array([-1.0, 0.0, 1.0, spike])[None, None, None]
    return adaptive_instance_normalization(pixels, ones, 0 * ones, epsilon=1e-12)[0, 0, 0]


def others(spike, others, scale, shift, epsilon):
    """The pixels next to the spike, normalized."""
    pixels = jnp.concatenate([jnp.reshape(spike, 1), others])[None, None, None]
    return adaptive_instance_normalization(pixels, jnp.full((1, 1), scale), jnp.full((1, 1), shift), epsilon=epsilon)[0, 0, 0, 1:]


def mean_length(size):
    """The mean length of a standard normal vector."""
    return jnp.sqrt(2.0) * jnp.exp(jax.scipy.special.gammaln((size + 1) / 2) - jax.scipy.special.gammaln(size / 2))


def mean_penalty(first, second):
    """E (|J^T y| - 1)^2 of two singular values: Gauss' rule for the length of g, equal steps for its angle."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    radii, angles = 5 * (nodes + 1), 2 * np.pi * (np.arange(400) + 0.5) / 400
    pulled = np.stack([first * np.outer(radii, np.cos(angles)), second * np.outer(radii, np.sin(angles))], axis=-1)
    penalties = path_length_penalty(jnp.asarray(pulled.reshape(-1, 2)), jnp.asarray(1.0))
    return jnp.sum(5 * weights * radii * np.exp(-(radii**2) / 2) * penalties.reshape(60, 400).mean(1))


def draw_styles(left, right):
    """Left: ellipses of three Jacobians. Right: pixels as a spike grows."""
    angles = np.linspace(0, 2 * np.pi, 100)
    for first, second in ((1.0, 1.0), (1.5, 0.5), (1.9, 0.1)):
        penalty = mean_penalty(first**0.5, second**0.5)
        left.plot(first**0.5 * np.cos(angles), second**0.5 * np.sin(angles), label=f"penalty {penalty:.3f}")
    left.set(xlabel="first direction of the image", ylabel="second direction", aspect="equal")
    left.legend(fontsize="x-small")
    spikes = np.linspace(0, 20, 30)
    maps = np.stack([normalized(spike) for spike in spikes])
    ones = jnp.ones((1, 1))
    kept = modulated_convolution(jnp.array([[[[-1.0, 0.0, 1.0]]]]), ones[..., None, None], ones, padding=0)[0, 0, 0]
    for number in range(3):
        right.plot(spikes, maps[:, number], color=f"C{number}")
        right.axhline(kept[number], color=f"C{number}", linestyle="--", linewidth=1)
    right.plot(spikes, maps[:, 3], color="C3", label="the spike itself")
    right.set(xlabel="height $h$ of the spike", ylabel="normalized pixels")
    right.legend(fontsize="x-small")
