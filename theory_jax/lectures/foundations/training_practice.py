"""The formulas inside a training loop.

The lecture on the functions of theory_jax/foundations/training_practice.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Min, cos, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import LogDensity, SquaredNorm, Total, plus, times
from theory_jax.foundations.maximum_likelihood import gaussian_negative_log_likelihood
from theory_jax.foundations.training_practice import (
    adam_update,
    clip_by_global_norm,
    ema_update,
    scale_to_range,
    warmup_cosine_learning_rate,
)
from theory_jax.lectures.lemmas.moving_average import moving_average

derivation = Derivation(
    module=__name__,
    title="The formulas inside a training loop",
    sources=(
        "Kingma & Ba 2015, Adam, algorithm 1 and section 3",
        "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks",
        "Polyak & Juditsky 1992, Acceleration of stochastic approximation by averaging",
        "Loshchilov & Hutter 2017, SGDR",
    ),
    question="Every training loop scales its data, clips its gradients, takes Adam's steps, averages its weights and follows a "
    "schedule. Why do these five small formulas have exactly the form that they have, and what goes wrong with another?",
    setting=(
        r"All arrays of a gradient together are one vector $g$ with the Euclidean norm $\|g\|$. Clipping with the radius $c > "
        r"0$ multiplies it by $\min(1, c/\|g\|)$.",
        r"Adam keeps $m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t$ and $v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2$ of each "
        r"parameter, from $m_0 = v_0 = 0$, and adds $-\eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)$ with $\hat m_t = m_t / "
        r"(1 - \beta_1^t)$ and $\hat v_t = v_t / (1 - \beta_2^t)$.",
        r"The schedule has $w$ steps of warm-up and ends at step $T > w$: $\eta_s = \mathrm{peak}\, \frac{s + 1}{w}$ for $s < "
        r"w$, and $\mathrm{floor} + (\mathrm{peak} - \mathrm{floor}) \frac{1 + \cos \pi r}{2}$ after it, with $r = "
        r"\min\left(\frac{s - w}{T - w}, 1\right)$.",
    ),
    answer=r"Clipping by the global norm is the projection onto a ball: the smallest change that bounds the step. Bias "
    r"correction makes Adam's averages exact for a constant gradient from the first step on, and its step has no unit. An "
    r"average with decay $d$ is worth $\frac{1 + d}{1 - d}$ values. The cosine falls strictly to the floor. Scaling the data "
    r"changes a log-density by a constant, which must be put back.",
    limits=(
        "That any of these optimizers converges, and how fast.",
        "Why warm-up helps: here it is only a straight line that meets the cosine.",
        "The worth of an average is derived for independent values; successive weights of a model are not independent.",
    ),
    trained="These are parts of a training step, not a model. Every experiment takes such steps, with the optimizers of PyTorch.",
)

d = derivation.index("i", "an entry of a gradient, over all arrays")
g = derivation.numbers("g", d, "the gradient", "gradients")
u = derivation.numbers("u", d, "any vector of the ball")
c = derivation.number("c", "the radius of the ball", "max_norm", positive=True)
size_g = derivation.define(r"\|g\|", sqrt(SquaredNorm(d, g)), "its norm", "norm", positive=True)
size_u = derivation.define(r"\|u\|", sqrt(SquaredNorm(d, u)), "the norm of that vector", positive=True)
apart = times(size_g, size_u, SquaredNorm(d, plus(g / size_g, -u / size_u)))
inside = derivation.assume("The vector is in the ball", plus(c, -size_u))
outside = derivation.assume("... and the gradient is not", plus(size_g, -c))
central = derivation.chain(
    "Clipping is the projection onto the ball",
    SquaredNorm(d, plus(g, -u)),
    equals(
        plus((size_g - size_u) ** 2, apart),
        r"multiply out; two unit vectors have the squared distance $2 - 2 \left\langle \frac{g}{\|g\|}, \frac{u}{\|u\|} "
        r"\right\rangle$",
        wrong={"the distance once for twice": plus((size_g - size_u) ** 2, apart / 2)},
    ),
    at_least(
        (size_g - size_u) ** 2, "leave out a squared norm (Cauchy-Schwarz); zero only if both point the same way", dropping=apart
    ),
    equals(
        plus((size_g - c) ** 2, times(plus(c, -size_u), plus(times(2, plus(size_g, -c)), plus(c, -size_u)))),
        r"$\|g\| - \|u\| = (\|g\| - c) + (c - \|u\|)$, squared",
    ),
    at_least(
        (size_g - c) ** 2,
        r"leave out a product of nonnegative numbers, since $\|u\| \le c \le \|g\|$; zero only if $\|u\| = c$",
        dropping=inside.at() * (2 * outside.at() + inside.at()),
    ),
    equals(
        SquaredNorm(d, plus(g, -times(c / size_g, g))),
        r"$g - \frac{c}{\|g\|} g = \frac{\|g\| - c}{\|g\|} g$, with the norm $\|g\| - c$",
        wrong={"divided by the squared norm": SquaredNorm(d, g - c / size_g**2 * g)},
    ),
    central=True,
    so=r"No vector of the ball is nearer to $g$ than $\frac{c}{\|g\|} g$. It keeps the direction, which clipping each array by "
    r"its own norm does not: that would turn the gradient towards the arrays that were not clipped. A gradient inside the ball "
    r"is its own projection.",
)


def _clipped(g, max_norm):
    """The gradient of two arrays, clipped together."""
    parts, _ = clip_by_global_norm((g[:1], g[1:].reshape(1, 3)), max_norm=max_norm)
    return jnp.concatenate([part.ravel() for part in parts])


derivation.bridge(
    "The code's clipping, of two arrays together",
    g * Min(1, c / size_g),
    _clipped,
    g=g,
    max_norm=c,
    calls=(clip_by_global_norm,),
    wrong={
        "the squared norm": g * Min(1, c / size_g**2),
        "the largest entry for the norm": g * Min(1, c / Max(*(Abs(g.at(k)) for k in range(4)))),
    },
)

beta1, beta2 = (
    derivation.number(rf"\beta_{k}", f"the decay of {what}", f"beta{k}", between=(0, 1))
    for k, what in ((1, "the mean"), (2, "the mean square"))
)
t = derivation.number("t", "a step, counted from 1", "step", integer=True, positive=True)
constant = derivation.number("G", "a gradient that is the same at every step", "gradient")
unroll = derivation.chain(
    "A constant gradient fills the average by a geometric series",
    plus(times(beta1, 1 - beta1**t, constant), times(1 - beta1, constant)),
    equals((1 - beta1 ** (t + 1)) * constant, r"$\beta_1 (1 - \beta_1^t) + 1 - \beta_1 = 1 - \beta_1^{t+1}$"),
    role="lemma",
    so=r"If $m_t = (1 - \beta_1^t) G$, then $m_{t+1} = (1 - \beta_1^{t+1}) G$; it holds at $t = 0$, so always. The average "
    r"started at zero and has collected the weight $1 - \beta_1^t$ so far: dividing by it is exact. For random gradients with "
    r"one mean the same holds for expectations, and for $v_t$ with $\beta_2$ and squares.",
)
m_t = derivation.define("m_t", (1 - beta1**t) * constant, "the first moment then")
v_t = derivation.define("v_t", (1 - beta2**t) * constant**2, "the second moment then")
rate = derivation.number(r"\eta", "the learning rate", "learning_rate", positive=True)
eps = derivation.number(r"\epsilon", "what keeps the quotient from 0/0", "epsilon", positive=True)
derivation.chain(
    "With bias correction the step is right from the beginning",
    -rate * (m_t / (1 - beta1**t)) / plus(sqrt(v_t / (1 - beta2**t)), eps),
    equals(
        -rate * constant / plus(Abs(constant), eps),
        r"$\hat m_t = G$ and $\hat v_t = G^2$, at every $t$",
        wrong={
            "the small number inside the root": -rate * constant / sqrt(constant**2 + eps),
            "no root": -rate * constant / (constant**2 + eps),
        },
    ),
    uses=(unroll,),
    so=r"Without the correction the first step would be $\frac{1 - \beta_1}{\sqrt{1 - \beta_2}}$ times as long: 3.16 with the "
    r"usual 0.9 and 0.999.",
)
k = derivation.index("k", "one of three steps, from 0", states=3)
G = derivation.numbers("g", k, "three gradients of one parameter", "gradient")
a = derivation.number("a", "a factor of the loss", positive=True)


def _third_step(gradient, small, weight1=1 - beta1**3, weight2=1 - beta2**3):
    """Adam's third update."""
    mean = Total(k, times(1 - beta1, beta1 ** (2 - k), gradient)) / weight1
    square = Total(k, times(1 - beta2, beta2 ** (2 - k), gradient**2)) / weight2
    return -rate * mean / (plus(sqrt(square), small) if small != 0 else sqrt(square))


