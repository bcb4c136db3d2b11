"""The panels of the figure of the lecture on what to predict."""

import math

import jax.numpy as jnp
import numpy as np


def draw_circle(axes, velocity):
    """The noisy value of two orthogonal unit vectors on its circle, and its velocity, from the topic's function."""
    levels = jnp.cos(jnp.linspace(0.05, math.pi / 2 - 0.05, 9)) ** 2
    alpha_bar, t = jnp.concatenate([jnp.ones(1), levels]), np.arange(1, 10)
    data, noise = jnp.tile(jnp.array([1.0, 0.0]), (9, 1)), jnp.tile(jnp.array([0.0, 1.0]), (9, 1))
    x = jnp.sqrt(levels)[:, None] * data + jnp.sqrt(1 - levels)[:, None] * noise
    arrows = velocity(data, noise, t, alpha_bar)
    axes.plot(x[:, 0], x[:, 1], "o-")
    axes.quiver(x[::2, 0], x[::2, 1], arrows[::2, 0], arrows[::2, 1], color="gray", scale=5)
    axes.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal", xlim=(-0.1, 1.3), ylim=(-0.1, 1.3))


def draw_weights(axes, loss_ratio):
    """What the losses of data, velocity and noise pay for an error of the data, from the topic's function."""
    ratio = np.exp(np.linspace(-4, 4, 81))
    schedule, levels = np.concatenate([[1.0], (ratio / (1 + ratio))[::-1]]), np.arange(1, 82)
    of_data = loss_ratio(levels, jnp.asarray(schedule), target="x0")
    for name, label in (("x0", "data"), ("velocity", "velocity"), ("noise", "noise")):
        axes.semilogy(np.log(ratio)[::-1], loss_ratio(levels, jnp.asarray(schedule), target=name) / of_data, label=label)
    axes.set(xlabel=r"$\log S_t$", ylabel="weight of the data's error")
    axes.legend()


def draw_errors(errors, known, loss_ratio):
    """Left: the error of the data for an error of 1 in each target. Right: how far the noisy value alone tells each target."""
    levels = np.linspace(0.99, 0.01, 80)
    schedule, t = jnp.asarray(np.concatenate([[1.0], levels])), np.arange(1, 81)
    of_data = np.asarray(loss_ratio(t, schedule, target="x0"))
    for name, label in (("x0", "data"), ("velocity", "velocity"), ("noise", "noise")):
        errors.semilogy(levels, np.sqrt(of_data / np.asarray(loss_ratio(t, schedule, target=name))), label=label)
    errors.set(xlabel=r"$\bar\alpha_t$", ylabel="error of the data")
    errors.legend()
    for share, label in ((levels, "data"), (0 * levels, "velocity"), (1 - levels, "noise")):
        known.plot(levels, share, label=label)
    known.set(xlabel=r"$\bar\alpha_t$", ylabel="share that $x_t$ tells", ylim=(-0.05, 1.05))
