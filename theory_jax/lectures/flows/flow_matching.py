"""Flow matching: a field that no one can compute, learned from pairs that anybody can draw.

The lecture on the functions of theory_jax/flows/flow_matching.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import exp, log, sin, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.flows.flow_matching import (
    conditional_flow_matching_loss,
    data_prediction,
    logit_normal_times,
    marginal_velocity,
    mixture_velocity,
)
from theory_jax.flows.ode_solvers import solve_fixed

derivation = Derivation(
    module=__name__,
    title="Flow matching: a field that no one can compute, learned from pairs that anybody can draw",
    sources=(
        "Lipman, Chen, Ben-Hamu, Nickel & Le 2023, Flow matching for generative modeling",
        "Liu, Gong & Liu 2023, Flow straight and fast: learning to generate and transfer data with rectified flow",
        "Albergo & Vanden-Eijnden 2023, Building normalizing flows with stochastic interpolants",
        "Tong et al. 2024, Improving and generalizing flow-based generative models with minibatch optimal transport",
        "Esser et al. 2024, Scaling rectified flow transformers for high-resolution image synthesis",
        "Atchison & Shen 1980, Logistic-normal distributions: some properties and uses",
    ),
    question="A velocity field that carries noise to one data point is known in closed form. The field that carries noise to the "
    "whole law of the data is an average over all of them, which cannot be computed. Why does least squares on single pairs "
    "find it?",
    setting=(
        r"A condition $z$ with the law $q$, usually a data point, selects a path of densities $p_t(\cdot|z) > 0$ and a velocity "
        r"that carries them; both are differentiable, and sums over $z$ exchange with derivatives. The chains have two or three "
        r"conditions.",
        r"A model $v$ of the velocity is trained on pairs: a condition is drawn from $q$, a place from $p_t(\cdot|z)$, and the "
        r"time from any density that is positive on $(0, 1)$. Second moments are finite.",
        r"The standard case: the condition is the data point $x_1$, independent of the noise $x_0 \sim \mathcal{N}(0, I)$, and "
        r"the path is linear, $x_t = (1 - t) x_0 + t x_1$. The velocity of a pair is $x_1 - x_0$. Formulas are written for one "
        r"coordinate, except where two are shown.",
    ),
    answer=r"The densities of the conditions, averaged, are carried by the average of their velocities under the posterior law "
    r"of the condition given the place. Least squares on pairs has this average as its minimizer, and at every model the same "
    r"gradient as least squares on the average itself: the two losses differ by the variance of the velocity given the place, "
    r"which no model can reduce. So the loss of a perfect model is the mean of this variance: zero only if the place always "
    r"tells the velocity, as for one data point.",
    limits=(
        r"The bound on the error of samples is void where the field is not Lipschitz up to time 1, as for discrete data.",
        "Generalization: the exact minimizer on a finite set of data returns these data.",
        "That a flow has one solution up to every time before 1, and that the continuity equation determines its densities.",
    ),
)

t = derivation.number("t", "the time, from noise to data", "time", between=(0, 1))
z = derivation.index("z", "a condition, a data point for example")
q = derivation.law("q", z, "the law of the condition")
c = derivation.numbers("c", z, "what the condition is: the data point")
y1, y2 = (derivation.number(f"y_{k}", f"coordinate {k} of a place") for k in (1, 2))
ell = derivation.function(r"\ell", "the log-density of a place at a time, given the condition", arguments=4)
f = derivation.function("f", "coordinate 1 of the velocity, given the condition", arguments=4)
g = derivation.function("g", "coordinate 2 of the velocity, given the condition", arguments=4)
f_z, g_z = f(c, y1, y2, t), g(c, y1, y2, t)
given = derivation.define("p_t(y|{})", exp(ell(c, y1, y2, t)), "the density given the condition", over=z, positive=True)
density = derivation.define("p_t(y)", Expectation(q, given), "the density of all conditions together", positive=True)
reverse = derivation.define("p_t({}|y)", q * given / density, "the law of the condition given the place", over=z, law=True)
bar_f = derivation.define(r"\bar f", Expectation(reverse, f_z), "coordinate 1 of the mean velocity given the place")
bar_g = derivation.define(r"\bar g", Expectation(reverse, g_z), "coordinate 2 of the mean velocity given the place")
derivation.say(
    r"Which field carries the average of all densities? A field carries a density if no mass is lost: the continuity equation, "
    r"$\partial_t p + \nabla \cdot (p\, u) = 0$. Take its left side for the average density and the mean velocity."
)
carried = derivation.chain(
    "The mean velocity given the place carries the average density",
    plus(Slope(density, t), Slope(density * bar_f, y1), Slope(density * bar_g, y2)),
    equals(
        plus(Slope(density, t), Slope(Expectation(q, given * f_z), y1), Slope(Expectation(q, given * g_z), y2)),
        r"$p_t(y)\, p_t(z|y) = q_z\, p_t(y|z)$: what averages under $q$ is the flux, density times velocity, not the velocity",
        wrong={"no density": plus(Slope(density, t), Slope(Expectation(q, f_z), y1), Slope(Expectation(q, g_z), y2))},
    ),
    equals(Expectation(q, plus(Slope(given, t), Slope(given * f_z, y1), Slope(given * g_z, y2))), "the derivative of a sum"),
    states=2,
    so=r"Each term of the last line is 0, since the velocity of each condition carries its density. So the first line is 0.",
)

derivation.say(
    r"Now the training. Let $x_t$ have finitely many places $k$; a pair draws $z$ from $q$ and $k$ given $z$, and the target is "
    r"$u_{kz}$. The model is a function of the place $s_k$ and of a parameter $\theta$."
)
k = derivation.index("k", "a place")
place = derivation.numbers("s", k, "where it is", "x_t")
theta = derivation.number(r"\theta", "a parameter of the model")
v = derivation.function("v", "the model of the velocity", "velocity_fn", arguments=2)
answer = v(place, theta)
kernel = derivation.law("p({}|{})", (k, z), "the law of the place given the condition")
target = derivation.numbers("u", (k, z), "the velocity at a place, given the condition", "x1 - x0")
visited = derivation.define("p({})", Expectation(q, kernel), "the law of the place", over=k, law=True)
posterior = derivation.define("p({}|{})", q * kernel / visited, "the law of the condition given the place", over=(z, k), law=True)
mean = derivation.define(r"\bar u", Expectation(posterior, target), "the mean velocity given the place", over=k)
conditional = derivation.define(
    r"L_{\mathrm{CFM}}",
    Expectation(q, Expectation(kernel, (answer - target) ** 2)),
    "the loss on pairs",
    "conditional_flow_matching_loss",
)
marginal = derivation.define(
    r"L_{\mathrm{FM}}", Expectation(visited, (answer - mean) ** 2), "the loss on the mean velocity", positive=True
)
floor = derivation.define("F", Expectation(visited, Variance(posterior, target)), "the floor")
losses = derivation.chain(
    "The loss on pairs is the loss on the mean velocity plus a constant",
    conditional,
    equals(
        Expectation(visited, Expectation(posterior, (answer - target) ** 2)),
        "Bayes' rule: draw the place first, then the condition given the place",
        wrong={"the mean inside": Expectation(visited, (answer - Expectation(posterior, target)) ** 2)},
    ),
    equals(
        plus(marginal, floor),
        r"expand around the mean $\bar u_k$; the cross term is $2 (v - \bar u_k)\, \mathbb{E}[\bar u_k - u_{kz}|k] = 0$",
    ),
    at_least(floor, r"leave out a square; equality if and only if $v = \bar u_k$ at every place", dropping=marginal),
    states=2,
    central=True,
    uses=(carried,),
    so=r"The floor does not contain the model. It is what the place does not tell about the velocity: where paths to different "
    r"data cross, no model can follow both. A loss that stops falling above 0 is therefore no failure.",
)
derivation.chain(
    "So their gradients are equal",
    Slope(conditional, theta),
    equals(Slope(marginal, theta), r"the chain above, differentiated: the floor has no $\theta$ in it"),
    equals(
        Expectation(visited, 2 * (answer - mean) * Slope(answer, theta)),
        "the chain rule",
        wrong={"the two forgotten": Expectation(visited, (answer - mean) * Slope(answer, theta))},
    ),
    states=2,
    uses=(losses,),
    so="A step of gradient descent on pairs is, on average, a step towards the velocity that carries the average density, "
    "although no step ever saw it. Averages over the time change nothing in this.",
)

derivation.say("The linear path to data on finitely many points: what the network learns, exactly.")
x = derivation.number("x", "a place", "x")
n = derivation.index("n", "a data point")
d = derivation.numbers("d", n, "its value", "data")
rest = derivation.define(r"\rho", (1 - t) ** 2, "the variance of what the place has of the noise", positive=True)
tilt = exp(-((x - times(t, d)) ** 2) / (2 * rest))
omega = derivation.define(r"\omega", tilt / Total(n, tilt), "the law of the data point given the place", over=n, law=True)
noise_of = derivation.define(r"\xi", (x - times(t, d)) / (1 - t), "the noise that leads to the place", "x0", over=n)
u = derivation.define("u", Expectation(omega, d - noise_of), "the mean velocity at the place", "marginal_velocity")
derivation.chain(
    "The mean velocity points at the mean of the data given the place",
    Expectation(omega, plus(d, -noise_of)),
    equals(
        Expectation(omega, (d - x) / (1 - t)),
        r"$(1 - t) d_n - x + t d_n = d_n - x$: both velocities of a pair",
        wrong={"from data to noise": Expectation(omega, (x - d) / (1 - t))},
    ),
    equals(
        plus(Expectation(omega, d), -x) / (1 - t),
        "the place is given",
        wrong={"all data alike": plus(Total(n, d) / 3, -x) / (1 - t)},
    ),
    so=r"The weights are Bayes' rule: given $d_n$ the place is $\mathcal{N}(t d_n, \rho)$. At time 0 they are all equal, and "
    r"the velocity is the mean of the data minus the place.",
)
derivation.chain(
    "The velocity predicts the data",
    plus(x, times(1 - t, u)),
    equals(Expectation(omega, d), "solve for the mean", wrong={"the noise": Expectation(omega, noise_of)}),
)
derivation.chain(
    "... and the noise",
    plus(x, -times(t, u)),
    equals(Expectation(omega, noise_of), r"$x = t d_n + (1 - t) \xi_n$ for every $n$, so also on average"),
)
derivation.chain(
    "Where the data are undecided the flow spreads",
    Slope(u, x),
    equals(plus(Slope(Expectation(omega, d), x), -1) / (1 - t), "the chain on the mean velocity"),
    equals(
        plus(times(t / rest, Variance(omega, d)), -1) / (1 - t),
        r"the slope of a softmax: $\partial \omega_n / \partial x = \frac{t}{\rho} \omega_n (d_n - \mathbb{E}_\omega[d])$",
        wrong={"the second moment": plus(times(t / rest, Expectation(omega, d**2)), -1) / (1 - t)},
    ),
    states=2,
    so=r"Between two data points the variance is large and flow lines part. Near one point it is 0, and they close in with the "
    r"rate $\frac{1}{1 - t}$.",
)

derivation.say("Data from a Gaussian: with it, and its mixtures, networks and samplers can be judged exactly.")
noise, data = derivation.number("x_0", "the noise", "x0"), derivation.number("x_1", "the data", "x1")
m = derivation.number("m", "the mean of the data", "means")
s = derivation.number(r"\sigma^2", "their variance", "exp(log_vars)", positive=True)
x_t = derivation.define("x_t", plus(times(1 - t, noise), times(t, data)), "the place of a pair")
V = derivation.define("V", (1 - t) ** 2 + t**2 * s, "the variance of the place", positive=True)
slope = derivation.define(r"\beta", (t * s - (1 - t)) / V, "how the velocity depends on the place")
U = derivation.define("U", plus(m, times(slope, x - times(t, m))), "the mean velocity at the place", "mixture_velocity")


def _over_pairs(body):
    return Expectation(Normal(noise, 0, 1), Expectation(Normal(data, m, s), body))


left_over = plus(data, -noise, -m, -times(slope, plus(x_t, -times(t, m))))
derivation.chain(
    "Regression of the velocity on the place leaves nothing that the place explains",
    _over_pairs(times(left_over, plus(x_t, -times(t, m)))),
    equals(
        plus(t * s - (1 - t), -times(slope, V)),
        r"$\mathrm{Cov}(x_1 - x_0, x_t) = t \sigma^2 - (1 - t)$, and $\mathrm{Var}(x_t) = V$",
        wrong={"covariances added": plus(t * s + (1 - t), -times(slope, V))},
    ),
    equals(0, r"the definition of $\beta$", wrong={"the variance": V}),
    so=r"Gaussian variables that are uncorrelated are independent: given the place the velocity has the mean $U = m + \beta (x - "
    r"t m)$, at every place. A mixture of Gaussians takes the component as the condition: the fields of its components, averaged "
    "by the law of the component given the place, carry the mixture.",
)
derivation.chain(
    "The floor of Gaussian data",
    _over_pairs(left_over**2),
    equals(
        plus(1 + s, -times(slope**2, V)),
        r"$\mathrm{Var}(x_1 - x_0) = 1 + \sigma^2$; regression takes away $\beta^2 V$",
        wrong={"the slope not squared": plus(1 + s, -times(slope, V))},
    ),
    equals(s / V, r"$(1 + \sigma^2) V - (t \sigma^2 - (1 - t))^2 = \sigma^2$: multiply out"),
    so="At time 0 it is the variance of the data, at time 1 that of the noise: at the ends one end of the pair is seen. "
    r"For uniform times its mean is $\frac{\pi}{2} \sigma$ (exercise 2, and derived in the lecture on rectified flow).",
)
derivation.chain(
    "Noise flows to Gaussian data along hyperbolas",
    Slope(times(sqrt(V), noise), t),
    equals(times(slope, sqrt(V), noise), r"$V' = 2 \beta V$, so $(\sqrt V)' = \beta \sqrt V$"),
    so=r"This is the velocity for $m = 0$ at $x = \sqrt V x_0$: the flow line of $x_0$. It is curved, although every pair is "
    r"joined by a line, and ends at $\sigma x_0$.",
)
derivation.say(
    r"What does a small loss promise? Start the learned flow and the true one at the same noise; $\epsilon$ is the distance of "
    r"their places. It changes by the model's difference between the two places, at most $\Lambda \epsilon$, plus the error of "
    "the model at the true place."
)
r = derivation.index("r", "a start")
starts = derivation.law("w", r, "the law of the starts")
apart = derivation.numbers(r"\epsilon", r, "the distance of the learned place from the true one")
error = derivation.numbers("b", r, "the error of the model at the true place")
Lambda = derivation.number(r"\Lambda", "a Lipschitz constant of the model", positive=True)
drift = derivation.numbers("a", r, "the model's difference between the places")
lipschitz = derivation.assume("The model is Lipschitz", Lambda * apart**2 - apart * drift)
derivation.chain(
    "How fast the two flows part",
    Expectation(starts, times(2, apart, plus(drift, error))),
    at_most(
        plus(times(2 * Lambda, Expectation(starts, apart**2)), Expectation(starts, times(2, apart, error))),
        r"Lipschitz: $\epsilon_r a_r \le \Lambda \epsilon_r^2$",
        adding=Expectation(starts, 2 * lipschitz.at()),
    ),
    at_most(
        plus(times(2 * Lambda + 1, Expectation(starts, apart**2)), Expectation(starts, error**2)),
        r"$2 \epsilon b \le \epsilon^2 + b^2$: add a square",
        adding=Expectation(starts, (apart - error) ** 2),
    ),
    states=2,
    so=r"The first line is the slope of $\mathbb{E}[\epsilon^2]$ in the time, and the last term is the loss at that time. "
    r"Multiply by $e^{-(2 \Lambda + 1) t}$ and integrate from 0, where the flows start together: $\mathbb{E}[\epsilon^2]$ at "
    r"time 1 is at most $e^{2 \Lambda + 1} L_{\mathrm{FM}}$ for uniform times. The squared Wasserstein distance of samples and "
    r"data is not more.",
)

derivation.bridge(
    "The code's loss of a pair, for a model that is a sine plus the time",
    (plus(sin(x_t), t, -data, noise)) ** 2,
    conditional_flow_matching_loss,
    x0=[[noise]],
    x1=[[data]],
    time=[t],
    velocity_fn=lambda x, time: jnp.sin(x) + time[:, None],
    wrong={"from data to noise": (plus(sin(x_t), t, data, -noise)) ** 2},
)
derivation.bridge(
    "... its mean velocity on finitely many data",
    u,
    marginal_velocity,
    x=[x],
    data=d,
    time=[t],
    wrong={"from data to noise": -u, "all data alike": plus(Total(n, d) / 4, -x) / (1 - t)},
)


derivation.bridge(
    "... and the data that it predicts",
    Expectation(omega, d),
    data_prediction,
    x=[x],
    velocity=[u],
    time=[t],
    wrong={"the noise": Expectation(omega, noise_of)},
)
j = derivation.index("j", "a component of a mixture")
weight = derivation.law("w'", j, "its weight", "exp(log_weights)")
mu = derivation.numbers(r"\mu", j, "its mean", "means")
tau = derivation.numbers(r"\tau", j, "its variance", "exp(log_vars)", positive=True)
V_j = derivation.define("V", (1 - t) ** 2 + t**2 * tau, "the variance of the place, of a component", over=j, positive=True)
share = weight * exp(LogDensity(x, times(t, mu), V_j))
shares = derivation.define("p({}|x)", share / Total(j, share), "the law of the component given the place", over=j, law=True)
derivation.bridge(
    "The velocity of a mixture",
    Expectation(shares, plus(mu, times((t * tau - (1 - t)) / V_j, x - times(t, mu)))),
    mixture_velocity,
    x=[[x]],
    time=[t],
    means=[[mu.at(number)] for number in range(4)],
    log_vars=log(tau),
    log_weights=log(weight),
    wrong={"the weights of the mixture": Expectation(weight, plus(mu, times((t * tau - (1 - t)) / V_j, x - times(t, mu))))},
)
shift = derivation.number("o", "the mean of a logit", "mean")
spread = derivation.number("l", "its deviation", "std", positive=True)
normal = derivation.number("g", "a standard normal number", "normals")
derivation.bridge(
    "The code's times: their logit is normal",
    1 / (1 + exp(-(shift + spread * normal))),
    logit_normal_times,
    normals=[normal],
    mean=shift,
    std=spread,
    wrong={"noise and data exchanged": 1 / (1 + exp(shift + spread * normal))},
)

_MEANS, _LOG_VARS, _LOG_WEIGHTS = np.array([[-1.5], [1.0]]), np.log([0.25, 0.09]), np.log([0.3, 0.7])
derivation.symbol("P", "probability")
derivation.symbol("X_1", "the data")
derivation.symbol("X_0", "the noise")


@derivation.numeric(
    r"P(X_1 \le x_1) = P(X_0 \le x_0)",
    because=r"In one dimension flow lines do not cross, so the flow keeps the share that is below each. The exact field of a "
    r"mixture of two Gaussians, by 48 steps of Runge and Kutta's method from seven starts $x_0$ to their ends $x_1$.",
    tolerance=1e-5,
    since="the steps have an error of the fourth power of their length",
)
def the_flow_carries_noise_to_the_data():
    start = jnp.linspace(-2.1, 2.1, 7)

    def field(x, time):
        return mixture_velocity(x, jnp.full(7, time), _MEANS, _LOG_VARS, _LOG_WEIGHTS)

    end = solve_fixed(start[:, None], jnp.linspace(0.0, 1.0, 49), field)
    below = jax.scipy.stats.norm.cdf((np.asarray(end) - _MEANS.T) / np.exp(_LOG_VARS / 2)) @ np.exp(_LOG_WEIGHTS)
    return Sides(left=below, right=jax.scipy.stats.norm.cdf(start), wrong={"the other end": below[::-1]})


_SIGNS = jnp.array([[1.0], [-1.0]])


def _sign_field(x, time):
    """The mean velocity for data 1 and -1, equally likely, at places [B]."""
    return marginal_velocity(x[:, None], _SIGNS, jnp.full(len(x), time))[:, 0]


def _sign_mean(x, time):
    return data_prediction(x[:, None], _sign_field(x, time)[:, None], jnp.full(len(x), time))[:, 0]


@derivation.example(
    r"Data 1 and $-1$, equally likely; $t = \frac12$ and $x = \frac12$. Then $d_n = 1$ needs $\xi_n = 0$, and $-1$ needs 2: the "
    r"velocities 1 and $-3$."
)
def two_points():
    half = jnp.array([0.5])
    mean = _sign_mean(half, 0.5)[0]
    yield r"p(1|x), p(-1|x)", jnp.array([1 + mean, 1 - mean]) / 2, "(0.8808, 0.1192)"
    yield r"\mathbb{E}[x_1|x] = \tanh 1", mean, "0.7616"
    yield r"u", _sign_field(half, 0.5), "0.5232"
    losses = conditional_flow_matching_loss(
        jnp.array([0.0, 2.0]), jnp.array([1.0, -1.0]), jnp.full(2, 0.5), lambda x, time: _sign_field(x, 0.5)
    )
    yield r"\text{losses}", losses, "(0.2273, 12.4129)"
    yield r"\text{floor}", losses @ jnp.array([1 + mean, 1 - mean]) / 2, "1.6799"


@derivation.figure(
    r"Left: pairs are joined by lines (gray), which cross; the flow lines of the mean velocity (colored) do not, and part "
    r"between the data 1 and $-1$. Right: the floor of the loss at each time. For the two points it falls to 0 once the place "
    r"tells the data; for Gaussian data of variance 4 and 1 it ends at the variance of the noise.",
    panels=2,
)
def fan_and_floor(fan, floors):
    rng, times = np.random.default_rng(0), np.linspace(0, 0.99, 34)
    for start, sign in zip(rng.standard_normal(24), rng.choice([-1.0, 1.0], 24), strict=True):
        fan.plot([0, 1], [start, sign], color="gray", alpha=0.4, linewidth=0.7)
    lines = [jnp.linspace(-2, 2, 10)]
    for now, then in zip(times, times[1:], strict=False):
        lines.append(lines[-1] + (then - now) * _sign_field(lines[-1], now))
    fan.plot(times, np.stack(lines), color="C0", linewidth=1.3)
    fan.set(xlabel="$t$", ylabel="$x$")
    points, grid = np.polynomial.hermite_e.hermegauss(40), np.linspace(0, 0.95, 20)
    places = [jnp.asarray(time + (1 - time) * points[0]) for time in grid]  # of data 1; -1 is its mirror image
    variance = [(1 - _sign_mean(x, time) ** 2) / (1 - time) ** 2 for x, time in zip(places, grid, strict=True)]
    floors.plot(grid, np.stack(variance) @ points[1] / math.sqrt(2 * math.pi), label="two points")
    for spread in (4, 1):
        floors.plot(grid, spread / ((1 - grid) ** 2 + spread * grid**2), label=f"Gaussian, variance {spread}")
    floors.set(xlabel="$t$", ylabel="floor of the loss")
    floors.legend()


@derivation.exercise(
    "What is the velocity at time 0, for data with any law that has a mean? Compute it for the points 1 and $-3$ at the place "
    "0.5.",
    r"The place is the noise and tells nothing about the data, so it is the mean of the data minus the place: $-1 - 0.5 = -1.5$.",
)
def velocity_at_the_start():
    yield marginal_velocity(jnp.array([[0.5]]), jnp.array([[1.0], [-3.0]]), jnp.zeros(1)), "-1.5"


@derivation.exercise(
    r"How large is the floor for Gaussian data of variance 4 at $t = \frac12$, and for uniform times?",
    r"$V = 1.25$, so the floor is $\frac{4}{1.25} = 3.2$. For uniform times it is $\frac{\pi}{2} \cdot 2 = 3.1416$.",
)
def floor_of_gaussian_data():
    yield 4 / (0.25 + 0.25 * 4), "3.2"
    grid = (np.arange(2000) + 0.5) / 2000
    yield np.mean(4 / ((1 - grid) ** 2 + 4 * grid**2)), "3.1416"


@derivation.exercise(
    r"A model errs by $\delta$ everywhere for Gaussian data of variance 4 and mean 0. How far from the data are its samples, and "
    r"what does the bound say? The true field has the largest slope $\frac54$.",
    r"$\epsilon' = \beta \epsilon + \delta$ has the solution $\epsilon = \delta \sqrt V \int_0^t V^{-1/2}$, at time 1 "
    r"$\epsilon^2 = 2.964\, \delta^2$. The bound is $e^{3.5} \delta^2 = 33.115\, \delta^2$.",
)
def error_and_bound():
    end = solve_fixed(
        jnp.zeros((1, 1)),
        jnp.linspace(0.0, 1.0, 33),
        lambda x, time: 1 + mixture_velocity(x, time[None], np.zeros((1, 1)), np.log([4.0]), np.zeros(1)),
    )
    yield end[0, 0] ** 2, "2.964"
    yield math.exp(3.5), "33.115"
