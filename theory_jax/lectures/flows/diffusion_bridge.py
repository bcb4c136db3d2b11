"""Diffusion and flow: one family in other coordinates.

The lecture on the functions of theory_jax/flows/diffusion_bridge.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.flows.diffusion_bridge import (
    loss_weight_between,
    predictions_from_velocity,
    rescale_to_linear,
    score_from_velocity,
    stochastic_drift,
    velocity_from_score,
)
from theory_jax.flows.probability_paths import conditional_velocity, cosine_coefficients, variance_preserving_coefficients
from theory_jax.lectures.flows._diffusion_bridge import every_amount_of_noise_keeps_the_variance, one_flow_in_two_pictures
from theory_jax.lectures.flows._flow_matching import sign_field

derivation = Derivation(
    module=__name__,
    title="Diffusion and flow: one family in other coordinates",
    sources=(
        "Albergo, Boffi & Vanden-Eijnden 2023, Stochastic interpolants: a unifying framework for flows and diffusions",
        "Ma, Goldstein, Albergo, Boffi, Vanden-Eijnden & Xie 2024, SiT: exploring flow and diffusion-based generative models",
        "Kingma & Gao 2023, Understanding diffusion objectives as the ELBO with simple data augmentation",
        "Gao et al. 2024, Diffusion meets flow matching: two sides of the same coin",
        "Song, Sohl-Dickstein, Kingma, Kumar, Ermon & Poole 2021, Score-based generative modeling through SDEs",
        "Anderson 1982, Reverse-time diffusion equation models",
    ),
    question="A trained diffusion model predicts noise or a score and samples with noise; a flow predicts a velocity and "
    "solves an equation without noise. Code for one refuses the network of the other. Do they differ in more than "
    "coordinates?",
    setting=(
        r"The path is $\alpha x_1 + \sigma x_0$ with data $x_1$ and independent standard normal noise $x_0$. Flow time runs "
        r"from 0, the noise, to 1, the data; the time of diffusion is $1 - t$. The coefficients $\alpha$ and $\sigma$ are "
        "differentiable functions of $t$, positive inside $(0, 1)$.",
        r"The ratio $\alpha/\sigma$ of signal to noise grows: $w$, which is $\alpha' \sigma - \alpha \sigma'$, is positive.",
        r"$p_t$ is the density of the position $x_t$ on the path, and its score $s_t$ the slope of $\log p_t$. The marginal "
        r"velocity $u_t(x)$ is the mean of $\alpha' x_1 + \sigma' x_0$ over the paths through $x$.",
        "One coordinate is written, since every formula holds in each coordinate. Data have finitely many points.",
    ),
    limits=(
        "Networks that are trained with other weights in time make other errors.",
        "Flow lines are the same on every path; solvers with finite steps make other errors in other coordinates.",
        "With finite steps, noise on the way does not keep the densities exactly.",
    ),
)

t = derivation.number("t", "the time", "time", between=(0, 1))
alpha = derivation.function(r"\alpha", "the coefficient of the data", "alpha")
sigma = derivation.function(r"\sigma", "the coefficient of the noise", "sigma")
a, s = alpha(t), sigma(t)
da, ds = a.diff(t), s.diff(t)
x = derivation.number("x", "a position", "x")
w = derivation.define("w", plus(da * s, -a * ds), "how fast the signal grows against the noise")

derivation.say("First, what the score says about noise and data.")
k = derivation.index("k", "a data point")
weight = derivation.law("q", k, "its probability")
point = derivation.numbers("c", k, "its position")
cloud = derivation.define(
    r"\phi", exp(-((x - a * point) ** 2) / (2 * s**2)), "the density at $x$ given the data point, but for a factor", over=k
)
density = derivation.define("p_t", Total(k, weight * cloud), "the density at $x$, but for the same factor")
given_x = derivation.define(r"\omega", weight * cloud / density, "the probability of the data point given $x$", over=k)
derivation.chain(
    "The score is the mean noise, divided by minus its deviation",
    times(-s, Slope(log(density), x)),
    equals(
        times(-s, Total(k, -(x - a * point) / s**2 * weight * cloud) / density),
        prose("{slope}", slope=holds(Slope(cloud, x), "=", times(-(x - a * point) / s**2, cloud))),
    ),
    equals(
        Total(k, given_x * (x - a * point) / s),
        r"Bayes' rule; given the data point, the noise is $(x - \alpha c_k)/\sigma$",
        wrong={"by the variance": Total(k, given_x * (x - a * point) / s**2)},
    ),
    role="lemma",
    so=prose(
        r"So the mean noise given $x$ is $-\sigma s_t$, and since $x$ is made of both, {both}, the mean of the data is $(x + "
        r"\sigma^2 s_t)/\alpha$.",
        both=holds(plus(a * Total(k, given_x * point), s * Total(k, given_x * (x - a * point) / s)), "=", x),
    ),
)

score = derivation.number("s_t", "the score at the position", "score")
mean_noise = derivation.define(r"\hat x_0", -s * score, "the mean noise given the position")
mean_data = derivation.define(r"\hat x_1", (x + s**2 * score) / a, "the mean of the data given the position")
velocity = derivation.define("u_t", plus(da * mean_data, ds * mean_noise), "the marginal velocity")
derivation.chain(
    "Velocity from score",
    velocity,
    equals(plus(da / a * (x + s**2 * score), -ds * s * score), "insert the two means; the expectation is linear"),
    equals(
        plus(da / a * x, s**2 * (da / a - ds / s) * score),
        "collect the score",
        wrong={"sigma for its square": plus(da / a * x, s * (da / a - ds / s) * score)},
    ),
    equals(plus(da / a * x, s * w / a * score), "one fraction", wrong={"by the noise": plus(da / a * x, w * score)}),
    central=True,
)
score_of_velocity = derivation.chain(
    "The velocity gives the score back wherever there is noise",
    (a * velocity - da * x) / (s * w),
    equals(score, "the same line, solved"),
    role="remark",
    so=r"This needs noise, a positive $\sigma$. At the start, where $\alpha$ is 0, it is $-x/\sigma^2$ for "
    "every velocity: the score of pure noise does not know the data, and there the score does not tell the velocity.",
)

derivation.say(r"Next, a model. A prediction is a pair $(\hat x_1, \hat x_0)$ that makes up the position; here any pair.")
data, noise = derivation.number("x_1", "a value for the data"), derivation.number("x_0", "a value for the noise")
place = derivation.define("x_t", plus(a * data, s * noise), "the position that they make up")
slope = derivation.define("v", plus(da * data, ds * noise), "the velocity that they make up", "velocity")
for name, combination, found in (
    ("data follow", (s * slope - ds * place) / w, data),
    ("noise follows", (da * place - a * slope) / w, noise),
):
    derivation.chain(
        f"The {name} from position and velocity",
        combination,
        equals(found, "the terms with the other one cancel, and what is left of the bracket is $w$ times this one"),
        role="lemma",
        so=""
        if found == data
        else r"Nothing is divided by $\alpha$ or $\sigma$: on the linear path, where $w$ is 1, a velocity "
        "tells data and noise at both ends, too.",
    )
other_noise = derivation.number(r"\tilde x_0", "another value for the noise at the same position")
other_data = derivation.define(r"\tilde x_1", (place - s * other_noise) / a, "the data that go with it")
velocity_error = (da * other_data + ds * other_noise - slope) ** 2
derivation.chain(
    "An error of the velocity is an error of the noise",
    velocity_error,
    equals(
        ((ds - da * s / a) * (other_noise - noise)) ** 2,
        prose(
            "{error}, as the position is the same",
            error=holds(plus(other_data, -data), "=", times(-s / a, plus(other_noise, -noise))),
        ),
    ),
    equals(w**2 / a**2 * (other_noise - noise) ** 2, prose("{bracket}", bracket=holds(plus(ds, -da * s / a), "=", -w / a))),
    so=r"Training the velocity by squared errors trains the noise with the weight $w^2/\alpha^2$ in time, and the data with "
    r"$w^2/\sigma^2$. To choose what is predicted is to choose a weight.",
)

# ---------------------------------------------------------------------------------------------------- diffusion

derivation.say("Now the models of diffusion. The variance-preserving one, at the rate of noise that it has at a time:")
A = derivation.number("A", r"a value of $\alpha$", "alpha", between=(0, 1))
rate = derivation.number(r"\beta", "the rate of the noise", positive=True)
root = sqrt(1 - A**2)
derivation.chain(
    "On the variance-preserving path the velocity is half the rate of the noise, times position plus score",
    plus(rate * A / 2 / A * x, root**2 * (rate * A / 2 / A + rate * A**2 / (2 * root) / root) * score),
    equals(
        rate / 2 * (x + score),
        prose(
            r"$\alpha$ grows at the rate $\frac12 \beta \alpha$, and $\sigma$, which is {deviation}, at {falls}; insert both",
            deviation=root,
            falls=holds(times(Slope(root, A), rate * A / 2), "=", -rate * A**2 / (2 * root), named=True),
        ),
    ),
    role="remark",
    so=r"Diffusion with the drift $-\frac12 \beta x$ and the noise $\sqrt\beta\, dW$ has the probability flow "
    r"$-\frac12 \beta (x + s_t)$. This is it with the other sign, since the time $\tau$ of diffusion, $1 - t$, runs the other "
    "way.",
)
scaled = derivation.define("y", place / (a + s), "the position in other coordinates", "rescale_to_linear")
share = derivation.define("r", a / (a + s), "the time in other coordinates", "rescale_to_linear")
derivation.chain(
    "The time of the other coordinates runs forward", Slope(share, t), equals(w / (a + s) ** 2, "the quotient rule"), role="lemma"
)
derivation.answer = prose(
    r"Of noise, data, score and velocity any one gives the others inside of the path, where $\alpha$ and $\sigma$ are "
    "positive: the velocity is {velocity}. A loss on one of them is a loss on another with another weight in time: for the "
    r"velocity a squared error of the noise counts {weight} times. In the coordinates $x/(\alpha + \sigma)$ and "
    r"$\alpha/(\alpha + \sigma)$ all paths are the linear one, {linear}, with one flow, and a step of DDIM is a step of "
    "Euler's method. Any amount of noise may be added on the way, if half of its variance times the score is added to the "
    "velocity.",
    velocity=holds(velocity, "=", plus(da / a * x, s * w / a * score), named=True, wrong={"no slope": plus(x, s * w * score)}),
    weight=holds(velocity_error / (other_noise - noise) ** 2, "=", w**2 / a**2, named=True),
    linear=holds(scaled, "=", plus(share * data, (1 - share) * noise)),
)
linear_path = derivation.chain(
    "In these coordinates every path is the linear one",
    scaled,
    equals(plus(share * data, (1 - share) * noise), "the shares of data and noise sum to one"),
    role="lemma",
)
derivation.chain(
    "In these coordinates all paths have one velocity, whatever the coefficients",
    Slope(scaled, t) / Slope(share, t),
    equals(
        ((da * data + ds * noise) * (a + s) - (da + ds) * (a * data + s * noise)) / w, "the quotient rule, and the result above"
    ),
    equals(data - noise, r"the bracket is $w (x_1 - x_0)$"),
    so="The mean of $x_1 - x_0$ given $y$ is the same for all paths, as a condition on $x_t$ is one on $y$. So "
    r"all paths have the flow lines of the linear one, and lead from the same noise to the same data if $\alpha$ vanishes at "
    r"the start and $\sigma$ at the end. The schedule of a trained model may be exchanged when it is sampled.",
)
a1, s1, a2, s2 = (
    derivation.number(name, meaning, positive=True)
    for name, meaning in (
        (r"\alpha_1", r"$\alpha$ before a step"),
        (r"\sigma_1", r"$\sigma$ before it"),
        (r"\alpha_2", r"$\alpha$ after it"),
        (r"\sigma_2", r"$\sigma$ after it"),
    )
)
derivation.chain(
    "A step of DDIM is a step of Euler's method",
    (a2 * data + s2 * noise) / (a2 + s2),
    equals(
        plus((a1 * data + s1 * noise) / (a1 + s1), (a2 / (a2 + s2) - a1 / (a1 + s1)) * (data - noise)),
        "DDIM without noise mixes the predictions at the position before the step with the coefficients after it. Add and "
        "subtract $y$ before the step",
    ),
    role="remark",
    so="It is the step of $r$ times the predicted velocity, for any coefficients. On the linear path itself $y$ "
    "is $x$, and $r$ is $t$.",
)

# ---------------------------------------------------------------------------------------------------- noise on the way

derivation.say(
    r"Last, noise. A process with the drift $b$ and the noise $g\, dW$ changes its density at the rate $-(b p)' + \frac12 "
    "g^2 p''$ of the Fokker-Planck equation, with slopes in $x$; the lecture on the score's equation derives it."
)
p = derivation.function("p", "a density on the line, at one time")
u = derivation.function("u", "the velocity of a flow that has this density", "velocity")
g = derivation.number("g", "the diffusion at this time", "diffusion", positive=True)
own_score = Slope(p(x), x) / p(x)
derivation.symbol("b", "a drift")
harmless = derivation.chain(
    "Noise that changes nothing",
    plus(-Slope((u(x) + g**2 / 2 * own_score) * p(x), x), g**2 / 2 * Slope(p(x), x, 2)),
    equals(
        plus(-Slope(u(x) * p(x), x), -(g**2) / 2 * Slope(p(x), x, 2), g**2 / 2 * Slope(p(x), x, 2)),
        "the score times the density is the slope of the density",
    ),
    equals(-Slope(u(x) * p(x), x), "what the noise spreads, the drift gathers"),
    so=r"The drift $u + \frac12 g^2 s_t$ with the noise $g\, dW$ has the densities of the flow, for every $g$, which may "
    "change with time. One network serves both: solved without noise, or sampled with as much as one likes.",
)
derivation.chain(
    "One amount of noise makes this process the reversal of diffusion",
    plus(2 * da / a * s**2, -2 * s * ds),
    equals(2 * s * w / a, r"one fraction", wrong={"the growth of the noise alone": -2 * s * ds}),
    role="remark",
    so=r"In the time $\tau$ of diffusion the data shrink at the rate $\alpha'/\alpha$, and $\sigma^2$ grows at "
    r"the rate $-2 \frac{\alpha'}{\alpha} \sigma^2 + g^2$: the first line is the $g^2$ that gives $\sigma$ its slope. With "
    r"this $g$ the process above is the reversal of diffusion (Anderson); for the variance-preserving path $g^2$ is $\beta$.",
)


derivation.numeric(
    r"\mathrm{Var}(x_1) = 4 \quad\text{for}\quad g = 0,\ 0.7,\ 2",
    because=r"Data $\mathcal{N}(0, 4)$ on the linear path, where velocity and score are linear in $x$: with the drift $m x$ "
    "the variance $V$ grows at the rate $2 m V + g^2$. 400 steps of a Runge-Kutta method with the code's drift, from the "
    "variance 1.",
    tolerance=1e-8,
    since="the solver takes finite steps",
    role="remark",
)(every_amount_of_noise_keeps_the_variance)


# ---------------------------------------------------------------------------------------------------- the code

B = derivation.number("b_0", r"a value of $\sigma$", "sigma", positive=True)
rise = derivation.number("a'", r"a value of $\alpha'$", "alpha_slope", positive=True)
fall = derivation.number("b'", r"a value of $-\sigma'$", "-sigma_slope", positive=True)
v = derivation.number("v_0", "a value of the velocity", "velocity")
whole = plus(rise * B, A * fall)
path = {"alpha": [A], "sigma": [B], "alpha_slope": [rise], "sigma_slope": [-fall]}
derivation.bridge(
    "The code's velocity",
    plus(rise / A * x, B**2 * (rise / A + fall / B) * score),
    velocity_from_score,
    x=[[x]],
    score=[[score]],
    **path,
    wrong={"sigma for its square": plus(rise / A * x, B * (rise / A + fall / B) * score)},
)
derivation.bridge("... its score", (A * v - rise * x) / (B * whole), score_from_velocity, x=[[x]], velocity=[[v]], **path)
derivation.bridge(
    "... its data and its noise",
    ((B * v + fall * x) / whole, (rise * x - A * v) / whole),
    predictions_from_velocity,
    x=[[x]],
    velocity=[[v]],
    **path,
)
derivation.bridge(
    "... its position and its time on the linear path",
    (x / (A + B), A / (A + B)),
    rescale_to_linear,
    x=[[x]],
    alpha=[A],
    sigma=[B],
    wrong={"the share of the noise": (x / (A + B), B / (A + B))},
)
derivation.bridge("... its drift", plus(v, g**2 / 2 * score), stochastic_drift, velocity=[[v]], score=[[score]], diffusion=[g])
derivation.bridge("... and its weight of the noise", (whole / A) ** 2, loss_weight_between, **path)


_DATA, _WEIGHTS = np.array([-1.0, 0.5, 2.0]), np.array([0.2, 0.5, 0.3])


def _log_density(place, alpha, sigma):
    return jax.nn.logsumexp(np.log(_WEIGHTS) - ((place - alpha * _DATA) / sigma) ** 2 / 2)


@derivation.autodiff(
    r"u_t(x) = \sum_k \omega_k\, \big(\alpha' c_k + \sigma' x_0\big) \quad\text{from the slope of}\quad \log p_t",
    because="Data on three points, the position 0.7 at the time 0.4 on the linear, the cosine and the variance-preserving "
    "path. Left the code's velocity, from the derivative of the log-density; right the mean of the velocities to each data "
    "point, which are those of the lecture on probability paths.",
    role="remark",
)
def the_velocity_of_three_paths():
    time, found, wanted = jnp.array(0.4), [], []
    for coefficients in ((time, 1 - time, 1.0, -1.0), cosine_coefficients(time), variance_preserving_coefficients(time)):
        at = [jnp.full(3, float(c)) for c in coefficients]
        place, targets = jnp.full((3, 1), 0.7), jnp.array(_DATA)[:, None]
        slope_there = jax.grad(_log_density)(0.7, *(one[0] for one in at[:2]))
        found.append(velocity_from_score(place[:1], slope_there[None, None], *(one[:1] for one in at))[0, 0])
        scores = np.log(_WEIGHTS) - ((0.7 - at[0][0] * _DATA) / at[1][0]) ** 2 / 2
        wanted.append(jax.nn.softmax(scores) @ conditional_velocity(place, targets, *at)[:, 0])
    found, wanted = jnp.stack(found), jnp.stack(wanted)
    return Sides(left=found, right=wanted, wrong={"the time of diffusion": -wanted})


# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _vector(*numbers):
    return [jnp.array([float(number)]) for number in numbers]


def _half(function, prediction):
    """A conversion at x = 1/2 and t = 1/2 of the linear path."""
    return function(jnp.full((1, 1), 0.5), jnp.full((1, 1), prediction), *_vector(0.5, 0.5, 1, -1))


@derivation.algorithm(
    "Sampling with a trained velocity, with as much noise as one likes",
    do(r"$x \leftarrow$ standard normal noise; for each step of length $h$ from the time $t$:"),
    do(r"$v \leftarrow$ the model's velocity at $x$ and $t$", indent=1),
    do(r"$s_t \leftarrow (\alpha v - \alpha' x) / (\sigma w)$", score_from_velocity, by=score_of_velocity, indent=1),
    do(r"$b \leftarrow v + \frac12 g^2 s_t$", stochastic_drift, by=harmless, indent=1),
    do(r"$x \leftarrow x + h b + g \sqrt h\, z$ with fresh standard normal $z$", by=harmless, indent=1),
    do(r"of a model on another path: first $y \leftarrow x / (\alpha + \sigma)$ and its $r$", rescale_to_linear, by=linear_path),
)
def two_steps_with_noise():
    x, time = jnp.full(1, 0.5), 0.5
    y, r = rescale_to_linear(x[:, None], *_vector(time, 1 - time))
    yield r"\text{data } \pm 1, \ x = t = \tfrac12: \quad (y, r)", jnp.array([y[0, 0], r[0]]), "(0.5, 0.5)"
    for z, drift, after in ((1.0, "0.2848", "0.8447"), (-1.0, "-0.3920", "0.4893")):
        speed = sign_field(x, time)
        there = score_from_velocity(x[:, None], speed[:, None], *_vector(time, 1 - time, 1, -1))
        b = stochastic_drift(speed[:, None], there, jnp.ones(1))[0, 0]
        yield rf"t = {time:g}, \ g = 1: \quad b", b, drift
        x, time = x + 0.1 * b + math.sqrt(0.1) * z, time + 0.1
        yield rf"h = 0.1, \ z = {z:g}: \quad x", x, after


@derivation.example(
    r"Data 1 and $-1$ with equal chances, the linear path, and the position $\frac12$ at time $\frac12$. The mean of the "
    r"data there is $\tanh(\alpha x/\sigma^2)$, here $\tanh 1$, and that of the noise $1 - \tanh 1$."
)
def half_way():
    score_there = -2 * (1 - math.tanh(1.0))
    speed = _half(velocity_from_score, score_there)
    yield r"s_t = -\mathbb{E}[x_0|x]/\sigma", score_there, "-0.47681"
    yield r"u_t = 1 - 0.47681", speed, "0.52319"
    pair = _half(predictions_from_velocity, float(speed[0, 0]))
    yield r"\hat x_1", pair[0], "0.76159"
    yield r"\hat x_0", pair[1], "0.23841"
    yield r"\text{score again}", _half(score_from_velocity, float(speed[0, 0])), "-0.47681"
    yield r"w^2/\alpha^2 \text{ at } t = \tfrac14", loss_weight_between(*_vector(0.25, 0.75, 1, -1)), "16"
    step = rescale_to_linear(jnp.full((1, 1), 0.5), *_vector(0.6, 0.8))
    yield (
        r"y,\ r \text{ for } x = 0.5,\ (\alpha, \sigma) = (0.6, 0.8)",
        jnp.stack([step[0][0, 0], step[1][0]]),
        "(0.3571, 0.4286)",
    )


derivation.figure(
    r"Data $\pm 1$. Left: where four flow lines, the quantiles $0.1, 0.3, 0.7, 0.9$, run on the linear, the cosine and the "
    r"variance-preserving path. Right: the same lines in the coordinates $y$ and $r$, where they fall on one another.",
    panels=2,
)(one_flow_in_two_pictures)
