"""Probability paths: the velocity that moves noise onto a data point.

The lecture on the functions of theory_jax/flows/probability_paths.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, cos, exp, log, pi, sin, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
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
    "onto one point of the data? Many do: in what do the usual ones differ?",
    setting=(
        r"Noise $x_0 \sim \mathcal{N}(0, I)$ is independent of the data point $x_1$. Time runs from 0, the noise, to 1, the "
        r"data: opposite to the time of diffusion, $\tau = 1 - t$.",
        r"The path is $x_t = \alpha x_1 + \sigma x_0$. The coefficients $\alpha$ and $\sigma$ are differentiable functions of "
        r"$t$ alone on $[0, 1)$, $\sigma$ is positive there, $\alpha$ never falls and $\sigma$ never rises. Ideally $\alpha$ "
        r"runs from 0 to 1 and $\sigma$ from 1 to 0.",
        r"Linear: $(t, 1 - t)$. Optimal transport: $(t, 1 - (1 - s) t)$ with $0 \le s \le 1$. Cosine: $(\sin(\pi t/2), "
        r"\cos(\pi t/2))$. Variance preserving: $(e^{-B/2}, \sqrt{1 - e^{-B}})$, where $B$ is the integral of the rate "
        r"$\beta$ from $t$ to 1.",
        "Where coordinates matter, two dimensions are written out; elsewhere a line holds for each coordinate.",
    ),
    limits=(
        "The field for all of the data at once, which is a mean of these (lecture on flow matching).",
        "That the flow of a field has one solution, and that the continuity equation determines the densities.",
        "Which path trains best.",
    ),
    trained="The paths are chosen. `flows/flow_matching` trains a velocity along one.",
)

t = derivation.number("t", "the time", "time", between=(0, 1))
noise, data = derivation.number("x_0", "a coordinate of the noise", "x0"), derivation.number("x_1", "... of the data", "x1")
alpha = derivation.function(r"\alpha", "the coefficient of the data")
sigma = derivation.function(r"\sigma", "the coefficient of the noise")
a, s = alpha(t), sigma(t)
da, ds = a.diff(t), s.diff(t)
place = derivation.define("x_t", a * data + s * noise, "where the path is", "affine_path")
field = derivation.chain(
    "The slope of a path is a field of velocities",
    Slope(place, t),
    equals(plus(da * data, ds * noise), "differentiate at fixed ends", wrong={"the ends exchanged": plus(da * noise, ds * data)}),
    equals(
        plus(ds / s * (place - a * data), da * data),
        prose(r"{noise}, where $\sigma$ is positive", noise=holds(noise, "=", (place - a * data) / s)),
        wrong={"the ratio turned over": plus(s / ds * (place - a * data), da * data)},
    ),
    central=True,
    so=r"The last line contains the noise only through the place: every path that passes through $x$ at time $t$ has this "
    r"velocity there, so paths to one data point never cross while $\sigma$ is positive. Call it $u$.",
)

derivation.say(
    "Does the field carry the densities as well? Check it without paths. Mass is conserved if the continuity equation holds, "
    r"$\partial_t p + \nabla \cdot (p\, u) = 0$; divided by $p$: $\partial_t \log p = -\nabla \cdot u - u \cdot \nabla \log p$."
)
y1, y2 = (derivation.number(f"y_{k}", f"coordinate {k} of a place") for k in (1, 2))
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
    "The field carries the cloud",
    Slope(log_density, t),
    equals(
        plus(-2 * ds / s, squared, along),
        r"the slopes of $\log \sigma$, of $\sigma^{-2}$ and of the mean",
        wrong={"one dimension": plus(-ds / s, squared, along)},
    ),
    equals(
        plus(-Slope(u1, y1), -Slope(u2, y2), times(-u1, Slope(log_density, y1)), times(-u2, Slope(log_density, y2))),
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
    so=r"So $p$ is the density of the flow at every time, for every $\alpha$ and $\sigma$.",
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
    "densities. On the line there is no rotation, and $u$ is the only field with a flow of mass that vanishes far out.",
)

derivation.say("The optimal-transport path leaves a cloud of a small deviation around the data point instead of a point.")
least = derivation.number("s", "the deviation of the cloud that is left", "sigma_min", between=(0, 1))
straight = derivation.define("z_t", (1 - (1 - least) * t) * noise + t * data, "its place", "optimal_transport_path")
derivation.chain(
    "The optimal-transport path is straight",
    Slope(straight, t),
    equals(
        plus(data, -(1 - least) * noise),
        "the place is linear in the time",
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
    so=prose(
        "Along a path the velocity does not depend on the time. At time 1 the path is at {end}, the slope in $x_0$ of the convex "
        r"function {convex}. By Brenier's theorem, which we cite, such a map is the cheapest transport from $\mathcal{N}(0, I)$ "
        r"to $\mathcal{N}(x_1, s^2 I)$: optimal for one data point, not for all of the data.",
        end=holds(straight, "=", plus(data, least * noise), when={t: 1}, named=True),
        convex=times(data, noise) + least * noise**2 / 2,
    ),
)

derivation.say(
    r"The variance-preserving path is the diffusion, run backward: its rate of noise is $\beta_0 + \beta_+ \tau$ at the time of "
    r"diffusion $\tau = 1 - t$."
)
low = derivation.number(r"\beta_0", r"the rate at $\tau = 0$, the data", "beta_min", positive=True)
more = derivation.number(r"\beta_+", r"how much larger it is at $\tau = 1$", "beta_max - beta_min", positive=True)
beta = derivation.define(r"\beta", low + more * (1 - t), "the rate", positive=True)
total = derivation.define("B", low * (1 - t) + more * (1 - t) ** 2 / 2, "its integral from $t$ to 1", positive=True)
derivation.chain(
    "The data's coefficient rises",
    Slope(exp(-total / 2), t),
    equals(
        times(-Rational(1, 2), Slope(total, t), exp(-total / 2)),
        "the chain rule",
        wrong={"no half": times(-1, Slope(total, t), exp(-total / 2))},
    ),
    equals(
        beta * exp(-total / 2) / 2,
        prose("$B$ is an integral from $t$: {slope}", slope=holds(Slope(total, t), "=", -beta)),
        wrong={"the time of diffusion": -beta * exp(-total / 2) / 2},
    ),
)
of_data, of_noise = exp(-total / 2), sqrt(1 - exp(-total))
derivation.chain(
    "The noise's coefficient falls",
    Slope(sqrt(1 - exp(-total)), t),
    equals(times(Slope(total, t), exp(-total)) / (2 * sqrt(1 - exp(-total))), "the chain rule, twice"),
    equals(
        -beta * exp(-total) / (2 * sqrt(1 - exp(-total))),
        "the slope of $B$ again",
        wrong={
            "the time of diffusion": beta * exp(-total) / (2 * sqrt(1 - exp(-total))),
            "alpha for its square": -beta * exp(-total / 2) / (2 * sqrt(1 - exp(-total))),
        },
    ),
    so=prose(
        "So {zero}: the sum of the squares stays 1.",
        zero=holds(plus(times(of_data, Slope(of_data, t)), times(of_noise, Slope(of_noise, t))), "=", 0),
    ),
)


@derivation.numeric(
    r"(1 - t)\, \sigma'^2 \to \tfrac14 \beta_0 \quad (t \to 1)",
    because=prose(
        r"Near the end the square of $\sigma$ is about $\beta_0 (1 - t)$: {ratio}. The code's slopes at a time that is $2^{-26}$ "
        "before the end, for rates from 0.1 and from 2 to 20.",
        ratio=holds(Limit((1 - exp(-total)) / (1 - t), t, 1, "-"), "=", low),
    ),
    tolerance=1e-5,
    since=r"the next term is of order $\frac{\beta_+}{\beta_0} (1 - t)$",
)
def the_end_of_the_variance_preserving_path():
    rest = 2.0**-26
    found = [variance_preserving_coefficients(jnp.array(1 - rest), beta_min=rate)[3] ** 2 * rest for rate in (0.1, 2.0)]
    wanted = np.array([0.1, 2.0]) / 4
    return Sides(
        left=np.array(found),
        right=wanted,
        wrong={"no quarter": 4 * wanted, "a half": 2 * wanted, "the last rate": np.array([5.0, 5.0])},
    )


derivation.say(
    prose(
        r"So $\sigma'$ is infinite at time 1, and so is the integral of its square. At {begin} the coefficient of the data is "
        "{small}, which is not 0: the path does not start from pure noise.",
        begin=where(t, 0),
        small=holds(exp(-total / 2), "=", exp(-(low + more / 2) / 2), named=True),
    )
)
mean, spread = derivation.number("m", "the mean of the data"), derivation.number("v", "their variance", positive=True)
rise = derivation.number("p", r"the slope $\alpha'$", "alpha_slope", positive=True)
fall = derivation.number("k", r"minus the slope $\sigma'$", "-sigma_slope", positive=True)
derivation.chain(
    "The mean squared speed",
    Expectation(Normal(noise, 0, 1), Expectation(Normal(data, mean, spread), (rise * data - fall * noise) ** 2)),
    equals(
        plus(rise**2 * (mean**2 + spread), fall**2),
        "the noise has mean 0 and variance 1, and is independent of the data",
        wrong={"slopes added": (rise + fall) ** 2 * (mean**2 + spread)},
    ),
)
second = derivation.number("c", "the second moment of the data, $m^2 + v$", positive=True)
speed = (pi / 2) ** 2 * (second * cos(pi * t / 2) ** 2 + sin(pi * t / 2) ** 2)
work = Integral(speed, (t, 0, 1))
derivation.chain(
    "The work of the cosine path",
    work,
    equals(
        pi**2 / 8 * (second + 1),
        prose("{mean}, and for the sine the same", mean=holds(Integral(cos(pi * t / 2) ** 2, (t, 0, 1)), "=", Rational(1, 2))),
        wrong={"the linear path": second + 1, "no half": pi**2 / 4 * (second + 1)},
    ),
    so=prose(
        "The linear path has the slopes 1 and $-1$, and the work {linear}: less, by the factor {factor}, which is 1.234. At "
        "{one} the mean squared speed of the cosine path is {speed} at every time; that of one path is not constant, see below.",
        linear=second + 1,
        factor=holds(work / (second + 1), "=", pi**2 / 8, named=True),
        one=where(second, 1),
        speed=holds(speed, "=", pi**2 / 4, named=True),
    ),
)
derivation.chain(
    "The cosine path turns",
    Slope(sin(pi * t / 2) * data + cos(pi * t / 2) * noise, t, 2),
    equals(
        times(-(pi**2) / 4, sin(pi * t / 2) * data + cos(pi * t / 2) * noise),
        "differentiate twice",
        wrong={
            "once": times(-pi / 2, sin(pi * t / 2) * data + cos(pi * t / 2) * noise),
            "away from the origin": times(pi**2 / 4, sin(pi * t / 2) * data + cos(pi * t / 2) * noise),
        },
    ),
    so="An oscillation about the origin, of which one quarter is used.",
)

derivation.answer = prose(
    "The slope of the path is a function of place and time once $x_0$ is expressed by the place: {slope}, where the coefficient "
    "of the noise is positive. It carries the density of a path to one data point exactly, and is not the only field that does. "
    "The linear path is straight at constant speed, {linear}; the coefficients of the cosine path move on a circle, {circle}; "
    "the variance-preserving path does not start from pure noise, and ends with infinite speed.",
    slope=holds(Slope(place, t), "=", plus(ds / s * (place - a * data), da * data)),
    linear=holds(Slope((1 - t) * noise + t * data, t), "=", data - noise, named=True),
    circle=holds(plus(sin(pi * t / 2) ** 2, cos(pi * t / 2) ** 2), "=", 1),
)
x = derivation.number("x", "a place", "x")
A = derivation.number("a", "the coefficient of the data, a number now", "alpha", positive=True)
S = derivation.number("b", "that of the noise", "sigma", positive=True)


derivation.bridge(
    "The code's place and slope",
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
    "... and its velocity at a place",
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
    do(r"draw $x \sim \mathcal{N}(0, I)$, take a data point $x_1$ and $h = 1/N$"),
    do(r"for $t = 0, h, \dots, 1 - h$:"),
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


@derivation.example(r"$x_1 = 2$, and a path that is at $x = 1$ at time $\frac14$. On the linear path $x_0 = \frac23$.")
def three_velocities():
    linear = _one(0.25), _one(0.75), _one(1), _one(-1)
    yield r"\text{linear, } x_1 - x_0", linear_path(jnp.full((1, 1), 2 / 3), jnp.full((1, 1), 2.0), _one(0.25))[1], "1.3333"
    yield r"\text{linear, as a field}", _at_one(linear), "1.3333"
    yield r"\text{cosine}", _at_one(cosine_coefficients(_one(0.25))), "2.7498"
    yield r"\text{variance preserving}", _at_one(variance_preserving_coefficients(_one(0.25))), "0.8585"
    yield r"\text{... at } t = \tfrac12", _at_one(variance_preserving_coefficients(_one(0.5))), "2.6371"


@derivation.figure(
    r"Left: the coefficients in the plane, with a dot every tenth of the time. The variance-preserving path shares the circle of "
    r"the cosine path, and is at $\alpha = 0.28$ at half of the time. Right: where each path from $x_0 = -1$ to $x_1 = 1$ is.",
    panels=2,
)
def coefficients_and_places(plane, places):
    time = jnp.linspace(0, 1, 11)
    paths = {
        "linear": (time, 1 - time),
        "cosine": cosine_coefficients(time)[:2],
        "variance preserving": variance_preserving_coefficients(time)[:2],
    }
    for (name, (alpha, sigma)), marker in zip(paths.items(), ("o-", "o-", "x"), strict=True):
        plane.plot(alpha, sigma, marker, label=name)
        places.plot(time, alpha - sigma, "o-", markersize=3, label=name)
    plane.set(xlabel=r"$\alpha$", ylabel=r"$\sigma$", aspect="equal")
    places.set(xlabel="$t$", ylabel="$x_t$")
    plane.legend()
    places.legend()
