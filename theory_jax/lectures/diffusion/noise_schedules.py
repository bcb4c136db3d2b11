"""Noise schedules: one decreasing function of time.

The lecture on the functions of theory_jax/diffusion/noise_schedules.py.
"""

import functools
import math

import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Matrix, Rational, cos, exp, log, pi, sin, sqrt, tan

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Product, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.diffusion.noise_schedules import (
    alpha_bar_from_betas,
    alpha_bar_from_log_snr,
    alpha_bar_from_sigmas,
    cosine_alpha_bar,
    linear_alpha_bar,
    log_linear_sigmas,
    log_snr,
    rescale_zero_terminal_snr,
    scaled_linear_alpha_bar,
    shift_log_snr,
)
from theory_jax.lectures.diffusion._four_schedules import draw_schedules

derivation = Derivation(
    module=__name__,
    title="Noise schedules: one decreasing function of time",
    lectures=(24, 25),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, section 4",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 17",
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models, section 3",
        "Lin, Liu, Li & Yang 2023, Common Diffusion Noise Schedules and Sample Steps Are Flawed, algorithm 1",
        "Hoogeboom, Heek & Salimans 2023, simple diffusion",
    ),
    question="With the betas of a published schedule but a tenth of its steps, training goes well and the samples come out "
    "gray: a third of the signal was left at the end, where the sampler starts from noise alone. The forward process is set by "
    "this list of small variances. What of it matters, how do the usual recipes differ, and how much of the data is left at the "
    "end?",
    setting=(
        r"Step $t$ of $T$ keeps the share $1 - \beta_t$ of the variance and adds noise of variance $\beta_t$, between 0 and 1. "
        r"After $t$ steps $x_t$ is $\sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$, where $\bar\alpha_t$ is "
        r"the product of the shares of all steps up to $t$, and $\epsilon$ is standard normal (the topic on the forward "
        r"process). A level is any value $a$ of $\bar\alpha_t$ between 0 and 1.",
        "A linear schedule has betas on a line from $b$ to $B$; a scaled linear one has their square roots on a line. The "
        r"cosine schedule follows $\cos^2\left(\frac{\tau + s}{1 + s} \frac{\pi}{2}\right)$, called $f(\tau)$, where $\tau$ is "
        r"$t/T$ and $s$ a small offset: $\beta_t$ is $1 - f(t/T) / f((t-1)/T)$, clipped at a maximum below 1. A log-linear "
        r"schedule has $\log \sigma_t$ on a line, with the levels $1/(1 + \sigma^2)$.",
    ),
    limits=(
        "Which schedule gives better samples is not decided here: together with the weight of the loss it decides where a "
        "network learns.",
        "An image is only roughly constant on blocks of pixels; for such images the shift of the log-SNR is exact.",
    ),
    trained="A schedule is chosen, not learned, but for `diffusion/variational_diffusion`. Every experiment of diffusion trains "
    "with one.",
)

kept_before = derivation.number("v", "the variance of $x_{t-1}$ given $x_0$")
b_t = derivation.number(r"\beta", "the variance of one step's noise", between=(0, 1))
kept_after = derivation.define("v'", plus(times(1 - b_t, kept_before), b_t), "the variance of $x_t$ given $x_0$")
product = derivation.chain(
    "What is not noise is a product",
    1 - kept_after,
    equals(
        times(1 - b_t, 1 - kept_before),
        "insert $v'$: what was there is shrunk, new noise is added",
        wrong={"added without shrinking": 1 - (kept_before + b_t)},
    ),
    role="lemma",
    so=r"The variance before the first step is 0, so what is not noise is 1 there, and after $t$ steps it is $\bar\alpha_t$, "
    r"the product of the shares $1 - \beta_i$.",
)

