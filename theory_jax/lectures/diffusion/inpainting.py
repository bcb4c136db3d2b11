"""Inpainting: which law a sampler draws from if known entries are written into every step, and what the exact step is.

The lecture on the functions of theory_jax/diffusion/inpainting.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.diffusion.forward_process import forward_from
from theory_jax.diffusion.inpainting import guidance_gradient, merge_known, replacement_step, resampling_schedule

derivation = Derivation(
    module=__name__,
    title="Inpainting: what writing the known entries into every step samples, and what the exact step is",
    sources=(
        "Lugmayr, Danelljan, Romero, Yu, Timofte & Van Gool 2022, RePaint: Inpainting using Denoising Diffusion Models",
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-Based Generative Modeling through SDEs, appendix I.2",
        "Ho, Salimans, Gritsenko, Chan, Norouzi & Fleet 2022, Video Diffusion Models, section 3.1",
        "Chung, Kim, Mccann, Klasky & Ye 2023, Diffusion Posterior Sampling for General Noisy Inverse Problems",
    ),
    question="A sampler is trained and some pixels are known. Writing the known pixels, noised, into every step looks right. "
    "Which law does it sample, what do RePaint's repetitions change, and what would the exact step be?",
    setting=(
        r"The data are $(u_0, k_0)$, and $k_0 = y$ is known. At the level $a$, from 1 for the data down to 0, the noisy data are "
        r"$(u, k) = \sqrt a\, (u_0, k_0) + \sqrt{1 - a}\, z$ with standard normal $z$.",
        r"*Replacement*: in every step the unknown entry makes a reverse step of the joint model, and the known one is drawn "
        r"anew from $\mathcal{N}(\sqrt a\, y, 1 - a)$. *RePaint*: every step back is made $U$ times, with a step of the forward "
        r"process on all entries between two of them.",
        r"Up to the last section, $u_0$ and $k_0$ are jointly normal with mean 0, variance 1 and correlation $0 < \rho < 1$, the "
        r"score is exact, and the steps are infinitely short: $d\tau$ of the reverse equation moves $u$ by $\beta (\frac u2 + "
        r"s)\, d\tau + \sqrt\beta\, dw$ with the score $s$, and the level by $da = \beta a\, d\tau$ (lecture on stochastic "
        r"equations). The wanted law is $u_0 \sim \mathcal{N}(\rho y, 1 - \rho^2)$.",
    ),
    answer=r"Replacement treats the known entry as a noisy one, although it is known exactly. For normal data its mean is "
    r"$\frac{1 - \sqrt{1 - \rho^2}}{\rho} y$ in place of $\rho y$: half of a weak correlation is lost. RePaint's bias is at most "
    r"$\frac{\rho y}{U + 1}$. The exact step adds the gradient of $\log p(y | u, k)$ to the score: guidance with the exact "
    r"variance, for normal data.",
    limits=(
        "Rates for other than normal data, and steps of finite length. Longer jumps are in the code and the tests only.",
        r"The integral for general $U$ in closed form; the variance for $U > 1$.",
        "A learned score. The practice wing trains on whole digits, and completes lower halves with and without repetitions.",
    ),
)

# ---------------------------------------------------------------------------------------------------- replacement

a = derivation.number("a", "the level", "alpha_bar[t]", between=(0, 1))
rho = derivation.number(r"\rho", "the correlation", between=(0, 1))
y = derivation.number("y", "the known value", "x0_known")
u, k = derivation.number("u", "the unknown entry, noisy", "x_t"), derivation.number("k", "the known entry, noisy", "x_t")
U = derivation.number("U", "how often a step is made", "num_resamples", positive=True)
rest = derivation.define("R", 1 - a**2 * rho**2, "the variance of the noisy $u$ given the noisy $k$", positive=False)
score = derivation.chain(
    "The score of the joint law in the unknown entry",
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
    "How the mean moves",
    plus(drift / sqrt(a), -m / (2 * a * sqrt(a))),
    equals(
        -U * (g - a * rho * y) / (a * rest),
        r"a step forward undoes the linear part of a step back, so one of $U$ is left, which cancels",
        wrong={"toward the right mean": -U * (g - rho * y) / (a * rest), "one score": -(g - a * rho * y) / (a * rest)},
    ),
    uses=(score,),
    so=r"The first line is the slope of $g = m/\sqrt a$, by the quotient rule. (The fresh noise in $k$ moves the mean by "
    r"nothing.) The wanted $g$ is $\rho y$ at every level; the drift pulls toward $a \rho y$.",
)
mu = derivation.define(r"\mu", a / sqrt(rest), "an integrating factor", positive=True)
derivation.chain(
    "The equation has an integrating factor",
    plus(Slope(mu**U, a) * g, times(mu**U, -U * (g - a * rho * y) / (a * rest))),
    equals(
        times(rho * y, a, Slope(mu**U, a)),
        r"$\mu' = \frac{\mu}{a R}$: the terms with $g$ cancel",
        wrong={"without the level": times(rho * y, Slope(mu**U, a))},
    ),
    uses=(moves,),
    so=r"The first line is the slope of $\mu^U g$. Integrate from 0, where $\mu = 0$ removes every bounded start, to 1, by "
    r"parts: $\rho y - g(1) = \rho y \int_0^1 w^U da$ with $w = \mu(a)/\mu(1)$.",
)
ratio = derivation.define("w", a * sqrt((1 - rho**2) / rest), r"$\mu(a)/\mu(1)$", positive=True)
derivation.chain(
    "The factor is below the level",
    a**2 - ratio**2,
    equals(rho**2 * a**2 * (1 - a**2) / rest, "common denominator"),
    at_least(0, "all factors are positive", dropping=rho**2 * a**2 * (1 - a**2) / (1 - a**2 * rho**2)),
    role="lemma",
    so=r"So $w \le a$, and $\rho y - g(1) \le \rho y \int_0^1 a^U da = \frac{\rho y}{U + 1}$ for $y > 0$: the bias of RePaint "
    r"vanishes like $\frac1U$. For small $\rho$ this is the bias itself, since then $w$ tends to $a$.",
)
derivation.chain(
    "The integral without repetitions",
    ratio,
    equals(
        Slope(-sqrt(1 - rho**2) * sqrt(rest) / rho**2, a),
        "the slope of a square root",
        wrong={"the sign": Slope(sqrt(1 - rho**2) * sqrt(rest) / rho**2, a)},
    ),
    role="lemma",
    so=r"So $\int_0^1 w\, da = \sqrt{1 - \rho^2}\, \frac{1 - \sqrt{1 - \rho^2}}{\rho^2}$.",
)
mean = y * (1 - sqrt(1 - rho**2)) / rho
result = derivation.chain(
    "The mean that replacement samples",
    rho * y * (1 - sqrt(1 - rho**2) * (1 - sqrt(1 - rho**2)) / rho**2),
    equals(
        mean,
        r"$\rho^2 = (1 - \sqrt{1 - \rho^2})(1 + \sqrt{1 - \rho^2})$",
        wrong={"the right mean": rho * y, "half of it": rho * y / 2},
    ),
    central=True,
    so=r"This is $g(1)$ for $U = 1$, however many steps there are: more steps do not help.",
)
derivation.chain(
    "Of a weak correlation half is used",
    Limit(mean / (rho * y), rho, 0),
    equals(Rational(1, 2), r"$1 - \sqrt{1 - \rho^2} = \frac{\rho^2}2 + \ldots$", wrong={"all of it": 1}),
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
    equals(Slope(log((1 + rho * a) / (1 - rho * a)) / (2 * rho), a), "partial fractions"),
    so=r"The reverse equation multiplies deviations at the rate $\beta (\frac12 - \frac1R)$, so $\frac{dv}{da} = \frac1a [(1 - "
    r"\frac2R)\, v + 1]$: the first line is the slope of $\frac aR v$. From 0 to 1: $v(1) = (1 - \rho^2)\, \frac{1}{2 \rho} \log "
    r"\frac{1 + \rho}{1 - \rho}$. Since $\frac1R \ge 1$, that is at least $1 - \rho^2$: replacement is too wide, too.",
)

# ---------------------------------------------------------------------------------------------------- the exact step

derivation.say(
    r"The exact step needs the score of the law given $y$. By Bayes' rule it is the joint score plus $\nabla \log p(y | u, k)$ "
    r"(lecture on classifier guidance). For normal data the known value given the noisy entries is normal around a straight line."
)
c_u = derivation.define("c_u", sqrt(a) * rho * (1 - a) / rest, "the slope of the line in $u$")
c_k = derivation.define("c_k", sqrt(a) * (1 - a * rho**2) / rest, "the slope of the line in $k$")
predicted = derivation.define(r"\hat k", c_u * u + c_k * k, "the prediction of the known value", "x0_fn(x_t)")
spread = derivation.define("V", (1 - a) * (1 - a * rho**2) / rest, "its variance, given $u$ and $k$", positive=False)
for title, left, right in (
    ("The error of the line is uncorrelated with the unknown entry", c_u + a * rho * c_k, sqrt(a) * rho),
    ("... and with the known one", a * rho * c_u + c_k, sqrt(a)),
):
    derivation.chain(
        title,
        left,
        equals(right, r"$\mathrm{Cov}(k_0, u) = \sqrt a\, \rho$ and $\mathrm{Cov}(k_0, k) = \sqrt a$; common denominator"),
        role="lemma",
    )
derivation.chain(
    "What the noisy entries leave open",
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
    so=r"Given $y$, the noisy $u$ is normal with mean $\sqrt a\, \rho y$ and variance $a (1 - \rho^2) + 1 - a = 1 - a \rho^2$: "
    r"this is its score. A unit step in place of $\frac1V$ has the right direction and the wrong length.",
)
derivation.chain(
    "... in the known entry as well",
    plus(-(k - a * rho * u) / rest, times((y - predicted) / spread, Slope(predicted, k))),
    equals(-(k - sqrt(a) * y) / (1 - a), "insert; the terms with $u$ cancel", wrong={"no guidance": -(k - a * rho * u) / rest}),
    so=r"So guidance brings the known entry to its value by itself: nothing has to be replaced.",
)

# ---------------------------------------------------------------------------------------------------- any data

derivation.say(r"For other data the predictions are no straight lines. The data are now one of finitely many points.")
i = derivation.index("i", "a data point")
p = derivation.law("p", i, "its probability")
us, ks = derivation.numbers("u", i, "its unknown entry"), derivation.numbers("k", i, "its known entry")
likely = derivation.define(
    r"\ell",
    p * exp((sqrt(a) * (us * u + ks * k) - a * (us**2 + ks**2) / 2) / (1 - a)),
    "the point's probability given $u$ and $k$, up to a factor",
    over=i,
)


def _mean(values):
    return Total(i, likely * values) / Total(i, likely)


derivation.chain(
    "The slope of the prediction is a covariance",
    Slope(_mean(ks), u),
    equals(
        times(sqrt(a) / (1 - a), _mean(us * ks) - _mean(us) * _mean(ks)),
        r"the quotient rule; the slope of $\log \ell_i$ is $\frac{\sqrt a}{1 - a} u_i$",
        wrong={"not centered": times(sqrt(a) / (1 - a), _mean(us * ks)), "the factor": _mean(us * ks) - _mean(us) * _mean(ks)},
    ),
    states=2,
    so=r"So guidance with the variance $V$ of $k_0$ given $(u, k)$ adds $\frac{\sqrt a}{1 - a}\, \frac{\mathrm{Cov}(u_0, "
    r"k_0)}{V} (y - \hat k)$. Exact is $\frac{\sqrt a}{1 - a}\, (\mathbb{E}[u_0 | u, k, y] - \mathbb{E}[u_0 | u, k])$, by "
    r"Tweedie's formula with and without $y$. Guidance replaces the regression of $u_0$ on $k_0$ by its best straight line "
    r"(exercise 3). With several known entries $\frac1V$ is the inverse of a matrix.",
)

# ---------------------------------------------------------------------------------------------------- the code

n, z = derivation.number("n", "the predicted noise of the unknown entry", "noise_pred"), derivation.number("z", "fresh noise")
z_k = derivation.number("z_k", "the noise of the known entry", "known_noise")
b = derivation.number("b", "the level after the step", "alpha_bar[t - 1]", between=(0, 1))
back = (u - (1 - a) / sqrt(1 - a * b) * n) / sqrt(a) + sqrt(1 - a) * z
derivation.bridge(
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
)
def how_many_levels():
    found, wanted = [], []
    for steps, jump, times_ in ((s, j, r) for s in (1, 5, 10) for j in (1, 2, 3, 5) for r in (1, 2, 4)):
        found.append(len(resampling_schedule(num_steps=steps, jump_length=jump, num_resamples=times_)))
        wanted.append(steps + 1 + 2 * max(math.ceil((steps - jump) / jump), 0) * jump * (times_ - 1))
    return Sides(left=np.array(found), right=np.array(wanted), wrong={"moves up alone": (np.array(wanted) + 1) // 2})


for letter, words, code in (
    ("L", "the number of levels that RePaint visits", "len(resampling_schedule)"),
    ("T", "the number of steps", "num_steps"),
    ("J", "the length of a jump", "jump_length"),
    ("n", "here: the number of places to climb from", ""),
):
    derivation.symbol(letter, words, code)

# ---------------------------------------------------------------------------------------------------- numbers

_LEVELS = np.exp(-10 * np.linspace(0, 1, 401) ** 2)  # 400 steps, short ones near the data


def _noise_of(x, kept, rho=0.8):
    """The best prediction of the noise, (x - sqrt(a) E(x_0 | x))/sqrt(1 - a), of normal data."""
    det = 1 - (kept * rho) ** 2
    other = jnp.flip(x, axis=1)
    return jnp.sqrt(1 - kept) * (x - kept * rho * other) / det


def _path(x, known, times_, noises):
    """The unknown entry at every level below 400, and at the data; every step is made times_ times."""
    levels, mask = jnp.asarray(_LEVELS), np.array([[False, True]]) & np.ones(x.shape, bool)
    known = jnp.stack([known, known], axis=1)

    def step(x, given):
        t, noise = jnp.full(len(x), given[0]), given[1]
        for number in range(times_):
            if number:
                x = forward_from(x, t - 1, t, noise[3 * number - 1], levels)
            draws = noise[3 * number], known, noise[3 * number + 1]
            x = replacement_step(x, _noise_of(x, levels[given[0]]), *draws, mask, t, levels)
        return x, x[:, 0]

    return jax.lax.scan(step, x, (jnp.arange(400, 0, -1), noises))[1]


def _means(times_):
    """The mean of the unknown entry at the levels, for y = 1: a chain without noise, as all steps are linear."""
    return _path(jnp.zeros((1, 2)), jnp.ones(1), times_, jnp.zeros((400, 3 * times_, 1, 2)))[:, 0]


@derivation.numeric(
    r"g(1) = \frac{1 - \sqrt{1 - \rho^2}}{\rho} y,\quad \frac{\rho - (1 - \rho^2)\, \mathrm{artanh} \rho}{\rho^2} y",
    because=r"The mean at the end of 400 steps of the code at $\rho = 0.8$, $y = 1$, for $U = 1$ and $U = 2$, and the integrals "
    r"of $w^U$ in closed form.",
    tolerance=0.01,
    since="the steps have a finite length",
)
def the_codes_means():
    found = np.array([float(_means(times_)[-1]) for times_ in (1, 2)])
    wanted = np.array([0.5, (0.8 - 0.36 * math.atanh(0.8)) / 0.64])
    return Sides(left=found, right=wanted, wrong={"the conditional mean": np.array([0.8, 0.8])})


# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_SLOPES = jnp.array([0.4, 0.68]) * math.sqrt(0.5) / 0.84


@derivation.example(
    r"$\rho = 0.8$ and $y = 1$: wanted is $\mathcal{N}(0.8, 0.36)$. What replacement samples; and the exact step at $a = "
    r"\frac12$ and $u = k = 0$, where $V = \frac12 \cdot 0.68/0.84 = \frac{17}{42}$."
)
def weak_and_strong():
    yield r"(1 - 0.6)/0.8", (1 - math.sqrt(1 - 0.64)) / 0.8, "0.5"
    yield r"\text{the code's mean, 400 steps}", _means(1)[-1], "0.50"
    yield r"\text{variance: } 0.36 \log(9) / 1.6", 0.36 * math.log(9) / 1.6, "0.494"
    yield r"\text{mean for } U = 2", (0.8 - 0.36 * math.atanh(0.8)) / 0.64, "0.632"
    gradient = _guidance(jnp.zeros((1, 2)), jnp.ones((1, 2)), _SLOPES)[0]
    yield r"\text{gradient in } u,\ \tfrac{0.4}{0.84} \sqrt{1/2}", gradient[0], "0.337"
    yield r"\text{over } V", gradient[0] / (17 / 42), "0.832"
    yield r"\text{gradient in } k \text{ over } V,\ \sqrt 2", gradient[1] / (17 / 42), "1.414"


@derivation.figure(
    r"$\rho = 0.8$, 400 steps of the code. Left: the mean of the unknown entry on its way to the data, in units of $\sqrt a$, "
    r"for $y = 1$. Right: samples for many known values; replacement's slope is 0.5, wanted is 0.8.",
    panels=2,
)
def ways_and_samples(ways, samples):
    for times_ in (1, 2, 5):
        ways.plot(_LEVELS[399::-1], _means(times_) / np.sqrt(_LEVELS[399::-1]), label=f"$U = {times_}$")
    ways.axhline(0.8, color="gray", linestyle="--")
    ways.set(xlabel="level $a$", ylabel="$g$")
    ways.legend()
    rng = np.random.default_rng(2)
    known = rng.normal(size=200)
    ends = _path(jnp.asarray(rng.normal(size=(200, 2))), jnp.asarray(known), 1, jnp.asarray(rng.normal(size=(400, 3, 200, 2))))[
        -1
    ]
    samples.plot(known, ends, ".", color=BLUE, alpha=0.5)
    line = np.array([-2.5, 2.5])
    samples.plot(line, 0.5 * line, color=BLUE, label="replacement")
    samples.plot(line, 0.8 * line, "--", color="gray", label="wanted")
    samples.set(xlabel="$y$", ylabel="$u_0$")
    samples.legend()


@derivation.exercise(
    r"What does replacement sample if the correlation tends to 1?",
    r"The mean tends to $y$, and the variance to 0: a copied pixel is found. At $\rho = 0.9999$ the mean is $0.986 y$ and the "
    r"variance 0.000990.",
)
def a_copy():
    yield (1 - math.sqrt(1 - 0.9999**2)) / 0.9999, "0.986"
    yield (1 - 0.9999**2) * math.atanh(0.9999) / 0.9999, "0.000990"


@derivation.exercise(
    r"RePaint with $T = 10$, $J = 2$ and $U = 3$: from which levels does it climb, how many moves go up, and how many levels are "
    "visited?",
    r"From 7, 5, 3 and 1, twice from each and by two levels: 16 moves up. With 16 more moves down there are 43 levels.",
)
def ten_levels():
    levels = resampling_schedule(num_steps=10, jump_length=2, num_resamples=3)
    yield jnp.sum(jnp.diff(levels) > 0), "16"
    yield len(levels), "43"


@derivation.exercise(
    r"$k_0$ is $-1$, 0 or 1 with equal probabilities and $u_0 = k_0^2$. At $a = \frac12$, $u = k = 0$ and $y = 1$: what does the "
    "exact step add in the unknown entry, and what does guidance?",
    r"The weights of the three points are $e^{-1}, 1, e^{-1}$, so the mean of $u_0$ is 0.4239, and the exact term $\sqrt2\, (1 - "
    r"0.4239) = 0.815$. The covariance is 0, and guidance adds 0: no straight line sees a square.",
)
def a_square():
    weights = np.array([math.exp(-1), 1.0, math.exp(-1)])
    weights, points = weights / weights.sum(), np.array([-1.0, 0.0, 1.0])
    yield weights @ points**2, "0.4239"
    yield math.sqrt(0.5) / 0.5 * (1 - weights @ points**2), "0.815"
    yield weights @ points**3 - (weights @ points**2) * (weights @ points), "0"
