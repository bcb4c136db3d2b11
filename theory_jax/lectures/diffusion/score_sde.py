"""Diffusion in continuous time, and the equations that run it backward.

The lecture on the functions of theory_jax/diffusion/score_sde.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, SquaredNorm, plus, times
from theory_jax.diffusion.score_sde import (
    euler_maruyama_step,
    langevin_corrector_step,
    reverse_drift,
    variance_exploding_sigma,
    variance_preserving_alpha_bar,
    variance_preserving_sde,
)
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Diffusion in continuous time, and the equations that run it backward",
    lectures=(34,),
    sources=(
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-Based Generative Modeling through SDEs",
        "Anderson 1982, Reverse-time diffusion equation models",
    ),
    question="What becomes of the noising chain when its steps get small, and how can one run it backward knowing only the "
    "score?",
    setting=(
        r"The equation $dx = f(x)\, dt + g\, dw$ means: over a short time $h$, $x$ becomes $x + f h + g \sqrt{h}\, z$ with a "
        "fresh standard normal $z$, up to smaller terms. Drift $f$ and diffusion $g$ may depend on the time; what follows is "
        "at one time. One dimension; in several, slopes become gradients and divergences.",
        "The density $p$ at that time is positive and smooth, and vanishes at infinity fast enough that integrals of "
        r"derivatives of it are zero. Its score is $s = (\log p)'$.",
        r"Variance preserving: $f = -\frac12 \beta x$ and $g^2 = \beta$, where $\beta(t) = \beta_0 + (\beta_1 - \beta_0)\, t$ "
        r"for $0 \le t \le 1$, with the integral $B(t)$. Variance exploding: $f = 0$, and the noise has the deviation "
        r"$\sigma(t) = \sigma_0 (\sigma_1/\sigma_0)^t$.",
    ),
    answer=r"The chain of DDPM tends to the variance-preserving equation, and $\bar\alpha$ to $e^{-B}$. Densities move by the "
    r"Fokker-Planck equation. Backward in time, drift $-f + \frac12 (1 + \lambda^2) g^2 s$ with diffusion $\lambda g$ has the "
    r"same densities for every $\lambda \ge 0$: $\lambda = 1$ is Anderson's equation, $\lambda = 0$ an ordinary differential "
    "equation. So the score is all one needs.",
    limits=(
        "Existence and smoothness of the densities, and that the Fokker-Planck equation has one solution only.",
        "The error of a score that is learned.",
        r"That the corrector keeps the density exactly: its step depends on the draw, so it does so only approximately.",
    ),
    trained="The equations of this page are exact. `diffusion/score_prediction` trains the score that they need, "
    "`diffusion/probability_flow` integrates them.",
)

# ---------------------------------------------------------------------------------------------------- from the chain

b = derivation.number("b", "the rate of noise, if it is constant", "beta_min = beta_max", positive=True)
h = derivation.number("h", "the length of a step", "step_size", positive=True)
N = derivation.number("N", "the number of steps of a chain", positive=True)
derivation.say(
    r"The chain of DDPM with $N$ steps of length $h = \frac1N$ and noise of variance $b h$ each: $x \leftarrow \sqrt{1 - b h}\, "
    r"x + \sqrt{b h}\, z$. The noise has the form $g \sqrt h\, z$ with $g^2 = b$ already."
)
derivation.chain(
    "Its drift, as the steps get small",
    Limit((sqrt(1 - b * h) - 1) / h, h, 0),
    equals(Limit(-b / (sqrt(1 - b * h) + 1), h, 0), r"multiply above and below by $\sqrt{1 - b h} + 1$"),
    equals(-b / 2, r"$\sqrt{1 - b h} \to 1$"),
    so=r"So the chain tends to $dx = -\frac12 b x\, dt + \sqrt b\, dw$.",
)
kept = derivation.number("a", "what one step leaves of the data's variance, $1 - b h$", between=(0, 1))
derivation.chain(
    "A chain of finitely many steps keeps less of the data than the equation",
    plus(-N * (1 - kept), -N * log(kept)),
    equals(N * tangent.at(kept), r"the gap $a - 1 - \log a$ of the logarithm from its tangent"),
    at_least(0, "leave out what is never negative", dropping=N * tangent.at(kept)),
    so=r"So $\log \bar\alpha_N = N \log a$ is at most $-N (1 - a) = -b$, the logarithm of what the equation leaves. With $1 - a "
    r"= b/N$ the gap is $\frac{b^2}{2 N}$ and smaller terms: it vanishes as $N$ grows.",
)
time = derivation.number("t", "the time", "time", between=(0, 1))
first, more = (
    derivation.number(r"\beta_0", "the rate at time 0", "beta_min", positive=True),
    derivation.number(r"\beta_+", r"$\beta_1 - \beta_0$", "beta_max - beta_min", positive=True),
)
derivation.symbol(r"\beta_1", "the rate at time 1", "beta_max")
derivation.symbol(r"\beta", "the rate of noise at a time")
derivation.symbol(r"\bar\alpha_N", "the share of the data's variance after a chain of $N$ steps")
integral = derivation.function("B", r"the integral of $\beta$, whose slope is $\beta$")


@derivation.numeric(
    r"N \left(\log \bar\alpha_N + B(1)\right) \to -\tfrac12 \left(\beta_+ + \int_0^1 \beta^2\, dt\right)",
    because=r"The chain with $\beta_i = \beta(i/N)/N$ for the usual $\beta$ from 0.1 to 20: its $\log \bar\alpha_N$ against the "
    r"code's, at $N = 10^6$. The limit sums the second order of the logarithm and the error of a sum in place of the integral.",
    tolerance=1e-4,
    since="the next term of the series is of order 1/N",
)
def chain_tends_to_the_equation():
    steps = 1_000_000
    rates = (0.1 + 19.9 * np.arange(1, steps + 1) / steps) / steps
    gap = np.log1p(-rates).sum() - jnp.log(variance_preserving_alpha_bar(jnp.array(1.0)))
    squares = (20.0**3 - 0.1**3) / (3 * 19.9)
    wanted = -(19.9 + squares) / 2
    return Sides(
        left=jnp.array([steps * gap]), right=jnp.array([wanted]), wrong={"the sum's error alone": jnp.array([-19.9 / 2])}
    )


x0 = derivation.number("x_0", "a point of data")
data = derivation.number("v", "the variance of data with mean zero", positive=True)
mean = derivation.define("m", exp(-integral(time) / 2) * x0, "the mean of $x$ at time $t$, given $x_0$")
spread = derivation.define("V", data * exp(-integral(time)) + 1 - exp(-integral(time)), "its variance, over data and noise")
derivation.chain(
    "The mean solves the equation without its noise",
    Slope(mean, time),
    equals(-integral(time).diff(time) * mean / 2, "the chain rule; the slope of $B$ is $\\beta$, so this is the mean drift"),
)
derivation.chain(
    "The variance turns to 1",
    Slope(spread, time),
    equals(
        plus(-integral(time).diff(time) * spread, integral(time).diff(time)),
        r"in a short time $h$ the drift scales the variance by $(1 - \frac\beta2 h)^2 \approx 1 - \beta h$, and the noise adds "
        r"$\beta h$",
    ),
    equals(times(integral(time).diff(time), plus(1, -spread)), "collect"),
    so=r"Data of variance 1 keep it: hence the name. Given $x_0$ ($v = 0$) the variance is $1 - e^{-B}$: with $\bar\alpha = "
    r"e^{-B}$ that is the forward process of DDPM, at every time.",
)

# ---------------------------------------------------------------------------------------------------- how densities move

derivation.say(
    r"How does the density move? Test it with any smooth function $\varphi$ that vanishes far out: the mean of $\varphi(x)$ "
    "determines the distribution of $x$."
)
x = derivation.number("x", "a place")
z = derivation.number("z", "the noise of a step", "noise")
p, f = derivation.function("p", "the density"), derivation.function("f", "the drift")
phi = derivation.function(r"\varphi", "a smooth function that vanishes far out")
g = derivation.number("g", "the diffusion", "diffusion", positive=True)
moved = plus(f(x) * h, g * sqrt(h) * z)
rate = plus(times(f(x), Slope(phi(x), x)), g**2 / 2 * Slope(phi(x), x, 2))
derivation.chain(
    "How the mean of a function moves in a short step",
    Expectation(Normal(z, 0, 1), plus(moved * Slope(phi(x), x), moved**2 / 2 * Slope(phi(x), x, 2))) / h,
    equals(plus(rate, h * f(x) ** 2 / 2 * Slope(phi(x), x, 2)), r"$\mathbb{E}[z] = 0$ and $\mathbb{E}[z^2] = 1$"),
    so=r"The first line is Taylor's formula for $\varphi(x + f h + g \sqrt h z) - \varphi(x)$ to second order; the third order "
    r"vanishes with $\mathbb{E}[z^3]$ up to terms of order $h$. So the rate is $f \varphi' + \frac12 g^2 \varphi''$, in the "
    "limit of short steps.",
)
forward = plus(-Slope(f(x) * p(x), x), g**2 / 2 * Slope(p(x), x, 2))
fokker_planck = derivation.chain(
    "The Fokker-Planck equation",
    times(p(x), rate),
    equals(
        plus(
            times(phi(x), forward),
            Slope(plus(f(x) * p(x) * phi(x), g**2 / 2 * (p(x) * Slope(phi(x), x) - Slope(p(x), x) * phi(x))), x),
        ),
        "by parts, once for the drift and twice for the noise: the product rule",
    ),
    so=r"Integrate over $x$: on the left is the rate at which the mean of $\varphi$ moves, and the last term, a derivative of "
    r"what vanishes far out, integrates to zero. This holds for every $\varphi$, so $\frac{\partial p}{\partial t} = -(f p)' + "
    r"\frac12 g^2 p''$.",
)

# ---------------------------------------------------------------------------------------------------- backward

lam = derivation.number(r"\lambda", "how much of the noise runs backward, too")
back = plus(-f(x), (1 + lam**2) / 2 * g**2 * Slope(log(p(x)), x))
derivation.chain(
    "Every backward equation of this family has the same densities",
    plus(-Slope(times(back, p(x)), x), lam**2 / 2 * g**2 * Slope(p(x), x, 2)),
    equals(
        plus(Slope(f(x) * p(x), x), -(1 + lam**2) / 2 * g**2 * Slope(p(x), x, 2), lam**2 / 2 * g**2 * Slope(p(x), x, 2)),
        r"$p\, (\log p)' = p'$",
        wrong={
            "the score twice": plus(
                Slope(f(x) * p(x), x), -(1 + lam**2) * g**2 * Slope(p(x), x, 2), lam**2 / 2 * g**2 * Slope(p(x), x, 2)
            ),
            "g for its square": plus(
                Slope(f(x) * p(x), x), -(1 + lam**2) / 2 * g * Slope(p(x), x, 2), lam**2 / 2 * g**2 * Slope(p(x), x, 2)
            ),
        },
    ),
    equals(
        plus(Slope(f(x) * p(x), x), -(g**2) / 2 * Slope(p(x), x, 2)),
        r"what the noise spreads, the additional score gathers again",
    ),
    uses=(fokker_planck,),
    central=True,
    so=r"The first line is the Fokker-Planck equation of the drift $-f + \frac12 (1 + \lambda^2) g^2 s$ and the diffusion "
    r"$\lambda g$, in the time $1 - t$; the last is $-\frac{\partial p}{\partial t}$, the forward change turned around. Started "
    "from the last density, each of them passes through all densities of the forward process, back to the data. Only the score "
    r"must be known. $\lambda = 1$ gives $-f + g^2 s$.",
)
ahead = derivation.number("y", r"where the forward process is after the step")
drift, score = derivation.number("f_x", "the drift there", "drift"), derivation.number("s_x", "the score there", "score")
derivation.chain(
    "With full noise the paths are those of the process itself, backward",
    plus(-((ahead - x - drift * h) ** 2) / (2 * g**2 * h), score * (x - ahead)),
    equals(
        plus(
            -((x - plus(ahead, -drift * h, g**2 * score * h)) ** 2) / (2 * g**2 * h), -drift * score * h, g**2 * score**2 * h / 2
        ),
        "complete the square in $x$",
    ),
    so=r"The first line is $\log p(x \mid y)$ up to a constant, by Bayes' rule: the density of the step from $x$ to $y$, and "
    r"$\log p(x) - \log p(y)$ to first order. The second is a normal density in $x$ about $y - f h + g^2 s h$, with the "
    r"variance $g^2 h$: Anderson's equation. The other $\lambda$ have the same densities at every time, but other paths.",
)
derivation.bridge(
    "The code's reverse drift, in the forward time",
    plus(drift, -(g**2) * score),
    reverse_drift,
    score=[[score]],
    drift=[[drift]],
    diffusion=[g],
    wrong={"half, as in the flow": plus(drift, -(g**2) * score / 2)},
)
derivation.bridge(
    "The code's step forward",
    plus(x, drift * h, g * sqrt(h) * z),
    euler_maruyama_step,
    x=[[x]],
    drift=[[drift]],
    diffusion=[g],
    noise=[[z]],
    step_size=[h],
    wrong={"noise scaled by the step": plus(x, drift * h, g * h * z), "the variance": plus(x, drift * h, g**2 * sqrt(h) * z)},
)
derivation.bridge(
    "... and backward",
    plus(x, -drift * h, g * sqrt(h) * z),
    euler_maruyama_step,
    x=[[x]],
    drift=[[drift]],
    diffusion=[g],
    noise=[[z]],
    step_size=[-h],
)


derivation.bridge(
    "The code's variance-preserving equation: what it leaves of the data's variance",
    exp(-(first * time + more * time**2 / 2)),
    variance_preserving_alpha_bar,
    time=time,
    beta_min=first,
    beta_max=first + more,
)
derivation.bridge(
    "... its drift and its diffusion",
    (-plus(first, more * time) * x / 2, sqrt(plus(first, more * time))),
    variance_preserving_sde,
    x=[[x]],
    time=[time],
    beta_min=first,
    beta_max=first + more,
    wrong={
        "the drift without the half": (-plus(first, more * time) * x, None),
        "the square of the diffusion": (None, plus(first, more * time)),
    },
)

# ---------------------------------------------------------------------------------------------------- steps of finite length

derivation.say("A sampler takes steps of finite length. What does that cost? On data of one normal density, everything is known.")
V = derivation.number("V_t", "the variance of the density at a time", positive=True)
derivation.chain(
    "One backward step misses the variance by the square of its length",
    plus(V * (1 + h * (b / 2 - b / V)) ** 2, b * h),
    equals(
        plus(1, times(V - 1, 1 + b * h + b**2 * h**2 / 2), -(b**2) * (V**2 + 2 * V - 4) / (4 * V) * h**2),
        r"expand and collect the powers of $h$",
    ),
    so=r"The score is $-x/V$, so the step multiplies $x$ by $1 + h (\frac b2 - \frac bV)$ and adds noise of variance $b h$. The "
    "exact variance is $1 + (V - 1) e^{b h}$, of which the middle term is the beginning. Each step errs by order $h^2$, and "
    "$1/h$ steps by order $h$: twice as many steps, half the error.",
)
derivation.say(
    "A corrector can follow each step: Langevin dynamics, which keeps a density (the lecture on score prediction). How long "
    "should its step be?"
)
r = derivation.number("r", "the signal-to-noise ratio", "signal_to_noise", positive=True)
S, Z = (
    derivation.number("S", "the length of the score", positive=True),
    derivation.number("Z", "the length of the noise", positive=True),
)
eta = derivation.define(r"\eta", 2 * (r * Z / S) ** 2, "the corrector's step")
derivation.chain(
    "The corrector's step is as long as a given part of its noise",
    eta * S / (sqrt(2 * eta) * Z),
    equals(r, r"divide by $\sqrt{\eta}$: $\sqrt{\eta/2} = r Z/S$", wrong={"without the factor 2": r / sqrt(2)}),
    so="The first line is the length of the drift over that of the noise. So each example has its own step, whatever the score's "
    "scale.",
)
d = derivation.index("d", "an entry of an example")
of_x, of_s, of_z = (
    derivation.numbers(name, d, meaning) for name, meaning in (("X", "an example"), ("s", "its score"), ("Z", "its noise"))
)
ratio = r * sqrt(SquaredNorm(d, of_z)) / sqrt(SquaredNorm(d, of_s))
derivation.bridge(
    "The code's corrector",
    plus(of_x, 2 * ratio**2 * of_s, 2 * ratio * of_z),
    langevin_corrector_step,
    x=[of_x],
    score=[of_s],
    noise=[of_z],
    signal_to_noise=r,
)
low, factor = (
    derivation.number(r"\sigma_0", "the least noise", "sigma_min", positive=True),
    derivation.number(r"\kappa", r"$\log(\sigma_1/\sigma_0)$", positive=True),
)
derivation.symbol(r"\sigma_1", "the most noise", "sigma_max")
exploding = derivation.define(r"\sigma", low * exp(factor * time), "the deviation of the noise at a time")
derivation.chain(
    "The variance-exploding equation",
    Slope(exploding**2, time),
    equals(times(2, factor, exploding**2), r"the variance of the noise grows by $g^2\, dt$: this is $g^2$"),
    so=r"So $g = \sigma \sqrt{2 \log(\sigma_1/\sigma_0)}$, and there is no drift.",
)
derivation.bridge(
    "The code's deviation",
    exploding,
    variance_exploding_sigma,
    time=time,
    sigma_min=low,
    sigma_max=low * exp(factor),
    wrong={"the variance": exploding**2},
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_RATE = 2 * math.log(2)


def _variance_after(steps, start, share=1.0, half=1.0):
    """Backward steps with beta = log 4 on data N(0, 4): the variance at time 0, by the code's step. share: of the noise."""
    variance, none, one = start, jnp.zeros((1, 1)), jnp.ones((1, 1))
    for n in range(steps):
        now = 1 + 3 * variance_preserving_alpha_bar(jnp.array(1 - n / steps), beta_min=_RATE, beta_max=_RATE)
        drift, g = variance_preserving_sde(one, jnp.ones(1), beta_min=_RATE, beta_max=_RATE)
        drift = drift - (drift - reverse_drift(-one / now, drift, g)) * half
        step = jnp.array([-1 / steps])
        factor = euler_maruyama_step(one, drift, g, none, step)[0, 0]
        variance = factor**2 * variance + euler_maruyama_step(none, none, share * g, one, step)[0, 0] ** 2
    return float(variance)


