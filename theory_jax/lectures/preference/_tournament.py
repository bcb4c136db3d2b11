"""A tournament of three players, and figures of the steps that find its best scores."""

import jax.numpy as jnp
import numpy as np

from theory_jax.preference.bradley_terry import minorize_maximize_step

CHAIN = jnp.array([[0.0, 2.0, 0.0], [1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])  # 2 wins to 1 from each to the next


def draw_lower_functions(left):
    """The log-likelihood along the first score, and the functions below it of three steps."""
    along = np.linspace(-1.2, 1.6, 60)
    probability = 1 / (1 + np.exp(-along))
    left.plot(along, 2 * np.log(probability) + np.log(1 - probability), color="black", label=r"$\ell$, up to a constant")
    current = -1.0
    for number in range(3):
        a = np.exp(current)
        below = 2 * along - 3 * (np.log(a + 1) + (np.exp(along) + 1) / (a + 1) - 1)
        (line,) = left.plot(along, below, "--", linewidth=1, label="below it" if number == 0 else None)
        reached = np.log(2 * (a + 1) / 3)
        left.plot(reached, 2 * reached - 3 * (np.log(a + 1) + (np.exp(reached) + 1) / (a + 1) - 1), "o", color=line.get_color())
        current = reached
    left.set(xlabel="$s_1$", ylabel="nats", ylim=(-3.5, -1.7))
    left.legend(loc="lower right")


def draw_scores(right):
    """The centered scores after each step, and the best ones (gray)."""
    path = [jnp.zeros(3)]
    for _ in range(8):
        path.append(minorize_maximize_step(CHAIN, path[-1]))
    right.hlines(np.log([2, 1, 0.5]), 0, 8, color="gray", linewidth=1)
    for player, scores in enumerate(np.array(path).T):
        right.plot(scores, "o-", markersize=3, label=f"$s_{player + 1}$")
    right.set(xlabel="step", ylabel="score")
    right.legend(loc="center right")
