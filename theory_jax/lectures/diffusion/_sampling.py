"""The errors of the ancestral sampler's variance, for Gaussian data: term by term, with many steps, and drawn."""

import numpy as np

from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.noise_schedules import linear_alpha_bar


def weighted_errors(levels, c, variance):
    """The terms of v_0/c - 1: the start, the wrong variances, and the last noise, which is not added."""
    v = noised_variance(c, levels)
    betas = 1 - levels[1:] / levels[:-1]
    shares = levels * c / v
    added = betas if variance == "large" else betas * (1 - levels[:-1]) / (1 - levels[1:])
    wrong = shares[1:-1] * (added[1:] / v[1:-1] - betas[1:] / v[2:])
    return shares[-1] * (1 / v[-1] - 1), wrong.sum(), -betas[0] / v[1]


def limits_of_many_steps(rate, c):
    """The limit of error times steps with the large variance, and its change as the steps double with the small one."""
    found = {"large": [], "small": []}
    for steps in (10_000, 20_000, 40_000, 80_000):
        levels = (1 - rate / steps) ** np.arange(steps + 1)
        for variance, values in found.items():
            _, *later = weighted_errors(levels, c, variance)
            values.append(steps * c * sum(later))
    large, risen = np.array(found["large"]), np.diff(found["small"])
    once = 2 * risen[1:] - risen[:-1]
    return np.array([2 * large[-1] - large[-2], 2 * once[1] - once[0]])


def draw_errors(axes):
    """The error times the number of steps, for data of variance 1/4."""
    counts = np.logspace(1.7, 5, 10).astype(int)
    for name in ("large", "small"):
        errors = []
        for steps in counts:
            levels = np.asarray(linear_alpha_bar(num_steps=int(steps), beta_start=0.1 / steps, beta_end=20 / steps))
            errors.append(0.25 * steps * sum(weighted_errors(levels, 0.25, name)[1:]))
        axes.semilogx(counts, errors, marker=".", label=f"{name} variance")
    axes.set(xlabel="steps $T$", ylabel="$f(T)$")
    axes.legend()