@derivation.example(
    r"Data $\mathcal{N}(0, 4)$ and the constant rate $\beta = \log 4$: a quarter of the data's variance is left at time 1."
)
def normal_data():
    left = variance_preserving_alpha_bar(jnp.array(1.0), beta_min=_RATE, beta_max=_RATE)
    yield r"e^{-B(1)}", left, "0.25"
    yield r"\text{given } x_0 = 2: \text{ mean, variance}", [2 * jnp.sqrt(left), 1 - left], "1, 0.75"
    yield r"V \text{ at time 1}", 1 + 3 * left, "1.75"
    drift, g = variance_preserving_sde(jnp.ones((1, 1)), jnp.ones(1), beta_min=_RATE, beta_max=_RATE)
    yield (
        r"f - g^2 s \text{ at } x = 1, \text{ where } s = -\tfrac47",
        reverse_drift(jnp.full((1, 1), -4 / 7), drift, g),
        "0.0990",
    )
    yield (
        r"\text{variance at time 0 after 10, 20, 40 steps back}",
        [_variance_after(n, 1.75) for n in (10, 20, 40)],
        "3.834, 3.915, 3.957",
    )
    yield (
        r"\bar\alpha \text{ at time 1 with } \beta \text{ from 0.1 to 20}",
        variance_preserving_alpha_bar(jnp.array(1.0)),
        "4.32e-05",
    )


