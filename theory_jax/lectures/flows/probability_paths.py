"""Probability paths: the velocity that moves noise onto a data point.

The lecture on the functions of theory_jax/flows/probability_paths.py.
"""

import jax.numpy as jnp
from sympy import Integral, Rational, cos, exp, log, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.probability_paths import (
    affine_path,
    conditional_velocity,
    cosine_coefficients,
    linear_path,
    optimal_transport_path,
    variance_preserving_coefficients,
)

derivation = Derivation(
    module=__name__,
    title="Probability paths: the velocity that moves noise onto a data point",
    sources=(
        "Lipman, Chen, Ben-Hamu, Nickel & Le 2023, Flow matching for generative modeling",
        "Albergo & Vanden-Eijnden 2023, Building normalizing flows with stochastic interpolants",
        "Liu, Gong & Liu 2023, Flow straight and fast: learning to generate and transfer data with rectified flow",
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-based generative modeling through SDEs",
        "Tong et al. 2024, Improving and generalizing flow-based generative models with minibatch optimal transport",
    ),
    question="A continuous flow is a velocity at every position and time. Data give only where noise should end, neither the "
    "path nor the velocity, so there is nothing to fit a network to. Which velocity moves a cloud of standard normal noise "
    "onto one point of the data? There are many paths: in what do the usual ones differ?",
    setting=(
        r"Noise $x_0$ from $\mathcal{N}(0, I)$ is independent of the data point $x_1$. Time runs from 0, the noise, to 1, the "
        r"data: opposite to the time of diffusion, which is $1 - t$.",
        prose(
            r"The path is $x_t = \alpha x_1 + \sigma x_0$. The coefficients $\alpha$ and $\sigma$ are differentiable functions "
            r"of $t$ alone on $[0, 1)$, and $\sigma$ is positive there. Ideally $\alpha$ runs from 0 to 1 and $\sigma$ from 1 "
            r"to 0: then the path runs from noise to the data point. The code asks that $\alpha$ never falls and $\sigma$ never "
            "rises.",
            said=(r"x_t = \alpha x_1 + \sigma x_0",),
        ),
        r"Linear: $(t, 1 - t)$. Cosine: $(\sin(\pi t/2), \cos(\pi t/2))$. Variance preserving: $(e^{-B/2}, \sqrt{1 - "
        r"e^{-B}})$, where $B$ is the integral of the rate $\beta$ from $t$ to 1. Optimal transport: $(t, 1 - (1 - s) t)$ with "
        "$s$ between 0 and 1.",
        "Where coordinates matter, two dimensions are written out; elsewhere a line holds for each coordinate.",
    ),
    limits=(
        "The field for all of the data at once, which is a mean of these (lecture on flow matching).",
        "That the flow of a field has one solution, and that the continuity equation determines the densities.",
        "Which path trains best: the least work is one property of a path, and no proof of better samples.",
    ),
    trained="The paths are chosen. `flows/flow_matching` trains a velocity along one.",
)

t = derivation.number("t", "the time", "time", between=(0, 1))
noise, data = derivation.number("x_0", "a coordinate of the noise", "x0"), derivation.number("x_1", "... of the data", "x1")
alpha = derivation.function(r"\alpha", "the coefficient of the data")
sigma = derivation.function(r"\sigma", "the coefficient of the noise")
a, s = alpha(t), sigma(t)
da, ds = a.diff(t), s.diff(t)
place = derivation.define("x_t", a * data + s * noise, "the position on the path", "affine_path")
field = derivation.chain(
    "While the noise has a positive coefficient, the slope of a path is a function of its position and the time",
    Slope(place, t),
    equals(plus(da * data, ds * noise), "differentiate at fixed ends", wrong={"the ends exchanged": plus(da * noise, ds * data)}),
    equals(
        plus(ds / s * (place - a * data), da * data),
        prose(
            r"solve the path for the noise, {noise}, which needs a positive $\sigma$, and insert it",
            noise=holds(noise, "=", (place - a * data) / s),
        ),
        wrong={"the ratio turned over": plus(s / ds * (place - a * data), da * data)},
    ),
    central=True,
    so="The last line contains the noise only through the position: a path to $x_1$ that passes through a position at a time "
    r"has this velocity there. Call it $u$: a field of velocities. Paths to one data point never cross while $\sigma$ is "
    "positive, since the position and the time determine the noise, and the noise determines the path.",
)

