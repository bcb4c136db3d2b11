"""Exercises of the lecture: Human evaluation: how certain are twenty verdicts, and when is agreement more than chance?."""

import numpy as np
from scipy.stats import binom

from theory_jax.evaluation.human_evaluation import Z_95, fleiss_kappa, wilson_interval
from theory_jax.lectures.evaluation._verdicts import walds_interval
from theory_jax.lectures.evaluation.human_evaluation import derivation


@derivation.exercise(
    "No one of twenty people finds a fault. How large can the share of people who would still be, by Wilson's interval at 95%?",
    r"$\frac{z^2}{n + z^2}$, that is $\frac{3.8415}{23.8415}$ or 0.1611; Wald's interval gives 0.",
    level="easy",
    hint="Without a success the lower end is 0; insert zero successes into the upper end.",
)
def no_success():
    yield wilson_interval(np.array([0]), np.array([20]))[1], "0.1611"
    yield walds_interval(0, 20, Z_95)[1], "0"


@derivation.exercise(
    "Two raters always disagree. What is kappa with two categories, and with three that are used equally often?",
    r"With two, no pair agrees and chance gives $\frac12$: kappa is $-1$. With three, chance gives $\frac13$, and kappa is "
    r"-0.5. So the bound $-\frac{1}{R - 1}$ is reached only if all items have the same counts.",
    level="medium",
    hint="Count the pairs that agree, and the pooled shares.",
)
def always_disagree():
    yield fleiss_kappa(np.array([[1, 1], [1, 1]])), "-1"
    yield fleiss_kappa(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]])), "-0.5"


@derivation.exercise(
    r"Four raters are split two to two on every item. What is kappa, and is it the smallest for four raters?",
    r"A third of the pairs agree, by chance a half would: kappa is -1/3, which is $-\frac{1}{R-1}$: no table of four raters "
    "has less.",
    level="medium",
    hint="Of the six pairs of raters of an item, how many agree?",
)
def two_to_two():
    yield fleiss_kappa(np.full((5, 2), 2)), "-1/3"


@derivation.exercise(
    "A page wants to report a share near one half to five points in either direction, at 95%. How many verdicts does it need? "
    "How wide is the interval for ten of twenty?",
    r"At a share of one half, half of the width is $\frac{z}{2 \sqrt{n + z^2}}$. It is 0.05 at $99 z^2$, or 380.3, so 381 are "
    "needed; twenty verdicts tell the share to 0.2007 in either direction.",
    level="easy",
    hint="Insert equally many successes and failures into both ends, and subtract.",
)
def five_points():
    yield 99 * Z_95**2, "380.3"
    low, high = wilson_interval(np.array([10, 190, 191]), np.array([20, 380, 382]))
    yield (high[0] - low[0]) / 2, "0.2007"
    yield 381.0 if high[2] - low[2] < 0.1 < high[1] - low[1] else 0.0, "381"


@derivation.exercise(
    "Two raters agree on 95 of 100 images, all of which they call good; on the others one says good and one bad. Two other "
    "raters agree on 95 of 100, of which they call 47 good and 48 bad. What are the two kappas, and what do they say?",
    "-0.0256 and 0.9000. By chance the first two would agree on 0.9512 of the images, since nearly all verdicts are good: they "
    "show no common judgment, with the same agreement. An agreement in percent means nothing without the shares.",
    level="medium",
    hint="What are the pooled shares, and how often would two raters agree who choose by them?",
)
def the_same_agreement():
    table = np.array([[2, 0]] * 95 + [[1, 1]] * 5)
    yield fleiss_kappa(table), "-0.0256"
    yield fleiss_kappa(np.array([[2, 0]] * 47 + [[0, 2]] * 48 + [[1, 1]] * 5)), "0.9000"
    shares = table.sum(axis=0) / table.sum()
    yield shares @ shares, "0.9512"


@derivation.exercise(
    "Two models are equally good. Somebody looks after each of at most twenty verdicts, and stops as soon as Wilson's interval "
    "at 95% leaves out one half. With which probability is a winner announced? And with one look, after the twentieth?",
    "0.2230, and 0.0414 with one look. Each look is another chance to be wrong; the interval is for a number of trials that is "
    "fixed before.",
    level="hard",
    hint="Follow the distribution of the number of successes, and take out what has stopped.",
)
def a_look_after_each_verdict():
    def leaves_out(wins, trials):
        low, high = wilson_interval(wins, np.full(len(wins), trials))
        return (np.asarray(low) > 0.5) | (np.asarray(high) < 0.5)

    running = np.ones(1)
    for trials in range(1, 21):
        running = np.convolve(running, [0.5, 0.5])
        running = np.where(leaves_out(np.arange(trials + 1), trials), 0.0, running)
    yield 1 - running.sum(), "0.2230"
    yield binom.pmf(np.arange(21), 20, 0.5) @ leaves_out(np.arange(21), 20), "0.0414"
