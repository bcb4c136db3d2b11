"""Exercises of the lecture: Counting is maximum likelihood; smoothing is what makes it usable."""

import jax.numpy as jnp
import numpy as np

from theory_jax.autoregressive.ngram import additive_log_probs, interpolation_em_step, kneser_ney_log_probs
from theory_jax.lectures.autoregressive.ngram import derivation


@derivation.exercise(
    r"A context was followed by its three words 3, 1 and 0 times. What does $\alpha = \frac12$ give the word that was never "
    r"seen?",
    r"$\frac{0.5}{4 + 1.5} = 1/11$.",
)
def an_unseen_word():
    yield jnp.exp(additive_log_probs(jnp.array([3.0, 1.0, 0.0]), pseudo_count=0.5))[2], "1/11"


@derivation.exercise(
    r"Take one step of EM from $\lambda = (\frac13, \frac23)$, where the tables give the first token $\frac12$ and $\frac17$ "
    r"and the second $\frac15$ and $\frac23$.",
    r"The first token comes from the first table with probability $\frac{1/6}{1/6 + 2/21} = \frac{7}{11}$, the second with "
    r"$\frac{1/15}{1/15 + 4/9} = \frac{3}{23}$; the new weights are 97/253 and 156/253.",
)
def one_step_of_em():
    step = interpolation_em_step(jnp.log(jnp.array([[1 / 2, 1 / 7], [1 / 5, 2 / 3]])), jnp.log(jnp.array([1 / 3, 2 / 3])))
    yield jnp.exp(step)[0], "97/253"
    yield jnp.exp(step)[1], "156/253"


@derivation.exercise(
    "Francisco occurs 50 times, always after San. The text has 200 different pairs. What is its share of the freed mass?",
    "1/200, whatever the 50 is: it was seen in one context.",
)
def francisco():
    counts = np.zeros((16, 16))
    counts[:15, :15] = np.where(np.arange(225) < 199, 3.0, 0.0).reshape(
        15, 15
    )  # other pairs; the last context was never seen, so it has the continuation distribution
    counts[0, 15] = 50.0  # the last context was never seen: it has the continuation distribution
    yield jnp.exp(kneser_ney_log_probs(jnp.array(counts), discount=0.5))[15, 15], "1/200"