derivation.say(
    prose(
        "Does the field carry the densities as well? Check it without paths. Mass is conserved if the continuity equation holds, "
        r"$\partial_t p + \nabla \cdot (p\, u) = 0$; divided by $p$: $\partial_t \log p = -\nabla \cdot u - u \cdot \nabla \log "
        "p$.",
        said=(r"\partial_t p + \nabla \cdot (p\, u) = 0", r"\partial_t \log p = -\nabla \cdot u - u \cdot \nabla \log p"),
    )
)
y1, y2 = (derivation.number(f"y_{k}", f"coordinate {k} of a position") for k in (1, 2))
d1, d2 = (derivation.number(f"d_{k}", f"coordinate {k} of the data point") for k in (1, 2))
off1, off2 = y1 - a * d1, y2 - a * d2
log_density = derivation.define(
    r"\log p", -2 * log(s) - (off1**2 + off2**2) / (2 * s**2) - log(2 * pi), r"the density $\mathcal{N}(\alpha d, \sigma^2 I)$"
)
u1, u2 = (
    derivation.define(f"u_{k}", ds / s * (y - a * d) + da * d, f"coordinate {k} of the velocity", "conditional_velocity")
    for k, y, d in ((1, y1, d1), (2, y2, d2))
)
squared, along = ds * (off1**2 + off2**2) / s**3, da * (d1 * off1 + d2 * off2) / s**2
derivation.chain(
    "The field carries the density of the cloud",
    Slope(log_density, t),
    equals(
        plus(-2 * ds / s, squared, along),
        r"the slopes of $\log \sigma$, of $\sigma^{-2}$ and of the mean",
        wrong={"one dimension": plus(-ds / s, squared, along)},
    ),
    equals(
        times(-1, plus(Slope(u1, y1), Slope(u2, y2), times(u1, Slope(log_density, y1)), times(u2, Slope(log_density, y2)))),
        prose(
            "the divergence of the velocity is {divergence}, and {slope}, the second likewise",
            divergence=holds(plus(Slope(u1, y1), Slope(u2, y2)), "=", 2 * ds / s, named=True),
            slope=holds(Slope(log_density, y1), "=", -off1 / s**2),
        ),
        wrong={
            "against the stream": plus(
                -Slope(u1, y1), -Slope(u2, y2), times(u1, Slope(log_density, y1)), times(u2, Slope(log_density, y2))
            )
        },
    ),
    so=r"That is the continuity equation. So points that have the density $\mathcal{N}(\alpha d, \sigma^2 I)$ at the start, "
    r"which is noise if $\alpha$ begins at 0 and $\sigma$ at 1, and follow $u$ have it at every time.",
)
derivation.chain(
    "Another field carries it as well",
    plus(Slope(times(-off2, exp(log_density)), y1), Slope(times(off1, exp(log_density)), y2)),
    equals(
        plus(times(-off2, Slope(exp(log_density), y1)), times(off1, Slope(exp(log_density), y2))),
        "neither coordinate of a rotation depends on itself",
    ),
    equals(
        0,
        prose(
            "the products are {turned} and its negative: the gradient points to the mean, the rotation is perpendicular",
            turned=holds(times(-off2, Slope(exp(log_density), y1)), "=", times(off1, off2, exp(log_density)) / s**2, named=True),
        ),
        wrong={"twice the product": -2 * off1 * off2 / s**2 * exp(log_density)},
    ),
    so=r"The first line is the divergence of $p$ times a rotation about the mean. Added to $u$ it changes the paths, not the "
    "densities. On a line there is no rotation: there $u$ is the only field whose flow of mass vanishes far out.",
)

