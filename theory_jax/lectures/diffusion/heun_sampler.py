"""Heun's sampler: from noise to data along a curve, with a second slope for every step.

The lecture on the functions of theory_jax/diffusion/heun_sampler.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import log, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.heun_sampler import churn, denoising_euler_step, heun_step, karras_sigmas
from theory_jax.mathematics.levels import per_example

derivation = Derivation(
    module=__name__,
    title="Heun's sampler: from noise to data along a curve, with a second slope for every step",
    sources=(
        "Karras, Aittala, Aila & Laine 2022, Elucidating the Design Space of Diffusion-Based Generative Models, sections 3 and 4",
        "Heun 1900; Hairer, Norsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.1",
    ),
    question="With thirty evaluations of the network Euler's method returns blurred samples with too little variance, and most "
    "of its steps are spent where nothing happens. A denoiser is known at every level of the noise. Which curve leads from "
    "noise to data, how far from it does a step of Euler's and of Heun's method end, and where should the steps be small?",
    setting=(
        r"At the level $\sigma$ the noisy data are $x$, which is $y + \sigma n$ with noise $n$ of mean 0 and variance 1, and "
        r"$D(x; \sigma)$ is the mean of $y$ given $x$. By Tweedie's formula $D$ is $x + \sigma^2 s$ with the score $s$ of the "
        "noisy data (lecture on scores).",
        r"The probability flow of an equation without drift and with the diffusion $g$ has the velocity $-\frac12 g^2 s$; if "
        r"$\sigma$ itself is the time, $g^2$ is the slope of $\sigma^2$ (lecture on the flow).",
        "Errors are derived for data of mean 0 and variance $c$ that are normal, where everything is in closed form: $D$ is "
        r"$c\, x/(c + \sigma^2)$. A step goes from the level $\sigma$ to $\tau$.",
    ),
    limits=(
        "The order for other than normal data (it holds wherever the slope is smooth; the practice wing measures it).",
        "Which amount of fresh noise is best: it corrects errors of earlier steps and adds some of its own; the source measured "
        "it.",
        "A learned denoiser's own error, which no solver removes.",
    ),
    trained="A sampler needs a trained model and no training of its own. `diffusion/edm` trains one and draws with it.",
)

sigma = derivation.number(r"\sigma", "the level where a step begins", "sigma", positive=True)
tau = derivation.number(r"\tau", "the level where it ends", "sigma_next", positive=True)
x = derivation.number("x", "where a step begins", "x")
s = derivation.number("s", "the score there")
D = derivation.define("D", x + sigma**2 * s, "the estimate of the data", "denoise_fn(x, sigma)")
flow = derivation.chain(
    "The curve points away from the estimated data",
    times(-Slope(sigma**2, sigma) / 2, s),
    equals(
        -sigma * s,
        r"the slope of $\sigma^2$; the first line is the velocity of the flow, with $\sigma$ as the time",
        wrong={"the whole score": -2 * sigma * s, "the sign": sigma * s},
    ),
    equals((x - D) / sigma, "Tweedie's formula", wrong={"by the variance": (x - D) / sigma**2, "the sign": (D - x) / sigma}),
    so=r"A straight line from $x$ would reach $D$ at the level 0: at every level the curve heads for what the denoiser sees.",
)
d = derivation.number("D_x", "the estimate of the data, now any number")
euler = derivation.define("E", x + (tau - sigma) * (x - d) / sigma, "where Euler's step ends", "denoising_euler_step")
mean = derivation.chain(
    "Euler's step is a mean of the point and its estimated data",
    euler,
    equals(
        plus(tau / sigma * x, (1 - tau / sigma) * d),
        "collect the point and the data",
        wrong={"the shares exchanged": plus(tau / sigma * d, (1 - tau / sigma) * x)},
    ),
    role="lemma",
    so=prose(
        "At level 0 the step ends at the data themselves, {data}. There is no slope at level 0, so Heun's method takes Euler's "
        "step for its last one.",
        data=holds(euler, "=", d, when={tau: 0}, wrong={"the point": x}),
    ),
)

derivation.say("How far does a step end from the curve? On normal data the slope is a multiple of the point.")
c = derivation.number("c", "the variance of the data", positive=True)
V = derivation.define("V", c + sigma**2, "the variance of the noisy data at the beginning", positive=True)
U = derivation.define("U", c + tau**2, "the variance of the noisy data at the end", positive=True)
derivation.chain(
    "On normal data the slope is a multiple of the point",
    (x - c * x / V) / sigma,
    equals(sigma * x / V, "common denominator", wrong={"the data's variance": c * x / (sigma * V)}),
    role="lemma",
    so=prose(
        r"So the slope of $\log x$ is $\sigma/V$, half of that of $\log V$, {slope}: the curve is $x \sqrt{U/V}$, and variances "
        "go from $V$ to $U$ exactly.",
        slope=holds(Slope(log(V), sigma), "=", 2 * sigma / V, named=True),
    ),
)
first = derivation.define("e", 1 + (tau - sigma) * sigma / V, "Euler's factor: the end of its step, for $x = 1$")
euler_error = derivation.chain(
    "Euler's step falls short by a square",
    plus(U / V, -(first**2)),
    equals(
        plus(U / V, -(((c + sigma * tau) / V) ** 2)),
        prose("{sum}", sum=holds(plus(V, times(tau - sigma, sigma)), "=", c + sigma * tau)),
    ),
    equals(
        c * (tau - sigma) ** 2 / V**2,
        prose("{square}", square=holds(plus(times(U, V), -((c + sigma * tau) ** 2)), "=", c * (tau - sigma) ** 2)),
        wrong={
            "of order one": c * (tau - sigma) / V,
            "without the data's variance": (tau - sigma) ** 2 / V,
            "by U": c * (tau - sigma) ** 2 / V / U,
        },
    ),
    so=prose(
        "The factor of the variance is too small, whatever the direction. The error of a step is of order two in its length, so "
        "that of all steps between two levels is of order one. For a single point as data the curve is straight, and the error "
        "is {none}.",
        none=holds(plus(U / V, -(first**2)), "=", 0, when={c: 0}, named=True),
    ),
)
heun = derivation.define(
    "k", 1 + (tau - sigma) / 2 * (sigma / V + tau * first / U), "Heun's factor: the mean of the slopes at both ends", "heun_step"
)
heun_error = derivation.chain(
    "Heun's step errs by a cube",
    plus(U / V, -(heun**2)),
    equals(
        plus(U / V, -(((2 * V * U + (tau - sigma) * (sigma * U + tau * (c + sigma * tau))) / (2 * V * U)) ** 2)),
        "a common denominator, with Euler's factor as above",
        wrong={"one slope": plus(U / V, -(((2 * V * U + 2 * (tau - sigma) * sigma * U) / (2 * V * U)) ** 2))},
    ),
    equals(
        c * (tau - sigma) ** 3 * (c * sigma + 3 * c * tau + 4 * tau**3) / (4 * V**2 * U**2),
        r"expand; all terms below $(\tau - \sigma)^3$ cancel",
        wrong={"a square": c * (tau - sigma) ** 2 * (c * sigma + 3 * c * tau + 4 * tau**3) / (4 * V**2 * U**2)},
    ),
    central=True,
    so="One order is gained for one more evaluation: the error of all steps is of order two. On the way to the data it has the "
    "other sign than Euler's: such a step leaves too much variance. The last step, to level 0, is one of Euler's, and takes "
    "too much away.",
)

derivation.answer = prose(
    "The slope of the curve is {slope}, where $D$ is the denoiser's estimate of the data. On normal data Euler's step misses "
    "the factor of the variance, $U/V$, by {euler}, and Heun's by a term of third order in the length of the step: all steps "
    r"together err by order one and two, so half as many cost a factor of 2 and of 4. Levels even in $\sigma^{1/\rho}$ make "
    "steps small where the curve bends, near the data.",
    slope=holds(-sigma * s, "=", (x - D) / sigma, named=True, wrong={"the sign": (D - x) / sigma}),
    euler=holds(
        plus(U / V, -(first**2)),
        "=",
        c * (tau - sigma) ** 2 / V**2,
        named=True,
        wrong={"without a V": c * (tau - sigma) ** 2 / V},
    ),
)


def _normal_data(c):
    return lambda x, level: per_example(c / (c + level**2), x) * x


def _factor(step):
    """The factor of a step at x = 1."""
    return lambda c, **levels: step(jnp.ones((1, 1)), denoise_fn=_normal_data(c), **levels)


derivation.bridge(
    "The code's Euler step on normal data",
    first,
    _factor(denoising_euler_step),
    c=c,
    sigma=[sigma],
    sigma_next=[tau],
    calls=(denoising_euler_step,),
    wrong={"the exact factor": sqrt(U / V), "by the end's level": 1 + (tau - sigma) * tau / V},
)
derivation.bridge(
    "... and its Heun step",
    heun,
    _factor(heun_step),
    c=c,
    sigma=[sigma],
    sigma_next=[tau],
    calls=(heun_step,),
    wrong={
        "the exact factor": sqrt(U / V),
        "Euler's": first,
        "the second slope by the first level": 1 + (tau - sigma) / 2 * (sigma / V + tau**2 / sigma * first / U),
    },
)


def _deviation(steps, order):
    """Of samples of N(0, 1), with steps even in the level from 2 to 1/2, less the exact one."""
    levels = jnp.linspace(2.0, 0.5, steps + 1)
    step, x = (denoising_euler_step, heun_step)[order - 1], jnp.ones((1, 1))
    for now, after in zip(levels[:-1], levels[1:], strict=True):
        x = step(x, now[None], after[None], _normal_data(1.0))
    return float(x[0, 0]) - math.sqrt(1.25 / 5)


@derivation.numeric(
    r"\log_2 \frac{E_{N}}{E_{2N}} \to 1,\ 2",
    because="The errors at the end of 16 and of 32 equal steps from level 2 to level 1/2, on data of variance 1, by Euler's and "
    "by Heun's method.",
    tolerance=0.05,
    since="the orders are reached as the steps vanish",
    role="remark",
)
def orders():
    found = [math.log2(abs(_deviation(16, order) / _deviation(32, order))) for order in (1, 2)]
    return Sides(
        left=np.array(found),
        right=np.array([1.0, 2.0]),
        wrong={"one order less": np.array([0.0, 1.0]), "one more": np.array([2.0, 3.0])},
    )


derivation.symbol("E_N", "the error after $N$ steps")
derivation.symbol("N", "the number of steps", "num_steps")

derivation.say("Where should the steps be small? Both errors are large where the levels are near the data's size or below.")
M, m = (
    derivation.number(name, f"the {which} level, to the power $1/\\rho$", code, positive=True)
    for name, which, code in (("M", "largest", "sigma_max"), ("m", "smallest", "sigma_min"))
)
rho = derivation.number(r"\rho", "the exponent of the levels", "rho", positive=True)
u = derivation.number("u", "the share of the way", "i / (N - 1)", between=(0, 1))
level = derivation.define("q", M + u * (m - M), r"the level to the power $1/\rho$", positive=True)
derivation.chain(
    "Levels even in a power take the largest share of their level near the data",
    Slope(level**rho, u) / level**rho,
    equals(rho * (m - M) / level, r"the power rule; one factor of $q$ is left", wrong={"the power": rho * (m - M) / level**rho}),
    so=prose(
        r"With {one} a step has the length {equal}, the same for all; as $\rho$ grows, steps become equal shares of their "
        "level. The levels of the code lie between: a step is smallest near the data, and still takes the largest share of its "
        "level there.",
        one=where(rho, 1),
        equal=holds(Slope(level**rho, u), "=", m - M, named=True),
    ),
)


@derivation.numeric(
    r"\sigma_i = \left(M + \tfrac{i}{N - 1} (m - M)\right)^\rho",
    because="The code's levels to the power $1/7$ fall by equal amounts from $80^{1/7}$ to $0.002^{1/7}$; then comes 0.",
    role="lemma",
)
def levels_are_even():
    roots = np.asarray(karras_sigmas(num_steps=6)) ** (1 / 7)
    wanted = np.append(np.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), 6), 0.0)
    return Sides(
        left=roots, right=wanted, wrong={"no final 0": np.append(wanted[:-1], wanted[-2]), "the inverse exponent": wanted**49}
    )


derivation.symbol(r"\sigma_i", "the levels in turn", "karras_sigmas")
derivation.symbol("i", "the number of a level")

derivation.say("Noise may be added between steps: the point goes up to a noisier level and takes a longer step down.")
n, z = derivation.number("n", "the noise in the point, next to its data"), derivation.number("z", "fresh noise", "noise")
gamma = derivation.number(r"\gamma", "the share of the level that is added", "gamma", positive=True)
nu = derivation.number(r"\nu", "the scale of the fresh noise", "noise_scale", positive=True)
higher = derivation.define(r"\hat\sigma", sigma * (1 + gamma), "the noisier level")
fresh = derivation.chain(
    "Fresh noise of scale one raises the variance to that of the noisier level",
    Expectation(Normal(n, 0, 1), Expectation(Normal(z, 0, 1), plus(sigma * n, sqrt(higher**2 - sigma**2) * nu * z) ** 2)),
    equals(
        plus(sigma**2, nu**2 * (higher**2 - sigma**2)),
        "the moments; the two noises are independent",
        wrong={
            "deviations added": (sigma + nu * sqrt(higher**2 - sigma**2)) ** 2,
            "not squared": plus(sigma**2, nu * (higher**2 - sigma**2)),
        },
    ),
    equals(
        plus(sigma**2, nu**2 * sigma**2 * gamma * (2 + gamma)),
        prose("{it}", it=holds(plus((1 + gamma) ** 2, -1), "=", gamma * (2 + gamma))),
    ),
    role="remark",
    so=prose(
        "With {one} it is the variance {level} of the noisier level. A scale slightly above 1 makes up for denoisers that "
        r"remove a little too much noise. The code bounds $\gamma$ by $\sqrt2 - 1$: the variance at most doubles, to {double}.",
        one=where(nu, 1),
        level=holds(plus(sigma**2, nu**2 * (higher**2 - sigma**2)), "=", higher**2, named=True),
        double=holds(higher**2, "=", 2 * sigma**2, when={gamma: sqrt(2) - 1}, named=True),
    ),
)
derivation.bridge(
    "The code adds the noise",
    (plus(x, sigma * sqrt(gamma * (2 + gamma)) * nu * z), None),
    churn,
    x=[[x]],
    noise=[[z]],
    sigma=[sigma],
    gamma=gamma,
    noise_scale=nu,
)


def _one(value):
    return jnp.array([float(value)])


@derivation.algorithm(
    "Heun's sampler",
    do(r"take levels $\sigma_0 > \dots > \sigma_{N-1} > \sigma_N = 0$", karras_sigmas, by=levels_are_even),
    do(r"draw $x \sim \mathcal{N}(0, \sigma_0^2)$"),
    do(r"for $i = 0, \dots, N - 1$, with $\sigma = \sigma_i$ and $\tau = \sigma_{i+1}$:"),
    do(
        r"if $\gamma > 0$: $x \leftarrow x + \sqrt{\hat\sigma^2 - \sigma^2}\, \nu z$ and $\sigma \leftarrow \hat\sigma$",
        by=fresh,
        indent=1,
    ),
    do(r"$e \leftarrow (x - D(x; \sigma)) / \sigma$, the slope here", by=flow, indent=1),
    do(r"$y \leftarrow x + (\tau - \sigma)\, e$, the end of Euler's step", denoising_euler_step, by=mean, indent=1),
    do(
        r"if $\tau > 0$: $y \leftarrow x + (\tau - \sigma) \frac12 (e + (y - D(y; \tau)) / \tau)$",
        heun_step,
        by=heun_error,
        indent=1,
    ),
    do(r"$x \leftarrow y$", indent=1),
)
def three_steps():
    levels, x = karras_sigmas(num_steps=3, sigma_min=0.5, sigma_max=2.0, rho=1.0), _one(4)[None]
    yield r"(\sigma_0, \dots, \sigma_3)", levels, "(2, 1.25, 0.5, 0)"
    yield r"x = 4 \text{ at } \sigma_0: \quad y", denoising_euler_step(x, levels[:1], levels[1:2], _normal_data(1.0)), "2.8"
    for i, stated in enumerate(("2.8878", "2.0849", "1.6679")):
        x = heun_step(x, levels[i : i + 1], levels[i + 1 : i + 2], _normal_data(1.0))
        yield rf"x \text{{ at }} \sigma_{i + 1}", x, stated
    yield r"\text{the curve's end, } 4 \sqrt{c / (c + \sigma_0^2)}", 4 / math.sqrt(5), "1.7889"


# ---------------------------------------------------------------------------------------------------- example, figure, exercises


@derivation.example(
    r"Normal data of variance 1, the point 2 at the level 1, and a step to the level $\frac12$; then from level 1 to 0."
)
def one_step():
    yield r"\text{Euler, to } \tfrac12", denoising_euler_step(_one(2)[None], _one(1), _one(0.5), _normal_data(1.0)), "1.5"
    yield r"\text{Heun, to } \tfrac12", heun_step(_one(2)[None], _one(1), _one(0.5), _normal_data(1.0)), "1.6"
    yield r"2 \sqrt{U/V}", 2 * math.sqrt(1.25 / 2), "1.5811"
    yield r"\text{both, to } 0", heun_step(_one(2)[None], _one(1), _one(0), _normal_data(1.0)), "1"
    yield r"2 \sqrt{c/V}", 2 * math.sqrt(0.5), "1.4142"


@derivation.figure(
    "Left: the levels of 18 steps, for three exponents. Right: the deviation of samples of normal data of deviation 1/2, from "
    "level 80 to 0, less 1/2: its size against the number of evaluations of the denoiser.",
    panels=2,
)
def levels_and_errors(levels, errors):
    for rho in (1.0, 7.0, 100.0):
        levels.semilogy(karras_sigmas(num_steps=18, rho=rho)[:-1], ".-", label=rf"$\rho = {rho:g}$")
    levels.set(xlabel="step", ylabel=r"$\sigma$")
    levels.legend()
    counts = np.array([4, 8, 16, 32, 64, 128])
    for name, cost, factor in (("Euler", counts, _euler_factor), ("Heun", 2 * counts - 1, _heun_factor)):
        left = [abs(math.sqrt(0.25 + 80.0**2) * factor(np.asarray(karras_sigmas(num_steps=int(k)))) - 0.5) for k in counts]
        errors.loglog(cost, left, "o-", label=name)
    errors.set(xlabel="evaluations", ylabel="error of the deviation")
    errors.legend()


def _euler_factor(levels):
    """The product of the derived factors, for data of variance 1/4."""
    now, after = levels[:-1], levels[1:]
    return np.prod((0.25 + now * after) / (0.25 + now**2))


def _heun_factor(levels):
    now, after = levels[:-2], levels[1:-1]
    second = after * (0.25 + now * after) / (0.25 + now**2) / (0.25 + after**2)
    return np.prod(1 + (after - now) / 2 * (now / (0.25 + now**2) + second)) * _euler_factor(levels[-2:])
