"""Blocks that fade in, Adam's steps of equalized weights, and the figure of both."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.progressive_growing import equalized_weight, fade_in, pixel_normalize
from theory_jax.foundations.training_practice import adam_update
from theory_jax.latent.convolutional_vae import average_pool

SIGNS = jnp.array([[1.0, -1, 1, -1], [-1, 1, -1, 1]]).reshape(2, 1, 2, 2)
BLOCKS = jnp.array([[1.0, -1, 0, 0], [-1, 1, 0, 0], [0, 1, 3, 0], [1, 1, 1, 1], [2, 0, 0, 2]]).reshape(5, 1, 2, 2)
LAWS = np.array([[0.3, 0.1, 0.2, 0.2, 0.2], [0.05, 0.4, 0.05, 0.1, 0.4]])


def divergence(images, laws):
    """The Jensen-Shannon divergence of two distributions on these images, of which equal ones are one outcome."""
    _, place = np.unique(np.asarray(images).reshape(len(images), -1).round(12), axis=0, return_inverse=True)
    merged = jnp.asarray([np.bincount(place.ravel(), weights=law) for law in laws])
    return jensen_shannon_divergence(*jnp.log(merged)[:, None])[0]


def faded_divergence(images, laws, share):
    """... of the faded images."""
    return divergence(fade_in(average_pool(images, window=2), images, alpha=share), laws)


def faded_block(block, share):
    """A block of four pixels, faded from its own mean: [1, 1, 2, 2]."""
    image = jnp.asarray(block, float).reshape(1, 1, 2, 2)
    return fade_in(average_pool(image, window=2), image, alpha=share)


def moved(fan_in, stored):
    """Adam's first step relative to the initial weight, at the rate 0.001. stored: it moves the stored one, not the applied."""
    factor = equalized_weight(jnp.ones((1, fan_in)))[0, :1]
    update, _, _ = adam_update(factor if stored else factor / factor, jnp.zeros(1), jnp.zeros(1), step=1, learning_rate=0.001)
    return jnp.abs(factor * update / factor if stored else update / factor)[0]


def of_pixel(x, epsilon):
    """[C] -> [C]: one pixel."""
    return pixel_normalize(x[None, :, None, None], epsilon=epsilon)[0, :, 0, 0]


def last_step(weight, slopes, gain, learning_rate, beta1, beta2, epsilon):
    """How the first of the weights [1, N], as applied, moves in the last step of Adam; slopes: [steps], the last first."""
    moments = jnp.zeros(weight.size), jnp.zeros(weight.size)
    for number, slope in enumerate(slopes[::-1], start=1):
        before = equalized_weight(weight, gain=gain)
        gradient = jax.grad(lambda stored, slope=slope: jnp.sum(slope * equalized_weight(stored, gain=gain)))(weight)
        update, *moments = adam_update(
            gradient[0], *moments, step=number, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon
        )
        weight = weight + update
    return (equalized_weight(weight, gain=gain) - before)[0, 0]


def draw_fading(left, right):
    """Left: the distance and the divergence of two blocks. Right: Adam's first step."""
    shares = np.linspace(0, 1, 21)
    blocks = [faded_block(SIGNS[0], share) for share in shares]
    left.plot(shares, [jnp.linalg.norm(2 * block) / 4 for block in blocks], label="$W_1$, as a share of 4")
    divergences = [faded_divergence(SIGNS, np.eye(2), share) for share in shares]
    left.plot(shares[1:], divergences[1:], label="JSD")
    left.plot(0, divergences[0], "o", color="C1", markersize=4)
    left.set(xlabel=r"$\alpha$", ylabel="distance, divergence", ylim=(-0.05, 1.05))
    left.legend()
    counts = [2**power for power in range(3, 14, 2)]
    for label, stored in (("scaled at first only", False), ("scaled at run time", True)):
        right.loglog(counts, [moved(count, stored) for count in counts], label=label)
    right.set(xlabel="fan-in $N$", ylabel="relative step")
    right.legend()
