r"""Why the players circle: by which factor each way to play a step of the smallest game grows or decays, and what unrolling adds.

The lecture on the functions of theory_jax/adversarial/unrolled_gan.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, exp, log

from theory_jax.adversarial.unrolled_gan import (
    alternating_step,
    dirac_gan_value,
    extragradient_step,
    simultaneous_step,
    unrolled_discriminator,
    unrolled_generator_gradient,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, plus, times
from theory_jax.lectures.lemmas.moving_average import moving_average

derivation = Derivation(
    module=__name__,
    title="Why the players circle: by which factor each way to play a step grows or decays, and what unrolling adds",
    sources=(
        "Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
        "Gidel et al. 2019, A Variational Inequality Perspective on Generative Adversarial Networks",
        "Metz et al. 2017, Unrolled Generative Adversarial Networks",
    ),
    question="In the smallest GAN there is one equilibrium, and each player steps towards a better reply. Why do the players "
    "circle around it, and by exactly which factor does each remedy pull them in: playing in turn, looking ahead, damping, "
    "unrolling?",
    setting=(
        r"The data are at 0, all samples at $\theta$, and $\omega x$ is the discriminator's logit of a fake at $x$. The value is "
        r"$V(\theta, \omega) = \log \sigma(\theta\omega) + \log \sigma(0)$. The generator $\theta$ descends it and the "
        r"discriminator $\omega$ ascends it, with the learning rate $h > 0$.",
        r"Near $(0, 0)$ the slopes are linear: $V_\theta \approx \frac12 \omega$ and $V_\omega \approx \frac12 \theta$. Write $a "
        r"= \frac h2$. (Wasserstein's game, $V = \theta\omega$, has $a = h$, and what is linear here is exact there.)",
        r"A linear step is a $2 \times 2$ matrix with trace $T$ and determinant $\Delta$; $\varrho$ is the largest modulus of "
        r"its eigenvalues. It contracts if and only if $\Delta < 1$, $1 - T + \Delta > 0$ and $1 + T + \Delta > 0$ (the lecture "
        "on gradient penalties, which also has the simultaneous step with a penalty).",
        r"Unrolling: $\omega_K$ is the discriminator after $K$ steps against a generator that does not move. The generator "
        r"descends $V(\theta, \omega_K(\theta))$; the discriminator itself moves by one step only.",
    ),
    answer=r"Simultaneous steps lead outwards from every point, near the equilibrium by $\sqrt{1 + a^2}$. In turn, the players "
    r"stay on an ellipse: the factor is 1. Looking ahead contracts by $\sqrt{1 - a^2 (1 - a^2)}$ for $a < 1$, damping in turn by "
    r"up to $1 - a$. Unrolling adds the term $2 K a^2 \theta$, half of it through the discriminator's answer, which pulls the "
    r"samples to the data; but the more steps are unrolled, the smaller a step must be.",
    limits=(
        "Convergence away from the equilibrium: there the linear part is not the step.",
        "Networks and several modes: that unrolling helps networks to keep their modes is the finding of Metz et al., not a "
        "result of this page.",
    ),
)

theta = derivation.number(r"\theta", "the generator, the position of the samples", "generator")
omega = derivation.number(r"\omega", "the discriminator, its slope", "discriminator")
h = derivation.number("h", "the learning rate", "learning_rate", positive=True)
a = derivation.number("a", "half the learning rate, the size of a step near the equilibrium", positive=True)
gamma = derivation.number(
    r"\gamma", r"the weight of the penalty $\frac\gamma2 \omega^2$ on the discriminator", "penalty", positive=True
)


def _doubt(theta, omega):
    return 1 / (1 + exp(theta * omega))


def _value(theta, omega):
    return plus(log(1 / (1 + exp(-theta * omega))), -log(2))


derivation.symbol("V", "the value of the game", "dirac_gan_value")
derivation.symbol(r"\varrho", "the factor of a step near the equilibrium")
derivation.symbol("T", "the trace of its matrix")
derivation.symbol(r"\Delta", "the determinant")
doubt = derivation.define(r"\varsigma", _doubt(theta, omega), 'the probability of "real" at the samples', positive=True)


derivation.bridge(
    "The code's value of the game",
    _value(theta, omega),
    dirac_gan_value,
    generator=[theta],
    discriminator=[omega],
    wrong={'the logit of "real"': _value(-theta, omega), "the data's term forgotten": log(1 / (1 + exp(-theta * omega)))},
)
derivation.chain(
    "The generator's slope",
    Slope(_value(theta, omega), theta),
    equals(times(omega, doubt), r"$(\log \sigma)' = 1 - \sigma$, and $1 - \sigma(\theta\omega) = \varsigma$"),
    so=r"$V$ depends on the product alone, so the discriminator's slope is $\theta \varsigma$. Both are 0 at $(0, 0)$ only, "
    r"since $\varsigma > 0$.",
)
derivation.chain(
    "Steps of both at once lead outwards from every point",
    plus((theta - h * omega * doubt) ** 2, (omega + h * theta * doubt) ** 2),
    equals(
        times(1 + h**2 * doubt**2, plus(theta**2, omega**2)),
        r"the cross terms cancel, whatever $\varsigma$ is",
        wrong={"they add up": plus((1 + h**2 * doubt**2) * (theta**2 + omega**2), 4 * h * doubt * theta * omega)},
    ),
    at_least(
        plus(theta**2, omega**2),
        "leave out squares, all zero at the equilibrium only",
        dropping=plus((h * doubt * theta) ** 2, (h * doubt * omega) ** 2),
    ),
    so=r"Near the equilibrium $\varsigma = \frac12$: the radius grows by $\sqrt{1 + a^2}$ at every step. In continuous time it "
    r"would not grow at all, since the growth is of second order in $h$: the flow is a circle, and a step leaves it along the "
    "tangent.",
)


_PLAYED = dict(generator=[theta], discriminator=[omega], learning_rate=h)
_DAMPED = _PLAYED | {"penalty": gamma}
new_omega = plus(omega, times(h, plus(theta * doubt, -gamma * omega)))
derivation.bridge(
    "The code's simultaneous step: the generator, the discriminator",
    (theta - h * omega * doubt, new_omega),
    simultaneous_step,
    **_DAMPED,
    wrong={
        "the generator against the new discriminator": (theta - h * new_omega * doubt, None),
        "ascent of the generator": (theta + h * omega * doubt, None),
        "the penalty's sign": (None, plus(omega, times(h, plus(theta * doubt, gamma * omega)))),
    },
)


derivation.say(
    r"Now the discriminator moves first, $\omega' = \omega + a \theta$, and the generator answers the new one, $\theta' = \theta "
    r"- a \omega'$: the usual loop of a GAN."
)
first = derivation.define(r"\omega'", omega + a * theta, "the discriminator after its linear step")
then = derivation.define(r"\theta'", theta - a * first, "the generator after its linear step, against that")
derivation.chain(
    "In turn the players stay on an ellipse",
    plus(then**2, a * then * first, first**2),
    equals(plus(times(then, then + a * first), first**2), r"collect $\theta'$"),
    equals(plus(times(then, theta), first**2), r"$\theta' + a \omega' = \theta$"),
    equals(plus(theta**2, times(first, first - a * theta)), r"insert $\theta'$, and collect $\omega'$"),
    equals(
        plus(theta**2, a * theta * omega, omega**2),
        r"$\omega' - a \theta = \omega$, and insert $\omega'$",
        wrong={"generator first": plus(theta**2, -a * theta * omega, omega**2), "a circle": plus(theta**2, omega**2)},
    ),
    so=r"For $a < 2$ the form is positive definite, and its level sets are ellipses: no growth, no decay, $\varrho = 1$. The "
    "order of play alone removes the growth, and gives no convergence.",
)
derivation.bridge(
    "The code's step in turn",
    (theta - h * new_omega * _doubt(theta, new_omega), new_omega),
    alternating_step,
    **_DAMPED,
    wrong={
        "against the old discriminator": (theta - h * omega * doubt, None),
        r"the old $\varsigma$": (theta - h * new_omega * doubt, None),
    },
)


derivation.chain(
    "Looking ahead: slopes from where a simultaneous step would end",
    plus((theta - a * (omega + a * theta)) ** 2, (omega + a * (theta - a * omega)) ** 2),
    equals(
        times(plus((1 - a**2) ** 2, a**2), plus(theta**2, omega**2)),
        "collect: a rotation and a stretch",
        wrong={"the growth of a simultaneous step": times(1 + a**2, plus(theta**2, omega**2))},
    ),
    equals(times(plus(1, -(a**2) * (1 - a**2)), plus(theta**2, omega**2)), "expand the square"),
    so=r"The radius shrinks for $a < 1$, most at $a^2 = \frac12$, by $\frac{\sqrt3}2$. For small $a$ the gain is $\frac12 a^2$ a "
    "step: what the simultaneous step loses.",
)
ahead_theta, ahead_omega = theta - h * omega * doubt, omega + h * theta * doubt
derivation.bridge(
    "The code's extragradient step",
    (theta - h * ahead_omega * _doubt(ahead_theta, ahead_omega), omega + h * ahead_theta * _doubt(ahead_theta, ahead_omega)),
    extragradient_step,
    **_PLAYED,
    wrong={
        "the generator from the place ahead": (ahead_theta - h * ahead_omega * _doubt(ahead_theta, ahead_omega), None),
        "the discriminator from it": (None, ahead_omega + h * ahead_theta * _doubt(ahead_theta, ahead_omega)),
    },
)


b = derivation.number("b", r"the damping of a step, $h \gamma$", positive=True)
damped = Matrix([[1 - a**2, -a * (1 - b)], [a, 1 - b]])
derivation.say(
    r"Damping in turn: $\omega' = (1 - b)\, \omega + a \theta$ with $b = h \gamma$, then $\theta' = \theta - a \omega' = (1 - "
    r"a^2)\, \theta - a (1 - b)\, \omega$."
)
derivation.chain(
    "The determinant of a damped step in turn",
    damped.det(),
    equals(
        plus(times(1 - a**2, 1 - b), times(a**2, 1 - b)),
        "the product of the diagonal less that of the other two",
        wrong={"the penalty's sign": plus(times(1 - a**2, 1 + b), times(a**2, 1 + b))},
    ),
    equals(1 - b, "collect"),
    so=r"With the trace $2 - a^2 - b$ the conditions are $b > 0$, $a^2 > 0$ and $4 - a^2 - 2b > 0$: the step contracts for $0 < "
    r"b < 2 - \frac{a^2}2$. The smallest penalty will do, whereas simultaneous steps need $\gamma > \frac h4$.",
)
derivation.chain(
    "Where its eigenvalues become real",
    plus(damped.trace() ** 2, -4 * (1 - b)),
    equals((2 - a**2 - b) ** 2 - 4 * (1 - b), "insert the trace"),
    equals(
        times(plus(b, -2 * a, a**2), plus(b, 2 * a, a**2)),
        r"a difference of squares: $(b + a^2)^2 - 4 a^2$",
        wrong={"the sign of the square": times(plus(b, -2 * a, -(a**2)), plus(b, 2 * a, -(a**2)))},
    ),
    so=r"The left side is $T^2 - 4 \Delta$. At $b = 2a - a^2$, $a < 1$, it is 0, and both eigenvalues are $\frac T2 = 1 - a$. "
    r"Below it they are a complex pair of modulus $\sqrt{1 - b}$, larger than that; above it the larger one grows again. So $1 - "
    "a$ is the fastest decay: of first order in $a$.",
)


K = derivation.number("K", "the number of unrolled steps", "num_steps", positive=True)
derivation.say(
    r"Unrolling. Against a generator at rest the linear discriminator moves by $a \theta$ at every step: $\omega_K = \omega + K "
    r"a \theta$. Near the equilibrium $V = \frac12 \theta\omega - \log 4$ up to higher orders, and $h = 2a$."
)
answer = derivation.define(r"\omega_K", omega + K * a * theta, "the linear discriminator after its steps")
derivation.chain(
    "The unrolled gradient has a term that pulls the samples to the data",
    times(2 * a, Slope(theta * answer / 2, theta)),
    equals(
        plus(a * answer, times(a, theta, Slope(answer, theta))),
        r"the chain rule: $V_\theta + V_\omega \frac{d\omega_K}{d\theta}$, both at $\omega_K$",
        wrong={"detached": a * answer},
    ),
    equals(
        plus(a * omega, K * a**2 * theta, K * a**2 * theta),
        r"insert $\omega_K$, whose slope in $\theta$ is $K a$",
        wrong={"the answer's slope forgotten": plus(a * omega, K * a**2 * theta)},
    ),
    central=True,
    so=r"Half of $2 K a^2 \theta$ comes from the discriminator's answer, half from how that answer turns with $\theta$. It is a "
    r"restoring force on $\theta$ itself, also at $\omega = 0$, where the plain slope is 0.",
)
together = Matrix([[1 - 2 * K * a**2, -a], [a, 1]])
in_turn = Matrix([[1 - a**2 - 2 * K * a**2, -a], [a, 1]])
derivation.say(
    r"The discriminator's own step is $\omega' = \omega + a \theta$ as before. At once: $\theta' = (1 - 2 K a^2)\, \theta - a "
    r"\omega$. In turn the steps are unrolled from the new $\omega'$: $\theta' = \theta - a \omega' - 2 K a^2 \theta = (1 - a^2 "
    r"- 2 K a^2)\, \theta - a \omega$."
)
derivation.chain(
    "Unrolled, both at once: the last condition",
    plus(1, together.trace(), together.det()),
    equals(plus(1, 2 - 2 * K * a**2, 1 - times(2 * K - 1, a**2)), "the trace, and the determinant"),
    equals(plus(4, -times(4 * K - 1, a**2)), "collect", wrong={"detached": plus(4, -times(2 * K - 1, a**2))}),
    so=r"$1 - T + \Delta = a^2$ is positive, and $\Delta < 1$ for $K \ge 1$: one unrolled step is enough (detached, $\Delta = 1 "
    r"- (K - 1)\, a^2$, and one step only circles). So the step contracts if and only if $a^2 < \frac4{4K - 1}$.",
)
derivation.chain(
    "Unrolled, in turn: the last condition",
    plus(1, in_turn.trace(), in_turn.det()),
    equals(plus(1, 2 - (2 * K + 1) * a**2, 1 - 2 * K * a**2), "the trace, and the determinant"),
    equals(plus(4, -times(4 * K + 1, a**2)), "collect", wrong={"as at once": plus(4, -times(4 * K - 1, a**2))}),
    so=r"$\Delta = 1 - 2 K a^2 < 1$ and $1 - T + \Delta = a^2 > 0$ hold always; so the step contracts if and only if $a^2 < "
    r"\frac4{4K + 1}$, that is $K < \frac1{a^2} - \frac14$: a large learning rate and many unrolled steps overshoot.",
)
one = plus(omega, h * theta * doubt)
derivation.bridge(
    "The code's discriminator, after two steps",
    plus(one, h * theta * _doubt(theta, one)),
    functools.partial(unrolled_discriminator, num_steps=2),
    **_PLAYED,
    calls=(unrolled_discriminator,),
    wrong={"one step of twice the size": plus(omega, 2 * h * theta * doubt), "one step": one},
)


@derivation.autodiff(
    r"\frac{d}{d\theta} V(\theta, \omega_K(\theta)),\quad K = 0, 1, 5, 20",
    because="Reverse mode through all steps of the discriminator; the code takes the slope along with the steps.",
)
def through_the_steps():
    generator, discriminator = jnp.linspace(-1.5, 2.0, 7), jnp.linspace(1.0, -0.5, 7)

    def unrolled(generator, num_steps, answer=lambda omega: omega):
        last = unrolled_discriminator(generator, discriminator, learning_rate=0.7, num_steps=num_steps)
        return dirac_gan_value(generator, answer(last)).sum()

    counts, code = (0, 1, 5, 20), functools.partial(unrolled_generator_gradient, generator, discriminator, learning_rate=0.7)
    detached = jnp.stack([jax.grad(unrolled)(generator, count, jax.lax.stop_gradient) for count in counts])
    return Sides(
        left=jnp.stack([jax.grad(unrolled)(generator, count) for count in counts]),
        right=jnp.stack([code(num_steps=count) for count in counts]),
        wrong={"no step is unrolled": jnp.stack([code(num_steps=0)] * 4), "detached": detached},
    )


def _unrolled_step(generator, discriminator, *, learning_rate, num_steps):
    """In turn: a step of the discriminator, then one of the unrolled generator."""
    _, answer = alternating_step(generator, discriminator, learning_rate=learning_rate)
    slope = unrolled_generator_gradient(generator, answer, learning_rate=learning_rate, num_steps=num_steps)
    return generator - learning_rate * slope, answer


def _jacobian(step, **how):
    """A step's matrix at the equilibrium."""
    return jax.jacobian(lambda players: jnp.stack(step(players[:1], players[1:], **how))[:, 0])(jnp.zeros(2))


