"""Trees of tokens and random models for beams, and the figure of the lecture on search."""

import itertools
import math

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.search import beam_expansion, beam_search

# the tree in which width 2 is worse than width 1
FIRST = jnp.log(jnp.array([[9, 8, 1]]) / 18)
SECOND = jnp.log(jnp.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 2 / 5, 1 / 10], [1 / 3, 1 / 3, 1 / 3]]))
THIRD = jnp.log(jnp.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]]))


def step_of_example(prefix):
    """The log-probabilities after a prefix of the tree."""
    return (SECOND if prefix.shape[1] == 1 else THIRD)[prefix[:, 0]]


# forty models with its own distribution for every prefix, and the 81 sequences of length 4
TREES = jnp.log(jnp.array(np.random.default_rng(1).dirichlet(np.full(3, 0.5), size=(40, 4, 27))))
START = TREES[:, 0, 0]
SEQUENCES = jnp.array(list(itertools.product(range(3), repeat=4)))


def step_of_trees(prefix):
    """The log-probabilities after prefixes of the forty models; the beams of one model stand in a row."""
    rows, time = prefix.shape
    models = len(START) if rows % len(START) == 0 else 1
    return TREES[jnp.repeat(jnp.arange(models), rows // models), time, prefix @ 3 ** jnp.arange(time)]


def every_score():
    """log p of all 81 sequences of every model, term by term."""
    return sum(
        TREES[:, t, SEQUENCES[:, :t] @ 3 ** jnp.arange(t) if t else jnp.zeros(81, int)][:, jnp.arange(81), SEQUENCES[:, t]]
        for t in range(4)
    )


def largest_dropped(width):
    """The best score that a beam of this width drops before the last step, -inf if it drops nothing."""
    dropped = jnp.full(len(START), -jnp.inf)
    for length in (1, 2, 3):
        candidates, _, _ = candidates_of(width, length)
        if candidates.shape[1] > width:
            dropped = jnp.maximum(dropped, candidates[:, width])
    return dropped


def candidates_of(width, length):
    """All extensions of the prefixes that a beam of this width holds, best first."""
    if length == 1:
        return beam_expansion(jnp.zeros((len(START), 1)), START[:, None], width=3)
    prefixes, scores = beam_search(START, step_of_trees, width=width, length=length - 1)
    beams = prefixes.shape[1]
    following = step_of_trees(prefixes.reshape(-1, length - 1)).reshape(len(START), beams, 3)
    return beam_expansion(scores, following, width=3 * beams)


def scores_of_flips():
    """The score of 100 flips with p = 0.9 by the number of tails, and how probable that number is."""
    tails = np.arange(101)
    chances = np.array([math.comb(100, int(k)) * 0.9 ** (100 - int(k)) * 0.1 ** int(k) for k in tails])
    return tails * math.log(0.1) + (100 - tails) * math.log(0.9), chances


def a_tree_and_a_mode(left, right):
    """Left, beams of two widths on the tree; right, the score of 100 flips."""
    heights = {(): 1.0}
    for length in (1, 2, 3):
        for prefix in itertools.product(range(3), repeat=length):
            law = FIRST if length == 1 else step_of_example(jnp.array([prefix[:-1]]))
            heights[prefix] = heights[prefix[:-1]] * math.exp(law[0, prefix[-1]])
            if length > 1 and heights[prefix] > 0.015:
                left.plot([length - 1, length], [heights[prefix[:-1]], heights[prefix]], color="gray", linewidth=0.6)
    for width, mark, size in ((2, "s", 8), (1, "o", 4)):
        kept = [
            (length, heights[tuple(map(int, row))])
            for length in (1, 2, 3)
            for row in beam_search(FIRST, step_of_example, width=width, length=length)[0][0]
        ]
        left.plot(*zip(*kept, strict=True), mark, markersize=size, label=f"width {width}")
    left.set(xlabel="tokens", ylabel="probability of the prefix", xticks=(1, 2, 3))
    left.legend()
    scores, chances = scores_of_flips()
    right.bar(scores[:30], chances[:30], width=1.6)
    right.axvline(scores[0], linestyle="--", color="gray")
    right.set(xlabel=r"$\log p(x)$", ylabel="probability")
