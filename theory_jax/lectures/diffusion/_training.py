"""The panels of the figure, and the numbers of the algorithm, of the lecture on training."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.noise_schedules import cosine_alpha_bar
from theory_jax.diffusion.training import warmup_decay


def draw_kept(axes):
    """The share of the iterates' variance that an average keeps, against what a step forgets."""
    forgotten = np.logspace(-5, 0, 61)
    for d in (0.99, 0.999, 0.9999):
        r = 1 - forgotten
        axes.loglog(forgotten, (1 - d) * (1 + r * d) / ((1 + d) * (1 - r * d)), label=f"$d = {d}$")
    axes.set(xlabel="share forgotten in a step, $\\eta \\lambda = 1 - r$", ylabel="variance of the average, $F / P$")
    axes.legend()


def draw_floor(axes, timesteps):
    """Squared errors of the best guess for data that are -1 or 1, and their mean. timesteps: the levels for uniform numbers."""
    random = np.random.default_rng(0)
    alpha_bar = np.asarray(cosine_alpha_bar(num_steps=100))

    def errors(t, data, noise):
        level = alpha_bar[t]
        x = np.sqrt(level) * data + np.sqrt(1 - level) * noise
        implied = (x - np.sqrt(level) * np.tanh(np.sqrt(level) * x / (1 - level))) / np.sqrt(1 - level)
        return (noise - implied) ** 2

    t = np.asarray(timesteps(random.random(300)))
    axes.plot(t, errors(t, random.choice((-1, 1), 300), random.normal(size=300)), ".", markersize=3, color="gray")
    grid = np.linspace(-6, 6, 241)
    bell = np.exp(-(grid**2) / 2)
    t = np.arange(1, 101)
    axes.plot(t, errors(t[:, None], 1, grid) @ bell / bell.sum(), label="floor")
    axes.set(xlabel="level $t$", ylabel="squared error", ylim=(0, 3))
    axes.legend()


def steps_of_training(timesteps, warmup, moving_average):
    """Rows of two steps with a linear guess of the noise, two levels and a learning rate of 0.1, from the topic's functions."""
    alpha_bar, weight, average = (1.0, 0.64, 0.36), 0.0, jnp.zeros(())
    rows = ((0.2, 1.0, 1.0, "(1, 0.28, 0.1, 0.252)"), (0.7, -1.0, 0.5, "(2, 0.2578, 0.1818, 0.2567)"))
    for n, (u, x_0, noise, stated) in enumerate(rows):
        t = int(timesteps(jnp.array([u]), num_steps=2)[0])
        x = math.sqrt(alpha_bar[t]) * x_0 + math.sqrt(1 - alpha_bar[t]) * noise
        weight -= 0.1 * 2 * x * (weight * x - noise)
        decay = float(warmup(n, decay=0.99))
        average = moving_average(average, jnp.array(weight), decay=decay)
        drawn = rf"n = {n},\ u = {u},\ x_0 = {x_0:g},\ \epsilon = {noise:g}"
        yield rf"{drawn}: \quad (t, \theta, d_n, A)", (t, weight, decay, float(average)), stated


DECAYS = np.array([0.5, 0.8, 0.9, 0.95, 0.98])


def draw_averages(path, shares):
    """Left: iterates on their way to a minimum, and two averages. Right: the share of the variance that averages keep."""
    random = np.random.default_rng(7)
    theta, constant, warmed, seen = 3.0, 3.0, 3.0, []
    for decay in np.asarray(warmup_decay(np.arange(600), decay=0.99)):
        theta = 0.99 * theta + 0.1 * random.standard_normal()
        constant, warmed = 0.99 * constant + 0.01 * theta, decay * warmed + (1 - decay) * theta
        seen.append((theta, constant, warmed))
    for curve, color, label in zip(np.transpose(seen), ("0.7", "C0", "C1"), ("iterates", "decay 0.99", "warm-up"), strict=True):
        path.plot(curve, color=color, linewidth=0.8 if label == "iterates" else 1.8, label=label)
    path.set(xlabel="step", ylabel=r"$\theta$")
    path.legend()
    value, average, squares = np.zeros(100), np.zeros((5, 100)), []
    for drawn in random.standard_normal((600, 100)):
        value = 0.9 * value + drawn
        average = DECAYS[:, None] * average + (1 - DECAYS[:, None]) * value
        squares.append([np.mean(value**2), *np.mean(average**2, axis=1)])
    measured = np.mean(squares[100:], axis=0)
    grid = np.linspace(0.4, 0.99, 60)
    shares.plot(grid, (1 - grid) * (1 + 0.9 * grid) / ((1 + grid) * (1 - 0.9 * grid)), color="C0", label="$F / P$")
    shares.plot(DECAYS, measured[1:] / measured[0], "o", color="C1", label="measured")
    shares.set(xlabel="decay $d$", ylabel="share of the variance", ylim=(0, 1))
    shares.legend()