a = derivation.number("a", "a level, any value of alpha bar", "alpha_bar", between=(0, 1))
lam = derivation.define(r"\lambda", log(a / (1 - a)), "its log-SNR", "log_snr")
sigma = derivation.number(r"\sigma", "the noise's deviation next to data of weight 1", "sigmas", positive=True)
log_ratio = derivation.number("l", "any log-SNR", "log_snr")
derivation.say(r"Divide $x_t$ by $\sqrt{\bar\alpha_t}$. Then the data have weight 1, and the schedule is the noise's deviation.")
derivation.chain(
    "A level is one number",
    sqrt(1 - a) / sqrt(a),
    equals(
        exp(-lam / 2),
        prose(r"{odds}: so $x_t / \sqrt{a}$ is $x_0 + e^{-\lambda/2} \epsilon$", odds=holds((1 - a) / a, "=", exp(-lam))),
        wrong={"the half forgotten": exp(-lam)},
    ),
    central=True,
    so=r"Two schedules with the same $\lambda$ at each time differ by nothing but a known scaling of what the network sees.",
)
derivation.chain(
    "The log-SNR rises with the level",
    Slope(lam, a),
    equals(1 / (a * (1 - a)), prose("{sum}", sum=holds(plus(1 / a, 1 / (1 - a)), "=", 1 / (a * (1 - a))))),
    at_least(0, "a product of positive numbers", dropping=1 / (a * (1 - a))),
    so=prose(
        "So a schedule that falls has a log-SNR that falls, and the other way round. The log-SNR gives the level back: {back}.",
        back=holds(1 / (1 + exp(-lam)), "=", a, wrong={"the share of the noise": 1 - a}),
    ),
    role="lemma",
)
derivation.bridge("The code's log-SNR", log(a / (1 - a)), log_snr, alpha_bar=[a])
derivation.bridge("... and its inverse", 1 / (1 + exp(-log_ratio)), alpha_bar_from_log_snr, log_snr=[log_ratio])
a_sigma = derivation.define(
    r"a_\sigma", 1 / (1 + sigma**2), "the level of that deviation", "alpha_bar_from_sigmas", positive=True
)
derivation.chain(
    "For noise added to unscaled data the log-SNR is minus twice the logarithm of the deviation",
    log(a_sigma / (1 - a_sigma)),
    equals(
        -2 * log(sigma),
        prose(r"the odds of $a_\sigma$: {odds}", odds=holds(a_sigma / (1 - a_sigma), "=", 1 / sigma**2)),
        wrong={"the variance for the deviation": -log(sigma)},
    ),
    so=r"So a schedule that is linear in $\log \sigma$ is linear in $\lambda$.",
    role="lemma",
)
derivation.bridge("The code's level of a deviation", 1 / (1 + sigma**2), alpha_bar_from_sigmas, sigmas=[sigma])
low = derivation.number(r"\sigma_1", "the smallest deviation", "sigma_min", positive=True)
up = derivation.number("g", "the largest over the smallest, minus 1", positive=True)


def _middle_of(schedule, **given):
    """The level at index 2."""
    return schedule(**given)[2]


derivation.bridge(
    "The middle of a log-linear schedule is the geometric mean of its ends",
    low * sqrt(1 + up),
    functools.partial(_middle_of, log_linear_sigmas),
    num_steps=3,
    sigma_min=low,
    sigma_max=low * (1 + up),
    calls=(log_linear_sigmas,),
    wrong={"the arithmetic mean": low * (1 + up / 2)},
)

