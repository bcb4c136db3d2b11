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
from theory_jax.derivation.parts import value
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
    question="The forward process is set by a list of small variances, the betas. What of them matters, how do the usual "
    "recipes differ, and how much of the data is left at the end?",
    setting=(
        r"Step $t$ of $T$ keeps the share $1 - \beta_t$ of the variance and adds noise of variance $\beta_t$, with $0 < "
        r"\beta_t < 1$. After $t$ steps $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$ with "
        r"$\bar\alpha_t = \prod_{i \le t} (1 - \beta_i)$ and standard normal $\epsilon$ (the topic on the forward process). A "
        r"level is any value $a$ of $\bar\alpha_t$ between 0 and 1.",
        r"A linear schedule has betas on a line from $b$ to $B$; a scaled linear one has their square roots on a line. The "
        r"cosine schedule follows $f(\tau) = \cos^2\left(\frac{\tau + s}{1 + s} \frac{\pi}{2}\right)$ for $\tau = t/T$ with a "
        r"small offset $s$, by $\beta_t = 1 - f(t/T) / f((t-1)/T)$, clipped at a maximum below 1. A log-linear schedule has "
        r"$\log \sigma_t$ on a line, with $a = 1/(1 + \sigma^2)$.",
    ),
    answer=r"Up to a known scaling a level is one number, its log-SNR $\lambda = \log\frac{a}{1 - a}$, and a schedule is one "
    r"decreasing function of time. What is left at the end is, to first order, $e^{-\sum \beta_t}$: betas must shrink as the "
    r"number of steps grows. A larger image needs the same curve, lowered by $2 \log$ of the ratio of resolutions.",
    limits=(
        "Which schedule gives better samples is not decided here: together with the weight of the loss it decides where a "
        "network learns.",
        "An image is only roughly constant on blocks of pixels; for such images the shift of the log-SNR is exact.",
    ),
    trained="A schedule is chosen, not learned, but for `diffusion/variational_diffusion`. Every experiment of diffusion "
    "trains with one.",
)

