"""Exercises of the lecture.

Masked diffusion: its bound is the average over all reading orders, and what is drawn together is lost.
"""

import math

import numpy as np
import sympy
from sympy import Rational, log

from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.masked_diffusion import masked_diffusion_loss
from theory_jax.lectures.diffusion._bits_in_steps import mean_bound, uniform_levels
from theory_jax.lectures.diffusion.masked_diffusion import _BITS, derivation


@derivation.exercise(
    "Three fair bits that are always equal, exact conditionals: which is the bound with one step, and with ever more?",
    r"$3 \log 2$, which is 2.0794, and $\log 2$, 0.6931. With one step the bits are drawn independently.",
    level="easy",
    hint="With one step every bit is drawn without seeing the others.",
)
def three_equal_bits():
    joint = np.full((2, 2, 2), 1e-300)
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    yield mean_bound(joint, uniform_levels(1)), "2.0794"
    yield math.log(2), "0.6931"


@derivation.exercise(
    r"Two orders give a text the probabilities $0.4$ and $0.3$. What are the bound, and $-\log$ of their mean?",
    prose(
        "They are 1.0601 and 1.0498: {more}, the disagreement costs $0.0103$.",
        more=holds(-log(Rational(3, 25)) / 2, ">", -log(Rational(7, 20))),
    ),
    level="easy",
    hint="The bound is the mean of two logarithms.",
)
def two_orders():
    bound, best = -(math.log(0.4) + math.log(0.3)) / 2, -math.log(0.35)
    yield bound, "1.0601"
    yield best, "1.0498"
    yield bound - best, "0.0103"


@derivation.exercise(
    "Three fair bits that are always equal, exact conditionals, and two equal steps: by how much does the bound exceed the "
    "entropy?",
    r"By $\frac78 \log 2$, or 0.6065. With probability $\frac14$ all three are filled in by one step, which loses $2 \log 2$. "
    r"Otherwise the first step fills one or two, equally likely: two lose $\log 2$, and what comes after is certain. The bound "
    "is 1.2997.",
    level="medium",
    hint="Only the first step that fills anything loses something; how many bits does it fill?",
)
def two_equal_steps():
    joint = np.full((2, 2, 2), 1e-300)
    joint[0, 0, 0] = joint[1, 1, 1] = 0.5
    bound = mean_bound(joint, uniform_levels(2))
    yield bound - math.log(2), "0.6065"
    yield bound, "1.2997"
    yield 7 / 8 * math.log(2), "0.6065"


@derivation.exercise(
    r"A masked language model averages the cross entropies over a uniform rate of masks, without the weight $1/(1 - \alpha)$. "
    "What is this loss for the two bits of the example with exact conditionals, and is it a bound?",
    r"0.6289, while the entropy is 1.1935: no bound. In terms of the example it is $H/2 + I/6$: positions with few visible "
    "tokens count too much against those with many, and all of them too little.",
    level="medium",
    hint=r"Integrate $(1 - \alpha)$ times the integrand of two tokens, which is $H + (1 - 2 \alpha) I$.",
)
def without_the_weight():
    marginals, entropy_ = 2 * math.log(2), -np.sum(_BITS * np.log(_BITS))
    rate, first, second = sympy.symbols("a c d", positive=True)
    loss = sympy.integrate((1 - rate) ** 2 * first + rate * (1 - rate) * second, (rate, 0, 1))
    yield float(loss.subs({first: marginals, second: 2 * (entropy_ - math.log(2))})), "0.6289"
    yield entropy_, "1.1935"
    yield entropy_ / 2 + (marginals - entropy_) / 6, "0.6289"


@derivation.exercise(
    r"Every position costs $c$. With $\tau$ uniform, the level $1 - \tau$ and the weight $\frac1\tau$, which mean and variance "
    r"has the loss? What if the number $n$ of masks is drawn uniformly from $1, \dots, L$ instead, with the weight "
    r"$\frac{L}{n}$?",
    r"$L c$ in the mean, and an infinite variance, $c^2 L \int \frac{1 - \tau}{\tau} d\tau$: from $\varepsilon$ on the "
    r"integral is $-\log \varepsilon$ times a factor that goes to 1. With $n$ drawn, $L c$ always: the code's loss at "
    r"the level $1 - \frac{n}{L}$ with the slope $-1$. Its mean over $n$ and over sets of $n$ positions is the bound, too, since "
    r"$\frac1L \cdot \frac{L}{n} / \binom{L}{n}$ is the Beta integral. With three tokens that cost $\log 2$: $2.0794$.",
    level="hard",
    hint="Given the level the number of masks is binomial; write the mean and the second moment of the loss.",
)
def a_better_estimate():
    noisy = np.array([[2, 0, 0], [2, 2, 0], [2, 2, 2]])
    kept = np.array([2 / 3, 1 / 3, 0.0])
    losses = masked_diffusion_loss(np.zeros((3, 3, 3)), np.zeros((3, 3), int), noisy, kept, np.full(3, -1.0), mask_id=2)
    yield from ((loss, "2.0794") for loss in losses)
    s, least = sympy.symbols("s e", positive=True)
    yield float(sympy.limit(sympy.integrate((1 - s) / s, (s, least, 1)) / -sympy.log(least), least, 0)), "1"