derivation.say(
    "How much is left at the end? A product of many factors near 1 is nearly the exponential of a sum. Two bounds of the "
    "logarithm say how nearly."
)
x = derivation.number("x", "a number between 0 and 1", between=(0, 1))
tail = derivation.valley(
    "Minus the logarithm is more than its first two terms",
    -log(1 - x) - x - x**2 / 2,
    x,
    0,
    r"The slope is $\frac{x^2}{1 - x}$: positive, so the function rises from 0.",
    wrong={"a larger second term": -log(1 - x) - x - x**2, "the sign of the second": log(1 - x) + x + x**2 / 2},
    name=r"H\left({}\right)",
    role="lemma",
)
over = derivation.valley(
    "Minus the logarithm is less than two terms of which the second is larger",
    x + x**2 / (2 * (1 - x)) + log(1 - x),
    x,
    0,
    r"The slope is $\frac{x^2}{2 (1 - x)^2}$.",
    name=r"G\left({}\right)",
    role="lemma",
)
t = derivation.index("t", "a step")
odds = derivation.numbers("o", t, r"$\beta_t / (1 - \beta_t)$, any positive number", positive=True)
beta = derivation.define(r"\beta", odds / (1 + odds), "the betas, between 0 and 1", "betas", over=t, positive=True)
remains = derivation.define(r"\bar\alpha_T", Product(t, 1 - beta), "what is left at the end", "alpha_bar[-1]", positive=True)
for _title, _relation, _second, _lemma, _sign in (
    ("At most the exponential of two sums is left", at_most, beta**2 / 2, tail, -1),
    ("At least the exponential of two other sums is left", at_least, beta**2 / (2 * (1 - beta)), over, 1),
):
    _sums = -Total(t, plus(beta, _second))
    derivation.chain(
        _title,
        log(remains),
        equals(Total(t, log(1 - beta)), "the logarithm of a product", wrong={"the betas themselves": Total(t, log(beta))}),
        equals(
            plus(_sums, _sign * Total(t, _lemma.at(beta))),
            "add and subtract two terms",
            wrong={
                "the second term's half forgotten": plus(-Total(t, plus(beta, 2 * _second)), _sign * Total(t, _lemma.at(beta)))
            },
        ),
        (
            at_most(_sums, r"add the gaps $H(\beta_t)$, which are positive", adding=Total(t, _lemma.at(beta)))
            if _sign < 0
            else at_least(_sums, r"leave out the gaps $G(\beta_t)$, which are positive", dropping=Total(t, _lemma.at(beta)))
        ),
        uses=(_lemma,),
        states=2,
        role="lemma",
    )


def _last_level(betas):
    return alpha_bar_from_betas(betas)[-1]


derivation.bridge(
    "The code's product",
    remains,
    _last_level,
    betas=odds / (1 + odds),
    calls=(alpha_bar_from_betas,),
    wrong={"the exponential of the sum": exp(-Total(t, beta))},
)
T = derivation.number("T", "how many steps there are", "num_steps", positive=True, integer=True)
n = derivation.number("n", "a step, in sums", integer=True)
first, last = (
    derivation.number(name, f"the {place} beta of a linear schedule", code, between=(0, Rational(1, 2)))
    for name, place, code in (("b", "first", "beta_start"), ("B", "last", "beta_end"))
)
rise = derivation.number("D", "by how much a beta exceeds the one before", positive=True)
M = derivation.number("M", "how many betas follow the first, $T - 1$", positive=True, integer=True)
_NUMBERS = sympy.Sum(n, (n, 0, M))
derivation.chain(
    "Linear betas sum to their number times the mean of the first and the last",
    sympy.Sum(first + rise * n, (n, 0, M)),
    equals(
        times((M + 1) / 2, plus(first, plus(first, times(M, rise)))),
        prose("{sum}: the number of terms times the mean of the first and the last", sum=holds(_NUMBERS, "=", M * (M + 1) / 2)),
    ),
    role="lemma",
    so=r"The sum is $\frac{T}{2}$ times the first and the last together. So with the ends fixed it grows with $T$, and "
    r"$\bar\alpha_T$ falls exponentially: with fewer steps the betas must be larger, as $1/T$.",
)
for _title, _code, _middle, _mistake in (
    ("The middle of a linear schedule of three steps", linear_alpha_bar, (first + last) / 2, (sqrt(first) + sqrt(last)) ** 2 / 4),
    ("The middle of a scaled linear one", scaled_linear_alpha_bar, (sqrt(first) + sqrt(last)) ** 2 / 4, (first + last) / 2),
):
    derivation.bridge(
        _title,
        times(1 - first, 1 - _middle),
        functools.partial(_middle_of, _code),
        num_steps=3,
        beta_start=first,
        beta_end=last,
        calls=(_code,),
        wrong={"the other schedule": times(1 - first, 1 - _mistake)},
    )

