"""DPM-Solver: the linear part of the probability flow solved exactly, the rest in steps of order one and two.

The lecture on the functions of theory_jax/diffusion/dpm_solver.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Integral, Rational, Symbol, exp, log, sqrt

from shared_specs.palette import BLUE
from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.diffusion._gaussian_data import noised_variance
from theory_jax.diffusion.dpm_solver import (
    first_order_step,
    half_log_snr,
    multistep_sample,
    multistep_second_order_step,
    singlestep_second_order_step,
)
from theory_jax.diffusion.noise_schedules import linear_alpha_bar

derivation = Derivation(
    module=__name__,
    title="DPM-Solver: the linear part of the probability flow solved exactly, the rest in few steps",
    sources=(
        "Lu, Zhou, Bao, Chen, Li & Zhu 2022, DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling",
        "Lu, Zhou, Bao, Chen, Li & Zhu 2022, DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
        "Hochbruck & Ostermann 2010, Exponential integrators",
    ),
    question="A general solver approximates all of the probability flow's velocity, also the scaling of $x$, which is known. "
    "What is left if that part is solved exactly, and which steps of order one and two follow?",
    setting=(
        r"$x_t = \alpha x_0 + \sigma \epsilon$ with positive, smooth $\alpha$ and $\sigma$ of the time $t$, whose ratio falls. "
        r"Half the log-SNR is $\lambda = \log \frac{\alpha}{\sigma}$. A step goes back in time, from $x_s$ at $\lambda_s$ to "
        r"$x_t$ at $\lambda_t = \lambda_s + h$ with $h > 0$.",
        r"The forward equation is $dx = f\, dt + g\, dw$ with $f = \frac{\alpha'}{\alpha} x$ and $g^2 = (\sigma^2)' - 2 "
        r"\frac{\alpha'}{\alpha} \sigma^2$, which has the variance of $x_t$. The flow is $\dot x = f - \frac12 g^2 s$ with the "
        r"score $s$ (lecture on the flow).",
        r"The network predicts the noise, $\hat\epsilon = -\sigma s$, or the data, $\hat x_0 = (x - \sigma "
        r"\hat\epsilon)/\alpha$; both are smooth. A local error is that of one step from the exact solution, with exact earlier "
        "predictions.",
        r"Only the code needs $\alpha^2 + \sigma^2 = 1$: then $\alpha$ and $\sigma$ are the square roots of the sigmoids of $2 "
        r"\lambda$ and $-2 \lambda$.",
    ),
    answer=r"On the clock $\lambda$ the flow is $\frac{d}{d\lambda} \frac{x}{\sigma} = e^\lambda \hat x_0$, in which no schedule "
    r"is left. A prediction that is frozen over the step gives DDIM, of order one. A guess of the prediction in the middle of "
    r"the step gives order two: DPM-Solver++ 2M extrapolates it from the last two predictions, with one evaluation for each "
    r"step, and DPM-Solver-2 evaluates it after half a step.",
    limits=(
        "That local errors add up to a global error of one order less (stability; lecture on solvers).",
        r"Learned predictions. They are not smooth at large $\lambda$, where order two gains less, and clipping $\hat x_0$ "
        "breaks the smoothness, too.",
        "Order three.",
    ),
    trained="A sampler needs a trained model and no training of its own. `python -m practice_torch sample RUN --sampler "
    "dpm_solver --steps 10` draws with the models of `diffusion/training` and of `diffusion/score_prediction`.",
)

# ---------------------------------------------------------------------------------------------------- one clock

time = derivation.number("t", "the time")
log_alpha = derivation.function("p", r"the logarithm of $\alpha$")
log_sigma = derivation.function("q", r"the logarithm of $\sigma$")
alpha = derivation.define(r"\alpha", exp(log_alpha(time)), "the weight of the data", "sqrt(alpha_bar)", positive=True)
sigma = derivation.define(r"\sigma", exp(log_sigma(time)), "the weight of the noise", "sqrt(1 - alpha_bar)", positive=True)
clock = derivation.define(r"\lambda", log(alpha / sigma), "half the log-SNR", "half_log_snr(alpha_bar)")
x = derivation.number("x", "a place", "x")
noise = derivation.number(r"\hat\epsilon", "the prediction of the noise there", "denoise_fn(x, lambda_from)")
data = derivation.define(r"\hat x_0", (x - sigma * noise) / alpha, "the prediction of the data", "x0_pred")
growth = plus(Slope(sigma**2, time), -2 * Slope(alpha, time) / alpha * sigma**2)
diffusion = derivation.chain(
    "The noise that enters moves the clock",
    growth,
    equals(2 * sigma**2 * (Slope(sigma, time) / sigma - Slope(alpha, time) / alpha), "the chain rule; factor out"),
    equals(
        -2 * sigma**2 * Slope(clock, time),
        r"$\lambda = \log \alpha - \log \sigma$",
        wrong={"the log-SNR itself": -(sigma**2) * Slope(clock, time), "the sign": 2 * sigma**2 * Slope(clock, time)},
    ),
    role="lemma",
    so=r"The first line is $g^2$.",
)
velocity = derivation.define(
    r"\dot x",
    Slope(alpha, time) / alpha * x + growth / (2 * sigma) * noise,
    r"the velocity of the flow, $f - \frac12 g^2 s$ with $s = -\hat\epsilon/\sigma$",
)
derivation.chain(
    r"Scaled by the weight of the data, only the noise is left",
    (velocity - Slope(alpha, time) / alpha * x) / alpha,
    equals(
        -Slope(clock, time) * sigma / alpha * noise,
        r"$g^2 = -2 \sigma^2 \lambda'$",
        wrong={"the whole score": -2 * Slope(clock, time) * sigma / alpha * noise},
    ),
    equals(-Slope(clock, time) * exp(-clock) * noise, r"$\sigma/\alpha = e^{-\lambda}$"),
    uses=(diffusion,),
    so=r"The first line is the slope of $x/\alpha$ in time, by the quotient rule. Divided by $\lambda'$: $\frac{d}{d\lambda} "
    r"\frac{x}{\alpha} = -e^{-\lambda} \hat\epsilon$.",
)
derivation.chain(
    r"Scaled by the weight of the noise, only the data are left",
    (velocity - Slope(sigma, time) / sigma * x) / sigma,
    equals(
        Slope(clock, time) * (x / sigma - noise),
        r"$g^2 = -2 \sigma^2 \lambda'$ again, and the slopes of $\log \alpha$ and $\log \sigma$ differ by $\lambda'$",
        wrong={"the linear part forgotten": -Slope(clock, time) * noise},
    ),
    equals(
        Slope(clock, time) * exp(clock) * data,
        r"$x - \sigma \hat\epsilon = \alpha \hat x_0$, and $\alpha/\sigma = e^\lambda$",
        wrong={"the sign": -Slope(clock, time) * exp(clock) * data, "the inverse": Slope(clock, time) * exp(-clock) * data},
    ),
    uses=(diffusion,),
    central=True,
    so=r"So $\frac{d}{d\lambda} \frac{x}{\sigma} = e^\lambda \hat x_0$, for every schedule. Two schedules that have the same "
    r"$\lambda$ at the steps give the same sampler.",
)
share = derivation.number(r"\bar\alpha", "the share of the data in the variance", "alpha_bar", between=(0, 1))
derivation.bridge("The code's clock", [log(sqrt(share) / sqrt(1 - share))], half_log_snr, alpha_bar=[share])

# ---------------------------------------------------------------------------------------------------- order one

h = derivation.number("h", r"the length of a step in $\lambda$", "lambda_to - lambda_from", positive=True)
u = derivation.number("u", r"how far the clock is within the step, $\lambda - \lambda_s$", positive=True)
start = derivation.number(r"\lambda_s", "where the step begins", "lambda_from")
a_s = derivation.define(r"\alpha_s", 1 / sqrt(1 + exp(-2 * start)), "the weight of the data there", positive=True)
s_s = derivation.define(r"\sigma_s", 1 / sqrt(1 + exp(2 * start)), "... and of the noise", positive=True)
a_t = derivation.define(r"\alpha_t", 1 / sqrt(1 + exp(-2 * (start + h))), "... of the data after the step", positive=True)
s_t = derivation.define(r"\sigma_t", 1 / sqrt(1 + exp(2 * (start + h))), "... and of the noise", positive=True)
derivation.say("Integrate the last line from the start of the step to its end. With which weight does a prediction enter?")
derivation.chain(
    "The weight of the prediction on the way",
    s_t * exp(start + u),
    equals(
        a_t * exp(-(h - u)),
        r"$\sigma_t = \alpha_t e^{-\lambda_s - h}$",
        wrong={"growing backward": a_t * exp(h - u), "that of the start": a_s * exp(-(h - u))},
    ),
    role="lemma",
    so=r"So $x_t = \frac{\sigma_t}{\sigma_s} x_s + \alpha_t \int_0^h e^{-(h - u)}\, \hat x_0(u)\, du$, exactly. In the same way "
    r"$x_t = \frac{\alpha_t}{\alpha_s} x_s - \sigma_t \int_0^h e^{h - u}\, \hat\epsilon(u)\, du$. What is not known are the "
    "predictions on the way.",
)
p = derivation.number("P", "the prediction at the start of the step")
b, c = derivation.number("b", r"its slope in $\lambda$, along the path"), derivation.number("c", "its second derivative")
by_data = derivation.define(
    "J", p * (1 - exp(-h)) + b * (h - 1 + exp(-h)) + c * (1 - h + h**2 / 2 - exp(-h)), "the data form's integral"
)
by_noise = derivation.define(
    "I", p * (exp(h) - 1) + b * (exp(h) - 1 - h) + c * (exp(h) - 1 - h - h**2 / 2), "the noise form's integral"
)
derivation.chain(
    "The integral of a Taylor series: data form",
    Integral(exp(-(h - u)) * (p + b * u + c * u**2 / 2), (u, 0, h)),
    equals(by_data, "by parts, once and twice", wrong={"a mean for the weight": p * h + b * h**2 / 2 + c * h**3 / 6}),
    role="lemma",
)
derivation.chain(
    "... and noise form",
    Integral(exp(h - u) * (p + b * u + c * u**2 / 2), (u, 0, h)),
    equals(by_noise, "in the same way", wrong={"the data form's": by_data}),
    role="lemma",
    so=r"A prediction that is frozen at the start of the step is the case $b = c = 0$.",
)
clean = derivation.number(r"\hat x", "the data that the network predicts at the start", "x0_pred")
left = derivation.number("n", "the noise next to them, the prediction of the noise")
begin = derivation.define("x_s", a_s * clean + s_s * left, "the value before the step, of both predictions", "x")
derivation.chain(
    "Order one is DDIM, in both forms",
    plus(s_t / s_s * begin, times(a_t, 1 - exp(-h), clean)),
    equals(
        plus(a_t * clean, s_t * left),
        r"$\frac{\sigma_t}{\sigma_s} \alpha_s = \alpha_t e^{-h}$",
        wrong={"the noise of the start": plus(a_t * clean, s_s * left), "no noise": a_t * clean},
    ),
    equals(
        plus(a_t / a_s * begin, -times(s_t, exp(h) - 1, left)),
        r"$\frac{\alpha_t}{\alpha_s} \sigma_s = \sigma_t e^h$",
        wrong={"fed with the data": plus(a_t / a_s * begin, -times(s_t, exp(h) - 1, clean))},
    ),
    so=r"The second line is DDIM's step with $\eta = 0$: the predicted data, with the predicted noise at the new level. So "
    r"freezing $\hat x_0$ and freezing $\hat\epsilon$ is the same, at order one only. Where the data are a single point, both "
    r"predictions are constant along the path, and a step of any length is exact.",
)
derivation.bridge(
    "The code's step of order one",
    s_t / s_s * x + a_t * (1 - exp(-h)) * clean,
    first_order_step,
    x=[[x]],
    x0_pred=[[clean]],
    lambda_from=[start],
    lambda_to=[start + h],
    wrong={"the log-SNR in the exponential": s_t / s_s * x + a_t * (1 - exp(-2 * h)) * clean},
)

# ---------------------------------------------------------------------------------------------------- order two

derivation.say(
    r"Order one misses $b\, (h - 1 + e^{-h})$, half of $b h^2$. The remedy is a guess of the prediction in the middle of the "
    "step, in place of that at the start: the line through the last two predictions gives one without an evaluation."
)
r = derivation.number("r", "the length of the step before, in units of $h$", "h_before / h", positive=True)
before = derivation.define(r"P_{-}", p - b * r * h + c * (r * h) ** 2 / 2, r"the prediction at $u = -r h$", "x0_pred_before")
guess = derivation.define("D", (1 + 1 / (2 * r)) * p - before / (2 * r), "2M's guess of the prediction in the middle")
derivation.chain(
    "Two predictions make a guess of the middle",
    guess,
    equals(
        plus(p, b * h / 2, -c * r * h**2 / 4),
        "insert the earlier prediction",
        wrong={"the end of the step": plus(p, b * h), "exact": plus(p, b * h / 2, c * h**2 / 8)},
    ),
)
derivation.chain(
    "The local error of 2M is of order three",
    Limit((by_data - (1 - exp(-h)) * guess) / h**3, h, 0),
    equals(
        plus(b / 12, times(Rational(1, 6) + r / 4, c)),
        r"$e^{-h} = 1 - h + \frac{h^2}2 - \frac{h^3}6 + \ldots$: everything below $h^3$ and the terms with $P$ cancel",
        wrong={"without the curvature": b / 12, "equal steps": plus(b / 12, 5 * c / 12)},
    ),
    so=r"So the steps together have an error of order two. The slope $b$ leaves an error because the guess is one of the middle, "
    r"and the weight $e^{-(h - u)}$ is larger at the end of the step.",
)
derivation.chain(
    "With r inverted, unequal steps are of order one only",
    Limit((by_data - (1 - exp(-h)) * ((1 + r / 2) * p - r / 2 * before)) / h**2, h, 0),
    equals((1 - r**2) / 2 * b, r"the guess is then $P + \frac{r^2}2 b h$", wrong={"nothing": 0 * b}),
    so=r"Equal steps do not show the mistake, and neither does the order on a grid whose neighboring steps become equal as they "
    "vanish. A single step with $r \\ne 1$ does.",
)
m = derivation.number("m", r"what is wrong at the half step, in units of $h^2$")
derivation.chain(
    "The local error of the midpoint is, too",
    Limit((by_noise - (exp(h) - 1) * (p + b * h / 2 + m * h**2)) / h**3, h, 0),
    equals(
        plus(-b / 12, c / 6, -m),
        r"the series of $e^h$: everything below $h^3$ cancels",
        wrong={"a half step without error": plus(-b / 12, c / 6), "2M's": plus(b / 12, c / 6, -m)},
    ),
    so=r"A half step of order one misses the path by a multiple of $h^2$, so a smooth network misses the prediction in the "
    r"middle, $P + \frac h2 b$, by a multiple of $h^2$: $m$ stays bounded. The price of the midpoint is a second evaluation; it "
    "needs no earlier prediction.",
)
earlier = derivation.number(r"\hat x_{-}", "the data that were predicted a step before", "x0_pred_before")
derivation.bridge(
    "The code's 2M step",
    s_t / s_s * x + a_t * (1 - exp(-h)) * ((1 + 1 / (2 * r)) * clean - earlier / (2 * r)),
    multistep_second_order_step,
    x=[[x]],
    x0_pred=[[clean]],
    x0_pred_before=[[earlier]],
    lambda_before=[start - r * h],
    lambda_from=[start],
    lambda_to=[start + h],
    wrong={"plus and minus exchanged": s_t / s_s * x + a_t * (1 - exp(-h)) * ((1 - 1 / (2 * r)) * clean + earlier / (2 * r))},
)
k, l = derivation.number("k", "the slope of a network in the place"), derivation.number("l", "... and in the level")  # noqa: E741
_place, _level = Symbol("y"), Symbol("v")
_network = function_of(_place, _level, k * _place + l * _level)
a_m, s_m = 1 / sqrt(1 + exp(-2 * start - h)), 1 / sqrt(1 + exp(2 * start + h))
half = derivation.define("x_m", a_m / a_s * x - s_m * (exp(h / 2) - 1) * (k * x + l * start), "half a step with that network")
derivation.bridge(
    "The code's midpoint, with a linear network",
    a_t / a_s * x - s_t * (exp(h) - 1) * (k * half + l * (start + h / 2)),
    singlestep_second_order_step,
    x=[[x]],
    lambda_from=[start],
    lambda_to=[start + h],
    denoise_fn=_network,
    wrong={"the first level again": a_t / a_s * x - s_t * (exp(h) - 1) * (k * half + l * start)},
)
first = s_s * sqrt(1 + exp(2 * (start - r * h))) * x + a_s * (1 - exp(-r * h)) * (k * x + l * (start - r * h))
first = derivation.define("x_1", first, r"the step of order one that ends at $\lambda_s$, if $x$ is at $\lambda_s - r h$")
second = (1 + 1 / (2 * r)) * (k * first + l * start) - (k * x + l * (start - r * h)) / (2 * r)
derivation.bridge(
    "The code's sampler, with a linear network: a step of order one, and one of 2M",
    s_t / s_s * first + a_t * (1 - exp(-h)) * second,
    multistep_sample,
    x=[[x]],
    lambdas=[start - r * h, start, start + h],
    denoise_fn=_network,
    lower_order_final=False,
    wrong={"order one at the end": s_t / s_s * first + a_t * (1 - exp(-h)) * (k * first + l * start)},
)
derivation.say(
    "The first step is of order one, having no prediction before it; so is the last if `lower_order_final`, since a "
    "long extrapolation is risky near the data. One step of order one has an error of order two, like all the others together."
)

# ---------------------------------------------------------------------------------------------------- which levels

i = derivation.index("i", "a step")
lengths = derivation.numbers("h", i, r"the lengths of the steps in $\lambda$", "diff(lambdas)", positive=True)
S = derivation.count(i, "S", "the number of steps", "len(lambdas) - 1")
mean = derivation.define(r"\bar h", Total(i, lengths) / S, "their mean", positive=True)
derivation.chain(
    "Equal steps have the least sum of cubes",
    Total(i, lengths**3),
    equals(
        plus(S * mean**3, Total(i, times((lengths - mean) ** 2, lengths + 2 * mean))),
        r"$h_i^3 = \bar h^3 + 3 \bar h^2 (h_i - \bar h) + (h_i - \bar h)^2 (h_i + 2 \bar h)$, where the middle terms add up to 0",
    ),
    at_least(
        S * mean**3,
        "leave out squares times positive numbers; equality if and only if all steps are equal",
        dropping=Total(i, times((lengths - mean) ** 2, lengths + 2 * mean)),
    ),
    so=r"If the local error were $C h^3$ with one constant $C$, a grid that is uniform in $\lambda$ would be best, and its error "
    r"falls as $1/S^2$. $C$ is not constant, so other grids may win (exercise 3).",
)

# ---------------------------------------------------------------------------------------------------- numbers


def _share(level):
    """alpha^2, and sigma^2 at minus the level."""
    return 1 / (1 + jnp.exp(-2 * level))


def _data_of(c):
    return lambda x, level: (c * jnp.sqrt(_share(level)) / noised_variance(c, _share(level)))[:, None] * x


def _noise_of(c):
    return lambda x, level: (jnp.sqrt(_share(-level)) / noised_variance(c, _share(level)))[:, None] * x


def _exact(begin, end, c=4.0):
    """Where the path from x = 1 ends."""
    return np.sqrt(noised_variance(c, _share(end)) / noised_variance(c, _share(begin)))


def _ways(levels, c=4.0):
    """The end of the way from x = 1 on data N(0, c), by steps of order one, 2M and the midpoint."""
    one = two = jnp.ones((1, 1))
    for now, after in zip(levels[:-1, None], levels[1:, None], strict=True):
        one = first_order_step(one, _data_of(c)(one, now), now, after)
        two = singlestep_second_order_step(two, now, after, _noise_of(c))
    many = multistep_sample(jnp.ones((1, 1)), levels, _data_of(c), lower_order_final=False)
    return np.array([one[0, 0], many[0, 0], two[0, 0]])


def _errors(steps):
    return _ways(jnp.linspace(-3.0, 3.0, steps + 1)) - _exact(-3.0, 3.0)


@derivation.numeric(
    r"\log_2 \frac{E_{S}}{E_{2S}} \to 1,\ 2,\ 2",
    because=r"Errors on data $\mathcal{N}(0, 4)$ from $\lambda = -3$ to $3$, with 40 and with 80 equal steps: order one, 2M and "
    "the midpoint. 2M is of order two to the end.",
    tolerance=0.06,
    since="the orders are reached as the steps vanish",
)
def orders():
    found = np.log2(_errors(40) / _errors(80))
    return Sides(left=found, right=np.array([1.0, 2.0, 2.0]), wrong={"2M of order one": np.array([1.0, 1.0, 2.0])})


derivation.symbol("E_S", "the error after $S$ steps")

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_LOG_2 = math.log(2)
_FROM, _TO, _BEFORE = (jnp.array([level]) for level in (0.0, _LOG_2, -_LOG_2))
_ONE, _FIRST = jnp.ones((1, 1)), jnp.array([[0.8]])


@derivation.example(
    r"Data $\mathcal{N}(0, 4)$: the variance of $x$ is $V = 4 \alpha^2 + \sigma^2$, the prediction of the data $4 \alpha x/V$, "
    r"and the exact path $x_s \sqrt{V_t/V_s}$. At $\lambda = -\log 2, 0, \log 2$ the weights are $\alpha^2 = \frac15, \frac12, "
    r"\frac45$, and $V = \frac85, \frac52, \frac{17}5$. From $x = 1$ at $\lambda = 0$ to $\log 2$; before, $x$ was $\frac45$."
)
def one_step():
    predicted, earlier = _data_of(4.0)(_ONE, _FROM), _data_of(4.0)(_FIRST, _BEFORE)
    yield r"\hat x_0 = \tfrac45 \sqrt2", predicted, "1.1314"
    yield r"\text{before: } \tfrac25 \sqrt5", earlier, "0.8944"
    yield r"\sqrt{34/25}", _exact(0.0, _LOG_2), "1.1662"
    yield r"\text{order one}", first_order_step(_ONE, predicted, _FROM, _TO), "1.1384"
    yield r"\text{2M}", multistep_second_order_step(_ONE, predicted, earlier, _BEFORE, _FROM, _TO), "1.1914"
    yield r"\text{midpoint}", singlestep_second_order_step(_ONE, _FROM, _TO, _noise_of(4.0)), "1.1714"


@derivation.figure(
    r"Data $\mathcal{N}(0, 4)$. Left: a step from $\lambda = -1$ to $1$, with a step of the same length before it. The area "
    r"under $e^{-(h - u)} \hat x_0(u)$ is what the exact solution adds; order one freezes $\hat x_0$, 2M freezes its guess of "
    r"the middle. Right: errors from $\lambda = -3$ to $3$, against the number of steps.",
    panels=2,
)
def areas_and_errors(areas, errors):
    way = np.linspace(-1.0, 1.0, 101)
    weight, on_path = np.exp(-(1 - way)), _data_of(4.0)(_exact(-1.0, way)[:, None], way)[:, 0]
    earlier = _data_of(4.0)(_exact(-1.0, np.full((1, 1), -3.0)), np.full(1, -3.0))[0, 0]
    areas.fill_between(way + 1, weight * on_path, color=BLUE, alpha=0.25)
    areas.plot(way + 1, weight * on_path, color=BLUE, label="exact")
    areas.plot(way + 1, weight * on_path[0], label="order one")
    areas.plot(way + 1, weight * (1.5 * on_path[0] - 0.5 * earlier), "--", label="2M")
    areas.set(xlabel="$u$", ylabel="weight times prediction")
    areas.legend()
    counts = np.array([5, 10, 20, 40, 80])
    found = np.abs(np.array([_errors(int(count)) for count in counts]))
    for name, column in zip(("order one", "2M", "midpoint"), found.T, strict=True):
        errors.loglog(counts, column, "o-", label=name)
    errors.set(xlabel="steps", ylabel="error")
    errors.legend()


@derivation.exercise(
    r"What is the step of 2M if the prediction has not changed since the step before?",
    r"The step of order one: $D = \hat x_0$. In the example it is $1.1384$.",
)
def unchanged():
    predicted = _data_of(4.0)(_ONE, _FROM)
    yield multistep_second_order_step(_ONE, predicted, predicted, _BEFORE, _FROM, _TO), "1.1384"


@derivation.exercise(
    r"The slope $b$ of $\hat x_0$ along the path is known, in the example $b = \frac15 \hat x_0$. What is the step of order two "
    "in the data form, and what does it give there?",
    r"$\frac{\sigma_t}{\sigma_s} x + \alpha_t [(1 - e^{-h})\, \hat x_0 + (h - 1 + e^{-h})\, b]$, from the integral of the Taylor "
    r"series. It gives $1.1775$.",
)
def with_the_slope():
    predicted = _data_of(4.0)(_ONE, _FROM)[0, 0]
    yield math.sqrt(0.4) + math.sqrt(0.8) * (predicted / 2 + (_LOG_2 - 0.5) * predicted / 5), "1.1775"


@derivation.exercise(
    r"The linear schedule of DDPM with 1000 steps: between which $\lambda$ does it run? Ten steps uniform in $t$ or in "
    r"$\lambda$: how long is the longest, and which relative error has the deviation of samples, of $\mathcal{N}(0, \frac14)$ by "
    r"2M, and of $\mathcal{N}(0, 4)$ by order one?",
    r"From $-5.06$ to $4.61$. The longest step is the last one of the uniform times, $3.53$, against $0.966$. By 2M the errors "
    r"are $0.382$ and $0.033$: uniform in $\lambda$ is better. By order one they are $-0.140$ and $-0.215$: here it is not.",
)
def two_grids():
    levels = half_log_snr(linear_alpha_bar(num_steps=1000))[1:]
    yield levels[-1], "-5.06"
    yield levels[0], "4.61"
    grids = levels[np.round(np.linspace(999, 0, 11)).astype(int)], jnp.linspace(levels[-1], levels[0], 11)
    for grid, (longest, many, one) in zip(grids, (("3.53", "0.382", "-0.140"), ("0.966", "0.033", "-0.215")), strict=True):
        yield jnp.max(jnp.diff(grid)), longest
        yield _ways(grid, 0.25)[1] / _exact(grid[0], grid[-1], 0.25) - 1, many
        yield _ways(grid)[0] / _exact(grid[0], grid[-1]) - 1, one