derivation.say(
    "All of these paths have such a field. They differ in how fast points move, and when. Compare their work: the mean squared "
    "speed of a path to a random data point, integrated over the time."
)
mean, spread = derivation.number("m", "the mean of the data"), derivation.number("v", "their variance", positive=True)
second = derivation.define("c", mean**2 + spread, "the second moment of the data", positive=True)
work = derivation.chain(
    r"Of all paths $\alpha x_1 + \sigma x_0$ from noise to independent data the linear one has the least work",
    Expectation(Normal(noise, 0, 1), Expectation(Normal(data, mean, spread), plus(da * data, ds * noise) ** 2)),
    equals(
        plus(second * da**2, ds**2),
        "the noise has mean 0 and variance 1, and is independent of the data",
        wrong={"slopes added": second * (da + ds) ** 2},
    ),
    equals(
        plus(1 + second, 2 * Slope(plus(second * (a - t), -(s + t)), t), second * (da - 1) ** 2, (ds + 1) ** 2),
        "complete the squares around the slopes 1 and $-1$ of the linear path",
        wrong={
            "the middle term once": plus(
                1 + second, Slope(plus(second * (a - t), -(s + t)), t), second * (da - 1) ** 2, (ds + 1) ** 2
            )
        },
    ),
    at_least(
        plus(1 + second, 2 * Slope(plus(second * (a - t), -(s + t)), t)),
        "leave out the squares, which are zero only where the slopes are those of the linear path",
        dropping=plus(second * (da - 1) ** 2, (ds + 1) ** 2),
    ),
    so=r"Integrate from 0 to 1. The bracket after $\partial t$ has the same value at both ends of every such path from noise to "
    r"data, since $\alpha$ is $t$ and $\sigma$ is $1 - t$ there. So the work is at least $1 + c$, and only the linear path has "
    "no more. Paths that pair noise and data otherwise, or bend, are not compared.",
)
speed = (pi / 2) ** 2 * (second * cos(pi * t / 2) ** 2 + sin(pi * t / 2) ** 2)
derivation.chain(
    "The cosine path has about a quarter more work than the linear one",
    Integral(speed, (t, 0, 1)),
    equals(
        pi**2 / 8 * (second + 1),
        prose("{mean}, and for the sine the same", mean=holds(Integral(cos(pi * t / 2) ** 2, (t, 0, 1)), "=", Rational(1, 2))),
        wrong={"the linear path": second + 1, "no half": pi**2 / 4 * (second + 1)},
    ),
    role="remark",
    so=prose(
        "The integrand is the mean squared speed: the slopes are {rise} and {fall}. The factor of the work is {factor}, 1.234. "
        "The coefficients move on a circle, {circle}, so paths turn.",
        factor=holds(Integral(speed, (t, 0, 1)) / (1 + second), "=", pi**2 / 8, named=True),
        rise=holds(Slope(sin(pi * t / 2), t), "=", pi / 2 * cos(pi * t / 2), named=True),
        fall=holds(Slope(cos(pi * t / 2), t), "=", -pi / 2 * sin(pi * t / 2), named=True),
        circle=holds(plus(sin(pi * t / 2) ** 2, cos(pi * t / 2) ** 2), "=", 1),
    ),
)