derivation.chain(
    "Adam's step has no unit",
    _third_step(a * G, 0),
    equals(
        _third_step(G, 0),
        r"the mean is multiplied by $a$, and so is the root of the mean square",
        wrong={"a step that grows with the loss": a * _third_step(G, 0)},
    ),
    so=r"At $\epsilon = 0$ the gradients $a g$ of a rescaled loss give the same step, so the learning rate alone sets its "
    r"size. Only $\epsilon$ knows the scale of the loss.",
)


def _three_steps(gradients, **options):
    moments = jnp.zeros(1), jnp.zeros(1)
    for step, gradient in enumerate(gradients, 1):
        update, *moments = adam_update(gradient[None], *moments, step=step, **options)
    return update


derivation.bridge(
    "The code's third step",
    _third_step(G, eps),
    _three_steps,
    gradients=G,
    learning_rate=rate,
    beta1=beta1,
    beta2=beta2,
    epsilon=eps,
    calls=(adam_update,),
    wrong={
        "no bias correction": _third_step(G, eps, 1, 1),
        "the decays exchanged": _third_step(G, eps, 1 - beta2**3, 1 - beta1**3),
        "the small number inside the root": -rate
        * Total(k, (1 - beta1) * beta1 ** (2 - k) * G)
        / (1 - beta1**3)
        / sqrt(Total(k, (1 - beta2) * beta2 ** (2 - k) * G**2) / (1 - beta2**3) + eps),
    },
)

