"""The smallest game of Mescheder, Geiger & Nowozin 2018 under three penalties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.adversarial.gradient_penalty import gradient_penalty, zero_centered_gradient_penalty


@functools.cache
def trajectories(steps=2000, size=0.05):
    """(theta, omega) of simultaneous Wasserstein steps from (1, 0.1): without a penalty, zero-centered, and with target 1."""

    def advance(state, _):
        theta, omega = state

        def penalties(omega, zero_centered, towards_one):
            x, critic = jnp.zeros((1, 1)), lambda x: omega * x[:, 0]
            one = gradient_penalty(x, critic)[0]
            return zero_centered * zero_centered_gradient_penalty(x, critic, gamma=1.0)[0] + towards_one * one

        pull = jax.vmap(jax.grad(penalties))(omega, jnp.array([0.0, 1.0, 0.0]), jnp.array([0.0, 0.0, 0.1]))
        state = theta - size * omega, omega + size * (theta - pull)
        return state, jnp.stack(state)

    start = jnp.ones(3), jnp.full(3, 0.1)
    return np.asarray(jax.lax.scan(advance, start, length=steps)[1])  # [steps, 2, 3]


def contracting():
    """For 20 step sizes and 20 weights: 1 where the step contracts, where the weight is above h/4, and below 2/h + h/8."""
    sizes, weights = (grid.ravel() for grid in np.meshgrid(np.linspace(0.1, 3, 20), np.linspace(0.01, 4, 20)))
    matrices = np.array([[np.ones(400), -sizes / 2], [sizes / 2, 1 - weights * sizes]]).transpose(2, 0, 1)
    found = np.abs(np.linalg.eigvals(matrices)).max(axis=1) < 1
    return tuple(part.astype(float) for part in (found, sizes / 4 < weights, weights < 2 / sizes + sizes / 8))


def draw_games(left, right):
    """Left: the three trajectories. Right: the slope that penalties of three weights leave."""
    path = trajectories()
    for n, (label, part) in enumerate(
        (("no penalty", slice(500)), ("zero-centered", slice(500)), ("target 1, steps 1500 to 2000", slice(1500, None)))
    ):
        left.plot(*path[part, :, n].T, label=label, linewidth=1)
    left.plot([0], [0], marker="+", color="gray")
    left.set(xlabel=r"$\theta$", ylabel=r"$\omega$", ylim=(-3.1, 2.1))
    left.legend(fontsize="small", loc="lower left")
    distances = np.linspace(0, 4, 5)
    for weight in (0.1, 1, 10):
        right.plot(distances, 1 + distances / (2 * weight), label=rf"$\lambda = {weight}$")
    right.axhline(1, linestyle="--", color="gray")
    right.set(xlabel="distance $d$", ylabel="slope $s^*$", ylim=(0.8, 4))
    right.legend(fontsize="small")


def draw_price(objective, stable):
    """Left: what a linear critic gains less what it pays, at three distances. Right: where a step of the game contracts."""
    slopes = np.linspace(0, 3, 61)
    for distance in (0.5, 1, 2):
        (line,) = objective.plot(slopes, slopes * distance - (slopes - 1) ** 2, label=f"$d = {distance:g}$")
        objective.plot(1 + distance / 2, distance + distance**2 / 4, "o", color=line.get_color())
    objective.axvline(1, linestyle="--", color="gray")
    objective.set(xlabel="slope $s$", ylabel=r"$s d - \lambda (s - 1)^2$")
    objective.legend()
    size, weight = np.meshgrid(np.linspace(0.1, 4, 40), np.linspace(0.05, 4, 40))
    steps = np.array([[np.ones_like(size), -size / 2], [size / 2, 1 - weight * size]]).transpose(2, 3, 0, 1)
    largest = np.abs(np.linalg.eigvals(steps)).max(axis=-1)
    stable.contourf(size, weight, largest, levels=[0, 0.6, 0.8, 1], cmap="Blues_r", alpha=0.8)
    at = np.linspace(0.1, 4, 40)
    stable.plot(at, at / 4, color="C1", label="$h/4$")
    stable.plot(at, 2 / at + at / 8, "--", color="C1", label="$2/h + h/8$")
    stable.set(xlabel="step size $h$", ylabel=r"weight $\gamma$", ylim=(0.05, 4))
    stable.legend(loc="upper right")
