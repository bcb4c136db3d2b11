"""The formulas inside a training loop.

The lecture on the functions of theory_jax/foundations/training_practice.py.
"""

import math

import jax.numpy as jnp
from sympy import Abs, Max, Min, cos, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import LogDensity, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.foundations.training_practice import (
    adam_update,
    clip_by_global_norm,
    ema_update,
    scale_to_range,
    warmup_cosine_learning_rate,
)
from theory_jax.lectures.foundations._loop import draw_projection, draw_schedule, draw_steps, train
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
    question="A loop with one of these lines slightly wrong still runs: it diverges after a spike, wastes its first steps, "
    "evaluates noisy weights, or reports a likelihood that no one can compare. Every training loop scales its data, clips its "
    "gradients, takes Adam's steps, averages its weights and follows a schedule. Why do these five small formulas have exactly "
    "the form that they have?",
    setting=(
        r"All arrays of a gradient together are one vector $g$ with the Euclidean norm $\|g\|$. Clipping with the positive "
        r"radius $c$ multiplies it by $\min(1, c/\|g\|)$.",
        r"Adam keeps two averages of each parameter's gradient that start at 0: $m_t$ is $\beta_1 m_{t-1} + (1 - \beta_1) g_t$, "
        r"and $v_t$ is $\beta_2 v_{t-1} + (1 - \beta_2) g_t^2$. It adds $-\eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)$, "
        r"where $\hat m_t$ is $m_t / (1 - \beta_1^t)$ and $\hat v_t$ is $v_t / (1 - \beta_2^t)$.",
        r"The schedule has $w$ steps of warm-up and ends at a later step $T$. The rate of step $s$ is $\mathrm{peak}\, \frac{s "
        r"+ 1}{w}$ in the warm-up, and $\mathrm{floor} + (\mathrm{peak} - \mathrm{floor}) \frac{1 + \cos \pi r}{2}$ after it, "
        r"where $r$ is $\frac{s - w}{T - w}$, at most 1.",
    ),
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
inside = derivation.assume(
    "The vector is in the ball", plus(c, -size_u), example={c: 5, u: (3, 4)}, wrong={"half": c / 2 - size_u}
)
outside = derivation.assume(
    "... and the gradient is not", plus(size_g, -c), example={c: 5, g: (6, 8)}, wrong={"turned over": c - size_g}
)
central = derivation.chain(
    "Clipping is the projection onto the ball",
    SquaredNorm(d, plus(g, -u)),
    equals(
        plus((size_g - size_u) ** 2, apart),
        "multiply out; the squared distance of two unit vectors is twice 1 less their inner product",
        wrong={"the distance once for twice": plus((size_g - size_u) ** 2, apart / 2)},
    ),
    at_least(
        (size_g - size_u) ** 2,
        "leave out a squared norm (Cauchy-Schwarz); equality if and only if both point the same way",
        dropping=apart,
    ),
    equals(
        plus((size_g - c) ** 2, times(plus(c, -size_u), plus(times(2, plus(size_g, -c)), plus(c, -size_u)))),
        "split the difference of the norms at $c$, and square",
    ),
    at_least(
        (size_g - c) ** 2,
        r"leave out a product of nonnegative numbers, since $c$ is between $\|u\|$ and $\|g\|$; equality if and only if $\|u\|$ "
        "is $c$",
        dropping=inside.at() * (2 * outside.at() + inside.at()),
    ),
    equals(
        SquaredNorm(d, plus(g, -times(c / size_g, g))),
        prose(
            r"the vector is {it}, with the norm $\|g\| - c$",
            it=holds(plus(g, -times(c / size_g, g)), "=", times((size_g - c) / size_g, g), named=True),
        ),
        wrong={"divided by the squared norm": SquaredNorm(d, g - c / size_g**2 * g)},
    ),
    central=True,
    so=r"No vector of the ball is nearer to $g$ than $\frac{c}{\|g\|} g$. It keeps the direction, which clipping each array by "
    "its own norm does not: that would turn the gradient towards the arrays that were not clipped. A gradient inside the ball "
    "is its own projection.",
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
    equals(
        (1 - beta1 ** (t + 1)) * constant,
        prose("{it}", it=holds(plus(times(beta1, 1 - beta1**t), 1, -beta1), "=", 1 - beta1 ** (t + 1))),
    ),
    role="lemma",
    so=r"If $m_t$ is $(1 - \beta_1^t) G$, the first line is $m_{t+1}$, and the last says that it has the same form; it has it "
    r"at the start, where both are 0, so always. The average started at zero and has collected the weight $1 - \beta_1^t$ so "
    "far: dividing by it is exact. For random gradients with one mean the same holds for expectations, and for $v_t$ with "
    r"$\beta_2$ and squares.",
)
m_t = derivation.define("m_t", (1 - beta1**t) * constant, "the first moment then")
v_t = derivation.define("v_t", (1 - beta2**t) * constant**2, "the second moment then")
rate = derivation.number(r"\eta", "the learning rate", "learning_rate", positive=True)
eps = derivation.number(r"\epsilon", "what keeps the quotient from 0/0", "epsilon", positive=True)
corrected = derivation.chain(
    "With bias correction the step is right from the beginning",
    -rate * (m_t / (1 - beta1**t)) / plus(sqrt(v_t / (1 - beta2**t)), eps),
    equals(
        -rate * constant / plus(Abs(constant), eps),
        prose("{first} at every $t$, and the same for the squares", first=holds(m_t / (1 - beta1**t), "=", constant)),
        wrong={
            "the small number inside the root": -rate * constant / sqrt(constant**2 + eps),
            "no root": -rate * constant / (constant**2 + eps),
        },
    ),
    uses=(unroll,),
    so=prose(
        r"Without the correction, and without $\epsilon$, the first step would be {factor} times as long: 3.16 with the usual "
        "0.9 and 0.999.",
        factor=holds(m_t / (sqrt(v_t) * constant / Abs(constant)), "=", (1 - beta1) / sqrt(1 - beta2), when={t: 1}, named=True),
    ),
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
    role="remark",
    so=r"Without $\epsilon$ the gradients $a g$ of a rescaled loss give the same step, so the learning rate "
    r"alone sets its size. Only $\epsilon$ knows the scale of the loss.",
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
    },
)

