"""Diffusion in continuous time, and the equations that run it backward.

The lecture on the functions of theory_jax/diffusion/score_sde.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, SquaredNorm, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.score_sde import (
    euler_maruyama_step,
    langevin_corrector_step,
    reverse_drift,
    variance_exploding_sigma,
    variance_preserving_alpha_bar,
    variance_preserving_sde,
)
from theory_jax.lectures.diffusion._equations import RATE, draw_paths, predict_and_correct, variance_after
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Diffusion in continuous time, and the equations that run it backward",
    lectures=(34,),
    sources=(
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-Based Generative Modeling through SDEs",
        "Anderson 1982, Reverse-time diffusion equation models",
    ),
    question="A sampler that is tied to the steps of its training walks a thousand of them, and nobody can say what changes if "
    "it walks fifty, or adds less noise on the way. What becomes of the noising chain when its steps get small, and how can one "
    "run it backward knowing only the score?",
    setting=(
        r"The equation with drift $f$ and diffusion $g$, written $f\, dt + g\, dw$, means: over a short time $h$, $x$ becomes "
        r"$x + f h + g \sqrt{h}\, z$ with a fresh standard normal $z$, up to smaller terms. Both may depend on the time; what "
        "follows is at one time. One dimension; in several, slopes become gradients and divergences.",
        "The density $p$ at that time is positive and smooth, and vanishes at infinity fast enough that integrals of "
        r"derivatives of it are zero. Its score $s$ is the slope of $\log p$.",
        r"Variance preserving: the drift is $-\frac12 \beta x$ and the squared diffusion $\beta$, which rises in a straight "
        r"line from $\beta_0$ at time 0 to $\beta_1$ at time 1 and has the integral $B$. Variance exploding: no drift, and the "
        r"noise has the deviation $\sigma_0 (\sigma_1/\sigma_0)^t$.",
    ),
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
    "The chain of DDPM with $N$ steps, each of length $h$, one $N$-th, and with noise of variance $b h$: a step takes $x$ to "
    r"$\sqrt{1 - b h}\, x + \sqrt{b h}\, z$. The noise has the form $g \sqrt h\, z$ already, with $b$ for $g^2$."
)
derivation.chain(
    r"The drift of the chain tends to $-\frac12 b x$ as its steps get small",
    Limit((sqrt(1 - b * h) - 1) / h, h, 0),
    equals(Limit(-b / (sqrt(1 - b * h) + 1), h, 0), r"multiply above and below by $\sqrt{1 - b h} + 1$"),
    equals(-b / 2, prose("the root goes to {one}", one=holds(Limit(sqrt(1 - b * h), h, 0), "=", 1, named=True))),
    role="lemma",
    so=r"So the chain tends to the equation with the drift $-\frac12 b x$ and the diffusion $\sqrt b$.",
)
kept = derivation.number("a", "what one step leaves of the data's variance, $1 - b h$", between=(0, 1))
derivation.chain(
    "A chain of finitely many steps keeps less of the data than the equation",
    plus(-N * (1 - kept), -N * log(kept)),
    equals(N * tangent.at(kept), r"the gap $a - 1 - \log a$ of the logarithm from its tangent"),
    at_least(0, "leave out what is never negative", dropping=N * tangent.at(kept)),
    role="remark",
    so=prose(
        r"So $N \log a$, the logarithm of what the chain leaves, is at most {less}, the logarithm of what the equation leaves, "
        r"where {share}. The gap is $\frac{b^2}{2 N}$ and smaller terms, since {second}: it vanishes as $N$ grows.",
        less=holds(-N * (1 - kept), "=", -b, named=True, wrong={"one step's": -b / N}),
        share=where(kept, 1 - b / N),
        second=holds(Limit(plus(-h * b, -log(1 - h * b)) / h**2, h, 0), "=", b**2 / 2),
    ),
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
    because=r"The chain with betas $\beta(i/N)/N$ for the usual $\beta$ from 0.1 to 20: its $\log \bar\alpha_N$ against the "
    "code's, with $10^6$ steps. The limit sums the second order of the logarithm and the error of a sum in place of the "
    "integral.",
    tolerance=1e-4,
    since="the next term of the series is of order 1/N",
    role="remark",
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
    role="lemma",
)
derivation.chain(
    "The variance moves toward 1",
    Slope(spread, time),
    equals(
        plus(-integral(time).diff(time) * spread, integral(time).diff(time)),
        r"in a short time $h$ the drift scales the variance by $(1 - \frac\beta2 h)^2$, to first order $1 - \beta h$, and the "
        r"noise adds $\beta h$",
    ),
    equals(times(integral(time).diff(time), plus(1, -spread)), "collect"),
    role="lemma",
    so=prose(
        r"Data of variance 1 keep it, {keep}: hence the name. Given $x_0$ the variance is {given}, and with $\bar\alpha$ for "
        "$e^{-B}$ that is the forward process of DDPM, at every time.",
        keep=holds(spread, "=", 1, when={data: 1}),
        given=holds(spread, "=", 1 - exp(-integral(time)), when={data: 0}, named=True),
    ),
)

# ---------------------------------------------------------------------------------------------------- how densities move

derivation.say(
    r"How does the density move? Test it with any smooth function $\varphi$ that vanishes far out: the mean of $\varphi(x)$ "
    "determines the distribution of $x$."
)
x = derivation.number("x", "a position")
z = derivation.number("z", "the noise of a step", "noise")
p, f = derivation.function("p", "the density"), derivation.function("f", "the drift")
phi = derivation.function(r"\varphi", "a smooth function that vanishes far out")
g = derivation.number("g", "the diffusion", "diffusion", positive=True)
moved = plus(f(x) * h, g * sqrt(h) * z)
rate = plus(times(f(x), Slope(phi(x), x)), g**2 / 2 * Slope(phi(x), x, 2))
derivation.chain(
    r"In a short step the mean of a function moves at the rate $f \varphi' + \frac12 g^2 \varphi''$",
    Expectation(Normal(z, 0, 1), plus(moved * Slope(phi(x), x), moved**2 / 2 * Slope(phi(x), x, 2))) / h,
    equals(
        plus(rate, h * f(x) ** 2 / 2 * Slope(phi(x), x, 2)),
        prose("$z$ has the mean 0, and {square}", square=holds(Expectation(Normal(z, 0, 1), z**2), "=", 1)),
    ),
    role="lemma",
    so=r"The first line is Taylor's formula for $\varphi(x + f h + g \sqrt h z) - \varphi(x)$ to second order; "
    r"the third order vanishes with $\mathbb{E}[z^3]$ up to terms of order $h$. So the rate is $f \varphi' + \frac12 g^2 "
    r"\varphi''$, in the limit of short steps.",
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
    r"what vanishes far out, integrates to zero. This holds for every $\varphi$, so $p$ changes at the rate $-(f p)' + \frac12 "
    "g^2 p''$.",
)

# ---------------------------------------------------------------------------------------------------- backward

lam = derivation.number(r"\lambda", "how much of the noise runs backward, too")
_FULL = plus(-f(x), times(g**2, Slope(log(p(x)), x)))
back = plus(-f(x), (1 + lam**2) / 2 * g**2 * Slope(log(p(x)), x))
_CHANGE = plus(-Slope(times(back, p(x)), x), lam**2 / 2 * g**2 * Slope(p(x), x, 2))
backward = derivation.chain(
    "Every backward equation of this family has the same densities",
    _CHANGE,
    equals(
        plus(Slope(f(x) * p(x), x), -(1 + lam**2) / 2 * g**2 * Slope(p(x), x, 2), lam**2 / 2 * g**2 * Slope(p(x), x, 2)),
        prose("{score}", score=holds(times(p(x), Slope(log(p(x)), x)), "=", Slope(p(x), x))),
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
    so=prose(
        r"The first line is the Fokker-Planck equation of the drift $-f + \frac12 (1 + \lambda^2) g^2 s$ and the diffusion "
        r"$\lambda g$, in the time $1 - t$; the last is the forward change turned around. Started from the last density, each "
        "of them passes through all densities of the forward process, back to the data. Only the score must be known. "
        "Anderson's equation has {one}, with the drift {full}.",
        one=where(lam, 1),
        full=holds(back, "=", _FULL, named=True, wrong={"half, as in the flow": (_FULL - f(x)) / 2}),
    ),
)
derivation.answer = prose(
    r"The chain of DDPM tends to the variance-preserving equation, and the share $\bar\alpha$ of the data's variance to "
    r"$e^{-B}$. Densities move by the Fokker-Planck equation. Backward in time, with any $\lambda$ from 0 on, the drift $-f + "
    r"\frac12 (1 + \lambda^2) g^2 s$ with the diffusion $\lambda g$ passes through the same densities, if it starts from the "
    r"last one: the change that it makes is {same}, whatever $\lambda$ is. The equation with all of the noise is Anderson's, "
    "the one without noise an ordinary differential equation. So the score is all one needs.",
    same=holds(_CHANGE, "=", -forward, named=True, wrong={"forward": forward}),
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
_here = {"x": [[x]], "drift": [[drift]], "diffusion": [g], "noise": [[z]]}
derivation.bridge(
    "The code's step forward",
    plus(x, drift * h, g * sqrt(h) * z),
    euler_maruyama_step,
    **_here,
    step_size=[h],
    wrong={"noise scaled by the step": plus(x, drift * h, g * h * z), "the variance": plus(x, drift * h, g**2 * sqrt(h) * z)},
)
derivation.bridge("... and backward", plus(x, -drift * h, g * sqrt(h) * z), euler_maruyama_step, **_here, step_size=[-h])
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
corrector = derivation.chain(
    "The corrector's step is as long as a given part of its noise",
    eta * S / (sqrt(2 * eta) * Z),
    equals(
        r,
        prose(r"divide by $\sqrt{\eta}$: {root}", root=holds(sqrt(eta / 2), "=", r * Z / S)),
        wrong={"without the factor 2": r / sqrt(2)},
    ),
    role="remark",
    so="The first line is the length of the drift over that of the noise. So each example has its own step, "
    "whatever the score's scale.",
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
    r"The variance-exploding equation has the squared diffusion $2 \kappa \sigma^2$",
    Slope(exploding**2, time),
    equals(times(2, factor, exploding**2), r"the variance of the noise grows at the rate $g^2$: this is $g^2$"),
    role="remark",
    so=prose(
        "So the diffusion is {root}, and there is no drift.",
        root=holds(sqrt(Slope(exploding**2, time)), "=", times(exploding, sqrt(2 * factor)), named=True),
    ),
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


@derivation.algorithm(
    "Predictor-corrector sampling",
    do(r"draw $x \sim \mathcal{N}(0, 1)$ at time 1"),
    do(r"for falling times, with steps of length $h$:"),
    do(
        r"$f \leftarrow -\frac12 \beta x$, $g \leftarrow \sqrt\beta$, and $s \leftarrow$ the score at $x$",
        variance_preserving_sde,
        indent=1,
    ),
    do(
        r"$x \leftarrow x - (f - g^2 s)\, h + g \sqrt{h}\, z$ with fresh noise",
        reverse_drift,
        euler_maruyama_step,
        by=backward,
        indent=1,
    ),
    do(
        r"$\eta \leftarrow 2 (r Z/S)^2$; $x \leftarrow x + \eta s + \sqrt{2 \eta}\, z$ with fresh noise",
        langevin_corrector_step,
        by=corrector,
        indent=1,
    ),
)
def two_steps():
    yield from predict_and_correct(variance_preserving_sde, reverse_drift, euler_maruyama_step, langevin_corrector_step)


@derivation.example(
    r"Data $\mathcal{N}(0, 4)$ and the constant rate $\log 4$: a quarter of the data's variance is left at time 1."
)
def normal_data():
    left = variance_preserving_alpha_bar(jnp.array(1.0), beta_min=RATE, beta_max=RATE)
    yield r"e^{-B(1)}", left, "0.25"
    yield r"\text{given } x_0 = 2: \text{ mean, variance}", [2 * jnp.sqrt(left), 1 - left], "1, 0.75"
    yield r"V \text{ at time 1}", 1 + 3 * left, "1.75"
    drift, g = variance_preserving_sde(jnp.ones((1, 1)), jnp.ones(1), beta_min=RATE, beta_max=RATE)
    yield r"f - g^2 s \text{ at } x = 1, s = -\tfrac47", reverse_drift(jnp.full((1, 1), -4 / 7), drift, g), "0.0990"
    after = [variance_after(n, 1.75) for n in (10, 20, 40)]
    yield r"\text{variance at time 0 after 10, 20, 40 steps back}", after, "3.834, 3.915, 3.957"
    left = variance_preserving_alpha_bar(jnp.array(1.0))
    yield r"\bar\alpha \text{ at time 1 with } \beta \text{ from 0.1 to 20}", left, "4.32e-05"


@derivation.figure(
    r"Data that are $-1$ or $1$, with the exact score, from the same 12 points at time 1: backward without noise ($\lambda$ is "
    r"0), and with all of it ($\lambda$ is 1). The paths differ; the densities at every time do not.",
    panels=2,
)
def two_ways_back(*panels):
    draw_paths(panels, variance_preserving_alpha_bar)
