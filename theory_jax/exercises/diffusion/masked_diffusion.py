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
from theory_jax.lectures.diffusion.masked_diffusion import derivation


@derivation.exercise(
    "Three fair bits that are always equal, exact conditionals: which is the bound with one step, and with ever more?",
    r"$3 \log 2$, which is 2.0794, and $\log 2$, 0.6931. With one step the bits are drawn independently.",
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
)
def two_orders():
    bound, best = -(math.log(0.4) + math.log(0.3)) / 2, -math.log(0.35)
    yield bound, "1.0601"
    yield best, "1.0498"
    yield bound - best, "0.0103"


@derivation.exercise(
    r"Every place costs $c$. With $\tau$ uniform, the level $1 - \tau$ and the weight $\frac1\tau$, which mean and variance has "
    r"the loss? What if the number $n$ of masks is drawn uniformly from $1, \dots, L$ instead, with the weight $\frac{L}{n}$?",
    r"$L c$ in the mean, and an infinite variance, $c^2 L \int \frac{1 - \tau}{\tau} d\tau$: from $\varepsilon$ on the "
    r"integral is $-\log \varepsilon$ times a factor that goes to 1. With $n$ drawn, $L c$ always: the code's loss at "
    r"the level $1 - \frac{n}{L}$ with the slope $-1$. Its mean over $n$ and over sets of $n$ positions is the bound, too, since "
    r"$\frac1L \cdot \frac{L}{n} / \binom{L}{n}$ is the Beta integral. With three tokens that cost $\log 2$: $2.0794$.",
)
def a_better_estimate():
    noisy = np.array([[2, 0, 0], [2, 2, 0], [2, 2, 2]])
    kept = np.array([2 / 3, 1 / 3, 0.0])
    losses = masked_diffusion_loss(np.zeros((3, 3, 3)), np.zeros((3, 3), int), noisy, kept, np.full(3, -1.0), mask_id=2)
    yield from ((loss, "2.0794") for loss in losses)
    s, least = sympy.symbols("s e", positive=True)
    yield float(sympy.limit(sympy.integrate((1 - s) / s, (s, least, 1)) / -sympy.log(least), least, 0)), "1"
