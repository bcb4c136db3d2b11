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
    level="medium",
    hint="The cost is linear in the probability of one pair, and that probability is known for every regularization.",
)
def a_cost_of_two():
    yield 4 / math.log(3), "3.641"
    yield (of_table(4 / math.log(3), 20) * TABLE).sum(), "2"


@derivation.exercise(
    r"How many iterations shrink the example's error tenfold near the solution, with the regularization $\frac12$?",
    r"Each leaves $\tanh^2 4$ of it, or 0.99866: $\log 10/{-\log \tanh^2 4}$, which is 1716. With the regularization 4 two are "
    "enough.",
    level="easy",
    hint="Which share of a small error does one iteration leave, and which power of it is a tenth?",
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
    level="medium",
    hint="Which of the two noise numbers goes to the larger datum?",
)
def a_label_that_is_forgotten():
    yield 1 / math.sqrt(math.pi), "0.5642"
    larger = np.linspace(-8, 8, 4001)
    density = 2 * jax.scipy.stats.norm.pdf(larger) * jax.scipy.stats.norm.cdf(larger)
    yield (larger * density).sum() * (larger[1] - larger[0]), "0.5642"


@derivation.exercise(
    "Noise and data are standard normal numbers with the correlation 0.8 in a pair. What is the variance of the target at a "
    "position, at the times 0.5 and 0.25, and what is it for random pairs?",
    "0.4 and 0.3892; for random pairs 2 and 1.6. Most is gained halfway.",
    level="easy",
    hint="Insert the correlation, and then zero, into the formula of the variance that is left.",
)
def a_correlation():
    for correlation, printed in ((0.8, "0.4 and 0.3892"), (0.0, "2 and 1.6")):
        of_pair, left = np.array([[1, correlation], [correlation, 1]]), []
        for time in (0.5, 0.25):
            place, target = np.array([1 - time, time]), np.array([-1, 1])
            left.append(target @ of_pair @ target - (target @ of_pair @ place) ** 2 / (place @ of_pair @ place))
        yield np.array(left), printed


@derivation.exercise(
    "Noise and data are standard normal in 100 dimensions, and independent. Which share of the cost of random pairs does the "
    "better assignment save in a batch of two? What was it in one dimension?",
    r"Let $a - \tilde a$ and $b - \tilde b$ be the differences. The better assignment saves half of the expected absolute "
    r"value of their inner product, $\sqrt{2/\pi}$ times the mean length of a standard normal vector: 7.9589 of 200, or "
    "0.0398. In one dimension it is 0.3183. The saving grows like the root of the dimension, and the cost like the dimension "
    "itself.",
    level="hard",
    hint="By how much do the costs of the two assignments differ, and what is the distribution of that given one of the vectors?",
)
def two_pairs_in_many_dimensions():
    def saved(dim):
        length = math.sqrt(2) * math.exp(math.lgamma((dim + 1) / 2) - math.lgamma(dim / 2))
        return math.sqrt(2 / math.pi) * length

    yield saved(100), "7.9589"
    yield saved(100) / 200, "0.0398"
    yield saved(1) / 2, "0.3183"
    yield (2 - (2 - 2 / math.pi)) / 2, "0.3183"