def _factor(step, **how):
    """The largest modulus of its eigenvalues."""
    return np.abs(np.linalg.eigvals(np.asarray(_jacobian(step, **how)))).max()


@derivation.autodiff(
    r"\varrho = \sqrt{1 + a^2},\ 1,\ \sqrt{1 - a^2 (1 - a^2)},\ 1 - a,\ \sqrt{1 - 2 K a^2}",
    because="The eigenvalues of the Jacobians of the code's steps at the equilibrium, for $h = 0.2, 0.6$ and $K = 2$: together, "
    "in turn, looking ahead, damped in turn with $b = 2a - a^2$, unrolled in turn.",
    tolerance=1e-7,
    since="at the best damping two eigenvalues meet, and move with the root of a rounding error",
)
def factors():
    found, wanted = [], []
    for h in (0.2, 0.6):
        a, how = h / 2, {"learning_rate": h}
        found += [_factor(step, **how) for step in (simultaneous_step, alternating_step, extragradient_step)]
        found += [_factor(alternating_step, penalty=(2 * a - a**2) / h, **how), _factor(_unrolled_step, num_steps=2, **how)]
        wanted += [np.sqrt(1 + a**2), 1.0, np.sqrt(1 - a**2 * (1 - a**2)), 1 - a, np.sqrt(1 - 4 * a**2)]
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"all cycle": np.ones(10)})


