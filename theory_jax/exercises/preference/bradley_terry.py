"""Exercises of the lecture: From verdicts to scores: random utilities, their likelihood and its maximum."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy

from theory_jax.lectures.preference.bradley_terry import d, derivation
from theory_jax.preference.bradley_terry import (
    elo_update,
    fisher_information,
    minorize_maximize_step,
    preference_log_prob,
    tournament_log_likelihood,
)


@derivation.exercise(
    "The first answer beats the second with probability 3/4, the second the third with 2/3. How often does the first beat the "
    "third?",
    "The odds are three times two, so it is 6/7 or 0.8571.",
    level="easy",
    hint="Log-odds are differences of scores, and differences add up.",
)
def odds_along_a_chain():
    yield jnp.exp(preference_log_prob(jnp.log(jnp.array([6.0])), jnp.zeros(1)))[0], "0.8571"


@derivation.exercise(
    r"A player has won all of 5 games. What is $\partial \ell / \partial s$ of this player where all scores are equal, and can "
    r"it vanish?",
    r"Wins minus expected wins, 2.5. It never vanishes, since expected wins stay below 5: there is no finite best "
    r"score.",
    level="medium",
    hint="The slope is the number of wins less the expected number.",
)
def an_undefeated_player():
    won = jnp.array([[0.0, 3.0, 2.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    yield jax.grad(tournament_log_likelihood, argnums=1)(won, jnp.zeros(3))[0], "2.5"


@derivation.exercise(
    "Three players beat each other in a cycle, once each. What are the best scores, and the information about them?",
    r"By symmetry all scores are 0, and a step keeps them there. Each pair has information $\frac14$; a shift has the eigenvalue "
    r"0, everything else 0.75.",
    level="medium",
    hint="What changes if the players exchange their names along the cycle?",
)
def a_cycle():
    cycle = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    yield jnp.abs(minorize_maximize_step(cycle, jnp.zeros(3))).max(), "0"
    shift, *others = np.linalg.eigvalsh(fisher_information(cycle + cycle.T, jnp.zeros(3)))
    yield shift, "0"
    yield max(others), "0.75"
    yield min(others), "0.75"


@derivation.exercise(
    "Two chess players have the ratings 1600 and 1400, and the step is 32. What is the expected outcome for the first, and how "
    "do the ratings change if the first wins, and if the first loses?",
    "The expected outcome is 0.7597. A win moves the first to 1607.69, a defeat to 1575.69, and the second the other way: the "
    "surprise moves about three times as much, and the mean change is 0 if the ratings are right.",
    level="easy",
    hint="A difference of 400 means odds of ten to one; what odds does half of it mean?",
)
def a_game_of_chess():
    first, second = jnp.array([1600.0]), jnp.array([1400.0])
    won, lost = (elo_update(jnp.array([outcome]), first, second, step_size=32.0)[0][0] for outcome in (1.0, 0.0))
    expected = (1600 - lost) / 32
    yield expected, "0.7597"
    yield won, "1607.69"
    yield lost, "1575.69"
    yield expected * (won - 1600) + (1 - expected) * (lost - 1600), "0"


@derivation.exercise(
    "Two equally good players play for ever, and Elo's update with the step $K$ and the scale 400 follows each game. For a small "
    "step, how far from 0 does the difference of their ratings stay, and what is that for the step 32?",
    r"The variance of the difference goes to $400 K / \log 10$: for the step 32 the deviation is about 74.6 points. A constant "
    "step never settles, unlike the maximum of the likelihood; half the step halves the variance, and then "
    "needs twice as many games to follow a player who improves.",
    level="hard",
    hint="Expand the expected outcome to first order in the difference, and ask for a variance that a game leaves unchanged.",
)
def a_rating_that_never_rests():
    step, variance = sympy.symbols("K v", positive=True)
    of_outcome = 1 / (1 + sympy.exp(-d * sympy.log(10) / 400))
    kept = 1 - 2 * step * of_outcome.diff(d).subs(d, 0)  # the share of the difference that is left, to first order
    (settled,) = sympy.solve(kept**2 * variance + (2 * step) ** 2 / 4 - variance, variance)
    yield sympy.limit(settled / step, step, 0), 400 / sympy.log(10)
    yield sympy.sqrt(400 * 32 / sympy.log(10)).evalf(), "74.6"
