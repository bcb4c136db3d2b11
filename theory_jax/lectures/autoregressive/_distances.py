"""Sums of phases at a distance, and what the lecture on positions draws."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.position import (
    alibi_bias,
    apply_rotary,
    relative_position_bucket,
    rotary_angles,
    sinusoidal_positions,
)


def partial_sums(distances, head_width):
    """|sum over the pairs j <= i of e^(i distance omega_j)|, [distances, head_width/2]."""
    return jnp.abs(jnp.cumsum(jnp.exp(1j * rotary_angles(distances, head_width=head_width)), axis=-1))


def mean_sums(distances):
    """The mean of the sums over the pairs of a width of 128."""
    return np.asarray(jnp.mean(partial_sums(distances, 128), axis=-1))


def diagonals_and_decay(left, right):
    """Inner products of sinusoidal codes, and the mean of the sums against the distance."""
    codes = np.asarray(sinusoidal_positions(jnp.arange(48), width=32))
    picture = left.imshow(codes @ codes.T, origin="lower")
    left.figure.colorbar(picture, ax=left)
    left.set(xlabel="position $n$", ylabel="position $m$")
    distances = np.unique(np.round(np.geomspace(1, 4000, 160)).astype(int))
    right.semilogx(distances, mean_sums(jnp.array(distances)))
    right.set(xlabel=r"distance $\Delta$", ylabel=r"mean of $|S_i|$", ylim=(0, 33))


def turned_and_biased():
    """The box: one pair of the frequency 1 at three positions, and the slope of the first of eight heads."""
    angles = rotary_angles(jnp.arange(7), head_width=2)
    turned = apply_rotary(jnp.broadcast_to(jnp.array([1.0, 0.0]), (1, 1, 7, 2)), angles, layout="interleaved")[0, 0]
    yield r"q = k = (1, 0),\ \omega = 1: \quad \text{turned at position 1}", turned[1], "(0.5403, 0.8415)"
    yield r"\text{turned at position 2}", turned[2], "(-0.4161, 0.9093)"
    yield (
        r"\text{scores of the positions 1 and 2, and of 5 and 6}",
        (turned[1] @ turned[2], turned[5] @ turned[6]),
        "(0.5403, 0.5403)",
    )
    bias = alibi_bias(heads=8, query_length=1, key_length=3)
    yield r"\text{added by the slope } \tfrac12 \text{ to the scores of a query at 2}", bias.reshape(8, 3)[0], "(-1, -0.5, 0)"


def buckets():
    """The buckets of distances by the code, the first distances of four of them, and the buckets by the formula."""
    distances = np.arange(-3, 2000)
    ratio = np.log(np.maximum(distances, 16) / 16) / np.log(8)
    counted = np.where(distances < 16, np.maximum(distances, 0), 16 + np.minimum(np.floor(16 * ratio), 15))
    found = np.array(relative_position_bucket(distances, buckets=32, maximum_distance=128), dtype=float)
    first = [float(distances[found == bucket].min()) for bucket in (17, 18, 24, 31)]
    return found, first, counted