derivation.say(
    r"What does unrolling tend to? Take a game whose inner problem has an answer, $V = \theta\omega - \frac\gamma2 \omega^2$. A "
    r"step is $\omega \leftarrow r \omega + (1 - r) \frac\theta\gamma$ with $r = 1 - h \gamma$, $0 < h \gamma < 1$: a moving "
    r"average of the best answer $\frac\theta\gamma$, in which the start keeps the weight $s = r^K$."
)
s = derivation.number("s", "what is left of the distance to the best answer after all steps", between=(0, 1))
reply = derivation.define(r"\tilde\omega", s * omega + (1 - s) * theta / gamma, "the discriminator after its steps in this game")
unrolled = derivation.chain(
    "The unrolled gradient has a second term",
    Slope(plus(theta * reply, -gamma / 2 * reply**2), theta),
    equals(plus(reply, times(theta - gamma * reply, Slope(reply, theta))), "the chain rule", wrong={"detached": reply}),
    equals(
        plus(reply, times(s * (1 - s) / gamma, theta - gamma * omega)),
        r"$\theta - \gamma\tilde\omega = s\,(\theta - \gamma\omega)$",
    ),
    uses=(moving_average,),
)
derivation.chain(
    "With every step unrolled the game is a minimization",
    Limit(plus(reply, times(s * (1 - s) / gamma, theta - gamma * omega)), s, 0),
    equals(theta / gamma, "the best answer alone is left"),
    equals(Slope(theta**2 / (2 * gamma), theta), "the slope of a bowl", wrong={"no half": Slope(theta**2 / gamma, theta)}),
    uses=(unrolled,),
    so=r"$\frac{\theta^2}{2\gamma} = \max_\omega V$: the generator descends the value of the best answer (envelope theorem).",
)


