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
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.ddim import ddim_sigma, ddim_step, non_markovian_mean
from theory_jax.diffusion.parameterizations import x0_from_noise
from theory_jax.lectures.diffusion._ddim import TOP, draw_costs, draw_flow, from_noise_to_ring, noise_of_gaussian, walk, walk_down
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
    question="A diffusion model needs a thousand steps for a picture; with a tenth of them, ancestral sampling is blurred or "
    "noisy, and the same start gives another picture every time. The network knows no more than its training told it. Which "
    "other samplers does it serve without being trained again, and what does the one without noise compute?",
    setting=(
        r"A step goes from a level $t$ to a lower level $s$, with a larger share $\bar\alpha_s$ of the signal; no share is 0. "
        r"The loss knows only the marginal distributions $q(x_t|x_0)$, which are $\mathcal{N}(\sqrt{\bar\alpha_t}\, x_0, 1 - "
        r"\bar\alpha_t)$.",
        "The family is a joint distribution, written backward and given $x_0$: $q(x_T|x_0)$ times the product of "
        r"$q_\sigma(x_{t-1}|x_t, x_0)$ over $t$ from 2 to $T$. Each factor is Gaussian with a mean that is linear in $x_0$ and "
        r"$x_t$, and with a variance $\sigma^2$ of at most $1 - \bar\alpha_{t-1}$; with variance 0 it is a point. A sampler "
        "that visits only some levels steps from $t$ to $s$ in the place of $t - 1$.",
        r"A model's step puts a prediction $\hat x_0$ in the place of $x_0$, and starts from $x_T \sim \mathcal{N}(0, 1)$.",
        r"One coordinate is written. Given $x_0$ the coordinates are independent, so for a vector every formula holds in each.",
    ),
    limits=(
        "That the flow exists and that Euler's method converges to it is derived for Gaussian data and argued for data of "
        "bounded support, away from the level without noise.",
        "The likelihood of the flow is not computed here.",
        "The start is a standard normal in the place of the distribution at the last level; the gap is that of the forward "
        "process.",
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
    "$x_0$. The idea is to use it again: some of the noise of level $s$ is old, the rest is new."
)
mean_back = derivation.chain(
    "The mean: the data, with some of the old noise",
    plus(times(sqrt(a_s), x_0), times(sqrt(1 - a_s - variance), (x_t - times(sqrt(a_t), x_0)) / sqrt(1 - a_t))),
    equals(
        plus(times(sqrt(a_s), x_0), times(B, plus(x_t, -times(sqrt(a_t), x_0)))),
        prose("{old}", old=holds(1 - a_s - variance, "=", times(1 - nu, 1 - a_s))),
        wrong={"all of the old noise": sqrt(a_s) * x_0 + sqrt((1 - a_s) / (1 - a_t)) * (x_t - sqrt(a_t) * x_0)},
    ),
    equals(plus(times(A, x_0), times(B, x_t)), r"collect $x_0$"),
    role="definition",
)
back = Normal(x_s, plus(times(A, x_0), times(B, x_t)), variance)
derivation.chain(
    "Every member of the family has the marginal distributions of the training",
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
        prose(
            "{signal}, and {noise}",
            signal=holds(plus(A, times(B, sqrt(a_t))), "=", sqrt(a_s)),
            noise=holds(plus(times(B**2, 1 - a_t), variance), "=", 1 - a_s, wrong={"not squared": 1 - sqrt(a_s)}),
        ),
        wrong={"the level before the step": exp(plus(times(u, sqrt(a_t), x_0), (1 - a_t) * u**2 / 2))},
    ),
    equals(
        Expectation(Normal(x_s, times(sqrt(a_s), x_0), 1 - a_s), exp(u * x_s)),
        r"the moment generating function of $\mathcal{N}(\sqrt{\bar\alpha_s} x_0, 1 - \bar\alpha_s)$",
    ),
    central=True,
    uses=(marginal_law,),
    so="So if $x_t$ has its marginal distribution, so has $x_s$; by induction from $T$ downward all have, for every choice of "
    r"the $\sigma$. The third line holds for any two weights $A$ and $B$. It is the marginal distribution only if both "
    "equations of the reason hold, and these leave one choice for each sign of $B$: there is no other with a positive one. The "
    r"cases that $\nu$ is 0 or 1 are limits of these lines.",
)
derivation.answer = prose(
    r"For every variance $\sigma^2$ of the new noise there is exactly one such step back, linear and Gaussian, that keeps all "
    "marginal distributions and the sign of the old noise: {mean} is its mean, with {weight}. With new noise, the bound on the "
    "likelihood is the same squared error of the data, with the weight {loss}, so one network serves all. Without new noise "
    "this weight is infinite; the sampler is Euler's method for a differential equation, the flow of which carries the marginal "
    "distributions, if the prediction is the best one.",
    mean=plus(times(A, x_0), times(B, x_t)),
    weight=holds(A, "=", plus(sqrt(a_s), -times(B, sqrt(a_t)))),
    loss=A**2 / (2 * variance),
)