@derivation.figure(
    r"Two-point data, $x_0 = \pm 1$, with the exact score, from the same 12 points at time 1: backward without noise ($\lambda "
    r"= 0$), and with all of it ($\lambda = 1$). The paths differ; the densities at every time do not.",
    panels=2,
)
def two_ways_back(*panels):
    rng, steps = np.random.default_rng(3), 80
    start, noises = rng.normal(size=12), rng.normal(size=(steps, 12))
    grid = np.linspace(1, 1e-3, steps + 1)
    left = np.asarray(variance_preserving_alpha_bar(jnp.asarray(grid)))
    for panel, full in zip(panels, (0.0, 1.0), strict=True):
        path = [start]
        for n in range(steps):
            x, a = path[-1], left[n]
            score = (np.sqrt(a) * np.tanh(np.sqrt(a) * x / (1 - a)) - x) / (1 - a)
            rate, step = 0.1 + 19.9 * grid[n], grid[n + 1] - grid[n]
            drift = -rate * x / 2 - (1 + full**2) / 2 * rate * score
            path.append(x + drift * step + full * np.sqrt(rate * -step) * noises[n])
        panel.plot(grid, np.array(path), linewidth=0.8, color=BLUE)
        panel.set(xlabel="time", ylabel="$x$", title=rf"$\lambda = {full:.0f}$", ylim=(-3.6, 3.6), xlim=(1, 0))