_GAMES = {
    "together": simultaneous_step,
    "in turn": alternating_step,
    "looking ahead": extragradient_step,
    "damped in turn": functools.partial(alternating_step, penalty=1.0),
    "unrolled in turn, K = 5": functools.partial(_unrolled_step, num_steps=5),
}


@functools.cache
def _path(name, learning_rate, steps):
    """(theta, omega) from (1, 0) on: [steps + 1, 2]."""

    def advance(players, _):
        return _GAMES[name](*players, learning_rate=learning_rate), jnp.concatenate(players)

    last, path = jax.lax.scan(advance, (jnp.ones(1), jnp.zeros(1)), length=steps)
    return np.append(np.asarray(path), np.concatenate(last)[None], axis=0)


@derivation.example(
    r"The matrices at $a = \frac12$, that is $h = 1$, from $(1, 0)$. Together, in turn, and looking ahead; the factors, with the "
    r"damping $b = \frac34$; last, unrolled steps in turn."
)
def half():
    start, how = np.array([1.0, 0.0]), {"learning_rate": 1.0}
    twice, turns, ahead = (np.asarray(_jacobian(step, **how)) for step in tuple(_GAMES.values())[:3])
    yield r"\text{together, two steps}", [*(twice @ start), *(twice @ twice @ start)], "1, 1/2, 3/4, 1"
    yield r"\text{in turn, two steps}", [*(turns @ start), *(turns @ turns @ start)], "3/4, 1/2, 5/16, 7/8"
    yield r"\text{looking ahead}", ahead @ start, "3/4, 1/2"
    outward, inward = _factor(simultaneous_step, **how), _factor(extragradient_step, **how)
    yield r"\varrho \text{ together, ahead}", [outward, inward], "1.1180, 0.9014"
    slowed = _jacobian(alternating_step, penalty=0.75, **how)
    yield r"\Delta, T \text{ damped}", [np.linalg.det(slowed), np.trace(slowed)], "1/4, 1"
    unrolled = [_factor(_unrolled_step, num_steps=count, **how) for count in (1, 3, 5)]
    yield r"\varrho \text{ unrolled, } K = 1, 3, 5", unrolled, "0.7071, 0.8431, 1.6559"


