"""What the lecture on the Wasserstein distance enumerates and draws."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Symbol, exp, log

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.wasserstein_gan import c_transform, critic_loss, dual_objective, generator_loss, lipschitz_constant

METRIC = ((0, 1, 3), (1, 0, 2), (3, 2, 0))  # of the points 0, 1 and 3
P, Q = (0.5, 0.25, 0.25), (0.25, 0.0, 0.75)
HALF = log(1 / (2 * (1 + exp(-1)))) / 2  # the entropic potentials of two points at distance 1, with half of the mass at each


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


def transforms(values):
    """Transforms of all potentials with these values on the points 0, 1, 3: those that are 1-Lipschitz or 0, and 1 to 3 times."""
    potentials, metric = jnp.array(list(itertools.product(values, repeat=3)), dtype=float), jnp.array(METRIC, dtype=float)
    transformed = jax.vmap(c_transform, in_axes=(0, None))
    once = transformed(potentials, metric)
    twice = transformed(once, metric)
    gentle = jax.vmap(lipschitz_constant, in_axes=(0, None))(potentials, metric)[:, None] <= 1
    return jnp.where(gentle, potentials, 0.0), jnp.where(gentle, once, 0.0), once, twice, transformed(twice, metric)


def matchings():
    """Two samples of seven on a line, and the distances of the pairs of all their matchings."""
    rng = np.random.default_rng(7)
    sample, other = rng.normal(size=7), rng.normal(size=7) + 1
    return jnp.asarray(sample), jnp.asarray(other), np.abs(sample - other[np.array(list(itertools.permutations(range(7))))])


def value_of(critic, p=P, q=Q):
    """What a critic of the example's points is worth, by default in the example."""
    return dual_objective(jnp.log(jnp.array([p])), jnp.log(jnp.array([q])), jnp.array([critic]))[0]


def three_points():
    """The distance of the example, its critics and its divergence."""
    yield r"\tfrac14 \cdot 3 + \tfrac14 \cdot 2", 0.25 * METRIC[0][2] + 0.25 * METRIC[1][2], "1.25"
    yield r"\sum_i (p_i - q_i) f_i", value_of((3.0, 2.0, 0.0)), "1.25"
    yield r"\max |f_i - f_j|/c_{i,j}", lipschitz_constant(jnp.array([3.0, 2.0, 0.0]), jnp.array(METRIC, dtype=float)), "1"
    yield r"\text{a critic with too small a slope, } f/2", value_of((1.5, 1.0, 0.0)), "0.625"
    yield (r"\text{a critic that rises from 0 to 1, } f = (\tfrac43, 2, 0)", value_of((4 / 3, 2.0, 0.0)), "0.833")
    pair = (jnp.log(jnp.array([one])) for one in (P, Q))
    yield r"\mathrm{JSD} = \tfrac14 \log 2", jensen_shannon_divergence(*pair), "0.1733"
    yield r"f^c \text{ of } f = (0, 2, 0)", c_transform(jnp.array([0.0, 2.0, 0.0]), jnp.array(METRIC, dtype=float)), "-1, -2, 0"


def two_rounds():
    """Two rounds of the algorithm on one number, with a linear critic."""
    place, weight, size = jnp.ones(1), jnp.zeros(()), 0.5
    for first, second, moved_to in (("-0.5", "-1", "0.5"), ("-1", "-1", "0")):
        start = r"\text{data at 0, a sample at 1, } f(x) = w x, \text{ steps of } \tfrac12: \quad " if first != "-1" else ""
        for number, stated in enumerate((first, second)):
            down = jax.grad(lambda w, place=place: critic_loss(w * jnp.zeros(1), w * place)[0])(weight)
            weight = jnp.clip(weight - size * down, -1, 1)
            yield ("" if number else start) + r"w", weight, stated
        place = place - size * jax.grad(lambda at, w=weight: generator_loss(w * at)[0])(place)
        yield r"\theta", place, moved_to


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
