"""Denoising diffusion implicit models: the same training, other samplers.

The lecture on the functions of theory_jax/diffusion/ddim.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.diffusion.ddim import ddim_sigma, ddim_step, non_markovian_mean
from theory_jax.diffusion.parameterizations import x0_from_noise
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.diffusion.probability_flow import transport
from theory_jax.lectures.diffusion.reverse_process import posterior_law
from theory_jax.lectures.diffusion.score_prediction import score_of_the_marginal
from theory_jax.lectures.lemmas.gaussian_divergence import gaussian_divergence

derivation = Derivation(
    module=__name__,
    title="Denoising diffusion implicit models: the same training, other samplers",
    lectures=(37,),
    sources=(
        "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models, eq. 7, 9, 12, 14 and 16",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models",
    ),
    question="The loss of a diffusion model uses the law of each noisy value given the data, and nothing else. Which other "
    "processes have these laws, does a trained network serve them, and what does the one without noise compute?",
    setting=(
        r"Levels $0 \le s < t \le T$ with $1 \ge \bar\alpha_s > \bar\alpha_t > 0$. The loss knows only the marginal laws "
        r"$q(x_t|x_0) = \mathcal{N}(\sqrt{\bar\alpha_t}\, x_0, 1 - \bar\alpha_t)$.",
        r"The family is a joint law, written backward and given $x_0$: $q_\sigma(x_{1:T}|x_0) = q(x_T|x_0) \prod_{t=2}^T "
        r"q_\sigma(x_{t-1}|x_t, x_0)$. Each factor is Gaussian with a mean that is linear in $x_0$ and $x_t$, and with a "
        r"variance $\sigma^2$, $0 \le \sigma^2 \le 1 - \bar\alpha_{t-1}$; with $\sigma = 0$ it is a point. A "
        r"sampler that visits only some levels steps from $t$ to $s$ in the place of $t - 1$.",
        r"A model's step puts a prediction $\hat x_0$ in the place of $x_0$, and starts from $x_T \sim \mathcal{N}(0, 1)$.",
        r"One coordinate is written. Given $x_0$ the coordinates are independent, so for a vector every formula holds in each.",
    ),
    answer=r"For every $\sigma$ there is exactly one such step back that keeps all marginal laws, if the old noise keeps its "
    r"sign. For $\sigma > 0$ the bound on the likelihood is the same squared error with other weights, so one network serves "
    r"all. At $\sigma = 0$ this bound is infinite; the sampler is Euler's method for a differential equation, the flow "
    r"of which carries the marginal laws.",
    limits=(
        "That the flow exists and that Euler's method converges to it is derived for Gaussian data and argued for data of "
        "bounded support, away from the level without noise.",
        "The likelihood of the flow is not computed here.",
        "The start is a standard normal in the place of the law at the last level; the gap is that of the forward process.",
    ),
    trained="`diffusion/training` trains, and `python -m practice_torch sample RUN --sampler ddim` draws with its models.",
)

half = Rational(1, 2)
a_s = derivation.number(r"\bar\alpha_s", "the signal's share at the level $s$ after the step", "alpha_bar[s]", between=(0, 1))
kept = derivation.number("r", r"the ratio $\bar\alpha_t / \bar\alpha_s$", between=(0, 1))
a_t = derivation.define(
    r"\bar\alpha_t", a_s * kept, "the signal's share at the level $t$ before the step", "alpha_bar[t]", positive=True
)
nu = derivation.number(r"\nu", "the share of the noise at level $s$ that is new: any number", between=(0, 1))
variance = derivation.define(r"\sigma^2", nu * (1 - a_s), "the variance of the new noise", "ddim_sigma**2", positive=True)
B = derivation.define("B", sqrt((1 - nu) * (1 - a_s) / (1 - a_t)), "the weight of $x_t$ in the mean", positive=True)
A = derivation.define("A", plus(sqrt(a_s), -times(B, sqrt(a_t))), "the weight of $x_0$ in the mean")
x_0 = derivation.number("x_0", "the data", "x0")
x_t = derivation.number("x_t", "the value before the step", "x_t")
x_s = derivation.number("x_s", "the value after the step")
u = derivation.number("u", r"the argument of the moment generating function $\mathbb{E}[e^{u x_s}]$")

derivation.say(
    r"The noise that $x_t$ carries, $(x_t - \sqrt{\bar\alpha_t} x_0) / \sqrt{1 - \bar\alpha_t}$, is standard normal given "
    r"$x_0$. The idea is to use it again: some of the noise of level $s$ is old, the rest is new."
)
derivation.chain(
    "The mean: the data, with some of the old noise",
    plus(times(sqrt(a_s), x_0), times(sqrt(1 - a_s - variance), (x_t - times(sqrt(a_t), x_0)) / sqrt(1 - a_t))),
    equals(
        plus(times(sqrt(a_s), x_0), times(B, plus(x_t, -times(sqrt(a_t), x_0)))),
        r"$1 - \bar\alpha_s - \sigma^2 = (1 - \nu)(1 - \bar\alpha_s)$",
        wrong={"all of the old noise": sqrt(a_s) * x_0 + sqrt((1 - a_s) / (1 - a_t)) * (x_t - sqrt(a_t) * x_0)},
    ),
    equals(plus(times(A, x_0), times(B, x_t)), r"collect $x_0$"),
    role="definition",
)
back = Normal(x_s, plus(times(A, x_0), times(B, x_t)), variance)
derivation.chain(
    "Every member of the family has the marginal laws of the training",
    Expectation(Normal(x_t, times(sqrt(a_t), x_0), 1 - a_t), Expectation(back, exp(u * x_s))),
    equals(
        Expectation(
            Normal(x_t, times(sqrt(a_t), x_0), 1 - a_t), exp(plus(times(u, A, x_0), times(u, B, x_t), variance * u**2 / 2))
        ),
        r"the moment generating function of the step, at a fixed $x_t$",
    ),
    equals(
        exp(plus(times(u, plus(A, times(B, sqrt(a_t))), x_0), plus(times(B**2, 1 - a_t), variance) * u**2 / 2)),
        r"the same for $x_t$, at the argument $u B$: the means add up, and the variances",
    ),
    equals(
        exp(plus(times(u, sqrt(a_s), x_0), (1 - a_s) * u**2 / 2)),
        r"$A + B \sqrt{\bar\alpha_t} = \sqrt{\bar\alpha_s}$, and $B^2 (1 - \bar\alpha_t) = (1 - \nu)(1 - \bar\alpha_s)$ is "
        r"$1 - \bar\alpha_s - \sigma^2$",
        wrong={"the level before the step": exp(plus(times(u, sqrt(a_t), x_0), (1 - a_t) * u**2 / 2))},
    ),
    equals(
        Expectation(Normal(x_s, times(sqrt(a_s), x_0), 1 - a_s), exp(u * x_s)),
        r"the moment generating function of $\mathcal{N}(\sqrt{\bar\alpha_s} x_0, 1 - \bar\alpha_s)$",
    ),
    central=True,
    uses=(marginal_law,),
    so=r"So if $x_t$ has its marginal law, so has $x_s$; by induction from $T$ downward all have, for every choice of the "
    r"$\sigma$. The third line holds for any two weights. It is the marginal law only if $A + B \sqrt{\bar\alpha_t} = "
    r"\sqrt{\bar\alpha_s}$ and $B^2 (1 - \bar\alpha_t) + \sigma^2 = 1 - \bar\alpha_s$, so for $B \ge 0$ there is no other "
    r"choice. The cases $\nu = 0$ and $\nu = 1$ are limits of these lines.",
)

derivation.say(
    r"Which $\sigma$? The family is usually run with $\sigma^2 = \eta^2 \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t} (1 - "
    r"\frac{\bar\alpha_t}{\bar\alpha_s})$: $\nu$ is $\eta^2$ times the share of the noise of level $t$ that the forward "
    r"process added after $s$. The case $\eta = 1$ is DDPM."
)
ancestral = derivation.define("B_1", sqrt(kept) * (1 - a_s) / (1 - a_t), r"$B$ at $\eta = 1$, as shown below", positive=True)
derivation.chain(
    "At eta = 1 the weights are those of the reverse process",
    times(1 - (1 - kept) / (1 - a_t), 1 - a_s) / (1 - a_t),
    equals(times(kept, (1 - a_s) ** 2) / (1 - a_t) ** 2, r"$1 - \bar\alpha_t - (1 - r) = r (1 - \bar\alpha_s)$"),
    equals(ancestral**2, r"a square times $r$", wrong={"the levels exchanged": kept * (1 - a_t) ** 2 / (1 - a_s) ** 2}),
    role="lemma",
    so=r"The first line is $B^2$ at $\nu = (1 - r) / (1 - \bar\alpha_t)$, that is at $\eta = 1$. Both weights are positive, so "
    r"$B = B_1$ there.",
)
derivation.chain(
    "... also that of the data",
    plus(sqrt(a_s), -times(ancestral, sqrt(a_t))),
    equals(
        plus(sqrt(a_s), -times(sqrt(a_s), kept, 1 - a_s) / (1 - a_t)), r"$\sqrt{r} \sqrt{\bar\alpha_t} = r \sqrt{\bar\alpha_s}$"
    ),
    equals(times(sqrt(a_s), 1 - kept) / (1 - a_t), r"$1 - \bar\alpha_t - r (1 - \bar\alpha_s) = 1 - r$"),
    role="lemma",
    uses=(posterior_law,),
    so=r"For $s = t - 1$ these are the weights of $q(x_{t-1}|x_t, x_0)$ in the reverse process, and $\sigma^2 = "
    r"\tilde\beta_t$: the ancestral sampler with the small variance is a member of the family.",
)
derivation.chain(
    "No other member is a Markov chain",
    plus(sqrt(a_t), -times(B * (1 - a_t) / (1 - a_s), sqrt(a_s))),
    equals(
        times(sqrt(a_s) * (1 - a_t) / (1 - a_s), plus(ancestral, -B)),
        r"take the factor out; $\sqrt{\bar\alpha_t} = \sqrt{\bar\alpha_s} \sqrt{r}$, and the definition of $B_1$",
    ),
    role="remark",
    so=r"The first line is the weight of $x_0$ in the mean of $x_t$ given $x_s$ and $x_0$, which is $\sqrt{\bar\alpha_t} x_0 + "
    r"\frac{B (1 - \bar\alpha_t)}{1 - \bar\alpha_s} (x_s - \sqrt{\bar\alpha_s} x_0)$: given $x_0$ the covariance of the two is "
    r"$B (1 - \bar\alpha_t)$. Only where it is zero is the step forward independent of $x_0$: for $B = B_1$, $\eta = 1$. So "
    r"the other members are no diffusions, although their marginal laws are the same.",
)
eta = derivation.number(r"\eta", "how random the sampler is", "eta", between=(0, 1))
sigma = derivation.define(
    r"\sigma_\eta",
    times(eta, sqrt((1 - a_s) / (1 - a_t)), sqrt(1 - kept)),
    r"the deviation of the new noise, by $\eta$",
    "ddim_sigma",
    positive=True,
)
step = {"t": [2], "s": [1], "alpha_bar": [1, a_s, a_s * kept], "eta": eta}
derivation.bridge("The code's deviation of the new noise", sigma, ddim_sigma, **step)
derivation.bridge(
    "The code's mean",
    plus(times(sqrt(a_s), x_0), times(sqrt(1 - a_s - sigma**2), (x_t - times(sqrt(a_t), x_0)) / sqrt(1 - a_t))),
    non_markovian_mean,
    x0=[x_0],
    x_t=[x_t],
    **step,
)

guess = derivation.number(r"\hat x_0", "a prediction of the data, which may depend on $x_t$ and $t$")
weighted = derivation.chain(
    "With new noise, the loss is a squared error with another weight",
    plus(times(A, x_0), times(B, x_t), -times(A, guess), -times(B, x_t)) ** 2 / (2 * variance),
    equals(
        A**2 / (2 * variance) * (x_0 - guess) ** 2,
        r"$x_t$ cancels",
        wrong={"the weight of the noisy value": B**2 / (2 * variance) * (x_0 - guess) ** 2},
    ),
    uses=(gaussian_divergence,),
    so=r"The first line is the divergence of the true step from the model's, two Gaussians of equal variance. $A > 0$, because "
    r"$B^2 \bar\alpha_t < \frac{1 - \bar\alpha_s}{1 - \bar\alpha_t} \bar\alpha_t < \bar\alpha_s$. The joint law is written "
    r"backward, as the bound on the likelihood needs it, so for $\sigma > 0$ this bound is a sum of such terms (the last step, "
    r"where $\sigma = 0$, is given a Gaussian decoder). For all positive weights the best prediction at every level is "
    r"$\mathbb{E}[x_0|x_t]$, in which $\sigma$ does not occur: a network trained for DDPM is trained for the family.",
)
_OLD_WEIGHT = (sqrt(a_s) * (1 - kept) / (1 - a_t)) ** 2
_NEW_VARIANCE = (1 - a_s) * (1 - kept) / (1 - a_t)
derivation.chain(
    "At eta = 1 the weight is half of the gain in signal",
    times(_OLD_WEIGHT, 1 / times(2, _NEW_VARIANCE)),
    equals(a_s * (1 - kept) / times(2, 1 - a_s, 1 - a_t), "one factor of each cancels"),
    equals(
        times(half, plus(a_s / (1 - a_s), -a_t / (1 - a_t))),
        r"over the common denominator: $\bar\alpha_s - \bar\alpha_t = \bar\alpha_s (1 - r)$",
    ),
    so="That is the weight of DDPM's own bound, also over long strides.",
)

derivation.say(r"Most samplers run without new noise, $\eta = 0$, and there the argument by likelihood fails.")
derivation.chain(
    "Without new noise there is no bound on the likelihood",
    Limit(2 * variance / plus(sqrt(a_s), -times(B, sqrt(a_t))) ** 2, nu, 0),
    equals(
        0,
        r"$\sigma^2$ goes to 0, and $A$ to $\sqrt{\bar\alpha_s} - \sqrt{(1 - \bar\alpha_s) / (1 - \bar\alpha_t)} "
        r"\sqrt{\bar\alpha_t}$, which is positive",
    ),
    role="remark",
    so=r"The first line is one over the weight of the squared error, which therefore goes to infinity. Two different points "
    r"have an infinite divergence. So it does not follow that DDPM's loss bounds the likelihood of what DDIM draws. What holds "
    r"for every $\sigma$, also 0, is shown by three other means: a distance, the moments of a step, and the limit of small "
    r"steps. The distance is Wasserstein's: the two steps have equal variances, so the best coupling is a shift, and its square "
    r"is $A^2 (x_0 - \hat x_0)^2$. It is finite at $\sigma = 0$ and has the same minimizer.",
)
n = derivation.index("n", "a value of the data")
i = derivation.index("i", "a value of $x_t$")
noisy = derivation.law("q", i, "the law of $x_t$")
given = derivation.law("w({}|{})", (n, i), "the law of $x_0$ given $x_t$")
y = derivation.numbers("y", n, "the values of the data")
z = derivation.numbers("x", i, "the values of $x_t$")
best = derivation.define("m", Expectation(given, y), r"the best prediction of the data, $\mathbb{E}[x_0|x_t]$", over=i)
a = derivation.number("a", "any weight of the data")
b = derivation.number("b", "any weight of the noisy value")
derivation.chain(
    "A step with the best prediction loses variance, and nothing else",
    plus(
        Expectation(noisy, Expectation(given, plus(times(a, y), times(b, z)) ** 2)),
        -Expectation(noisy, plus(times(a, best), times(b, z)) ** 2),
    ),
    equals(
        Expectation(noisy, Variance(given, plus(times(a, y), times(b, z)))),
        r"given $x_t$, the true step has the mean $a m_i + b x_i$, and a mean square minus the squared mean is a variance",
    ),
    equals(
        a**2 * Expectation(noisy, Variance(given, y)),
        r"$b x_i$ is constant given $x_t$",
        wrong={"the weight not squared": a * Expectation(noisy, Variance(given, y))},
    ),
    states=2,
    so=r"Take $a = A$ and $b = B$. The means of both steps agree, and the new noise is the same, so the first line is the "
    r"difference of their variances. At $\sigma = 0$ it is of second order in the length of the step, because the weight $A$ "
    r"is of first order, which the next chain shows.",
)
noise = derivation.number(r"\hat\epsilon", "the predicted noise", "noise_pred")
level_t = derivation.define(r"\varsigma_t", sqrt((1 - a_t) / a_t), r"the deviation of the noise in $x_t / \sqrt{\bar\alpha_t}$")
level_s = derivation.define(r"\varsigma_s", sqrt((1 - a_s) / a_s), "the same at $s$")
derivation.chain(
    "Without new noise the weight of the data is the fall of the noise level",
    plus(sqrt(a_s), -times(sqrt((1 - a_s) / (1 - a_t)), sqrt(a_t))),
    equals(
        times(sqrt(a_s), plus(level_t, -level_s) / level_t),
        r"$\sqrt{1 - \bar\alpha_s} = \sqrt{\bar\alpha_s}\, \varsigma_s$, and the same for $t$",
    ),
    role="lemma",
    so=r"The first line is $A$ at $\nu = 0$.",
)
implied = derivation.define(r"\hat x(\hat\epsilon)", (x_t - times(sqrt(1 - a_t), noise)) / sqrt(a_t), "the data that it implies")
euler_step = derivation.chain(
    "Without new noise a step is one of Euler's method",
    plus(times(sqrt(a_s), implied), times(sqrt(1 - a_s), noise)) / sqrt(a_s),
    equals(
        plus(implied, times(level_s, noise)),
        r"divide; $\varsigma_s = \sqrt{(1 - \bar\alpha_s) / \bar\alpha_s}$",
        wrong={"the level before the step": plus(implied, times(level_t, noise))},
    ),
    equals(plus(x_t / sqrt(a_t), times(plus(level_s, -level_t), noise)), r"the definition of the implied data"),
    so=r"In the units $y = x / \sqrt{\bar\alpha}$, in which the data are not shrunk, a step walks along the predicted noise by "
    r"as much as the noise level changes: Euler's method for $\frac{dy}{d\varsigma} = \hat\epsilon(y, \varsigma)$. Sampling "
    r"has become the solution of a differential equation.",
)
fresh = derivation.number("z", "new standard normal noise", "noise")
derivation.bridge(
    "The code's step",
    plus(times(sqrt(a_s), implied), times(sqrt(1 - a_s - sigma**2), noise), times(sigma, fresh)),
    ddim_step,
    x_t=[x_t],
    noise_pred=[noise],
    noise=[fresh],
    **step,
)

point = derivation.number("y", r"a value in these units, $x / \sqrt{\bar\alpha}$")
level = derivation.number(r"\varsigma", "a noise level", positive=True)
density = derivation.function("p", r"the density of $x_0 + \varsigma \epsilon$ at $y$", arguments=2)(point, level)
derivation.say(r"What does this equation do to the laws? The best $\hat\epsilon$ is $-\varsigma$ times the score.")
flow_keeps = derivation.chain(
    "The flow carries the marginal laws",
    plus(times(level, Slope(density, point, 2)), Slope(times(density, -times(level, Slope(log(density), point))), point)),
    equals(
        plus(times(level, Slope(density, point, 2)), -times(level, Slope(Slope(density, point), point))), r"$p\, (\log p)' = p'$"
    ),
    equals(0, "the two terms are the same"),
    uses=(transport, score_of_the_marginal),
    so=r"This is the probability flow without drift, at $g^2 = 2 \varsigma$: more noise spreads a density as heat spreads, "
    r"$\partial p / \partial \varsigma = \varsigma\, \partial^2 p / \partial y^2$, so the first line is $\partial p / \partial "
    r"\varsigma + \partial (p\, \hat\epsilon) / \partial y$. That it is zero is the continuity equation: points that are "
    r"distributed by $p$ at one level and move by $\frac{dy}{d\varsigma} = \hat\epsilon$ are distributed by $p$ at every level. "
    r"For data of bounded support $\hat\epsilon$ has a bounded slope above any positive level, so the flow exists there, is "
    r"unique, and Euler's method converges to it. This is what holds at $\eta = 0$: for finitely many steps the loss bounds no "
    r"likelihood, but from the exact start the law at every positive level is right in the limit of small steps.",
)

c = derivation.number("c", "the variance of Gaussian data", positive=True)
after = derivation.number(r"\varsigma'", "the noise level after a step", positive=True)
separated = derivation.chain(
    "For Gaussian data the equation is solved by separating the variables",
    times(-level, Slope(LogDensity(point, 0, plus(c, level**2)), point)) / point,
    equals(level / plus(c, level**2), r"the score of $\mathcal{N}(0, c + \varsigma^2)$ is $-y / (c + \varsigma^2)$"),
    equals(
        Slope(times(half, log(plus(c, level**2))), level), r"the derivative of the logarithm is $2 \varsigma / (c + \varsigma^2)$"
    ),
    so=r"The first line is $\frac{1}{y} \frac{dy}{d\varsigma}$, the derivative of $\log |y|$. So $\log |y| - \frac12 \log(c + "
    r"\varsigma^2)$ is constant: $y$ is a constant times $\sqrt{c + \varsigma^2}$, and a point keeps its place in units of the "
    r"deviation. In units of $x$ the constant is $x_t / \sqrt{V_t}$ with $V_t = 1 - \bar\alpha_t + \bar\alpha_t c$.",
)
derivation.symbol("V_t", "the variance of $x_t$ for Gaussian data")
factor = derivation.define(
    "f",
    plus(1, times(plus(after, -level), level / plus(c, level**2))),
    r"by what Euler's step from $\varsigma$ to $\varsigma'$ multiplies $y$",
)
derivation.chain(
    "Every step of Euler's method loses variance",
    plus(plus(c, after**2) / plus(c, level**2), -(factor**2)),
    equals(
        plus(plus(c, after**2) / plus(c, level**2), -(plus(c, times(level, after)) ** 2) / plus(c, level**2) ** 2),
        r"$c + \varsigma^2 + (\varsigma' - \varsigma) \varsigma = c + \varsigma \varsigma'$",
    ),
    equals(
        c * (level - after) ** 2 / plus(c, level**2) ** 2,
        r"over the common denominator: $(c + \varsigma'^2)(c + \varsigma^2) - (c + \varsigma \varsigma')^2 = c (\varsigma - "
        r"\varsigma')^2$",
    ),
    at_least(0, "zero only for a step of length 0", dropping=c * (level - after) ** 2 / plus(c, level**2) ** 2),
    so=r"The first line is the right factor of the variance minus that of the step: the loss of the chain on moments, once more. "
    r"It is of second order in the length of the step. $T$ steps of a length of order $1/T$ add up to an error of order $1/T$: "
    r"the sampler is a method of first order, and twice the steps halve the error.",
)
_LEVELS = jnp.array([1.0, 0.81, 0.5184])
_TWO, _ONE = np.array([2]), np.array([1])
_given = {a_s: 0.81, kept: 0.64}


def _walk(x, noise_fn, alpha_bar):
    """All values on the way down through all levels without new noise: [T+1, B]."""
    path = [x]
    for t in range(alpha_bar.shape[0] - 1, 0, -1):
        at = np.full(len(x), t)
        path.append(ddim_step(path[-1], noise_fn(path[-1], alpha_bar[t]), 0 * x, at, at - 1, alpha_bar))
    return jnp.stack(path)


def _noise_of_gaussian(x, a):
    """The best prediction of the noise for data N(0, 1/4)."""
    return jnp.sqrt(1 - a) * x / (1 - a + a / 4)


def _noise_of_two_points(x, a):
    """The best prediction of the noise for data that are -1 or 1, by the mean of the data."""
    return (x - jnp.sqrt(a) * jnp.tanh(jnp.sqrt(a) * x / (1 - a))) / jnp.sqrt(1 - a)


@derivation.example(
    r"From $t = 2$ to $s = 1$ with $\bar\alpha_1 = 0.81$ and $\bar\alpha_2 = 0.5184$, so $r = 0.64$. At $x_2 = 1$ the network "
    r"predicts the noise $0.5$. Last, data $\mathcal{N}(0, \frac14)$ and the best prediction: from $x_2 = 1$ to level 0."
)
def a_step_down():
    x, e = jnp.ones(1), jnp.full(1, 0.5)
    yield r"\hat x_0 = (1 - 0.5 \sqrt{0.4816}) / 0.72", x0_from_noise(x, e, _TWO, _LEVELS)[0], "0.90696"
    yield r"A, B\ \text{at}\ \eta = 0", (value(A, _given | {nu: 0}), value(B, _given | {nu: 0})), "(0.44776, 0.62811)"
    yield r"x_1\ \text{at}\ \eta = 0", ddim_step(x, e, 0 * x, _TWO, _ONE, _LEVELS)[0], "1.03421"
    yield r"\sigma^2\ \text{at}\ \eta = 1", ddim_sigma(_TWO, _ONE, _LEVELS, eta=1.0)[0] ** 2, "0.14203"
    yield r"\text{the mean of}\ x_1\ \text{at}\ \eta = 1", ddim_step(x, e, 0 * x, _TWO, _ONE, _LEVELS, eta=1.0)[0], "0.92578"
    share = 0.36 / 0.4816
    weights = [value(A**2 / (2 * variance), _given | {nu: eta**2 * share}) for eta in (1, 0.5)]
    yield r"\frac{A^2}{2\sigma^2}\ \text{at}\ \eta = 1, \tfrac12", weights, "(1.5934, 3.4115)"
    two, one = _walk(x, _noise_of_gaussian, _LEVELS)[-1], _walk(x, _noise_of_gaussian, _LEVELS[::2])[-1]
    exact = math.sqrt(0.25 / (0.4816 + 0.5184 / 4))
    yield r"\text{two steps, one step, the flow}\ \sqrt{c / V_2}", (two[0], one[0], exact), "(0.4357, 0.2945, 0.6396)"


@derivation.figure(
    r"Left: data that are $-1$ or $1$ and the best prediction. Gray: lines of the flow, which part at 0 and end in the data; "
    r"the marked lines are samplers of 2 and 8 steps. Right: what one step from $t = 2$ to $s = 1$ costs if $\hat x_0$ is off "
    r"by 1. The divergence grows without limit as $\eta$ goes to 0, the squared Wasserstein distance does not.",
    panels=2,
)
def flow_and_costs(left, right):
    top = 2.5
    for steps, starts, style in (
        (24, jnp.linspace(-4, 4, 10), {"color": "gray", "linewidth": 0.6}),
        (2, jnp.array([1.0]), {"marker": "o", "label": "2 steps"}),
        (8, jnp.array([1.0]), {"marker": ".", "label": "8 steps"}),
    ):
        levels = jnp.linspace(0, top, steps + 1)
        alpha_bar = 1 / (1 + levels**2)
        path = _walk(starts / math.sqrt(1 + top**2), _noise_of_two_points, alpha_bar) / jnp.sqrt(alpha_bar[::-1])[:, None]
        left.plot(levels[::-1], path, **style)
    left.set(xlabel=r"$\varsigma$", ylabel="$y$")
    left.legend()
    etas, one, zero = np.linspace(0.05, 1.1, 15), jnp.ones(1), jnp.zeros(1)
    squared = [float(non_markovian_mean(one, zero, _TWO, _ONE, _LEVELS, eta=eta)[0]) ** 2 for eta in etas]
    variances = [float(ddim_sigma(_TWO, _ONE, _LEVELS, eta=eta)[0]) ** 2 for eta in etas]
    right.semilogy(etas, np.array(squared) / (2 * np.array(variances)), label="divergence")
    right.semilogy(etas, squared, linestyle="--", label="squared distance")
    right.set(xlabel=r"$\eta$", ylabel="cost of one step")
    right.legend()


@derivation.exercise(
    r"What are $\sigma_\eta$, $A$ and $B$ for a step to $s = 0$?",
    r"There $\bar\alpha_0 = 1$, so $\sigma_\eta = 0$, $A = 1$ and $B = 0$ for every $\eta$: the step returns $\hat x_0$.",
)
def the_last_step():
    zero, x = np.zeros(1, dtype=int), jnp.array([1.7])
    yield ddim_sigma(_TWO, zero, _LEVELS, eta=0.6)[0], "0"
    yield non_markovian_mean(jnp.ones(1), x, _TWO, zero, _LEVELS, eta=0.6)[0], "1"


@derivation.exercise(
    r"How large may $\eta$ be for the step of the example, and what happens there?",
    r"$\sigma_\eta^2 \le 1 - \bar\alpha_1$ means $\eta^2 \le \frac{1 - \bar\alpha_2}{1 - r} = \frac{0.4816}{0.36}$, so $\eta "
    r"\le 1.1566$. There $B = 0$: $x_1$ forgets $x_2$ and is drawn anew around $0.9\, \hat x_0$.",
)
def the_most_random_step():
    largest = math.sqrt(0.4816 / 0.36)
    yield largest, "1.1566"
    yield non_markovian_mean(jnp.ones(1), jnp.array([5.0]), _TWO, _ONE, _LEVELS, eta=largest * (1 - 1e-15))[0], "0.9"


@derivation.exercise(
    r"A sampler takes a single step from $T$ to 0, with the best prediction. What does it draw as $\bar\alpha_T$ goes to 0? "
    r"Which variance for data $\mathcal{N}(0, \frac14)$ and $\bar\alpha_T = 0.01$?",
    r"It draws the mean of the data given $x_T$, and as $x_T$ tells less and less, the mean of all data: the step loses the "
    r"whole variance, by the chain on moments with $A = 1$. For the Gaussian data the variance is $\bar\alpha_T c^2 / V_T = "
    r"0.00063$ in the place of 0.25.",
)
def one_step():
    deviation = jnp.array([math.sqrt(0.9925)])
    yield _walk(deviation, _noise_of_gaussian, jnp.array([1.0, 0.01]))[-1, 0] ** 2, "0.00063"
