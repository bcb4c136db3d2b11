"""Exercises of the lecture: Minibatch couplings: pairing noise with data so that paths keep apart."""

import math

import jax
import numpy as np
from sympy import Rational, log

from theory_jax.derivation.notation import plus, times
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.flows._minibatch_coupling import TABLE, of_table
from theory_jax.lectures.flows.minibatch_coupling import derivation, epsilon, gap, p, rest, solution


@derivation.exercise(
    r"At which $\varepsilon$ does the example's entropic plan cost 2?",
    prose(
        r"It costs {cost}, so $p$ is $\frac18$ and $e^{4/\varepsilon}$ is 3: at $4/\log 3$, or 3.641, where {solved}.",
        cost=holds(plus(10 * p, times(2, rest)), "=", 1 + 8 * p),
        solved=holds(solution, "=", Rational(1, 8), when={gap: 8, epsilon: 4 / log(3)}),
    ),
)
def a_cost_of_two():
    yield 4 / math.log(3), "3.641"
    yield (of_table(4 / math.log(3), 20) * TABLE).sum(), "2"


@derivation.exercise(
    r"How many iterations shrink the example's error tenfold near the solution, with the regularization $\frac12$?",
    r"Each leaves $\tanh^2 4$ of it, or 0.99866: $\log 10/{-\log \tanh^2 4}$, which is 1716. With the regularization 4 two are "
    "enough.",
)
def a_tenfold_smaller_error():
    yield math.tanh(4) ** 2, "0.99866"
    yield round(math.log(10) / -math.log(math.tanh(4) ** 2)), "1716"
    yield math.ceil(math.log(10) / -math.log(math.tanh(0.5) ** 2)), "2"


@derivation.exercise(
    r"Data $\pm 1$ come with their sign as a label, one of each in a batch of two, and noise is paired by sorting, whatever "
    "the label. What is the mean of the noise given the label $+$, and what goes wrong when the label is requested?",
    r"The larger of two standard normal numbers has the mean $1/\sqrt\pi$, or 0.5642. The model learns a flow from that "
    r"distribution, but sampling starts from $\mathcal{N}(0, 1)$ with the mean 0. Pair within a label.",
)
def a_label_that_is_forgotten():
    yield 1 / math.sqrt(math.pi), "0.5642"
    larger = np.linspace(-8, 8, 4001)
    density = 2 * jax.scipy.stats.norm.pdf(larger) * jax.scipy.stats.norm.cdf(larger)
    yield (larger * density).sum() * (larger[1] - larger[0]), "0.5642"