decay = derivation.number("d", "the decay of a moving average", "decay", between=(0, 1))
first = derivation.number("a_0", "the average before a step", "average")
spread = derivation.number("S", "the variance of an average", positive=True)
single = derivation.number(r"\sigma^2", "the variance of one value", positive=True)
fixed = derivation.define("S^*", single * (1 - decay) / (1 + decay), "the variance that stays as it is", positive=True)
worth = derivation.chain(
    "The variance of the average tends to a fixed part of that of a value",
    plus(decay**2 * spread, (1 - decay) ** 2 * single, -fixed),
    equals(
        decay**2 * plus(spread, -fixed),
        prose(
            "independent values add their variances, and {stays}",
            stays=holds(fixed, "=", plus(times(decay**2, fixed), times((1 - decay) ** 2, single))),
        ),
        wrong={"the decay not squared": decay * (spread - fixed)},
    ),
    uses=(moving_average,),
    so=prose(
        "Each step multiplies the distance to $S^*$ by $d^2$. So in the long run an average with decay $d$ is worth {worth} "
        "independent values.",
        worth=holds(single / fixed, "=", (1 + decay) / (1 - decay), named=True, wrong={"not doubled": 1 / (1 - decay)}),
    ),
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
right_angle = derivation.assume(
    "Sines and cosines of angles between zero and a right angle are not negative",
    sin(phi),
    phi,
    example={phi: pi / 6},
    wrong={"turned over": -sin(phi)},
)
derivation.chain(
    "The cosine falls at every step, least at its ends",
    plus(times(drop / 2, plus(1, cos(phi))), -times(drop / 2, plus(1, cos(phi + omega)))),
    equals(
        times(drop, sin(phi + omega / 2), sin(omega / 2)),
        prose("{cosines}", cosines=holds(plus(cos(phi), -cos(phi + omega)), "=", times(2, sin(phi + omega / 2), sin(omega / 2)))),
        wrong={"the cosine": times(drop, cos(phi + omega / 2), sin(omega / 2))},
    ),
    equals(
        plus(drop * sin(omega / 2) ** 2, times(2, drop, sin(phi / 2), cos((phi + omega) / 2), sin(omega / 2))),
        "the difference of two sines, likewise",
    ),
    at_least(
        drop * sin(omega / 2) ** 2,
        r"up to the last step $\varphi + \omega$ is at most $\pi$, so all three angles are between 0 and a right angle: leave "
        "out a product of nonnegative numbers, zero at the first step and at the last",
        dropping=2 * drop * right_angle.at(phi / 2) * right_angle.at(pi / 2 - (phi + omega) / 2) * right_angle.at(omega / 2),
    ),
    role="remark",
    so=r"Up to a right angle the sine is concave, so it is above its chord: $\sin y$ is at least $\frac{2}{\pi} "
    r"y$. So every step falls by at least $\frac{D}{(T - w)^2}$.",
)
derivation.symbol("y", "an angle")
derivation.symbol(
    r"\eta_s, T, w", "the learning rate of step $s$, the last step, and the steps of warm-up", "step, total_steps, warmup_steps"
)


@derivation.numeric(
    r"\eta_{w-1} = \eta_w = \mathrm{peak}, \qquad \eta_{(w+T)/2} = \frac{\mathrm{peak} + \mathrm{floor}}{2}, \qquad \eta_s = "
    r"\mathrm{floor} \quad (s \ge T)",
    because="The line reaches the peak with the last step of the warm-up and the cosine starts there, so the peak is taken "
    "twice. Half-way the cosine is 0, at the end it is $-1$, and there it stays.",
    role="lemma",
)
def the_schedule_meets_its_marks():
    rate = warmup_cosine_learning_rate(jnp.arange(40), peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    early = warmup_cosine_learning_rate(jnp.arange(1, 41), peak=0.3, warmup_steps=6, total_steps=30, floor=0.02)
    at, marks = jnp.array([5, 6, 18, 30, 39]), jnp.array([0.3, 0.3, 0.16, 0.02, 0.02])
    return Sides(left=marks, right=rate[at], wrong={"one step early": early[at]})


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
scaling = derivation.chain(
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
    so=r"In $n$ dimensions it falls by $n \log \alpha$; for any density by the change of variables. Likelihoods can be compared "
    "only if their data were scaled alike, or this constant is put back.",
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


derivation.answer = prose(
    "Clipping by the global norm is the projection onto a ball: the smallest change that bounds the step. Bias correction makes "
    r"Adam's averages exact for a constant gradient from the first step on, and its step has no unit, but for $\epsilon$. In "
    "the long run an average with decay $d$ of independent values is worth {worth} of them. The cosine falls strictly to the "
    r"floor. Scaling the data by $\alpha$ changes a log-density by the constant {constant}, which must be put back.",
    worth=holds(single / fixed, "=", (1 + decay) / (1 - decay), named=True),
    constant=-log(alpha),
)


@derivation.algorithm(
    "A training step",
    do(r"$\tilde z \leftarrow$ the data, scaled", scale_to_range, by=scaling),
    do(r"$g \leftarrow$ the gradient, times $\min(1, c/\|g\|)$", clip_by_global_norm, by=central),
    do(r"$\eta \leftarrow$ the schedule's rate of step $s$", warmup_cosine_learning_rate, by=the_schedule_meets_its_marks),
    do(
        r"$\theta \leftarrow \theta - \eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon)$, with $t = s + 1$",
        adam_update,
        by=corrected,
    ),
    do(r"$A \leftarrow d A + (1 - d)\, \theta$", ema_update, by=worth),
)
def two_steps():
    yield from train(scale_to_range, clip_by_global_norm, warmup_cosine_learning_rate, adam_update, ema_update)


@derivation.example(
    "The gradient $(3, 4)$ and the ball of radius 1; next to the projection another point of the ball, and clipping each entry "
    "by itself. Then Adam after the gradients 1 and $-1$. Then an average with decay 0.9, and pixel 51 of 255 on $[-1, 1]$."
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
    yield r"\text{the step, at } \eta = 1", update, "0.0526"
    yield r"\tfrac{1 + d}{1 - d}", 1.9 / 0.1, "19"
    yield r"\text{pixel 51}", scale_to_range(jnp.array([51.0]), minimum=0.0, maximum=255.0), "-0.6"
    yield r"-\log\alpha \text{ per pixel}", -math.log(2 / 255), "4.8481"


@derivation.figure(
    "Left: a gradient (arrow), its projection on the ball (dot) and what clipping each entry by itself gives (cross). Middle: "
    "the length of Adam's steps for a constant gradient, with and without bias correction. Right: a schedule with 6 steps of "
    "warm-up, and its marks.",
    panels=3,
)
def projection_steps_and_schedule(left, middle, right):
    draw_projection(left, clip_by_global_norm)
    draw_steps(middle, adam_update)
    draw_schedule(right, warmup_cosine_learning_rate)
