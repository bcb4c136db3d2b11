"""Variational diffusion: only the two ends of the schedule matter.

The lecture on the functions of theory_jax/diffusion/variational_diffusion.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.variational_diffusion import (
    continuous_diffusion_loss,
    discrete_diffusion_loss,
    linear_log_snr,
    low_discrepancy_times,
    posterior,
    variance_preserving_sample,
)
from theory_jax.lectures.diffusion._schedules import introduce_step
from theory_jax.lectures.diffusion._variational import batch_times, decoder, gaussian_error, total_cost, two_point_error
from theory_jax.lectures.diffusion.elbo import terms
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.diffusion.parameterizations import elbo_in_the_data
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent

derivation = Derivation(
    module=__name__,
    title="Variational diffusion: only the two ends of the schedule matter",
    lectures=(28, 33),
    sources=(
        "Kingma, Salimans, Poole & Ho 2021, Variational Diffusion Models",
        "Kingma & Gao 2023, Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation",
        "Guo, Shamai & Verdu 2005, Mutual Information and Minimum Mean-Square Error in Gaussian Channels",
    ),
    question="Schedules of diffusion models are tuned by hand, and a bound that is computed in a thousand steps is not the "
    "one of ten. But the terms of the bound depend on the schedule through its signal-to-noise ratio alone. What do they "
    "become with infinitely many steps, and what does the schedule then still change?",
    setting=(
        r"Time $\tau$ runs from 0 (data) to 1 (noise). The log-SNR $\lambda(\tau)$ is continuously differentiable and falls, "
        r"and $S$ is $e^\lambda$. The noisy value is $z = \alpha x_0 + \sigma \epsilon$; the squares of $\alpha$ and $\sigma$ "
        r"are $\frac{S}{1 + S}$ and $\frac{1}{1 + S}$. Divided by $\alpha$ it is the data plus noise of variance $1/S$, called "
        r"$y$: from an earlier time $s$ to a later time $t$ independent noise of variance $\frac{1}{S_t} - \frac{1}{S_s}$ is "
        "added.",
        r"The model's step back is $q(z_s|z_t, x_0)$ with the predicted data $\hat x_0(z_t)$ in place of $x_0$. $M$ is the "
        "expected squared error of the predicted data at a level, and $N$, which is $S M$, that of the predicted noise; both "
        r"are continuous in $\lambda$. One coordinate is written.",
    ),
    limits=(
        "That a sum of many terms becomes an integral is used for continuous integrands; its rate is derived for Gaussian data.",
        "That the excess over the mutual information vanishes for every distribution of the data is not shown.",
        "The schedule still decides how noisy an estimate from random times is. How to learn it is not shown.",
    ),
)

s_t = derivation.number("S_t", "the signal-to-noise ratio at the later time", "exp(log_snr_t)", positive=True)
fall = derivation.number(r"\Delta", "by how much it falls from the earlier to the later time", positive=True)
s_s = derivation.define("S_s", plus(s_t, fall), "the ratio at the earlier time", "exp(log_snr_s)", positive=True)
c = derivation.define("c", fall / s_s, r"the relative fall of the ratio", "-expm1(log_snr_t - log_snr_s)", positive=True)
x_0 = derivation.number("x_0", "the data", "x0")
x_hat = derivation.number(r"\hat x_0", "the predicted data", "x0_pred")
y_s = derivation.number("y_s", r"the earlier value, divided by its $\alpha$")
y_t = derivation.number("y_t", r"the later value, divided by its $\alpha$")
forward = derivation.define(r"\log q(y_t|y_s)", Normal(y_t, y_s, 1 / s_t - 1 / s_s).log_density(y_t), "the step forward")
early = derivation.define(r"\log q(y_s|x_0)", Normal(y_s, x_0, 1 / s_s).log_density(y_s), "the jump to the earlier value")
jump = derivation.define(r"\log q(y_t|x_0)", Normal(y_t, x_0, 1 / s_t).log_density(y_t), "the jump to the later value")
derivation.chain(
    "The step back depends on the signal-to-noise ratios of both times alone",
    plus(forward, early, -jump),
    equals(
        Normal(y_s, plus(times(1 - c, y_t), times(c, x_0)), c / s_s).log_density(y_s),
        prose(
            "Bayes' rule for a Markov chain, and complete the square: the precisions add up, {precisions}",
            precisions=holds(plus(1 / (1 / s_t - 1 / s_s), s_s), "=", s_s / c, wrong={"the later one": s_t / c}),
        ),
        wrong={"the weights exchanged": Normal(y_s, plus(times(c, y_t), times(1 - c, x_0)), c / s_s).log_density(y_s)},
    ),
    role="lemma",
    uses=(marginal_law,),
    so=r"So $q(y_s|y_t, x_0)$ has the mean $(1 - c)\, y_t + c\, x_0$ and the variance $c / S_s$; $c$ is the data's share. The "
    r"noisy value $z_s$ is $\alpha(S_s)$ times $y_s$, and $y_t$ is $z_t / \alpha(S_t)$.",
)
alpha_s = derivation.define(r"\alpha(S_s)", sqrt(s_s / (1 + s_s)), "the signal's weight at the earlier time", positive=True)
alpha_t = derivation.define(r"\alpha(S_t)", sqrt(s_t / (1 + s_t)), "the signal's weight at the later time", positive=True)
sigma2_s = derivation.define(r"\sigma^2(S_s)", 1 / (1 + s_s), "the noise's variance at the earlier time", positive=True)
z_t = derivation.number("z_t", "the later value", "z_t")
derivation.say(
    prose(
        "The step back of the noisy value has the mean {mean} and the variance {variance}.",
        mean=times(alpha_s, plus(times(1 - c, z_t / alpha_t), times(c, x_0))),
        variance=holds(alpha_s**2 * c / s_s, "=", sigma2_s * c),
    )
)
_MEAN = times(alpha_s, plus(times(1 - c, z_t / alpha_t), times(c, x_0)))
derivation.bridge(
    "The code's mean and log-variance",
    (_MEAN, log(alpha_s**2 * c / s_s)),
    posterior,
    z_t=[z_t],
    x0=[x_0],
    log_snr_t=[log(s_t)],
    log_snr_s=[log(s_t + fall)],
)
_step = introduce_step(derivation)
_before, _after = _step.before / (1 - _step.before), _step.a_t / (1 - _step.a_t)
derivation.bridge(
    "... which are those of the step back, with the levels of a chain",
    (plus(times(_step.kappa, x_0), times(_step.rho, z_t)), log(_step.tilde)),
    posterior,
    z_t=[z_t],
    x0=[x_0],
    log_snr_t=[log(_after)],
    log_snr_s=[log(_before)],
    wrong={"the step's variance": (plus(times(_step.kappa, x_0), times(_step.rho, z_t)), log(_step.beta))},
)
_GUESS = (x_0 - x_hat) ** 2
a_step = derivation.chain(
    "A step costs the fall of the signal-to-noise ratio",
    (alpha_s * c) ** 2 / times(2, sigma2_s, c) * _GUESS,
    equals(
        times(Rational(1, 2), plus(s_s, -s_t), _GUESS),
        prose(
            "two Gaussians of one variance, with means that differ by {apart}; {ratio}, and {fall}",
            apart=times(alpha_s, c, x_0 - x_hat),
            ratio=holds(alpha_s**2 / sigma2_s, "=", s_s),
            fall=holds(s_s * c, "=", plus(s_s, -s_t)),
        ),
        wrong={"the sign": times(Rational(1, 2), plus(s_t, -s_s), _GUESS)},
    ),
    uses=(gaussian_divergence, elbo_in_the_data),
    role="lemma",
)
derivation.bridge(
    "The code computes it",
    times(Rational(1, 2), plus(s_s, -s_t), _GUESS),
    discrete_diffusion_loss,
    x0_pred=[x_hat],
    x0=[x_0],
    log_snr_s=[log(s_t + fall)],
    log_snr_t=[log(s_t)],
)
log_ratio = derivation.number("l", "a log-SNR", "log_snr")
noise = derivation.number(r"\epsilon", "standard normal noise", "noise")
noisy_value = derivation.bridge(
    "The code draws a noisy value",
    plus(times(1 / sqrt(1 + exp(-log_ratio)), x_0), times(1 / sqrt(1 + exp(log_ratio)), noise)),
    variance_preserving_sample,
    x0=[x_0],
    noise=[noise],
    log_snr=[log_ratio],
)

tau = derivation.number(r"\tau", "time", "time", between=(0, 1))
lam = derivation.function(r"\lambda", "the log-SNR over time")
primitive = derivation.function("F", "a function of the log-SNR whose derivative is $N$, the squared error of the noise")
derivation.say(
    r"Now many short steps, $T$ of them, each of length $1/T$. The fall of $S$ over a step, times $T$, tends to minus its "
    r"derivative, and the sum to an integral: $\frac12 \int_0^1 \left(-\frac{d}{d\tau} e^{\lambda}\right) M \, d\tau$."
)
_NOISE_ERROR = primitive(lam(tau)).diff(tau) / lam(tau).diff(tau)
central = derivation.chain(
    "With infinitely many steps only the ends of the schedule matter",
    times(-Rational(1, 2), Slope(exp(lam(tau)), tau), exp(-lam(tau)), _NOISE_ERROR),
    equals(
        times(-Rational(1, 2), lam(tau).diff(tau), _NOISE_ERROR),
        prose(
            "the integrand, with $e^{-\\lambda} N$ for $M$; {chain}, and the exponentials cancel",
            chain=holds(Slope(exp(lam(tau)), tau), "=", times(lam(tau).diff(tau), exp(lam(tau)))),
        ),
    ),
    equals(
        Slope(-primitive(lam(tau)) / 2, tau),
        r"the chain rule read backward: $\lambda' F'(\lambda)$ is the derivative of $F(\lambda(\tau))$",
        wrong={"the half forgotten": Slope(-primitive(lam(tau)), tau)},
    ),
    uses=(a_step, terms),
    central=True,
    so=prose(
        "The integral of a derivative is a difference of ends: it is {ends}, half the integral of $N$ over $\\lambda$ from "
        "the lower end to the upper one. Two schedules with the same ends have the same loss, if the network is given the "
        "level and not the time, so that $N$ is one function of the level.",
        ends=plus(primitive(lam(0)), -primitive(lam(1))) / 2,
    ),
)
speed = derivation.number("g", "how fast the log-SNR falls", "-log_snr_slope", positive=True)
noise_hat = derivation.number(r"\hat\epsilon", "the predicted noise", "noise_pred")
derivation.bridge(
    "The code's integrand",
    times(speed / 2, (noise - noise_hat) ** 2),
    continuous_diffusion_loss,
    noise_pred=[noise_hat],
    noise=[noise],
    log_snr_slope=[-speed],
)
highest = derivation.number(r"\lambda_{1}", "the log-SNR at time 1")
depth = derivation.number("R", "how far the log-SNR falls from time 0 to time 1", positive=True)
straight = derivation.bridge(
    "The code's straight schedule",
    plus(highest, times(1 - tau, depth)),
    linear_log_snr,
    time=tau,
    log_snr_max=highest + depth,
    log_snr_min=highest,
)

derivation.say(
    "How much do finitely many steps cost more? Let $u$ be a time between $s$ and $t$. The data, $z_u$ and $z_t$ are a Markov "
    "chain: given $z_u$ the later value has no more information about the data. So total variance shows that more noise makes "
    "the best prediction worse."
)
i = derivation.index("i", "a value of the data")
j = derivation.index("j", "a value of $z_u$")
k = derivation.index("k", "a value of $z_t$")
data = derivation.numbers("x", i, "the data's values")
late = derivation.law("P", k, "the distribution of $z_t$")
earlier = derivation.law("r({}|{})", (j, k), "that of $z_u$ given $z_t$")
given = derivation.law("h({}|{})", (i, j), "that of the data given $z_u$")
_SQUARE, _MEAN_OF = Expectation(earlier, Expectation(given, data**2)), Expectation(earlier, Expectation(given, data))
_KNOWN = Expectation(late, Expectation(earlier, Variance(given, data)))
derivation.chain(
    "The best prediction gets worse with the noise",
    Expectation(late, plus(_SQUARE, -(_MEAN_OF**2))),
    equals(
        plus(_KNOWN, Expectation(late, Variance(earlier, Expectation(given, data)))),
        "total variance given $z_t$: the mean of the variances given $z_u$, and the variance of the means",
    ),
    at_least(
        _KNOWN,
        "leave out a variance; equality only if $z_t$ determines the best prediction from $z_u$",
        dropping=Expectation(late, Variance(earlier, Expectation(given, data))),
    ),
    states=2,
    role="lemma",
    so=r"The first line is $M_t$, the last $M_u$, both for the best network.",
)
m_u = derivation.number("M_u", "the error of the best network at an earlier time", positive=True)
worse = derivation.number("m", "by how much it is larger at the later time", positive=True)
first = derivation.number("d_1", "the fall of $S$ from $s$ to $u$", positive=True)
second = derivation.number("d_2", "its fall from $u$ to $t$", positive=True)
derivation.chain(
    "So a finer chain has a smaller bound",
    times(Rational(1, 2), plus(first, second), plus(m_u, worse)),
    equals(
        plus(times(first / 2, m_u), times(second / 2, plus(m_u, worse)), times(first / 2, worse)),
        "one step from $s$ to $t$, with the error $M_u + m$; split the fall",
    ),
    at_least(
        plus(times(first / 2, m_u), times(second / 2, plus(m_u, worse))),
        prose(
            "leave out a product, which vanishes only if both predictions are equally good, {same}: this is the cost of two "
            "steps",
            same=where(worse, 0),
        ),
        dropping=times(first / 2, worse),
    ),
)
true = derivation.law("q({}|{})", (j, i), "the step back that knows the data, at a fixed $z_t$")
mixing = derivation.law("w", i, "the distribution of the data given this $z_t$")
model = derivation.law("p", j, "the model's step back")
average = derivation.define(r"\bar q({})", Total(i, mixing * true), "the true step back", over=j, law=True)
derivation.chain(
    "What a step costs is information, and an excess",
    Expectation(mixing, Divergence(true, model)),
    equals(
        plus(Expectation(mixing, Divergence(true, average)), Divergence(average, model)),
        r"multiply and divide by the true step back $\bar q$: the second logarithm contains $z_s$ alone, which has the "
        r"distribution $\bar q$",
        wrong={"the arguments exchanged": plus(Expectation(mixing, Divergence(true, average)), Divergence(model, average))},
    ),
    at_least(
        Expectation(mixing, Divergence(true, average)),
        prose(
            "leave out the excess (Gibbs); equality if and only if the model's step is the true one, {same}",
            same=where(model, average),
        ),
        dropping=gibbs.at(average, model),
    ),
    states=2,
    so=r"Averaged over $z_t$, the last line is the information about the data that $z_s$ has and $z_t$ has not. Over all steps "
    r"it adds up to $I(x_0; z_0) - I(x_0; z_1)$, the mutual information of the data and the noisy values at both ends: no "
    r"network can cost less.",
)

v = derivation.number("v", "the variance of Gaussian data", positive=True)
u = derivation.define(r"\eta", v * fall / (1 + v * s_t), "the relative fall of $1 + v S$", positive=True)
derivation.chain(
    "For Gaussian data the derivative of the information is half the error (I-MMSE)",
    Slope(log(1 + v * s_t) / 2, s_t),
    equals(v / (2 * (1 + v * s_t)), "the derivative of a logarithm", wrong={"the half forgotten": v / (1 + v * s_t)}),
    so=prose(
        r"$\frac12 \log(1 + v S)$ is the information about the data in a value at the ratio $S$, and the error of the best "
        r"prediction, the inverse of the precision of the data given the value, is {error}. So the integral of $\frac12 M$ "
        "over $S$ is the information gained.",
        error=holds(1 / (1 / v + s_t), "=", v / (1 + v * s_t), wrong={"of the noise": v * s_t / (1 + v * s_t)}),
    ),
)
derivation.chain(
    "For Gaussian data a single step costs a little more than the information",
    plus(fall * v / (2 * (1 + v * s_t)), -log((1 + v * s_s) / (1 + v * s_t)) / 2),
    equals(
        tangent.at(1 + u) / 2,
        prose(
            "{ratio}: half the gap of the logarithm there",
            ratio=holds((1 + v * s_s) / (1 + v * s_t), "=", 1 + u, wrong={"the fall itself": 1 + v * fall}),
        ),
    ),
    at_most(
        u**2 / (2 * (1 + u)),
        prose(
            "add half the gap at {inverse}: the logarithms cancel, and half of {left} is left",
            inverse=1 / (1 + u),
            left=holds(plus(u, -u / (1 + u)), "=", u**2 / (1 + u)),
        ),
        adding=tangent.at(1 / (1 + u)) / 2,
    ),
    role="remark",
    so=prose(
        "The first line is the cost of the step minus the information gained; it is zero only without a step, where $\\eta$ "
        "is {none}. With $T$ steps every $\\eta$ is of order $1/T$, so the excess of all of them is of order $1/T$: the limit "
        "is the information.",
        none=holds(u, "=", 0, when={fall: 0}, named=True),
    ),
)
derivation.answer = prose(
    "A step from $t$ to $s$ costs {step}. With infinitely many steps the sum is half the integral of $N$ over $\\lambda$ "
    "between its two ends, {ends}: if the network is given the level and not the time, the schedule between the ends does not "
    "matter. For Gaussian data and the best network this is what the noisy value at the upper "
    "end tells more about the data than that at the lower one; finitely many steps cost more, {excess}.",
    step=holds(
        (alpha_s * c) ** 2 / times(2, sigma2_s, c) * _GUESS, "=", times(Rational(1, 2), plus(s_s, -s_t), _GUESS), named=True
    ),
    ends=plus(primitive(lam(0)), -primitive(lam(1))) / 2,
    excess=holds(fall * v / (2 * (1 + v * s_t)), ">", log((1 + v * s_s) / (1 + v * s_t)) / 2),
)
shift, every_time = batch_times(derivation, tau)
decoder(derivation, alpha_t, s_t)


@derivation.example(
    r"One step of standard normal data from the ratio $0.81 / 0.19$ to $0.5184 / 0.4816$; the same in two steps, with 2.6698 "
    r"between; and all steps of a straight schedule from the log-SNR 3 to $-2$, with an excess that falls like $1/T$."
)
def one_step_or_two():
    high, middle, low = 0.81 / 0.19, 2.6698, 0.5184 / 0.4816

    def cost(s, t):
        return total_cost(1, gaussian_error, (math.log(s), math.log(t)))

    numbers = {v: 1, s_t: low, fall: high - low}
    yield r"\tfrac12 (S_s - S_t) M", cost(high, low), "0.7674"
    yield r"\text{the information gained}", math.log((1 + high) / (1 + low)) / 2, "0.4650"
    yield r"\eta", value(u, numbers), "1.5347"
    yield r"\text{the excess}", value(plus(u, -log(1 + u)) / 2, numbers), "0.3023"
    yield r"\text{two steps}", cost(high, middle) + cost(middle, low), "0.6008"
    information = (math.log1p(math.exp(3)) - math.log1p(math.exp(-2))) / 2
    excess = [total_cost(steps, gaussian_error) - information for steps in (10, 100, 1000)]
    yield r"\text{the excess of 10, 100 and 1000 steps}", excess, "(0.2985, 0.0264, 0.0026)"


@derivation.algorithm(
    "Training on a batch, with the loss of infinitely many steps",
    do(r"take a batch of $n$ data $x_0$ and one shift $b$, uniform on $[0, 1)$"),
    do(r"$\tau \leftarrow (b + \ell / n) \bmod 1$ for $\ell = 0, \dots, n - 1$", low_discrepancy_times, by=every_time),
    do(r"$\lambda \leftarrow$ the schedule at $\tau$", linear_log_snr, by=straight),
    do(r"$z \leftarrow \alpha x_0 + \sigma \epsilon$ with fresh noise $\epsilon$", variance_preserving_sample, by=noisy_value),
    do(
        r"a gradient step on the mean of $\frac{g}{2} (\epsilon - \hat\epsilon)^2$ with the network's $\hat\epsilon$ at $(z, "
        r"\lambda)$",
        continuous_diffusion_loss,
        by=central,
    ),
)
def one_batch():
    times_ = low_discrepancy_times(jnp.array(0.3), batch_size=2)
    levels = linear_log_snr(times_, log_snr_max=4.0, log_snr_min=-4.0)
    noisy = variance_preserving_sample(jnp.ones((2, 1)), jnp.ones((2, 1)), levels)
    predicted = noisy / jnp.sqrt(1 + jnp.exp(levels))[:, None]  # the best network, for standard normal data
    yield r"b = 0.3,\ n = 2: \quad \tau", times_, "(0.3, 0.8)"
    yield r"\lambda \text{ from 4 to } {-4}", levels, "(1.6, -2.4)"
    yield r"z \text{ for } x_0 = \epsilon = 1", noisy, "(1.3220, 1.2459)"
    yield r"\hat\epsilon \text{ of the best network for standard normal data}", predicted, "(0.5418, 1.1930)"
    yield "\\text{the two losses}", continuous_diffusion_loss(predicted, jnp.ones((2, 1)), jnp.full(2, -8.0)), "(0.8397, 0.1490)"


@derivation.figure(
    r"Left: the error of the best network for data that are $-1$ or $1$, over $S$. The rectangles are twice the costs of four "
    r"steps. Right: the cost of a straight schedule from the log-SNR 4 to $-4$ falls to the information as $T$ grows.",
    panels=2,
)
def rectangles_and_refinement(left, right):
    line = np.linspace(-4, 1.4, 120)
    left.plot(np.exp(line), two_point_error(line))
    ends = np.linspace(0, 4, 5)
    heights = two_point_error(np.log(np.maximum(ends[:-1], 1e-9)))
    left.bar(ends[:-1], heights, width=1.0, align="edge", alpha=0.25, edgecolor="gray")
    left.set(xlabel="$S$", ylabel="squared error of the data")
    steps = [4, 8, 16, 32, 64, 128]
    right.semilogx(steps, [total_cost(count, two_point_error, (4.0, -4.0)) for count in steps], "o-", label="$T$ steps")
    information = total_cost(8192, two_point_error, (4.0, -4.0))
    right.axhline(information, linestyle="--", color="gray", label="8192 steps")
    right.set(xlabel="$T$ steps", ylabel="nats")
    right.legend()
