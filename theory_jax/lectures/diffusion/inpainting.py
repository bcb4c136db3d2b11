"""Inpainting: which distribution a sampler draws from if known entries are written into every step, and what the exact step is.

The lecture on the functions of theory_jax/diffusion/inpainting.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.forward_process import forward_from
from theory_jax.diffusion.inpainting import guidance_gradient, merge_known, replacement_step, resampling_schedule
from theory_jax.lectures.diffusion._replacement import best_noise, draw_ways_and_samples, other_data, replaced_means

derivation = Derivation(
    module=__name__,
    title="Inpainting: what writing the known entries into every step samples, and what the exact step is",
    sources=(
        "Lugmayr, Danelljan, Romero, Yu, Timofte & Van Gool 2022, RePaint: Inpainting using Denoising Diffusion Models",
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-Based Generative Modeling through SDEs, appendix I.2",
        "Ho, Salimans, Gritsenko, Chan, Norouzi & Fleet 2022, Video Diffusion Models, section 3.1",
        "Chung, Kim, Mccann, Klasky & Ye 2023, Diffusion Posterior Sampling for General Noisy Inverse Problems",
    ),
    question="A sampler is trained and some pixels are known. Writing the known pixels, noised, into every step looks right, "
    "and yet the filled part fits its borders badly. Which distribution does it sample, what do RePaint's repetitions change, "
    "and what would the exact step be?",
    setting=(
        "The data are $(u_0, k_0)$, and $k_0$ is known to be $y$. At the level $a$, from 1 for the data down to 0, the noisy "
        r"data are $(u, k) = \sqrt a\, (u_0, k_0) + \sqrt{1 - a}\, z$ with standard normal $z$.",
        r"*Replacement*: in every step the unknown entry makes a reverse step of the joint model, and the known one is drawn "
        r"anew from $\mathcal{N}(\sqrt a\, y, 1 - a)$. *RePaint*: every step back is made $U$ times, with a step of the forward "
        r"process on all entries between two of them.",
        r"Up to the last section, $u_0$ and $k_0$ are jointly normal with mean 0, variance 1 and a correlation $\rho$ between "
        r"0 and 1, the score is exact, and the steps are infinitely short: $d\tau$ of the reverse equation moves $u$ by $\beta "
        r"(\frac u2 + s)\, d\tau + \sqrt\beta\, dw$ with the score $s$, and the level by $\beta a\, d\tau$ (lecture on "
        r"stochastic equations). The wanted distribution of $u_0$ is $\mathcal{N}(\rho y, 1 - \rho^2)$.",
    ),
    limits=(
        "Rates for other than normal data, and steps of finite length. Longer jumps are in the code and the tests only.",
        r"The integral for general $U$ in closed form; the variance for $U > 1$.",
        "A learned score. The practice wing trains on whole digits, and completes lower halves with and without repetitions.",
    ),
)

a = derivation.number("a", "the level", "alpha_bar[t]", between=(0, 1))
rho = derivation.number(r"\rho", "the correlation", between=(0, 1))
y = derivation.number("y", "the known value", "x0_known")
u, k = derivation.number("u", "the unknown entry, noisy", "x_t"), derivation.number("k", "the known entry, noisy", "x_t")
U = derivation.number("U", "how often a step is made", "num_resamples", positive=True)
rest = derivation.define("R", 1 - a**2 * rho**2, "the variance of the noisy $u$ given the noisy $k$", positive=False)
score = derivation.chain(
    "The joint score pulls the unknown entry toward a multiple of the known one",
    Slope(-(u**2 - 2 * a * rho * u * k + k**2) / (2 * rest), u),
    equals(
        -(u - a * rho * k) / rest,
        r"noisy entries have variance 1 and covariance $a \rho$",
        wrong={"the correlation of the data": -(u - rho * k) / (1 - rho**2), "the sign": (u - a * rho * k) / rest},
    ),
    role="lemma",
    so=r"The score pulls $u$ toward $a \rho k$, and $k$ is $\sqrt a\, y$ in the mean.",
)
g = derivation.number("g", "the mean of $u$ at the level $a$, in units of $\\sqrt a$")
m = derivation.define("m", sqrt(a) * g, "the mean of $u$")
drift = derivation.define(
    "f",
    (U * m / 2 - (U - 1) * m / 2 - U * (m - a * rho * sqrt(a) * y) / rest) / a,
    r"the slope of the mean in $a$, of $U$ steps back and $U - 1$ forward",
)
moves = derivation.chain(
    r"The mean is pulled toward $a \rho y$, in place of $\rho y$",
    plus(drift / sqrt(a), -m / (2 * a * sqrt(a))),
    equals(
        -U * (g - a * rho * y) / (a * rest),
        prose(
            "a step forward undoes the linear part of a step back, so one of $U$ is left, {one}, which cancels",
            one=holds(plus(U * m / 2, -(U - 1) * m / 2), "=", m / 2),
        ),
        wrong={"toward the right mean": -U * (g - rho * y) / (a * rest), "one score": -(g - a * rho * y) / (a * rest)},
    ),
    role="lemma",
    uses=(score,),
    so=r"The first line is the slope of $g$, which is $m/\sqrt a$, by the quotient rule. (The fresh noise in $k$ moves the "
    r"mean by nothing.) The wanted $g$ is $\rho y$ at every level; the drift pulls toward $a \rho y$.",
)
mu = derivation.define(r"\mu", a / sqrt(rest), "an integrating factor", positive=True)
ratio = derivation.define("w", a * sqrt((1 - rho**2) / rest), r"the factor over its value at the data", positive=True)
derivation.chain(
    "The equation has an integrating factor",
    plus(Slope(mu**U, a) * g, times(mu**U, -U * (g - a * rho * y) / (a * rest))),
    equals(
        times(rho * y, a, Slope(mu**U, a)),
        prose(
            "{slope}: the terms with $g$ cancel", slope=holds(Slope(mu, a), "=", mu / (a * rest), wrong={"no level": mu / rest})
        ),
        wrong={"without the level": times(rho * y, Slope(mu**U, a))},
    ),
    role="lemma",
    uses=(moves,),
    so=prose(
        "The first line is the slope of $\\mu^U g$. Integrate from level 0, where $\\mu$ is {start} and removes every bounded "
        "start, to 1, by parts, and divide by $\\mu(1)^U$: at the data $g$ is less than $\\rho y$ by $\\rho y$ times the "
        "integral of $w^U$ over the levels, with {ratio}.",
        start=holds(mu, "=", 0, when={a: 0}, named=True),
        ratio=holds(ratio, "=", mu * sqrt(1 - rho**2)),
    ),
)
derivation.chain(
    r"The factor is below the level, so $U$ repetitions leave at most the share $1/(1 + U)$ of bias",
    a**2 - ratio**2,
    equals(rho**2 * a**2 * (1 - a**2) / rest, "common denominator"),
    at_least(
        0,
        prose("all factors are positive; equality only at {ends}", ends=where(rho, 0)),
        dropping=rho**2 * a**2 * (1 - a**2) / (1 - a**2 * rho**2),
    ),
    so=prose(
        "So {less}. The integral of $a^U$ is {integral}, so for a positive $y$ the bias of RePaint is at most {bias}: it "
        "vanishes like $\\frac1U$ or faster. For small $\\rho$ this is the bias itself in the limit, since then $w$ tends to "
        "{level}.",
        less=holds(ratio, "<=", a),
        integral=holds(Integral(a**U, (a, 0, 1)), "=", 1 / (U + 1), named=True),
        bias=rho * y / (U + 1),
        level=holds(Limit(ratio, rho, 0), "=", a, named=True),
    ),
)
derivation.chain(
    "Without repetitions the factor has an antiderivative",
    ratio,
    equals(
        Slope(-sqrt(1 - rho**2) * sqrt(rest) / rho**2, a),
        prose("the slope of a square root; {inside}", inside=holds(Slope(rest, a), "=", -2 * a * rho**2)),
        wrong={"the sign": Slope(sqrt(1 - rho**2) * sqrt(rest) / rho**2, a)},
    ),
    role="lemma",
    so=prose(
        "So the integral of $w$ from 0 to 1 is the difference of the ends, {integral}.",
        integral=holds(
            plus(sqrt(1 - rho**2) / rho**2, -(1 - rho**2) / rho**2),
            "=",
            sqrt(1 - rho**2) * (1 - sqrt(1 - rho**2)) / rho**2,
            named=True,
        ),
    ),
)
mean = y * (1 - sqrt(1 - rho**2)) / rho
result = derivation.chain(
    "The mean that replacement samples",
    rho * y * (1 - sqrt(1 - rho**2) * (1 - sqrt(1 - rho**2)) / rho**2),
    equals(
        mean,
        prose("{factors}", factors=holds(rho**2, "=", times(plus(1, -sqrt(1 - rho**2)), plus(1, sqrt(1 - rho**2))))),
        wrong={"the right mean": rho * y, "half of it": rho * y / 2},
    ),
    central=True,
    so=prose(
        "This is $g$ at the data without repetitions. It is the limit of ever shorter steps: more steps do not help. For a "
        "positive $y$ it is too small, {less} where {one}.",
        less=holds(mean, "<", rho * y),
        one=where(y, 1),
    ),
)
derivation.chain(
    "Of a weak correlation half is used",
    Limit(mean / (rho * y), rho, 0),
    equals(
        Rational(1, 2),
        prose("{conjugate}", conjugate=holds(1 - sqrt(1 - rho**2), "=", rho**2 / (1 + sqrt(1 - rho**2)))),
        wrong={"all of it": 1},
    ),
    role="remark",
    uses=(result,),
)
v = derivation.number("v", "the variance of the unknown entry at the level $a$", positive=True)
derivation.chain(
    "The variance has an integrating factor, too",
    plus(Slope(a / rest, a) * v, times(a / rest, ((1 - 2 / rest) * v + 1) / a)),
    equals(
        1 / rest,
        r"the terms with $v$ cancel",
        wrong={"without the noise of the step": 0 * v, "one slope of the score": (1 + v / rest) / rest},
    ),
    equals(
        Slope(log((1 + rho * a) / (1 - rho * a)) / (2 * rho), a),
        prose("partial fractions: {halves}", halves=holds(1 / rest, "=", plus(1 / (1 + rho * a), 1 / (1 - rho * a)) / 2)),
    ),
    role="remark",
    so=prose(
        "The reverse equation multiplies deviations at the rate $\\beta (\\frac12 - \\frac1R)$, so the slope of the variance "
        "in $a$ is {slope}, and the first line is the slope of $\\frac aR v$. From 0 to 1: at the data the variance without "
        "repetitions is {variance}. Replacement is too wide, too: {wide}.",
        slope=((1 - 2 / rest) * v + 1) / a,
        variance=(1 - rho**2) * log((1 + rho) / (1 - rho)) / (2 * rho),
        wide=holds((1 - rho**2) * log((1 + rho) / (1 - rho)) / (2 * rho), ">", 1 - rho**2),
    ),
)

derivation.say(
    r"The exact step needs the score of the distribution given $y$. By Bayes' rule it is the joint score plus $\nabla \log p(y "
    "| u, k)$ (lecture on classifier guidance). For normal data the known value given the noisy entries is normal around a "
    "straight line."
)
c_u = derivation.define("c_u", sqrt(a) * rho * (1 - a) / rest, "the slope of the line in $u$")
c_k = derivation.define("c_k", sqrt(a) * (1 - a * rho**2) / rest, "the slope of the line in $k$")
predicted = derivation.define(r"\hat k", c_u * u + c_k * k, "the prediction of the known value", "x0_fn(x_t)")
spread = derivation.define("V", (1 - a) * (1 - a * rho**2) / rest, "its variance, given $u$ and $k$", positive=False)
for title, left, right in (
    ("The error of the line is uncorrelated with the unknown entry", c_u + a * rho * c_k, sqrt(a) * rho),
    ("The error of the line is uncorrelated with the known entry", a * rho * c_u + c_k, sqrt(a)),
):
    derivation.chain(
        title,
        left,
        equals(right, r"the covariances of $k_0$ with $u$ and $k$ are $\sqrt a\, \rho$ and $\sqrt a$; common denominator"),
        role="lemma",
    )
derivation.chain(
    "The noisy entries leave the variance $V$ of the known value open",
    1 - (c_u * sqrt(a) * rho + c_k * sqrt(a)),
    equals(spread, r"common denominator; factor", wrong={"all of the noise": 1 - a}),
    role="lemma",
)
guided = derivation.chain(
    "Joint score and guidance make the conditional score",
    plus(-(u - a * rho * k) / rest, times((y - predicted) / spread, Slope(predicted, u))),
    equals(
        -(u - sqrt(a) * rho * y) / (1 - a * rho**2),
        r"insert; the terms with $k$ cancel",
        wrong={"a unit step": plus(-(u - a * rho * k) / rest, times(y - predicted, Slope(predicted, u)))},
    ),
    uses=(score,),
    so=prose(
        "Given $y$, the noisy $u$ is normal with the mean $\\sqrt a\\, \\rho y$ and the variance {variance}: this is its "
        "score. A unit step in place of $\\frac1V$ has the right direction and the wrong length.",
        variance=holds(plus(a * (1 - rho**2), 1 - a), "=", 1 - a * rho**2),
    ),
)
derivation.chain(
    "In the known entry, too, joint score and guidance make the conditional score",
    plus(-(k - a * rho * u) / rest, times((y - predicted) / spread, Slope(predicted, k))),
    equals(-(k - sqrt(a) * y) / (1 - a), "insert; the terms with $u$ cancel", wrong={"no guidance": -(k - a * rho * u) / rest}),
    role="remark",
    so=r"So guidance brings the known entry to its value by itself: nothing has to be replaced.",
)

other_data(derivation, a, u, k)

n, z = derivation.number("n", "the predicted noise of the unknown entry", "noise_pred"), derivation.number("z", "fresh noise")
z_k = derivation.number("z_k", "the noise of the known entry", "known_noise")
b = derivation.number("b", "the level after the step", "alpha_bar[t - 1]", between=(0, 1))
back = (u - (1 - a) / sqrt(1 - a * b) * n) / sqrt(a) + sqrt(1 - a) * z
step_of_code = derivation.bridge(
    "The code's step, from the level $a b$ to $b$",
    [[back, sqrt(b) * y + sqrt(1 - b) * z_k]],
    replacement_step,
    x_t=[[u, k]],
    noise_pred=[[n, n]],
    noise=[[z, z]],
    x0_known=[[k, y]],
    known_noise=[[z, z_k]],
    mask=np.array([[False, True]]),
    t=np.array([2]),
    alpha_bar=[1, b, a * b],
    wrong={
        "the mask inverted": [[sqrt(b) * k + sqrt(1 - b) * z, (k - (1 - a) / sqrt(1 - a * b) * n) / sqrt(a) + sqrt(1 - a) * z]],
        "the known entry at the level before": [[back, sqrt(a * b) * y + sqrt(1 - a * b) * z_k]],
    },
)
derivation.bridge("The code's choice", [[u, y]], merge_known, unknown=[[u, k]], known=[[z, y]], mask=np.array([[False, True]]))


def _line(slopes):
    """A prediction that is 0 for the first entry and the line for the second."""
    return lambda x: jnp.stack([x[:, 0] * 0, x @ slopes], axis=1)


def _guidance(x_t, known, slopes):
    return guidance_gradient(x_t, known, np.array([[False, True]]), _line(slopes))


derivation.bridge(
    "The code's gradient, of the line above",
    [[times(y - predicted, c_u), times(y - predicted, c_k)]],
    _guidance,
    x_t=[[u, k]],
    known=[[z, y]],
    slopes=[c_u, c_k],
    calls=(guidance_gradient,),
    wrong={"without the network's slope": [[0 * u, y - predicted]], "without the half": [[2 * (y - predicted) * c_u, c_k]]},
)


@derivation.exact(
    r"L = T + 1 + 2 n J (U - 1)",
    because="The number of levels that the code visits, for 36 choices of the number of steps, of jumps and of repetitions: $n$ "
    "climbs of $J$ levels, $U - 1$ times, and as many steps down again.",
    outcomes=36,
    role="remark",
)
def how_many_levels():
    found, wanted = [], []
    for steps, jump, times_ in ((s, j, r) for s in (1, 5, 10) for j in (1, 2, 3, 5) for r in (1, 2, 4)):
        found.append(len(resampling_schedule(num_steps=steps, jump_length=jump, num_resamples=times_)))
        wanted.append(steps + 1 + 2 * max(math.ceil((steps - jump) / jump), 0) * jump * (times_ - 1))
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"moves up alone": (np.array(wanted) + 1) // 2})


derivation.answer = prose(
    "Replacement treats the known entry as a noisy one, although it is known exactly. For normal data its mean is {mean} in "
    "place of $\\rho y$: half of a weak correlation is lost. RePaint's bias is at most {bias} in size. The exact step adds "
    "the gradient of $\\log p(y | u, k)$ to the score: guidance with the exact variance, for normal data.",
    mean=holds(
        rho * y * (1 - sqrt(1 - rho**2) * (1 - sqrt(1 - rho**2)) / rho**2), "=", (1 - sqrt(1 - rho**2)) / rho * y, named=True
    ),
    bias=rho * y / (U + 1),
)
for letter, words, code in (
    ("L", "the number of levels that RePaint visits", "len(resampling_schedule)"),
    ("T", "the number of steps", "num_steps"),
    ("J", "the length of a jump", "jump_length"),
    ("n", "here: the number of levels to climb from", ""),
):
    derivation.symbol(letter, words, code)


@derivation.numeric(
    r"g(1) = \frac{1 - \sqrt{1 - \rho^2}}{\rho} y,\quad \frac{\rho - (1 - \rho^2)\, \mathrm{artanh} \rho}{\rho^2} y",
    because="The mean at the end of 400 steps of the code for the correlation 0.8 and the known value 1, without repetitions "
    "and with every step made twice, and the integrals of $w^U$ in closed form.",
    tolerance=0.01,
    since="the steps have a finite length",
    role="remark",
)
def the_codesreplaced_means():
    found = np.array([float(replaced_means(times_)[-1]) for times_ in (1, 2)])
    wanted = np.array([0.5, (0.8 - 0.36 * math.atanh(0.8)) / 0.64])
    return Sides(left=found, right=wanted, wrong={"the conditional mean": np.array([0.8, 0.8])})


_SLOPES = jnp.array([0.4, 0.68]) * math.sqrt(0.5) / 0.84


@derivation.example(
    prose(
        r"The correlation 0.8 and the known value 1: wanted is $\mathcal{N}(0.8, 0.36)$. What replacement samples; and the "
        "exact step at {level} and noisy entries of 0, where $V$ is {spread}.",
        level=where(a, Rational(1, 2)),
        spread=holds(spread, "=", Rational(17, 42), when={rho: Rational(4, 5)}, named=True),
    )
)
def weak_and_strong():
    yield r"(1 - 0.6)/0.8", (1 - math.sqrt(1 - 0.64)) / 0.8, "0.5"
    yield r"\text{the code's mean, 400 steps}", replaced_means(1)[-1], "0.50"
    yield r"\text{variance: } 0.36 \log(9) / 1.6", 0.36 * math.log(9) / 1.6, "0.494"
    yield r"\text{mean for } U = 2", (0.8 - 0.36 * math.atanh(0.8)) / 0.64, "0.632"
    gradient = _guidance(jnp.zeros((1, 2)), jnp.ones((1, 2)), _SLOPES)[0]
    yield r"\text{gradient in } u,\ \tfrac{0.4}{0.84} \sqrt{1/2}", gradient[0], "0.337"
    yield r"\text{over } V", gradient[0] / (17 / 42), "0.832"
    yield r"\text{gradient in } k \text{ over } V,\ \sqrt 2", gradient[1] / (17 / 42), "1.414"


@derivation.algorithm(
    "RePaint, with jumps of one level",
    do(
        r"begin with $(u, k)$ from $\mathcal{N}(0, 1)$; visit the levels that climb back $U - 1$ times",
        resampling_schedule,
        by=how_many_levels,
    ),
    do(r"a step down: $u \leftarrow$ the reverse step of the model", by=moves, indent=1),
    do(
        r"and $k \leftarrow \sqrt a\, y + \sqrt{1 - a}\, z$ at the level that is reached",
        replacement_step,
        by=step_of_code,
        indent=1,
    ),
    do("a step up: a step of the forward process on all entries", forward_from, by=moves, indent=1),
    do(
        r"exact for normal data: add $\frac1V$ times the gradient of $-\frac12 (y - \hat k)^2$ to the score instead",
        guidance_gradient,
        by=guided,
    ),
    do(r"at the data, return $u$ and $y$", merge_known),
)
def down_up_down():
    visited = resampling_schedule(num_steps=2, jump_length=1, num_resamples=2)
    yield (
        r"T = U = 2, \rho = 0.8, y = 1, \bar\alpha = (1, \tfrac12, \tfrac14): \text{ levels visited}",
        visited,
        "(2, 1, 2, 1, 0)",
    )
    levels, mask, none = jnp.array([1.0, 0.5, 0.25]), np.array([[False, True]]), jnp.zeros((1, 2))
    x, printed = jnp.array([[0.0, 0.5]]), iter(("(0.0737, 0.7071)", "(0.0521, 0.5)", "(0.1090, 0.7071)", "(0.3005, 1)"))
    for now, after in zip(visited[:-1], visited[1:], strict=True):
        t = np.array([max(int(now), int(after))])
        if after < now:
            x = replacement_step(x, best_noise(x, levels[now]), none, jnp.ones((1, 2)), none, mask, t, levels)
        else:
            x = forward_from(x, t - 1, t, none, levels)
        yield rf"\text{{from level {now} to {after}, without noise: }} (u, k)", x, next(printed)
    yield r"\text{returned}", merge_known(x, jnp.ones((1, 2)), mask), "(0.3005, 1)"
    gradient = guidance_gradient(none, jnp.ones((1, 2)), mask, _line(_SLOPES))
    yield r"\text{gradient at } (0, 0), a = \tfrac12, \text{ in } u", gradient[0, 0], "0.337"


@derivation.figure(
    "The correlation 0.8, 400 steps of the code. Left: the mean of the unknown entry on its way to the data, in units of "
    r"$\sqrt a$, for the known value 1. Right: samples for many known values; replacement's slope is 0.5, wanted is 0.8.",
    panels=2,
)
def ways_and_samples(ways, samples):
    draw_ways_and_samples(ways, samples)
