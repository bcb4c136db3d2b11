"""Exercises of the lecture: Rectified flow: train on the pairs that the flow itself makes, and its paths become straight."""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integer, Matrix, Rational, Symbol, cos, eye, sin

from theory_jax.flows.flow_matching import mixture_velocity
from theory_jax.flows.rectified_flow import reflow_pairs, straightness, transport_cost
from theory_jax.lectures.flows.rectified_flow import _field_of, _second_field, derivation


@derivation.exercise(
    r"Noise and data have the same distribution, $c = 1$. What are $C_0$, $C_1$, $S$ and $W$?",
    r"2, 0, $2 - \frac{\pi}{2} = 0.4292$ and $\frac{\pi}{2} = 1.5708$: independent pairs cost 2, the flow takes every start back "
    r"to itself, on a path that bends.",
    level="easy",
    hint="Independent pairs cost the sum of both variances, and the flow ends where it starts.",
)
def the_same_law():
    yield transport_cost(np.ones((1, 1)), np.array([[1.0]]))[0], "0"
    grid = jnp.linspace(0.0, 1.0, 257)
    first, second = (straightness(jnp.ones((1, 1)), some, _field_of(1.0))[0] for some in (grid[::2], grid))
    yield jnp.round(2 * second - first, 4), "0.4292"
    yield math.pi / 2, "1.5708"


@derivation.exercise(
    r"What is the mean of the cost $|x_1 - x_0|$ for $c = 4$, before and after the first round?",
    r"$x_1 - x_0$ is normal with variance 5, then 1, so it is $\sqrt{2/\pi} \sqrt 5 = 1.7841$, then $\sqrt{2/\pi} = 0.7979$: it "
    r"falls, too, as the absolute value is convex.",
    level="medium",
    hint="What is the distribution of the difference of a pair, and what is the mean size of a normal number?",
)
def another_cost():
    yield math.sqrt(2 / math.pi * 5), "1.7841"
    yield math.sqrt(2 / math.pi), "0.7979"


@derivation.exercise(
    r"How many rounds does the telescope need to promise $S + W \le 0.1$ for $c = 4$, and how many are needed?",
    r"$C_0 = 5$, so it promises it for 50. Two are enough: the second round has $S + W = 0$.",
    level="easy",
    hint="The smallest term of the telescope is at most the mean of all.",
)
def rounds():
    yield 5 / 0.1, "50"
    again = straightness(jnp.ones((1, 1)), jnp.linspace(0.0, 1.0, 9), _second_field)
    yield jnp.round(again[0], 12), "0"


@derivation.exercise(
    "Noise and data are independent, and the data are any. Where does one step of Euler's method along the first flow lead, from "
    r"each start? What is it for data 1 with the probability 0.7 and $-1$ with 0.3?",
    "At time 0 the position is the noise alone and tells nothing of the data, so the velocity is the mean of the data minus the "
    "position: every start ends at the mean, here 0.4. That is why one step needs a second round, or another coupling.",
    level="medium",
    hint="Which part of the target does the position explain at time 0?",
)
def one_step_of_the_first_flow():
    starts = np.array([[-1.3], [0.2], [2.0]])

    def velocity(x, time):
        return mixture_velocity(x, time, np.array([[1.0], [-1.0]]), np.full(2, -40.0), np.log([0.7, 0.3]))

    ends = reflow_pairs(starts, np.array([0.0, 1.0]), velocity)[1]
    yield np.mean(ends), "0.4"
    yield round(float(np.ptp(ends)), 12), Integer(0)


@derivation.exercise(
    "Pairs in the plane are a rotation by a fixed angle apart, and noise is standard normal in both coordinates. For which "
    "angles do their lines never cross, so that rectification changes nothing? What do pairs that are turned by 170 degrees "
    "cost, next to independent ones?",
    "At time $t$ the position is a linear map of the start with the determinant $1 - 2 t (1 - t) (1 - \\cos\\theta)$, which is "
    "least halfway, at half of $1 + \\cos\\theta$: positive for all angles but half a turn. Pairs that are turned by 170 degrees "
    "cost 7.9392, nearly twice the 4 of independent ones, and no round makes them cheaper. Straight says nothing about cheap.",
    level="hard",
    hint="Generalize the determinant of the quarter of a turn.",
)
def turned_pairs():
    t, angle = Symbol("t"), Symbol("theta")
    turn = Matrix([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    determinant = ((1 - t) * eye(2) + t * turn).det()
    yield determinant, 1 - 2 * t * (1 - t) * (1 - cos(angle))
    yield determinant.subs(t, Rational(1, 2)), (1 + cos(angle)) / 2
    by = math.radians(170)
    basis = jnp.eye(2) @ jnp.array([[math.cos(by), math.sin(by)], [-math.sin(by), math.cos(by)]])
    yield jnp.sum(transport_cost(jnp.eye(2), basis)), "7.9392"
