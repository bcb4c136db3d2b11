"""Exercises on the Wasserstein distance and its critics, with the points of the lecture's example."""

import math

import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.wasserstein_gan import sinkhorn, wasserstein_distance_1d
from theory_jax.lectures.adversarial._transport import value_of
from theory_jax.lectures.adversarial.wasserstein_gan import _APART, _HALVES, derivation


@derivation.exercise(
    "What are $W_1$ and the divergence of $(1, 0, 0)$ and $(0, 0, 1)$ on the points of the example, and of $(1, 0, 0)$ and $(0, "
    "1, 0)$?",
    "$W_1$ is 3 and 1: all mass moves by 3, or by 1. The divergence is 0.6931 both times: the points differ, and that is all it "
    "sees.",
    level="easy",
    hint="There is one coupling only: all mass goes from one point to the other.",
)
def moved_mass():
    first, middle, last = np.eye(3)
    yield value_of((3.0, 2.0, 0.0), first, last), "3"
    yield value_of((1.0, 0.0, 0.0), first, middle), "1"
    yield jensen_shannon_divergence(jnp.log(jnp.array([first])), jnp.log(jnp.array([last]))), "0.6931"


@derivation.exercise(
    r"On a line all samples are to the right of all data. How does $W_1$ change if every sample moves to the right by 0.1?",
    r"By 0.1: the sorted matching stays, and each of its distances grows by as much. The divergence stays $\log 2$.",
    level="easy",
    hint="Sort both; what happens to each pair?",
)
def all_to_the_right():
    data, samples = jnp.array([0.0, 0.3, -1.0]), jnp.array([2.0, 1.5, 4.0])
    yield wasserstein_distance_1d(data, samples + 0.1) - wasserstein_distance_1d(data, samples), "0.1"


@derivation.exercise(
    "Let $p$ and $q$ differ, and let $f$ be a best critic. Show that its steepest slope is exactly 1. What is the value of "
    "$2f/3$ in the example?",
    "If the steepest slope $L$ were below 1, the critic $f/L$ would still be 1-Lipschitz and worth $W_1/L$, more than $W_1$, "
    r"which the bound forbids. The value is two thirds of $\frac54$, 0.8333.",
    level="medium",
    hint="The value is linear in the critic: what is the largest multiple that is still 1-Lipschitz?",
)
def too_flat():
    yield value_of((2.0, 4 / 3, 0.0)), "0.8333"


@derivation.exercise(
    "Four heaps stand in a row, a unit apart, with 0.5, 0.1, 0.2 and 0.2 of the mass; 0.1, 0.3, 0.2 and 0.4 are wanted. How much "
    "mass must cross each of the three gaps? Use this to find $W_1$, and a critic that proves it.",
    "0.4, 0.2 and 0.2: what is to the left of a gap and not wanted there has to cross it, in every plan. A unit of mass pays 1 "
    "for every gap that it crosses, so $W_1$ is the sum, 0.8. The critic falls by 1 in every gap that is crossed to the right, "
    "(3, 2, 1, 0), and its value is 0.8, too. So on a line $W_1$ is the area between the two distribution functions.",
    level="medium",
    hint="Compare the mass to the left of a gap before and after.",
)
def mass_across_the_gaps():
    before, after = np.array([0.5, 0.1, 0.2, 0.2]), np.array([0.1, 0.3, 0.2, 0.4])
    crossing = np.cumsum(before - after)[:3]
    yield jnp.array(crossing), "0.4, 0.2 and 0.2"
    yield np.abs(crossing).sum(), "0.8"
    yield value_of((3.0, 2.0, 1.0, 0.0), before, after), "0.8"
    places = [np.repeat(np.arange(4.0), np.round(10 * mass).astype(int)) for mass in (before, after)]
    yield wasserstein_distance_1d(*map(jnp.asarray, places)), "0.8"


@derivation.exercise(
    "A critic of two layers, a weight each and a rectifier between them, has its weights clipped to 0.01. How steep can it be, "
    "and what is the largest value that it can have in the example?",
    "Its slope is at most the product of the weights, 0.0001, and its value at most that times the distance, 0.000125. The "
    "loss is small although the samples are far: the value estimates $W_1$ up to a factor that the clipping sets.",
    level="medium",
    hint="Slopes of layers multiply, and a rectifier has slope 0 or 1.",
)
def clipped():
    slope = 0.01**2
    yield slope, "0.0001"
    yield value_of(tuple(slope * value for value in (3.0, 2.0, 0.0))), "0.000125"


@derivation.exercise(
    r"Two points at distance 1 again, with half of the mass at each. The entropic plan costs $\bar C$ where nothing need move. "
    r"How large can $\bar C/\varepsilon$ be, over all $\varepsilon$, next to the bound $\log 4$?",
    r"With $t$ for $1/\varepsilon$ it is $t/(1 + e^t)$. Its slope is zero where $e^{-t}$ is $t - 1$, at 1.2785, and its value "
    "there is the same number, less one: 0.2785. The bound allows 1.3863.",
    level="hard",
    hint=r"Write it as a function of $1/\varepsilon$, and set the slope of its logarithm to zero.",
)
def excess_for_the_weight():
    t = brentq(lambda t: math.exp(-t) - (t - 1), 1, 2)
    yield t, "1.2785"
    yield sinkhorn(_HALVES, _HALVES, _APART, epsilon=1 / t, iterations=2)[1] * t, "0.2785"
    yield math.log(4), "1.3863"
