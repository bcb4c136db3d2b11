"""Losses of few steps and of round trips on normal data, of the lecture on inference with DDIM."""

import numpy as np


def round_trip_error(c, noise):
    """x_0 after all steps up and down again, for x_0 = 1, along the levels with these sigmas, from 0 up."""
    lower, upper = noise[:-1], noise[1:]
    kappa = (upper - lower) * upper / (c + upper**2)
    rho = np.sqrt((1 + upper**2) / (1 + lower**2))
    return np.prod((1 + rho * kappa) * (1 - kappa))


def loss(angles):
    """The logarithm of the product of cosines over the steps between the angles."""
    return np.sum(np.log(np.cos(np.diff(angles))))


def quarter(steps):
    return np.tan(np.arange(steps + 1) * (0.47 * np.pi / steps))


def draw_losses(axes):
    """The product of cosines, for three choices of the levels."""
    counts, top, root = np.unique(np.logspace(0.5, 2.5, 15).astype(int)), quarter(1)[1], 0.5
    for name, place in (
        ("equal angles", lambda n: np.linspace(0, np.arctan(top / root), n + 1)),
        ("equal times", lambda n: np.arctan(quarter(n) / root)),
        ("equal noise", lambda n: np.arctan(np.linspace(0, top, n + 1) / root)),
    ):
        axes.semilogx(counts, [np.exp(loss(place(n))) for n in counts], marker=".", label=name)
    axes.set(xlabel="steps $S$", ylabel="product of cosines")
    axes.legend()


def draw_round_trips(axes):
    """The error of the round trip times the number of steps."""
    counts = np.unique(np.logspace(0.5, 2.5, 15).astype(int))
    for c in (0.25, 1.0, 3.0):
        axes.semilogx(counts, [n * (round_trip_error(c, quarter(n)) - 1) for n in counts], marker=".", label=f"$c = {c:g}$")
    axes.set(xlabel="steps $S$", ylabel="$S\\,(f(S) - 1)$")
    axes.legend(loc=(0.68, 0.2))
