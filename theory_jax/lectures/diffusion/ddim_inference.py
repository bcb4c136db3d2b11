"""Inference with DDIM: few levels, there and back.

The lecture on the functions of theory_jax/diffusion/ddim_inference.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln
from sympy import Matrix, acos, cos, gamma, log, pi, sin, sqrt, tan

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Limit, Normal, Slope, SquaredNorm, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion._gaussian_data import best_noise
from theory_jax.diffusion.ddim_inference import ddim_invert, ddim_sample, sampling_timesteps, spherical_interpolation
from theory_jax.lectures.diffusion._inference import draw_losses, draw_round_trips, quarter, round_trip_error
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
    question="A network was trained on a thousand levels, and may be called ten times. If the ten are chosen carelessly, "
    "samples come out washed out or gray, and a picture that is sent to its noise does not come back. Which levels should be "
    "visited, how far is the result from the exact one, can a picture be sent back to its noise, and how are two noises mixed?",
    setting=(
        "Of the $T$ levels only $S$ are visited, $t_1$ first and falling, and then the data. Two units are used: $y$ for $x / "
        r"\sqrt{\bar\alpha}$, and $\varsigma$ for $\sqrt{(1 - \bar\alpha) / \bar\alpha}$, the noise in units of the signal, "
        r"which is 0 at the data. A DDIM step from $t$ to $s$ without its own noise adds $(\varsigma_s - \varsigma_t)\, "
        r"\hat\epsilon(x_t, t)$ to $y_t$: Euler's method for the equation in which $\hat\epsilon$ is the slope of $y$ by "
        r"$\varsigma$.",
        r"A step up, which inverts it approximately, adds $(\varsigma_t - \varsigma_s)\, \hat\epsilon(x_s, t)$ to $y_s$: the "
        "network sees the old point and the new level.",
        r"To say how large the errors are, the data are $\mathcal{N}(m, c)$ and the prediction is the best one; then $y - m$ "
        r"moves along $\sqrt{c + \varsigma^2}$ (DDIM), and this curve is the exact flow. One coordinate is written, except for "
        "the angle between two noises.",
    ),
    limits=(
        "The errors are computed for Gaussian data and the best prediction; that equal angles are good for a trained network is "
        "not shown.",
        "With its own noise in every step (a positive eta) a sample is no function of the start, and nothing here applies.",
    ),
    trained="The deterministic sampler needs a trained model and no training of its own. `python -m practice_torch evaluate RUN "
    "--study` encodes and decodes with a run of `diffusion/training`.",
)

derivation.symbol("T", "the number of levels of training", "num_train_steps")
derivation.symbol("S", "the number of levels that are visited", "num_steps")
derivation.symbol("t_1", "the first of them", "sampling_timesteps")
_SIZES = [(steps, top) for top in range(1, 13) for steps in range(1, top + 1)]


@derivation.exact(
    r"T - t_1 = 0, \quad 0, \quad \lfloor T/S \rfloor - 1 + (T \bmod S)",
    outcomes=3 * len(_SIZES),
    because="For the spacings trailing, linspace and leading, and all $S$ up to $T$ up to 12. Leading visits one level more "
    r"than the first $S$ multiples of $\lfloor T/S \rfloor$, from 0 on. Since $T$ is $S \lfloor T/S \rfloor + (T \bmod S)$, its "
    r"highest level is $\lfloor T/S \rfloor - 1 + (T \bmod S)$ below $T$, which is 0 only if all levels are visited.",
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
x = derivation.number("x", "the start, a sample of the standard normal", "x_T")
V = derivation.define("V", plus(1 - a, a * c), "the variance of the forward process there", positive=True)
_flow = plus(m, times(sqrt(c / V), plus(x, -times(sqrt(a), m))))
_pure = Normal(x, 0, 1)
derivation.say(
    "Sampling starts from pure noise, but at the first level some signal is left. How large is the error of a wrong start, if "
    "everything after it is exact?"
)
_MEAN = times(m, 1 - sqrt(a * c / V))
derivation.chain(
    r"A wrong start errs in the mean by order $\sqrt a$, and in the variance by order $a$",
    Matrix([Expectation(_pure, _flow), Variance(_pure, _flow)]),
    equals(
        Matrix([_MEAN, c / V]),
        "the flow is linear, the noise has mean 0 and variance 1; the variance is the square of the flow's slope",
        wrong={"the slope not squared": Matrix([_MEAN, sqrt(c / V)])},
    ),
    equals(Matrix([_MEAN, times(c, plus(1, a * (1 - c) / V))]), prose("{one}", one=holds(plus(V, a * (1 - c)), "=", 1))),
    role="remark",
    so=prose(
        "Both errors vanish as $a$ goes to 0; otherwise only for data of mean 0 and variance 1. The mean's is of order "
        r"$\sqrt{a}$, the larger one. They grow with the signal that is left, since {slope}, so a chain should start at $T$, "
        "where the least signal is left.",
        slope=holds(Slope(a / V, a), "=", 1 / V**2),
    ),
)

derivation.say(
    r"Now the steps. Let the mean be 0. The levels are measured by angles $\theta$, for which $\varsigma$ is $\sqrt{c} "
    r"\tan\theta$, from 0 at the data towards $\frac{\pi}{2}$."
)
theta_t = derivation.number(r"\theta_t", "the angle of level $t$", between=(0, pi / 2))
theta_s = derivation.number(r"\theta_s", "the angle of the lower level $s$", between=(0, pi / 2))
s_t = derivation.define(r"\varsigma_t", sqrt(c) * tan(theta_t), "the noise of level $t$ in units of the signal")
s_s = derivation.define(r"\varsigma_s", sqrt(c) * tan(theta_s), "the noise of level $s$ in units of the signal")
derivation.chain(
    "In angles the exact flow is a ratio of cosines",
    (c + s_s**2) / (c + s_t**2),
    equals(
        (cos(theta_t) / cos(theta_s)) ** 2,
        prose("{sum}, and the same for $s$", sum=holds(c + s_t**2, "=", c / cos(theta_t) ** 2)),
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
        prose(
            r"multiply by $\cos^2\theta_t$; {sum}",
            sum=holds(cos(theta_t - theta_s), "=", plus(times(cos(theta_t), cos(theta_s)), times(sin(theta_t), sin(theta_s)))),
        ),
        wrong={"the square of the cosine": times(cos(theta_t) / cos(theta_s), cos(theta_t - theta_s) ** 2)},
    ),
    central=True,
    so=r"The first line is $y_s / y_t$, as $\hat\epsilon$ is $\varsigma_t y_t / (c + \varsigma_t^2)$ for Gaussian data (DDIM). "
    "Multiplied over all steps, the first factors are the exact flow, so a sample is that of the flow times the product of the "
    r"cosines of all $\theta_{t_i} - \theta_{t_{i+1}}$. A cosine is below 1, so every step loses variance. And for different "
    "$S$ the samples approximate one and the same function of the start: the start is a latent code.",
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
    at_most(
        cos((p + q) / 2) ** 2,
        prose("add a square; equality if and only if {same}", same=where(p, q)),
        adding=sin((p - q) / 2) ** 2,
    ),
    so=r"Two unequal steps are improved by making them equal. A best choice of $S$ steps that cover the angle $\Theta$ of the "
    r"start exists, since the product is continuous, and so its steps are equal: the factor is at most $\cos^S(\Theta / S)$. "
    r"For data of variance 1, where $\cos\theta_t$ is $\sqrt{\bar\alpha_t}$, equal angles are the cosine schedule.",
)
Theta = derivation.number(r"\Theta", r"the angle of the start, $\theta_{t_1}$", positive=True)
h = derivation.number("h", "the length of a step: $1/S$ of the way, or a difference of $\\varsigma$", positive=True)
derivation.chain(
    "With equal angles the error is of first order",
    Limit((1 - cos(Theta * h) ** (1 / h)) / h, h, 0),
    equals(
        Limit(-log(cos(Theta * h)) / h**2, h, 0),
        r"$1 - e^\tau$ is $-\tau$ to leading order, here for $\frac1h \log\cos(\Theta h)$, which goes to 0",
        wrong={"half of it": Limit(-log(cos(Theta * h)) / (2 * h**2), h, 0)},
    ),
    equals(Theta**2 / 2, r"$\log\cos\delta$ is $-\frac12 \delta^2$ to leading order"),
    so=r"So $S$ steps of length $1/S$ lose to first order the share $\frac{\Theta^2}{2 S}$ of the sample. Other levels lose "
    r"more. Equal steps in $\varsigma$ turn the angle at the rate $\sqrt{c} / (c + \varsigma^2)$, quickly at the end; the "
    "figure shows what they lose.",
)
derivation.symbol(r"\varsigma_T", "the noise of the first level in units of the signal")

derivation.answer = prose(
    "For Gaussian data of mean 0 and the best prediction, a sample of $S$ steps is that of the exact flow times the product of "
    "the cosines of the steps, where angles measure the levels: {angle}. So few steps give too little variance, equal angles "
    "are best, and with them the error is of order $1/S$. Inversion is exact if the prediction depends on the level alone; for "
    "Gaussian data the round trip errs by order $1/S$, and by less for data of variance 1. Noises are mixed along an arc, or by "
    "a straight line that is scaled back.",
    angle=holds(s_t, "=", sqrt(c) * tan(theta_t)),
)
derivation.say(
    "Can a picture be sent to its noise, and back? If the prediction depends on the level alone and is $e(t)$, the step up adds "
    r"$(\varsigma_t - \varsigma_s)\, e(t)$ and the step down takes exactly this away. In general the two steps evaluate the "
    "network at two different points, $x_s$ and $x_t$."
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
        prose(
            r"multiply out: $(\rho - 1) \kappa - \rho \kappa^2$ is left, with the slope of $\log\sqrt{1 + \varsigma^2}$: {up}",
            up=holds(Limit((rho - 1) / h, h, 0), "=", z / (1 + z**2)),
        ),
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
    "by order $1/S$. For data of variance 1 the leading term vanishes, and the order is the second. Editing that should "
    "preserve a picture pays both ways, so it needs more steps than sampling does.",
)
derivation.symbol("f(S)", "what $S$ steps up and $S$ steps down make of the data point 1", "ddim_invert, ddim_sample")


@derivation.numeric(
    r"\lim_{S \to \infty} S\, (f(S) - 1) = 0.47 \pi\, (c - 1) \int_0^{\varsigma_T} \frac{\varsigma^2}{(c + \varsigma^2)^2}\, "
    r"d\varsigma = \frac{0.47 \pi\, (c - 1)}{2} \left(\frac{1}{\sqrt{c}} \operatorname{arctan}\frac{\varsigma_T}{\sqrt{c}} - "
    r"\frac{\varsigma_T}{c + \varsigma_T^2}\right)",
    tolerance=1e-5,
    since="the limit is extrapolated from S = 4000 and 8000, which leaves terms of order 1/S^2",
    because=r"On the levels with $\cos(0.47 \pi \tau)$ for $\sqrt{\bar\alpha}$ and $\tau$ from 0 to 1, where $\varsigma$ is "
    r"$\tan(0.47 \pi \tau)$ and has the slope $0.47 \pi (1 + \varsigma^2)$: the errors of the steps add up to a Riemann sum; "
    r"data of variance $\frac14$ and 3.",
    role="remark",
)
def the_round_trip_is_of_first_order():
    variances, end = np.array([0.25, 3.0]), np.tan(0.47 * np.pi)
    coarse, fine = (np.array([steps * (round_trip_error(c, quarter(steps)) - 1) for c in variances]) for steps in (4000, 8000))
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
derivation.bridge(
    "The code samples in two steps, of which the last ends at the data",
    times(x / sqrt(a_2), (c + low * high) / (c + high**2), c / (c + low**2)),
    lambda x_T, c, alpha_bar: ddim_sample(x_T, jnp.zeros((2, 1)), np.array([2, 1]), best_noise(c, alpha_bar), alpha_bar),
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
    lambda x0, c, alpha_bar: ddim_invert(x0, np.array([2, 1]), best_noise(c, alpha_bar), alpha_bar),
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
    "Since a start is a latent code, two samples can be mixed by mixing their starts. The straight mixture $(1 - w) u + w v$ of "
    "two independent noises has the variance $(1 - w)^2 + w^2$, in the middle half of what the network was trained on. The arc "
    r"between them is $\frac{\sin((1 - w) \theta)\, u + \sin(w \theta)\, v}{\sin\theta}$, where $\theta$ is the angle between "
    r"$u$ and $v$. For noises of equal length it keeps the length, and the point at $w$ has the angle $w \theta$ from $u$."
)
d = derivation.index("d", "an entry of a vector")
u = derivation.numbers("u", d, "a noise", "a")
v = derivation.numbers("v", d, "another one", "b")
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
derivation.symbol("D", "the number of dimensions")
k = derivation.number("k", "$(D - 3) / 2$ in $D$ dimensions", positive=True)
derivation.chain(
    r"In $D$ dimensions the mean of $1/(1 + \cos \theta)$ is $(D - 2)/(D - 3)$, and it gives the length of the arc's middle",
    gamma(k) * gamma(2 * k + 2) / (2 * gamma(k + 1) * gamma(2 * k + 1)),
    equals(
        (2 * k + 1) / (2 * k),
        prose("{step}, and for the other pair", step=holds(gamma(k + 1), "=", k * gamma(k))),
        wrong={"off by one": (2 * k + 2) / (2 * k)},
    ),
    role="lemma",
    so=r"The first line is $\mathbb{E}\left[\frac{1}{1 + \cos\theta}\right]$ for two independent noises in $D$ dimensions, "
    r"since $\frac{1 + \cos\theta}{2}$ has the distribution $\mathrm{Beta}(k + 1, k + 1)$. It is $\frac{D - 2}{D - 3}$, and "
    r"infinite up to three dimensions. In the middle the squared length is $\frac{|u|^2 + |v|^2 + 2 |u| |v| \cos\theta}{2 (1 + "
    r"\cos\theta)}$. Lengths are independent of directions, so with the mean length $\mu$ its expectation is that of $\frac{D + "
    r"\mu^2 \cos\theta}{1 + \cos\theta}$, which is $\mu^2 + (D - \mu^2) \frac{D - 2}{D - 3}$.",
)

derivation.symbol(
    r"\mu", r"the mean length of a noise, $\sqrt{2}\, \Gamma\left(\frac{D+1}{2}\right) / \Gamma\left(\frac{D}{2}\right)$"
)


def _middle(dimensions):
    """E |slerp(a, b, 1/2)|^2 / D for independent standard normal a and b."""
    squared = 2 * math.exp(2 * (gammaln((dimensions + 1) / 2) - gammaln(dimensions / 2)))
    return (squared + (dimensions - squared) * (dimensions - 2) / (dimensions - 3)) / dimensions


@derivation.monte_carlo(
    r"\frac1D\, \mathbb{E}\left|\frac{\sin(\theta / 2)}{\sin\theta} (u + v)\right|^2 = \frac1D \left(\mu^2 + (D - \mu^2) "
    r"\frac{D - 2}{D - 3}\right)",
    because=r"The middle of the code's arc, in 6 dimensions, where the right side is 1.0265. As $\mu^2$ is $D - \frac12$ up to "
    r"order $1/D$, it is $1 + \frac{1}{2 D^2}$ to leading order: the arc keeps the variance nearly, not exactly. Exactly "
    r"standard normal is the straight mixture divided by $\sqrt{(1 - w)^2 + w^2}$, in every dimension.",
    role="remark",
)
def the_arc_nearly_keeps_the_variance():
    a, b = jax.random.normal(jax.random.key(2), (2, 40_000, 6), dtype=float)
    middle = spherical_interpolation(a, b, jnp.full(len(a), 0.5))
    return SampleSides(
        samples=jnp.mean(middle**2, axis=1), expected=_middle(6), wrong={"exactly kept": 1.0, "the straight middle": 0.5}
    )


_LEVELS = jnp.array([1.0, 0.81, 0.5184])


@derivation.algorithm(
    "Encode two pictures, mix their noises, and decode",
    do(r"choose levels from $T$ down, and then the data, level 0", sampling_timesteps, by=where_spacings_start),
    do(r"up: $y_t \leftarrow y_s + (\varsigma_t - \varsigma_s)\, \hat\epsilon(x_s, t)$ and so on", ddim_invert, by=round_trip),
    do(r"$x_T \leftarrow (\sin((1 - w) \theta)\, u + \sin(w \theta)\, v) / \sin\theta$ for two noises", spherical_interpolation),
    do(r"down: $y_s \leftarrow y_t + (\varsigma_s - \varsigma_t)\, \hat\epsilon(x_t, t)$ and so on", ddim_sample, by=one_step),
)
def there_and_back():
    predict, levels = best_noise(0.25, _LEVELS), sampling_timesteps(num_steps=2, num_train_steps=2)
    yield r"(t_1, t_2)", levels, "(2, 1)"
    up = ddim_invert(jnp.array([[1.0, 0.0], [0.0, 1.0]]), levels, predict, _LEVELS)
    yield r"(1, 0)\ \text{two steps up}", up[0], "(1.6498, 0)"
    middle = spherical_interpolation(up[:1], up[1:], jnp.array([0.5]))
    yield r"\text{the middle between it and that of}\ (0, 1)", middle[0], "(1.1666, 1.1666)"
    yield r"\text{two steps down}", ddim_sample(middle, jnp.zeros((2, 1, 2)), levels, predict, _LEVELS)[0], "(0.5082, 0.5082)"


@derivation.example(
    r"Two levels with the shares 0.5184 and 0.81 of the signal, data $\mathcal{N}(0, \frac14)$: the angles are $62.58^\circ$, "
    r"$44.09^\circ$ and 0. The exact flow takes 1 at the upper level to 0.6396."
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


@derivation.figure(
    "Left: the product of cosines, which is the share of the exact sample that $S$ steps reach, for levels at equal angles "
    r"$\theta$, at equal times on the curve $\cos(0.47 \pi \tau)$ for $\sqrt{\bar\alpha}$, and at equal noise $\varsigma$ (data "
    r"of variance $\frac14$). Right: the error of the round trip times $S$ goes to a constant, 0 for data of variance 1.",
    panels=2,
)
def losses_and_round_trips(left, right):
    draw_losses(left)
    draw_round_trips(right)