eta = derivation.number(r"\eta", "how random the sampler is", "eta", between=(0, 1))
_SIGMA = times(eta, sqrt((1 - a_s) / (1 - a_t)), sqrt(1 - kept))
sigma = derivation.define(r"\sigma_\eta", _SIGMA, r"the deviation of the new noise, by $\eta$", "ddim_sigma", positive=True)
derivation.say(
    r"Which $\sigma$? The family is usually run with $\sigma_\eta$, so that $\nu$ is $\eta^2$ times the share of the noise of "
    r"level $t$ that the forward process added after $s$. DDPM has $\eta$ at 1."
)
ancestral = derivation.define("B_1", sqrt(kept) * (1 - a_s) / (1 - a_t), r"$B$ at $\eta = 1$, as shown below", positive=True)
ddpm = derivation.chain(
    "At eta = 1 the weights are those of the reverse process",
    times(1 - (1 - kept) / (1 - a_t), 1 - a_s) / (1 - a_t),
    equals(
        times(kept, (1 - a_s) ** 2) / (1 - a_t) ** 2,
        prose("{left}", left=holds(plus(1, -a_t, -(1 - kept)), "=", times(kept, 1 - a_s))),
    ),
    equals(ancestral**2, r"a square times $r$", wrong={"the levels exchanged": kept * (1 - a_t) ** 2 / (1 - a_s) ** 2}),
    role="lemma",
    so=prose(
        r"The first line is $B^2$ where $\nu$ is {share}, that is for $\eta$ at 1. Both weights are positive, so $B$ is $B_1$ "
        "there, and $A$ is {data}. For a step to the next level these are the weights of $q(x_{t-1}|x_t, x_0)$ in the reverse "
        r"process, and $\sigma^2$ is its variance: the ancestral sampler with the small variance is a member of the family.",
        share=(1 - kept) / (1 - a_t),
        data=holds(plus(sqrt(a_s), -times(ancestral, sqrt(a_t))), "=", times(sqrt(a_s), 1 - kept) / (1 - a_t), named=True),
    ),
    uses=(posterior_law,),
)
derivation.chain(
    "No member of the family with another eta is a Markov chain",
    plus(sqrt(a_t), -times(B * (1 - a_t) / (1 - a_s), sqrt(a_s))),
    equals(
        times(sqrt(a_s) * (1 - a_t) / (1 - a_s), plus(ancestral, -B)),
        prose(
            "take the factor out; {root}, and the definition of $B_1$", root=holds(sqrt(a_t), "=", times(sqrt(a_s), sqrt(kept)))
        ),
    ),
    role="remark",
    so=prose(
        "The first line is the weight of $x_0$ in the mean of $x_t$ given $x_s$ and $x_0$, {mean}, since the covariance of the "
        r"two given $x_0$ is $B (1 - \bar\alpha_t)$. The step forward is independent of $x_0$ only where the last line is zero, "
        r"at $B_1$, which is $\eta$ at 1. So the other members are no diffusions, although their marginal distributions are the "
        "same.",
        mean=plus(times(sqrt(a_t), x_0), times(B * (1 - a_t) / (1 - a_s), plus(x_s, -times(sqrt(a_s), x_0)))),
    ),
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
    so=prose(
        "The first line is the divergence of the true step from the model's, two Gaussians of equal variance. $A$ is positive, "
        "because {less}. The joint distribution is written backward, as the bound on the likelihood needs it, so with new noise "
        "this bound is a sum of such terms (the last step, to the data, has none and is given a Gaussian decoder). For all "
        r"positive weights the best prediction at every level is $\mathbb{E}[x_0|x_t]$, in which $\sigma$ does not occur: a "
        r"network trained for DDPM is trained for the family. For DDPM, with $\eta$ at 1, the weight is half of the gain in "
        "signal, {half}.",
        less=holds(times(B**2, a_t), "<", a_s, wrong={"the level before": a_t * kept}),
        half=holds(a_s * (1 - kept) / times(1 - a_s, 1 - a_t), "=", plus(a_s / (1 - a_s), -a_t / (1 - a_t)), named=True),
    ),
)

