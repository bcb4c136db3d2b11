"""Checks of the code, the first steps and the figure of the lecture on state-space duality."""

import jax.numpy as jnp
import numpy as np

from theory_jax.derivation.kinds import Sides
from theory_jax.state_space.duality import dual_chunked, dual_quadratic, dual_recurrent, segment_sum
from theory_jax.state_space.parallel_scan import recurrence_sequential


def matrix_and_cost(left, right):
    """Draws the matrix of a sequence in chunks, and the work for each step by the length of a chunk."""
    rng = np.random.default_rng(4)
    decays, (b, c) = -rng.uniform(0.0, 0.4, (1, 16, 1)), rng.normal(size=(2, 1, 16, 1, 2))
    matrix = dual_quadratic(jnp.eye(16)[None, :, None, :], jnp.array(decays), jnp.array(b), jnp.array(c))[0, :, 0]
    left.imshow(matrix, cmap="RdBu", vmin=-3, vmax=3)
    for edge in (3.5, 7.5, 11.5):
        left.axhline(edge, color="gray", linewidth=0.8)
        left.axvline(edge, color="gray", linewidth=0.8)
    left.set(xlabel="input $s$", ylabel="output $t$")
    lengths = np.geomspace(1, 512, 100)
    right.loglog(lengths, lengths * 128 + 2 * 64**2 + 64**2 / lengths)
    right.axvline(np.sqrt(32), color="gray", linestyle="--")
    right.set(xlabel="length $Q$ of a chunk", ylabel="multiplications a step")


def two_chunks():
    """Two chunks of two steps, next to attention over all four."""
    decays, x = jnp.log(jnp.array([0.5, 0.5, 0.25, 0.5]))[None, :, None], jnp.array([4.0, 2.0, 1.0, 2.0])[None, :, None, None]
    ones, h = jnp.ones((1, 4, 1, 1)), jnp.zeros((1, 1, 1, 1))
    for number, (part, state) in enumerate(((slice(0, 2), "4"), (slice(2, 4), "3")), 1):
        yield rf"\text{{chunk {number}: }} L_{{21}}", jnp.exp(segment_sum(decays[:, part]))[0, 0, 1, 0], "1/2"
        _, h = dual_recurrent(x[:, part], decays[:, part], ones[:, part], ones[:, part], h)
        yield r"h \text{ after it}", h, state
    for words, found in (
        (r"y", dual_chunked(x, decays, ones, ones, chunk=2)),
        (r"y \text{ as attention}", dual_quadratic(x, decays, ones, ones)),
    ):
        yield words, found.ravel(), "(4, 4, 2, 3)"


def lanes_of_a_scan():
    """Three heads, next to a scan of numbers."""
    rng = np.random.default_rng(0)
    steps, rates, signal = rng.uniform(0.1, 1, (2, 12, 3)), -rng.uniform(0.5, 2, 3), rng.normal(size=(2, 12, 3, 2))
    b, c = rng.normal(size=(2, 2, 12, 1, 4))
    inputs = (steps[..., None] * signal)[..., None] * b[:, :, :, None]
    decay = np.broadcast_to(np.exp(steps * rates)[..., None, None], inputs.shape)
    lanes = recurrence_sequential(*(jnp.array(a.reshape(2, 12, -1)) for a in (inputs, decay)), jnp.zeros((2, 24)))
    outputs = jnp.einsum("bthpn,bthn->bthp", lanes.reshape(inputs.shape), np.repeat(c, 3, 2))
    given = jnp.array(steps * rates), jnp.array(b), jnp.array(c), jnp.zeros((2, 3, 2, 4))
    twice = dual_recurrent(jnp.array(steps[..., None] ** 2 * signal), *given)[0]
    return Sides(
        left=dual_recurrent(jnp.array(steps[..., None] * signal), *given)[0],
        right=outputs,
        wrong={"the step applied twice": twice},
    )


def every_chunk_size():
    """Four sizes of chunks, with heads in groups."""
    rng = np.random.default_rng(2)
    given = (
        rng.normal(size=(2, 8, 4, 3)),
        -rng.uniform(0, 1, (2, 8, 4)),
        rng.normal(size=(2, 8, 2, 5)),
        rng.normal(size=(2, 8, 2, 5)),
    )
    given = [jnp.array(array) for array in given]
    whole = dual_quadratic(*given)
    tiled = dual_quadratic(*given[:2], *(jnp.tile(array, (1, 1, 2, 1)) for array in given[2:]))
    chunked = jnp.stack([dual_chunked(*given, chunk=chunk) for chunk in (1, 2, 4, 8)])
    return Sides(left=chunked, right=jnp.stack([whole] * 4), wrong={"the groups tiled": jnp.stack([tiled] * 4)})