derivation.say(r"The cosine schedule turns this around: it prescribes the curve $f$, and takes the betas from it.")
tau = derivation.number(r"\tau", "the time, $t / T$", between=(0, 1))
s = derivation.number("s", "the offset", "offset", positive=True)
h = derivation.number("h", "the length of a step, $1/T$", positive=True)
angle = derivation.number("u", r"the angle $\frac{\tau + s}{1 + s} \frac{\pi}{2}$", between=(0, Rational(3, 2)))
speed = derivation.number("w", r"its slope in $\tau$, $\frac{\pi}{2 (1 + s)}$", positive=True)
curve = cos((tau + s) / (1 + s) * pi / 2) ** 2
hazard = derivation.chain(
    "A beta is the hazard of the curve times the step",
    Limit((1 - cos(angle) ** 2 / cos(angle - speed * h) ** 2) / h, h, 0),
    equals(
        times(speed, Slope(-log(cos(angle) ** 2), angle)),
        r"the fall of $f$ over its value and over $h$ goes to $-f' / f$, the slope of $-\log f$",
    ),
    equals(times(2, speed, tan(angle)), r"$-\log \cos^2 u$ has the slope $2 \tan u$"),
    so=prose(
        r"So for many steps $\beta_t$ is about $\frac{1}{T} \frac{\pi}{1 + s} \tan\left(\frac{\tau + s}{1 + s} "
        r"\frac{\pi}{2}\right)$. It rises, since {rise} is positive: $-\log f$ is convex, and its growth over one step, "
        r"$-\log(1 - \beta_t)$, rises with $t$. As long as no beta is clipped, the ratios telescope and $\bar\alpha_t$ is "
        "$f(t/T) / f(0)$.",
        rise=holds(Slope(2 * tan(angle), angle), "=", 2 / cos(angle) ** 2),
    ),
)
derivation.bridge(
    "The code follows the curve",
    curve.subs(tau, Rational(1, 2)) / curve.subs(tau, 0),
    functools.partial(_middle_of, cosine_alpha_bar),
    num_steps=4,
    offset=s,
    calls=(cosine_alpha_bar,),
    wrong={"the cosine not squared": sqrt(curve.subs(tau, Rational(1, 2)) / curve.subs(tau, 0))},
)
z = derivation.number("z", r"the angle of one step, $\frac{\pi}{2 T (1 + s)}$", between=(0, 1))
derivation.chain(
    "Of a cosine schedule only the last beta is clipped",
    1 - sin(z) ** 2 / sin(2 * z) ** 2,
    equals(1 - 1 / (4 * cos(z) ** 2), prose("{double}", double=holds(sin(2 * z), "=", 2 * sin(z) * cos(z)))),
    equals(Rational(3, 4) - tan(z) ** 2 / 4, prose("{one}", one=holds(1 / cos(z) ** 2, "=", 1 + tan(z) ** 2))),
    so=r"The first line is the beta before the last, $1 - f(1 - \frac1T) / f(1 - \frac2T)$, because $k$ steps before the end "
    r"the curve is at $\sin^2(kz)$. The last beta is 1 before it is clipped, because the curve ends at 0. By the square the one "
    r"before it is below $\frac34$, and so are all earlier ones, since betas rise, for every number of steps from two on and "
    r"every offset. A maximum between $\frac34$ and 1 clips the last alone.",
    role="remark",
)
k = derivation.number("k", "how many steps before the end", positive=True)
derivation.chain(
    "The last betas of a cosine schedule do not become small, however many steps there are",
    Limit(1 - sin(k * h) ** 2 / sin((k + 1) * h) ** 2, h, 0),
    equals(1 - k**2 / (k + 1) ** 2, r"$\sin u / u$ goes to 1 as $u$ goes to 0"),
    so=prose(
        "Before the last, which is 1, they go to {one}, {two} and so on: single large steps.",
        one=holds(1 - k**2 / (k + 1) ** 2, "=", Rational(3, 4), when={k: 1}, named=True),
        two=holds(1 - k**2 / (k + 1) ** 2, "=", Rational(5, 9), when={k: 2}, named=True),
    ),
    role="remark",
)