kept_before = derivation.number("v", "the variance of $x_{t-1}$ given $x_0$")
b_t = derivation.number(r"\beta", "the variance of one step's noise", between=(0, 1))
kept_after = derivation.define("v'", plus(times(1 - b_t, kept_before), b_t), "the variance of $x_t$ given $x_0$")
derivation.chain(
    "What is not noise is a product",
    1 - kept_after,
    equals(
        times(1 - b_t, 1 - kept_before),
        r"$v' = (1 - \beta)\, v + \beta$: what was there is shrunk, new noise is added",
        wrong={"added without shrinking": 1 - (kept_before + b_t)},
    ),
    role="lemma",
    so=r"The variance before the first step is 0, so after $t$ steps it is $1 - \prod_{i \le t} (1 - \beta_i) = 1 - "
    r"\bar\alpha_t$.",
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
        r"$\frac{1 - a}{a} = e^{-\lambda}$: so $x_t / \sqrt{a} = x_0 + e^{-\lambda/2} \epsilon$",
        wrong={"the half forgotten": exp(-lam)},
    ),
    central=True,
    so=r"Two schedules with the same $\lambda$ at each time differ by nothing but a known scaling of what the network sees.",
)
derivation.chain(
    "It rises with the level",
    Slope(lam, a),
    equals(1 / (a * (1 - a)), r"$\frac1a + \frac{1}{1 - a}$"),
    at_least(0, "a product of positive numbers", dropping=1 / (a * (1 - a))),
    so="So a schedule that falls has a log-SNR that falls, and the other way round.",
)
derivation.chain(
    "... and gives it back",
    1 / (1 + exp(-lam)),
    equals(a, r"$e^{-\lambda} = \frac{1 - a}{a}$", wrong={"the share of the noise": 1 - a}),
)
derivation.bridge("The code's log-SNR", log(a / (1 - a)), log_snr, alpha_bar=[a])
derivation.bridge("... and its inverse", 1 / (1 + exp(-log_ratio)), alpha_bar_from_log_snr, log_snr=[log_ratio])
a_sigma = derivation.define(
    r"a_\sigma", 1 / (1 + sigma**2), "the level of that deviation", "alpha_bar_from_sigmas", positive=True
)
derivation.chain(
    "For noise that is added to unscaled data",
    log(a_sigma / (1 - a_sigma)),
    equals(
        -2 * log(sigma),
        r"the odds of $a_\sigma = \frac{1}{1 + \sigma^2}$ are $\sigma^{-2}$",
        wrong={"the variance for the deviation": -log(sigma)},
    ),
    so=r"So a schedule that is linear in $\log \sigma$ is linear in $\lambda$.",
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
    name=r"h\left({}\right)",
)
over = derivation.valley(
    "... and less than them with a larger second one",
    x + x**2 / (2 * (1 - x)) + log(1 - x),
    x,
    0,
    r"The slope is $\frac{x^2}{2 (1 - x)^2}$.",
    name=r"g\left({}\right)",
)
t = derivation.index("t", "a step")
odds = derivation.numbers("o", t, r"$\beta_t / (1 - \beta_t)$, any positive number", positive=True)
beta = derivation.define(r"\beta", odds / (1 + odds), "the betas, between 0 and 1", "betas", over=t, positive=True)
remains = derivation.define(r"\bar\alpha_T", Product(t, 1 - beta), "what is left at the end", "alpha_bar[-1]", positive=True)
for _title, _relation, _second, _lemma, _sign in (
    ("At most the exponential of two sums is left", at_most, beta**2 / 2, tail, -1),
    ("... and at least that of two others", at_least, beta**2 / (2 * (1 - beta)), over, 1),
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
            at_most(_sums, r"add the gaps $h(\beta_t)$, which are positive", adding=Total(t, _lemma.at(beta)))
            if _sign < 0
            else at_least(_sums, r"leave out the gaps $g(\beta_t)$, which are positive", dropping=Total(t, _lemma.at(beta)))
        ),
        uses=(_lemma,),
        states=2,
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
derivation.chain(
    "The sum of linear betas",
    sympy.Sum(first + rise * n, (n, 0, M)),
    equals(plus(times(M + 1, first), rise * M * (M + 1) / 2), r"$0 + 1 + \dots + M = \frac12 M (M + 1)$"),
    equals(
        times((M + 1) / 2, plus(first, plus(first, times(M, rise)))),
        "the number of terms times the mean of the first and the last",
    ),
    role="lemma",
    so=r"The sum is $\frac{T}{2}$ times the first and the last together. So with the ends fixed it grows with $T$, and "
    r"$\bar\alpha_T$ falls exponentially: with fewer steps the betas must be larger, as $1/T$.",
)
derivation.chain(
    "... and of their squares",
    sympy.Sum((first + rise * n) ** 2, (n, 0, M)),
    equals(
        plus(times(M + 1, first**2), first * rise * M * (M + 1), rise**2 * M * (M + 1) * (2 * M + 1) / 6),
        r"$0 + 1 + 4 + \dots + M^2 = \frac16 M (M + 1)(2M + 1)$",
    ),
    role="lemma",
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
derivation.chain(
    "A beta is the hazard of the curve times the step",
    Limit((1 - cos(angle) ** 2 / cos(angle - speed * h) ** 2) / h, h, 0),
    equals(
        times(speed, Slope(-log(cos(angle) ** 2), angle)),
        r"$\frac{f(\tau - h) - f(\tau)}{h f(\tau - h)}$ goes to $-f' / f$, the slope of $-\log f$",
    ),
    equals(times(2, speed, tan(angle)), r"$-\log \cos^2 u$ has the slope $2 \tan u$"),
    so=r"So $\beta_t \approx \frac{1}{T} \frac{\pi}{1 + s} \tan\left(\frac{\tau + s}{1 + s} \frac{\pi}{2}\right)$ for many "
    r"steps. As long as no beta is clipped, the ratios telescope and $\bar\alpha_t = f(t/T) / f(0)$.",
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
derivation.chain(
    "The betas rise",
    Slope(2 * tan(angle), angle),
    equals(2 / cos(angle) ** 2, "the derivative of the tangent"),
    so=r"This is positive, so $-\log f$ is convex, and $-\log(1 - \beta_t)$, its growth over one step, rises with $t$.",
)
z = derivation.number("z", r"the angle of one step, $\frac{\pi}{2 T (1 + s)}$", between=(0, 1))
derivation.chain(
    "Only the last beta is clipped",
    1 - sin(z) ** 2 / sin(2 * z) ** 2,
    equals(1 - 1 / (4 * cos(z) ** 2), r"$\sin 2z = 2 \sin z \cos z$"),
    equals(Rational(3, 4) - tan(z) ** 2 / 4, r"$1 / \cos^2 z = 1 + \tan^2 z$"),
    so=r"The first line is the beta before the last, $1 - f(1 - \frac1T) / f(1 - \frac2T)$, because $f(1 - \frac kT) = "
    r"\cos^2(\frac\pi2 - kz) = \sin^2(kz)$. The last beta is 1 before it is clipped, because $f(1) = 0$; by the square "
    r"all others are below $\frac34$, for every $T \ge 2$ and every offset. A maximum between $\frac34$ and 1 clips the last "
    r"alone.",
)
k = derivation.number("k", "how many steps before the end", positive=True)
derivation.chain(
    "The last betas do not become small, however many steps there are",
    Limit(1 - sin(k * h) ** 2 / sin((k + 1) * h) ** 2, h, 0),
    equals(1 - k**2 / (k + 1) ** 2, r"$\sin u / u \to 1$"),
    so=r"At the end they are $1, \frac34, \frac59, \frac{7}{16}, \dots$: single large steps.",
)

derivation.say(
    r"Usual schedules stop at $\bar\alpha_T > 0$, while a sampler starts from pure noise. A rescaled schedule ends at 0: an "
    r"affine map of $\sqrt{\bar\alpha_t}$ that keeps the first level."
)
r_1 = derivation.number("r_1", r"$\sqrt{\bar\alpha_1}$", between=(0, 1))
r_T = derivation.number("r_T", r"$\sqrt{\bar\alpha_T}$", between=(0, 1))
slope = derivation.define("c", r_1 / (r_1 - r_T), "the slope of the map")
shift = derivation.define("d", -slope * r_T, "its offset")
derivation.chain(
    "The map keeps the first level and sends the last to zero",
    Matrix([plus(shift, slope * r_1), plus(shift, slope * r_T)]),
    equals(Matrix([times(slope, r_1 - r_T), 0]), r"$d = -c\, r_T$"),
    equals(Matrix([r_1, 0]), r"$c = r_1 / (r_1 - r_T)$"),
    so=r"For $r_1 > r_T$ the slope is positive, so the rescaled schedule falls, too.",
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

derivation.say(
    "At last, images of different sizes. Average the pixels of a block: what is smooth stays, what is noise averages out."
)
_PIXELS = [derivation.number(name, "the noise of a pixel") for name in ("e_1", "e_2", "e_3", "e_4")]
_BLOCK = (sum(_PIXELS) / 4) ** 2
for _pixel in _PIXELS:
    _BLOCK = Expectation(Normal(_pixel, 0, 1), _BLOCK)
derivation.chain(
    "The noise of a block of four pixels has a quarter of the variance",
    _BLOCK,
    equals(Rational(1, 4), "four unit variances over $4^2$; products of independent noises have mean 0"),
    role="lemma",
    so=r"In general $d^2$ pixels give $d^2 / d^4 = 1/d^2$: at $d$ times the resolution the same level has $d^2$ times the "
    r"signal-to-noise ratio.",
)
ratio = derivation.number("m", "the resolution over the base resolution", "resolution / base_resolution", positive=True)
shifted = derivation.define(r"\lambda'", plus(lam, -2 * log(ratio)), "the shifted log-SNR", "shift_log_snr")
derivation.chain(
    "The shift makes up for it",
    log(ratio**2 * exp(shifted)),
    equals(plus(2 * log(ratio), shifted), "after averaging the blocks the signal-to-noise ratio is $m^2 e^{\\lambda'}$"),
    equals(lam, r"$\lambda' = \lambda - 2 \log m$"),
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


@derivation.example(r"Two steps, $\beta_1 = 0.19$ and $\beta_2 = 0.36$; and the roots $0.9, 0.7, 0.5$, rescaled to end at 0.")
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
    r"The log-SNR (left) and the level (right) of four schedules of 1000 steps, and the linear one rescaled. The cosine's "
    r"log-SNR is nearly straight in the middle; only the rescaled schedule ends at 0.",
    panels=2,
)
def four_schedules(left, right):
    time = np.arange(1, 1001) / 1000
    linear = linear_alpha_bar(num_steps=1000)
    for name, levels, style in (
        ("linear", linear, "-"),
        ("scaled linear", scaled_linear_alpha_bar(num_steps=1000), "-"),
        ("cosine", cosine_alpha_bar(num_steps=1000), "-"),
        ("log-linear", alpha_bar_from_sigmas(log_linear_sigmas(num_steps=1000, sigma_min=0.01, sigma_max=50.0)), "-"),
        ("linear, rescaled", rescale_zero_terminal_snr(linear), "--"),
    ):
        left.plot(time, np.clip(log_snr(levels[1:]), -14, 14), style, label=name)
        right.plot(time, levels[1:], style, label=name)
    left.set(xlabel="$t / T$", ylabel=r"$\lambda_t$", ylim=(-13, 11))
    right.set(xlabel="$t / T$", ylabel=r"$\bar\alpha_t$")
    left.legend(loc="lower left")


@derivation.exercise(
    r"The linear schedule has 1000 steps from $10^{-4}$ to $0.02$. What is $\sum \beta_t$, and how much is left at the end?",
    r"$\frac{1000}{2} \cdot 0.0201 = 10.05$, and $\bar\alpha_T$ is 4.036e-05.",
)
def hos_schedule():
    yield value(T * (first + last) / 2, {T: 1000, first: 1e-4, last: 0.02}), "10.05"
    yield linear_alpha_bar(num_steps=1000)[-1], "4.036e-05"


@derivation.exercise(
    r"What is left at the end with the same two betas but 100 steps?",
    r"$\sum \beta_t = 1.005$, so $\bar\alpha_T = 0.3636$: more than a third of the variance is still signal, and a sampler "
    r"that starts from pure noise starts from the wrong law.",
)
def too_few_steps():
    yield value(T * (first + last) / 2, {T: 100, first: 1e-4, last: 0.02}), "1.005"
    yield linear_alpha_bar(num_steps=100)[-1], "0.3636"


@derivation.exercise(
    r"A schedule was made for images of 32 pixels. By how much must $\lambda$ be shifted for 128 pixels, and where does the "
    r"level $\frac12$ go?",
    r"By $-2 \log 4 = -2.7726$; $\frac12$ has $\lambda = 0$, so it goes to $\frac{1}{1 + 16} = 0.0588$.",
)
def larger_images():
    level = shift_log_snr(jnp.array(0.5), base_resolution=32.0, resolution=128.0)
    yield log_snr(level), "-2.7726"
    yield level, "0.0588"


derivation.symbol(r"(\beta_T, \beta_{T-1})", "the last two betas")


@derivation.numeric(
    r"(\beta_T, \beta_{T-1}) = \left(0.999, 1 - \frac{1}{4 \cos^2 z}\right)",
    tolerance=1e-9,
    because=r"For 1000 steps and the offset 0.008 the last beta alone is clipped, at 0.999. The cosine near $\pi/2$ is "
    r"computed as a sine of what remains, which keeps all digits.",
    role="appendix",
)
def one_beta_is_clipped():
    levels = cosine_alpha_bar(num_steps=1000)
    betas = 1 - levels[1:] / levels[:-1]
    angle = math.pi / 2 / 1.008 / 1000
    before = 1 - 1 / (4 * math.cos(angle) ** 2)
    wrong = {"the last not clipped": np.array([1.0, before]), "both clipped": np.array([0.999, 0.999])}
    return Sides(left=betas[-1:-3:-1], right=np.array([0.999, before]), wrong=wrong)