derivation.say(r"Most samplers run without new noise, with $\eta$ at 0, and there the argument by likelihood fails.")
derivation.chain(
    "Without new noise there is no bound on the likelihood",
    Limit(2 * variance / plus(sqrt(a_s), -times(B, sqrt(a_t))) ** 2, nu, 0),
    equals(
        0,
        prose(
            r"$\sigma^2$ goes to 0, and $A$ to {weight}, which is positive",
            weight=holds(Limit(A, nu, 0), "=", plus(sqrt(a_s), -times(sqrt((1 - a_s) / (1 - a_t)), sqrt(a_t))), named=True),
        ),
    ),
    role="remark",
    so="The first line is one over the weight of the squared error, which therefore goes to infinity. Two different points have "
    "an infinite divergence. So it does not follow that DDPM's loss bounds the likelihood of what DDIM draws. What holds for "
    r"every $\sigma$, also 0, is shown by three other means: a distance, the moments of a step, and the limit of small steps. "
    "The distance is Wasserstein's: the two steps have equal variances, so the best coupling is a shift, and its square is $A^2 "
    r"(x_0 - \hat x_0)^2$. It is finite without new noise, too, and has the same minimizer.",
)
noise = derivation.number(r"\hat\epsilon", "the predicted noise", "noise_pred")
level_t = derivation.define(r"\varsigma_t", sqrt((1 - a_t) / a_t), r"the deviation of the noise in $x_t / \sqrt{\bar\alpha_t}$")
level_s = derivation.define(r"\varsigma_s", sqrt((1 - a_s) / a_s), "the same at $s$")
n = derivation.index("n", "a value of the data")
i = derivation.index("i", "a value of $x_t$")
noisy = derivation.law("q", i, "the distribution of $x_t$")
given = derivation.law("w({}|{})", (n, i), "the distribution of $x_0$ given $x_t$")
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
    so=prose(
        "Take $A$ for $a$ and $B$ for $b$. The means of both steps agree, and the new noise is the same, so the first line is "
        "the difference of their variances. Without new noise it is of second order in the length of the step, because $A$ is "
        "the fall of the noise level: {first}.",
        first=holds(Limit(A, nu, 0), "=", times(sqrt(a_s), plus(level_t, -level_s) / level_t)),
    ),
    role="lemma",
)
implied = derivation.define(r"\hat x(\hat\epsilon)", (x_t - times(sqrt(1 - a_t), noise)) / sqrt(a_t), "the data that it implies")
euler_step = derivation.chain(
    "Without new noise a step is one of Euler's method",
    plus(times(sqrt(a_s), implied), times(sqrt(1 - a_s), noise)) / sqrt(a_s),
    equals(
        plus(implied, times(level_s, noise)),
        prose("divide; {ratio}", ratio=holds(sqrt(1 - a_s) / sqrt(a_s), "=", level_s)),
        wrong={"the level before the step": plus(implied, times(level_t, noise))},
    ),
    equals(plus(x_t / sqrt(a_t), times(plus(level_s, -level_t), noise)), r"the definition of the implied data"),
    so=r"In the units $x / \sqrt{\bar\alpha}$, in which the data are not shrunk, a step walks along the predicted noise by as "
    r"much as the noise level changes: Euler's method for the differential equation in which $\hat\epsilon$ is the slope by "
    r"$\varsigma$. Sampling has become the solution of a differential equation.",
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
derivation.say(r"What does this equation do to the distributions? The best $\hat\epsilon$ is $-\varsigma$ times the score.")
flow_keeps = derivation.chain(
    "The flow carries the marginal distributions",
    plus(times(level, Slope(density, point, 2)), Slope(times(density, -times(level, Slope(log(density), point))), point)),
    equals(
        plus(times(level, Slope(density, point, 2)), -times(level, Slope(Slope(density, point), point))),
        prose("{score}", score=holds(times(density, Slope(log(density), point)), "=", Slope(density, point))),
    ),
    equals(0, "the two terms are the same"),
    uses=(transport, score_of_the_marginal),
    so=r"This is the probability flow without drift, with the squared diffusion $2 \varsigma$: more noise spreads a density as "
    r"heat spreads, its rate of change by $\varsigma$ is $\varsigma\, \partial^2 p / \partial y^2$, so the first line is this "
    r"rate plus the divergence of the stream $p\, \hat\epsilon$. That it is zero is the continuity equation: points that are "
    r"distributed by $p$ at one level and move with the slope $\hat\epsilon$ are distributed by $p$ at every level. For data of "
    r"bounded support $\hat\epsilon$ has a bounded slope above any positive level, so the flow exists there, is unique, and "
    "Euler's method converges to it. This is what holds without new noise: for finitely many steps the loss bounds no "
    "likelihood, but from the exact start and with the best prediction the distribution at every positive level is right in the "
    "limit of small steps.",
)

c = derivation.number("c", "the variance of Gaussian data", positive=True)
V_t = derivation.define("V_t", plus(1 - a_t, times(a_t, c)), "the variance of $x_t$ for Gaussian data")
after = derivation.number(r"\varsigma'", "the noise level after a step", positive=True)
separated = derivation.chain(
    "For Gaussian data the equation is solved by separating the variables",
    times(-level, Slope(LogDensity(point, 0, plus(c, level**2)), point)) / point,
    equals(level / plus(c, level**2), r"the score of $\mathcal{N}(0, c + \varsigma^2)$ is $-y / (c + \varsigma^2)$"),
    equals(
        Slope(times(half, log(plus(c, level**2))), level), r"the derivative of the logarithm is $2 \varsigma / (c + \varsigma^2)$"
    ),
    so=r"The first line is the slope of $y$ over $y$, the derivative of $\log |y|$. So $\log |y| - \frac12 \log(c + "
    r"\varsigma^2)$ is constant: $y$ is a constant times $\sqrt{c + \varsigma^2}$, and a point keeps its position in units of "
    r"the deviation, which in units of $x$ is $\sqrt{V_t}$.",
    role="remark",
)
factor = derivation.define("f", 1 + (after - level) * level / plus(c, level**2), r"what Euler's step multiplies $y$ by")
derivation.chain(
    "On Gaussian data every step of Euler's method loses variance",
    plus(plus(c, after**2) / plus(c, level**2), -(factor**2)),
    equals(
        plus(plus(c, after**2) / plus(c, level**2), -(plus(c, times(level, after)) ** 2) / plus(c, level**2) ** 2),
        prose("{sum}", sum=holds(plus(c, level**2, times(after - level, level)), "=", plus(c, times(level, after)))),
    ),
    equals(
        c * (level - after) ** 2 / plus(c, level**2) ** 2,
        prose(
            "over the common denominator: {square}",
            square=holds(
                plus(times(c + after**2, c + level**2), -(plus(c, times(level, after)) ** 2)), "=", times(c, (level - after) ** 2)
            ),
        ),
    ),
    at_least(
        0,
        prose("leave out a square; equality only for a step of length 0, {stays}", stays=where(after, level)),
        dropping=c * (level - after) ** 2 / plus(c, level**2) ** 2,
    ),
    so="The first line is the right factor of the variance minus that of the step: the loss of the chain on moments, once more. "
    "It is of second order in the length of the step. $T$ steps of a length of order $1/T$ add up to an error of order $1/T$: "
    "the sampler is a method of first order, and twice the steps halve the error.",
    role="remark",
)
_LEVELS, _TWO, _ONE = jnp.array([1.0, 0.81, 0.5184]), np.array([2]), np.array([1])
_given = {a_s: 0.81, kept: 0.64}


@derivation.algorithm(
    "DDIM",
    do(r"draw $x \sim \mathcal{N}(0, 1)$"),
    do(r"for each level $t$ of a falling list, with the next one, $s$ (0 at the end):"),
    do(r"$\hat x_0 \leftarrow (x - \sqrt{1 - \bar\alpha_t}\, \hat\epsilon) / \sqrt{\bar\alpha_t}$", x0_from_noise, indent=1),
    do(r"$\sigma_\eta \leftarrow \eta \sqrt{(1 - \bar\alpha_s) (1 - r) / (1 - \bar\alpha_t)}$", ddim_sigma, by=ddpm, indent=1),
    do(
        r"$x \leftarrow \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma_\eta^2}\, \hat\epsilon$",
        non_markovian_mean,
        by=mean_back,
        indent=1,
    ),
    do(r"if $\sigma_\eta > 0$: $x \leftarrow x + \sigma_\eta z$ with $z \sim \mathcal{N}(0, 1)$", ddim_step, indent=1),
)
def two_levels():
    yield from walk_down(_LEVELS, x0_from_noise, ddim_sigma, non_markovian_mean, ddim_step)


@derivation.example(
    "From $t$ at level 2 to $s$ at level 1 with the signal's shares 0.5184 and 0.81, so the ratio $r$ is 0.64. At $x_2$ of 1 "
    r"the network predicts the noise $0.5$. Last, data $\mathcal{N}(0, \frac14)$ and the best prediction: from $x_2$ of 1 to "
    "level 0."
)
def a_step_down():
    x, e = jnp.ones(1), jnp.full(1, 0.5)
    yield r"\hat x_0 = (1 - 0.5 \sqrt{0.4816}) / 0.72", x0_from_noise(x, e, _TWO, _LEVELS)[0], "0.90696"
    yield r"A, B\ \text{at}\ \eta = 0", (value(A, _given | {nu: 0}), value(B, _given | {nu: 0})), "(0.44776, 0.62811)"
    yield r"\sigma^2\ \text{at}\ \eta = 1", ddim_sigma(_TWO, _ONE, _LEVELS, eta=1.0)[0] ** 2, "0.14203"
    yield r"\text{the mean of}\ x_1\ \text{at}\ \eta = 1", ddim_step(x, e, 0 * x, _TWO, _ONE, _LEVELS, eta=1.0)[0], "0.92578"
    share = 0.36 / 0.4816
    weights = [value(A**2 / (2 * variance), _given | {nu: eta**2 * share}) for eta in (1, 0.5)]
    yield r"\frac{A^2}{2\sigma^2}\ \text{at}\ \eta = 1, \tfrac12", weights, "(1.5934, 3.4115)"
    two, one = walk(x, noise_of_gaussian, _LEVELS)[-1], walk(x, noise_of_gaussian, _LEVELS[::2])[-1]
    exact = math.sqrt(0.25 / (0.4816 + 0.5184 / 4))
    yield r"\text{two steps, one step, the flow}\ \sqrt{c / V_2}", (two[0], one[0], exact), "(0.4357, 0.2945, 0.6396)"


derivation.figure(
    "Samples on the way from noise to data that are six points (gray), in 15 steps with the best prediction. Twelve of them "
    "(orange, with their paths) have the same start. Left: with the noise of an ancestral step they end at different data. "
    "Right: without new noise they are one path, so the start determines the sample; the others (blue) still reach all data.",
    panels=2,
    frames=[f"level {level}" for level in range(TOP, -1, -3)],
)(from_noise_to_ring)


@derivation.figure(
    "Left: data that are $-1$ or $1$ and the best prediction. Gray: lines of the flow, which part at 0 and end in the data; the "
    r"marked lines are samplers of 2 and 8 steps. Right: what one step from level 2 to level 1 costs if $\hat x_0$ is off by 1. "
    r"The divergence grows without limit as $\eta$ goes to 0, the squared Wasserstein distance does not.",
    panels=2,
)
def flow_and_costs(left, right):
    draw_flow(left)
    draw_costs(right, non_markovian_mean, ddim_sigma, _LEVELS)