derivation.say(
    r"Usual schedules stop at a positive $\bar\alpha_T$, while a sampler starts from pure noise. A rescaled schedule ends at 0: "
    r"an affine map of $\sqrt{\bar\alpha_t}$ that keeps the first level."
)
r_1 = derivation.number("r_1", r"$\sqrt{\bar\alpha_1}$", between=(0, 1))
r_T = derivation.number("r_T", r"$\sqrt{\bar\alpha_T}$", between=(0, 1))
slope = derivation.define("c", r_1 / (r_1 - r_T), "the slope of the map")
shift = derivation.define("d", -slope * r_T, "its offset")
rescaled = derivation.chain(
    "The map keeps the first level and sends the last to zero",
    Matrix([plus(shift, slope * r_1), plus(shift, slope * r_T)]),
    equals(Matrix([times(slope, r_1 - r_T), 0]), prose("{offset}", offset=holds(shift, "=", times(-slope, r_T)))),
    equals(Matrix([r_1, 0]), prose("{slope}", slope=holds(times(slope, r_1 - r_T), "=", r_1))),
    so=r"As $r_1$ is larger than $r_T$, the slope is positive, so the rescaled schedule falls, too.",
)
_GAPS = [derivation.number(name, "a part of the way from 0 to 1", between=(0, Rational(1, 3))) for name in ("u_1", "u_2", "u_3")]
_ROOTS = _GAPS[0] + _GAPS[1] + _GAPS[2], _GAPS[0] + _GAPS[1], _GAPS[0]
derivation.bridge(
    "The code rescales the root",
    ((_ROOTS[1] - _ROOTS[2]) * _ROOTS[0] / (_ROOTS[0] - _ROOTS[2])) ** 2,
    functools.partial(_middle_of, rescale_zero_terminal_snr),
    alpha_bar=[1, *(root**2 for root in _ROOTS)],
    calls=(rescale_zero_terminal_snr,),
    wrong={"the level itself": (_ROOTS[1] ** 2 - _ROOTS[2] ** 2) * _ROOTS[0] ** 2 / (_ROOTS[0] ** 2 - _ROOTS[2] ** 2)},
)

derivation.say("At last, images of different sizes. Average the pixels of a block: what is smooth stays, noise averages out.")
ratio = derivation.number("m", "the resolution over the base resolution", "resolution / base_resolution", positive=True)
_PIXELS = [derivation.number(name, "the noise of a pixel") for name in ("e_1", "e_2", "e_3", "e_4")]
_BLOCK = (sum(_PIXELS) / 4) ** 2
for _pixel in _PIXELS:
    _BLOCK = Expectation(Normal(_pixel, 0, 1), _BLOCK)
derivation.chain(
    "The noise of a block of four pixels has a quarter of the variance",
    _BLOCK,
    equals(Rational(1, 4), "four unit variances over $4^2$; products of independent noises have mean 0"),
    role="lemma",
    so="In general the mean of $m^2$ pixels has the variance $1/m^2$: at $m$ times the resolution the same level has $m^2$ "
    "times the signal-to-noise ratio.",
)
shifted = derivation.define(r"\lambda'", plus(lam, -2 * log(ratio)), "the shifted log-SNR", "shift_log_snr")
derivation.chain(
    "The shift of the log-SNR makes up for the resolution",
    log(ratio**2 * exp(shifted)),
    equals(plus(2 * log(ratio), shifted), "the logarithm of a product; the first line is the log-SNR after averaging the blocks"),
    equals(lam, prose("{shift}", shift=holds(shifted, "=", plus(lam, -2 * log(ratio))))),
    so="So the shifted schedule at the larger resolution is as noisy, block by block, as the old one at the base resolution.",
)
derivation.bridge(
    "The code shifts",
    a / plus(a, (1 - a) * ratio**2),
    shift_log_snr,
    alpha_bar=a,
    base_resolution=1.0,
    resolution=ratio,
    wrong={"the side for the area": a / plus(a, (1 - a) * ratio)},
)
derivation.answer = prose(
    "Up to a known scaling a level $a$ is one number, its log-SNR {snr}, and a schedule is one decreasing function of time. The "
    "logarithm of what is left at the end is, to first order in the betas, minus their sum: they must shrink as the number of "
    "steps grows. An image constant on blocks of $m^2$ pixels, $m$ times as large, needs the same curve, lowered by {shift}.",
    snr=holds(lam, "=", log(a) - log(1 - a), wrong={"a sum": log(a) + log(1 - a)}),
    shift=holds(lam - shifted, "=", 2 * log(ratio), named=True, wrong={"the side": log(ratio)}),
)