decay = derivation.number("d", "the decay of a moving average", "decay", between=(0, 1))
first = derivation.number("a_0", "the average before a step", "average")
spread = derivation.number("s", "the variance of an average", positive=True)
single = derivation.number(r"\sigma^2", "the variance of one value", positive=True)
fixed = derivation.define("s^*", single * (1 - decay) / (1 + decay), "the variance that stays as it is", positive=True)
derivation.chain(
    "The variance of the average tends to a fixed part of that of a value",
    plus(decay**2 * spread, (1 - decay) ** 2 * single, -fixed),
    equals(
        decay**2 * plus(spread, -fixed),
        r"$s^* = d^2 s^* + (1 - d)^2 \sigma^2$, and independent values add their variances",
        wrong={"the decay not squared": decay * (spread - fixed)},
    ),
    uses=(moving_average,),
    so=r"Each step multiplies the distance to $s^*$ by $d^2$. An average with decay $d$ is worth $\frac{\sigma^2}{s^*} = "
    r"\frac{1 + d}{1 - d}$ independent values.",
)
latest = derivation.number("b", "a new value", "value")
derivation.bridge(
    "The code's average",
    plus(times(decay, first), times(1 - decay, latest)),
    ema_update,
    average=[first],
    value=[latest],
    decay=decay,
    wrong={"decay and its rest exchanged": (1 - decay) * first + decay * latest},
)

