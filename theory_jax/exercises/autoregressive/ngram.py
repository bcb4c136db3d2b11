"""Exercises of the lecture: Counting is maximum likelihood; smoothing is what makes it usable."""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, log, solve, symbols

from theory_jax.autoregressive.ngram import additive_log_probs, interpolation_em_step, kneser_ney_log_probs
from theory_jax.lectures.autoregressive.ngram import derivation


@derivation.exercise(
    r"A context was followed by its three words 3, 1 and 0 times. What does the pseudo-count 1/2 give the word that was never "
    r"seen?",
    r"$\frac{0.5}{4 + 1.5}$, which is 1/11.",
    level="easy",
    hint="Add the pseudo-count to every count.",
)
def an_unseen_word():
    yield jnp.exp(additive_log_probs(jnp.array([3.0, 1.0, 0.0]), pseudo_count=0.5))[2], "1/11"


@derivation.exercise(
    r"Take one step of EM from the weights $(\frac13, \frac23)$, where the tables give the first token $\frac12$ and $\frac17$ "
    r"and the second $\frac15$ and $\frac23$.",
    r"The first token comes from the first table with probability $\frac{1/6}{1/6 + 2/21}$, which is 7/11, the second with "
    r"$\frac{1/15}{1/15 + 4/9}$, which is 3/23; the new weights are 97/253 and 156/253.",
    level="easy",
    hint="Compute for each token the share of each table in the mixture's probability.",
)
def one_step_of_em():
    step = interpolation_em_step(jnp.log(jnp.array([[1 / 2, 1 / 7], [1 / 5, 2 / 3]])), jnp.log(jnp.array([1 / 3, 2 / 3])))
    yield jnp.exp(step)[0], "97/253"
    yield jnp.exp(step)[1], "156/253"


@derivation.exercise(
    "Francisco occurs 50 times, always after San. The text has 200 different pairs. What is its share of the freed mass?",
    "1/200, whatever the 50 is: it was seen in one context.",
    level="medium",
    hint="What does the continuation distribution count?",
)
def francisco():
    counts = np.zeros((16, 16))
    counts[:15, :15] = np.where(np.arange(225) < 199, 3.0, 0.0).reshape(
        15, 15
    )  # other pairs; the last context was never seen, so it has the continuation distribution
    counts[0, 15] = 50.0  # the last context was never seen: it has the continuation distribution
    yield jnp.exp(kneser_ney_log_probs(jnp.array(counts), discount=0.5))[15, 15], "1/200"


@derivation.exercise(
    "A context occurred 100 times, always followed by the same one of 50,000 words. Which probability does the pseudo-count 1 "
    "give this word? Which pseudo-count would give it one half?",
    "0.002016: the prior is worth 50,000 observations, and the text has 100 of them. For one half the pseudo-count must be "
    "100/49998, about 0.002. On a large vocabulary adding one nearly forgets the text.",
    level="medium",
    hint="How many observations is the prior worth?",
)
def adding_one():
    counts = jnp.zeros(50_000).at[0].set(100.0)
    yield jnp.exp(additive_log_probs(counts, pseudo_count=1.0))[0], "0.002016"
    chosen = symbols("alpha", positive=True)
    half = solve((100 + chosen) / (100 + 50_000 * chosen) - Rational(1, 2), chosen)[0]
    yield half, Rational(100, 49998)
    yield jnp.exp(additive_log_probs(counts, pseudo_count=float(half)))[0] - 0.5, "0"


@derivation.exercise(
    "The discount can be fitted to the training text itself: leave out one occurrence of a pair at a time, and predict it from "
    "the rest. A pair that occurred once is then unseen, and its probability is proportional to $d$; one that occurred $r$ "
    "times has $r - 1 - d$ in the numerator, if nothing is added to seen words. There are 60 pairs that occurred once, 20 "
    "twice, and none more often. Which $d$ is the best? What if there are also 10 that occurred three times?",
    r"Each of the 60 contributes $\log d$, and each of the 40 occurrences of the others $\log(1 - d)$: the best discount is "
    r"60/(60 + 40), which is 3/5. With 30 more occurrences that contribute $\log(2 - d)$ it is 0.5488: frequent pairs ask for "
    "a smaller discount.",
    level="hard",
    hint="A pair that occurred $r$ times is left out $r$ times; write down the sum of logarithms as a function of $d$.",
)
def a_discount_from_the_text():
    d = symbols("d", positive=True)
    for pairs, said in (({1: 60, 2: 20}, Rational(3, 5)), ({1: 60, 2: 20, 3: 10}, "0.5488")):
        total = sum(r * many * log(d if r == 1 else r - 1 - d) for r, many in pairs.items())
        best = [root for root in solve(total.diff(d), d) if 0 < root < 1]
        yield best[0] if said == Rational(3, 5) else float(best[0]), said
