"""Score matching: a model is fitted through the slope of its log-density.

The lecture on the functions of theory_jax/energy/score_matching.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import Integral, KroneckerDelta, Rational, exp, log, oo

from theory_jax.derivation.bridges import function_of
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, LogDensity, Normal, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy.score_matching import (
    denoising_loss,
    explicit_loss,
    fisher_divergence,
    gaussian_score,
    sliced_loss,
    variance_reduced_sliced_loss,
)
from theory_jax.lectures.energy._linear_scores import blind_to_weights, losses_and_their_noise, of_linear_models, two_steps
from theory_jax.lectures.flows.hutchinson_trace import trace

derivation = Derivation(
    module=__name__,
    title="Score matching: a model is fitted through the slope of its log-density",
    lectures=(),
    sources=(
        "Hyvärinen 2005, Estimation of non-normalized statistical models by score matching",
        "Vincent 2011, A connection between score matching and denoising autoencoders",
        "Song, Garg, Shi & Ermon 2019, Sliced score matching: a scalable approach to density and score estimation",
        "Song & Kingma 2021, How to train your energy-based models, section 3",
    ),
    question="The likelihood of an energy-based model contains a normalizer, an integral over everything, that no one can "
    "compute. The slope of the log-density does not contain it, so a model could be fitted by comparing slopes. But the slope of "
    "the data's own log-density is not known. How can one compare with it?",
    setting=(
        r"The data have a positive density $p$ with continuous slopes. Its score $s_p$ is $\nabla \log p$, a vector field.",
        r"The model is a vector field $s$ with continuous slopes, the score of the model's density. For an energy it is $-\nabla "
        r"E$: the normalizer is a constant of $\log p$ and has no slope.",
        r"The means $\mathbb{E}_p \|s\|^2$, $\mathbb{E}_p \|s_p\|^2$ and $\mathbb{E}_p |\mathrm{div}\, s|$ are finite, and $p\, "
        r"s$ vanishes far out, so fast that the integral of its divergence is 0.",
        "The central chain writes out two dimensions.",
    ),
    limits=(
        "How close the fit to finitely many data is to that of the distribution that they come from.",
        "Far from all data the losses see nothing. Between two modes that are far apart, the score does not tell their weights.",
    ),
)

derivation.figure(
    r"Left: three losses of the model $-\lambda x$ on standard normal data. The explicit loss and the Fisher divergence, "
    r"$\frac12$ above it, are least at 1; the denoising loss with noise of deviation one half, without its least value, at 0.8. "
    r"Right: the standard deviation of the denoising loss at its optimum: 4000 samples (dots), $\tau/\sqrt2$ (line).",
    panels=2,
)(losses_and_their_noise)


half = Rational(1, 2)
x_1 = derivation.number("x_1", "the first coordinate of a point")
x_2 = derivation.number("x_2", "the second coordinate")
_p = derivation.function("p", "the density of the data", arguments=2)(x_1, x_2)
_s1 = derivation.function("s_1", "the first entry of the model's score", "score_fn", arguments=2)(x_1, x_2)
_s2 = derivation.function("s_2", "the second entry of the model's score", "score_fn", arguments=2)(x_1, x_2)
_squares = plus(_s1**2, _s2**2)
_own = plus(Slope(log(_p), x_1) ** 2, Slope(log(_p), x_2) ** 2)
_divergence = plus(Slope(_s1, x_1), Slope(_s2, x_2))
_moved = plus(Slope(times(_p, _s1), x_1), Slope(times(_p, _s2), x_2))
central = derivation.chain(
    "The unknown score drops out",
    times(half, _p, plus(plus(_s1, -Slope(log(_p), x_1)) ** 2, plus(_s2, -Slope(log(_p), x_2)) ** 2)),
    equals(
        plus(times(half, _p, _squares), -plus(times(_s1, Slope(_p, x_1)), times(_s2, Slope(_p, x_2))), times(half, _p, _own)),
        prose(
            "expand the squares, at one point; {slope}: the density cancels in the terms of both scores",
            slope=holds(times(_p, Slope(log(_p), x_1)), "=", Slope(_p, x_1)),
        ),
        wrong={"those terms forgotten": times(half, _p, plus(_squares, _own))},
    ),
    equals(
        plus(times(_p, plus(times(half, _squares), _divergence)), -_moved, times(half, _p, _own)),
        prose(
            "the product rule, {parts}, and the same for the second entry",
            parts=holds(times(_s1, Slope(_p, x_1)), "=", plus(Slope(times(_p, _s1), x_1), -times(_p, Slope(_s1, x_1)))),
        ),
    ),
    central=True,
    so=r"Integrate over the plane. The middle term is a divergence and gives 0. The last one does not contain the model. The "
    r"first is the mean of the explicit loss $\ell$, which is $\frac12 \|s\|^2 + \mathrm{div}\, s$, over the data: samples are "
    r"enough.",
)
derivation.symbol(r"\ell", r"the explicit loss $\frac12 \|s\|^2 + \mathrm{div}\, s$ at a point", "explicit_loss")
derivation.symbol("F", r"the Fisher divergence $\frac12 \mathbb{E}_p \|s - s_p\|^2$", "fisher_divergence")
derivation.symbol("s_p", "the score of the data", "score_p")
x = derivation.number("x", "a point of the line")
c = derivation.number("c", "a constant score")
derivation.chain(
    "Where the density ends abruptly its edge counts",
    Integral(times(half, exp(-x), plus(c, 1) ** 2), (x, 0, oo)),
    equals(
        plus(c**2 / 2, c, half),
        r"here $p$ is $e^{-x}$ for positive $x$, and $s$ is $c$; the second term is minus the integral of the slope of $p\, s$",
        wrong={"without the edge": plus(c**2 / 2, half)},
    ),
    role="remark",
    so=prose(
        r"At the true score, {true}, its slope is {flat}. The explicit loss alone, $\frac12 c^2$, is least at 0. The condition "
        r"that $p\, s$ vanishes at the border is needed.",
        true=where(c, -1),
        flat=holds(Slope(plus(c**2 / 2, c, half), c), "=", 0, named=True),
    ),
)

i = derivation.index("i", "a dimension")
j = derivation.index("j", "a dimension")
k = derivation.index("k", "a dimension")
n = derivation.index("n", "one of the data, or a value of a probe")
derivation.say(
    r"For a Gaussian model the fit is known in closed form. Its score is $-\Lambda (x - m)$ with the precision $\Lambda$, and "
    r"its divergence the constant $-\sum_i \Lambda_{ii}$."
)
share = derivation.law("w", n, "the weights of the data")
data = derivation.numbers("y", (n, i), "the data", "x")
free = derivation.numbers("A", (i, j), "any matrix")
precision = derivation.define(r"\Lambda", (free + free.at(j, i)) / 2, "the model's precision", "precision", over=(i, j))
m = derivation.numbers("m", i, "the model's mean", "mean")
average = derivation.define(r"\bar y", Expectation(share, data), "the data's mean", over=i)
covariance = derivation.define(
    "C", Expectation(share, times(data - average, data.at(n, j) - average.at(j))), "the data's covariance", over=(i, j)
)
shift = derivation.define("r", plus(average, -m), "what the means differ by", over=i)
_away = Total(j, times(precision, plus(data.at(n, j), -m.at(j))))
_trace = Total(i, precision.at(i, i))
_second = plus(covariance.at(j, k), times(shift.at(j), shift.at(k)))
gaussian_loss = derivation.chain(
    "The loss of a Gaussian model depends on two moments of the data",
    Expectation(share, plus(times(half, Total(i, _away**2)), -_trace)),
    equals(
        plus(times(half, Total(i, Total(j, Total(k, times(precision, precision.at(i, k), _second))))), -_trace),
        prose(
            "multiply out; {moments}",
            moments=holds(Expectation(share, times(data.at(n, j) - m.at(j), data.at(n, k) - m.at(k))), "=", _second),
        ),
    ),
    states=2,
    role="lemma",
)
turned = derivation.numbers("M", (i, j), "the precision in coordinates in which the covariance is diagonal")
variance = derivation.numbers("v", j, "the variances of the data there", positive=True)
apart = derivation.numbers("b", j, "what the means differ by, there")
same = KroneckerDelta(i, j)
_excess = plus(
    times(half, Total(i, Total(j, times(variance, plus(turned, -same / variance) ** 2)))),
    times(half, Total(i, Total(j, times(turned, apart)) ** 2)),
)
derivation.say("A rotation changes neither lengths nor the divergence: take coordinates in which the covariance is diagonal.")
derivation.chain(
    "The loss of a Gaussian model has its minimum at the fit of maximum likelihood",
    plus(
        times(half, Total(i, Total(j, times(variance, turned**2)))),
        times(half, Total(i, Total(j, times(turned, apart)) ** 2)),
        -Total(i, turned.at(i, i)),
    ),
    equals(
        plus(_excess, -times(half, Total(j, 1 / variance))),
        prose(
            "complete the square: {square}",
            square=holds(
                plus(half * variance * turned**2, -turned * same),
                "=",
                plus(times(half, variance, plus(turned, -same / variance) ** 2), -same / (2 * variance)),
            ),
        ),
        wrong={"the constant not halved": plus(_excess, -Total(j, 1 / variance))},
    ),
    at_least(
        -times(half, Total(j, 1 / variance)),
        prose(
            "leave out squares; equality if and only if {inverse} and {mean}",
            inverse=where(turned, same / variance),
            mean=where(apart, 0),
        ),
        dropping=_excess,
    ),
    uses=(gaussian_loss,),
    so="The mean is that of the data, and the precision the inverse of their covariance, as with maximum likelihood.",
)
derivation.say(
    "The divergence of a network takes one derivative for every dimension. A random direction $v$, of which the second moments "
    "are the identity, estimates it by one: that is Hutchinson's estimator. It estimates the square, too."
)
J = derivation.numbers("J", (i, j), "the Jacobian of the model's score")
score = derivation.numbers("s", i, "an entry of the model's score at a point", "score_fn")
values = derivation.numbers("q", (n, i), "an entry of a value of the probe", "probes")
derivation.chain(
    "A probe measures a squared length",
    Expectation(share, Total(i, times(values, score)) ** 2),
    equals(
        Total(i, Total(j, times(score, score.at(j), Expectation(share, times(values, values.at(n, j)))))),
        "multiply out; the score at the point does not depend on the probe",
        wrong={"the mean before the square": Total(i, times(score, Expectation(share, values))) ** 2},
    ),
    role="lemma",
    states=2,
    so=r"The second moments of the probes are the identity, so only the diagonal is left: the squared length $\|s\|^2$.",
)
unbiased = derivation.chain(
    "A probe estimates the divergence without bias, if its second moments are the identity",
    Total(i, Total(j, times(plus(J, times(half, score, score.at(j))), KroneckerDelta(i, j)))),
    equals(plus(Total(i, J.at(i, i)), times(half, Total(i, score**2))), "only the diagonal is left"),
    uses=(trace,),
    so=r"The divergence is estimated by $v^\top J v$ in the same way. So $v^\top J v + \frac12 (v^\top s)^2$ "
    r"is unbiased for the explicit loss; and so is $v^\top J v + \frac12 \|s\|^2$, where the second term needs no estimate.",
)
point = derivation.numbers("u", i, "a point", "x")
probe = derivation.numbers("v", i, "a probe", "probes")
linear = derivation.define("a", Total(j, times(J, point.at(j))), "the linear field $J u$", over=i)
_form = Total(i, Total(j, times(probe, J, probe.at(j))))


def _of_a_field(loss):
    """The loss of the field x -> J x."""
    return lambda jacobian, **given: loss(score_fn=lambda x: x @ jacobian.T, **given)


for _title, _expression, _code, _more in (
    (
        "The code's explicit loss of a linear field",
        plus(times(half, Total(i, linear**2)), Total(i, J.at(i, i))),
        explicit_loss,
        {},
    ),
    (
        "... its sliced loss, with one probe",
        plus(_form, times(half, Total(i, times(probe, linear)) ** 2)),
        sliced_loss,
        {"probes": [[probe]], "wrong": {"reduced": plus(_form, times(half, Total(i, linear**2)))}},
    ),
    (
        "... and with the second term in closed form",
        plus(_form, times(half, Total(i, linear**2))),
        variance_reduced_sliced_loss,
        {"probes": [[probe]]},
    ),
):
    derivation.bridge(_title, _expression, _of_a_field(_code), jacobian=J, x=[point], calls=(_code,), **_more)
other = derivation.numbers("t", i, "an entry of another score", "score_q")
derivation.bridge(
    "The code's Fisher divergence",
    times(half, Total(i, plus(score, -other) ** 2)),
    fisher_divergence,
    score_p=[score],
    score_q=[other],
)
derivation.bridge(
    "... and its score of a Gaussian",
    -Total(j, times(precision, plus(point.at(j), -m.at(j)))),
    gaussian_score,
    x=[point],
    mean=m,
    precision=precision,
)


derivation.symbol(r"\mathrm{Var}_v", "the variance over a probe of independent random signs")


@derivation.exact(
    r"\mathrm{Var}_v[v^\top J v] = \sum_{i < j} \left(J_{ij} + J_{ji}\right)^2, \quad "
    r"\mathrm{Var}_v\!\left[v^\top J v + \tfrac{1}{2} (v^\top s)^2\right] = \sum_{i < j} \left(J_{ij} + J_{ji} + s_i "
    r"s_j\right)^2",
    because=r"All eight vectors of three signs, by the code's two losses. The square of a sign is 1, so that only the products "
    r"of two entries are random; each has variance 1, and they are uncorrelated.",
    outcomes=8,
    role="remark",
)
def variance_of_one_probe():
    rng = np.random.default_rng(1)
    jacobian, at = rng.standard_normal((3, 3)), rng.standard_normal(3)
    signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    points = jnp.tile(at, (8, 1))
    losses = [loss(points, signs[None], lambda x: x @ jacobian.T) for loss in (variance_reduced_sliced_loss, sliced_loss)]
    upper = np.triu_indices(3, 1)
    both, products = (jacobian + jacobian.T)[upper], np.outer(jacobian @ at, jacobian @ at)[upper]
    wanted = np.array([both @ both, (both + products) @ (both + products)])
    wrong = {"variances added": np.array([both @ both, both @ both + products @ products])}
    return Sides(left=np.array([each.var() for each in losses]), right=wanted, wrong=wrong)


derivation.say(
    r"So the second form has less noise where the score is long, far from the data, but not always: where $J_{ij} + J_{ji}$ and "
    r"$s_i s_j$ have opposite signs, one may cancel the other. The third way needs no divergence: it learns the score of noisy "
    r"data $y$, which are $x + \sigma \xi$ with standard normal noise $\xi$. The data are finitely many points of the line."
)
y = derivation.number("y", "a noisy value")
sigma = derivation.number(r"\sigma", "the deviation of the noise", "sigma", positive=True)
clean = derivation.numbers("x", n, "the data without noise", "x")
density = derivation.define(
    r"p_\sigma", Expectation(share, exp(LogDensity(y, clean, sigma**2))), r"the density of the noisy data at $y$", positive=True
)
given_y = derivation.define(
    "p({}|y)",
    share * exp(LogDensity(y, clean, sigma**2)) / density,
    "the distribution of the data, given $y$ (Bayes)",
    over=n,
    law=True,
)
xi = derivation.define(r"\xi", (y - clean) / sigma, "the noise in $y$, if the data are $x_n$", "noise", over=n)
noisy_score = derivation.chain(
    "The score of the noisy data is the mean of a known one",
    Slope(log(density), y),
    equals(
        Expectation(share, Slope(exp(LogDensity(y, clean, sigma**2)), y)) / density, "the derivative of a logarithm, and of a sum"
    ),
    equals(
        -Expectation(given_y, xi) / sigma,
        prose("{slope}; Bayes' rule", slope=holds(Slope(LogDensity(y, clean, sigma**2), y), "=", -xi / sigma)),
        wrong={"over the variance": -Expectation(given_y, xi) / sigma**2, "over all data": -Expectation(share, xi) / sigma},
    ),
    states=2,
    role="lemma",
)
derivation.figure(
    prose(
        "Left: two mixtures with equal modes and different weights. Right: their Fisher divergence vanishes as the modes part, "
        "where the Kullback-Leibler divergence does not: near one mode the score is nearly {near}, in which its weight $w$ "
        "does not occur. Noise that is wide enough to join the modes tells their weights.",
        near=holds(Slope(log(share * exp(LogDensity(y, clean, sigma**2))), y), "=", -(y - clean) / sigma**2, named=True),
    ),
    panels=2,
)(blind_to_weights)
best = derivation.define(
    "s^*", -Expectation(share, xi) / sigma, r"the score of the noisy data, where $w$ are the weights given $y$"
)
s = derivation.number("s", "the model's score at $y$", "score_fn")
_denoised = times(half, Expectation(share, plus(s, xi / sigma) ** 2))
_rest = Variance(share, xi) / (2 * sigma**2)
derivation.answer = prose(
    "Integration by parts moves the slope from $p$ to the model. If $p\\, s$ vanishes far out, half the mean squared distance of "
    "both scores is, up to a constant of the data, the mean of $\\frac12 \\|s\\|^2 + \\mathrm{div}\\, s$, for which samples are "
    "enough. Random directions estimate the divergence. Noise on the data makes it unnecessary: then the regression target is "
    "known, and what is learned is the score of the noisy data, {score}.",
    score=holds(Slope(log(density), y), "=", -Expectation(given_y, xi) / sigma, wrong={"not divided": -Expectation(given_y, xi)}),
)
regression = derivation.chain(
    "Regression on the noise finds the score of the noisy data",
    _denoised,
    equals(plus(times(half, plus(s, -best) ** 2), _rest), r"a mean square is the square of the mean and a variance"),
    at_least(
        _rest,
        prose("leave out the square; equality if and only if {best}", best=where(s, best)),
        dropping=times(half, plus(s, -best) ** 2),
    ),
    uses=(noisy_score,),
    so=r"So the minimizer is the score of $p_\sigma$, not that of $p$. Where the model does not reach it, the excess is the "
    r"Fisher divergence from the noisy data. The integral of a divergence is not needed, nor its condition.",
)
noise = derivation.number(r"\xi", "the noise that was drawn", "noise")
start = derivation.number("x_0", "the data without noise", "x")
lam = derivation.number(r"\lambda", r"the factor of a linear model, whose score is $-\lambda y$")
derivation.bridge(
    "The code's loss, of a linear model",
    times(half, plus(-lam * plus(start, sigma * noise), noise / sigma) ** 2),
    denoising_loss,
    x=[[start]],
    noise=[[noise]],
    score_fn=function_of(start, -lam * start),
    sigma=sigma,
    wrong={"over the variance": times(half, plus(-lam * plus(start, sigma * noise), noise / sigma**2) ** 2)},
)

derivation.say(
    r"What does it cost to let $\sigma$ go to 0, where $p_\sigma$ is $p$? Take normal data of mean 0 and variance $V$, and the "
    "best model: the score of the noisy data."
)
V = derivation.number("V", "the variance of the data", positive=True)
tau = derivation.define(r"\tau", plus(1 / sigma**2, -1 / plus(V, sigma**2)), "the variance of what is squared in the loss")


def _mean(body):
    return Expectation(Normal(start, 0, V), Expectation(Normal(noise, 0, 1), body))


_at_best = times(half, plus(-plus(start, times(sigma, noise)) / plus(V, sigma**2), noise / sigma) ** 2)
derivation.chain(
    "For normal data the best denoising loss is half the precision of the noise less that of the noisy data",
    _mean(_at_best),
    equals(
        tau / 2,
        prose(
            "data and noise are independent, with variances $V$ and 1: {sum}",
            sum=holds(plus(V / (V + sigma**2) ** 2, plus(1 / sigma, -sigma / (V + sigma**2)) ** 2), "=", tau),
        ),
        wrong={"the noise alone": 1 / (2 * sigma**2)},
    ),
    role="lemma",
)
derivation.chain(
    "For normal data the best denoising loss has a variance that explodes as the noise vanishes",
    _mean(plus(_at_best, -tau / 2) ** 2),
    equals(
        tau**2 / 2, r"what is squared is normal with variance $\tau$, and the square of a standard normal variable has variance 2"
    ),
    so=prose(
        r"Times $\sigma^2$, $\tau$ goes to {one} as $\sigma$ falls, so the standard deviation grows as $1/(\sqrt2\, \sigma^2)$.",
        one=holds(Limit(sigma**2 * tau, sigma, 0), "=", 1, named=True),
    ),
    role="remark",
)


derivation.algorithm(
    "A step of score matching",
    do("take data $x$, and the model's score $s$"),
    do(r"sliced, with random signs $v$: $v^\top J v + \frac12 \|s\|^2$", variance_reduced_sliced_loss, by=unbiased),
    do(r"denoising, at $x + \sigma \xi$ with noise $\xi$: $\frac12 \|s + \xi / \sigma\|^2$", denoising_loss, by=regression),
    do("a step of the model down the gradient of one of them"),
)(two_steps)


@derivation.example(
    r"Standard normal data and the model $-2x$. Then a point with the score (1, 2) and the Jacobian $\begin{pmatrix} -1 & "
    r"\frac12 \\ \frac12 & -2 \end{pmatrix}$, so that $\ell$ is $\frac52 - 3$; $v^\top J v$ is $-2$ or $-4$ for signs."
)
def by_hand():
    explicit, fisher, _ = of_linear_models([2.0], 0.5)
    yield r"\mathbb{E}[\ell], \quad F", [explicit, fisher], "(0, 1/2)"
    yield r"\tfrac12 \mathbb{E}[s_p^2]", fisher - explicit, "1/2"
    jacobian = np.array([[-1.0, 0.5], [0.5, -2.0]])
    field = lambda x: x @ jacobian.T + np.array([1.0, 2.0])  # noqa: E731
    signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    yield r"\ell", explicit_loss(jnp.zeros((1, 2)), field), "-0.5"
    yield r"\text{sliced}", sliced_loss(jnp.zeros((4, 2)), signs[None], field), "(2.5, -3.5, -3.5, 2.5)"
    reduced = variance_reduced_sliced_loss(jnp.zeros((4, 2)), signs[None], field)
    yield r"\text{variance-reduced}", reduced, "(0.5, -1.5, -1.5, 0.5)"