phi = derivation.number(r"\varphi", r"the angle $\pi r$ of a step after the warm-up")
omega = derivation.number(r"\omega", r"the angle $\frac{\pi}{T - w}$ between two steps")
drop = derivation.number("D", r"$\mathrm{peak} - \mathrm{floor}$", positive=True)
right_angle = derivation.assume(r"Sines and cosines of angles between zero and a right angle are not negative", sin(phi), phi)
derivation.chain(
    "The cosine falls at every step, least at its ends",
    plus(times(drop / 2, plus(1, cos(phi))), -times(drop / 2, plus(1, cos(phi + omega)))),
    equals(
        times(drop, sin(phi + omega / 2), sin(omega / 2)),
        r"$\cos A - \cos B = 2 \sin\frac{A + B}{2} \sin\frac{B - A}{2}$",
        wrong={"the cosine": times(drop, cos(phi + omega / 2), sin(omega / 2))},
    ),
    equals(
        plus(drop * sin(omega / 2) ** 2, times(2, drop, sin(phi / 2), cos((phi + omega) / 2), sin(omega / 2))),
        r"$\sin A - \sin B = 2 \sin\frac{A - B}{2} \cos\frac{A + B}{2}$ at $A = \varphi + \frac{\omega}{2}$, $B = "
        r"\frac{\omega}{2}$",
    ),
    at_least(
        drop * sin(omega / 2) ** 2,
        r"before the last step $\varphi + \omega \le \pi$, so all three angles are between 0 and a right angle: leave out a "
        r"product of nonnegative numbers, zero at the first step and at the last",
        dropping=2 * drop * right_angle.at(phi / 2) * right_angle.at(pi / 2 - (phi + omega) / 2) * right_angle.at(omega / 2),
    ),
    so=r"Up to a right angle the sine is concave, so it is above its chord: $\sin y \ge \frac{2}{\pi} y$. So every step falls by "
    r"at least $\frac{D}{(T - w)^2}$.",
)
derivation.symbol("y", "an angle")
derivation.symbol(
    r"\eta_s, T, w", "the learning rate of step $s$, the last step, and the steps of warm-up", "step, total_steps, warmup_steps"
)


@derivation.bound(
    r"\eta_s - \eta_{s+1} \ge \frac{\mathrm{peak} - \mathrm{floor}}{(T - w)^2} > 0, \qquad w \le s < T",
    because="The chain and the chord of the sine, for the code's schedule: the decay is strict. Equality if it is a single step.",
)
def the_decay_is_strict():
    def sides(length, power=2):
        steps = jnp.arange(6, 7 + length)
        rates = warmup_cosine_learning_rate(steps, peak=0.3, warmup_steps=6, total_steps=6 + length, floor=0.02)
        return jnp.full(length, 0.28 / length**power), -jnp.diff(rates)

    return BoundSides(
        sides=sides,
        points=(24,),
        tight=(1,),
        wrong={
            "one over the length": lambda length: sides(length, power=1),
            "a tenth more": lambda length: (1.1 * sides(length)[0], sides(length)[1]),
        },
    )


