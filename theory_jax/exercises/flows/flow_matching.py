"""Exercises of the lecture: Flow matching: a field that no one can compute, learned from pairs that anybody can draw."""

import math

import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr
from sympy import Integer, Rational

from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.flow_matching import marginal_velocity, mixture_velocity
from theory_jax.flows.ode_solvers import solve_fixed
from theory_jax.lectures.flows._noisy_labels import PLACES, SHARES
from theory_jax.lectures.flows.flow_matching import V, derivation, s, t


@derivation.exercise(
    "What is the velocity at time 0, for data with any distribution that has a mean? Compute it for the points 1 and $-3$ at "
    "the position 0.5.",
    "The position is the noise and tells nothing about the data, so it is the mean of the data, $-1$, minus the position: -1.5.",
    level="easy",
    hint="What does the position tell about the data at time 0?",
)
def velocity_at_the_start():
    yield marginal_velocity(jnp.array([[0.5]]), jnp.array([[1.0], [-3.0]]), jnp.zeros(1)), "-1.5"


@derivation.exercise(
    "How large is the floor for Gaussian data of variance 4, halfway and for uniform times?",
    prose(
        r"The floor is {floor}: 3.2. For uniform times it is $\frac{\pi}{2} \cdot 2$, or 3.1416.",
        floor=holds(s / V, "=", Rational(16, 5), when={s: 4, t: Rational(1, 2)}, named=True),
    ),
    level="easy",
    hint="Insert the variance and the time into the chain of the floor; then average over the time.",
)
def floor_of_gaussian_data():
    yield 4 / (0.25 + 0.25 * 4), "3.2"
    grid = (np.arange(2000) + 0.5) / 2000
    yield np.mean(4 / ((1 - grid) ** 2 + 4 * grid**2)), "3.1416"


@derivation.exercise(
    r"A model errs by $\delta$ everywhere for Gaussian data of variance 4 and mean 0. How far from the data are its samples, "
    r"and what does the bound say? The true field has the largest slope $\frac54$.",
    r"The error $\epsilon$ grows at the rate $\beta \epsilon + \delta$ from 0, so it is $\delta \sqrt V \int_0^t V^{-1/2}$, "
    r"and its square at time 1 is $2.964\, \delta^2$. The bound is $e^{3.5} \delta^2$, which is $33.115\, \delta^2$.",
    level="medium",
    hint="The difference of the two positions has a linear equation with the slope of the true field.",
)
def error_and_bound():
    end = solve_fixed(
        jnp.zeros((1, 1)),
        jnp.linspace(0.0, 1.0, 33),
        lambda x, time: 1 + mixture_velocity(x, time[None], np.zeros((1, 1)), np.log([4.0]), np.zeros(1)),
    )
    yield end[0, 0] ** 2, "2.964"
    yield math.exp(3.5), "33.115"


@derivation.exercise(
    "The figure of the training: how large is the loss of a perfect model halfway, and its standard error on 128 pairs? A "
    "second model is off by 0.2236 everywhere, so its loss is 0.05 higher. How many pairs, the same for both models, make the "
    "difference of their losses twice its standard error?",
    r"The loss is the floor $F$, 1.798, and its standard error 0.2843, six times the difference: two losses of single batches do "
    r"not tell which model is better. On the same pairs the losses differ by $\delta^2 - 2 \delta e$, with the error $\delta$ of "
    r"the model and the noise $e$ of the label, whose variance is $F$. So it takes $16 F / \delta^2$ pairs, 575.5. Models should "
    "be compared on the same noise, data and times.",
    level="medium",
    hint="Subtract the two losses of one pair: most of the noise cancels.",
)
def which_model_is_better():
    means = np.tanh(2 * PLACES)
    second, fourth = (
        SHARES @ sum((1 + sign * means) / 2 * (2 * (sign - means)) ** power for sign in (-1, 1)) for power in (2, 4)
    )
    yield second, "1.798"
    yield math.sqrt((fourth - second**2) / 128), "0.2843"
    yield 16 * second / 0.05, "575.5"


@derivation.exercise(
    "A perfect model of finitely many data points is sampled by Euler's method, and the last step goes from time 0.9 to 1. Where "
    "can it end? Compute it for data 1 and $-1$, from the positions 0.1 and 0.01.",
    "At the data that the velocity predicts, a mean of the data points under their distribution given the position: never "
    "outside of their convex hull, and at one of them wherever one is certain. Here it ends at 1.0000 and at 0.7163: the "
    "second is no data point, since the last step is too long there.",
    level="medium",
    hint="The last step has exactly the length of the time that is left.",
)
def the_last_step():
    x, time = jnp.array([[0.1], [0.01]]), jnp.full(2, 0.9)
    ends = x + 0.1 * marginal_velocity(x, jnp.array([[1.0], [-1.0]]), time)
    yield ends[0], "1.0000"
    yield ends[1], "0.7163"


@derivation.exercise(
    "A model of large capacity is trained with the absolute error in place of the squared one, on data 1 with the probability "
    "0.7 and $-1$ with 0.3. Which field does it learn, from which starts does its flow reach $-1$, and which share of the "
    "samples is that?",
    "It learns the median of the velocity given the position: with two data points the velocity to the more probable one. A "
    r"start $x_0$ moves to 1 until $-1$ is more probable, which happens only below $-\sqrt{2 \log(7/3)}$, or -1.3018: a share "
    "of 0.0965 instead of 0.3. Means carry the average density; medians do not.",
    level="hard",
    hint="On its way to 1, a start is at a known position at every time; compare the weights of both data points there.",
)
def absolute_errors():
    starts = np.arange(-1.4, -1.2, 0.0002) + 0.0001
    x, steps = starts.copy(), 2000
    for step in range(steps):
        time = step / steps
        log_odds = math.log(7 / 3) + 2 * time * x / (1 - time) ** 2
        x = x + (np.where(log_odds > 0, 1.0, -1.0) - x) / (1 - time) / steps
    last = starts[x < 0].max()
    yield round(last + math.sqrt(2 * math.log(7 / 3)), 3), Integer(0)
    yield -math.sqrt(2 * math.log(7 / 3)), "-1.3018"
    yield ndtr(-math.sqrt(2 * math.log(7 / 3))), "0.0965"
