"""Data that are 1 or -1, equally likely: the example, the algorithm's steps and the figure of the lecture on flow matching."""

import math

import jax.numpy as jnp
import numpy as np

from theory_jax.flows.flow_matching import conditional_flow_matching_loss, data_prediction, logit_normal_times, marginal_velocity

SIGNS = jnp.array([[1.0], [-1.0]])


def sign_field(x, time):
    """The mean velocity at positions [B]."""
    return marginal_velocity(x[:, None], SIGNS, jnp.full(len(x), time))[:, 0]


def sign_mean(x, time):
    """The mean of the data, given positions [B]."""
    return data_prediction(x[:, None], sign_field(x, time)[:, None], jnp.full(len(x), time))[:, 0]


def fan_and_floor(fan, floors):
    """Draws pairs and flow lines, and what the loss cannot fall below, for these data and for Gaussian ones."""
    rng, times = np.random.default_rng(0), np.linspace(0, 0.99, 34)
    for start, sign in zip(rng.standard_normal(24), rng.choice([-1.0, 1.0], 24), strict=True):
        fan.plot([0, 1], [start, sign], color="gray", alpha=0.4, linewidth=0.7)
    lines = [jnp.linspace(-2, 2, 10)]
    for now, then in zip(times, times[1:], strict=False):
        lines.append(lines[-1] + (then - now) * sign_field(lines[-1], now))
    fan.plot(times, np.stack(lines), color="C0", linewidth=1.3)
    fan.set(xlabel="$t$", ylabel="$x$")
    points, grid = np.polynomial.hermite_e.hermegauss(40), np.linspace(0, 0.95, 20)
    places = [jnp.asarray(time + (1 - time) * points[0]) for time in grid]  # of data 1; -1 is its mirror image
    variance = [(1 - sign_mean(x, time) ** 2) / (1 - time) ** 2 for x, time in zip(places, grid, strict=True)]
    floors.plot(grid, np.stack(variance) @ points[1] / math.sqrt(2 * math.pi), label="two points")
    for spread in (4, 1):
        floors.plot(grid, spread / ((1 - grid) ** 2 + spread * grid**2), label=f"Gaussian, variance {spread}")
    floors.set(xlabel="$t$", ylabel="floor of the loss")
    floors.legend()


MOMENTS = (0.0, 0.3, 0.5, 0.7, 0.85, 0.98)


def noise_becomes_data(path, histogram, moment):
    """Draws the flow lines of 400 noises up to a moment, and where they are then, next to the density."""
    end = MOMENTS[moment]
    times = np.append(np.arange(0, end, 0.02), end)
    lines = [jnp.asarray(np.random.default_rng(1).standard_normal(400))]
    for now, then in zip(times, times[1:], strict=False):
        lines.append(lines[-1] + (then - now) * sign_field(lines[-1], now))
    path.plot(times, np.stack(lines)[:, :24], color="C0", linewidth=0.8)
    path.plot(np.full(24, end), lines[-1][:24], "o", color="C0", markersize=3.5)
    path.plot([1, 1], [-1, 1], "D", color="C1", markersize=5)
    path.set(xlim=(-0.03, 1.05), ylim=(-3, 3), xlabel="$t$", ylabel="$x$")
    grid = np.linspace(-3, 3, 301)
    peaks = [np.exp(-0.5 * ((grid - sign * end) / (1 - end)) ** 2) for sign in (-1, 1)]
    histogram.hist(np.asarray(lines[-1]), bins=np.linspace(-3, 3, 41), density=True, alpha=0.35)
    histogram.plot(grid, sum(peaks) / (2 * (1 - end) * math.sqrt(2 * math.pi)), color="C0")
    histogram.set(xlim=(-3, 3), ylim=(0, 2.2), xlabel="$x$", ylabel="density $p_t$")


def two_points():
    """The velocity and the loss halfway, at the position 1/2."""
    half = jnp.array([0.5])
    mean = sign_mean(half, 0.5)[0]
    yield r"p(1|x), p(-1|x)", jnp.array([1 + mean, 1 - mean]) / 2, "(0.8808, 0.1192)"
    yield r"\mathbb{E}[x_1|x] = \tanh 1", mean, "0.7616"
    yield r"u", sign_field(half, 0.5), "0.5232"
    losses = conditional_flow_matching_loss(
        jnp.array([0.0, 2.0]), jnp.array([1.0, -1.0]), jnp.full(2, 0.5), lambda x, time: sign_field(x, 0.5)
    )
    yield r"\text{losses}", losses, "(0.2273, 12.4129)"
    yield r"\text{floor}", losses @ jnp.array([1 + mean, 1 - mean]) / 2, "1.6799"


def two_steps_of_each():
    """Two steps of training on pairs that meet at one position, and two of sampling."""
    time, model = logit_normal_times(jnp.zeros(1), mean=0.0, std=1.0), 0.0
    yield r"g = o = 0: \quad t", time, "0.5"
    for pair, loss, moved in (((0.0, 1.0), "1", "0.5"), ((2.0, -1.0), "10.5625", "-1.125")):
        x0, x1 = jnp.array(pair)[:, None]
        losses = [
            conditional_flow_matching_loss(x0, x1, time, lambda x, time, a=a: a * x)[0] for a in (model, model + 1, model - 1)
        ]
        model -= 0.5 * (losses[1] - losses[2]) / 2  # the slope of a parabola
        yield rf"(x_0, x_1) = ({pair[0]:g}, {pair[1]:g}), \ v = \theta x: \quad \text{{loss}}", losses[0], loss
        yield r"\theta, \text{ moved by half the gradient}", model, moved
    x = jnp.array([0.5])
    for now, stated in ((0.0, "0.25"), (0.5, "0.4621")):
        x = x + 0.5 * marginal_velocity(x[:, None], SIGNS, jnp.full(1, now))[:, 0]
        yield rf"t = {now:g}, \ h = \tfrac12: \quad x", x, stated
