r"""Why the players circle: by which factor each way to play a step of the smallest game grows or decays, and what unrolling adds.

The lecture on the functions of theory_jax/adversarial/unrolled_gan.py.
"""

import functools

import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, exp, log, sqrt

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
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.adversarial._players import (
    MOMENTS,
    draw_players,
    factor,
    half,
    spirals,
    two_rounds,
    unrolled_slopes,
    unrolled_step,
)
from theory_jax.lectures.lemmas.moving_average import moving_average

derivation = Derivation(
    module=__name__,
    title="Why the players circle: by which factor each way to play a step grows or decays, and what unrolling adds",
    sources=(
        "Mescheder, Geiger & Nowozin 2018, Which Training Methods for GANs do actually Converge?",
        "Gidel et al. 2019, A Variational Inequality Perspective on Generative Adversarial Networks",
        "Metz et al. 2017, Unrolled Generative Adversarial Networks",
    ),
    question="The losses of a GAN go up and down for ever, and its samples wander from one mode of the data to the next. The "
    "smallest GAN does the same: there is one equilibrium, each player steps towards a better reply, and both circle around it. "
    "Why, and by exactly which factor does each remedy pull them in: playing in turn, looking ahead, damping, unrolling?",
    setting=(
        r"The data are at 0, all samples at $\theta$, and $\omega x$ is the discriminator's logit of a fake at $x$. The value is "
        r"$V(\theta, \omega)$, that is $\log \sigma(\theta\omega) + \log \sigma(0)$. The generator $\theta$ descends it and the "
        r"discriminator $\omega$ ascends it, with a positive learning rate $h$.",
        r"Near $(0, 0)$ the slopes $V_\theta$ and $V_\omega$ are $\frac12 \omega$ and $\frac12 \theta$ up to higher orders. The "
        r"size of a linear step, $a$, is half of $h$. (In Wasserstein's game, of the value $\theta\omega$, it is $h$, and what "
        "is linear here is exact there.)",
        r"A linear step is a $2 \times 2$ matrix with trace $T$ and determinant $\Delta$; $\varrho$ is the largest modulus of "
        r"its eigenvalues. It contracts if and only if $1 - \Delta$, $1 - T + \Delta$ and $1 + T + \Delta$ are positive (the "
        "lecture on gradient penalties, which also has the simultaneous step with a penalty).",
        r"Unrolling: $\omega_K$ is the discriminator after $K$ steps against a generator that does not move. The generator "
        r"descends $V(\theta, \omega_K(\theta))$; the discriminator itself moves by one step only.",
    ),
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
gamma = derivation.number(r"\gamma", r"the weight of the penalty $\frac\gamma2 \omega^2$ on $\omega$", "penalty", positive=True)


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
real = 1 / (1 + exp(-theta * omega))
derivation.chain(
    "The slopes of both players vanish at the equilibrium only",
    Slope(_value(theta, omega), theta),
    equals(times(omega, doubt), prose(r"$\log \sigma$ has the slope $1 - \sigma$, and {rest}", rest=holds(1 - real, "=", doubt))),
    so=prose(
        "$V$ depends on the product alone, so the discriminator's slope is {other}. Both are 0 at $(0, 0)$ only, since "
        r"$\varsigma$ is positive.",
        other=holds(Slope(_value(theta, omega), omega), "=", theta * doubt, named=True),
    ),
    role="lemma",
)
derivation.chain(
    "Steps of both at once lead outwards from every point but the equilibrium",
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
    so=prose(
        "At the equilibrium {half}: near it the radius grows by {factor} at every step. In continuous time it would not grow at "
        "all, since the growth is of second order in $h$: the flow is a circle, and a step leaves it along the tangent.",
        half=holds(doubt, "=", Rational(1, 2), when={theta: 0}),
        factor=holds(sqrt(1 + (h / 2) ** 2), "=", sqrt(1 + a**2), when={h: 2 * a}, named=True),
    ),
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
derivation.say("Now the discriminator moves first, and the generator answers the new one: the usual loop of a GAN.")
first = derivation.define(r"\omega'", omega + a * theta, "the discriminator after its linear step")
then = derivation.define(r"\theta'", theta - a * first, "the generator after its linear step, against that")
derivation.chain(
    "In turn the players stay on an ellipse",
    plus(then**2, a * then * first, first**2),
    equals(plus(times(then, then + a * first), first**2), r"collect $\theta'$"),
    equals(plus(times(then, theta), first**2), prose("{back}", back=holds(plus(then, a * first), "=", theta))),
    equals(plus(theta**2, times(first, first - a * theta)), r"insert $\theta'$, and collect $\omega'$"),
    equals(
        plus(theta**2, a * theta * omega, omega**2),
        prose(r"{back}, and insert $\omega'$", back=holds(plus(first, -a * theta), "=", omega)),
        wrong={"generator first": plus(theta**2, -a * theta * omega, omega**2), "a circle": plus(theta**2, omega**2)},
    ),
    so="For steps of a size below 2 the form is positive definite, and its level sets are ellipses: no growth, no decay, the "
    "factor is 1. The order of play alone removes the growth, and gives no convergence.",
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
shrinking = plus(1, -(a**2) * (1 - a**2))
derivation.chain(
    "Looking ahead shrinks the radius, for steps of a size below 1",
    plus((theta - a * (omega + a * theta)) ** 2, (omega + a * (theta - a * omega)) ** 2),
    equals(
        times(plus((1 - a**2) ** 2, a**2), plus(theta**2, omega**2)),
        "collect: a rotation and a stretch",
        wrong={"the growth of a simultaneous step": times(1 + a**2, plus(theta**2, omega**2))},
    ),
    equals(times(shrinking, plus(theta**2, omega**2)), "expand the square"),
    so=prose(
        "The radius shrinks for steps of a size below 1, most at {best}, where the slope of the factor is {flat}, by {most}. For "
        r"small $a$ the gain is $\frac12 a^2$ a step: what the simultaneous step loses.",
        best=where(a, 1 / sqrt(2)),
        flat=holds(Slope(shrinking, a), "=", 0, named=True),
        most=holds(sqrt(shrinking), "=", sqrt(3) / 2, named=True),
    ),
    role="lemma",
)
ahead_theta, ahead_omega = theta - h * omega * doubt, omega + h * theta * doubt
derivation.bridge(
    "The code's extragradient step",
    (theta - h * ahead_omega * _doubt(ahead_theta, ahead_omega), omega + h * ahead_theta * _doubt(ahead_theta, ahead_omega)),
    extragradient_step,
    **_PLAYED,
    wrong={
        "the generator from the point ahead": (ahead_theta - h * ahead_omega * _doubt(ahead_theta, ahead_omega), None),
        "the discriminator from it": (None, ahead_omega + h * ahead_theta * _doubt(ahead_theta, ahead_omega)),
    },
)
b = derivation.number("b", r"the damping of a step, $h \gamma$", positive=True)
damped = Matrix([[1 - a**2, -a * (1 - b)], [a, 1 - b]])
derivation.say(
    prose(
        "Damping in turn: the discriminator goes to {first}, then the generator to {then}.",
        first=plus((1 - b) * omega, a * theta),
        then=holds(
            plus(theta, -a * ((1 - b) * omega + a * theta)), "=", plus((1 - a**2) * theta, -a * (1 - b) * omega), named=True
        ),
    )
)
derivation.chain(
    "A damped step in turn contracts for any positive damping that is not too large",
    damped.det(),
    equals(
        plus(times(1 - a**2, 1 - b), times(a**2, 1 - b)),
        "the product of the diagonal less that of the other two",
        wrong={"the penalty's sign": plus(times(1 - a**2, 1 + b), times(a**2, 1 + b))},
    ),
    equals(1 - b, "collect"),
    so=prose(
        "With the trace {trace} the conditions are that {first}, {second} and {third} are positive: the step contracts for "
        r"dampings below {end}. The smallest penalty will do, whereas simultaneous steps need a $\gamma$ above $\frac h4$.",
        trace=holds(damped.trace(), "=", plus(2, -(a**2), -b), named=True),
        first=holds(1 - damped.det(), "=", b, named=True),
        second=holds(plus(1, -damped.trace(), damped.det()), "=", a**2, named=True),
        third=holds(plus(1, damped.trace(), damped.det()), "=", 4 - a**2 - 2 * b, named=True),
        end=2 - a**2 / 2,
    ),
    role="lemma",
)
derivation.chain(
    "Damped in turn, the fastest decay is where the eigenvalues become real",
    plus(damped.trace() ** 2, -4 * (1 - b)),
    equals((2 - a**2 - b) ** 2 - 4 * (1 - b), "insert the trace"),
    equals(
        times(plus(b, -2 * a, a**2), plus(b, 2 * a, a**2)),
        prose(
            "a difference of squares: {squares}",
            squares=holds((2 - a**2 - b) ** 2 - 4 * (1 - b), "=", plus((b + a**2) ** 2, -4 * a**2), named=True),
        ),
        wrong={"the sign of the square": times(plus(b, -2 * a, -(a**2)), plus(b, 2 * a, -(a**2)))},
    ),
    so=prose(
        r"The first line is $T^2 - 4 \Delta$. At {best}, for sizes below 1, it is {zero}, and both eigenvalues are $T/2$, "
        r"{twice}. For less damping they are a complex pair of modulus $\sqrt{1 - b}$, larger than that; for more the larger one "
        "grows again. So $1 - a$ is the fastest decay: of first order in $a$.",
        best=where(b, 2 * a - a**2),
        zero=holds(plus(damped.trace() ** 2, -4 * (1 - b)), "=", 0, named=True),
        twice=holds(damped.trace() / 2, "=", 1 - a, named=True),
    ),
    role="lemma",
)
K = derivation.number("K", "the number of unrolled steps", "num_steps", positive=True)
derivation.say(
    r"Unrolling. Against a generator at rest the linear discriminator moves by $a \theta$ at every step. Near the equilibrium "
    r"$V$ is $\frac12 \theta\omega - \log 4$ up to higher orders, and $h$ is $2a$."
)
answer = derivation.define(r"\omega_K", omega + K * a * theta, "the linear discriminator after its steps")
derivation.answer = prose(
    "Simultaneous steps lead outwards from every point but the equilibrium, near which the factor of a step of size {size} is "
    "{out}. In turn, the players stay on an ellipse: the factor is 1. Looking ahead it is {ahead}, less than 1 for sizes below "
    "1; damped in turn it is {damped} at best, for these sizes. Unrolling makes the generator's slope {slope}, of which the "
    "second term, half of it through the discriminator's answer, pulls the samples to the data; but the more steps are unrolled, "
    "the smaller a step must be.",
    size=a,
    out=sqrt(1 + a**2),
    ahead=sqrt(shrinking),
    damped=holds(damped.trace() / 2, "=", 1 - a, when={b: 2 * a - a**2}, named=True),
    slope=holds(times(2 * a, Slope(theta * answer / 2, theta)), "=", plus(a * omega, 2 * K * a**2 * theta), named=True),
)
central = derivation.chain(
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
    r"restoring force on $\theta$ itself, also where $\omega$ is 0 and the plain slope vanishes.",
)
together = Matrix([[1 - 2 * K * a**2, -a], [a, 1]])
in_turn = Matrix([[1 - a**2 - 2 * K * a**2, -a], [a, 1]])
derivation.say(
    prose(
        "The discriminator's own step is the same as before. At once the generator goes to {together}. In turn the steps are "
        r"unrolled from the new $\omega'$, and it goes to {in_turn}.",
        together=(1 - 2 * K * a**2) * theta - a * omega,
        in_turn=holds(
            plus(theta, -a * first, -2 * K * a**2 * theta), "=", plus((1 - a**2 - 2 * K * a**2) * theta, -a * omega), named=True
        ),
    )
)
at_once = derivation.chain(
    "Unrolled, both at once, a step contracts if it is small for the number of unrolled steps",
    plus(1, together.trace(), together.det()),
    equals(plus(1, 2 - 2 * K * a**2, 1 - times(2 * K - 1, a**2)), "the trace, and the determinant"),
    equals(plus(4, -times(4 * K - 1, a**2)), "collect", wrong={"detached": plus(4, -times(2 * K - 1, a**2))}),
    so=prose(
        r"$1 - T + \Delta$ is {second}, and $\Delta$, which is {det}, is below 1 from the first unrolled step on (detached it is "
        r"$1 - (K - 1)\, a^2$, and one step only circles). So the step contracts if and only if $a^2$ is below {end}.",
        second=holds(plus(1, -together.trace(), together.det()), "=", a**2, named=True),
        det=holds(together.det(), "=", plus(1, -times(2 * K - 1, a**2)), named=True),
        end=4 / (4 * K - 1),
    ),
    role="lemma",
)
derivation.chain(
    "Unrolled, in turn, a step contracts if it is small for the number of unrolled steps",
    plus(1, in_turn.trace(), in_turn.det()),
    equals(plus(1, 2 - (2 * K + 1) * a**2, 1 - 2 * K * a**2), "the trace, and the determinant"),
    equals(plus(4, -times(4 * K + 1, a**2)), "collect", wrong={"as at once": plus(4, -times(4 * K - 1, a**2))}),
    so=prose(
        r"The other two always hold, since $\Delta$ is {det} and $1 - T + \Delta$ is {second}; so the step contracts if and only "
        "if $K$ is below {most}, where the last one is {zero}: a large learning rate and many unrolled steps overshoot.",
        det=holds(in_turn.det(), "=", 1 - 2 * K * a**2, named=True),
        second=holds(plus(1, -in_turn.trace(), in_turn.det()), "=", a**2, named=True),
        most=1 / a**2 - Rational(1, 4),
        zero=holds(plus(4, -times(4 * K + 1, a**2)), "=", 0, when={K: 1 / a**2 - Rational(1, 4)}, named=True),
    ),
    role="lemma",
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
    role="remark",
)
def through_the_steps():
    reverse, forward, detached = unrolled_slopes((0, 1, 5, 20))
    return Sides(left=reverse, right=forward, wrong={"no step is unrolled": forward[jnp.zeros(4, int)], "detached": detached})


@derivation.autodiff(
    r"\varrho = \sqrt{1 + a^2},\ 1,\ \sqrt{1 - a^2 (1 - a^2)},\ 1 - a,\ \sqrt{1 - 2 K a^2}",
    because="The eigenvalues of the Jacobians of the code's steps at the equilibrium, for the learning rates 0.2 and 0.6 and two "
    "unrolled steps: together, in turn, looking ahead, damped in turn at best, unrolled in turn.",
    tolerance=1e-7,
    since="at the best damping two eigenvalues meet, and move with the root of a rounding error",
    role="remark",
)
def factors():
    found, wanted = [], []
    for h in (0.2, 0.6):
        a, how = h / 2, {"learning_rate": h}
        found += [factor(step, **how) for step in (simultaneous_step, alternating_step, extragradient_step)]
        found += [factor(alternating_step, penalty=(2 * a - a**2) / h, **how), factor(unrolled_step, num_steps=2, **how)]
        wanted += [np.sqrt(1 + a**2), 1.0, np.sqrt(1 - a**2 * (1 - a**2)), 1 - a, np.sqrt(1 - 4 * a**2)]
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"all cycle": np.ones(10)})


derivation.say(
    prose(
        "What does unrolling tend to? Take a game whose inner problem has an answer, {value}. A step goes to {step}: for $h "
        r"\gamma$ below 1 a moving average of the best answer $\frac\theta\gamma$, in which the start keeps the weight $s$, "
        r"which is $(1 - h \gamma)^K$.",
        value=plus(theta * omega, -gamma * omega**2 / 2),
        step=holds(
            plus(omega, h * Slope(plus(theta * omega, -gamma * omega**2 / 2), omega)),
            "=",
            plus(times(1 - h * gamma, omega), times(h * gamma, theta / gamma)),
            named=True,
        ),
    )
)
s = derivation.number("s", "what is left of the distance to the best answer after all steps", between=(0, 1))
reply = derivation.define(r"\tilde\omega", s * omega + (1 - s) * theta / gamma, "the discriminator after its steps in this game")
unrolled = derivation.chain(
    "The unrolled gradient has a second term, which vanishes at the best answer",
    Slope(plus(theta * reply, -gamma / 2 * reply**2), theta),
    equals(plus(reply, times(theta - gamma * reply, Slope(reply, theta))), "the chain rule", wrong={"detached": reply}),
    equals(
        plus(reply, times(s * (1 - s) / gamma, theta - gamma * omega)),
        prose("{distance}", distance=holds(plus(theta, -gamma * reply), "=", times(s, plus(theta, -gamma * omega)))),
    ),
    uses=(moving_average,),
    role="lemma",
)
derivation.chain(
    "With every step unrolled the game is a minimization",
    Limit(plus(reply, times(s * (1 - s) / gamma, theta - gamma * omega)), s, 0),
    equals(theta / gamma, "the best answer alone is left"),
    equals(Slope(theta**2 / (2 * gamma), theta), "the slope of a bowl", wrong={"no half": Slope(theta**2 / gamma, theta)}),
    uses=(unrolled,),
    so=prose(
        "The bowl is the value at the best answer, {best}: the generator descends this value (envelope theorem).",
        best=holds(theta * omega - gamma * omega**2 / 2, "=", theta**2 / (2 * gamma), when={omega: theta / gamma}, named=True),
    ),
)


derivation.algorithm(
    "Unrolled GAN: a step of both players",
    do(r"$\omega_K \leftarrow K$ steps of the discriminator from $\omega$, in a copy", unrolled_discriminator, by=central),
    do(
        r"$\theta' \leftarrow \theta - h \frac{d}{d\theta} V(\theta, \omega_K(\theta))$, through all of these steps",
        unrolled_generator_gradient,
        by=central,
    ),
    do(
        r"$\omega \leftarrow \omega + h V_\omega(\theta, \omega)$, one step, against the old $\theta$",
        simultaneous_step,
        by=at_once,
    ),
    do(r"$\theta \leftarrow \theta'$"),
)(two_rounds)


derivation.example(
    r"The matrices at the size $\frac12$, that is the learning rate 1, from $(1, 0)$. Together, in turn, and looking ahead; the "
    r"factors, with the damping $\frac34$; last, unrolled steps in turn."
)(half)


derivation.figure(
    "The smallest game from $(1, 0)$, with the learning rate 0.5. Left: generator and discriminator; right: where the samples "
    "are, with the data at 0 (dashed). Orange: the players step together, each replies to where the other has been, and the "
    "samples swing ever farther past the data. Gray: damped, in turn. Blue: in turn, with an unrolled generator, which looks "
    "ahead.",
    panels=2,
    frames=["start", *(f"step {moment}" for moment in MOMENTS[1:])],
)(spirals)
derivation.figure(
    "Left: 60 steps of the game from $(1, 0)$, with the learning rate 0.5. Right: the factor of a step near the equilibrium, by "
    "the matrices of this page, against the size $a$ of a step; below the dashed line it contracts.",
    panels=2,
)(draw_players)
