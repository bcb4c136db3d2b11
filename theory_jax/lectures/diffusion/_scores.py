"""The scores of data that are -1 or 1, and the figure of the lecture on score prediction."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.diffusion.score_prediction import diffused_mixture, empirical_posterior_mean, mixture_log_prob, mixture_score

POINTS = jnp.array([-1.0, 1.0])


def of_two_points(x, level):
    """E(x_0 | x_t = x), the score and its slope for data that are -1 or 1, each with probability one half."""
    schedule, one = jnp.array([1.0, level]), np.full(len(x), 1)
    means, log_vars = diffused_mixture(POINTS[:, None], jnp.full(2, -jnp.inf), one, schedule)

    def score(x):
        return mixture_score(x[:, None], means, log_vars, jnp.full(2, -math.log(2)))[:, 0]

    return empirical_posterior_mean(x, POINTS, one, schedule), *jax.jvp(score, (x,), (jnp.ones_like(x),))


def draw_scores(left, right, tweedie_mean):
    """The score at three levels, and the mean of the data by Tweedie's formula, from the topic's function."""
    line = jnp.linspace(-2.5, 2.5, 161)
    for level in (0.9, 0.52, 0.1):
        _, score, _ = of_two_points(line, level)
        left.plot(line, score, label=rf"$\bar\alpha_t = {level}$")
        right.plot(line, tweedie_mean(line, score, np.full(161, 1), jnp.array([1.0, level])), label=rf"$\bar\alpha_t = {level}$")
    for point in (-1, 1):
        left.plot(line, (point * math.sqrt(0.52) - line) / 0.48, linestyle="--", linewidth=0.8, color="gray")
    left.set(xlabel="$x_t$", ylabel="score", ylim=(-6, 6))
    right.set(xlabel="$x_t$", ylabel="mean of the data")
    left.legend()


CENTERS = jnp.array([[-1.2, -0.6], [1.1, -0.8], [0.2, 1.2]])


def draw_fields(*panels):
    """The score of three data points in the plane with less and with more noise, as arrows, over the log-density."""
    side = np.linspace(-2.2, 2.2, 12)
    fine = np.linspace(-2.4, 2.4, 41)
    weights = jnp.full(3, -math.log(3))
    coarse, dense = (np.stack(np.meshgrid(s, s), axis=-1).reshape(-1, 2) for s in (side, fine))
    for panel, level in zip(panels, (0.85, 0.4), strict=True):
        noised = diffused_mixture(CENTERS, jnp.full(3, -jnp.inf), np.array([1]), np.array([1.0, level]))
        means, log_vars = (part[0] for part in noised)
        heights = np.asarray(mixture_log_prob(jnp.asarray(dense), means, log_vars, weights)).reshape(41, 41)
        panel.contourf(fine, fine, np.exp(heights), levels=8, cmap="Blues")
        arrows = (1 - level) * np.asarray(mixture_score(jnp.asarray(coarse), means, log_vars, weights))
        panel.quiver(*coarse.T, *arrows.T, angles="xy", scale_units="xy", scale=4, width=0.004)
        panel.plot(*(math.sqrt(level) * CENTERS).T, "o", color="C1", markersize=5)
        panel.set(xlabel="$x_1$", ylabel="$x_2$", title=rf"$\bar\alpha_t = {level}$", aspect="equal")