@derivation.numeric(
    r"\eta_{w-1} = \eta_w = \mathrm{peak}, \qquad \eta_{(w+T)/2} = \frac{\mathrm{peak} + \mathrm{floor}}{2}, \qquad \eta_s = "
    r"\mathrm{floor} \quad (s \ge T)",
    because="The line reaches the peak with the last step of the warm-up and the cosine starts there, so the peak is taken "
    "twice. Half-way the cosine is 0, at the end it is $-1$, and there it stays.",
)
def the_schedule_meets_its_marks():
    rate = warmup_cosine_learning_rate(jnp.arange(40), peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    early = warmup_cosine_learning_rate(jnp.arange(1, 41), peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    at = jnp.array([5, 6, 18, 30, 39])
    return Sides(left=jnp.array([0.3, 0.3, 0.16, 0.02, 0.02]), right=rate[at], wrong={"one step early": early[at]})


step = derivation.number("s", "a step of the schedule, from 0", "step", integer=True, nonnegative=True)
floor = derivation.number("l", "the floor", "floor", positive=True)
for words, expression, steps, mistake in (
    ("rises over 8 steps", (drop + floor) * (step + 1) / 8, {"warmup_steps": 8, "total_steps": 30}, (drop + floor) * step / 8),
    (
        "falls over 9 steps",
        floor + drop * (1 + cos(pi * step / 9)) / 2,
        {"warmup_steps": 0, "total_steps": 9},
        floor + drop * (1 + cos(pi * (step + 1) / 9)) / 2,
    ),
):
    derivation.bridge(
        f"The code's schedule {words}",
        expression,
        warmup_cosine_learning_rate,
        step=[step],
        peak=drop + floor,
        floor=floor,
        **steps,
        wrong={"one step off": mistake},
    )

value_of = derivation.number("z", "a value of the data", "x")
lowest = derivation.number("p", "the smallest value of the data's range", "minimum")
least = derivation.number("q", "the smallest value of the scaled range", "low")
alpha = derivation.number(
    r"\alpha", r"the slope $\frac{\mathrm{high} - \mathrm{low}}{\mathrm{maximum} - \mathrm{minimum}}$", positive=True
)
m, s = derivation.number(r"\mu", "the mean of a Gaussian model"), derivation.number("v", "its variance", positive=True)
scaled = derivation.define(r"\tilde z", plus(least, times(alpha, plus(value_of, -lowest))), "the scaled value", "scale_to_range")
derivation.chain(
    "Scaling is undone by scaling back",
    plus(lowest, plus(scaled, -least) / alpha),
    equals(
        value_of,
        "the same map with both ranges exchanged and the inverse slope",
        wrong={"the same slope": lowest + (scaled - least) * alpha},
    ),
    role="lemma",
)
derivation.chain(
    "A log-density falls by the logarithm of the slope",
    LogDensity(scaled, plus(least, times(alpha, plus(m, -lowest))), alpha**2 * s),
    equals(
        plus(LogDensity(value_of, m, s), -log(alpha)),
        r"the distance to the mean and the deviation are both stretched by $\alpha$, so the exponent stays, and $-\frac{1}{2} "
        r"\log 2\pi\alpha^2 v$ falls by $\log \alpha$",
        wrong={"the slope's square": LogDensity(value_of, m, s) - 2 * log(alpha)},
    ),
    so=r"In $D$ dimensions it falls by $D \log \alpha$; for any density by the change of variables. Likelihoods can be "
    r"compared only if their data were scaled alike, or this constant is put back.",
)
width = derivation.number("W", "the width of the data's range", positive=True)
high = derivation.number("H", "the width of the scaled range", positive=True)
derivation.bridge(
    "The code's map",
    scaled.family.definition.subs(alpha, high / width),
    scale_to_range,
    x=[value_of],
    minimum=lowest,
    maximum=lowest + width,
    low=least,
    high=least + high,
    wrong={"the slope turned over": scaled.family.definition.subs(alpha, width / high)},
)


@derivation.example(
    r"The gradient $(3, 4)$ and the ball of radius 1; next to the projection another point of the ball, and clipping each entry "
    r"by itself. Then Adam after the gradients 1 and $-1$. Then an average with decay 0.9, and pixel 51 of 255 on $[-1, 1]$."
)
def by_hand():
    clipped, norm = clip_by_global_norm((jnp.array([3.0]), jnp.array([4.0])), max_norm=1.0)
    flat = jnp.concatenate(clipped)
    yield r"\frac{c}{\|g\|}\, g", flat, "(0.6, 0.8)"
    yield r"\text{its distance from } g", jnp.linalg.norm(jnp.array([3.0, 4.0]) - flat), "4"
    yield r"\text{the distance of } (1, 0)", jnp.linalg.norm(jnp.array([2.0, 4.0])), "4.4721"
    yield r"\text{cosine of array-wise clipping } (1, 1) \text{ with } g", 7 / (5 * math.sqrt(2)), "0.9899"
    _, mean, square = adam_update(jnp.array([1.0]), jnp.zeros(1), jnp.zeros(1), step=1, learning_rate=1.0)
    update, mean, square = adam_update(jnp.array([-1.0]), mean, square, step=2, learning_rate=1.0)
    yield r"\hat m_2", mean / (1 - 0.9**2), "-0.0526"
    yield r"\hat v_2", square / (1 - 0.999**2), "1.0000"
    yield r"\text{the step, at } \eta = 1", update, "0.0526"
    yield r"\tfrac{1 + d}{1 - d}", 1.9 / 0.1, "19"
    yield r"\text{pixel 51}", scale_to_range(jnp.array([51.0]), minimum=0.0, maximum=255.0), "-0.6"
    yield r"-\log\alpha \text{ per pixel}", -math.log(2 / 255), "4.8481"


@derivation.figure(
    r"Left: a gradient (arrow), its projection on the ball (dot) and what clipping each entry by itself gives (cross). Middle: "
    r"the length of Adam's steps for a constant gradient, with and without bias correction. Right: a schedule with 6 steps of "
    r"warm-up, and its marks.",
    panels=3,
)
def projection_steps_and_schedule(left, middle, right):
    angle = np.linspace(0, np.pi / 2, 60)
    left.fill_between(np.cos(angle), np.sin(angle), alpha=0.2)
    left.annotate("", (0.9, 2.2), (0, 0), arrowprops={"arrowstyle": "->", "color": "gray"})
    clipped, _ = clip_by_global_norm((jnp.array([0.9, 2.2]),), max_norm=1.0)
    left.plot(*clipped[0], "o", label="by the norm")
    left.plot([0.9], [1.0], "x", label="by entries")
    left.set(xlabel="$g_1$", ylabel="$g_2$", xlim=(0, 2.4), ylim=(0, 2.4), aspect="equal")
    left.legend()
    moments, corrected, plain = (jnp.zeros(1), jnp.zeros(1)), [], []
    for number in range(1, 31):
        update, *moments = adam_update(jnp.ones(1), *moments, step=number, learning_rate=1.0)
        corrected.append(-float(update[0]))
        plain.append(float(moments[0][0] / jnp.sqrt(moments[1][0])))
    middle.plot(range(1, 31), plain, label="uncorrected")
    middle.plot(range(1, 31), corrected, label="corrected")
    middle.set(xlabel="step", ylabel=r"step / $\eta$", ylim=(0, None))
    middle.legend()
    steps = jnp.arange(40)
    rates = warmup_cosine_learning_rate(steps, peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    right.plot(steps, rates, ".-")
    right.plot([5, 6, 18, 30], np.asarray(rates)[[5, 6, 18, 30]], "o")
    right.set(xlabel="step", ylabel="learning rate", ylim=(0, None))


@derivation.exercise(
    r"What is Adam's first step, at $\epsilon = 0$, for a gradient of 0.001 and for one of $-50$?",
    r"$-\eta\, \mathrm{sgn}\, G$ for every $G \ne 0$: $-\eta$ and $\eta$, so at $\eta = 0.1$ it is -0.1 and 0.1.",
)
def the_first_step():
    update, *_ = adam_update(jnp.array([0.001, -50.0]), jnp.zeros(2), jnp.zeros(2), step=1, learning_rate=0.1, epsilon=0.0)
    yield update, "-0.1 and 0.1"


@derivation.exercise(
    r"Which decay makes an average worth 1000 independent values?",
    r"$\frac{1 + d}{1 - d} = 1000$ gives $d = \frac{999}{1001} = 0.9980$.",
)
def a_thousand_values():
    yield 999 / 1001, "0.9980"
    yield (1 + 999 / 1001) / (1 - 999 / 1001), "1000"


@derivation.exercise(
    r"Data on $[0, 255]$ are scaled to $[-1, 1]$. How many bits per pixel must be added to the negative log-likelihood of the "
    r"scaled data to get that of the pixels?",
    r"The log-density of the scaled data is larger by $-\log \alpha$, so $\log_2 \frac{255}{2} = 6.9944$ bits are added.",
)
def bits_per_pixel():
    pixels = jnp.array([[100.0, 30.0]])

    def loss(x, mean, log_var):
        return gaussian_negative_log_likelihood(x, jnp.full_like(x, mean), jnp.full_like(x, log_var))[0] / 2 / math.log(2)

    scaled = scale_to_range(pixels, minimum=0.0, maximum=255.0)
    yield loss(pixels, 127.5, math.log(400.0)) - loss(scaled, 0.0, math.log(400.0 * (2 / 255) ** 2)), "6.9944"