derivation.say(
    "The variance-preserving path is the diffusion, run backward: from the data to the noise its rate grows linearly, from "
    r"$\beta_0$ by $\beta_+$."
)
low = derivation.number(r"\beta_0", "the rate at the data", "beta_min", positive=True)
more = derivation.number(r"\beta_+", "how much larger it is at the noise", "beta_max - beta_min", positive=True)
beta = derivation.define(r"\beta", low + more * (1 - t), "the rate", positive=True)
total = derivation.define("B", low * (1 - t) + more * (1 - t) ** 2 / 2, "its integral from $t$ to 1", positive=True)
of_data, of_noise = exp(-total / 2), sqrt(1 - exp(-total))
slopes = derivation.chain(
    "On the variance-preserving path the noise's coefficient falls",
    Slope(of_noise, t),
    equals(
        -times(of_data, Slope(of_data, t)) / of_noise,
        prose("differentiate {circle}", circle=holds(plus(of_data**2, of_noise**2), "=", 1)),
        wrong={"the ratio turned over": -times(of_noise, Slope(of_data, t)) / of_data},
    ),
    equals(
        -beta * exp(-total) / (2 * of_noise),
        prose(
            r"$B$ is an integral from $t$, {slope}, so the data's coefficient rises: {rise}",
            slope=holds(Slope(total, t), "=", -beta),
            rise=holds(Slope(of_data, t), "=", beta * of_data / 2, wrong={"the time of diffusion": -beta * of_data / 2}),
        ),
        wrong={
            "the time of diffusion": beta * exp(-total) / (2 * of_noise),
            "alpha for its square": -beta * of_data / (2 * of_noise),
        },
    ),
    role="lemma",
)
derivation.chain(
    "The variance-preserving path ends with infinite speed, has infinite work, and does not start from pure noise",
    Limit(times(1 - t, (-beta * exp(-total) / (2 * of_noise)) ** 2), t, 1, "-"),
    equals(
        Limit(times(beta**2 * exp(-2 * total) / 4, (1 - t) / (1 - exp(-total))), t, 1, "-"),
        "the square of the lemma's slope",
        wrong={"no quarter": Limit(times(beta**2 * exp(-2 * total), (1 - t) / (1 - exp(-total))), t, 1, "-")},
    ),
    equals(
        low / 4,
        prose(
            "{ratio}, and {rate}, {none} at the end",
            ratio=holds(Limit((1 - exp(-total)) / (1 - t), t, 1, "-"), "=", low),
            rate=holds(beta, "=", low, when={t: 1}),
            none=holds(total, "=", 0, when={t: 1}),
        ),
        wrong={"a half": low / 2, "the last rate": (low + more) / 4},
    ),
    uses=(slopes,),
    role="remark",
    so=prose(
        r"So near the end $\sigma'^2$ grows as $1/(1 - t)$ does, whose integral is infinite. At {begin} the coefficient of the "
        "data is {small}, which is not 0.",
        begin=where(t, 0),
        small=holds(of_data, "=", exp(-(low + more / 2) / 2), named=True),
    ),
)

least = derivation.number("s", "the deviation of the cloud that is left", "sigma_min", between=(0, 1))
straight = derivation.define("z_t", (1 - (1 - least) * t) * noise + t * data, "its position", "optimal_transport_path")
derivation.chain(
    "The optimal-transport path is straight, and leaves a small cloud around the data point",
    Slope(straight, t),
    equals(
        plus(data, -(1 - least) * noise),
        "the position is linear in the time",
        wrong={"the cloud at the other end": plus((1 - least) * data, -noise)},
    ),
    equals(
        plus(data, -(1 - least) * straight) / (1 - (1 - least) * t),
        prose(
            "the field: the noise's coefficient has the slope {fall}; multiply out",
            fall=holds(Slope(1 - (1 - least) * t, t), "=", -(1 - least), named=True),
        ),
        wrong={"no cloud": plus(data, -straight) / (1 - t)},
    ),
    role="remark",
    so=prose(
        "Along a path the velocity does not depend on the time. At time 1 the path is at {end}, the slope in $x_0$ of the convex "
        "function {convex}. By Brenier's theorem, which we cite, of all maps that carry $\\mathcal{N}(0, I)$ to "
        r"$\mathcal{N}(x_1, s^2 I)$ such a slope has the least mean squared distance between a point and its image, here {moved} "
        "a coordinate: optimal for one data point, not for all of the data.",
        moved=holds(
            Expectation(Normal(noise, 0, 1), (data + least * noise - noise) ** 2),
            "=",
            plus(data**2, (1 - least) ** 2),
            named=True,
        ),
        end=holds(straight, "=", plus(data, least * noise), when={t: 1}, named=True),
        convex=times(data, noise) + least * noise**2 / 2,
    ),
)