@derivation.algorithm(
    "The cosine schedule, rescaled to end in pure noise",
    do(r"for $t = 1, \dots, T$: $\beta_t \leftarrow \min(1 - f(t/T) / f((t - 1)/T), \beta_{\max})$", cosine_alpha_bar, by=hazard),
    do(
        r"$\bar\alpha_0 \leftarrow 1$, and $\bar\alpha_t \leftarrow (1 - \beta_t)\, \bar\alpha_{t-1}$",
        alpha_bar_from_betas,
        by=product,
    ),
    do(r"$\bar\alpha_t \leftarrow (c \sqrt{\bar\alpha_t} + d)^2$ for $t \ge 1$", rescale_zero_terminal_snr, by=rescaled),
)
def four_steps():
    betas = 1 - (levels := cosine_alpha_bar(num_steps=4))[1:] / levels[:-1]
    yield r"(\beta_1, \beta_2)\ \text{of}\ T = 4", betas[:2], "(0.1530, 0.4170)"
    yield r"(\bar\alpha_1, \bar\alpha_2)", alpha_bar_from_betas(betas)[1:3], "(0.8470, 0.4938)"
    yield r"\text{rescaled}", rescale_zero_terminal_snr(levels)[1:3], "(0.8470, 0.4898)"


@derivation.example("Two steps with betas of 0.19 and 0.36; and the roots 0.9, 0.7 and 0.5, rescaled to end at 0.")
def by_hand():
    betas = np.array([0.19, 0.36])
    levels = alpha_bar_from_betas(jnp.asarray(betas))
    yield r"\bar\alpha_1, \bar\alpha_2", levels[1:], "(0.81, 0.5184)"
    yield r"\log \bar\alpha_2", jnp.log(levels[2]), "-0.6570"
    bounds = -(betas + betas**2 / (2 * (1 - betas))).sum(), -(betas + betas**2 / 2).sum()
    yield r"\text{its bounds}", bounds, "(-0.6735, -0.6329)"
    yield r"\lambda_1, \lambda_2", log_snr(levels[1:]), "(1.4500, 0.0736)"
    yield r"\bar\alpha\ \text{rescaled}", rescale_zero_terminal_snr(jnp.array([1.0, 0.81, 0.49, 0.25]))[1:], "(0.81, 0.2025, 0)"


@derivation.figure(
    "The log-SNR (left) and the level (right) of four schedules of 1000 steps, and the linear one rescaled. The cosine's "
    "log-SNR is nearly straight in the middle; only the rescaled schedule ends at 0.",
    panels=2,
)
def four_schedules(left, right):
    draw_schedules(left, right)


derivation.symbol(r"(\beta_T, \beta_{T-1})", "the last two betas")


@derivation.numeric(
    r"(\beta_T, \beta_{T-1}) = \left(0.999, 1 - \frac{1}{4 \cos^2 z}\right)",
    tolerance=1e-9,
    because=r"For 1000 steps and the offset 0.008 the last beta alone is clipped, at 0.999. The cosine near $\pi/2$ is computed "
    "as a sine of what remains, which keeps all digits.",
    role="appendix",
)
def one_beta_is_clipped():
    levels = cosine_alpha_bar(num_steps=1000)
    betas = 1 - levels[1:] / levels[:-1]
    angle = math.pi / 2 / 1.008 / 1000
    before = 1 - 1 / (4 * math.cos(angle) ** 2)
    wrong = {"the last not clipped": np.array([1.0, before]), "both clipped": np.array([0.999, 0.999])}
    return Sides(left=betas[-1:-3:-1], right=np.array([0.999, before]), wrong=wrong)
