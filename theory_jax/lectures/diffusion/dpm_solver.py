"""DPM-Solver: the linear part of the probability flow solved exactly, the rest in steps of order one and two.

The lecture on the functions of theory_jax/diffusion/dpm_solver.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.dpm_solver import (
    first_order_step,
    half_log_snr,
    multistep_second_order_step,
    singlestep_second_order_step,
)
from theory_jax.lectures.diffusion._gaussian_flow import (
    data_of,
    draw_areas_and_errors,
    equal_steps,
    errors,
    exact,
    noise_of,
    taylor_integrals,
    with_a_linear_network,
)

derivation = Derivation(
    module=__name__,
    title="DPM-Solver: the linear part of the probability flow solved exactly, the rest in few steps",
    sources=(
        "Lu, Zhou, Bao, Chen, Li & Zhu 2022, DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling",
        "Lu, Zhou, Bao, Chen, Li & Zhu 2022, DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
        "Hochbruck & Ostermann 2010, Exponential integrators",
    ),
    question="With few steps, a general solver of the probability flow draws blurred samples or none at all: it approximates "
    "the whole velocity, also the scaling of $x$, which is known. What is left if that part is solved exactly, and which "
    "steps of order one and two follow?",
    limits=(
        "That local errors add up to a global error of one order less (stability; lecture on solvers).",
        r"Learned predictions. They are not smooth at large $\lambda$, where order two gains less, and clipping $\hat x_0$ "
        "breaks the smoothness, too.",
        "Order three.",
    ),
    trained="A sampler needs a trained model and no training of its own. `python -m practice_torch sample RUN --sampler "
    "dpm_solver --steps 10` draws with the models of `diffusion/training` and of `diffusion/score_prediction`.",
)

time = derivation.number("t", "the time")
log_alpha = derivation.function("p", r"the logarithm of $\alpha$")
log_sigma = derivation.function("q", r"the logarithm of $\sigma$")
alpha = derivation.define(r"\alpha", exp(log_alpha(time)), "the weight of the data", "sqrt(alpha_bar)", positive=True)
sigma = derivation.define(r"\sigma", exp(log_sigma(time)), "the weight of the noise", "sqrt(1 - alpha_bar)", positive=True)
clock = derivation.define(r"\lambda", log(alpha / sigma), "half the log-SNR", "half_log_snr(alpha_bar)")
x = derivation.number("x", "a noisy point", "x")
noise = derivation.number(r"\hat\epsilon", "the prediction of the noise there", "denoise_fn(x, lambda_from)")
data = derivation.define(r"\hat x_0", (x - sigma * noise) / alpha, "the prediction of the data", "x0_pred")
growth = plus(Slope(sigma**2, time), -2 * Slope(alpha, time) / alpha * sigma**2)
diffusion = derivation.chain(
    r"The squared diffusion is $-2 \sigma^2$ times the rate of the clock",
    growth,
    equals(2 * sigma**2 * (Slope(sigma, time) / sigma - Slope(alpha, time) / alpha), "the chain rule; factor out"),
    equals(
        -2 * sigma**2 * Slope(clock, time),
        prose("{clock}", clock=holds(clock, "=", plus(log(alpha), -log(sigma)), wrong={"the product": log(alpha * sigma)})),
        wrong={"the log-SNR itself": -(sigma**2) * Slope(clock, time), "the sign": 2 * sigma**2 * Slope(clock, time)},
    ),
    role="lemma",
    so="The first line is $g^2$.",
)
velocity = derivation.define(
    r"\dot x",
    Slope(alpha, time) / alpha * x + growth / (2 * sigma) * noise,
    "the velocity of the flow, with the score as a multiple of the predicted noise",
)
derivation.chain(
    r"Scaled by the weight of the data, only the noise is left",
    (velocity - Slope(alpha, time) / alpha * x) / alpha,
    equals(
        -Slope(clock, time) * sigma / alpha * noise,
        prose("{entering}, by the lemma", entering=holds(growth, "=", -2 * sigma**2 * Slope(clock, time))),
        wrong={"the whole score": -2 * Slope(clock, time) * sigma / alpha * noise},
    ),
    equals(-Slope(clock, time) * exp(-clock) * noise, prose("{ratio}", ratio=holds(sigma / alpha, "=", exp(-clock)))),
    role="lemma",
    uses=(diffusion,),
    so=prose(
        "The first line is the slope of $x/\\alpha$ in time, by the quotient rule. In $\\lambda$, it is {slope}.",
        slope=holds(
            (velocity - Slope(alpha, time) / alpha * x) / (alpha * Slope(clock, time)), "=", -exp(-clock) * noise, named=True
        ),
    ),
)
central = derivation.chain(
    r"Scaled by the weight of the noise, only the data are left",
    (velocity - Slope(sigma, time) / sigma * x) / sigma,
    equals(
        Slope(clock, time) * (x / sigma - noise),
        prose(
            "the lemma again, and {apart}",
            apart=holds(plus(Slope(log(alpha), time), -Slope(log(sigma), time)), "=", Slope(clock, time)),
        ),
        wrong={"the linear part forgotten": -Slope(clock, time) * noise},
    ),
    equals(
        Slope(clock, time) * exp(clock) * data,
        prose(
            "{data} and {ratio}",
            data=holds(plus(x, -sigma * noise), "=", alpha * data),
            ratio=holds(alpha / sigma, "=", exp(clock)),
        ),
        wrong={"the sign": -Slope(clock, time) * exp(clock) * data, "the inverse": Slope(clock, time) * exp(-clock) * data},
    ),
    uses=(diffusion,),
    central=True,
    so=prose(
        "The first line is the slope of $x/\\sigma$ in time. In $\\lambda$, it is {slope}, for every schedule. So two "
        "schedules with the same $\\lambda$ at the steps, and the same $\\sigma$, give the same sampler.",
        slope=holds(
            (velocity - Slope(sigma, time) / sigma * x) / (sigma * Slope(clock, time)), "=", exp(clock) * data, named=True
        ),
    ),
)
derivation.setting = (
    prose(
        "The noisy point is $x_t$, the data times $\\alpha$ plus the noise times $\\sigma$, with positive, smooth $\\alpha$ and "
        "$\\sigma$ of the time $t$, whose ratio falls. Half the log-SNR is {clock}. A step goes back in time, from $x_s$ at "
        "$\\lambda_s$ to $x_t$ at $\\lambda_s + h$ with a positive $h$.",
        clock=holds(clock, "=", log(alpha / sigma)),
    ),
    prose(
        "The forward equation has the drift {drift} and the squared diffusion {diffusion}, which give $x_t$ its variance. The "
        "flow has the velocity $f - \\frac12 g^2 s$ with the score $s$ (lecture on the flow).",
        drift=means("f", Slope(alpha, time) / alpha * x),
        diffusion=means("g^2", growth),
    ),
    prose(
        "The network predicts the noise, $\\hat\\epsilon$, which is $-\\sigma s$, or the data, {data}; both are smooth. A local "
        "error is that of one step from the exact solution, with exact earlier predictions.",
        data=holds(data, "=", (x - sigma * noise) / alpha),
    ),
    "Only the code needs weights whose squares sum to one: then $\\alpha$ and $\\sigma$ are the square roots of the sigmoids of "
    "$2 \\lambda$ and $-2 \\lambda$.",
)
share = derivation.number(r"\bar\alpha", "the share of the data in the variance", "alpha_bar", between=(0, 1))
clock_of_code = derivation.bridge("The code's clock", [log(sqrt(share) / sqrt(1 - share))], half_log_snr, alpha_bar=[share])

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
    r"On the way the prediction has the weight $\alpha_t e^{u - h}$",
    s_t * exp(start + u),
    equals(
        a_t * exp(-(h - u)),
        prose("{weights}", weights=holds(s_t, "=", a_t * exp(-start - h), wrong={"of the start": a_t * exp(-start)})),
        wrong={"growing backward": a_t * exp(h - u), "that of the start": a_s * exp(-(h - u))},
    ),
    role="lemma",
    so=prose(
        "So $x_t$ is $\\frac{\\sigma_t}{\\sigma_s} x_s$ plus the integral of $\\alpha_t e^{-(h - u)}\\, \\hat x_0(u)$ over "
        "the step, exactly. In the same way it is $\\frac{\\alpha_t}{\\alpha_s} x_s$ minus the integral of $\\sigma_t e^{h - "
        "u}\\, \\hat\\epsilon(u)$, since {noise}. What is not known are the predictions on the way.",
        noise=holds(a_t * exp(-start - u), "=", s_t * exp(h - u)),
    ),
)
p = derivation.number("P", "the prediction at the start of the step")
b, c = derivation.number("b", r"its slope in $\lambda$, along the path"), derivation.number("c", "its second derivative")
by_data, by_noise = taylor_integrals(derivation, (p, b, c), h, u)
clean = derivation.number(r"\hat x", "the data that the network predicts at the start", "x0_pred")
left = derivation.number("n", "the noise next to them, the prediction of the noise")
begin = derivation.define("x_s", a_s * clean + s_s * left, "the value before the step, of both predictions", "x")
ddim = derivation.chain(
    "Order one is DDIM, in both forms",
    plus(s_t / s_s * begin, times(a_t, 1 - exp(-h), clean)),
    equals(
        plus(a_t * clean, s_t * left),
        prose("{weights}", weights=holds(s_t / s_s * a_s, "=", a_t * exp(-h))),
        wrong={"the noise of the start": plus(a_t * clean, s_s * left), "no noise": a_t * clean},
    ),
    equals(
        plus(a_t / a_s * begin, -times(s_t, exp(h) - 1, left)),
        prose("{weights}", weights=holds(a_t / a_s * s_s, "=", s_t * exp(h))),
        wrong={"fed with the data": plus(a_t / a_s * begin, -times(s_t, exp(h) - 1, clean))},
    ),
    so=r"The second line is DDIM's step without new noise: the predicted data, with the predicted noise at the new level. So "
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
    prose(
        "Order one misses, to leading order, $\\frac{b}{2} h^2$: {missed}. The remedy is a guess of the prediction in the "
        "middle of the step, in place of that at the start: the line through the last two predictions gives one without an "
        "evaluation.",
        missed=holds(Limit((by_data - p * (1 - exp(-h))) / h**2, h, 0), "=", b / 2),
    )
)
r = derivation.number("r", "the length of the step before, in units of $h$", "h_before / h", positive=True)
before = derivation.define(r"P_{-}", p - b * r * h + c * (r * h) ** 2 / 2, "the prediction at the step before", "x0_pred_before")
guess = derivation.define("D", (1 + 1 / (2 * r)) * p - before / (2 * r), "2M's guess of the prediction in the middle")
middle = derivation.chain(
    "Two predictions make a guess of the middle",
    guess,
    equals(
        plus(p, b * h / 2, -c * r * h**2 / 4),
        prose("insert the earlier prediction, {before}", before=holds(before, "=", plus(p, -b * r * h, c * (r * h) ** 2 / 2))),
        wrong={"the end of the step": plus(p, b * h), "exact": plus(p, b * h / 2, c * h**2 / 8)},
    ),
    role="lemma",
)
third_order = derivation.chain(
    "The local error of 2M is of order three",
    Limit((by_data - (1 - exp(-h)) * guess) / h**3, h, 0),
    equals(
        plus(b / 12, times(Rational(1, 6) + r / 4, c)),
        prose(
            "the series of $e^{-h}$: the terms with $P$ and everything below $h^3$ cancel, since the integral leaves {slope} "
            "and so does the guess",
            slope=holds(Limit((by_data - p * (1 - exp(-h))) / h**2, h, 0), "=", b / 2, named=True),
        ),
        wrong={"without the curvature": b / 12, "equal steps": plus(b / 12, 5 * c / 12)},
    ),
    so="So the steps together have an error of order two, if errors are not amplified. The slope $b$ leaves an error because the "
    "guess is one of the middle, and the weight $e^{-(h - u)}$ is larger at the end of the step.",
)
derivation.chain(
    "With r inverted, unequal steps are of order one only",
    Limit((by_data - (1 - exp(-h)) * ((1 + r / 2) * p - r / 2 * before)) / h**2, h, 0),
    equals(
        (1 - r**2) / 2 * b,
        prose(
            "the guess is then {guess}",
            guess=holds((1 + r / 2) * p - r / 2 * before, "=", plus(p, r**2 * b * h / 2, -(r**3) * c * h**2 / 4), named=True),
        ),
        wrong={"nothing": 0 * b},
    ),
    role="remark",
    so=prose(
        "Equal steps do not show the mistake, since at {equal} it is {none}, and neither does the order on a grid whose "
        "neighboring steps become equal as they vanish. A single step of another length does.",
        equal=where(r, 1),
        none=holds((1 - r**2) / 2 * b, "=", 0, named=True),
    ),
)
m = derivation.number("m", r"what is wrong at the half step, in units of $h^2$")
derivation.chain(
    "The local error of the midpoint step is of order three, too",
    Limit((by_noise - (exp(h) - 1) * (p + b * h / 2 + m * h**2)) / h**3, h, 0),
    equals(
        plus(-b / 12, c / 6, -m),
        "the series of $e^h$: everything below $h^3$ cancels",
        wrong={"a half step without error": plus(-b / 12, c / 6), "2M's": plus(b / 12, c / 6, -m)},
    ),
    so=r"A half step of order one misses the path by a multiple of $h^2$, so a smooth network misses the prediction in the "
    r"middle by a multiple of $h^2$: $m$ stays bounded. The price of the midpoint is a second evaluation; it needs no earlier "
    "prediction.",
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
with_a_linear_network(derivation, x, start, h, r)
derivation.say(
    "The first step is of order one, having no prediction before it; so is the last if `lower_order_final`, since a "
    "long extrapolation is risky near the data. One step of order one has an error of order two, like all the others together."
)

equal_steps(derivation)

derivation.answer = prose(
    "On the clock {clock} the flow has no schedule left: the slope of $x/\\sigma$ in $\\lambda$ is {slope}. A prediction that "
    "is frozen over the step gives DDIM, of order one. A guess of the prediction in the middle of the step gives order two: "
    "DPM-Solver++ 2M extrapolates it from the last two predictions, with one evaluation for each step, and DPM-Solver-2 "
    "evaluates it after half a step.",
    clock=holds(clock, "=", plus(log(alpha), -log(sigma))),
    slope=holds((velocity - Slope(sigma, time) / sigma * x) / (sigma * Slope(clock, time)), "=", exp(clock) * data, named=True),
)
derivation.symbol("E_S", "the error after $S$ steps")


@derivation.numeric(
    r"\log_2 \frac{E_{S}}{E_{2S}} \to 1,\ 2,\ 2",
    because="Errors on Gaussian data of variance 4 from the level $-3$ to $3$, with 40 and with 80 equal steps: order one, 2M "
    "and the midpoint. 2M is of order two to the end.",
    tolerance=0.06,
    since="the orders are reached as the steps vanish",
    role="remark",
)
def orders():
    found = np.log2(errors(40) / errors(80))
    return Sides(left=found, right=np.array([1.0, 2.0, 2.0]), wrong={"2M of order one": np.array([1.0, 1.0, 2.0])})


_LOG_2 = math.log(2)
_FROM, _TO, _BEFORE = (jnp.array([level]) for level in (0.0, _LOG_2, -_LOG_2))
_ONE, _FIRST = jnp.ones((1, 1)), jnp.array([[0.8]])


@derivation.example(
    prose(
        r"Data $\mathcal{N}(0, 4)$: the variance $V$ of $x$ is $4 \alpha^2 + \sigma^2$, the prediction of the data $4 \alpha "
        r"x/V$, and the exact path $x_s \sqrt{V_t/V_s}$. At the levels $-\log 2$, 0 and $\log 2$ the squares of $\alpha$ are "
        r"{first}, {second} and {third}, and those of $\sigma$ the rest, so $V$ is $\frac85$, $\frac52$ and $\frac{17}5$. From "
        r"1 at the level 0 to $\log 2$; before, $x$ was $\frac45$.",
        first=holds(a_s**2, "=", Rational(1, 5), when={start: -log(2)}, named=True),
        second=holds(a_s**2, "=", Rational(1, 2), when={start: 0}, named=True),
        third=holds(a_s**2, "=", Rational(4, 5), when={start: log(2)}, named=True),
    )
)
def one_step():
    predicted, earlier = data_of(4.0)(_ONE, _FROM), data_of(4.0)(_FIRST, _BEFORE)
    yield r"\hat x_0 = \tfrac45 \sqrt2", predicted, "1.1314"
    yield r"\text{before: } \tfrac25 \sqrt5", earlier, "0.8944"
    yield r"\sqrt{34/25}", exact(0.0, _LOG_2), "1.1662"
    yield r"\text{order one}", first_order_step(_ONE, predicted, _FROM, _TO), "1.1384"
    yield r"\text{2M}", multistep_second_order_step(_ONE, predicted, earlier, _BEFORE, _FROM, _TO), "1.1914"
    yield r"\text{midpoint}", singlestep_second_order_step(_ONE, _FROM, _TO, noise_of(4.0)), "1.1714"


@derivation.algorithm(
    "DPM-Solver++ 2M",
    do(r"take levels $\lambda_0 < \dots < \lambda_S$ from the schedule", half_log_snr, by=clock_of_code),
    do(r"begin with $x$ from $\mathcal{N}(0, \sigma^2)$ at $\lambda_0$; for the steps from $\lambda_s$ to $\lambda_s + h$:"),
    do(
        r"$\hat x_0 \leftarrow (x - \sigma_s \hat\epsilon) / \alpha_s$, the network's prediction of the data",
        by=central,
        indent=1,
    ),
    do(
        r"first step: $x \leftarrow \frac{\sigma_t}{\sigma_s} x + \alpha_t (1 - e^{-h})\, \hat x_0$",
        first_order_step,
        by=ddim,
        indent=1,
    ),
    do(
        r"later ones: $D \leftarrow (1 + \frac{1}{2 r})\, \hat x_0 - \frac{1}{2 r}\, \hat x_{-}$, with the last $\hat x_{-}$",
        by=middle,
        indent=1,
    ),
    do(
        r"$x \leftarrow \frac{\sigma_t}{\sigma_s} x + \alpha_t (1 - e^{-h})\, D$",
        multistep_second_order_step,
        by=third_order,
        indent=1,
    ),
)
def two_steps():
    levels = half_log_snr(jnp.array([0.2, 0.5, 0.8]))
    yield (
        r"\text{from } \bar\alpha = 0.2, 0.5, 0.8 \text{ and } x = \tfrac45 \text{ on the example's data:}\quad \lambda",
        levels,
        "(-0.6931, 0, 0.6931)",
    )
    earlier = data_of(4.0)(_FIRST, levels[:1])
    moved = first_order_step(_FIRST, earlier, levels[:1], levels[1:2])
    predicted = data_of(4.0)(moved, levels[1:2])
    yield r"\hat x_0", earlier, "0.8944"
    yield "x", moved, "0.9487"
    yield r"\hat x_0", predicted, "1.0733"
    yield "D", 1.5 * predicted - earlier / 2, "1.1628"
    yield "x", multistep_second_order_step(moved, predicted, earlier, levels[:1], levels[1:2], levels[2:]), "1.1200"


@derivation.figure(
    r"Data $\mathcal{N}(0, 4)$. Left: a step from the level $-1$ to $1$, with a step of the same length before it. The area "
    r"under $e^{-(h - u)} \hat x_0(u)$ is what the exact solution adds, but for the factor $\alpha_t$; order one freezes $\hat "
    "x_0$, 2M freezes its guess of the middle. Right: errors from the level $-3$ to $3$, against the number of steps.",
    panels=2,
)
def areas_and_errors(areas, panel):
    draw_areas_and_errors(areas, panel)
