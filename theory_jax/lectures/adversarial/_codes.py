"""Generators of one coordinate, descent on them, and the figure of the helix."""

import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gan_inversion import inversion_objective, invert_by_gradient_descent

PITCH = 0.1


def helix(z, pitch=PITCH):
    """A curve in space that never meets itself."""
    return jnp.concatenate([jnp.cos(z), jnp.sin(z), pitch * z], axis=1)


def descend(generator, x, start, rate, steps, prior_weight=0.0):
    """The code after these steps, with every pixel seen."""
    seen = jnp.ones(x.shape, bool)
    return invert_by_gradient_descent(x, start, seen, generator, learning_rate=rate, num_steps=steps, prior_weight=prior_weight)


def draw_basins(landscape, steps):
    """Left: the objective on the helix, with the ends of descent. Right: the distance from the image after every second step."""
    goal, grid = helix(jnp.zeros((1, 1))), np.linspace(-14, 14, 281)[:, None]

    def objective(codes):
        goals = jnp.tile(goal, (len(codes), 1))
        return inversion_objective(goals, helix(codes), codes, jnp.ones(goals.shape, bool), prior_weight=0.0)

    landscape.plot(grid[:, 0], objective(jnp.asarray(grid)), color="gray")
    starts = jnp.linspace(-12.0, 12.0, 9)[:, None]
    ends = descend(helix, jnp.tile(goal, (9, 1)), starts, 0.3, 40)
    landscape.plot(ends[:, 0], objective(ends), "o")
    landscape.set(xlabel="code", ylabel="objective, $F$")
    counts, begun = range(0, 21, 2), jnp.array([[2.0], [5.0], [11.0]])
    path = [begun]
    for _ in counts[1:]:
        path.append(descend(helix, jnp.tile(goal, (3, 1)), path[-1], 0.3, 2))
    distances = np.sqrt([objective(codes) for codes in path])
    for start, line in zip(begun[:, 0], distances.T, strict=True):
        steps.plot(counts, line, label=f"from {float(start):g}")
    steps.set(xlabel="steps", ylabel="distance from the image")
    steps.legend()