derivation.answer = prose(
    "Write the path as data and noise with coefficients, differentiate it, and express the noise by the position: {slope}. "
    "Where the noise's coefficient is positive, this is a velocity at every position and time. It carries the density of a "
    "path to one data point exactly, in two or more dimensions not as the only field. The usual paths differ in their speeds: "
    "of all such coefficients that run from noise to independent data the linear ones, straight at the constant speed "
    "{linear}, have the least work; the variance-preserving path does not start from pure noise, and ends with infinite speed.",
    slope=holds(Slope(place, t), "=", plus(ds / s * (place - a * data), da * data)),
    linear=holds(Slope((1 - t) * noise + t * data, t), "=", data - noise, named=True),
)
x = derivation.number("x", "a position", "x")
A, rise = (
    derivation.number("a", "the coefficient of the data at one time", "alpha", positive=True),
    derivation.number(r"\dot a", "its slope there", "alpha_slope", positive=True),
)
S, fall = (
    derivation.number("b", "the coefficient of the noise at one time", "sigma", positive=True),
    derivation.number(r"\kappa", "minus its slope there", "-sigma_slope", positive=True),
)
derivation.bridge(
    "The code's position and slope",
    (A * data + S * noise, rise * data - fall * noise),
    affine_path,
    x0=[[noise]],
    x1=[[data]],
    alpha=[A],
    sigma=[S],
    alpha_slope=[rise],
    sigma_slope=[-fall],
    wrong={"the ends exchanged": (A * noise + S * data, rise * noise - fall * data)},
)
derivation.bridge(
    "... and its velocity at a position",
    plus(-fall / S * (x - A * data), rise * data),
    conditional_velocity,
    x=[[x]],
    x1=[[data]],
    alpha=[A],
    sigma=[S],
    alpha_slope=[rise],
    sigma_slope=[-fall],
    wrong={"the ratio turned over": plus(-S / fall * (x - A * data), rise * data)},
)
derivation.bridge(
    "The code's linear path", ((1 - t) * noise + t * data, data - noise), linear_path, x0=[[noise]], x1=[[data]], time=[t]
)
derivation.bridge(
    "... and that of optimal transport",
    (straight, data - (1 - least) * noise),
    optimal_transport_path,
    x0=[[noise]],
    x1=[[data]],
    time=[t],
    sigma_min=least,
    wrong={"the linear path": ((1 - t) * noise + t * data, data - noise)},
)
derivation.bridge(
    "The code's cosine coefficients and their slopes",
    (sin(pi * t / 2), cos(pi * t / 2), pi / 2 * cos(pi * t / 2), -pi / 2 * sin(pi * t / 2)),
    cosine_coefficients,
    time=[t],
)
derivation.bridge(
    "... and the variance-preserving ones",
    (exp(-total / 2), sqrt(1 - exp(-total)), beta * exp(-total / 2) / 2, -beta * exp(-total) / (2 * sqrt(1 - exp(-total)))),
    variance_preserving_coefficients,
    time=[t],
    beta_min=low,
    beta_max=low + more,
    wrong={"the slopes' signs": (None, None, -beta * exp(-total / 2) / 2, beta * exp(-total) / (2 * sqrt(1 - exp(-total))))},
)


# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _one(value):
    return jnp.array([float(value)])


def _at_one(coefficients):
    """The velocity at x = 1 on the way to x1 = 2."""
    return conditional_velocity(jnp.ones((1, 1)), jnp.full((1, 1), 2.0), *coefficients)


