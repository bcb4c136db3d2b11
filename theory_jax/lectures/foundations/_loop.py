"""The figure of the lecture on training practice, and two steps of a training loop."""

import jax.numpy as jnp
import numpy as np


def train(scale, clip, schedule, adam, average_of):
    """Rows of two steps on the squared error of one parameter, half of (theta - z)^2, at pixel 51, from these functions."""
    z = scale(jnp.array([51.0]), minimum=0.0, maximum=255.0)
    theta, average, moments = jnp.array([2.0]), jnp.array([2.0]), (jnp.zeros(1), jnp.zeros(1))
    for s, stated in enumerate(("(2.6, 1, 0.05, 1.95, 1.995)", "(2.55, 1, 0.1, 1.85, 1.9805)")):
        (gradient,), norm = clip((theta - z,), max_norm=1.0)
        rate = float(schedule(jnp.array([s]), peak=0.1, warmup_steps=2, total_steps=10)[0])
        update, *moments = adam(gradient, *moments, step=s + 1, learning_rate=rate)
        theta = theta + update
        average = average_of(average, theta, decay=0.9)
        numbers = [float(norm), float(gradient[0]), rate, float(theta[0]), float(average[0])]
        yield rf"s = {s}: \quad (\|g\|, g, \eta, \theta, A)", numbers, stated


def draw_projection(axes, clip):
    """A gradient, its projection on the ball, and clipping by entries; from the topic's function."""
    angle = np.linspace(0, np.pi / 2, 60)
    axes.fill_between(np.cos(angle), np.sin(angle), alpha=0.2)
    axes.annotate("", (0.9, 2.2), (0, 0), arrowprops={"arrowstyle": "->", "color": "gray"})
    clipped, _ = clip((jnp.array([0.9, 2.2]),), max_norm=1.0)
    axes.plot(*clipped[0], "o", label="by the norm")
    axes.plot([0.9], [1.0], "x", label="by entries")
    axes.set(xlabel="$g_1$", ylabel="$g_2$", xlim=(0, 2.4), ylim=(0, 2.4), aspect="equal")
    axes.legend()


def draw_steps(axes, adam):
    """Adam's steps for a constant gradient, with and without bias correction; from the topic's function."""
    moments, corrected, plain = (jnp.zeros(1), jnp.zeros(1)), [], []
    for number in range(1, 31):
        update, *moments = adam(jnp.ones(1), *moments, step=number, learning_rate=1.0)
        corrected.append(-float(update[0]))
        plain.append(float(moments[0][0] / jnp.sqrt(moments[1][0])))
    axes.plot(range(1, 31), plain, label="uncorrected")
    axes.plot(range(1, 31), corrected, label="corrected")
    axes.set(xlabel="step", ylabel=r"step / $\eta$", ylim=(0, None))
    axes.legend()


def draw_schedule(axes, schedule):
    """A schedule and its marks, from the topic's function."""
    steps = jnp.arange(40)
    rates = schedule(steps, peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    axes.plot(steps, rates, ".-")
    axes.plot([5, 6, 18, 30], np.asarray(rates)[[5, 6, 18, 30]], "o")
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
