"""Exercises of the lecture: From verdicts to scores: random utilities, their likelihood and its maximum."""

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.lectures.preference.bradley_terry import derivation
from theory_jax.preference.bradley_terry import (
    fisher_information,
    minorize_maximize_step,
    preference_log_prob,
    tournament_log_likelihood,
)


@derivation.exercise(
    "The first answer beats the second with probability 3/4, the second the third with 2/3. How often does the first beat the "
    "third?",
    "The odds are three times two, so it is 6/7 or 0.8571.",
)
def odds_along_a_chain():
    yield jnp.exp(preference_log_prob(jnp.log(jnp.array([6.0])), jnp.zeros(1)))[0], "0.8571"


@derivation.exercise(
    r"A player has won all of 5 games. What is $\partial \ell / \partial s$ of this player where all scores are equal, and can "
    r"it vanish?",
    r"Wins minus expected wins, 2.5. It never vanishes, since expected wins stay below 5: there is no finite best "
    r"score.",
)
def an_undefeated_player():
    won = jnp.array([[0.0, 3.0, 2.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    yield jax.grad(tournament_log_likelihood, argnums=1)(won, jnp.zeros(3))[0], "2.5"


@derivation.exercise(
    "Three players beat each other in a cycle, once each. What are the best scores, and the information about them?",
    r"By symmetry all scores are 0, and a step keeps them there. Each pair has information $\frac14$; a shift has the eigenvalue "
    r"0, everything else 0.75.",
)
def a_cycle():
    cycle = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    yield jnp.abs(minorize_maximize_step(cycle, jnp.zeros(3))).max(), "0"
    shift, *others = np.linalg.eigvalsh(fisher_information(cycle + cycle.T, jnp.zeros(3)))
    yield shift, "0"
    yield max(others), "0.75"
    yield min(others), "0.75"
