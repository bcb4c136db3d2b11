"""Inference with DDIM: few levels, there and back.

The lecture on the functions of theory_jax/diffusion/ddim_inference.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln
from sympy import acos, cos, gamma, log, pi, sin, sqrt, tan

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Limit, Normal, SquaredNorm, plus, times
from theory_jax.diffusion._gaussian_data import best_noise
from theory_jax.diffusion.ddim_inference import ddim_invert, ddim_sample, sampling_timesteps, spherical_interpolation
from theory_jax.lectures.lemmas.arc import arc

derivation = Derivation(
    module=__name__,
    title="Inference with DDIM: few levels, there and back",
    lectures=(38, 40),
    sources=(
        "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models, sections 4.2 and 4.3, appendix D",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed",
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis",
    ),
    question="A network was trained on a thousand levels, and may be called ten times. Which levels should be visited, how far "
    "is the result from the exact one, can a picture be sent back to its noise, and how are two noises mixed?",
    setting=(
        r"Of the levels $1, \dots, T$ only $t_1 > t_2 > \dots > t_S$ are visited, and then the data, $t_{S+1} = 0$. With $y = "
        r"x / \sqrt{\bar\alpha}$ and $\varsigma = \sqrt{(1 - \bar\alpha) / \bar\alpha}$, the noise in units of the signal, a "
        r"DDIM step from $t$ to $s$ without its own noise is $y_s = y_t + (\varsigma_s - \varsigma_t)\, \hat\epsilon(x_t, "
        r"t)$, with $\varsigma_0 = 0$: Euler's method for $dy / d\varsigma = \hat\epsilon$.",
        r"A step up, which inverts it approximately, is $y_t = y_s + (\varsigma_t - \varsigma_s)\, \hat\epsilon(x_s, t)$: the "
        r"network sees the old point and the new level.",
        r"To say how large the errors are, the data are $\mathcal{N}(m, c)$ and the prediction is the best one; then $y - m$ "
        r"moves along $\sqrt{c + \varsigma^2}$ (DDIM), and this curve is the exact flow. One coordinate is written, except for "
        r"the angle between two noises.",
    ),
    answer=r"For Gaussian data, a sample of $S$ steps is the exact one times the product of the cosines of the steps, where "
    r"$\varsigma = \sqrt{c} \tan\theta$ measures the levels by angles. So few steps give too little variance, the error is of "
    r"order $1/S$, and equal angles are best. Inversion is exact if the prediction depends on the level alone; for Gaussian "
    r"data the round trip errs by order $1/S$, and by less for $c = 1$. Noises are mixed along an arc, or by a straight line "
    r"that is scaled back.",
    limits=(
        "The errors are computed for Gaussian data and the best prediction; that equal angles are good for a trained network "
        "is not shown.",
        "With its own noise in every step (a positive eta) a sample is no function of the start, and nothing here applies.",
    ),
    trained="The deterministic sampler needs a trained model and no training of its own. `python -m practice_torch evaluate "
    "RUN --study` encodes and decodes with a run of `diffusion/training`.",
)

derivation.symbol("T", "the number of levels of training", "num_train_steps")
derivation.symbol("S", "the number of levels that are visited", "num_steps")
derivation.symbol("t_1", "the first of them", "sampling_timesteps")
_SIZES = [(steps, top) for top in range(1, 13) for steps in range(1, top + 1)]


@derivation.exact(
    r"T - t_1 = 0, \quad 0, \quad \lfloor T/S \rfloor - 1 + (T \bmod S)",
    outcomes=3 * len(_SIZES),
    because=r"For the spacings trailing, linspace and leading, and all $S \le T \le 12$. Leading visits $1 + i \lfloor T/S "
    r"\rfloor$ for $i < S$. With $T = S \lfloor T/S \rfloor + (T \bmod S)$ its highest level, $i = S - 1$, is $\lfloor T/S "
    r"\rfloor - 1 + (T \bmod S)$ below $T$. This is 0 only for $S = T$.",
    role="lemma",
)
def where_spacings_start():
    firsts = [
        [top - int(sampling_timesteps(num_steps=steps, num_train_steps=top, spacing=spacing)[0]) for steps, top in _SIZES]
        for spacing in ("trailing", "linspace", "leading")
    ]
    steps, tops = np.array(_SIZES).T
    missing = tops // steps - 1 + tops % steps
    right = np.array([0 * tops, 0 * tops, missing])
    return Sides(left=np.array(firsts), right=right, wrong={"one stride": np.array([0 * tops, 0 * tops, tops // steps])})


a = derivation.number("a", r"$\bar\alpha$ at the first level that is visited", "alpha_bar[timesteps[0]]", between=(0, 1))
m = derivation.number("m", "the mean of the data")
c = derivation.number("c", "their variance", positive=True)
x = derivation.number("x", "the start, drawn from the standard normal law", "x_T")
V = derivation.define("V", plus(1 - a, a * c), "the variance of the forward process there", positive=True)
_flow = plus(m, times(sqrt(c / V), plus(x, -times(sqrt(a), m))))
_pure = Normal(x, 0, 1)
derivation.say(
    "Sampling starts from pure noise, but at the first level some signal is left. How large is the error of a wrong start, if "
    "everything after it is exact?"
)
derivation.chain(
    "The price of a wrong start: the mean",
    Expectation(_pure, _flow),
    equals(
        times(m, 1 - sqrt(a * c / V)),
        "the flow is linear, and the noise has mean 0",
        wrong={"the level without its root": times(m, 1 - a * sqrt(c / V))},
    ),
)
derivation.chain(
    "... and the variance",
    plus(Expectation(_pure, _flow**2), -(Expectation(_pure, _flow) ** 2)),
    equals(c / V, "the square of the flow's slope", wrong={"not squared": sqrt(c / V)}),
    equals(times(c, plus(1, a * (1 - c) / V)), r"$1 = V + a (1 - c)$"),
    so=r"Both errors vanish only as $a \to 0$ (or for $m = 0$ and $c = 1$). The mean's is of order $\sqrt{a}$, the larger one. "
    r"They grow with the signal that is left, since $\frac{d}{da} \frac{a}{V} = \frac{1}{V^2} > 0$, so a chain should start at "
    r"$T$, where the least signal is left.",
)

derivation.say(
    r"Now the steps. Let the mean be 0. The levels are measured by angles: $\varsigma = \sqrt{c} \tan\theta$, from 0 at the "
    r"data towards $\frac{\pi}{2}$."
)
theta_t = derivation.number(r"\theta_t", "the angle of level $t$", between=(0, pi / 2))
theta_s = derivation.number(r"\theta_s", "the angle of the lower level $s$", between=(0, pi / 2))
s_t = derivation.define(r"\varsigma_t", sqrt(c) * tan(theta_t), "the noise of level $t$ in units of the signal")
s_s = derivation.define(r"\varsigma_s", sqrt(c) * tan(theta_s), "the noise of level $s$ in units of the signal")
derivation.chain(
    "The exact flow in angles",
    (c + s_s**2) / (c + s_t**2),
    equals(
        (cos(theta_t) / cos(theta_s)) ** 2,
        r"$c + \varsigma^2 = c\, (1 + \tan^2 \theta) = c / \cos^2 \theta$",
        wrong={"the levels exchanged": (cos(theta_s) / cos(theta_t)) ** 2, "not squared": cos(theta_t) / cos(theta_s)},
    ),
    role="lemma",
    so=r"The exact flow multiplies $y$ by the root of this, $\cos\theta_t / \cos\theta_s$.",
)
one_step = derivation.chain(
    "A step is the exact flow times a cosine",
    plus(1, times(s_s - s_t, s_t / (c + s_t**2))),
    equals((c + s_s * s_t) / (c + s_t**2), "the common denominator"),
    equals(
        (1 + tan(theta_s) * tan(theta_t)) / (1 + tan(theta_t) ** 2),
        "divide by $c$",
        wrong={"not divided": (c + tan(theta_s) * tan(theta_t)) / (c + tan(theta_t) ** 2)},
    ),
    equals(
        times(cos(theta_t) / cos(theta_s), cos(theta_t - theta_s)),
        r"multiply by $\cos^2\theta_t$; $\cos\theta_t \cos\theta_s + \sin\theta_t \sin\theta_s = \cos(\theta_t - \theta_s)$",
        wrong={"the square of the cosine": times(cos(theta_t) / cos(theta_s), cos(theta_t - theta_s) ** 2)},
    ),
    central=True,
    so=r"The first line is $y_s / y_t$, as $\hat\epsilon = \varsigma_t y_t / (c + \varsigma_t^2)$ for Gaussian data (DDIM). "
    r"Multiplied over all steps, the first factors are the exact flow, and $x_0^{(S)} = x_0^{\text{flow}} \prod_i "
    r"\cos(\theta_{t_i} - \theta_{t_{i+1}})$. A cosine is below 1, so every step loses variance. And for different $S$ the "
    r"samples approximate one and the same function of the start: the start is a latent code.",
)
p = derivation.number("p", "the angle of a step", between=(0, pi / 2))
q = derivation.number("q", "the angle of another one", between=(0, pi / 2))
derivation.chain(
    "Equal angles are best",
    times(cos(p), cos(q)),
    equals(
        plus(cos((p + q) / 2) ** 2, -(sin((p - q) / 2) ** 2)),
        "the addition theorem for the half sum plus and minus the half difference",
        wrong={"not halved": plus(cos(p + q) ** 2, -(sin(p - q) ** 2))},
    ),
    at_most(cos((p + q) / 2) ** 2, "add a square; equality if and only if the angles are equal", adding=sin((p - q) / 2) ** 2),
    so=r"Two unequal steps are improved by making them equal. A best choice of $S$ steps that cover the angle $\Theta = "
    r"\theta_{t_1}$ exists, since the product is continuous, and so its steps are equal: the factor is at most $\cos^S(\Theta "
    r"/ S)$. For $c = 1$, where $\cos\theta_t = \sqrt{\bar\alpha_t}$, equal angles are the cosine schedule.",
)
Theta = derivation.number(r"\Theta", r"the angle of the start, $\theta_{t_1}$", positive=True)
h = derivation.number("h", "the length of a step: $1/S$ of the way, or a difference of $\\varsigma$", positive=True)
derivation.chain(
    "With equal angles the error is of first order",
    Limit((1 - cos(Theta * h) ** (1 / h)) / h, h, 0),
    equals(
        Limit(-log(cos(Theta * h)) / h**2, h, 0),
        r"$1 - e^u$ is $-u$ to leading order, at $u = \frac1h \log\cos(\Theta h) \to 0$",
        wrong={"half of it": Limit(-log(cos(Theta * h)) / (2 * h**2), h, 0)},
    ),
    equals(Theta**2 / 2, r"$\log\cos\delta = -\frac12 \delta^2 + O(\delta^4)$"),
    so=r"With $h = 1/S$: $S$ steps lose the share $\frac{\Theta^2}{2 S}$ of the sample. Other levels lose more. Equal steps in "
    r"$\varsigma$ turn the angle by $d\theta = \sqrt{c}\, d\varsigma / (c + \varsigma^2)$, quickly at the end; the figure shows "
    r"what they lose.",
)
derivation.symbol(r"\varsigma_T", "the noise of the first level in units of the signal")

derivation.say(
    r"Can a picture be sent to its noise, and back? If the prediction depends on the level alone, $\hat\epsilon(x, t) = e(t)$, "
    r"the step up adds $(\varsigma_t - \varsigma_s)\, e(t)$ and the step down takes exactly this away. In general the two "
    r"steps evaluate the network at two different points, $x_s$ and $x_t$."
)
z = derivation.number(r"\varsigma", "the noise of the upper level in units of the signal", positive=True)
rho = derivation.define(
    r"\rho",
    sqrt((1 + z**2) / (1 + (z - h) ** 2)),
    r"$\sqrt{\bar\alpha_s / \bar\alpha_t}$ for a step of length $h$ in $\varsigma$",
)
kappa = derivation.define(r"\kappa", h * z / (c + z**2), "how much a step down shrinks $y$")
round_trip = derivation.chain(
    "There and back: the error of one step",
    Limit(plus(times(plus(1, times(rho, kappa)), 1 - kappa), -1) / h**2, h, 0),
    equals(
        plus(z**2 / ((1 + z**2) * (c + z**2)), -(z**2) / (c + z**2) ** 2),
        r"multiply out: $(\rho - 1) \kappa - \rho \kappa^2$ is left, where $\kappa / h = \varsigma / (c + \varsigma^2)$, and "
        r"$(\rho - 1) / h \to \varsigma / (1 + \varsigma^2)$ is the slope of $\log\sqrt{1 + \varsigma^2}$",
    ),
    equals(
        z**2 * (c - 1) / ((1 + z**2) * (c + z**2) ** 2),
        "the common denominator",
        wrong={
            "the sign of the difference": z**2 * (1 - c) / ((1 + z**2) * (c + z**2) ** 2),
            "the square forgotten": z**2 * (c - 1) / ((1 + z**2) * (c + z**2)),
        },
    ),
    so=r"The factor $1 + \rho \kappa$ is the step up, in which the prediction at $x_s$ is $\frac{\sqrt{1 - \bar\alpha_t}}{V_t} "
    r"\sqrt{\bar\alpha_s}\, y_s$; $1 - \kappa$ is the step down. So one step up and down errs by order $h^2$, and $S$ of them "
    r"by order $1/S$. For $c = 1$ the leading term vanishes, and the order is the second. Editing that should preserve a "
    r"picture needs many steps; sampling does not.",
)


def _round_trip(c, noise):
    """x_0 after all steps up and down again, for x_0 = 1, along the levels with these sigmas, from 0 up."""
    lower, upper = noise[:-1], noise[1:]
    kappa = (upper - lower) * upper / (c + upper**2)
    rho = np.sqrt((1 + upper**2) / (1 + lower**2))
    return np.prod((1 + rho * kappa) * (1 - kappa))


def _loss(angles):
    """The logarithm of the product of cosines over the steps between the angles."""
    return np.sum(np.log(np.cos(np.diff(angles))))


def _quarter(steps):
    return np.tan(np.arange(steps + 1) * (0.47 * np.pi / steps))


derivation.symbol("f(S)", "what $S$ steps up and $S$ steps down make of $x_0 = 1$", "ddim_invert, ddim_sample")


@derivation.numeric(
    r"\lim_{S \to \infty} S\, (f(S) - 1) = 0.47 \pi\, (c - 1) \int_0^{\varsigma_T} \frac{\varsigma^2}{(c + \varsigma^2)^2}\, "
    r"d\varsigma = \frac{0.47 \pi\, (c - 1)}{2} \left(\frac{1}{\sqrt{c}} \operatorname{arctan}\frac{\varsigma_T}{\sqrt{c}} - "
    r"\frac{\varsigma_T}{c + \varsigma_T^2}\right)",
    tolerance=1e-5,
    since="the limit is extrapolated from S = 4000 and 8000, which leaves terms of order 1/S^2",
    because=r"On the levels $\sqrt{\bar\alpha} = \cos(0.47 \pi \tau)$ with $\tau$ from 0 to 1, where $\varsigma = \tan(0.47 "
    r"\pi \tau)$ and $d\varsigma / d\tau = 0.47 \pi (1 + \varsigma^2)$: the errors of the steps add up to a Riemann sum; $c = "
    r"\frac14$ and 3.",
)
def the_round_trip_is_of_first_order():
    variances, end = np.array([0.25, 3.0]), np.tan(0.47 * np.pi)
    coarse, fine = (np.array([steps * (_round_trip(c, _quarter(steps)) - 1) for c in variances]) for steps in (4000, 8000))
    roots = np.sqrt(variances)
    bracket = np.arctan(end / roots) / roots - end / (variances + end**2)
    right = 0.47 * np.pi * (variances - 1) / 2 * bracket
    return Sides(
        left=2 * fine - coarse,
        right=right,
        wrong={"a half": 2 * right, "a minus for a plus": right / bracket * (2 * np.arctan(end / roots) / roots - bracket)},
    )


alpha = derivation.number(r"\alpha", "what the second step of two keeps", between=(0, 1))
a_2 = derivation.define("a_2", a * alpha, r"$\bar\alpha$ at the second level of two", positive=True)
low = derivation.define(r"\varsigma_1", sqrt((1 - a) / a), "the noise of the first level in units of the signal", positive=True)
high = derivation.define(r"\varsigma_2", sqrt((1 - a_2) / a_2), "the noise of the second", positive=True)


def _sampled(x_T, c, alpha_bar):
    return ddim_sample(x_T, jnp.zeros((2, 1)), np.array([2, 1]), best_noise(c, alpha_bar), alpha_bar)


def _inverted(x0, c, alpha_bar):
    return ddim_invert(x0, np.array([2, 1]), best_noise(c, alpha_bar), alpha_bar)


derivation.bridge(
    "The code samples in two steps, of which the last ends at the data",
    times(x / sqrt(a_2), (c + low * high) / (c + high**2), c / (c + low**2)),
    _sampled,
    x_T=[x],
    c=c,
    alpha_bar=[1, a, a * alpha],
    calls=(ddim_sample,),
    wrong={
        "the last step forgotten": times(x * sqrt(a) / sqrt(a_2), (c + low * high) / (c + high**2)),
        "the exact flow": times(x / sqrt(a_2), sqrt(c / (c + high**2))),
    },
    uses=(one_step,),
)
derivation.bridge(
    "... and inverts in two",
    times(
        x,
        sqrt(a_2),
        plus(1, low**2 * sqrt(a) / (a * (c + low**2))),
        plus(1, times(sqrt(a / a_2), (high - low) * high / (c + high**2))),
    ),
    _inverted,
    x0=[x],
    c=c,
    alpha_bar=[1, a, a * alpha],
    calls=(ddim_invert,),
    wrong={
        "the network at the old level": times(
            x, sqrt(a_2), plus(1, low**2 * sqrt(a) / (a * (c + low**2))), plus(1, (high - low) * low / (c + low**2))
        )
    },
    uses=(round_trip,),
)

derivation.say(
    r"Since a start is a latent code, two samples can be mixed by mixing their starts. The straight mixture $(1 - w) a + w b$ "
    r"of two independent noises has the variance $(1 - w)^2 + w^2$, half of what the network was trained on at $w = \frac12$. "
    r"The arc between them is $\frac{\sin(p)\, a + \sin(q)\, b}{\sin(p + q)}$ with $p = (1 - w) \theta$ and $q = w \theta$, "
    r"where $\theta$ is the angle between $a$ and $b$. For noises of equal length it keeps the length, and the point at $w$ has "
    r"the angle $w \theta$ from $a$."
)
d = derivation.index("d", "an entry of a vector")
u = derivation.numbers("a", d, "a noise", "a")
v = derivation.numbers("b", d, "another one", "b")
weight = derivation.number("w", "the weight of the second noise", "weight", between=(0, 1))
angle = derivation.define(r"\theta", acos(Inner(d, u, v) / sqrt(SquaredNorm(d, u) * SquaredNorm(d, v))), "the angle between them")
derivation.bridge(
    "The code's arc",
    (times(sin((1 - weight) * angle), u) + times(sin(weight * angle), v)) / sin(angle),
    spherical_interpolation,
    a=[u],
    b=[v],
    weight=[weight],
    wrong={
        "the straight line": (1 - weight) * u + weight * v,
        "the weights exchanged": (sin(weight * angle) * u + sin((1 - weight) * angle) * v) / sin(angle),
    },
    tolerance=1e-10,
    uses=(arc,),
)
k = derivation.number("k", "$(D - 3) / 2$ in $D$ dimensions", positive=True)
derivation.chain(
    "How long is the middle of the arc between two noises?",
    gamma(k) * gamma(2 * k + 2) / (2 * gamma(k + 1) * gamma(2 * k + 1)),
    equals((2 * k + 1) / (2 * k), r"$\Gamma(u + 1) = u \Gamma(u)$, for both pairs", wrong={"off by one": (2 * k + 2) / (2 * k)}),
    role="lemma",
    so=r"The first line is $\mathbb{E}\left[\frac{1}{1 + \cos\theta}\right]$ for two independent noises in $D$ dimensions, "
    r"since $\frac{1 + \cos\theta}{2}$ has the law $\mathrm{Beta}(k + 1, k + 1)$. It is $\frac{D - 2}{D - 3}$, and infinite "
    r"for $D \le 3$. At $w = \frac12$ the squared length is $\frac{|a|^2 + |b|^2 + 2 |a| |b| \cos\theta}{2 (1 + \cos\theta)}$. "
    r"Lengths are independent of directions, so with the mean length $\mu$ its expectation is $\mathbb{E}\left[\frac{D + \mu^2 "
    r"\cos\theta}{1 + \cos\theta}\right] = \mu^2 + (D - \mu^2) \frac{D - 2}{D - 3}$.",
)
derivation.symbol("D", "the number of dimensions")
derivation.symbol(
    r"\mu", r"the mean length of a noise, $\sqrt{2}\, \Gamma\left(\frac{D+1}{2}\right) / \Gamma\left(\frac{D}{2}\right)$"
)


def _middle(dimensions):
    """E |slerp(a, b, 1/2)|^2 / D for independent standard normal a and b."""
    squared = 2 * math.exp(2 * (gammaln((dimensions + 1) / 2) - gammaln(dimensions / 2)))
    return (squared + (dimensions - squared) * (dimensions - 2) / (dimensions - 3)) / dimensions


@derivation.monte_carlo(
    r"\frac1D\, \mathbb{E}\left|\frac{\sin(\theta / 2)}{\sin\theta} (a + b)\right|^2 = \frac1D \left(\mu^2 + (D - \mu^2) "
    r"\frac{D - 2}{D - 3}\right)",
    because=r"The middle of the code's arc, in 6 dimensions, where the right side is 1.0265. As $\mu^2 = D - \frac12 + "
    r"O(1/D)$, it is $1 + \frac{1}{2 D^2}$ to leading order: the arc keeps the variance nearly, not exactly. Exactly standard "
    r"normal is the straight mixture divided by $\sqrt{(1 - w)^2 + w^2}$, in every dimension.",
)
def the_arc_nearly_keeps_the_variance():
    a, b = jax.random.normal(jax.random.key(2), (2, 40_000, 6), dtype=float)
    middle = spherical_interpolation(a, b, jnp.full(len(a), 0.5))
    return SampleSides(
        samples=jnp.mean(middle**2, axis=1), expected=_middle(6), wrong={"exactly kept": 1.0, "the straight middle": 0.5}
    )


_LEVELS = jnp.array([1.0, 0.81, 0.5184])


@derivation.example(
    r"Levels 2, 1, 0 with $\bar\alpha_2 = 0.5184$ and $\bar\alpha_1 = 0.81$, data $\mathcal{N}(0, \frac14)$: the angles are "
    r"$62.58^\circ$, $44.09^\circ$ and 0. The exact flow takes $x_2 = 1$ to 0.6396."
)
def two_steps():
    predict, one = best_noise(0.25, _LEVELS), jnp.ones((1, 1))
    angles = jnp.arctan(2 * jnp.sqrt((1 - _LEVELS) / _LEVELS))
    yield r"\text{angles of levels 1 and 2, in degrees}", jnp.rad2deg(angles[1:]), "(44.09, 62.58)"
    yield r"\cos(\theta_2 - \theta_1) \cos\theta_1", jnp.cos(angles[2] - angles[1]) * jnp.cos(angles[1]), "0.6812"
    down = ddim_sample(one, jnp.zeros((2, 1, 1)), np.array([2, 1]), predict, _LEVELS)
    yield r"\text{two steps down from}\ x_2 = 1", down[0, 0], "0.4357"
    yield r"\text{one step}", ddim_sample(one, jnp.zeros((1, 1, 1)), np.array([2]), predict, _LEVELS)[0, 0], "0.2945"
    yield r"\text{two equal angles:}\ \cos^2(\theta_2 / 2)", jnp.cos(angles[2] / 2) ** 2, "0.7302"
    up = ddim_invert(one, np.array([2, 1]), predict, _LEVELS)
    yield r"\text{two steps up from}\ x_0 = 1", up[0, 0], "1.6498"
    back = ddim_sample(up, jnp.zeros((2, 1, 1)), np.array([2, 1]), predict, _LEVELS)
    yield r"\text{and down again}", back[0, 0], "0.7188"


@derivation.figure(
    r"Left: the product of cosines, which is the share of the exact sample that $S$ steps reach, for levels at equal angles "
    r"$\theta$, at equal times on the curve $\sqrt{\bar\alpha} = \cos(0.47 \pi \tau)$, and at equal noise $\varsigma$ ($c = "
    r"\frac14$). Right: the error of the round trip times $S$ goes to a constant, 0 for $c = 1$.",
    panels=2,
)
def losses_and_round_trips(left, right):
    counts, top, root = np.unique(np.logspace(0.5, 2.5, 15).astype(int)), _quarter(1)[1], 0.5
    for name, place in (
        ("equal angles", lambda n: np.linspace(0, np.arctan(top / root), n + 1)),
        ("equal times", lambda n: np.arctan(_quarter(n) / root)),
        ("equal noise", lambda n: np.arctan(np.linspace(0, top, n + 1) / root)),
    ):
        left.semilogx(counts, [np.exp(_loss(place(n))) for n in counts], marker=".", label=name)
    for c in (0.25, 1.0, 3.0):
        right.semilogx(counts, [n * (_round_trip(c, _quarter(n)) - 1) for n in counts], marker=".", label=f"$c = {c:g}$")
    left.set(xlabel="steps $S$", ylabel="product of cosines")
    right.set(xlabel="steps $S$", ylabel="$S\\,(f(S) - 1)$")
    left.legend()
    right.legend(loc=(0.68, 0.2))


@derivation.exercise(
    r"Which level does the spacing leading start from, for $S = 7$ and $T = 1000$?",
    r"$\lfloor 1000 / 7 \rfloor = 142$ and $1000 \bmod 7 = 6$, so it starts $141 + 6 = 147$ levels too low, from 853.",
)
def leading():
    first = sampling_timesteps(num_steps=7, num_train_steps=1000, spacing="leading")[0]
    yield int(first), "853"
    yield 1000 - int(first), "147"


@derivation.exercise(
    r"How many steps of equal angle lose at most one percent of the sample, if $\Theta = \frac{\pi}{2}$?",
    r"$\cos^S(\Theta / S) \ge 0.99$ from $S = 123$ on. The limit $\Theta^2 / (2 S) \le 0.01$ says 124.",
)
def one_percent():
    steps = np.arange(2, 300)
    yield steps[np.cos(np.pi / 2 / steps) ** steps >= 0.99][0], "123"
    yield math.ceil((math.pi / 2) ** 2 / 0.02), "124"


@derivation.exercise(
    r"What is the mean square of an entry in the middle of the arc, in 64 dimensions? In the middle of the straight line?",
    r"$\mu^2 = 63.502$, so it is 1.00013; half of it is lost on the straight line, which has 0.5.",
)
def in_many_dimensions():
    yield 2 * math.exp(2 * (gammaln(32.5) - gammaln(32))), "63.502"
    yield _middle(64), "1.00013"
    yield 0.5**2 + 0.5**2, "0.5"
