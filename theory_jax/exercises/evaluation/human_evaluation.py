"""Exercises of the lecture: Human evaluation: how certain are twenty verdicts, and when is agreement more than chance?."""

import numpy as np

from theory_jax.evaluation.human_evaluation import Z_95, fleiss_kappa, wilson_interval
from theory_jax.lectures.evaluation._verdicts import walds_interval
from theory_jax.lectures.evaluation.human_evaluation import derivation


@derivation.exercise(
    "No one of twenty people finds a fault. How large can the share of people who would still be, by Wilson's interval at 95%?",
    r"$\frac{z^2}{n + z^2}$, that is $\frac{3.8415}{23.8415}$ or 0.1611; Wald's interval gives 0.",
)
def no_success():
    yield wilson_interval(np.array([0]), np.array([20]))[1], "0.1611"
    yield walds_interval(0, 20, Z_95)[1], "0"


@derivation.exercise(
    "Two raters always disagree. What is kappa with two categories, and with three that are used equally often?",
    r"With two, no pair agrees and chance gives $\frac12$: kappa is $-1$. With three, chance gives $\frac13$, and kappa is "
    r"-0.5. So the bound $-\frac{1}{R - 1}$ is reached only if all items have the same counts.",
)
def always_disagree():
    yield fleiss_kappa(np.array([[1, 1], [1, 1]])), "-1"
    yield fleiss_kappa(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])), "-0.5"


@derivation.exercise(
    r"Four raters are split two to two on every item. What is kappa, and is it the smallest for four raters?",
    r"A third of the pairs agree, by chance a half would: kappa is -1/3, which is $-\frac{1}{R-1}$: no table of four raters "
    "has less.",
)
def two_to_two():
    yield fleiss_kappa(np.full((5, 2), 2)), "-1/3"