@derivation.figure(
    "Left: 150 steps of the game from $(1, 0)$ with $h = 0.3$. Right: the factor of a step near the equilibrium against $a$; "
    "below the dashed line it contracts.",
    panels=2,
)
def paths_and_factors(left, right):
    sizes = np.linspace(0.02, 1.2, 30)
    for name, step in _GAMES.items():
        left.plot(*_path(name, 0.3, 150).T, label=name, linewidth=1)
        right.plot(sizes, [_factor(step, learning_rate=2 * size) for size in sizes], label=name, linewidth=1)
    left.plot([0], [0], marker="+", color="gray")
    left.set(xlabel=r"$\theta$", ylabel=r"$\omega$")
    left.legend(fontsize="x-small")
    right.axhline(1, linestyle="--", color="gray")
    right.set(xlabel="$a$", ylabel=r"$\varrho$", ylim=(0, 2))


@derivation.exercise(
    r"100 simultaneous steps of $h = 0.1$ from $(1, 0)$. What is the radius in Wasserstein's game $V = \theta\omega$, and what "
    "in the game of the lecture?",
    r"There $a = h$, and $1.01^{50} = 1.6446$. Here the factor of a step is $\sqrt{1 + h^2 \varsigma^2}$ with $\varsigma$ near "
    r"$\frac12$: 1.1125.",
)
def a_hundred_steps():
    yield 1.01**50, "1.6446"
    yield np.hypot(*_path("together", 0.1, 100)[-1]), "1.1125"


@derivation.exercise(
    r"Which penalty $\gamma$ decays fastest in turn at $h = 0.1$, and by which factor a step?",
    r"$a = 0.05$, $b = 2a - a^2 = 0.0975$, so $\gamma = b/h = 0.975$, and the factor is $1 - a = 0.95$.",
)
def best_damping():
    weights = np.linspace(0.9, 1.05, 151)
    factors = [_factor(alternating_step, learning_rate=0.1, penalty=weight) for weight in weights]
    yield weights[int(np.argmin(factors))], "0.975"
    yield _factor(alternating_step, learning_rate=0.1, penalty=0.975), "0.95"


@derivation.exercise(
    r"How many steps may be unrolled in turn at $h = 1$, and how many at $h = 0.1$?",
    r"$K < \frac1{a^2} - \frac14$: at $a = 0.5$ at most 3, at $a = 0.05$ at most 399.",
)
def how_many():
    counts = np.arange(1, 450)
    for size, printed in ((0.5, "3"), (0.05, "399")):
        matrices = np.array([[[1 - (1 + 2 * count) * size**2, -size], [size, 1]] for count in counts])
        yield counts[np.abs(np.linalg.eigvals(matrices)).max(axis=1) < 1].max(), printed
