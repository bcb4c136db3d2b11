"""Shared cases of the specs of diffusion: schedules, points with answers by hand, networks of operators, and rejections."""

import numpy as np

from shared_specs.rows import Rejects, given, normal

# ---------------------------------------------------------------------------------------------------- schedules

SCHEDULE = np.array([1.0, 0.95, 0.8, 0.64, 0.4, 0.36, 0.1])  # T = 6; signal to noise 19, 4, 1.78, 0.67, 0.56, 0.11
TO_NOISE = np.array([1.0, 0.9, 0.5, 0.2, 0.0])  # T = 4: no data is left at the end; 9, 1, 0.25 and 0
COSINE = np.array([1.0, 0.84701216, 0.49384359, 0.1442721, 0.0001442721])  # T = 4, the last step clipped to 0.999
EARLY = 1 - np.array([0, 1, 2, 3, 4, 5, 6]) / 8e4  # T = 6: hardly any noise yet
ONE = [1.0, 0.3]  # T = 1
BY_FOUR = np.array([1.0, 0.64, 0.16, 0.04])  # T = 3: betas of 0.36 and twice 0.75
HO = np.append(1.0, np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))  # T = 1000, of Ho et al. 2020
# Roots without fractions.
LEVELS = [1.0, 0.64, 0.36, 0.0]  # T = 3: the signal 0.8, 0.6, 0 and the noise 0.6, 0.8, 1
SQUARES = [1.0, 0.64, 0.36, 0.04]  # T = 3: the signal 0.8, 0.6 and 0.2

# Gradients in the schedule are compared where its first entry has no part: at the times from 2 on.
TIMES, FROM_ONE, ALL = np.array([2, 6, 3, 2, 5]), np.array([1, 6, 3, 1, 5]), np.arange(1, 7)
NO_PART = "the first entry of the schedule is 1 by definition"


def column(values):
    """A number for each example, next to the entries of each."""
    return values[:, None]


def noisy(x0, noise, t):
    """x_t of SCHEDULE."""
    return column(np.sqrt(SCHEDULE[t])) * x0 + column(np.sqrt(1 - SCHEDULE[t])) * noise


# ---------------------------------------------------------------------------------------------------- points

X, Y = normal(5, 3), normal(5, 3)
IMAGES, PIXELS = normal(2, 3, 4, 5), normal(2, 3, 4, 5)
FOUR, OTHER = [[1.0, -2.0], [3.0, 0.5], [2.0, 1.0], [4.0, -1.0]], [[0.5, 1.0], [-1.0, 2.0], [1.5, -0.5], [-2.0, 3.0]]

# ---------------------------------------------------------------------------------------------------- networks, by operators


def at(x, t):
    """The level of every example with the dtype of x and its number of axes."""
    return x * 0 + t.reshape((-1,) + (1,) * (x.ndim - 1))


def line(x, t):
    """A network that predicts x/2 + t/8."""
    return x / 2 + at(x, t) / 8


def bent(x, t):
    """A network that is no straight line."""
    return 0.9 * x / (1 + x * x / 10) - at(x, t) / 40


def guess(x, t):
    """A network that predicts x/4 + t/10."""
    return x / 4 + at(x, t) / 10


def half(x, t):
    """The prediction of a noise that is 0.5 everywhere."""
    return x * 0 + 0.5


def tripled(x, t):
    """A network that predicts 3t: t is multiplied before it meets a floating-point number."""
    return x * 0 + at(x, 3 * t)


# ---------------------------------------------------------------------------------------------------- refusals

BAD_TIMES = {
    "after the last step": [1, 7],
    "before the data": [1, -1],
    "times that are not integers": [1.0, 2.0],
    "a time for every entry": [[1, 2, 3], [1, 2, 3]],
}
NO_STEP, TOO_FEW = {"at the data themselves": [0, 2]}, {"a time too few": [1]}
BAD_SCHEDULES = {
    "T entries: no 1 for the data": SCHEDULE[1:],
    "more than everything": [1.0, 1.5, 0.9, 0.8, 0.5, 0.3, 0.2],
    "less than nothing": [1.0, 0.9, 0.8, 0.5, 0.3, 0.2, -0.1],
    "signal comes back": [1.0, 0.5, 0.7, 0.4, 0.3, 0.2, 0.1],
    "one entry": [1.0],
    "a schedule for each example": [[1.0, 0.5, 0.2], [1.0, 0.5, 0.2]],
}


def rejects_times(function, good, times):
    """Times that are none. good: sound arguments, in the function's order."""
    for case, t in times.items():
        yield Rejects(function, case, given(**good | {"t": np.array(t)}), blames="t ")


def rejects_schedules(function, good):
    """Schedules that are none. good: sound arguments, in the function's order."""
    for case, schedule in BAD_SCHEDULES.items():
        yield Rejects(function, case, given(**good | {"alpha_bar": schedule}), blames="alpha_bar")
