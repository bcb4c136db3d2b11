"""The reverse process: one step back is a Gaussian, almost.

The lecture on the functions of theory_jax/diffusion/reverse_process.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, log, pi, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.diffusion.reverse_process import (
    interpolated_log_variance,
    posterior_log_variance,
    posterior_mean,
    reverse_log_variance,
    reverse_mean_from_noise,
)
from theory_jax.lectures.diffusion import _two_points
from theory_jax.lectures.diffusion._schedules import introduce_step
from theory_jax.lectures.diffusion.forward_process import marginal_law
from theory_jax.lectures.lemmas.best_guess import best_guess

derivation = Derivation(
    module=__name__,
    title="The reverse process: one step back is a Gaussian, almost",
    lectures=(25,),
    sources=(
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, eq. 6, 7 and 11",
        "Sohl-Dickstein, Weiss, Maheswaranathan & Ganguli 2015, Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
        "Nichol & Dhariwal 2021, Improved Denoising Diffusion Probabilistic Models, eq. 15",
    ),
    question="A network that jumps from noise to data in one step returns a blurred mean of all pictures that the noise allows. "
    "Many small steps back avoid this, if it is known what undoes a single step of noise. Which distribution does that when the "
    "data are known, and which when they are not, as for a sampler?",
    setting=(
        r"The chain of the forward process: $q(x_t|x_{t-1})$ is $\mathcal{N}(\sqrt{\alpha_t}\, x_{t-1}, \beta_t)$ with variance "
        r"$1 - \alpha_t$, called $\beta_t$. So $q(x_t|x_0)$ is $\mathcal{N}(\sqrt{\bar\alpha_t}\, x_0, 1 - \bar\alpha_t)$, "
        r"where $\bar\alpha_t$ is the product $\bar\alpha_{t-1} \alpha_t$. The noise of step $t$ is independent of everything "
        "before it.",
        r"Steps from the second on are treated, where $\bar\alpha_{t-1}$ is between 0 and 1. In the first step nothing is "
        "uncertain once $x_0$ is known: the step back ends in $x_0$ itself.",
        "One coordinate is written; given $x_0$ the coordinates are independent, and the formulas hold in each.",
    ),
    limits=(
        "That the true step back becomes Gaussian is derived for the leading term of its expansion, and checked for data that "
        "are two points; how fast it happens for arbitrary data is not shown.",
        "A network must learn the mean. How it is trained is the subject of the next topics.",
    ),
    trained="These are exact posteriors. `diffusion/simple_loss` and `diffusion/training` train networks toward them.",
)


@derivation.figure(
    "The variance of the step back to $x_1$ for data that are $-1$ or $1$. Far out $x_2$ tells the data, and the variance is "
    r"$\tilde\beta_2$; between the modes it exceeds $\beta_2$. Its average over $x_2$ is between the two."
)
def variance_of_a_step_back(axes):
    _two_points.draw_step_back(axes, _LEVELS, reverse_log_variance)


_step = introduce_step(derivation)
alpha, before, beta, a_t = _step.alpha, _step.before, _step.beta, _step.a_t
tilde, kappa, rho = _step.tilde, _step.kappa, _step.rho
x_0 = derivation.number("x_0", "the data", "x0")
x_prev = derivation.number("x_{t-1}", "the value before step $t$")
x_t = derivation.number("x_t", "the value after step $t$", "x_t")
epsilon = derivation.number(r"\epsilon", r"the standard normal noise in $x_t$ given $x_0$", "noise_pred")
mu = derivation.define(
    r"\tilde\mu_t", plus(times(kappa, x_0), times(rho, x_t)), "the mean of the step back, given $x_0$", "posterior_mean"
)
half = Rational(1, 2)
i = derivation.index("i", "a value of $x_0$, in the first lemma")
j = derivation.index("j", "a value of $x_{t-1}$")
k = derivation.index("k", "a value of $x_t$")
e = derivation.index("e", "a value of the noise of step $t$")
start = derivation.law("q({})", i, "the distribution of $x_0$")
early = derivation.law("q({}|{})", (j, i), "the distribution of $x_{t-1}$ given $x_0$")
noise_law = derivation.law("n({})", e, "the distribution of the noise, which is independent of $x_0$ and $x_{t-1}$")
takes = derivation.numbers("h({}|{},{})", (k, j, e), "whether the noise $e$ takes $j$ to $k$ (1 or 0)", positive=True)
step = derivation.define("q({}|{})", Expectation(noise_law, takes), "the step forward", over=(k, j), positive=True)
markov = derivation.chain(
    "By the Markov property and Bayes' rule the step back is a product of two known distributions, normalized",
    Total(e, start * early * noise_law * takes) / Total(j, Total(e, start * early * noise_law * takes)),
    equals(
        start * early * step / Total(j, start * early * step),
        "only $n$ and $h$ contain the noise, so the sum over it is the step forward, in which $x_0$ does not occur",
    ),
    equals(early * step / Total(j, early * step), r"$q(x_0)$ does not contain $x_{t-1}$ and cancels"),
    role="lemma",
    states=2,
    so="The first line is the definition of $q(x_{t-1}|x_t, x_0)$: the joint distribution of all three, divided by its sum over "
    r"$x_{t-1}$. The last is $q(x_t|x_{t-1})\, q(x_{t-1}|x_0)$ over $q(x_t|x_0)$. For densities the sums are integrals.",
)

log_step = derivation.define(
    r"\log q(x_t|x_{t-1})", Normal(x_t, times(sqrt(alpha), x_prev), beta).log_density(x_t), "the step forward"
)
log_early = derivation.define(
    r"\log q(x_{t-1}|x_0)", Normal(x_prev, times(sqrt(before), x_0), 1 - before).log_density(x_prev), "the jump to $t - 1$"
)
log_late = derivation.define(r"\log q(x_t|x_0)", Normal(x_t, times(sqrt(a_t), x_0), 1 - a_t).log_density(x_t), "the jump to $t$")
_LATE = holds(plus(times(alpha, 1 - before), beta), "=", 1 - a_t, wrong={"levels exchanged": 1 - before})
derivation.chain(
    "The precisions of the two sources add up",
    -Slope(plus(log_step, log_early), x_prev, 2),
    equals(
        plus(alpha / beta, 1 / (1 - before)),
        r"both log-densities are quadratic in $x_{t-1}$, with second derivatives $-\alpha_t / \beta_t$ and $-1/(1 - "
        r"\bar\alpha_{t-1})$",
    ),
    equals(1 / tilde, prose("the numerator over the common denominator is {it}", it=_LATE)),
    role="lemma",
    uses=(marginal_law,),
    so=r"A log-density that is quadratic is that of a Gaussian, and $\tilde\beta_t$ is its variance.",
)
derivation.chain(
    "The mean of the step back weighs what the two sources say by their precisions",
    times(tilde, plus(times(sqrt(alpha) / beta, x_t), times(sqrt(before) / (1 - before), x_0))),
    equals(
        plus(times(kappa, x_0), times(rho, x_t)),
        "multiply out; the bracket is the slope of both log-densities where $x_{t-1}$ is 0",
    ),
    role="lemma",
)
_NORMALIZER = times(-half, log(2 * pi * beta * (1 - before) / (1 - a_t)))
_SQUARES = (
    -((x_t - times(sqrt(alpha), x_prev)) ** 2) / (2 * beta),
    -((x_prev - times(sqrt(before), x_0)) ** 2) / times(2, 1 - before),
    (x_t - times(sqrt(a_t), x_0)) ** 2 / times(2, 1 - a_t),
)
posterior_law = derivation.chain(
    "Given the data, the step back is Gaussian",
    plus(log_step, log_early, -log_late),
    equals(plus(*_SQUARES, _NORMALIZER), r"the three Gaussian log-densities; of the constants one factor $2\pi$ is left"),
    equals(
        plus(-((x_prev - mu) ** 2) / (2 * tilde), times(-half, log(2 * pi * tilde))),
        "complete the square, with precision and mean as found above; what is left over cancels",
        wrong={"the variance of the step forward": plus(-((x_prev - mu) ** 2) / (2 * beta), times(-half, log(2 * pi * beta)))},
    ),
    uses=(markov, marginal_law),
    central=True,
    so=r"So $q(x_{t-1}|x_t, x_0)$ is the Gaussian $\mathcal{N}(\tilde\mu_t, \tilde\beta_t)$.",
)
derivation.bridge(
    "The code computes its mean",
    plus(times(kappa, x_0), times(rho, x_t)),
    posterior_mean,
    x0=[x_0],
    x_t=[x_t],
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
    wrong={"the weights exchanged": rho * x_0 + kappa * x_t},
)
derivation.bridge(
    "... and the logarithm of its variance",
    log(tilde),
    posterior_log_variance,
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
    wrong={"the levels exchanged": log((1 - a_t) / (1 - before) * beta), "the step's variance": log(beta)},
)

_FROM_NOISE = times(kappa / sqrt(a_t) + rho, x_t), times(kappa * sqrt(1 - a_t) / sqrt(a_t), epsilon)
in_the_noise = derivation.chain(
    "The mean in terms of the noise",
    plus(times(kappa / sqrt(a_t), plus(x_t, -times(sqrt(1 - a_t), epsilon))), times(rho, x_t)),
    equals(plus(_FROM_NOISE[0], -_FROM_NOISE[1]), "collect the noisy value and the noise"),
    equals(
        times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon))),
        prose("{data}, and {late}", data=holds(kappa / sqrt(a_t), "=", beta / times(sqrt(alpha), 1 - a_t)), late=_LATE),
        wrong={"the root forgotten": times(1 / sqrt(alpha), plus(x_t, -beta / (1 - a_t) * epsilon))},
    ),
    so="The first line puts in the data that the noise implies: given $x_t$, to know the data and to know the noise is the "
    "same. Written with the noise, the step takes away a little of it and scales up what remains: a network that predicts the "
    "noise is all that a sampler lacks.",
)
derivation.bridge(
    "The code computes this mean",
    times(1 / sqrt(alpha), plus(x_t, -times(beta / sqrt(1 - a_t), epsilon))),
    reverse_mean_from_noise,
    x_t=[x_t],
    noise_pred=[epsilon],
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
)

derivation.say(
    "A sampler does not know $x_0$. Given $x_t$ alone, $x_0$ has some distribution, and the step back is a mixture of the "
    "Gaussians above, one for each possible $x_0$. Its variance can be computed for every data set; here the distribution of "
    "$x_0$ given $x_t$ is any one on three points."
)
n = derivation.index("n", "one of the points that $x_0$ may be")
w = derivation.law("w", n, "any distribution of $x_0$ given $x_t$")
y = derivation.numbers("y", n, "the points")
back = Normal(x_prev, plus(times(kappa, y), times(rho, x_t)), tilde)
_MEAN_BACK = plus(times(kappa, y), times(rho, x_t))
step_variance = derivation.chain(
    "Without the data, the step back has at least the variance that it has with them",
    plus(Expectation(w, Expectation(back, x_prev**2)), -(Expectation(w, Expectation(back, x_prev)) ** 2)),
    equals(
        plus(Expectation(w, plus(tilde, _MEAN_BACK**2)), -(Expectation(w, _MEAN_BACK) ** 2)),
        "second moment and mean of each Gaussian",
    ),
    equals(
        plus(tilde, kappa**2 * Variance(w, y)),
        r"the law of total variance; $x_t$ is a constant here, and does not vary",
        wrong={"the weight not squared": plus(tilde, kappa * Variance(w, y))},
    ),
    at_least(
        tilde,
        prose(
            "leave out what is uncertain about $x_0$; equality if and only if $x_t$ leaves a single point, {one} for every $n$",
            one=where(y, y.at(0)),
        ),
        dropping=kappa**2 * Variance(w, y),
    ),
    so=r"Knowing the data can only help: $\tilde\beta_t$ is a lower bound at every $x_t$, for every data set.",
)
derivation.answer = prose(
    "Given $x_t$ and $x_0$, the value $x_{t-1}$ is Gaussian, with a mean that is linear in both and the variance {tilde}. "
    r"Without $x_0$ its variance is $\tilde\beta_t$ plus $\kappa_t^2$ times that of $x_0$ given $x_t$, where {weight} is the "
    r"weight of the data in the mean. For data of variance at most 1 it is on average between $\tilde\beta_t$ and $\beta_t$. "
    r"The step is not Gaussian in general, but becomes so, to leading order, as $\beta_t$ goes to 0.",
    tilde=holds(tilde, "=", beta * (1 - before) / (1 - a_t), wrong={"the levels exchanged": beta * (1 - a_t) / (1 - before)}),
    weight=holds(kappa, "=", Slope(mu, x_0), wrong={"of the noisy value": rho}),
)
_CERTAIN = plus(1 - a_t, -Variance(w, y))
derivation.chain(
    "The variance exceeds that of the step forward only where that of the data exceeds the noise's",
    plus(tilde, kappa**2 * Variance(w, y)),
    equals(
        plus(beta, -(kappa**2) * (1 - a_t), kappa**2 * Variance(w, y)),
        prose("{gap}", gap=holds(plus(beta, -tilde), "=", times(kappa**2, 1 - a_t), wrong={"not squared": kappa * (1 - a_t)})),
    ),
    equals(plus(beta, -times(kappa**2, _CERTAIN)), r"collect what $\kappa_t^2$ multiplies"),
    so=r"So the variance is at most $\beta_t$ exactly where $\mathrm{Var}(x_0|x_t)$ is at most $1 - \bar\alpha_t$. That does "
    "not hold at every $x_t$ for every data set: the example below has a point where it fails.",
    role="lemma",
)
law = derivation.law("p", n, "any distribution of the data")
slope = derivation.number("b", "the slope of a linear guess")
offset = derivation.number("d", "its offset")
total = derivation.define("V", plus(1 - a_t, a_t * Variance(law, y)), "the variance of $x_t$", positive=True)
_SHIFT = ((1 - sqrt(a_t) * slope) * Expectation(law, y) - offset) ** 2
_BEST = Variance(law, y) * (1 - a_t) / total
derivation.chain(
    "The best linear guess leaves the noise's share of the data's variance",
    Expectation(law, Expectation(Normal(x_t, sqrt(a_t) * y, 1 - a_t), (y - slope * x_t - offset) ** 2)),
    equals(
        plus((1 - sqrt(a_t) * slope) ** 2 * Variance(law, y), slope**2 * (1 - a_t), _SHIFT),
        r"variance of the data, variance of the noise, squared mean: $y_n$ has the factor $1 - b \sqrt{\bar\alpha_t}$, and the "
        r"noise $b \sqrt{1 - \bar\alpha_t}$",
    ),
    equals(
        plus(_BEST, times(total, (slope - sqrt(a_t) * Variance(law, y) / total) ** 2), _SHIFT), "complete the square in the slope"
    ),
    at_least(
        _BEST,
        prose(
            "leave out two squares; equality if and only if {slope} and {offset}",
            slope=where(slope, sqrt(a_t) * Variance(law, y) / total),
            offset=where(offset, (1 - a_t) * Expectation(law, y) / total),
        ),
        dropping=plus(times(total, (slope - sqrt(a_t) * Variance(law, y) / total) ** 2), _SHIFT),
    ),
    states=2,
    role="lemma",
    uses=(best_guess,),
    so=r"The mean is the best guess, so $\mathrm{Var}(x_0|x_t)$, averaged over $x_t$, is at most this number.",
)
c = derivation.number("c", "a variance of the data, at most 1", between=(0, 1))
v_t = derivation.define("V_t", plus(1 - a_t, a_t * c), "the variance of $x_t$, for data of variance $c$", positive=True)
v_prev = derivation.define("V_{t-1}", plus(1 - before, before * c), "the variance of $x_{t-1}$", positive=True)
derivation.chain(
    "On average the two fixed variances enclose the truth, for data of variance at most 1",
    plus(beta, -times(kappa**2, plus(1 - a_t, -c * (1 - a_t) / v_t))),
    equals(
        plus(beta, -(beta**2) * before * (1 - c) / v_t),
        prose(
            "{data}, and {weight}",
            data=holds(plus(v_t, -c), "=", times(1 - a_t, 1 - c)),
            weight=holds(times(kappa**2, (1 - a_t) ** 2), "=", times(before, beta**2)),
        ),
    ),
    at_most(beta, r"add a product of positive numbers; it goes to 0 as $c$ goes to 1", adding=beta**2 * before * (1 - c) / v_t),
    so=r"The first line is the largest that the averaged variance $\mathbb{E}[\mathrm{Var}(x_{t-1}|x_t)]$ can be, by the two "
    r"lemmas. So it is between $\tilde\beta_t$ and $\beta_t$, whatever the data are, if their variance is at most 1. At a "
    "single $x_t$ it need not.",
    role="lemma",
)
gaussian_step = derivation.chain(
    "For Gaussian data the enclosure holds at every point",
    plus(tilde, kappa**2 / plus(1 / c, a_t / (1 - a_t))),
    equals(
        plus(tilde, kappa**2 * c * (1 - a_t) / v_t),
        r"given $x_t$, Gaussian data have the precision $1/c + \bar\alpha_t / (1 - \bar\alpha_t)$, whatever $x_t$ is",
    ),
    equals(
        times(beta, v_prev / v_t),
        prose("over the common denominator, with {next}", next=holds(v_t, "=", plus(times(alpha, v_prev), beta))),
    ),
    so=prose(
        "It rises with the variance of the data, with the slope {slope}, from {small} to {large}: the two variances that a "
        "model with fixed variance chooses from. A learned one is between them, on the logarithmic scale.",
        slope=holds(Slope(times(beta, v_prev / v_t), c), "=", before * beta**2 / v_t**2, named=True),
        small=holds(Limit(times(beta, v_prev / v_t), c, 0), "=", tilde, named=True, wrong={"the large one": beta}),
        large=holds(Limit(times(beta, v_prev / v_t), c, 1, "-"), "=", beta, named=True),
    ),
    role="remark",
)
v = derivation.number("v", "what a network says about the variance: $-1$ is the small one, 1 the large one", "v")
derivation.bridge(
    "The code interpolates the logarithms",
    plus((v + 1) / 2 * log(beta), (1 - (v + 1) / 2) * log(tilde)),
    interpolated_log_variance,
    v=[v],
    t=np.array([2]),
    alpha_bar=[1, before, before * alpha],
    wrong={"the variances interpolated": log((v + 1) / 2 * beta + (1 - (v + 1) / 2) * tilde)},
)

derivation.say(
    "Is the step back Gaussian when the data are not? By Bayes' rule it is $q(x_{t-1})$ times a Gaussian bump in $x_{t-1}$ of "
    r"width $\sqrt{\beta_t / \alpha_t}$, which goes to 0 with $\beta_t$. Across the bump the logarithm $\ell$ of $q(x_{t-1})$ "
    "is nearly a parabola, which keeps it Gaussian; the first term of its Taylor series that does not is the cubic one. In "
    r"units $z$ of the width it multiplies the density by $1 + \frac{\gamma}{6} z^3 + \dots$, where $\gamma$ is $\beta_t^{3/2}$ "
    r"times the third derivative of $\ell$, to leading order. A multiple of $z$ shifts the mean; what is left of $z^3$ is $z^3 "
    "- 3z$."
)
z = derivation.number("z", "the distance from the center of the bump, in units of its width")
gamma = derivation.number(r"\gamma", r"the small skewness", positive=True)
cubic = derivation.define("H", z**3 - 3 * z, "the cubic that changes neither mean nor variance")
bump = Normal(z, 0, 1)
derivation.chain(
    "A small skewness costs a twelfth of its square",
    Expectation(bump, times(plus(1, gamma * cubic / 6), plus(gamma * cubic / 6, -((gamma * cubic / 6) ** 2) / 2))),
    equals(
        plus(
            gamma / 6 * Expectation(bump, cubic),
            gamma**2 / 72 * Expectation(bump, cubic**2),
            -(gamma**3) / 432 * Expectation(bump, cubic**3),
        ),
        "multiply out; of one thirty-sixth, one seventy-second is left",
    ),
    equals(
        gamma**2 / 12,
        prose(
            "$H$ and $H^3$ are odd, so their expectations are zero; {square}", square=holds(Expectation(bump, cubic**2), "=", 6)
        ),
        wrong={"the cube alone, with its part in the mean": gamma**2 * Rational(15, 72)},
    ),
    role="lemma",
    so=r"The first line is the divergence of the skewed density from the Gaussian with its mean and variance, with $\log(1 + "
    r"a)$ expanded to $a - a^2/2$. So for small $\beta_t$ the divergence is to leading order one twelfth of $\beta_t^3$ times "
    r"the squared third derivative of $\ell$.",
)
derivation.symbol(r"\beta", "the variance of the noise of one step, which goes to 0")
derivation.symbol(r"\ell(x)", r"the logarithm of the density of $x_{t-1}$ at $x$")
derivation.symbol(r"\sigma_1^2", "the variance of a model's last step, if it takes the small one", "reverse_log_variance")


@derivation.numeric(
    r"\lim_{\beta \to 0} \frac{1}{\beta^3} \mathrm{KL}\left(q(x_{t-1} | x_t) \,\|\, \text{Gaussian}\right) = \frac{1}{12} "
    r"\left(\frac{d^3 \ell}{d x^3}(x_t)\right)^2",
    tolerance=1e-5,
    since="the limit is extrapolated from beta = 4e-4 and 2e-4, which leaves terms of order beta^2",
    because="The Gaussian is the one with the mean and the variance of the step back. For data that are $-1$ or $1$, the step "
    "back is computed by Bayes' rule on a grid, and the third derivative by automatic differentiation. A chain of many small "
    "steps may be undone by Gaussian steps; one large step may not. The limit is all that is claimed: before it, the divergence "
    r"need not fall with $\beta$.",
)
def small_steps_back_are_gaussian():
    level, x_t = 0.75, 0.3
    coarse, fine = (_two_points.step_back_distance(beta, x_t, level) / beta**3 for beta in (4e-4, 2e-4))
    third = jax.grad(jax.grad(jax.grad(_two_points.log_density)))(x_t, level)
    return Sides(left=2 * fine - coarse, right=third**2 / 12, wrong={"the derivative not squared": abs(third) / 12})


derivation.figure(
    prose(
        "The step back from 0.3 for data that are $-1$ or $1$, and the Gaussian with its mean and variance. Left: after a "
        "step with much noise the bump is as wide as the data are apart, and the step back has two modes, which no Gaussian "
        "has. Right: a small step, with a bump of the variance {bump}, is nearly undone by a Gaussian; so a diffusion model "
        "takes many.",
        bump=holds(-1 / Slope(log_step, x_prev, 2), "=", beta / alpha, named=True, wrong={"not scaled": beta}),
    ),
    panels=2,
)(_two_points.draw_step_back_density)


_LEVELS, _TWO, _given = jnp.array([1.0, 0.81, 0.5184]), np.array([2]), {before: 0.81, alpha: 0.64}


@derivation.example(
    "Two steps with noise of variance 0.19 and 0.36, so the shares of the signal are 0.81 and 0.5184; the step back from $x_2$. "
    "Data that are $-1$ or $1$, each with probability one half, have variance 1; but at 0 the value $x_2$ tells nothing about "
    r"them, and the variance exceeds $\beta_2$."
)
def the_last_step_but_one():
    yield r"\tilde\beta_2", value(tilde, _given), "0.1420"
    yield r"(\kappa_2, \rho_2)", (value(kappa, _given), value(rho, _given)), "(0.6728, 0.3156)"
    yield r"\kappa_2 + 0.72 \rho_2", posterior_mean(jnp.ones(1), jnp.array([0.72]), _TWO, _LEVELS)[0], "0.9"
    gaussian = value(times(beta, v_prev / v_t), _given | {c: 0.25})
    yield r"\mathrm{Var}(x_1|x_2)\ \text{for Gaussian data},\ c = \tfrac14", gaussian, "0.2312"
    yield r"\mathrm{Var}(x_1|x_2 = 0)\ \text{for two points}", _two_points.step_back_variance(jnp.zeros(1), _LEVELS)[0], "0.5946"
    yield r"\beta_2", value(beta, _given), "0.36"


@derivation.numeric(
    r"\left(\tilde\mu_1, \tilde\beta_1, \log \sigma_1^2\right) = \left(x_0, 0, \log \tilde\beta_2\right)",
    because="In the first step the level before the step is 1: the mean is $x_0$ and the variance zero, so its logarithm is "
    r"$-\infty$. A model needs a finite variance there, because its last step is the decoder of the data; the small one takes "
    "that of the step before.",
    role="appendix",
)
def the_first_step():
    one = np.array([1])
    mean = posterior_mean(jnp.array([0.7]), jnp.array([-1.2]), one, _LEVELS)
    zero = jnp.exp(posterior_log_variance(one, _LEVELS))
    small = reverse_log_variance(one, _LEVELS, variance="small")
    right = jnp.array([0.7, 0.0, math.log(value(tilde, _given))])
    return Sides(left=jnp.concatenate([mean, zero, small]), right=right, wrong={"the large one": right.at[2].set(math.log(0.19))})
