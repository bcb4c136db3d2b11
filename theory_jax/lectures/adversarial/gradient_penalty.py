"""Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures.

The lecture on the functions of theory_jax/adversarial/gradient_penalty.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Max, Min, sqrt, tanh

from theory_jax.adversarial.gradient_penalty import (
    clip_weights,
    gradient_penalty,
    interpolate,
    one_sided_gradient_penalty,
    zero_centered_gradient_penalty,
)
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Inner, Slope, SquaredNorm, plus, times

derivation = Derivation(
    module=__name__,
    title="Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures",
    lectures=(9,),
    sources=(
        "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, proposition 1 and eq. 3",
        "Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
        "Petzka, Fischer & Lukovnikov 2018, On the regularization of Wasserstein GANs",
    ),
    question="Why should the critic's gradient have norm 1 on segments between real and fake points, by how much is a critic too "
    "steep that is only penalized, and why does a penalty towards 0 make the game converge?",
    setting=(
        r"A critic $f$ on $\mathbb{R}^D$ is 1-Lipschitz: $|f(a) - f(b)| \le |a - b|$. A real point $x$ and a fake $y$ at "
        "distance $d > 0$ belong together: a cheapest coupling moves mass between them, so that $f(x) - f(y) = d$ for the best "
        r"critic (the lecture on Wasserstein GANs). Between them lie the points $x_t = (1 - t)\, x + t y$.",
        r"Penalties at a point with gradient $g = \nabla f$: two-sided $(|g| - 1)^2$, one-sided $\max(0, |g| - 1)^2$, "
        r"zero-centered $\frac\gamma2 |g|^2$.",
        r"The smallest game (Mescheder et al.): data at 0, samples at $\theta$, a critic $f(x) = \omega x$. The value is $V = "
        r"\theta \omega$ for Wasserstein's losses up to a sign, and $\log \sigma(\theta\omega) + \log \sigma(0)$ for those of "
        r"the first lecture. One step of both players at once: $\theta \leftarrow \theta - h V_\theta$, $\omega \leftarrow "
        r"\omega + h (V_\omega - \gamma \omega)$, with $h > 0$.",
    ),
    answer=r"Along the segments of a cheapest coupling the best critic falls with slope exactly 1, in the segment's direction, "
    r"so the penalty asks for what duality implies. A critic under a penalty of weight $\lambda$ is too steep by "
    r"$d/(2\lambda)$. The penalty is a function of a gradient, so training differentiates twice. In the smallest game "
    "simultaneous steps spiral outwards without a penalty; a zero-centered one makes them contract if the step is small enough.",
    limits=(
        "Practice draws points between independent pairs, real and fake; the slope is 1 for coupled pairs only.",
        "Convergence away from the equilibrium, and of networks.",
        "A differentiable critic: at the ends of a segment the best one may have a kink.",
    ),
)

# ---------------------------------------------------------------------------------------------------- slope 1 on the segment

d = derivation.number("d", "the distance of a real and a fake point that belong together", positive=True)
t = derivation.number("t", "the share of the way from the real to the fake point", "1 - uniforms", between=(0, 1))
f_y = derivation.number("f_y", "the critic at the fake point, $f(y)$")
f_t = derivation.number("f_t", "... and on the way, $f(x_t)$")
f_x = derivation.define("f_x", f_y + d, "... and at the real point, $f(x)$: the pair belongs together")
start_slack = derivation.assume(
    "From the real point to the one on the way the critic falls by no more than the way", plus(times(t, d), -f_x, f_t)
)
end_slack = derivation.assume("... and from there to the fake point", plus(times(1 - t, d), -f_t, f_y))
derivation.chain(
    "On the segment the critic leaves nothing unused",
    plus(start_slack.at(), end_slack.at()),
    equals(plus(d, -f_x, f_y), "the value on the way cancels, and the two parts of the way are the whole"),
    equals(0, "$f(x) - f(y) = d$"),
    central=True,
    so=r"Two numbers that are never negative and sum to zero are zero: $f(x_t) = f(x) - t d$. The critic is linear on the "
    r"segment, and falls by 1 for each unit of length.",
)
l = derivation.index("l", "a coordinate", states=3)  # noqa: E741
g = derivation.numbers("g", l, "the critic's gradient on the way")
e = derivation.numbers("e", l, "the direction from the fake to the real point, of length 1")
at_most_one = derivation.assume("The gradient of a 1-Lipschitz critic is no longer than 1", plus(1, -SquaredNorm(l, g)))
along = derivation.assume("Along the segment the slope is 1", plus(Inner(l, g, e), -1))
unit = derivation.assume("The direction has length 1", plus(1, -SquaredNorm(l, e)))
derivation.chain(
    "So the gradient there is the direction itself, and its norm 1",
    SquaredNorm(l, g - e),
    equals(plus(SquaredNorm(l, g), -2 * Inner(l, g, e), SquaredNorm(l, e)), "expand the square"),
    at_most(
        plus(1, -2, 1),
        r"each part is at most its share: $|g|^2 \le 1$, $\langle g, e \rangle \ge 1$ (the derivative of the line before, with "
        r"respect to the length), $|e|^2 \le 1$",
        adding=plus(at_most_one.at(), 2 * along.at(), unit.at()),
    ),
    so=r"A square that is at most $1 - 2 + 1 = 0$ is zero: $g = e$. That is why the penalty has the target 1, and why it is "
    r"evaluated between real and fake points.",
)

u = derivation.number("u", "a uniform number", "uniforms", between=(0, 1))
real, fake = derivation.numbers("x", l, "the real point", "real"), derivation.numbers("y", l, "the fake point", "fake")
derivation.bridge(
    "The code's point on the way",
    u * real + (1 - u) * fake,
    interpolate,
    real=[real],
    fake=[fake],
    uniforms=[u],
    wrong={"real and fake exchanged": u * fake + (1 - u) * real},
)

# ---------------------------------------------------------------------------------------------------- the price

derivation.say(
    "A penalty is a soft constraint. What does it leave of slope 1? Take a linear critic of slope $s$ on one pair at distance "
    r"$d$: it gains $s d$ and pays $\lambda (s - 1)^2$."
)
s = derivation.number("s", "the critic's slope")
lam = derivation.number(r"\lambda", "the weight of the penalty", positive=True)
best = derivation.define("s^*", 1 + d / (2 * lam), "the best slope under the penalty")
derivation.chain(
    "Under a penalty the critic is too steep, the more so the farther mass must move",
    plus(times(s, d), -lam * (s - 1) ** 2),
    equals(
        plus(d, d**2 / (4 * lam), -lam * (s - best) ** 2),
        "complete the square",
        wrong={"the same bias at every distance": plus(d, d**2 / (4 * lam), -lam * (s - 1 - 1 / (2 * lam)) ** 2)},
    ),
    at_most(plus(d, d**2 / (4 * lam)), r"add the square, zero for $s = s^*$ only", adding=lam * (s - best) ** 2),
    so=r"The slope exceeds 1 by $d/(2\lambda)$ and the objective exceeds $d$ by $d^2/(4\lambda)$; the critic's estimate of the "
    r"distance, $s^* d$, by $d^2/(2\lambda)$. At $\lambda = 10$ the slope is 5% too large where $d = 1$. The one-sided penalty "
    "is the same above slope 1, so it has the same best slope.",
)

# ---------------------------------------------------------------------------------------------------- differentiated twice

a = derivation.numbers("a", l, "the weights of a linear critic $f(x) = \\sum_l a_l x_l$, which are its gradient")
k = derivation.index("k", "a coordinate, next to $l$", states=3)
norm = sqrt(SquaredNorm(l, a))
gamma = derivation.number(r"\gamma", "the weight of the zero-centered penalty", "gamma", positive=True)


def _at_a_point(penalty, weights, **how):
    """A penalty on the linear critic with these weights."""
    return penalty(jnp.zeros((1, weights.size)), lambda x: x @ weights, **how)[0]


derivation.bridge(
    "The code's two-sided penalty",
    (norm - 1) ** 2,
    functools.partial(_at_a_point, gradient_penalty),
    weights=a,
    calls=(gradient_penalty,),
    wrong={"the norm squared, less 1": (norm**2 - 1) ** 2},
)
derivation.bridge(
    "... the one-sided one",
    Max(0, norm - 1) ** 2,
    functools.partial(_at_a_point, one_sided_gradient_penalty),
    weights=a,
    calls=(one_sided_gradient_penalty,),
    wrong={"two-sided": (norm - 1) ** 2},
)
derivation.bridge(
    "... and the zero-centered one",
    gamma / 2 * SquaredNorm(l, a),
    functools.partial(_at_a_point, zero_centered_gradient_penalty),
    weights=a,
    gamma=gamma,
    calls=(zero_centered_gradient_penalty,),
)
derivation.chain(
    "Its gradient in the weights goes through the gradient of the critic",
    Slope((norm - 1) ** 2, a.at(k)),
    equals(times(2, norm - 1, Slope(norm, a.at(k))), r"the chain rule"),
    equals(times(2, norm - 1, a.at(k) / norm), r"$\partial |a| = a / |a|$, for $a \ne 0$"),
    so=r"For any critic with parameters $\phi$ the same two lines give $2 (|g| - 1)\, (\partial_\phi g)^\top g / |g|$: a mixed "
    r"second derivative of $f$, in $\phi$ and in $x$. Backpropagation computes it as one more pass, backwards through the pass "
    "that gave $g$: about twice the time, and the memory of both passes. A gradient that is treated as a constant would give "
    "zero: no penalty at all.",
)
derivation.symbol(r"\phi", "the parameters of a critic")
derivation.bridge(
    "Automatic differentiation through the code's gradient agrees",
    times(2, norm - 1, a.at(k) / norm),
    functools.partial(_at_a_point, gradient_penalty),
    weights=a,
    slope="weights",
    calls=(gradient_penalty,),
    wrong={"detached": times(0, a.at(k)), "towards a longer gradient": times(-2, norm - 1, a.at(k) / norm)},
)
w1, w2 = (
    derivation.number("w_1", "the inner weight of a critic", positive=True),
    derivation.number("w_2", "its outer weight", positive=True),
)
place = derivation.number("z", "where its slope is taken", between=(0, 1))
bent = derivation.define("v", w1 * w2 * (1 - tanh(w1 * place) ** 2), r"the slope of the critic $w_2 \tanh(w_1 x)$ at $z$")


def _of_a_bent_critic(w1, w2, place):
    return gradient_penalty(jnp.array([[place]]), lambda x: w2 * jnp.tanh(w1 * x[:, 0]))


derivation.bridge(
    "... also where the critic is no linear function",
    Slope((bent - 1) ** 2, w1),
    _of_a_bent_critic,
    w1=w1,
    w2=w2,
    place=place,
    slope="w1",
    calls=(gradient_penalty,),
)

# ---------------------------------------------------------------------------------------------------- the smallest game

derivation.say(
    "Now the game itself. Even with the best of critics for given samples, steps of both players at once need not arrive "
    "anywhere."
)
theta, omega = derivation.number(r"\theta", "the place of the samples"), derivation.number(r"\omega", "the critic's slope")
h = derivation.number("h", "the step size", positive=True)
derivation.chain(
    "Without a penalty every step leads outwards",
    plus((theta - h * omega) ** 2, (omega + h * theta) ** 2),
    equals(
        plus(theta**2, omega**2, h**2 * omega**2, h**2 * theta**2),
        "expand the squares; the cross terms cancel",
        wrong={"they add up": plus(theta**2, omega**2, h**2 * omega**2, h**2 * theta**2, 4 * h * theta * omega)},
    ),
    equals(times(1 + h**2, plus(theta**2, omega**2)), "collect"),
    so=r"The left side is the squared radius after a step of $V = \theta\omega$. The radius grows by the factor $\sqrt{1 + h^2}$ "
    r"at every step, from every start but the equilibrium: an outward spiral, for every step size.",
)
derivation.say(
    r"With the logistic loss and the zero-centered penalty, $V_\theta = \omega\, \sigma(-\theta\omega)$ and $V_\omega = "
    r"\theta\, \sigma(-\theta\omega)$, and $\sigma(0) = \frac12$: near the equilibrium the step is $\theta \leftarrow \theta - "
    r"\frac h2 \omega$, $\omega \leftarrow \frac h2 \theta + (1 - \gamma h)\, \omega$."
)
step = Matrix([[1, -h / 2], [h / 2, 1 - gamma * h]])
x_ = derivation.number("r", "an eigenvalue of a step")
determinant = derivation.define(r"\Delta", 1 - gamma * h + h**2 / 4, "the determinant of a step")
trace = derivation.define("T", 2 - gamma * h, "its trace")
derivation.chain(
    "The eigenvalues of a step",
    (step - x_ * Matrix([[1, 0], [0, 1]])).det(),
    equals(
        plus(x_**2, -times(trace, x_), determinant),
        r"collect the powers of $r$",
        wrong={"no penalty": plus(x_**2, -2 * x_, 1 + h**2 / 4)},
    ),
    role="lemma",
    so=r"Both roots lie inside the unit circle if and only if $\Delta < 1$, $1 - T + \Delta > 0$ and $1 + T + \Delta > 0$ "
    r"(Jury's conditions for a quadratic).",
)
derivation.chain(
    "First condition",
    1 - determinant,
    equals(times(h / 4, 4 * gamma - h), "collect", wrong={"the half forgotten": times(h / 2, 4 * gamma - h)}),
    so=r"Positive if and only if $h < 4 \gamma$. Without a penalty $\Delta = 1 + h^2/4 > 1$: never.",
)
derivation.chain(
    "Second condition",
    plus(1, -trace, determinant),
    equals(h**2 / 4, "all but the square cancels"),
    at_least(0, "leave out a square: it always holds", dropping=h**2 / 4),
)
derivation.chain(
    "Third condition",
    plus(1, trace, determinant),
    equals(plus(4, -2 * gamma * h, h**2 / 4), "collect"),
    so=r"Positive if and only if $\gamma h < 2 + h^2/8$: too strong a penalty overshoots. So steps contract near the equilibrium "
    r"for $\frac h4 < \gamma < \frac2h + \frac h8$.",
)


@derivation.exact(
    r"\max |r| < 1 \iff \tfrac h4 < \gamma < \tfrac2h + \tfrac h8",
    because="The eigenvalues themselves, for 20 step sizes and 20 weights.",
    outcomes=400,
)
def inside_the_unit_circle():
    sizes, weights = (grid.ravel() for grid in np.meshgrid(np.linspace(0.1, 3, 20), np.linspace(0.01, 4, 20)))
    matrices = np.array([[np.ones(400), -sizes / 2], [sizes / 2, 1 - weights * sizes]]).transpose(2, 0, 1)
    found = np.abs(np.linalg.eigvals(matrices)).max(axis=1) < 1
    between = (sizes / 4 < weights) & (weights < 2 / sizes + sizes / 8)
    return Sides(
        left=found.astype(float), right=between.astype(float), wrong={"the lower end alone": (sizes / 4 < weights).astype(float)}
    )


flip = derivation.number("w", "a critic's slope, positive", positive=True)
derivation.chain(
    "With the target 1 there is no place to rest",
    Slope(times(theta, flip) - lam * (flip - 1) ** 2, flip),
    equals(
        plus(theta, -2 * lam * (flip - 1)),
        r"for $\omega = w > 0$; by symmetry the same with the opposite sign below 0",
        wrong={"half of it": plus(theta, -lam * (flip - 1))},
    ),
    so=r"With the samples at the data, $\theta = 0$, the slope $\omega$ rests only where it is 1 or $-1$; but there the samples "
    r"move away, by $h$ a step. The samples rest only if $\omega = 0$; there the penalty has a kink, and pushes the slope away "
    r"from 0 to both sides. So no pair $(\theta, \omega)$ is at rest: the target that is right for the distance of given "
    "samples is wrong for the game's end.",
)


derivation.symbol("R_1", r"the radius $\\sqrt{\\theta^2 + \\omega^2}$ after 2000 steps without a penalty")
derivation.symbol("R_2", "... with the zero-centered one")
derivation.symbol("R_3", "... with target 1")


@functools.cache
def _trajectories(steps=2000, size=0.05):
    """(theta, omega) of simultaneous Wasserstein steps from (1, 0.1): without a penalty, zero-centered, and with target 1."""

    def advance(state, _):
        theta, omega = state

        def penalties(omega, zero_centered, towards_one):
            x, critic = jnp.zeros((1, 1)), lambda x: omega * x[:, 0]
            one = gradient_penalty(x, critic)[0]
            return zero_centered * zero_centered_gradient_penalty(x, critic, gamma=1.0)[0] + towards_one * one

        pull = jax.vmap(jax.grad(penalties))(omega, jnp.array([0.0, 1.0, 0.0]), jnp.array([0.0, 0.0, 0.1]))
        state = theta - size * omega, omega + size * (theta - pull)
        return state, jnp.stack(state)

    start = jnp.ones(3), jnp.full(3, 0.1)
    return np.asarray(jax.lax.scan(advance, start, length=steps)[1])  # [steps, 2, 3]


@derivation.exact(
    r"R_1 > 10,\qquad R_2 < 10^{-9},\qquad 1 < R_3 < 3",
    because=r"2000 steps of $h = 0.05$ from $(1, 0.1)$ in Wasserstein's game, by the code's penalties: without a penalty; "
    r"zero-centered with $\gamma = 1$; with target 1 and $\lambda = 0.1$, which neither converges nor leaves.",
    outcomes=3,
)
def three_games():
    radius = np.hypot(*_trajectories()[-1])
    found = np.array([radius[0] > 10, radius[1] < 1e-9, 1 < radius[2] < 3], float)
    return Sides(left=found, right=np.ones(3), wrong={"none": np.zeros(3)})


bound_of_weights = derivation.number("b", "the bound of every weight", "bound", positive=True)
count = derivation.count(l, "D", "the number of coordinates")
derivation.chain(
    "The first constraint, clipped weights, is about another quantity",
    SquaredNorm(l, bound_of_weights + 0 * a),
    equals(count * bound_of_weights**2, "every weight of a linear critic is at the bound"),
    role="remark",
    so=r"The steepest critic with weights in $[-b, b]$ has the slope $b \sqrt D$: what is allowed depends on the width, and "
    r"over the layers of a network it multiplies.",
)
derivation.bridge(
    "The code clips",
    Max(-bound_of_weights, Min(bound_of_weights, a)),
    clip_weights,
    weight=[a],
    bound=bound_of_weights,
    wrong={"only from above": Min(bound_of_weights, a)},
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _slope(*weights):
    return lambda x: x @ jnp.array(weights)


_ORIGIN = jnp.zeros((1, 2))


@derivation.example(
    r"A pair at distance 1 with $\lambda = 10$, then one at distance 4. A critic with the gradient $(3, 4)$, and one with "
    r"$(0.3, 0.4)$. The step of $h = \frac12$."
)
def numbers():
    yield r"s^*,\ s^* \text{ at } d = 4", [1 + 1 / 20, 1 + 4 / 20], "1.05, 1.2"
    penalties = gradient_penalty, one_sided_gradient_penalty, functools.partial(zero_centered_gradient_penalty, gamma=2.0)
    for text, critic, printed in (("(3, 4)", _slope(3.0, 4.0), "16, 16, 25"), ("(0.3, 0.4)", _slope(0.3, 0.4), "0.25, 0, 0.25")):
        found = [penalty(_ORIGIN, critic)[0] for penalty in penalties]
        yield rf"\text{{two-sided, one-sided, zero-centered with }} \gamma = 2,\ g = {text}", found, printed
    through = jax.grad(lambda weights: gradient_penalty(_ORIGIN, lambda x: x @ weights)[0])(jnp.array([3.0, 4.0]))
    yield r"\text{gradient in the weights, } 8 \cdot (\tfrac35, \tfrac45)", through, "4.8, 6.4"
    eigenvalues = [np.abs(np.linalg.eigvals(np.array([[1, -0.25], [0.25, 1 - weight / 2]]))).max() for weight in (0, 1)]
    yield r"|r| \text{ without a penalty and with } \gamma = 1", eigenvalues, "1.0308, 0.7500"


@derivation.figure(
    "Left: Wasserstein's game from $(1, 0.1)$: without a penalty it spirals outwards, with the zero-centered one into the "
    "equilibrium; with the target 1 it goes around in a circle. Right: the slope of a critic under a penalty, against the "
    "distance of the pair; the best critic's is 1.",
    panels=2,
)
def games_and_slopes(left, right):
    path = _trajectories()
    for n, (label, part) in enumerate(
        (("no penalty", slice(500)), ("zero-centered", slice(500)), ("target 1, steps 1500 to 2000", slice(1500, None)))
    ):
        left.plot(*path[part, :, n].T, label=label, linewidth=1)
    left.plot([0], [0], marker="+", color="gray")
    left.set(xlabel=r"$\theta$", ylabel=r"$\omega$", ylim=(-3.1, 2.1))
    left.legend(fontsize="small", loc="lower left")
    distances = np.linspace(0, 4, 5)
    for weight in (0.1, 1, 10):
        right.plot(distances, 1 + distances / (2 * weight), label=rf"$\lambda = {weight}$")
    right.axhline(1, linestyle="--", color="gray")
    right.set(xlabel="distance $d$", ylabel="slope $s^*$", ylim=(0.8, 4))
    right.legend(fontsize="small")


@derivation.exercise(
    r"Samples must move by $d = 2$. Which weight of the penalty keeps the critic's slope within 1% of 1?",
    r"$d/(2\lambda) = 0.01$, so $\lambda = 100$.",
)
def one_percent():
    weight = 100.0
    slopes = np.linspace(1.0, 1.02, 2001)
    gains = [2 * slope - weight * float((slope - 1) ** 2) for slope in slopes]
    yield 2 / (2 * 0.01), "100"
    yield slopes[int(np.argmax(gains))] - 1, "0.01"


@derivation.exercise(
    r"For which weights $\gamma$ do steps of $h = 0.1$ contract near the equilibrium?",
    r"Between $h/4 = 0.025$ and $2/h + h/8 = 20.0125$.",
)
def weights_that_contract():
    yield 0.1 / 4, "0.025"
    yield 2 / 0.1 + 0.1 / 8, "20.0125"


@derivation.exercise(
    r"The critic is $f(x) = w_2 \tanh(w_1 x)$ with $w_1 = w_2 = 1$. What are the two-sided penalty at $x = \frac12$, and its "
    "slopes in $w_1$ and $w_2$?",
    r"$f' = 1 - \tanh^2 \frac12 = 0.7864$, so the penalty is 0.0456. It falls if the slope grows: the derivatives are $-0.1807$ "
    "and $-0.3359$.",
)
def bent_critic():
    def penalty(w1, w2):
        return gradient_penalty(jnp.full((1, 1), 0.5), lambda x: w2 * jnp.tanh(w1 * x[:, 0]))[0]

    yield penalty(1.0, 1.0), "0.0456"
    inner, outer = jax.grad(penalty, argnums=(0, 1))(1.0, 1.0)
    yield inner, "-0.1807"
    yield outer, "-0.3359"