@derivation.algorithm(
    "From noise to one data point along the field",
    do(r"draw $x$ from $\mathcal{N}(0, I)$, take a data point $x_1$ and a number $N$ of steps of the length $h$, $1/N$"),
    do("for the times $t$ from 0 to $1 - h$, a step apart:"),
    do(
        r"$u \leftarrow \frac{\sigma'}{\sigma} (x - \alpha x_1) + \alpha' x_1$ at time $t$",
        conditional_velocity,
        by=field,
        indent=1,
    ),
    do(r"$x \leftarrow x + h u$", indent=1),
)
def two_steps():
    for name, coefficients, printed in (
        (r"\text{linear}", lambda t: (t, 1 - t, _one(1), _one(-1)), ("0.5000", "2.0000")),
        (r"\text{cosine}", cosine_coefficients, ("0.5708", "2.3439")),
    ):
        x = _one(-1)[:, None]
        for t, told in zip((0.0, 0.5), printed, strict=True):
            x = x + conditional_velocity(x, jnp.full((1, 1), 2.0), *coefficients(_one(t))) / 2
            yield rf"{name}, x_0 = -1, x_1 = 2, h = \tfrac12: \quad x \text{{ at }} {t + 0.5:g}", x, told


def _work(coefficients, until=1.0):
    """The work up to a time, for data of second moment 1, by the midpoint rule."""
    time = jnp.asarray(until) * (jnp.arange(20_000) + 0.5) / 20_000
    return until * (coefficients(time)[2] ** 2 + coefficients(time)[3] ** 2).mean()


@derivation.example(
    prose(
        r"First {end}, and a path that is at the position 1 at time $\frac14$; on the linear path that is the one with {start}, "
        "{linear}. Then the work, for data of second moment 1.",
        end=where(data, 2),
        start=where(noise, Rational(2, 3)),
        linear=holds(plus(times(1 - t, noise), times(t, data)), "=", 1, when={t: Rational(1, 4)}),
    )
)
def velocities_and_work():
    linear = _one(0.25), _one(0.75), _one(1), _one(-1)
    yield r"\text{linear, } x_1 - x_0", linear_path(jnp.full((1, 1), 2 / 3), jnp.full((1, 1), 2.0), _one(0.25))[1], "1.3333"
    yield r"\text{linear, as a field}", _at_one(linear), "1.3333"
    yield r"\text{cosine}", _at_one(cosine_coefficients(_one(0.25))), "2.7498"
    yield r"\text{variance preserving}", _at_one(variance_preserving_coefficients(_one(0.25))), "0.8585"
    yield r"\text{... at } t = \tfrac12", _at_one(variance_preserving_coefficients(_one(0.5))), "2.6371"
    yield r"\text{work, linear}", _work(lambda t: (t, 1 - t, jnp.ones_like(t), -jnp.ones_like(t))), "2"
    yield r"\text{cosine}", _work(cosine_coefficients), "2.467"
    yield r"\text{variance preserving, to time 0.99 alone}", _work(variance_preserving_coefficients, 0.99), "3.52"


@derivation.figure(
    "Left: where each path from the noise $-1$ to the data point 1 is, with a mark every tenth of the time. Right: the mean "
    "squared speed, for data of second moment 1. The area below a curve is the work: 2 for the linear path, infinite for the "
    "variance-preserving one.",
    panels=2,
)
def positions_and_speeds(positions, speeds):
    time, fine = jnp.linspace(0, 1, 11), jnp.linspace(0, 0.999, 400)
    for name, coefficients, marker in (
        ("linear", lambda t: (t, 1 - t, jnp.ones_like(t), -jnp.ones_like(t)), "o-"),
        ("cosine", cosine_coefficients, "s-"),
        ("variance preserving", variance_preserving_coefficients, "x-"),
    ):
        alpha, sigma = coefficients(time)[:2]
        positions.plot(time, alpha - sigma, marker, markersize=4, label=name)
        speeds.plot(fine, coefficients(fine)[2] ** 2 + coefficients(fine)[3] ** 2, label=name)
    positions.set(xlabel="$t$", ylabel="$x_t$")
    speeds.set(xlabel="$t$", ylabel="mean squared speed", ylim=(0, 12))
    speeds.legend()
