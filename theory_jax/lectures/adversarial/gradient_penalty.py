"""Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures.

The lecture on the functions of theory_jax/adversarial/gradient_penalty.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Max, Min, Rational, exp, log, sqrt

from theory_jax.adversarial.gradient_penalty import (
    clip_weights,
    gradient_penalty,
    interpolate,
    one_sided_gradient_penalty,
    zero_centered_gradient_penalty,
)
from theory_jax.adversarial.wasserstein_gan import critic_loss, generator_loss
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Inner, Slope, SquaredNorm, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._smallest_game import contracting, draw_games, draw_price, trajectories

derivation = Derivation(
    module=__name__,
    title="Slope 1 between real and fake: what a gradient penalty asks for, what it costs, and what it cures",
    lectures=(9,),
    sources=(
        "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, proposition 1 and eq. 3",
        "Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
        "Petzka, Fischer & Lukovnikov 2018, On the regularization of Wasserstein GANs",
    ),
    question="A Wasserstein critic with clipped weights is too flat or too steep, depending on its width and depth, and a critic "
    "without any constraint never settles. Why should the critic's gradient have norm 1 on segments between real and fake "
    "points, by how much is a critic too steep that is only penalized, and why does a penalty towards 0 make the game converge?",
    setting=(
        r"A critic $f$ on $\mathbb{R}^D$ is 1-Lipschitz: between two points its value changes by at most their distance. A real "
        "point $x$ and a fake $y$ at a positive distance $d$ belong together: a cheapest coupling moves mass between them, so "
        "that the best critic falls by $d$ from $x$ to $y$ (the lecture on Wasserstein GANs). Between them are the points $x_t$, "
        r"$(1 - t)\, x + t y$.",
        r"Penalties at a point with the gradient $g$ of the critic: two-sided $(|g| - 1)^2$, one-sided $\max(0, |g| - 1)^2$, "
        r"zero-centered $\frac\gamma2 |g|^2$.",
        r"The smallest game (Mescheder et al.): data at 0, samples at $\theta$, a critic $\omega x$. Its value $V$ is $\theta "
        r"\omega$ for Wasserstein's losses, and $\log \sigma(\theta\omega) + \log \sigma(0)$ for those of the first lecture, "
        r"both up to the sign of $\omega$. One step of both players at once: $\theta \leftarrow \theta - h V_\theta$, $\omega "
        r"\leftarrow \omega + h (V_\omega - \gamma \omega)$, with a positive $h$.",
    ),
    limits=(
        "Practice draws points between independent pairs, real and fake; the slope is 1 for coupled pairs only.",
        "Convergence away from the equilibrium, and of networks.",
        "A differentiable critic: at the ends of a segment the best one may have a kink.",
    ),
)


@derivation.figure(
    "Left: Wasserstein's game from $(1, 0.1)$: without a penalty it spirals outwards, with the zero-centered one into the "
    "equilibrium; with the target 1 it keeps going around. Right: the slope of a linear critic under a penalty, against the "
    "distance of the pair; the best critic's is 1.",
    panels=2,
)
def games_and_slopes(left, right):
    draw_games(left, right)


d = derivation.number("d", "the distance of a real and a fake point that belong together", positive=True)
t = derivation.number("t", "the share of the way from the real to the fake point", "1 - uniforms", between=(0, 1))
f_y = derivation.number("f_y", "the critic at the fake point, $f(y)$")
f_t = derivation.number("f_t", "... and on the way, $f(x_t)$")
f_x = derivation.define("f_x", f_y + d, "... and at the real point, $f(x)$: the pair belongs together")
_STEEPEST = {d: 2, t: Rational(1, 4), f_y: 0, f_t: Rational(3, 2)}  # a critic that falls by 1 along the way
start_slack = derivation.assume(
    "From the real point to the one on the way the critic falls by no more than the way",
    plus(times(t, d), -f_x, f_t),
    example=_STEEPEST,
    wrong={"half the way": plus(times(t, d) / 2, -f_x, f_t)},
)
end_slack = derivation.assume(
    "... and from there to the fake point",
    plus(times(1 - t, d), -f_t, f_y),
    example=_STEEPEST,
    wrong={"half the way": plus(times(1 - t, d) / 2, -f_t, f_y)},
)
straight = derivation.chain(
    "On the segment the critic leaves nothing unused",
    plus(start_slack.at(), end_slack.at()),
    equals(plus(d, -f_x, f_y), "the value on the way cancels, and the two parts of the way are the whole"),
    equals(0, prose("{fall}", fall=holds(plus(f_x, -f_y), "=", d))),
    central=True,
    so=prose(
        "Two numbers that are never negative and sum to zero are zero: {first} and {second}, and both say {line}. The critic is "
        "linear on the segment, and falls by 1 for each unit of length.",
        first=holds(plus(times(t, d), -f_x, f_t), "=", 0),
        second=holds(plus(times(1 - t, d), -f_t, f_y), "=", 0),
        line=where(f_t, plus(f_x, -t * d)),
    ),
)
l = derivation.index("l", "a coordinate", states=3)  # noqa: E741
g = derivation.numbers("g", l, "the critic's gradient on the way")
n = derivation.numbers("n", l, "the direction from the fake to the real point, of length 1")
_UNIT = (Rational(3, 5), Rational(4, 5), 0)
at_most_one = derivation.assume(
    "The gradient of a 1-Lipschitz critic is no longer than 1",
    plus(1, -SquaredNorm(l, g)),
    example={g: _UNIT},
    wrong={"half": plus(Rational(1, 2), -SquaredNorm(l, g))},
)
along = derivation.assume(
    "Along the segment the slope is 1",
    plus(Inner(l, g, n), -1),
    example={g: _UNIT, n: _UNIT},
    wrong={"slope 2": plus(Inner(l, g, n), -2)},
)
unit = derivation.assume(
    "The direction has length 1",
    plus(1, -SquaredNorm(l, n)),
    example={n: _UNIT},
    wrong={"half": plus(Rational(1, 2), -SquaredNorm(l, n))},
)
direction = derivation.chain(
    "So the gradient there is the direction itself, and its norm 1",
    SquaredNorm(l, g - n),
    equals(plus(SquaredNorm(l, g), -2 * Inner(l, g, n), SquaredNorm(l, n)), "expand the square"),
    at_most(
        plus(1, -2, 1),
        r"each part is at most its share: $|g|^2$ and $|n|^2$ are at most 1, and $\langle g, n \rangle$, the derivative of $f$ "
        "with respect to the length, is at least 1",
        adding=plus(at_most_one.at(), 2 * along.at(), unit.at()),
    ),
    so=prose(
        "A square that is at most {bound} is zero: $g$ is $n$. That is why the penalty has the target 1, and why it is evaluated "
        "between real and fake points.",
        bound=holds(plus(1, -2, 1), "=", 0),
    ),
)

u = derivation.number("u", "a uniform number", "uniforms", between=(0, 1))
real, fake = derivation.numbers("x", l, "the real point", "real"), derivation.numbers("y", l, "the fake point", "fake")
way = derivation.bridge(
    "The code's point on the way",
    u * real + (1 - u) * fake,
    interpolate,
    real=[real],
    fake=[fake],
    uniforms=[u],
    wrong={"real and fake exchanged": u * fake + (1 - u) * real},
)

derivation.say(
    "A penalty is a soft constraint. What does it leave of slope 1? Take a linear critic of slope $s$ on one pair at distance "
    r"$d$: it gains $s d$ and pays $\lambda (s - 1)^2$."
)
s = derivation.number("s", "the critic's slope")
lam = derivation.number(r"\lambda", "the weight of the penalty", positive=True)
best = derivation.define("s^*", 1 + d / (2 * lam), "the best slope under the penalty")
price = derivation.chain(
    "Under a penalty the critic is too steep, the more so the farther mass must move",
    plus(times(s, d), -lam * (s - 1) ** 2),
    equals(
        plus(d, d**2 / (4 * lam), -lam * (s - best) ** 2),
        "complete the square",
        wrong={"the same bias at every distance": plus(d, d**2 / (4 * lam), -lam * (s - 1 - 1 / (2 * lam)) ** 2)},
    ),
    at_most(
        plus(d, d**2 / (4 * lam)),
        prose("add the square, which is zero for {best} only", best=where(s, best)),
        adding=lam * (s - best) ** 2,
    ),
    so=prose(
        "The slope exceeds 1 by {excess} and the objective exceeds $d$ by {objective}; the critic's estimate of the distance is "
        "{much}. At the usual weight 10 and distance 1 the slope is too large by {five}. The one-sided penalty is the same above "
        "slope 1, so it has the same best slope.",
        excess=holds(best - 1, "=", d / (2 * lam), named=True, wrong={"half of it": d / (4 * lam)}),
        objective=holds(plus(times(best, d), -lam * (best - 1) ** 2) - d, "=", d**2 / (4 * lam), named=True),
        much=holds(times(best, d), "=", plus(d, d**2 / (2 * lam))),
        five=holds(best - 1, "=", Rational(1, 20), when={lam: 10, d: 1}, named=True),
    ),
)

a = derivation.numbers("a", l, "the weights of a linear critic, $\\sum_l a_l x_l$, which are its gradient")
k = derivation.index("k", "a coordinate, next to $l$", states=3)
norm = sqrt(SquaredNorm(l, a))
gamma = derivation.number(r"\gamma", "the weight of the zero-centered penalty", "gamma", positive=True)


def _at_a_point(penalty, weights, **how):
    """A penalty on the linear critic with these weights."""
    return penalty(jnp.zeros((1, weights.size)), lambda x: x @ weights, **how)[0]


for name, expression, code, more, wrong in (
    ("The code's two-sided penalty", (norm - 1) ** 2, gradient_penalty, {}, {"the norm squared, less 1": (norm**2 - 1) ** 2}),
    ("... the one-sided one", Max(0, norm - 1) ** 2, one_sided_gradient_penalty, {}, {"two-sided": (norm - 1) ** 2}),
    ("... and the zero-centered one", gamma / 2 * SquaredNorm(l, a), zero_centered_gradient_penalty, {"gamma": gamma}, {}),
):
    penalty = functools.partial(_at_a_point, code)
    derivation.bridge(name, expression, penalty, weights=a, calls=(code,), wrong=wrong, **more)
twice = derivation.chain(
    "The penalty's gradient in the weights goes through the gradient of the critic",
    Slope((norm - 1) ** 2, a.at(k)),
    equals(times(2, norm - 1, Slope(norm, a.at(k))), r"the chain rule"),
    equals(
        times(2, norm - 1, a.at(k) / norm),
        prose("{norm}, unless all weights are zero", norm=holds(Slope(norm, a.at(k)), "=", a.at(k) / norm)),
    ),
    so=r"For any critic with parameters $\phi$ the same two lines give $2 (|g| - 1)\, (\partial_\phi g)^\top g / |g|$: a mixed "
    r"second derivative of $f$, in $\phi$ and in $x$. Backpropagation computes it as one more pass, backwards through the pass "
    "that gave $g$: about twice the time, and the memory of both passes. A gradient that is treated as a constant would give "
    "zero: no penalty at all.",
    role="lemma",
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


derivation.say(
    "Now the game itself. Even with the best of critics for given samples, steps of both players at once need not arrive "
    "anywhere."
)
theta, omega = derivation.number(r"\theta", "the position of the samples"), derivation.number(r"\omega", "the critic's slope")
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
    so=prose(
        r"The first line is the squared radius after a step of the value $\theta\omega$. The radius grows by the factor {factor} "
        "at every step, from every start but the equilibrium: an outward spiral, for every step size.",
        factor=sqrt(1 + h**2),
    ),
)
_logistic = -log(1 + exp(-theta * omega))  # log sigma(theta omega)
derivation.say(
    prose(
        r"With the logistic loss the slopes of the value in $\theta$ and $\omega$ are {generator} and {critic}; near the "
        r"equilibrium they are close to {near} and $\theta/2$. With the zero-centered penalty the step is $\theta \leftarrow "
        r"\theta - \frac h2 \omega$, $\omega \leftarrow \frac h2 \theta + (1 - \gamma h)\, \omega$.",
        generator=holds(Slope(_logistic, theta), "=", omega / (1 + exp(theta * omega)), named=True),
        critic=holds(Slope(_logistic, omega), "=", theta / (1 + exp(theta * omega)), named=True),
        near=holds(Slope(_logistic, theta), "=", omega / 2, when={theta: 0}, named=True),
    )
)
step = Matrix([[1, -h / 2], [h / 2, 1 - gamma * h]])
x_ = derivation.number("r", "an eigenvalue of a step")
determinant = derivation.define(r"\Delta", 1 - gamma * h + h**2 / 4, "the determinant of a step")
trace = derivation.define("T", 2 - gamma * h, "its trace")
derivation.chain(
    "The eigenvalues of a step are the roots of a quadratic with its trace and determinant",
    (step - x_ * Matrix([[1, 0], [0, 1]])).det(),
    equals(
        plus(x_**2, -times(trace, x_), determinant),
        r"collect the powers of $r$",
        wrong={"no penalty": plus(x_**2, -2 * x_, 1 + h**2 / 4)},
    ),
    role="lemma",
    so=r"Both roots lie inside the unit circle if and only if $1 - \Delta$, $1 - T + \Delta$ and $1 + T + \Delta$ are all "
    "positive (Jury's conditions for a quadratic).",
)
derivation.chain(
    "The determinant of a step is below 1 if and only if the penalty is strong enough for the step size",
    1 - determinant,
    equals(times(h / 4, 4 * gamma - h), "collect", wrong={"the half forgotten": times(h / 2, 4 * gamma - h)}),
    so=prose(
        "Positive if and only if $h$ is below {end}. Without a penalty the determinant is {outside}, more than 1 at every step "
        "size.",
        end=4 * gamma,
        outside=holds(determinant, "=", 1 + h**2 / 4, when={gamma: 0}, named=True),
    ),
    role="lemma",
)
third = derivation.chain(
    "The third of Jury's conditions holds unless the penalty is too strong for the step size",
    plus(1, trace, determinant),
    equals(times(2 * h, plus(2 / h, h / 8, -gamma)), "collect"),
    so=prose(
        r"Positive if and only if $\gamma$ is below {high}: too strong a penalty overshoots. The second condition always "
        r"holds, since {second} is positive. So steps contract near the equilibrium if $\gamma$ is between {low} and {high}, "
        "which leaves room for steps below 4: at {four} both ends are {one}.",
        high=plus(2 / h, h / 8),
        second=holds(1 - trace + determinant, "=", h**2 / 4),
        low=h / 4,
        four=where(h, 4),
        one=holds(plus(2 / h, h / 8), "=", h / 4),
    ),
    role="lemma",
)
derivation.answer = prose(
    "Along the segments of a cheapest coupling the best critic falls with slope exactly 1, in the segment's direction, so the "
    "penalty asks for what duality implies. A linear critic on one pair at distance $d$, under a penalty of weight {weight}, is "
    "too steep by {excess}. The penalty is a function of a gradient, so training differentiates twice. In the smallest game "
    "simultaneous steps spiral outwards without a penalty; near the equilibrium a zero-centered one of weight {gamma} makes "
    "steps of size {size} contract if it is between {low} and {high}.",
    weight=lam,
    excess=holds(best - 1, "=", d / (2 * lam), named=True),
    gamma=gamma,
    size=h,
    low=h / 4,
    high=plus(2 / h, h / 8),
)


@derivation.exact(
    r"\max |r| < 1 \iff \tfrac h4 < \gamma < \tfrac2h + \tfrac h8",
    because="The eigenvalues themselves, for 20 step sizes and 20 weights.",
    outcomes=400,
    role="lemma",
)
def inside_the_unit_circle():
    found, above, below = contracting()
    return Sides(left=found, right=above * below, wrong={"the lower end alone": above})


derivation.figure(
    prose(
        "Left: what a linear critic gains less what it pays, for the weight 1 of the penalty. The best slope (dots) is beyond "
        "1 by {excess}. Right: the step sizes and weights with which the game contracts (blue, the darker the faster). Below "
        "the lower line the determinant of a step, {step}, is above 1: the game spirals outwards.",
        excess=holds(best - 1, "=", d / (2 * lam), named=True, wrong={"half of it": d / (4 * lam)}),
        step=holds(determinant, "=", plus(1, -times(h / 4, 4 * gamma - h)), named=True),
    ),
    panels=2,
)(draw_price)


flip = derivation.number("w", "a critic's slope, positive", positive=True)
derivation.chain(
    "With the target 1 the game has no point of rest",
    Slope(times(theta, flip) - lam * (flip - 1) ** 2, flip),
    equals(
        plus(theta, -2 * lam * (flip - 1)),
        "the slope of the square; below 0 the objective falls off in the same way, to the other side",
        wrong={"half of it": plus(theta, -lam * (flip - 1))},
    ),
    so=prose(
        "With the samples at the data the critic rests where this is zero, {rest}, or where its slope is $-1$; but there the "
        "samples move away, by $h$ a step. The samples rest only if the critic's slope is zero; there the penalty has a kink, "
        "and the slopes to both sides are {right} and {left}, never both zero. So no pair is at rest: the target that is right "
        "for the distance of given samples is wrong for the game's end.",
        rest=holds(Slope(times(theta, flip) - lam * (flip - 1) ** 2, flip), "=", 0, when={theta: 0, flip: 1}),
        right=holds(plus(theta, -2 * lam * (flip - 1)), "=", theta + 2 * lam, when={flip: 0}, named=True),
        left=theta - 2 * lam,
    ),
    role="remark",
)


derivation.symbol("R_1", r"the radius $\sqrt{\theta^2 + \omega^2}$ after 2000 steps without a penalty")
derivation.symbol("R_2", "... with the zero-centered one")
derivation.symbol("R_3", "... with target 1")


@derivation.exact(
    r"R_1 > 10,\qquad R_2 < 10^{-9},\qquad 1 < R_3 < 3",
    because="2000 steps of size 0.05 from $(1, 0.1)$ in Wasserstein's game, by the code's penalties: without a penalty; "
    "zero-centered of weight 1; with target 1 and weight 0.1, which neither converges nor leaves.",
    outcomes=3,
    role="remark",
)
def three_games():
    radius = np.hypot(*trajectories()[-1])
    found = np.array([radius[0] > 10, radius[1] < 1e-9, 1 < radius[2] < 3], float)
    return Sides(left=found, right=np.ones(3), wrong={"no radius as stated": np.zeros(3)})


bound_of_weights = derivation.number("b", "the bound of every weight", "bound", positive=True)
count = derivation.count(l, "D", "the number of coordinates")
derivation.say(
    prose(
        "The first constraint, clipped weights, is about another quantity. The steepest linear critic with weights in $[-b, b]$ "
        r"has the slope $b \sqrt D$: {norm} at {bound}. What is allowed depends on the width, and over the layers of a network "
        "it multiplies.",
        norm=holds(SquaredNorm(l, a), "=", count * bound_of_weights**2),
        bound=where(a, bound_of_weights),
    )
)
derivation.bridge(
    "The code clips",
    Max(-bound_of_weights, Min(bound_of_weights, a)),
    clip_weights,
    weight=[a],
    bound=bound_of_weights,
    wrong={"only from above": Min(bound_of_weights, a)},
)


@derivation.algorithm(
    "WGAN-GP: a step of the critic and one of the generator",
    do("take real points $x$, fakes $y$ and uniform numbers $u$"),
    do(r"$x_t \leftarrow u x + (1 - u) y$", interpolate, by=straight),
    do(r"$\rho \leftarrow (|g| - 1)^2$, with $g$ the gradient of the critic at $x_t$", gradient_penalty, by=direction),
    do(
        r"step the critic down the gradient of $f(y) - f(x) + \lambda \rho$, which goes through $g$ (five times in the source)",
        critic_loss,
        by=twice,
    ),
    do("step the generator down the gradient of $-f(y)$", generator_loss),
)
def two_steps():
    real, fake, slope, size = jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.full(1, 0.5), 1 / 40

    def loss(slope, fake):
        def critic(x):
            return x @ slope

        middle = interpolate(real, fake, jnp.full(1, 0.5))
        return critic_loss(critic(real), critic(fake))[0] + 10 * gradient_penalty(middle, critic)[0]

    start = r"x = 1, y = 0, f(x) = s x \text{ from } s = \tfrac12, \lambda = 10, \text{ steps of } \tfrac1{40}: \quad "
    for slope_after, fake_after in (("0.775", "0.0194"), ("0.912", "0.0422")):
        slope = slope - size * jax.grad(loss)(slope, fake)
        yield start + "s", slope, slope_after
        fake = fake - size * jax.grad(lambda y, slope=slope: generator_loss(y @ slope)[0])(fake)
        yield "y", fake, fake_after
        start = ""


@derivation.example(
    "A pair at distance 1 under a penalty of weight 10, then one at distance 4. A critic with the gradient $(3, 4)$, and one "
    r"with $(0.3, 0.4)$. The step of size $\frac12$."
)
def numbers():
    yield r"s^*,\ s^* \text{ at } d = 4", [1 + 1 / 20, 1 + 4 / 20], "1.05, 1.2"
    penalties = gradient_penalty, one_sided_gradient_penalty, functools.partial(zero_centered_gradient_penalty, gamma=2.0)
    for slope, printed in (((3.0, 4.0), "16, 16, 25"), ((0.3, 0.4), "0.25, 0, 0.25")):
        found = [_at_a_point(penalty, jnp.array(slope)) for penalty in penalties]
        yield rf"\text{{two-sided, one-sided, zero-centered with }} \gamma = 2,\ g = ({slope[0]:g}, {slope[1]:g})", found, printed
    through = jax.grad(functools.partial(_at_a_point, gradient_penalty))(jnp.array([3.0, 4.0]))
    yield r"\text{gradient in the weights, } 8 \cdot (\tfrac35, \tfrac45)", through, "4.8, 6.4"
    eigenvalues = [np.abs(np.linalg.eigvals(np.array([[1, -0.25], [0.25, 1 - weight / 2]]))).max() for weight in (0, 1)]
    yield r"|r| \text{ without a penalty and with } \gamma = 1", eigenvalues, "1.0308, 0.7500"
