"""The two linear programs of transport, and the figure of the distance that they share."""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Symbol

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.wasserstein_gan import cost_matrix


def two_programs(count):
    """The cost, two distributions on random points of the plane, the cheapest plan, and the best critic."""
    from scipy.optimize import linprog

    rng = np.random.default_rng(9)
    points = jnp.asarray(rng.normal(size=(count, 2)))
    cost, laws = np.asarray(cost_matrix(points, points)), rng.dirichlet(np.ones(count), size=2)
    rows, columns = np.kron(np.eye(count), np.ones(count)), np.kron(np.ones(count), np.eye(count))
    plan = linprog(cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=laws.ravel()).x
    critic = linprog(laws[1] - laws[0], A_ub=(rows - columns).T, b_ub=cost.ravel(), bounds=(None, None)).x
    return cost, laws, plan.reshape(count, count), critic


def crossings():
    """What a crossed matching of two pairs costs more than a sorted one, linear and squared, in all orders; and the formulas."""
    a, b, d = (Symbol(letter, positive=True) for letter in "abd")
    places, excess, wanted = (0, a, a + b, a + b + d), [], []
    for first, second in itertools.combinations(range(4), 2):
        x1, x2 = places[first], places[second]
        y1, y2 = (place for n, place in enumerate(places) if n not in (first, second))
        excess.append(Abs(x1 - y2) + Abs(x2 - y1) - Abs(x1 - y1) - Abs(x2 - y2))
        excess.append((x1 - y2) ** 2 + (x2 - y1) ** 2 - (x1 - y1) ** 2 - (x2 - y2) ** 2)
        wanted += [0 if (first, second) in ((0, 1), (2, 3)) else 2 * b, 2 * (x2 - x1) * (y2 - y1)]
    return excess, wanted


def draw_slopes(left, right):
    """Left: the distance and the divergence of two points. Right: the critic of the worked example and its plan."""
    places = np.linspace(-2, 2, 41)
    left.plot(places, np.abs(places), label="$W_1$")
    apart = jensen_shannon_divergence(jnp.log(jnp.array([[1.0, 0.0]])), jnp.log(jnp.array([[0.0, 1.0]])))[0]
    (line,) = left.plot(places[places < 0], np.full(20, apart), label="JSD")
    left.plot(places[places > 0], np.full(20, apart), color=line.get_color())
    left.plot([0], [0], marker="o", color=line.get_color())
    left.set(xlabel=r"$\theta$", ylabel="distance of data and samples")
    left.legend()
    points, critic = np.array([0.0, 1.0, 3.0]), np.array([3.0, 2.0, 0.0])
    right.plot(points, critic, marker="o", label="critic $f$")
    for start, height in ((0, 0.9), (1, 0.45)):
        right.annotate("", (points[2], height), (points[start], height), arrowprops={"arrowstyle": "->", "color": "gray"})
        right.text(points[start], height + 0.06, "moves 1/4", color="gray")
    right.set(xlabel="point", ylabel="$f$", ylim=(-0.2, 3.3))
    right.legend()