@derivation.exercise(
    r"Which variance have data of variance 1 at a time at which $e^{-B} = \frac14$? And data of variance 4?",
    r"1, as at every time; and $\frac44 + \frac34 = 1.75$.",
)
def variances():
    left = variance_preserving_alpha_bar(jnp.array(1.0), beta_min=_RATE, beta_max=_RATE)
    yield [1 * left + 1 - left], "1"
    yield 4 * left + 1 - left, "1.75"


@derivation.exercise(
    r"A chain has the constant rate $b = 2$ up to time 1. What is left of the data's variance after 10 steps, and in the limit?",
    r"$(1 - 0.2)^{10} = 0.1074$, and $e^{-2} = 0.1353$: the chain keeps less.",
)
def ten_steps():
    yield 0.8**10, "0.1074"
    yield variance_preserving_alpha_bar(jnp.array(1.0), beta_min=2.0, beta_max=2.0), "0.1353"


@derivation.exercise(
    r"A sampler takes the drift of the ordinary equation, $f - \frac12 g^2 s$, but adds the full noise. Which variance does it "
    "reach in the example, in 40 steps?",
    r"6.16 in place of 4: half of the score does not gather what the noise spreads.",
)
def half_of_the_score():
    yield _variance_after(40, 1.75, half=0.5), "6.16"
